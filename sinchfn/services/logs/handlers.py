"""Where lines go: the handler of a function's own app, the handlers of a host, and ``context.log``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from ...redaction import Redaction
from .filters import RedactionFilter, RequestRedactionFilter
from .formatters import JsonFormatter, PlatformFormatter, TextFormatter
from .records import RequestFields, bound_to, current_request, free_names, logger_of, request_fields

_log = logging.getLogger("sinchfn")


class RequestLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger bound to one request: its lines carry the request's fields from any thread. ``context.log``.

    ``extra={"order": 5}`` adds a field of your own to the line. A name that is taken, by the line (``time``, ``kind``)
    or by :class:`logging.LogRecord` (``name``, ``args``), gets a ``_`` behind it: ``extra={"name": "Ada"}`` is the
    field ``name_``. What is no mapping becomes the field ``extra``. No log line ends a call because of its fields.
    """

    def __init__(self, logger: logging.Logger, request: RequestFields) -> None:
        super().__init__(logger)
        self._request = request

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        given = kwargs.get("extra")
        extra = free_names(given if isinstance(given, Mapping) else {"extra": given}) if given else {}
        kwargs["extra"] = {**extra, "sinchfn": request_fields(self._request)}
        return msg, kwargs

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # the caller is not this method
        if current_request.get() is self._request:
            super().log(level, msg, *args, **kwargs)
        elif self.isEnabledFor(level):
            with bound_to(self._request):  # for the filters that ask for it
                super().log(level, msg, *args, **kwargs)


class PlatformHandler(logging.StreamHandler[Any]):
    """Writes to standard error. The one handler that sinchfn itself installs."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        #: of all functions in this process
        self.redact = Redaction()

    def flush(self) -> None:
        if not getattr(self.stream, "line_buffering", False):  # then the write of the line was its flush
            super().flush()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Say that a line was lost. (logging itself would print it as it came, with all that is in it.)"""
        error = type(sys.exc_info()[1]).__name__
        said = ("A line of the logger %s was lost: %s.", (logger_of(record), error))
        with suppress(Exception):  # no room, or nobody there to read it: then this is lost as well
            lost = logging.LogRecord(_log.name, logging.ERROR, __file__, 0, *said, None)
            self.stream.write(self.format(lost) + self.terminator)


def set_up_logging(form: str, level: int, secrets: Iterable[str]) -> None:
    """Send all log lines of the process to standard error, in the form ``text`` or ``json``.

    A root logger that has handlers already was set up by somebody else: its form and level are left alone.
    """
    secrets = list(secrets)
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler, PlatformHandler)]
    if root.handlers and not ours:
        strike_out(secrets)
        return
    handler = ours[0] if ours else PlatformHandler()
    handler.redact.add(secrets)
    handler.setFormatter(make_formatter(form, handler.redact, handler.stream))
    root.setLevel(level)
    if not ours:
        root.addHandler(handler)
        _catch_all()
    for other in _handlers():
        if isinstance(other.formatter, PlatformFormatter):  # gunicorn's
            other.setFormatter(make_formatter(form, handler.redact, getattr(other, "stream", None)))
    _redact_handlers(secrets)


def make_formatter(form: str, redact: Redaction, stream: object) -> PlatformFormatter:
    """The formatter for ``text`` or ``json``; colours where `stream` is a terminal and ``NO_COLOR`` is not set."""
    return JsonFormatter(redact) if form == "json" else TextFormatter(redact, colours=_shows_colours(stream))


def _shows_colours(stream: Any) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and hasattr(stream, "isatty") and bool(stream.isatty())


def strike_out(secrets: list[str]) -> None:
    """Strike these out of what passes the handlers that there are, whoever has set them up.

    What sinchfn itself logs during a request (``context.log``, a handler's exception, the request's line) is clean
    before it comes to any handler, also one that is added later. For all else on a later handler there is
    :class:`RequestFilter`.
    """
    _redact_handlers(secrets)
    for logger in _loggers():
        is_ours = logger.name == "sinchfn" or logger.name.startswith("sinchfn.")
        if is_ours and not any(isinstance(found, RequestRedactionFilter) for found in logger.filters):
            logger.addFilter(RequestRedactionFilter())


def _redact_handlers(secrets: list[str]) -> None:
    for handler in _handlers():
        _redaction_of(handler).add(secrets)


def _loggers() -> list[logging.Logger]:
    known = list(logging.Logger.manager.loggerDict.values())
    return [logging.getLogger(), *(logger for logger in known if isinstance(logger, logging.Logger))]


def _handlers() -> Iterator[logging.Handler]:
    """Each handler of each logger that there is, once."""
    return iter(dict.fromkeys(handler for logger in _loggers() for handler in logger.handlers))


def _redaction_of(handler: logging.Handler) -> Redaction:
    if isinstance(handler.formatter, PlatformFormatter):
        return handler.formatter.redact
    known = [found for found in handler.filters if isinstance(found, RedactionFilter)]
    if known:
        return known[0].redact
    added = RedactionFilter()
    handler.addFilter(added)
    return added.redact


def _catch_all() -> None:
    """What Python would print by itself goes through the log: warnings, and exceptions that nobody catches."""
    logging.captureWarnings(True)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _log_thread_failure
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _log_unraisable


def _log_thread_failure(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is not SystemExit and failed.exc_value is not None:
        name = failed.thread.name if failed.thread is not None else "that is gone"
        _log.error("The thread %s failed.", name, exc_info=failed.exc_value)


def _log_unraisable(failed: Any) -> None:
    error: BaseException | None = failed.exc_value
    if error is not None:
        where = failed.err_msg or "Exception ignored in"
        _log.error("%s %r", where, failed.object, exc_info=error)
