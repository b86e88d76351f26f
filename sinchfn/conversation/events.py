"""Events of the Conversation API as they come in: one class per trigger.

No event names itself: the one known key in its body says what it is. `triggers` has the table of them.
"""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields

from ..payloads import Instant, Part, Wire, WireObject
from .contact_events import InboundEvent
from .contents import InboundMessage, RedactedMessage
from .notifications import (
    BatchStatusUpdate,
    CapabilityNotification,
    ChannelEventNotification,
    ContactMerge,
    ContactNotification,
    ConversationNotification,
    DuplicatedIdentities,
    EventDeliveryReport,
    MessageDeliveryReport,
    MessageSubmit,
    OptNotification,
    RecordNotification,
    SmartConversation,
    UnsupportedCallback,
)


class ConversationEvent(WireObject):
    """What every event carries; alone, an event that is in no documentation (`trigger` is `UNKNOWN`).

    A read-only mapping over the JSON object that came, plus one snake_case attribute per known field. What is absent,
    null or of the wrong type reads as None, a wrong type is logged once. Empty strings stay empty strings: in the
    processing mode DISPATCH, the default of new apps, the platform keeps neither contacts nor conversations, and the
    ids of both are empty.
    """

    _shown = "app_id"

    #: What happened, as webhooks are set up with it: `MESSAGE_INBOUND`, ...; `UNKNOWN`. It is not in the body.
    trigger: ClassVar[str] = "UNKNOWN"

    #: The key in the body that tells this event from others; empty for an unknown one.
    key: ClassVar[str] = ""

    #: Id of the app; empty for CONTACT events, since contacts belong to the project.
    app_id = Wire("app_id", fields.String())
    #: Id of the project.
    project_id = Wire("project_id", fields.String())
    #: When the platform took it in, aware, in UTC; digits beyond microseconds are dropped.
    accepted_time = Wire("accepted_time", Instant())
    #: When it happened on the channel, aware, in UTC.
    event_time = Wire("event_time", Instant())
    #: Of a message of a contact: the `conversation_metadata` that was given when a message was sent.
    message_metadata = Wire("message_metadata", fields.String())
    #: What was given as `correlation_id` when a message was sent.
    correlation_id = Wire("correlation_id", fields.String())

    @property
    def payload(self) -> WireObject | None:
        """What is under the event's own key: the attribute of that name, such as `message`."""
        found: WireObject | None = getattr(self, self.key) if self.key else None
        return found


class MessageInboundEvent(ConversationEvent):
    """A contact wrote a message."""

    trigger = "MESSAGE_INBOUND"
    key = "message"
    #: The message.
    message = Wire("message", Part(InboundMessage))


class MessageInboundSmartConversationRedactionEvent(ConversationEvent):
    """A contact wrote a message, whose personal data is masked here."""

    trigger = "MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION"
    key = "message_redaction"
    #: The message.
    message_redaction = Wire("message_redaction", Part(RedactedMessage))


class MessageSubmitEvent(ConversationEvent):
    """A message of an app was given to the channel."""

    trigger = "MESSAGE_SUBMIT"
    key = "message_submit_notification"
    #: The message.
    message_submit_notification = Wire("message_submit_notification", Part(MessageSubmit))


class MessageDeliveryEvent(ConversationEvent):
    """How far a message of an app has come."""

    trigger = "MESSAGE_DELIVERY"
    key = "message_delivery_report"
    #: The report.
    message_delivery_report = Wire("message_delivery_report", Part(MessageDeliveryReport))


class EventInboundEvent(ConversationEvent):
    """A contact did something besides writing."""

    trigger = "EVENT_INBOUND"
    key = "event"
    #: What the contact did.
    event = Wire("event", Part(InboundEvent))


class EventDeliveryEvent(ConversationEvent):
    """How far an event of an app has come."""

    trigger = "EVENT_DELIVERY"
    key = "event_delivery_report"
    #: The report.
    event_delivery_report = Wire("event_delivery_report", Part(EventDeliveryReport))


class ConversationStartEvent(ConversationEvent):
    """A conversation was started."""

    trigger = "CONVERSATION_START"
    key = "conversation_start_notification"
    #: Holds the conversation.
    conversation_start_notification = Wire("conversation_start_notification", Part(ConversationNotification))


