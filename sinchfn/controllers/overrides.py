"""Which methods of its base a class overrides, and what looks like an override under another name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from ..errors import FunctionError, near_miss
from ..places import place_of
from .decorators import ROUTES


def overridden(controller: type, base: type, names: Collection[str]) -> list[str]:
    """Those of `names` that `controller` has a method of its own for, in the order of `names`.

    :raises FunctionError: one is no method, or takes other arguments than the base's.
    """
    found = [name for name in names if _is_overridden(controller, base, name)]
    for name in found:
        check_method(controller, name, base.__dict__[name])
        if hasattr(inspect.getattr_static(controller, name), ROUTES):
            raise FunctionError(
                f'"{controller.__name__}.{name}" ({place_of(controller)}) has a route of its own, and is called where '
                "signed calls are sent to. Take the route away, or put it on another method."
            )
    return found


def check_method(controller: type, name: str, model: Callable[..., Any]) -> None:
    """Refuse an override that could not be called as `model` is.

    :raises FunctionError: the message shows how it is written.
    """
    value = inspect.getattr_static(controller, name)
    wanted = ", ".join(inspect.signature(model).parameters)
    right = f"def {name}({wanted}): ..."
    if not inspect.isfunction(value):
        raise FunctionError(
            f'"{name}" of {controller.__name__} ({place_of(controller)}) is a {type(value).__name__}, '
            f"and has to be a method: {right}"
        )
    if not _can_be_called_as(value, model):
        signature = inspect.signature(value, follow_wrapped=False)
        raise FunctionError(
            f'The method "{controller.__name__}.{name}" ({place_of(value)}) takes {signature}, '
            f"but it is called as {right}"
        )


def foreign_spellings(name: str) -> tuple[str, ...]:
    """How other runtimes and frameworks write the name of a method: ``on_ice``, ``messageInbound``, ``Ice``."""
    pascal = "".join(word.capitalize() for word in name.split("_"))
    return (name.upper(), pascal, pascal[0].lower() + pascal[1:], f"on_{name}", f"on{pascal}", f"On{pascal}")


def refuse_foreign(controller: type, base: type, names: Collection[str]) -> None:
    """Refuse a method with the name that another runtime gives to one of `names`, if that one is not overridden.

    :raises FunctionError: the message says what to call it.
    """
    missing = [name for name in names if not _is_overridden(controller, base, name)]
    elsewhere = {spelling: name for name in missing for spelling in foreign_spellings(name)}
    for name, value in _own_methods(controller, base):
        meant = elsewhere.get(name)
        if meant is not None and _can_be_called_as(value, base.__dict__[meant]):
            raise FunctionError(
                f'"{name}" of {controller.__name__} ({place_of(value)}) is never called: did you mean "{meant}"? '
                'If it is a method for your own use, begin its name with "_".'
            )


def near_misses(controller: type, base: type, names: Sequence[str]) -> Iterator[str]:
    """A warning for each method that may be a misspelt one of `names`, which is not overridden."""
    missing = [name for name in names if not _is_overridden(controller, base, name)]
    for name, value in _own_methods(controller, base):
        meant = near_miss(name, missing)
        if meant is not None and _can_be_called_as(value, base.__dict__[meant]):
            yield (
                f'"{name}" of {controller.__name__} ({place_of(value)}) is not called by the platform: '
                f'did you mean "{meant}"?'
            )


def _is_overridden(controller: type, base: type, name: str) -> bool:
    return inspect.getattr_static(controller, name) is not base.__dict__[name]


def _own_methods(controller: type, base: type) -> Iterator[tuple[str, Any]]:
    """The public methods that the user has added, without those that have routes."""
    for name in dict.fromkeys(name for owner in controller.__mro__ for name in vars(owner)):
        value = inspect.getattr_static(controller, name)
        is_added = inspect.isfunction(value) and not name.startswith("_") and not hasattr(base, name)
        if is_added and not hasattr(value, ROUTES):
            yield name, value


def _can_be_called_as(value: Callable[..., Any], model: Callable[..., Any]) -> bool:
    try:
        inspect.signature(value, follow_wrapped=False).bind(*inspect.signature(model).parameters)
    except TypeError:
        return False
    return True
