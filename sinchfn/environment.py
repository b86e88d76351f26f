"""The process environment, without what Flask's command has put there from a ``.env`` that it found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click
from dotenv import dotenv_values, find_dotenv
from dotenv.variables import parse_variables
from flask.cli import ScriptInfo
from flask.helpers import get_load_dotenv
from werkzeug.serving import is_running_from_reloader

from .config import FunctionConfig
from .config.sources import read_dotenv
from .redaction import is_secret

#: What Flask looks for in the working directory and above it; the last has the last word.
FOUND_BY_FLASK = (".flaskenv", ".env")


def process_environment(folder: Path, *, embedded: bool = False) -> Mapping[str, str]:
    """The environment as this process was given it, whichever server runs.

    ``flask run`` sets variables from a ``.env`` in the working directory, with ``${OTHER}`` expanded. To a function,
    these would look like the process environment, which goes before its own ``.env``.

    :param folder: of the function.
    :param embedded: the app is somebody else's, whose variables these are: then they only yield to the function's own.
    """
    loaded = loaded_by_flask()
    if embedded:
        loaded &= set(read_dotenv(folder / ".env")[0])
    return {name: value for name, value in os.environ.items() if name not in loaded} if loaded else os.environ


def loaded_by_flask() -> set[str]:
    """Names of the variables that Flask's command has set from a file that it found by itself."""
    if not _loads_by_itself():
        return set()
    files = [file for name in FOUND_BY_FLASK if (file := find_dotenv(name, usecwd=True))]
    written = [dotenv_values(file, interpolate=False, encoding="utf-8") for file in files]
    given = _given_names()
    before = {name: value for name, value in os.environ.items() if name in given or not any(name in w for w in written)}
    found = {name: value for values in written for name, value in _expanded(values, before).items()}
    return {name for name, value in found.items() if value and os.environ.get(name) == value and name not in given}


def _expanded(values: Mapping[str, str | None], environ: Mapping[str, str]) -> dict[str, str]:
    """The values of a file as python-dotenv expands them for Flask."""
    expanded: dict[str, str] = {}
    for name, text in values.items():
        known = {**environ, **expanded}
        expanded[name] = "".join(part.resolve(known) for part in parse_variables(text or ""))
    return expanded


def loaded_secrets() -> list[str]:
    """The secrets among these variables, which the function may still read from ``os.environ`` and log."""
    return [os.environ[name] for name in loaded_by_flask() if is_secret(name)]


def overlooked(config: FunctionConfig) -> list[str]:
    """A warning that names the settings that Flask's command has set, and that count as not set."""
    known = {*config.settings, *config.declared}
    names = ", ".join(sorted(name for name in loaded_by_flask() if name in known and name not in config.env))
    if not names:
        return []
    return [
        f"{names} comes from a {' or '.join(FOUND_BY_FLASK)} that Flask's command has read in {Path.cwd()}, and counts "
        f"as not set. A function has a .env of its own: write it into {config.folder / '.env'}, or set it in the "
        "environment."
    ]


def _loads_by_itself() -> bool:
    context = click.get_current_context(silent=True)
    info = None if context is None else context.find_object(ScriptInfo)
    if info is not None:
        return info.load_dotenv_defaults
    # app.run() does it too, after the app is made; the process that its reloader starts has inherited it.
    return is_running_from_reloader() and get_load_dotenv()


def _given_names() -> set[str]:
    """Names of the variables that this process was started with, where the system tells.

    A shell or an editor may have read the same file: what it has set is the process environment.
    """
    process = os.getppid() if is_running_from_reloader() else "self"
    try:
        given = Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return set()
    return {os.fsdecode(entry.partition(b"=")[0]) for entry in given.split(b"\0")}
