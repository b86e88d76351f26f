"""The handshake of a WebSocket (RFC 6455 section 4), read from a WSGI environ."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping
from typing import Any

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
VERSION = "13"


class HandshakeError(Exception):
    """The request does not open a socket. It has to be answered with this status."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = tuple((headers or {}).items())


def check_handshake(environ: Mapping[str, Any]) -> None:
    """Check that the request is a valid handshake.

    :raises HandshakeError: it is not; the status is 405, 426 or 400.
    """
    if environ["REQUEST_METHOD"] != "GET":
        raise HandshakeError(405, "A WebSocket is opened with a GET request.", {"Allow": "GET"})
    if not environ.get("HTTP_UPGRADE"):
        raise HandshakeError(426, "This is a WebSocket: connect to it with ws:// or wss://.", {"Upgrade": "websocket"})
    if "websocket" not in _tokens(environ, "HTTP_UPGRADE") or "upgrade" not in _tokens(environ, "HTTP_CONNECTION"):
        raise HandshakeError(400, "The handshake needs the headers Upgrade: websocket and Connection: Upgrade.")
    if environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        raise HandshakeError(400, "The handshake needs HTTP/1.1.")
    if environ.get("CONTENT_LENGTH") not in (None, "", "0") or environ.get("HTTP_TRANSFER_ENCODING"):
        raise HandshakeError(400, "The handshake cannot have a body.")
    if (version := environ.get("HTTP_SEC_WEBSOCKET_VERSION")) != VERSION:
        found = "it is missing" if version is None else "it has another version"
        headers = {"Sec-WebSocket-Version": VERSION, "Upgrade": "websocket"}
        raise HandshakeError(426, f"The handshake needs the header Sec-WebSocket-Version: 13; {found}.", headers)
    if not _is_key(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")):
        raise HandshakeError(400, "The handshake needs the header Sec-WebSocket-Key: 16 bytes, as Base64.")


def check_origin(environ: Mapping[str, Any], allowed: Collection[str]) -> None:
    """Check the origin, which browsers send because they let any page connect. Other clients do not send it.

    :raises HandshakeError: the origin is not in `allowed` (``*`` allows any); the status is 403.
    """
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and "*" not in allowed and origin.strip().lower() not in allowed:
        raise HandshakeError(
            403, "Pages of this origin may not connect. List the allowed origins in SINCHFN_WS_ORIGINS."
        )


def accepting(environ: Mapping[str, Any], request_id: str) -> bytes:
    """Return the response that opens the socket."""
    accept = accept_of(environ["HTTP_SEC_WEBSOCKET_KEY"].strip())
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
    head = f"{head}\r\nX-Request-ID: {request_id}"
    return f"{head}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode("latin-1")


def accept_of(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` for a key: the proof that the server has understood the handshake."""
    return base64.b64encode(hashlib.sha1(key.encode("latin-1") + _GUID).digest()).decode()  # noqa: S324 - RFC 6455


def _tokens(environ: Mapping[str, Any], name: str) -> list[str]:
    return [token.strip().lower() for token in environ.get(name, "").split(",")]


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key.strip(), validate=True)) == 16
    except ValueError:
        return False
