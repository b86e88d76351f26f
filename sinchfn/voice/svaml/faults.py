"""What is wrong with a piece of SVAML, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from marshmallow.exceptions import SCHEMA, ValidationError

from ...errors import SvamlError

SHOWN_CHARS = 40  # of a found text or an unknown key


class Fault(NamedTuple):
    """One thing that is wrong; `str()` of it is a line for the log."""

    #: Where, such as `instructions[1].text`; empty for the answer as a whole.
    path: str
    #: What was found and what is allowed.
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


@dataclass(frozen=True, slots=True)
class Faults:
    """What a check found. True if there is a fault; warnings alone leave it false."""

    #: What is not in the platform's schema.
    faults: tuple[Fault, ...] = ()
    #: What the platform documents for other events only, or in its older documents, and may or may not do.
    warnings: tuple[Fault, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.faults)


def describe(value: object) -> str:
    """`value` in a few words for a message, whatever it is: never more than its type for what can be large."""
    if isinstance(value, str):
        return f'"{shorten(value)}" (str)'
    if value is None or isinstance(value, bool | float):
        return f"{value} ({type(value).__name__})"
    if isinstance(value, int) and abs(value) < 10**18:  # the text of a huge int is slow, beyond 4300 digits an error
        return f"{value} (int)"
    return f"a value of type {type(value).__name__}"


def shorten(text: str) -> str:
    """`text`, cut to what fits into a message."""
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"


def flatten(messages: object, path: str = "") -> Iterator[Fault]:
    """The faults in the messages of a marshmallow `ValidationError`: nested dicts become paths."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from flatten(inner, _join(path, key))
    elif isinstance(messages, list):
        for inner in messages:
            yield from flatten(inner, path)
    else:
        yield Fault(path, str(messages))


def _join(path: str, key: object) -> str:
    if key == SCHEMA:  # marshmallow's key for the object itself
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    name = shorten(str(key))
    return f"{path}.{name}" if path else name


def svaml_error(error: ValidationError, path: str) -> SvamlError:
    """The error that a builder raises for what a schema or one of its fields found."""
    return SvamlError(" ".join(str(fault) for fault in flatten(error.messages, path)))
