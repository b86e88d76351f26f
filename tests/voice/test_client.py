"""The client of the v1 voice API, against a server over real sockets that checks signatures with code of its own."""

from __future__ import annotations

import base64
import gc
import hashlib
import hmac
import json
import logging
import os
import re
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sinchfn import AceSvamlBuilder, IceSvamlBuilder, SvamlError, create_ice_builder, create_menu, create_pie_builder
from sinchfn.errors import ConfigError, ServiceError, VoiceApiError
from sinchfn.voice.client import VoiceClient
from tests.harness.paths import VOICE
from tests.harness.server import free_port, until

REST = VOICE / "rest"
KEY = "f00dcafe-abba-c0de-1dea-dabb1ed4caf3"
SECRET = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnk="
CALL = "1ce0ffee-ca11-ca11-ca11-abcdef000003"
ROOT = "/calling/v1"
ALICE = "+12017777777"


# --- the platform ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: tuple[str, int]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_signed(self, secret: str) -> bool:
        """By the platform's document on request signing, not by the code under test."""
        scheme, _, credentials = self.headers["authorization"].partition(" ")
        key, _, signature = credentials.partition(":")
        md5 = base64.b64encode(hashlib.md5(self.body).digest()).decode() if self.body else ""
        stamp = self.headers["x-timestamp"]
        text = "\n".join([self.method, md5, self.headers["content-type"], f"x-timestamp:{stamp}", self.path])
        right = base64.b64encode(hmac.new(base64.b64decode(secret), text.encode(), "sha256").digest()).decode()
        age = abs(datetime.now(UTC) - datetime.fromisoformat(stamp))
        return scheme.lower() == "application" and key == KEY and signature == right and age < timedelta(minutes=5)


Act = Callable[[Any], None]


def answer(status: int, body: bytes | Any = b"", **headers: str) -> Act:
    """Answer this. Anything but bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        given = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        for name, value in {"content-type": "application/json", **given}.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return act


def recorded(status: int, name: str, **headers: str) -> Act:
    return answer(status, (REST / f"{name}.json").read_bytes(), **headers)


def raw(*parts: bytes, pause: float = 0, keep: bool = False) -> Act:
    """Write exactly this, with a pause after each part; then close, unless told to keep the connection."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = not keep
        for part in parts:
            handler.wfile.write(part)
            handler.server.platform.released.wait(pause)  # type: ignore[attr-defined]

    return act


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection after the request was read."""
    handler.close_connection = True
    break_off(handler.connection)


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Never answer."""
    handler.close_connection = True
    handler.server.platform.released.wait(30)  # type: ignore[attr-defined]


def close_after(act: Act) -> Act:
    """Answer, and close the connection without having said so."""

    def both(handler: BaseHTTPRequestHandler) -> None:
        act(handler)
        handler.close_connection = True

    return both


