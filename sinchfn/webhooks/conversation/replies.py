"""Shortcuts: reading events, replying to them, and sending a text on one channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...errors import MessageError
from ...wire.faults import describe
from ...wire.objects import Caseless, WireObject
from .events import (
    ConversationEvent,
    EventInboundEvent,
    MessageInboundEvent,
    MessageInboundSmartConversationRedactionEvent,
    parse_event,
)
from .inbound import (
    ChannelIdentity,
    ChannelName,
    Contact,
    ContactMessage,
    Conversation,
    InboundEvent,
    InboundMessage,
    LocationMessage,
    MediaCardMessage,
    MediaMessage,
)
from .messages import SENDERS, ConversationMessage
from .notifications import ContactNotification, ConversationNotification

#: An event, parsed or as received.
EventLike = ConversationEvent | Mapping[str, Any]


def get_text(event: EventLike) -> str | None:
    """Return the contact's text, which may be empty; None unless it is a text message."""
    content = _content(event)
    return None if content is None or content.text_message is None else content.text_message.text


def get_media(event: EventLike) -> MediaMessage | MediaCardMessage | None:
    """Return the file of a contact (``.url``, ...), with or without a caption; None unless one was sent."""
    content = _content(event)
    if content is None:
        return None
    return content.media_message if content.media_message is not None else content.media_card_message


def get_location(event: EventLike) -> LocationMessage | None:
    """Return the place that a contact sent (``.coordinates.latitude``, ``.title``, ...); None unless one was sent."""
    content = _content(event)
    return None if content is None else content.location_message


def get_postback_data(event: EventLike) -> str | None:
    """Return the postback data of the choice that a contact pressed; None unless one was pressed."""
    content = _content(event)
    if content is None or content.choice_response_message is None:
        return None
    return content.choice_response_message.postback_data


def get_contact_id(event: EventLike) -> str | None:
    """Return the id of the contact; None in the processing mode DISPATCH, which has no contacts."""
    subject = _subject(_payload(event))
    return _id(subject, "id" if isinstance(subject, Contact) else "contact_id")


def get_conversation_id(event: EventLike) -> str | None:
    """Return the id of the conversation; None in the processing mode DISPATCH, which has no conversations."""
    subject = _subject(_payload(event))
    return _id(subject, "id" if isinstance(subject, Conversation) else "conversation_id")


def get_channel(event: EventLike) -> ChannelName | None:
    """Return the channel of an event, such as ``SMS``; for a conversation the one that was used last."""
    subject = _subject(_payload(event))
    found = _id(_identity(subject), "channel") or _id(subject, "channel") or _id(subject, "active_channel")
    return None if found is None else cast("ChannelName", Caseless(found))


def get_identity(event: EventLike) -> str | None:
    """Return the person of an event on its channel: a phone number, or the channel's id of the person."""
    subject = _subject(_payload(event))
    # SMART_CONVERSATIONS has the identity itself where others have an object.
    return _id(_identity(subject), "identity") or _id(subject, "identity") or _id(subject, "channel_identity")


def get_to(event: EventLike) -> str | None:
    """Return your number or sender id that received a message. Not every channel has one."""
    return _id(_payload(event), "sender_id")


def is_text_message(event: EventLike) -> bool:
    """Return True if a contact sent a text."""
    content = _content(event)
    return content is not None and content.text_message is not None


def is_media_message(event: EventLike) -> bool:
    """Return True if a contact sent a file, with or without a caption."""
    return get_media(event) is not None


def is_postback(event: EventLike) -> bool:
    """Return True if a contact pressed a choice."""
    content = _content(event)
    return content is not None and content.choice_response_message is not None


def _payload(event: EventLike) -> WireObject | None:
    return parse_event(event).payload if isinstance(event, Mapping) else None


def _content(event: EventLike) -> ContactMessage | None:
    message = _payload(event)
    return message.contact_message if isinstance(message, InboundMessage) else None


def _subject(payload: WireObject | None) -> WireObject | None:
    """Return the contact or conversation in a payload, or the payload itself."""
    if isinstance(payload, ContactNotification):
        return payload.contact
    return payload.conversation if isinstance(payload, ConversationNotification) else payload


def _identity(part: WireObject | None) -> ChannelIdentity | None:
    found = getattr(part, "channel_identity", None)
    return found if isinstance(found, ChannelIdentity) else None


def _id(part: WireObject | None, name: str) -> str | None:
    """Return an id; None if it is empty or missing."""
    found = getattr(part, name, None)
    return found if isinstance(found, str) and found else None


