"""Real servers for tests: gunicorn with our settings, in a process of its own.

A plain module, not a plugin.
"""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving import clean_environment, write_function

ROOT = Path(__file__).parent.parent
PATIENCE = 60


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path
    folder: Path

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
    command: list[str], log_file: Path, cwd: Path, executable: str | Path = sys.executable, **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [executable, "-u", *command],
            cwd=cwd,
            env=clean_environment() | env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            # The whole session, for `dev` has a child; nothing but what was started here is in it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)


@contextmanager
def gunicorn(folder: Path, source: str | None, target: str = "sinchfn:create_app()", **env: str) -> Iterator[Server]:
    folder.mkdir(parents=True, exist_ok=True)
    if source is not None:
        write_function(folder, source)
        env.setdefault("SINCHFN_FUNCTION", str(folder))
    log_file = folder / "server.log"
    command = ["-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "-b", "127.0.0.1:0", target]
    with started(command, log_file, ROOT if source is None else folder, **env) as process:

        def port() -> int:
            assert process.poll() is None, log_file.read_text()
            found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", log_file.read_text())
            return int(found[1]) if found else 0

        server = Server(process, until(port), log_file, folder)

        def healthy() -> bool:
            assert process.poll() is None, log_file.read_text()
            return bool(server.request("GET", "/health"))

        until(healthy)
        yield server
