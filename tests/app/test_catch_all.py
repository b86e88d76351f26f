"""The route of a request, as tracers, metrics and error trackers read it: one for each handler."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request, request_started
from werkzeug.routing import Rule

from sinchfn import SinchFunctions, create_app
from sinchfn.testing import open_socket

SOURCE = """\
    from flask import request as flask_request
    from sinchfn import IceSvamlBuilder, SinchController, get, post, route

    rules = []

    def ice(context, data):
        rules.append(flask_request.url_rule.rule)
        return IceSvamlBuilder().hangup()

    def user_profile(context, request):
        return flask_request.url_rule.rule

    def conversation_webhook(context, request):
        return flask_request.url_rule.rule

    def broken(context, request):
        raise ValueError("broken")

    @route("/users")
    class Users(SinchController):
        @get("/<int:id>")
        def one(self, *, id):
            return flask_request.url_rule.rule

        @get("/")
        def all(self):
            return flask_request.url_rule.rule

        @post("/<int:id>/files/<path:name>")
        def file(self, *, id, name):
            return flask_request.url_rule.rule

    def setup(runtime):
        runtime.on_websocket("/rooms/<room>", lambda ws, request, room: None, protected=False)
"""
CONFIG = {"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never"}

#: method, path -> the route below the mount
ROUTES = {
    ("POST", "/ice"): "/ice",
    ("POST", "/v1/sinch/ice"): "/ice",
    ("POST", "/v1//ice/"): "/ice",
    ("POST", "/ace"): "/ace",
    ("POST", "/webhook/notify"): "/notify",
    ("GET", "/user-profile"): "/user_profile",
    ("GET", "/api/v2/userProfile"): "/user_profile",
    ("POST", "/webhook/conversation"): "/webhook/conversation",
    ("POST", "/x/webhook/conversation/"): "/webhook/conversation",
    ("GET", "/users/17"): "/users/<int:id>",
    ("GET", "/users/18/"): "/users/<int:id>",
    ("GET", "/users"): "/users",
    ("POST", "/users/17/files/a/b%20c.txt"): "/users/<int:id>/files/<path:name>",
    ("GET", "/broken"): "/broken",
    ("GET", "/health"): "/health",
    ("GET", "/logo.png"): "/<path:path>",
    ("GET", "/nothing/4670000000"): "/<path:path>",
    ("GET", "/%ff%00"): "/<path:path>",
    ("GET", "/ice"): "/<path:path>",
    ("GET", "/"): "/",
}


def made(kind: str, folder: Path) -> tuple[Flask, str]:
    """An app with the function, and the prefix that it has there."""
    if kind == "alone":
        return create_app(folder, config=CONFIG), ""
    app = Flask("host", static_folder=None)
    app.add_url_rule("/page/<int:number>", "page", lambda number: str(number))
    prefix = "/voice" if kind == "prefix" else ""
    SinchFunctions(folder, config=CONFIG).init_app(app, url_prefix=prefix or None)
    if kind == "second":
        prefix = "/second"
        SinchFunctions(folder, config=CONFIG).init_app(app, url_prefix=prefix)
    return app, prefix


@pytest.fixture(params=["alone", "prefix", "root", "second"])
def served(request: pytest.FixtureRequest, make_function: Callable[..., Path]) -> tuple[Flask, str]:
    return made(request.param, make_function({"function.py": SOURCE, "public/logo.png": b"png"}))


@contextmanager
def rules_at_start() -> Any:
    """What a receiver of Flask's ``request_started`` reads, which comes before every hook."""
    seen: list[Rule] = []

    def read(app: Flask, **_: Any) -> None:
        assert request.url_rule is not None
        request.url_rule.rule  # noqa: B018 - reads it as tracers do
        seen.append(request.url_rule)

    with request_started.connected_to(read):
        yield seen


@pytest.mark.parametrize("asked", ROUTES, ids=" ".join)
def test_the_route_is_known_before_any_hook_runs(served: tuple[Flask, str], asked: tuple[str, str]):
    app, prefix = served
    method, path = asked
    with rules_at_start() as seen:
        app.test_client().open(f"{prefix}{path}", method=method, json={} if method == "POST" else None).close()
    expected = (prefix + ROUTES[asked]).rstrip("/") or "/"
    assert [str(rule) for rule in seen] == [expected]  # read outside of the request


