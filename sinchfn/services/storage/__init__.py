"""Storage: files under keys, in a folder, in an object store, or in memory, by ``SINCHFN_STORAGE_URL``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ...errors import ConfigError
from .contract import Backend
from .contract import Storage as Storage

Env = Mapping[str, str]


def open_storage(url: str, *, folder: Path, env: Env) -> Storage:
    """The storage that a URL names. Nothing is read or written yet, and nothing is asked of the network.

    :param url: ``file:storage``, ``file:/absolute``, ``s3://bucket/prefix``, ``gs://``, ``az://`` or ``memory:``.
    :param folder: what a relative folder is relative to.
    :param env: variables, among them the credentials of an object store; see :mod:`.providers`.
    :raises ConfigError: the URL names no place, or the variables contradict each other.
    :raises ExtraError: it needs the extra ``objects``, which is not installed.
    """
    scheme, _, place = url.partition(":")
    if scheme not in BACKENDS:
        raise ConfigError(f"SINCHFN_STORAGE_URL={scheme}: is no storage: it takes {', '.join(BACKENDS)}.")
    return Storage(BACKENDS[scheme](scheme, place, folder, env))


def _files(scheme: str, place: str, folder: Path, env: Env) -> Backend:
    from .files import Files

    path = place
    if place.startswith("//"):
        host, slash, rest = place[2:].partition("/")
        if host not in ("", "localhost"):
            raise ConfigError(
                f"SINCHFN_STORAGE_URL=file: names a host, {host.rpartition('@')[2]}. "
                "A folder beside the function is file:storage, any other is file:/path/of/the/folder."
            )
        path = slash + rest
    if not path or "\0" in path:
        raise ConfigError(f"SINCHFN_STORAGE_URL=file:{place} names no folder: it takes file:storage or file:/path.")
    return Files(folder / path)


def _objects(scheme: str, place: str, folder: Path, env: Env) -> Backend:
    from .objects import Objects
    from .providers import locate

    return Objects(locate(scheme, place, env))


def _memory(scheme: str, place: str, folder: Path, env: Env) -> Backend:
    from .memory import Memory

    if place.strip("/"):
        raise ConfigError("SINCHFN_STORAGE_URL=memory: says more than that: it takes memory:, and nothing after it.")
    return Memory()


#: Scheme of the URL -> what makes its backend. Each is imported when it is the one that is used.
BACKENDS: dict[str, Callable[[str, str, Path, Env], Backend]] = {
    "file": _files,
    "s3": _objects,
    "gs": _objects,
    "az": _objects,
    "memory": _memory,
}
