"""Notes on errors of a function that say too little by themselves: a client that is None, an await too many."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping

from ..errors import sentence_of
from .clients import NEEDED

#: Names by which a client is known that stands in a variable of the function's own.
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
    """Add a note to an error if it is one of those that the README answers: what to write or set."""
    note = _advice(error)
    if note and note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def _advice(error: BaseException) -> str:
    sentence = sentence_of(error)
    if _AWAITED.match(sentence):
        return "What the context offers is synchronous, also in async handlers: leave out the await."
    if (found := _OF_NONE.match(sentence)) is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    named = _CLIENT.search((frames[0].line or "") if frames else "")
    client = named[1] if named else FIRST_WORDS.get(found[1])
    return "" if client is None else f"context.{client} is None until {' and '.join(NEEDED[client])} are set."
