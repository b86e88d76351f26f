"""The catch-all view: find the export, run hooks and handler, answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from html import escape
from pathlib import Path

from flask import Flask, Response, send_file
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestedRangeNotSatisfiable,
    ServiceUnavailable,
)

from ..errors import nearest
from ..function.function import Function
from ..function.invocation import Progress
from ..function.lifecycle import RETRY
from ..function.names import CALLBACKS
from ..function.request import Incoming
from ..function.routing import UNREADABLE, UNVERIFIED, route, segments_of
from ..services.readiness import Readiness
from ..services.static_files import single_range
from ..serving.development import DevelopmentGuard
from ..serving.dispatch import run
from ..serving.hooks import refuse_strangers
from ..serving.public_url import public_base
from ..serving.responses import HTML, error_response, json_response, make_response
from ..serving.unhandled import (
    MOST_OF_A_CALLBACK,
    claimed_event,
    looks_like_callback,
    may_be_callback,
    unhandled,
    unhandled_sentence,
)
from ..serving.verification import claims_signature, is_genuine
from ..serving.views import flask_request
from .catch_all import BUILT_IN, OTHER_PATHS, RouteRules

#: The landing page.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; color: #1b2733; }}
  h1 {{ font-size: 1.6rem; margin-bottom: .25rem; }}
  p {{ color: #52616f; }}
  table {{ border-collapse: collapse; width: 100%; margin: 1.5rem 0; }}
  th, td {{ text-align: left; padding: .45rem .6rem; border-bottom: 1px solid #dde4ea; }}
  th {{ font-weight: 600; color: #52616f; font-size: .85rem; }}
  code {{ font: .9rem ui-monospace, monospace; }}
  @media (prefers-color-scheme: dark) {{
    body {{ background: #12181f; color: #e6edf3; }}
    th, p {{ color: #9fb0bf; }}
    th, td {{ border-color: #2b3743; }}
  }}
</style>
<h1>{name}</h1>
<p>This function is up and answers:</p>
<table>
<tr><th>Method</th><th>Path</th><th>Handler</th></tr>
{rows}
</table>
{voice}<p>To put a page of your own here, export <code>home</code> or add <code>public/index.html</code>.</p>
</html>
"""


#: The line of the landing page about voice callbacks.
VOICE = "<p>Callback URL of the Voice application, for all events: <code>{url}</code></p>\n"


#: The methods of static files, built-in paths and the landing page.
READING = ("GET", "HEAD")


