"""``TRUSTED_HOSTS`` and its kind: what Flask looks at before it matches a path holds in our own app too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Request

from sinchfn import SinchFunctions, create_app

SOURCE = """\
    from flask import request as flask_request
    from sinchfn import IceSvamlBuilder

    def ice(context, data):
        return IceSvamlBuilder().connect_stream("/stream")

    def hello(context, request):
        return flask_request.host

    def setup(runtime):
        runtime.on_websocket("/stream", lambda ws, request: None)
"""
CONFIG = {"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never", "SINCHFN_STREAM_SECRET": "a long stream secret"}
TRUSTED = ["voice.example.com", ".internal.example"]
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def made(kind: str, folder: Path, **config: object) -> Flask:
    if kind == "alone":
        return create_app(folder, config=CONFIG | config)
    app = Flask("host", static_folder=None)
    SinchFunctions(folder, config=CONFIG | config).init_app(app, url_prefix="/fn")
    return app


def path_in(app: Flask, path: str) -> str:
    return path if app.name == "sinchfn" else f"/fn{path}"


@pytest.fixture(params=["alone", "embedded"])
def app(request: pytest.FixtureRequest, make_function: Callable[..., Path]) -> Flask:
    app = made(request.param, make_function({"function.py": SOURCE, "public/a.txt": "a"}))
    app.config["TRUSTED_HOSTS"] = TRUSTED
    return app


EVIL = ["evil.example", "voice.example.com.evil.example", "evil-internal.example", "", "127.0.0.1", "a b", "evil:80:80"]


@pytest.mark.parametrize("host", EVIL)
@pytest.mark.parametrize("path", ["/", "/ice", "/hello", "/a.txt", "/health", "/nothing", "/stream"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_host_that_is_not_trusted_is_a_400(app: Flask, call: Callable[..., Any], host: str, path: str, method: str):
    answer = call(app, method, path_in(app, path), json={"event": "ice"}, headers={"Host": host})
    assert answer.status == 400
    assert "wss://" not in answer.text


@pytest.mark.parametrize("host", EVIL)
def test_neither_does_a_handshake_get_past_it(app: Flask, call: Callable[..., Any], host: str):
    assert call(app, "GET", path_in(app, "/stream?token=x"), headers={**HANDSHAKE, "Host": host}).status == 400


@pytest.mark.parametrize("host", ["voice.example.com", "voice.example.com:8443", "a.internal.example"])
def test_a_host_that_is_trusted_is_served(app: Flask, call: Callable[..., Any], host: str):
    answer = call(app, "POST", path_in(app, "/ice"), json={"event": "ice", "callid": "1"}, headers={"Host": host})
    assert answer.status == 200
    expected = f"wss://{host}{path_in(app, '/stream')}?token="
    assert answer.json["action"]["destination"]["endpoint"].startswith(expected)


def test_the_answer_of_our_own_app_is_json(make_function: Callable[..., Path], call: Callable[..., Any]):
    app = made("alone", make_function(SOURCE))
    app.config["TRUSTED_HOSTS"] = TRUSTED
    answer = call(app, "GET", "/hello", headers={"Host": "evil.example"})
    assert set(answer.json) == {"error", "requestId"}
    assert answer.headers["X-Request-ID"] == answer.json["requestId"]


@pytest.mark.parametrize("kind", ["alone", "embedded"])
def test_the_trusted_hosts_of_a_request_class_count_too(
    make_function: Callable[..., Path], call: Callable[..., Any], kind: str
):
    class OwnRequest(Request):
        trusted_hosts = TRUSTED

    app = made(kind, make_function(SOURCE))
    app.request_class = OwnRequest
    assert call(app, "GET", path_in(app, "/hello"), headers={"Host": "evil.example"}).status == 400
    assert call(app, "GET", path_in(app, "/hello"), headers={"Host": "voice.example.com"}).text == "voice.example.com"


@pytest.mark.parametrize("kind", ["alone", "embedded"])
def test_a_host_that_a_proxy_passes_on_is_looked_at_too(
    make_function: Callable[..., Path], call: Callable[..., Any], kind: str
):
    app = made(kind, make_function(SOURCE), SINCHFN_TRUSTED_PROXIES=1)
    app.config["TRUSTED_HOSTS"] = TRUSTED
    headers = {"Host": "voice.example.com", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    answer = call(app, "POST", path_in(app, "/ice"), json={"event": "ice", "callid": "1"}, headers=headers)
    assert answer.status == 400
    assert "evil" not in answer.text or "wss" not in answer.text
    headers["X-Forwarded-Host"] = "a.internal.example"
    answer = call(app, "POST", path_in(app, "/ice"), json={"event": "ice", "callid": "1"}, headers=headers)
    assert answer.json["action"]["destination"]["endpoint"].startswith("wss://a.internal.example/")


def test_without_trusted_hosts_any_host_is_served(make_function: Callable[..., Path], call: Callable[..., Any]):
    app = made("alone", make_function(SOURCE))
    assert call(app, "GET", "/hello", headers={"Host": "any.example"}).text == "any.example"
    app.config["TRUSTED_HOSTS"] = []
    assert call(app, "GET", "/hello", headers={"Host": "any.example"}).text == "any.example"


def test_a_map_that_matches_hosts_is_asked(make_function: Callable[..., Path], call: Callable[..., Any]):
    app = made("alone", make_function(SOURCE))
    app.url_map.host_matching = True
    app.add_url_rule("/where", "where", lambda: "admin", host="admin.example")
    assert call(app, "GET", "/where", headers={"Host": "admin.example"}).text == "admin"


def test_a_server_name_restricts_nothing_as_in_flask(make_function: Callable[..., Path], call: Callable[..., Any]):
    app = made("alone", make_function(SOURCE))
    app.config["SERVER_NAME"] = "voice.example.com"
    assert call(app, "GET", "/hello", headers={"Host": "any.example"}).text == "any.example"
