"""The context under attack: what a hostile handler, caller, platform or machine may do, and what the contract says.

Each test that begins with "Contract:" fails where that sentence does not hold.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sinchfn import create_app
from sinchfn.errors import ConfigError, FunctionError, VoiceApiError
from sinchfn.services.cache import Cache, open_cache
from sinchfn.services.database import open_database
from sinchfn.voice.client import VoiceClient
from tests.harness.app import Served, serving
from tests.harness.signer import ICE, KEY, SECRET

NOTHING = "def hi(context, request): return {}"

CANARY = "canary-key-4711-aa"


def cache_of(served: Served) -> Cache:
    found: Cache = served.app.extensions["sinchfn"][0].services.cache
    return found


def seconds_of(call: Callable[[], object]) -> float:
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


# --- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SINCHFN_CACHE_URL", "redis:localhost"),
        ("SINCHFN_CACHE_URL", "redis://localhost:port"),
        ("SINCHFN_CACHE_URL", "redis://localhost/name"),
        ("SINCHFN_CACHE_URL", "sqlite:"),
        ("SINCHFN_CACHE_URL", "sqlite:///cache.db"),
        ("SINCHFN_CACHE_URL", "memory:shared"),
        ("SINCHFN_STORAGE_URL", "s3:bucket"),
        ("SINCHFN_STORAGE_URL", "file:"),
        ("SINCHFN_STORAGE_URL", "file://host/folder"),
        ("SINCHFN_STORAGE_URL", "memory:shared"),
        ("SINCHFN_DATABASE", "data/"),
        ("SINCHFN_DATABASE", "."),
        ("SINCHFN_DATABASE", "a\0b"),
    ],
)
def test_a_place_of_a_service_that_cannot_be_one_ends_the_start(tmp_path: Path, name: str, value: str) -> None:
    # Contract: section 6, "checked at start; a wrong value is a start-up error naming the variable and what it takes".
    with pytest.raises(ConfigError, match=name), serving(tmp_path, NOTHING, **{name: value}):
        pass


def test_an_endpoint_that_cannot_be_one_ends_the_start(tmp_path: Path) -> None:
    # Contract: the same.
    config = {"SINCHFN_STORAGE_URL": "s3://bucket", "AWS_ENDPOINT_URL": "localhost:9000"}
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL"), serving(tmp_path, NOTHING, **config):
        pass


@pytest.mark.parametrize("config", [{1: "x"}, {b"A": "x"}, {None: "x"}])
def test_a_name_in_config_that_is_no_text_ends_the_start_with_a_clear_error(tmp_path: Path, config: Any) -> None:
    # Contract: section 1, "config: a dict whose keys are the variable names"; a start-up error, not an AttributeError.
    (tmp_path / "function.py").write_text(NOTHING)
    with pytest.raises(ConfigError, match="config="):
        create_app(tmp_path, config=config)


def test_an_error_without_a_text_ends_the_start_with_a_clear_message_and_no_secret(tmp_path: Path) -> None:
    # Contract: section 1, "a broken function fails at start with one clear message"; no secret in any line.
    source = f"""
    class Silent(Exception):
        def __str__(self):
            raise ValueError("{CANARY}")
    raise Silent
    """
    with pytest.raises(FunctionError, match="Silent") as raised, serving(tmp_path, source, MY_SECRET=CANARY):
        pass
    assert CANARY not in str(raised.value)


# --- cache -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [True, "5", None, [], 1j])
def test_a_time_to_live_that_is_no_number_is_a_value_error(tmp_path: Path, ttl: Any) -> None:
    # Contract: section 7, "TTL must be a positive finite number, ...: else `ValueError`". It is a TypeError.
    with serving(tmp_path, NOTHING) as served, pytest.raises(ValueError, match="ttl"):
        cache_of(served).set("key", 1, ttl)


@pytest.mark.parametrize("call", ["set", "get", "increment"])
def test_a_key_with_more_digits_than_python_writes_is_named(tmp_path: Path, call: str) -> None:
    # Contract: bad input, "each a clear error naming the key". It speaks of sys.set_int_max_str_digits().
    with serving(tmp_path, NOTHING) as served, pytest.raises(ValueError, match="cache key"):
        getattr(cache_of(served), call)(10**5000, *([1] if call == "set" else []))


@pytest.mark.parametrize("url", ["memory:", "sqlite:data/cache.db"])
def test_a_pattern_with_half_a_surrogate_pair_means_the_same_everywhere(tmp_path: Path, url: str) -> None:
    # Contract: "one contract, three backends".
    with (
        serving(tmp_path, NOTHING, SINCHFN_CACHE_URL=url) as served,
        pytest.raises(ValueError, match="surrogate"),
    ):
        cache_of(served).keys("\ud800*")


def test_many_values_are_those_of_one_moment(tmp_path: Path) -> None:
    # Contract: "`get_many` in one round trip"; Backend: "every method is one atomic step". `new` is always
    # set before `late`, so `late` is never the newer one. SQLite asks for 50 keys at a time, each at its own moment.
    names = ["new", *(f"between{number}" for number in range(98)), "late"]
    with serving(tmp_path, NOTHING, SINCHFN_CACHE_URL="sqlite:data/cache.db") as served:
        cache, over = cache_of(served), threading.Event()

        def write() -> None:
            number = 0
            while not over.is_set():
                number += 1
                cache.set("new", number)
                cache.set("late", number)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            end = time.monotonic() + 1.5
            torn = 0
            while time.monotonic() < end and not torn:
                found = cache.get_many(names)
                torn = (found[-1] or 0) > (found[0] or 0)
        finally:
            over.set()
            thread.join()
    assert not torn


def test_functions_that_may_be_taken_for_one_another_in_redis_are_warned_about(tmp_path: Path) -> None:
    # Contract: "namespaced per function so that two functions share a Redis safely". Without a name in
    # sinch.json it is the folder's, and that is /app in every container, also in one of our own Dockerfile.
    config = {"SINCHFN_CACHE_URL": "redis://127.0.0.1:1/0"}
    with serving(tmp_path / "app", NOTHING, **config) as served:
        assert any("sinch.json" in warning for warning in served.logged("WARNING"))


def use_cache(folder: str, number: int, seconds: float, answer: Any) -> None:
    """Of a process: write and read until the time is over; answer the errors and the last number that was read back."""
    logging.disable()
    cache = open_cache("sqlite:data/cache.db", folder=Path(folder), namespace="fn")
    errors: list[str] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            cache.set(f"k{number}", number)
            cache.get("k0")
        except Exception as error:
            errors.append(str(error))
    cache.set(f"end{number}", number)
    answer.put((errors, cache.get(f"end{number}")))


def test_a_file_that_goes_while_many_processes_use_it_never_harms_its_successor(tmp_path: Path) -> None:
    # The last connection to a file removes its log by name: it must not be the log of the file that came after.
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    arguments = [(str(tmp_path), number, 2.6, answer) for number in range(3)]
    processes = [context.Process(target=use_cache, args=each) for each in arguments]
    for process in processes:
        process.start()
    file = tmp_path / "data" / "cache.db"
    for pause in (1.0, 0.4, 0.5, 0.2):
        time.sleep(pause)
        file.unlink(missing_ok=True)  # and neither its -wal nor its -shm
    found = [answer.get(timeout=30) for _ in processes]
    for process in processes:
        process.join(30)
    assert [errors for errors, _ in found] == [[], [], []]
    with closing(sqlite3.connect(file)) as look:
        assert look.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert look.execute("SELECT count(*) FROM sinchfn_cache WHERE key LIKE '%:end_'").fetchone() == (3,)


def test_a_file_that_goes_while_it_is_opened_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, opened = sqlite3.connect, 0

    def connect_and_lose(file: Path, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        nonlocal opened
        connection = connect(file, *args, **kwargs)
        opened += 1
        if opened < 3:
            file.unlink()
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_and_lose)
    cache = open_cache("sqlite:data/cache.db", folder=tmp_path, namespace="fn")
    assert [cache.increment("a"), cache.increment("a"), opened] == [1, 2, 3]
    cache.close()
    assert (tmp_path / "data" / "cache.db").stat().st_mode & 0o777 == 0o600


def test_a_table_that_goes_with_a_removed_log_is_made_anew(tmp_path: Path) -> None:
    cache = open_cache("sqlite:data/cache.db", folder=tmp_path, namespace="fn")
    cache.set("a", 1)
    with closing(sqlite3.connect(tmp_path / "data" / "cache.db", isolation_level=None)) as other:
        other.execute("DROP TABLE sinchfn_cache")
    assert [cache.get("a"), cache.increment("a"), cache.get("a")] == [None, 1, 1]
    cache.close()


# --- database --------------------------------------------------------------------------------------------------------

DATABASE = """
import threading

