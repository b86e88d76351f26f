"""The events that ElevenLabs posts about a conversation with an agent.

Each is a read-only mapping over the received JSON object: ``type``, ``event_timestamp``, ``data``. The known fields of
``data`` are attributes of the event itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, TypeVar

from ...wire.faults import describe_type, json_type
from ...wire.objects import (
    Anything,
    Entries,
    Epoch,
    Flag,
    Items,
    Known,
    Part,
    Parts,
    Text,
    Texts,
    Wire,
    WireObject,
    Word,
)
from .audio import Base64Source, open_audio, text_in, text_of
from .large_json import load
from .transcripts import Analysis, CallMetadata, ClientData, Turn

T = TypeVar("T")


class EventData(WireObject):
    """The ``data`` of an event, as a mapping."""

    _shown = "conversation_id"

    agent_id = Wire(Text())
    conversation_id = Wire(Text())


class DataWire(Wire[T]):
    """An attribute of an event that reads a field of its ``data``."""

    def _read(self, instance: WireObject) -> T | None:
        data = instance.data if isinstance(instance, AgentEvent) else None
        return None if data is None else super()._read(data)


class AgentEvent(WireObject):
    """The common fields of all events. An event of an unknown type is an instance of this class."""

    _shown = "conversation_id"

    #: ``post_call_transcription``, ``post_call_audio``, ``call_initiation_failure``, or a newer type.
    type = Wire(Word())
    #: Time of the event; aware, in UTC.
    event_timestamp = Wire(Epoch())
    #: Its data, as a mapping.
    data = Wire(Part(EventData))
    agent_id = DataWire(Text())
    #: Id of the conversation. An event may come twice: with the same id and ``type``.
    conversation_id = DataWire(Text())


class PostCallTranscription(AgentEvent):
    """A conversation has ended and was analysed.

    If ``transcript_format`` is ``opentelemetry`` at ElevenLabs, the body has another form: ``transcript`` is None, and
    everything is in ``data``.
    """

    #: ``initiated``, ``in-progress``, ``processing``, ``done`` or ``failed``.
    status = DataWire(Known[Literal["initiated", "in-progress", "processing", "done", "failed"]]())
    #: The turns, in order.
    transcript = DataWire(Parts(Turn))
    metadata = DataWire(Part(CallMetadata))
    analysis = DataWire(Part(Analysis))
    #: The data with which the conversation was started.
    conversation_initiation_client_data = DataWire(Part(ClientData))
    agent_name = DataWire(Text())
    #: The user id from the initiation answer.
    user_id = DataWire(Text())
    branch_id = DataWire(Text())
    version_id = DataWire(Text())
    environment = DataWire(Text())
    #: Undocumented; as received.
    conversation_product = DataWire(Anything())
    #: The agents that took part.
    visited_agents = DataWire(Items())
    tag_ids = DataWire(Texts())
    #: Traces in the format of OpenTelemetry, as received.
    otlp_traces = DataWire(Anything())
    #: Whether there is any audio. Older deliveries have none of these four fields.
    has_audio = DataWire(Flag())
    #: Whether there is audio of the user.
    has_user_audio = DataWire(Flag())
    #: Whether there is audio of the agent.
    has_response_audio = DataWire(Flag())
    #: Whether there is other audio.
    has_auxiliary_audio = DataWire(Flag())


class PostCallAudio(AgentEvent):
    """The recording of a conversation, an MP3.

    ``context.storage.write(f"calls/{event.conversation_id}.mp3", event.audio)`` stores it without loading it into
    memory.
    """

    #: The Base64 of the audio. Empty if it is longer than 64 KiB and was read by ``read_event``, because then it is not
    #: in memory. ``audio`` works in both cases.
    full_audio = DataWire(Text())

    def __init__(self, raw: dict[str, Any], where: str = "", *, text: Base64Source | None = None) -> None:
        """:param text: returns the Base64 in pieces; default: the ``full_audio`` in ``raw``."""
        super().__init__(raw, where)
        self._text = text or self._own_text

    @cached_property
    def audio(self) -> io.BufferedReader:
        """The audio as a binary file that is decoded while it is read. It is open until the response is complete.

        Reading raises ``ValueError`` if the event has no audio, or if the audio is not Base64.
        """
        return self.open_audio()

    def open_audio(self) -> io.BufferedReader:
        """Return a new file like ``audio``, at its beginning."""
        return open_audio(self._text)

    @cached_property
    def audio_size(self) -> int:
        """The size of the audio in bytes. The audio is read once to count them.

        :raises ValueError: the event has no audio, or the audio is not Base64.
        """
        return self.open_audio().seek(0, io.SEEK_END)

    def _own_text(self) -> Iterator[bytes]:
        if self.full_audio is None:
            raise ValueError("This event has no audio: its data has no string full_audio.")
        yield from text_of(self.full_audio)


class FailureMetadata(WireObject):
    """The carrier's data of a failed call."""

    _shown = "type"

    #: ``twilio`` or ``sip``.
    type = Wire(Word())
    #: The carrier's own fields. Those of ``sip`` are undocumented.
    body = Wire(Entries())


class CallInitiationFailure(AgentEvent):
    """An outgoing call failed."""

    #: ``busy``, ``no-answer`` or ``unknown``.
    failure_reason = DataWire(Known[Literal["busy", "no-answer", "unknown"]]())
    metadata = DataWire(Part(FailureMetadata))


#: ``type`` of an event -> its class. An event of any other type is an ``AgentEvent``.
EVENTS: Mapping[str, type[AgentEvent]] = MappingProxyType(
    {
        "post_call_transcription": PostCallTranscription,
        "post_call_audio": PostCallAudio,
        "call_initiation_failure": CallInitiationFailure,
    }
)

#: Method of a controller -> class of its argument. A method has the name of its ``type``.
METHODS: Mapping[str, type[AgentEvent]] = EVENTS


def parse_event(body: Mapping[str, Any]) -> AgentEvent:
    """Return the event in a JSON object.

    :raises TypeError: it is not an object.
    """
    if not isinstance(body, Mapping):
        raise TypeError(f"An event is a JSON object (a dict), found {describe_type(body)}.")
    return event_of(body if isinstance(body, dict) else dict(body))


def event_of(raw: dict[str, Any], text: Base64Source | None = None) -> AgentEvent:
    """Return the event in a JSON object.

    :param text: the source of its audio; default: ``raw``.
    """
    plain = AgentEvent(raw)
    shape = EVENTS.get(plain.type or "", AgentEvent)
    if issubclass(shape, PostCallAudio):
        return shape(raw, text=text)
    return plain if shape is AgentEvent else shape(raw)


def read_event(file: BinaryIO) -> AgentEvent:
    """Return the event in a seekable binary file, read from its current position.

    A string ``full_audio`` of more than 64 KiB is not loaded: it is empty in ``raw``, and ``PostCallAudio.audio`` reads
    it from the file, which must stay open as long. Everything else is as in :func:`parse_event`.

    :raises ValueError: the file does not hold an object in valid JSON; the message says why.
    """
    raw, cut = load(file)
    if not isinstance(raw, dict):
        raise ValueError(f"an event is a JSON object, found {json_type(raw)}")  # noqa: TRY004, as for any other bad JSON
    return event_of(raw, None if cut is None else partial(text_in, file, cut))
