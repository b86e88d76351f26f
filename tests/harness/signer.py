"""Callbacks and their signatures, made by the book and not by the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

KEY = "f00dcafe-abba-c0de-1dea-dabb1ed4caf3"
SECRET = "YXBwU2VjcmV0LWFwcFNlY3JldA=="
SIGNING = {"VOICE_APPLICATION_KEY": KEY, "VOICE_APPLICATION_SECRET": SECRET}

CALL_ID = "1ce0ffee-ca11-ca11-ca11-abcdef000053"
ICE = {"event": "ice", "callid": CALL_ID, "cli": "12015555555", "domain": "pstn", "version": 1}


def stamp(offset: float = 0) -> str:
    """The platform's way to write a moment, so many seconds from now."""
    moment = datetime.now(UTC) + timedelta(seconds=offset)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def signature(
    body: bytes,
    path: str = "/ice",
    *,
    method: str = "POST",
    content_type: str = "application/json",
    timestamp: str,
    secret: str = SECRET,
) -> str:
    """The signature by the book (facts/voice-v1.md section 3), not by the code under test."""
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode() if body else ""
    text = "\n".join((method, md5, content_type, f"x-timestamp:{timestamp}", path))
    return base64.b64encode(hmac.digest(base64.b64decode(secret), text.encode(), "sha256")).decode()


def signed(
    body: bytes,
    path: str = "/ice",
    *,
    method: str = "POST",
    key: str = KEY,
    secret: str = SECRET,
    content_type: str = "application/json",
    timestamp: str | None = None,
    word: str = "application",
) -> dict[str, str]:
    """Headers of a callback that the platform signed."""
    timestamp = timestamp or stamp()
    made = signature(body, path, method=method, content_type=content_type, timestamp=timestamp, secret=secret)
    return {"Content-Type": content_type, "X-Timestamp": timestamp, "Authorization": f"{word} {key}:{made}"}


def encoded(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()


@dataclass(frozen=True)
class Signer:
    """Makes signed callbacks. ``signer.config`` are the settings with which they are accepted."""

    key: str = KEY
    secret: str = SECRET

    @property
    def config(self) -> dict[str, str]:
        return {"VOICE_APPLICATION_KEY": self.key, "VOICE_APPLICATION_SECRET": self.secret}

    def __call__(self, path: str = "/ice", payload: Any = None, *, method: str = "POST") -> dict[str, Any]:
        """Return the keyword arguments of a request, signed as if it had been sent to `path`."""
        body = encoded({"event": "ice", "callid": "c1"} if payload is None else payload)
        return {"data": body, "headers": signed(body, path, method=method, key=self.key, secret=self.secret)}
