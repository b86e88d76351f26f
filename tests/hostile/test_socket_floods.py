"""Sockets of peers that send more than anybody wants: memory stays flat, and the others keep their turn."""

from __future__ import annotations

import itertools
import secrets
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sinchfn.websockets.connection import Connection
from sinchfn.websockets.event_loop import EventLoop
from sinchfn.websockets.frames import FrameReader
from sinchfn.websockets.transports import HeldTransport, Transport
from tests.harness.server import PATIENCE, Server, gunicorn, until
from tests.harness.socket_peer import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Peer,
    close_frame,
    fragments,
    frame,
    handshake,
    opened,
    status_of,
)
from tests.harness.sockets import ANYBODY, FUNCTION, MIB, STYLES, both_styles, memory, noted, record_of, worker_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with gunicorn(tmp_path_factory.mktemp("floods"), FUNCTION, THREADS="4", **ANYBODY) as server:
        yield server


# --- pings ------------------------------------------------------------------------------------------------------------


def flood(peer: Peer, data: bytes) -> None:
    """Send `data` again and again, and read nothing, until the server has had enough."""
    deadline = time.monotonic() + PATIENCE
    with suppress(ConnectionError):
        while time.monotonic() < deadline:
            peer.raw(data)
        raise AssertionError("it was never closed")


@both_styles
def test_a_peer_that_pings_and_reads_nothing_is_closed(server: Server, style: str) -> None:
    pid, key = worker_of(server), secrets.token_hex(8)
    status_of(server.port, f"/{style}/echo")
    before = memory(pid)
    with opened(server.port, f"/{style}/echo?key={key}", receive_buffer=4096) as peer:
        flood(peer, frame(PING, bytes(125)) * 1000)
        assert memory(pid) - before < 20 * MIB
    assert noted(server, key, "closed")[0] == 1008
    assert noted(server, key, "error") == ["ConnectionClosed", 1008]
    assert record_of(server, key)["stream"]["close_code"] == 1008


def test_a_busy_handler_is_not_flooded_either(server: Server) -> None:
    pid = worker_of(server)
    before = memory(pid)
    with opened(server.port, "/blocking/work") as busy, opened(server.port, "/callback/echo") as other:
        busy.send("sleep 4")
        busy.socket.settimeout(0.5)
        with suppress(TimeoutError, ConnectionError):
            for _ in range(200):
                busy.raw(frame(PING, b"x" * 125) * 1000)
                assert other.ask_for("x") == "x"
        assert memory(pid) - before < 20 * MIB


@contextmanager
def connected(held: bool = False) -> Iterator[tuple[EventLoop, socket.socket, Connection]]:
    """A connection on an event loop of its own, and its peer."""
    loop = EventLoop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(PATIENCE)
        yield loop, theirs, Connection((HeldTransport if held else Transport)(ours), loop, limit=MIB, ping=30)
        loop.end()


def test_of_many_pings_the_newest_is_answered_once_the_peer_reads() -> None:
    with connected() as (loop, theirs, connection):
        loop.add(connection)
        connection.on_message(lambda data: connection.send(bytes(900_000)))
        connection.hand_to_loop(lambda: None)
        theirs.sendall(frame(TEXT, b"more than the system takes") + frame(PING, b"0"))
        for number in range(1, 100):
            theirs.sendall(frame(PING, b"%d" % number))
        until(lambda: connection._pong is not None and connection._pong.endswith(b"99"))
        peer = Peer.__new__(Peer)
        peer.socket, peer._received = theirs, b""
        assert len(peer.frame().payload) == 900_000
        pong = peer.frame()
        assert (pong.opcode, pong.payload) == (PONG, b"99")
        theirs.sendall(frame(PING, b"and now"))
        assert peer.frame().payload == b"and now"


def test_pings_to_a_peer_that_reads_are_all_answered(server: Server) -> None:
    for style in STYLES:
        with opened(server.port, f"/{style}/echo") as peer:
            for number in range(2000):
                peer.raw(frame(PING, b"%d" % number))
                assert peer.frame().payload == b"%d" % number


# --- a fair share -----------------------------------------------------------------------------------------------------


def test_a_flood_of_frames_leaves_the_others_their_turn() -> None:
    count, heard = 2000, list[str]()
    is_written = threading.Event()

    def heard_by(name: str) -> Callable[[Any], None]:
        def hear(data: Any) -> None:
            is_written.wait(PATIENCE)
            heard.append(name)

        return hear

    loop = EventLoop()
    with ExitStack() as stack:
        peers = []
        for name in ("flood", "call"):
            ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
            connection = Connection(Transport(ours), loop, limit=MIB, ping=30)
            loop.add(connection)
            connection.on_message(heard_by(name))
            connection.hand_to_loop(lambda: None)
            peers.append(theirs)
        peers[0].sendall(frame(BINARY, b"") * count)  # nobody goes on before all of it is there
        peers[1].sendall(frame(BINARY, b"x" * 640))
        is_written.set()
        until(lambda: len(heard) == count + 1)
        assert heard.index("call") < 100
        loop.end()


