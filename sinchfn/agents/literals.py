"""The inside of a JSON string that comes in pieces, which may end within an escape or a character."""

from __future__ import annotations

import codecs
import re

#: What may stand between the quotes (RFC 8259, section 7), as far as it is whole; halves of a surrogate pair may not.
WHOLE = re.compile(
    rb'(?:[^"\\\x00-\x1f]++'
    rb'|\\["\\/bfnrt]'
    rb"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
#: Bytes of the longest escape, a surrogate pair.
LONGEST_ESCAPE = 12


class LiteralPieces:
    """Checks what it is fed, and gives it back in parts that end at no escape's middle."""

    def __init__(self) -> None:
        self._rest = b""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data: bytes) -> bytes:
        """What is whole of the bytes so far and was not given back yet; it may end within a character of UTF-8.

        :raises ValueError: JSON has no such string.
        """
        data = self._rest + data
        found = WHOLE.match(data)
        end = found.end() if found else 0
        part, self._rest = data[:end], data[end:]
        if self._rest and (self._rest[:1] != b"\\" or len(self._rest) >= LONGEST_ESCAPE):
            raise ValueError("a string has a control character, a wrong escape or half a surrogate pair in it")
        self._decode(part)
        return part

    def finish(self) -> None:
        """The string ends here.

        :raises ValueError: it cannot end here.
        """
        if self._rest:
            raise ValueError("a string ends with a wrong escape or half a surrogate pair")
        self._decode(b"", final=True)

    def _decode(self, part: bytes, final: bool = False) -> None:
        try:
            self._utf8.decode(part, final)
        except UnicodeDecodeError:
            raise ValueError("it is not valid UTF-8") from None
