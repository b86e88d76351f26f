"""The services of one function: what all requests of a process share, and what the function has registered."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from ..config import FunctionConfig
from ..errors import DatabaseError, FunctionError
from ..injection import MISSING, ServiceContainer
from .extras import missing_extra, require_extra

if TYPE_CHECKING:
    import sqlite3

    from ..voice.client import VoiceClient
    from .assets import Assets
    from .cache import Cache
    from .claims import Claims
    from .clients import Clients, Voice
    from .storage import Storage

_log = logging.getLogger("sinchfn")

#: Schemes of a Redis.
REDIS = ("redis", "rediss", "unix")

#: Setting, schemes of its URL, the module they need.
NEEDED = (
    ("SINCHFN_CACHE_URL", REDIS, "redis"),
    ("SINCHFN_STORAGE_URL", ("s3", "gs", "az"), "obstore"),
)

#: The keys of the project, without which there is no client of the SDK.
PROJECT = ("PROJECT_ID", "PROJECT_ID_API_KEY", "PROJECT_ID_API_SECRET")

#: Settings whose ``memory:`` is kept by each process for itself.
OWN_MEMORY = (("SINCHFN_CACHE_URL", "cache"), ("SINCHFN_STORAGE_URL", "storage"))


#: What constructors may take without anybody registering it: module and name of the type, and who gives it. By name,
#: because nothing of it is imported before it is used.
OFFERED: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("sinchfn.services.cache.contract", "Cache"): "cache",
        ("sinchfn.services.storage.contract", "Storage"): "storage",
        ("sinchfn.services.assets", "Assets"): "assets",
        ("sinchfn.voice.client.voice_client", "VoiceClient"): "voice_client",
        ("sinchfn.services.sdk", "VoiceV2Client"): "voice_v2",
        ("sinchfn.services.sdk", "ConversationClient"): "conversation",
        ("sinchfn.services.sdk", "SmsClient"): "sms",
        ("sinchfn.services.sdk", "NumbersClient"): "numbers",
        ("sinchfn.config.function_config", "FunctionConfig"): "config",
        ("logging", "Logger"): "logger",
    }
)


#: Service -> the name of its client, of those that are there only when their variables are set.
CLIENTS: Mapping[str, str] = MappingProxyType(
    {
        "voice_client": "voice.v1",
        "voice_v2": "voice.v2",
        "conversation": "conversation",
        "sms": "sms",
        "numbers": "numbers",
    }
)


class Services(ServiceContainer):
    """Cache, storage, database, assets and clients of one function, and all that it has registered itself.

    Safe for several threads. What is registered or overridden under one of their types takes their place, also on the
    context: ``services.override(Cache, ...)``.

    What a service imports is imported with it: a function that uses none pays for none. Each of them opens its
    connections anew in a forked child, so it does not matter whether a server forks before or after the first use. The
    exception is an object store: one that was used before a fork refuses to work after it.
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
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}
        weakref.finalize(self, _close, self._made)

    def after_fork_in_child(self) -> None:
        super().after_fork_in_child()
        self._lock = threading.Lock()

    @property
    def config(self) -> FunctionConfig:
        """The function's settings and variables."""
        return self._config

    @property
    def logger(self) -> logging.Logger:
        """The logger of what belongs to no request."""
        return logging.getLogger(f"sinchfn.function.{self._config.function_name}")

    @property
    def cache(self) -> Cache:
        """What ``SINCHFN_CACHE_URL`` says."""
        return cast("Cache", self._own_cache if (other := self._replaced("cache")) is MISSING else other)

    @property
    def storage(self) -> Storage:
        """What ``SINCHFN_STORAGE_URL`` says."""
        if (other := self._replaced("storage")) is not MISSING:
            return cast("Storage", other)
        found: Storage = self._made.get("storage") or self._make("storage", self._open_storage)
        return found

    @property
    def assets(self) -> Assets:
        """The files in ``assets/``."""
        if (other := self._replaced("assets")) is not MISSING:
            return cast("Assets", other)
        found: Assets = self._made.get("assets") or self._make("assets", self._open_assets)
        return found

    @property
    def _own_cache(self) -> Cache:
        found: Cache = self._made.get("cache") or self._make("cache", self._open_cache)
        return found

    @property
    def claims(self) -> Claims:
        """What is done once, whichever worker comes first; kept where the cache is, apart from the user's keys.

        A cache that was put in the place of ours keeps them too, unless it is a fake of another class.
        """
        made: Claims | None = self._made.get("claims")
        if made is not None and not self.is_changed:
            return made
        from .cache import Cache
        from .claims import Claims

        other = self._replaced("cache")
        if isinstance(other, Cache):
            return Claims(other.apart("claims"))
        cache = self._own_cache  # before the lock is taken for the claims: it may have to be made as well
        return cast(Claims, self._make("claims", lambda: Claims(cache.apart("claims"))))

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

    @property
    def voice(self) -> Voice:
        """The clients of both versions of the Voice API."""
        found: Voice = self._made.get("voice") or self._make("voice", self._open_voice)
        return found

    @property
    def voice_client(self) -> VoiceClient | None:
        """The client of the Voice application; None unless its key and secret are set."""
        found: VoiceClient | None = self._client("voice_client")
        return found

    @property
    def voice_v2(self) -> Any:
        """The client of the Voice API v2; None unless its variables are set. The same holds for the next three."""
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
        """What a test has put in the place of the connections to the SQLite file."""
        if not self._overrides.in_force:
            return None
        import sqlite3

        found: sqlite3.Connection | None = self._overrides.in_force.get(sqlite3.Connection)
        return found

    def connect(self) -> sqlite3.Connection:
        """A new connection to the SQLite file.

        :raises DatabaseError: it cannot be opened.
        """
        from .database import open_database

        return open_database(self._database_path)

    def _offered(self, service: Any) -> Callable[[], Any] | None:
        """What gives a service of ours by its type; None if there is none."""
        name = _name_of(service)
        if name is None or (name in CLIENTS and not self.clients.has(CLIENTS[name])):
            return None
        return lambda: getattr(self, f"_own_{name}" if name == "cache" else name)

    def _replaced(self, name: str) -> Any:
        """What was registered or overridden in the place of a service of ours; `MISSING` if nothing was."""
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
                f"{name} is of the context, which all requests share: it cannot be made for each of them. Write "
                f"services.add_singleton({name}, ...), or register a class of your own with add_scoped."
            )
        super().add_scoped(service, factory)

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

    def _open_voice(self) -> Voice:
        from .clients import Voice

        return Voice(weakref.proxy(self))  # not itself: it would keep this alive in a circle

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


