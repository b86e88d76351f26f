"""Each example does what its README says."""

from __future__ import annotations

import base64
import importlib.util
import json
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sinchfn import IceRequest, create_app
from sinchfn.security.elevenlabs import ElevenLabsScheme
from sinchfn.security.nonce import NonceScheme
from sinchfn.security.scheme import WebhookScheme
from sinchfn.security.shared_secret import SharedSecretScheme
from tests.harness.paths import CONVERSATION, EXAMPLES, WEBHOOKS
from tests.harness.signer import Signer

DEVELOPMENT = {"SINCHFN_ENV": "development"}
ADMIN = ("ann", "correct-horse")
USER = {"ADMIN_USER": ADMIN[0], "ADMIN_PASSWORD": ADMIN[1]}

MakeExample = Callable[..., Flask]


def client_of(name: str, **config: str) -> FlaskClient:
    return create_app(EXAMPLES / name, config=DEVELOPMENT | config).test_client()


@pytest.fixture
def make_example(tmp_path: Path) -> MakeExample:
    """``make_example(name, **config)``: the app of a copy, for those that write into their folder; in production."""

    def make(name: str, **config: str) -> Flask:
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("data", "storage", ".env"))
        return create_app(folder, config={"SINCHFN_ENV": "production", **config})

    return make


def function_of(app: Flask) -> Any:
    return app.extensions["sinchfn"][0]


def webhook(name: str) -> Any:
    return json.loads((WEBHOOKS / f"{name}.json").read_text("utf-8"))


def signed_by(scheme: WebhookScheme, payload: Any) -> dict[str, Any]:
    """Keyword arguments of a request that the platform would send."""
    body = json.dumps(payload).encode()
    return {"data": body, "headers": {"content-type": "application/json", **scheme.headers(body)}}


def test_every_example_is_tried_here() -> None:
    names = {folder.name for folder in EXAMPLES.iterdir() if (folder / "README.md").exists()}
    assert names == {
        "ivr",
        "http_api",
        "controllers",
        "message_responder",
        "agent",
        "multi_file",
        "embedding",
        "many_machines",
        "stream_echo",  # these three in test_stream_examples.py
        "stream_recorder",
        "stream_dtmf",
    }


def test_the_ivr_greets_and_offers_a_menu() -> None:
    client = client_of("ivr")
    answer = client.post("/", json={"event": "ice", "callid": "1", "cli": "4670"}).json
    assert answer["instructions"] == [{"name": "say", "text": "Welcome to Acme."}]
    [menu] = answer["action"]["menus"]
    assert [option["action"] for option in menu["options"]] == ["return(sales)", "return(support)", "return(hours)"]


@pytest.mark.parametrize(
    ("value", "action"),
    [
        ("sales", {"name": "connectPstn", "number": "+46000000001"}),
        ("support", {"name": "connectPstn", "number": "+46000000002"}),
        ("hours", {"name": "hangup"}),
        ("", {"name": "hangup"}),
    ],
)
def test_the_ivr_does_what_was_chosen(value: str, action: dict[str, str]) -> None:
    payload = {"event": "pie", "callid": "1", "menuResult": {"type": "return", "value": value}}
    assert client_of("ivr").post("/", json=payload).json["action"] == action


