"""Log lines: readable in development, JSON in production, each with the id of its request.

Every line goes through the standard :mod:`logging`; the formatters here add what is known of the request at hand and
strike out the values of secrets.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from json.encoder import encode_basestring_ascii
from typing import Any, Protocol

#: Shorter values are not struck out: they would take half of every line with them.
LEAST_SECRET = 5

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class RequestFields(Protocol):
    """What a log line says about its request."""

    @property
    def request_id(self) -> str: ...
    @property
    def handler_name(self) -> str: ...
    @property
    def call_id(self) -> str | None: ...


#: The request that this thread or task is working on; None outside a request.
current_request: ContextVar[RequestFields | None] = ContextVar("sinchfn_request", default=None)


@contextmanager
def bound_to(request: RequestFields) -> Iterator[None]:
    """Log lines of this block carry the fields of `request`."""
    token = current_request.set(request)
    try:
        yield
    finally:
        current_request.reset(token)


def one_line(text: str) -> str:
    """`text` with control characters escaped, so that what a caller sent cannot write a log line of its own."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class Redaction:
    """Strikes the values of secrets out of a text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: tuple[str, ...] = ()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Strike these out as well."""
        values = {value for value in secrets if len(value) >= LEAST_SECRET}
        forms = {*self._forms, *(form for value in values for form in _forms_of(value))}
        self._forms = tuple(sorted(forms, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        for form in self._forms:  # one by one: `in` is many times faster than a pattern of alternatives
            if form in text:
                text = text.replace(form, "***")
        return text


def _forms_of(secret: str) -> Iterable[str]:
    """Every way in which a secret may be written into a line."""
    lines = secret.splitlines() if len(secret.splitlines()) > 1 else []
    written = (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], one_line(secret), *lines)
    return [form for form in dict.fromkeys(written) if len(form) >= LEAST_SECRET]


class TextFormatter(logging.Formatter):
    """For people: time, level, request id, handler, message."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields_of(record)
        message = _message_of(record) if _is_block(record) else one_line(_message_of(record))
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<7} {message}"
        if fields:
            line += f"  [{' '.join(one_line(str(fields[key])) for key in ('handler', 'request_id') if key in fields)}]"
        # Indented and escaped: text that a caller got into an exception cannot pass for a line of the log.
        trace = "".join(f"\n    {one_line(part)}" for part in _traceback_of(self, record).splitlines() if part)
        return self._redact(line + trace)


class JsonFormatter(logging.Formatter):
    """For machines: one JSON object a line."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        written: str | None = getattr(record, "as_json", None)
        if written is not None:
            message = encode_basestring_ascii(record.getMessage())
            head = f'{{"level":"{record.levelname}","logger":"{record.name}","message":{message}'
            return self._redact(f"{head},{written[1:]}")
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": _message_of(record),
            **_fields_of(record),
        }
        if trace := _traceback_of(self, record):
            line["traceback"] = trace.lstrip("\n")
        return self._redact(_encode(line))


_encode = json.JSONEncoder(separators=(",", ":"), default=str, skipkeys=True).encode


def _is_block(record: logging.LogRecord) -> bool:
    """Whether the line breaks in the message are the server's own, and nothing in it came from outside unescaped."""
    return hasattr(record, "is_block") or record.name == "werkzeug"


def _message_of(record: logging.LogRecord) -> str:
    try:
        return _COLOUR.sub("", record.getMessage()) if record.name == "werkzeug" else record.getMessage()
    except Exception:
        # logging itself would print the arguments, past every formatter, and so past the redaction.
        return f"{record.msg} (the arguments of this log call do not fit its text)"


def _fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    given: Mapping[str, Any] | None = getattr(record, "sinchfn", None)
    if given is not None:
        return given
    request = current_request.get()
    return {} if request is None else request_fields(request)


def request_fields(request: RequestFields) -> dict[str, Any]:
    """The fields that every line of a request carries."""
    fields: dict[str, Any] = {"request_id": request.request_id, "handler": request.handler_name}
    if request.call_id is not None:
        fields["call_id"] = request.call_id
    return fields


def _traceback_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    parts = [record.exc_text, formatter.formatStack(record.stack_info) if record.stack_info else None]
    return "".join(f"\n{part}" for part in parts if part)


class RequestLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger bound to one request: its lines carry the request's fields from any thread. ``context.log``."""

    def __init__(self, logger: logging.Logger, request: RequestFields) -> None:
        super().__init__(logger)
        self._request = request

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), "sinchfn": request_fields(self._request)}
        return msg, kwargs


class PlatformHandler(logging.StreamHandler[Any]):
    """Writes to standard error. The one handler that sinchfn itself installs."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        #: of all functions in this process
        self.redact = Redaction()

    def flush(self) -> None:
        if not getattr(self.stream, "line_buffering", False):  # then the write of the line was its flush
            super().flush()


class RedactionFilter(logging.Filter):
    """Strikes secrets out of what passes a handler that somebody else has set up."""

    def __init__(self) -> None:
        super().__init__()
        self.redact = Redaction()

    def filter(self, record: logging.LogRecord) -> bool:
        message = _message_of(record)
        clean = self.redact(message)
        if clean != message:
            record.msg, record.args = clean, None
        if record.exc_info and not record.exc_text:
            record.exc_text = self.redact(logging.Formatter().formatException(record.exc_info))
        return True


def set_up_logging(form: str, level: int, secrets: Iterable[str]) -> None:
    """Send all log lines of the process to standard error, in the form ``text`` or ``json``.

    A root logger that has handlers already was set up by somebody else: its form and level are left alone.
    """
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler, PlatformHandler)]
    if not ours and root.handlers:
        strike_out(secrets)
        return
    handler = ours[0] if ours else PlatformHandler()
    handler.redact.add(secrets)
    handler.setFormatter(JsonFormatter(handler.redact) if form == "json" else TextFormatter(handler.redact))
    root.setLevel(level)
    if not ours:
        root.addHandler(handler)


def strike_out(secrets: Iterable[str]) -> None:
    """Strike these out of what passes the handlers that somebody else has set up so far."""
    for handler in logging.getLogger().handlers:
        _redaction_of(handler).add(secrets)


def _redaction_of(handler: logging.Handler) -> Redaction:
    known = [found for found in handler.filters if isinstance(found, RedactionFilter)]
    if known:
        return known[0].redact
    added = RedactionFilter()
    handler.addFilter(added)
    return added.redact
