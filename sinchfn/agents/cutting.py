"""JSON read from a file without its audio: of a long string under one key it is only noted where it stands."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from .. import jsontext
from .literals import LiteralPieces

#: The key whose strings are passed over, wherever it stands.
KEY = "full_audio"
#: Strings of up to these many bytes, as they are written, are kept.
CUT_ABOVE = 1 << 16
#: Bytes that are read at once.
PIECE = 1 << 16

_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SPACE = b" \t\r\n"
#: Each letter of the key may be written as an escape of six bytes (`\u0066`).
_KEY = re.compile(b"".join(rb"(?:%c|\\u00(?i:%02x))" % (letter, letter) for letter in KEY.encode()))
_LONGEST_KEY = 6 * len(KEY)
#: Of a name one byte more tells whether it is the key.
_NAME = _LONGEST_KEY + 1


class Cut(NamedTuple):
    """Where in its file the inside of a string stands."""

    start: int
    #: behind its last byte
    end: int


class CutJson(NamedTuple):
    """A JSON value without its audio."""

    #: The value. What was cut out is the empty string in it.
    value: Any
    #: Where the string stands that was cut out of `data.full_audio`; None if none was.
    audio: Cut | None


def load(file: BinaryIO, *, piece: int = PIECE, cut_above: int = CUT_ABOVE) -> CutJson:
    """The JSON value that a file holds from where it stands.

    :param piece: bytes to read at once.
    :param cut_above: bytes of the longest string under the key that is kept.
    :raises ValueError: as :func:`sinchfn.jsontext.loads`.
    """
    start = file.tell()
    has_key = _names_key(file, piece)
    file.seek(start)
    if not has_key:  # then there is nothing to cut, and to look at each string takes long
        return CutJson(jsontext.loads(file.read()), None)
    scanner = Scanner(start, cut_above)
    while data := file.read(piece):
        scanner.feed(data)
    value = jsontext.loads(bytes(scanner.kept))
    if not scanner.cuts:
        return CutJson(value, None)
    data_of = value.get("data") if isinstance(value, dict) else None
    mark = data_of.get(KEY) if isinstance(data_of, dict) else None
    audio = scanner.cuts.get(mark) if isinstance(mark, str) else None
    _empty(value, scanner.cuts)
    return CutJson(value, audio)


def _names_key(file: BinaryIO, piece: int) -> bool:
    """Whether the key may stand in the rest of the file."""
    key, tail = KEY.encode(), b""
    while data := file.read(piece):
        tail += data
        if key in tail or (b"\\u00" in tail and _KEY.search(tail)):
            return True
        tail = tail[1 - _LONGEST_KEY :]
    return False


class Scanner:
    """Tells the strings of a JSON text from what stands between them. What is no JSON is left to the parser.

    A string is a value of the key if nothing but a colon and white space stands between it and a string that is the
    key; in JSON that happens nowhere else.
    """

    def __init__(self, base: int, cut_above: int) -> None:
        #: The text, with a mark inside each string that was cut out.
        self.kept = bytearray()
        #: What was cut out, by marks that no sender can guess.
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
        """The next piece of the text.

        :raises ValueError: something in a string that is cut out is no JSON.
        """
        at = 0
        while at < len(data):
            at = self._read(data, at)
        self._base += len(data)

    # Each of these reads from a place on, as far as it can, and returns the place behind.

    def _between(self, data: bytes, at: int) -> int:
        """Between two strings."""
        quote = data.find(b'"', at)
        end = len(data) if quote < 0 else quote
        if self._after_key:
            self._gap = (self._gap + data[at:end].translate(None, _SPACE))[:2]
        self.kept += data[at : end + 1]
        if quote >= 0:
            self._open(self._base + end + 1)
        return end + 1

    def _open(self, start: int) -> None:
        self._read = self._in_value if self._after_key and self._gap == b":" else self._in_string
        self._after_key = False
        self._gap = self._name = b""
        self._start = start

    def _close(self) -> None:
        self.kept += b'"'
        self._read = self._between

    def _in_string(self, data: bytes, at: int) -> int:
        """Inside of any string."""
        end = self._end(data, at)
        self.kept += data[at:end]
        if len(self._name) < _NAME:
            self._name += data[at : min(end, at + _NAME)]
        if end < len(data):
            self._after_key = _is_key(self._name)
            self._close()
        return end + 1

    def _in_value(self, data: bytes, at: int) -> int:
        """Inside of a string under the key, as long as it is short."""
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
        """Inside of a string under the key that is cut out."""
        end = self._end(data, at)
        self._literal.feed(data[at:end])
        if end < len(data):
            self._literal.finish()
            mark = f"{self._secret}-{len(self.cuts)}"
            self.cuts[mark] = Cut(self._start, self._base + end)
            self.kept += mark.encode()
            self._close()
        return end + 1

    def _end(self, data: bytes, at: int) -> int:
        """Where the quote stands that closes the string, else the end of the piece."""
        if self._escaped:
            at += 1
        found = _INSIDE.match(data, at)
        end = found.end() if found else at
        self._escaped = end == len(data) - 1 and data.endswith(b"\\")
        return len(data) if self._escaped else end


def _is_key(name: bytes) -> bool:
    if b"\\" not in name:
        return name == KEY.encode()
    try:
        return bool(json.loads(b'"%b"' % name) == KEY)
    except ValueError:
        return False


def _empty(value: Any, marks: dict[str, Cut]) -> None:
    """Put the empty string in the place of each mark."""
    for inner, key in list(_places(value)):
        if isinstance(inner[key], str):
            if inner[key] in marks:
                inner[key] = ""
        else:
            _empty(inner[key], marks)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        return ((value, key) for key in value)
    return ((value, index) for index in range(len(value))) if isinstance(value, list) else iter(())
