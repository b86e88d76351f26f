"""The real thing: gunicorn with our settings, Flask's command, `sinchfn dev`, and what `sinchfn sign` prints."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from gunicorn_server import PATIENCE, ROOT, Server, free_port, gunicorn, started, until
from serving import CALL_ID, ICE, SIGNING, clean_environment, encoded, signed, write_function

SOURCE = """
import pathlib, threading
def hello(context, request): return "hi"
def echo(context, request): return [request.method, request.raw_body.decode("latin-1"), request.query]
def pid(context, request): return str(os.getpid())
def header(context, request): return {"statusCode": 200, "headers": {"X-Echo": request.headers.get("X-In", "")}}
def stream(context, request):
    for number in range(3):
        yield f"{number};"
def endless(context, request):
    while True:
        yield "x" * 10_000
def breaks(context, request):
    yield "begin"
    raise ValueError("midway")
def breaks_at_once(context, request):
    raise ValueError("before anything was sent")
    yield "never"
def spills(context, request):
    yield "begin"
    raise ValueError(context.env["MY_TOKEN"])
def exits(context, request): sys.exit(7)
def exits_midway(context, request):
    yield "begin"
    sys.exit(7)
def file(context, request): return flask.send_file("public/big.txt")
async def later(context, request):
    await asyncio.sleep(0.01)
    return "later"
def slow(context, request):
    pathlib.Path(request.query["began"]).touch()
    time.sleep(0.5)
    return "slow"
meeting = threading.Barrier(8)
def meet(context, request):
    return str(meeting.wait(60) >= 0)
