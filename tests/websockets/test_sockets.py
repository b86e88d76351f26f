"""WebSockets through real servers: what a handler and a well-behaved peer see of them."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import connect

from sinchfn.security import stream_tokens as streams
from sinchfn.websockets.frames import FrameReader
from tests.harness.app import clean_environment, serving, write_function
from tests.harness.paths import ROOT
from tests.harness.server import DEV, PATIENCE, Server, gunicorn, on_free_port, until
from tests.harness.signer import CALL_ID, ICE, SECRET, SIGNING, encoded, signed
from tests.harness.socket_peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    SENDABLE,
    TEXT,
    Peer,
    RefusedError,
    answer_to,
    close_frame,
    fragments,
    frame,
    give_up_all,
    handshake,
    opened,
    status_of,
)
from tests.harness.sockets import ANYBODY, FUNCTION, STYLES, both_styles, new_key, noted, record_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Sockets behind gunicorn that nearly all tests share."""
    with gunicorn(tmp_path_factory.mktemp("sockets"), FUNCTION, THREADS="4", **ANYBODY) as server:
        yield server


# --- messages ---------------------------------------------------------------------------------------------------------


@both_styles
def test_messages_of_every_size_come_back(server: Server, style: str) -> None:
    with opened(server.port, f"/{style}/echo") as peer:
        for size in (0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20):
            data = secrets.token_bytes(size)
            assert peer.ask_for(data) == data, size
            text = ("aé€😀" * (size // 10 + 1)).encode()[:size].decode("utf-8", "ignore")
            assert peer.ask_for(text) == text, size
        peer.close(1000, b"done")
        assert peer.end() == (1000, "done")


@both_styles
def test_a_message_in_fragments_with_control_frames_between(server: Server, style: str) -> None:
    with opened(server.port, f"/{style}/echo") as peer:
        parts = fragments(TEXT, b"one ", "zw€i ".encode()[:4], "zw€i ".encode()[4:], b"", b"three")
        for number, part in enumerate(parts):
            peer.raw(part)
            if number < 4:
                peer.raw(frame(PING, b"ping %d" % number), frame(PONG, b"nobody asked"))
        found = [peer.frame() for _ in range(5)]
        assert [(one.opcode, one.payload) for one in found[:4]] == [(PONG, b"ping %d" % n) for n in range(4)]
        assert found[4].payload.decode() == "one zw€i three"
        assert found[4].opcode == TEXT
        assert peer.ask_for("and on") == "and on"


@both_styles
def test_frames_that_come_byte_by_byte(server: Server, style: str) -> None:
    with opened(server.port, f"/{style}/echo") as peer:
        sent = b"".join([frame(TEXT, "ä€😀".encode()), frame(PING, b"?"), *fragments(BINARY, b"x" * 130, b"y")])
        for byte in sent:
            peer.raw(bytes([byte]))
            time.sleep(0.001)
        assert peer.message() == "ä€😀"
        assert peer.frame().payload == b"?"
        assert peer.message() == b"x" * 130 + b"y"


@both_styles
def test_many_messages_in_one_packet(server: Server, style: str) -> None:
    with opened(server.port, f"/{style}/echo") as peer:
        peer.raw(b"".join(frame(BINARY, b"%d" % number) for number in range(500)))
        assert [peer.message() for _ in range(500)] == [b"%d" % number for number in range(500)]


@both_styles
def test_a_ping_is_answered_with_what_it_says(server: Server, style: str) -> None:
    with opened(server.port, f"/{style}/echo") as peer:
        for payload in (b"", b"a", bytes(range(125))):
            peer.raw(frame(PING, payload))
            answer = peer.frame()
            assert (answer.opcode, answer.payload) == (PONG, payload)


@both_styles
def test_a_client_that_somebody_else_wrote(server: Server, style: str) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/{style}/echo", max_size=None) as client:
        for message in ("", "text", b"", b"\0\xff", "x" * 70_000, b"y" * (1 << 20)):
            client.send(message)
            assert client.recv(PATIENCE) == message
        client.send(iter(["in ", "three ", "parts"]))
        assert client.recv(PATIENCE) == "in three parts"
        assert client.ping().wait(PATIENCE)
    assert client.close_code == 1000
    with connect(f"ws://127.0.0.1:{server.port}/{style}/work") as client:
        client.send("raise")
        with pytest.raises(ConnectionClosedError):
            client.recv(PATIENCE)
        assert client.close_code == 1011
    with connect(f"ws://127.0.0.1:{server.port}/{style}/work") as client:
        client.send("close 4321 well then")
        with pytest.raises(ConnectionClosedError):
            client.recv(PATIENCE)
        assert (client.close_code, client.close_reason) == (4321, "well then")
    with connect(f"ws://127.0.0.1:{server.port}/blocking/returns") as client:
        assert client.recv(PATIENCE) == "bye"
        with pytest.raises(ConnectionClosedOK):
            client.recv(PATIENCE)


def test_what_can_be_sent_and_closed_with(server: Server) -> None:
    with opened(server.port, "/types") as peer:
        assert [peer.message() for _ in range(13)] == [b"one", b"two"] + ["TypeError"] * 3 + ["ValueError"] * 8
        code, reason = peer.end()
        assert (code, reason) == (3000, "ä" * 61)  # as much of it as fits: whole characters in 123 bytes


@both_styles
def test_an_async_handler(server: Server, style: str) -> None:
    with opened(server.port, f"/{style}/async") as peer:
        for number in range(20):
            assert peer.ask_for(f"{number}") == f"{number}"
        peer.close()
        assert peer.end()[0] == 1000


def test_a_timer_of_a_socket(server: Server) -> None:
    for style in STYLES:
        with opened(server.port, f"/{style}/work") as peer:
            assert peer.ask_for("later") == "later"


# --- the end ----------------------------------------------------------------------------------------------------------


@both_styles
@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999, None])
def test_the_peer_closes(server: Server, style: str, code: int | None) -> None:
    key = new_key()
    with opened(server.port, f"/{style}/echo?key={key}") as peer:
        assert peer.ask_for("hello") == "hello"
        peer.close(code, b"" if code is None else "später".encode())
        expected = (1005, "") if code is None else (code, "später")
        assert peer.end() == expected
    assert noted(server, key, "closed") == list(expected)
    record = record_of(server, key)
    assert (record["outcome"], record["status"]) == ("ok", 101)
    assert record["stream"]["close_code"] == expected[0]
    if style == "blocking":
        assert noted(server, key, "ended") == [expected[0]]


