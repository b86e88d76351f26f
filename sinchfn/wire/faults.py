"""The faults that a check finds in a value, and the words in which messages show a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from marshmallow.exceptions import SCHEMA

#: Characters of a text or a key that a message shows.
SHOWN_CHARS = 40

#: Python type -> its name in JSON, for messages about what others sent.
JSON_TYPES: Mapping[type, str] = MappingProxyType(
    {
        type(None): "null",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
)


class Fault(NamedTuple):
    """One thing that is wrong; ``str()`` of it is a line for the log."""

    #: The place, such as ``instructions[1].text``; empty for the whole value.
    path: str
    #: What was found and what is allowed.
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


@dataclass(frozen=True, slots=True)
class Faults:
    """The result of a check. True if there is a fault; warnings alone leave it false."""

    #: What the platform's schema does not allow.
    faults: tuple[Fault, ...] = ()
    #: What the platform documents for other events only, or in its older documents, and may or may not do.
    warnings: tuple[Fault, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.faults)


def describe(value: object) -> str:
    """Return a few words that show ``value`` in a message: ``"abc" (str)``, ``5 (int)``, ``None``, ``a dict``.

    Values that can be large show their type only.
    """
    if isinstance(value, str):
        return f'"{shorten(value)}" (str)'
    # The text of a huge int is slow, and beyond 4300 digits an error.
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 10**18):
        return f"{value} ({type(value).__name__})"
    return describe_type(value)


def describe_type(value: object) -> str:
    """Return the type of ``value`` with an article, ``a dict`` or ``an int``, and never what is in it."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def json_type(value: object) -> str:
    """Return the type of ``value`` in the words of JSON: ``a number``, ``an object``."""
    return JSON_TYPES.get(type(value)) or describe_type(value)


def shorten(text: str, most: int = SHOWN_CHARS) -> str:
    """Return ``text`` on one line and escaped as by ``repr``, cut after ``most`` characters."""
    return repr(text[:most])[1:-1] + ("…" if len(text) > most else "")


def quote(key: str) -> str:
    """Return a key of the cache or the storage for a message: in quotes and shortened."""
    return repr(key if len(key) <= 100 else f"{key[:100]}…")


def flatten(messages: object, path: str = "") -> Iterator[Fault]:
    """Yield the faults in the messages of a marshmallow ``ValidationError``: nested keys become a path."""
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
