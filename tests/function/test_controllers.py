"""Controllers through HTTP: their endpoints, the arguments of their methods, and the errors at start."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchfn import FunctionError, SinchFunctions, create_app
from tests.harness.app import MakeApp, MakeClient, MakeFunction
from tests.harness.call import call
from tests.harness.paths import FUNCTIONS, WEBHOOKS

DEVELOPMENT = {"SINCHFN_ENV": "development"}

HEAD = """\
from __future__ import annotations
from sinchfn import *
from marshmallow import Schema, fields
"""


def payload(name: str) -> Any:
    return json.loads((WEBHOOKS / f"{name}.json").read_text())


@pytest.fixture
def client(make_client: MakeClient) -> FlaskClient:
    """A function with every kind of endpoint."""
    return make_client("controllers", **DEVELOPMENT, ADMIN_USER="ann", ADMIN_PASSWORD="correct-horse")


@pytest.fixture
def refused(make_function: MakeFunction) -> Callable[[str], str]:
    """Return the start-up error of a function."""

    def start(source: str) -> str:
        with pytest.raises(FunctionError) as caught:
            create_app(make_function({"function.py": HEAD + source}), config={"SINCHFN_USAGE": "off"})
        return caught.value.message

    return start


@pytest.fixture
def serve(make_client: MakeClient) -> Callable[..., FlaskClient]:
    """Return a client of a function with this source, in development."""

    def make(source: str, folder: str = "fn", **config: object) -> FlaskClient:
        return make_client({"function.py": HEAD + source}, folder, **{**DEVELOPMENT, **config})

    return make


class TestEndpoints:
    def test_a_callback_is_served_by_every_path_of_its_name_and_at_the_root(self, client: FlaskClient) -> None:
        for path in ("/ice", "/v1/voice/ice", "/"):
            answer = client.post(path, json={"event": "ice", "callid": "1", "cli": "4670"})
            assert answer.json["instructions"] == [{"name": "say", "text": "Hello 4670"}], path

    def test_plain_exports_stand_beside_controllers(self, client: FlaskClient) -> None:
        assert client.post("/pie", json={"event": "pie"}).json == {"action": {"name": "hangup"}}
        assert client.get("/").text == "home"
        assert client.post("/webhook/sms", json=[1]).json == {"sms": [1]}

    def test_callbacks_without_a_method_are_answered(self, client: FlaskClient) -> None:
        assert client.post("/ace", json={}).json == {"action": {"name": "continue"}}
        assert client.post("/notify", json={}).json == {}

    def test_methods_may_be_async(self, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        assert client.post("/dice", json={"event": "dice", "reason": "TIMEOUT"}).json == {}
        assert "Ended: TIMEOUT" in caplog.text
        assert client.delete("/api/users/3", auth=("ann", "correct-horse")).json == {"removed": 3}

    def test_a_class_that_is_built_on_another_overrides_it(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class _Base(SinchVoiceController):\n"
            "    def ice(self, data): return IceSvamlBuilder().say(self.words).hangup()\n"
            "    def pie(self, data): return PieSvamlBuilder().hangup()\n"
            "class Ivr(_Base):\n"
            "    words = 'Hej'\n"
            "    def pie(self, data): return PieSvamlBuilder().continue_()\n"
        )
        assert made.post("/ice", json={}).json["instructions"][0]["text"] == "Hej"
        assert made.post("/pie", json={}).json["action"] == {"name": "continue"}
        assert made.get("/nothing").json["handlers"] == ["Ivr.ice", "Ivr.pie"]

    def test_a_new_instance_serves_every_request(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class Counter(SinchController):\n"
            "    count = 0\n"
            "    @get('/count')\n"
            "    def counted(self):\n"
            "        self.count += 1\n"
            "        return {'count': self.count}\n"
        )
        assert [made.get("/count").json["count"] for _ in range(3)] == [1, 1, 1]

    def test_what_hangs_off_a_controller_is_there_before_its_constructor(
        self, serve: Callable[..., FlaskClient]
    ) -> None:
        made = serve(
            "class Early(SinchController):\n"
            "    def __init__(self):\n"
            "        self.seen = [self.context.request_id, self.request.path, self.config.environment]\n"
            "        self.seen.append(self.log is self.context.log)\n"
            "    @get('/seen')\n"
            "    def show(self): return list(self.seen)\n"
        )
        assert made.get("/seen", headers={"X-Request-ID": "r1"}).json == ["r1", "/seen", "development", True]

    def test_without_all_only_what_is_defined_in_the_function_is_served(
        self, make_client: MakeClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        files = {
            "ivr.py": HEAD
            + "class Ivr(SinchVoiceController):\n    def ice(self, data): return IceSvamlBuilder().hangup()\n",
            "function.py": "from ivr import Ivr\ndef status(context, request): return 'ok'\n",
        }
        assert make_client(files, **DEVELOPMENT).post("/ice", json={}).status_code == 404
        assert re.search(
            r'"Ivr" in .* is not served: it belongs to the module ivr\. To serve this controller', caplog.text
        )
        files["function.py"] += "__all__ = ['Ivr', 'status']\n"
        assert make_client(files, "named", **DEVELOPMENT).post("/ice", json={}).json["action"] == {"name": "hangup"}

    def test_the_lists_name_class_and_method(self, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
        handlers = client.get("/there/is/none").json["handlers"]
        assert handlers == [
            "pie",
            "sms_webhook",
            "reports",
            "home",
            *("Ivr.ice", "Ivr.dice"),
            *("Messages.message_inbound", "Messages.message_delivery", "Messages.unknown_event"),
            *("Agent.post_call_transcription", "Agent.post_call_audio", "Agent.call_initiation_failure"),
            "Agent.conversation_init",
            "Ivr.status",
            *("Users.user", "Users.create", "Users.search", "Users.remove", "Users.echo"),
            "version",
        ]

    def test_the_start_up_block_shows_each_endpoint_with_its_path(
        self, make_app: MakeApp, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        make_app("controllers", **DEVELOPMENT)
        block = next(record.getMessage() for record in caplog.records if "Detected functions" in record.getMessage())
        shown = {tuple(re.split(r"\s+→ |(?<=[A-Z])\s+(?=/)|, ", line.strip())[:3]) for line in block.splitlines()[1:]}
        assert {
            ("POST", "/ice", "Ivr.ice (voice)"),
            ("POST", "/webhook/conversation", "Messages.message_inbound"),
            ("POST", "/webhook/elevenlabs", "Agent.post_call_audio"),
            ("POST", "/webhook/elevenlabs-init", "Agent.conversation_init"),
            ("GET", "/api/users/<int:id>", "Users.user"),
            ("PUT,PATCH", "/api/echo/<path:rest>", "Users.echo"),
            ("GET", "/about/version", "version"),
        } <= shown

    def test_the_usage_record_names_the_method(self, make_function: MakeFunction) -> None:
        folder = make_function("controllers")
        made = create_app(folder, config={**DEVELOPMENT, "SINCHFN_USAGE": "usage.jsonl"}).test_client()
        made.post("/ice", json={"callid": "c1"})
        made.post("/webhook/conversation", json=payload("conversation/message_inbound.text"))
        made.post("/webhook/conversation", json=payload("conversation/contact_create"))
        made.get("/api/users/1")
        made.post("/api/users", json={})
        records = [json.loads(line) for line in (folder / "usage.jsonl").read_text().splitlines()]
        assert [(record["handler"], record["kind"], record["status"]) for record in records] == [
            ("Ivr.ice", "voice", 200),
            ("Messages.message_inbound", "webhook", 200),
            ("Messages", "webhook", 200),
            ("Users.user", "http", 200),
            ("Users.create", "http", 422),
        ]


class TestRoutes:
    @pytest.mark.parametrize(
        "path", ["/api/users/7", "/api/people/7", "/api/users/7/", "//api//users/7", "/api//users/7//"]
    )
    def test_several_routes_lead_to_one_method_and_slashes_count_for_nothing(
        self, client: FlaskClient, path: str
    ) -> None:
        assert call(client.application, "GET", path).json == {"id": 7, "function": "fn"}

    def test_variables_are_converted_as_in_flask(self, client: FlaskClient) -> None:
        assert client.get("/api/users/x").status_code == 404
        assert client.get("/api/users/-1").status_code == 404
        assert client.put("/api/echo/a/b%20c", data=b"body").json == {"rest": "a/b c", "body": "body"}

    def test_a_wrong_method_is_405_with_the_methods_there_are(self, client: FlaskClient) -> None:
        answer = client.put("/api/users/7")
        assert answer.status_code == 405
        assert answer.headers["Allow"].replace(" ", "").split(",") == ["DELETE", "GET", "HEAD", "OPTIONS"]
        assert client.get("/api/users").headers["Allow"].replace(" ", "").split(",") == ["OPTIONS", "POST"]

    def test_options_are_answered_as_in_flask(self, client: FlaskClient) -> None:
        answer = client.options("/api/users/7")
        assert (answer.status_code, answer.data) == (200, b"")
        assert set(answer.headers["Allow"].split(", ")) == {"DELETE", "GET", "HEAD", "OPTIONS"}

    def test_head_has_no_body(self, client: FlaskClient) -> None:
        answer = client.head("/api/users/7")
        assert (answer.status_code, answer.data) == (200, b"")

    def test_under_a_prefix(self, make_function: MakeFunction) -> None:
        app = Flask("host")
        SinchFunctions(make_function("controllers"), config=DEVELOPMENT).init_app(app, url_prefix="/fn")
        made = app.test_client()
        assert made.get("/fn/api/users/7/").json == {"id": 7, "function": "fn"}
        assert made.put("/fn/api/users/7").status_code == 405
        assert made.get("/api/users/7").status_code == 404

    def test_a_near_miss_is_pointed_out(self, client: FlaskClient) -> None:
        assert 'Did you mean "/api/users' in client.get("/user").json["error"]
        assert 'Did you mean "/api/echo/<path:rest>"' in client.get("/echo/a").json["error"]
        assert "Did you mean" not in client.get("/ace").json["error"]
        assert 'Did you mean "/api/search"' in client.get("/api/serch").json["error"]

    def test_a_route_of_ones_own_comes_before_an_export_and_public_files(self, make_client: MakeClient) -> None:
        files = {
            "function.py": HEAD
            + "class Own(SinchController):\n"
            + "    @get('/api/users')\n    def users_of_api(self): return 'controller'\n"
            + "    @get('/logo.png')\n    def logo(self): return 'drawn'\n"
            + "    @get('/')\n    def root(self): return 'root'\n"
            + "def users(context, request): return 'export'\n",
            "public/logo.png": b"file",
        }
        made = make_client(files, **DEVELOPMENT)
        assert [made.get(path).text for path in ("/api/users", "/users", "/x/users", "/logo.png", "/")] == [
            *("controller", "export", "export", "drawn", "root"),
        ]

    def test_the_root_goes_to_a_callback_first_and_then_to_the_route(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class Own(SinchController):\n"
            "    @post('/')\n    def root(self): return 'root'\n"
            "class Ivr(SinchVoiceController):\n    def ice(self, data): return IceSvamlBuilder().hangup()\n"
        )
        assert made.post("/", json={"event": "ice"}).json["action"] == {"name": "hangup"}
        assert made.post("/", json={"event": "other"}).text == "root"
        assert made.post("/", data=b"{").text == "root"

    def test_a_route_with_variables_never_takes_a_signed_call(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class Any(SinchController):\n"
            "    @route('/<path:rest>', methods=['GET', 'POST'])\n"
            "    def all(self, *, rest): return {'rest': rest}\n"
            "    @route('/<one>', methods=['PUT'])\n    def one(self, *, one): return {'one': one}\n"
            "def ice(context, data): return IceSvamlBuilder().hangup()\n"
            "def conversation_webhook(context, request): return {'seen': True}\n"
            "def users(context, request): return 'export'\n"
        )
        assert made.post("/ice", json={}).json["action"] == {"name": "hangup"}
        assert made.post("/a/b/ice", json={}).json["action"] == {"name": "hangup"}
        assert made.post("/webhook/conversation", json={}).json == {"seen": True}
        assert made.post("/conversationWebhook", json={}).json == {"seen": True}
        assert made.get("/users").json == {"rest": "users"}
        assert made.get("/ice").json == {"rest": "ice"}

    @pytest.mark.parametrize("number", ["9" * 5000, "1" * 400_000, "٣", "1_000", "+1", " 1"])
    def test_an_odd_number_is_a_404_or_its_value(self, client: FlaskClient, number: str) -> None:
        answer = client.get(f"/api/users/{number}")
        assert answer.status_code in (200, 404)

    @settings(max_examples=150)
    @given(path=st.text(max_size=40), method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"]))
    def test_any_path_ends_in_an_answer(self, path: str, method: str) -> None:
        answer = hostile_client().open("/api/" + path.encode("utf-8", "replace").decode(), method=method)
        assert answer.status_code < 500

    def test_a_wildcard_route_for_another_method_leaves_the_path_to_an_export(
        self, serve: Callable[..., FlaskClient]
    ) -> None:
        made = serve(
            "class Spa(SinchController):\n"
            "    @get('/<path:rest>')\n    def page(self, *, rest): return 'page'\n"
            "    @get('/fixed/users')\n    def fixed(self): return 'fixed'\n"
            "def stripe_webhook(context, request): return 'stripe'\n"
            "def users(context, request): return 'users'\n"
        )
        assert made.post("/webhook/stripe").text == "stripe"
        assert made.post("/x/users").text == "users"
        assert made.get("/x/users").text == "page"
        assert made.post("/fixed/users").status_code == 405
        assert made.post("/nothing").status_code == 405

    def test_no_spelling_of_a_variable_gets_past_a_signed_handler(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class K(SinchController):\n"
            "    @post('/<any(\"a:b\", ice):kind>')\n    def k(self, request, *, kind): return 'own'\n"
            "    @post('/webhook/<any(\"x:y\", conversation):name>')\n    def w(self, **values): return 'own'\n"
            "def ice(context, data): return IceSvamlBuilder().hangup()\n"
            "def conversation_webhook(context, request): return 'guarded'\n"
        )
        assert made.post("/ice", json={}).json["action"] == {"name": "hangup"}
        assert made.post("/webhook/conversation", json={}).text == "guarded"
        assert made.post("/a:b").text == "own"

    def test_an_override_keeps_the_routes_of_the_overridden_method(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class _Base(SinchController):\n"
            "    @get('/word')\n    def word(self): return 'base'\n"
            "    @get('/kept')\n    def kept(self): return 'kept'\n"
            "class Own(_Base):\n    def word(self): return 'own'\n"
        )
        assert [made.get("/word").text, made.get("/kept").text] == ["own", "kept"]

    def test_static_methods_are_not_mistaken(self, refused: Callable[[str], str]) -> None:
        assert "goes right above the method" in refused(
            "class A(SinchController):\n    @get('/x')\n    @property\n    def x(self): return 1\n"
        )


_hostile: dict[str, FlaskClient] = {}


def hostile_client() -> FlaskClient:
    # Made once: a fixture of the usual kind would be made for every example.
    if "client" not in _hostile:
        folder = FUNCTIONS / "controllers"
        _hostile["client"] = create_app(folder, config={**DEVELOPMENT, "SINCHFN_STORAGE_URL": "memory:"}).test_client()
    return _hostile["client"]


class TestSchemas:
    def test_the_method_gets_what_was_loaded(self, client: FlaskClient) -> None:
        answer = client.post("/api/users", json={"name": "Ann", "age": "7"})
        assert (answer.status_code, answer.json) == (201, {"said": "Hello Ann", "name": "Ann", "age": 7})

    def test_a_form_is_accepted(self, client: FlaskClient) -> None:
        assert client.post("/api/users", data={"name": "Ann"}).json == {"said": "Hello Ann", "name": "Ann"}

    @pytest.mark.parametrize(
        ("sent", "fields"),
        [
            ({}, {"name"}),
            ({"name": "Ann", "age": "old"}, {"age"}),
            ({"name": 5, "more": 1}, {"name", "more"}),
            ([], {"_schema"}),
            ("text", {"_schema"}),
        ],
    )
    def test_a_bad_body_is_a_422_that_names_the_fields(self, client: FlaskClient, sent: Any, fields: set[str]) -> None:
        answer = client.post("/api/users", json=sent, headers={"X-Request-ID": "r1"})
        assert answer.status_code == 422
        assert set(answer.json) == {"error", "requestId", "fields"}
        assert set(answer.json["fields"]) == fields
        assert answer.json["requestId"] == "r1"

    def test_null_is_not_an_object(self, client: FlaskClient) -> None:
        answer = client.post("/api/users", data=b"null", content_type="application/json")
        assert set(answer.json["fields"]) == {"_schema"}

    def test_no_body_is_an_empty_object(self, client: FlaskClient) -> None:
        assert set(client.post("/api/users").json["fields"]) == {"name"}

    @pytest.mark.parametrize(
        ("data", "kind", "status"),
        [
            (b"{", "application/json", 400),
            (b"\xff", "application/json", 400),
            (b"x", "text/plain", 415),
            (b"{}", "application/vnd.api+json", 422),
            (b"[" * 200 + b"]" * 200, "application/json", 400),
        ],
    )
    def test_invalid_json_is_refused(self, client: FlaskClient, data: bytes, kind: str, status: int) -> None:
        assert client.post("/api/users", data=data, content_type=kind).status_code == status

    def test_the_query(self, client: FlaskClient) -> None:
        answer = client.get("/api/search?q=x&tag=a&tag=b&utm_source=mail&q=y")
        assert answer.json == {"q": "x", "tag": ["a", "b"], "limit": 10}
        bad = client.get("/api/search?limit=many")
        assert (bad.status_code, set(bad.json["fields"])) == (422, {"q", "limit"})

    def test_body_and_query_at_once_with_values_of_the_path(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "BODY = {'n': fields.Integer(required=True)}\n"
            "QUERY = {'m': fields.Integer(required=True)}\n"
            "class A(SinchController):\n"
            "    @post('/a/<x>', body=BODY, query=QUERY)\n"
            "    def a(self, first, second, *, x): return [first, second, x]\n"
            "    @post('/b/<x>', body=BODY, query=QUERY)\n"
            "    def b(self, query, body, x): return [query, body, x]\n"
            "    @post('/c', body=BODY)\n"
            "    def c(self, data, request): return [data, request.path]\n"
        )
        assert made.post("/a/z?m=2", json={"n": 1}).json == [{"n": 1}, {"m": 2}, "z"]
        assert made.post("/b/z?m=2", json={"n": 1}).json == [{"m": 2}, {"n": 1}, "z"]
        assert made.post("/c", json={"n": 1}).json == [{"n": 1}, "/c"]
        assert made.post("/a/z", json={}).json["fields"] == {
            "query": {"m": ["Missing data for required field."]},
            "body": {"n": ["Missing data for required field."]},
        }
        assert set(made.post("/a/z?m=1", json={}).json["fields"]) == {"body"}

    @pytest.mark.parametrize(
        ("method", "arguments"),
        [
            ("def a(self, id, user)", [3, {"n": 1}]),
            ("def a(self, user, id)", [3, {"n": 1}]),
            ("def a(self, id, *, body)", [3, {"n": 1}]),
            ("def a(self, user, /, id)", [3, {"n": 1}]),
            ("def a(self, user, **values)", [3, {"n": 1}]),
        ],
    )
    def test_values_reach_their_parameters_in_any_order(
        self, serve: Callable[..., FlaskClient], method: str, arguments: list[Any]
    ) -> None:
        names = "values['id'], user" if "values" in method else "id, body" if "body" in method else "id, user"
        made = serve(
            "class A(SinchController):\n"
            "    @put('/a/<int:id>', body={'n': fields.Integer()})\n"
            f"    {method}: return [{names}]\n"
            "    @delete('/a/<int:id>')\n    def b(self, id, req): return [id, req.method]\n"
        )
        assert made.put("/a/3", json={"n": 1}).json == arguments
        assert made.delete("/a/3").json == [3, "DELETE"]

    def test_a_field_that_cannot_take_a_number_is_a_422(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class A(SinchController):\n"
            "    @post('/a', body={'when': fields.DateTime(format='timestamp'), 'for_': fields.TimeDelta()})\n"
            "    def a(self, body): return 'taken'\n"
        )
        for name in ("when", "for_"):
            assert (
                made.post("/a", data=f'{{"{name}": 1{"0" * 400}}}', content_type="application/json").status_code == 422
            )

    def test_a_schema_that_fails_by_itself_is_the_handlers_failure(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "from marshmallow import post_load\n"
            "class Broken(Schema):\n    @post_load\n    def make(self, data, **kwargs): raise KeyError('mine')\n"
            "class A(SinchController):\n    @post('/a', body=Broken)\n    def a(self, body): ...\n"
        )
        answer = made.post("/a", json={})
        assert (answer.status_code, answer.json["detail"]) == (500, "KeyError: 'mine'")

    def test_of_many_faults_some_are_told(self, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
        answer = client.post("/api/users", json={f"{number}{'x' * 300}": 1 for number in range(3000)})
        assert (answer.status_code, len(answer.json["fields"])) == (422, 50)
        assert "more" in answer.json["error"]
        assert len(answer.data) < 20_000
        assert all(len(record.getMessage()) < 3000 for record in caplog.records)

    def test_also_of_those_within_others(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class A(SinchController):\n"
            "    @post('/a', body={'map': fields.Dict(values=fields.Integer())})\n    def a(self, body): ...\n"
        )
        answer = made.post("/a", json={"map": {f"{number}{'x' * 300}": "no" for number in range(3000)}})
        assert (answer.status_code, len(answer.json["fields"]["map"])) == (422, 50)

    def test_a_schema_that_makes_objects(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "from marshmallow import post_load\n"
            "class User:\n    def __init__(self, name): self.name = name\n"
            "class UserSchema(Schema):\n    name = fields.String(required=True)\n"
            "    @post_load\n    def make(self, data, **kwargs): return User(**data)\n"
            "class A(SinchController):\n"
            "    @put('/one', body=UserSchema)\n    def one(self, user: User): return user.name\n"
            "    @patch('/many', body=UserSchema(many=True))\n"
            "    def many(self, users): return [u.name for u in users]\n"
        )
        assert made.put("/one", json={"name": "Ann"}).text == "Ann"
        assert made.patch("/many", json=[{"name": "A"}, {"name": "B"}]).json == ["A", "B"]


class TestGuesses:
    """Hints at start about methods that may be misspelt overrides. A correct program is never refused."""

    @pytest.mark.parametrize(
        ("base", "name", "meant"),
        [
            *(("SinchVoiceController", name, "ice") for name in ("Ice", "ICE", "on_ice", "onIce", "OnIce")),
            ("SinchVoiceController", "on_notify", "notify"),
            ("SinchConversationController", "messageInbound", "message_inbound"),
            ("SinchConversationController", "MessageDelivery", "message_delivery"),
            ("SinchConversationController", "onMessageInbound", "message_inbound"),
            ("ElevenLabsController", "ConversationInit", "conversation_init"),
        ],
    )
    def test_the_name_of_another_runtime_ends_the_start(
        self, refused: Callable[[str], str], base: str, name: str, meant: str
    ) -> None:
        message = refused(f"class C({base}):\n    def {name}(self, data): ...\n")
        assert f'"{name}" of C' in message
        assert f'did you mean "{meant}"' in message
        assert "function.py, line 5" in message

    @pytest.mark.parametrize(
        ("base", "name", "meant"),
        [
            *(("SinchVoiceController", name, "ice") for name in ("icee", "ices")),
            ("SinchVoiceController", "notfy", "notify"),
            ("SinchConversationController", "opt_ins", "opt_in"),
            ("SinchConversationController", "message_inbond", "message_inbound"),
            ("SinchConversationController", "conversation_started", "conversation_start"),
            ("ElevenLabsController", "post_call_transcript", "post_call_transcription"),
            ("ElevenLabsController", "conversation_initiation", "conversation_init"),
        ],
    )
    def test_a_near_miss_is_a_warning(
        self, serve: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture, base: str, name: str, meant: str
    ) -> None:
        serve(f"class C({base}):\n    def {name}(self, data): ...\n    @get('/c')\n    def c(self): ...\n")
        [warning] = warnings_in(caplog)
        assert f'"{name}" of C' in warning
        assert f'did you mean "{meant}"' in warning

    @pytest.mark.parametrize(
        "source",
        [
            "class C(SinchVoiceController):\n    def pie(self, data): return self.handle_pie(data)\n"
            "    def handle_pie(self, data): ...\n",
            "class C(SinchVoiceController):\n    def ice(self, data): return self.on_ice(data)\n"
            "    def on_ice(self, data): ...\n    def icee(self, data): ...\n    Ice = on_ice\n",
            "class C(SinchVoiceController):\n    def ice(self, data): return self.on_notify('x', 2)\n"
            "    def on_notify(self, text, level): ...\n    def notifys(self): ...\n",
            "class B(SinchVoiceController):\n    def ice(self, data): return self.on_ice(data)\n"
            "    def on_ice(self, data): ...\n"
            "class C(B):\n    def on_ice(self, data): ...\n    def ice(self, data): ...\n"
            "__all__ = ['C']\n",
            "class C(SinchConversationController):\n    def message_inbound(self, event): self.messageInbound(event)\n"
            "    def messageInbound(self, event): ...\n    def message_inbounds(self, event): ...\n",
            "class C(SinchConversationController):\n    def opt_in(self, event): ...\n"
            "    def message_delivery_failed(self, event): ...\n    def message_inbounds(self, a, b): ...\n",
            "class Init(SinchFunctionInit):\n    def configure_auth(self): ...\n"
            "    def configure_services(self, s, c): ...\n    def ConfigureServices(self, s, c): ...\n"
            "def hello(c, r): ...\n",
            "class Common:\n    def configure_app(self, app): ...\nclass Init(Common, SinchFunctionInit): ...\n"
            "def hello(c, r): ...\n",
            "class C(SinchController):\n    auth = ('user', 'word')\n    @get('/c')\n    def c(self): ...\n",
            *(
                f"class C(SinchVoiceController):\n    def ice(self, data): ...\n    def {name}(self, data): ...\n"
                for name in (
                    *("cie", "price", "place", "noticed", "greet", "choose", "pick", "advice", "_ice", "notify_all"),
                    *("handle_dice", "process_pie", "iec", "epi", "dcie"),
                )
            ),
        ],
    )
    def test_a_right_program_starts_without_a_warning(
        self, serve: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture, source: str
    ) -> None:
        serve(source)
        assert warnings_in(caplog) == []

    def test_a_class_with_the_steps_of_an_init_class_is_pointed_out(
        self, serve: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
    ) -> None:
        serve(
            "class Setup:\n    def configure_services(self, services, config): ...\n"
            "class Init(SinchFunctionInit):\n    def configure_service(self, services, config): ...\n"
            "def hello(c, r): ...\n"
        )
        near, without_base = warnings_in(caplog)
        assert '"configure_service" of Init' in near
        assert 'did you mean "configure_services"' in near
        assert "class Setup(SinchFunctionInit)" in without_base


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = (record for record in caplog.records if record.levelno == logging.WARNING)
    return [record.getMessage() for record in ours if "VOICE_APPLICATION" not in record.getMessage()]


class TestRefusedAtStart:
    @pytest.mark.parametrize(
        ("source", "names"),
        [
            (
                "class A(SinchVoiceController):\n    def ice(self, data): ...\nclass B(A):\n    pass\n",
                ("A.ice", "B.ice"),
            ),
            (
                "class A(SinchVoiceController):\n    def ice(self, data): ...\ndef ice(context, data): ...\n",
                ("A.ice", '"ice"'),
            ),
            (
                "class A(SinchConversationController):\n    def message_inbound(self, event): ...\n"
                "def conversation_webhook(context, request): ...\n",
                ("conversation_webhook", '"A"'),
            ),
            (
                "class A(SinchConversationController):\n    def opt_in(self, event): ...\n"
                "class B(SinchConversationController):\n    def opt_in(self, event): ...\n",
                ("A.opt_in", "B.opt_in"),
            ),
            (
                "class A(ElevenLabsController):\n    def conversation_init(self, data): ...\n"
                "def elevenlabs_init_webhook(context, request): ...\n",
                ("A.conversation_init", "elevenlabs_init_webhook"),
            ),
            (
                "class A(SinchController):\n    @get('/users')\n    def x(self): ...\n"
                "def users(context, request): ...\n",
                ("A.x", '"users"'),
            ),
            (
                "class A(SinchController):\n    @get('/')\n    def x(self): ...\ndef home(context, request): ...\n",
                ("A.x", '"home"'),
            ),
            (
                "class A(SinchController):\n    @get('/u/<int:id>')\n    def x(self, id): ...\n"
                "class B(SinchController):\n    @get('/u/<int:number>/')\n    def y(self, number): ...\n",
                ("A.x", "B.y"),
            ),
            (
                "class A(SinchController):\n    @get('/v')\n    def x(self): ...\n"
                "class Init(SinchFunctionInit):\n    def configure_app(self, app): app.map_get('/v', _v)\n"
                "def _v(context, request): ...\n",
                ("A.x", '"_v"'),
            ),
        ],
    )
    def test_one_endpoint_claimed_twice(
        self, refused: Callable[[str], str], source: str, names: tuple[str, str]
    ) -> None:
        message = refused(source)
        assert all(name in message for name in names), message
        assert "both" in message

    @pytest.mark.parametrize(
        ("source", "part"),
        [
            ("class A(SinchVoiceController):\n    def ice(self): ...\n", "def ice(self, data): ..."),
            ("class A(SinchVoiceController):\n    def ice(self, context, data): ...\n", "def ice(self, data): ..."),
            ("class A(SinchVoiceController):\n    ice = 5\n", "has to be a method: def ice(self, data): ..."),
            ("class A(SinchConversationController):\n    def opt_in(self): ...\n", "def opt_in(self, event): ..."),
            ("class A(SinchController):\n    @get('/u/<id>')\n    def x(self): ...\n", "no parameter has that name"),
            (
                "class A(SinchController):\n    @get('/u')\n    def x(self, *, id): ...\n",
                'no value for its parameter "id"',
            ),
            (
                "class A(SinchController):\n    @get('/u')\n    def x(self, a, b): ...\n",
                'no value for its parameter "b"',
            ),
            (
                "class A(SinchController):\n    @post('/u', body=Schema)\n    def x(self): ...\n",
                "no parameter for the body",
            ),
            ("class A(SinchController):\n    @get('/u/<number:id>')\n    def x(self, id): ...\n", "/u/<number:id>"),
            (
                "class A(SinchController):\n    @get('/u/<int:id')\n    def x(self): ...\n",
                "function.py, line 5) cannot be used",
            ),
            ("class A(SinchController):\n    @get('/u/<id>/<id>')\n    def x(self, id): ...\n", "twice"),
            ("class A(SinchController):\n    @get\n    def x(self): ...\n", '@get("/path")'),
            ("class A(SinchController):\n    @post('/u', body=5)\n    def x(self, u): ...\n", "marshmallow schema"),
            ("class A(SinchController):\n    @route('/u', methods=['GOT'])\n    def x(self): ...\n", "GOT"),
            ("class A(SinchController):\n    @route('/u', methods='GET')\n    def x(self): ...\n", 'methods=["GET"]'),
            ("class A(SinchController):\n    @post('/ice')\n    def x(self): ...\n", "SinchVoiceController"),
            ("class A(SinchController):\n    @get('/ice')\n    def x(self): ...\n", "SinchVoiceController"),
            (
                "def pie(context, data): ...\nclass A(SinchController):\n"
                "    @post('/v1/<x>/ice')\n    def x(self, x): ...\n",
                "sends signed calls",
            ),
            (
                "def ice(context, data): ...\n@route('/api')\nclass A(SinchController):\n"
                "    @post('/pie')\n    def x(self): ...\n",
                "override pie",
            ),
            ("class A(SinchController):\n    @get('/a/webhook/sms')\n    def x(self): ...\n", "def sms_webhook("),
            ("class A(SinchController):\n    @post('/conversationWebhook')\n    def x(self): ...\n", "signed calls"),
            ("class A(SinchController):\n    @get('/u/{id}')\n    def x(self, id): ...\n", "braces"),
            ("class A(SinchController):\n    @get('/u/:id')\n    def x(self, id): ...\n", "a colon"),
            (
                "@route('api/[controller]')\nclass A(SinchController):\n    @get('x')\n    def x(self): ...\n",
                "brackets",
            ),
            ("class A(SinchController):\n    @get('/x?y=1')\n    def x(self): ...\n", "a query"),
            ("class A(SinchController):\n    @get('http://x/y')\n    def x(self): ...\n", "a scheme"),
            ("class A(SinchController):\n    @get('/caf%C3%A9')\n    def x(self): ...\n", "percent-encoding"),
            ("class A(SinchController):\n    @get('/a b')\n    def x(self): ...\n", "a blank"),
            ("class A(SinchController):\n    @get('/x')\n    def x(): ...\n", "it is called with self"),
            (
                "class A(SinchController):\n    @get('/x')\n    def x(self, q: str): ...\n",
                'its parameter "q" (give',
            ),
            ("class A(SinchController):\n    @post('/x')\n    def x(self, body): ...\n", "body=Schema"),
            ("class A(SinchController):\n    @get('/x')\n    @staticmethod\n    def x(): ...\n", "is a staticmethod"),
            ("class A(SinchController):\n    @staticmethod\n    @get('/x')\n    def x(): ...\n", "is a staticmethod"),
            (
                "class A(SinchController):\n    @post('/x', body={'n': 'int'})\n    def x(self, b): ...\n",
                "not a marshmallow field",
            ),
            ("@post('/x')\ndef create(context, request): ...\n", "routes stand on methods"),
            ("class A(SinchController):\n    auth = ['*']\n    @get('/x')\n    def x(self): ...\n", 'auth = ["A"]'),
            ("class A(SinchController):\n    async def __init__(self): ...\n", "is async"),
            (
                "class A(SinchConversationController):\n    @post('/hook')\n"
                "    def message_inbound(self, event): ...\n",
                "has a route, but the platform calls it",
            ),
            ("class A(SinchController):\n    @get('/files/*')\n    def x(self): ...\n", "<path:rest>"),
            (
                "class A(SinchController):\n    @get('/x', query=Schema(many=True))\n    def x(self, query): ...\n",
                "many",
            ),
            ("class A(SinchController):\n    @get('/x/<id>')\n    def x(self, a=1, id=0, /): ...\n", "a default"),
            (
                "class Init(SinchFunctionInit):\n    def configure_app(self, app): app.map_get('/p', max)\n",
                'The signature of "max" cannot be read',
            ),
            (
                "class Init(SinchFunctionInit):\n"
                "    def configure_services(self, services, config): services.add_scoped(FunctionContext, lambda: 1)\n",
                "FunctionContext cannot be registered",
            ),
            (
                "from dataclasses import dataclass\n@dataclass\nclass A(SinchController):\n    request: str\n"
                "    @get('/x')\n    def x(self): ...\n",
                'The field "request"',
            ),
            (
                "class A(SinchController):\n    @post('/webhook/conversation')\n    def x(self): ...\n",
                "sends signed calls",
            ),
            (
                "class A(SinchController):\n    @post('/webhook/eleven-labs')\n    def x(self): ...\n",
                "sends signed calls",
            ),
            (
                "class A(SinchVoiceController, SinchConversationController):\n    def ice(self, data): ...\n",
                "a class for each",
            ),
            (
                "auth = ['Users']\nclass User(SinchController):\n    @get('/u')\n    def x(self): ...\n",
                'Did you mean "User"',
            ),
            ("__all__ = ['Thing']\nclass Thing: ...\n", "is a class and cannot be a handler"),
        ],
    )
    def test_what_cannot_be_served(self, refused: Callable[[str], str], source: str, part: str) -> None:
        assert part in refused(source)


class TestWrittenInAnyStyle:
    """Correct programs in any style start, and their methods are called as they are meant."""

    @pytest.mark.parametrize(
        "other",
        [
            "from typing import TypedDict\nclass Order(TypedDict):\n    id: int\n",
            "from typing import Protocol\nclass HasName(Protocol):\n    name: str\n",
            "from enum import Enum\nclass Kind(Enum):\n    A = 1\n",
            "import abc\nclass Base(SinchController, abc.ABC):\n    @abc.abstractmethod\n    def x(self): ...\n",
        ],
    )
    def test_beside_any_other_class(self, serve: Callable[..., FlaskClient], other: str) -> None:
        made = serve(f"{other}class C(SinchController):\n    @get('/x')\n    def x(self): return 'x'\n")
        assert made.get("/x").text == "x"

    @pytest.mark.parametrize("wrapper", ["*args, **kwargs", "self, *args, **kwargs"])
    @pytest.mark.parametrize("order", [("@get('/x/<int:id>')", "@_timed"), ("@_timed", "@get('/x/<int:id>')")])
    def test_a_method_inside_a_decorator_that_passes_on_any_arguments(
        self, serve: Callable[..., FlaskClient], wrapper: str, order: tuple[str, str]
    ) -> None:
        passed = wrapper.replace("self, *args", "self, *args")
        made = serve(
            "import functools\n"
            f"def _timed(f):\n    @functools.wraps(f)\n    def w({wrapper}): return f({passed})\n    return w\n"
            "class C(SinchController):\n"
            f"    {order[0]}\n    {order[1]}\n    def x(self, request, *, id): return [request.method, id]\n"
            "    @post('/b', body={'n': fields.Integer()})\n    @_timed\n    def b(self, body): return body\n"
        )
        assert made.get("/x/3").json == ["GET", 3]
        assert made.post("/b", json={"n": 1}).json == {"n": 1}

    @pytest.mark.parametrize(
        "annotation",
        [
            "FunctionRequest",
            "'FunctionRequest'",
            "Optional[FunctionRequest]",
            "FunctionRequest | None",
            "Request",
            "Any",
        ],
    )
    def test_whatever_is_annotated_with_the_request_gets_it(
        self, serve: Callable[..., FlaskClient], annotation: str
    ) -> None:
        made = serve(
            "from typing import Any, Optional\nfrom sinchfn import FunctionRequest as Request\n"
            "class C(SinchController):\n"
            f"    @get('/x')\n    def x(self, req: {annotation}): return req.method\n"
            f"    @post('/y', body={{'n': fields.Integer()}})\n"
            "    def y(self, req: FunctionRequest, user): return [req.method, user]\n"
        )
        assert made.get("/x").text == "GET"
        assert made.post("/y", json={"n": 1}).json == ["POST", {"n": 1}]

    def test_a_callable_of_any_kind_can_be_mapped(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "import functools\n"
            "class _Callable:\n"
            "    def __call__(self, context, request, *, n): return {'n': n}\n"
            "    __hash__ = None\n"
            "def _of(word, context, request): return word\n"
            "def order(context, request, n): return {'n': n}\n"
            "class Init(SinchFunctionInit):\n"
            "    def configure_app(self, app):\n"
            "        app.map_get('/object/<int:n>', _Callable())\n"
            "        app.map_get('/partial', functools.partial(_of, 'hi'))\n"
            "        app.map_get('/orders/<int:n>', order)\n"
        )
        assert made.get("/object/3").json == {"n": 3}
        assert made.get("/partial").text == "hi"
        assert made.get("/orders/3").json == {"n": 3}

    def test_a_rest_route_may_end_like_a_callback_if_there_are_no_callbacks(
        self, serve: Callable[..., FlaskClient]
    ) -> None:
        made = serve(
            "class Orders(SinchController):\n"
            "    @post('/orders/<int:id>/notify')\n    def notify(self, *, id): return {'id': id}\n"
            "    @post('/auth')\n    def auth(self, request): return 'in'\n"
        )
        assert made.post("/orders/3/notify").json == {"id": 3}
        assert made.post("/auth").text == "in"

    def test_a_get_at_the_root_leaves_the_callback_url_alone(self, make_app: MakeApp) -> None:
        source = (
            "class Own(SinchController):\n    @get('/')\n    def root(self): return 'root'\n"
            "def ice(context, data): return IceSvamlBuilder().hangup()\n"
        )
        app = make_app({"function.py": HEAD + source}, **DEVELOPMENT)
        assert call(app, "GET", "/").text == "root"
        assert call(app, "POST", "/", data=b"{").status == 400
        assert call(app, "POST", "/", data=b"x" * 2_000_000).status == 413
        assert call(app, "POST", "/", json={}).status == 404
        assert "event" in call(app, "POST", "/", json={}).json["error"]
        assert "POST" in call(app, "PUT", "/").headers["Allow"]

    def test_methods_are_written_in_capitals(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve("class C(SinchController):\n    @get('/x/<n>')\n    def x(self, n): return 'x'\n")
        assert call(made.application, "get", "/x/1").status == 405

    def test_what_the_schema_of_a_query_says_of_others_holds(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "from marshmallow import INCLUDE, RAISE\n"
            "class Strict(Schema):\n    a = fields.String()\n    class Meta:\n        unknown = RAISE\n"
            "class Open(Schema):\n    a = fields.String()\n    class Meta:\n        unknown = INCLUDE\n"
            "class C(SinchController):\n"
            "    @get('/strict', query=Strict)\n    def s(self, query): return query\n"
            "    @get('/open', query=Open)\n    def o(self, query): return query\n"
        )
        assert made.get("/strict?b=1").json["fields"] == {"b": ["Unknown field."]}
        assert made.get("/open?b=1&a=2").json == {"a": "2", "b": "1"}


class TestWarnedAbout:
    @pytest.mark.parametrize(
        ("source", "says"),
        [
            (
                "class Ivr(SinchVoiceController):\n    def on_incoming_call(self, data): ...\n",
                "serves nothing: override one of ice",
            ),
            ("class Users(SinchController):\n    def users(self): ...\n", 'serves nothing: put @get("/path")'),
            (
                "def logged(f):\n    def inner(self): return f(self)\n    return inner\n"
                "class C(SinchController):\n    @logged\n    @get('/c')\n    def c(self): ...\n"
                "    @get('/ok')\n    def ok(self): ...\n",
                "should use functools.wraps",
            ),
        ],
    )
    def test_a_controller_that_loses_something(
        self, serve: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture, source: str, says: str
    ) -> None:
        source = source.replace("def logged", "def _logged").replace("@logged", "@_logged")
        serve(f"{source}def status(context, request): ...\n")
        assert says in caplog.text

    def test_nothing_is_said_of_bases_and_whole_controllers(
        self, make_client: MakeClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        files = {
            "base.py": HEAD + "class BaseIvr(SinchVoiceController):\n    def pie(self, data): ...\n",
            "function.py": HEAD
            + "from base import BaseIvr\nclass Middle(BaseIvr): ...\nclass _Ivr(Middle): ...\n"
            + "class Ivr(BaseIvr):\n    def ice(self, data): ...\n    def _helper(self): ...\n",
        }
        files["function.py"] = files["function.py"].replace("class Middle(BaseIvr): ...\nclass _Ivr(Middle): ...\n", "")
        make_client(files, **DEVELOPMENT, VOICE_APPLICATION_KEY="k", VOICE_APPLICATION_SECRET="c2VjcmV0LXNlY3JldA==")
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []

    def test_an_alias_is_not_a_second_controller(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve("class C(SinchVoiceController):\n    def ice(self, data): ...\nD = C\n")
        assert made.get("/nothing").json["handlers"] == ["C.ice"]


class TestComingFromElsewhere:
    @pytest.mark.parametrize(
        ("wanted", "meant"),
        [("getText", "get_text"), ("ConversationController", "SinchConversationController"), ("Get", "get")],
    )
    def test_a_name_of_another_runtime_is_pointed_out(
        self, refused: Callable[[str], str], wanted: str, meant: str
    ) -> None:
        assert f'did you mean "{meant}"' in refused(f"from sinchfn import {wanted}\n")

    def test_a_constructor_may_pass_on_its_arguments_as_in_c_sharp(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "import logging\nclass C(SinchController):\n"
            "    def __init__(self, context: FunctionContext, config: FunctionConfig, logger: logging.Logger):\n"
            "        super().__init__(context, config, logger)\n"
            "    @get('/c')\n    def c(self): return 'made'\n"
        )
        assert made.get("/c").text == "made"

    def test_a_constructor_may_use_the_names_of_the_base(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class M(SinchConversationController):\n"
            "    def __init__(self): self.config = self.context = 'mine'\n"
            "    def opt_in(self, event): return [self.create_message() is None, self.conversation]\n"
        )
        assert made.post("/webhook/conversation", json={"opt_in_notification": {}}).json == [False, None]

    def test_a_property_may_build_on_that_of_the_base(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class C(SinchController):\n"
            "    @property\n    def config(self): return super().config.environment\n"
            "    @property\n    def log(self): return [super().log.name, super().request.method]\n"
            "    @property\n    def context(self): return super().context.request_id\n"
            "    @get('/c')\n    def c(self): return [self.config, self.log, self.context]\n"
        )
        answer = made.get("/c", headers={"X-Request-ID": "id1"})
        assert answer.json == ["development", ["sinchfn.function.fn", "GET"], "id1"]

    def test_a_mixin_behind_the_base_replaces_none_of_its_attributes(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "class _Mixin: log = config = context = request = 'of the mixin'\n"
            "class After(SinchController, _Mixin):\n    @get('/after')\n    def a(self): return self.request.path\n"
            "class Before(_Mixin, SinchController):\n    @get('/before')\n    def b(self): return self.request\n"
        )
        assert [made.get("/after").text, made.get("/before").text] == ["/after", "of the mixin"]

    def test_what_the_base_offers_is_not_among_the_attributes_of_the_instance(
        self, serve: Callable[..., FlaskClient]
    ) -> None:
        made = serve(
            "class C(SinchController):\n"
            "    def __init__(self): self.mine = 1\n"
            "    @get('/c')\n    def c(self): return [name for name in vars(self) if not name.startswith('_')]\n"
        )
        assert made.get("/c").json == ["mine"]

    @pytest.mark.parametrize(
        ("step", "says"),
        [
            ("configure_services(self, services, config): services.AddSingleton(int)", 'Did you mean "add_singleton"'),
            ("configure_services(self, services, config): services.add_transient(int)", "no add_transient"),
            ("configure_app(self, app): app.MapGet('/x', print)", 'Did you mean "map_get"'),
        ],
    )
    def test_a_method_of_another_runtime_is_pointed_out(
        self, refused: Callable[[str], str], step: str, says: str
    ) -> None:
        assert says in refused(f"class Init(SinchFunctionInit):\n    def {step}\n")


class TestAuth:
    def test_an_entry_names_a_method_or_a_class(self, client: FlaskClient) -> None:
        known = ("ann", "correct-horse")
        assert [client.delete("/api/users/1").status_code, client.delete("/api/users/1", auth=known).status_code] == [
            401,
            200,
        ]
        assert [client.get("/about/version").status_code, client.get("/about/version", auth=known).text] == [401, "1"]
        assert client.get("/api/users/1").status_code == 200

    def test_the_name_of_a_class_gates_all_that_no_signature_guards(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "auth = ['Ivr', 'Other']\n"
            "class Ivr(SinchVoiceController):\n    def ice(self, data): ...\n"
            "    @get('/status')\n    def status(self): return 'ok'\n"
            "class Other(SinchController):\n    @get('/a')\n    def a(self): ...\n"
            "    @get('/b')\n    def b(self): ...\n"
        )
        assert made.post("/ice", json={}).status_code == 200
        assert [made.get(path).status_code for path in ("/status", "/a", "/b")] == [401, 401, 401]

    def test_everything_is_everything(self, serve: Callable[..., FlaskClient]) -> None:
        made = serve(
            "auth = '*'\n"
            "class A(SinchController):\n    @get('/a')\n    def a(self): ...\n"
            "    @get('/health')\n    def health(self): return 'well'\n"
            "class M(SinchConversationController):\n    def opt_in(self, event): ...\n"
        )
        assert made.get("/a").status_code == 401
        assert made.get("/health").text == "well"
        assert made.post("/webhook/conversation", json={}).status_code == 200
