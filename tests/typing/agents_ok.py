"""What a type checker must see in the events of agents and in the start of a conversation. Only type-checked."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, assert_type

from sinchfn.services.storage import Storage
from sinchfn.webhooks.agents import (
    METHODS,
    AgentEvent,
    CallInitiationFailure,
    ConversationInit,
    ConversationInitRequest,
    PostCallAudio,
    PostCallTranscription,
    initiation_answer,
    parse_event,
    read_event,
)
from sinchfn.webhooks.agents.events import EventData, FailureMetadata
from sinchfn.webhooks.agents.transcripts import (
    Analysis,
    CallMetadata,
    ClientData,
    CollectedValue,
    CriterionResult,
    PhoneCall,
    ToolCall,
    Turn,
)
from sinchfn.wire.objects import Caseless


def common(event: AgentEvent) -> None:
    assert_type(event.type, Caseless | None)
    assert_type(event.event_timestamp, datetime | None)
    assert_type(event.data, EventData | None)
    assert_type(event.agent_id, str | None)
    assert_type(event.conversation_id, str | None)
    assert_type(event["data"], Any)
    assert_type(event.raw, dict[str, Any])


def transcription(event: PostCallTranscription) -> None:
    assert_type(event.status, Literal["initiated", "in-progress", "processing", "done", "failed"] | None)
    assert_type(event.transcript, tuple[Turn, ...] | None)
    assert_type(event.metadata, CallMetadata | None)
    assert_type(event.analysis, Analysis | None)
    assert_type(event.conversation_initiation_client_data, ClientData | None)
    assert_type(event.has_audio, bool | None)
    assert_type(event.tag_ids, tuple[str, ...] | None)
    for turn in event.transcript or ():
        assert_type(turn.role, Literal["user", "agent"] | None)
        assert_type(turn.message, str | None)
        assert_type(turn.time_in_call_secs, int | None)
        assert_type(turn.tool_calls, tuple[ToolCall, ...] | None)
    if event.metadata is not None:
        assert_type(event.metadata.start_time, datetime | None)
        assert_type(event.metadata.cost, float | None)
        assert_type(event.metadata.phone_call, PhoneCall | None)
    if event.analysis is not None:
        assert_type(event.analysis.evaluation_criteria_results, Mapping[str, CriterionResult] | None)
        assert_type(event.analysis.data_collection_results, Mapping[str, CollectedValue] | None)
        assert_type(event.analysis.data_collection_results_list, tuple[CollectedValue, ...] | None)


def audio(event: PostCallAudio, storage: Storage) -> None:
    assert_type(event.audio, io.BufferedReader)
    assert_type(event.open_audio(), io.BufferedReader)
    assert_type(event.audio_size, int)
    assert_type(event.full_audio, str | None)
    storage.write(f"calls/{event.conversation_id}.mp3", event.audio)


def failure(event: CallInitiationFailure) -> None:
    assert_type(event.failure_reason, Literal["busy", "no-answer", "unknown"] | None)
    assert_type(event.metadata, FailureMetadata | None)
    if event.metadata is not None:
        assert_type(event.metadata.body, dict[str, Any] | None)


def start(request: ConversationInitRequest) -> ConversationInit:
    assert_type(request.caller_id, str | None)
    init = ConversationInit().variable("user_name", "Jo").variables({"open_orders": 2}, vip=True, score=0.5)
    assert_type(init, ConversationInit)
    assert_type(init.build(), dict[str, Any])
    return (
        init.prompt("Be brief.", llm="gpt-4o-mini", tool_ids=["a"], knowledge_base=[{"id": "b"}])
        .first_message("Hi")
        .language("en")
        .voice("voice", stability=1, speed=1.0, similarity_boost=0.5, model_id="m")
        .text_only()
        .user_id(None)
        .branch_id("b")
        .environment("e")
        .extra_body({"temperature": 0.2})
        .override({"asr": {"quality": "high"}})
    )


assert_type(parse_event({}), AgentEvent)
assert_type(read_event(io.BytesIO()), AgentEvent)
assert_type(METHODS["post_call_audio"], type[AgentEvent])
assert_type(initiation_answer(None), dict[str, Any])
