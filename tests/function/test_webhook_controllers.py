"""Webhooks of messages and agents through controllers: the methods called, their arguments, and how often."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask import request as flask_request
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchfn import AgentController, SinchConversationController, SinchFunctions, create_app
from sinchfn.function.controller_exports import WEBHOOKS
from sinchfn.security.elevenlabs import ElevenLabsScheme
from sinchfn.security.nonce import NonceScheme
from sinchfn.webhooks import agents, conversation
from tests.harness.app import MakeApp
from tests.harness.call import call
from tests.harness.paths import CONVERSATION, ELEVENLABS
from tests.harness.server import gunicorn, until

MESSAGES = sorted(CONVERSATION.glob("*.json"))
AGENTS = sorted(file for file in ELEVENLABS.glob("*.json") if "_init" not in file.name)
DEVELOPMENT = {"SINCHFN_ENV": "development"}

HEAD = "from sinchfn import *\n"

#: Has every method there is, and notes what it was called with.
NOTING = (
    HEAD
    + """
called = []

def _noting(name):
    def method(self, event):
        called.append((name, type(event).__name__, event.raw))
    return method

class Messages(SinchConversationController): pass
class Agent(AgentController): pass

for _base, _class in ((SinchConversationController, Messages), (AgentController, Agent)):
    for _name, _value in list(vars(_base).items()):
        if callable(_value) and _name not in ("create_message", "create_reply", "reply", "conversation_init"):
            if not _name.startswith("_"):
                setattr(_class, _name, _noting(_name))
