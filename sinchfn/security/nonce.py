"""The signature scheme of Conversation and SMS webhooks: an HMAC over body, nonce and timestamp."""

from __future__ import annotations

import binascii
import hmac
import math
import re
import secrets
import time

from ..errors import SignatureError
from .explain import explain
from .scheme import Body, Headers, Key, TextSecret, check_age, check_tolerance, header_of, quoted, seconds_of

SIGNATURE = "x-sinch-webhook-signature"
TIMESTAMP = "x-sinch-webhook-signature-timestamp"
NONCE = "x-sinch-webhook-signature-nonce"
ALGORITHM = "x-sinch-webhook-signature-algorithm"

#: The only algorithm that is accepted, whatever a request asks for.
HMAC_SHA256 = b"HmacSHA256"

#: Seconds by which the clocks of the machines that share the nonces may differ.
CLOCK_SPREAD = 60

#: A nonce (the platform sends a ULID): printable ASCII without space. A dot is refused too, because dots separate the
#: parts of the signed text: a nonce with a dot could take over the end of another request's body.
_NONCE = re.compile(rb"[!-\-/-~]{1,128}")
_BASE64_OF_32_BYTES = re.compile(rb"[A-Za-z0-9+/]{43}=")


class NonceScheme:
    """Conversation and SMS webhooks, signed in four headers that begin with ``x-sinch-webhook-signature``.

    The signature is the Base64 of an HMAC-SHA256, with the text of the secret, over ``<body>.<nonce>.<timestamp>``. The
    timestamp is in seconds since 1970. Source: the Sinch docs and the Node, Java, .NET and Python SDKs, which agree.

    :param secret: the secret of the webhook. Its text is the key: it is not Base64.
    :param tolerance: seconds that a timestamp may lie in the past or in the future. The docs do not name a figure.
    :raises ValueError: the secret is empty, or the tolerance is negative or infinite.
    """

    __slots__ = ("_secret", "tolerance")

    def __init__(self, secret: str, *, tolerance: float = 300) -> None:
        check_tolerance(tolerance)
        if math.isinf(tolerance):
            raise ValueError("the tolerance is infinite, but a nonce cannot be remembered forever")
        self._secret = TextSecret(secret)
        #: Seconds, both ways.
        self.tolerance = tolerance

    @property
    def lifetime(self) -> float:
        """Seconds for which a nonce must be remembered after it came.

        A timestamp may lie as far in the future as the tolerance allows, and is accepted until it lies as far in the
        past: that is twice the tolerance. The rest is for clocks that differ.
        """
        return 2 * self.tolerance + CLOCK_SPREAD

    def __repr__(self) -> str:
        return f"<NonceScheme, {self.tolerance:g} s>"

    def headers(self, body: Body, now: float | None = None, nonce: str | None = None) -> dict[str, str]:
        """Return the headers that a signed request must carry, their names in lower case.

        :param now: seconds since 1970, rounded down; default: the current time.
        :param nonce: default: a new one.
        :raises SignatureError: the nonce or the time cannot stand in them.
        """
        timestamp = str(int(time.time() if now is None else now))
        nonce = secrets.token_hex(13).upper() if nonce is None else nonce
        claimed = {TIMESTAMP: timestamp, NONCE: nonce, ALGORITHM: HMAC_SHA256.decode("ascii")}
        seconds_of(TIMESTAMP, timestamp.encode("ascii"))
        signature = _signature(self._secret.key, body, _nonce(claimed), timestamp.encode("ascii"))
        return {SIGNATURE: signature.decode("ascii"), **claimed}

    def verify(self, headers: Headers, body: Body, now: float | None = None) -> str:
        """Return the nonce if the request was signed with this secret, within the tolerance.

        A replayed request passes too: remember the nonce for :attr:`lifetime`, and refuse a known one.

        :param now: seconds since 1970; default: the current time.
        :raises SignatureError: it was not; the message says why, for the log. Errors of ``body`` are passed on.
        """
        signature, nonce, timestamp = _claimed(headers)
        seconds = seconds_of(TIMESTAMP, timestamp)
        if not hmac.compare_digest(signature, _signature(self._secret.key, body, nonce, timestamp)):
            raise SignatureError("the signature differs: the secret, body, nonce or timestamp is not what was signed")
        age = (time.time() if now is None else now) - seconds
        check_age(TIMESTAMP, age, back=self.tolerance, ahead=self.tolerance)
        return nonce.decode("ascii")

    def explain(self, headers: Headers, body: Body, now: float | None = None) -> str:
        """Say which part of a refused request differs from the signed one, by trying likely other values.

        For development, after ``verify`` has refused: it computes some dozen signatures. ``body`` is read again.
        """
        try:
            signature, nonce, timestamp = _claimed(headers)
        except SignatureError as error:
            return str(error)

        def fits(key: Key, body: bytes, timestamp: bytes) -> bool:
            return hmac.compare_digest(signature, _signature(key, body, nonce, timestamp))

        return explain(self._secret, body, timestamp, fits)


def _claimed(headers: Headers) -> tuple[bytes, bytes, bytes]:
    """Return signature, nonce and timestamp of a request.

    :raises SignatureError: one of them is missing or malformed, or the algorithm is not HmacSHA256.
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
