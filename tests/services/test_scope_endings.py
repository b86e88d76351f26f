"""The end of a scoped service: it sees the exception that ended its request, and can fail the request."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from flask import Flask

from sinchfn import signals
from sinchfn.testing import open_socket
from tests.harness.app import MakeApp
from tests.harness.call import call

#: Every way of making a service that is told how its request ended. Each writes into ``told``.
PARTS = """
import contextlib, sqlite3, sys, flask, sinchfn
from sinchfn import IceSvamlBuilder, not_found, server_error

told = []

def name_of(error):
    return type(error).__name__ if error is not None else "ok"

class Generator: ...
def generator():
    try:
        yield Generator()
    except BaseException as error:
        told.append(f"Generator {name_of(error)}")
        raise
    else:
        told.append("Generator ok")

class Swallowing: ...
def swallowing():
    try:
        yield Swallowing()
        told.append("Swallowing ok")
    except BaseException as error:
        told.append(f"Swallowing {name_of(error)}")

class Manager:
    def __enter__(self): return self
    def __exit__(self, kind, error, trace):
        assert kind is (None if error is None else type(error))
        told.append(f"Manager {name_of(error)}")
        return True

class AsyncManager:
    async def __aenter__(self): return self
    async def __aexit__(self, kind, error, trace): told.append(f"AsyncManager {name_of(error)}")

class Decorated: ...
@contextlib.contextmanager
def decorated():
    try:
        yield Decorated()
    except BaseException as error:
        told.append(f"Decorated {name_of(error)}")
        raise
    told.append("Decorated ok")

class Closed:
    def close(self): told.append("Closed")

class AsyncClosed:
    async def aclose(self): told.append("AsyncClosed")

class Failing(Exception): ...

class InitOfAll(sinchfn.SinchFunctionInit):
    def configure_services(self, services, config):
        for kind, factory in KINDS.items():
            services.add_scoped(kind, factory)
    def configure_app(self, app):
        app.use(middleware)

KINDS = {
    Generator: generator, Swallowing: swallowing, Manager: None, AsyncManager: None, Decorated: decorated,
    Closed: None, AsyncClosed: None,
}
doing = {"middleware": "nothing"}

def middleware(invocation, call_next):
    if doing["middleware"] == "catch":
        try:
            return call_next()
        except Exception:
            return not_found("as if")
    if doing["middleware"] == "retry":
        try:
            return call_next()
        except Exception:
            return call_next()
    answer = call_next()
    if doing["middleware"] == "raise":
        raise Failing
    return answer

def use(context):
    for kind in KINDS:
        context.services.get(kind)
"""

ALL = ("AsyncClosed", "Closed", "Decorated", "AsyncManager", "Manager", "Swallowing", "Generator")


def told_of(error: str) -> list[str]:
    """Return what the services write when the request ends with this exception, the last one made first."""
    return [name if name.endswith("Closed") else f"{name} {error}" for name in ALL]


def serve(make_app: MakeApp, source: str, folder: str = "fn", **config: object) -> tuple[Flask, Any]:
    files = {"parts.py": PARTS, "function.py": "from parts import *\nclass Init(InitOfAll): ...\n" + source}
    app = make_app(files, folder, **{"SINCHFN_ENV": "development", **config})
    return app, app.extensions["sinchfn"][0].module


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("return {'a': 1}", 200, "ok"),
        ("return None", 204, "ok"),
        ("return server_error('no')", 500, "ok"),
        ("return not_found('no')", 404, "ok"),
        ("return {'statusCode': 503}", 503, "ok"),
        ("return flask.Response('x', 500)", 500, "ok"),
        ("return [object()]", 500, "AnswerError"),
        ("return object()", 500, "AnswerError"),
        ("return {'a': float('nan')}", 500, "AnswerError"),
        ("raise Failing", 500, "Failing"),
        ("raise Failing('x') from ValueError()", 500, "Failing"),
        ("sys.exit(1)", 500, "SystemExit"),
        ("raise KeyboardInterrupt", 500, "KeyboardInterrupt"),
        ("raise StopIteration", 500, "StopIteration"),
        ("raise GeneratorExit", 500, "GeneratorExit"),
        ("flask.abort(404)", 404, "NotFound"),
        ("flask.abort(500)", 500, "InternalServerError"),
        ("flask.abort(flask.Response('x', 202))", 202, "HTTPException"),
    ],
)
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_service_is_told_of_what_its_handler_raised_and_not_of_what_it_returned(
    make_app: MakeApp, kind: str, body: str, status: int, error: str
) -> None:
    if kind == "async def" and error in ("StopIteration", "KeyboardInterrupt", "GeneratorExit"):
        pytest.skip("a coroutine cannot raise it")
    app, module = serve(make_app, f"{kind} work(context, request):\n    use(context)\n    {body}\n")
    assert call(app, "GET", "/work").status == status
    assert module.told == told_of(error)


@pytest.mark.parametrize(
    ("body", "config", "status", "error"),
    [
        ("return IceSvamlBuilder().hangup()", {}, 200, "ok"),
        ("return {'action': {'name': 'nonsense'}}", {"SINCHFN_SVAML": "strict"}, 500, "AnswerError"),
        ("return {'action': {'name': 'nonsense'}}", {"SINCHFN_SVAML": "warn"}, 200, "ok"),
        ("raise Failing", {}, 500, "Failing"),
        ("raise Failing", {"SINCHFN_VOICE_ERROR_MESSAGE": "Sorry"}, 200, "Failing"),
        ("flask.abort(503)", {"SINCHFN_VOICE_ERROR_MESSAGE": "Sorry"}, 200, "ServiceUnavailable"),
    ],
)
def test_a_callback_that_failed_is_told_to_its_services_also_where_its_answer_is_spoken(
    make_app: MakeApp, body: str, config: dict[str, object], status: int, error: str
) -> None:
    app, module = serve(make_app, f"def ice(context, data):\n    use(context)\n    {body}\n", **config)
    assert call(app, "POST", "/ice", json={"event": "ice"}).status == status
    assert module.told == told_of(error)


@pytest.mark.parametrize(
    ("does", "status", "error"), [("raise", 500, "Failing"), ("catch", 404, "Failing"), ("retry", 200, "ok")]
)
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_middleware_makes_of_a_failure_does_not_hide_it(
    make_app: MakeApp, kind: str, does: str, status: int, error: str
) -> None:
    source = f"""
