"""Who a message goes to or comes from: `ChannelIdentity`, `Contact`, `Conversation`; and `Reason`, why it failed.

In the processing mode DISPATCH the platform keeps neither contacts nor conversations: their ids are empty strings.
"""

from __future__ import annotations

from typing import Literal

from marshmallow import fields

from ..payloads import Entries, Flag, Instant, Known, Parts, Wire, WireObject, Word, Words

#: What the documents list; a word is compared without case.
ChannelName = Literal[
    "SMS",
    "WHATSAPP",
    "RCS",
    "MESSENGER",
    "VIBERBM",
    "MMS",
    "INSTAGRAM",
    "TELEGRAM",
    "KAKAOTALK",
    "KAKAOTALKCHAT",
    "LINE",
    "WECHAT",
    "APPLEBC",
]
ProcessingMode = Literal["CONVERSATION", "DISPATCH"]
Direction = Literal["TO_APP", "TO_CONTACT"]


class ChannelIdentity(WireObject):
    """Someone on one channel."""

    _shown = "channel"

    #: `SMS`, `WHATSAPP`, `RCS`, `MESSENGER`, `VIBERBM`, `MMS`, `INSTAGRAM`, `TELEGRAM`, `KAKAOTALK`, `KAKAOTALKCHAT`,
    #: `LINE`, `WECHAT`, `APPLEBC`.
    channel = Wire("channel", Known[ChannelName]())
    #: A phone number (SMS often leaves out the `+`), or the channel's own id of a person.
    identity = Wire("identity", fields.String())
    #: Filled in only where identities belong to one app or page, as on MESSENGER and INSTAGRAM; else empty.
    app_id = Wire("app_id", fields.String())


class Contact(WireObject):
    """A person of the project, on one channel or several."""

    _shown = "id"

    #: Id of the contact.
    id = Wire("id", fields.String())
    #: Where the person is reached.
    channel_identities = Wire("channel_identities", Parts(ChannelIdentity))
    #: Channels in the order in which they are tried.
    channel_priority = Wire("channel_priority", Words())
    #: Name to show.
    display_name = Wire("display_name", fields.String())
    #: Email address.
    email = Wire("email", fields.String())
    #: Id in a system of yours.
    external_id = Wire("external_id", fields.String())
    #: Your own text about the contact.
    metadata = Wire("metadata", fields.String())
    #: Such as `EN_US`.
    language = Wire("language", Word())


class Conversation(WireObject):
    """What an app and a contact have written to each other."""

    _shown = "id"

    #: Id of the conversation.
    id = Wire("id", fields.String())
    #: Id of the app.
    app_id = Wire("app_id", fields.String())
    #: Id of the contact.
    contact_id = Wire("contact_id", fields.String())
    #: The channel last used.
    active_channel = Wire("active_channel", Known[ChannelName]())
    #: Whether it goes on.
    active = Wire("active", Flag())
    #: When the contact last wrote, aware, in UTC.
    last_received = Wire("last_received", Instant())
    #: Deprecated by the platform: `metadata_json` as a text.
    metadata = Wire("metadata", fields.String())
    #: What was given as `conversation_metadata` when a message was sent.
    metadata_json = Wire("metadata_json", Entries())
    #: What was given as `correlation_id` when a message was sent.
    correlation_id = Wire("correlation_id", fields.String())


class Reason(WireObject):
    """Why something was not delivered or not understood."""

    _shown = "code"

    #: `RECIPIENT_NOT_REACHABLE`, `OUTSIDE_ALLOWED_SENDING_WINDOW`, `CHANNEL_FAILURE`, `UNKNOWN`, ... (31 are known).
    code = Wire("code", Word())
    #: The same in words.
    description = Wire("description", fields.String())
    #: `UNSPECIFIED_SUB_CODE`, `ATTACHMENT_REJECTED`, `MEDIA_TYPE_UNDETERMINED`, `INACTIVE_SENDER`.
    sub_code = Wire("sub_code", Word())
    #: The channel's own code, such as `131026`; WhatsApp only.
    channel_code = Wire("channel_code", fields.String())
