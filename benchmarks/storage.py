"""Compare backends of the storage: a folder, and an S3 endpoint on this machine through obstore and through boto3."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from processes import scratch
from tables import table

ROOT = Path(__file__).resolve().parents[1]
BUCKET = "benchmark"
SMALL, LARGE, PIECE = 4096, 32 << 20, 1 << 20

#: Seconds that the slowest process may take to get ready.
PATIENCE = 120.0


class Client(Protocol):
    """The operations that are measured. Large content is written from a file and read in pieces."""

    def write(self, key: str, content: bytes | Zeros) -> object: ...
    def read(self, key: str) -> object: ...
    def stream(self, key: str) -> object: ...


class Zeros:
    """A binary file of zeros, as large as a recording."""

    def __init__(self) -> None:
        self.left = LARGE

    def read(self, size: int = -1) -> bytes:
        taken = self.left if size < 0 else min(size, self.left)
        self.left -= taken
        return bytes(taken)


@dataclass(frozen=True)
class Row:
    title: str
    open: Callable[[Path, Mapping[str, str]], Client]
    #: the package that it needs; without it, it is left out
    needs: str = "sinchfn"


def _folder(folder: Path, env: Mapping[str, str]) -> Client:
    from sinchfn.services.storage import open_storage

    return Stored(open_storage("file:storage", folder=folder, env=env))


def _bucket(folder: Path, env: Mapping[str, str]) -> Client:
    from sinchfn.services.storage import open_storage

    return Stored(open_storage(f"s3://{BUCKET}", folder=folder, env=env))


class Stored:
    """sinchfn's storage."""

    def __init__(self, storage: Any) -> None:
        self.write, self.read, self._open = storage.write, storage.read, storage.open

    def stream(self, key: str) -> None:
        with self._open(key) as file:
            while file.read(PIECE):
                pass


class Bare:
    """Files by hand: no temporary file, no rename, no fsync."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder / "bare"
        self._folder.mkdir(exist_ok=True)

    def write(self, key: str, content: bytes | Zeros) -> None:
        with (self._folder / key).open("wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                file.writelines(iter(lambda: content.read(PIECE), b""))

    def read(self, key: str) -> bytes:
        return (self._folder / key).read_bytes()

    def stream(self, key: str) -> None:
        with (self._folder / key).open("rb") as file:
            while file.read(PIECE):
                pass


class Boto:
    """boto3, with parts of the same size and as many at once."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        import boto3
        from boto3.s3.transfer import TransferConfig

        self._transfer = TransferConfig(multipart_chunksize=8 * PIECE, max_concurrency=2)
        self._client = boto3.client(
            "s3",
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )

    def write(self, key: str, content: bytes | Zeros) -> None:
        if isinstance(content, bytes):
            self._client.put_object(Bucket=BUCKET, Key=key, Body=content)
        else:
            self._client.upload_fileobj(content, BUCKET, key, Config=self._transfer)

    def read(self, key: str) -> bytes:
        found: bytes = self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return found

    def stream(self, key: str) -> None:
        body = self._client.get_object(Bucket=BUCKET, Key=key)["Body"]
        while body.read(PIECE):
            pass


ROWS = (
    Row("file, bare open and write", Bare),
    Row("file:, sinchfn", _folder),
    Row("s3:, boto3", Boto, "boto3"),
    Row("s3:, sinchfn with obstore", _bucket, "obstore"),
)

#: The jobs in their order: later ones read what earlier ones wrote.
JOBS: tuple[Callable[[Client, str], object], ...] = (
    lambda client, key: client.write(f"{key}-small", b"x" * SMALL),
    lambda client, key: client.read(f"{key}-small"),
    lambda client, key: client.write(f"{key}-large", Zeros()),
    lambda client, key: client.stream(f"{key}-large"),
)

#: The cost of an import, and of making a client as well.
IMPORTS = (
    ("nothing", "pass", "sinchfn"),
    ("boto3", "import boto3", "boto3"),
    ("boto3 and a client", "import boto3; boto3.client('s3', 'us-east-1')", "boto3"),
    ("obstore", "import obstore, obstore.store", "obstore"),
    ("obstore and a client", "from obstore.store import S3Store; S3Store('bucket')", "obstore"),
)


@dataclass(frozen=True)
class Measured:
    """One job in one process."""

    #: seconds of each call
    times: list[float]
    #: processor seconds of all calls
    cpu: float
    #: growth of the peak of memory, in megabytes
    memory: float


