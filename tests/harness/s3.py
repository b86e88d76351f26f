"""A real S3 endpoint over HTTP for tests and benchmarks: moto's server, in a process of its own.

As a program (``python tests/harness/s3.py``) it serves on a free port, prints the port, and ends when its standard
input is closed: so it never outlives whoever started it, not even one who was killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

HOST = "127.0.0.1"

#: Seconds that it may take to answer or to end.
PATIENCE = 60

#: Keys on a page of a listing: few, so that a test reaches the second page.
PAGE = 50

#: Accepted, as any other would be.
ACCESS_KEY, SECRET_KEY, REGION = "test-access-key", "test-secret-key", "us-east-1"


class ObjectStore:
    """``with ObjectStore() as store: store.make_bucket("files")``. Looks past the library that is under test."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """The variables that a client needs."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }

    def start(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**inherited, "MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)},
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=PATIENCE)
            self._process = None

    def __enter__(self) -> ObjectStore:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def make_bucket(self, bucket: str) -> None:
        self._ask("PUT", f"/{bucket}")

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self._ask("PUT", f"/{bucket}/{quote(key)}", content)

    def keys(self, bucket: str) -> list[str]:
        """Every key of the bucket, as the server has it."""
        return self._texts(f"/{bucket}?list-type=2&max-keys=100000", "Contents/", "Key")

    def uploads(self, bucket: str) -> list[str]:
        """Keys of the multipart uploads that were begun and neither finished nor aborted."""
        return self._texts(f"/{bucket}?uploads", "Upload/", "Key")

    def require_known_keys(self) -> None:
        """From now on it refuses every access key, for none was made in it."""
        self._ask("POST", "/moto-api/reset-auth", b"0")

    def _texts(self, target: str, *names: str) -> list[str]:
        root = ElementTree.fromstring(self._ask("GET", target))
        space = root.tag.partition("}")[0] + "}"
        return [found.text or "" for found in root.findall("".join(f"{space}{name}" for name in names))]

    def _ask(self, method: str, target: str, body: bytes | None = None) -> bytes:
        connection: Any = HTTPConnection(HOST, self.port, timeout=PATIENCE)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            data: bytes = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {target} was answered with {answer.status}: {data[:300]!r}")
        return data


def serve() -> None:
    """Serve until standard input is closed."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(HOST, 0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve()
