"""Database: connections to the function's SQLite file."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from ..errors import DatabaseError

#: SQLite's error -> the note on it.
NOTES = {
    "SQLITE_BUSY": (
        "{file}: another connection holds a transaction; this one waited for up to {timeout:g} s. "
        "Let the other commit sooner: nothing should take long between its first write and its commit."
    ),
    "SQLITE_BUSY_SNAPSHOT": (
        "{file}: another connection has written since this one began to read. "
        'Call connection.execute("BEGIN IMMEDIATE") before reading, or fetch all rows before writing.'
    ),
}

Result = TypeVar("Result")


class Connection(sqlite3.Connection):
    """A connection that several threads may use: one statement at a time, each waits for its turn.

    The module's own connections leave that to the caller. There two statements at once may lose one, and a connection
    that is closed while another thread is at work ends the process.
    """

    def __init__(self, file: Path, *, timeout: float, **options: Any) -> None:
        self._turn = threading.RLock()
        self._known = {"file": file, "timeout": timeout}
        super().__init__(file, timeout=timeout, **options)

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or Cursor)

    def execute(self, *args: Any) -> sqlite3.Cursor:
        found: sqlite3.Cursor = self.cursor().execute(*args)
        return found

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        found: sqlite3.Cursor = self.cursor().executemany(*args)
        return found

    def executescript(self, *args: Any) -> sqlite3.Cursor:
        found: sqlite3.Cursor = self.cursor().executescript(*args)
        return found

    def commit(self) -> None:
        self.in_turn(super().commit)

    def rollback(self) -> None:
        """Undo what was not committed. A statement that runs in another thread is interrupted."""
        with self._breaking_in():
            super().rollback()

    def __exit__(self, *error: Any) -> Any:
        return self.in_turn(super().__exit__, *error)

    def close(self) -> None:
        """Close it. A statement that runs in another thread is interrupted."""
        with self._breaking_in():
            super().close()

    @contextmanager
    def _breaking_in(self) -> Iterator[None]:
        if not self._turn.acquire(blocking=False):
            # Only then: where nothing runs it would hit what SQLite itself does when a connection is closed.
            with suppress(sqlite3.ProgrammingError):  # it is closed by now
                self.interrupt()
            self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    def in_turn(self, work: Callable[..., Result], *args: Any) -> Result:
        """Call `work` while no other thread uses this connection, and return its result."""
        with self._turn:
            try:
                return work(*args)
            except sqlite3.OperationalError as error:
                note = NOTES.get(getattr(error, "sqlite_errorname", ""))
                if note is not None:
                    error.add_note(note.format(**self._known))
                raise


class Cursor(sqlite3.Cursor):
    """A cursor of a :class:`Connection`."""

    def execute(self, *args: Any) -> Any:
        return self._in_turn(super().execute, *args)

    def executemany(self, *args: Any) -> Any:
        return self._in_turn(super().executemany, *args)

    def executescript(self, *args: Any) -> Any:
        return self._in_turn(super().executescript, *args)

    def fetchone(self) -> Any:
        return self._in_turn(super().fetchone)

    def fetchmany(self, *args: Any, **options: Any) -> Any:
        return self._in_turn(partial(super().fetchmany, **options), *args)

    def fetchall(self) -> Any:
        return self._in_turn(super().fetchall)

    def __next__(self) -> Any:
        return self._in_turn(super().__next__)

    def close(self) -> None:
        self._in_turn(super().close)

    def _in_turn(self, work: Callable[..., Result], *args: Any) -> Result:
        return cast(Connection, self.connection).in_turn(work, *args)


#: What every connection is set to. What was committed survives a crash of the process; a crash of the machine may take
#: the last commits, and never damages the file.
PRAGMAS = ("synchronous = NORMAL", "foreign_keys = ON")

#: SQLite's error -> the remedy.
REMEDIES = {
    "SQLITE_NOTADB": "It holds something else: move it away, or point SINCHFN_DATABASE at another file.",
    "SQLITE_CORRUPT": "It is damaged: bring back a copy of it.",
    "SQLITE_BUSY": "Another process keeps it locked: end what holds a transaction open, such as a shell on the file.",
    "SQLITE_READONLY": "Let the user that runs the function write the file and its folder.",
    "SQLITE_FULL": "Free space on its file system.",
}
_REMEDY = "Point SINCHFN_DATABASE at a file in a folder that can be written."

#: Seconds between two tries to switch a new file to WAL.
PAUSE = 0.005


def open_database(file: Path, *, timeout: float = 5.0) -> sqlite3.Connection:
    """Open a connection to `file`. The file (mode 0600) and its folder are created if they are missing.

    WAL: readers and a writer do not wait for each other, writers wait their turn for up to `timeout` seconds. Foreign
    keys are enforced, rows can be read by name (``sqlite3.Row``). Several threads may use it: they take turns.

    The first statement that begins with ``INSERT``, ``UPDATE``, ``DELETE`` or ``REPLACE`` begins a transaction, and
    waits until no other connection writes. ``connection.commit()`` ends it, or ``with connection:``, which rolls back
    if its block raises; what is not committed is lost when the connection is closed. Every other statement, such as
    ``CREATE``, is a transaction of its own, unless one was begun.

    If you write what depends on what you read, call ``connection.execute("BEGIN IMMEDIATE")`` before reading. Fetch all
    rows before writing: with a cursor half read, SQLite refuses to write once another connection has written.

    A statement that waited in vain raises ``sqlite3.OperationalError`` ("database is locked"), with a note that names
    the file and what to do.

    :raises DatabaseError: it cannot be opened; the message names file, cause and remedy.
    """
    import sqlite3

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = Connection(file, timeout=timeout, isolation_level="IMMEDIATE", check_same_thread=False)
    except (OSError, ValueError, sqlite3.Error) as error:
        raise _failure(file, error) from None
    try:
        connection.row_factory = sqlite3.Row
        _use_wal(connection, time.monotonic() + timeout)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        connection.close()
        raise _failure(file, error) from None
    return connection


def _use_wal(connection: sqlite3.Connection, deadline: float) -> None:
    """Switch to WAL. Where several do so at once with a new file, SQLite waits for none of them, but refuses."""
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except connection.OperationalError as error:
            if _primary(error) != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            if mode != "wal":
                raise connection.NotSupportedError("its file system cannot share memory, which WAL needs")
            return


def _failure(file: Path, error: Exception) -> DatabaseError:
    cause = error.strerror if isinstance(error, OSError) else str(error)
    remedy = REMEDIES.get(_primary(error), _REMEDY)
    return DatabaseError(f"The database {file} cannot be opened: {cause}. {remedy}")


def _primary(error: Exception) -> str:
    """Return the name of the primary error: ``SQLITE_BUSY`` also for ``SQLITE_BUSY_RECOVERY``."""
    return "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
