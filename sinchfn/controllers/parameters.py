"""How what a request brings reaches the parameters of a method: values of the path, body, query, the request."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ..errors import FunctionError
from ..places import place_of

#: Annotations of a parameter that may get the request; anything else is meant for something that is not there.
OF_THE_REQUEST = ("FunctionRequest", "Any", "object")

#: What stands before the parameters that a route fills: of a method, and of a function that is mapped.
LEADING_OF_METHOD = ("self",)
LEADING_OF_FUNCTION = ("context", "request")

_BY_PLACE = inspect.Parameter.POSITIONAL_ONLY
_FREE = (_BY_PLACE, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Parameters:
    """The parameters of one method for one of its routes, worked out at start.

    Variables of the path go to the parameters of their names. What ``body`` and ``query`` loaded goes to the parameters
    ``body`` and ``query``; without those, to the next ones that have a place, in this order. One that is then left over
    gets the :class:`~sinchfn.FunctionRequest`.
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
        :param leading: the parameters that are filled otherwise, as one would call them.
        :param variables: names of the variables in the path.
        :param parts: which of ``body`` and ``query`` there are.
        :raises FunctionError: they do not fit the parameters.
        """
        self.variables = frozenset(variables)
        given = list(inspect.signature(method, follow_wrapped=False).parameters.values())[len(leading) :]
        named = {p.name: p for p in given if p.kind not in _OPEN}
        #: parameter -> what it gets
        self._parts = {part: part for part in (*parts, "request") if part in named and part not in variables}
        free = [p for p in named.values() if p.kind in _FREE and p.name not in {*variables, *self._parts}]
        wanted = [part for part in parts if part not in self._parts]
        self._parts |= {p.name: part for p, part in zip(free, wanted, strict=False)}
        left = free[len(wanted) :]
        if left and "request" not in self._parts and _may_be_request(left[0]):
            self._parts[left[0].name] = "request"
        #: those of them that Python takes by their place only
        self._by_place = [p.name for p in named.values() if p.kind is _BY_PLACE]
        if len(free) < len(wanted) or not self._fits(method, leading):
            raise _misfit(method, name, rule, leading, variables, parts, self._parts)

    def bind(self, values: dict[str, Any], parts: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for a call.

        :param values: of the variables in the path.
        :param parts: what ``body`` and ``query`` loaded, and the ``request``.
        """
        named = values | {name: parts[part] for name, part in self._parts.items()}
        return [named.pop(name) for name in self._by_place if name in named], named

    def _fits(self, method: Callable[..., Any], leading: Sequence[str]) -> bool:
        positional, named = self.bind(dict.fromkeys(self.variables), dict.fromkeys(self._parts.values()))
        try:
            inspect.signature(method, follow_wrapped=False).bind(*leading, *positional, **named)
        except TypeError:
            return False
        return True


def _may_be_request(parameter: inspect.Parameter) -> bool:
    annotation = parameter.annotation
    if parameter.default is not parameter.empty or parameter.name in ("body", "query"):
        return False
    if annotation is parameter.empty:
        return True
    written = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return written.rpartition(".")[2] in OF_THE_REQUEST


def _misfit(
    method: Callable[..., Any],
    name: str,
    rule: str,
    leading: Sequence[str],
    variables: Collection[str],
    parts: Sequence[str],
    filled: Collection[str],
) -> FunctionError:
    """Says which parameter of the method is not filled, or which value has none."""
    signature = inspect.signature(method, follow_wrapped=False)
    given = list(signature.parameters.values())[len(leading) :]
    unfilled = [
        p.name for p in given if p.default is p.empty and p.kind not in _OPEN and p.name not in {*variables, *filled}
    ]
    without = [variable for variable in variables if variable not in signature.parameters]
    # What has a place before what comes by name, as Python wants it.
    right = ", ".join([*leading, *parts, *(["*", *variables] if variables else [])])
    if len(signature.parameters) < len(leading):
        why = f"it is called with {' and '.join(leading)}"
    elif without:
        why = f"the path has <{without[0]}>, and there is no parameter of this name"
    elif unfilled:
        why = f'nothing is there for its parameter "{unfilled[0]}"{_remedy(unfilled[0], parts)}'
    else:
        why = f"it has no parameter for the {' and '.join(parts)} that its route loads"
    called = method.__name__ if method.__name__ != "<lambda>" else "name"
    return FunctionError(
        f'The endpoint "{name}" ({place_of(method)}) takes {signature}, which does not fit its route "{rule}": {why}. '
        f"Write: def {called}({right}): ..."
    )


def _remedy(name: str, parts: Collection[str]) -> str:
    if name in ("body", "query") and name not in parts:
        return f" (give the route {name}=Schema; what is to get the whole request is called request)"
    return " (a value of the query or the body comes by a schema: query=Schema, body=Schema)" if not parts else ""
