"""Storage: files under keys, in a folder, in an object store, or in memory, by ``SINCHFN_STORAGE_URL``."""

from __future__ import annotations

from pathlib import Path

from .providers import Env, Location, read_url
from .providers import check_storage_url as check_storage_url
from .storage import Storage as Storage


def open_storage(url: str, *, folder: Path, env: Env) -> Storage:
    """Make the storage of a URL. Nothing is read, written or connected yet.

    :param url: ``file:storage``, ``file:/absolute``, ``s3://bucket/prefix``, ``gs://``, ``az://`` or ``memory:``.
    :param folder: the folder of the function, for relative paths.
    :param env: variables, among them the credentials of an object store; see :mod:`.providers`.
    :raises ConfigError: the URL is invalid, or the variables contradict each other.
    :raises ExtraError: it needs the extra ``objects``, which is not installed.
    """
    scheme, place = read_url(url, env)
    if scheme == "file":
        from .files import Files

        return Storage(Files(folder / str(place)))
    if isinstance(place, Location):
        from .objects import Objects

        return Storage(Objects(place))
    from .memory import Memory

    return Storage(Memory())
