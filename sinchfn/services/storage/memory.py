"""Memory: a storage for tests and development. Each process has its own, and it ends with the process."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from .storage import NotStoredError


class Memory:
    """Keys and what is stored under them, in a dict."""

    place = "memory:"

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def write(self, key: str, pieces: Iterator[memoryview]) -> None:
        self._contents[key] = b"".join(pieces)

    def read(self, key: str) -> bytes:
        try:
            return self._contents[key]
        except KeyError:
            raise NotStoredError from None

    def open(self, key: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self.read(key)))

    def list(self, prefix: str) -> Iterable[str]:
        return tuple(self._contents)

    def exists(self, key: str) -> bool:
        return key in self._contents

    def delete(self, key: str) -> bool:
        return self._contents.pop(key, None) is not None

    def close(self) -> None:
        """Do nothing: the contents stay."""
