"""Sockets in memory: a handler is tested with one end, by a test that has the other."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionClosed
from ..sockets import LOST, HandledSocket, Timer
from ..sockets.frames import NORMAL
from ..sockets.websocket import OnMessage, check_code
from .pair import Pair, Task
from .stacks import stack_of

if TYPE_CHECKING:
    from ..function_context import FunctionContext

#: Seconds after which an end that sends, and does not ask for messages, is told that its peer has closed. A real
#: socket is looked after as often.
UNSEEN = 0.5

#: Seconds that are waited for an end that somebody else runs, to see that its peer has closed.
CLOSE_PATIENCE = 5.0

_log = logging.getLogger("sinchfn")


def memory_sockets(*, context: Any = None, call_id: str | None = None) -> tuple[MemorySocket, MemorySocket]:
    """The two ends of a socket: one for the handler, one for the test::

        ws, peer = memory_sockets()
        peer.send("hello")
        peer.close()
        echo(ws, None)
        assert list(peer) == ["hello"]

    One thread is enough. See :class:`MemorySocket` for what the ends do once one of them is closed.

    :param context: what ``ws.context`` is: a real one (``open_socket`` has it by itself), or anything that will do.
    :param call_id: what ``ws.call_id`` is.
    """
    return joined_ends(context, call_id)


def joined_ends(context: Any, call_id: str | None, *, is_run: bool = False) -> tuple[MemorySocket, MemorySocket]:
    """
    :param is_run: whether a run of a socket calls the handler of the first end, on a thread of its own.
    """
    pair = Pair()
    ws, peer = MemorySocket(pair, context, is_run=is_run), MemorySocket(pair)
    ws._peer, peer._peer = peer, ws
    ws.call_id = peer.call_id = call_id
    return ws, peer


class MemorySocket(HandledSocket):
    """One end of a socket in memory; made by :func:`memory_sockets`. What one end sends, the other receives.

    It keeps what :class:`~sinchfn.WebSocket` promises. What is left open there, for messages take time, is here:

    - An end sees that its peer has closed when it asks for a message and none is left; if it has callbacks, after the
      last message; if it only sends, half a second later. Until then it is open, and what it sends still arrives.
    - An end that has closed can still read what the other has sent before it saw that. If the other end is run by
      somebody else, its callbacks or :func:`open_socket`, it is waited for.
    - The callbacks of both ends run on one thread of theirs. As nobody can tell when a plain function has returned,
      messages are given to ``on_message`` as soon as something is done with the *other* end. The thread is there as
      long as there is something to wait for: an open end with ``on_message``, a timer.
    """

    def __init__(self, pair: Pair, context: Any = None, *, is_run: bool = False) -> None:
        super().__init__()
        self._pair = pair
        self._changed = pair.changed
        self._context = context
        self._is_run = is_run
        self._peer = self
        self._inbox: deque[str | bytes] = deque()
        self._received_at = 0.0
        self._closed_at = 0.0
        self._is_carried = False
        self._on_end: Callable[[], None] | None = None
        self._is_loss_told = False

    @property
    def context(self) -> FunctionContext:
        if self._context is None:
            raise RuntimeError("This socket has no context: memory_sockets(context=...) gives it one.")
        context: FunctionContext = self._context
        return context

    @property
    def may_wait(self) -> bool:
        return not self._pair.is_current

    # --- messages ---------------------------------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        if self._on_message is not None:
            raise RuntimeError("ws.receive() cannot be used with ws.on_message(fn): messages go to fn.")
        self._has_received = True
        self.end_turn()
        self._peer._begin()
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            with self._changed:
                return self._next(deadline)
        except ConnectionClosed:
            self._tell_if_lost()
            raise

    def _next(self, deadline: float | None) -> str | bytes | None:
        """With the lock held."""
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
        """Seconds for which something can still come, now that there is nothing; None: it is open."""
        if self.close_code is None:
            self._see_close()
            return None if self.close_code is None else 0.0
        if self._peer.close_code is not None or not (self._peer._is_run or self._peer._is_carried):
            return 0.0
        return max(0.0, self._closed_at + CLOSE_PATIENCE - time.monotonic())

    def send(self, data: str | bytes | bytearray | memoryview) -> None:
        if isinstance(data, bytearray | memoryview):
            data = bytes(data)
        elif not isinstance(data, str | bytes):
            raise TypeError(f"ws.send() takes str, for text, or bytes; found {type(data).__name__}.")
        size = len(data) if isinstance(data, bytes) else len(data.encode())
        self._peer._begin()
        try:
            with self._changed:
                self._refuse_closed()
                self.statistics.frames_out += 1
                self.statistics.bytes_out += size
                self._peer._take(data, size)
        except ConnectionClosed:
            self._tell_if_lost()
            raise

    def _refuse_closed(self) -> None:
        is_read = not self._inbox and self._pair.closed is not None
        if is_read and time.monotonic() > max(self._pair.closed_at, self._received_at) + UNSEEN:
            self._see_close()
        if self.close_code is not None:
            raise self._closed()

    def _take(self, data: str | bytes, size: int) -> None:
        self.statistics.frames_in += 1
        self.statistics.bytes_in += size
        self._inbox.append(data)
        if self._is_carried:
            self._pair.do(self._call_next)
        self._changed.notify_all()

    # --- callbacks --------------------------------------------------------------------------------------------------

    def on_message(self, function: OnMessage) -> OnMessage:
        self.bind()
        return super().on_message(function)

    def _begin(self) -> None:
        """Something is done with the other end: whoever registered callbacks here has returned by now."""
        if self._on_message is not None and not self._is_run:
            with self._changed:
                if self.close_code is None and not self._is_carried:
                    self._carry()

    def _carry(self) -> None:
        self._is_carried = True
        self._pair.carried += 1
        for _ in self._inbox:
            self._pair.do(self._call_next)
        if self._pair.closed is not None:
            self._pair.do(self._see_close_last)

    def _call_next(self) -> None:
        with self._changed:
            if self.close_code is not None or not self._inbox:
                return
            data = self._inbox.popleft()
        self._is_inside = True
        try:
            if self._on_message is not None:
                self._run(self._take_turn, self._on_message, data)
        except ConnectionClosed as error:
            self._warn_if_foreign(error)
        except BaseException as error:
            self._is_inside = False
            self.fail(error, "callback")
        self._is_inside = False

    def _see_close_last(self) -> None:
        with self._changed:
            self._see_close()
        self._tell_if_lost()

    def settle(self, timeout: float = 5.0) -> None:
        """Wait until the callbacks of both ends have run for all that was sent, and for a close. Not for timers.

        :raises AssertionError: they did not, within so many seconds; the message says where they hang.
        """
        if self._pair.is_current:
            raise RuntimeError("socket.settle() waits for the callbacks, and so cannot be called by one.")
        for end in (self, self._peer):
            end._begin()
            with self._changed:
                if not (end._inbox or end._is_carried or end._is_run):
                    end._see_close()
        if not self._pair.wait(timeout):
            stack = stack_of(self._pair.thread)
            raise AssertionError(f"The callbacks were not done within {timeout:g} s. They are here:\n{stack}")

    # --- closing ----------------------------------------------------------------------------------------------------

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        check_code(code)
        self._say_close(code, reason or "")

    def drop(self, reason: str = "the peer is gone") -> None:
        """Be gone without a word, as a peer whose network fails: the other end sees 1006."""
        self._say_close(LOST, reason)

    def _say_close(self, code: int, reason: str) -> None:
        self._peer._begin()
        with self._changed:
            if self.close_code is not None:
                return
            if self._pair.close(code, reason) and self._peer._is_carried:
                self._pair.do(self._peer._see_close_last)
            self._see_close()

    def _see_close(self) -> None:
        """Closed is closed, whoever began. With the lock held."""
        if self.close_code is None and self._pair.closed is not None:
            self.close_code, self.close_reason = self._pair.closed
            self._closed_at = time.monotonic()
            self._pair.carried -= self._is_carried
            self._ended()
            self._changed.notify_all()

    def _ended(self) -> None:
        if self._on_end is not None:
            self._pair.do(self._on_end)
        elif (self._on_close is not None or self._at_end is not None) and not self._is_run:
            self._pair.do(self.tell_closed)

    def _tell_if_lost(self) -> None:
        if self.close_code == LOST and not self._is_loss_told:
            self._is_loss_told = True
            self._tell_error(self._closed())

    # --- timers -----------------------------------------------------------------------------------------------------

    def call_later(self, seconds: float, function: Callable[[], Any]) -> Timer:
        return self._pair.call_later(seconds, Task(lambda: self._run_timer(function), lambda: self.is_open))

    # --- for a run, which sees a socket from its handler to its usage record ----------------------------------------

    def carry(self, on_end: Callable[[], None]) -> None:
        """From now on its messages go to the callback. At the end, `on_end` is called."""
        with self._changed:
            self._on_end = on_end
            if self.close_code is None:
                self._carry()
            else:
                self._ended()

    def finish(self) -> None:
        """Nothing: there is no close frame to wait for."""

    def hang_up(self) -> None:
        """Nothing: there is no connection."""
