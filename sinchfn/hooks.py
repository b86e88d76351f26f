"""The platform hooks: what happens to every request, whatever the function does. In order, as two tables.

Between them run the handler, the conversion of what it returned, and the SVAML check.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from types import MappingProxyType
from typing import cast

from werkzeug.exceptions import ServiceUnavailable, Unauthorized
from werkzeug.wsgi import ClosingIterator

from .auth import CHALLENGE
from .errors import sentence_of
from .function import Function, Hook
from .invocation import LOGGED_KEY, Invocation
from .lifecycle import RETRY
from .parsing import parse_payload
from .redaction import MOST_OF_REASON, brief
from .services.logs import bound_to, request_fields
from .services.usage import UsageRecord
from .signals import usage_recorded
from .streaming import when_sent
from .verification import verify_signature

_log = logging.getLogger("sinchfn")
#: What is behind the line of a request for each outcome but ``ok``.
OUTCOMES = MappingProxyType({"refused": ", refused", "error": ", failed", "gone": ", the client left before the end"})

_request_log = logging.getLogger("sinchfn.request")


def await_start(invocation: Invocation) -> None:
    """503 as long as the function's start-up functions cannot be run, where the server has not done so."""
    refuse_unstarted(invocation.function)


def refuse_unstarted(function: Function) -> None:
    """503 as long as the function has not started in this process, and cannot."""
    if not function.lifecycle.is_ready and (reason := function.lifecycle.why_not()):
        raise ServiceUnavailable(reason, retry_after=int(RETRY))


def read_body(invocation: Invocation) -> None:
    """413 above the limit, 400 for a body that breaks off."""
    invocation.incoming.receive()


def check_basic_auth(invocation: Invocation) -> None:
    """401 for a handler that ``auth`` names, without the right credentials."""
    if invocation.export.name in invocation.function.gated:
        refuse_strangers(invocation.function.basic.allows(invocation.environ.get("HTTP_AUTHORIZATION")))


def refuse_strangers(known: bool) -> None:
    """401 with a challenge, unless the caller is known."""
    if not known:
        error = Unauthorized("This needs a user and a password (HTTP Basic).")
        error.get_headers = lambda *_: [("WWW-Authenticate", CHALLENGE)]  # type: ignore[method-assign]
        raise error


def end_request(invocation: Invocation) -> None:
    """Close what the handler opened through its context and its services, when the answer is complete."""
    if invocation.export.takes_large_bodies and invocation.response is not None:
        invocation.response.call_on_close(invocation.incoming.close)  # a host's own hooks may still read it
    if invocation._context is None:  # then nothing was opened
        return
    response = invocation.response
    if response is not None and response.direct_passthrough and invocation.context._scope is not None:
        # A file of a service may be what goes out. (Such an answer knows nothing of call_on_close.)
        response.response = ClosingIterator(cast("Iterable[bytes]", response.response), partial(_end_file, invocation))
    else:
        when_sent(invocation, _end)


def _end(invocation: Invocation) -> None:
    try:
        invocation._end()
    except BaseException as error:  # the answer is out: all that can be done is to record the failure
        invocation._fail(error)
        _log.error("The end of %s failed: %s", invocation.handler_name, sentence_of(error), exc_info=error)


def _end_file(invocation: Invocation) -> None:
    with bound_to(invocation):
        guarded(_end)(invocation)


def settle_claim(invocation: Invocation) -> None:
    """What was to be done once is done, or is given up for the next one, when the answer is complete."""
    if invocation._settle is not None:
        when_sent(invocation, _settle_claim)


def _settle_claim(invocation: Invocation) -> None:
    settle, invocation._settle = invocation._settle, None
    if settle is not None:
        settle(invocation.is_done)


def record_usage(invocation: Invocation) -> None:
    """One usage record, on the signal and in the ledger, when the answer is complete."""
    when_sent(invocation, _record)


