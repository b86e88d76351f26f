"""The ``sinchfn`` command: Flask's commands, and our own."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import click
from flask import Flask, Response
from flask.cli import FlaskGroup
from werkzeug.serving import WSGIRequestHandler, is_running_from_reloader, make_server, run_simple

from . import __version__
from .app import begin_log, build_app, create_app
from .assembly import make_function
from .config import DEFAULT, ENVIRONMENT, LOCATION, FunctionConfig, load_config, read_config
from .config.listing import HEAD, Listing, Row, make_listing, table_of
from .errors import StartupError
from .exports import CALLBACKS
from .invocation import LOGGED_KEY
from .jsontext import loads
from .lifecycle import AT_EXIT, start_all, stop_all
from .loading import default_source, load_function
from .protection import MAKE
from .redaction import brief, one_line, without_token
from .requests import flask_request, request_id_of
from .responses import error_response
from .services.logs import owned_by, set_up_logging
from .services.shared import check_services
from .signatures import VARIABLES, ApplicationScheme, scheme_at
from .startup import folder_ahead, in_debug_mode, settings_ahead, without_secrets
from .visitors import Visitors

_log = logging.getLogger("sinchfn")

#: Where gunicorn and ``sinchfn dev`` listen by default.
LOCAL = "http://127.0.0.1:8000"

#: Where signed calls are sent to, for messages.
SIGNED = (
    "the root and the callbacks",
    *(f"/webhook/{name}" for name in ("conversation", "sms", "elevenlabs", "elevenlabs-init")),
)

#: Status of a process that ended because a file changed: Werkzeug's.
RELOAD = 3

#: What ``sinchfn dev`` watches besides the modules that are loaded.
WATCHED = ("*.py", "*/*.py", ".env", "sinch.json")


class _Commands(FlaskGroup):
    """Flask's commands, those of its plugins, and ours. An app of a function brings none: it is not loaded for them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load_plugin_commands()
        return sorted(self.commands)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        self._load_plugin_commands()
        return self.commands.get(name)


