"""URLs of storages: where each leads. To tell, nothing is opened or asked for, and no library is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ...errors import ConfigError

if TYPE_CHECKING:
    from .providers import Location

Env = Mapping[str, str]


def check_storage_url(url: str, env: Env) -> None:
    """Refuse a ``SINCHFN_STORAGE_URL`` that no storage can have, or an endpoint among the variables that is no URL.

    Whether the other variables fit each other is found when it is opened.

    :param env: variables, among them those of an object store; see :mod:`.providers`.
    :raises ConfigError: the message says what is wrong, and what to write instead. Never with a secret.
    """
    read_url(url, env)


def read_url(url: str, env: Env) -> tuple[str, str | Location]:
    """The scheme of a URL, and the place it names: of ``file:`` the folder, of an object store where it is.

    :raises ConfigError: the URL names no place.
    """
    scheme, _, place = url.partition(":")
    if scheme not in READERS:
        raise ConfigError(f"SINCHFN_STORAGE_URL={scheme}: is no storage: it takes {', '.join(READERS)}.")
    return scheme, READERS[scheme](scheme, place, env)


def _folder(scheme: str, place: str, env: Env) -> str:
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
    return path


def _bucket(scheme: str, place: str, env: Env) -> Location:
    from .providers import locate

    return locate(scheme, place, env)


def _nothing(scheme: str, place: str, env: Env) -> str:
    if place.strip("/"):
        raise ConfigError("SINCHFN_STORAGE_URL=memory: says more than that: it takes memory:, and nothing after it.")
    return ""


#: Scheme of the URL -> what reads the rest of it.
READERS: dict[str, Callable[[str, str, Env], str | Location]] = {
    "file": _folder,
    "s3": _bucket,
    "gs": _bucket,
    "az": _bucket,
    "memory": _nothing,
}
