"""Notes for errors of a function that are hard to read: a client that is None, an ``await`` too many."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping

from ..errors import sentence_of
from .clients import NEEDED

#: The first attribute of a client -> the client, for clients in variables of the function.
FIRST_WORDS: Mapping[str, str] = {
    "callouts": "voice.v1",
    "calls": "voice.v1",
    "conferences": "voice.v1",
    "batches": "sms",
    "messages": "conversation",
}

_AWAITED = re.compile(r"^TypeError: .*(\bawait\w*\b|\basynchronous\b|__aiter__)", re.DOTALL)
_OF_NONE = re.compile(r"^AttributeError: 'NoneType' object has no attribute '(\w+)'")
_CLIENT = re.compile(rf"\b(?:context|self)\.({'|'.join(map(re.escape, NEEDED))})\b")


def advise(error: BaseException) -> None:
    """Add a note that says what to write or set, if the error is one that the README explains."""
    sentence, note = sentence_of(error), ""
    if _AWAITED.match(sentence):
        note = "The services of the context are synchronous, also in async handlers: remove the await."
    elif found := _OF_NONE.match(sentence):
        frames = traceback.extract_tb(error.__traceback__, limit=-1)
        named = _CLIENT.search((frames[0].line or "") if frames else "")
        client = named[1] if named else FIRST_WORDS.get(found[1])
        if client is not None:
            note = f"context.{client} is None until {' and '.join(NEEDED[client])} are set."
    if note and note not in getattr(error, "__notes__", ()):
        error.add_note(note)
