"""Storage: the class that users see, and the rules that hold for every backend."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Protocol

from ...errors import Advised, StorageError
from ...wire.faults import describe, describe_type, quote

#: Longest key, in bytes of UTF-8: what S3 takes.
MAX_KEY = 1024

#: The first segment of keys that a backend keeps for itself.
OWN = ".sinchfn"

# Besides control characters, two that XML, the language of S3, cannot carry.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")

#: The encoding of a key that may hold half of a surrogate pair.
ANY_TEXT = ("utf-8", "surrogatepass")

#: Tests for invalid keys, and the fault in words. The first match counts.
FAULTS = (
    (lambda key: not key, "is empty"),
    (lambda key: len(key) > MAX_KEY or len(key.encode(*ANY_TEXT)) > MAX_KEY, f"is longer than {MAX_KEY} bytes"),
    (re.compile(r"[\ud800-\udfff]").search, "cannot be encoded as UTF-8"),
    (_CONTROL.search, "has a control character"),
    (lambda key: "\\" in key, 'has a backslash; separate segments with "/"'),
    (lambda key: key.startswith("/"), 'begins with "/"'),
    (lambda key: key.endswith("/"), 'ends with "/"'),
    (lambda key: ".." in key.split("/"), 'leaves the storage: it has a segment ".."'),
    (lambda key: "." in key.split("/"), 'has a segment "."'),
    (lambda key: "" in key.split("/"), "has an empty segment"),
    (lambda key: key.split("/")[0].casefold() == OWN, f'begins with "{OWN}", which is kept for the storage itself'),
)


def check_key(key: object) -> None:
    """Check a key.

    :raises TypeError: it is not a str.
    :raises ValueError: it is not a valid key.
    """
    _check(key, "key", "A key is a relative path such as reports/2026/may.pdf.")


def check_prefix(prefix: object) -> None:
    """Check the beginning of a key. Every key begins with the empty prefix."""
    if prefix == "":
        return
    # A prefix may end anywhere, also behind a slash: with one letter more it is a key.
    whole = f"{prefix}x" if isinstance(prefix, str) and len(prefix.encode(*ANY_TEXT)) < MAX_KEY else prefix
    _check(whole, "prefix", "A prefix is the beginning of a key, such as reports/2026.")


def is_key(text: str) -> bool:
    """Return True if `text` is a valid key. Names that other programs put into a folder or bucket need not be."""
    return _fault(text) is None


def _check(key: object, what: str, remedy: str) -> None:
    if not isinstance(key, str):
        raise TypeError(f"A {what} of the storage must be a str, found {describe(key)}. {remedy}")
    fault = _fault(key)
    if fault is not None:
        raise ValueError(f"The {what} {quote(key)} {fault}. {remedy}")


def _fault(key: str) -> str | None:
    return next((fault for matches, fault in FAULTS if matches(key)), None)


class BinaryFile(Protocol):
    """An object with a ``read(size)`` that returns bytes, and an empty value at its end."""

    def read(self, size: int, /) -> bytes: ...


Content = str | bytes | bytearray | memoryview | BinaryFile

#: Bytes in a piece.
PIECE = 1 << 20


class Source:
    """Content to store. A file is read in pieces, and its own errors are kept apart from those of the storage."""

    def __init__(self, content: Content) -> None:
        """:raises TypeError: it cannot be stored."""
        self._content = content.encode() if isinstance(content, str) else content
        #: what reading the file raised, if it did
        self.failure: BaseException | None = None
        is_file = callable(getattr(content, "read", None)) and not isinstance(content, io.TextIOBase)
        if not is_file and not isinstance(self._content, bytes | bytearray | memoryview):
            kind = "a file in text mode" if isinstance(content, io.TextIOBase) else describe_type(content)
            raise TypeError(f"The storage takes a str, bytes or a file opened with mode 'rb', found {kind}.")

    def pieces(self) -> Iterator[memoryview]:
        """Return the bytes in pieces. They can be read once."""
        if not isinstance(self._content, bytes | bytearray | memoryview):
            return self._read(self._content)
        view = memoryview(self._content)
        view = view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
        return (view[start : start + PIECE] for start in range(0, len(view), PIECE))

    def _read(self, file: BinaryFile) -> Iterator[memoryview]:
        try:
            while True:
                data: object = file.read(PIECE)
                if not isinstance(data, bytes | bytearray | memoryview):
                    raise TypeError(  # noqa: TRY301
                        f"read() of the file to be stored returned {describe_type(data)}, not bytes: "
                        "open the file with mode 'rb'."
                    )
                if not data:
                    return
                yield memoryview(data)
        except GeneratorExit:
            raise
        except BaseException as error:
            self.failure = error
            raise


Keys = list[str]


class NotStoredError(Exception):
    """A backend has nothing under that key."""


class BackendError(Exception):
    """A backend failed.

    :param cause: what happened; the second half of a sentence that begins with the operation.
    :param remedy: what to do about it; a sentence.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause, remedy)
        self.cause = cause
        self.remedy = remedy


