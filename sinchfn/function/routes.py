"""Routes of a function's own: the decorators that declare them, and the rules that match paths, by Werkzeug."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from marshmallow import Schema
from marshmallow.fields import Field
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from ..errors import FunctionError
from .names import ONLY_A_BASE
from .parameters import Parameters, describe_callable

if TYPE_CHECKING:
    from .exports import Export

#: The methods that a route may take, and that reach a webhook or a custom endpoint.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: The attributes that keep the routes of a method, and the prefix of a class.
ROUTES = "__sinchfn_routes__"
PREFIX = "__sinchfn_prefix__"

#: Values for ``body`` and ``query``: a schema, its class, or a dict of marshmallow fields.
SchemaLike = Schema | type[Schema] | Mapping[str, Field[Any]]

Target = TypeVar("Target", bound=Callable[..., Any])

#: The values of a path without variables.
NO_VALUES: Mapping[str, Any] = MappingProxyType({})

#: A variable of a rule, as Werkzeug reads it: ``<name>``, ``<int:name>``, ``<any("a:b", c):name>``.
_VARIABLE = re.compile(r"<(?:([a-zA-Z_][a-zA-Z0-9_]*(?:\(.*?\))?):)?([a-zA-Z][a-zA-Z0-9_]*)>")

#: Notations of other frameworks, and parts of a rule that no path can match: pattern -> description.
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

#: Longest path that is matched with rules of so many :func:`open_ends`. With one, each rule reads the whole path; with
#: two, the time for a match grows with the square of its length.
LONGEST_PATH: Mapping[int, int] = MappingProxyType({1: 2048, 2: 512})

#: Most :func:`open_ends` of a rule. With three, the time grows with the cube of the length, up to seconds.
MOST_OPEN_ENDS = 2

#: The reason for refusing a rule with more.
TOO_OPEN = (
    "a long path would take seconds to match, because the ends of too many variables have to be searched for. "
    "Take one <path:rest> and split it in the handler, or use <int:...>, or put slashes between the variables"
)


@dataclass(frozen=True, slots=True)
class OwnRoute:
    """One route of one method, as it was written."""

    #: in the notation of Werkzeug: ``/users/<int:id>``
    rule: str
    methods: tuple[str, ...]
    #: the schema for the body of a request
    body: Schema | None = None
    #: the schema for its query
    query: Schema | None = None


def route(
    rule: str, *, methods: Iterable[str] = (), body: SchemaLike | None = None, query: SchemaLike | None = None
) -> Callable[[Target], Target]:
    """Route a path to a method, or put a prefix in front of the paths of all methods of a class.

    A method may have several routes. ``rule`` is written as in Flask, ``/users/<int:id>``; the variables are passed as
    keyword arguments.

    :param methods: HTTP methods; default ``GET``, which includes ``HEAD``.
    :param body: a marshmallow schema that loads the JSON or form of the request. The result is passed as the argument
        ``body``, else as the first positional one. A request that the schema refuses is answered 422, with the faults
        of each field in ``fields`` (below ``body`` or ``query``, if the route has both).
    :param query: the same for the query, passed as the argument ``query``, else as the next positional one. Query
        parameters that the schema does not know are left out.
    :raises FunctionError: it is not used as a decorator of a method or class.
    """
    if not isinstance(rule, str):
        raise FunctionError(
            f'A route takes a path: write @route("/path") or @get("/path"); found {describe_callable(rule)}.'
        )
    if isinstance(methods, str):
        raise FunctionError(f'The methods of a route are a list: write methods=["{methods}"].')
    known = tuple(str(method).upper() for method in methods)
    for method in known:
        if method not in METHODS:
            raise FunctionError(f'The route "{rule}" has the method {method!r}; allowed are {", ".join(METHODS)}.')
    added = OwnRoute(rule, known or ("GET",), schema_of(body, rule), schema_of(query, rule))
    if added.query is not None and added.query.many:
        raise FunctionError(f'The schema of the query of "{rule}" has many=True, but a query is one object.')

    def mark(target: Target) -> Target:
        place: Any = target  # the type checker knows too little of it for the checks below
        if isinstance(place, type):
            if known or added.body or added.query:
                raise FunctionError(f'The route "{rule}" of {place.__name__} is a prefix: it takes the path alone.')
            setattr(place, PREFIX, rule)
        elif callable(place):
            # A new tuple, because functools.wraps passes on the very object of the wrapped method.
            setattr(place, ROUTES, (*getattr(place, ROUTES, ()), added))
        else:
            raise FunctionError(
                f'The route "{rule}" stands above a {type(place).__name__}: it goes right above the method, '
                "or above the class."
            )
        return target

    return mark


def get(rule: str, *, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """Route ``GET`` and ``HEAD`` requests to this method. See :func:`route`."""
    return route(rule, methods=("GET",), query=query)


def post(rule: str, *, body: SchemaLike | None = None, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """Route ``POST`` requests to this method. See :func:`route`."""
    return route(rule, methods=("POST",), body=body, query=query)


def put(rule: str, *, body: SchemaLike | None = None, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """Route ``PUT`` requests to this method. See :func:`route`."""
    return route(rule, methods=("PUT",), body=body, query=query)


def patch(rule: str, *, body: SchemaLike | None = None, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """Route ``PATCH`` requests to this method. See :func:`route`."""
    return route(rule, methods=("PATCH",), body=body, query=query)


def delete(rule: str, *, body: SchemaLike | None = None, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """Route ``DELETE`` requests to this method. See :func:`route`."""
    return route(rule, methods=("DELETE",), body=body, query=query)


def schema_of(given: SchemaLike | None, rule: str) -> Schema | None:
    """Return an instance of a schema. It is made once, because making one takes longer than loading with it.

    :raises FunctionError: ``given`` is not a schema.
    """
    if given is None or isinstance(given, Schema):
        return given
    if isinstance(given, type) and issubclass(given, Schema):
        return given()
    if isinstance(given, Mapping):
        for name, field in given.items():
            if not isinstance(field, Field) and not (isinstance(field, type) and issubclass(field, Field)):
                raise FunctionError(
                    f'"{name}" in the schema of the route "{rule}" is {field!r:.40}, not a marshmallow field: write '
                    f'{{"{name}": fields.String()}}.'
                )
        return Schema.from_dict(dict(given))()
    raise FunctionError(
        f'The route "{rule}" takes a marshmallow schema as body and query: a Schema class, an instance, or a dict of '
        f"fields; found {describe_callable(given)}."
    )


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """One route with the endpoint that it leads to."""

    #: with the prefix of the class; without a slash at the end
    path: str
    route: OwnRoute
    parameters: Parameters
    export: Export
    #: file and line, for messages
    place: str = ""

    @property
    def has_variables(self) -> bool:
        return bool(self.parameters.variables)


class RouteMatch(NamedTuple):
    """The endpoint for a path, with the values of its variables; or the methods that the path allows."""

    target: RouteTarget | None = None
    values: Mapping[str, Any] = NO_VALUES
    allow: tuple[str, ...] = ()
    #: whether a route without variables has this path
    is_written_out: bool = False


class Rules:
    """All routes of a function. Trailing and doubled slashes are ignored, as everywhere."""

    __slots__ = ("_adapter", "_begins", "_longest", "_written_out", "targets")

    def __init__(self, targets: Sequence[RouteTarget] = ()) -> None:
        _refuse_doubles(targets)
        self.targets = targets
        rules = [Rule(target.path, endpoint=target, methods=target.route.methods) for target in targets]
        self._adapter = Map(rules, strict_slashes=False, merge_slashes=False, redirect_defaults=False).bind("localhost")
        #: path without variables -> method -> match
        self._written_out: dict[str, dict[str, RouteMatch]] = {}
        #: the first segments of paths with variables; None stands for any
        self._begins: set[str | None] = set()
        for target in targets:
            if target.has_variables:
                first = target.path[1:].partition("/")[0]
                self._begins.add(None if "<" in first else first)
                continue
            match = RouteMatch(target, is_written_out=True)
            for method in (*target.route.methods, *(("HEAD",) if "GET" in target.route.methods else ())):
                self._written_out.setdefault(target.path, {}).setdefault(method, match)
        #: the longest path that is matched with all of them; None for any
        self._longest = LONGEST_PATH.get(max((open_ends(target.path) for target in targets), default=0))

    def match(self, method: str, segments: Sequence[str]) -> RouteMatch | None:
        """Return the match for a path; None if no route has it.

        :param segments: the segments of the path, decoded.
        """
        path = "/" + "/".join(segments)
        written_out = self._written_out.get(path)
        if written_out is not None and method in written_out:
            return written_out[method]
        if written_out is None and None not in self._begins and (segments[0] if segments else "") not in self._begins:
            return None  # without Werkzeug, which takes longer than everything else on the way to a plain export
        if self._longest is not None and len(path) > self._longest:
            return None
        try:
            # Werkzeug accepts a method in any case, but ``post`` is not a method.
            target, values = self._adapter.match(path, method if method in METHODS else "UNKNOWN")
        except MethodNotAllowed as error:
            allow = tuple(sorted({*(error.valid_methods or ()), "OPTIONS"}))
            return RouteMatch(allow=allow, is_written_out=written_out is not None)
        except (NotFound, ValueError):  # a ValueError: more digits than Python converts to a number
            return None
        return RouteMatch(target, values)

    def __bool__(self) -> bool:
        return bool(self.targets)


def _refuse_doubles(targets: Sequence[RouteTarget]) -> None:
    seen: dict[tuple[str, str], RouteTarget] = {}
    for target in targets:
        for method in target.route.methods:
            other = seen.setdefault((method, pattern_of(target.path)), target)
            if other is not target:
                one, two = (f'"{it.export.name}"{it.place and f" ({it.place})"}' for it in (other, target))
                raise FunctionError(
                    f"{one} and {two} would both answer {method} {target.path}. "
                    f"Keep one of them, or give one another path. {ONLY_A_BASE}"
                )


def joined(*parts: str) -> str:
    """Return the path of a prefix and a rule: one slash before each segment, and none at the end."""
    whole = "/".join(parts)
    pieces = _VARIABLE.split(whole)  # text, converter, name, text, ...
    variables = iter(found[0] for found in _VARIABLE.finditer(whole))
    plain = (re.sub("/+", "/", piece) for piece in pieces[::3])  # an argument of a converter may have several slashes
    path = "".join(f"{piece}{next(variables, '')}" for piece in plain)
    return f"/{path.strip('/')}"


def pattern_of(path: str) -> str:
    """Return a path without the names of its variables: only one of two paths with the same pattern can be reached."""
    return _VARIABLE.sub(lambda found: f"<{found[1] or 'default'}>", path)


def variables_of(path: str, name: str, written: str, most_open_ends: int = MOST_OPEN_ENDS) -> tuple[str, ...]:
    """Return the names of the variables in a path, in their order.

    :param name: the endpoint and its place, for the message.
    :param written: the path as it was written.
    :param most_open_ends: see :func:`open_ends`.
    :raises FunctionError: no path can match.
    """
    if why := _problem_of(path, written, most_open_ends):
        raise FunctionError(
            f'The route "{path}" of {name} cannot be used: {why}. Write a path as in Flask: /users/<int:id>'
        )
    return tuple(variable for _, variable in _VARIABLE.findall(path))


def _problem_of(path: str, written: str, most_open_ends: int) -> str:
    """Return the reason why a path cannot be used; empty if it can."""
    variables = [variable for _, variable in _VARIABLE.findall(path)]
    if len(set(variables)) < len(variables):
        return "it names a variable twice"
    try:
        rule = Rule(path)
        Map([rule])
    except (ValueError, LookupError) as error:
        return str(error.args[0] if error.args else "").rstrip(".") or type(error).__name__
    plain = _VARIABLE.sub("", written)
    if what := next((what for pattern, what in STRANGE if pattern.search(plain)), ""):
        return f"it has {what}"
    kinds = [_kind_of(found[1]) for found in _VARIABLE.finditer(path)]
    if kinds.count("path") > 2 or open_ends(path) > most_open_ends:
        return TOO_OPEN
    # Our reading decides whether a route could take a signed call, and must not miss a variable.
    return "" if set(variables) == rule.arguments else "its variables are not clear"


def open_ends(path: str) -> int:
    """Count the variables whose end has to be searched for: two in ``<name>-<version>.zip``, none in ``<a>/<b>``.

    Each such variable multiplies the time for finding that a path does not match by the length of that path. Werkzeug
    matches segment by segment, but from a ``<path:...>`` on the rest as a whole.
    """
    first = next((found.start() for found in _VARIABLE.finditer(path) if _kind_of(found[1]) == "path"), len(path))
    start = path.rfind("/", 0, first) + 1
    most = 0
    for part in (*path[:start].split("/"), path[start:]):
        found = [one for one in _VARIABLE.finditer(part) if one.end() < len(part)]  # the last may end with the path
        most = max(most, sum(_is_open(_kind_of(one[1]), part[: one.start()], part[one.end() :]) for one in found))
    return most


def _is_open(kind: str, before: str, behind: str) -> bool:
    """Return True if the end of a variable of this kind has to be searched for, between these neighbours."""
    if kind == "string":
        is_segment = behind.startswith("/") and (not before or before.endswith("/"))
        return not is_segment
    if kind in ("int", "float"):
        return behind.startswith(("<", *"0123456789", *("." if kind == "float" else "")))
    return kind == "path"


def _kind_of(converter: str | None) -> str:
    """Return the name of a converter; ``fixed`` for a text of a given length.

    ``any`` counts as ``string`` if one of its texts begins with another: ``any(a, ab)``.
    """
    kind, _, arguments = (converter or "string").partition("(")
    if kind == "any":
        texts = [text.strip(" \"')") for text in arguments.split(",")]
        return "string" if any(a != b and b.startswith(a) for a in texts for b in texts) else kind
    return "fixed" if re.search(r"\blength=", arguments) else "string" if kind == "default" else kind
