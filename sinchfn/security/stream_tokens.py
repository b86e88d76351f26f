"""The URLs of audio streams, to which ``connectStream`` sends the audio of a call, and their tokens."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_plus

from itsdangerous import BadData, URLSafeSerializer

from ..config.credentials import decode_secret
from ..logs.redaction import TOKEN_PARAMETER

#: Seconds for which a stream URL is valid.
TOKEN_LIFETIME = 120

#: The salt of the tokens' signatures.
SALT = "sinchfn.stream"

#: Characters that need no escape in a path or in a query, besides letters, digits and ``-._~`` (RFC 3986).
PATH_CHARACTERS = "/:@!$&'()*+,;="
QUERY_CHARACTERS = f"{PATH_CHARACTERS}?"

#: Longest token that is read, in characters. A token with a path and a call id has a few hundred.
TOKEN_LIMIT = 4096

_ORIGIN = re.compile(r"((?i:wss?|https?)://)([^/?#]*)")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class TokenError(Exception):
    """An invalid token. The message says why, for the log; it must not reach the caller."""


@dataclass(frozen=True, slots=True)
class StreamToken:
    """The contents of a valid token."""

    #: the call whose callback was answered with the URL
    call_id: str | None
    #: the id that its single use is remembered by
    once: str


def stream_key(stream_secret: str | None, application_secret: str | None) -> bytes | None:
    """Return the key that signs stream tokens: the stream secret, else one derived from the application secret.

    :param application_secret: Base64.
    """
    if stream_secret:
        return stream_secret.encode()
    if application_secret:
        return hmac.digest(decode_secret(application_secret), b"sinchfn stream token", hashlib.sha256)
    return None


def stream_url(base: str, path: str, call_id: str | None, key: bytes | None, mount: str = "") -> str:
    """Return the ``wss://`` URL of a stream path (``ws://`` if ``base`` is plain ``http://``).

    The token holds the path, the call id, the time it expires and a number for its single use. Without a key the URL
    has no token. Characters that a URL cannot hold, such as a blank or an ``ë``, are percent-encoded.

    :param mount: where the function is mounted: two functions with the same secret refuse each other's tokens.
    """
    url = encoded(base.replace("http", "ws", 1) + path)
    if key is None:
        return url
    claims = {
        "path": mount + path.partition("?")[0],
        "call": call_id,
        "expires": int(time.time()) + TOKEN_LIFETIME,
        "once": secrets.token_hex(8),
    }
    token = URLSafeSerializer(key, salt=SALT).dumps(claims)
    return f"{url}{'&' if '?' in path else '?'}{TOKEN_PARAMETER}={token}"


def read_token(token: str | None, path: str, key: bytes, mount: str = "") -> StreamToken:
    """Return the contents of a token, checking its signature, its path and its age.

    The caller has to check that it was not used before.

    :param path: below the mount, decoded.
    :raises TokenError: the token is invalid.
    """
    if not token:
        raise TokenError("the URL has no token")
    if len(token) > TOKEN_LIMIT:
        raise TokenError("the token is too long")
    try:
        claims = URLSafeSerializer(key, salt=SALT).loads(token)
        made_for, call_id, once = unquote(claims["path"]), claims["call"], str(claims["once"])
        expires = float(claims["expires"])
    except (BadData, ValueError, KeyError, TypeError, RecursionError):
        raise TokenError("the token was not signed with this function's secret, or was changed") from None
    # Not a URLSafeTimedSerializer: it refuses a token of another machine whose clock is one second ahead.
    if expires < time.time():
        raise TokenError(f"the token expired {time.time() - expires:.0f} s ago; it is valid for {TOKEN_LIFETIME} s")
    if made_for != mount + path:
        raise TokenError(f"the token is for {made_for}")
    return StreamToken(call_id if isinstance(call_id, str) else None, once)


def token_in(query: str) -> str | None:
    """Return the token in a query string; None unless it has exactly one."""
    found = [part.partition("=") for part in query.split("&")]
    tokens = [unquote_plus(value) for name, _, value in found if name == TOKEN_PARAMETER]
    return tokens[0] if len(tokens) == 1 else None


def drop_token(query: str) -> str:
    """Return a query string without the token."""
    return "&".join(part for part in query.split("&") if part.partition("=")[0] != TOKEN_PARAMETER)


def encoded(url: str) -> str:
    """Percent-encode the characters that a URL, or a path with its query, cannot hold. Keep existing escapes."""
    origin = _ORIGIN.match(url)
    before = f"{origin[1]}{_ascii_host(origin[2])}" if origin else ""
    path, question, query = url[origin.end() if origin else 0 :].partition("?")
    return f"{before}{_quoted(path, PATH_CHARACTERS)}{question}{_quoted(query, QUERY_CHARACTERS)}"


def _ascii_host(host: str) -> str:
    if host.isascii():
        return host
    name, colon, port = host.partition(":")
    try:
        return f"{name.encode('idna').decode()}{colon}{port}"
    except UnicodeError:
        return host


def _quoted(text: str, safe: str) -> str:
    return quote(_STRAY_PERCENT.sub("%25", text), safe=f"{safe}%", errors="replace")
