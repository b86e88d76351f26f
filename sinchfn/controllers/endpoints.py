"""The endpoints of a controller class, ready to be called: each call makes a new instance."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import FunctionError
from ..places import place_of
from .bases import BASES, SinchController
from .decorators import PREFIX, ROUTES, OwnRoute

if TYPE_CHECKING:
    from ..invocation import Invocation


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a controller."""

    controller: type[SinchController]
    name: str

    @property
    def shown(self) -> str:
        """``Ivr.ice``."""
        return f"{self.controller.__name__}.{self.name}"

    def bound(self, invocation: Invocation) -> Any:
        """The method of a new instance."""
        return getattr(new_controller(self.controller, invocation), self.name)


@dataclass(frozen=True, slots=True)
class PayloadMethod:
    """Called with the payload: ``def ice(self, data)``."""

    method: Method

    def __call__(self, invocation: Invocation) -> Any:
        return self.method.bound(invocation)(invocation.payload)


@dataclass(frozen=True, slots=True)
class EventMethods:
    """The methods behind one webhook. Which one is called depends on the event."""

    methods: Mapping[str, Method]

    def __call__(self, invocation: Invocation) -> Any:
        method = self.methods.get(invocation.event_name or "")
        return None if method is None else method.bound(invocation)(invocation.payload)


@dataclass(frozen=True, slots=True)
class RoutedMethod:
    """Called with what its route found in the path, the query and the body."""

    method: Method

    def __call__(self, invocation: Invocation) -> Any:
        positional, named = invocation.arguments
        return self.method.bound(invocation)(*positional, **named)


def new_controller(controller: type[SinchController], invocation: Invocation) -> SinchController:
    """A controller for one request. What hangs off it is there before its ``__init__`` runs."""
    made = controller.__new__(controller)
    object.__setattr__(made, "_invocation", invocation)  # also if the class is a frozen dataclass
    plan = invocation.function.plans[controller]
    if plan.parameters:
        plan.initialize(made, invocation.scope)
    else:
        made.__init__()  # type: ignore[misc]  # made by hand, for what hangs off it to be there before
    return made


def base_of(controller: type) -> type[SinchController]:
    """Which of the four a controller is built on.

    :raises FunctionError: on several.
    """
    found = [base for base in BASES[:-1] if issubclass(controller, base)]
    if len(found) > 1:
        raise FunctionError(
            f"{controller.__name__} ({place_of(controller)}) is built on {found[0].__name__} and {found[1].__name__}: "
            "write a class for each; any number of them can stand side by side."
        )
    return found[0] if found else SinchController


def _routes_of(value: object) -> tuple[OwnRoute, ...]:
    """The routes on a method, also on one that something else was put around."""
    inner = getattr(value, "__func__", None) or getattr(value, "fget", None)
    routes: tuple[OwnRoute, ...] = getattr(value, ROUTES, None) or getattr(inner, ROUTES, None) or ()
    return routes


def own_routes(controller: type) -> Iterator[tuple[str, str, OwnRoute]]:
    """Name, prefix of the class and route for each route of each method, in the order in which they are written."""
    prefix: str = getattr(controller, PREFIX, "")
    names = dict.fromkeys(name for owner in reversed(controller.__mro__) for name in vars(owner))
    for name in names:
        # The topmost that has routes: an override need not repeat them.
        marked = next((m for o in controller.__mro__ if (m := _routes_of(vars(o).get(name)))), ())
        if marked and not inspect.isfunction(value := inspect.getattr_static(controller, name)):
            raise FunctionError(
                f'"{name}" of {controller.__name__} ({place_of(controller)}) has a route and is a '
                f"{type(value).__name__}: a route stands on a method, def {name}(self, ...)."
            )
        for route in reversed(marked):  # decorators run from the method upwards
            yield name, prefix, route
