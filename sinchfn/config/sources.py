"""The files beside a function that hold its variables: the manifest ``sinch.json``, the ``.env``, secrets in files.

Also the names of variables: which ones sinchfn reads, and which look like misspelt ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from ..errors import did_you_mean, near_miss
from ..logs.redaction import is_secret
from ..wire import json
from .settings import LOCATION, SETTINGS

#: The keys of ``sinch.json`` that sinchfn reads, and what they take. Other keys belong to other tools.
#: ``secrets`` is sinchfn's own: the platform documents no way to mark a variable as secret.
KEYS: Mapping[str, tuple[type, str]] = {
    "name": (str, "a text"),
    "runtime": (str, "a text"),
    "description": (str, "a text"),
    "variables": (dict, "an object of names and values"),
    "secrets": (list, "a list of names of variables"),
}

#: The end of the name of a variable whose value is the path of a file with the secret in it.
SUFFIX = "_FILE"

#: The settings that may be read from a file: the secrets, what may hold a password, and what belongs to a secret.
FROM_FILE = (
    *(setting.name for setting in SETTINGS if is_secret(setting.name)),
    *("SINCHFN_CACHE_URL", "SINCHFN_STORAGE_URL", "PROJECT_ID", "ADMIN_USER"),
)

#: The largest file that is read, in bytes.
LARGEST = 65_536

_SETTINGS = (*(setting.name for setting in SETTINGS), LOCATION.name)
_KNOWN = (*_SETTINGS, *(name + SUFFIX for name in FROM_FILE))

_VARIABLE_NAME = re.compile(r"[^=\s\0]+")
#: The end of the name of a file such as ``secret.txt``.
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True)
class Manifest:
    """The usable part of a ``sinch.json``."""

    name: str | None = None
    #: values as text
    variables: Mapping[str, str] = field(default_factory=dict)
    #: names of the variables that hold secrets, whatever their names look like
    secrets: frozenset[str] = frozenset()
    #: a sentence for each key that cannot be used; no sentence holds a value
    faults: tuple[str, ...] = ()
    #: a sentence for each key that nothing reads and that looks like a misspelt one
    warnings: tuple[str, ...] = ()


def read_manifest(file: Path) -> Manifest:
    """Read a ``sinch.json``. The manifest of a file that does not exist is empty."""
    if not file.is_file():
        return Manifest()
    try:
        given = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return Manifest(faults=(f"Cannot read {file}: {reason}. It takes a JSON object.",))
    if not isinstance(given, dict):
        return Manifest(faults=(f"{file}: it is {_kind(given)}: it takes an object, such as {{}}.",))
    usable: dict[str, Any] = {key: given[key] for key, (kind, _) in KEYS.items() if isinstance(given.get(key), kind)}
    unknown = [key for key in given if key not in KEYS]
    near = {key: key.lower() if key.lower() in KEYS else near_miss(key.lower(), tuple(KEYS)) for key in unknown}
    misspelt = {key: meant for key, meant in near.items() if meant}
    listed = list(usable.get("secrets", ()))
    for key in (key for key, meant in misspelt.items() if meant == "secrets"):  # what it names must not be shown either
        names = given[key]
        listed += [names] if isinstance(names, str) else names if isinstance(names, list | dict) else ()
    return Manifest(
        name=usable.get("name"),
        variables={
            name: as_text(value)
            for name, value in usable.get("variables", {}).items()
            if _VARIABLE_NAME.fullmatch(name) and isinstance(value, str | int | float)
        },
        secrets=frozenset(name for name in listed if isinstance(name, str) and _VARIABLE_NAME.fullmatch(name)),
        faults=tuple(f"{file}: {fault}" for fault in _faults(given)),
        warnings=tuple(
            f'{file} has "{key}", which nothing reads. Did you mean "{meant}"?'
            for key, meant in misspelt.items()
            if meant not in given
        ),
    )


def _faults(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each key that cannot be used: its path, what it is, and what it takes."""
    for key, (kind, takes) in KEYS.items():
        if key in given and not isinstance(given[key], kind):
            yield f"{key} is {_kind(given[key])}: it takes {takes}."
    variables, secrets = given.get("variables"), given.get("secrets")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        if not _VARIABLE_NAME.fullmatch(name):
            yield f"variables.{name}: it takes the name of a variable before the colon."
        if not isinstance(value, str | int | float):
            yield f"variables.{name} is {_kind(value)}: it takes a text, a number, true or false."
    for index, name in enumerate(secrets if isinstance(secrets, list) else ()):
        if not isinstance(name, str) or not _VARIABLE_NAME.fullmatch(name):
            yield f"secrets.{index} is {_kind(name)}: it takes the name of a variable."


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, str):
        return "a text" if value else "an empty text"
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a number"


