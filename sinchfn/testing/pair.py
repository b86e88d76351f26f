"""Pair: what the two ends of a socket in memory share, and the thread that runs their callbacks."""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from ..sockets import Timer
from ..sockets.carrier import guarded


class Task(NamedTuple):
    """What is to happen later, as long as it is wanted."""

    run: Callable[[], None]
    is_wanted: Callable[[], bool]


class Pair:
    """The state that two ends share. The thread is there as long as it has something to do, or to wait for."""

    def __init__(self) -> None:
        #: held to change anything of either end; told of every change
        self.changed = threading.Condition()
        #: code and reason of the first close; None while both ends are open
        self.closed: tuple[int, str] | None = None
        self.closed_at = 0.0
        #: the thread of the callbacks, the last one that there was
        self.thread: threading.Thread | None = None
        #: how many open ends have callbacks for their messages
        self.carried = 0
        self._is_running = False
        self._is_busy = False
        self._tasks: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, _PairTimer]] = []
        self._order = count()

    @property
    def is_current(self) -> bool:
        """Whether this is the thread of the callbacks."""
        return self.thread is threading.current_thread()

    def close(self, code: int, reason: str) -> bool:
        """With the lock held; whether nobody was faster."""
        if self.closed is not None:
            return False
        self.closed, self.closed_at = (code, reason), time.monotonic()
        return True

    def do(self, task: Callable[[], None]) -> None:
        """Call `task` on the thread, after what was given to it before."""
        with self.changed:
            self._tasks.append(task)
            self._start()

    def call_later(self, seconds: float, task: Task) -> Timer:
        """Call it on the thread, after so many seconds, if it is still wanted then."""
        timer = _PairTimer(self.changed, task)
        with self.changed:
            heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
            self._start()
        return timer

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is left to do at once, and the thread has ended if it waits for nothing either."""
        deadline = time.monotonic() + timeout
        with self.changed:
            is_done = self.changed.wait_for(self._is_settled, timeout)
            thread = None if self._is_running else self.thread
        if thread is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
        return is_done

    def _is_settled(self) -> bool:
        if self._tasks or self._is_busy:
            return False
        self._drop_unwanted()
        return bool(self._timers or self.carried) or not self._is_running

    def _start(self) -> None:
        if not self._is_running:
            self._is_running = True
            self.thread = threading.Thread(target=self._run, name="sinchfn-memory-socket", daemon=True)
            self.thread.start()
        self.changed.notify_all()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            guarded(task)

    def _next(self) -> Callable[[], None] | None:
        with self.changed:
            self._is_busy = False
            self.changed.notify_all()
            while (task := self._due()) is None:
                if not (self._timers or self.carried):
                    self._is_running = False
                    self.changed.notify_all()
                    return None
                self.changed.wait(self._timers[0][0] - time.monotonic() if self._timers else None)
            self._is_busy = True
            return task

    def _due(self) -> Callable[[], None] | None:
        self._drop_unwanted()
        if self._timers and self._timers[0][0] <= time.monotonic():
            return heapq.heappop(self._timers)[2].run
        return self._tasks.popleft() if self._tasks else None

    def _drop_unwanted(self) -> None:
        self._timers = [entry for entry in self._timers if entry[2].is_wanted]
        heapq.heapify(self._timers)


class _PairTimer(Timer):
    def __init__(self, changed: threading.Condition, task: Task) -> None:
        self._changed = changed
        self._task: Task | None = task

    @property
    def is_wanted(self) -> bool:
        return self._task is not None and self._task.is_wanted()

    def run(self) -> None:
        if self._task is not None:
            self._task.run()

    def cancel(self) -> None:
        with self._changed:
            self._task = None
            self._changed.notify_all()
