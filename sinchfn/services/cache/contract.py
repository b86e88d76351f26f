"""The cache as a handler sees it, and what every backend is asked for."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from ...errors import Advised, CacheError
from .globs import Glob
from .keys import LONGEST_KEY, check_key, is_key, milliseconds_of, shown
from .values import dump, load

#: What a counter can hold: 64 bits.
LEAST, GREATEST = -(2**63), 2**63 - 1

_WHOLE = re.compile(r"-?[0-9]+")


class Backend(ABC):
    """Where entries are kept. Names, texts and times have been checked; a name carries its namespace.

    Every method is one atomic step, safe for any number of threads, and takes an entry that has expired for absent.
    """

    #: where this is, for messages; without passwords
    place: str
    #: what its methods raise when the place cannot be reached, is full, read-only or broken
    errors: tuple[type[Exception], ...] = ()

    def explain(self, error: Exception) -> str:
        """One of `errors` in words: the cause, and what to do about it."""
        return str(error)

    @abstractmethod
    def get(self, name: str) -> str | None: ...

    @abstractmethod
    def get_many(self, names: Sequence[str]) -> list[str | None]:
        """The texts in the order of `names`, which is not empty."""

    @abstractmethod
    def has(self, name: str) -> bool: ...

    @abstractmethod
    def set(self, name: str, text: str, milliseconds: int) -> None: ...

    @abstractmethod
    def delete(self, name: str) -> bool: ...

    @abstractmethod
    def extend(self, name: str, milliseconds: int) -> bool: ...

    @abstractmethod
    def increment(self, name: str, by: int, milliseconds: int) -> int:
        """The new number. The expiry is set only when the counter is made.

        :raises UncountableError: see :func:`added`.
        """

    @abstractmethod
    def names(self, prefix: str) -> Iterable[str]:
        """All names that begin with `prefix`, in any order, each once."""

    @abstractmethod
    def close(self) -> None:
        """Give up connections and files. Whoever uses it afterwards connects again."""


class UncountableError(Exception):
    """An entry cannot be counted up."""

    def __init__(self, kind: type[Exception], message: str) -> None:
        super().__init__(message)
        #: what the caller of the cache is to get
        self.kind = kind


def added(text: str, by: int) -> int:
    """The whole number that `text` is the JSON of, plus `by`.

    :raises UncountableError: it is no whole number, or the sum is beyond 64 bits.
    """
    if not _WHOLE.fullmatch(text):
        found = f"{text[:40]}..." if len(text) > 40 else text
        raise UncountableError(TypeError, f"its value is no whole number but {found}")
    if len(text) > 20 or not LEAST <= int(text) + by <= GREATEST:
        raise UncountableError(OverflowError, f"{text[:40]} and {by} is beyond 64 bits")
    return int(text) + by


class Cache(Advised):
    """JSON values under text keys, each for a limited time. ``context.cache`` in a handler.

    Any number of threads and, but for ``memory:``, processes may use it at once. What has expired is never seen again.

    - A key is a non-empty str without NUL, of at most 1024 bytes in UTF-8; anything else, also what is
      no str, is a ``ValueError``.
    - A value is what JSON can say: ``None``, bool, int, finite float, str, and lists and dicts of those with str keys,
      nested up to 200 levels. A tuple becomes a list. Anything else is a ``TypeError`` that names the place. What you
      get is a copy of your own.
    - A time to live is a positive, finite number of seconds, int or float, exact to the millisecond. Anything
      else is a ``ValueError``.
    - Every method raises :class:`~sinchfn.errors.CacheError` when the backend cannot do it: the message names the
      key, the place, the cause and the remedy.
    """

    __slots__ = ("_backend", "_prefix")

    _called = "the cache"
    _elsewhere: ClassVar[Mapping[str, str]] = {
        "incr": "increment",
        "add": "set",
        "put": "set",
        "exists": "has",
        "expire": "extend",
    }

    def __init__(self, backend: Backend, namespace: str) -> None:
        self._backend = backend
        # Quoted, so that no namespace begins another one, and nothing in it means something in a pattern of Redis.
        self._prefix = f"sinchfn:{quote(namespace, safe='', errors='surrogatepass')}:"

    def set(self, key: str, value: Any, ttl: float = 3600) -> None:
        """Keep `value` under `key` for `ttl` seconds, in place of what is there."""
        name, text, milliseconds = self._name(key), dump(value, key), milliseconds_of(ttl, "ttl", key)
        try:
            self._backend.set(name, text, milliseconds)
        except self._backend.errors as error:
            raise self._failed("set", key, error) from None

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`; `default` if there is none, or not any more."""
        name = self._name(key)
        try:
            text = self._backend.get(name)
        except self._backend.errors as error:
            raise self._failed("get", key, error) from None
        return default if text is None else self._load(text, key)

    def get_many(self, keys: Iterable[str]) -> list[Any]:
        """The values under `keys`, in their order, ``None`` for each that is not there. One round trip."""
        if isinstance(keys, str):
            raise TypeError(f"get_many takes a list of keys: [{shown(keys)}] instead of {shown(keys)}.")
        wanted = list(keys)
        names = [self._name(key) for key in wanted]
        if not names:
            return []
        try:
            texts = self._backend.get_many(names)
        except self._backend.errors as error:
            raise self._failed("get", wanted[0], error, others=len(wanted) - 1) from None
        found = zip(texts, wanted, strict=True)
        return [None if text is None else self._load(text, key) for text, key in found]

    def has(self, key: str) -> bool:
        """Whether there is a value under `key`, be it ``None``."""
        name = self._name(key)
        try:
            return self._backend.has(name)
        except self._backend.errors as error:
            raise self._failed("look for", key, error) from None

    def delete(self, key: str) -> bool:
        """Remove what is under `key`; whether there was something."""
        name = self._name(key)
        try:
            return self._backend.delete(name)
        except self._backend.errors as error:
            raise self._failed("delete", key, error) from None

    def extend(self, key: str, seconds: float) -> bool:
        """Let what is under `key` expire `seconds` from now, be that later or sooner; False if nothing is there."""
        name, milliseconds = self._name(key), milliseconds_of(seconds, "new time to live", key)
        try:
            return self._backend.extend(name, milliseconds)
        except self._backend.errors as error:
            raise self._failed("extend", key, error) from None

    def increment(self, key: str, by: int = 1, ttl: float = 3600) -> int:
        """Add `by` to the whole number under `key`, which begins at 0, and return the sum. Never loses an increment.

        `ttl` counts from when the counter is made; one that is there keeps its expiry. After a failure of the
        connection to Redis the increment may have been made; it is never made twice.

        :raises TypeError: what is under `key` is no whole number, or `by` is none.
        :raises OverflowError: the sum, or `by`, is beyond 64 bits.
        """
        name, milliseconds = self._name(key), milliseconds_of(ttl, "ttl", key)
        if not isinstance(by, int) or isinstance(by, bool):
            raise TypeError(f"Cannot increment {shown(key)} by {by!r}: it takes a whole number.")
        if not LEAST <= by <= GREATEST:
            raise OverflowError(f"Cannot increment {shown(key)} by a number beyond 64 bits.")
        try:
            return self._backend.increment(name, int(by), milliseconds)
        except UncountableError as error:
            raise error.kind(f"Cannot increment {shown(key)}: {error}.") from None
        except self._backend.errors as error:
            raise self._failed("increment", key, error) from None

    def keys(self, pattern: str = "*") -> list[str]:
        """All keys that match a glob pattern, sorted.

        ``*`` is any text, ``?`` any character, ``[abc]``, ``[a-z]`` one of these, ``[!a]`` or ``[^a]`` any other; a
        backslash takes the meaning from what follows. With Redis this walks through the whole database.

        :raises ValueError: `pattern` is no str, or longer than 4096 characters.
        """
        glob = Glob(pattern)
        try:
            names = self._backend.names(self._prefix + glob.prefix)
        except self._backend.errors as error:
            raise self._failed("list", pattern, error) from None
        start = len(self._prefix)
        return sorted(key for name in names if glob.matches(key := name[start:]) and is_key(key))

    def apart(self, purpose: str) -> Cache:
        """A cache in the same place, over the same connections, whose keys are none of this one's.

        :param purpose: a word without ``/``; the same word gives the same keys.
        """
        other = Cache(self._backend, "")
        # A namespace is quoted, so none begins with a slash.
        other._prefix = f"sinchfn:/{purpose}/{self._prefix.removeprefix('sinchfn:')}"
        return other

    def close(self) -> None:
        """Give up connections and files. A cache that is used afterwards opens them again; ``memory:`` is emptied."""
        self._backend.close()

    def __repr__(self) -> str:
        return f"<Cache {self._backend.place}>"

    def _name(self, key: str) -> str:
        # The first line is the rule for nearly every key there is, without encoding it.
        if not (type(key) is str and key.isascii() and 0 < len(key) <= LONGEST_KEY and "\0" not in key):
            check_key(key)
        return self._prefix + key

    def _load(self, text: str, key: str) -> Any:
        try:
            return load(text)
        except (ValueError, RecursionError) as error:
            raise CacheError(
                f"Cannot get {shown(key)} from the cache {self._backend.place}: what is there is not JSON as sinchfn "
                f"writes it ({error}). Delete the key, or keep other programs out of this place."
            ) from None

    def _failed(self, verb: str, key: str, error: Exception, others: int = 0) -> CacheError:
        more = f" and {others} more" if others else ""
        return CacheError(
            f"Cannot {verb} {shown(key)}{more} in the cache {self._backend.place}: {self._backend.explain(error)}"
        )
