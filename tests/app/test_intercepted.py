"""What an app's hooks answer in place of a function is pointed out: the platform can do nothing about it."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask
import pytest
from flask import Flask, abort, redirect, request

from sinchfn import SinchFunctions, create_app
from sinchfn.app import intercepted as gates
from tests.harness.app import MakeFunction

SOURCE = """\
    from sinchfn import IceSvamlBuilder

    def ice(context, data):
        return IceSvamlBuilder().hangup()

    def conversation_webhook(context, request):
        return None

    def hello(context, request):
        return "hello"

    def setup(runtime):
        runtime.on_websocket("/stream", lambda ws, request: None)
"""
CONFIG = {
    "SINCHFN_USAGE": "off",
    "WEBHOOK_PROTECTION": "never",
    "SINCHFN_STREAM_SECRET": "a long stream secret",
    "ADMIN_PASSWORD": "sunshine99",
}
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def login_gate(app: Flask) -> None:
    from flask_login import LoginManager, current_user

    manager = LoginManager(app)
    manager.login_view = "login"
    manager.user_loader(lambda _: None)
    app.add_url_rule("/login", "login", lambda: "log in")

    @app.before_request
    def require_login() -> Any:
        open_to_all = request.endpoint == "login" or current_user.is_authenticated
        return None if open_to_all else manager.unauthorized()


def csrf_gate(app: Flask) -> None:
    from flask_wtf.csrf import CSRFProtect

    CSRFProtect(app)


def https_gate(app: Flask) -> None:
    from flask_talisman import Talisman

    Talisman(app)


def basic_gate(app: Flask) -> None:
    """As Flask-BasicAuth does it with ``BASIC_AUTH_FORCE``."""

    @app.before_request
    def require_basic_auth() -> Any:
        expected = f"Basic {base64.b64encode(b'a:b').decode()}"
        if not secrets.compare_digest(request.headers.get("Authorization", "").encode(), expected.encode()):
            return "no", 401, {"WWW-Authenticate": "Basic"}
        return None


def limit_gate(app: Flask) -> None:
    from flask_limiter import Limiter

    Limiter(lambda: "all", app=app, storage_uri="memory://", default_limits=["0/hour"])


def aborting_gate(app: Flask) -> None:
    @app.before_request
    def require_key() -> None:
        abort(403)


def failing_gate(app: Flask) -> None:
    @app.before_request
    def require_database() -> None:
        raise RuntimeError("no database")


def answering_gate(app: Flask) -> None:
    @app.before_request
    def maintenance() -> str:
        return "back soon"


#: gate -> the status it answers, and what the warning names
GATES: dict[Callable[[Flask], None], tuple[int, str]] = {
    login_gate: (302, "require_login"),
    csrf_gate: (400, "flask_wtf.csrf.CSRFProtect"),
    https_gate: (302, "flask_talisman.talisman.Talisman"),
    basic_gate: (401, "require_basic_auth"),
    limit_gate: (429, "flask_limiter"),
    aborting_gate: (403, "require_key"),
    failing_gate: (500, "require_database"),
    answering_gate: (200, "maintenance"),
}


def made(kind: str, folder: Path, gate: Callable[[Flask], None]) -> tuple[Flask, str]:
    if kind == "alone":
        app = create_app(folder, config=CONFIG)
        app.secret_key = "secret"
        gate(app)
        return app, ""
    app = Flask("host", static_folder=None)
    app.secret_key = "secret"
    gate(app)
    prefix = "/voice" if kind == "prefix" else ""
    SinchFunctions(folder, config=CONFIG).init_app(app, url_prefix=prefix or None)
    return app, prefix


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and "before sinchfn saw it" in record.getMessage()
    ]


@pytest.fixture(params=["alone", "prefix", "root"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("path", ["", "/ice", "/v1/ace", "/webhook/conversation"])
@pytest.mark.parametrize("gate", GATES)
def test_a_callback_that_a_gate_answered_is_a_warning_with_the_recipe(
    make_function: MakeFunction, caplog: pytest.LogCaptureFixture, kind: str, gate: Callable[[Flask], None], path: str
):
    app, prefix = made(kind, make_function(SOURCE), gate)
    status, name = GATES[gate]
    answer = app.test_client().post(f"{prefix}{path}" or "/", json={"event": "ice", "callid": "1"})
    assert answer.status_code == status
    (warning,) = told(caplog)
    shown = {"": prefix or "/", "/v1/ace": f"{prefix}/ace"}.get(path, f"{prefix}{path}")
    assert warning.startswith(f"POST {shown} was answered {status}")
    assert name in warning
    assert 'request.blueprint == "sinchfn"' in warning
    assert 'csrf.exempt(app.blueprints["sinchfn"])' in warning
    assert ("ProxyFix" in warning) is (gate is https_gate)
    assert ("(go to /login)" in warning) is (gate is login_gate)


def test_a_handshake_that_a_gate_answered_is_one_too(
    make_function: MakeFunction, caplog: pytest.LogCaptureFixture, kind: str
):
    app, prefix = made(kind, make_function(SOURCE), basic_gate)
    assert app.test_client().get(f"{prefix}/stream?token=x.y.z", headers=HANDSHAKE).status_code == 401
    (warning,) = told(caplog)
    assert warning.startswith(f"The handshake of {prefix}/stream was answered 401")
    assert "x.y.z" not in warning


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/hello"), ("POST", "/hello"), ("GET", "/"), ("GET", "/ice"), ("POST", "/nothing")]
)
def test_what_a_gate_is_there_for_is_none(
    make_function: MakeFunction, caplog: pytest.LogCaptureFixture, kind: str, method: str, path: str
):
    app, prefix = made(kind, make_function(SOURCE), login_gate)
    assert app.test_client().open(f"{prefix}{path}", method=method).status_code == 302
    assert told(caplog) == []


@pytest.mark.parametrize("path", ["", "/ice", "/webhook/conversation"])
def test_with_the_recipe_the_call_comes_through_and_nothing_is_said(
    make_function: MakeFunction, caplog: pytest.LogCaptureFixture, kind: str, path: str
):
    def gate(app: Flask) -> None:
        @app.before_request
        def require_login() -> Any:
            if request.blueprint == "sinchfn":
                return None
            return redirect("/login")

    app, prefix = made(kind, make_function(SOURCE), gate)
    answer = app.test_client().post(f"{prefix}{path}" or "/", json={"event": "ice", "callid": "1"})
    assert answer.status_code == 200
    assert told(caplog) == []


def test_a_refusal_of_our_own_is_none(make_function: MakeFunction, caplog: pytest.LogCaptureFixture, kind: str):
    app, prefix = made(kind, make_function(SOURCE), lambda app: app.before_request(lambda: None))
    client = app.test_client()
    assert client.post(f"{prefix}/ice", data="[", content_type="application/json").status_code == 400
    assert client.get(f"{prefix}/ice").status_code == 405
    assert client.get(f"{prefix}/stream", headers=HANDSHAKE).status_code == 403
    assert told(caplog) == []


def test_each_status_is_pointed_out_once_a_minute(
    make_function: MakeFunction, caplog: pytest.LogCaptureFixture, kind: str, monkeypatch: pytest.MonkeyPatch
):
    statuses = iter([401, 401, 403, 401, 401, 401])

    def gate(app: Flask) -> None:
        app.before_request(lambda: ("no", next(statuses)))

    moment = [1000.0]
    monkeypatch.setattr(gates.time, "monotonic", lambda: moment[0])
    app, prefix = made(kind, make_function(SOURCE), gate)
    client = app.test_client()
    for expected in (1, 1, 2, 2):
        client.post(f"{prefix}/ice", json={})
        assert len(told(caplog)) == expected
    moment[0] += gates.AGAIN + 1
    for _ in range(2):
        client.post(f"{prefix}/ice", json={})
        assert len(told(caplog)) == 3


def test_what_a_stranger_sends_is_not_in_the_warning(
    make_function: MakeFunction, caplog: pytest.LogCaptureFixture, kind: str
):
    def gate(app: Flask) -> None:
        app.before_request(lambda: redirect(f"/login/sunshine99/{'x' * 4000}?next={request.full_path}"))

    app, prefix = made(kind, make_function(SOURCE), gate)
    app.test_client().post(f"{prefix}/{'y' * 4000}/%0aforged/ice?secret=z", json={})
    (warning,) = told(caplog)
    assert len(warning) < 1000
    assert "sunshine99" not in warning
    assert "\n" not in warning
    assert "yyy" not in warning
    assert "next=" not in warning


def test_a_host_that_is_not_trusted_is_pointed_out(
    make_function: MakeFunction, caplog: pytest.LogCaptureFixture, kind: str
):
    app, prefix = made(kind, make_function(SOURCE), lambda app: app.config.update(TRUSTED_HOSTS=["voice.example"]))
    client = app.test_client()
    assert client.post(f"{prefix}/ice", json={"event": "ice"}, headers={"Host": "other.example"}).status_code == 400
    (warning,) = told(caplog)
    assert "TRUSTED_HOSTS" in warning
    caplog.clear()
    assert client.get(f"{prefix}/hello", headers={"Host": "other.example"}).status_code == 400
    assert told(caplog) == []


def test_a_route_of_the_host_that_has_the_path_is_pointed_out(
    make_function: MakeFunction, caplog: pytest.LogCaptureFixture
):
    def spa(app: Flask) -> None:
        app.add_url_rule("/<path:page>", "page", lambda page: "page")

    app, _ = made("root", make_function(SOURCE), spa)
    assert app.test_client().post("/ice", json={"event": "ice"}).status_code == 405
    (warning,) = told(caplog)
    assert "url_prefix" in warning


def test_of_two_functions_each_is_told_of_its_own(make_function: MakeFunction, caplog: pytest.LogCaptureFixture):
    app = Flask("host")
    app.before_request(lambda: None if request.blueprint == "sinchfn" else flask.Response("no", 403))
    for prefix in ("/one", "/two"):
        SinchFunctions(make_function(SOURCE, prefix[1:]), config=CONFIG).init_app(app, url_prefix=prefix)
    client = app.test_client()
    assert client.post("/one/ice", json={"callid": "1"}).status_code == 200
    assert client.post("/two/ice", json={"callid": "1"}).status_code == 403
    (warning,) = told(caplog)
    assert warning.startswith("POST /two/ice was answered 403")
    assert 'csrf.exempt(app.blueprints["sinchfn_2"])' in warning
