"""The cache: its rules for keys, times and patterns, the interface of its backends, and :class:`Cache`."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote as percent_encode

from ...errors import Advised, CacheError
from ...wire.faults import describe, quote
from .values import dump, is_half_text, load

#: Longest key, in bytes of UTF-8.
LONGEST_KEY = 1024

#: Longest pattern, in characters.
LONGEST_PATTERN = 4096

#: Longest time to live, in seconds, some 3000 years. A longer one counts as this.
LONGEST_TTL = 1e11


def check_key(key: object) -> None:
    """:raises ValueError: it is not a valid key."""
    if not isinstance(key, str):
        raise ValueError(f"A cache key must be a str, found {describe(key)}.")  # noqa: TRY004
    if not key:
        raise ValueError("A cache key cannot be empty, found ''.")
    if "\0" in key:
        raise ValueError(f"The cache key {quote(key)} has a NUL character: leave it out.")
    if is_half_text(key):
        raise ValueError(f"The cache key {quote(key)} is not valid text: it has half of a surrogate pair.")
    if (size := len(key.encode())) > LONGEST_KEY:
        raise ValueError(f"The cache key {quote(key)} is too long: {size} bytes in UTF-8, the limit is {LONGEST_KEY}.")


def is_key(text: str) -> bool:
    """Return True if `text` can be a key. What other programs put into a Redis need not be."""
    return len(text) > 0 and "\0" not in text and len(text.encode()) <= LONGEST_KEY


def milliseconds_of(seconds: float, what: str, key: str) -> int:
    """Return a time to live in milliseconds.

    :param what: its name in the message.
    :raises ValueError: it is not a positive, finite number.
    """
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if is_number and 0 < seconds < math.inf:
        return max(1, round(min(seconds, LONGEST_TTL) * 1000))
    remedy = " Write .total_seconds()." if hasattr(seconds, "total_seconds") else ""
    if seconds is None or seconds == math.inf:
        remedy = " To keep it for good, give a large one, such as 10*365*86400."
    takes = f"it takes a positive, finite number of seconds.{remedy}"
    raise ValueError(f"The {what} of {quote(key)} is {describe(seconds)}: {takes}")


#: A star, a question mark, brackets that are closed, or one character, perhaps behind a backslash. Possessive, so that
#: brackets that are never closed fail at once.
_TOKEN = re.compile(
    r"(?P<star>\*+)|(?P<any>\?)|\[(?P<negated>[!^]?+)(?P<members>(?:\\.|[^\\])(?:\\.|[^\\\]])*+)\]|\\?(?P<literal>.)",
    re.DOTALL,
)
#: One character or range in brackets.
_MEMBER = re.compile(r"\\?(.)(?:-\\?(.))?", re.DOTALL)


class Glob:
    """A pattern, ready to be matched.

    A ``[`` that is never closed and a backslash at the end stand for themselves, as does a ``]`` that comes first in
    its brackets. A range that runs backwards is empty. (:mod:`fnmatch` knows neither backslashes nor ``[^a]``.)
    """

    def __init__(self, pattern: str) -> None:
        """:raises ValueError: `pattern` is not a str, not a text, or too long."""
        if not isinstance(pattern, str):
            raise ValueError(f"A pattern of keys must be a str such as 'session:*', found {describe(pattern)}.")  # noqa: TRY004
        if len(pattern) > LONGEST_PATTERN:
            size = len(pattern)
            raise ValueError(f"The pattern of keys is too long: {size} characters, the limit is {LONGEST_PATTERN}.")
        if is_half_text(pattern):
            raise ValueError("The pattern of keys is not valid text: it has half of a surrogate pair.")
        #: the beginning of every match
        self.prefix = ""
        runs, is_literal = [""], True
        for token in _TOKEN.finditer(pattern):
            is_literal = is_literal and token["literal"] is not None
            if is_literal:
                self.prefix += token["literal"]
            if token["star"]:
                runs.append("")
            else:
                runs[-1] += _character(token)
        # Text between two stars matches at its first occurrence, without backtracking (an atomic group), because a
        # later occurrence could not match more. Text after the last star can only be at the end.
        first, *between, last = runs if len(runs) > 1 else (runs[0], None)
        stars = "" if last is None else "".join(f"(?>.*?{run})" for run in between) + ".*" + last
        self.matches = re.compile(first + stars, re.DOTALL).fullmatch


def _character(token: re.Match[str]) -> str:
    """Return the regular expression of a token that stands for one character."""
    if token["literal"]:
        return re.escape(token["literal"])
    if token["any"]:
        return "."
    ranges = [(low, high or low) for low, high in _MEMBER.findall(token["members"])]
    members = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in ranges if low <= high)
    if not members:
        return "." if token["negated"] else "(?!)"
    return f"[{'^' if token['negated'] else ''}{members}]"


#: The range of a counter: 64 bits.
LEAST, GREATEST = -(2**63), 2**63 - 1

_WHOLE = re.compile(r"-?[0-9]+")


class Backend(ABC):
    """The place where entries are kept. Names, texts and times are valid; a name includes its namespace.

    Every method is atomic, safe for any number of threads, and treats an expired entry as absent.
    """

    #: where this is, for messages; without passwords
    place: str
    #: the errors of its methods when the place cannot be reached, is full, read-only or broken
    errors: tuple[type[Exception], ...] = ()

    def explain(self, error: Exception) -> str:
        """Return the cause of one of `errors` and the remedy."""
        return str(error)

    @abstractmethod
    def get(self, name: str) -> str | None: ...

    @abstractmethod
    def get_many(self, names: Sequence[str]) -> list[str | None]:
        """Return the texts in the order of `names`, which is not empty."""

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
        """Return the new number. The expiry is set only when the counter is made.

        :raises UncountableError: see :func:`added`.
        """

    @abstractmethod
    def names(self, prefix: str) -> Iterable[str]:
        """Return all names that begin with `prefix`, in any order, each once."""

    @abstractmethod
    def close(self) -> None:
        """Close connections and files. Later uses connect again."""


class UncountableError(Exception):
    """An entry cannot be counted up."""

    def __init__(self, kind: type[Exception], message: str) -> None:
        super().__init__(message)
        #: the error that the caller of the cache gets
        self.kind = kind


def added(text: str, by: int) -> int:
    """Return the whole number in the JSON `text`, plus `by`.

    :raises UncountableError: it is not a whole number, or the sum is beyond 64 bits.
    """
    if not _WHOLE.fullmatch(text):
        found = f"{text[:40]}..." if len(text) > 40 else text
        raise UncountableError(TypeError, f"its value is not a whole number, found {found}")
    if len(text) > 20 or not LEAST <= int(text) + by <= GREATEST:
        raise UncountableError(OverflowError, f"the sum of {text[:40]} and {by} is beyond 64 bits")
    return int(text) + by


class Cache(Advised):
    """JSON values under text keys, each for a limited time. ``context.cache`` in a handler.

    Any number of threads and, but for ``memory:``, processes may use it at once. What has expired is never seen again.

    - A key is a non-empty str without NUL, of at most 1024 bytes in UTF-8. Anything else is a ``ValueError``.
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
        self._prefix = f"sinchfn:{percent_encode(namespace, safe='', errors='surrogatepass')}:"

    def set(self, key: str, value: Any, ttl: float = 3600) -> None:
        """Keep `value` under `key` for `ttl` seconds, replacing any other."""
        name, text, milliseconds = self._name(key), dump(value, key), milliseconds_of(ttl, "ttl", key)
        try:
            self._backend.set(name, text, milliseconds)
        except self._backend.errors as error:
            raise self._failed("set", key, error) from None

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under `key`, or `default` if it is missing or has expired."""
        name = self._name(key)
        try:
            text = self._backend.get(name)
        except self._backend.errors as error:
            raise self._failed("get", key, error) from None
        return default if text is None else self._load(text, key)

    def get_many(self, keys: Iterable[str]) -> list[Any]:
        """Return the values under `keys` in their order, ``None`` for each that is missing. One round trip."""
        if isinstance(keys, str):
            raise TypeError(f"get_many takes a list of keys: write [{quote(keys)}] instead of {quote(keys)}.")
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
        """Return True if there is a value under `key`, even ``None``."""
        name = self._name(key)
        try:
            return self._backend.has(name)
        except self._backend.errors as error:
            raise self._failed("look for", key, error) from None

    def delete(self, key: str) -> bool:
        """Remove the value under `key`. Return True if there was one."""
        name = self._name(key)
        try:
            return self._backend.delete(name)
        except self._backend.errors as error:
            raise self._failed("delete", key, error) from None

    def extend(self, key: str, seconds: float) -> bool:
        """Let the value under `key` expire `seconds` from now, later or sooner. Return False if it is missing."""
        name, milliseconds = self._name(key), milliseconds_of(seconds, "new time to live", key)
        try:
            return self._backend.extend(name, milliseconds)
        except self._backend.errors as error:
            raise self._failed("extend", key, error) from None

    def increment(self, key: str, by: int = 1, ttl: float = 3600) -> int:
        """Add `by` to the whole number under `key`, which begins at 0, and return the sum. Never loses an increment.

        `ttl` counts from when the counter is made; one that is there keeps its expiry. After a failure of the
        connection to Redis the increment may have been made; it is never made twice.

        :raises TypeError: the value under `key`, or `by`, is not a whole number.
        :raises OverflowError: the sum, or `by`, is beyond 64 bits.
        """
        name, milliseconds = self._name(key), milliseconds_of(ttl, "ttl", key)
        if not isinstance(by, int) or isinstance(by, bool):
            raise TypeError(f"Cannot increment {quote(key)} by {describe(by)}: it takes a whole number.")
        if not LEAST <= by <= GREATEST:
            raise OverflowError(f"Cannot increment {quote(key)} by a number beyond 64 bits.")
        try:
            return self._backend.increment(name, int(by), milliseconds)
        except UncountableError as error:
            raise error.kind(f"Cannot increment {quote(key)}: {error}.") from None
        except self._backend.errors as error:
            raise self._failed("increment", key, error) from None

    def keys(self, pattern: str = "*") -> list[str]:
        """Return all keys that match a glob pattern, sorted.

        ``*`` is any text, ``?`` any character, ``[abc]``, ``[a-z]`` one of these, ``[!a]`` or ``[^a]`` any other; a
        backslash takes the meaning from what follows. With Redis this walks through the whole database.

        :raises ValueError: `pattern` is not a str, or longer than 4096 characters.
        """
        glob = Glob(pattern)
        try:
            names = self._backend.names(self._prefix + glob.prefix)
        except self._backend.errors as error:
            raise self._failed("list", pattern, error) from None
        start = len(self._prefix)
        return sorted(key for name in names if glob.matches(key := name[start:]) and is_key(key))

    def apart(self, purpose: str) -> Cache:
        """Return a cache in the same place, over the same connections, that shares no key with this one.

        :param purpose: a word without ``/``; the same word gives the same keys.
        """
        other = Cache(self._backend, "")
        # A namespace is quoted, so none begins with a slash.
        other._prefix = f"sinchfn:/{purpose}/{self._prefix.removeprefix('sinchfn:')}"
        return other

    def close(self) -> None:
        """Close connections and files. Later uses open them again; ``memory:`` is emptied."""
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
                f"Cannot get {quote(key)} from the cache {self._backend.place}: its value is not JSON as sinchfn "
                f"writes it ({error}). Delete the key, or keep other programs out of this place."
            ) from None

    def _failed(self, verb: str, key: str, error: Exception, others: int = 0) -> CacheError:
        more = f" and {others} more" if others else ""
        return CacheError(
            f"Cannot {verb} {quote(key)}{more} in the cache {self._backend.place}: {self._backend.explain(error)}"
        )
