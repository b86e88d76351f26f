"""Standard error and standard output, written so that a reader who has stopped reading holds up no call."""

from __future__ import annotations

import os
import select
import socket
import stat
import time
from typing import Any

#: Seconds that one line waits for a reader who was reading before. While nobody reads, no line waits.
PATIENCE = 0.5

#: Bytes that a pipe takes at once if it takes any.
ATOMIC = getattr(select, "PIPE_BUF", 512)


class Output:
    """Writes lines to a stream. A line that nobody makes room for is lost, and counted.

    Pipes and sockets block whoever writes when they are full. (Files do not, and a terminal does when its user wants.)
    Their descriptors are shared with other processes, so they cannot simply be made non-blocking.
    """

    def __init__(self) -> None:
        #: lines that were lost since one was last written
        self.lost = 0
        #: the end of a line of which the beginning is out
        self._rest = b""
        self._stream: Any = None
        self._identity: tuple[int, int] | None = None
        self._pipe: int | None = None

    def write(self, stream: Any, line: str) -> bool:
        """Write a line, with its end; return False if it is lost.

        :raises OSError: nobody can read it any more: the other end is closed.
        """
        found = _descriptor(stream)
        if found is None:
            stream.write(line)
            return True
        descriptor, state = found
        self._begin(descriptor, state)
        data = self._rest + line.encode(getattr(stream, "encoding", None) or "utf-8", "backslashreplace")
        deadline = time.monotonic() + (0 if self.lost else PATIENCE)
        begun = len(self._rest)
        while data:
            written = self._write_some(descriptor, state, data)
            data, begun = data[written:], begun - written
            if not written and (time.monotonic() >= deadline or not _wait(descriptor, deadline - time.monotonic())):
                break
        if begun >= 0 and data:  # nothing of this line is out
            self._rest = data[:begun]
            self.lost += 1
            return False
        self._rest = data  # goes out before the next line
        return True

    def _begin(self, descriptor: int, state: os.stat_result) -> None:
        """Forget what was begun when the descriptor leads somewhere else by now."""
        if self._identity != (state.st_dev, state.st_ino):
            self.close()
            self._identity = state.st_dev, state.st_ino
            if stat.S_ISFIFO(state.st_mode):
                self._pipe = _reopened(descriptor)

    def _write_some(self, descriptor: int, state: os.stat_result, data: bytes) -> int:
        """Write as much as there is room for, without waiting for more."""
        try:
            if self._pipe is not None:
                return os.write(self._pipe, data)
            if stat.S_ISSOCK(state.st_mode):
                with socket.socket(fileno=os.dup(descriptor)) as peer:
                    return peer.send(data, socket.MSG_DONTWAIT)
            return os.write(descriptor, data[:ATOMIC]) if _wait(descriptor, 0) else 0
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Give back what is open, and forget what is left of a line."""
        if self._pipe is not None:
            os.close(self._pipe)
        self._pipe, self._identity, self._rest = None, None, b""

    def __del__(self) -> None:
        self.close()


def _descriptor(stream: Any) -> tuple[int, os.stat_result] | None:
    """The descriptor of a stream that may block, with its state; None for any other."""
    try:
        descriptor = stream.fileno()
        state = os.fstat(descriptor)
    except (AttributeError, OSError, ValueError):  # a stream of Python's own, or a closed one
        return None
    may_block = stat.S_ISFIFO(state.st_mode) or stat.S_ISSOCK(state.st_mode)
    return (descriptor, state) if may_block and hasattr(select, "poll") else None


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
