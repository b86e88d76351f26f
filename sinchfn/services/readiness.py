"""Readiness: whether the cache and the storage of a function answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ..forks import Forkable, across_forks
from .services import Services

_log = logging.getLogger("sinchfn")

#: Seconds for which a result is reused, so that frequent checks cost the backends nothing.
FRESH = 1.0

#: Seconds that the backends have to answer.
PATIENCE = 1.0

#: A key that is never written.
KEY = "sinchfn-ready"

#: The question to each backend.
PROBES: dict[str, Callable[[Services], Any]] = {
    "cache": lambda services: services.cache.get(KEY),
    "storage": lambda services: services.storage.exists(KEY),
}


class Readiness(Forkable):
    """Asks the backends of one function, at most once a second, and never waits longer than another for their answer.

    Anyone may request it, so only one thread asks and waits. The others get the last result.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.after_fork_in_child()
        across_forks(self)

    def after_fork_in_child(self) -> None:
        self._lock = threading.Lock()
        self._asked = -FRESH
        self._faults = ["The cache and the storage have not answered yet."]
        self._probes: dict[str, _Probe] = {}
        self._told: dict[str, str] = {}

    def faults(self) -> list[str]:
        """Return a sentence for each backend that does not answer."""
        if self._lock.acquire(blocking=False):
            try:
                if time.monotonic() - self._asked > FRESH:
                    self._faults = self._ask()
                    self._asked = time.monotonic()
            finally:
                self._lock.release()
        return self._faults

    def _ask(self) -> list[str]:
        for name, ask in PROBES.items():
            if name not in self._probes or self._probes[name].is_done.is_set():  # one that hangs is not asked again
                self._probes[name] = _Probe(ask, self._services)
        deadline = time.monotonic() + PATIENCE
        return [fault for name in PROBES if (fault := self._fault_of(name, deadline - time.monotonic())) is not None]

    def _fault_of(self, name: str, patience: float) -> str | None:
        probe = self._probes[name]
        is_done = probe.is_done.wait(max(0.0, patience))
        if is_done and probe.failure is None:
            if self._told.pop(name, None):
                _log.info("The %s answers again.", name)
            return None
        why = f"{type(probe.failure).__name__}: {probe.failure}" if is_done else f"no answer within {PATIENCE:g} s"
        if self._told.get(name) != why:  # once, and again when it changes, because anybody may ask
            self._told[name] = why
            _log.warning("The %s does not answer: %s", name, why)
        return f"The {name} does not answer."


class _Probe:
    """One question to one backend, on a thread of its own."""

    def __init__(self, ask: Callable[[Services], Any], services: Services) -> None:
        self.is_done = threading.Event()
        self.failure: Exception | None = None
        self._ask = ask
        self._services = services
        threading.Thread(target=self._run, name="sinchfn-ready", daemon=True).start()

    def _run(self) -> None:
        try:
            self._ask(self._services)
        except Exception as error:
            self.failure = error
        finally:
            self.is_done.set()
