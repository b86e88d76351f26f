"""Faults that reviews found in code that all other tests liked: one test each, by the rule it broke."""

from __future__ import annotations

import gc
import json
import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sinchfn import FunctionError, IceRequest, SinchFunctions, create_app, signals
from sinchfn.function.function import PASSED_ANSWERS, PassedAnswers
from sinchfn.services.usage import Ledger
from sinchfn.wire.timestamps import read_timestamp
from tests.harness.paths import ROOT

DEVELOPMENT = {"SINCHFN_ENV": "development"}
PRODUCTION = {"WEBHOOK_PROTECTION": "never"}


def write(folder: Path, source: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function.py").write_text(source)
    return folder


def client_of(folder: Path, source: str, **config: object) -> Any:
    return create_app(write(folder, source), config=DEVELOPMENT | config).test_client()


# The request.


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_a_callback_that_does_not_say_json_is_a_415(tmp_path: Path, content_type: str) -> None:
    answer = client_of(tmp_path, "def ice(c, d): pass").post("/ice", data=b"{}", content_type=content_type)
    assert answer.status_code == 415
    assert content_type in answer.json["error"]


def test_the_built_in_health_is_at_exactly_its_path(tmp_path: Path) -> None:
    client = client_of(tmp_path, "def ice(c, d): pass")
    assert [client.get(path).status_code for path in ("/health", "/health/", "/x/health")] == [200, 404, 404]


def test_a_path_with_a_line_break_is_the_functions_also_under_a_prefix(tmp_path: Path) -> None:
    host = Flask("host")
    SinchFunctions(write(tmp_path, "def leak(c, r): return 'here'"), config=DEVELOPMENT).init_app(host, "/v")
    client = host.test_client()
    assert client.get("/v/a%0Ab/leak").text == "here"
    assert client.get("/v/nothing%0A").json["handlers"] == ["leak"]


def test_a_null_call_id_gives_way_to_one_in_another_spelling() -> None:
    assert IceRequest({"callid": None, "callId": "x"}).call_id == "x"
    assert IceRequest({"callid": None})["callid"] is None


def test_a_timestamp_without_a_zone_is_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert read_timestamp("2024-06-06T17:20:14").isoformat() == "2024-06-06T17:20:14+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("host", ["evil.example/p?q=", "a b", 'x"y', "h:123456", "u@h"])
def test_a_host_header_that_is_none_makes_no_stream_url(tmp_path: Path, host: str) -> None:
    source = "from sinchfn import IceSvamlBuilder\ndef ice(c, d): return IceSvamlBuilder().connect_stream('/s')"
    answer = client_of(tmp_path, source).post("/ice", json={}, headers={"Host": host})
    assert answer.status_code == 400
    assert host not in answer.text


# The handler and its answer.


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_an_abort_in_a_callback_is_said_when_a_sentence_is_set(tmp_path: Path, code: int) -> None:
    source = f"import flask\ndef ice(c, d): flask.abort({code})"
    silent = client_of(tmp_path / "a", source).post("/ice", json={})
    assert silent.status_code == code
    spoken = client_of(tmp_path / "b", source, SINCHFN_VOICE_ERROR_MESSAGE="Sorry.").post("/ice", json={})
    assert spoken.json == {"instructions": [{"name": "say", "text": "Sorry."}], "action": {"name": "hangup"}}


@pytest.mark.parametrize("value", ["'hello'", "5", "[1]", "b'x'", "('hello', 200)"])
def test_what_can_be_no_svaml_is_a_500_in_production_too(tmp_path: Path, value: str) -> None:
    client = create_app(write(tmp_path, f"def ice(c, d): return {value}"), config=PRODUCTION).test_client()
    assert client.post("/ice", json={}).status_code == 500


def test_a_bare_stream_path_never_goes_out_whatever_carries_it(tmp_path: Path) -> None:
    destination = {"type": "Websocket", "endpoint": "/s"}
    answer = {"action": {"name": "connectStream", "destination": destination}}
    source = f"import flask\ndef ice(c, d): return flask.jsonify({answer})"
    sent = client_of(tmp_path, source, SINCHFN_PUBLIC_URL="https://pub.example").post("/ice", json={}).json
    assert sent["action"]["destination"]["endpoint"].startswith("wss://pub.example/s")


@pytest.mark.parametrize("value", ["True", "99", "600", "'200'", "2.0"])
def test_a_status_code_is_an_int_and_no_bool(tmp_path: Path, value: str) -> None:
    client = client_of(tmp_path, f"def f(c, r): return {{'statusCode': {value}, 'body': 1}}")
    assert client.get("/f").status_code == 500


def test_a_header_of_none_is_refused(tmp_path: Path) -> None:
    client = client_of(tmp_path, "from sinchfn import ok\ndef f(c, r): return ok({}, headers={'X-A': None})")
    assert client.get("/f").status_code == 500


def test_members_of_enumerations_are_written_as_their_value(tmp_path: Path) -> None:
    source = "import enum\nclass E(enum.Enum):\n    A = 'a'\ndef f(c, r): return {'e': E.A}"
    assert client_of(tmp_path, source).get("/f").json == {"e": "a"}


def test_remembered_answers_are_bounded_and_can_be_added_by_many_threads() -> None:
    passed = PassedAnswers()
    failures: list[BaseException] = []

    def add(thread: int) -> None:
        try:
            for number in range(5_000):
                passed.add("ice", f"{thread} {number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(passed._known) <= PASSED_ANSWERS + len(threads)


def test_a_platform_hook_that_fails_is_not_the_handlers_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(write(tmp_path, "def f(c, r): return 'f'"), config=PRODUCTION)

    def broken(invocation: Any) -> None:
        raise RuntimeError("a hook")

    function = app.extensions["sinchfn"][0]
    hooks = {**function.hooks, "before_request": (broken,)}
    object.__setattr__(function, "hooks", hooks)
    answer = app.test_client().get("/f")
    assert answer.status_code == 500
    assert "A platform hook failed before f: RuntimeError: a hook" in caplog.text
    record = json.loads((tmp_path / "data" / "usage.jsonl").read_text())
    assert (record["status"], record["outcome"]) == (500, "error")


# Records.


@pytest.mark.parametrize("name", ["app", "function", "export", "incoming", "environ", "request_id", "outcome", "usage"])
def test_a_receiver_cannot_change_what_is_called_or_recorded(tmp_path: Path, name: str) -> None:
    failed: list[str] = []

    def spoil(_: Any, invocation: Any) -> None:
        try:
            setattr(invocation, name, None)
        except AttributeError:
            failed.append(name)

    with signals.before_request.connected_to(spoil):
        answer = client_of(tmp_path, "def f(c, r): return 'f'").get("/f")
    assert (answer.text, failed) == ("f", [name])


def test_a_handler_cannot_suppress_its_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    source = "import flask\ndef f(c, r): flask.request.environ['sinchfn.logged'] = True"
    client_of(tmp_path, source).get("/f")
    assert len([record for record in caplog.records if record.name == "sinchfn.request"]) == 1


def test_muted_receivers_are_silent_and_the_platform_is_not(tmp_path: Path) -> None:
    called: list[str] = []

    def listen(app: Any, invocation: Any) -> None:
        called.append("listened")

    client = create_app(write(tmp_path, "def f(c, r): pass"), config=PRODUCTION).test_client()
    with signals.after_request.connected_to(listen), signals.after_request.muted():
        client.get("/f")
    assert called == []
    assert len((tmp_path / "data" / "usage.jsonl").read_text().splitlines()) == 1


def test_a_receiver_that_returns_a_coroutine_is_named_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def listen(app: Any, invocation: Any) -> None: ...

    with signals.after_request.connected_to(lambda app, invocation: listen(app, invocation)):
        assert client_of(tmp_path, "def f(c, r): return 'f'").get("/f").text == "f"
    assert "cannot be async" in caplog.text


def test_a_torn_line_is_ended_before_the_next_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "usage.jsonl")
    write_all: Callable[[int, bytes], int] = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write_all(file, data[:5]))
    ledger.write('{"lost": 1}')
    monkeypatch.undo()
    ledger.write('{"kept": 1}')
    assert json.loads((tmp_path / "usage.jsonl").read_text().splitlines()[-1]) == {"kept": 1}


