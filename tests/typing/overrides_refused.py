"""What a type checker must refuse of fakes and of clients. Only type-checked, never run."""

from __future__ import annotations

from typing import Any

from sinchfn import ConversationClient, ServiceRegistry


class FakeConversation:
    """It has not all the parts."""

    messages: Any = None


def wrong(services: ServiceRegistry) -> None:
    fake: ConversationClient = FakeConversation()  # refuse: ConversationClient
    print(services.override(ConversationClient, fake).value.mesages)  # refuse: mesages
    services.get(ConversationClient).send()  # refuse: send
    with services.override(ConversationClient, FakeConversation()) as put:
        print(put.contacts)  # refuse: contacts