def break_off(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Platform:
    """A server that acts as told next, and by default answers with the id of a call."""

    def __init__(self, port: int = 0) -> None:
        self.seen: list[Seen] = []
        self.next: deque[Act] = deque()
        #: connections that are broken before anything is read from them
        self.unread = 0
        self.connections = 0
        self.released = threading.Event()
        platform = self

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

            def verify_request(self, request: Any, address: Any) -> bool:
                platform.connections += 1
                if platform.unread:
                    platform.unread -= 1
                    select.select([request], [], [], 10)  # else connecting fails, and nothing is ever sent
                    break_off(request)
                    return False
                return True

            def handle_error(self, request: Any, address: Any) -> None:
                pass  # a client that gave up

        self.server = Server(("127.0.0.1", port), Handler)
        self.server.platform = self  # type: ignore[attr-defined]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def serve(self) -> None:
        length = int(self.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, self.rfile.read(length), self.client_address)
        platform: Platform = self.server.platform
        platform.seen.append(seen)
        act = platform.next.popleft() if platform.next else recorded(200, "callout")
        if not seen.is_signed(SECRET):
            act = recorded(401, "error_40102")
        act(self)

    do_GET = do_POST = do_PATCH = do_DELETE = serve

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    yield made
    made.stop()


@pytest.fixture
def client(platform: Platform) -> Iterator[VoiceClient]:
    with VoiceClient(KEY, SECRET, api=platform.url, timeout=5) as made:
        yield made


@dataclass
class Naps:
    """The pauses between attempts, which are not slept here."""

    taken: list[float] = field(default_factory=list)
    during: Callable[[], None] = lambda: None

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.during()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    made = Naps()
    monkeypatch.setattr("sinchfn.voice.client.api.time.sleep", made)
    return made


# --- what is sent ---------------------------------------------------------------------------------------------------

NUMBER = {"type": "number", "endpoint": ALICE}
SAY = {"name": "say", "text": "Bye"}
HANGUP = {"name": "hangup"}
BYE = {"instructions": [SAY], "action": HANGUP}

SENT = {
    "tts": (
        lambda c: c.callouts.tts(ALICE, "Hello"),
        ("POST", "/callouts", {"method": "ttsCallout", "ttsCallout": {"destination": NUMBER, "text": "Hello"}}),
    ),
    "tts with everything": (
        lambda c: c.callouts.tts(
            {"type": "sip", "endpoint": "alice@sip.example.com"},
            prompts=["Hello", "https://example.com/a.mp3", "#ssml[<speak>Bye</speak>]"],
            cli="+12015555555",
            custom="",
            dtmf="ww1#",
            domain="pstn",
            locale="en-US",
            enable_ace=True,
            enable_dice=False,
            enable_pie=None,
        ),
        (
            "POST",
            "/callouts",
            {
                "method": "ttsCallout",
                "ttsCallout": {
                    "destination": {"type": "sip", "endpoint": "alice@sip.example.com"},
                    "prompts": "#tts[Hello];https://example.com/a.mp3;#ssml[<speak>Bye</speak>]",
                    "cli": "+12015555555",
                    "custom": "",
                    "dtmf": "ww1#",
                    "domain": "pstn",
                    "locale": "en-US",
                    "enableAce": True,
                    "enableDice": False,
                },
            },
        ),
    ),
    "conference": (
        lambda c: c.callouts.conference(
            {"type": "username", "endpoint": "alice"},
            "team",
            cli="+12015555555",
            greeting="Welcome",
            moh="music2",
            max_duration=32,
            dtmf_mode="detect",
            max_digits=3,
            timeout_mills=456,
            enable_dice=True,
            domain="mxp",
        ),
        (
            "POST",
            "/callouts",
            {
                "method": "conferenceCallout",
                "conferenceCallout": {
                    "destination": {"type": "username", "endpoint": "alice"},
                    "conferenceId": "team",
                    "cli": "+12015555555",
                    "greeting": "Welcome",
                    "mohClass": "music2",
                    "maxDuration": 32,
                    "conferenceDtmfOptions": {"mode": "detect", "maxDigits": 3, "timeoutMills": 456},
                    "enableDice": True,
                    "domain": "mxp",
                },
            },
        ),
    ),
    "custom with URLs": (
        lambda c: c.callouts.custom(
            ice="https://example.com/ice",
            dice="HTTP://example.com/dice",
            destination=ALICE,
            cli="+12015555555",
            custom='{"order": 7}',
            dtmf="1w2",
            max_duration=600,
        ),
        (
            "POST",
            "/callouts",
            {
                "method": "customCallout",
                "customCallout": {
                    "ice": "https://example.com/ice",
                    "dice": "HTTP://example.com/dice",
                    "destination": NUMBER,
                    "cli": "+12015555555",
                    "custom": '{"order": 7}',
                    "dtmf": "1w2",
                    "maxDuration": 600,
                },
            },
        ),
    ),
    "get a call": (lambda c: c.calls.get(CALL), ("GET", f"/calls/id/{CALL}", None)),
    "update with a builder": (
        lambda c: c.calls.update(CALL, AceSvamlBuilder().say("Bye").hangup()),
        ("PATCH", f"/calls/id/{CALL}", BYE),
    ),
    "update with a dict": (lambda c: c.calls.update(CALL, BYE), ("PATCH", f"/calls/id/{CALL}", BYE)),
    "update without an action": (
        lambda c: c.calls.update(CALL, AceSvamlBuilder().say("Bye")),
        ("PATCH", f"/calls/id/{CALL}", {"instructions": [SAY]}),
    ),
    "manage a leg": (
        lambda c: c.calls.manage_leg(CALL, "callee", AceSvamlBuilder().say("Bye").continue_()),
        ("PATCH", f"/calls/id/{CALL}/leg/callee", {"instructions": [SAY], "action": {"name": "continue"}}),
    ),
    "get a conference": (lambda c: c.conferences.get("team"), ("GET", "/conferences/id/team", None)),
    "kick all": (lambda c: c.conferences.kick_all("team"), ("DELETE", "/conferences/id/team", None)),
    "kick": (lambda c: c.conferences.kick("team", CALL), ("DELETE", f"/conferences/id/team/{CALL}", None)),
    "mute": (
        lambda c: c.conferences.mute("team", CALL),
        ("PATCH", f"/conferences/id/team/{CALL}", {"command": "mute"}),
    ),
    "unmute": (
        lambda c: c.conferences.unmute("team", CALL),
        ("PATCH", f"/conferences/id/team/{CALL}", {"command": "unmute"}),
    ),
}

#: One of each method that changes something.
CHANGES = ("tts", "update with a dict", "kick all", "kick", "mute")


@pytest.mark.parametrize("name", SENT)
def test_each_method_sends_the_request_of_the_api_document_and_signs_it(
    platform: Platform, client: VoiceClient, name: str
):
    call, (method, path, body) = SENT[name]
    call(client)
    (seen,) = platform.seen
    assert (seen.method, seen.path) == (method, ROOT + path)
    assert (seen.json if seen.body else None) == body
    assert seen.is_signed(SECRET)
    assert not seen.is_signed("b3RoZXIgc2VjcmV0")


def test_inline_svaml_of_a_custom_callout_is_a_json_string_and_names_the_callee(
    platform: Platform, client: VoiceClient
):
    menu = create_menu().prompt("Press 1").option("1", "return(yes)")
    client.callouts.custom(
        ice=create_ice_builder().say("Grüße").connect_pstn(ALICE, cli="+12015555555", amd=True),
        ace=AceSvamlBuilder().run_menu(menu),
        pie=BYE,
        max_duration=60,
    )
    sent = platform.seen[0].json["customCallout"]
    assert set(sent) == {"ice", "ace", "pie", "maxDuration"}
    assert json.loads(sent["ice"]) == {
        "instructions": [{"name": "say", "text": "Grüße"}],
        "action": {"name": "connectPstn", "number": ALICE, "cli": "+12015555555", "amd": {"enabled": True}},
    }
    assert json.loads(sent["ace"])["action"]["name"] == "runMenu"
    assert json.loads(sent["pie"]) == BYE


REFUSED = {
    "neither text nor prompts": (lambda c: c.callouts.tts(ALICE), "text or prompts"),
    "text and prompts": (lambda c: c.callouts.tts(ALICE, "a", prompts="b"), "found both"),
    "empty text": (lambda c: c.callouts.tts(ALICE, ""), "text: must not be empty"),
    "a text too long": (lambda c: c.callouts.tts(ALICE, "x" * 601), "at most 600"),
    "no prompts": (lambda c: c.callouts.tts(ALICE, prompts=[]), "prompts: must not be empty"),
    "a prompt left open": (lambda c: c.callouts.tts(ALICE, prompts="#tts[Hello"), "must end with"),
    "bytes for text": (lambda c: c.callouts.tts(ALICE, b"a"), "text"),
    "no plus": (lambda c: c.callouts.tts("12017777777", "a"), "E.164"),
    "a number with spaces": (lambda c: c.callouts.tts("+1 201 777", "a"), "E.164"),
    "a number in other digits": (lambda c: c.callouts.tts("+١٢٣٤٥", "a"), "E.164"),
    "a name for a number": (lambda c: c.callouts.tts("alice", "a"), "username"),
    "no number": (lambda c: c.callouts.tts(None, "a"), "destination takes"),
    "a number in a dict": (lambda c: c.callouts.tts({"type": "Number", "endpoint": "1"}, "a"), "E.164"),
    "a type that cannot be called": (
        lambda c: c.callouts.tts({"type": "did", "endpoint": ALICE}, "a"),
        "must be one of num",
    ),
    "no endpoint": (lambda c: c.callouts.tts({"type": "sip"}, "a"), "endpoint: is required"),
    "an extra key": (lambda c: c.callouts.tts({**NUMBER, "x": 1}, "a"), "unknown key"),
    "dtmf": (lambda c: c.callouts.tts(ALICE, "a", dtmf="A"), "0-9, # and w"),
    "a flag that is a text": (lambda c: c.callouts.tts(ALICE, "a", enable_ace="yes"), "True or False"),
    "custom that is a dict": (lambda c: c.callouts.tts(ALICE, "a", custom={"a": 1}), "custom"),
    "an empty conference": (lambda c: c.callouts.conference(ALICE, ""), "conferenceId: must not be empty"),
    "no conference": (lambda c: c.callouts.conference(ALICE, None), "conferenceId"),
    "a conference too long": (lambda c: c.callouts.conference(ALICE, "x" * 65), "at most 64"),
    "unknown music": (lambda c: c.callouts.conference(ALICE, "team", moh="music4"), "music1"),
    "no time": (lambda c: c.callouts.conference(ALICE, "team", max_duration=0), "1 or more"),
    "nobody": (lambda c: c.callouts.custom(), "ice or destination"),
    "inline ice and destination": (
        lambda c: c.callouts.custom(ice=IceSvamlBuilder().hangup(), destination=ALICE),
        "does not take destination or cli",
    ),
    "inline ice and cli": (lambda c: c.callouts.custom(ice=BYE, cli=ALICE), "does not take destination or cli"),
    "ice that is no URL": (lambda c: c.callouts.custom(ice="example.com/ice"), "https://"),
    "ice that is a file": (lambda c: c.callouts.custom(ice="file:///etc/passwd"), "https://"),
    "ice that is a number": (lambda c: c.callouts.custom(ice=5), "ice takes SVAML"),
    "a menu for ace": (lambda c: c.callouts.custom(destination=ALICE, ace=create_menu()), "ace takes SVAML"),
    "faulty ice": (lambda c: c.callouts.custom(ice={"action": {"name": "conectPstn"}}), "connectPstn"),
    "dice that is SVAML": (lambda c: c.callouts.custom(destination=ALICE, dice=BYE), "dice takes a URL"),
    "a stream path": (lambda c: c.callouts.custom(ice=create_ice_builder().connect_stream("/stream")), "wss://"),
    "a stream path in a dict": (
        lambda c: c.calls.update(
            CALL,
            {"action": {"name": "ConnectStream", "destination": {"type": "Websocket", "endpoint": "/stream"}}},
        ),
        "wss://",
    ),
    "nothing to change": (lambda c: c.calls.update(CALL, {}), "neither instructions nor an action"),
    "a builder with nothing": (lambda c: c.calls.update(CALL, create_pie_builder()), "neither instructions"),
    "SVAML as text": (lambda c: c.calls.update(CALL, '{"action": {"name": "hangup"}}'), "made by a builder"),
    "no SVAML": (lambda c: c.calls.update(CALL, None), "made by a builder"),
    "faulty SVAML": (lambda c: c.calls.update(CALL, {"instructions": [{"name": "say", "text": 5}]}), r"\[0\].text"),
    "a leg that does not exist": (lambda c: c.calls.manage_leg(CALL, "Callee", BYE), 'Did you mean "callee"'),
    "no leg": (lambda c: c.calls.manage_leg(CALL, None, BYE), "caller, callee or both"),
    "an empty id": (lambda c: c.calls.get(""), "call_id takes an id"),
    "no id": (lambda c: c.calls.get(None), "call_id takes an id"),
    "an id that proxies resolve": (lambda c: c.conferences.kick_all(".."), "conference_id takes an id"),
    "an id of one dot": (lambda c: c.conferences.kick("team", "."), "call_id takes an id"),
    "half a character": (lambda c: c.calls.get("\ud800"), "surrogate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_argument_is_a_value_error_before_anything_is_sent(platform: Platform, client: VoiceClient, name: str):
    call, words = REFUSED[name]
    with pytest.raises(ValueError, match=words) as caught:
        call(client)
    assert platform.seen == []
    assert platform.connections == 0
    if "SVAML" in name or "faulty" in name:
        assert isinstance(caught.value, SvamlError)


def test_an_option_that_does_not_exist_is_a_type_error_with_a_hint(platform: Platform, client: VoiceClient):
    with pytest.raises(TypeError, match=r'no option "lokale".* Did you mean "locale"'):
        client.callouts.tts(ALICE, "Hello", lokale="en-US")  # type: ignore[call-arg]
    assert platform.connections == 0


def test_a_given_dict_is_not_changed_and_not_shared(platform: Platform, client: VoiceClient):
    destination, svaml = dict(NUMBER), json.loads(json.dumps(BYE))
    client.callouts.tts(destination, "Hello")
    client.calls.update(CALL, svaml)
    assert (destination, svaml) == (NUMBER, BYE)


def test_what_an_event_is_not_documented_for_is_sent_with_a_warning(
    platform: Platform, client: VoiceClient, caplog: pytest.LogCaptureFixture
):
    client.callouts.custom(destination=ALICE, ace={"action": {"name": "connectPstn", "number": ALICE}})
    assert "ace: action.name: connectPstn is documented for ice, pie" in caplog.text
    assert len(platform.seen) == 1


@pytest.mark.parametrize("name", ["id", "conference"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1).filter(lambda text: text not in (".", "..")))
@example(text="../x")
@example(text="a/b?c=d#e")
@example(text="%2e%2e%2f")
@example(text="a b\r\nx-timestamp: 1")
@example(text="{0}")
@example(text="å世界")
@example(text="\\..\\x;y=1")
def test_any_id_stays_one_segment_of_the_path(platform: Platform, client: VoiceClient, name: str, text: str):
    platform.next.append(answer(200, {}))
    begin, end = f"{ROOT}/calls/id/", ""
    if name == "id":
        client.calls.get(text)
    else:
        client.conferences.mute(text, "c1")
        begin, end = f"{ROOT}/conferences/id/", "/c1"
    path = platform.seen[-1].path
    segment = path.removeprefix(begin).removesuffix(end)
    assert path == begin + segment + end
    assert re.fullmatch(r"(?:[\w.~-]|%[0-9A-F]{2})+", segment, re.ASCII)
    assert unquote(segment) == text
    assert platform.seen[-1].is_signed(SECRET)


@pytest.mark.parametrize(
    ("base", "prefix"),
    [
        ("", ""),
        ("/", ""),
        ("/mock", "/mock"),
        ("/a/%c3%a5/", "/a/%C3%A5"),
        ("/a/../b", "/b"),
        ("/a;b=1,c", "/a;b=1,c"),
    ],
)
def test_the_signed_path_is_the_one_that_is_sent_whatever_the_base_url(platform: Platform, base: str, prefix: str):
    with VoiceClient(KEY, SECRET, api=platform.url + base) as client:
        client.callouts.tts(ALICE, "Hello")
    assert platform.seen[0].path == f"{prefix}{ROOT}/callouts"


# --- where it goes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "host"),
    [
        ("global", "calling.api.sinch.com"),
        ("use1", "calling-use1.api.sinch.com"),
        ("EUC1", "calling-euc1.api.sinch.com"),
        ("sae1", "calling-sae1.api.sinch.com"),
        ("apse1", "calling-apse1.api.sinch.com"),
        ("apse2", "calling-apse2.api.sinch.com"),
    ],
)
def test_a_region_is_a_host(api: str, host: str):
    assert repr(VoiceClient(KEY, SECRET, api=api)) == f"<VoiceClient of https://{host}>"


def test_the_global_region_is_the_default():
    assert repr(VoiceClient(KEY, SECRET).calls) == "<Calls of https://calling.api.sinch.com>"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"key": ""}, "key is empty"),
        ({"key": "a b"}, "key is not printable"),
        ({"secret": ""}, "secret is empty"),
        ({"secret": "canary!"}, "secret is not Base64"),
        ({"api": "euc2"}, "api cannot be 'euc2': it takes global, use1"),
        ({"api": "ftp://example.com"}, "or a URL such as"),
        ({"api": "https://user:canary@example.com"}, "or a URL such as"),
        ({"api": "https://example.com/?canary=1"}, "or a URL such as"),
        ({"timeout": 0}, "timeout takes"),
        ({"timeout": -1}, "timeout takes"),
        ({"timeout": float("nan")}, "timeout takes"),
        ({"timeout": float("inf")}, "timeout takes"),
    ],
)
def test_a_client_that_cannot_work_is_not_made(arguments: dict[str, Any], words: str):
    given = {"key": KEY, "secret": SECRET, **arguments}
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        VoiceClient(given.pop("key"), given.pop("secret"), **given)
    assert "canary" not in str(caught.value) or "?canary" in str(caught.value)


