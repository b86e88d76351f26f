"""The README is true: every block of it is run, and does what the text around it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from sinchfn import create_app, signals
from sinchfn.testing import StreamCaller, open_socket
from tests.harness.paths import ROOT, WEBHOOKS

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
PYTHON = [code for language, code in BLOCKS if language == "python"]
SHELL = [code for language, code in BLOCKS if language == "sh"]
URL = "http://127.0.0.1:8000"

# Python blocks.


def check_first(client: FlaskClient) -> None:
    answer = client.post("/ice", json={"callid": "1", "cli": "4670"}).json
    assert answer["action"] == {"name": "connectPstn", "number": "+46000000001", "cli": "4670"}
    assert client.get("/status").json == {"ok": True}


def check_users(client: FlaskClient) -> None:
    assert client.get("/users").status_code == 400
    answer = client.post("/users", json={"name": "Ann"})
    assert (answer.status_code, answer.json, answer.headers["Location"]) == (201, {"name": "Ann"}, "/users/1")


def check_greeting(client: FlaskClient) -> None:
    answer = client.get("/greeting", headers={"X-Request-ID": "abc"})
    assert answer.json["text"] == "Hello"
    assert answer.json["requestId"] == "abc"


def check_cache(client: FlaskClient) -> None:
    said = [client.post("/ice", json={"callid": "1", "cli": "4670"}).json["instructions"][0]["text"] for _ in range(2)]
    assert said == ["Welcome.", "Welcome back."]


def check_storage(client: FlaskClient) -> None:
    assert client.put("/recordings?name=../monday", data=b"RIFF").status_code == 400
    assert client.put("/recordings?name=monday", data=b"RIFF").json == ["recordings/monday.wav"]
    assert client.get("/recordings").json == ["recordings/monday.wav"]


def check_database(client: FlaskClient) -> None:
    assert client.get("/notes").json == []
    client.post("/notes", json={"text": "first"})
    assert client.get("/notes").json == ["first"]


def check_call_out(client: FlaskClient) -> None:
    answer = client.post("/call-back", json={"number": "+4670"})
    assert (answer.status_code, "VOICE_APPLICATION_KEY" in answer.json["error"]) == (500, True)


def check_menu(client: FlaskClient) -> None:
    action = client.post("/ice", json={}).json["action"]
    assert [menu["id"] for menu in action["menus"]] == ["main", "number"]
    sales = client.post("/pie", json={"menuResult": {"type": "Return", "value": "sales"}}).json
    assert sales["action"]["maxDuration"] == 600
    digits = client.post("/pie", json={"menuResult": {"type": "sequence", "value": "4670"}}).json
    assert digits["instructions"][0]["text"] == "Thank you. Goodbye."


def check_voice_errors(client: FlaskClient) -> None:
    assert client.post("/pie", json={}).json["action"] == {"name": "continue"}
    assert client.post("/pie", json={"menuResult": {}}).json["action"] == {"name": "hangup"}


def check_auth(client: FlaskClient) -> None:
    assert client.get("/reports").status_code == 401


def check_signals(client: FlaskClient) -> None:
    seen: list[Any] = []
    receiver = signals.usage_recorded.connect(lambda app, invocation, record: seen.append(record), weak=False)
    try:
        assert client.get("/ping").text == "pong"
    finally:
        signals.usage_recorded.disconnect(receiver)
    assert seen[0].handler == "ping"


def check_controllers(client: FlaskClient) -> None:
    assert client.get("/api/orders/7").json == {"number": 7, "status": "unknown"}
    refused = client.post("/api/orders/7", json={})
    assert (refused.status_code, set(refused.json["fields"])) == (422, {"status"})
    assert client.post("/api/orders/7", json={"status": "on its way"}).status_code == 204
    assert client.post("/ice", json={}).json["instructions"][0]["text"] == "Your order is on its way."
    assert client.get("/nothing").json["handlers"] == ["Ivr.ice", "OrderApi.order", "OrderApi.update"]


def check_the_app(client: FlaskClient) -> None:
    assert client.get("/about/version").json == {"version": "1"}
    assert client.get("/").status_code == 404
    assert client.post("/maintenance").status_code == 401
    client.application.extensions["sinchfn"][0].services.cache.set("maintenance", True)
    closed = client.get("/about/version")
    assert (closed.status_code, closed.headers["Retry-After"]) == (503, "600")


def webhook(name: str) -> Any:
    return json.loads((WEBHOOKS / f"{name}.json").read_text())


def check_messages(client: FlaskClient) -> None:
    for name in ("text", "choice_response", "media_card"):
        assert client.post("/webhook/conversation", json=webhook(f"conversation/message_inbound.{name}")).json == {}
    assert client.post("/webhook/conversation", json=webhook("conversation/message_delivery.failed")).json == {}


def check_agent(client: FlaskClient) -> None:
    action = client.post("/ice", json={}).json["action"]
    assert action["destination"]["endpoint"].startswith("+46000000001@")
    begun = client.post("/webhook/elevenlabs-init", json={"caller_id": "+4670"}).json
    assert begun["dynamic_variables"] == {"user_name": "stranger"}
    for name in ("post_call_transcription.sip", "post_call_audio"):
        assert client.post("/webhook/elevenlabs", json=webhook(f"elevenlabs/{name}")).status_code in (200, 204)
    storage = client.application.extensions["sinchfn"][0].services.storage
    [key] = storage.list("calls/")
    assert storage.read(key).startswith(b"ID3")


#: A line of each block that is a function, and what is true of that function.
def check_sockets(client: FlaskClient) -> None:
    app = client.application
    endpoint = client.post("/ice", json={"callid": "1"}).json["action"]["destination"]["endpoint"]
    assert endpoint == "wss://localhost/stream"  # without a secret there is no token
    for path in ("/stream", "/loop"):
        with open_socket(app, path) as peer:
            caller = StreamCaller(peer)
            caller.connect(sample_rate=16_000)
            assert caller.answered() == "answer"
            caller.say(b"ab" * 800)
            assert caller.hear(0.05) == b"ab" * 800
    assert app.extensions["sinchfn"][0].services.cache.get("greeting") == "Hello"


def check_room(client: FlaskClient) -> None:
    app = client.application
    with open_socket(app, "/room") as one, open_socket(app, "/room") as other:
        other.close()
        one.send("hello")  # whether or not the other one's on_close has run by now
        assert one.receive(timeout=10) == "hello"
        assert one.is_open


def check_ledger(client: FlaskClient) -> None:
    def counted(amount: int) -> tuple[int, Any]:
        answer = client.post("/entries", json={"amount": amount})
        return answer.status_code, answer.json.get("entries")

    assert [counted(1), counted(-1), counted(2)] == [(201, 1), (500, None), (201, 2)]


FUNCTIONS: dict[str, Callable[[FlaskClient], None]] = {
    '.say("Welcome. We connect you now.")': check_first,
    "def users(": check_users,
    "def greeting(": check_greeting,
    "context.cache.increment(": check_cache,
    'context.storage.write(f"recordings/': check_storage,
    "context.open_database()": check_database,
    "callouts.tts(": check_call_out,
    "MENU.add_submenu": check_menu,
    "voice.invalid_input()": check_voice_errors,
    'auth = ["reports"]': check_auth,
    "signals.usage_recorded.connect": check_signals,
    "class OrderApi(": check_controllers,
    "def _ledger(": check_ledger,
    "app.use(": check_the_app,
    "class Messages(": check_messages,
    "class Agent(": check_agent,
    "runtime.on_startup": check_sockets,
    "def _tell_all(": check_room,
}


def check_shop(names: dict[str, Any]) -> None:
    client = names["app"].test_client()
    assert client.get("/").text == "the shop"
    assert client.post("/voice", json={"event": "ice"}).json["action"]["name"] == "runMenu"


def check_gate(names: dict[str, Any]) -> None:
    app = names["app"]
    app.add_url_rule("/page", "page", lambda: "page")
    client = app.test_client()
    assert client.get("/page").status_code == 401
    assert client.post("/voice", json={"event": "ice"}).json["action"]["name"] == "runMenu"


def check_override(names: dict[str, Any]) -> None:
    services = names["app"].extensions["sinchfn"][0].services
    assert services.cache.get("order:7") == "on its way"


def check_outside(names: dict[str, Any]) -> None:
    assert names["context"].cache.get("news") == "The shop opens at ten"


def check_nothing(names: dict[str, Any]) -> None:
    """It asserts by itself."""


#: A line of each block that is a script, and what is true behind it.
SCRIPTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "def shop(": check_shop,
    "def require_login(": check_gate,
    "FakeCache()": check_override,
    "sinchfn.context(app)": check_outside,
    "FakeConversation()": check_nothing,
    'create_app("examples/ivr"': check_nothing,
    "open_socket(app": check_nothing,
}


@pytest.mark.parametrize("code", PYTHON)
def test_every_python_block_is_tried(code: str) -> None:
    assert len([line for line in (*FUNCTIONS, *SCRIPTS) if line in code]) == 1, code


@pytest.mark.parametrize("line", FUNCTIONS)
def test_a_function_in_the_readme_answers_as_the_text_says(line: str, tmp_path: Path) -> None:
    [code] = [block for block in PYTHON if line in block]
    (tmp_path / "function.py").write_text(code)
    FUNCTIONS[line](create_app(tmp_path, config={"SINCHFN_ENV": "development"}).test_client())


@pytest.mark.parametrize("line", SCRIPTS)
def test_a_script_in_the_readme_runs(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = [block for block in PYTHON if line in block]
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SINCHFN_USAGE", "off")
    names: dict[str, Any] = {"__name__": "script"}
    exec(compile(code, "README.md", "exec"), names)
    SCRIPTS[line](names)


# Shell blocks, in order, in a copy of the checkout, with nothing installed but Python.


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("checkout")
    leave_out = shutil.ignore_patterns(
        ".git", ".tox", ".venv", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "data", "hello", "messages"
    )
    shutil.copytree(ROOT, copy, dirs_exist_ok=True, ignore=leave_out)
    return copy


class Shell:
    """Runs blocks in one folder, with the exports of earlier blocks, and one server at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        keep = ("PATH", "HOME", "LANG", "TMPDIR")
        passed = {name: value for name, value in os.environ.items() if name in keep or name.startswith("PIP_")}
        self.environ = passed
        self.server: subprocess.Popen[bytes] | None = None
        self.log = folder / "server.log"

    def run(self, block: str) -> str:
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail\n{block}"],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serve(self, block: str) -> None:
        self.stop()
        with self.log.open("wb") as log:
            self.server = subprocess.Popen(
                ["bash", "-c", block],
                cwd=self.folder,
                env=self.environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        assert self.server is not None
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            assert self.server.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{URL}/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGTERM)
            self.server.wait(30)
            self.server = None


