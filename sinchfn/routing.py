"""Which endpoint answers a request: one pure function over (method, path, event, exports)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .controllers.decorators import METHODS
from .controllers.rules import NO_VALUES, RouteMatch, RouteTarget
from .exports import CALLBACKS, Export, Exports, Kind, Reads

#: Stands for the event of a ``POST`` to the root whose body could not be read as JSON.
UNREADABLE = "?"

#: Stands for the event of one that was not read, because its signature does not hold.
UNVERIFIED = "!"

#: Answers for the application's one callback URL when the body does not say which callback it is for.
CALLBACK_URL = Export("/", Kind.VOICE, reads=Reads.CALLBACK)


class Route(NamedTuple):
    """The endpoint that answers, or the methods that would have been allowed."""

    export: Export | None = None
    allow: tuple[str, ...] = ()
    #: of an endpoint with routes of its own: the one that was taken
    target: RouteTarget | None = None
    #: what the variables in its path stand for
    values: Mapping[str, Any] = NO_VALUES
    #: whether the path is only that of routes of the function's own, which leave it to a file and the like
    is_left: bool = False


def segments_of(path: str) -> list[str]:
    """The segments of a path; trailing and doubled slashes count for nothing."""
    return [segment for segment in path.split("/") if segment]


def route(method: str, path: str, event: str | None, exports: Exports) -> Route | None:
    """Find the endpoint for a request.

    :param path: decoded, below the function's mount.
    :param event: the ``event`` of a JSON body posted to the root, in lower case; :data:`UNREADABLE`,
        :data:`UNVERIFIED`, or None.
    :returns: the route, or None if no endpoint has this path.
    """
    segments = segments_of(path)
    if not segments:
        return _route_root(method, event, exports)
    found = exports.rules.match(method, segments) if exports.rules else None
    if found is not None and found.is_written_out and found.target is not None:
        return _own_route(found)
    plain = _plain_route(method, segments, exports)
    if found is None:
        return plain
    # A route with variables stands for paths that nobody wrote down: it never takes a signed call from its handler. And
    # where none of them has the method, they leave the path to an export, which takes every method.
    if plain is not None and plain.export is not None:
        is_left = found.target is None and not found.is_written_out
        if is_left or plain.export.scheme is not None:
            return plain
    return _own_route(found)


def _own_route(found: RouteMatch) -> Route:
    if found.target is None:
        return Route(allow=found.allow, is_left=True)
    return Route(found.target.export, target=found.target, values=found.values)


def _plain_route(method: str, segments: list[str], exports: Exports) -> Route | None:
    last = segments[-1]
    callback = exports.callbacks.get(last)
    if callback is not None:
        return Route(callback) if method == "POST" else Route(allow=("POST",))
    if len(segments) > 1 and segments[-2] == "webhook":
        return _found(method, exports.services.get(last) or exports.guarded_service(last))
    return _found(method, exports.segments.get(last))


def _route_root(method: str, event: str | None, exports: Exports) -> Route | None:
    found = exports.rules.match(method, []) if exports.rules else None
    own = _own_route(found) if found is not None else None
    if method == "POST" and exports.callbacks:
        if event in CALLBACKS:  # one without a handler is not for `home`, which would take it unverified
            return _found(method, exports.callbacks.get(event))
        is_own = exports.root is not None or (own is not None and own.export is not None)
        if event == UNVERIFIED or (event == UNREADABLE and not is_own):
            return Route(CALLBACK_URL)
        if own is not None and own.export is None:
            return None  # what a POST is for here is the event, and there is none
    if own is not None and own.export is None and exports.callbacks:
        return Route(allow=tuple(sorted({*own.allow, "POST"})), is_left=True)
    return own or _found(method, exports.root)


def _found(method: str, export: Export | None) -> Route | None:
    if export is None:
        return None
    return Route(export) if method in METHODS else Route(allow=METHODS)
