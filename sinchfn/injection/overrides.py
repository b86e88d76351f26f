"""Overrides: services that tests put in the place of others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class Overrides:
    """The values that are in force instead of services. Several for one service: the latest is."""

    def __init__(self, at_end: Callable[[Override[Any]], None]) -> None:
        self._at_end = at_end
        #: What is in force, by what it is asked for. Read without a lock.
        self.in_force: dict[Any, Any] = {}
        self.lock = threading.Lock()
        self._entries: dict[Any, list[Override[Any]]] = {}

    def affecting(self, keys: Collection[Any]) -> frozenset[Override[Any]]:
        """Those of the overrides in force that stand for one of these services."""
        if not self.in_force:
            return frozenset()
        with self.lock:
            return frozenset(entries[-1] for key, entries in self._entries.items() if entries and key in keys)

    def put(self, entry: Override[Any]) -> None:
        """It is in force from now on; nothing happens if it was put before."""
        with self.lock:
            entries = self._entries.setdefault(entry.key, [])
            if entry not in entries:
                entries.append(entry)
                self.in_force[entry.key] = entry.value

    def take(self, entry: Override[Any]) -> None:
        """It no longer counts, whether it is the latest or not. What was made with it is closed."""
        with self.lock:
            entries = self._entries.get(entry.key, [])
            if entry in entries:
                entries.remove(entry)
            if entries:
                self.in_force[entry.key] = entries[-1].value
            else:
                self.in_force.pop(entry.key, None)
        self._at_end(entry)


class Override(Generic[V]):
    """A value in the place of a service, from the call of ``override`` on.

    As a context manager it gives the value, and takes it back at the end: what was in force before is again. Blocks may
    end in any order. Singletons that need the service are made again while the override is in force, and closed at its
    end; those that were made before are there again then.
    """

    __slots__ = ("_overrides", "key", "value")

    def __init__(self, overrides: Overrides, key: Any, value: V) -> None:
        self._overrides = overrides
        self.key = key
        self.value = value
        overrides.put(self)

    def __enter__(self) -> V:
        self._overrides.put(self)
        return self.value

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._overrides.take(self)
