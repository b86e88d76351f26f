"""``sinchfn dev`` and ``flask run``: real development servers that reload, and say what is broken."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.app import clean_environment, write_function
from tests.harness.server import DEV, FLASK_RUN, on_free_port, until
from tests.harness.signer import ICE, SIGNING, encoded, signed

SOURCE = """
def hello(context, request): return "hi"
def exits(context, request): sys.exit(7)
def default(context, request): return ["root", len(request.raw_body)]
def ice(context, data): return IceSvamlBuilder().say("hello").hangup()
"""


def test_flask_run_serves_the_function_of_the_folder(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "fn", SOURCE)
    with on_free_port(FLASK_RUN, folder, **SIGNING) as server:
        server.answering()
        assert server.request("GET", "/hello")[2] == b"hi"
        body = encoded(ICE)
        assert server.request("POST", "/", body, signed(body, "/"))[0] == 200
        assert server.request("POST", "/", body)[0] == 401
        assert "Detected functions" in server.log


def test_flask_run_with_debug_is_development(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "fn", SOURCE)
    with on_free_port([*FLASK_RUN, "--debug", "--no-reload"], folder, **SIGNING) as server:
        server.answering()
        assert server.request("POST", "/ice", encoded(ICE), {"Content-Type": "application/json"})[0] == 200
        assert "SystemExit" in json.loads(server.request("GET", "/exits")[2])["detail"]
        assert server.ledger == []


def test_dev_reloads_on_an_edit_shows_what_is_broken_and_recovers(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "fn", "def hello(c, r): return 'one'\ndef ice(c, d): pass")
    with on_free_port(DEV, folder, **SIGNING) as server:
        server.answering()

        def says(status: int, word: str) -> Callable[[], bool]:
            def look() -> bool:
                answer = server.request("GET", "/hello")
                return answer[0] == status and word in answer[2].decode()

            return look

        until(says(200, "one"))
        assert f"Serving fn at http://127.0.0.1:{server.port}; reloads when a file changes" in server.log
        assert not re.search(r"development server|Running on|Restarting", server.log)
        assert server.request("POST", "/ice", encoded(ICE))[0] == 200, "signatures are not checked in development"
        for path in ("/favicon.ico", "/favicon.ico?v=1", "/other.ico"):
            assert server.request("GET", path)[0] == 404
        until(lambda: "/other.ico 404" in server.log)
        assert re.findall(r"(\w+) +GET (\S+) 404", server.log) == [
            *(("INFO", "/favicon.ico"), ("INFO", "/favicon.ico?v=1"), ("WARNING", "/other.ico")),
        ]
        write_function(folder, "def hello(c, r): return 'two'")
        until(says(200, "two"))
        write_function(folder, "def hello(c, r) return 'three'")
        until(says(500, "function.py"))
        for path in ("/", "/health", "/any/where"):
            assert server.request("GET", path)[0] == 500
        assert server.request("POST", "/hello")[0] == 500
        assert "Correct the syntax" in server.log
        assert "start again" not in server.log, "saving is enough"
        write_function(folder, "def hello(c): return 'three'")
        until(says(500, "two arguments"))
        write_function(folder, "def hello(c, r): return 'four'")
        until(says(200, "four"))


def test_dev_reloads_when_an_inner_module_or_the_settings_change(tmp_path: Path) -> None:
    (tmp_path / "fn").mkdir()
    (tmp_path / "fn" / "words.py").write_text("WORD = 'one'")
    (tmp_path / "fn" / ".env").write_text("MY_WORD=a")
    source = "import words\ndef hello(c, r): return words.WORD + c.env['MY_WORD']"
    folder = write_function(tmp_path / "fn", source)
    with on_free_port(DEV, folder) as server:
        server.answering()
        until(lambda: server.request("GET", "/hello")[2] == b"onea")
        (folder / "words.py").write_text("WORD = 'twos'")
        until(lambda: server.request("GET", "/hello")[2] == b"twosa")
        (folder / ".env").write_text("MY_WORD=bee")
        until(lambda: server.request("GET", "/hello")[2] == b"twosbee")


def test_dev_starts_with_a_broken_function_and_recovers(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "fn", "def hello(c, r) return 'one'")
    with on_free_port([*DEV, str(folder)], folder) as server:
        server.answering()
        assert server.request("GET", "/hello")[0] == 500
        write_function(folder, "def hello(c, r): return 'one'")
        until(lambda: server.request("GET", "/hello")[2] == b"one")


@pytest.mark.parametrize("arguments", [("dev", "nowhere.py"), ("sign", "nothing.json"), ("nonsense",)])
def test_a_command_that_cannot_be_done_says_so_without_a_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sinchfn", *arguments],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert arguments[-1] in done.stderr
