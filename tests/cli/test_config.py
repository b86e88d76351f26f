"""The output of commands: ``sinchfn config``, also with faulty settings; ``routes``; the help."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sinchfn.cli.commands import main
from sinchfn.config.settings import SETTINGS
from tests.harness.app import MakeFunction
from tests.harness.paths import ROOT

NAMES = ["SINCHFN_FUNCTION", *(setting.name for setting in SETTINGS)]

FILES = {
    "function.py": "def hello(context, request): return 'hi'",
    "sinch.json": json.dumps(
        {
            "name": "shop",
            "variables": {"COLOUR": "red", "SIZE": 5, "SINCHFN_MAX_BODY": 2048},
            "secrets": ["SESAME", "UNSET"],
        }
    ),
    ".env": "COLOUR=blue\nSESAME=open-canary\nMY_TOKEN=canary-token\nEMPTY=\nADMIN_PASSWORD=canary-password\n"
    "SHOP=postgres://shop:canary-pw@db.example.com/shop\nREPEATED=canary-token, once more\n",
}
SET = {
    "SINCHFN_CACHE_URL": "redis://:canary-cache@redis.example.com:6379/0",
    "SINCHFN_PUBLIC_URL": "https://voice.example.com/functions/a/path/that/is/rather/long",
    "COLOUR": "green",
}


@pytest.fixture
def show(make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """``show("--json", files={...}, width=80, **env)``: the result of the command for a function of FILES."""

    def run(*arguments: str, files: Mapping[str, str] | None = None, width: int | None = None, **env: str) -> Result:
        folder = make_function(FILES | dict(files or {}))
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("COLUMNS", raising=False)
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
        return CliRunner().invoke(main, ["config", str(folder), *arguments])

    return run


Show = Callable[..., Result]


def rows_of(result: Result) -> dict[str, dict[str, Any]]:
    shown = json.loads(result.stdout)
    return {row["name"]: row for row in [*shown["settings"], *shown["variables"]]}


def test_every_setting_is_shown_with_value_origin_and_meaning(show: Show) -> None:
    lines = show(**SET).stdout.splitlines()
    found = [line for line in lines if line.split("  ")[0] in NAMES]
    assert [line.split("  ")[0] for line in found] == NAMES
    for setting, line in zip(SETTINGS, found[1:], strict=True):
        assert line.endswith(setting.meaning.replace("`", ""))
    [cache] = [line for line in found if line.startswith("SINCHFN_CACHE_URL")]
    assert re.split(r"  +", cache)[:3] == [
        *("SINCHFN_CACHE_URL", "redis://:***@redis.example.com:6379/0", "environment")
    ]


def test_the_json_has_the_same(show: Show) -> None:
    result = show("--json", **SET)
    shown = json.loads(result.stdout)
    assert (shown["function"], shown["environment"], shown["faults"]) == ("shop", "production", [])
    assert [row["name"] for row in shown["settings"]] == NAMES
    rows = rows_of(result)
    assert rows["SINCHFN_MAX_BODY"] == {
        "name": "SINCHFN_MAX_BODY",
        "value": "2048",
        "from": "sinch.json",
        "default": False,
        "meaning": "largest request body, in bytes; 33554432 for agents' events, unless set; larger bodies get a 413",
    }
    origins = {name: rows[name]["from"] for name in ("SINCHFN_FUNCTION", "SINCHFN_ENV", "ADMIN_PASSWORD", *SET, "SIZE")}
    assert origins == {
        "SINCHFN_FUNCTION": "argument",
        "SINCHFN_ENV": "default",
        "ADMIN_PASSWORD": ".env",
        "SINCHFN_CACHE_URL": "environment",
        "SINCHFN_PUBLIC_URL": "environment",
        "COLOUR": "environment",
        "SIZE": "sinch.json",
    }
    assert rows["PROJECT_ID"]["value"] is None
    assert rows["SINCHFN_LOG_LEVEL"]["value"] == "INFO"


def test_the_functions_own_variables_are_shown_and_nothing_else_of_the_environment(show: Show) -> None:
    result = show("--json", SOMETHING_ELSE="of the process", **SET)
    shown = {row["name"]: row["value"] for row in json.loads(result.stdout)["variables"]}
    assert shown == {
        "COLOUR": "green",
        "SIZE": "5",
        "SESAME": "***",
        "UNSET": None,
        "MY_TOKEN": "***",
        "EMPTY": None,
        "SHOP": "postgres://shop:***@db.example.com/shop",
        "REPEATED": "***, once more",
    }


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--dev",)])
@pytest.mark.parametrize("width", [None, 80, 120])
def test_no_secret_is_shown(show: Show, arguments: tuple[str, ...], width: int | None) -> None:
    result = show(*arguments, width=width, **SET, VOICE_APPLICATION_SECRET="Y2FuYXJ5", SINCHFN_LOG_LEVEL="canary-token")
    assert result.output.count("***") >= 6
    assert "canary" not in result.output
    assert "Y2FuYXJ5" not in result.output


def test_values_of_development_are_shown_on_request(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    def values(*arguments: str) -> list[str]:
        rows = rows_of(show(*arguments, "--json"))
        return [rows[name]["value"] for name in ("SINCHFN_ENV", "SINCHFN_SVAML", "SINCHFN_CACHE_URL")]

    assert values() == ["production", "warn", "sqlite:data/cache.db"]
    assert values("--dev") == ["development", "strict", "memory:"]
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert values() == ["development", "strict", "memory:"]


@pytest.mark.parametrize("width", [80, 100, 119, 120, 160])
def test_it_can_be_read_in_a_terminal(show: Show, width: int) -> None:
    lines = show(width=width, **SET).stdout.splitlines()[1:]  # the first has the folder, however long that is
    values = ("https://", "postgres://", "/fn")  # which are not broken, to be copied
    assert [line for line in lines if len(line) > width and not any(value in line for value in values)] == []
    assert sorted(line.split("  ")[0] for line in lines if line.startswith(tuple(NAMES))) == sorted(NAMES)
    places = [
        re.search(r"  +(?=(default|argument|environment|\.env|sinch\.json)\b)", line)
        for line in lines[1:]
        if line[:1] != " "
    ]
    ends = [found.end() for found in places if found and not any(value in found.string for value in values)]
    assert len(set(ends)) == 1, "where values came from stands in one column"
    assert lines[lines.index("Variables of the function") + 1].startswith("COLOUR ")


@pytest.mark.parametrize("width", [80, 119])
def test_in_a_narrow_terminal_what_is_set_comes_first_and_each_row_is_one_line(show: Show, width: int) -> None:
    text = show(width=width, **SET).stdout
    above, defaults = text.split("\nDefaults\n")
    given, variables = above.split("\nVariables of the function\n")
    rows = [line.split("  ")[0] for line in given.splitlines()[3:]]
    wanted = [name for name in NAMES if name in (*SET, "SINCHFN_FUNCTION", "SINCHFN_MAX_BODY", "ADMIN_PASSWORD")]
    assert rows == wanted
    assert re.search(r"^SINCHFN_CACHE_URL  +redis://:\*\*\*@redis\.example\.com:6379/0  +environment", given, re.M)
    assert len(variables.splitlines()) == 8
    shown = defaults.splitlines()
    assert [line.split("  ")[0] for line in shown] == [name for name in NAMES if name not in wanted]
    assert re.search(r"^SINCHFN_LOG_FORMAT  +json  +text or json$", defaults, re.M)
    assert not [line for line in text.splitlines() if line.startswith(" ")]


@pytest.mark.parametrize("width", [None, 80, 120])
def test_a_value_with_control_characters_is_one_line(show: Show, width: int | None) -> None:
    files = {
        ".env": 'ADMIN_USER="a\\nb"\nVERSES="one\\ntwo"\n',
        "sinch.json": '{"name": "x\\ny", "variables": {"BELL": "\\u001b[31m"}}',
    }
    result = show(files=files, width=width)
    for shown in (r"one\ntwo", r"a\nb", r"\x1b[31m"):
        assert shown in result.stdout
    assert result.stdout.startswith(r"x\ny, production")
    assert "\x1b" not in result.stdout
    assert "\ntwo" not in result.stdout


def test_a_misspelt_secret_is_not_shown(show: Show) -> None:
    result = show(files={".env": "ADMIN_PASWORD=canary-password\nDB_PASS=canary-pass\n"})
    assert 'Did you mean "ADMIN_PASSWORD"?' in result.output
    assert "canary" not in result.output


def test_faults_that_only_the_services_find_are_shown(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    result = show(SINCHFN_CACHE_URL="memory:")
    assert (result.exit_code, "Warning: SINCHFN_CACHE_URL is memory" in result.output) == (0, True)
    monkeypatch.setitem(sys.modules, "redis", None)
    result = show(SINCHFN_CACHE_URL="redis://:canary-pw@host")
    assert result.exit_code == 1
    assert re.search(r"^Error: .*sinchfn\[redis\]", result.output, re.M)
    assert "canary" not in result.output
    assert len(json.loads(show("--json").stdout)["faults"]) == 1


def test_without_a_terminal_each_setting_is_one_line(show: Show) -> None:
    lines = show().stdout.splitlines()
    assert len([line for line in lines if line.startswith(tuple(NAMES))]) == len(NAMES)
    assert not [line for line in lines if line.startswith(" ")]


WRONG = {"SINCHFN_ENV": "prod", "SINCHFN_MAX_BODY": "lots", "SINCHFN_CACHE_URL": "redi://:canary-pw@host"}


def test_all_faults_are_shown_and_the_rest_as_well(show: Show) -> None:
    result = show(files={".env": "GOOD=1\nBAD='never closed\n", "sinch.json": '{"name": 5}'}, **WRONG)
    assert result.exit_code == 1
    for word in (*WRONG, ".env, line 2", "sinch.json: name is a number"):
        assert re.search(rf"^Error: .*{re.escape(word)}", result.output, re.M), word
    assert [line.split("  ")[0] for line in result.output.splitlines() if line.startswith(tuple(NAMES))] == NAMES
    assert "canary" not in result.output
    assert "GOOD" in result.output


def test_faults_are_in_the_json(show: Show) -> None:
    result = show("--json", **WRONG)
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["faults"]) == 3
    assert rows_of(result)["SINCHFN_MAX_BODY"]["value"] == "lots"


def test_oddities_are_warned_about(show: Show) -> None:
    odd = {"SINCHFN_LOGFORMAT": "json", "VOICE_APPLICATION_SECRT": "canary", "sinchfn_env": "development"}
    result = show(files={"sinch.json": '{"variables": {"API_KEY": "canary-key"}}', ".env": ""}, **odd)
    assert result.exit_code == 0
    for name in (*odd, "API_KEY"):
        assert re.search(rf"^Warning: .*{name}", result.output, re.M), name
    assert 'Did you mean "VOICE_APPLICATION_SECRET"?' in result.output
    assert "canary" not in result.output


@pytest.mark.parametrize("source", ["def ice(context): pass", "raise ValueError('at import')", "def", None])
def test_the_function_may_be_broken_or_not_there(tmp_path: Path, source: str | None) -> None:
    if source is not None:
        (tmp_path / "function.py").write_text(source)
    (tmp_path / ".env").write_text("GREETING=hello\n")
    for given in (tmp_path, tmp_path / "function.py"):
        result = CliRunner().invoke(main, ["config", str(given)])
        assert result.exit_code == 0
        assert "hello" in result.output


@pytest.mark.parametrize("given", ["no/such/folder", "no.such.package", "nosuchmodule", "."])
def test_an_unknown_function_is_an_error_or_counts_as_this_folder(tmp_path: Path, given: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sinchfn", "config", given], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr
    assert ("There is no folder" in done.stderr) == (given == "no/such/folder") == (done.returncode == 2)


def test_without_an_argument_it_is_the_function_of_the_variable(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = make_function(FILES)
    monkeypatch.chdir(tmp_path)
    assert "shop" not in CliRunner().invoke(main, ["config"]).output
    monkeypatch.setenv("SINCHFN_FUNCTION", str(folder))
    result = CliRunner().invoke(main, ["config", "--json"])
    assert json.loads(result.stdout)["function"] == "shop"
    assert rows_of(result)["SINCHFN_FUNCTION"]["from"] == "environment"


def test_there_are_colours_on_a_terminal_only(make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(make_function(FILES))
    assert "\x1b[" not in CliRunner().invoke(main, ["config", folder]).output
    assert "\x1b[" in CliRunner().invoke(main, ["config", folder], color=True).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in CliRunner().invoke(main, ["config", folder], color=True).output


def test_the_table_of_the_readme_is_the_one_that_is_printed(tmp_path: Path) -> None:
    done = run(tmp_path, "config", "--markdown")
    readme = (ROOT / "README.md").read_text()
    assert f"\n\n{done.stdout}\n" in readme, "write the output of `sinchfn config --markdown` into it"


def test_every_setting_has_a_meaning(show: Show) -> None:
    assert all(row["meaning"] for row in json.loads(show("--json").stdout)["settings"])


# ------------------------------------------------------------------------------------ routes, and the help


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    given = [sys.executable, "-m", "sinchfn", *arguments]
    return subprocess.run(given, cwd=folder, capture_output=True, text=True, timeout=60)


def test_the_routes_are_the_table_alone(make_function: MakeFunction, tmp_path: Path) -> None:
    source = "import logging\nlogging.warning('by itself')\ndef hello(c, r): pass\ndef ice(c, d): pass\n"
    folder = make_function({"function.py": source, ".env": "SINCHFN_CACHE=x\n"})
    for arguments in (["routes", str(folder)], ["routes", str(folder / "function.py")]):
        done = run(tmp_path, *arguments)
        assert done.stdout == (
            "  POST /       → voice callbacks (by event)\n  ANY  /hello  → hello\n  POST /ice    → ice (voice)\n"
        )
        assert "Warning: SINCHFN_CACHE is set" in done.stderr
        assert "WARNING by itself" in done.stderr
        assert "{" not in done.stderr
    assert run(folder, "routes").stdout == done.stdout


def test_a_function_without_handlers_has_no_routes(make_function: MakeFunction, tmp_path: Path) -> None:
    done = run(tmp_path, "routes", str(make_function({"function.py": "A = 1\n", "public/a.txt": "a"})))
    assert done.stdout == "  none: only the files in public/ are served\n"


@pytest.mark.parametrize("command", ["routes", "dev", "run"])
def test_a_missing_function_is_the_same_error_in_every_command(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: There is no function at {tmp_path}")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("routes", "--help"), ("nonsense",)])
def test_help_needs_no_function(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "function.py").write_text("raise ValueError('loaded')\n")
    for folder in (tmp_path, tmp_path / "empty"):
        folder.mkdir(exist_ok=True)
        done = run(folder, *arguments)
        assert "Usage: " in done.stdout + done.stderr
        assert "no function" not in done.stdout + done.stderr
        assert "loaded" not in done.stderr
