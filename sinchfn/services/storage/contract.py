"""Storage: what users see, and the rules that hold for every backend."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Protocol

from ...errors import Advised, StorageError
from .keys import check_key, check_prefix, is_key, shown
from .source import Content, Source

Keys = list[str]


class NotStoredError(Exception):
    """A backend has nothing under that key."""


class BackendError(Exception):
    """A backend cannot do what it was asked to.

    :param cause: what happened; the second half of a sentence that begins with what was asked.
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
    wherever it is stored. What leaves the storage (``..``, a leading slash) is a ``ValueError``, as are empty segments,
    a slash at the end, backslashes and control characters; what is no str is a ``TypeError``. Whoever reads while
    something is written gets the old or the new content, never a mixture.

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
        """What is stored under `key`.

        :raises FileNotFoundError: nothing is.
        """
        check_key(key)
        with _failing("read", key, self._backend):
            return self._backend.read(key)

    def read_text(self, key: str) -> str:
        """What is stored under `key`, as text.

        :raises FileNotFoundError: nothing is.
        :raises UnicodeDecodeError: it is not UTF-8. The message names key and place.
        """
        try:
            return self.read(key).decode()
        except UnicodeDecodeError as error:
            what, place = shown(key), self._backend.place
            error.reason += f". {what} in {place} is no UTF-8 text: read it by storage.read({what})"
            raise

    def open(self, key: str) -> io.BufferedReader:
        """A binary file to read what is stored under `key` from, as it comes; it can seek. Close it, or use ``with``.

        :raises FileNotFoundError: nothing is.
        """
        check_key(key)
        with _failing("open", key, self._backend):
            return self._backend.open(key)

    def list(self, prefix: str = "") -> Keys:
        """Every key that begins with `prefix`, sorted. A prefix need not end at a slash: ``rep`` finds ``reports/a``.

        All keys in the folder of the prefix are looked at: those of ``reports/2026/`` for ``reports/2026/may``. What
        other programs have put there under a name that cannot be read by this storage is left out: the empty objects
        that consoles make of a folder, names with ``//`` or ``..`` in them. (With Google Cloud, Azure, or credentials
        that the machine has, one such name fails the listing: the message says so.)
        """
        check_prefix(prefix)
        with _failing("list", prefix, self._backend):
            return sorted({key for key in self._backend.list(prefix) if key.startswith(prefix) and is_key(key)})

    def exists(self, key: str) -> bool:
        """Whether something is stored under `key`."""
        check_key(key)
        with _failing("look for", key, self._backend):
            return self._backend.exists(key)

    def delete(self, key: str) -> bool:
        """Remove what is stored under `key`.

        :returns: whether there was something. An object store is asked that first, in a request of its own.
        """
        check_key(key)
        with _failing("delete", key, self._backend):
            return self._backend.delete(key)

    def close(self) -> None:
        """Give up connections. A storage that is used afterwards makes new ones."""
        self._backend.close()

    def __repr__(self) -> str:
        return f"<Storage {self._backend.place}>"


@contextmanager
def _failing(action: str, key: str, backend: Backend) -> Iterator[None]:
    """What a backend raises, as what users are told to expect."""
    try:
        yield
    except NotStoredError:
        raise FileNotFoundError(f"There is no {shown(key)} in {backend.place}.") from None
    except BackendError as failure:
        raise storage_error(action, key, backend, failure) from None


def storage_error(action: str, key: str, backend: Backend, failure: BackendError) -> StorageError:
    """The error that says what could not be done, with which key, where, why, and what to do."""
    what = shown(key) if key else "the keys"
    return StorageError(f"Cannot {action} {what} in {backend.place}: {failure.cause}. {failure.remedy}")
