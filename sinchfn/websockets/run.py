"""SocketRun: one socket, from its handler to its usage record."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, has_app_context
from flask.ctx import AppContext
from flask.globals import app_ctx

from ..errors import ConnectionClosed
from ..function.invocation import Progress
from ..function.runtime import DeclaredSocket
from ..logs.records import current_request
from ..services.advice import advise
from ..services.coroutines import awaited
from ..serving.hooks import conclude
from ..signals import handler_failed, websocket_closed, websocket_opened
from .event_loop import stack_of
from .frames import LOST
from .websocket import HandledSocket

_log = logging.getLogger("sinchfn")


class SocketRun:
    """The run of one socket, in a request context of its own, because that of the handshake ends earlier.

    :param response: response to the handshake, for the usage record.
    :param give_back: called when the run is over.
    """

    def __init__(
        self,
        app: Flask,
        socket: DeclaredSocket,
        progress: Progress,
        response: Response,
        connection: HandledSocket,
        variables: dict[str, Any],
        give_back: Callable[[], None],
    ) -> None:
        self._app = app
        self._socket = socket
        self._progress = progress
        self._connection = connection
        self._variables = variables
        self._give_back = give_back
        #: identifier of the thread that runs the handler or the end
        self._thread = 0
        self._is_in_loop = False
        #: each is acquired once, by the first thread that ends or records the socket
        self._end_once, self._record_once = threading.Lock(), threading.Lock()
        self._within = contextvars.Context()
        self._request_context = app.request_context(progress.environ)
        #: app context of the handler
        self._app_context: AppContext | None = None
        connection.turn, connection.end_turn = app.app_context, self._end_turn
        progress.call_id = connection.call_id
        progress.response = response
        progress.statistics = connection.statistics

    def run(self, serve: Callable[[], None] | None = None) -> None:
        """Run the handler. Then wait for the end of the socket, or leave it to the event loop.

        :param serve: passes messages to the callback in this thread. For a connection that the loop cannot poll.
        """
        connection = self._connection
        self._thread = threading.get_ident()
        self._within.run(self._handle)
        if connection.stays_open and connection.failed_with is None:
            if serve is None:
                self._is_in_loop = True
                connection.hand_to_loop(self._end)
                return
            self._within.run(serve)
        self._end()

    def give_up(self, error: Exception) -> None:
        """Close and record a socket whose handler cannot be run."""
        self._within.run(self._enter)
        self._within.run(self._connection.fail, error, "thread")
        self._end()

    def _enter(self) -> None:
        self._request_context.push()
        current_request.set(self._progress)
        self._app.do_teardown_appcontext(None)  # opening a session may have taken a connection from a pool

    def _end_turn(self) -> None:
        """Release what the handler has opened since its last ``receive``, as at the end of a request."""
        context = self._app_context
        if context is not None and has_app_context() and app_ctx._get_current_object() is context:  # type: ignore[attr-defined]
            self._app.do_teardown_appcontext(None)
            context.g = self._app.app_ctx_globals_class()

    def _handle(self) -> None:
        connection, progress = self._connection, self._progress
        try:
            self._enter()  # may raise when it opens the session of a host app
            with self._app.app_context() as self._app_context:
                if websocket_opened.receivers:
                    websocket_opened.send(self._app, invocation=progress.invocation)
                _log.debug("The socket is open.")
                returned = awaited(self._socket.handler(connection, progress.request, **self._variables))
            self._close_after_return(returned)
        except ConnectionClosed as error:
            if connection.is_foreign(error):
                connection.fail(error, f"handler {self._socket.name}")
            connection.close()  # usually the peer is gone, and the handler has nothing more to do
        except BaseException as error:  # also SystemExit: a handler must not end the worker
            advise(error)
            connection.fail(error, f"handler {self._socket.name}")
        connection.bind()

    def _close_after_return(self, value: object) -> None:
        connection = self._connection
        if value is not None:
            _log.warning(
                "The return value of %s is ignored: send messages with ws.send(...).", self._progress.handler_name
            )
        if not connection.stays_open:
            if connection._at_return is not None:
                connection._at_return()
            connection.close()

    def end_apart(self) -> None:
        """End a socket of the event loop on another thread, without waiting for its peer."""
        if self._is_in_loop and not self._connection.is_inside and not self._end_once.locked():
            self._connection.hurry()
            try:
                threading.Thread(target=self._end, name="sinchfn-socket-end", daemon=True).start()
            except RuntimeError:  # at the end of the interpreter no thread can start
                self._end()

    def cut_off(self) -> None:
        """Record a socket whose handler or callback does not end."""
        if self._record_once.locked():
            return
        with self._app.request_context(self._progress.environ):
            current_request.set(self._progress)
            message = f"A socket was closed, but {self._what_runs()} has not ended, and is not waited for any longer."
            stack = stack_of(self._thread)
            _log.error("%s%s", message, f"\n{stack}" if stack else "", extra={"is_block": True})
            self._progress.fail(TimeoutError(message))
            self._record()

    def _what_runs(self) -> str:
        if self._connection.is_inside:
            return "one of its callbacks"
        return "its on_close" if self._end_once.locked() else f"its handler {self._socket.name}"

    def _end(self) -> None:
        """End the socket, once. Must be called on a thread that may block."""
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
        self._connection.call_on_close()
        self._record()
        self._request_context.pop()

    def _record(self) -> None:
        if not self._record_once.acquire(blocking=False):
            return
        connection, progress = self._connection, self._progress
        if connection.failed_with is not None:
            progress.fail(connection.failed_with)
            handler_failed.send(self._app, invocation=progress.invocation, error=connection.failed_with)
        elif connection.close_code == LOST:
            progress.outcome = "gone"
        progress.close_code = connection.close_code
        conclude(progress)
        if websocket_closed.receivers:
            websocket_closed.send(self._app, invocation=progress.invocation)
