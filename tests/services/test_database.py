"""Database: what a connection is set to, what a commit keeps, and how several writers get along."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sinchfn.errors import DatabaseError
from sinchfn.services.database import open_database
from sinchfn.wire import json as jsontext
from tests.harness.paths import ROOT
from tests.harness.server import PATIENCE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "function.db"


@contextmanager
def connected(file: Path, timeout: float = 5.0) -> Iterator[sqlite3.Connection]:
    with closing(open_database(file, timeout=timeout)) as connection:
        yield connection


@pytest.fixture
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    with connected(file) as connection:
        connection.execute("create table t (x)")
        yield connection


def setting(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def numbers(file: Path) -> list[int]:
    with connected(file) as connection:
        return [row["x"] for row in connection.execute("select x from t order by x")]


# What a connection is set to.


def test_the_folder_and_the_file_are_made_and_the_file_is_private(file: Path, connection: sqlite3.Connection) -> None:
    connection.execute("insert into t values (1)")
    connection.commit()
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert made == {"function.db": 0o600, "function.db-wal": 0o600, "function.db-shm": 0o600}


def test_the_mode_of_a_file_that_is_there_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    file.chmod(0o640)
    with connected(file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_connection_is_set_up(file: Path) -> None:
    with connected(file, timeout=1.5) as connection:
        assert isinstance(connection, sqlite3.Connection)
        assert setting(connection, "journal_mode") == "wal"
        assert setting(connection, "foreign_keys") == 1
        assert setting(connection, "synchronous") == 1
        assert setting(connection, "busy_timeout") == 1500


def test_a_connection_waits_five_seconds_by_default(connection: sqlite3.Connection) -> None:
    assert setting(connection, "busy_timeout") == 5000


def test_rows_are_read_by_name(connection: sqlite3.Connection) -> None:
    row = connection.execute("select 1 as one, 2 as two").fetchone()
    assert (row["one"], row["TWO"], row[1], dict(row)) == (1, 2, 2, {"one": 1, "two": 2})


def test_foreign_keys_are_enforced(connection: sqlite3.Connection) -> None:
    connection.execute("create table parent (id integer primary key)")
    connection.execute("create table child (parent references parent)")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        connection.execute("insert into child values (1)")


def test_a_database_in_another_journal_mode_is_switched(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as old:
        old.execute("create table t (x)")
    with connected(file) as connection:
        assert setting(connection, "journal_mode") == "wal"


@pytest.mark.parametrize("name", ["with space.db", "a?mode=ro", "a#b", "100%.db", "caf\u00e9.db", ":memory:", "file:x"])
def test_the_name_of_the_file_is_only_a_name(tmp_path: Path, name: str) -> None:
    with connected(tmp_path / name) as connection:
        connection.execute("create table t (x)")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_several_threads_use_a_connection_one_at_a_time(connection: sqlite3.Connection, file: Path) -> None:
    turn = threading.Lock()

    def insert(number: int) -> None:
        with turn:
            connection.execute("insert into t values (?)", (number,))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(insert, range(100)))
    connection.commit()
    assert numbers(file) == list(range(100))


def test_sqlite_is_loaded_by_the_first_use_only() -> None:
    source = "import sys, sinchfn.services.services; print('sqlite3' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", source], text=True) == "False\n"


# What a commit keeps.


def test_what_is_not_committed_is_lost_when_the_connection_is_closed(file: Path) -> None:
    with connected(file) as connection:
        connection.execute("create table t (x)")
        connection.execute("insert into t values (1)")
        connection.commit()
        connection.execute("insert into t values (2)")
    assert numbers(file) == [1]


def test_a_with_block_commits_or_rolls_back(connection: sqlite3.Connection, file: Path) -> None:
    with connection:
        connection.execute("insert into t values (1)")
    with pytest.raises(sqlite3.OperationalError), connection:
        connection.executemany("insert into t values (json(?))", ["2", "{"])
    assert numbers(file) == [1]


def test_what_is_not_committed_is_seen_by_nobody_else(connection: sqlite3.Connection, file: Path) -> None:
    connection.execute("insert into t values (1)")
    assert numbers(file) == []
    connection.rollback()
    assert connection.execute("select count(*) from t").fetchone()[0] == 0


def test_what_was_committed_survives_a_kill(file: Path) -> None:
    child = start(
        """
        with connected(file) as connection:
            connection.execute("create table t (x)")
            for number in range(1000000):
                connection.execute("insert into t values (?)", (number,))
                connection.commit()
                print(number, flush=True)
        """,
        file,
    )
    assert child.stdout is not None
    for _ in range(200):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    printed, _ = child.communicate(timeout=PATIENCE)
    told = int(printed.splitlines()[-1]) if printed.splitlines() else 199
    assert numbers(file)[: told + 1] == list(range(told + 1))
    with connected(file) as connection:
        assert setting(connection, "integrity_check") == "ok"


# How several writers get along.


def test_a_writer_waits_for_another(connection: sqlite3.Connection, file: Path) -> None:
    with connected(file) as other:
        other.execute("insert into t values (1)")
        started = threading.Event()

        def write() -> None:
            started.set()
            connection.execute("insert into t values (2)")
            connection.commit()

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(write)
            started.wait(PATIENCE)
            time.sleep(0.2)
            assert not waiting.done()
            other.commit()
            waiting.result(PATIENCE)
    assert numbers(file) == [1, 2]


def test_readers_do_not_wait_for_a_writer(connection: sqlite3.Connection, file: Path) -> None:
    connection.execute("insert into t values (1)")
    with connected(file, timeout=0) as other:
        assert other.execute("select count(*) from t").fetchone()[0] == 0


def test_a_writer_that_waits_too_long_is_told(connection: sqlite3.Connection, file: Path) -> None:
    connection.execute("insert into t values (1)")
    with connected(file, timeout=0.1) as other, pytest.raises(sqlite3.OperationalError, match="database is locked"):
        other.execute("insert into t values (2)")


def test_what_begins_before_it_reads_loses_no_update(file: Path) -> None:
    with connected(file) as connection:
        connection.execute("create table t (x)")
        connection.execute("insert into t values (0)")
        connection.commit()
    adders = [
        start(
            """
            with connected(file) as connection:
                for _ in range(100):
                    connection.execute("BEGIN IMMEDIATE")
                    (x,) = connection.execute("select x from t").fetchone()
                    connection.execute("update t set x = ?", (x + 1,))
                    connection.commit()
            """,
            file,
        )
        for _ in range(4)
    ]
    assert [finish(adder) for adder in adders] == [""] * 4
    assert numbers(file) == [400]


def test_processes_that_write_at_once_all_get_their_turn(file: Path) -> None:
    with connected(file) as connection:
        connection.execute("create table t (x)")
    writers = [
        start(
            f"""
            with connected(file) as connection:
                for number in range(150):
                    connection.execute("select max(x) from t").fetchall()
                    connection.execute("insert into t values (?)", ({name}000 + number,))
                    connection.execute("update t set x = x where x % 7 = 0")
                    connection.commit()
            """,
            file,
        )
        for name in range(1, 5)
    ]
    assert [finish(writer) for writer in writers] == [""] * 4
    assert numbers(file) == [1000 * name + number for name in range(1, 5) for number in range(150)]


def test_processes_that_open_a_new_file_at_once_all_get_it(tmp_path: Path) -> None:
    openers = [
        start(
            """
            for number in range(40):
                with connected(file / f"{number}.db") as connection, connection:
                    connection.execute("create table if not exists t (x)")
                    connection.execute("insert into t values (1)")
            """,
            tmp_path,
        )
        for _ in range(4)
    ]
    assert [finish(opener) for opener in openers] == [""] * 4
    assert all(numbers(tmp_path / f"{number}.db") == [1] * 4 for number in range(40))


def test_a_file_that_is_written_to_by_something_without_wal_is_waited_for(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file, check_same_thread=False)) as other:
        other.execute("begin immediate")
        release = threading.Timer(0.2, other.rollback)
        release.start()
        try:
            open_database(file).close()
        finally:
            release.join()


# What cannot be opened.


def test_a_file_that_is_no_database_is_named(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("a letter to my aunt, and long enough to be no empty database " * 20)
    with pytest.raises(DatabaseError) as caught:
        open_database(file)
    assert str(caught.value) == (
        f"The database {file} cannot be opened: file is not a database. "
        "It holds something else: move it away, or point SINCHFN_DATABASE at another file."
    )


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=f"The database {tmp_path} cannot be opened: unable to open"):
        open_database(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file/function.db", tmp_path / "file/deep/er/function.db"):
        with pytest.raises(DatabaseError, match=rf"The database {path} cannot be opened: .*Point SINCHFN_DATABASE at"):
            open_database(path)


@pytest.mark.parametrize(
    "write",
    [
        lambda other: other.execute("insert into t values (?)", (2,)),
        lambda other: other.executemany("insert into t values (?)", [(2,), (3,)]),
        lambda other: other.executescript("insert into t values (2); insert into t values (3)"),
        lambda other: other.cursor().execute("insert into t values (2)"),
        lambda other: other.cursor().executemany("insert into t values (?)", [(2,)]),
        lambda other: other.execute("select 1").execute("begin immediate"),
    ],
    ids=["execute", "executemany", "executescript", "cursor", "cursor, many", "cursor of another"],
)
def test_a_writer_that_waits_too_long_is_told_what_to_do(
    connection: sqlite3.Connection, file: Path, write: Callable[[sqlite3.Connection], object]
) -> None:
    connection.execute("insert into t values (1)")
    with connected(file, timeout=0.1) as other:
        with pytest.raises(sqlite3.OperationalError, match="database is locked") as caught:
            write(other)
        (note,) = caught.value.__notes__
        assert note == (
            f"{file}: another connection holds a transaction; this one waited for up to 0.1 s. "
            "Let the other commit sooner: nothing should take long between its first write and its commit."
        )
        connection.commit()
        write(other)


def test_a_read_that_is_overtaken_is_told_what_to_do(connection: sqlite3.Connection, file: Path) -> None:
    with connected(file) as other:
        other.execute("begin")
        other.execute("select * from t").fetchall()
        connection.execute("insert into t values (1)")
        connection.commit()
        with pytest.raises(sqlite3.OperationalError, match="database is locked") as caught:
            other.execute("insert into t values (2)")
        (note,) = caught.value.__notes__
        assert note.startswith(f"{file}: another connection has written since this one began to read. ")
        assert 'execute("BEGIN IMMEDIATE") before reading' in note


def test_any_other_error_is_as_sqlite_makes_it(connection: sqlite3.Connection) -> None:
    for call in (connection.execute, connection.executescript, connection.cursor().execute):
        with pytest.raises(sqlite3.OperationalError, match="no such table") as caught:
            call("select * from missing")
        assert not hasattr(caught.value, "__notes__")


def test_cursors_are_as_those_of_sqlite(connection: sqlite3.Connection) -> None:
    cursor = connection.execute("insert into t values (:x)", {"x": 1})
    assert (cursor.rowcount, cursor.connection) == (1, connection)
    assert connection.executemany("insert into t values (?)", iter([(2,), (3,)])).rowcount == 2
    assert [row["x"] for row in connection.cursor().execute("select x from t")] == [1, 2, 3]
    assert connection.cursor(sqlite3.Cursor).execute("select 1 as n").fetchone()["n"] == 1


# Rows that are returned.


def test_rows_are_sent_as_objects(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(
        """
        def every(context, request):
            database = context.open_database()
            database.execute("create table if not exists t (id, name)")
            database.executemany("insert into t values (?, ?)", [(1, "one"), (2, None)])
            return list(database.execute("select id, name from t"))

        def inside(context, request):
            return {"row": context.open_database().execute("select 1 as id, 2.5 as price").fetchone()}

        def alone(context, request):
            return context.open_database().execute("select 1 as id, 'one' as name").fetchone()

        def twice(context, request):
            return list(context.open_database().execute("select 1 as id, 'x' as name, 2 as id"))

        def raw(context, request):
            return list(context.open_database().execute("select x'ff' as data"))
        """
    )
    assert client.get("/every").json == [{"id": 1, "name": "one"}, {"id": 2, "name": None}]
    assert client.get("/inside").json == {"row": {"id": 1, "price": 2.5}}
    assert client.get("/alone").json == {"id": 1, "name": "one"}
    assert client.get("/twice").json == [{"id": 2, "name": "x"}]
    assert client.get("/raw").status_code == 500


def test_a_row_of_a_class_of_ones_own_is_sent_too() -> None:
    class Call(sqlite3.Row):
        pass

    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = Call
        assert jsontext.dumps(connection.execute("select 1 as n").fetchone()) == '{"n":1}'


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_file_can_have_is_a_database_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatabaseError, match=r"cannot be opened: .*Point SINCHFN_DATABASE at"):
        open_database(tmp_path / name)


def test_a_file_that_stays_locked_is_named(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as other:
        other.execute("begin exclusive")
        with pytest.raises(DatabaseError, match=r"database is locked\. Another process keeps it locked: end"):
            open_database(file, timeout=0.1)
        other.rollback()
        open_database(file, timeout=0.1).close()


def test_a_folder_that_cannot_be_written_is_named() -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        folder.chmod(0o755)
        made = folder / "made.db"
        open_database(made).close()
        made.chmod(0o444)
        folder.chmod(0o555)
        printed = finish(
            start(
                """
                from tests.harness.app import become_nobody
                become_nobody()
                for name in ("new.db", "made.db", "deep/new.db"):
                    try:
                        open_database(file / name)
                    except DatabaseError as error:
                        print(error)
                """,
                folder,
            )
        )
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    new, read_only, deep = printed.splitlines()
    assert new.startswith(f"The database {folder}/new.db cannot be opened: Permission denied. Point SINCHFN_DATABASE")
    assert read_only.startswith(f"The database {folder}/made.db cannot be opened: ")
    assert deep.startswith(f"The database {folder}/deep/new.db cannot be opened: Permission denied. Point SINCHFN_")


def test_a_full_disk_is_told_and_leaves_what_was_there(file: Path) -> None:
    printed = finish(
        start(
            """
            import resource
            with connected(file) as connection:
                connection.execute("create table t (x)")
                connection.execute("insert into t values (1)")
                connection.commit()
                resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
                try:
                    connection.execute("insert into t values (zeroblob(1000000))")
                    connection.commit()
                except sqlite3.OperationalError as error:
                    print(error)
            """,
            file,
        )
    )
    assert "full" in printed or "I/O error" in printed
    assert numbers(file) == [1]


PREAMBLE = f"""
import os, sqlite3, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from sinchfn.errors import DatabaseError
from sinchfn.services.database import open_database
from tests.services.test_database import connected
file = Path(sys.argv[1])
"""


def start(source: str, file: Path) -> subprocess.Popen[str]:
    """A Python of its own that runs `source`, in which `file` is known."""
    command = [sys.executable, "-c", PREAMBLE + textwrap.dedent(source), str(file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ))


def finish(process: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended well."""
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, printed
    return printed