def _name_of(service: Any) -> str | None:
    return OFFERED.get((getattr(service, "__module__", ""), getattr(service, "__qualname__", "")))


def _unset(config: FunctionConfig, name: str) -> list[str]:
    """The variables that a client of ours is missing; none for any other service."""
    from .clients import NEEDED as CLIENT_VARIABLES

    return [variable for variable in CLIENT_VARIABLES.get(CLIENTS.get(name, ""), ()) if not config[variable]]


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
    return [*_namesakes(config), *_own_memory(config), *_without_sdk(config)]


def shares_cache(config: FunctionConfig) -> bool:
    """True if all workers of a machine use one cache: any but ``memory:``, of which each process has its own."""
    return _scheme(config, "SINCHFN_CACHE_URL") != "memory"


def _without_sdk(config: FunctionConfig) -> list[str]:
    from .clients import NEEDED as CLIENTS

    missing = missing_extra("sinch", "context.conversation, sms and numbers")
    # The keys of the project alone may be there for Basic auth.
    variables = {variables[-1] for name, variables in CLIENTS.items() if name in ("conversation", "sms", "numbers")}
    there = [name for name in sorted(variables) if config[name]]
    keys = all(config[name] for name in PROJECT)
    return [f"{' and '.join(there)} is set, but {missing}"] if missing and there and keys else []


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
