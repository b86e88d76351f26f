"""What guards which export: the signature schemes that are on, and the exports that Basic auth gates."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, ModuleType

from .auth import BasicAuth, Entries, read_entries
from .config import CONFIG, DEFAULT, FunctionConfig
from .credentials import decode_secret
from .errors import ConfigError, FunctionError, did_you_mean
from .exports import Export, Exports, Kind
from .runtime import DeclaredSocket
from .services.shared import shares_cache
from .signatures import (
    OPTIONAL,
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


def gated_exports(
    entries: Entries, exports: Exports, module: ModuleType, guards: Guards
) -> tuple[frozenset[str], list[str]]:
    """Names of the exports that Basic auth gates, and a warning for each entry that cannot have that effect.

    :raises FunctionError: an entry names no handler, or one that nothing would protect.
    """
    gated = {export.name for export in exports if entries.everything and _ungated(export, guards) is None}
    warnings = []
    for entry in entries.handlers:
        named = _named(entry, exports, module)
        gates = {export.name for export in named if _ungated(export, guards) is None}
        gated |= gates
        for export in named:
            _refuse_open(entry, export, module, guards)
        if not gates:
            warnings.append(f'auth names "{entry}", which Basic auth never gates: {_ungated(named[0], guards)}.')
    return frozenset(gated), warnings


def _refuse_open(entry: str, export: Export, module: ModuleType, guards: Guards) -> None:
    if missing := guards.lacks(export):
        raise FunctionError(
            f'auth in {module.__file__} names "{entry}", but no password can protect {export.name}: its calls are to '
            f"carry a signature, and none is verified while {_not_set(missing)}. Set {' and '.join(missing)}, or take "
            "the name out of auth to serve it to anyone."
        )


def _ungated(export: Export, guards: Guards) -> str | None:
    """Why Basic auth never gates this export; None if it may."""
    if guards.covers(export):
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


@dataclass(frozen=True, slots=True)
class Guards:
    """The signature schemes of a function: which of them verify, and why the others do not."""

    #: what verifies signed calls, by the name of the scheme
    schemes: Mapping[str, Scheme]
    #: scheme -> one of the exports that it is for
    exports: Mapping[str, Export]
    #: scheme -> the settings that it lacks
    unset: Mapping[str, tuple[str, ...]]
    #: why none of them verifies, if that is wanted
    off: str = ""

    def covers(self, export: Export) -> bool:
        """Return True if a scheme guards this export, whether or not it is verified just now."""
        return export.scheme is not None and not (export.scheme in OPTIONAL and self.unset[export.scheme])

    def lacks(self, export: Export) -> tuple[str, ...]:
        """The settings without which the calls of this export are served, though they should be verified."""
        return () if self.off or not self.covers(export) else self.unset[export.scheme or ""]

    def words_for(self, export: Export, gated: Collection[str]) -> str:
        """How this export is protected, for the start-up log; empty if no scheme is for it and no password asked."""
        scheme = export.scheme
        if export.name in gated:
            return "password"
        if scheme is None:
            return ""
        if not self.covers(export):
            return f"not verified: {_not_set(self.unset[scheme])}"
        if scheme in self.schemes:
            return "secret verified" if scheme == "init-secret" else "signature verified"
        return f"not verified: {self.off or _not_set(self.unset[scheme])}"


def open_environment(config: FunctionConfig, is_asked_to_debug: bool) -> list[str]:
    """A warning where a server for everyone is set up as one for development, or was meant to be.

    :param is_asked_to_debug: Flask's debug flag is set, which does not count in this server.
    """
    mode = config["WEBHOOK_PROTECTION"]
    if config.is_development and not _is_a_tests("SINCHFN_ENV", config):
        unverified = "" if mode == "always" else "signatures are not verified, "
        return [
            f"The environment is development ({config.environment_reason}): {unverified}errors show their cause, and "
            "workers share no cache unless SINCHFN_CACHE_URL says so. In production leave SINCHFN_ENV out."
        ]
    warnings = []
    if mode == "never" and not _is_a_tests("WEBHOOK_PROTECTION", config):
        warnings.append(
            f"WEBHOOK_PROTECTION is never (in {config.place_of('WEBHOOK_PROTECTION')}): no signature is verified, so "
            "anyone who knows the URL can call the function. In production leave it out."
        )
    if is_asked_to_debug and config.origin("SINCHFN_ENV") == DEFAULT:
        warnings.append(
            "Flask's debug mode is on, but the environment is production: debug mode makes it development only in "
            "`flask run --debug` and `sinchfn dev`. To serve for development here set SINCHFN_ENV=development."
        )
    return warnings


def _is_a_tests(name: str, config: FunctionConfig) -> bool:
    """Return True if a test has made this app with the setting in ``config=``: it is no server."""
    return config.origin(name) == CONFIG and "pytest" in sys.modules


def make_guards(config: FunctionConfig, exports: Exports) -> Guards:
    """The schemes that guard these exports, as the settings have them.

    :raises ConfigError: ``WEBHOOK_PROTECTION`` is ``always``, and a secret is missing.
    """
    needed = {export.scheme: export for export in reversed([*exports, *exports.callbacks.values()]) if export.scheme}
    unset = {name: tuple(variable for variable in VARIABLES[name] if not config[variable]) for name in needed}
    mode = config["WEBHOOK_PROTECTION"]
    if mode == "never":
        return Guards({}, needed, unset, "WEBHOOK_PROTECTION is never")
    if mode == "deploy" and config.is_development:
        return Guards({}, needed, unset, "development")
    verifying = [name for name, missing in unset.items() if not missing]
    if "application" not in needed and all(config[variable] for variable in VARIABLES["application"]):
        verifying.append("application")  # for callbacks that find no handler at all
    guards = Guards({name: MAKE[name](config) for name in verifying}, needed, unset)
    lacking = [export for export in needed.values() if guards.lacks(export)]
    if mode == "always" and lacking:
        raise ConfigError("\n".join(_refusal(export, guards) for export in lacking))
    return guards


def unguarded_warnings(guards: Guards, gated: Collection[str]) -> list[str]:
    """A warning for each kind of call that anyone can make, because a secret is missing."""
    warnings = []
    for export in guards.exports.values():
        if guards.lacks(export):
            warnings.append(_unguarded(export, guards))
        elif not (guards.off or guards.covers(export) or export.name in gated):
            warnings.append(_left_open(export, guards))
    return warnings


def _not_set(variables: Sequence[str]) -> str:
    return f"{' and '.join(variables)} {'is' if len(variables) == 1 else 'are'} not set"


def _left_open(export: Export, guards: Guards) -> str:
    [variable] = guards.unset[export.scheme or ""]
    return (
        f"The calls of {export.name} are not verified: {variable} is not set. If Sinch signs them for your account, "
        f'set it to their secret. If not, protect them yourself: with auth = ["{export.name}"] they need a password.'
    )


def _refusal(export: Export, guards: Guards) -> str:
    one, _ = GUARDED_CALLS[export.scheme or ""]
    return (
        f"WEBHOOK_PROTECTION is always, but {_not_set(guards.lacks(export))}: no {one} could be verified. "
        f"{SOURCES[export.scheme or '']}, or set WEBHOOK_PROTECTION=deploy."
    )


def _unguarded(export: Export, guards: Guards) -> str:
    _, many = GUARDED_CALLS[export.scheme or ""]
    unset = guards.lacks(export)
    return (
        f"{many} are served WITHOUT verification: {_not_set(unset)}. Anyone who knows the URL can call "
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
        "sms-nonce": lambda config: NonceScheme(
            config["SMS_WEBHOOK_SECRET"], tolerance=config["SINCHFN_WEBHOOK_TOLERANCE"]
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
        "sms-nonce": ("SMS webhook", "SMS webhooks"),
        "elevenlabs": ("event of an agent", "Events of agents"),
        "init-secret": ("personalisation of an agent", "Personalisations of agents"),
    }
)

#: Scheme -> where its secret is found.
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "application": "Copy key and secret of the Voice application from the Sinch dashboard",
        "nonce": "Set it to the secret that the webhook has in the Conversation app",
        "sms-nonce": "Set it to the secret that Sinch signs the callbacks of your SMS service plan with",
        "elevenlabs": "Copy the secret of the webhook from ElevenLabs",
        "init-secret": "Choose one, and have ElevenLabs send it in the request header X-Init-Secret",
    }
)


def replay_warnings(schemes: Mapping[str, Scheme], config: FunctionConfig) -> list[str]:
    """A warning when nonces are remembered by each worker for itself."""
    has_nonces = any(isinstance(scheme, NonceScheme) for scheme in schemes.values())
    if not has_nonces or config.is_development or shares_cache(config):
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
