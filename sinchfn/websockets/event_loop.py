"""The event loop: one thread of the process that serves all sockets whose handlers hold no thread.

For the other sockets it only does the periodic work: pings, timeouts and timers.
"""

from __future__ import annotations

import heapq
import logging
import os
import select
import selectors
import sys
import threading
import time
import traceback
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from functools import partial
from itertools import count
from typing import Any, Protocol

from ..forks import Forkable, across_forks

_log = logging.getLogger("sinchfn")

#: Seconds between two checks of every socket of the process.
SWEEP = 0.5

#: Number of timers above which cancelled ones are removed.
CROWDED = 1024

#: Events of a connection, with the values of epoll. Errors and the end of a connection are found by reading.
READABLE, WRITABLE = 1, 4


class Watched(Protocol):
    """A connection, as the event loop uses it. All methods are called on the loop's thread."""

    #: file descriptor, also after it is closed
    file: int

    @property
    @abstractmethod
    def wanted(self) -> int:
        """The events to wait for: ``READABLE``, ``WRITABLE``, both or 0."""

    def begin_callbacks(self) -> None:
        """Handle what arrived before the loop took over."""

    def on_event(self, events: int, /) -> None:
        """Handle events of the connection."""

    def go_on(self) -> None:
        """Handle the next share of what was read, after :meth:`EventLoop.resume_later`."""

    def look_after(self, now: float, /) -> None:
        """Do what is due. Called every ``SWEEP`` seconds."""

    def drop(self) -> None:
        """End the connection at once."""


class Timer:
    """A function that is called later, unless it is cancelled before."""

    __slots__ = ("__weakref__", "function")

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function: Callable[[], Any] | None = function

    def cancel(self) -> None:
        """Do not call the function. Does nothing if it was called already."""
        self.function = None


