"""The clients of `context`, `voice`, `conversation`, `sms` and `numbers`: which there are, and that they work."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sinchfn.config.config import FunctionConfig, load_config
from sinchfn.errors import ConfigError, ExtraError
from sinchfn.services.clients import Clients
from sinchfn.voice.client import VoiceClient

CANARY = "canary-project-secret"
TOKEN = "canary-token"
VOICE = {"VOICE_APPLICATION_KEY": "voice-key", "VOICE_APPLICATION_SECRET": "Y2FuYXJ5LXZvaWNlLXNlY3JldA=="}
PROJECT = {"PROJECT_ID": "proj", "PROJECT_ID_API_KEY": "key-id", "PROJECT_ID_API_SECRET": CANARY}
CONVERSATION = {"CONVERSATION_APP_ID": "app-1"}
SMS = {"SMS_SERVICE_PLAN_ID": "plan-1"}
NUMBERS = {"ENABLE_NUMBERS_API": "true"}
ALL = {**VOICE, **PROJECT, **CONVERSATION, **SMS, **NUMBERS}

NAMES = ("voice.v1", "voice.v2", "conversation", "sms", "numbers")

MakeClients = Callable[..., Clients]


class Sinch(ThreadingHTTPServer):
    """Stands for all of Sinch's APIs: gives a token, accepts messages, knows nothing else."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        #: (request line without version, Authorization, body, client's address)
        self.seen: list[tuple[str, str, bytes, tuple[str, int]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def asked(self) -> list[str]:
        return [line for line, *_ in self.seen]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Sinch

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        authorization = self.headers.get("authorization", "")
        self.server.seen.append((f"{self.command} {self.path}", authorization, body, self.client_address))
        if self.path == "/oauth2/token":
            self.answer(200, {"access_token": TOKEN, "expires_in": 3599, "scope": "", "token_type": "bearer"})
        elif self.path.endswith("messages:send"):
            self.answer(200, {"message_id": "M1", "accepted_time": "2024-06-06T12:00:00Z"})
        elif self.path.endswith("/callouts"):
            self.answer(200, {"callId": "c1"})
        else:
            self.answer(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "unknown"}})

    def answer(self, status: int, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = serve

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def sinch() -> Iterator[Sinch]:
    server = Sinch()
    yield server
    server.shutdown()
    server.server_close()


def config_of(folder: Path, variables: dict[str, str]) -> FunctionConfig:
    return load_config(folder, variables, environ={})


@pytest.fixture
def make_clients(tmp_path: Path) -> Iterator[MakeClients]:
    """``make_clients(**variables)``; closed at the end."""
    made: list[Clients] = []

    def make(**variables: str) -> Clients:
        made.append(Clients(config_of(tmp_path, variables)))
        return made[-1]

    yield make
    for clients in made:
        clients.close()


def redirect(clients: Clients, url: str) -> None:
    """Send what the SDK asks to `url`; it has attributes for that."""
    configuration = clients.conversation._sinch.configuration
    for name in ("auth_origin", "numbers_origin", "voice_v2_origin"):
        setattr(configuration, name, url)
    for name in ("conversation_domain", "sms_domain"):
        setattr(configuration, name, url)


def client_named(clients: Clients, name: str) -> Any:
    for part in name.split("."):
        clients = getattr(clients, part)
    return clients


# --- which there are ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "there"),
    [
        ({}, set()),
        (VOICE, {"voice.v1"}),
        ({"VOICE_APPLICATION_KEY": "voice-key"}, set()),
        ({"VOICE_APPLICATION_SECRET": VOICE["VOICE_APPLICATION_SECRET"]}, set()),
        ({**VOICE, "VOICE_APPLICATION_SECRET": ""}, set()),
        (PROJECT, {"voice.v2"}),
        ({**PROJECT, "PROJECT_ID": ""}, set()),
        ({**CONVERSATION, **SMS, **NUMBERS}, set()),
        ({**PROJECT, **CONVERSATION}, {"voice.v2", "conversation"}),
        ({**PROJECT, "CONVERSATION_REGION": "eu"}, {"voice.v2"}),
        ({**PROJECT, **SMS}, {"voice.v2", "sms"}),
        ({**PROJECT, **NUMBERS}, {"voice.v2", "numbers"}),
        ({**PROJECT, "ENABLE_NUMBERS_API": "false"}, {"voice.v2"}),
        (ALL, set(NAMES)),
    ],
)
def test_a_client_is_there_when_its_variables_are_set_and_none_otherwise(
    make_clients: MakeClients, variables: dict[str, str], there: set[str]
):
    clients = make_clients(**variables)
    assert {name for name in NAMES if client_named(clients, name) is not None} == there


def test_each_client_is_what_its_name_says(make_clients: MakeClients):
    clients = make_clients(**ALL)
    assert isinstance(clients.voice.v1, VoiceClient)
    assert type(clients.voice.v2).__name__ == "VoiceV2"
    assert type(clients.conversation).__name__ == "Conversation"
    assert type(clients.sms).__name__ == "SMS"
    assert type(clients.numbers).__name__ == "VirtualNumbers"


