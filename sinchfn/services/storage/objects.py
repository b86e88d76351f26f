"""Objects: a storage in a bucket, through the library obstore.

Its calls block the thread that makes them, and under gevent all greenlets of the process. The library hangs in a
process that was forked from one which has used it already: there every use is refused.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache, cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..extras import import_extra
from .contract import BackendError, NotStoredError, storage_error
from .faults import failure, is_about_the_key
from .listing import ListingError, can_list, list_names
from .providers import Location
from .source import PIECE

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Names = list[str]

#: Bytes in a part of a large upload, and how many parts are under way at once: with these, up to 80 GB.
PART = 8 * PIECE
PARTS_AT_ONCE = 2

#: How long is waited for a connection; for an answer, or the next bytes of one; and for the answer to what is larger
#: than a piece, for that includes the time that it takes to send it.
CONNECT_TIMEOUT = timedelta(seconds=2)
READ_TIMEOUT = timedelta(seconds=8)
LARGE_TIMEOUT = timedelta(seconds=60)

#: A request as a whole has no limit: a large object takes its time.
WHOLE_TIMEOUT = timedelta(days=1)

#: What is tried again: connections that fail, answers 5xx and 429. So a store that cannot be reached is given up after
#: about 7 s, one that does not answer after about 8 s.
RETRY = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=7),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}


class Objects:
    """Keys as objects below a prefix. Several threads may use it at once."""

    def __init__(self, location: Location) -> None:
        """:raises ConfigError: the variables do not fit each other."""
        self._location = location
        self._obstore = import_extra("obstore", f"SINCHFN_STORAGE_URL={location.scheme}:")
        self._has_answered = False
        self._can_list, self._has_listed = can_list(location), False
        self.place = str(location)
        _ = self._store

    def write(self, key: str, pieces: Iterator[memoryview]) -> None:
        first = _first_part(pieces)
        rest = next(pieces, None)
        with self.using():
            if rest is None:
                store = self._store if len(first) <= PIECE else self._large
                self._obstore.put(store, key, first, use_multipart=False)
            else:
                whole = chain((first, rest), pieces)
                self._obstore.put(self._large, key, whole, chunk_size=PART, max_concurrency=PARTS_AT_ONCE)

    def read(self, key: str) -> bytes:
        with self.using():
            content: bytes = self._get(key).bytes().to_bytes()
            return content

    def open(self, key: str) -> io.BufferedReader:
        with self.using():
            return io.BufferedReader(ObjectFile(self, key, self._get(key)), PIECE)

    def list(self, prefix: str) -> Iterator[str]:
        folder = prefix.rpartition("/")[0]
        with self.using():
            if self._can_list:
                try:
                    names = self._names(folder)
                except ListingError as error:
                    self._can_list = error.is_passing or self._has_listed
                else:
                    self._has_listed = True
                    return iter(names)
            return self._listed(folder)

    def _names(self, folder: str) -> Names:
        above = f"{self._location.prefix}/" if self._location.prefix else ""
        start = f"{above}{folder}/" if folder else above
        found = list_names(self._location, start, connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)
        return [name.removeprefix(above) for name in found]

    def _listed(self, folder: str) -> Iterator[str]:
        """The keys that the library lists; it cuts the slash off the names of folders that consoles make."""
        with self.using():
            for page in self._obstore.list(self._store, folder or None, chunk_size=1000):
                yield from (found["path"] for found in page if found["size"] or self.exists(found["path"]))

    def exists(self, key: str) -> bool:
        with self.using():
            try:
                self._obstore.head(self._store, key)
            except FileNotFoundError:
                self._require_bucket()
                return False
            return True

    def delete(self, key: str) -> bool:
        was_there = self.exists(key)
        with self.using():
            try:
                self._obstore.delete(self._store, key)
            except FileNotFoundError:
                return False
            return was_there

    def close(self) -> None:
        for client in ("_store", "_large"):
            self.__dict__.pop(client, None)

    def reopen(self, key: str, start: int, version: str | None) -> Iterator[Any]:
        """The bytes of an object from `start`, in pieces.

        :raises BackendError: it is another version by now.
        """
        with self.using():
            options = {"range": {"offset": start}, "if_match": version}
            found = self._obstore.get(self._store, key, options=options)
            return iter(found.stream(min_chunk_size=PIECE))

    @contextmanager
    def using(self) -> Iterator[None]:
        """What the library raises, as what a backend may raise."""
        if _process_of_the_library() != os.getpid():
            raise BackendError(
                "the object store was used before this process was forked, and the library hangs after that",
                "Use it in the worker processes only, not where the function is loaded; or start processes by spawn.",
            )
        try:
            yield
        except (NotStoredError, BackendError):
            raise
        except Exception as error:  # some are the library's own, some are built in
            raise failure(error, self._location) from None

    def _get(self, key: str) -> Any:
        try:
            return self._obstore.get(self._store, key)
        except FileNotFoundError as error:
            if is_about_the_key(error):
                raise NotStoredError from None
            raise

    def _require_bucket(self) -> None:
        """Fail if there is no bucket. An answer to HEAD does not tell a missing bucket from a missing key."""
        if not self._has_answered:
            next(iter(self._obstore.list(self._store)), None)
            self._has_answered = True

    @cached_property
    def _store(self) -> Any:
        return self._connect(READ_TIMEOUT)

    @cached_property
    def _large(self) -> Any:
        return self._connect(LARGE_TIMEOUT)

    def _connect(self, read_timeout: timedelta) -> Any:
        client = {"connect_timeout": CONNECT_TIMEOUT, "read_timeout": read_timeout, "timeout": WHOLE_TIMEOUT}
        return self._location.connect(client=client, retry=RETRY)


class ObjectFile(io.RawIOBase):
    """One object, read as it comes. After a seek it is asked for again from there, in the same version."""

    def __init__(self, objects: Objects, key: str, found: Any) -> None:
        self._objects = objects
        self._key = key
        self._size: int = found.meta["size"]
        self._version: str | None = found.meta["e_tag"]
        self._at = 0
        self._pieces: Iterator[Any] | None = iter(found.stream(min_chunk_size=PIECE))
        self._piece = memoryview(b"")
        #: raised by every read that follows: the buffer in front of this has lost what it took before the failure
        self._failure: BackendError | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        if not self._piece and self._at < self._size:
            self._piece = self._next_piece()
        count = min(len(target), len(self._piece))
        target[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        self._at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence] + offset
        if start < 0:
            raise ValueError(f"There is no position {start} in {self._key!r}.")
        if start != self._at or self._failure is not None:
            self._at, self._piece, self._pieces, self._failure = start, memoryview(b""), None, None
        return start

    def close(self) -> None:
        self._pieces = None
        super().close()

    def _next_piece(self) -> memoryview:
        try:
            if self._failure is not None:
                raise self._failure
            with self._objects.using():
                if self._pieces is None:
                    self._pieces = self._objects.reopen(self._key, self._at, self._version)
                return memoryview(_next(self._pieces))
        except BackendError as failed:
            self._failure = failed
            raise storage_error("read", self._key, self._objects, failed) from None


def _next(pieces: Iterator[Any]) -> Any:
    piece = next(pieces, None)
    if piece is None:
        raise BackendError("the connection broke off", "Open it again.")
    return piece


def _first_part(pieces: Iterator[memoryview]) -> bytes:
    """As many as make a part, or all."""
    taken: list[memoryview] = []
    size = 0
    while size < PART and (piece := next(pieces, None)) is not None:
        taken.append(piece)
        size += len(piece)
    return b"".join(taken)


@cache
def _process_of_the_library() -> int:
    """The process in which the library was first used. Its threads live there, and in no child."""
    return os.getpid()
