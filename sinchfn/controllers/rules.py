"""The paths of endpoints that have routes of their own, matched by Werkzeug."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, MapAdapter, Rule

from ..errors import FunctionError
from .decorators import OwnRoute
from .parameters import Parameters

if TYPE_CHECKING:
    from ..exports import Export

#: A variable of a rule: ``<name>``, ``<int:name>``, ``<any(a,b):name>``.
_VARIABLE = re.compile(r"<(?:([^:<>]+):)?([A-Za-z_][A-Za-z0-9_]*)>")


@dataclass(frozen=True, slots=True)
class Leading:
    """Where one route leads to."""

    #: as it was written, behind the prefix of its class; without a slash at its end
    path: str
    route: OwnRoute
    parameters: Parameters
    export: Export

    @property
    def has_variables(self) -> bool:
        """Whether the path stands for many."""
        return bool(self.parameters.variables)


class Found(NamedTuple):
    """What a path leads to: an endpoint with the values of its variables, or the methods that would have done."""

    leading: Leading | None = None
    values: dict[str, Any] = {}  # noqa: RUF012 - read, never changed
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """All routes of a function. Slashes at the end and doubled ones count for nothing, as everywhere."""

    leadings: tuple[Leading, ...] = ()
    _adapter: MapAdapter | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        _refuse_doubles(self.leadings)
        if self.leadings:
            rules = [_rule(leading) for leading in self.leadings]
            try:
                url_map = Map(rules, strict_slashes=False, merge_slashes=False, redirect_defaults=False)
            except (ValueError, LookupError) as error:
                raise self._unusable(error) from None
            object.__setattr__(self, "_adapter", url_map.bind("localhost"))

    def match(self, method: str, segments: Sequence[str]) -> Found | None:
        """What a path leads to; None if nothing.

        :param segments: of the path, decoded.
        """
        if self._adapter is None:
            return None
        try:
            leading, values = self._adapter.match("/" + "/".join(segments), method)
        except MethodNotAllowed as error:
            return Found(allow=tuple(sorted({*(error.valid_methods or ()), "OPTIONS"})))
        except (NotFound, ValueError):  # a ValueError: more digits than Python makes a number of
            return None
        return Found(leading, values)  # type: ignore[arg-type]  # typeshed has an endpoint for a str; it is any object

    def __bool__(self) -> bool:
        return bool(self.leadings)

    def _unusable(self, error: Exception) -> FunctionError:
        for leading in self.leadings:
            try:
                Map([_rule(leading)])
            except (ValueError, LookupError) as cause:
                return FunctionError(
                    f'The route "{leading.path}" of {leading.export.name} cannot be used: {_reason(cause)}. '
                    "Write it as in Flask: /users/<int:id>"
                )
        return FunctionError(f"The routes of the function cannot be used: {_reason(error)}.")


def variables_of(path: str) -> tuple[str, ...]:
    """The names of the variables in a path, in their order."""
    return tuple(name for _, name in _VARIABLE.findall(path))


def joined(*parts: str) -> str:
    """A path out of a prefix and a rule: one slash before each segment, none at the end."""
    # Not split at slashes: an argument of a converter may have one.
    whole = "/".join(part.strip("/") for part in parts if part.strip("/"))
    return f"/{whole}"


def pattern_of(path: str) -> str:
    """A path without the names of its variables: of two with the same one can be reached."""
    return _VARIABLE.sub(lambda found: f"<{found[1] or 'default'}>", path)


def _rule(leading: Leading) -> Rule:
    return Rule(leading.path, endpoint=leading, methods=leading.route.methods)


def _refuse_doubles(leadings: Sequence[Leading]) -> None:
    seen: dict[tuple[str, str], Leading] = {}
    for leading in leadings:
        for method in leading.route.methods:
            other = seen.setdefault((method, pattern_of(leading.path)), leading)
            if other is not leading:
                raise FunctionError(
                    f'"{other.export.name}" and "{leading.export.name}" would both answer {method} {leading.path}. '
                    "Keep one of them, or give one another path."
                )


def _reason(error: Exception) -> str:
    if isinstance(error, LookupError):
        return f"there is no converter {str(error.args[0]) if error.args else ''!r}".replace("the converter ", "")
    return str(error).rstrip(".") or type(error).__name__
