"""How what a request brings reaches the parameters of a method: values of the path, body, query, the request."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any

from ..errors import FunctionError
from ..places import place_of

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Parameters:
    """The parameters of one method for one of its routes, worked out at start.

    Variables of the path go to the parameters of their names. What ``body`` and ``query`` loaded goes to the parameters
    ``body`` and ``query``; without those, to the next positional ones, in this order. A positional one that is then
    left over gets the :class:`~sinchfn.FunctionRequest`.
    """

    __slots__ = ("_names", "_positional", "variables")

    def __init__(
        self,
        method: Callable[..., Any],
        name: str,
        rule: str,
        *,
        leading: int,
        variables: Collection[str],
        parts: Collection[str],
    ) -> None:
        """
        :param leading: how many parameters are filled otherwise: the ``self`` of a method.
        :param variables: names of the variables in the path.
        :param parts: which of ``body`` and ``query`` there are.
        :raises FunctionError: they do not fit the parameters.
        """
        self.variables = frozenset(variables)
        signature = inspect.signature(method, follow_wrapped=False)
        given = list(signature.parameters.values())
        takes_rest = any(p.kind is p.VAR_KEYWORD for p in given)
        named = {p.name: p for p in given[leading:] if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
        missing = [] if takes_rest else [variable for variable in variables if variable not in named]
        #: parts that go by their name
        self._names = tuple(part for part in (*parts, "request") if part in named and part not in variables)
        taken = {*variables, *self._names}
        free = [name for name, p in named.items() if p.kind in _POSITIONAL and name not in taken]
        wanted = [part for part in parts if part not in self._names]
        left = free[len(wanted) :]
        asks = bool(left) and named[left[0]].default is inspect.Parameter.empty and "request" not in self._names
        #: parts that go by their place, in order
        self._positional = (*wanted, *(("request",) if asks else ()))
        unfilled = [
            name
            for name, p in named.items()
            if p.default is inspect.Parameter.empty and name not in taken and name not in free[: len(self._positional)]
        ]
        if missing or unfilled or len(free) < len(wanted):
            raise _misfit(method, name, rule, variables, parts, missing, unfilled)

    def bind(self, values: dict[str, Any], parts: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments for a call.

        :param values: of the variables in the path.
        :param parts: what ``body`` and ``query`` loaded, and the ``request``.
        """
        return [parts[part] for part in self._positional], values | {part: parts[part] for part in self._names}


def _misfit(
    method: Callable[..., Any],
    name: str,
    rule: str,
    variables: Collection[str],
    parts: Collection[str],
    missing: list[str],
    unfilled: list[str],
) -> FunctionError:
    # Parameters with a place before those that come by name, as Python wants them.
    wanted = ", ".join(["self", *parts, *(["*", *variables] if variables else [])])
    if missing:
        why = f"the path has <{missing[0]}>, and there is no parameter of this name"
    elif unfilled:
        why = f'nothing is there for its parameter "{unfilled[0]}"'
    else:
        why = f"it has no parameter for the {' and '.join(parts)} that its route loads"
    place = place_of(method)
    return FunctionError(
        f'The endpoint "{name}" ({place}) takes {inspect.signature(method, follow_wrapped=False)}, which does not fit '
        f'its route "{rule}": {why}. Write: def {method.__name__}({wanted}): ...'
    )