def test_the_ivr_notes_the_end_of_the_call(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answer = client_of("ivr").post("/", json={"event": "dice", "result": "ANSWERED", "duration": 12})
    assert answer.json == {}
    assert "Call ended: ANSWERED after 12 s" in caplog.text


def test_the_api_gives_opening_hours() -> None:
    client = client_of("http_api")
    assert client.get("/").json["name"] == "http_api"
    assert client.get("/hours?day=Friday").json == {"day": "friday", "hours": "9-15"}
    assert client.get("/hours?day=sunday").status_code == 404


def test_the_api_files_callbacks_and_lists_them_for_those_who_know_the_password() -> None:
    client = client_of("http_api", ADMIN_USER="ann", ADMIN_PASSWORD="correct-horse")
    assert client.post("/callbacks", json={"number": 5}).status_code == 400
    assert client.post("/callbacks", data="{").status_code == 400
    made = client.post("/callbacks", json={"number": "+4670"})
    assert (made.status_code, made.json, made.headers["Location"]) == (
        201,
        {"id": 1, "number": "+4670"},
        "/callbacks/1",
    )
    assert client.get("/callback-list").status_code == 401
    assert client.get("/callback-list", auth=("ann", "correct-horse")).json == [{"id": 1, "number": "+4670"}]


class Hours:
    """Opening hours that are what a test says."""

    def __init__(self, is_open: bool) -> None:
        self.open = is_open

    def is_open(self, moment: datetime) -> bool:
        return self.open


class TestControllers:
    @pytest.fixture
    def client(self, make_example: MakeExample) -> FlaskClient:
        return make_example("controllers", **DEVELOPMENT, **USER).test_client()

    def pie(self, number: str) -> dict[str, Any]:
        return {"event": "pie", "callid": "1", "menuResult": {"type": "sequence", "value": number}}

    def said(self, client: FlaskClient, payload: Mapping[str, Any]) -> str:
        text: str = client.post("/", json=payload).json["instructions"][0]["text"]
        return text

    def test_what_is_filed_over_http_is_heard_on_the_phone(self, client: FlaskClient) -> None:
        assert self.said(client, self.pie("4711")).startswith("We do not find this order.")
        made = client.post("/orders", json={"number": "4711", "status": "packed"}, auth=ADMIN)
        assert (made.status_code, made.headers["Location"]) == (201, "/orders/4711")
        assert client.get(made.headers["Location"]).json == {"number": "4711", "status": "packed"}
        assert self.said(client, self.pie("4711")) == "Your order is packed. Goodbye."

    def test_lists_are_filtered_by_the_query(self, client: FlaskClient) -> None:
        for number, status in (("4712", "sent"), ("4711", "packed")):
            client.post("/orders", json={"number": number, "status": status}, auth=ADMIN)
        assert [order["number"] for order in client.get("/orders", auth=ADMIN).json] == ["4711", "4712"]
        assert client.get("/orders?status=sent", auth=ADMIN).json == [{"number": "4712", "status": "sent"}]
        assert client.get("/orders?status=lost", auth=ADMIN).status_code == 422

    @pytest.mark.parametrize(
        ("order", "field"),
        [
            ({}, "number"),
            ({"number": 4711}, "number"),
            ({"number": "4711\n"}, "number"),
            ({"number": "4711", "status": "lost"}, "status"),
            ({"number": "4711", "colour": "red"}, "colour"),
        ],
    )
    def test_what_is_no_order_is_refused_by_its_field(self, client: FlaskClient, order: object, field: str) -> None:
        refused = client.post("/orders", json=order, auth=ADMIN)
        assert (refused.status_code, list(refused.json["fields"])) == (422, [field])
        assert client.get("/orders", auth=ADMIN).json == []

    def test_a_number_is_taken_once(self, client: FlaskClient) -> None:
        codes = [client.post("/orders", json={"number": "4711"}, auth=ADMIN).status_code for _ in range(2)]
        assert codes == [201, 409]
        assert client.get("/orders/4712").status_code == 404

    def test_the_password_is_asked_for_the_list_and_for_filing_alone(self, client: FlaskClient) -> None:
        assert client.get("/orders").status_code == 401
        assert client.post("/orders", json={"number": "4711"}).status_code == 401
        assert client.get("/orders/4711").status_code == 404
        assert client.get("/about").json == {"name": "order-line", "environment": "development"}

    def test_a_service_is_put_in_the_place_of_another_by_one_line(self, client: FlaskClient) -> None:
        function = function_of(client.application)

        class FakeOrders:
            def find(self, number: str) -> Any:
                return SimpleNamespace(status="sent")

        with function.services.override(function.module.Orders, FakeOrders()):
            assert self.said(client, self.pie("4711")) == "Your order is sent. Goodbye."
        assert self.said(client, self.pie("4711")).startswith("We do not find")

    @pytest.mark.parametrize(("is_open", "action"), [(True, "connectPstn"), (False, "hangup")])
    def test_the_phone_is_picked_up_in_opening_hours(self, client: FlaskClient, is_open: bool, action: str) -> None:
        function = function_of(client.application)
        function.services.override(function.module.OpeningHours, Hours(is_open))
        assert client.post("/", json=self.pie("4711")).json["action"]["name"] == action
        assert self.said(client, {"event": "ice"}).startswith("Welcome" if is_open else "We are closed")

    @pytest.mark.parametrize(
        ("moment", "is_open"),
        [((3, 8, 59), False), ((3, 9, 0), True), ((7, 16, 59), True), ((7, 17, 0), False), ((8, 12, 0), False)],
    )
    def test_opening_hours_are_made_once_out_of_the_settings(
        self, client: FlaskClient, moment: tuple[int, int, int], is_open: bool
    ) -> None:
        function = function_of(client.application)
        hours = function.services.get(function.module.OpeningHours)
        assert hours is function.services.get(function.module.OpeningHours)
        assert hours.is_open(datetime(2024, 6, *moment, tzinfo=UTC)) is is_open  # the 3rd is a Monday

    @pytest.mark.parametrize(("limit", "warned"), [("0", True), ("1000000", False)])
    def test_the_middleware_warns_of_slow_handlers(
        self, make_example: MakeExample, caplog: pytest.LogCaptureFixture, limit: str, warned: bool
    ) -> None:
        client = make_example("controllers", **DEVELOPMENT, SLOW_AFTER_MS=limit).test_client()
        assert client.post("/ice", json={}).json["action"]["name"] == "runMenu"
        assert ("OrderLine.ice kept its caller waiting" in caplog.text) is warned

    def test_in_production_callbacks_are_signed(self, make_example: MakeExample, signed: Signer) -> None:
        client = make_example("controllers", **USER, **signed.config).test_client()
        client.post("/orders", json={"number": "4711"}, auth=ADMIN)
        assert client.post("/pie", json=self.pie("4711")).status_code == 401
        answer = client.post("/pie", **signed("/pie", self.pie("4711"))).json
        assert answer["instructions"][0]["text"] == "Your order is received. Goodbye."


class Platform(ThreadingHTTPServer):
    """Stands for the Conversation API: gives a token, takes messages and keeps them."""

    daemon_threads = True

    def __init__(self) -> None:
        self.sent: list[Any] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Platform

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        answer: dict[str, Any] = {"access_token": "token", "expires_in": 3599, "scope": "", "token_type": "bearer"}
        if self.path != "/oauth2/token":
            self.server.sent.append(json.loads(body))
            answer = {"message_id": "M1", "accepted_time": "2024-06-06T12:00:00Z"}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def inbound(
    content: dict[str, Any] | None = None, channel: str = "SMS", identity: str = "15551234567", text: str = ""
) -> dict[str, Any]:
    """What comes when somebody wrote a text, or something else."""
    body: dict[str, Any] = webhook("conversation/message_inbound.text")
    body["message"]["contact_message"] = content or {"text_message": {"text": text}}
    body["message"]["channel_identity"] = {"channel": channel, "identity": identity, "app_id": ""}
    return body


class TestMessageResponder:
    #: Who wrote in the fixtures, and what names them.
    CONTACT = webhook("conversation/message_inbound.text")["message"]["contact_id"]
    SCHEME = NonceScheme("a secret of the webhook")
    CREDENTIALS: Mapping[str, str] = {
        "PROJECT_ID": "proj",
        "PROJECT_ID_API_KEY": "key-id",
        "PROJECT_ID_API_SECRET": "canary-project-secret",
        "CONVERSATION_APP_ID": webhook("conversation/message_inbound.text")["app_id"],
        "CONVERSATION_WEBHOOK_SECRET": "a secret of the webhook",
    }

    @pytest.fixture
    def client(self, make_example: MakeExample) -> FlaskClient:
        """In development, without credentials."""
        return make_example("message_responder", **DEVELOPMENT).test_client()

    @pytest.fixture
    def platform(self) -> Iterator[Platform]:
        server = Platform()
        yield server
        server.shutdown()
        server.server_close()

    @pytest.fixture
    def served(self, make_example: MakeExample, platform: Platform) -> Iterator[FlaskClient]:
        """In production, with credentials; what is sent goes to `platform`."""
        app = make_example("message_responder", **self.CREDENTIALS)
        clients = function_of(app).services.clients
        configuration = clients.conversation._sinch.configuration
        configuration.auth_origin = configuration.conversation_domain = f"http://127.0.0.1:{platform.server_port}"
        yield app.test_client()
        clients.close()

    def tell(self, client: FlaskClient, payload: Any) -> int:
        return client.post("/webhook/conversation", **signed_by(self.SCHEME, payload)).status_code

    @pytest.mark.parametrize(
        ("text", "answer"), [("hours", "We are open"), (" Address ", "Main Street"), ("?", "What would"), ("", "What")]
    )
    def test_a_text_is_answered_to_whoever_wrote_it(
        self, served: FlaskClient, platform: Platform, text: str, answer: str
    ) -> None:
        assert self.tell(served, inbound(text=text)) == 200
        [sent] = platform.sent
        assert sent["recipient"] == {"contact_id": self.CONTACT}
        assert (sent["app_id"], sent["channel_priority_order"]) == (self.CREDENTIALS["CONVERSATION_APP_ID"], ["SMS"])
        assert sent["channel_properties"] == {"SMS_SENDER": "15557654321"}
        assert sent["message"]["text_message"]["text"].startswith(answer)

    def test_in_the_mode_without_contacts_the_number_is_answered(self, served: FlaskClient, platform: Platform) -> None:
        body = inbound(text="hours")
        body["message"] |= {"processing_mode": "DISPATCH", "contact_id": "", "conversation_id": ""}
        assert self.tell(served, body) == 200
        identities = [{"channel": "SMS", "identity": "15551234567"}]
        assert platform.sent[0]["recipient"] == {"identified_by": {"channel_identities": identities}}

    @pytest.mark.parametrize("channel", ["WHATSAPP", "RCS"])
    def test_a_button_that_is_offered_leads_to_its_answer(
        self, served: FlaskClient, platform: Platform, channel: str
    ) -> None:
        self.tell(served, inbound(channel=channel, text="hello"))
        choices = platform.sent.pop()["message"]["choice_message"]["choices"]
        assert [choice["text_message"]["text"] for choice in choices] == ["Hours", "Address"]
        for choice in choices:
            pressed = {"choice_response_message": {"message_id": "M1", "postback_data": choice["postback_data"]}}
            self.tell(served, inbound(pressed, channel))
        texts = [sent["message"]["text_message"]["text"] for sent in platform.sent]
        assert [text.split()[0] for text in texts] == ["We", "Main"]

    def test_whoever_opts_out_gets_nothing_until_they_opt_in(self, served: FlaskClient, platform: Platform) -> None:
        out, again = webhook("conversation/opt_out"), webhook("conversation/opt_in")
        failed = json.loads(json.dumps(again).replace("OPT_IN_SUCCEEDED", "OPT_IN_FAILED"))
        written = inbound(channel="VIBERBM", identity="+15551234567", text="hours")
        for event, answers in ((None, 1), (out, 0), (failed, 0), (again, 1)):
            if event is not None:
                assert self.tell(served, event) == 200
            platform.sent.clear()
            assert self.tell(served, written) == 200
            assert len(platform.sent) == answers, event

    def test_an_opt_out_that_failed_counts_and_is_one_of_its_channel_and_number(
        self, served: FlaskClient, platform: Platform
    ) -> None:
        out = json.loads(json.dumps(webhook("conversation/opt_out")).replace("_SUCCEEDED", "_FAILED"))
        self.tell(served, out)
        self.tell(served, inbound(channel="VIBERBM", text="hours"))
        assert platform.sent == []
        self.tell(served, inbound(channel="SMS", text="hours"))
        self.tell(served, inbound(channel="VIBERBM", identity="15551234568", text="hours"))
        assert len(platform.sent) == 2

    def test_a_message_that_was_not_delivered_is_logged(
        self, served: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.tell(served, webhook("conversation/message_delivery.delivered"))
        assert "was not delivered" not in caplog.text
        self.tell(served, webhook("conversation/message_delivery.failed"))
        assert "Message 01HQ3Z8MSG0000000000000001 was not delivered: RECIPIENT_NOT_REACHABLE" in caplog.text

    def test_in_development_it_logs_what_it_would_send(
        self, client: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        assert client.post("/webhook/conversation", json=inbound(text="hours")).status_code == 200
        assert "nothing is sent. It would be: {'app_id': " in caplog.text
        assert "We are open from nine to five" in caplog.text

    def test_the_event_its_readme_sends_is_answered(
        self, client: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        event = json.loads((EXAMPLES / "message_responder" / "inbound.json").read_text("utf-8"))
        assert client.post("/webhook/conversation", json=event).status_code == 200
        assert "We are open from nine to five" in caplog.text

    def test_in_production_it_does_not_go_on_without_credentials(
        self, make_example: MakeExample, caplog: pytest.LogCaptureFixture
    ) -> None:
        secret = {"CONVERSATION_WEBHOOK_SECRET": self.CREDENTIALS["CONVERSATION_WEBHOOK_SECRET"]}
        client = make_example("message_responder", **secret).test_client()
        assert self.tell(client, inbound(text="hours")) == 500
        assert "CONVERSATION_APP_ID" in caplog.text

    def test_in_production_only_the_platform_is_heard(self, served: FlaskClient, platform: Platform) -> None:
        url, body = "/webhook/conversation", inbound(text="hours")
        assert served.post(url, json=body).status_code == 401
        assert served.post(url, **signed_by(NonceScheme("another secret"), body)).status_code == 401
        assert platform.sent == []

    @pytest.mark.parametrize("name", sorted(path.stem for path in CONVERSATION.glob("*.json")))
    def test_every_event_of_the_platform_is_taken(self, client: FlaskClient, name: str) -> None:
        assert client.post("/webhook/conversation", json=webhook(f"conversation/{name}")).status_code == 200

    @pytest.mark.parametrize(("body", "status"), [({}, 200), ({"message": None}, 200), ([], 400), ("hours", 400)])
    def test_what_is_no_event_is_not_answered(
        self, client: FlaskClient, caplog: pytest.LogCaptureFixture, body: object, status: int
    ) -> None:
        caplog.set_level(logging.INFO)
        assert client.post("/webhook/conversation", json=body).status_code == status
        assert "It would be" not in caplog.text


class TestAgent:
    EVENTS = ElevenLabsScheme("wsec_canary")
    START = SharedSecretScheme("a secret of the header")
    SECRETS: Mapping[str, str] = {
        "ELEVENLABS_WEBHOOK_SECRET": "wsec_canary",
        "ELEVENLABS_INIT_SECRET": "a secret of the header",
    }
    CONVERSATION = webhook("elevenlabs/post_call_audio")["data"]["conversation_id"]
    START_REQUEST = webhook("elevenlabs/conversation_init.request_with_conversation_id")

    @pytest.fixture
    def client(self, make_example: MakeExample) -> FlaskClient:
        return make_example("agent", **DEVELOPMENT, **USER).test_client()

    @pytest.fixture
    def served(self, make_example: MakeExample, signed: Signer) -> FlaskClient:
        return make_example("agent", **USER, **self.SECRETS, **signed.config).test_client()

    def failure(self) -> dict[str, Any]:
        data = {"agent_id": "agent_1", "conversation_id": "conv_1", "failure_reason": "busy"}
        return {"type": "call_initiation_failure", "event_timestamp": 1772443822, "data": data}

    def test_a_call_is_handed_to_the_agent(self, client: FlaskClient) -> None:
        action = client.post("/", json={"event": "ice", "callid": "1", "cli": "4670"}).json["action"]
        assert action["name"] == "connectSip"
        assert action["destination"]["endpoint"].startswith("+46000000004@")

    @pytest.mark.parametrize("number", ["+15551234567", "15551234567"])
    def test_a_caller_who_is_known_is_greeted_by_name(self, client: FlaskClient, number: str) -> None:
        assert client.post("/callers", json={"number": number, "name": "Jo"}, auth=ADMIN).status_code == 201
        answer = client.post("/webhook/elevenlabs-init", json=self.START_REQUEST).json
        assert answer["type"] == "conversation_initiation_client_data"
        assert answer["dynamic_variables"] == {"caller_name": "Jo"}
        assert answer["conversation_config_override"]["agent"]["first_message"] == "Hello Jo, how can I help you?"

    @pytest.mark.parametrize("number", ["+15550000000", "", None])
    def test_any_other_caller_has_an_empty_name(self, client: FlaskClient, number: str | None) -> None:
        client.post("/callers", json={"number": "+15551234567", "name": "Jo"}, auth=ADMIN)
        answer = client.post("/webhook/elevenlabs-init", json=self.START_REQUEST | {"caller_id": number}).json
        assert answer["dynamic_variables"] == {"caller_name": ""}
        assert "conversation_config_override" not in answer

    @pytest.mark.parametrize(
        "body", [{}, [], {"number": "+1"}, {"number": 1, "name": "Jo"}, {"number": "+", "name": ""}]
    )
    def test_a_caller_has_a_number_and_a_name(self, client: FlaskClient, body: object) -> None:
        assert client.post("/callers", json=body, auth=ADMIN).status_code == 400

    def test_what_came_of_a_call_is_listed(self, client: FlaskClient) -> None:
        call = {
            "conversation": self.CONVERSATION,
            "caller": "+15551234567",
            "seconds": 22,
            "outcome": "success",
            "summary": "Caller asked for an order status.",
        }
        assert client.get("/calls", auth=ADMIN).json == []
        for name, recorded in (("post_call_transcription.sip", False), ("post_call_audio", True)):
            assert client.post("/webhook/elevenlabs", json=webhook(f"elevenlabs/{name}")).status_code == 200
            assert client.get("/calls", auth=ADMIN).json == [{**call, "recorded": recorded}]

    def test_what_its_readme_sends_is_answered(self, client: FlaskClient) -> None:
        start, event = (
            json.loads((EXAMPLES / "agent" / name).read_text("utf-8")) for name in ("init.json", "transcription.json")
        )
        client.post("/callers", json={"number": start["caller_id"], "name": "Ann"}, auth=ADMIN)
        answer = client.post("/webhook/elevenlabs-init", json=start).json
        assert answer["dynamic_variables"] == {"caller_name": "Ann"}
        assert client.post("/webhook/elevenlabs", json=event).status_code == 200
        [call] = client.get("/calls", auth=ADMIN).json
        assert (call["caller"], call["summary"]) == (start["caller_id"], "Asked for an order.")

    def test_a_call_that_failed_is_logged(self, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
        assert client.post("/webhook/elevenlabs", json=self.failure()).status_code == 200
        assert "The agent's call conv_1 failed: busy" in caplog.text

    def test_an_event_of_another_type_is_taken(self, client: FlaskClient) -> None:
        assert client.post("/webhook/elevenlabs", json=webhook("elevenlabs/unknown_type")).status_code == 200

    @pytest.mark.parametrize("path", ["/calls", "/callers"])
    def test_what_is_kept_is_behind_the_password(self, client: FlaskClient, path: str) -> None:
        assert client.get(path).status_code == 401
        assert client.post(path, json={"number": "+1", "name": "Jo"}).status_code == 401

    def test_in_production_all_of_it_works_signed(self, served: FlaskClient, signed: Signer) -> None:
        action = served.post("/ice", **signed("/ice")).json["action"]
        assert action["name"] == "connectSip"
        served.post("/callers", json={"number": "+15551234567", "name": "Jo"}, auth=ADMIN)
        start = served.post("/webhook/elevenlabs-init", **signed_by(self.START, self.START_REQUEST)).json
        assert start["dynamic_variables"] == {"caller_name": "Jo"}
        transcription = webhook("elevenlabs/post_call_transcription.sip")
        for event in (transcription, webhook("elevenlabs/post_call_audio"), self.failure()):
            assert served.post("/webhook/elevenlabs", **signed_by(self.EVENTS, event)).status_code == 200
        [call] = served.get("/calls", auth=ADMIN).json
        assert (call["outcome"], call["recorded"]) == ("success", True)

    def test_in_production_nothing_is_taken_from_others(self, served: FlaskClient) -> None:
        event, start = webhook("elevenlabs/post_call_transcription.sip"), self.START_REQUEST
        assert served.post("/ice", json={"event": "ice"}).status_code == 401
        for arguments in (
            {"json": event},
            signed_by(ElevenLabsScheme("wsec_other"), event),
            signed_by(self.START, event),
        ):
            assert served.post("/webhook/elevenlabs", **arguments).status_code == 401
        for arguments in ({"json": start}, signed_by(SharedSecretScheme("other"), start)):
            assert served.post("/webhook/elevenlabs-init", **arguments).status_code == 401
        assert served.get("/calls", auth=ADMIN).json == []

    def test_a_recording_larger_than_other_bodies_is_stored_as_it_was(self, served: FlaskClient) -> None:
        audio = bytes(range(256)) * (3 << 12)  # 3 MiB, where other bodies have 1
        event = webhook("elevenlabs/post_call_audio")
        event["data"]["full_audio"] = base64.b64encode(audio).decode()
        assert served.post("/webhook/elevenlabs", **signed_by(self.EVENTS, event)).status_code == 200
        stored = function_of(served.application).services.storage.read(f"calls/{self.CONVERSATION}.mp3")
        assert stored == audio

    def test_what_is_no_audio_leaves_no_recording(self, served: FlaskClient) -> None:
        event = webhook("elevenlabs/post_call_audio")
        event["data"]["full_audio"] = "no Base64!"
        assert served.post("/webhook/elevenlabs", **signed_by(self.EVENTS, event)).status_code == 500
        assert not function_of(served.application).services.storage.exists(f"calls/{self.CONVERSATION}.mp3")


def test_the_office_connects_while_somebody_is_there() -> None:
    app = create_app(EXAMPLES / "multi_file", config=DEVELOPMENT)
    module = app.extensions["sinchfn"][0].module

    class At:
        config = app.extensions["sinchfn"][0].config

        def __init__(self, *moment: int) -> None:
            self.timestamp = datetime(*moment, tzinfo=UTC)

    monday, sunday = At(2024, 6, 3, 10), At(2024, 6, 2, 10)
    assert module.ice(monday, IceRequest({"cli": "1"})).build()["action"]["number"] == "+46000000003"
    assert module.ice(sunday, IceRequest({})).build()["action"] == {"name": "hangup"}
    assert set(app.test_client().get("/status").json) == {"open"}
    assert app.test_client().get("/is_open").status_code == 404


def test_the_shop_takes_in_two_functions() -> None:
    spec = importlib.util.spec_from_file_location("shop", EXAMPLES / "embedding" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    shop = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shop)
    client = shop.create_app().test_client()
    assert [client.get("/").json["visits"] for _ in range(2)] == [1, 2]
    heard = [client.post(f"/{line}/ice", json={}).json["instructions"][0]["text"] for line in ("voice", "support")]
    assert heard[0].startswith("This is the shop")
    assert heard[1].startswith("This is the support line")
    assert client.get("/support/status").json == {"line": "open"}
    assert client.get("/nothing").content_type.startswith("text/html")


def test_the_support_line_needs_no_other_machine(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "many_machines" / "function.py", tmp_path)
    admin = {"ADMIN_USER": "admin", "ADMIN_PASSWORD": "machine-room"}
    client = create_app(tmp_path, config=DEVELOPMENT | admin).test_client()
    assert client.post("/", json={"event": "ice", "callid": "1", "cli": "4670"}).json["action"]["name"] == "runMenu"
    entered = {"event": "pie", "callid": "1", "menuResult": {"type": "sequence", "value": "12345"}}
    assert client.post("/", json=entered).json["instructions"][0]["text"].startswith("Thank you")
    assert client.post("/", json={**entered, "callid": "2"}).json["instructions"][0]["text"] == "Please call again."
    known = ("admin", "machine-room")
    assert client.get("/tickets", auth=known).json == [{"cli": "4670", "calls": 1, "order": "12345"}]
    assert client.get("/journal", auth=known).json == ["ticket for 12345"]
