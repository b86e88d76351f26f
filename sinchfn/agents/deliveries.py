"""An event read from a file, the body of a request, without its audio in memory."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO

from ..payloads import JSON_TYPES
from .audio import text_in
from .cutting import load
from .events import AgentEvent, event_of


def read_event(file: BinaryIO) -> AgentEvent:
    """The event in a binary file that can seek, read from where it stands.

    A string `full_audio` of more than 64 KiB is passed over: in `raw` it is the empty string, and :attr:`audio
    <PostCallAudio.audio>` of a `PostCallAudio` reads it from the file, which is to stay open as long. All else is as in
    :func:`parse_event`.

    :raises ValueError: the file holds no JSON, or JSON that is refused, or no object; the message says why.
    """
    raw, cut = load(file)
    if not isinstance(raw, dict):
        found = JSON_TYPES.get(type(raw), "null")
        raise ValueError(f"an event is a JSON object, this is {found}")  # noqa: TRY004, as for any other bad JSON
    return event_of(raw, None if cut is None else partial(text_in, file, cut))
