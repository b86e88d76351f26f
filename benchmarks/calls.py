"""Compare WebSocket servers at call audio: each of N calls sends 640 bytes every 20 ms and gets them back.

The contenders take turns, each turn with a fresh server on one core; the calls are played on another (callers.py).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

from callers import Result, many_files
from processes import HERE, Server, cores, free_port, pin, scratch, settings
from tables import table

#: Room beside the calls: threads for other requests, connections that are just being closed.
SPARE = 16
#: Limits above which a number says more about the client than the server: the delay of its sends, its share of a core.
LATE_MS, BUSY = 2.0, 0.8
#: A limit above which it says more about other processes: their share of the server's core.
DISTURBED = 0.1

#: The results of all rounds: by number of calls, then by name.
Done = dict[int, dict[str, list[Result]]]


class Program(Server):
    """A server with a command of its own. It finds its port there, or in ``PORT``."""

    def __init__(self, command: Sequence[str], folder: Path, port: int, environ: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "server.log"
        self.port = port
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stderr=log,
                stdout=log,
                cwd=folder,
                env={**settings(folder), "PORT": str(port), **environ},
            )


class Contender(NamedTuple):
    """A server to compare, and the path of its echo."""

    name: str
    path: str
    #: given a folder for its log and the number of calls
    start: Callable[[Path, int], Server]
    #: the reason why it cannot run here, or None
    hindrance: Callable[[], str | None] = lambda: None


def _sinchfn(folder: Path, calls: int) -> Server:
    environ = {
        "SINCHFN_FUNCTION": str(HERE / "apps" / "calls"),
        "SINCHFN_ENV": "production",
        "SINCHFN_USAGE": "off",
        "SINCHFN_WS_MAX_SOCKETS": str(max(2000, calls + SPARE)),
        "GUNICORN_CMD_ARGS": f"--worker-connections {max(1000, calls + SPARE)}",
    }
    return Server("sinchfn:create_app()", folder, environ=environ)


def _flask_sock(folder: Path, calls: int) -> Server:
    command = [sys.executable, "-m", "gunicorn", "-c", str(HERE / "apps" / "calls_gunicorn.py")]
    options = ["--pythonpath", str(HERE), "apps.calls_flask_sock:app"]
    return Program([*command, *options], folder, free_port(), {"THREADS": str(calls + SPARE)})


def _uvicorn(folder: Path, _: int) -> Server:
    port = free_port()
    options = ["--port", str(port), "--ws", "websockets-sansio", "--ws-per-message-deflate", "false"]
    command = [sys.executable, "-m", "uvicorn", "apps.calls_asgi:app", "--app-dir", str(HERE), "--no-access-log"]
    return Program([*command, *options], folder, port, {})


def _node(folder: Path, _: int) -> Server:
    environ = {"NODE_PATH": str(_node_folder() / "node_modules")}
    return Program(["node", str(HERE / "apps" / "calls_node.js")], folder, free_port(), environ)


def _node_folder() -> Path:
    """Return the folder that keeps Node's packages from one run to the next. Only this user may write to it."""
    folder = Path(tempfile.gettempdir()) / f"sinchfn-benchmark-node-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise SystemExit(f"{folder} belongs to somebody else: remove it, or set TMPDIR")
    return folder


