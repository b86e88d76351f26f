"""The connection under a socket, which is taken over from the server that accepted it."""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from typing import Any

#: Largest number of bytes in one read.
CHUNK = 16_384

#: Seconds after which a waiting read returns, so that its caller can check whether the socket was closed.
WAKE = 0.5

#: Keys of the environ that hold the connection: of gunicorn, and of Werkzeug's server.
PLACES = ("gunicorn.socket", "werkzeug.socket")

_NOW: int = getattr(socket, "MSG_DONTWAIT", 0)
_TIMED_OUT = (BlockingIOError, InterruptedError, TimeoutError)


class Transport:
    """A connection that is read by one thread at a time and written by any.

    This class is for a plain TCP or Unix connection that the server has given up.
    """

    #: True if the event loop can poll the connection, so that the server's thread is free
    is_pollable = True

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        with suppress(OSError):  # a Unix socket does not have this option
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seconds, rest = divmod(WAKE, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(seconds), int(rest * 1e6)))
        self._socket = connection
        self._recv = connection.recv
        self._send = connection.send

    def fileno(self) -> int:
        """Return the file descriptor; -1 once it is closed."""
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """Return received data; None if there was none within ``WAKE`` seconds, ``b""`` at the end.

        :raises OSError: the connection broke.
        """
        try:
            return self._recv(CHUNK)
        except _TIMED_OUT:
            return None

    def read_now(self) -> bytes | None:
        """Like :meth:`read`, without waiting."""
        try:
            return self._recv(CHUNK, _NOW)
        except _TIMED_OUT:
            return None

    def write(self, data: bytes | memoryview) -> int:
        """Send as much as possible without waiting. Return the number of bytes.

        :raises OSError: the connection broke.
        """
        try:
            return self._send(data, _NOW)
        except _TIMED_OUT:
            return 0

    def is_readable(self, seconds: float) -> bool:
        """Return True if data, or the end of the stream, can be read within `seconds`."""
        return self._ready(select.POLLIN, seconds)

    def is_writable(self, seconds: float) -> bool:
        """Return True if data can be written within `seconds`."""
        return self._ready(select.POLLOUT, seconds)

    def _ready(self, events: int, seconds: float) -> bool:
        poll = select.poll()
        with suppress(OSError, ValueError):
            poll.register(self._socket.fileno(), events)
            return bool(poll.poll(max(0.0, seconds) * 1000))
        return True  # it is closed, which reading or writing will report

    def end_reading(self) -> None:
        """Stop reading from the peer, and wake a thread that waits in a read."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    def end_writing(self) -> None:
        """Tell the peer that no more data follows."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """End both directions at once, and wake a thread that waits in a read. :meth:`close` still has to be called."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection. May be called twice."""
        self._socket.close()


class HeldTransport(Transport):
    """A connection that the server keeps: the thread or greenlet of its request waits until the socket has ended.

    Used with TLS in the server itself, and under gevent. It never blocks in a system call, so it works with both.
    """

    is_pollable = False

    def __init__(self, connection: Any) -> None:
        # gevent's own methods wait, and would hold the lock of a writer meanwhile.
        self._raw = getattr(connection, "_sock", connection)
        self._lock = threading.Lock()
        connection.setblocking(False)
        self._socket = connection

    def read(self) -> bytes | None:
        if (data := self.read_now()) is not None:
            time.sleep(0)  # lets other greenlets run if the peer always has data
            return data
        deadline = time.monotonic() + WAKE
        while (data := self.read_now()) is None and (left := deadline - time.monotonic()) > 0:
            self.is_readable(left)
        return data

    def read_now(self) -> bytes | None:
        with self._lock:  # OpenSSL does not allow two threads in one connection at once
            try:
                return bytes(self._raw.recv(CHUNK))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, *_TIMED_OUT):
                return None

    def write(self, data: bytes | memoryview) -> int:
        with self._lock:
            try:
                return int(self._raw.send(data))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, *_TIMED_OUT):
                return 0

    def is_readable(self, seconds: float) -> bool:
        pending = getattr(self._raw, "pending", None)
        return bool(pending and pending()) or super().is_readable(seconds)

    def close(self) -> None:
        """End both directions. The server closes the connection after the request."""
        self.abort()


def take_over(environ: dict[str, Any]) -> Transport | None:
    """Return the connection of a request; None if the server gives no access to it.

    A plain connection is taken away from the server for good: the server's descriptor is redirected to a closed pair of
    sockets. What the server still writes, such as the end of a response, never reaches the peer. Its thread is free.
    """
    connection = next((environ[place] for place in PLACES if environ.get(place) is not None), None)
    if connection is None or not hasattr(select, "poll") or not _NOW:
        return None
    if isinstance(connection, ssl.SSLSocket) or type(connection).__module__.startswith("gevent"):
        return HeldTransport(connection)
    taken: socket.socket = connection.dup()
    nowhere, end = socket.socketpair()
    with nowhere, end:
        os.dup2(nowhere.fileno(), connection.fileno(), inheritable=False)
        # The server now reads the end of the stream, and its writes fail.
    return Transport(taken)
