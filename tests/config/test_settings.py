"""Every setting changes what a served function does. A setting without such a test fails here."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sinchfn.config.settings import SETTINGS
from sinchfn.security.elevenlabs import ElevenLabsScheme
from sinchfn.security.nonce import NonceScheme
from sinchfn.security.shared_secret import SharedSecretScheme
from tests.harness.app import Served, serving
from tests.harness.call import Opened, environ_of
from tests.harness.signer import CALL_ID, ICE, SIGNING, encoded, signed, stamp

#: Names of the settings that a test here turns.
TURNED: set[str] = set()

Test = Callable[..., None]

PROJECT = {"PROJECT_ID": "project-1", "PROJECT_ID_API_KEY": "project-key", "PROJECT_ID_API_SECRET": "project-secret"}
OTHER_SECRET = base64.b64encode(b"another application").decode()


def turns(*names: str) -> Callable[[Test], Test]:
    """Mark the settings that a test changes."""

    def note(test: Test) -> Test:
        TURNED.update(names)
        return test

    return note


def test_every_setting_is_turned_by_a_test_here() -> None:
    assert {setting.name for setting in SETTINGS} | {"SINCHFN_FUNCTION"} == TURNED


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., Any]:
    """``with serve(source, **config) as served``: the same folder each time."""

    def served(source: str, **config: object) -> Any:
        return serving(tmp_path, source, **config)

    return served


Serve = Callable[..., Any]


# --- which function, and where it is --------------------------------------------------------------------------------


@turns("SINCHFN_FUNCTION")
def test_the_function_variable_says_which_function_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sinchfn import create_app

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "function.py").write_text(f"def hello(c, r): return {name!r}")
        monkeypatch.setenv("SINCHFN_FUNCTION", str(tmp_path / name))
        assert create_app(config={"SINCHFN_USAGE": "off"}).test_client().get("/hello").text == name


FAILS = "def hello(context, request): raise ValueError('the detail')"


@turns("SINCHFN_ENV")
def test_the_environment_decides_whether_details_are_shown(serve: Serve) -> None:
    with serve(FAILS, SINCHFN_ENV="production") as served:
        assert "the detail" not in served.get("/hello").text
    with serve(FAILS, SINCHFN_ENV="development") as served:
        assert "the detail" in served.get("/hello").text


STREAMS = "def ice(context, data): return IceSvamlBuilder().connect_stream('/talk')"


def endpoint(served: Served, **options: Any) -> str:
    return str(served.post("/ice", ICE, **options).json["action"]["destination"]["endpoint"])


@turns("SINCHFN_PUBLIC_URL")
def test_the_public_url_is_where_streams_are_connected_to(serve: Serve) -> None:
    with serve(STREAMS) as served:
        assert endpoint(served).startswith("wss://localhost:8000/talk")
    with serve(STREAMS, SINCHFN_PUBLIC_URL="https://voice.example.com/fn") as served:
        assert endpoint(served).startswith("wss://voice.example.com/fn/talk")


@turns("SINCHFN_TRUSTED_PROXIES")
@pytest.mark.parametrize(("hops", "host"), [(0, "localhost:8000"), (1, "near.example.com"), (2, "far.example.com")])
def test_this_number_of_proxies_is_believed(serve: Serve, hops: int, host: str) -> None:
    forwarded = {"X-Forwarded-Host": "far.example.com, near.example.com"}
    with serve(STREAMS, SINCHFN_TRUSTED_PROXIES=hops) as served:
        headers = {"Content-Type": "application/json", **forwarded}
        assert endpoint(served, headers=headers).startswith(f"wss://{host}/")


# --- who is let in --------------------------------------------------------------------------------------------------

ANSWERS = "def ice(context, data): return IceSvamlBuilder().hangup()"


@turns("WEBHOOK_PROTECTION")
@pytest.mark.parametrize(
    ("mode", "environment", "status"),
    [
        ("never", "production", 200),
        ("deploy", "production", 401),
        ("deploy", "development", 200),
        ("always", "development", 401),
    ],
)
def test_the_protection_says_when_signatures_are_checked(
    serve: Serve, mode: str, environment: str, status: int
) -> None:
    with serve(ANSWERS, WEBHOOK_PROTECTION=mode, SINCHFN_ENV=environment, **SIGNING) as served:
        assert served.post("/ice", ICE).status == status


@turns("VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET")
@pytest.mark.parametrize(
    ("changed", "status"),
    [({}, 200), ({"VOICE_APPLICATION_KEY": "another"}, 401), ({"VOICE_APPLICATION_SECRET": OTHER_SECRET}, 401)],
)
def test_only_what_the_application_signed_is_let_in(serve: Serve, changed: dict[str, str], status: int) -> None:
    with serve(ANSWERS, WEBHOOK_PROTECTION="always", **SIGNING | changed) as served:
        assert served.call().status == status


WEBHOOKS: Mapping[str, tuple[str, str, Any]] = {
    "CONVERSATION_WEBHOOK_SECRET": ("conversation_webhook", "/webhook/conversation", NonceScheme),
    "SMS_WEBHOOK_SECRET": ("sms_webhook", "/webhook/sms", NonceScheme),
    "ELEVENLABS_WEBHOOK_SECRET": ("elevenlabs_webhook", "/webhook/elevenlabs", ElevenLabsScheme),
    "ELEVENLABS_INIT_SECRET": ("elevenlabs_init_webhook", "/webhook/elevenlabs-init", SharedSecretScheme),
}


@turns(*WEBHOOKS)
@pytest.mark.parametrize("name", WEBHOOKS)
def test_only_what_the_sender_of_a_webhook_signed_is_let_in(serve: Serve, name: str) -> None:
    export, path, scheme = WEBHOOKS[name]
    source = f"def {export}(context, request): return {{}}"
    for secret, status in (("the-secret-of-the-webhook", 200), ("another-secret-altogether", 401)):
        headers = scheme(secret).headers(b"{}")
        with serve(source, WEBHOOK_PROTECTION="always", **{name: "the-secret-of-the-webhook"}) as served:
            assert served.post(path, b"{}", headers={"Content-Type": "application/json", **headers}).status == status


@turns("SINCHFN_WEBHOOK_TOLERANCE")
@pytest.mark.parametrize(("tolerance", "status"), [(300, 200), (30, 401)])
@pytest.mark.parametrize("offset", [-100, 100])
def test_a_timestamp_may_be_off_by_the_tolerance(serve: Serve, tolerance: int, status: int, offset: int) -> None:
    with serve(ANSWERS, WEBHOOK_PROTECTION="always", SINCHFN_WEBHOOK_TOLERANCE=tolerance, **SIGNING) as served:
        body = encoded(ICE)
        assert served.post("/ice", body, headers=signed(body, timestamp=stamp(offset))).status == status


GATED = """
auth = ["admin"]
def admin(context, request): return "in"
"""


@turns("PROJECT_ID_API_KEY", "PROJECT_ID_API_SECRET", "ADMIN_USER", "ADMIN_PASSWORD")
@pytest.mark.parametrize(
    ("user", "password"), [("PROJECT_ID_API_KEY", "PROJECT_ID_API_SECRET"), ("ADMIN_USER", "ADMIN_PASSWORD")]
)
def test_basic_auth_lets_these_users_in(serve: Serve, user: str, password: str) -> None:
    def status_with(served: Served, credentials: str) -> int:
        header = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
        return served.get("/admin", headers=header).status

    with serve(GATED, **{user: "somebody", password: "open-sesame"}) as served:
        assert status_with(served, "somebody:open-sesame") == 200
        assert status_with(served, "anybody:open-sesame") == status_with(served, "somebody:guess") == 401
    with serve(GATED, **{user: "anybody", password: "other-words"}) as served:
        assert status_with(served, "somebody:open-sesame") == 401
        assert status_with(served, "anybody:other-words") == 200


# --- clients --------------------------------------------------------------------------------------------------------

CLIENTS = """
def project(context, request):
    return context.config.project_id or "none"
