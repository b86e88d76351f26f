"""Assets: the private files of a function, in ``assets/``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import ClassVar

from ..errors import Advised, did_you_mean
from ..wire.faults import describe


def resolve_inside(folder: Path, *names: str) -> Path:
    """Return the path of a file or folder below `folder`, its links resolved. It need not exist.

    :param folder: resolved already.
    :raises ValueError: it is outside, by ``..``, an absolute name or a link; or a name has a NUL.
    """
    path = Path(os.path.realpath(folder.joinpath(*names)))
    if not path.is_relative_to(folder):
        raise ValueError(f"{'/'.join(names)!r} leads out of {folder}.")
    return path


#: The patterns of invalid names, and the fault in words.
REFUSED = (
    (re.compile(r"\Z"), "is empty"),
    (re.compile(r".{1025}", re.DOTALL), "is longer than 1024 characters"),
    (re.compile(r".*\x00", re.DOTALL), "has a NUL character"),
    (re.compile(r".*[\ud800-\udfff]", re.DOTALL), "cannot be encoded as UTF-8"),
    (re.compile(r".*\\", re.DOTALL), 'has a backslash; separate folders with "/"'),
    (re.compile(r"/|[A-Za-z]:"), "is an absolute path"),
    (re.compile(r"(.*/)?\.\.(/|\Z)", re.DOTALL), 'has a segment ".."'),
)

#: The number of files that are searched for a similar name, and of those that a message lists.
LOOKED_AT, NAMED = 1000, 8


class Assets(Advised):
    """The files in ``assets/``: ``context.assets("prompts/welcome.txt")`` is the text of one.

    A name is a relative path, its folders separated by ``/``. A path outside ``assets/`` raises a ``ValueError``:
    ``..``, an absolute path, a symbolic link that leads out. Links that stay inside are followed. A name that is not a
    str raises a ``TypeError``.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = {
        "read": "assets(name)",
        "read_text": "assets(name)",
        "get": "assets(name)",
    }

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def __call__(self, name: str) -> str:
        """Return the text of a file in UTF-8, without a byte order mark.

        :raises FileNotFoundError: the file does not exist; the message names files that do.
        :raises ValueError: the name is invalid, or the file is not UTF-8.
        """
        try:
            return self.read_bytes(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(
                f'The asset "{name}" is not UTF-8 text: {error.reason} at byte {error.start}. '
                f'Read it by assets.read_bytes("{name}"), or save it as UTF-8.'
            ) from None

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file.

        :raises FileNotFoundError: the file does not exist; the message names files that do.
        :raises ValueError: the name is invalid.
        """
        return self.path(name).read_bytes()

    def path(self, name: str) -> Path:
        """Return the path of a file, its links resolved.

        :raises FileNotFoundError: the file does not exist; the message names files that do.
        :raises IsADirectoryError: it is a folder.
        :raises ValueError: the name is invalid.
        """
        path = self._inside(name)
        # Not the methods of Path, which raise an OSError if the name is too long.
        if os.path.isfile(path):  # noqa: PTH113
            return path
        if os.path.isdir(path):  # noqa: PTH112
            raise IsADirectoryError(f'"{name}" in {self._folder} is a folder, not a file.{self._what_there_is(name)}')
        raise FileNotFoundError(f'There is no "{name:.200}" in {self._folder}.{self._what_there_is(name)}')

    def _inside(self, name: str) -> Path:
        if not isinstance(name, str):
            raise TypeError(f'The name of an asset must be a str such as "welcome.txt", found {describe(name)}.')
        for pattern, fault in REFUSED:
            if pattern.match(name):
                raise ValueError(
                    f"The name of an asset {fault}: {name[:200]!r}. "
                    'It takes a path below assets/, such as "prompts/welcome.txt".'
                )
        try:
            return resolve_inside(self._folder, name)
        except ValueError:
            raise ValueError(f"The asset {name[:200]!r} is a link that leads out of {self._folder}.") from None

    def _what_there_is(self, name: str) -> str:
        files = islice((path for path in self._folder.rglob("*") if path.is_file()), LOOKED_AT)
        known = sorted(path.relative_to(self._folder).as_posix() for path in files)
        near = did_you_mean(name, known)
        if near or not known:
            return near or " The folder is empty."
        more = ", ..." if len(known) > NAMED else "."
        return f" It has {', '.join(known[:NAMED])}{more}"

    def __repr__(self) -> str:
        return f"<Assets in {self._folder}>"