def _record(invocation: Invocation) -> None:
    if invocation.usage is not None:  # a server may close an answer twice
        return
    record = _usage_of(invocation)
    invocation._complete(record)
    ledger = invocation.function.ledger
    if ledger is not None and (ledger.is_asked_for or not invocation.app.testing):
        ledger.write(record.to_json())
    if usage_recorded.receivers:
        usage_recorded.send(invocation.app, invocation=invocation, record=record)


def _usage_of(invocation: Invocation) -> UsageRecord:
    redact = invocation.function.redact  # of what the sender chose; the rest is ours, whatever the secrets are
    return UsageRecord(
        time=invocation.timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        request_id=redact(invocation.request_id),
        function=invocation.function.name,
        handler=invocation.handler_name,
        kind=invocation.export.kind.value,
        method=brief(invocation.incoming.method),
        path=brief(redact(invocation.incoming.called)),
        status=invocation.status,
        outcome=invocation.outcome,
        duration_ms=round(invocation.milliseconds, 3),
        request_bytes=invocation.request_bytes,
        response_bytes=invocation.response_bytes,
        call_id=None if invocation.call_id is None else brief(redact(invocation.call_id)),
        stream=invocation.stream,
    )


def add_headers(invocation: Invocation) -> None:
    """``X-Request-ID`` on every answer."""
    if invocation.response is not None:
        headers = invocation.response.headers
        headers.remove("X-Request-ID")
        headers.add("X-Request-ID", invocation.request_id)


def log_request(invocation: Invocation) -> None:
    """One log line, when the answer is complete."""
    when_sent(invocation, _log_line)


def _log_line(invocation: Invocation) -> None:
    usage = invocation.usage
    if usage is None or invocation._is_logged:
        return
    invocation._is_logged = True
    level = _level_of(usage, invocation._is_told)
    if not _request_log.isEnabledFor(level):
        return
    called, end = f"{usage.method} {usage.path}", OUTCOMES.get(usage.outcome, "")
    if invocation.refusal:  # escaped here, because the formatter of a host would not
        end = f"{end}: {brief(invocation.function.redact(str(invocation.refusal)), MOST_OF_REASON)}"
    # Failures of one kind have one message: their figures are fields.
    has_failed = usage.status >= 500 or usage.outcome == "error"
    message, args = ("%s%s", (called, end or ", failed")) if has_failed else ("%s %d%s", (called, usage.status, end))
    # A record made by hand: the logger would look for the calling frame, which costs more than all of this.
    record = logging.getLogRecordFactory()(_request_log.name, level, __file__, 0, message, args, None)
    record.as_json = usage.to_json().replace('"time":', '"started":', 1)  # the time of a line is when it is written
    record.as_text = f"{called} {usage.status} {usage.duration_ms:.1f} ms{end}"
    record.sinchfn = request_fields(invocation)
    _request_log.handle(record)
    invocation.environ[LOGGED_KEY] = True


def _level_of(usage: UsageRecord, is_told: bool) -> int:
    """A failure is one ERROR: this line, unless its cause has a line of its own. That a client leaves is none."""
    if usage.status >= 500 or usage.outcome == "error":
        return logging.WARNING if is_told or usage.outcome == "refused" else logging.ERROR
    return logging.WARNING if usage.status >= 400 else logging.INFO


def guarded(hook: Hook) -> Hook:
    """`hook`, with an exception in it logged."""

    def run(invocation: Invocation) -> None:
        try:
            hook(invocation)
        except BaseException:  # also a sys.exit() in what a function closes: the call is answered and recorded
            _log.exception("The platform hook %s failed; the call goes on.", hook.__name__)

    return run


#: Before the handler. A hook that raises an HTTP error ends the request with it. (The request id is made with the
#: Invocation, so that the first of these can already answer with it.)
BEFORE = (await_start, read_body, verify_signature, check_basic_auth, parse_payload)

#: After the answer is made, whatever came of the handler. None of these can fail the call.
AFTER = tuple(map(guarded, (end_request, settle_claim, record_usage, add_headers, log_request)))

HOOKS = MappingProxyType({"before_request": BEFORE, "after_request": AFTER})
