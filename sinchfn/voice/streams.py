"""URLs of audio streams: where ``connectStream`` sends a call's audio, with a token that lets it in once."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_plus

from itsdangerous import BadData, URLSafeSerializer

from ..redaction import TOKEN_PARAMETER

#: How long a stream URL may be used after it was handed out, in seconds.
TOKEN_LIFETIME = 120

#: What stands in a path, or in a query, as it is, besides letters, digits and ``-._~`` (RFC 3986).
PATH_CHARACTERS = "/:@!$&'()*+,;="
QUERY_CHARACTERS = f"{PATH_CHARACTERS}?"

#: Longest token that is looked at, in characters: one of a path and a call id is a few hundred.
TOKEN_LIMIT = 4096


class TokenError(Exception):
    """A token lets nobody in. The message says why, for the log; never for the caller."""


@dataclass(frozen=True, slots=True)
class StreamToken:
    """What a token says, once it is known to be ours."""

    #: the call whose callback handed it out
    call_id: str | None
    #: what is used up with it
    once: str


def stream_key(stream_secret: str | None, application_secret: bytes | None) -> bytes | None:
    """The key that signs stream tokens: the secret set for it, else one derived from the application secret."""
    if stream_secret:
        return stream_secret.encode()
    if application_secret:
        return hmac.digest(application_secret, b"sinchfn stream token", hashlib.sha256)
    return None


def stream_url(base: str, path: str, call_id: str | None, key: bytes | None, mount: str = "") -> str:
    """The ``wss://`` URL of a stream path (``ws://`` if `base` is plain ``http://``).

    The token holds the path, the call id, the time it expires and a number for its single use. Without a key there is
    no token. What a URL cannot carry as it is, such as a blank or an ``ë``, is percent-encoded.

    :param mount: where the function is mounted: two functions with one secret take no tokens of each other.
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
    token = _serializer(key).dumps(claims)
    return f"{url}{'&' if '?' in path else '?'}{TOKEN_PARAMETER}={token}"


def read_token(token: str | None, path: str, key: bytes, mount: str = "") -> StreamToken:
    """What a token says, if it is ours, for this path and not too old. Whether it was used before is for the caller.

    :param path: below the mount, decoded.
    :raises TokenError: it is not.
    """
    if not token:
        raise TokenError("the URL has no token")
    if len(token) > TOKEN_LIMIT:
        raise TokenError("the token is too long")
    try:
        claims = _serializer(key).loads(token)
        made_for, call_id, once = unquote(claims["path"]), claims["call"], str(claims["once"])
        expires = float(claims["expires"])
    except (BadData, ValueError, KeyError, TypeError, RecursionError):
        raise TokenError("the token was not signed with this function's secret, or was changed") from None
    if expires < time.time():
        raise TokenError(f"the token expired {time.time() - expires:.0f} s ago; it holds for {TOKEN_LIFETIME} s")
    if made_for != mount + path:
        raise TokenError(f"the token is for {made_for}")
    return StreamToken(call_id if isinstance(call_id, str) else None, once)


def token_in(query: str) -> str | None:
    """The token in a query string; None if there is none, or more than one."""
    found = [part.partition("=") for part in query.split("&")]
    tokens = [unquote_plus(value) for name, _, value in found if name == TOKEN_PARAMETER]
    return tokens[0] if len(tokens) == 1 else None


def drop_token(query: str) -> str:
    """Return a query string without the token."""
    return "&".join(part for part in query.split("&") if part.partition("=")[0] != TOKEN_PARAMETER)


def encoded(url: str) -> str:
    """Percent-encode what a URL, or a path with its query, cannot carry as it is. What is encoded already stays."""
    origin = _ORIGIN.match(url)
    before = f"{origin[1]}{_ascii_host(origin[2])}" if origin else ""
    path, question, query = url[origin.end() if origin else 0 :].partition("?")
    return f"{before}{_quoted(path, PATH_CHARACTERS)}{question}{_quoted(query, QUERY_CHARACTERS)}"


def _quoted(text: str, safe: str) -> str:
    return quote(_STRAY_PERCENT.sub("%25", text), safe=f"{safe}%", errors="replace")


def _ascii_host(host: str) -> str:
    if host.isascii():
        return host
    name, colon, port = host.partition(":")
    try:
        return f"{name.encode('idna').decode()}{colon}{port}"
    except UnicodeError:
        return host


_ORIGIN = re.compile(r"((?i:wss?|https?)://)([^/?#]*)")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _serializer(key: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt="sinchfn.stream")
