"""Server processes: gunicorn with the repository's own settings, on cores of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from job import SETTINGS

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parent / "gunicorn.conf.py"
HOST = "127.0.0.1"

#: Seconds that a server may take to start.
PATIENCE = 30.0


def cores() -> tuple[set[int], set[int]] | None:
    """Return one core for the server and one for the load; None if there are not two or processes cannot be pinned."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    return ({usable[0]}, {usable[-1]}) if len(usable) > 1 else None


def pin(core: set[int] | None) -> None:
    """Keep this process, and those that it starts, on ``core``."""
    if core is not None:
        os.sched_setaffinity(0, core)


def settings(folder: Path) -> dict[str, str]:
    """Return the environment of a process under test, which writes its files to ``folder``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SINCHFN_", "GUNICORN_"))}
    files = {"SINCHFN_USAGE": str(folder / "usage.jsonl"), "BENCHMARK_LEDGER": str(folder / "usage.jsonl")}
    return {**inherited, **SETTINGS, **files}


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder for logs and ledgers, and delete it at the end."""
    folder = tempfile.mkdtemp(prefix="sinchfn-benchmark-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """One app under gunicorn: one worker, with the settings of the repository's ``gunicorn.conf.py``."""

    def __init__(
        self, app: str, folder: Path, *, core: set[int] | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        """
        :param app: ``module:app``, importable from this folder.
        :param folder: where its ledger and its log, ``server.log``, are written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "server.log"
        self.port = free_port()
        command = [sys.executable, "-m", "gunicorn", "-c", str(CONFIG), "--pythonpath", str(HERE), app]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stderr=log,
                stdout=log,
                cwd=folder,
                env={**settings(folder), "PORT": str(self.port), "WEB_CONCURRENCY": "1", **(environ or {})},
            )
        if core is not None:
            os.sched_setaffinity(self.process.pid, core)

    def wait(self, path: str) -> bytes:
        """Wait for the first answer to a GET of ``path``, and return it.

        :raises RuntimeError: there was none.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                return _get(self.port, path)
            except OSError:
                time.sleep(0.001)
        self.stop()
        raise RuntimeError(f"The server does not answer:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_seconds(self) -> float | None:
        """Return the processor time that the worker has used so far; None if the system does not tell."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            worker = children.read_text().split()[0]
            numbers = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        except (OSError, IndexError):
            return None
        return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port that is free at the moment."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


def _get(port: int, path: str) -> bytes:
    with socket.create_connection((HOST, port), timeout=PATIENCE) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"GET {path} was answered with {answer[:300]!r}")
    return answer
