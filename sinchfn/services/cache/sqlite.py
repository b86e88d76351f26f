"""The cache in a SQLite file: shared by all processes of a machine, and still there after a restart."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from . import sqlite_rows as rows
from .cache import Backend, UncountableError
from .sqlite_connections import Connections

#: Seconds that a call waits for a locked file.
PATIENCE = 5.0

#: A call that finds the file locked waits a random time before it tries again: at most the first number of seconds, and
#: at most the second once it has waited for LONG. SQLite's own waiting soon grows to 100 ms.
PAUSES, LONG = (0.0005, 0.01), 0.25

#: The most where not even a connection can be opened: another process reads the log that a killed process has left.
OPENING_PAUSE = 0.02

#: After how many writes of a process it looks for rows that have expired, at four times as many: so there are never
#: many more of them than a third of the others.
SWEPT_EVERY = 16

#: After how many it copies the log into the file.
COPIED_EVERY = 1000

#: SQLite's error -> the remedy. Its primary result codes: https://www.sqlite.org/rescode.html
REMEDIES = {
    sqlite3.SQLITE_BUSY: "Another program holds its lock, or has been stopped while it did: end that one.",
    sqlite3.SQLITE_FULL: "Make room on its disk, or name a file elsewhere in SINCHFN_CACHE_URL.",
    sqlite3.SQLITE_IOERR: "Look at its disk: it may be full, over quota, gone or broken.",
    sqlite3.SQLITE_READONLY: "Let this user write the file and its folder, or name another in SINCHFN_CACHE_URL.",
    sqlite3.SQLITE_CANTOPEN: "Let this user write the file and its folder, or name another in SINCHFN_CACHE_URL.",
    sqlite3.SQLITE_PERM: "Let this user write the file and its folder, or name another in SINCHFN_CACHE_URL.",
    sqlite3.SQLITE_NOTADB: "Move it away, with its -wal and -shm; a new one is made by itself.",
    sqlite3.SQLITE_CORRUPT: "Move it away, with its -wal and -shm; a new one is made by itself.",
}

#: SQLite's errors for a file, or a log, that was removed while it was being opened. Nothing was written then.
REMOVED = (sqlite3.SQLITE_READONLY_DBMOVED, sqlite3.SQLITE_IOERR_FSTAT, sqlite3.SQLITE_IOERR_DELETE_NOENT)

P = ParamSpec("P")
Result = TypeVar("Result")
Work = Callable[Concatenate[sqlite3.Connection, int, P], Result]


def open_backend(url: str, folder: Path) -> Backend:
    """Return the cache in the file of this URL."""
    return SqliteBackend((folder / url.partition(":")[2]).absolute())


class SqliteBackend(Backend):
    """Rows of a table, each call a transaction of its own.

    A call that meets another one at work tries again for `patience` seconds, reading the time for each try.
    """

    errors = (sqlite3.Error, OSError)

    def __init__(self, file: Path, patience: float = PATIENCE) -> None:
        self.place = f"sqlite:{file}"
        self._patience = patience
        self._connections = Connections(file, rows.SCHEMA)
        self._writes = 0
        self._sweep_at = 1
        self._copy_at = COPIED_EVERY
        #: the last row that was looked at; None before the first
        self._hand: int | None = None

    def get(self, name: str) -> str | None:
        return self._do(0.0, rows.get, name)

    def get_many(self, names: Sequence[str]) -> list[str | None]:
        return self._do(0.0, rows.get_many, names)

    def has(self, name: str) -> bool:
        return self._do(0.0, rows.has, name)

    def set(self, name: str, text: str, milliseconds: int) -> None:
        self._write(rows.set_value, name, text, milliseconds * 1000)

    def delete(self, name: str) -> bool:
        return self._write(rows.delete, name)

    def extend(self, name: str, milliseconds: int) -> bool:
        return self._write(rows.extend, name, milliseconds * 1000)

    def increment(self, name: str, by: int, milliseconds: int) -> int:
        return self._write(rows.increment, name, by, milliseconds * 1000)

    def names(self, prefix: str) -> Iterable[str]:
        return self._do(0.0, rows.names_with, prefix)

    def close(self) -> None:
        self._connections.close()

    def explain(self, error: Exception) -> str:
        if _is_busy(error):
            return f"{error} for more than {self._patience:g} s. {REMEDIES[sqlite3.SQLITE_BUSY]}"
        if isinstance(error, OSError):
            return f"{error.strerror or error}: {error.filename}. {REMEDIES[sqlite3.SQLITE_CANTOPEN]}"
        remedy = REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")
        return f"{error}. {remedy}".rstrip()

    def _do(self, begin: float, work: Work[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Call `work` with a connection of its own and the time, and return its result.

        :param begin: when the caller began to wait; 0 if it did not.
        """
        while True:
            connection = None
            try:
                connection = self._connections.take()
                done = work(connection, time.time_ns() // 1000, *args, **kwargs)
            except BaseException as error:
                is_busy = _is_busy(error)
                if connection is not None:
                    works = is_busy or isinstance(error, UncountableError)
                    self._connections.give_back(connection, works=works and not connection.in_transaction)
                begin = begin or time.monotonic()
                if not (is_busy or _is_removed(error)) or time.monotonic() - begin > self._patience:
                    raise
            else:
                self._connections.give_back(connection)
                return done
            is_long = time.monotonic() - begin > LONG
            longest = OPENING_PAUSE if connection is None else PAUSES[is_long]
            time.sleep(random.random() * longest)  # noqa: S311

    def _write(self, work: Work[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Like :meth:`_do`, for writes. One thread of a process at a time, so that fewer compete for SQLite's lock."""
        begin, turn = time.monotonic(), self._connections.turn
        if not turn.acquire(timeout=self._patience):
            raise _OutOfTurnError("database is locked")
        try:
            done = self._do(begin, work, *args, **kwargs)
            self._writes += 1
            is_due = self._writes >= self._sweep_at
            if is_due:
                self._sweep_at = self._writes + SWEPT_EVERY
        finally:
            turn.release()
        if is_due:
            # The write itself is done: if this fails, or another process writes just now, the next write sweeps.
            with suppress(*self.errors):
                self._sweep()
        return done

    def _sweep(self) -> None:
        """Free some of the rows that have expired, and some of the space. Seldom: copy the log into the file."""
        connection = self._connections.take()
        try:
            if self._hand is None:  # at random, so that short-lived processes do not only see the first rows
                self._hand = rows.anywhere(connection)
            self._hand, many = rows.sweep(connection, time.time_ns() // 1000, self._hand)
            if self._writes >= self._copy_at:
                self._copy_at = self._writes + COPIED_EVERY
                rows.copy_log(connection)
            if many or rows.shrink(connection):
                self._sweep_at = self._writes + 1
        except BaseException as error:
            self._connections.give_back(connection, works=_is_busy(error))
            raise
        self._connections.give_back(connection)


class _OutOfTurnError(sqlite3.OperationalError):
    """Other threads of this process held the turn to write for too long."""

    sqlite_errorcode = sqlite3.SQLITE_BUSY


def _is_busy(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL) or isinstance(error, BlockingIOError)


def _is_removed(error: BaseException) -> bool:
    # The table goes with a log that was removed before it was copied into the file: the next connection makes it anew.
    return getattr(error, "sqlite_errorcode", None) in REMOVED or "no such table" in str(error)