def test_the_ledger_is_nobody_elses_to_read(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        Ledger(tmp_path / "usage.jsonl").write("{}")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "usage.jsonl").stat().st_mode) == 0o640


def test_a_ledger_that_cannot_be_written_is_told_at_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    client_of(tmp_path, "def f(c, r): pass", SINCHFN_USAGE="file/usage.jsonl")
    assert "cannot be written" in caplog.text


def test_a_path_cannot_break_the_line_of_a_hosts_own_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    host = Flask("host")
    SinchFunctions(write(tmp_path, "def f(c, r): pass"), config=DEVELOPMENT).init_app(host, "/v")
    host.test_client().get("/v/a%0Aforged%1b[31m/f")
    [line] = [record.getMessage() for record in caplog.records if record.name == "sinchfn.request"]
    assert line.isprintable()


def test_secrets_are_struck_out_of_a_hosts_own_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = DEVELOPMENT | {"MY_TOKEN": "canary-1234"}
    host = Flask("host")
    source = "def f(c, r): c.log.warning('it is %s', c.env['MY_TOKEN'])"
    SinchFunctions(write(tmp_path, source), config=config).init_app(host)
    host.test_client().get("/f")
    assert "it is ***" in caplog.text


# Start.


@pytest.mark.parametrize("value", ["OFF", " off", False, "false"])
def test_every_spelling_of_off_writes_no_ledger(tmp_path: Path, value: object) -> None:
    config = {**PRODUCTION, "SINCHFN_USAGE": value}
    create_app(write(tmp_path, "def f(c, r): pass"), config=config).test_client().get("/f")
    assert [file.name for file in tmp_path.iterdir()] == ["function.py"]


