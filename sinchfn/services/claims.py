"""Claims: work that is done once, by the first worker to claim it."""

from __future__ import annotations

from enum import Enum, auto

from .cache import Cache

#: Seconds after which work that was neither finished nor released may be begun again.
UNFINISHED = 600


class Claim(Enum):
    """The result of :meth:`Claims.begin`."""

    #: no other worker has begun it
    TAKEN = auto()
    #: another worker has begun it
    UNDER_WAY = auto()
    #: it was finished before
    DONE = auto()


class Claims:
    """Names of things that happen once, shared by all workers and machines through the cache.

    Every method raises :class:`~sinchfn.errors.CacheError` if the cache behind it fails.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def use_up(self, name: str, seconds: float) -> bool:
        """Take `name` for this number of seconds. Return False if it is taken already."""
        return self._cache.increment(name, ttl=seconds) == 1

    def begin(self, name: str, seconds: float = UNFINISHED) -> Claim:
        """Begin the work of this name. Then :meth:`finish` it, or :meth:`give_up`.

        :param seconds: after these it may be begun again: the process that began it may have died.
        """
        if self._cache.has(_done(name)):
            return Claim.DONE
        if not self.use_up(name, seconds):
            return Claim.UNDER_WAY
        # Looked for once more: it may have been finished, and given free, between the two questions.
        return Claim.DONE if self._cache.has(_done(name)) else Claim.TAKEN

    def finish(self, name: str, seconds: float) -> None:
        """Record that it is done, so that it cannot be begun again for this number of seconds."""
        self._cache.set(_done(name), True, ttl=seconds)
        self._cache.delete(name)

    def give_up(self, name: str) -> None:
        """Release it undone, so that another worker may begin it."""
        self._cache.delete(name)

    def __repr__(self) -> str:
        return f"<Claims in {self._cache!r}>"


def _done(name: str) -> str:
    return f"done/{name}"
