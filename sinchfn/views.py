"""The face of our views towards Flask's ecosystem: functions with names, and a rule for each handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response
from werkzeug.routing import Map, Rule

from .exports import Export
from .function import Function
from .routing import Route, route, segments_of

#: Stands for every path without a handler: files, and what is not found.
OTHER_PATHS = "/<path:path>"


def view_function(answer: Callable[..., Response], blueprint: str, endpoint: str) -> Callable[..., Response]:
    """A function for Flask's table of views, where extensions look for ``__name__``, ``__qualname__`` and so on.

    Some know a view by its module and name only, so no two views of an app have the same.
    """

    def view(**variables: Any) -> Response:
        return answer(**variables)

    view.__name__ = view.__qualname__ = f"{blueprint}_{endpoint}"
    view.__doc__ = answer.__doc__
    view.__wrapped__ = answer.__call__  # type: ignore[attr-defined, operator]  # has the signature
    return view


class RouteRules:
    """The rules that a function's requests go by, one for each handler: ``/ice``, ``/users/<int:id>``.

    Tracers, error trackers and metrics group requests by ``request.url_rule.rule``. The rule of our catch-all would
    make one group of them all.
    """

    def __init__(self, function: Function, endpoint: str) -> None:
        self._function = function
        self._endpoint = endpoint
        self._made: dict[Export | str, Rule] = {}

    def of_path(self, method: str, path: str) -> Rule:
        """The rule of a request that no view has seen yet.

        :param path: below the function's mount.
        """
        segments = segments_of(path)
        if not segments:
            return self._rule("/", "/")  # its body says which handler it is for
        found = route(method, path, None, self._function.exports)
        if segments == ["health"] and (found is None or found.export is None):
            return self._rule("/health", "/health")
        return self.of_route(found)

    def of_route(self, found: Route | None) -> Rule:
        """The rule of a request with this handler."""
        if found is None or found.export is None:
            return self._rule(OTHER_PATHS, OTHER_PATHS)
        if found.target is not None:
            return self._rule(found.target.path, found.target.path)
        return self._made.get(found.export) or self._rule(found.export, found.export.path)

    def _rule(self, key: Export | str, path: str) -> Rule:
        if key not in self._made:
            rule = Rule((self._function.url_prefix + path).rstrip("/") or "/", endpoint=self._endpoint)
            Map([rule])  # which makes its variables known
            self._made[key] = rule
        return self._made[key]
