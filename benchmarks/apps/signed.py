"""The signature check as a careful Flask user writes it: over the raw body, in constant time, with a time window."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from datetime import datetime

KEY = os.environ["VOICE_APPLICATION_KEY"]
SECRET = base64.b64decode(os.environ["VOICE_APPLICATION_SECRET"])
TOLERANCE = 300


def is_signed(method: str, path: str, content_type: str, timestamp: str, authorization: str, body: bytes) -> bool:
    """Return True if the platform signed this request with our key and secret, within the time window."""
    scheme, _, credentials = authorization.partition(" ")
    key, _, signature = credentials.partition(":")
    if scheme.lower() != "application" or not hmac.compare_digest(key.encode(), KEY.encode()):
        return False
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    text = f"{method}\n{md5}\n{content_type}\nx-timestamp:{timestamp}\n{path}"
    expected = base64.b64encode(hmac.new(SECRET, text.encode(), "sha256").digest())
    return hmac.compare_digest(signature.encode(), expected) and _is_recent(timestamp)


def _is_recent(timestamp: str) -> bool:
    try:
        return abs(time.time() - datetime.fromisoformat(timestamp).timestamp()) <= TOLERANCE
    except ValueError:
        return False