# --- what comes back ------------------------------------------------------------------------------------------------


def test_a_callout_answers_the_id_of_the_call(platform: Platform, client: VoiceClient):
    made = client.callouts.tts(ALICE, "Hello")
    assert made.call_id == "1ce0ffee-ca11-ca11-ca11-abcdef000001"
    assert made.raw == json.loads((REST / "callout.json").read_bytes())
    assert repr(made) == "<Callout 1ce0ffee-ca11-ca11-ca11-abcdef000001>"


def test_the_details_of_a_call_are_typed(platform: Platform, client: VoiceClient):
    platform.next.append(recorded(200, "call"))
    call = client.calls.get(CALL)
    assert call.call_id == CALL
    assert call.from_ is not None
    assert call.to is not None
    assert (call.from_.type, call.from_.endpoint) == ("username", "alice")
    assert (call.to.type, call.to.endpoint) == ("number", ALICE)
    assert (call.domain, call.status, call.result, call.reason) == ("pstn", "final", "answered", "managerhangup")
    assert call.duration == 14
    assert call.timestamp == datetime(2024, 6, 6, 17, 36, tzinfo=UTC)
    assert call.custom == "Custom text"
    assert call.user_rate is not None
    assert call.debit is not None
    assert (call.user_rate.amount, call.user_rate.currency_id) == (Decimal("0.1758"), "EUR")
    assert call.debit.amount == Decimal("0.5274")
    assert call["userRate"]["amount"] == 0.1758


