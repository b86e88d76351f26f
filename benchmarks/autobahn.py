"""Run the Autobahn|Testsuite, a fuzzing client, against a WebSocket echo under gunicorn, and count its verdicts.

The testsuite needs Python 2.7, which must be on this machine. All else is installed from PyPI at the first run, into a
virtualenv that is kept: pinned, and nothing in it has to be compiled on x86-64 Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

from processes import HOST, Server, scratch
from tables import table

#: All sections but 12 and 13, which are about compression.
CASES = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*")

#: The paths of a function, and the styles of echo at them.
STYLES: Mapping[str, str] = {"blocking": "/", "callback": "/callbacks"}

FUNCTION = """
def setup(runtime):
    @runtime.on_websocket("/", protected=False)
    def echo(ws, request):
        for message in ws:
            ws.send(message)

    @runtime.on_websocket("/callbacks", protected=False)
    def callbacks(ws, request):
        ws.on_message(ws.send)
"""

BARE = """
from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
sock = Sock(app)


@app.get("/health")
def health():
    return "ok"


@sock.route("/")
def echo(ws):
    while True:
        ws.send(ws.receive())
"""

#: Sections 9 and 10 send up to 16 MiB in a message.
MAX_MESSAGE = 32 << 20

#: Seconds for all cases. The testsuite itself gives up a case without an answer.
PATIENCE = 1800.0

#: The output of the testsuite while it runs.
LOG = "wstest.log"

#: The last virtualenv that makes one for Python 2.7; it runs in this Python.
VIRTUALENV = ("virtualenv==20.21.1", "distlib==0.3.9", "filelock==3.12.4", "platformdirs==3.11.0")

#: The testsuite with what it imports for this: less than it asks for, so pip must not look at dependencies.
TESTSUITE = (
    "autobahntestsuite==0.8.2",
    "autobahn==0.10.9",
    "txaio==2.1.0",
    "six==1.17.0",
    "Twisted==20.3.0",
    "zope.interface==5.4.0",
    "constantly==15.1.0",
    "incremental==21.3.0",
    "Automat==20.2.0",
    "attrs==21.4.0",
    "hyperlink==21.0.0",
    "idna==2.10",
    "typing==3.10.0.0",
    "PyHamcrest==1.9.0",
    "pyOpenSSL==21.0.0",
    "cryptography==3.3.2",
    "cffi==1.15.1",
    "pycparser==2.21",
    "enum34==1.1.10",
    "ipaddress==1.0.23",
    "Jinja2==2.11.3",
    "MarkupSafe==1.1.1",
    "unittest2==1.1.0",
    "traceback2==1.4.0",
    "linecache2==1.0.0",
    "argparse==1.4.0",
)

#: Verdicts that are not failures. The later ones mean: allowed but not the best, for information, not offered.
FINE = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED")


class Verdict(NamedTuple):
    """The verdict of the testsuite on one case."""

    case: str
    message: str
    close: str
    description: str

    @property
    def fine(self) -> bool:
        return self.message in FINE and self.close in FINE


def main() -> int:
    given = _arguments()
    python = environment(given.cache, given.python)
    with scratch() as folder:
        try:
            verdicts = examine(bare if given.bare else function, python, STYLES[given.style], given.cases, folder)
        finally:
            if given.report:
                shutil.copytree(folder, given.report, dirs_exist_ok=True)
    failed = [verdict for verdict in verdicts if not verdict.fine]
    print(summary(verdicts), *map(line, failed), sep="\n")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    served = parser.add_mutually_exclusive_group()
    served.add_argument("--style", choices=STYLES, default="blocking", help="how the function receives")
    served.add_argument("--bare", action="store_true", help="serve flask-sock itself, without sinchfn")
    parser.add_argument("--cases", nargs="+", default=CASES, help="which ones, like 5.* or 7.1.6")
    parser.add_argument("--python", default="python2.7", help="the Python 2.7 to run the testsuite in")
    parser.add_argument("--report", type=Path, help="folder that shall get the testsuite's pages and the server's log")
    folder = Path(tempfile.gettempdir(), "sinchfn-autobahn")
    parser.add_argument("--cache", type=Path, default=folder, help="folder to keep the virtualenv in")
    return parser.parse_args()


def environment(cache: Path, python: str) -> Path:
    """Return the Python of a virtualenv with the testsuite. Make one if ``cache`` has none with exactly these packages.

    :param python: path or name of a Python 2.7.
    """
    found = shutil.which(python)
    if found is None:
        raise SystemExit(f"There is no {python}. Where is a Python 2.7? Say it with --python.")
    cache = cache.absolute()
    made, recipe = cache / "made.txt", "\n".join([found, *VIRTUALENV, *TESTSUITE])
    inside = cache / "env" / "bin" / "python"
    if not (made.exists() and made.read_text() == recipe and inside.exists()):
        shutil.rmtree(cache / "env", ignore_errors=True)
        made.unlink(missing_ok=True)
        _make(cache, found, inside)
        made.write_text(recipe)
    return inside


def _make(cache: Path, python: str, inside: Path) -> None:
    tool = str(cache / "virtualenv")
    install = ("-m", "pip", "install", "--no-deps", "--upgrade")
    _call(sys.executable, *install, "--target", tool, *VIRTUALENV)
    places = ("--app-data", str(cache / "app-data"), str(cache / "env"))
    _call(sys.executable, "-m", "virtualenv", "--python", python, *places, PYTHONPATH=tool)
    _call(str(inside), "-E", *install, *TESTSUITE)


def _call(*command: str, **variables: str) -> None:
    done = subprocess.run(
        command, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise SystemExit(f"This failed: {' '.join(command)}\n{done.stdout}")


def function(folder: Path) -> Server:
    """Serve sinchfn, with an echo for each style."""
    (folder / "function.py").write_text(FUNCTION)
    environ = {"SINCHFN_FUNCTION": str(folder), "SINCHFN_WS_MAX_MESSAGE": str(MAX_MESSAGE)}
    return Server("sinchfn:create_app()", folder, environ=environ)


def bare(folder: Path) -> Server:
    """Serve flask-sock, which itself does not limit messages."""
    (folder / "bare_echo.py").write_text(BARE)
    return Server("bare_echo:app", folder)


def examine(
    start: Callable[[Path], Server], python: Path, path: str, cases: Sequence[str], folder: Path
) -> list[Verdict]:
    """Return the verdict on every case, in order, on the server at ``path``. Its pages and logs stay in ``folder``."""
    server = start(folder)
    try:
        server.wait("/health")
        _run(python, f"ws://{HOST}:{server.port}{path}", cases, folder)
    finally:
        server.stop()
    return _read(folder)


def _run(python: Path, url: str, cases: Sequence[str], folder: Path) -> None:
    spec = {
        "outdir": str(folder / "reports"),
        "servers": [{"agent": "server", "url": url}],
        "cases": list(cases),
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    command = (str(python), "-E", "-W", "ignore", "-m", "autobahntestsuite.wstest", "-m", "fuzzingclient")
    with (folder / LOG).open("wb") as log:
        subprocess.run(
            [*command, "-s", "spec.json"], cwd=folder, stdout=log, stderr=subprocess.STDOUT, timeout=PATIENCE
        )


def _read(folder: Path) -> list[Verdict]:
    log = (folder / LOG).read_text("utf-8", "replace")
    verdicts = list(_verdicts(folder / "reports"))
    planned = re.search(r"will run (\d+) test cases", log)
    if not verdicts or planned is None or len(verdicts) != int(planned[1]):
        end = "\n".join(log.splitlines()[-10:])
        raise SystemExit(f"The testsuite has verdicts on {len(verdicts)} cases only. Its last words:\n{end}")
    return sorted(verdicts, key=lambda verdict: [int(number) for number in verdict.case.split(".")])


def _verdicts(reports: Path) -> Iterator[Verdict]:
    index = reports / "index.json"
    servers = json.loads(index.read_text()) if index.exists() else {}
    for case, result in servers.get("server", {}).items():
        report = json.loads((reports / result["reportfile"]).read_text())
        yield Verdict(case, result["behavior"], result["behaviorClose"], report["description"])


def summary(verdicts: Iterable[Verdict]) -> str:
    """Return how often each verdict was given, on messages and on closes."""
    messages, closes = zip(*((verdict.message, verdict.close) for verdict in verdicts), strict=True)
    counts = Counter(messages), Counter(closes)
    names = sorted({*messages, *closes} - {*FINE})
    shown = [name for name in (*FINE, *names) if any(count[name] for count in counts)]
    return table(["verdict", "messages", "closes"], [[name, *(str(count[name]) for count in counts)] for name in shown])


def line(verdict: Verdict) -> str:
    """Return one failure as a line."""
    text = shorten(re.sub(r"<[^>]+>", " ", verdict.description), 90, placeholder=" ...")
    return f"{verdict.case}: {verdict.message}, close {verdict.close}. {text}"


if __name__ == "__main__":
    sys.exit(main())
