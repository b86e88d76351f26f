"""``create_app()``: a function as a Flask app of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import cast

from flask import Flask, Request, Response, request, request_tearing_down
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from ..config.config import FunctionConfig
from ..function.request import request_id_of
from ..logs.handlers import set_up_logging
from ..logs.records import owned_by
from ..serving.public_url import proxy_fix
from ..serving.responses import error_response
from .assembly import make_function
from .catch_all import CatchAllAdapter
from .extension import mount
from .intercepted import Interceptions
from .outside import shell_names
from .startup import in_debug_mode, loaded_secrets, settings_ahead, without_secrets

_log = logging.getLogger("sinchfn")


def create_app(function: str | Path | ModuleType | None = None, *, config: Mapping[str, object] | None = None) -> Flask:
    """Make the WSGI app that serves a function.

    :param function: the path of a ``function.py`` or of its folder, a module, or a dotted module name. Default:
        ``SINCHFN_FUNCTION``, else ``./function.py``. A path is loaded again by every call, with the modules beside it;
        a dotted name is imported once per process.
    :param config: settings that override the environment: variable names to str, int or bool.
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

    :param debug: make development the default environment. Default: only in ``flask --debug``.
    """
    debug = in_debug_mode() if debug is None else debug
    ahead = settings_ahead(function, config, debug=debug)
    redact = ahead.redact.also(loaded_secrets())
    begin_log(ahead)
    with without_secrets(redact), owned_by(redact):
        made = make_function(function, config, debug=debug)
    # Again, because the function may have added handlers to the log.
    doubt = begin_log(made.config)
    folder = made.config.folder
    app = FunctionApp("sinchfn", root_path=str(folder), instance_path=str(folder / "instance"), static_folder=None)
    hops = made.config["SINCHFN_TRUSTED_PROXIES"]
    if hops:
        own = made.config["SINCHFN_PUBLIC_URL"] is None
        app.wsgi_app = proxy_fix(app.wsgi_app, hops, with_address=own)  # type: ignore[method-assign]
    # For errors that never come to the view, such as a method that HTTP does not know.
    app.register_error_handler(HTTPException, lambda error: error_response(error, request_id_of(request.environ)))
    app.shell_context_processor(partial(shell_names, app))
    with owned_by(made.redact):
        mount(app, made)
        if doubt is not None:
            _log.info("%s", doubt, extra={"is_start": True})
    app.interceptions = Interceptions(made, "sinchfn")
    return app


def begin_log(config: FunctionConfig) -> str | None:
    """Set up the log of this process; return a sentence if the settings do not apply to all lines."""
    return set_up_logging(config["SINCHFN_LOG_FORMAT"], config["SINCHFN_LOG_LEVEL"])


class FunctionApp(Flask):
    """A Flask app that usually has no routes and no hooks of its own, and then skips the search for them.

    Flask searches for them in every request, which takes longer than checking a signature.
    """

    #: notices answers of added hooks that the function did not see
    interceptions: Interceptions

    def preprocess_request(self) -> ResponseReturnValue | None:
        if self.before_request_funcs or self.url_value_preprocessors:
            return super().preprocess_request()
        return None

    def process_response(self, response: Response) -> Response:
        if self.before_request_funcs or self.config["TRUSTED_HOSTS"] is not None:
            self.interceptions.notice(response)
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
            get_host(request.environ, request.trusted_hosts)  # raises 400 for any other host
        return cast(MapAdapter, CatchAllAdapter(self, request))
