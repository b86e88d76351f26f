"""The table of settings: every variable that sinchfn reads, its default, what it takes and what it means.

``sinchfn config`` shows it with the values in force; ``sinchfn config --markdown`` prints it for the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import parsers
from .parsers import Parse, one_of, whole


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable that sinchfn reads."""

    name: str
    #: in Markdown; what stands before a semicolon is understood without the rest
    meaning: str
    #: returns the value of a text; raises a ValueError whose message says what the setting takes
    parse: Parse = str
    #: the default, as it would be written in the environment; None: not set
    default: str | None = None
    #: the default in development, where it differs
    development: str | None = None


#: The variable that says where the function is. Not a setting of the function: its own files cannot set it.
LOCATION = Setting("SINCHFN_FUNCTION", "the function: a file, its folder, or a module", default="./function.py")

#: Every setting of a function, in the order of the documentation. The first decides on the defaults of the others.
SETTINGS = (
    Setting(
        "SINCHFN_ENV",
        "`production` or `development`; the latter is the default of `sinchfn dev` and `flask run --debug`",
        one_of("production", "development"),
        "production",
    ),
    Setting("SINCHFN_PUBLIC_URL", "the URL at which the platform reaches this function", parsers.url),
    Setting("SINCHFN_TRUSTED_PROXIES", "number of proxies whose `X-Forwarded-*` is trusted", whole(0, 20), "0"),
    Setting(
        "WEBHOOK_PROTECTION",
        "when signatures are verified; `never`, `deploy` (in production) or `always`",
        one_of("never", "deploy", "always"),
        "deploy",
    ),
    Setting("VOICE_APPLICATION_KEY", "key of the Voice application", parsers.application_key),
    Setting("VOICE_APPLICATION_SECRET", "secret of the Voice application, in Base64", parsers.application_secret),
    Setting("CONVERSATION_WEBHOOK_SECRET", "secret of the webhooks of the Conversation app", parsers.webhook_secret),
    Setting(
        "SMS_WEBHOOK_SECRET",
        "secret of the webhooks of the SMS API; Sinch signs them for some accounts only",
        parsers.webhook_secret,
    ),
    Setting("ELEVENLABS_WEBHOOK_SECRET", "secret of the webhook for agents' events", parsers.webhook_secret),
    Setting(
        "ELEVENLABS_INIT_SECRET",
        "value of the header `X-Init-Secret`; sent when an agent is personalised",
        parsers.header_secret,
    ),
    Setting(
        "SINCHFN_WEBHOOK_TOLERANCE",
        "seconds that a signed timestamp may lie in the past or future; for ElevenLabs 1800, in the past only",
        whole(1, 86_400),
        "300",
    ),
    Setting("PROJECT_ID", "the Sinch project; `context.config.project_id`, and for the SDK's clients"),
    Setting("PROJECT_ID_API_KEY", "access key of the project; for the SDK's clients, and a user of Basic auth"),
    Setting("PROJECT_ID_API_SECRET", "secret of that key; also the password of that user"),
    Setting("ADMIN_USER", "another user of Basic auth"),
    Setting("ADMIN_PASSWORD", "the password of that user"),
    Setting("CONVERSATION_APP_ID", "app of the Conversation API; enables `context.conversation`"),
    Setting(
        "CONVERSATION_REGION", "region of the Conversation API; `us`, `eu` or `br`", one_of("us", "eu", "br"), "us"
    ),
    Setting("SMS_SERVICE_PLAN_ID", "service plan of the SMS API; enables `context.sms`"),
    Setting("SMS_REGION", "region of the SMS API; `us` or `eu`", one_of("us", "eu"), "us"),
    Setting("ENABLE_NUMBERS_API", "`true` or `false`; `true` enables `context.numbers`", parsers.flag, "false"),
    Setting(
        "SINCHFN_VOICE_API",
        f"API of `context.voice.v1`; {', '.join(f'`{name}`' for name in parsers.VOICE_REGIONS)}, or a URL",
        parsers.voice_api,
        "global",
    ),
    Setting(
        "SINCHFN_CACHE_URL",
        "where the cache lives; also `sqlite:/var/lib/app/cache.db`, `redis://`, `rediss://`, `unix://`",
        parsers.cache_url,
        "sqlite:data/cache.db",
        "memory:",
    ),
    Setting(
        "SINCHFN_STORAGE_URL",
        "where stored files live; also `file:/var/lib/app/files`, `s3://bucket/prefix`, `gs://`, `az://`, `memory:`",
        parsers.storage_url,
        "file:storage",
    ),
    Setting("SINCHFN_DATABASE", "the SQLite file behind `context.database`", parsers.database, "data/function.db"),
    Setting(
        "SINCHFN_USAGE",
        "ledger of usage records; a file, `-` (standard output) or `off`",
        parsers.ledger,
        "data/usage.jsonl",
        "off",
    ),
    Setting(
        "SINCHFN_MAX_BODY",
        "largest request body, in bytes; 33554432 for agents' events, unless set; larger bodies get a 413",
        parsers.size,
        "1048576",
    ),
    Setting(
        "SINCHFN_SVAML",
        "`strict` or `warn`; faulty SVAML in a dict is answered with a 500, or sent and logged",
        one_of("strict", "warn"),
        "warn",
        "strict",
    ),
    Setting("SINCHFN_VOICE_ERROR_MESSAGE", "text that the caller hears when a voice handler fails"),
    Setting("SINCHFN_STREAM_SECRET", "signs the URLs of audio streams; default: derived from the application secret"),
    Setting(
        "SINCHFN_WS_ORIGINS",
        "origins whose pages may open sockets, and send requests in development; comma-separated, or `*`",
        parsers.origins,
    ),
    Setting("SINCHFN_WS_MAX_SOCKETS", "open sockets per process; more are refused with 503", whole(0, 100_000), "400"),
    Setting(
        "SINCHFN_WS_MAX_MESSAGE",
        "largest message, in bytes; a larger one closes the socket with 1009",
        parsers.size,
        "1048576",
    ),
    Setting(
        "SINCHFN_WS_PING",
        "seconds of silence until a ping, and again until the peer counts as gone",
        whole(1, 3600),
        "20",
    ),
    Setting("SINCHFN_LOG_FORMAT", "`text` or `json`", one_of("text", "json"), "json", "text"),
    Setting("SINCHFN_LOG_LEVEL", "lowest level that is logged", parsers.level, "INFO"),
)