def opens(context, request):
    context.open_database().execute("select 1").fetchone()
    return {}

def caches(context, request):
    context.cache.set("a", 1)
    return {}

def forks(context, request):
    opening = threading.Thread(target=_opens, args=(context,))
    opening.start()
    time.sleep(0.2)
    child = os.fork()
    if child == 0:
        context.cache.set("a", 1)
        os._exit(0)
    for _ in range(100):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        status = "it hangs"
    opening.join()
    return {"child": status}

def leaves(context, request):
    threading.Thread(target=_writes, args=(context,)).start()
    time.sleep(0.1)
    return {}

def _opens(context):
    try:
        context.open_database()
    except sinchfn.errors.DatabaseError:
        pass

def _writes(context):
    try:
        OPENED.append(context.open_database())
        OPENED[0].execute("insert into there values (1)")
    except Exception:
        logging.info("refused")

OPENED = []
"""


@contextmanager
def locked(served: Served, patience: float) -> Iterator[sqlite3.Connection]:
    """Another program holds the database; whoever opens it meanwhile waits so many seconds, and not five."""
    file = served.folder / "data" / "function.db"
    file.parent.mkdir(exist_ok=True)
    holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    holder.execute("create table there (x)")
    holder.execute("begin exclusive")
    try:
        with mock.patch.dict(open_database.__kwdefaults__, timeout=patience):
            yield holder
    finally:
        holder.close()


def test_requests_that_meet_a_locked_database_are_all_told_in_time(tmp_path: Path) -> None:
    # Contract: bad input, "a database locked for longer than the timeout: a clear error". Not one
    # after the other: then sixteen threads would wait 80 seconds.
    with serving(tmp_path, DATABASE) as served, locked(served, 0.6):
        threads = [threading.Thread(target=served.get, args=("/opens",)) for _ in range(4)]

        def all_at_once() -> None:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert seconds_of(all_at_once) < 1.5


def test_a_locked_database_keeps_nobody_from_the_cache(tmp_path: Path) -> None:
    # Contract: the same; no other service waits for the database.
    with serving(tmp_path, DATABASE) as served, locked(served, 1.5):
        waiting = threading.Thread(target=served.get, args=("/opens",))
        waiting.start()
        time.sleep(0.2)
        assert seconds_of(lambda: served.get("/caches")) < 0.8
        waiting.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_fork_while_a_thread_opens_the_database_leaves_the_child_its_services(tmp_path: Path) -> None:
    # Contract: Services, "it does not matter whether a server forks before or after the first use".
    with serving(tmp_path, DATABASE) as served, locked(served, 1.0):
        assert served.get("/forks").json == {"child": 0}


def test_a_connection_that_is_opened_while_the_request_ends_is_closed_too(tmp_path: Path) -> None:
    # Contract: section 7, "one per request, rolled back if left uncommitted, closed when the request ends": also one
    # that a thread still waits for when its handler returns. And the answer does not wait with it.
    with serving(tmp_path, DATABASE) as served:
        with locked(served, 2.0) as holder:
            waited = seconds_of(lambda: served.get("/leaves"))
            holder.execute("commit")
        time.sleep(0.4)
        with closing(sqlite3.connect(served.folder / "data" / "function.db", timeout=0.2)) as other, other:
            other.execute("insert into there values (2)")
    assert waited < 1


def test_a_thread_that_outlives_its_request_does_not_end_the_process(tmp_path: Path) -> None:
    # Contract: section 7, and the docstring of FunctionContext, "may be used from threads that the handler starts".
    # The connection is closed while the thread is in the middle of a statement: sqlite3 ends in a segmentation fault,
    # and with it every other request of the worker.
    (tmp_path / "function.py").write_text(
        """
