"""What the tests of the serving side share: a function written on the spot and served, its ledger and log read back.

A plain module, not a plugin. Everything goes through the public door, the WSGI callable, as a server would use it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import io
import json
import logging
import os
import pkgutil
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote_to_bytes

from flask import Flask
from werkzeug.datastructures import Headers

import sinchfn
from sinchfn import create_app

DATA = Path(__file__).parent / "data"
EVENTS = sorted((DATA / "voice-v1" / "events").glob("*.json"))

KEY = "f00dcafe-abba-c0de-1dea-dabb1ed4caf3"
SECRET = "YXBwU2VjcmV0LWFwcFNlY3JldA=="
SIGNING = {"VOICE_APPLICATION_KEY": KEY, "VOICE_APPLICATION_SECRET": SECRET}

CALL_ID = "1ce0ffee-ca11-ca11-ca11-abcdef000053"
ICE = {"event": "ice", "callid": CALL_ID, "cli": "12015555555", "domain": "pstn", "version": 1}

#: Beginnings of the names of variables that sinchfn or Flask would read from the developer's own environment.
OURS = re.compile(r"SINCHFN_|FLASK_|VOICE_|WEBHOOK_|PROJECT_|ADMIN_|CONVERSATION_|ELEVENLABS_|SMS_|ENABLE_NUMBERS|MY_")

#: What nearly every function here begins with.
PREAMBLE = """
import asyncio, contextvars, dataclasses, datetime, decimal, json, logging, os, sys, time, uuid
import flask, sinchfn
from flask import Response, abort, request as flask_request
from sinchfn import (
    AceSvamlBuilder, FunctionResponse, IceSvamlBuilder, PieSvamlBuilder, accepted, bad_request, conflict, created,
    forbidden, html, no_content, not_found, ok, redirect, server_error, signals, text, too_many_requests, unauthorized,
)
"""

#: What a server refuses to send, or worse, sends.
STATUS_LINE = re.compile(r"[1-9][0-9]{2} [\x20-\x7e]*")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def clean_environment() -> dict[str, str]:
    """The process environment without anything that would change what a test sees."""
    return {name: value for name, value in os.environ.items() if not OURS.match(name)}


def become_nobody() -> None:
    """Let the rights of files apply to this process, which they do not to root.

    All of sinchfn is imported first: the folder of the clone may be one that only root may enter.
    """
    for found in pkgutil.walk_packages(sinchfn.__path__, "sinchfn."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


# --- requests -------------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """An answer as it would go out, checked against what any HTTP server demands."""

    line: str
    headers: Headers
    body: bytes
    #: what came out of the iterator or close() after the head was there
    broke: BaseException | None = None

    @property
    def status(self) -> int:
        return int(self.line[:3])

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"].startswith("application/json"), (self.line, self.headers, self.body)
        return json.loads(self.body)

    def check(self, method: str) -> None:
        """Fail where a server would break off, or a client would wait for ever."""
        assert STATUS_LINE.fullmatch(self.line), self.line
        for name, value in self.headers:
            assert HEADER_NAME.fullmatch(name), name
            assert HEADER_VALUE.fullmatch(value), (name, value)
        assert len(self.headers.getlist("X-Request-ID")) == 1, self.headers
        lengths = self.headers.getlist("Content-Length")
        if method == "HEAD" or self.status in (204, 304) or self.status < 200:
            assert self.body == b""
        elif lengths and self.broke is None:
            assert lengths == [str(len(self.body))], (lengths, len(self.body))


class Stream(io.RawIOBase):
    """A request body as a server hands it over: read-only, and no way to tell its length."""

    def __init__(self, *parts: bytes | BaseException) -> None:
        self._parts = list(parts)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while self._parts:
            part = self._parts.pop(0)
            if isinstance(part, BaseException):
                raise part
            if size < 0:
                return part + b"".join(p for p in self._parts if isinstance(p, bytes))
            if len(part) > size:
                self._parts.insert(0, part[size:])
                part = part[:size]
            if part:
                return part
        return b""

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1) -> bytes:  # type: ignore[override]
        return self.read(-1 if size is None else size)


def environ_of(
    method: str = "GET",
    path: str = "/",
    *,
    body: bytes | Stream = b"",
    headers: Any = (),
    chunked: bool = False,
    query: str = "",
    **extra: Any,
) -> dict[str, Any]:
    """A WSGI environ such as gunicorn makes; `path` is as on the request line, quoted."""
    path, _, in_path = path.partition("?")
    query = query or in_path
    stream = body if isinstance(body, Stream) else io.BytesIO(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": path + (f"?{query}" if query else ""),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_HOST": "localhost:8000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": stream,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if chunked:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        environ["wsgi.input_terminated"] = True
    elif isinstance(body, bytes) and (body or method in ("POST", "PUT", "PATCH")):
        environ["CONTENT_LENGTH"] = str(len(body))
    for name, value in headers.items() if isinstance(headers, dict) else headers:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        # Servers join what comes twice with a comma.
        environ[key] = f"{environ[key]},{value}" if key in environ and key != "HTTP_HOST" else value
    environ.update(extra)
    return environ


class Opened:
    """An answer that has begun: what a server holds between the head and the last byte."""

    def __init__(self, app: Any, environ: dict[str, Any]) -> None:
        self.head: tuple[str, list[tuple[str, str]]] | None = None
        try:
            self._chunks = app(environ, self._start)
        except BaseException as error:  # also one that would end pytest itself
            raise AssertionError(f"{type(error).__name__} escaped from the app: {error}") from None
        self.iterator = iter(self._chunks)

    def _start(self, line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        self.head = line, headers
        return lambda _: None

    def close(self) -> None:
        """The answer is through, or the client has left."""
        if hasattr(self._chunks, "close"):
            self._chunks.close()


def send(app: Any, environ: dict[str, Any]) -> Answer:
    """One request through the WSGI callable, read to its end and closed, as a server does it."""
    method = environ["REQUEST_METHOD"]
    opened = Opened(app, environ)
    parts: list[bytes] = []
    broke: BaseException | None = None
    try:
        for chunk in opened.iterator:
            if not isinstance(chunk, bytes):
                raise TypeError(f"a server cannot send a {type(chunk).__name__}")
            parts.append(chunk)
    except BaseException as error:
        broke = error
    try:
        opened.close()
    except BaseException as error:
        broke = broke or error
    assert opened.head is not None, broke
    answer = Answer(opened.head[0], Headers(opened.head[1]), b"".join(parts), broke)
    answer.check(method)
    return answer


# --- signatures -----------------------------------------------------------------------------------------------------


def stamp(offset: float = 0) -> str:
    """The platform's way to write a moment, so many seconds from now."""
    moment = datetime.now(UTC) + timedelta(seconds=offset)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def signature(
    body: bytes,
    path: str = "/ice",
    *,
    method: str = "POST",
    content_type: str = "application/json",
    timestamp: str,
    secret: str = SECRET,
) -> str:
    """The signature by the book (facts/voice-v1.md section 3), not by the code under test."""
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode() if body else ""
    text = "\n".join((method, md5, content_type, f"x-timestamp:{timestamp}", path))
    return base64.b64encode(hmac.digest(base64.b64decode(secret), text.encode(), "sha256")).decode()


