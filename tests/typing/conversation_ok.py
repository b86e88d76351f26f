"""What a type checker must see in events and messages of the Conversation API. Only type-checked, never run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, assert_type

from sinchfn.webhooks.conversation import (
    METHODS,
    TRIGGERS,
    Card,
    Choice,
    ContactCreateEvent,
    ConversationEvent,
    ConversationMessage,
    EventInboundEvent,
    ListChoice,
    ListProduct,
    ListSection,
    LocationMessage,
    Media,
    MediaCardMessage,
    MediaMessage,
    MessageDeliveryEvent,
    MessageInboundEvent,
    MessageSubmitEvent,
    Queue,
    SmartConversationsEvent,
    Template,
    create_channel_message,
    create_message,
    create_messenger,
    create_reply,
    create_sms,
    create_whatsapp,
    get_channel,
    get_contact_id,
    get_conversation_id,
    get_identity,
    get_location,
    get_media,
    get_postback_data,
    get_text,
    get_to,
    is_media_message,
    is_postback,
    is_text_message,
    parse_event,
    reply,
    text_reply,
)
from sinchfn.webhooks.conversation.inbound import ChannelName
from sinchfn.webhooks.conversation.notifications import DeliveryStatus
from sinchfn.wire.objects import Caseless, WireObject


def common(event: ConversationEvent, body: Mapping[str, Any]) -> None:
    assert_type(parse_event(body), ConversationEvent)
    assert_type(event.trigger, str)
    assert_type(event.key, str)
    assert_type(event.payload, WireObject | None)
    assert_type(event.app_id, str | None)
    assert_type(event.accepted_time, datetime | None)
    assert_type(event["app_id"], Any)
    assert_type(event.raw, dict[str, Any])
    if isinstance(event, MessageDeliveryEvent) and event.message_delivery_report:
        assert_type(event.message_delivery_report.status, DeliveryStatus | None)


def message(event: MessageInboundEvent) -> None:
    if event.message and event.message.contact_message:
        assert_type(event.message.sender_id, str | None)
        assert_type(event.message.injected, bool | None)
        content = event.message.contact_message
        assert_type(content.media_message, MediaMessage | None)
        if content.text_message:
            assert_type(content.text_message.text, str | None)
        if content.location_message and content.location_message.coordinates:
            assert_type(content.location_message.coordinates.latitude, float | None)
        if content.product_response_message and content.product_response_message.products:
            assert_type(content.product_response_message.products[0].item_price, Decimal | None)
            assert_type(content.product_response_message.products[0].quantity, int | None)


def others(
    event: EventInboundEvent, contact: ContactCreateEvent, smart: SmartConversationsEvent, sent: MessageSubmitEvent
) -> None:
    if event.event and event.event.contact_event:
        assert_type(event.event.contact_event.composing_event, dict[str, Any] | None)
    if contact.contact_create_notification and contact.contact_create_notification.contact:
        assert_type(contact.contact_create_notification.contact.channel_priority, tuple[Caseless, ...] | None)
    if smart.smart_conversation_notification and smart.smart_conversation_notification.analysis_results:
        results = smart.smart_conversation_notification.analysis_results.ml_sentiment_result
        if results:
            assert_type(results[0].score, float | None)
    if sent.message_submit_notification and sent.message_submit_notification.submitted_message:
        assert_type(sent.message_submit_notification.submitted_message.explicit_channel_message, dict[str, Any] | None)


def reading(event: ConversationEvent | dict[str, Any]) -> None:
    for text in (get_text(event), get_postback_data(event), get_contact_id(event), get_conversation_id(event)):
        assert_type(text, str | None)
    assert_type(get_identity(event), str | None)
    assert_type(get_to(event), str | None)
    assert_type(get_channel(event), ChannelName | None)
    assert_type(get_media(event), MediaMessage | MediaCardMessage | None)
    assert_type(get_location(event), LocationMessage | None)
    for answer in (is_text_message(event), is_media_message(event), is_postback(event)):
        assert_type(answer, bool)
    assert_type(create_reply(event), ConversationMessage)
    assert_type(reply(event, "Hello"), ConversationMessage)
    assert_type(text_reply(event, "Hello", "Shop"), ConversationMessage)


assert_type(METHODS["message_inbound"], type[ConversationEvent])
assert_type(TRIGGERS["message"], tuple[str, type[ConversationEvent]])

queue: Queue = "HIGH_PRIORITY"
start = datetime(2030, 1, 1, tzinfo=UTC)
buttons = [
    Choice.text("Yes", postback_data="yes"),
    Choice.postback("No", "no"),
    Choice.url("Shop", "https://example.com"),
    Choice.call("Call", "+46700000000"),
    Choice.location("Here", 55, 13.5, label="Office"),
    Choice.share_location("Where?", "https://example.com"),
    Choice.calendar("Save", "Visit", start, start, "https://example.com"),
]
new = create_message()
assert_type(new.app_id("a").to_contact("c").to_channel("SMS", "+1"), ConversationMessage)
assert_type(
    new.text("Hello").media("https://example.com/a.png").media(Media("https://example.com")), ConversationMessage
)
assert_type(new.choice("Come?", buttons).choice("Come?", ["Yes", Choice.text("No")]), ConversationMessage)
assert_type(new.card(Card("t", "d", media="https://e.x", choices=["a"], height="TALL")), ConversationMessage)
assert_type(new.carousel([Card("t")], ["a"]).location("t", 1, 2.5), ConversationMessage)
assert_type(new.template(Template("t", version="1"), channels={"SMS": Template("t")}), ConversationMessage)
assert_type(new.list("t", [ListSection(["a", ListChoice("b"), ListProduct("i", "m")], "s")]), ConversationMessage)
assert_type(new.explicit_channel_message("RCS", {"a": 1}), ConversationMessage)
assert_type(new.ttl(10).metadata("m").conversation_metadata({"a": 1}, "REPLACE"), ConversationMessage)
assert_type(new.queue(queue).processing_strategy("DISPATCH_ONLY").callback_url("https://e.x"), ConversationMessage)
assert_type(new.sender("Shop").channel_properties({"A": "b"}).channel_priority_order("SMS", "RCS"), ConversationMessage)
assert_type(new.build(), dict[str, Any])
assert_type(new.send(None), Any)
assert_type(create_sms("a", "+1", "Hello", sender="Shop"), ConversationMessage)
assert_type(create_whatsapp("a", "+1", "Hello"), ConversationMessage)
assert_type(create_messenger("a", "1", "Hello"), ConversationMessage)
assert_type(create_channel_message("a", "RCS", "+1", "Hello"), ConversationMessage)
