"""SinchRuntime: the object that a function's ``setup(runtime)`` gets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..errors import Advised, FunctionError
from .parameters import accepts, describe_callable, is_generator
from .routes import pattern_of, variables_of

if TYPE_CHECKING:
    from ..config.config import FunctionConfig
    from ..services.injection.registry import ServiceRegistry

Hook = TypeVar("Hook", bound=Callable[..., Any])

#: The attributes of a runtime, to suggest in place of wrong ones.
OFFERED = ("on_startup", "on_shutdown", "on_websocket", "services", "config")

#: Names in other libraries that a comparison of spellings does not lead to the right attribute.
ELSEWHERE = {"on_stop": "on_shutdown", "on_exit": "on_shutdown", "on_start": "on_startup", "websocket": "on_websocket"}

#: The functions that each method takes, as messages show them.
SHAPES = {
    "on_startup": "fn(context)",
    "on_shutdown": "fn(context)",
    "on_websocket": "fn(ws, request), with the variables of the path as keyword arguments",
}


@dataclass(frozen=True, slots=True)
class ProcessHook:
    """A function that runs when a process starts or ends."""

    #: ``function(context)``, or ``function()``
    function: Callable[..., Any]
    takes_context: bool

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


@dataclass(frozen=True, slots=True)
class DeclaredSocket:
    """A path at which the function takes WebSockets."""

    #: below the function's mount; may have variables, as a route of Flask
    path: str
    #: ``handler(ws, request)``, with the variables as keyword arguments
    handler: Callable[..., Any]
    is_protected: bool

    @property
    def name(self) -> str:
        return getattr(self.handler, "__name__", type(self.handler).__name__)


class SinchRuntime(Advised):
    """The argument of a function's ``setup(runtime)``, which runs once, when the function is loaded::

        def setup(runtime):
            runtime.on_startup(warm_up)

            @runtime.on_websocket("/stream")
            def stream(ws, request):
                for message in ws:
                    ws.send(message)

    It is narrow on purpose: it does not lead to the Flask app or its middleware.
    """

    __slots__ = ("_awaited", "_config", "_is_over", "_services", "_shutdown", "_sockets", "_startup")

    _called = "the runtime"
    _offered = OFFERED
    _elsewhere = ELSEWHERE

    def __init__(self, services: ServiceRegistry, config: FunctionConfig) -> None:
        self._services = services
        self._config = config
        self._startup: list[ProcessHook] = []
        self._shutdown: list[ProcessHook] = []
        self._sockets: list[DeclaredSocket] = []
        #: paths whose decorator has not been used yet
        self._awaited: list[str] = []
        self._is_over = False

    @property
    def services(self) -> ServiceRegistry:
        """The registry from which controllers get their services; the same one as in ``configure_services``."""
        return self._services

    @property
    def config(self) -> FunctionConfig:
        """The function's settings and variables."""
        return self._config

    def on_startup(self, function: Hook) -> Hook:
        """Run ``function(context)`` in every worker process before it takes its first request. Also a decorator.

        Functions run in the order of registration; async ones are run to completion. A function that raises stops the
        worker, and gunicorn with it, under the hooks of our ``gunicorn.conf.py``. In any other server the functions run
        before the first request is answered, and while one fails, every request is answered 503. The function may do
        without the context.

        :raises FunctionError: the function cannot be called like this.
        """
        self._startup.append(self._process_hook("on_startup", function))
        return function

    def on_shutdown(self, function: Hook) -> Hook:
        """Run ``function(context)`` in every worker process that ends, in reverse order. Also a decorator.

        Functions run after the sockets were closed and the requests answered, and only in a process whose start-up
        functions have run. An exception is logged, and the other functions still run.

        :raises FunctionError: the function cannot be called like this.
        """
        self._shutdown.append(self._process_hook("on_shutdown", function))
        return function

    @overload
    def on_websocket(self, path: str, function: Hook, *, protected: bool = True) -> Hook: ...
    @overload
    def on_websocket(self, path: str, *, protected: bool = True) -> Callable[[Hook], Hook]: ...
    def on_websocket(self, path: str, function: Any = None, *, protected: bool = True) -> Any:
        """Handle WebSockets at ``path`` with ``function(ws, request)``; see :class:`~sinchfn.WebSocket`.

        Variables in the path, as in Flask (``/rooms/<int:id>``), are passed as keyword arguments. Without ``function``
        this is a decorator.

        :param path: below the function's mount; begins with a slash.
        :param protected: accept only sockets with the token that ``connect_stream(path)`` writes into the URL: once,
            within 120 seconds. False opens the path to anybody.
        :raises FunctionError: the path or the function cannot be used. Conflicts with other endpoints are found later,
            when the whole function has been read.
        """
        if callable(path):
            raise FunctionError('on_websocket takes a path first: write @runtime.on_websocket("/stream").')
        if not isinstance(path, str) or not path.startswith("/"):
            raise FunctionError(
                "on_websocket takes a path that begins with a slash, and a function: "
                f'runtime.on_websocket("/stream", stream); found {path!r:.60}.'
            )
        if not isinstance(protected, bool):
            raise FunctionError(f"on_websocket takes protected=True or protected=False; found {protected!r:.60}.")
        self._refuse_late("on_websocket")
        if function is None:
            return self._decorator(path, protected)
        # At most one open end, because Flask matches these paths, however long they are.
        named = variables_of(path, f"runtime.on_websocket ({describe_callable(function)})", path, most_open_ends=1)
        if not _can_run(function, 2, named):
            raise _misfit("on_websocket", function)
        # A slash at the end makes no difference to the URLs that match.
        if any(pattern_of(known.path.rstrip("/")) == pattern_of(path.rstrip("/")) for known in self._sockets):
            raise FunctionError(f"Two functions handle the sockets at {path}: give one of them another path.")
        self._sockets.append(DeclaredSocket(path, function, protected))
        return function

    def _decorator(self, path: str, protected: bool) -> Callable[[Any], Any]:
        self._awaited.append(path)

        def register(function: Any) -> Any:
            if function is None:
                raise _misfit("on_websocket", function)
            self.on_websocket(path, function, protected=protected)
            self._awaited.remove(path)
            return function

        return register

    def _end(self) -> None:
        """Refuse further registrations.

        :raises FunctionError: a path was left without a function.
        """
        self._is_over = True
        if self._awaited:
            raise FunctionError(
                f'runtime.on_websocket("{self._awaited[0]}") got no function: pass it as the second argument, '
                "or use on_websocket as a decorator."
            )

    def _process_hook(self, name: str, function: Any) -> ProcessHook:
        self._refuse_late(name)
        for count in (1, 0):
            if _can_run(function, count):
                return ProcessHook(function, takes_context=bool(count))
        raise _misfit(name, function)

    def _refuse_late(self, name: str) -> None:
        if self._is_over:
            raise FunctionError(f"runtime.{name}() can only be called inside setup(runtime).")

    def __repr__(self) -> str:
        return f"<SinchRuntime of {self._config.function_name}>"


def _can_run(function: object, count: int, named: Sequence[str] = ()) -> bool:
    """Return True if a call with these arguments runs code of the function: not of a class, nor of a generator."""
    return (
        callable(function)
        and not inspect.isclass(function)
        and not is_generator(function)
        and accepts(function, count, named)
    )


def _misfit(name: str, function: object) -> FunctionError:
    more = ", a generator function, which would never run" if is_generator(function) else ""
    return FunctionError(f"runtime.{name} takes a function, {SHAPES[name]}; found {describe_callable(function)}{more}.")
