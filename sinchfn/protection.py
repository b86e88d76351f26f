"""What guards which export: the signature schemes that are on, and the exports that Basic auth gates."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from .auth import BasicAuth, Entries, read_entries
from .config import FunctionConfig
from .credentials import decode_secret
from .errors import ConfigError, FunctionError, did_you_mean
from .exports import Export, Exports, Kind
from .signatures import ApplicationScheme


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
        export = _named(entry, exports, module)
        if (reason := _ungated(export)) is not None:
            warnings.append(f'auth names "{entry}", which Basic auth never gates: {reason}.')
        else:
            gated.add(export.name)
    return frozenset(gated), warnings


def _ungated(export: Export) -> str | None:
    """Why Basic auth never gates this export; None if it may."""
    if export.scheme is not None:
        return f"its calls carry a signature ({export.scheme})"
    return "a liveness probe has no credentials" if export.name == "health" else None


def _named(entry: str, exports: Exports, module: ModuleType) -> Export:
    found = exports.callbacks.get(entry) or exports.segments.get(entry)
    if found is not None:
        return found
    if entry == "health":
        return Export("health", Kind.HTTP)
    raise FunctionError(
        f'auth in {module.__file__} names "{entry}", but there is no such handler.'
        f"{did_you_mean(entry, [*exports.names, '*'])} The handlers are: {', '.join(exports.names) or 'none'}."
    )


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


def callback_guard(config: FunctionConfig, exports: Exports) -> tuple[Mapping[str, ApplicationScheme], list[str]]:
    """The schemes that verify calls, by name, and a warning where one should and cannot.

    :raises ConfigError: it is to verify at any price and cannot.
    """
    mode = config["WEBHOOK_PROTECTION"]
    if not exports.callbacks or mode == "never" or (mode == "deploy" and config.is_development):
        return {}, []
    missing = [name for name in ("VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET") if not config[name]]
    if not missing:
        return {"application": _application_scheme(config)}, []
    unset = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"
    if mode == "always":
        raise ConfigError(
            f"WEBHOOK_PROTECTION is always, but {unset}: no voice callback could be verified. "
            "Copy key and secret of the Voice application from the Sinch dashboard, or set WEBHOOK_PROTECTION=deploy."
        )
    return {}, [
        f"Voice callbacks are served WITHOUT verification: {unset}. Anyone who knows the URL can call them. "
        "Set both, or WEBHOOK_PROTECTION=always to refuse to start without."
    ]


def _application_scheme(config: FunctionConfig) -> ApplicationScheme:
    return ApplicationScheme(
        config["VOICE_APPLICATION_KEY"],
        config["VOICE_APPLICATION_SECRET"],
        tolerance=config["SINCHFN_WEBHOOK_TOLERANCE"],
    )


def closed_warnings(basic: BasicAuth, gated: frozenset[str], entries: Entries) -> list[str]:
    """A warning when something is gated and nobody can get in."""
    if not basic.is_closed or not (gated or entries.files):
        return []
    named = ", ".join([*sorted(gated), *(f"public/{file}" for file in entries.files)])
    return [
        f"auth protects {named}, but no user is set, so every call to it is refused. "
        "Set ADMIN_USER and ADMIN_PASSWORD, or PROJECT_ID_API_KEY and PROJECT_ID_API_SECRET."
    ]