@pytest.fixture
def shell(checkout: Path) -> Iterator[Shell]:
    shell = Shell(checkout)
    yield shell
    shell.stop()


def test_the_shell_blocks_do_what_the_text_says(shell: Shell) -> None:
    """Takes a quarter of a minute: it runs the commands of the README, servers and edits and all."""
    blocks = iter(SHELL)

    shell.serve(next(blocks))  # the first command

    ice = next(blocks)
    answer = shell.run(ice)
    shown = re.search(r"The answer is what the caller hears: `(.*?)\.\.\.`", README)
    assert shown is not None
    assert answer.startswith(shown[1])
    shell.environ |= dict(re.findall(r"(\w+)=(\S+)", ice.splitlines()[0]))

    assert json.loads(shell.run(next(blocks)))["action"]["name"] == "connectPstn"

    refused = json.loads(shell.run(next(blocks)))
    assert refused["error"] == "The signature of this request is not valid."
    assert "the signature differs" in shell.log.read_text()

    assert next(blocks).strip() in (ROOT / ".ci" / "run").read_text()  # the second command: this very run

    shell.stop()
    make = next(blocks)
    shell.serve(make)  # sinchfn dev
    assert json.loads(shell.run(next(blocks)))["instructions"][0]["text"] == "Hello, world"

    [messages] = [code for code in PYTHON if "class Messages(" in code]
    (shell.folder / "messages").mkdir()
    (shell.folder / "messages" / "function.py").write_text(messages)
    shell.serve(".venv/bin/sinchfn dev messages")  # as the text says
    assert shell.run(next(blocks)) == "{}"
    assert "Nothing is sent. It would be: {'app_id': '01HQ3Z5APP0000000000000001'" in shell.log.read_text()

    shell.stop()
    signed = shell.run(next(blocks))
    assert signed.startswith(f"curl -sS {URL}/ice ")

    shell.serve(next(blocks))  # in production
    assert json.loads(shell.run(f"curl -sS {URL}/nothing"))["handlers"] == ["ice"]
    assert list(blocks) == []


def test_every_setting_is_in_the_readme_and_every_variable_of_the_readme_is_read() -> None:
    from sinchfn.config.settings import SETTINGS

    table = README.split("## Configuration")[1].split("\n## ")[0]
    named = set(
        re.findall(r"`([A-Z][A-Z_]+[A-Z])`", "\n".join(row.split("|")[1] for row in table.splitlines() if "|" in row))
    )
    assert named == {setting.name for setting in SETTINGS} | {"SINCHFN_FUNCTION"}


def test_the_settings_for_many_machines_are_those_of_the_example() -> None:
    [block] = [block for language, block in BLOCKS if language == "dotenv"]
    compose = (ROOT / "examples" / "many_machines" / "compose.yaml").read_text()
    for line in block.splitlines():
        name, _, value = line.partition("=")
        assert f"  {name}: {value.replace('redis.internal', 'redis')}" in compose


def test_every_block_is_of_a_kind_that_is_run_here() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "sh", "dotenv"}


def test_links_lead_to_files_that_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
