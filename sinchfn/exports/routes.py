"""Endpoints with routes of their own: methods of controllers, and what ``configure_app`` maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..controllers import OwnRoute, Parameters
from ..controllers.rules import Leading, joined, variables_of
from ..errors import FunctionError
from ..places import place_of
from ..signatures import scheme_of
from .export import Export, Handler, Kind, Row
from .functions import services_of
from .names import CALLBACKS

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
class Written:
    """One route, as it was found in the function."""

    name: str
    handler: Handler
    function: Callable[..., Any]
    prefix: str
    route: OwnRoute
    #: how many parameters of the function are filled otherwise
    leading: int

    @property
    def path(self) -> str:
        """The whole path, without a slash at its end."""
        return joined(self.prefix, self.route.rule)


def mapped_route(method: str, rule: str, function: Callable[..., Any]) -> Written:
    """The route of a function that ``configure_app`` maps."""
    named = getattr(function, "__name__", "<lambda>")
    name = joined(rule) if named == "<lambda>" else named
    return Written(name, MappedFunction(function), function, "", OwnRoute(rule, (method,)), leading=2)


def routed_exports(written: Iterable[Written]) -> tuple[list[Export], list[Leading]]:
    """An export for each function or method, and where each of its routes leads.

    :raises FunctionError: a route cannot be served.
    """
    grouped: dict[Handler, list[Written]] = {}
    for one in written:
        grouped.setdefault(one.handler, []).append(one)
    exports = {handler: _export(found) for handler, found in grouped.items()}
    leadings = [_leading(one, exports[handler]) for handler, found in grouped.items() for one in found]
    return list(exports.values()), leadings


def _export(found: list[Written]) -> Export:
    first = found[0]
    rows = tuple(Row(",".join(one.route.methods), one.path, first.name) for one in found)
    return Export(first.name, Kind.HTTP, first.handler, routes=rows)


def _leading(one: Written, export: Export) -> Leading:
    _refuse_guarded(one)
    parts = [part for part in ("body", "query") if getattr(one.route, part) is not None]
    variables = variables_of(one.path)
    if len(set(variables)) < len(variables):
        raise FunctionError(f'The route "{one.path}" of {one.name} names a variable twice: give each its own name.')
    parameters = Parameters(one.function, one.name, one.path, leading=one.leading, variables=variables, parts=parts)
    return Leading(one.path, one.route, parameters, export)


def _refuse_guarded(one: Written) -> None:
    """No route of one's own where a signed call is expected: it would take it without asking who sent it."""
    segments = one.path.strip("/").split("/")
    if len(segments) == 1 and segments[0] in CALLBACKS:
        instead = f"override {segments[0]} in a SinchVoiceController, or export def {segments[0]}(context, data)"
    elif len(segments) == 2 and segments[0] == "webhook" and scheme_of(f"{segments[1]}Webhook") is not None:
        instead = f"write a controller of its kind, or export def {_webhook_name(segments[1])}(context, request)"
    else:
        return
    raise FunctionError(
        f'The route "{one.path}" of {one.name} ({place_of(one.function)}) is where the platform sends signed calls: '
        f"{instead}. There their signatures are checked."
    )


def _webhook_name(service: str) -> str:
    known = sorted(services_of(f"{service}_webhook"))
    return f"{next((name for name in known if name.isidentifier()), service)}_webhook"
