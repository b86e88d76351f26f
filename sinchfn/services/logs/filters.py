"""Filters for the handlers of somebody else: what sinchfn's own formatters do, for any formatter."""

from __future__ import annotations

import logging

from ...redaction import Redaction
from .records import UNFIT, current_request, fields_of, message_of, struck_out, traceback_of

#: What a format string can name. It is ``-`` where there is none.
FIELDS = ("request_id", "handler", "kind", "call_id")

#: What of a record is looked at as a whole; and its level, which holds nothing from outside.
HANDLED = frozenset(("msg", "args", "exc_info", "exc_text", "stack_info", "levelname"))


class RedactionFilter(logging.Filter):
    """Strikes the secrets of all functions out of what passes a handler that somebody else has set up."""

    def __init__(self) -> None:
        super().__init__()
        self.redact = Redaction()

    def filter(self, record: logging.LogRecord) -> bool:
        strike_out_of(record, self.redact)
        return True


class RequestRedactionFilter(logging.Filter):
    """Strikes the secrets of the function at hand out of what one of our own loggers logs.

    On the logger, so that it does not matter which handlers there are, nor when they were added.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = current_request.get()
        if request is not None:
            strike_out_of(record, request.function.redact)
        return True


class RequestFilter(RequestRedactionFilter):
    """Puts ``request_id``, ``handler``, ``kind`` and ``call_id`` on every record, for a format string of your own, and
    strikes out the secrets of the function whose request it is::

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


def strike_out_of(record: logging.LogRecord, redact: Redaction) -> None:
    """Strike secrets out of everything that a formatter may take from a record. What has none is left as it is."""
    message = message_of(record)
    clean = redact(message)
    if clean != message or message.endswith(UNFIT):
        record.msg, record.args = clean, None
    if record.exc_info or record.exc_text or record.stack_info:
        _strike_out_of_trace(record, redact)
    for name, value in list(vars(record).items()):
        if name not in HANDLED and not isinstance(value, int | float | None):
            clean = struck_out(value, redact)
            if clean is not value and clean != value:
                setattr(record, name, clean)


def _strike_out_of_trace(record: logging.LogRecord, redact: Redaction) -> None:
    trace = traceback_of(record)
    clean = redact(trace)
    if clean != trace:
        # As a text alone: a formatter that takes the exception apart by itself would find the secret in it.
        record.exc_text, record.exc_info, record.stack_info = clean, None, None