@click.group(cls=_Commands, create_app=create_app, add_version_option=False, load_dotenv=False)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Run communication functions: voice callbacks, webhooks and HTTP endpoints out of one function.py."""


@main.command(with_appcontext=False)
@click.argument("function", required=False)
def routes(function: str | None) -> None:
    """Show the handlers of FUNCTION and the paths that reach them.

    FUNCTION is as for `dev`. It is loaded, and nothing is served; warnings go to standard error.
    """
    source = function or default_source()
    debug = in_debug_mode()
    config = settings_ahead(source, debug=debug)
    set_up_logging("text", max(config["SINCHFN_LOG_LEVEL"], logging.WARNING))
    with without_secrets(config.redact), owned_by(config.redact):
        made = make_function(source, None, debug=debug)
    for line in made.table():
        click.echo(line)
    for warning in made.warnings:
        click.secho(f"Warning: {config.redact(warning)}", err=True, fg="yellow")


@main.command(with_appcontext=False)
@click.argument("function", required=False)
@click.option("--dev", "debug", is_flag=True, help="As under `sinchfn dev`, where development is the default.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object.")
def config(function: str | None, debug: bool, as_json: bool) -> None:
    """Show every setting of FUNCTION: its value, where it came from, what it means.

    Then the variables that its .env and sinch.json name. Secrets are masked. The function itself is not loaded, so it
    may be broken; nor need the settings be right: what is wrong is listed, and the exit status is 1.
    """
    source = function or default_source()
    folder = folder_ahead(source)
    if not folder.is_dir():
        raise click.UsageError(f"There is no folder {folder}.")
    debug = debug or in_debug_mode()
    found, faults = read_config(folder, debug=debug)
    origin = "argument" if function else ENVIRONMENT if os.environ.get(LOCATION) else DEFAULT
    location = Row(LOCATION, source, origin, "the function: a file, its folder, or a module")
    warnings, more = _services_checked(found)
    faults = (*faults, *more)
    listing = make_listing(found, faults, location, debug=debug, warnings=warnings)
    click.echo(json.dumps(listing.to_json(), indent=2)) if as_json else _show(listing)
    if faults:
        raise SystemExit(1)


def _services_checked(config: FunctionConfig) -> tuple[list[str], list[str]]:
    """What start-up would warn about and fault in the settings of the services."""
    try:
        return check_services(config), []
    except StartupError as error:
        return [], [config.redact(str(error))]


def _show(listing: Listing) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() or os.environ.get("COLUMNS") else None
    config = listing.config
    _echo(one_line(f"{config.function_name}, {config.environment}, in {config.folder}") + "\n")
    for line in table_of(listing, width):
        row = line.row
        _echo(line.text, bold=row is HEAD, dim=row is not None and row.is_default)
    for kind, colour, sentences in (("Warning", "yellow", listing.warnings), ("Error", "red", listing.faults)):
        for sentence in sentences:
            _echo("")
            lines = textwrap.wrap(one_line(f"{kind}: {sentence}"), width or 10_000, break_on_hyphens=False)
            _echo("\n".join(lines), fg=colour)


def _echo(text: str, **style: Any) -> None:
    click.echo(click.style(text, **style), color=False if os.environ.get("NO_COLOR") else None)


@main.command(with_appcontext=False)
@click.argument("function", required=False)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Interface to listen on; 0.0.0.0 is open to the network."
)
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True, help="Port to listen on.")
def dev(function: str | None, host: str, port: int) -> None:
    """Serve FUNCTION for development; load it anew when a file changes.

    FUNCTION is a function.py or its folder; default: SINCHFN_FUNCTION, else ./function.py. Signatures are not checked
    (unless WEBHOOK_PROTECTION=always), SVAML is checked strictly, errors show their cause.
    """
    source = function or default_source()
    if not Path(source).exists():
        load_function(source)  # says what is missing
    folder = folder_ahead(source)
    settings = settings_ahead(source, debug=True)
    begin_log(settings)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # its banner; what there is to say, we say
    if not is_running_from_reloader():
        _keep_serving(host, port)
    try:
        run_simple(
            host,
            port,
            _app_or_problem(function, settings, _address(host, port)),
            use_reloader=True,
            reloader_type="stat",  # watchdog 7 and later makes Werkzeug's own choice fall silent
            extra_files=[str(file) for pattern in WATCHED for file in folder.glob(pattern)],
            threaded=True,
            request_handler=_RequestHandler,
        )
    finally:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending already
        finally:
            stop_all(AT_EXIT)


def _keep_serving(host: str, port: int) -> NoReturn:
    """Run this command in a process that serves, and again as often as it ends for a change.

    As Werkzeug does it, which would kill that process when this one is to end, before its shutdown functions have run.
    """
    server = make_server(host, port, _not_served)  # kept from one process to the next: none that calls is turned away
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
        if is_ending.is_set():  # it was told before there was anybody to pass it on to
            serving[0].terminate()
        status = serving[0].wait()
    if is_ending.is_set():
        raise SystemExit(0)
    if status < 0:
        _log.error("The process that serves was killed: %s.", signal.Signals(-status).name)
    raise SystemExit(status if status >= 0 else 128 - status)


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _app_or_problem(function: str | None, settings: FunctionConfig, address: str) -> Any:
    until = "loaded anew when a file changes (Ctrl-C ends it)"
    try:
        app = build_app(function, debug=True)
        start_all()
    except StartupError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None
        # Stay up, so that the reloader sees the file being mended.
        _log.error("%s", error, extra={"is_block": True})
        _log.info("Serving this error at %s; the function is %s", address, until)
        return _problem(str(error), settings)
    _log.info("Serving %s at %s; %s", app.extensions["sinchfn"][0].name, address, until)
    return app


def _problem(message: str, settings: FunctionConfig) -> Flask:
    app = Flask("sinchfn", static_folder=None)
    visitors = Visitors(settings)

    @app.before_request
    def refuse_foreign() -> Response | None:
        refusal = visitors.refusal(flask_request())
        return None if refusal is None else error_response(refusal, request_id_of(flask_request().environ))

    @app.errorhandler(404)
    def explain(_: Exception) -> tuple[dict[str, str], int]:
        return {"error": message}, 500

    return app


def _not_served(environ: Any, start_response: Any) -> Any:
    raise AssertionError("the watching process serves nothing")


class _RequestHandler(WSGIRequestHandler):
    """A line for what the function's log has no line for: 404s and static files."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        environ = getattr(self, "environ", None)
        if environ is None:
            super().log_request(code, size)
        elif LOGGED_KEY not in environ:
            status = int(code) if isinstance(code, int) else 0  # an HTTPStatus is one, and shows its name
            is_odd = (
                status >= 400 and urlsplit(self.path).path != "/favicon.ico"
            )  # which browsers ask for by themselves
            level = logging.WARNING if is_odd else logging.INFO
            fields = {"request_id": request_id_of(environ)}
            _log.log(
                level,
                "%s %s %s",
                brief(str(self.command)),
                brief(without_token(self.path)),
                status or code,
                extra={"sinchfn": fields},
            )