def there(context, request):
    return {name: getattr(context, name) is not None for name in ("conversation", "sms", "numbers")}
def used(context, request):
    used = context.sms._sinch.configuration
    return {"project": used.project_id, "key": used.key_id, "plan": used.service_plan_id,
            "region": used.conversation_region, "sms": used.sms_region}
"""


@turns("PROJECT_ID")
def test_the_project_is_known_to_handlers(serve: Serve) -> None:
    for given, said in ((None, "none"), ("project-7", "project-7")):
        with serve(CLIENTS, PROJECT_ID=given) as served:
            assert served.get("/project").text == said


@turns("CONVERSATION_APP_ID", "SMS_SERVICE_PLAN_ID", "ENABLE_NUMBERS_API")
@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, None),
        ({"CONVERSATION_APP_ID": "app-1"}, "conversation"),
        ({"SMS_SERVICE_PLAN_ID": "plan-1"}, "sms"),
        ({"ENABLE_NUMBERS_API": "true"}, "numbers"),
        ({"ENABLE_NUMBERS_API": "false"}, None),
    ],
)
def test_a_client_is_there_when_its_variable_is_set(serve: Serve, given: dict[str, str], name: str | None) -> None:
    with serve(CLIENTS, **PROJECT, **given) as served:
        assert [client for client, there in served.get("/there").json.items() if there] == ([name] if name else [])


@turns("CONVERSATION_REGION", "SMS_REGION")
def test_the_clients_use_the_credentials_and_the_regions_that_are_set(serve: Serve) -> None:
    for region, other in (("us", "eu"), ("eu", "us")):
        regions = {"CONVERSATION_REGION": region, "SMS_REGION": other}
        with serve(CLIENTS, **PROJECT, SMS_SERVICE_PLAN_ID="plan-1", **regions) as served:
            sent = {"project": "project-1", "key": "project-key", "plan": "plan-1"}
            expected = {**sent, "region": region, "sms": other}
            assert served.get("/used").json == expected


@contextmanager
def platform() -> Iterator[tuple[str, list[str]]]:
    """Run a server in place of the voice API. Yield its URL and the paths of its requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@turns("SINCHFN_VOICE_API")
