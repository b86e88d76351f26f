"""sinchfn.testing: sockets in memory, handlers of an app, a client for real servers, the platform's side of a call."""

from __future__ import annotations

import base64
import contextvars
import gc
import hashlib
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from sinchfn import SinchFunctions, StartupError, create_app, signals
from sinchfn.errors import ConnectionClosed
from sinchfn.testing import (
    HandshakeRefused,
    MemorySocket,
    SocketClient,
    StreamCaller,
    memory_sockets,
    open_socket,
    stream_url,
)
from tests.harness.app import Served, serving, write_function
from tests.harness.server import Server, gunicorn, launched, until

STREAM_SECRET = {"SINCHFN_STREAM_SECRET": "a secret for streams"}


def echo(ws: Any, request: Any) -> None:
    for message in ws:
        ws.send(message)


def echo_by_callback(ws: Any, request: Any) -> None:
    ws.on_message(ws.send)


@contextmanager
def nothing_left(files: bool = False) -> Iterator[None]:
    """No thread, and no descriptor if that is to be looked at, is there afterwards that was not there before."""
    threads = set(threading.enumerate())
    gc.collect()
    before = descriptors() if files else 0
    yield
    assert set(threading.enumerate()) - threads == set()
    assert not files or descriptors() <= before


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# --- in memory, blocking style, one thread --------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["hello", "", "grüß 😀", b"\x00\xff", b""])
def test_a_handler_is_a_function_of_its_end_and_the_test_has_the_other(message: str | bytes):
    ws, peer = memory_sockets()
    peer.send(message)
    peer.close()
    echo(ws, None)
    assert list(peer) == [message]


def test_what_is_sent_before_the_close_is_seen_arrives_and_then_it_is_over():
    ws, peer = memory_sockets()
    for number in range(100):
        peer.send(str(number))
    peer.close(4001, "enough")
    assert ws.is_open
    echo(ws, None)
    assert (ws.is_open, ws.close_code, ws.close_reason) == (False, 4001, "enough")
    with pytest.raises(ConnectionClosed) as caught:
        ws.send("more")
    assert (caught.value.code, caught.value.reason) == (4001, "enough")
    assert list(peer) == [str(number) for number in range(100)]


@pytest.mark.parametrize("mutable", [bytearray, memoryview])
def test_any_bytes_are_sent_as_they_are_at_that_moment(mutable: Callable[[bytes], Any]):
    ws, peer = memory_sockets()
    data = mutable(b"abc")
    ws.send(data)
    if isinstance(data, bytearray):
        data[0] = 0
    assert peer.receive() == b"abc"


def test_what_is_neither_text_nor_bytes_is_not_sent():
    ws, _ = memory_sockets()
    with pytest.raises(TypeError, match="int"):
        ws.send(1)  # type: ignore[arg-type]


def test_receive_gives_none_when_the_time_is_over():
    ws, peer = memory_sockets()
    assert ws.receive(0) is None
    began = time.monotonic()
    assert ws.receive(timeout=0.1) is None
    assert time.monotonic() - began >= 0.1
    peer.send("here")
    assert ws.receive(0) == "here"


def test_receive_waits_for_what_another_thread_sends():
    ws, peer = memory_sockets()
    thread = threading.Timer(0.05, lambda: peer.send("late"))
    thread.start()
    assert ws.receive() == "late"
    thread.join()


def test_receive_is_woken_by_a_close_of_either_side():
    for closing in (0, 1):
        ends = memory_sockets()
        thread = threading.Timer(0.05, ends[closing].close)
        thread.start()
        with pytest.raises(ConnectionClosed):
            ends[0].receive()
        thread.join()


def test_messages_before_the_close_come_first_then_it_raises_each_time():
    ws, peer = memory_sockets()
    peer.send("last words")
    peer.close(3000, "bye")
    assert ws.receive() == "last words"
    for _ in range(2):
        with pytest.raises(ConnectionClosed) as caught:
            ws.receive()
        assert (caught.value.code, caught.value.reason) == (3000, "bye")


def test_after_its_own_close_an_end_sends_nothing_and_does_not_wait_for_a_handler_that_nobody_runs():
    ws, peer = memory_sockets()
    ws.send("before")
    peer.close()
    with pytest.raises(ConnectionClosed):
        peer.send("more")
    assert list(peer) == ["before"]
    ws.send("it has not seen the close")
    assert list(peer) == ["it has not seen the close"]


