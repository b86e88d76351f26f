"""The steps before a function is loaded: its settings are read, to set up the log and to know the secrets in it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import click
from dotenv import dotenv_values, find_dotenv
from dotenv.variables import parse_variables
from flask import Flask
from flask.cli import ScriptInfo
from flask.helpers import get_debug_flag, get_load_dotenv
from werkzeug.serving import is_running_from_reloader

from ..config.config import FunctionConfig, read_config
from ..config.sources import read_dotenv
from ..errors import StartupError
from ..function.loading import default_source, folder_for, folder_of
from ..logs.redaction import Redaction, is_secret

#: The files that Flask looks for in the working directory and above it. The last one wins.
FOUND_BY_FLASK = (".flaskenv", ".env")


def process_environment(folder: Path, *, embedded: bool = False) -> Mapping[str, str]:
    """Return the environment that this process was started with, whichever server runs.

    ``flask run`` sets variables from a ``.env`` in the working directory, with ``${OTHER}`` expanded. To a function,
    these would look like the process environment, which takes precedence over its own ``.env``.

    :param folder: of the function.
    :param embedded: the function is mounted in a host's app, which owns these variables. They count, unless the
        function's own ``.env`` has them.
    """
    loaded = loaded_by_flask()
    if embedded:
        loaded &= set(read_dotenv(folder / ".env")[0])
    return {name: value for name, value in os.environ.items() if name not in loaded} if loaded else os.environ


def loaded_by_flask() -> set[str]:
    """Return the names of the variables that Flask's command has set from a file that it found by itself."""
    context = click.get_current_context(silent=True)
    info = None if context is None else context.find_object(ScriptInfo)
    # app.run() loads them too, after the app is made. The process that its reloader starts inherits them.
    if not (info.load_dotenv_defaults if info is not None else is_running_from_reloader() and get_load_dotenv()):
        return set()
    files = [file for name in FOUND_BY_FLASK if (file := find_dotenv(name, usecwd=True))]
    written = [dotenv_values(file, interpolate=False, encoding="utf-8") for file in files]
    given = _given_names()
    before = {name: value for name, value in os.environ.items() if name in given or not any(name in w for w in written)}
    found: dict[str, str] = {}
    for values in written:
        known = dict(before)
        for name, text in values.items():  # expanded as python-dotenv does it for Flask
            found[name] = known[name] = "".join(part.resolve(known) for part in parse_variables(text or ""))
    return {name for name, value in found.items() if value and os.environ.get(name) == value and name not in given}


def loaded_secrets() -> list[str]:
    """Return the secrets among these variables. The function may still read them from ``os.environ`` and log them."""
    return [os.environ[name] for name in loaded_by_flask() if is_secret(name)]


def ignored_settings(config: FunctionConfig) -> list[str]:
    """Return a warning that names the settings that Flask's command has set, and which count as not set."""
    known = {*config.settings, *config.declared}
    names = ", ".join(sorted(name for name in loaded_by_flask() if name in known and name not in config.env))
    if not names:
        return []
    return [
        f"{names} comes from a {' or '.join(FOUND_BY_FLASK)} that Flask's command has read in {Path.cwd()}, and counts "
        f"as not set. A function has its own .env: write it into {config.folder / '.env'}, or set it in the "
        "environment."
    ]


def _given_names() -> set[str]:
    """Return the names of the variables that this process was started with, if the system tells.

    They count as the process environment, also if a shell or an editor has read them from the same file.
    """
    process = os.getppid() if is_running_from_reloader() else "self"
    try:
        given = Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return set()
    return {os.fsdecode(entry.partition(b"=")[0]) for entry in given.split(b"\0")}


def in_debug_mode() -> bool:
    """Return True in Flask's own command line with debug mode on, as in ``flask run --debug``.

    Development is then the default environment, as in ``sinchfn dev``. ``FLASK_DEBUG`` and ``app.debug`` alone do not
    count: they may be set for any server, and development verifies no signatures.
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
    """Return the settings of a function that is not loaded yet. Their faults are reported when it is loaded."""
    folder = folder_ahead(source_in(host, overrides) if source is None else source, folder_of_host(host))
    environ = process_environment(folder) if environ is None else environ
    return read_config(folder, overrides, environ=environ, host=host.config if host is not None else None, debug=debug)[
        0
    ]


def source_in(host: Flask | None, overrides: Mapping[str, object] | None) -> str:
    """Return the function to load when none is named, in an app of its own or in that of a host."""
    return default_source(overrides, host.config if host is not None else None, beside=folder_of_host(host))


def folder_of_host(host: Flask | None) -> Path | None:
    """Return the folder of a host's app, which relative paths are relative to."""
    return Path(host.root_path) if host is not None else None


def folder_ahead(source: str | Path | ModuleType, beside: Path | None = None) -> Path:
    """Return the folder of a function that is not loaded yet. The function need not exist."""
    if isinstance(source, ModuleType):
        return folder_of(source)
    try:
        return folder_for(str(source), beside)
    except (ImportError, ValueError, OSError):  # no such package: loading it will say so
        return Path.cwd()


@contextmanager
def without_secrets(redact: Redaction) -> Iterator[None]:
    """Strike secrets out of a start-up error that is raised in this block. Causes that hold one are dropped."""
    try:
        yield
    except StartupError as error:
        trace = "".join(traceback.format_exception(error))
        if redact(trace) == trace:
            raise
        raise type(error)(redact(str(error))) from None
