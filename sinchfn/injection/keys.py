"""What a service is registered under, and how messages call it."""

from __future__ import annotations

import types
from collections.abc import Callable
from enum import Enum
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, NewType, TypeVar, Union, get_args, get_origin

T = TypeVar("T")

#: What services are asked for by, and what comes of it. Mostly a class; written like this, for with ``type[T]`` a type
#: checker would refuse abstract classes and protocols.
Key = Callable[..., T]


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"


#: Stands where there is no value; ``None`` may be one.
MISSING: Final = Missing.MISSING


def key_of(annotation: Any) -> Any:
    """What a service is registered under: the annotation without ``Annotated``."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def is_key(key: Any) -> bool:
    """Whether services can be registered under it: classes, generic aliases such as ``Repo[User]``, and ``NewType``."""
    if isinstance(key, type | NewType):
        return key is not type(None)
    origin = get_origin(key)
    return origin is not None and not is_union(key)


def is_union(key: Any) -> bool:
    """Whether it is ``A | B`` or ``Union[A, B]``."""
    return get_origin(key) in (Union, types.UnionType)


def without_none(key: Any) -> tuple[Any, bool]:
    """``Repo, True`` for ``Repo | None``; for what has no ``None`` in it, itself and ``False``."""
    if not is_union(key):
        return key, False
    wanted = [part for part in get_args(key) if part is not type(None)]
    if len(wanted) == len(get_args(key)):
        return key, False
    return (key_of(wanted[0]) if len(wanted) == 1 else reduce(or_, wanted)), True


def name_of(key: Any) -> str:
    """How messages call a class, an alias or a function: ``Repo``, ``Repo[User]``."""
    if is_union(key):
        return " | ".join(map(name_of, get_args(key)))
    origin = get_origin(key)
    if origin is not None:
        return f"{name_of(origin)}[{', '.join(map(name_of, get_args(key)))}]"
    name = getattr(key, "__qualname__", None) or getattr(key, "__name__", None)
    return name.rpartition("<locals>.")[2] if isinstance(name, str) else repr(key)
