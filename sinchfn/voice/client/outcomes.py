"""What one attempt at a request came to, and whether there may be another."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Literal

#: An answer of any status; no connection could be made, so nothing was sent; the certificate or TLS itself failed; the
#: connection broke, so the request may have arrived; no whole answer in time; an answer that is too large to be one.
Kind = Literal["answer", "unreached", "untrusted", "broken", "slow", "oversized"]

#: Statuses of a platform that is busy or down for a moment.
BUSY = (429, 502, 503, 504)

#: Seconds before the second and the third attempt; up to half of it less, so that many clients do not come at once.
WAITS = (0.3, 1.2)

#: Longest Retry-After, in seconds, that is waited for. A caller is on the line.
LONGEST_WAIT = 5.0

#: Seconds after the first attempt in which another one may begin.
LAST_START = 15.0


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """What one attempt came to."""

    kind: Kind
    #: why there was no answer
    reason: str = ""
    #: 0 without an answer
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether the platform did what was asked."""
        return self.kind == "answer" and 200 <= self.status < 300

    @property
    def retry_after(self) -> float | None:
        """Seconds that the platform asked to wait."""
        text = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]{1,9}", text):
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None

    def __repr__(self) -> str:
        # Without reason and body: they may quote what was sent.
        return str(self.status) if self.kind == "answer" else self.kind


def may_be_repeated(method: str, outcome: Outcome) -> bool:
    """Whether the same request may be sent again.

    Anything that was never sent may. Of the rest only a GET: it changes nothing. A POST whose answer was lost may have
    made a call, a second PATCH would say its text twice, a second DELETE would throw out who joined meanwhile. No
    whole answer in time is no reason to wait as long again.
    """
    if outcome.kind == "unreached":
        return True
    return method == "GET" and (outcome.kind == "broken" or outcome.status in BUSY)


def wait_before(attempt: int, outcome: Outcome) -> float | None:
    """Seconds to wait before attempt number `attempt`; None if there shall be none."""
    if attempt > len(WAITS) + 1:
        return None
    asked = outcome.retry_after
    if asked is not None:
        return asked if asked <= LONGEST_WAIT else None
    return WAITS[attempt - 2] * (1 - random.random() / 2)  # noqa: S311 - nothing is guarded by it
