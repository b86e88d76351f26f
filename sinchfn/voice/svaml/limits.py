"""The limits of the wire, and what refuses a value beyond them.

Source: OpenAPI Voice v1. The longest text of a prompt is in `prompts`, what `MenuBuilder` takes in `menus`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from marshmallow import ValidationError

from .faults import describe

Check = Callable[[Any], None]

#: Characters of one `say`.
SAY_CHARS = 600
#: Characters of a conference's id.
CONFERENCE_ID_CHARS = 64
#: Seconds that a connected call may last.
CALL_SECONDS = 4 * 60 * 60
#: Seconds that a call may be parked.
PARK_SECONDS = 600
#: Bytes of UTF-8 of all cookies of an answer, keys and values.
COOKIE_BYTES = 1024
#: Bytes of UTF-8 of all headers of a call, keys and values.
HEADER_BYTES = 1024


def at_most_chars(limit: int) -> Check:
    """Refuse a text of more than `limit` characters."""

    def check(text: str) -> None:
        if len(text) > limit:
            raise ValidationError(f"at most {limit} characters are allowed, found {len(text)}.")

    return check


def between(lowest: int, highest: int) -> Check:
    """Refuse a number outside `lowest` to `highest`, both allowed."""

    def check(number: int) -> None:
        if not lowest <= number <= highest:
            raise ValidationError(f"{lowest} to {highest} is allowed, found {describe(number)}.")

    return check


def at_least(lowest: int) -> Check:
    """Refuse a number below `lowest`."""

    def check(number: int) -> None:
        if number < lowest:
            raise ValidationError(f"{lowest} or more is allowed, found {describe(number)}.")

    return check


def number_of(*numbers: int) -> Check:
    """Refuse a number that is not in the list."""

    def check(number: int) -> None:
        if number not in numbers:
            raise ValidationError(f"allowed: {', '.join(map(str, numbers))}; found {describe(number)}.")

    return check


def matches(pattern: str, allowed: str) -> Check:
    """Refuse a text that is not `pattern` from end to end; `allowed` says in words what is."""
    whole = re.compile(pattern).fullmatch

    def check(text: str) -> None:
        if not whole(text):
            raise ValidationError(f"allowed: {allowed}; found {describe(text)}.")

    return check


def total_bytes(limit: int, what: str) -> Check:
    """Refuse a list of `{key, value}` whose keys and values have more than `limit` bytes of UTF-8 in all."""

    def check(pairs: Iterable[Mapping[str, Any]]) -> None:
        total = sum(_bytes(pair.get("key", "")) + _bytes(pair.get("value", "")) for pair in pairs)
        if total > limit:
            raise ValidationError(f"all {what} together may have at most {limit} bytes, found {total}.")

    return check


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


check_cookies = total_bytes(COOKIE_BYTES, "cookies of an answer")
check_call_headers = total_bytes(HEADER_BYTES, "call headers")
check_dtmf = matches("[0-9#w]*", "the digits 0-9, # and w (a pause of 500 ms)")
check_option_action = matches(r"(?:menu|return)\([^()]+\)", "menu(<id of a menu>) or return(<value>)")
check_stream_endpoint = matches(
    r"(?s)/.*|(?i:wss?)://.+", 'a URL that begins with "wss://", or a path such as "/stream"'
)
