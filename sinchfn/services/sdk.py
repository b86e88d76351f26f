"""The types of the official SDK's clients: what constructors ask for, and what tests replace.

They import nothing, so that a fake needs neither the package ``sinch`` nor credentials::

    services.override(ConversationClient, FakeConversation())

They name the parts that the SDK has. A fake needs those that the function uses.
"""

from __future__ import annotations

from typing import Any, Protocol


class ConversationClient(Protocol):
    """The Conversation API: ``context.conversation``."""

    apps: Any
    contacts: Any
    messages: Any


class SmsClient(Protocol):
    """The SMS API: ``context.sms``."""

    batches: Any
    delivery_reports: Any
    groups: Any
    inbounds: Any


class NumbersClient(Protocol):
    """The Numbers API: ``context.numbers``."""

    def list(self, *args: Any, **options: Any) -> Any: ...
    def get(self, *args: Any, **options: Any) -> Any: ...
    def update(self, *args: Any, **options: Any) -> Any: ...
    def release(self, *args: Any, **options: Any) -> Any: ...
    def rent(self, *args: Any, **options: Any) -> Any: ...
    def rent_any(self, *args: Any, **options: Any) -> Any: ...
    def check_availability(self, *args: Any, **options: Any) -> Any: ...
    def search_for_available_numbers(self, *args: Any, **options: Any) -> Any: ...


class VoiceV2Client(Protocol):
    """The Voice API v2: ``context.voice.v2``."""

    batches: Any
    calls: Any
    services: Any
    sessions: Any
    svaml: Any
