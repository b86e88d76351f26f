"""Key and secret of a Voice application, and the secret of a webhook: what they may be.

Sinch's dashboard shows key and secret of an application; the secret of a webhook is chosen with the webhook.
"""

from __future__ import annotations

import base64
import re

_KEY = re.compile(r"[!-9;-~]+")  # printable ASCII without space and colon, which end it in the header
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")


def encode_key(text: str) -> bytes:
    """The bytes of an application key; whitespace around it is ignored.

    :raises ValueError: it is empty, or cannot stand in an Authorization header.
    """
    text = text.strip()
    if not _KEY.fullmatch(text):
        raise ValueError("the key is " + ("not printable ASCII without spaces and colons" if text else "empty"))
    return text.encode("ascii")


def decode_secret(text: str) -> bytes:
    """The bytes of a Base64 secret; whitespace around it is ignored.

    :raises ValueError: it is empty or no Base64. The message says what is wrong and holds nothing of the secret.
    """
    text = text.strip()
    if not text:
        raise ValueError("the secret is empty")
    if not _BASE64.fullmatch(text):
        raise ValueError("the secret is not Base64: only A-Z a-z 0-9 + / and up to two = at the end can stand in it")
    if len(text) % 4:
        raise ValueError("the secret is not Base64: its length is no multiple of 4, part of it or its = is missing")
    return base64.b64decode(text)


def encode_secret(text: str) -> bytes:
    """The bytes of a secret that is text, in UTF-8; whitespace around it is ignored.

    :raises ValueError: it is empty, or no text. The message says what is wrong and holds nothing of the secret.
    """
    text = text.strip()
    if not text:
        raise ValueError("the secret is empty")
    if _HALF_PAIR.search(text):  # also stands for a byte of the environment that is not UTF-8
        raise ValueError("the secret is not text: it holds what cannot be written in UTF-8")
    return text.encode()
