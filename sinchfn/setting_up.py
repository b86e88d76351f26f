"""Runs what a function does at start: the steps of its init class, and ``setup(runtime)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .config import FunctionConfig
from .coroutines import awaited
from .errors import FunctionError, StartupError
from .exports import DeclaredRoute, mapped_route
from .init import Middleware, SinchApplication, SinchFunctionInit, find_init
from .injection import ServiceContainer, ServiceRegistry
from .loading import cause_of, folder_of
from .places import place_of
from .runtime import DeclaredSocket, ProcessHook, SinchRuntime


@dataclass(frozen=True, slots=True)
class Registered:
    """What a function has registered for the app."""

    routes: tuple[DeclaredRoute, ...]
    middleware: tuple[Middleware, ...]
    has_landing_page: bool
    startup: tuple[ProcessHook, ...]
    shutdown: tuple[ProcessHook, ...]
    sockets: tuple[DeclaredSocket, ...]

    @property
    def used(self) -> tuple[Any, ...]:
        """The functions that it has given away, which are therefore no endpoints."""
        given = (*(hook.function for hook in (*self.startup, *self.shutdown)), *(each.handler for each in self.sockets))
        return (*self.middleware, *given)


def set_up(module: ModuleType, container: ServiceContainer, config: FunctionConfig) -> Registered:
    """Let the function register its services, routes and middleware.

    :raises StartupError: a step of it raised; the message says where.
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


def _problem_of(setup: Any) -> str | None:
    """Why ``setup(runtime)`` cannot be called, or would do nothing; None if it can."""
    if isinstance(setup, type):
        return "is a class"
    if not callable(setup):
        return f"is {setup!r:.60}, not a function"
    if inspect.isgeneratorfunction(setup) or inspect.isasyncgenfunction(setup):
        return 'is a generator function and would never run; remove the "yield"'
    try:
        signature = inspect.signature(setup)
    except ValueError:  # written in C, without a signature to look at
        return None
    try:
        signature.bind(None)
    except TypeError:
        return f"takes {signature}, but is called with the runtime alone"
    return None


def _step(module: ModuleType, what: str, run: Callable[[], Any]) -> Any:
    try:
        return awaited(run())
    except (StartupError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # also sys.exit(): it must not pass for a start
        raise FunctionError(
            f"{what} of {module.__file__} failed\n  {cause_of(error, folder_of(module))}\n  "
            "Correct that line: it is run once at start, before any call."
        ) from error
