"""Whose secrets are struck out of what; who prints a line when others set up logging; what a failure is to Sentry."""

from __future__ import annotations

import gc
import json
import logging
import logging.config
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sinchfn import SinchFunctions, create_app
from sinchfn.logs.redaction import MASK, Redaction
from sinchfn.services.usage import UsageRecord
from tests.harness.app import Served, clean_environment, own_logging, serving, write_function
from tests.harness.call import environ_of, send
from tests.harness.paths import ROOT

# --- values are struck out, names are not -----------------------------------------------------------------------------

#: Words that are names or constants in lines and records, as somebody's secret may be.
OUR_WORDS = [
    *("time", "started", "request_id", "function", "handler", "kind", "method", "path", "status", "outcome", "stream"),
    *("duration_ms", "request_bytes", "response_bytes", "call_id", "null", "level", "logger", "message", "traceback"),
    *("voice", "http", "refused", "error", "failed", "POST", "INFO", "WARNING", "raised", "sinchfn", "sinchfn.request"),
]

SPEAKING = """
def ice(context, data): return {"action": {"name": "hangup"}}
def hello(context, request):
    context.log.info("said", extra={"order": 5, "customer_name": "Ada", "inner": {"kind": "x"}})
def fails(context, request): raise ValueError("midway")
"""


def visit(served: Served) -> None:
    for path in ("/hello", "/fails"):
        served.get(path)
    served.post("/ice", {"event": "ice", "callid": "c-1"})


@pytest.mark.parametrize("word", [*OUR_WORDS, "order", "customer_name", "inner"])
def test_no_name_in_a_line_or_a_record_changes_whatever_the_secret_is(tmp_path: Path, word: str) -> None:
    def shape(line: dict[str, Any]) -> Any:
        free = ("time", "started", "duration_ms", "request_id", "response_bytes", "message", "traceback")
        return {name: value for name, value in line.items() if name not in free}

    found = []
    for name, value in (("plain", "no-such-word"), ("secret", word)):
        with serving(tmp_path / name / "fn", SPEAKING, SORT_KEY=value) as served:
            visit(served)
            found.append([shape(line) for line in (*served.ledger, *served.log_lines)])
            assert [set(record) for record in served.ledger] == [set(UsageRecord.__slots__) - {"stream"}] * 3
            assert any(line["message"].startswith("The handler fails raised") for line in served.log_lines)
    assert found[0] == found[1]


@pytest.mark.parametrize("figure", ["200", "12345678", "5000"])
def test_a_figure_of_ours_stays_even_if_a_secret_has_the_same_digits(figure: str) -> None:
    record = UsageRecord("t", "r", "f", "h", "http", "GET", "/", 200, "ok", float(figure), int(figure), int(figure))
    assert json.loads(record.to_json())["request_bytes"] == int(figure)


def test_what_a_sender_chose_is_struck_out_of_record_and_line(tmp_path: Path) -> None:
    secret = "opensesame1"
    with serving(tmp_path, SPEAKING, SORT_KEY=secret) as served:
        served.get(f"/{secret}/hello", headers={"X-Request-ID": secret})
        served.post("/ice", {"event": "ice", "callid": secret})
        assert secret not in served.log
        assert secret not in json.dumps(served.ledger)
        assert {record["path"] for record in served.ledger} == {"/***/hello", "/ice"}
        assert [record["call_id"] for record in served.ledger] == [None, MASK]


