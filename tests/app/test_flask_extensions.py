"""Beside what Flask apps have: each of these extensions works with a function as with any blueprint's views."""

from __future__ import annotations

import inspect
import io
import json
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import flask
import pytest
from flask import Flask

from sinchfn import SinchFunctions, create_app
from sinchfn.logs.formatters import JsonFormatter, TextFormatter
from sinchfn.logs.redaction import Redaction
from sinchfn.testing import open_socket
from tests.harness.app import MakeFunction

SOURCE = """\
    import logging
    from flask import current_app, request as flask_request
    from sinchfn import IceSvamlBuilder, SinchController, get, post, route

    def ice(context, data):
        context.log.info("in ice")
        return IceSvamlBuilder().say("hi").hangup()

    def hello(context, request):
        logging.getLogger("elsewhere").warning("in hello")
        return "hello"

    def broken(context, request):
        raise ValueError("broken")

    def people(context, request):
        database = current_app.extensions["sqlalchemy"]
        found = database.session.execute(database.text("select 'Ada'")).scalars().all()
        if request.method == "DELETE":
            raise ValueError("broken")
        return found

    @route("/users")
    class Users(SinchController):
        @get("/<int:id>")
        def one(self, *, id):
            return {"id": id}

        @post("/")
        def add(self):
            return {"added": True}

    def echo(ws, request):
        for message in ws:
            ws.send(message)

    def setup(runtime):
        runtime.on_websocket("/echo", echo, protected=False)
"""
CONFIG = {"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never"}
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
KINDS = ("alone", "prefix", "root", "several")


class Beside:
    """Makes apps with the function in them, in one of the ways there are."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.prefix = {"prefix": "/fn", "several": "/second"}.get(kind, "")
        self.blueprint = "sinchfn_2" if kind == "several" else "sinchfn"

    def make(self, extend: Callable[[Flask], Any] = lambda app: None, **config: object) -> Flask:
        """The app. The extension comes first where the app is the host's own, as it does in most of them."""
        if self.kind == "alone":
            app = create_app(self.folder, config=CONFIG | config)
            app.secret_key = "secret"
            extend(app)
        else:
            app = Flask("host", static_folder=None)
            app.secret_key = "secret"
            extend(app)
            for prefix in dict.fromkeys(("/fn", self.prefix) if self.kind == "several" else (self.prefix,)):
                SinchFunctions(self.folder, config=CONFIG | config).init_app(app, url_prefix=prefix or None)
        app.add_url_rule("/page", "page", lambda: "page", methods=["GET", "POST"])
        return app

    def ice(self, app: Flask, path: str = "/ice") -> Any:
        return app.test_client().post(f"{self.prefix}{path}", json={"event": "ice", "callid": "1"})

    def get(self, app: Flask, path: str, **options: Any) -> Any:
        return app.test_client().get(f"{self.prefix}{path}", **options)

    def view(self, app: Flask, name: str = "function") -> Any:
        return app.view_functions[f"{self.blueprint}.{name}"]

    def replace(self, app: Flask, decorate: Callable[[Any], Any], name: str = "function") -> None:
        app.view_functions[f"{self.blueprint}.{name}"] = decorate(self.view(app, name))


@pytest.fixture(params=KINDS)
def beside(request: pytest.FixtureRequest, make_function: MakeFunction) -> Beside:
    return Beside(request.param, make_function(SOURCE))


# --- views ----------------------------------------------------------------------------------------------------------


def test_every_view_has_what_functions_have(beside: Beside):
    app = beside.make()
    ours = {name: view for name, view in app.view_functions.items() if name.startswith("sinchfn")}
    assert len(ours) >= 3
    for view in ours.values():
        assert inspect.isfunction(view)
        assert view.__name__.isidentifier()
        assert view.__qualname__ == view.__name__
        assert view.__module__ in sys.modules
        assert view.__doc__
        assert callable(inspect.unwrap(view))
        assert inspect.signature(view).parameters
        assert inspect.getsourcefile(view)
    named = {(view.__module__, view.__name__) for view in ours.values()}
    assert len(named) == len(set(ours.values()))  # by these extensions tell them apart


def test_a_view_can_be_replaced_by_a_decorated_one(beside: Beside):
    app = beside.make()
    seen: list[str] = []
    for endpoint, view in list(app.view_functions.items()):

        def decorated(endpoint: str = endpoint, view: Any = view, **variables: Any) -> Any:
            seen.append(endpoint)
            return view(**variables)

        app.view_functions[endpoint] = wraps(view)(decorated)
    assert beside.ice(app).status_code == 200
    assert beside.get(app, "/hello").text == "hello"
    assert beside.get(app, "/users/5").json == {"id": 5}
    with open_socket(app, f"{beside.prefix}/echo") as peer:
        peer.send("hi")
        assert peer.receive(timeout=10) == "hi"
    assert seen == [f"{beside.blueprint}.function"] * 3


