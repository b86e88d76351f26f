"""SocketRun: one socket that was let in, from its handler to its usage record."""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from flask import Flask, has_app_context
from flask.ctx import AppContext
from flask.globals import app_ctx

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
        #: the thread that runs its handler, or sees to its end
        self._thread: int | None = None
        self._is_carried = False
        #: taken once each, by whoever comes first
        self._end_once, self._record_once = threading.Lock(), threading.Lock()
        self._within = contextvars.Context()
        self._request_context = app.request_context(invocation.environ)
        #: in which the handler runs
        self._app_context: AppContext | None = None
        connection.turn, connection.end_turn = app.app_context, self._end_turn

    def run(self, serve: Callable[[], None] | None = None) -> None:
        """Run the handler, then either wait for the end, or let the carrier go on.

        :param serve: hands messages to the callback, in this thread; for a connection that cannot be carried.
        """
        connection = self._connection
        self._thread = threading.get_ident()
        self._within.run(self._handle)
        if connection.stays_open and connection.failed_with is None:
            if serve is None:
                self._is_carried = True
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
        self._app.do_teardown_appcontext(None)  # opening a session may have taken a connection of a pool

    def _end_turn(self) -> None:
        """Give back what the handler has opened since its last ``receive``, as at the end of a request."""
        context = self._app_context
        if context is not None and has_app_context() and app_ctx._get_current_object() is context:  # type: ignore[attr-defined]
            self._app.do_teardown_appcontext(None)
            context.g = self._app.app_ctx_globals_class()

    def _handle(self) -> None:
        connection, invocation = self._connection, self._invocation
        try:
            self._enter()  # where the session of a host app may fail
            with self._app.app_context() as self._app_context:
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

    def end_apart(self) -> None:
        if self._is_carried and not self._connection.is_inside and not self._end_once.locked():
            self._connection.hurry()
            try:
                threading.Thread(target=self._end, name="sinchfn-socket-end", daemon=True).start()
            except RuntimeError:  # the interpreter ends, and lets no thread begin
                self._end()

    def cut_off(self) -> None:
        if self._record_once.locked():
            return
        with self._app.request_context(self._invocation.environ):
            current_request.set(self._invocation)
            message = f"A socket is closed, but {self._what_runs()} has not ended, and is not waited for any longer."
            _log.error("%s%s", message, self._where(), extra={"is_block": True})
            self._invocation._fail(TimeoutError(message))
            self._record()

    def _what_runs(self) -> str:
        if self._connection.is_inside:
            return "a callback of it"
        return "its on_close" if self._end_once.locked() else f"its handler {self._socket.name}"

    def _where(self) -> str:
        frame = sys._current_frames().get(self._thread or 0)
        return "" if frame is None else "\n" + "".join(traceback.format_stack(frame))

    def _end(self) -> None:
        """On a thread that may wait."""
        if not self._end_once.acquire(blocking=False):
            return
        self._thread = threading.get_ident()
        try:
            self._connection.finish()
            self._within.run(self._conclude)
        finally:
            self._give_back()
            self._connection.hang_up()

    def _conclude(self) -> None:
        self._connection.tell_closed()
        self._record()
        self._request_context.pop()

    def _record(self) -> None:
        if not self._record_once.acquire(blocking=False):
            return
        connection, invocation = self._connection, self._invocation
        if connection.failed_with is not None:
            invocation._fail(connection.failed_with)
            handler_failed.send(self._app, invocation=invocation, error=connection.failed_with)
        elif connection.close_code == LOST:
            invocation._leave()
        invocation._close(connection.close_code)
        conclude(invocation)
        if websocket_closed.receivers:
            websocket_closed.send(self._app, invocation=invocation)


def conclude(invocation: Invocation) -> None:
    """Close its context, record it, log it."""
    for hook in AFTER:
        hook(invocation)
