"""Compare the cost of one request in process, without a server: a loop over the WSGI apps, interleaved."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from apps import REFERENCE, App, installed
from job import PATH, Call, calls
from processes import cores, pin, scratch, settings
from stages import Stopwatch, watch
from tables import ratio, table

Wsgi = Callable[..., Any]
Environ = dict[str, Any]

GET_ANSWER = {"hello": "world"}


def main() -> None:
    given = _arguments()
    pair = cores()
    pin(pair[0] if pair else None)
    with scratch() as folder, _settings(folder):
        apps = {app: import_module(app.module).app for app in installed()}
        print(compare(apps, given.rounds, given.requests), end="\n\n")
        print(by_stage(next(iter(apps.values())), given.rounds, given.requests))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each app has its turn")
    parser.add_argument("--requests", type=int, default=600, help="requests in a turn, of each kind")
    return parser.parse_args()


@contextmanager
def _settings(folder: Path) -> Iterator[None]:
    os.environ.clear()
    os.environ.update(settings(folder))
    shown = sys.stderr
    with (folder / "server.log").open("w") as log:
        sys.stderr = log  # the apps log there
        try:
            yield
        finally:
            sys.stderr = shown


def compare(apps: dict[App, Wsgi], rounds: int, requests: int) -> str:
    """Return the microseconds per request of each app."""
    posts, gets = [post(call) for call in calls()], [get()]
    for app in apps.values():
        check(app)
        turn(app, posts, requests)
    post_times: dict[App, list[float]] = {app: [] for app in apps}
    get_times: dict[App, list[float]] = {app: [] for app in apps}
    for _ in range(rounds):
        for name, app in apps.items():
            post_times[name].append(turn(app, posts, requests))
            get_times[name].append(turn(app, gets, requests))
    head = ["µs per request"]
    for kind in ("POST", "GET"):
        head += [f"{kind} best", "median", f"x {REFERENCE} (min-max)"]
    return table(head, [[_title(name), *_cells(name, post_times), *_cells(name, get_times)] for name in apps])


def _title(app: App) -> str:
    return f"{app.letter}  {app.title}"


def _cells(name: App, times: dict[App, list[float]]) -> list[str]:
    own, reference = times[name], next(series for app, series in times.items() if app.letter == REFERENCE)
    return [f"{min(own):.1f}", f"{median(own):.1f}", ratio(own, reference)]


def by_stage(app: Any, rounds: int, requests: int) -> str:
    """Return the microseconds per request of each stage of sinchfn: medians over the rounds."""
    stopwatch = Stopwatch()
    stages = watch(app, stopwatch)
    columns = []
    for sent in ([post(call) for call in calls()], [get()]):
        turn(app.wsgi_app, sent, requests)
        taken = [_stage_times(app, sent, requests, stopwatch, stages) for _ in range(rounds)]
        columns.append([median(times) for times in zip(*taken, strict=True)])
    rows = [
        [stage, f"{posted:.1f}", f"{got:.1f}"]
        for stage, posted, got in zip([*stages, "sum"], *([*column, sum(column)] for column in columns), strict=True)
    ]
    return table(["sinchfn by stage, µs", "POST", "GET"], rows)


def _stage_times(
    app: Any, sent: list[tuple[Environ, bytes]], requests: int, stopwatch: Stopwatch, stages: list[str]
) -> list[float]:
    stopwatch.reset()
    turn(app.wsgi_app, sent, requests)
    return [stopwatch.microseconds(stage, requests) for stage in stages]


def turn(app: Wsgi, sent: list[tuple[Environ, bytes]], requests: int) -> float:
    """Return the microseconds per request. They include making the environ, as a server does."""
    gc.collect()
    start = time.perf_counter()
    for environ, body in islice(cycle(sent), requests):
        answer = app({**environ, "wsgi.input": BytesIO(body)}, _start_response)
        for _ in answer:
            pass
        if hasattr(answer, "close"):
            answer.close()
    return (time.perf_counter() - start) / requests * 1e6


def _start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    if not status.startswith("200"):
        raise RuntimeError(f"an app answered {status}")


def check(app: Wsgi) -> None:
    """Refuse to measure an app that does not do the job."""
    call = calls(1)[0]
    for (environ, body), expected in ((post(call), call.answer), (get(), GET_ANSWER)):
        answer = b"".join(app({**environ, "wsgi.input": BytesIO(body)}, _start_response))
        if json.loads(answer) != expected:
            raise RuntimeError(f"an app answered {answer!r}")


def post(call: Call) -> tuple[Environ, bytes]:
    """The signed callback, as gunicorn passes it on."""
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers.items()}
    content = {"CONTENT_TYPE": headers.pop("HTTP_CONTENT_TYPE"), "CONTENT_LENGTH": str(len(call.body))}
    return {**_environ("POST", PATH), **headers, **content}, call.body


def get() -> tuple[Environ, bytes]:
    """A custom endpoint."""
    return _environ("GET", "/hello"), b""


def _environ(method: str, path: str) -> Environ:
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "RAW_URI": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "benchmark",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": "benchmark",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


if __name__ == "__main__":
    main()