def test_a_record_that_is_logged_because_the_ledger_cannot_be_written_is_whole(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with serving(tmp_path, SPEAKING, SORT_KEY="kind", SINCHFN_USAGE="data") as served:
        served.get("/hello")
        [line] = [line for line in served.logged("WARNING") if line.startswith("Usage record: ")]
        assert json.loads(line.removeprefix("Usage record: "))["kind"] == "http"


# --- what is marked ---------------------------------------------------------------------------------------------------

MARKED = ["4711", "123", "271828", "7654321", "abc", "x9!", "ä€7"]
ALONE = ["{}", "pin={}", "pin={}&x=1", "'{}'", '"{}"', "({})", "[1,{},2]", "a {}.", "https://h/{}?q", "u:{}@h", "-{}-"]
ALONE += ["pin%3D{}", "\\n{}", "\\t{}\\n", "&#x27;{}&#x27;", "\\xe4{}", "\\u00e4{}"]


@pytest.mark.parametrize("secret", MARKED)
@pytest.mark.parametrize("text", ALONE)
def test_what_is_marked_is_struck_out_at_any_length_where_it_stands_by_itself(secret: str, text: str) -> None:
    assert Redaction(marked=[secret])(text.format(secret)) == text.format(MASK)


@pytest.mark.parametrize("text", ["14711", "47110", "4711.5", "0.4711", "a4711", "4711a", "4711_", "0x4711"])
def test_a_marked_number_is_not_struck_out_within_another(text: str) -> None:
    assert Redaction(marked=["4711"])(text) == text


PIN = """
def says(context, request):
    pin = context.config.require_secret("DOOR")
    context.log.info("the pin is %s, or %d", pin, int(pin), extra={"pin": int(pin), "both": [pin, {"p": int(pin)}]})
    logging.getLogger("shop").info(json.dumps({"pin": int(pin)}))
def fails(context, request): raise ValueError(f"pin={context.env['DOOR']}")
"""


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("environment", ["production", "development"])
@pytest.mark.parametrize("pin", ["4711", "71828", "123456", "7654321"])
def test_a_marked_pin_is_in_no_line_traceback_or_detail(tmp_path: Path, pin: str, environment: str, form: str) -> None:
    (tmp_path / "sinch.json").write_text('{"secrets": ["DOOR"]}')
    with serving(tmp_path, PIN, DOOR=pin, SINCHFN_ENV=environment, SINCHFN_LOG_FORMAT=form) as served:
        served.get("/says")
        answer = served.get("/fails")
        assert not re.search(rf"(?<!\d){pin}(?!\d)", re.sub(r'"duration_ms":[\d.]+', "", served.log) + answer.text)
        assert "too plain" not in served.log
        assert served.log.count(MASK) >= 5


def test_a_marked_value_that_cannot_be_told_from_other_text_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "sinch.json").write_text('{"secrets": ["DOOR"]}')
    with serving(tmp_path, PIN, DOOR="47") as served:
        assert any("The value of DOOR is too short" in line for line in served.logged("WARNING"))


# --- whose secrets ----------------------------------------------------------------------------------------------------

REPEATS = """
def say(context, request):
    context.log.warning("heard %s", request.query["word"])
    logging.getLogger("shop").warning("shop heard %s", request.query["word"])
    return "ok"
"""


def test_the_secrets_of_one_app_are_not_struck_out_of_the_lines_of_another(tmp_path: Path) -> None:
    with own_logging() as written:
        apps = {}
        for name, secret in (("one", "sunshine99"), ("two", "moonlight77")):
            folder = write_function(tmp_path / name, REPEATS)
            apps[name] = create_app(folder, config={"WEBHOOK_PROTECTION": "never", "MY_PASSWORD": secret})
        for app in apps.values():
            for word in ("sunshine99", "moonlight77"):
                send(app, environ_of(path=f"/say?word={word}"))
        logging.getLogger("elsewhere").warning("nobody heard sunshine99 or moonlight77")
        lines = [json.loads(line) for line in written.getvalue().splitlines()]
    heard = [line["message"].rpartition(" ")[2] for line in lines if "heard" in line["message"]]
    assert heard[:-1] == [MASK, MASK, "moonlight77", "moonlight77", "sunshine99", "sunshine99", MASK, MASK]
    assert f"nobody heard {MASK} or {MASK}" in [line["message"] for line in lines]
    for name in apps:  # ledger
        assert "***" not in (tmp_path / name / "data" / "usage.jsonl").read_text()


def test_two_functions_in_one_host_keep_their_secrets_apart(tmp_path: Path) -> None:
    host, written = Flask("host"), StringIO()
    with own_logging():
        logging.getLogger().addHandler(logging.StreamHandler(written))
        for name, secret in (("one", "sunshine99"), ("two", "moonlight77")):
            folder = write_function(tmp_path / name, REPEATS)
            config = {"SINCHFN_USAGE": "off", "MY_PASSWORD": secret}
            SinchFunctions(folder, config=config).init_app(host, url_prefix=f"/{name}")
        for name in ("one", "two"):
            send(host, environ_of(path=f"/{name}/say?word=sunshine99"))
    heard = [line.rpartition(" ")[2] for line in written.getvalue().splitlines() if "heard" in line]
    assert heard == [MASK, MASK, "sunshine99", "sunshine99"]


def test_a_line_costs_the_same_after_many_apps(tmp_path: Path) -> None:
    folder = write_function(tmp_path, "def say(c, r): return 'ok'")

    def cost(app: Flask) -> float:
        log = logging.getLogger("outside")
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(100):
                log.warning("a line of no app")
                send(app, environ_of(path="/say"))
            best = min(best, time.perf_counter() - began)
        return best

    def made(number: int) -> Flask:
        config = {"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never", "MY_PASSWORD": f"secret-number-{number}"}
        return create_app(folder, config=config)

    with own_logging():
        app = made(0)
        before = cost(app)
        for number in range(100):
            made(number)
        gc.collect()
        assert cost(app) < 3 * before


# --- logging that others have set up ----------------------------------------------------------------------------------

SAYS = """
def hello(context, request):
    context.log.info("said by context")
    return "hi"
"""


