"""Which scheme guards which export, and the settings that each scheme needs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Scheme -> the exports it guards. Other spellings (case, `-`, `_`) of a name are guarded too.
GUARDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "application": ("ice", "ace", "pie", "dice", "notify"),
        "nonce": ("conversationWebhook",),
        "sms-nonce": ("smsWebhook",),
        "elevenlabs": ("elevenLabsWebhook",),
        "init-secret": ("elevenLabsInitWebhook",),
    }
)

#: Scheme -> the settings without which it cannot verify.
VARIABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "application": ("VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET"),
        "nonce": ("CONVERSATION_WEBHOOK_SECRET",),
        "sms-nonce": ("SMS_WEBHOOK_SECRET",),
        "elevenlabs": ("ELEVENLABS_WEBHOOK_SECRET",),
        "init-secret": ("ELEVENLABS_INIT_SECRET",),
    }
)

#: Schemes that guard nothing unless their settings are there: the sender signs only on request.
OPTIONAL = frozenset(("sms-nonce",))


def scheme_of(export_name: str) -> str | None:
    """The scheme that guards an export, looked up without case, `-` and `_`; `None` for one that no scheme guards."""
    return _SCHEME_BY_EXPORT.get(plain_name(export_name))


def scheme_at(path: str) -> str | None:
    """The scheme that guards what is usually at a path: `/webhook/conversation`, `/conversationWebhook`, `/ice`."""
    *before, last = [segment for segment in path.split("/") if segment] or [""]
    return scheme_of(f"{last}Webhook") if before[-1:] == ["webhook"] and scheme_of(last) is None else scheme_of(last)


def plain_name(export_name: str) -> str:
    """A name without case, `-` and `_`."""
    return export_name.lower().replace("-", "").replace("_", "")


_SCHEME_BY_EXPORT = {plain_name(export): scheme for scheme, exports in GUARDED.items() for export in exports}
