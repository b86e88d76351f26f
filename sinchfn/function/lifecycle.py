"""The lifecycle of a function in a process: its start-up and shutdown functions."""

from __future__ import annotations

import atexit
import logging
import secrets
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..config.config import FunctionConfig
from ..errors import StartupError, place_of, sentence_of
from ..forks import Forkable, across_forks
from ..logs.records import bound_to
from ..logs.redaction import one_line
from ..services.advice import advise
from ..services.coroutines import awaited
from .context import FunctionContext
from .loading import cause_of

if TYPE_CHECKING:
    from flask import Flask

    from ..logs.redaction import Redaction
    from ..services.injection.container import Scope
    from ..services.services import Services
    from .runtime import ProcessHook

#: Seconds until a failed start-up function is tried again, in servers that cannot be stopped for it.
RETRY = 5.0

#: Seconds that the handlers of sockets get at process exit, in servers that do not announce it.
AT_EXIT = 3.0

#: Characters of the reason why a function could not start, at most.
REASON = 300

_log = logging.getLogger("sinchfn")


class Lifecycle(Forkable):
    """The start and the end of one function in one process. A forked process starts it again.

    :param startup: run in this order before the first request.
    :param shutdown: run in reverse order at the end.
    """

    def __init__(
        self,
        startup: tuple[ProcessHook, ...],
        shutdown: tuple[ProcessHook, ...],
        services: Services,
        redact: Redaction,
    ) -> None:
        self._services = services
        self._redact = redact
        self._startup = startup
        self._shutdown = shutdown
        #: called first when the process ends: to close sockets, and to wait for their handlers
        self._at_stop: list[tuple[Callable[[], None], Callable[[float], None]]] = []
        self._app: Callable[[], Flask | None] = lambda: None
        self._reset()
        across_forks(self)

    def _reset(self) -> None:
        #: held while start-up or shutdown functions run: other threads that want to start or stop wait
        self._lock = threading.RLock()
        self._is_starting = False
        #: whether requests may come: read in every request
        self.is_ready = False
        self._is_over = False
        #: whether its sockets are being closed, which is the first step of the end
        self.is_stopping = False
        #: the reason why the last start failed
        self.failure: str | None = None
        self._done = 0
        self._failed_at: float | None = None

    def after_fork_in_child(self) -> None:
        self._reset()

    def bind(self, app: Flask) -> None:
        """Note that ``app`` serves the function from now on."""
        self._app = weakref.ref(app)
        _served.append(weakref.ref(self, _served.remove))

    def at_stop(self, close: Callable[[], None], see_off: Callable[[float], None]) -> None:
        """Call ``close()``, then ``see_off(patience)``, before the shutdown functions."""
        self._at_stop.append((close, see_off))

    def start(self) -> None:
        """Run the start-up functions, unless they have run in this process.

        :raises StartupError: one of them failed. The next try begins with this one.
        """
        with self._lock:
            if self.is_ready or self._is_over:
                return
            self._is_starting = True
            try:
                while self._done < len(self._startup):
                    self._run_startup(self._startup[self._done])
                    self._done += 1
            finally:
                self._is_starting = False
            self._failed_at = self.failure = None
            self.is_ready = True

    def _run_startup(self, hook: ProcessHook) -> None:
        try:
            self._run(hook, "startup")
        except BaseException as error:  # also sys.exit(), which must not count as a start
            self._failed_at = time.monotonic()
            said = f"The start-up function {hook.name} failed: {sentence_of(error)}"
            self.failure = one_line(self._redact(said))[:REASON]
            trace = "".join(traceback.format_exception(error))
            # The error is shown with its cause, which may hold a secret.
            cause = error if self._redact(trace) == trace else None
            raise StartupError(self._why_it_failed(hook, error)) from cause

    def unready(self) -> str | None:
        """Start if necessary; return the reason why calls should not come here, or None. Does not wait for others."""
        if self.is_stopping:
            return "The process is stopping."
        if self.is_ready:
            return None
        if not self._lock.acquire(blocking=False):
            return "The start-up functions have not ended yet."
        try:
            reason = self.why_not()
            return reason and (self.failure or reason)
        finally:
            self._lock.release()

    def why_not(self) -> str | None:
        """Start if necessary; return a sentence for the caller if the start fails.

        For servers that do not announce the start of a process. A failed start is tried again after a pause.
        """
        with self._lock:  # other requests wait
            if self.is_ready:
                return None
            if self._is_over:
                return "The function is ending."
            if self._is_starting:  # on this very thread: a start-up function calls the function
                return "The function has not started yet."
            if self._failed_at is not None and time.monotonic() - self._failed_at < RETRY:
                return "The function has not started yet."
            try:
                self.start()
            except StartupError as error:
                _log.error("%s", error, exc_info=error.__cause__, extra={"is_block": True})
                return "The function could not start."
        # Those servers do not announce the end either. Once is enough for all functions.
        atexit.unregister(stop_all)
        atexit.register(stop_all, AT_EXIT)
        return None

    def close_sockets(self) -> None:
        """Close the open sockets."""
        if self.is_ready:  # else they belong to another process, or none was opened
            self.is_stopping = True
            for close, _ in self._at_stop:
                close()

    def see_off_sockets(self, patience: float) -> None:
        """Wait for the handlers of closed sockets.

        :param patience: seconds.
        """
        if self.is_ready:
            for _, see_off in self._at_stop:
                see_off(patience)

    def stop(self) -> None:
        """Run the shutdown functions once, if the start-up functions have run. From then on requests are answered 503.

        If another thread is stopping it, wait for that.
        """
        with self._lock:
            if not self.is_ready:
                return
            self.is_ready, self._is_over = False, True
            for hook in reversed(self._shutdown):
                try:
                    self._run(hook, "shutdown")
                except BaseException as error:  # the other ones have to run
                    _log.error("The shutdown function %s raised %s", hook.name, sentence_of(error), exc_info=error)

    def _run(self, hook: ProcessHook, name: str) -> None:
        """Run one start-up or shutdown function, in an app context."""
        occasion = ProcessOccasion(self._services, self._redact, hook.name, name)
        app = self._app()
        with app.app_context() if app is not None else nullcontext(), bound_to(occasion):
            try:
                awaited(hook.function(occasion.context) if hook.takes_context else hook.function())
            except BaseException as error:
                advise(error)
                occasion.context._end(error)
                raise
            occasion.context._end()

    def _why_it_failed(self, hook: ProcessHook, error: BaseException) -> str:
        where = place_of(hook.function)
        place = f" ({where})" if where else ""
        cause = "\n  ".join((cause_of(error, self._services.config.folder), *getattr(error, "__notes__", ())))
        return self._redact(f"The start-up function {hook.name}{place} failed\n  {cause}")


