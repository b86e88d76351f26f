"""The ``sinchfn`` command: Flask's commands, and our own."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from flask import Flask, current_app
from flask.cli import FlaskGroup, NoAppException
from flask.helpers import get_debug_flag
from werkzeug.serving import WSGIRequestHandler, is_running_from_reloader, run_simple

from .app import begin_log, build_app, create_app
from .config import DEFAULT, ENVIRONMENT, FunctionConfig, load_config, read_config
from .errors import StartupError
from .exports import CALLBACKS
from .invocation import LOGGED_KEY
from .jsontext import loads
from .listing import Columns, Listing, Row, columns_for, lines_of, make_listing
from .loading import default_source, load_function
from .requests import request_id_of
from .settings import LOCATION
from .signatures import ApplicationScheme
from .startup import folder_ahead, settings_ahead

_log = logging.getLogger("sinchfn")

#: Where gunicorn and ``sinchfn dev`` listen by default.
LOCAL = "http://127.0.0.1:8000"

#: What ``sinchfn dev`` watches besides the modules that are loaded.
WATCHED = ("*.py", "*/*.py", ".env", "sinch.json")


class _NoFunction(NoAppException):
    """A start-up error, shown as it is: it has its own place, cause and remedy."""

    def show(self, file: Any = None) -> None:
        click.secho(self.message, err=True, fg="red")


def _load() -> Flask:
    try:
        return create_app()
    except StartupError as error:
        raise _NoFunction(str(error)) from None


@click.group(cls=FlaskGroup, create_app=_load, add_version_option=False, load_dotenv=False)
@click.version_option(package_name="sinchfn", message="%(prog)s %(version)s")
def main() -> None:
    """Run communication functions: voice callbacks, webhooks and HTTP endpoints out of one function.py."""


@main.command()
def routes() -> None:
    """Show the handlers and the paths that reach them."""
    for function in current_app.extensions["sinchfn"]:
        for line in function.table():
            click.echo(line)


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
    debug = debug or get_debug_flag()
    found, faults = read_config(folder, debug=debug)
    origin = "argument" if function else ENVIRONMENT if os.environ.get(LOCATION) else DEFAULT
    location = Row(LOCATION, source, origin, "the function: a file, its folder, or a module")
    listing = make_listing(found, faults, location, debug=debug)
    click.echo(json.dumps(listing.to_json(), indent=2)) if as_json else _show(listing)
    if faults:
        raise SystemExit(1)


def _show(listing: Listing) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() or os.environ.get("COLUMNS") else None
    columns = columns_for([_HEAD, *listing.settings, *listing.variables], width)
    _echo(f"{listing.config.function_name}, {listing.config.environment}, in {listing.config.folder}\n")
    for row in (_HEAD, *listing.settings):
        _show_row(row, columns)
    if listing.variables:
        _echo("\nVariables of the function")
        for row in listing.variables:
            _show_row(row, columns)
    for kind, colour, sentences in (("Warning", "yellow", listing.warnings), ("Error", "red", listing.faults)):
        for sentence in sentences:
            _echo("")
            lines = textwrap.wrap(f"{kind}: {sentence}", width or 10_000, break_on_hyphens=False)
            _echo("\n".join(lines), fg=colour)


#: The head of the table.
_HEAD = Row("Setting", "Value", "From", "Meaning")


def _show_row(row: Row, columns: Columns) -> None:
    for line in lines_of(row, columns):
        _echo(line, bold=row is _HEAD, dim=row.is_default)


def _echo(text: str, **style: Any) -> None:
    click.echo(click.style(text, **style), color=False if os.environ.get("NO_COLOR") else None)


@main.command(with_appcontext=False)
@click.argument("function", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Interface to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
def dev(function: str | None, host: str, port: int) -> None:
    """Serve FUNCTION for development; load it anew when a file changes.

    FUNCTION is a function.py or its folder; default: SINCHFN_FUNCTION, else ./function.py. Signatures are not checked
    (unless WEBHOOK_PROTECTION=always), SVAML is checked strictly, errors show their cause.
    """
    source = function or default_source()
    if not Path(source).exists():
        load_function(source)  # says what is missing
    folder = folder_ahead(source)
    begin_log(settings_ahead(source, debug=True))
    # The process that only watches for changes need not load the function.
    app = _app_or_problem(function) if is_running_from_reloader() else _not_served
    run_simple(
        host,
        port,
        app,
        use_reloader=True,
        reloader_type="stat",  # watchdog 7 and later makes Werkzeug's own choice fall silent
        extra_files=[str(file) for pattern in WATCHED for file in folder.glob(pattern)],
        threaded=True,
        request_handler=_RequestHandler,
    )


def _app_or_problem(function: str | None) -> Any:
    try:
        return build_app(function, debug=True)
    except StartupError as error:
        # Stay up, so that the reloader sees the file being mended.
        _log.error("%s", error, extra={"is_block": True})
        return _problem(str(error))


def _problem(message: str) -> Flask:
    app = Flask("sinchfn", static_folder=None)

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
            level = logging.WARNING if status >= 400 else logging.INFO
            fields = {"request_id": request_id_of(environ)}
            _log.log(level, "%s %s %s", self.command, self.path, status or code, extra={"sinchfn": fields})


@main.command(with_appcontext=False)
@click.argument("payload", type=click.File("rb"))
@click.option("--url", help=f"URL to call; default: {LOCAL}, or SINCHFN_PUBLIC_URL with --public.")
@click.option("--public", is_flag=True, help="Call SINCHFN_PUBLIC_URL instead of this machine.")
@click.option("--function", "source", help="The function whose settings are used; default as for `dev`.")
def sign(payload: Any, url: str | None, public: bool, source: str | None) -> None:
    """Print a curl command that posts PAYLOAD with a valid signature.

    PAYLOAD is a JSON file with a call event, or - for standard input. Key and secret are VOICE_APPLICATION_KEY and
    VOICE_APPLICATION_SECRET, from the environment or the function's .env. The signature holds for as long as
    SINCHFN_WEBHOOK_TOLERANCE says, five minutes by default.
    """
    body = payload.read()
    _warn_about(body)
    config = load_config(folder_ahead(source or default_source()))
    target = url or (config["SINCHFN_PUBLIC_URL"] if public else LOCAL)
    if not target:
        raise click.UsageError("--public needs SINCHFN_PUBLIC_URL to be set.")
    key, secret = config.require_variable("VOICE_APPLICATION_KEY"), config.require_secret("VOICE_APPLICATION_SECRET")
    headers = ApplicationScheme(key, secret).headers("POST", _signed_path(target, config), "application/json", body)
    data = f"@{payload.name}" if payload.name != "<stdin>" else body.decode("utf-8", "replace")
    parts = ["curl", "-sS", target, *(f"-H{name}: {value}" for name, value in headers.items()), "--data-binary", data]
    click.echo(" ".join(shlex.quote(part) for part in parts))


def _signed_path(target: str, config: FunctionConfig) -> str:
    # A server that knows its public URL expects that URL's path to be signed, wherever it is really called.
    path = urlsplit(target).path or "/"
    public = config["SINCHFN_PUBLIC_URL"]
    base = urlsplit(public).path if public else ""
    if not base or path == base or path.startswith(f"{base}/"):
        return path
    return base + path if path != "/" else base


def _warn_about(body: bytes) -> None:
    try:
        event = loads(body).get("event")
    except (ValueError, AttributeError):
        click.secho("The payload is not a JSON object; the function will answer 400.", err=True, fg="yellow")
        return
    if str(event).lower() not in CALLBACKS:
        click.secho(
            f"The payload has no event out of {', '.join(CALLBACKS)}: sent to the root, it is no callback. "
            "Add one, or give --url with the path of the callback, such as --url http://127.0.0.1:8000/ice",
            err=True,
            fg="yellow",
        )
