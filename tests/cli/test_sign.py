"""``sinchfn sign``: the command that it prints gets in at a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.app import clean_environment, write_function
from tests.harness.server import PATIENCE, Server, gunicorn
from tests.harness.signer import ICE, SIGNING, encoded

SOURCE = """
def hello(context, request): return "hi"
def default(context, request): return ["root", len(request.raw_body)]
def ice(context, data): return IceSvamlBuilder().say("hello").hangup()
"""


def signing(
    folder: Path, *arguments: str, stdin: bytes | None = None, **env: str
) -> subprocess.CompletedProcess[bytes]:
    """Run ``sinchfn sign``."""
    return subprocess.run(
        [sys.executable, "-m", "sinchfn", "sign", *arguments],
        cwd=folder,
        env=clean_environment() | SIGNING | env,
        input=stdin,
        capture_output=True,
        check=False,
    )


def printed(folder: Path, *arguments: str, stdin: bytes | None = None, **env: str) -> str:
    """Return the command that ``sinchfn sign`` prints."""
    done = signing(folder, *arguments, stdin=stdin, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def run_in_shell(line: str, folder: Path) -> tuple[str, str]:
    """Return the body and the status that curl got."""
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    assert line.startswith("curl ")
    line = "curl -w '\\n%{http_code}' " + line.removeprefix("curl ")
    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return body, status


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with gunicorn(tmp_path_factory.mktemp("guarded"), SOURCE, WEBHOOK_PROTECTION="always", **SIGNING) as server:
        yield server


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ice.json", ""),
        ("ice.json", "/"),
        ("ice.json", "/ice"),
        ("ice.json", "/v1/a%20b/ice"),
        ("my call.json", "/"),
        ('it\'s "a" $HOME `call`.json', "/"),
        ("å€.json", "/"),
        ("a;b&c|d.json", "/"),
        ("sub/dir/ice.json", "/"),
        ("@x.json", "/"),
    ],
)
def test_the_command_that_sign_prints_gets_in(tmp_path: Path, guarded: Server, name: str, path: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(json.dumps(ICE, indent=2).encode() + b"\n")
    line = printed(tmp_path, name, "--url", f"http://127.0.0.1:{guarded.port}{path}")
    body, status = run_in_shell(line, tmp_path)
    assert status == "200", body
    assert json.loads(body)["action"]["name"] == "hangup"


@pytest.mark.parametrize(
    "payload",
    [json.dumps(ICE), json.dumps(ICE, indent=1) + "\n\n", json.dumps(ICE | {"cli": 'it\'s å "$HOME" `x` \\ !'})],
)
def test_the_command_that_sign_prints_for_standard_input_gets_in(tmp_path: Path, guarded: Server, payload: str) -> None:
    line = printed(tmp_path, "-", "--url", f"http://127.0.0.1:{guarded.port}/ice", stdin=payload.encode())
    body, status = run_in_shell(line, tmp_path)
    assert status == "200", body


@pytest.mark.parametrize(
    ("path", "warned"), [("", "sent to /,"), ("/foo", "sent to /foo,"), ("/ice", None), ("/a/ice", None)]
)
def test_sign_warns_of_a_payload_that_is_not_a_callback_at_its_url(
    tmp_path: Path, path: str, warned: str | None
) -> None:
    done = signing(tmp_path, "-", "--url", f"http://127.0.0.1:8000{path}", stdin=b"{}")
    assert done.returncode == 0
    if warned is None:
        assert done.stderr == b""
    else:
        assert warned.encode() in done.stderr


def test_sign_says_which_webhooks_are_signed(tmp_path: Path) -> None:
    done = signing(tmp_path, "-", "--url", "http://127.0.0.1:8000/webhook/elevenlab", stdin=b"{}")
    assert done.returncode == 2
    for path in ("/webhook/conversation", "/webhook/sms", "/webhook/elevenlabs,", "/webhook/elevenlabs-init"):
        assert path.encode() in done.stderr


def test_sign_takes_key_and_secret_of_the_function_and_never_prints_the_secret(tmp_path: Path, guarded: Server) -> None:
    folder = write_function(tmp_path / "fn", "def ice(c, d): pass")
    (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in SIGNING.items()))
    (tmp_path / "ice.json").write_bytes(encoded(ICE))
    empty = dict.fromkeys(SIGNING, "")
    arguments = ("ice.json", "--function", str(folder), "--url", f"http://127.0.0.1:{guarded.port}/")
    line = printed(tmp_path, *arguments, **empty)
    assert SIGNING["VOICE_APPLICATION_SECRET"] not in line
    assert run_in_shell(line, tmp_path)[1] == "200"


PUBLIC = {"SINCHFN_PUBLIC_URL": "https://voice.example.com/fn"}


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("public")
    with gunicorn(folder, SOURCE, WEBHOOK_PROTECTION="always", **SIGNING, **PUBLIC) as server:
        yield server


@pytest.mark.parametrize("path", ["", "/", "/ice"])
def test_sign_signs_for_this_machine_what_the_public_url_would_have(tmp_path: Path, public: Server, path: str) -> None:
    (tmp_path / "ice.json").write_bytes(encoded(ICE))
    line = printed(tmp_path, "ice.json", "--url", f"http://127.0.0.1:{public.port}{path}", **PUBLIC)
    body, status = run_in_shell(line, tmp_path)
    assert status == "200", body


def test_only_the_env_file_beside_the_function_is_read(tmp_path: Path) -> None:
    folder = write_function(tmp_path / "above" / "fn", "def ice(c, d): pass")
    (folder.parent / ".env").write_text("\n".join(f"{name}={value}" for name, value in SIGNING.items()))
    (folder / "ice.json").write_bytes(encoded(ICE))
    done = subprocess.run(
        [sys.executable, "-m", "sinchfn", "sign", "ice.json"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "VOICE_APPLICATION_KEY" in done.stderr


def test_sign_without_a_secret_says_which_variable_is_missing(tmp_path: Path) -> None:
    (tmp_path / "ice.json").write_bytes(encoded(ICE))
    done = subprocess.run(
        [sys.executable, "-m", "sinchfn", "sign", "ice.json"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "VOICE_APPLICATION_KEY" in done.stderr
    assert "Traceback" not in done.stderr
