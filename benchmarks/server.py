"""Compare sinchfn with other ways to do the same job, each through gunicorn, interleaved round by round."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from apps import REFERENCE, App, installed
from processes import HERE, Server, cores, pin, scratch
from tables import ratio, table


class Round(NamedTuple):
    """The results of one app in one round. Times are in microseconds."""

    per_second: float
    p50: float
    p99: float
    cpu: float | None


def main() -> None:
    given = _arguments()
    with scratch() as folder, ExitStack() as stack:
        pair = cores()
        servers: dict[App, Server] = {}
        for app in installed():
            server = Server(f"{app.module}:app", folder / app.letter, core=pair[0] if pair else None)
            stack.callback(server.stop)
            server.wait("/hello")
            servers[app] = server
        pin(pair[1] if pair else None)
        for server in servers.values():
            _measure(server, min(1.0, given.seconds), given.connections)  # not counted: the first requests are slow
        rounds: dict[App, list[Round]] = {app: [] for app in servers}
        for number in range(1, given.rounds + 1):
            for app, server in servers.items():
                rounds[app].append(_measure(server, given.seconds, given.connections))
            _print_round(number, rounds)
    print()
    print(summary(rounds))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a measurement")
    parser.add_argument("--rounds", type=int, default=7, help="how often each app has its turn")
    parser.add_argument("--connections", type=int, default=8, help="keep-alive connections")
    return parser.parse_args()


def _measure(server: Server, seconds: float, connections: int) -> Round:
    before = server.cpu_seconds()
    command = [sys.executable, str(HERE / "load.py"), str(server.port)]
    options = ["--seconds", str(seconds), "--connections", str(connections)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The load generator failed:\n{done.stderr}\nThe server's log:\n{_tail(server)}")
    found = json.loads(done.stdout)
    after = server.cpu_seconds()
    cpu = (after - before) / found["requests"] * 1e6 if before is not None and after is not None else None
    return Round(found["requests"] / found["seconds"], found["p50"], found["p99"], cpu)


def _tail(server: Server) -> str:
    return "\n".join(server.log.read_text().splitlines()[-20:])


def _print_round(number: int, rounds: Mapping[App, list[Round]]) -> None:
    shown = (
        f"{app.letter} {done[-1].per_second:.0f}/s p50 {done[-1].p50:.0f} p99 {done[-1].p99:.0f}"
        for app, done in rounds.items()
    )
    print(f"round {number}: {' | '.join(shown)}", flush=True)


def summary(rounds: Mapping[App, list[Round]]) -> str:
    """Return medians over the rounds, and the ratios to the reference within each round."""
    head = ["", "requests/s", f"x {REFERENCE} (min-max)", "p50 µs", "p99 µs", "CPU µs", f"CPU x {REFERENCE} (min-max)"]
    reference = next(done for app, done in rounds.items() if app.letter == REFERENCE)
    return table(head, [[f"{app.letter}  {app.title}", *_cells(done, reference)] for app, done in rounds.items()])


def _cells(done: list[Round], reference: list[Round]) -> list[str]:
    cells = [
        f"{median(one.per_second for one in done):.0f}",
        ratio([one.per_second for one in done], [one.per_second for one in reference]),
        f"{median(one.p50 for one in done):.0f}",
        f"{median(one.p99 for one in done):.0f}",
    ]
    cpu, other = ([one.cpu for one in some if one.cpu] for some in (done, reference))
    if len(cpu) < len(done) or len(other) < len(done):
        return [*cells, "-", "-"]
    return [*cells, f"{median(cpu):.0f}", ratio(cpu, other)]


if __name__ == "__main__":
    main()
