"""The platform hooks: in order, not to be got past, and one record and one log line for each request that counts."""

from __future__ import annotations

import io
import json
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from flask import Flask, Response, has_request_context

from sinchfn import Invocation, SinchFunctions, UsageRecord, create_app, signals
from tests.harness.app import Served, clean_environment, own_logging, serving, write_function
from tests.harness.call import Opened, Stream, environ_of, send
from tests.harness.paths import ROOT
from tests.harness.signer import CALL_ID, ICE, SIGNING, signed

ALL_SIGNALS = ("before_request", "after_request", "handler_failed", "usage_recorded")


@pytest.fixture(autouse=True)
def _signals_left_as_found() -> Iterator[None]:
    interrupt = signal.getsignal(signal.SIGINT)
    yield
    with suppress(Exception):  # what it returns, the handler before, may be one that cannot be printed
        signal.signal(signal.SIGINT, interrupt)
    for name in ALL_SIGNALS:
        getattr(signals, name)._clear_state()
        getattr(signals, name).is_muted = False


def reached(served: Served, status: int, outcome: str, handler: str = "hello") -> dict[str, Any]:
    """Exactly one record and one line so far, and both say the same."""
    (record,) = served.ledger
    (line,) = served.request_lines
    assert (record["status"], record["outcome"], record["handler"]) == (status, outcome, handler)
    for name, value in record.items():
        assert line["started" if name == "time" else name] == value
    return record


# --- order ----------------------------------------------------------------------------------------------------------


def test_the_body_limit_comes_before_the_signature(tmp_path: Path) -> None:
    with serving(
        tmp_path, "def ice(c, d): pass", WEBHOOK_PROTECTION="always", SINCHFN_MAX_BODY=10, **SIGNING
    ) as served:
        assert served.post("/ice", b"x" * 11).status == 413


def test_the_signature_comes_before_parsing(tmp_path: Path) -> None:
    with serving(tmp_path, "def ice(c, d): pass", WEBHOOK_PROTECTION="always", **SIGNING) as served:
        assert served.post("/ice", b"not json").status == 401
        assert served.post("/ice", b"[]", headers={"Content-Type": "text/plain"}).status == 401
        assert served.call(b"not json").status == 400


def test_auth_comes_before_the_handler_and_after_the_body(tmp_path: Path) -> None:
    source = """
    auth = ["hello"]
    def hello(context, request):
        raise SystemExit
    """
    with serving(tmp_path, source, SINCHFN_MAX_BODY=10, ADMIN_USER="u", ADMIN_PASSWORD="p-a-s-s") as served:
        assert served.post("/hello", b"x" * 11).status == 413
        answer = served.post("/hello", b"x")
        assert (answer.status, answer.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
        assert [record["status"] for record in served.ledger] == [413, 401]


def test_receivers_of_before_request_see_a_verified_and_parsed_call_and_no_other(tmp_path: Path) -> None:
    seen: list[Any] = []

    @signals.before_request.connect
    def look(app: Any, invocation: Invocation) -> None:
        seen.append((app, invocation.payload.call_id, invocation.response))

    with serving(tmp_path, "def ice(c, d): pass", WEBHOOK_PROTECTION="always", **SIGNING) as served:
        served.post("/ice", ICE)
        assert seen == []
        served.call()
        assert seen == [(served.app, CALL_ID, None)]


def test_receivers_of_after_request_see_the_answer_and_the_record(tmp_path: Path) -> None:
    seen: list[Any] = []

    @signals.after_request.connect
    def look(app: Any, invocation: Invocation) -> None:
        assert invocation.response is not None
        assert invocation.usage is not None
        seen.append(
            (app, invocation.response.status_code, invocation.response.headers["X-Request-ID"], invocation.usage)
        )

    with serving(tmp_path, "def hello(c, r): return 'hi'") as served:
        answer = served.get("/hello")
        ((app, status, request_id, usage),) = seen
        assert (app, status, request_id) == (served.app, 200, answer.headers["X-Request-ID"])
        assert json.loads(usage.to_json()) == served.ledger[0]


# --- what counts ----------------------------------------------------------------------------------------------------

COUNTED = """
auth = ["closed"]
def hello(context, request): return "hi"
def closed(context, request): return "never"
def fails(context, request): raise ValueError("broken")
def aborts(context, request): abort(418)
def wants_json(context, request): return [request.json]
def ice(context, data): return None
def some_webhook(context, request): pass
"""


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "outcome", "handler"),
    [
        ("GET", "/hello", b"", 200, "ok", "hello"),
        ("HEAD", "/hello", b"", 200, "ok", "hello"),
        ("OPTIONS", "/hello", b"", 200, "ok", "hello"),
        ("GET", "/closed", b"", 401, "refused", "closed"),
        ("GET", "/fails", b"", 500, "error", "fails"),
        ("GET", "/aborts", b"", 418, "ok", "aborts"),
        ("POST", "/wants_json", b"{", 400, "ok", "wants_json"),
        ("POST", "/hello", b"x" * 2000, 413, "refused", "hello"),
        ("POST", "/ice", b"{", 400, "refused", "ice"),
        ("POST", "/ice", b"{}", 200, "ok", "ice"),
        ("POST", "/", b'{"event": "ice"}', 200, "ok", "ice"),
        ("POST", "/", b'{"event": "dice"}', 200, "ok", "dice"),
        ("POST", "/ace", b"{}", 200, "ok", "ace"),
        ("POST", "/notify", b"[]", 400, "refused", "notify"),
        ("POST", "/webhook/some", b"", 200, "ok", "some_webhook"),
    ],
)
def test_a_request_that_reached_an_export_leaves_one_record_and_one_line(
    tmp_path: Path, method: str, path: str, body: bytes, status: int, outcome: str, handler: str
) -> None:
    with serving(tmp_path, COUNTED, SINCHFN_MAX_BODY=1000) as served:
        headers = {"Content-Type": "application/json"}
        assert served.request(method, path, body=body, headers=headers).status == status
        reached(served, status, outcome, handler)


def test_a_refused_signature_leaves_one_record_and_one_line(tmp_path: Path) -> None:
    with serving(tmp_path, COUNTED, WEBHOOK_PROTECTION="always", **SIGNING) as served:
        assert served.post("/ice", ICE).status == 401
        reached(served, 401, "refused", "ice")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/pie", 404),
        ("GET", "/ice", 405),
        ("HEAD", "/dice", 405),
        ("TRACE", "/hello", 405),
        ("GET", "/health", 200),
        ("POST", "/health", 405),
        ("GET", "/", 200),
        ("GET", "/style.css", 200),
        ("HEAD", "/style.css", 200),
        ("POST", "/style.css", 405),
    ],
)
def test_what_reached_no_export_leaves_no_record_and_no_line(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "style.css").write_text("a {}")
    with serving(tmp_path, COUNTED) as served:
        assert served.request(method, path).status == status
        assert served.ledger == []
        assert served.request_lines == []


