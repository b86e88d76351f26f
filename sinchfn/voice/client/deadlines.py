"""HTTP connections that give a whole answer so many seconds, where urllib3 gives them to each packet of it."""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class _Reader(io.RawIOBase):
    """Reads a socket until the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()  # the socket counts its readers: it is closed with the last of them
        super().close()


class _Answer(HTTPResponse):
    """An answer whose head and body together may take what the socket's timeout is when it begins."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        seconds = sock.gettimeout()
        if seconds is not None:
            self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, time.monotonic() + seconds))


class _TimedConnection(HTTPConnection):
    response_class = _Answer


class _TimedTlsConnection(HTTPSConnection):
    response_class = _Answer


# urllib3 types the attribute by a protocol that, as basedpyright reads it, its own two classes do not fulfil.


class TimedPool(urllib3.HTTPConnectionPool):
    """Connections to a host, in plain text."""

    ConnectionCls = _TimedConnection  # pyright: ignore[reportAssignmentType]


class TimedTlsPool(urllib3.HTTPSConnectionPool):
    """Connections to a host, by TLS. urllib3 checks the certificate unless it is told not to."""

    ConnectionCls = _TimedTlsConnection  # pyright: ignore[reportAssignmentType]
