"""The cache in Redis: shared by all processes of all machines that use it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ...forks import Forkable, across_forks
from ..extras import import_extra
from .cache import Backend, UncountableError, added
from .urls import redis_refusal

#: Seconds that a call waits for the connection, and then for each answer.
PATIENCE = 2.0

#: The options of every connection. A URL may override them: ``?socket_timeout=5``.
SETTINGS: dict[str, Any] = {
    "socket_connect_timeout": PATIENCE,
    "socket_timeout": PATIENCE,
    "max_connections": 1000,
    # Every server and proxy speaks it, without a handshake and without pushed messages.
    "protocol": 2,
}

#: How many keys Redis looks at for one answer to SCAN.
SCANNED = 1000

#: All commands that are used, the last two with a script that runs INCRBY, GET, PTTL and PEXPIRE.
COMMANDS = ("GET", "MGET", "SET", "EXISTS", "DEL", "INCRBY", "PTTL", "PEXPIRE", "SCAN", "EVAL", "EVALSHA")

#: A pattern in an error's text or class -> the remedy.
REMEDIES = (
    (r"WRONGTYPE", "Another program wrote this key: delete it, or give sinchfn a database of its own (?db=1)."),
    (r"READONLY|ReadOnlyError", "The URL names a replica: name the primary in SINCHFN_CACHE_URL."),
    (r"OOM|OutOfMemoryError|command not allowed when used memory", "Raise its maxmemory, or let it evict."),
    (r"NOPERM|NoPermissionError", f"Let this user run {', '.join(COMMANDS)}."),
    (r"NOAUTH|WRONGPASS|Authentication", "Check user and password in SINCHFN_CACHE_URL."),
    (r"max number of clients|Too many connections|MaxConnections", "Raise its maxclients, or run fewer workers."),
    (r"BusyLoadingError", "It reads its data from disk: wait until it has."),
    (r"TimeoutError", "Redis or the network hangs; whether it was done is not known."),
    (r"ConnectionError", "See whether it runs and whether this machine reaches it."),
)

# Made in one step with its expiry. The sum is read back as text, because a number of Lua is a float.
_ADD = """
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) == 'table' and sum.err then
    if string.find(sum.err, 'integer') or string.find(sum.err, 'overflow') then
        return {redis.call('GET', KEYS[1])}
    end
    return sum
end
if redis.call('PTTL', KEYS[1]) == -1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('GET', KEYS[1])
"""
_ADD_ID = hashlib.sha1(_ADD.encode(), usedforsecurity=False).hexdigest()

Answer = TypeVar("Answer")


def open_backend(url: str, folder: Path) -> Backend:
    """
    :raises ConfigError: the URL has an option that redis-py does not take.
    :raises ExtraError: redis-py is not installed.
    """
    redis = import_extra("redis", f"SINCHFN_CACHE_URL={url.partition(':')[0]}://")
    try:
        pool = _pool(redis, url)
        pool.connection_class(**pool.connection_kwargs)  # not connected; only here does it look at its options
    except (redis.RedisError, TypeError, ValueError, AttributeError) as error:
        raise redis_refusal(f"{error}") from None
    return RedisBackend(redis, url)


def _pool(redis: Any, url: str) -> Any:
    # Set explicitly: redis-py repeats failed commands by default, three times since version 6, ten times since 8.
    never = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    alive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    return redis.ConnectionPool.from_url(url, **SETTINGS, **alive, retry=never)


class RedisBackend(Backend, Forkable):
    """One command for each call, over a pool of connections that redis-py keeps.

    Nothing is repeated, but for reads whose connection turns out to be gone.
    """

    def __init__(self, redis: Any, url: str) -> None:
        self._redis = redis
        self._url = url
        self._pool: Any = None
        self._inherited: list[Any] = []
        self._start()
        pool: Any = self._pool
        told = pool.connection_kwargs
        if "path" in told:
            self.place = f"unix://{told['path']}"
        else:
            scheme = "rediss" if "SSL" in pool.connection_class.__name__ else "redis"
            host = str(told.get("host", "localhost"))
            host = f"[{host}]" if ":" in host else host
            self.place = f"{scheme}://{host}:{told.get('port', 6379)}/{told.get('db', 0)}"
        self.errors = (redis.RedisError, OSError, UnicodeDecodeError)
        across_forks(self)

    def _start(self) -> None:
        self._pool = _pool(self._redis, self._url)
        self._client = self._redis.Redis(connection_pool=self._pool)

    def get(self, name: str) -> str | None:
        data = self._read(lambda: self._client.get(name))
        return None if data is None else data.decode()

    def get_many(self, names: Sequence[str]) -> list[str | None]:
        found = self._read(lambda: self._client.mget(names))
        return [None if data is None else data.decode() for data in found]

    def has(self, name: str) -> bool:
        return bool(self._read(lambda: self._client.exists(name)))

    def set(self, name: str, text: str, milliseconds: int) -> None:
        self._client.set(name, text, px=milliseconds)

    def delete(self, name: str) -> bool:
        return bool(self._client.delete(name))

    def extend(self, name: str, milliseconds: int) -> bool:
        return bool(self._client.pexpire(name, milliseconds))

    def increment(self, name: str, by: int, milliseconds: int) -> int:
        try:
            answer = self._client.evalsha(_ADD_ID, 1, name, by, milliseconds)
        except self._redis.exceptions.NoScriptError:  # it was not run, so it is not run twice
            answer = self._client.eval(_ADD, 1, name, by, milliseconds)
        if isinstance(answer, list):  # not counted: the value of the entry
            added(answer[0].decode(errors="replace"), by)
            raise UncountableError(TypeError, "Redis does not accept its value as a whole number")
        return int(answer)

    def names(self, prefix: str) -> Iterable[str]:
        pattern = re.sub(r"([\\*?\[\]])", r"\\\1", prefix) + "*"
        found = self._read(lambda: set(self._client.scan_iter(match=pattern, count=SCANNED)))
        names = []
        for name in found:
            with suppress(UnicodeDecodeError):  # not a key of ours
                names.append(name.decode())
        return names

    def close(self) -> None:
        self._pool.disconnect()

    def after_fork_in_child(self) -> None:
        # A new pool, because a thread of the parent may hold the lock of the old one. The old pool is kept, because
        # dropping it would close connections of the parent.
        self._inherited.append(self._client)
        self._start()

    def explain(self, error: Exception) -> str:
        if isinstance(error, UnicodeDecodeError):
            return "what is there is not UTF-8. Another program wrote this key: delete it, or use another database."
        cause = str(error).strip().rstrip(".") or type(error).__name__
        told = f"{cause} {' '.join(kind.__name__ for kind in type(error).__mro__)}"
        remedy = next((remedy for sign, remedy in REMEDIES if re.search(sign, told)), "")
        return f"{cause}. {remedy}".rstrip()

    def _read(self, ask: Callable[[], Answer]) -> Answer:
        """Return what `ask` returns. Ask again if the connection broke; a timeout is not repeated."""
        try:
            return ask()
        except self._redis.ConnectionError:
            return ask()