@both_styles
def test_the_handler_closes_and_what_the_peer_still_sends_is_ignored(server: Server, style: str) -> None:
    key = new_key()
    with opened(server.port, f"/{style}/work?key={key}") as peer:
        peer.raw(frame(TEXT, b"close 4000 enough"), frame(TEXT, b"too late"), frame(PING, b"?"))
        assert [one.closing for one in peer.rest() if one.opcode != PONG] == [(4000, "enough")]
    assert noted(server, key, "closed") == [4000, "enough"]
    assert record_of(server, key)["outcome"] == "ok"


@both_styles
@pytest.mark.parametrize("where", ["work", "raises"])
@pytest.mark.parametrize("what", ["raise", "exit"])
def test_a_handler_that_raises(server: Server, style: str, where: str, what: str) -> None:
    key = new_key()
    with opened(server.port, f"/{style}/{where}?key={key}") as peer:
        if where == "work":
            assert peer.ask_for("abc") == "abc"
            peer.raw(frame(TEXT, what.encode()), frame(PING, b"late"))
        found = peer.rest()  # to the end, and nothing of HTTP in it
        assert found[-1].closing[0] == 1011
        assert "broke" not in found[-1].closing[1]
        assert {one.opcode for one in found} <= {CLOSE, PONG}
    record = record_of(server, key)
    assert (record["kind"], record["status"], record["outcome"]) == ("websocket", 101, "error")
    count = 1 if where == "work" else 0
    stream = record["stream"]
    assert stream["close_code"] == 1011
    assert (stream["frames_in"], stream["frames_out"]) == (2 * count, count)
    assert (stream["bytes_in"], stream["bytes_out"]) == (count * (3 + len(what)), count * 3)
    if where == "work":
        error = "ValueError" if what == "raise" else "SystemExit"
        assert noted(server, key, "error") == [error, 3 if what == "exit" else None]
        assert noted(server, key, "closed")[0] == 1011
    lines = server.log
    assert record["request_id"] in lines
    assert "Traceback" in lines
    assert "the handler broke" in lines


def test_receive_with_a_time_limit_and_after_the_end(server: Server) -> None:
    key = new_key()
    with opened(server.port, f"/timeouts?key={key}") as peer:
        (none, at_once), (nothing, in_time) = json.loads(peer.message())
        assert (none, nothing) == (None, None)
        assert at_once < 5
        assert 0.29 <= in_time < 10
        peer.send("x")
        peer.raw(frame(TEXT, b"a"), frame(TEXT, b"b"), frame(TEXT, b"c"), close_frame(4001, b"over"))
        assert peer.end() == (4001, "over")
    assert noted(server, key, "iterated") == [[], False, 4001]
    notes = json.loads(server.request("GET", f"/noted?key={key}")[2])
    words = [note for note in notes if "signal" not in note[0]]
    assert words == [
        ["first", "x"],
        ["polled", "a"],
        ["second", "b"],
        ["third", "c"],
        *[["raised", 4001, "over"]] * 3,
        ["iterated", [], False, 4001],
    ]


@both_styles
@pytest.mark.parametrize("how", ["FIN", "RST", "half a frame"])
def test_a_peer_that_goes_without_a_word(server: Server, style: str, how: str) -> None:
    key = new_key()
    peer = Peer(server.port)
    peer.open(f"/{style}/echo?key={key}")
    assert peer.ask_for("hello") == "hello"
    if how == "half a frame":
        peer.raw(frame(BINARY, b"x" * 100)[:50])
    (peer.reset if how == "RST" else peer.give_up)()
    assert noted(server, key, "closed")[0] == 1006
    assert noted(server, key, "error") == ["ConnectionClosed", 1006]
    record = record_of(server, key)
    assert (record["outcome"], record["stream"]["close_code"]) == ("gone", 1006)
    assert record["stream"]["frames_in"] == 1
    if style == "blocking":
        assert noted(server, key, "ended") == [1006]


def test_no_thread_is_left_of_any_of_them(server: Server) -> None:
    peers = [Peer(server.port) for _ in range(20)]
    for number, peer in enumerate(peers):
        peer.open(f"/{STYLES[number % 2]}/echo")
        assert peer.ask_for("x") == "x"

    def names() -> list[str]:
        return [name for name in json.loads(server.request("GET", "/threads")[2]) if name.startswith("sinchfn-socket")]

    # One for each blocking handler; the callbacks have one among them.
    until(lambda: names().count("sinchfn-socket") == 10)
    assert names().count("sinchfn-sockets") == 1
    give_up_all(peers)
    until(lambda: names() == ["sinchfn-sockets"])


# --- what a handler has -----------------------------------------------------------------------------------------------


def test_the_request_in_a_handler(server: Server) -> None:
    with opened(server.port, "/request?a=1&b=%C3%A4", {"X-Own": "mine"}) as peer:
        shown = json.loads(peer.message())
    assert shown["path"] == "/request"
    assert shown["query"] == {"a": "1", "b": "ä"}
    assert shown["header"] == "mine"
    assert shown["call"] is None


