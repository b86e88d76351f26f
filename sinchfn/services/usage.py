"""Usage: one record for every request that reached an export, and the ledger it is written to."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from json.encoder import encode_basestring_ascii as _quote
from pathlib import Path

from ..forks import Forkable, across_forks
from ..logs.output import OUTPUTS, identity_of
from ..logs.records import Clean

_log = logging.getLogger("sinchfn.usage")


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """One request that reached an export, for billing."""

    #: when it came, ISO 8601 in UTC
    time: str
    request_id: str
    function: str
    handler: str
    #: ``voice``, ``webhook``, ``http`` or ``websocket``
    kind: str
    method: str
    #: without the query
    path: str
    #: HTTP status of the answer
    status: int
    #: ``ok``, ``refused`` (the platform hooks said no), ``error`` (the handler failed) or ``gone`` (the client left
    #: before a streamed answer was through, or went from a socket without closing it)
    outcome: str
    #: from the first look at the request to the end of the answer, or of the socket, in milliseconds
    duration_ms: float
    request_bytes: int
    response_bytes: int
    call_id: str | None = None
    #: of a socket: ``frames_in frames_out bytes_in bytes_out gaps late close_code``; see :class:`SocketStatistics`
    stream: Mapping[str, int] | None = None

    def to_json(self) -> str:
        """Return one line of JSON, keys in the order of the fields."""
        line = _LINE % (
            *map(_quote, (self.time, self.request_id, self.function, self.handler, self.kind, self.method, self.path)),
            self.status,
            _quote(self.outcome),
            self.duration_ms,
            self.request_bytes,
            self.response_bytes,
            "null" if self.call_id is None else _quote(self.call_id),
        )
        return line if self.stream is None else f'{line[:-1]},"stream":{json.dumps(self.stream)}}}'


# Written field by field: this runs in every request, and a JSON encoder takes four times as long.
_LINE = "{" + ",".join(f'"{field.name}":%s' for field in fields(UsageRecord) if field.name != "stream") + "}"


@dataclass(slots=True)
class SocketStatistics:
    """The number of messages that a socket received and sent, and of the bytes in them. Framing is not counted.

    For a :class:`~sinchfn.MediaStream` only audio counts: neither the connect message nor commands do.
    """

    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    #: for a :class:`~sinchfn.MediaStream`: pauses in the incoming audio that were longer than three frames
    gaps: int = 0
    #: for a :class:`~sinchfn.MediaStream`: frames that were sent more than one frame's length late
    late: int = 0


class Ledger(Forkable):
    """Appends records to a file, as JSON lines. Safe for several threads and processes at once.

    A record is one ``write`` to a file opened for appending, so the lines of several processes never mix. What cannot
    be written is logged with the record itself, so that nothing is lost, and never fails the call. Why it cannot be
    written is said once, and again when the reason changes.
    """

    def __init__(self, path: Path, *, is_asked_for: bool = True) -> None:
        """
        :param is_asked_for: the setting names it, so that it is kept in tests too.
        """
        self.path = path
        self.is_asked_for = is_asked_for
        self._lock = threading.Lock()
        self._file: int | None = None
        #: device and inode of that file
        self._identity: tuple[int, int] | None = None
        self._torn = False
        self._failure: str | None = None
        across_forks(self)

    def after_fork_in_child(self) -> None:
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Append one record, written as JSON."""
        try:
            with self._lock:
                self._append(line.encode() + b"\n")
        except OSError as error:
            failure = error.strerror or type(error).__name__
            if failure != self._failure:
                self._failure = failure
                _log.error("%s", self._explained(failure))
            # As a warning where one is shown: a log of errors alone gets the records too.
            level = logging.WARNING if _log.isEnabledFor(logging.WARNING) else logging.ERROR
            _log.log(level, "Usage record: %s", Clean(line))
        else:
            if self._failure is not None:
                self._failure = None
                _log.info("The usage ledger %s is written again.", self.name)

    @property
    def name(self) -> str:
        """The name of the ledger in messages."""
        return str(self.path)

    def problem(self) -> str | None:
        """Return a sentence for the start-up log if the ledger cannot be written: why, and what to do."""
        try:
            fault = self._fault()
        except OSError as error:  # a name too long
            fault = error.errno
        return None if fault is None else self._explained(os.strerror(fault))

    def _fault(self) -> int | None:
        """Return the error number with which writing would most likely fail, or None."""
        there = next(path for path in (self.path, *self.path.absolute().parents) if path.exists())
        if there == self.path and there.is_dir():
            return errno.EISDIR
        if there != self.path and not there.is_dir():
            return errno.ENOTDIR
        if os.access(there, os.W_OK):
            return None
        return errno.EROFS if os.statvfs(there).f_flag & os.ST_RDONLY else errno.EACCES

    def _explained(self, failure: str) -> str:
        return (
            f"The usage ledger {self.name} cannot be written: {failure}. Its records are in the log instead. "
            "Point SINCHFN_USAGE elsewhere, or set it to off."
        )

    def _append(self, line: bytes) -> None:
        file = self._open()
        data = b"\n" + line if self._torn else line
        written = os.write(file, data)
        # On a full disk half a line may be out: the next record starts a line of its own.
        self._torn = written != len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes fitted")

    def _open(self) -> int:
        if self._file is not None and self._was_moved():  # by logrotate, say
            self._close()
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            self._identity = identity_of(os.fstat(self._file))
        return self._file

    def _was_moved(self) -> bool:
        try:
            return identity_of(self.path.stat()) != self._identity
        except FileNotFoundError:
            return True

    def __del__(self) -> None:
        # A process may make many apps, one after the other: a test suite does.
        self._close()

    def _close(self, close: Callable[[int], None] = os.close) -> None:  # at exit the module may be gone before
        if self._file is not None:
            close(self._file)
            self._file = None


class OutputLedger(Ledger):
    """Writes records to standard output, as JSON lines, where the host of a container collects them."""

    def __init__(self) -> None:
        super().__init__(Path("-"))

    @property
    def name(self) -> str:
        return "on standard output"

    def problem(self) -> str | None:
        """Return None, because only a write shows whether it can be written."""
        return None

    def _append(self, line: bytes) -> None:
        try:
            output = OUTPUTS.of(sys.stdout)
            if output is None:
                sys.stdout.write(line.decode("ascii"))
                sys.stdout.flush()
            elif not output.write(line):
                raise OSError(errno.EAGAIN, "the other end does not read it")
        except (ValueError, AttributeError):  # it is closed, or there is none
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
