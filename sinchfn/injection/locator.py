"""Where svcs comes in: its registry knows what can be made, its containers keep what was made and close it in order.

It is imported when the first service is registered or made, not before: with the frameworks that it integrates with
where they are installed, it takes a tenth of a second.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svcs import Container, Registry

    from .held import Held


class Locator:
    """The svcs registry behind a registry of services."""

    def __init__(self, make: Callable[[], Held]) -> None:
        """:param make: makes the service that is wanted in this context."""
        self._make = make
        self._registry: Registry | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether svcs was needed yet."""
        return self._registry is not None

    def container(self) -> Container:
        """A new container, empty."""
        from svcs import Container

        return Container(self.load())

    def load(self) -> Registry:
        """Import svcs unless that was done. Its integrations may warn of packages that nobody here uses."""
        if self._registry is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from svcs import Registry
            self._registry = Registry()
        return self._registry

    def make(self, container: Container, key: Any) -> Any:
        """Let the container make a service and keep it."""
        registry = container.registry
        if key not in registry:
            registry.register_factory(key, self._make)
        return container.get(key)
