"""Compare how long a start takes: imports in a fresh process, and gunicorn from its start to the first answer."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

from processes import Server, scratch, settings
from tables import table

#: The programs to start. The first of each table is the bare one, the second is Flask. The rest is compared with both.
SERVERS: Mapping[str, str] = {
    "gunicorn, bare WSGI callable": "apps.bare_wsgi:app",
    "gunicorn, bare Flask": "apps.bare_flask:app",
    "gunicorn, sinchfn IVR": "apps.ivr:app",
}
IMPORTS: Mapping[str, str] = {
    "python, nothing imported": "pass",
    "python, import flask": "import flask",
    "python, sinchfn.create_app": "import sinchfn; sinchfn.create_app",
}

Start = Callable[[], float]


def main() -> None:
    given = _arguments()
    with scratch() as folder:
        imports = {title: partial(start_python, code, folder) for title, code in IMPORTS.items()}
        servers = {title: partial(start_server, app, folder) for title, app in SERVERS.items()}
        times = measure({**imports, **servers}, given.rounds)
    for titles in (list(IMPORTS), list(SERVERS)):
        print(summary({title: times[title] for title in titles}, *titles[:2]), end="\n\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="how often each is started")
    return parser.parse_args()


def start_python(code: str, folder: Path) -> float:
    """Return the milliseconds that a fresh interpreter takes for ``code``."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder, env=settings(folder))
    return (time.perf_counter() - begin) * 1000


def start_server(app: str, folder: Path) -> float:
    """Return the milliseconds from the start of gunicorn to its first answer."""
    begin = time.perf_counter()
    server = Server(app, folder)
    try:
        server.wait("/health")
        return (time.perf_counter() - begin) * 1000
    finally:
        server.stop()


def measure(starts: Mapping[str, Start], rounds: int) -> dict[str, list[float]]:
    """Return the times of every round, after one that only fills the caches of the disk."""
    for start in starts.values():
        start()
    times: dict[str, list[float]] = {title: [] for title in starts}
    for _ in range(rounds):
        for title, start in starts.items():
            times[title].append(start())
    return times


def summary(times: Mapping[str, list[float]], bare: str, flask: str) -> str:
    """Return the medians, and the medians of the differences within each round."""
    rows = [
        [title, f"{median(taken):.0f}", _difference(taken, times[bare]), _difference(taken, times[flask])]
        for title, taken in times.items()
    ]
    return table(["", "ms", "more than bare (min-max)", "more than Flask (min-max)"], rows)


def _difference(taken: list[float], other: list[float]) -> str:
    differences = [one - two for one, two in zip(taken, other, strict=True)]
    return f"{median(differences):+.0f} ({min(differences):+.0f} to {max(differences):+.0f})"


if __name__ == "__main__":
    main()
