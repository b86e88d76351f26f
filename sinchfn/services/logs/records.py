"""What a log record says: its message, the request it belongs to, the user's extra fields, its traceback."""

from __future__ import annotations

import logging
import math
import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from ...redaction import MASK, brief

if TYPE_CHECKING:
    from ...exports import Export
    from ...function import Function

#: Deepest nesting of what is given as ``extra``; below it is its repr.
MAX_DEPTH = 6

#: Stands behind a message whose arguments do not fit.
UNFIT = " (the arguments of this log call do not fit its text)"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NOT_THE_USERS = (str(Path(__file__).parents[2]) + os.sep, "<frozen importlib")
_LOAD = re.compile(r"^(\w+)@\d+(?=\.|$)")


class RequestFields(Protocol):
    """What a log line says about its request."""

    @property
    def request_id(self) -> str: ...
    @property
    def handler_name(self) -> str: ...
    @property
    def call_id(self) -> str | None: ...
    @property
    def export(self) -> Export: ...
    @property
    def function(self) -> Function: ...


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


def request_fields(request: RequestFields) -> dict[str, Any]:
    """The fields that every line of a request carries."""
    fields: dict[str, Any] = {
        "request_id": request.request_id,
        "handler": request.handler_name,
        "kind": request.export.kind.value,
    }
    if request.call_id is not None:
        fields["call_id"] = brief(request.call_id)
    return fields


def fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """What the record says of its request; without one, of the request at hand."""
    given: Mapping[str, Any] | None = mark_of(record, "sinchfn")
    if given is not None:
        return given
    request = current_request.get()
    return {} if request is None else request_fields(request)


def mark_of(record: logging.LogRecord, name: str) -> Any:
    """What one of our own loggers, or gunicorn's, has put on its record; on any other it is the user's, and nothing."""
    return getattr(record, name, None) if record.name.partition(".")[0] in ("sinchfn", "gunicorn") else None


_BLANK = vars(logging.LogRecord("", 0, "", 0, "", None, None))
_FEWEST = len(_BLANK)

#: What every record has, and what sinchfn puts on some: all else came as ``extra``.
STANDARD = frozenset(
    (
        *_BLANK,
        *("taskName", "message", "asctime", "as_json", "sinchfn", "is_block", "is_start"),
        *("request_id", "handler", "kind", "call_id"),
    )
)

#: What has a meaning of its own in a record or in its line, so that no field of the user's can have this name.
TAKEN = STANDARD | {"time", "level", "logger", "traceback"}


def free_names(extra: Mapping[Any, Any]) -> dict[str, Any]:
    """Fields of the user's under names that are free: one that is taken (``name``, ``time``) gets a ``_`` behind it."""
    fields: dict[str, Any] = {}
    for given, value in extra.items():
        name = _text(given)
        while name in TAKEN or name in fields:
            name += "_"
        fields[name] = value
    return fields


def extras_of(record: logging.LogRecord) -> dict[str, Any]:
    """What came as ``extra=`` of the log call, as JSON values."""
    given = vars(record)
    if len(given) == _FEWEST + ("sinchfn" in given) + ("as_json" in given):  # quicker than to compare the names
        return {}
    return free_names({name: _plain(given[name], MAX_DEPTH) for name in given.keys() - STANDARD})


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping) and depth:
        return {_text(key): _plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [_plain(inner, depth - 1) for inner in value]
    return _text(value)


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"<a {type(value).__name__} that has no text>"


def message_of(record: logging.LogRecord) -> str:
    """The message with its arguments in it; never raises."""
    try:
        message = record.getMessage()
    except Exception:
        # logging itself would print the arguments, past every formatter, and so past the redaction.
        return f"{_text(record.msg)}{UNFIT}"
    if record.name == "werkzeug":
        return _COLOUR.sub("", message).strip()
    return _warning(message) if record.name == "py.warnings" else message


def _warning(message: str) -> str:
    """A warning as Python shows it, without the line of source that stands below."""
    text, _, source = message.rstrip("\n").rpartition("\n")
    return text if source.startswith("  ") else message.rstrip("\n")


def is_block(record: logging.LogRecord) -> bool:
    """Whether the line breaks in the message are the server's own, and nothing in it came from outside unescaped."""
    return record.name == "werkzeug" or mark_of(record, "is_block") is not None


def logger_of(record: logging.LogRecord) -> str:
    """The name of the logger; of a module of the function as its author knows it: ``ivr.menu``, not ``ivr@1.menu``."""
    return _LOAD.sub(r"\1", record.name) if "@" in record.name else record.name


def traceback_of(record: logging.LogRecord) -> str:
    """The exception of a record, with its chain and notes, and its stack; an empty text if it has neither."""
    if not (record.exc_info or record.exc_text or record.stack_info):
        return ""
    trace = record.exc_text or (_formatted(record.exc_info) if record.exc_info else "")
    return "\n".join(part.strip("\n") for part in (trace, record.stack_info) if part)


def _formatted(exc_info: _ExcInfo) -> str:
    kind, error, trace = exc_info
    return "" if error is None else "".join(traceback.format_exception(kind, error, from_users_code(trace)))


_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def from_users_code(trace: TracebackType | None, foreign: tuple[str, ...] = ()) -> TracebackType | None:
    """A traceback from where the user's code begins; all of it if that is nowhere.

    :param foreign: beginnings of file names that are not the user's either.
    """
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith((*_NOT_THE_USERS, *foreign)):
        inner = inner.tb_next
    return inner or trace


def struck_out(value: Any, redact: Callable[[str], str]) -> Any:
    """`value` without the secrets in it: the value itself, or one like it; an object with a secret becomes a text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {struck_out(name, redact): struck_out(inner, redact) for name, inner in value.items()}
    if isinstance(value, list):
        return [struck_out(inner, redact) for inner in value]
    if type(value) is tuple:
        return tuple(struck_out(inner, redact) for inner in value)
    try:
        text = repr(value)
    except Exception:  # then no formatter can show it either
        return value
    clean = redact(text)
    return value if clean == text else MASK if isinstance(value, int | float) else clean
