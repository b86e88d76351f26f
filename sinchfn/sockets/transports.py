"""The connection under a socket: taken out of the hands of the server that accepted it."""

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

#: Most bytes that one read gives.
CHUNK = 16_384

#: Seconds after which a read that waits for data looks up, to see whether the socket was closed meanwhile.
WAKE = 0.5

#: Where the servers keep the connection of a request: gunicorn, and Werkzeug's own.
PLACES = ("gunicorn.socket", "werkzeug.socket")

_NOW: int = getattr(socket, "MSG_DONTWAIT", 0)
_TIMED_OUT = (BlockingIOError, InterruptedError, TimeoutError)


class Transport:
    """A connection that is read by one thread at a time, and written by any.

    This is the plain one: a TCP (or Unix) connection that no server knows any more.
    """

    #: whether one thread may wait for many of them at once, and whether the server's thread is free meanwhile
    can_be_carried = True

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        with suppress(OSError):  # a Unix socket has no such option
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seconds, rest = divmod(WAKE, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(seconds), int(rest * 1e6)))
        self._socket = connection
        self._recv = connection.recv
        self._send = connection.send

    def fileno(self) -> int:
        """Its file descriptor; -1 once it is closed."""
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """What has come, waiting for it at most `WAKE` seconds; None if there was nothing, b"" at the end.

        :raises OSError: the connection broke.
        """
        try:
            return self._recv(CHUNK)
        except _TIMED_OUT:
            return None

    def read_now(self) -> bytes | None:
        """The same, without waiting."""
        try:
            return self._recv(CHUNK, _NOW)
        except _TIMED_OUT:
            return None

    def write(self, data: bytes | memoryview) -> int:
        """Send what can be sent without waiting; how many bytes that were.

        :raises OSError: the connection broke.
        """
        try:
            return self._send(data, _NOW)
        except _TIMED_OUT:
            return 0

    def is_readable(self, seconds: float) -> bool:
        """Whether there is something to read, or the end, within so many seconds."""
        return self._ready(select.POLLIN, seconds)

    def is_writable(self, seconds: float) -> bool:
        """Whether something can be written within so many seconds."""
        return self._ready(select.POLLOUT, seconds)

    def _ready(self, events: int, seconds: float) -> bool:
        poll = select.poll()
        with suppress(OSError, ValueError):
            poll.register(self._socket.fileno(), events)
            return bool(poll.poll(max(0.0, seconds) * 1000))
        return True  # closed: to read or write it will tell

    def end_reading(self) -> None:
        """Take nothing more from the peer; whoever waits in a read is woken."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    def end_writing(self) -> None:
        """Tell the peer that nothing more comes."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """End both directions at once; whoever waits in a read is woken. It still has to be closed."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give it up. Doing it twice is fine."""
        self._socket.close()


class HeldTransport(Transport):
    """A connection that stays the server's: the thread, or greenlet, of its request waits until it is done with.

    Under TLS that the server itself ends, and under gevent. It never blocks in the system, so that it works for both.
    """

    can_be_carried = False

    def __init__(self, connection: Any) -> None:
        # Not its methods: those of gevent wait by themselves, and would hold the lock of whoever writes meanwhile.
        self._raw = getattr(connection, "_sock", connection)
        self._lock = threading.Lock()
        connection.setblocking(False)
        self._socket = connection

    def read(self) -> bytes | None:
        if (data := self.read_now()) is not None:
            time.sleep(0)  # a peer that never lets us wait must not keep other greenlets from their turn
            return data
        deadline = time.monotonic() + WAKE
        while (data := self.read_now()) is None and (left := deadline - time.monotonic()) > 0:
            self.is_readable(left)
        return data

    def read_now(self) -> bytes | None:
        with self._lock:  # of OpenSSL two threads may not be in one connection at once
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
        """Nothing: the server closes it, when its request is done with."""
        self.abort()


def take_over(environ: dict[str, Any]) -> Transport | None:
    """The connection of a request; None if the server gives no access to it.

    A plain one is taken away from the server for good: its descriptor there is made to lead nowhere, so that whatever
    the server still writes, an error page or the end of an answer, never reaches the peer, and its thread is free.
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
        # What reads there now sees the end, and what writes there is told that nobody listens.
    return Transport(taken)
