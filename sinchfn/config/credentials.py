"""Checks of keys and secrets. Each returns the bytes to sign with; its errors hold nothing of a secret.

Sinch's dashboard shows the key and the secret of a Voice application; the secret of a webhook is chosen with it.
"""

from __future__ import annotations

import base64
import re

_KEY = re.compile(r"[!-9;-~]+")  # printable ASCII; a space or a colon would end the key in the header
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")


def encode_key(text: str) -> bytes:
    """Return the bytes of an application key, without the whitespace around it.

    :raises ValueError: the key is empty, or cannot be sent in an ``Authorization`` header.
    """
    text = text.strip()
    if not _KEY.fullmatch(text):
        raise ValueError("the key is " + ("not printable ASCII without spaces and colons" if text else "empty"))
    return text.encode("ascii")


def decode_secret(text: str) -> bytes:
    """Return the bytes of a Base64 secret, without the whitespace around it.

    :raises ValueError: the secret is empty or not Base64.
    """
    text = text.strip()
    if not text:
        raise ValueError("the secret is empty")
    if not _BASE64.fullmatch(text):
        raise ValueError("the secret is not Base64: only A-Z a-z 0-9 + / and up to two = at the end are allowed")
    if len(text) % 4:
        raise ValueError("the secret is not Base64: its length is not a multiple of 4, part of it or its = is missing")
    return base64.b64decode(text)


def encode_secret(text: str) -> bytes:
    """Return the bytes of a secret that is text, in UTF-8, without the whitespace around it.

    :raises ValueError: the secret is empty, or not text.
    """
    text = text.strip()
    if not text:
        raise ValueError("the secret is empty")
    if _HALF_PAIR.search(text):  # also stands for a byte of the environment that is not UTF-8
        raise ValueError("the secret is not text: it cannot be written in UTF-8")
    return text.encode()
