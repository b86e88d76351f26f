"""Sockets: mounts them through flask-sock, and sees each one from its handshake to its usage record."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, Flask, Request, Response, request
from werkzeug import exceptions
from werkzeug.exceptions import Forbidden, HTTPException, ServiceUnavailable

from .errors import CacheError, FunctionError
from .exports import Export, Kind
from .function import Function
from .hooks import refuse_unstarted
from .invocation import LOGGED_KEY, Invocation
from .protection import REUSABLE_TOKENS
from .redaction import one_line
from .requests import Incoming, flask_request
from .responses import error_response
from .runtime import DeclaredSocket
from .services.logs import bound_to
from .services.shared import shares_cache
from .sock import FunctionSock
from .socket_run import SocketRun, conclude
from .sockets import (
    CARRIER,
    Connection,
    HandledSocket,
    HandshakeError,
    Slots,
    Transport,
    accepting,
    check_handshake,
    check_origin,
    take_over,
)
from .views import view_function
from .visitors import Visitors
from .voice.streams import TOKEN_LIFETIME, StreamToken, TokenError, drop_token, read_token, token_in

_log = logging.getLogger("sinchfn")

#: Seconds after which a handshake that came when all slots were taken may be tried again.
TRY_AGAIN = 5


def mount_sockets(app: Flask, function: Function, blueprint: Blueprint) -> None:
    """Register the function's sockets on its blueprint.

    :raises FunctionError: a path is none for Flask.
    """
    sock = FunctionSock()
    slots = Slots(function.config["SINCHFN_WS_MAX_SOCKETS"])
    function.lifecycle.at_stop(slots.close_all, slots.see_off)
    for number, socket in enumerate(function.sockets):
        view = SocketView(app, function, socket, slots)
        try:
            endpoint = f"socket_{number}"
            register = sock.route(socket.path, blueprint, endpoint=endpoint, strict_slashes=False)
            register(view_function(view, blueprint.name, endpoint))
        except ValueError as error:
            raise FunctionError(f'runtime.on_websocket("{socket.path}"): {error}') from None


class SocketView:
    """Takes the handshakes of one path."""

    def __init__(self, app: Flask, function: Function, socket: DeclaredSocket, slots: Slots) -> None:
        #: the function that has the path
        self.function = function
        self._app = app
        self._mount = function.url_prefix
        self._socket = socket
        self._slots = slots
        self._is_reuse_told = False
        self._export = Export(socket.name, Kind.WEBSOCKET, shown_path=socket.path)
        origins: str | None = function.config["SINCHFN_WS_ORIGINS"]
        self._origins = origins.split(",") if origins else []
        self._visitors = Visitors(function.config) if function.config.is_development else None

    def __call__(self, **variables: Any) -> Response:
        token = self._read_token()
        invocation = self.invocation(has_token=isinstance(token, StreamToken))
        with bound_to(invocation):
            try:
                transport, call_id = self._let_in(invocation, token)
            except HTTPException as error:
                return self._refused(invocation, error)
            return self._begin(invocation, transport, call_id, variables)

    def invocation(self, *, has_token: bool = False) -> Invocation:
        """The call of the handler, made of the request at hand. The token is taken out of its URL.

        :param has_token: the URL has a token of ours. On an open path any other ``token`` is the function's own.
        """
        if has_token or self._socket.is_protected:
            _forget_token(flask_request())
        incoming = Incoming(flask_request(), self._path(), self.function.config["SINCHFN_MAX_BODY"])
        return Invocation(self._app, self.function, self._export, incoming)

    def _path(self) -> str:
        return request.path.removeprefix(self._mount)

    # --- before it is accepted --------------------------------------------------------------------------------------

    def _read_token(self) -> StreamToken | TokenError | None:
        """What the token in the URL says, or why it says nothing; None if there is no key to check it with."""
        key = self.function.stream_key
        if key is None:
            return None
        try:
            token = token_in(request.environ.get("QUERY_STRING", ""))
            return read_token(token, f"/{self._path().lstrip('/')}", key, self._mount)
        except TokenError as error:
            return error

    def _let_in(self, invocation: Invocation, token: StreamToken | TokenError | None) -> tuple[Transport, str | None]:
        """The connection, and the call that it belongs to. A slot is taken for it.

        :raises HTTPException: it is not to be.
        """
        environ = invocation.environ
        refuse_handshake(environ)
        if self._visitors is not None and (refusal := self._visitors.refusal(request, is_handshake=True)):
            raise refusal
        self._check_origin(environ)
        refuse_unstarted(self.function)
        if isinstance(token, TokenError) and self._socket.is_protected:
            raise self._forbidden(str(token))
        # Only now: who has no right to a slot must not keep it from a call; and a token that found none is not used up.
        if not self._slots.take():
            most = self.function.config["SINCHFN_WS_MAX_SOCKETS"]
            _log.warning("A socket was refused: all %d that SINCHFN_WS_MAX_SOCKETS allows are open, or it ends.", most)
            raise ServiceUnavailable("No more sockets can be opened here at the moment.", retry_after=TRY_AGAIN)
        try:
            call_id = self._use_up(token, environ) if isinstance(token, StreamToken) else None
            return _taken_over(environ), call_id
        except BaseException:
            self._slots.give_back()
            raise

    def _check_origin(self, environ: dict[str, Any]) -> None:
        try:
            check_origin(environ, self._origins)
        except HandshakeError as error:
            origin = one_line(str(environ.get("HTTP_ORIGIN")))[:200]
            _log.warning("A socket was refused: a page of %s is not in SINCHFN_WS_ORIGINS.", origin)
            raise _Refusal(error) from None

    def _use_up(self, token: StreamToken, environ: dict[str, Any]) -> str | None:
        """Return the call that the token was made for, if this is its first use.

        :raises HTTPException: it was used before, or that cannot be told. On an open path it is then no token.
        """
        config = self.function.config
        # In production the start has said it. In development there may be one process only: the server knows.
        if config.is_development and environ.get("wsgi.multiprocess") and not shares_cache(config):
            self._warn_of_reuse()
        try:
            # Remembered for longer than any token holds: when its use is forgotten, it has expired.
            if self.function.services.claims.use_up(f"stream/{token.once}", 2 * TOKEN_LIFETIME):
                return token.call_id
        except CacheError as error:
            _log.error("Cannot check whether the token of a socket was used before: %s", error)
            if self._socket.is_protected:
                raise ServiceUnavailable("Whether this URL was used cannot be told.", retry_after=TRY_AGAIN) from None
            return None
        if self._socket.is_protected:
            raise self._forbidden("the token was used before")
        return None

    def _warn_of_reuse(self) -> None:
        if not self._is_reuse_told:
            self._is_reuse_told = True
            _log.warning("%s: %s", self._socket.path, REUSABLE_TOKENS)

    def _forbidden(self, why: str) -> Forbidden:
        _log.warning("A socket was refused: %s.", one_line(self.function.redact(why))[:300])
        return Forbidden("This URL lets nobody in: it was used, has expired, or was not made here.")

    def _refused(self, invocation: Invocation, error: HTTPException) -> Response:
        invocation._refuse(error.description)
        response = error_response(error, invocation.request_id)
        invocation._answer(response)
        conclude(invocation)
        return response

    # --- from the handshake to the end ------------------------------------------------------------------------------

    def _begin(
        self, invocation: Invocation, transport: Transport, call_id: str | None, variables: dict[str, Any]
    ) -> Response:
        config = self.function.config
        connection = Connection(
            transport,
            CARRIER,
            invocation.context,
            limit=config["SINCHFN_WS_MAX_MESSAGE"],
            ping=config["SINCHFN_WS_PING"],
        )
        connection.call_id = call_id
        invocation.environ[LOGGED_KEY] = True  # it has its line at the end; a server's own would show the token
        connection.open(
            accepting(invocation.environ, invocation.request_id)
        )  # first: it may be closed as soon as it has its slot
        response = _Upgraded(transport)
        give_back = partial(self._slots.give_back, connection)
        run = self.run_of(invocation, response, connection, variables, give_back)
        self._slots.add(connection, run)
        try:
            CARRIER.know(connection)
        except (OSError, RuntimeError) as error:  # it cannot begin: there are no more files, or threads
            run.give_up(error)
            return response
        if transport.can_be_carried:
            self._run_apart(run)
        else:
            self._app.do_teardown_appcontext(None)  # the request that is answered only at the end holds nothing so long
            run.run(connection.serve)
        return response

    def _run_apart(self, run: SocketRun) -> None:
        """Run it on a thread of its own, so that it holds none of the server's."""
        try:
            threading.Thread(target=run.run, name="sinchfn-socket", daemon=True).start()
        except RuntimeError as error:  # there can be no more threads in this process, or on this machine
            run.give_up(error)

    def run_of(
        self,
        invocation: Invocation,
        response: Response,
        connection: HandledSocket,
        variables: dict[str, Any],
        give_back: Callable[[], None],
    ) -> SocketRun:
        """The life of a socket that was let in: its handler, up to its usage record.

        :param response: what the request is answered, for the record.
        :param give_back: called when it is over.
        """
        invocation._accept(None, connection.call_id)
        invocation._answer(response)
        invocation._count(connection.statistics)
        return SocketRun(self._app, invocation, connection, self._socket, variables, give_back)


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
            "This server gives no access to its connections, which a WebSocket needs: gunicorn does, and sinchfn dev. "
            "In tests: sinchfn.testing.open_socket(app, path)."
        )
    return transport


def _forget_token(request: Request) -> None:
    """Take the token out of the request, and of what anybody logs of it: it has been read."""
    environ = request.environ
    for name in ("RAW_URI", "REQUEST_URI"):
        if isinstance(environ.get(name), str):
            path, _, query = environ[name].partition("?")
            kept = drop_token(query)
            environ[name] = f"{path}?{kept}" if kept else path
    environ["QUERY_STRING"] = drop_token(environ.get("QUERY_STRING", ""))
    # What Flask's request took from there when it was made, and may have made of it since.
    request.query_string = drop_token(request.query_string.decode("latin-1")).encode("latin-1")
    for name in ("args", "values", "full_path", "url"):
        vars(request).pop(name, None)


def refuse_handshake(environ: dict[str, Any]) -> None:
    """405, 426 or 400 for what is no handshake, or not a right one."""
    try:
        check_handshake(environ)
    except HandshakeError as error:
        raise _Refusal(error) from None


class _Refusal(HTTPException):
    """A handshake that is none, as an error of HTTP."""

    def __init__(self, error: HandshakeError) -> None:
        super().__init__(error.sentence)
        self.code = error.status
        self._headers = list(error.headers)

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        return self._headers
