"""Events of the Conversation API: every payload reads as its type, and nothing that JSON can hold makes one fail."""

from __future__ import annotations

import copy
import json
import logging
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchfn.webhooks.conversation import (
    EVENTS,
    METHODS,
    TRIGGERS,
    ContactCreateEvent,
    ContactMergeEvent,
    ConversationDeleteEvent,
    ConversationEvent,
    EventInboundEvent,
    LocationMessage,
    MediaCardMessage,
    MediaMessage,
    MessageDeliveryEvent,
    MessageInboundEvent,
    MessageInboundSmartConversationRedactionEvent,
    MessageSubmitEvent,
    OptInEvent,
    SmartConversationsEvent,
    events,
    get_channel,
    get_contact_id,
    get_conversation_id,
    get_identity,
    get_location,
    get_media,
    get_postback_data,
    get_text,
    get_to,
    inbound,
    is_media_message,
    is_postback,
    is_text_message,
    notifications,
    parse_event,
)
from sinchfn.wire import objects as payloads
from sinchfn.wire.objects import Caseless, Wire, WireObject
from tests.harness.paths import CONVERSATION

FIXTURES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(CONVERSATION.glob("*.json"))}

#: First part of a fixture's name -> the trigger that it shows.
SHOWN = {
    "message_inbound": "MESSAGE_INBOUND",
    "message_inbound_redaction": "MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION",
    "unknown_future_trigger": "UNKNOWN",
}

IDENTITY = {"channel": "SMS", "identity": "15551234567", "app_id": ""}

#: What no fixture shows: key -> payload.
OTHERS: dict[str, dict[str, Any]] = {
    "conversation_start_notification": {"conversation": {"id": "C", "contact_id": "P", "active_channel": "SMS"}},
    "conversation_stop_notification": {"conversation": {"id": "C", "metadata_json": {"a": [1]}, "active": True}},
    "contact_merge_notification": {"preserved_contact": {"id": "P"}, "deleted_contact": {"id": "Q"}},
    "duplicated_contact_identities_notification": {
        "duplicated_identities": [{"channel": "SMS", "contact_ids": ["P", "Q"], "identity": "+1", "app_id": ""}]
    },
    "capability_notification": {
        "request_id": "R",
        "contact_id": "P",
        "channel": "RCS",
        "identity": "+1",
        "capability_status": "CAPABILITY_PARTIAL",
        "channel_capabilities": ["RCS_CAPABILITY_RICHCARD_STANDALONE"],
        "reason": {"code": "UNKNOWN"},
    },
    "channel_event_notification": {
        "channel_event": {
            "channel": "WHATSAPP",
            "event_type": "WHATS_APP_QUALITY_RATING_CHANGED",
            "additional_data": {"quality_rating": "low"},
        }
    },
    "unsupported_callback": {
        "channel": "MESSENGER",
        "payload": '{"a":1}',
        "processing_mode": "DISPATCH",
        "id": "U",
        "contact_id": "",
        "conversation_id": "",
        "channel_identity": {"channel": "MESSENGER", "identity": "7", "app_id": "A"},
    },
    "smart_conversation_notification": {
        "contact_id": "P",
        "channel_identity": "7",
        "channel": "MESSENGER",
        "message_id": "M",
        "conversation_id": "C",
        "analysis_results": {
            "ml_sentiment_result": [
                {
                    "message": "hi",
                    "results": [{"sentiment": "POSITIVE", "score": 0.9}],
                    "sentiment": "POSITIVE",
                    "score": 1,
                }
            ],
            "ml_nlu_result": [
                {"message": "hi", "results": [{"intent": "chit", "score": 0.5}], "intent": "chit", "score": 0.5}
            ],
            "ml_image_recognition_result": [
                {
                    "url": "https://example.test/i.png",
                    "document_image_classification": {"doc_type": "passport", "confidence": 0.75},
                    "optical_character_recognition": {"result": [{"data": ["a", "b"]}]},
                    "document_field_classification": {"result": [{"name": {"data": ["Jo"]}}]},
                }
            ],
            "ml_pii_result": [{"message": "I am Jo", "masked": "I am {PERSON}"}],
            "ml_offensive_analysis_result": [{"message": "x", "url": "", "evaluation": "SAFE", "score": 0.1}],
        },
    },
    "batch_status_update_notification": {
        "batch_id": "B",
        "batch_status": "BATCH_STATUS_PROCESSED",
        "batch_type": "BATCH_TYPE_MESSAGES",
        "additional_data": {"message_batch_data": {"send_after": "2026-03-02T09:15:43Z", "batch_metadata": {}}},
    },
}

