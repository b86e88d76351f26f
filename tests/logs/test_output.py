"""Standard error and standard output that nobody reads: calls go on, and what was lost is counted."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.harness.app import clean_environment, write_function
from tests.harness.server import CONF, CREATE_APP, PATIENCE, Server, free_port, started, until

TALKS = """
def talk(context, request):
    print("printed")  # what is printed stays in the buffer of the process
    context.log.warning("talk %s %s", request.query.get("n"), "x" * 3000)
    return "said"
"""

#: More than any pipe or socket holds.
MANY = 200


@contextmanager
def gunicorn(folder: Path, stdout: Any, stderr: Any, **env: str) -> Iterator[Server]:
    write_function(folder, TALKS)
    port = free_port()
    command = ["-m", "gunicorn", "-c", str(CONF), "-b", f"127.0.0.1:{port}", "--threads", "2", CREATE_APP]
    # Unbuffered, a handler's own print() would block by itself.
    env = {"SINCHFN_LOG_FORMAT": "text", "PYTHONUNBUFFERED": "", **env}
    python = (sys.executable,)
    with started(command, folder, port=port, python=python, stdout=stdout, stderr=stderr, **env) as server:
        yield server.answering()


class Reader:
    """Reads all that comes, when it is told to begin."""

    def __init__(self, file: int) -> None:
        self.text = ""
        self._file = file

    def begin(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError):  # the test is over, and has closed it
            while data := os.read(self._file, 65536):
                self.text += data.decode()


def kinds() -> dict[str, Any]:
    return {"pipe": os.pipe, "socket": lambda: tuple(end.detach() for end in socket.socketpair())}


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_standard_error_that_is_not_read_stops_no_call_and_losses_are_counted(tmp_path: Path, kind: str) -> None:
    out, into = kinds()[kind]()
    try:
        with gunicorn(tmp_path, subprocess.DEVNULL, into) as server:
            os.close(into)
            for number in range(MANY):
                assert server.request("GET", f"/talk?n={number}")[2] == b"said"
            assert select.select([out], [], [], 0)[0], "what there was room for is there"
            reader = Reader(out)
            reader.begin()

            def came_again() -> bool:
                server.request("GET", "/talk?n=again")
                return "talk again" in reader.text

            until(came_again)
            lost = re.findall(r"(\d+) log lines were lost: standard error was not read", reader.text)
            told = set(re.findall(r"talk (\d+) x{3000}\b", reader.text))
            assert 0 < len(told) < MANY
            assert sum(map(int, lost)) >= MANY - len(told)
            assert all(line.count("talk ") <= 1 for line in reader.text.splitlines()), "no line is torn into another"
    finally:
        os.close(out)


def test_standard_error_that_is_closed_stops_no_call(tmp_path: Path) -> None:
    out, into = os.pipe()
    with gunicorn(tmp_path, subprocess.DEVNULL, into) as server:
        os.close(into)
        os.close(out)
        for number in range(20):
            assert server.request("GET", f"/talk?n={number}")[2] == b"said"


def test_a_ledger_on_standard_output_that_is_not_read_stops_no_call(tmp_path: Path) -> None:
    out, into = os.pipe()
    fill = 65536 - 4096
    os.write(into, b"\n" * fill)  # so that a few records are enough
    try:
        with (tmp_path / "log").open("wb") as log, gunicorn(tmp_path, into, log, SINCHFN_USAGE="-") as server:
            os.close(into)
            for number in range(60):
                assert server.request("GET", f"/talk?n={number}")[2] == b"said"
            text = (tmp_path / "log").read_text()
            assert "The usage ledger on standard output cannot be written: the other end does not read it" in text
            kept = text.count("Usage record: ")
            reader = Reader(out)
            reader.begin()
            until(lambda: server.request("GET", "/talk?n=again")[0] == 200 and "is written again" in log_of(tmp_path))
            until(lambda: len(reader.text.split()) >= 0 and reader.text.endswith("\n"))
            records = [json.loads(line) for line in reader.text.splitlines() if line.strip()]
            assert len(records) >= 60 - kept
    finally:
        os.close(out)


def log_of(folder: Path) -> str:
    return (folder / "log").read_text()


def test_handlers_on_one_descriptor_write_whole_lines(tmp_path: Path) -> None:
    code = """
import logging, os, sys, sinchfn
from sinchfn.logs.handlers import PlatformHandler
first, second = logging.getLogger("first"), logging.getLogger("second")
for log in (first, second):
    log.addHandler(PlatformHandler())
for number in range(50):
    first.warning("first %d %s", number, "a" * 6000)
    second.warning("second %d %s", number, "b" * 6000)
print("filled", flush=True)
sys.stdin.readline()
second.warning("second again")
"""
    out, into = os.pipe()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": into}
    with subprocess.Popen([sys.executable, "-c", code], env=clean_environment(), text=True, **pipes) as process:
        os.close(into)
        assert process.stdout is not None
        assert process.stdout.readline() == "filled\n"
        reader = Reader(out)
        reader.begin()
        until(lambda: not select.select([out], [], [], 0)[0])
        process.communicate("go on\n", timeout=PATIENCE)
        until(lambda: "second again\n" in reader.text)
    os.close(out)
    text = reader.text
    lines = text.splitlines()
    assert lines[-1] == "second again"
    assert "log lines were lost" in lines[-2]
    assert all(re.fullmatch(r"(first|second) [0-9]+ (a{6000}|b{6000})", line) for line in lines[:-2])


def test_a_stream_that_stands_for_standard_error_gets_the_lines(tmp_path: Path) -> None:
    code = """
import sys, sinchfn
class Tee:
    def __init__(self, stream): self.stream = stream
    def write(self, text): self.stream.write("tee: " + text)
    def __getattr__(self, name): return getattr(self.stream, name)
sys.stderr = Tee(sys.stderr)
sinchfn.create_app(sys.argv[1])
"""
    write_function(tmp_path, TALKS)
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, timeout=PATIENCE)
    assert done.stderr.startswith(b"tee: ")


def test_a_reader_who_is_slow_loses_nothing(tmp_path: Path) -> None:
    script = """
    import logging, sys, sinchfn
    sinchfn.create_app(sys.argv[1])
    for number in range(100):
        logging.getLogger("sinchfn").warning("line %d %s", number, "y" * 3000)
    """
    write_function(tmp_path, TALKS)
    code = "\n".join(line.strip() if not line.startswith("        ") else line[4:] for line in script.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=clean_environment() | {"SINCHFN_LOG_FORMAT": "text"},
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
    )
    assert [int(number) for number in re.findall(rb"line (\d+) y", done.stderr)] == list(range(100))
