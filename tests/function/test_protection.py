"""Every route of an app with all kinds in it: who may call it, proved path by path.

The table below is written by hand. What the app itself says of its routes has to be the same, so that no endpoint can
be added without being in it; and each call that must not come through is sent to every path that reaches the endpoint.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

from sinchfn import ConfigError, FunctionError, SinchFunctions, create_app
from sinchfn.function.routes import METHODS
from sinchfn.security.application import ApplicationScheme
from sinchfn.security.elevenlabs import ElevenLabsScheme
from sinchfn.security.nonce import NonceScheme
from sinchfn.security.shared_secret import SharedSecretScheme
from sinchfn.security.table import SCHEMES
from tests.harness.app import MakeApp, MakeFunction
from tests.harness.call import Answer, call
from tests.harness.paths import FUNCTIONS
from tests.harness.server import gunicorn, until

KEY = "f00dcafe-abba-c0de-1dea-dabb1ed4caf3"
SECRETS = {
    "VOICE_APPLICATION_KEY": KEY,
    "VOICE_APPLICATION_SECRET": "c2VjcmV0LXNlY3JldC1zZWNyZXQ=",
    "CONVERSATION_WEBHOOK_SECRET": "CactusKnight_SurfsWaves",
    "SMS_WEBHOOK_SECRET": "secret of the SMS service plan",
    "ELEVENLABS_WEBHOOK_SECRET": "wsec_test_0123456789abcdef",
    "ELEVENLABS_INIT_SECRET": "init-secret-of-the-test",
}

SETTINGS = {
    **SECRETS,
    "ADMIN_USER": "ann",
    "ADMIN_PASSWORD": "correct-horse",
    "SINCHFN_USAGE": "off",
    "SINCHFN_CACHE_URL": "memory:",
    "SINCHFN_STORAGE_URL": "memory:",
}

#: Beside the controllers of the case, the plain export of every webhook that has a scheme, in a function of its own.
PLAIN = """
auth = "*"
def ice(context, data): return {"action": {"name": "hangup"}}
def ace(context, data): return {"action": {"name": "continue"}}
def pie(context, data): return {"action": {"name": "hangup"}}
def notify(context, data): pass
def conversation_webhook(context, request): return {"reached": True}
def smsWebhook(context, request): return {"reached": True}
def eleven_labs_webhook(context, request): return {"reached": len(request.raw_body)}
def elevenlabsInitWebhook(context, request): return {"reached": True}
def stripe_webhook(context, request): return {"reached": True}
def status(context, request): return "status"
"""

BODIES = {
    "application": b'{"callid":"c1","cli":"4670"}',
    "nonce": b'{"message":{"contact_message":{"text_message":{"text":"hi"}}}}',
    "sms-nonce": b'{"type":"mo_text","from":"46700000001","body":"hi"}',
    "elevenlabs": b'{"type":"post_call_transcription","event_timestamp":1,"data":{"agent_id":"a"}}',
    "init-secret": b'{"caller_id":"+4670","agent_id":"a"}',
}


class Guarded(NamedTuple):
    """One endpoint: the scheme or `basic` that guards it, the paths that reach it, and one method to call it by."""

    guard: str
    paths: tuple[str, ...]
    method: str = "POST"


def callback(name: str) -> Guarded:
    return Guarded(
        "application",
        (f"/{name}", f"//{name}/", f"/v1/any/{name}", f"/webhook/{name}", f"/%{ord(name[0]):02x}{name[1:]}"),
    )


def webhook(guard: str, *services: str, names: tuple[str, ...]) -> Guarded:
    by_service = (f"{before}/webhook/{service}" for service in services for before in ("", "/", "/v1/x"))
    return Guarded(guard, (*by_service, *(f"/{name}" for name in names), *(f"/x/{name}/" for name in names)))


CONVERSATION = webhook(
    "nonce", "conversation", names=("conversation_webhook", "conversationWebhook", "conversation-webhook")
)

#: The case with controllers: name of the endpoint -> who guards it, and what reaches it.
CONTROLLERS: Mapping[str, Guarded] = {
    **{name: callback(event) for name, event in (("Ivr.ice", "ice"), ("Ivr.dice", "dice"), ("pie", "pie"))},
    "Messages": CONVERSATION,
    "sms_webhook": webhook("sms-nonce", "sms", names=("sms_webhook", "smsWebhook", "sms-webhook")),
    "Agent": webhook(
        *("elevenlabs", "elevenlabs", "eleven-labs", "eleven_labs", "elevenLabs"),
        names=("elevenlabs_webhook", "elevenlabsWebhook", "elevenLabsWebhook", "eleven-labs-webhook"),
    ),
    "Agent.conversation_init": webhook(
        "init-secret", "elevenlabs-init", "elevenlabs_init", "eleven-labs-init", names=("elevenlabs_init_webhook",)
    ),
    "reports": Guarded("basic", ("/reports", "/x/reports", "//reports/"), "GET"),
    "Users.remove": Guarded("basic", ("/api/users/1", "//api//users/1/"), "DELETE"),
    "version": Guarded("basic", ("/about/version", "/about/version/"), "GET"),
    "home": Guarded("open", ("/",), "GET"),
    "Ivr.status": Guarded("open", ("/calls/status",), "GET"),
    "Users.user": Guarded("open", ("/api/users/1", "/api/people/1"), "GET"),
    "Users.create": Guarded("open", ("/api/users",)),
    "Users.search": Guarded("open", ("/api/search?q=x",), "GET"),
    "Users.echo": Guarded("open", ("/api/echo/x",), "PUT"),
}

#: The function of plain exports.
EXPORTS: Mapping[str, Guarded] = {
    **{name: callback(name) for name in ("ice", "ace", "pie", "notify")},
    "conversation_webhook": CONVERSATION,
    "smsWebhook": webhook("sms-nonce", "sms", names=("smsWebhook",)),
    "eleven_labs_webhook": webhook(
        "elevenlabs", "elevenlabs", "eleven-labs", "elevenLabs", names=("eleven_labs_webhook", "elevenLabsWebhook")
    ),
    "elevenlabsInitWebhook": webhook(
        "init-secret", "elevenlabs-init", "elevenlabsinit", names=("elevenlabsInitWebhook",)
    ),
    "stripe_webhook": Guarded("basic", ("/webhook/stripe", "/stripeWebhook")),
    "status": Guarded("basic", ("/status", "/x/status"), "GET"),
}

#: Callbacks that have no handler, and are guarded all the same.
IMPLICIT = {"controllers": ("ace", "notify"), "exports": ("dice",)}


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Flask]:
    """Both functions, in production, protected, each as an app and under a prefix in a host."""
    plain = tmp_path_factory.mktemp("plain")
    (plain / "function.py").write_text(PLAIN)
    made = {
        "controllers": create_app(FUNCTIONS / "controllers", config=SETTINGS),
        "exports": create_app(plain, config=SETTINGS),
    }
    host = Flask("host")
    SinchFunctions(FUNCTIONS / "controllers", config=SETTINGS).init_app(host, url_prefix="/fn")
    return {**made, "host": host}


TABLES = {"controllers": CONTROLLERS, "exports": EXPORTS}
GUARDS = [
    (case, name, path) for case, table in TABLES.items() for name, guarded in table.items() for path in guarded.paths
]


def headers_for(guard: str, method: str, path: str, body: bytes, now: float | None = None) -> dict[str, str]:
    """What makes a call genuine."""
    if guard == "application":
        scheme = ApplicationScheme(KEY, SECRETS["VOICE_APPLICATION_SECRET"])
        return scheme.headers(method, path.partition("?")[0], "application/json", body, now=now)
    made: Any = {
        "nonce": lambda: NonceScheme(SECRETS["CONVERSATION_WEBHOOK_SECRET"]),
        "sms-nonce": lambda: NonceScheme(SECRETS["SMS_WEBHOOK_SECRET"]),
        "elevenlabs": lambda: ElevenLabsScheme(SECRETS["ELEVENLABS_WEBHOOK_SECRET"]),
        "init-secret": lambda: SharedSecretScheme(SECRETS["ELEVENLABS_INIT_SECRET"]),
    }[guard]()
    return {"content-type": "application/json", **made.headers(body, now=now)}


def send(app: Flask, guarded: Guarded, path: str, headers: Mapping[str, str], body: bytes | None = None) -> int:
    data = BODIES.get(guarded.guard, b"{}") if body is None else body
    sent = {"content-type": "application/json", **headers} if guarded.method != "GET" else dict(headers)
    return call(app, guarded.method, path, data=b"" if guarded.method == "GET" else data, headers=sent).status


def forgeries(guard: str, path: str, body: bytes) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Calls that must not come through: how they are wrong, their headers, their body."""
    yield "unsigned", {}, body
    yield "with a password instead", {"authorization": "Basic YW5uOmNvcnJlY3QtaG9yc2U="}, body
    if guard == "init-secret":
        yield "with a wrong secret", {"x-init-secret": "init-secret-of-the-tesT"}, body
        yield "with a part of the secret", {"x-init-secret": "init-secret"}, body
        return
    right = headers_for(guard, "POST", path, body)
    yield "signed for another body", right, body.replace(b"{", b"{ ", 1)
    yield "signed long ago", headers_for(guard, "POST", path, body, now=time.time() - 7200), body
    for name, value in right.items():
        if name != "content-type":
            yield f"without {name}", {n: v for n, v in right.items() if n != name}, body
            yield (
                f"with another {name}",
                {**right, name: value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1]},
                body,
            )
    for other in SCHEMES:
        if other != guard:
            yield f"signed as {other}", headers_for(other, "POST", path, body), body


