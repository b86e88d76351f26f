"""Events of the Conversation API: one class for each trigger, and the parser.

An event does not name its type, which follows from the one known key in its body. :data:`TRIGGERS` lists these keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from ...wire.faults import describe_type
from ...wire.objects import Instant, Part, Text, Wire, WireObject
from .inbound import InboundEvent, InboundMessage, RedactedMessage
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
    """The common fields of all events. An undocumented event is an instance of this class, with the trigger UNKNOWN.

    An event is a read-only mapping over the received JSON object, with a snake_case attribute for each known field. A
    field that is missing, null or of the wrong type reads as None, and a wrong type is logged once. An empty string
    stays empty: in the processing mode DISPATCH, the default of new apps, the platform stores neither contacts nor
    conversations, and the ids of both are empty.
    """

    _shown = "app_id"

    #: The name of the event in the settings of a webhook, such as ``MESSAGE_INBOUND``. It is not in the body.
    trigger: ClassVar[str] = "UNKNOWN"

    #: The key in the body that tells this event from others; empty for an undocumented one.
    key: ClassVar[str] = ""

    #: Id of the app; empty for CONTACT events, since contacts belong to the project.
    app_id = Wire(Text())
    project_id = Wire(Text())
    #: Time when the platform accepted it; aware, in UTC. Digits beyond microseconds are dropped.
    accepted_time = Wire(Instant())
    #: Time when it happened on the channel; aware, in UTC.
    event_time = Wire(Instant())
    #: For a message of a contact: the ``conversation_metadata`` of a message that was sent before.
    message_metadata = Wire(Text())
    #: The ``correlation_id`` of a message that was sent.
    correlation_id = Wire(Text())

    def __init_subclass__(cls, *, trigger: str = "") -> None:
        """Make a class for the events of a trigger: it declares one field, whose name is the ``key``."""
        if trigger:
            cls.trigger = trigger
            (cls.key,) = (name for name, declared in vars(cls).items() if isinstance(declared, Wire))

    @property
    def payload(self) -> WireObject | None:
        """The payload of the event: the attribute that has the name of its ``key``, such as ``message``."""
        found: WireObject | None = getattr(self, self.key) if self.key else None
        return found


class MessageInboundEvent(ConversationEvent, trigger="MESSAGE_INBOUND"):
    """A contact sent a message."""

    message = Wire(Part(InboundMessage))


class MessageInboundSmartConversationRedactionEvent(
    ConversationEvent, trigger="MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION"
):
    """A contact sent a message; its personal data is masked here."""

    message_redaction = Wire(Part(RedactedMessage))


class MessageSubmitEvent(ConversationEvent, trigger="MESSAGE_SUBMIT"):
    """A message of an app was submitted to the channel."""

    message_submit_notification = Wire(Part(MessageSubmit))


class MessageDeliveryEvent(ConversationEvent, trigger="MESSAGE_DELIVERY"):
    """A delivery report for a message of an app."""

    message_delivery_report = Wire(Part(MessageDeliveryReport))


class EventInboundEvent(ConversationEvent, trigger="EVENT_INBOUND"):
    """A contact did something other than send a message."""

    event = Wire(Part(InboundEvent))


class EventDeliveryEvent(ConversationEvent, trigger="EVENT_DELIVERY"):
    """A delivery report for an event of an app."""

    event_delivery_report = Wire(Part(EventDeliveryReport))


class ConversationStartEvent(ConversationEvent, trigger="CONVERSATION_START"):
    """A conversation was started."""

    conversation_start_notification = Wire(Part(ConversationNotification))


class ConversationStopEvent(ConversationEvent, trigger="CONVERSATION_STOP"):
    """A conversation was stopped."""

    conversation_stop_notification = Wire(Part(ConversationNotification))


class ConversationDeleteEvent(ConversationEvent, trigger="CONVERSATION_DELETE"):
    """A conversation was deleted."""

    conversation_delete_notification = Wire(Part(ConversationNotification))


class ContactCreateEvent(ConversationEvent, trigger="CONTACT_CREATE"):
    """A contact was created."""

    contact_create_notification = Wire(Part(ContactNotification))


class ContactUpdateEvent(ConversationEvent, trigger="CONTACT_UPDATE"):
    """A contact was changed."""

    contact_update_notification = Wire(Part(ContactNotification))


class ContactDeleteEvent(ConversationEvent, trigger="CONTACT_DELETE"):
    """A contact was deleted."""

    #: The notification, with the complete deleted contact.
    contact_delete_notification = Wire(Part(ContactNotification))


class ContactMergeEvent(ConversationEvent, trigger="CONTACT_MERGE"):
    """Two contacts were merged."""

    contact_merge_notification = Wire(Part(ContactMerge))


class ContactIdentitiesDuplicationEvent(ConversationEvent, trigger="CONTACT_IDENTITIES_DUPLICATION"):
    """Several contacts share an identity."""

    duplicated_contact_identities_notification = Wire(Part(DuplicatedIdentities))


class CapabilityEvent(ConversationEvent, trigger="CAPABILITY"):
    """The answer to a capability request: whether a person can be reached on a channel."""

    capability_notification = Wire(Part(CapabilityNotification))


class OptInEvent(ConversationEvent, trigger="OPT_IN"):
    """The result of an opt-in."""

    opt_in_notification = Wire(Part(OptNotification))


class OptOutEvent(ConversationEvent, trigger="OPT_OUT"):
    """The result of an opt-out."""

    opt_out_notification = Wire(Part(OptNotification))


class ChannelEvent(ConversationEvent, trigger="CHANNEL_EVENT"):
    """An event of a channel itself."""

    channel_event_notification = Wire(Part(ChannelEventNotification))


class UnsupportedEvent(ConversationEvent, trigger="UNSUPPORTED"):
    """A channel sent a callback that the platform does not support."""

    unsupported_callback = Wire(Part(UnsupportedCallback))


class SmartConversationsEvent(ConversationEvent, trigger="SMART_CONVERSATIONS"):
    """Smart Conversations has analysed a message of a contact."""

    smart_conversation_notification = Wire(Part(SmartConversation))


class RecordNotificationEvent(ConversationEvent, trigger="RECORD_NOTIFICATION"):
    """A message or event was stored."""

    record_notification = Wire(Part(RecordNotification))


class BatchStatusUpdateEvent(ConversationEvent, trigger="BATCH_STATUS_UPDATE"):
    """A batch was processed."""

    batch_status_update_notification = Wire(Part(BatchStatusUpdate))


#: All events, in the order above. If a body has the keys of several, the first of them is used.
EVENTS: tuple[type[ConversationEvent], ...] = tuple(ConversationEvent.__subclasses__())

#: Key in the body -> trigger and class, in the order of ``EVENTS``.
TRIGGERS: Mapping[str, tuple[str, type[ConversationEvent]]] = MappingProxyType(
    {event.key: (event.trigger, event) for event in EVENTS}
)

#: Method of a controller (``message_inbound``, ...) -> class of its argument, in the order of ``EVENTS``.
METHODS: Mapping[str, type[ConversationEvent]] = MappingProxyType({event.trigger.lower(): event for event in EVENTS})


def parse_event(body: Mapping[str, Any]) -> ConversationEvent:
    """Return the event in the body of a webhook.

    The keys of ``TRIGGERS`` are looked up exactly as spelled. The first one whose value is not null determines the
    class, whatever the type of that value. Without such a key the event is a plain ``ConversationEvent``. An object is
    never refused.

    :param body: the parsed JSON object, which is kept as ``raw``; or an event, which is returned.
    :raises TypeError: it is neither.
    """
    if isinstance(body, ConversationEvent):
        return body
    if not isinstance(body, Mapping):
        raise TypeError(f"An event is a JSON object (a dict), found {describe_type(body)}.")
    raw = body if isinstance(body, dict) else dict(body)
    for key, (_, event) in TRIGGERS.items():
        if raw.get(key) is not None:
            return event(raw)
    return ConversationEvent(raw)
