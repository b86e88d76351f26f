"""The services of one function: those that all requests of a process share, and those that the function registers."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from ..config.config import FunctionConfig
from ..errors import DatabaseError, FunctionError
from .extras import missing_extra, require_extra
from .injection.container import ServiceContainer
from .injection.recipes import MISSING

if TYPE_CHECKING:
    import sqlite3

    from ..voice.client import VoiceClient
    from .assets import Assets
    from .cache import Cache
    from .claims import Claims
    from .clients import Clients, Voice
    from .storage import Storage

_log = logging.getLogger("sinchfn")

#: The types that constructors can take without a registration: module and name of the type -> attribute of
#: ``Services``. By name, because nothing is imported before it is used.
OFFERED: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("sinchfn.services.cache.cache", "Cache"): "cache",
        ("sinchfn.services.storage.storage", "Storage"): "storage",
        ("sinchfn.services.assets", "Assets"): "assets",
        ("sinchfn.voice.client.client", "VoiceClient"): "voice_client",
        ("sinchfn.services.clients", "VoiceV2Client"): "voice_v2",
        ("sinchfn.services.clients", "ConversationClient"): "conversation",
        ("sinchfn.services.clients", "SmsClient"): "sms",
        ("sinchfn.services.clients", "NumbersClient"): "numbers",
        ("sinchfn.config.config", "FunctionConfig"): "config",
        ("logging", "Logger"): "logger",
    }
)

#: The services that exist only if their variables are set -> the name of the client.
CLIENTS: Mapping[str, str] = MappingProxyType(
    {
        "voice_client": "voice.v1",
        "voice_v2": "voice.v2",
        "conversation": "conversation",
        "sms": "sms",
        "numbers": "numbers",
    }
)

#: Schemes of a Redis.
REDIS = ("redis", "rediss", "unix")

#: Setting, schemes of its URL, the module that they need.
NEEDED = (
    ("SINCHFN_CACHE_URL", REDIS, "redis"),
    ("SINCHFN_STORAGE_URL", ("s3", "gs", "az"), "obstore"),
)

#: The settings for which ``memory:`` means the memory of one process.
OWN_MEMORY = (("SINCHFN_CACHE_URL", "cache"), ("SINCHFN_STORAGE_URL", "storage"))


class Services(ServiceContainer):
    """Cache, storage, database, assets and clients of one function, and the services that it registers.

    Safe for several threads. A service that is registered or overridden under one of their types takes their place,
    also on the context: ``services.override(Cache, ...)``.

    Each is imported and made on first use, so that a function pays only for those that it uses. Each opens new
    connections in a forked child, so that a server can fork before or after the first use. Only an object store that
    was used before a fork refuses to work after it.
    """

    def __init__(self, config: FunctionConfig) -> None:
        own = weakref.WeakMethod(self._offered)  # not itself: it would keep this alive in a circle
        super().__init__(
            lambda service: offered(service) if (offered := own()) else None,
            [kind for (_, kind), name in OFFERED.items() if not _unset(config, name)],
            hints={
                kind: f"Set {' and '.join(unset)}, or write {kind} | None."
                for (_, kind), name in OFFERED.items()
                if (unset := _unset(config, name))
            },
        )
        self._config = config
        self._types: dict[str, type] = {}
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}
        weakref.finalize(self, _close, self._made)

    def after_fork_in_child(self) -> None:
        super().after_fork_in_child()
        self._lock = threading.RLock()

    @property
    def config(self) -> FunctionConfig:
        """The function's settings and variables."""
        return self._config

    @property
    def logger(self) -> logging.Logger:
        """The logger for messages outside of requests."""
        return logging.getLogger(f"sinchfn.function.{self._config.function_name}")

    @property
    def cache(self) -> Cache:
        """The cache at ``SINCHFN_CACHE_URL``."""
        return cast("Cache", self._own_cache if (other := self._replaced("cache")) is MISSING else other)

    @property
    def _own_cache(self) -> Cache:
        found: Cache = self._made.get("cache") or self._make("cache")
        return found

    @property
    def storage(self) -> Storage:
        """The storage at ``SINCHFN_STORAGE_URL``."""
        other = self._replaced("storage")
        return cast("Storage", (self._made.get("storage") or self._make("storage")) if other is MISSING else other)

    @property
    def assets(self) -> Assets:
        """The files in ``assets/``."""
        other = self._replaced("assets")
        return cast("Assets", (self._made.get("assets") or self._make("assets")) if other is MISSING else other)

    @property
    def claims(self) -> Claims:
        """Claims that only one worker can make. They are kept in the cache, apart from the keys of the function.

        They are also kept in a cache that replaces ours, unless that is a fake of another class.
        """
        made: Claims | None = self._made.get("claims")
        if made is not None and not self.is_changed:
            return made
        from .cache import Cache
        from .claims import Claims

        other = self._replaced("cache")
        return Claims(other.apart("claims")) if isinstance(other, Cache) else cast(Claims, made or self._make("claims"))

    @property
    def clients(self) -> Clients:
        """The clients of Sinch's APIs."""
        found: Clients = self._made.get("clients") or self._make("clients")
        return found

    @property
    def database(self) -> str:
        """The path of the SQLite file, in a folder that exists.

        :raises DatabaseError: its folder does not exist and cannot be made.
        """
        found: str = self._made.get("database") or self._make("database")
        return found

    @property
    def voice(self) -> Voice:
        """The clients of both versions of the Voice API."""
        found: Voice = self._made.get("voice") or self._make("voice")
        return found

    @property
    def voice_client(self) -> VoiceClient | None:
        """The client of the Voice application; None unless its key and secret are set."""
        found: VoiceClient | None = self._client("voice_client")
        return found

    @property
    def voice_v2(self) -> Any:
        """The client of the Voice API v2. Like the next three, None unless its variables are set."""
        return self._client("voice_v2")

    @property
    def conversation(self) -> Any:
        """The client of the Conversation API."""
        return self._client("conversation")

    @property
    def sms(self) -> Any:
        """The client of the SMS API."""
        return self._client("sms")

    @property
    def numbers(self) -> Any:
        """The client of the Numbers API."""
        return self._client("numbers")

    def _client(self, name: str) -> Any:
        other = self._replaced(name)
        return getattr(self.clients, name) if other is MISSING else other

    @property
    def overridden_connection(self) -> sqlite3.Connection | None:
        """The connection that a test uses instead of connections to the SQLite file."""
        if not self._catalogue.in_force:
            return None
        import sqlite3

        override = self._catalogue.in_force.get(sqlite3.Connection)
        return None if override is None else override.value

    def connect(self) -> sqlite3.Connection:
        """Return a new connection to the SQLite file.

        :raises DatabaseError: it cannot be opened.
        """
        from .database import open_database

        return open_database(self._database_path)

    def _offered(self, service: Any) -> Callable[[], Any] | None:
        """Return a function that gives a service of ours by its type; None if the type is not one of ours."""
        name = _name_of(service)
        if name is None or (name in CLIENTS and not self.clients.has(CLIENTS[name])):
            return None
        return lambda: getattr(self, f"_own_{name}" if name == "cache" else name)

    def _replaced(self, name: str) -> Any:
        """Return the service that is registered or overridden in the place of one of ours, or ``MISSING``."""
        if not self.is_changed:
            return MISSING
        service = self._types.get(name)
        if service is None:
            [(module, kind)] = [where for where, offered in OFFERED.items() if offered == name]
            service = self._types[name] = getattr(import_module(module), kind)
        return self.get(service) if self.replaces(service) else MISSING

    def check(self, given: Collection[Any] = ()) -> None:
        if taken := [kind.__name__ for kind in given if self.replaces(kind)]:
            raise FunctionError(
                f"{' and '.join(taken)} cannot be registered: each request has its own. Register a class of your own."
            )
        super().check(given)

    def add_scoped(self, service: Any, factory: Callable[..., Any] | None = None) -> None:
        if _name_of(service) is not None:
            name = service.__name__
            raise FunctionError(
                f"{name} is a service that all requests share: it cannot be made for each of them. Write "
                f"services.add_singleton({name}, ...), or register a class of your own with add_scoped."
            )
        super().add_scoped(service, factory)

    @property
    def _database_path(self) -> Path:
        path: Path = self._config.folder / self._config["SINCHFN_DATABASE"]
        return path

    def _make(self, name: str) -> Any:
        """Make what all requests share under this name, unless another thread has just done it."""
        with self._lock:
            if name not in self._made:
                self._made[name] = getattr(self, f"_open_{name}")()
            return self._made[name]

    def _open_cache(self) -> Cache:
        from .cache import open_cache

        config = self._config
        return open_cache(config["SINCHFN_CACHE_URL"], folder=config.folder, namespace=config.function_name)

    def _open_claims(self) -> Claims:
        from .claims import Claims

        return Claims(self._own_cache.apart("claims"))

    def _open_storage(self) -> Storage:
        from .storage import open_storage

        return open_storage(self._config["SINCHFN_STORAGE_URL"], folder=self._config.folder, env=self._config.env)

    def _open_assets(self) -> Assets:
        from .assets import Assets

        return Assets(self._config.folder / "assets")

    def _open_clients(self) -> Clients:
        from .clients import Clients

        return Clients(self._config)

    def _open_voice(self) -> Voice:
        from .clients import Voice

        return Voice(weakref.proxy(self))  # a reference would keep this object alive in a circle

    def _open_database(self) -> str:
        file = self._database_path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"The folder of the database {file} cannot be created: {error.strerror}. "
                "Create it, or point SINCHFN_DATABASE at a file in a folder that can be written."
            ) from None
        return str(file)

    def __repr__(self) -> str:
        return f"<Services of {self._config.function_name}: {', '.join(self._made) or 'none made yet'}>"


