"""The border between requests and schemes: text becomes bytes, a body pieces, a timestamp an age, a secret a key.

Text comes as WSGI gives it: each character of a header or path is one byte (latin-1). It becomes bytes again here;
everything behind computes and compares bytes.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from ..credentials import decode_secret, encode_secret
from ..errors import SignatureError
from ..redaction import brief

#: Names of headers in lower case -> their values as WSGI has them.
Headers = Mapping[str, str]

#: The bytes that came, whole or in pieces; never re-serialised JSON. Pieces are gone through once, and not kept.
Body = bytes | Iterable[bytes]

#: Seconds since 1970. Twelve digits reach beyond the year 30000; a time in milliseconds has thirteen.
_SECONDS = re.compile(rb"[0-9]{1,12}")
_MILLISECONDS = re.compile(rb"[0-9]{13}")


class WebhookScheme(Protocol):
    """What the schemes of webhooks have in common. (The `application` scheme signs more than headers and body.)"""

    def verify(self, headers: Headers, body: Body, now: float | None = None) -> str | None:
        """Return if the request is genuine: its nonce, if the scheme has one.

        :param now: seconds since 1970; the current time unless told.
        :raises SignatureError: it is not; the message says why, for the log. What `body` raises comes through.
        """
        ...

    def explain(self, headers: Headers, body: Body, now: float | None = None) -> str:
        """Say what differs in a refused request. For development. `body` has to give its pieces once more."""
        ...

    def headers(self, body: Body, now: float | None = None) -> dict[str, str]:
        """The headers that make a request with this body genuine, their names in lower case."""
        ...


def bytes_of(what: str, text: str) -> bytes:
    """The bytes of a text from WSGI.

    :raises SignatureError: it has characters that are no bytes; the message calls it `what`.
    """
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise SignatureError(f"{what} has characters that cannot stand in an HTTP request") from None


def header_of(headers: Headers, name: str, hint: str = "") -> bytes:
    """The bytes of a header that must be there.

    :param hint: said after "there is no ... header".
    :raises SignatureError: it is missing or empty.
    """
    text = headers.get(name)
    if not text:
        raise SignatureError(f"there is no {name} header{hint}")
    return bytes_of(name, text)


def pieces_of(body: Body) -> Iterable[bytes]:
    """The pieces of a body; a whole one is one piece."""
    return (body,) if isinstance(body, bytes) else body


def seconds_of(what: str, digits: bytes) -> int:
    """A timestamp of decimal digits.

    :raises SignatureError: it is anything else.
    """
    if not _SECONDS.fullmatch(digits):
        like = ". It looks like milliseconds" if _MILLISECONDS.fullmatch(digits) else ""
        found = quoted(digits.decode("latin-1"))
        raise SignatureError(f"{what} is {found}: it must be seconds since 1970, in decimal digits{like}")
    return int(digits)


def check_tolerance(tolerance: float) -> None:
    """Refuse a tolerance that nothing, or any age, would be within.

    :raises ValueError: it is negative or NaN.
    """
    if not tolerance >= 0:  # also refuses NaN, which would let every age pass
        raise ValueError(f"the tolerance is {tolerance} s: it cannot be less than 0")


def check_age(what: str, age: float, *, back: float, ahead: float) -> None:
    """Refuse a timestamp outside its window.

    :param age: seconds; negative for a timestamp in the future.
    :param back: greatest age.
    :param ahead: how far in the future a timestamp may lie.
    :raises SignatureError: it lies outside; the message says how far.
    """
    tolerance = back if age > 0 else ahead
    if abs(age) > tolerance:
        when = "old" if age > 0 else "in the future"
        raise SignatureError(f"{what} is {abs(age):.1f} s {when}, the tolerance is {tolerance:g} s")


def quoted(text: str) -> str:
    """A text of the request for a log line: escaped, cut."""
    return f'"{brief(repr(text)[1:-1])}"'


class Key:
    """An HMAC-SHA256, keyed once and copied per request: that is faster, and the secret itself is not kept."""

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(secret, digestmod="sha256")

    def digest(self, *parts: Body) -> bytes:
        """The HMAC of all parts in a row."""
        keyed = self._keyed.copy()
        for part in parts:
            for piece in pieces_of(part):
                keyed.update(piece)
        return keyed.digest()


class TextSecret:
    """A secret whose text, in UTF-8, is the key; it is not Base64. Whitespace around it is ignored.

    :raises ValueError: it is empty, or no text. The message holds nothing of the secret.
    """

    __slots__ = ("decoded", "key")

    def __init__(self, text: str) -> None:
        self.key = Key(encode_secret(text))
        #: Keyed with what the secret is the Base64 of, if it is: to recognise who signs so by mistake.
        self.decoded = _decoded(text)


def _decoded(text: str) -> Key | None:
    try:
        return Key(decode_secret(text))
    except ValueError:
        return None
