"""Explanations of a refused signature for the log in development, by trying what else may have been signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product

from ..wire import json as wire_json
from .scheme import Body, Key, TextSecret, pieces_of

#: Largest body that is tried, in bytes, because it has to be joined in memory.
LARGEST_BODY = 1 << 20

#: For a body that was signed in another form.
AS_IT_CAME = ", but it arrived in another form: sign exactly the bytes that are sent"
#: For a secret that was taken for Base64.
DECODED = "the secret decoded from Base64, but the secret is text: sign with it as it is written"
#: For a timestamp that was signed in milliseconds.
MILLISECONDS = "the timestamp in milliseconds, but it came in seconds: sign what is sent"


def explain(secret: TextSecret, body: Body, timestamp: bytes, fits: Callable[[Key, bytes, bytes], bool]) -> str:
    """Say what was signed, by trying likely forms of the secret, the body and the timestamp.

    :param body: the body that came; its pieces are read once.
    :param fits: returns True if the signature that came is the one of a key, a body and a timestamp.
    """
    joined = bytearray()
    for piece in pieces_of(body):
        joined += piece
        if len(joined) > LARGEST_BODY:
            return f"the body has more than {LARGEST_BODY} bytes: what else may have been signed was not tried"
    keys = [(secret.key, "")]
    if secret.decoded is not None:
        keys.append((secret.decoded, DECODED))
    timestamps = [(timestamp, ""), (timestamp + b"000", MILLISECONDS)]
    for guess in product(keys, _bodies(bytes(joined)), timestamps):
        (key, _), (tried, _), (stamp, _) = guess
        if fits(key, tried, stamp):
            differing = "; and ".join(differs for _, differs in guess if differs)
            return "the signature fits " + (differing or "this request as it came")
    return "the signature does not fit any form of the body that was tried: the secret or the signed data differs"


def _bodies(body: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield the body that came, then its likely other forms, each with a clause that says how it differs.

    The least change comes first.
    """
    yield body, ""
    yield body + b"\n", f"the body with a line break at its end{AS_IT_CAME}"
    yield body.rstrip(b"\r\n"), f"the body without the line break at its end{AS_IT_CAME}"
    yield body.replace(b"\r\n", b"\n"), f"the body with LF for CR LF{AS_IT_CAME}"
    try:
        value = wire_json.loads(body)
    except ValueError:
        return
    compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    yield compact.encode(), f"the body as JSON without spaces{AS_IT_CAME}"
    yield json.dumps(value).encode(), f"the body as JSON with spaces after comma and colon{AS_IT_CAME}"
