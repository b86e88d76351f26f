"""Storage: files under keys, in a folder, in an object store, or in memory, by ``SINCHFN_STORAGE_URL``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .contract import Backend
from .contract import Storage as Storage
from .urls import Env, read_url
from .urls import check_storage_url as check_storage_url


def open_storage(url: str, *, folder: Path, env: Env) -> Storage:
    """The storage that a URL names. Nothing is read or written yet, and nothing is asked of the network.

    :param url: ``file:storage``, ``file:/absolute``, ``s3://bucket/prefix``, ``gs://``, ``az://`` or ``memory:``.
    :param folder: what a relative folder is relative to.
    :param env: variables, among them the credentials of an object store; see :mod:`.providers`.
    :raises ConfigError: the URL names no place, or the variables contradict each other.
    :raises ExtraError: it needs the extra ``objects``, which is not installed.
    """
    scheme, place = read_url(url, env)
    return Storage(BACKENDS[scheme](place, folder))


def _files(place: str, folder: Path) -> Backend:
    from .files import Files

    return Files(folder / place)


def _objects(place: Any, folder: Path) -> Backend:
    from .objects import Objects

    return Objects(place)


def _memory(place: str, folder: Path) -> Backend:
    from .memory import Memory

    return Memory()


#: Scheme of the URL -> what makes its backend, of the place that was read. Each is imported when it is used.
BACKENDS: dict[str, Callable[[Any, Path], Backend]] = {
    "file": _files,
    "s3": _objects,
    "gs": _objects,
    "az": _objects,
    "memory": _memory,
}
