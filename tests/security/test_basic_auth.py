"""HTTP Basic auth: which handlers `auth` closes, and whom it lets in."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from sinchfn import FunctionError, SinchFunctions, create_app
from tests.harness.app import Call, MakeApp, MakeFunction

ADMIN = {"ADMIN_USER": "admin", "ADMIN_PASSWORD": "pa55word"}
PROJECT = {"PROJECT_ID_API_KEY": "key-1", "PROJECT_ID_API_SECRET": "secret-1"}

HANDLERS = """\
    auth = {auth}
    def ice(context, data): ...
    def admin(context, request):
        return "admin"
    def user_profile(context, request):
        return "profile"
    def open_(context, request):
        return "open"
    def billing_webhook(context, request):
        return "billing"
    def home(context, request):
        return "home"
    def health(context, request):
        return "well"
"""


def basic(user: str, password: str, scheme: str = "Basic", encoding: str = "utf-8") -> dict[str, str]:
    encoded = base64.b64encode(f"{user}:{password}".encode(encoding)).decode()
    return {"Authorization": f"{scheme} {encoded}"}


@pytest.fixture
def serve(make_app: MakeApp) -> Callable[..., Flask]:
    """``serve(auth, **config)``: an app of HANDLERS with this value of `auth`."""

    def make(auth: str, **config: object) -> Flask:
        return make_app(HANDLERS.replace("{auth}", auth), WEBHOOK_PROTECTION="never", **config)

    return make


# ---------------------------------------------------------------------------------------------------- who is let in


def test_a_stranger_gets_a_401_as_json_with_a_challenge(serve: Callable[..., Flask], call: Call):
    answer = call(serve("['admin']", **ADMIN), "GET", "/admin", headers={"X-Request-ID": "id-1"})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["requestId"] == "id-1"
    assert answer.json["error"]


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
@pytest.mark.parametrize(
    ("settings", "user", "password"),
    [
        (ADMIN, "admin", "pa55word"),
        (PROJECT, "key-1", "secret-1"),
        (ADMIN | PROJECT, "admin", "pa55word"),
        (ADMIN | PROJECT, "key-1", "secret-1"),
        ({"ADMIN_USER": "jürgen", "ADMIN_PASSWORD": "grüße€"}, "jürgen", "grüße€"),
        ({"ADMIN_USER": "a", "ADMIN_PASSWORD": "b:c:d"}, "a", "b:c:d"),
        ({"ADMIN_USER": "a", "ADMIN_PASSWORD": " spaced "}, "a", " spaced "),
    ],
)
def test_either_pair_opens(
    serve: Callable[..., Flask], call: Call, settings: dict[str, str], user: str, password: str, scheme: str
):
    answer = call(serve("['admin']", **settings), "GET", "/admin", headers=basic(user, password, scheme))
    assert (answer.status, answer.text) == (200, "admin")


WRONG = [
    basic("admin", "wrong"),
    basic("wrong", "pa55word"),
    basic("admin", ""),
    basic("", ""),
    basic("", "pa55word"),
    basic("Admin", "pa55word"),
    basic("admin", "pa55word "),
    basic("admin", "pa55word\0"),
    basic("admin", "secret-1"),
    basic("key-1", "pa55word"),
    basic("key-1:secret-1", ""),
    basic("ädmin", "pa55wörd"),
    basic("ädmin", "pa55wörd", encoding="latin-1"),
    {"Authorization": ""},
    {"Authorization": "Basic"},
    {"Authorization": "Basic "},
    {"Authorization": "Basic admin:pa55word"},
    {"Authorization": "Basic !!!!"},
    {"Authorization": "Basic YWRtaW4"},
    {"Authorization": "Basic " + base64.b64encode(b"adminpa55word").decode()},
    {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()},
    {"Authorization": "Basic \xff\xfe"},
    {"Authorization": "Bearer pa55word"},
    {"Authorization": basic("admin", "pa55word")["Authorization"].replace("Basic", "Bearer")},
    {"Authorization": basic("admin", "pa55word")["Authorization"].replace("Basic ", "Basic")},
    {"Authorization": "Basic " + "A" * 100_000},
    {"Authorization": basic("admin", "pa55word")["Authorization"] + ", " + basic("a", "b")["Authorization"]},
]


@pytest.mark.parametrize("headers", WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_anything_else_does_not(serve: Callable[..., Flask], call: Call, headers: dict[str, str]):
    assert call(serve("['admin']", **ADMIN, **PROJECT), "GET", "/admin", headers=headers).status == 401


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ADMIN_USER": "admin"},
        {"ADMIN_PASSWORD": "pa55word"},
        {"ADMIN_USER": "admin", "ADMIN_PASSWORD": ""},
        {"ADMIN_USER": "", "ADMIN_PASSWORD": ""},
        {"ADMIN_USER": "admin", "PROJECT_ID_API_SECRET": "pa55word"},
        {"PROJECT_ID_API_KEY": "a-key"},
    ],
)
@pytest.mark.parametrize("environment", ["production", "development"])
def test_without_a_whole_pair_it_is_closed_and_the_log_says_so(
    serve: Callable[..., Flask],
    call: Call,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, str],
    environment: str,
):
    app = serve("['admin']", SINCHFN_ENV=environment, **settings)
    for user, password in (("admin", "pa55word"), ("admin", ""), ("", ""), ("None", "None"), ("admin", "None")):
        assert call(app, "GET", "/admin", headers=basic(user, password)).status == 401
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and "auth" in r.getMessage()]
    assert "admin" in warnings[0]
    assert "ADMIN_USER" in warnings[0]


def test_the_answer_never_says_what_was_wrong(serve: Callable[..., Flask], call: Call):
    app = serve("['admin']", SINCHFN_ENV="development", **ADMIN)
    texts = set()
    for headers in (basic("admin", "wrong"), basic("wrong", "wrong"), {}, {"Authorization": "Bearer x"}):
        texts.add(call(app, "GET", "/admin", headers={**headers, "X-Request-ID": "id"}).text)
    assert len(texts) == 1


# ---------------------------------------------------------------------------------------------------- what is closed


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/admin", "/admin/", "//admin", "/api/v2/admin", "/%61dmin", "/ice/admin"])
def test_a_named_handler_is_closed_by_whatever_path_and_method(
    serve: Callable[..., Flask], call: Call, path: str, method: str
):
    app = serve("['admin']", **ADMIN)
    assert call(app, method, path).status == 401
    assert call(app, method, path, headers=basic("admin", "pa55word")).status == 200


@pytest.mark.parametrize("entry", ["user_profile", "userProfile", "user-profile"])
@pytest.mark.parametrize("path", ["/user_profile", "/userProfile", "/user-profile"])
def test_a_handler_may_be_named_in_any_spelling_and_is_closed_in_all(
    serve: Callable[..., Flask], call: Call, entry: str, path: str
):
    assert call(serve(f"[{entry!r}]", **ADMIN), "GET", path).status == 401


def test_what_is_not_named_stays_open(serve: Callable[..., Flask], call: Call):
    app = serve("['admin']", **ADMIN)
    for path in ("/open_", "/", "/health", "/user_profile", "/webhook/billing"):
        assert call(app, "POST", path).status == 200


@pytest.mark.parametrize("auth", ["'*'", "['*']", "('*',)", "{'*'}", "['*', 'admin']"])
def test_a_star_closes_every_handler_but_the_guarded_ones_and_health(
    serve: Callable[..., Flask], call: Call, auth: str
):
    app = serve(auth, **ADMIN)
    for path in ("/admin", "/user_profile", "/open_", "/webhook/billing", "/billingWebhook", "/", "/home"):
        assert call(app, "GET", path).status == 401
    for path in ("/ice", "/ace", "/dice", "/notify"):
        assert call(app, "POST", path, json={}).status == 200
    assert call(app, "POST", "/", json={"event": "ice"}).status == 200
    assert call(app, "GET", "/health").text == "well"


def test_the_root_is_closed_when_its_handler_is_named(serve: Callable[..., Flask], call: Call):
    app = serve("['home']", **ADMIN)
    for path in ("/", "//", "/home"):
        assert call(app, "GET", path).status == 401
    assert call(app, "POST", "/", json={"event": "ice"}).status == 200
    assert call(app, "POST", "/", json={"event": "no call event"}).status == 401


def test_a_webhook_of_the_users_own_can_be_named(serve: Callable[..., Flask], call: Call):
    app = serve("['billing_webhook']", **ADMIN)
    for path in ("/webhook/billing", "/v1/webhook/billing/", "/billingWebhook", "/billing_webhook"):
        assert call(app, "POST", path).status == 401
        assert call(app, "POST", path, headers=basic("admin", "pa55word")).status == 200


@pytest.mark.parametrize("auth", ["'*'", "['ice', 'dice', 'health']", "'ice'"])
@pytest.mark.parametrize("protection", ["never", "deploy"])
def test_callbacks_and_health_are_never_gated_though_they_are_named(
    make_app: MakeApp, call: Call, signed: Any, auth: str, protection: str
):
    source = f"auth = {auth}\ndef ice(context, data): ...\ndef health(context, request):\n    return 'well'\n"
    app = make_app(source, WEBHOOK_PROTECTION=protection, **ADMIN, **signed.config)
    for name in ("ice", "dice"):
        assert call(app, "POST", f"/{name}", **signed(f"/{name}", {"event": name})).status == 200
    assert call(app, "GET", "/health").text == "well"


def test_an_entry_without_effect_is_warned_about(serve: Callable[..., Flask], caplog: pytest.LogCaptureFixture):
    serve("['ice', 'health']", **ADMIN)
    text = "\n".join(r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)
    assert '"ice"' in text
    assert '"health"' in text


@pytest.mark.parametrize("name", ["i_ce", "Not_ify", "aCE"])
def test_a_name_that_only_looks_like_a_callback_is_no_way_round_the_gate(
    make_function: MakeFunction, call: Call, name: str
):
    folder = make_function(f"auth = '*'\ndef {name}(context, request):\n    return 'inside'\n")
    try:
        app = create_app(folder, config={"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never", **ADMIN})
    except FunctionError:
        return  # refused at start: good too
    assert call(app, "GET", f"/{name}").status == 401


def test_basic_credentials_do_not_stand_in_for_a_signature(make_app: MakeApp, call: Call, signed: Any):
    app = make_app("auth = '*'\ndef ice(context, data): ...\n", **ADMIN, **signed.config)
    assert call(app, "POST", "/ice", json={}, headers=basic("admin", "pa55word")).status == 401


def test_the_handler_is_not_run_and_the_record_is_written_for_a_stranger(make_function: MakeFunction, call: Call):
    source = """\
        auth = ["admin"]
        calls = []
        def admin(context, request):
            calls.append(1)
        def count(context, request):
            return str(len(calls))
    """
    folder = make_function(source)
    app = create_app(folder, config=ADMIN)
    call(app, "GET", "/admin")
    assert call(app, "GET", "/count").text == "0"
    assert '"status":401' in (folder / "data/usage.jsonl").read_text().splitlines()[0]


@pytest.mark.parametrize("auth", ["None", "[]", "()"])
def test_an_empty_auth_closes_nothing(serve: Callable[..., Flask], call: Call, auth: str):
    assert call(serve(auth, **ADMIN), "GET", "/admin").status == 200


def test_auth_may_be_imported(make_app: MakeApp, call: Call):
    files = {"function.py": "from rules import auth\ndef admin(c, r): ...\n", "rules.py": "auth = ['admin']\n"}
    assert call(make_app(files), "GET", "/admin").status == 401


# ------------------------------------------------------------------------------------------------ what is an error


@pytest.mark.parametrize(
    "auth", ["['amdin']", "'amdin'", "['admin', 'Admin']", "['setup']", "['']", "['/admin']", "['ace']"]
)
def test_a_name_that_is_no_handler_is_a_start_up_error(make_function: MakeFunction, auth: str):
    folder = make_function(f"auth = {auth}\ndef setup(runtime): ...\ndef admin(context, request): ...\n")
    with pytest.raises(FunctionError) as caught:
        create_app(folder, config={"SINCHFN_USAGE": "off"})
    assert str(folder / "function.py") in str(caught.value)
    assert "admin" in str(caught.value)


def test_a_misspelt_name_is_told_what_was_meant(make_function: MakeFunction):
    with pytest.raises(FunctionError, match=r'"amdin".*Did you mean "admin"'):
        create_app(make_function("auth = ['amdin']\ndef admin(context, request): ...\n"))


@pytest.mark.parametrize(
    "auth", ["True", "5", "[5]", "[None]", "{'admin': True}", "lambda c, r: 1", "b'admin'", "[['admin']]"]
)
def test_auth_of_another_type_is_a_start_up_error_that_shows_the_form(make_function: MakeFunction, auth: str):
    folder = make_function(f"auth = {auth}\ndef admin(context, request): ...\n")
    with pytest.raises(FunctionError) as caught:
        create_app(folder, config={"SINCHFN_USAGE": "off"})
    assert "auth takes a list of names" in str(caught.value)
    assert str(folder / "function.py") in str(caught.value)


def test_two_functions_in_one_host_have_pairs_of_their_own(make_function: MakeFunction, call: Call):
    host = Flask("host")
    for name in ("a", "b"):
        files = {
            "function.py": "auth = '*'\ndef admin(c, r):\n    return 'in'\n",
            ".env": f"ADMIN_USER={name}\nADMIN_PASSWORD={name}{name}\n",
        }
        SinchFunctions(make_function(files, name), config={"SINCHFN_USAGE": "off"}).init_app(host, f"/{name}")
    assert call(host, "GET", "/a/admin", headers=basic("a", "aa")).status == 200
    assert call(host, "GET", "/b/admin", headers=basic("a", "aa")).status == 401
    assert call(host, "GET", "/b/admin", headers=basic("b", "bb")).status == 200
