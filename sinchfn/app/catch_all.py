"""URL matching: the catch-all rule, the rules of handlers, and precedence for the rules of a host."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, cast

from flask import Blueprint, Flask, Request, Response, has_request_context, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, Map, MapAdapter, RequestRedirect, Rule

from ..function.exports import Export
from ..function.function import Function
from ..function.routing import Route, route, segments_of
from ..serving.views import flask_request

#: Paths of one segment that are answered if the function has nothing of its own there.
BUILT_IN = ("health", "ready")

#: The rule of every path without a handler: of files, and of what is not found.
OTHER_PATHS = "/<path:path>"


class RouteRules:
    """The URL rules of a function, one for each handler: ``/ice``, ``/users/<int:id>``.

    Tracers, error trackers and metrics group requests by ``request.url_rule.rule``. The catch-all rule would
    put all of them into one group.
    """

    def __init__(self, function: Function, endpoint: str) -> None:
        self._function = function
        self._endpoint = endpoint
        self._made: dict[Export | str, Rule] = {}

    def of_path(self, method: str, path: str) -> Rule:
        """Return the rule of a request that the view has not seen yet.

        :param path: the path below the mount of the function.
        """
        segments = segments_of(path)
        if not segments:
            return self._rule("/", "/")  # the handler depends on the body
        found = route(method, path, None, self._function.exports)
        if len(segments) == 1 and segments[0] in BUILT_IN and (found is None or found.export is None):
            return self._rule(f"/{segments[0]}", f"/{segments[0]}")
        return self.of_route(found)

    def of_route(self, found: Route | None) -> Rule:
        """Return the rule of a request with this route."""
        if found is None or found.export is None:
            return self._rule(OTHER_PATHS, OTHER_PATHS)
        if found.target is not None:
            return self._rule(found.target.path, found.target.path)
        return self._made.get(found.export) or self._rule(found.export, found.export.path)

    def _rule(self, key: Export | str, path: str) -> Rule:
        if key not in self._made:
            rule = Rule((self._function.url_prefix + path).rstrip("/") or "/", endpoint=self._endpoint)
            Map([rule])  # compiles it, so that its variables are known
            self._made[key] = rule
        return self._made[key]


#: The root of the mount, and everything below it.
RULES = ("/", "/<sinchfn:path>")

#: Endpoints of sinchfn's blueprints.
_OURS = re.compile(r"sinchfn(_[0-9]+)?\.")

View = Callable[..., Response]


class AnyPath(BaseConverter):
    """The rest of a path, with any characters, also slashes at its beginning."""

    part_isolating = False
    regex = r"[\s\S]*?"
    weight = 100_000  # after every rule of the host


class EveryMethod(frozenset[str]):
    """The methods of the catch-all: it contains all of them, and lists none.

    Werkzeug adds the methods of every rule that has the path to the ``Allow`` of the host's own 405 and OPTIONS
    answers, and turns a 404 into a 405 if there are any. Those of the catch-all must not be among them, so this set is
    empty when it is listed. (Werkzeug asks for the method ``--`` when it only wants that list.)
    """

    def __contains__(self, method: object) -> bool:
        return method != "--"


class CatchAllRule(Rule):
    """The catch-all rule. During a request, reading its text replaces it with the rule of the handler.

    Tracers read the text before any hook or view runs. Apart from the text, both rules are the same.
    """

    def __init__(self, string: str, rules: RouteRules | None = None, **options: Any) -> None:
        self._rules = rules
        super().__init__(string, **options)
        self.methods = EveryMethod()  # type: ignore[assignment]  # asked for members and iterated, never changed
        self.provide_automatic_options = False

    @property
    def rule(self) -> str:
        if self._rules is None or not has_request_context():
            return self._text
        found = flask_request()
        if found.url_rule is not self:
            return self._text
        found.url_rule = self._rules.of_path(found.method, (found.view_args or {}).get("path", ""))
        return found.url_rule.rule

    @rule.setter
    def rule(self, text: str) -> None:
        self._text = text


def add_catch_all(blueprint: Blueprint, view: View, rules: RouteRules) -> None:
    """Register the view for every path and method below the mount of the blueprint."""
    blueprint.record(partial(_add_rules, view=view, rules=rules))


def _add_rules(state: BlueprintSetupState, view: View, rules: RouteRules) -> None:
    state.app.url_map.converters.setdefault("sinchfn", AnyPath)
    # For handshakes too: where there is only an HTTP rule, Werkzeug answers with an HTML page.
    for name, is_websocket in (("function", False), ("no_socket", True)):
        endpoint = f"{state.name}.{name}"
        state.app.view_functions[endpoint] = view
        for path in RULES:
            string = f"{(state.url_prefix or '').rstrip('/')}{path}"
            options = {"strict_slashes": False, "merge_slashes": False, "subdomain": state.subdomain}
            state.app.url_map.add(CatchAllRule(string, rules, endpoint=endpoint, websocket=is_websocket, **options))


class HostFirst:
    """The view of a function in the app of a host: a path that the host has for another method stays the host's 405.

    If a rule has the path but not the method, Werkzeug tries later rules, and finds the catch-all. So the rules of the
    host are matched once more without it. Under a prefix only rules that begin with the prefix count: a host's rule for
    any path does not cover the paths of the function.
    """

    def __init__(self, view: View, app: Flask, url_prefix: str) -> None:
        self._view = view
        self._app = app
        self._prefix = url_prefix
        self._rules: Map | None = None
        self._size = -1

    def __call__(self, path: str = "") -> Response:
        adapter = self._app.create_url_adapter(request)
        if adapter is not None:
            adapter.map = self._host_rules()
            self._refuse_as_host(adapter)
        return self._view(path)

    def _refuse_as_host(self, adapter: MapAdapter) -> None:
        try:
            adapter.match()
        except (MethodNotAllowed, RequestRedirect):
            raise
        except HTTPException:
            return  # not a path of the host

    def _host_rules(self) -> Map:
        rules = list(self._app.url_map.iter_rules())
        if self._rules is None or self._size != len(rules):
            host = [rule.empty() for rule in rules if self._is_the_hosts(rule)]
            url_map = self._app.url_map
            self._rules = Map(
                host,
                url_map.default_subdomain,
                url_map.strict_slashes,
                url_map.merge_slashes,
                converters=url_map.converters,
                host_matching=url_map.host_matching,
            )
            self._size = len(rules)
        return self._rules

    def _is_the_hosts(self, rule: Rule) -> bool:
        if isinstance(rule.methods, EveryMethod) or _OURS.match(str(rule.endpoint)):
            return False
        return not self._prefix or rule.rule == self._prefix or rule.rule.startswith(f"{self._prefix}/")


class CatchAllAdapter:
    """The URL adapter of one request: matches the catch-all directly, and is bound only for anything else.

    Binding and matching a real adapter takes a third of the time that Flask spends on a request.
    """

    def __init__(self, app: Flask, request: Request) -> None:
        self._app = app
        self._request = request

    def match(self, *args: Any, **kwargs: Any) -> Any:
        rules = [rule for rule in self._app.url_map.iter_rules() if not rule.websocket]
        if len(rules) > len(RULES) or "websocket" in self._request.environ.get("HTTP_UPGRADE", "").lower():
            return self._bound.match(*args, **kwargs)
        path = self._request.path[1:]
        return (rules[-1], {"path": path}) if path else (rules[0], {})

    @cached_property
    def _bound(self) -> MapAdapter:
        return cast(MapAdapter, Flask.create_url_adapter(self._app, self._request))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bound, name)
