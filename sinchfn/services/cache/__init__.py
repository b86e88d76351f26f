"""``context.cache``: JSON values with an expiry, in memory, in a SQLite file or in Redis.

What may be relied on is the same everywhere and stands in :class:`Cache`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from .cache import Backend as Backend
from .cache import Cache as Cache
from .urls import check_cache_url as check_cache_url
from .urls import scheme_of

#: Scheme of ``SINCHFN_CACHE_URL`` -> the module of the backend, imported when such a cache is opened.
BACKENDS = {
    "memory": ".memory",
    "sqlite": ".sqlite",
    "redis": ".redis",
    "rediss": ".redis",
    "unix": ".redis",
}


def open_cache(url: str, *, folder: Path, namespace: str) -> Cache:
    """Return the cache of a URL. Nothing is connected or written before its first use.

    :param url: ``memory:``, ``sqlite:data/cache.db``, ``redis://host:6379/0``, ``rediss://``, ``unix:///path``.
    :param folder: what the path in a ``sqlite:`` URL is relative to.
    :param namespace: any text; caches of different namespaces never see each other's keys, wherever they are kept.
    :raises ConfigError: the URL is not valid for a cache.
    :raises ExtraError: the package that the backend needs is not installed.
    """
    check_cache_url(url)
    scheme = scheme_of(url)
    backend: Backend = import_module(BACKENDS[scheme], __name__).open_backend(scheme + url[len(scheme) :], folder)
    return Cache(backend, namespace)