@both_styles
def test_flasks_own_request_in_handlers_and_callbacks(server: Server, style: str) -> None:
    # Two at once, so that one would see the other's.
    with opened(server.port, f"/{style}/work?a=1") as one, opened(server.port, f"/{style}/work?a=2") as two:
        for _ in range(3):
            for number, peer in (("1", one), ("2", two)):
                path, found, _ = json.loads(peer.ask_for("flask"))
                assert (path, found) == (f"/{style}/work", number)
        assert one.ask_for("id") != two.ask_for("id")


@both_styles
def test_variables_of_the_path(server: Server, style: str) -> None:
    key = new_key()
    with opened(server.port, f"/{style}/rooms/7/blue%20room?key={key}") as peer:
        assert peer.ask_for("x") == "x"
    assert noted(server, key, "opened")[1] == {"room": 7, "name": "blue room"}
    assert status_of(server.port, f"/{style}/rooms/seven/blue") == 404


@both_styles
def test_signals_of_a_socket(server: Server, style: str) -> None:
    key = new_key()
    with opened(server.port, f"/{style}/echo?key={key}") as peer:
        assert peer.ask_for("abc") == "abc"
        assert noted(server, key, "signal opened") == [101, "WEBSOCKET"]
        peer.close()
        peer.end()
    outcome, stream = noted(server, key, "signal closed")
    assert outcome == "ok"
    assert stream | {"gaps": 0, "late": 0} == {
        "frames_in": 1, "frames_out": 1, "bytes_in": 3, "bytes_out": 3, "gaps": 0, "late": 0, "close_code": 1000,
    }  # fmt: skip


def test_the_context_lives_until_on_close_has_run(server: Server) -> None:
    key = new_key()
    with opened(server.port, f"/storage?key={key}") as peer:
        peer.close(4000)
        peer.end()
    assert noted(server, key, "kept") == ["4000"]


def test_a_slow_callback_is_told_once(server: Server) -> None:
    with opened(server.port, "/callback/work") as peer:
        request_id = peer.ask_for("id")
        for _ in range(3):
            assert peer.ask_for("sleep 0.05") == "slept"
    told = [line for line in server.log.splitlines() if "every other socket" in line and str(request_id) in line]
    assert len(told) == 1
    with opened(server.port, "/blocking/work") as peer:  # nobody waits for this one
        request_id = peer.ask_for("id")
        assert peer.ask_for("sleep 0.05") == "slept"
    assert not [line for line in server.log.splitlines() if "every other socket" in line and str(request_id) in line]


# --- handshakes that are refused --------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], int, dict[str, str]]] = {
    "another version": ({"Sec-WebSocket-Version": "8"}, {}, 426, {"sec-websocket-version": "13"}),
    "no version": ({"Sec-WebSocket-Version": None}, {}, 426, {"sec-websocket-version": "13"}),
    "two versions": ({"Sec-WebSocket-Version": "8, 13"}, {}, 426, {"sec-websocket-version": "13"}),
    "no key": ({"Sec-WebSocket-Key": None}, {}, 400, {}),
    "an empty key": ({"Sec-WebSocket-Key": ""}, {}, 400, {}),
    "a short key": ({"Sec-WebSocket-Key": "c2hvcnQ="}, {}, 400, {}),
    "a long key": ({"Sec-WebSocket-Key": "A" * 43 + "="}, {}, 400, {}),
    "no key at all": ({"Sec-WebSocket-Key": "é!"}, {}, 400, {}),
    "an origin": ({"Origin": "https://evil.example.com"}, {}, 403, {}),
    "the origin null": ({"Origin": "null"}, {}, 403, {}),
    "no connection header": ({"Connection": None}, {}, 400, {}),
    "another connection header": ({"Connection": "keep-alive"}, {}, 400, {}),
    "another upgrade": ({"Upgrade": "h2c"}, {}, 400, {}),
    "no upgrade": ({"Upgrade": None, "Connection": None}, {}, 426, {"upgrade": "websocket"}),
    "a body": ({"Content-Length": "5"}, {"body": b"hello"}, 400, {}),
    "a chunked body": ({"Transfer-Encoding": "chunked"}, {"body": b"2\r\nhi\r\n0\r\n\r\n"}, 400, {}),
    "POST": ({"Content-Length": "0"}, {"method": "POST"}, 405, {"allow": "GET"}),
    "a plain POST": ({"Upgrade": None, "Connection": None}, {"method": "POST"}, 405, {"allow": "GET"}),
    "PUT": ({"Content-Length": "0"}, {"method": "PUT"}, 405, {"allow": "GET"}),
    "HTTP/1.0": ({}, {"version": "HTTP/1.0"}, 400, {}),
}  # fmt: skip


def check_refusal(port: int, path: str, name: str) -> None:
    headers, options, status, expected = REFUSED[name]
    with Peer(port) as peer:
        answer = peer.ask(handshake(path, headers, **options))
        assert answer.status == status, answer
        assert set(answer.json) >= {"error", "requestId"}
        for header, value in expected.items():
            assert value in answer.headers[header].split(", ")
        if name != "HTTP/1.0" and answer.headers.get("connection") != "close":
            # The connection is what it was: another try opens the socket.
            peer.open(path)
            assert peer.ask_for("x") == "x"
        else:
            assert name in ("HTTP/1.0", "a body", "a chunked body")


@both_styles
@pytest.mark.parametrize("name", REFUSED)
def test_a_handshake_that_is_refused(server: Server, style: str, name: str) -> None:
    check_refusal(server.port, f"/{style}/echo", name)


