"""MediaStream: the audio of a call, over the socket that ``connectStream`` opens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from ..coroutines import awaited
from ..errors import Advised, ConnectionClosed, SinchfnError
from ..sockets import LOST, REFUSED, SocketStatistics, Timer, WebSocket
from ..sockets.websocket import OnClose, fitted
from .stream_connect import FRAME, HIGHEST_RATE, LOWEST_RATE, StreamConnect, command_in, read_command, read_connect

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OnConnect = TypeVar("OnConnect", bound=Callable[[StreamConnect], Any] | Callable[[], Any])
OnAudio = TypeVar("OnAudio", bound=Callable[[bytes], Any] | Callable[[], Any])
OnDrained = TypeVar("OnDrained", bound=Callable[[], Any])

_log = logging.getLogger("sinchfn")

#: Seconds that the platform gets to say what call it is.
CONNECT_PATIENCE = 10.0

#: Seconds after which the log says of a stream that nobody has answered it.
ANSWER_PATIENCE = 5.0

#: Seconds of audio that are sent ahead of time, so that a pause on our side, or on the way, is not heard.
LEAD = 0.06

#: Seconds after which who waits for the stream looks up, to see whether it was closed meanwhile.
LOOK_UP = 0.5

#: Seconds after which a frame is tried again whose place another thread's frame has just taken.
AGAIN = 0.005

#: Seconds of silence on our side after which the platform is told that the stream is alive. It waits for 60.
HEARTBEAT = 20.0

#: Seconds of audio that may wait to be sent, unless told otherwise.
MAX_QUEUED = 60.0

#: A pause in the incoming audio that is longer than so many frames is a gap.
GAP_FRAMES = 3

#: Bytes of a sample.
SAMPLE_BYTES = 2

#: What the items of a buffer may be, as :mod:`struct` writes them: bytes, or samples.
ITEM_FORMATS = ("B", "b", "c", "h")


class StreamFull(SinchfnError, BufferError):  # noqa: N818 - as in the standard library: queue.Full
    """More audio was to be sent than may wait, from a callback, which cannot wait for room."""


class MediaStream(Advised):
    """The audio of a call, over the socket that ``connect_stream(path)`` makes the platform open.

    *Blocking*::

        def stream(ws, request):
            stream = MediaStream(ws)
            stream.answer()
            for pcm in stream:
                stream.send(pcm)

    *Callback*::

        def stream(ws, request):
            stream = MediaStream(ws)
            stream.on_connect(lambda connect: stream.answer())
            stream.on_audio(stream.send)

    Audio is PCM: signed 16-bit little-endian samples of one channel, ``connect.sample_rate`` of them a second.

    :param sample_rate: samples a second, where the platform does not say.
    :param max_queued: seconds of audio that may wait to be sent.
    :raises ValueError: no such rate is possible, or no frame fits into the queue.
    """

    def __init__(self, ws: WebSocket, *, sample_rate: int | None = None, max_queued: float = MAX_QUEUED) -> None:
        if not isinstance(ws, WebSocket):
            raise TypeError(f"MediaStream takes the ws of a socket's handler; found {type(ws).__name__}.")
        if ws._at_end is not None:
            raise RuntimeError("There is a MediaStream of this socket already: use that.")
        if max_queued < FRAME:
            raise ValueError(f"max_queued is {max_queued!r}: it takes seconds of audio, at least {FRAME:g}.")
        if sample_rate is not None and not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
            raise ValueError(
                f"sample_rate is {sample_rate!r}: it takes {LOWEST_RATE} to {HIGHEST_RATE} samples a second."
            )
        self.ws = ws
        self._default_rate = sample_rate
        self._max_queued = max_queued
        self._connect: StreamConnect | None = None
        self._is_answered = False
        self._on_connect: Callable[[StreamConnect], Any] | None = None
        self._on_audio: Callable[[bytes], Any] | None = None
        self._on_drained: Callable[[], Any] | None = None
        self._frame_bytes = 0
        self._bytes_per_second = 0.0
        self._heard = 0.0
        self._pause = FRAME
        #: guards what waits to be sent; nothing is waited for with it held, but by those who wait for room
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        #: held from the moment a frame is taken until it is sent, so that frames keep their order
        self._sending = threading.Lock()
        self._queue = bytearray()
        #: the first byte of a sample whose second one has not come yet: of what we send, and of what we hear
        self._half_sent = self._half_heard = b""
        #: what of the socket's statistics is no audio
        self._commands = SocketStatistics()
        #: when the next frame is to be heard, on the monotonic clock
        self._due = 0.0
        self._sent = 0.0
        self._timers: dict[str, Timer] = {}
        self._is_ending = False
        ws._at_return, ws._at_end = self.drain, self._end

    # --- what the platform says -------------------------------------------------------------------------------------

    @property
    def connect(self) -> StreamConnect:
        """What the platform said when it opened the stream; waited for at most 10 seconds.

        :raises ConnectionClosed: it said nothing, or is gone.
        :raises RuntimeError: it is not known yet, and in the callback style cannot be waited for: use `on_connect`.
        """
        return self._await_connect()

    def _await_connect(self) -> StreamConnect:
        deadline = time.monotonic() + CONNECT_PATIENCE
        while self._connect is None:
            if self.ws.has_callbacks:
                raise RuntimeError("The stream is not connected yet: stream.on_connect(fn) is told when it is.")
            message = self.ws.receive(max(0.0, deadline - time.monotonic()))
            if message is None:
                self._give_up()
                raise ConnectionClosed(REFUSED, "no connect message", self.ws)
            if isinstance(message, str):
                self._hear_command(message)
        return self._connect

    def _give_up(self) -> None:
        if self._connect is None:
            self.ws.close(REFUSED, "no connect message")

    def _hear_command(self, text: str) -> None:
        self._commands.frames_in += 1
        self._commands.bytes_in += len(text.encode())
        # Any other is unknown, and one source has the platform send heartbeat and clear: both are nothing to us.
        message = read_command(text)
        if message is not None and command_in(message) == "connect" and self._connect is None:
            self._connect = read_connect(message, self._default_rate)
            self._frame_bytes = self._connect.frame_bytes
            self._bytes_per_second = self._connect.sample_rate * 2
            if "samplerate" not in message:
                _log.warning(
                    "The connect message names no sample rate: %d is taken. MediaStream(ws, sample_rate=...) sets it.",
                    self._connect.sample_rate,
                )
            self._set_timer("answer", ANSWER_PATIENCE, self._warn_of_no_answer)
            if self._on_connect is not None:
                awaited(self._on_connect(self._connect))

    def _warn_of_no_answer(self) -> None:
        if not self._is_answered:
            _log.warning(
                "A stream was opened %g s ago, and has no answer yet: the caller hears nothing. "
                "Call stream.answer(), busy() or reject().",
                ANSWER_PATIENCE,
            )

    @property
    def statistics(self) -> SocketStatistics:
        """The audio that went over the socket; also on its usage record. Text messages do not count."""
        total, commands = self.ws.statistics, self._commands
        return replace(
            total,
            frames_in=total.frames_in - commands.frames_in,
            bytes_in=total.bytes_in - commands.bytes_in,
            frames_out=total.frames_out - commands.frames_out,
            bytes_out=total.bytes_out - commands.bytes_out,
        )

    # --- what we say ------------------------------------------------------------------------------------------------

    def answer(self) -> None:
        """Take the call. Audio flows from now on.

        :raises ConnectionClosed: the platform is gone.
        """
        self._command_at_begin("answer")
        if not self._is_answered:
            self._is_answered = True
            self._set_timer("heartbeat", HEARTBEAT, self._beat)

    def busy(self) -> None:
        """Do not take the call: the platform is told that this side is busy, and the socket is closed."""
        self._command_at_begin("busy")
        self.ws.close()

    def reject(self) -> None:
        """Do not take the call: the platform is told so, and the socket is closed."""
        self._command_at_begin("reject")
        self.ws.close()

    def _command_at_begin(self, name: str) -> None:
        self._await_connect()
        if self._is_answered:
            if name == "answer":
                return
            raise RuntimeError(f"stream.{name}() comes too late: the stream was answered. Use stream.close().")
        self._command(name)

    def _command(self, name: str) -> None:
        self._sent = time.monotonic()
        text = f'{{"command":"{name}"}}'
        self.ws.send(text)
        self._commands.frames_out += 1
        self._commands.bytes_out += len(text)

    def _beat(self) -> None:
        """Say that the stream is alive, if nothing else did."""
        silence = time.monotonic() - self._sent
        if silence >= HEARTBEAT:
            self._command("heartbeat")
            silence = 0.0
        self._set_timer("heartbeat", HEARTBEAT - silence, self._beat)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket, and with it the stream. What waits to be sent is dropped: see `finish`."""
        self.ws.close(code, reason)

    def finish(self) -> None:
        """Close the socket as soon as all that was to be sent has been heard. Does not wait for that.

        A handler that loops need not call it: what waits when it returns is still sent.
        """
        with self._lock:
            self._half_sent = b""
            self._is_ending = True
            if not self._queue:
                self._set_timer("drained", self._due - time.monotonic(), self._tell_drained)

    # --- audio in ---------------------------------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> bytes | None:
        """The next piece of audio, mostly 20 ms; None if none came within `timeout` seconds.

        It has whole samples: where a message ends in half a sample, that half comes with the next piece.

        :raises ConnectionClosed: the call has ended.
        :raises RuntimeError: the stream was not answered, or audio goes to the function that `on_audio` was given.
        """
        if self._on_audio is not None:
            raise RuntimeError("Audio goes to the function that stream.on_audio(fn) was given: it cannot be read too.")
        self._refuse_unanswered()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            message = self.ws.receive(left)
            if message is None:
                return None
            if isinstance(message, str):
                self._hear_command(message)
            elif pcm := self._hear(message):
                return pcm

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of audio until the call ends."""
        while True:
            try:
                pcm = self.receive()
            except ConnectionClosed:
                return
            if pcm is not None:
                yield pcm

    def _hear(self, pcm: bytes) -> bytes:
        """Return the whole samples that are complete with `pcm`."""
        now = time.monotonic()
        if self._heard and now - self._heard > GAP_FRAMES * self._pause:
            self.ws.statistics.gaps += 1
        self._heard = now
        if len(pcm) != self._frame_bytes:
            self._pause = max(FRAME, len(pcm) / self._bytes_per_second)
        else:
            self._pause = FRAME
        if self._half_heard or len(pcm) % SAMPLE_BYTES:
            pcm, self._half_heard = _in_samples(self._half_heard + pcm)
        return pcm

    # --- callbacks --------------------------------------------------------------------------------------------------

    def on_connect(self, function: OnConnect) -> OnConnect:
        """Call ``function(connect)`` when the platform has said which call it is. Also a decorator.

        It must not block; nor must those of `on_audio` and `on_drained`. See ``WebSocket.on_message``.
        """
        self._on_connect = fitted(function, "stream.on_connect", "connect")
        if self._connect is not None:
            awaited(self._on_connect(self._connect))
        self._listen()
        return function

    def on_audio(self, function: OnAudio) -> OnAudio:
        """Call ``function(pcm)`` for each piece of audio, mostly 20 ms. Also a decorator."""
        self._on_audio = fitted(function, "stream.on_audio", "pcm")
        self._listen()
        return function

    def on_close(self, function: OnClose) -> OnClose:
        """Call ``function(code, reason)`` when the call has ended. Also a decorator. It may block."""
        return self.ws.on_close(function)

    def on_drained(self, function: OnDrained) -> OnDrained:
        """Call ``function()`` whenever all that was to be sent has been heard. Also a decorator."""
        self._on_drained = fitted(function, "stream.on_drained")
        return function

    def _listen(self) -> None:
        if not self.ws.has_callbacks:
            self.ws.on_message(self._take)
            if self._connect is None:
                self._set_timer("connect", CONNECT_PATIENCE, self._give_up)

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._hear_command(message)
        elif self._connect is not None:
            pcm = self._hear(message)
            if pcm and self._on_audio is not None:
                result = self._on_audio(pcm)
                if result is not None:
                    awaited(result)

    def _end(self) -> None:
        """The socket is closed: nothing waits any more, and nobody waits for it."""
        for timer in list(self._timers.values()):
            timer.cancel()
        self._timers.clear()
        with self._lock:
            self._queue.clear()
            self._changed.notify_all()
        audio, self._commands = self.statistics, SocketStatistics()
        for field in fields(audio):
            setattr(self.ws.statistics, field.name, getattr(audio, field.name))

    # --- audio out --------------------------------------------------------------------------------------------------

    @property
    def queued(self) -> float:
        """Seconds of audio that wait to be sent."""
        return len(self._queue) / self._bytes_per_second if self._bytes_per_second else 0.0

    def send(self, pcm: ReadableBuffer) -> None:
        """Send audio of any length: it is cut into frames of 20 ms, which go out in real time.

        Take the pieces as they come: where one ends in the middle of a sample, its last byte waits for the next piece.
        Half a sample that is left at `drain`, `finish` or `clear` is dropped.

        It returns at once, as long as no more than `max_queued` seconds wait. Then it waits for room; in a callback it
        cannot wait. What could not be sent in time, as a callback blocked, is made up for at once.

        :param pcm: bytes, or anything whose bytes they are: a ``bytearray``, a ``memoryview``, an ``array("h")``.
        :raises ConnectionClosed: the call has ended.
        :raises StreamFull: too much waits, and this is a callback. Nothing of `pcm` is sent.
        :raises TypeError: `pcm` is neither bytes nor 16-bit samples.
        :raises RuntimeError: the stream was not answered.
        """
        if not self._is_answered:
            self._refuse_unanswered()
        data = pcm if isinstance(pcm, bytes) else _bytes_of(pcm)
        if len(data) == self._frame_bytes and not self._half_sent and self._send_at_once(data):
            return
        limit = int(self._max_queued * self._bytes_per_second) // SAMPLE_BYTES * SAMPLE_BYTES
        with self._lock:
            self._wait_for_room(len(data), limit)
            whole, self._half_sent = _in_samples(self._half_sent + data)
            rest = self._append(memoryview(whole), limit)
        self._pump()
        while rest:
            with self._lock:
                self._wait_for_room(len(rest), limit)
                rest = self._append(rest, limit)
            self._pump()

    def _append(self, pcm: memoryview, limit: int) -> memoryview:
        """Let as much of `pcm` wait as there is room for; return the rest. With the lock held."""
        if pcm and not self._queue:
            self._due = max(self._due, time.monotonic())
        room = max(limit - len(self._queue), self._frame_bytes)
        self._queue += pcm[:room]
        return pcm[room:]

    def _send_at_once(self, pcm: bytes) -> bool:
        """One frame, with nothing before it, and time for it: as when a call is echoed."""
        if self._queue or not self._sending.acquire(blocking=False):
            return False
        try:
            now = time.monotonic()
            if self._queue or now < self._due - LEAD:
                return False
            self._due = max(self._due, now) + FRAME
            self._sent = now
            self.ws.send(pcm)
        finally:
            self._sending.release()
        if (
            self._queue or self._is_ending or self._on_drained is not None
        ):  # another thread came with more, and could not send
            self._pump()
        return True

    def _wait_for_room(self, size: int, limit: int) -> None:
        """With the lock held."""
        if not self.ws.may_wait and len(self._queue) + size > limit:
            raise StreamFull(
                f"More than {self._max_queued:g} s of audio would wait to be sent. Send less, later (on_drained tells "
                "when), or give MediaStream a larger max_queued."
            )
        while size and len(self._queue) >= limit and self.ws.is_open:
            self._changed.wait(LOOK_UP)
        self._refuse_closed()

    def clear(self) -> None:
        """Drop what waits to be sent, here and at the platform: the caller has begun to speak, say.

        :raises ConnectionClosed: the call has ended.
        """
        with self._lock:
            self._queue.clear()
            self._half_sent = b""
            self._due = 0.0
            self._changed.notify_all()
        with self._sending:  # a frame that is just going out must not come after it
            self._command("clear")

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until all that was to be sent has been heard; whether it was, within `timeout` seconds.

        :raises ConnectionClosed: the call ended before.
        :raises RuntimeError: this is a callback, which cannot wait: it would stop every call.
        """
        if not self.ws.may_wait:
            raise RuntimeError(
                "stream.drain() cannot wait in a callback, where it would stop every call: use stream.on_drained(fn), "
                "or stream.finish() to end the call once all was heard."
            )
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while self._queue or self._due > time.monotonic():
                self._refuse_closed()
                left = inf if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, LOOK_UP if self._queue else self._due - time.monotonic()))
            self._half_sent = b""
        return True

    def _refuse_closed(self) -> None:
        if not self.ws.is_open:
            raise ConnectionClosed(self.ws.close_code or LOST, self.ws.close_reason, self.ws)

    def _pump(self) -> None:
        """Send what is due; come back when the next is."""
        # On the thread of the callbacks nobody may be waited for, who perhaps waits for a slow peer.
        if not self._sending.acquire(blocking=self.ws.may_wait):
            self._set_timer("pump", AGAIN, self._pump)
            return
        try:
            while (frame := self._next_frame()) is not None:
                self._sent = time.monotonic()
                self.ws.send(frame)
        finally:
            self._sending.release()

    def _next_frame(self) -> bytes | None:
        """What is to be sent now. If there is more to come, the timer is set for it."""
        with self._lock:
            if not self._queue:
                if self._on_drained is not None or self._is_ending:
                    self._set_timer("drained", self._due - time.monotonic(), self._tell_drained)
                return None
            now = time.monotonic()
            size = min(self._frame_bytes, len(self._queue))
            # The end of what there is goes out at its time, not before it: more may come to fill the frame.
            ahead = LEAD if size == self._frame_bytes else 0.0
            if now < self._due - ahead:
                self._set_timer("pump", self._due - ahead - now, self._pump)
                return None
            if now > self._due + FRAME:
                self.ws.statistics.late += 1
            frame = bytes(self._queue[:size])
            del self._queue[:size]
            self._due += size / self._bytes_per_second
            self._changed.notify_all()
            return frame

    def _tell_drained(self) -> None:
        if self._queue or self._due > time.monotonic():
            return
        if self._on_drained is not None:
            awaited(self._on_drained())
        if self._is_ending:
            self.ws.close()

    def _set_timer(self, name: str, seconds: float, function: Callable[[], Any]) -> None:
        if (timer := self._timers.get(name)) is not None:
            timer.cancel()
        self._timers[name] = self.ws.call_later(max(0.0, seconds), function)

    def _refuse_unanswered(self) -> None:
        if not self._is_answered:
            raise RuntimeError("The stream is not answered: call stream.answer() first, or busy() or reject().")

    def __repr__(self) -> str:
        return f"<MediaStream of the call {self._connect.call_id}>" if self._connect else "<MediaStream, not connected>"


def _in_samples(pcm: bytes) -> tuple[bytes, bytes]:
    """Return the whole samples of `pcm`, and the byte that is left."""
    size = len(pcm) - len(pcm) % SAMPLE_BYTES
    return pcm[:size], pcm[size:]


def _bytes_of(pcm: ReadableBuffer) -> bytes:
    """Return the bytes of a buffer, as they are now.

    :raises TypeError: it has none, or its items are no bytes or samples.
    """
    try:
        view = memoryview(pcm)
    except TypeError:
        raise TypeError(f"stream.send() takes PCM as bytes; found {type(pcm).__name__}.") from None
    if view.format.lstrip("@=<") not in ITEM_FORMATS:
        raise TypeError(
            f"stream.send() takes bytes or signed 16-bit samples; found {type(pcm).__name__} with items of the format "
            f'"{view.format}". Convert them first.'
        )
    return view.tobytes()