BODIES = {**FIXTURES, **{key: {"app_id": "A", key: payload} for key, payload in OTHERS.items()}}

#: The table of the platform's documentation: key in the body, trigger.
DOCUMENTED = [
    ("message", "MESSAGE_INBOUND"),
    ("message_redaction", "MESSAGE_INBOUND_SMART_CONVERSATION_REDACTION"),
    ("message_submit_notification", "MESSAGE_SUBMIT"),
    ("message_delivery_report", "MESSAGE_DELIVERY"),
    ("event", "EVENT_INBOUND"),
    ("event_delivery_report", "EVENT_DELIVERY"),
    ("conversation_start_notification", "CONVERSATION_START"),
    ("conversation_stop_notification", "CONVERSATION_STOP"),
    ("conversation_delete_notification", "CONVERSATION_DELETE"),
    ("contact_create_notification", "CONTACT_CREATE"),
    ("contact_update_notification", "CONTACT_UPDATE"),
    ("contact_delete_notification", "CONTACT_DELETE"),
    ("contact_merge_notification", "CONTACT_MERGE"),
    ("duplicated_contact_identities_notification", "CONTACT_IDENTITIES_DUPLICATION"),
    ("capability_notification", "CAPABILITY"),
    ("opt_in_notification", "OPT_IN"),
    ("opt_out_notification", "OPT_OUT"),
    ("channel_event_notification", "CHANNEL_EVENT"),
    ("unsupported_callback", "UNSUPPORTED"),
    ("smart_conversation_notification", "SMART_CONVERSATIONS"),
    ("record_notification", "RECORD_NOTIFICATION"),
    ("batch_status_update_notification", "BATCH_STATUS_UPDATE"),
]

#: Field type -> type of what an attribute of it reads.
READS: dict[type[payloads.TolerantField[Any]], type] = {
    payloads.Text: str,
    payloads.Word: Caseless,
    payloads.Known: Caseless,
    payloads.Whole: int,
    payloads.Flag: bool,
    payloads.Amount: Decimal,
    payloads.Number: float,
    payloads.Instant: datetime,
    payloads.Entries: dict,
    payloads.Texts: tuple,
    payloads.Words: tuple,
    payloads.Parts: tuple,
}

SHAPES: list[type[WireObject]] = [
    shape
    for module in (events, inbound, notifications)
    for shape in vars(module).values()
    if isinstance(shape, type) and issubclass(shape, WireObject) and shape.__module__ == module.__name__
]

READERS: list[Callable[[Any], Any]] = [
    get_text,
    get_media,
    get_location,
    get_postback_data,
    get_contact_id,
    get_conversation_id,
    get_channel,
    get_identity,
    get_to,
    is_text_message,
    is_media_message,
    is_postback,
]


def wires(shape: type[WireObject]) -> dict[str, Wire[Any]]:
    """Attribute -> descriptor, of a class and its bases."""
    return {name: wire for base in shape.__mro__ for name, wire in vars(base).items() if isinstance(wire, Wire)}


def parts_of(value: Any) -> Iterator[WireObject]:
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, WireObject):
            yield item


def read_all(data: WireObject) -> dict[str, Any]:
    """Every known field, nested ones too."""
    read: dict[str, Any] = {name: getattr(data, name) for name in wires(type(data))}
    for value in read.values():
        for part in parts_of(value):
            read_all(part)
    return read


def is_of_its_type(wire: Wire[Any], value: Any) -> bool:
    kind = wire.field.shape if isinstance(wire.field, payloads.Part) else READS[type(wire.field)]
    return value is None or type(value) is kind


