"""The parsers of settings: each takes the text of a variable and returns its value.

A parser raises ``ValueError`` for a text that the setting does not take. The message says what it takes, and follows
the name and the value of the variable: ``SINCHFN_ENV is 'prod' (in .env): it takes production or development.``
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ..errors import did_you_mean
from .credentials import decode_secret, encode_key, encode_secret

Parse = Callable[[str], Any]

#: The regions of the v1 voice API.
VOICE_REGIONS = ("global", "use1", "euc1", "sae1", "apse1", "apse2")

_PATH = r"(:[0-9]+)?(/[!$-;=@-Z_a-z~]*)?"
_URL = re.compile(rf"(?i:https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]){_PATH}")
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
#: A URL begins with a scheme. A single letter is a drive of Windows.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
#: A text that looks like a path and holds no password.
_PATH_ALONE = re.compile(r"[^@:=?#\s]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

#: Bytes in the units of ``30MB`` and ``1 MiB``, for messages: no setting takes a unit.
_UNITS = {"k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_WITH_UNIT = re.compile(r"(?i)([0-9]{1,9}) *([kmg]i?)b?")

_LEDGER = "the path of a file, or off, or - for standard output"
_DATABASE = "the path of a SQLite file, such as data/function.db; for another database open a connection of your own"


def one_of(*values: str) -> Parse:
    """Return a parser of one of these words, in any case."""

    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"it takes {' or '.join(values)}.{did_you_mean(text.lower(), values)}")
        return text.lower()

    return parse


def flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("it takes true or false.")
    return text.lower() in ("true", "1")


def whole(low: int, high: int) -> Parse:
    """Return a parser of whole numbers."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"it takes a whole number from {low} to {high}.")
        return int(text)

    return parse


def size(text: str) -> int:
    """Parse a number of bytes."""
    if found := _WITH_UNIT.fullmatch(text):
        raise ValueError(f"it takes a whole number of bytes: write {int(found[1]) * _UNITS[found[2].lower()]}")
    return int(whole(1, 1 << 32)(text))


def level(text: str) -> int:
    """Parse the name of a log level."""
    levels = logging.getLevelNamesMapping()
    if text.upper() not in levels:
        near = did_you_mean(text.upper(), list(levels))
        raise ValueError(f"it takes one of DEBUG INFO WARNING ERROR CRITICAL.{near}")
    return levels[text.upper()]


def url(text: str) -> str:
    try:
        is_url = bool(_URL.fullmatch(text)) and urlsplit(text).port != 0
    except ValueError:  # the port is larger than any
        is_url = False
    if not is_url:
        raise ValueError("it takes a URL such as https://voice.example.com or https://example.com/functions.")
    scheme, _, rest = text.rstrip("/").partition(":")
    return f"{scheme.lower()}:{rest}"


def voice_api(text: str) -> str:
    """Parse a region, or the base URL of the v1 voice API."""
    try:
        return url(text) if "://" in text else one_of(*VOICE_REGIONS)(text)
    except ValueError:
        near = did_you_mean(text.lower(), VOICE_REGIONS)
        regions = ", ".join(VOICE_REGIONS)
        raise ValueError(f"it takes {regions}, or a URL such as https://calling.api.sinch.com.{near}") from None


def origins(text: str) -> str:
    """Parse origins with commas between them. Return them in lower case, with one comma between them."""
    listed = [part.strip().lower() for part in text.split(",") if part.strip()]
    if not listed or not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in listed):
        raise ValueError("it takes origins such as https://app.example.com, with commas between them, or *.")
    return ",".join(listed)


def service_url(*schemes: str, path: tuple[str, str, str], takes: str) -> Parse:
    """Return a parser of URLs with one of these schemes.

    :param path: the pattern of a path without a scheme, what such a path names, and the scheme to write before it.
    """
    pattern, what, scheme_of_path = path

    def parse(text: str) -> str:
        scheme, colon, rest = text.partition(":")
        if colon and scheme.lower() in schemes:
            return f"{scheme.lower()}:{rest}"
        if _PATH_ALONE.fullmatch(text) and re.search(pattern, text):
            raise ValueError(f"it takes {takes}. For {what} write {scheme_of_path}:{text}")
        near = did_you_mean(f"{scheme.lower()}:", [f"{known}:" for known in schemes])
        raise ValueError(f"it takes {takes}.{near}")

    return parse


cache_url = service_url(
    "memory",
    "sqlite",
    "redis",
    "rediss",
    "unix",
    path=(r"/|\.(db|sqlite3?)$", "a SQLite file", "sqlite"),
    takes="memory:, sqlite:data/cache.db, redis://host:6379/0 or the like",
)
storage_url = service_url(
    "file",
    "memory",
    "s3",
    "gs",
    "az",
    path=("[/.]", "a folder", "file"),
    takes="file:storage, s3://bucket/prefix, gs://, az:// or memory:",
)


def ledger(text: str) -> str:
    """Parse the path of a ledger. Return ``off`` for none."""
    plain = text.strip().lower()
    if plain in ("off", "false"):
        return "off"
    if plain in ("on", "yes", "1", "true", "no", "0", "none") or text.endswith("/"):
        raise ValueError(f"it takes {_LEDGER}.")
    return _local_file(text, _LEDGER)


def database(text: str) -> str:
    """Parse the path of a SQLite file."""
    if text == ":memory:" or text.rpartition("/")[2] in ("", ".", "..") or "\0" in text:
        raise ValueError(f"it takes {_DATABASE}.")
    return _local_file(text, _DATABASE)


def _local_file(text: str, takes: str) -> str:
    found = _SCHEME.fullmatch(text)
    if not found:
        return text
    # After "//" it is a URL without a host: a path from the root has one slash more.
    path = re.sub("^//(.*?/)?", "", found[2], count=1)
    if found[1].lower() in ("sqlite", "file") and path and _PATH_ALONE.fullmatch(path):
        raise ValueError(f"it takes {takes}: write {path}")
    raise ValueError(f"it takes {takes}.")


def application(check: Callable[[str], bytes]) -> Parse:
    """Return a parser of the key or the secret of a Voice application."""

    def parse(text: str) -> str:
        try:
            check(text)
        except ValueError as error:
            raise ValueError(f"{error}. It takes what the Sinch dashboard shows for the Voice application.") from None
        return text.strip()

    return parse


application_key = application(encode_key)
application_secret = application(decode_secret)


def webhook_secret(text: str) -> str:
    encode_secret(text)
    return text.strip()


def header_secret(text: str) -> str:
    """Parse a secret that is sent in a header."""
    if _CONTROL.search(webhook_secret(text)):
        raise ValueError("it has a line break or another control character in it, which no header can hold.")
    return text.strip()
