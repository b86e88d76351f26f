"""The signature scheme of the Voice v1 API: its callbacks, and requests to it."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping
from itertools import product
from types import MappingProxyType
from urllib.parse import quote, unquote_to_bytes

from ..config.credentials import decode_secret, encode_key
from ..errors import SignatureError
from ..wire.timestamps import read_timestamp, write_timestamp
from .scheme import Key, bytes_of, check_age, check_tolerance, quoted

#: Content types that a proxy may have changed or dropped. Without one, an official SDK signs the word "undefined".
CONTENT_TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=utf-8",
    "",
    "undefined",
)

#: Part of a request -> the clause of ``explain`` that says which other one was signed.
DIFFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "path": "the path {}, but this request came as {}: set SINCHFN_PUBLIC_URL to the URL that is called",
        "content_type": "the content type {}, but this request came with {}",
        "method": "the method {}, but this request came as {}",
        "md5": "the MD5 line {} (of an empty body), but the body of this request gives {}",
    }
)

_CREDENTIALS = re.compile(rb"([^ :]+):([A-Za-z0-9+/]+={0,2})")
_MD5_OF_EMPTY = "1B2M2Y8AsgTpgAmY7PhCfg=="


class ApplicationScheme:
    """Voice v1 callbacks, and requests to the v1 API: ``Authorization: application <key>:<signature>``.

    The signature is the Base64 of an HMAC-SHA256, with the decoded secret, over five lines: method, Base64 of the MD5
    of the body (empty for an empty body), content type, ``x-timestamp:<value>``, path. The path is the one that was
    called: raw, without scheme, host and query. Source: the Voice docs and the Node, Java and .NET SDKs, which agree.

    :param key: the application key; compared exactly.
    :param secret: the application secret, Base64.
    :param tolerance: seconds that a timestamp may lie in the past or in the future. The platform does not name a
        figure; its samples use 300.
    :raises ValueError: the key cannot stand in a header, the secret is not Base64, or the tolerance is negative.
    """

    __slots__ = ("_key", "_secret", "tolerance")

    def __init__(self, key: str, secret: str, *, tolerance: float = 300) -> None:
        self._key = encode_key(key)
        check_tolerance(tolerance)
        self._secret = Key(decode_secret(secret))
        #: Seconds, both ways.
        self.tolerance = tolerance

    def __repr__(self) -> str:
        return f"<ApplicationScheme {self._key.decode('ascii')}>"

    def sign(self, method: str, path: str, content_type: str, timestamp: str, body: bytes) -> str:
        """Return the value of the Authorization header.

        :raises SignatureError: an argument cannot stand in an HTTP request.
        """
        signature = self._signature(method, path, content_type, timestamp, _md5(body))
        return f"application {self._key.decode('ascii')}:{signature.decode('ascii')}"

    def headers(
        self, method: str, path: str, content_type: str, body: bytes, now: float | None = None
    ) -> dict[str, str]:
        """Return the headers that a signed request must carry, their names in lower case.

        :param now: seconds since 1970; default: the current time.
        :raises SignatureError: an argument cannot stand in an HTTP request.
        """
        timestamp = write_timestamp(time.time() if now is None else now)
        return {
            "content-type": content_type,
            "x-timestamp": timestamp,
            "authorization": self.sign(method, path, content_type, timestamp, body),
        }

    def verify(
        self,
        *,
        method: str,
        path: str,
        content_type: str,
        timestamp: str | None,
        authorization: str | None,
        body: bytes,
        now: float | None = None,
    ) -> None:
        """Check that the request was signed with this key and secret, within the tolerance.

        :param path: as it was called: raw, without query.
        :param content_type: the header verbatim; empty if it is missing.
        :param timestamp: the ``x-timestamp`` header.
        :param body: the bytes that came, never re-serialised JSON.
        :param now: seconds since 1970; default: the current time.
        :raises SignatureError: it was not; the message says why, for the log.
        """
        claimed, timestamp = self._claimed(authorization, timestamp)
        expected = self._signature(method, path, content_type, timestamp, _md5(body))
        if not hmac.compare_digest(claimed, expected):
            raise SignatureError(
                "the signature differs: the secret, path, content type, timestamp or body is not what was signed"
            )
        try:
            age = (time.time() if now is None else now) - read_timestamp(timestamp).timestamp()
        except ValueError as error:
            raise SignatureError(f"x-timestamp is not usable: {error}") from None
        check_age("x-timestamp", age, back=self.tolerance, ahead=self.tolerance)

    def explain(
        self,
        *,
        method: str,
        path: str,
        content_type: str,
        timestamp: str | None,
        authorization: str | None,
        body: bytes,
        alternatives: Iterable[str] = (),
    ) -> str:
        """Say which part of a refused request differs from the signed one, by trying likely other values.

        For development, after ``verify`` has refused: it computes some hundred signatures.

        :param alternatives: other paths that the platform may have called.
        """
        try:
            claimed, timestamp = self._claimed(authorization, timestamp)
        except SignatureError as error:
            return str(error)
        own = {"path": path, "content_type": content_type, "method": method, "md5": _md5(body).decode("ascii")}
        guesses = [_guesses(part, value, alternatives) for part, value in own.items()]
        for guess in sorted(product(*guesses), key=lambda parts: sum(bool(differs) for _, differs in parts)):
            values, differing = zip(*guess, strict=True)
            if self._fits(claimed, timestamp, dict(zip(own, values, strict=True))):
                return "the signature fits " + ("; and ".join(filter(None, differing)) or "this request as it came")
        return (
            "the signature does not fit any of the paths, content types and methods that were tried: "
            "the secret, the body or the timestamp differs from what was signed"
        )

    def _claimed(self, authorization: str | None, timestamp: str | None) -> tuple[bytes, str]:
        """Return the signature and the timestamp of a request that was signed for this key.

        :raises SignatureError: a header is missing or malformed, or is for another key.
        """
        if not authorization:
            raise SignatureError(
                "there is no Authorization header: signing may have to be switched on for the application"
            )
        scheme, space, credentials = bytes_of("Authorization", authorization).partition(b" ")
        if space and scheme.lower() != b"application":
            named = f", {quoted(scheme.decode('ascii')[:20])}" if scheme.isalpha() else ""
            raise SignatureError(f"Authorization has another scheme{named}: it must be application")
        match = _CREDENTIALS.fullmatch(credentials)
        if match is None:
            raise SignatureError('Authorization is malformed: it must be "application <key>:<signature in Base64>"')
        if not hmac.compare_digest(match[1], self._key):
            raise SignatureError("the application key differs from the one set here")
        if not timestamp:
            raise SignatureError("there is no x-timestamp header")
        return match[2], timestamp

    def _signature(self, method: str, path: str, content_type: str, timestamp: str, md5: bytes) -> bytes:
        lines = (
            bytes_of("the method", method.upper()),
            md5,
            bytes_of("Content-Type", content_type),
            b"x-timestamp:" + bytes_of("x-timestamp", timestamp),
            bytes_of("the path", path),
        )
        text = b"\n".join(lines)
        if text.count(b"\n") != len(lines) - 1:
            # With a line break in one of them, two different requests would have the same signature.
            raise SignatureError("the method, path, content type or timestamp has a line break in it")
        return binascii.b2a_base64(self._secret.digest(text), newline=False)

    def _fits(self, claimed: bytes, timestamp: str, parts: Mapping[str, str]) -> bool:
        md5 = parts["md5"].encode("ascii")
        try:
            expected = self._signature(parts["method"], parts["path"], parts["content_type"], timestamp, md5)
        except SignatureError:  # one of the guesses cannot stand in a request
            return False
        return hmac.compare_digest(claimed, expected)


def _md5(body: bytes) -> bytes:
    """Return the second line to sign: empty for an empty body."""
    return binascii.b2a_base64(hashlib.md5(body, usedforsecurity=False).digest(), newline=False) if body else b""


def _guesses(part: str, own: str, paths: Iterable[str]) -> list[tuple[str, str]]:
    """List the likely signed values of a part, each with a clause that says how it differs from the one that came.

    The one that came is the first, the others follow by likelihood.
    """
    others: Iterable[str]
    if part == "path":
        unescaped = unquote_to_bytes(own.encode("latin-1", "replace")).decode("latin-1")
        escaped = quote(own, safe="/%:@!$&'()*+,;=~", encoding="latin-1", errors="replace")
        others = (*paths, own.rstrip("/"), own + "/", unescaped, escaped)
    elif part == "content_type":
        others = (own.partition(";")[0], *CONTENT_TYPES)
    else:
        others = ("POST",) if part == "method" else ("", _MD5_OF_EMPTY)
    clause = DIFFERENCES[part]
    differing = (other for other in dict.fromkeys(others) if other != own)
    return [(own, ""), *((other, clause.format(quoted(other), quoted(own))) for other in differing)]