def test_the_table_has_every_endpoint_that_the_apps_have(apps: dict[str, Flask]) -> None:
    for case, table in TABLES.items():
        function = apps[case].extensions["sinchfn"][0]
        found = {
            export.name: export.scheme or ("basic" if export.name in function.gated else "open")
            for export in function.exports
        }
        assert found == {name: guarded.guard for name, guarded in table.items()}
        assert tuple(set(function.exports.callbacks) - {e.meaning for e in function.exports}) != ()
        implicit = {n for n in function.exports.callbacks if function.exports.callbacks[n].handler is None}
        assert implicit == set(IMPLICIT[case])
        assert {guard for guard in found.values() if guard in SCHEMES} == set(SCHEMES), "every scheme is in both"
        assert set(function.schemes) == set(SCHEMES)


def test_the_paths_of_the_table_are_all_that_reach_an_endpoint(apps: dict[str, Flask]) -> None:
    """Whatever spelling, service or route an endpoint has is in the table, at least by its last segment."""
    for case, table in TABLES.items():
        function = apps[case].extensions["sinchfn"][0]
        for export in function.exports:
            if export.scheme is None:
                continue
            tried = {path.strip("/").rpartition("/")[2].partition("?")[0] for path in table[export.name].paths}
            reach = export.services | {s for s in export.spellings if s in tried}
            assert reach, export.name
            for service in export.services:
                path = f"/webhook/{service}"
                assert send(apps[case], table[export.name], path, {}) == 401, path
            for spelling in export.spellings:
                assert send(apps[case], table[export.name], f"/a/{spelling}", {}) == 401, spelling


