"""stream_url(): what a callback would hand out for a socket, for a client of one's own."""

from __future__ import annotations

from flask import Flask

from ..voice import streams
from .routes import handshake_environ, socket_view


def stream_url(app: Flask, path: str, *, call_id: str | None = None, base: str = "") -> str:
    """The URL of a socket, with a token that lets in once, within 120 seconds, as ``connect_stream(path)`` makes it.

    It is also good for a server in another process whose function has the same secret, and is mounted at the same
    place. A function without a secret to sign with lets everybody in, and then there is no token.

    :param path: with the ``url_prefix`` under which the function is mounted.
    :param call_id: what ``ws.call_id`` will be.
    :param base: where the server is, such as ``http://127.0.0.1:8000``; without it, the URL begins with the path.
    :raises LookupError: there is no socket at this path; the message names those that there are.
    """
    environ = handshake_environ(path)
    with app.request_context(environ):
        view, _ = socket_view(app, environ)
    # With the mount in the path there is none before it.
    return streams.stream_url(base.rstrip("/"), path, call_id, view.function.stream_key)
