"""The example of many machines: real gunicorns, Redis, an S3 endpoint, Caddy, Litestream, and its own configuration."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness.app import clean_environment
from tests.harness.paths import EXAMPLES, ROOT
from tests.harness.redis import RedisServer, started_redis
from tests.harness.s3 import ObjectStore
from tests.harness.server import PATIENCE, free_port
from tests.harness.signer import SIGNING, signed

EXAMPLE = EXAMPLES / "many_machines"
BIN = Path(sys.executable).parent

COMPOSE: dict[str, Any] = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())
DOCKERFILE = (EXAMPLE / "Dockerfile").read_text()
#: What the image has in /app.
COPIED = re.findall(r"^COPY (?!--from)(.*) /app/$", DOCKERFILE, re.MULTILINE)
BASIC = "Basic " + b64encode(b"admin:machine-room").decode()
SECRETS = {**SIGNING, "ADMIN_USER": "admin", "ADMIN_PASSWORD": "machine-room"}
BUCKET = "support-line"


def dockerfile_environment() -> dict[str, str]:
    """The ENV of the image, but for its PATH."""
    block = re.search(r"^ENV (.*?)[^\\]$", DOCKERFILE, re.DOTALL | re.MULTILINE)
    assert block is not None
    pairs = dict(re.findall(r"(\w+)=(\S+)", block[0]))
    return {name: value for name, value in pairs.items() if name != "PATH"}


@dataclass
class Machine:
    """One machine: the files and variables of the image, with a disk of its own."""

    name: str
    folder: Path
    shared: Mapping[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    @property
    def environment(self) -> dict[str, str]:
        image = {name: value.replace("/data", str(self.data)) for name, value in dockerfile_environment().items()}
        composed = COMPOSE["services"][self.name]["environment"]
        inherited = {name: value for name, value in clean_environment().items() if not name.startswith("AWS_")}
        inherited["PATH"] = f"{BIN}:{inherited['PATH']}"
        own = {"HOST": "127.0.0.1", "PORT": str(self.port)}
        return {**inherited, **image, **composed, **SECRETS, **self.shared, **own}

    def lay_out(self) -> None:
        """The folder /app of the image."""
        app = self.folder / "app"
        app.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True)
        for line in COPIED:
            for source in line.split():
                shutil.copy(ROOT / source, app)

    def start(self, *command: str) -> None:
        self.lay_out()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command or (str(BIN / "gunicorn"), "wsgi:app"),
                cwd=self.folder / "app",
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self.port, lambda: self.log, self.process)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self.process.wait(PATIENCE)
        self.process = None
        while _is_taken(self.port):  # a killed worker may live a moment longer than the process that started it
            time.sleep(0.01)


def _is_taken(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def wait_for(port: int, log: Any, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, log()
        with suppress(OSError):
            if request(port, "GET", "/health")[0] == 200:
                return
        time.sleep(0.05)
    raise AssertionError(log())


def request(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def callback(port: int, **payload: Any) -> Any:
    """A signed callback, as the platform would send it to the public URL."""
    status, answer = signed_post(port, payload)
    assert status == 200, answer
    return json.loads(answer)


def signed_post(port: int, payload: dict[str, Any]) -> tuple[int, bytes]:
    body = json.dumps(payload).encode()
    return request(port, "POST", "/", body, signed(body, "/"))


def said(answer: Any) -> str:
    return str(answer["instructions"][0]["text"])


def enter(port: int, call: str, order: str) -> str:
    return said(callback(port, event="pie", callid=call, menuResult={"type": "sequence", "value": order}))


def listed(port: int, path: str) -> Any:
    status, answer = request(port, "GET", path, headers={"Authorization": BASIC})
    assert status == 200, answer
    return json.loads(answer)


@pytest.fixture(scope="module")
def object_store() -> Iterator[ObjectStore]:
    with ObjectStore() as store:
        store.make_bucket(BUCKET)
        yield store


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    with started_redis() as server:
        yield server


@pytest.fixture(scope="module")
def shared(redis_server: RedisServer, object_store: ObjectStore) -> dict[str, str]:
    """What differs from the example's settings here: addresses, and the keys of the object store."""
    return {
        "SINCHFN_CACHE_URL": COMPOSE["services"]["one"]["environment"]["SINCHFN_CACHE_URL"].replace(
            "redis:6379", f"127.0.0.1:{redis_server.port}"
        ),
        **object_store.env,
    }


