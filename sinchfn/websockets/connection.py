"""Connection: a WebSocket over a transport."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from ..errors import ConnectionClosed
from .event_loop import READABLE, WRITABLE, EventLoop
from .frames import (
    BINARY,
    CLOSE,
    CONTROL_LIMIT,
    LOST,
    PING,
    PONG,
    REFUSED,
    TEXT,
    FrameError,
    FrameReader,
    Message,
    make_close,
    make_frame,
    read_close,
)
from .transports import WAKE, Transport
from .websocket import HandledSocket, as_message

if TYPE_CHECKING:
    from ..function.context import FunctionContext

#: Bytes that may be queued for a slow peer in a callback before its socket is closed. Pongs count at their largest
#: size, including those that were replaced by the answer to a newer ping.
UNSENT_LIMIT = 1 << 20

#: Seconds that a peer has to answer a close frame, and then to end its side of the connection.
CLOSE_PATIENCE = 2.0

#: Messages, and bytes, that are read ahead while a blocking handler is busy. Beyond these the peer has to wait.
READ_AHEAD, READ_AHEAD_BYTES = 64, 1 << 20

#: Seconds that reading ahead may take at a time, because the event loop does nothing else meanwhile.
READ_AHEAD_TIME = 0.002

#: Frames of one socket that are handled in a row before the others have their turn.
SHARE = 16

#: Seconds above which a warning is logged for a callback, and the seconds between two warnings for one socket.
SLOW_CALLBACK, WARN_EVERY = 0.02, 60.0

_log = logging.getLogger("sinchfn")


class Connection(HandledSocket):
    """A socket with a real peer.

    It is read either by the thread of its handler, in :meth:`receive`, or by the event loop, in :meth:`on_event`.
    Writing never blocks with the lock held, so every thread may write at any time.

    :param limit: largest message, in bytes.
    :param ping: seconds of silence after which a ping is sent. After twice that time the connection is closed.
    :param is_client: True if this side opened the socket and so has to mask what it sends.
    """

    def __init__(
        self,
        transport: Transport,
        loop: EventLoop,
        context: FunctionContext | None = None,
        *,
        limit: int,
        ping: float,
        is_client: bool = False,
    ) -> None:
        super().__init__(loop)
        self.transport = transport
        #: file descriptor, also after it is closed
        self.file = transport.fileno()
        self._context = context
        self._limit = limit
        self._ping = ping
        self._is_client = is_client
        self._reader = FrameReader(limit, expect_mask=not is_client)
        self._feed = self._reader.feed
        self._inbox: deque[str | bytes] = deque()
        #: re-entrant, because an ``on_error`` that is called while reading may receive
        self._reading = threading.RLock()
        self._heard = time.monotonic()
        self._is_pinged = False
        self._writing = threading.Lock()
        self._unsent: deque[bytes | memoryview] = deque()
        self._unsent_size = 0
        #: the pong for the newest ping while other frames are queued, and the bytes that count for the pongs so far
        self._pong: bytes | None = None
        self._skipped = 0
        self._is_close_sent = False
        #: True if nothing more can come: the peer has closed, or is gone
        self._is_over = False
        self._deadline = 0.0
        self._is_hurried = False
        self._is_in_loop = False
        self._on_end: Callable[[], None] | None = None
        self._warned = -WARN_EVERY

    @property
    def context(self) -> FunctionContext:
        if self._context is None:
            raise RuntimeError("The client's end of a socket has no context.")
        return self._context

    # --- reading, in the handler's thread ---------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        self._begin_receive()
        inbox = self._inbox
        # The event loop, in an ``on_error``, must not wait for another thread that is reading.
        if not inbox and self._reading.acquire(blocking=self.may_wait):
            try:
                self._read_until(None if timeout is None else time.monotonic() + timeout)
            finally:
                self._reading.release()
        try:
            return inbox.popleft()
        except IndexError:
            if not self.is_open:
                raise self._closed() from None
            return None

    def _read_until(self, deadline: float | None) -> None:
        """Read until there is a message, the socket is closed, or the deadline has passed."""
        inbox, transport = self._inbox, self.transport
        self._break_off_if_wrong()
        while not inbox and self.is_open:
            if deadline is None:
                self._read(transport.read)
                continue
            left = deadline - time.monotonic()
            if self._reader.has_more or transport.is_readable(min(left, WAKE)):
                self._read(transport.read_now)
            elif left <= 0:
                return

    def _read(self, read: Callable[[], bytes | None]) -> bool:
        """Handle the rest of an earlier read, or read once. Return True if there was any data."""
        if self._reader.has_more:
            time.sleep(0)  # lets other threads, and greenlets, run
            self._take_share(b"")
            return True
        try:
            data = read()
        except OSError:
            data = b""
        if data is None:
            return False
        if not data:
            self._lose("the peer is gone")
            return False
        self._heard = time.monotonic()
        self._take_share(data)
        return True

    def _take_share(self, data: bytes) -> None:
        for message in self._feed(data, SHARE):
            self._take(message)
        if not self._inbox:  # otherwise the handler first gets the messages before the fault
            self._break_off_if_wrong()

    def _break_off_if_wrong(self) -> None:
        if (failure := self._reader.failure) is not None and not self._is_over:
            self._break_off(failure.code, failure.reason)

    def _take(self, message: Message) -> None:
        opcode, data = message
        if opcode in (BINARY, TEXT):
            if not self._is_close_sent:
                self._count_in(data)
                self._inbox.append(data)
        else:
            self._take_control(opcode, cast("bytes", data))

    def _count_in(self, data: str | bytes) -> None:
        statistics = self.statistics
        statistics.frames_in += 1
        statistics.bytes_in += len(data) if isinstance(data, bytes) else len(data.encode())

    def _take_control(self, opcode: int, data: bytes) -> None:
        if opcode == PING and not self._is_close_sent:
            with suppress(ConnectionClosed):
                self._answer_ping(make_frame(PONG, data, mask=self._is_client))
        elif opcode == CLOSE and not self._is_over:
            self._take_close(data)

    def _answer_ping(self, pong: bytes) -> None:
        """Send the pong, or queue it in place of an earlier one (RFC 6455 section 5.5.3)."""
        with self._writing:
            has_to_wait = bool(self._unsent)
            if has_to_wait:
                self._skipped += CONTROL_LIMIT
                self._pong = pong
        if not has_to_wait:
            if not self._send(pong):
                self._loop.update(self)
        elif self._unsent_size + self._skipped > UNSENT_LIMIT:
            self._give_up_slow()

    def _take_close(self, data: bytes) -> None:
        try:
            code, reason = read_close(data)
        except FrameError as error:
            self._break_off(error.code, error.reason)
            return
        self._send_close(code, reason)
        self._is_over = True

    def serve(self) -> None:
        """Read in this thread until the socket is over, and pass each message to the callback.

        For a transport that the event loop cannot poll.
        """
        while not self._is_over:
            while self._inbox and not self._is_close_sent:
                self._hand_over(self._inbox.popleft())
            if self._is_close_sent:
                return
            with self._reading:
                self._read(self.transport.read)

    # --- reading, in the thread of the event loop -------------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """The events that the event loop has to wait for."""
        if not self.transport.is_pollable:
            return 0
        return (READABLE if self._is_in_loop else 0) | (WRITABLE if self._unsent else 0)

    def hand_to_loop(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._loop.serve(self)

    def begin_callbacks(self) -> None:
        """Pass on the messages that came while the handler was running."""
        self._is_in_loop = True
        while self._inbox and not self._is_close_sent:
            self._call(self._inbox.popleft())
        if self._reader.has_more:
            self._loop.resume_later(self)
        self._end_if_over()

    def on_event(self, events: int) -> None:
        """Read or write after the event loop has found that this is possible."""
        if events != READABLE:
            self._flush()
            if not self._unsent:
                self._loop.update(self)
            self._end_if_over()
        if events == WRITABLE or not self._is_in_loop or self._reader.has_more:
            return
        try:
            data = self.transport.read_now()
        except OSError:
            data = b""
        if data:
            self._heard = time.monotonic()
            self.go_on(data)
        elif data is not None:
            self._lose("the peer is gone")
            self._end_if_over()

    def go_on(self, data: bytes = b"") -> None:
        """Handle `data` and what was left before it, up to the share of this socket."""
        if not self._is_in_loop:
            return
        for opcode, content in self._feed(data, SHARE):
            if opcode < CLOSE:
                if not self._is_close_sent:
                    self._count_in(content)
                    self._call(content)
            else:
                self._take_control(opcode, cast("bytes", content))
        if self._reader.failure is not None or self._is_over:
            self._break_off_if_wrong()
            self._end_if_over()
        elif self._reader.has_more:
            self._loop.resume_later(self)

    def _call(self, data: str | bytes) -> None:
        self._loop.calling_since = began = time.perf_counter()
        self._is_inside = True
        try:
            self._run(self._hand_over, data)
        finally:
            self._is_inside = False
            self._loop.calling_since = 0.0
        took = time.perf_counter() - began
        if took > SLOW_CALLBACK and began - self._warned >= WARN_EVERY:
            self._warned = began
            self._enter(
                _log.warning,
                "A callback of a socket took %.0f ms, and every other socket of this process waited for it. "
                "Move slow work to a thread, or write the handler as a loop over ws.",
                took * 1000,
            )

    def _end_if_over(self) -> None:
        if self._is_over and self._is_in_loop:
            self._is_in_loop = False
            self._loop.update(self)
            self._begin_end()

    def _begin_end(self) -> None:
        try:
            threading.Thread(target=self._on_end, name="sinchfn-socket-end", daemon=True).start()
        except RuntimeError:  # the process cannot start a thread at the moment
            self._loop.call_later(1.0, self._begin_end)

    # --- writing ----------------------------------------------------------------------------------------------------

    def send(self, data: str | bytes | bytearray | memoryview) -> None:
        message = data if isinstance(data, bytes) else as_message(data)
        opcode, payload = (BINARY, message) if isinstance(message, bytes) else (TEXT, message.encode())
        frame = make_frame(opcode, payload, mask=self._is_client)
        if not self._send(frame, len(payload)):
            self._wait_for_room(len(frame))

    def _send(self, frame: bytes, size: int | None = None) -> bool:
        """Write a frame, or queue what cannot be written now. Return True if all of it was written.

        :param size: size of the payload if the frame is a message, which is counted.
        :raises ConnectionClosed: nothing can be sent any more.
        """
        with self._writing:
            if self._is_close_sent or self._is_over:
                raise self._closed()
            try:
                sent = 0 if self._unsent else self.transport.write(frame)
            except OSError:
                sent = -1
            if sent >= 0 and size is not None:
                self.statistics.frames_out += 1
                self.statistics.bytes_out += size
            if sent == len(frame):
                return True
            if sent >= 0:
                self._unsent.append(memoryview(frame)[sent:])
                self._unsent_size += len(frame) - sent
                return False
        self._lose("the peer is gone")
        raise self._closed()

    def _wait_for_room(self, size: int) -> None:
        """Wait until all is written, or, in a callback, check that not too much is queued.

        :param size: size of the frame that was queued last.
        """
        if not self.may_wait:
            if self._unsent_size - size > UNSENT_LIMIT:
                self._give_up_slow()
            self._loop.update(self)
            return
        left, deadline = self._unsent_size, time.monotonic() + self._ping
        while self._unsent and not self._is_over:
            self.transport.is_writable(WAKE)
            self._flush()
            if self._unsent_size < left:
                left, deadline = self._unsent_size, time.monotonic() + self._ping
            elif time.monotonic() > deadline:
                self._give_up_slow()

    def _give_up_slow(self) -> None:
        """Close the socket because its peer reads too slowly.

        :raises ConnectionClosed: always.
        """
        size = self._unsent_size + self._skipped
        self._break_off(REFUSED, "reads too slowly")
        self._enter(
            _log.warning, "A socket is closed because its peer reads too slowly: %d bytes were waiting for it.", size
        )
        raise self._closed()

    def _queue(self, frame: bytes) -> None:
        """Queue a frame. The caller must hold the lock."""
        self._unsent.append(frame)
        self._unsent_size += len(frame)

    def _flush(self) -> None:
        """Write as much of the queue as possible."""
        try:
            with self._writing:
                while self._unsent:
                    first = self._unsent[0]
                    sent = self.transport.write(first)
                    self._unsent_size -= sent
                    if sent < len(first):
                        self._unsent[0] = memoryview(first)[sent:]
                        return
                    self._unsent.popleft()
                    if not self._unsent:
                        self._queue_pong()
        except OSError:
            self._unsent.clear()
            self._unsent_size = 0
            self._lose("the peer is gone")

    def _queue_pong(self) -> None:
        """Queue the pong that was waiting for an empty queue. The caller must hold the lock."""
        pong, self._pong, self._skipped = self._pong, None, 0
        if pong is not None and not self._is_close_sent:
            self._queue(pong)

    def open(self, answer: bytes) -> None:
        """Send the answer to the handshake."""
        with self._writing:
            self._queue(answer)
        self._flush()

    # --- closing ----------------------------------------------------------------------------------------------------

    def _send_close(self, code: int, reason: str) -> None:
        """Send a close frame, unless one was sent before."""
        with self._writing:
            if self._is_close_sent or self._is_over:
                return
            self._is_close_sent = True
            self._deadline = time.monotonic() + CLOSE_PATIENCE
            if self.close_code is None:
                self.close_reason, self.close_code = reason, code
            self._queue(make_close(code, reason, mask=self._is_client))
        self._flush()
        if self._unsent:
            self._loop.update(self)

    def _break_off(self, code: int, reason: str) -> None:
        """Close the socket because the peer broke a rule, and stop reading."""
        self._send_close(code, reason)
        self._call_on_error(ConnectionClosed(code, reason, self))
        self._is_over = True

    def _lose(self, reason: str) -> None:
        """Note that the peer is gone."""
        if self.close_code is None:
            self.close_reason, self.close_code = reason, LOST
            self._call_on_error(ConnectionClosed(LOST, reason, self))
        self._is_over = True

    def drop(self) -> None:
        """End the connection at once. On the thread of the event loop."""
        self._lose("dropped")
        self.transport.abort()
        self._end_if_over()

    def finish(self) -> None:
        with self._reading:
            while not self._is_over and time.monotonic() < self._deadline:
                if self._unsent:
                    self._flush()
                self._read(self.transport.read)
        self._is_over = True
        self._deadline = time.monotonic() + (0.0 if self._is_hurried else CLOSE_PATIENCE)
        while self._unsent and self.close_code != LOST and time.monotonic() < self._deadline:
            self.transport.is_writable(WAKE)
            self._flush()
        self.transport.end_writing()

    def hurry(self) -> None:
        self._is_hurried, self._deadline = True, 0.0
        self.transport.end_reading()  # wakes a thread that waits for the peer

    def hang_up(self) -> None:
        """Close the connection after the peer has ended its side. Closed earlier, it might lose data. May block."""
        deadline = time.monotonic() + CLOSE_PATIENCE
        with suppress(OSError):
            while self.transport.read() != b"" and time.monotonic() < deadline:
                pass
        self._cancel_timers()
        self._loop.remove(self)
        self.transport.close()

    # --- periodic work ----------------------------------------------------------------------------------------------

    def look_after(self, now: float) -> None:
        """Do what is due: check deadlines, flush, read ahead, ping. Called every ``SWEEP`` seconds."""
        if self._is_over:
            self._end_if_over()  # the end was found by a timer or by a thread of the function
            return
        if self._is_close_sent:
            if now > self._deadline:
                self._is_over = True
                self.transport.abort()
                self._end_if_over()
            return
        if self._unsent:
            self._flush()
        if not self._is_in_loop:
            self._read_ahead()
        self._break_off_if_wrong()
        self._check_life(now)

    def _read_ahead(self) -> None:
        """Handle pings, and a close of the peer, while the handler is busy."""
        if self._reading.acquire(blocking=False):
            try:
                until = time.monotonic() + READ_AHEAD_TIME
                while not self._is_over and not self._is_full and self._read(self.transport.read_now):
                    if time.monotonic() > until:
                        break
            finally:
                self._reading.release()

    def _check_life(self, now: float) -> None:
        """Ping a silent peer, and give up on one that does not answer."""
        silence = now - self._heard
        if silence < self._ping:
            self._is_pinged = False
        elif not self._is_pinged:
            self._is_pinged = True
            with suppress(ConnectionClosed):
                self._send(make_frame(PING, b"", mask=self._is_client))
        elif silence > 2 * self._ping:
            if self._is_full and (self._reader.has_more or self.transport.is_readable(0)):
                return  # the peer is not silent: its messages wait for the handler
            self._lose(f"no sign of life for {silence:.0f} s")
            self.transport.abort()
            self._end_if_over()

    @property
    def _is_full(self) -> bool:
        """True if the limits for reading ahead are reached, so that the peer has to wait."""
        inbox = list(self._inbox)
        return len(inbox) >= READ_AHEAD or sum(map(len, inbox)) >= READ_AHEAD_BYTES
