"""What one mostly wants to know of an event: `get_text`, `get_channel`, `is_postback` and the like.

Each takes a `ConversationEvent` or the JSON object as it came, whatever its trigger, and gives None or False where
there is nothing of the kind. They never fail, also not for something that is no event at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..payloads import Caseless, WireObject
from .contents import ContactMessage, InboundMessage, LocationMessage, MediaCardMessage, MediaMessage
from .events import ConversationEvent
from .identities import ChannelIdentity, ChannelName, Contact, Conversation
from .notifications import ContactNotification, ConversationNotification
from .triggers import parse_event

#: An event, parsed or as it came.
EventLike = ConversationEvent | Mapping[str, Any]


def get_text(event: EventLike) -> str | None:
    """What a contact wrote, also if that is an empty text; None unless it is a text message."""
    content = _content(event)
    return None if content is None or content.text_message is None else content.text_message.text


def get_media(event: EventLike) -> MediaMessage | MediaCardMessage | None:
    """The file that a contact sent (`.url`, ...), with or without a caption."""
    content = _content(event)
    if content is None:
        return None
    return content.media_message if content.media_message is not None else content.media_card_message


def get_location(event: EventLike) -> LocationMessage | None:
    """The place that a contact sent: `.coordinates.latitude`, `.title`, ..."""
    content = _content(event)
    return None if content is None else content.location_message


def get_postback_data(event: EventLike) -> str | None:
    """What the choice carried that a contact pressed."""
    content = _content(event)
    if content is None or content.choice_response_message is None:
        return None
    return content.choice_response_message.postback_data


def get_contact_id(event: EventLike) -> str | None:
    """Id of the contact that an event is about; None in the processing mode DISPATCH, where the wire has none."""
    subject = _subject(_payload(event))
    return _id(subject, "id" if isinstance(subject, Contact) else "contact_id")


def get_conversation_id(event: EventLike) -> str | None:
    """Id of the conversation that an event is about; None in the processing mode DISPATCH, where the wire has none."""
    subject = _subject(_payload(event))
    return _id(subject, "id" if isinstance(subject, Conversation) else "conversation_id")


def get_channel(event: EventLike) -> ChannelName | None:
    """The channel that an event came on or is about, such as `SMS`; of a conversation, the one last used."""
    subject = _subject(_payload(event))
    found = _id(_identity(subject), "channel") or _id(subject, "channel") or _id(subject, "active_channel")
    return None if found is None else cast("ChannelName", Caseless(found))


def get_identity(event: EventLike) -> str | None:
    """Who wrote, or who an event is about, on its channel: a phone number, or the channel's id of a person."""
    subject = _subject(_payload(event))
    # SMART_CONVERSATIONS has the identity itself where others have an object.
    return _id(_identity(subject), "identity") or _id(subject, "identity") or _id(subject, "channel_identity")


def get_to(event: EventLike) -> str | None:
    """Your number or sender id that a contact wrote to; not every channel tells it."""
    return _id(_payload(event), "sender_id")


def is_text_message(event: EventLike) -> bool:
    """Whether a contact wrote a text."""
    content = _content(event)
    return content is not None and content.text_message is not None


def is_media_message(event: EventLike) -> bool:
    """Whether a contact sent a file, with or without a caption."""
    return get_media(event) is not None


def is_postback(event: EventLike) -> bool:
    """Whether a contact pressed a choice."""
    content = _content(event)
    return content is not None and content.choice_response_message is not None


def _payload(event: EventLike) -> WireObject | None:
    return parse_event(event).payload if isinstance(event, Mapping) else None


def _content(event: EventLike) -> ContactMessage | None:
    message = _payload(event)
    return message.contact_message if isinstance(message, InboundMessage) else None


def _subject(payload: WireObject | None) -> WireObject | None:
    """What a payload is about: itself, or the contact or conversation in it."""
    if isinstance(payload, ContactNotification):
        return payload.contact
    return payload.conversation if isinstance(payload, ConversationNotification) else payload


def _identity(part: WireObject | None) -> ChannelIdentity | None:
    found = getattr(part, "channel_identity", None)
    return found if isinstance(found, ChannelIdentity) else None


def _id(part: WireObject | None, name: str) -> str | None:
    """An id; empty and absent are the same."""
    found = getattr(part, name, None)
    return found if isinstance(found, str) and found else None
