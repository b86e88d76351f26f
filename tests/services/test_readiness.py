"""The built-in /ready: whether calls may come to this process. And /health, which says only that it lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sinchfn import Cache, SinchFunctions, Storage
from sinchfn.services import readiness
from tests.harness.app import Call, MakeApp, serving
from tests.harness.server import until

PLAIN = "def users(context, request): return 'users'\n"


def functions_of(app: Flask) -> Any:
    return app.extensions["sinchfn"][0]


def test_what_is_ready_says_so(make_app: MakeApp, call: Call) -> None:
    app = make_app(PLAIN)
    answer = call(app, "GET", "/ready")
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert call(app, "HEAD", "/ready").status == 200
    assert call(app, "POST", "/ready").status == 405
    for path in ("/api/ready", "/Ready", "/ready/"):
        assert call(app, "GET", path).status == 404


def test_an_own_ready_and_a_file_come_first(make_app: MakeApp, call: Call) -> None:
    assert call(make_app("def ready(c, r): return 'own'\n"), "GET", "/ready").text == "own"
    app = make_app({"function.py": PLAIN, "public/ready": "the file"}, folder="second")
    assert call(app, "GET", "/ready").text == "the file"


def test_it_is_not_gated_and_leaves_no_record(make_app: MakeApp, call: Call) -> None:
    app = make_app(f"auth = '*'\n{PLAIN}")
    assert call(app, "GET", "/users").status == 401
    assert call(app, "GET", "/ready").status == 200


def test_below_the_prefix_of_a_host(make_function: Callable[..., Path], call: Call) -> None:
    host = Flask("host")
    host.add_url_rule("/ready", "ready", lambda: "the host's")
    SinchFunctions(make_function(PLAIN), config={"SINCHFN_USAGE": "off"}).init_app(host, url_prefix="/fn")
    assert call(host, "GET", "/ready").text == "the host's"
    assert call(host, "GET", "/fn/ready").json == {"status": "ok"}


STARTS = """
def hello(context, request): return "hi"

def setup(runtime):
    @runtime.on_startup
    def connect(context):
        if not os.path.exists(os.path.join(os.path.dirname(__file__), "there")):
            raise ConnectionError("no database\\nat " + os.environ["MY_TOKEN"])
"""


def test_a_start_that_fails_is_a_reason_without_its_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, STARTS, MY_TOKEN="canary-token-aa11bb22") as served:
        monkeypatch.setenv("MY_TOKEN", "canary-token-aa11bb22")
        answer = served.get("/ready")
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert set(answer.json) == {"error", "reasons", "requestId"}
        [reason] = answer.json["reasons"]
        assert "connect failed: ConnectionError: no database" in reason
        assert "canary" not in reason
        assert "\n" not in reason
        assert served.get("/health").json == {"status": "ok"}
        assert not served.ledger


SLOW = """
def setup(runtime):
    @runtime.on_startup
    def connect(context):
        started.set()
        assert go_on.wait(60)

started, go_on = __import__("threading").Event(), __import__("threading").Event()
def hello(context, request): return "hi"
"""


def test_while_others_wait_for_the_start_it_does_not(make_app: MakeApp, call: Call) -> None:
    app = make_app(SLOW)
    module = functions_of(app).module
    waiting = threading.Thread(target=call, args=(app, "GET", "/hello"))
    waiting.start()
    try:
        assert module.started.wait(60)
        assert call(app, "GET", "/ready").status == 503
        assert call(app, "GET", "/health").status == 200
    finally:
        module.go_on.set()
        waiting.join()
    assert call(app, "GET", "/ready").status == 200


def test_a_process_that_stops_is_not_ready_and_lives(make_app: MakeApp, call: Call) -> None:
    app = make_app(PLAIN)
    assert call(app, "GET", "/ready").status == 200
    functions_of(app).lifecycle.close_sockets()
    answer = call(app, "GET", "/ready")
    assert (answer.status, answer.json["reasons"]) == (503, ["The process is stopping."])
    assert call(app, "GET", "/health").status == 200
    assert call(app, "GET", "/users").status == 200


class Backend:
    """In the place of a cache or a storage: what it does when it is asked."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self.asked = 0
        self._do = do

    def get(self, key: str, default: Any = None) -> Any:
        self.asked += 1
        return self._do()

    exists = get


def fail() -> None:
    raise ConnectionError("no route to cache.internal:6379")


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "FRESH", 0.0)


@pytest.mark.parametrize(("service", "name"), [(Cache, "cache"), (Storage, "storage")])
def test_a_backend_that_fails_is_a_reason_that_tells_nothing_of_it(
    make_app: MakeApp, call: Call, service: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(PLAIN)
    caplog.set_level("INFO")
    with functions_of(app).services.override(service, Backend(fail)):
        for _ in range(3):
            answer = call(app, "GET", "/ready")
            assert (answer.status, answer.json["reasons"]) == (503, [f"The {name} does not answer."])
    assert [record.getMessage() for record in caplog.records if "does not answer" in record.getMessage()] == [
        f"The {name} does not answer: ConnectionError: no route to cache.internal:6379"
    ]
    assert call(app, "GET", "/ready").status == 200
    assert f"The {name} answers again." in caplog.messages


def test_a_backend_that_hangs_is_waited_for_no_longer_than_allowed(
    make_app: MakeApp, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, go_on = make_app(PLAIN), threading.Event()
    backend = Backend(go_on.wait)
    with functions_of(app).services.override(Cache, backend):
        monkeypatch.setattr(readiness, "PATIENCE", 0.2)
        for _ in range(3):
            answer = call(app, "GET", "/ready")
            assert (answer.status, answer.json["reasons"]) == (503, ["The cache does not answer."])
        assert backend.asked == 1, "one that hangs is not asked again"
        assert call(app, "GET", "/health").status == 200
        go_on.set()
        until(lambda: call(app, "GET", "/ready").status == 200)


def test_one_waits_for_the_backends_and_the_others_get_what_was_found_last(
    make_app: MakeApp, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, go_on = make_app(PLAIN), threading.Event()
    backend = Backend(go_on.wait)
    monkeypatch.setattr(readiness, "PATIENCE", 60)
    with functions_of(app).services.override(Cache, backend):
        waiting = threading.Thread(target=call, args=(app, "GET", "/ready"))
        waiting.start()
        until(lambda: backend.asked == 1)
        for _ in range(3):
            assert call(app, "GET", "/ready").status == 503
        assert waiting.is_alive()
        go_on.set()
        waiting.join()
        assert call(app, "GET", "/ready").status == 200


def test_strangers_do_not_load_the_backends(make_app: MakeApp, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "FRESH", 60.0)
    app, backend = make_app(PLAIN), Backend(lambda: None)
    with functions_of(app).services.override(Cache, backend):
        for _ in range(50):
            assert call(app, "GET", "/ready").status == 200
    assert backend.asked == 1
