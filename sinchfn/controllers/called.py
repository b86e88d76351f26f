"""How a method or function is called: its signature, also behind a decorator, and where the request is wanted."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

from ..errors import FunctionError
from ..places import place_of

#: The class whose annotation says that a parameter is for the request; by name, for it is of a layer above.
REQUEST = "FunctionRequest"

_ANYTHING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def signature_of(function: Callable[..., Any], name: str) -> inspect.Signature:
    """What it takes. Behind a decorator that passes on whatever it gets, that is what the decorated one takes.

    :param name: of the endpoint, for the message.
    :raises FunctionError: it does not say, for it is written in C.
    """
    try:
        found = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        raise FunctionError(f'"{name}" does not say what it takes: write a function around it.') from None
    inner = getattr(function, "__wrapped__", None)
    kinds = {parameter.kind for parameter in found.parameters.values()}
    return signature_of(inner, name) if inner is not None and kinds.issuperset(_ANYTHING) else found


def request_parameters(function: Callable[..., Any], signature: inspect.Signature) -> dict[str, bool | None]:
    """For each parameter whether its annotation says that it is for the request; None if it says nothing at all."""
    hints = _hints(inspect.unwrap(function))
    return {name: _is_request(hints.get(name, p.annotation)) for name, p in signature.parameters.items()}


def named(function: Callable[..., Any]) -> str:
    """How to write a function of this name."""
    name = getattr(function, "__name__", "name")
    return name if name.isidentifier() else "name"


def shown_at(function: Callable[..., Any]) -> str:
    """`` (file, line n)``, if that can be told."""
    place = place_of(function)
    return f" ({place})" if place else ""


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # an annotation is code; where it cannot be read, its text has to do
        return {}


def _is_request(annotation: Any) -> bool | None:
    if annotation in (inspect.Parameter.empty, Any, object):
        return None
    if isinstance(annotation, str):
        says = bool(re.search(rf"\b{REQUEST}\b", annotation))
        return says or (None if re.search(r"\b(Any|object)\b", annotation) else False)
    if get_args(annotation):
        return any(_is_request(part) for part in get_args(annotation))
    return getattr(annotation, "__name__", "") == REQUEST
