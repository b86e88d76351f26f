"""Which export answers a request: one pure function over (method, path, event, exports)."""

from __future__ import annotations

from typing import NamedTuple

from .exports import CALLBACKS, Export, Exports, Kind

#: The methods that reach a webhook or a custom endpoint; it looks at ``request.method`` itself.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: Stands for the event of a ``POST`` to the root whose body could not be read as JSON.
UNREADABLE = "?"

#: Answers for the application's one callback URL when the body does not say which callback it is for.
CALLBACK_URL = Export("/", Kind.VOICE)


class Route(NamedTuple):
    """The export that answers, or the methods that would have been allowed."""

    export: Export | None = None
    allow: tuple[str, ...] = ()


def segments_of(path: str) -> list[str]:
    """The segments of a path; trailing and doubled slashes count for nothing."""
    return [segment for segment in path.split("/") if segment]


def route(method: str, path: str, event: str | None, exports: Exports) -> Route | None:
    """Find the export for a request.

    :param path: decoded, below the function's mount.
    :param event: the ``event`` of a JSON body posted to the root, in lower case, or :data:`UNREADABLE`, else None.
    :returns: the route, or None if no export has this path.
    """
    segments = segments_of(path)
    if not segments:
        return _route_root(method, event, exports)
    last = segments[-1]
    callback = exports.callbacks.get(last)
    if callback is not None:
        return Route(callback) if method == "POST" else Route(allow=("POST",))
    if len(segments) > 1 and segments[-2] == "webhook":
        return _found(method, exports.services.get(last))
    return _found(method, exports.segments.get(last))


def _route_root(method: str, event: str | None, exports: Exports) -> Route | None:
    if method == "POST" and exports.callbacks:
        if event in CALLBACKS:  # one without a handler is not for `home`, which would take it unverified
            return _found(method, exports.callbacks.get(event))
        if event == UNREADABLE and exports.root is None:
            return Route(CALLBACK_URL)
    return _found(method, exports.root)


def _found(method: str, export: Export | None) -> Route | None:
    if export is None:
        return None
    return Route(export) if method in METHODS else Route(allow=METHODS)
