"""gunicorn's logger in sinchfn's format: all lines have one format, no secrets, and are logged once.

The format is that of ``SINCHFN_LOG_FORMAT``, from the environment or the function's ``.env``, from the first line on.
The level is gunicorn's own setting, ``loglevel``. Lines to syslog, and logs that ``logconfig`` sets up, keep their
format.

A line that is the same in all workers is logged by one of them: the functions that were found, warnings, the reason why
the app cannot be loaded. The others, and a worker that replaces another, log it at DEBUG. After a reload it is logged
again.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import time
import traceback
import weakref
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any

from gunicorn import glogging  # type: ignore[import-untyped]  # it has no types, nor stubs in our environment
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.errors import AppImportError  # type: ignore[import-untyped]

from ..app.startup import settings_ahead
from ..errors import StartupError
from ..logs.handlers import PlatformHandler, make_formatter
from ..logs.records import OWNERS, from_users_code, redact
from ..logs.redaction import without_token
from .boots import BOOTS

#: The line that gunicorn logs when a worker cannot load the app -> the exit status of that worker. gunicorn would also
#: print the error a second time, bypassing its log.
LOAD_FAILURES = {
    "Exception in worker process": Arbiter.WORKER_BOOT_ERROR,
    "Exception while loading the application": Arbiter.APP_LOAD_ERROR,
}

#: Seconds before a second worker that cannot load the app ends: gunicorn sees the first, and starts no other.
PAUSE = 0.5

#: The folders of gunicorn and of the import system, whose frames come before the user's own in a traceback.
FOREIGN = (str(Path(glogging.__file__).parent), str(Path(importlib.__file__).parent))


class Logger(glogging.Logger):  # type: ignore[misc]  # for the same reason
    """gunicorn's logger in sinchfn's format, for the setting ``logger_class = "sinchfn.gunicorn.Logger"``."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        environ = {**os.environ, **cfg.env}  # gunicorn sets its raw_env only later
        config = settings_ahead(environ.get("SINCHFN_FUNCTION"), environ=environ)
        self._secrets = config.redact  # kept alive: its secrets are struck out before a function is loaded
        OWNERS.add(self._secrets)
        for log in (self.error_log, self.access_log):
            for handler in list(log.handlers):
                if getattr(handler, "_gunicorn", False) and not isinstance(handler, SysLogHandler):
                    stream = getattr(handler, "stream", None)
                    ours = handler
                    if stream in (sys.stdout, sys.stderr):  # a PlatformHandler does not block while nothing reads it
                        ours = PlatformHandler(stream)
                        ours._gunicorn = True  # type: ignore[attr-defined]  # gunicorn finds it at a reload by this
                        log.removeHandler(handler)
                        log.addHandler(ours)
                    ours.setFormatter(make_formatter(config["SINCHFN_LOG_FORMAT"], redact, stream))
        _put_on(self.error_log, _ProcessFilter())
        _put_on(self.access_log, _AccessFilter())
        _put_on(logging.getLogger("sinchfn"), _OneWorkerFilter())
        self._failing = _Turn()
        if cfg.preload_app:  # the master loads the app, and gunicorn would let Python print the error
            sys.excepthook = self._say_why_not_preloaded

    def exception(self, msg: object, *args: Any, **kwargs: Any) -> None:
        self._end_if_not_loaded(msg)
        super().exception(msg, *args, **kwargs)

    def debug(self, msg: object, *args: Any, **kwargs: Any) -> None:
        self._end_if_not_loaded(msg)
        super().debug(msg, *args, **kwargs)

    def _end_if_not_loaded(self, msg: object) -> None:
        status = LOAD_FAILURES.get(msg) if isinstance(msg, str) else None
        error = sys.exc_info()[1]
        if status is not None and error is not None and _is_loading(error):
            if BOOTS.has_succeeded:
                BOOTS.explain(redact(" ".join(str(error).split())))
                self._say_why(error)
                raise SystemExit(1)  # another worker will try again
            if self._failing.is_ours():
                self._say_why(error)
                raise SystemExit(status)  # gunicorn ends at this status
            self.error_log.debug("The app cannot be loaded here either.")
            time.sleep(PAUSE)
            raise SystemExit(1)  # a second such status would end the master with a traceback

    def _say_why_not_preloaded(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if isinstance(error, Exception) and _is_loading(error):
            self._say_why(error)
        else:
            sys.__excepthook__(kind, error, trace)

    def _say_why(self, error: BaseException) -> None:
        if isinstance(error, AppImportError):
            self.error_log.error("The app cannot be loaded: %s", error)
        elif isinstance(error, StartupError):  # its message says everything except what the function raised
            self.error_log.error("%s", error, exc_info=error.__cause__, extra={"is_block": True})
        else:
            trace = from_users_code(error.__traceback__, FOREIGN)
            self.error_log.error(
                "The app cannot be loaded: %s", type(error).__name__, exc_info=(type(error), error, trace)
            )


def _is_loading(error: BaseException) -> bool:
    """Return True if an error was raised while the app was loaded or started."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    hooks = {frame.f_code.co_name for frame in frames if frame.f_globals.get("__name__") == __package__}
    return not hooks.isdisjoint(("_load", "post_worker_init")) or passes_through("wsgi", error)


def passes_through(function: str, error: BaseException) -> bool:
    """Return True if an error was raised below this function of gunicorn's."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.name == function and frame.filename.startswith(FOREIGN[0]) for frame in frames)


class _Turn:
    """A turn for one process: the first to ask among those that were forked after the turn was made."""

    def __init__(self) -> None:
        # A pipe with one byte in it: the system gives the byte to one reader, and the others find the end.
        self._file, source = os.pipe()
        os.write(source, b"1")
        os.close(source)
        weakref.finalize(self, os.close, self._file)
        self._asked_in: int | None = None
        self._is_ours = False

    def is_ours(self) -> bool:
        if self._asked_in != os.getpid():
            self._asked_in = os.getpid()
            self._is_ours = os.read(self._file, 1) != b""
        return self._is_ours


def _put_on(log: logging.Logger, wanted: logging.Filter) -> None:
    for known in [known for known in log.filters if type(known) is type(wanted)]:
        log.removeFilter(known)
    log.addFilter(wanted)


class _OneWorkerFilter(logging.Filter):
    """Lowers lines of the start-up to DEBUG in all workers but one."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = _Turn()

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "is_start") or self._turn.is_ours():
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


class _ProcessFilter(logging.Filter):
    """Adds the process id to a line. Strikes out the token in the URL of a request that gunicorn refuses."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.sinchfn = {"process": record.process}
        if (clean := without_token(message := record.getMessage())) != message:
            record.msg, record.args = clean, ()
        return True


class _AccessFilter(logging.Filter):
    """Adds the request id to an access line, from the header of the answer. Strikes out the token of a stream's URL."""

    def filter(self, record: logging.LogRecord) -> bool:
        atoms = record.args
        request_id = "-"
        if isinstance(atoms, dict):
            atoms.update({name: without_token(atom) for name, atom in atoms.items() if isinstance(atom, str)})
            request_id = atoms["{x-request-id}o"]
        record.sinchfn = {} if request_id == "-" else {"request_id": redact(str(request_id))}
        return True
