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
from typing import Any

from ...forks import Forkable, across_forks

#: Seconds that one line waits for a reader who was reading before. While nobody reads, no line waits.
PATIENCE = 0.5

#: Bytes that a pipe takes at once if it takes any.
ATOMIC = getattr(select, "PIPE_BUF", 512)


class Output:
    """Writes lines to a pipe or socket. A line that nobody makes room for is lost, and counted.

    Pipes and sockets block whoever writes when they are full. Their descriptors are shared with other processes, so
    they cannot simply be made non-blocking.
    """

    def __init__(self, descriptor: int, state: os.stat_result) -> None:
        self.identity = _identity_of(state)
        self._descriptor = descriptor
        self._is_socket = stat.S_ISSOCK(state.st_mode)
        self._pipe = None if self._is_socket else _reopened(descriptor)
        self._lock = threading.Lock()
        self._lost = 0
        #: the end of a line of which the beginning is out
        self._rest = b""

    def write(self, line: bytes, notice: Callable[[int], bytes] | None = None) -> bool:
        """Write a line, with its end; return False if it is lost.

        :param notice: makes the line that says how many were lost before this one.
        :raises OSError: nobody can read it any more: the other end is closed.
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
            if not written and (patience <= 0 or not _wait(self._descriptor, patience)):
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
            return os.write(self._descriptor, data[:ATOMIC]) if _wait(self._descriptor, 0) else 0
        except BlockingIOError:
            return 0

    def __del__(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)


class Outputs(Forkable):
    """The output of each descriptor: all who write to it have to write whole lines one after the other."""

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
        if known is None or known.identity != _identity_of(state):  # another by now, as in tests
            known = self._found[descriptor] = Output(descriptor, state)
        return known

    def after_fork_in_child(self) -> None:
        self._found = {}


#: Of the module, because a descriptor belongs to the process.
OUTPUTS = Outputs()


def _identity_of(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def _reopened(descriptor: int) -> int | None:
    """The same pipe, opened once more for this process alone; None where the system or its rights do not allow it."""
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


def _wait(descriptor: int, seconds: float) -> bool:
    """Wait until a descriptor takes bytes, or is closed at its other end; return False if that takes longer."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(max(0.0, seconds) * 1000))
