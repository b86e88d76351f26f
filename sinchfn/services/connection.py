"""Connection: one to the function's SQLite file. Threads take turns at it, and an error of a locked file says more."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

#: What SQLite says -> the note, of the file and of the seconds that are waited.
NOTES = {
    "SQLITE_BUSY": (
        "{file}: another connection holds a transaction; it was waited for up to {timeout:g} s. "
        "Let the other commit sooner: between its first write and its commit nothing should take long."
    ),
    "SQLITE_BUSY_SNAPSHOT": (
        "{file}: another connection has written since this one began to read. "
        'Say connection.execute("BEGIN IMMEDIATE") before reading, or fetch all rows before writing.'
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
        """Undo what was not committed. A statement that another thread is just running is broken off."""
        with self._breaking_in():
            super().rollback()

    def __exit__(self, *error: Any) -> Any:
        return self.in_turn(super().__exit__, *error)

    def close(self) -> None:
        """Close it. A statement that another thread is just running is broken off."""
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
        """What `work` returns, while no other thread is at work with this connection."""
        with self._turn:
            try:
                return work(*args)
            except sqlite3.OperationalError as error:
                note = NOTES.get(getattr(error, "sqlite_errorname", ""))
                if note is not None:
                    error.add_note(note.format(**self._known))
                raise


class Cursor(sqlite3.Cursor):
    """A cursor of such a connection."""

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
