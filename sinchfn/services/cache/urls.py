"""URLs of caches: the rules of each scheme, checked without opening anything or importing a backend."""

from __future__ import annotations

import re
from pathlib import PurePath
from urllib.parse import parse_qsl, urlsplit

from ...errors import ConfigError, did_you_mean

#: The schemes of a cache, the last three of Redis.
SCHEMES = ("memory", "sqlite", "redis", "rediss", "unix")

#: Options of redis-py that are not for the URL: they would change what is read, or repeat what must not be repeated.
REFUSED_OPTIONS = ("decode_responses", "encoding", "encoding_errors", "retry", "retry_on_error", "retry_on_timeout")


def check_cache_url(url: str) -> None:
    """Check ``SINCHFN_CACHE_URL``. Most options of Redis are checked only when the cache is opened.

    :raises ConfigError: the message says what is wrong and what to write instead, without a password.
    """
    scheme, path = scheme_of(url), url.partition(":")[2]
    if scheme not in SCHEMES:
        raise ConfigError(
            f"SINCHFN_CACHE_URL begins with {scheme[:20]!r}: it takes one of {', '.join(SCHEMES)}."
            f"{did_you_mean(scheme, list(SCHEMES))}"
        )
    if scheme == "memory":
        if path.strip("/"):
            raise ConfigError(f"SINCHFN_CACHE_URL is {url!r}: a cache in memory has no name, write memory: alone.")
    elif scheme == "sqlite":
        if fault := _file_fault(path):
            raise ConfigError(
                f"SINCHFN_CACHE_URL is {url!r}: {fault}. It takes sqlite: and the path of a file as it is, "
                "such as sqlite:data/cache.db, relative to the function's folder, or sqlite:/var/lib/app/cache.db."
            )
    elif fault := _redis_fault(url):
        raise redis_refusal(fault)


def scheme_of(url: str) -> str:
    """Return the scheme of a URL in lower case."""
    return url.partition(":")[0].lower()


def _file_fault(path: str) -> str | None:
    if path.startswith("//"):
        return f"a file has no host, so write sqlite:{'/' * path.startswith('///')}{path.lstrip('/')} without the //"
    if not path or path.endswith("/") or PurePath(path).name in ("", ".", ".."):
        return "the name of the file is missing"
    if path == ":memory:":
        return "a cache in memory is written memory:"
    if "\0" in path or "?" in path:
        return "it has a NUL character" if "\0" in path else "it takes no options, so remove the ?"
    return None


def redis_refusal(fault: str) -> ConfigError:
    """Return the error for a wrong URL of Redis."""
    # Without the URL: it may hold a password.
    return ConfigError(
        f"SINCHFN_CACHE_URL cannot be used: {fault}. It takes redis://user:password@host:6379/0, rediss:// for TLS, "
        "or unix:///path/to/socket?db=0; in a user or password, any of / ? # @ : % is written %2F and so on."
    )


def _redis_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "its host or port cannot be read"
    if not url.partition(":")[2].startswith("//") or parts.fragment:
        return "it has a #" if parts.fragment else "the // after the scheme is missing"
    for name, value in parse_qsl(parts.query):
        if name in REFUSED_OPTIONS:
            return f"the option {name} is not allowed for the cache"
        if name == "db" and not re.fullmatch(r"[0-9]{1,9}", value):
            return "the option db must be a number"
    if parts.scheme == "unix":
        return None if parts.path.strip("/") and not host else "the path of a socket begins with /, so write unix:///"
    return None if re.fullmatch(r"/?[0-9]{0,9}", parts.path) else "the database, after the host, must be a number"
