"""Audio that is decoded while it is read: Base64 in a JSON string, in memory or in a file."""

from __future__ import annotations

import io
import json
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from .cutting import PIECE, Cut
from .literals import LiteralPieces

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Where the Base64 comes from: called for each reading from the beginning.
Text = Callable[[], Iterator[bytes]]

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_SPACE = b" \t\r\n\x0b\x0c"


def open_audio(text: Text) -> io.BufferedReader:
    """A binary file of what `text` is the Base64 of. It can seek; that costs what reading as far does."""
    return io.BufferedReader(AudioDecoder(text), PIECE)


def text_of(value: str) -> Iterator[bytes]:
    """A string in pieces."""
    return (value[start : start + PIECE].encode("utf-8", "replace") for start in range(0, len(value), PIECE))


def text_in(file: BinaryIO, cut: Cut) -> Iterator[bytes]:
    """The text of a JSON string in a file, in pieces. Others may move in the file meanwhile.

    :raises ValueError: the file has become shorter.
    """
    literal = LiteralPieces()
    position = cut.start
    while position < cut.end:
        file.seek(position)
        data = file.read(min(PIECE, cut.end - position))
        if not data:
            raise ValueError("The audio cannot be read to its end: its file has become shorter.")
        position += len(data)
        yield _unescaped(literal.feed(data))


def _unescaped(data: bytes) -> bytes:
    if b"\\" not in data or not data.isascii():  # what is not ASCII is no Base64, with or without escapes
        return data
    text: str = json.loads(b'"%b"' % data)
    return text.encode()


def decoded(text: Iterator[bytes]) -> Iterator[bytes]:
    """What `text` is the Base64 of (RFC 4648, padded), in pieces, none of them empty. White space is passed over.

    :raises ValueError: it is no Base64.
    """
    rest, done = b"", 0
    is_padded = False
    for piece in text:
        rest += piece.translate(None, _SPACE)
        if is_padded and rest:
            raise _bad("there is more behind its padding", done)
        whole = len(rest) // 4 * 4
        if whole:
            audio = _decode(rest[:whole], done)
            is_padded = rest[whole - 1 : whole] == b"="
            rest, done = rest[whole:], done + len(audio)
            yield audio
    if rest:
        _check_letters(rest, done)
        raise _bad("its end is missing", done)


def _decode(text: bytes, done: int) -> bytes:
    _check_letters(text, done)
    letters = text.rstrip(b"=")
    if len(text) - len(letters) > 2 or b"=" in letters:  # the library's own check lets "QUJD====" through
        raise _bad("its padding is in the wrong place", done)
    return a2b_base64(text)


def _check_letters(text: bytes, done: int) -> None:
    strange = text.translate(None, _ALPHABET)[:1]
    if strange:
        raise _bad(f"it has the character {strange.decode('latin-1')!a} in it", done)


def _bad(what: str, done: int) -> ValueError:
    return ValueError(f"The audio of this event is no Base64: {what}, after {done} bytes of audio.")


class AudioDecoder(io.RawIOBase):
    """The decoded audio as a file."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._rewind()

    def _rewind(self) -> None:
        self._pieces = decoded(self._text())
        self._left = memoryview(b"")
        self._position = 0
        self._failure: ValueError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """:raises ValueError: what comes is no Base64; again at each further try."""
        target = memoryview(buffer).cast("B")
        part = self._take(len(target))
        target[: len(part)] = part
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a position, or to the end if there is not so much."""
        if whence == io.SEEK_END:
            self._skip(None)
        position = offset if whence == io.SEEK_SET else self._position + offset
        if position < 0:
            raise ValueError(f"There is nothing before the beginning of an audio: {position} is negative.")
        if position < self._position:
            self._rewind()
        self._skip(position - self._position)
        return self._position

    def _skip(self, size: int | None) -> None:
        """Read so many bytes, or all, for nothing."""
        while size != 0 and (part := self._take(PIECE if size is None else size)):
            size = None if size is None else size - len(part)

    def _take(self, size: int) -> memoryview:
        """The next bytes, `size` at most; none at the end."""
        if not self._left:
            self._left = memoryview(self._next())
        part, self._left = self._left[:size], self._left[size:]
        self._position += len(part)
        return part

    def _next(self) -> bytes:
        if self._failure is not None:  # a generator that raised would seem to be at its end
            raise self._failure
        try:
            return next(self._pieces, b"")
        except ValueError as error:
            self._failure = error
            raise
