"""The platform's small language for prompts: `#tts[…]`, `#ssml[…]`, `#href[…]`, URLs and file ids joined by `;`."""

from __future__ import annotations

import re

from marshmallow import ValidationError

from ...errors import SvamlError
from .faults import describe, shorten

#: Longest text inside one `#tts[…]`, in characters. (OpenAPI Voice v1; an account may have more.)
TTS_CHARS = 600

_TTS = re.compile(r"#tts\[([^\]]*)", re.IGNORECASE)
_MARKER = re.compile(r"#(?:tts|ssml|href)\[", re.IGNORECASE)
_MARKED = r"#(?:tts|ssml|href)\[[^\]]*\]|https?://[^\s;]+"
_FILE_ID = r"[\w./-]+"
_JOINED = re.compile(rf"\s*(?:{_MARKED})\s*(?:;\s*(?:{_MARKED}|{_FILE_ID})\s*)*", re.IGNORECASE)

# `;` separates the parts of a prompt, `]` ends a text, and the platform documents no escape for either.
_SPEAKABLE = str.maketrans({";": ",", "[": "(", "]": ")"})


def check_tts_length(prompt: str) -> None:
    """Refuse a prompt with a `#tts[…]` text that is too long."""
    if len(prompt) <= TTS_CHARS:
        return
    for text in _TTS.findall(prompt):
        if len(text) > TTS_CHARS:
            raise ValidationError(f"at most {TTS_CHARS} characters are allowed in #tts[…], found {len(text)}.")


def as_prompt(text: str) -> str:
    """`text` as a prompt: words become `#tts[…]`, a prompt (also several joined by `;`) or URL stays as it is.

    In words `;` becomes `,`, and `[` `]` become `(` `)`: the platform has no escape for them.

    :raises SvamlError: no text, an empty one, or a prompt whose bracket is never closed.
    """
    if not isinstance(text, str) or not text.strip():
        raise SvamlError(f"a prompt needs words, a URL or a prompt such as #tts[Hello], found {describe(text)}.")
    if _JOINED.fullmatch(text):
        return text
    if _MARKER.match(text):
        # SSML may carry what the pattern above cannot follow; an open end is the one certain mistake.
        if text.rstrip().endswith("]"):
            return text
        raise SvamlError(f'a prompt that begins with "#" must end with "]", found "{shorten(text)}".')
    return f"#tts[{text.translate(_SPEAKABLE)}]"
