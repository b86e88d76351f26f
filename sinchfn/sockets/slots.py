"""Slots: how many sockets of a function may be open in one process."""

from __future__ import annotations

import threading

from ..forks import Forkable, across_forks
from .connection import Connection
from .frames import GOING_AWAY

#: What peers are told when their sockets are closed for it.
STOPPING = "the server is stopping"


class Slots(Forkable):
    """The open sockets of one function in one process: no more than so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begin_anew()
        across_forks(self)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0
        self._open: set[Connection] = set()
        self._is_closing = False
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
                self._open.discard(connection)
            self._all_gone.notify_all()

    def add(self, connection: Connection) -> None:
        """It is open, in a slot that was taken for it."""
        with self._lock:
            self._open.add(connection)
            is_closing = self._is_closing
        if is_closing:
            connection.close(GOING_AWAY, STOPPING)

    def close_all(self, patience: float) -> None:
        """Close all with 1001, and wait so many seconds for their handlers to end. No more are opened."""
        with self._lock:
            self._is_closing = True
            connections = list(self._open)
        for connection in connections:
            connection.close(GOING_AWAY, STOPPING)
        with self._lock:
            self._all_gone.wait_for(lambda: not self._taken, patience)
