"""What is a key: one rule for every backend, so that a key means the same wherever it is stored."""

from __future__ import annotations

import re

#: Longest key, in bytes of UTF-8: what S3 takes.
MAX_KEY = 1024

#: First segment of what a backend keeps for itself.
OWN = ".sinchfn"

# Besides control characters two that XML, the language of S3, cannot carry.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")

#: What a key may not be, and how the message says it. The first that matches counts.
FAULTS = (
    (lambda key: not key, "is empty"),
    (lambda key: len(key) > MAX_KEY or len(_utf8(key)) > MAX_KEY, f"is longer than {MAX_KEY} bytes"),
    (lambda key: _utf8(key) == b"", "cannot be written as UTF-8"),
    (_CONTROL.search, "has a control character"),
    (lambda key: "\\" in key, 'has a backslash; segments are parted by "/"'),
    (lambda key: key.startswith("/"), 'begins with "/"'),
    (lambda key: key.endswith("/"), 'ends with "/"'),
    (lambda key: ".." in key.split("/"), 'leaves the storage: it has a segment ".."'),
    (lambda key: "." in key.split("/"), 'has a segment "."'),
    (lambda key: "" in key.split("/"), "has an empty segment"),
    (lambda key: key.split("/")[0].casefold() == OWN, f'begins with "{OWN}", which is kept for the storage itself'),
)


def check_key(key: object) -> None:
    """Refuse what is no key.

    :raises TypeError: it is no text.
    :raises ValueError: it is none of the texts that may be a key.
    """
    _check(key, "key", "A key is a relative path such as reports/2026/may.pdf.")


def check_prefix(prefix: object) -> None:
    """Refuse what no key can begin with. An empty prefix is what every key begins with."""
    if prefix == "":
        return
    # What a key begins with may end anywhere, also behind a slash: with one letter more it is a key.
    whole = f"{prefix}x" if isinstance(prefix, str) and len(_utf8(prefix)) < MAX_KEY else prefix
    _check(whole, "prefix", "A prefix is the beginning of a key, such as reports/2026.")


def is_key(text: str) -> bool:
    """Whether `text` may be a key. What others put into a folder or bucket need not be."""
    return _fault(text) is None


def shown(key: str) -> str:
    """The key as messages show it: quoted, nothing in it that a terminal or a log would take amiss, and not endless."""
    text = repr(key)
    return text if len(text) <= 120 else f"{text[:100]}...{text[-1]} ({len(key)} characters)"


def _check(key: object, what: str, remedy: str) -> None:
    if not isinstance(key, str):
        raise TypeError(f"A {what} of the storage is a str, and not {type(key).__name__}. {remedy}")
    fault = _fault(key)
    if fault is not None:
        raise ValueError(f"The {what} {shown(key)} {fault}. {remedy}")


def _fault(key: str) -> str | None:
    return next((fault for matches, fault in FAULTS if matches(key)), None)


def _utf8(key: str) -> bytes:
    try:
        return key.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return b""