class FunctionView:
    """The view of one function: answers every request below its mount."""

    def __init__(self, app: Flask, function: Function, rules: RouteRules) -> None:
        self.app = app
        self.function = function
        self.rules = rules
        self._limit: int = function.config["SINCHFN_MAX_BODY"]
        at_root = route("POST", "/", None, function.exports)
        self._has_root_handler = at_root is not None and at_root.export is not None
        self._guard = DevelopmentGuard(function.config) if function.config.is_development else None
        self._readiness = Readiness(function.services)

    def __call__(self, path: str = "") -> Response:
        request = flask_request()
        incoming = Incoming(request, path, self._limit)
        if self._guard is not None and not self._is_left_to_host(incoming):
            refusal = self._guard.refusal(request)
            if refusal is not None:
                return error_response(refusal, incoming.request_id)
        event = self._event(incoming) if self._awaits_event(incoming) else None
        found = route(incoming.method, path, event, self.function.exports)
        if found is None or found.is_left:
            return self._without_export(incoming, event, found.allow if found else ())
        if found.export is None:
            return self._not_allowed(incoming, found.allow)
        request.url_rule = self.rules.of_route(found)
        if found.export.takes_large_bodies:
            incoming.allow(self.function.limit_of(found.export), spooled=True)
        return run(Progress(self.app, self.function, found.export, incoming, found))

    def _is_left_to_host(self, incoming: Incoming) -> bool:
        """Return True if the function has nothing here, so that the app around it answers with its own 404."""
        if not self.function.embedded or self.function.url_prefix or self._file(incoming) is not None:
            return False
        return self.rules.of_path(incoming.method, incoming.path).rule == OTHER_PATHS

    def _event(self, incoming: Incoming) -> str | None:
        """Return the event of a callback posted to the root, the URL that a Voice application has for all callbacks.

        The body is parsed only if its signature holds, or if a handler for the root takes other requests.
        """
        callbacks = self.function.exports.callbacks
        try:
            genuine = is_genuine(incoming, self.function)
            if not genuine:
                if claims_signature(incoming) or not self._has_root_handler:
                    claimed = claimed_event(incoming.body)
                    return claimed if claimed in callbacks else UNVERIFIED
                if not may_be_callback(incoming.body):
                    return None
            payload = incoming.json
        except HTTPException:
            return UNREADABLE
        found = payload.get("event") if isinstance(payload, dict) else None
        event = found.lower() if isinstance(found, str) else None
        return UNVERIFIED if event in CALLBACKS and event not in callbacks and not genuine else event

    def _without_export(self, incoming: Incoming, event: str | None, allow: tuple[str, ...]) -> Response:
        """Answer with a file, the refusal of a socket, the health or the landing page, else with an error.

        :param allow: the other methods that the function's own routes have at this path.
        """
        refuse = self._socket(incoming)
        make = None if self._awaits_event(incoming) else self._file(incoming) or self._built_in(incoming) or refuse
        is_possible = incoming.method in READING or make is refuse
        if (make is None or not is_possible) and (name := self._unhandled_callback(incoming, event)) is not None:
            return run(Progress(self.app, self.function, unhandled(name), incoming))
        if make is None:
            return self._not_allowed(incoming, allow) if allow else self._not_found(incoming)
        if not is_possible:
            return self._not_allowed(incoming, tuple(sorted({*allow, *READING})))
        try:
            response = make()
        except HTTPException as error:
            return error_response(error, incoming.request_id)
        response.headers["X-Request-ID"] = incoming.request_id
        return response

    def _unhandled_callback(self, incoming: Incoming, event: str | None) -> str | None:
        """Return the event of a voice callback without a handler, or ``/`` if it names none; None for other requests.

        Where callbacks are verified, the body of a request that does not claim to be signed is not read.
        """
        if incoming.method != "POST":
            return None
        segments = segments_of(incoming.path)
        named = event or (segments[-1] if segments else "")
        has_voice, is_verified = bool(self.function.exports.callbacks), "application" in self.function.schemes
        if named in CALLBACKS and (event or (is_verified and has_voice)):
            return named
        incoming.allow(min(incoming.limit, MOST_OF_A_CALLBACK))
        try:
            if is_verified:
                is_callback = claims_signature(incoming) and is_genuine(incoming, self.function)
            else:
                is_callback = (has_voice or self.function.config.is_development) and looks_like_callback(incoming)
            return (named if named in CALLBACKS else claimed_event(incoming.body) or "/") if is_callback else None
        except HTTPException:
            return None

    def _file(self, incoming: Incoming) -> Callable[[], Response] | None:
        public = self.function.public
        file = public.find(segments_of(incoming.path)) if public else None
        if public is None or file is None:
            return None

        def send() -> Response:
            if public.is_protected(file):
                refuse_strangers(self.function.basic.allows(incoming.environ.get("HTTP_AUTHORIZATION")))
            return _sent_file(file, incoming)

        return send

    def _socket(self, incoming: Incoming) -> Callable[[], Response] | None:
        """Return the refusal of a request to the path of a socket that is not a handshake."""
        if not self.function.has_socket_at(incoming.path):
            return None

        def refuse() -> Response:
            from ..websockets.mounting import refuse_handshake

            refuse_handshake(incoming.environ)
            raise NotFound  # a handshake that Werkzeug did not recognise

        return refuse

    def _built_in(self, incoming: Incoming) -> Callable[[], Response] | None:
        segments = segments_of(incoming.path)
        if len(segments) == 1 and not incoming.path.endswith("/") and segments[0] in BUILT_IN:
            return self._health if segments[0] == "health" else partial(self._ready, incoming)
        if not segments and self.function.has_landing_page:
            return lambda: make_response(200, self._landing_page(incoming).encode(), HTML)
        return None

    def _health(self) -> Response:
        """Answer that the process is alive."""
        return json_response(200, {"status": "ok"})

    def _ready(self, incoming: Incoming) -> Response:
        """Answer whether calls may come: not before the start, nor during the end, nor without cache and storage."""
        unready = self.function.lifecycle.unready()
        reasons = [unready] if unready else self._readiness.faults()
        if not reasons:
            return json_response(200, {"status": "ok"})
        error = ServiceUnavailable("This process is not ready for calls.", retry_after=int(RETRY))
        return error_response(error, incoming.request_id, reasons=reasons)

    def _landing_page(self, incoming: Incoming) -> str:
        url = public_base(incoming.environ, self.function)
        # Only the setting may hold a secret of the function. The Host header is the sender's.
        is_set = self.function.config["SINCHFN_PUBLIC_URL"] is not None
        return landing_page(self.function, self.function.redact(url) if is_set else url)

    def _not_allowed(self, incoming: Incoming, allow: tuple[str, ...]) -> Response:
        if incoming.method == "OPTIONS" and "OPTIONS" in allow:
            response = make_response(200, b"", None)
            response.headers["Allow"] = ", ".join(allow)
            response.headers["X-Request-ID"] = incoming.request_id
            return response
        asked = f"{incoming.method} {self._asked(incoming)} is not allowed: the path takes {', '.join(allow)}."
        return error_response(MethodNotAllowed(list(allow), asked), incoming.request_id, allow=list(allow))

    def _asked(self, incoming: Incoming) -> str:
        # Without redaction: an answer with secrets struck out would tell the sender that a guess is right.
        asked = "/".join(segments_of(incoming.path))
        return f"{self.function.url_prefix}/{asked[:200]}"

    def _not_found(self, incoming: Incoming) -> Response:
        if self.function.embedded and not self.function.url_prefix:
            raise HostNotFound
        asked = "/".join(segments_of(incoming.path))[:200]
        if self.function.exports.callbacks and incoming.method == "POST" and (not asked or claims_signature(incoming)):
            sentence = unhandled_sentence("", "", f"/{asked}", self.function)
        else:
            sentence = f"There is no handler for {incoming.method} {self._asked(incoming)}.{self._near_miss(incoming)}"
        return error_response(NotFound(sentence), incoming.request_id, **self.function.told())

    def _awaits_event(self, incoming: Incoming) -> bool:
        """Return True for a call of the URL that serves all callbacks."""
        at_root = incoming.method == "POST" and not incoming.path.strip("/")
        return at_root and bool(self.function.exports.callbacks)

    def _near_miss(self, incoming: Incoming) -> str:
        """Suggest the path of an export whose last segment resembles one of the last two that were asked for."""
        known = self._known_segments
        for segment in reversed(segments_of(incoming.path)[-2:]):
            near = "" if segment in CALLBACKS else nearest(segment, tuple(known))
            if near:
                return f' Did you mean "{self.function.url_prefix}{known[near]}"?'
        return ""

    @cached_property
    def _known_segments(self) -> Mapping[str, str]:
        """The paths by their last segment without variables."""
        rows = [
            (row.path, [part for part in segments_of(row.path) if "<" not in part]) for row in self.function.listing()
        ]
        return {written_out[-1]: path for path, written_out in rows if written_out}


