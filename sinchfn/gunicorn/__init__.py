"""gunicorn's settings for functions, with the hooks and the logger that they name.

::

    gunicorn -c python:sinchfn.gunicorn 'sinchfn:create_app()'

To change some of them, write a ``gunicorn.conf.py`` that takes the others from here (``python -m sinchfn.gunicorn``
prints one)::

    from sinchfn.gunicorn import *

    workers = 4

With the hooks, the start-up functions run before a worker accepts requests. If the first start fails, gunicorn ends
with its message. After a good start, a worker that fails is tried again, and the others serve on (see
:mod:`sinchfn.gunicorn.boots`). The sockets of a worker that has to stop are closed at once. Without the hooks, a
function starts with its first request.

With the logger, gunicorn's own log has the same format as the function's: see :mod:`sinchfn.gunicorn.logger`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]  # it has no types, nor stubs in our environment
from gunicorn.errors import HaltServer  # type: ignore[import-untyped]

from ..app.factory import create_app  # noqa: F401 - the workers inherit what it imports
from ..errors import StartupError
from ..function.lifecycle import close_all_sockets, start_all, stop_all
from .boots import BOOTS, StandIn
from .logger import Logger as Logger
from .logger import passes_through

#: The settings. Hooks are settings too.
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

# Threads, because a handler mostly waits for others, and callbacks must be answered at once, also beside sockets that
# live for minutes. And keep-alive, which the sync worker does not have.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = int(os.environ.get("THREADS", "16"))

# Longer than a proxy or load balancer keeps its side open, so that it never uses a connection that was just closed.
keepalive = 75

# A worker without a heartbeat for this long is replaced. Requests may take longer: gthread never ends one.
timeout = 30
# Running calls get this long to end at a restart.
graceful_timeout = 15

# Since version 25.1, gunicorn opens a control socket in the home folder. That fails on a read-only file system, and two
# instances fight over it.
control_socket_disable = True

# A header named SCRIPT_NAME or PATH_INFO, from a proxy or a program on this machine, must not move the function.
forwarder_headers = ""

_memory = Path("/dev/shm")  # noqa: S108 - gunicorn makes a file in it whose name cannot be guessed
# The heartbeat file must not be on a disk, where a slow write makes a worker look hung.
worker_tmp_dir = str(_memory) if _memory.is_dir() else None

# The function logs every request: gunicorn's access log would repeat it.
logger_class = "sinchfn.gunicorn.Logger"
errorlog = "-"
accesslog = None

#: The ``gunicorn.conf.py`` that ``python -m sinchfn.gunicorn`` prints.
CONF = '''"""gunicorn's settings: sinchfn's, and yours below. gunicorn finds this file where it is started."""

from sinchfn.gunicorn import *

# workers = 4
'''

#: Seconds between two checks whether a worker has to stop.
WATCH = 0.1

#: Seconds before a blocked socket callback is reported.
STUCK = 1.0

#: Seconds that socket handlers get to end once their sockets are closed.
SOCKET_PATIENCE = 5.0

#: Seconds of gunicorn's ``graceful_timeout`` that are kept for shutdown functions when requests take all of it.
SHUTDOWN_SHARE = 3.0


def post_fork(server: Any, worker: Any) -> None:
    """Make a worker wait before it loads the app, if the one before it failed."""
    worker.load_wsgi = partial(_load, worker, worker.load_wsgi)


def _load(worker: Any, load: Callable[[], None]) -> None:
    while BOOTS.pause and BOOTS.is_served_by_another():
        if not worker.alive:
            BOOTS.stand_in(worker.age)
            raise SystemExit(0)
        worker.notify()
        time.sleep(WATCH)
    if BOOTS.pause:  # no worker serves the function, and a refusal is better for callers than a wait
        BOOTS.stand_in(worker.age)
        worker.wsgi = StandIn(BOOTS)
        return
    try:
        load()
    except KeyboardInterrupt as error:  # raised by the function's module: gunicorn's signals do not raise it
        raise StartupError("The app cannot be loaded: a KeyboardInterrupt was raised.") from error


def _retire(worker: Any) -> None:
    """End a stand-in worker once another worker serves the function or the next try is due."""
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
        cause = error.__cause__
        if isinstance(cause, SystemExit) and passes_through("handle_quit", cause):  # Ctrl-C, not a failure
            raise cause from None
        raise
    BOOTS.succeed(worker.age)
    threading.Thread(target=_watch, args=(worker,), name="sinchfn-watch", daemon=True).start()


def _watch(worker: Any) -> None:
    """Report blocked socket callbacks, and close the sockets as soon as the worker has to stop, not after its requests.

    The worker's flag is watched, not signals: a reload, ``max_requests`` and a lost master stop it as well.
    """
    while worker.alive:
        time.sleep(WATCH)
        sockets = sys.modules.get("sinchfn.websockets.event_loop")  # if it is not imported, there are no sockets
        if sockets is not None and (stack := sockets.EVENT_LOOP.stuck(STUCK)) is not None:
            message = "A socket callback has been running for %g s; all other sockets of this process wait for it.\n%s"
            logging.getLogger("sinchfn").error(message, STUCK, stack, extra={"is_block": True})
    stopped = time.monotonic()
    close_all_sockets(min(SOCKET_PATIENCE, _before_shutdown(worker)))
    # The worker waits for its requests until its master kills it. The shutdown functions must run before that.
    time.sleep(max(0.0, _before_shutdown(worker) - (time.monotonic() - stopped)))
    stop_all(0)


def _before_shutdown(worker: Any) -> float:
    """Return the seconds of the grace period that sockets and requests may take."""
    grace: float = worker.cfg.graceful_timeout
    return max(grace - SHUTDOWN_SHARE, grace / 2)


def worker_abort(worker: Any) -> None:
    """End the functions of a worker that seems to hang, before gunicorn kills it."""
    worker.notify()  # a sign of life, which delays the kill by another ``timeout``
    stop_all(min(SOCKET_PATIENCE, worker.timeout))


def worker_exit(server: Any, worker: Any) -> None:
    """End the functions of a worker that has stopped: close their sockets and run their shutdown functions."""
    stop_all(min(SOCKET_PATIENCE, _before_shutdown(worker)))


def child_exit(server: Any, worker: Any) -> None:
    """Count a worker that ended before it served, and end gunicorn if no worker has ever served.

    Such a worker called ``os._exit()``, for example, or was killed. gunicorn would start another one at once, for ever.
    """
    if not BOOTS.end(worker.age, worker.pid) or not server.LISTENERS:  # without listeners gunicorn is stopping anyway
        return
    if not BOOTS.has_succeeded:
        reason = f"Worker (pid:{worker.pid}) ended while it loaded the app. Look for what ends the process there."
        raise HaltServer(reason, Arbiter.WORKER_BOOT_ERROR)
    server.log.error(
        "Worker (pid:%s) could not start. The next try is in %.0f s; workers that have started serve on.",
        worker.pid,
        BOOTS.pause,
    )
