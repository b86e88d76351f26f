"""Objects: a storage in a bucket, through the library obstore.

Its calls block their thread, and under gevent all greenlets of the process. The library hangs in a process that was
forked from one that has used it: there every use is refused.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache, cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from ...wire.faults import quote
from ..extras import import_extra
from .listing import ListingError, can_list, list_names
from .providers import Location
from .storage import PIECE, BackendError, NotStoredError, storage_error

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


#: Pattern in the facts of an error -> cause, remedy. The first that matches counts. ``{said}`` is the server's text,
#: ``{bucket}`` the bucket; the other words come from its provider.
FAULTS = (
    (
        r"NoSuchBucket|ContainerNotFound",
        "the {kind} {bucket} does not exist",
        "Create it, or correct SINCHFN_STORAGE_URL.",
    ),
    (
        r"BareRedirect|PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint",
        "the {kind} is in another region{said}",
        "Set {region} to its region.",
    ),
    (
        r"http://169\.254\.|http://metadata\.google\.internal|//[^/]+/latest/(api/token|meta-data)",
        "no credentials were found, neither in the variables nor on this machine",
        "Set {credentials}.",
    ),
    (
        r"SignatureDoesNotMatch|InvalidAccessKeyId|AuthenticationFailed|InvalidToken|ExpiredToken|\b401\b",
        "the credentials are refused{said}",
        "Correct {credentials}.",
    ),
    (
        r"\b403\b",
        "access is denied{said}",
        "Let these credentials read, write, delete and list; without the right to list, missing keys are denied too.",
    ),
    (r"\b404\b", "it was removed, or the place does not exist{said}", "Check SINCHFN_STORAGE_URL and the endpoint."),
    (r"\b412\b", "it was replaced while it was being read", "Open it again."),
    (r"\b(429|5\d\d)\b", "the store is in trouble{said}", "Try again later."),
    (r"Timeout", "the store did not answer in time", "Check the network between here and there, and try again."),
    (
        r"Connect|Request",
        "the store cannot be reached",
        "Check the endpoint, its name and port, and the network between here and there.",
    ),
    (r"Interrupted|Decode", "the connection was lost", "Try again."),
    (
        r"InvalidPathError",
        "the name of an object is not a valid key, such as one with // in it",
        "Rename or move it: everything below the prefix belongs to this storage.",
    ),
)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,80})</Code>")
_SENTENCE = re.compile(r"<Message>([^<\n]{1,200})")
_DEBUG = re.compile(r"^ +(?:kind: (\w+)|inner: (BareRedirect)|(https?://[^?\s]+)\S*),$", re.MULTILINE)


def failure(error: Exception, location: Location) -> BackendError:
    """Explain an error of the library."""
    answer, debug = _parts(error)
    known = (_STATUS.search(answer), _CODE.search(answer), _SENTENCE.search(answer))
    said = [match[1] for match in known if match]
    seen = ["".join(found) for found in _DEBUG.findall(debug)]
    facts = " ".join([type(error).__name__, *said[:2], *seen])
    cause, remedy = next(
        ((cause, remedy) for pattern, cause, remedy in FAULTS if re.search(pattern, facts)),
        ("the store failed{said}", "Its own log may say why."),
    )
    provider = location.provider
    filling = {
        "said": f" ({': '.join(said)})" if said else "",
        "bucket": location.bucket,
        "kind": provider.bucket,
        "region": provider.region,
        "credentials": provider.credentials,
    }
    return BackendError(cause.format(**filling), remedy.format(**filling))


def is_about_the_key(error: FileNotFoundError) -> bool:
    """Return True if the key was not found, and False if it was the bucket."""
    answer, _ = _parts(error)
    code = _CODE.search(answer)
    return code is None or code[1] not in ("NoSuchBucket", "ContainerNotFound")


def _parts(error: Exception) -> tuple[str, str]:
    """Return the server's part of the text, and the library's.

    A key may imitate either, but it stands before the first, is escaped within it, and has no line breaks.
    """
    text, _, debug = str(error).partition("\n\nDebug source:")
    return text[max(text.rfind("non-2xx status code"), 0) :], debug


Names = list[str]

#: Bytes in a part of a large upload, and how many parts are under way at once: with these, up to 80 GB.
PART = 8 * PIECE
PARTS_AT_ONCE = 2

#: The timeouts of connecting; of an answer, or the next bytes of one; and of the answer to a write that is larger than
#: a piece, because that includes the time to send it.
CONNECT_TIMEOUT = timedelta(seconds=2)
READ_TIMEOUT = timedelta(seconds=8)
LARGE_TIMEOUT = timedelta(seconds=60)

#: A request as a whole has no limit: a large object takes its time.
WHOLE_TIMEOUT = timedelta(days=1)

#: Connections that fail and answers 5xx and 429 are tried again. A store that cannot be reached fails after about 7 s,
#: one that does not answer after about 8 s.
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
        taken: list[memoryview] = []
        size = 0
        while size < PART and (piece := next(pieces, None)) is not None:
            taken.append(piece)
            size += len(piece)
        first, rest = b"".join(taken), next(pieces, None)
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
        """Yield the keys that the library lists; it cuts the slash off the names of folders that consoles make."""
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
        """Return the bytes of an object from `start`, in pieces.

        :raises BackendError: it is another version by now.
        """
        with self.using():
            options = {"range": {"offset": start}, "if_match": version}
            found = self._obstore.get(self._store, key, options=options)
            return iter(found.stream(min_chunk_size=PIECE))

    @contextmanager
    def using(self) -> Iterator[None]:
        """Turn errors of the library into errors of a backend."""
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
        """Fail if the bucket is missing. An answer to HEAD does not tell a missing bucket from a missing key."""
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
    """One object, read as it arrives. After a seek it is requested again from there, in the same version."""

    def __init__(self, objects: Objects, key: str, found: Any) -> None:
        self._objects = objects
        self._key = key
        self._size: int = found.meta["size"]
        self._version: str | None = found.meta["e_tag"]
        self._at = 0
        self._pieces: Iterator[Any] | None = iter(found.stream(min_chunk_size=PIECE))
        self._piece = memoryview(b"")
        #: raised by every read that follows, because the buffer in front of this has lost what it read before
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
            raise ValueError(f"Cannot seek to {start} in {quote(self._key)}: the file begins at 0.")
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
                piece = next(self._pieces, None)
                if piece is None:
                    raise BackendError("the connection was lost", "Open it again.")  # noqa: TRY301
                return memoryview(piece)
        except BackendError as failed:
            self._failure = failed
            raise storage_error("read", self._key, self._objects, failed) from None


@cache
def _process_of_the_library() -> int:
    """Return the process that used the library first. The threads of the library live only there."""
    return os.getpid()