@pytest.mark.parametrize("path", ["/nothing", "/blocking", "/blocking/echo/more", "/callback/rooms/x/y"])
def test_an_unknown_path(server: Server, path: str) -> None:
    with Peer(server.port) as peer:
        answer = peer.ask(handshake(path))
        assert answer.status == 404
        assert set(answer.json) >= {"error", "requestId"}
        assert peer.ask(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200


def test_a_handshake_at_a_path_of_http(server: Server) -> None:
    with Peer(server.port) as peer:
        answer = peer.ask(handshake("/pid"))
        assert answer.status < 500
        assert "upgrade" not in answer.headers
        assert peer.ask(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200


def test_a_refused_handshake_is_recorded(server: Server) -> None:
    request_id = new_key()
    headers = {"Origin": "https://evil.example.com", "X-Request-ID": request_id}
    answer_to(server.port, handshake("/blocking/echo", headers))
    record = server.record_of(request_id)
    assert (record["kind"], record["status"], record["outcome"]) == ("websocket", 403, "refused")


@pytest.mark.parametrize(
    ("listed", "origin", "status"),
    [
        ("https://a.example.com,https://b.example.com", "https://b.example.com", 101),
        ("https://a.example.com,https://b.example.com", "HTTPS://A.example.com", 101),
        ("https://a.example.com", "https://a.example.com.evil.com", 403),
        ("https://a.example.com", "https://a.example.com:8443", 403),
        ("https://a.example.com", "null", 403),
        ("https://a.example.com", None, 101),
        ("*", "https://evil.example.com", 101),
        ("*", "null", 101),
        ("", "https://a.example.com", 403),
    ],
)
def test_origins(tmp_path: Path, listed: str, origin: str | None, status: int) -> None:
    # No server: 501, of one that gives no access to its connections, means that it would have been let in.
    headers = handshake_headers() | ({"Origin": origin} if origin else {})
    with serving(tmp_path, FUNCTION, SINCHFN_WS_ORIGINS=listed) as served:
        found = served.get("/blocking/echo", headers=headers).status
    assert found == (501 if status == 101 else status)


def handshake_headers() -> dict[str, str]:
    return {
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }


# --- in somebody else's app -------------------------------------------------------------------------------------------

HOST = """
from flask import Flask, request
from flask_sock import Sock
from sinchfn import SinchFunctions

app = Flask(__name__)
sock = Sock(app)

@sock.route("/own")
def own(ws):
    while True:
        ws.send("own " + ws.receive())

@app.get("/page")
def page():
    return "page"

SinchFunctions("fn", config={"WEBHOOK_PROTECTION": "never"}).init_app(app, url_prefix="/voice")
SinchFunctions("fn2", config={"WEBHOOK_PROTECTION": "never"}).init_app(app, url_prefix="/second")
"""


def test_in_a_host_app_under_a_prefix_beside_sockets_of_its_own(tmp_path: Path) -> None:
    with host_of(tmp_path) as server, ExitStack() as stack:
        own = stack.enter_context(opened(server.port, "/own"))
        ours = [
            stack.enter_context(opened(server.port, f"{prefix}/{style}/echo"))
            for prefix in ("/voice", "/second")
            for style in STYLES
        ]
        for _ in range(3):
            assert own.ask_for("x") == "own x"
            for peer in ours:
                assert peer.ask_for("x") == "x"
        assert server.request("GET", "/page")[2] == b"page"
        assert server.request("POST", "/voice/ice", encoded(ICE))[0] == 200
        with opened(server.port, "/voice/callback/work?a=1") as peer:
            assert json.loads(peer.ask_for("flask"))[:2] == ["/voice/callback/work", "1"]
        assert status_of(server.port, "/blocking/echo") == 404
        assert status_of(server.port, "/voice/nothing") == 404
        server.process.send_signal(signal.SIGTERM)
        for peer in ours:
            assert peer.end()[0] == 1001


def test_refused_handshakes_in_a_host_app(tmp_path: Path) -> None:
    with host_of(tmp_path) as server:
        for name in ("another version", "no key", "an origin", "no upgrade", "a body", "a plain POST"):
            check_refusal(server.port, "/voice/blocking/echo", name)


@contextmanager
def host_of(folder: Path) -> Iterator[Server]:
    """A server without a function at its root."""
    write_function(folder / "fn", FUNCTION)
    write_function(folder / "fn2", FUNCTION)
    (folder / "host.py").write_text(HOST)
    with gunicorn(folder, target="host:app", health="/page") as server:
        yield server


# --- other servers ----------------------------------------------------------------------------------------------------


def check_server(server: Server) -> None:
    """What holds under every server that sockets work with: echo, 1011, refusals, HTTP beside, 1001 at the end."""
    for style in STYLES:
        with opened(server.port, f"/{style}/work") as peer:
            assert peer.ask_for("x") == "x"
            data = secrets.token_bytes(300_000)
            assert peer.ask_for(data) == data
            peer.send("raise")
            assert [one.closing[0] for one in peer.rest()] == [1011]
        with opened(server.port, f"/{style}/echo") as peer:
            peer.raw(frame(TEXT, b"no mask", key=None))
            assert peer.end()[0] == 1002
        with opened(server.port, f"/{style}/echo") as peer:
            peer.close(4000, b"bye")
            assert peer.end() == (4000, "bye")
        peer = Peer(server.port)
        peer.open(f"/{style}/echo")
        peer.reset()
    assert status_of(server.port, "/nothing") == 404
    assert status_of(server.port, "/blocking/echo", {"Sec-WebSocket-Version": "8"}) == 426
    assert server.request("POST", "/ice", encoded(ICE))[0] == 200


@pytest.mark.parametrize("worker", ["gthread", "sync", "gevent"])
def test_other_workers_of_gunicorn(tmp_path: Path, worker: str) -> None:
    if worker == "gevent":
        pytest.importorskip("gevent")
    with gunicorn(tmp_path, FUNCTION, GUNICORN_CMD_ARGS=f"-k {worker}", THREADS="4", **ANYBODY) as server:
        check_server(server)
        with ExitStack() as stack:
            peers = [stack.enter_context(opened(server.port, f"/{style}/echo")) for style in STYLES * 5]
            # Each has a loop running, also where all threads are greenlets of one.
            peers += [stack.enter_context(opened(server.port, f"/{style}/async")) for style in STYLES * 2]
            for peer in peers:
                assert peer.ask_for("x") == "x"
            assert server.request("POST", "/ice", encoded(ICE))[0] == 200
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            for peer in peers:
                assert peer.end()[0] == 1001
            server.process.wait(PATIENCE)
            assert time.monotonic() - began < 12


def test_under_sinchfn_dev(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "fn", FUNCTION)
    with on_free_port(DEV, folder) as server:
        check_server(server.answering())
        with opened(server.port, "/blocking/echo") as blocking, opened(server.port, "/callback/echo") as callback:
            assert (blocking.ask_for("x"), callback.ask_for("x")) == ("x", "x")
        for name in ("no key", "no upgrade", "POST", "an origin"):
            headers, options, status, _ = REFUSED[name]
            with Peer(server.port) as peer:
                answer = peer.ask(handshake("/blocking/echo", headers, **options))
                assert (answer.status, "requestId" in answer.json) == (status, True)


# --- how many ---------------------------------------------------------------------------------------------------------


@both_styles
def test_beyond_the_cap_a_handshake_is_told_to_come_again(tmp_path: Path, style: str) -> None:
    with gunicorn(tmp_path, FUNCTION, SINCHFN_WS_MAX_SOCKETS="3", THREADS="2", **ANYBODY) as server:
        path = f"/{style}/echo"
        peers = [Peer(server.port) for _ in range(3)]
        for peer in peers:
            peer.open(path)
        for _ in range(3):
            answer = answer_to(server.port, handshake(path))
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
            assert set(answer.json) >= {"error", "requestId"}
        for _ in range(20):
            assert server.request("POST", "/ice", encoded(ICE))[0] == 200
        assert [peer.ask_for("x") for peer in peers] == ["x"] * 3
        # Each kind of end frees the slot.
        peers[0].close()
        peers[0].end()
        peers[1].reset()
        peers[2].raw(frame(TEXT, b"no mask", key=None))
        assert peers[2].end()[0] == 1002
        give_up_all(peers)
        for _ in range(3):
            until(lambda: status_of(server.port, path) == 101)
        # Nor does a refused handshake keep one.
        for name in list(REFUSED)[:8]:
            headers, options, status, _ = REFUSED[name]
            assert answer_to(server.port, handshake(path, headers, **options)).status == status
        until(lambda: all_open(server, path, 3))


def all_open(server: Server, path: str, count: int) -> bool:
    """Whether so many sockets can be open at once."""
    with ExitStack() as stack:
        try:
            for _ in range(count):
                peer = stack.enter_context(opened(server.port, path))
                assert peer.ask_for("x") == "x"
        except RefusedError:
            return False
    return True


def test_sockets_do_not_starve_callbacks(tmp_path: Path) -> None:
    with (
        gunicorn(tmp_path, FUNCTION, SINCHFN_WS_MAX_SOCKETS="100", THREADS="2", **ANYBODY) as server,
        ExitStack() as stack,
    ):
        peers = [stack.enter_context(opened(server.port, f"/{style}/echo")) for style in STYLES for _ in range(50)]
        assert status_of(server.port, "/blocking/echo") == 503
        began = time.monotonic()
        for _ in range(50):
            assert server.request("POST", "/ice", encoded(ICE))[0] == 200
        assert time.monotonic() - began < 20
        for number, peer in enumerate(peers):
            assert peer.ask_for(f"{number}") == f"{number}"


# --- tokens -----------------------------------------------------------------------------------------------------------

STREAM_SECRET = "canary-stream-secret-3141"

TOKENS = FUNCTION.replace('.say("hello").hangup()', '.connect_stream("/stream")').replace(
    "def setup(runtime):",
    """
def setup(runtime):
    runtime.on_websocket("/stream", blocking(work))
    runtime.on_websocket("/calls/<name>", callback(work))
    @runtime.on_websocket("/shown")
    def shown(ws, request):
        ws.send(json.dumps({
            "call": ws.call_id, "query": request.query, "args": str(dict(flask_request.args)),
            "urls": [flask_request.url, flask_request.full_path], "environ": repr(flask_request.environ),
        }))
    runtime.on_websocket("/open", blocking(work), protected=False)
    runtime.on_websocket("/open/shown", shown, protected=False)
""",
    1,
)


def token(
    where: str, key: str | bytes = STREAM_SECRET, *, call: str | None = CALL_ID, expires: float = 60, **claims: Any
) -> str:
    """One that is signed by hand."""
    said = {"path": where, "call": call, "expires": int(time.time() + expires), "once": secrets.token_hex(8)} | claims
    return signed_by_hand(said, key)


def signed_by_hand(said: Any = None, key: str | bytes = STREAM_SECRET, **claims: Any) -> str:
    return str(URLSafeSerializer(key, salt="sinchfn.stream").dumps(claims if said is None else said))


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env = {
        "GUNICORN_CMD_ARGS": "-w 3 --access-logfile - --log-level debug",
        "SINCHFN_PUBLIC_URL": "https://voice.example.com",
        "SINCHFN_STREAM_SECRET": STREAM_SECRET,
        "SINCHFN_LOG_LEVEL": "DEBUG",
        "SINCHFN_LOG_FORMAT": "text",
        "SINCHFN_WS_MAX_SOCKETS": "31",
        "SINCHFN_ENV": "production",
    }
    folder = tmp_path_factory.mktemp("tokens")
    with gunicorn(folder, TOKENS, WEBHOOK_PROTECTION="always", **env, **SIGNING) as server:
        yield server


def url_of_a_call(server: Server) -> str:
    body = encoded(ICE)
    status, _, answer = server.request("POST", "/ice", body, signed(body))
    assert status == 200, answer
    url = json.loads(answer)["action"]["destination"]["endpoint"]
    assert url.startswith("wss://voice.example.com/stream?token=")
    return str(url).removeprefix("wss://voice.example.com")


def test_the_url_of_an_answer_opens_the_socket_once(tokens: Server) -> None:
    url = url_of_a_call(tokens)
    with opened(tokens.port, url) as peer:
        assert peer.ask_for("x") == "x"
    for _ in range(5):
        assert status_of(tokens.port, url) == 403
    with opened(tokens.port, f"/shown?a=1&token={token('/shown')}&b=2") as peer:
        shown = json.loads(peer.message())
    assert shown["call"] == CALL_ID
    assert shown["query"] == {"a": "1", "b": "2"}
    assert shown["urls"] == ["http://localhost/shown?a=1&b=2", "/shown?a=1&b=2"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "has no token"),
        ("?token=", "has no token"),
        ("?token=garbage", "not signed"),
        ("?token=a.b", "not signed"),
        ("?token=" + "x" * 4000, "not signed"),
        ("?token=%00%ff%C3%28", "not signed"),
        ("?TOKEN=x", "has no token"),
    ],
)
def test_without_a_right_token_nobody_gets_in(tokens: Server, query: str, why: str) -> None:
    check_closed(tokens, f"/stream{query}", why)


