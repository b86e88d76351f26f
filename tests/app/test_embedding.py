"""A function inside somebody else's Flask app: the host stays as it was, and the function works as on its own."""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, g, jsonify, redirect, request, session
from flask.json.provider import DefaultJSONProvider
from itsdangerous import TimestampSigner
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from sinchfn import FunctionError, SinchFunctions, create_app
from tests.harness.app import Call, MakeFunction

FUNCTION = """\
    import helper
    def ice(context, data):
        return {"instructions": [{"name": "say", "text": helper.NAME}], "action": {"name": "hangup"}}
    def users(context, request):
        return helper.NAME
    def boom(context, request):
        raise RuntimeError("function")
    def missing(context, request):
        import flask
        flask.abort(404)
"""
QUIET = {"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never"}


class HostJson(DefaultJSONProvider):
    """A host's own idea of JSON."""

    sort_keys = False

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, **kwargs).replace(":", " : ")


def make_host(seen: list[str]) -> Flask:
    """A host with much of what Flask apps have. What its hooks see is noted in `seen`."""
    host = Flask("host", static_folder=None)
    host.secret_key = "host"
    host.json = HostJson(host)

    @host.before_request
    def before() -> None:
        seen.append(f"before {request.path}")
        g.seen = True

    @host.after_request
    def after(response: Response) -> Response:
        response.headers["X-Host"] = "yes"
        return response

    @host.teardown_request
    def teardown(error: BaseException | None) -> None:
        seen.append(f"teardown {type(error).__name__}")

    @host.errorhandler(404)
    def not_found(error: HTTPException) -> tuple[str, int]:
        return f"<h1>host 404 {error.code}</h1>", 404

    @host.errorhandler(500)
    def failed(error: Exception) -> tuple[str, int]:
        return "<h1>host 500</h1>", 500

    @host.errorhandler(405)
    def not_allowed(error: MethodNotAllowed) -> tuple[str, int, dict[str, str]]:
        return "<h1>host 405</h1>", 405, {"Allow": ", ".join(sorted(error.valid_methods or []))}

    @host.get("/page")
    def page() -> str:
        return f"page {g.seen}"

    @host.get("/users")
    def users() -> Response:
        return jsonify(b=1, a=[1, 2])

    @host.route("/form", methods=["POST", "PUT"])
    def form() -> str:
        return request.form.get("x", "none")

    @host.get("/slashed/")
    def slashed() -> str:
        return "slashed"

    @host.get("/deep/path")
    def deep() -> str:
        return "deep"

    @host.get("/items/<int:number>")
    def item(number: int) -> str:
        return f"item {number}"

    @host.get("/session")
    def count() -> str:
        session["count"] = session.get("count", 0) + 1
        return str(session["count"])

    @host.get("/away")
    def away() -> Any:
        return redirect("/page")

    @host.get("/broken")
    def broken() -> str:
        raise RuntimeError("host")

    @host.get("/gone")
    def gone() -> str:
        abort(404)

    @host.get("/stream")
    def stream() -> Response:
        return Response(iter(["a", "b"]), mimetype="text/plain")

    @host.get("/fn/own")
    def below_the_prefix() -> str:
        return "the host's, below the prefix"

    @host.get("/any/<path:rest>")
    def anything(rest: str) -> str:
        return f"any {rest}"

    admin = Blueprint("admin", "admin", url_prefix="/admin")

    @admin.get("/")
    def admin_index() -> str:
        return "admin"

    host.register_blueprint(admin)
    return host


HOST_PATHS = (
    "/page",
    "/page?x=1",
    "/users",
    "/form",
    "/slashed/",
    "/slashed",
    "/deep/path",
    "/deep//path",
    "//deep/path",
    "/items/5",
    "/session",
    "/away",
    "/broken",
    "/gone",
    "/stream",
    "/fn/own",
    "/any/a/b",
    "/any//b",
    "/any/ice",
    "/admin/",
    "/admin",
)
HOST_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND")

