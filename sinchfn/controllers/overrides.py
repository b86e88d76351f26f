"""Which methods of its base a class overrides, and what looks like an override that was misspelt."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from ..errors import FunctionError, snake_case
from ..places import place_of
from ..signatures import plain_name
from .decorators import ROUTES

#: What other runtimes and frameworks put before or behind the name of a method that is called.
DECORATION = re.compile(r"^(?:on|handle|do|process)_?|_?(?:async|handler|callback|event|request)$")

#: How near a name has to be to another to be taken for it, and by how many letters they may differ in length. Names
#: shorter than `SHORT` only with the same letters.
NEARNESS = 0.83
SPREAD = 6
SHORT = 6


def overridden(controller: type, base: type, names: Collection[str]) -> list[str]:
    """Those of `names` that `controller` has a method of its own for, in the order of `names`.

    :raises FunctionError: one is no method, or takes other arguments than the base's.
    """
    found = [name for name in names if inspect.getattr_static(controller, name) is not base.__dict__[name]]
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
    signature = inspect.signature(value, follow_wrapped=False)
    try:
        signature.bind(*[None] * len(inspect.signature(model).parameters))
    except TypeError:
        raise FunctionError(
            f'The method "{controller.__name__}.{name}" ({place_of(value)}) takes {signature}, '
            f"but it is called as {right}"
        ) from None


def refuse_misspelt(controller: type, base: type, names: Sequence[str]) -> None:
    """Refuse a public method that is nearly, but not quite, one of `names`: it would never be called.

    :raises FunctionError: the message names the method that was meant.
    """
    for name, value in _own_methods(controller, base):
        if hasattr(value, ROUTES):
            continue
        meant = _written_otherwise(name, names)
        if meant is None and not _is_helper(name, value, controller, base):
            meant = _near(name, names)
        if meant is not None:
            raise FunctionError(
                f'"{name}" of {controller.__name__} ({place_of(value)}) is never called: '
                f'did you mean "{meant}"? If it is something else, begin its name with "_".'
            )


def _own_methods(controller: type, base: type) -> Iterator[tuple[str, Any]]:
    for owner in controller.__mro__:
        if not issubclass(base, owner):  # what is below the base is the user's
            yield from ((n, v) for n, v in vars(owner).items() if inspect.isfunction(v) and not n.startswith("_"))


def _is_helper(name: str, value: Any, controller: type, base: type) -> bool:
    """Whether the class calls it by itself, or it could not be called as an override is."""
    used = {
        word for method in vars(controller).values() if inspect.isfunction(method) for word in method.__code__.co_names
    }
    model = next(iter(value for value in vars(base).values() if inspect.isfunction(value) and value.__name__[0] != "_"))
    try:
        inspect.signature(value, follow_wrapped=False).bind(*inspect.signature(model).parameters)
    except TypeError:
        return True
    return name in used


def _written_otherwise(name: str, names: Sequence[str]) -> str | None:
    """The method that is written so in another runtime, or in another order."""
    plain = {plain_name(known): known for known in names}
    own, bare = plain_name(name), plain_name(DECORATION.sub("", snake_case(name)))
    if name in names:
        return None
    for spelling in (own, bare):
        if spelling in plain:
            return plain[spelling]
    return next((known for known in names if _has_same_words(name, known) or _is_part(name, bare, known)), None)


def _near(name: str, names: Sequence[str]) -> str | None:
    """The method that is nearly written so."""
    if name in names:
        return None
    plain = {plain_name(known): known for known in names}
    own = plain_name(name)
    for known, meant in plain.items():
        goes_on = snake_case(name).startswith(meant) and len(meant) >= SHORT and snake_case(name)[len(meant)] != "_"
        if own[:-1] == known or own == known[:-1] or goes_on:
            return meant
    short = {"".join(sorted(known)): known for known in plain if len(known) < SHORT}
    if (anagram := short.get("".join(sorted(own)))) is not None:
        return plain[anagram]
    like = [
        known
        for known, meant in plain.items()
        if len(known) >= SHORT and abs(len(known) - len(own)) <= SPREAD and not snake_case(name).startswith(f"{meant}_")
    ]
    near = get_close_matches(own, like, n=1, cutoff=NEARNESS)
    return plain[near[0]] if near else None


def _has_same_words(name: str, known: str) -> bool:
    """``inbound_message`` for ``message_inbound``."""
    return sorted(snake_case(name).split("_")) == sorted(known.split("_"))


def _is_part(name: str, bare: str, known: str) -> bool:
    """``on_message`` for ``message_inbound``, ``on_call_ice`` for ``ice``; ``message`` alone may be anything."""
    is_handler = bare != plain_name(name)
    return is_handler and (snake_case(name).split("_")[-1] == known or (len(bare) >= SHORT and known.startswith(bare)))
