"""MediaStream: the audio of a call over the socket that ``connectStream`` opens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Advised, ConnectionClosed, StreamFull
from ..services.coroutines import awaited
from ..services.usage import SocketStatistics
from .event_loop import Timer
from .frames import LOST, REFUSED
from .stream_protocol import FRAME, HIGHEST_RATE, LOWEST_RATE, StreamConnect, command_in, read_command, read_connect
from .websocket import OnClose, WebSocket, fitted

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OnConnect = TypeVar("OnConnect", bound=Callable[[StreamConnect], Any] | Callable[[], Any])
OnAudio = TypeVar("OnAudio", bound=Callable[[bytes], Any] | Callable[[], Any])
OnDrained = TypeVar("OnDrained", bound=Callable[[], Any])

_log = logging.getLogger("sinchfn")

#: Seconds to wait for the connect message.
CONNECT_PATIENCE = 10.0

#: Seconds after which a warning is logged for a stream that was not answered.
ANSWER_PATIENCE = 5.0

#: Seconds of audio that are sent ahead, so that a short pause of this process or the network is not heard.
LEAD = 0.06

#: Seconds after which a thread that waits for the stream checks whether it was closed.
CHECK_EVERY = 0.5

#: Seconds after which a frame is tried again if another thread is sending.
RETRY_AFTER = 0.005

#: Seconds without a message from this side after which a heartbeat is sent. The platform waits for 60.
HEARTBEAT = 20.0

#: Default for ``max_queued``, in seconds of audio.
MAX_QUEUED = 60.0

#: Number of frames above which a pause in the incoming audio counts as a gap.
GAP_FRAMES = 3

#: Number of bytes in a sample.
SAMPLE_BYTES = 2

#: Formats of the items in a buffer that may be sent, as in :mod:`struct`: bytes or samples.
ITEM_FORMATS = ("B", "b", "c", "h")


class MediaStream(Advised):
    """The audio of a call, over the socket that the platform opens for ``connect_stream(path)``.

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

    Audio is PCM: signed 16-bit little-endian samples of one channel, ``connect.sample_rate`` per second.

    :param sample_rate: samples per second, if the connect message does not name them.
    :param max_queued: seconds of audio that may be queued.
    :raises ValueError: the rate is not plausible, or the queue is shorter than a frame.
    """

    def __init__(self, ws: WebSocket, *, sample_rate: int | None = None, max_queued: float = MAX_QUEUED) -> None:
        if not isinstance(ws, WebSocket):
            raise TypeError(f"MediaStream takes the ws of a socket's handler; found {type(ws).__name__}.")
        if ws._at_end is not None:
            raise RuntimeError("This socket already has a MediaStream: use that one.")
        if max_queued < FRAME:
            raise ValueError(f"max_queued is {max_queued!r}: it takes seconds of audio, {FRAME:g} or more.")
        if sample_rate is not None and not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
            raise ValueError(
                f"sample_rate is {sample_rate!r}: it takes {LOWEST_RATE} to {HIGHEST_RATE} samples per second."
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
        #: guards the queue; never held while sending
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        #: held from taking a frame off the queue until it is sent, so that frames keep their order
        self._sending = threading.Lock()
        self._queue = bytearray()
        #: the first byte of a sample whose second byte has not come yet, in either direction
        self._half_sent = self._half_heard = b""
        #: the part of the socket's statistics that is not audio
        self._commands = SocketStatistics()
        #: time at which the next frame is to be heard, on the monotonic clock
        self._due = 0.0
        self._sent = 0.0
        self._timers: dict[str, Timer] = {}
        self._is_ending = False
        ws._at_return, ws._at_end = self.drain, self._end

    # --- messages of the platform -------------------------------------------------------------------------------------

    @property
    def connect(self) -> StreamConnect:
        """The connect message, with which the platform opens the stream. Reading it waits for up to 10 seconds.

        :raises ConnectionClosed: the platform did not send it in time, or is gone.
        :raises RuntimeError: it has not come yet, and the callback style cannot wait for it: use `on_connect`.
        """
        deadline = time.monotonic() + CONNECT_PATIENCE
        while self._connect is None:
            if self.ws.has_callbacks:
                raise RuntimeError("The stream is not connected yet: use stream.on_connect(fn).")
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
        # All other commands are ignored: one source says that the platform sends heartbeat and clear.
        message = read_command(text)
        if message is not None and command_in(message) == "connect" and self._connect is None:
            self._connect = read_connect(message, self._default_rate)
            self._frame_bytes = self._connect.frame_bytes
            self._bytes_per_second = self._connect.sample_rate * 2
            if "samplerate" not in message:
                _log.warning(
                    "The connect message has no sample rate: using %d. Set one with MediaStream(ws, sample_rate=).",
                    self._connect.sample_rate,
                )
            self._set_timer("answer", ANSWER_PATIENCE, self._warn_of_no_answer)
            if self._on_connect is not None:
                awaited(self._on_connect(self._connect))

    def _warn_of_no_answer(self) -> None:
        if not self._is_answered:
            _log.warning(
                "A stream was opened %g s ago and has no answer yet: the caller hears nothing. "
                "Call stream.answer(), busy() or reject().",
                ANSWER_PATIENCE,
            )

    @property
    def statistics(self) -> SocketStatistics:
        """Counts of the audio so far, as in the usage record. Text messages do not count."""
        total, commands = self.ws.statistics, self._commands
        return replace(
            total,
            frames_in=total.frames_in - commands.frames_in,
            bytes_in=total.bytes_in - commands.bytes_in,
            frames_out=total.frames_out - commands.frames_out,
            bytes_out=total.bytes_out - commands.bytes_out,
        )

    # --- messages to the platform -------------------------------------------------------------------------------------

    def answer(self) -> None:
        """Answer the call. Audio flows from now on.

        :raises ConnectionClosed: the platform is gone.
        """
        self._send_first("answer")
        if not self._is_answered:
            self._is_answered = True
            self._set_timer("heartbeat", HEARTBEAT, self._beat)

    def busy(self) -> None:
        """Refuse the call as busy, and close the socket."""
        self._send_first("busy")
        self.ws.close()

    def reject(self) -> None:
        """Reject the call, and close the socket."""
        self._send_first("reject")
        self.ws.close()

    def _send_first(self, name: str) -> None:
        _ = self.connect
        if self._is_answered:
            if name == "answer":
                return
            raise RuntimeError(f"stream.{name}() is too late: the stream was answered. Use stream.close().")
        self._send_command(name)

    def _send_command(self, name: str) -> None:
        self._sent = time.monotonic()
        text = f'{{"command":"{name}"}}'
        self.ws.send(text)
        self._commands.frames_out += 1
        self._commands.bytes_out += len(text)

    def _beat(self) -> None:
        """Send a heartbeat if nothing else was sent."""
        silence = time.monotonic() - self._sent
        if silence >= HEARTBEAT:
            self._send_command("heartbeat")
            silence = 0.0
        self._set_timer("heartbeat", HEARTBEAT - silence, self._beat)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket and the stream. Queued audio is dropped; `finish` plays it first."""
        self.ws.close(code, reason)

    def finish(self) -> None:
        """Close the socket as soon as all queued audio has been heard. Does not wait for that.

        A handler that loops need not call it: audio that is queued when it returns is still sent.
        """
        with self._lock:
            self._half_sent = b""
            self._is_ending = True
            if not self._queue:
                self._set_timer("drained", self._due - time.monotonic(), self._report_drained)

    # --- audio in ---------------------------------------------------------------------------------------------------

    def receive(self, timeout: float | None = None) -> bytes | None:
        """Return the next piece of audio, usually 20 ms; None if none came within `timeout` seconds.

        A piece has whole samples. If a message ends within a sample, its last byte comes with the next piece.

        :raises ConnectionClosed: the call has ended.
        :raises RuntimeError: the stream was not answered, or audio goes to the function that was given to `on_audio`.
        """
        if self._on_audio is not None:
            raise RuntimeError("stream.receive() cannot be used with stream.on_audio(fn): audio goes to fn.")
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
        """Iterate over pieces of audio until the call ends."""
        while True:
            try:
                pcm = self.receive()
            except ConnectionClosed:
                return
            if pcm is not None:
                yield pcm

    def _hear(self, pcm: bytes) -> bytes:
        """Count a message of audio. Return the samples that are complete with it."""
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
        """Call ``function(connect)`` when the connect message has come. Also a decorator.

        It must not block, and neither must the functions of `on_audio` and `on_drained`. See ``WebSocket.on_message``.
        """
        self._on_connect = fitted(function, "stream.on_connect", "connect")
        if self._connect is not None:
            awaited(self._on_connect(self._connect))
        self._listen()
        return function

    def on_audio(self, function: OnAudio) -> OnAudio:
        """Call ``function(pcm)`` for each piece of audio, usually 20 ms. Also a decorator."""
        self._on_audio = fitted(function, "stream.on_audio", "pcm")
        self._listen()
        return function

    def on_close(self, function: OnClose) -> OnClose:
        """Call ``function(code, reason)`` when the call has ended. Also a decorator. It may block."""
        return self.ws.on_close(function)

    def on_drained(self, function: OnDrained) -> OnDrained:
        """Call ``function()`` whenever all queued audio has been heard. Also a decorator."""
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
        """Drop timers and queued audio of a closed socket, and wake waiting threads."""
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
        """Seconds of audio in the queue."""
        return len(self._queue) / self._bytes_per_second if self._bytes_per_second else 0.0

    def send(self, pcm: ReadableBuffer) -> None:
        """Send audio of any length. It is cut into frames of 20 ms, which are sent in real time.

        A piece may end within a sample: its last byte waits for the next piece. Half a sample that is left at `drain`,
        `finish` or `clear` is dropped.

        It returns at once while no more than `max_queued` seconds are queued. Above that it waits for room, except in a
        callback, which cannot wait. Frames that are late because a callback blocked are sent at once.

        :param pcm: bytes or another buffer: a ``bytearray``, a ``memoryview``, an ``array("h")``.
        :raises ConnectionClosed: the call has ended.
        :raises StreamFull: the queue is full, and this is a callback. Nothing of `pcm` is sent.
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
        """Queue as much of `pcm` as there is room for. Return the rest. The caller must hold the lock."""
        if pcm and not self._queue:
            self._due = max(self._due, time.monotonic())
        room = max(limit - len(self._queue), self._frame_bytes)
        self._queue += pcm[:room]
        return pcm[room:]

    def _send_at_once(self, pcm: bytes) -> bool:
        """Send one frame, as when a call is echoed. Return False if others are queued or it is too early."""
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
        # Another thread may have queued more, and could not send it.
        if self._queue or self._is_ending or self._on_drained is not None:
            self._pump()
        return True

    def _wait_for_room(self, size: int, limit: int) -> None:
        """Wait until the queue has room. The caller must hold the lock."""
        if not self.ws.may_wait and len(self._queue) + size > limit:
            raise StreamFull(
                f"More than {self._max_queued:g} s of audio would be queued. Wait for stream.on_drained(fn), or give "
                "MediaStream a larger max_queued."
            )
        while size and len(self._queue) >= limit and self.ws.is_open:
            self._changed.wait(CHECK_EVERY)
        self._refuse_closed()

    def clear(self) -> None:
        """Drop queued audio, here and at the platform, for instance because the caller has begun to speak.

        :raises ConnectionClosed: the call has ended.
        """
        with self._lock:
            self._queue.clear()
            self._half_sent = b""
            self._due = 0.0
            self._changed.notify_all()
        with self._sending:  # a frame that is being sent must not follow the command
            self._send_command("clear")

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until all queued audio has been heard. Return False if that takes longer than `timeout` seconds.

        :raises ConnectionClosed: the call ended before.
        :raises RuntimeError: this is a callback, which cannot wait because it would stop every call.
        """
        if not self.ws.may_wait:
            raise RuntimeError(
                "stream.drain() cannot be called in a callback, where it would stop every call: use "
                "stream.on_drained(fn), or stream.finish() to end the call once all audio has been heard."
            )
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while self._queue or self._due > time.monotonic():
                self._refuse_closed()
                left = inf if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, CHECK_EVERY if self._queue else self._due - time.monotonic()))
            self._half_sent = b""
        return True

    def _refuse_closed(self) -> None:
        if not self.ws.is_open:
            raise ConnectionClosed(self.ws.close_code or LOST, self.ws.close_reason, self.ws)

    def _pump(self) -> None:
        """Send the frames that are due, and set a timer for the next one."""
        # A callback must not wait for a thread that may be waiting for a slow peer.
        if not self._sending.acquire(blocking=self.ws.may_wait):
            self._set_timer("pump", RETRY_AFTER, self._pump)
            return
        try:
            while (frame := self._next_frame()) is not None:
                self._sent = time.monotonic()
                self.ws.send(frame)
        finally:
            self._sending.release()

    def _next_frame(self) -> bytes | None:
        """Take the frame that is due off the queue, or set a timer. Return None if none is due."""
        with self._lock:
            if not self._queue:
                if self._on_drained is not None or self._is_ending:
                    self._set_timer("drained", self._due - time.monotonic(), self._report_drained)
                return None
            now = time.monotonic()
            size = min(self._frame_bytes, len(self._queue))
            # An incomplete frame is sent when it is due, not ahead of time: more audio may come to fill it.
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

    def _report_drained(self) -> None:
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
            raise RuntimeError("The stream is not answered: call stream.answer() first.")

    def __repr__(self) -> str:
        return f"<MediaStream of the call {self._connect.call_id}>" if self._connect else "<MediaStream, not connected>"


def _in_samples(pcm: bytes) -> tuple[bytes, bytes]:
    """Return the whole samples of `pcm` and the byte that is left."""
    size = len(pcm) - len(pcm) % SAMPLE_BYTES
    return pcm[:size], pcm[size:]


def _bytes_of(pcm: ReadableBuffer) -> bytes:
    """Return a copy of the bytes of a buffer.

    :raises TypeError: it is not a buffer, or its items are neither bytes nor samples.
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
