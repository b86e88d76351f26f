"""What a user of sockets who does something else than was meant is told, or gets all the same."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sinchfn import ConnectionClosed
from sinchfn.testing import SocketClient, memory_sockets, open_socket
from tests.harness.server import gunicorn, until

GIVEN = """
import time
seen = []

def stream(ws, request):
    for message in ws:
        ws.send(message)

def warm_up(context):
    seen.append("up")

def cool_down():
    seen.append("down")

def listed(context, request):
    return seen

def setup(runtime):
    runtime.on_startup(warm_up)
    runtime.on_shutdown(cool_down)
    runtime.on_websocket("/stream", stream, protected=False)
"""


def test_what_is_given_to_the_runtime_is_no_endpoint(make_app: Callable[..., Any]) -> None:
    app = make_app(GIVEN)
    client = app.test_client()
    assert client.get("/listed").json == ["up"]
    assert client.get("/stream").status_code == 426
    for name in ("warm_up", "cool_down"):
        assert client.get(f"/{name}").status_code == 404
    with open_socket(app, "/stream") as peer:
        peer.send("hello")
        assert peer.receive(timeout=5) == "hello"


SENDS_ONLY = """
members = set()

def tell(context, request):
    for ws in members:
        ws.send("news")
    return [len(members)]

def setup(runtime):
    @runtime.on_websocket("/news", protected=False)
    def news(ws, request):
        members.add(ws)
        ws.on_close(lambda: members.discard(ws))

    @runtime.on_websocket("/reads", protected=False)
    def reads(ws, request):
        ws.on_close(lambda: None)
        ws.send(ws.receive(timeout=5))

    @runtime.on_websocket("/answers", protected=False)
    def answers(ws, request):
        return {"hello": "there"}
"""


def test_a_handler_that_only_wants_to_know_of_the_end_keeps_its_socket(make_app: Callable[..., Any]) -> None:
    app = make_app(SENDS_ONLY)
    with open_socket(app, "/news") as peer:
        peer.send("nobody listens to this")
        time.sleep(0.2)
        assert app.test_client().get("/tell").json == [1]
        assert peer.receive(timeout=5) == "news"
    assert app.test_client().get("/tell").json == [0]


def test_a_handler_that_reads_is_done_when_it_returns(make_app: Callable[..., Any]) -> None:
    with open_socket(make_app(SENDS_ONLY), "/reads") as peer:
        peer.send("hello")
        assert list(peer) == ["hello"]
        assert peer.close_code == 1000


def test_what_a_handler_returns_is_said_to_be_dropped(
    make_app: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with open_socket(make_app(SENDS_ONLY), "/answers") as peer:
        assert list(peer) == []
    assert [record for record in caplog.records if "ws.send(" in record.getMessage()]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("on", "on_message(fn)"),
        ("onMessage", "on_message"),
        ("recv", "receive()"),
        ("sendall", "send"),
        ("connected", "is_open"),
        ("send_json", "json.dumps"),
    ],
)
def test_names_of_other_libraries_are_answered_with_ours(name: str, advice: str) -> None:
    ws, _ = memory_sockets()
    with pytest.raises(AttributeError, match=re.escape(advice)):
        getattr(ws, name)
    assert not hasattr(ws, "something_else_entirely")
    ws.close()


@pytest.mark.parametrize("code", ["bye", None, 1.5])
def test_close_takes_a_code_first(code: Any) -> None:
    ws, _ = memory_sockets()
    with pytest.raises(TypeError, match="takes a code first"):
        ws.close(code)
    ws.close()


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("runtime.on_stop(print)", 'Did you mean "on_shutdown"'),
        ("runtime.on_websocket(print)", '@runtime.on_websocket("/stream")'),
    ],
)
def test_what_the_runtime_has_not_is_answered_with_what_it_has(
    line: str, advice: str, make_app: Callable[..., Any]
) -> None:
    with pytest.raises(Exception, match=re.escape(advice)):
        make_app(f"def setup(runtime):\n    {line}\n")


LATER = """
def setup(runtime):
    @runtime.on_websocket("/later", protected=False)
    def later(ws, request):
        for message in ws:
            for _ in range(1000):
                ws.call_later(3600, lambda: ws).cancel()
            ws.call_later(3600, lambda: ws)
            ws.send(message)
