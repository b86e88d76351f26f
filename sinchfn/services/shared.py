"""The services of one function: what all requests of a process share. Each is made when it is first asked for."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import FunctionConfig
from ..errors import DatabaseError
from ..forks import Forkable, across_forks
from .extras import require_extra

if TYPE_CHECKING:
    import sqlite3

    from .assets import Assets
    from .cache import Cache
    from .clients import Clients
    from .storage import Storage

_log = logging.getLogger("sinchfn")

#: Schemes of a Redis.
REDIS = ("redis", "rediss", "unix")

#: Setting, schemes of its URL, the module they need.
NEEDED = (
    ("SINCHFN_CACHE_URL", REDIS, "redis"),
    ("SINCHFN_STORAGE_URL", ("s3", "gs", "az"), "obstore"),
)

#: Settings whose ``memory:`` is kept by each process for itself.
OWN_MEMORY = (("SINCHFN_CACHE_URL", "cache"), ("SINCHFN_STORAGE_URL", "storage"))


class Services(Forkable):
    """Cache, storage, database, assets and clients of one function. Safe for several threads.

    What a service imports is imported with it: a function that uses none pays for none. Each of them opens its
    connections anew in a forked child, so it does not matter whether a server forks before or after the first use. The
    exception is an object store: one that was used before a fork refuses to work after it.
    """

    def __init__(self, config: FunctionConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}
        weakref.finalize(self, _close, self._made)
        across_forks(self)

    def after_fork_in_child(self) -> None:
        self._lock = threading.Lock()

    @property
    def cache(self) -> Cache:
        """What ``SINCHFN_CACHE_URL`` says."""
        found: Cache = self._made.get("cache") or self._make("cache", self._open_cache)
        return found

    @property
    def storage(self) -> Storage:
        """What ``SINCHFN_STORAGE_URL`` says."""
        found: Storage = self._made.get("storage") or self._make("storage", self._open_storage)
        return found

    @property
    def assets(self) -> Assets:
        """The files in ``assets/``."""
        found: Assets = self._made.get("assets") or self._make("assets", self._open_assets)
        return found

    @property
    def clients(self) -> Clients:
        """Clients of Sinch's APIs."""
        found: Clients = self._made.get("clients") or self._make("clients", self._open_clients)
        return found

    @property
    def database(self) -> str:
        """Path of the SQLite file, in a folder that exists.

        :raises DatabaseError: its folder is not there and cannot be made.
        """
        found: str = self._made.get("database") or self._make("database", self._database_file)
        return found

    def connect(self) -> sqlite3.Connection:
        """A new connection to the SQLite file.

        :raises DatabaseError: it cannot be opened.
        """
        from .database import open_database

        return open_database(self._database_path)

    @property
    def _database_path(self) -> Path:
        path: Path = self._config.folder / self._config["SINCHFN_DATABASE"]
        return path

    def _make(self, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]

    def _open_cache(self) -> Cache:
        from .cache import open_cache

        config = self._config
        return open_cache(config["SINCHFN_CACHE_URL"], folder=config.folder, namespace=config.function_name)

    def _open_storage(self) -> Storage:
        from .storage import open_storage

        return open_storage(self._config["SINCHFN_STORAGE_URL"], folder=self._config.folder, env=self._config.env)

    def _open_assets(self) -> Assets:
        from .assets import Assets

        return Assets(self._config.folder / "assets")

    def _open_clients(self) -> Clients:
        from .clients import Clients

        return Clients(self._config)

    def _database_file(self) -> str:
        file = self._database_path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"The folder of the database {file} cannot be made: {error.strerror}. "
                "Make it, or point SINCHFN_DATABASE at a file in a folder that can be written."
            ) from None
        return str(file)

    def __repr__(self) -> str:
        return f"<Services of {self._config.function_name}: {', '.join(self._made) or 'none made yet'}>"


def _close(made: dict[str, Any]) -> None:
    for name, service in made.items():
        try:
            getattr(service, "close", _nothing)()
        except Exception:  # the others have to be closed all the same
            _log.exception("The %s could not be closed.", name)


def _nothing() -> None:
    """Stands in for the ``close`` of what has none."""


def check_services(config: FunctionConfig) -> list[str]:
    """A sentence for each setting of a service that suits no production.

    :raises ConfigError: a URL cannot be that of a service.
    :raises ExtraError: a service needs a package that is not installed.
    """
    from .cache import check_cache_url
    from .storage import check_storage_url

    check_cache_url(config["SINCHFN_CACHE_URL"])
    check_storage_url(config["SINCHFN_STORAGE_URL"], config.env)
    for setting, schemes, module in NEEDED:
        if (scheme := _scheme(config, setting)) in schemes:
            require_extra(module, f"{setting}={scheme}:")
    return [*_namesakes(config), *_own_memory(config)]


def _namesakes(config: FunctionConfig) -> list[str]:
    if config.has_name or _scheme(config, "SINCHFN_CACHE_URL") not in REDIS:
        return []
    return [
        f"The keys of functions that share a Redis are told apart by their names, and this one goes by its folder, "
        f'"{config.function_name}". Give it one in sinch.json: {{"name": "support-line"}}. '
        "(With another name it no longer finds what it kept under this one.)"
    ]


def _own_memory(config: FunctionConfig) -> list[str]:
    if config.is_development:
        return []
    return [
        f"{setting} is memory: each worker process keeps a {service} of its own, and a restart empties it."
        for setting, service in OWN_MEMORY
        if _scheme(config, setting) == "memory"
    ]


def _scheme(config: FunctionConfig, setting: str) -> str:
    scheme: str = config[setting].partition(":")[0]
    return scheme