#: What the host does not have: its own 404 in any case, unless the function is mounted there.
UNKNOWN = ["/nothing", "/items/x", "/page/", "/nothing/here/", "/%ff", "/fnx", "/slashed/x"]


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Session cookies carry the time they were made."""
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: 1_700_000_000)


@pytest.fixture
def folder(make_function: MakeFunction) -> Path:
    return make_function({"function.py": FUNCTION, "helper.py": "NAME = 'helper of fn'\n"})


def embedded(folder: Path, prefix: str | None, seen: list[str] | None = None, **config: object) -> Flask:
    host = make_host([] if seen is None else seen)
    SinchFunctions(folder, config=QUIET | config).init_app(host, url_prefix=prefix)
    return host


def exchange(host: Flask, call: Call, method: str, path: str) -> tuple[Any, ...]:
    answer = call(host, method, path, data=b"x=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    if "Allow" in answer.headers:  # Flask writes a set, in no fixed order
        answer.headers["Allow"] = ", ".join(sorted(answer.headers["Allow"].split(", ")))
    return answer.status, list(answer.headers), answer.body


# ------------------------------------------------------------------------------------ the host stays as it was


@pytest.mark.parametrize("prefix", [None, "", "/", "/fn", "/deep"])
@pytest.mark.parametrize("method", HOST_METHODS)
def test_the_hosts_own_urls_answer_as_without_us(folder: Path, call: Call, prefix: str | None, method: str):
    seen: tuple[list[str], list[str]] = ([], [])
    alone, beside = make_host(seen[0]), embedded(folder, prefix, seen[1])
    changed = {}
    for path in HOST_PATHS:
        if prefix == "/deep" and path == "/deep//path":
            continue  # below the prefix the function answers doubled slashes itself
        expected, found = exchange(alone, call, method, path), exchange(beside, call, method, path)
        if found != expected:
            changed[path] = (expected, found)
    assert changed == {}
    assert seen[0] == seen[1]


@pytest.mark.parametrize("path", UNKNOWN)
@pytest.mark.parametrize("prefix", [None, "/fn"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE", "OPTIONS", "PROPFIND"])
def test_what_neither_has_is_the_hosts_own_404(folder: Path, call: Call, prefix: str | None, path: str, method: str):
    expected = exchange(make_host([]), call, method, path)
    assert expected[0] == 404
    assert exchange(embedded(folder, prefix), call, method, path) == expected


@pytest.mark.parametrize("prefix", [None, "/fn"])
def test_a_host_without_handlers_of_its_own_keeps_flasks_404_and_405(folder: Path, call: Call, prefix: str | None):
    def plain() -> Flask:
        host = Flask("plain")
        host.add_url_rule("/page", "page", lambda: "page")
        return host

    mounted = plain()
    SinchFunctions(folder, config=QUIET).init_app(mounted, url_prefix=prefix)
    for method, path in (("GET", "/nothing"), ("POST", "/page"), ("OPTIONS", "/page"), ("GET", "/static/x")):
        assert exchange(mounted, call, method, path) == exchange(plain(), call, method, path)


def test_the_hosts_routes_may_come_after_us(folder: Path, call: Call):
    host = Flask("host")
    SinchFunctions(folder, config=QUIET).init_app(host)
    host.add_url_rule("/users", "users", lambda: "the host's")
    assert call(host, "GET", "/users").text == "the host's"
    assert call(host, "POST", "/users").status == 405
    assert call(host, "POST", "/ice", json={}).status == 200


def test_a_session_of_the_host_goes_on(folder: Path):
    client = embedded(folder, "/fn").test_client()
    assert [client.get("/session").text, client.get("/fn/users").text, client.get("/session").text] == [
        "1",
        "helper of fn",
        "2",
    ]


def test_the_hosts_configuration_and_logging_stay(folder: Path):
    before = (dict(Flask("host", static_folder=None).config), list(logging.getLogger().handlers))
    level = logging.getLogger().level
    host = Flask("host", static_folder=None)
    SinchFunctions(folder, config=QUIET | {"SINCHFN_LOG_LEVEL": "ERROR"}).init_app(host, url_prefix="/fn")
    assert (dict(host.config), list(logging.getLogger().handlers)) == before
    assert logging.getLogger().level == level
    assert type(host.json) is DefaultJSONProvider


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("how", ["a rule for any path", "static files at the root"])
def test_a_host_that_has_something_for_every_path_leaves_the_prefix_to_the_function(
    folder: Path, call: Call, tmp_path: Path, how: str, method: str
):
    (tmp_path / "dist").mkdir()
    if how == "a rule for any path":
        host = Flask("host", static_folder=None)
        host.add_url_rule("/<path:rest>", "single_page", lambda rest: "the host's page")
    else:
        host = Flask("host", static_folder=str(tmp_path / "dist"), static_url_path="")
    SinchFunctions(folder, config=QUIET).init_app(host, url_prefix="/fn")
    assert call(host, method, "/fn/users").text == "helper of fn"
    assert call(host, "POST", "/fn/ice", json={}).status == 200
    assert call(host, "POST", "/fn", json={"event": "ice"}).status == 200


def test_a_prefix_with_a_variable_works_or_is_refused_at_start(folder: Path, call: Call):
    host = Flask("host")
    try:
        SinchFunctions(folder, config=QUIET).init_app(host, url_prefix="/<tenant>/fn")
    except FunctionError:
        return
    assert call(host, "GET", "/acme/fn/users").text == "helper of fn"


# ------------------------------------------------------------------------------------ the function in the host


@pytest.mark.parametrize("prefix", [None, "/fn"])
def test_the_function_answers_as_on_its_own(folder: Path, call: Call, prefix: str | None):
    host, own = embedded(folder, prefix), create_app(folder, config=QUIET)
    below = prefix or ""
    for method, path in (("POST", "/ice"), ("GET", "/api/users"), ("POST", "/dice"), ("GET", "/ice"), ("GET", "/boom")):
        if not prefix and path == "/users":
            continue
        one = call(host, method, below + path, json={}, headers={"X-Request-ID": "id"})
        other = call(own, method, path, json={}, headers={"X-Request-ID": "id"})
        assert (one.status, one.body.replace(b" /fn/", b" /")) == (other.status, other.body)
        assert one.headers["X-Request-ID"] == "id"


@pytest.mark.parametrize("path", ["/fn/nothing", "/fn//nothing/", "/fn/own/x", "/fn/webhook/users"])
def test_an_unmatched_path_below_the_prefix_is_our_json_404(folder: Path, call: Call, path: str):
    answer = call(embedded(folder, "/fn"), "GET", path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["handlers"] == ["ice", "users", "boom", "missing"]


def test_what_a_handler_raises_is_answered_by_us_not_by_the_hosts_error_handlers(folder: Path, call: Call):
    host = embedded(folder, "/fn")
    for path, status in (("/fn/boom", 500), ("/fn/missing", 404)):
        answer = call(host, "GET", path)
        assert answer.status == status
        assert set(answer.json) >= {"error", "requestId"}


def test_a_handler_that_raises_does_not_break_a_host_under_test(folder: Path):
    host = embedded(folder, "/fn")
    host.testing = True
    assert host.test_client().get("/fn/boom").status_code == 500


@pytest.mark.parametrize("prefix", ["fn", "/fn", "/fn/", "fn/", "//fn//"])
def test_a_prefix_may_be_written_with_or_without_slashes(folder: Path, call: Call, prefix: str):
    host = embedded(folder, prefix)
    for path in ("/fn/ice", "/fn//ice/", "/fn", "/fn/"):
        assert call(host, "POST", path, json={"event": "ice"}).json["action"] == {"name": "hangup"}


def test_the_hosts_route_below_the_prefix_wins_by_method_too(folder: Path, call: Call):
    host = embedded(folder, "/fn")
    assert call(host, "GET", "/fn/own").text == "the host's, below the prefix"
    assert call(host, "POST", "/fn/own").text == "<h1>host 405</h1>"


FLASK_USER = """\
    from flask import after_this_request, current_app, g, request as flask_request, session, url_for

    def tools(context, request):
        @after_this_request
        def mark(response):
            response.headers["X-After"] = "yes"
            return response
        session["user"] = "u1"
        return {
            "url": url_for("page"),
            "own": url_for(".function", path="users"),
            "external": url_for("page", _external=True),
            "g": g.seen,
            "path": flask_request.path,
            "args": flask_request.args["a"],
            "json": flask_request.get_json(),
            "data": flask_request.get_data(as_text=True),
            "app": current_app.name,
            "endpoint": flask_request.endpoint,
        }

    def who(context, request):
        return session.get("user", "nobody")
