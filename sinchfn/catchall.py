"""The catch-all rule, and how it keeps out of the way of a host's own rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, Flask, Response, has_request_context, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, Map, MapAdapter, RequestRedirect, Rule

from .requests import flask_request
from .views import RouteRules

#: The mount's root, and everything below it.
RULES = ("/", "/<sinchfn:path>")

#: Endpoints of our blueprints.
_OURS = re.compile(r"sinchfn(_[0-9]+)?\.")

View = Callable[..., Response]


class AnyPath(BaseConverter):
    """The rest of a path, whatever is in it, also slashes at its begin."""

    part_isolating = False
    regex = r"[\s\S]*?"
    weight = 100_000  # after every rule of the host


class EveryMethod(frozenset[str]):
    """The methods of the catch-all: all of them, but none to speak of.

    Werkzeug adds the methods of every rule that has the path to the ``Allow`` of the host's own 405 and OPTIONS
    answers, and makes a 405 of a 404 when there are any. Ours must not be among them, so this set is empty to whoever
    lists it. (It asks for the method ``--`` when it only wants that list.)
    """

    def __contains__(self, method: object) -> bool:
        return method != "--"


class CatchAllRule(Rule):
    """The catch-all. While a request is at work, it gives way to the rule of the handler that its path leads to.

    It does so as soon as its text is read, which tracers do before any hook or view runs. Only the text is read then:
    everything else about the two is the same.
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
    """Register the view for every path below the blueprint's mount, whatever the method."""
    blueprint.record(partial(_add_rules, view=view, rules=rules))


def _add_rules(state: BlueprintSetupState, view: View, rules: RouteRules) -> None:
    state.app.url_map.converters.setdefault("sinchfn", AnyPath)
    # For handshakes too: what Werkzeug answers where there is only a rule for HTTP is a page.
    for name, is_websocket in (("function", False), ("no_socket", True)):
        endpoint = f"{state.name}.{name}"
        state.app.view_functions[endpoint] = view
        for path in RULES:
            string = f"{(state.url_prefix or '').rstrip('/')}{path}"
            options = {"strict_slashes": False, "merge_slashes": False, "subdomain": state.subdomain}
            state.app.url_map.add(CatchAllRule(string, rules, endpoint=endpoint, websocket=is_websocket, **options))


class HostFirst:
    """A function's view in somebody else's app: a path that the host has under another method stays the host's 405.

    Werkzeug goes on to later rules when a rule has the path but not the method, and so comes to our catch-all. The
    host's rules are therefore asked once more, without ours. Under a prefix only those rules count that reach into it:
    a host with a rule for any path at all has not thereby got a path of the function's.
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
            return  # not the host's path

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