@pytest.mark.parametrize(("case", "name", "path"), GUARDS, ids=lambda value: str(value))
def test_only_who_may_reaches_an_endpoint(apps: dict[str, Flask], case: str, name: str, path: str) -> None:
    app, guarded = apps[case], TABLES[case][name]
    if guarded.guard == "open":
        assert send(app, guarded, path, {}) in (200, 422)
        return
    if guarded.guard == "basic":
        assert send(app, guarded, path, {}) == 401
        assert send(app, guarded, path, {"authorization": "Basic YW5uOndyb25n"}) == 401
        assert send(app, guarded, path, {"authorization": "Basic YW5uOmNvcnJlY3QtaG9yc2U="}) == 200
        return
    body = BODIES[guarded.guard]
    for wrong, headers, sent in forgeries(guarded.guard, path, body):
        assert send(app, guarded, path, headers, sent) == 401, wrong
    right = headers_for(guarded.guard, "POST", path, body)
    assert send(app, guarded, path, right) == 200
    if guarded.guard in ("nonce", "sms-nonce"):
        assert send(app, guarded, path, right) == 401, "a replay"
        for other in guarded.paths:
            assert send(app, guarded, other, right) == 401, f"a replay by {other}"


def test_a_nonce_that_one_webhook_took_is_used_up_for_the_other(make_app: MakeApp) -> None:
    app = make_app(PLAIN, **{**SETTINGS, "SMS_WEBHOOK_SECRET": SECRETS["CONVERSATION_WEBHOOK_SECRET"]})
    headers = headers_for("nonce", "POST", "/", BODIES["nonce"])
    assert send(app, CONVERSATION, CONVERSATION.paths[0], headers) == 200
    assert send(app, EXPORTS["smsWebhook"], "/webhook/sms", headers, BODIES["nonce"]) == 401


