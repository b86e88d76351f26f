"""In development, where calls need no signature, a function answers its developer and no page in the browser."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from flask import Flask

from sinchfn import SinchFunctions, create_app
from tests.harness.app import Call, MakeFunction
from tests.harness.server import DEV, FLASK_RUN, on_free_port, until

SOURCE = """\
    from sinchfn import IceSvamlBuilder

    def ice(context, data):
        return IceSvamlBuilder().connect_stream("/stream")

    def hello(context, request):
        return "hello"

    def setup(runtime):
        runtime.on_websocket("/stream", lambda ws, request: None, protected=False)
"""
CONFIG = {"SINCHFN_USAGE": "off", "SINCHFN_ENV": "development", "SINCHFN_STREAM_SECRET": "a long stream secret"}
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
OWN_HOSTS = (
    "localhost",
    "localhost:8000",
    "LocalHost:8000",
    "localhost.",
    "voice.localhost:8000",
    "127.0.0.1:8000",
    "127.8.9.1",
    "[::1]",
    "[::1]:8000",
    "[::ffff:127.0.0.1]:8000",
)
FOREIGN_HOSTS = (
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "evillocalhost",
    "127.0.0.1.evil.example",
    "192.0.2.7:8000",
    "[2001:db8::1]",
    "0x7f000001",
)
NO_HOSTS = (
    "",
    "localhost@evil.example",
    "evil.example#localhost",
    "localhost, evil.example",
    "local\tevil",
    "localhost:123456",
)
FOREIGN_PAGES: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "Cross-Site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {"Sec-Fetch-Site": "something-new"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8000"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://localhost:8000.evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://[::1"},
    {"Origin": "//["},
)
OWN_PAGES: tuple[dict[str, str], ...] = (
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8000"},
    {"Origin": "http://localhost:8000"},
    {"Origin": "HTTP://LOCALHOST:8000"},
)
ASKED = (("GET", "/hello"), ("POST", "/hello"), ("POST", "/ice"), ("GET", "/health"), ("GET", "/a.txt"), ("GET", "/"))


@pytest.fixture(params=["alone", "prefix", "root"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(kind: str, make_function: MakeFunction, **config: object) -> tuple[Flask, str]:
    folder = make_function({"function.py": SOURCE, "public/a.txt": "a"})
    if kind == "alone":
        return create_app(folder, config=CONFIG | config), ""
    app = Flask("host", static_folder=None)
    app.add_url_rule("/page", "page", lambda: "page")
    prefix = "/voice" if kind == "prefix" else ""
    SinchFunctions(folder, config=CONFIG | config).init_app(app, url_prefix=prefix or None)
    return app, prefix


def statuses(app: Flask, prefix: str, call: Call, headers: dict[str, str], **environ: str) -> set[int]:
    headers = {"Host": "localhost:8000", **headers}
    return {
        call(app, method, f"{prefix}{path}", json={"event": "ice", "callid": "1"}, headers=headers, **environ).status
        for method, path in ASKED
    }


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_names_of_this_machine_are_served(kind: str, make_function: MakeFunction, call: Call, host: str):
    app, prefix = made(kind, make_function)
    assert statuses(app, prefix, call, {"Host": host}) == {200}


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused(kind: str, make_function: MakeFunction, call: Call, host: str):
    app, prefix = made(kind, make_function)
    assert statuses(app, prefix, call, {"Host": host}) == {403}


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_is_no_host_is_refused(kind: str, make_function: MakeFunction, call: Call, host: str):
    app, prefix = made(kind, make_function)
    assert statuses(app, prefix, call, {"Host": host}) == {400}


@pytest.mark.parametrize("headers", FOREIGN_PAGES, ids=str)
def test_a_page_of_another_origin_is_refused(
    kind: str, make_function: MakeFunction, call: Call, headers: dict[str, str]
):
    app, prefix = made(kind, make_function)
    assert statuses(app, prefix, call, headers) == {403}


@pytest.mark.parametrize("headers", OWN_PAGES, ids=str)
def test_pages_of_our_own_and_typed_addresses_are_served(
    kind: str, make_function: MakeFunction, call: Call, headers: dict[str, str]
):
    app, prefix = made(kind, make_function)
    assert statuses(app, prefix, call, headers) == {200}


def test_a_request_without_host_is_no_browsers(make_function: MakeFunction, call: Call):
    app, _ = made("alone", make_function)
    environ = {"HTTP_HOST": None}
    seen: list[int] = []

    def without_host(environ: dict[str, Any], start_response: Any) -> Any:
        del environ["HTTP_HOST"]
        return app(environ, start_response)

    seen.append(call(without_host, "GET", "/hello", **environ).status)
    assert seen == [200]


def test_the_refusal_is_one_sentence_that_says_what_to_set(
    kind: str, make_function: MakeFunction, call: Call, caplog: pytest.LogCaptureFixture
):
    app, prefix = made(kind, make_function)
    answer = call(app, "POST", f"{prefix}/ice", json={}, headers={"Host": "abc.tunnel.example"})
    assert (answer.status, set(answer.json)) == (403, {"error", "requestId"})
    assert "SINCHFN_PUBLIC_URL" in answer.json["error"]
    assert "abc.tunnel.example" not in answer.text
    (line,) = [record.getMessage() for record in caplog.records if "was refused" in record.getMessage()]
    assert line.startswith(f"POST {prefix}/ice was refused")
    assert "abc.tunnel.example" in line
    assert "SINCHFN_PUBLIC_URL" in line
    answer = call(app, "POST", f"{prefix}/ice", json={}, headers={"Origin": "https://evil.example"})
    assert "SINCHFN_WS_ORIGINS" in answer.json["error"]
    assert "evil" not in answer.text


def test_what_a_stranger_sends_is_cut_in_the_log(
    make_function: MakeFunction, call: Call, caplog: pytest.LogCaptureFixture
):
    app, _ = made("alone", make_function)
    call(app, "GET", f"/{'x' * 4000}%0aforged", headers={"Host": f"{'y' * 4000}.example"})
    call(app, "GET", "/hello", headers={"Origin": f"https://{'z' * 4000}\nforged"})
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) >= 2
    assert all("\n" not in line and len(line) < 1000 for line in lines if "refused" in line)


def test_the_hosts_own_urls_are_its_own_business(kind: str, make_function: MakeFunction, call: Call):
    if kind == "alone":
        pytest.skip("there is no host")
    app, _ = made(kind, make_function)
    assert call(app, "GET", "/page", headers={"Host": "evil.example"}).text == "page"
    answer = call(app, "GET", "/nothing", headers={"Host": "evil.example"})
    assert answer.status == 404
    assert not answer.headers["Content-Type"].startswith("application/json")


def test_the_host_of_the_public_url_is_served(kind: str, make_function: MakeFunction, call: Call):
    public = "https://abc.tunnel.example/voice"
    app, prefix = made(kind, make_function, SINCHFN_PUBLIC_URL=public)
    headers = {"Host": "ABC.tunnel.example", "X-Forwarded-Proto": "https"}
    assert statuses(app, prefix, call, headers) == {200}
    assert statuses(app, prefix, call, headers | {"Origin": "https://abc.tunnel.example"}) == {200}
    assert statuses(app, prefix, call, headers | {"Sec-Fetch-Site": "cross-site"}) == {403}
    assert statuses(app, prefix, call, {"Host": "other.tunnel.example"}) == {403}
    assert statuses(app, prefix, call, {"Host": "localhost:8000"}) == {200}


def test_trusted_hosts_are_served(kind: str, make_function: MakeFunction, call: Call):
    app, prefix = made(kind, make_function)
    app.config["TRUSTED_HOSTS"] = [".internal.example", "localhost"]
    assert statuses(app, prefix, call, {"Host": "voice.internal.example:8000"}) == {200}
    assert statuses(app, prefix, call, {"Host": "evil.example"}) == {400}


def test_pages_of_listed_origins_may_call(kind: str, make_function: MakeFunction, call: Call):
    app, prefix = made(kind, make_function, SINCHFN_WS_ORIGINS="http://localhost:3000,https://app.example")
    for origin in ("http://localhost:3000", "https://app.example"):
        assert statuses(app, prefix, call, {"Origin": origin, "Sec-Fetch-Site": "cross-site"}) == {200}
    assert statuses(app, prefix, call, {"Origin": "http://localhost:3001", "Sec-Fetch-Site": "same-site"}) == {403}


def test_that_any_page_may_open_sockets_is_not_said_of_calls(make_function: MakeFunction, call: Call):
    app, _ = made("alone", make_function, SINCHFN_WS_ORIGINS="*")
    assert statuses(app, "", call, {"Origin": "https://evil.example"}) == {403}
    headers = {**HANDSHAKE, "Host": "localhost", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert call(app, "GET", "/stream", headers=headers).status == 501  # let in, had it a connection


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}], ids=str)
def test_neither_may_a_foreign_handshake(kind: str, make_function: MakeFunction, call: Call, headers: dict[str, str]):
    app, prefix = made(kind, make_function)
    assert call(app, "GET", f"{prefix}/stream", headers={**HANDSHAKE, "Host": "localhost", **headers}).status == 403
    assert call(app, "GET", f"{prefix}/stream", headers={**HANDSHAKE, "Host": "localhost"}).status == 501


@pytest.mark.parametrize(
    ("bound", "host", "status"),
    [
        ("0.0.0.0", "192.0.2.7:8000", 200),
        ("::", "[2001:db8::1]:8000", 200),
        ("192.0.2.7", "192.0.2.7:8000", 200),
        ("192.0.2.7", "192.0.2.8:8000", 403),
        ("127.0.0.1", "192.0.2.7:8000", 403),
        ("0.0.0.0", "evil.example", 403),
    ],
)
def test_addresses_that_the_server_listens_on_are_served(
    kind: str, make_function: MakeFunction, call: Call, bound: str, host: str, status: int
):
    app, prefix = made(kind, make_function)
    assert statuses(app, prefix, call, {"Host": host}, SERVER_NAME=bound) == {status}


def test_production_asks_for_signatures_and_for_nothing_of_this(make_function: MakeFunction, call: Call):
    app, _ = made("alone", make_function, SINCHFN_ENV="production", WEBHOOK_PROTECTION="never")
    for headers in ({"Host": "voice.example"}, *FOREIGN_PAGES):
        assert statuses(app, "", call, headers) == {200}


@pytest.mark.parametrize("public", [{}, {"SINCHFN_PUBLIC_URL": "https://voice.example"}], ids=str)
def test_a_page_cannot_pretend_to_be_a_proxy(
    kind: str, make_function: MakeFunction, call: Call, public: dict[str, str]
):
    app, prefix = made(kind, make_function, SINCHFN_TRUSTED_PROXIES=1, **public)
    pretended = {"X-Forwarded-Host": "localhost", "Sec-Fetch-Site": "same-origin"}
    assert statuses(app, prefix, call, {"Host": "evil.example", **pretended}) == {403}
    assert statuses(app, prefix, call, {"Host": "localhost", **pretended}) == {200}
    handshake = {**HANDSHAKE, "Host": "evil.example", **pretended}
    assert call(app, "GET", f"{prefix}/stream", headers=handshake).status == 403


# --- the servers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "word"), [(DEV, "Serving "), ((*FLASK_RUN, "--debug"), "Debugger")], ids=["sinchfn dev", "flask run"]
)
@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", None])
def test_a_host_that_opens_the_server_to_the_network_is_pointed_out(
    make_function: MakeFunction, command: tuple[str, ...], word: str, host: str | None
):
    given = () if host is None else ("--host", host)
    with on_free_port((*command, *given), make_function(SOURCE)) as server:
        until(lambda: word in server.log)
        assert ("--host 0.0.0.0 is open to the network" in server.log) is (host == "0.0.0.0"), json.dumps(server.log)


def test_neither_a_foreign_page_reads_why_a_function_does_not_start(make_function: MakeFunction):
    with on_free_port(DEV, make_function("def ice(context): pass\n")) as server:
        until(lambda: "Serving this error" in server.log)
        headers = ({}, {"Host": "evil.example"}, {"Origin": "https://evil.example"})
        answers = [until(lambda sent=sent: server.request("GET", "/x", headers=sent)) for sent in headers]
    assert [status for status, _, _ in answers] == [500, 403, 403]
    assert [b"takes two arguments" in body for _, _, body in answers] == [True, False, False]
