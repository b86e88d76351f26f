"""What a function does when a process starts to serve it, and when that ends: in the app, and in real servers."""

from __future__ import annotations

import gc
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import BuiltinMethodType, CellType, FunctionType, MethodType, ModuleType

import pytest
from flask import Blueprint, Flask
from werkzeug.routing import Map

from sinchfn import FunctionError, SinchFunctions, StartupError, create_app
from sinchfn.function import lifecycle
from tests.harness.app import Served, clean_environment, serving, write_function
from tests.harness.server import DEV, PATIENCE, launched, on_free_port, until

#: What every function here can do: note what happens, in a file that all processes share.
NOTES = """
import pathlib, signal, threading
HERE = pathlib.Path(__file__).parent

def note(*words):
    with open(HERE / "notes", "a") as file:
        file.write(" ".join(map(str, (os.getpid(), *words))) + "\\n")

def hello(context, request):
    return "hi"

def pid(context, request):
    return str(os.getpid())
"""

#: A function that notes its start and its end, and which of its requests came before its start.
LIVES = (
    NOTES
    + """
started = False

def setup(runtime):
    @runtime.on_startup
    def start(context):
        global started
        time.sleep(0.3)
        started = True
        note("start")

    @runtime.on_shutdown
    def stop(context):
        note("stop")

def is_started(context, request):
    return "yes" if started else "no"

def slow(context, request):
    note("slow")
    time.sleep(float(request.query["seconds"]))
    return "slow"
"""
)


def notes(folder: Path) -> list[list[str]]:
    """What was noted: the process, and the words."""
    file = folder / "notes"
    return [line.split(" ") for line in file.read_text().splitlines()] if file.exists() else []


def noted(folder: Path, word: str) -> list[str]:
    """The processes that noted this, in order."""
    return [pid for pid, *words in notes(folder) if words[0] == word]


def words(folder: Path) -> list[str]:
    return [" ".join(line[1:]) for line in notes(folder)]


# --- what setup() may do --------------------------------------------------------------------------------------------


@contextmanager
def ended(served: Served) -> Iterator[None]:
    """The process ends after this."""
    yield
    lifecycle.stop_all(0)


WITH_DECORATORS = """
def setup(runtime):
    @runtime.on_startup
    def one(context): note("one")
    @runtime.on_startup
    async def two():
        await asyncio.sleep(0)
        note("two")
    @runtime.on_shutdown
    async def three(context): note("three")
    @runtime.on_shutdown
    def four(): note("four")
"""
WITH_CALLS = """
def one(context): note("one")
async def two():
    await asyncio.sleep(0)
    note("two")
async def three(context): note("three")
def four(): note("four")
async def setup(runtime):
    await asyncio.sleep(0)
    assert runtime.on_startup(one) is one
    runtime.on_startup(two)
    assert runtime.on_shutdown(three) is three
    runtime.on_shutdown(four)
__all__ = ["hello"]
"""
OF_A_CLASS = """
class Life:
    def one(self, context): note("one")
    async def two(self): note("two")
    def three(self, context=None): note("three")
    def __call__(self, *arguments): note("four")
def setup(runtime):
    life = Life()
    runtime.on_startup(life.one)
    runtime.on_startup(life.two)
    runtime.on_shutdown(life.three)
    runtime.on_shutdown(life)
"""


@pytest.mark.parametrize("source", [WITH_DECORATORS, WITH_CALLS, OF_A_CLASS])
def test_start_up_runs_in_order_and_shutdown_in_reverse(tmp_path: Path, source: str) -> None:
    with serving(tmp_path, NOTES + source) as served:
        assert words(tmp_path) == [], "only a process that serves has started"
        assert served.get("/hello").text == "hi"
        assert words(tmp_path) == ["one", "two"]
        served.get("/hello")
        with ended(served):
            pass
        lifecycle.stop_all(0)
        assert words(tmp_path) == ["one", "two", "four", "three"]


def test_a_function_without_any_is_served_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, NOTES) as served, ended(served):
        assert served.get("/hello").status == served.get("/health").status == 200


def test_once_it_has_ended_nothing_is_served_and_nothing_begins_anew(tmp_path: Path) -> None:
    with serving(tmp_path, LIVES) as served:
        assert served.get("/hello").status == 200
        with ended(served):
            pass
        assert served.get("/health").status == 200, "the process lives"
        for path, why in (("/hello", "The function is ending."), ("/ready", "The process is stopping.")):
            answer = served.get(path)
            assert (answer.status, why in answer.text) == (503, True)
            assert int(answer.headers["Retry-After"]) > 0
        lifecycle.start_all()
        assert served.get("/hello").status == 503
        assert words(tmp_path) == ["start", "stop"]


