"""The set-up of a function, seen from outside: services, routes, middleware, and overrides in tests."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sinchfn import Cache, FunctionError, Storage, create_app, signals
from tests.harness.app import MakeApp, MakeFunction
from tests.harness.server import gunicorn, until

DEVELOPMENT = {"SINCHFN_ENV": "development"}

HEAD = """\
from __future__ import annotations
import logging
from typing import Optional
from sinchfn import *
log = []
"""

#: A function whose controller has one of each kind of service. What is made and closed is in `log`.
SERVICES = """
class Db:
    def __init__(self, config: FunctionConfig, logger: logging.Logger):
        log.append("open db")
    def close(self):
        log.append("close db")

class Session:
    def __init__(self, db: Db, context: FunctionContext):
        self.db, self.id = db, context.request_id
        log.append("begin")
    def close(self):
        log.append("end")

class Orders:
    def __init__(self, session: Session, db: "Db", missing: Optional["Orders"] = None):
        self.session = session

def _session(db: Db, context: FunctionContext):
    session = Session(db, context)
    try:
        yield session
    finally:
        log.append("end")

class Init(SinchFunctionInit):
    def configure_services(self, services, config):
        services.add_singleton(Db)
        services.add_scoped(Session, _session)
        services.add_scoped(Orders, lambda services: Orders(services.get(Session), services.get(Db)))

class Shop(SinchController):
    def __init__(self, orders: Orders, session: Session, db: Db):
        assert orders.session is session and session.db is db
        self.session = session
    @get("/fine")
    def fine(self): return self.session.id
    @get("/fails")
    def fails(self): raise RuntimeError("no")
    @get("/exits")
    def exits(self): raise SystemExit(1)
    @get("/streams")
    def streams(self):
        def rows():
            log.append("row")
            yield "a"
            log.append("row")
            yield "b"
        return rows()
