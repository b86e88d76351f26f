"""A voice mail: record what the caller says, and keep it as a WAV file in the storage."""

import re
import tempfile
import wave
from typing import BinaryIO, cast

from sinchfn import (
    FunctionContext,
    FunctionRequest,
    IceRequest,
    IceSvamlBuilder,
    MediaStream,
    SinchRuntime,
    StreamConnect,
    Svaml,
    WebSocket,
)

#: Bytes that are kept in memory; what is longer goes to a temporary file.
IN_MEMORY = 1 << 20


def ice(context: FunctionContext, data: IceRequest) -> Svaml:
    """A call comes in: ask for a message, then record for ten minutes at most."""
    greeting = IceSvamlBuilder().answer().say("Please leave a message.")
    return greeting.connect_stream("/record", sample_rate=16000, max_duration=600)


class Recording:
    """A WAV file in the making."""

    def __init__(self, sample_rate: int) -> None:
        self._file = cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 - whoever saves it closes it
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115
        self._wave.setnchannels(1)
        self._wave.setsampwidth(2)
        self._wave.setframerate(sample_rate)

    def add(self, pcm: bytes) -> None:
        """So much more was said."""
        self._wave.writeframesraw(pcm)

    def finish(self) -> BinaryIO:
        """The whole file."""
        self._wave.close()
        self._file.seek(0)
        return self._file


def setup(runtime: SinchRuntime) -> None:
    """Where the audio goes."""

    @runtime.on_websocket("/record")
    def record(ws: WebSocket, request: FunctionRequest) -> None:
        stream = MediaStream(ws)
        recordings: list[Recording] = []

        @stream.on_connect
        def begin(connect: StreamConnect) -> None:
            recordings.append(Recording(connect.sample_rate))
            stream.answer()

        @stream.on_audio
        def add(pcm: bytes) -> None:
            recordings[0].add(pcm)

        @stream.on_close
        def save() -> None:
            # The one callback that may take its time. It also runs when the server is stopped.
            for recording in recordings:
                with recording.finish() as file:
                    ws.context.storage.write(_key_of(ws.call_id or stream.connect.call_id), file)
                ws.context.log.info(
                    "A message of %.1f s was kept.", ws.statistics.bytes_in / (2 * stream.connect.sample_rate)
                )


def _key_of(call_id: str | None) -> str:
    """Where the recording of a call is kept. An id may have any characters in it."""
    return f"recordings/{re.sub('[^A-Za-z0-9-]', '_', call_id or 'unknown')}.wav"
