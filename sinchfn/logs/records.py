"""The parts of a log record: its message, its request, the user's extra fields, its traceback."""

from __future__ import annotations

import logging
import math
import os
import re
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from .redaction import MASK, Redaction, brief

#: Deepest nesting of what is given as ``extra``; below it is its repr.
MAX_DEPTH = 6

#: Stands behind a message whose arguments do not fit.
UNFIT = " (the arguments of this log call do not fit its text)"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NOT_THE_USERS = (str(Path(__file__).parents[1]) + os.sep, "<frozen importlib")
_LOAD = re.compile(r"^(\w+)@\d+(?=\.|$)")


class RequestFields(Protocol):
    """The fields of a log line about its request."""

    @property
    def request_id(self) -> str: ...
    @property
    def handler_name(self) -> str: ...
    @property
    def call_id(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def redact(self) -> Redaction: ...


#: The request that this thread or task is working on; None outside a request.
current_request: ContextVar[RequestFields | None] = ContextVar("sinchfn_request", default=None)


@contextmanager
def bound_to(request: RequestFields) -> Iterator[None]:
    """Give the log lines of this block the fields of `request`."""
    token = current_request.set(request)
    try:
        yield
    finally:
        current_request.reset(token)


class Owners:
    """The redactions of the functions in this process. Those of functions that are gone are dropped."""

    def __init__(self) -> None:
        self._known: set[weakref.ref[Redaction]] = set()
        self._together: Redaction | None = None

    def add(self, redact: Redaction) -> None:
        """Strike these secrets out of lines that belong to no function, as long as `redact` exists."""
        self._known.add(weakref.ref(redact, self._forget))
        self._together = None

    def _forget(self, gone: weakref.ref[Redaction]) -> None:
        self._known.discard(gone)
        self._together = None

    @property
    def together(self) -> Redaction:
        """The redaction of the secrets of all functions."""
        together = self._together
        if together is None:
            known = [redact for found in tuple(self._known) if (redact := found()) is not None]
            secrets = frozenset().union(*(redact.secrets for redact in known))
            marked = frozenset().union(*(redact.marked for redact in known))
            self._together = together = Redaction(secrets, marked)
        return together


OWNERS = Owners()

#: The secrets of the function that is being made, or started; None otherwise.
current_owner: ContextVar[Redaction | None] = ContextVar("sinchfn_owner", default=None)


@contextmanager
def owned_by(redact: Redaction) -> Iterator[None]:
    """Log lines of this block, outside of a request, belong to the function with these secrets."""
    OWNERS.add(redact)
    token = current_owner.set(redact)
    try:
        yield
    finally:
        current_owner.reset(token)


def redact(text: str) -> str:
    """Strike out the secrets of the function that handles this request or starts; elsewhere, those of all functions."""
    request = current_request.get()
    owner = current_owner.get() or OWNERS.together if request is None else request.redact
    return owner(text)


def request_fields(request: RequestFields) -> dict[str, Any]:
    """Return the fields that every line of a request carries, without secrets."""
    redact = request.redact
    fields: dict[str, Any] = {
        "request_id": redact(request.request_id),
        "handler": request.handler_name,
        "kind": request.kind,
    }
    if request.call_id is not None:
        fields["call_id"] = brief(redact(request.call_id))
    return fields


def fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return the request fields of a record: those it carries, else those of the current request."""
    given: Mapping[str, Any] | None = mark_of(record, "sinchfn")
    if given is not None:
        return given
    request = current_request.get()
    return {} if request is None else request_fields(request)


def mark_of(record: logging.LogRecord, name: str) -> Any:
    """Return an attribute that one of our own loggers, or gunicorn's, has put on a record; else None."""
    return getattr(record, name, None) if record.name.partition(".")[0] in ("sinchfn", "gunicorn") else None


_BLANK = vars(logging.LogRecord("", 0, "", 0, "", None, None))
_FEWEST = len(_BLANK)

#: The attributes of every record, and those that sinchfn adds. All others came as ``extra``.
STANDARD = frozenset(
    (
        *_BLANK,
        *("taskName", "message", "asctime", "as_json", "as_text", "sinchfn", "is_block", "is_start"),
        *("request_id", "handler", "kind", "call_id"),
    )
)

#: Names with a meaning of their own in a record or in its line, which no field of the user can have.
TAKEN = STANDARD | {"time", "level", "logger", "traceback"}


def free_names(extra: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the user's fields under free names: a name that is taken (``name``, ``time``) gets a ``_`` appended."""
    fields: dict[str, Any] = {}
    for given, value in extra.items():
        name = _text(given)
        while name in TAKEN or name in fields:
            name += "_"
        fields[name] = value
    return fields


def extras_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the ``extra=`` of the log call, as JSON values."""
    given = vars(record)
    if len(given) == _FEWEST + ("sinchfn" in given) + 2 * ("as_json" in given):  # quicker than to compare the names
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
    """Return the message with its arguments in it; never raise."""
    try:
        message = record.getMessage()
    except Exception:
        # logging itself would print the arguments, past every formatter, and so past the redaction.
        return f"{_text(record.msg)}{UNFIT}"
    if record.name == "werkzeug":
        return _COLOUR.sub("", message).strip()
    if record.name == "py.warnings":  # without the line of source that stands below a warning
        text, _, source = message.rstrip("\n").rpartition("\n")
        return text if source.startswith("  ") else message.rstrip("\n")
    return message


def clean_message(record: logging.LogRecord, redact: Callable[[str], str]) -> str:
    """Return the message without secrets. Of our own sentences only the arguments are searched."""
    args = record.args
    if args and isinstance(args, tuple) and isinstance(record.msg, str) and _OURS.fullmatch(record.name):
        with suppress(Exception):  # what does not fit is looked at as a whole
            return record.msg % tuple(arg if isinstance(arg, int | float) else struck_out(arg, redact) for arg in args)
    return redact(message_of(record))


#: Our own loggers; below ``sinchfn.function`` are those of the functions.
_OURS = re.compile(r"sinchfn(\.(?!function\b).*)?")


class Clean(str):
    """A text without secrets, which stays as it is."""

    __slots__ = ()


#: Names of keys and loggers that stand in code as they are. Any other name may be made of a value.
NAME = re.compile(r"[A-Za-z_.]*")


def clean_name(name: str, redact: Callable[[str], str]) -> str:
    """Return the name of a field, logger or file without secrets. A name of letters alone never counts as a secret."""
    return name if NAME.fullmatch(name) else redact(name)


def is_block(record: logging.LogRecord) -> bool:
    """Return True if the line breaks in the message are our own, and nothing in it came from outside unescaped."""
    return record.name == "werkzeug" or mark_of(record, "is_block") is not None


def logger_of(record: logging.LogRecord) -> str:
    """Return the name of the logger; for a module of the function ``ivr.menu``, not ``ivr@1.menu``."""
    return _LOAD.sub(r"\1", record.name) if "@" in record.name else record.name


def traceback_of(record: logging.LogRecord) -> str:
    """Return the exception of a record, with its chain and notes, and its stack; an empty text if it has neither."""
    if not (record.exc_info or record.exc_text or record.stack_info):
        return ""
    text = record.exc_text
    if not text and record.exc_info and (error := record.exc_info[1]) is not None:
        text = "".join(traceback.format_exception(type(error), error, from_users_code(record.exc_info[2])))
    return "\n".join(part.strip("\n") for part in (text, record.stack_info) if part)


def from_users_code(trace: TracebackType | None, foreign: tuple[str, ...] = ()) -> TracebackType | None:
    """Return a traceback from where the user's code begins, or all of it if it never gets there.

    :param foreign: beginnings of file names that are not the user's either.
    """
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith((*_NOT_THE_USERS, *foreign)):
        inner = inner.tb_next
    return inner or trace


def struck_out(value: Any, redact: Callable[[str], str]) -> Any:
    """`value` without the secrets in it: the value itself, or one like it; an object with a secret becomes a text."""
    if value is None or isinstance(value, bool | Clean):
        return value
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {
            clean_name(name, redact) if isinstance(name, str) else struck_out(name, redact): struck_out(inner, redact)
            for name, inner in value.items()
        }
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
