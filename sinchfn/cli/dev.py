"""The ``sinchfn dev`` command: serve a function for development, and reload it when a file changes."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import click
from flask import Flask, Response
from werkzeug.serving import WSGIRequestHandler, is_running_from_reloader, make_server, run_simple

from ..app.factory import begin_log, build_app
from ..app.startup import folder_ahead, settings_ahead
from ..config.config import FunctionConfig
from ..errors import StartupError
from ..function.invocation import LOGGED_KEY
from ..function.lifecycle import AT_EXIT, start_all, stop_all
from ..function.loading import default_source, load_function
from ..function.request import request_id_of
from ..logs.redaction import brief, without_token
from ..serving.development import DevelopmentGuard
from ..serving.responses import error_response
from ..serving.views import flask_request

_log = logging.getLogger("sinchfn")

#: The files that are watched besides the modules that are loaded.
WATCHED = ("*.py", "*/*.py", ".env", "sinch.json")

#: Werkzeug's exit status of a process that ended because a file changed.
RELOAD = 3


@click.command()
@click.argument("function", required=False)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Interface to listen on; 0.0.0.0 is open to the network."
)
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True, help="Port to listen on.")
def dev(function: str | None, host: str, port: int) -> None:
    """Serve FUNCTION for development; reload it when a file changes.

    FUNCTION is a function.py or its folder; default: SINCHFN_FUNCTION, else ./function.py. Signatures are not verified
    (unless WEBHOOK_PROTECTION=always), SVAML is checked strictly, errors show their cause.
    """
    source = function or default_source()
    if not Path(source).exists():
        load_function(source)  # its error says what is missing
    folder = folder_ahead(source)
    settings = settings_ahead(source, debug=True)
    begin_log(settings)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # its banner; we log our own
    if not is_running_from_reloader():
        supervise(host, port)
    try:
        run_simple(
            host,
            port,
            _app_or_error(function, settings, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"),
            use_reloader=True,
            reloader_type="stat",  # with watchdog 7 and later, Werkzeug's default choice logs nothing
            extra_files=[str(file) for pattern in WATCHED for file in folder.glob(pattern)],
            threaded=True,
            request_handler=_RequestHandler,
        )
    finally:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this process is ending already
        finally:
            stop_all(AT_EXIT)


def supervise(host: str, port: int) -> NoReturn:
    """Run this command in a process that serves, and run it again each time that process ends for a reload.

    Werkzeug's own reloader would kill the serving process at the end, before its shutdown functions have run.
    """
    server = make_server(host, port, Flask("sinchfn"))  # the serving processes inherit its socket: no call is refused
    server.socket.set_inheritable(True)
    environ = {**os.environ, "WERKZEUG_RUN_MAIN": "true", "WERKZEUG_SERVER_FD": str(server.fileno())}
    serving: list[subprocess.Popen[bytes]] = []
    is_ending = threading.Event()

    def end(*_: object) -> None:
        is_ending.set()
        for process in serving:
            process.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    status = RELOAD
    while status == RELOAD and not is_ending.is_set():
        command = [sys.executable, *sys.orig_argv[1:]]
        serving[:] = [subprocess.Popen(command, env=environ, close_fds=False)]  # noqa: S603 - this very command
        if is_ending.is_set():  # the signal came before there was a process to pass it on to
            serving[0].terminate()
        status = serving[0].wait()
    if is_ending.is_set():
        raise SystemExit(0)
    if status < 0:
        _log.error("The process that serves was killed: %s.", signal.Signals(-status).name)
    raise SystemExit(status if status >= 0 else 128 - status)


def _app_or_error(function: str | None, settings: FunctionConfig, address: str) -> Any:
    """Return the app, or one that answers every request with the error of its start."""
    try:
        app = build_app(function, debug=True)
        start_all()
    except StartupError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None
        _log.error("%s", error, extra={"is_block": True})
        _log.info("Serving this error at %s; reloads when a file changes (Ctrl-C to quit)", address)
        return _error_app(str(error), settings)
    name = app.extensions["sinchfn"][0].name
    _log.info("Serving %s at %s; reloads when a file changes (Ctrl-C to quit)", name, address)
    return app


def _error_app(message: str, settings: FunctionConfig) -> Flask:
    app = Flask("sinchfn", static_folder=None)
    guard = DevelopmentGuard(settings)

    @app.before_request
    def refuse_foreign() -> Response | None:
        refusal = guard.refusal(flask_request())
        return None if refusal is None else error_response(refusal, request_id_of(flask_request().environ))

    @app.errorhandler(404)
    def explain(_: Exception) -> tuple[dict[str, str], int]:
        return {"error": message}, 500

    return app


class _RequestHandler(WSGIRequestHandler):
    """Logs the requests that the function's log has no line for: 404s and static files."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        environ = getattr(self, "environ", None)
        if environ is None:
            super().log_request(code, size)
        elif LOGGED_KEY not in environ:
            status = int(code) if isinstance(code, int) else 0  # an HTTPStatus is an int, and would show its name
            is_odd = status >= 400 and urlsplit(self.path).path != "/favicon.ico"  # browsers request it on their own
            _log.log(
                logging.WARNING if is_odd else logging.INFO,
                "%s %s %s",
                brief(str(self.command)),
                brief(without_token(self.path)),
                status or code,
                extra={"sinchfn": {"request_id": request_id_of(environ)}},
            )
