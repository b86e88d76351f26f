"""ServiceRegistry: what a function is given to register its services with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Advised
from .keys import Key

if TYPE_CHECKING:
    from .container import ServiceContainer
    from .overrides import Override

T = TypeVar("T")
V = TypeVar("V")


class ServiceRegistry(Advised):
    """The services of one function: ``services`` in ``configure_services``, ``runtime.services`` in ``setup``.

    A factory is a class or a function. What it wants is put into its parameters by their annotations; a function whose
    one parameter has no annotation gets the resolver: ``lambda services: Repo(services.get(Db))``. A generator function
    goes on after its ``yield`` when the service is closed; else a context manager is left, or ``close()`` or
    ``aclose()`` called. If a request failed, its exception is thrown into the generators of its scoped services, or
    handed to their ``__exit__``.
    """

    __slots__ = ("_container",)

    _called = "the registry"

    def __init__(self, container: ServiceContainer) -> None:
        self._container = container

    def add_singleton(self, service: Key[Any], factory: Callable[..., Any] | None = None) -> None:
        """Make one per process, when it is first wanted, and close it at shutdown.

        The last registration of a type counts. A factory that raises is tried again the next time.

        :param service: the type that it is asked for by; an abstract class or a protocol will do.
        :param factory: what makes it; unless told the class itself, whose constructor's arguments are services too.
        :raises FunctionError: nothing can be made like that, or it was made already.
        """
        self._container.add_singleton(service, factory)

    def add_scoped(self, service: Key[Any], factory: Callable[..., Any] | None = None) -> None:
        """Make one per request that wants it, and close it at the end of the request. See :meth:`add_singleton`."""
        self._container.add_scoped(service, factory)

    def add_value(self, service: Key[Any], value: Any) -> None:
        """Have a service that is there already. It stays yours: it is not closed here.

        :raises FunctionError: `service` is no type, or was made already.
        """
        self._container.add_value(service, value)

    def override(self, service: Key[Any], value: V) -> Override[V]:
        """Let `value` stand for a service from now on; in tests. As a context manager it is taken back at the end.

        Singletons that need the service are made again while the override is in force, and closed when it ends. All
        threads see it.

        :raises FunctionError: `service` is no type, or not the one that is registered under its name.
        """
        return self._container.override(service, value)

    def get(self, service: Key[T]) -> T:
        """A singleton or value, made if need be. Scoped services are to be had in a request only.

        :raises FunctionError: there is none.
        """
        return self._container.get(service)

    @property
    def registered(self) -> list[str]:
        """The names of all services, sorted."""
        return self._container.registered

    def __contains__(self, service: object) -> bool:
        return service in self._container

    def __repr__(self) -> str:
        return f"<ServiceRegistry: {', '.join(self.registered) or 'nothing registered'}>"
