"""Endpoints with routes of their own: methods of controllers, and functions that ``configure_app`` maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import FunctionError, place_of
from ..security.table import scheme_at, scheme_of
from .exports import Calling, Export, Handler, Kind, Row
from .names import CALLBACKS, words_of
from .parameters import LEADING_OF_FUNCTION, Parameters
from .routes import OwnRoute, RouteTarget, joined, variables_of


@dataclass(frozen=True, slots=True)
class DeclaredRoute:
    """One route, as the function declares it."""

    name: str
    handler: Handler
    function: Callable[..., Any]
    prefix: str
    route: OwnRoute
    #: the parameters in front, which are not filled from the route
    leading: Sequence[str]

    @property
    def path(self) -> str:
        """The whole path, without a slash at the end."""
        return joined(self.prefix, self.route.rule)


def mapped_route(method: str, rule: str, function: Callable[..., Any]) -> DeclaredRoute:
    """Return the route of a function that ``configure_app`` maps."""
    named = getattr(function, "__name__", "<lambda>")
    name = joined(rule) if named == "<lambda>" else named
    handler = Handler(Calling.FUNCTION, function)
    return DeclaredRoute(name, handler, function, "", OwnRoute(rule, (method,)), LEADING_OF_FUNCTION)


def routed_exports(written: Iterable[DeclaredRoute]) -> tuple[list[Export], list[RouteTarget]]:
    """Return an export for each function or method, and a target for each of their routes.

    :raises FunctionError: a route cannot be served.
    """
    grouped: dict[object, list[DeclaredRoute]] = {}
    for one in written:
        grouped.setdefault(one.handler.key, []).append(one)
    exports: list[Export] = []
    targets: list[RouteTarget] = []
    for found in grouped.values():
        name = found[0].name
        rows = tuple(Row(",".join(one.route.methods), one.path, name) for one in found)
        export = Export(name, Kind.HTTP, found[0].handler, routes=rows)
        exports.append(export)
        for one in found:
            parts = [part for part in ("body", "query") if getattr(one.route, part) is not None]
            place = place_of(one.function)
            variables = variables_of(one.path, f"{one.name} ({place})", f"{one.prefix}/{one.route.rule}")
            parameters = Parameters(
                one.function, one.name, one.path, leading=one.leading, variables=variables, parts=parts
            )
            targets.append(RouteTarget(one.path, one.route, parameters, export, place))
    return exports, targets


def refuse_guarded(one: RouteTarget, has_voice: bool) -> None:
    """Refuse a route at a path where signed calls are expected: it would take them without verifying the sender.

    :param has_voice: whether the function has voice callbacks; if not, only their own paths are reserved.
    :raises FunctionError: the message says what to write instead.
    """
    name, is_alone, handler = one.export.name, one.path.count("/") == 1, one.export.handler
    if handler is not None and handler.calling is Calling.FUNCTION and scheme_of(name) is not None:
        raise FunctionError(
            f'"{name}" ({one.place}) has the name of an export whose calls are signed, but is mapped '
            f'to "{one.path}", where no signed calls arrive. Export it, or rename the function.'
        )
    scheme, last = scheme_at(one.path), one.path.rpartition("/")[2]
    if scheme is None:
        return
    if last in CALLBACKS and not is_alone and not (has_voice and "POST" in one.route.methods):
        return  # the platform sends callbacks by POST only
    if scheme == "application":
        instead = f"override {last.lower()} in a SinchVoiceController, or export def {last.lower()}(context, data)"
    else:
        words = words_of(last)
        webhook = "_".join(words if words[-1] == "webhook" else [*words, "webhook"])
        instead = f"write a controller for it, or export def {webhook}(context, request)"
    raise FunctionError(
        f'The route "{one.path}" of {name} ({one.place}) is where the platform sends signed calls, '
        f"but a route does not verify signatures: {instead}."
    )
