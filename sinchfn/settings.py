"""Every setting: its variable, its default, what it takes and what it means, as one table."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .credentials import decode_secret, encode_key
from .errors import did_you_mean

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


def _service_url(*schemes: str, hint: str) -> Parse:
    def parse(text: str) -> str:
        scheme, colon, rest = text.partition(":")
        if not colon or scheme.lower() not in schemes:
            raise ValueError(f"it takes {hint}.{did_you_mean(scheme.lower(), schemes)}")
        return f"{scheme.lower()}:{rest}"

    return parse


_cache_url = _service_url(
    "memory", "sqlite", "redis", "rediss", "unix", hint="memory:, sqlite:data/cache.db, redis://host:6379/0 or the like"
)
_storage_url = _service_url(
    "file", "memory", "s3", "gs", "az", hint="file:storage, s3://bucket/prefix, gs://, az:// or memory:"
)


def _voice_api(text: str) -> str:
    return _url(text) if "://" in text else _one_of(*VOICE_REGIONS)(text)


def _ledger(text: str) -> str:
    if text.strip().lower() in ("off", "false"):
        return "off"
    if text.strip().lower() == "true" or text.endswith("/"):
        raise ValueError("it takes the path of a file, or off.")
    return text


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
    Setting("SINCHFN_VOICE_API", "region or base URL of the API behind context.voice.v1", _voice_api, "global"),
    Setting("SINCHFN_CACHE_URL", "where the cache lives", _cache_url, "sqlite:data/cache.db", "memory:"),
    Setting("SINCHFN_STORAGE_URL", "where stored files live", _storage_url, "file:storage"),
    Setting("SINCHFN_DATABASE", "the SQLite file behind context.database", default="data/function.db"),
    Setting("SINCHFN_USAGE", "ledger of usage records, or off", _ledger, default="data/usage.jsonl", development="off"),
    Setting("SINCHFN_MAX_BODY", "largest request body, in bytes", _whole(1, 1 << 32), "1048576"),
    Setting("SINCHFN_SVAML", "what is done with faulty SVAML", _one_of("strict", "warn"), "warn", "strict"),
    Setting("SINCHFN_VOICE_ERROR_MESSAGE", "said to the caller when a voice handler fails"),
    Setting("SINCHFN_STREAM_SECRET", "signs the URLs of audio streams; default: derived from the application secret"),
    Setting("SINCHFN_LOG_FORMAT", "text or json", _one_of("text", "json"), "json", "text"),
    Setting("SINCHFN_LOG_LEVEL", "least level that is logged", _level, "INFO"),
)

#: Settings of services that this version does not have yet.
NOT_YET = ("SINCHFN_WS_ORIGINS",)

#: Where the function is. It is no setting of the function, for its own files cannot say where they are.
LOCATION = "SINCHFN_FUNCTION"