"""


def test_flasks_own_tools_work_inside_handlers(make_function: MakeFunction):
    seen: list[str] = []
    host = embedded(make_function(FLASK_USER), "/fn", seen)
    client = host.test_client()
    answer = client.post("/fn/tools?a=b", json={"x": 1})
    assert answer.status_code == 200, answer.text
    assert answer.json == {
        "url": "/page",
        "own": "/fn/users",
        "external": "http://localhost/page",
        "g": True,
        "path": "/fn/tools",
        "args": "b",
        "json": {"x": 1},
        "data": '{"x" :  1}',
        "app": "host",
        "endpoint": "sinchfn.function",
    }
    assert answer.headers["X-After"] == "yes"
    assert client.get("/fn/who").text == "u1"
    assert seen[:2] == ["before /fn/tools", "teardown NoneType"]


def test_flasks_own_tools_work_without_a_host(make_function: MakeFunction):
    source = """\
        from flask import after_this_request, current_app, g, request as flask_request, url_for
        def tools(context, request):
            @after_this_request
            def mark(response):
                response.headers["X-After"] = "yes"
                return response
            g.x = 1
            return [url_for("sinchfn.function", path="users"), url_for(".function", path="a/b", _external=True),
                    flask_request.url, flask_request.get_json(), current_app.name, g.x, str(flask_request.url_rule)]
    """
    app = create_app(make_function(source), config=QUIET)
    answer = app.test_client().post("/tools?a=b", json={"x": 1})
    assert answer.status_code == 200, answer.text
    assert answer.json[:6] == ["/users", "http://localhost/a/b", "http://localhost/tools?a=b", {"x": 1}, "sinchfn", 1]
    assert answer.headers["X-After"] == "yes"


def test_the_request_context_is_that_of_the_host_for_streams_too(make_function: MakeFunction, call: Call):
    source = """\
        from flask import request as flask_request
        def stream(context, request):
            def parts():
                yield "a"
                yield flask_request.path
            return parts()
    """
    assert call(embedded(make_function(source), "/fn"), "GET", "/fn/stream").text == "a/fn/stream"


# ------------------------------------------------------------------------------------ several in one host

SEVERAL = """\
    import helper
    auth = "*"
    def ice(context, data):
        return {"action": {"name": "connectPstn", "number": helper.NAME}}
    def who(context, request):
        import helper as late
        return [helper.NAME, late.NAME, context.config.function_name, context.env.get("OWN"), context.env.get("OTHER")]
    def send(context, request):
        return request.raw_body
