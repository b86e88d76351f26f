"""An echo with flask-sock and nothing else."""

from __future__ import annotations

from flask import Flask
from flask_sock import Sock
from simple_websocket import Server

app = Flask(__name__)
sock = Sock(app)


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@sock.route("/echo")
def echo(ws: Server) -> None:
    while True:
        ws.send(ws.receive())
