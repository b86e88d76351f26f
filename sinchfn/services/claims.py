"""Claims: what is to be done once, by whichever worker comes first."""

from __future__ import annotations

from enum import Enum, auto

from .cache import Cache

#: Seconds after which something that was begun, and neither finished nor given up, may be begun again.
UNFINISHED = 600


class Claim(Enum):
    """What became of an attempt to begin something."""

    #: nobody else has begun it
    TAKEN = auto()
    #: somebody is at it
    UNDER_WAY = auto()
    #: it was finished before
    DONE = auto()


class Claims:
    """Names of things that are to happen once, shared by all workers and machines through the cache.

    Every method raises :class:`~sinchfn.errors.CacheError` if the cache behind it fails.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def use_up(self, name: str, seconds: float) -> bool:
        """Take `name` for so many seconds; False if somebody has it."""
        return self._cache.increment(name, ttl=seconds) == 1

    def begin(self, name: str, seconds: float = UNFINISHED) -> Claim:
        """Begin what goes by `name`. Then :meth:`finish` it, or :meth:`give_up`.

        :param seconds: after these it may be begun again: the process that began it may have died.
        """
        if self._cache.has(_done(name)):
            return Claim.DONE
        if not self.use_up(name, seconds):
            return Claim.UNDER_WAY
        # Looked for once more: it may have been finished, and given free, between the two questions.
        return Claim.DONE if self._cache.has(_done(name)) else Claim.TAKEN

    def finish(self, name: str, seconds: float) -> None:
        """It is done, and for so many seconds not to be begun again."""
        self._cache.set(_done(name), True, ttl=seconds)
        self._cache.delete(name)

    def give_up(self, name: str) -> None:
        """It was not done: the next one may begin it."""
        self._cache.delete(name)

    def __repr__(self) -> str:
        return f"<Claims in {self._cache!r}>"


def _done(name: str) -> str:
    return f"done/{name}"
