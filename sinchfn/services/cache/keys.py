"""What the keys and the times to live of the cache may be."""

from __future__ import annotations

import math

#: Longest key, in bytes of UTF-8.
LONGEST_KEY = 1024

#: Longest time to live, in seconds, some 3000 years. A longer one counts as this.
LONGEST_TTL = 1e11


def shown(key: object) -> str:
    """A key as it stands in messages: shortened, on one line."""
    try:
        text = repr(key)
    except ValueError:  # Python writes no number of so many digits
        return f"a very large {type(key).__name__}"
    return text if len(text) <= 80 else f"{text[:60]}...{text[-1]} ({len(text) - 2} characters)"


def check_key(key: object) -> None:
    """
    :raises ValueError: it cannot be a key.
    """
    if not isinstance(key, str):
        found = "None" if key is None else f"{type(key).__name__} {shown(key)}"
        raise ValueError(f"A cache key is a str, found {found}.")  # noqa: TRY004
    if not key:
        raise ValueError("A cache key cannot be empty, found ''.")
    if "\0" in key:
        raise ValueError(f"The cache key {shown(key)} has a NUL character: leave it out.")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise ValueError(f"The cache key {shown(key)} has half of a surrogate pair: it is no text.") from None
    if size > LONGEST_KEY:
        raise ValueError(
            f"The cache key {shown(key)} is too long: {size} bytes in UTF-8, at most {LONGEST_KEY} are taken."
        )


def is_key(text: str) -> bool:
    """Return True if `text` can be a key. What other programs put into a Redis need not be."""
    return len(text) > 0 and "\0" not in text and len(text.encode()) <= LONGEST_KEY


def milliseconds_of(seconds: float, what: str, key: str) -> int:
    """
    :raises ValueError: it is no positive, finite number.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        found = "None" if seconds is None else f"a {type(seconds).__name__}"
        raise ValueError(  # noqa: TRY004 - as every other time that cannot be one
            f"The {what} of {shown(key)} is {found}: it takes a number of seconds.{_remedy(seconds)}"
        )
    if not 0 < seconds < math.inf:
        takes = f"it takes a positive, finite number of seconds.{_remedy(seconds)}"
        raise ValueError(f"The {what} of {shown(key)} is {shown(seconds)}: {takes}")
    return max(1, round(min(seconds, LONGEST_TTL) * 1000))


def _remedy(seconds: object) -> str:
    if seconds is None or seconds == math.inf:
        return " To keep it for good, give a large one, such as 10*365*86400."
    return " Write .total_seconds()." if hasattr(seconds, "total_seconds") else ""
