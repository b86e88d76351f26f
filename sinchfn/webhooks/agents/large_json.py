"""Parse JSON from a file, leaving one large string value in the file."""

from __future__ import annotations

import codecs
import re
import secrets
from collections.abc import Iterable
from typing import Any, BinaryIO, NamedTuple

from ...wire import json as wire_json

#: The key of the strings that may be left in the file, at any depth.
KEY = "full_audio"
#: Longest string that is kept, in bytes as it is written.
CUT_ABOVE = 1 << 16
#: Bytes that are read at once.
PIECE = 1 << 16

#: The longest valid beginning of the inside of a string (RFC 8259, section 7). Half a surrogate pair is not allowed.
WHOLE = re.compile(
    rb'(?:[^"\\\x00-\x1f]++'
    rb'|\\["\\/bfnrt]'
    rb"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
#: Bytes of the longest escape, a surrogate pair.
LONGEST_ESCAPE = 12

_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SPACE = b" \t\r\n"
#: Each letter of the key may be written as an escape of six bytes (``\u0066``).
_KEY = re.compile(b"".join(rb"(?:%c|\\u00(?i:%02x))" % (letter, letter) for letter in KEY.encode()))
_LONGEST_KEY = 6 * len(KEY)
#: Bytes of a name that are kept: with one more than the longest spelling of the key, it is another name.
_NAME = _LONGEST_KEY + 1


class Cut(NamedTuple):
    """The position of a string in its file, without the quotes."""

    start: int
    #: after its last byte
    end: int


class CutJson(NamedTuple):
    """A JSON value without its audio."""

    #: The value, with empty strings in place of the long ones.
    value: Any
    #: The position of ``data.full_audio``; None if it is in the value.
    audio: Cut | None


def load(file: BinaryIO, *, piece: int = PIECE, cut_above: int = CUT_ABOVE) -> CutJson:
    """Parse the JSON value from the current position of a file to its end.

    :param piece: bytes to read at once.
    :param cut_above: longest string under the key that is kept, in bytes.
    :raises ValueError: as :func:`sinchfn.wire.json.loads`.
    """
    start = file.tell()
    has_key = _has_key(file, piece)
    file.seek(start)
    if not has_key:  # scanning every string is slow
        return CutJson(wire_json.loads(file.read()), None)
    scanner = Scanner(start, cut_above)
    while data := file.read(piece):
        scanner.feed(data)
    value = wire_json.loads(bytes(scanner.kept))
    if not scanner.cuts:
        return CutJson(value, None)
    data_of = value.get("data") if isinstance(value, dict) else None
    mark = data_of.get(KEY) if isinstance(data_of, dict) else None
    audio = scanner.cuts.get(mark) if isinstance(mark, str) else None
    _remove_marks(value, scanner.cuts)
    return CutJson(value, audio)


def _has_key(file: BinaryIO, piece: int) -> bool:
    """Return True if the rest of the file may contain the key."""
    key, tail = KEY.encode(), b""
    while data := file.read(piece):
        tail += data
        if key in tail or (b"\\u00" in tail and _KEY.search(tail)):
            return True
        tail = tail[1 - _LONGEST_KEY :]
    return False


def _remove_marks(value: Any, marks: dict[str, Cut]) -> None:
    """Replace each mark in a JSON value with the empty string."""
    members: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in members:
        if not isinstance(inner, str):
            _remove_marks(inner, marks)
        elif inner in marks:
            value[key] = ""


class Scanner:
    """Finds the strings in a JSON text. Errors between the strings are left to the parser.

    A string is a value of the key if only a colon and white space separate it from a preceding string that is the key.
    In valid JSON this occurs nowhere else.
    """

    def __init__(self, base: int, cut_above: int) -> None:
        #: The text, with a mark in place of the inside of each string that is cut out.
        self.kept = bytearray()
        #: The strings that are cut out, by marks that a sender cannot guess.
        self.cuts: dict[str, Cut] = {}
        self._secret = secrets.token_hex(16)
        self._base = base
        self._cut_above = cut_above
        self._read = self._between
        self._escaped = False
        self._after_key = False
        self._gap = b""
        self._name = b""
        self._value = bytearray()
        self._start = base
        self._literal = LiteralPieces()

    def feed(self, data: bytes) -> None:
        """Read the next piece of the text.

        :raises ValueError: a string that is cut out is not valid JSON.
        """
        at = 0
        while at < len(data):
            at = self._read(data, at)
        self._base += len(data)

    # Each of these methods reads as far as it can from a position, and returns the position where it stopped.

    def _between(self, data: bytes, at: int) -> int:
        """Read the text between two strings."""
        quote = data.find(b'"', at)
        end = len(data) if quote < 0 else quote
        if self._after_key:
            self._gap = (self._gap + data[at:end].translate(None, _SPACE))[:2]
        self.kept += data[at : end + 1]
        if quote >= 0:
            self._read = self._in_value if self._after_key and self._gap == b":" else self._in_string
            self._after_key = False
            self._gap = self._name = b""
            self._start = self._base + end + 1
        return end + 1

    def _in_string(self, data: bytes, at: int) -> int:
        """Read the inside of any other string."""
        end = self._end(data, at)
        self.kept += data[at:end]
        if len(self._name) < _NAME:
            self._name += data[at : min(end, at + _NAME)]
        if end < len(data):
            self._after_key = _KEY.fullmatch(self._name) is not None
            self._close()
        return end + 1

    def _in_value(self, data: bytes, at: int) -> int:
        """Read the inside of a string under the key, until it is too long to be kept."""
        end = self._end(data, at)
        self._value += data[at:end]
        if len(self._value) > self._cut_above:
            self._literal = LiteralPieces()
            self._literal.feed(bytes(self._value))
            self._read = self._in_long_value
        elif end == len(data):
            return end
        else:
            self.kept += self._value
            self._close()
            end += 1
        self._value.clear()
        return end

    def _in_long_value(self, data: bytes, at: int) -> int:
        """Read the inside of a string under the key that is cut out."""
        end = self._end(data, at)
        self._literal.feed(data[at:end])
        if end < len(data):
            self._literal.finish()
            mark = f"{self._secret}-{len(self.cuts)}"
            self.cuts[mark] = Cut(self._start, self._base + end)
            self.kept += mark.encode()
            self._close()
        return end + 1

    def _close(self) -> None:
        self.kept += b'"'
        self._read = self._between

    def _end(self, data: bytes, at: int) -> int:
        """Return the position of the quote that closes the string, or the end of the piece."""
        if self._escaped:
            at += 1
        found = _INSIDE.match(data, at)
        end = found.end() if found else at
        self._escaped = end == len(data) - 1 and data.endswith(b"\\")
        return len(data) if self._escaped else end


class LiteralPieces:
    """Checks the inside of a JSON string in pieces, and returns it in parts that do not end within an escape."""

    def __init__(self) -> None:
        self._rest = b""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data: bytes) -> bytes:
        """Return the complete part of the bytes so far that was not returned before.

        It may end within a character of UTF-8.

        :raises ValueError: it is not valid in a JSON string.
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
        """Check the end of the string.

        :raises ValueError: it is incomplete.
        """
        if self._rest:
            raise ValueError("a string ends with a wrong escape or half a surrogate pair")
        self._decode(b"", final=True)

    def _decode(self, part: bytes, final: bool = False) -> None:
        try:
            self._utf8.decode(part, final)
        except UnicodeDecodeError:
            raise ValueError("it is not valid UTF-8") from None
