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
from collections.abc import Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from json.encoder import encode_basestring_ascii
from typing import Any, Protocol

#: Shorter values are not struck out: they would take half of every line with them.
LEAST_SECRET = 5

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


def one_line(text: str) -> str:
    """`text` with control characters escaped, so that what a caller sent cannot write a log line of its own."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class Redaction:
    """Strikes the values of secrets out of a text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        values = sorted({value for value in secrets if len(value) >= LEAST_SECRET}, key=len, reverse=True)
        self._forms = tuple(form for value in values for form in dict.fromkeys((value, json.dumps(value)[1:-1])))

    def __call__(self, text: str) -> str:
        for form in self._forms:  # one by one: `in` is many times faster than a pattern of alternatives
            if form in text:
                text = text.replace(form, "***")
        return text


class TextFormatter(logging.Formatter):
    """For people: time, level, request id, handler, message."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields_of(record)
        message = record.getMessage() if hasattr(record, "is_block") else one_line(record.getMessage())
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<7} {message}"
        if fields:
            line += f"  [{' '.join(one_line(str(fields[key])) for key in ('handler', 'request_id') if key in fields)}]"
        return self._redact(line + _traceback_of(self, record))


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
            "message": record.getMessage(),
            **_fields_of(record),
        }
        if trace := _traceback_of(self, record):
            line["traceback"] = trace.lstrip("\n")
        return self._redact(_encode(line))


_encode = json.JSONEncoder(separators=(",", ":"), default=str, skipkeys=True).encode


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


def set_up_logging(form: str, level: int, redact: Redaction) -> None:
    """Send all log lines of the process to standard error, in the form ``text`` or ``json``.

    A root logger that has handlers already was set up by somebody else and is left alone.
    """
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler, PlatformHandler)]
    if not ours and root.handlers:
        return
    handler = ours[0] if ours else PlatformHandler()
    handler.setFormatter(JsonFormatter(redact) if form == "json" else TextFormatter(redact))
    root.setLevel(level)
    if not ours:
        root.addHandler(handler)
