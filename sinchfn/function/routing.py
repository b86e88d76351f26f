"""Routing: the pure function that finds the endpoint for a method, a path and an event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from ..security.table import plain_name
from .exports import Export, Kind, Reads
from .names import CALLBACKS, IMPLICIT_CALLBACKS, ROOT
from .routes import METHODS, NO_VALUES, RouteMatch, RouteTarget, Rules

#: In place of the event of a ``POST`` to the root whose body is not JSON.
UNREADABLE = "?"

#: In place of the event of a ``POST`` to the root that was not read because its signature is invalid.
UNVERIFIED = "!"

#: The endpoint of the application's callback URL, for a body that does not name a callback.
CALLBACK_URL = Export("/", Kind.VOICE, reads=Reads.CALLBACK)


class Exports:
    """All endpoints of a function.

    :ivar listed: in the order in which the function defines them.
    :ivar warnings: for the start-up log: what looks meant to be exported but is not, and the remedies.
    :ivar rules: the routes of those that have routes of their own.
    """

    def __init__(self, listed: tuple[Export, ...], warnings: tuple[str, ...], rules: Rules) -> None:
        self.listed, self.warnings, self.rules = listed, warnings, rules
        voice = {export.meaning: export for export in listed if export.kind is Kind.VOICE}
        for name in IMPLICIT_CALLBACKS if voice else ():
            implicit = Export(name, Kind.VOICE, spellings=frozenset((name,)), reads=Reads.CALLBACK)
            voice.setdefault(name, implicit)
        other = [export for export in listed if export.kind is not Kind.VOICE]
        #: name -> voice callback, also those without a handler
        self.callbacks: Mapping[str, Export] = MappingProxyType(voice)
        #: path segment -> export, without voice callbacks
        self.segments = MappingProxyType({spelling: export for export in other for spelling in export.spellings})
        #: ``<service>`` of ``/webhook/<service>`` -> export
        self.services = MappingProxyType({service: export for export in other for service in export.services})
        #: the handler of the mount's root
        self.root = next((export for export in other if export.meaning in ROOT and not export.routes), None)

    def __iter__(self) -> Iterator[Export]:
        return iter(self.listed)

    def guarded_service(self, service: str) -> Export | None:
        """Return a guarded webhook, however the name of its service is divided into words: ``eleven-labs``."""
        if not service[:1].islower():  # not kebab, snake or camel case
            return None
        found = self.services.get(plain_name(service))
        return found if found is not None and found.scheme is not None else None

    @cached_property
    def names(self) -> list[str]:
        """The names of all handlers."""
        return list(dict.fromkeys(name for export in self.listed for name in export.names))


class Route(NamedTuple):
    """The endpoint for a request, or the methods that its path allows."""

    export: Export | None = None
    allow: tuple[str, ...] = ()
    #: the matching route, for an endpoint with routes of its own
    target: RouteTarget | None = None
    #: the values of the variables in its path
    values: Mapping[str, Any] = NO_VALUES
    #: whether only routes for other methods match, so that a file may have the path
    is_left: bool = False

    @classmethod
    def of_match(cls, found: RouteMatch) -> Route:
        """Return the route for a match of an endpoint's own rules."""
        if found.target is None:
            return cls(allow=found.allow, is_left=True)
        return cls(found.target.export, target=found.target, values=found.values)

    @classmethod
    def of_export(cls, method: str, export: Export | None) -> Route | None:
        """Return the route for an export that takes every method; None without an export."""
        if export is None:
            return None
        return cls(export) if method in METHODS else cls(allow=METHODS)


def segments_of(path: str) -> list[str]:
    """Return the segments of a path; trailing and doubled slashes are ignored."""
    return [segment for segment in path.split("/") if segment]


def route(method: str, path: str, event: str | None, exports: Exports) -> Route | None:
    """Return the endpoint for a request; None if no endpoint has its path.

    :param path: decoded, below the function's mount.
    :param event: the ``event`` of a JSON body posted to the root, in lower case; :data:`UNREADABLE`,
        :data:`UNVERIFIED`, or None.
    """
    segments = segments_of(path)
    if not segments:
        return _route_root(method, event, exports)
    found = exports.rules.match(method, segments) if exports.rules else None
    if found is not None and found.is_written_out and found.target is not None:
        return Route.of_match(found)
    plain = _plain_route(method, segments, exports)
    if found is None:
        return plain
    # A route with variables matches paths that are not written down anywhere. It never takes a signed call from its
    # handler; and if no such route allows the method, the path belongs to an export, which takes every method.
    if plain is not None and plain.export is not None:
        is_left = found.target is None and not found.is_written_out
        if is_left or plain.export.scheme is not None:
            return plain
    return Route.of_match(found)


def _plain_route(method: str, segments: list[str], exports: Exports) -> Route | None:
    last = segments[-1]
    callback = exports.callbacks.get(last)
    if callback is not None:
        return Route(callback) if method == "POST" else Route(allow=("POST",))
    if len(segments) > 1 and segments[-2] == "webhook":
        return Route.of_export(method, exports.services.get(last) or exports.guarded_service(last))
    return Route.of_export(method, exports.segments.get(last))


def _route_root(method: str, event: str | None, exports: Exports) -> Route | None:
    found = exports.rules.match(method, []) if exports.rules else None
    own = Route.of_match(found) if found is not None else None
    if method == "POST" and exports.callbacks:
        if event in CALLBACKS:  # without a handler it does not go to ``home``, which would not verify it
            return Route.of_export(method, exports.callbacks.get(event))
        is_own = exports.root is not None or (own is not None and own.export is not None)
        if event == UNVERIFIED or (event == UNREADABLE and not is_own):
            return Route(CALLBACK_URL)
        if own is not None and own.export is None:
            return None  # a POST to this path needs an event
    if own is not None and own.export is None and exports.callbacks:
        return Route(allow=tuple(sorted({*own.allow, "POST"})), is_left=True)
    return own or Route.of_export(method, exports.root)
