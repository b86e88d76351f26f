"""The assembly of a function: everything that is made at start, from its module and its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from flask import Flask
from flask.helpers import get_debug_flag

from ..config.config import DEFAULT, FunctionConfig, load_config
from ..errors import FunctionError
from ..function.controllers import SinchController
from ..function.discovery import controllers_of, read_exports
from ..function.exports import Export
from ..function.function import Function
from ..function.invocation import GIVEN, Progress
from ..function.lifecycle import Lifecycle
from ..function.loading import folder_of, load_function
from ..function.protection import (
    auth_entries,
    open_environment,
    open_sockets,
    protect,
)
from ..function.routing import Exports
from ..function.setup import Middleware, set_up
from ..security.stream_tokens import stream_key
from ..services.injection.recipes import Plan
from ..services.services import Services, check_services
from ..services.static_files import PublicFiles
from ..services.usage import Ledger, OutputLedger
from ..serving.development import open_to_network
from ..serving.dispatch import caller_of, wrapped
from ..serving.hooks import HOOKS
from .startup import folder_of_host, ignored_settings, loaded_secrets, process_environment, source_in


def make_function(
    source: str | Path | ModuleType | None,
    overrides: Mapping[str, object] | None,
    *,
    url_prefix: str = "",
    host: Flask | None = None,
    debug: bool = False,
) -> Function:
    """Load a function and make everything that lives as long as the app.

    :param host: the app that the function is mounted in; None for an app of its own.
    :param debug: make development the default environment.
    :raises StartupError: the message says what is not usable, why, and what to do.
    """
    module = load_function(source_in(host, overrides) if source is None else source, folder_of_host(host))
    folder, host_config = folder_of(module), None if host is None else host.config
    environ = process_environment(folder, embedded=host is not None)
    config = load_config(folder, overrides, environ=environ, host=host_config, debug=debug)
    services = Services(config)
    _ = services.logger  # exists from here on, so that the log's set-up, which comes next, finds it
    registered = set_up(module, services, config)
    exports = read_exports(module, registered.routes, registered.used)
    entries = auth_entries(module)
    has_public = (config.folder / "public").is_dir() or bool(entries.files)
    public = PublicFiles(config.folder / "public", entries.files) if has_public else None
    plans = plans_of(module, services)
    services.check(GIVEN)
    if not (exports.listed or registered.sockets or (public is not None and public.has_files())):
        raise FunctionError(_nothing_to_serve(module, exports))
    protection = protect(module, entries, exports, config)
    ledger = ledger_of(config)
    key = stream_key(config["SINCHFN_STREAM_SECRET"], config["VOICE_APPLICATION_SECRET"])
    redact = config.redact.also(loaded_secrets())
    warnings = (
        *exports.warnings,
        *environment_warnings(config, host, debug=debug),
        *protection.warnings,
        *open_sockets(registered.sockets, key, config),
        *check_services(config),
        *filter(None, [ledger.problem() if ledger else None]),
    )
    return Function(
        module=module,
        config=config,
        exports=exports,
        basic=protection.basic,
        redact=redact,
        hooks=HOOKS,
        gated=protection.gated,
        schemes=protection.schemes,
        protection=protection.words,
        stream_key=key,
        public=public,
        ledger=ledger,
        services=services,
        plans=plans,
        handlers=handlers_of(exports, plans, registered.middleware),
        sockets=registered.sockets,
        lifecycle=Lifecycle(registered.startup, registered.shutdown, services, redact),
        has_landing_page=registered.has_landing_page,
        url_prefix=mount_of(url_prefix),
        embedded=host is not None,
        warnings=warnings,
    )


def environment_warnings(config: FunctionConfig, host: Flask | None, *, debug: bool) -> list[str]:
    """Return the warnings about settings, and about an environment that is open to others."""
    return [
        *config.warnings(),
        *(() if host is not None else ignored_settings(config)),
        *open_to_network(config),
        *([] if debug else open_environment(config, host.debug if host else get_debug_flag())),
    ]


def plans_of(module: ModuleType, services: Services) -> dict[type[SinchController], Plan]:
    """Return the plan by which each controller of a module is made.

    :raises FunctionError: a controller needs a service that is not registered; the message names all of them.
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


def handlers_of(
    exports: Exports, plans: Mapping[type[SinchController], Plan], middleware: tuple[Middleware, ...]
) -> dict[Export, Callable[[Progress], Any]]:
    """Return the callable for each export: its handler, with the middleware of the function around it."""
    return {
        export: wrapped(caller_of(export.handler, plans), middleware)
        for export in exports
        if export.handler is not None
    }


def ledger_of(config: FunctionConfig) -> Ledger | None:
    """Return the ledger of ``SINCHFN_USAGE``: a file, standard output, or None."""
    if config["SINCHFN_USAGE"] == "-":
        return OutputLedger()
    file = config.path("SINCHFN_USAGE")
    return Ledger(file, is_asked_for=config.origin("SINCHFN_USAGE") != DEFAULT) if file else None


def mount_of(url_prefix: str) -> str:
    """Return a URL prefix with a slash at its beginning and none at its end.

    :raises FunctionError: it has a variable.
    """
    trimmed = url_prefix.strip("/")
    if "<" in trimmed:
        raise FunctionError(f'url_prefix is "{url_prefix}": it takes a plain path, without variables.')
    return f"/{trimmed}" if trimmed else ""


def _nothing_to_serve(module: ModuleType, exports: Exports) -> str:
    where = getattr(module, "__file__", None) or f"The module {module.__name__}"
    names = [name for name in vars(module) if not name.startswith("_")]
    found = f"Found in it: {', '.join(names[:20])}." if names else "It has no public names."
    return "\n  ".join(
        [
            f"{where} has nothing to serve: no handler, route or socket, and no file in public/ beside it. {found}",
            *exports.warnings,
            "Export a handler, such as `def ice(context, data): ...` or `def status(context, request): ...`.",
        ]
    )
