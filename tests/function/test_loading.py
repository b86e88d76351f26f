"""Functions are loaded isolated from each other, always from the current code, and their errors say what is wrong."""

from __future__ import annotations

import builtins
import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask

from sinchfn import FunctionError, SinchFunctions, StartupError, create_app
from tests.harness.app import MakeClient, MakeFunction

#: Each way to import a module of the function's own, as the body of `who()`; all answer the name in own/sub.
WAYS = {
    "import at the top": ("import helper", "return helper.NAME"),
    "import as": ("import helper as h", "return h.NAME"),
    "from import": ("from helper import NAME", "return NAME"),
    "from import as": ("from helper import NAME as n", "return n"),
    "import star": ("from helper import *", "return NAME"),
    "import of a package": ("import pkg", "return pkg.NAME"),
    "import of a submodule": ("import pkg.sub", "return pkg.sub.NAME"),
    "import of a submodule as": ("import pkg.sub as s", "return s.NAME"),
    "from package import submodule": ("from pkg import sub", "return sub.NAME"),
    "from submodule import": ("from pkg.sub import NAME", "return NAME"),
    "import deep": ("import pkg.deep.leaf", "return pkg.deep.leaf.NAME"),
    "several in one statement": ("import os, helper, pkg.sub as s", "return s.NAME + helper.NAME + os.sep"),
    "relative module": ("from . import helper", "return helper.NAME"),
    "relative name": ("from .helper import NAME", "return NAME"),
    "relative package": ("from .pkg import sub", "return sub.NAME"),
    "namespace folder": ("import space.part", "return space.part.NAME"),
    "from namespace folder": ("from space import part", "return part.NAME"),
    "helper that imports a helper": ("import outer", "return outer.NAME"),
    "package that imports relatively": ("from pkg import relative", "return relative.NAME"),
    "package that imports a module beside it": ("from pkg import absolute", "return absolute.NAME"),
    "late import": ("", "import helper; return helper.NAME"),
    "late import of a submodule": ("", "import pkg.sub; return pkg.sub.NAME"),
    "late from import": ("", "from pkg.sub import NAME; return NAME"),
    "late relative import": ("", "from . import helper; return helper.NAME"),
    "late import in a helper": ("import outer", "return outer.late()"),
    "under try": ("try:\n    import helper\nexcept ImportError:\n    helper = None", "return helper.NAME"),
    "in a class body": ("class K:\n    import helper\n    n = helper.NAME", "return K.n"),
    "with global": ("def _load():\n    global helper\n    import helper\n_load()", "return helper.NAME"),
}


def modules(name: str) -> dict[str, str]:
    line = f"NAME = {name!r}\n"
    return {
        "helper.py": line,
        "pkg/__init__.py": line,
        "pkg/sub.py": line,
        "pkg/deep/__init__.py": "",
        "pkg/deep/leaf.py": line,
        "pkg/relative.py": "from .sub import NAME\nfrom .. import helper\nassert helper.NAME == NAME\n",
        "pkg/absolute.py": "from helper import NAME\n",
        "space/part.py": line,
        "outer.py": """\
            import helper
            NAME = helper.NAME
            def late():
                from pkg.deep import leaf
                return leaf.NAME
        """,
    }


def who(top: str, body: str) -> str:
    return f"{top}\n\ndef _find():\n    {body}\n\ndef who(context, request):\n    return _find()\n"


@pytest.fixture(autouse=True)
def _imports_stay_as_they_are() -> Iterator[None]:
    before = list(sys.path)
    yield
    assert sys.path == before


@pytest.mark.parametrize(("top", "body"), WAYS.values(), ids=WAYS)
def test_two_functions_each_find_their_own_modules(make_client: MakeClient, top: str, body: str):
    clients = {
        name: make_client({"function.py": who(top, body), **modules(name)}, name) for name in ("first", "second")
    }
    for name, client in [*clients.items(), *reversed(clients.items())]:
        assert name in client.get("/who").text


def test_modules_that_import_each_other_can_be_loaded(make_client: MakeClient):
    client = make_client(
        {
            "function.py": "import a\ndef who(context, request):\n    return a.name()\n",
            "a.py": "import b\ndef name():\n    return b.name()\n",
            "b.py": "import a\ndef name():\n    return 'circle' if a.name else ''\n",
        }
    )
    assert client.get("/who").text == "circle"