#: The lifecycles of this process. Of the module, because a process starts and ends for all functions in it.
_served: list[weakref.ref[Lifecycle]] = []


def _each() -> list[Lifecycle]:
    return [lifecycle for served in list(_served) if (lifecycle := served()) is not None]


def start_all() -> None:
    """Start every function of this process.

    :raises StartupError: a start-up function failed.
    """
    for lifecycle in _each():
        lifecycle.start()


def stop_all(patience: float) -> None:
    """Stop every function of this process: close its sockets, run its shutdown functions.

    :param patience: seconds that the handlers of the sockets get.
    """
    close_all_sockets(patience)
    for lifecycle in _each():
        lifecycle.stop()


def close_all_sockets(patience: float) -> None:
    """Close the sockets of every function of this process, and wait for their handlers.

    :param patience: seconds, for all of them together.
    """
    for lifecycle in _each():
        lifecycle.close_sockets()
    deadline = time.monotonic() + patience
    for lifecycle in _each():
        lifecycle.see_off_sockets(max(0.0, deadline - time.monotonic()))


class ProcessOccasion:
    """The occasion of a context outside of requests: the start or the end of a process, or code of a script."""

    def __init__(self, services: Services, redact: Redaction, handler_name: str, name: str) -> None:
        self.services = services
        self.redact = redact
        self.kind = "process"
        self.handler_name = handler_name
        self.request_id = f"{name}-{secrets.token_hex(8)}"
        self.timestamp = datetime.now(UTC)
        self.call_id: str | None = None
        self.outcome = "ok"
        self.context = FunctionContext(self)

    def new_scope(self) -> Scope:
        given: dict[type, Any] = {
            FunctionContext: self.context,
            FunctionConfig: self.services.config,
            logging.Logger: self.context.log,
        }
        return self.services.scope(given)

    def __repr__(self) -> str:
        return f"<{self.request_id} of {self.handler_name}>"