def check(data: WireObject) -> None:
    by_wire_name = {wire.wire_name: (name, wire) for name, wire in wires(type(data)).items()}
    free = (notifications.DocumentFields,)
    for wire_name, found in data.raw.items() if not isinstance(data, free) else ():
        name, wire = by_wire_name[wire_name]
        value = getattr(data, name)
        assert is_of_its_type(wire, value), wire_name
        assert (value is None) == (found is None), wire_name
        for part in parts_of(value):
            check(part)


def inbound(content: Any, **changes: Any) -> dict[str, Any]:
    message = {"contact_message": content, "channel_identity": IDENTITY, "processing_mode": "CONVERSATION"}
    return {"app_id": "A", "message": message | changes}


def contents(name: str) -> Any:
    event = parse_event(BODIES[f"message_inbound.{name}"])
    assert isinstance(event, MessageInboundEvent)
    assert event.message is not None
    assert event.message.contact_message is not None
    return event.message.contact_message


def inbound_event(group: str, name: str, content: Any) -> Any:
    event = parse_event({"event": {group: {name: content}}})
    assert isinstance(event, EventInboundEvent)
    return getattr(getattr(event.event, group), name)


class TestTriggers:
    def test_the_table_is_that_of_the_documentation_in_its_order(self) -> None:
        assert [(key, trigger) for key, (trigger, _) in TRIGGERS.items()] == DOCUMENTED

    @pytest.mark.parametrize(("key", "trigger"), DOCUMENTED)
    def test_the_key_says_which_event_it_is(self, key: str, trigger: str) -> None:
        event = parse_event({"app_id": "A", key: {}})
        assert (event.trigger, event.key) == (trigger, key)
        assert type(event) is TRIGGERS[key][1]
        assert event.payload == {}
        assert event.payload is getattr(event, key)

    def test_a_method_of_a_controller_is_the_trigger_in_small_letters(self) -> None:
        assert list(METHODS) == [trigger.lower() for _, trigger in DOCUMENTED]
        assert list(METHODS.values()) == list(EVENTS)
        assert METHODS["message_inbound"] is MessageInboundEvent

    def test_the_tables_cannot_be_changed(self) -> None:
        tables: list[Any] = [TRIGGERS, METHODS]
        for table in tables:
            with pytest.raises(TypeError):
                table["x"] = 1

    def test_of_several_keys_the_first_in_the_table_counts(self) -> None:
        keys = [key for key, _ in DOCUMENTED]
        for first, second in pairwise(keys):
            assert parse_event({second: {}, first: {}}).key == first

    def test_null_counts_as_absent(self) -> None:
        assert parse_event({"message": None, "event": {}}).trigger == "EVENT_INBOUND"
        assert parse_event({"message": None}).trigger == "UNKNOWN"

    @pytest.mark.parametrize("body", [{}, {"something_new_notification": {"foo": "bar"}}, {"Message": {}}])
    def test_what_no_table_has_is_an_event_without_a_name(self, body: dict[str, Any]) -> None:
        event = parse_event(body)
        assert type(event) is ConversationEvent
        assert (event.trigger, event.key, event.payload) == ("UNKNOWN", "", None)
        assert event.raw is body

    def test_a_wrong_type_under_a_key_is_still_that_event(self, caplog: pytest.LogCaptureFixture) -> None:
        event = parse_event({"message": "hidden"})
        assert isinstance(event, MessageInboundEvent)
        assert event.message is None
        assert event.payload is None
        assert caplog.messages == ["MessageInboundEvent.message reads as None: expected an object, found a string"]

    def test_an_event_is_given_back_and_any_mapping_is_taken(self) -> None:
        event = parse_event({"message": {}})
        assert parse_event(event) is event
        assert parse_event(event.payload or {}).trigger == "UNKNOWN"

    @pytest.mark.parametrize("wrong", [None, 5, "message", b"{}", ["message"], object()])
    def test_anything_else_is_a_type_error(self, wrong: Any) -> None:
        with pytest.raises(TypeError, match=r"An event is a JSON object .*, found"):
            parse_event(wrong)


