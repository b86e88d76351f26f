"""create_app(): a function as a Flask app of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from .address import proxy_fix
from .extension import make_function, mount
from .invocation import request_id_of
from .responses import error_response
from .services.logs import set_up_logging


def create_app(function: str | Path | ModuleType | None = None, *, config: Mapping[str, object] | None = None) -> Flask:
    """Make the WSGI app that serves a function.

    :param function: path of a ``function.py`` or of its folder, a module, or a dotted module name; default:
        ``SINCHFN_FUNCTION``, else ``./function.py``.
    :param config: settings that go before the environment: variable names to str, int or bool.
    :raises StartupError: the function or a setting is not usable; the message says why and what to do.
    """
    made = make_function(function, config)
    folder = made.config.folder
    set_up_logging(made.config["SINCHFN_LOG_FORMAT"], made.config["SINCHFN_LOG_LEVEL"], made.redact)
    app = Flask("sinchfn", root_path=str(folder), instance_path=str(folder / "instance"), static_folder=None)
    hops = made.config["SINCHFN_TRUSTED_PROXIES"]
    if hops:
        app.wsgi_app = proxy_fix(app.wsgi_app, hops)  # type: ignore[method-assign]
    app.register_error_handler(HTTPException, _json_error)
    mount(app, made)
    return app


def _json_error(error: HTTPException) -> Response:
    # What never came to the view, such as a method that HTTP does not know.
    request_id = request_id_of(request.environ)
    response = error_response(error, request_id)
    response.headers["X-Request-ID"] = request_id
    return response