def test_a_shutdown_function_that_fails_is_logged_and_keeps_no_other_from_running(tmp_path: Path) -> None:
    source = (
        NOTES
        + """
    def setup(runtime):
        runtime.on_shutdown(lambda: note("last"))
        @runtime.on_shutdown
        def exits(): sys.exit(3)
        runtime.on_shutdown(lambda: note("second"))
        @runtime.on_shutdown
        async def breaks(context): raise ValueError(context.env["MY_TOKEN"])
        runtime.on_shutdown(lambda: note("first"))
    """.replace("\n    ", "\n")
    )
    with serving(tmp_path, source, MY_TOKEN="canary-aa11bb22") as served:
        served.get("/hello")
        with ended(served):
            pass
        assert words(tmp_path) == ["first", "second", "last"]
        said = served.logged("ERROR")
        assert [("breaks" in line, "exits" in line) for line in said] == [(True, False), (False, True)]
        assert "ValueError" in said[0]
        assert "in breaks" in served.traces()
        assert "canary" not in served.log


CONTEXT = (
    NOTES
    + """
from sinchfn import Cache, FunctionConfig, FunctionContext, SinchFunctionInit, Storage
kept = []
class Session:
    def __init__(self, context: FunctionContext, cache: Cache): self.id = context.request_id
    def close(self): note("closed", self.id)
class Init(SinchFunctionInit):
    def configure_services(self, services, config): services.add_scoped(Session)
def _use(context):
    context.cache.set("warm", context.config.function_name)
    context.storage.write("warm.txt", "kept")
    assert context.services.get(Session).id == context.request_id
    assert context.services.get(FunctionConfig) is context.config
    database = context.open_database()
    with database:
        database.execute("create table if not exists starts (id)")
        database.execute("insert into starts values (?)", (context.request_id,))
    kept.append((context, database))
    context.log.info("warmed up")
    logging.getLogger("mine").warning("at hand")
    note("used", context.request_id)
def setup(runtime):
    runtime.on_startup(_use)
    runtime.on_shutdown(_use)
def look(context, request):
    found = {"cache": context.cache.get("warm"), "file": context.storage.read_text("warm.txt")}
    with context.open_database() as database:
        return found | {"rows": len(database.execute("select * from starts").fetchall())}
def is_closed(context, request):
    import sqlite3
    old, database = kept[0]
    try:
        database.execute("select 1")
    except sqlite3.ProgrammingError:
        return "closed"
"""
)


def test_the_context_of_a_start_or_an_end_has_all_that_a_handlers_has(tmp_path: Path) -> None:
    with serving(tmp_path, CONTEXT) as served:
        assert served.get("/look").json == {"cache": tmp_path.name, "file": "kept", "rows": 1}
        assert served.get("/is_closed").text == "closed"
        with ended(served):
            pass
        used = [line[2] for line in notes(tmp_path) if line[1] == "used"]
        assert [line[2] for line in notes(tmp_path) if line[1] == "closed"] == used
        assert [re.sub("-[0-9a-f]{16}$", "", request_id) for request_id in used] == ["startup", "shutdown"]
        for logger, message in (("sinchfn.function", "warmed up"), ("mine", "at hand")):
            lines = [line for line in served.log_lines if line["message"] == message]
            assert [line.get("request_id") for line in lines] == used, (logger, served.log)
        assert {record["handler"] for record in served.ledger} == {"look", "is_closed"}, "no request, no record"


def test_two_functions_in_one_app_have_lives_of_their_own(tmp_path: Path) -> None:
    host = Flask("host")
    for name in ("one", "two"):
        write_function(tmp_path / name, LIVES)
        SinchFunctions(tmp_path / name, config={"WEBHOOK_PROTECTION": "never"}).init_app(host, url_prefix=f"/{name}")
    client = host.test_client()
    assert client.get("/one/is_started").text == "yes"
    assert (words(tmp_path / "one"), words(tmp_path / "two")) == (["start"], [])
    lifecycle.stop_all(0)
    assert (words(tmp_path / "one"), words(tmp_path / "two")) == (["start", "stop"], [])
    assert client.get("/two/is_started").text == "yes"
    lifecycle.stop_all(0)
    assert (words(tmp_path / "one"), words(tmp_path / "two")) == (["start", "stop"], ["start", "stop"])


def test_hundreds_of_apps_leave_nothing_behind(tmp_path: Path) -> None:
    source = (
        NOTES + "def setup(runtime):\n    runtime.on_startup(lambda: None)\n    runtime.on_shutdown(lambda: None)\n"
    )
    folder = write_function(tmp_path, source)
    gc.collect()
    before = len(lifecycle._served)
    known: list[weakref.ref[Flask]] = []
    for _ in range(300):
        app = create_app(folder, config={"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never"})
        assert app.test_client().get("/hello").text == "hi"
        known.append(weakref.ref(app))
    del app
    gc.collect()
    assert [app for app in known if app() is not None] == []
    assert len(lifecycle._served) <= before


