"""One request through the WSGI callable, as a server hands it over, and the answer to it, checked as a server would."""

from __future__ import annotations

import io
import json as jsontext
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

#: What a server refuses to send, or worse, sends.
STATUS_LINE = re.compile(r"[1-9][0-9]{2} [\x20-\x7e]*")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


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
        return jsontext.loads(self.body)

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
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    chunked: bool = False,
    query: str = "",
    **extra: Any,
) -> dict[str, Any]:
    """Return a WSGI environ such as gunicorn makes.

    :param path: as on the request line, quoted, with any bytes in it, and perhaps with a query.
    """
    path, _, in_path = path.partition("?")
    query = query or in_path
    raw = path.encode("utf-8", "surrogateescape")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": raw.decode("latin-1") + (f"?{query}" if query else ""),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_HOST": "localhost:8000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": body if isinstance(body, Stream) else io.BytesIO(body),
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
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
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


def call(
    app: Any,
    method: str,
    target: str,
    *,
    data: bytes = b"",
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> Answer:
    """``call(app, "POST", "//a%2fb?x=1", json={...})``: one request to any WSGI app; what the app raises is raised."""
    if json is not None:
        data, headers = jsontext.dumps(json).encode(), {"Content-Type": "application/json"} | dict(headers or {})
    chunks, line, sent = run_wsgi_app(app, environ_of(method, target, body=data, headers=headers or {}, **options))
    try:
        return Answer(line, Headers(sent), b"".join(chunks))
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