def test_a_helper_that_imports_the_function_gets_the_one_that_is_served(make_client: MakeClient):
    client = make_client(
        {
            "function.py": """\
                calls = []
                def who(context, request):
                    import helper
                    helper.count()
                    return str(len(calls))
            """,
            "helper.py": "def count():\n    import function\n    function.calls.append(1)\n",
        }
    )
    assert client.get("/who").text == "1"
    assert client.get("/who").text == "2"


@pytest.mark.parametrize("name", ["calendar", "string", "queue", "token", "types_", "flask_helpers"])
def test_an_own_module_wins_over_a_module_of_python_with_its_name(make_client: MakeClient, name: str):
    source = f"import {name}\ndef who(context, request):\n    return {name}.NAME\n"
    client = make_client({"function.py": source, f"{name}.py": "NAME = 'own'\n"})
    assert client.get("/who").text == "own"
    assert getattr(sys.modules.get(name), "NAME", None) != "own"


def test_python_itself_does_not_see_an_own_module_with_the_name_of_one_of_its_own(make_client: MakeClient):
    source = """\
        import email.utils
        import calendar
        def who(context, request):
            return email.utils.formatdate(0) + calendar.NAME
    """
    client = make_client({"function.py": source, "calendar.py": "NAME = 'own'\n"})
    assert client.get("/who").text == "Thu, 01 Jan 1970 00:00:00 -0000own"


def test_a_data_folder_does_not_hide_an_installed_module(make_client: MakeClient):
    source = "import json, flask\ndef who(context, request):\n    return json.dumps(flask.__name__)\n"
    client = make_client({"function.py": source, "json/data.txt": "x", "flask/data.txt": "x"})
    assert client.get("/who").text == '"flask"'


def test_dataclasses_and_type_hints_are_resolved_where_they_are_written(make_client: MakeClient):
    source = """\
        from __future__ import annotations
        from dataclasses import dataclass, field, fields
        from typing import ClassVar, get_type_hints
        from helper import Colour

        @dataclass(slots=True)
        class Car:
            colour: Colour
            kind: ClassVar[str] = "car"
            wheels: list[int] = field(default_factory=list)

        def who(context, request) -> Car:
            names = [f.name for f in fields(Car)]
            hints = get_type_hints(Car)["colour"], get_type_hints(who)["return"]
            return {"names": names, "hints": [hint.__name__ for hint in hints]}
    """
    client = make_client({"function.py": source, "helper.py": "class Colour: ...\n"})
    assert client.get("/who").json == {"names": ["colour", "wheels"], "hints": ["Colour", "Car"]}