# --- Flask-Limiter --------------------------------------------------------------------------------------------------


def limiter_for(app: Flask, **options: Any) -> Any:
    from flask_limiter import Limiter
    from flask_limiter.util import get_remote_address

    return Limiter(get_remote_address, app=app, storage_uri="memory://", **options)


def test_default_limits_of_flask_limiter_apply(beside: Beside):
    app = beside.make(lambda app: limiter_for(app, default_limits=["3/hour"]))
    assert [beside.get(app, "/hello").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert app.test_client().get("/page").status_code == 200


def test_flask_limiter_can_exempt_a_function(beside: Beside):
    made: list[Any] = []
    app = beside.make(lambda app: made.append(limiter_for(app, default_limits=["1/hour"])))
    made[0].exempt(app.blueprints[beside.blueprint])
    assert [beside.ice(app).status_code for _ in range(3)] == [200, 200, 200]
    assert [app.test_client().get("/page").status_code for _ in range(2)] == [200, 429]


def test_flask_limiter_can_exempt_one_view(beside: Beside):
    made: list[Any] = []
    app = beside.make(lambda app: made.append(limiter_for(app, default_limits=["1/hour"])))
    made[0].exempt(beside.view(app))
    assert [beside.ice(app).status_code for _ in range(3)] == [200, 200, 200]
    if beside.kind == "several":
        assert [app.test_client().get("/fn/hello").status_code for _ in range(2)] == [200, 429]


def test_flask_limiter_can_limit_a_function(beside: Beside):
    made: list[Any] = []
    app = beside.make(lambda app: made.append(limiter_for(app)))
    made[0].limit("2/hour")(app.blueprints[beside.blueprint])
    assert [beside.get(app, "/hello").status_code for _ in range(3)] == [200, 200, 429]
    assert [app.test_client().get("/page").status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("name", ["function", "socket_0"])
def test_flask_limiter_can_decorate_a_view(beside: Beside, name: str):
    made: list[Any] = []
    app = beside.make(lambda app: made.append(limiter_for(app)))
    beside.replace(app, made[0].limit("2/hour"), name)
    path, options = ("/hello", {}) if name == "function" else ("/echo", {"headers": HANDSHAKE})
    statuses = [beside.get(app, path, **options).status_code for _ in range(3)]
    # A test client's connection cannot be upgraded, which is the 501.
    assert statuses == ([200, 200, 429] if name == "function" else [501, 501, 429])
    with open_socket(app, f"{beside.prefix}/echo") as peer:
        peer.send("hi")
        assert peer.receive(timeout=10) == "hi"


# --- Flask-Talisman -------------------------------------------------------------------------------------------------


def test_talisman_redirects_and_adds_its_headers(beside: Beside):
    from flask_talisman import Talisman

    app = beside.make(Talisman)
    answer = beside.get(app, "/hello")
    assert (answer.status_code, answer.location) == (302, f"https://localhost{beside.prefix}/hello")
    answer = beside.get(app, "/hello", base_url="https://localhost")
    assert answer.text == "hello"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_talisman_lets_a_view_have_options_of_its_own(beside: Beside):
    from flask_talisman import Talisman

    made: list[Any] = []
    app = beside.make(lambda app: made.append(Talisman(app)))
    beside.replace(app, made[0](force_https=False, frame_options="DENY"))
    assert beside.ice(app).status_code == 200
    assert beside.get(app, "/hello").headers["X-Frame-Options"] == "DENY"
    assert app.test_client().get("/page").status_code == 302


# --- Flask-WTF ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["blueprint", "view"])
def test_a_function_is_exempted_from_flask_wtfs_protection(beside: Beside, what: str):
    from flask_wtf.csrf import CSRFProtect

    made: list[Any] = []
    app = beside.make(lambda app: made.append(CSRFProtect(app)))
    assert beside.ice(app).status_code == 400
    made[0].exempt(app.blueprints[beside.blueprint] if what == "blueprint" else beside.view(app))
    assert beside.ice(app).status_code == 200
    assert beside.ice(app, "").status_code == 200
    assert app.test_client().post(f"{beside.prefix}/users").json == {"added": True}
    assert app.test_client().post("/page").status_code == 400
    if beside.kind == "several":
        assert app.test_client().post("/fn/users").status_code == 400  # the other function is not


# --- Flask-Login ----------------------------------------------------------------------------------------------------


def login_for(app: Flask, exempt: str | None = None) -> None:
    """Everybody has to be logged in everywhere, but for one blueprint."""
    from flask_login import LoginManager, UserMixin, current_user

    class User(UserMixin):
        id = "ada"

    manager = LoginManager(app)
    manager.user_loader(lambda _: User())
    manager.request_loader(lambda request: User() if request.headers.get("X-User") else None)

    @app.before_request
    def require_login() -> Any:
        if flask.request.blueprint == exempt or current_user.is_authenticated:
            return None
        return manager.unauthorized()


def test_flask_logins_gate_stands_before_a_function_too(beside: Beside):
    app = beside.make(login_for)
    assert beside.ice(app).status_code == 401
    assert beside.get(app, "/hello", headers={"X-User": "ada"}).text == "hello"
    app = beside.make(lambda app: login_for(app, exempt=beside.blueprint))
    assert beside.ice(app).status_code == 200
    assert app.test_client().get("/page").status_code == 401


# --- Flask-SQLAlchemy -----------------------------------------------------------------------------------------------


def test_a_requests_session_is_given_back(beside: Beside, tmp_path: Path):
    from flask_sqlalchemy import SQLAlchemy

    databases: list[Any] = []

    def extend(app: Flask) -> None:
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/people.db"
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}
        databases.append(SQLAlchemy(app))
        databases[-1].text = __import__("sqlalchemy").text

    app = beside.make(extend)
    for _ in range(3):  # with a pool of one, what is not given back is missed
        assert beside.get(app, "/people").json == ["Ada"]
        assert app.test_client().delete(f"{beside.prefix}/people").status_code == 500
    with app.app_context():
        engine = databases[0].engine
        assert engine.pool.checkedout() == 0
        engine.dispose()


# --- Flask-Caching --------------------------------------------------------------------------------------------------


def test_a_cached_view_of_the_host_and_one_of_ours(beside: Beside):
    from flask_caching import Cache

    made: list[Any] = []
    app = beside.make(lambda app: made.append(Cache(app, config={"CACHE_TYPE": "SimpleCache"})))
    counted: list[int] = []

    @app.get("/counted")
    @made[0].cached(timeout=600)
    def count() -> str:
        counted.append(1)
        return str(len(counted))

    assert [app.test_client().get("/counted").text for _ in range(2)] == ["1", "1"]
    assert [beside.get(app, "/hello").text for _ in range(2)] == ["hello", "hello"]
    beside.replace(app, made[0].cached(timeout=600))
    ids = [beside.get(app, path).headers["X-Request-ID"] for path in ("/hello", "/hello", "/users/5")]
    assert ids[0] == ids[1] != ids[2]
    assert beside.get(app, "/users/5").json == {"id": 5}


# --- OpenTelemetry --------------------------------------------------------------------------------------------------


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Callable[[Flask], None], Any, Any]]:
    """What instruments an app, the spans that came of it, and the metrics."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    from opentelemetry.instrumentation import _semconv
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    monkeypatch.setattr(_semconv._OpenTelemetrySemanticConventionStability, "_initialized", False)
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    apps: list[Flask] = []

    def instrument(app: Flask) -> None:
        apps.append(app)
        FlaskInstrumentor().instrument_app(app, tracer_provider=tracers, meter_provider=meters)

    yield instrument, spans, reader
    for app in apps:
        FlaskInstrumentor.uninstrument_app(app)
    tracers.shutdown()
    meters.shutdown()


def test_spans_and_metrics_are_named_by_the_route(beside: Beside, traced: tuple[Any, Any, Any]):
    instrument, spans, reader = traced
    app = beside.make(instrument)
    assert beside.ice(app).status_code == 200
    beside.get(app, "/users/5")
    beside.get(app, "/users/6")
    beside.get(app, "/broken")
    beside.get(app, "/health")
    expected = ["/ice", "/users/<int:id>", "/users/<int:id>", "/broken", "/health"]
    routes = [f"{beside.prefix}{path}" for path in expected]
    finished = [span for span in spans.get_finished_spans() if span.kind.name == "SERVER"]
    assert [span.attributes["http.route"] for span in finished] == routes
    assert [span.name.partition(" ")[2] for span in finished] == routes
    assert finished[3].status.status_code.name == "ERROR"
    points = [
        point
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "http.server.request.duration"
        for point in metric.data.data_points
    ]
    assert {point.attributes["http.route"] for point in points} == set(routes)


@pytest.fixture
def logged() -> Iterator[Callable[[logging.Formatter], io.StringIO]]:
    """What the root logger writes in a form, while trace ids are put into every record."""
    from opentelemetry.instrumentation.logging import LoggingInstrumentor

    LoggingInstrumentor().instrument(inject_trace_context=True, enable_log_auto_instrumentation=False)
    added: list[logging.Handler] = []
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)

    def listen(formatter: logging.Formatter) -> io.StringIO:
        written = io.StringIO()
        handler = logging.StreamHandler(written)
        handler.setFormatter(formatter)
        root.addHandler(handler)
        added.append(handler)
        return written

    yield listen
    for handler in added:
        root.removeHandler(handler)
    root.setLevel(level)
    LoggingInstrumentor().uninstrument()


def test_every_line_carries_its_trace_id_in_every_form(
    beside: Beside, traced: tuple[Any, Any, Any], logged: Callable[[logging.Formatter], io.StringIO]
):
    instrument, spans, _ = traced
    app = beside.make(instrument)
    as_json, as_text = logged(JsonFormatter(Redaction())), logged(TextFormatter(Redaction()))
    of_host = logged(logging.Formatter("%(name)s %(message)s trace_id=%(otelTraceID)s"))
    beside.ice(app)
    beside.get(app, "/hello")
    beside.get(app, "/broken")
    traces = {f"{span.context.trace_id:032x}" for span in spans.get_finished_spans() if span.kind.name == "SERVER"}
    lines = [json.loads(line) for line in as_json.getvalue().splitlines()]
    ours = [line for line in lines if line["logger"] == "elsewhere" or line["logger"].startswith("sinchfn")]
    assert {line["otelTraceID"] for line in ours} == traces
    assert [line["handler"] for line in ours if line["logger"] == "sinchfn.request"] == ["ice", "hello", "broken"]
    assert len(as_text.getvalue().splitlines()) > len(ours)
    assert all("trace_id=" in line for line in of_host.getvalue().splitlines() if line.startswith("sinchfn.request "))
    assert of_host.getvalue().count("sinchfn.request ") == 3


# --- Sentry ---------------------------------------------------------------------------------------------------------

SENTRY = """
    import json, sys
    import sentry_sdk
    from flask import Flask
    from sentry_sdk.integrations.flask import FlaskIntegration
    from sinchfn import SinchFunctions, create_app

    events = []
    sentry_sdk.init(
        dsn="https://key@127.0.0.1/1",
        before_send=lambda event, hint: events.append(event),
        before_send_transaction=lambda event, hint: events.append(event),
        traces_sample_rate=1.0,
        default_integrations=True,
        integrations=[FlaskIntegration(transaction_style="url")],
    )
    kind, folder = sys.argv[1:]
    config = {"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never"}
    if kind == "alone":
        app = create_app(folder, config=config)
    else:
        app = Flask("host")
        SinchFunctions(folder, config=config).init_app(app, url_prefix={"prefix": "/fn", "several": "/fn"}.get(kind))
        if kind == "several":
            SinchFunctions(folder, config=config).init_app(app, url_prefix="/second")
    prefix = {"prefix": "/fn", "several": "/second"}.get(kind, "")
    client = app.test_client()
    client.get(f"{prefix}/broken")
    client.get(f"{prefix}/hello")
    client.get(f"{prefix}/users/5")
    client.post(f"{prefix}/ice", json={"event": "ice", "callid": "1"})
    print(json.dumps([
        {"type": event.get("type", "event"), "transaction": event.get("transaction"),
         "error": [value["type"] for value in event.get("exception", {}).get("values", [])]}
        for event in events
    ]))
"""


def test_sentry_gets_one_exception_for_a_failed_handler_under_its_route(beside: Beside):
    script = beside.folder.parent / "sentry.py"
    script.write_text(textwrap.dedent(SENTRY))
    command = [sys.executable, script, beside.kind, beside.folder]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "SENTRY_RELEASE": "1"}
    )
    assert ran.returncode == 0, ran.stderr
    events = json.loads(ran.stdout)
    failures = [event for event in events if event["error"]]
    assert [(event["transaction"], event["error"]) for event in failures] == [
        (f"{beside.prefix}/broken", ["ValueError"])
    ]
    traced = [event["transaction"] for event in events if event["type"] == "transaction"]
    routes = ["/broken", "/hello", "/users/<int:id>", "/ice"]
    assert traced == [f"{beside.prefix}{path}" for path in routes]