def test_neither_sinch_nor_urllib3_is_imported_for_clients_that_are_not_asked_for_or_not_there(tmp_path: Path):
    source = f"""
import sys, sinchfn
from pathlib import Path
from sinchfn.config.config import load_config
from sinchfn.services.clients import Clients
nothing = Clients(load_config(Path({str(tmp_path)!r}), {{}}, environ={{}}))
assert [nothing.voice.v1, nothing.voice.v2, nothing.conversation, nothing.sms, nothing.numbers] == [None] * 5
everything = Clients(load_config(Path({str(tmp_path)!r}), {ALL!r}, environ={{}}))
assert everything.voice.v1 is not None
repr(everything), repr(everything.voice)
print([name for name in ("urllib3", "requests", "pydantic", "sinch") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_missing_package_is_an_error_when_a_client_of_it_is_asked_for(
    make_clients: MakeClients, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "sinch", None)
    clients = make_clients(**ALL)
    assert clients.voice.v1 is not None
    for name in NAMES[1:]:
        with pytest.raises(ExtraError, match=r"pip install 'sinchfn\[sdk\]'"):
            client_named(clients, name)


def test_without_its_variables_a_client_is_none_also_when_the_package_is_missing(
    make_clients: MakeClients, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "sinch", None)
    clients = make_clients(**VOICE)
    assert [client_named(clients, name) for name in NAMES[1:]] == [None] * 4


# --- how they are set up --------------------------------------------------------------------------------------------


def test_the_v1_client_asks_the_region_of_its_setting(make_clients: MakeClients):
    assert repr(make_clients(**VOICE).voice.v1) == "<VoiceClient of https://calling.api.sinch.com>"
    european = make_clients(**VOICE, SINCHFN_VOICE_API="euc1")
    assert repr(european.voice.v1) == "<VoiceClient of https://calling-euc1.api.sinch.com>"


def test_the_regions_of_the_sdk_are_those_of_the_variables(make_clients: MakeClients):
    configuration = make_clients(**ALL).conversation._sinch.configuration
    assert configuration.conversation_origin == "https://us.conversation.api.sinch.com"
    assert configuration.get_sms_origin_for_auth() == "https://zt.us.sms.api.sinch.com"
    european = make_clients(**ALL, CONVERSATION_REGION="EU", SMS_REGION="EU").conversation._sinch.configuration
    assert european.conversation_origin == "https://eu.conversation.api.sinch.com"
    assert european.get_sms_origin_for_auth() == "https://zt.eu.sms.api.sinch.com"


def test_a_region_that_does_not_exist_is_a_configuration_error(make_clients: MakeClients):
    with pytest.raises(ConfigError, match="CONVERSATION_REGION"):
        make_clients(**ALL, CONVERSATION_REGION="mars")
    with pytest.raises(ConfigError, match="SMS_REGION"):
        make_clients(**ALL, SMS_REGION="au")


def test_a_secret_that_cannot_be_used_is_a_configuration_error_without_the_secret(make_clients: MakeClients):
    with pytest.raises(ConfigError, match="VOICE_APPLICATION_SECRET") as caught:
        _ = make_clients(VOICE_APPLICATION_KEY="k", VOICE_APPLICATION_SECRET="Y2FuYXJ5Y2FuYXJ5=").voice.v1
    assert "Y2Fu" not in str(caught.value)


def test_the_process_environment_is_not_asked_again(make_clients: MakeClients, monkeypatch: pytest.MonkeyPatch):
    clients = make_clients(**ALL)
    for name in ALL:
        monkeypatch.setenv(name, "other")
    configuration = clients.sms._sinch.configuration
    assert (configuration.project_id, configuration.key_id, configuration.key_secret) == ("proj", "key-id", CANARY)
    assert make_clients().voice.v2 is None


# --- over HTTP ------------------------------------------------------------------------------------------------------


def test_a_message_is_sent_with_the_credentials_of_the_project(make_clients: MakeClients, sinch: Sinch):
    clients = make_clients(**ALL)
    redirect(clients, sinch.url)
    sent = clients.conversation.messages.send_text_message(
        app_id="app-1", text="Hello", recipient_identities=[{"channel": "SMS", "identity": "+46700000000"}]
    )
    assert sent.message_id == "M1"
    (token, message) = sinch.seen
    assert token[:3] == (
        "POST /oauth2/token",
        "Basic " + base64.b64encode(f"key-id:{CANARY}".encode()).decode(),
        b"grant_type=client_credentials",
    )
    assert message[:2] == ("POST /v1/projects/proj/messages:send", f"Bearer {TOKEN}")
    assert json.loads(message[2])["app_id"] == "app-1"


def test_all_clients_of_the_sdk_share_one_token(make_clients: MakeClients, sinch: Sinch):
    clients = make_clients(**ALL)
    redirect(clients, sinch.url)
    for ask in (
        lambda: clients.sms.batches.get(batch_id="B1"),
        lambda: clients.numbers.get(phone_number="+46700000000"),
        lambda: clients.voice.v2.calls.get(call_id="C1"),
    ):
        with pytest.raises(Exception, match=r"404|unknown|NOT_FOUND"):
            ask()
    assert sinch.asked == [
        "POST /oauth2/token",
        "GET /xms/v1/proj/batches/B1",
        "GET /v1/projects/proj/activeNumbers/+46700000000",
        "GET /v2/projects/proj/calls/C1",
    ]
    assert {authorization for _, authorization, *_ in sinch.seen[1:]} == {f"Bearer {TOKEN}"}


def test_many_threads_share_one_client_and_one_token(make_clients: MakeClients, sinch: Sinch):
    clients = make_clients(**ALL, SINCHFN_VOICE_API=sinch.url)
    barrier = threading.Barrier(10)

    def first(_: int) -> tuple[int, ...]:
        barrier.wait(20)
        return tuple(id(client_named(clients, name)) for name in NAMES)

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(first, range(10)))) == 1
        redirect(clients, sinch.url)

        def send(number: int) -> str:
            barrier.wait(20)
            return clients.conversation.messages.send_text_message(
                app_id="app-1", text=str(number), recipient_identities=[{"channel": "SMS", "identity": "+46700000000"}]
            ).message_id

        assert set(pool.map(send, range(10))) == {"M1"}
    assert sinch.asked.count("POST /oauth2/token") == 1
    texts = {body for line, _, body, _ in sinch.seen if line.endswith("messages:send")}
    assert len(texts) == 10


def test_secrets_and_tokens_are_in_no_log_line_and_no_repr(
    make_clients: MakeClients, sinch: Sinch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    clients = make_clients(**ALL, SINCHFN_VOICE_API=sinch.url)
    redirect(clients, sinch.url)
    assert clients.voice.v1 is not None
    clients.voice.v1.callouts.tts("+46700000000", "Hello")
    clients.conversation.messages.send_text_message(
        app_id="app-1", text="Hello", recipient_identities=[{"channel": "SMS", "identity": "+46700000000"}]
    )
    with pytest.raises(Exception, match=r"404|unknown|NOT_FOUND"):
        clients.numbers.get(phone_number="+46700000000")
    written = (
        caplog.text + "".join(str(vars(record)) for record in caplog.records) + repr(clients) + repr(clients.voice)
    )
    assert f"sinch: POST {sinch.url}/v1/projects/proj/messages:send" in written
    assert f"sinch: 200 {sinch.url}/oauth2/token" in written
    basic = base64.b64encode(f"key-id:{CANARY}".encode()).decode()
    for canary in (CANARY, TOKEN, basic, VOICE["VOICE_APPLICATION_SECRET"], "canary-voice-secret"):
        assert canary not in written


def test_closed_clients_are_made_anew_when_they_are_asked_for(make_clients: MakeClients):
    clients = make_clients(**ALL)
    v1, sms = clients.voice.v1, clients.sms
    clients.close()
    clients.close()
    assert clients.voice.v1 is not v1
    assert clients.sms is not sms


FORKING = """
import os, sys
from pathlib import Path
from sinchfn.config.config import load_config
from sinchfn.services.clients import Clients

