"""Keys that a caller presses, found in the audio itself: each is confirmed by a beep, and # ends the call."""

from tones import KeyDetector, beep

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
    """A call comes in: listen to its keys."""
    greeting = IceSvamlBuilder().answer().say("Enter your number, and end with the hash key.")
    return greeting.connect_stream("/keys", sample_rate=8000)


def setup(runtime: SinchRuntime) -> None:
    """Where the audio goes."""

    @runtime.on_websocket("/keys")
    def keys(ws: WebSocket, request: FunctionRequest) -> None:
        # A loop, for to look for tones takes longer than a callback may.
        stream = MediaStream(ws)
        detector = KeyDetector(stream.connect.sample_rate)
        stream.answer()
        entered = ""
        for pcm in stream:
            for key in detector.feed(pcm):
                stream.send(beep(stream.connect.sample_rate))
                if key == "#":
                    ws.context.cache.set(f"keys/{ws.call_id}", entered)
                    ws.context.log.info("The caller entered %d keys.", len(entered))
                    stream.drain(timeout=2)
                    return
                entered += key
