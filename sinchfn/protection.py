"""What guards which export: the signature schemes that are on, and the exports that Basic auth gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType

from .auth import BasicAuth, Entries, read_entries
from .config import FunctionConfig
from .credentials import decode_secret
from .errors import ConfigError, FunctionError, did_you_mean
from .exports import Export, Exports, Kind
from .runtime import DeclaredSocket
from .services.shared import shares_cache
from .signatures import (
    VARIABLES,
    ApplicationScheme,
    ElevenLabsScheme,
    NonceScheme,
    Scheme,
    SharedSecretScheme,
)


def auth_entries(module: ModuleType) -> Entries:
    """The function's ``auth``, taken apart.

    :raises FunctionError: it is no list of names.
    """
    try:
        return read_entries(getattr(module, "auth", None))
    except ValueError as error:
        raise FunctionError(f"In {module.__file__}: {error}.") from None


def gated_exports(entries: Entries, exports: Exports, module: ModuleType) -> tuple[frozenset[str], list[str]]:
    """Names of the exports that Basic auth gates, and a warning for each entry that cannot have that effect."""
    gated = {export.name for export in exports if entries.everything and _ungated(export) is None}
    warnings = []
    for entry in entries.handlers:
        named = _named(entry, exports, module)
        gates = {export.name for export in named if _ungated(export) is None}
        gated |= gates
        if not gates:
            warnings.append(f'auth names "{entry}", which Basic auth never gates: {_ungated(named[0])}.')
    return frozenset(gated), warnings


def _ungated(export: Export) -> str | None:
    """Why Basic auth never gates this export; None if it may."""
    if export.scheme is not None:
        carries = "a secret of its own" if export.scheme == "init-secret" else f"a signature ({export.scheme})"
        return f"its calls carry {carries}"
    is_probe = {row.path for row in export.rows} == {"/health"}
    return "a liveness probe has no credentials" if is_probe else None


def _named(entry: str, exports: Exports, module: ModuleType) -> list[Export]:
    """The exports that an entry means: one by its name, or all of a controller by that of the class."""
    found = exports.callbacks.get(entry) or exports.segments.get(entry)
    if found is not None:
        return [found]
    of_class = [export for export in exports if entry in (export.name, *export.names, *_classes_of(export))]
    if of_class:
        return of_class
    if entry == "health":
        return [Export("health", Kind.HTTP)]
    known = [*exports.names, *(name for export in exports for name in _classes_of(export)), "*"]
    raise FunctionError(
        f'auth in {module.__file__} names "{entry}", but there is no such handler.'
        f"{did_you_mean(entry, known)} The handlers are: {', '.join(exports.names) or 'none'}."
    )


def _classes_of(export: Export) -> list[str]:
    return [name.partition(".")[0] for name in export.names if "." in name]


def basic_auth(config: FunctionConfig) -> BasicAuth:
    """The users that the settings name."""
    return BasicAuth(
        [
            (config["PROJECT_ID_API_KEY"], config["PROJECT_ID_API_SECRET"]),
            (config["ADMIN_USER"], config["ADMIN_PASSWORD"]),
        ]
    )


def application_secret(config: FunctionConfig) -> bytes | None:
    """The secret of the Voice application, decoded; None if it is not set."""
    secret = config["VOICE_APPLICATION_SECRET"]
    return decode_secret(secret) if secret else None


def guards(config: FunctionConfig, exports: Exports) -> tuple[Mapping[str, Scheme], list[str]]:
    """The schemes that verify calls, by name, and a warning for each that should and cannot.

    :raises ConfigError: they are to verify at any price, and one cannot.
    """
    mode = config["WEBHOOK_PROTECTION"]
    if mode == "never" or (mode == "deploy" and config.is_development):
        return {}, []
    needed = {export.scheme: export for export in reversed([*exports, *exports.callbacks.values()]) if export.scheme}
    missing = {name: [v for v in VARIABLES[name] if not config[v]] for name in needed}
    warnings = [_unguarded(needed[name], unset, mode) for name, unset in missing.items() if unset]
    if mode == "always" and warnings:
        raise ConfigError("\n".join(warnings))
    return {name: MAKE[name](config) for name, unset in missing.items() if not unset}, warnings


def _unguarded(export: Export, unset: list[str], mode: str) -> str:
    """What is to be said of an export that cannot be verified: a warning, or why nothing starts."""
    scheme = export.scheme or ""
    one, many = GUARDED_CALLS[scheme]
    why = f"{' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not set"
    if mode == "always":
        return (
            f"WEBHOOK_PROTECTION is always, but {why}: no {one} could be verified. "
            f"{SOURCES[scheme]}, or set WEBHOOK_PROTECTION=deploy."
        )
    return (
        f"{many} are served WITHOUT verification: {why}. Anyone who knows the URL can call "
        f"them. Set {'both' if len(unset) == 2 else 'it'}, or WEBHOOK_PROTECTION=always to refuse to start without."
    )


#: Scheme -> what makes it out of the settings.
MAKE: Mapping[str, Callable[[FunctionConfig], Scheme]] = MappingProxyType(
    {
        "application": lambda config: ApplicationScheme(
            config["VOICE_APPLICATION_KEY"],
            config["VOICE_APPLICATION_SECRET"],
            tolerance=config["SINCHFN_WEBHOOK_TOLERANCE"],
        ),
        "nonce": lambda config: NonceScheme(
            config["CONVERSATION_WEBHOOK_SECRET"], tolerance=config["SINCHFN_WEBHOOK_TOLERANCE"]
        ),
        "elevenlabs": lambda config: ElevenLabsScheme(config["ELEVENLABS_WEBHOOK_SECRET"]),
        "init-secret": lambda config: SharedSecretScheme(config["ELEVENLABS_INIT_SECRET"]),
    }
)

#: Scheme -> what it guards, for messages: one of them, and many.
GUARDED_CALLS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "application": ("voice callback", "Voice callbacks"),
        "nonce": ("message webhook", "Message webhooks"),
        "elevenlabs": ("event of an agent", "Events of agents"),
        "init-secret": ("personalisation of an agent", "Personalisations of agents"),
    }
)

#: Scheme -> where its secret is found.
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "application": "Copy key and secret of the Voice application from the Sinch dashboard",
        "nonce": "Set it to the secret that the webhook has in the Conversation app",
        "elevenlabs": "Copy the secret of the webhook from ElevenLabs",
        "init-secret": "Choose one, and have ElevenLabs send it in the request header X-Init-Secret",
    }
)


def replay_warnings(schemes: Mapping[str, Scheme], config: FunctionConfig) -> list[str]:
    """A warning when nonces are remembered by each worker for itself."""
    if "nonce" not in schemes or config.is_development or shares_cache(config):
        return []
    return [
        "Nonces of message webhooks are remembered in SINCHFN_CACHE_URL=memory:, by each worker process for itself: "
        "a replayed call is accepted by each other worker, and by all after a restart. "
        "Unset it (production shares sqlite:data/cache.db), or use redis://."
    ]


def closed_warnings(basic: BasicAuth, gated: frozenset[str], entries: Entries) -> list[str]:
    """A warning when something is gated and nobody can get in."""
    if not basic.is_closed or not (gated or entries.files):
        return []
    named = ", ".join([*sorted(gated), *(f"public/{file}" for file in entries.files)])
    return [
        f"auth protects {named}, but no user is set, so every call to it is refused. "
        "Set ADMIN_USER and ADMIN_PASSWORD, or PROJECT_ID_API_KEY and PROJECT_ID_API_SECRET."
    ]


#: What to say of stream tokens when each worker process remembers for itself which ones were used.
REUSABLE_TOKENS = (
    "a stream URL lets in once per worker process, not once: which URLs were used is remembered in the cache, and with "
    "SINCHFN_CACHE_URL=memory: each process has its own. Set it to sqlite:data/cache.db or redis://."
)


def open_sockets(sockets: tuple[DeclaredSocket, ...], key: bytes | None, config: FunctionConfig) -> list[str]:
    """A warning for protected sockets whose tokens cannot be signed, or are good for more than one use.

    :raises ConfigError: they cannot be signed, in production.
    """
    paths = ", ".join(socket.path for socket in sockets if socket.is_protected)
    if not paths:
        return []
    if key is not None:
        return [] if config.is_development or shares_cache(config) else [f"{paths}: {REUSABLE_TOKENS}"]
    if config.is_development:
        return [
            f"Anybody who knows the URL can connect to {paths}: there is no secret to sign the tokens of streams with. "
            "Set VOICE_APPLICATION_SECRET or SINCHFN_STREAM_SECRET; without one, production refuses to start."
        ]
    raise ConfigError(
        f"{paths} is protected by a token in its URL, and there is no secret to sign it with. Set "
        "VOICE_APPLICATION_SECRET or SINCHFN_STREAM_SECRET, or open the path to anybody: "
        "runtime.on_websocket(path, fn, protected=False)."
    )