def test_the_participants_of_a_conference_are_typed(platform: Platform, client: VoiceClient):
    platform.next.append(recorded(200, "conference"))
    conference = client.conferences.get("team")
    first, second = conference.participants
    assert (first.call_id, first.cli, first.duration) == (
        "1ce0ffee-ca11-ca11-ca11-abcdef000012",
        "+12015555555",
        35,
    )
    assert (first.muted, first.on_hold, second.muted, second.on_hold) == (True, True, False, False)
    assert repr(conference) == "<Conference of 2>"


@pytest.mark.parametrize("body", [{}, {"participants": None}, {"participants": "x"}, {"participants": [None, 5]}])
def test_a_conference_without_participants_has_none(platform: Platform, client: VoiceClient, body: Any):
    platform.next.append(answer(200, body))
    assert client.conferences.get("team").participants == ()


def test_fields_that_are_missing_or_wrong_read_as_none(platform: Platform, client: VoiceClient):
    platform.next.append(answer(200, {"callid": CALL, "duration": "long", "to": [], "timestamp": 5, "new": 1}))
    call = client.calls.get(CALL)
    assert (call.call_id, call.duration, call.to, call.timestamp, call.debit) == (CALL, None, None, None, None)
    assert call["new"] == 1


@pytest.mark.parametrize("act", [answer(204), answer(200, {"content": "ok"}), answer(200, b"<p>ok"), answer(200)])
def test_a_request_without_a_result_takes_any_successful_answer(platform: Platform, client: VoiceClient, act: Act):
    platform.next.append(act)
    assert client.calls.update(CALL, BYE) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    "act",
    [
        answer(200, b"<html>Welcome</html>", content_type="text/html"),
        answer(200, b"\xff\xfe{}"),
        answer(200, b""),
        answer(204),
        answer(200, [1]),
        answer(200, b"NaN"),
        answer(200, b"[" * 5000),
        answer(200, b'{"callId": "a"', content_encoding="gzip"),
    ],
)
def test_an_answer_that_is_not_a_json_object_is_an_error_that_says_so(
    platform: Platform, client: VoiceClient, act: Act
):
    platform.next.append(act)
    with pytest.raises(VoiceApiError, match=r"not a JSON object.* was probably carried out") as caught:
        client.callouts.tts(ALICE, "Hello")
    assert caught.value.status in (200, 204)
    assert len(platform.seen) == 1


# --- errors ---------------------------------------------------------------------------------------------------------


def test_an_error_carries_status_code_message_and_reference(platform: Platform, client: VoiceClient):
    platform.next.append(recorded(404, "error_40400"))
    with pytest.raises(VoiceApiError) as caught:
        client.calls.update("not-existing", BYE)
    error = caught.value
    assert isinstance(error, ServiceError)
    assert (error.status, error.code, error.message) == (404, 40400, "Call not found")
    assert error.reference == "38188074-abcd-56ab-ab64-daf82fada8e8"
    assert error.retry_after is None
    assert str(error) == (
        f"PATCH /calling/v1/calls/id/not-existing at {platform.url} was answered 404, error 40400 "
        '"Call not found" (reference 38188074-abcd-56ab-ab64-daf82fada8e8). '
        "It has ended, or it is in another region: set SINCHFN_VOICE_API (api of the client) to its region."
    )


