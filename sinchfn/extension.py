"""SinchFunctions: mounts a function in a Flask app, as a blueprint. Where Flask meets us."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from flask import Blueprint, Flask, request
from flask.helpers import get_debug_flag
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import BaseConverter, Map, MapAdapter, RequestRedirect

from .auth import BasicAuth, Entries, read_entries
from .config import FunctionConfig, load_config, unknown_settings
from .errors import ConfigError, FunctionError, did_you_mean
from .exports import Exports, read_exports
from .function import Function
from .hooks import HOOKS
from .loading import folder_of, load_function
from .routing import METHODS
from .services.logs import Redaction
from .services.public import PublicFiles
from .services.usage import Ledger
from .signatures import ApplicationScheme, decode_secret, scheme_of
from .view import FunctionView
from .voice.streams import stream_key

#: The mount's root, and everything below it.
RULES = ("/", "/<sinchfn:path>")

_log = logging.getLogger("sinchfn")


class SinchFunctions:
    """Mounts a function in an existing Flask app::

        sinch = SinchFunctions("voice/function.py")
        sinch.init_app(app, url_prefix="/voice")

    The app's own routes win, and its error handlers, hooks and headers see nothing of the function's answers. Several
    functions can be mounted in one app under several prefixes; ``app.extensions["sinchfn"]`` lists them.
    """

    def __init__(
        self,
        function: str | Path | ModuleType | None = None,
        *,
        config: Mapping[str, object] | None = None,
    ) -> None:
        """
        :param function: as for :func:`sinchfn.create_app`.
        :param config: as for :func:`sinchfn.create_app`.
        """
        self._function = function
        self._config = config

    def init_app(self, app: Flask, url_prefix: str | None = None) -> None:
        """Mount the function in `app`, at its root or under `url_prefix`.

        :raises StartupError: the function or a setting is not usable; the message says why and what to do.
        """
        function = make_function(
            self._function, self._config, url_prefix=url_prefix or "", embedded=True, debug=app.debug
        )
        mount(app, function)


def mount(app: Flask, function: Function) -> None:
    """Register the function's catch-all view on `app`."""
    mounted: list[Function] = app.extensions.setdefault("sinchfn", [])
    if any(other.url_prefix == function.url_prefix for other in mounted):
        raise FunctionError(
            f"Two functions are mounted at {function.url_prefix or '/'}: give one of them another url_prefix."
        )
    name = "sinchfn" if not mounted else f"sinchfn_{len(mounted) + 1}"
    app.url_map.converters.setdefault("sinchfn", AnyPath)
    mounted.append(function)
    app.register_blueprint(_blueprint(name, app, function))
    for rule in app.url_map.iter_rules(f"{name}.function"):
        rule.methods = EveryMethod()  # type: ignore[assignment]  # asked for members and iterated, never changed
    log_start(function)


class AnyPath(BaseConverter):
    """The rest of a path, whatever is in it, also slashes at its begin."""

    part_isolating = False
    regex = ".*?"
    weight = 100_000  # after every rule of the host


class EveryMethod(frozenset[str]):
    """The methods of the catch-all: all of them, but none to speak of.

    Werkzeug adds the methods of every rule that has the path to the ``Allow`` of the host's own 405 and OPTIONS
    answers, and makes a 405 of a 404 when there are any. Ours must not be among them, so this set is empty to whoever
    lists it. (It asks for the method ``--`` when it only wants that list.)
    """

    def __contains__(self, method: object) -> bool:
        return method != "--"


def _blueprint(name: str, app: Flask, function: Function) -> Blueprint:
    blueprint = Blueprint(name, __name__, url_prefix=function.url_prefix or None)
    view = FunctionView(app, function)
    if function.embedded:
        view = HostFirst(view, app, function.url_prefix)  # type: ignore[assignment]
    options: dict[str, Any] = {
        "methods": METHODS,
        "provide_automatic_options": False,
        "strict_slashes": False,
        "merge_slashes": False,
    }
    for rule in RULES:
        blueprint.add_url_rule(rule, "function", view, **options)
    return blueprint


