"""Usage: one record for every request that reached an export, and the ledger it is written to."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from json.encoder import encode_basestring_ascii as _quote
from pathlib import Path

_log = logging.getLogger("sinchfn.usage")

#: How often, in seconds, an open ledger looks whether its file was moved away (by logrotate, say).
RECHECK = 1.0


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One request that reached an export, for billing."""

    #: when it came, ISO 8601 in UTC
    time: str
    request_id: str
    function: str
    handler: str
    #: ``voice``, ``webhook`` or ``http``
    kind: str
    method: str
    #: without the query
    path: str
    #: HTTP status of the answer
    status: int
    #: ``ok``, ``refused`` (the platform hooks said no), ``error`` (the handler failed) or ``gone`` (the client left
    #: before a streamed answer was through)
    outcome: str
    #: from the first look at the request to the end of the answer, in milliseconds
    duration_ms: float
    request_bytes: int
    response_bytes: int
    call_id: str | None = None

    def to_json(self) -> str:
        """One line of JSON, keys in the order of the fields."""
        return _LINE % (
            _quote(self.time),
            _quote(self.request_id),
            _quote(self.function),
            _quote(self.handler),
            _quote(self.kind),
            _quote(self.method),
            _quote(self.path),
            self.status,
            _quote(self.outcome),
            self.duration_ms,
            self.request_bytes,
            self.response_bytes,
            "null" if self.call_id is None else _quote(self.call_id),
        )


# Written field by field: this runs in every request, and a JSON encoder takes four times as long.
_LINE = "{" + ",".join(f'"{field.name}":%s' for field in fields(UsageRecord)) + "}"


class Ledger:
    """Appends records to a file, as JSON lines. Safe for several threads and processes at once.

    A record is one ``write`` to a file opened for appending, so the lines of several processes never mix. What cannot
    be written is logged with the record itself, so that nothing is lost, and never fails the call.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file: int | None = None
        self._checked = 0.0
        self._torn = False

    def write(self, line: str) -> None:
        """Append one record, written as JSON."""
        try:
            with self._lock:
                self._append(line.encode() + b"\n")
        except OSError as error:
            _log.error("Cannot write the usage ledger %s: %s. The record: %s", self.path, error.strerror, line)

    def problem(self) -> str | None:
        """Why it cannot be written, if so; for the start-up log."""
        with suppress(OSError):  # a name too long
            there = next(path for path in (self.path, *self.path.absolute().parents) if path.exists())
            if there.is_dir() != (there == self.path) and os.access(there, os.W_OK):
                return None
        return f"The usage ledger {self.path} cannot be written. Its records will be in the log instead."

    def _append(self, line: bytes) -> None:
        file = self._open()
        data = b"\n" + line if self._torn else line
        written = os.write(file, data)
        # On a full disk half a line may be out: the next record starts a line of its own.
        self._torn = written != len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes fitted")

    def _open(self) -> int:
        now = time.monotonic()
        if self._file is not None and now - self._checked > RECHECK and self._was_moved(self._file):
            self._close()
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            self._checked = now
        return self._file

    def _was_moved(self, file: int) -> bool:
        self._checked = time.monotonic()
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return True
        return (there.st_ino, there.st_dev) != (os.fstat(file).st_ino, os.fstat(file).st_dev)

    def __del__(self) -> None:
        # A process may make many apps, one after the other: a test suite does.
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