def test_a_wrong_secret_says_what_to_check(platform: Platform):
    with (
        VoiceClient(KEY, "b3RoZXIgc2VjcmV0", api=platform.url) as client,
        pytest.raises(VoiceApiError, match="Check VOICE_APPLICATION_KEY and VOICE_APPLICATION_SECRET") as caught,
    ):
        client.calls.get(CALL)
    assert (caught.value.status, caught.value.code) == (401, 40102)


@pytest.mark.parametrize(
    ("act", "status", "code", "words"),
    [
        (recorded(402, "error_40200"), 402, 40200, "too little credit"),
        (answer(401, {"errorCode": 40101, "message": "m"}), 401, 40101, "clock of this machine"),
        (answer(400, {"errorCode": 40005, "message": "m"}), 400, 40005, "begins with a plus"),
        (answer(400, {"errorCode": 40001, "message": "Parameter"}), 400, 40001, 'error 40001 "Parameter"'),
        (answer(403, {"errorCode": 40300, "message": "m"}), 403, 40300, "may not do this"),
        (answer(429, {"errorCode": 42900, "message": "m"}, retry_after="7"), 429, 42900, "asks to wait 7 s"),
        (answer(500, {"errorCode": 50000, "message": "m"}), 500, 50000, "try again later"),
        (answer(503, b""), 503, None, "0 bytes of application/json"),
        (answer(502, b"<html><h1>Bad gateway", content_type="text/html"), 502, None, "21 bytes of text/html"),
        (answer(418, {"errorCode": True, "message": 5, "reference": []}), 418, None, "not an error of the voice API"),
        (answer(400, {"errorCode": "x" * 9000, "message": "y" * 9000}), 400, None, '"yyyy'),
        (answer(400, [1, 2]), 400, None, "not an error of the voice API"),
        (answer(301, b"", location="https://example.com/"), 301, None, "does not follow redirects"),
    ],
)
def test_an_error_says_what_came_back_and_what_to_do(
    platform: Platform, client: VoiceClient, act: Act, status: int, code: int | None, words: str
):
    platform.next.append(act)
    with pytest.raises(VoiceApiError, match=re.escape(words)) as caught:
        client.callouts.tts(ALICE, "Hello")
    assert (caught.value.status, caught.value.code) == (status, code)
    assert len(str(caught.value)) < 800
    assert len(str(caught.value).splitlines()) == 1
    assert len(platform.seen) == 1


def test_a_message_of_several_lines_cannot_forge_a_log_line(platform: Platform, client: VoiceClient):
    platform.next.append(answer(400, {"errorCode": 40001, "message": "a\nERROR forged\x1b[31m\u2028b"}))
    with pytest.raises(VoiceApiError) as caught:
        client.callouts.tts(ALICE, "Hello")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", ["tts", "get a call"])
def test_no_redirect_is_followed(platform: Platform, client: VoiceClient, status: int, name: str):
    other = Platform()
    try:
        platform.next.append(answer(status, b"", location=f"{other.url}/calling/v1/callouts"))
        with pytest.raises(VoiceApiError, match="does not follow redirects") as caught:
            SENT[name][0](client)
        assert caught.value.status == status
        assert (len(platform.seen), other.connections) == (1, 0)
    finally:
        other.stop()


def test_an_answer_that_is_too_large_is_not_read_to_its_end(platform: Platform, client: VoiceClient):
    platform.next.append(raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", *[b" " * 65536] * 17, pause=0))
    with pytest.raises(VoiceApiError, match="more than 1048576 bytes") as caught:
        client.calls.get(CALL)
    assert caught.value.status is None
    client.callouts.tts(ALICE, "Hello")  # on a connection of its own
    assert len({seen.connection for seen in platform.seen}) == 2


CUT = {
    "in its body": b'HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{"callId": "c',
    "in a chunk": b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\n{"callId"',
    "before the last chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "in its head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "in the first line": b"HTTP/1.1 2",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.filterwarnings("error")
def test_a_truncated_answer_to_a_callout_is_an_error_and_nothing_is_sent_again(
    platform: Platform, client: VoiceClient, name: str, naps: Naps
):
    platform.next.append(raw(CUT[name]))
    with pytest.raises(VoiceApiError) as caught:
        client.callouts.tts(ALICE, "Hello")
    assert (len(platform.seen), naps.taken) == (1, [])
    if name not in ("in its head",):  # http.client takes the end of the connection for the end of the head
        assert caught.value.status is None
        assert "may still have carried it out" in str(caught.value)


# --- attempts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_get_is_repeated_while_the_platform_is_busy_and_signed_again(
    platform: Platform, client: VoiceClient, naps: Naps, status: int
):
    platform.next += [answer(status), answer(status), recorded(200, "call")]
    assert client.calls.get(CALL).status == "FINAL"
    assert len(platform.seen) == 3
    assert len({seen.headers["x-timestamp"] for seen in platform.seen}) == 3
    first, second = naps.taken
    assert 0.15 <= first <= 0.3
    assert 0.6 <= second <= 1.2


def test_a_get_is_given_up_after_three_attempts(platform: Platform, client: VoiceClient, naps: Naps):
    platform.next += [answer(503)] * 5
    with pytest.raises(VoiceApiError, match="503"):
        client.calls.get(CALL)
    assert (len(platform.seen), len(naps.taken)) == (3, 2)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 500, 501])
def test_a_get_that_was_refused_is_not_repeated(platform: Platform, client: VoiceClient, naps: Naps, status: int):
    platform.next.append(answer(status))
    with pytest.raises(VoiceApiError):
        client.calls.get(CALL)
    assert (len(platform.seen), naps.taken) == (1, [])


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("name", CHANGES)
def test_a_request_that_changes_something_is_sent_once_even_if_the_platform_is_busy(
    platform: Platform, client: VoiceClient, naps: Naps, name: str, status: int
):
    platform.next.append(answer(status, retry_after="1"))
    with pytest.raises(VoiceApiError) as caught:
        SENT[name][0](client)
    assert caught.value.retry_after == 1
    assert (len(platform.seen), naps.taken) == (1, [])


def test_retry_after_is_waited_for(platform: Platform, client: VoiceClient, naps: Naps):
    platform.next += [answer(429, retry_after="3"), answer(503, retry_after="0"), recorded(200, "call")]
    client.calls.get(CALL)
    assert naps.taken == [3, 0]