import threading, time

NUMBERS = "with recursive r(n) as (select 1 union all select n + 1 from r where n < 1000000) select max(n) from r"

def reports(context, request):
    connection = context.open_database()
    connection.execute("create table if not exists t (x)")
    def count():
        try:
            while True:
                connection.execute("insert into t values (1)").fetchall()
                connection.execute(NUMBERS).fetchall()
        except Exception:
            pass
    thread = threading.Thread(target=count)
    thread.start()
    time.sleep(0.05)
    return {}
"""
    )
    program = """
import sys, threading
from sinchfn import create_app
client = create_app(sys.argv[1], config={"SINCHFN_ENV": "development"}).test_client()
for _ in range(3):
    assert client.get("/reports").status_code == 200
"""
    ran = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr[-500:]


# --- logs ------------------------------------------------------------------------------------------------------------

LOGS = """
def logs(context, request):
    context.log.info("hello", extra=request.json)
    return {}

def other(context, request):
    logging.getLogger("shop").info("hello", extra=request.json)
    return {}
"""


@pytest.mark.parametrize("path", ["/logs", "/other"])
@pytest.mark.parametrize(
    "extra",
    [
        {"as_json": "zzz"},
        {"as_json": 5},
        {"as_json": '{"request_id":"forged"}'},
        {"sinchfn": "text"},
        {"sinchfn": {"request_id": "forged", "level": "CRITICAL"}},
    ],
)
def test_no_field_that_a_caller_chose_forges_a_line_or_breaks_it(
    tmp_path: Path, path: str, extra: dict[str, Any]
) -> None:
    # Contract: "JSON lines", "through the same formatter with the request id": every line JSON, its own.
    with serving(tmp_path, LOGS) as served:
        served.post(path, extra, headers={"Content-Type": "application/json", "X-Request-ID": "mine"})
        (line,) = [line for line in served.log_lines if line["message"] == "hello"]
    assert (line["level"], line["request_id"]) == ("INFO", "mine")


def test_a_field_of_ones_own_in_a_text_line_stays_in_its_line(tmp_path: Path) -> None:
    # Contract: the same, for text: `is_block` is a mark of our own.
    source = """
    def logs(context, request):
        context.log.info("hello\\n12:00:00 ERROR forged", extra=request.json)
        return {}
    """
    with serving(tmp_path, source, SINCHFN_LOG_FORMAT="text") as served:
        served.post("/logs", {"is_block": True})
        assert not re.search(r"^12:00:00", served.log, re.MULTILINE)


@pytest.mark.parametrize("name", ["kind", "handler", "call_id", "request_id"])
def test_a_field_of_ones_own_with_a_name_that_is_taken_is_there_with_a_dash(tmp_path: Path, name: str) -> None:
    # Contract: JsonFormatter, "what the log call gave as extra, under its own names (with _ behind one that is taken)".
    with serving(tmp_path, LOGS) as served:
        served.post("/logs", {name: "gold"})
        (line,) = [line for line in served.log_lines if line["message"] == "hello"]
    assert line.get(f"{name}_") == "gold"


def test_no_secret_is_in_the_name_of_a_field(tmp_path: Path) -> None:
    # Contract: "secret values never appear in any line".
    with serving(tmp_path, LOGS, MY_API_KEY=CANARY) as served:
        served.post("/logs", {CANARY: "seen"})
        assert CANARY not in served.log


def test_no_secret_is_in_the_ledger(tmp_path: Path) -> None:
    # Contract: the same, "planting canaries everywhere"; its path is struck out, call id and request id are not.
    with serving(tmp_path, "def ice(context, data): return {}", MY_API_KEY=CANARY) as served:
        headers = {"Content-Type": "application/json", "X-Request-ID": CANARY}
        served.post("/ice", {**ICE, "callid": CANARY}, headers=headers)
        assert served.ledger
        assert CANARY not in served.ledger_file.read_text()


# --- assets ----------------------------------------------------------------------------------------------------------


def test_no_name_of_an_asset_takes_long(tmp_path: Path) -> None:
    # Hostile input never ends in a hang: of a name of a megabyte, each of its folders is looked for, in quadratic time.
    source = """
    def shows(context, request):
        try:
            return context.assets(request.json["name"])
        except (ValueError, OSError):
            abort(404)
    """
    with serving(tmp_path, source) as served:
        (tmp_path / "assets").mkdir()
        assert seconds_of(lambda: served.post("/shows", {"name": "a/" * 160_000 + "b"})) < 0.8


# --- voice client ----------------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

#: What a hostile platform answers: how it begins, and what follows for ever.
ANSWERS = {
    "a chunk of a negative size": (CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n", b""),  # Contract: ; a bare ValueError
    "a chunk of a size that is none": (CHUNKED + b"zz\r\n{}\r\n", b""),
    "a chunk that is never full": (CHUNKED + b"ffffffffffffffff\r\n{}", b""),
    "an endless head": (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536),
    "endless interim answers": (b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" * 1000),
    "endless trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 5000),
    "an endless chunk line": (CHUNKED + b"1;", b"x" * 65536),
    "an endless body": (HEAD + b"\r\n", b"[" * 65536),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", b""),
    "no HTTP at all": (bytes(range(256)) * 10, b""),
}


@contextmanager
def platform(answer: bytes, forever: bytes) -> Iterator[str]:
    """A server that answers so, whatever is asked."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    connection.recv(65536)
                    connection.sendall(answer)
                    while forever:
                        connection.sendall(forever)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_the_platform_answers_is_a_voice_api_error_in_time(name: str) -> None:
    with platform(*ANSWERS[name]) as url, VoiceClient(KEY, SECRET, api=url, timeout=0.5) as client:
        begin = time.monotonic()
        with pytest.raises(VoiceApiError):
            client.callouts.tts("+46700000000", "hello")
        assert time.monotonic() - begin < 3
