"""The benchmarks run and print their tables. Their results are not checked: no test depends on a clock."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.harness.paths import ROOT
from tests.harness.redis import need_redis

BENCHMARKS = ROOT / "benchmarks"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")


def run(script: str, *options: str) -> str:
    """Run a benchmark and return its output."""
    command = [sys.executable, str(BENCHMARKS / script), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(printed: str) -> dict[str, list[str]]:
    """Return the rows of all Markdown tables, by their first cell."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if line[:1] == "|"]
    return {first: others for first, *others in cells}


def test_the_server_comparison_has_a_row_for_every_app() -> None:
    """Takes half a minute: each row starts a server of its own."""
    printed = rows(run("server.py", "--rounds", "1", "--seconds", "0.3", "--connections", "2"))
    assert {first.split()[0] for first in printed if first[:1].isalpha()} >= {"a", "a2", "a3", "b", "b2", "d"}
    assert printed["b  Flask by hand"][1] == "1.00 (1.00-1.00)"


def test_the_comparison_in_process_has_a_row_for_every_app_and_stage() -> None:
    printed = rows(run("inprocess.py", "--rounds", "1", "--requests", "20"))
    assert {"b  Flask by hand", "d  bare WSGI callable"} <= set(printed)
    stages = ["route", "read the body", "signature", "parse", "handler", "answer and check", "usage record", "headers"]
    assert [stage for stage in (*stages, "log line", "Flask's own rest", "sum") if stage not in printed] == []
    assert float(printed["handler"][0]) > 0, "a stage that is never run through is measured at the wrong place"


def test_the_comparison_of_starts_has_a_row_for_each_of_them() -> None:
    """Takes a quarter of a minute: each row is the start of a process or a server."""
    printed = rows(run("startup.py", "--rounds", "1"))
    assert {"python, sinchfn.create_app", "gunicorn, bare Flask", "gunicorn, sinchfn IVR"} <= set(printed)
    assert printed["gunicorn, bare Flask"][2] == "+0 (+0 to +0)"


def test_the_comparison_of_storages_has_a_row_for_every_backend() -> None:
    printed = rows(run("storage.py", "--rounds", "1", "--seconds", "0.1", "--processes", "1"))
    assert {"file, bare open and write", "file:, sinchfn", "s3:, sinchfn with obstore", "obstore"} <= set(printed)


def test_the_comparison_of_caches_has_a_row_for_every_backend() -> None:
    need_redis()
    printed = rows(run("cache.py", "--rounds", "1", "--seconds", "0.1", "--processes", "1"))
    own = {"cachelib, files"} if find_spec("cachelib") else set()  # of the extra bench alone
    assert {"memory:", "sqlite:", "redis:", "redis-py, bare", *own} <= set(printed)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the load generator uses epoll and /proc")
def test_the_comparison_of_calls_has_a_row_for_every_server() -> None:
    contenders = ("sinchfn-callback", "sinchfn-blocking", "flask-sock")
    options = ("--calls", "5", "--seconds", "0.5", "--warmup", "0.2", "--rounds", "1")
    printed = rows(run("calls.py", *options, "--contenders", *contenders))
    assert set(contenders) <= set(printed)
    for contender in contenders:
        assert printed[contender][4] == "0", "frames are missing, from five calls"


def test_the_protocol_suite_says_what_it_needs() -> None:
    command = [sys.executable, str(BENCHMARKS / "autobahn.py"), "--python", "no-such-python"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert "Python 2.7" in done.stderr