@pytest.fixture(scope="module")
def machines(shared: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """Two machines that share a Redis and an object store, and nothing else."""
    folder = tmp_path_factory.mktemp("machines")
    one, two = (Machine(name, folder / name, shared) for name in ("one", "two"))
    try:
        one.start()
        two.start()
        yield one, two
    finally:
        one.stop()
        two.stop()


def test_what_a_call_left_on_one_machine_is_there_on_the_other(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    assert said(callback(one.port, event="ice", callid="call-1", cli="4670")) == "Welcome."
    assert enter(two.port, "call-1", "12345") == "Thank you. We call you back today."
    assert listed(one.port, "/tickets") == [{"cli": "4670", "calls": 1, "order": "12345"}]
    assert said(callback(two.port, event="ice", callid="call-2", cli="4670")) == "Welcome back."


def test_the_database_is_of_each_machine(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    callback(one.port, event="ice", callid="call-3", cli="4671")
    enter(one.port, "call-3", "999")
    assert "ticket for 999" in listed(one.port, "/journal")
    assert "ticket for 999" not in listed(two.port, "/journal")


def test_nothing_is_written_beside_the_code(machines: tuple[Machine, Machine]) -> None:
    one, _ = machines
    callback(one.port, event="ice", callid="call-4", cli="4672")
    shipped = {
        Path(name).name
        for name in re.findall(r"\S+", " ".join(re.findall(r"^COPY (?!--)(.*) /app/$", DOCKERFILE, re.M)))
    }
    assert {path.name for path in (one.folder / "app").iterdir()} - {"__pycache__"} == shipped


def test_redis_that_goes_away_is_an_error_within_seconds_and_then_forgotten(
    machines: tuple[Machine, Machine], redis_server: RedisServer
) -> None:
    one, _ = machines
    redis_server.kill()
    status, _ = signed_post(one.port, {"event": "ice", "callid": "call-5", "cli": "4673"})
    assert status == 500
    assert "CacheError" in one.log
    redis_server.start()
    assert said(callback(one.port, event="ice", callid="call-5", cli="4673")) == "Welcome."


# The load balancer.


@contextmanager
def balancer(folder: Path, upstreams: list[int]) -> Iterator[int]:
    port = free_port()
    environment = {
        **clean_environment(),
        "SITE": f"http://:{port}",
        "UPSTREAMS": " ".join(f"127.0.0.1:{upstream}" for upstream in upstreams),
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    # The admin end point of several tests at once would meet on one port.
    caddyfile = folder / "Caddyfile"
    caddyfile.write_text("{\n\tadmin off\n}\n" + (EXAMPLE / "Caddyfile").read_text())
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(
            [BIN / "caddyserver", "run", "--config", caddyfile, "--adapter", "caddyfile"],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(port, (folder / "caddy.log").read_text, process)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_calls_go_on_when_a_machine_stops(
    machines: tuple[Machine, Machine], shared: dict[str, str], tmp_path: Path
) -> None:
    one, two = machines
    with balancer(tmp_path, [one.port, two.port]) as port:
        try:
            callback(port, event="ice", callid="call-6", cli="4674")
            two.stop(signal.SIGKILL)
            for number in range(20):
                assert said(callback(port, event="ice", callid=f"more-{number}", cli="4675"))
            assert enter(port, "call-6", "777") == "Thank you. We call you back today."
        finally:
            two.start()


def test_a_callback_that_reached_a_machine_is_not_sent_to_another(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    one, _ = machines
    received = []
    with socket.create_server(("127.0.0.1", 0)) as broken:

        def read_and_break_off() -> None:
            while True:
                try:
                    connection, _ = broken.accept()
                except OSError:
                    return
                with connection:
                    head = connection.recv(65536)
                    received.append(head.split(b" ")[0])
                    if head.startswith(b"GET"):
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

        thread = threading.Thread(target=read_and_break_off)
        thread.start()
        with balancer(tmp_path, [broken.getsockname()[1], one.port]) as port:
            answers = [signed_post(port, {"event": "ice", "callid": f"b-{n}", "cli": "4678"})[0] for n in range(6)]
        broken.shutdown(socket.SHUT_RDWR)
    thread.join()
    # In turn: one breaks off what it has read, the other goes on; neither is taken out of service for it.
    assert sorted(answers) == [200, 200, 200, 502, 502, 502]
    assert received.count(b"POST") == 3


# A machine's own disk.


def test_a_machine_with_a_new_disk_gets_its_database_back(shared: dict[str, str], tmp_path: Path) -> None:
    # Litestream's client of the object store cannot be given certificates of one's own in this way.
    machine = Machine("one", tmp_path, {**shared, "AWS_CA_BUNDLE": ""})
    try:
        machine.start("sh", "start.sh")
        callback(machine.port, event="ice", callid="call-7", cli="4676")
        enter(machine.port, "call-7", "31415")
        _wait_until(lambda: "ticket for 31415" in _copied(machine, tmp_path / "copy.db"), machine)
        machine.stop(signal.SIGKILL)
        shutil.rmtree(machine.data)
        machine.start("sh", "start.sh")
        assert "ticket for 31415" in listed(machine.port, "/journal")
    finally:
        machine.stop()


def _copied(machine: Machine, target: Path) -> str:
    """What the copy in the object store holds by now."""
    command = [BIN / "litestream", "restore", "-config", "litestream.yml", "-o", target, machine.data / "function.db"]
    done = subprocess.run(command, cwd=machine.folder / "app", env=machine.environment, capture_output=True, timeout=60)
    found = target.read_bytes().decode("latin-1") if done.returncode == 0 else ""
    target.unlink(missing_ok=True)
    return found


def _wait_until(condition: Any, machine: Machine) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, machine.log
        time.sleep(0.1)


# The image.


def test_the_dockerfile_is_in_order() -> None:
    done = subprocess.run([BIN / "hadolint", EXAMPLE / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    ignored = (EXAMPLE / "Dockerfile.dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists()
            assert any(f"!{source}".rstrip("/").startswith(rule.rstrip("/")) for rule in ignored if rule[:1] == "!")


def test_the_image_runs_without_root_on_a_read_only_root(shared: dict[str, str], tmp_path: Path) -> None:
    """As ``read_only: true``, ``tmpfs: [/tmp]`` and ``USER`` would have it, in a mount namespace of its own."""
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user is not None
    if os.geteuid() != 0 or not _can_unshare():
        pytest.skip("needs root, and mount namespaces")
    folder = Path(f"/srv/sinchfn-{os.getpid()}")
    machine = Machine("one", folder, {**shared, "TMPDIR": str(folder / "tmp")})
    script = f"""
        set -e
        mount --make-rprivate /
        {_opened_to_all(Path(sys.base_prefix), ROOT)}
        mount --bind {machine.folder} {machine.folder}
        mount --bind {machine.data} {machine.data}
        mount -o remount,ro,bind {machine.folder}
        mount -o remount,ro,bind /
        mount -t tmpfs tmpfs {machine.folder / "tmp"}
        exec setpriv --reuid {user[1]} --regid {user[2]} --clear-groups --no-new-privs --bounding-set=-all \\
            gunicorn wsgi:app
    """
    try:
        machine.lay_out()
        (folder / "tmp").mkdir()
        os.chown(machine.data, int(user[1]), int(user[2]))
        machine.start("unshare", "--mount", "sh", "-c", script)
        assert said(callback(machine.port, event="ice", callid="call-8", cli="4677")) == "Welcome."
        enter(machine.port, "call-8", "27182")
        assert listed(machine.port, "/journal") == ["ticket for 27182"]
        assert "27182" in str(listed(machine.port, "/tickets"))
        assert (machine.data / "usage.jsonl").stat().st_uid == int(user[1])
    finally:
        machine.stop()
        print(machine.log)  # shown when it fails
        shutil.rmtree(machine.folder)


def _opened_to_all(*needed: Path) -> str:
    """Commands that let any user reach what is needed to run the machine, wherever it is installed."""
    closed = {path: _closed_above(path) for path in needed if _closed_above(path)}
    kept = [(path, f"/mnt/{number}") for number, path in enumerate(closed)]
    return "\n".join(
        [
            "mount -t tmpfs -o mode=755 tmpfs /mnt",
            *(f"mkdir {place} && mount --bind {path} {place}" for path, place in kept),
            *(f"mount -t tmpfs -o mode=755 tmpfs {folder}" for folder in sorted({str(one) for one in closed.values()})),
            *(f"mkdir -p {path} && mount --bind {place} {path}" for path, place in kept),
        ]
    )


def _closed_above(path: Path) -> Path | None:
    """The topmost folder on the way that not everybody may enter."""
    closed = [parent for parent in path.parents if not parent.stat().st_mode & 0o001]
    return closed[-1] if closed else None


def _can_unshare() -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
