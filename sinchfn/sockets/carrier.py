"""Carrier: one thread of the process that carries all its sockets whose handlers hold no thread of their own.

It also does for all the others what has to happen in time: pings, closing what does not answer, timers.
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
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from ..forks import Forkable, across_forks
from .websocket import Timer

if TYPE_CHECKING:
    from .connection import Connection

_log = logging.getLogger("sinchfn")

#: Seconds between two looks at every socket of the process.
SWEEP = 0.5

#: Timers from which on those that were cancelled are looked for.
CROWDED = 1024

#: What can happen to a connection, as epoll writes it. Whatever else it says, an error or the end, reading will tell.
READABLE, WRITABLE = 1, 4


class Carrier(Forkable):
    """The thread and what it waits for. It is started with the first socket, and anew in a forked process."""

    def __init__(self) -> None:
        self._begin_anew()
        across_forks(self)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._poller: _EpollPoller | _SelectorPoller | None = None
        #: all sockets of the process, for the sweep
        self._known: set[Connection] = set()
        #: those that are waited for, by file descriptor
        self._carried: dict[int, Connection] = {}
        self._timers: list[tuple[float, int, _Timer]] = []
        self._order = count()
        self._crowded = CROWDED
        self._tasks: list[Callable[[], None]] = []
        #: those with more to handle than their share of a turn
        self._unfinished: list[Connection] = []
        self._wakes: tuple[int, int] | None = None
        self._is_ended = False
        #: when the callback that runs at the moment began, on the performance counter; 0.0: none does
        self.calling_since = 0.0
        self._told_of = 0.0
        #: when it was last through with all that was to be done
        self._turned_at = 0.0

    def after_fork_in_child(self) -> None:
        # The thread is the parent's, and so are the sockets: what is left here of them is not used any more.
        self._begin_anew()

    @property
    def is_current(self) -> bool:
        """Whether this is the carrier's own thread, which may not wait for anything."""
        return self._thread is not None and self._thread.ident == threading.get_ident()

    def ask(self) -> float:
        """Wake the thread, to see with :meth:`has_answered` whether it gets on."""
        asked = time.monotonic()
        self._wake()
        return asked

    def has_answered(self, asked: float) -> bool:
        """Return whether the thread has got on since then; one that was never started has nothing to do."""
        return self._thread is None or self._turned_at >= asked

    def stuck(self, seconds: float) -> str | None:
        """Where a callback is that has run for longer than so many seconds: its stack. Once for each; else None."""
        since, thread = self.calling_since, self._thread
        if not since or since == self._told_of or time.perf_counter() - since < seconds or thread is None:
            return None
        self._told_of = since
        frame = sys._current_frames().get(thread.ident or 0)
        return "".join(traceback.format_stack(frame)) if frame is not None else None

    def know(self, connection: Connection) -> None:
        """Look after `connection` until it is told to `forget` it."""
        with self._lock:
            self._known.add(connection)
            self._start()

    def forget(self, connection: Connection) -> None:
        """It needs no looking after any more. To be told before it is closed: its descriptor may be another's then."""
        with self._lock:
            self._known.discard(connection)
        self.attend(connection)

    def carry(self, connection: Connection) -> None:
        """From now on its messages are read and handled by this thread."""
        self._do(lambda: self._take(connection))

    def _take(self, connection: Connection) -> None:
        connection.begin_callbacks()
        self._attend(connection)

    def attend(self, connection: Connection) -> None:
        """Wait for what it wants by now, if that is anything."""
        self._do(lambda: self._attend(connection))

    def _attend(self, connection: Connection) -> None:
        poller, file = self._poller, connection.file
        if poller is None:
            return
        with self._lock:
            wanted = connection.wanted if connection in self._known else 0
        if wanted:
            self._carried[file] = connection
            poller.watch(file, wanted)
        elif self._carried.get(file) is connection:
            del self._carried[file]
            poller.remove(file)

    def come_back(self, connection: Connection) -> None:
        """On the thread itself: let `connection` go on once the others have had their turn."""
        self._unfinished.append(connection)

    def call_later(self, seconds: float, function: Callable[[], Any]) -> Timer:
        """Call `function` on this thread, after so many seconds. What it raises is logged."""
        timer = _Timer(function)
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
        """With the lock held. Who sets a timer anew for each frame leaves many behind that are far from due."""
        self._timers[:] = [entry for entry in self._timers if entry[2].function is not None]
        heapq.heapify(self._timers)
        self._crowded = max(CROWDED, 2 * len(self._timers))

    def end(self) -> None:
        """End the thread, for good. For who has one of his own, and needs it no more; not on the thread itself."""
        with self._lock:
            self._is_ended = True
            thread = self._thread
        if thread is None:
            return
        self._wake()
        thread.join()
        poller, self._poller = self._poller, None
        wakes, self._wakes = self._wakes, None
        self._thread = None
        if poller is not None:
            poller.close()
        for file in wakes or ():
            os.close(file)

    def _do(self, task: Callable[[], None]) -> None:
        if self.is_current:
            task()
            return
        with self._lock:
            self._tasks.append(task)
            self._start()
        self._wake()

    def _start(self) -> None:
        """With the lock held."""
        if self._thread is None and not self._is_ended:
            with ExitStack() as undo:  # there may be no more files, or threads, at the moment
                wakes = os.pipe()
                for end in wakes:
                    undo.callback(os.close, end)
                    os.set_blocking(end, False)
                poller = _EpollPoller() if hasattr(select, "epoll") else _SelectorPoller()
                undo.callback(poller.close)
                poller.watch(wakes[0], READABLE)
                thread = threading.Thread(
                    target=self._run, args=(poller, wakes[0]), name="sinchfn-sockets", daemon=True
                )
                self._wakes, self._poller = wakes, poller
                thread.start()
                self._thread = thread
                undo.pop_all()

    def _wake(self) -> None:
        if self._wakes is not None:
            with suppress(BlockingIOError):  # full: it is being woken already
                os.write(self._wakes[1], b"\0")

    def _run(self, poller: _EpollPoller | _SelectorPoller, woken: int) -> None:
        carried = self._carried
        next_sweep = time.monotonic() + SWEEP
        while not self._is_ended:
            unfinished, self._unfinished = self._unfinished, []
            for file, events in poller.wait(0 if unfinished else self._pause(next_sweep)):
                if (connection := carried.get(file)) is not None:
                    self._have(connection, connection.on_event, events)
                elif file == woken:
                    self._run_tasks(file)
            for connection in unfinished:
                self._have(connection, connection.go_on)
            now = self._turned_at = time.monotonic()
            if self._timers and self._timers[0][0] <= now:
                self._run_timers(now)
            if now >= next_sweep:
                next_sweep = now + SWEEP
                self._sweep(now)

    def _have(self, connection: Connection, handle: Callable[..., None], *arguments: int) -> None:
        try:
            handle(*arguments)
        except BaseException:  # a fault of ours, which must not end all the other calls
            _log.exception("A socket is dropped, because it could not be handled.")
            connection.drop()

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
        for connection in known:
            guarded(partial(connection.look_after, now))


def guarded(function: Callable[[], Any]) -> None:
    """Call it; what it raises must not end the thread of all sockets."""
    try:
        function()
    except BaseException:
        _log.exception("What was to happen on the thread of the sockets failed; it goes on.")


class _Timer(Timer):
    __slots__ = ("function",)

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function: Callable[[], Any] | None = function

    def cancel(self) -> None:
        self.function = None


class _EpollPoller:
    """Linux."""

    def __init__(self) -> None:
        epoll = select.epoll()
        self._epoll = epoll
        #: pairs of a file descriptor and what happened to it, within so many seconds
        self.wait = epoll.poll
        self.close = epoll.close

    def watch(self, file: int, events: int) -> None:
        try:
            self._epoll.register(file, events)
        except FileExistsError:
            self._epoll.modify(file, events)

    def remove(self, file: int) -> None:
        with suppress(OSError):  # closed by now
            self._epoll.unregister(file)


class _SelectorPoller:
    """Where there is no epoll: kqueue on macOS, or what gevent puts in the place of both."""

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


#: That of this process. Of the module, because one thread is to carry the sockets of everything that is served here.
CARRIER = Carrier()
