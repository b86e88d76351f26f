"""The protection of exports: the signature schemes that verify, the exports that Basic auth gates, and the warnings."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from ..config.config import CONFIG, DEFAULT, FunctionConfig
from ..errors import ConfigError, FunctionError, did_you_mean
from ..security.basic_auth import BasicAuth, Entries, read_entries
from ..security.nonce import NonceScheme
from ..security.table import SCHEMES, Scheme
from ..services.services import shares_cache
from .exports import Export, Kind
from .routing import Exports
from .runtime import DeclaredSocket

#: The warning that each worker process remembers for itself which stream tokens were used.
REUSABLE_TOKENS = (
    "a stream URL works once per worker process, not once: with SINCHFN_CACHE_URL=memory: each process remembers for "
    "itself which URLs were used. Set it to sqlite:data/cache.db or redis://."
)


@dataclass(frozen=True, slots=True)
class Guards:
    """The signature schemes of a function: which of them verify, and why the others do not."""

    #: the schemes that verify, by name
    schemes: Mapping[str, Scheme]
    #: scheme -> one of the exports that it guards
    exports: Mapping[str, Export]
    #: scheme -> its settings that are missing
    unset: Mapping[str, tuple[str, ...]]
    #: why none of them verifies, if verification is off
    off: str = ""

    def covers(self, export: Export) -> bool:
        """Return True if a scheme guards this export, even if it does not verify at present."""
        scheme = export.scheme
        return scheme is not None and not (SCHEMES[scheme].is_optional and self.unset[scheme])

    def lacks(self, export: Export) -> tuple[str, ...]:
        """Return the missing settings because of which calls of this export are served without verification."""
        return () if self.off or not self.covers(export) else self.unset[export.scheme or ""]

    def words_for(self, export: Export, gated: Collection[str]) -> str:
        """Return how this export is protected, for the start-up log; empty if anyone may call it."""
        scheme = export.scheme
        if export.name in gated:
            return "password"
        if scheme is None:
            return ""
        if scheme in self.schemes:
            return f"{SCHEMES[scheme].proof} verified"
        return f"not verified: {(self.covers(export) and self.off) or _not_set(self.unset[scheme])}"


def make_guards(config: FunctionConfig, exports: Exports) -> Guards:
    """Make the schemes that guard these exports.

    :raises ConfigError: ``WEBHOOK_PROTECTION`` is ``always``, and a secret is missing.
    """
    needed = {export.scheme: export for export in reversed([*exports, *exports.callbacks.values()]) if export.scheme}
    unset = {name: tuple(v for v in row.variables if not config[v]) for name, row in SCHEMES.items()}
    mode = config["WEBHOOK_PROTECTION"]
    if mode == "never":
        return Guards({}, needed, unset, "WEBHOOK_PROTECTION is never")
    if mode == "deploy" and config.is_development:
        return Guards({}, needed, unset, "development")
    # The root expects callbacks even if the function handles none.
    verifying = [name for name in dict.fromkeys([*needed, "application"]) if not unset[name]]
    guards = Guards({name: SCHEMES[name].make(config) for name in verifying}, needed, unset)
    refusals = [
        f"WEBHOOK_PROTECTION is always, but {_not_set(missing)}: {SCHEMES[name].calls} could not be verified. "
        f"{SCHEMES[name].source}, or set WEBHOOK_PROTECTION=deploy."
        for name, export in needed.items()
        if (missing := guards.lacks(export))
    ]
    if mode == "always" and refusals:
        raise ConfigError("\n".join(refusals))
    return guards


def _not_set(variables: Sequence[str]) -> str:
    return f"{' and '.join(variables)} {'is' if len(variables) == 1 else 'are'} not set"


@dataclass(frozen=True, slots=True)
class Protection:
    """The protection of a function's exports, and the warnings about what is open."""

    schemes: Mapping[str, Scheme]
    basic: BasicAuth
    #: names of the exports that Basic auth gates
    gated: frozenset[str]
    #: the protection of each export, in words for the start-up log
    words: Mapping[Export, str]
    warnings: tuple[str, ...]


