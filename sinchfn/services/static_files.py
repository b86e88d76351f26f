"""Static files: the files in ``public/`` that may be served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import FunctionError, did_you_mean
from .assets import resolve_inside

#: The file that is served at the mount's root when no handler is.
INDEX = "index.html"

#: The one folder with a dot that is served: what RFC 8615 puts there is public (``security.txt``, ACME challenges).
WELL_KNOWN = ".well-known"

_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,4000})-([0-9]{0,4000})\s*", re.IGNORECASE)


def single_range(asked: str, size: int) -> str | None:
    """Return a ``Range`` header of RFC 9110 in a form that Werkzeug answers as the RFC has it.

    :param size: of the file, in bytes.
    :returns: None if the header is to be ignored: it is malformed, has another unit than bytes, or several ranges.
    """
    match = _ONE_RANGE.fullmatch(asked)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first:
        return None if last and int(last) < int(first) else f"bytes={first}-{last}"
    suffix = int(last)
    return f"bytes={max(size - suffix, 0)}-"  # with a suffix of 0 behind the end, and so a 416


class PublicFiles:
    """Finds files below ``public/``, and nothing else.

    Treated as missing: a path that leaves the folder (``..``, or a link that leads out of it), a dotfile or anything in
    a dotted folder (except ``.well-known`` directly in ``public/``), and anything that is not a regular file.
    """

    def __init__(self, folder: Path, protected: Iterable[str] = ()) -> None:
        """
        :param protected: files, or folders, below `folder` that need Basic auth.
        :raises FunctionError: one of them does not exist.
        """
        self.folder = folder.resolve()
        self._protected = tuple(self._existing(name) for name in protected)

    def find(self, segments: Iterable[str]) -> Path | None:
        """Return the file at this path, its links resolved, or None if no file can be served."""
        parts = list(segments) or [INDEX]
        if _is_dotted(parts) or any("\0" in part or "\\" in part for part in parts):
            return None
        name = "/".join(parts)
        try:
            if not (self.folder / name).is_file():  # at once: to resolve links takes a step for each segment
                return None
            file = resolve_inside(self.folder, name)
            is_hidden = _is_dotted(file.relative_to(self.folder).parts)
            return file if file.is_file() and not is_hidden else None
        except (OSError, ValueError):  # a name too long; outside
            return None

    def has_files(self) -> bool:
        """Return True if there is any file to serve."""
        return any(self.find(path.relative_to(self.folder).parts) for path in self.folder.rglob("*"))

    def is_protected(self, file: Path) -> bool:
        """Return True if Basic auth protects this file, by any path that leads to it."""
        return any(file.is_relative_to(entry) for entry in self._protected)

    def _existing(self, name: str) -> Path:
        with suppress(ValueError):
            path = resolve_inside(self.folder, name)
            if name and path.exists():
                return path
        known = [f"public/{p.relative_to(self.folder).as_posix()}" for p in self.folder.rglob("*") if p.is_file()]
        raise FunctionError(
            f'auth names "public/{name}", but there is no such file in {self.folder}.'
            f"{did_you_mean(f'public/{name}', known)}"
        )


def _is_dotted(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") for part in parts[parts[0] == WELL_KNOWN :])
