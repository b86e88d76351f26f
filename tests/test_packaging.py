"""The wheel serves on its own. The source distribution has its tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gunicorn.config import KNOWN_SETTINGS

from sinchfn import gunicorn
from tests.harness.app import clean_environment
from tests.harness.paths import ROOT
from tests.harness.server import CREATE_APP, started, until
from tests.harness.signer import ICE

#: Top-level names that a clone does not have, and that are left out of the copy.
NOT_IN_A_CLONE = shutil.ignore_patterns(
    ".git", ".tox", ".venv*", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "build", "dist"
)


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=clean_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built() -> Iterator[Path]:
    """Build a wheel and a source distribution, from a clone in a folder that only its owner may enter."""
    folder = Path(tempfile.mkdtemp())
    try:
        shutil.copytree(ROOT, folder / "clone", ignore=NOT_IN_A_CLONE)
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, cwd=folder / "clone")
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def python(built: Path) -> Path:
    """Return the Python of a fresh environment with the wheel and its requirements."""
    made = built / "venv"
    venv.create(made, with_pip=False)
    python = made / "bin" / "python"
    [packages] = made.glob("lib/*/site-packages")
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(packages)
    (packages / "requirements.pth").write_text(sysconfig.get_path("purelib"))
    assert str(made) in run(python, "-c", "import sinchfn; print(sinchfn.__file__)", cwd=built)
    return python


@pytest.mark.parametrize("own", [False, True], ids=["settings of the package", "a file of one's own"])
def test_a_wheel_brings_all_that_gunicorn_needs(python: Path, tmp_path: Path, own: bool) -> None:
    (tmp_path / "function.py").write_text("def ice(context, data): return {'action': {'name': 'hangup'}}\n")
    conf = ["-c", "python:sinchfn.gunicorn"]
    if own:
        printed = run(python, "-m", "sinchfn.gunicorn", cwd=tmp_path)
        (tmp_path / "gunicorn.conf.py").write_text(f"{printed}\nthreads = 3\n")
        conf = []
    command = ["-m", "gunicorn", *conf, "-b", "127.0.0.1:0", CREATE_APP]
    env = {"WEBHOOK_PROTECTION": "never", "SINCHFN_LOG_FORMAT": "json"}
    with started(command, tmp_path, python=(python, "-u"), **env) as server:
        server.listening()
        headers = {"Content-Type": "application/json"}
        status, _, body = until(lambda: server.request("POST", "/ice", json.dumps(ICE), headers))
        assert (status, json.loads(body)) == (200, {"action": {"name": "hangup"}})
        lines = [json.loads(line) for line in until(lambda: "POST /ice" in server.log and server.log).splitlines()]
    assert "Using worker: gthread" in [line["message"] for line in lines]
    settings = run(python, "-m", "gunicorn", *conf, "--print-config", "sinchfn:create_app()", cwd=tmp_path)
    assert re.search(r"^threads += (\d+)$", settings, re.M)[1] == ("3" if own else "16")  # type: ignore[index]


def test_every_setting_that_the_module_has_is_taken_by_a_file_of_ones_own() -> None:
    ours = {setting.name for setting in KNOWN_SETTINGS if hasattr(gunicorn, setting.name)}
    known = {setting.name for setting in KNOWN_SETTINGS}
    assert ours == {name for name in gunicorn.__all__ if name in known}
    unknown = set(gunicorn.__all__) - known
    assert unknown <= {"control_socket_disable", "forwarder_headers"}, "of a later gunicorn"


def test_the_file_of_this_repository_is_the_one_that_is_printed() -> None:
    assert (ROOT / "gunicorn.conf.py").read_text() == run(sys.executable, "-m", "sinchfn.gunicorn", cwd=ROOT)


def test_the_tests_of_a_source_distribution_run(built: Path) -> None:
    """Takes half a minute: two more runs of pytest, one that collects all tests and one that runs the README."""
    [archive] = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(built / "unpacked", filter="data")
    [folder] = (built / "unpacked").iterdir()
    listed = run("git", "ls-files", cwd=ROOT).splitlines() if (ROOT / ".git").exists() else []
    left_out = {name for name in listed if (ROOT / name).is_file() and not (folder / name).is_file()}
    assert left_out <= {".gitignore"}
    pytest_there = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run(*pytest_there, "--collect-only", cwd=folder)
    run(*pytest_there, "tests/test_readme.py", "-k", "not shell", cwd=folder)


def test_the_tests_that_give_up_rights_run_in_a_folder_that_only_root_may_enter(built: Path) -> None:
    """Takes a quarter of a minute: another run of pytest, in a clone, under another user."""
    if os.geteuid() != 0:
        pytest.skip("without root there are no rights to give up")
    tests = ("services/test_cache.py", "services/test_database.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "read_only or written_is_named"]
    run(*command, *(f"tests/{name}" for name in tests), cwd=built / "clone")