@pytest.mark.parametrize(("case", "name"), [(case, name) for case, names in IMPLICIT.items() for name in names])
def test_a_callback_without_a_handler_is_guarded_too(apps: dict[str, Flask], case: str, name: str) -> None:
    guarded = callback(name)
    for path in guarded.paths:
        assert send(apps[case], guarded, path, {}) == 401
        assert send(apps[case], guarded, path, headers_for("application", "POST", path, BODIES["application"])) == 200


@pytest.mark.parametrize("event", ["ice", "pie", "ace", "dice", "notify", "ICE"])
def test_the_root_is_guarded_for_every_event(apps: dict[str, Flask], event: str) -> None:
    body = json.dumps({"event": event, "callid": "c"}).encode()
    for path in ("/", "//"):
        for wrong, headers, sent in forgeries("application", path, body):
            status = call(
                apps["controllers"], "POST", path, data=sent, headers={"content-type": "application/json", **headers}
            ).status
            assert status == 401, wrong
        right = headers_for("application", "POST", path, body)
        assert call(apps["controllers"], "POST", path, data=body, headers=right).status == 200


@pytest.mark.parametrize("method", [*METHODS, "PROPFIND"])
def test_no_method_gets_past_a_webhooks_signature(apps: dict[str, Flask], method: str) -> None:
    for guarded in CONTROLLERS.values():
        if guarded.guard in SCHEMES:
            for path in guarded.paths:
                assert call(apps["controllers"], method, path, data=b"{}").status in (401, 405)


def test_under_a_prefix_the_same_holds(apps: dict[str, Flask]) -> None:
    for guarded in CONTROLLERS.values():
        if guarded.guard not in SCHEMES:
            continue
        for path in (f"/fn{path}" for path in guarded.paths):
            body = BODIES[guarded.guard]
            for wrong, headers, sent in forgeries(guarded.guard, path, body):
                assert send(apps["host"], guarded, path, headers, sent) == 401, wrong
            right = headers_for(guarded.guard, "POST", path, body)
            assert send(apps["host"], guarded, path, right) == 200
            if guarded.guard in ("nonce", "sms-nonce"):
                assert send(apps["host"], guarded, path, right) == 401, "a replay"


@pytest.mark.parametrize(("guard", "path"), [("nonce", "/webhook/conversation"), ("sms-nonce", "/webhook/sms")])
@pytest.mark.parametrize("offset", [-100, 100])
@pytest.mark.parametrize(("tolerance", "status"), [(300, 200), (30, 401)])
def test_a_signed_message_may_be_off_by_the_tolerance(
    make_app: MakeApp, guard: str, path: str, offset: int, tolerance: int, status: int
) -> None:
    app = make_app(PLAIN, **{**SETTINGS, "SINCHFN_WEBHOOK_TOLERANCE": tolerance})
    headers = headers_for(guard, "POST", path, BODIES[guard], now=time.time() + offset)
    assert send(app, Guarded(guard, (path,)), path, headers) == status


@pytest.mark.parametrize(("age", "status"), [(1700, 200), (1900, 401)])
def test_an_agents_event_has_a_tolerance_of_its_own(make_app: MakeApp, age: int, status: int) -> None:
    app = make_app(PLAIN, **{**SETTINGS, "SINCHFN_WEBHOOK_TOLERANCE": 30})
    headers = headers_for("elevenlabs", "POST", "/", BODIES["elevenlabs"], now=time.time() - age)
    assert send(app, EXPORTS["eleven_labs_webhook"], "/webhook/elevenlabs", headers) == status