"""
)


@pytest.fixture
def noting(make_app: MakeApp) -> FlaskClient:
    return make_app({"function.py": NOTING}, **DEVELOPMENT).test_client()


@pytest.fixture
def serve(make_app: MakeApp) -> Callable[..., FlaskClient]:
    """Return a client of a function with this source, in development."""

    def make(source: str, folder: str = "fn", **config: object) -> FlaskClient:
        return make_app({"function.py": HEAD + source}, folder, **{**DEVELOPMENT, **config}).test_client()

    return make


def module_of(client: FlaskClient) -> Any:
    return client.application.extensions["sinchfn"][0].module


def event_body(kind: str = "post_call_transcription", conversation_id: str | None = "conv_1", **data: Any) -> Any:
    return {"type": kind, "event_timestamp": 1, "data": {"agent_id": "a", "conversation_id": conversation_id, **data}}


class TestMethods:
    def test_there_is_a_method_for_every_trigger_and_type(self) -> None:
        by_base = {webhook.base: webhook.methods for webhook in WEBHOOKS if webhook.methods != ("conversation_init",)}
        assert by_base == {
            SinchConversationController: (*conversation.METHODS, "unknown_event"),
            AgentController: (*agents.METHODS, "unknown_event"),
        }

    @pytest.mark.parametrize("file", MESSAGES, ids=lambda file: file.stem)
    def test_every_payload_reaches_its_method_unchanged(self, noting: FlaskClient, file: Path) -> None:
        body = json.loads(file.read_text())
        answer = noting.post(
            "/webhook/conversation", data=file.read_bytes(), content_type="application/json; charset=utf-8"
        )
        assert (answer.status_code, answer.json) == (200, {})
        event = conversation.parse_event(body)
        name = event.trigger.lower() if event.trigger != "UNKNOWN" else "unknown_event"
        assert module_of(noting).called == [(name, type(event).__name__, body)]
        if "unknown" not in file.name:
            assert name != "unknown_event"

    @pytest.mark.parametrize("file", AGENTS, ids=lambda file: file.stem)
    def test_every_event_of_an_agent_reaches_its_method_unchanged(self, noting: FlaskClient, file: Path) -> None:
        body = json.loads(file.read_text())
        assert noting.post("/webhook/elevenlabs", json=body).json == {}
        name = body["type"] if body["type"] in agents.METHODS else "unknown_event"
        assert [(called, raw) for called, _, raw in module_of(noting).called] == [(name, body)]

    def test_a_trigger_without_a_method_is_answered(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve("class M(SinchConversationController):\n    def opt_in(self, event): return {'in': True}\n")
        assert client.post("/webhook/conversation", json={"opt_in_notification": {}}).json == {"in": True}
        assert client.post("/webhook/conversation", json={"opt_out_notification": {}}).json == {}
        assert client.post("/webhook/conversation", json={"brand_new": {}}).json == {}
        assert client.post("/webhook/conversation", json={}).json == {}

    def test_two_controllers_share_a_webhook_by_their_methods(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "class In(SinchConversationController):\n    def opt_in(self, event): return {'by': 'In'}\n"
            "class Out(SinchConversationController):\n    def opt_out(self, event): return {'by': 'Out'}\n"
        )
        assert client.post("/webhook/conversation", json={"opt_in_notification": {}}).json == {"by": "In"}
        assert client.post("/webhook/conversation", json={"opt_out_notification": {}}).json == {"by": "Out"}

    @pytest.mark.parametrize(
        ("data", "kind", "status"),
        [
            (b"", "application/json", 400),
            (b"{", "application/json", 400),
            (b"[]", "application/json", 400),
            (b'"text"', "application/json", 400),
            (b"null", "application/json", 400),
            (b"[" * 5000, "application/json", 400),
            (b'{"a":NaN}', "application/json", 400),
            (b"\xff\xfe", "application/json", 400),
            (b"a=1", "application/x-www-form-urlencoded", 415),
            (b"{}", "", 200),
            (b"{}", "application/cloudevents+json", 200),
        ],
    )
    @pytest.mark.parametrize("path", ["/webhook/conversation", "/webhook/elevenlabs", "/webhook/elevenlabs-init"])
    def test_a_body_that_is_not_an_event_is_refused(
        self, make_app: MakeApp, path: str, data: bytes, kind: str, status: int
    ) -> None:
        app = make_app("controllers", **DEVELOPMENT)
        headers = {"content-type": kind} if kind else {}
        assert call(app, "POST", path, data=data, headers=headers).status == status

    def test_a_message_made_by_a_controller_is_ready_to_be_sent(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "class M(SinchConversationController):\n"
            "    def message_inbound(self, event):\n"
            "        made = self.create_message().to_channel('SMS', '+4670').text('hi')\n"
            "        return [self.reply(event, 'pong').build(), made.build()]\n",
            CONVERSATION_APP_ID="01APP",
        )
        body = json.loads((CONVERSATION / "message_inbound.text.json").read_text())
        replied, made = client.post("/webhook/conversation", json=body).json
        assert replied["app_id"] == body["app_id"]
        assert replied["message"] == {"text_message": {"text": "pong"}}
        assert made["app_id"] == "01APP"

    def test_a_message_that_is_returned_and_not_sent_is_pointed_out(
        self, serve: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
    ) -> None:
        client = serve(
            "class M(SinchConversationController):\n"
            "    def message_inbound(self, event): return self.reply(event, 'hi')\n"
        )
        body = json.loads((CONVERSATION / "message_inbound.text.json").read_text())
        assert client.post("/webhook/conversation", json=body).status_code == 200
        assert "M.message_inbound returned a message, which does not send it" in caplog.text


#: Any JSON object, often with a key that means something.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KNOWN = st.sampled_from([*conversation.TRIGGERS, "type", "data", "event_timestamp", "conversation_id", "full_audio"])
OBJECTS = st.dictionaries(KNOWN | st.text(max_size=8), VALUES, max_size=5)
_fuzzed: dict[str, Flask] = {}


def fuzzed_app() -> Flask:
    # Made once: a fixture of the usual kind would be made for every example.
    if "app" not in _fuzzed:
        source = NOTING.replace("called.append(", "called.clear(); repr(event); called.append(")
        module = type(json)("fuzzed")
        exec(compile(source, "function.py", "exec"), module.__dict__)
        for name in ("Messages", "Agent"):
            module.__dict__[name].__module__ = "fuzzed"
        _fuzzed["app"] = create_app(module, config={**DEVELOPMENT, "SINCHFN_CACHE_URL": "memory:"})
    return _fuzzed["app"]


class TestPointedOut:
    def test_a_plain_export_that_returns_a_message_too(
        self, serve: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
    ) -> None:
        client = serve("def conversation_webhook(context, request): return reply(request.json, 'hi')\n")
        body = json.loads((CONVERSATION / "message_inbound.text.json").read_text())
        assert client.post("/webhook/conversation", json=body).status_code == 200
        assert "conversation_webhook returned a message, which does not send it" in caplog.text

    def test_two_urls_that_are_swapped(self, make_app: MakeApp) -> None:
        app = make_app("controllers", **DEVELOPMENT)
        answer = call(app, "POST", "/webhook/elevenlabs-init", json=event_body("post_call_audio", full_audio=""))
        assert (answer.status, "/webhook/elevenlabs:" in answer.json["error"]) == (400, True)
        answer = call(app, "POST", "/webhook/elevenlabs", json={"caller_id": "+4670", "agent_id": "a"})
        assert (answer.status, "/webhook/elevenlabs-init:" in answer.json["error"]) == (400, True)

    def test_an_event_without_a_method(
        self, serve: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        client = serve("class M(SinchConversationController):\n    def opt_in(self, event): ...\n")
        client.post("/webhook/conversation", json={"capability_notification": {}})
        assert "M has no method for CAPABILITY" in caplog.text

    def test_a_client_that_cannot_be_made(
        self, make_app: MakeApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project = {"PROJECT_ID": "p", "PROJECT_ID_API_KEY": "k", "PROJECT_ID_API_SECRET": "a-secret-of-the-project"}
        monkeypatch.setattr("sinchfn.services.extras.find_spec", lambda name: None)
        make_app("def f(context, request): ...\n", **project, CONVERSATION_APP_ID="A")
        assert "CONVERSATION_APP_ID is set, but" in caplog.text
        assert "pip install 'sinchfn[sdk]'" in caplog.text
        caplog.clear()
        make_app("def f(context, request): ...\n", "basic", **project)
        assert "sdk" not in caplog.text


class TestFuzzed:
    @settings(max_examples=200)
    @given(body=OBJECTS, path=st.sampled_from(["/webhook/conversation", "/webhook/elevenlabs"]))
    def test_any_object_is_an_event(self, body: dict[str, Any], path: str) -> None:
        assert call(fuzzed_app(), "POST", path, json=body).status == 200

    @settings(max_examples=200)
    @given(data=st.binary(max_size=60), path=st.sampled_from(["/webhook/conversation", "/webhook/elevenlabs"]))
    def test_any_bytes_end_in_an_answer(self, data: bytes, path: str) -> None:
        status = call(fuzzed_app(), "POST", path, data=data, headers={"content-type": "application/json"}).status
        assert status in (200, 400)


ONCE = """
import threading
calls = []
go = threading.Event()
class A(AgentController):
    def post_call_transcription(self, event):
        calls.append(event.conversation_id)
        if event.conversation_id == "waits": go.wait(30)
        if len(calls) == 1 and event.conversation_id == "fails": raise RuntimeError("not now")
        return {"calls": len(calls)}
    def call_initiation_failure(self, event): return {"failed": True}
