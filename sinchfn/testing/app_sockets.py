"""open_socket(): run the handler of an app's socket without a server."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException
from werkzeug.test import EnvironBuilder

from ..errors import ConnectionClosed
from ..function.function import Function
from ..security import stream_tokens as streams
from ..websockets.event_loop import stack_of
from ..websockets.mounting import SocketView
from ..websockets.run import SocketRun
from .memory_sockets import MemorySocket, joined_ends

#: Headers that open a socket (RFC 6455 section 4.1), with the key of the RFC's example.
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@contextmanager
def open_socket(
    app: Flask,
    path: str,
    *,
    call_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | str | None = None,
    timeout: float = 5.0,
) -> Iterator[MemorySocket]:
    """Run the handler that an app has for a socket, and act as its peer::

        with open_socket(app, "/stream", call_id="call-1") as peer:
            peer.send("hello")
            assert peer.receive(timeout=1) == "hello"

    The handler runs in a thread of its own, with the context and the request that it has under a server, and leaves a
    usage record. The start-up functions run first, unless they have run before. The token, the origin and the number of
    sockets are not checked: to test those, connect a :class:`SocketClient` to a real server.

    At the end of the block the peer closes, and the handler has to end. An exception of the handler is raised here.
    Messages that it sent can still be read afterwards.

    :param path: includes the ``url_prefix`` of the function.
    :param call_id: value of ``ws.call_id``; under a server it comes from the token.
    :param timeout: seconds that the handler has to end.
    :raises LookupError: the app has no socket at this path. The message names its sockets.
    :raises StartupError: a start-up function failed.
    :raises AssertionError: the handler does not end. The message says where it is.
    """
    opened = _OpenSocket(app, handshake_environ(path, query, headers), call_id)
    try:
        yield opened.peer
    except BaseException as error:
        failure = opened.end(timeout)
        if failure is not None and isinstance(error, ConnectionClosed):
            raise failure from None  # it is the reason for the close
        if failure is not None:
            error.add_note(f"The handler of the socket failed too: {type(failure).__name__}: {failure}")
        raise
    if (failure := opened.end(timeout)) is not None:
        raise failure


def stream_url(app: Flask, path: str, *, call_id: str | None = None, base: str = "") -> str:
    """Return the URL of a socket, as ``connect_stream(path)`` makes it: its token is valid once, within 120 seconds.

    The URL also works for a server in another process whose function has the same secret and is mounted at the same
    place. If the function has no secret to sign with, the URL has no token, and none is checked.

    :param path: includes the ``url_prefix`` of the function.
    :param call_id: value of ``ws.call_id``.
    :param base: start of the URL, such as ``http://127.0.0.1:8000``. Without it the URL begins with the path.
    :raises LookupError: the app has no socket at this path. The message names its sockets.
    """
    environ = handshake_environ(path)
    with app.request_context(environ):
        view, _ = socket_view(app, environ)
    # The path includes the mount.
    return streams.stream_url(base.rstrip("/"), path, call_id, view.function.stream_key)


def handshake_environ(path: str, query: Any = None, headers: Any = None) -> dict[str, Any]:
    """Return the WSGI environ of a handshake."""
    builder = EnvironBuilder(path=path, query_string=query, headers=dict(headers or {}))
    builder.headers.update(HANDSHAKE)
    builder.environ_base = {"REMOTE_ADDR": "127.0.0.1"}
    return builder.get_environ()


def socket_view(app: Flask, environ: dict[str, Any]) -> tuple[SocketView, dict[str, Any]]:
    """Return the view of a handshake and the variables in its path. Call it within the request context.

    :raises LookupError: the app has no such socket. The message names its sockets.
    """
    adapter = app.url_map.bind_to_environ(environ)
    try:
        endpoint, variables = adapter.match()
        found = inspect.unwrap(app.view_functions[endpoint])  # an extension may have wrapped it
    except (HTTPException, KeyError):
        found, variables = None, {}
    view = getattr(found, "__self__", None)
    if isinstance(view, SocketView):
        return view, dict(variables)
    paths = [function.url_prefix + socket.path for function in functions_of(app) for socket in function.sockets]
    known = (
        f"It has {', '.join(paths)}." if paths else "It has no sockets: add one with runtime.on_websocket(path, fn)."
    )
    raise LookupError(f"The app has no socket at {environ['PATH_INFO']}. {known}")


def functions_of(app: Flask) -> list[Function]:
    """Return the functions that are mounted in an app."""
    functions: list[Function] = app.extensions.get("sinchfn", [])
    return functions


class _OpenSocket:
    """A running handler and its peer."""

    def __init__(self, app: Flask, environ: dict[str, Any], call_id: str | None) -> None:
        with app.request_context(environ):
            view, variables = socket_view(app, environ)
            progress = view.progress()
        view.function.lifecycle.start()
        self._is_over = threading.Event()
        self._ws, self.peer = joined_ends(progress.context, call_id, is_run=True)
        self._name = progress.handler_name
        answer = Response(status=101)
        run = SocketRun(app, view.socket, progress, answer, self._ws, variables, self._is_over.set)
        self._thread = threading.Thread(target=run.run, name="sinchfn-socket", daemon=True)
        self._thread.start()

    def end(self, timeout: float) -> BaseException | None:
        """Close the socket and wait for the handler. Return what it raised, or an error if it does not end."""
        deadline = time.monotonic() + timeout
        self.peer.close()
        if not self._is_over.wait(timeout):
            stack = stack_of(self._thread.ident or 0) or self.peer._loop.stack or "  (its thread has ended)"
            return AssertionError(
                f"The handler {self._name} has not ended {timeout:g} s after its peer closed the socket. It is here:\n"
                f"{stack.rstrip()}"
            )
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self.peer._link.wait(max(0.0, deadline - time.monotonic()))
        return self._ws.failed_with
