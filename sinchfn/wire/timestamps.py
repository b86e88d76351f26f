"""The date-times of the platform, in payloads and in ``x-timestamp``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

#: ISO 8601; seconds, fraction (7 digits are usual) and offset may be missing; no offset means UTC.
TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
)


def read_timestamp(text: str) -> datetime:
    """Return an aware ``datetime`` in UTC. Digits beyond microseconds are dropped.

    :raises ValueError: the text is not a date-time in this form, or the date does not exist.
    """
    if not TIMESTAMP.fullmatch(text):
        raise ValueError("it is not an ISO 8601 date-time")
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the 31st of June; the year 1 or 9999 with an offset
        raise ValueError("it is a date and time that does not exist") from None


def write_timestamp(seconds: float) -> str:
    """Return seconds since 1970 as the platform writes them: UTC, seven digits of fraction, ``Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