"""


class TestOnce:
    def test_an_event_that_comes_again_is_answered_and_not_handled(
        self, serve: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        client = serve(ONCE)
        answers = [client.post("/webhook/elevenlabs", json=event_body()) for _ in range(3)]
        assert [(answer.status_code, answer.json) for answer in answers] == [(200, {"calls": 1}), (200, {}), (200, {})]
        assert "was delivered again: it is answered, and not handled again" in caplog.text

    def test_another_type_or_conversation_is_another_event(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(ONCE)
        assert client.post("/webhook/elevenlabs", json=event_body()).json == {"calls": 1}
        assert client.post("/webhook/elevenlabs", json=event_body(conversation_id="conv_2")).json == {"calls": 2}
        assert client.post("/webhook/elevenlabs", json=event_body("call_initiation_failure")).json == {"failed": True}

    def test_without_an_id_nothing_is_known_of_it(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(ONCE)
        for number in (1, 2):
            assert client.post("/webhook/elevenlabs", json=event_body(conversation_id=None)).json == {"calls": number}

    def test_one_that_failed_is_handled_when_it_comes_again(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(ONCE)
        body = event_body(conversation_id="fails")
        assert [client.post("/webhook/elevenlabs", json=body).status_code for _ in range(3)] == [500, 200, 200]
        assert module_of(client).calls == ["fails", "fails"]

    def test_a_delivery_of_an_event_that_is_being_handled_is_told_to_retry(
        self, serve: Callable[..., FlaskClient]
    ) -> None:
        client = serve(ONCE)
        app, body = client.application, event_body(conversation_id="waits")
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(call, app, "POST", "/webhook/elevenlabs", json=body)
            while not module_of(client).calls:
                threading.Event().wait(0.01)
            second = call(app, "POST", "/webhook/elevenlabs", json=body)
            module_of(client).go.set()
            assert first.result().status == 200
        assert (second.status, second.headers["Retry-After"]) == (503, "30")
        assert call(app, "POST", "/webhook/elevenlabs", json=body).json == {}
        assert module_of(client).calls == ["waits"]

    @pytest.mark.parametrize(
        "first",
        [
            "return too_many_requests('later')",
            "return {'statusCode': 503}",
            "import flask; flask.abort(429)",
            "raise SystemExit(1)",
        ],
    )
    def test_one_that_was_answered_by_come_again_is_handled_when_it_does(
        self, serve: Callable[..., FlaskClient], first: str
    ) -> None:
        client = serve(
            "calls = []\n"
            "class A(AgentController):\n"
            "    def post_call_transcription(self, event):\n"
            "        calls.append(1)\n"
            f"        if len(calls) == 1: {first}\n"
        )
        answers = [client.post("/webhook/elevenlabs", json=event_body()).status_code for _ in range(3)]
        assert answers[0] >= 429
        assert answers[1:] == [200, 200]
        assert module_of(client).calls == [1, 1]

    def test_one_whose_streamed_answer_broke_off_is_handled_again(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve(
            "calls = []\n"
            "class A(AgentController):\n"
            "    def post_call_audio(self, event):\n"
            "        yield 'begun'\n"
            "        calls.append(1)\n"
            "        if len(calls) == 1: raise OSError('full')\n"
        )
        body = event_body("post_call_audio", full_audio="")
        with pytest.raises(RuntimeError, match="broke off"):
            call(client.application, "POST", "/webhook/elevenlabs", json=body)
        assert call(client.application, "POST", "/webhook/elevenlabs", json=body).text == "begun"
        assert client.post("/webhook/elevenlabs", json=body).json == {}
        assert module_of(client).calls == [1, 1]

    def test_a_hook_of_the_host_may_read_the_body_afterwards(self, make_function: Callable[..., Path]) -> None:
        host = Flask("host")
        seen: list[int] = []
        SinchFunctions(make_function({"function.py": HEAD + ONCE}), config=DEVELOPMENT).init_app(host, url_prefix="/fn")

        @host.after_request
        def look(response: Any) -> Any:
            seen.append(len(flask_request.get_data()))
            return response

        body = event_body(more="x" * 2_000_000)
        assert host.test_client().post("/fn/webhook/elevenlabs", json=body).status_code == 200
        assert seen[0] > 2_000_000


class TestPersonalisation:
    @pytest.mark.parametrize(
        ("returned", "answer"),
        [
            ("None", {"type": "conversation_initiation_client_data", "dynamic_variables": {}}),
            (
                "ConversationInit().variables(name='Jo', vip=True).language('en')",
                {
                    "type": "conversation_initiation_client_data",
                    "dynamic_variables": {"name": "Jo", "vip": True},
                    "conversation_config_override": {"agent": {"language": "en"}},
                },
            ),
            (
                "{'dynamic_variables': {'name': 'Jo'}}",
                {"type": "conversation_initiation_client_data", "dynamic_variables": {"name": "Jo"}},
            ),
        ],
    )
    def test_what_is_returned_is_completed(self, serve: Callable[..., FlaskClient], returned: str, answer: Any) -> None:
        client = serve(f"class A(AgentController):\n    def conversation_init(self, data): return {returned}\n")
        assert client.post("/webhook/elevenlabs-init", json={"caller_id": "+4670"}).json == answer

    @pytest.mark.parametrize(
        "returned", ["5", "'text'", "[1]", "b'x'", "{'dynamic_variables': {'system__x': 1}}", "{'type': 'other'}"]
    )
    def test_what_the_platform_would_not_take_is_a_500(self, serve: Callable[..., FlaskClient], returned: str) -> None:
        client = serve(f"class A(AgentController):\n    def conversation_init(self, data): return {returned}\n")
        assert client.post("/webhook/elevenlabs-init", json={}).status_code == 500

    def test_an_explicit_answer_is_sent_unchanged(self, serve: Callable[..., FlaskClient]) -> None:
        client = serve("class A(AgentController):\n    def conversation_init(self, data): return forbidden('Who?')\n")
        assert client.post("/webhook/elevenlabs-init", json={}).status_code == 403


SERVED = """
class A(AgentController):
    def post_call_audio(self, event):
        self.context.storage.write(f"calls/{event.conversation_id}.mp3", event.audio)