def run(folder: Path, before: str, after: str = "", source: str = "", **config: str) -> tuple[str, str]:
    """What a program prints that sets up logging, makes the app and asks it once."""
    write_function(folder, source + SAYS)
    script = f"""
import logging, logging.config, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.harness.call import environ_of, send
from sinchfn import create_app
{before}
app = create_app({str(folder)!r}, config={ ({"WEBHOOK_PROTECTION": "never", "SINCHFN_USAGE": "off"} | config)!r})
{after}
send(app, environ_of(path="/hello"))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=clean_environment(), timeout=60, check=True
    )
    return done.stdout, done.stderr


CONSOLE = "{'version': 1, 'handlers': {'h': {'class': 'logging.StreamHandler'}}, 'root': {'handlers': ['h']}}"
SILENT = """
class Silent(logging.Handler):
    seen = []
    def emit(self, record): self.seen.append(record.getMessage())
logging.getLogger().addHandler(Silent())
"""
SETUPS = {
    "none": ("", ""),
    "basicConfig": ("logging.basicConfig()", ""),
    "basicConfig at ERROR": ("logging.basicConfig(level='ERROR', format='theirs %(message)s')", ""),
    "standard output": ("logging.basicConfig(stream=sys.stdout)", ""),
    "dictConfig": (f"logging.config.dictConfig({CONSOLE})", ""),
    "a handler that prints nothing": (SILENT, "import atexit; atexit.register(lambda: print(Silent.seen))"),
    "dictConfig afterwards": ("", f"logging.config.dictConfig({CONSOLE})"),
    "basicConfig afterwards": ("", "logging.basicConfig(force=True)"),
}


@pytest.mark.parametrize("setup", SETUPS)
def test_our_lines_come_out_once_whoever_set_up_logging(tmp_path: Path, setup: str) -> None:
    before, after = SETUPS[setup]
    printed, errors = run(tmp_path, before, after)
    written = printed if setup == "standard output" else errors
    for words in ("Detected functions", "said by context", "GET /hello 200"):
        assert written.count(words) == 1, written
    if not after or setup.startswith("a handler"):
        assert all(line.startswith("{") for line in written.splitlines()), written
        lines = [json.loads(line) for line in written.splitlines()]
        assert any("set up before sinchfn" in line["message"] for line in lines) == (
            "onfig" in before or "std" in before
        )
    if setup.startswith("a handler"):
        assert "said by context" in printed, "it gets them as well"


ON_OURS = {
    "on our logger": "logging.getLogger('sinchfn').addHandler(logging.StreamHandler())",
    "on standard output": "logging.getLogger('sinchfn').addHandler(logging.StreamHandler(sys.stdout))",
    "on two of our loggers": """
handler = logging.StreamHandler()
for name in ("sinchfn", "sinchfn.request", "sinchfn.function"): logging.getLogger(name).addHandler(handler)
""",
    "also on the root logger": """
handler = logging.StreamHandler()
for name in (None, "sinchfn.request"): logging.getLogger(name).addHandler(handler)
""",
    "in a buffer": """
import logging.handlers
logging.getLogger("sinchfn").addHandler(logging.handlers.MemoryHandler(1, target=logging.StreamHandler()))
""",
    "kept from the root logger": """
logging.getLogger("sinchfn").addHandler(logging.StreamHandler())
logging.getLogger("sinchfn").propagate = False
""",
    "the lines of requests kept from the root logger": """
