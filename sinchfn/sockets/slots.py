"""Slots: how many sockets of a function may be open in one process."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from ..forks import Forkable, across_forks
from .carrier import CARRIER, guarded
from .connection import Connection
from .frames import GOING_AWAY

#: What peers are told when their sockets are closed for it.
STOPPING = "the server is stopping"

#: Seconds, at most, between two looks at whether the sockets that are closed come to their end.
LOOK = 0.5

#: The part of the time to end that is kept for ``on_close``, when peers do not answer.
LAST = 0.5


class Run(Protocol):
    """What a slot is taken for: a socket that is run, and leaves a record."""

    def end_apart(self) -> None:
        """End it without the thread of the callbacks, and without waiting for its peer."""

    def cut_off(self) -> None:
        """Record it as it is, unless that was done: what it waits for does not come."""


class Slots(Forkable):
    """The open sockets of one function in one process: no more than so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begin_anew()
        across_forks(self)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0
        self._open: dict[Connection, Run] = {}
        self._is_closing = False
        self._is_cut_off = False
        self._all_gone = threading.Condition(self._lock)

    def after_fork_in_child(self) -> None:
        # The sockets are the parent's.
        self._begin_anew()

    def take(self) -> bool:
        """Whether there was one: not when all are taken, or the process is about to end."""
        with self._lock:
            is_free = self._taken < self._most and not self._is_closing
            self._taken += is_free
        return is_free

    def give_back(self, connection: Connection | None = None) -> None:
        """One is free again."""
        with self._lock:
            self._taken -= 1
            if connection is not None:
                self._open.pop(connection, None)
            self._all_gone.notify_all()

    def add(self, connection: Connection, run: Run) -> None:
        """It is open, in a slot that was taken for it."""
        with self._lock:
            self._open[connection] = run
            is_closing = self._is_closing
        if is_closing:
            connection.close(GOING_AWAY, STOPPING)

    def close_all(self) -> None:
        """Close all with 1001. No more are opened."""
        with self._lock:
            self._is_closing = True
            connections = list(self._open)
        for connection in connections:
            connection.close(GOING_AWAY, STOPPING)

    def see_off(self, patience: float) -> None:
        """Wait so many seconds for the handlers of those that are closed. Each leaves a record, also one that hangs.

        Where a callback hangs, the other sockets of its thread are ended without it.
        """
        began = time.monotonic()
        while (left := began + (1 - LAST) * patience - time.monotonic()) > 0:
            asked = CARRIER.ask()
            if self._wait(min(left, LOOK, patience / 4)):
                return
            if not CARRIER.has_answered(asked):
                for _, run in self._left():
                    run.end_apart()
        for connection, run in self._left():
            connection.hurry()
            run.end_apart()
        if not self._wait(max(0.0, began + patience - time.monotonic())):
            for _, run in self._left():
                guarded(run.cut_off)
            self._is_cut_off = True

    def _wait(self, seconds: float) -> bool:
        with self._lock:
            return self._all_gone.wait_for(lambda: not self._taken or self._is_cut_off, seconds)

    def _left(self) -> list[tuple[Connection, Run]]:
        with self._lock:
            return list(self._open.items())