class HostFirst:
    """A function's view in somebody else's app: a path that the host has under another method stays the host's 405.

    Werkzeug goes on to later rules when a rule has the path but not the method, and so comes to our catch-all. The
    host's rules are therefore asked once more, without ours. Under a prefix only those rules count that reach into it:
    a host with a rule for any path at all has not thereby got a path of the function's.
    """

    def __init__(self, view: FunctionView, app: Flask, url_prefix: str) -> None:
        self._view = view
        self._app = app
        self._prefix = url_prefix
        self._rules: Map | None = None
        self._size = -1

    def __call__(self, path: str = "") -> Any:
        adapter = self._app.create_url_adapter(request)
        if adapter is not None:
            adapter.map = self._host_rules()
            self._refuse_as_host(adapter)
        return self._view(path)

    def _refuse_as_host(self, adapter: MapAdapter) -> None:
        try:
            adapter.match()
        except (MethodNotAllowed, RequestRedirect):
            raise
        except HTTPException:
            return  # not the host's path

    def _host_rules(self) -> Map:
        rules = list(self._app.url_map.iter_rules())
        if self._rules is None or self._size != len(rules):
            host = [rule.empty() for rule in rules if not _is_ours(rule.endpoint) and self._reaches_in(rule.rule)]
            url_map = self._app.url_map
            self._rules = Map(
                host,
                url_map.default_subdomain,
                url_map.strict_slashes,
                url_map.merge_slashes,
                converters=url_map.converters,
                host_matching=url_map.host_matching,
            )
            self._size = len(rules)
        return self._rules

    def _reaches_in(self, path: str) -> bool:
        return not self._prefix or path == self._prefix or path.startswith(f"{self._prefix}/")


def _is_ours(endpoint: str) -> bool:
    blueprint, _, rest = endpoint.rpartition(".")
    return rest == "function" and blueprint.rpartition(".")[2].startswith("sinchfn")


def make_function(
    source: str | Path | ModuleType | None,
    overrides: Mapping[str, object] | None,
    *,
    url_prefix: str = "",
    embedded: bool = False,
    debug: bool | None = None,
) -> Function:
    """Load a function and make everything that lives as long as the app.

    :raises StartupError: the message says what is not usable, why, and what to do.
    """
    module = load_function(source if source is not None else _default_source(overrides))
    config = load_config(folder_of(module), overrides, debug=get_debug_flag() if debug is None else debug)
    exports = read_exports(module)
    entries = _entries(module)
    ledger = config.path("SINCHFN_USAGE")
    secret = _application_secret(config)
    gated, gate_warnings = _gated(entries, exports, module)
    basic = _basic_auth(config)
    return Function(
        module=module,
        config=config,
        exports=exports,
        basic=basic,
        redact=Redaction(config.secrets()),
        hooks=HOOKS,
        gated=gated,
        application=_application_scheme(config, exports),
        stream_key=stream_key(config["SINCHFN_STREAM_SECRET"], secret),
        public=_public_files(config.folder, entries),
        ledger=Ledger(ledger) if ledger else None,
        url_prefix=_prefix(url_prefix),
        embedded=embedded,
        warnings=(
            *exports.warnings,
            *gate_warnings,
            *unknown_settings(config.env),
            *_protection_warnings(config, exports),
            *_closed_warnings(basic, gated, entries),
        ),
    )


def _default_source(overrides: Mapping[str, object] | None) -> str:
    return str((overrides or {}).get("SINCHFN_FUNCTION") or os.environ.get("SINCHFN_FUNCTION") or "function.py")


def _prefix(url_prefix: str) -> str:
    trimmed = url_prefix.strip("/")
    if "<" in trimmed:
        raise FunctionError(f'url_prefix is "{url_prefix}": it takes a plain path, without variables.')
    return f"/{trimmed}" if trimmed else ""


def _entries(module: ModuleType) -> Entries:
    try:
        return read_entries(getattr(module, "auth", None))
    except ValueError as error:
        raise FunctionError(f"In {module.__file__}: {error}.") from None


def _gated(entries: Entries, exports: Exports, module: ModuleType) -> tuple[frozenset[str], list[str]]:
    """Names of the exports that Basic auth gates, and a warning for each entry that cannot have that effect."""
    gated = {export.name for export in exports if entries.everything and not _is_never_gated(export.name)}
    warnings = []
    for entry in entries.handlers:
        name = _name_of(entry, exports, module)
        if _is_never_gated(name):
            warnings.append(f'auth names "{entry}", which Basic auth never gates: {_guard_of(name)}.')
        else:
            gated.add(name)
    return frozenset(gated), warnings


