"""The platform hooks: what happens to every request, whatever the function does. In order, as two tables.

Between them run the handler, the conversion of what it returned, and the SVAML check.
"""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import Any

from werkzeug.exceptions import BadRequest, Unauthorized, UnsupportedMediaType

from .address import called_paths, other_paths
from .auth import CHALLENGE
from .errors import SignatureError
from .exports import CALLBACKS, Kind
from .function import Hook
from .invocation import LOGGED_KEY, Invocation
from .redaction import one_line
from .requests import FunctionRequest, is_json
from .services.logs import request_fields
from .services.usage import UsageRecord
from .signals import usage_recorded
from .signatures import ApplicationScheme
from .streaming import when_sent
from .voice.callbacks import EVENTS

_log = logging.getLogger("sinchfn")
#: What is behind the line of a request for each outcome but ``ok``.
OUTCOMES = MappingProxyType({"refused": ", refused", "error": ", failed", "gone": ", the client left before the end"})

_request_log = logging.getLogger("sinchfn.request")


def read_body(invocation: Invocation) -> None:
    """413 above the limit, 400 for a body that breaks off."""
    _ = invocation.incoming.body


def verify_signature(invocation: Invocation) -> None:
    """401 for a callback that the platform did not sign. The log says why, the answer does not."""
    scheme = invocation.function.schemes.get(invocation.export.scheme or "")
    if scheme is None:
        return
    environ = invocation.environ
    signed: dict[str, Any] = {
        "method": environ["REQUEST_METHOD"],
        "content_type": environ.get("CONTENT_TYPE", ""),
        "timestamp": environ.get("HTTP_X_TIMESTAMP"),
        "authorization": environ.get("HTTP_AUTHORIZATION"),
        "body": invocation.incoming.body,
    }
    paths = called_paths(environ, invocation.function)
    reason = _refusal(scheme, paths, signed)
    if reason is None:
        return
    if invocation.function.config.is_development:
        explained = scheme.explain(path=paths[0], alternatives=other_paths(environ, invocation.function), **signed)
        reason = reason if explained == reason else f"{reason}. {explained}"
    _log.warning("Refused a call to %s: %s", invocation.export.name, reason)
    raise Unauthorized("The signature of this request does not hold.")


def _refusal(scheme: ApplicationScheme, paths: tuple[str, ...], signed: dict[str, Any]) -> str | None:
    """Why the signature holds for none of the paths; None if it holds for one."""
    reason: str | None = None
    for path in paths:
        try:
            scheme.verify(path=path, **signed)
        except SignatureError as error:
            reason = str(error)
        else:
            return None
    return reason


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


def parse_payload(invocation: Invocation) -> None:
    """400 for a callback that is not a JSON object, or names another callback; 415 if it does not say JSON."""
    if invocation.export.kind is not Kind.VOICE:
        invocation._accept(FunctionRequest(invocation.incoming))
        return
    content_type = invocation.environ.get("CONTENT_TYPE", "")
    if content_type and not is_json(content_type):
        raise UnsupportedMediaType(
            f"A voice callback is sent as application/json, this came as {content_type[:80]}. "
            "With curl add: -H 'Content-Type: application/json'"
        )
    payload = invocation.incoming.json
    if not isinstance(payload, dict):
        raise BadRequest(f"A voice callback is a JSON object, this is a JSON {_json_type(payload)}.")
    _refuse_other_event(invocation, payload.get("event"))
    event = EVENTS[invocation.export.name](payload)
    call_id = payload.get("callid")  # as nearly every payload has it; any other form is for the event to read
    invocation._accept(event, call_id if isinstance(call_id, str) else event.call_id)


def _refuse_other_event(invocation: Invocation, event: object) -> None:
    name = invocation.export.name
    if isinstance(event, str) and event.lower() in CALLBACKS and event.lower() != name:
        raise BadRequest(f'This was sent to "{name}", but its event is "{event}".')


def _json_type(value: object) -> str:
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")


def end_context(invocation: Invocation) -> None:
    """Close what the handler opened through its context, when the answer is complete."""
    if invocation._context is not None:
        when_sent(invocation, _end_context)


def _end_context(invocation: Invocation) -> None:
    invocation.context._end()


def record_usage(invocation: Invocation) -> None:
    """One usage record, on the signal and in the ledger, when the answer is complete."""
    when_sent(invocation, _record)


def _record(invocation: Invocation) -> None:
    if invocation.usage is not None:  # a server may close an answer twice
        return
    record = _usage_of(invocation)
    invocation._complete(record)
    if invocation.function.ledger is not None:
        invocation.function.ledger.write(invocation.function.redact(record.to_json()))
    if usage_recorded.receivers:
        usage_recorded.send(invocation.app, invocation=invocation, record=record)


def _usage_of(invocation: Invocation) -> UsageRecord:
    return UsageRecord(
        time=invocation.timestamp.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        request_id=invocation.request_id,
        function=invocation.function.name,
        handler=invocation.export.name,
        kind=invocation.export.kind.value,
        method=invocation.incoming.method,
        path=invocation.function.redact(invocation.incoming.called),
        status=invocation.status,
        outcome=invocation.outcome,
        duration_ms=round(invocation.milliseconds, 3),
        request_bytes=invocation.incoming.size,
        response_bytes=invocation.response_bytes,
        call_id=invocation.call_id,
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
    level = _level_of(usage)
    if not _request_log.isEnabledFor(level):
        return
    message = f"{usage.method} {usage.path} {usage.status} {usage.duration_ms:.1f} ms{OUTCOMES.get(usage.outcome, '')}"
    if invocation.refusal:
        message = f"{message}: {invocation.refusal}"
    message = one_line(message)  # here, for a host's own formatter would not
    # A record made by hand: the logger would look for the calling frame, which costs more than all of this.
    record = logging.LogRecord(_request_log.name, level, __file__, 0, message, None, None)
    record.as_json = usage.to_json().replace('"time":', '"started":', 1)  # the time of a line is when it is written
    record.sinchfn = request_fields(invocation)
    _request_log.handle(record)
    invocation.environ[LOGGED_KEY] = True


def _level_of(usage: UsageRecord) -> int:
    """A streamed answer may fail behind a status of 200. That a client leaves is nothing to be looked into."""
    if usage.status >= 500 or usage.outcome == "error":
        return logging.ERROR
    return logging.WARNING if usage.status >= 400 else logging.INFO


def guarded(hook: Hook) -> Hook:
    """`hook`, with an exception in it logged."""

    def run(invocation: Invocation) -> None:
        try:
            hook(invocation)
        except Exception:
            _log.exception("The platform hook %s failed; the call goes on.", hook.__name__)

    return run


#: Before the handler. A hook that raises an HTTP error ends the request with it. (The request id is made with the
#: Invocation, so that the first of these can already answer with it.)
BEFORE = (read_body, verify_signature, check_basic_auth, parse_payload)

#: After the answer is made, whatever came of the handler. None of these can fail the call.
AFTER = (guarded(end_context), guarded(record_usage), guarded(add_headers), guarded(log_request))

HOOKS = MappingProxyType({"before_request": BEFORE, "after_request": AFTER})
