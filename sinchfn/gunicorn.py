"""gunicorn's own log in the form of the function's: ``logger_class = "sinchfn.gunicorn.Logger"``.

The form is that of ``SINCHFN_LOG_FORMAT``, as the environment or the function's ``.env`` has it, from the first line
on; the least level is gunicorn's own setting, ``loglevel``. What goes to syslog, or is set up by ``logconfig``, keeps
its form.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any

from gunicorn import glogging  # type: ignore[import-untyped]  # it has no types, nor stubs in our environment
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.errors import AppImportError  # type: ignore[import-untyped]

from .errors import StartupError
from .services.logs import Redaction, make_formatter
from .services.records import from_users_code
from .startup import settings_ahead

#: What gunicorn logs when the app cannot be loaded, and the exit status of the worker. It would then print the error
#: a second time, past its log.
LOAD_FAILURES = {
    "Exception in worker process": Arbiter.WORKER_BOOT_ERROR,
    "Exception while loading the application": Arbiter.APP_LOAD_ERROR,
}


#: Where the frames of a traceback are that stand before the user's own.
FOREIGN = (str(Path(glogging.__file__).parent), str(Path(importlib.__file__).parent))


class Logger(glogging.Logger):  # type: ignore[misc]  # for the same reason
    """gunicorn's logger, with sinchfn's lines: one form for all, without secrets, each line once."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        environ = {**os.environ, **cfg.env}  # gunicorn sets its raw_env only later
        config = settings_ahead(environ.get("SINCHFN_FUNCTION"), environ=environ)
        redact = Redaction(config.secrets())
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                if getattr(handler, "_gunicorn", False) and not isinstance(handler, SysLogHandler):
                    stream = getattr(handler, "stream", None)
                    handler.setFormatter(make_formatter(config["SINCHFN_LOG_FORMAT"], redact, stream))
        _put_on(self.error_log, _ProcessFilter())
        _put_on(self.access_log, _AccessFilter())

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
            self._say_why(error)
            raise SystemExit(status)

    def _say_why(self, error: BaseException) -> None:
        if isinstance(error, AppImportError):
            self.error_log.error("The app cannot be loaded: %s", error)
        elif isinstance(error, StartupError):  # its message says all that is to be said, but what the function raised
            self.error_log.error("%s", error, exc_info=error.__cause__, extra={"is_block": True})
        else:
            trace = from_users_code(error.__traceback__, FOREIGN)
            self.error_log.error(
                "The app cannot be loaded: %s", type(error).__name__, exc_info=(type(error), error, trace)
            )


def _is_loading(error: BaseException) -> bool:
    return any(frame.name == "load_wsgi" for frame in traceback.extract_tb(error.__traceback__))


def _put_on(log: logging.Logger, wanted: logging.Filter) -> None:
    for known in [known for known in log.filters if type(known) is type(wanted)]:
        log.removeFilter(known)
    log.addFilter(wanted)


class _ProcessFilter(logging.Filter):
    """Which process it is, master or worker."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.sinchfn = {"process": record.process}
        return True


class _AccessFilter(logging.Filter):
    """Which request it was, by the header of the answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        atoms = record.args
        request_id = atoms["{x-request-id}o"] if isinstance(atoms, dict) else "-"
        record.sinchfn = {} if request_id == "-" else {"request_id": request_id}
        return True
