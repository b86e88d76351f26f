"""The paths of endpoints that have routes of their own, matched by Werkzeug."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, MapAdapter, Rule

from ..errors import FunctionError
from .decorators import METHODS, OwnRoute
from .parameters import Parameters

if TYPE_CHECKING:
    from ..exports import Export

#: Of a path without variables.
NO_VALUES: Mapping[str, Any] = MappingProxyType({})

#: A variable of a rule, as Werkzeug reads it: ``<name>``, ``<int:name>``, ``<any("a:b", c):name>``.
_VARIABLE = re.compile(r"<(?:([a-zA-Z_][a-zA-Z0-9_]*(?:\(.*?\))?):)?([a-zA-Z][a-zA-Z0-9_]*)>")

#: What is written otherwise in other frameworks, or can stand in no path that is matched: pattern -> what it is.
STRANGE = (
    (re.compile(r"[{}]"), "braces around a variable"),
    (re.compile(r"(^|/):"), "a colon before a variable"),
    (re.compile(r"[\[\]]"), "brackets"),
    (re.compile(r"://"), "a scheme and a host"),
    (re.compile(r"[?#]"), "a query or a fragment"),
    (re.compile(r"%[0-9A-Fa-f]{2}"), "percent-encoding: paths are matched decoded"),
    (re.compile(r"\s"), "a blank"),
    (re.compile(r"\*"), "a star; for the rest of a path write <path:rest>"),
    (re.compile(r"[<>]"), "a variable that is not complete"),
)


#: Longest path that is matched with rules of so many :func:`open_ends`. With one, each rule reads all of the path; with
#: two, matching takes time with the square of its length.
LONGEST_PATH: Mapping[int, int] = MappingProxyType({1: 2048, 2: 512})

#: How many :func:`open_ends` a rule may have: with three the time goes with the cube of the length, and is seconds.
MOST_OPEN_ENDS = 2

#: Why a rule is refused that has more.
TOO_OPEN = (
    "a long path would take seconds to match, because the ends of too many variables have to be searched for. "
    "Take one <path:rest> and split it in the handler, or use <int:...>, or put slashes between the variables"
)


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """Where one route leads to."""

    #: as it was written, behind the prefix of its class; without a slash at its end
    path: str
    route: OwnRoute
    parameters: Parameters
    export: Export
    #: file and line, for messages
    place: str = ""

    @property
    def has_variables(self) -> bool:
        """Whether the path stands for many."""
        return bool(self.parameters.variables)


class RouteMatch(NamedTuple):
    """What a path leads to: an endpoint with the values of its variables, or the methods that would have done."""

    target: RouteTarget | None = None
    values: Mapping[str, Any] = NO_VALUES
    allow: tuple[str, ...] = ()
    #: whether a route without variables has this path
    is_written_out: bool = False


@dataclass(frozen=True)
class Rules:
    """All routes of a function. Slashes at the end and doubled ones count for nothing, as everywhere."""

    targets: tuple[RouteTarget, ...] = ()
    _adapter: MapAdapter | None = field(init=False, default=None)
    #: path without variables -> method -> where it leads
    _written_out: Mapping[str, Mapping[str, RouteMatch]] = field(init=False, default_factory=dict)
    #: what the paths with variables begin with; None stands for anything
    _begins: frozenset[str | None] = field(init=False, default=frozenset())
    #: the longest path that is matched with all of them; None for any
    _longest: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        _refuse_doubles(self.targets)
        if self.targets:
            rules = [_rule(target) for target in self.targets]
            url_map = Map(rules, strict_slashes=False, merge_slashes=False, redirect_defaults=False)
            object.__setattr__(self, "_adapter", url_map.bind("localhost"))
            object.__setattr__(self, "_written_out", _by_path(self.targets))
            begins = (_first_segment(target.path) for target in self.targets if target.has_variables)
            object.__setattr__(self, "_begins", frozenset(begins))
            longest = LONGEST_PATH.get(max(open_ends(target.path) for target in self.targets))
            object.__setattr__(self, "_longest", longest)

    def match(self, method: str, segments: Sequence[str]) -> RouteMatch | None:
        """What a path leads to; None if nothing.

        :param segments: of the path, decoded.
        """
        if self._adapter is None:
            return None
        path = "/" + "/".join(segments)
        written_out = self._written_out.get(path)
        if written_out is not None and method in written_out:
            return written_out[method]
        if written_out is None and None not in self._begins and (segments[0] if segments else "") not in self._begins:
            return None  # without Werkzeug, for which it takes longer than for all else in the way of a plain export
        if self._longest is not None and len(path) > self._longest:
            return None
        try:
            # Werkzeug takes a method in any case: `post` is none.
            target, values = self._adapter.match(path, method if method in METHODS else "UNKNOWN")
        except MethodNotAllowed as error:
            allow = tuple(sorted({*(error.valid_methods or ()), "OPTIONS"}))
            return RouteMatch(allow=allow, is_written_out=written_out is not None)
        except (NotFound, ValueError):  # a ValueError: more digits than Python makes a number of
            return None
        return RouteMatch(target, values)

    def __bool__(self) -> bool:
        return bool(self.targets)


def _by_path(targets: Sequence[RouteTarget]) -> dict[str, dict[str, RouteMatch]]:
    found: dict[str, dict[str, RouteMatch]] = {}
    for target in targets:
        if not target.has_variables:
            match = RouteMatch(target, is_written_out=True)
            methods = (*target.route.methods, *(("HEAD",) if "GET" in target.route.methods else ()))
            for method in methods:
                found.setdefault(target.path, {}).setdefault(method, match)
    return found


def _first_segment(path: str) -> str | None:
    first = path[1:].partition("/")[0]
    return None if "<" in first else first


def open_ends(path: str) -> int:
    """Count the variables whose end has to be searched for: two in ``<name>-<version>.zip``, none in ``<a>/<b>``.

    Each such variable multiplies the time it takes to find that a path does not match by the length of that path.
    Werkzeug matches segment by segment, but from a ``<path:...>`` on the rest as a whole.
    """
    first = next((found.start() for found in _VARIABLE.finditer(path) if _kind_of(found[1]) == "path"), len(path))
    start = path.rfind("/", 0, first) + 1
    return max(_open_ends_of(part) for part in (*path[:start].split("/"), path[start:]))


def _open_ends_of(part: str) -> int:
    found = list(_VARIABLE.finditer(part))
    followed = [variable for variable in found if variable.end() < len(part)]  # the last may end where the path does
    return sum(
        _is_open(_kind_of(variable[1]), part[: variable.start()], part[variable.end() :]) for variable in followed
    )


def _is_open(kind: str, before: str, behind: str) -> bool:
    """Whether the end of a variable of this kind has to be searched for, between what stands before and behind it."""
    if kind == "string":
        is_segment = behind.startswith("/") and (not before or before.endswith("/"))
        return not is_segment
    if kind in ("int", "float"):
        return behind.startswith(("<", *"0123456789", *("." if kind == "float" else "")))
    return kind == "path"


def _kind_of(converter: str | None) -> str:
    """The name of a converter; ``fixed`` for that of a text of a given length.

    ``string`` also for one of several texts, if one of these begins another: ``any(a, ab)``.
    """
    kind, _, arguments = (converter or "string").partition("(")
    if kind == "any":
        texts = [text.strip(" \"')") for text in arguments.split(",")]
        return "string" if any(a != b and b.startswith(a) for a in texts for b in texts) else kind
    return "fixed" if re.search(r"\blength=", arguments) else "string" if kind == "default" else kind


def variables_of(path: str, name: str, written: str, most_open_ends: int = MOST_OPEN_ENDS) -> tuple[str, ...]:
    """The names of the variables in a path, in their order.

    :param name: of the endpoint and where it is, for the message.
    :param written: the path as it was written.
    :param most_open_ends: see :func:`open_ends`.
    :raises FunctionError: it is no path that can be matched.
    """
    found = tuple(variable for _, variable in _VARIABLE.findall(path))
    if len(set(found)) < len(found):
        raise _unusable(path, name, "it names a variable twice")
    try:
        rule = Rule(path, endpoint=name)
        Map([rule])
    except (ValueError, LookupError) as error:
        raise _unusable(path, name, _reason(error)) from None
    if what := strange_part(written):
        raise _unusable(path, name, f"it has {what}")
    if [_kind_of(one[1]) for one in _VARIABLE.finditer(path)].count("path") > 2 or open_ends(path) > most_open_ends:
        raise _unusable(path, name, TOO_OPEN)
    if set(found) != rule.arguments:  # ours, which tell what may take a signed call, have to be all there are
        raise _unusable(path, name, "its variables cannot be told")
    return found


def _unusable(path: str, name: str, why: str) -> FunctionError:
    return FunctionError(
        f'The route "{path}" of {name} cannot be used: {why}. Write a path as in Flask: /users/<int:id>'
    )


def joined(*parts: str) -> str:
    """A path out of a prefix and a rule: one slash before each segment, none at the end."""
    whole = "/".join(parts)
    pieces = _VARIABLE.split(whole)  # between two plain ones the converter and the name of a variable
    variables = iter(found[0] for found in _VARIABLE.finditer(whole))
    plain = (re.sub("/+", "/", piece) for piece in pieces[::3])  # not within: an argument of a converter may have some
    path = "".join(f"{piece}{next(variables, '')}" for piece in plain)
    return f"/{path.strip('/')}"


def strange_part(rule: str) -> str:
    """What in a rule can never be matched, or was meant as something else; empty if there is nothing."""
    plain = _VARIABLE.sub("", rule)
    return next((what for pattern, what in STRANGE if pattern.search(plain)), "")


def pattern_of(path: str) -> str:
    """A path without the names of its variables: of two with the same one can be reached."""
    return _VARIABLE.sub(lambda found: f"<{found[1] or 'default'}>", path)


def _at(target: RouteTarget) -> str:
    return f" ({target.place})" if target.place else ""


def _rule(target: RouteTarget) -> Rule:
    return Rule(target.path, endpoint=target, methods=target.route.methods)


def _refuse_doubles(targets: Sequence[RouteTarget]) -> None:
    seen: dict[tuple[str, str], RouteTarget] = {}
    for target in targets:
        for method in target.route.methods:
            other = seen.setdefault((method, pattern_of(target.path)), target)
            if other is not target:
                raise FunctionError(
                    f'"{other.export.name}"{_at(other)} and "{target.export.name}"{_at(target)} would both answer '
                    f"{method} {target.path}. Keep one of them, or give one another path. "
                    'A class that is only a base for others begins its name with "_".'
                )


def _reason(error: Exception) -> str:
    text = str(error.args[0] if error.args else "").rstrip(".")
    return text or type(error).__name__
