"""The connections of one process to one SQLite file: opened when needed, kept, closed when the file is replaced."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...forks import Forkable, across_forks

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed either
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger("sinchfn.cache")

#: Bytes that the log keeps on disk while it is not used.
LOG_SIZE = 16 << 20

#: The settings of every new connection.
SETTINGS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # heard only while the file is still empty
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    # A fallback if no process copies the log into the file. SQLite itself does so after every write from this size on,
    # and never reaches the end of the log while others go on writing.
    "PRAGMA wal_autocheckpoint = 16000",
    f"PRAGMA journal_size_limit = {LOG_SIZE}",
)

#: Seconds between two checks that the file is still the one that was opened.
RECHECK = 1.0

#: How long, in seconds, a fork waits for the calls that are under way.
PATIENCE = 1.0

#: The most connections that are kept while they are idle.
KEPT = 64


class Connections(Forkable):
    """Lends connections; each is used by one caller at a time, from any thread.

    A fork must not pass on an open connection of SQLite: the child would take locks for its own that only its parent
    has. So all are closed before a fork, and each process opens its own afterwards.
    """

    def __init__(self, file: Path, schema: str) -> None:
        """
        :param schema: run on every new connection; it must not mind that it was run before.
        """
        self.file = file
        self._schema = schema
        #: held by the thread that writes
        self.turn = threading.Lock()
        self._opening = threading.Lock()
        self._forking = False
        self._idle: deque[sqlite3.Connection] = deque()
        #: all that are not closed, idle or not
        self._open: set[sqlite3.Connection] = set()
        #: those of them that may be lent again; the others are closed when they come back
        self._valid: set[sqlite3.Connection] = set()
        self._identity: object = None
        self._check_at = 0.0
        self._inherited: list[sqlite3.Connection] = []
        across_forks(self)

    def take(self) -> sqlite3.Connection:
        """Lend a connection to the caller alone, until :meth:`give_back`.

        :raises sqlite3.Error, OSError: the file cannot be opened.
        """
        if time.monotonic() > self._check_at:
            with self._opening:
                self._check()
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def give_back(self, connection: sqlite3.Connection, *, works: bool = True) -> None:
        """Return what was taken.

        :param works: whether it can be lent again.
        """
        if works and connection in self._valid and not self._forking and len(self._idle) < KEPT:
            self._idle.append(connection)
        else:
            self._close(connection)

    def close(self) -> None:
        """Close all that are idle; the others are closed when they come back."""
        self._valid.clear()
        self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._close(self._idle.pop())

    def _close(self, connection: sqlite3.Connection) -> None:
        self._valid.discard(connection)
        connection.close()
        self._open.discard(connection)

    def _connect(self) -> sqlite3.Connection:
        with self._opening:
            self._check()
            connection = self._open_file()
            try:
                for statement in (*SETTINGS, self._schema):
                    connection.execute(statement).fetchall()
                if not self._valid:
                    self._identity = self._identify()
            except BaseException:
                connection.close()
                raise
            self._open.add(connection)
            self._valid.add(connection)
            return connection

    def _open_file(self) -> sqlite3.Connection:
        if self.file.exists():
            return _open(self.file)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self.file.parent):
            is_new = not self.file.exists()
            # A log without its file is that of one that was removed, and must not be taken for that of the new one.
            for path in _logs(self.file) if is_new else ():
                path.unlink(missing_ok=True)
            connection = _open(self.file)
            if is_new:
                with suppress(FileNotFoundError):  # removed already: SQLite will say so
                    self.file.chmod(0o600)  # its log takes over the mode
            return connection

    def _check(self) -> None:
        """Close the connections to a file that was removed or replaced."""
        self._check_at = time.monotonic() + RECHECK
        identity = self._identify()
        if self._valid and identity != self._identity:
            _log.warning("The cache file %s was removed or replaced while in use. It is opened again.", self.file)
            self.close()
        self._identity = identity

    def _identify(self) -> object:
        """Return device and inode of the file and of its log."""
        found: list[tuple[int, int] | None] = []
        for path in (self.file, _logs(self.file)[0]):
            try:
                stat = path.stat()
                found.append((stat.st_dev, stat.st_ino))
            except OSError:
                found.append(None)
        return found

    # --- forks ----------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        until = time.monotonic() + PATIENCE
        self._forking = self._opening.acquire(timeout=PATIENCE)
        self._close_idle()
        while self._open and time.monotonic() < until:
            time.sleep(0.0002)  # they are in use, and closed when they come back

    def after_fork_in_parent(self) -> None:
        if self._forking:
            self._forking = False
            self._opening.release()

    def after_fork_in_child(self) -> None:
        self._forking = False
        # Any that are left are not even closed: that would touch what belongs to the parent.
        self._inherited += self._open
        self.turn, self._opening = threading.Lock(), threading.Lock()
        self._idle, self._open, self._valid = deque(), set(), set()


def _open(file: Path) -> sqlite3.Connection:
    # Without a timeout: SQLite's own way to wait for a lock is not used.
    return sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)


def _logs(file: Path) -> tuple[Path, Path]:
    """Return the paths of the write-ahead log of a file and of its index."""
    return file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from doing the same in this folder, where the system can.

    :raises BlockingIOError: one of them is at it.
    """
    if fcntl is None:
        yield
        return
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(errno.EAGAIN, "folder is locked", str(folder)) from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(opened)