def test_the_voice_client_calls_the_api_that_is_set(serve: Serve) -> None:
    source = "def ask(context, request): return bool(context.voice.v1.calls.get(request.query['id']))"
    with (
        platform() as (url, asked),
        serve(source, SINCHFN_VOICE_API=url, **SIGNING) as served,
    ):
        served.get(f"/ask?id={CALL_ID}")
        assert len(asked) == 1
        assert asked[0].endswith(CALL_ID)


# --- where things are kept ------------------------------------------------------------------------------------------

KEEPS = """
def cache(context, request):
    context.cache.set("key", "value")
    return context.cache.get("key")
def storage(context, request):
    context.storage.write("a/b.txt", "text")
    return context.storage.read_text("a/b.txt")
def database(context, request):
    with context.open_database() as connection:
        connection.execute("create table if not exists t (x)")
    return context.database
def hello(context, request): return "hi"
"""


def files_in(folder: Path) -> set[str]:
    return {
        str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file() and file.name != "function.py"
    }


@turns("SINCHFN_CACHE_URL")
@pytest.mark.parametrize(
    ("settings", "file"),
    [
        ({"SINCHFN_CACHE_URL": "memory:"}, None),
        ({"SINCHFN_CACHE_URL": "sqlite:kept/here.db"}, "kept/here.db"),
        ({"SINCHFN_ENV": "development"}, None),
        ({"SINCHFN_ENV": "production"}, "data/cache.db"),
    ],
)
def test_the_cache_is_where_its_url_says(serve: Serve, settings: Mapping[str, str], file: str | None) -> None:
    with serve(KEEPS, SINCHFN_USAGE="off", **settings) as served:
        assert served.get("/cache").text == "value"
        found = {name for name in files_in(served.folder) if not name.endswith(("-wal", "-shm"))}
        assert found == ({file} if file else set())


@turns("SINCHFN_STORAGE_URL")
@pytest.mark.parametrize(
    ("url", "file"), [(None, "storage/a/b.txt"), ("file:elsewhere", "elsewhere/a/b.txt"), ("memory:", None)]
)
def test_files_are_stored_where_the_url_says(serve: Serve, url: str | None, file: str | None) -> None:
    with serve(KEEPS, SINCHFN_USAGE="off", SINCHFN_STORAGE_URL=url) as served:
        assert served.get("/storage").text == "text"
        assert files_in(served.folder) == ({file} if file else set())


