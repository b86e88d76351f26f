"""What a sender writes is cut where it is logged and recorded: a small request never writes a long line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.app import serving
from tests.harness.signer import CALL_ID, ICE, SIGNING, signed

#: The longest line that one part of a request may cause: 200 characters, each up to twelve in JSON, and the rest.
MOST = 200 * 12 + 1000

SOURCE = """
    from marshmallow import fields
    from sinchfn import SinchController, SinchConversationController, ElevenLabsController, post

    def ice(context, data): return {}
    def users(context, request): return request.query
    def lookup(context, request): abort(404, f"No user {request.query['name']}")

    class Notes(SinchController):
        @post("/notes", body={"n": fields.Integer()})
        def note(self, body): return body

    class Messages(SinchConversationController):
        def message_inbound(self, event): pass

    class Agent(ElevenLabsController):
        def post_call_transcription(self, event): pass
        def conversation_init(self, data): pass
"""

#: Characters that are longer once they are escaped.
CHARACTERS = ["%01", "%1b", "%C3%A9", "%F0%9F%98%80", "%5C", "%22", "%ED%A0%80", "%FF", "%E2%80%A8", "a"]

#: Name -> a request with a long part, made of a text.
LONG: dict[str, Any] = {
    "a content type": lambda text: ("/notes", b"x", {"Content-Type": f"{text}/x"}),
    "a content type of a callback": lambda text: ("/ice", b"x", {"Content-Type": f"{text}/x"}),
    "a field": lambda text: ("/notes", json.dumps({text: 1}).encode(), {}),
    "many fields": lambda text: ("/notes", json.dumps({f"{n}{text}": 1 for n in range(100)}).encode(), {}),
    "a value": lambda text: ("/notes", json.dumps({"n": text}).encode(), {}),
    "an event": lambda text: ("/ice", json.dumps(ICE | {"event": text}).encode(), {}),
    "a call id": lambda text: ("/ice", json.dumps(ICE | {"callid": text}).encode(), {}),
    "a wrong type": lambda text: ("/ice", json.dumps(ICE | {"cli": {text: 1}}).encode(), {}),
    "an event at the root": lambda text: ("/", json.dumps({"event": text, "callid": text}).encode(), {}),
    "a callback to nowhere": lambda text: ("/nowhere", json.dumps({"event": text, "callid": text}).encode(), {}),
    "a pie that nothing handles": lambda text: ("/pie", json.dumps({"event": "pie", "callid": text}).encode(), {}),
    "an event of v2": lambda text: ("/", json.dumps({"event": f"call.{text}", "callid": text}).encode(), {}),
    "a trigger": lambda text: ("/webhook/conversation", json.dumps({"message": {text: 1}, text: 1}).encode(), {}),
    "an event of an agent": lambda text: ("/webhook/elevenlabs", json.dumps({"type": text}).encode(), {}),
    "a beginning": lambda text: ("/webhook/elevenlabs-init", json.dumps({"type": text}).encode(), {}),
    "a request id": lambda text: ("/users", b"", {"X-Request-ID": text}),
    "an error of the function": lambda text: (f"/lookup?name={'%01' * 1300}", b"", {}),
}


OTHERS = {
    "CONVERSATION_WEBHOOK_SECRET": "c" * 20,
    "ELEVENLABS_WEBHOOK_SECRET": "e" * 20,
    "ELEVENLABS_INIT_SECRET": "i" * 20,
}


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("character", CHARACTERS)
def test_a_long_path_is_cut_in_line_and_record(tmp_path: Path, form: str, character: str) -> None:
    with serving(tmp_path, SOURCE, WEBHOOK_PROTECTION="always", SINCHFN_LOG_FORMAT=form, **SIGNING, **OTHERS) as served:
        begun = len(served.log)
        path = f"/{character * (4000 // len(character))}/ice"
        assert served.post(path, ICE).status == 401
        assert served.call(ICE, path).status == 200
        assert served.get(path.replace("ice", "users")).status == 200
        assert [record["outcome"] for record in served.ledger] == ["refused", "ok", "ok"]
        for record in served.ledger:
            assert len(record["path"]) <= 200
            assert record["path"].startswith("/")
            assert record["path"].endswith(("/ice", "/users"))
        written = served.log[begun:].splitlines()
        assert len(written) >= 3
        for line in (*written, *served.ledger_file.read_text().splitlines()):
            assert len(line) < 2 * MOST


OTHERS = {
    "CONVERSATION_WEBHOOK_SECRET": "c" * 20,
    "ELEVENLABS_WEBHOOK_SECRET": "e" * 20,
    "ELEVENLABS_INIT_SECRET": "i" * 20,
}


@pytest.mark.parametrize(
    "text", ["\x01" * 3000, "é" * 3000, "😀" * 3000, "a" * 100_000], ids=["control", "é", "😀", "a"]
)
@pytest.mark.parametrize("part", LONG)
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_long_part_of_a_request_is_cut(tmp_path: Path, form: str, part: str, text: str) -> None:
    path, body, headers = LONG[part](text)
    headers = {"Content-Type": "application/json"} | headers
    headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    with serving(tmp_path, SOURCE, SINCHFN_LOG_FORMAT=form) as served:
        begun = len(served.log)
        served.post(path, body, headers=headers)
        written = served.log[begun:].splitlines()
        for line in (*written, *(json.dumps(record) for record in served.ledger)):
            assert len(line) < 3 * MOST, line[:300]


def test_a_path_that_is_cut_has_no_half_of_a_secret(tmp_path: Path) -> None:
    secret = "canary-token-aa11bb22"
    with serving(tmp_path, SOURCE, MY_TOKEN=secret) as served:
        for before in range(150, 205):
            served.get(f"/{'x' * before}{secret}/users")
            served.get(f"/lookup?name={'x' * (300 + before)}{secret}")
        written = served.log + served.ledger_file.read_text()
    for length in range(5, len(secret)):
        assert secret[:length] not in written


def test_a_short_path_is_recorded_as_it_came(tmp_path: Path) -> None:
    with serving(tmp_path, SOURCE) as served:
        served.get("/a%20b/gr%C3%BC%C3%9Fe/%F0%9F%98%80/users")
        served.get("/" + "a" * 193 + "/users")
        assert [record["path"] for record in served.ledger] == ["/a b/grüße/😀/users", "/" + "a" * 193 + "/users"]


def test_a_call_id_is_cut_in_the_log_and_whole_for_the_handler(tmp_path: Path) -> None:
    source = """
        def ice(context, data):
            context.log.info("hello")
            return {"instructions": [{"name": "say", "text": data.call_id}]}
    """
    with serving(tmp_path, source, **SIGNING) as served:
        long = CALL_ID * 20
        answer = served.post("/ice", ICE | {"callid": long}, headers=signed(b""))
        assert long in answer.text
        assert long not in served.log
        assert CALL_ID * 4 in served.log
