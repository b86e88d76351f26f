"""What the test files share: small function projects, apps that serve them, requests as a server hands them over."""

from __future__ import annotations

import logging
import os
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from weakref import ReferenceType

import pytest
from blinker import Signal
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings

from sinchfn import create_app, signals
from sinchfn.logs.handlers import PlatformHandler, redaction_filter
from tests.harness import call as calling
from tests.harness.app import OURS, Call, MakeApp, MakeClient, MakeFunction
from tests.harness.paths import FUNCTIONS
from tests.harness.signer import Signer

# How fast an example is made says something about the machine, and nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_xdist_auto_num_workers() -> int | None:
    """Return the number of processes of ``-n auto``: two for each core, because many tests wait for a server."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the process changes what a test sees."""
    for name in list(os.environ):
        if OURS.match(name):
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
            handler.removeFilter(redaction_filter)
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
            shutil.copytree(FUNCTIONS / source, target)
            return target
        files = {"function.py": source} if isinstance(source, str) else source
        target.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return target

    return make


@pytest.fixture
def make_app(make_function: MakeFunction) -> MakeApp:
    """``make_app(source, **config)``: the app of a function made from `source`. Keeps no ledger unless told to."""

    def make(source: str | Mapping[str, str | bytes] | Path, folder: str = "fn", **config: object) -> Flask:
        path = source if isinstance(source, Path) else make_function(source, folder)
        return create_app(path, config={"SINCHFN_USAGE": "off", **config})

    return make


@pytest.fixture
def make_client(make_app: MakeApp) -> MakeClient:
    """``make_client(source, **config)``: a Flask test client of that app."""

    def make(source: str | Mapping[str, str | bytes] | Path, folder: str = "fn", **config: object) -> FlaskClient:
        return make_app(source, folder, **config).test_client()

    return make


@pytest.fixture
def call() -> Call:
    """``call(app, "POST", "//a%2fb?x=1", json={...})``: a request as gunicorn hands it over, any bytes in its path."""
    return calling.call


@pytest.fixture
def signed() -> Signer:
    """``client.post("/ice", **signed("/ice", {"event": "ice"}))``; ``make_app(source, **signed.config)``."""
    return Signer()