def _name_of(service: Any) -> str | None:
    """Return the name of one of our services by its type, or None."""
    return OFFERED.get((getattr(service, "__module__", ""), getattr(service, "__qualname__", "")))


def _unset(config: FunctionConfig, name: str) -> list[str]:
    """Return the variables that are not set although the service needs them."""
    from .clients import NEEDED as CLIENT_VARIABLES

    return [variable for variable in CLIENT_VARIABLES.get(CLIENTS.get(name, ""), ()) if not config[variable]]


def _close(made: dict[str, Any]) -> None:
    for name, service in made.items():
        try:
            if hasattr(service, "close"):
                service.close()
        except Exception:  # the others have to be closed all the same
            _log.exception("The %s could not be closed.", name)


def check_services(config: FunctionConfig) -> list[str]:
    """Return a sentence for each setting of a service that is not suitable for production.

    :raises ConfigError: a URL is not one of a cache or a storage.
    :raises ExtraError: a service needs a package that is not installed.
    """
    from .cache import check_cache_url
    from .clients import NEEDED as CLIENT_VARIABLES
    from .storage import check_storage_url

    check_cache_url(config["SINCHFN_CACHE_URL"])
    check_storage_url(config["SINCHFN_STORAGE_URL"], config.env)
    for setting, schemes, module in NEEDED:
        if (scheme := _scheme(config, setting)) in schemes:
            require_extra(module, f"{setting}={scheme}:")
    notes = []
    if not config.has_name and _scheme(config, "SINCHFN_CACHE_URL") in REDIS:
        notes.append(
            f"Functions that share a Redis keep their keys apart by name, and this one has only that of its folder, "
            f'"{config.function_name}". Give it a name in sinch.json: {{"name": "support-line"}}. '
            "(Under a new name it does not find the keys of the old one.)"
        )
    for setting, service in () if config.is_development else OWN_MEMORY:
        if _scheme(config, setting) == "memory":
            notes.append(f"{setting} is memory: each worker process has its own {service}, and a restart empties it.")
    # Not if only the keys of the project are set: they may be for Basic auth.
    variables = [CLIENT_VARIABLES[client] for client in ("conversation", "sms", "numbers")]
    there = sorted(names[-1] for names in variables if all(config[name] for name in names))
    missing = missing_extra("sinch", "context.conversation, sms and numbers")
    if missing and there:
        notes.append(f"{' and '.join(there)} is set, but {missing}")
    return notes


def shares_cache(config: FunctionConfig) -> bool:
    """Return True if all workers of a machine use one cache. With ``memory:`` each process has its own."""
    return _scheme(config, "SINCHFN_CACHE_URL") != "memory"


def _scheme(config: FunctionConfig, setting: str) -> str:
    scheme: str = config[setting].partition(":")[0]
    return scheme
