"""Intercepted calls: answered by a login check, CSRF protection or a redirect of the app, not by the function."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from flask import Request, Response, current_app
from werkzeug.exceptions import SecurityError

from ..function.function import Function
from ..function.request import SEEN_KEY, request_id_of
from ..function.routing import route, segments_of
from ..logs.redaction import brief
from ..serving.views import flask_request

_log = logging.getLogger("sinchfn")

#: Seconds between two warnings about the same status, because anyone can send calls that are intercepted.
AGAIN = 60

#: The number of ``before_request`` functions that a message names at most.
MOST_NAMES = 8

#: Status -> the remedy, where it is not to exempt the function.
REMEDIES: Mapping[int, str] = MappingProxyType(
    {
        308: "A route of the app has the path: mount the function under a url_prefix of its own",
        405: "A route of the app has the path for other methods: mount the function under a url_prefix of its own",
    }
)
_EXEMPT = (
    'Let the function pass there: if request.blueprint == "{blueprint}": return None. With Flask-WTF: '
    'csrf.exempt(app.blueprints["{blueprint}"])'
)
_TO_HTTPS = "If a proxy in front ends the TLS, tell the app so with werkzeug's ProxyFix"
_HOSTS = "Add the host that the platform calls to TRUSTED_HOSTS"


class Interceptions:
    """Warns of intercepted calls to guarded handlers, whose senders cannot do anything about it."""

    def __init__(self, function: Function, blueprint: str) -> None:
        self._function = function
        self._blueprint = blueprint
        self._warned: dict[int, float] = {}

    def notice(self, response: Response) -> Response:
        """Log a warning if the current request was intercepted with this answer. For ``after_request``."""
        request = flask_request()
        if (
            SEEN_KEY not in request.environ
            and (called := self._called(request))
            and self._is_time(response.status_code)
        ):
            _log.warning(
                "%s was answered %s before sinchfn saw it; its handler was not called. %s.",
                called,
                self._answer(response),
                self._remedy(request, response),
                extra={"sinchfn": {"request_id": request_id_of(request.environ)}},
            )
        return response

    def _called(self, request: Request) -> str:
        """Return the guarded handler that the request was for, as method and path; empty for any other."""
        prefix = self._function.url_prefix
        if request.blueprint == self._blueprint and (request.endpoint or "").startswith(f"{self._blueprint}.socket_"):
            return f"The handshake of {request.url_rule}"
        if request.method != "POST" or not self._is_below_mount(request):
            return ""
        path = request.path.removeprefix(prefix)
        if not segments_of(path):
            return f"POST {prefix or '/'}" if self._function.exports.callbacks else ""
        found = route("POST", path, None, self._function.exports)
        export = None if found is None else found.export
        return "" if export is None or export.scheme is None else f"POST {prefix}{export.path}"

    def _is_below_mount(self, request: Request) -> bool:
        if request.url_rule is not None:
            return request.blueprint == self._blueprint
        # The path was not looked up, because the host is not in TRUSTED_HOSTS.
        is_below = f"{request.path}/".startswith(f"{self._function.url_prefix}/")
        return is_below and isinstance(request.routing_exception, SecurityError)

    def _is_time(self, status: int) -> bool:
        now = time.monotonic()
        if now < self._warned.get(status, 0.0):
            return False
        self._warned[status] = now + AGAIN
        return True

    def _answer(self, response: Response) -> str:
        target = urlsplit(response.location or "")._replace(query="", fragment="").geturl()
        if not target:
            return str(response.status_code)
        return f"{response.status_code} (go to {brief(self._function.redact(target))})"

    def _remedy(self, request: Request, response: Response) -> str:
        if isinstance(request.routing_exception, SecurityError):
            return _HOSTS
        if response.status_code in REMEDIES:
            return REMEDIES[response.status_code]
        remedy = _EXEMPT.format(blueprint=self._blueprint)
        hooks = current_app.before_request_funcs
        functions = [*hooks.get(None, ()), *hooks.get(self._blueprint, ())][:MOST_NAMES]
        if functions:
            names = (f"{hook.__module__}.{getattr(hook, '__qualname__', type(hook).__name__)}" for hook in functions)
            remedy = f"These run before it: {', '.join(names)}. {remedy}"
        is_to_https = (response.location or "").startswith("https:") and not request.is_secure
        return f"{remedy}. {_TO_HTTPS}" if is_to_https else remedy
