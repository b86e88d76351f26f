"""The names of the package in ``dir()``, ``*``, ``help()`` and for type checkers, and its version."""

from __future__ import annotations

import ast
import importlib.metadata
import pydoc
import subprocess
import sys
from pathlib import Path

import sinchfn
from tests.harness.paths import ROOT

#: The attributes of every package.
OF_PYTHON = {
    *("__all__", "__builtins__", "__cached__", "__dir__", "__doc__", "__file__", "__getattr__", "__loader__"),
    *("__name__", "__package__", "__path__", "__spec__", "__version__"),
}


def in_a_new_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_dir_shows_all_that_is_public_and_nothing_else() -> None:
    assert set(dir(sinchfn)) - OF_PYTHON == set(sinchfn.__all__)


def test_dir_imports_nothing() -> None:
    code = "import sys, sinchfn; before = set(sys.modules); dir(sinchfn); print(set(sys.modules) - before)"
    assert in_a_new_process(code) == "set()"


def test_what_dir_shows_is_there() -> None:
    assert [name for name in dir(sinchfn) if not hasattr(sinchfn, name)] == []


def test_type_checkers_see_the_names_that_there_are() -> None:
    [block] = [node for node in ast.parse(Path(sinchfn.__file__).read_text()).body if isinstance(node, ast.If)][:1]
    seen = {
        alias.asname: f".{node.module or ''}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == sinchfn._MODULE_OF


def test_a_star_imports_what_is_public() -> None:
    code = "from sinchfn import *; print(sorted(name for name in globals() if name[0] != '_'))"
    assert in_a_new_process(code) == str(sorted(sinchfn.__all__))


def test_all_is_sorted_and_names_nothing_twice() -> None:
    assert sinchfn.__all__ == sorted(set(sinchfn.__all__))


def test_help_shows_what_is_imported_late() -> None:
    shown = pydoc.plaintext.document(sinchfn)
    assert "class MediaStream(" in shown
    assert "get_text(" in shown
    assert f"VERSION\n    {sinchfn.__version__}" in shown


def test_the_version_is_that_of_the_distribution() -> None:
    assert sinchfn.__version__ == importlib.metadata.version("sinchfn")


def test_the_command_says_the_version() -> None:
    code = "from sinchfn.cli import main; main(['--version'], prog_name='sinchfn')"
    assert in_a_new_process(code) == f"sinchfn {sinchfn.__version__}"