@turns("SINCHFN_DATABASE")
@pytest.mark.parametrize(("setting", "file"), [(None, "data/function.db"), ("shop/orders.db", "shop/orders.db")])
def test_the_database_is_the_file_that_is_set(serve: Serve, setting: str | None, file: str) -> None:
    with serve(KEEPS, SINCHFN_USAGE="off", SINCHFN_DATABASE=setting) as served:
        assert served.get("/database").text == str(served.folder / file)
        assert file in files_in(served.folder)


@turns("SINCHFN_USAGE")
@pytest.mark.parametrize(
    ("settings", "file"),
    [
        ({}, "data/usage.jsonl"),
        ({"SINCHFN_USAGE": "billing/calls.jsonl"}, "billing/calls.jsonl"),
        ({"SINCHFN_USAGE": "off"}, None),
        ({"SINCHFN_ENV": "development"}, None),
    ],
)
def test_the_ledger_is_the_file_that_is_set(serve: Serve, settings: Mapping[str, str], file: str | None) -> None:
    with serve(KEEPS, **settings) as served:
        served.get("/hello")
        assert files_in(served.folder) == ({file} if file else set())


# --- what is taken and what is answered -----------------------------------------------------------------------------


@turns("SINCHFN_MAX_BODY")
@pytest.mark.parametrize(("limit", "status"), [(10, 413), (11, 200), (None, 200)])
def test_a_body_has_a_limit_in_bytes(serve: Serve, limit: int | None, status: int) -> None:
    with serve(KEEPS, SINCHFN_MAX_BODY=limit) as served:
        assert served.post("/hello", b"x" * 11, headers={}).status == status


@turns("SINCHFN_SVAML")
@pytest.mark.parametrize(("mode", "status"), [("strict", 500), ("warn", 200)])
def test_faulty_svaml_is_refused_or_sent(serve: Serve, mode: str, status: int) -> None:
    source = "def ice(context, data): return {'action': {'name': 'hangup', 'nonsense': 1}}"
    with serve(source, SINCHFN_SVAML=mode) as served:
        assert served.post("/ice", ICE).status == status
        assert "nonsense" in served.log


@turns("SINCHFN_VOICE_ERROR_MESSAGE")
def test_the_error_message_is_said_when_a_callback_fails(serve: Serve) -> None:
    source = "def ice(context, data): 1 / 0"
    with serve(source) as served:
        assert served.post("/ice", ICE).status == 500
    with serve(source, SINCHFN_VOICE_ERROR_MESSAGE="We are closed.") as served:
        assert served.post("/ice", ICE).json["instructions"][0]["text"] == "We are closed."


@turns("SINCHFN_STREAM_SECRET")
def test_the_stream_secret_signs_the_urls_of_streams(serve: Serve) -> None:
    with serve(STREAMS) as served:
        assert "?" not in endpoint(served)
    with serve(STREAMS, SINCHFN_STREAM_SECRET="one secret of streams") as served:
        first = endpoint(served)
        assert "?" in first
    with serve(STREAMS, SINCHFN_STREAM_SECRET="another secret of streams") as served:
        assert endpoint(served) != first


# --- the log --------------------------------------------------------------------------------------------------------


@turns("SINCHFN_LOG_FORMAT")
@pytest.mark.parametrize(
    ("settings", "is_json"),
    [
        ({"SINCHFN_LOG_FORMAT": "json"}, True),
        ({"SINCHFN_LOG_FORMAT": "text"}, False),
        ({"SINCHFN_ENV": "production"}, True),
        ({"SINCHFN_ENV": "development"}, False),
    ],
)
def test_the_log_has_the_form_that_is_set(serve: Serve, settings: Mapping[str, str], is_json: bool) -> None:
    with serve(KEEPS, **settings) as served:
        served.get("/hello")
        lines = served.log.splitlines()
        assert "GET /hello 200" in lines[-1]
        assert [line.startswith("{") for line in lines] == [is_json] * len(lines)
        for line in lines if is_json else []:
            json.loads(line)