def as_text(value: object) -> str:
    """Return a value as it would be written in the environment."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_dotenv(file: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read a ``.env``. Return its variables, and a sentence without its text for each line that cannot be read.

    The value of a name without one is empty.
    """
    if not file.is_file():
        return {}, ()
    try:
        with file.open(encoding="utf-8") as stream:
            lines = list(parse_stream(stream))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return {}, (f"Cannot read {file}: {reason}. It takes lines of NAME=value.",)
    faults = []
    for line in lines:
        if line.error:
            text = line.original.string
            blank = text[: len(text) - len(text.lstrip())].count("\n")  # the parser counts blank lines before it as its
            number = line.original.line + blank
            faults.append(f"{file}, line {number} cannot be read: it takes NAME=value, in quotes that are closed.")
    values = {line.key: line.value or "" for line in lines if line.key is not None and not line.error}
    return values, tuple(faults)


def readable_names(declared: Iterable[str], marked: Iterable[str]) -> list[str]:
    """Return the names of the variables whose value may be in a file.

    :param declared: names of variables of the function.
    :param marked: the names that its manifest lists under ``secrets``.
    """
    return list(dict.fromkeys([*FROM_FILE, *filter(is_secret, declared), *marked]))


def resolve_files(
    env: dict[str, str], origins: dict[str, str], ranks: Mapping[str, int], names: Iterable[str], folder: Path
) -> tuple[dict[str, Path], list[str]]:
    """Replace each ``_FILE`` variable in `env` by the variable that it stands for, with the text in the file.

    Where a variable and its ``_FILE`` come from two sources, the higher source counts.

    :param ranks: origin -> its place in the order of precedence, the lowest number first.
    :returns: variable -> the file with its value; a sentence for each file that cannot be used.
    """
    files: dict[str, Path] = {}
    faults: list[str] = []
    for name in names:
        variable = name + SUFFIX
        if variable not in env:
            continue
        named, origin = env.pop(variable), origins.pop(variable)
        if name in env and ranks[origins[name]] < ranks[origin]:
            continue
        if name in env and origins[name] == origin:
            faults.append(f"{name} and {variable} are both set (in {origin}): set one of them.")
            continue
        env.pop(name, None)
        file = folder / named
        try:
            env[name] = _content_of(file)
        except ValueError as error:
            shown = f"{file} " if _looks_like_a_path(named, folder) else ""
            faults.append(f"{variable} (in {origin}) names a file that cannot be used: {shown}{error}.")
        else:
            origins[name], files[name] = origin, file
    return files, faults


def _content_of(file: Path) -> str:
    """Return the text in a file, without the line break at its end.

    :raises ValueError: the file cannot be used; the message says why.
    """
    try:
        if not file.exists():
            raise ValueError("does not exist")
        if not file.is_file():
            raise ValueError("is not a regular file")
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise ValueError(f"is larger than {LARGEST} bytes")
    try:
        text = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if not text.strip():
        raise ValueError("is empty")
    return text


def _looks_like_a_path(named: str, folder: Path) -> bool:
    """Return False for a text that may be the secret itself, written in place of its path."""
    if named.startswith("/") or _EXTENSION.fullmatch(Path(named).suffix):
        return True
    parent = (folder / named).parent
    return parent != folder and parent.is_dir()


def unknown_names(env: Mapping[str, str], origins: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each variable that seems to be meant for sinchfn and that nothing reads.

    :param env: every variable that is set.
    :param origins: where each came from, as in :class:`~sinchfn.FunctionConfig`.
    """
    for name in sorted(env):
        capitals = name.upper()
        setting = capitals.removesuffix(SUFFIX)
        if name in _KNOWN:
            continue
        if capitals in _KNOWN:
            yield f"{name} is set, but names are case-sensitive: the setting is {capitals}."
        elif setting in _SETTINGS:
            yield f"{name} is set, but only secrets are read from a file: set {setting}."
        elif capitals.startswith("SINCHFN_"):
            yield f"{name} is set, but there is no such setting.{did_you_mean(capitals, _KNOWN)}"
        elif (meant := setting_meant_by(name)) and meant not in env:  # where it is set too, this is somebody else's
            yield f'{name} is set, but nothing reads it. Did you mean "{meant}"?'
    if origins.get(LOCATION.name) in (".env", "sinch.json"):
        yield f"{LOCATION.name} has no effect in a file beside the function: set it in the environment."


def is_meant_for_us(name: str) -> bool:
    """Return True for the name of a setting, and for one that looks like a misspelt one."""
    return name in _KNOWN or name.startswith("SINCHFN_") or setting_meant_by(name) is not None


def misspelt_secrets(env: Iterable[str]) -> frozenset[str]:
    """Return the names that look like a misspelt setting that is a secret: most likely they hold that secret."""
    return frozenset(name for name in env if name not in _KNOWN and is_secret(setting_meant_by(name) or ""))


@lru_cache(maxsize=512)  # the same environment is read again and again
def setting_meant_by(name: str) -> str | None:
    """Return the setting that the name of a variable looks like a misspelling of.

    It has to be nearer than other names, because other programs have variables too, such as ``CI_PROJECT_ID``.
    """
    return near_miss(name.upper(), _KNOWN, cutoff=0.9)
