"""The number of Python calls that sinchfn makes for one request. It says more than a time on a busy machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import sinchfn
from tests.harness.app import clean_environment, serving
from tests.harness.call import environ_of, send
from tests.harness.signer import ICE, SIGNING, encoded, signed

PACKAGE = Path(sinchfn.__file__).parent

#: Calls for a signed POST /ice that a handler answers with a dict.
MOST = 150

DICT = """
def ice(context, data):
    return {"instructions": [{"name": "say", "text": "Hello"}], "action": {"name": "hangup"}}
"""


def calls_of_a_callback(folder: Path) -> Counter[str]:
    """Count the calls of functions of sinchfn, by file and name."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(f"{PACKAGE}/"):
            calls[f"{Path(code.co_filename).relative_to(PACKAGE)}: {code.co_qualname}"] += 1

    body = encoded(ICE)
    with serving(folder, DICT, **SIGNING, WEBHOOK_PROTECTION="always") as served:
        *first, last = [environ_of("POST", "/ice", body=body, headers=signed(body)) for _ in range(3)]
        for environ in first:  # makes what is made on first use
            send(served.app, environ)
        sys.setprofile(count)
        answer = send(served.app, last)
        sys.setprofile(None)
        assert answer.status == 200, answer
    return calls


def test_a_signed_callback_takes_few_calls(tmp_path: Path) -> None:
    # In a process of its own, because other tests leave their marks on the log of this one.
    command = [sys.executable, "-m", "tests.serving.test_calls", str(tmp_path)]
    root = Path(__file__).parents[2]
    printed = subprocess.run(command, env=clean_environment(), cwd=root, capture_output=True, check=True, timeout=120)
    calls = Counter(json.loads(printed.stdout))
    assert calls["serving/verification.py: verify_signature"] == 1
    frequent = "".join(f"\n{number:4} {name}" for name, number in calls.most_common(10))
    assert calls.total() <= MOST, f"{calls.total()} calls instead of {MOST}. The most frequent:{frequent}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(calls_of_a_callback(Path(sys.argv[1]))))
