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
NEARNESS = 0.8
SPREAD = 6
SHORT = 6


def overridden(controller: type, base: type, names: Collection[str]) -> list[str]:
    """Those of `names` that `controller` has a method of its own for, in the order of `names`.

    :raises FunctionError: one is no method, or takes other arguments than the base's.
    """
    found = [name for name in names if inspect.getattr_static(controller, name) is not base.__dict__[name]]
    for name in found:
        check_method(controller, name, base.__dict__[name])
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
        meant = _meant(name, names)
        if meant is not None and not hasattr(value, ROUTES):
            raise FunctionError(
                f'"{name}" of {controller.__name__} ({place_of(value)}) is never called: '
                f'did you mean "{meant}"? If it is something else, begin its name with "_".'
            )


def _own_methods(controller: type, base: type) -> Iterator[tuple[str, Any]]:
    for owner in controller.__mro__:
        if not issubclass(base, owner):  # what is below the base is the user's
            yield from ((n, v) for n, v in vars(owner).items() if inspect.isfunction(v) and not n.startswith("_"))


def _meant(name: str, names: Sequence[str]) -> str | None:
    if name in names:
        return None
    plain = {plain_name(known): known for known in names}
    own = plain_name(name)
    bare = plain_name(DECORATION.sub("", snake_case(name)))
    for spelling in (own, bare):
        if spelling in plain:
            return plain[spelling]
    short = {"".join(sorted(known)): known for known in plain if len(known) < SHORT}
    if (anagram := short.get("".join(sorted(own)))) is not None:
        return plain[anagram]
    like = [known for known in plain if len(known) >= SHORT and abs(len(known) - len(own)) <= SPREAD]
    near = get_close_matches(own, like, n=1, cutoff=NEARNESS)
    return plain[near[0]] if near else None
