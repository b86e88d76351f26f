"""A context outside of a request: in scripts, tasks, a host's views and the shell; and start-up in an app context."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app, g

import sinchfn
from sinchfn import FunctionContext, FunctionError, ServiceError, SinchFunctions
from tests.harness.app import MakeApp, MakeFunction
from tests.harness.call import call

SOURCE = """
import flask, sqlite3
from sinchfn import SinchFunctionInit

told, started = [], []

class Session: ...
def _session():
    try:
        yield Session()
        told.append("committed")
    except BaseException as error:
        told.append(type(error).__name__)
        raise

class Init(SinchFunctionInit):
    def configure_services(self, services, config):
        services.add_scoped(Session, _session)

def setup(runtime):
    @runtime.on_startup
    def starts(context):
        started.append(flask.current_app.name)
    @runtime.on_startup
    async def starts_too():
        started.append(flask.current_app.name)
    @runtime.on_shutdown
    def stops():
        started.append(f"{flask.current_app.name} ends")

def health(context, request):
    return {"cached": context.cache.get("greeting")}
"""


def module_of(app: Flask, index: int = 0) -> Any:
    return app.extensions["sinchfn"][index].module


def test_a_block_has_what_a_handler_has(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(SOURCE)
    with sinchfn.context(app) as context:
        assert isinstance(context, FunctionContext)
        assert current_app == app
        context.cache.set("greeting", "Hello")
        context.log.warning("from outside")
        with context.open_database() as database:
            database.execute("CREATE TABLE t (n)")
        context.open_database().execute("INSERT INTO t VALUES (1)")
        context.services.get(module_of(app).Session)
        request_id = context.request_id
    assert not current_app
    assert module_of(app).told == ["committed"]
    assert module_of(app).started == [], "it is no start of the function"
    assert call(app, "GET", "/health").json == {"cached": "Hello"}
    [line] = [record for record in caplog.records if record.message == "from outside"]
    assert vars(line)["sinchfn"]["request_id"] == request_id
    with sinchfn.context(app) as other:
        assert other.open_database().execute("SELECT count(*) FROM t").fetchone()[0] == 0, "it was rolled back"
        assert other.request_id != request_id
    with pytest.raises(ServiceError, match="after the end"):
        context.services.get(module_of(app).Session)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_of_the_block_comes_out_and_is_told_to_its_services(
    make_app: MakeApp, error: type[BaseException]
) -> None:
    app = make_app(SOURCE)

    def fail() -> None:
        with sinchfn.context(app) as context:
            context.services.get(module_of(app).Session)
            raise error("of the block")

    with pytest.raises(error, match="of the block"):
        fail()
    assert module_of(app).told == [error.__name__]


def test_in_a_view_of_the_host_the_app_context_is_the_views(make_function: MakeFunction) -> None:
    host = Flask("host")
    SinchFunctions(make_function(SOURCE), config={"SINCHFN_USAGE": "off"}).init_app(host, url_prefix="/voice")
    ended: list[Any] = []
    host.teardown_appcontext(ended.append)

    @host.get("/call")
    def call() -> dict[str, Any]:
        g.customer = "Ann"
        with sinchfn.context(current_app) as context:  # type: ignore[arg-type] # a proxy of it
            context.cache.set("customer", g.customer)
            assert ended == []
        return {"customer": context.cache.get("customer")}

    assert host.test_client().get("/call").json == {"customer": "Ann"}
    assert ended == [None]


def test_of_several_functions_the_prefix_says_which(make_function: MakeFunction) -> None:
    host = Flask("host")
    for name in ("voice", "texts"):
        function = make_function({"function.py": SOURCE, "sinch.json": f'{{"name": "{name}"}}'}, name)
        SinchFunctions(function, config={"SINCHFN_USAGE": "off"}).init_app(host, url_prefix=f"/{name}")
    for prefix in ("/voice", "voice", "/voice/"):
        with sinchfn.context(host, url_prefix=prefix) as context:
            assert context.config.function_name == "voice"
    with sinchfn.context(host, "/texts") as context:
        assert context.config.function_name == "texts"
    with pytest.raises(FunctionError, match=r'It takes a url_prefix: .* with "/voice" or "/texts"'):
        sinchfn.context(host).__enter__()
    with pytest.raises(FunctionError, match=r'None is mounted at "/vioce": .* with "/voice" or "/texts"'):
        sinchfn.context(host, url_prefix="/vioce").__enter__()
    for nothing in (Flask("plain"), "function.py"):
        with pytest.raises(FunctionError, match=r"(plain|function\.py)'.* has no function: .* takes the Flask app"):
            sinchfn.context(nothing).__enter__()  # type: ignore[arg-type] # for who has no type checker


def test_the_root_is_a_prefix_too(make_app: MakeApp) -> None:
    app = make_app(SOURCE)
    for prefix in ("/", ""):
        with sinchfn.context(app, url_prefix=prefix) as context:
            assert context.config.function_name == "fn"


def test_the_name_is_that_of_the_function_whatever_is_imported() -> None:
    from sinchfn import context

    for name in ("function.context", "app.outside", "function.lifecycle", "function.invocation"):
        importlib.import_module(f"sinchfn.{name}")
    assert sinchfn.context is context
    assert callable(context)
    assert "context" in sinchfn.__all__


# --- the shell ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["-m", "sinchfn", "shell"], ["-m", "flask", "--app", "sinchfn", "shell"]])
def test_the_shell_knows_a_context_and_ends_it(make_function: MakeFunction, command: list[str]) -> None:
    folder = make_function(
        SOURCE.replace("told.append(", "print('told', ").replace('"committed"', '"committed", flush=True')
    )
    typed = (
        "context.cache.set('greeting', 'Hello')\n"
        "print('cached', context.cache.get('greeting'))\n"
        "session = context.services.get(app.extensions['sinchfn'][0].module.Session)\n"
        "import flask; print('app', flask.current_app.name)\n"
    )
    done = subprocess.run(
        [sys.executable, *command], input=typed, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    for said in ("cached Hello", "app sinchfn", "told committed"):
        assert said in done.stdout, done.stdout + done.stderr


def test_whoever_asks_the_app_for_the_names_of_a_shell_gets_it_too(make_app: MakeApp) -> None:
    context = make_app(SOURCE).make_shell_context()["context"]
    context.cache.set("greeting", "Hello")
    assert context.cache.get("greeting") == "Hello"


# --- start-up -------------------------------------------------------------------------------------------------------


def test_start_up_and_shutdown_functions_run_in_an_app_context(make_function: MakeFunction) -> None:
    host = Flask("host")
    SinchFunctions(make_function(SOURCE), config={"SINCHFN_USAGE": "off"}).init_app(host, url_prefix="/voice")
    ended: list[Any] = []
    host.teardown_appcontext(ended.append)
    assert host.test_client().get("/voice/health").status_code == 200
    assert module_of(host).started == ["host", "host"]
    assert ended == [None] * 3, "each has one of its own, and so has the request"
    host.extensions["sinchfn"][0].lifecycle.stop()
    assert module_of(host).started[2:] == ["host ends"]


def test_a_start_up_function_that_fails_tells_the_app_context(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(
        "def f(context, request): ...\n"
        "def setup(runtime):\n    @runtime.on_startup\n    def starts():\n        raise ValueError('not today')\n"
    )
    ended: list[Any] = []
    app.teardown_appcontext(ended.append)
    assert call(app, "GET", "/ready").status == 503
    assert [type(error) for error in ended] == [ValueError, type(None)]