def test_an_own_health_handler_counts(tmp_path: Path) -> None:
    with serving(tmp_path, "def health(c, r): return {'mine': True}") as served:
        assert served.get("/health").json == {"mine": True}
        reached(served, 200, "ok", "health")


# --- not to be got past ---------------------------------------------------------------------------------------------

GETAWAYS = {
    "raise": "raise ValueError('x')",
    "raise_from_within": "raise ExceptionGroup('g', [ValueError(1), SystemExit and TypeError()])",
    "exit": "sys.exit(0)",
    "exit_text": "sys.exit('bye')",
    "interrupt": "raise KeyboardInterrupt",
    "generator_exit": "raise GeneratorExit",
    "cancelled": "raise asyncio.CancelledError",
    "stop": "raise StopIteration",
    "base": "raise type('Own', (BaseException,), {})('x')",
    "recursion": "f = lambda: f(); f()",
    "memory": "raise MemoryError",
    "str_raises": "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0, '__repr__': lambda self: 1 / 0})()",
    "surrogate": "raise ValueError('\\ud800\\n\\x00')",
    "long": "raise ValueError('x' * 1_000_000)",
    "returns_object": "return object()",
    "returns_a_class": "return Response",
    "response_of_numbers": "return Response([1, 2, 3])",
    "response_of_surrogates": "return Response(['\\ud800'])",
    "abort_500": "abort(500)",
    "abort_with_an_exception": "abort(503, ValueError('x'))",
    "abort_with_bytes": "abort(500, b'x')",
    "abort_with_an_object": "abort(500, object())",
    "http_code_is_text": "raise type('Odd', (sinchfn.function.request.BadRequest,), {'code': '500'})()",
    "http_headers_break": (
        "raise type('Odd', (sinchfn.function.request.BadRequest,), "
        "{'code': 500, 'get_headers': lambda *_: [('X-A', 'a\\r\\nX-B: b')]})()"
    ),
    "http_headers_raise": (
        "raise type('Odd', (sinchfn.function.request.BadRequest,), {'code': 500, 'get_headers': lambda *_: 1 / 0})()"
    ),
    "aborts_with_a_broken_response": "abort(Response('x', headers={'X-A': '\\u20ac'}))",
    "method_gone": "flask_request.environ['REQUEST_METHOD'] = None; raise ValueError",
    "path_gone": "flask_request.environ['PATH_INFO'] = None; raise ValueError",
    "environ_in_pieces": "environ = flask_request.environ; environ.pop('PATH_INFO'); raise ValueError",
    "broken_response_class": (
        "return type('Odd', (Response,), {'status_code': property(lambda self: 1 / 0, lambda self, v: None)})('x')"
    ),
}


