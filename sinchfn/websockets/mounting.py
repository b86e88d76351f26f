"""Sockets: mounting them with flask-sock, and checking and accepting their handshakes."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import Any

from flask import Blueprint, Flask, Request, Response, request
from flask.sansio.blueprints import BlueprintSetupState
from flask_sock import Sock  # type: ignore[import-untyped]
from werkzeug import exceptions
from werkzeug.exceptions import Forbidden, HTTPException, ServiceUnavailable

from ..errors import CacheError, FunctionError
from ..forks import Forkable, across_forks
from ..function.exports import Export, Kind
from ..function.function import Function
from ..function.invocation import LOGGED_KEY, Progress
from ..function.protection import REUSABLE_TOKENS
from ..function.request import Incoming
from ..function.runtime import DeclaredSocket
from ..logs.records import bound_to
from ..logs.redaction import one_line
from ..security.stream_tokens import TOKEN_LIFETIME, StreamToken, TokenError, drop_token, read_token, token_in
from ..services.services import shares_cache
from ..serving.development import DevelopmentGuard
from ..serving.hooks import conclude, refuse_unstarted
from ..serving.responses import error_response
from ..serving.views import flask_request, view_function
from .connection import Connection
from .event_loop import EVENT_LOOP, guarded
from .frames import GOING_AWAY
from .handshake import HandshakeError, accepting, check_handshake, check_origin
from .run import SocketRun
from .transports import Transport, take_over

#: Close reason of the sockets of a process that stops.
STOPPING = "the server is stopping"

#: Seconds, at most, between two checks whether closed sockets have ended.
CHECK_EVERY = 0.5

#: Share of the time for closing that is kept for ``on_close`` if peers do not answer.
ON_CLOSE_SHARE = 0.5

#: ``Retry-After`` of a refused handshake, in seconds.
RETRY_AFTER = 5

#: Answer under a server that gives no access to its connections.
NO_ACCESS = (
    "WebSockets need access to the connection, which this server does not provide. Use gunicorn or sinchfn dev; in "
    "tests: sinchfn.testing.open_socket(app, path)."
)

_log = logging.getLogger("sinchfn")


def mount_sockets(app: Flask, function: Function, blueprint: Blueprint) -> None:
    """Register the function's sockets on its blueprint.

    :raises FunctionError: Flask refuses a path.
    """
    slots = Slots(function.config["SINCHFN_WS_MAX_SOCKETS"])
    function.lifecycle.at_stop(slots.close_all, slots.see_off)
    for number, socket in enumerate(function.sockets):
        try:
            _mount(SocketView(app, function, socket, slots), socket.path, blueprint, f"socket_{number}")
        except ValueError as error:
            raise FunctionError(f'runtime.on_websocket("{socket.path}"): {error}') from None


def _mount(view: SocketView, path: str, blueprint: Blueprint, endpoint: str) -> None:
    """Register a path through flask-sock, and put `view` in place of flask-sock's own, which runs simple_websocket."""
    function = view_function(view, blueprint.name, endpoint)
    options = {"endpoint": endpoint, "strict_slashes": False, "provide_automatic_options": False}
    Sock().route(path, blueprint, **options)(function)

    @blueprint.record
    def put_in_place(state: BlueprintSetupState) -> None:
        state.app.view_functions[f"{state.name_prefix}.{state.name}.{endpoint}".lstrip(".")] = function