def _sent_file(file: Path, incoming: Incoming) -> Response:
    """Return a file, or the part of it that is asked for."""
    response = send_file(file, conditional=False, etag=True)
    environ = incoming.environ.copy()
    size = response.content_length or 0
    asked = environ.pop("HTTP_RANGE", None)
    if asked is not None and incoming.method == "GET" and (wanted := single_range(asked, size)):
        environ["HTTP_RANGE"] = wanted
    try:
        response.make_conditional(environ, accept_ranges=True, complete_length=size)
    except RequestedRangeNotSatisfiable:
        response.close()
        raise
    return response


class HostNotFound(NotFound):
    """404 in the app of a host: the host's own 404 is the answer."""


def landing_page(function: Function, url: str) -> str:
    """Return the landing page as HTML, for a function without a page of its own at ``/``.

    :param url: the URL of the function's mount, as the platform sees it.
    """
    rows = []
    for method, path, name in function.listing():
        cells = "".join(f"<td><code>{escape(cell)}</code></td>" for cell in (method, function.url_prefix + path, name))
        rows.append(f"<tr>{cells}</tr>")
    return PAGE.format(
        name=escape(function.name),
        rows="\n".join(rows) or "<tr><td colspan=3>no handlers yet</td></tr>",
        voice=VOICE.format(url=escape(url)) if function.exports.callbacks else "",
    )