class ConversationStopEvent(ConversationEvent):
    """A conversation was stopped."""

    trigger = "CONVERSATION_STOP"
    key = "conversation_stop_notification"
    #: Holds the conversation.
    conversation_stop_notification = Wire("conversation_stop_notification", Part(ConversationNotification))


class ConversationDeleteEvent(ConversationEvent):
    """A conversation was deleted."""

    trigger = "CONVERSATION_DELETE"
    key = "conversation_delete_notification"
    #: Holds the conversation.
    conversation_delete_notification = Wire("conversation_delete_notification", Part(ConversationNotification))


class ContactCreateEvent(ConversationEvent):
    """A contact was created."""

    trigger = "CONTACT_CREATE"
    key = "contact_create_notification"
    #: Holds the contact.
    contact_create_notification = Wire("contact_create_notification", Part(ContactNotification))


class ContactUpdateEvent(ConversationEvent):
    """A contact was changed."""

    trigger = "CONTACT_UPDATE"
    key = "contact_update_notification"
    #: Holds the contact.
    contact_update_notification = Wire("contact_update_notification", Part(ContactNotification))


class ContactDeleteEvent(ConversationEvent):
    """A contact was deleted."""

    trigger = "CONTACT_DELETE"
    key = "contact_delete_notification"
    #: Holds all of the contact that is gone.
    contact_delete_notification = Wire("contact_delete_notification", Part(ContactNotification))


class ContactMergeEvent(ConversationEvent):
    """Two contacts became one."""

    trigger = "CONTACT_MERGE"
    key = "contact_merge_notification"
    #: The two.
    contact_merge_notification = Wire("contact_merge_notification", Part(ContactMerge))


class ContactIdentitiesDuplicationEvent(ConversationEvent):
    """Several contacts have the same identity."""

    trigger = "CONTACT_IDENTITIES_DUPLICATION"
    key = "duplicated_contact_identities_notification"
    #: The identities.
    duplicated_contact_identities_notification = Wire(
        "duplicated_contact_identities_notification", Part(DuplicatedIdentities)
    )


class CapabilityEvent(ConversationEvent):
    """Whether someone can be reached on a channel."""

    trigger = "CAPABILITY"
    key = "capability_notification"
    #: The answer to a capability request.
    capability_notification = Wire("capability_notification", Part(CapabilityNotification))


class OptInEvent(ConversationEvent):
    """Someone was opted in, or could not be."""

    trigger = "OPT_IN"
    key = "opt_in_notification"
    #: Who, and whether it succeeded.
    opt_in_notification = Wire("opt_in_notification", Part(OptNotification))


class OptOutEvent(ConversationEvent):
    """Someone was opted out, or could not be."""

    trigger = "OPT_OUT"
    key = "opt_out_notification"
    #: Who, and whether it succeeded.
    opt_out_notification = Wire("opt_out_notification", Part(OptNotification))


class ChannelEvent(ConversationEvent):
    """Something happened to a channel itself."""

    trigger = "CHANNEL_EVENT"
    key = "channel_event_notification"
    #: Holds what happened.
    channel_event_notification = Wire("channel_event_notification", Part(ChannelEventNotification))


class UnsupportedEvent(ConversationEvent):
    """A channel sent what the platform has no shape for."""

    trigger = "UNSUPPORTED"
    key = "unsupported_callback"
    #: What the channel sent.
    unsupported_callback = Wire("unsupported_callback", Part(UnsupportedCallback))


class SmartConversationsEvent(ConversationEvent):
    """A message of a contact was looked at by Smart Conversations."""

    trigger = "SMART_CONVERSATIONS"
    key = "smart_conversation_notification"
    #: What was found.
    smart_conversation_notification = Wire("smart_conversation_notification", Part(SmartConversation))


class RecordNotificationEvent(ConversationEvent):
    """A message or event was stored."""

    trigger = "RECORD_NOTIFICATION"
    key = "record_notification"
    #: Which one.
    record_notification = Wire("record_notification", Part(RecordNotification))


class BatchStatusUpdateEvent(ConversationEvent):
    """A batch was processed."""

    trigger = "BATCH_STATUS_UPDATE"
    key = "batch_status_update_notification"
    #: Which one.
    batch_status_update_notification = Wire("batch_status_update_notification", Part(BatchStatusUpdate))
