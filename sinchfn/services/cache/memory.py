"""The cache of one process: a dict. It ends with the process and is not shared with others."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from pathlib import Path
from typing import NamedTuple

from ...forks import Forkable, across_forks
from .cache import Backend, added

#: How many expired entries one call frees at most, besides its own.
SWEEP = 32


def open_backend(url: str, folder: Path) -> Backend:
    """Return a new, empty cache."""
    return MemoryBackend()


class _Entry(NamedTuple):
    text: str
    #: when it expires, on the monotonic clock
    deadline: float

    @property
    def second(self) -> int:
        """The first full second at which it has expired."""
        return math.ceil(self.deadline)


class MemoryBackend(Backend, Forkable):
    """JSON texts in a dict, under one lock.

    Names are grouped by the second in which they expire. Every call frees a few of those whose second has passed.
    """

    place = "memory:"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clear()
        across_forks(self)

    def _clear(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._due: dict[int, set[str]] = {}
        #: the keys of `_due`, as a heap
        self._seconds: list[int] = []

    def get(self, name: str) -> str | None:
        with self._lock:
            entry = self._find(name)
        return None if entry is None else entry.text

    def get_many(self, names: Sequence[str]) -> list[str | None]:
        with self._lock:
            entries = [self._find(name) for name in names]
        return [None if entry is None else entry.text for entry in entries]

    def has(self, name: str) -> bool:
        return self.get(name) is not None

    def set(self, name: str, text: str, milliseconds: int) -> None:
        with self._lock:
            self._put(name, text, self._sweep() + milliseconds / 1000)

    def delete(self, name: str) -> bool:
        with self._lock:
            found = self._find(name) is not None
            self._remove(name)
        return found

    def extend(self, name: str, milliseconds: int) -> bool:
        with self._lock:
            entry = self._find(name)
            if entry is not None:
                self._put(name, entry.text, time.monotonic() + milliseconds / 1000)
        return entry is not None

    def increment(self, name: str, by: int, milliseconds: int) -> int:
        with self._lock:
            entry = self._find(name)
            total = by if entry is None else added(entry.text, by)
            deadline = time.monotonic() + milliseconds / 1000 if entry is None else entry.deadline
            self._put(name, str(total), deadline)
        return total

    def names(self, prefix: str) -> Iterable[str]:
        with self._lock:
            now = self._sweep()
            return [name for name, entry in self._entries.items() if entry.deadline > now and name.startswith(prefix)]

    def close(self) -> None:
        with self._lock:
            self._clear()

    def after_fork_in_child(self) -> None:
        # A thread that is not here may have held the lock, and have been in the middle of a change.
        self._lock = threading.Lock()
        entries = self._entries
        self._clear()
        for name, entry in entries.items():
            self._put(name, entry.text, entry.deadline)

    # --- with the lock held ---------------------------------------------------------------------------------------

    def _find(self, name: str) -> _Entry | None:
        now = self._sweep()
        entry = self._entries.get(name)
        if entry is None or entry.deadline > now:
            return entry
        self._remove(name)
        return None

    def _put(self, name: str, text: str, deadline: float) -> None:
        self._remove(name)
        entry = self._entries[name] = _Entry(text, deadline)
        if entry.second not in self._due:
            self._due[entry.second] = set()
            heappush(self._seconds, entry.second)
        self._due[entry.second].add(name)

    def _remove(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._due[entry.second].discard(name)

    def _sweep(self) -> float:
        """Free a few of the entries that have expired. Returns the time."""
        now = time.monotonic()
        for _ in range(SWEEP):
            if not self._seconds or self._seconds[0] > now:
                break
            names = self._due[self._seconds[0]]
            if names:
                del self._entries[names.pop()]
            else:
                del self._due[heappop(self._seconds)]
        return now
