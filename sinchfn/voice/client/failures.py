"""What to say about a request that failed, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ... import jsontext
from ...errors import VoiceApiError
from .outcomes import Kind, Outcome

_CREDENTIALS = (
    "Check VOICE_APPLICATION_KEY and VOICE_APPLICATION_SECRET (key and secret of the client): "
    "both must be those of one Voice application, and it must be one of this region."
)
_CLOCK = "Check the clock of this machine: the time of a request is signed, and it must be right."
_REGION = "It has ended, or it is in another region: set SINCHFN_VOICE_API (api of the client) to its region."
_REDIRECT = (
    "A signed request follows no redirect: set SINCHFN_VOICE_API (api of the client) to the right region or URL."
)
_LATER = "The platform is busy or down: try again later."
_CREDIT = "The account has too little credit for it."

#: The platform's error code, else status -> what to do.
ADVICE: Mapping[int, str] = {
    40005: "A phone number begins with a plus.",
    40004: _CREDENTIALS,
    40101: _CLOCK,
    40105: _CLOCK,
    401: _CREDENTIALS,
    402: _CREDIT,
    403: "The application may not do this: look at what its account allows, such as countries and numbers to show.",
    404: _REGION,
    **dict.fromkeys((301, 302, 303, 307, 308), _REDIRECT),
    429: "Ask less often.",
    **dict.fromkeys((500, 502, 503, 504), _LATER),
}

#: Kind of outcome -> what happened, and what to do.
TROUBLE: Mapping[Kind, tuple[str, str]] = {
    "unreached": ("no connection could be made", "Check the network, and SINCHFN_VOICE_API (api of the client)."),
    "untrusted": ("TLS failed", "Check SINCHFN_VOICE_API (api of the client) and the system's certificates."),
    "broken": ("the connection broke before the whole answer was there", ""),
    "slow": ("there was no whole answer in time", ""),
    "oversized": ("the answer is too large to be one of the voice API", ""),
}

#: Characters of the platform's own words that a message shows.
SHOWN = 300


def failure(asked: str, outcome: Outcome, unsafe: bool, secret: str) -> VoiceApiError:
    """The error for an outcome that is no success.

    :param asked: what was asked, as the message begins.
    :param unsafe: whether it would have changed something.
    :param secret: what must not be in the message even if the answer repeats it.
    """
    if outcome.kind != "answer":
        happened, advice = TROUBLE[outcome.kind]
        reason = _shown(outcome.reason, secret)
        text = _sentences(f"{asked}: {happened}: {reason}.", _maybe_done(outcome, unsafe), advice)
        return VoiceApiError(text, message=reason)
    found = _object(outcome.body)
    code = _code(found.get("errorCode"))
    message, reference = _shown(found.get("message"), secret), _shown(found.get("reference"), secret)
    wait = outcome.retry_after
    text = _sentences(
        f"{asked} was answered {_answered(outcome, code, message, reference)}.",
        ADVICE.get(code or 0) or ADVICE.get(outcome.status, ""),
        "" if wait is None else f"It asks to wait {wait:.0f} s.",
    )
    return VoiceApiError(
        text, status=outcome.status, code=code, message=message, reference=reference or None, retry_after=wait
    )


def unusable(asked: str, outcome: Outcome, unsafe: bool) -> VoiceApiError:
    """The error for a success whose body is not the JSON object it should be."""
    done = "What was asked was probably done." if unsafe else ""
    text = _sentences(f"{asked} was answered {outcome.status} with {_kind_of(outcome)}, not a JSON object.", done)
    return VoiceApiError(_sentences(text, "Check SINCHFN_VOICE_API (api of the client)."), status=outcome.status)


def _answered(outcome: Outcome, code: int | None, message: str, reference: str) -> str:
    if code is None and not message:
        return f"{outcome.status} with {_kind_of(outcome)}, which is no error of the voice API"
    number = "" if code is None else f", error {code}"
    return f'{outcome.status}{number} "{message}"' + (f" (reference {reference})" if reference else "")


def _kind_of(outcome: Outcome) -> str:
    kind = outcome.headers.get("content-type", "").partition(";")[0].strip()
    return f"{len(outcome.body)} bytes of {_shown(kind, '') or 'no content type'}"


def _maybe_done(outcome: Outcome, unsafe: bool) -> str:
    is_sent = outcome.kind not in ("unreached", "untrusted")
    return "The platform may have done it all the same, so it was not sent again." if is_sent and unsafe else ""


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = jsontext.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _code(found: object) -> int | None:
    """The platform's document has codes as text, its answers as numbers."""
    if isinstance(found, str) and re.fullmatch(r"[0-9]{1,9}", found):
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _shown(found: object, secret: str) -> str:
    """Text of the other side for a message: one line, cut, without `secret`."""
    text = found if isinstance(found, str) else ""
    for part in filter(None, (secret, secret.rpartition(":")[2])):
        text = text.replace(part, "***")
    return repr(text[:SHOWN])[1:-1]


def _sentences(*parts: str) -> str:
    return " ".join(filter(None, parts))
