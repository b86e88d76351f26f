"""Endpoints with routes of their own: methods of controllers, and what ``configure_app`` maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..controllers import LEADING_OF_FUNCTION, OwnRoute, Parameters
from ..controllers.rules import RouteTarget, joined, variables_of
from ..errors import FunctionError
from ..places import place_of
from ..signatures import scheme_at, scheme_of
from .export import Export, Handler, Kind, Row
from .names import CALLBACKS, words_of

if TYPE_CHECKING:
    from ..invocation import Invocation


@dataclass(frozen=True, slots=True)
class MappedFunction:
    """What ``app.map_get("/path", function)`` has mapped: ``function(context, request)``."""

    function: Callable[..., Any]

    def __call__(self, invocation: Invocation) -> Any:
        positional, named = invocation.arguments
        return self.function(invocation.context, invocation.payload, *positional, **named)


@dataclass(frozen=True, slots=True)
class DeclaredRoute:
    """One route, as it was found in the function."""

    name: str
    handler: Handler
    function: Callable[..., Any]
    prefix: str
    route: OwnRoute
    #: the parameters of the function that are filled otherwise
    leading: Sequence[str]

    @property
    def key(self) -> object:
        """What the routes of one function or method have in common. (A callable object need not be hashable.)"""
        return id(self.function) if isinstance(self.handler, MappedFunction) else self.handler

    @property
    def path(self) -> str:
        """The whole path, without a slash at its end."""
        return joined(self.prefix, self.route.rule)


def mapped_route(method: str, rule: str, function: Callable[..., Any]) -> DeclaredRoute:
    """The route of a function that ``configure_app`` maps."""
    named = getattr(function, "__name__", "<lambda>")
    name = joined(rule) if named == "<lambda>" else named
    return DeclaredRoute(name, MappedFunction(function), function, "", OwnRoute(rule, (method,)), LEADING_OF_FUNCTION)


def routed_exports(written: Iterable[DeclaredRoute]) -> tuple[list[Export], list[RouteTarget]]:
    """An export for each function or method, and where each of its routes leads.

    :raises FunctionError: a route cannot be served.
    """
    grouped: dict[Any, list[DeclaredRoute]] = {}
    for one in written:
        grouped.setdefault(one.key, []).append(one)
    exports = {key: _export(found) for key, found in grouped.items()}
    targets = [_target(one, exports[key]) for key, found in grouped.items() for one in found]
    return list(exports.values()), targets


def _export(found: list[DeclaredRoute]) -> Export:
    first = found[0]
    rows = tuple(Row(",".join(one.route.methods), one.path, first.name) for one in found)
    return Export(first.name, Kind.HTTP, first.handler, routes=rows)


def _target(one: DeclaredRoute, export: Export) -> RouteTarget:
    parts = [part for part in ("body", "query") if getattr(one.route, part) is not None]
    place = place_of(one.function)
    variables = variables_of(one.path, f"{one.name} ({place})", f"{one.prefix}/{one.route.rule}")
    parameters = Parameters(one.function, one.name, one.path, leading=one.leading, variables=variables, parts=parts)
    return RouteTarget(one.path, one.route, parameters, export, place)


def refuse_guarded(one: RouteTarget, has_voice: bool) -> None:
    """No route of one's own where a signed call is expected: it would take it without asking who sent it.

    :param has_voice: whether the function has voice callbacks; if not, only their own paths are taken.
    :raises FunctionError: it is one; the message says what to write instead.
    """
    name, is_alone = one.export.name, one.path.count("/") == 1
    if isinstance(one.export.handler, MappedFunction) and scheme_of(name) is not None:
        raise FunctionError(
            f'"{name}" ({one.place}) has the name of an export whose calls are signed, and is mapped '
            f'to "{one.path}", where none are expected. Export it, or give the function another name.'
        )
    scheme, last = scheme_at(one.path), one.path.rpartition("/")[2]
    if scheme is None:
        return
    if last in CALLBACKS and not is_alone and not (has_voice and "POST" in one.route.methods):
        return  # the platform only posts its callbacks
    if scheme == "application":
        instead = f"override {last.lower()} in a SinchVoiceController, or export def {last.lower()}(context, data)"
    else:
        instead = f"write a controller of its kind, or export def {_webhook_name(last)}(context, request)"
    raise FunctionError(
        f'The route "{one.path}" of {name} ({one.place}) is where the platform sends signed calls: '
        f"{instead}. There their signatures are checked."
    )


def _webhook_name(service: str) -> str:
    words = words_of(service)
    return "_".join(words if words[-1] == "webhook" else [*words, "webhook"])