"""


def test_timers_do_not_outlive_their_socket(tmp_path: Path) -> None:
    source = LATER + "def objects(context, request):\n    import gc; gc.collect(); return [len(gc.get_objects())]\n"
    with gunicorn(tmp_path, source, SINCHFN_USAGE="off") as server:

        def use(times: int) -> int:
            for _ in range(times):
                with SocketClient.connect(f"ws://127.0.0.1:{server.port}/later") as ws:
                    ws.send("x")
                    assert ws.receive(timeout=20) == "x"
            time.sleep(0.5)
            return int(json.loads(server.request("GET", "/objects")[2])[0])

        before = use(5)
        assert use(60) - before < 5000  # of 60,000 that were cancelled, and 60 that were due in an hour


HANGS = """
import time

def setup(runtime):
    @runtime.on_websocket("/hangs", protected=False)
    def hangs(ws, request):
        @ws.on_message
        def dream(message):
            time.sleep(3)
            ws.send(message)
"""


def test_a_callback_that_does_not_return_is_told_of_while_it_hangs(tmp_path: Path) -> None:
    with gunicorn(tmp_path, HANGS, SINCHFN_USAGE="off") as server:
        with SocketClient.connect(f"ws://127.0.0.1:{server.port}/hangs") as ws:
            ws.send("x")
            until(lambda: "has been running for 1 s" in server.log)
            assert "in dream" in server.log
            assert ws.receive(timeout=0) is None, "it was told of only afterwards"
            assert ws.receive(timeout=20) == "x"
        assert server.log.count("has been running for") == 1


@pytest.mark.parametrize(
    ("origin", "status"), [("", 403), ("null", 403), ("https://app.example.com", 403), (None, 501)]
)
def test_without_a_list_no_page_gets_in(origin: str | None, status: int, make_app: Callable[..., Any]) -> None:
    handshake = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    headers = handshake if origin is None else {**handshake, "Origin": origin}
    # 501: it would be let in, but the test client has no connection to give.
    assert make_app(SENDS_ONLY).test_client().get("/news", headers=headers).status_code == status


FAILS = """
import json, sinchfn

__all__ = ["setup", "noted"]
notes = {}

def noted(context, request):
    return notes.get(request.query["where"], [])

def setup(runtime):
    @runtime.on_websocket("/fails/<where>", protected=False)
    def fails(ws, request, where):
        note = notes.setdefault(where, []).append
        broken = lambda *_: 1 / 0
        audio = sinchfn.MediaStream(ws) if where.startswith("stream") else None

        @ws.on_close
        def closed(code, reason):
            note(["closed", code])
            if where == "on_close":
                broken()

        @ws.on_error
        def failed(error):
            note(["error", type(error).__name__])
            if where == "on_error":
                raise KeyError("the second")

        if audio is not None:
            audio.on_connect(broken if where == "stream on_connect" else lambda connect: audio.answer())
            audio.on_audio(broken if where == "stream on_audio" else audio.send)
            if where == "stream on_drained":
                audio.on_drained(broken)
            return
        ws.on_message(broken if where in ("on_message", "on_error") else lambda data: ws.send(data))
        if where == "call_later":
            ws.call_later(0, broken)
        if where == "call_later in a loop":
            ws._on_message = None
            ws.call_later(0, broken)
            for _ in ws:
                pass
"""

CONNECT = '{"command":"connect","callid":"c","samplerate":16000,"callheaders":[]}'


@pytest.mark.parametrize(
    "where",
    [
        *("on_message", "on_error", "call_later", "call_later in a loop"),
        *("stream on_connect", "stream on_audio", "stream on_drained"),
    ],
)
def test_whatever_callback_raises_the_socket_is_closed_with_1011(tmp_path: Path, where: str) -> None:
    with gunicorn(tmp_path, FAILS) as server:
        with SocketClient.connect(f"ws://127.0.0.1:{server.port}/fails/{quote(where)}") as ws:
            with suppress(ConnectionClosed):  # it may be closed by now
                ws.send(CONNECT if where.startswith("stream") else "x")
                if where.startswith("stream"):
                    ws.send(bytes(640))
            list(ws)
            assert ws.close_code == 1011
        [record] = until(lambda: [record for record in server.ledger if record["kind"] == "websocket"])
        assert (record["outcome"], record["stream"]["close_code"]) == ("error", 1011)
        noted = json.loads(server.request("GET", f"/noted?where={quote(where)}")[2])
        assert noted == [["error", "ZeroDivisionError"], ["closed", 1011]]
        assert server.log.count("of a socket raised ZeroDivisionError") == 1
        assert server.log.count("of a socket raised KeyError") == (where == "on_error")


def test_an_on_close_that_raises_has_failed(make_app: Callable[..., Any]) -> None:
    app = make_app(FAILS)
    with pytest.raises(ZeroDivisionError), open_socket(app, "/fails/on_close") as peer:
        assert ask(peer, "x") == "x"


def ask(peer: Any, what: str) -> Any:
    peer.send(what)
    return peer.receive(timeout=20)
