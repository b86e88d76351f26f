"""Audio that is decoded while it is read: Base64 in a JSON string, in memory or in a file."""

from __future__ import annotations

import io
import json
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from .large_json import PIECE, Cut, LiteralPieces

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Returns the Base64 in pieces, from its beginning; called again each time the audio is read from the beginning.
Base64Source = Callable[[], Iterator[bytes]]

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_SPACE = b" \t\r\n\x0b\x0c"


def open_audio(text: Base64Source) -> io.BufferedReader:
    """Return a binary file of the decoded audio. It is seekable; seeking reads the audio up to the position."""
    return io.BufferedReader(AudioDecoder(text), PIECE)


def text_of(value: str) -> Iterator[bytes]:
    """Return a string in pieces."""
    return (value[start : start + PIECE].encode("utf-8", "replace") for start in range(0, len(value), PIECE))


def text_in(file: BinaryIO, cut: Cut) -> Iterator[bytes]:
    """Yield the text of a JSON string in a file, in pieces. Others may move the position of the file meanwhile.

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
        part = literal.feed(data)
        # Characters outside ASCII cannot be Base64, with or without escapes.
        yield str(json.loads(b'"%b"' % part)).encode() if b"\\" in part and part.isascii() else part


def decoded(text: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the audio of a Base64 text (RFC 4648, with padding) that comes in pieces. White space is ignored.

    :raises ValueError: the text is not Base64.
    """
    rest, done = b"", 0
    is_padded = False
    for piece in text:
        rest += piece.translate(None, _SPACE)
        if is_padded and rest:
            raise _not_base64("it continues after its padding", done)
        whole = len(rest) // 4 * 4
        if whole:
            audio = _decode(rest[:whole], done)
            is_padded = rest[whole - 1 : whole] == b"="
            rest, done = rest[whole:], done + len(audio)
            yield audio
    if rest:
        _check_letters(rest, done)
        raise _not_base64("its end is missing", done)


def _decode(text: bytes, done: int) -> bytes:
    _check_letters(text, done)
    letters = text.rstrip(b"=")
    if len(text) - len(letters) > 2 or b"=" in letters:  # binascii accepts "QUJD===="
        raise _not_base64("its padding is in the wrong place", done)
    return a2b_base64(text)


def _check_letters(text: bytes, done: int) -> None:
    strange = text.translate(None, _ALPHABET)[:1]
    if strange:
        raise _not_base64(f"it contains the character {strange.decode('latin-1')!a}", done)


def _not_base64(reason: str, done: int) -> ValueError:
    return ValueError(f"The audio of this event is not Base64: {reason}, after {done} bytes of audio.")


class AudioDecoder(io.RawIOBase):
    """The decoded audio as a file."""

    def __init__(self, text: Base64Source) -> None:
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
        """:raises ValueError: the audio is not Base64; every further call raises it again."""
        target = memoryview(buffer).cast("B")
        part = self._take(len(target))
        target[: len(part)] = part
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a position, or to the end if the audio is shorter."""
        if whence == io.SEEK_END:
            self._skip(None)
        position = offset if whence == io.SEEK_SET else self._position + offset
        if position < 0:
            raise ValueError(f"The position in an audio file cannot be negative, found {position}.")
        if position < self._position:
            self._rewind()
        self._skip(position - self._position)
        return self._position

    def _skip(self, size: int | None) -> None:
        """Read and discard bytes; all if ``size`` is None."""
        while size != 0 and (part := self._take(PIECE if size is None else size)):
            size = None if size is None else size - len(part)

    def _take(self, size: int) -> memoryview:
        """Return the next bytes, at most ``size``; empty at the end."""
        if not self._left:
            if self._failure is not None:  # a generator that has raised looks exhausted
                raise self._failure
            try:
                self._left = memoryview(next(self._pieces, b""))
            except ValueError as error:
                self._failure = error
                raise
        part, self._left = self._left[:size], self._left[size:]
        self._position += len(part)
        return part