class SocketView:
    """The view of one socket path, which takes its handshakes."""

    def __init__(self, app: Flask, function: Function, socket: DeclaredSocket, slots: Slots) -> None:
        #: the function that declares the path
        self.function = function
        #: the socket as it was declared
        self.socket = socket
        self._app = app
        self._mount = function.url_prefix
        self._slots = slots
        self._has_warned_of_reuse = False
        self._export = Export(socket.name, Kind.WEBSOCKET, shown_path=socket.path)
        origins: str | None = function.config["SINCHFN_WS_ORIGINS"]
        self._origins = origins.split(",") if origins else []
        self._guard = DevelopmentGuard(function.config) if function.config.is_development else None

    def __call__(self, **variables: Any) -> Response:
        token = self._read_token()
        progress = self.progress(has_token=isinstance(token, StreamToken))
        with bound_to(progress):
            try:
                transport, call_id = self._let_in(progress, token)
            except HTTPException as error:
                progress.refuse(error, error.description)
                progress.response = error_response(error, progress.request_id)
                conclude(progress)
                return progress.response
            return self._begin(progress, transport, call_id, variables)

    def progress(self, *, has_token: bool = False) -> Progress:
        """Return the progress of the current request. The token is removed from the URL.

        :param has_token: the URL has a valid token. On an open path any other ``token`` belongs to the function.
        """
        if has_token or self.socket.is_protected:
            _forget_token(flask_request())
        incoming = Incoming(flask_request(), self._path(), self.function.config["SINCHFN_MAX_BODY"])
        return Progress(self._app, self.function, self._export, incoming)

    def _path(self) -> str:
        return request.path.removeprefix(self._mount)

    # --- before the handshake is accepted ---------------------------------------------------------------------------

    def _read_token(self) -> StreamToken | TokenError | None:
        """Return the token in the URL, or the reason why it is not valid; None if the function has no key."""
        key = self.function.stream_key
        if key is None:
            return None
        try:
            token = token_in(request.environ.get("QUERY_STRING", ""))
            return read_token(token, f"/{self._path().lstrip('/')}", key, self._mount)
        except TokenError as error:
            return error

    def _let_in(self, progress: Progress, token: StreamToken | TokenError | None) -> tuple[Transport, str | None]:
        """Take a slot. Return the connection, and the id of the call that it belongs to.

        :raises HTTPException: the handshake is refused.
        """
        environ = progress.environ
        refuse_handshake(environ)
        if self._guard is not None and (refusal := self._guard.refusal(request, is_handshake=True)):
            raise refusal
        self._check_origin(environ)
        refuse_unstarted(self.function)
        if isinstance(token, TokenError) and self.socket.is_protected:
            raise self._forbidden(str(token))
        # A request without a valid token must not take a slot, and a token must not be used up if no slot is free.
        if not self._slots.take():
            most = self.function.config["SINCHFN_WS_MAX_SOCKETS"]
            _log.warning(
                "A socket was refused: all %d slots of SINCHFN_WS_MAX_SOCKETS are taken, or the process is stopping.",
                most,
            )
            raise ServiceUnavailable("The server cannot open more sockets at the moment.", retry_after=RETRY_AFTER)
        try:
            call_id = self._use_up(token, environ) if isinstance(token, StreamToken) else None
            if (transport := take_over(environ)) is None:
                raise exceptions.NotImplemented(NO_ACCESS)  # noqa: TRY301
            return transport, call_id
        except BaseException:
            self._slots.give_back()
            raise

    def _check_origin(self, environ: dict[str, Any]) -> None:
        try:
            check_origin(environ, self._origins)
        except HandshakeError as error:
            origin = one_line(str(environ.get("HTTP_ORIGIN")))[:200]
            _log.warning("A socket was refused: the origin %s is not in SINCHFN_WS_ORIGINS.", origin)
            raise _Refusal(error) from None

    def _use_up(self, token: StreamToken, environ: dict[str, Any]) -> str | None:
        """Return the id of the call that the token was made for, if this is its first use.

        On an open path, a token that is not valid is ignored.

        :raises HTTPException: the token was used before, or this cannot be checked.
        """
        config = self.function.config
        # In production this is logged at the start. In development it depends on the server's number of processes.
        is_unshared = config.is_development and environ.get("wsgi.multiprocess") and not shares_cache(config)
        if is_unshared and not self._has_warned_of_reuse:
            self._has_warned_of_reuse = True
            _log.warning("%s: %s", self.socket.path, REUSABLE_TOKENS)
        try:
            # Remembered for longer than a token is valid, so that it has expired when its use is forgotten.
            if self.function.services.claims.use_up(f"stream/{token.once}", 2 * TOKEN_LIFETIME):
                return token.call_id
        except CacheError as error:
            _log.error("Cannot check whether the token of a socket was used before: %s", error)
            if self.socket.is_protected:
                message = "The server cannot check whether this URL was used before."
                raise ServiceUnavailable(message, retry_after=RETRY_AFTER) from None
            return None
        if self.socket.is_protected:
            raise self._forbidden("the token was used before")
        return None

    def _forbidden(self, why: str) -> Forbidden:
        _log.warning("A socket was refused: %s.", one_line(self.function.redact(why))[:300])
        return Forbidden("Invalid stream URL: already used, expired, or not issued by this app.")

    # --- after the handshake is accepted ----------------------------------------------------------------------------

    def _begin(
        self, progress: Progress, transport: Transport, call_id: str | None, variables: dict[str, Any]
    ) -> Response:
        config = self.function.config
        connection = Connection(
            transport,
            EVENT_LOOP,
            progress.context,
            limit=config["SINCHFN_WS_MAX_MESSAGE"],
            ping=config["SINCHFN_WS_PING"],
        )
        connection.call_id = call_id
        progress.environ[LOGGED_KEY] = True  # a line is logged at the end; the server's own would show the token
        # Answered before it is added to the slots, which may close it at once.
        connection.open(accepting(progress.environ, progress.request_id))
        response = _Upgraded(transport)
        give_back = partial(self._slots.give_back, connection)
        run = SocketRun(self._app, self.socket, progress, response, connection, variables, give_back)
        self._slots.add(connection, run)
        try:
            EVENT_LOOP.add(connection)
            if transport.is_pollable:  # a thread of its own, so that the server's is free
                threading.Thread(target=run.run, name="sinchfn-socket", daemon=True).start()
                return response
        except (OSError, RuntimeError) as error:  # the process has no more files, or threads
            run.give_up(error)
            return response
        self._app.do_teardown_appcontext(None)  # release what this request, which lasts as long as the socket, opened
        run.run(connection.serve)
        return response


