"""``context.cache``: JSON values with an expiry, in memory, in a SQLite file or in Redis.

What may be relied on is the same everywhere and stands in :class:`Cache`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from ...errors import ConfigError, did_you_mean
from .contract import Backend as Backend
from .contract import Cache as Cache

#: Scheme of ``SINCHFN_CACHE_URL`` -> the module of the backend, imported when such a cache is opened.
BACKENDS = {
    "memory": ".memory",
    "sqlite": ".sqlite",
    "redis": ".redis",
    "rediss": ".redis",
    "unix": ".redis",
}


def open_cache(url: str, *, folder: Path, namespace: str) -> Cache:
    """The cache behind a URL. Nothing is connected to, or written, before the cache is first used.

    :param url: ``memory:``, ``sqlite:data/cache.db``, ``redis://host:6379/0``, ``rediss://``, ``unix:///path``.
    :param folder: what the path in a ``sqlite:`` URL is relative to.
    :param namespace: any text; caches of different namespaces never see each other's keys, wherever they are kept.
    :raises ConfigError: the URL cannot be one of a cache.
    :raises ExtraError: the package that the backend needs is not installed.
    """
    scheme, colon, rest = url.partition(":")
    scheme = scheme.lower()
    if scheme not in BACKENDS:
        raise ConfigError(
            f"SINCHFN_CACHE_URL begins with {scheme[:20]!r}: it takes one of {', '.join(BACKENDS)}."
            f"{did_you_mean(scheme, list(BACKENDS))}"
        )
    backend: Backend = import_module(BACKENDS[scheme], __name__).open_backend(f"{scheme}{colon}{rest}", folder)
    return Cache(backend, namespace)
