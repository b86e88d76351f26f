"""Each example does what its README says."""

from __future__ import annotations

import importlib.util
import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sinchfn import IceRequest, create_app

EXAMPLES = Path(__file__).parent.parent / "examples"
DEVELOPMENT = {"SINCHFN_ENV": "development"}


def client_of(name: str, **config: str) -> FlaskClient:
    return create_app(EXAMPLES / name, config=DEVELOPMENT | config).test_client()


def test_every_example_is_tried_here() -> None:
    names = {folder.name for folder in EXAMPLES.iterdir() if (folder / "README.md").exists()}
    assert names == {"ivr", "http_api", "message_responder", "multi_file", "embedding", "many_machines"}


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


@pytest.mark.parametrize(
    ("text", "reply"), [("hours", "We are open"), (" Address ", "Main Street"), ("?", "Write one of")]
)
def test_the_responder_finds_the_reply(text: str, reply: str) -> None:
    event = {"message": {"contact_message": {"text_message": {"text": text}}}}
    answer = client_of("message_responder").post("/webhook/conversation", json=event).json
    assert answer["handled"]
    assert answer["reply"].startswith(reply)


@pytest.mark.parametrize("event", [{}, [], {"message": 5}, {"message": {"contact_message": None}}])
def test_the_responder_leaves_alone_what_is_no_text(event: object) -> None:
    assert client_of("message_responder").post("/webhook/conversation", json=event).json == {"handled": False}


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
