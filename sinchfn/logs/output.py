"""Standard error and standard output, written so that a reader who has stopped reading holds up no call."""

from __future__ import annotations

import io
import os
import select
import socket
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..forks import Forkable, across_forks

#: Seconds that one line waits for a reader who was reading before. Once the reader has stopped, no line waits.
PATIENCE = 0.5

#: Bytes that a pipe takes at once if it takes any.
ATOMIC = getattr(select, "PIPE_BUF", 512)


class Output:
    """Writes lines to a pipe or socket. A line that does not fit in time is lost, and counted.

    A full pipe or socket blocks its writer. Its descriptor is shared with other processes, so it cannot simply be made
    non-blocking.
    """

    def __init__(self, descriptor: int, state: os.stat_result) -> None:
        self.identity = identity_of(state)
        self._descriptor = descriptor
        self._is_socket = stat.S_ISSOCK(state.st_mode)
        #: the same pipe, opened once more for this process alone; None where the system or its rights do not allow it
        self._pipe: int | None = None
        if not self._is_socket:
            with suppress(OSError):
                self._pipe = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._lock = threading.Lock()
        self._lost = 0
        #: the end of a line whose beginning is written
        self._rest = b""

    def write(self, line: bytes, notice: Callable[[int], bytes] | None = None) -> bool:
        """Write a line, with its end; return False if it is lost.

        :param notice: makes the line that says how many were lost before this one.
        :raises OSError: the other end is closed.
        """
        with self._lock:
            if self._lost and notice is not None and self._put(notice(self._lost)):
                self._lost = 0
            if (self._lost and notice is not None) or not self._put(line):
                self._lost += 1
                return False
            self._lost = 0
            return True

    def _put(self, line: bytes) -> bool:
        """Write a line, or nothing of it. What is left of one that was begun goes out before the next."""
        deadline = time.monotonic() + (0 if self._lost or self._rest else PATIENCE)
        data, before = self._rest + line, len(self._rest)
        while data:
            written = self._write_some(data)
            data, before = data[written:], before - written
            patience = deadline - time.monotonic()
            if not written and (patience <= 0 or not self._wait(patience)):
                break
        is_out = before < 0 or not data
        self._rest = data if is_out else data[:before]
        return is_out

    def _write_some(self, data: bytes) -> int:
        """Write as much as there is room for, without waiting for more."""
        try:
            if self._pipe is not None:
                return os.write(self._pipe, data)
            if self._is_socket:
                with socket.socket(fileno=os.dup(self._descriptor)) as peer:
                    return peer.send(data, socket.MSG_DONTWAIT)
            return os.write(self._descriptor, data[:ATOMIC]) if self._wait(0) else 0
        except BlockingIOError:
            return 0

    def _wait(self, seconds: float) -> bool:
        """Wait until there is room, or the other end is closed; return False if that takes longer."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # at exit the module may be gone before
        if self._pipe is not None:
            close(self._pipe)


class Outputs(Forkable):
    """The output of each descriptor. All writers share it, so that they write whole lines one after the other."""

    def __init__(self) -> None:
        self._found: dict[int, Output] = {}
        across_forks(self)

    def of(self, stream: Any) -> Output | None:
        """Return the output that `stream` writes to, or None if it cannot block: a file, or a stream of Python's own.

        (A terminal blocks when its user stops it, and that is meant.)
        """
        if type(stream) is not io.TextIOWrapper or not hasattr(select, "poll"):
            return None
        try:
            descriptor = stream.fileno()
            state = os.fstat(descriptor)
        except (OSError, ValueError):  # it is closed
            return None
        if not (stat.S_ISFIFO(state.st_mode) or stat.S_ISSOCK(state.st_mode)):
            return None
        known = self._found.get(descriptor)
        if known is None or known.identity != identity_of(state):  # another by now, as in tests
            known = self._found[descriptor] = Output(descriptor, state)
        return known

    def after_fork_in_child(self) -> None:
        self._found = {}


#: Of the module, because a descriptor belongs to the process.
OUTPUTS = Outputs()


def identity_of(state: os.stat_result) -> tuple[int, int]:
    """Return device and inode, which tell whether two paths or descriptors are one file."""
    return state.st_dev, state.st_ino
