"""The parts that signature schemes share: headers, bodies, timestamps and secrets, as bytes to sign.

WSGI decodes headers and paths as latin-1: each character is one byte. They are encoded again here, so that schemes
compute and compare bytes only.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from ..config.credentials import decode_secret, encode_secret
from ..errors import SignatureError
from ..logs.redaction import brief

#: Names of headers in lower case -> their values, as WSGI has them.
Headers = Mapping[str, str]

#: The bytes that came, whole or in pieces; never re-serialised JSON. Pieces are read once, and not kept.
Body = bytes | Iterable[bytes]

#: Seconds since 1970. Twelve digits reach beyond the year 30000; a time in milliseconds has thirteen.
_SECONDS = re.compile(rb"[0-9]{1,12}")
_MILLISECONDS = re.compile(rb"[0-9]{13}")


class WebhookScheme(Protocol):
    """The common methods of the webhook schemes. (The ``application`` scheme signs more than headers and body.)"""

    def verify(self, headers: Headers, body: Body, now: float | None = None) -> str | None:
        """Check that the request is genuine. Return its nonce, if the scheme has one.

        :param now: seconds since 1970; default: the current time.
        :raises SignatureError: it is not; the message says why, for the log. Errors of ``body`` are passed on.
        """
        ...

    def explain(self, headers: Headers, body: Body, now: float | None = None) -> str:
        """Say what differs in a refused request. For development. ``body`` is read again."""
        ...

    def headers(self, body: Body, now: float | None = None) -> dict[str, str]:
        """Return the headers that make a request with this body genuine, their names in lower case."""
        ...


def bytes_of(what: str, text: str) -> bytes:
    """Encode a text from WSGI.

    :param what: its name in messages.
    :raises SignatureError: it has characters outside latin-1.
    """
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise SignatureError(f"{what} has characters that cannot stand in an HTTP request") from None


def header_of(headers: Headers, name: str, hint: str = "") -> bytes:
    """Return the bytes of a required header.

    :param hint: the end of the message for a missing header.
    :raises SignatureError: the header is missing or empty.
    """
    text = headers.get(name)
    if not text:
        raise SignatureError(f"there is no {name} header{hint}")
    return bytes_of(name, text)


def pieces_of(body: Body) -> Iterable[bytes]:
    """Return the pieces of a body; bytes are one piece."""
    return (body,) if isinstance(body, bytes) else body


def seconds_of(what: str, digits: bytes) -> int:
    """Parse a timestamp of decimal digits.

    :param what: its name in messages.
    :raises SignatureError: ``digits`` is anything else.
    """
    if not _SECONDS.fullmatch(digits):
        like = ". It looks like milliseconds" if _MILLISECONDS.fullmatch(digits) else ""
        found = quoted(digits.decode("latin-1"))
        raise SignatureError(f"{what} is {found}: it must be seconds since 1970, in decimal digits{like}")
    return int(digits)


def check_tolerance(tolerance: float) -> None:
    """Refuse a negative tolerance, and NaN, with which every age would pass.

    :raises ValueError: the tolerance is one of them.
    """
    if not tolerance >= 0:  # also True for NaN
        raise ValueError(f"the tolerance is {tolerance} s: it cannot be less than 0")


def check_age(what: str, age: float, *, back: float, ahead: float) -> None:
    """Refuse a timestamp that is too old or too far in the future.

    :param what: its name in messages.
    :param age: seconds; negative for a timestamp in the future.
    :param back: seconds that it may lie in the past.
    :param ahead: seconds that it may lie in the future.
    :raises SignatureError: the timestamp is outside of these limits.
    """
    tolerance = back if age > 0 else ahead
    if abs(age) > tolerance:
        when = "old" if age > 0 else "in the future"
        raise SignatureError(f"{what} is {abs(age):.1f} s {when}, the tolerance is {tolerance:g} s")


def quoted(text: str) -> str:
    """Quote a text of the request for a log line: escaped and cut."""
    return f'"{brief(repr(text)[1:-1])}"'


class Key:
    """An HMAC-SHA256 that is keyed once and copied per request: this is faster, and the secret itself is not kept."""

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(secret, digestmod="sha256")

    def digest(self, *parts: Body) -> bytes:
        """Return the HMAC of the joined parts."""
        keyed = self._keyed.copy()
        for part in parts:
            for piece in pieces_of(part):
                keyed.update(piece)
        return keyed.digest()


class TextSecret:
    """A secret whose text, in UTF-8, is the key; it is not Base64. Whitespace around it is ignored.

    :raises ValueError: it is empty, or cannot be written in UTF-8. The message holds nothing of the secret.
    """

    __slots__ = ("decoded", "key")

    def __init__(self, text: str) -> None:
        self.key = Key(encode_secret(text))
        #: The key of a sender who decodes the secret from Base64 by mistake; None if it is not Base64.
        self.decoded: Key | None = None
        with suppress(ValueError):
            self.decoded = Key(decode_secret(text))