class M(SinchConversationController):
    def message_inbound(self, event):
        count = self.context.cache.increment("messages")
        self.context.cache.set(f"worker/{os.getpid()}", True)
def seen(context, request): return [context.cache.get("messages"), len(context.cache.keys("worker/*"))]
def who(context, request): return str(os.getpid())
def size(context, request):
    with context.storage.open("calls/conv_1.mp3") as file:
        return str(file.seek(0, 2))
"""


class TestServed:
    """Through a real gunicorn, with several workers."""

    def test_audio_of_many_megabytes_goes_into_storage_in_pieces_of_a_chunked_body(self, tmp_path: Path) -> None:
        audio = bytes(range(256)) * 80_000  # 20 MB
        body = json.dumps(event_body("post_call_audio", full_audio=base64.b64encode(audio).decode())).encode()
        env = {"ELEVENLABS_WEBHOOK_SECRET": "wsec_of_the_test", "CONVERSATION_WEBHOOK_SECRET": "of-the-test"}
        headers = {"Content-Type": "application/json", **ElevenLabsScheme("wsec_of_the_test").headers(body)}
        with gunicorn(tmp_path, HEAD + SERVED, **env) as server:
            pieces = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
            before = resident(server.process.pid)
            status, _, answer = server.request("POST", "/webhook/elevenlabs", pieces, headers, encode_chunked=True)
            assert (status, answer) == (200, b"{}"), server.log
            assert server.request("GET", "/size")[2] == str(len(audio)).encode()
            assert resident(server.process.pid) - before < 10_000_000
            assert (tmp_path / "storage" / "calls" / "conv_1.mp3").read_bytes() == audio
            too_large = b"POST /webhook/elevenlabs HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n\r\n"
            assert server.raw(too_large).startswith(b"HTTP/1.1 413")
            forged = {**headers, "elevenlabs-signature": headers["elevenlabs-signature"][:-1] + "x"}
            assert server.request("POST", "/webhook/elevenlabs", body, forged)[0] == 401

    def test_a_replay_is_refused_by_whichever_worker_it_comes_to(self, tmp_path: Path) -> None:
        body = (CONVERSATION / "message_inbound.text.json").read_bytes()
        env = {"ELEVENLABS_WEBHOOK_SECRET": "wsec_of_the_test", "CONVERSATION_WEBHOOK_SECRET": "of-the-test"}
        scheme = NonceScheme("of-the-test")
        with gunicorn(tmp_path, HEAD + SERVED, WEB_CONCURRENCY="3", **env) as server:
            workers = set[bytes]()
            until(lambda: workers.add(server.request("GET", "/who")[2]) or len(workers) == 3)
            signed = [{"Content-Type": "application/json", **scheme.headers(body)} for _ in range(30)]
            with ThreadPoolExecutor(8) as pool:
                sent = [headers for headers in signed for _ in range(6)]
                statuses = list(
                    pool.map(lambda headers: server.request("POST", "/webhook/conversation", body, headers)[0], sent)
                )
            messages, busy = json.loads(server.request("GET", "/seen")[2])
            assert statuses.count(200) == 30, server.log
            # A replay that comes while the message is at work is told to come again.
            assert statuses.count(401) + statuses.count(503) == 150, server.log
            assert messages == 30
            assert busy > 1, "one worker did it all: nothing was proved"


def resident(pid: int) -> int:
    """Return the resident memory of a process and its children, in bytes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = [int(Path(f"/proc/{process}/statm").read_text().split()[1]) for process in (str(pid), *children)]
    return sum(pages) * 4096
