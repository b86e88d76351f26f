"""The catch-all view: find the export, run hooks and handler, answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from flask import Flask, Request, Response, request, send_file
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from .address import public_base
from .dispatch import run
from .exports import CALLBACKS
from .function import Function
from .hooks import refuse_strangers
from .invocation import Invocation
from .landing import landing_page
from .requests import Incoming
from .responses import HTML, error_response, json_response, make_response
from .routing import UNREADABLE, route, segments_of

_log = logging.getLogger("sinchfn")

#: Methods that a static file, the built-in ``/health`` and the landing page take.
READING = ("GET", "HEAD")


class FunctionView:
    """Answers every request below one function's mount."""

    def __init__(self, app: Flask, function: Function) -> None:
        self.app = app
        self.function = function
        self._limit: int = function.config["SINCHFN_MAX_BODY"]

    def __call__(self, path: str = "") -> Response:
        incoming = Incoming(_flask_request(), path, self._limit)
        event = self._event(incoming)
        found = route(incoming.method, path, event, self.function.exports)
        if found is None:
            return self._not_found(incoming) if event in CALLBACKS else self._without_export(incoming)
        if found.export is None:
            return _not_allowed(incoming, found.allow)
        return run(Invocation(self.app, self.function, found.export, incoming))

    def _event(self, incoming: Incoming) -> str | None:
        """The event of a callback posted to the root, the one URL that a Voice application has for all of them."""
        if not self._awaits_event(incoming):
            return None
        try:
            payload = incoming.json
        except HTTPException:
            return UNREADABLE
        event = payload.get("event") if isinstance(payload, dict) else None
        return event.lower() if isinstance(event, str) else None

    def _without_export(self, incoming: Incoming) -> Response:
        segments = segments_of(incoming.path)
        file = self.function.public.find(segments) if self.function.public else None
        builtin = self._built_in(incoming, segments)
        try:
            if file is None and builtin is None:
                return self._not_found(incoming)
            if incoming.method not in READING:
                return _not_allowed(incoming, READING)
            response = self._send(incoming, file) if file is not None else builtin()  # type: ignore[misc]
        except HostNotFound:
            raise
        except HTTPException as error:
            response = error_response(error, incoming.request_id)
        response.headers["X-Request-ID"] = incoming.request_id
        return response

    def _send(self, incoming: Incoming, file: Path) -> Response:
        if self.function.public is not None and self.function.public.is_protected(file):
            refuse_strangers(self.function.basic.allows(incoming.environ.get("HTTP_AUTHORIZATION")))
        return send_file(file, conditional=True, etag=True)

    def _built_in(self, incoming: Incoming, segments: list[str]) -> Callable[[], Response] | None:
        if segments == ["health"] and not incoming.path.endswith("/"):
            return lambda: json_response(200, {"status": "ok"})
        if not segments and not self._awaits_event(incoming):
            page = landing_page(self.function, public_base(incoming.environ, self.function))
            return lambda: make_response(200, page.encode(), HTML)
        return None

    def _not_found(self, incoming: Incoming) -> Response:
        if self.function.embedded and not self.function.url_prefix:
            raise HostNotFound
        segments = segments_of(incoming.path)
        if self._awaits_event(incoming):
            sentence = "POST / goes to the callback that the body names: it has no event, or one without a handler."
        else:
            sentence = (
                f"There is no handler for {incoming.method} /{'/'.join(segments)[:200]}.{self._near_miss(segments)}"
            )
        response = error_response(NotFound(sentence), incoming.request_id, handlers=self.function.exports.names)
        response.headers["X-Request-ID"] = incoming.request_id
        return response

    def _awaits_event(self, incoming: Incoming) -> bool:
        """Whether this is a call of the one URL that serves all callbacks."""
        at_root = incoming.method == "POST" and not segments_of(incoming.path)
        return at_root and bool(self.function.exports.callbacks)

    def _near_miss(self, segments: list[str]) -> str:
        """The path of an export whose last segment is nearly, or wholly, the one that was asked for."""
        paths = {export.path.rpartition("/")[2]: export.path for export in self.function.exports}
        near = get_close_matches(segments[-1], list(paths), n=1) if segments else []
        return f' Did you mean "{paths[near[0]]}"?' if near else ""


def _flask_request() -> Request:
    # The object behind the proxy: each look through the proxy costs as much as a dict look-up in the environ.
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


class HostNotFound(NotFound):
    """No export, in an app that is somebody else's: the answer is the host's own 404."""


def _not_allowed(incoming: Incoming, allow: tuple[str, ...]) -> Response:
    asked = f"{incoming.method} /{incoming.path.lstrip('/')[:200]}"
    error = MethodNotAllowed(list(allow), f"{asked} is not possible here: it takes {' and '.join(allow)}.")
    response = error_response(error, incoming.request_id, allow=list(allow))
    response.headers["X-Request-ID"] = incoming.request_id
    return response
