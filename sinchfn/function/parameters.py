"""Signatures: the arguments that a callable takes, and the values that the parameters of an endpoint get."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, get_args, get_type_hints

from ..errors import FunctionError, place_of

#: The class that marks the parameter for the request in an annotation. A name, because the class is in a layer above.
REQUEST = "FunctionRequest"

#: The parameters in front of those that a route fills: of a method, and of a mapped function.
LEADING_OF_METHOD = ("self",)
LEADING_OF_FUNCTION = ("context", "request")

_BY_PLACE = inspect.Parameter.POSITIONAL_ONLY
_FREE = (_BY_PLACE, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def accepts(
    function: Callable[..., Any], count: int, named: Collection[str] = (), *, follow_wrapped: bool = True
) -> bool:
    """Return True if ``function`` can be called with ``count`` positional arguments and these ``named`` ones.

    A callable without a readable signature, such as one written in C, is trusted.

    :param follow_wrapped: look through ``functools.wraps``, at the decorated function. False looks at the outermost
        function, which is the one that is called: it may pass on other arguments than it takes.
    """
    try:
        signature = inspect.signature(function, follow_wrapped=follow_wrapped)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*[None] * count, **dict.fromkeys(named))
    except TypeError:
        return False
    return True


def is_generator(function: object) -> bool:
    """Return True for a generator function, async or not: a plain call of it runs nothing."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def describe_callable(value: object) -> str:
    """Return words that show what was given as a function: ``warm_up(a, b), function.py, line 3``, ``5``."""
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]  # a TypeError if it cannot be called
    except (TypeError, ValueError):
        return f"{value!r:.60}"
    place = place_of(value)
    return f"{getattr(value, '__name__', '')}{signature}{place and f', {place}'}"


