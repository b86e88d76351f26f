"""Lifecycle: what a function does when a process starts to serve it, and when that ends."""

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

from .config import FunctionConfig
from .coroutines import awaited
from .errors import StartupError, sentence_of
from .exports import Export, Kind
from .forks import Forkable, across_forks
from .function_context import FunctionContext
from .loading import cause_of, folder_of
from .places import place_of
from .redaction import one_line
from .services.advice import advise
from .services.logs import bound_to

if TYPE_CHECKING:
    from flask import Flask

    from .function import Function
    from .injection import Scope
    from .runtime import ProcessHook

#: Seconds until a start-up function that failed is tried again, where there is nobody to stop for it.
RETRY = 5.0

#: Seconds that the handlers of sockets get to end, where the server has not told that the process ends.
AT_EXIT = 3.0

#: Characters, at most, that are said of why a function could not start.
REASON = 300

_log = logging.getLogger("sinchfn")


class Lifecycle(Forkable):
    """The start and the end of one function in one process. A forked process starts anew.

    :param startup: run in this order before the first request.
    :param shutdown: run in reverse order at the end.
    """

    def __init__(self, startup: tuple[ProcessHook, ...], shutdown: tuple[ProcessHook, ...]) -> None:
        self._startup = startup
        self._shutdown = shutdown
        #: called first when the process ends: what closes sockets, and what waits for their end
        self._at_stop: list[tuple[Callable[[], None], Callable[[float], None]]] = []
        self._function: Callable[[], Function | None] = lambda: None
        self._app: Callable[[], Flask | None] = lambda: None
        self._begin_anew()
        across_forks(self)

    def _begin_anew(self) -> None:
        #: held while functions of the process run: whoever else wants to start or stop it waits for their end
        self._lock = threading.RLock()
        self._is_starting = False
        #: whether requests may come: looked at in every one of them
        self.is_ready = False
        self._is_over = False
        #: whether its sockets are being closed, which is how the end begins
        self.is_stopping = False
        #: why it could not start, when that was last tried
        self.failure: str | None = None
        self._done = 0
        self._failed_at: float | None = None

    def after_fork_in_child(self) -> None:
        self._begin_anew()

    def bind(self, function: Function, app: Flask) -> None:
        """It is the life of `function`, which `app` serves from now on."""
        self._function = weakref.ref(function)
        self._app = weakref.ref(app)
        _served.append(weakref.ref(self, _served.remove))

    def at_stop(self, close: Callable[[], None], see_off: Callable[[float], None]) -> None:
        """Call ``close()``, then ``see_off(patience)``, before the shutdown functions."""
        self._at_stop.append((close, see_off))

    def start(self) -> None:
        """Run the start-up functions, unless that has been done in this process.

        :raises StartupError: one of them failed. Those before it are not run again when it is tried again.
        """
        with self._lock:
            function = self._function()
            if self.is_ready or self._is_over or function is None:
                return
            self._is_starting = True
            try:
                while self._done < len(self._startup):
                    self._run_startup(self._startup[self._done], function)
                    self._done += 1
            finally:
                self._is_starting = False
            self._failed_at = self.failure = None
            self.is_ready = True

    def _run_startup(self, hook: ProcessHook, function: Function) -> None:
        try:
            self._run(hook, function, "startup")
        except BaseException as error:  # also sys.exit(): it must not pass for a start
            self._failed_at = time.monotonic()
            said = f"The start-up function {hook.name} failed: {sentence_of(error)}"
            self.failure = one_line(function.redact(said))[:REASON]
            trace = "".join(traceback.format_exception(error))
            # Whoever shows the error shows its cause too, which may not know what is secret.
            cause = error if function.redact(trace) == trace else None
            raise StartupError(_why_it_failed(hook, function, error)) from cause

    def unready(self) -> str | None:
        """Start if that is still to be done; say why calls should not come here, if so. Does not wait for others."""
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
        """Start if that is still to be done; a sentence for the caller if it cannot be.

        For servers that do not tell when a process starts. One that failed is tried again, but not in every request.
        """
        with self._lock:  # those that come meanwhile wait
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
        # Those servers do not tell either when it ends. Once is enough, for all functions.
        atexit.unregister(stop_all)
        atexit.register(stop_all, AT_EXIT)
        return None

    def close_sockets(self) -> None:
        """Close what is open."""
        if self.is_ready:  # else there is none, or it is another process's
            self.is_stopping = True
            for close, _ in self._at_stop:
                close()

    def see_off_sockets(self, patience: float) -> None:
        """Wait so many seconds for the handlers of what is closed."""
        if self.is_ready:
            for _, see_off in self._at_stop:
                see_off(patience)

    def stop(self) -> None:
        """Run the shutdown functions, once, if the start-up functions were run. From then on it answers 503.

        Where it is being stopped already, this waits for the end of that.
        """
        with self._lock:
            if not self.is_ready:
                return
            self.is_ready, self._is_over = False, True
            function = self._function()
            for hook in reversed(self._shutdown):
                if function is not None:
                    self._run_guarded(hook, function)

    def _run_guarded(self, hook: ProcessHook, function: Function) -> None:
        try:
            self._run(hook, function, "shutdown")
        except BaseException as error:  # the others have to run all the same
            _log.error("The shutdown function %s raised %s", hook.name, sentence_of(error), exc_info=error)

    def _run(self, hook: ProcessHook, function: Function, name: str) -> None:
        """Run one function of the process, in an app context."""
        occasion = ProcessOccasion(function, hook.name, name)
        app = self._app()
        with app.app_context() if app is not None else nullcontext(), bound_to(occasion):
            try:
                awaited(hook.function(occasion.context) if hook.takes_context else hook.function())
            except BaseException as error:
                advise(error)
                occasion.context._end(error)
                raise
            occasion.context._end()


