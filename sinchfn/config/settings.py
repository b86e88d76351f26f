"""Every setting: its variable, its default, what it takes and what it means, as one table."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..credentials import decode_secret, encode_key, encode_secret
from ..errors import did_you_mean

Parse = Callable[[str], Any]

#: Where the v1 voice API is, by region.
VOICE_REGIONS = ("global", "use1", "euc1", "sae1", "apse1", "apse2")


def _one_of(*values: str) -> Parse:
    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"it takes {' or '.join(values)}.{did_you_mean(text.lower(), values)}")
        return text.lower()

    return parse


def _whole(low: int, high: int) -> Parse:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"it takes a whole number from {low} to {high}.")
        return int(text)

    return parse


#: Bytes in one of a unit: ``30MB``, ``1 MiB``. Nothing takes them, but they can be told as a number.
_UNITS = {"k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_WITH_UNIT = re.compile(r"(?i)([0-9]{1,9}) *([kmg]i?)b?")


def _bytes(low: int, high: int) -> Parse:
    whole = _whole(low, high)

    def parse(text: str) -> int:
        found = _WITH_UNIT.fullmatch(text)
        if found:
            raise ValueError(f"it takes a whole number of bytes: write {int(found[1]) * _UNITS[found[2].lower()]}")
        return int(whole(text))

    return parse


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("it takes true or false.")
    return text.lower() in ("true", "1")


_PATH = r"(:[0-9]+)?(/[!$-;=@-Z_a-z~]*)?"
_URL = re.compile(rf"(?i:https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]){_PATH}")


def _url(text: str) -> str:
    if not _URL.fullmatch(text) or not _has_usable_port(text):
        raise ValueError("it takes a URL such as https://voice.example.com or https://example.com/functions.")
    scheme, _, rest = text.rstrip("/").partition(":")
    return f"{scheme.lower()}:{rest}"


def _has_usable_port(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


#: What begins with a scheme is a URL. One letter alone is a drive of Windows.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
#: What looks like a path, and holds no password.
_PATH_ALONE = re.compile(r"[^@:=?#\s]+")


def _service_url(scheme_of_path: str, what: str, looks_like_path: re.Pattern[str], *schemes: str, hint: str) -> Parse:
    def parse(text: str) -> str:
        scheme, colon, rest = text.partition(":")
        if colon and scheme.lower() in schemes:
            return f"{scheme.lower()}:{rest}"
        if _PATH_ALONE.fullmatch(text) and looks_like_path.search(text):
            raise ValueError(f"it takes {hint}. For {what} write {scheme_of_path}:{text}")
        near = did_you_mean(f"{scheme.lower()}:", [f"{known}:" for known in schemes])
        raise ValueError(f"it takes {hint}.{near}")

    return parse


_cache_url = _service_url(
    *("sqlite", "a SQLite file", re.compile(r"/|\.(db|sqlite3?)$")),
    *("memory", "sqlite", "redis", "rediss", "unix"),
    hint="memory:, sqlite:data/cache.db, redis://host:6379/0 or the like",
)
_storage_url = _service_url(
    *("file", "a folder", re.compile(r"[/.]")),
    *("file", "memory", "s3", "gs", "az"),
    hint="file:storage, s3://bucket/prefix, gs://, az:// or memory:",
)


def parse_voice_api(text: str) -> str:
    """A region, or the base URL of the v1 voice API.

    :raises ValueError: it is neither.
    """
    try:
        return _url(text) if "://" in text else _one_of(*VOICE_REGIONS)(text)
    except ValueError:
        near = did_you_mean(text.lower(), VOICE_REGIONS)
        regions = ", ".join(VOICE_REGIONS)
        raise ValueError(f"it takes {regions}, or a URL such as https://calling.api.sinch.com.{near}") from None


_LEDGER = "the path of a file, or off, or - for standard output"
_DATABASE = "the path of a SQLite file, such as data/function.db; for another database open a connection of your own"


def _ledger(text: str) -> str:
    plain = text.strip().lower()
    if plain in ("off", "false"):
        return "off"
    if plain in ("on", "yes", "1", "true", "no", "0", "none") or text.endswith("/"):
        raise ValueError(f"it takes {_LEDGER}.")
    return _local_file(text, _LEDGER)


def _database(text: str) -> str:
    if text == ":memory:" or text.rpartition("/")[2] in ("", ".", "..") or "\0" in text:
        raise ValueError(f"it takes {_DATABASE}.")
    return _local_file(text, _DATABASE)


def _local_file(text: str, takes: str) -> str:
    found = _SCHEME.fullmatch(text)
    if not found:
        return text
    # With slashes before it, it is a URL without a host, in which a path from the root has one slash more.
    path = re.sub("^//(.*?/)?", "", found[2], count=1)
    if found[1].lower() in ("sqlite", "file") and path and _PATH_ALONE.fullmatch(path):
        raise ValueError(f"it takes {takes}: write {path}")
    raise ValueError(f"it takes {takes}.")


def _level(text: str) -> int:
    levels = logging.getLevelNamesMapping()
    if text.upper() not in levels:
        near = did_you_mean(text.upper(), list(levels))
        raise ValueError(f"it takes one of DEBUG INFO WARNING ERROR CRITICAL.{near}")
    return levels[text.upper()]


def _application_key(text: str) -> str:
    return _as_the_dashboard_shows(encode_key, text)


def _application_secret(text: str) -> str:
    return _as_the_dashboard_shows(decode_secret, text)


def _as_the_dashboard_shows(check: Callable[[str], bytes], text: str) -> str:
    try:
        check(text)
    except ValueError as error:
        raise ValueError(f"{error}. It takes what the Sinch dashboard shows for the Voice application.") from None
    return text.strip()


def _webhook_secret(text: str) -> str:
    encode_secret(text)
    return text.strip()


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _header_secret(text: str) -> str:
    if _CONTROL.search(_webhook_secret(text)):
        raise ValueError("it has a line break or another control character in it, which no header can hold.")
    return text.strip()


_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


def _origins(text: str) -> str:
    """The origins, in lower case, with one comma between them."""
    origins = [part.strip().lower() for part in text.split(",") if part.strip()]
    wrong = [origin for origin in origins if origin != "*" and not _ORIGIN.fullmatch(origin)]
    if wrong or not origins:
        raise ValueError("it takes origins such as https://app.example.com, with commas between them, or *.")
    return ",".join(origins)


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable that sinchfn reads."""

    name: str
    meaning: str
    #: the value of its text; raises a ValueError whose message is a sentence that says what it takes
    parse: Parse = str
    #: the default, as it would be written in the environment; None: not set
    default: str | None = None
    #: the default in development, where it differs
    development: str | None = None


