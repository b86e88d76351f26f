"""The signature scheme of ElevenLabs events: an HMAC over timestamp and body."""

from __future__ import annotations

import hmac
import math
import re
import time

from ..errors import SignatureError
from .explain import explain
from .scheme import Body, Headers, Key, TextSecret, check_age, check_tolerance, header_of, seconds_of

SIGNATURE = "elevenlabs-signature"

#: The form of the header, for messages. It may have other parts too.
FORM = '"t=<seconds since 1970>,v0=<64 hexadecimal digits in lower case>"'

_HEX = re.compile(rb"[0-9a-f]{64}")


class ElevenLabsScheme:
    """ElevenLabs events: ``ElevenLabs-Signature: t=<timestamp>,v0=<signature>``.

    The signature is the lower-case hex of an HMAC-SHA256, with the text of the secret, over ``<timestamp>.<body>``. The
    timestamp is in seconds since 1970. Source: the ElevenLabs docs and Python SDK, which agree.

    While a secret is being replaced a request may carry several ``v0=``: one valid signature is enough. Parts of other
    names are ignored, as are spaces and tabs around a part. There must be exactly one ``t=``.

    A replayed request cannot be told from the first one: an event can come twice.

    :param secret: the secret of the webhook, as it is shown (``wsec_...``). Its text is the key: it is not Base64.
    :param tolerance: seconds that a timestamp may lie in the past: 30 minutes in docs and SDK. As there, a timestamp in
        the future is accepted.
    :raises ValueError: the secret is empty, or the tolerance is negative.
    """

    __slots__ = ("_secret", "tolerance")

    def __init__(self, secret: str, *, tolerance: float = 1800) -> None:
        check_tolerance(tolerance)
        self._secret = TextSecret(secret)
        #: Seconds, back only.
        self.tolerance = tolerance

    def __repr__(self) -> str:
        return f"<ElevenLabsScheme, {self.tolerance:g} s>"

    def headers(self, body: Body, now: float | None = None) -> dict[str, str]:
        """Return the header that a signed request must carry, its name in lower case.

        :param now: seconds since 1970, rounded down; default: the current time.
        :raises SignatureError: the time cannot stand in it.
        """
        timestamp = str(int(time.time() if now is None else now))
        seconds_of("t", timestamp.encode("ascii"))
        signature = _signature(self._secret.key, body, timestamp.encode("ascii"))
        return {SIGNATURE: f"t={timestamp},v0={signature.decode('ascii')}"}

    def verify(self, headers: Headers, body: Body, now: float | None = None) -> None:
        """Check that the request was signed with this secret, within the tolerance.

        :param now: seconds since 1970; default: the current time.
        :raises SignatureError: it was not; the message says why, for the log. Errors of ``body`` are passed on.
        """
        timestamp, signatures = _claimed(headers)
        seconds = seconds_of(f"t in {SIGNATURE}", timestamp)
        if not _is_one_of(signatures, _signature(self._secret.key, body, timestamp)):
            raise SignatureError("the signature differs: the secret, body or timestamp is not what was signed")
        age = (time.time() if now is None else now) - seconds
        check_age(f"t in {SIGNATURE}", age, back=self.tolerance, ahead=math.inf)

    def explain(self, headers: Headers, body: Body, now: float | None = None) -> str:
        """Say which part of a refused request differs from the signed one, by trying likely other values.

        For development, after ``verify`` has refused: it computes some dozen signatures. ``body`` is read again.
        """
        try:
            timestamp, signatures = _claimed(headers)
        except SignatureError as error:
            return str(error)

        def fits(key: Key, body: bytes, timestamp: bytes) -> bool:
            return _is_one_of(signatures, _signature(key, body, timestamp))

        return explain(self._secret, body, timestamp, fits)


def _claimed(headers: Headers) -> tuple[bytes, list[bytes]]:
    """Return the timestamp and the signatures of a request, at least one of them well-formed.

    :raises SignatureError: the header is missing or malformed.
    """
    value = header_of(headers, SIGNATURE, ": the authentication of the webhook is perhaps not set to HMAC")
    parts = [part.strip(b" \t").partition(b"=") for part in value.split(b",")]
    timestamps = [found for name, _, found in parts if name == b"t"]
    if len(timestamps) != 1:
        # ElevenLabs' SDK takes the last one. Code that reads the first would see another age than was checked.
        raise SignatureError(f"{SIGNATURE} has {len(timestamps) or 'no'} t=: it must be {FORM}")
    signatures = [found for name, _, found in parts if name == b"v0"]
    if not signatures:
        raise SignatureError(f"{SIGNATURE} has no v0=: it must be {FORM}")
    if not any(map(_HEX.fullmatch, signatures)):
        raise SignatureError(f"v0 in {SIGNATURE} is malformed: it must be {FORM}")
    return timestamps[0], signatures


def _signature(key: Key, body: Body, timestamp: bytes) -> bytes:
    return key.digest(timestamp + b".", body).hex().encode("ascii")


def _is_one_of(claimed: list[bytes], expected: bytes) -> bool:
    # Compare with every one, so that the time taken does not reveal which one was close.
    results = [hmac.compare_digest(each, expected) for each in claimed]
    return any(results)
