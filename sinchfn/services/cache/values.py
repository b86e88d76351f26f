"""The values of the cache: checked, and written as compact JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from ...wire.faults import quote

#: Deepest nesting of lists and dicts: twice that of what a request may carry, so that this can be cached, wrapped too.
DEEPEST = 200

#: A type that is not JSON -> what to write instead.
INSTEAD = {
    "datetime.datetime": "text: {}.isoformat()",
    "datetime.date": "text: {}.isoformat()",
    "datetime.time": "text: {}.isoformat()",
    "datetime.timedelta": "a number of seconds: {}.total_seconds()",
    "decimal.Decimal": "text: str({})",
    "uuid.UUID": "text: str({})",
    "builtins.set": "a list: list({})",
    "builtins.frozenset": "a list: list({})",
    "sqlite3.Row": "a dict: dict({})",
}

_SCALARS = frozenset((str, int, float, bool, type(None)))
_ALLOWED = "The cache takes None, bool, int, finite float, str, and lists and dicts of those with str keys"

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


def dump(value: object, key: str) -> str:
    """Return the JSON of `value`, which can always be encoded as UTF-8.

    :raises TypeError: it is not a JSON value. The message names `key`, the place inside the value, and what is there.
    """
    if type(value) in _SCALARS or _is_tree(value, DEEPEST):
        try:
            text = _encode(value)
            if not text.isascii():
                text.encode()
            return text
        except (ValueError, RecursionError):  # NaN, half of a surrogate pair, an int of more digits than Python writes
            pass
    place, fault = next(_faults(value, "value", DEEPEST), ("value", "too large or too deeply nested"))
    raise TypeError(f"Cannot cache {quote(key)}: {place} is {fault}. {_ALLOWED}.")


def load(text: str) -> Any:
    """Return the value of the JSON `text`.

    :raises ValueError: it was not written by :func:`dump`.
    """
    value, end = _decode(text)
    if end != len(text):
        raise ValueError(f"more follows after its end at character {end}")
    return value


def _is_tree(value: object, levels: int) -> bool:
    """Return True if `value` is only scalars in lists and in dicts with str keys."""
    if not levels:
        return False
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                return False
        inside: Iterable[object] = value.values()
    elif isinstance(value, (list, tuple)):
        inside = value
    else:
        return isinstance(value, (str, int, float)) or value is None
    for inner in inside:  # noqa: SIM110 - this runs for every value that is set, and all() takes twice as long
        if type(inner) not in _SCALARS and not _is_tree(inner, levels - 1):
            return False
    return True


def _faults(value: object, place: str, levels: int) -> Iterator[tuple[str, str]]:
    """Yield each place that is not JSON, and its fault. Slow, because it tracks the place."""
    if isinstance(value, (dict, list, tuple)):
        if not levels:
            yield _short(place), f"nested deeper than {DEEPEST} levels, or contains itself"
            return
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            shown_name = _short(repr(name))
            if isinstance(value, dict) and not isinstance(name, str):
                yield f"a key of {_short(place)}", f"of type {type(name).__name__} ({shown_name})"
            elif isinstance(name, str) and is_half_text(name):
                yield f"a key of {_short(place)}", f"invalid text with half of a surrogate pair ({shown_name})"
            yield from _faults(inner, f"{place}[{shown_name}]", levels - 1)
    elif fault := _scalar_fault(value):
        instead = INSTEAD.get(f"{type(value).__module__}.{type(value).__qualname__}")
        yield _short(place), fault + (f"; write it as {instead.format(_short(place))}" if instead else "")


def _scalar_fault(value: object) -> str | None:
    if isinstance(value, str):
        return "invalid text: a str with half of a surrogate pair" if is_half_text(value) else None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"the float {value}"
    if value is None or (isinstance(value, int) and value.bit_length() < 2048):
        return None
    return "an int of too many digits" if isinstance(value, int) else f"of type {type(value).__name__}"


def is_half_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]}...{text[-60:]}"
