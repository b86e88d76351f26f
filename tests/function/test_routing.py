"""Routing of requests to exports: the pure function, and the same through HTTP."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchfn import SinchFunctions, create_app
from sinchfn.function.discovery import read_exports
from sinchfn.function.names import CALLBACKS
from sinchfn.function.routes import METHODS
from sinchfn.function.routing import Exports, Route, route
from tests.harness.app import Call, MakeApp, MakeFunction
from tests.harness.call import call
from tests.harness.paths import FUNCTIONS

#: The exports of tests/functions/every_kind; each answers its own name.
NAMES = ("ice", "pie", "conversation_webhook", "elevenLabsWebhook", "users", "user_profile", "status", "home")
SETTINGS = {"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never"}


def exports_of(*names: str) -> Exports:
    module = ModuleType("f")
    module.__file__ = "function.py"
    exec("\n".join(f"def {name}(context, request): ..." for name in names), module.__dict__)
    return read_exports(module)


def outcome(found: Route | None) -> str | None:
    """Return the name of the export, ``405 <methods>``, or None."""
    if found is None:
        return None
    return found.export.name if found.export else f"405 {' '.join(found.allow)}"


#: method, path, event -> what `outcome` says of a function with all of NAMES.
TABLE = [
    # voice callbacks: the last segment, whatever stands before
    ("POST", "/ice", None, "ice"),
    ("POST", "/ice", "ice", "ice"),
    ("POST", "/v1/sinch/ice", None, "ice"),
    ("POST", "/webhook/ice", None, "ice"),
    ("POST", "/a/webhook/pie", None, "pie"),
    ("POST", "/ice/", None, "ice"),
    ("POST", "//ice", None, "ice"),
    ("POST", "/v1//ice//", None, "ice"),
    ("POST", "/ice/users", None, "users"),
    # callbacks without a handler are answered
    ("POST", "/ace", None, "ace"),
    ("POST", "/dice", None, "dice"),
    ("POST", "/x/notify/", None, "notify"),
    # callbacks take POST only
    *((method, "/ice", None, "405 POST") for method in METHODS if method != "POST"),
    ("GET", "/v1/dice", None, "405 POST"),
    # webhooks
    ("POST", "/webhook/conversation", None, "conversation_webhook"),
    ("GET", "/webhook/conversation", None, "conversation_webhook"),
    ("POST", "/v1/webhook/conversation/", None, "conversation_webhook"),
    ("POST", "/webhook//conversation", None, "conversation_webhook"),
    ("POST", "/conversation_webhook", None, "conversation_webhook"),
    ("POST", "/conversationWebhook", None, "conversation_webhook"),
    ("POST", "/x/conversation-webhook", None, "conversation_webhook"),
    ("POST", "/webhook/eleven-labs", None, "elevenLabsWebhook"),
    ("POST", "/webhook/eleven_labs", None, "elevenLabsWebhook"),
    ("POST", "/webhook/elevenLabs", None, "elevenLabsWebhook"),
    ("POST", "/conversation", None, None),
    ("POST", "/webhook", None, None),
    ("POST", "/webhook/", None, None),
    # /webhook/<service> never falls back
    ("POST", "/webhook/users", None, None),
    ("GET", "/webhook/status/", None, None),
    ("GET", "/webhook//users", None, None),
    ("POST", "/webhook/user-profile", None, None),
    ("POST", "/webhook/home", None, None),
    ("POST", "/webhook/conversation_webhook", None, None),
    ("POST", "/webhook/conversationWebhook", None, None),
    ("GET", "/webhook/x/users", None, "users"),
    # custom endpoints: every method, the last segment
    *((method, "/users", None, "users") for method in METHODS),
    ("POST", "/api/v2/users", None, "users"),
    ("GET", "/api/status/", None, "status"),
    ("GET", "/user-profile", None, "user_profile"),
    ("GET", "/userProfile", None, "user_profile"),
    ("GET", "/USERS", None, None),
    ("GET", "/users/5", None, None),
    ("GET", "/users.json", None, None),
    ("GET", "/user profile", None, None),
    ("GET", "/nothing", None, None),
    ("GET", "/_private", None, None),
    ("GET", "/..", None, None),
    # the root
    ("GET", "/", None, "home"),
    ("GET", "", None, "home"),
    ("GET", "///", None, "home"),
    ("GET", "/home", None, "home"),
    ("POST", "/", None, "home"),
    ("POST", "/", "ice", "ice"),
    ("POST", "//", "pie", "pie"),
    ("POST", "/", "dice", "dice"),
    ("POST", "/", "ace", "ace"),
    ("POST", "/", "notify", "notify"),
    ("POST", "/", "message", "home"),
    ("POST", "/", "users", "home"),
    ("PUT", "/", "ice", "home"),
    ("GET", "/", "ice", "home"),
    # only at the root the event decides
    ("POST", "/users", "ice", "users"),
    ("POST", "/nothing", "ice", None),
]
IDS = [f"{method} {path or 'empty'} {event or ''}" for method, path, event, _ in TABLE]


@pytest.mark.parametrize(("method", "path", "event", "expected"), TABLE, ids=IDS)
def test_route(method: str, path: str, event: str | None, expected: str | None):
    assert outcome(route(method, path, event, exports_of(*NAMES))) == expected


@pytest.fixture(scope="module")
def full() -> Flask:
    """Return an app with only this function."""
    return create_app(FUNCTIONS / "every_kind", config=SETTINGS)


@pytest.fixture(scope="module")
def mounted() -> Flask:
    """Return a host with the same function under /fn."""
    host = Flask("host", static_folder=None)
    SinchFunctions(FUNCTIONS / "every_kind", config=SETTINGS).init_app(host, url_prefix="/fn")
    return host


def said(answer: Any) -> str | None:
    """Return the same as ``outcome``, for an HTTP answer."""
    if answer.status == 404:
        return None
    if answer.status == 405:
        return f"405 {answer.headers['Allow']}"
    assert answer.status == 200, answer.body
    payload = answer.json
    if "said" in payload:
        return str(payload["said"])
    if payload.get("action") == {"name": "continue"}:
        return "ace"
    return payload["instructions"][0]["text"] if payload else "dice or notify"


@pytest.mark.parametrize("prefix", ["", "/fn"])
@pytest.mark.parametrize(("method", "path", "event", "expected"), TABLE, ids=IDS)
def test_route_through_http(
    full: Flask, mounted: Flask, call: Call, prefix: str, method: str, path: str, event: str | None, expected: str
):
    app = mounted if prefix else full
    body = {"callid": "c"} | ({"event": event} if event else {})
    answer = call(app, method, (prefix + path.replace(" ", "%20")) or "/", json=body)
    if method == "HEAD":
        assert (answer.status, answer.body) == (405 if expected.startswith("405") else 200, b"")
        return
    assert said(answer) == ("dice or notify" if expected in ("dice", "notify") else expected)


# ------------------------------------------------------------ the root


@pytest.mark.parametrize("event", ["ice", "ICE", "Ice", "iCe"])
def test_a_callback_posted_to_the_root_is_found_by_its_event_in_any_case(full: Flask, call: Call, event: str):
    assert said(call(full, "POST", "/", json={"event": event})) == "ice"


@pytest.mark.parametrize("path", ["/fn", "/fn/", "/fn//", "//fn", "//fn/"])
@pytest.mark.parametrize(("event", "expected"), [("ice", "ice"), ("hello", "home")])
def test_the_root_of_a_mount_is_the_prefix_with_or_without_slashes(
    mounted: Flask, call: Call, path: str, event: str, expected: str
):
    assert said(call(mounted, "POST", path, json={"event": event})) == expected


@pytest.mark.parametrize(
    "body", [b"", b"x=1", b"[]", b'"ice"', b"null", b'{"event": 5}', b'{"event": ["ice"]}', b'{"event":']
)
def test_a_post_to_the_root_without_a_callback_goes_to_home(full: Flask, call: Call, body: bytes):
    answer = call(full, "POST", "/", data=body, headers={"Content-Type": "application/json"})
    assert said(answer) == "home"


@pytest.mark.parametrize("name", ["default", "home"])
def test_default_and_home_are_both_the_root_and_answer_to_their_name(make_app: MakeApp, call: Call, name: str):
    app = make_app(f"def {name}(context, request):\n    return 'root'\n")
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert call(app, method, "/").text == "root"
    assert call(app, "GET", f"/{name}").text == "root"


def test_a_function_without_voice_gets_call_events_at_its_home(make_app: MakeApp, call: Call):
    app = make_app("def home(context, request):\n    return request.json['event']\n")
    assert call(app, "POST", "/", json={"event": "ice"}).text == "ice"


def test_a_broken_body_at_the_root_of_a_voice_function_is_a_400(make_app: MakeApp, call: Call):
    app = make_app("def ice(context, data): ...\n", WEBHOOK_PROTECTION="never")
    answer = call(app, "POST", "/", data=b'{"event":', headers={"Content-Type": "application/json"})
    assert answer.status == 400
    assert set(answer.json) >= {"error", "requestId"}


@pytest.mark.parametrize(
    "source", ["def ice(c, d): ...\n", "def ice(c, d): ...\ndef home(c, r):\n    return r.raw_body\n"]
)
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("tail", [b'{"event": "ice"}', b'{"callid": "x"}', b""])
def test_a_body_over_the_limit_posted_to_the_root_is_a_413_however_it_is_sent(
    make_app: MakeApp, call: Call, source: str, chunked: bool, tail: bytes
):
    app = make_app(source, WEBHOOK_PROTECTION="never", SINCHFN_MAX_BODY=100)
    body = b" " * 101 + tail
    answer = call(app, "POST", "/", data=body, headers={"Content-Type": "application/json"}, chunked=chunked)
    assert answer.status == 413


@pytest.mark.parametrize("callback", ["ice", "pie"])
def test_ice_and_pie_without_a_handler_are_404_also_at_the_root(make_app: MakeApp, call: Call, callback: str):
    other = {"ice": "pie", "pie": "ice"}[callback]
    app = make_app(f"def {other}(context, data): ...\n", WEBHOOK_PROTECTION="never")
    assert call(app, "POST", f"/{callback}", json={}).status == 404
    assert call(app, "POST", "/", json={"event": callback}).status == 404


# ------------------------------------------------------------------------------------------------------------ callbacks


@pytest.mark.parametrize("path", ["/ice", "/v1/ice", "/webhook/ice"])
@pytest.mark.parametrize("event", ["pie", "PIE", "Ace", "notify"])
def test_a_callback_whose_event_names_another_is_a_400(full: Flask, call: Call, path: str, event: str):
    answer = call(full, "POST", path, json={"event": event})
    assert answer.status == 400
    assert event in answer.json["error"]


@pytest.mark.parametrize(
    "body", [{}, {"event": "ICE"}, {"event": "ice"}, {"event": None}, {"event": ""}, {"callid": "x"}]
)
def test_on_the_path_of_a_callback_the_event_may_be_missing(full: Flask, call: Call, body: dict[str, Any]):
    assert said(call(full, "POST", "/ice", json=body)) == "ice"


@pytest.mark.parametrize("implemented", CALLBACKS)
def test_ace_dice_and_notify_are_answered_as_soon_as_there_is_any_callback(
    make_app: MakeApp, call: Call, implemented: str
):
    app = make_app(f"def {implemented}(context, data): ...\n", WEBHOOK_PROTECTION="never")
    implicit = {"ace": {"action": {"name": "continue"}}, "dice": {}, "notify": {}}
    for name, answer in implicit.items():
        if name != implemented:
            for path, body in ((f"/{name}", {}), (f"/v1/{name}/", {}), ("/", {"event": name.upper()})):
                got = call(app, "POST", path, json=body)
                assert (got.status, got.json) == (200, answer)
            assert call(app, "GET", f"/{name}").status == 405


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_function_without_voice_has_no_callbacks(make_app: MakeApp, call: Call, name: str):
    app = make_app("def users(context, request): ...\n")
    assert call(app, "POST", f"/{name}", json={}).status == 404
    assert call(app, "GET", f"/{name}").status == 404


def test_a_webhook_named_like_a_callback_answers_if_there_is_no_such_callback(make_app: MakeApp, call: Call):
    source = "def ice_webhook(context, request):\n    return 'webhook'\n"
    assert call(make_app(source), "POST", "/webhook/ice").text == "webhook"


@pytest.mark.parametrize("method", [*(m for m in METHODS if m != "POST"), "PROPFIND", "TRACE", "FOO"])
def test_a_callback_says_in_allow_that_it_takes_post(full: Flask, call: Call, method: str):
    answer = call(full, method, "/v1/ice")
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.headers["X-Request-ID"]
    if method != "HEAD":
        assert set(answer.json) >= {"error", "requestId"}


# ------------------------------------------------------------------------------------------------------ no handler: 404


def test_an_unmatched_path_is_a_404_that_lists_the_handlers(full: Flask, call: Call):
    answer = call(full, "GET", "/nothing/here", headers={"X-Request-ID": "id-1"})
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["handlers"] == list(NAMES)
    assert answer.json["requestId"] == answer.headers["X-Request-ID"] == "id-1"
    assert "/nothing/here" in answer.json["error"]
    assert "id you mean" not in answer.json["error"]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/usres", "users"),
        ("/Users", "users"),
        ("/stats", "status"),
        ("/user_profil", "user_profile"),
        ("/userprofile", "user_profile"),
        ("/icee", "ice"),
        ("/Ice", "ice"),
        ("/webhook/conversatoin", "/webhook/conversation"),
        ("/webhook/Conversation", "/webhook/conversation"),
        ("/api/v2/usres", "users"),
        ("/v1/sinch/icee", "ice"),
    ],
)
def test_a_near_miss_is_told_what_was_meant(full: Flask, call: Call, path: str, meant: str):
    answer = call(full, "POST", path, json={})
    assert answer.status == 404
    _, _, hint = answer.json["error"].partition("id you mean")
    assert meant in hint


@pytest.mark.parametrize("prefix", ["", "/fn"])
def test_a_404_names_the_callback_url(full: Flask, mounted: Flask, make_app: MakeApp, call: Call, prefix: str):
    answer = call(mounted if prefix else full, "GET", f"{prefix}/nothing")
    assert answer.json["callbackUrl"] == f"POST {prefix or '/'}"
    without = make_app("def users(context, request): ...\n", "without voice")
    assert "callbackUrl" not in call(without, "GET", "/nothing").json


def test_a_function_without_handlers_says_so(make_app: MakeApp, call: Call):
    answer = call(make_app({"function.py": "x = 1\n", "public/a.txt": "a"}), "GET", "/users")
    assert answer.status == 404
    assert answer.json["handlers"] == []


def test_head_of_an_unmatched_path_has_no_body(full: Flask, call: Call):
    answer = call(full, "HEAD", "/nothing")
    assert (answer.status, answer.body) == (404, b"")


def test_a_404_of_a_very_long_path_stays_short(full: Flask, call: Call):
    answer = call(full, "GET", "/" + "a" * 200_000)
    assert answer.status == 404
    assert len(answer.body) < 2000


# -------------------------------------------------------------------------------------------------------- odd requests

ODD_PATHS = [
    "/%69ce",
    "/v1/%69%63%65",
    "/ice%2f",
    "/v1%2fice",
    "//ice",
    "///ice///",
    "/ice?x=/users",
    "/ice?",
    "/ice/%2F%2F",
    "/\udcff/ice",
    "/%ff%fe/ice",
    "/%00/ice",
    "/a%0d%0aSet-Cookie:%20x=1/ice",
    "/" + "a/" * 20_000 + "ice",
    "/" + "%F0%9F%98%80" * 500 + "/ice",
]


@pytest.mark.parametrize("path", ODD_PATHS, ids=[path[:30].encode("ascii", "replace").decode() for path in ODD_PATHS])
def test_a_callback_is_reached_by_whatever_ends_in_its_name_once_decoded(full: Flask, call: Call, path: str):
    assert said(call(full, "POST", path, json={})) == "ice"


@pytest.mark.parametrize(
    "path",
    ["/ice%00", "/%00ice", "/ice%ff", "/ice%20", "/ice;x=1", "/ice%3Fx", "/ice%23", "/i\u0441e", "/ICE", "/ice."],
)
def test_a_name_that_only_looks_like_it_is_not_found(full: Flask, call: Call, path: str):
    assert call(full, "POST", path, json={}).status == 404


@pytest.mark.parametrize("path", ["/users/", "//users", "/api//users//", "/users//"])
def test_slashes_never_redirect(full: Flask, mounted: Flask, call: Call, path: str):
    assert said(call(full, "GET", path)) == "users"
    assert said(call(mounted, "GET", "/fn" + path)) == "users"
    assert said(call(mounted, "GET", "//fn" + path)) == "users"


def test_a_path_that_only_begins_like_the_prefix_is_not_below_it(mounted: Flask, call: Call):
    answer = call(mounted, "POST", "/fnice", json={})
    assert answer.status == 404
    assert b"handlers" not in answer.body


@pytest.mark.parametrize("method", ["FOO", "PROPFIND", "TRACE", "CONNECT", "x-y", "*"])
@pytest.mark.parametrize("path", ["/users", "/", "/nothing"])
def test_a_method_that_http_or_we_do_not_know_is_refused_as_json(full: Flask, call: Call, method: str, path: str):
    answer = call(full, method, path)
    assert answer.status in (404, 405, 501)
    assert set(answer.json) >= {"error", "requestId"}
    assert answer.headers["X-Request-ID"] == answer.json["requestId"]


def test_an_upgrade_on_an_http_path_is_refused_as_json_or_answered(full: Flask, call: Call):
    answer = call(full, "GET", "/users", headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    assert answer.status < 500
    assert answer.headers["Content-Type"] == "application/json"


def test_an_upgrade_to_another_protocol_changes_nothing(full: Flask, call: Call):
    assert said(call(full, "GET", "//users/", headers={"Upgrade": "h2c", "Connection": "Upgrade"})) == "users"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_reaches_a_custom_endpoint_which_sees_it(make_app: MakeApp, call: Call, method: str):
    source = "def users(context, request):\n    return request.method, 200, {'X-Method': request.method}\n"
    answer = call(make_app(source), method, "/users")
    assert (answer.status, answer.headers["X-Method"]) == (200, method)
    assert answer.text == ("" if method == "HEAD" else method)


RETURNS = {
    "str": "'text'",
    "bytes": "b'bytes'",
    "dict": "{'a': 1}",
    "response": "flask.Response('x')",
    "generator": "(c for c in 'abc')",
    "error": "1 / 0",
    "abort": "flask.abort(418)",
    "helper": "sinchfn.html('<p>')",
}


@pytest.mark.parametrize("value", RETURNS.values(), ids=RETURNS)
def test_head_never_carries_a_body(make_app: MakeApp, call: Call, value: str):
    app = make_app(f"import flask, sinchfn\ndef users(context, request):\n    return {value}\n")
    assert call(app, "HEAD", "/users").body == b""
    assert call(app, "GET", "/users").body != b""


def test_the_path_that_a_handler_sees_is_below_the_mount(make_function: MakeFunction, call: Call):
    folder = make_function("def users(context, request):\n    return request.path\n")
    host = Flask("host")
    SinchFunctions(folder, config=SETTINGS).init_app(host, url_prefix="/fn")
    assert call(host, "GET", "/fn/api/users").text == "/api/users"
    assert call(create_app(folder, config=SETTINGS), "GET", "/api/users").text == "/api/users"


# ------------------------------------------------------------ any input

PATHS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            ["ice", "ace", "webhook", "users", "conversation", "home", "", ".", "..", "health", "%", "é", "\0"]
        ),
        max_size=6,
    ).map("/".join),
)


@st.composite
def names_and_paths(draw: st.DrawFn) -> tuple[list[str], str]:
    """The exports of a function, and a path: any path, or one that is made of their names."""
    names = sorted(draw(st.sets(st.sampled_from([*NAMES, "ace", "dice", "notify"]))))
    segments = st.lists(st.sampled_from([*names, "webhook", "conversation", "v1", ""]), max_size=4)
    return names, draw(PATHS | segments.map("/".join))


@given(
    method=st.sampled_from([*METHODS, "FOO", "get", ""]),
    event=st.none() | st.sampled_from([*CALLBACKS, "?", "ICE"]) | st.text(max_size=5),
    drawn=names_and_paths(),
)
def test_route_has_an_answer_for_everything(method: str, event: str | None, drawn: tuple[list[str], str]):
    names, path = drawn
    exports = exports_of(*names)
    found = route(method, path, event, exports)
    if found is not None:
        assert (found.export is None) == bool(found.allow)
    if found is not None and found.export is not None and found.export.name in CALLBACKS:
        assert method == "POST"


@settings(deadline=None, max_examples=200)
@given(
    method=st.sampled_from([*METHODS, "FOO", "x"]),
    path=st.binary(max_size=60).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw))
    | PATHS.map(lambda text: "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "replace"))),
    body=st.binary(max_size=30) | st.sampled_from([b'{"event":"ice"}', b'{"event":"pie","callid":5}', b"{}", b"[[[["]),
    content_type=st.sampled_from(
        ["", "application/json", "text/plain", "multipart/form-data", "\xff", "a/b;charset=x"]
    ),
)
def test_no_path_method_or_body_ends_in_a_500(
    full: Flask, mounted: Flask, method: str, path: str, body: bytes, content_type: str
):
    for app, prefix in ((full, ""), (mounted, "/fn")):
        answer = call(app, method, f"{prefix}/{path}", data=body, headers={"Content-Type": content_type})
        assert answer.status < 500
        assert not 300 <= answer.status < 400