def check_closed(server: Server, url: str, why: str) -> None:
    peer = Peer(server.port)
    request_id = new_key()
    answer = peer.ask(handshake(url, {"X-Request-ID": request_id}))
    assert answer.status == 403
    assert set(answer.json) >= {"error", "requestId"}
    assert answer.json["error"].startswith("Invalid stream URL")  # and not why
    assert peer.ask(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200
    peer.give_up()
    until(lambda: [line for line in server.log.splitlines() if request_id in line and why in line])


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: token("/stream", "another secret"), "not signed"),
        (lambda: token("/stream", base64.b64decode(SECRET)), "not signed"),
        (lambda: token("/stream", b""), "not signed"),
        (lambda: token("/stream", expires=-5), "expired"),
        (lambda: token("/shown"), "is for /shown"),
        (lambda: token("/voice/stream"), "is for /voice/stream"),
        (lambda: token("/stream/"), "is for"),
        (lambda: token("/stream", expires=-1e9), "expired"),
        (lambda: token("/stream", path=7), "not signed"),
        (lambda: token("/stream", path=None), "not signed"),
        (lambda: signed_by_hand(path="/stream", call=None, once="x"), "not signed"),
        (lambda: signed_by_hand(path="/stream", call=None, once="x", expires="soon"), "not signed"),
        (lambda: str(URLSafeSerializer(STREAM_SECRET, salt="itsdangerous").dumps({"path": "/stream"})), "not signed"),
        (lambda: signed_by_hand([1, 2]), "not signed"),
        (lambda: signed_by_hand("/stream"), "not signed"),
        (lambda: token("/stream")[:-1], "not signed"),
        (lambda: token("/stream") + "&token=" + token("/stream"), "no token"),
    ],
)
def test_a_token_that_is_not_for_here_and_now(tokens: Server, made: Any, why: str) -> None:
    check_closed(tokens, f"/stream?token={made()}", why)


