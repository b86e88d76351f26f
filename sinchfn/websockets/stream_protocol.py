"""The messages of an audio stream: the connect message with its call and audio format, and the commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..wire import json

#: Samples per second if the connect message names none. The v1 page gives no default; this is the default of v2.
DEFAULT_RATE = 8000

#: Names of the application id; sources differ.
KEY_NAMES = ("applicationkey", "applicationid", "serviceid")

#: Names of the headers that the SVAML gave the call.
HEADER_NAMES = ("callheaders", "headers")

#: Lowest and highest plausible rate, in samples per second.
LOWEST_RATE, HIGHEST_RATE = 1000, 192_000

#: Length of the frames that the platform sends and recommends, in seconds.
FRAME = 0.02


@dataclass(frozen=True, slots=True)
class StreamConnect:
    """The connect message, which the platform sends when it opens a stream. Missing fields are None."""

    call_id: str | None
    application_key: str | None
    #: samples per second; each is a signed 16-bit little-endian number, of one channel
    sample_rate: int
    #: ``PCM``
    codec: str | None
    version: int | None
    #: the ``call_headers`` of ``connect_stream``
    headers: Mapping[str, str]
    #: the message as it was received
    raw: Mapping[str, Any]

    @property
    def frame_bytes(self) -> int:
        """Number of bytes in a frame of 20 ms."""
        return round(self.sample_rate * FRAME) * 2


def read_command(message: str) -> dict[str, Any] | None:
    """Return a text message as an object with names in lower case; None if it is not a JSON object."""
    try:
        value = json.loads(message.encode())
    except ValueError:
        return None
    return {str(name).lower(): inner for name, inner in value.items()} if isinstance(value, dict) else None


def command_in(message: Mapping[str, Any]) -> str:
    """Return the name of the command, in lower case."""
    return str(message.get("command", "")).lower()


def read_connect(message: Mapping[str, Any], default_rate: int | None = None) -> StreamConnect:
    """Read the connect message in any of its spellings: sources differ in the names and their case.

    :param default_rate: samples per second if the message does not name them.
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
    """Read an object, or, as in SVAML, a list of objects with ``key`` and ``value``."""
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