class TestPayloads:
    @pytest.mark.parametrize("name", BODIES)
    def test_every_field_is_an_attribute_of_the_right_type(self, name: str) -> None:
        event = parse_event(BODIES[name])
        base = name.split(".")[0]
        assert event.trigger == SHOWN.get(base, event.trigger if base in TRIGGERS else base.upper())
        if event.trigger == "UNKNOWN":
            assert event["something_new_notification"] == {"foo": "bar"}
        else:
            check(event)

    @pytest.mark.parametrize("name", BODIES)
    def test_reading_logs_nothing_and_leaves_raw_as_it_came(self, name: str, caplog: pytest.LogCaptureFixture) -> None:
        body = BODIES[name]
        before = copy.deepcopy(body)
        event = parse_event(body)
        read_all(event)
        assert event.raw is body
        assert body == before
        assert not caplog.records

    def test_what_all_events_carry(self) -> None:
        event = parse_event(BODIES["message_delivery.delivered"])
        assert event.app_id == "01HQ3Z5APP0000000000000001"
        assert event.project_id == "3f2a9d41-6c1e-4b0a-9d0b-7a5f0c1e2d34"
        assert event.accepted_time == datetime(2026, 3, 2, 9, 15, 44, 993024, tzinfo=UTC)
        assert event.event_time == datetime(2026, 3, 2, 9, 15, 42, 814000, tzinfo=UTC)
        assert event.message_metadata == "order=4711"
        assert event.correlation_id == ""
        assert event["accepted_time"] == "2026-03-02T09:15:44.993024Z"

    def test_nine_digits_of_a_second_are_read(self) -> None:
        event = parse_event({"accepted_time": "2022-02-07T20:01:09.892757478Z"})
        assert event.accepted_time == datetime(2022, 2, 7, 20, 1, 9, 892757, tzinfo=UTC)

    def test_a_message(self) -> None:
        event = parse_event(BODIES["message_inbound.text"])
        assert isinstance(event, MessageInboundEvent)
        message = event.message
        assert message is not None
        assert message.id == "01HQ3Z8MSG0000000000000001"
        assert message.direction == "to_app"
        assert message.sender_id == "15557654321"
        assert message.processing_mode == "CONVERSATION"
        assert message.injected is False
        assert message.accept_time == datetime(2026, 3, 2, 9, 15, 43, 915829, tzinfo=UTC)
        assert message.metadata == ""
        assert message.channel_identity == {"channel": "SMS", "identity": "15551234567", "app_id": ""}
        assert message.contact_message is not None
        assert message.contact_message.text_message is not None
        assert message.contact_message.text_message.text == "Where is my order?"
        assert message.contact_message.reply_to is None
        assert message.contact_message.media_message is None

    def test_in_dispatch_mode_ids_stay_empty_strings(self) -> None:
        event = parse_event(inbound({}, contact_id="", conversation_id="", processing_mode="DISPATCH"))
        assert isinstance(event, MessageInboundEvent)
        assert event.message is not None
        assert (event.message.contact_id, event.message.conversation_id) == ("", "")

    def test_each_content(self) -> None:
        assert contents("reply_to").reply_to.message_id == "01HQ3Z0OUTBOUND00000000001"
        card = contents("media_card").media_card_message
        assert (card.url, card.caption) == ("https://media.example.test/in/photo.png", "broken box")
        choice = contents("choice_response").choice_response_message
        assert (choice.message_id, choice.postback_data) == ("01HQ3Z0OUTBOUND00000000001", "track_order")
        place = contents("location").location_message
        assert (place.title, place.label) == ("Depot", "Gate 3")
        assert (place.coordinates.latitude, place.coordinates.longitude) == (55.61294, 13.00397)
        fallback = contents("fallback").fallback_message
        assert fallback.raw_message == '{"type":"sticker"}'
        assert (fallback.reason.code, fallback.reason.sub_code) == ("MEDIA_TYPE_UNSUPPORTED", "UNSPECIFIED_SUB_CODE")
        form = contents("channel_specific_nfm_reply").channel_specific_message
        assert (form.message_type, form.message.type, form.message.nfm_reply.name) == ("nfm_reply", "nfm_reply", "flow")
        assert json.loads(form.message.nfm_reply.response_json) == {"flow_token": "tok-1", "size": "M"}
        assert form.message.nfm_reply.body == "Sent"

    def test_products_with_exact_prices(self) -> None:
        basket = contents("product_response").product_response_message
        assert (basket.title, basket.text, basket.catalog_id) == ("Basket", None, "cat-1")
        (product,) = basket.products
        assert (product.id, product.marketplace, product.quantity) == ("sku-100", "FACEBOOK", 2)
        assert (product.item_price, product.currency) == (Decimal("19.95"), "EUR")

    def test_media_without_a_caption(self) -> None:
        media = {"url": "https://example.test/a", "thumbnail_url": "https://example.test/b", "filename_override": "c"}
        found = get_media(inbound({"media_message": media}))
        assert isinstance(found, MediaMessage)
        assert (found.url, found.thumbnail_url, found.filename_override) == tuple(media.values())

    def test_a_masked_message(self) -> None:
        event = parse_event(BODIES["message_inbound_redaction"])
        assert isinstance(event, MessageInboundSmartConversationRedactionEvent)
        assert event.message_redaction is not None
        assert event.message_redaction.redaction_type is None
        assert get_text(event) == "My name is {PERSON} and my mail is {EMAIL}"

    def test_a_submitted_message_reads_like_a_sent_one(self) -> None:
        submitted = {
            "list_message": {"title": "Pick", "sections": [{"title": "A", "items": [{"choice": {"title": "one"}}]}]},
            "card_message": {"title": "Card", "choices": [{"url_message": {"title": "t", "url": "https://e.test"}}]},
            "template_message": {"omni_template": {"template_id": "T", "version": "1", "parameters": {"a": "b"}}},
            "explicit_channel_message": {"WHATSAPP": "{}"},
            "agent": {"type": "BOT"},
        }
        event = parse_event({"message_submit_notification": {"message_id": "M", "submitted_message": submitted}})
        assert isinstance(event, MessageSubmitEvent)
        check(event)
        assert event.message_submit_notification is not None
        message: Any = event.message_submit_notification.submitted_message
        assert message.list_message.sections[0].items_[0].choice.title == "one"
        assert message.card_message.choices[0].url_message.url == "https://e.test"
        assert message.template_message.omni_template.parameters == {"a": "b"}
        assert message.agent.type == "bot"

    def test_events_of_a_contact(self) -> None:
        for name in ("composing_event", "composing_end_event", "conversation_deleted_event"):
            assert inbound_event("contact_event", name, {}) == {}
        comment = inbound_event("contact_event", "comment_event", {"id": "c", "text": "nice!", "comment_type": "LIVE"})
        assert (comment.id, comment.text, comment.comment_type, comment.user) == ("c", "nice!", "live", None)
        assert inbound_event("contact_event", "generic_event", {"payload": {"a": [1]}}).payload == {"a": [1]}

    def test_events_of_a_message(self) -> None:
        paid = parse_event(BODIES["event_inbound.payment_status"])
        assert isinstance(paid, EventInboundEvent)
        assert paid.event is not None
        assert paid.event.contact_event is None
        assert paid.event.contact_message_event is not None
        update = paid.event.contact_message_event.payment_status_update_event
        assert update is not None
        assert (update.reference_id, update.payment_transaction_id) == ("ref-1", "tx-1")
        assert update.payment_status == "PAYMENT_STATUS_CAPTURED"
        assert update.payment_transaction_status == "PAYMENT_STATUS_TRANSACTION_SUCCESS"
        link = inbound_event(
            "contact_message_event", "shortlink_activated_event", {"ref": "r", "existing_thread": True}
        )
        assert (link.ref, link.existing_thread) == ("r", True)
        reaction = {"emoji": "👍", "action": "REACTION_ACTION_REACT", "message_id": "M", "reaction_category": "like"}
        read = inbound_event("contact_message_event", "reaction_event", reaction)
        assert [read.emoji, read.action, read.message_id, read.reaction_category] == list(reaction.values())

    def test_a_delivery_that_failed(self) -> None:
        event = parse_event(BODIES["message_delivery.failed"])
        assert isinstance(event, MessageDeliveryEvent)
        report = event.message_delivery_report
        assert report is not None
        assert report.status == "FAILED"
        assert report.reason is not None
        assert (report.reason.code, report.reason.channel_code) == ("RECIPIENT_NOT_REACHABLE", "131026")
        assert report.reason.description == "The underlying channel reported: handset absent"

    def test_contacts_and_conversations(self) -> None:
        created = parse_event(BODIES["contact_create"])
        assert isinstance(created, ContactCreateEvent)
        assert created.contact_create_notification is not None
        contact = created.contact_create_notification.contact
        assert contact is not None
        assert contact.channel_priority == ("sms",)
        assert contact.channel_identities is not None
        assert [identity.channel for identity in contact.channel_identities] == ["SMS"]
        assert (contact.display_name, contact.email, contact.external_id) == ("Jo Doe", "jo@example.test", "crm-42")
        merged = parse_event(BODIES["contact_merge_notification"])
        assert isinstance(merged, ContactMergeEvent)
        assert merged.contact_merge_notification is not None
        assert merged.contact_merge_notification.deleted_contact == {"id": "Q"}
        gone = parse_event(BODIES["conversation_delete"])
        assert isinstance(gone, ConversationDeleteEvent)
        assert gone.conversation_delete_notification is not None
        assert gone.conversation_delete_notification.conversation is not None
        assert gone.conversation_delete_notification.conversation.active is False
        refused = parse_event(BODIES["opt_in.failed"])
        assert isinstance(refused, OptInEvent)
        assert refused.opt_in_notification is not None
        assert refused.opt_in_notification.error_details == {"description": "channel refused the opt-in"}

    def test_what_smart_conversations_found(self) -> None:
        event = parse_event(BODIES["smart_conversation_notification"])
        assert isinstance(event, SmartConversationsEvent)
        assert event.smart_conversation_notification is not None
        found: Any = event.smart_conversation_notification.analysis_results
        assert found.ml_sentiment_result[0].results[0].score == 0.9
        assert type(found.ml_sentiment_result[0].score) is float
        assert found.ml_image_recognition_result[0].optical_character_recognition.result[0].data == ("a", "b")
        fields_of = found.ml_image_recognition_result[0].document_field_classification.result[0]
        assert fields_of["name"]["data"] == ["Jo"]
        assert found.ml_pii_result[0].masked == "I am {PERSON}"
        assert found.ml_offensive_analysis_result[0].evaluation == "SAFE"