def protect(module: ModuleType, entries: Entries, exports: Exports, config: FunctionConfig) -> Protection:
    """Return the protection of the exports of a module.

    :param entries: its ``auth``.
    :raises StartupError: ``auth`` or a setting cannot be used.
    """
    guards = make_guards(config, exports)
    gated, warnings = gated_exports(entries, exports, module, guards)
    basic = BasicAuth(
        [
            (config["PROJECT_ID_API_KEY"], config["PROJECT_ID_API_SECRET"]),
            (config["ADMIN_USER"], config["ADMIN_PASSWORD"]),
        ]
    )
    return Protection(
        guards.schemes,
        basic,
        gated,
        {export: guards.words_for(export, gated) for export in exports},
        (
            *unguarded_warnings(guards, gated),
            *replay_warnings(guards.schemes, config),
            *warnings,
            *closed_warnings(basic, gated, entries),
        ),
    )


def auth_entries(module: ModuleType) -> Entries:
    """Parse the function's ``auth``.

    :raises FunctionError: it is not a list of names.
    """
    try:
        return read_entries(getattr(module, "auth", None))
    except ValueError as error:
        raise FunctionError(f"In {module.__file__}: {error}.") from None


def gated_exports(
    entries: Entries, exports: Exports, module: ModuleType, guards: Guards
) -> tuple[frozenset[str], list[str]]:
    """Return the names of the exports that Basic auth gates, and a warning for each entry without effect.

    :raises FunctionError: an entry names no handler, or a handler that would be open to anyone.
    """
    gated = {export.name for export in exports if entries.everything and _ungated(export, guards) is None}
    warnings = []
    for entry in entries.handlers:
        named = _named(entry, exports, module)
        for export in named:
            if missing := guards.lacks(export):
                raise FunctionError(
                    f'auth in {module.__file__} names "{entry}", but a password cannot protect {export.name}: its '
                    f"calls must carry a {SCHEMES[export.scheme or ''].proof}, which is not verified while "
                    f"{_not_set(missing)}. Set {' and '.join(missing)}, or remove the name from auth to serve "
                    "anyone."
                )
        gates = {export.name for export in named if _ungated(export, guards) is None}
        gated |= gates
        if not gates:
            warnings.append(f'auth names "{entry}", which Basic auth never gates: {_ungated(named[0], guards)}.')
    return frozenset(gated), warnings


def _ungated(export: Export, guards: Guards) -> str | None:
    """Return why Basic auth never gates this export; None if it may."""
    if guards.covers(export):
        return f"its calls carry a {SCHEMES[export.scheme or ''].proof} ({export.scheme})"
    is_probe = {row.path for row in export.rows} == {"/health"}
    return "a liveness probe has no credentials" if is_probe else None


def _named(entry: str, exports: Exports, module: ModuleType) -> list[Export]:
    """Return the exports that an entry means: one by its name, or all of a controller by the name of its class."""
    found = exports.callbacks.get(entry) or exports.segments.get(entry)
    if found is not None:
        return [found]
    classes = {export: {name.partition(".")[0] for name in export.names if "." in name} for export in exports}
    of_class = [export for export in exports if entry in {export.name, *export.names, *classes[export]}]
    if of_class:
        return of_class
    if entry == "health":
        return [Export("health", Kind.HTTP)]
    known = [*exports.names, *(name for names in classes.values() for name in names), "*"]
    raise FunctionError(
        f'auth in {module.__file__} names "{entry}", but there is no such handler.'
        f"{did_you_mean(entry, known)} The handlers are: {', '.join(exports.names) or 'none'}."
    )