def test_a_mapped_function_cannot_have_the_name_of_a_guarded_export(make_app: MakeApp) -> None:
    source = (
        "from sinchfn import SinchFunctionInit\n"
        "def conversation_webhook(context, request): return 'reached'\n"
        "class Init(SinchFunctionInit):\n"
        "    def configure_app(self, app): app.map_post('/hook', conversation_webhook)\n"
    )
    with pytest.raises(FunctionError, match="has the name of an export whose calls are signed"):
        make_app(source, **SETTINGS)


def test_in_development_nothing_is_verified_unless_always(make_app: MakeApp) -> None:
    source = "def conversation_webhook(context, request): return 'reached'\n"
    open_app = make_app(source, **{**SETTINGS, "SINCHFN_ENV": "development"})
    assert call(open_app, "POST", "/webhook/conversation", data=b"{}").text == "reached"
    closed = {**SETTINGS, "SINCHFN_ENV": "development", "WEBHOOK_PROTECTION": "always"}
    assert call(make_app(source, "closed", **closed), "POST", "/webhook/conversation", data=b"{}").status == 401


@pytest.mark.parametrize(
    ("source", "missing", "says"),
    [
        ("def conversation_webhook(context, request): ...\n", "CONVERSATION_WEBHOOK_SECRET", "Message webhooks"),
        ("def elevenlabs_webhook(context, request): ...\n", "ELEVENLABS_WEBHOOK_SECRET", "Agent events"),
        (
            "def elevenlabs_init_webhook(context, request): ...\n",
            "ELEVENLABS_INIT_SECRET",
            "Agent initiation requests",
        ),
    ],
)
def test_a_missing_secret_is_a_warning_or_no_start(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, source: str, missing: str, says: str
) -> None:
    settings = {name: value for name, value in SETTINGS.items() if name != missing}
    make_app(source, **settings)
    assert f"{says} are served WITHOUT verification: {missing} is not set" in caplog.text
    with pytest.raises(ConfigError, match=f"WEBHOOK_PROTECTION is always, but {missing} is not set"):
        make_app(source, "always", **settings, WEBHOOK_PROTECTION="always")


def test_a_refusal_says_why_in_the_log_and_nowhere_else(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    settings = {**SETTINGS, "SINCHFN_ENV": "development", "WEBHOOK_PROTECTION": "always"}
    app = make_app("def conversation_webhook(context, request): ...\n", **settings)
    body = b'{"a": 1}'
    headers = headers_for("nonce", "POST", "/", b'{"a":1}')
    answer = call(app, "POST", "/webhook/conversation", data=body, headers=headers)
    assert (answer.status, answer.json["error"]) == (401, "The signature of this request is not valid.")
    assert "the signature differs" in caplog.text
    assert "the signature fits the body as JSON" in caplog.text, "in development which part differed"
    assert SECRETS["CONVERSATION_WEBHOOK_SECRET"] not in caplog.text


def test_a_call_that_failed_may_be_delivered_again_with_its_nonce(make_app: MakeApp) -> None:
    app = make_app(
        "calls = []\n"
        "def conversation_webhook(context, request):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 1: raise RuntimeError('not now')\n"
        "    return {'calls': len(calls)}\n",
        **SETTINGS,
    )
    headers = headers_for("nonce", "POST", "/", b"{}")
    sent = [call(app, "POST", "/webhook/conversation", data=b"{}", headers=headers).status for _ in range(3)]
    assert sent == [500, 200, 401]


SLOW = """
import os, signal, threading
entered, leave = threading.Event(), threading.Event()

def conversation_webhook(context, request):
    if request.query.get("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    entered.set()
    leave.wait(60)
    return {"handled": True}
"""


def test_a_second_delivery_is_asked_to_come_again_while_the_first_is_handled(make_app: MakeApp) -> None:
    app = make_app(SLOW, **SETTINGS)
    module = app.extensions["sinchfn"][0].module
    headers = headers_for("nonce", "POST", "/", b"{}")

    def deliver() -> Answer:
        return call(app, "POST", "/webhook/conversation", data=b"{}", headers=headers)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(deliver)
        assert module.entered.wait(60)
        second = deliver()
        module.leave.set()
        assert first.result(60).status == 200
    assert (second.status, second.headers["Retry-After"]) == (503, "5")
    assert "being handled" in second.json["error"]
    assert deliver().status == 401, "answered: the nonce is used up"


def test_a_message_whose_process_died_is_taken_when_it_is_delivered_again(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_function(SLOW)
    settings = {**SETTINGS, "SINCHFN_USAGE": "off", "SINCHFN_CACHE_URL": "sqlite:cache.db"}
    headers = headers_for("nonce", "POST", "/", b"{}")
    died = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json, sys, sinchfn; folder, settings, headers = json.loads(sys.stdin.read())\n"
            "client = sinchfn.create_app(folder, config=settings).test_client()\n"
            "client.post('/webhook/conversation?kill=1', data=b'{}', headers=headers)",
        ],
        input=json.dumps([str(folder), settings, headers]),
        text=True,
        timeout=120,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    app = create_app(folder, config=settings)
    app.extensions["sinchfn"][0].module.leave.set()

    def deliver() -> Answer:
        return call(app, "POST", "/webhook/conversation", data=b"{}", headers=headers)

    again = deliver()
    assert (again.status, again.headers["Retry-After"]) == (503, "5")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 31)
    monkeypatch.setattr(time, "time_ns", lambda: int((now() + 31) * 1e9))
    assert deliver().status == 200
    assert deliver().status == 401


