"""The other end of a WebSocket, written from RFC 6455 and from nothing of ours: every byte can be controlled."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import Headers

from tests.harness.call import Answer
from tests.harness.server import PATIENCE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

#: Codes that an endpoint may put into a close frame (RFC 6455 section 7.4, and the registry).
SENDABLE = frozenset([*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)])

KEY = b"\x37\xfa\x21\x3d"


# --- frames -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that came from a server."""

    opcode: int
    payload: bytes
    fin: bool = True

    @property
    def closing(self) -> tuple[int, str]:
        """Code and reason of a close frame; 1005 without."""
        assert self.opcode == CLOSE, self
        if not self.payload:
            return 1005, ""
        return int.from_bytes(self.payload[:2], "big"), self.payload[2:].decode()


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    key: bytes | None = KEY,
    announced: int | None = None,
    form: int | None = None,
) -> bytes:
    """A frame, right or wrong.

    :param rsv: the three reserved bits.
    :param key: the mask; None: no mask.
    :param announced: the length that stands in the head, if it is another.
    :param form: 7, 16 or 64: bits in which the length is written, if not in the fewest.
    """
    size = len(payload) if announced is None else announced
    form = form or (7 if size < 126 else 16 if size < 1 << 16 else 64)
    bit = 0x80 if key is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if form == 7:
        head += bytes([bit | size])
    elif form == 16:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    if key is None:
        return head + payload
    return head + key + bytes(byte ^ key[place & 3] for place, byte in enumerate(payload))


def quick_frame(opcode: int, payload: bytes) -> bytes:
    """A right one, masked with zeros: for large payloads."""
    return frame(opcode, b"", key=b"\0\0\0\0", announced=len(payload)) + payload


def fragments(opcode: int, *parts: bytes) -> list[bytes]:
    """A message in so many frames."""
    last = len(parts) - 1
    return [frame(CONTINUATION if at else opcode, part, fin=at == last) for at, part in enumerate(parts)]


def close_frame(code: int | None = 1000, reason: bytes = b"") -> bytes:
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


# --- handshakes -------------------------------------------------------------------------------------------------------