# --- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("runtime.on_startup(Thing)", ("on_startup", "fn(context)", "the class Thing")),
        ("runtime.on_startup(5)", ("on_startup", "fn(context)", "found 5")),
        ("runtime.on_startup(None)", ("on_startup", "found None")),
        ("runtime.on_startup('warm')", ("on_startup", "found 'warm'")),
        ("runtime.on_startup(two)", ("on_startup", "two(a, b)", "function.py, line")),
        ("runtime.on_startup(named)", ("on_startup", "named(*, context)")),
        ("runtime.on_startup(generates)", ("on_startup", "generates(context)", "a generator")),
        ("runtime.on_startup(later_generates)", ("on_startup", "later_generates(context)", "a generator")),
        ("runtime.on_startup(two(1, 2))", ("on_startup", "found None")),
        ("runtime.on_startup()", ("TypeError", "on_startup()")),
        ("runtime.on_shutdown(Thing)", ("on_shutdown", "fn(context)", "the class Thing")),
        ("runtime.on_shutdown(two)", ("on_shutdown", "two(a, b)")),
        ("runtime.on_websocket('stream', two)", ("on_websocket", "begins with a slash", "'stream'")),
        ("runtime.on_websocket('', two)", ("on_websocket", "begins with a slash", "''")),
        ("runtime.on_websocket(two)", ("on_websocket", "takes a path first", '@runtime.on_websocket("/stream")')),
        ("runtime.on_websocket()", ("TypeError", "on_websocket()")),
        ("runtime.on_websocket('/a')", ('on_websocket("/a") got no function', "decorator")),
        ("runtime.on_websocket('/a', None)", ('on_websocket("/a") got no function',)),
        ("runtime.on_websocket('/a')(None)", ("on_websocket", "found None")),
        ("runtime.on_websocket('/a', one)", ("on_websocket", "fn(ws, request)", "one(ws)", "function.py, line")),
        ("runtime.on_websocket('/a', Thing)", ("on_websocket", "the class Thing")),
        ("runtime.on_websocket('/a', 'two')", ("on_websocket", "found 'two'")),
        ("runtime.on_websocket('/a', generates_two)", ("on_websocket", "a generator")),
        ("runtime.on_websocket('/a', two); runtime.on_websocket('/a', two)", ("Two functions", "/a", "another path")),
        ("runtime.on_websocket('/a', two); runtime.on_websocket('/a/', two)", ("Two functions", "/a/")),
        (
            "runtime.on_websocket('/a/<b>', three); runtime.on_websocket('/a/<c>', three)",
            ("Two functions", "/a/<c>"),
        ),
        ("runtime.on_websocket('/<x:y>', two, protected=False)", ("/<x:y>", "on_websocket")),
        ("runtime.on_websocket('/<y', two, protected=False)", ("/<y", "on_websocket")),
        ("runtime.on_websocket('/<a>/<a>', three, protected=False)", ("/<a>/<a>", "on_websocket", "twice")),
        ("runtime.on_websocket('/{a}', three, protected=False)", ("/{a}", "on_websocket", "braces", "/users/<int:id>")),
        ("runtime.on_websocket('/a b', two)", ("/a b", "a blank")),
        ("runtime.on_websocket('/<a>', two)", ("two(a, b)", "variables")),
        ("runtime.on_start_up(two)", ("no on_start_up", 'Did you mean "on_startup"?')),
        ("runtime.onStartup(two)", ("no onStartup", '"on_startup"')),
        ("runtime.onWebSocket('/a', two)", ("no onWebSocket", '"on_websocket"')),
        ("runtime.app", ("no app", "on_startup, on_shutdown, on_websocket, services, config")),
        ("runtime.app.route('/')", ("no app",)),
        ("runtime.on_startup = two", ("AttributeError", "on_startup")),
        ("runtime.mine = 5", ("AttributeError", "mine")),
        ("runtime.config = 5", ("AttributeError", "config")),
    ],
)
def test_what_is_wrong_in_setup_ends_the_start_and_says_what_to_write(
    tmp_path: Path, line: str, parts: tuple[str, ...]
) -> None:
    source = NOTES + (
        "class Thing: ...\n"
        "def one(ws): ...\n"
        "def two(a, b): ...\n"
        "def three(ws, request, **more): ...\n"
        "def named(*, context): ...\n"
        "def generates(context): yield\n"
        "def generates_two(ws, request): yield\n"
        "async def later_generates(context): yield\n"
        "__all__ = ['hello']\n"
        f"def setup(runtime): {line}\n"
    )
    with pytest.raises(StartupError) as caught, serving(tmp_path, source):
        pass
    message = str(caught.value)
    assert [part for part in parts if part not in message] == [], message


