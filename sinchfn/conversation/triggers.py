"""Which event a body is: the tables of triggers and methods, and `parse_event`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .events import (
    BatchStatusUpdateEvent,
    CapabilityEvent,
    ChannelEvent,
    ContactCreateEvent,
    ContactDeleteEvent,
    ContactIdentitiesDuplicationEvent,
    ContactMergeEvent,
    ContactUpdateEvent,
    ConversationDeleteEvent,
    ConversationEvent,
    ConversationStartEvent,
    ConversationStopEvent,
    EventDeliveryEvent,
    EventInboundEvent,
    MessageDeliveryEvent,
    MessageInboundEvent,
    MessageInboundSmartConversationRedactionEvent,
    MessageSubmitEvent,
    OptInEvent,
    OptOutEvent,
    RecordNotificationEvent,
    SmartConversationsEvent,
    UnsupportedEvent,
)

#: All events. If a body has the keys of several, the first of these counts.
EVENTS: tuple[type[ConversationEvent], ...] = (
    MessageInboundEvent,
    MessageInboundSmartConversationRedactionEvent,
    MessageSubmitEvent,
    MessageDeliveryEvent,
    EventInboundEvent,
    EventDeliveryEvent,
    ConversationStartEvent,
    ConversationStopEvent,
    ConversationDeleteEvent,
    ContactCreateEvent,
    ContactUpdateEvent,
    ContactDeleteEvent,
    ContactMergeEvent,
    ContactIdentitiesDuplicationEvent,
    CapabilityEvent,
    OptInEvent,
    OptOutEvent,
    ChannelEvent,
    UnsupportedEvent,
    SmartConversationsEvent,
    RecordNotificationEvent,
    BatchStatusUpdateEvent,
)

#: Key in the body -> trigger and class; the order is that of `EVENTS`.
TRIGGERS: Mapping[str, tuple[str, type[ConversationEvent]]] = MappingProxyType(
    {event.key: (event.trigger, event) for event in EVENTS}
)

#: Method of a controller (`message_inbound`, ...) -> class of what it is given; the order is that of `EVENTS`.
METHODS: Mapping[str, type[ConversationEvent]] = MappingProxyType({event.trigger.lower(): event for event in EVENTS})


def parse_event(body: Mapping[str, Any]) -> ConversationEvent:
    """The event that the body of a webhook is.

    A key counts when its value is not null, spelled exactly as in `TRIGGERS`; whether the value is of the right type is
    not asked. Without a known key it is a plain `ConversationEvent`, whose `trigger` is `UNKNOWN`. Nothing in a body
    makes this fail.

    :param body: the parsed JSON object, which is kept as `raw`; or an event, which is given back.
    :raises TypeError: it is neither.
    """
    if isinstance(body, ConversationEvent):
        return body
    if not isinstance(body, Mapping):
        raise TypeError(f"An event is a JSON object, found a value of type {type(body).__name__}.")
    raw = body if isinstance(body, dict) else dict(body)
    for key, (_, event) in TRIGGERS.items():
        if raw.get(key) is not None:
            return event(raw)
    return ConversationEvent(raw)
