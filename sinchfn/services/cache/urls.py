"""URLs of caches: what each kind may say. To tell, nothing is opened, and no library of a backend is imported."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath
from urllib.parse import SplitResult, parse_qsl, urlsplit

from ...errors import ConfigError, did_you_mean

#: Options of redis-py that are not for the URL: they would change what is read, or repeat what must not be repeated.
REFUSED_OPTIONS = (
    "decode_responses",
    "encoding",
    "encoding_errors",
    "retry",
    "retry_on_error",
    "retry_on_timeout",
)


def check_cache_url(url: str) -> None:
    """Refuse a ``SINCHFN_CACHE_URL`` that no cache can have. Options of Redis are first looked at when it is opened.

    :raises ConfigError: the message says what is wrong with it, and what to write instead. Never with a password.
    """
    scheme = scheme_of(url)
    if scheme not in RULES:
        raise ConfigError(
            f"SINCHFN_CACHE_URL begins with {scheme[:20]!r}: it takes one of {', '.join(RULES)}."
            f"{did_you_mean(scheme, list(RULES))}"
        )
    RULES[scheme](url)


def scheme_of(url: str) -> str:
    """What stands before the first colon, in small letters."""
    return url.partition(":")[0].lower()


def _check_memory(url: str) -> None:
    if url.partition(":")[2].strip("/"):
        raise ConfigError(f"SINCHFN_CACHE_URL is {url!r}: a cache in memory has no name, it takes memory: alone.")


def _check_sqlite(url: str) -> None:
    if fault := _file_fault(url.partition(":")[2]):
        raise ConfigError(
            f"SINCHFN_CACHE_URL is {url!r}: {fault}. It takes sqlite: and the path of a file as it is, "
            "such as sqlite:data/cache.db, relative to the function's folder, or sqlite:/var/lib/app/cache.db."
        )


def _file_fault(path: str) -> str | None:
    if path.startswith("//"):
        return f"there is no host, hence no //: write sqlite:{'/' * path.startswith('///')}{path.lstrip('/')}"
    if not path or path.endswith("/") or PurePath(path).name in ("", ".", ".."):
        return "there is no name of a file"
    if path == ":memory:":
        return "a cache in memory is written memory:"
    if "\0" in path or "?" in path:
        return "there is a NUL in it" if "\0" in path else "there are no options, hence no ?"
    return None


def _check_redis(url: str) -> None:
    if fault := _redis_fault(url):
        raise redis_refusal(fault)


def redis_refusal(fault: str) -> ConfigError:
    """The error that says what is wrong with a URL of Redis."""
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
        return "there is a # in it" if parts.fragment else "there is no // after the scheme"
    return _option_fault(parts.query) or _path_fault(parts, host)


def _option_fault(query: str) -> str | None:
    for name, value in parse_qsl(query):
        if name in REFUSED_OPTIONS:
            return f"the option {name} is not for the cache"
        if name == "db" and not re.fullmatch(r"[0-9]{1,9}", value):
            return "the option db is a number"
    return None


def _path_fault(parts: SplitResult, host: str | None) -> str | None:
    if parts.scheme == "unix":
        return None if parts.path.strip("/") and not host else "the path of a socket begins with /, hence unix:///"
    if not re.fullmatch(r"/?[0-9]{0,9}", parts.path):
        return "the database, after the host, is a number"
    return None


#: Scheme -> what looks at a URL that has it.
RULES: dict[str, Callable[[str], None]] = {
    "memory": _check_memory,
    "sqlite": _check_sqlite,
    "redis": _check_redis,
    "rediss": _check_redis,
    "unix": _check_redis,
}