def _name_of(entry: str, exports: Exports, module: ModuleType) -> str:
    if entry in exports.callbacks or entry == "health":
        return entry
    found = exports.segments.get(entry)
    if found is not None:
        return found.name
    known = [*exports.names, "*"]
    raise FunctionError(
        f'auth in {module.__file__} names "{entry}", but there is no such handler.'
        f"{did_you_mean(entry, known)} The handlers are: {', '.join(exports.names) or 'none'}."
    )


def _is_never_gated(name: str) -> bool:
    return name == "health" or scheme_of(name) is not None


def _guard_of(name: str) -> str:
    scheme = scheme_of(name)
    return f"its calls carry a signature ({scheme})" if scheme else "a liveness probe has no credentials"


def _basic_auth(config: FunctionConfig) -> BasicAuth:
    return BasicAuth(
        [
            (config["PROJECT_ID_API_KEY"], config["PROJECT_ID_API_SECRET"]),
            (config["ADMIN_USER"], config["ADMIN_PASSWORD"]),
        ]
    )


def _public_files(folder: Path, entries: Entries) -> PublicFiles | None:
    public = folder / "public"
    return PublicFiles(public, entries.files) if public.is_dir() or entries.files else None


def _application_secret(config: FunctionConfig) -> bytes | None:
    secret = config["VOICE_APPLICATION_SECRET"]
    try:
        return decode_secret(secret) if secret else None
    except ValueError as error:
        raise ConfigError(
            f"VOICE_APPLICATION_SECRET cannot be used: {error}. "
            "It takes the secret as the Sinch dashboard shows it for the Voice application."
        ) from None


def _application_scheme(config: FunctionConfig, exports: Exports) -> ApplicationScheme | None:
    if not exports.callbacks or not _verifies(config):
        return None
    missing = _missing_credentials(config)
    if missing and config["WEBHOOK_PROTECTION"] == "always":
        raise ConfigError(
            f"WEBHOOK_PROTECTION is always, but {' and '.join(missing)} not set: no voice callback could be verified. "
            "Copy key and secret of the Voice application from the Sinch dashboard, or set WEBHOOK_PROTECTION=deploy."
        )
    if missing:
        return None
    tolerance = config["SINCHFN_WEBHOOK_TOLERANCE"]
    try:
        return ApplicationScheme(
            config["VOICE_APPLICATION_KEY"], config["VOICE_APPLICATION_SECRET"], tolerance=tolerance
        )
    except ValueError as error:  # the secret has been looked at before
        raise ConfigError(
            f"VOICE_APPLICATION_KEY cannot be used: {error}. "
            "It takes the key as the Sinch dashboard shows it for the Voice application."
        ) from None


def _verifies(config: FunctionConfig) -> bool:
    mode = config["WEBHOOK_PROTECTION"]
    return mode == "always" or (mode == "deploy" and not config.is_development)


def _missing_credentials(config: FunctionConfig) -> list[str]:
    names = ("VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET")
    missing = [name for name in names if not config[name]]
    return [*missing[:-1], f"{missing[-1]} {'are' if len(missing) > 1 else 'is'}"] if missing else []


def _protection_warnings(config: FunctionConfig, exports: Exports) -> list[str]:
    if not exports.callbacks or not _verifies(config) or not _missing_credentials(config):
        return []
    return [
        f"Voice callbacks are served WITHOUT verification: {' and '.join(_missing_credentials(config))} not set. "
        "Anyone who knows the URL can call them. Set both, or WEBHOOK_PROTECTION=always to refuse to start without."
    ]


def _closed_warnings(basic: BasicAuth, gated: frozenset[str], entries: Entries) -> list[str]:
    if not basic.is_closed or not (gated or entries.files):
        return []
    named = ", ".join([*sorted(gated), *(f"public/{file}" for file in entries.files)])
    return [
        f"auth protects {named}, but no user is set, so every call to it is refused. "
        "Set ADMIN_USER and ADMIN_PASSWORD, or PROJECT_ID_API_KEY and PROJECT_ID_API_SECRET."
    ]


def log_start(function: Function) -> None:
    """One block that lists the handlers, then a line for each warning."""
    rows = [(method, function.url_prefix + path, name) for method, path, name in function.listing()]
    width = max((len(path) for _, path, _ in rows), default=0)
    lines = [f"  {method:<4} {path:<{width}}  → {name}" for method, path, name in rows]
    block = "\n".join(["Detected functions:", *(lines or ["  none: export a handler from the function"])])
    _log.info(block, extra={"is_block": True})
    for warning in function.warnings:
        _log.warning("%s", warning)
