"""Set-up of a function at start: the steps of its init class, and ``setup(runtime)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, overload

from ..config.config import FunctionConfig
from ..errors import Advised, FunctionError, StartupError, place_of
from ..services.coroutines import awaited
from ..services.injection.container import ServiceContainer
from ..services.injection.registry import ServiceRegistry
from .declared_routes import DeclaredRoute, mapped_route
from .loading import cause_of, folder_of
from .overrides import Overrides
from .parameters import accepts, describe_callable, is_generator
from .runtime import DeclaredSocket, ProcessHook, SinchRuntime

if TYPE_CHECKING:
    from .invocation import Invocation

#: Runs the next middleware, or the handler, and returns its value.
CallNext = Callable[..., Any]

#: ``middleware(invocation, call_next)``. Returns an answer, as a handler does.
Middleware = Callable[["Invocation", CallNext], Any]

Mapped = TypeVar("Mapped", bound=Callable[..., Any])

#: The methods of ``SinchFunctionInit`` that a function overrides.
STEPS = ("configure_services", "configure_app")


class SinchApplication(Advised):
    """The argument of ``configure_app``. It does not lead to the Flask app or to the platform hooks."""

    __slots__ = ("_has_landing_page", "_mapped", "_middleware")

    _called = "the app"

    def __init__(self) -> None:
        self._has_landing_page = True
        self._mapped: list[tuple[str, str, Callable[..., Any]]] = []
        self._middleware: list[Middleware] = []

    @property
    def landing_page_enabled(self) -> bool:
        """True if ``/`` is a page that lists the handlers, unless the function serves something else there.

        :raises FunctionError: the new value is not True or False.
        """
        return self._has_landing_page

    @landing_page_enabled.setter
    def landing_page_enabled(self, enabled: bool) -> None:
        if not isinstance(enabled, bool):
            raise FunctionError(f"app.landing_page_enabled takes True or False; found {enabled!r:.60}.")
        self._has_landing_page = enabled

    @overload
    def map_get(self, path: str, function: Mapped) -> Mapped: ...
    @overload
    def map_get(self, path: str) -> Callable[[Mapped], Mapped]: ...
    def map_get(self, path: str, function: Any = None) -> Any:
        """Answer ``GET`` (and ``HEAD``) requests to ``path`` with ``function(context, request)``.

        Variables in the path, as in Flask (``/orders/<int:id>``), are passed as keyword arguments. Without ``function``
        this is a decorator. An entry in ``auth`` with the name of the function gates it, and every other function of
        that name. ``map_post``, ``map_put``, ``map_patch`` and ``map_delete`` do the same for their methods.

        :raises FunctionError: the path is not a string, or the function cannot be called. Conflicts with other
            endpoints are found later, when the whole function has been read.
        """
        return self._map("GET", path, function)

    @overload
    def map_post(self, path: str, function: Mapped) -> Mapped: ...
    @overload
    def map_post(self, path: str) -> Callable[[Mapped], Mapped]: ...
    def map_post(self, path: str, function: Any = None) -> Any:
        """Answer ``POST`` requests; see :meth:`map_get`."""
        return self._map("POST", path, function)

    @overload
    def map_put(self, path: str, function: Mapped) -> Mapped: ...
    @overload
    def map_put(self, path: str) -> Callable[[Mapped], Mapped]: ...
    def map_put(self, path: str, function: Any = None) -> Any:
        """Answer ``PUT`` requests; see :meth:`map_get`."""
        return self._map("PUT", path, function)

    @overload
    def map_patch(self, path: str, function: Mapped) -> Mapped: ...
    @overload
    def map_patch(self, path: str) -> Callable[[Mapped], Mapped]: ...
    def map_patch(self, path: str, function: Any = None) -> Any:
        """Answer ``PATCH`` requests; see :meth:`map_get`."""
        return self._map("PATCH", path, function)

    @overload
    def map_delete(self, path: str, function: Mapped) -> Mapped: ...
    @overload
    def map_delete(self, path: str) -> Callable[[Mapped], Mapped]: ...
    def map_delete(self, path: str, function: Any = None) -> Any:
        """Answer ``DELETE`` requests; see :meth:`map_get`."""
        return self._map("DELETE", path, function)

    def use(self, middleware: Middleware) -> Middleware:
        """Run ``middleware`` around every handler, the first one outermost. Also a decorator.

        ``middleware(invocation, call_next)`` returns the answer. ``call_next(invocation)`` runs the handler and returns
        its value. An exception of the middleware is treated as one of the handler. The middleware may be async: then
        ``call_next`` has to be awaited. The platform hooks run outside of it: a refused request never reaches it, and
        the usage record and the log line are always written.

        :raises FunctionError: the middleware cannot be called with these two arguments.
        """
        _check_callable("use", middleware, "middleware(invocation, call_next)", count=2)
        self._middleware.append(middleware)
        return middleware

    def _map(self, method: str, path: str, function: Any) -> Any:
        if not isinstance(path, str):
            raise FunctionError(f'map_{method.lower()} takes a path and a function: app.map_get("/custom", custom).')
        if function is None:
            return lambda given: self._map(method, path, given)
        _check_callable(f"map_{method.lower()}", function, "function(context, request)")
        self._mapped.append((method, path, function))
        return function


class SinchFunctionInit:
    """The base class for the set-up of a function. A subclass in the function's module is found automatically::

    class Init(SinchFunctionInit):
        def configure_services(self, services, config):
            services.add_singleton(Orders, lambda: Orders(config.require_variable("ORDERS_URL")))

        def configure_app(self, app):
            app.map_get("/version", version)
            app.use(timing)
    """

    def configure_services(self, services: ServiceRegistry, config: FunctionConfig) -> None:
        """Register the services that the constructors of controllers take."""

    def configure_app(self, app: SinchApplication) -> None:
        """Map routes, add middleware, turn the landing page on or off."""


@dataclass(frozen=True, slots=True)
class Registered:
    """Everything that a function has registered."""

    routes: tuple[DeclaredRoute, ...]
    middleware: tuple[Middleware, ...]
    has_landing_page: bool
    startup: tuple[ProcessHook, ...]
    shutdown: tuple[ProcessHook, ...]
    sockets: tuple[DeclaredSocket, ...]

    @property
    def used(self) -> tuple[Any, ...]:
        """The functions that were registered for something, and are therefore not endpoints."""
        given = (*(hook.function for hook in (*self.startup, *self.shutdown)), *(each.handler for each in self.sockets))
        return (*self.middleware, *given)


def set_up(module: ModuleType, container: ServiceContainer, config: FunctionConfig) -> Registered:
    """Let the function register its services, routes, middleware, start-up and shutdown functions and sockets.

    :raises StartupError: a step failed; the message says where.
    """
    application, services = SinchApplication(), ServiceRegistry(container)
    init = _step(module, "The init class", lambda: find_init(module)) or SinchFunctionInit()
    name = type(init).__name__
    _step(module, f"{name}.configure_services", lambda: init.configure_services(services, config))
    runtime = SinchRuntime(services, config)
    setup: Any = getattr(module, "setup", None)
    if "setup" in vars(module) and not isinstance(setup, ModuleType):
        if (problem := _problem_of(setup)) is not None:
            raise FunctionError(f'"setup" in {module.__file__} {problem}. Write: def setup(runtime): ...')
        _step(module, f'"setup" ({place_of(setup)})', lambda: setup(runtime))
    runtime._end()
    _step(module, f"{name}.configure_app", lambda: init.configure_app(application))
    return Registered(
        tuple(mapped_route(*mapped) for mapped in application._mapped),
        tuple(application._middleware),
        application.landing_page_enabled,
        tuple(runtime._startup),
        tuple(runtime._shutdown),
        tuple(runtime._sockets),
    )


def is_init(value: object) -> TypeGuard[type[SinchFunctionInit]]:
    """Return True for an init class, and for the base class itself."""
    return inspect.isclass(value) and issubclass(value, SinchFunctionInit)


def find_init(module: ModuleType) -> SinchFunctionInit | None:
    """Return an instance of the function's init class; None if it has none.

    :raises FunctionError: there are several init classes, or the only one cannot be used.
    """
    found = {value for value in vars(module).values() if is_init(value) and value is not SinchFunctionInit}
    found = {kind for kind in found if not any(kind in other.__mro__[1:] for other in found)}  # without base classes
    if len(found) > 1:
        named = " and ".join(sorted(f"{kind.__name__} ({place_of(kind)})" for kind in found))
        raise FunctionError(f"{module.__file__} has several init classes: {named}. Merge them into one.")
    if not found:
        return None
    [kind] = found
    Overrides(kind, SinchFunctionInit, STEPS).checked()
    return kind()


def _check_callable(method: str, value: object, shape: str, count: int | None = None) -> None:
    """Refuse a class, and a value that cannot be called, with ``count`` arguments if given."""
    if callable(value) and not inspect.isclass(value) and (count is None or accepts(value, count)):
        return
    remedy = f": write app.{method}({value.__name__}())" if inspect.isclass(value) else ""
    raise FunctionError(f"app.{method}() takes a callable, {shape}; found {describe_callable(value)}{remedy}.")


def _problem_of(setup: Any) -> str | None:
    """Return the reason why ``setup(runtime)`` cannot be called or would do nothing; None if it is right."""
    if isinstance(setup, type):
        return "is a class"
    if not callable(setup):
        return f"is {setup!r:.60}, not a function"
    if is_generator(setup):
        return 'is a generator function and would never run; remove the "yield"'
    return None if accepts(setup, 1) else f"takes {inspect.signature(setup)}, but is called with the runtime alone"


def _step(module: ModuleType, what: str, run: Callable[[], Any]) -> Any:
    try:
        return awaited(run())
    except (StartupError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # also sys.exit(), which must not look like a successful start
        raise FunctionError(
            f"{what} of {module.__file__} failed\n  {cause_of(error, folder_of(module))}\n  "
            "Fix that line: it runs once at start, before any call."
        ) from error