class Parameters:
    """The parameters of an endpoint for one of its routes, worked out at start.

    A variable of the path goes to the parameter of its name. The loaded body and query go to the parameters ``body``
    and ``query``; without those, to the next positional parameters, in this order. A required parameter that is left
    over then gets the :class:`~sinchfn.FunctionRequest`.
    """

    __slots__ = ("_by_place", "_parts", "variables")

    def __init__(
        self,
        method: Callable[..., Any],
        name: str,
        rule: str,
        *,
        leading: Sequence[str],
        variables: Collection[str],
        parts: Sequence[str],
    ) -> None:
        """
        :param leading: the parameters in front, which are not filled from the route.
        :param variables: names of the variables in the path.
        :param parts: those of ``body`` and ``query`` that the route loads.
        :raises FunctionError: the values do not fit the parameters.
        """
        self.variables = frozenset(variables)
        signature = _signature_of(method, name)
        given = list(signature.parameters.values())[len(leading) :]
        own = {p.name: p for p in given if p.kind not in _OPEN}
        try:
            hints = get_type_hints(inspect.unwrap(method))
        except Exception:  # an annotation is code, and may fail; its text is read instead
            hints = {}
        wants = {name: _is_request(hints.get(name, p.annotation)) for name, p in signature.parameters.items()}
        #: parameter -> the part of the request that it gets
        self._parts = {part: part for part in (*parts, "request") if part in own and part not in variables}
        self._parts |= {name: "request" for name in own if wants[name] and name not in variables}
        free = [p for p in own.values() if p.kind in _FREE and p.name not in {*variables, *self._parts}]
        wanted = [part for part in parts if part not in self._parts.values()]
        self._parts |= {p.name: part for p, part in zip(free, wanted, strict=False)}
        for p in free[len(wanted) :][:1]:
            is_open = p.default is p.empty and p.name not in ("body", "query") and wants[p.name] is None
            if is_open and "request" not in self._parts.values():
                self._parts[p.name] = "request"
        #: the positional-only parameters
        self._by_place = [p.name for p in own.values() if p.kind is _BY_PLACE]
        if len(free) < len(wanted) or not self._fits(signature, leading):
            raise _misfit(method, name, rule, signature, leading, variables, parts, self._parts)

    def bind(self, values: dict[str, Any], parts: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the named arguments for a call.

        :param values: the values of the variables in the path.
        :param parts: the loaded ``body`` and ``query``, and the ``request``.
        """
        named = values | {name: parts[part] for name, part in self._parts.items()}
        return [named.pop(name) for name in self._by_place if name in named], named

    def _fits(self, signature: inspect.Signature, leading: Sequence[str]) -> bool:
        filled = {*self.variables, *self._parts}
        count = sum(name in filled for name in self._by_place)
        if any(name in filled for name in self._by_place[count:]):
            return False  # a gap: the values behind it would come to the wrong parameters
        positional, named = self.bind(dict.fromkeys(self.variables), dict.fromkeys(self._parts.values()))
        try:
            signature.bind(*leading, *positional, **named)
        except TypeError:
            return False
        return True


def _signature_of(function: Callable[..., Any], name: str) -> inspect.Signature:
    """Return the signature of an endpoint, or of the function inside a decorator that takes any arguments.

    :raises FunctionError: the signature cannot be read.
    """
    try:
        found = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        raise FunctionError(f'The signature of "{name}" cannot be read: write a function that calls it.') from None
    inner = getattr(function, "__wrapped__", None)
    kinds = {parameter.kind for parameter in found.parameters.values()}
    return _signature_of(inner, name) if inner is not None and kinds.issuperset(_OPEN) else found


def _is_request(annotation: Any) -> bool | None:
    """Return True if an annotation names the request; None if it says nothing."""
    if annotation in (inspect.Parameter.empty, Any, object):
        return None
    if isinstance(annotation, str):
        is_named = bool(re.search(rf"\b{REQUEST}\b", annotation))
        return is_named or (None if re.search(r"\b(Any|object)\b", annotation) else False)
    if get_args(annotation):
        return any(_is_request(part) for part in get_args(annotation))
    return getattr(annotation, "__name__", "") == REQUEST


def _misfit(
    method: Callable[..., Any],
    name: str,
    rule: str,
    signature: inspect.Signature,
    leading: Sequence[str],
    variables: Collection[str],
    parts: Sequence[str],
    filled: Collection[str],
) -> FunctionError:
    """Return the error that names the parameter without a value, or the value without a parameter."""
    given = list(signature.parameters.values())[len(leading) :]
    unfilled = [
        p.name for p in given if p.default is p.empty and p.kind not in _OPEN and p.name not in {*variables, *filled}
    ]
    without = [variable for variable in variables if variable not in signature.parameters]
    if len(signature.parameters) < len(leading):
        why = f"it is called with {' and '.join(leading)}"
    elif without:
        why = f"the path has the variable <{without[0]}>, but no parameter has that name"
    elif unfilled:
        why = f'there is no value for its parameter "{unfilled[0]}"'
        if unfilled[0] in ("body", "query") and unfilled[0] not in parts:
            why += f" (give the route {unfilled[0]}=Schema; a parameter named request gets the whole request)"
        elif not parts:
            why += " (give the route a schema for values of the query or the body: query=Schema, body=Schema)"
    elif [part for part in parts if part not in filled]:
        why = f"it has no parameter for the {' and '.join(parts)} that its route loads"
    else:
        why = "a parameter that keeps a default stands before one that gets a value"
    request = ["request"] if unfilled and not parts and leading == LEADING_OF_METHOD else []
    # Positional parameters stand before those that are passed by name.
    right = ", ".join([*leading, *parts, *request, *(["*", *variables] if variables else [])])
    written = getattr(method, "__name__", "")
    place = place_of(method)
    return FunctionError(
        f'The endpoint "{name}"{place and f" ({place})"} takes {signature}, which does not fit its route "{rule}": '
        f"{why}. Write: def {written if written.isidentifier() else 'name'}({right}): ..."
    )