def test_under_gunicorn_the_delivery_after_a_killed_worker_is_put_off_and_not_refused(tmp_path: Path) -> None:
    headers = headers_for("nonce", "POST", "/", b"{}")
    with gunicorn(tmp_path / "fn", SLOW, **SECRETS, WEB_CONCURRENCY="2") as server:
        with pytest.raises((HTTPException, ConnectionError)):  # the worker is gone, without an answer
            server.request("POST", "/webhook/conversation?kill=1", b"{}", headers)
        answer = until(lambda: server.request("POST", "/webhook/conversation", b"{}", headers))
        assert (answer[0], answer[1]["Retry-After"]) == (503, "5")
        assert "used before" not in server.log


def test_a_nonce_that_failed_with_any_error_of_the_server_is_free_again(make_app: MakeApp) -> None:
    app = make_app(
        "import sys, flask\n"
        "left = [lambda: sys.exit(1), lambda: flask.abort(503), lambda: {'statusCode': 429}, lambda: object(),\n"
        "        lambda: {'statusCode': 400}]\n"
        "def sms_webhook(context, request): return left.pop(0)()\n",
        **SETTINGS,
    )
    headers = headers_for("sms-nonce", "POST", "/", b"{}")
    sent = [call(app, "POST", "/webhook/sms", data=b"{}", headers=headers).status for _ in range(6)]
    assert sent == [500, 503, 429, 500, 400, 401]