class EventLoop(Forkable):
    """A thread that waits for sockets and timers. It starts with the first of them, also after a fork.

    :param ends_when_idle: end the thread while there are neither sockets nor timers.
    """

    def __init__(self, name: str = "sinchfn-sockets", *, ends_when_idle: bool = True) -> None:
        self._name = name
        self._ends_when_idle = ends_when_idle
        self._reset()
        across_forks(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        #: held while the pipe is written to or closed; only a loop whose thread ends closes it
        self._waking: AbstractContextManager[Any] = threading.Lock() if self._ends_when_idle else nullcontext()
        self._thread: threading.Thread | None = None
        #: identifier of the running thread; 0 if there is none
        self._ident = 0
        self._poller: _EpollPoller | _SelectorPoller | None = None
        #: the ends of the pipe that wakes the running thread
        self._wakes: tuple[int, int] | None = None
        #: all sockets, for the sweep
        self._known: set[Watched] = set()
        #: the sockets that are polled, by file descriptor
        self._polled: dict[int, Watched] = {}
        #: the sockets that had more to handle than their share
        self._unfinished: list[Watched] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._crowded = CROWDED
        self._tasks: list[Callable[[], None]] = []
        #: start of the callback that is running, on the performance counter; 0.0 if none is
        self.calling_since = 0.0
        self._reported = 0.0
        #: end of the last turn of the loop
        self._turned_at = 0.0

    def after_fork_in_child(self) -> None:
        # Thread and sockets belong to the parent.
        self._reset()

    @property
    def is_current(self) -> bool:
        """True on the loop's own thread, which must not wait for anything."""
        return self._ident == threading.get_ident()

    def add(self, socket: Watched) -> None:
        """Look after `socket` until :meth:`remove` is called."""
        with self._lock:
            self._known.add(socket)
            self._start()

    def remove(self, socket: Watched) -> None:
        """Stop looking after `socket`. Call it before the file descriptor is closed, which may then be reused."""
        with self._lock:
            self._known.discard(socket)
        self.update(socket)

    def serve(self, socket: Watched) -> None:
        """Read and handle the messages of `socket` on the loop's thread from now on."""
        self._do(partial(self._begin, socket))

    def _begin(self, socket: Watched) -> None:
        socket.begin_callbacks()
        self._update(socket)

    def update(self, socket: Watched) -> None:
        """Wait for the events that `socket` wants now."""
        self._do(partial(self._update, socket))

    def _update(self, socket: Watched) -> None:
        poller, file = self._poller, socket.file
        if poller is None:
            return
        with self._lock:
            wanted = socket.wanted if socket in self._known else 0
        if wanted:
            self._polled[file] = socket
            poller.watch(file, wanted)
        elif self._polled.get(file) is socket:
            del self._polled[file]
            poller.remove(file)

    def resume_later(self, socket: Watched) -> None:
        """Call ``socket.go_on()`` after the other sockets have had their turn. Only on the loop's thread."""
        self._unfinished.append(socket)

    def call_later(self, seconds: float, function: Callable[[], Any]) -> Timer:
        """Call `function` on the loop's thread after `seconds`. Functions with the same delay keep their order.

        An exception is logged.
        """
        timer = Timer(function)
        entry = (time.monotonic() + seconds, next(self._order), timer)
        with self._lock:
            if len(self._timers) >= self._crowded:
                self._drop_cancelled()
            heapq.heappush(self._timers, entry)
            is_first = self._timers[0] is entry
            self._start()
        if is_first and not self.is_current:
            self._wake()
        return timer

    def _drop_cancelled(self) -> None:
        """Remove cancelled timers. A timer that is reset for each frame leaves many that are not due for a long time.

        The caller must hold the lock.
        """
        self._timers[:] = [entry for entry in self._timers if entry[2].function is not None]
        heapq.heapify(self._timers)
        self._crowded = max(CROWDED, 2 * len(self._timers))

    def ask(self) -> float:
        """Wake the thread. Return the time, for :meth:`has_answered`."""
        asked = time.monotonic()
        self._wake()
        return asked

    def has_answered(self, asked: float) -> bool:
        """Return True if the thread has made a turn since `asked`, or is not running."""
        return not self._ident or self._turned_at >= asked

    def stuck(self, seconds: float) -> str | None:
        """Return the stack of a callback that has been running for longer than `seconds`, once per callback."""
        since = self.calling_since
        if not since or since == self._reported or time.perf_counter() - since < seconds:
            return None
        self._reported = since
        return stack_of(self._ident)

    @property
    def stack(self) -> str | None:
        """The stack of the thread; None if it is not running."""
        return stack_of(self._ident)

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the thread if it has nothing left to do. Must not be called on that thread."""
        with self._lock:
            thread = self._thread if self._is_idle else None
        self._wake()
        if thread is not None:
            thread.join(timeout)

    def end(self) -> None:
        """Forget all sockets and timers, and wait for the end of the thread. Must not be called on that thread."""
        with self._lock:
            self._known.clear()
            self._timers.clear()
            self._tasks.clear()
        self.join()

    @property
    def _is_idle(self) -> bool:
        """True if the thread has nothing left to do. The caller must hold the lock."""
        return not (self._known or self._tasks or any(timer.function is not None for _, _, timer in self._timers))

    def _do(self, task: Callable[[], None]) -> None:
        if self.is_current:
            task()
            return
        with self._lock:
            self._tasks.append(task)
            self._start()
        self._wake()

    def _start(self) -> None:
        """Start the thread, unless it is running. The caller must hold the lock."""
        if self._wakes is None:
            with ExitStack() as undo:  # the process may have run out of files or threads
                wakes = os.pipe()
                for end in wakes:
                    undo.callback(os.close, end)
                    os.set_blocking(end, False)
                poller = _EpollPoller() if hasattr(select, "epoll") else _SelectorPoller()
                undo.callback(poller.close)
                poller.watch(wakes[0], READABLE)
                thread = threading.Thread(target=self._run, args=(poller, wakes[0]), name=self._name, daemon=True)
                thread.start()
                self._thread, self._poller, self._wakes = thread, poller, wakes
                undo.pop_all()

    def _wake(self) -> None:
        """Wake the thread. The caller must not hold the lock.

        A write lets other threads run. If these waited for the lock meanwhile, so would the loop, and its tasks would
        pile up under a flood of sockets.
        """
        with self._waking, suppress(BlockingIOError):  # the pipe is full: the thread will wake up anyway
            if self._wakes is not None:
                os.write(self._wakes[1], b"\0")

    def _run(self, poller: _EpollPoller | _SelectorPoller, woken: int) -> None:
        self._ident = threading.get_ident()
        polled = self._polled
        next_sweep = time.monotonic() + SWEEP
        while not (self._ends_when_idle and self._has_ended()):
            unfinished, self._unfinished = self._unfinished, []
            for file, events in poller.wait(0 if unfinished else self._pause(next_sweep)):
                if (socket := polled.get(file)) is not None:
                    self._handle(socket, socket.on_event, events)
                elif file == woken:
                    self._run_tasks(file)
            for socket in unfinished:
                self._handle(socket, socket.go_on)
            now = self._turned_at = time.monotonic()
            if self._timers and self._timers[0][0] <= now:
                self._run_timers(now)
            if now >= next_sweep:
                next_sweep = now + SWEEP
                self._sweep(now)

    def _has_ended(self) -> bool:
        """Close the poller and the pipe if the thread has nothing left to do. Return True if it has ended."""
        with self._lock, self._waking:
            if self._poller is None or self._wakes is None or not self._is_idle:
                return False
            self._poller.close()
            for file in self._wakes:
                os.close(file)
            self._poller = self._wakes = None
            self._ident = 0
            self._polled.clear()
            return True

    def _handle(self, socket: Watched, method: Callable[..., None], *arguments: int) -> None:
        try:
            method(*arguments)
        except BaseException:  # an error in sinchfn, which must not end all other calls
            _log.exception("A socket is dropped because of an internal error.")
            socket.drop()

    def _pause(self, next_sweep: float) -> float:
        until = next_sweep
        with self._lock:
            if self._timers:
                until = min(until, self._timers[0][0])
        return max(0.0, until - time.monotonic())

    def _run_tasks(self, file: int) -> None:
        with suppress(BlockingIOError):
            os.read(file, 4096)
        with self._lock:
            tasks, self._tasks = self._tasks, []
        for task in tasks:
            guarded(task)

    def _run_timers(self, now: float) -> None:
        while True:
            with self._lock:
                if not self._timers or self._timers[0][0] > now:
                    return
                _, _, timer = heapq.heappop(self._timers)
            if timer.function is not None:
                guarded(timer.function)

    def _sweep(self, now: float) -> None:
        with self._lock:
            known = list(self._known)
        for socket in known:
            guarded(partial(socket.look_after, now))


def guarded(function: Callable[[], Any]) -> None:
    """Call `function`, and log what it raises: an exception must not end the thread of all sockets."""
    try:
        function()
    except BaseException:
        _log.exception("A task of the sockets' event loop failed. The loop goes on.")


def stack_of(thread: int) -> str | None:
    """Return the stack of a thread, by its identifier, with the innermost call last; None if it has ended."""
    frame = sys._current_frames().get(thread)
    return "".join(traceback.format_stack(frame)) if frame is not None else None


class _EpollPoller:
    """A poller for Linux."""

    def __init__(self) -> None:
        epoll = select.epoll()
        self._epoll = epoll
        #: takes seconds, and returns pairs of a file descriptor and its events
        self.wait = epoll.poll
        self.close = epoll.close

    def watch(self, file: int, events: int) -> None:
        try:
            self._epoll.register(file, events)
        except FileExistsError:
            self._epoll.modify(file, events)

    def remove(self, file: int) -> None:
        with suppress(OSError):  # it is closed already
            self._epoll.unregister(file)


class _SelectorPoller:
    """A poller for systems without epoll: macOS with kqueue, and gevent, which replaces both."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.close = self._selector.close

    def watch(self, file: int, events: int) -> None:
        mask = (selectors.EVENT_READ if events & READABLE else 0) | (selectors.EVENT_WRITE if events & WRITABLE else 0)
        self.remove(file)
        if mask:
            self._selector.register(file, mask)

    def remove(self, file: int) -> None:
        with suppress(KeyError, ValueError, OSError):
            self._selector.unregister(file)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        return [
            (
                key.fd,
                (READABLE if mask & selectors.EVENT_READ else 0) | (WRITABLE if mask & selectors.EVENT_WRITE else 0),
            )
            for key, mask in self._selector.select(seconds)
        ]


#: The event loop of this process: one thread for the sockets of everything that is served here.
EVENT_LOOP = EventLoop(ends_when_idle=False)
