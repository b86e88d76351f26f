"""SocketRun: one socket that was let in, from its handler to its usage record."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable
from typing import Any

from flask import Flask

from .coroutines import awaited
from .errors import ConnectionClosed
from .hooks import AFTER
from .invocation import Invocation
from .runtime import DeclaredSocket
from .services.advice import advise
from .services.logs import current_request
from .signals import handler_failed, websocket_closed, websocket_opened
from .sockets import LOST, HandledSocket

_log = logging.getLogger("sinchfn")


class SocketRun:
    """One socket, from its first message on, in a context of its own: that of the request has ended by then."""

    def __init__(
        self,
        app: Flask,
        invocation: Invocation,
        connection: HandledSocket,
        socket: DeclaredSocket,
        variables: dict[str, Any],
        give_back: Callable[[], None],
    ) -> None:
        self._app = app
        self._invocation = invocation
        self._connection = connection
        self._socket = socket
        self._variables = variables
        self._give_back = give_back
        self._within = contextvars.Context()
        self._request_context = app.request_context(invocation.environ)

    def run(self, serve: Callable[[], None] | None = None) -> None:
        """Run the handler, then either wait for the end, or let the carrier go on.

        :param serve: hands messages to the callback, in this thread; for a connection that cannot be carried.
        """
        connection = self._connection
        self._within.run(self._handle)
        if connection.stays_open and connection.failed_with is None:
            if serve is None:
                connection.carry(self._end)
                return
            self._within.run(serve)
        self._end()

    def give_up(self, error: Exception) -> None:
        """It cannot be run."""
        self._within.run(self._enter)
        self._within.run(self._connection.fail, error, "thread")
        self._end()

    def _enter(self) -> None:
        self._request_context.push()
        current_request.set(self._invocation)

    def _handle(self) -> None:
        connection, invocation = self._connection, self._invocation
        try:
            self._enter()  # where the session of a host app may fail
            if websocket_opened.receivers:
                websocket_opened.send(self._app, invocation=invocation)
            _log.debug("The socket is open.")
            returned = awaited(self._socket.handler(connection, invocation.request, **self._variables))
            self._returned(returned)
        except ConnectionClosed as error:
            if connection.is_other(error):
                connection.fail(error, f"handler {self._socket.name}")
            connection.close()  # mostly it is: the peer is gone, and the handler had nothing more to do
        except BaseException as error:  # also SystemExit: a handler must not end the worker
            advise(error)
            connection.fail(error, f"handler {self._socket.name}")
        connection.bind()

    def _returned(self, value: object) -> None:
        """The handler has done what it had to do."""
        connection = self._connection
        if value is not None:
            _log.warning(
                "What %s returned is dropped: a socket answers with ws.send(...).", self._invocation.handler_name
            )
        if not connection.stays_open:
            if connection._at_return is not None:
                connection._at_return()
            connection.close()

    def _end(self) -> None:
        """On a thread that may wait."""
        try:
            self._connection.finish()
            self._within.run(self._conclude)
        finally:
            self._give_back()
            self._connection.hang_up()

    def _conclude(self) -> None:
        connection, invocation = self._connection, self._invocation
        connection.tell_closed()
        if connection.failed_with is not None:
            invocation._fail(connection.failed_with)
            handler_failed.send(self._app, invocation=invocation, error=connection.failed_with)
        elif connection.close_code == LOST:
            invocation._leave()
        invocation._close(connection.close_code)
        conclude(invocation)
        if websocket_closed.receivers:
            websocket_closed.send(self._app, invocation=invocation)
        self._request_context.pop()


def conclude(invocation: Invocation) -> None:
    """Close its context, record it, log it."""
    for hook in AFTER:
        hook(invocation)