def open_environment(config: FunctionConfig, is_asked_to_debug: bool) -> list[str]:
    """Warn if a public server is set up for development, or was meant to be.

    :param is_asked_to_debug: Flask's debug flag is set, which has no effect in this server.
    """
    mode = config["WEBHOOK_PROTECTION"]
    if config.is_development and not _is_set_by_test("SINCHFN_ENV", config):
        unverified = "" if mode == "always" else "signatures are not verified, "
        return [
            f"The environment is development ({config.environment_reason}): {unverified}errors show their cause, and "
            "workers do not share a cache unless SINCHFN_CACHE_URL is set. In production remove SINCHFN_ENV."
        ]
    warnings = []
    if mode == "never" and not _is_set_by_test("WEBHOOK_PROTECTION", config):
        warnings.append(
            f"WEBHOOK_PROTECTION is never (in {config.place_of('WEBHOOK_PROTECTION')}): signatures are not verified, "
            "so anyone who knows the URL can call the function. In production remove it."
        )
    if is_asked_to_debug and config.origin("SINCHFN_ENV") == DEFAULT:
        warnings.append(
            "Flask's debug mode is on, but the environment is production: debug mode makes it development only in "
            "`flask run --debug` and `sinchfn dev`. To serve for development here set SINCHFN_ENV=development."
        )
    return warnings


def _is_set_by_test(name: str, config: FunctionConfig) -> bool:
    """Return True if a test has made this app with the setting in ``config=``: then it is not a server."""
    return config.origin(name) == CONFIG and "pytest" in sys.modules


def unguarded_warnings(guards: Guards, gated: Collection[str]) -> list[str]:
    """Warn of each kind of call that anyone can make, because a secret is missing."""
    warnings = []
    for name, export in guards.exports.items():
        row = SCHEMES[name]
        if missing := guards.lacks(export):
            warnings.append(
                f"{row.calls} are served WITHOUT verification: {_not_set(missing)}. Anyone who knows the URL can call "
                f"them. Set {'both' if len(missing) == 2 else 'it'}, or set WEBHOOK_PROTECTION=always to refuse to "
                "start without."
            )
        elif not (guards.off or guards.covers(export) or export.name in gated):
            warnings.append(
                f"The calls of {export.name} are not verified: {_not_set(guards.unset[name])}. {row.source}. If they "
                f'are not signed, protect them yourself: with auth = ["{export.name}"] they need a password.'
            )
    return warnings


def replay_warnings(schemes: Mapping[str, Scheme], config: FunctionConfig) -> list[str]:
    """Warn if each worker remembers nonces for itself."""
    has_nonces = any(isinstance(scheme, NonceScheme) for scheme in schemes.values())
    if not has_nonces or config.is_development or shares_cache(config):
        return []
    return [
        "Nonces of message webhooks are remembered in SINCHFN_CACHE_URL=memory:, by each worker process for itself: "
        "a replayed call is accepted by each other worker, and by all after a restart. "
        "Unset it (production shares sqlite:data/cache.db), or use redis://."
    ]


def closed_warnings(basic: BasicAuth, gated: frozenset[str], entries: Entries) -> list[str]:
    """Warn if something is gated and no user is set."""
    if not basic.is_closed or not (gated or entries.files):
        return []
    named = ", ".join([*sorted(gated), *(f"public/{file}" for file in entries.files)])
    return [
        f"auth protects {named}, but no user is set, so every call to it is refused. "
        "Set ADMIN_USER and ADMIN_PASSWORD, or PROJECT_ID_API_KEY and PROJECT_ID_API_SECRET."
    ]


def open_sockets(sockets: tuple[DeclaredSocket, ...], key: bytes | None, config: FunctionConfig) -> list[str]:
    """Warn of protected sockets whose tokens cannot be signed, or can be used more than once.

    :raises ConfigError: they cannot be signed, in production.
    """
    paths = ", ".join(socket.path for socket in sockets if socket.is_protected)
    if not paths:
        return []
    if key is not None:
        return [] if config.is_development or shares_cache(config) else [f"{paths}: {REUSABLE_TOKENS}"]
    if config.is_development:
        return [
            f"Anyone who knows the URL can connect to {paths}: no secret is set to sign the tokens of stream URLs "
            "with. Set VOICE_APPLICATION_SECRET or SINCHFN_STREAM_SECRET; production does not start without one."
        ]
    raise ConfigError(
        f"{paths} is protected by a token in its URL, but no secret is set to sign it with. Set "
        "VOICE_APPLICATION_SECRET or SINCHFN_STREAM_SECRET, or open the path to anyone: "
        "runtime.on_websocket(path, fn, protected=False)."
    )
