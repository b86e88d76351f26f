"""What the platform tells about messages, contacts and conversations: the payloads that no contact wrote."""

from __future__ import annotations

from typing import Literal

from marshmallow import fields

from ..payloads import Entries, Known, Part, Parts, Texts, Wire, WireObject, Word, Words
from .analysis import AnalysisResults
from .app_messages import AppMessage
from .identities import ChannelIdentity, ChannelName, Contact, Conversation, ProcessingMode, Reason

#: What the documents list; a word is compared without case.
DeliveryStatus = Literal["QUEUED_ON_CHANNEL", "DELIVERED", "READ", "FAILED", "SWITCHING_CHANNEL"]
CapabilityStatus = Literal["CAPABILITY_FULL", "CAPABILITY_PARTIAL", "NO_CAPABILITY", "CAPABILITY_UNKNOWN"]
OptStatus = Literal[
    "OPT_IN_SUCCEEDED",
    "OPT_IN_FAILED",
    "OPT_IN_STATUS_UNSPECIFIED",
    "OPT_OUT_SUCCEEDED",
    "OPT_OUT_FAILED",
    "OPT_OUT_STATUS_UNSPECIFIED",
]


class MessageSubmit(WireObject):
    """A message of an app was given to the channel."""

    _shown = "message_id"

    #: Id of the message.
    message_id = Wire("message_id", fields.String())
    #: Id of the conversation; empty in the processing mode DISPATCH.
    conversation_id = Wire("conversation_id", fields.String())
    #: Who it goes to.
    channel_identity = Wire("channel_identity", Part(ChannelIdentity))
    #: Id of the contact; empty in the processing mode DISPATCH.
    contact_id = Wire("contact_id", fields.String())
    #: The message.
    submitted_message = Wire("submitted_message", Part(AppMessage))
    #: What was given as `message_metadata` when it was sent.
    metadata = Wire("metadata", fields.String())
    #: `CONVERSATION` or `DISPATCH`.
    processing_mode = Wire("processing_mode", Known[ProcessingMode]())


class MessageDeliveryReport(WireObject):
    """How far a message of an app has come. Reports may come late, twice and out of order."""

    _shown = "message_id"

    #: Id of the message.
    message_id = Wire("message_id", fields.String())
    #: Id of the conversation; empty in the processing mode DISPATCH.
    conversation_id = Wire("conversation_id", fields.String())
    #: `QUEUED_ON_CHANNEL`, `DELIVERED`, `READ`, `FAILED`, `SWITCHING_CHANNEL`.
    status = Wire("status", Known[DeliveryStatus]())
    #: Who it went to.
    channel_identity = Wire("channel_identity", Part(ChannelIdentity))
    #: Id of the contact; empty in the processing mode DISPATCH.
    contact_id = Wire("contact_id", fields.String())
    #: Why it failed or why another channel is tried.
    reason = Wire("reason", Part(Reason))
    #: What was given as `message_metadata` when it was sent.
    metadata = Wire("metadata", fields.String())
    #: `CONVERSATION` or `DISPATCH`.
    processing_mode = Wire("processing_mode", Known[ProcessingMode]())


class EventDeliveryReport(WireObject):
    """How far an event of an app has come."""

    _shown = "event_id"

    #: Id of the event.
    event_id = Wire("event_id", fields.String())
    #: As of a message.
    status = Wire("status", Known[DeliveryStatus]())
    #: Who it went to.
    channel_identity = Wire("channel_identity", Part(ChannelIdentity))
    #: Id of the contact; empty in the processing mode DISPATCH.
    contact_id = Wire("contact_id", fields.String())
    #: Why it failed.
    reason = Wire("reason", Part(Reason))
    #: What was given as metadata when it was sent.
    metadata = Wire("metadata", fields.String())
    #: `CONVERSATION` or `DISPATCH`.
    processing_mode = Wire("processing_mode", Known[ProcessingMode]())


class ConversationNotification(WireObject):
    """A conversation was started, stopped or deleted."""

    _shown = "conversation"

    #: The conversation.
    conversation = Wire("conversation", Part(Conversation))


class ContactNotification(WireObject):
    """A contact was created, changed or deleted; also then all of it is there."""

    _shown = "contact"

    #: The contact.
    contact = Wire("contact", Part(Contact))


class ContactMerge(WireObject):
    """Two contacts became one."""

    _shown = "preserved_contact"

    #: The contact that is left.
    preserved_contact = Wire("preserved_contact", Part(Contact))
    #: The contact that is gone.
    deleted_contact = Wire("deleted_contact", Part(Contact))


class DuplicatedIdentity(WireObject):
    """One identity of several contacts."""

    _shown = "channel"

    #: The channel.
    channel = Wire("channel", Known[ChannelName]())
    #: The contacts.
    contact_ids = Wire("contact_ids", Texts())
    #: Undocumented: seen in one sample only.
    identity = Wire("identity", fields.String())
    #: Undocumented: seen in one sample only.
    app_id = Wire("app_id", fields.String())


class DuplicatedIdentities(WireObject):
    """Several contacts have the same identity."""

    _shown = "where"

    #: The identities.
    duplicated_identities = Wire("duplicated_identities", Parts(DuplicatedIdentity))


