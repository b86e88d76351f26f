"""A function written on the spot and served in this process, its ledger and its log read back.

Everything goes through the public door, the WSGI callable, as a server would use it.
"""

from __future__ import annotations

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
from pathlib import Path
from typing import Any
from unittest import mock

from flask import Flask
from flask.testing import FlaskClient

import sinchfn
from sinchfn import create_app
from tests.harness.call import Answer, Stream, environ_of, send
from tests.harness.signer import ICE, encoded, signed

#: The fixtures ``make_function``, ``make_app``, ``make_client`` and ``call`` of conftest.py.
MakeFunction = Callable[..., Path]
MakeApp = Callable[..., Flask]
MakeClient = Callable[..., FlaskClient]
Call = Callable[..., Answer]

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
