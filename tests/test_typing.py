"""The types of the public API, proved by two type checkers on files that are never run.

`tests/typing/*_ok.py` is accepted as it is. In `tests/typing/*_refused.py` each line that ends in `# refuse: <word>` is
an error whose message has that word, and no other line is.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "tests" / "typing").glob("*.py"))
ACCEPTED = [path for path in FILES if path.stem.endswith("_ok")]
REFUSED = [path for path in FILES if path.stem.endswith("_refused")]
MARKER = re.compile(r"# refuse: (\S+)$")


class Complaint(NamedTuple):
    """One error that a checker found."""

    path: Path
    line: int
    message: str


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments, *map(str, FILES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: there are errors; above: it did not run
    return done.stdout


def basedpyright(_: Path) -> Iterator[Complaint]:
    for found in json.loads(run("basedpyright", "--outputjson"))["generalDiagnostics"]:
        if found["severity"] == "error":
            yield Complaint(Path(found["file"]), found["range"]["start"]["line"] + 1, found["message"])


def mypy(cache: Path) -> Iterator[Complaint]:
    for line in run("mypy", "--strict", "--output=json", f"--cache-dir={cache}").splitlines():
        found: dict[str, Any] = json.loads(line)
        if found["severity"] == "error":
            yield Complaint(ROOT / found["file"], found["line"], found["message"])


@pytest.fixture(scope="module", params=[basedpyright, mypy], ids=["basedpyright", "mypy"])
def complaints(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Complaint]:
    return list(request.param(tmp_path_factory.mktemp("cache")))


def test_there_are_files_of_both_kinds_and_no_others():
    assert ACCEPTED
    assert sorted(ACCEPTED + REFUSED) == FILES


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_what_is_right_is_accepted(complaints: list[Complaint], path: Path):
    assert [found for found in complaints if found.path == path] == []


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_each_marked_line_is_refused_for_its_reason_and_no_other_line(complaints: list[Complaint], path: Path):
    messages: dict[int, str] = {}
    for found in complaints:
        if found.path == path:
            messages[found.line] = messages.get(found.line, "") + found.message + "\n"
    markers = {
        number: marker[1]
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (marker := MARKER.search(line))
    }
    assert markers
    assert sorted(messages) == sorted(markers)
    assert [(line, word) for line, word in markers.items() if word not in messages[line]] == []