class TestReading:
    def test_a_text(self) -> None:
        body = BODIES["message_inbound.text"]
        for event in (body, parse_event(body)):
            assert get_text(event) == "Where is my order?"
            assert get_contact_id(event) == "01HQ3Z6CONTACT000000000100"
            assert get_conversation_id(event) == "01HQ3Z7CONV000000000000001"
            assert get_channel(event) == "SMS"
            assert get_identity(event) == "15551234567"
            assert get_to(event) == "15557654321"
            assert (is_text_message(event), is_media_message(event), is_postback(event)) == (True, False, False)
            assert (get_media(event), get_location(event), get_postback_data(event)) == (None, None, None)

    def test_an_empty_text_is_a_text(self) -> None:
        event = inbound({"text_message": {"text": ""}})
        assert get_text(event) == ""
        assert is_text_message(event)
        assert is_text_message(inbound({"text_message": {}}))
        assert get_text(inbound({"text_message": {}})) is None

    def test_media_with_and_without_a_caption(self) -> None:
        event = BODIES["message_inbound.media_card"]
        assert isinstance(get_media(event), MediaCardMessage)
        assert is_media_message(event)
        assert is_media_message(inbound({"media_message": {}}))
        assert not is_text_message(event)

    def test_a_choice_and_a_place(self) -> None:
        pressed = BODIES["message_inbound.choice_response"]
        assert is_postback(pressed)
        assert get_postback_data(pressed) == "track_order"
        assert is_postback(inbound({"choice_response_message": {}}))
        place = get_location(BODIES["message_inbound.location"])
        assert isinstance(place, LocationMessage)
        assert place.label == "Gate 3"

    @pytest.mark.parametrize(
        ("name", "contact", "conversed", "channel", "identity"),
        [
            ("event_inbound.comment", "01HQ3Z6CONTACT000000000100", "01HQ3Z7CONV000000000000001", "MESSENGER", "77"),
            ("message_delivery.failed", "01HQ3Z6CONTACT000000000100", "01HQ3Z7CONV000000000000001", "WHATSAPP", "155"),
            ("event_delivery", "01HQ3Z6CONTACT000000000100", None, "MESSENGER", "77"),
            ("opt_in", "01HQ3Z6CONTACT000000000100", None, "VIBERBM", "155"),
            ("contact_create", "01HQ3Z6CONTACT000000000100", None, None, None),
            ("conversation_delete", "01HQ3Z6CONTACT000000000100", "01HQ3Z7CONV000000000000001", "SMS", None),
            ("conversation_start_notification", "P", "C", "SMS", None),
            ("smart_conversation_notification", "P", "C", "MESSENGER", "7"),
            ("unsupported_callback", None, None, "MESSENGER", "7"),
            ("contact_merge_notification", None, None, None, None),
            ("channel_event_notification", None, None, None, None),
            ("unknown_future_trigger", None, None, None, None),
        ],
    )
    def test_who_other_events_are_about(
        self, name: str, contact: str | None, conversed: str | None, channel: str | None, identity: str | None
    ) -> None:
        event = BODIES[name]
        assert get_contact_id(event) == contact
        assert get_conversation_id(event) == conversed
        assert get_channel(event) == channel
        assert (get_identity(event) or "")[: len(identity or "")] == (identity or "")
        assert (get_identity(event) is None) == (identity is None)
        assert (get_text(event), get_media(event), get_to(event)) == (None, None, None)
        assert not is_text_message(event)

    def test_empty_ids_are_none(self) -> None:
        event = inbound({}, contact_id="", conversation_id="", sender_id="", channel_identity={"identity": ""})
        assert [get_contact_id(event), get_conversation_id(event), get_to(event), get_identity(event)] == [None] * 4
        assert get_channel(event) is None

    @pytest.mark.parametrize("wrong", [None, 5, "x", [], object(), {}, {"message": 5}, {"message": {}}])
    @pytest.mark.parametrize("read", READERS)
    def test_there_is_nothing_in_what_is_no_event(self, read: Callable[[Any], Any], wrong: Any) -> None:
        assert read(wrong) in (None, False)