def test_what_a_function_defines_can_be_pickled_and_copied(make_client: MakeClient):
    source = """\
        import copy, pickle
        from helper import Thing
        class Own:
            value = 1
        def who(context, request):
            assert type(pickle.loads(pickle.dumps(Thing()))) is Thing
            return type(copy.deepcopy(pickle.loads(pickle.dumps(Own())))).__name__
    """
    client = make_client({"function.py": source, "helper.py": "class Thing: ...\n"})
    assert client.get("/who").text == "Own"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_processes_made_by_fork_run_functions_of_the_module(make_function: MakeFunction):
    folder = make_function(
        {
            "function.py": """\
                import multiprocessing
                import helper
                def _square(n):
                    import helper
                    return n * n + helper.ZERO
                def who(context, request):
                    with multiprocessing.get_context("fork").Pool(1) as pool:
                        return pool.map(_square, [1, 2, 3])
            """,
            "helper.py": "ZERO = 0\n",
        }
    )
    script = """
        import sys
        from sinchfn import create_app
        app = create_app(sys.argv[1], config={"SINCHFN_USAGE": "off"})
        print(app.test_client().get("/who").json)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "[1, 4, 9]", done.stderr


def test_tracebacks_and_sources_are_those_of_the_file(make_function: MakeFunction, caplog: pytest.LogCaptureFixture):
    folder = make_function(
        {
            "function.py": """\
                import inspect, pkg.sub

                def who(context, request):
                    import helper
                    return inspect.getsource(helper.fail) + inspect.getsource(who)

                def boom(context, request):
                    import helper  # a line that is rewritten
                    from pkg import sub
                    return helper.fail()
            """,
            "helper.py": "import pkg.sub\n\ndef fail():\n    raise RuntimeError('here')\n",
            "pkg/__init__.py": "",
            "pkg/sub.py": "",
        }
    )
    client = create_app(folder, config={"SINCHFN_USAGE": "off"}).test_client()
    shown = client.get("/who").text
    assert "raise RuntimeError('here')" in shown
    assert "def who(context, request):" in shown
    assert client.get("/boom").status_code == 500
    assert f'File "{folder / "helper.py"}", line 4, in fail' in caplog.text
    assert f'File "{folder / "function.py"}", line 10, in boom' in caplog.text
    assert "return helper.fail()" in caplog.text


def test_builtins_that_somebody_patched_are_seen(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch):
    client = make_client(
        {
            "function.py": "import helper\ndef who(context, request):\n    return helper.total()\n",
            "helper.py": "def total():\n    return str(sum([1, 2]))\n",
        }
    )
    monkeypatch.setattr(builtins, "sum", lambda _: 42)
    assert client.get("/who").text == "42"


def test_nothing_is_written_beside_the_function(make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = make_function({"function.py": who("import pkg.sub, outer", "return outer.late()"), **modules("x")})
    before = sorted(folder.rglob("*"))
    client = create_app(folder, config={"SINCHFN_USAGE": "off"}).test_client()
    assert client.get("/who").text == "x"
    assert sorted(folder.rglob("*")) == before


def test_existing_bytecode_is_not_used(make_function: MakeFunction):
    import py_compile

    folder = make_function({"function.py": who("import helper", "return helper.NAME"), "helper.py": "NAME = 'old'\n"})
    py_compile.compile(str(folder / "helper.py"), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    (folder / "helper.py").write_text("NAME = 'new'\n")
    assert create_app(folder, config={"SINCHFN_USAGE": "off"}).test_client().get("/who").text == "new"


@pytest.mark.parametrize("edited", ["function.py", "helper.py", "pkg/sub.py"])
def test_a_second_app_sees_edited_code_also_of_the_same_age_and_size(make_function: MakeFunction, edited: str):
    files = {
        "function.py": "import helper, pkg.sub\ndef who(context, request):\n    return 'old' + helper.N + pkg.sub.N\n",
        "helper.py": "N = 'old'\n",
        "pkg/__init__.py": "",
        "pkg/sub.py": "N = 'old'\n",
    }
    folder = make_function(files)
    first = create_app(folder, config={"SINCHFN_USAGE": "off"}).test_client()
    file = folder / edited
    stat = file.stat()
    file.write_text(file.read_text().replace("old", "new"))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    second = create_app(folder, config={"SINCHFN_USAGE": "off"}).test_client()
    assert second.get("/who").text.count("new") == 1
    assert first.get("/who").text == "oldoldold"


def test_a_module_written_after_the_load_is_found_by_a_late_import_in_the_next_app(make_function: MakeFunction):
    folder = make_function({"function.py": who("", "import helper; return helper.NAME")})
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("helper")
    (folder / "helper.py").write_text("NAME = 'late'\n")
    assert create_app(folder, config={"SINCHFN_USAGE": "off"}).test_client().get("/who").text == "late"


def test_a_failed_load_leaves_no_modules_behind(make_function: MakeFunction):
    folder = make_function({"function.py": "import helper\nraise RuntimeError\n", "helper.py": ""}, "leftover")
    with pytest.raises(FunctionError):
        create_app(folder)
    assert [name for name in sys.modules if "leftover" in name] == []


# ---------------------------------------------------------------------------------------------------- ways to name it


def test_a_function_can_be_named_by_file_or_folder_as_text_or_path(make_function: MakeFunction):
    folder = make_function("def who(context, request):\n    return 'x'\n")
    for named in (folder, str(folder), folder / "function.py", str(folder / "function.py"), f"{folder}/"):
        app = create_app(named, config={"SINCHFN_USAGE": "off"})
        assert app.test_client().get("/who").text == "x"


def test_without_a_name_it_is_the_variable_then_function_py_in_the_working_directory(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch
):
    here = make_function("def who(context, request):\n    return 'here'\n", "here")
    other = make_function("def who(context, request):\n    return 'other'\n", "other")
    third = make_function("def who(context, request):\n    return 'third'\n", "third")
    monkeypatch.chdir(here)
    assert create_app(config={"SINCHFN_USAGE": "off"}).test_client().get("/who").text == "here"
    monkeypatch.setenv("SINCHFN_FUNCTION", str(other))
    monkeypatch.setenv("SINCHFN_USAGE", "off")
    assert create_app().test_client().get("/who").text == "other"
    app = create_app(config={"SINCHFN_FUNCTION": str(third)})
    assert app.test_client().get("/who").text == "third"


def test_a_relative_path_stays_good_when_the_working_directory_changes(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch
):
    source = "def who(context, request):\n    import helper\n    return helper.NAME\n"
    folder = make_function({"function.py": source, "helper.py": "NAME = 'x'\n", "public/a.txt": "a"})
    monkeypatch.chdir(folder.parent)
    client = create_app("fn/function.py", config={"SINCHFN_USAGE": "off"}).test_client()
    monkeypatch.chdir("/")
    assert client.get("/who").text == "x"
    with client.get("/a.txt") as answer:
        assert answer.text == "a"


@pytest.mark.parametrize(
    "file", ["my-function.py", "my function.py", "1st.py", "a.b.py", "größe.py", "class.py", "main.py", "json.py"]
)
def test_a_file_may_have_any_name(make_function: MakeFunction, file: str):
    source = "import helper\nimport json\ndef who(context, request):\n    return helper.NAME\n"
    folder = make_function({file: source, "helper.py": "NAME = 'x'\n"})
    client = create_app(folder / file, config={"SINCHFN_USAGE": "off"}).test_client()
    assert client.get("/who").text == "x"


@pytest.mark.parametrize("name", ["my-fn", "my fn", "1st", "a.b", "größe", "class", "a@1", "json"])
def test_a_folder_may_have_any_name(make_client: MakeClient, name: str):
    files = {"function.py": who("import helper", "return helper.NAME"), "helper.py": "NAME = 'x'\n"}
    assert make_client(files, name).get("/who").text == "x"


def test_a_file_reached_through_a_link_finds_the_modules_beside_the_file_itself(
    make_function: MakeFunction, tmp_path: Path
):
    folder = make_function({"function.py": who("import helper", "return helper.NAME"), "helper.py": "NAME = 'x'\n"})
    (tmp_path / "linked").symlink_to(folder)
    client = create_app(tmp_path / "linked", config={"SINCHFN_USAGE": "off"}).test_client()
    assert client.get("/who").text == "x"


def test_a_function_can_be_a_module_object(tmp_path: Path):
    module = ModuleType("made_by_hand")
    exec("def who(context, request):\n    return 'by hand'\n", module.__dict__)
    assert create_app(module, config={"SINCHFN_USAGE": "off"}).test_client().get("/who").text == "by hand"


def test_a_function_can_be_a_dotted_module_name(make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch):
    folder = make_function(
        {
            "dottedpkg/__init__.py": "",
            "dottedpkg/voice.py": "from . import helper\ndef who(context, request):\n    return helper.NAME\n",
            "dottedpkg/helper.py": "NAME = 'dotted'\n",
            "dottedpkg/public/a.txt": "public of the package",
        }
    )
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(folder))
        client = create_app("dottedpkg.voice", config={"SINCHFN_USAGE": "off"}).test_client()
        assert client.get("/who").text == "dotted"
        with client.get("/a.txt") as answer:
            assert answer.text == "public of the package"
    for name in ("dottedpkg", "dottedpkg.voice", "dottedpkg.helper"):
        sys.modules.pop(name)


def test_a_module_that_the_host_has_imported_is_shared(make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch):
    folder = make_function(
        {
            "hostmodels.py": "users = []\n",
            "hostpkg/__init__.py": "",
            "hostpkg/db.py": "rows = []\n",
            "function.py": """\
                import hostmodels
                from hostpkg.db import rows
                def who(context, request):
                    return [len(hostmodels.users), len(rows)]
            """,
        }
    )
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(folder))
        models = importlib.import_module("hostmodels")
        db = importlib.import_module("hostpkg.db")
        host = Flask("host")
        SinchFunctions(folder, config={"SINCHFN_USAGE": "off"}).init_app(host, url_prefix="/fn")
        models.users.append("somebody")
        db.rows.extend([1, 2])
        assert host.test_client().get("/fn/who").json == [1, 2]
    for name in ("hostmodels", "hostpkg", "hostpkg.db"):
        sys.modules.pop(name)


def test_a_module_of_the_same_name_from_elsewhere_is_not_shared(
    make_function: MakeFunction, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = make_function({"helper_elsewhere.py": "NAME = 'foreign'\n"}, "elsewhere")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(elsewhere))
        importlib.import_module("helper_elsewhere")
        files = {
            "function.py": who("import helper_elsewhere as h", "return h.NAME"),
            "helper_elsewhere.py": "NAME = 'own'\n",
        }
        assert make_client(files).get("/who").text == "own"
    sys.modules.pop("helper_elsewhere")


def test_an_installed_module_is_shared(make_client: MakeClient):
    client = make_client("import flask\ndef who(context, request):\n    return str(id(flask))\n")
    assert client.get("/who").text == str(id(sys.modules["flask"]))


def test_a_form_feed_an_encoding_line_and_windows_line_ends_are_read_as_python_reads_them(make_client: MakeClient):
    source = "# -*- coding: latin-1 -*-\r\n\x0cdef who(context, request):\r\n    return 'ä'\r\n".encode("latin-1")
    assert make_client({"function.py": source}).get("/who").text == "ä"


# ------------------------------------------------------------------------------------------------- errors at the start

BROKEN: dict[str, tuple[dict[str, str], list[str]]] = {
    "syntax error in the function": (
        {"function.py": "x = 1\ndef ice(context, data:\n    pass\n"},
        ["function.py", "line 2", "SyntaxError", "def ice(context, data:"],
    ),
    "indentation error": (
        {"function.py": "def ice(context, data):\nreturn 1\n"},
        ["function.py", "line 2", "IndentationError"],
    ),
    "syntax error in a module": (
        {"function.py": "import helper\n", "helper.py": "\n\nx = = 2\n"},
        ["helper.py", "line 3", "SyntaxError", "x = = 2"],
    ),
    "name that is not in a module": (
        {"function.py": "\nfrom helper import nothing\n", "helper.py": ""},
        ["function.py", "line 2", "ImportError", "nothing", "from helper import nothing"],
    ),
    "missing third-party module": (
        {"function.py": "\n\nimport surely_not_installed.part\n"},
        ["function.py", "line 3", "surely_not_installed", "requirements.txt"],
    ),
    "missing third-party module in a module": (
        {"function.py": "import helper\n", "helper.py": "\nimport surely_not_installed\n"},
        ["helper.py", "line 2", "surely_not_installed", "requirements.txt"],
    ),
    "missing module in a package": (
        {"function.py": "import pkg.nope\n", "pkg/__init__.py": ""},
        ["function.py", "line 1", "pkg.nope"],
    ),
    "missing relative module": (
        {"function.py": "from . import nope\n"},
        ["function.py", "line 1", "nope"],
    ),
    "exception at import": (
        {"function.py": "import helper\n\nhelper.load()\n", "helper.py": "def load():\n    raise KeyError('users')\n"},
        ["helper.py", "line 2", "KeyError", "users", "load"],
    ),
    "exception without a text": (
        {"function.py": "\nraise NotImplementedError\n"},
        ["function.py", "line 2", "NotImplementedError"],
    ),
    "exit at import": (
        {"function.py": "import sys\nsys.exit(3)\n"},
        ["function.py", "line 2", "SystemExit", "must not exit"],
    ),
    "exit in a module": (
        {"function.py": "import helper\n", "helper.py": "raise SystemExit\n"},
        ["helper.py", "line 1", "SystemExit", "must not exit"],
    ),
    "syntax error in a text that the function parses": (
        {"function.py": "import ast\n\nast.parse('1 +')\n"},
        ["function.py", "line 3", "SyntaxError"],
    ),
    "bytes that are not utf-8": (
        {"function.py": "x = 1\ny = '\udcff'\n"},
        ["function.py", "utf-8"],
    ),
    "a file with a NUL": (
        {"function.py": "x = 1\x00\n"},
        ["function.py", "null byte"],
    ),
}


ENVIRON = {
    "at import": "import os\nX = os.environ['ORDERS_URL']\n",
    "in a module": "import helper\n",
    "behind another error": (
        "import os\ntry:\n    os.environ['ORDERS_URL']\nexcept KeyError:\n    raise RuntimeError('not set up')\n"
    ),
    "in setup": "import os\ndef setup(runtime): os.environ['ORDERS_URL']\n",
}


@pytest.mark.parametrize("source", ENVIRON.values(), ids=ENVIRON)
@pytest.mark.parametrize("file", [".env", "sinch.json"])
def test_a_variable_that_is_only_in_a_file_of_the_function_is_pointed_out(
    make_function: MakeFunction, source: str, file: str
):
    text = "ORDERS_URL=http://orders" if file == ".env" else '{"variables": {"ORDERS_URL": "http://orders"}}'
    files = {"function.py": source, "helper.py": "import os\nos.environ['ORDERS_URL']\n", file: text}
    with pytest.raises(FunctionError) as caught:
        create_app(make_function(files))
    for word in ("ORDERS_URL", f"{file}, which is not part of os.environ", "context.config", "runtime.config"):
        assert word in caught.value.message


def test_there_is_no_hint_if_the_variable_is_unset_or_the_key_is_not_of_os_environ(
    make_function: MakeFunction,
):
    for number, line in enumerate(["os.environ['ELSEWHERE']", "{}['ORDERS_URL']"]):
        files = {"function.py": f"import os\n{line}\n", ".env": "ORDERS_URL=http://orders"}
        with pytest.raises(FunctionError) as caught:
            create_app(make_function(files, f"fn{number}"))
        assert "os.environ:" not in caught.value.message


@pytest.mark.parametrize(("files", "expected"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_loaded_says_where_and_why(make_function: MakeFunction, files: Any, expected: list[str]):
    folder = make_function({name: text.encode("utf-8", "surrogateescape") for name, text in files.items()})
    with pytest.raises(FunctionError) as caught:
        create_app(folder)
    message = str(caught.value)
    for word in expected:
        assert word in message
    assert str(folder) in message
    assert "@" not in message.replace(str(folder), ""), "the name of our own package means nothing to the user"
    assert len(message.strip().splitlines()) > 1, "the last line is the remedy"
    assert isinstance(caught.value, StartupError)


def test_a_missing_file_is_named_with_what_is_beside_it(make_function: MakeFunction):
    folder = make_function({"functions.py": "", "main.py": "", "notes.txt": ""})
    with pytest.raises(FunctionError) as caught:
        create_app(folder / "function.py")
    message = str(caught.value)
    for word in (str(folder / "function.py"), "functions.py", "main.py", "SINCHFN_FUNCTION"):
        assert word in message
    assert "notes.txt" not in message


def test_a_folder_without_function_py_is_named_with_what_is_in_it(make_function: MakeFunction):
    folder = make_function({"main.py": ""})
    with pytest.raises(FunctionError, match=r"main\.py"):
        create_app(folder)


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(FunctionError, match="no-such-folder"):
        create_app(tmp_path / "no-such-folder" / "function.py")


def test_without_a_function_in_the_working_directory_the_message_says_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FunctionError) as caught:
        create_app()
    assert str(tmp_path / "function.py") in str(caught.value)


def test_a_name_that_is_neither_file_nor_module_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FunctionError) as caught:
        create_app("no_such_module.voice")
    assert "no_such_module.voice" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_file_that_is_not_python_is_refused(make_function: MakeFunction):
    folder = make_function({"function.txt": "ice"})
    with pytest.raises(FunctionError, match=r"function\.txt"):
        create_app(folder / "function.txt")


def test_a_dotted_name_whose_own_import_fails_names_what_is_missing(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch
):
    folder = make_function({"dottedbroken.py": "\nimport surely_not_installed\n"})
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(folder))
        with pytest.raises(FunctionError) as caught:
            create_app("dottedbroken")
    assert 'Install "surely_not_installed"' in str(caught.value)
    assert "dottedbroken.py" in str(caught.value)
    assert "line 2" in str(caught.value)


def test_an_interrupt_while_loading_is_not_an_error_of_the_function(make_function: MakeFunction):
    folder = make_function("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        create_app(folder)


def test_the_error_of_a_function_in_a_host_is_the_same(make_function: MakeFunction):
    folder = make_function("import surely_not_installed\n")
    with pytest.raises(FunctionError, match="surely_not_installed"):
        SinchFunctions(folder).init_app(Flask("host"), url_prefix="/fn")