class Backend(Protocol):
    """A place where things are stored. Keys have been checked. What fails is a :class:`BackendError`.

    ``read`` and ``open`` raise :class:`NotStoredError` where there is nothing. If the pieces of a ``write`` raise, what
    was there before stays.
    """

    #: names the place, without secrets; for messages
    place: str

    def write(self, key: str, pieces: Iterator[memoryview]) -> None: ...
    def read(self, key: str) -> bytes: ...
    def open(self, key: str) -> io.BufferedReader: ...
    def list(self, prefix: str) -> Iterable[str]: ...
    def exists(self, key: str) -> bool: ...
    def delete(self, key: str) -> bool: ...
    def close(self) -> None: ...


class Storage(Advised):
    """Files under keys. ``context.storage`` in a handler; safe for several threads and processes at once.

    A key is a relative path such as ``reports/2026/may.pdf``, at most 1024 bytes of UTF-8, and the same byte for byte
    wherever it is stored. A key that leaves the storage (``..``, a leading slash) is a ``ValueError``, as are empty
    segments, a slash at the end, backslashes and control characters; a key that is not a str is a ``TypeError``. A
    reader gets the old or the new content while a key is written, never a mixture.

    Every method raises :class:`~sinchfn.errors.StorageError` if the place behind it fails: it cannot be reached, is
    full, read-only or denied. The message names key, place, cause and remedy.
    """

    __slots__ = ("_backend",)

    _called = "the storage"
    _elsewhere: ClassVar[Mapping[str, str]] = {
        "save": "write",
        "put": "write",
        "upload": "write",
        "get": "read",
        "download": "read",
    }

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def write(self, key: str, content: Content) -> None:
        """Store `content` under `key`, whole or not at all, in place of what was there.

        :param content: a str (stored as UTF-8), bytes, or a binary file, which is read from where it stands and in
            pieces: what is stored may be larger than the memory. The file is not closed. If reading it fails, its error
            is raised, and what was stored before stays.
        :raises TypeError: `content` is something else, such as a file in text mode.
        """
        check_key(key)
        source = Source(content)
        try:
            with _failing("write", key, self._backend):
                self._backend.write(key, source.pieces())
        except BaseException:
            if source.failure is not None:
                raise source.failure from None
            raise

    def read(self, key: str) -> bytes:
        """Return what is stored under `key`.

        :raises FileNotFoundError: nothing is.
        """
        check_key(key)
        with _failing("read", key, self._backend):
            return self._backend.read(key)

    def read_text(self, key: str) -> str:
        """Return what is stored under `key`, as text.

        :raises FileNotFoundError: nothing is.
        :raises UnicodeDecodeError: it is not UTF-8. The message names key and place.
        """
        try:
            return self.read(key).decode()
        except UnicodeDecodeError as error:
            what, place = quote(key), self._backend.place
            error.reason += f". {what} in {place} is not UTF-8 text: read it by storage.read({what})"
            raise

    def open(self, key: str) -> io.BufferedReader:
        """Open what is stored under `key` as a binary file that can seek. Close it, or use ``with``.

        :raises FileNotFoundError: nothing is.
        """
        check_key(key)
        with _failing("open", key, self._backend):
            return self._backend.open(key)

    def list(self, prefix: str = "") -> Keys:
        """Return every key that begins with `prefix`, sorted. It need not end at a slash: ``rep`` finds ``reports/a``.

        All keys in the folder of the prefix are looked at: those of ``reports/2026/`` for ``reports/2026/may``. What
        other programs have put there under a name that cannot be read by this storage is left out: the empty objects
        that consoles make of a folder, names with ``//`` or ``..`` in them. (With Google Cloud, Azure, or credentials
        that the machine has, one such name fails the listing: the message says so.)
        """
        check_prefix(prefix)
        with _failing("list", prefix, self._backend):
            return sorted({key for key in self._backend.list(prefix) if key.startswith(prefix) and is_key(key)})

    def exists(self, key: str) -> bool:
        """Return True if something is stored under `key`."""
        check_key(key)
        with _failing("look for", key, self._backend):
            return self._backend.exists(key)

    def delete(self, key: str) -> bool:
        """Remove what is stored under `key`.

        :returns: True if something was stored. An object store is asked first, in a separate request.
        """
        check_key(key)
        with _failing("delete", key, self._backend):
            return self._backend.delete(key)

    def close(self) -> None:
        """Close connections. Later uses open new ones."""
        self._backend.close()

    def __repr__(self) -> str:
        return f"<Storage {self._backend.place}>"


@contextmanager
def _failing(action: str, key: str, backend: Backend) -> Iterator[None]:
    """Turn errors of a backend into the errors that :class:`Storage` documents."""
    try:
        yield
    except NotStoredError:
        raise FileNotFoundError(f"There is no {quote(key)} in {backend.place}.") from None
    except BackendError as failure:
        raise storage_error(action, key, backend, failure) from None


def storage_error(action: str, key: str, backend: Backend, failure: BackendError) -> StorageError:
    """Return the error that names the operation, the key, the place, the cause and the remedy."""
    what = quote(key) if key else "the keys"
    return StorageError(f"Cannot {action} {what} in {backend.place}: {failure.cause}. {failure.remedy}")
