"""StreamCaller: the platform's side of an audio stream, for tests."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ..errors import ConnectionClosed
from ..websockets.websocket import WebSocket

#: Values of ``sampleRate``, in samples per second.
SAMPLE_RATES = (8000, 16000, 24000, 44100, 48000, 96000)

#: Number of bytes in a sample: a signed 16-bit little-endian number of one channel.
SAMPLE_BYTES = 2

#: Number of frames that the platform sends per second.
FRAMES_PER_SECOND = 50

#: The commands, one of which the application sends before any audio. The last two end the call.
ANSWERS = ("answer", "busy", "reject")


def connect_frame(call_id: str, sample_rate: int, headers: Mapping[str, str], application_key: str) -> dict[str, Any]:
    """The first message of a stream."""
    return {
        "command": "connect",
        "version": 1,
        "callId": call_id,
        "applicationKey": application_key,
        "codec": "PCM",
        "sampleRate": sample_rate,
        "callHeaders": dict(headers),
    }


class StreamCaller:
    """A call whose audio goes over a socket: sends the platform's messages, and receives the application's::

        with open_socket(app, "/stream") as peer:
            caller = StreamCaller(peer)
            caller.connect(call_id="call-1", sample_rate=16000)
            assert caller.answered() == "answer"
            caller.say(pcm, realtime=False)
            assert caller.hear(0.1) == pcm[:3200]

    :param socket: the peer of a socket in memory, or a :class:`SocketClient`, in the blocking style.
    """

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        #: samples per second, in both directions
        self.sample_rate = SAMPLE_RATES[0]
        self._answer: str | None = None
        self._commands: list[str] = []
        self._waited_for = 0
        self._heard = bytearray()
        self._given = 0

    def connect(
        self,
        call_id: str | None = None,
        sample_rate: int = 16_000,
        headers: Mapping[str, str] | None = None,
        application_key: str = "00000000-0000-0000-0000-000000000000",
    ) -> None:
        """Send the connect message, the first message of a stream.

        :param call_id: the id of the call. By default the one of the socket.
        :param headers: the ``call_headers`` of ``connect_stream``.
        """
        if sample_rate not in SAMPLE_RATES:
            raise ValueError(f"The platform has no sample rate {sample_rate}: use one of {SAMPLE_RATES}.")
        self.sample_rate = sample_rate
        call_id = call_id or self.socket.call_id or "call-of-a-test"
        self.socket.send(json.dumps(connect_frame(call_id, sample_rate, headers or {}, application_key)))

    def answered(self, timeout: float = 5.0) -> str:
        """Return the application's answer: ``answer``, ``busy`` or ``reject``. The last two end the call.

        :raises ConnectionClosed: the application closed the socket without an answer.
        :raises AssertionError: it did not answer in time, or sent audio before.
        """
        deadline = time.monotonic() + timeout
        while self._answer is None:
            self._take_next(deadline, f"The application did not answer within {timeout:g} s.")
        if self._answer != "answer":
            self.socket.close()
        return self._answer

    def say(self, pcm: bytes, *, realtime: bool = True) -> None:
        """Send audio in frames of 20 ms, and receive what comes meanwhile. The last frame may be shorter.

        :param realtime: send the frames in real time, and not all at once.
        :raises ConnectionClosed: the application has closed the socket.
        """
        size = self.sample_rate // FRAMES_PER_SECOND * SAMPLE_BYTES
        began = time.monotonic()
        for number, start in enumerate(range(0, len(pcm), size), start=1):
            self.socket.send(pcm[start : start + size])
            if realtime:
                self._take_until(began + number / FRAMES_PER_SECOND)

    def hear(self, seconds: float, timeout: float = 5.0) -> bytes:
        """Return the next `seconds` of the application's audio.

        :raises ConnectionClosed: the socket was closed before.
        :raises AssertionError: the audio did not come in time.
        """
        end = self._given + round(seconds * self.sample_rate) * SAMPLE_BYTES
        deadline = time.monotonic() + timeout
        while len(self._heard) < end:
            had = (len(self._heard) - self._given) / SAMPLE_BYTES / self.sample_rate
            sentence = f"Only {had:g} s of {seconds:g} s of audio came within {timeout:g} s."
            self._take_next(deadline, sentence)
        start, self._given = self._given, end
        return bytes(self._heard[start:end])

    def wait_for(self, command: str, timeout: float = 5.0) -> None:
        """Wait for a command, ``clear`` or ``heartbeat``, after the one that was waited for last.

        :raises ConnectionClosed: the socket was closed before.
        :raises AssertionError: the command did not come in time.
        """
        deadline = time.monotonic() + timeout
        while command not in self._commands[self._waited_for :]:
            sent = ", ".join(self._commands) or "nothing"
            self._take_next(deadline, f"The application did not send {command} within {timeout:g} s; it sent {sent}.")
        self._waited_for = self._commands.index(command, self._waited_for) + 1

    def hang_up(self) -> None:
        """End the call by closing the socket. The protocol has no message for it."""
        self.socket.close()

    @property
    def heard(self) -> bytes:
        """All audio that the application has sent so far."""
        self._take_until(0.0)
        return bytes(self._heard)

    @property
    def commands(self) -> list[str]:
        """The commands that the application has sent so far, except its answer: ``clear``, ``heartbeat``."""
        self._take_until(0.0)
        return list(self._commands)

    def _take_next(self, deadline: float, sentence: str) -> None:
        message = self.socket.receive(max(0.0, deadline - time.monotonic()))
        if message is None:
            raise AssertionError(sentence)
        self._take(message)

    def _take_until(self, moment: float) -> None:
        """Receive messages until `moment`, or at least those that are there."""
        while True:
            left = max(0.0, moment - time.monotonic())
            try:
                message = self.socket.receive(left)
            except ConnectionClosed:
                return
            if message is not None:
                self._take(message)
            elif moment <= time.monotonic():
                return

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._take_command(message)
        elif self._answer is None:
            raise AssertionError("The application sent audio before it answered, which the platform does not accept.")
        else:
            self._heard += message

    def _take_command(self, text: str) -> None:
        try:
            command = json.loads(text)["command"]
        except (ValueError, KeyError, TypeError):
            raise AssertionError(f"The application sent a text that is not a command: {text:.200}") from None
        if self._answer is None and command in ANSWERS:
            self._answer = command
        else:
            self._commands.append(command)
