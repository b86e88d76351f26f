"""Sockets in memory: a handler gets one end, and its test the other."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionClosed
from ..websockets.event_loop import EventLoop, Timer
from ..websockets.frames import LOST
from ..websockets.websocket import HandledSocket, OnMessage, as_message

if TYPE_CHECKING:
    from ..function.context import FunctionContext

#: Seconds after which an end that only sends finds that its peer has closed; as for a real socket.
UNSEEN = 0.5

#: Seconds to wait until an end that is run by callbacks or ``open_socket`` finds that its peer has closed.
CLOSE_PATIENCE = 5.0


def memory_sockets(*, context: Any = None, call_id: str | None = None) -> tuple[MemorySocket, MemorySocket]:
    """Return the two ends of a socket: one for the handler, one for the test::

        ws, peer = memory_sockets()
        peer.send("hello")
        peer.close()
        echo(ws, None)
        assert list(peer) == ["hello"]

    One thread is enough. :class:`MemorySocket` describes what an end does after the other is closed.

    :param context: value of ``ws.context``: a real context (``open_socket`` supplies one) or any stand-in.
    :param call_id: value of ``ws.call_id``.
    """
    return joined_ends(context, call_id)


def joined_ends(context: Any, call_id: str | None, *, is_run: bool = False) -> tuple[MemorySocket, MemorySocket]:
    """Return the two ends of a socket.

    :param is_run: True if a ``SocketRun`` calls the handler of the first end, on a thread of its own.
    """
    link = Link()
    ws, peer = MemorySocket(link, context, is_run=is_run), MemorySocket(link)
    ws._peer, peer._peer = peer, ws
    ws.call_id = peer.call_id = call_id
    return ws, peer


class Link(EventLoop):
    """The state that two ends share, and the event loop that runs their callbacks."""

    def __init__(self) -> None:
        super().__init__("sinchfn-memory-socket")
        #: held to change either end, and notified of each change
        self.changed = threading.Condition()
        #: code and reason of the first close; None while both ends are open
        self.closed: tuple[int, str] | None = None
        self.closed_at = 0.0
        #: number of tasks, and of timers that are running
        self._pending = 0

    def do(self, task: Callable[[], None]) -> None:
        """Call `task` after the tasks before it."""
        with self.changed:
            self._pending += 1
            super().call_later(0, partial(self._finish, task))

    def call_later(self, seconds: float, function: Callable[[], Any]) -> Timer:
        return super().call_later(seconds, partial(self._run_timer, function))

    def _run_timer(self, function: Callable[[], Any]) -> None:
        with self.changed:
            self._pending += 1
        self._finish(function)

    def _finish(self, task: Callable[[], Any]) -> None:
        try:
            task()
        finally:
            with self.changed:
                self._pending -= 1
                self.changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait until no task is left, and until the thread has ended unless it waits for a timer or a message.

        Return False if this takes longer than `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with self.changed:
            is_done = self.changed.wait_for(lambda: not self._pending, timeout)
        if is_done:
            self.join(max(0.0, deadline - time.monotonic()))
        return is_done


class MemorySocket(HandledSocket):
    """One end of a socket in memory; made by :func:`memory_sockets`. What one end sends, the other receives.

    It keeps the promises of :class:`~sinchfn.WebSocket`. Where those leave the timing open, it does the following:

    - An end finds that its peer has closed when it asks for a message and none is left. An end with callbacks finds it
      after the last message, and an end that only sends after half a second. Until then it is open, and what it sends
      still arrives.
    - An end that has closed can still read what the other sent before it found the close. If the other end is run by
      callbacks or by :func:`open_socket`, it is waited for.
    - The callbacks of both ends run on one thread. An end cannot know when the function that uses it has returned, so
      messages go to ``on_message`` as soon as the *other* end is used. The thread exists while there is an open end
      with ``on_message``, or a timer.
    """

    def __init__(self, link: Link, context: Any = None, *, is_run: bool = False) -> None:
        super().__init__(link)
        self._link = link
        self._changed = link.changed
        self._context = context
        self._is_run = is_run
        self._peer = self
        self._inbox: deque[str | bytes] = deque()
        self._received_at = 0.0
        self._closed_at = 0.0
        self._is_in_loop = False
        self._on_end: Callable[[], None] | None = None
        self._is_loss_reported = False

    @property
    def context(self) -> FunctionContext:
        if self._context is None:
            raise RuntimeError("This socket has no context. Pass one: memory_sockets(context=...).")
        context: FunctionContext = self._context
        return context

    # --- messages ---------------------------------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        self._begin_receive()
        self._peer._begin()
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            with self._changed:
                return self._next(deadline)
        except ConnectionClosed:
            self._report_loss()
            raise

    def _next(self, deadline: float | None) -> str | bytes | None:
        """Return the next message; None at the deadline. The caller must hold the lock."""
        while not self._inbox:
            patience = self._patience()
            if patience == 0:
                raise self._closed()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._changed.wait(min((seconds for seconds in (patience, left) if seconds is not None), default=None))
        self._received_at = time.monotonic()
        return self._inbox.popleft()

    def _patience(self) -> float | None:
        """Return the seconds for which a message can still come to an empty inbox; None if the socket is open."""
        if self.close_code is None:
            self._see_close()
            return None if self.close_code is None else 0.0
        if self._peer.close_code is not None or not (self._peer._is_run or self._peer._is_in_loop):
            return 0.0
        return max(0.0, self._closed_at + CLOSE_PATIENCE - time.monotonic())

    def send(self, data: str | bytes | bytearray | memoryview) -> None:
        message = as_message(data)
        size = len(message) if isinstance(message, bytes) else len(message.encode())
        self._peer._begin()
        try:
            with self._changed:
                self._refuse_closed()
                self.statistics.frames_out += 1
                self.statistics.bytes_out += size
                self._peer._take(message, size)
        except ConnectionClosed:
            self._report_loss()
            raise

    def _refuse_closed(self) -> None:
        is_read = not self._inbox and self._link.closed is not None
        if is_read and time.monotonic() > max(self._link.closed_at, self._received_at) + UNSEEN:
            self._see_close()
        if self.close_code is not None:
            raise self._closed()

    def _take(self, message: str | bytes, size: int) -> None:
        self.statistics.frames_in += 1
        self.statistics.bytes_in += size
        self._inbox.append(message)
        if self._is_in_loop:
            self._link.do(self._call_next)
        self._changed.notify_all()

    # --- callbacks --------------------------------------------------------------------------------------------------

    def on_message(self, function: OnMessage) -> OnMessage:
        self.bind()
        return super().on_message(function)

    def _begin(self) -> None:
        """Start the callbacks of this end: the other one is used, so the function that registered them has returned."""
        if self._on_message is not None and not self._is_run:
            with self._changed:
                if self.close_code is None and not self._is_in_loop:
                    self._start_callbacks()

    def _start_callbacks(self) -> None:
        self._is_in_loop = True
        timer = self._link.call_later(inf, _never)  # keeps the thread until this end is closed, or collected
        self._timers.add(timer)
        weakref.finalize(self, timer.cancel)
        for _ in self._inbox:
            self._link.do(self._call_next)
        if self._link.closed is not None:
            self._link.do(self._see_close_last)

    def _call_next(self) -> None:
        with self._changed:
            if self.close_code is not None or not self._inbox:
                return
            message = self._inbox.popleft()
        self._enter(self._hand_over, message)

    def _see_close_last(self) -> None:
        with self._changed:
            self._see_close()
        self._report_loss()

    def settle(self, timeout: float = 5.0) -> None:
        """Wait until the callbacks of both ends have handled all messages, and a close. Timers are not waited for.

        :raises AssertionError: they did not within `timeout` seconds. The message says where they are.
        """
        if self._loop.is_current:
            raise RuntimeError("socket.settle() waits for the callbacks, and cannot be called in one.")
        for end in (self, self._peer):
            end._begin()
            with self._changed:
                if not (end._inbox or end._is_in_loop or end._is_run):
                    end._see_close()
        if not self._link.wait(timeout):
            stack = self._loop.stack
            raise AssertionError(f"The callbacks were not done within {timeout:g} s. They are here:\n{stack}")

    # --- closing ----------------------------------------------------------------------------------------------------

    def drop(self, reason: str = "the peer is gone") -> None:
        """Disappear without a close frame, like a peer whose network fails. The other end gets 1006."""
        self._send_close(LOST, reason)

    def _send_close(self, code: int, reason: str) -> None:
        self._peer._begin()
        with self._changed:
            if self.close_code is not None:
                return
            if self._link.closed is None:
                self._link.closed, self._link.closed_at = (code, reason), time.monotonic()
                if self._peer._is_in_loop:
                    self._link.do(self._peer._see_close_last)
            self._see_close()

    def _see_close(self) -> None:
        """Close this end if either end has closed the socket. The caller must hold the lock."""
        if self.close_code is None and self._link.closed is not None:
            self.close_code, self.close_reason = self._link.closed
            self._closed_at = time.monotonic()
            self._cancel_timers()
            self._end()
            self._changed.notify_all()

    def _end(self) -> None:
        if self._on_end is not None:
            self._link.do(self._on_end)
        elif (self._on_close is not None or self._at_end is not None) and not self._is_run:
            self._link.do(self.call_on_close)

    def _report_loss(self) -> None:
        if self.close_code == LOST and not self._is_loss_reported:
            self._is_loss_reported = True
            self._call_on_error(self._closed())

    # --- for a run, which takes a socket from its handler to its usage record ---------------------------------------

    def hand_to_loop(self, on_end: Callable[[], None]) -> None:
        with self._changed:
            self._on_end = on_end
            if self.close_code is None:
                self._start_callbacks()
            else:
                self._end()


def _never() -> None:
    """Do nothing: the function of a timer that is never due."""