tries = []
{kind} work(context, request):
    use(context)
    tries.append(1)
    if doing["middleware"] != "raise" and len(tries) == 1: raise Failing
    return {{}}
"""
    app, module = serve(make_app, source)
    module.doing["middleware"] = does
    assert call(app, "GET", "/work").status == status
    assert module.told == told_of(error)


STREAMS = """
def work(context, request):
    def rows():
        use(context)
        if request.query.get("fail") == "first": raise Failing
        yield "a"
        if request.query.get("fail") == "second": raise Failing
        yield "b"
    return rows()
"""


@pytest.mark.parametrize(("query", "error"), [("", "ok"), ("?fail=first", "Failing"), ("?fail=second", "Failing")])
def test_the_services_of_a_streamed_answer_end_with_it(make_app: MakeApp, query: str, error: str) -> None:
    app, module = serve(make_app, STREAMS)
    if query == "?fail=second":
        with pytest.raises(RuntimeError, match="broke off"):
            call(app, "GET", f"/work{query}")
    else:
        call(app, "GET", f"/work{query}")
    assert module.told == told_of(error)


def test_a_client_that_leaves_a_streamed_answer_is_an_exception_too(make_app: MakeApp) -> None:
    app, module = serve(make_app, STREAMS)
    answer = app.test_client().get("/work", buffered=False)
    assert next(iter(answer.response)) == b"a"
    answer.close()
    assert module.told == told_of("GeneratorExit")


COMMITS = """
import sqlite3, sys
from sinchfn import SinchFunctionInit

ended = []
class Outer: ...
def _outer():
    try:
        yield Outer()
        ended.append("committed")
    except Exception as error:
        ended.append(f"rolled back: {error}")
        raise

class Inner: ...
def _inner(outer: Outer):
    yield Inner()
    raise OSError("the commit failed")

class Init(SinchFunctionInit):
    def configure_services(self, services, config):
        services.add_scoped(Outer, _outer)
        services.add_scoped(Inner, _inner)

def work(context, request):
    context.services.get(Inner)
    if request.query.get("raise"): raise ValueError("the handler failed")
    return {"saved": True}

def ice(context, data):
    context.services.get(Inner)

def streamed(context, request):
    context.services.get(Inner)
    yield "a"
"""


@pytest.fixture
def records() -> Any:
    found: list[Any] = []
    receiver = signals.usage_recorded.connect(lambda app, invocation, record: found.append(record), weak=False)
    yield found
    signals.usage_recorded.disconnect(receiver)


@pytest.mark.parametrize(("method", "path"), [("GET", "/work"), ("POST", "/ice")])
def test_a_commit_that_fails_is_no_success(
    make_app: MakeApp, records: list[Any], caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    app = make_app({"function.py": COMMITS}, SINCHFN_ENV="development")
    answer = call(app, method, path, json={"event": "ice"} if method == "POST" else None)
    assert answer.status == 500
    assert answer.json["detail"].startswith("OSError: the commit failed")
    assert app.extensions["sinchfn"][0].module.ended == ["rolled back: the commit failed"], "made before it: told of it"
    assert [(record.status, record.outcome) for record in records] == [(500, "error")]
    assert "Raised by the service Inner at the end of the request." in caplog.text


def test_a_commit_that_fails_behind_a_stream_breaks_it_off(make_app: MakeApp, records: list[Any]) -> None:
    app = make_app({"function.py": COMMITS}, SINCHFN_ENV="development")
    with pytest.raises(RuntimeError, match="broke off"):
        call(app, "GET", "/streamed")
    assert [record.outcome for record in records] == ["error"]


def test_what_fails_at_the_end_of_a_failed_request_is_logged(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    source = COMMITS.replace("    yield Inner()\n", "    try: yield Inner()\n    except ValueError: pass\n")
    app = make_app({"function.py": source}, SINCHFN_ENV="development")
    answer = call(app, "GET", "/work?raise=1")
    assert (answer.status, answer.json["detail"]) == (500, "ValueError: the handler failed")
    assert "Inner could not be closed." in caplog.text
    assert "OSError: the commit failed" in caplog.text
    assert app.extensions["sinchfn"][0].module.ended == ["rolled back: the handler failed"]


SQLITE = """
import sqlite3
from sinchfn import SinchFunctionInit