@pytest.mark.parametrize("code", [999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_codes_that_no_close_frame_may_carry(code: int):
    ws, _ = memory_sockets()
    with pytest.raises(ValueError, match=str(code)):
        ws.close(code)
    assert ws.is_open


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_codes_that_one_may_carry(code: int):
    ws, peer = memory_sockets()
    ws.close(code)
    assert list(peer) == []
    assert ws.close_code == peer.close_code == code


def test_the_first_close_counts_for_both_ends():
    ws, peer = memory_sockets()
    peer.close(4001, "first")
    ws.close(4002, "second")
    peer.close(4003, "third")
    assert [(end.close_code, end.close_reason) for end in (ws, peer)] == [(4001, "first")] * 2


def test_a_peer_that_is_gone_without_a_word():
    ws, peer = memory_sockets()
    errors: list[ConnectionClosed] = []
    ws.on_error(errors.append)
    peer.send("half of a")
    peer.drop()
    echo(ws, None)
    assert (ws.close_code, ws.close_reason) == (1006, "the peer is gone")
    assert [error.code for error in errors] == [1006]


def test_a_handler_that_only_sends_is_told_of_the_close_as_well():
    ws, peer = memory_sockets()
    peer.close()
    began, sent = time.monotonic(), []

    def tick() -> None:
        while time.monotonic() < began + 10:
            ws.send("tick")
            sent.append("tick")
            time.sleep(0.01)

    with pytest.raises(ConnectionClosed):
        tick()
    assert 0.4 < time.monotonic() - began < 5
    assert list(peer) == sent


def test_an_exception_of_a_plain_handler_is_the_tests():
    ws, peer = memory_sockets()
    peer.send("no number")
    with pytest.raises(ValueError, match="no number"):
        int(ws.receive() or "")


def test_context_and_call_id_are_what_they_are_given():
    context = SimpleNamespace(cache={})
    ws, peer = memory_sockets(context=context, call_id="call-1")
    assert ws.context is context
    assert ws.call_id == "call-1"
    with pytest.raises(RuntimeError, match="context="):
        _ = peer.context


def test_statistics_are_counted_on_both_ends():
    ws, peer = memory_sockets()
    peer.send("grüß")
    peer.send(b"123")
    peer.close()
    echo(ws, None)
    list(peer)
    for end in (ws, peer):
        numbers = end.statistics
        assert (numbers.frames_in, numbers.frames_out, numbers.bytes_in, numbers.bytes_out) == (2, 2, 9, 9)


def test_many_threads_send_and_nothing_is_lost():
    ws, peer = memory_sockets()
    threads = [threading.Thread(target=lambda: [ws.send(b"x") for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(1600):
        assert peer.receive(5) == b"x"
    for thread in threads:
        thread.join()


# --- in memory, callback style --------------------------------------------------------------------------------------


def test_a_handler_with_callbacks_is_tested_the_same_way():
    ws, peer = memory_sockets()
    peer.send("one")
    echo_by_callback(ws, None)
    peer.send("two")
    assert [peer.receive(5), peer.receive(5)] == ["one", "two"]
    peer.send("three")
    peer.close()
    assert list(peer) == ["three"]  # waited for
    assert ws.close_code == 1000


def test_receive_is_refused_where_messages_go_to_a_function():
    ws, _ = memory_sockets()
    ws.on_message(print)
    with pytest.raises(RuntimeError, match="on_message"):
        ws.receive()


def test_callbacks_run_in_order_on_one_thread_of_their_own_and_not_before_the_handler_has_returned():
    ws, peer = memory_sockets()
    seen: list[Any] = []
    idents: set[int] = set()
    peer.send("early")

    def handler(ws: Any, request: Any) -> None:
        ws.on_message(lambda data: (seen.append(data), idents.add(threading.get_ident())))
        time.sleep(0.05)
        seen.append("handler")

    handler(ws, None)
    for number in range(50):
        peer.send(str(number))
        time.sleep(0.001)
    peer.settle()
    assert seen == ["handler", "early", *map(str, range(50))]
    assert len(idents) == 1
    assert threading.get_ident() not in idents
    ws.close()


def test_on_close_comes_after_the_last_message_with_code_and_reason():
    ws, peer = memory_sockets()
    seen: list[Any] = []
    ws.on_message(seen.append)
    ws.on_close(lambda code, reason: seen.append((code, reason)))
    peer.send("last")
    peer.close(4000, "done")
    peer.settle()
    assert seen == ["last", (4000, "done")]


@pytest.mark.parametrize("which", [0, 1])
def test_on_close_of_either_end_whoever_closes(which: int):
    ws, peer = memory_sockets()
    seen: list[Any] = []
    ws.on_close(lambda code: seen.append(code))
    (ws, peer)[which].close(4000)
    peer.settle()
    assert seen == [4000]
    assert ws.close_code == peer.close_code == 4000


def test_no_message_comes_to_a_callback_after_its_end_has_closed():
    ws, peer = memory_sockets()
    seen: list[Any] = []

    @ws.on_message
    def hear(data: str) -> None:
        seen.append(data)
        ws.close(4009)

    peer.send("one")
    peer.send("two")
    peer.settle()
    assert seen == ["one"]
    with pytest.raises(ConnectionClosed):
        peer.receive()
    assert peer.close_code == 4009


def test_a_callback_that_raises_closes_with_1011_and_the_exception_is_kept():
    ws, peer = memory_sockets()
    errors: list[BaseException] = []
    closed: list[int] = []
    ws.on_message(lambda data: int(data))
    ws.on_error(errors.append)
    ws.on_close(lambda code: closed.append(code))
    peer.send("no number")
    with pytest.raises(ConnectionClosed) as caught:
        peer.receive(5)
    peer.settle()
    assert caught.value.code == 1011
    assert isinstance(ws.failed_with, ValueError)
    assert errors == [ws.failed_with]
    assert closed == [1011]


def test_a_callback_may_be_async():
    ws, peer = memory_sockets()

    @ws.on_message
    async def hear(data: str) -> None:
        ws.send(data.upper())

    peer.send("a")
    assert peer.receive(5) == "A"
    peer.close()


def test_callbacks_on_both_ends():
    ws, peer = memory_sockets()
    seen: list[Any] = []
    ws.on_message(ws.send)
    peer.on_message(seen.append)
    peer.send("there and back")
    peer.settle()
    assert seen == ["there and back"]
    peer.close()


def test_callbacks_run_in_the_context_variables_of_the_handler():
    ws, peer = memory_sockets()
    number = contextvars.ContextVar("number", default=0)

    def handler() -> None:
        number.set(7)
        ws.on_message(lambda _: ws.send(str(number.get())))

    contextvars.copy_context().run(handler)
    peer.send("?")
    assert peer.receive(5) == "7"
    peer.close()


def test_timers_run_in_real_time_and_can_be_cancelled():
    ws, peer = memory_sockets()
    began = time.monotonic()
    ws.call_later(0.1, lambda: ws.send("later"))
    ws.call_later(0.02, lambda: ws.send("sooner"))
    ws.call_later(0.05, lambda: ws.send("never")).cancel()
    assert [peer.receive(5), peer.receive(5)] == ["sooner", "later"]
    assert time.monotonic() - began >= 0.1
    assert peer.receive(0) is None


def test_timers_of_a_closed_end_do_not_run():
    ws, _ = memory_sockets()
    seen: list[str] = []
    ws.call_later(0.02, lambda: seen.append("open"))
    ws.call_later(0.3, lambda: seen.append("closed"))
    until(lambda: seen == ["open"])
    ws.close()
    time.sleep(0.4)
    assert seen == ["open"]


def test_a_callback_cannot_wait_and_knows_it():
    ws, peer = memory_sockets()
    found: list[Any] = []

    @ws.on_message
    def hear(data: str) -> None:
        found.append(ws.may_wait)
        with pytest.raises(RuntimeError):
            ws.settle()

    peer.send("x")
    peer.settle()
    assert (found, peer.may_wait, ws.failed_with) == ([False], True, None)
    peer.close()


def test_settle_says_where_a_callback_hangs():
    ws, peer = memory_sockets()
    go_on = threading.Event()

    def hang(data: str) -> None:
        go_on.wait(10)

    ws.on_message(hang)
    peer.send("x")
    with pytest.raises(AssertionError, match=r"(?s)0\.1 s.*in hang.*go_on\.wait"):
        peer.settle(0.1)
    go_on.set()
    peer.close()
    peer.settle()


def test_settle_is_woken_when_the_thread_of_the_callbacks_ends():
    ws, peer = memory_sockets()
    ws.on_message(lambda message: None)
    ws.call_later(600, lambda: None)
    peer.send("x")
    peer.settle()  # the thread has called the callback, and waits
    began = time.monotonic()
    with ws._changed:  # the thread cannot end before settle() waits for it, which gives up the lock
        ws.close()
        peer.settle(30)
    assert time.monotonic() - began < 30, "settle() was not woken: it ended with its timeout"


@pytest.mark.parametrize("closing", [0, 1])
def test_no_thread_is_left_once_both_ends_are_closed(closing: int):
    with nothing_left():
        ws, peer = memory_sockets()
        ws.on_message(ws.send)
        ws.on_close(lambda: None)
        ws.call_later(60, lambda: None)
        peer.call_later(60, lambda: None)
        peer.send("x")
        assert peer.receive(5) == "x"
        (ws, peer)[closing].close()
        assert list(peer) == []
        peer.settle()


def test_without_callbacks_there_is_no_thread_at_all():
    with nothing_left():
        ws, peer = memory_sockets()
        ws.send("x")
        assert peer.receive() == "x"
        assert threading.active_count() == len(threading.enumerate())
        ws.on_close(lambda: None)
        peer.close()
        peer.settle()


# --- the handlers of an app -----------------------------------------------------------------------------------------

SOURCE = """
import threading
from sinchfn.errors import ConnectionClosed
started = []
hanging = threading.Event()

def setup(runtime):
    @runtime.on_startup
    def warm_up(context):
        started.append(context.cache.get("x"))

    @runtime.on_websocket("/echo")
    def echo(ws, request):
        for message in ws:
            ws.send(message)

    @runtime.on_websocket("/callbacks")
    def callbacks(ws, request):
        ws.on_message(lambda data: ws.send(data.upper() if isinstance(data, str) else data))
        ws.on_close(lambda code, reason: ws.context.cache.set("closed", [code, reason]))

    @runtime.on_websocket("/rooms/<int:room>/<name>")
    def rooms(ws, request, room, name):
        ws.send(json.dumps([room + 1, name, request.path, request.query, request.headers.get("X-Who"), ws.call_id,
                            flask_request.path, ws.context.request_id == request.id]))

    @runtime.on_websocket("/notes")
    def notes(ws, request):
        for message in ws:
            ws.context.storage.write("note.txt", message)
            ws.context.log.info("Noted %s", message)
        ws.context.cache.set("end", ws.close_code)

    @runtime.on_websocket("/fails", protected=False)
    def fails(ws, request):
        raise ValueError(f"cannot do {ws.receive()}")

    @runtime.on_websocket("/callback-fails")
    def callback_fails(ws, request):
        ws.on_message(int)

    @runtime.on_websocket("/exits")
    def exits(ws, request):
        sys.exit(3)

    @runtime.on_websocket("/hangs")
    def hangs(ws, request):
        hanging.wait(20)

    @runtime.on_websocket("/callback-hangs")
    def callback_hangs(ws, request):
        ws.on_message(lambda data: hanging.wait(20))

    @runtime.on_websocket("/ticks")
    def ticks(ws, request):
        while True:
            ws.send("tick")
            time.sleep(0.02)

    @runtime.on_websocket("/says")
    def says(ws, request):
        ws.send("one")
        ws.close(4005, "that was all")

    @runtime.on_websocket("/later")
    async def later(ws, request):
        await asyncio.sleep(0.01)
        ws.send("later")
        ws.close()

    @runtime.on_websocket("/stream")
    def stream(ws, request):
        first = json.loads(ws.receive())
        if first["callHeaders"].get("how") in ("busy", "reject"):
            ws.send(json.dumps({"command": first["callHeaders"]["how"]}))
            return
        if first["callHeaders"].get("how") == "early":
            ws.send(bytes(320))
        if first["callHeaders"].get("how") != "silent":
            ws.send('{"command": "answer"}')
        ws.context.cache.set("connect", first)
        sizes = []
        for pcm in ws:
            sizes.append(len(pcm))
            if pcm[:1] == b"!":
                ws.send('{"command": "clear"}')
                ws.send('{"command": "heartbeat"}')
            ws.send(pcm)
        ws.context.cache.set("sizes", sizes)

def status(context, request): return "ok"
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "fn", SOURCE, **STREAM_SECRET, SINCHFN_LOG_FORMAT="json") as served:
        yield served


def function_of(app: Flask) -> Any:
    return app.extensions["sinchfn"][0]


def cached(served: Served, key: str) -> Any:
    return function_of(served.app).services.cache.get(key)


def test_a_handler_of_an_app_answers_without_a_server_and_without_a_token(served: Served):
    with nothing_left(), open_socket(served.app, "/echo") as peer:
        peer.send("hello")
        assert peer.receive(timeout=5) == "hello"


def test_what_the_handler_sent_can_be_read_after_its_end_and_after_the_peers_close(served: Served):
    with open_socket(served.app, "/echo") as peer:
        peer.send("one")
        peer.close()
        assert list(peer) == ["one"]
    with open_socket(served.app, "/echo") as peer:
        peer.send("two")
    assert list(peer) == ["two"]


def test_callbacks_of_an_app_and_their_end(served: Served):
    with nothing_left(), open_socket(served.app, "/callbacks") as peer:
        peer.send("hello")
        assert peer.receive(timeout=5) == "HELLO"
        peer.send(b"a")
        peer.close(4000, "thanks")
        assert list(peer) == [b"a"]
    assert cached(served, "closed") == [4000, "thanks"]


def test_variables_query_headers_and_call_id_come_to_the_handler(served: Served):
    where = "/rooms/41/a%20b"
    with open_socket(served.app, where, call_id="c1", headers={"X-Who": "me"}, query={"q": "1 2"}) as peer:
        found = served_json(peer)
    assert found == [42, "a b", "/rooms/41/a b", {"q": "1 2"}, "me", "c1", "/rooms/41/a b", True]
    with open_socket(served.app, "/rooms/1/x?a=b") as peer:
        assert served_json(peer)[3] == {"a": "b"}


def served_json(peer: MemorySocket) -> Any:
    return json.loads(peer.receive(timeout=5) or "")


def test_storage_cache_log_and_the_usage_record_are_the_real_ones(served: Served):
    opened, closed = [], []

    def on_open(sender: Any, invocation: Any) -> None:
        opened.append(invocation.handler_name)

    def on_closed(sender: Any, invocation: Any) -> None:
        closed.append(invocation.usage.stream["close_code"])

    with (
        signals.websocket_opened.connected_to(on_open),
        signals.websocket_closed.connected_to(on_closed),
        open_socket(served.app, "/notes", call_id="call-9") as peer,
    ):
        peer.send("remember")
        peer.close(4007)
    assert function_of(served.app).services.storage.read_text("note.txt") == "remember"
    assert cached(served, "end") == 4007
    (record,) = served.ledger
    assert (record["kind"], record["handler"], record["path"], record["status"]) == (
        "websocket",
        "notes",
        "/notes",
        101,
    )
    assert (record["outcome"], record["call_id"], record["request_bytes"]) == ("ok", "call-9", 8)
    assert (record["stream"]["frames_in"], record["stream"]["close_code"]) == (1, 4007)
    (line,) = [line for line in served.log_lines if line["message"] == "Noted remember"]
    assert line["request_id"] == record["request_id"]
    assert (opened, closed) == (["notes"], [4007])


def test_a_peer_that_drops_is_recorded_as_gone(served: Served):
    with open_socket(served.app, "/echo") as peer:
        peer.drop()
    assert (served.ledger[0]["outcome"], served.ledger[0]["stream"]["close_code"]) == ("gone", 1006)


@pytest.mark.parametrize("path", ["/fails", "/callback-fails"])
def test_what_the_handler_raised_is_raised(served: Served, path: str):
    failed: list[Any] = []

    def on_failed(sender: Any, invocation: Any, error: BaseException) -> None:
        failed.append(error)

    with (
        signals.handler_failed.connected_to(on_failed),
        nothing_left(),
        pytest.raises(ValueError, match="nonsense") as caught,
        open_socket(served.app, path) as peer,
    ):
        peer.send("nonsense")
    assert failed == [caught.value]
    assert peer.close_code in (1000, 1011)
    assert served.ledger[0]["outcome"] == "error"


def send_and_receive(peer: MemorySocket, message: str) -> Any:
    peer.send(message)
    return peer.receive(timeout=5)


def fail_after(peer: MemorySocket, message: str) -> None:
    peer.send(message)
    raise AssertionError("mine")


def test_what_the_handler_raised_goes_before_the_closed_socket_that_came_of_it(served: Served):
    with pytest.raises(ValueError, match="nonsense"), open_socket(served.app, "/fails") as peer:
        send_and_receive(peer, "nonsense")
    assert peer.close_code == 1011


def test_a_failing_test_stays_the_failure_and_notes_that_of_the_handler(served: Served):
    with pytest.raises(AssertionError, match="mine") as caught, open_socket(served.app, "/fails") as peer:
        fail_after(peer, "nonsense")
    assert "ValueError: cannot do nonsense" in caught.value.__notes__[0]


ROOMS = """
from contextlib import suppress
from sinchfn import ConnectionClosed
closed = []

def _tell(message):
    closed[0].send(message)

def setup(runtime):
    @runtime.on_websocket("/leaves")
    def leaves(ws, request):
        closed.append(ws)
        ws.close()

    @runtime.on_websocket("/loop")
    def loop(ws, request):
        for message in ws:
            _tell(message)

    @runtime.on_websocket("/callback")
    def callback(ws, request):
        @ws.on_message
        def take(message):
            if message == "tell":
                _tell(message)
            ws.send(message)

def status(context, request):
    try:
        _tell("x")
    except ConnectionClosed as error:
        return [error.code, error.socket is closed[0]]
"""


def test_a_send_to_the_closed_socket_of_another_handler_is_not_passed_over(tmp_path: Path) -> None:
    with serving(tmp_path / "fn", ROOMS, **STREAM_SECRET) as served:
        with open_socket(served.app, "/leaves"):
            pass
        assert served.get("/status").json == [1000, True]
        with open_socket(served.app, "/callback") as peer:
            peer.send("tell")
            peer.send("more")
            assert peer.receive(timeout=10) == "more"  # the socket itself goes on
        assert "sent to another socket, which is closed" in served.log
        with pytest.raises(ConnectionClosed), open_socket(served.app, "/loop") as peer:  # noqa: PT012
            peer.send("tell")
            assert list(peer) == []
        assert peer.close_code == 1011


def test_a_handler_that_exits_does_not_end_more_than_its_test(served: Served):
    with pytest.raises(SystemExit), open_socket(served.app, "/exits"):
        pass


@pytest.mark.parametrize("path", ["/hangs", "/callback-hangs"])
def test_a_handler_that_does_not_end_is_an_error_that_says_where_it_is(served: Served, path: str):
    name = path[1:].replace("-", "_")
    with nothing_left():
        with (
            pytest.raises(AssertionError, match=rf"(?s){name} has not ended 0\.2 s .*hanging\.wait\(20\)"),
            open_socket(served.app, path, timeout=0.2) as peer,
        ):
            peer.send("x")
        function_of(served.app).module.hanging.set()
        # (That of all sockets of the process may be there, if one was served by it before.)
        ours = {"sinchfn-socket", "sinchfn-memory-socket"}
        until(lambda: not ours & {thread.name for thread in threading.enumerate()})


def test_a_handler_that_only_sends_ends_as_well(served: Served):
    with open_socket(served.app, "/ticks") as peer:
        assert peer.receive(timeout=5) == "tick"


def test_a_handler_that_closes_by_itself(served: Served):
    with open_socket(served.app, "/says") as peer:
        assert list(peer) == ["one"]
        assert (peer.close_code, peer.close_reason) == (4005, "that was all")


def test_an_async_handler(served: Served):
    with open_socket(served.app, "/later") as peer:
        assert list(peer) == ["later"]


def test_a_path_without_a_socket_names_those_that_there_are(served: Served):
    for path in ("/nothing", "/status", "/rooms/x/y", "/"):
        with pytest.raises(LookupError, match=r"/echo, .*/rooms/<int:room>/<name>"), open_socket(served.app, path):
            pass
    with pytest.raises(LookupError, match="/stream"):
        stream_url(served.app, "/streem")


def test_an_app_without_sockets(tmp_path: Path):
    with (
        serving(tmp_path, "def status(c, r): pass") as served,
        pytest.raises(LookupError, match="on_websocket"),
        open_socket(served.app, "/stream"),
    ):
        pass


def test_startup_functions_run_first_and_once(served: Served):
    for _ in range(2):
        with open_socket(served.app, "/echo"):
            assert function_of(served.app).module.started == [None]


def test_a_startup_function_that_fails_is_the_tests_error(tmp_path: Path):
    source = """
    def setup(runtime):
        runtime.on_startup(lambda: 1 / 0)
        runtime.on_websocket("/s", lambda ws, request: None, protected=False)
    """
    with (
        serving(tmp_path, source) as served,
        pytest.raises(StartupError, match="ZeroDivisionError"),
        open_socket(served.app, "/s"),
    ):
        pass


def test_functions_in_a_host_app_are_found_by_their_prefix(tmp_path: Path):
    host = Flask("host")
    for name in ("a", "b"):
        source = f"""
        def setup(runtime):
            runtime.on_websocket("/s", lambda ws, request: ws.send("{name} " + request.path), protected=False)
        """
        folder = write_function(tmp_path / name, textwrap.dedent(source))
        SinchFunctions(folder, config={"SINCHFN_ENV": "development"}).init_app(host, f"/{name}")
    for name in ("a", "b"):
        with open_socket(host, f"/{name}/s") as peer:
            assert peer.receive(timeout=5) == f"{name} /s"
    with pytest.raises(LookupError, match="/a/s, /b/s"), open_socket(host, "/s"):
        pass


# --- a real server --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with gunicorn(
        tmp_path_factory.mktemp("server") / "fn", SOURCE, WEBHOOK_PROTECTION="never", **STREAM_SECRET
    ) as running:
        yield running


@pytest.fixture(scope="module")
def twin(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The same function, in this process: what signs the URLs."""
    folder = tmp_path_factory.mktemp("twin") / "fn"
    shutil.copytree(server.folder, folder, ignore=shutil.ignore_patterns("data", "storage", "server.log"))
    return create_app(folder, config={"WEBHOOK_PROTECTION": "never", **STREAM_SECRET})


def url_of(twin: Flask, server: Server, path: str, **options: Any) -> str:
    return stream_url(twin, path, base=f"http://127.0.0.1:{server.port}", **options)


def open_url(server: Server, path: str) -> str:
    return f"ws://127.0.0.1:{server.port}{path}"


def test_a_client_talks_to_a_real_server_and_leaves_nothing_behind(server: Server, twin: Flask):
    url = url_of(twin, server, "/echo")
    with nothing_left(files=True):
        with SocketClient.connect(url) as ws:
            for message in ("hello", "grüß 😀", b"\x00" * 200, "x" * 100_000, b""):
                ws.send(message)
                assert ws.receive(timeout=10) == message
            assert ws.receive(timeout=0) is None
        assert ws.close_code == 1000
        with pytest.raises(ConnectionClosed):
            ws.send("more")


def test_a_client_with_callbacks(server: Server, twin: Flask):
    url = url_of(twin, server, "/callbacks")
    with nothing_left(files=True):
        seen: list[Any] = []
        with SocketClient.connect(url) as ws:
            ws.on_close(lambda code: seen.append(code))
            ws.on_message(seen.append)
            ws.send("hello")
            ws.call_later(0.05, lambda: ws.send("timer"))
            until(lambda: len(seen) == 2)
        assert seen == ["HELLO", "TIMER", 1000]


def test_a_client_may_close_in_its_callback(server: Server, twin: Flask):
    ws = SocketClient.connect(url_of(twin, server, "/echo"))
    closed = threading.Event()
    ws.on_close(lambda: (ws.close(), closed.set()))
    ws.on_message(lambda data: ws.close(4001))
    ws.send("x")
    assert closed.wait(10)
    ws.close()
    assert ws.close_code == 4001


def test_a_client_whose_callback_fails_keeps_the_exception(server: Server, twin: Flask):
    with SocketClient.connect(url_of(twin, server, "/echo")) as ws:
        ws.on_message(int)
        ws.send("no number")
        until(lambda: ws.close_code == 1011)
    assert isinstance(ws.failed_with, ValueError)


def test_a_server_that_closes_says_why(server: Server, twin: Flask):
    with nothing_left(files=True), SocketClient.connect(url_of(twin, server, "/says")) as ws:
        assert list(ws) == ["one"]
        assert (ws.close_code, ws.close_reason) == (4005, "that was all")


def test_a_handler_that_fails_on_a_real_server_closes_with_1011(server: Server):
    with SocketClient.connect(open_url(server, "/fails")) as ws:
        ws.send("x")
        with pytest.raises(ConnectionClosed) as caught:
            ws.receive(timeout=10)
    assert caught.value.code == 1011


def test_the_url_tells_the_call_and_lets_in_once(server: Server, twin: Flask):
    url = url_of(twin, server, "/rooms/1/a%20b?q=x", call_id="call-5")
    assert url.startswith("ws://127.0.0.1:")
    assert "?q=x&token=" in url
    with SocketClient.connect(url, headers={"X-Who": "me", "X-Request-ID": "mine-1"}) as ws:
        found = json.loads(ws.receive(timeout=10) or "")
    assert found[:6] == [2, "a b", "/rooms/1/a b", {"q": "x"}, "me", "call-5"]
    with pytest.raises(HandshakeRefused, match="403"):
        SocketClient.connect(url)
    assert server.record_of("mine-1")["call_id"] == "call-5"


def test_refused_handshakes_say_status_and_sentence(server: Server, twin: Flask):
    with nothing_left(files=True):
        with pytest.raises(HandshakeRefused, match=r"404.*no handler for GET /nothing") as caught:
            SocketClient.connect(open_url(server, "/nothing"))
        assert caught.value.status == 404
        assert "rooms" not in caught.value.json["handlers"]
        assert caught.value.headers["content-type"] == "application/json"
        assert b"nothing" in caught.value.body
        with pytest.raises(HandshakeRefused, match="403") as caught:
            SocketClient.connect(open_url(server, "/echo"))
        assert caught.value.json["requestId"]
        with pytest.raises(HandshakeRefused, match=r"403.*origin") as caught:
            SocketClient.connect(open_url(server, "/fails"), origin="https://elsewhere.example")
        with pytest.raises(HandshakeRefused, match="426") as caught:
            SocketClient.connect(open_url(server, "/fails"), headers={"Upgrade": None})
        assert caught.value.headers["Upgrade"] == "websocket"
        with pytest.raises(HandshakeRefused, match=r"426.*Version") as caught:
            SocketClient.connect(open_url(server, "/fails"), headers={"sec-websocket-version": "8"})
        assert caught.value.headers["Sec-WebSocket-Version"] == "13"


def test_a_url_is_checked_before_anything_is_sent():
    for url in ("http://127.0.0.1/x", "/x", "ws:///x"):
        with pytest.raises(ValueError, match="ws://host/path"):
            SocketClient.connect(url)
    with pytest.raises(ValueError, match="line break"):
        SocketClient.connect("ws://127.0.0.1:1/x", headers={"X": "a\r\nb"})


def test_a_server_that_is_not_there():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        SocketClient.connect(f"ws://127.0.0.1:{port}/x")


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that answers the first request so, whatever it is, and then waits for the end."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(answer.replace(b"{accept}", accept_of(self.headers["Sec-WebSocket-Key"])))
            self.rfile.read()

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"ws://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def accept_of(key: str) -> bytes:
    return base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())


UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def test_an_answer_that_does_not_fit_the_key_is_no_socket():
    for accept in (b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", b""):
        with answering(UPGRADED + accept + b"\r\n") as url, pytest.raises(HandshakeRefused, match="Accept") as caught:
            SocketClient.connect(url)
        assert caught.value.status == 101


def test_frames_that_come_right_behind_the_answer_are_not_lost():
    frames = b"\x81\x02hi" + b"\x82\x01\x00" + b"\x88\x02\x03\xe9"
    with (
        answering(UPGRADED + b"Sec-WebSocket-Accept: {accept}\r\n\r\n" + frames) as url,
        SocketClient.connect(url) as ws,
    ):
        assert list(ws) == ["hi", b"\x00"]
        assert ws.close_code == 1001


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b""])
def test_what_is_no_http_is_an_error_of_the_connection(answer: bytes):
    with answering(answer) as url, pytest.raises((ConnectionError, TimeoutError)):
        SocketClient.connect(url, timeout=0.3)


def test_over_tls(tmp_path: Path):
    pem = certificate(tmp_path / "server.pem")
    (tmp_path / "fn").mkdir()
    folder = write_function(tmp_path / "fn", SOURCE)
    context = ssl.create_default_context(cafile=str(pem))
    options = f"--certfile={pem} --keyfile={pem}"
    with nothing_left(files=True), tls_server(folder, options) as port:
        with SocketClient.connect(f"wss://localhost:{port}/fails", tls=context) as ws:
            ws.send("it")
            assert list(ws) == []
            assert ws.close_code == 1011
        twin = create_app(folder, config={"WEBHOOK_PROTECTION": "never", **STREAM_SECRET})
        url = stream_url(twin, "/callbacks", base=f"https://localhost:{port}")
        assert url.startswith("wss://")
        seen: list[Any] = []
        with SocketClient.connect(url, tls=context) as ws:
            ws.on_message(seen.append)
            ws.send("hello")
            until(lambda: seen == ["HELLO"])


def certificate(file: Path) -> Path:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(file), "-out", str(file.with_suffix(".crt"))]
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    subprocess.run(command, check=True, capture_output=True)
    with file.open("ab") as target:
        target.write(file.with_suffix(".crt").read_bytes())
    return file


@contextmanager
def tls_server(folder: Path, options: str) -> Iterator[int]:
    with launched(folder, WEBHOOK_PROTECTION="never", GUNICORN_CMD_ARGS=options, **STREAM_SECRET) as server:
        yield server.listening().port


# --- URLs -----------------------------------------------------------------------------------------------------------


def test_a_url_without_a_base_begins_with_the_path(served: Served):
    assert stream_url(served.app, "/echo").startswith("/echo?token=")


def test_without_a_secret_there_is_no_token(tmp_path: Path):
    source = "def setup(runtime): runtime.on_websocket('/s', lambda ws, request: None, protected=False)"
    with serving(tmp_path, source) as served:
        assert stream_url(served.app, "/s", base="http://127.0.0.1:1/") == "ws://127.0.0.1:1/s"


# --- the platform's side of a stream --------------------------------------------------------------------------------

#: 105 ms at 16 kHz: five whole frames, and one that is not.
PCM = bytes(range(240)) * 14


def play(caller: StreamCaller, **options: Any) -> None:
    caller.connect(headers={"who": "me"}, **options)
    assert caller.answered() == "answer"
    caller.say(PCM, realtime=False)
    assert caller.hear(0.1) == PCM[:3200]
    caller.say(b"!" + bytes(639), realtime=False)
    caller.wait_for("heartbeat")
    assert caller.hear(0.025) == PCM[3200:] + b"!" + bytes(639)
    assert caller.heard == PCM + b"!" + bytes(639)
    assert caller.commands == ["clear", "heartbeat"]
    caller.hang_up()


def test_a_caller_over_memory(served: Served):
    with open_socket(served.app, "/stream", call_id="call-7") as peer:
        play(StreamCaller(peer))
    assert cached(served, "sizes") == [640, 640, 640, 640, 640, 160, 640]
    assert cached(served, "connect") == {
        "command": "connect",
        "version": 1,
        "callId": "call-7",
        "applicationKey": "00000000-0000-0000-0000-000000000000",
        "codec": "PCM",
        "sampleRate": 16000,
        "callHeaders": {"who": "me"},
    }


def test_a_caller_over_a_real_server(server: Server, twin: Flask):
    with nothing_left(files=True), SocketClient.connect(url_of(twin, server, "/stream", call_id="c")) as ws:
        play(StreamCaller(ws), call_id="c")


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
def test_audio_is_said_in_real_time_in_frames_of_20_ms(served: Served, rate: int):
    with open_socket(served.app, "/stream") as peer:
        caller = StreamCaller(peer)
        caller.connect(sample_rate=rate)
        caller.answered()
        began = time.monotonic()
        caller.say(bytes(rate // 25 * 10))
        assert 0.19 < time.monotonic() - began < 2
        assert caller.hear(0.2) == bytes(rate // 25 * 10)
    assert cached(served, "sizes") == [rate // 25] * 10


@pytest.mark.parametrize("answer", ["busy", "reject"])
def test_a_call_that_is_not_taken(served: Served, answer: str):
    with open_socket(served.app, "/stream") as peer:
        caller = StreamCaller(peer)
        caller.connect(headers={"how": answer})
        assert caller.answered() == answer
        assert not peer.is_open


def test_a_caller_notes_what_the_platform_would_not_take(served: Served):
    with open_socket(served.app, "/stream") as peer:
        caller = StreamCaller(peer)
        caller.connect(headers={"how": "early"})
        with pytest.raises(AssertionError, match="before it answered"):
            caller.answered()
    ws, peer = memory_sockets()
    for text in ("hello", "[]", "{}"):
        ws.send(text)
        with pytest.raises(AssertionError, match="not a command"):
            StreamCaller(peer).answered()
    with pytest.raises(ValueError, match="16000"):
        StreamCaller(peer).connect(sample_rate=11_025)


def test_a_caller_does_not_wait_for_ever(served: Served):
    with open_socket(served.app, "/stream") as peer:
        caller = StreamCaller(peer)
        caller.connect(headers={"how": "silent"})
        with pytest.raises(AssertionError, match=r"within 0\.1 s"):
            caller.answered(timeout=0.1)
    with open_socket(served.app, "/stream") as peer:
        caller = StreamCaller(peer)
        caller.connect()
        caller.answered()
        caller.say(bytes(640), realtime=False)
        with pytest.raises(AssertionError, match=r"Only 0\.02 s of 1 s of audio came"):
            caller.hear(1, timeout=0.2)
        with pytest.raises(AssertionError, match=r"did not send clear .*; it sent nothing"):
            caller.wait_for("clear", timeout=0.1)


def test_a_whole_stream_in_one_thread():
    def handler(ws: Any, request: Any) -> None:
        ws.receive()
        ws.send('{"command":"answer"}')
        for pcm in ws:
            ws.send(pcm[::-1])

    ws, peer = memory_sockets()
    caller = StreamCaller(peer)
    caller.connect()
    caller.say(b"ab" * 320, realtime=False)
    caller.hang_up()
    handler(ws, None)
    assert caller.answered() == "answer"
    assert caller.hear(0.02) == b"ba" * 320
    with pytest.raises(ConnectionClosed):
        caller.hear(0.02)


# --- the package ----------------------------------------------------------------------------------------------------


def test_it_is_not_imported_unless_it_is_asked_for():
    code = "import sinchfn, sys; print([name for name in sys.modules if name.startswith('sinchfn.testing')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
