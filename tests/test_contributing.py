"""CONTRIBUTING.md is true: the files and names in it exist, the map and the ladder are complete, the commands work."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.harness.paths import ROOT, TESTS

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
README = (ROOT / "README.md").read_text()
PACKAGE = ROOT / "sinchfn"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [
    shlex.split(command)
    for language, block in BLOCKS
    if language == "sh"
    for command in re.split(r"&&|\n", block)
    if command.strip()
]

#: The rows of a file and the names in it: a step or a question, `file`, `NAME`, `Class.method`.
ROWS = re.findall(r"^\| ([^|]+) \| `([^|`]+\.py)` \| ([^|]+) \|$", PAGE, re.MULTILINE)

#: Installed by a command of their own.
NOT_IN_THE_EXTRAS = ("tox", "pre-commit")

#: Tools whose ``--help`` is shown at once. Python is that of a script.
HAVE_HELP = ("pytest", "python")

SETUP = configparser.ConfigParser(interpolation=None)
SETUP.read(ROOT / "setup.cfg")


def words_of(command: list[str]) -> list[str]:
    """Return a command without the variables before it."""
    return [word for word in command if not re.match(r"[A-Z_]+=", word)]


def file_of(path: str) -> Path:
    return ROOT / path if path.startswith("tests/") else PACKAGE / path


@cache
def names_in(file: Path) -> frozenset[str]:
    """Return the names that a module defines or assigns at its top level, and ``Class.method`` of its classes."""

    def defined(body: list[ast.stmt]) -> Iterator[str]:
        for node in body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield name
                case ast.ClassDef(name=name):
                    yield name
                    yield from (f"{name}.{inner}" for inner in defined(node.body))
                case ast.Assign() | ast.AnnAssign():
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    found = (inner for target in targets for inner in ast.walk(target))
                    yield from (inner.id for inner in found if isinstance(inner, ast.Name))

    return frozenset(defined(ast.parse(file.read_text()).body))


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(("what", "path", "names"), ROWS, ids=[row[0] for row in ROWS])
def test_a_file_has_the_names_that_the_page_gives_it(what: str, path: str, names: str) -> None:
    assert file_of(path).is_file(), path
    listed = re.findall(r"`([^`]+)`", names)
    assert listed
    assert set(listed) <= names_in(file_of(path))


def test_every_row_with_a_file_is_checked() -> None:
    tables = PAGE.split("\n## How to add ...\n")[1]
    rows = [line for line in tables.splitlines() if line.startswith("| ") and not line.endswith(" file | name |")]
    assert len(rows) == len(ROWS)
    assert len(re.findall(r"^\| .*\? \|", section("Ten-second questions"), re.MULTILINE)) >= 25


def test_the_map_has_every_room_and_no_other() -> None:
    rooms = {f"{path.name}/" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in PACKAGE.glob("[!_]*.py")}
    first_table = section("The map").split("\n| folder")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", first_table, re.MULTILINE)) == rooms | modules


def test_the_map_has_every_folder_of_the_tests() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    own = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"} - rooms
    assert set(re.findall(r"`tests/([^`/]+)/`", section("The map"))) == own


def test_the_ladder_is_that_of_the_import_contract() -> None:
    layers = SETUP["importlinter:contract:layers"]["layers"].strip()
    assert [block.strip() for language, block in BLOCKS if language == "text"] == [layers]


def test_the_good_examples_are_in_the_code_and_the_bad_ones_are_not() -> None:
    source = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    good, bad = (re.findall(rf"{word}[\w ]*: `([^`]+)`", section("Style")) for word in ("Good", "Bad"))
    assert (len(good), len(bad)) == (3, 3)
    assert [text in source for text in good + bad] == [True] * 3 + [False] * 3


def test_the_two_commands_to_begin_with_are_those_of_the_readme() -> None:
    first, second, *_ = (block for language, block in BLOCKS if language == "sh")
    assert f"```sh\n{first}```" in README
    assert f"```sh\n{second}```" in README


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_names_a_tool_and_files_that_exist(command: list[str]) -> None:
    tool, *arguments = words_of(command)
    if tool.startswith(".ci/"):
        assert (ROOT / tool).stat().st_mode & 0o100
    elif Path(tool).name in NOT_IN_THE_EXTRAS:
        assert f".venv/bin/pip install {' '.join(NOT_IN_THE_EXTRAS)}\n" in PAGE
    else:
        assert (Path(sys.executable).parent / Path(tool).name).exists()
    for argument in arguments:
        if "/" in argument or argument.endswith(".txt"):
            assert (ROOT / argument).exists(), argument


@pytest.mark.parametrize("command", [command for command in COMMANDS if Path(words_of(command)[0]).name in HAVE_HELP])
def test_a_command_has_options_that_exist(command: list[str]) -> None:
    tool, *arguments = words_of(command)
    run = [sys.executable, *(["-m", "pytest"] if tool.endswith("pytest") else arguments[:1]), "--help"]
    shown = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout
    assert {argument for argument in arguments if argument.startswith("-")} <= set(re.findall(r"--?[\w-]+", shown))


def test_extras_and_environments_are_those_of_the_setup() -> None:
    words = [word for command in COMMANDS for word in command]
    extras = {extra for word in words if word.startswith(".[") for extra in word[2:-1].split(",")}
    assert extras <= set(SETUP["options.extras_require"])
    environments = words[words.index("-e", words.index(".venv/bin/tox")) + 1].split(",")
    assert {f"testenv:{environment}" for environment in environments} <= set(SETUP)


def test_the_checks_are_what_the_page_says() -> None:
    for name in ("lint", "types"):
        _, commands = (ROOT / ".ci" / name).read_text().split('cd "$(dirname "$0")/.."\n')
        assert [command for command in commands.splitlines() if f"`{command}`" not in PAGE] == []