"""


@pytest.fixture
def serve(make_app: MakeApp) -> Callable[..., FlaskClient]:
    """Return a client of a function with this source, in development."""

    def make(source: str, folder: str = "fn", **config: object) -> FlaskClient:
        return make_app({"function.py": HEAD + source}, folder, **{**DEVELOPMENT, **config}).test_client()

    return make


@pytest.fixture
def refused(make_function: MakeFunction) -> Callable[[str], str]:
    """Return the start-up error of a function."""

    def start(source: str) -> str:
        with pytest.raises(FunctionError) as caught:
            create_app(make_function({"function.py": HEAD + source}), config={"SINCHFN_USAGE": "off", **DEVELOPMENT})
        return caught.value.message

    return start


def function_of(client: FlaskClient) -> Any:
    return client.application.extensions["sinchfn"][0]


class TestServices:
    def test_a_singleton_is_made_once_and_a_scoped_one_per_request(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(SERVICES)
        log = function_of(client).module.log
        assert log == []
        ids = [client.get("/fine", headers={"X-Request-ID": f"r{n}"}).text for n in range(2)]
        assert ids == ["r0", "r1"]
        assert log == ["open db", *["begin", "end"] * 2]

    @pytest.mark.parametrize("path", ["/fails", "/exits"])
    def test_a_scoped_one_is_closed_after_errors_too(self, serve: Callable[..., FlaskClient], path: str) -> None:
        client = serve(SERVICES)
        assert client.get(path).status_code == 500
        assert function_of(client).module.log == ["open db", "begin", "end"]

    @pytest.mark.parametrize("path", ["/x", "/streamed"])
    def test_one_that_exits_while_it_is_closed_ends_nothing(
        self, make_app: MakeApp, caplog: pytest.LogCaptureFixture, path: str
    ) -> None:
        caplog.set_level(logging.INFO)
        source = (
            "class Boom:\n    def close(self): raise SystemExit(3)\n"
            "class Init(SinchFunctionInit):\n"
            "    def configure_services(self, services, config): services.add_scoped(Boom)\n"
            "class A(SinchController):\n    def __init__(self, boom: Boom): ...\n"
            "    @get('/x')\n    def x(self): return 'x'\n"
            "    @get('/streamed')\n    def streamed(self):\n        yield 'x'\n"
        )
        app = make_app({"function.py": HEAD + source}, SINCHFN_USAGE="usage.jsonl")
        assert app.test_client().get(path).text == "x"
        assert (app.extensions["sinchfn"][0].config.folder / "usage.jsonl").read_text().count("\n") == 1
        assert len([r for r in caplog.records if r.name == "sinchfn.request"]) == 1

    def test_one_that_exits_behind_a_file_ends_nothing_either(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "import flask\n"
            "class Boom:\n    def close(self): raise SystemExit(1)\n"
            "class Init(SinchFunctionInit):\n"
            "    def configure_services(self, services, config): services.add_scoped(Boom)\n"
            "class A(SinchController):\n    def __init__(self, boom: Boom): ...\n"
            "    @get('/file')\n    def file(self): return flask.send_file(__file__)\n"
        )
        with client.get("/file") as answer:
            assert b"class Boom" in answer.data

    def test_a_file_of_a_service_goes_out_before_it_is_closed(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "import flask, tempfile\n"
            "class Tmp:\n"
            "    def __init__(self): self.f = tempfile.TemporaryFile(); self.f.write(b'a,b'); self.f.seek(0)\n"
            "    def close(self): log.append('closed'); self.f.close()\n"
            "class Init(SinchFunctionInit):\n"
            "    def configure_services(self, services, config): services.add_scoped(Tmp)\n"
            "class A(SinchController):\n    def __init__(self, tmp: Tmp): self.tmp = tmp\n"
            "    @get('/file')\n    def file(self): return flask.send_file(self.tmp.f, mimetype='text/csv')\n"
        )
        with client.get("/file") as answer:
            assert answer.data == b"a,b"
        assert function_of(client).module.log == ["closed"]

    def test_of_a_streamed_answer_it_is_closed_at_its_end(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(SERVICES)
        assert client.get("/streams").text == "ab"
        assert function_of(client).module.log == ["open db", "begin", "row", "row", "end"]

    def test_singletons_are_closed_at_shutdown(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(SERVICES)
        client.get("/fine")
        function_of(client).services.close()
        assert function_of(client).module.log[-1] == "close db"

    def test_what_the_context_offers_can_be_injected(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "class A(SinchController):\n"
            "    def __init__(self, cache: Cache, storage: Storage, assets: Assets, "
            "client: Optional[VoiceClient] = None):\n"
            "        own = self.context\n"
            "        self.same = [cache is own.cache, storage is own.storage, assets is own.assets]\n"
            "        self.client = client\n"
            "    @get('/same')\n    def answer(self): return [*self.same, self.client is self.context.voice.v1]\n"
        )
        assert client.get("/same").json == [True, True, True, True]

    def test_setup_shares_the_registry_and_sees_nothing_else(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "class Greeter: pass\n"
            "class Init(SinchFunctionInit):\n"
            "    def configure_services(self, services, config): self.services = services; log.append(services)\n"
            "def setup(runtime):\n"
            "    assert runtime.services is log[0]\n"
            "    runtime.services.add_singleton(Greeter)\n"
            "    log.append([name for name in dir(runtime) if not name.startswith('_')])\n"
            "class A(SinchController):\n"
            "    def __init__(self, greeter: Greeter): ...\n"
            "    @get('/a')\n    def a(self): return 'made'\n"
        )
        assert client.get("/a").text == "made"
        assert function_of(client).module.log[1] == ["config", "on_shutdown", "on_startup", "on_websocket", "services"]

    @pytest.mark.parametrize(
        ("source", "parts"),
        [
            (
                "class Repo: ...\nclass Ivr(SinchVoiceController):\n"
                "    def __init__(self, repo: Repo): ...\n    def ice(self, data): ...\n",
                ("Ivr", '"repo"', "Repo", "add_singleton(Repo", "Cache"),
            ),
            (
                "class Repo: ...\nclass Users(SinchController):\n    def __init__(self, repo): ...\n"
                "    @get('/a')\n    def a(self): ...\n",
                ("Users", '"repo"'),
            ),
            (
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from decimal import Decimal\n"
                "class Users(SinchController):\n    def __init__(self, amount: Decimal): ...\n"
                "    @get('/a')\n    def a(self): ...\n",
                ("Users", "amount", "Decimal"),
            ),
            (
                "class A:\n    def __init__(self, b: B): ...\nclass B:\n    def __init__(self, a: A): ...\n"
                "class Init(SinchFunctionInit):\n    def configure_services(self, services, config):\n"
                "        services.add_singleton(A)\n        services.add_singleton(B)\n",
                ("A -> B -> A",),
            ),
            (
                "class S: ...\nclass A:\n    def __init__(self, s: S): ...\n"
                "class Init(SinchFunctionInit):\n    def configure_services(self, services, config):\n"
                "        services.add_scoped(S)\n        services.add_singleton(A)\n",
                ("A is made once per process", '"s"', "S"),
            ),
            ("class Init(SinchFunctionInit):\n    def configureApp(self, app): ...\n", ("configure_app",)),
            (
                "class Init(SinchFunctionInit):\n    def configure_app(self): ...\n",
                ("def configure_app(self, app): ...",),
            ),
            ("class One(SinchFunctionInit): ...\nclass Two(SinchFunctionInit): ...\n", ("One", "Two", "several init")),
            (
                "class Init(SinchFunctionInit):\n    def configure_app(self, app):\n        app.map_get('/x', 5)\n",
                ("map_get", "5"),
            ),
            (
                "class Init(SinchFunctionInit):\n    def configure_app(self, app):\n        app.use(lambda: 1)\n",
                ("middleware(invocation, call_next)",),
            ),
            (
                "class Init(SinchFunctionInit):\n    def configure_app(self, app):\n        raise KeyError('x')\n",
                ("Init.configure_app", "KeyError", "line 8"),
            ),
            (
                "class A(SinchController):\n    def __init__(self, x: int): ...\n"
                "    @get('/a')\n    def a(self): ...\n"
                "class B(SinchController):\n    def __init__(self, y: VoiceClient): ...\n"
                "    @get('/b')\n    def b(self): ...\n",
                ('"x"', "int is a built-in type", '"y"', "Set VOICE_APPLICATION_KEY"),
            ),
            (
                "class Init(SinchFunctionInit):\n    def configure_services(self, services, config):\n"
                "        services.add_scoped(Cache, lambda: None)\n",
                ("Cache is a service that all requests share", "add_singleton(Cache"),
            ),
            (
                "class Init(SinchFunctionInit):\n"
                "    def configure_app(self, app): app.map_get('/a/<int:n>', lambda context: 1)\n",
                ("def name(context, request, *, n): ...",),
            ),
            (
                "class M:\n    def __call__(self, invocation, call_next): ...\n"
                "class Init(SinchFunctionInit):\n    def configure_app(self, app): app.use(M)\n",
                ("app.use(M())",),
            ),
            ("def setup(runtime):\n    runtime.on_start_up(print)\n", ("setup", "on_start_up", '"on_startup"')),
        ],
    )
    def test_what_is_wrong_ends_the_start(
        self, refused: Callable[[str], str], source: str, parts: tuple[str, ...]
    ) -> None:
        message = refused(source)
        assert [part for part in parts if part not in message] == [], message


class TestPlainHandlers:
    def test_they_ask_the_context_for_services(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            SERVICES
            + "def plain(context, request): return context.services.get(Session).id\n"
            + "def kept(context, request): log.append(context)\n"
            + "def later(context, request): return log[-1].services.get(Session).id\n"
        )
        log = function_of(client).module.log
        assert client.get("/plain", headers={"X-Request-ID": "r1"}).text == "r1"
        assert log == ["open db", "begin", "end"]
        client.get("/kept")
        assert client.get("/later").status_code == 500, "its request is over"


class TestOverrides:
    def test_a_test_overrides_a_service_in_one_line(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(SERVICES.replace("assert orders.session is session and session.db is db", "self.db = db"))
        module = function_of(client).module

        class FakeDb:
            pass

        function_of(client).services.override(module.Db, FakeDb())
        assert client.get("/fine").status_code == 200
        assert "open db" not in module.log

    def test_and_has_the_real_one_back_behind_a_block(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "class Word:\n    text = 'real'\n"
            "class Init(SinchFunctionInit):\n"
            "    def configure_services(self, services, config): services.add_singleton(Word)\n"
            "class A(SinchController):\n"
            "    def __init__(self, word: Word): self.word = word\n"
            "    @get('/word')\n    def answer(self): return self.word.text\n"
        )
        fake = type("Fake", (), {"text": "fake"})()
        with function_of(client).services.override(function_of(client).module.Word, fake):
            assert client.get("/word").text == "fake"
        assert client.get("/word").text == "real"

    def test_what_the_context_offers_too(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "def kept(context, request): return context.cache.get('key')\n"
            "def stored(context, request): return context.storage.read('key')\n",
            SINCHFN_CACHE_URL="redis://127.0.0.1:1/0",
        )

        class Fake:
            def get(self, key: str) -> str:
                return f"value of {key}"

            def read(self, key: str) -> bytes:
                return b"stored"

        services = function_of(client).services
        services.override(Cache, Fake())
        with services.override(Storage, Fake()):
            assert [client.get("/kept").text, client.get("/stored").text] == ["value of key", "stored"]
        assert client.get("/stored").status_code == 500


class TestRoutesAndPages:
    def test_functions_are_mapped(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "def custom(context, request): return {'path': request.path, 'id': context.request_id}\n"
            "async def _slow(context, request, *, number): return {'n': number}\n"
            "class Init(SinchFunctionInit):\n"
            "    def configure_app(self, app):\n"
            "        app.map_get('/custom', custom)\n"
            "        app.map_post('/slow/<int:number>', _slow)\n"
            "        app.map_delete('/by/lambda', lambda context, request: 'gone')\n"
            "        @app.map_put('/decorated')\n"
            "        def decorated(context, request): return 'put'\n"
        )
        assert client.get("/custom", headers={"X-Request-ID": "r1"}).json == {"path": "/custom", "id": "r1"}
        assert client.post("/slow/7").json == {"n": 7}
        assert client.delete("/by/lambda").text == "gone"
        assert client.put("/decorated").text == "put"
        assert client.put("/custom").status_code == 405
        assert "decorated" in client.get("/nothing").json["handlers"]

    def test_the_landing_page_can_be_switched_off(self, serve: Callable[..., FlaskClient]) -> None:
        source = (
            "class Init(SinchFunctionInit):\n    def configure_app(self, app): app.landing_page_enabled = False\n"
            "def status(context, request): ...\n"
        )
        assert serve(source).get("/").status_code == 404
        assert serve(source.replace("False", "True"), "on").get("/").status_code == 200

    @pytest.mark.parametrize("value", ["'no'", "'false'", "0", "1", "None", "[]"])
    def test_the_switch_of_the_landing_page_takes_true_or_false(
        self, refused: Callable[[str], str], value: str
    ) -> None:
        message = refused(
            f"class Init(SinchFunctionInit):\n    def configure_app(self, app): app.landing_page_enabled = {value}\n"
            "def status(context, request): ...\n"
        )
        assert "app.landing_page_enabled takes True or False; found" in message

    @pytest.mark.parametrize("value", ["'no'", "0", "None"])
    def test_the_protection_of_a_socket_is_true_or_false(self, refused: Callable[[str], str], value: str) -> None:
        source = f"def setup(runtime): runtime.on_websocket('/s', lambda ws, request: None, protected={value})\n"
        assert "protected=True or protected=False; found" in refused(source)

    def test_nothing_leads_to_the_flask_app(self, serve: Callable[..., FlaskClient]) -> None:
        """Walk through the objects that a function gets at start, attribute by attribute."""
        client = serve(
            "class Init(SinchFunctionInit):\n"
            "    def configure_services(self, services, config): log.append(config)\n"
            "    def configure_app(self, app): log.append(app)\n"
            "def setup(runtime): log.append(runtime)\n"
            "def status(context, request): ...\n"
        )
        for start in function_of(client).module.log:
            for found in reachable(start):
                assert not isinstance(found, Flask), start


def reachable(start: object, depth: int = 5) -> Iterator[object]:
    seen: set[int] = set()
    level = [start]
    for _ in range(depth):
        following: list[object] = []
        for value in level:
            if id(value) in seen or isinstance(value, str | int | float | bytes | type | None):
                continue
            seen.add(id(value))
            yield value
            slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
            names = {*getattr(value, "__dict__", {}), *slots, *(n for n in dir(type(value)) if not n.startswith("__"))}
            for name in names:
                try:
                    following.append(getattr(value, name))
                except Exception:  # a property that is not to be had here
                    continue
            if isinstance(value, dict):
                following.extend(value.values())
            elif isinstance(value, list | tuple | set):
                following.extend(value)
        level = following


MIDDLEWARE = """
def _outer(invocation, call_next):
    log.append(f"in {invocation.handler_name}")
    try:
        return call_next(invocation)
    finally:
        log.append("out")

