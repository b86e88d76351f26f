"""The scheme of webhooks that nobody signs: a secret of one's own in a header."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from ..credentials import encode_secret
from ..errors import SignatureError
from .border import Body, Headers, header_of

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def _after_word(value: bytes) -> bytes:
    return value.partition(b" ")[2]


def _unquoted(value: bytes) -> bytes:
    return value.strip(b"\"' \t")


#: How a secret may have been sent by mistake -> how to take it back. For `explain`.
MISTAKES: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        "with a word before it, such as Bearer": _after_word,
        "in quotes or between spaces": _unquoted,
        "percent-encoded": unquote_to_bytes,
    }
)


class SharedSecretScheme:
    """A webhook that carries a secret in a header and no signature, such as ElevenLabs' conversation initiation.

    ElevenLabs signs no initiation; it sends the headers that one sets up for it. So neither body nor time is vouched
    for: who has seen one request can send any other.

    :param secret: what the header must hold, as UTF-8; compared exactly.
    :param header: the name of the header, in any case.
    :raises ValueError: the secret is empty, or it or the name cannot stand in a request.
    """

    __slots__ = ("_secret", "header")

    def __init__(self, secret: str, header: str = "X-Init-Secret") -> None:
        self._secret = encode_secret(secret)
        if _CONTROL.search(self._secret):
            raise ValueError("the secret has a line break or another control character in it: no header can hold it")
        if not _HEADER_NAME.fullmatch(header):
            raise ValueError(f"{header!r} cannot be the name of a header: write one such as X-Init-Secret")
        #: Name of the header, in lower case.
        self.header = header.lower()

    def __repr__(self) -> str:
        return f"<SharedSecretScheme {self.header}>"

    def headers(self, body: Body = b"", now: float | None = None) -> dict[str, str]:
        """The header that a request must carry, its name in lower case, its value as WSGI has it."""
        return {self.header: self._secret.decode("latin-1")}

    def verify(self, headers: Headers, body: Body = b"", now: float | None = None) -> None:
        """Return if the request carries the secret.

        :raises SignatureError: otherwise; the message says why, for the log, and holds nothing of what came.
        """
        if not hmac.compare_digest(self._given(headers), self._secret):
            raise SignatureError(f"the secret in {self.header} differs from the one set here")

    def explain(self, headers: Headers, body: Body = b"", now: float | None = None) -> str:
        """Say how the secret of a refused request was sent, by trying likely mistakes. For development."""
        try:
            given = self._given(headers)
        except SignatureError as error:
            return str(error)
        if hmac.compare_digest(given, self._secret):
            return f"the secret in {self.header} is the one set here"
        for mistake, taken_back in MISTAKES.items():
            if hmac.compare_digest(taken_back(given), self._secret):
                return f"the secret in {self.header} was sent {mistake}: send it as it is"
        return f"what {self.header} holds is another secret"

    def _given(self, headers: Headers) -> bytes:
        return header_of(headers, self.header, ": add it, with the secret, to the request headers of the webhook")
