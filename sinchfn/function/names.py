"""Names of exports: those with a meaning of their own, and the spellings of one name."""

from __future__ import annotations

import re

from ..errors import near_miss
from ..security.table import scheme_of

#: Voice callbacks: ``POST`` to their name, with a call event; the answer is SVAML.
CALLBACKS = ("ice", "ace", "pie", "dice", "notify")

#: Callbacks that are verified, recorded and answered even without a handler, as soon as the function has a handler for
#: any other callback.
IMPLICIT_CALLBACKS = ("ace", "dice", "notify")

#: Words that may stand beside the name of a callback in a name that is meant for it: ``on_pie``, ``pie_handler``.
BESIDE = frozenset(("on", "handle", "handler", "callback", "event", "voice"))

#: Public names with a meaning of their own that are never routed.
RESERVED = ("setup", "auth")

#: Advice about two classes that would answer the same.
ONLY_A_BASE = 'A class that is only a base for others begins its name with "_".'

#: The two names of the handler of the mount's root.
ROOT = ("default", "home")


def spellings_of(name: str) -> frozenset[str]:
    """Return every way to write a name: ``user_profile``, ``userProfile``, ``user-profile``, and ``name`` itself."""
    words = words_of(name)
    return frozenset((name, "_".join(words), "-".join(words), camel(words)))


def words_of(name: str) -> list[str]:
    """Return the words of a name, in lower case."""
    parts = re.split(r"[_-]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", name)
    return [part.lower() for part in parts if part]


def camel(words: list[str]) -> str:
    """Return the words as one name in camel case: ``userProfile``."""
    return words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:]) if words else ""


def has_meaning(name: str) -> bool:
    """Return True if a handler of this name is more than a custom endpoint."""
    return name in CALLBACKS or name in ROOT or is_webhook(name)


def is_webhook(name: str) -> bool:
    """Return True if an export of this name serves ``/webhook/<service>``."""
    words = words_of(name)
    return len(words) > 1 and words[-1] == "webhook"


def service_of(name: str) -> str:
    """Return the ``<service>`` of a webhook, as it is shown."""
    return camel(words_of(name)[:-1])


def services_of(name: str) -> frozenset[str]:
    """Return every ``<service>`` of ``/webhook/<service>`` that reaches the webhook of this name.

    If a scheme guards the webhook, the words may also be written together: ElevenLabs is spelled in several ways.
    """
    words = words_of(name)[:-1]
    joined = {"".join(words)} if scheme_of(name) else set()
    return spellings_of("_".join(words)) | joined


def seems_meant(name: str, callback: str) -> bool:
    """Return True if an export of this name may be meant as that callback: ``on_pie``, ``piee``."""
    word = "".join(word for word in words_of(name) if word not in BESIDE)
    return word == callback or near_miss(word, [callback]) is not None


def payload_name(name: str) -> str:
    """Return the name of the second parameter of a handler, as messages write it."""
    return "data" if name in CALLBACKS else "request"
