"""How tests put fakes in the place of what the context offers. Only type-checked, never run."""

from __future__ import annotations

import sqlite3
from typing import Any, assert_type

from sinchfn import (
    Cache,
    ConversationClient,
    NumbersClient,
    ServiceRegistry,
    SinchController,
    SmsClient,
    VoiceClient,
    VoiceV2Client,
)
from sinchfn.services.injection.catalogue import Override


class FakeMessages:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, **message: Any) -> None:
        self.sent.append(message)


class FakeConversation:
    """It has only what the function under test uses."""

    def __init__(self) -> None:
        self.messages = FakeMessages()


class WholeConversation(FakeConversation):
    """It has all the parts: a checker says so where it is annotated with the type."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: Any = FakeMessages()
        self.apps: Any = None
        self.contacts: Any = None


class FakeNumbers:
    def list(self) -> list[str]:
        return ["+4670"]


def replaced(services: ServiceRegistry, database: sqlite3.Connection) -> None:
    with services.override(ConversationClient, FakeConversation()) as conversation:
        assert_type(conversation, FakeConversation)
        assert_type(conversation.messages.sent, list[dict[str, Any]])
    with services.override(NumbersClient, FakeNumbers()) as numbers:
        assert_type(numbers.list(), list[str])
    assert_type(services.override(SmsClient, "a fake"), Override[str])
    services.override(VoiceClient, None)
    services.override(VoiceV2Client, object())
    services.override(Cache, {})
    services.override(sqlite3.Connection, database)


def whole() -> ConversationClient:
    return WholeConversation()


class Texts(SinchController):
    def __init__(self, conversation: ConversationClient, sms: SmsClient | None) -> None:
        self.conversation, self.sms = conversation, sms

    def send(self, number: str) -> Any:
        assert_type(self.conversation.messages, Any)
        return self.conversation.messages.send(recipient=number)


def asked(services: ServiceRegistry) -> None:
    assert_type(services.get(ConversationClient), ConversationClient)
    assert_type(services.get(NumbersClient).list(), Any)
