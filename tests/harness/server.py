"""Real servers for tests, each in a process of its own: gunicorn with our settings, ``sinchfn dev``, ``flask run``."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.app import clean_environment, write_function
from tests.harness.paths import ROOT

#: Seconds that anything may take. Not a matter of speed: the machine may be busy.
PATIENCE = 120

CONF = ROOT / "gunicorn.conf.py"
CREATE_APP = "sinchfn:create_app()"
DEV = ("-m", "sinchfn", "dev")
FLASK_RUN = ("-m", "flask", "--app", "sinchfn", "run")


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    folder: Path
    log_file: Path
    port: int = 0

    def listening(self) -> Server:
        """Wait until gunicorn listens on the port that the system gave it. Nothing is asked of it yet."""

        def port() -> int:
            assert self.process.poll() is None, self.log
            found = re.search(r"Listening at: https?://127\.0\.0\.1:(\d+)", self.log)
            return int(found[1]) if found else 0

        self.port = until(port)
        return self

    def answering(self, path: str = "/health") -> Server:
        """Wait until it answers a GET of `path`."""

        def answers() -> bool:
            assert self.process.poll() is None, self.log
            return bool(self.request("GET", path))

        until(answers)
        return self

    def end(self, number: int = signal.SIGTERM) -> None:
        """Tell it to end, and wait until it has, without a failure."""
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE) == 0, self.log

    @property
    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    @property
    def ledger(self) -> list[dict[str, Any]]:
        file = self.folder / "data" / "usage.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def record_of(self, request_id: str) -> dict[str, Any]:
        """The one record with this id, as soon as it is there."""

        def found() -> list[dict[str, Any]]:
            return [record for record in self.ledger if record["request_id"] == request_id]

        until(lambda: found())
        (record,) = found()
        return record

    def request(
        self,
        method: str = "GET",
        path: str = "/",
        body: Any = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body, headers=headers or {}, **options)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def raw(self, *parts: bytes, end: bool = False, reset: bool = False) -> bytes:
        """Send bytes, perhaps end our side, and read all that comes back until the server ends its side."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            for part in parts:
                connection.sendall(part)
                time.sleep(0.02)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                return b""
            if end:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            with suppress(ConnectionError):
                while chunk := connection.recv(65536):
                    received += chunk
            return received


def until(done: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait until something is true, and give it back."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with suppress(OSError, http.client.HTTPException, ValueError):
            if value := done():
                return value
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(
    command: Sequence[str],
    folder: Path,
    *,
    cwd: Path | None = None,
    port: int = 0,
    python: Sequence[str | Path] = (sys.executable, "-u"),
    stdout: Any = None,
    stderr: Any = subprocess.STDOUT,
    **env: str,
) -> Iterator[Server]:
    """Python with the arguments `command`, its output in ``server.log`` of `folder`. At the end it is killed.

    :param cwd: where it runs, if not in `folder`.
    :param port: where it will listen, if that is known.
    :param stdout: where its standard output goes instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log_file = folder / "server.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*python, *command],
            cwd=cwd or folder,
            env=clean_environment() | env,
            stdin=subprocess.DEVNULL,
            stdout=log if stdout is None else stdout,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield Server(process, folder, log_file, port)
    finally:
        # The whole session, for it may have children; nothing but what was started here is in it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


@contextmanager
def on_free_port(command: Sequence[str], folder: Path, **options: Any) -> Iterator[Server]:
    """``on_free_port(DEV, folder)``: a command that takes ``--port``."""
    port = free_port()
    with started([*command, "--port", str(port)], folder, port=port, **options) as server:
        yield server


@contextmanager
def launched(
    folder: Path,
    *options: str,
    target: str = CREATE_APP,
    conf: Path | str = CONF,
    cwd: Path | None = None,
    **env: str,
) -> Iterator[Server]:
    """gunicorn with our settings that serves the app of `folder`. It need not come up; see :meth:`Server.listening`."""
    command = ["-m", "gunicorn", "-c", str(conf), "-b", "127.0.0.1:0", *options, target]
    with started(command, folder, cwd=cwd, **env) as server:
        yield server


@contextmanager
def gunicorn(
    folder: Path, source: str | None = None, *options: str, health: str = "/health", **launch: Any
) -> Iterator[Server]:
    """gunicorn with our settings, as soon as it answers. With `source` it serves a function made from that."""
    if source is not None:
        write_function(folder, source)
    with launched(folder, *options, **launch) as server:
        yield server.listening().answering(health)
