"""URLs of audio streams: where ``connectStream`` sends a call's audio, with a token that lets it in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from itsdangerous import URLSafeSerializer

#: How long a stream URL may be used after it was handed out, in seconds.
TOKEN_LIFETIME = 120

#: The query parameter that carries the token.
TOKEN_PARAMETER = "token"  # noqa: S105 - the name of a parameter, not a secret


def stream_key(stream_secret: str | None, application_secret: bytes | None) -> bytes | None:
    """The key that signs stream tokens: the secret set for it, else one derived from the application secret."""
    if stream_secret:
        return stream_secret.encode()
    if application_secret:
        return hmac.digest(application_secret, b"sinchfn stream token", hashlib.sha256)
    return None


def stream_url(base: str, path: str, call_id: str | None, key: bytes | None) -> str:
    """The ``wss://`` URL of a stream path (``ws://`` if `base` is plain ``http://``).

    The token holds the path, the call id, the time it expires and a number for its single use. Without a key there is
    no token.
    """
    url = base.replace("http", "ws", 1) + path
    if key is None:
        return url
    claims = {
        "path": path.partition("?")[0],
        "call": call_id,
        "expires": int(time.time()) + TOKEN_LIFETIME,
        "once": secrets.token_hex(8),
    }
    token = URLSafeSerializer(key, salt="sinchfn.stream").dumps(claims)
    return f"{url}{'&' if '?' in path else '?'}{TOKEN_PARAMETER}={token}"