def test_after_setup_the_runtime_takes_nothing_more(tmp_path: Path) -> None:
    source = NOTES + "kept = []\ndef setup(runtime): kept.append(runtime)\n__all__ = ['hello']"
    with serving(tmp_path, source) as served:
        (runtime,) = served.app.extensions["sinchfn"][0].module.kept
        for register in (
            lambda: runtime.on_startup(print),
            lambda: runtime.on_shutdown(print),
            lambda: runtime.on_websocket("/a", print),
            lambda: runtime.on_websocket("/a"),
        ):
            with pytest.raises(FunctionError, match=r"can only be called inside setup\(runtime\)"):
                register()


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("setup = 5", "is 5, not a function"),
        ("setup = None", "is None, not a function"),
        ("setup = ['/stream']", "not a function"),
        ("setup = dict", "is a class"),
        ("class setup: pass", "is a class"),
        ("def setup(): pass", r"takes \(\), but is called with the runtime alone"),
        ("def setup(runtime, config): pass", r"takes \(runtime, config\)"),
        ("async def setup(): pass", r"takes \(\)"),
        ("def setup(*, runtime): pass", "called with the runtime alone"),
        ("def setup(runtime): yield runtime", "generator"),
        ("async def setup(runtime): yield runtime", "generator"),
    ],
)
def test_a_setup_that_cannot_be_run_ends_the_start(tmp_path: Path, source: str, problem: str) -> None:
    source = f"{NOTES}\n{source}\n__all__ = ['hello']"
    with pytest.raises(FunctionError, match=f'(?s)"setup" in .*function.py .*{problem}'), serving(tmp_path, source):
        pass


@pytest.mark.parametrize(
    "source",
    [
        "async def setup(runtime): note('set up')",
        "def setup(runtime, more=1): note('set up')",
        "def setup(*all): note('set up')",
        "from functools import partial\nsetup = partial(lambda what, runtime: note(what), 'set up')",
    ],
)
def test_a_setup_is_whatever_can_be_called_with_the_runtime(tmp_path: Path, source: str) -> None:
    with serving(
        tmp_path, f"seen = []\nnote = seen.append\n{source}\ndef hello(context, request): return seen"
    ) as served:
        assert served.get("/hello").json == ["set up"]


