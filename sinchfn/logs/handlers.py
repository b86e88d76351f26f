"""The set-up of logging: sinchfn's own handler, the handlers of others, and ``context.log``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from .formatters import JsonFormatter, PlatformFormatter, TextFormatter
from .output import OUTPUTS
from .records import (
    STANDARD,
    UNFIT,
    RequestFields,
    bound_to,
    clean_message,
    clean_name,
    current_request,
    fields_of,
    free_names,
    logger_of,
    mark_of,
    message_of,
    redact,
    request_fields,
    struck_out,
    traceback_of,
)

#: The fields that a format string can name; ``-`` where there is no value.
FIELDS = ("request_id", "handler", "kind", "call_id")

#: Attributes of a record that are cleaned together, and its level, which never comes from outside.
HANDLED = frozenset(("msg", "args", "exc_info", "exc_text", "stack_info", "levelname"))

#: Attributes that sinchfn itself puts on a record, without secrets.
MARKS = frozenset(("as_json", "as_text", "sinchfn"))

#: The note for the start where some lines have another form than the settings say.
OTHERS_FIRST = (
    "Logging was set up before sinchfn: SINCHFN_LOG_FORMAT and SINCHFN_LOG_LEVEL hold for sinchfn's lines and those of "
    "context.log. Lines of other loggers keep the handlers and the level that the root logger has."
)

_log = logging.getLogger("sinchfn")


class RequestFilter(logging.Filter):
    """Puts ``request_id``, ``handler``, ``kind`` and ``call_id`` on every record and strikes out secrets: in a request
    those of its function, elsewhere those of all functions. For a format string of your own::

        handler.addFilter(sinchfn.RequestFilter())
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s [%(request_id)s]"))

    Outside a request the fields are ``-``. A field that the record already has, such as one of another extension, is
    kept. Add the filter to handlers: a filter on a logger does not see the records of the loggers below it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        fields = fields_of(record)
        for name in FIELDS:
            if not hasattr(record, name):
                setattr(record, name, fields.get(name, "-"))
        return redaction_filter(record)


def redaction_filter(record: logging.LogRecord) -> bool:
    """Strike secrets out of all that a formatter may take from a record. Nothing else in it is changed.

    The filter of handlers that others have set up, and of our own loggers: so the lines of sinchfn are clean with any
    handler, also with one that is added later.
    """
    if mark_of(record, "as_json") is None:  # the line of a request is made of clean values
        message = message_of(record)
        clean = clean_message(record, redact)
        if clean != message or message.endswith(UNFIT):
            record.msg, record.args = clean, None
    if record.exc_info or record.exc_text or record.stack_info:
        trace = traceback_of(record)
        clean = redact(trace)
        if clean != trace:
            # Only as text: a formatter that renders the exception by itself would find the secret in it.
            record.exc_text, record.exc_info, record.stack_info = clean, None, None
    for name, value in list(vars(record).items()):
        if name in HANDLED or (name in MARKS and mark_of(record, name) is not None):
            continue
        if name not in STANDARD:
            clean_value = struck_out(value, redact)
        else:
            clean_value = clean_name(value, redact) if isinstance(value, str) else value
        if clean_value is not value and clean_value != value:
            setattr(record, name, clean_value)
    return True


def printed_once(record: logging.LogRecord) -> bool:
    """Keep a line of ours from a handler of others that prints, if our own handler prints it too."""
    logger: logging.Logger | None = logging.getLogger(record.name) if _is_ours(record.name) else None
    while logger is not None:
        if any(isinstance(handler, PlatformHandler) for handler in logger.handlers):
            return False
        logger = logger.parent if logger.propagate else None
    return True


class RequestLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger bound to one request: its lines carry the request's fields from any thread. ``context.log``.

    ``extra={"order": 5}`` adds a field of your own to the line. A name that the line (``time``, ``kind``) or
    :class:`logging.LogRecord` (``name``, ``args``) uses itself gets a ``_`` appended: ``extra={"name": "Ada"}`` becomes
    the field ``name_``. An ``extra`` that is not a mapping becomes the field ``extra``. Fields never fail a call.
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
    """Writes to standard error. The only handler that sinchfn installs.

    If standard error is not read, lines are dropped and counted instead of blocking calls.
    """

    def __init__(self, stream: Any = None) -> None:
        super().__init__(sys.stderr if stream is None else stream)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            output = OUTPUTS.of(self.stream)
            if output is not None:
                output.write(self._line(record), self._notice)
                return
        except Exception:
            self.handleError(record)
        else:
            super().emit(record)

    def _line(self, record: logging.LogRecord) -> bytes:
        return (self.format(record) + self.terminator).encode(self.stream.encoding, "backslashreplace")

    def _notice(self, lost: int) -> bytes:
        said = ("%d log lines were lost: standard error was not read.", (lost,))
        return self._line(logging.LogRecord(_log.name, logging.WARNING, __file__, 0, *said, None))

    def flush(self) -> None:
        # The buffer of a pipe may hold other output, such as prints, and writing that could block.
        if not getattr(self.stream, "line_buffering", False) and OUTPUTS.of(self.stream) is None:
            super().flush()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Log that a line was lost. (logging itself would print the line with its arguments, and their secrets.)"""
        error = type(sys.exc_info()[1]).__name__
        said = ("A line of the logger %s was lost: %s.", (logger_of(record), error))
        with suppress(Exception):  # no room, or no reader: then this line is lost too
            lost = logging.LogRecord(_log.name, logging.ERROR, __file__, 0, *said, None)
            if (output := OUTPUTS.of(self.stream)) is not None:
                output.write(self._line(lost))
            else:
                self.stream.write(self.format(lost) + self.terminator)


def set_up_logging(form: str, level: int) -> str | None:
    """Send the log lines of the process to standard error, in the form ``text`` or ``json``.

    If the root logger already has a handler that prints, that handler keeps its form and level, and the lines of
    sinchfn get a handler of their own to the same stream. Handlers of others that print, on the root logger or on ours,
    no longer get the lines that ours prints. Handlers that print nothing, such as those of OpenTelemetry or pytest, get
    every line.

    :return: why the settings do not hold for all lines; None if they do.
    """
    root = logging.getLogger()
    printing = [stream for handler in root.handlers if (stream := _stream_of(handler)) is not None]
    ours = [found for found in (*_log.handlers, *root.handlers) if isinstance(found, PlatformHandler)]
    for handler in ours:
        _log.removeHandler(handler)
        root.removeHandler(handler)
    handler = ours[0] if ours else PlatformHandler()
    (_log if printing else root).addHandler(handler)
    # Standard error may be another object by now, as in tests.
    handler.stream = printing[0] if printing else sys.stderr
    handler.setFormatter(make_formatter(form, redact, handler.stream))
    _log.setLevel(level)
    if not printing:
        root.setLevel(level)
        # What Python would print by itself: warnings, and uncaught exceptions of threads and finalizers.
        logging.captureWarnings(True)
        if threading.excepthook is threading.__excepthook__:
            threading.excepthook = _log_thread_failure
        if sys.unraisablehook is sys.__unraisablehook__:
            sys.unraisablehook = _log_unraisable
    for logger in _loggers():
        for other in logger.handlers:
            if (logger is root or _is_ours(logger.name)) and _stream_of(other) is not None:
                other.addFilter(printed_once)
            if isinstance(other.formatter, PlatformFormatter):  # gunicorn's
                other.setFormatter(make_formatter(form, redact, getattr(other, "stream", None)))
    _clean_handlers()
    PlatformLogger.adopt_ours()
    return OTHERS_FIRST if printing else None


def _stream_of(handler: logging.Handler) -> Any:
    """Return the standard output or standard error that a handler of others prints to, or None if it does not print."""
    if isinstance(handler, PlatformHandler):
        return None
    if isinstance(target := getattr(handler, "target", None), logging.Handler):  # of a MemoryHandler
        return _stream_of(target)
    console = getattr(handler, "console", None)  # of the handler of Rich
    stream = getattr(handler, "stream", None) or getattr(console, "file", None)
    return stream if stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__) else None


def make_formatter(form: str, redact: Callable[[str], str], stream: Any) -> PlatformFormatter:
    """Make the formatter for ``text`` or ``json``: in colours on a terminal, unless ``NO_COLOR`` is set."""
    if form == "json":
        return JsonFormatter(redact)
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return TextFormatter(redact, colours=not is_plain and hasattr(stream, "isatty") and bool(stream.isatty()))


def strike_out() -> None:
    """Strike secrets out of what passes the existing handlers, of sinchfn or others.

    The lines of sinchfn itself (``context.log``, a handler's exception, the request's line) are clean before they reach
    any handler, also one that is added later. For other lines on a later handler there is :class:`RequestFilter`.
    """
    _clean_handlers()
    for logger in PlatformLogger.adopt_ours():
        logger.addFilter(redaction_filter)


def _clean_handlers() -> None:
    for logger in _loggers():
        for handler in logger.handlers:
            is_clean = any(isinstance(found, RequestFilter) for found in handler.filters)
            if not is_clean and not isinstance(handler.formatter, PlatformFormatter):
                handler.addFilter(redaction_filter)


class PlatformLogger(logging.Logger):
    """A logger that stays on when ``logging.config`` turns off all loggers that it does not name, as is its default."""

    @classmethod
    def adopt_ours(cls) -> list[logging.Logger]:
        """Make all loggers of sinchfn such loggers; return them."""
        ours = [logger for logger in _loggers() if _is_ours(logger.name)]
        for logger in ours:
            logger.__class__ = cls
        return ours

    @property
    def disabled(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        pass


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == "sinchfn"


def _loggers() -> list[logging.Logger]:
    known = list(logging.Logger.manager.loggerDict.values())
    return [logging.getLogger(), *(logger for logger in known if isinstance(logger, logging.Logger))]


def _log_thread_failure(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is not SystemExit and failed.exc_value is not None:
        name = failed.thread.name if failed.thread is not None else "that is gone"
        _log.error("The thread %s failed.", name, exc_info=failed.exc_value)


def _log_unraisable(failed: Any) -> None:
    error: BaseException | None = failed.exc_value
    if error is not None:
        where = failed.err_msg or "Exception ignored in"
        _log.error("%s %r", where, failed.object, exc_info=error)