def default(context, request): return ["root", len(request.raw_body)]
def ice(context, data): return IceSvamlBuilder().say("hello").hangup()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A function behind gunicorn that several tests share."""
    folder = tmp_path_factory.mktemp("function")
    (folder / "public").mkdir()
    (folder / "public" / "big.txt").write_bytes(bytes(range(256)) * 1000)
    with gunicorn(folder, SOURCE, SINCHFN_MAX_BODY="100000", MY_TOKEN="canary-token-aa11bb22", **SIGNING) as server:
        yield server


# --- the repository's own wsgi.py -------------------------------------------------------------------------------------


def test_wsgi_py_serves_the_ivr_and_checks_signatures(tmp_path: Path) -> None:
    ledger = tmp_path / "data" / "usage.jsonl"
    with gunicorn(tmp_path, None, "wsgi:app", SINCHFN_USAGE=str(ledger), **SIGNING) as server:
        body = encoded(ICE)
        for path in ("/", "/ice", "//v1/ice/"):
            status, headers, answer = server.request("POST", path, body, signed(body, path))
            assert (status, headers["Content-Type"]) == (200, "application/json")
            assert json.loads(answer)["action"]["name"] == "runMenu"
        tampered = [
            (body + b" ", signed(body, "/ice")),
            (body, signed(body, "/")),
            (body, signed(body, "/ice") | {"X-Timestamp": "2024-01-01T00:00:00Z"}),
            (body, {"Content-Type": "application/json"}),
        ]
        for sent, headers_sent in tampered:
            status, _, answer = server.request("POST", "/ice", sent, headers_sent)
            assert status == 401
            assert set(json.loads(answer)) == {"error", "requestId"}
        assert [record["status"] for record in server.ledger] == [200] * 3 + [401] * 4
        assert server.ledger[0]["call_id"] == CALL_ID


def test_wsgi_py_is_found_with_gunicorns_own_defaults(tmp_path: Path) -> None:
    # `gunicorn wsgi:app` in the repository: the settings beside it are found by themselves.
    port = free_port()
    env = {"PORT": str(port), "SINCHFN_USAGE": str(tmp_path / "u.jsonl"), **SIGNING}
    with started(["-m", "gunicorn", "wsgi:app"], tmp_path / "log", ROOT, **env) as process:
        server = Server(process, port, tmp_path / "log", tmp_path)
        assert until(lambda: server.request("GET", "/health"))[0] == 200
        assert "gthread" in server.log


# --- HTTP -------------------------------------------------------------------------------------------------------------


def test_a_connection_is_kept_alive(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.connect()
    local = connection.sock.getsockname()
    for number in range(20):
        path = ("/hello", "/stream", "/nothing", "/ice", "/pid", "/exits")[number % 6]
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == {"/nothing": 404, "/ice": 405, "/exits": 500}.get(path, 200)
        assert connection.sock is not None, path
        assert connection.sock.getsockname() == local, path
    connection.close()


def test_a_chunked_body_is_read(server: Server) -> None:
    status, _, answer = server.request("POST", "/echo", iter([b"one", b"two"]), encode_chunked=True)
    assert (status, json.loads(answer)) == (200, ["POST", "onetwo", {}])
    body = encoded(ICE)
    status, _, _ = server.request("POST", "/ice", iter([body[:10], body[10:]]), signed(body), encode_chunked=True)
    assert status == 200
    status, _, _ = server.request("POST", "/", iter([body[:10], body[10:]]), signed(body, "/"), encode_chunked=True)
    assert status == 200


@pytest.mark.parametrize("path", ["/echo", "/ice", "/"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_a_413_and_the_server_goes_on(server: Server, path: str, chunked: bool) -> None:
    body = b"x" * 150_000
    # The server may end the connection while we are still sending.
    with suppress(ConnectionError):
        status, headers, answer = server.request(
            "POST", path, iter([body[:99_000], body[99_000:]]) if chunked else body, encode_chunked=chunked
        )
        assert status == 413
        assert json.loads(answer)["requestId"] == headers["X-Request-ID"]
        assert server.record_of(headers["X-Request-ID"])["status"] == 413
    assert server.request("GET", "/hello")[2] == b"hi"


@pytest.mark.parametrize("path", ["/echo", "/ice", "/"])
@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("Content-Length: 100", b'{"event": "i'),
        ("Content-Length: 100", b""),
        ("Transfer-Encoding: chunked", b'c\r\n{"event": "i'),
        ("Transfer-Encoding: chunked", b'5\r\n{"a":\r\n5\r\nb'),
        ("Transfer-Encoding: chunked", b'5\r\n{"a":\r\n'),
        ("Transfer-Encoding: chunked", b"5"),
        ("Transfer-Encoding: chunked", b""),
        ("Transfer-Encoding: chunked", b"zz\r\nnonsense\r\n"),
        ("Transfer-Encoding: chunked", b"2\r\n{}x\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"-5\r\n{}\r\n0\r\n\r\n"),
    ],
)
def test_a_body_that_breaks_off_is_a_400_in_json_with_a_record(
    server: Server, path: str, head: str, body: bytes
) -> None:
    request_id = f"broken-{os.urandom(6).hex()}"
    begin = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    begin += f"X-Request-ID: {request_id}\r\n{head}\r\n\r\n"
    answer = server.raw(begin.encode(), body, end=True)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["requestId"] == request_id
    assert server.record_of(request_id)["status"] == 400
    assert server.request("GET", "/hello")[2] == b"hi"


def test_a_client_that_resets_in_its_body_leaves_a_record_and_no_traceback(server: Server) -> None:
    before = server.log.count("Traceback")
    begin = b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: reset-1\r\nContent-Length: 100\r\n\r\nabc"
    server.raw(begin, reset=True)
    assert server.record_of("reset-1")["status"] == 400
    assert server.log.count("Traceback") == before
    assert server.request("GET", "/hello")[2] == b"hi"


def test_pipelined_requests_are_all_answered_in_order(server: Server) -> None:
    one = b"POST /echo?n=%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n%s\r\nabc"
    answer = server.raw(b"".join(one % (n, b"Connection: close\r\n" if n == 4 else b"") for n in range(5)))
    assert re.findall(rb'"n":"(\d)"', answer) == [b"0", b"1", b"2", b"3", b"4"]
    assert answer.count(b"HTTP/1.1 200 OK") == 5


def test_head_has_no_body_and_does_not_disturb_the_connection(server: Server) -> None:
    head = b"HEAD %s HTTP/1.1\r\nHost: x\r\n%s\r\n"
    for path in (b"/hello", b"/stream", b"/nothing", b"/file", b"/big.txt", b"/health", b"/", b"/exits"):
        answer = server.raw(head % (path, b"Connection: close\r\n"))
        assert answer.endswith(b"\r\n\r\n"), answer
        assert answer.count(b"\r\n\r\n") == 1, answer


def test_ranges_of_a_file_are_served(server: Server) -> None:
    whole = bytes(range(256)) * 1000
    status, headers, body = server.request("GET", "/big.txt", headers={"Range": "bytes=10-19"})
    assert (status, body, headers["Content-Range"]) == (206, whole[10:20], f"bytes 10-19/{len(whole)}")
    status, _, body = server.request("GET", "/big.txt", headers={"Range": "bytes=-5"})
    assert (status, body) == (206, whole[-5:])
    status, headers, body = server.request("GET", "/big.txt", headers={"Range": f"bytes={len(whole)}-"})
    assert status == 416
    assert json.loads(body)["requestId"] == headers["X-Request-ID"]
    status, headers, body = server.request("GET", "/big.txt")
    assert (status, body) == (200, whole)
    status, _, body = server.request("GET", "/big.txt", headers={"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")


def test_a_file_that_a_handler_sends_is_recorded(server: Server) -> None:
    for method in ("GET", "HEAD"):
        status, headers, body = server.request(method, "/file")
        assert (status, len(body)) == (200, 256_000 if method == "GET" else 0)
        assert server.record_of(headers["X-Request-ID"])["status"] == 200


def test_a_streamed_answer_is_recorded_at_its_end_and_when_the_client_leaves(server: Server) -> None:
    status, headers, body = server.request("GET", "/stream")
    assert (status, body) == (200, b"0;1;2;")
    assert server.record_of(headers["X-Request-ID"])["response_bytes"] == 6
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\nX-Request-ID: left-1\r\n\r\n")
        assert connection.recv(1000)
    assert server.record_of("left-1")["outcome"] == "gone"
    assert server.request("GET", "/hello")[2] == b"hi"


def test_a_streamed_answer_that_breaks_off_is_seen_as_broken_by_the_client(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("GET", "/breaks", headers={"X-Request-ID": "breaks-1"})
    with pytest.raises(http.client.HTTPException):
        connection.getresponse().read()
    connection.close()
    assert server.record_of("breaks-1")["outcome"] == "error"


def test_a_streamed_answer_that_fails_before_its_first_byte_is_a_500_in_json(server: Server) -> None:
    # Nothing is out yet, so the client can still be told; and the record says what the client got.
    status, _, body = server.request("GET", "/breaks_at_once", headers={"X-Request-ID": "at-once-1"})
    assert server.record_of("at-once-1")["status"] == status == 500
    assert json.loads(body)["requestId"] == "at-once-1"


def test_no_secret_gets_into_the_servers_own_log(tmp_path: Path) -> None:
    with gunicorn(tmp_path, SOURCE, MY_TOKEN="canary-token-aa11bb22") as server:
        with suppress(http.client.HTTPException, ConnectionError):
            server.request("GET", "/spills", headers={"X-Request-ID": "spills-1"})
        assert server.record_of("spills-1")["outcome"] == "error"
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert "the streamed answer broke off" in server.log
        assert "canary-token" not in server.log


@pytest.mark.parametrize("path", ["/exits", "/exits_midway", "/breaks"])
def test_no_handler_ends_its_worker(server: Server, path: str) -> None:
    before = server.request("GET", "/pid")[2]
    for _ in range(20):
        with suppress(http.client.HTTPException, ConnectionError):
            server.request("GET", path)
    assert server.request("GET", "/pid")[2] == before


def test_no_byte_in_the_head_makes_a_500(server: Server) -> None:
    for head in (
        b"GET /echo?\xff=\xfe",
        b"GET /echo?a=%ff&%00",
        b"GET /\xff/echo",
        b"GET /%ff%00/echo",
        b"GET http://other.example/echo?a=b",
        b"GET //other.example/echo",
        b"GET /echo#fragment",
        b"get /echo",
        b"FROB /echo",
        b"GET *",
    ):
        answer = server.raw(head + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert not answer.startswith(b"HTTP/1.1 5"), (head, answer)
    for value in (b"\xff\xfe", b"\x01", b"\x7f", b"a\tb", b"x" * 7000):
        answer = server.raw(b"GET /header HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-In: " + value + b"\r\n\r\n")
        assert b"HTTP/1.1 " in answer
    assert server.request("GET", "/hello")[2] == b"hi"


def test_requests_at_once_are_answered_at_once(server: Server) -> None:
    # Each handler waits for the seven others.
    met: list[bytes] = []
    threads = [threading.Thread(target=lambda: met.append(server.request("GET", "/meet")[2])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert met == [b"True"] * 8


def test_async_handlers_are_served(server: Server) -> None:
    assert [server.request("GET", "/later")[2] for _ in range(5)] == [b"later"] * 5


# --- processes --------------------------------------------------------------------------------------------------------


def test_two_workers_share_one_ledger_without_a_torn_line(tmp_path: Path) -> None:
    with gunicorn(tmp_path, SOURCE, WEB_CONCURRENCY="2", SINCHFN_LOG_LEVEL="WARNING") as server:
        pids: set[bytes] = set()

        def work(number: int) -> None:
            for count in range(60):
                status, _, body = server.request("GET", f"/{number}/{count}/{'x' * 1500}/pid")
                assert status == 200
                pids.add(body)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: len(server.ledger) >= 480)
        assert len(server.ledger) == 480
        assert len({record["request_id"] for record in server.ledger}) == 480
        assert len({record["path"] for record in server.ledger}) == 480
        assert 1 <= len(pids) <= 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def ice(context): pass", "takes two arguments"),
        ("def ice(context, data:\n    pass", "function.py"),
        ("raise RuntimeError('at import')", "at import"),
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("__all__ = ['gone']", "gone"),
        ("import sys; sys.exit(0)", "function.py"),
    ],
)
def test_a_broken_function_ends_gunicorn_with_the_message_and_no_restart_loop(
    tmp_path: Path, source: str, message: str
) -> None:
    (tmp_path / "function.py").write_text(source)
    command = ["-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "-b", "127.0.0.1:0", "sinchfn:create_app()"]
    with started(command, tmp_path / "log", tmp_path, WEB_CONCURRENCY="2") as process:
        assert process.wait(PATIENCE) != 0
    log = (tmp_path / "log").read_text()
    assert message in log
    assert log.count("Booting worker") <= 2


@pytest.mark.parametrize("idle", [False, True])
def test_sigterm_ends_the_server_soon(tmp_path: Path, idle: bool) -> None:
    with gunicorn(tmp_path, SOURCE) as server:
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        if idle:  # a connection that is kept alive holds nobody up
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(1000)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        # Not a matter of speed: the grace period is 15 seconds, and nothing is left to wait for.
        assert time.monotonic() - began < 14, "it waited for the whole grace period"
        connection.close()


def test_sigterm_lets_a_running_call_end(tmp_path: Path) -> None:
    with gunicorn(tmp_path, SOURCE) as server:
        answers: list[bytes] = []
        began = tmp_path / "began"
        thread = threading.Thread(target=lambda: answers.append(server.request("GET", f"/slow?began={began}")[2]))
        thread.start()
        until(began.exists)
        server.process.send_signal(signal.SIGTERM)
        thread.join()
        assert answers == [b"slow"]
        assert server.process.wait(PATIENCE) == 0
        assert len(server.ledger) == 1


def test_nothing_is_written_into_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with gunicorn(tmp_path / "f", SOURCE, HOME=str(home)) as server:
        assert server.request("GET", "/hello")[2] == b"hi"
    assert list(home.rglob("*")) == []


# --- Flask's command and ours -----------------------------------------------------------------------------------------


@contextmanager
def command(folder: Path, *arguments: str, **env: str) -> Iterator[Server]:
    port = free_port()
    log_file = folder.parent / "command.log"
    with started([*arguments, "--port", str(port)], log_file, folder, **env) as process:
        server = Server(process, port, log_file, folder)

        def answers() -> bool:
            assert process.poll() is None, server.log
            return bool(server.request("GET", "/health"))

        until(answers)
        yield server


def test_flask_run_serves_the_function_of_the_folder(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "fn", SOURCE)
    with command(folder, "-m", "flask", "--app", "sinchfn", "run", **SIGNING) as server:
        assert server.request("GET", "/hello")[2] == b"hi"
        body = encoded(ICE)
        assert server.request("POST", "/", body, signed(body, "/"))[0] == 200
        assert server.request("POST", "/", body)[0] == 401
        assert "Detected functions" in server.log


def test_flask_run_with_debug_is_development(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "fn", SOURCE)
    with command(folder, "-m", "flask", "--app", "sinchfn", "--debug", "run", "--no-reload", **SIGNING) as server:
        assert server.request("POST", "/ice", encoded(ICE), {"Content-Type": "application/json"})[0] == 200
        assert "SystemExit" in json.loads(server.request("GET", "/exits")[2])["detail"]
        assert server.ledger == []


def test_dev_reloads_on_an_edit_shows_what_is_broken_and_recovers(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "fn", "def hello(c, r): return 'one'\ndef ice(c, d): pass")
    with command(folder, "-m", "sinchfn", "dev", **SIGNING) as server:

        def says(status: int, word: str) -> Callable[[], bool]:
            def look() -> bool:
                answer = server.request("GET", "/hello")
                return answer[0] == status and word in answer[2].decode()

            return look

        until(says(200, "one"))
        assert f"Serving fn at http://127.0.0.1:{server.port}; loaded anew when a file changes" in server.log
        assert not re.search(r"development server|Running on|Restarting", server.log)
        assert server.request("POST", "/ice", encoded(ICE))[0] == 200, "signatures are not checked in development"
        for path in ("/favicon.ico", "/favicon.ico?v=1", "/other.ico"):
            assert server.request("GET", path)[0] == 404
        until(lambda: "/other.ico 404" in server.log)
        assert re.findall(r"(\w+) +GET (\S+) 404", server.log) == [
            *(("INFO", "/favicon.ico"), ("INFO", "/favicon.ico?v=1"), ("WARNING", "/other.ico")),
        ]
        write_function(folder, "def hello(c, r): return 'two'")
        until(says(200, "two"))
        write_function(folder, "def hello(c, r) return 'three'")
        until(says(500, "function.py"))
        for path in ("/", "/health", "/any/where"):
            assert server.request("GET", path)[0] == 500
        assert server.request("POST", "/hello")[0] == 500
        assert "Correct the syntax" in server.log
        assert "start again" not in server.log, "saving is enough"
        write_function(folder, "def hello(c): return 'three'")
        until(says(500, "two arguments"))
        write_function(folder, "def hello(c, r): return 'four'")
        until(says(200, "four"))


def test_dev_reloads_when_an_inner_module_or_the_settings_change(tmp_path: Path) -> None:
    (tmp_path / "fn").mkdir()
    (tmp_path / "fn" / "words.py").write_text("WORD = 'one'")
    (tmp_path / "fn" / ".env").write_text("MY_WORD=a")
    source = "import words\ndef hello(c, r): return words.WORD + c.env['MY_WORD']"
    folder = write_function(tmp_path / "fn", source)
    with command(folder, "-m", "sinchfn", "dev") as server:
        until(lambda: server.request("GET", "/hello")[2] == b"onea")
        (folder / "words.py").write_text("WORD = 'twos'")
        until(lambda: server.request("GET", "/hello")[2] == b"twosa")
        (folder / ".env").write_text("MY_WORD=bee")
        until(lambda: server.request("GET", "/hello")[2] == b"twosbee")


def test_dev_starts_with_a_broken_function_and_recovers(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "fn", "def hello(c, r) return 'one'")
    with command(folder, "-m", "sinchfn", "dev", str(folder)) as server:
        assert server.request("GET", "/hello")[0] == 500
        write_function(folder, "def hello(c, r): return 'one'")
        until(lambda: server.request("GET", "/hello")[2] == b"one")


@pytest.mark.parametrize("arguments", [("dev", "nowhere.py"), ("sign", "nothing.json"), ("nonsense",)])
def test_a_command_that_cannot_be_done_says_so_without_a_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sinchfn", *arguments],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert arguments[-1] in done.stderr


# --- sinchfn sign -----------------------------------------------------------------------------------------------------


def signing(
    folder: Path, *arguments: str, stdin: bytes | None = None, **env: str
) -> subprocess.CompletedProcess[bytes]:
    """What becomes of `sinchfn sign`."""
    return subprocess.run(
        [sys.executable, "-m", "sinchfn", "sign", *arguments],
        cwd=folder,
        env=clean_environment() | SIGNING | env,
        input=stdin,
        capture_output=True,
        check=False,
    )


def printed(folder: Path, *arguments: str, stdin: bytes | None = None, **env: str) -> str:
    """The command that `sinchfn sign` prints."""
    done = signing(folder, *arguments, stdin=stdin, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def run_in_shell(line: str, folder: Path) -> tuple[str, str]:
    """What curl got: the body, and the status."""
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    assert line.startswith("curl ")
    line = "curl -w '\\n%{http_code}' " + line.removeprefix("curl ")
    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return body, status


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with gunicorn(tmp_path_factory.mktemp("guarded"), SOURCE, WEBHOOK_PROTECTION="always", **SIGNING) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ice.json", ""),
        ("ice.json", "/"),
        ("ice.json", "/ice"),
        ("ice.json", "/v1/a%20b/ice"),
        ("my call.json", "/"),
        ('it\'s "a" $HOME `call`.json', "/"),
        ("å€.json", "/"),
        ("a;b&c|d.json", "/"),
        ("sub/dir/ice.json", "/"),
        ("@x.json", "/"),
    ],
)
def test_the_command_that_sign_prints_gets_in(tmp_path: Path, guarded: Server, name: str, path: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(json.dumps(ICE, indent=2).encode() + b"\n")
    line = printed(tmp_path, name, "--url", f"http://127.0.0.1:{guarded.port}{path}")
    body, status = run_in_shell(line, tmp_path)
    assert status == "200", body
    assert json.loads(body)["action"]["name"] == "hangup"


@pytest.mark.parametrize(
    "payload",
    [json.dumps(ICE), json.dumps(ICE, indent=1) + "\n\n", json.dumps(ICE | {"cli": 'it\'s å "$HOME" `x` \\ !'})],
)
def test_the_command_that_sign_prints_for_standard_input_gets_in(tmp_path: Path, guarded: Server, payload: str) -> None:
    line = printed(tmp_path, "-", "--url", f"http://127.0.0.1:{guarded.port}/ice", stdin=payload.encode())
    body, status = run_in_shell(line, tmp_path)
    assert status == "200", body


@pytest.mark.parametrize(
    ("path", "warned"), [("", "sent to /,"), ("/foo", "sent to /foo,"), ("/ice", None), ("/a/ice", None)]
)
def test_sign_warns_of_a_payload_that_is_no_callback_where_it_is_sent(
    tmp_path: Path, path: str, warned: str | None
) -> None:
    done = signing(tmp_path, "-", "--url", f"http://127.0.0.1:8000{path}", stdin=b"{}")
    assert done.returncode == 0
    if warned is None:
        assert done.stderr == b""
    else:
        assert warned.encode() in done.stderr


def test_sign_says_which_webhooks_are_signed(tmp_path: Path) -> None:
    done = signing(tmp_path, "-", "--url", "http://127.0.0.1:8000/webhook/elevenlab", stdin=b"{}")
    assert done.returncode == 2
    for path in ("/webhook/conversation", "/webhook/sms", "/webhook/elevenlabs,", "/webhook/elevenlabs-init"):
        assert path.encode() in done.stderr


def test_sign_takes_key_and_secret_of_the_function_and_never_prints_the_secret(tmp_path: Path, guarded: Server) -> None:
    folder = write_function(tmp_path / "fn", "def ice(c, d): pass")
    (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in SIGNING.items()))
    (tmp_path / "ice.json").write_bytes(encoded(ICE))
    empty = dict.fromkeys(SIGNING, "")
    arguments = ("ice.json", "--function", str(folder), "--url", f"http://127.0.0.1:{guarded.port}/")
    line = printed(tmp_path, *arguments, **empty)
    assert SIGNING["VOICE_APPLICATION_SECRET"] not in line
    assert run_in_shell(line, tmp_path)[1] == "200"


@pytest.mark.parametrize("path", ["", "/", "/ice"])
def test_sign_signs_for_this_machine_what_the_public_url_would_have(tmp_path: Path, path: str) -> None:
    public = {"SINCHFN_PUBLIC_URL": "https://voice.example.com/fn"}
    (tmp_path / "ice.json").write_bytes(encoded(ICE))
    with gunicorn(tmp_path / "fn", SOURCE, WEBHOOK_PROTECTION="always", **SIGNING, **public) as server:
        line = printed(tmp_path, "ice.json", "--url", f"http://127.0.0.1:{server.port}{path}", **public)
        body, status = run_in_shell(line, tmp_path)
        assert status == "200", body


def test_only_the_env_file_beside_the_function_is_read(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "above" / "fn", "def ice(c, d): pass")
    (folder.parent / ".env").write_text("\n".join(f"{name}={value}" for name, value in SIGNING.items()))
    (folder / "ice.json").write_bytes(encoded(ICE))
    done = subprocess.run(
        [sys.executable, "-m", "sinchfn", "sign", "ice.json"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "VOICE_APPLICATION_KEY" in done.stderr


def test_sign_without_a_secret_says_which_variable_is_missing(tmp_path: Path) -> None:
    (tmp_path / "ice.json").write_bytes(encoded(ICE))
    done = subprocess.run(
        [sys.executable, "-m", "sinchfn", "sign", "ice.json"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "VOICE_APPLICATION_KEY" in done.stderr
    assert "Traceback" not in done.stderr
