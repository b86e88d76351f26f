"""The services of the context, as a handler sees them: made on first use, shared, closed with the request."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sinchfn import signals
from sinchfn.errors import ExtraError
from sinchfn.services.services import _close
from tests.harness.app import MakeApp, MakeClient, MakeFunction
from tests.harness.call import Answer

DEVELOPMENT = {"SINCHFN_ENV": "development"}


def test_all_that_the_contract_names_is_there(make_client: MakeClient) -> None:
    client = make_client(
        {
            "function.py": """
            from pathlib import Path

            def all(context, request):
                context.cache.set("a", 1)
                context.storage.write("b", "two")
                with context.open_database() as database:
                    database.execute("create table t (x)")
                return {
                    "cache": context.cache.get("a"),
                    "storage": context.storage.read_text("b"),
                    "database": Path(context.database).is_file(),
                    "assets": context.assets("greeting.txt"),
                    "voice": [context.voice.v1, context.voice.v2],
                    "clients": [context.conversation, context.sms, context.numbers],
                    "config": context.config.function_name,
                    "id": context.request_id,
                    "zone": str(context.timestamp.tzinfo),
                }
            """,
            "assets/greeting.txt": "hello",
        },
        **DEVELOPMENT,
    )
    assert client.get("/all", headers={"X-Request-ID": "r1"}).json == {
        "cache": 1,
        "storage": "two",
        "database": True,
        "assets": "hello",
        "voice": [None, None],
        "clients": [None, None, None],
        "config": "fn",
        "id": "r1",
        "zone": str(UTC),
    }


def test_the_services_are_made_once_and_shared_by_all_requests(make_client: MakeClient) -> None:
    client = make_client(
        """
        def which(context, request):
            return [id(context.cache), id(context.storage), id(context.assets), id(context.voice)]
        """
    )
    assert client.get("/which").json == client.get("/which").json


def test_two_functions_in_one_process_share_nothing(make_app: MakeApp) -> None:
    source = """
        def note(context, request):
            before = context.cache.get("key")
            context.cache.set("key", context.config.function_name)
            context.storage.write("key", context.config.function_name)
            return before
        """
    one, two = make_app(source, "one").test_client(), make_app(source, "two").test_client()
    assert [one.get("/note").status_code, two.get("/note").status_code] == [204, 204]
    assert [one.get("/note").text, two.get("/note").text] == ["one", "two"]


@pytest.mark.parametrize("handler", ["def", "async def"])
def test_handlers_of_both_kinds_use_the_services_alike(handler: str, make_client: MakeClient) -> None:
    client = make_client(
        f"""
        {handler} count(context, request):
            with context.open_database() as database:
                database.execute("create table if not exists t (x)")
                database.execute("insert into t values (1)")
            context.storage.write("a", b"1")
            stored = database.execute("select count(*) as n from t").fetchone()["n"]
            return [context.cache.increment("n"), stored, len(context.storage.read("a"))]
        """
    )
    assert [client.get("/count").json for _ in range(2)] == [[1, 1, 1], [2, 2, 1]]


def test_threads_of_a_handler_use_the_services(make_client: MakeClient) -> None:
    client = make_client(
        """
        from concurrent.futures import ThreadPoolExecutor

        def count(context, request):
            context.open_database().execute("create table t (x)")
            def work(number):
                context.cache.increment("n")
                context.open_database().execute("insert into t values (?)", (number,))
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(work, range(40)))
            rows = context.open_database().execute("select count(*) as n from t").fetchone()["n"]
            return [context.cache.get("n"), rows]
        """
    )
    assert client.get("/count").json == [40, 40]


# The database of a request.


DATABASE = """
    import sqlite3
    kept = []

    def _rows(context):
        return context.open_database().execute("select count(*) as n from t").fetchone()["n"]

    def make(context, request):
        with context.open_database() as database:
            database.execute("create table t (x)")

    def same(context, request):
        return [context.open_database() is context.open_database()]

    def leaves(context, request):
        kept.append(context.open_database())
        context.open_database().execute("insert into t values (1)")

    def raises(context, request):
        leaves(context, request)
        raise ValueError("after the insert")

    def commits(context, request):
        leaves(context, request)
        context.open_database().commit()

    def closes(context, request):
        context.open_database().close()

    def count(context, request):
        return [_rows(context)]

    def streams(context, request):
        kept.append(context.open_database())
        for row in context.open_database().execute("select 'x' as x union all select 'y'"):
            yield row["x"]

    def is_closed(context, request):
        try:
            kept[-1].execute("select 1")
        except sqlite3.ProgrammingError:
            return [True]
        return [False]

    later = []

    def keeps(context, request):
        later.append(context)

    def too_late(context, request):
        try:
            later[-1].open_database()
        except Exception as error:
            return [type(error).__name__, str(error)]
    """


@pytest.fixture
def database_client(make_client: MakeClient) -> FlaskClient:
    client = make_client(DATABASE)
    assert client.get("/make").status_code == 204
    return client


def test_a_request_has_one_connection(database_client: FlaskClient) -> None:
    assert database_client.get("/same").json == [True]


@pytest.mark.parametrize("handler", ["leaves", "raises"])
def test_what_is_not_committed_is_rolled_back_and_the_connection_closed(
    handler: str, database_client: FlaskClient
) -> None:
    database_client.get(f"/{handler}")
    assert database_client.get("/count").json == [0]
    assert database_client.get("/is_closed").json == [True]


def test_changes_that_were_not_committed_are_pointed_out(
    database_client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    for handler, expected in (("leaves", 1), ("raises", 0), ("commits", 0), ("count", 0)):
        caplog.clear()
        database_client.get(f"/{handler}")
        assert sum("did not commit its changes" in message for message in caplog.messages) == expected, handler


def test_a_locked_database_does_not_block_other_requests(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(
        """
        def opens(context, request):
            context.open_database()

        def counts(context, request):
            return [context.cache.increment("n")]
        """
    )
    inside, go_on = threading.Barrier(3), threading.Event()

    def connect(file: Path) -> sqlite3.Connection:
        inside.wait(30)
        assert go_on.wait(30)
        return sqlite3.connect(file, check_same_thread=False)

    monkeypatch.setattr("sinchfn.services.database.open_database", connect)
    with ThreadPoolExecutor(2) as pool:
        opened = [pool.submit(app.test_client().get, "/opens") for _ in range(2)]
        inside.wait(30)  # both are opening at once
        assert app.test_client().get("/counts").json == [1]
        go_on.set()
        assert [answer.result().status_code for answer in opened] == [204, 204]


def test_a_thread_that_opens_while_the_request_ends_leaves_nothing_open(make_client: MakeClient) -> None:
    client = make_client(
        """
        import sqlite3, threading
        seen = []

        def begins(context, request):
            began = threading.Event()
            def opens():
                began.set()
                for _ in range(10_000):
                    try:
                        seen.append(context.open_database())
                    except Exception as error:
                        seen.append(error)
                        return
            thread = threading.Thread(target=opens)
            thread.start()
            began.wait()
            return [seen.append(thread)]

        def ended(context, request):
            [thread] = [one for one in seen if isinstance(one, threading.Thread)]
            thread.join()
            connections = {id(one): one for one in seen if isinstance(one, sqlite3.Connection)}
            for connection in connections.values():
                try:
                    connection.execute("select 1")
                    return ["open"]
                except sqlite3.ProgrammingError:
                    pass
            return [type(seen[-1]).__name__ if not isinstance(seen[-1], threading.Thread) else "DatabaseError"]
        """
    )
    client.get("/begins")
    assert client.get("/ended").json == ["DatabaseError"]


def test_what_is_committed_stays(database_client: FlaskClient) -> None:
    database_client.get("/commits")
    assert database_client.get("/count").json == [1]


def test_a_handler_may_close_its_connection_itself(database_client: FlaskClient) -> None:
    assert database_client.get("/closes").status_code == 204


def test_a_cursor_is_not_an_answer_and_the_log_says_what_is_allowed(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(
        """
        def cursor(context, request):
            return context.open_database().execute("select 1 as one")

        def rows(context, request):
            return list(context.open_database().execute("select 1 as one"))
        """
    )
    assert client.get("/cursor").status_code == 500
    assert "return list(...) of it" in caplog.text
    assert client.get("/rows").json == [{"one": 1}]


def test_a_streamed_answer_keeps_the_connection_until_it_is_through(database_client: FlaskClient) -> None:
    assert database_client.get("/streams").text == "xy"
    assert database_client.get("/is_closed").json == [True]


def test_a_client_that_leaves_a_streamed_answer_closes_the_connection(database_client: FlaskClient) -> None:
    answer = database_client.get("/streams", buffered=False)
    assert next(answer.iter_encoded()) == b"x"
    answer.close()
    assert database_client.get("/is_closed").json == [True]


def test_a_context_that_outlives_its_request_opens_no_connection(database_client: FlaskClient) -> None:
    database_client.get("/keeps")
    kind, message = database_client.get("/too_late").json
    assert kind == "DatabaseError"
    assert "sqlite3.connect(context.database)" in message


def test_a_database_that_cannot_be_opened_is_a_clear_error(make_client: MakeClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    client = make_client(
        "def f(context, request):\n    return context.database",
        SINCHFN_DATABASE=str(tmp_path / "file" / "function.db"),
        **DEVELOPMENT,
    )
    answer = client.get("/f")
    assert answer.status_code == 500
    assert "SINCHFN_DATABASE" in answer.json["detail"]


# What it costs.


def test_a_function_that_uses_no_service_imports_none(make_function: MakeFunction) -> None:
    folder = make_function(
        """
        def nothing(context, request):
            context.log.info("%s", context.config.environment)
            return "nothing"
        """
    )
    script = f"""
