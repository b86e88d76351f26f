"""Events of agents: every fixture reads, and nothing that JSON can hold makes one fail."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchfn.webhooks.agents import (
    METHODS,
    AgentEvent,
    CallInitiationFailure,
    ConversationInitRequest,
    PostCallAudio,
    PostCallTranscription,
    parse_event,
)
from sinchfn.webhooks.agents.events import EVENTS, EventData, FailureMetadata
from sinchfn.webhooks.agents.transcripts import (
    Analysis,
    CallFeedback,
    CallMetadata,
    ClientData,
    CollectedValue,
    CriterionResult,
    DeletionSettings,
    PhoneCall,
    ToolCall,
    ToolResult,
    Turn,
)
from sinchfn.wire.objects import Caseless, Wire, WireObject
from tests.harness.paths import ELEVENLABS

SHAPES: list[type[WireObject]] = [
    *EVENTS.values(),
    AgentEvent,
    EventData,
    FailureMetadata,
    Turn,
    ToolCall,
    ToolResult,
    CallMetadata,
    PhoneCall,
    DeletionSettings,
    CallFeedback,
    Analysis,
    CriterionResult,
    CollectedValue,
    ClientData,
    ConversationInitRequest,
]


def fixture(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ELEVENLABS / f"{name}.json").read_text("utf-8"))
    return found


def transcription(**data: Any) -> PostCallTranscription:
    event = parse_event({"type": "post_call_transcription", "data": data})
    assert isinstance(event, PostCallTranscription)
    return event


def wires(shape: type[WireObject]) -> dict[str, Wire[Any]]:
    """Attribute -> descriptor, of a class and its bases."""
    return {name: wire for base in shape.__mro__ for name, wire in vars(base).items() if isinstance(wire, Wire)}


def read_all(value: Any) -> None:
    """Every known field, nested ones too."""
    if isinstance(value, WireObject):
        for name in wires(type(value)):
            read_all(getattr(value, name))
        repr(value)
    elif isinstance(value, Mapping) and not isinstance(value, dict):
        read_all(tuple(value.values()))
    elif isinstance(value, tuple):
        for item in value:
            read_all(item)


class TestTranscription:
    @pytest.fixture
    def event(self) -> PostCallTranscription:
        event = parse_event(fixture("post_call_transcription.sip"))
        assert isinstance(event, PostCallTranscription)
        return event

    def test_reading_all_of_it_logs_nothing_and_leaves_raw_as_it_came(self, caplog: pytest.LogCaptureFixture) -> None:
        raw = fixture("post_call_transcription.sip")
        before = copy.deepcopy(raw)
        event = parse_event(raw)
        read_all(event)
        assert event.raw is raw
        assert raw == before == event
        assert not caplog.records

    def test_every_field_that_came_has_an_attribute(self, event: PostCallTranscription) -> None:
        turns, metadata, analysis = event.transcript, event.metadata, event.analysis
        assert turns
        assert metadata is not None
        assert analysis is not None
        parts: list[WireObject | None] = [*turns, metadata, metadata.phone_call, metadata.deletion_settings]
        parts += [metadata.feedback, analysis, event.conversation_initiation_client_data]
        parts += [*(turns[2].tool_calls or ()), *(turns[3].tool_results or ())]
        parts += [*(analysis.evaluation_criteria_results or {}).values()]
        parts += [*(analysis.data_collection_results or {}).values()]
        for part in parts:
            assert part is not None
            assert set(part) <= {wire.wire_name for wire in wires(type(part)).values()}, part
        assert set(event["data"]) <= {wire.wire_name for wire in wires(type(event)).values()}

    def test_the_envelope(self, event: PostCallTranscription) -> None:
        assert event.type == "post_call_transcription"
        assert event.event_timestamp == datetime(2026, 3, 2, 9, 30, 22, tzinfo=UTC)
        assert event.event_timestamp.tzinfo is UTC
        assert event.agent_id == "agent_01hq4d0000e0000000000000001"
        assert event.conversation_id == "conv_01hq4d0000e0000000000000002"
        assert event.data is not None
        assert event.data["agent_name"] == event.agent_name == "Parcel desk"
        assert event.data.conversation_id == event.conversation_id
        assert event.status == "done"
        assert event.user_id is None
        flags = (event.has_audio, event.has_user_audio, event.has_response_audio, event.has_auxiliary_audio)
        assert flags == (True, True, True, False)

    def test_the_turns(self, event: PostCallTranscription) -> None:
        assert event.transcript is not None
        first, _, calling, answered, last = event.transcript
        assert (first.role, first.message, first.time_in_call_secs) == ("agent", "Hi Jo, how can I help?", 0)
        assert first.tool_calls == ()
        assert calling.message is None
        assert calling.tool_calls is not None
        assert calling.tool_calls[0].tool_name == "lookup_order"
        assert json.loads(calling.tool_calls[0].params_as_json or "") == {"order": "4711"}
        assert calling.tool_calls[0].tool_has_been_called is True
        assert answered.tool_results is not None
        assert answered.tool_results[0].is_error is False
        assert answered.tool_results[0].request_id == calling.tool_calls[0].request_id
        assert last.interrupted is True
        assert last.original_message == "It is in transit and should arrive tomorrow."
        assert last.conversation_turn_metrics is not None

    def test_what_is_known_of_the_call(self, event: PostCallTranscription) -> None:
        assert event.metadata is not None
        assert event.metadata.start_time == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
        assert event.metadata.accepted_time == datetime(2026, 3, 2, 9, 29, 59, tzinfo=UTC)
        assert event.metadata.call_duration_secs == 22
        assert event.metadata.cost == 296
        assert event.metadata.conversation_initiation_source == "sip_trunk"
        call = event.metadata.phone_call
        assert call is not None
        assert (call.type, call.direction, call.external_number) == ("sip_trunking", "inbound", "+15551234567")
        assert call.sip_header_dynamic_variables == {}
        assert event.metadata.deletion_settings is not None
        assert event.metadata.deletion_settings.deletion_time is None
        assert event.metadata.deletion_settings.delete_audio is False

    def test_the_analysis(self, event: PostCallTranscription) -> None:
        assert event.analysis is not None
        assert event.analysis.call_successful == "success"
        criteria, collected = event.analysis.evaluation_criteria_results, event.analysis.data_collection_results
        assert criteria is not None
        assert collected is not None
        assert (criteria["resolved"].result, criteria["resolved"].rationale) == ("success", "Order status given.")
        assert collected["order_id"].value == "4711"
        assert event.analysis.evaluation_criteria_results_list is None
        client = event.conversation_initiation_client_data
        assert client is not None
        assert client.dynamic_variables is not None
        assert client.dynamic_variables["system__caller_id"] == "+15551234567"

    def test_the_three_kinds_of_phone_call_are_read_alike(self) -> None:
        event = transcription(metadata={"phone_call": {"type": "twilio", "call_sid": "CA1", "stream_sid": "MZ1"}})
        assert event.metadata is not None
        call = event.metadata.phone_call
        assert call is not None
        assert (call.type, call.call_sid, call.stream_sid, call.call_id) == ("twilio", "CA1", "MZ1", None)

    def test_the_variants_as_lists(self) -> None:
        event = transcription(analysis={"data_collection_results_list": [{"data_collection_id": "a", "value": 0.5}]})
        assert event.analysis is not None
        assert event.analysis.data_collection_results_list is not None
        assert event.analysis.data_collection_results_list[0].value == 0.5


class TestTolerance:
    def test_older_deliveries_lack_the_flags(self, caplog: pytest.LogCaptureFixture) -> None:
        raw = fixture("post_call_transcription.sip")
        raw["data"] = {name: value for name, value in raw["data"].items() if not name.startswith("has_")}
        event = parse_event(raw)
        read_all(event)
        assert isinstance(event, PostCallTranscription)
        assert event.has_audio is event.has_user_audio is None
        assert not caplog.records

    def test_null_stands_for_nothing_wherever_it_stands(self, caplog: pytest.LogCaptureFixture) -> None:
        turn = {"role": "user", "tool_calls": None, "tool_results": None}
        event = transcription(transcript=[turn], visited_agents=None, tag_ids=None, metadata=None, analysis=None)
        read_all(event)
        assert event.transcript is not None
        assert event.transcript[0].tool_calls is event.transcript[0].tool_results is None
        assert transcription(transcript=None).transcript is None
        assert not caplog.records

    @pytest.mark.parametrize("data", [None, 1, "x", [], [{}]])
    def test_data_that_is_no_object_leaves_all_attributes_none(self, data: Any) -> None:
        event = parse_event({"type": "post_call_transcription", "data": data})
        assert isinstance(event, PostCallTranscription)
        assert (event.conversation_id, event.transcript, event.data) == (None, None, None)
        assert event["data"] == data

    @pytest.mark.parametrize(
        ("field", "value", "expected"),
        [
            ("event_timestamp", "1772443822", "seconds since 1970"),
            ("event_timestamp", True, "seconds since 1970"),
            ("event_timestamp", 10**400, "seconds since 1970"),
            ("event_timestamp", -1e300, "seconds since 1970"),
            ("data", [], "an object"),
            ("type", 1, "a string"),
        ],
    )
    def test_a_wrong_type_reads_as_none_and_is_logged_once(
        self, field: str, value: Any, expected: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        event = parse_event({field: value})
        assert getattr(event, field) is None
        assert getattr(event, field) is None
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert f"AgentEvent.{field} reads as None: expected {expected}, found " in caplog.text

    def test_a_log_line_says_where_in_the_event(self, caplog: pytest.LogCaptureFixture) -> None:
        results = {"a\nb": {"rationale": 1}, "c": {}}
        event = transcription(transcript=[{}, {"role": 1}], analysis={"evaluation_criteria_results": results})
        read_all(event)
        assert [record.getMessage().partition(" reads as ")[0] for record in caplog.records] == [
            "PostCallTranscription.data.transcript[1].role",
            r"PostCallTranscription.data.analysis.evaluation_criteria_results['a\nb'].rationale",
        ]

    def test_a_table_of_anything_but_objects_reads_as_none(self, caplog: pytest.LogCaptureFixture) -> None:
        event = transcription(analysis={"evaluation_criteria_results": {"a": 1}})
        assert event.analysis is not None
        assert event.analysis.evaluation_criteria_results is None
        assert "expected an object of objects" in caplog.text

    def test_seconds_may_have_a_fraction(self) -> None:
        assert parse_event({"event_timestamp": 1.5}).event_timestamp == datetime(1970, 1, 1, 0, 0, 1, 500000, UTC)


class TestTypes:
    def test_each_type_has_its_class_and_its_method(self) -> None:
        assert dict(METHODS) == {
            "post_call_transcription": PostCallTranscription,
            "post_call_audio": PostCallAudio,
            "call_initiation_failure": CallInitiationFailure,
        }
        for name, shape in METHODS.items():
            assert type(parse_event({"type": name})) is shape

    @pytest.mark.parametrize("raw", [{"type": "x", "data": {"agent_id": "a"}}, {}, {"type": None}, {"type": []}])
    def test_any_other_is_a_plain_event(self, raw: dict[str, Any]) -> None:
        event = parse_event(raw)
        assert type(event) is AgentEvent
        assert event.raw is raw

    def test_an_unknown_type_is_readable(self) -> None:
        event = parse_event(fixture("unknown_type"))
        assert event.type == "something_new"
        assert event.data == {}
        assert event.conversation_id is None

    @pytest.mark.parametrize("body", [None, [], "x", 1, b"{}"])
    def test_what_is_no_object_is_a_type_error(self, body: Any) -> None:
        with pytest.raises(TypeError, match="JSON object"):
            parse_event(body)

    def test_a_failure(self) -> None:
        metadata = {"type": "sip", "body": {"sip_status_code": 486}}
        data = {"conversation_id": "c", "failure_reason": "busy", "metadata": metadata}
        event = parse_event({"type": "call_initiation_failure", "data": data})
        assert isinstance(event, CallInitiationFailure)
        assert event.conversation_id == "c"
        assert event.failure_reason == "BUSY"
        assert isinstance(event.failure_reason, Caseless)
        assert event.metadata is not None
        assert event.metadata.type == "sip"
        assert event.metadata.body == {"sip_status_code": 486}

    def test_a_request_to_start_a_conversation(self) -> None:
        request = ConversationInitRequest(fixture("conversation_init.request_with_conversation_id"))
        assert request.caller_id == "+15551234567"
        assert request.agent_id == "agent_01hq4d0000e0000000000000001"
        assert request.called_number == "+15557654321"
        assert request.call_sid == "SCL_abc123"
        assert request.conversation_id == "conv_01hq4d0000e0000000000000002"
        assert ConversationInitRequest({"caller_id": "x"}).conversation_id is None


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = sorted({wire.wire_name for shape in SHAPES for wire in wires(shape).values()})
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner), max_leaves=20
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON)


@given(st.sampled_from(SHAPES), OBJECTS)
def test_no_object_makes_any_shape_fail(shape: type[WireObject], raw: dict[str, Any]) -> None:
    before = copy.deepcopy(raw)
    read_all(shape(raw))
    assert repr(raw) == repr(before)


@given(st.sampled_from([*EVENTS, "x", 1]), OBJECTS)
def test_no_data_makes_any_event_fail(name: Any, data: dict[str, Any]) -> None:
    read_all(parse_event({"type": name, "data": data}))
