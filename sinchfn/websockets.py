"""Sockets: mounts them through flask-sock, and sees each one from its handshake to its usage record."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, request
from werkzeug import exceptions
from werkzeug.exceptions import Forbidden, HTTPException, ServiceUnavailable

from .coroutines import awaited
from .errors import CacheError, ConnectionClosed, FunctionError
from .exports import Export, Kind
from .function import Function
from .hooks import AFTER, refuse_unstarted
from .invocation import Invocation
from .redaction import one_line
from .requests import Incoming, flask_request
from .responses import error_response
from .routing import segments_of
from .runtime import DeclaredSocket
from .services.logs import bound_to, current_request
from .signals import handler_failed, websocket_closed, websocket_opened
from .sockets import (
    FAILED,
    LOST,
    Carrier,
    Connection,
    HandshakeError,
    Slots,
    Transport,
    accepting,
    check_handshake,
    check_origin,
    take_over,
)
from .voice.streams import TOKEN_LIFETIME, StreamToken, TokenError, read_token, token_in, without_token

_log = logging.getLogger("sinchfn")

#: Seconds after which a handshake that came when all slots were taken may be tried again.
TRY_AGAIN = 5


def mount_sockets(app: Flask, function: Function, blueprint: Blueprint) -> None:
    """Register the function's sockets on its blueprint.

    :raises FunctionError: a path is none for Flask.
    """
    if not function.sockets:
        return
    from .sock import FunctionSock  # with it comes asyncio, which a function without sockets has no use for

    sock = FunctionSock()
    carrier = app.extensions.setdefault("sinchfn.sockets", Carrier())
    slots = Slots(function.config["SINCHFN_WS_MAX_SOCKETS"])
    function.lifecycle.at_stop(slots.close_all)
    for number, socket in enumerate(function.sockets):
        view = SocketView(app, function, socket, carrier, slots)
        try:
            sock.route(socket.path, blueprint, endpoint=f"socket_{number}", strict_slashes=False)(view)
        except ValueError as error:
            raise FunctionError(f'runtime.on_websocket("{socket.path}"): {error}') from None


class SocketView:
    """Takes the handshakes of one path."""

    def __init__(self, app: Flask, function: Function, socket: DeclaredSocket, carrier: Carrier, slots: Slots) -> None:
        self.__name__ = "socket"
        self._app = app
        self._function = function
        self._mount = function.url_prefix
        self._socket = socket
        self._carrier = carrier
        self._slots = slots
        self._export = Export(socket.name, Kind.WEBSOCKET, shown_path=socket.path)
        self._origins = (function.config["SINCHFN_WS_ORIGINS"] or "").split(",")

    def __call__(self, **variables: Any) -> Response:
        incoming = Incoming(flask_request(), self._path(), self._function.config["SINCHFN_MAX_BODY"])
        token = token_in(incoming.environ.get("QUERY_STRING", ""))
        _forget_token(incoming.environ)
        invocation = Invocation(self._app, self._function, self._export, incoming)
        with bound_to(invocation):
            try:
                transport, call_id = self._let_in(invocation, token)
            except HTTPException as error:
                return self._refused(invocation, error)
            return self._begin(invocation, transport, call_id, variables)

    def _path(self) -> str:
        return request.path.removeprefix(self._mount)

    # --- before it is accepted --------------------------------------------------------------------------------------

    def _let_in(self, invocation: Invocation, token: str | None) -> tuple[Transport, str | None]:
        """The connection, and the call that it belongs to. A slot is taken for it.

        :raises HTTPException: it is not to be.
        """
        environ = invocation.environ
        refuse_handshake(environ)
        _as_http(lambda: check_origin(environ, self._origins))
        refuse_unstarted(self._function)
        if not self._slots.take():
            raise ServiceUnavailable("No more sockets can be opened here at the moment.", retry_after=TRY_AGAIN)
        try:
            call_id = self._admitted(invocation, token)
            return _taken_over(environ), call_id
        except BaseException:
            self._slots.give_back()
            raise

    def _admitted(self, invocation: Invocation, token: str | None) -> str | None:
        """The call that the token is of; None for a path that is open to anybody.

        :raises HTTPException: the token is not ours, not for here, too old or used up; or that cannot be told.
        """
        key = self._function.stream_key
        if not self._socket.is_protected or key is None:
            return None
        try:
            return self._use_up(read_token(token, f"/{invocation.incoming.path.lstrip('/')}", key, self._mount))
        except TokenError as error:
            _log.warning("A socket was refused: %s.", one_line(self._function.redact(str(error)))[:300])
            raise Forbidden("This URL lets nobody in: it was used, has expired, or was not made here.") from None
        except CacheError as error:
            _log.error("A socket was refused, for it cannot be known if its token was used before: %s", error)
            raise ServiceUnavailable("Whether this URL was used cannot be told.", retry_after=TRY_AGAIN) from None

    def _use_up(self, token: StreamToken) -> str | None:
        # Remembered for longer than any token holds: when its use is forgotten, it has expired.
        if not self._function.services.claims.use_up(f"stream/{token.once}", 2 * TOKEN_LIFETIME):
            raise TokenError("the token was used before")
        return token.call_id

    def _refused(self, invocation: Invocation, error: HTTPException) -> Response:
        invocation._refuse(error.description)
        response = error_response(error, invocation.request_id)
        invocation._answer(response)
        _conclude(invocation)
        return response

    # --- from the handshake to the end ------------------------------------------------------------------------------

    def _begin(
        self, invocation: Invocation, transport: Transport, call_id: str | None, variables: dict[str, Any]
    ) -> Response:
        invocation._accept(None, call_id)
        response = _Upgraded(transport)
        invocation._answer(response)
        config = self._function.config
        connection = Connection(
            transport,
            self._carrier,
            invocation.context,
            limit=config["SINCHFN_WS_MAX_MESSAGE"],
            ping=config["SINCHFN_WS_PING"],
        )
        connection.call_id = call_id
        invocation._count(connection.statistics)
        self._slots.add(connection)
        session = _Session(self._app, invocation, connection, self._socket, variables, self._slots.give_back)
        connection.open(accepting(invocation.environ))
        self._carrier.know(connection)
        if transport.can_be_carried:
            threading.Thread(target=session.run, name="sinchfn-socket", daemon=True).start()
        else:
            session.run()
        return response


class _Session:
    """One socket, from its first message on, in a context of its own: that of the request has ended by then."""

    def __init__(
        self,
        app: Flask,
        invocation: Invocation,
        connection: Connection,
        socket: DeclaredSocket,
        variables: dict[str, Any],
        give_back: Callable[[Connection], None],
    ) -> None:
        self._app = app
        self._invocation = invocation
        self._connection = connection
        self._socket = socket
        self._variables = variables
        self._give_back = give_back
        self._within = contextvars.Context()
        self._flask = app.request_context(invocation.environ)

    def run(self) -> None:
        """Run the handler, then either wait for the end, or let the carrier go on."""
        connection = self._connection
        self._within.run(self._handle)
        if connection.has_callbacks and connection.failed_with is None and connection.transport.can_be_carried:
            connection.carry(self._end)
            return
        if connection.has_callbacks:
            self._within.run(connection.serve)
        self._end()

    def _handle(self) -> None:
        self._flask.push()
        current_request.set(self._invocation)
        connection, invocation = self._connection, self._invocation
        if websocket_opened.receivers:
            websocket_opened.send(self._app, invocation=invocation)
        _log.debug("The socket is open.")
        try:
            awaited(self._socket.handler(connection, invocation.request, **self._variables))
        except ConnectionClosed:
            pass  # the peer is gone, and the handler had nothing more to do
        except BaseException as error:  # also SystemExit: a handler must not end the worker
            connection.fail(error, f"handler {self._socket.name}")
        else:
            if not connection.has_callbacks:
                connection.close()
        connection.bind()

    def _end(self) -> None:
        """On a thread that may wait."""
        try:
            self._connection.finish()
            self._within.run(self._conclude)
        finally:
            self._give_back(self._connection)
            self._connection.hang_up()

    def _conclude(self) -> None:
        connection, invocation = self._connection, self._invocation
        connection.tell_closed()
        if connection.failed_with is not None or connection.close_code == FAILED:
            invocation._fail()
            if connection.failed_with is not None:
                handler_failed.send(self._app, invocation=invocation, error=connection.failed_with)
        elif connection.close_code == LOST:
            invocation._leave()
        invocation._close(connection.close_code)
        _conclude(invocation)
        if websocket_closed.receivers:
            websocket_closed.send(self._app, invocation=invocation)
        self._flask.pop()


class _Upgraded(Response):
    """The end of the request that a socket began with. Nothing of it must reach the peer."""

    default_status = 101

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._is_held = not transport.can_be_carried

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if self._is_held and "gunicorn.socket" in environ:
            # The server has its connection still. At this it closes it, without a word.
            raise StopIteration
        # The server writes it to nowhere.
        return super().__call__(environ, start_response)


def _taken_over(environ: dict[str, Any]) -> Transport:
    """
    :raises HTTPException: 501: the server keeps its connections to itself.
    """
    transport = take_over(environ)
    if transport is None:
        raise exceptions.NotImplemented(
            "This server gives no access to its connections, which a WebSocket needs: gunicorn does, and sinchfn dev."
        )
    return transport


def _conclude(invocation: Invocation) -> None:
    """Close its context, record it, log it."""
    for hook in AFTER:
        hook(invocation)


def _forget_token(environ: dict[str, Any]) -> None:
    """Once it is read it is nowhere any more: not in the request, nor in what anybody logs of it."""
    for name in ("QUERY_STRING", "RAW_URI", "REQUEST_URI"):
        if isinstance(environ.get(name), str):
            environ[name] = without_token(environ[name])


def refuse_handshake(environ: dict[str, Any]) -> None:
    """405, 426 or 400 for what is no handshake, or not a right one."""
    _as_http(lambda: check_handshake(environ))


def _as_http(check: Callable[[], None]) -> None:
    try:
        check()
    except HandshakeError as error:
        refusal = HTTPException(error.sentence)
        refusal.code = error.status
        headers = list(error.headers)
        refusal.get_headers = lambda *_: headers  # type: ignore[method-assign]
        raise refusal from None


def socket_at(function: Function, path: str) -> DeclaredSocket | None:
    """The socket whose path this is, as far as it can be told without variables."""
    segments = segments_of(path)
    for socket in function.sockets:
        own = segments_of(socket.path)
        if len(own) == len(segments) and all("<" in a or a == b for a, b in zip(own, segments, strict=True)):
            return socket
    return None
