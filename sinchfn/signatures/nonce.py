"""The scheme of Conversation and SMS webhooks: body, nonce and timestamp under one HMAC."""

from __future__ import annotations

import binascii
import hmac
import math
import re
import secrets
import time

from ..errors import SignatureError
from .border import Body, Headers, Key, TextSecret, check_age, check_tolerance, header_of, quoted, seconds_of
from .guesses import explain

SIGNATURE = "x-sinch-webhook-signature"
TIMESTAMP = "x-sinch-webhook-signature-timestamp"
NONCE = "x-sinch-webhook-signature-nonce"
ALGORITHM = "x-sinch-webhook-signature-algorithm"

#: The one algorithm that is accepted, whatever a request asks for.
HMAC_SHA256 = b"HmacSHA256"

#: Seconds by which the clocks of the machines that share the nonces may differ.
CLOCK_SPREAD = 60

#: A nonce, which the platform writes as a ULID: printable ASCII without space. Without dot, too, for dots part the
#: signed text: a nonce with a dot could take over the end of another request's body.
_NONCE = re.compile(rb"[!-\-/-~]{1,128}")
_BASE64_OF_32_BYTES = re.compile(rb"[A-Za-z0-9+/]{43}=")


class NonceScheme:
    """Conversation and SMS webhooks: `x-sinch-webhook-signature`, and its `-timestamp`, `-nonce` and `-algorithm`.

    The signature is the Base64 of an HMAC-SHA256, with the text of the secret, over `<body>.<nonce>.<timestamp>`. The
    timestamp is in seconds since 1970. Agreed by the Sinch docs and the Node, Java, .NET and Python SDKs.

    :param secret: the secret of the webhook. Its text is the key: it is not Base64.
    :param tolerance: seconds that a timestamp may lie in the past or in the future. The docs name no figure.
    :raises ValueError: the secret is empty, or the tolerance is negative or infinite.
    """

    __slots__ = ("_secret", "tolerance")

    def __init__(self, secret: str, *, tolerance: float = 300) -> None:
        check_tolerance(tolerance)
        if math.isinf(tolerance):
            raise ValueError("the tolerance is infinite, but a nonce cannot be remembered for ever")
        self._secret = TextSecret(secret)
        #: Seconds, both ways.
        self.tolerance = tolerance

    @property
    def lifetime(self) -> float:
        """Seconds for which a nonce must be remembered, from when it came.

        One that was signed for a time just within the window to come holds until that time is just within the window
        that has gone: twice the tolerance. The rest is for clocks that differ.
        """
        return 2 * self.tolerance + CLOCK_SPREAD

    def __repr__(self) -> str:
        return f"<NonceScheme, {self.tolerance:g} s>"

    def headers(self, body: Body, now: float | None = None, nonce: str | None = None) -> dict[str, str]:
        """The headers that a signed request must carry, their names in lower case.

        :param now: seconds since 1970, of which a fraction is dropped; the current time unless told.
        :param nonce: a new one unless told.
        :raises SignatureError: the nonce or the time cannot stand in them.
        """
        timestamp = str(int(time.time() if now is None else now))
        nonce = secrets.token_hex(13).upper() if nonce is None else nonce
        claimed = {TIMESTAMP: timestamp, NONCE: nonce, ALGORITHM: HMAC_SHA256.decode("ascii")}
        seconds_of(TIMESTAMP, timestamp.encode("ascii"))
        signature = _signature(self._secret.key, body, _nonce(claimed), timestamp.encode("ascii"))
        return {SIGNATURE: signature.decode("ascii"), **claimed}

    def verify(self, headers: Headers, body: Body, now: float | None = None) -> str:
        """Return the nonce if the request was signed with this secret, and lately.

        A request that is sent once more passes here, too: remember the nonce for :attr:`lifetime`, and refuse one that
        is known.

        :param now: seconds since 1970; the current time unless told.
        :raises SignatureError: otherwise; the message says why, for the log. What `body` raises comes through.
        """
        signature, nonce, timestamp = _claimed(headers)
        seconds = seconds_of(TIMESTAMP, timestamp)
        if not hmac.compare_digest(signature, _signature(self._secret.key, body, nonce, timestamp)):
            raise SignatureError("the signature differs: the secret, body, nonce or timestamp is not what was signed")
        age = (time.time() if now is None else now) - seconds
        check_age(TIMESTAMP, age, back=self.tolerance, ahead=self.tolerance)
        return nonce.decode("ascii")

    def explain(self, headers: Headers, body: Body, now: float | None = None) -> str:
        """Say which part of a refused request differs from what was signed, by trying likely other ones.

        For development, after `verify` refused: it costs some dozen signatures. `body` has to give its pieces anew.
        """
        try:
            signature, nonce, timestamp = _claimed(headers)
        except SignatureError as error:
            return str(error)

        def fits(key: Key, body: bytes, timestamp: bytes) -> bool:
            return hmac.compare_digest(signature, _signature(key, body, nonce, timestamp))

        return explain(self._secret, body, timestamp, fits)


def _claimed(headers: Headers) -> tuple[bytes, bytes, bytes]:
    """Signature, nonce and timestamp that the headers give.

    :raises SignatureError: one is missing or malformed, or the algorithm is another one.
    """
    signature = header_of(headers, SIGNATURE, ": the webhook may have been set up without a secret")
    if not _BASE64_OF_32_BYTES.fullmatch(signature):
        raise SignatureError(f"{SIGNATURE} is malformed: it must be the Base64 of 32 bytes")
    algorithm = header_of(headers, ALGORITHM)
    if algorithm != HMAC_SHA256:
        found = quoted(algorithm.decode("latin-1")[:40])
        raise SignatureError(f"{ALGORITHM} is {found}: only {HMAC_SHA256.decode('ascii')} is accepted")
    return signature, _nonce(headers), header_of(headers, TIMESTAMP)


def _nonce(headers: Headers) -> bytes:
    nonce = header_of(headers, NONCE)
    if not _NONCE.fullmatch(nonce):
        raise SignatureError(f"{NONCE} is malformed: it must be 1 to 128 printable ASCII characters, no space, no dot")
    return nonce


def _signature(key: Key, body: Body, nonce: bytes, timestamp: bytes) -> bytes:
    return binascii.b2a_base64(key.digest(body, b".%b.%b" % (nonce, timestamp)), newline=False)
