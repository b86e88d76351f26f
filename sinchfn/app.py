"""create_app(): a function as a Flask app of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from flask import Flask, Request, Response, request, request_tearing_down
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from .address import proxy_fix
from .assembly import make_function
from .catchall import RULES
from .config import FunctionConfig
from .environment import loaded_secrets
from .extension import mount
from .gates import Gates
from .outside import shell_names
from .requests import request_id_of
from .responses import error_response
from .services.logs import owned_by, set_up_logging
from .startup import in_debug_mode, settings_ahead, without_secrets

_log = logging.getLogger("sinchfn")


def create_app(function: str | Path | ModuleType | None = None, *, config: Mapping[str, object] | None = None) -> Flask:
    """Make the WSGI app that serves a function.

    :param function: path of a ``function.py`` or of its folder, a module, or a dotted module name; default:
        ``SINCHFN_FUNCTION``, else ``./function.py``. A path is loaded anew by every call, with the modules beside it; a
        module named by its dotted name is imported as any other, once per process.
    :param config: settings that go before the environment: variable names to str, int or bool.
    :raises StartupError: the function or a setting is not usable; the message says why and what to do.
    """
    return build_app(function, config)


def build_app(
    function: str | Path | ModuleType | None = None,
    config: Mapping[str, object] | None = None,
    *,
    debug: bool | None = None,
) -> Flask:
    """Make the app of :func:`create_app`.

    :param debug: make development the default environment; default: only in ``flask --debug``.
    """
    debug = in_debug_mode() if debug is None else debug
    ahead = settings_ahead(function, config, debug=debug)
    redact = ahead.redact.also(loaded_secrets())
    begin_log(ahead)
    with without_secrets(redact), owned_by(redact):
        made = make_function(function, config, debug=debug)
    # Once more: what the function has set up by itself has handlers of its own.
    doubt = begin_log(made.config)
    folder = made.config.folder
    app = FunctionApp("sinchfn", root_path=str(folder), instance_path=str(folder / "instance"), static_folder=None)
    hops = made.config["SINCHFN_TRUSTED_PROXIES"]
    if hops:
        own = made.config["SINCHFN_PUBLIC_URL"] is None
        app.wsgi_app = proxy_fix(app.wsgi_app, hops, with_address=own)  # type: ignore[method-assign]
    app.register_error_handler(HTTPException, _json_error)
    app.shell_context_processor(partial(shell_names, app))
    with owned_by(made.redact):
        mount(app, made)
        if doubt is not None:
            _log.info("%s", doubt, extra={"is_start": True})
    app.gates = Gates(made, "sinchfn")
    return app


def begin_log(config: FunctionConfig) -> str | None:
    """Set up the log of this process as the settings say; a sentence if they do not hold for all lines."""
    return set_up_logging(config["SINCHFN_LOG_FORMAT"], config["SINCHFN_LOG_LEVEL"])


class FunctionApp(Flask):
    """A Flask app that has, as a rule, no routes and no hooks of its own: then there is nothing to match, nor to call.

    Flask looks all of that up anew for every request, which takes longer than a signature.
    """

    #: notices what hooks that were added answer in place of the function
    gates: Gates

    def preprocess_request(self) -> ResponseReturnValue | None:
        if self.before_request_funcs or self.url_value_preprocessors:
            return super().preprocess_request()
        return None

    def process_response(self, response: Response) -> Response:
        if self.before_request_funcs or self.config["TRUSTED_HOSTS"] is not None:
            self.gates.notice(response)
        return super().process_response(response)

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        if self.teardown_request_funcs or request_tearing_down.receivers:
            super().do_teardown_request(exc)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is None or self.subdomain_matching or self.url_map.host_matching:
            return super().create_url_adapter(request)
        if (trusted := self.config["TRUSTED_HOSTS"]) is not None:
            request.trusted_hosts = trusted
        if request.trusted_hosts is not None:
            get_host(request.environ, request.trusted_hosts)  # raises the 400 of a host that is none of them
        return cast(MapAdapter, _CatchAllAdapter(self, request))


class _CatchAllAdapter:
    """The URL adapter of one request. Leads to the catch-all by itself, and is bound only when more is asked of it.

    To bind and match a real one takes a third of what Flask spends on a request.
    """

    def __init__(self, app: FunctionApp, request: Request) -> None:
        self._app = app
        self._request = request

    def match(self, *args: Any, **kwargs: Any) -> Any:
        rules = [rule for rule in self._app.url_map.iter_rules() if not rule.websocket]
        if len(rules) > len(RULES) or "websocket" in self._request.environ.get("HTTP_UPGRADE", "").lower():
            return self._bound.match(*args, **kwargs)
        path = self._request.path[1:]
        return (rules[-1], {"path": path}) if path else (rules[0], {})

    @cached_property
    def _bound(self) -> MapAdapter:
        return cast(MapAdapter, Flask.create_url_adapter(self._app, self._request))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bound, name)


def _json_error(error: HTTPException) -> Response:
    # What never came to the view, such as a method that HTTP does not know.
    return error_response(error, request_id_of(request.environ))
