"""Source: the content of a write, in pieces."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Protocol


class BinaryFile(Protocol):
    """Whatever has a ``read(size)`` that returns bytes, and none at its end."""

    def read(self, size: int, /) -> bytes: ...


Content = str | bytes | bytearray | memoryview | BinaryFile

#: Bytes in a piece.
PIECE = 1 << 20


class Source:
    """What is to be stored. A file is read piece by piece, and an error of its own is kept apart from the storage's."""

    def __init__(self, content: Content) -> None:
        """:raises TypeError: it is nothing that can be stored."""
        self._content = content.encode() if isinstance(content, str) else content
        #: what reading the file raised, if it did
        self.failure: BaseException | None = None
        is_file = callable(getattr(content, "read", None)) and not isinstance(content, io.TextIOBase)
        if not is_file and not isinstance(self._content, bytes | bytearray | memoryview):
            kind = "a file in text mode" if isinstance(content, io.TextIOBase) else f"a {type(content).__name__}"
            raise TypeError(f"The storage takes a str, bytes or a file opened with mode 'rb', and not {kind}.")

    def pieces(self) -> Iterator[memoryview]:
        """Its bytes. To be gone through once."""
        if isinstance(self._content, bytes | bytearray | memoryview):
            return _cut(self._content)
        return self._read(self._content)

    def _read(self, file: BinaryFile) -> Iterator[memoryview]:
        try:
            while data := _as_bytes(file.read(PIECE)):
                yield memoryview(data)
        except GeneratorExit:
            raise
        except BaseException as error:
            self.failure = error
            raise


def _cut(data: bytes | bytearray | memoryview) -> Iterator[memoryview]:
    view = memoryview(data)
    view = view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
    return (view[start : start + PIECE] for start in range(0, len(view), PIECE))


def _as_bytes(data: object) -> bytes | bytearray | memoryview:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(
            f"read() of the file to be stored returned {type(data).__name__}, and not bytes: "
            "the storage takes a file opened with mode 'rb'."
        )
    return data