@main.command(with_appcontext=False)
@click.argument("payload", type=click.File("rb"))
@click.option("--url", help=f"URL to call; default: {LOCAL}, or SINCHFN_PUBLIC_URL with --public.")
@click.option("--public", is_flag=True, help="Call SINCHFN_PUBLIC_URL instead of this machine.")
@click.option("--function", "source", help="The function whose settings are used; default as for `dev`.")
def sign(payload: Any, url: str | None, public: bool, source: str | None) -> None:
    """Print a curl command that posts PAYLOAD with a valid signature.

    PAYLOAD is a JSON file with a call event, or - for standard input. Key and secret are VOICE_APPLICATION_KEY and
    VOICE_APPLICATION_SECRET, from the environment or the function's .env. With the --url of a webhook, such as
    http://127.0.0.1:8000/webhook/conversation, it is signed as the sender of that webhook does it. The signature holds
    for as long as SINCHFN_WEBHOOK_TOLERANCE says, five minutes by default (of ElevenLabs' events half an hour).
    """
    body = payload.read()
    folder = folder_ahead(source or default_source())
    if source and not folder.is_dir():
        raise click.UsageError(f"There is no folder {folder}.")
    config = load_config(folder)
    target = url or (config["SINCHFN_PUBLIC_URL"] if public else LOCAL)
    if not target:
        raise click.UsageError("--public needs SINCHFN_PUBLIC_URL to be set.")
    headers = _signed_headers(target, body, config)
    data = f"@{payload.name}" if payload.name != "<stdin>" else body.decode("utf-8", "replace")
    parts = ["curl", "-sS", target, *(f"-H{name}: {value}" for name, value in headers.items()), "--data-binary", data]
    click.echo(" ".join(shlex.quote(part) for part in parts))


def _signed_headers(target: str, body: bytes, config: FunctionConfig) -> dict[str, str]:
    path = urlsplit(target).path
    if "/webhook/" in path and scheme_at(path) is None:
        raise click.UsageError(f"Nobody signs what is sent to {path}. Signed are {', '.join(SIGNED)}.")
    name = scheme_at(path) or "application"
    for variable in VARIABLES[name]:
        config.require_secret(variable)
    scheme = MAKE[name](config)
    if not isinstance(scheme, ApplicationScheme):
        return {"content-type": "application/json", **scheme.headers(body)}
    _warn_about(body, path)
    return scheme.headers("POST", _signed_path(target, config), "application/json", body)


def _signed_path(target: str, config: FunctionConfig) -> str:
    # A server that knows its public URL expects that URL's path to be signed, wherever it is really called.
    path = urlsplit(target).path or "/"
    public = config["SINCHFN_PUBLIC_URL"]
    base = urlsplit(public).path if public else ""
    if not base or path == base or path.startswith(f"{base}/"):
        return path
    return base + path if path != "/" else base


def _warn_about(body: bytes, path: str) -> None:
    try:
        event = loads(body).get("event")
    except (ValueError, AttributeError):
        click.secho("The payload is not a JSON object; the function will answer 400.", err=True, fg="yellow")
        return
    if str(event).lower() not in CALLBACKS and scheme_at(path) is None:
        click.secho(
            f"The payload has no event out of {', '.join(CALLBACKS)}: sent to {path or '/'}, it is no callback. "
            "Add one, or give --url with the path of the callback, such as --url http://127.0.0.1:8000/ice",
            err=True,
            fg="yellow",
        )
