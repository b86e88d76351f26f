"""Recipes: how each service is made, and for how long."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any, NewType, get_origin

from ..errors import FunctionError
from .keys import is_key, key_of, name_of
from .plans import Plan, read_plan
from .resolver import Resolver


class ServiceKind(Enum):
    """How long a service lives."""

    #: somebody else's: neither made nor closed here
    VALUE = "value"
    #: made once per process
    SINGLETON = "singleton"
    #: made once per request
    SCOPED = "scoped"


class Recipe:
    """How one service is made."""

    __slots__ = ("_plan", "factory", "key", "kind", "value")

    def __init__(
        self, key: Any, kind: ServiceKind, *, factory: Callable[..., Any] | None = None, value: Any = None
    ) -> None:
        self.key = key
        self.kind = kind
        #: What makes it; for a value None.
        self.factory = factory
        self.value = value
        self._plan: Plan | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return name_of(self.key)

    @property
    def plan(self) -> Plan:
        """What the factory wants, read when it is first needed: by then all classes are there.

        :raises FunctionError: it cannot be read; see `read_plan`.
        """
        if self._plan is None:
            factory = self.factory or _no_value
            name = name_of(factory)
            if isinstance(factory, type):
                self._plan = read_plan(factory, name)
            else:
                self._plan = read_plan(factory, f"{self.name} (by {name})", whole=Resolver)
        return self._plan


def _no_value() -> None:
    """Stands in for the factory of a value, which wants nothing."""


def checked_key(service: Any, method: str) -> Any:
    """What a service is registered under.

    :raises FunctionError: it is nothing that an annotation of one service can be.
    """
    key = key_of(service)
    if not is_key(key):
        raise FunctionError(
            f"services.{method}({service!r}, ...) registers no service: services are registered under a class. "
            f"Write services.{method}(TheClass, ...)."
        )
    return key


def checked_factory(key: Any, factory: Any, method: str) -> Callable[..., Any]:
    """What makes a service: the factory, else the class itself.

    :raises FunctionError: it cannot be called, is abstract, or an async generator.
    """
    own = None if isinstance(key, NewType) else get_origin(key) or key
    made: Any = own if factory is None else factory
    name = name_of(key)
    if not callable(made):
        raise FunctionError(
            f"services.{method}({name}, {made!r}) has no factory, but a {name_of(type(made))}. "
            f"For a service that is there already, write services.add_value({name}, ...)."
        )
    if inspect.isabstract(made) or getattr(made, "_is_protocol", False):
        raise FunctionError(
            f"{name_of(made)} is abstract: no instance of it can be made. "
            f"Write services.{method}({name}, TheClassThatImplementsIt)."
        )
    if inspect.isasyncgenfunction(made):
        raise FunctionError(async_generator(name))
    return made  # type: ignore[no-any-return] # it was just found to be callable


def async_generator(name: str) -> str:
    """Says that a service cannot be made like that."""
    return (
        f"The factory of {name} is an async generator: what it opens would end with the event loop that it runs on, "
        "before the service is used. Write it as a function with def and yield."
    )
