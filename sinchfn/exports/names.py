"""Names of exports: which ones mean something, and the spellings of one name."""

from __future__ import annotations

import re

from ..errors import near_miss

#: Voice callbacks: ``POST`` to their name, with a call event; the answer is SVAML.
CALLBACKS = ("ice", "ace", "pie", "dice", "notify")

#: Callbacks that are verified, recorded and answered also when the function has no handler of that name,
#: as soon as it has a handler for any other callback.
IMPLICIT_CALLBACKS = ("ace", "dice", "notify")

#: What other names for a callback have beside its own: ``on_pie``, ``pie_handler``.
BESIDE = frozenset(("on", "handle", "handler", "callback", "event", "voice"))

#: Public names with a meaning of their own that are never routed.
RESERVED = ("setup", "auth")

#: The two names of the handler of the mount's root.
ROOT = ("default", "home")


def spellings_of(name: str) -> frozenset[str]:
    """Every way to write a name: ``user_profile``, ``userProfile`` and ``user-profile``, and the name itself."""
    words = words_of(name)
    return frozenset((name, "_".join(words), "-".join(words), camel(words)))


def words_of(name: str) -> list[str]:
    """The words of a name, in lower case."""
    parts = re.split(r"[_-]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", name)
    return [part.lower() for part in parts if part]


def camel(words: list[str]) -> str:
    """``userProfile``."""
    return words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:]) if words else ""


def is_webhook(name: str) -> bool:
    """Whether an export of this name serves ``/webhook/<service>``."""
    words = words_of(name)
    return len(words) > 1 and words[-1] == "webhook"


def service_of(name: str) -> str:
    """The ``<service>`` of a webhook, as it is shown."""
    return camel(words_of(name)[:-1])


def has_meaning(name: str) -> bool:
    """Whether a handler of this name would be more than a custom endpoint."""
    return name in CALLBACKS or name in ROOT or is_webhook(name)


def seems_meant(name: str, callback: str) -> bool:
    """Whether an export of this name may be meant as that callback: ``pei``, ``on_pie``, ``piee``."""
    words = [word for word in words_of(name) if word not in BESIDE]
    word = "".join(words)
    return sorted(word) == sorted(callback) or near_miss(word, [callback]) is not None
