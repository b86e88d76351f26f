"""gunicorn's settings for functions, with the hooks and the logger that they name.

::

    gunicorn -c python:sinchfn.gunicorn 'sinchfn:create_app()'

To change some of them, write a ``gunicorn.conf.py`` that takes the others from here (``python -m sinchfn.gunicorn``
prints one)::

    from sinchfn.gunicorn import *

    workers = 4

With the hooks the start-up functions run before a worker accepts. The first start that fails ends gunicorn with its
message; after a good one, a worker that fails is tried again, and the others serve on (see :mod:`sinchfn.boot`). When a
worker is told to stop, its sockets are closed at once. Without the hooks a function starts with its first request.

With the logger gunicorn's own log has the form of the function's.

The form is that of ``SINCHFN_LOG_FORMAT``, as the environment or the function's ``.env`` has it, from the first line
on; the least level is gunicorn's own setting, ``loglevel``. What goes to syslog, or is set up by ``logconfig``, keeps
its form.

What all workers would say alike is said by one: which functions were found, what is to be warned of, why the app cannot
be loaded. The others, and a worker that takes the place of another, say it at DEBUG. After a reload it is said anew.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from functools import partial
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any

from gunicorn import glogging  # type: ignore[import-untyped]  # it has no types, nor stubs in our environment
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.errors import AppImportError, HaltServer  # type: ignore[import-untyped]

from .boot import Boots, StandIn
from .errors import StartupError
from .lifecycle import close_all_sockets, start_all, stop_all
from .redaction import without_token
from .services.logs import PlatformHandler, make_formatter, redact
from .services.logs.records import OWNERS, from_users_code
from .startup import settings_ahead

#: The settings, and the hooks, which are settings too.
__all__ = (
    "accesslog",
    "bind",
    "child_exit",
    "control_socket_disable",
    "errorlog",
    "forwarder_headers",
    "graceful_timeout",
    "keepalive",
    "logger_class",
    "post_fork",
    "post_worker_init",
    "threads",
    "timeout",
    "worker_abort",
    "worker_class",
    "worker_exit",
    "worker_tmp_dir",
    "workers",
)

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"

# Callbacks must be answered at once, beside sockets that live for minutes: threads, because a handler mostly waits for
# others; and keep-alive, which the sync worker does not have.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = int(os.environ.get("THREADS", "16"))

# Longer than a proxy or load balancer keeps its side open, so that it never sends into a connection just closed.
keepalive = 75

# A worker that does not answer its heartbeat is replaced. It does not bound a request: gthread never ends one.
timeout = 30
# At a restart running calls get this long to end.
graceful_timeout = 15

# Since gunicorn 25.1 it would open a control socket in the home folder, which fails on a read-only file system, and two
# instances fight over it.
control_socket_disable = True

# A header named SCRIPT_NAME or PATH_INFO, from a proxy or anybody on this machine, must not move the function.
forwarder_headers = ""

_memory = Path("/dev/shm")  # noqa: S108 - gunicorn makes a file of its own in it, with a name nobody can guess
# The heartbeat file must not be on a disk, where a slow write would look like a worker that hangs.
worker_tmp_dir = str(_memory) if _memory.is_dir() else None

# gunicorn's own lines in the form of the function's, which writes one for every request: an access log would be a
# second one.
logger_class = "sinchfn.gunicorn.Logger"
errorlog = "-"
accesslog = None

#: A ``gunicorn.conf.py`` to change settings in; ``python -m sinchfn.gunicorn`` prints it.
CONF = '''"""gunicorn's settings: sinchfn's, and yours below. gunicorn finds this file where it is started."""

from sinchfn.gunicorn import *

# workers = 4
'''

#: What gunicorn logs when a worker cannot load the app, and its exit status. It would then print the error
#: a second time, past its log.
LOAD_FAILURES = {
    "Exception in worker process": Arbiter.WORKER_BOOT_ERROR,
    "Exception while loading the application": Arbiter.APP_LOAD_ERROR,
}

#: Seconds until a worker ends that cannot load the app either: time for gunicorn to see the first, and start no other.
PAUSE = 0.5

#: Seconds between two looks at whether a worker is to stop.
WATCH = 0.1

#: Seconds after which a callback of a socket is told of that has not returned yet.
STUCK = 1.0

#: Seconds that the handlers of sockets get to end once their sockets are closed.
SOCKET_PATIENCE = 5.0

#: Seconds of gunicorn's ``graceful_timeout`` that are kept for shutdown functions, when requests take all of it.
SHUTDOWN_SHARE = 3.0

#: What this master and its workers know of their boots. The workers inherit it.
BOOTS = Boots()

#: Where the frames of a traceback are that stand before the user's own.
FOREIGN = (str(Path(glogging.__file__).parent), str(Path(importlib.__file__).parent))


def post_fork(server: Any, worker: Any) -> None:
    """Let a worker wait before it loads the app, if the one before it failed."""
    worker.load_wsgi = partial(_load, worker, worker.load_wsgi)


def _load(worker: Any, load: Callable[[], None]) -> None:
    _await_turn(worker)
    if BOOTS.pause:  # nobody serves the function, and callers who wait are worse off than those who are refused
        BOOTS.stand_in(worker.age)
        worker.wsgi = StandIn(BOOTS)
        return
    try:
        load()
    except KeyboardInterrupt as error:  # the module's own: gunicorn's signals do not raise it
        raise StartupError("The app cannot be loaded: a KeyboardInterrupt was raised.") from error


def _await_turn(worker: Any) -> None:
    """Wait for the next try while another worker serves the function."""
    while BOOTS.pause and BOOTS.is_served_by_another():
        if not worker.alive:
            BOOTS.stand_in(worker.age)
            raise SystemExit(0)
        worker.notify()
        time.sleep(WATCH)


def _retire(worker: Any) -> None:
    """End a worker that stands in, when another one serves the function or the next try is due."""
    while worker.alive and BOOTS.pause and not BOOTS.is_served_by_another():
        time.sleep(WATCH)
    worker.alive = False


def post_worker_init(worker: Any) -> None:
    """Start the functions in a worker that is about to accept."""
    if isinstance(worker.wsgi, StandIn):
        threading.Thread(target=_retire, args=(worker,), name="sinchfn-retire", daemon=True).start()
        return
    try:
        start_all()
    except StartupError as error:
        if (stopped := _stopped_by_gunicorn(error)) is not None:
            raise stopped from None
        raise
    BOOTS.succeed(worker.age)
    threading.Thread(target=_watch, args=(worker,), name="sinchfn-watch", daemon=True).start()


def _watch(worker: Any) -> None:
    """Close the sockets as soon as the worker is told to stop, not when its last request is answered.

    By its flag, not by a signal: a reload, ``max_requests`` and a lost master stop it as well.
    """
    while worker.alive:
        time.sleep(WATCH)
        _tell_of_stuck_callback()
    stopped = time.monotonic()
    close_all_sockets(min(SOCKET_PATIENCE, _before_shutdown(worker)))
    # It waits for its requests as long as it may, and then its master kills it: the shutdown functions must not wait
    # for that.
    time.sleep(max(0.0, _before_shutdown(worker) - (time.monotonic() - stopped)))
    stop_all(0)


def _before_shutdown(worker: Any) -> float:
    """Seconds of the grace period that sockets and requests may take."""
    grace: float = worker.cfg.graceful_timeout
    return max(grace - SHUTDOWN_SHARE, grace / 2)


def _stopped_by_gunicorn(error: StartupError) -> SystemExit | None:
    """What gunicorn ends a worker with at Ctrl-C, amid a start-up function: it has not failed then."""
    cause = error.__cause__
    if not isinstance(cause, SystemExit):
        return None
    frames = traceback.extract_tb(cause.__traceback__)
    is_its_own = any(frame.name == "handle_quit" and frame.filename.startswith(FOREIGN[0]) for frame in frames)
    return cause if is_its_own else None


def _tell_of_stuck_callback() -> None:
    """A callback that blocks for ever would never be told of: the log's warning comes when it has returned."""
    sockets = sys.modules.get("sinchfn.sockets")  # if nobody has imported them, there are none
    if sockets is not None and (stack := sockets.CARRIER.stuck(STUCK)) is not None:
        message = "A callback of a socket has been running for %g s, and every other socket of this process waits.\n%s"
        logging.getLogger("sinchfn").error(message, STUCK, stack, extra={"is_block": True})


