"""How what a request brings reaches the parameters of a method: values of the path, body, query, the request."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ..errors import FunctionError
from .called import named, request_parameters, shown_at, signature_of

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
        signature = signature_of(method, name)
        given = list(signature.parameters.values())[len(leading) :]
        own = {p.name: p for p in given if p.kind not in _OPEN}
        wants = request_parameters(method, signature)
        #: parameter -> what it gets
        self._parts = {part: part for part in (*parts, "request") if part in own and part not in variables}
        self._parts |= {name: "request" for name in own if wants[name] and name not in variables}
        free = [p for p in own.values() if p.kind in _FREE and p.name not in {*variables, *self._parts}]
        wanted = [part for part in parts if part not in self._parts.values()]
        self._parts |= {p.name: part for p, part in zip(free, wanted, strict=False)}
        left = free[len(wanted) :]
        if left and "request" not in self._parts.values() and _may_be_request(left[0], wants[left[0].name]):
            self._parts[left[0].name] = "request"
        #: those of them that Python takes by their place only
        self._by_place = [p.name for p in own.values() if p.kind is _BY_PLACE]
        if len(free) < len(wanted) or not self._fits(signature, leading):
            raise _misfit(method, name, rule, signature, leading, variables, parts, self._parts)

    def bind(self, values: dict[str, Any], parts: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for a call.

        :param values: of the variables in the path.
        :param parts: what ``body`` and ``query`` loaded, and the ``request``.
        """
        named = values | {name: parts[part] for name, part in self._parts.items()}
        return [named.pop(name) for name in self._by_place if name in named], named

    def _fits(self, signature: inspect.Signature, leading: Sequence[str]) -> bool:
        filled = {*self.variables, *self._parts}
        if any(name in filled for name in self._by_place[len([n for n in self._by_place if n in filled]) :]):
            return False  # a gap: what stands behind it would come to the wrong place
        positional, named = self.bind(dict.fromkeys(self.variables), dict.fromkeys(self._parts.values()))
        try:
            signature.bind(*leading, *positional, **named)
        except TypeError:
            return False
        return True


def _may_be_request(parameter: inspect.Parameter, says: bool | None) -> bool:
    return parameter.default is parameter.empty and parameter.name not in ("body", "query") and says is None


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
    """Says which parameter of the method is not filled, or which value has none."""
    given = list(signature.parameters.values())[len(leading) :]
    unfilled = [
        p.name for p in given if p.default is p.empty and p.kind not in _OPEN and p.name not in {*variables, *filled}
    ]
    without = [variable for variable in variables if variable not in signature.parameters]
    request = ["request"] if unfilled and not parts and leading == LEADING_OF_METHOD else []
    # What has a place before what comes by name, as Python wants it.
    right = ", ".join([*leading, *parts, *request, *(["*", *variables] if variables else [])])
    if len(signature.parameters) < len(leading):
        why = f"it is called with {' and '.join(leading)}"
    elif without:
        why = f"the path has <{without[0]}>, and there is no parameter of this name"
    elif unfilled:
        why = f'nothing is there for its parameter "{unfilled[0]}"{_remedy(unfilled[0], parts)}'
    elif [part for part in parts if part not in filled]:
        why = f"it has no parameter for the {' and '.join(parts)} that its route loads"
    else:
        why = "what has a default stands before what has a value"
    return FunctionError(
        f'The endpoint "{name}"{shown_at(method)} takes {signature}, which does not fit its route "{rule}": {why}. '
        f"Write: def {named(method)}({right}): ..."
    )


def _remedy(name: str, parts: Collection[str]) -> str:
    if name in ("body", "query") and name not in parts:
        return f" (give the route {name}=Schema; what is to get the whole request is called request)"
    return " (a value of the query or the body comes by a schema: query=Schema, body=Schema)" if not parts else ""
