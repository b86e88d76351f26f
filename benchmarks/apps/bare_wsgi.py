"""A bare WSGI callable that does the job: it shows the cost of the server and of the job itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from job import answer

from .signed import is_signed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    status, body = _answer(environ)
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _answer(environ: WSGIEnvironment) -> tuple[str, bytes]:
    if environ["PATH_INFO"] != "/ice":
        return "200 OK", b'{"hello":"world"}'
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    signed = is_signed(
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        environ.get("CONTENT_TYPE", ""),
        environ.get("HTTP_X_TIMESTAMP", ""),
        environ.get("HTTP_AUTHORIZATION", ""),
        body,
    )
    if not signed:
        return "401 Unauthorized", b'{"error":"not signed"}'
    return "200 OK", json.dumps(answer(json.loads(body)["cli"])).encode()