#: Every variable sinchfn reads, in the order of the README. The first decides on the defaults of the others.
SETTINGS = (
    Setting("SINCHFN_ENV", "production or development", _one_of("production", "development"), "production"),
    Setting("SINCHFN_PUBLIC_URL", "how the platform reaches this function", _url),
    Setting("SINCHFN_TRUSTED_PROXIES", "hops believed in X-Forwarded-*", _whole(0, 20), "0"),
    Setting("WEBHOOK_PROTECTION", "when signatures are checked", _one_of("never", "deploy", "always"), "deploy"),
    Setting("VOICE_APPLICATION_KEY", "key of the Voice application", _application_key),
    Setting("VOICE_APPLICATION_SECRET", "secret of the Voice application, Base64", _application_secret),
    Setting("CONVERSATION_WEBHOOK_SECRET", "secret of the webhooks of the Conversation app", _webhook_secret),
    Setting("SMS_WEBHOOK_SECRET", "secret of the webhooks of the SMS API, if they are signed", _webhook_secret),
    Setting("ELEVENLABS_WEBHOOK_SECRET", "secret of the webhook of the agents' events", _webhook_secret),
    Setting("ELEVENLABS_INIT_SECRET", "what the header X-Init-Secret of the personalisation holds", _header_secret),
    Setting("SINCHFN_WEBHOOK_TOLERANCE", "seconds a signed timestamp may be off", _whole(1, 86_400), "300"),
    Setting("PROJECT_ID", "the Sinch project"),
    Setting("PROJECT_ID_API_KEY", "access key of the project; user of Basic auth"),
    Setting("PROJECT_ID_API_SECRET", "its secret; password of Basic auth"),
    Setting("ADMIN_USER", "second user of Basic auth"),
    Setting("ADMIN_PASSWORD", "password of that user"),
    Setting("CONVERSATION_APP_ID", "app of the Conversation API; context.conversation"),
    Setting("CONVERSATION_REGION", "region of the Conversation API", _one_of("us", "eu", "br"), "us"),
    Setting("SMS_SERVICE_PLAN_ID", "service plan of the SMS API; context.sms"),
    Setting("SMS_REGION", "region of the SMS API", _one_of("us", "eu"), "us"),
    Setting("ENABLE_NUMBERS_API", "whether there is a context.numbers", _flag, "false"),
    Setting("SINCHFN_VOICE_API", "region or base URL of the API behind context.voice.v1", parse_voice_api, "global"),
    Setting("SINCHFN_CACHE_URL", "where the cache lives", _cache_url, "sqlite:data/cache.db", "memory:"),
    Setting("SINCHFN_STORAGE_URL", "where stored files live", _storage_url, "file:storage"),
    Setting("SINCHFN_DATABASE", "the SQLite file behind context.database", _database, "data/function.db"),
    Setting("SINCHFN_USAGE", "ledger of usage records, - (standard output) or off", _ledger, "data/usage.jsonl", "off"),
    Setting("SINCHFN_MAX_BODY", "largest request body, in bytes", _bytes(1, 1 << 32), "1048576"),
    Setting("SINCHFN_SVAML", "what is done with faulty SVAML", _one_of("strict", "warn"), "warn", "strict"),
    Setting("SINCHFN_VOICE_ERROR_MESSAGE", "said to the caller when a voice handler fails"),
    Setting("SINCHFN_STREAM_SECRET", "signs the URLs of audio streams; default: derived from the application secret"),
    Setting("SINCHFN_WS_ORIGINS", "browser origins that may open sockets, with commas between them; or *", _origins),
    Setting("SINCHFN_WS_MAX_SOCKETS", "sockets that one process carries at most", _whole(0, 100_000), "400"),
    Setting("SINCHFN_WS_MAX_MESSAGE", "largest message of a socket, in bytes", _bytes(1, 1 << 32), "1048576"),
    Setting("SINCHFN_WS_PING", "seconds of silence until a peer is asked for a sign of life", _whole(1, 3600), "20"),
    Setting("SINCHFN_LOG_FORMAT", "text or json", _one_of("text", "json"), "json", "text"),
    Setting("SINCHFN_LOG_LEVEL", "least level that is logged", _level, "INFO"),
)

#: Where the function is. It is no setting of the function, for its own files cannot say where they are.
LOCATION = "SINCHFN_FUNCTION"
