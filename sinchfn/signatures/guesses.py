"""Guesses at what was signed instead of what came: a sentence for the log of a developer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from types import MappingProxyType

from .. import jsontext
from .border import Body, Key, TextSecret, pieces_of

#: A larger body is not tried, for it would have to be joined in memory. Bytes.
LARGEST_BODY = 1 << 20


def _with_newline(body: bytes) -> bytes:
    return body + b"\n"


def _without_newline(body: bytes) -> bytes:
    return body.rstrip(b"\r\n")


def _with_lf(body: bytes) -> bytes:
    return body.replace(b"\r\n", b"\n")


def _compact(body: bytes) -> bytes:
    return json.dumps(jsontext.loads(body), ensure_ascii=False, separators=(",", ":")).encode()


def _spaced(body: bytes) -> bytes:
    return json.dumps(jsontext.loads(body)).encode()


#: How a body may have looked when it was signed -> how to make it from what came. The least change first.
BODIES: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "the body with a line break at its end": _with_newline,
        "the body without the line break at its end": _without_newline,
        "the body with LF for CR LF": _with_lf,
        "the body as JSON without spaces": _compact,
        "the body as JSON with spaces after comma and colon": _spaced,
    }
)

#: Said of a body that was signed in another form.
AS_IT_CAME = ", but it came otherwise: the bytes that are sent must be the ones that are signed"
#: Said when the secret was taken for Base64.
DECODED = "the secret decoded from Base64, but the secret is text: sign with it as it is written"
#: Said when milliseconds were signed.
MILLISECONDS = "the timestamp in milliseconds, but it came in seconds: sign what is sent"


def explain(secret: TextSecret, body: Body, timestamp: bytes, fits: Callable[[Key, bytes, bytes], bool]) -> str:
    """Say what was signed, by trying likely forms of the secret, the body and the timestamp.

    :param body: what came; its pieces are gone through once.
    :param fits: whether the signature that came is that of this key, body and timestamp.
    """
    whole = _joined(body)
    if whole is None:
        return f"the body has more than {LARGEST_BODY} bytes: what else may have been signed was not tried"
    for guess in product(_keys(secret), _bodies(whole), _timestamps(timestamp)):
        (key, _), (tried, _), (stamp, _) = guess
        if fits(key, tried, stamp):
            differing = "; and ".join(differs for _, differs in guess if differs)
            return "the signature fits " + (differing or "this request as it came")
    return "the signature fits no other form of the body that was tried: the secret, or what was signed, is another one"


def _joined(body: Body) -> bytes | None:
    joined = bytearray()
    for piece in pieces_of(body):
        joined += piece
        if len(joined) > LARGEST_BODY:
            return None
    return bytes(joined)


def _keys(secret: TextSecret) -> Iterator[tuple[Key, str]]:
    yield secret.key, ""
    if secret.decoded is not None:
        yield secret.decoded, DECODED


def _bodies(body: bytes) -> Iterator[tuple[bytes, str]]:
    """What came, then each other form of it, with a clause that says how it differs."""
    yield body, ""
    for form, made_from in BODIES.items():
        try:
            other = made_from(body)
        except ValueError:  # no JSON
            continue
        yield other, form + AS_IT_CAME


def _timestamps(timestamp: bytes) -> Iterator[tuple[bytes, str]]:
    yield timestamp, ""
    yield timestamp + b"000", MILLISECONDS