def test_retry_after_may_be_a_date(platform: Platform, client: VoiceClient, naps: Naps):
    soon, past = datetime.now(UTC) + timedelta(seconds=4), datetime.now(UTC) - timedelta(days=1)
    platform.next += [
        answer(429, retry_after=format_datetime(soon, usegmt=True)),
        answer(429, retry_after=format_datetime(past, usegmt=True)),
        recorded(200, "call"),
    ]
    client.calls.get(CALL)
    assert 0 < naps.taken[0] <= 4
    assert naps.taken[1] == 0


@pytest.mark.parametrize("value", ["6", "3600", "999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_long_retry_after_is_an_error_at_once(platform: Platform, client: VoiceClient, naps: Naps, value: str):
    platform.next.append(answer(429, retry_after=value))
    with pytest.raises(VoiceApiError) as caught:
        client.calls.get(CALL)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 5
    assert (len(platform.seen), naps.taken) == (1, [])


@pytest.mark.parametrize("value", ["-1", "1e400", "nan", "soon", "", "9" * 400, "32 Foo 2024"])
def test_an_invalid_retry_after_is_ignored(platform: Platform, client: VoiceClient, naps: Naps, value: str):
    platform.next += [answer(503, retry_after=value), recorded(200, "call")]
    client.calls.get(CALL)
    assert 0.15 <= naps.taken[0] <= 0.3


def test_after_some_time_nothing_is_tried_again(
    platform: Platform, client: VoiceClient, naps: Naps, monkeypatch: pytest.MonkeyPatch
):
    clock = [100.0]
    monkeypatch.setattr("sinchfn.voice.client.api.time.monotonic", lambda: clock[0])
    naps.during = lambda: clock.__setitem__(0, clock[0] + 20)
    platform.next += [answer(503), answer(503), answer(503)]
    with pytest.raises(VoiceApiError):
        client.calls.get(CALL)
    assert len(platform.seen) == 2


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("is_read", [True, False])
def test_a_request_that_changes_something_is_not_repeated_when_the_connection_breaks(
    platform: Platform, client: VoiceClient, naps: Naps, name: str, is_read: bool
):
    if is_read:
        platform.next.append(reset)
    else:
        platform.unread = 1
    with pytest.raises(VoiceApiError, match="may still have carried it out") as caught:
        SENT[name][0](client)
    assert caught.value.status is None
    assert caught.value.message
    assert (platform.connections, len(platform.seen), naps.taken) == (1, int(is_read), [])


@pytest.mark.parametrize("name", CHANGES)
def test_a_request_that_changes_something_is_not_repeated_on_a_connection_used_before(
    platform: Platform, client: VoiceClient, naps: Naps, name: str
):
    client.callouts.tts(ALICE, "Hello")
    platform.next.append(reset)
    with pytest.raises(VoiceApiError):
        SENT[name][0](client)
    assert len(platform.seen) == 2


@pytest.mark.parametrize("is_read", [True, False])
def test_a_get_is_repeated_when_the_connection_breaks(
    platform: Platform, client: VoiceClient, naps: Naps, is_read: bool
):
    platform.next += [reset] * is_read + [recorded(200, "call")]
    platform.unread = 1
    assert client.calls.get(CALL).call_id == CALL
    assert len(naps.taken) == 1 + is_read


def test_a_get_whose_answer_was_truncated_is_repeated(platform: Platform, client: VoiceClient, naps: Naps):
    platform.next += [raw(CUT["in its body"]), recorded(200, "call")]
    assert client.calls.get(CALL).call_id == CALL


@pytest.mark.parametrize("name", ["tts", "get a call"])
def test_a_request_that_never_left_is_tried_again_and_arrives_once(naps: Naps, name: str):
    port = free_port()
    started: list[Platform] = []
    naps.during = lambda: started.append(Platform(port)) if len(naps.taken) == 2 else None
    try:
        with VoiceClient(KEY, SECRET, api=f"http://127.0.0.1:{port}") as client:
            SENT[name][0](client)
        assert len(started[0].seen) == 1
    finally:
        for platform in started:
            platform.stop()


def test_a_platform_that_cannot_be_reached_is_an_error_that_names_it(naps: Naps):
    url = f"http://127.0.0.1:{free_port()}"
    with (
        VoiceClient(KEY, SECRET, api=url) as client,
        pytest.raises(VoiceApiError, match=r"no connection could be made: .*refused.*SINCHFN_VOICE_API") as caught,
    ):
        client.callouts.tts(ALICE, "Hello")
    assert url in str(caught.value)
    assert caught.value.status is None
    assert "may have done" not in str(caught.value)
    assert len(naps.taken) == 2


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".example", "-.-"])
def test_a_host_that_does_not_exist_is_an_error_that_names_it(naps: Naps, host: str):
    with (
        VoiceClient(KEY, SECRET, api=f"https://{host}") as client,
        pytest.raises(VoiceApiError, match=f"{host}: no connection could be made"),
    ):
        client.callouts.tts(ALICE, "Hello")


def test_a_connection_that_was_closed_meanwhile_is_not_used_again(platform: Platform, client: VoiceClient, naps: Naps):
    for _ in range(3):
        platform.next.append(close_after(recorded(200, "callout")))
        client.callouts.tts(ALICE, "Hello")
        until(
            lambda: (
                not any(
                    thread.name.startswith("Thread") and "process_request" in thread.name
                    for thread in threading.enumerate()
                )
            )
        )
    assert len(platform.seen) == 3


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hasty(platform: Platform) -> Iterator[VoiceClient]:
    with VoiceClient(KEY, SECRET, api=platform.url, timeout=0.4) as made:
        yield made


@pytest.mark.parametrize("name", ["tts", "get a call"])
def test_an_answer_that_does_not_come_is_an_error_and_not_waited_for_again(
    platform: Platform, hasty: VoiceClient, naps: Naps, name: str
):
    platform.next.append(hang)
    with pytest.raises(VoiceApiError, match="no complete answer came in time") as caught:
        SENT[name][0](hasty)
    assert caught.value.status is None
    assert (len(platform.seen), naps.taken) == (1, [])
    assert ("may still have carried it out" in str(caught.value)) == (name == "tts")


@pytest.mark.parametrize(
    "whole",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n" + b" " * 200,
        b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 30 + b"\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 50,
    ],
)
def test_an_answer_that_drips_times_out_too(platform: Platform, hasty: VoiceClient, whole: bytes):
    platform.next.append(raw(*(whole[i : i + 4] for i in range(0, len(whole), 4)), pause=0.1))
    began = time.monotonic()
    with pytest.raises(VoiceApiError, match="no complete answer came in time"):
        hasty.calls.get(CALL)
    assert time.monotonic() - began < 3  # at its pace the answer takes more than 5 s