made = []
def _connect(config: sinchfn.FunctionConfig):
    connection = sqlite3.connect(config.folder / "orders.db", check_same_thread=False)
    connection.execute("CREATE TABLE IF NOT EXISTS orders (name TEXT)")
    made.append(connection)
    return connection

class Init(SinchFunctionInit):
    def configure_services(self, services, config):
        services.add_scoped(sqlite3.Connection, _connect)

def order(context, request):
    context.services.get(sqlite3.Connection).execute("INSERT INTO orders VALUES (?)", (request.query["name"],))
    if request.query.get("raise"): raise ValueError
    return {"statusCode": int(request.query.get("status", 200))}

def orders(context, request):
    return [name for (name,) in context.services.get(sqlite3.Connection).execute("SELECT name FROM orders")]
"""


def test_a_bare_connection_commits_what_was_answered_and_rolls_back_what_failed(make_app: MakeApp) -> None:
    app = make_app({"function.py": "import sinchfn\n" + SQLITE}, SINCHFN_ENV="development")
    for query, status in (("name=a", 200), ("name=b&raise=1", 500), ("name=c&status=422", 422)):
        assert call(app, "GET", f"/order?{query}").status == status
    assert call(app, "GET", "/orders").json == ["a", "c"]
    for connection in app.extensions["sinchfn"][0].module.made:
        with pytest.raises(Exception, match="closed database"):
            connection.execute("SELECT 1")


SOCKETS = """
def _stream(ws, request):
    use(ws.context)
    data = ws.receive()
    if data == "raise": raise Failing
    if data == "wait": ws.receive()

def _called(ws, request):
    use(ws.context)
    @ws.on_message
    def message(data):
        if data == "raise": raise Failing
        ws.close()

def setup(runtime):
    runtime.on_websocket("/stream", _stream, protected=False)
    runtime.on_websocket("/called", _called, protected=False)
"""


@pytest.mark.parametrize("path", ["/stream", "/called"])
@pytest.mark.parametrize(("message", "error"), [("raise", "Failing"), ("return", "ok")])
def test_the_services_of_a_socket_are_told_what_its_handler_raised(
    make_app: MakeApp, path: str, message: str, error: str
) -> None:
    app, module = serve(make_app, SOCKETS)
    with suppress(module.Failing), open_socket(app, path) as peer:
        peer.send(message)
    assert module.told == told_of(error)


def test_a_caller_who_hangs_up_is_no_exception(make_app: MakeApp) -> None:
    app, module = serve(make_app, SOCKETS)
    with open_socket(app, "/stream") as peer:
        peer.send("wait")
        peer.close()
    assert module.told == told_of("ok")


PROCESS = """
def setup(runtime):
    @runtime.on_startup
    def starts(context):
        use(context)
        if context.config.get_variable("FAIL"): raise Failing
    @runtime.on_shutdown
    def stops(context):
        use(context)
        raise Failing
"""


def test_the_services_of_a_start_and_an_end_are_told_too(make_app: MakeApp) -> None:
    app, module = serve(make_app, f"{PROCESS}\ndef f(context, request): ...\n")
    assert call(app, "GET", "/ready").status == 200
    assert module.told == told_of("ok")
    module.told.clear()
    app.extensions["sinchfn"][0].lifecycle.stop()
    assert module.told == told_of("Failing")
    app, module = serve(make_app, f"{PROCESS}\ndef f(context, request): ...\n", folder="failing", FAIL="1")
    assert call(app, "GET", "/ready").status == 503
    assert module.told == told_of("Failing")


def test_a_scope_that_is_used_as_a_context_manager_tells_its_services(make_app: MakeApp) -> None:
    app, module = serve(make_app, "def f(context, request): ...\n")
    services = app.extensions["sinchfn"][0].services
    error = module.Failing("once")

    def fail() -> None:
        with services.scope({}) as scope:
            for kind in module.KINDS:
                scope.get(kind)
            raise error

    with pytest.raises(module.Failing) as caught:
        fail()
    assert caught.value is error
    assert "generator" not in [entry.name for entry in caught.traceback], "no frames of the services are in it"
    assert module.told == told_of("Failing")