#: The events that can be replied to: messages and events of a contact.
REPLYABLE: tuple[type[ConversationEvent], ...] = (
    MessageInboundEvent,
    MessageInboundSmartConversationRedactionEvent,
    EventInboundEvent,
)


def create_message() -> ConversationMessage:
    """Return an empty message."""
    return ConversationMessage()


def create_reply(event: EventLike) -> ConversationMessage:
    """Return a message to the contact of an event, on the same channel, without a content.

    It comes from the app of the event. In the processing mode CONVERSATION it goes to the contact, on the channel of
    the event; in DISPATCH, which has no contacts, to the identity that wrote. On SMS and MMS it comes from the number
    that received the event.

    :param event: a message or event of a contact, parsed or as received.
    :raises MessageError: it is another event, or its app or its sender is missing.
    """
    inbound = _inbound(event)
    if not inbound.app_id:
        raise MessageError(f"{_named(inbound)} cannot be replied to: it does not say which app it came to (app_id).")
    message = _addressed(create_message().app_id(inbound.app_id), inbound)
    channel, sender = get_channel(inbound), get_to(inbound)
    return message.sender(sender, channel.upper()) if sender and channel and channel.upper() in SENDERS else message


def reply(event: EventLike, text: str) -> ConversationMessage:
    """Return a text to the contact of an event; see ``create_reply``."""
    return create_reply(event).text(text)


def text_reply(event: EventLike, text: str, sender: str | None = None) -> ConversationMessage:
    """Return a text to the contact of an event, from a number of your choice.

    :param sender: on SMS and MMS; default: the number that received the event.
    :raises MessageError: the event came on another channel, where a sender cannot be chosen.
    """
    message = reply(event, text)
    return message if sender is None else message.sender(sender, str.__str__(get_channel(event) or "SMS"))


def create_channel_message(app_id: str, channel: str, to: str, text: str) -> ConversationMessage:
    """Return a text to a person on a channel.

    :param app_id: the app that sends it, as in ``CONVERSATION_APP_ID``.
    :param channel: such as ``RCS``, in capitals.
    :param to: phone number with country code, or the channel's id of a person.
    """
    return create_message().app_id(app_id).to_channel(channel, to).text(text)


def create_sms(app_id: str, to: str, text: str, sender: str | None = None) -> ConversationMessage:
    """Return a text by SMS.

    :param to: phone number with country code.
    :param sender: number or name of the sender; default: as in the settings of the app.
    """
    message = create_channel_message(app_id, "SMS", to, text)
    return message if sender is None else message.sender(sender)


def create_whatsapp(app_id: str, to: str, text: str) -> ConversationMessage:
    """Return a text on WhatsApp, which arrives only within 24 hours after the contact's last message.

    :param to: phone number with country code.
    """
    return create_channel_message(app_id, "WHATSAPP", to, text)


def create_messenger(app_id: str, to: str, text: str) -> ConversationMessage:
    """Return a text on Facebook Messenger.

    :param to: the page's id of a person (PSID).
    """
    return create_channel_message(app_id, "MESSENGER", to, text)


def _inbound(event: EventLike) -> ConversationEvent:
    given: Any = event
    if not isinstance(given, Mapping):
        raise MessageError(f"A reply takes an event of the Conversation API, found {describe(given)}.")
    parsed = parse_event(given)
    if not isinstance(parsed, REPLYABLE):
        raise MessageError(
            f"{_named(parsed)} cannot be replied to: it is not from a contact. "
            f"Events that can be replied to: {', '.join(kind.trigger for kind in REPLYABLE)}."
        )
    return parsed


def _addressed(message: ConversationMessage, event: ConversationEvent) -> ConversationMessage:
    channel, contact_id, identity = get_channel(event), get_contact_id(event), get_identity(event)
    payload = event.payload
    mode = payload.processing_mode if isinstance(payload, InboundMessage | InboundEvent) else None
    if contact_id and mode != "DISPATCH":
        to_contact = message.to_contact(contact_id)
        return to_contact.channel_priority_order(channel.upper()) if channel else to_contact
    if not channel or not identity:
        raise MessageError(
            f"{_named(event)} cannot be replied to: it does not say who it came from "
            "(channel_identity with channel and identity)."
        )
    return message.to_channel(channel.upper(), identity)


def _named(event: ConversationEvent) -> str:
    return f"An event {event.trigger}"