def main() -> None:
    given = _arguments()
    rows = [row for row in ROWS if find_spec(row.needs) is not None]
    with scratch() as folder, endpoint() as env:
        results: dict[tuple[Row, int], list[list[list[Measured]]]] = {}
        for _ in range(given.rounds):
            for processes in given.processes:
                for row in rows:
                    taken = measure(row, processes, given.seconds, folder, env)
                    results.setdefault((row, processes), []).append(taken)
    print(summary(results), end="\n\n")
    print(imports(given.rounds))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each backend has its turn")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each job is done in a turn")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4], help="how many processes work at once")
    return parser.parse_args()


@contextmanager
def endpoint() -> Iterator[dict[str, str]]:
    """Start the S3 endpoint of the tests. Return the variables that a client needs."""
    sys.path.insert(0, str(ROOT))
    from tests.harness.s3 import ObjectStore

    with ObjectStore() as store:
        store.make_bucket(BUCKET)
        yield store.env


def measure(row: Row, processes: int, seconds: float, folder: Path, env: Mapping[str, str]) -> list[list[Measured]]:
    """Run all jobs, one after the other, in fresh processes at the same time. Return the results of each process."""
    context = get_context("spawn")
    start, results = context.Barrier(processes), context.Queue()
    index = ROWS.index(row)
    workers = [
        context.Process(target=work, args=(index, str(name), seconds, folder, env, start, results))
        for name in range(processes)
    ]
    for worker in workers:
        worker.start()
    taken = [results.get(timeout=PATIENCE + len(JOBS) * (seconds + PATIENCE)) for _ in workers]
    for worker in workers:
        worker.join()
    return taken


def work(row: int, name: str, seconds: float, folder: Path, env: Mapping[str, str], start: Any, results: Any) -> None:
    """Run all jobs in one process."""
    client = ROWS[row].open(folder, env)
    client.write(f"{name}-small", b"")
    done = []
    for job in JOBS:
        start.wait(PATIENCE)
        done.append(_do(lambda job=job: job(client, name), seconds))
    results.put(done)


def _do(call: Callable[[], object], seconds: float) -> Measured:
    before, cpu = _peak(), time.process_time()
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return Measured(times, time.process_time() - cpu, _peak() - before)


def _peak() -> float:
    """Return the most memory that this process has used so far, in megabytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def summary(results: Mapping[tuple[Row, int], list[list[list[Measured]]]]) -> str:
    """Return medians over the rounds."""
    head = ["", "processes", "4 kB writes/s", "p99 ms", "CPU µs", "4 kB reads/s", "p99 ms", "CPU µs"]
    head += ["32 MB written, MB/s", "memory, MB", "32 MB read, MB/s", "memory, MB"]
    rows = []
    for (row, processes), rounds in results.items():
        cells = [row.title, str(processes)]
        for job, size in enumerate((SMALL, SMALL, LARGE, LARGE)):
            columns = zip(*(_cells([done[job] for done in taken], size) for taken in rounds), strict=True)
            cells += [_rounded(median(column)) for column in columns]
        rows.append(cells)
    return table(head, rows)


def _cells(done: list[Measured], size: int) -> list[float]:
    """Return the cells of the table for one job of all processes of a round."""
    rate = sum(len(measured.times) / sum(measured.times) for measured in done)
    if size == LARGE:
        return [rate * size / 1e6, max(measured.memory for measured in done)]
    times = sorted(taken for measured in done for taken in measured.times)
    cpu = sum(measured.cpu for measured in done) / len(times)
    return [rate, times[int(len(times) * 0.99)] * 1e3, cpu * 1e6]


def _rounded(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"


def imports(rounds: int) -> str:
    """Return the median of the milliseconds that a fresh interpreter takes."""
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    chosen = [(title, code) for title, code, needs in IMPORTS if find_spec(needs) is not None]
    times: dict[str, list[float]] = {title: [] for title, _ in chosen}
    for _ in range(rounds + 1):  # the first only fills the caches of the disk
        for title, code in chosen:
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=env)
            times[title].append((time.perf_counter() - begin) * 1000)
    rows = [(title, median(taken[1:])) for title, taken in times.items()]
    bare = rows[0][1]
    return table(["import", "ms", "more than nothing"], [[t, f"{ms:.0f}", f"{ms - bare:+.0f}"] for t, ms in rows])


if __name__ == "__main__":
    main()
