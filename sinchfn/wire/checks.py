"""The checks of one value that fields of a schema take: lengths, ranges, patterns.

Each function here makes a check, which raises marshmallow's ``ValidationError`` for a value that it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from marshmallow import ValidationError

from .faults import describe

Check = Callable[[Any], None]


def at_most_chars(limit: int) -> Check:
    """Refuse a text of more than ``limit`` characters."""

    def check(text: str) -> None:
        if len(text) > limit:
            raise ValidationError(f"must have at most {limit} characters, found {len(text)}.")

    return check


def between(lowest: int, highest: int) -> Check:
    """Refuse a number outside ``lowest`` to ``highest``, both allowed."""

    def check(number: float) -> None:
        if not lowest <= number <= highest:
            raise ValidationError(f"must be from {lowest} to {highest}, found {describe(number)}.")

    return check


def at_least(lowest: int) -> Check:
    """Refuse a number below ``lowest``."""

    def check(number: float) -> None:
        if number < lowest:
            raise ValidationError(f"must be {lowest} or more, found {describe(number)}.")

    return check


def number_of(*numbers: int) -> Check:
    """Refuse a number that is not in the list."""

    def check(number: int) -> None:
        if number not in numbers:
            raise ValidationError(f"must be one of {', '.join(map(str, numbers))}; found {describe(number)}.")

    return check


def matches(pattern: str, allowed: str) -> Check:
    """Refuse a text that ``pattern`` does not match from end to end; ``allowed`` says in words what it matches."""
    whole = re.compile(pattern).fullmatch

    def check(text: str) -> None:
        if not whole(text):
            raise ValidationError(f"must be {allowed}; found {describe(text)}.")

    return check


def total_bytes(limit: int, what: str) -> Check:
    """Refuse a list of ``{key, value}`` whose keys and values have more than ``limit`` bytes of UTF-8 in all."""

    def check(pairs: Iterable[Mapping[str, Any]]) -> None:
        texts = (pair.get(member, "") for pair in pairs for member in ("key", "value"))
        total = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        if total > limit:
            raise ValidationError(f"all {what} together must have at most {limit} bytes, found {total}.")

    return check
