"""The caller hears what they say: the shortest function with a call's audio in it."""

from sinchfn import (
    FunctionContext,
    FunctionRequest,
    IceRequest,
    IceSvamlBuilder,
    MediaStream,
    SinchRuntime,
    Svaml,
    WebSocket,
)


def ice(context: FunctionContext, data: IceRequest) -> Svaml:
    """A call comes in: its audio goes to the socket below. The path becomes a URL that lets in this call, once."""
    return IceSvamlBuilder().answer().connect_stream("/stream", sample_rate=16000)


def setup(runtime: SinchRuntime) -> None:
    """Where the audio goes."""

    @runtime.on_websocket("/stream")
    def stream(ws: WebSocket, request: FunctionRequest) -> None:
        audio = MediaStream(ws)
        # Callbacks, so that no thread is held while the call lasts.
        audio.on_connect(lambda connect: audio.answer())
        audio.on_audio(audio.send)
