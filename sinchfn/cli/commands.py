"""The ``sinchfn`` command: Flask's commands and our own, and ``routes``."""

from __future__ import annotations

import logging

import click
from flask.cli import FlaskGroup

from .. import __version__
from ..app.assembly import make_function
from ..app.factory import create_app
from ..app.startup import in_debug_mode, settings_ahead, without_secrets
from ..function.loading import default_source
from ..logs.handlers import set_up_logging
from ..logs.records import owned_by
from .config import config
from .dev import dev
from .sign import sign


class _Commands(FlaskGroup):
    """Flask's commands, those of its plugins, and ours. The app is not loaded to list them, because it adds none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load_plugin_commands()
        return sorted(self.commands)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        self._load_plugin_commands()
        return self.commands.get(name)


@click.group(cls=_Commands, create_app=create_app, add_version_option=False, load_dotenv=False)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Run communication functions: voice callbacks, webhooks and HTTP endpoints in one function.py."""


@main.command(with_appcontext=False)
@click.argument("function", required=False)
def routes(function: str | None) -> None:
    """Show the handlers of FUNCTION and the paths that reach them.

    FUNCTION is as for `dev`. It is loaded but not served; warnings go to standard error.
    """
    source = function or default_source()
    debug = in_debug_mode()
    settings = settings_ahead(source, debug=debug)
    set_up_logging("text", max(settings["SINCHFN_LOG_LEVEL"], logging.WARNING))
    with without_secrets(settings.redact), owned_by(settings.redact):
        made = make_function(source, None, debug=debug)
    for line in made.table():
        click.echo(line)
    for warning in made.warnings:
        click.secho(f"Warning: {settings.redact(warning)}", err=True, fg="yellow")


for command in (config, dev, sign):
    main.add_command(command)
