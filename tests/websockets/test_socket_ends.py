"""What is left of sockets when a process stops: a record and a line of each, and ``on_close`` of all but what hangs."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.app import write_function
from tests.harness.server import FLASK_RUN, PATIENCE, Server, gunicorn, on_free_port, until
from tests.harness.socket_peer import Peer, opened

SOURCE = """
import threading

__all__ = ["setup", "pid"]
forever = threading.Event()

def pid(context, request):
    return str(os.getpid())

def _listen(ws, request, name):
    def closed(code, reason):
        if name == "on_close":
            ws.context.log.warning("hangs: %s", name)
            forever.wait()
        os.write(1, f"closed: {name} {code}\\n".encode())  # in one piece
    ws.on_close(closed)

def setup(runtime):
    runtime.on_shutdown(lambda: print("shut down", flush=True))

    @runtime.on_websocket("/callback/<name>", protected=False)
    def callback(ws, request, name):
        _listen(ws, request, name)
        @ws.on_message
        def heard(data):
            if data == "hang":
                print("hangs", flush=True)
                forever.wait()
            if data == "timer":
                ws.call_later(0, lambda: heard("hang"))
            ws.send(data)

    @runtime.on_websocket("/blocking/<name>", protected=False)
    def blocking(ws, request, name):
        _listen(ws, request, name)
        for data in ws:
            if data == "hang":
                print("hangs", flush=True)
                forever.wait()
            ws.send(data)
"""

ANYBODY = {"WEBHOOK_PROTECTION": "never"}


def records(server: Server) -> dict[str, dict[str, Any]]:
    """The records of sockets by their path; there may be one of each."""
    found = [record for record in server.ledger if record["kind"] == "websocket"]
    assert len({record["path"] for record in found}) == len(found), found
    return {record["path"]: record for record in found}


def check(server: Server, hanging: str, calm: list[str]) -> None:
    """All have left a record and a line, and all but one were told."""
    found = records(server)
    assert set(found) == {hanging, *calm}
    assert {record["stream"]["close_code"] for record in found.values()} == {1001}
    assert found[hanging]["outcome"] == "error"
    assert {found[path]["outcome"] for path in calm} == {"ok"}
    for path in found:
        lines = [line for line in server.log.splitlines() if '"logger":"sinchfn.request"' in line]
        assert len([line for line in lines if f'"path":"{path}"' in line]) == 1
    told = [line.split()[1] for line in server.log.splitlines() if line.startswith("closed: ")]
    assert sorted(told) == sorted(path.rpartition("/")[2] for path in calm)
    assert server.log.count("has not ended, and is not waited for") == 1


def open_all(stack: ExitStack, port: int, paths: list[str]) -> list[Peer]:
    peers = [stack.enter_context(opened(port, path)) for path in paths]
    for peer in peers:
        assert peer.ask_for("x") == "x"
    return peers


def paths(style: str, count: int = 4) -> list[str]:
    return [f"/{style}/{style}-{number}" for number in range(count)]


HANGING = [("/callback/one", "hang"), ("/callback/one", "timer"), ("/blocking/one", "hang"), ("/callback/on_close", "")]


@pytest.mark.parametrize(("hanging", "how"), HANGING)
def test_each_socket_leaves_a_record_whatever_hangs(tmp_path: Path, hanging: str, how: str) -> None:
    calm = [*paths("callback"), *paths("blocking")]
    with gunicorn(tmp_path, SOURCE, **ANYBODY) as server, ExitStack() as stack:
        *_, last = open_all(stack, server.port, [*calm, hanging])
        if how:
            last.send(how)
            until(lambda: "hangs" in server.log)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(PATIENCE)
        check(server, hanging, calm)
        assert "shut down" in server.log


@pytest.mark.parametrize(
    ("options", "stop"),
    [
        ("--graceful-timeout 2", signal.SIGTERM),
        ("", signal.SIGQUIT),
        ("", signal.SIGHUP),
        ("", signal.SIGABRT),
        ("--max-requests 20", None),
    ],
)
def test_at_every_kind_of_stop(tmp_path: Path, options: str, stop: signal.Signals | None) -> None:
    calm, hanging = [*paths("callback"), *paths("blocking")], "/callback/one"
    with gunicorn(tmp_path, SOURCE, GUNICORN_CMD_ARGS=options, **ANYBODY) as server, ExitStack() as stack:
        worker = int(server.request("GET", "/pid")[2])
        *_, last = open_all(stack, server.port, [*calm, hanging])
        last.send("hang")
        until(lambda: "hangs" in server.log)
        if stop is None:
            for _ in range(20):
                server.request("GET", "/pid")
        elif stop is signal.SIGABRT:
            os.kill(worker, stop)
        else:
            server.process.send_signal(stop)
        until(lambda: not Path(f"/proc/{worker}").exists())
        check(server, hanging, calm)


def test_a_peer_that_does_not_answer_keeps_no_on_close_from_being_called(tmp_path: Path) -> None:
    calm = [*paths("callback", 2), *paths("blocking", 2)]
    options = "--graceful-timeout 1"
    with gunicorn(tmp_path, SOURCE, GUNICORN_CMD_ARGS=options, **ANYBODY) as server, ExitStack() as stack:
        open_all(stack, server.port, calm)
        server.process.send_signal(signal.SIGTERM)  # and the peers say nothing
        server.process.wait(PATIENCE)
        assert set(records(server)) == set(calm)
        assert server.log.count("closed: ") == 4


def test_under_another_server(tmp_path: Path) -> None:
    calm, hanging = [*paths("callback", 2), *paths("blocking", 2)], "/callback/one"
    folder = write_function(tmp_path / "fn", SOURCE)
    with on_free_port(FLASK_RUN, folder, **ANYBODY) as server, ExitStack() as stack:
        server.answering()
        *_, last = open_all(stack, server.port, [*calm, hanging])
        last.send("hang")
        until(lambda: "hangs" in server.log)
        server.process.send_signal(signal.SIGINT)
        server.process.wait(PATIENCE)
        check(server, hanging, calm)