class CapabilityNotification(WireObject):
    """Whether someone can be reached on a channel: the answer to a capability request."""

    _shown = "request_id"

    #: Id of the request.
    request_id = Wire("request_id", fields.String())
    #: Id of the contact.
    contact_id = Wire("contact_id", fields.String())
    #: The channel.
    channel = Wire("channel", Known[ChannelName]())
    #: The number or id on it.
    identity = Wire("identity", fields.String())
    #: `CAPABILITY_FULL`, `CAPABILITY_PARTIAL`, `NO_CAPABILITY`, `CAPABILITY_UNKNOWN`.
    capability_status = Wire("capability_status", Known[CapabilityStatus]())
    #: What the channel can do there.
    channel_capabilities = Wire("channel_capabilities", Words())
    #: Why it is not known.
    reason = Wire("reason", Part(Reason))


class ErrorDetails(WireObject):
    """What went wrong."""

    _shown = "description"

    #: In words.
    description = Wire("description", fields.String())


class OptNotification(WireObject):
    """Someone was opted in or out, or could not be."""

    _shown = "request_id"

    #: Id of the request.
    request_id = Wire("request_id", fields.String())
    #: Id of the contact; empty in the processing mode DISPATCH.
    contact_id = Wire("contact_id", fields.String())
    #: The channel.
    channel = Wire("channel", Known[ChannelName]())
    #: The number or id on it.
    identity = Wire("identity", fields.String())
    #: `OPT_IN_SUCCEEDED`, `OPT_IN_FAILED`, `OPT_IN_STATUS_UNSPECIFIED`, and the same with `OPT_OUT`.
    status = Wire("status", Known[OptStatus]())
    #: Why it failed.
    error_details = Wire("error_details", Part(ErrorDetails))
    #: `CONVERSATION` or `DISPATCH`.
    processing_mode = Wire("processing_mode", Known[ProcessingMode]())


class ChannelChange(WireObject):
    """Something happened to the channel itself."""

    _shown = "event_type"

    #: The channel.
    channel = Wire("channel", Known[ChannelName]())
    #: Such as `WHATS_APP_QUALITY_RATING_CHANGED`.
    event_type = Wire("event_type", Word())
    #: Such as `quality_rating`, as it came.
    additional_data = Wire("additional_data", Entries())


class ChannelEventNotification(WireObject):
    """What a CHANNEL_EVENT holds."""

    _shown = "channel_event"

    #: The event.
    channel_event = Wire("channel_event", Part(ChannelChange))


class UnsupportedCallback(WireObject):
    """A channel sent what the platform has no shape for."""

    _shown = "id"

    #: The channel.
    channel = Wire("channel", Known[ChannelName]())
    #: What the channel sent: JSON in a string.
    payload = Wire("payload", fields.String())
    #: `CONVERSATION` or `DISPATCH`.
    processing_mode = Wire("processing_mode", Known[ProcessingMode]())
    #: Id of the callback.
    id = Wire("id", fields.String())
    #: Id of the contact; empty in the processing mode DISPATCH.
    contact_id = Wire("contact_id", fields.String())
    #: Id of the conversation; empty in the processing mode DISPATCH.
    conversation_id = Wire("conversation_id", fields.String())
    #: Who it came from.
    channel_identity = Wire("channel_identity", Part(ChannelIdentity))


class SmartConversation(WireObject):
    """What was found in a message of a contact."""

    _shown = "message_id"

    #: Id of the contact.
    contact_id = Wire("contact_id", fields.String())
    #: Who wrote: a plain string here, no object.
    channel_identity = Wire("channel_identity", fields.String())
    #: The channel.
    channel = Wire("channel", Known[ChannelName]())
    #: Id of the message.
    message_id = Wire("message_id", fields.String())
    #: Id of the conversation.
    conversation_id = Wire("conversation_id", fields.String())
    #: What was found.
    analysis_results = Wire("analysis_results", Part(AnalysisResults))


class RecordNotification(WireObject):
    """A message or event was stored. Its shape is known from one official SDK only."""

    _shown = "entity_id"

    #: Id of the message or event.
    entity_id = Wire("entity_id", fields.String())
    #: `EVENT_RECORD_STORED`.
    record_status = Wire("record_status", Word())
    #: Who it is of.
    channel_identity = Wire("channel_identity", Part(ChannelIdentity))
    #: Id of the contact.
    contact_id = Wire("contact_id", fields.String())
    #: Id of the conversation.
    conversation_id = Wire("conversation_id", fields.String())
    #: Why it was not stored.
    reason = Wire("reason", Part(Reason))
    #: `CONVERSATION` or `DISPATCH`.
    processing_mode = Wire("processing_mode", Known[ProcessingMode]())


class BatchStatusUpdate(WireObject):
    """A batch was processed. Its shape is known from one sample only."""

    _shown = "batch_id"

    #: Id of the batch.
    batch_id = Wire("batch_id", fields.String())
    #: `BATCH_STATUS_PROCESSED`.
    batch_status = Wire("batch_status", Word())
    #: `BATCH_TYPE_MESSAGES`.
    batch_type = Wire("batch_type", Word())
    #: `message_batch_data` with `send_after` and `batch_metadata`, as it came.
    additional_data = Wire("additional_data", Entries())