def worker_abort(worker: Any) -> None:
    """End the functions of a worker that gunicorn takes to hang, before it kills it."""
    worker.notify()  # that is a sign of life, which puts the kill off by another `timeout`
    stop_all(min(SOCKET_PATIENCE, worker.timeout))


def worker_exit(server: Any, worker: Any) -> None:
    """End the functions of a worker that has stopped: close their sockets, run their shutdown functions."""
    stop_all(min(SOCKET_PATIENCE, _before_shutdown(worker)))


def child_exit(server: Any, worker: Any) -> None:
    """Count a worker that ended before it served anything, and end gunicorn if none ever has.

    Such a worker called ``os._exit()``, say, or was killed. gunicorn would put another one in its place at once, and
    again for ever.
    """
    if not BOOTS.end(worker.age, worker.pid) or not server.LISTENERS:  # without listeners it is stopping by itself
        return
    if not BOOTS.has_succeeded:
        reason = f"Worker (pid:{worker.pid}) ended while it loaded the app. Look for what ends the process there."
        raise HaltServer(reason, Arbiter.WORKER_BOOT_ERROR)
    server.log.error(
        "Worker (pid:%s) could not start. The next try is in %.0f s; workers that have started serve on.",
        worker.pid,
        BOOTS.pause,
    )


