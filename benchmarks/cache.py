"""Compare the backends of the cache with cachelib's files and bare redis-py: one process, then several at once."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from processes import HERE, scratch
from tables import ratio, table

from sinchfn.services.cache import open_cache

sys.path.append(str(HERE.parent))
from tests.harness.redis import RedisServer

#: The value that is kept: the state of a call, about 100 bytes of JSON.
VALUE = {"step": 3, "name": "Alice", "cli": "+12015555555", "menu": "main", "items": [1, 2, 3]}
KEYS = tuple(f"call:{number}" for number in range(500))
TTL = 3600

#: The reference rows of the ratios.
FILES, BARE = "cachelib, files", "redis-py, bare"

Store = tuple[Callable[[str], object], Callable[[str], object]]


class Times(NamedTuple):
    """One turn of one row."""

    per_second: float
    p50: float
    p99: float


def main() -> None:
    given = _arguments()
    with scratch() as folder, redis_url() as url:
        stores = available(folder, url)
        for processes in given.processes:
            rows = {title: make for title, make in stores.items() if processes == 1 or title != "memory:"}
            sets, gets = measure(rows, processes, given.rounds, given.seconds)
            for operation, times in (("set", sets), ("get", gets)):
                print(summary(f"{operation}, {processes} process{'es' * (processes > 1)}", times), end="\n\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="how often each has its turn")
    parser.add_argument("--seconds", type=float, default=0.4, help="length of a turn, for each operation")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4], help="how many work at once")
    return parser.parse_args()


@contextmanager
def redis_url() -> Iterator[str | None]:
    """Start a Redis server of our own. None if that is not possible, or redis-py is not installed."""
    if find_spec("redis") is None:
        yield None
        return
    with scratch() as folder:
        try:
            server = RedisServer(folder)
        except RuntimeError as error:
            print(f"Redis is left out. {error}\n", file=sys.stderr)
            yield None
            return
        try:
            yield server.url
        finally:
            server.kill()


def available(folder: Path, redis: str | None) -> dict[str, Callable[[], Store]]:
    """Return the makers of the set and the get of each row. They are called in the process that uses them."""
    stores: dict[str, Callable[[], Store]] = {
        "memory:": lambda: ours("memory:", folder),
        "sqlite:": lambda: ours("sqlite:cache.db", folder),
    }
    if redis is not None:
        stores["redis:"] = lambda: ours(redis, folder)
        stores[BARE] = lambda: bare_redis(redis)
    if find_spec("cachelib") is not None:
        stores[FILES] = lambda: files(folder / "files")
    return stores


def ours(url: str, folder: Path) -> Store:
    cache = open_cache(url, folder=folder, namespace="benchmark")
    return (lambda key: cache.set(key, VALUE, TTL)), cache.get


def bare_redis(url: str) -> Store:
    """Bare redis-py, text in and bytes out: no JSON, no timeouts, no checks."""
    import redis

    client, text = redis.Redis.from_url(url), json.dumps(VALUE)
    return (lambda key: client.set(key, text, ex=TTL)), client.get


def files(folder: Path) -> Store:
    """cachelib without its limit of 500 files, at which it starts to look through all of them."""
    from cachelib import FileSystemCache

    cache = FileSystemCache(str(folder), threshold=0)
    return (lambda key: cache.set(key, VALUE, TTL)), cache.get


def measure(
    stores: Mapping[str, Callable[[], Store]], processes: int, rounds: int, seconds: float
) -> tuple[dict[str, list[Times]], dict[str, list[Times]]]:
    """Yield the turns of every row, sets and gets: in each round all rows, one right after the other."""
    sets: dict[str, list[Times]] = {title: [] for title in stores}
    gets: dict[str, list[Times]] = {title: [] for title in stores}
    for _ in range(rounds):
        for title, make in stores.items():
            written, read = turn(make, processes, seconds)
            sets[title].append(written)
            gets[title].append(read)
    return sets, gets


def turn(make: Callable[[], Store], processes: int, seconds: float) -> tuple[Times, Times]:
    """Run several processes at once, which first set and then get."""
    fork = multiprocessing.get_context("fork")
    results, together = fork.SimpleQueue(), fork.Barrier(processes)
    workers = [fork.Process(target=_work, args=(make, seconds, results, together)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    taken = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    sets, gets = zip(*taken, strict=True)
    return _times(sets, seconds), _times(gets, seconds)


def _work(make: Callable[[], Store], seconds: float, results: Any, together: Any) -> None:
    write, read = make()
    for key in KEYS:
        write(key)
    taken = []
    for operation in (write, read):
        together.wait()
        taken.append(latencies(operation, seconds))
    results.put(taken)
    os._exit(0)


def latencies(operation: Callable[[str], object], seconds: float) -> list[float]:
    """Return the seconds of every call, each with the next key, until the time is over."""
    taken: list[float] = []
    clock, note = time.perf_counter, taken.append
    end = clock() + seconds
    while True:
        for key in KEYS:
            begin = clock()
            operation(key)
            now = clock()
            note(now - begin)
            if now > end:
                return taken


def _times(taken: Sequence[Sequence[float]], seconds: float) -> Times:
    every = [latency * 1e6 for process in taken for latency in process]
    parts = quantiles(every, n=100)
    return Times(len(every) / seconds, parts[49], parts[98])


def summary(operation: str, times: Mapping[str, Sequence[Times]]) -> str:
    """Return medians over the rounds, and ratios within them."""
    head = [operation, "per second", "p50 µs", "p99 µs", f"x {FILES} (min-max)", f"x {BARE} (min-max)"]
    return table(
        head,
        [[title, *_medians(own), _ratio(own, times, FILES), _ratio(own, times, BARE)] for title, own in times.items()],
    )


def _medians(own: Sequence[Times]) -> list[str]:
    return [f"{median(column):.0f}" for column in zip(*own, strict=True)]


def _ratio(own: Sequence[Times], times: Mapping[str, Sequence[Times]], reference: str) -> str:
    if reference not in times:
        return "-"
    return ratio([turn.per_second for turn in own], [turn.per_second for turn in times[reference]])


if __name__ == "__main__":
    main()