def test_what_is_left_of_a_flood_when_the_handler_returns_is_handled(server: Server) -> None:
    with opened(server.port, "/late") as peer:
        peer.raw(b"".join(frame(TEXT, b"%d" % number) for number in range(500)))
        assert [peer.message() for _ in range(499)] == [str(number) for number in range(1, 500)]


@both_styles
def test_a_close_behind_a_flood_is_seen(server: Server, style: str) -> None:
    key = secrets.token_hex(8)
    with opened(server.port, f"/{style}/echo?key={key}") as peer:
        peer.raw(frame(TEXT, b"x") * 300 + close_frame(4000))
        assert peer.rest()[-1].closing[0] == 4000
    stream = record_of(server, key)["stream"]
    assert (stream["frames_in"], stream["close_code"]) == (300, 4000)


def test_messages_behind_each_other_are_received_within_a_time_limit() -> None:
    with connected() as (_, theirs, connection):
        theirs.sendall(frame(TEXT, b"x") * 100)
        assert [connection.receive(timeout=PATIENCE) for _ in range(100)] == ["x"] * 100
        assert connection.receive(timeout=0) is None


@both_styles
def test_a_flood_leaves_the_other_greenlets_their_turn(tmp_path: Path, style: str) -> None:
    pytest.importorskip("gevent")
    with (
        gunicorn(tmp_path, FUNCTION, GUNICORN_CMD_ARGS="-k gevent", **ANYBODY) as server,
        opened(server.port, f"/{style}/echo") as flooding,
        opened(server.port, "/callback/echo") as other,
    ):
        is_over = threading.Event()

        def send() -> None:
            while not is_over.is_set():
                with suppress(OSError):
                    flooding.raw(frame(PONG, b"") * 3000)  # which nobody answers, and so nothing slows down

        sender = threading.Thread(target=send)
        sender.start()
        try:
            for _ in range(20):
                assert other.ask_for("x") == "x"
            assert server.request("GET", "/pid")[0] == 200
        finally:
            is_over.set()
            flooding.give_up()
            sender.join()


# --- messages in pieces -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TEXT, BINARY])
@pytest.mark.parametrize("piece", [b"", b"x", b"xy"])
def test_a_message_in_any_number_of_pieces_takes_no_more_than_its_size(kind: int, piece: bytes) -> None:
    reader = FrameReader(MIB)
    reader.feed(frame(kind, b"", fin=False))
    part = frame(CONTINUATION, piece, fin=False) * 1000
    tracemalloc.start()
    try:
        for _ in range(100):
            assert reader.feed(part) == []
        assert tracemalloc.get_traced_memory()[1] < 2 * MIB
    finally:
        tracemalloc.stop()
    [(opcode, whole)] = reader.feed(frame(CONTINUATION, b"end"))
    assert (opcode, len(whole)) == (kind, 100_000 * len(piece) + 3)


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_pieces_are_put_together_in_order(kind: int) -> None:
    reader = FrameReader(MIB)
    text = "aé€😀" * 50
    parts = [bytes([byte]) for byte in text.encode()]
    found = list(itertools.chain.from_iterable(reader.feed(part) for part in fragments(kind, *parts)))
    assert found == [(kind, text if kind == TEXT else text.encode())]


def test_what_is_read_ahead_of_a_busy_handler_is_bounded_in_bytes(server: Server) -> None:
    pid = worker_of(server)
    before = memory(pid)
    with opened(server.port, "/blocking/work") as peer:
        peer.send("sleep 4")
        peer.socket.settimeout(1)
        with suppress(TimeoutError):
            for _ in range(60):
                peer.send(bytes(900_000))
        assert memory(pid) - before < 20 * MIB


def test_the_slots_of_flooding_peers_are_free_again(tmp_path: Path) -> None:
    with gunicorn(tmp_path, FUNCTION, SINCHFN_WS_MAX_SOCKETS="1", **ANYBODY) as server:
        for style in STYLES:
            with opened_in_time(server, f"/{style}/echo") as peer:
                flood(peer, frame(PING, bytes(125)) * 1000)


@contextmanager
def opened_in_time(server: Server, path: str) -> Iterator[Peer]:
    with Peer(server.port, receive_buffer=4096) as peer:
        until(lambda: peer.ask(handshake(path)).status == 101)
        yield peer
