"""Folders: what lies inside one, however it is spelt and wherever links lead."""

from __future__ import annotations

import os
from pathlib import Path


def resolve_inside(folder: Path, *names: str) -> Path:
    """The file or folder of these names below `folder`, its links resolved. It need not exist.

    :param folder: resolved already.
    :raises ValueError: it is outside, by ``..``, an absolute name or a link; or a name has a NUL.
    """
    path = Path(os.path.realpath(folder.joinpath(*names)))
    if not path.is_relative_to(folder):
        raise ValueError(f"{'/'.join(names)!r} leads out of {folder}.")
    return path
