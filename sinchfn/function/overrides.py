"""Overridden methods of a base class, and the names of methods that look like an override but are not one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import FunctionError, near_miss, place_of
from .parameters import accepts
from .routes import ROUTES


class Overrides:
    """The methods of a class that a subclass may override, and those that it does."""

    def __init__(self, controller: type, base: type, names: Sequence[str]) -> None:
        """
        :param names: the methods of ``base`` that may be overridden.
        """
        self._controller = controller
        self._models: dict[str, Callable[..., Any]] = {name: vars(base)[name] for name in names}
        self._base = base
        own = [name for name in names if inspect.getattr_static(controller, name) is not self._models[name]]
        self._overridden = own
        self._missing = [name for name in names if name not in own]

    def checked(self) -> list[str]:
        """Return the names of the overridden methods, in order.

        :raises FunctionError: an override is not a method, takes other arguments than the base's, or has a route; or
            :meth:`_refuse_foreign`.
        """
        self._refuse_foreign()
        for name in self._overridden:
            self._check(name)
        return self._overridden

    def near_misses(self) -> Iterator[str]:
        """Yield a warning for each method that may be a misspelt one, unless the right one is overridden too."""
        for name, value in self._added_methods():
            meant = near_miss(name, self._missing)
            if meant is not None and self._can_stand_for(meant, value):
                yield (
                    f'"{name}" of {self._controller.__name__} ({place_of(value)}) is not called by the platform: '
                    f'did you mean "{meant}"?'
                )

    def _refuse_foreign(self) -> None:
        """Refuse a method with the name that another runtime gives to one that is not overridden."""
        elsewhere = {spelling: name for name in self._missing for spelling in foreign_spellings(name)}
        for name, value in self._added_methods():
            meant = elsewhere.get(name)
            if meant is not None and self._can_stand_for(meant, value):
                raise FunctionError(
                    f'"{name}" of {self._controller.__name__} ({place_of(value)}) is never called: did you mean '
                    f'"{meant}"? If it is a method for your own use, begin its name with "_".'
                )

    def _check(self, name: str) -> None:
        controller = self._controller
        value = inspect.getattr_static(controller, name)
        right = f"def {name}({', '.join(inspect.signature(self._models[name]).parameters)}): ..."
        if not inspect.isfunction(value):
            raise FunctionError(
                f'"{name}" of {controller.__name__} ({place_of(controller)}) is a {type(value).__name__}, '
                f"and has to be a method: {right}"
            )
        if not self._can_stand_for(name, value):
            signature = inspect.signature(value, follow_wrapped=False)
            raise FunctionError(
                f'The method "{controller.__name__}.{name}" ({place_of(value)}) takes {signature}, '
                f"but it is called as {right}"
            )
        if hasattr(value, ROUTES):
            raise FunctionError(
                f'"{controller.__name__}.{name}" ({place_of(controller)}) has a route, but the platform calls it at a '
                "path of its own. Remove the route, or put it on another method."
            )

    def _added_methods(self) -> Iterator[tuple[str, Any]]:
        """Yield the public methods that the user has added, without those that have routes."""
        for name in dict.fromkeys(name for owner in self._controller.__mro__ for name in vars(owner)):
            value = inspect.getattr_static(self._controller, name)
            is_added = inspect.isfunction(value) and not name.startswith("_") and not hasattr(self._base, name)
            if is_added and not hasattr(value, ROUTES):
                yield name, value

    def _can_stand_for(self, name: str, value: Callable[..., Any]) -> bool:
        count = len(inspect.signature(self._models[name]).parameters)
        return accepts(value, count, follow_wrapped=False)


def foreign_spellings(name: str) -> tuple[str, ...]:
    """Return the names of a method in other runtimes and frameworks: ``on_ice``, ``messageInbound``, ``Ice``."""
    pascal = "".join(word.capitalize() for word in name.split("_"))
    return (name.upper(), pascal, pascal[0].lower() + pascal[1:], f"on_{name}", f"on{pascal}", f"On{pascal}")
