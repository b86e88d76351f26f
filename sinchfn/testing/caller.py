"""StreamCaller: the platform's side of a call's audio stream, for tests."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ..errors import ConnectionClosed
from ..sockets import WebSocket

# The protocol of connectStream. All that tests know of it is here.

#: What ``sampleRate`` can be, in samples a second.
SAMPLE_RATES = (8000, 16000, 24000, 44100, 48000, 96000)

#: A sample is a signed 16-bit little-endian number, of one channel.
SAMPLE_BYTES = 2

#: Frames that the platform sends in a second.
FRAMES_PER_SECOND = 50

#: What the application says once, before it sends audio; the last two end the call.
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
    """A call whose audio goes over a socket: says what the platform says, and takes in what the application sends::

        with open_socket(app, "/stream") as peer:
            caller = StreamCaller(peer)
            caller.connect(call_id="call-1", sample_rate=16000)
            assert caller.answered() == "answer"
            caller.say(pcm, realtime=False)
            assert caller.hear(0.1) == pcm[:3200]

    :param socket: the peer's end of one in memory, or a :class:`SocketClient`; in the blocking style.
    """

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        #: samples a second, both ways
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
        """Say which call it is, and in what form its audio comes: the first message of a stream.

        :param call_id: default: that of the socket.
        :param headers: the ``call_headers`` of ``connect_stream``.
        """
        if sample_rate not in SAMPLE_RATES:
            raise ValueError(f"The platform has no sample rate {sample_rate}; it has {SAMPLE_RATES}.")
        self.sample_rate = sample_rate
        call_id = call_id or self.socket.call_id or "call-of-a-test"
        self.socket.send(json.dumps(connect_frame(call_id, sample_rate, headers or {}, application_key)))

    def answered(self, timeout: float = 5.0) -> str:
        """What the application says to the call: ``answer``, ``busy`` or ``reject``. After the last two it is over.

        :raises ConnectionClosed: it closed the socket, and said nothing.
        :raises AssertionError: it said nothing in time, or sent audio before it said anything.
        """
        deadline = time.monotonic() + timeout
        while self._answer is None:
            self._take_next(deadline, f"The application did not answer within {timeout:g} s.")
        if self._answer != "answer":
            self.socket.close()
        return self._answer

    def say(self, pcm: bytes, *, realtime: bool = True) -> None:
        """Send audio in frames of 20 ms, the last one perhaps shorter, and take in what comes meanwhile.

        :param realtime: in the time that it takes to say it; else all at once.
        :raises ConnectionClosed: the application has closed the socket.
        """
        size = self.sample_rate // FRAMES_PER_SECOND * SAMPLE_BYTES
        began = time.monotonic()
        for number, start in enumerate(range(0, len(pcm), size), start=1):
            self.socket.send(pcm[start : start + size])
            if realtime:
                self._take_until(began + number / FRAMES_PER_SECOND)

    def hear(self, seconds: float, timeout: float = 5.0) -> bytes:
        """The next so many seconds of the audio that comes from the application.

        :raises ConnectionClosed: the socket was closed before.
        :raises AssertionError: it did not come in time.
        """
        end = self._given + round(seconds * self.sample_rate) * SAMPLE_BYTES
        deadline = time.monotonic() + timeout
        while len(self._heard) < end:
            had = (len(self._heard) - self._given) / SAMPLE_BYTES / self.sample_rate
            sentence = f"Of {seconds:g} s of audio, {had:g} s came within {timeout:g} s."
            self._take_next(deadline, sentence)
        start, self._given = self._given, end
        return bytes(self._heard[start:end])

    def wait_for(self, command: str, timeout: float = 5.0) -> None:
        """Wait until the application has said this, after what was waited for before: ``clear``, ``heartbeat``.

        :raises ConnectionClosed: the socket was closed before.
        :raises AssertionError: it did not say so in time.
        """
        deadline = time.monotonic() + timeout
        while command not in self._commands[self._waited_for :]:
            said = ", ".join(self._commands) or "nothing"
            self._take_next(deadline, f"The application did not say {command} within {timeout:g} s; it said {said}.")
        self._waited_for = self._commands.index(command, self._waited_for) + 1

    def hang_up(self) -> None:
        """The call ends. There is no message for that: the socket is closed."""
        self.socket.close()

    @property
    def heard(self) -> bytes:
        """All the audio that has come so far."""
        self._take_until(0.0)
        return bytes(self._heard)

    @property
    def commands(self) -> list[str]:
        """What the application has said so far besides its answer: ``clear``, ``heartbeat``."""
        self._take_until(0.0)
        return list(self._commands)

    def _take_next(self, deadline: float, sentence: str) -> None:
        message = self.socket.receive(max(0.0, deadline - time.monotonic()))
        if message is None:
            raise AssertionError(sentence)
        self._take(message)

    def _take_until(self, moment: float) -> None:
        """Take in what comes until then; at least what is there."""
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
            raise AssertionError("The application sent audio before it answered: the platform does not take it.")
        else:
            self._heard += message

    def _take_command(self, text: str) -> None:
        try:
            command = json.loads(text)["command"]
        except (ValueError, KeyError, TypeError):
            raise AssertionError(f"The application sent what is no command of a stream: {text:.200}") from None
        if self._answer is None and command in ANSWERS:
            self._answer = command
        else:
            self._commands.append(command)