@pytest.mark.parametrize("asked", ROUTES, ids=" ".join)
def test_the_route_is_the_same_for_hooks_and_for_what_reads_it_afterwards(
    served: tuple[Flask, str], asked: tuple[str, str]
):
    app, prefix = served
    method, path = asked
    seen: list[Any] = []
    app.before_request(lambda: seen.append((request.url_rule.rule, request.endpoint, request.blueprint)))

    @app.after_request
    def after(response: Response) -> Response:
        seen.append((request.url_rule.rule, request.endpoint, request.blueprint))
        return response

    app.test_client().open(f"{prefix}{path}", method=method, json={} if method == "POST" else None).close()
    blueprint = "sinchfn_2" if prefix == "/second" else "sinchfn"
    expected = ((prefix + ROUTES[asked]).rstrip("/") or "/", f"{blueprint}.function", blueprint)
    assert seen == [expected, expected]


@pytest.mark.parametrize("path", ["/user-profile", "/users/17", "/users"])
def test_a_handler_reads_its_own_route(served: tuple[Flask, str], path: str):
    app, prefix = served
    assert app.test_client().get(prefix + path).text == prefix + ROUTES["GET", path]


@pytest.mark.parametrize("name", ["ice", "ace", "DICE"])
def test_a_callback_to_the_root_goes_by_its_event_once_that_is_known(served: tuple[Flask, str], name: str):
    app, prefix = served
    seen: list[str] = []

    @app.after_request
    def after(response: Response) -> Response:
        seen.append(request.url_rule.rule)
        return response

    with rules_at_start() as started:
        app.test_client().post(prefix or "/", json={"event": name, "callid": "1"})
    assert [str(rule) for rule in started] == [prefix or "/"]
    assert seen == [f"{prefix}/{name.lower()}"]


def test_no_path_of_a_caller_becomes_a_route(served: tuple[Flask, str]):
    app, prefix = served
    seen: set[str] = set()

    @app.after_request
    def after(response: Response) -> Response:
        seen.add(request.url_rule.rule)
        return response

    client = app.test_client()
    for number in range(50):
        for path in (f"/users/{number}", f"/x{number}/ice", f"/nothing{number}", f"/{number}", f"/w/{number}/users"):
            client.get(prefix + path)
            client.post(prefix + path, json={})
    assert not any(any(map(str.isdigit, rule)) for rule in seen)
    assert len(seen) <= 5


def test_what_was_matched_is_there_too(served: tuple[Flask, str]):
    app, prefix = served
    with app.test_request_context(f"{prefix}/users/17?x=1"):
        assert request.view_args == {"path": "users/17"}
        assert request.url_rule is not None
        assert request.url_rule.rule == f"{prefix}/users/<int:id>"
        assert request.url_rule.arguments == {"id"}
    with app.test_request_context(prefix or "/"):
        assert request.view_args in ({}, {"path": ""})


def test_a_handshake_has_the_route_of_its_socket_or_none_of_a_callers(served: tuple[Flask, str]):
    app, prefix = served
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with rules_at_start() as seen:
        client = app.test_client()
        client.get(f"{prefix}/rooms/17", headers=headers)
        client.get(f"{prefix}/nothing/17", headers=headers)
        client.get(f"{prefix}/user-profile", headers=headers)
    expected = [f"{prefix}/rooms/<room>", f"{prefix}/<path:path>", f"{prefix}/user_profile"]
    assert [str(rule) for rule in seen] == expected


def test_routes_of_the_host_stay_as_they_are(make_function: Callable[..., Path]):
    app, _ = made("root", make_function(SOURCE))
    with rules_at_start() as seen:
        assert app.test_client().get("/page/5").text == "5"
    assert [str(rule) for rule in seen] == ["/page/<int:number>"]


def test_a_route_that_is_added_to_our_own_app_is_matched_and_named(make_function: Callable[..., Path]):
    app, _ = made("alone", make_function(SOURCE))
    app.add_url_rule("/extra/<int:number>", "extra", lambda number: str(number))
    with rules_at_start() as seen:
        client = app.test_client()
        assert client.get("/extra/5").text == "5"
        assert client.get("/user-profile").text == "/user_profile"
    assert [str(rule) for rule in seen] == ["/extra/<int:number>", "/user_profile"]


def test_a_socket_is_found_behind_a_decorated_view(make_function: Callable[..., Path]):
    from functools import wraps

    app, _ = made("alone", make_function(SOURCE))
    for endpoint, view in list(app.view_functions.items()):

        def decorated(view: Callable[..., Any] = view, **variables: Any) -> Any:
            return view(**variables)

        app.view_functions[endpoint] = wraps(view)(decorated)
    with open_socket(app, "/rooms/17") as peer:
        assert peer is not None
