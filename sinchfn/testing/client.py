"""SocketClient: a WebSocket to a real server."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from types import TracebackType
from typing import Any, BinaryIO, cast
from urllib.parse import SplitResult, urlsplit

from werkzeug.datastructures import Headers

from ..errors import SinchfnError
from ..sockets import Carrier, Connection, Transport
from ..sockets.connection import CLOSE_PATIENCE
from ..sockets.frames import NORMAL
from ..sockets.handshake import accept_of
from ..sockets.transports import HeldTransport
from ..sockets.websocket import OnMessage

#: Largest message that is taken, in bytes.
LIMIT = 64 << 20

#: Seconds of silence until the server is asked for a sign of life.
PING = 20.0


class HandshakeRefused(SinchfnError, ConnectionError):  # noqa: N818 - it is what the server did, not a fault of ours
    """The server did not open the socket. The message has the status, and what the server says about it."""

    def __init__(self, status: int, headers: Headers, body: bytes, sentence: str = "") -> None:
        #: HTTP status of its answer
        self.status = status
        self.headers = headers
        self.body = body
        super().__init__(f"The server did not open the socket: {status}. {sentence or self._sentence()}".rstrip())

    @property
    def json(self) -> Any:
        """The value of a JSON body; None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def _sentence(self) -> str:
        value = self.json
        if isinstance(value, dict) and isinstance(value.get("error"), str):
            return str(value["error"])
        return self.body.decode("utf-8", "replace")[:200]


class SocketClient(Connection):
    """The client's end of a WebSocket; made by :meth:`connect`, and closed at the end of a ``with``::

        with SocketClient.connect("ws://127.0.0.1:8000/echo") as ws:
            ws.send("hello")
            assert ws.receive(timeout=1) == "hello"

    It has the interface of :class:`~sinchfn.WebSocket`, with two differences: `close` waits for the server, a few
    seconds at most, so that no thread and no connection is left after it; and where ``on_message`` is used, messages
    come at once: register ``on_close`` and ``on_error`` before.
    """

    def __init__(self, connection: socket.socket) -> None:
        is_plain = not isinstance(connection, ssl.SSLSocket)
        transport = Transport(connection) if is_plain else HeldTransport(connection)
        super().__init__(transport, Carrier(), limit=LIMIT, ping=PING, is_client=True)
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
        :param headers: of the handshake, besides those that it needs. One of these can be given another value, or None
            to leave it out: to see what becomes of a wrong handshake.
        :param origin: the page that a browser would name.
        :param timeout: seconds to connect, and to be answered.
        :param tls: for ``wss://``; default: what the system trusts.
        :raises HandshakeRefused: the server answered something else, or wrongly.
        :raises OSError: it cannot be reached, or does not answer.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError(f"The URL of a socket is ws://host/path or wss://host/path; found {url!r:.200}.")
        key = base64.b64encode(os.urandom(16)).decode()
        request = _request(parts, key, {"Origin": origin, **(headers or {})})
        connection = _connection(parts, timeout, tls)
        try:
            connection.sendall(request)
            ahead = _opened(connection, key)
            client = cls(connection)
        except BaseException:
            connection.close()
            raise
        client._begin(ahead)
        return client

    def _begin(self, ahead: bytes) -> None:
        """:param ahead: what came right behind the answer."""
        for message in self._feed(ahead):
            self._take(message)
        self._carrier.know(self)

    def on_message(self, function: OnMessage) -> OnMessage:
        is_first = not self.has_callbacks
        super().on_message(function)
        if is_first:
            self.bind()
            if self.transport.can_be_carried:
                self.carry(self._end)
            else:
                threading.Thread(target=self._serve, name="sinchfn-socket-client", daemon=True).start()
        return function

    def _serve(self) -> None:
        self.serve()
        self._end()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the socket, and wait for the server to close its side. Doing it twice is fine.

        In a callback it does not wait.

        :param code: 1000-1003, 1007-1014 or 3000-4999.
        :param reason: at most 123 bytes of it go out.
        :raises ValueError: no close frame may carry this code.
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
            self.tell_closed()
        finally:
            self.hang_up()
            self._own.close()
            self._carrier.end()
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
        raise ValueError("A header has a line break in it.")
    return "\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def _connection(parts: SplitResult, timeout: float, tls: ssl.SSLContext | None) -> socket.socket:
    is_tls = parts.scheme == "wss"
    connection = socket.create_connection((cast("str", parts.hostname), parts.port or (443 if is_tls else 80)), timeout)
    if not is_tls:
        return connection
    try:
        return (tls or ssl.create_default_context()).wrap_socket(connection, server_hostname=parts.hostname)
    except BaseException:
        connection.close()
        raise


def _opened(connection: socket.socket, key: str) -> bytes:
    """What came right behind the answer that opens the socket.

    :raises HandshakeRefused: it is another answer.
    """
    response = HTTPResponse(connection, method="GET")
    try:
        response.begin()
        headers = Headers(response.getheaders())
        if response.status != 101:
            raise HandshakeRefused(response.status, headers, _body(response))
        if headers.get("Sec-WebSocket-Accept") != accept_of(key):
            raise HandshakeRefused(101, headers, b"", "Its Sec-WebSocket-Accept is not the one for our key.")
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
        return cast("bytes", file.peek())  # type: ignore[attr-defined]  # of a BufferedReader, as it is one
    return b""