def test_a_secret_in_the_env_file_is_taken_to_the_letter(tmp_path: Path) -> None:
    write(tmp_path, "def f(c, r): return c.env['MY_SECRET']")
    (tmp_path / ".env").write_text("MY_SECRET='pa${HOME}$word'\n")
    assert create_app(tmp_path, config=DEVELOPMENT).test_client().get("/f").text == "pa${HOME}$word"


def test_the_extension_is_given_the_function_and_not_the_app() -> None:
    with pytest.raises(FunctionError, match="init_app"):
        SinchFunctions(Flask("host"))  # type: ignore[arg-type]
    with pytest.raises(FunctionError, match="int"):
        create_app(42)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import functools\n@functools.lru_cache\ndef cached(c, r): ...", "cached"),
        ("from decorators import wrap\n@wrap\ndef users(c, r): ...", "users"),
        ("def conversationwebhook(c, r): ...", "conversationwebhook"),
    ],
)
def test_what_looks_meant_and_is_not_served_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, source: str, name: str
) -> None:
    tmp_path.joinpath("decorators.py").write_text(
        "def wrap(fn):\n    def inner(c, r): return fn(c, r)\n    return inner\n"
    )
    client_of(tmp_path, f"{source}\ndef status(c, r): ...\n")
    assert any(record.levelno == logging.WARNING and f'"{name}"' in record.getMessage() for record in caplog.records)


def test_views_have_the_names_that_extensions_look_for(tmp_path: Path) -> None:
    host = Flask("host")
    SinchFunctions(write(tmp_path, "def f(c, r): ..."), config=DEVELOPMENT).init_app(host, "/v")
    for view in host.view_functions.values():
        assert isinstance(view.__name__, str)
        assert isinstance(view.__module__, str)


def test_the_wsgi_file_serves_the_function_it_is_copied_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "def mine(c, r): return 'mine'")
    source = (ROOT / "wsgi.py").read_text()
    monkeypatch.setenv("SINCHFN_ENV", "development")
    names: dict[str, Any] = {"__name__": "wsgi", "__file__": str(tmp_path / "wsgi.py")}
    exec(compile(source, str(tmp_path / "wsgi.py"), "exec"), names)
    assert names["app"].test_client().get("/mine").text == "mine"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="nobody tells here which files are open")
def test_an_app_that_is_gone_keeps_no_file_open(tmp_path: Path) -> None:
    write(
        tmp_path,
        "def f(c, r):\n    c.cache.set('a', 1)\n    c.storage.write('a', 'b')\n    c.open_database()\n    return 'x'\n",
    )

    def open_files_after_an_app() -> int:
        assert create_app(tmp_path, config=PRODUCTION).test_client().get("/f").text == "x"
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    assert len({open_files_after_an_app() for _ in range(5)}) == 1
