"""An echo of call audio as a sinchfn function, in each of the ways to write it."""

from __future__ import annotations

from sinchfn import FunctionRequest, SinchRuntime, WebSocket


def setup(runtime: SinchRuntime) -> None:
    @runtime.on_websocket("/blocking", protected=False)
    def blocking(ws: WebSocket, request: FunctionRequest) -> None:
        for message in ws:
            ws.send(message)

    @runtime.on_websocket("/callback", protected=False)
    def callback(ws: WebSocket, request: FunctionRequest) -> None:
        ws.on_message(ws.send)
