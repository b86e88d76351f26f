"""SinchRuntime: all that a function's ``setup(runtime)`` may touch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .controllers.rules import pattern_of, variables_of
from .errors import Advised, FunctionError
from .places import place_of

if TYPE_CHECKING:
    from .config import FunctionConfig
    from .injection import ServiceRegistry

Hook = TypeVar("Hook", bound=Callable[..., Any])

#: What a function may use.
OFFERED = ("on_startup", "on_shutdown", "on_websocket", "services", "config")

#: Names of others for the same, where no spelling tells.
ELSEWHERE = {"on_stop": "on_shutdown", "on_exit": "on_shutdown", "on_start": "on_startup", "websocket": "on_websocket"}

#: What each of them takes, as a message shows it.
SHAPES = {
    "on_startup": "fn(context)",
    "on_shutdown": "fn(context)",
    "on_websocket": "fn(ws, request), and the variables of the path by their names",
}


@dataclass(frozen=True, slots=True)
class ProcessHook:
    """A function that is to run when a process starts, or ends."""

    #: ``function(context)``, or without it
    function: Callable[..., Any]
    takes_context: bool

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


@dataclass(frozen=True, slots=True)
class DeclaredSocket:
    """A path at which the function takes WebSockets."""

    #: below the function's mount; may have variables, as a route of Flask's
    path: str
    #: ``handler(ws, request)``, and the variables by their names
    handler: Callable[..., Any]
    is_protected: bool

    @property
    def name(self) -> str:
        return getattr(self.handler, "__name__", type(self.handler).__name__)


class SinchRuntime(Advised):
    """What ``setup(runtime)`` gets, once, when the function is loaded::

        def setup(runtime):
            runtime.on_startup(warm_up)

            @runtime.on_websocket("/stream")
            def stream(ws, request):
                for message in ws:
                    ws.send(message)

    Narrow on purpose: nothing of it leads to the Flask app or its middleware.
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
        self._awaited: list[str] = []
        self._is_over = False

    @property
    def services(self) -> ServiceRegistry:
        """The registry that controllers get their services from; the same as in ``configure_services``."""
        return self._services

    @property
    def config(self) -> FunctionConfig:
        """The function's settings and variables."""
        return self._config

    def on_startup(self, function: Hook) -> Hook:
        """Run ``function(context)`` in every worker process before it takes its first request. Also a decorator.

        In the order of registration; async ones are run to their end. One that raises stops the worker, and gunicorn
        with it, under the hooks of our ``gunicorn.conf.py``. In any other server it runs before the first request is
        answered, and while it fails every request is answered 503. The function need not take the context.

        :raises FunctionError: it cannot be called so.
        """
        self._startup.append(self._process_hook("on_startup", function))
        return function

    def on_shutdown(self, function: Hook) -> Hook:
        """Run ``function(context)`` in every worker process that ends, in reverse order. Also a decorator.

        After its sockets were closed and its requests answered. Only in a process whose start-up functions have run;
        one that raises is logged, and the others run all the same.

        :raises FunctionError: it cannot be called so.
        """
        self._shutdown.append(self._process_hook("on_shutdown", function))
        return function

    @overload
    def on_websocket(self, path: str, function: Hook, *, protected: bool = True) -> Hook: ...
    @overload
    def on_websocket(self, path: str, *, protected: bool = True) -> Callable[[Hook], Hook]: ...
    def on_websocket(self, path: str, function: Any = None, *, protected: bool = True) -> Any:
        """Take WebSockets at `path` with ``function(ws, request)``; see :class:`~sinchfn.WebSocket`.

        Variables in the path, as in Flask (``/rooms/<int:id>``), come as keyword arguments. Without `function` it is a
        decorator.

        :param path: below the function's mount, with a slash at its begin.
        :param protected: take only sockets with the token that ``connect_stream(path)`` writes into the URL: once,
            within 120 seconds. False opens the path to anybody.
        :raises FunctionError: no path, or nothing to call. What does not fit together is told when all is read.
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
        # One open end at most: Flask matches these paths, however long they are.
        named = variables_of(path, f"runtime.on_websocket ({_found(function)})", path, most_open_ends=1)
        if not _takes(function, 2, named):
            raise _misfit("on_websocket", function)
        if any(_pattern(known.path) == _pattern(path) for known in self._sockets):
            raise FunctionError(f"Two functions take the sockets at {path}: give one of them another path.")
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
        """What is set up by now is all.

        :raises FunctionError: a path was left without a function.
        """
        self._is_over = True
        if self._awaited:
            raise FunctionError(
                f'runtime.on_websocket("{self._awaited[0]}") got no function: give it as the second argument, '
                "or write it as a decorator."
            )

    def _process_hook(self, name: str, function: Any) -> ProcessHook:
        self._refuse_late(name)
        for arity in (1, 0):
            if _takes(function, arity):
                return ProcessHook(function, takes_context=bool(arity))
        raise _misfit(name, function)

    def _refuse_late(self, name: str) -> None:
        if self._is_over:
            raise FunctionError(f"runtime.{name} is for setup(runtime), while it runs: by now the function is set up.")

    def __repr__(self) -> str:
        return f"<SinchRuntime of {self._config.function_name}>"


def _pattern(path: str) -> str:
    """Alike for two paths that the same URLs belong to."""
    return pattern_of(path.rstrip("/"))


def _takes(function: object, arity: int, named: Sequence[str] = ()) -> bool:
    """Whether it can be called with so many arguments, and these named ones, and then does something."""
    if not callable(function) or inspect.isclass(function) or _is_generator(function):
        return False
    try:
        inspect.signature(function).bind(*[None] * arity, **dict.fromkeys(named))
    except TypeError:
        return False
    except ValueError:  # written in C, without a signature to look at
        return True
    return True


def _is_generator(function: object) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _misfit(name: str, function: object) -> FunctionError:
    more = ", a generator: nothing of it would run" if _is_generator(function) else ""
    return FunctionError(f"runtime.{name} takes a function, {SHAPES[name]}; found {_found(function)}{more}.")


def _found(function: object) -> str:
    """What was given, as a message shows it."""
    if inspect.isclass(function):
        return f"the class {function.__name__}"
    try:
        signature = inspect.signature(function)  # type: ignore[arg-type]  # not callable: a TypeError
    except (TypeError, ValueError):
        return f"{function!r:.60}"
    where = place_of(function)
    return f"{getattr(function, '__name__', '')}{signature}{where and f', {where}'}"