#: What is served by this process. Of the module, because a process starts and ends for all functions in it.
_served: list[weakref.ref[Lifecycle]] = []


def _each() -> list[Lifecycle]:
    return [lifecycle for served in list(_served) if (lifecycle := served()) is not None]


def start_all() -> None:
    """Start everything that this process serves.

    :raises StartupError: a start-up function failed.
    """
    for lifecycle in _each():
        lifecycle.start()


def stop_all(patience: float) -> None:
    """End everything that this process serves: close its sockets, run its shutdown functions."""
    close_all_sockets(patience)
    for lifecycle in _each():
        lifecycle.stop()


def close_all_sockets(patience: float) -> None:
    """Close the sockets of everything that this process serves; wait so many seconds, in all, for their handlers."""
    for lifecycle in _each():
        lifecycle.close_sockets()
    deadline = time.monotonic() + patience
    for lifecycle in _each():
        lifecycle.see_off_sockets(max(0.0, deadline - time.monotonic()))


def _why_it_failed(hook: ProcessHook, function: Function, error: BaseException) -> str:
    where = place_of(hook.function)
    place = f" ({where})" if where else ""
    cause = "\n  ".join((cause_of(error, folder_of(function.module)), *getattr(error, "__notes__", ())))
    return function.redact(f"The start-up function {hook.name}{place} failed\n  {cause}")


class ProcessOccasion:
    """What a context is made for that belongs to no request: the start or the end of a process, or code outside."""

    def __init__(self, function: Function, handler_name: str, name: str) -> None:
        self.function = function
        self.handler_name = handler_name
        self.request_id = f"{name}-{secrets.token_hex(8)}"
        self.timestamp = datetime.now(UTC)
        self.call_id: str | None = None
        self.outcome = "ok"
        self.export = Export(handler_name, Kind.PROCESS)
        self.context = FunctionContext(self)

    def _new_scope(self) -> Scope:
        given: dict[type, Any] = {
            FunctionContext: self.context,
            FunctionConfig: self.function.config,
            logging.Logger: self.context.log,
        }
        return self.function.services.scope(given)

    def __repr__(self) -> str:
        return f"<{self.request_id} of {self.handler_name}>"