def test_the_time_of_one_answer_is_not_taken_from_the_next(platform: Platform, hasty: VoiceClient):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
    for _ in range(4):
        platform.next.append(raw(head, b"{}", pause=0.15, keep=True))
        hasty.calls.get(CALL)
    assert platform.connections == 1


# --- threads, processes, imports ------------------------------------------------------------------------------------


def test_one_client_serves_many_threads(platform: Platform, client: VoiceClient):
    barrier = threading.Barrier(12)

    def work(number: int) -> set[str | None]:
        barrier.wait(10)
        return {client.callouts.tts(ALICE, f"Hello {number} {turn}").call_id for turn in range(20)}

    with ThreadPoolExecutor(12) as pool:
        found = set().union(*pool.map(work, range(12)))
    assert found == {"1ce0ffee-ca11-ca11-ca11-abcdef000001"}
    texts = {seen.json["ttsCallout"]["text"] for seen in platform.seen}
    assert (len(platform.seen), len(texts)) == (240, 240)
    assert platform.connections <= 24  # kept and used again, not one for each request


FORKING = """
import os, sys
from sinchfn.voice.client import VoiceClient
client = VoiceClient(*sys.argv[1:3], api=sys.argv[3])
client.callouts.tts("+12017777777", "parent before")
child = os.fork()
for turn in range(5):
    client.callouts.tts("+12017777777", "parent" if child else "child")
if not child:
    client.close()
    os._exit(0)
_, status = os.waitpid(child, 0)
client.callouts.tts("+12017777777", "parent after")
client.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_process_uses_no_connection_of_its_parent(platform: Platform):
    command = [sys.executable, "-W", "error", "-c", FORKING, KEY, SECRET, platform.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    by_text: dict[str, set[tuple[str, int]]] = {}
    for seen in platform.seen:
        by_text.setdefault(seen.json["ttsCallout"]["text"].split()[0], set()).add(seen.connection)
    assert len(platform.seen) == 12
    assert len(by_text["parent"]) == len(by_text["child"]) == 1
    assert not by_text["parent"] & by_text["child"]


def test_importing_and_making_a_client_imports_no_http_library():
    source = (
        "import sys, sinchfn; from sinchfn.voice.client import VoiceClient; "
        f"VoiceClient({KEY!r}, {SECRET!r}); "
        "print([name for name in ('urllib3', 'requests', 'sinch', 'ssl') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
    loaded = done.stdout.strip()
    assert "urllib3" not in loaded
    assert "requests" not in loaded
    assert "sinch'" not in loaded


def test_a_closed_client_can_be_used_again(platform: Platform, client: VoiceClient):
    client.callouts.tts(ALICE, "Hello")
    client.close()
    client.close()
    client.callouts.tts(ALICE, "Hello")
    assert platform.connections == 2


def test_a_client_that_is_dropped_leaves_no_socket_behind(platform: Platform):
    client = VoiceClient(KEY, SECRET, api=platform.url)
    client.callouts.tts(ALICE, "Hello")
    del client
    gc.collect()  # a socket that is still open would be a ResourceWarning, and that an error here


# --- proxies --------------------------------------------------------------------------------------------------------


class Proxy:
    """An HTTP proxy: tunnels (CONNECT), and requests with a whole URL.

    :param password: what it asks for, as ``user:password``.
    """

    def __init__(self, password: str = "") -> None:
        #: the request lines that came, and what they had as ``Proxy-Authorization``
        self.lines: list[str] = []
        self.passwords: list[str | None] = []
        self._password = password
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{self._password}{'@' if self._password else ''}127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def _pass_on(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (data := connection.recv(65536)):
                    return
                head += data
            line, *headers = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            given = next((one.partition(": ")[2] for one in headers if one.lower().startswith("proxy-auth")), None)
            self.lines.append(line)
            self.passwords.append(given)
            if self._password and given != f"Basic {base64.b64encode(unquote(self._password).encode()).decode()}":
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            method, target, _ = line.split()
            host, _, port = (target if method == "CONNECT" else urlsplit(target).netloc).partition(":")
            with socket.create_connection((host, int(port)), 10) as upstream:
                if method == "CONNECT":
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    upstream.sendall(head.replace(f"//{host}:{port}".encode(), b"", 1).replace(b"http:", b"", 1))
                self._join(connection, upstream)

    def _join(self, one: socket.socket, other: socket.socket) -> None:
        while True:
            for ready in select.select([one, other], [], [], 30)[0]:
                try:
                    data = ready.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                (other if ready is one else one).sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy("me:p%40ss")
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def no_proxy_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_plain_http_goes_through_the_proxy_of_the_environment(
    platform: Platform, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(name, proxy.url)
    with VoiceClient(KEY, SECRET, api=f"{platform.url}/a%20b", timeout=5) as client:
        assert client.callouts.tts(ALICE, "Hello").call_id
    assert proxy.lines == [f"POST {platform.url}/a%20b{ROOT}/callouts HTTP/1.1"]
    assert proxy.passwords == ["Basic " + base64.b64encode(b"me:p@ss").decode()]
    assert platform.seen[0].headers["host"] == platform.url.removeprefix("http://")
    assert "p%40ss" not in caplog.text
    assert "p@ss" not in caplog.text


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_https_goes_through_a_tunnel_and_the_certificate_is_still_checked(
    platform: Platform, tls: str, certificate: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setenv(name, proxy.url)
    with VoiceClient(KEY, SECRET, api=tls, timeout=5) as client, pytest.raises(VoiceApiError, match="TLS failed"):
        client.callouts.tts(ALICE, "Hello")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with VoiceClient(KEY, SECRET, api=tls, timeout=5) as client:
        for _ in range(2):  # on one connection
            assert client.callouts.tts(ALICE, "Hello").call_id
    assert [line.rpartition(" ")[0] for line in proxy.lines] == [f"CONNECT {tls.removeprefix('https://')}"] * 2
    assert [seen.path for seen in platform.seen] == [f"{ROOT}/callouts"] * 2
    assert not [seen for seen in platform.seen if "proxy-authorization" in {name.lower() for name in seen.headers}]


@pytest.mark.parametrize("hosts", ["127.0.0.1", "example.com, 127.0.0.1", "*", "0.0.1"])
def test_no_proxy_is_used_for_the_hosts_of_no_proxy(platform: Platform, monkeypatch: pytest.MonkeyPatch, hosts: str):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", hosts)
    with VoiceClient(KEY, SECRET, api=platform.url, timeout=5) as client:
        client.callouts.tts(ALICE, "Hello")
    assert len(platform.seen) == 1


def test_the_proxy_of_another_scheme_is_not_used(platform: Platform, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    with VoiceClient(KEY, SECRET, api=platform.url, timeout=5) as client:
        client.callouts.tts(ALICE, "Hello")
    assert len(platform.seen) == 1


def test_a_proxy_that_refuses_is_named_without_its_password(
    platform: Platform, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, naps: Naps
):
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:wrong@127.0.0.1:{proxy.port}")
    sentence = f"no connection could be made.*proxy http://127.0.0.1:{proxy.port}.*407"
    with (
        VoiceClient(KEY, SECRET, api="https://calling.example", timeout=5) as client,
        pytest.raises(VoiceApiError, match=sentence) as caught,
    ):
        client.callouts.tts(ALICE, "Hello")
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("where", ["127.0.0.1:{}", "http://127.0.0.1:{}"])
def test_a_proxy_that_cannot_be_reached_is_named(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, naps: Naps, where: str
):
    port = free_port()
    monkeypatch.setenv("HTTP_PROXY", where.format(port))
    with (
        VoiceClient(KEY, SECRET, api=platform.url, timeout=5) as client,
        pytest.raises(VoiceApiError, match=f"proxy http://127.0.0.1:{port} of the environment"),
    ):
        client.callouts.tts(ALICE, "Hello")
    assert platform.seen == []


@pytest.mark.parametrize("url", ["socks5://me:hidden@127.0.0.1:1080", "http://", "http://me:hidden@[::1"])
def test_a_proxy_that_cannot_be_used_is_an_error_without_its_password(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, url: str
):
    monkeypatch.setenv("ALL_PROXY", url)
    with (
        VoiceClient(KEY, SECRET, api=platform.url, timeout=5) as client,
        pytest.raises(ConfigError, match=r"proxy for http://.*it takes http://host:port") as caught,
    ):
        client.callouts.tts(ALICE, "Hello")
    assert "hidden" not in str(caught.value)
    assert platform.seen == []


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost and its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
def tls(platform: Platform, certificate: Path) -> str:
    """The URL of the platform, which now speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    platform.server.socket = context.wrap_socket(
        platform.server.socket, server_side=True, do_handshake_on_connect=False
    )
    return platform.url.replace("http://127.0.0.1", "https://localhost")


