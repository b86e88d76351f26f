"""The platform hooks, which run for every request, as three tables in their order.

Between them run the handler, the conversion of the value it returned, and the SVAML check.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from types import MappingProxyType
from typing import Any, cast

from werkzeug.exceptions import ServiceUnavailable, Unauthorized
from werkzeug.wsgi import ClosingIterator

from ..errors import sentence_of
from ..function.function import Function
from ..function.invocation import LOGGED_KEY, Progress
from ..function.lifecycle import RETRY
from ..logs.records import bound_to
from ..logs.redaction import MOST_OF_REASON, brief
from ..security.basic_auth import CHALLENGE
from ..services.usage import UsageRecord
from ..signals import usage_recorded
from .parsing import parse_payload
from .streaming import when_sent
from .verification import verify_signature

#: A step of the platform around the handler of a request.
Hook = Callable[[Progress], None]

#: Outcome -> the end of the log line of a request; nothing for ``ok``.
OUTCOMES = MappingProxyType({"refused": ", refused", "error": ", failed", "gone": ", the client left before the end"})

_log = logging.getLogger("sinchfn")
_request_log = logging.getLogger("sinchfn.request")


def await_start(progress: Progress) -> None:
    """Answer 503 until the start-up functions have run."""
    refuse_unstarted(progress.function)


def refuse_unstarted(function: Function) -> None:
    """Start the function in this process if it has not started yet.

    :raises ServiceUnavailable: it cannot be started now.
    """
    if not function.lifecycle.is_ready and (reason := function.lifecycle.why_not()):
        raise ServiceUnavailable(reason, retry_after=int(RETRY))


def read_body(progress: Progress) -> None:
    """Read the body: 413 above the limit, 400 if it breaks off."""
    progress.incoming.receive()


def check_basic_auth(progress: Progress) -> None:
    """Answer 401 if ``auth`` names the handler and the credentials are not right."""
    if progress.export.name in progress.function.gated:
        refuse_strangers(progress.function.basic.allows(progress.environ.get("HTTP_AUTHORIZATION")))


def refuse_strangers(known: bool) -> None:
    """Ask for a password, unless the caller is known.

    :raises Unauthorized: the caller is not known.
    """
    if not known:
        error = Unauthorized("This needs a user and a password (HTTP Basic).")
        error.get_headers = lambda *_: [("WWW-Authenticate", CHALLENGE)]  # type: ignore[method-assign]
        raise error


def keep_open(progress: Progress) -> None:
    """Keep the body of the request and the services open until the answer is sent, which may come from them."""
    response = progress.response
    if progress.export.takes_large_bodies and response is not None:
        response.call_on_close(progress.incoming.close)  # a host's own hooks may still read the body
    if response is not None and response.direct_passthrough and progress.has_scope():
        # A file that the server sends by itself: such an answer does not know call_on_close.
        response.response = ClosingIterator(cast("Iterable[bytes]", response.response), partial(_end_file, progress))
        progress.is_ended = True


def _end_file(progress: Progress) -> None:
    progress.is_ended = False
    with bound_to(progress):
        run_guarded((end_request,), progress)


def add_headers(progress: Progress) -> None:
    """Set ``X-Request-ID`` on every answer."""
    if progress.response is not None:
        progress.response.headers["X-Request-ID"] = progress.request_id


def end_request(progress: Progress) -> None:
    """Close what the handler opened through its context and its services."""
    if progress.is_ended:
        return
    try:
        progress.end()
    except BaseException as error:  # the answer is out, so the failure can only be recorded
        progress.fail(error)
        _log.error("The end of %s failed: %s", progress.handler_name, sentence_of(error), exc_info=error)


def settle_claim(progress: Progress) -> None:
    """Mark a nonce or an event as handled, or release it for the next delivery."""
    settle, progress.settle = progress.settle, None
    if settle is not None:
        settle(progress.is_done)


def record_usage(progress: Progress) -> None:
    """Write one usage record to the ledger, and send it on the signal."""
    if progress.usage is not None:  # a server may close an answer twice
        return
    record = progress.usage = _usage_of(progress)
    progress.usage_line = record.to_json()
    ledger = progress.function.ledger
    if ledger is not None and (ledger.is_asked_for or not progress.app.testing):
        ledger.write(progress.usage_line)
    if usage_recorded.receivers:
        usage_recorded.send(progress.app, invocation=progress.invocation, record=record)


def _usage_of(progress: Progress) -> UsageRecord:
    redact = progress.redact  # only for texts that the sender chose
    return UsageRecord(
        time=progress.timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        request_id=redact(progress.request_id),
        function=progress.function.name,
        handler=progress.handler_name,
        kind=progress.kind,
        method=brief(progress.incoming.method),
        path=brief(redact(progress.incoming.called)),
        status=progress.status,
        outcome=progress.outcome,
        duration_ms=round(progress.milliseconds, 3),
        request_bytes=progress.request_bytes,
        response_bytes=progress.response_bytes,
        call_id=None if progress.call_id is None else brief(redact(progress.call_id)),
        stream=progress.stream,
    )


def log_request(progress: Progress) -> None:
    """Write one log line."""
    usage = progress.usage
    if usage is None or progress.has_log_line:
        return
    progress.has_log_line = True
    has_failed = usage.status >= 500 or usage.outcome == "error"
    if has_failed:  # its cause may have an ERROR line of its own
        level = logging.WARNING if progress.is_failure_logged or usage.outcome == "refused" else logging.ERROR
    else:
        level = logging.WARNING if usage.status >= 400 else logging.INFO
    if not _request_log.isEnabledFor(level):
        return
    called, end = f"{usage.method} {usage.path}", OUTCOMES.get(usage.outcome, "")
    if progress.refusal:  # escaped here, because the formatter of a host would not
        end = f"{end}: {brief(progress.redact(str(progress.refusal)), MOST_OF_REASON)}"
    # Failures of one kind have one message, so that error trackers group them: the figures are fields.
    message, args = ("%s%s", (called, end or ", failed")) if has_failed else ("%s %d%s", (called, usage.status, end))
    # A record made by hand, because the logger would search for the calling frame, which costs more than all of this.
    record = logging.getLogRecordFactory()(_request_log.name, level, __file__, 0, message, args, None)
    record.as_json = progress.usage_line.replace('"time":', '"started":', 1)  # the time of a line is when it is written
    record.as_text = f"{called} {usage.status} {usage.duration_ms:.1f} ms{end}"
    fields: dict[str, Any] = {"request_id": usage.request_id, "handler": usage.handler, "kind": usage.kind}
    record.sinchfn = fields if usage.call_id is None else {**fields, "call_id": usage.call_id}
    _request_log.handle(record)
    progress.environ[LOGGED_KEY] = True


def run_guarded(hooks: Iterable[Hook], progress: Progress) -> None:
    """Run hooks, each of which may fail without stopping the others. What fails is logged."""
    for hook in hooks:
        try:
            hook(progress)
        except BaseException:  # also a sys.exit() in what a function closes: the call is answered and recorded
            _log.exception("The platform hook %s failed; the call goes on.", hook.__name__)


def conclude(progress: Progress) -> None:
    """Run the hooks after the handler: those of the answer now, the others when it is sent. None can fail the call."""
    run_guarded(AFTER, progress)
    when_sent(progress, finish)


def finish(progress: Progress) -> None:
    """Run the hooks after an answer that is sent."""
    run_guarded(SENT, progress)


#: Before the handler. A hook that raises an HTTP error ends the request with it. (The request id exists already, so the
#: first of these can answer with it.)
BEFORE = (await_start, read_body, verify_signature, check_basic_auth, parse_payload)

#: After the answer is made, whether or not the handler failed.
AFTER = (keep_open, add_headers)

#: After the answer is complete: for a streamed one, when it has ended.
SENT = (end_request, settle_claim, record_usage, log_request)

HOOKS = MappingProxyType({"before_request": BEFORE, "after_request": (conclude,)})