import sys, json
from sinchfn import create_app
client = create_app({str(folder)!r}, config={{"SINCHFN_CACHE_URL": "redis://localhost:1",
    "SINCHFN_STORAGE_URL": "s3://bucket", "PROJECT_ID": "p", "PROJECT_ID_API_KEY": "key-key",
    "PROJECT_ID_API_SECRET": "secret", "CONVERSATION_APP_ID": "a", "SINCHFN_USAGE": "off"}}).test_client()
assert client.get("/nothing").text == "nothing"
heavy = ("redis", "obstore", "sinch", "sqlite3", "urllib3", "boto3", "requests", "asyncio")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == []


def test_a_missing_extra_is_a_start_up_error_that_names_it(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinchfn.services.extras.find_spec", lambda name: None)
    for number, (setting, value, extra) in enumerate(
        [
            ("SINCHFN_CACHE_URL", "redis://localhost", "redis"),
            ("SINCHFN_STORAGE_URL", "s3://bucket/prefix", "objects"),
        ]
    ):
        with pytest.raises(ExtraError, match=rf"{setting}=.*pip install 'sinchfn\[{extra}\]'"):
            make_app("def f(context, request): pass\n", folder=f"f{number}", **{setting: value})


def test_memory_in_production_is_warned_about(make_app: MakeApp) -> None:
    app = make_app("def f(context, request): pass\n", SINCHFN_CACHE_URL="memory:", SINCHFN_STORAGE_URL="memory:")
    warnings = " ".join(app.extensions["sinchfn"][0].warnings)
    assert "SINCHFN_CACHE_URL is memory" in warnings
    assert "SINCHFN_STORAGE_URL is memory" in warnings


# The end of a request, seen by others.


def test_what_follows_a_stream_goes_on_when_one_part_of_it_fails(
    make_app: MakeApp, call: Callable[..., Answer]
) -> None:
    app = make_app(
        """
        class Broken:
            ProgrammingError = ValueError
            in_transaction = False
            is_closed = False
            def rollback(self): raise OSError("the disk is gone")
            def close(self): Broken.is_closed = True

        def streams(context, request):
            context._connection = Broken()
            yield "a"

        def is_closed(context, request):
            return [Broken.is_closed]
        """
    )
    records = []
    receiver = signals.usage_recorded.connect(lambda app, invocation, record: records.append(record), weak=False)
    try:
        assert call(app, "GET", "/streams").text == "a"
    finally:
        signals.usage_recorded.disconnect(receiver)
    assert [record.status for record in records] == [200]
    assert call(app, "GET", "/is_closed").json == [True]


def test_many_threads_that_ask_first_get_one_service(make_app: MakeApp) -> None:
    app = make_app("def f(context, request): pass\n")
    services = app.extensions["sinchfn"][0].services
    seen: list[object] = []
    start = threading.Barrier(16)

    def ask() -> None:
        start.wait()
        seen.append(services.cache)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(cache) for cache in seen}) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_a_service_is_made_hangs_no_child(make_app: MakeApp) -> None:
    services = make_app("def f(context, request): pass\n").extensions["sinchfn"][0].services
    holder = threading.Thread(target=services._lock.acquire)  # as if it were just making one
    holder.start()
    holder.join()
    child = os.fork()
    if child == 0:
        os._exit(0 if repr(services.cache) else 1)
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert status == 0


def test_one_service_that_cannot_be_closed_keeps_no_other_open(caplog: pytest.LogCaptureFixture) -> None:
    closed = []

    class Service:
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)
            raise OSError("gone")

    _close({"cache": Service("cache"), "database": "/path", "storage": Service("storage")})
    assert closed == ["cache", "storage"]
    assert "The cache could not be closed" in caplog.text


def test_the_types_of_the_services_can_be_named() -> None:
    import sinchfn

    for name in ("Assets", "Cache", "Storage", "VoiceClient"):
        assert isinstance(getattr(sinchfn, name), type)
        assert name in sinchfn.__all__
    with pytest.raises(AttributeError, match="has no attribute 'Cash'"):
        _ = sinchfn.Cash