def signed(
    body: bytes,
    path: str = "/ice",
    *,
    key: str = KEY,
    secret: str = SECRET,
    content_type: str = "application/json",
    timestamp: str | None = None,
    word: str = "application",
) -> dict[str, str]:
    """Headers of a callback that the platform signed."""
    timestamp = timestamp or stamp()
    made = signature(body, path, content_type=content_type, timestamp=timestamp, secret=secret)
    return {"Content-Type": content_type, "X-Timestamp": timestamp, "Authorization": f"{word} {key}:{made}"}


def encoded(payload: Any) -> bytes:
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()


# --- a function, served ---------------------------------------------------------------------------------------------


@dataclass
class Served:
    """A function behind its app, with what it logged and what it recorded."""

    app: Flask
    folder: Path
    written: io.StringIO = field(default_factory=io.StringIO)

    def request(self, method: str = "GET", path: str = "/", **options: Any) -> Answer:
        return send(self.app, environ_of(method, path, **options))

    def get(self, path: str = "/", **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str = "/", body: Any = b"", **options: Any) -> Answer:
        """Post bytes as they are, anything else as JSON."""
        headers = options.pop("headers", None)
        headers = {"Content-Type": "application/json"} if headers is None else headers
        body = body if isinstance(body, bytes | Stream) else encoded(body)
        return self.request("POST", path, body=body, headers=headers, **options)

    def call(self, payload: Any = None, path: str = "/ice", **options: Any) -> Answer:
        """Post a signed callback."""
        body = encoded(ICE if payload is None else payload)
        return self.post(path, body, headers=signed(body, path, **options))

    @property
    def ledger_file(self) -> Path:
        return self.folder / "data" / "usage.jsonl"

    @property
    def ledger(self) -> list[dict[str, Any]]:
        if not self.ledger_file.exists():
            return []
        text = self.ledger_file.read_text("ascii")
        assert not text or text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def log(self) -> str:
        return self.written.getvalue()

    @property
    def log_lines(self) -> list[dict[str, Any]]:
        """The log in its JSON form; fails if a line is not JSON."""
        return [json.loads(line) for line in self.log.splitlines()]

    @property
    def request_lines(self) -> list[dict[str, Any]]:
        return [line for line in self.log_lines if line["logger"] == "sinchfn.request"]

    def logged(self, level: str) -> list[str]:
        return [line["message"] for line in self.log_lines if line["level"] == level]

    def traces(self) -> str:
        return "\n".join(line.get("traceback", "") for line in self.log_lines)


def write_function(folder: Path, source: str) -> Path:
    """A function project with this function.py, behind the imports that nearly all of them need."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function.py").write_text(f"{PREAMBLE}\n{textwrap.dedent(source)}")
    return folder


@contextmanager
def own_logging() -> Iterator[io.StringIO]:
    """Everything the process logs, as it would come out of its standard error, without what pytest has set up."""
    root, ours = logging.getLogger(), logging.getLogger("sinchfn")
    before = [(logger, logger.handlers[:], logger.level) for logger in (root, ours)]
    for logger in (root, ours):
        logger.handlers = []
    written = io.StringIO()
    try:
        with mock.patch.object(sys, "stderr", written):
            yield written
    finally:
        for logger, handlers, level in before:
            logger.handlers = handlers
            logger.setLevel(level)
        for known in logging.Logger.manager.loggerDict.values():
            if isinstance(known, logging.Logger):
                known.disabled = False  # as logging.config may have left it


@contextmanager
def serving(folder: Path, source: str, **config: object) -> Iterator[Served]:
    """Serve a function in production, without signature checks unless `config` says otherwise; with its log."""
    settings: dict[str, object] = {"SINCHFN_ENV": "production", "WEBHOOK_PROTECTION": "never"} | config
    write_function(folder, source)
    with own_logging() as written, mock.patch.dict(os.environ, clean_environment(), clear=True):
        yield Served(create_app(folder, config=settings), folder, written)
