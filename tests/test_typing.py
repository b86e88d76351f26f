"""The types of the public API, proved by two type checkers on files that are never run.

`tests/typing/*_ok.py` is accepted as it is. In `tests/typing/*_refused.py` each line that ends in `# refuse: <word>` is
an error whose message has that word, and no other line is.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.harness.paths import ROOT, TESTS

FILES = sorted((TESTS / "typing").glob("*.py"))
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


def basedpyright() -> Iterator[Complaint]:
    for found in json.loads(run("basedpyright", "--outputjson"))["generalDiagnostics"]:
        if found["severity"] == "error":
            yield Complaint(Path(found["file"]), found["range"]["start"]["line"] + 1, found["message"])


def mypy() -> Iterator[Complaint]:
    # With the cache of the command `mypy`, which has checked the package with the same options.
    for line in run("mypy", "--strict", "--output=json").splitlines():
        found: dict[str, Any] = json.loads(line)
        if found["severity"] == "error":
            yield Complaint(ROOT / found["file"], found["line"], found["message"])


@pytest.fixture(scope="module", params=[basedpyright, mypy], ids=["basedpyright", "mypy"])
def complaints(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Complaint]:
    """The errors of a checker, which runs once, also where several processes share the tests."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    kept = folder / f"{request.param.__name__}.json"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(json.dumps([(str(path), line, message) for path, line, message in request.param()]))
    return [Complaint(Path(path), line, message) for path, line, message in json.loads(kept.read_text())]


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
