"""Before a function is loaded: its settings are read, so that the log is set up and the secrets in it are known."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import click
from flask import Flask
from flask.cli import ScriptInfo
from flask.helpers import get_debug_flag

from .config import FunctionConfig, read_config
from .environment import process_environment
from .errors import StartupError
from .loading import default_source, folder_for, folder_of
from .redaction import Redaction


def in_debug_mode() -> bool:
    """Return True in Flask's own command line with debug mode on, as in ``flask run --debug``.

    There development is the default environment, as in ``sinchfn dev``. ``FLASK_DEBUG`` and ``app.debug`` alone do not
    count: any server may find them set, and development verifies no signatures.
    """
    command = click.get_current_context(silent=True)
    return command is not None and command.find_object(ScriptInfo) is not None and get_debug_flag()


def settings_ahead(
    source: str | Path | ModuleType | None,
    overrides: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    host: Flask | None = None,
    debug: bool = False,
) -> FunctionConfig:
    """The settings of a function that is not loaded yet, as far as they can be read. Their faults are for later."""
    folder = folder_ahead(source_in(host, overrides) if source is None else source, folder_of_host(host))
    environ = process_environment(folder) if environ is None else environ
    return read_config(folder, overrides, environ=environ, host=host.config if host is not None else None, debug=debug)[
        0
    ]


def source_in(host: Flask | None, overrides: Mapping[str, object] | None) -> str:
    """Where the function is when nobody says, in an app of its own or in that of a host."""
    return default_source(overrides, host.config if host is not None else None, beside=folder_of_host(host))


def folder_of_host(host: Flask | None) -> Path | None:
    """The folder of somebody else's app, which relative paths are relative to."""
    return Path(host.root_path) if host is not None else None


def folder_ahead(source: str | Path | ModuleType, beside: Path | None = None) -> Path:
    """The folder of a function that is not loaded yet; where nothing is found, the one it would be in."""
    if isinstance(source, ModuleType):
        return folder_of(source)
    try:
        return folder_for(str(source), beside)
    except (ImportError, ValueError, OSError):  # no such package; what is to be said of it, loading it will say
        return Path.cwd()


@contextmanager
def without_secrets(redact: Redaction) -> Iterator[None]:
    """A start-up error that is raised in this block carries no secret, neither in its message nor in its causes."""
    try:
        yield
    except StartupError as error:
        trace = "".join(traceback.format_exception(error))
        if redact(trace) == trace:
            raise
        raise type(error)(redact(str(error))) from None
