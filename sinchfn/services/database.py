"""Database: connections to the function's SQLite file."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DatabaseError

if TYPE_CHECKING:
    import sqlite3

#: What every connection is set to. What was committed survives a crash of the process; a crash of the machine may take
#: the last commits, and never damages the file.
PRAGMAS = ("synchronous = NORMAL", "foreign_keys = ON")

#: What SQLite says -> what to do about it.
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
    """A connection to `file`, which is made if it is not there (mode 0600), and so is its folder.

    WAL: readers and a writer do not wait for each other, writers wait their turn for up to `timeout` seconds. Foreign
    keys are enforced, rows can be read by name (``sqlite3.Row``). Several threads may use it: they take turns.

    The first statement that begins with ``INSERT``, ``UPDATE``, ``DELETE`` or ``REPLACE`` begins a transaction, and
    waits until no other connection writes. ``connection.commit()`` ends it, or ``with connection:``, which rolls back
    if its block raises; what is not committed is lost when the connection is closed. Every other statement, such as
    ``CREATE``, is a transaction of its own, unless one was begun.

    Where what is written depends on what was read, say ``connection.execute("BEGIN IMMEDIATE")`` before reading. Fetch
    all rows before writing: with a cursor half read, SQLite refuses to write once somebody else has written.

    A statement that waited in vain raises ``sqlite3.OperationalError`` ("database is locked"), with a note that names
    the file and what to do.

    :raises DatabaseError: it cannot be opened; the message names file, cause and remedy.
    """
    import sqlite3

    from .connection import Connection

    try:
        _make_private(file)
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


def _make_private(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


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
    """The name of the error without what follows in the extended ones: ``SQLITE_BUSY`` also for a recovery."""
    return "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
