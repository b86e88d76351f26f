"""gunicorn with our settings: HTTP as real clients and broken ones speak it, processes, and their end."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness.paths import ROOT
from tests.harness.server import PATIENCE, Server, free_port, gunicorn, launched, started, until
from tests.harness.signer import CALL_ID, ICE, SIGNING, encoded, signed

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
    """Serve a function with gunicorn for several tests."""
    folder = tmp_path_factory.mktemp("function")
    (folder / "public").mkdir()
    (folder / "public" / "big.txt").write_bytes(bytes(range(256)) * 1000)
    with gunicorn(folder, SOURCE, SINCHFN_MAX_BODY="100000", MY_TOKEN="canary-token-aa11bb22", **SIGNING) as server:
        yield server


# --- the repository's own wsgi.py -------------------------------------------------------------------------------------


def test_wsgi_py_serves_the_ivr_and_checks_signatures(tmp_path: Path) -> None:
    ledger = tmp_path / "data" / "usage.jsonl"
    with gunicorn(tmp_path, target="wsgi:app", cwd=ROOT, SINCHFN_USAGE=str(ledger), **SIGNING) as server:
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
    with started(["-m", "gunicorn", "wsgi:app"], tmp_path, cwd=ROOT, port=port, **env) as server:
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
        server.end()
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
    with launched(tmp_path, WEB_CONCURRENCY="2") as server:
        assert server.process.wait(PATIENCE) != 0
    assert message in server.log
    assert server.log.count("Booting worker") <= 2


@pytest.mark.parametrize("idle", [False, True])
def test_sigterm_ends_the_server_soon(tmp_path: Path, idle: bool) -> None:
    with gunicorn(tmp_path, SOURCE) as server:
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        if idle:  # a connection that is kept alive holds nobody up
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(1000)
        began = time.monotonic()
        server.end()
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
