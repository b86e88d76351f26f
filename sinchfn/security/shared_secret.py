"""The scheme of webhooks that are not signed: a shared secret in a header."""

from __future__ import annotations

import hmac
import re
from urllib.parse import unquote_to_bytes

from ..config.credentials import encode_secret
from ..errors import SignatureError
from .scheme import Body, Headers, header_of

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class SharedSecretScheme:
    """A webhook that carries a secret in a header and no signature, such as ElevenLabs' conversation initiation.

    ElevenLabs does not sign an initiation request; it sends the headers that are configured for it. So the scheme
    protects neither the body nor the time: anyone who has seen one request can send any other.

    :param secret: the value of the header, as UTF-8; compared exactly.
    :param header: the name of the header, in any case.
    :raises ValueError: the secret is empty, or the secret or the name cannot stand in a request.
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
        """Return the header that a request must carry, its name in lower case, its value as WSGI has it."""
        return {self.header: self._secret.decode("latin-1")}

    def verify(self, headers: Headers, body: Body = b"", now: float | None = None) -> None:
        """Check that the request carries the secret.

        :raises SignatureError: it does not; the message, for the log, says why and holds nothing of the request.
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
        mistakes = {
            "with a word before it, such as Bearer": given.partition(b" ")[2],
            "in quotes or between spaces": given.strip(b"\"' \t"),
            "percent-encoded": unquote_to_bytes(given),
        }
        for mistake, meant in mistakes.items():
            if hmac.compare_digest(meant, self._secret):
                return f"the secret in {self.header} was sent {mistake}: send it as it is"
        return f"{self.header} holds another secret"

    def _given(self, headers: Headers) -> bytes:
        return header_of(headers, self.header, ": add it, with the secret, to the request headers of the webhook")