@pytest.mark.parametrize("name", ["conversation_webhook", "elevenlabs_webhook"])
def test_memory_in_production_says_that_replays_get_in(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    source = f"def {name}(context, request): ...\n"
    make_app(source, "shared", **{**SETTINGS, "SINCHFN_CACHE_URL": "sqlite:cache.db"})
    make_app(source, "development", **SETTINGS, SINCHFN_ENV="development")
    make_app(source, "unguarded", **SETTINGS, WEBHOOK_PROTECTION="never")
    assert "replay" not in caplog.text
    make_app(source, **{**SETTINGS, "SINCHFN_CACHE_URL": "memory:"})
    expected = name == "conversation_webhook"  # agents' events carry no nonce
    assert ("a replayed call is accepted by each other worker" in caplog.text) is expected


def test_while_the_cache_is_away_nothing_is_taken(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    settings = {**SETTINGS, "SINCHFN_CACHE_URL": "redis://127.0.0.1:1/0"}
    app = make_app('__all__ = ["conversation_webhook"]\ndef conversation_webhook(context, request): ...\n', **settings)
    headers = headers_for("nonce", "POST", "/", b"{}")
    answer = call(app, "POST", "/webhook/conversation", data=b"{}", headers=headers)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "the replay check is unavailable" in caplog.text


def test_all_that_is_missing_is_told_at_once(make_app: MakeApp) -> None:
    source = "def ice(context, data): ...\ndef conversation_webhook(context, request): ...\n"
    with pytest.raises(ConfigError) as caught:
        make_app(source, WEBHOOK_PROTECTION="always")
    assert "VOICE_APPLICATION_SECRET" in caught.value.message
    assert "CONVERSATION_WEBHOOK_SECRET" in caught.value.message


SMS = "def sms_webhook(context, request): return 'reached'\n"
#: All settings but the secret that is for SMS alone.
WITHOUT_SMS = {name: value for name, value in SETTINGS.items() if name != "SMS_WEBHOOK_SECRET"}


@pytest.mark.parametrize("protection", ["deploy", "always"])
def test_without_a_secret_of_its_own_the_sms_webhook_is_the_users_to_protect(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, protection: str
) -> None:
    caplog.set_level(logging.INFO)
    app = make_app(SMS, **WITHOUT_SMS, WEBHOOK_PROTECTION=protection)
    assert call(app, "POST", "/webhook/sms", data=b"{}").text == "reached"
    assert "SMS_WEBHOOK_SECRET is not set" in warnings_in(caplog)
    assert "/webhook/sms → sms_webhook, not verified: SMS_WEBHOOK_SECRET is not set" in squeezed(caplog.text)


@pytest.mark.parametrize("auth", ["sms_webhook", "smsWebhook", "*"])
@pytest.mark.parametrize("environment", ["production", "development"])
def test_auth_may_ask_for_a_password_at_the_sms_webhook(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, auth: str, environment: str
) -> None:
    app = make_app(f"auth = ['{auth}']\n{SMS}", **WITHOUT_SMS, SINCHFN_ENV=environment)
    for path in ("/webhook/sms", "/smsWebhook", "/x/sms-webhook"):
        assert call(app, "POST", path, data=b"{}").status == 401
        password = {"authorization": "Basic YW5uOmNvcnJlY3QtaG9yc2U="}
        assert call(app, "POST", path, data=b"{}", headers=password).text == "reached"
    assert "SMS_WEBHOOK_SECRET" not in warnings_in(caplog)


def test_with_its_secret_no_password_is_asked_for_at_the_sms_webhook(make_app: MakeApp) -> None:
    app = make_app(f"auth = '*'\n{SMS}", **SETTINGS)
    headers = headers_for("sms-nonce", "POST", "/", b"{}")
    assert call(app, "POST", "/webhook/sms", data=b"{}", headers=headers).text == "reached"


@pytest.mark.parametrize(
    ("source", "entry", "variables"),
    [
        ("def conversation_webhook(context, request): ...", "conversation_webhook", ["CONVERSATION_WEBHOOK_SECRET"]),
        ("def conversation_webhook(context, request): ...", "conversationWebhook", ["CONVERSATION_WEBHOOK_SECRET"]),
        ("def elevenLabsWebhook(context, request): ...", "elevenLabsWebhook", ["ELEVENLABS_WEBHOOK_SECRET"]),
        ("def elevenlabs_init_webhook(context, request): ...", "elevenlabs_init_webhook", ["ELEVENLABS_INIT_SECRET"]),
        ("def ice(context, data): ...", "ice", ["VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET"]),
        ("def ice(context, data): ...", "dice", ["VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET"]),
        (
            "from sinchfn import SinchVoiceController\nclass Ivr(SinchVoiceController):\n    def ice(self, data): ...",
            "Ivr",
            ["VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET"],
        ),
    ],
)
def test_auth_that_cannot_protect_what_it_names_is_no_start_in_production(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, source: str, entry: str, variables: list[str]
) -> None:
    source = f"auth = ['{entry}']\n{source}\n"
    without = {name: value for name, value in SETTINGS.items() if name not in variables}
    with pytest.raises(FunctionError) as caught:
        make_app(source, **without)
    for part in (f'"{entry}"', *variables, "auth"):
        assert part in caught.value.message
    make_app(source, "verified", **SETTINGS)
    make_app(source, "development", **without, SINCHFN_ENV="development")
    assert f'auth names "{entry}", which Basic auth never gates' in warnings_in(caplog)


def warnings_in(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


def squeezed(text: str) -> str:
    return " ".join(text.split())