def test_refused_tokens_leave_all_slots_free(tokens: Server) -> None:
    # Of 31 in each of three workers; were one kept by each refused handshake, none would be left.
    for _ in range(80):
        assert status_of(tokens.port, f"/stream?token={token('/shown')}") == 403
        assert status_of(tokens.port, "/stream") == 403
    for _ in range(20):
        assert status_of(tokens.port, f"/stream?token={token('/stream')}") == 101


def test_one_token_opens_one_socket_across_workers(tokens: Server) -> None:
    for _ in range(3):
        url = f"/stream?token={token('/stream')}"
        with ThreadPoolExecutor(30) as pool:
            found = sorted(pool.map(status_of, [tokens.port] * 30, [url] * 30))
        assert found == [101] + [403] * 29


def test_a_path_with_variables_and_an_open_one(tokens: Server) -> None:
    with opened(tokens.port, f"/calls/j%C3%B6rg?token={token('/calls/jörg')}") as peer:
        assert peer.ask_for("x") == "x"
    with opened(tokens.port, f"/calls/a%20b?token={token('/calls/a%20b')}") as peer:
        assert peer.ask_for("x") == "x"
    assert status_of(tokens.port, f"/calls/other?token={token('/calls/mine')}") == 403
    with opened(tokens.port, "/open") as peer:
        assert peer.ask_for("x") == "x"


@pytest.mark.parametrize("path", ["/<path:rest>", "/<name>", "/health"])
def test_the_path_of_a_socket_hides_nothing_from_plain_requests(tmp_path: Path, path: str) -> None:
    source = f"""
    def hello(context, request): return "hello"
    def home(context, request): return "home"
    def setup(runtime):
        runtime.on_websocket("{path}", lambda ws, request, **variables: None, protected=False)
    """
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "page.html").write_text("a page")
    with serving(tmp_path, source) as served:
        assert served.get("/health").json == {"status": "ok"}
        assert served.get("/hello").text == "hello"
        assert served.get("/").text == "home"
        assert served.get("/page.html").text == "a page"
        assert served.get("/health", headers=handshake_headers()).status == 501  # a socket, in another server


def test_an_open_path_knows_the_call_whose_url_it_was_given(tokens: Server) -> None:
    made = token("/open/shown")
    for query, call, kept in (
        (f"?token={made}&a=1", CALL_ID, {"a": "1"}),
        (f"?token={made}", None, {}),  # used before: let in, but not as the call
        ("?token=of-another&a=1", None, {"token": "of-another", "a": "1"}),  # the function's own parameter
        (f"?token={made[:9]}", None, {"token": made[:9]}),
        ("", None, {}),
    ):
        with opened(tokens.port, f"/open/shown{query}") as peer:
            shown = json.loads(peer.message())
        assert (shown["call"], shown["query"]) == (call, kept)