"""


@pytest.fixture
def two(make_function: MakeFunction) -> Iterator[Flask]:
    """A host with the functions `a` and `b`, each with its helper, .env, sinch.json, public/ and config."""
    host = Flask("host")
    for name in ("a", "b"):
        made = make_function(
            {
                "function.py": SEVERAL.replace('auth = "*"', "") if name == "a" else SEVERAL,
                "helper.py": f"NAME = 'helper of {name}'\n",
                ".env": f"OWN=env of {name}\nADMIN_USER=u\nADMIN_PASSWORD={name}{name}{name}\n",
                "sinch.json": json.dumps({"name": f"function-{name}"}),
                f"public/{name}.txt": name,
            },
            name,
        )
        config = QUIET | {"SINCHFN_MAX_BODY": 5 if name == "a" else 10, "OTHER": f"config of {name}"}
        SinchFunctions(made, config=config).init_app(host, url_prefix=f"/{name}")
    return host


def test_two_functions_keep_modules_config_and_auth_apart(two: Flask, call: Call):
    import base64

    basic = {"Authorization": "Basic " + base64.b64encode(b"u:bbb").decode()}
    for name, headers in (("a", {}), ("b", basic)):
        assert call(two, "GET", f"/{name}/who", headers=headers).json == [
            f"helper of {name}",
            f"helper of {name}",
            f"function-{name}",
            f"env of {name}",
            f"config of {name}",
        ]
    assert call(two, "GET", "/b/who").status == 401
    assert call(two, "POST", "/a/send", data=b"x" * 6).status == 413
    assert call(two, "POST", "/b/send", data=b"x" * 6, headers=basic).status == 200


def test_two_functions_keep_files_and_404_apart(two: Flask, call: Call):
    for name, other in (("a", "b"), ("b", "a")):
        assert call(two, "GET", f"/{name}/{name}.txt").text == name
        assert call(two, "GET", f"/{name}/{other}.txt").status == 404
    assert call(two, "GET", "/c/who").status == 404
    assert b"handlers" not in call(two, "GET", "/c/who").body


def test_a_function_in_a_host_is_listed_among_its_extensions(two: Flask):
    assert [function.name for function in two.extensions["sinchfn"]] == ["function-a", "function-b"]


@pytest.mark.parametrize("order", [["/x", "/x/y", None], [None, "/x", "/x/y"], ["/x/y", None, "/x"]])
def test_prefixes_may_be_nested_and_the_longest_answers(
    make_function: MakeFunction, call: Call, order: list[str | None]
):
    host = Flask("host")
    for prefix in order:
        name = (prefix or "root").replace("/", "_")
        SinchFunctions(make_function(f"def who(c, r):\n    return {name!r}\n", name), config=QUIET).init_app(
            host, prefix
        )
    assert call(host, "GET", "/who").text == "root"
    assert call(host, "GET", "/z/who").text == "root"
    assert call(host, "GET", "/x/who").text == "_x"
    assert call(host, "GET", "/x/z/who").text == "_x"
    assert call(host, "GET", "/x/y/who").text == "_x_y"
    assert call(host, "GET", "/x/y/z/who/").text == "_x_y"


@pytest.mark.parametrize(("first", "second"), [("/x", "/x"), ("/x", "x/"), (None, None), ("", "/")])
def test_two_functions_at_one_place_are_an_error(folder: Path, first: str | None, second: str | None):
    host = Flask("host")
    SinchFunctions(folder, config=QUIET).init_app(host, url_prefix=first)
    with pytest.raises(FunctionError, match="url_prefix"):
        SinchFunctions(folder, config=QUIET).init_app(host, url_prefix=second)


def test_one_extension_serves_several_hosts(folder: Path, call: Call):
    sinch = SinchFunctions(folder, config=QUIET)
    for prefix in ("/one", "/two"):
        host = Flask(prefix)
        sinch.init_app(host, url_prefix=prefix)
        assert call(host, "GET", f"{prefix}/users").text == "helper of fn"


def test_without_a_name_it_is_the_function_of_the_variable(folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SINCHFN_FUNCTION", str(folder))
    host = Flask("host")
    SinchFunctions(config=QUIET).init_app(host, url_prefix="/fn")
    assert call(host, "GET", "/fn/users").text == "helper of fn"


def test_a_function_that_cannot_be_mounted_leaves_the_host_alone(make_function: MakeFunction, call: Call):
    host = Flask("host")
    with pytest.raises(FunctionError):
        SinchFunctions(make_function("def ice(one): ...\n"), config=QUIET).init_app(host, url_prefix="/fn")
    assert [rule.endpoint for rule in host.url_map.iter_rules()] == ["static"]
    assert not host.extensions.get("sinchfn")


def test_an_app_can_be_mounted_by_a_dispatcher(folder: Path, call: Call):
    app = DispatcherMiddleware(Flask("host"), {"/fn": create_app(folder, config=QUIET)})
    assert call(app, "GET", "/fn/users").text == "helper of fn"
    assert call(app, "POST", "/fn/", json={"event": "ice"}).json["action"] == {"name": "hangup"}
    assert call(app, "POST", "/fn", json={"event": "ice"}).json["action"] == {"name": "hangup"}
    assert call(app, "GET", "/fn/nothing").json["handlers"]
    assert b"handlers" not in call(app, "GET", "/users").body


# ------------------------------------------------------------------------------------ signatures, wherever it is

VOICE = "def ice(context, data): ...\n"

#: settings, mount (prefix of the blueprint, name taken off by a dispatcher), what arrives, headers, what is signed
REACHED: dict[str, dict[str, Any]] = {
    "directly": {"target": "/ice", "signs": "/ice"},
    "with a query": {"target": "/ice?a=b", "signs": "/ice"},
    "at the root": {"target": "/", "signs": "/"},
    "percent-encoded": {"target": "/v%31/%69ce", "signs": "/v%31/%69ce"},
    "with doubled slashes": {"target": "//v1//ice/", "signs": "//v1//ice/"},
    "in utf-8": {"target": "/gr%C3%BC%C3%9Fe/ice", "signs": "/gr%C3%BC%C3%9Fe/ice"},
    "under a prefix": {"prefix": "/fn", "target": "/fn/ice", "signs": "/fn/ice"},
    "at a prefix": {"prefix": "/fn", "target": "/fn", "signs": "/fn"},
    "at a prefix with a slash": {"prefix": "/fn", "target": "/fn/", "signs": "/fn/"},
    "mounted by a dispatcher": {"dispatch": "/m", "target": "/m/ice", "signs": "/m/ice"},
    "mounted by a dispatcher, at its root": {"dispatch": "/m", "target": "/m", "signs": "/m"},
    "mounted by a dispatcher, in a host": {
        "dispatch": "/m",
        "prefix": "/fn",
        "target": "/m/fn/ice",
        "signs": "/m/fn/ice",
    },
    "script name set by the server": {"script": "/m", "target": "/ice", "signs": "/m/ice"},
    "forwarded prefix of a trusted proxy": {
        "config": {"SINCHFN_TRUSTED_PROXIES": 1},
        "headers": {"X-Forwarded-Prefix": "/p"},
        "target": "/ice",
        "signs": "/p/ice",
    },
    "forwarded prefix of a trusted proxy, in a host": {
        "config": {"SINCHFN_TRUSTED_PROXIES": 1},
        "headers": {"X-Forwarded-Prefix": "/p"},
        "prefix": "/fn",
        "target": "/fn/ice",
        "signs": "/p/fn/ice",
    },
    "forwarded prefix of nobody trusted": {
        "headers": {"X-Forwarded-Prefix": "/p"},
        "target": "/ice",
        "signs": "/ice",
    },
    "public url without a path": {
        "config": {"SINCHFN_PUBLIC_URL": "https://x.example"},
        "target": "/ice",
        "signs": "/ice",
    },
    "public url with a path": {
        "config": {"SINCHFN_PUBLIC_URL": "https://x.example/pub"},
        "target": "/ice",
        "signs": "/pub/ice",
    },
    "public url with a deep path and a slash": {
        "config": {"SINCHFN_PUBLIC_URL": "https://x.example/a/b/"},
        "target": "/v1/ice",
        "signs": "/a/b/v1/ice",
    },
    "public url replaces the prefix": {
        "config": {"SINCHFN_PUBLIC_URL": "https://x.example"},
        "prefix": "/fn",
        "target": "/fn/ice",
        "signs": "/ice",
    },
    "public url with a path replaces the prefix": {
        "config": {"SINCHFN_PUBLIC_URL": "https://x.example/pub"},
        "prefix": "/fn/deep",
        "target": "/fn/deep/ice",
        "signs": "/pub/ice",
    },
    "public url replaces prefix and root path": {
        "config": {"SINCHFN_PUBLIC_URL": "https://x.example/pub"},
        "prefix": "/fn",
        "dispatch": "/m",
        "target": "/m/fn/ice",
        "signs": "/pub/ice",
    },
    "public url replaces the script name of the server": {
        "config": {"SINCHFN_PUBLIC_URL": "https://x.example/pub"},
        "script": "/m",
        "target": "/ice",
        "signs": "/pub/ice",
    },
    "public url goes before a forwarded prefix": {
        "config": {"SINCHFN_PUBLIC_URL": "https://x.example/pub", "SINCHFN_TRUSTED_PROXIES": 1},
        "headers": {"X-Forwarded-Prefix": "/p"},
        "target": "/ice",
        "signs": "/pub/ice",
    },
    "public url keeps what is encoded": {
        "config": {"SINCHFN_PUBLIC_URL": "https://x.example/pub"},
        "prefix": "/fn",
        "target": "//fn//a%20b/%69ce",
        "signs": "/pub//a%20b/%69ce",
    },
    **{
        f"public url {public or '/'} at {target or 'the prefix'}, signed {signs}": {
            "config": {"SINCHFN_PUBLIC_URL": f"https://x.example{public}"},
            "prefix": prefix,
            "target": f"{prefix or ''}{target}" or "/",
            "signs": signs,
        }
        for prefix in (None, "/fn")
        for public, signed_paths in (
            ("", ["/"]),
            ("/", ["/"]),
            ("/pub", ["/pub", "/pub/"]),
            ("/pub/", ["/pub", "/pub/"]),
        )
        for target in ("", "/")
        for signs in signed_paths
    },
}


def reached(folder: Path, case: dict[str, Any], config: dict[str, str]) -> Any:
    settings = {"SINCHFN_USAGE": "off", **config, **case.get("config", {})}
    if case.get("prefix"):
        app: Any = Flask("host")
        SinchFunctions(folder, config=settings).init_app(app, url_prefix=case["prefix"])
    else:
        app = create_app(folder, config=settings)
    return DispatcherMiddleware(Flask("outer"), {case["dispatch"]: app}) if "dispatch" in case else app


@pytest.mark.parametrize("raw", [True, False], ids=["raw path given", "no raw path"])
@pytest.mark.parametrize("case", REACHED.values(), ids=REACHED)
def test_the_signed_path_is_the_one_that_the_platform_called(
    make_function: MakeFunction, call: Call, signed: Any, case: dict[str, Any], raw: bool
):
    if not raw and ("%31" in case["target"] or "%69" in case["target"]):
        pytest.skip("a needlessly encoded path cannot be told from the decoded one")
    app = reached(make_function(VOICE), case, signed.config)
    sent = signed(case["signs"])
    headers = {**sent["headers"], **case.get("headers", {})}
    extra: dict[str, Any] = {} if raw else {"RAW_URI": None}
    if "script" in case:
        extra["SCRIPT_NAME"] = case["script"]
    answer = call(app, "POST", case["target"], data=sent["data"], headers=headers, **extra)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    ("case", "signs"),
    [
        (REACHED["directly"], "/v1/ice"),
        (REACHED["under a prefix"], "/ice"),
        (REACHED["public url with a path"], "/ice"),
        (REACHED["public url replaces the prefix"], "/fn/ice"),
        (REACHED["forwarded prefix of nobody trusted"], "/p/ice"),
        (REACHED["forwarded prefix of a trusted proxy"], "/ice"),
        (REACHED["mounted by a dispatcher"], "/ice"),
        (REACHED["directly"], "/ice/"),
        (REACHED["directly"], "/ICE"),
        (REACHED["directly"], "/pie"),
    ],
)
def test_a_signature_over_another_path_is_refused(
    make_function: MakeFunction, call: Call, signed: Any, case: dict[str, Any], signs: str
):
    sent = signed(signs)
    headers = {**sent["headers"], **case.get("headers", {})}
    app = reached(make_function(VOICE), case, signed.config)
    answer = call(app, "POST", case["target"], data=sent["data"], headers=headers)
    assert answer.status == 401
    assert signs not in answer.text
    assert set(answer.json) == {"error", "requestId"}


@pytest.mark.parametrize(
    "path", ["/ice", "/v1/ice", "//ice/", "/webhook/ice", "/%69ce", "/dice", "/ace", "/notify", "/"]
)
def test_no_path_leads_round_the_signature(make_function: MakeFunction, call: Call, signed: Any, path: str):
    for prefix in (None, "/fn"):
        app = reached(make_function(VOICE, f"fn{prefix}".replace("/", "_")), {"prefix": prefix}, signed.config)
        for body in ({"event": "ice"}, {"event": "ICE"}):
            if path not in ("/dice", "/ace", "/notify"):
                assert call(app, "POST", f"{prefix or ''}{path}", json=body).status == 401
        assert call(app, "POST", f"{prefix or ''}{path}", json={}).status in (401, 404)


def test_the_proxies_that_a_function_trusts_are_not_the_hosts(make_function: MakeFunction, call: Call):
    host = Flask("host")
    host.add_url_rule("/base", "base", lambda: request.url_root)
    config = QUIET | {"SINCHFN_TRUSTED_PROXIES": 1}
    SinchFunctions(make_function("def who(c, r): ...\n"), config=config).init_app(host, url_prefix="/fn")
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/p"}
    assert call(host, "GET", "/base", headers=headers).text == "http://localhost:8000/"


@pytest.mark.parametrize(("hops", "expected"), [(0, "192.0.2.7"), (1, "3.3.3.3"), (2, "2.2.2.2")])
def test_so_many_hops_are_believed(make_function: MakeFunction, call: Call, hops: int, expected: str):
    app = create_app(
        make_function("def who(c, r):\n    return r.remote_addr\n"), config=QUIET | {"SINCHFN_TRUSTED_PROXIES": hops}
    )
    assert call(app, "GET", "/who", headers={"X-Forwarded-For": "1.1.1.1, 2.2.2.2, 3.3.3.3"}).text == expected


# ---------------------------------------------------------------------------------------------- where the function is


@pytest.fixture
def project(make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a host's app, with a function in it; the working directory is another one."""
    for name in ("voice", "lib/voice"):
        make_function(f"def status(c, r): return {name!r}\n", f"project/{name}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "project"


def status_in(project: Path, function: str | Path | None = None, **config: object) -> str:
    host = Flask("host", root_path=str(project))
    SinchFunctions(function, config={"SINCHFN_USAGE": "off", **config}).init_app(host, url_prefix="/fn")
    return host.test_client().get("/fn/status").text


@pytest.mark.parametrize(
    "function", ["voice", "voice/function.py", "./voice", Path("voice"), Path("voice/function.py")]
)
def test_a_relative_path_is_relative_to_the_apps_root_path(project: Path, function: str | Path):
    assert status_in(project, function) == "voice"
    assert status_in(project / "lib", function) == "lib/voice"
    assert status_in(project, SINCHFN_FUNCTION=str(function)) == "voice"


def test_a_path_that_is_not_there_is_looked_up_in_the_working_directory(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project)
    assert status_in(project / "nowhere", "voice") == "voice"
    assert status_in(project / "lib", "voice") == "lib/voice", "the app's own comes first"


def test_a_path_in_the_environment_is_relative_to_the_working_directory(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project)
    monkeypatch.setenv("SINCHFN_FUNCTION", "voice")
    assert status_in(project / "lib") == "voice"


@pytest.mark.parametrize("function", ["voices", "voices/function.py", Path("no/such/folder"), "lib.voices", None])
def test_a_function_that_is_not_there_is_told_with_every_folder_that_was_looked_at(
    project: Path, function: str | Path | None
):
    with pytest.raises(FunctionError) as caught:
        status_in(project, function)
    assert str(project) in caught.value.message
    assert str(project.parent / "elsewhere") in caught.value.message


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("function", ["voice", "lib", "lib.voice"])
def test_a_folder_that_python_could_import_is_never_taken_for_a_function(
    project: Path, monkeypatch: pytest.MonkeyPatch, function: str, embedded: bool
):
    """A namespace package: a folder without ``__init__.py`` somewhere on ``sys.path``."""
    monkeypatch.syspath_prepend(str(project))
    with pytest.raises(FunctionError) as caught:
        status_in(project.parent / "elsewhere", function) if embedded else create_app(function)
    with pytest.raises(FunctionError, match="is only a folder"):
        create_app(importlib.import_module(function))
    assert str(project.parent / "elsewhere") in caught.value.message
    assert f"Python finds only {project / function.replace('.', '/')}" in caught.value.message
