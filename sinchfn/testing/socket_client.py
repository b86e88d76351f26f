"""SocketClient: a WebSocket to a real server."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from types import TracebackType
from typing import BinaryIO, cast
from urllib.parse import SplitResult, urlsplit

from werkzeug.datastructures import Headers

from ..errors import HandshakeRefused
from ..websockets.connection import CLOSE_PATIENCE, Connection
from ..websockets.event_loop import EventLoop
from ..websockets.frames import NORMAL
from ..websockets.handshake import accept_of
from ..websockets.transports import HeldTransport, Transport
from ..websockets.websocket import OnMessage

#: Largest message that may be received, in bytes.
LIMIT = 64 << 20

#: Seconds of silence after which the server is pinged.
PING = 20.0


class SocketClient(Connection):
    """The client's end of a WebSocket, made by :meth:`connect` and closed at the end of a ``with``::

        with SocketClient.connect("ws://127.0.0.1:8000/echo") as ws:
            ws.send("hello")
            assert ws.receive(timeout=1) == "hello"

    It has the interface of :class:`~sinchfn.WebSocket`, with two differences. `close` waits for the server, for a few
    seconds at most, so that it leaves no thread and no connection. With ``on_message`` messages come at once, so
    register ``on_close`` and ``on_error`` before.
    """

    def __init__(self, connection: socket.socket) -> None:
        is_plain = not isinstance(connection, ssl.SSLSocket)
        transport = Transport(connection) if is_plain else HeldTransport(connection)
        super().__init__(transport, EventLoop("sinchfn-socket-client"), limit=LIMIT, ping=PING, is_client=True)
        self._own = connection
        self._ending = threading.Lock()
        self._ender: threading.Thread | None = None
        self._is_gone = threading.Event()

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        headers: Mapping[str, str | None] | None = None,
        origin: str | None = None,
        timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
    ) -> SocketClient:
        """Open a socket.

        :param url: ``ws://`` or ``wss://``.
        :param headers: further headers of the handshake. To test an invalid handshake, give a header that it needs
            another value, or None to leave it out.
        :param origin: the origin that a browser would send.
        :param timeout: seconds to connect and to wait for the answer.
        :param tls: for ``wss://``. By default the system's certificates are trusted.
        :raises HandshakeRefused: the server refused the handshake, or answered it wrongly.
        :raises OSError: the server cannot be reached, or does not answer.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"The URL of a socket is ws://host/path or wss://host/path; found {url!r:.200}.")
        key = base64.b64encode(os.urandom(16)).decode()
        request = _request(parts, key, {"Origin": origin, **(headers or {})})
        server: HTTPConnection = (
            HTTPConnection(parts.hostname, parts.port, timeout=timeout)
            if parts.scheme == "ws"
            else HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=tls)
        )
        with ExitStack() as undo:
            undo.callback(server.close)
            server.connect()
            connection: socket.socket = server.sock
            connection.sendall(request)
            ahead = _opened(connection, key)
            client = cls(connection)
            undo.pop_all()
        for message in client._feed(ahead):
            client._take(message)
        client._loop.add(client)
        return client

    def on_message(self, function: OnMessage) -> OnMessage:
        is_first = not self.has_callbacks
        super().on_message(function)
        if is_first:
            self.bind()
            if self.transport.is_pollable:
                self.hand_to_loop(self._end)
            else:
                threading.Thread(target=self._serve, name="sinchfn-socket-client", daemon=True).start()
        return function

    def _serve(self) -> None:
        self.serve()
        self._end()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the socket, and wait for the server to close its side, except in a callback. May be called twice.

        :param code: 1000-1003, 1007-1014 or 3000-4999.
        :param reason: at most 123 bytes of it are sent.
        :raises ValueError: a close frame cannot carry this code.
        """
        super().close(code, reason)
        if not self.may_wait or self._is_inside or self._ender is threading.current_thread():
            return
        if self.has_callbacks:
            self._is_gone.wait(4 * CLOSE_PATIENCE)
            if self._ender is not None:
                self._ender.join(CLOSE_PATIENCE)
        else:
            self._end()

    def _end(self) -> None:
        with self._ending:
            if self._ender is None:
                self._ender = threading.current_thread()
        if self._ender is not threading.current_thread():
            self._is_gone.wait(4 * CLOSE_PATIENCE)
            return
        try:
            self.finish()
            self.call_on_close()
        finally:
            self.hang_up()
            self._own.close()
            self._loop.end()
            self._is_gone.set()

    def __enter__(self) -> SocketClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _request(parts: SplitResult, key: str, others: Mapping[str, str | None]) -> bytes:
    headers = {
        "host": ("Host", parts.netloc.rpartition("@")[2]),
        "upgrade": ("Upgrade", "websocket"),
        "connection": ("Connection", "Upgrade"),
        "sec-websocket-key": ("Sec-WebSocket-Key", key),
        "sec-websocket-version": ("Sec-WebSocket-Version", "13"),
    }
    every = headers | {name.lower(): (name, value) for name, value in others.items()}
    lines = [f"{name}: {value}" for name, value in every.values() if value is not None]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("A header must not contain a line break.")
    return "\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def _opened(connection: socket.socket, key: str) -> bytes:
    """Read the answer that opens the socket. Return data that came with it.

    :raises HandshakeRefused: the server answered differently.
    """
    response = HTTPResponse(connection, method="GET")
    try:
        response.begin()
        headers = Headers(response.getheaders())
        if response.status != 101:
            raise HandshakeRefused(response.status, headers, _body(response))
        if headers.get("Sec-WebSocket-Accept") != accept_of(key):
            raise HandshakeRefused(101, headers, b"", "Its Sec-WebSocket-Accept does not match the key.")
        return _read_ahead(connection, response.fp)
    except HTTPException as error:
        raise ConnectionError(f"The server did not answer in HTTP: {error!r}") from error
    finally:
        response.close()


def _body(response: HTTPResponse) -> bytes:
    try:
        return response.read()
    except HTTPException:
        return b""


def _read_ahead(connection: socket.socket, file: BinaryIO) -> bytes:
    connection.setblocking(False)
    with suppress(BlockingIOError, ssl.SSLWantReadError):
        return cast("bytes", file.peek())  # type: ignore[attr-defined]  # it is a BufferedReader
    return b""