HUGE = st.sampled_from([19, 400, 5000]).map(lambda digits: -(10**digits))  # the last is too long for `str`
TEXTS = st.text() | st.text(st.characters()) | st.sampled_from(["\ud800", "", "\x00", "DISPATCH", "SMS", "9" * 30])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | HUGE | TEXTS
WIRE_NAMES = sorted({wire.wire_name for shape in SHAPES for wire in wires(shape).values()})
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WIRE_NAMES) | TEXTS, inner, max_size=4),
    max_leaves=12,
)


@cache
def misshapen(shape: type[WireObject], depth: int = 4) -> st.SearchStrategy[Any]:
    """JSON that is nearly a `shape`: known fields that hold their own type, or anything."""
    parts: dict[str, st.SearchStrategy[Any]] = {}
    for wire in wires(shape).values():
        field = wire.field
        inner = JSON
        if isinstance(field, payloads.Part | payloads.Parts) and depth:
            inner = misshapen(field.shape, depth - 1) | JSON
            inner = st.lists(inner, max_size=2) | JSON if isinstance(field, payloads.Parts) else inner
        parts[wire.wire_name] = inner
    return st.fixed_dictionaries({}, optional=parts)


def comparable(value: Any) -> Any:
    """Something to compare, for JSON that holds NaN and integers too long for `str`."""
    if isinstance(value, dict):
        return [(key, comparable(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return hex(value) if isinstance(value, int) else repr(value)


class TestWhateverComes:
    @given(st.data())
    def test_any_json_under_any_key_reads_as_the_declared_types_or_none(self, data: st.DataObject) -> None:
        body = data.draw(misshapen(data.draw(st.sampled_from(EVENTS))) | st.dictionaries(TEXTS, JSON))
        before = comparable(copy.deepcopy(body))
        event = parse_event(body)
        read_all(event)
        for read in READERS:
            assert isinstance(read(event), str | bool | MediaMessage | MediaCardMessage | LocationMessage | None)
            assert repr(read(body)) == repr(read(event))
        assert isinstance(repr(event), str)
        assert event.raw is body
        assert comparable(body) == before

    @settings(max_examples=300)
    @given(st.data())
    def test_any_json_in_any_field_of_any_shape(self, data: st.DataObject) -> None:
        shape = data.draw(st.sampled_from(SHAPES))
        read = shape(data.draw(misshapen(shape, 1)))
        for name, value in read_all(read).items():
            assert is_of_its_type(wires(shape)[name], value)
        assert isinstance(repr(read), str)

    @pytest.mark.parametrize("as_object", [True, False])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_deep_nesting_in_any_field_never_fails(self, shape: type[WireObject], as_object: bool) -> None:
        nested: Any = []
        for _ in range(100_000):
            nested = {"message": nested} if as_object else [nested]
        read = shape({wire.wire_name: nested for wire in wires(shape).values()})
        for name in wires(shape):
            getattr(read, name)
        assert repr(read).startswith(f"<{shape.__name__}")

    def test_absent_and_null_read_as_none_and_are_not_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        for shape in SHAPES:
            assert set(read_all(shape({})).values()) <= {None}
            nulls = {wire.wire_name: None for wire in wires(shape).values()}
            assert set(read_all(shape(nulls)).values()) <= {None}
        assert not caplog.records


def at(path: str, value: Any) -> dict[str, Any]:
    """A body with `value` at `path`."""
    for name in reversed(path.split(".")):
        value = {name: value}
    found: dict[str, Any] = value
    return found


LATITUDE = "message.contact_message.location_message.coordinates.latitude"
CONTACT = "contact_create_notification.contact"


class TestWrongTypes:
    @pytest.mark.parametrize(
        ("path", "wrong", "expected"),
        [
            ("message.contact_message", [], "an object, found an array"),
            ("event.contact_event.generic_event.payload", "x", "an object, found a string"),
            (f"{CONTACT}.channel_priority", ["SMS", 5], "an array of strings, found an array"),
            (f"{CONTACT}.channel_priority", "SMS", "an array of strings, found a string"),
            (f"{CONTACT}.channel_identities", [{}, None], "an array of objects, found an array"),
            (f"{CONTACT}.channel_identities", {}, "an array of objects, found an object"),
            (LATITUDE, "1", "a finite number, found a string"),
            (LATITUDE, True, "a finite number, found a boolean"),
            (LATITUDE, math.inf, "a finite number, found a number"),
            (LATITUDE, math.nan, "a finite number, found a number"),
            (LATITUDE, 10**400, "a finite number, found a number"),
        ],
    )
    def test_it_reads_as_none_and_is_logged_once_with_its_path(
        self, path: str, wrong: Any, expected: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        event = parse_event(at(path, wrong))
        for _ in range(3):
            read_all(event)
        assert [(record.name, record.levelno) for record in caplog.records] == [("sinchfn.wire", logging.WARNING)]
        assert caplog.messages == [f"{type(event).__name__}.{path} reads as None: expected {expected}"]

    def test_an_item_of_an_array_is_named_by_its_place(self, caplog: pytest.LogCaptureFixture) -> None:
        read_all(parse_event(at(f"{CONTACT}.channel_identities", [{}, {"channel": 5}])))
        where = f"ContactCreateEvent.{CONTACT}.channel_identities[1].channel"
        assert caplog.messages == [f"{where} reads as None: expected a string, found a number"]

    def test_every_type_of_field_says_what_it_expects(self) -> None:
        used = {type(wire.field) for shape in SHAPES for wire in wires(shape).values()}
        assert used == set(READS) | {payloads.Part}
        assert all(kind.expected for kind in used)


def test_a_repr_shows_ids_and_no_texts() -> None:
    event = parse_event(BODIES["message_inbound.text"])
    assert repr(event) == "<MessageInboundEvent 01HQ3Z5APP0000000000000001>"
    assert repr(event.payload) == "<InboundMessage 01HQ3Z8MSG0000000000000001>"
    assert "order" not in repr(contents("text").text_message)
