"""The closed lists of values and the small objects that options of instructions and actions take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal, TypedDict

#: What is played to someone who waits; alone in a conference: silence if not given.
Moh = Literal["ring", "music1", "music2", "music3"]

#: How SIP is carried. The platform's default is UDP; its examples use both cases.
Transport = Literal["UDP", "TCP", "TLS", "udp", "tcp", "tls"]

#: Hertz of the audio that a stream carries.
SampleRate = Literal[8000, 16000, 24000, 44100, 48000, 96000]

#: What a conference does with the digits that a participant dials; the platform's default is `ignore`.
ConferenceDtmfMode = Literal["ignore", "forward", "detect"]

#: The country whose ringing and busy tones the caller hears. (OpenAPI Voice v1, where YAML made `no` a `false`.)
# fmt: off
Indications = Literal[
    "at", "au", "bg", "br", "be", "ch", "cl", "cn", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hu", "il", "in",
    "it", "lt", "jp", "mx", "my", "nl", "no", "nz", "ph", "pl", "pt", "ru", "se", "sg", "th", "uk", "us", "tw", "ve",
    "za",
]
# fmt: on

#: One key of a telephone, as the wire writes it.
Digit = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"]


class AgentProvider(StrEnum):
    """Who runs the AI agent that a call is handed to."""

    ELEVENLABS = "elevenlabs"


#: Answering machine detection, as the wire has it. (`async` is a Python keyword, hence not a class.)
Amd = TypedDict("Amd", {"enabled": bool, "async": bool}, total=False)


class CallHeader(TypedDict):
    """One header of a call, as the wire has it."""

    key: str
    value: str


#: Headers of a call: a mapping, or the list of the wire.
CallHeaders = Mapping[str, str] | Sequence[CallHeader]


class ConferenceDtmfOptions(TypedDict, total=False):
    """What a conference does with digits, as the wire has it."""

    mode: ConferenceDtmfMode
    maxDigits: int
    timeoutMills: int


class TranscriptionOptions(TypedDict, total=False):
    """Whether a recording is written down, and in which language; as the wire has it."""

    enabled: bool
    locale: str


class WireRecordingOptions(TypedDict, total=False):
    """Options of a recording, as the wire has them."""

    destinationUrl: str
    credentials: str
    format: str
    notificationEvents: bool
    transcriptionOptions: TranscriptionOptions


class RecordingOptions(TypedDict, total=False):
    """Keyword options of `start_recording`, besides where the recording goes."""

    #: Secret of the storage, such as `AccessKey:SecretKey:Region` for S3. Never shown in messages or reprs.
    credentials: str
    #: Platform's default: mp3.
    format: str
    #: Whether `notify` events tell about the recording; platform's default: true.
    notification_events: bool
    #: Whether the recording is written down.
    transcription: bool
    #: Language of the transcription; given alone it also turns transcription on.
    transcription_locale: str
    #: Both of these, in wire form.
    transcription_options: TranscriptionOptions


class SipOptions(TypedDict, total=False):
    """Keyword options of a call over SIP, besides its transport."""

    #: Seconds, 1 to 14400.
    max_duration: int
    #: A number of your own, or `private`.
    cli: str
    #: Drop the ACE and DICE callbacks of the new leg.
    suppress_callbacks: bool
    #: Sent as SIP headers; their names begin with `X-` by convention. 1024 bytes of UTF-8 in all.
    call_headers: CallHeaders
    #: What the caller hears meanwhile.
    moh: Moh
