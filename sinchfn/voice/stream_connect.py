"""The first message of an audio stream: which call it is, and in what form its audio comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .. import jsontext

#: Samples a second where the connect message names none. The v1 page gives no default; that of v2 is this one.
DEFAULT_RATE = 8000

#: What the id of the application is called by one source or another.
KEY_NAMES = ("applicationkey", "applicationid", "serviceid")

#: The same for the headers that the SVAML gave the call.
HEADER_NAMES = ("callheaders", "headers")

#: Lowest and highest rate that is believed, in samples a second.
LOWEST_RATE, HIGHEST_RATE = 1000, 192_000

#: Length of a frame in seconds: what the platform itself sends and recommends.
FRAME = 0.02


@dataclass(frozen=True, slots=True)
class StreamConnect:
    """What the platform says when it opens a stream. What it did not say is None."""

    call_id: str | None
    application_key: str | None
    #: samples a second; each is a signed 16-bit little-endian number, of one channel
    sample_rate: int
    #: ``PCM``
    codec: str | None
    version: int | None
    #: the ``call_headers`` of ``connect_stream``
    headers: Mapping[str, str]
    #: the message as it came
    raw: Mapping[str, Any]

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame, which is 20 ms."""
        return round(self.sample_rate * FRAME) * 2


def read_command(message: str) -> dict[str, Any] | None:
    """The text message as an object, its names in lower case; None if it is none."""
    try:
        value = jsontext.loads(message.encode())
    except ValueError:
        return None
    return {str(name).lower(): inner for name, inner in value.items()} if isinstance(value, dict) else None


def command_in(message: Mapping[str, Any]) -> str:
    """The name of the command, in lower case."""
    return str(message.get("command", "")).lower()


def read_connect(message: Mapping[str, Any], default_rate: int | None = None) -> StreamConnect:
    """The connect message, in any of its spellings: sources differ in the names and their case.

    :param default_rate: samples a second, if it does not say.
    """
    headers = next((message[name] for name in HEADER_NAMES if name in message), None)
    key = next((message[name] for name in KEY_NAMES if message.get(name)), None)
    return StreamConnect(
        call_id=_text(message.get("callid")),
        application_key=_text(key),
        sample_rate=_rate(message.get("samplerate")) or default_rate or DEFAULT_RATE,
        codec=_text(message.get("codec")),
        version=message["version"] if isinstance(message.get("version"), int) else None,
        headers=MappingProxyType(_headers(headers)),
        raw=MappingProxyType(dict(message)),
    )


def _headers(value: Any) -> dict[str, str]:
    """An object, or, as in SVAML, a list of objects with key and value."""
    if isinstance(value, list):
        pairs = [(item.get("key"), item.get("value")) for item in value if isinstance(item, dict)]
    else:
        pairs = list(value.items()) if isinstance(value, dict) else []
    return {str(name): str(inner) for name, inner in pairs if name is not None and inner is not None}


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _rate(value: Any) -> int | None:
    try:
        rate = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return rate if LOWEST_RATE <= rate <= HIGHEST_RATE else None
