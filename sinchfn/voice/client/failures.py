"""The outcome of a request, the rule for sending it again, and the error for one that failed."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from ...errors import VoiceApiError
from ...wire import json

Kind = Literal["answer", "unreached", "untrusted", "broken", "slow", "oversized"]

#: Kind of outcome without an answer -> what happened.
HAPPENED: Mapping[Kind, str] = {
    "unreached": "no connection could be made",  # so nothing was sent
    "untrusted": "TLS failed",
    "broken": "the connection broke before the answer was complete",  # the request may have arrived
    "slow": "no complete answer came in time",
    "oversized": "the answer is too large to be one of the voice API",
}

_CREDENTIALS = (
    "Check VOICE_APPLICATION_KEY and VOICE_APPLICATION_SECRET (key and secret of the client): "
    "both must belong to the same Voice application, and it must be an application of this region."
)
_CLOCK = "Check the clock of this machine: the time of a request is signed, and it must be right."
_BASE = "SINCHFN_VOICE_API (api of the client)"
_LATER = "The platform is busy or down: try again later."

#: The platform's error code, else the HTTP status or the kind of outcome -> what to do.
ADVICE: Mapping[int | str, str] = {
    40005: "A phone number begins with a plus.",
    40004: _CREDENTIALS,
    40101: _CLOCK,
    40105: _CLOCK,
    401: _CREDENTIALS,
    402: "The account has too little credit for it.",
    403: "The application may not do this: check what its account allows, such as countries and numbers to show.",
    404: f"It has ended, or it is in another region: set {_BASE} to its region.",
    **dict.fromkeys(
        (301, 302, 303, 307, 308),
        f"A signed request does not follow redirects: set {_BASE} to the right region or URL.",
    ),
    429: "Send fewer requests.",
    **dict.fromkeys((500, 502, 503, 504), _LATER),
    "unreached": f"Check the network, and {_BASE}.",
    "untrusted": f"Check {_BASE} and the system's certificates.",
}

#: Statuses of a platform that is busy or down for a moment.
BUSY = (429, 502, 503, 504)
#: Seconds before the second and the third attempt, shortened at random by up to half, so that clients spread out.
WAITS = (0.3, 1.2)
#: The longest ``Retry-After``, in seconds, that is waited for. A caller is on the line.
LONGEST_WAIT = 5.0
#: Seconds after the first attempt in which another one may begin.
LAST_START = 15.0

#: Characters of the platform's own words that a message shows.
SHOWN = 300


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """The outcome of one attempt: an answer of any status, or the reason why there was none."""

    kind: Kind
    #: Why there was no answer.
    reason: str = ""
    #: 0 without an answer.
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        """Return True if the platform did what the request asked for."""
        return self.kind == "answer" and 200 <= self.status < 300

    @property
    def retry_after(self) -> float | None:
        """The seconds that the platform asked to wait."""
        text = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]{1,9}", text):
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None

    @property
    def json(self) -> dict[str, Any] | None:
        """The JSON object in the body; None if the body is anything else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    @property
    def content(self) -> str:
        """The size and type of the body, for a message."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        return f"{len(self.body)} bytes of {_one_line(kind) or 'no content type'}"

    def __repr__(self) -> str:
        # Without reason and body, which may quote what was sent.
        return str(self.status) if self.kind == "answer" else self.kind


def wait_before_retry(method: str, outcome: Outcome, attempts: int, elapsed: float) -> float | None:
    """Return the seconds to wait before a failed request is sent again; None if it must not be sent again.

    A request that was never sent may be repeated. One that was sent only if it is a GET, which changes nothing: a POST
    whose answer was lost may have made a call, a second PATCH would say its text twice, and a second DELETE would throw
    out participants who joined meanwhile. After a timeout the caller should not have to wait as long again.

    :param attempts: the number of attempts so far.
    :param elapsed: seconds since the first attempt began.
    """
    is_harmless = method == "GET" and (outcome.kind == "broken" or outcome.status in BUSY)
    if attempts > len(WAITS) or not (outcome.kind == "unreached" or is_harmless):
        return None
    wait = outcome.retry_after
    if wait is None:
        wait = WAITS[attempts - 1] * (1 - random.random() / 2)  # noqa: S311 - it guards nothing
    return wait if wait <= LONGEST_WAIT and elapsed + wait <= LAST_START else None


def failure(asked: str, outcome: Outcome, changes: bool, secret: str) -> VoiceApiError:
    """Return the error for an outcome that is not a success.

    :param asked: the request, as the message begins.
    :param changes: True if the request would have changed something.
    :param secret: a text that must not be in the message even if the answer repeats it.
    """
    if outcome.kind == "answer":
        return _refusal(asked, outcome, secret)
    reason = _one_line(outcome.reason, secret)
    was_sent = outcome.kind not in ("unreached", "untrusted")
    text = _sentences(
        f"{asked}: {HAPPENED[outcome.kind]}: {reason}.",
        "The platform may still have carried it out, so it was not sent again." if was_sent and changes else "",
        ADVICE.get(outcome.kind, ""),
    )
    return VoiceApiError(text, message=reason)


def _refusal(asked: str, outcome: Outcome, secret: str) -> VoiceApiError:
    found = outcome.json or {}
    # The platform's document has codes as text, its answers have numbers.
    digits = re.fullmatch(r"[0-9]{1,9}", str(found.get("errorCode"))[:10])
    code = int(digits[0]) if digits else None
    message, reference = _one_line(found.get("message"), secret), _one_line(found.get("reference"), secret)
    if code is None and not message:
        answer = f"{outcome.status} with {outcome.content}, which is not an error of the voice API"
    else:
        answer = f'{outcome.status}{f", error {code}" if digits else ""} "{message}"'
        answer += f" (reference {reference})" if reference else ""
    wait = outcome.retry_after
    text = _sentences(
        f"{asked} was answered {answer}.",
        ADVICE.get(code or 0) or ADVICE.get(outcome.status, ""),
        "" if wait is None else f"The platform asks to wait {wait:.0f} s.",
    )
    return VoiceApiError(
        text, status=outcome.status, code=code, message=message, reference=reference or None, retry_after=wait
    )


def unusable(asked: str, outcome: Outcome, changes: bool) -> VoiceApiError:
    """Return the error for a success whose body is not the JSON object that it should be."""
    text = _sentences(
        f"{asked} was answered {outcome.status} with {outcome.content}, not a JSON object.",
        "The request was probably carried out." if changes else "",
        f"Check {_BASE}.",
    )
    return VoiceApiError(text, status=outcome.status)


def _one_line(found: object, secret: str = "") -> str:
    """Return text of the other side for a message: one line, cut, without ``secret``."""
    text = found if isinstance(found, str) else ""
    for part in filter(None, (secret, secret.rpartition(":")[2])):
        text = text.replace(part, "***")
    return repr(text[:SHOWN])[1:-1]


def _sentences(*parts: str) -> str:
    return " ".join(filter(None, parts))
