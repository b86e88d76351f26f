"""Filters for the handlers of somebody else: what sinchfn's own formatters do, for any formatter."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from .records import (
    STANDARD,
    UNFIT,
    clean_message,
    clean_name,
    fields_of,
    mark_of,
    message_of,
    redact,
    struck_out,
    traceback_of,
)

#: What a format string can name. It is ``-`` where there is none.
FIELDS = ("request_id", "handler", "kind", "call_id")

#: What of a record is looked at as a whole; and its level, which holds nothing from outside.
HANDLED = frozenset(("msg", "args", "exc_info", "exc_text", "stack_info", "levelname"))


class RedactionFilter(logging.Filter):
    """Strikes secrets out of what passes a handler that somebody else has set up, or one of our own loggers.

    On the loggers too, so that what sinchfn logs is clean whichever handlers there are, and whenever they were added.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        strike_out_of(record, redact)
        return True


class NotOursFilter(logging.Filter):
    """Keeps our own lines from a handler that would print them a second time."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name.partition(".")[0] != "sinchfn"


class RequestFilter(RedactionFilter):
    """Puts ``request_id``, ``handler``, ``kind`` and ``call_id`` on every record, for a format string of your own, and
    strikes out secrets: those of the function whose request it is, outside of one those of all functions::

        handler.addFilter(sinchfn.RequestFilter())
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s [%(request_id)s]"))

    Outside of a request they are ``-``. What a record has already, from another extension, say, is left as it is. It
    belongs on handlers: a filter on a logger does not see the records of the loggers below.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        fields = fields_of(record)
        for name in FIELDS:
            if not hasattr(record, name):
                setattr(record, name, fields.get(name, "-"))
        return super().filter(record)


def strike_out_of(record: logging.LogRecord, redact: Callable[[str], str]) -> None:
    """Strike secrets out of everything that a formatter may take from a record. What has none is left as it is."""
    if mark_of(record, "as_json") is None:  # the line of a request is made of clean values
        message = message_of(record)
        clean = clean_message(record, redact)
        if clean != message or message.endswith(UNFIT):
            record.msg, record.args = clean, None
    if record.exc_info or record.exc_text or record.stack_info:
        _strike_out_of_trace(record, redact)
    for name, value in list(vars(record).items()):
        clean_value = _clean_attribute(record, name, value, redact)
        if clean_value is not value and clean_value != value:
            setattr(record, name, clean_value)


def _clean_attribute(record: logging.LogRecord, name: str, value: Any, redact: Callable[[str], str]) -> Any:
    if name in HANDLED or (name in MARKS and mark_of(record, name) is not None):
        return value
    if name not in STANDARD:
        return struck_out(value, redact)
    return clean_name(value, redact) if isinstance(value, str) else value


#: What sinchfn itself puts on a record, without secrets.
MARKS = frozenset(("as_json", "as_text", "sinchfn"))


def _strike_out_of_trace(record: logging.LogRecord, redact: Callable[[str], str]) -> None:
    trace = traceback_of(record)
    clean = redact(trace)
    if clean != trace:
        # As a text alone: a formatter that takes the exception apart by itself would find the secret in it.
        record.exc_text, record.exc_info, record.stack_info = clean, None, None
