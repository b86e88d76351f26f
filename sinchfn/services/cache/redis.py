"""The cache in Redis: shared by all processes of all machines that use it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ...forks import Forkable, across_forks
from ..extras import import_extra
from .contract import Backend, UncountableError, added
from .urls import redis_refusal

#: How long, in seconds, a call waits for Redis to take a connection, and then for each answer.
PATIENCE = 2.0

#: What redis-py is told for every kind of connection; a URL may say otherwise, as in ``?socket_timeout=5``.
SETTINGS: dict[str, Any] = {
    "socket_connect_timeout": PATIENCE,
    "socket_timeout": PATIENCE,
    "max_connections": 1000,
    # Spoken by every server and proxy, without a handshake, and nothing comes unasked.
    "protocol": 2,
}

#: How many keys Redis looks at for one answer to SCAN.
SCANNED = 1000

#: All that is asked of it, the last two with a script that runs INCRBY, GET, PTTL and PEXPIRE.
COMMANDS = ("GET", "MGET", "SET", "EXISTS", "DEL", "INCRBY", "PTTL", "PEXPIRE", "SCAN", "EVAL", "EVALSHA")

#: What Redis or redis-py says, by its beginning or the class of the error -> what to do about it.
REMEDIES = (
    (r"WRONGTYPE", "Another program wrote this key: delete it, or give sinchfn a database of its own (?db=1)."),
    (r"READONLY|ReadOnlyError", "The URL names a replica: name the primary in SINCHFN_CACHE_URL."),
    (r"OOM|OutOfMemoryError|command not allowed when used memory", "Raise its maxmemory, or let it evict."),
    (
        r"NOPERM|NoPermissionError",
        "Let this user run GET, MGET, SET, EXISTS, DEL, INCRBY, PTTL, PEXPIRE, SCAN, EVAL and EVALSHA.",
    ),
    (r"NOAUTH|WRONGPASS|Authentication", "Check user and password in SINCHFN_CACHE_URL."),
    (r"max number of clients|Too many connections|MaxConnections", "Raise its maxclients, or run fewer workers."),
    (r"BusyLoadingError", "It reads its data from disk: wait until it has."),
    (r"TimeoutError", "It hangs, or the network does; whether it was done is not known."),
    (r"ConnectionError", "See whether it runs and whether this machine reaches it."),
)

# Made in one step with its expiry. The sum is read back as text, for a number of Lua is a float.
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
    # Told expressly: a client of redis-py itself repeats what failed, three times since version 6, ten times since 8.
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
        self.place = _place(self._pool)
        self.errors = (redis.RedisError, OSError, UnicodeDecodeError)
        across_forks(self)

    def _start(self) -> None:
        self._pool = _pool(self._redis, self._url)
        self._client = self._redis.Redis(connection_pool=self._pool)

    def get(self, name: str) -> str | None:
        return _text(self._read(lambda: self._client.get(name)))

    def get_many(self, names: Sequence[str]) -> list[str | None]:
        return [_text(data) for data in self._read(lambda: self._client.mget(names))]

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
        except self._redis.exceptions.NoScriptError:  # it was not run, so this is no repetition
            answer = self._client.eval(_ADD, 1, name, by, milliseconds)
        if isinstance(answer, list):
            raise _uncountable(answer, by)
        return int(answer)

    def names(self, prefix: str) -> Iterable[str]:
        pattern = re.sub(r"([\\*?\[\]])", r"\\\1", prefix) + "*"
        found = self._read(lambda: set(self._client.scan_iter(match=pattern, count=SCANNED)))
        return [name.decode() for name in found if _is_text(name)]

    def close(self) -> None:
        self._pool.disconnect()

    def after_fork_in_child(self) -> None:
        # A pool of its own: in the other one, a thread that is not here may have held the lock. That pool is kept, for
        # to give it up would close connections of the parent.
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
        """What `ask` returns; asked once more if the connection broke, which a timeout is not."""
        try:
            return ask()
        except self._redis.ConnectionError:
            return ask()


def _place(pool: Any) -> str:
    told = pool.connection_kwargs
    if "path" in told:
        return f"unix://{told['path']}"
    host = str(told.get("host", "localhost"))
    host = f"[{host}]" if ":" in host else host
    scheme = "rediss" if "SSL" in pool.connection_class.__name__ else "redis"
    return f"{scheme}://{host}:{told.get('port', 6379)}/{told.get('db', 0)}"


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _uncountable(answer: list[bytes], by: int) -> UncountableError:
    try:
        added(answer[0].decode(errors="replace"), by)
    except UncountableError as error:
        return error
    return UncountableError(TypeError, "Redis does not take its value for a whole number")
