"""Strict JSON, read from callers and written to them.

Input with any of these is refused, because each would surface later as something worse than a 400: ``NaN`` and
``Infinity``, numbers too large for a float, nesting deeper than :data:`MAX_DEPTH`, halves of surrogate pairs, bytes
that are not UTF-8.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from .faults import describe_type

#: The deepest nesting of arrays and objects. The deepest payload of the platform has about ten levels.
MAX_DEPTH = 100

_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def loads(data: bytes) -> Any:
    """Return the value of the JSON in ``data``.

    :raises ValueError: it is not JSON, or it is refused here; the message says why.
    """
    try:
        text = data.decode()
        value = _decoder.decode(text[1:] if text[:1] == "\ufeff" else text)
        if _HALF_PAIR.search(data):
            _encode_raw(value).encode()
    except UnicodeError:
        raise ValueError("it is not valid UTF-8") from None
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels") from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    return value


def dumps(value: Any) -> str:
    """Return the JSON of ``value``, compact and in ASCII.

    Besides the types of JSON it takes dataclasses, members of enumerations (as their value), dates and times (ISO
    8601), ``Decimal`` and ``UUID`` (as text), rows of a database (``sqlite3.Row``, as an object; of columns with the
    same name the last counts), and objects with a ``build()`` that returns their JSON value, such as SVAML builders.

    :raises TypeError: a part of it cannot be written as JSON.
    :raises ValueError: it holds NaN or infinity, or contains itself.
    """
    return _encode(value)


def is_row(value: object) -> bool:
    """Return True if ``value`` is a ``sqlite3.Row``, without importing that module."""
    return _is_of_sqlite(value, "Row")


def is_cursor(value: object) -> bool:
    """Return True if ``value`` is a ``sqlite3.Cursor``."""
    return _is_of_sqlite(value, "Cursor")


def _is_of_sqlite(value: object, name: str) -> bool:
    return any((kind.__module__, kind.__name__) == ("sqlite3", name) for kind in type(value).__mro__)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"a number is too large: {text[:20]}")
    return number


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _is_deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _default(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if is_row(value):
        row: Any = value
        return dict(zip(row.keys(), row, strict=True))
    build = getattr(value, "build", None)
    if callable(build) and not isinstance(value, type):
        return build()
    raise TypeError(f"{describe_type(value)} cannot be written as JSON")


_decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_default).encode
_encode_raw = json.JSONEncoder(ensure_ascii=False).encode
