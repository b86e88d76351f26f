"""Secrets in files: ``<VARIABLE>_FILE`` names the file with the value, as container platforms mount it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..redaction import is_secret
from .settings import SETTINGS

SUFFIX = "_FILE"

#: Settings that may be read from a file: the secrets, what may have a password in it, and what belongs to a secret.
FROM_FILE = (
    *(setting.name for setting in SETTINGS if is_secret(setting.name)),
    *("SINCHFN_CACHE_URL", "SINCHFN_STORAGE_URL", "PROJECT_ID", "ADMIN_USER"),
)

#: Largest file that is read, in bytes.
LARGEST = 65_536

#: The end of the name of a file such as ``secret.txt``.
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,8}")


def readable_names(declared: Iterable[str], marked: Iterable[str]) -> Iterator[str]:
    """The variables whose value may be in a file.

    :param declared: names of variables of the function.
    :param marked: those that its manifest says are secrets.
    """
    return iter(dict.fromkeys([*FROM_FILE, *filter(is_secret, declared), *marked]))


def resolve_files(
    env: dict[str, str], origins: dict[str, str], ranks: Mapping[str, int], names: Iterable[str], folder: Path
) -> tuple[dict[str, Path], list[str]]:
    """Put what is in the files into `env`, and take their variables out of it.

    Where a variable and its ``_FILE`` come from two sources, the higher one counts.

    :param ranks: origin -> its place in the order of precedence, the lowest number first.
    :returns: variable -> the file with its value; a sentence for each that cannot be used.
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
    """The text in a file, without the line break at its end.

    :raises ValueError: there is none; the message says why.
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
    """Return False for what may be the secret itself, which somebody has put in the place of a path."""
    if named.startswith("/") or _EXTENSION.fullmatch(Path(named).suffix):
        return True
    parent = (folder / named).parent
    return parent != folder and parent.is_dir()
