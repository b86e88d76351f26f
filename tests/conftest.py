"""What the test files share: small function projects, apps that serve them, requests as a server hands them over."""

from __future__ import annotations

import logging
import os
import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from weakref import ReferenceType

import pytest
from blinker import Signal
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from sinchfn import create_app, jsontext, signals
from sinchfn.services.logs import RedactionFilter
from sinchfn.services.logs.handlers import PlatformHandler
from sinchfn.signatures import ApplicationScheme

# How fast an example is made says something about the machine, and nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

#: Function projects that several tests use.
CASES = Path(__file__).parent / "functions"

#: Variables that sinchfn or Flask reads; none of the developer's own may reach a test.
OWN_VARIABLES = ("FLASK_DEBUG", "FLASK_ENV", "WEBHOOK_PROTECTION")
OWN_PREFIXES = (
    "SINCHFN_",
    "VOICE_",
    "ADMIN_",
    "PROJECT_ID",
    "CONVERSATION_",
    "ELEVENLABS_",
    "SMS_",
    "ENABLE_NUMBERS_API",
)

KEY = "f00dcafe-abba-c0de-1dea-dabb1ed4caf3"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="

MakeFunction = Callable[..., Path]
MakeApp = Callable[..., Flask]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the process changes what a test sees."""
    for name in list(os.environ):
        if name in OWN_VARIABLES or name.startswith(OWN_PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """How one test's app set up the log is forgotten in the next."""
    root, ours = logging.getLogger(), logging.getLogger("sinchfn")
    level = root.level
    yield
    for logger in (root, ours):
        for handler in logger.handlers[:]:
            if isinstance(handler, PlatformHandler):
                logger.removeHandler(handler)
            for found in [found for found in handler.filters if isinstance(found, RedactionFilter)]:
                handler.removeFilter(found)
    root.setLevel(level)
    ours.setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def _forgotten_receivers() -> Iterator[None]:
    """A receiver that one test connects hears nothing of the next: our signals keep theirs."""
    known = {signal: set(signal.receivers) for signal in vars(signals).values() if isinstance(signal, Signal)}
    yield
    for signal, before in known.items():
        for receiver in [receiver for key, receiver in signal.receivers.items() if key not in before]:
            signal.disconnect(receiver() if isinstance(receiver, ReferenceType) else receiver)


@pytest.fixture
def make_function(tmp_path: Path) -> MakeFunction:
    """``make_function(source)``, ``make_function({"function.py": ..., "helper.py": ...})``, ``make_function("case")``.

    Answers the folder. A text without a line break names a case of ``tests/functions``, which is copied, for functions
    write into their folder. ``folder`` names it, where a test needs several.
    """

    def make(source: str | Mapping[str, str | bytes], folder: str = "fn") -> Path:
        target = tmp_path / folder
        if isinstance(source, str) and "\n" not in source:
            shutil.copytree(CASES / source, target)
            return target
        files = {"function.py": source} if isinstance(source, str) else source
        target.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write(target / name, text)
        return target

    return make


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())


@pytest.fixture
def make_app(make_function: MakeFunction) -> MakeApp:
    """``make_app(source, **config)``: the app of a function made from `source`. Keeps no ledger unless told to."""

    def make(source: str | Mapping[str, str | bytes] | Path, folder: str = "fn", **config: object) -> Flask:
        path = source if isinstance(source, Path) else make_function(source, folder)
        return create_app(path, config={"SINCHFN_USAGE": "off", **config})

    return make


@pytest.fixture
def make_client(make_app: MakeApp) -> Callable[..., FlaskClient]:
    """``make_client(source, **config)``: a Flask test client of that app."""

    def make(source: str | Mapping[str, str | bytes] | Path, folder: str = "fn", **config: object) -> FlaskClient:
        return make_app(source, folder, **config).test_client()

    return make


@dataclass
class Answer:
    """What a server would send."""

    status: int
    headers: Headers
    data: bytes

    @property
    def json(self) -> Any:
        return jsontext.loads(self.data)

    @property
    def text(self) -> str:
        return self.data.decode()


@pytest.fixture
def call() -> Callable[..., Answer]:
    """``call(app, "POST", "//a%2fb?x=1", json={...})``: a request as gunicorn hands it over, any bytes in its path."""
    return raw_call


def raw_call(
    app: Any,
    method: str,
    target: str,
    *,
    data: bytes = b"",
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    chunked: bool = False,
    script_name: str = "",
    **environ: object,
) -> Answer:
    body = jsontext.dumps(json).encode() if json is not None else data
    path, _, query = target.partition("?")
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": script_name,
        "PATH_INFO": unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("latin-1"),
        "RAW_URI": target.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if json is not None:
        made["CONTENT_TYPE"] = "application/json"
    if chunked:
        made |= {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    elif body:
        made["CONTENT_LENGTH"] = str(len(body))
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        made[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    made |= environ
    chunks, status, sent = run_wsgi_app(app, made)
    try:
        whole = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return Answer(int(status.split()[0]), Headers(sent), whole)


@dataclass(frozen=True)
class Signer:
    """Makes signed callbacks. ``signer.config`` are the settings with which they are accepted."""

    key: str = KEY
    secret: str = SECRET

    @property
    def config(self) -> dict[str, str]:
        return {"VOICE_APPLICATION_KEY": self.key, "VOICE_APPLICATION_SECRET": self.secret}

    def __call__(self, path: str = "/ice", payload: Any = None, *, method: str = "POST") -> dict[str, Any]:
        """Keyword arguments of a request, signed as if it had been sent to `path`."""
        body = jsontext.dumps({"event": "ice", "callid": "c1"} if payload is None else payload).encode()
        scheme = ApplicationScheme(self.key, self.secret)
        return {"data": body, "headers": scheme.headers(method, path, "application/json", body)}


@pytest.fixture
def signed() -> Signer:
    """``client.post("/ice", **signed("/ice", {"event": "ice"}))``; ``make_app(source, **signed.config)``."""
    return Signer()