async def _inner(invocation, call_next):
    value = await call_next(invocation)
    log.append(f"value {value!r}")
    return value

class Init(SinchFunctionInit):
    def configure_app(self, app):
        app.use(_outer)
        app.use(_inner)

def plain(context, request): return "plain"
async def slow(context, request): return "slow"
class A(SinchController):
    @get("/a")
    async def a(self): return "a"
"""


class TestMiddleware:
    def test_it_wraps_every_handler_the_first_outermost(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(MIDDLEWARE)
        assert [client.get(path).text for path in ("/plain", "/slow", "/a")] == ["plain", "slow", "a"]
        assert function_of(client).module.log == [
            line
            for name, value in (("plain", "plain"), ("slow", "slow"), ("A.a", "a"))
            for line in (f"in {name}", f"value {value!r}", "out")
        ]

    @pytest.mark.parametrize(
        ("body", "status", "text", "outcome"),
        [
            ("raise RuntimeError('no')", 500, None, "error"),
            ("raise SystemExit(3)", 500, None, "error"),
            ("return None", 204, "", "ok"),
            ("return {'mine': True}", 200, '{"mine":true}', "ok"),
            ("return too_many_requests('later')", 429, '{"error":"later"}', "ok"),
            ("import flask; flask.abort(403)", 403, None, "ok"),
            ("return object()", 500, None, "error"),
            ("call_next(invocation); return 'after'", 200, "after", "ok"),
            ("call_next(); return call_next()", 200, "plain", "ok"),
            (
                "try: call_next(invocation)\n    except ValueError: return 'saved'\n    return 'unsaved'",
                200,
                "unsaved",
                "ok",
            ),
        ],
    )
    @pytest.mark.parametrize("is_async", [False, True])
    def test_whatever_it_does_there_is_a_usage_record_and_a_log_line(
        self,
        make_app: MakeApp,
        caplog: pytest.LogCaptureFixture,
        body: str,
        status: int,
        text: str | None,
        outcome: str,
        is_async: bool,
    ) -> None:
        caplog.set_level(logging.INFO)
        body = body.replace("call_next(", "await call_next(") if is_async else body
        source = (
            f"{'async ' if is_async else ''}def _layer(invocation, call_next):\n    {body}\n"
            "class Init(SinchFunctionInit):\n    def configure_app(self, app): app.use(_layer)\n"
            "def plain(context, request): return 'plain'\n"
        )
        app = make_app({"function.py": HEAD + source}, SINCHFN_USAGE="usage.jsonl")
        answer = app.test_client().get("/plain", headers={"X-Request-ID": "r1"})
        assert (answer.status_code, answer.headers["X-Request-ID"]) == (status, "r1")
        assert text is None or answer.text == text
        folder = app.extensions["sinchfn"][0].config.folder
        [record] = [json.loads(line) for line in (folder / "usage.jsonl").read_text().splitlines()]
        assert (record["handler"], record["status"], record["outcome"]) == ("plain", status, outcome)
        lines = [r.getMessage() for r in caplog.records if r.name == "sinchfn.request"]
        assert len(lines) == 1
        assert lines[0].startswith("GET /plain, failed" if outcome == "error" else f"GET /plain {status}")

    @pytest.mark.parametrize(
        "layer",
        [
            "class _L:\n    async def __call__(self, i, call_next): return await call_next(i)\n_layer = _L()\n",
            "import functools\n"
            "def _outer(f):\n    @functools.wraps(f)\n    def w(*a): return f(*a)\n    return w\n"
            "@_outer\nasync def _layer(i, call_next): return await call_next(i)\n",
            "class _L:\n    def __call__(self, i, call_next): return call_next(i)\n_layer = _L()\n",
        ],
    )
    def test_objects_and_wrapped_functions_are_middleware_too(
        self, serve: Callable[..., FlaskClient], layer: str
    ) -> None:
        client = serve(
            layer + "class Init(SinchFunctionInit):\n    def configure_app(self, app): app.use(_layer)\n"
            "def plain(context, request): return 'plain'\nasync def slow(context, request): return 'slow'\n"
        )
        assert [client.get(path).text for path in ("/plain", "/slow")] == ["plain", "slow"]

    def test_an_exception_of_middleware_is_one_of_the_handler(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "def _layer(invocation, call_next): raise RuntimeError('no')\n"
            "class Init(SinchFunctionInit):\n    def configure_app(self, app): app.use(_layer)\n"
            "def ice(context, data): ...\n",
            SINCHFN_VOICE_ERROR_MESSAGE="Please call again",
        )
        seen: list[BaseException] = []
        receiver = signals.handler_failed.connect(lambda app, invocation, error: seen.append(error), weak=False)
        try:
            assert client.post("/ice", json={}).json["instructions"][0]["text"] == "Please call again"
        finally:
            signals.handler_failed.disconnect(receiver)
        assert [str(error) for error in seen] == ["no"]

    def test_it_can_answer_a_callback_with_svaml(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "def _closed(invocation, call_next):\n"
            "    if invocation.payload.cli == '1': return IceSvamlBuilder().say('Closed').hangup()\n"
            "    return call_next(invocation)\n"
            "class Init(SinchFunctionInit):\n    def configure_app(self, app): app.use(_closed)\n"
            "class Ivr(SinchVoiceController):\n    def ice(self, data): return IceSvamlBuilder().continue_()\n"
        )
        assert client.post("/ice", json={"cli": "1"}).json["instructions"][0]["text"] == "Closed"
        assert client.post("/ice", json={"cli": "2"}).json["action"] == {"name": "continue"}

    def test_middleware_is_not_an_endpoint(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "def timing(invocation, call_next): return call_next(invocation)\n"
            "class Init(SinchFunctionInit):\n    def configure_app(self, app): app.use(timing)\n"
            "def status(context, request): return 'ok'\n"
        )
        assert client.get("/status").text == "ok"
        assert client.get("/timing").json["handlers"] == ["status"]

    def test_a_refused_request_never_comes_to_it(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(MIDDLEWARE + "auth = '*'\n")
        assert client.get("/plain").status_code == 401
        assert function_of(client).module.log == []


PROCESSES = """
import pathlib, sinchfn
from sinchfn import SinchController, SinchFunctionInit, get

