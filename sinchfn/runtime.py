"""SinchRuntime: all that a function's ``setup(runtime)`` may touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from .config import FunctionConfig
    from .injection import ServiceRegistry


class SinchRuntime:
    """What ``setup(runtime)`` gets, once, when the function is loaded.

    Narrow on purpose: nothing of it leads to the Flask app or its middleware.
    """

    __slots__ = ("_config", "_services")

    def __init__(self, services: ServiceRegistry, config: FunctionConfig) -> None:
        self._services = services
        self._config = config

    @property
    def services(self) -> ServiceRegistry:
        """The registry that controllers get their services from; the same as in ``configure_services``."""
        return self._services

    @property
    def config(self) -> FunctionConfig:
        """The function's settings and variables."""
        return self._config

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(f"the runtime has no {name} in this version of sinchfn: it has services and config")

    def __repr__(self) -> str:
        return f"<SinchRuntime of {self._config.function_name}>"
