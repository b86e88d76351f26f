"""An agent's event that is delivered again is answered, and not handled again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Response
from werkzeug.exceptions import ServiceUnavailable

from .errors import CacheError
from .invocation import Invocation
from .responses import json_response
from .services.claims import Claim

#: Seconds for which an event is known to have been handled. Nobody says for how long it may be delivered again.
REMEMBERED = 7 * 24 * 3600
#: Seconds after which whoever delivers an event that is just being handled may ask again.
ASK_AGAIN = 30

_log = logging.getLogger("sinchfn")


def handle_once(invocation: Invocation, handle: Callable[[Invocation], Response]) -> Response:
    """What `handle` answers; 200 for an event that was handled before, 503 for one that is being handled."""
    name = _name_of(invocation)
    if name is None:
        return handle(invocation)
    claims = invocation.function.services.claims
    with _known_or_later(invocation):
        claim = claims.begin(name)
    if claim is Claim.DONE:
        _log.info("%s was delivered again: it is answered, and not handled again.", _described(invocation))
        return json_response(200, {})
    if claim is Claim.UNDER_WAY:
        raise ServiceUnavailable("This event is being handled.", retry_after=ASK_AGAIN)
    invocation._claim(lambda is_done: _settle(invocation, name, is_done))
    return handle(invocation)


def _name_of(invocation: Invocation) -> str | None:
    """What is handled once: this type of event of this conversation; None if it does not say."""
    event = invocation.payload
    if not event.type or not event.conversation_id:
        return None
    return f"agent/{hashlib.sha256(f'{event.type}/{event.conversation_id}'.encode()).hexdigest()}"


def _settle(invocation: Invocation, name: str, is_done: bool) -> None:
    claims = invocation.function.services.claims
    try:
        claims.finish(name, REMEMBERED) if is_done else claims.give_up(name)
    except CacheError as error:
        _log.error("%s may be handled again, for that it was cannot be kept: %s", _described(invocation), error)


@contextmanager
def _known_or_later(invocation: Invocation) -> Iterator[None]:
    try:
        yield
    except CacheError as error:
        _log.error("%s was not taken, for it cannot be known if it was before: %s", _described(invocation), error)
        raise ServiceUnavailable(
            "Whether this was handled before cannot be told at the moment.", retry_after=5
        ) from None


def _described(invocation: Invocation) -> str:
    event = invocation.payload
    return f"The event {event.type!r:.80} of the conversation {event.conversation_id!r:.80}"
