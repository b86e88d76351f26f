"""Where lines go: the handler of a function's own app, the handlers of a host, and ``context.log``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from .filters import NotOursFilter, RedactionFilter
from .formatters import JsonFormatter, PlatformFormatter, TextFormatter
from .output import OUTPUTS
from .records import RequestFields, bound_to, current_request, free_names, logger_of, redact, request_fields

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
    """Writes to standard error. The one handler that sinchfn itself installs.

    Lines that nobody reads are lost and counted, so that they do not hold up calls.
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
        # What else is in the buffer of a pipe, such as prints, could block: it is not ours.
        if not getattr(self.stream, "line_buffering", False) and OUTPUTS.of(self.stream) is None:
            super().flush()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Say that a line was lost. (logging itself would print it as it came, with all that is in it.)"""
        error = type(sys.exc_info()[1]).__name__
        said = ("A line of the logger %s was lost: %s.", (logger_of(record), error))
        with suppress(Exception):  # no room, or nobody there to read it: then this is lost as well
            lost = logging.LogRecord(_log.name, logging.ERROR, __file__, 0, *said, None)
            if (output := OUTPUTS.of(self.stream)) is not None:
                output.write(self._line(lost))
            else:
                self.stream.write(self.format(lost) + self.terminator)


#: Why some lines have another form than the settings say.
OTHERS_FIRST = (
    "Logging was set up before sinchfn: SINCHFN_LOG_FORMAT and SINCHFN_LOG_LEVEL hold for sinchfn's lines and those of "
    "context.log. Lines of other loggers keep the handlers and the level that the root logger has."
)


def set_up_logging(form: str, level: int) -> str | None:
    """Send the log lines of the process to standard error, in the form ``text`` or ``json``.

    Where the root logger has a handler that prints, it was set up by somebody else and is left alone; sinchfn's lines
    get a handler of their own, to the same stream, and are kept from that one. Handlers that print nothing, such as
    those of OpenTelemetry or of pytest, get every line as well.

    :return: why the settings do not hold for all lines; None if they do.
    """
    root = logging.getLogger()
    printing = [handler for handler in root.handlers if _printed(handler) is not None]
    handler = _own_handler(_log if printing else root)
    # Standard error may be another by now, as in tests.
    handler.stream = _printed(printing[0]) if printing else sys.stderr
    handler.setFormatter(make_formatter(form, redact, handler.stream))
    _log.setLevel(level)
    if not printing:
        root.setLevel(level)
        _catch_all()
    for other in printing:
        if not any(isinstance(found, NotOursFilter) for found in other.filters):
            other.addFilter(NotOursFilter())
    for other in _handlers():
        if isinstance(other.formatter, PlatformFormatter):  # gunicorn's
            other.setFormatter(make_formatter(form, redact, getattr(other, "stream", None)))
    _clean_handlers()
    _stay_on()
    return OTHERS_FIRST if printing else None


def _own_handler(logger: logging.Logger) -> PlatformHandler:
    """The handler of sinchfn, on this logger and on no other."""
    found: list[PlatformHandler] = []
    for place in (_log, logging.getLogger()):
        for handler in [handler for handler in place.handlers if isinstance(handler, PlatformHandler)]:
            place.removeHandler(handler)
            found.append(handler)
    handler = found[0] if found else PlatformHandler()
    logger.addHandler(handler)
    return handler


def _printed(handler: logging.Handler) -> Any:
    """Where a handler of somebody else's prints: standard output or standard error; None if it does not."""
    console = getattr(handler, "console", None)  # as the handler of Rich has it
    stream = getattr(handler, "stream", None) or getattr(console, "file", None)
    printed = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return None if isinstance(handler, PlatformHandler) or stream not in printed else stream


def make_formatter(form: str, redact: Callable[[str], str], stream: object) -> PlatformFormatter:
    """The formatter for ``text`` or ``json``; colours where `stream` is a terminal and ``NO_COLOR`` is not set."""
    return JsonFormatter(redact) if form == "json" else TextFormatter(redact, colours=_shows_colours(stream))


def _shows_colours(stream: Any) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and hasattr(stream, "isatty") and bool(stream.isatty())


def strike_out() -> None:
    """Strike secrets out of what passes the handlers that there are, whoever has set them up.

    What sinchfn itself logs (``context.log``, a handler's exception, the request's line) is clean before it comes to
    any handler, also one that is added later. For all else on a later handler there is :class:`RequestFilter`.
    """
    _clean_handlers()
    for logger in _stay_on():
        _filter_once(logger)


def _clean_handlers() -> None:
    for handler in _handlers():
        if not isinstance(handler.formatter, PlatformFormatter):
            _filter_once(handler)


def _stay_on() -> list[logging.Logger]:
    """Our loggers, which nobody turns off from now on."""
    ours = [logger for logger in _loggers() if logger.name.partition(".")[0] == "sinchfn"]
    for logger in ours:
        logger.__class__ = PlatformLogger
    return ours


def _filter_once(place: logging.Filterer) -> None:
    if not any(isinstance(found, RedactionFilter) for found in place.filters):
        place.addFilter(RedactionFilter())


class PlatformLogger(logging.Logger):
    """A logger that stays on when ``logging.config`` turns off all that it does not name, as it does by default."""

    @property
    def disabled(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        pass


def _loggers() -> list[logging.Logger]:
    known = list(logging.Logger.manager.loggerDict.values())
    return [logging.getLogger(), *(logger for logger in known if isinstance(logger, logging.Logger))]


def _handlers() -> Iterator[logging.Handler]:
    """Each handler of each logger that there is, once."""
    return iter(dict.fromkeys(handler for logger in _loggers() for handler in logger.handlers))


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