variables = dict(pair.split("=", 1) for pair in sys.argv[2:])
clients = Clients(load_config(Path("."), variables, environ={}))

def send(text):
    configuration = clients.conversation._sinch.configuration
    configuration.auth_origin = configuration.conversation_domain = sys.argv[1]
    to = [{"channel": "SMS", "identity": "+46700000000"}]
    clients.conversation.messages.send_text_message(app_id="app-1", text=text, recipient_identities=to)
    clients.voice.v1.callouts.tts("+46700000000", text)

send("parent")
before = clients.conversation
child = os.fork()
if not child:
    assert clients.conversation is not before
    send("child")
    clients.close()
    os._exit(0)
_, status = os.waitpid(child, 0)
assert clients.conversation is before
send("parent")
clients.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_process_makes_clients_of_its_own(sinch: Sinch, tmp_path: Path):
    variables = [f"{name}={value}" for name, value in {**ALL, "SINCHFN_VOICE_API": sinch.url}.items()]
    command = [sys.executable, "-c", FORKING, sinch.url, *variables]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert sinch.asked.count("POST /oauth2/token") == 2
    sockets: dict[str, set[Any]] = {"parent": set(), "child": set()}
    for _, _, body, address in sinch.seen:
        for process in sockets:
            if process.encode() in body:
                sockets[process].add(address)
    assert len(sockets["parent"]) == 2
    assert len(sockets["child"]) == 2
    assert not sockets["parent"] & sockets["child"]


# --- in a handler ---------------------------------------------------------------------------------------------------

FUNCTION = """
def call(context, request):
    made = context.voice.v1.callouts.tts("+46700000000", "Hello")
    return {"call": made.call_id, "v2": context.voice.v2 is None, "sms": context.sms is None}
"""


def test_a_handler_makes_a_call(make_client: Callable[..., Any], sinch: Sinch):
    client = make_client(FUNCTION, **VOICE, SINCHFN_VOICE_API=sinch.url)
    assert client.get("/call").json == {"call": "c1", "v2": True, "sms": True}
    assert sinch.asked == ["POST /calling/v1/callouts"]
    client.application.extensions["sinchfn"][0].services.clients.close()