class RefusedError(Exception):
    """The handshake opened no socket."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


def handshake(
    path: str,
    headers: dict[str, str | None] | None = None,
    *,
    method: str = "GET",
    version: str = "HTTP/1.1",
    key: str = "dGhlIHNhbXBsZSBub25jZQ==",
    body: bytes = b"",
) -> bytes:
    """The bytes of a handshake. A header that is None is left out."""
    sent: dict[str, str | None] = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    } | (headers or {})
    lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in sent.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Peer:
    """A connection to a server. What is received is parsed as strictly as the RFC allows."""

    def __init__(self, port: int, *, receive_buffer: int = 0, patience: float = PATIENCE) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))
        self._received = b""
        self.pings = 0

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_up()

    # --- HTTP ---

    def ask(self, request: bytes) -> Answer:
        """Send an HTTP request and read the answer to it; what follows it is kept."""
        self.socket.sendall(request)
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        headers = Headers([(name, value.strip()) for name, _, value in pairs])
        size = int(headers.get("Content-Length", "0"))
        while len(self._received) < size:
            self._more()
        body, self._received = self._received[:size], self._received[size:]
        protocol, _, line = status.partition(" ")
        assert protocol in ("HTTP/1.1", "HTTP/1.0"), status
        return Answer(line, headers, body)

    def open(self, path: str, headers: dict[str, str | None] | None = None) -> Answer:
        """Open the socket.

        :raises RefusedError: the server does not.
        """
        key = base64.b64encode(os.urandom(16)).decode()
        answer = self.ask(handshake(path, headers, key=key))
        if answer.status != 101:
            raise RefusedError(answer)
        digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        assert answer.headers["sec-websocket-accept"] == base64.b64encode(digest).decode()
        assert answer.headers["upgrade"].lower() == "websocket"
        assert answer.headers["connection"].lower() == "upgrade"
        assert "sec-websocket-extensions" not in answer.headers
        return answer

    # --- sending ---

    def raw(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def send(self, data: str | bytes) -> None:
        """One whole message."""
        self.raw(quick_frame(TEXT, data.encode()) if isinstance(data, str) else quick_frame(BINARY, data))

    def close(self, code: int | None = 1000, reason: bytes = b"") -> None:
        """Send a close frame."""
        self.raw(close_frame(code, reason))

    def reset(self) -> None:
        """Go without a word: an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # --- receiving ---

    def _more(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise EOFError(f"the server ended its side; left over: {self._received[:200]!r}")
        self._received += data

    def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            self._more()
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def frame(self) -> Frame:
        """The next frame.

        :raises EOFError: there is none, or half a one.
        """
        while len(self._received) < 2:
            self._more()
        first, second = self._take(2)
        assert not first & 0x70, f"reserved bits in {first:#x} {second:#x} {self._received[:100]!r}"
        opcode, size = first & 0x0F, second & 0x7F
        assert opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG), (first, second, self._received[:100])
        assert not second & 0x80, "a server does not mask"
        if size == 126:
            size = int.from_bytes(self._take(2), "big")
            assert size >= 126
        elif size == 127:
            size = int.from_bytes(self._take(8), "big")
            assert 1 << 16 <= size < 1 << 63
        if opcode >= CLOSE:
            assert first & 0x80
            assert size <= 125
        return Frame(opcode, self._take(size), bool(first & 0x80))

    def message(self) -> str | bytes:
        """The next message; pings in between are answered, and counted."""
        parts: list[Frame] = []
        while not parts or not parts[-1].fin:
            found = self.frame()
            if found.opcode == PING:
                self.pings += 1
                self.raw(frame(PONG, found.payload))
            else:
                assert found.opcode in ((CONTINUATION,) if parts else (TEXT, BINARY)), found
                parts.append(found)
        whole = b"".join(part.payload for part in parts)
        return whole.decode() if parts[0].opcode == TEXT else whole

    def ask_for(self, data: str | bytes) -> str | bytes:
        """Send a message, and get one."""
        self.send(data)
        return self.message()

    def rest(self, *, answer: bool = True) -> list[Frame]:
        """All frames until the server ends its side. A byte that belongs to none is a failure.

        :param answer: whether a close frame is answered, as it should be.
        """
        found: list[Frame] = []
        with suppress(EOFError):
            while True:
                found.append(self.frame())
                if found[-1].opcode == CLOSE and answer:
                    with suppress(OSError):
                        self.raw(frame(CLOSE, found[-1].payload))
        assert self._received == b"", self._received[:500]
        return found

    def end(self, *, answer: bool = True) -> tuple[int, str]:
        """Code and reason with which the server closes; nothing may follow its close frame."""
        found = self.rest(answer=answer)
        assert found, "the server ended its side without a close frame"
        assert [one.opcode for one in found].count(CLOSE) == 1, found[-3:]
        return found[-1].closing

    def give_up(self) -> None:
        """Close the connection, as a process that ends does."""
        self.socket.close()


@contextmanager
def opened(port: int, path: str, headers: dict[str, str | None] | None = None, **options: Any) -> Iterator[Peer]:
    """An open socket."""
    with Peer(port, **options) as peer:
        peer.open(path, headers)
        yield peer


def answer_to(port: int, request: bytes) -> Answer:
    """What an HTTP request is answered with, on a connection of its own."""
    with Peer(port) as peer:
        return peer.ask(request)


def status_of(port: int, path: str, headers: dict[str, str | None] | None = None) -> int:
    """What a handshake is answered with; a socket that it opens is closed again."""
    try:
        with opened(port, path, headers) as peer:
            peer.close()
            peer.end()
            return 101
    except RefusedError as error:
        return error.answer.status


def give_up_all(peers: Iterable[Peer]) -> None:
    for peer in peers:
        peer.give_up()
