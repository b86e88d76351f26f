"""``SinchFunctions``: the Flask extension, which mounts a function in an app as a blueprint."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from flask import Blueprint, Flask

from ..errors import FunctionError
from ..function.function import Function
from ..logs.handlers import strike_out
from ..logs.records import owned_by
from ..serving.views import view_function
from .assembly import make_function
from .catch_all import HostFirst, RouteRules, add_catch_all
from .intercepted import Interceptions
from .startup import in_debug_mode, settings_ahead, without_secrets
from .view import FunctionView

_log = logging.getLogger("sinchfn")


class SinchFunctions:
    """Mounts a function in an existing Flask app::

        sinch = SinchFunctions("voice/function.py")
        sinch.init_app(app, url_prefix="/voice")

    The app's own routes win, and its error handlers do not see the errors of the function. Its ``before_request`` and
    ``after_request`` functions run for the function's URLs as for any blueprint's. Several functions can be mounted in
    one app under several prefixes; ``app.extensions["sinchfn"]`` lists them.
    """

    def __init__(
        self,
        function: str | Path | ModuleType | None = None,
        *,
        config: Mapping[str, object] | None = None,
    ) -> None:
        """
        :param function: as for :func:`sinchfn.create_app`. A relative path is looked up in the app's ``root_path``,
            then in the working directory.
        :param config: as for :func:`sinchfn.create_app`.
        """
        if isinstance(function, Flask):
            raise FunctionError("SinchFunctions takes the function; the Flask app goes to its init_app(app).")
        self._function = function
        self._config = config

    def init_app(self, app: Flask, url_prefix: str | None = None) -> None:
        """Mount the function in ``app``, at its root or under ``url_prefix``.

        :raises StartupError: the function or a setting is not usable; the message says why and what to do.
        """
        debug = in_debug_mode()
        ahead = settings_ahead(self._function, self._config, environ=os.environ, host=app, debug=debug).redact
        strike_out()
        with without_secrets(ahead), owned_by(ahead):
            function = make_function(self._function, self._config, url_prefix=url_prefix or "", host=app, debug=debug)
        strike_out()  # again, because the function may have added handlers to the log
        with owned_by(function.redact):
            mount(app, function)


def mount(app: Flask, function: Function) -> None:
    """Register the catch-all view of a function on ``app``."""
    mounted: list[Function] = app.extensions.setdefault("sinchfn", [])
    if any(other.url_prefix == function.url_prefix for other in mounted):
        raise FunctionError(
            f"Two functions are mounted at {function.url_prefix or '/'}: give one of them another url_prefix."
        )
    name = "sinchfn" if not mounted else f"sinchfn_{len(mounted) + 1}"
    mounted.append(function)
    app.register_blueprint(_blueprint(name, app, function))
    function.lifecycle.bind(app)
    log_start(function)


def _blueprint(name: str, app: Flask, function: Function) -> Blueprint:
    blueprint = Blueprint(name, __name__, url_prefix=function.url_prefix or None)
    rules = RouteRules(function, f"{name}.function")
    view = FunctionView(app, function, rules)
    answer = HostFirst(view, app, function.url_prefix) if function.embedded else view
    if function.sockets:
        from ..websockets.mounting import (
            mount_sockets,  # its imports are only needed by functions with sockets
        )

        mount_sockets(app, function, blueprint)  # first, because one may be at the root
    add_catch_all(blueprint, view_function(answer, name, "function"), rules)
    if function.embedded:  # FunctionApp does this itself, and only if there are hooks
        blueprint.after_app_request(Interceptions(function, name).notice)
    return blueprint


def log_start(function: Function) -> None:
    """Log a block that lists the handlers, and a line for each warning. One worker of several logs them."""
    environment = f"  Environment: {function.config.environment} ({function.config.environment_reason})"
    block = "\n".join(["Detected functions:", *function.table(with_protection=True), environment])
    _log.info(block, extra={"is_block": True, "is_start": True})
    for warning in function.warnings:
        _log.warning("%s", warning, extra={"is_start": True})