def test_the_answer_to_a_handshake_carries_the_request_id(tokens: Server) -> None:
    request_id = new_key()
    for url in ("/open", f"/stream?token={token('/stream')}"):
        with Peer(tokens.port) as peer:
            assert peer.open(url, {"X-Request-ID": request_id}).headers["x-request-id"] == request_id
    with Peer(tokens.port) as peer:
        assert len(peer.open("/open", {"X-Request-ID": "not sane"}).headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "line",
    [
        "GET /rooms/Zo x?token={} HTTP/1.1",
        "GET /stream?token={} HTTP/9.9",
        "G T /stream?a=1&token={} HTTP/1.1",
        "GET /stream?token={}",
        "GET /stream?token={}&a=b c HTTP/1.1",
    ],
)
def test_a_request_line_that_gunicorn_refuses_is_logged_without_its_token(tokens: Server, line: str) -> None:
    made = token("/stream")
    before = len(tokens.log)
    with Peer(tokens.port) as peer:
        peer.raw(f"{line.format(made)}\r\nHost: localhost\r\n\r\n".encode())
        peer.socket.recv(4096)
    until(lambda: "Invalid" in tokens.log[before:])
    assert made not in tokens.log
    assert made.split(".")[-1] not in tokens.log


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_token_is_written_nowhere(tmp_path: Path, form: str) -> None:
    env = {
        "GUNICORN_CMD_ARGS": "--access-logfile - --log-level debug --access-logformat '%(r)s %(U)s %(q)s %(f)s'",
        "SINCHFN_STREAM_SECRET": STREAM_SECRET,
        "SINCHFN_LOG_LEVEL": "DEBUG",
        "SINCHFN_LOG_FORMAT": form,
    }
    seen = ""
    used = []
    with gunicorn(tmp_path, TOKENS, **env, WEBHOOK_PROTECTION="never") as server:

        def fresh(path: str, **options: Any) -> str:
            used.append(token(path, **options))
            return used[-1]

        for url in (
            f"/shown?a=1&token={fresh('/shown')}&b=2",
            f"/shown?token={fresh('/shown')}",
            f"//shown?token={fresh('/shown')}",
        ):
            try:
                with opened(server.port, url) as peer:
                    seen += f"{peer.message()!r}\n"
                    peer.close()
                    peer.end()
            except RefusedError as error:
                seen += f"{error.answer.headers} {error.answer.body!r}\n"
        for url in (
            f"/stream?token={used[0]}",
            f"/stream?token={fresh('/stream', expires=-5)}",
            f"/stream?token={fresh('/stream')}&token=x",
            f"/nothing?token={fresh('/nothing')}",
            f"/open?token={fresh('/open')}",
        ):
            with Peer(server.port) as peer:
                answer = peer.ask(handshake(url))
                seen += f"{answer.headers} {answer.body!r}\n"
        with opened(server.port, f"/stream?token={fresh('/stream')}") as peer:
            peer.send("raise")
            assert peer.end()[0] == 1011
        for headers in (
            {"Upgrade": None, "Connection": None},
            {"Sec-WebSocket-Version": "8"},
            {"Origin": "https://x.y"},
        ):
            with Peer(server.port) as peer:
                answer = peer.ask(handshake(f"/stream?token={fresh('/stream')}", headers))
                seen += f"{answer.headers} {answer.body!r}\n"
        until(lambda: len(server.ledger) >= 6)
        time.sleep(0.5)
        seen += "\n" + server.log + json.dumps(server.ledger)
        assert "the handler broke" in seen
        assert '"call_id"' in seen
        found = [one for one in used if one in seen]
        lines = [line for line in seen.splitlines() if any(one in line for one in found)]
        assert not found, "\n".join(lines)


def test_the_token_of_another_function_with_the_same_secret(tmp_path: Path) -> None:
    # 501, of a server that gives no access to its connections, means that it would have been let in.
    with mounted(tmp_path, "/one") as at_one:
        assert at_one("/one/stream", token("/two/stream")) == 403
        assert at_one("/one/stream", token("/stream")) == 403
        assert at_one("/one/stream", token("/one/stream")) == 501
    with mounted(tmp_path, "") as at_root:
        assert at_root("/stream", token("/one/stream")) == 403
        assert at_root("/stream", token("/stream")) == 501


@contextmanager
def mounted(folder: Path, prefix: str) -> Iterator[Any]:
    from flask import Flask

    from sinchfn import SinchFunctions
    from tests.harness.call import environ_of, send

    write_function(folder / "fn", TOKENS)
    config = {"SINCHFN_STREAM_SECRET": STREAM_SECRET, "SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never"}
    host = Flask("host")
    SinchFunctions(folder / "fn", config=config).init_app(host, url_prefix=prefix or None)

    def status(path: str, made: str) -> int:
        return send(host, environ_of("GET", f"{path}?token={made}", headers=handshake_headers())).status

    yield status


def test_the_key_is_derived_from_the_application_secret(tmp_path: Path) -> None:
    derived = hmac.digest(base64.b64decode(SECRET), b"sinchfn stream token", "sha256")
    with serving(tmp_path, TOKENS, **SIGNING) as served:
        right = token("/stream", derived)
        assert served.get(f"/stream?token={right}", headers=handshake_headers()).status == 501
        assert served.get(f"/stream?token={right}", headers=handshake_headers()).status == 403  # used up
        for wrong in (base64.b64decode(SECRET), SECRET, STREAM_SECRET):
            made = token("/stream", wrong)
            assert served.get(f"/stream?token={made}", headers=handshake_headers()).status == 403


