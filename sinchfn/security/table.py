"""The table of signature schemes: what each one guards, the settings that it needs, and its words in messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..config.config import FunctionConfig
from .application import ApplicationScheme
from .elevenlabs import ElevenLabsScheme
from .nonce import NonceScheme
from .scheme import WebhookScheme
from .shared_secret import SharedSecretScheme

#: Any signature scheme.
Scheme = ApplicationScheme | WebhookScheme


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """Everything that is specific to one signature scheme."""

    #: as exports and logs name it
    name: str
    #: the exports that it guards; see :func:`scheme_of` for their other spellings
    exports: tuple[str, ...]
    #: the settings without which it cannot verify: the arguments of ``factory``
    variables: tuple[str, ...]
    factory: Callable[..., Scheme]
    #: the guarded calls, for the beginning of a message
    calls: str
    #: where its secret is found, for a message
    source: str
    #: what a guarded call carries
    proof: str = "signature"
    #: whether SINCHFN_WEBHOOK_TOLERANCE applies
    is_tolerant: bool = False
    #: whether it guards nothing while its settings are missing, because the sender signs only on request
    is_optional: bool = False

    def make(self, config: FunctionConfig) -> Scheme:
        """Return the scheme with the secrets of these settings, which must be set."""
        options = {"tolerance": config["SINCHFN_WEBHOOK_TOLERANCE"]} if self.is_tolerant else {}
        return self.factory(*(config[variable] for variable in self.variables), **options)


#: The table, by the names of the schemes.
SCHEMES: Mapping[str, SchemeRow] = MappingProxyType(
    {
        row.name: row
        for row in (
            SchemeRow(
                "application",
                exports=("ice", "ace", "pie", "dice", "notify"),
                variables=("VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET"),
                factory=ApplicationScheme,
                calls="Voice callbacks",
                source="Copy the key and the secret of the Voice application from the Sinch dashboard",
                is_tolerant=True,
            ),
            SchemeRow(
                "nonce",
                exports=("conversationWebhook",),
                variables=("CONVERSATION_WEBHOOK_SECRET",),
                factory=NonceScheme,
                calls="Message webhooks",
                source="Set it to the secret of the webhook in the Conversation app",
                is_tolerant=True,
            ),
            SchemeRow(
                "sms-nonce",
                exports=("smsWebhook",),
                variables=("SMS_WEBHOOK_SECRET",),
                factory=NonceScheme,
                calls="SMS webhooks",
                source="Set it to the secret with which Sinch signs the callbacks of your SMS service plan",
                is_tolerant=True,
                is_optional=True,
            ),
            SchemeRow(
                "elevenlabs",
                exports=("elevenLabsWebhook",),
                variables=("ELEVENLABS_WEBHOOK_SECRET",),
                factory=ElevenLabsScheme,
                calls="Agent events",
                source="Copy the secret of the webhook from ElevenLabs",
            ),
            SchemeRow(
                "init-secret",
                exports=("elevenLabsInitWebhook",),
                variables=("ELEVENLABS_INIT_SECRET",),
                factory=SharedSecretScheme,
                calls="Agent initiation requests",
                source="Choose a secret, and have ElevenLabs send it in the request header X-Init-Secret",
                proof="secret",
            ),
        )
    }
)


def plain_name(export_name: str) -> str:
    """Return a name without case, ``-`` and ``_``."""
    return export_name.lower().replace("-", "").replace("_", "")


_SCHEME_BY_EXPORT = {plain_name(export): row.name for row in SCHEMES.values() for export in row.exports}


def scheme_of(export_name: str) -> str | None:
    """Return the scheme that guards an export, ignoring case, ``-`` and ``_`` in its name; None if none does."""
    return _SCHEME_BY_EXPORT.get(plain_name(export_name))


def scheme_at(path: str) -> str | None:
    """Return the scheme that guards the usual export of a path.

    Such paths are ``/webhook/conversation``, ``/conversationWebhook`` and ``/ice``.
    """
    *before, last = [segment for segment in path.split("/") if segment] or [""]
    return scheme_of(f"{last}Webhook") if before[-1:] == ["webhook"] and scheme_of(last) is None else scheme_of(last)
