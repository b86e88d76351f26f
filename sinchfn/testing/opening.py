"""open_socket(): the handler of a socket in an app, run without a server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response

from ..errors import ConnectionClosed
from ..socket_run import SocketRun
from .memory import MemorySocket, joined_ends
from .routes import handshake_environ, socket_view
from .stacks import stack_of


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
    """Run the handler that an app has for a socket, and be its peer::

        with open_socket(app, "/stream", call_id="call-1") as peer:
            peer.send("hello")
            assert peer.receive(timeout=1) == "hello"

    The handler has a thread of its own, the context and the request that it has under a server, and leaves a usage
    record. The start-up functions of its function are run, unless they were. What guards the path is not: the token,
    the origin, the number of sockets. For these there is a real server, and :class:`SocketClient`.

    At the end of the block the peer closes, and the handler has to end. What it raised is raised here. What it sent can
    still be read afterwards.

    :param path: with the ``url_prefix`` under which the function is mounted.
    :param call_id: what ``ws.call_id`` is; under a server it is in the token.
    :param timeout: seconds that the handler has to end.
    :raises LookupError: there is no socket at this path; the message names those that there are.
    :raises StartupError: a start-up function failed.
    :raises AssertionError: the handler does not end; the message says where it is.
    """
    opened = _OpenSocket(app, handshake_environ(path, query, headers), call_id)
    try:
        yield opened.peer
    except BaseException as error:
        failure = opened.end(timeout)
        if failure is not None and isinstance(error, ConnectionClosed):
            raise failure from None  # which is why it was closed
        if failure is not None:
            error.add_note(f"Besides, the handler of the socket: {type(failure).__name__}: {failure}")
        raise
    if (failure := opened.end(timeout)) is not None:
        raise failure


class _OpenSocket:
    """A handler that runs, and its peer."""

    def __init__(self, app: Flask, environ: dict[str, Any], call_id: str | None) -> None:
        with app.request_context(environ):
            view, variables = socket_view(app, environ)
            invocation = view.invocation()
        view.function.lifecycle.start()
        self._is_over = threading.Event()
        self._ws, self.peer = joined_ends(invocation.context, call_id, is_run=True)
        run = view.run_of(invocation, Response(status=101), self._ws, variables, self._is_over.set)
        self._name = invocation.handler_name
        self._thread = self._start(run)

    def _start(self, run: SocketRun) -> threading.Thread:
        thread = threading.Thread(target=run.run, name="sinchfn-socket", daemon=True)
        thread.start()
        return thread

    def end(self, timeout: float) -> BaseException | None:
        """Close it, and wait for the handler: what it raised, or that it does not end."""
        deadline = time.monotonic() + timeout
        self.peer.close()
        if not self._is_over.wait(timeout):
            return AssertionError(
                f"The handler {self._name} has not ended {timeout:g} s after its peer closed the socket. It is here:\n"
                f"{self._stack()}"
            )
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self.peer._pair.wait(max(0.0, deadline - time.monotonic()))
        return self._ws.failed_with

    def _stack(self) -> str:
        return stack_of(self._thread if self._thread.is_alive() else self.peer._pair.thread)
