"""The events that ElevenLabs posts about a conversation with an agent.

Each is a read-only mapping over the JSON object that came: `type`, `event_timestamp`, `data`. The fields of `data` that
are known have an attribute on the event itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from marshmallow import fields

from ..payloads import Entries, Flag, Items, Known, Part, Parts, Texts, Wire, WireObject, Word
from .audio import Text, open_audio, text_of
from .fields import Epoch
from .transcripts import Analysis, CallMetadata, ClientData, Turn

T = TypeVar("T")


class EventData(WireObject):
    """The `data` of an event, as a mapping."""

    _shown = "conversation_id"

    #: Id of the agent.
    agent_id = Wire("agent_id", fields.String())
    #: Id of the conversation.
    conversation_id = Wire("conversation_id", fields.String())


class DataWire(Wire[T]):
    """An attribute of an event that reads one field of its `data`."""

    def _read(self, instance: WireObject) -> T | None:
        data = instance.data if isinstance(instance, AgentEvent) else None
        return None if data is None else super()._read(data)


class AgentEvent(WireObject):
    """What every event carries; also what an event of an unknown type is read as."""

    _shown = "conversation_id"

    #: `post_call_transcription`, `post_call_audio`, `call_initiation_failure`, or what was added since.
    type = Wire("type", Word())
    #: When it was made; aware, in UTC.
    event_timestamp = Wire("event_timestamp", Epoch())
    #: All that it says, as a mapping.
    data = Wire("data", Part(EventData))
    #: Id of the agent.
    agent_id = DataWire("agent_id", fields.String())
    #: Id of the conversation. An event may come twice: this and `type` tell.
    conversation_id = DataWire("conversation_id", fields.String())


class PostCallTranscription(AgentEvent):
    """A conversation has ended and was analysed.

    With `transcript_format` set to `opentelemetry` at ElevenLabs the body is another one: then there is no
    `transcript`, and what came is in `data`.
    """

    #: `initiated`, `in-progress`, `processing`, `done` or `failed`.
    status = DataWire("status", Known[Literal["initiated", "in-progress", "processing", "done", "failed"]]())
    #: Who said what, in order.
    transcript = DataWire("transcript", Parts(Turn))
    #: What is known of the call besides.
    metadata = DataWire("metadata", Part(CallMetadata))
    #: What the platform made of it.
    analysis = DataWire("analysis", Part(Analysis))
    #: What the conversation was started with.
    conversation_initiation_client_data = DataWire("conversation_initiation_client_data", Part(ClientData))
    #: The agent's name.
    agent_name = DataWire("agent_name", fields.String())
    #: The user, as the initiation named them.
    user_id = DataWire("user_id", fields.String())
    #: Branch of the agent.
    branch_id = DataWire("branch_id", fields.String())
    #: Version of the agent.
    version_id = DataWire("version_id", fields.String())
    #: Environment of the agent.
    environment = DataWire("environment", fields.String())
    #: Undocumented: kept as it came.
    conversation_product = DataWire("conversation_product", fields.Raw())
    #: The agents that took part.
    visited_agents = DataWire("visited_agents", Items())
    #: Tags of the conversation.
    tag_ids = DataWire("tag_ids", Texts())
    #: Traces in the form of OpenTelemetry, kept as they came.
    otlp_traces = DataWire("otlp_traces", fields.Raw())
    #: Whether there is audio at all. Older deliveries have none of these four.
    has_audio = DataWire("has_audio", Flag())
    #: Whether there is audio of the user.
    has_user_audio = DataWire("has_user_audio", Flag())
    #: Whether there is audio of the agent.
    has_response_audio = DataWire("has_response_audio", Flag())
    #: Whether there is other audio.
    has_auxiliary_audio = DataWire("has_auxiliary_audio", Flag())


class PostCallAudio(AgentEvent):
    """The recording of a conversation, an MP3.

    `context.storage.write(f"calls/{event.conversation_id}.mp3", event.audio)` stores it without loading it.
    """

    #: The Base64 of the audio. The empty string if it is longer than 64 KiB and was read by `read_event`: then it is
    #: not in memory. `audio` has it either way.
    full_audio = DataWire("full_audio", fields.String())

    def __init__(self, raw: dict[str, Any], where: str = "", *, text: Text | None = None) -> None:
        """:param text: gives the Base64 from its beginning, in pieces; the `full_audio` in `raw` unless told."""
        super().__init__(raw, where)
        self._text = text or self._own_text

    @cached_property
    def audio(self) -> io.BufferedReader:
        """The audio as a binary file, decoded while it is read; it can be read until the answer is complete.

        What is no Base64, or no audio at all, is a `ValueError` when it is read.
        """
        return self.open_audio()

    def open_audio(self) -> io.BufferedReader:
        """The audio as `audio`, but a new file each time, at its beginning."""
        return open_audio(self._text)

    @cached_property
    def audio_size(self) -> int:
        """Bytes of the audio. It is read and decoded once to count them.

        :raises ValueError: it is no Base64, or there is none.
        """
        return self.open_audio().seek(0, io.SEEK_END)

    def _own_text(self) -> Iterator[bytes]:
        if self.full_audio is None:
            raise ValueError("This event has no audio: there is no string full_audio in its data.")
        yield from text_of(self.full_audio)


class FailureMetadata(WireObject):
    """What the carrier said of a call that failed."""

    _shown = "type"

    #: `twilio` or `sip`.
    type = Wire("type", Word())
    #: The carrier's own fields. Those of `sip` are documented nowhere.
    body = Wire("body", Entries())


class CallInitiationFailure(AgentEvent):
    """An outgoing call did not come about."""

    #: `busy`, `no-answer` or `unknown`.
    failure_reason = DataWire("failure_reason", Known[Literal["busy", "no-answer", "unknown"]]())
    #: What the carrier said.
    metadata = DataWire("metadata", Part(FailureMetadata))


#: `type` of an event -> what it is read as. Any other is an `AgentEvent`.
EVENTS: Mapping[str, type[AgentEvent]] = MappingProxyType(
    {
        "post_call_transcription": PostCallTranscription,
        "post_call_audio": PostCallAudio,
        "call_initiation_failure": CallInitiationFailure,
    }
)

#: Method of a controller -> what it is given. A method has the name of its `type`.
METHODS: Mapping[str, type[AgentEvent]] = EVENTS


def parse_event(body: Mapping[str, Any]) -> AgentEvent:
    """The event that a JSON object is, by its `type`.

    :raises TypeError: it is no object.
    """
    if not isinstance(body, Mapping):
        raise TypeError(f"An event is a JSON object, this is a {type(body).__name__}.")
    return event_of(body if isinstance(body, dict) else dict(body))


def event_of(raw: dict[str, Any], text: Text | None = None) -> AgentEvent:
    """The same; `text` is where its audio comes from, if it is not in `raw`."""
    plain = AgentEvent(raw)
    shape = EVENTS.get(plain.type or "", AgentEvent)
    if issubclass(shape, PostCallAudio):
        return shape(raw, text=text)
    return plain if shape is AgentEvent else shape(raw)
