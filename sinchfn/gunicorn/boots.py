"""The boots of gunicorn's workers: which ones succeeded, and when a failed one is tried again.

Until one worker has started well, a failure ends gunicorn: another try would fail as well. Afterwards the workers that
have started serve on, and those that fail are tried again after growing pauses.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from mmap import mmap
from typing import Any

from werkzeug.exceptions import ServiceUnavailable

from ..function.request import request_id_of
from ..logs.redaction import one_line
from ..serving.responses import error_response, json_response

#: Seconds until a failed boot is tried again: at first, and at most. The pause doubles each time.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

#: Maximum number of workers.
PLACES = 256

#: Maximum length of the reason of a failure, in bytes.
REASON = 300

#: Size of a number in the shared memory, in bytes.
_NUMBER = 8


class Boots:
    """The state of all boots, in memory that the master and its workers share.

    Times are those of ``time.monotonic``, which all processes of a machine have in common. Only the master counts
    failures. A worker writes its own place, its success, and the reason of its failure.
    """

    def __init__(self) -> None:
        numbers = memoryview(mmap(-1, (3 + PLACES) * _NUMBER)).cast("d")
        #: 1 after the first success; failures since the last success; time of the next try
        self._head = numbers[:3]
        #: by the age of a worker: its process id when it serves the function, negative when it stands in for it
        self._places = numbers[3:]
        self._reason = mmap(-1, REASON)

    @property
    def has_succeeded(self) -> bool:
        """True if any worker has started well."""
        return bool(self._head[0])

    @property
    def pause(self) -> float:
        """The seconds until the next try; 0 if it may begin."""
        return max(0.0, self._head[2] - time.monotonic())

    @property
    def reason(self) -> str:
        """The reason why the last boot failed; empty if it is not known."""
        return self._reason[:].rstrip(b"\0").decode(errors="ignore")

    def succeed(self, age: int) -> None:
        """Record that this process, the worker of that age, serves the function."""
        self._places[age % PLACES] = os.getpid()
        self._head[0], self._head[1], self._head[2] = 1, 0, 0

    def stand_in(self, age: int) -> None:
        """Record that this process answers instead of the function. Its end does not count as a failure."""
        self._places[age % PLACES] = -os.getpid()

    def explain(self, reason: str) -> None:
        """Record why the boot of this process failed."""
        self._reason[:] = one_line(reason).encode()[:REASON].ljust(REASON, b"\0")

    def end(self, age: int, pid: int) -> bool:
        """Record that a worker has ended. Return True if its boot had not succeeded."""
        failed = abs(self._places[age % PLACES]) != pid
        self._places[age % PLACES] = 0
        if failed and not self.pause:  # several workers that fail together are one failure
            self._head[1] += 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._head[1] - 1, 16))
            self._head[2] = time.monotonic() + pause
        return failed

    def is_served_by_another(self) -> bool:
        """Return True if another worker serves the function."""
        return any(pid > 0 and pid != os.getpid() and _lives(int(pid)) for pid in self._places)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class StandIn:
    """The WSGI app of a worker that waits for the next try: 503, with the reason at ``/ready``; 200 at ``/health``."""

    def __init__(self, boots: Boots) -> None:
        self._boots = boots

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.endswith("/health"):
            return json_response(200, {"status": "ok"})(environ, start_response)
        error = ServiceUnavailable("The function could not start.", retry_after=int(self._boots.pause) + 1)
        more = {"reasons": [self._boots.reason or error.description]} if path.endswith("/ready") else {}
        return error_response(error, request_id_of(environ), **more)(environ, start_response)


#: The boots of this master's workers. The workers inherit it.
BOOTS = Boots()