@pytest.mark.parametrize("environment", ["production", "development"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("way", GETAWAYS)
def test_a_handler_that_breaks_is_a_500_in_json_with_one_record(
    tmp_path: Path, way: str, asynchronous: bool, environment: str
) -> None:
    source = f"{'async ' if asynchronous else ''}def hello(context, request):\n    {GETAWAYS[way]}"
    with serving(tmp_path, source, SINCHFN_ENV=environment, SINCHFN_USAGE="data/usage.jsonl") as served:
        answer = served.get("/hello", headers={"X-Request-ID": "req-1"})
        assert answer.status in (500, 503)
        assert answer.json["requestId"] == answer.headers["X-Request-ID"] == "req-1"
        (record,) = served.ledger
        assert (record["handler"], record["status"], record["outcome"]) == ("hello", answer.status, "error")
        assert (record["request_id"], record["method"], record["path"]) == ("req-1", "GET", "/hello")


def test_an_async_handler_that_breaks_in_an_odd_way_does_not_break_the_next(tmp_path: Path) -> None:
    source = f"""
    async def breaks(context, request):
        {GETAWAYS["str_raises"]}
    async def hello(context, request):
        return "hi"
    """
    with serving(tmp_path, source) as served:
        served.get("/breaks")
        assert served.get("/hello").text == "hi"


@pytest.mark.parametrize("name", ["ice", "dice", "notify"])
def test_a_callback_that_exits_is_a_500_with_one_record(tmp_path: Path, name: str) -> None:
    with serving(tmp_path, f"def {name}(context, data): sys.exit()") as served:
        assert served.post(f"/{name}", {"event": name}).status == 500
        reached(served, 500, "error", name)


def test_a_handler_that_falsifies_the_request_does_not_falsify_the_record(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        flask_request.environ.update(REQUEST_METHOD="DELETE", PATH_INFO="/free", HTTP_X_REQUEST_ID="other")
        request.id, request.method, request.raw_body = "other", "DELETE", b""
        return "hi"
    """
    with serving(tmp_path, source) as served:
        answer = served.post("/hello", b"12345", headers={"X-Request-ID": "req-1"})
        assert answer.headers["X-Request-ID"] == "req-1"
        record = reached(served, 200, "ok")
        assert (record["method"], record["path"], record["request_id"]) == ("POST", "/hello", "req-1")
        assert record["request_bytes"] == 5


def test_a_response_cannot_replace_the_request_id(tmp_path: Path) -> None:
    source = """
    def one(context, request): return Response("x", headers=[("X-Request-ID", "forged"), ("x-request-id", "twice")])
    def two(context, request): return {"statusCode": 200, "headers": {"x-request-id": ["a", "b"]}}
    def three(context, request): abort(Response("x", 400, headers={"X-Request-ID": "forged"}))
    """
    with serving(tmp_path, source) as served:
        for path in ("/one", "/two", "/three"):
            answer = served.get(path, headers={"X-Request-ID": "mine"})
            assert answer.headers.getlist("X-Request-ID") == ["mine"]


def test_a_function_after_this_request_that_raises_is_a_500_in_json_with_the_id_of_the_log(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        flask.after_this_request(lambda response: 1 / 0)
        return "hi"
    """
    with serving(tmp_path, source) as served:
        answer = served.get("/hello")
        assert answer.status == 500
        assert answer.json["requestId"] == answer.headers["X-Request-ID"] == served.ledger[0]["request_id"]


@pytest.mark.parametrize(
    "attempt",
    [
        "signals.before_request.receivers.clear(); signals.after_request.receivers.clear()",
        "signals.before_request._clear_state(); signals.after_request._clear_state()",
        "signals.before_request.is_muted = signals.after_request.is_muted = True",
        "signals.usage_recorded.is_muted = True",
        "[s.disconnect(r) for s in (signals.before_request, signals.after_request) for r in s.receivers_for(None)]",
        "signals.after_request.connect(lambda *a, **k: sys.exit(), weak=False)",
        "signals.before_request.connect(lambda *a, **k: 1 / 0, weak=False)",
        "signals.before_request.connect(lambda *a, **k: abort(200), weak=False)",
        "signals.usage_recorded.connect(lambda *a, **k: sys.exit(), weak=False)",
        "signals.usage_recorded.connect(lambda app, invocation, record: setattr(record, 'status', 0), weak=False)",
    ],
)
def test_the_hooks_run_whatever_the_function_does_to_the_signals(tmp_path: Path, attempt: str) -> None:
    source = f"""
    {attempt}
    def hello(context, request):
        {attempt}
        return "hi"
    def ice(context, data):
        return None
    """
    with serving(tmp_path, source, WEBHOOK_PROTECTION="always", **SIGNING) as served:
        for _ in range(3):
            answer = served.get("/hello")
            assert answer.text == "hi"
            assert served.post("/ice", ICE).status == 401
        with signals.before_request.muted(), signals.after_request.muted():
            assert served.post("/ice", ICE).status == 401
        assert [record["status"] for record in served.ledger] == [200, 401] * 3 + [401]
        assert len(served.request_lines) == 7


class Unusual(BaseException):
    """Neither an Exception nor one that Python itself has."""


@pytest.mark.parametrize("name", ALL_SIGNALS)
@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, Unusual])
def test_a_receiver_that_raises_is_logged_and_the_call_goes_on(
    tmp_path: Path, name: str, error: type[BaseException]
) -> None:
    others: list[str] = []

    def troublemaker(*_: Any, **__: Any) -> None:
        raise error("by a receiver")

    def bystander(*_: Any, **__: Any) -> None:
        others.append("called")

    for receiver in (troublemaker, bystander):
        getattr(signals, name).connect(receiver)
    source = """
    def hello(context, request):
        if "fail" in request.query:
            raise ValueError("by the handler")
        return "hi"
    """
    with serving(tmp_path, source) as served:
        answer = served.get("/hello?fail=1") if name == "handler_failed" else served.get("/hello")
        assert answer.status == (500 if name == "handler_failed" else 200)
        assert len(served.ledger) == len(served.request_lines) == 1
        assert others == ["called"]
        (line,) = [line for line in served.log_lines if "troublemaker" in line["message"]]
        assert line["request_id"] == answer.headers["X-Request-ID"]
        assert error.__name__ in line["traceback"]


def test_a_receiver_that_refuses_refuses_nothing(tmp_path: Path) -> None:
    @signals.before_request.connect
    def refuse(*_: Any, **__: Any) -> None:
        from flask import abort

        abort(403)

    with serving(tmp_path, "def hello(c, r): return 'hi'") as served:
        assert served.get("/hello").text == "hi"


@pytest.mark.parametrize("when", ["before_request", "after_request"])
@pytest.mark.parametrize("attribute", ["response", "outcome", "call_id", "request_id", "body", "environ", "usage"])
def test_a_receiver_that_spoils_the_invocation_gets_past_no_hook(tmp_path: Path, when: str, attribute: str) -> None:
    def spoil(_: Any, invocation: Invocation) -> None:
        setattr(invocation, attribute, None)

    getattr(signals, when).connect(spoil)
    with serving(tmp_path, "def hello(c, r): return 'hi'") as served:
        answer = served.get("/hello", headers={"X-Request-ID": "req-1"})
        assert answer.status == 200
        assert [record["handler"] for record in served.ledger] == ["hello"]
        assert len(served.request_lines) == 1


# --- streamed answers -----------------------------------------------------------------------------------------------

STREAMS = """
def hello(context, request):
    def chunks():
        for number in range(5):
            yield f"{number};" * 100
    return chunks()
"""


def test_the_record_of_a_streamed_answer_is_written_at_its_end(tmp_path: Path) -> None:
    with serving(tmp_path, STREAMS) as served:
        opened = Opened(served.app, environ_of(path="/hello"))
        for _ in range(5):
            next(opened.iterator)
            assert served.ledger == []
            assert served.request_lines == []
        assert next(opened.iterator, None) is None
        opened.close()
        assert reached(served, 200, "ok")["response_bytes"] == 1000


@pytest.mark.parametrize("read", [0, 1, 4])
def test_the_record_of_a_streamed_answer_is_written_when_the_client_leaves(tmp_path: Path, read: int) -> None:
    with serving(tmp_path, STREAMS) as served:
        opened = Opened(served.app, environ_of(path="/hello"))
        for _ in range(read):
            next(opened.iterator)
        opened.close()
        assert reached(served, 200, "gone")["response_bytes"] == 200 * read


def test_the_record_of_a_streamed_answer_is_written_once_however_often_it_is_closed(tmp_path: Path) -> None:
    with serving(tmp_path, STREAMS) as served:
        opened = Opened(served.app, environ_of(path="/hello"))
        list(opened.iterator)
        opened.close()
        opened.close()
        reached(served, 200, "ok")


def test_head_of_a_streamed_answer_leaves_its_record_and_no_body(tmp_path: Path) -> None:
    with serving(tmp_path, STREAMS) as served:
        assert served.request("HEAD", "/hello").body == b""
        assert served.ledger[0]["response_bytes"] == 0
        reached(served, 200, "ok")
        assert not has_request_context()


def test_a_streamed_answer_that_breaks_off_is_an_error_in_the_record_and_in_the_log(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        yield "begin"
        raise ValueError("in the middle")
    """
    with serving(tmp_path, source) as served:
        answer = served.get("/hello")
        assert answer.body == b"begin"
        assert answer.broke is not None
        reached(served, 200, "error")
        (line,) = [line for line in served.log_lines if "in the middle" in line.get("traceback", "")]
        assert line["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "raising",
    ["sys.exit(0)", "raise KeyboardInterrupt", "raise GeneratorExit", "raise type('Own', (BaseException,), {})"],
)
def test_a_streamed_answer_that_exits_is_an_error_and_does_not_end_the_worker(tmp_path: Path, raising: str) -> None:
    source = f"""
    def hello(context, request):
        yield "begin"
        {raising}
    """
    with serving(tmp_path, source) as served:
        answer = served.get("/hello")
        assert isinstance(answer.broke, Exception), "an exit must not reach the server"
        reached(served, 200, "error")


@pytest.mark.parametrize(
    "source",
    [
        # its clean-up fails
        """
        def hello(context, request):
            try:
                yield "a"
                yield "b"
            finally:
                raise RuntimeError("while closing")
        """,
        # it goes on when it is told to stop
        """
        def hello(context, request):
            for _ in range(2):
                try:
                    while True:
                        yield "a"
                except GeneratorExit:
                    pass
        """,
        # a callback of the function's own fails
        """
        def hello(context, request):
            response = Response(iter(["a", "b", "c"]))
            response.call_on_close(lambda: 1 / 0)
            return response
        """,
        # its own class forgets, or hides, what belongs to closing
        """
        class Own(Response):
            def close(self):
                pass
        def hello(context, request):
            return Own(iter(["a", "b", "c"]))
        """,
        """
        class Own(Response):
            def call_on_close(self, func):
                return func
        def hello(context, request):
            return Own(iter(["a", "b", "c"]))
        """,
    ],
    ids=["finally raises", "ignores close", "on_close raises", "own close", "own call_on_close"],
)
@pytest.mark.parametrize("read", [1, 3])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a generator that will not close
def test_a_streamed_answer_that_fails_in_closing_leaves_its_record(tmp_path: Path, source: str, read: int) -> None:
    with serving(tmp_path, source) as served:
        opened = Opened(served.app, environ_of(path="/hello"))
        with suppress(Exception):  # but an exit must not reach the server
            for _ in range(read):
                next(opened.iterator, None)
        with suppress(Exception):
            opened.close()
        assert [record["handler"] for record in served.ledger] == ["hello"]
        assert len(served.request_lines) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("read", [0, 1])
def test_what_a_handler_streams_from_is_closed_when_the_client_leaves(tmp_path: Path, method: str, read: int) -> None:
    source = """
    class Rows:
        closed = 0
        def __iter__(self): return self
        def __next__(self): return "row"
        def close(self): Rows.closed += 1
    def hello(context, request): return Rows()
    def closed(context, request): return str(Rows.closed)
    """
    with serving(tmp_path, source) as served:
        opened = Opened(served.app, environ_of(method, "/hello"))
        for _ in range(read):
            next(opened.iterator, None)
        opened.close()
        assert served.get("/closed").text == "1"


def test_every_line_logged_while_streaming_carries_the_request_id(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        logging.getLogger("mine").warning("before")
        def chunks():
            logging.getLogger("mine").warning("within")
            yield context.request_id
            context.log.warning("later")
        return chunks()
    """
    with serving(tmp_path, source) as served:
        request_id = served.get("/hello").text
        lines = [line for line in served.log_lines if line["level"] == "WARNING"]
        assert [line["message"] for line in lines] == ["before", "within", "later"]
        assert [line.get("request_id") for line in lines] == [request_id] * 3


def test_a_large_file_that_is_sent_leaves_a_record_with_its_length(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        return flask.send_file("big.bin")
    """
    (tmp_path / "big.bin").write_bytes(b"x" * 300_000)
    with serving(tmp_path, source) as served:
        assert len(served.get("/hello").body) == 300_000
        assert reached(served, 200, "ok")["response_bytes"] == 300_000


# --- the ledger -----------------------------------------------------------------------------------------------------


def test_a_record_has_every_field_in_its_order(tmp_path: Path) -> None:
    with serving(tmp_path, "def ice(context, data): pass", WEBHOOK_PROTECTION="always", **SIGNING) as served:
        answer = served.call()
        (line,) = served.ledger_file.read_text().splitlines()
        record = json.loads(line)
        # "stream" is of sockets only.
        assert list(record) == [name for name in UsageRecord.__dataclass_fields__ if name != "stream"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("time"))
        assert 0 <= record.pop("duration_ms") < 60_000
        assert record == {
            "request_id": answer.headers["X-Request-ID"],
            "function": tmp_path.name,
            "handler": "ice",
            "kind": "voice",
            "method": "POST",
            "path": "/ice",
            "status": 200,
            "outcome": "ok",
            "request_bytes": len(json.dumps(ICE)),
            "response_bytes": 2,
            "call_id": CALL_ID,
        }


def test_a_record_names_the_handler_as_written_and_the_path_as_called(tmp_path: Path) -> None:
    (tmp_path / "sinch.json").write_text('{"name": "my \\"func\\"\\ntion"}')
    with serving(tmp_path, "def user_profile(context, request): pass") as served:
        served.get("/v1//user-profile/?secret=1")
        (record,) = served.ledger
        assert (record["handler"], record["path"], record["kind"]) == ("user_profile", "/v1//user-profile/", "http")
        assert record["function"] == 'my "func"\ntion'


def test_a_path_outside_ascii_is_readable_in_the_record_and_in_the_log(tmp_path: Path) -> None:
    with serving(tmp_path, "def hello(context, request): pass") as served:
        served.get("/caf%C3%A9/hello")
        assert served.ledger[0]["path"] in ("/café/hello", "/caf%C3%A9/hello")
        assert "Ã" not in served.request_lines[0]["message"]


def test_the_ledger_is_off_in_development_and_can_be_put_elsewhere(tmp_path: Path) -> None:
    with serving(tmp_path / "a", "def hello(c, r): pass", SINCHFN_ENV="development") as served:
        served.get("/hello")
        assert not (tmp_path / "a" / "data").exists()
    with serving(tmp_path / "b", "def hello(c, r): pass", SINCHFN_USAGE="deep/er/u.log") as served:
        served.get("/hello")
        assert len((tmp_path / "b/deep/er/u.log").read_text().splitlines()) == 1
    with serving(tmp_path / "c", "def hello(c, r): pass", SINCHFN_USAGE=str(tmp_path / "abs.jsonl")) as served:
        served.get("/hello")
        assert len((tmp_path / "abs.jsonl").read_text().splitlines()) == 1
    with serving(tmp_path / "d", "def hello(c, r): pass", SINCHFN_USAGE="off") as served:
        served.get("/hello")
        assert not (tmp_path / "d" / "off").exists()
        assert len(served.request_lines) == 1


@pytest.mark.parametrize("kind", ["below a file", "a folder", "a dead link", "a name too long", "a full disk"])
def test_a_ledger_that_cannot_be_written_is_logged_with_its_record_and_fails_no_call(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "no" / "where")
    places = {"below a file": "file/u", "a folder": "folder", "a dead link": "link", "a name too long": "x" * 300}
    place = places.get(kind, "/dev/full")
    if place == "/dev/full" and not Path(place).exists():
        pytest.skip("no /dev/full here")
    with serving(tmp_path, STREAMS + "\ndef ice(c, d): pass", SINCHFN_USAGE=place) as served:
        for answer in (served.post("/ice", ICE), served.get("/hello")):
            assert answer.status == 200
            (line,) = [
                line
                for line in served.log_lines
                if line["level"] == "WARNING" and answer.headers["X-Request-ID"] in line["message"]
            ]
            record = json.loads(line["message"][line["message"].index("{") :])
            assert record["request_id"] == line["request_id"] == answer.headers["X-Request-ID"]
        assert len(served.request_lines) == 2
        (explained,) = served.logged("ERROR")
        assert str(tmp_path) in explained or "/dev/full" in explained
        assert "or set it to off" in explained


def test_where_only_errors_are_logged_a_record_that_cannot_be_written_is_one(tmp_path: Path) -> None:
    with serving(tmp_path, "def hello(c, r): pass", SINCHFN_USAGE=str(tmp_path), SINCHFN_LOG_LEVEL="ERROR") as served:
        ids = [served.get("/hello").headers["X-Request-ID"] for _ in range(2)]
        assert [sum(request_id in line for line in served.logged("ERROR")) for request_id in ids] == [1, 1]


def test_a_ledger_that_can_be_written_again_is_told_of(tmp_path: Path) -> None:
    with serving(tmp_path, "def hello(c, r): pass", SINCHFN_USAGE="u") as served:
        (tmp_path / "u").mkdir()
        served.get("/hello")
        (tmp_path / "u").rmdir()
        for _ in range(2):
            served.get("/hello")
        assert len([line for line in served.logged("INFO") if "is written again" in line]) == 1
        (tmp_path / "u").unlink()


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        ("file/u", "Not a directory"),
        ("folder", "Is a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_ledger_that_cannot_be_written_is_told_of_at_start_with_cause_and_cure(
    tmp_path: Path, place: str, cause: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with serving(tmp_path, "def hello(c, r): pass", SINCHFN_USAGE=place) as served:
        (warning,) = [line for line in served.logged("WARNING") if "usage ledger" in line]
    assert f"cannot be written: {cause}." in warning
    assert warning.endswith("Point SINCHFN_USAGE elsewhere, or set it to off.")


def test_no_record_is_lost_when_the_ledger_is_moved_away(tmp_path: Path) -> None:
    with serving(tmp_path, "def hello(c, r): pass") as served:
        served.get("/hello")
        moved = served.ledger_file.rename(served.ledger_file.with_suffix(".1"))
        served.get("/hello")
        assert (len(moved.read_text().splitlines()), len(served.ledger)) == (1, 1)


def test_every_writer_notices_at_once_that_the_ledger_was_moved_away(tmp_path: Path) -> None:
    """Several functions, or processes, write to one file. Whoever writes next begins the new one."""
    config = {"SINCHFN_USAGE": str(tmp_path / "usage.jsonl"), "WEBHOOK_PROTECTION": "never"}
    folders = [write_function(tmp_path / name, "def hello(c, r): ...") for name in ("a", "b")]
    clients = [create_app(folder, config=config).test_client() for folder in folders]
    for round_ in range(3):
        for client in clients:
            client.get("/hello")
        written = (tmp_path / "usage.jsonl").read_text().splitlines()
        assert [json.loads(line)["function"] for line in written] == ["a", "b"]
        (tmp_path / "usage.jsonl").rename(tmp_path / f"usage.{round_}")


@pytest.mark.parametrize("environment", ["production", "development"])
def test_the_ledger_may_be_standard_output(
    tmp_path: Path, environment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"SINCHFN_USAGE": "-", "SINCHFN_ENV": environment}
    app = create_app(write_function(tmp_path, "def hello(c, r): print('hi')"), config=config)
    for _ in range(2):
        app.test_client().get("/hello")
    lines = capsys.readouterr().out.splitlines()
    assert lines[::2] == ["hi", "hi"]
    assert [json.loads(line)["handler"] for line in lines[1::2]] == ["hello", "hello"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["function.py"]


@pytest.mark.parametrize("stdout", [None, "closed"])
def test_standard_output_that_cannot_be_written_fails_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stdout: str | None
) -> None:
    app = create_app(write_function(tmp_path, "def hello(c, r): return 'hi'"), config={"SINCHFN_USAGE": "-"})
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed if stdout else None)
    assert app.test_client().get("/hello").text == "hi"
    assert "The usage ledger on standard output cannot be written" in caplog.text
    assert '"handler":"hello"' in caplog.text


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("asked", [True, False])
def test_an_app_under_test_keeps_no_ledger_unless_asked_to(tmp_path: Path, embedded: bool, asked: bool) -> None:
    folder = write_function(tmp_path / "fn", "def hello(c, r): ...")
    config = {"SINCHFN_USAGE": "data/usage.jsonl"} if asked else {}
    if embedded:
        app = Flask("host")
        SinchFunctions(folder, config=config).init_app(app)
    else:
        app = create_app(folder, config=config)
    app.config["TESTING"] = True  # as test suites do it: when the app is made
    app.test_client().get("/hello")
    assert (folder / "data").exists() == asked
    app.config["TESTING"] = False
    app.test_client().get("/hello")
    assert (folder / "data" / "usage.jsonl").exists()


def test_no_record_is_lost_when_the_folder_of_the_ledger_is_removed(tmp_path: Path) -> None:
    with serving(tmp_path, "def hello(c, r): pass") as served:
        served.get("/hello")
        served.ledger_file.parent.rename(tmp_path / "old")
        deadline = time.monotonic() + 30
        while not served.ledger_file.exists() and time.monotonic() < deadline:
            assert served.get("/hello").status == 204
            time.sleep(0.05)
        assert served.ledger


def test_threads_never_mix_their_lines(tmp_path: Path) -> None:
    with serving(tmp_path, "def hello(c, r): pass", SINCHFN_LOG_LEVEL="CRITICAL") as served:

        def work() -> None:
            for _ in range(200):
                served.get("/hello/" + "x" * 500 + "/hello")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(served.ledger) == 1600
        assert len({record["request_id"] for record in served.ledger}) == 1600


def _call_often(folder: str, times: int) -> None:
    with own_logging(), mock.patch.dict(os.environ, clean_environment(), clear=True):
        app = create_app(folder, config={"WEBHOOK_PROTECTION": "never"})
        for _ in range(times):
            send(app, environ_of(path="/hello/" + "y" * 700 + "/hello"))


def test_processes_never_mix_their_lines(tmp_path: Path) -> None:
    folder = write_function(tmp_path, "def hello(c, r): pass")
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_call_often, args=(str(folder), 300)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    records = [json.loads(line) for line in (tmp_path / "data/usage.jsonl").read_text().splitlines()]
    assert len(records) == 900


# --- request ids ----------------------------------------------------------------------------------------------------

WITH_ID = """
auth = ["closed"]
def hello(context, request):
    context.log.info("one")
    logging.getLogger("mine").info("two")
    return {"context": context.request_id, "request": request.id}
async def later(context, request):
    await asyncio.sleep(0)
    logging.getLogger("mine").info("three")
    return {"context": context.request_id, "request": request.id}
def closed(context, request): pass
def fails(context, request): 1 / 0
def aborts(context, request): abort(409)
def stream(context, request): yield "x"
def ice(context, data): return None
"""


@pytest.mark.parametrize("given", ["a", "A-Za-z0-9_.-", "0", "x" * 128, "..", "-"])
@pytest.mark.parametrize("path", ["/hello", "/later"])
def test_a_sane_request_id_is_taken(tmp_path: Path, given: str, path: str) -> None:
    with serving(tmp_path, WITH_ID) as served:
        answer = served.get(path, headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == given
        assert answer.json == {"context": given, "request": given}
        assert served.ledger[0]["request_id"] == given
        lines = [line for line in served.log_lines if line["logger"] != "sinchfn"]
        assert len(lines) > 1
        assert {line["request_id"] for line in lines} == {given}


@pytest.mark.parametrize(
    "given", ["", " ", "x" * 129, "a b", "a\n", "a\r\nb", "ä", "\xff", "a/b", "a,b", "<b>", '"', "\x00", "a;b", "%00"]
)
def test_any_other_request_id_is_replaced(tmp_path: Path, given: str) -> None:
    with serving(tmp_path, WITH_ID) as served:
        seen = set()
        for _ in range(2):
            answer = served.get("/hello", headers={"X-Request-ID": given})
            made = answer.headers["X-Request-ID"]
            assert re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", made)
            assert answer.json["context"] == made
            seen.add(made)
        assert len(seen) == 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hello", 200),
        ("HEAD", "/hello", 200),
        ("GET", "/closed", 401),
        ("GET", "/fails", 500),
        ("GET", "/aborts", 409),
        ("GET", "/stream", 200),
        ("POST", "/ice", 400),
        ("GET", "/ice", 405),
        ("GET", "/nowhere", 404),
        ("FROB", "/hello", 405),
        ("GET", "/health", 200),
        ("GET", "/", 200),
        ("GET", "/a.txt", 200),
    ],
)
def test_the_request_id_is_on_every_answer(tmp_path: Path, method: str, path: str, status: int) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "a.txt").write_text("a")
    with serving(tmp_path, WITH_ID) as served:
        answer = served.request(method, path, headers={"X-Request-ID": "mine"})
        assert answer.status == status
        assert answer.headers.getlist("X-Request-ID") == ["mine"]
        if status >= 400:
            assert answer.json["requestId"] == "mine"


def test_the_request_id_of_one_thread_never_shows_in_the_lines_of_another(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        time.sleep(0.002)
        logging.getLogger("mine").info(context.request_id)
    """
    with serving(tmp_path, source) as served:
        threads = [
            threading.Thread(target=served.get, args=("/hello",), kwargs={"headers": {"X-Request-ID": f"id-{number}"}})
            for number in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = [line for line in served.log_lines if line["logger"] == "mine"]
        assert len(lines) == 40
        assert all(line["message"] == line["request_id"] for line in lines)


def test_context_log_carries_the_request_into_other_threads(tmp_path: Path) -> None:
    source = """
    import threading
    def hello(context, request):
        thread = threading.Thread(target=lambda: context.log.warning("from a thread"))
        thread.start()
        thread.join()
    """
    with serving(tmp_path, source) as served:
        served.get("/hello", headers={"X-Request-ID": "mine"})
        (line,) = [line for line in served.log_lines if line["message"] == "from a thread"]
        assert (line["request_id"], line["handler"]) == ("mine", "hello")


def test_lines_of_a_call_carry_its_call_id(tmp_path: Path) -> None:
    with serving(tmp_path, "def ice(context, data): context.log.info('here')") as served:
        served.post("/ice", ICE)
        assert {line["call_id"] for line in served.log_lines if line["logger"] != "sinchfn"} == {CALL_ID}


# --- signals --------------------------------------------------------------------------------------------------------


def test_every_signal_has_the_app_as_sender_and_carries_the_invocation(tmp_path: Path) -> None:
    heard: list[tuple[str, Any, dict[str, Any]]] = []
    receivers = []
    for name in ALL_SIGNALS:

        def receiver(sender: Any, name: str = name, **carried: Any) -> None:
            heard.append((name, sender, carried))

        receivers.append(receiver)
        getattr(signals, name).connect(receiver)
    with serving(tmp_path, "def hello(c, r): raise ValueError('x')") as served:
        answer = served.get("/hello")
        assert [name for name, _, _ in heard] == ["before_request", "handler_failed", "usage_recorded", "after_request"]
        for name, sender, carried in heard:
            assert sender is served.app
            invocation = carried.pop("invocation")
            assert invocation.request_id == answer.headers["X-Request-ID"]
            assert invocation.function is served.app.extensions["sinchfn"][0]
            if name == "usage_recorded":
                record = carried.pop("record")
                assert json.loads(record.to_json()) == served.ledger[0]
            if name == "handler_failed":
                assert isinstance(carried.pop("error"), ValueError)
            assert carried == {}


def test_a_receiver_connected_to_one_app_hears_nothing_of_another(tmp_path: Path) -> None:
    heard: list[str] = []

    def receiver(_: Any, invocation: Invocation) -> None:
        heard.append(invocation.function.name)

    with (
        serving(tmp_path / "one", "def hello(c, r): pass") as one,
        serving(tmp_path / "two", "def hello(c, r): pass") as two,
    ):
        signals.after_request.connect(receiver, sender=one.app)
        one.get("/hello")
        two.get("/hello")
        assert heard == ["one"]


def test_a_handler_that_aborts_has_not_failed(tmp_path: Path) -> None:
    heard: list[Any] = []

    def receiver(*_: Any, **carried: Any) -> None:
        heard.append(carried)

    signals.handler_failed.connect(receiver)
    with serving(tmp_path, "def hello(c, r): abort(404)") as served:
        assert served.get("/hello").status == 404
        assert heard == []


# --- secrets --------------------------------------------------------------------------------------------------------

CANARIES = {
    "VOICE_APPLICATION_KEY": "canary-key-5f5c418a",
    "VOICE_APPLICATION_SECRET": "Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5",
    "ADMIN_USER": "admin",
    "ADMIN_PASSWORD": "canary-password-8jd7",
    "MY_TOKEN": "canary-token-aa11bb22",
    "MY_QUOTED_SECRET": "canary\"quoted'back\\slash",
    "MY_WIDE_SECRET": "canary-pässwörd-€",
    "MY_PRIVATE_KEY": "-----BEGIN CANARY-----\nMIICANARYcanary\n-----END CANARY-----",
}
SPILLS = """
def logs(context, request):
    for value in context.env.values():
        context.log.warning("a value: %s", value)
        context.log.warning(f"inline {value}")
        logging.getLogger("other").error("elsewhere %s", {"value": value})
        print(end="")
def raises(context, request):
    raise ValueError(context.env[request.query["name"]])
def raises_repr(context, request):
    raise KeyError(context.env[request.query["name"]])
def raises_deep(context, request):
    try:
        int(context.env[request.query["name"]])
    except ValueError as error:
        raise RuntimeError(f"bad value {context.env[request.query['name']]!r}") from error
def in_stack(context, request):
    context.log.error("with stack %s", context.env[request.query["name"]], stack_info=True)
def bad_format(context, request):
    context.log.error("%d", context.env[request.query["name"]])
def reprs(context, request):
    return repr([context, context.config, context.log, request, flask.current_app.extensions["sinchfn"]])
def ice(context, data):
    raise ValueError(context.env["VOICE_APPLICATION_SECRET"])
"""


def spilled(text: str) -> list[str]:
    """Names of the canaries whose value is in a text, in any of the ways in which a text is written into another."""
    found = []
    for name, value in CANARIES.items():
        if name == "ADMIN_USER":
            continue
        core = {"MY_PRIVATE_KEY": "MIICANARY", "MY_QUOTED_SECRET": "quoted'back", "MY_WIDE_SECRET": "canary-p"}
        if core.get(name, value) in text:
            found.append(name)
    return found


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("environment", ["production", "development"])
@pytest.mark.parametrize("path", ["/logs", "/raises", "/raises_repr", "/raises_deep", "/in_stack", "/bad_format"])
def test_no_secret_gets_into_a_log_line_or_an_answer(tmp_path: Path, path: str, environment: str, form: str) -> None:
    settings = {"SINCHFN_ENV": environment, "SINCHFN_LOG_FORMAT": form}
    with serving(tmp_path, SPILLS, **CANARIES, **settings) as served:
        for name in CANARIES:
            answer = served.get(f"{path}?name={name}")
            assert spilled(answer.text) == []
        assert spilled(served.log) == []
        assert served.log


def test_no_secret_is_in_the_repr_of_what_a_handler_gets(tmp_path: Path) -> None:
    with serving(tmp_path, SPILLS, **CANARIES) as served:
        assert [name for name in spilled(served.get("/reprs").text) if name != "VOICE_APPLICATION_KEY"] == []


@pytest.mark.parametrize("environment", ["production", "development"])
def test_no_secret_gets_out_by_way_of_a_refused_or_failed_callback(tmp_path: Path, environment: str) -> None:
    settings = {"SINCHFN_ENV": environment, "WEBHOOK_PROTECTION": "always"}
    with serving(tmp_path, SPILLS, **CANARIES | settings) as served:
        key, secret = CANARIES["VOICE_APPLICATION_KEY"], CANARIES["VOICE_APPLICATION_SECRET"]
        answers = [
            served.post("/ice", ICE),
            served.call(secret="AAAA", key=key),
            served.call(secret=secret, key=key),
        ]
        assert [answer.status for answer in answers] == [401, 401, 500]
        assert [spilled(answer.text) for answer in answers] == [[], [], []]
        assert spilled(served.log) == []


def test_details_of_an_exception_are_in_the_answer_in_development_only(tmp_path: Path) -> None:
    source = "def hello(context, request): raise ValueError('the detail of it')"
    with serving(tmp_path, source) as served:
        answer = served.get("/hello")
        assert set(answer.json) == {"error", "requestId"}
        assert "the detail" not in answer.text
        assert "ValueError" not in answer.text
        assert "ValueError: the detail of it" in served.traces()
    with serving(tmp_path, source, SINCHFN_ENV="development") as served:
        assert "ValueError: the detail of it" in served.get("/hello").text


def test_secrets_are_struck_out_where_somebody_else_set_up_the_logging(tmp_path: Path) -> None:
    source = f"""
    import logging, sys
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    sys.path.insert(0, {str(ROOT)!r})
    from tests.harness.call import environ_of, send
    from sinchfn import create_app
    app = create_app({str(tmp_path)!r}, config={{"WEBHOOK_PROTECTION": "never", "MY_TOKEN": "canary-token-aa11bb22"}})
    send(app, environ_of(path="/hello"))
    send(app, environ_of(path="/fails"))
    """
    write_function(
        tmp_path,
        """
        def hello(context, request): context.log.warning("it is %s", context.env["MY_TOKEN"])
        def fails(context, request): raise ValueError(context.env["MY_TOKEN"])
        """,
    )
    script = "\n".join(line.strip() for line in source.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=clean_environment(), check=True
    )
    assert "it is" in done.stdout
    assert "canary" not in done.stdout + done.stderr


def test_secrets_of_two_functions_in_one_process_are_both_struck_out(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        context.log.warning("it is %s", context.env["MY_TOKEN"])
    """
    with own_logging() as written, mock.patch.dict(os.environ, clean_environment(), clear=True):
        apps = []
        for name in ("one", "two"):
            folder = write_function(tmp_path / name, source)
            config = {"MY_TOKEN": f"canary-of-{name}", "WEBHOOK_PROTECTION": "never"}
            apps.append(create_app(folder, config=config))
        for app in apps:
            send(app, environ_of(path="/hello"))
        assert written.getvalue().count("it is") == 2
        assert "canary-of" not in written.getvalue()


# --- the log --------------------------------------------------------------------------------------------------------

FORGED = "12:00:00 INFO    forged"
INJECTED = f"x\n{FORGED}\r{FORGED}\u2028{FORGED}\x85{FORGED}\x1b[2J"


def assert_not_forged(served: Served, form: str) -> None:
    lines = served.log.splitlines()
    assert not [line for line in lines if line.lstrip().startswith(FORGED)]
    assert "\x1b" not in served.log
    if form == "json":
        assert served.log_lines


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_a_caller_sends_can_forge_a_line(tmp_path: Path, form: str) -> None:
    source = """
    def hello(context, request):
        context.log.warning("%s %s %s", request.path, request.query, dict(request.headers))
        context.log.warning(request.query.get("a", ""))
        logging.getLogger(request.query.get("a", "mine")).warning("logger's name")
    def ice(context, data):
        context.log.warning("call %s from %s", data.call_id, data.cli)
    """
    with serving(tmp_path, source, SINCHFN_LOG_FORMAT=form) as served:
        quoted = "".join(f"%{byte:02X}" for byte in INJECTED.encode())
        served.get(
            f"/{quoted}/hello?a={quoted}", headers={"X-In": INJECTED, "X-Request-ID": INJECTED, "User-Agent": INJECTED}
        )
        served.get(f"/{quoted}")
        served.request("FROB" + INJECTED, "/hello")
        served.post("/ice", ICE | {"callid": INJECTED, "cli": INJECTED})
        served.post("/ice", ICE | {"event": INJECTED, "to": INJECTED, "timestamp": INJECTED})
        served.post("/ice", b"{}", headers={"Content-Type": INJECTED})
        assert_not_forged(served, form)
        assert len(served.ledger) == 4


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("environment", ["production", "development"])
def test_no_refused_signature_can_forge_a_line(tmp_path: Path, form: str, environment: str) -> None:
    settings = {"SINCHFN_LOG_FORMAT": form, "SINCHFN_ENV": environment, "WEBHOOK_PROTECTION": "always"}
    with serving(tmp_path, "def ice(c, d): pass", **settings | SIGNING) as served:
        good = signed(b"{}")
        for name in good:
            assert served.post("/ice", b"{}", headers=good | {name: INJECTED}).status == 401
            assert served.post("/ice", b"{}", headers=good | {name: f"application {INJECTED}:{INJECTED}"}).status == 401
        quoted = "".join(f"%{byte:02X}" for byte in INJECTED.encode())
        assert served.post(f"/{quoted}/ice", b"{}", headers=good).status == 401
        assert_not_forged(served, form)


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_that_quotes_the_caller_cannot_forge_a_line(tmp_path: Path, form: str) -> None:
    source = "def ice(context, data): raise ValueError(data.call_id)"
    with serving(tmp_path, source, SINCHFN_LOG_FORMAT=form) as served:
        assert served.post("/ice", ICE | {"callid": INJECTED}).status == 500
        assert not [line for line in served.log.splitlines() if line.startswith(FORGED)]
        assert "\x1b" not in served.log


def test_every_line_of_the_json_form_is_an_object_with_the_same_first_fields(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        context.log.info("plain")
        context.log.info("with %s", object(), extra={"more": 1})
        context.log.info({"a": "dict"})
        context.log.info("100%")
        context.log.info("\\ud800 \\u2028 \\n \\x00 é")
        try:
            1 / 0
        except ZeroDivisionError:
            context.log.exception("with a trace")
        return "hi"
    """
    with serving(tmp_path, source) as served:
        served.get("/hello")
        assert len(served.log_lines) == 8
        for line in served.log_lines:
            assert {"time", "level", "logger", "message"} <= set(line)
        assert "ZeroDivisionError" in served.traces()


def test_every_line_of_the_text_form_begins_with_time_and_level_and_names_the_request(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        context.log.info("a line")
        return "hi"
    """
    with serving(tmp_path, source, SINCHFN_LOG_FORMAT="text") as served:
        served.get("/hello", headers={"X-Request-ID": "mine"})
        lines = served.log.splitlines()
        head = re.compile(r"\d\d:\d\d:\d\d [A-Z]+ +")
        assert sum(bool(head.match(line)) for line in lines) == 3
        assert sum("mine" in line for line in lines) == 2
        assert any("GET /hello 200" in line for line in lines)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("DEBUG", {"debug", "info", "warning", "error"}),
        ("info", {"info", "warning", "error"}),
        ("WARNING", {"warning", "error"}),
        ("ERROR", {"error"}),
        ("CRITICAL", set()),
    ],
)
def test_the_log_level_is_the_least_that_is_logged(tmp_path: Path, level: str, expected: set[str], form: str) -> None:
    source = """
    def hello(context, request):
        for name in ("debug", "info", "warning", "error"):
            getattr(context.log, name)("said %s", name)
        return "hi"
    """
    with serving(tmp_path, source, SINCHFN_LOG_LEVEL=level, SINCHFN_LOG_FORMAT=form) as served:
        served.get("/hello")
        assert set(re.findall(r"said (\w+)", served.log)) == expected
        assert ("GET /hello" in served.log) == ("info" in expected)
        assert len(served.ledger) == 1, "the ledger is no log"


@pytest.mark.parametrize(("path", "level"), [("/hello", "INFO"), ("/aborts", "WARNING"), ("/unwell", "ERROR")])
def test_the_line_of_a_request_has_the_level_of_its_status(tmp_path: Path, path: str, level: str) -> None:
    source = """
    def hello(c, r): return "hi"
    def aborts(c, r): abort(404)
    def unwell(c, r): abort(503)
    """
    with serving(tmp_path, source) as served:
        served.get(path)
        assert [line["level"] for line in served.request_lines] == [level]


@pytest.mark.parametrize(
    ("path", "level", "words"),
    [
        ("/hello", "INFO", "GET /hello 200"),
        ("/fails", "WARNING", "GET /fails, failed"),  # the exception is the ERROR
        ("/breaks", "WARNING", "GET /breaks, failed"),
        ("/leaves", "INFO", "GET /leaves 200, the client left before the end"),
    ],
)
def test_the_line_of_a_request_tells_its_outcome(tmp_path: Path, path: str, level: str, words: str) -> None:
    source = """
    def hello(c, r): return "hi"
    def fails(c, r): 1 / 0
    def breaks(c, r):
        yield "begin"
        1 / 0
    def leaves(c, r):
        yield "begin"
        yield "more"
    """
    with serving(tmp_path, source) as served:
        if path == "/leaves":
            opened = Opened(served.app, environ_of(path=path))
            next(opened.iterator)
            opened.close()
        else:
            served.get(path)
        (line,) = served.request_lines
        assert line["level"] == level
        assert line["message"] == words


def test_the_line_of_a_request_is_dated_when_it_is_written_and_keeps_its_beginning(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        time.sleep(0.01)
        context.log.info("within")
        time.sleep(0.01)
    """
    with serving(tmp_path, source) as served:
        served.get("/hello")
        within, line = served.log_lines[-2:]
        assert list(line)[:4] == list(within)[:4] == ["time", "level", "logger", "message"]
        assert line["started"] < within["time"] < line["time"]
        assert line["started"] == served.ledger[0]["time"]


def test_an_unread_body_that_breaks_off_is_still_recorded(tmp_path: Path) -> None:
    with serving(tmp_path, "def hello(c, r): return 'never looks at its body'") as served:
        assert served.post("/hello", Stream(b"abc", OSError()), CONTENT_LENGTH="9").status == 400
        reached(served, 400, "refused")


def test_a_response_object_kept_by_the_function_is_no_way_around_the_record(tmp_path: Path) -> None:
    source = """
    kept = Response("the same each time")
    def hello(context, request): return kept
    """
    with serving(tmp_path, source) as served:
        ids = [served.get("/hello").headers.getlist("X-Request-ID") for _ in range(3)]
        assert [[record["request_id"]] for record in served.ledger] == ids


def test_logging_of_the_platform_does_not_touch_a_level_it_was_not_asked_to_set() -> None:
    assert logging.getLogger("sinchfn").level == logging.NOTSET
    assert isinstance(Response(), Response)