handler = logging.StreamHandler()
for name in (None, "sinchfn.request"): logging.getLogger(name).addHandler(handler)
logging.getLogger("sinchfn.request").propagate = False
""",
}


@pytest.mark.parametrize("setup", ON_OURS)
@pytest.mark.parametrize("is_before", [True, False])
def test_our_lines_come_out_once_with_printing_handlers_on_our_own_loggers(
    tmp_path: Path, setup: str, is_before: bool
) -> None:
    if not is_before:  # in the function, while it is loaded
        (tmp_path / "setup.py").write_text(f"import logging, sys\n{ON_OURS[setup]}")
    written = "".join(run(tmp_path, ON_OURS[setup] if is_before else "", source="" if is_before else "import setup\n"))
    for words in ("Detected functions", "said by context", "GET /hello 200"):
        assert written.count(words) == 1, written


@pytest.mark.parametrize("setup", ["none", "basicConfig", "standard output", "dictConfig"])
@pytest.mark.parametrize(
    ("level", "form", "expected"), [("WARNING", "text", 0), ("INFO", "text", 1), ("INFO", "json", 1)]
)
def test_level_and_form_are_obeyed_whoever_set_up_logging(
    tmp_path: Path, setup: str, level: str, form: str, expected: int
) -> None:
    settings = {"SINCHFN_LOG_LEVEL": level, "SINCHFN_LOG_FORMAT": form}
    written = "".join(run(tmp_path, SETUPS[setup][0], **settings))
    assert written.count("said by context") == expected
    assert all(line.startswith("{") for line in written.splitlines()) == (form == "json")


def test_a_function_that_turns_off_all_loggers_does_not_turn_off_ours(tmp_path: Path) -> None:
    source = f"import logging.config\nlogging.config.dictConfig({CONSOLE})\n{SAYS}"
    with serving(tmp_path, source) as served:
        served.get("/hello")
        assert served.log.count("said by context") == 1
        assert served.log.count("GET /hello 200") == 1


def test_a_host_that_turns_off_all_loggers_does_not_turn_off_ours(tmp_path: Path) -> None:
    write_function(tmp_path, SAYS)
    host = Flask("host")
    with own_logging() as written:
        SinchFunctions(tmp_path, config={"SINCHFN_USAGE": "off"}).init_app(host)
        config = {"version": 1, "handlers": {"h": {"class": "logging.StreamHandler"}}}
        logging.config.dictConfig({**config, "root": {"handlers": ["h"], "level": "INFO"}})
        send(host, environ_of(path="/hello"))
    assert written.getvalue().count("said by context") == 1


def test_lines_come_to_caplog(tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    app = create_app(write_function(tmp_path, SAYS), config={"WEBHOOK_PROTECTION": "never", "SINCHFN_USAGE": "off"})
    send(app, environ_of(path="/hello"))
    assert [record.getMessage() for record in caplog.records].count("said by context") == 1


# --- one failure, one event -------------------------------------------------------------------------------------------

FAILING = """
def fails(context, request): raise ValueError("midway")
def unwell(context, request): return server_error("not today")
def aborts(context, request): abort(503, "not today")
def odd(context, request): return object()
def breaks(context, request):
    yield "begin"
    raise ValueError("midway")
async def waits(context, request): raise ValueError("midway")
def ice(context, data): raise ValueError("midway")
"""


@contextmanager
def sentry() -> Iterator[list[dict[str, Any]]]:
    """The events that Sentry would get, with the integrations that it switches on by itself."""
    sentry_sdk = pytest.importorskip("sentry_sdk")
    events: list[dict[str, Any]] = []

    class Kept(sentry_sdk.transport.Transport):  # type: ignore[misc, name-defined]
        def capture_envelope(self, envelope: Any) -> None:
            events.extend(event for event in [envelope.get_event()] if event is not None)

    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Kept)
    try:
        yield events
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.init()


@pytest.mark.parametrize("embedded", [False, True])
@pytest.mark.parametrize("path", ["/fails", "/unwell", "/aborts", "/odd", "/breaks", "/waits", "/ice"])
def test_a_failure_is_one_event_and_the_same_each_time(tmp_path: Path, path: str, embedded: bool) -> None:
    folder = write_function(tmp_path, FAILING)
    config = {"WEBHOOK_PROTECTION": "never", "SINCHFN_USAGE": "off", "SINCHFN_ENV": "production"}
    with own_logging(), sentry() as events:
        app = Flask("host") if embedded else create_app(folder, config=config)
        if embedded:
            SinchFunctions(folder, config=config).init_app(app)
        events.clear()
        for number in range(3):
            method, headers = ("POST", {"Content-Type": "application/json"}) if path == "/ice" else ("GET", {})
            body = b'{"event": "ice", "callid": "%d"}' % number if path == "/ice" else b""
            send(app, environ_of(method, path, body=body, headers=headers))
        if path == "/breaks":  # the server is told too, in a connection that it has to end
            events[:] = [event for event in events if _kinds(event) != ["RuntimeError"]]
        assert len(events) == 3
        grouped = [(event.get("logentry", {}).get("message"), _kinds(event)) for event in events]
        assert grouped[0] == grouped[1] == grouped[2]
        assert len({event["logentry"]["formatted"] for event in events if "logentry" in event}) == 1
        assert (_kinds(events[0]) == ["ValueError"]) == (path not in ("/unwell", "/aborts", "/odd"))


def _kinds(event: dict[str, Any]) -> list[str]:
    return [value["type"] for value in event.get("exception", {}).get("values", [])]


def test_the_message_of_a_failed_request_has_no_figures(tmp_path: Path) -> None:
    with serving(tmp_path, FAILING) as served:
        for path in ("/fails", "/unwell", "/aborts", "/odd", "/breaks", "/waits"):
            served.get(path)
        lines = served.request_lines
        assert [line["message"] for line in lines if re.search(r"\d", line["message"])] == []
        assert all(line["duration_ms"] > 0 and line["status"] in (200, 500, 503) for line in lines)
        levels = {line["handler"]: line["level"] for line in lines}
        assert {name for name, level in levels.items() if level == "ERROR"} == {"unwell", "aborts"}
        assert all(len(served.logged("ERROR")) == 6 for _ in levels)
