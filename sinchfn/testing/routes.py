"""Where the sockets of an app are."""

from __future__ import annotations

import inspect
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import EnvironBuilder

from ..function import Function
from ..websockets import SocketView

#: What a client sends to open a socket (RFC 6455 section 4.1); the key is the one of the RFC's own example.
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def handshake_environ(path: str, query: Any = None, headers: Any = None) -> dict[str, Any]:
    """The WSGI environ of a handshake."""
    builder = EnvironBuilder(path=path, query_string=query, headers=dict(headers or {}))
    builder.headers.update(HANDSHAKE)
    builder.environ_base = {"REMOTE_ADDR": "127.0.0.1"}
    return builder.get_environ()


def socket_view(app: Flask, environ: dict[str, Any]) -> tuple[SocketView, dict[str, Any]]:
    """What takes the handshake, and the variables in its path. Within the context of its request.

    :raises LookupError: there is no socket; the message names those that there are.
    """
    adapter = app.url_map.bind_to_environ(environ)
    try:
        endpoint, variables = adapter.match()
    except HTTPException:
        endpoint, variables = "", {}
    view = getattr(inspect.unwrap(app.view_functions.get(endpoint, _no_view)), "__self__", None)
    if isinstance(view, SocketView):  # also where an extension has wrapped its function
        return view, dict(variables)
    paths = [function.url_prefix + socket.path for function in functions_of(app) for socket in function.sockets]
    there = f"There are: {', '.join(paths)}." if paths else "There are none: runtime.on_websocket(path, fn) makes one."
    raise LookupError(f"The app has no socket at {environ['PATH_INFO']}. {there}")


def _no_view() -> None:
    """Stands for the view of a path that has none."""


def functions_of(app: Flask) -> list[Function]:
    """The functions that are mounted in an app."""
    functions: list[Function] = app.extensions.get("sinchfn", [])
    return functions
