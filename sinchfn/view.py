"""The catch-all view: find the export, run hooks and handler, answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path

from flask import Flask, Response, send_file
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestedRangeNotSatisfiable,
    ServiceUnavailable,
)

from .address import public_base
from .dispatch import run
from .errors import nearest
from .exports import CALLBACKS
from .function import Function
from .hooks import refuse_strangers
from .invocation import Invocation
from .landing import landing_page
from .lifecycle import RETRY
from .requests import Incoming, flask_request
from .responses import HTML, error_response, json_response, make_response
from .routing import UNREADABLE, UNVERIFIED, route, segments_of
from .services.public import single_range
from .services.readiness import Readiness
from .unhandled import (
    MOST_OF_A_CALLBACK,
    claimed_event,
    looks_like_callback,
    may_be_callback,
    unhandled,
    unhandled_sentence,
)
from .verification import claims_signature, is_genuine
from .views import OTHER_PATHS, RouteRules
from .visitors import Visitors

_log = logging.getLogger("sinchfn")

#: Paths of one segment that are answered where the function has nothing of its own at them.
BUILT_IN = ("health", "ready")

#: Methods that a static file, the built-in paths and the landing page take.
READING = ("GET", "HEAD")


class FunctionView:
    """Answers every request below one function's mount."""

    def __init__(self, app: Flask, function: Function, rules: RouteRules) -> None:
        self.app = app
        self.function = function
        self.rules = rules
        self._limit: int = function.config["SINCHFN_MAX_BODY"]
        at_root = route("POST", "/", None, function.exports)
        self._has_root_handler = at_root is not None and at_root.export is not None
        self._visitors = Visitors(function.config) if function.config.is_development else None
        self._readiness = Readiness(function.services)

    def __call__(self, path: str = "") -> Response:
        incoming = Incoming(flask_request(), path, self._limit)
        if self._visitors is not None and not self._is_left_to_host(incoming):
            refusal = self._visitors.refusal(incoming.request)
            if refusal is not None:
                return error_response(refusal, incoming.request_id)
        event = self._event(incoming)
        found = route(incoming.method, path, event, self.function.exports)
        if found is None or found.is_left:
            return self._without_export(incoming, event, found.allow if found else ())
        if found.export is None:
            return self._not_allowed(incoming, found.allow)
        incoming.request.url_rule = self.rules.of_route(found)
        if found.export.takes_large_bodies:
            incoming.allow(self.function.limit_of(found.export), spooled=True)
        return run(Invocation(self.app, self.function, found.export, incoming, found))

    def _is_left_to_host(self, incoming: Incoming) -> bool:
        """Return True where the function has nothing, so that the app around it answers with its own 404."""
        if not self.function.embedded or self.function.url_prefix or self._file(incoming) is not None:
            return False
        return self.rules.of_path(incoming.method, incoming.path).rule == OTHER_PATHS

    def _event(self, incoming: Incoming) -> str | None:
        """The event of a callback posted to the root, the one URL that a Voice application has for all of them.

        The body is parsed when its signature holds. An unsigned one only where there is a handler for the root, which
        takes what is no callback.
        """
        if not self._awaits_event(incoming):
            return None
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
        """Answer with a file, a socket's refusal, the health or the landing page, else with an error.

        :param allow: the methods of the function's own routes at this path, none of which is that of the request.
        """
        refuse = self._socket(incoming)
        make = None if self._awaits_event(incoming) else self._file(incoming) or self._built_in(incoming) or refuse
        is_possible = incoming.method in READING or make is refuse
        if (make is None or not is_possible) and (name := self._unhandled_callback(incoming, event)) is not None:
            return run(Invocation(self.app, self.function, unhandled(name), incoming))
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
        """The event of a voice callback that nothing answers, ``/`` if it names none; None if it is no callback.

        Where callbacks are verified, nothing is read of a request that does not claim to be signed.
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
        """What is answered to a request that comes to the path of a socket, and is no handshake."""
        if not self.function.has_socket_at(incoming.path):
            return None

        def refuse() -> Response:
            from .websockets import refuse_handshake

            refuse_handshake(incoming.environ)
            raise NotFound  # a handshake that Werkzeug took for none

        return refuse

    def _built_in(self, incoming: Incoming) -> Callable[[], Response] | None:
        segments = segments_of(incoming.path)
        if len(segments) == 1 and not incoming.path.endswith("/") and segments[0] in BUILT_IN:
            return self._health if segments[0] == "health" else partial(self._ready, incoming)
        if not segments and self.function.has_landing_page:
            return lambda: make_response(200, self._landing_page(incoming).encode(), HTML)
        return None

    def _health(self) -> Response:
        """Say that the process lives."""
        return json_response(200, {"status": "ok"})

    def _ready(self, incoming: Incoming) -> Response:
        """Say whether calls may come: not before the start, nor amid the end, nor without cache and storage."""
        unready = self.function.lifecycle.unready()
        reasons = [unready] if unready else self._readiness.faults()
        if not reasons:
            return json_response(200, {"status": "ok"})
        error = ServiceUnavailable("This process is not ready for calls.", retry_after=int(RETRY))
        return error_response(error, incoming.request_id, reasons=reasons)

    def _landing_page(self, incoming: Incoming) -> str:
        url = public_base(incoming.environ, self.function)
        # Only the setting may hold a secret of ours. The Host header is the sender's own.
        is_set = self.function.config["SINCHFN_PUBLIC_URL"] is not None
        return landing_page(self.function, self.function.redact(url) if is_set else url)

    def _not_allowed(self, incoming: Incoming, allow: tuple[str, ...]) -> Response:
        if incoming.method == "OPTIONS" and "OPTIONS" in allow:  # asked for what we are about to tell
            response = make_response(200, b"", None)
            response.headers["Allow"] = ", ".join(allow)
            response.headers["X-Request-ID"] = incoming.request_id
            return response
        asked = f"{incoming.method} {self._asked(incoming)} is not possible here: it takes {', '.join(allow)}."
        return error_response(MethodNotAllowed(list(allow), asked), incoming.request_id, allow=list(allow))

    def _asked(self, incoming: Incoming) -> str:
        # As it came: if secrets were struck out, the answer would tell which guess is one.
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
        """Whether this is a call of the one URL that serves all callbacks."""
        at_root = incoming.method == "POST" and not segments_of(incoming.path)
        return at_root and bool(self.function.exports.callbacks)

    def _near_miss(self, incoming: Incoming) -> str:
        """The path of an export whose last segment is nearly, or wholly, one of the last two that were asked for."""
        known = self._known_segments
        for segment in reversed(segments_of(incoming.path)[-2:]):
            near = "" if segment in CALLBACKS else nearest(segment, tuple(known))
            if near:
                return f' Did you mean "{self.function.url_prefix}{known[near]}"?'
        return ""

    @cached_property
    def _known_segments(self) -> Mapping[str, str]:
        """The last segment that is written out of each path -> the path."""
        rows = [
            (row.path, [part for part in segments_of(row.path) if "<" not in part]) for row in self.function.listing()
        ]
        return {written_out[-1]: path for path, written_out in rows if written_out}


def _sent_file(file: Path, incoming: Incoming) -> Response:
    """The file, or the part of it that is asked for."""
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
    """No export, in an app that is somebody else's: the answer is the host's own 404."""
