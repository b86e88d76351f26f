"""The types of options: closed lists of values, and small objects in wire form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal, TypedDict

#: The music for someone who waits; alone in a conference, the default is silence.
Moh = Literal["ring", "music1", "music2", "music3"]

#: The transport of SIP. The platform's default is UDP; its examples use both cases.
Transport = Literal["UDP", "TCP", "TLS", "udp", "tcp", "tls"]

#: The sample rate of a stream, in hertz.
SampleRate = Literal[8000, 16000, 24000, 44100, 48000, 96000]

#: What a conference does with the digits that a participant dials; the platform's default is ``ignore``.
ConferenceDtmfMode = Literal["ignore", "forward", "detect"]

#: The country whose ringing and busy tones the caller hears. (OpenAPI Voice v1; there YAML made ``no`` a ``false``.)
# fmt: off
Indications = Literal[
    "at", "au", "bg", "br", "be", "ch", "cl", "cn", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hu", "il", "in",
    "it", "lt", "jp", "mx", "my", "nl", "no", "nz", "ph", "pl", "pt", "ru", "se", "sg", "th", "uk", "us", "tw", "ve",
    "za",
]
# fmt: on

#: One key of a telephone.
Digit = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"]


class AgentProvider(StrEnum):
    """The provider of the AI agent that a call is connected to."""

    ELEVENLABS = "elevenlabs"


#: Answering machine detection, in wire form. (Not a class, because ``async`` is a Python keyword.)
Amd = TypedDict("Amd", {"enabled": bool, "async": bool}, total=False)


class CallHeader(TypedDict):
    """One header of a call, in wire form."""

    key: str
    value: str


#: Headers of a call: a mapping, or a list in wire form.
CallHeaders = Mapping[str, str] | Sequence[CallHeader]


class ConferenceDtmfOptions(TypedDict, total=False):
    """The handling of digits in a conference, in wire form."""

    mode: ConferenceDtmfMode
    maxDigits: int
    timeoutMills: int


class TranscriptionOptions(TypedDict, total=False):
    """The transcription of a recording, in wire form."""

    enabled: bool
    locale: str


class WireRecordingOptions(TypedDict, total=False):
    """Options of a recording, in wire form."""

    destinationUrl: str
    credentials: str
    format: str
    notificationEvents: bool
    transcriptionOptions: TranscriptionOptions


class RecordingOptions(TypedDict, total=False):
    """Keyword options of ``start_recording``, besides the URL of the recording."""

    #: Secret of the storage, such as ``AccessKey:SecretKey:Region`` for S3. Never shown in messages or reprs.
    credentials: str
    #: The platform's default is mp3.
    format: str
    #: Send ``notify`` events about the recording; the platform's default is True.
    notification_events: bool
    #: Transcribe the recording.
    transcription: bool
    #: Language of the transcription. Given alone, it turns transcription on.
    transcription_locale: str
    #: Both of these, in wire form.
    transcription_options: TranscriptionOptions


class SipOptions(TypedDict, total=False):
    """Keyword options of a call over SIP, besides its transport."""

    #: Seconds, 1 to 14400.
    max_duration: int
    #: A number of your own, or ``private``.
    cli: str
    #: Drop the ACE and DICE callbacks of the new leg.
    suppress_callbacks: bool
    #: Sent as SIP headers; their names begin with ``X-`` by convention. At most 1024 bytes of UTF-8 in all.
    call_headers: CallHeaders
    #: The music that the caller hears meanwhile.
    moh: Moh
