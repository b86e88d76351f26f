"""ServiceRegistry: registers the services of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import Advised
from .recipes import Key

if TYPE_CHECKING:
    from .catalogue import Override
    from .container import ServiceContainer

T = TypeVar("T")
V = TypeVar("V")


class ServiceRegistry(Advised):
    """The services of one function: ``services`` in ``configure_services``, ``runtime.services`` in ``setup``.

    A factory is a class or a function, which may be async. Its parameters get services by their annotations. A function
    whose only parameter has no annotation gets the resolver: ``lambda services: Repo(services.get(Db))``.

    When a service is closed, a generator function continues after its ``yield``, a context manager is left, and on any
    other service ``close()`` or ``aclose()`` is called. If a request failed, its exception is thrown into the
    generators of its scoped services, or passed to their ``__exit__``.
    """

    __slots__ = ("_container",)

    _called = "the registry"

    def __init__(self, container: ServiceContainer) -> None:
        self._container = container

    def add_singleton(self, service: Key[Any], factory: Callable[..., Any] | None = None) -> None:
        """Register a service that is made once per process, on first use, and closed at shutdown.

        The last registration of a type counts. A factory that raises is tried again the next time.

        :param service: the type to ask for; an abstract class or a protocol is fine.
        :param factory: makes the service; by default the class itself, whose constructor gets services too.
        :raises FunctionError: the factory cannot make anything, or the service was made already.
        """
        self._container.add_singleton(service, factory)

    def add_scoped(self, service: Key[Any], factory: Callable[..., Any] | None = None) -> None:
        """Register a service that is made once per request that uses it, and closed at the end of that request.

        See :meth:`add_singleton`.
        """
        self._container.add_scoped(service, factory)

    def add_value(self, service: Key[Any], value: Any) -> None:
        """Register an object that exists already. It stays yours: it is not closed here.

        :raises FunctionError: `service` is not a type, or was made already.
        """
        self._container.add_value(service, value)

    def override(self, service: Key[Any], value: V) -> Override[V]:
        """Replace a service by `value` from now on, for tests. As a context manager, until the end of the block.

        The service need not be registered, and may have been made already. The override takes precedence over
        everything else, also over the values of a request, and applies to all threads. While it is in force, singletons
        that need the service are made again; they are closed when it ends. A scoped service keeps what it was made
        with. `value` is not closed.

        :raises FunctionError: `service` is not a type, or has only the name of a type that is registered: the modules
            of a function are loaded for each app, so a test that imports one gets other classes.
        """
        return self._container.override(service, value)

    def get(self, service: Key[T]) -> T:
        """Return a singleton or a value, made if necessary. Scoped services are only available in a request.

        :raises FunctionError: the service is not registered.
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