def test_a_module_of_the_name_is_no_setup(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("")
    with serving(tmp_path, "import setup\ndef hello(context, request): return 'hello'") as served:
        assert served.get("/hello").status == 200


# --- no way to the app ----------------------------------------------------------------------------------------------


def parts_of(thing: object) -> Iterator[tuple[str, object]]:
    """All that can be reached from `thing` in one step; the globals of modules are not its own."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield f"key {key!r:.30}", key
            yield f"[{key!r:.30}]", value
    elif isinstance(thing, list | tuple | set | frozenset):
        for value in thing:
            yield "item", value
    if isinstance(thing, FunctionType):
        yield "closure", thing.__closure__
        yield "defaults", [thing.__defaults__, thing.__kwdefaults__, vars(thing)]
    elif isinstance(thing, CellType):
        with suppress(ValueError):
            yield "cell", thing.cell_contents
    elif isinstance(thing, MethodType):
        yield "self", thing.__self__
        yield "func", thing.__func__
    elif isinstance(thing, weakref.ref):
        yield "referent", thing()
    if isinstance(thing, type | ModuleType | str | bytes | int | float | None):
        return
    for name in dir(thing):
        if name not in {"__class__", "__dict__", "__globals__", "__builtins__"}:
            with suppress(Exception):
                value = inspect.getattr_static(thing, name)
                yield f"static {name}", value
                if not name.startswith("__"):
                    found = getattr(thing, name)
                    # A method of the thing leads to the thing again, and to its function.
                    is_own = type(found) in (MethodType, BuiltinMethodType) and found.__self__ is thing
                    yield f".{name}", getattr(found, "__func__", None) if is_own else found
    if isinstance(own := getattr(thing, "__dict__", None), dict):
        yield "vars", own


def ways_from(start: object, wanted: Callable[[object], bool]) -> list[str]:
    """How what is wanted can be reached."""
    seen: dict[int, object] = {id(start): start}
    found: list[str] = []
    level: list[tuple[str, object]] = [("runtime", start)]
    while level:
        reached: list[tuple[str, object]] = []
        for way, thing in level:
            for step, part in parts_of(thing):
                if id(part) not in seen:
                    seen[id(part)] = part  # kept, for else another may get its id
                    if wanted(part):
                        found.append(f"{way} {step}")
                    elif way.count(" ") < 60:
                        reached.append((f"{way} {step}", part))
        level = reached
    assert len(seen) < 200_000
    return found


def is_of_the_app(thing: object) -> bool:
    """What lets a function change the app, or serve by itself."""
    if isinstance(thing, Flask | Blueprint | Map):
        return True
    if isinstance(thing, type | FunctionType | MethodType):
        return "wsgi_app" in getattr(thing, "__qualname__", "")
    return hasattr(type(thing), "wsgi_app")


REACHES = (
    NOTES
    + """
kept = []
class Service: ...
def setup(runtime):
    runtime.services.add_singleton(Service)
    runtime.on_startup(lambda context: None)
    runtime.on_shutdown(lambda: None)
    @runtime.on_websocket("/a", protected=False)
    def a(ws, request): ...
    kept.append(runtime)
    WALK(runtime)
__all__ = ["hello"]
"""
)


def test_nothing_leads_from_the_runtime_to_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[list[str]] = []
    import builtins

    monkeypatch.setattr(
        builtins, "WALK", lambda runtime: walked.append(ways_from(runtime, is_of_the_app)), raising=False
    )
    with serving(tmp_path, REACHES) as served:
        assert walked == [[]], "in setup()"
        served.get("/hello")
        (runtime,) = served.app.extensions["sinchfn"][0].module.kept
        assert ways_from(runtime, is_of_the_app) == []


def test_the_walk_finds_an_app_that_is_there() -> None:
    app = Flask("x")
    for hidden in ([app], {"a": (app,)}, lambda: app, app.route, type("Holder", (), {"__slots__": ("a",)})()):
        if hasattr(hidden, "__slots__"):
            hidden.a = {1: [app]}
        assert ways_from(hidden, is_of_the_app) != [], hidden


# --- gunicorn, with our settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_every_worker_starts_once_before_it_accepts_and_ends_once(tmp_path: Path, options: tuple[str, ...]) -> None:
    write_function(tmp_path, LIVES)
    with launched(tmp_path, "-w", "3", *options) as server:
        server.listening()
        assert server.request("GET", "/is_started")[2] == b"yes"
        until(lambda: len(noted(tmp_path, "start")) >= 3)
        for _ in range(20):
            assert server.request("GET", "/is_started")[2] == b"yes"
        first = noted(tmp_path, "start")
        assert len(set(first)) == len(first) == 3
        assert str(server.process.pid) not in first, "the master serves nothing"
        assert noted(tmp_path, "stop") == []
        server.process.send_signal(signal.SIGHUP)
        until(lambda: len(noted(tmp_path, "start")) >= 6 and len(noted(tmp_path, "stop")) >= 3)
        assert server.request("GET", "/is_started")[2] == b"yes"
        server.end()
        assert len(set(noted(tmp_path, "start"))) == len(noted(tmp_path, "start")) == 6
        assert sorted(noted(tmp_path, "stop")) == sorted(noted(tmp_path, "start"))


def test_a_worker_that_takes_the_place_of_another_starts_anew(tmp_path: Path) -> None:
    write_function(tmp_path, LIVES)
    with launched(tmp_path, "--max-requests", "3") as server:
        server.listening()

        def ask() -> bool:
            assert server.request("GET", "/is_started")[2] == b"yes"
            return len(noted(tmp_path, "start")) >= 3

        until(ask)
        server.end()
        assert len(set(noted(tmp_path, "start"))) == len(noted(tmp_path, "start"))
        assert sorted(noted(tmp_path, "stop")) == sorted(noted(tmp_path, "start"))


def test_a_reload_for_a_changed_file_starts_anew(tmp_path: Path) -> None:
    write_function(tmp_path, LIVES)
    with launched(tmp_path, "--reload", "--reload-engine", "poll") as server:
        server.listening()
        assert server.request("GET", "/is_started")[2] == b"yes"
        time.sleep(1.1)  # the reloader looks at the time of a file, in whole seconds on some systems
        write_function(tmp_path, LIVES.replace('return "hi"', 'return "changed"'))
        until(lambda: server.request("GET", "/hello")[2] == b"changed")
        assert server.request("GET", "/is_started")[2] == b"yes"
        server.end()
        assert len(noted(tmp_path, "start")) == 2
        assert sorted(noted(tmp_path, "stop")) == sorted(noted(tmp_path, "start"))


FAILS = (
    NOTES
    + """
def setup(runtime):
    runtime.on_startup(lambda: note("before"))
    @runtime.on_startup
    def warm_up(context):
        note("attempt")
        deeper(context)
    runtime.on_shutdown(lambda: note("stop"))
def deeper(context):
    {what}
__all__ = ["hello"]
"""
)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("raise ValueError('the table is missing ' + context.env['MY_TOKEN'])", "ValueError: the table is missing"),
        ("sys.exit(0)", "SystemExit: 0"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
@pytest.mark.parametrize("options", [(), ("-w", "3"), ("-w", "3", "--preload")])
def test_a_start_up_function_that_fails_ends_gunicorn_with_its_message(
    tmp_path: Path, what: str, said: str, options: tuple[str, ...]
) -> None:
    write_function(tmp_path, FAILS.replace("{what}", what))
    with launched(tmp_path, *options, MY_TOKEN="canary-token-aa11bb22", SINCHFN_LOG_FORMAT="text") as server:
        assert server.process.wait(PATIENCE) == 3, server.log
    log = server.log
    assert log.count(said) >= 1, log
    assert log.count("The start-up function warm_up (") == 1, log
    assert re.search(r"warm_up \(\S+function\.py, line \d+\) failed", log), log
    assert re.search(r"at \S+function\.py, line \d+, in deeper", log), log
    if "MY_TOKEN" not in what:
        assert "Traceback" in log, log
        assert log.count("Traceback") == 1, log
    assert "canary" not in log
    attempts = noted(tmp_path, "attempt")
    # On a busy machine gunicorn may start a few more before it sees that the first has failed.
    assert 1 <= len(set(attempts)) == len(attempts) < 12, "each worker tries once, and there is no end of new ones"
    assert noted(tmp_path, "stop") == []


def test_a_start_up_function_may_take_longer_than_a_request_gets(tmp_path: Path) -> None:
    write_function(tmp_path, LIVES.replace("time.sleep(0.3)", 'note("attempt"); time.sleep(4)'))
    with launched(tmp_path, "--timeout", "1") as server:
        server.listening()
        assert server.request("GET", "/is_started")[2] == b"yes"
        assert len(noted(tmp_path, "attempt")) == 1
        server.end()


def test_ctrl_c_amid_a_start_up_function_is_no_failure(tmp_path: Path) -> None:
    write_function(tmp_path, FAILS.replace("{what}", "time.sleep(60)"))
    with launched(tmp_path) as server:
        until(lambda: noted(tmp_path, "attempt"))
        server.end(signal.SIGINT)
    assert "warm_up" not in server.log
    assert noted(tmp_path, "stop") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_shutdown_functions_run_when_gunicorn_is_told_to_end(tmp_path: Path, number: int) -> None:
    write_function(tmp_path, LIVES)
    with launched(tmp_path, "-w", "2") as server:
        server.listening()
        until(lambda: len(noted(tmp_path, "start")) == 2)
        server.end(number)
    assert sorted(noted(tmp_path, "stop")) == sorted(noted(tmp_path, "start"))


@pytest.mark.parametrize(("grace", "seconds"), [("5", 60), ("2", 60), ("8", 1)])
def test_shutdown_functions_run_within_the_grace_period_whatever_a_request_does(
    tmp_path: Path, grace: str, seconds: float
) -> None:
    write_function(tmp_path, LIVES)
    answers: list[bytes] = []

    def ask() -> None:
        with suppress(Exception):
            answers.append(server.request("GET", f"/slow?seconds={seconds}")[2])

    with launched(tmp_path, "--graceful-timeout", grace) as server:
        server.listening()
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        until(lambda: noted(tmp_path, "slow"))
        began = time.monotonic()
        server.end()
        # Not a matter of speed: it may not be held up for as long as the request would take.
        assert time.monotonic() - began < 40
        thread.join(PATIENCE)
    assert len(noted(tmp_path, "stop")) == 1
    if seconds < int(grace):
        assert answers == [b"slow"], "it was answered"
        assert words(tmp_path)[-1] == "stop"


def test_a_shutdown_function_is_waited_for_when_the_last_request_ends_amid_it(tmp_path: Path) -> None:
    source = LIVES.replace('note("stop")', 'note("stopping"); time.sleep(1.5); note("stop")')
    write_function(tmp_path, source)
    with launched(tmp_path, "--graceful-timeout", "8") as server:  # shutdown functions are begun 5 seconds into it
        server.listening()
        thread = threading.Thread(target=lambda: server.request("GET", "/slow?seconds=6"), daemon=True)
        thread.start()
        until(lambda: noted(tmp_path, "slow"))
        server.end()
        thread.join(PATIENCE)
    assert words(tmp_path) == ["start", "slow", "stopping", "stop"]


HANGING_SOCKET = (
    NOTES
    + """
def setup(runtime):
    runtime.on_shutdown(lambda: note("stop"))
    @runtime.on_websocket("/a", protected=False)
    def a(ws, request):
        note("open")
        time.sleep(60)
"""
)
HANDSHAKE = (
    b"GET /a HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize("grace", ["4", "15"])
def test_the_handler_of_a_socket_that_hangs_holds_no_shutdown_function_up(tmp_path: Path, grace: str) -> None:
    write_function(tmp_path, HANGING_SOCKET)
    with launched(tmp_path, "--graceful-timeout", grace) as server:
        server.listening()
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
            peer.sendall(HANDSHAKE)
            until(lambda: noted(tmp_path, "open"))
            server.end()
            received = b""
            while chunk := peer.recv(1000):
                received += chunk
    assert b"\x03\xe9" in received, "it was told 1001"
    assert words(tmp_path) == ["open", "stop"]


# --- somebody else's server -----------------------------------------------------------------------------------------

HOST = """
from flask import Flask
from sinchfn import SinchFunctions
from sinchfn.function import lifecycle

lifecycle.RETRY = 1.0
app = Flask("host")

@app.get("/own")
def own():
    return "own"

SinchFunctions("function.py").init_app(app, url_prefix="/fn")
"""


@pytest.mark.parametrize("options", [(), ("--preload",), ("-w", "2")])
def test_without_our_hooks_a_function_starts_with_its_first_request_and_ends_with_its_process(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    write_function(tmp_path, LIVES)
    (tmp_path / "wsgi.py").write_text(HOST)
    with launched(tmp_path, "-k", "gthread", "--threads", "8", *options, target="wsgi:app", conf="/dev/null") as server:
        server.listening()
        assert server.request("GET", "/own")[2] == b"own"
        assert words(tmp_path) == []
        answers: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: answers.append(server.request("GET", "/fn/is_started")[2]))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [b"yes"] * 8
        until(lambda: noted(tmp_path, "start"))
        assert len(set(noted(tmp_path, "start"))) == len(noted(tmp_path, "start")), "once in each process"
        server.end()
    assert sorted(noted(tmp_path, "stop")) == sorted(noted(tmp_path, "start"))


FAILS_AT_FIRST = (
    NOTES
    + """
attempts = []
def setup(runtime):
    runtime.on_startup(lambda: note("one"))
    @runtime.on_startup
    def two(context):
        note("two")
        attempts.append(1)
        if not (HERE / "ready").exists():
            raise ConnectionError("no database at " + context.env["MY_TOKEN"])
    runtime.on_startup(lambda: note("three"))
    runtime.on_shutdown(lambda: note("stop"))
def ice(context, data): ...
"""
)


def test_while_it_cannot_start_every_request_is_503_until_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path, FAILS_AT_FIRST, MY_TOKEN="canary-token-aa11bb22") as served:
        asked = 0
        for method, path in (("GET", "/hello"), ("POST", "/ice"), ("POST", "/hello"), ("GET", "/v1/hello")):
            answer = served.request(method, path)
            assert (answer.status, set(answer.json)) == (503, {"error", "requestId"})
            assert int(answer.headers["Retry-After"]) == int(lifecycle.RETRY)
            asked += 1
            assert len(served.ledger) == asked
            assert (served.ledger[-1]["status"], served.ledger[-1]["outcome"]) == (503, "refused")
        assert served.get("/health").status == 200, "the process lives"
        ready = served.get("/ready")
        assert (ready.status, ready.headers["Retry-After"]) == (503, str(int(lifecycle.RETRY)))
        assert ready.json["reasons"] == ["The start-up function two failed: ConnectionError: no database at ***"]
        assert served.get("/nowhere").status == 404
        assert words(tmp_path) == ["one", "two"], "not in every request"
        (said,) = [line for line in served.log_lines if "start-up function two" in line["message"]]
        assert said["level"] == "ERROR"
        assert "ConnectionError: no database at ***" in said["message"]
        assert "canary" not in served.log
        assert [line["status"] for line in served.request_lines] == [503] * asked
        lifecycle.stop_all(0)
        monkeypatch.setattr(lifecycle, "RETRY", 0.0)
        assert served.get("/hello").status == 503
        (tmp_path / "ready").touch()
        assert served.get("/hello").text == "hi"
        assert served.get("/ready").status == 200
        assert words(tmp_path) == ["one", "two", "two", "two", "three"], "it goes on with the one that failed"
        with ended(served):
            pass
        assert words(tmp_path)[-1] == "stop"
        assert words(tmp_path).count("stop") == 1


def test_many_requests_at_once_try_a_failing_start_once(tmp_path: Path) -> None:
    source = FAILS_AT_FIRST.replace('note("two")', 'note("two"); time.sleep(0.3)')
    with serving(tmp_path, source, MY_TOKEN="x") as served:
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(served.get("/hello").status)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [503] * 8
        assert words(tmp_path) == ["one", "two"]


def test_a_start_up_function_that_calls_its_own_function_gets_a_503(tmp_path: Path) -> None:
    source = (
        NOTES
        + """
def setup(runtime):
    @runtime.on_startup
    def look(context):
        note(flask.current_app.test_client().get("/hello").status_code)
"""
    )
    with serving(tmp_path, source) as served:
        assert served.get("/hello").text == "hi"
        assert words(tmp_path) == ["503"]


def test_the_routes_of_the_host_do_not_wait_for_the_function(tmp_path: Path) -> None:
    write_function(tmp_path, FAILS_AT_FIRST)
    host = Flask("host")
    host.add_url_rule("/own", "own", lambda: "own")
    host.add_url_rule("/fn/own", "inner", lambda: "inner")
    config = {"WEBHOOK_PROTECTION": "never", "MY_TOKEN": "x"}
    SinchFunctions(tmp_path, config=config).init_app(host, url_prefix="/fn")
    client = host.test_client()
    for _ in range(2):
        assert client.get("/own").text == "own"
        assert client.get("/fn/own").text == "inner"
        answer = client.get("/fn/hello")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert client.get("/fn/health").status_code == 200
        assert client.get("/fn/ready").status_code == 503
        assert client.get("/nowhere").status_code == 404


def run(folder: Path, script: str) -> str:
    """What a script of the host prints."""
    (folder / "script.py").write_text(textwrap.dedent(script))
    command = [sys.executable, "script.py"]
    env = clean_environment() | {"WEBHOOK_PROTECTION": "never", "SINCHFN_USAGE": "off", "SINCHFN_LOG_LEVEL": "WARNING"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "app = None"])
def test_shutdown_functions_run_when_the_process_of_a_host_ends(tmp_path: Path, ending: str) -> None:
    write_function(tmp_path, LIVES)
    run(
        tmp_path,
        f"""
        import sinchfn
        app = sinchfn.create_app()
        assert app.test_client().get("/is_started").text == "yes"
        kept = app
        {ending}
        """,
    )
    assert words(tmp_path) == ["start", "stop"]


def test_a_process_that_has_answered_nothing_has_not_started(tmp_path: Path) -> None:
    write_function(tmp_path, LIVES)
    run(tmp_path, "import sinchfn\napp = sinchfn.create_app()")
    assert words(tmp_path) == []


def test_a_child_of_a_process_that_has_started_starts_anew(tmp_path: Path) -> None:
    write_function(tmp_path, LIVES)
    run(
        tmp_path,
        """
        import os, sinchfn, sys
        app = sinchfn.create_app()
        client = app.test_client()
        assert client.get("/is_started").text == "yes"
        idle = os.fork()
        if not idle:
            sys.exit()  # a child that serves nothing: nothing to start, nor to end
        os.waitpid(idle, 0)
        child = os.fork()
        assert client.get("/hello").text == "hi"
        if not child:
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        assert client.get("/hello").text == "hi"
        """,
    )
    (parent, child), (first, second) = noted(tmp_path, "start"), noted(tmp_path, "stop")
    assert parent != child
    assert (first, second) == (child, parent)
    assert words(tmp_path) == ["start", "start", "stop", "stop"]


# --- sinchfn dev ----------------------------------------------------------------------------------------------------


def test_dev_starts_at_once_tells_what_fails_and_is_mended_by_an_edit(tmp_path: Path) -> None:
    write_function(tmp_path, FAILS.replace("{what}", "raise ValueError('no ' + context.env['MY_TOKEN'])"))
    with on_free_port(DEV, tmp_path, MY_TOKEN="canary-token-aa11bb22") as server:
        until(lambda: "The start-up function warm_up (" in server.log)
        assert noted(tmp_path, "attempt"), "without a request"
        status, _, body = until(lambda: server.request("GET", "/hello"))
        assert status == 500
        assert "warm_up" in json.loads(body)["error"]
        assert "in deeper" in json.loads(body)["error"]
        assert "ValueError: no ***" in server.log
        assert b"canary" not in body
        assert len(noted(tmp_path, "attempt")) == 1
        write_function(tmp_path, LIVES)
        until(lambda: server.request("GET", "/is_started")[2] == b"yes")
        assert noted(tmp_path, "stop") == []
        server.end()
        assert noted(tmp_path, "stop") == noted(tmp_path, "start")
        assert len(noted(tmp_path, "stop")) == 1
        assert "canary" not in server.log
        assert "Traceback" not in server.log


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "Ctrl-C"])
def test_dev_runs_shutdown_functions_when_it_is_ended(tmp_path: Path, how: str) -> None:
    write_function(tmp_path, LIVES.replace('note("stop")', 'time.sleep(1); note("stop")'))
    with on_free_port(DEV, tmp_path) as server:
        until(lambda: noted(tmp_path, "start"))
        until(lambda: server.request("GET", "/hello"))
        if how == "Ctrl-C":
            os.killpg(server.process.pid, signal.SIGINT)  # as a terminal does it: to both processes
        else:
            server.process.send_signal(signal.Signals[how])
        assert server.process.wait(PATIENCE) == 0, server.log
        assert words(tmp_path) == ["start", "stop"]
        assert "Traceback" not in server.log
        with pytest.raises(OSError, match="refused"):
            server.request("GET", "/hello")


def test_dev_runs_shutdown_functions_before_it_loads_the_code_anew(tmp_path: Path) -> None:
    write_function(tmp_path, LIVES)
    with on_free_port(DEV, tmp_path) as server:
        until(lambda: server.request("GET", "/hello")[2] == b"hi")
        write_function(tmp_path, LIVES.replace('return "hi"', 'return "changed"'))
        until(lambda: server.request("GET", "/hello")[2] == b"changed")
        assert words(tmp_path) == ["start", "stop", "start"]
        server.end()
        assert words(tmp_path) == ["start", "stop", "start", "stop"]


def test_dev_can_be_ended_amid_a_start_up_function(tmp_path: Path) -> None:
    write_function(tmp_path, FAILS.replace("{what}", "time.sleep(60)"))
    with on_free_port(DEV, tmp_path) as server:
        until(lambda: noted(tmp_path, "attempt"))
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(PATIENCE) is not None
        assert noted(tmp_path, "stop") == []
        assert "warm_up" not in server.log
