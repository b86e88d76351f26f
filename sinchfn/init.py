"""SinchFunctionInit: what a function registers at start: services, routes, middleware."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .controllers import overridden, refuse_foreign
from .errors import Advised, FunctionError
from .places import place_of

if TYPE_CHECKING:
    from .config import FunctionConfig
    from .injection import ServiceRegistry
    from .invocation import Invocation

#: Calls what is inside of a middleware: the next one, or the handler. Gives what that returns.
CallNext = Callable[..., Any]

#: ``middleware(invocation, call_next)`` returns what is to be answered, as a handler does.
Middleware = Callable[["Invocation", CallNext], Any]

Mapped = TypeVar("Mapped", bound=Callable[..., Any])

#: The methods of `SinchFunctionInit` that a function overrides.
STEPS = ("configure_services", "configure_app")


class SinchApplication(Advised):
    """What ``configure_app`` may touch. It leads nowhere else: neither to the Flask app nor to the platform hooks."""

    __slots__ = ("_has_landing_page", "_mapped", "_middleware")

    _called = "the app"

    def __init__(self) -> None:
        self._has_landing_page = True
        self._mapped: list[tuple[str, str, Callable[..., Any]]] = []
        self._middleware: list[Middleware] = []

    @property
    def landing_page_enabled(self) -> bool:
        """True if ``/`` is a page that lists the handlers where the function has nothing else there.

        :raises FunctionError: it is set to anything but True or False.
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
        """``GET`` (and ``HEAD``) of `path` is answered by ``function(context, request)``.

        Variables in the path, as in Flask (``/orders/<int:id>``), come as keyword arguments. Without `function` it is a
        decorator. ``auth`` gates it by its name, and with it every other function that has the same one. The siblings
        ``map_post``, ``map_put``, ``map_patch`` and ``map_delete`` do it for their methods.

        :raises FunctionError: no path, or nothing to call. What does not fit together is told when all is read.
        """
        return self._map("GET", path, function)

    @overload
    def map_post(self, path: str, function: Mapped) -> Mapped: ...
    @overload
    def map_post(self, path: str) -> Callable[[Mapped], Mapped]: ...
    def map_post(self, path: str, function: Any = None) -> Any:
        """``POST``; see :meth:`map_get`."""
        return self._map("POST", path, function)

    @overload
    def map_put(self, path: str, function: Mapped) -> Mapped: ...
    @overload
    def map_put(self, path: str) -> Callable[[Mapped], Mapped]: ...
    def map_put(self, path: str, function: Any = None) -> Any:
        """``PUT``; see :meth:`map_get`."""
        return self._map("PUT", path, function)

    @overload
    def map_patch(self, path: str, function: Mapped) -> Mapped: ...
    @overload
    def map_patch(self, path: str) -> Callable[[Mapped], Mapped]: ...
    def map_patch(self, path: str, function: Any = None) -> Any:
        """``PATCH``; see :meth:`map_get`."""
        return self._map("PATCH", path, function)

    @overload
    def map_delete(self, path: str, function: Mapped) -> Mapped: ...
    @overload
    def map_delete(self, path: str) -> Callable[[Mapped], Mapped]: ...
    def map_delete(self, path: str, function: Any = None) -> Any:
        """``DELETE``; see :meth:`map_get`."""
        return self._map("DELETE", path, function)

    def use(self, middleware: Middleware) -> Middleware:
        """Let `middleware` run around every handler, the first one outermost. Also a decorator.

        ``middleware(invocation, call_next)`` returns what is to be answered, mostly ``call_next(invocation)``: what the
        handler returned. What it raises is treated as if the handler had raised it. It may be async: then ``call_next``
        has to be awaited. The platform hooks run outside of it: a refused request never comes here, and whatever it
        does, the usage record and the log line are written.

        :raises FunctionError: it cannot be called with these two.
        """
        _check_callable("use", middleware, "middleware(invocation, call_next)", 2)
        self._middleware.append(middleware)
        return middleware

    def _map(self, method: str, path: str, function: Any) -> Any:
        if not isinstance(path, str):
            raise FunctionError(f'map_{method.lower()} takes a path and a function: app.map_get("/custom", custom).')
        if function is None:
            return lambda given: self._map(method, path, given)
        _check_callable(f"map_{method.lower()}", function, "function(context, request)", 0)
        self._mapped.append((method, path, function))
        return function


class SinchFunctionInit:
    """What a function sets up at start. A subclass in the function is found by itself::

    class Init(SinchFunctionInit):
        def configure_services(self, services, config):
            services.add_singleton(Orders, lambda: Orders(config.require_variable("ORDERS_URL")))

        def configure_app(self, app):
            app.map_get("/version", version)
            app.use(timing)
    """

    def configure_services(self, services: ServiceRegistry, config: FunctionConfig) -> None:
        """Register what controllers get by their constructors."""

    def configure_app(self, app: SinchApplication) -> None:
        """Map routes, add middleware, switch the landing page."""


def find_init(module: ModuleType) -> SinchFunctionInit | None:
    """The function's init class, made; None if it has none.

    :raises FunctionError: it has several, or one that cannot be used.
    """
    found = {
        value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, SinchFunctionInit)
    }
    found.discard(SinchFunctionInit)
    found = {kind for kind in found if not any(kind in other.__mro__[1:] for other in found)}  # a base of another one
    if len(found) > 1:
        named = " and ".join(sorted(f"{kind.__name__} ({place_of(kind)})" for kind in found))
        raise FunctionError(f"{module.__file__} has several init classes: {named}. Make one of them.")
    if not found:
        return None
    [kind] = found
    refuse_foreign(kind, SinchFunctionInit, STEPS)
    overridden(kind, SinchFunctionInit, STEPS)
    return kind()


def _check_callable(method: str, value: object, shape: str, arity: int) -> None:
    problem = "" if callable(value) else f"found {value!r:.60}"
    if inspect.isclass(value):
        problem = f"found the class {value.__name__}: write app.{method}({value.__name__}())"
    elif callable(value) and arity and not _takes(value, arity):
        problem = f"found {inspect.signature(value)} ({place_of(value)})"
    if problem:
        raise FunctionError(f"app.{method}() takes a callable, {shape}; {problem}.")


def _takes(value: Callable[..., Any], arity: int) -> bool:
    try:
        inspect.signature(value).bind(*[None] * arity)
    except TypeError:
        return False
    except ValueError:  # written in C, without a signature to look at
        return True
    return True
