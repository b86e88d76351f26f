"""The sources of variables are the same in every server, although ``flask run`` itself reads a ``.env``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.harness.app import MakeFunction
from tests.harness.server import FLASK_RUN, on_free_port, until

NAMES = ("PLAIN", "HOME_COPY", "PRICE", "QUOTED", "ONLY_OWN", "ONLY_HERE", "SHARED", "TRUE_ENV", "NAMED", "SELF")
SOURCE = f"""\
    import json
    from sinchfn import IceSvamlBuilder

    def hello(context, request):
        return "hello"

    def setup(runtime):
        found = {{name: runtime.config.get_variable(name) for name in {NAMES!r}}}
        print("FOUND", json.dumps(found), flush=True)
"""
HOST = """\
    from flask import Flask
    from sinchfn import SinchFunctions

    app = Flask("host")
    SinchFunctions("fn").init_app(app, url_prefix="/voice")
"""
OWN = """\
PLAIN=own
HOME_COPY=${HOME}/own
PRICE=pa$$word$1
QUOTED='${PLAIN} and "more"'
ONLY_OWN=own
SHARED=own
TRUE_ENV=own
SELF=${SELF}:own
"""
HERE = """\
PLAIN=here
HOME_COPY=${HOME}/here
PRICE=here
ONLY_HERE=here
SHARED=here
TRUE_ENV=here
NAMED=here
SELF=here
"""
EXPECTED = {
    "PLAIN": "own",
    "HOME_COPY": "${HOME}/own",
    "PRICE": "pa$$word$1",
    "QUOTED": '${PLAIN} and "more"',
    "ONLY_OWN": "own",
    "ONLY_HERE": None,
    "SHARED": "own",
    "TRUE_ENV": "process",
    "NAMED": None,
    "SELF": "${SELF}:own",
}

FLASK = (sys.executable, "-m", "flask")
#: the same app, under each server: a command that loads it and ends
COMMANDS = {
    "flask routes": (*FLASK, "--app", "sinchfn", "routes"),
    "flask --debug routes": (*FLASK, "--app", "sinchfn", "--debug", "routes"),
    "flask --app sinchfn:create_app": (*FLASK, "--app", "sinchfn:create_app()", "routes"),
    "sinchfn routes": (sys.executable, "-m", "sinchfn", "routes"),
    "gunicorn": (sys.executable, "-m", "gunicorn", "--check-config", "sinchfn:create_app()"),
    "python": (sys.executable, "-c", "import sinchfn; sinchfn.create_app()"),
}


def ran(command: tuple[str, ...], folder: Path, **environ: str) -> tuple[dict[str, str | None], str]:
    """Return the variables that the function found, and the rest of the output."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SINCHFN_", "FLASK_"))}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**own, "SINCHFN_USAGE": "off", **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^FOUND (.*)$", done.stdout, re.MULTILINE)
    assert len(found) == 1
    return json.loads(found[0]), done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_functions_env_counts_as_it_is_written(make_function: MakeFunction, command: str):
    folder = make_function({"function.py": SOURCE, ".env": OWN})
    assert ran(COMMANDS[command], folder, TRUE_ENV="process")[0] == EXPECTED


@pytest.mark.parametrize("file", [".env", ".flaskenv"])
@pytest.mark.parametrize("command", COMMANDS)
def test_that_of_the_working_directory_does_not_count(make_function: MakeFunction, command: str, file: str):
    folder = make_function({"function.py": SOURCE, ".env": OWN})
    (folder.parent / file).write_text(HERE)
    environ = {"TRUE_ENV": "process", "SINCHFN_FUNCTION": "fn"}
    assert ran(COMMANDS[command], folder.parent, **environ)[0] == EXPECTED


@pytest.mark.parametrize("command", ["flask routes", "flask --debug routes"])
def test_nor_does_one_above_it(make_function: MakeFunction, command: str):
    folder = make_function({"function.py": SOURCE})
    (folder.parent / ".env").write_text(HERE)
    found, _ = ran(COMMANDS[command], folder)
    assert set(found.values()) == {None}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process was started with")
