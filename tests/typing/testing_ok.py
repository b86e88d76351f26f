"""What a type checker must see in the tools for tests. Only type-checked."""

from __future__ import annotations

from typing import Any, assert_type

from flask import Flask
from werkzeug.datastructures import Headers

from sinchfn import WebSocket
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


def handler(ws: WebSocket, request: object) -> None:
    for message in ws:
        ws.send(message)


def in_memory() -> None:
    ws, peer = memory_sockets(context={"any": "thing"}, call_id="c")
    assert_type(ws, MemorySocket)
    handler(ws, None)
    assert_type(peer.receive(timeout=1), str | bytes | None)
    assert_type(list(peer), list[str | bytes])
    assert_type(ws.failed_with, BaseException | None)
    peer.settle(1)
    peer.drop()


def of_an_app(app: Flask) -> None:
    with open_socket(app, "/s", call_id="c", headers={"X": "y"}, query={"a": "b"}, timeout=1) as peer:
        assert_type(peer, MemorySocket)
    with open_socket(app, "/s", query="a=b") as peer:
        StreamCaller(peer).connect()


def of_a_server(app: Flask) -> None:
    try:
        with SocketClient.connect(
            stream_url(app, "/s", base="http://h"), headers={"X": None}, origin="https://o"
        ) as ws:
            assert_type(ws, SocketClient)
            ws.send(b"")
            caller = StreamCaller(ws)
    except HandshakeRefused as error:
        assert_type(error.status, int)
        assert_type(error.headers, Headers)
        assert_type(error.body, bytes)
        assert_type(error.json, Any)
    except ConnectionClosed as error:
        assert_type(error.code, int)
    else:
        assert_type(caller.answered(), str)
        assert_type(caller.hear(0.1), bytes)
        assert_type(caller.heard, bytes)
        assert_type(caller.commands, list[str])
