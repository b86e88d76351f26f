"""Reading and writing of WebSocket frames (RFC 6455), without a socket."""

from __future__ import annotations

import codecs
import os
import struct
import sys
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

#: Codes of a close frame (RFC 6455 section 7.4). ``NO_CODE`` and ``LOST`` are never sent.
NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
NO_CODE: Final = 1005
LOST: Final = 1006
INVALID_TEXT: Final = 1007
REFUSED: Final = 1008
TOO_LARGE: Final = 1009
FAILED: Final = 1011

#: Largest payload of a control frame, in bytes. In a close frame two of them are the code.
CONTROL_LIMIT: Final = 125

_FIN, _RSV, _MASKED = 0x80, 0x70, 0x80
_SHORT = struct.Struct("!BB").pack
_MEDIUM = struct.Struct("!BBH").pack
_LONG = struct.Struct("!BBQ").pack

#: First and second byte of a masked audio frame: an unfragmented binary message of 126 to 65,535 bytes.
_WHOLE_BINARY, _MASKED_MEDIUM = _FIN | BINARY, _MASKED | 126


class FrameError(Exception):
    """The peer broke the protocol or exceeded a limit. The socket has to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


#: A whole message or a control frame: the opcode, and the payload as str for text, otherwise as bytes. A tuple, because
#: one is made for each audio frame.
Message = tuple[int, str | bytes]


def masked(data: bytes, mask: bytes) -> bytes:
    """Apply a mask of four bytes, or remove it."""
    size = len(data)
    pattern = (mask * (size // 4 + 1))[:size]
    # As two large integers: neither a loop in Python nor a compiled extension.
    return (int.from_bytes(data, "little") ^ int.from_bytes(pattern, "little")).to_bytes(size, "little")


def make_frame(opcode: int, payload: bytes, *, mask: bool = False, fin: bool = True) -> bytes:
    """Return one frame. A client has to mask what it sends."""
    first = opcode | _FIN if fin else opcode
    bit = _MASKED if mask else 0
    size = len(payload)
    if size < 126:
        head = _SHORT(first, bit | size)
    elif size < 65_536:
        head = _MEDIUM(first, bit | 126, size)
    else:
        head = _LONG(first, bit | 127, size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + masked(payload, key)


def make_close(code: int, reason: str = "", *, mask: bool = False) -> bytes:
    """Return a close frame. A reason that is too long is cut off."""
    text = reason.encode("utf-8", "replace")[: CONTROL_LIMIT - 2].decode("utf-8", "ignore")  # ends at a whole character
    payload = b"" if code == NO_CODE else code.to_bytes(2, "big") + text.encode()
    return make_frame(CLOSE, payload, mask=mask)


def may_be_sent(code: int) -> bool:
    """Return True if a close frame may carry this code."""
    return (1000 <= code <= 1014 and code not in (1004, NO_CODE, LOST)) or 3000 <= code <= 4999


def read_close(payload: bytes) -> tuple[int, str]:
    """Return the code and the reason of a close frame; ``NO_CODE`` if it has no code.

    :raises FrameError: the code must not be sent, or the reason is not UTF-8.
    """
    if not payload:
        return NO_CODE, ""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not may_be_sent(code):
        raise FrameError(PROTOCOL_ERROR, "a close frame with a code that does not exist")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise FrameError(INVALID_TEXT, "a close frame with a reason that is not UTF-8") from None


class FrameReader:
    """A parser that turns the bytes of one direction into messages.

    :param limit: largest message, in bytes. A frame that announces more is refused when its header is read, so that a
        peer cannot make this side buffer, or wait for, too much.
    :param expect_mask: True if the peer is a client, which has to mask.
    """

    __slots__ = ("_buffer", "_decoder", "_expect_mask", "_kept", "_kind", "_limit", "_needed", "failure")

    def __init__(self, limit: int, *, expect_mask: bool = True) -> None:
        self._limit = limit
        self._expect_mask = expect_mask
        self._buffer = bytearray()
        #: number of bytes that must be in the buffer before parsing can go on
        self._needed = 2
        #: opcode of the message whose fragments are being read; 0 if there is none
        self._kind = 0
        #: payloads of these fragments, joined: as objects, small ones would take many times their size
        self._kept = bytearray()
        #: decoder of a text in fragments
        self._decoder: codecs.IncrementalDecoder | None = None
        #: the fault of the peer, after which nothing is read any more
        self.failure: FrameError | None = None

    @property
    def has_more(self) -> bool:
        """True if the last :meth:`feed` may have left a frame for the next."""
        return len(self._buffer) >= self._needed

    def feed(self, data: bytes, most: int = sys.maxsize) -> list[Message]:
        """Return the messages that are complete with `data`. After a fault, set :attr:`failure`.

        Messages before the fault are returned.

        :param most: number of frames to read at most. The rest is left for the next call.
        """
        buffer = self._buffer
        if not buffer and not self._kind and len(data) > 8 and data[0] == _WHOLE_BINARY and data[1] == _MASKED_MEDIUM:
            # One whole audio frame, like nearly every read during a call.
            size = data[2] << 8 | data[3]
            if len(data) == size + 8 and 126 <= size <= self._limit and self._expect_mask and self.failure is None:
                return [(BINARY, masked(data[8:], data[4:8]))]
        buffer += data
        found: list[Message] = []
        while most and self.failure is None and len(buffer) >= self._needed:
            most -= 1
            try:
                if (message := self._next()) is not None:
                    found.append(message)
            except FrameError as error:
                self.failure = error
        if self.failure is not None:
            buffer.clear()
        return found

    def _next(self) -> Message | None:
        """Return the next message, if the next frame is there in full and completes one."""
        buffer = self._buffer
        first, second = buffer[0], buffer[1]
        opcode = first & 0x0F
        self._check_head(first, second)
        size, start = self._size(second)
        if size is None:
            return None
        if opcode < CLOSE and len(self._kept) + size > self._limit:
            raise FrameError(TOO_LARGE, f"a message of more than {self._limit} bytes")
        end = start + size
        if len(buffer) < end:
            self._needed = end
            return None
        payload = bytes(memoryview(buffer)[start:end])
        if self._expect_mask:
            payload = masked(payload, bytes(buffer[start - 4 : start]))
        del buffer[:end]
        self._needed = 2
        if opcode >= CLOSE:
            return opcode, payload
        return self._fragment(opcode, payload, fin=bool(first & _FIN))

    def _check_head(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if first & _RSV:
            raise FrameError(PROTOCOL_ERROR, "a reserved bit is set without an extension")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise FrameError(PROTOCOL_ERROR, f"a frame with the reserved opcode {opcode}")
        if bool(second & _MASKED) is not self._expect_mask:
            fault = "a frame without a mask" if self._expect_mask else "a masked frame from the server"
            raise FrameError(PROTOCOL_ERROR, fault)
        if opcode >= CLOSE and (not first & _FIN or second & 0x7F > CONTROL_LIMIT):
            raise FrameError(PROTOCOL_ERROR, "a control frame in fragments, or larger than 125 bytes")
        if opcode == CONTINUATION and not self._kind:
            raise FrameError(PROTOCOL_ERROR, "a continuation frame without a message")
        if opcode in (TEXT, BINARY) and self._kind:
            raise FrameError(PROTOCOL_ERROR, "a new message before the end of the last one")

    def _size(self, second: int) -> tuple[int | None, int]:
        """Return the size of the payload, None if it is not known yet, and the position where it starts."""
        buffer = self._buffer
        short = second & 0x7F
        width = 2 if short == 126 else 8 if short == 127 else 0
        start = 2 + width + (4 if self._expect_mask else 0)
        # Waits for the size only, so that a frame that is too large is refused at once.
        if len(buffer) < 2 + width:
            self._needed = 2 + width
            return None, start
        size = int.from_bytes(buffer[2 : 2 + width], "big") if width else short
        if (width == 2 and size < 126) or (width == 8 and not 65_536 <= size < 1 << 63):
            raise FrameError(PROTOCOL_ERROR, "a length that is not in the shortest form")
        return size, start

    def _fragment(self, opcode: int, payload: bytes, *, fin: bool) -> Message | None:
        if fin and opcode == BINARY:
            return BINARY, payload
        kind = self._kind = self._kind or opcode
        text = self._decoded(payload, fin=fin) if kind == TEXT else ""
        if fin and opcode:
            self._kind, self._decoder = 0, None
            return kind, text
        self._kept += payload
        if not fin:
            return None
        kept, self._kept = self._kept, bytearray()
        self._kind, self._decoder = 0, None
        return kind, kept.decode() if kind == TEXT else bytes(kept)

    def _decoded(self, payload: bytes, *, fin: bool) -> str:
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            return self._decoder.decode(payload, fin)
        except UnicodeDecodeError:
            raise FrameError(INVALID_TEXT, "a text message that is not UTF-8") from None