@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_shell_has_read_from_the_same_file_is_the_environment(make_function: MakeFunction, command: str):
    folder = make_function({"function.py": SOURCE, ".env": OWN})
    (folder.parent / ".env").write_text(HERE)
    found, _ = ran(COMMANDS[command], folder.parent, SINCHFN_FUNCTION="fn", SHARED="here", ONLY_HERE="here")
    assert (found["SHARED"], found["ONLY_HERE"], found["PLAIN"]) == ("here", "here", "own")


def test_a_file_that_is_named_is_the_environment(make_function: MakeFunction):
    folder = make_function({"function.py": SOURCE, ".env": OWN})
    (folder.parent / "named").write_text("NAMED=named\nPLAIN=named\n")
    command = (*FLASK, "--env-file", "named", "--app", "sinchfn", "routes")
    found, _ = ran(command, folder.parent, SINCHFN_FUNCTION="fn")
    assert (found["NAMED"], found["PLAIN"], found["ONLY_OWN"]) == ("named", "named", "own")


def test_flask_may_find_the_function_there_all_the_same(make_function: MakeFunction):
    folder = make_function({"function.py": SOURCE, ".env": OWN})
    (folder.parent / ".flaskenv").write_text("FLASK_APP=sinchfn\nSINCHFN_FUNCTION=fn\n")
    assert ran((*FLASK, "routes"), folder.parent)[0]["PLAIN"] == "own"


def test_a_setting_that_does_not_count_is_pointed_out_without_its_value(make_function: MakeFunction):
    folder = make_function({"function.py": SOURCE, "sinch.json": '{"variables": {"GREETING": ""}}'})
    text = "VOICE_APPLICATION_SECRET=c2VjcmV0LXNlY3JldA==\nGREETING=hi\nOTHER=x\nSINCHFN_LOG_LEVEL=INFO\n"
    (folder.parent / ".env").write_text(text)
    _, written = ran(COMMANDS["flask routes"], folder.parent, SINCHFN_FUNCTION="fn")
    assert "GREETING, SINCHFN_LOG_LEVEL, VOICE_APPLICATION_SECRET comes from a .flaskenv or .env" in written
    assert "c2VjcmV0LXNlY3JldA==" not in written
    assert "OTHER" not in written
    _, written = ran(COMMANDS["flask routes"], folder)
    assert "fn/.env" in written


def test_a_secret_that_does_not_count_is_struck_out_of_the_log_all_the_same(make_function: MakeFunction):
    source = f"""{SOURCE}
        import logging, os
        logging.getLogger("mine").warning("It is %s", os.environ["DATABASE_PASSWORD"])
    """
    folder = make_function({"function.py": source})
    (folder.parent / ".env").write_text("DATABASE_PASSWORD=sunshine99\n")
    _, written = ran(COMMANDS["flask routes"], folder.parent, SINCHFN_FUNCTION="fn")
    assert "It is ***" in written


def test_what_flask_read_for_a_host_yields_to_the_functions_own_file(make_function: MakeFunction):
    folder = make_function({"function.py": SOURCE, ".env": OWN})
    (folder.parent / "app.py").write_text(textwrap.dedent(HOST))
    (folder.parent / ".env").write_text(HERE)
    found, _ = ran((*FLASK, "--app", "app", "routes"), folder.parent, TRUE_ENV="process")
    assert found == EXPECTED | {"ONLY_HERE": "here", "NAMED": "here"}


def test_what_the_reloader_has_inherited_does_not_count(make_function: MakeFunction):
    folder = make_function({"function.py": SOURCE, ".env": OWN})
    (folder.parent / ".env").write_text(HERE)
    environ = {"SINCHFN_FUNCTION": "fn", "SINCHFN_USAGE": "off", "TRUE_ENV": "process"}
    with on_free_port([*FLASK_RUN, "--debug"], folder.parent, **environ) as server:
        found = until(lambda: len(lines := re.findall(r"^FOUND (.*)\n", server.log, re.M)) == 2 and lines)
    assert [json.loads(line) for line in found] == [EXPECTED, EXPECTED]