class Slots(Forkable):
    """The open sockets of one function in one process, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._reset()
        across_forks(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0
        self._open: dict[Connection, SocketRun] = {}
        self._is_closing = False
        self._is_cut_off = False
        self._all_gone = threading.Condition(self._lock)

    def after_fork_in_child(self) -> None:
        # The sockets belong to the parent.
        self._reset()

    def take(self) -> bool:
        """Reserve a slot. Return False if none is free or the process is stopping."""
        with self._lock:
            is_free = self._taken < self._limit and not self._is_closing
            self._taken += is_free
        return is_free

    def give_back(self, connection: Connection | None = None) -> None:
        """Free a slot."""
        with self._lock:
            self._taken -= 1
            if connection is not None:
                self._open.pop(connection, None)
            self._all_gone.notify_all()

    def add(self, connection: Connection, run: SocketRun) -> None:
        """Register an open socket, in a slot that was taken for it."""
        with self._lock:
            self._open[connection] = run
            is_closing = self._is_closing
        if is_closing:
            connection.close(GOING_AWAY, STOPPING)

    def close_all(self) -> None:
        """Close all sockets with 1001, and open no more."""
        with self._lock:
            self._is_closing = True
            connections = list(self._open)
        for connection in connections:
            connection.close(GOING_AWAY, STOPPING)

    def see_off(self, patience: float) -> None:
        """Wait up to `patience` seconds for the handlers of closed sockets. Each leaves a record, even if it hangs.

        If a callback hangs, the other sockets of the event loop are ended on threads of their own.
        """
        began = time.monotonic()
        while (left := began + (1 - ON_CLOSE_SHARE) * patience - time.monotonic()) > 0:
            asked = EVENT_LOOP.ask()
            if self._wait(min(left, CHECK_EVERY, patience / 4)):
                return
            if not EVENT_LOOP.has_answered(asked):
                for _, run in self._left():
                    run.end_apart()
        for connection, run in self._left():
            connection.hurry()
            run.end_apart()
        if not self._wait(max(0.0, began + patience - time.monotonic())):
            for _, run in self._left():
                guarded(run.cut_off)
            self._is_cut_off = True

    def _wait(self, seconds: float) -> bool:
        with self._lock:
            return self._all_gone.wait_for(lambda: not self._taken or self._is_cut_off, seconds)

    def _left(self) -> list[tuple[Connection, SocketRun]]:
        with self._lock:
            return list(self._open.items())


class _Upgraded(Response):
    """The response to a handshake. Nothing of it must reach the peer."""

    default_status = 101

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._is_held = not transport.is_pollable

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if self._is_held and "gunicorn.socket" in environ:
            # gunicorn still has the connection. It closes it silently when this is raised.
            raise StopIteration
        # The server writes to a connection without a peer.
        return super().__call__(environ, start_response)


def _forget_token(request: Request) -> None:
    """Remove the token from the request, so that nothing can log it."""
    environ = request.environ
    for name in ("RAW_URI", "REQUEST_URI"):
        if isinstance(environ.get(name), str):
            path, _, query = environ[name].partition("?")
            kept = drop_token(query)
            environ[name] = f"{path}?{kept}" if kept else path
    environ["QUERY_STRING"] = drop_token(environ.get("QUERY_STRING", ""))
    # Flask's request has copied the query string, and may have cached what it parsed.
    request.query_string = drop_token(request.query_string.decode("latin-1")).encode("latin-1")
    for name in ("args", "values", "full_path", "url"):
        vars(request).pop(name, None)


def refuse_handshake(environ: dict[str, Any]) -> None:
    """Check that the request is a valid handshake.

    :raises HTTPException: it is not; the status is 405, 426 or 400.
    """
    try:
        check_handshake(environ)
    except HandshakeError as error:
        raise _Refusal(error) from None


class _Refusal(HTTPException):
    """An HTTP error for an invalid handshake."""

    def __init__(self, error: HandshakeError) -> None:
        super().__init__(error.sentence)
        self.code = error.status
        self._headers = list(error.headers)

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        return self._headers
