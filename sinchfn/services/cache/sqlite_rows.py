"""The rows of the cache in SQLite: one function for each operation, on one connection at one moment.

Moments are microseconds since 1970. An expired row counts as absent and is deleted later.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence

from .cache import added

#: How many rows a sweep looks at, and how many free pages it gives back.
SWEPT_ROWS, FREED_PAGES = 64, 64

#: How many keys one statement asks for. A fixed number, so that there is one statement to prepare.
BATCH = 50

#: How long, in milliseconds, the copying of the log waits for the others to pause.
COPY_PATIENCE = 20

#: `value` stands last: what is before it can be read without it.
SCHEMA = """
CREATE TABLE IF NOT EXISTS sinchfn_cache (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, expires INTEGER NOT NULL, value TEXT NOT NULL
)
"""
_GET = "SELECT value FROM sinchfn_cache WHERE key = ? AND expires > ?"
_GET_MANY = f"SELECT key, value FROM sinchfn_cache WHERE key IN ({','.join('?' * BATCH)}) AND expires > ?"  # noqa: S608
_HAS = "SELECT 1 FROM sinchfn_cache WHERE key = ? AND expires > ?"
_LIST = "SELECT key FROM sinchfn_cache WHERE key >= ? AND expires > ? ORDER BY key"
_SET = (
    "INSERT INTO sinchfn_cache (key, expires, value) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET expires = excluded.expires, value = excluded.value"
)
_CHANGE = "UPDATE sinchfn_cache SET value = ? WHERE key = ?"
_EXTEND = "UPDATE sinchfn_cache SET expires = ? WHERE key = ? AND expires > ?"
_DELETE = "DELETE FROM sinchfn_cache WHERE key = ? AND expires > ?"
_LAST = "SELECT max(id) FROM sinchfn_cache"
_LOOK = "SELECT id, expires FROM sinchfn_cache WHERE id > ? ORDER BY id LIMIT ?"
_SWEEP = "DELETE FROM sinchfn_cache WHERE id BETWEEN ? AND ? AND expires <= ?"


def get(connection: sqlite3.Connection, now: int, name: str) -> str | None:
    row = connection.execute(_GET, (name, now)).fetchone()
    return None if row is None else row[0]


def get_many(connection: sqlite3.Connection, now: int, names: Sequence[str]) -> list[str | None]:
    found: dict[str, str] = {}
    if len(names) > BATCH:
        connection.execute("BEGIN")  # so that all batches are of one moment
    try:
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            padding = [None] * (BATCH - len(batch))
            found.update(connection.execute(_GET_MANY, (*batch, *padding, now)).fetchall())
    finally:
        if len(names) > BATCH:
            connection.execute("ROLLBACK")
    return [found.get(name) for name in names]


def has(connection: sqlite3.Connection, now: int, name: str) -> bool:
    return connection.execute(_HAS, (name, now)).fetchone() is not None


def set_value(connection: sqlite3.Connection, now: int, name: str, text: str, lasting: int) -> None:
    connection.execute(_SET, (name, now + lasting, text))


def delete(connection: sqlite3.Connection, now: int, name: str) -> bool:
    return connection.execute(_DELETE, (name, now)).rowcount > 0


def extend(connection: sqlite3.Connection, now: int, name: str, lasting: int) -> bool:
    return connection.execute(_EXTEND, (now + lasting, name, now)).rowcount > 0


def increment(connection: sqlite3.Connection, now: int, name: str, by: int, lasting: int) -> int:
    """
    :raises UncountableError: see :func:`.cache.added`.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        text = get(connection, now, name)
        total = by if text is None else added(text, by)
        if text is None:
            set_value(connection, now, name, str(total), lasting)
        else:
            connection.execute(_CHANGE, (str(total), name))
        connection.execute("COMMIT")
        return total
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def names_with(connection: sqlite3.Connection, now: int, prefix: str) -> list[str]:
    """Return all names that begin with `prefix`."""
    rows = connection.execute(_LIST, (prefix, now))
    try:
        names = []
        for (name,) in rows:
            if not name.startswith(prefix):
                break
            names.append(name)
        return names
    finally:
        rows.close()


def anywhere(connection: sqlite3.Connection) -> int:
    """Return a random number up to the highest id."""
    (last,) = connection.execute(_LAST).fetchone()
    return random.randint(0, last or 0)  # noqa: S311


def sweep(connection: sqlite3.Connection, now: int, after: int) -> tuple[int, bool]:
    """Delete those that have expired among the next rows.

    :param after: the id of the row before them.
    :return: the id of the last of them, 0 if they were the last of all; and whether many had expired.
    """
    rows = connection.execute(_LOOK, (after, SWEPT_ROWS)).fetchall()
    dead = [row for row, expires in rows if expires <= now]
    if dead:
        connection.execute(_SWEEP, (dead[0], dead[-1], now))
    return rows[-1][0] if len(rows) == SWEPT_ROWS else 0, len(dead) > SWEPT_ROWS // 4


def shrink(connection: sqlite3.Connection) -> bool:
    """Give back some of the free pages, if more than a third of all are free. Return True if there may be more."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free <= FREED_PAGES:
        return False
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if free * 3 <= pages:
        return False
    # As a script: execute() would take the first step only, and free one page.
    connection.executescript(f"PRAGMA incremental_vacuum({FREED_PAGES})")
    return True


def copy_log(connection: sqlite3.Connection) -> None:
    """Copy the log into the file, so that the log starts over.

    First while others write, which leaves a rest; then the rest, while they wait.
    """
    (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if is_busy:  # another process is at it
        return
    connection.execute(f"PRAGMA busy_timeout = {COPY_PATIENCE}")
    try:
        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    finally:
        connection.execute("PRAGMA busy_timeout = 0")