def test_a_url_holds_for_so_long_and_no_longer(tmp_path: Path) -> None:
    now = time.time()
    with serving(tmp_path, TOKENS, SINCHFN_STREAM_SECRET=STREAM_SECRET, **SIGNING) as served:
        url = "/stream?" + served.call().json["action"]["destination"]["endpoint"].partition("?")[2]
        with mock.patch.object(streams.time, "time", return_value=now + streams.TOKEN_LIFETIME + 60):
            assert served.get(url, headers=handshake_headers()).status == 403
        assert served.get(url, headers=handshake_headers()).status == 501


def test_without_a_secret_development_serves_and_warns(tmp_path: Path) -> None:
    with gunicorn(tmp_path, TOKENS, SINCHFN_ENV="development") as server:
        with opened(server.port, "/stream") as peer:
            assert peer.ask_for("x") == "x"
        assert "no secret is set to sign the tokens" in server.log


@pytest.mark.parametrize("environment", ["development", "production"])
def test_workers_that_share_no_cache_are_told_that_a_url_lets_in_more_than_once(
    tmp_path: Path, environment: str
) -> None:
    env = {"SINCHFN_ENV": environment, "SINCHFN_CACHE_URL": "memory:", "SINCHFN_STREAM_SECRET": STREAM_SECRET}
    with gunicorn(tmp_path, TOKENS, GUNICORN_CMD_ARGS="-w 2", WEBHOOK_PROTECTION="never", **env) as server:
        with opened(server.port, f"/stream?token={token('/stream')}"):
            pass
        until(lambda: "a stream URL works once per worker process" in server.log)
        assert "SINCHFN_CACHE_URL=memory:" in server.log


@pytest.mark.parametrize(("environment", "cache"), [("development", "memory:"), ("production", "sqlite:cache.db")])
def test_one_process_or_a_shared_cache_is_not_warned_of(tmp_path: Path, environment: str, cache: str) -> None:
    env = {"SINCHFN_ENV": environment, "SINCHFN_CACHE_URL": cache, "SINCHFN_STREAM_SECRET": STREAM_SECRET}
    with gunicorn(tmp_path, TOKENS, WEBHOOK_PROTECTION="never", **env) as server:
        url = f"/stream?token={token('/stream')}"
        assert [status_of(server.port, url) for _ in range(2)] == [101, 403]
        assert "once per worker process" not in server.log


def test_without_a_secret_production_refuses_to_start(tmp_path: Path) -> None:
    write_function(tmp_path, TOKENS)
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "-b", "127.0.0.1:0"]
    done = subprocess.run(
        [*command, "sinchfn:create_app()"],
        cwd=tmp_path,
        env=clean_environment() | {"SINCHFN_ENV": "production", "WEBHOOK_PROTECTION": "never"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode != 0
    assert "no secret is set to sign it with" in done.stderr


# --- the reader of frames, against the RFC ----------------------------------------------------------------------------

messages = st.lists(
    st.tuples(
        st.one_of(st.text(max_size=400), st.binary(max_size=400)),
        st.lists(st.integers(0, 400), max_size=4),
        st.lists(st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)), max_size=3),
    ),
    max_size=6,
)


@given(messages, st.lists(st.integers(1, 200), min_size=1, max_size=20), st.binary(min_size=4, max_size=4))
def test_what_is_written_by_the_rfc_is_read_the_same(sent: list[Any], cuts: list[int], key: bytes) -> None:
    wire, expected = b"", []
    for data, places, controls in sent:
        payload = data.encode() if isinstance(data, str) else data
        ends = [0, *sorted(min(place, len(payload)) for place in places), len(payload)]
        parts = [payload[begin:end] for begin, end in itertools.pairwise(ends)]
        waiting = list(controls)
        for number, part in enumerate(parts):
            opcode = CONTINUATION if number else TEXT if isinstance(data, str) else BINARY
            wire += frame(opcode, part, fin=number == len(parts) - 1, key=key)
            if waiting and number < len(parts) - 1:
                control = waiting.pop()
                wire += frame(*control, key=key)
                expected.append(control)
        expected.append((TEXT if isinstance(data, str) else BINARY, data))
    reader, found, sizes = FrameReader(1 << 20), [], itertools.cycle(cuts)
    while wire:
        size = next(sizes)
        found += reader.feed(wire[:size])
        wire = wire[size:]
    assert found == expected
    assert reader.failure is None


likely_bytes = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.builds(
            frame,
            st.integers(0, 15),
            st.binary(max_size=140),
            fin=st.booleans(),
            rsv=st.sampled_from([0, 0, 0, 0, 1, 2, 4]),
            key=st.one_of(st.just(b"abcd"), st.just(b"abcd"), st.none()),
            announced=st.one_of(st.none(), st.none(), st.integers(0, 125), st.integers(0, (1 << 16) - 1)),
            form=st.sampled_from([16, 64]),
        ),
        st.builds(frame, st.integers(0, 10), st.binary(max_size=125), fin=st.booleans()),
    ),
    max_size=8,
).map(b"".join)


@given(likely_bytes, st.lists(st.integers(1, 60), min_size=1, max_size=10), st.booleans())
def test_any_bytes_end_in_messages_or_in_a_failure(wire: bytes, cuts: list[int], expect_mask: bool) -> None:
    at_once, in_parts = (FrameReader(5000, expect_mask=expect_mask) for _ in range(2))
    whole = at_once.feed(wire)
    found, sizes = [], itertools.cycle(cuts)
    while wire:
        size = next(sizes)
        found += in_parts.feed(wire[:size])
        wire = wire[size:]
    assert found == whole
    for opcode, data in found:
        assert isinstance(data, str if opcode == TEXT else bytes)
        assert opcode in (TEXT, BINARY, CLOSE, PING, PONG)
    failures = [reader.failure and reader.failure.code for reader in (at_once, in_parts)]
    assert failures[0] == failures[1]
    if failures[0] is not None:
        assert failures[0] in SENDABLE
        assert at_once.feed(frame(TEXT, b"more")) == []
