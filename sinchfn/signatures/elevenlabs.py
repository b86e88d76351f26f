"""The scheme of the events that ElevenLabs sends: timestamp and body under one HMAC."""

from __future__ import annotations

import hmac
import math
import re
import time

from ..errors import SignatureError
from .border import Body, Headers, Key, TextSecret, check_age, check_tolerance, header_of, seconds_of
from .guesses import explain

SIGNATURE = "elevenlabs-signature"

#: What the header must look like, for messages. Other parts may stand in it, too.
FORM = '"t=<seconds since 1970>,v0=<64 hexadecimal digits in lower case>"'

_HEX = re.compile(rb"[0-9a-f]{64}")


class ElevenLabsScheme:
    """ElevenLabs events: `ElevenLabs-Signature: t=<timestamp>,v0=<signature>`.

    The signature is the lower-case hex of an HMAC-SHA256, with the text of the secret, over `<timestamp>.<body>`. The
    timestamp is in seconds since 1970. Agreed by the ElevenLabs docs and Python SDK.

    While a secret is exchanged a request may carry several `v0=`: one that holds is enough. Parts of other names are
    ignored, as are spaces and tabs around a part. There is one `t=`, neither more nor less.

    Nothing in a request tells it from the same one sent once more: an event can come twice.

    :param secret: the secret of the webhook, as it is shown (`wsec_...`). Its text is the key: it is not Base64.
    :param tolerance: seconds that a timestamp may lie in the past: 30 minutes in docs and SDK. One in the future is
        accepted, as there.
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
        """The header that a signed request must carry, its name in lower case.

        :param now: seconds since 1970, of which a fraction is dropped; the current time unless told.
        :raises SignatureError: the time cannot stand in it.
        """
        timestamp = str(int(time.time() if now is None else now))
        seconds_of("t", timestamp.encode("ascii"))
        signature = _signature(self._secret.key, body, timestamp.encode("ascii"))
        return {SIGNATURE: f"t={timestamp},v0={signature.decode('ascii')}"}

    def verify(self, headers: Headers, body: Body, now: float | None = None) -> None:
        """Return if the request was signed with this secret, and lately.

        :param now: seconds since 1970; the current time unless told.
        :raises SignatureError: otherwise; the message says why, for the log. What `body` raises comes through.
        """
        timestamp, signatures = _claimed(headers)
        seconds = seconds_of(f"t in {SIGNATURE}", timestamp)
        if not _is_one_of(signatures, _signature(self._secret.key, body, timestamp)):
            raise SignatureError("the signature differs: the secret, body or timestamp is not what was signed")
        age = (time.time() if now is None else now) - seconds
        check_age(f"t in {SIGNATURE}", age, back=self.tolerance, ahead=math.inf)

    def explain(self, headers: Headers, body: Body, now: float | None = None) -> str:
        """Say which part of a refused request differs from what was signed, by trying likely other ones.

        For development, after `verify` refused: it costs some dozen signatures. `body` has to give its pieces anew.
        """
        try:
            timestamp, signatures = _claimed(headers)
        except SignatureError as error:
            return str(error)

        def fits(key: Key, body: bytes, timestamp: bytes) -> bool:
            return _is_one_of(signatures, _signature(key, body, timestamp))

        return explain(self._secret, body, timestamp, fits)


def _claimed(headers: Headers) -> tuple[bytes, list[bytes]]:
    """The timestamp and the signatures that the header gives, at least one of them well-formed.

    :raises SignatureError: it gives none.
    """
    value = header_of(headers, SIGNATURE, ": the authentication of the webhook may be set to something else than HMAC")
    parts = [part.strip(b" \t").partition(b"=") for part in value.split(b",")]
    timestamps = [found for name, _, found in parts if name == b"t"]
    if len(timestamps) != 1:
        # Their SDK takes the last one. Whoever reads the first would see another age than the one that was checked.
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
    # Every one is compared, so the time taken does not tell which one was close.
    results = [hmac.compare_digest(each, expected) for each in claimed]
    return any(results)
