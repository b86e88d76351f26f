"""Puts a function together: its module, its settings, and all that is made of them at start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from flask import Flask
from flask.helpers import get_debug_flag

from .auth import Entries
from .config import DEFAULT, FunctionConfig, load_config
from .controllers import SinchController
from .environment import loaded_secrets, overlooked, process_environment
from .errors import FunctionError
from .exports import Exports, controllers_of, read_exports
from .function import Function
from .hooks import HOOKS
from .injection import Plan
from .invocation import GIVEN
from .lifecycle import Lifecycle
from .loading import folder_of, load_function
from .middleware import wrapped
from .protection import (
    application_secret,
    auth_entries,
    basic_auth,
    closed_warnings,
    gated_exports,
    make_guards,
    open_environment,
    open_sockets,
    replay_warnings,
    unguarded_warnings,
)
from .services.public import PublicFiles
from .services.shared import Services, check_services
from .services.usage import Ledger, OutputLedger
from .setting_up import set_up
from .startup import folder_of_host, source_in
from .visitors import open_to_network
from .voice.streams import stream_key


def make_function(
    source: str | Path | ModuleType | None,
    overrides: Mapping[str, object] | None,
    *,
    url_prefix: str = "",
    host: Flask | None = None,
    debug: bool = False,
) -> Function:
    """Load a function and make everything that lives as long as the app.

    :param host: the app that it is mounted in, if that is somebody else's.
    :param debug: make development the default environment.
    :raises StartupError: the message says what is not usable, why, and what to do.
    """
    embedded = host is not None
    module = load_function(source_in(host, overrides) if source is None else source, folder_of_host(host))
    folder = folder_of(module)
    environ = process_environment(folder, embedded=embedded)
    config = load_config(
        folder, overrides, environ=environ, host=host.config if host is not None else None, debug=debug
    )
    services = Services(config)
    registered = set_up(module, services, config)
    exports = read_exports(module, registered.routes, registered.used)
    entries = auth_entries(module)
    public = _public_files(config.folder, entries)
    plans = _plans(module, services)
    services.check(GIVEN)
    if not (exports.listed or registered.sockets or (public is not None and public.has_files())):
        raise _nothing_to_serve(module, exports)
    guards = make_guards(config, exports)
    gated, gate_warnings = gated_exports(entries, exports, module, guards)
    basic = basic_auth(config)
    ledger = _ledger(config)
    key = stream_key(config["SINCHFN_STREAM_SECRET"], application_secret(config))
    return Function(
        module=module,
        config=config,
        exports=exports,
        basic=basic,
        redact=config.redact.also(loaded_secrets()),
        hooks=HOOKS,
        gated=gated,
        schemes=guards.schemes,
        protection={export: guards.words_for(export, gated) for export in exports},
        stream_key=key,
        public=public,
        ledger=ledger,
        services=services,
        plans=plans,
        handlers={export: wrapped(export.handler, registered.middleware) for export in exports if export.handler},
        sockets=registered.sockets,
        lifecycle=Lifecycle(registered.startup, registered.shutdown),
        has_landing_page=registered.has_landing_page,
        url_prefix=_prefix(url_prefix),
        embedded=embedded,
        warnings=(
            *exports.warnings,
            *config.warnings(),
            *(() if embedded else overlooked(config)),
            *open_to_network(config),
            *([] if debug else open_environment(config, host.debug if host else get_debug_flag())),
            *unguarded_warnings(guards, gated),
            *replay_warnings(guards.schemes, config),
            *gate_warnings,
            *closed_warnings(basic, gated, entries),
            *open_sockets(registered.sockets, key, config),
            *check_services(config),
            *_ledger_warnings(ledger),
        ),
    )


def _nothing_to_serve(module: ModuleType, exports: Exports) -> FunctionError:
    where = getattr(module, "__file__", None) or f"The module {module.__name__}"
    names = [name for name in vars(module) if not name.startswith("_")]
    found = f"Found in it: {', '.join(names[:20])}." if names else "There are no public names in it."
    return FunctionError(
        "\n  ".join(
            [
                f"{where} has nothing to serve: no handler, route or socket, and no file in public/ beside it. {found}",
                *exports.warnings,
                "Export a handler, such as `def ice(context, data): ...` or `def status(context, request): ...`.",
            ]
        )
    )


def _plans(module: ModuleType, services: Services) -> dict[type[SinchController], Plan]:
    """How each controller is made.

    :raises FunctionError: what one wants is not there; the message names all that is missing.
    """
    plans: dict[type[SinchController], Plan] = {}
    faults: list[str] = []
    for controller in controllers_of(module):
        try:
            plans[controller] = services.plan(controller, GIVEN, controller.__name__)
        except FunctionError as error:
            faults.append(error.message)
    if faults:
        raise FunctionError("\n".join(faults))
    return plans


def _ledger(config: FunctionConfig) -> Ledger | None:
    if config["SINCHFN_USAGE"] == "-":
        return OutputLedger()
    file = config.path("SINCHFN_USAGE")
    return Ledger(file, is_asked_for=config.origin("SINCHFN_USAGE") != DEFAULT) if file else None


def _ledger_warnings(ledger: Ledger | None) -> list[str]:
    problem = ledger.problem() if ledger else None
    return [problem] if problem else []


def _public_files(folder: Path, entries: Entries) -> PublicFiles | None:
    public = folder / "public"
    return PublicFiles(public, entries.files) if public.is_dir() or entries.files else None


def _prefix(url_prefix: str) -> str:
    trimmed = url_prefix.strip("/")
    if "<" in trimmed:
        raise FunctionError(f'url_prefix is "{url_prefix}": it takes a plain path, without variables.')
    return f"/{trimmed}" if trimmed else ""