class Logger(glogging.Logger):  # type: ignore[misc]  # for the same reason
    """gunicorn's logger, with sinchfn's lines: one form for all, without secrets, each line once."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        environ = {**os.environ, **cfg.env}  # gunicorn sets its raw_env only later
        config = settings_ahead(environ.get("SINCHFN_FUNCTION"), environ=environ)
        self._secrets = config.redact  # kept, so that they are struck out before a function is loaded
        OWNERS.add(self._secrets)
        for log in (self.error_log, self.access_log):
            for handler in list(log.handlers):
                if getattr(handler, "_gunicorn", False) and not isinstance(handler, SysLogHandler):
                    stream = getattr(handler, "stream", None)
                    used = _unblocked(log, handler) if stream in (sys.stdout, sys.stderr) else handler
                    used.setFormatter(make_formatter(config["SINCHFN_LOG_FORMAT"], redact, stream))
        _put_on(self.error_log, _ProcessFilter())
        _put_on(self.access_log, _AccessFilter())
        _put_on(logging.getLogger("sinchfn"), _OneWorkerFilter())
        self._failing = _Turn()
        if cfg.preload_app:  # the master loads the app, where gunicorn would let Python print what fails
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
                raise SystemExit(status)  # at this status gunicorn ends
            self.error_log.debug("The app cannot be loaded here either.")
            time.sleep(PAUSE)
            raise SystemExit(1)  # at a second one like the first its master breaks off with a traceback

    def _say_why_not_preloaded(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if isinstance(error, Exception) and _is_loading(error):
            self._say_why(error)
        else:
            sys.__excepthook__(kind, error, trace)

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


def _unblocked(log: logging.Logger, handler: Any) -> logging.Handler:
    """Put a handler of ours, which nobody has to read, in the place of gunicorn's own."""
    ours = PlatformHandler(handler.stream)
    ours._gunicorn = True  # type: ignore[attr-defined]  # by this it finds its handlers again at a reload
    log.removeHandler(handler)
    log.addHandler(ours)
    return ours


def _is_loading(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    if any(frame.name in ("_load", "post_worker_init") and frame.filename == __file__ for frame in frames):
        return True
    return any(frame.name == "wsgi" and frame.filename.startswith(FOREIGN[0]) for frame in frames)


class _Turn:
    """Comes to one process of all that are forked after it is made: the first that asks."""

    def __init__(self) -> None:
        # A pipe with one byte in it, which the system gives to one reader only; the others find its end.
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
    """What one worker says is for DEBUG in all others."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = _Turn()

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "is_start") or self._turn.is_ours():
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)


class _ProcessFilter(logging.Filter):
    """Which process it is, master or worker; without the token in the URL of a request that gunicorn refuses."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.sinchfn = {"process": record.process}
        if (clean := without_token(message := record.getMessage())) != message:
            record.msg, record.args = clean, ()
        return True


class _AccessFilter(logging.Filter):
    """Which request it was, by the header of the answer; without the token of a stream's URL."""

    def filter(self, record: logging.LogRecord) -> bool:
        atoms = record.args
        request_id = "-"
        if isinstance(atoms, dict):
            atoms.update({name: without_token(atom) for name, atom in atoms.items() if isinstance(atom, str)})
            request_id = atoms["{x-request-id}o"]
        record.sinchfn = {} if request_id == "-" else {"request_id": redact(str(request_id))}
        return True


if __name__ == "__main__":
    sys.stdout.write(CONF)
