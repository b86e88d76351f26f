"""Agent events that are delivered again: they are answered, and not handled again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

from flask import Response
from werkzeug.exceptions import ServiceUnavailable

from ..errors import CacheError
from ..function.invocation import Progress
from ..services.claims import Claim
from .responses import json_response

#: Seconds for which a handled event is remembered. For how long it may be delivered again is not documented.
REMEMBERED = 7 * 24 * 3600
#: Seconds after which an event that is being handled may be delivered again.
ASK_AGAIN = 30

_log = logging.getLogger("sinchfn")


def handle_once(progress: Progress, handle: Callable[[], Response]) -> Response:
    """Return the answer of ``handle``, or 200 for an event that was handled before.

    An event is known by its type and its conversation. Without either it is always handled.

    :raises ServiceUnavailable: the event is being handled, or the cache cannot be asked.
    """
    event, claims = progress.payload, progress.services.claims
    if not event.type or not event.conversation_id:
        return handle()
    name = f"agent/{hashlib.sha256(f'{event.type}/{event.conversation_id}'.encode()).hexdigest()}"
    described = f"The event {event.type!r:.80} of the conversation {event.conversation_id!r:.80}"
    try:
        claim = claims.begin(name)
    except CacheError as error:
        _log.error("%s was refused: cannot check for an earlier delivery (%s)", described, error)
        raise ServiceUnavailable("Cannot check for an earlier delivery at the moment.", retry_after=5) from None
    if claim is Claim.DONE:
        _log.info("%s was delivered again: it is answered, and not handled again.", described)
        return json_response(200, {})
    if claim is Claim.UNDER_WAY:
        raise ServiceUnavailable("This event is being handled.", retry_after=ASK_AGAIN)

    def settle(is_done: bool) -> None:
        try:
            claims.finish(name, REMEMBERED) if is_done else claims.give_up(name)
        except CacheError as error:
            _log.error("%s may be handled twice: could not record that it was handled (%s)", described, error)

    progress.settle = settle
    return handle()