def test_an_untrusted_certificate_is_refused_and_nothing_is_sent(platform: Platform, tls: str, naps: Naps):
    with (
        VoiceClient(KEY, SECRET, api=tls) as client,
        pytest.raises(VoiceApiError, match=r"TLS failed: .*self.signed") as caught,
    ):
        client.callouts.tts(ALICE, "Hello")
    assert caught.value.status is None
    assert (platform.seen, naps.taken) == ([], [])


def test_a_certificate_of_the_systems_store_is_accepted(
    platform: Platform, tls: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with VoiceClient(KEY, SECRET, api=tls, timeout=5) as client:
        client.callouts.tts(ALICE, "Hello")
        client.callouts.tts(ALICE, "Hello")
        with pytest.raises(VoiceApiError, match="TLS failed"):
            VoiceClient(KEY, SECRET, api=tls.replace("localhost", "127.0.0.1")).callouts.tts(ALICE, "Hello")
    assert len(platform.seen) == 2


def test_time_is_bounded_over_tls_too(platform: Platform, tls: str, certificate: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    whole = b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 30 + b"\r\n"
    platform.next.append(raw(*(whole[i : i + 4] for i in range(0, len(whole), 4)), pause=0.1))
    with (
        VoiceClient(KEY, SECRET, api=tls, timeout=0.5) as client,
        pytest.raises(VoiceApiError, match="no complete answer came in time"),
    ):
        client.calls.get(CALL)


# --- secrets and logs -----------------------------------------------------------------------------------------------


def echo(handler: Any) -> None:
    """The answer of a gateway in debug mode: the request."""
    header = handler.headers["authorization"]
    answer(400, {"errorCode": 40001, "message": f"bad: {header}", "reference": header.partition(":")[2]})(handler)


TROUBLES: dict[str, Act] = {
    "refused": recorded(401, "error_40102"),
    "echoed": echo,
    "echoed in the first line": lambda handler: raw(f"HTTX {handler.headers['authorization']}\r\n".encode())(handler),
    "broken": reset,
    "truncated": raw(CUT["in its body"]),
    "html": answer(502, b"<html>", content_type="text/html"),
    "no JSON": answer(200, b"x"),
    "redirect": answer(307, b"", location="https://example.com"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_neither_secret_nor_signature_is_in_an_error_a_repr_or_a_log_line(
    platform: Platform, client: VoiceClient, caplog: pytest.LogCaptureFixture, name: str
):
    caplog.set_level(logging.DEBUG)
    platform.next.append(TROUBLES[name])
    with pytest.raises(VoiceApiError) as caught:
        client.callouts.tts(ALICE, "Hello")
    error = caught.value
    written = "".join(
        [
            *traceback.format_exception(error),
            str(error),
            repr(error),
            repr(vars(error)),
            *map(repr, (client, client.callouts, client.calls, client.conferences, client.__dict__)),
            caplog.text,
            *(str(vars(record)) for record in caplog.records),
        ]
    )
    signature = platform.seen[0].headers["authorization"].partition(":")[2]
    for canary in (SECRET, SECRET.rstrip("="), base64.b64decode(SECRET).decode(), signature):
        assert canary not in written


def test_each_attempt_is_a_debug_line_with_method_path_status_and_time(
    platform: Platform, client: VoiceClient, caplog: pytest.LogCaptureFixture, naps: Naps
):
    caplog.set_level(logging.DEBUG, logger="sinchfn.voice")
    platform.next += [answer(503), recorded(200, "call")]
    client.calls.get("a\nb")
    first, wait, second = [record.getMessage() for record in caplog.records if record.name == "sinchfn.voice"]
    assert re.fullmatch(r"GET /calling/v1/calls/id/a%0Ab: 503 in [0-9]+ ms", first)
    assert re.fullmatch(r"GET /calling/v1/calls/id/a%0Ab: attempt 2 in 0\.[0-9]+ s", wait)
    assert re.fullmatch(r"GET /calling/v1/calls/id/a%0Ab: 200 in [0-9]+ ms", second)
    assert {record.levelno for record in caplog.records if record.name == "sinchfn.voice"} == {logging.DEBUG}
