"""The limits of SVAML, their checks, and the language of prompts.

Source: OpenAPI Voice v1. The narrower ranges of ``MenuBuilder`` are in ``menus``.
"""

from __future__ import annotations

import re

from marshmallow import ValidationError

from ...errors import SvamlError
from ...wire.checks import matches, total_bytes
from ...wire.faults import describe

#: Characters of one ``say``.
SAY_CHARS = 600
#: Characters of the id of a conference.
CONFERENCE_ID_CHARS = 64
#: Seconds that a connected call may last.
CALL_SECONDS = 4 * 60 * 60
#: Seconds that a call may be parked.
PARK_SECONDS = 600
#: Bytes of UTF-8 of all cookies of an answer, keys and values.
COOKIE_BYTES = 1024
#: Bytes of UTF-8 of all headers of a call, keys and values.
HEADER_BYTES = 1024
#: Characters of the text in one ``#tts[…]``. (OpenAPI Voice v1; an account may have more.)
TTS_CHARS = 600

check_cookies = total_bytes(COOKIE_BYTES, "cookies of an answer")
check_call_headers = total_bytes(HEADER_BYTES, "call headers")
check_dtmf = matches("[0-9#w]*", "the digits 0-9, # and w (a pause of 500 ms)")
check_option_action = matches(r"(?:menu|return)\([^()]+\)", "menu(<id of a menu>) or return(<value>)")
check_stream_endpoint = matches(
    r"(?s)/.*|(?i:wss?)://.+", 'a URL that begins with "wss://", or a path such as "/stream"'
)

_TTS = re.compile(r"#tts\[([^\]]*)", re.IGNORECASE)
_MARKER = re.compile(r"#(?:tts|ssml|href)\[", re.IGNORECASE)
_MARKED = r"#(?:tts|ssml|href)\[[^\]]*\]|https?://[^\s;]+"
_FILE_ID = r"[\w./-]+"
_JOINED = re.compile(rf"\s*(?:{_MARKED})\s*(?:;\s*(?:{_MARKED}|{_FILE_ID})\s*)*", re.IGNORECASE)

# ";" separates the parts of a prompt, "]" ends a text, and the platform documents no escape for either.
_SPEAKABLE = str.maketrans({";": ",", "[": "(", "]": ")"})


def check_tts_length(prompt: str) -> None:
    """Refuse a prompt with a ``#tts[…]`` text that is too long."""
    if len(prompt) <= TTS_CHARS:
        return
    for text in _TTS.findall(prompt):
        if len(text) > TTS_CHARS:
            raise ValidationError(f"must have at most {TTS_CHARS} characters in #tts[…], found {len(text)}.")


def as_prompt(text: str) -> str:
    """Return a prompt: words become ``#tts[…]``; a prompt (also several joined by ``;``) or a URL stays unchanged.

    In words ``;`` becomes ``,``, and ``[`` ``]`` become ``(`` ``)``, because the platform has no escape for them.

    :raises SvamlError: it is not a text, is empty, or has a bracket that is never closed.
    """
    if not isinstance(text, str) or not text.strip():
        raise SvamlError(f"a prompt must be words, a URL or a prompt such as #tts[Hello], found {describe(text)}.")
    if _JOINED.fullmatch(text):
        return text
    if _MARKER.match(text):
        # The pattern above cannot follow all SSML; an open end is the one certain mistake.
        if text.rstrip().endswith("]"):
            return text
        raise SvamlError(f'a prompt that begins with "#" must end with "]", found {describe(text)}.')
    return f"#tts[{text.translate(_SPEAKABLE)}]"
