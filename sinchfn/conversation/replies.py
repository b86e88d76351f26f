"""Messages made in one step: replies to what a contact wrote, and texts on one channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MessageError
from .contact_events import InboundEvent
from .contents import InboundMessage
from .envelope import SENDERS
from .events import (
    ConversationEvent,
    EventInboundEvent,
    MessageInboundEvent,
    MessageInboundSmartConversationRedactionEvent,
)
from .limits import found
from .messages import ConversationMessage
from .reading import EventLike, get_channel, get_contact_id, get_identity, get_to
from .triggers import parse_event

#: What one can reply to: a contact wrote or did it.
REPLYABLE: tuple[type[ConversationEvent], ...] = (
    MessageInboundEvent,
    MessageInboundSmartConversationRedactionEvent,
    EventInboundEvent,
)


def create_message() -> ConversationMessage:
    """A message with nothing in it yet."""
    return ConversationMessage()


def create_reply(event: EventLike) -> ConversationMessage:
    """A message to the contact that an event comes from, by the way it came; it still takes a content.

    It comes from the app of the event. In the processing mode CONVERSATION it goes to the contact, on the channel of
    the event; in DISPATCH, where there are no contacts, to the identity that wrote. On SMS and MMS it comes from the
    number that was written to.

    :param event: a message or event of a contact, parsed or as it came.
    :raises MessageError: it is another event, or does not say which app it came to or who it came from.
    """
    inbound = _inbound(event)
    if not inbound.app_id:
        raise MessageError(f"{_named(inbound)} cannot be replied to: it does not say which app it came to (app_id).")
    message = _addressed(create_message().app_id(inbound.app_id), inbound)
    channel, sender = get_channel(inbound), get_to(inbound)
    return message.sender(sender, channel.upper()) if sender and channel and channel.upper() in SENDERS else message


def reply(event: EventLike, text: str) -> ConversationMessage:
    """A text to the contact that an event comes from; see `create_reply`."""
    return create_reply(event).text(text)


def text_reply(event: EventLike, text: str, sender: str | None = None) -> ConversationMessage:
    """The same, from a number of your choice.

    :param sender: on SMS and MMS; None: the number that was written to.
    :raises MessageError: it came on another channel, where a sender cannot be chosen.
    """
    message = reply(event, text)
    return message if sender is None else message.sender(sender, str.__str__(get_channel(event) or "SMS"))


def create_channel_message(app_id: str, channel: str, to: str, text: str) -> ConversationMessage:
    """A text to someone on a channel.

    :param app_id: the app that writes, as in `CONVERSATION_APP_ID`.
    :param channel: such as `RCS`, in capitals.
    :param to: phone number with country code, or the channel's id of a person.
    """
    return create_message().app_id(app_id).to_channel(channel, to).text(text)


def create_sms(app_id: str, to: str, text: str, sender: str | None = None) -> ConversationMessage:
    """A text by SMS.

    :param to: phone number with country code.
    :param sender: number or name that it comes from; None: as the app is set.
    """
    message = create_channel_message(app_id, "SMS", to, text)
    return message if sender is None else message.sender(sender)


def create_whatsapp(app_id: str, to: str, text: str) -> ConversationMessage:
    """A text on WhatsApp, where it arrives only within 24 hours after the contact last wrote.

    :param to: phone number with country code.
    """
    return create_channel_message(app_id, "WHATSAPP", to, text)


def create_messenger(app_id: str, to: str, text: str) -> ConversationMessage:
    """A text on Facebook Messenger.

    :param to: the page's id of a person (PSID).
    """
    return create_channel_message(app_id, "MESSENGER", to, text)


def _inbound(event: EventLike) -> ConversationEvent:
    given: Any = event
    if not isinstance(given, Mapping):
        raise MessageError(f"A reply takes an event of the Conversation API, found {found(given)}.")
    parsed = parse_event(given)
    if not isinstance(parsed, REPLYABLE):
        raise MessageError(
            f"{_named(parsed)} cannot be replied to: no contact wrote it. "
            f"One can reply to {', '.join(kind.trigger for kind in REPLYABLE)}."
        )
    return parsed


def _addressed(message: ConversationMessage, event: ConversationEvent) -> ConversationMessage:
    channel, contact_id, identity = get_channel(event), get_contact_id(event), get_identity(event)
    if contact_id and _mode(event) != "DISPATCH":
        to_contact = message.to_contact(contact_id)
        return to_contact.channel_priority_order(channel.upper()) if channel else to_contact
    if not channel or not identity:
        raise MessageError(
            f"{_named(event)} cannot be replied to: it does not say who it came from "
            "(channel_identity with channel and identity)."
        )
    return message.to_channel(channel.upper(), identity)


def _mode(event: ConversationEvent) -> str | None:
    payload = event.payload
    return payload.processing_mode if isinstance(payload, InboundMessage | InboundEvent) else None


def _named(event: ConversationEvent) -> str:
    return f"An event {event.trigger}"