def _no_node() -> str | None:
    if not shutil.which("node") or not shutil.which("npm"):
        return "there is no node, or no npm"
    folder = _node_folder()
    if (folder / "node_modules" / "ws" / "package.json").is_file():
        return None
    command = ["npm", "install", "--no-fund", "--no-audit", "--prefix", str(folder), "ws"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"npm does not install ws: {done.stderr.strip()[-300:]}" if done.returncode else None


def _no_uvicorn() -> str | None:
    missing = [name for name in ("uvicorn", "websockets") if find_spec(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


#: In the order of the tables.
CONTENDERS = (
    Contender("sinchfn-callback", "/callback", _sinchfn),
    Contender("sinchfn-blocking", "/blocking", _sinchfn),
    Contender("flask-sock", "/echo", _flask_sock),
    Contender("uvicorn", "/echo", _uvicorn, _no_uvicorn),
    Contender("node-ws", "/echo", _node, _no_node),
)


def main() -> None:
    given = _arguments()
    if not sys.platform.startswith("linux"):
        raise SystemExit("The load generator needs Linux: it uses epoll and /proc.")
    many_files()
    contenders = list(_usable(given.contenders))
    done: Done = {calls: {one.name: [] for one in contenders} for calls in given.calls}
    with scratch() as folder:
        for number in range(1, given.rounds + 1):
            for calls in given.calls:
                for one in contenders:
                    found = _turn(one, calls, given, folder / one.name)
                    done[calls][one.name].append(found)
                    print(f"round {number}: {_line(one.name, found)}", flush=True)
    for calls, rows in done.items():
        print(f"\n{summary(calls, rows)}")
    for warning in warnings(done):
        print(f"\n{warning}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [one.name for one in CONTENDERS]
    parser.add_argument("--calls", type=int, nargs="+", default=[100, 200, 400, 800], help="how many at once")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a measurement")
    parser.add_argument("--warmup", type=float, default=2.0, help="seconds before it that are not counted")
    parser.add_argument("--contenders", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=3, help="how often each has its turn")
    return parser.parse_args()


def _usable(names: Sequence[str]) -> Iterator[Contender]:
    for one in CONTENDERS:
        if one.name not in names:
            continue
        hindrance = one.hindrance()
        if hindrance is None:
            yield one
        else:
            print(f"{one.name} is left out: {hindrance}")


def _turn(one: Contender, calls: int, given: argparse.Namespace, folder: Path) -> Result:
    with _on_core(0):
        server = one.start(folder, calls)
    try:
        server.wait("/health")
        with _on_core(1):
            return _play(server, one.path, calls, given)
    finally:
        server.stop()


@contextmanager
def _on_core(which: int) -> Iterator[None]:
    """Keep processes that are started in this block on one core from the first: 0 for the server, 1 for the calls."""
    pair = cores()
    if pair is None:
        yield
        return
    before = os.sched_getaffinity(0)
    pin(pair[which])
    try:
        yield
    finally:
        pin(before)


def _play(server: Server, path: str, calls: int, given: argparse.Namespace) -> Result:
    command = [sys.executable, str(HERE / "callers.py"), str(server.port), "--pid", str(server.process.pid)]
    options = ["--path", path, "--calls", calls, "--seconds", given.seconds, "--warmup", given.warmup]
    played = subprocess.run(
        [*command, *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # Linux may share cores by session: this one is not the many threads of a server's
    )
    if played.returncode:
        raise SystemExit(f"The load generator failed:\n{played.stderr}\nThe server's log:\n{_tail(server)}")
    return Result(**json.loads(played.stdout))


def _tail(server: Server) -> str:
    return "\n".join(server.log.read_text().splitlines()[-20:])


def _line(name: str, found: Result) -> str:
    return (
        f"{found.calls} calls, {name}: p50 {found.p50:.2f} p99 {found.p99:.2f} p99.9 {found.p999:.2f} ms, "
        f"{found.gaps} gaps, {found.missing} missing, {found.lost} lost, CPU {_cpu(found):.0f} µs, "
        f"client {found.client_share:.0%} of a core, its sends late by {found.lag_p99:.2f} ms (p99), "
        f"others {found.others_share or 0.0:.0%} of the server's core"
    )


def summary(calls: int, rows: Mapping[str, Sequence[Result]]) -> str:
    """Return medians over the rounds that neither the client nor others limited, or over all if there are none."""
    head = [
        *(f"{calls} calls", "p50 ms", "p99 ms (min-max)", "p99.9 ms", "gaps", "missing", "lost"),
        *("CPU µs", "core", "RSS MB", "kB/socket", "client core", "client late ms", "rounds"),
    ]
    return table(head, [[name, *_cells(found)] for name, found in rows.items()])


def _cells(all_rounds: Sequence[Result]) -> list[str]:
    good = [one for one in all_rounds if _is_good(one)]
    found = good or all_rounds
    return [
        _middle([one.p50 for one in found], ".2f"),
        f"{_middle([one.p99 for one in found], '.2f')} ({_range([one.p99 for one in found], '.2f')})",
        _middle([one.p999 for one in found], ".2f"),
        _middle([one.gaps for one in found], ".0f"),
        _middle([one.missing for one in found], ".0f"),
        _middle([one.lost for one in found], ".0f"),
        _middle([_cpu(one) for one in found], ".1f"),
        _middle([one.cpu_seconds / one.seconds for one in found], ".0%"),
        _middle([one.rss / 1e6 for one in found], ".0f"),
        _middle([_per_socket(one) / 1e3 for one in found], ".1f"),
        _middle([one.client_share for one in found], ".0%"),
        _middle([one.lag_p99 for one in found], ".2f"),
        f"{len(good)} of {len(all_rounds)}",
    ]


def _middle(values: Sequence[float], form: str) -> str:
    """Return the median of the times there are: a round in which no frame came back has none."""
    known = [value for value in values if not math.isnan(value)]
    return f"{median(known):{form}}" if known else "-"


def _range(values: Sequence[float], form: str) -> str:
    known = [value for value in values if not math.isnan(value)]
    return f"{min(known):{form}}-{max(known):{form}}" if known else "-"


def _is_good(found: Result) -> bool:
    others = found.others_share or 0.0
    return found.lag_p99 <= LATE_MS and found.client_share <= BUSY and others <= DISTURBED


def _cpu(found: Result) -> float:
    """Return the microseconds for a frame in and the same frame out."""
    return found.cpu_seconds / found.echoes * 1e6 if found.echoes else math.nan


def _per_socket(found: Result) -> float:
    open_ones = found.calls - found.lost
    return (found.rss - found.rss_before) / open_ones if open_ones else math.nan


def warnings(done: Done) -> Iterator[str]:
    """Return the rows that say nothing about the server."""
    for calls, rows in done.items():
        for name, found in rows.items():
            if not any(_is_good(one) for one in found):
                yield (
                    f"Do not trust {name} at {calls} calls: in every round something else was the limit. The client "
                    f"was late by {_range([one.lag_p99 for one in found], '.1f')} ms (p99) and took "
                    f"{_range([one.client_share for one in found], '.0%')} of its core, others took "
                    f"{_range([one.others_share or 0.0 for one in found], '.0%')} of the server's."
                )


if __name__ == "__main__":
    main()