@turns("SINCHFN_LOG_LEVEL")
@pytest.mark.parametrize(("level", "shown"), [("DEBUG", 3), ("INFO", 2), ("WARNING", 1), ("ERROR", 0)])
def test_nothing_below_the_level_is_logged(serve: Serve, level: str, shown: int) -> None:
    source = """
    def hello(context, request):
        for name in ("debug", "info", "warning"):
            getattr(context.log, name)("said")
    """
    with serve(source, SINCHFN_LOG_LEVEL=level) as served:
        served.get("/hello")
        assert served.log.count('"said"') == shown


# --- sockets --------------------------------------------------------------------------------------------------------

SOCKET = """
def setup(runtime):
    @runtime.on_websocket("/talk", protected=False)
    def talk(ws, request):
        for message in ws: ws.send(message)
def hello(context, request): return "hi"
"""

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}

#: The status of a handshake that is let in: a plain WSGI callable has no connection to hand over.
LET_IN = 501


@turns("SINCHFN_WS_ORIGINS")
@pytest.mark.parametrize(
    ("allowed", "origin", "status"),
    [
        (None, None, LET_IN),
        (None, "https://a.example", 403),
        ("https://a.example", "https://a.example", LET_IN),
        ("https://a.example", "https://b.example", 403),
        ("https://b.example, https://A.example", "https://a.example", LET_IN),
        ("*", "https://b.example", LET_IN),
    ],
)
def test_pages_of_these_origins_may_open_sockets(
    serve: Serve, allowed: str | None, origin: str | None, status: int
) -> None:
    with serve(SOCKET, SINCHFN_WS_ORIGINS=allowed) as served:
        headers = HANDSHAKE | ({"Origin": origin} if origin else {})
        assert served.get("/talk", headers=headers).status == status


@turns("SINCHFN_WS_MAX_SOCKETS")
@pytest.mark.parametrize(("most", "statuses"), [(0, {503}), (1, {LET_IN}), (None, {LET_IN})])
def test_no_more_sockets_than_these_are_opened(serve: Serve, most: int | None, statuses: set[int]) -> None:
    with serve(SOCKET, SINCHFN_WS_MAX_SOCKETS=most) as served:
        # A handshake that fails gives its place back.
        assert {served.get("/talk", headers=HANDSHAKE).status for _ in range(3)} == statuses
        assert served.get("/hello").status == 200


@contextmanager
def opened(served: Served) -> Iterator[socket.socket]:
    """Open a socket and yield the peer's side. The app gets the other side where gunicorn puts it."""
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    with ours, theirs:
        # What the app itself answers goes nowhere: the connection is not the server's any more.
        Opened(served.app, environ_of("GET", "/talk", headers=HANDSHAKE, **{"gunicorn.socket": theirs})).close()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = ours.recv(1)
            assert byte, "it was not opened"
            head += byte
        assert head.startswith(b"HTTP/1.1 101 ")
        yield ours


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a frame from a peer, masked with zeros."""
    return bytes((0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload


@turns("SINCHFN_WS_MAX_MESSAGE")
@pytest.mark.parametrize(("most", "answer"), [(4, (8, 1009)), (5, (1, b"12345")), (None, (1, b"12345"))])
def test_a_message_has_a_limit_in_bytes(serve: Serve, most: int | None, answer: tuple[int, Any]) -> None:
    with serve(SOCKET, SINCHFN_WS_MAX_MESSAGE=most) as served, opened(served) as peer:
        peer.sendall(frame(1, b"12345"))
        data = peer.recv(100)
        payload = data[2 : 2 + data[1]]
        assert (data[0] & 15, int.from_bytes(payload[:2]) if data[0] & 15 == 8 else payload) == answer


@turns("SINCHFN_WS_PING")
def test_a_silent_peer_gets_a_ping_after_these_seconds(serve: Serve) -> None:
    with serve(SOCKET, SINCHFN_WS_PING=1) as served, opened(served) as peer:
        assert peer.recv(100)[0] & 15 == 9
    with serve(SOCKET, SINCHFN_WS_PING=3600) as served, opened(served) as peer:
        peer.settimeout(3)
        with pytest.raises(TimeoutError):
            peer.recv(100)
