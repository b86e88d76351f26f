"""Workers of gunicorn that cannot start: at the first start, and after a good one. With real servers."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.harness.app import write_function
from tests.harness.server import PATIENCE, Server, launched, until

FLAKY = """
import os
from pathlib import Path

HERE = Path(__file__).parent

def setup(runtime):
    runtime.on_startup(connect)

def connect():
    if (HERE / "down").exists():
        raise ConnectionError("the backend is down")

def worker(context, request):
    return str(os.getpid())

{more}
__all__ = ["worker"]
"""

LOAD_FAILS = 'if (HERE / "down").exists(): raise ConnectionError("the backend is down")'
LOAD_EXITS = 'if (HERE / "down").exists(): os._exit(7)'


def workers(server: Server, least: int) -> set[str]:
    """Wait for this number of workers, and return the ids of those that answer."""
    found: set[str] = set()

    def asked() -> bool:
        status, _, body = server.request("GET", "/worker")
        if status == 200:
            found.add(body.decode())
        return len(found) >= least

    until(asked)
    return found


@pytest.mark.parametrize(
    "ending", ["os._exit(7)", "os._exit(0)", "os.kill(os.getpid(), 9)", "raise KeyboardInterrupt", "sys.exit(0)"]
)
@pytest.mark.parametrize("place", ["", "def setup(runtime):\n    "], ids=["at import", "in setup"])
def test_a_process_that_ends_while_it_loads_the_app_ends_gunicorn(tmp_path: Path, place: str, ending: str) -> None:
    write_function(tmp_path, f"import os, sys\n{place}{ending}\ndef hello(context, request):\n    return 'hi'\n")
    with launched(tmp_path, "-w", "2") as server:
        assert server.process.wait(PATIENCE) in (3, 4), server.log
    assert server.log.count("Booting worker") < 12, "there is no end of new ones"


def test_a_process_that_ends_in_a_start_up_function_ends_gunicorn(tmp_path: Path) -> None:
    source = (
        "import os\ndef setup(runtime):\n    runtime.on_startup(lambda: os._exit(7))\ndef hello(c, r): return 'hi'\n"
    )
    write_function(tmp_path, source)
    with launched(tmp_path) as server:
        assert server.process.wait(PATIENCE) == 3, server.log
    assert "ended while it loaded the app" in server.log


@pytest.mark.parametrize("more", ["", LOAD_FAILS, LOAD_EXITS], ids=["start-up function", "import", "exit at import"])
def test_a_worker_that_cannot_start_again_is_tried_again_and_the_others_serve_on(tmp_path: Path, more: str) -> None:
    write_function(tmp_path, FLAKY.replace("{more}", more))
    with launched(tmp_path, "-w", "2") as server:
        server.listening()
        first, second = sorted(workers(server, 2))
        (tmp_path / "down").touch()
        os.kill(int(first), signal.SIGTERM)
        until(lambda: "could not start. The next try is in" in server.log)
        if more != LOAD_EXITS:
            assert "the backend is down" in server.log
        for _ in range(20):
            assert server.request("GET", "/worker")[2].decode() == second, "who waits for the next try takes no calls"
        assert server.request("GET", "/ready")[0] == 200
        (tmp_path / "down").unlink()
        assert len(workers(server, 2)) == 2
        server.end()


def test_the_pauses_between_tries_grow(tmp_path: Path) -> None:
    write_function(tmp_path, FLAKY.replace("{more}", ""))
    with launched(tmp_path, "-w", "2") as server:
        server.listening()
        first = min(workers(server, 2))
        (tmp_path / "down").touch()
        os.kill(int(first), signal.SIGTERM)
        for pause in (1, 2, 4):
            until(lambda pause=pause: f"The next try is in {pause} s" in server.log)
        server.end()


@pytest.mark.parametrize("more", ["", LOAD_FAILS], ids=["start-up function", "import"])
def test_without_a_worker_callers_get_a_503_at_once_and_ready_says_why(tmp_path: Path, more: str) -> None:
    write_function(tmp_path, FLAKY.replace("{more}", more))
    with launched(tmp_path) as server:
        server.listening()
        [first] = workers(server, 1)
        (tmp_path / "down").touch()
        os.kill(int(first), signal.SIGTERM)
        until(lambda: server.request("GET", "/ready")[0] == 503)
        until(lambda: b"the backend is down" in server.request("GET", "/ready")[2])
        status, headers, body = server.request("POST", "/ice", b"{}", {"X-Request-ID": "call-1"})
        assert (status, headers["X-Request-ID"], json.loads(body)["requestId"]) == (503, "call-1", "call-1")
        assert int(headers["Retry-After"]) > 0
        (tmp_path / "down").unlink()
        assert workers(server, 1) != {first}
        assert server.request("GET", "/ready")[0] == 200
        server.end()


def test_a_reload_to_code_that_is_broken_does_not_end_gunicorn(tmp_path: Path) -> None:
    write_function(tmp_path, FLAKY.replace("{more}", LOAD_FAILS))
    with launched(tmp_path, "-w", "2") as server:
        server.listening()
        before = workers(server, 2)
        (tmp_path / "down").touch()
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "could not start. The next try is in" in server.log)
        until(lambda: server.request("GET", "/worker")[0] == 503)
        (tmp_path / "down").unlink()
        assert not workers(server, 2) & before
        server.end()


def test_a_worker_that_waits_for_its_next_try_ends_on_request(tmp_path: Path) -> None:
    write_function(tmp_path, FLAKY.replace("{more}", ""))
    with launched(tmp_path, "-w", "2") as server:
        server.listening()
        first = min(workers(server, 2))
        (tmp_path / "down").touch()
        os.kill(int(first), signal.SIGTERM)
        until(lambda: "The next try is in 4 s" in server.log)
        server.end()
