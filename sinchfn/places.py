"""Where a piece of the function is written, for messages about it."""

from __future__ import annotations

import inspect


def place_of(value: object) -> str:
    """``file, line n`` of a function or class; empty if it cannot be told."""
    code = getattr(inspect.unwrap(value) if callable(value) else value, "__code__", None)
    if code is not None:
        return f"{code.co_filename}, line {code.co_firstlineno}"
    try:
        return f"{inspect.getsourcefile(value)}, line {inspect.getsourcelines(value)[1]}"  # type: ignore[arg-type]
    except (TypeError, OSError):  # neither function nor class; or its file is gone
        return ""
