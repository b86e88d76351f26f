"""What a contact does without writing: `InboundEvent` with one of eight events, such as typing or a reaction."""

from __future__ import annotations

from typing import Literal

from marshmallow import fields

from ..payloads import Entries, Flag, Instant, Known, Part, Wire, WireObject, Word
from .identities import ChannelIdentity, Direction, ProcessingMode


class CommentEvent(WireObject):
    """A comment on a post."""

    _shown = "id"

    #: Id of the comment.
    id = Wire("id", fields.String())
    #: What it says.
    text = Wire("text", fields.String())
    #: `FEED` or `LIVE`.
    comment_type = Wire("comment_type", Known[Literal["FEED", "LIVE"]]())
    #: URL of the post.
    commented_on = Wire("commented_on", fields.String())
    #: Who commented.
    user = Wire("user", fields.String())


class GenericEvent(WireObject):
    """An event of a channel that has no shape of its own."""

    _shown = "where"

    #: As it came.
    payload = Wire("payload", Entries())


class ContactEvent(WireObject):
    """Something a contact does: one of these is there, the others are None."""

    _shown = "where"

    #: The contact began to type; an empty dict, so ask `is not None`.
    composing_event = Wire("composing_event", Entries())
    #: The contact stopped typing; an empty dict.
    composing_end_event = Wire("composing_end_event", Entries())
    #: The contact deleted the conversation; an empty dict.
    conversation_deleted_event = Wire("conversation_deleted_event", Entries())
    #: The contact commented on a post.
    comment_event = Wire("comment_event", Part(CommentEvent))
    #: Anything else.
    generic_event = Wire("generic_event", Part(GenericEvent))


class PaymentStatusUpdateEvent(WireObject):
    """News of a payment."""

    _shown = "reference_id"

    #: Your id of the payment.
    reference_id = Wire("reference_id", fields.String())
    #: `PAYMENT_STATUS_NEW`, `_PENDING`, `_CAPTURED`, `_CANCELED`, `_FAILED`, `_UNKNOWN`.
    payment_status = Wire("payment_status", Word())
    #: `PAYMENT_STATUS_TRANSACTION_PENDING`, `_SUCCESS`, `_FAILED`, `_CANCELED`, `_UNKNOWN`.
    payment_transaction_status = Wire("payment_transaction_status", Word())
    #: The provider's id of the transaction.
    payment_transaction_id = Wire("payment_transaction_id", fields.String())


class ShortlinkActivatedEvent(WireObject):
    """A link into the channel, such as `m.me`, was opened."""

    _shown = "ref"

    #: The choice that was pressed, if any.
    payload = Wire("payload", fields.String())
    #: Its title.
    title = Wire("title", fields.String())
    #: What the link carried.
    ref = Wire("ref", fields.String())
    #: Where the link was.
    source = Wire("source", fields.String())
    #: Kind of referral.
    type = Wire("type", fields.String())
    #: Whether there was a thread already.
    existing_thread = Wire("existing_thread", Flag())


class ReactionEvent(WireObject):
    """An emoji was put on a message, or taken off."""

    _shown = "action"

    #: The emoji.
    emoji = Wire("emoji", fields.String())
    #: `REACTION_ACTION_REACT` or `REACTION_ACTION_UNREACT`.
    action = Wire("action", Known[Literal["REACTION_ACTION_REACT", "REACTION_ACTION_UNREACT"]]())
    #: Id of the message.
    message_id = Wire("message_id", fields.String())
    #: The channel's name of the reaction.
    reaction_category = Wire("reaction_category", fields.String())


class ContactMessageEvent(WireObject):
    """Something that happens to a message: one of these is there, the others are None."""

    _shown = "where"

    #: News of a payment.
    payment_status_update_event = Wire("payment_status_update_event", Part(PaymentStatusUpdateEvent))
    #: A link was opened.
    shortlink_activated_event = Wire("shortlink_activated_event", Part(ShortlinkActivatedEvent))
    #: A reaction.
    reaction_event = Wire("reaction_event", Part(ReactionEvent))


class InboundEvent(WireObject):
    """An event of a contact: `contact_event` or `contact_message_event` is there, the other is None."""

    _shown = "id"

    #: Id of the event.
    id = Wire("id", fields.String())
    #: `TO_APP`.
    direction = Wire("direction", Known[Direction]())
    #: Who did it, and on which channel.
    channel_identity = Wire("channel_identity", Part(ChannelIdentity))
    #: Id of the contact; empty in the processing mode DISPATCH.
    contact_id = Wire("contact_id", fields.String())
    #: Id of the conversation; empty in the processing mode DISPATCH.
    conversation_id = Wire("conversation_id", fields.String())
    #: When the platform took it in, aware, in UTC.
    accept_time = Wire("accept_time", Instant())
    #: `CONVERSATION`, or `DISPATCH`: neither contact nor conversation is kept.
    processing_mode = Wire("processing_mode", Known[ProcessingMode]())
    #: Something the contact does.
    contact_event = Wire("contact_event", Part(ContactEvent))
    #: Something that happens to a message.
    contact_message_event = Wire("contact_message_event", Part(ContactMessageEvent))
