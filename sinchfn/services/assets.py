"""Assets: the private files of a function, in ``assets/``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import ClassVar

from ..errors import Advised, did_you_mean
from .folders import resolve_inside

#: What a name may not be, and how the message says it.
REFUSED = (
    (re.compile(r"\Z"), "is empty"),
    (re.compile(r".{1025}", re.DOTALL), "is longer than 1024 characters"),
    (re.compile(r".*\x00", re.DOTALL), "has a NUL in it"),
    (re.compile(r".*[\ud800-\udfff]", re.DOTALL), "cannot be written as UTF-8"),
    (re.compile(r".*\\", re.DOTALL), 'has a backslash; folders are parted by "/"'),
    (re.compile(r"/|[A-Za-z]:"), "is an absolute path"),
    (re.compile(r"(.*/)?\.\.(/|\Z)", re.DOTALL), 'has a segment ".."'),
)

#: How many files are looked through for a near miss, and how many are named.
LOOKED_AT, NAMED = 1000, 8


class Assets(Advised):
    """The files in ``assets/``: ``context.assets("prompts/welcome.txt")`` is the text of one.

    A name is a relative path, its folders parted by ``/``. What is outside ``assets/`` is refused with a
    ``ValueError``: ``..``, an absolute path, a symbolic link that points out. Links that stay inside are followed. A
    name that is no str is a ``TypeError``.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = {
        "read": "assets(name)",
        "read_text": "assets(name)",
        "get": "assets(name)",
    }

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def __call__(self, name: str) -> str:
        """The text of a file in UTF-8, as it is but for a byte order mark.

        :raises FileNotFoundError: there is no such file; the message says what there is.
        :raises ValueError: the name is refused, or the file is no UTF-8.
        """
        try:
            return self.read_bytes(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(
                f'The asset "{name}" is no UTF-8 text: {error.reason} at byte {error.start}. '
                f'Read it by assets.read_bytes("{name}"), or save it as UTF-8.'
            ) from None

    def read_bytes(self, name: str) -> bytes:
        """The content of a file.

        :raises FileNotFoundError: there is no such file; the message says what there is.
        :raises ValueError: the name is refused.
        """
        return self.path(name).read_bytes()

    def path(self, name: str) -> Path:
        """Where a file is, its links resolved.

        :raises FileNotFoundError: there is no such file; the message says what there is.
        :raises IsADirectoryError: it is a folder.
        :raises ValueError: the name is refused.
        """
        path = self._inside(name)
        if _holds(path.is_file):
            return path
        if _holds(path.is_dir):
            raise IsADirectoryError(f'"{name}" in {self._folder} is a folder, and no file.{self._what_there_is(name)}')
        raise FileNotFoundError(f'There is no "{name:.200}" in {self._folder}.{self._what_there_is(name)}')

    def _inside(self, name: str) -> Path:
        if not isinstance(name, str):
            raise TypeError(f'The name of an asset is a str such as "welcome.txt", and not {type(name).__name__}.')
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
            return near or " It has no files."
        more = ", ..." if len(known) > NAMED else "."
        return f" There is {', '.join(known[:NAMED])}{more}"

    def __repr__(self) -> str:
        return f"<Assets in {self._folder}>"


def _holds(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a name too long
        return False
