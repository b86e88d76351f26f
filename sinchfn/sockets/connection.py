"""Connection: a WebSocket over a transport."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from ..errors import ConnectionClosed
from .carrier import READABLE, WRITABLE, Carrier
from .frames import (
    BINARY,
    CLOSE,
    CONTROL_LIMIT,
    LOST,
    NORMAL,
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
from .handled import HandledSocket
from .transports import WAKE, Transport
from .websocket import Timer, check_code

if TYPE_CHECKING:
    from ..function_context import FunctionContext

#: Bytes that wait for a peer who reads slowly, before a callback's socket is closed. Pongs count at their largest, also
#: those that are not sent because a newer ping has taken their place.
UNSENT_LIMIT = 1 << 20

#: Seconds that a peer gets to answer a close frame, and then to end its side of the connection.
CLOSE_PATIENCE = 2.0

#: Messages, and bytes, that are read ahead while a blocking handler is busy with something else; then its peer has to
#: wait.
READ_AHEAD, READ_AHEAD_BYTES = 64, 1 << 20

#: Seconds that reading ahead may take at a time, because nothing else is done meanwhile.
READ_AHEAD_TIME = 0.002

#: Frames of one socket that are read in a row, before it is the turn of others.
SHARE = 16

#: Seconds of a callback after which the log warns of it, and how often it does so for one socket.
SLOW_CALLBACK, WARN_EVERY = 0.02, 60.0

_log = logging.getLogger("sinchfn")


class Connection(HandledSocket):
    """A socket of a real peer.

    It is read either by the thread of its handler, in :meth:`receive`, or by the carrier, in :meth:`on_event`. Writing
    never waits with the lock held, so every thread may write at any time.

    :param limit: largest message, in bytes.
    :param is_client: whether this side has opened the socket, and so has to mask what it sends.
    :param ping: seconds of silence after which a ping is sent, and then of no sign of life after which it is closed.
    """

    def __init__(
        self,
        transport: Transport,
        carrier: Carrier,
        context: FunctionContext | None = None,
        *,
        limit: int,
        ping: float,
        is_client: bool = False,
    ) -> None:
        super().__init__()
        self.transport = transport
        #: its file descriptor, also when it is closed
        self.file = transport.fileno()
        self._carrier = carrier
        self._context = context
        self._limit = limit
        self._ping = ping
        self._is_client = is_client
        self._reader = FrameReader(limit, expect_mask=not is_client)
        self._feed = self._reader.feed
        self._inbox: deque[str | bytes] = deque()
        #: one thread may be in it more than once: what `on_error` is told while reading may ask for more
        self._reading = threading.RLock()
        self._heard = time.monotonic()
        self._is_pinged = False
        self._writing = threading.Lock()
        self._unsent: deque[bytes | memoryview] = deque()
        self._unsent_size = 0
        #: the answer to the newest ping, while something else waits before it, and what it and those it replaced count
        self._pong: bytes | None = None
        self._skipped = 0
        self._is_close_sent = False
        #: nothing more can come: the peer said so, or is gone
        self._is_over = False
        self._deadline = 0.0
        self._is_hurried = False
        self._is_carried = False
        self._on_end: Callable[[], None] = _nothing
        self._warned = -WARN_EVERY
        #: what is to happen later, as long as the socket is there
        self._timers: WeakSet[Timer] = WeakSet()

    @property
    def context(self) -> FunctionContext:
        if self._context is None:
            raise RuntimeError("A socket that was opened from this side has no context.")
        return self._context

    @property
    def may_wait(self) -> bool:
        return not self._carrier.is_current

    # --- reading, in the handler's thread ---------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> str | bytes | None:
        if self._on_message is not None:
            raise RuntimeError("ws.receive() cannot be used with ws.on_message(fn): messages go to fn.")
        self._has_received = True
        self.end_turn()
        inbox = self._inbox
        # The carrier, in an `on_error`, must not wait for whoever is reading.
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
        """Read until there is a message, the socket is closed, or the time is over."""
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
        """One read, or what the one before has left; whether that gave anything."""
        if self._reader.has_more:
            time.sleep(0)  # it is the turn of others, also where these are greenlets
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
        if not self._inbox:  # else the handler gets first what came before
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
        """Send the pong, or keep it instead of an earlier one (RFC 6455 section 5.5.3), so that one at most waits."""
        with self._writing:
            has_to_wait = bool(self._unsent)
            if has_to_wait:
                self._skipped += CONTROL_LIMIT
                self._pong = pong
        if not has_to_wait:
            if not self._send(pong):
                self._carrier.attend(self)
        elif self._unsent_size + self._skipped > UNSENT_LIMIT:
            self._give_up_slow()

    def _take_close(self, data: bytes) -> None:
        try:
            code, reason = read_close(data)
        except FrameError as error:
            self._break_off(error.code, error.reason)
            return
        self._say_close(code, reason)
        self._is_over = True

    def serve(self) -> None:
        """Read here until the socket is over, and hand each message to the callback: where nobody can carry it."""
        while not self._is_over:
            while self._inbox and not self._is_close_sent:
                self._hand_over(self._inbox.popleft())
            if self._is_close_sent:
                return
            with self._reading:
                self._read(self.transport.read)

    # --- reading, in the carrier's thread ---------------------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """What the carrier is to wait for."""
        if not self.transport.can_be_carried:
            return 0
        return (READABLE if self._is_carried else 0) | (WRITABLE if self._unsent else 0)

    def carry(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._carrier.carry(self)

    def begin_callbacks(self) -> None:
        """Hand over what came while the handler still ran."""
        self._is_carried = True
        while self._inbox and not self._is_close_sent:
            self._call(self._inbox.popleft())
        if self._reader.has_more:
            self._carrier.come_back(self)
        self._end_if_over()

    def on_event(self, events: int) -> None:
        """Something can be read, or written."""
        if events != READABLE:
            self._flush_on_carrier()
        if events == WRITABLE or not self._is_carried or self._reader.has_more:
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
        """Handle what has come, and what was left of it before: no more than its share."""
        if not self._is_carried:
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
            self._carrier.come_back(self)

    def _call(self, data: str | bytes) -> None:
        self._carrier.calling_since = began = time.perf_counter()
        self._is_inside = True
        try:
            self._run(self._hand_over, data)
        finally:
            self._is_inside = False
            self._carrier.calling_since = 0.0
        took = time.perf_counter() - began
        if took > SLOW_CALLBACK:
            self._warn_of_slow(took, began)

    def _hand_over(self, data: str | bytes) -> None:
        """In the context of the handler already."""
        try:
            if self._on_message is not None:
                self._take_turn(self._on_message, data)
        except ConnectionClosed as error:
            self._warn_if_foreign(error)
        except BaseException as error:
            self.fail(error, "callback")

    def _warn_of_slow(self, took: float, now: float) -> None:
        if now - self._warned < WARN_EVERY:
            return
        self._warned = now
        self._enter(
            _log.warning,
            "A callback of a socket took %.0f ms, and every other socket of this process waited for it. "
            "Hand what takes long to a thread, or write the handler as a loop over ws.",
            took * 1000,
        )

    def _end_if_over(self) -> None:
        if self._is_over and self._is_carried:
            self._is_carried = False
            self._carrier.attend(self)
            self._begin_end()

    def _begin_end(self) -> None:
        try:
            threading.Thread(target=self._on_end, name="sinchfn-socket-end", daemon=True).start()
        except RuntimeError:  # there can be no more threads at the moment
            self._carrier.call_later(1.0, self._begin_end)

    # --- writing ----------------------------------------------------------------------------------------------------

    def send(self, data: str | bytes | bytearray | memoryview) -> None:
        if isinstance(data, bytes):
            opcode, payload = BINARY, data
        elif isinstance(data, str):
            opcode, payload = TEXT, data.encode("utf-8")
        elif isinstance(data, bytearray | memoryview):
            opcode, payload = BINARY, bytes(data)
        else:
            raise TypeError(f"ws.send() takes str, for text, or bytes; found {type(data).__name__}.")
        frame = make_frame(opcode, payload, mask=self._is_client)
        if not self._send(frame, len(payload)):
            self._wait_for_room(len(frame))

    def _send(self, frame: bytes, size: int | None = None) -> bool:
        """Write a frame, or keep what cannot be written now; whether all of it went out.

        :param size: of the payload, if it is a message, which counts.
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
        """:param size: of the frame that did not fit."""
        if not self.may_wait:
            if self._unsent_size - size > UNSENT_LIMIT:
                self._give_up_slow()
            self._carrier.attend(self)
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
        """
        :raises ConnectionClosed: always.
        """
        size = self._unsent_size + self._skipped
        self._break_off(REFUSED, "reads too slowly")
        self._enter(
            _log.warning, "A socket is closed, because its peer reads too slowly: %d bytes waited for it.", size
        )
        raise self._closed()

    def _flush(self) -> None:
        """Write what waits, as far as it goes."""
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
                        self._take_up_pong()
        except OSError:
            self._unsent.clear()
            self._unsent_size = 0
            self._lose("the peer is gone")

    def _take_up_pong(self) -> None:
        """With the lock held, when nothing else waits any more."""
        pong, self._pong, self._skipped = self._pong, None, 0
        if pong is not None and not self._is_close_sent:
            self._unsent.append(pong)
            self._unsent_size += len(pong)

    def _flush_on_carrier(self) -> None:
        self._flush()
        if not self._unsent:
            self._carrier.attend(self)
        self._end_if_over()

    def open(self, answer: bytes) -> None:
        """Send the answer to the handshake."""
        with self._writing:
            self._unsent.append(answer)
            self._unsent_size += len(answer)
        self._flush()

    # --- closing ----------------------------------------------------------------------------------------------------

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        check_code(code)
        self._say_close(code, reason or "")

    def _say_close(self, code: int, reason: str) -> None:
        """Send a close frame, unless one was sent before."""
        with self._writing:
            if self._is_close_sent or self._is_over:
                return
            self._is_close_sent = True
            self._deadline = time.monotonic() + CLOSE_PATIENCE
            if self.close_code is None:
                self.close_reason, self.close_code = reason, code
            frame = make_close(code, reason, mask=self._is_client)
            self._unsent.append(frame)
            self._unsent_size += len(frame)
        self._flush()
        if self._unsent:
            self._carrier.attend(self)

    def _break_off(self, code: int, reason: str) -> None:
        """The peer broke a rule: tell it which, and listen to it no more."""
        self._say_close(code, reason)
        self._tell_error(ConnectionClosed(code, reason, self))
        self._is_over = True

    def _lose(self, reason: str) -> None:
        """The peer is gone."""
        if self.close_code is None:
            self.close_reason, self.close_code = reason, LOST
            self._tell_error(ConnectionClosed(LOST, reason, self))
        self._is_over = True

    def drop(self) -> None:
        """End it at once. On the carrier's thread."""
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
        self.transport.end_reading()  # whoever waits for the peer is woken

    def hang_up(self) -> None:
        """Give the connection up, once the peer has ended it too: what was sent last might be lost. May wait."""
        deadline = time.monotonic() + CLOSE_PATIENCE
        with suppress(OSError):
            while self.transport.read() != b"" and time.monotonic() < deadline:
                pass
        for timer in list(self._timers):
            timer.cancel()
        self._carrier.forget(self)
        self.transport.close()

    # --- in time ----------------------------------------------------------------------------------------------------

    def call_later(self, seconds: float, function: Callable[[], Any]) -> Timer:
        timer = self._carrier.call_later(seconds, lambda: self._run_timer(function))
        self._timers.add(timer)
        return timer

    def look_after(self, now: float) -> None:
        """What has to happen in time; called every `SWEEP` seconds."""
        if self._is_over:
            self._end_if_over()  # a timer, or a thread of the function, has seen the end
            return
        if self._is_close_sent:
            if now > self._deadline:
                self._is_over = True
                self.transport.abort()
                self._end_if_over()
            return
        if self._unsent:
            self._flush()
        if not self._is_carried:
            self._read_ahead()
        self._break_off_if_wrong()
        self._check_life(now)

    def _read_ahead(self) -> None:
        """A handler that is busy elsewhere does not see the pings and the close of its peer: see to them here."""
        if self._reading.acquire(blocking=False):
            try:
                until = time.monotonic() + READ_AHEAD_TIME
                while not self._is_over and not self._is_full and self._read(self.transport.read_now):
                    if time.monotonic() > until:
                        break
            finally:
                self._reading.release()

    def _check_life(self, now: float) -> None:
        silence = now - self._heard
        if silence < self._ping:
            self._is_pinged = False
        elif not self._is_pinged:
            self._is_pinged = True
            with suppress(ConnectionClosed):
                self._send(make_frame(PING, b"", mask=self._is_client))
        elif silence > 2 * self._ping and not self._has_unread():
            self._lose(f"no sign of life for {silence:.0f} s")
            self.transport.abort()
            self._end_if_over()

    @property
    def _is_full(self) -> bool:
        """Whether so much was read ahead that the peer has to wait."""
        inbox = list(self._inbox)
        return len(inbox) >= READ_AHEAD or sum(map(len, inbox)) >= READ_AHEAD_BYTES

    def _has_unread(self) -> bool:
        return self._is_full and (self._reader.has_more or self.transport.is_readable(0))


def _nothing() -> None:
    """Stands in for what is told of the end, before anybody wants to be told."""