HERE = pathlib.Path(__file__).parent

class Db:
    def __init__(self):
        self.pid = os.getpid()
        (HERE / f"open-{self.pid}").touch()
    def close(self):
        (HERE / f"closed-{self.pid}").touch()

class Init(SinchFunctionInit):
    def configure_services(self, services, config): services.add_singleton(Db)

class A(SinchController):
    def __init__(self, db: Db): self.db = db
    @get("/pid")
    def pid(self): return [self.db.pid, os.getpid()]
"""


@pytest.mark.parametrize("preload", [False, True])
def test_each_worker_makes_its_own_singletons_and_closes_them_when_it_is_stopped(tmp_path: Path, preload: bool) -> None:
    env = {"WEB_CONCURRENCY": "2", "GUNICORN_CMD_ARGS": "--preload" if preload else ""}
    with gunicorn(tmp_path, PROCESSES, **env) as server:
        seen: set[tuple[int, int]] = set()
        until(lambda: seen.add(tuple(json.loads(server.request("GET", "/pid")[2]))) or len(seen) == 2)
        assert all(made == serving for made, serving in seen)
        server.process.terminate()
        server.process.wait(60)
    names = {path.name for path in tmp_path.glob("*-*")}
    assert names == {f"{what}-{pid}" for what in ("open", "closed") for pid, _ in seen}
