"""The boots of gunicorn's workers: which have succeeded, and when one that failed is tried again.

Until one worker has started well, a failure ends gunicorn, because nothing would get better by itself. Afterwards the
workers that have started go on, and those that fail are tried again after growing pauses.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from mmap import mmap
from typing import Any

from werkzeug.exceptions import ServiceUnavailable

from .redaction import one_line
from .requests import request_id_of
from .responses import error_response, json_response

#: Seconds until a boot that failed is tried again: the first time, and at most. In between they double.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

#: Workers that are kept account of at a time.
PLACES = 256

#: Bytes kept of why a boot failed.
REASON = 300

#: Bytes of a number in the memory that is shared.
_NUMBER = 8


class Boots:
    """What a master and its workers know of each other's boots, in memory that they share.

    Times are those of ``time.monotonic``, which are the same for all processes of a machine. Only the master counts
    failures; a worker writes its own place, its success, and the reason of its failure.
    """

    def __init__(self) -> None:
        numbers = memoryview(mmap(-1, (3 + PLACES) * _NUMBER)).cast("d")
        #: whether one has succeeded, failures since then, time of the next try
        self._head = numbers[:3]
        #: by the age of a worker: its process id when it serves the function, negative when it stands in for it
        self._places = numbers[3:]
        self._reason = mmap(-1, REASON)

    @property
    def has_succeeded(self) -> bool:
        """Whether any worker has started well."""
        return bool(self._head[0])

    @property
    def pause(self) -> float:
        """Seconds until the next try; 0 if it may begin."""
        return max(0.0, self._head[2] - time.monotonic())

    @property
    def reason(self) -> str:
        """Why the last boot failed; empty if that is not known."""
        return self._reason[:].rstrip(b"\0").decode(errors="ignore")

    def succeed(self, age: int) -> None:
        """Note that this process, the worker of that age, serves the function."""
        self._places[age % PLACES] = os.getpid()
        self._head[0], self._head[1], self._head[2] = 1, 0, 0

    def stand_in(self, age: int) -> None:
        """Note that this process answers instead of the function until the next try, so that its end is no failure."""
        self._places[age % PLACES] = -os.getpid()

    def explain(self, reason: str) -> None:
        """Keep why the boot of this process failed."""
        self._reason[:] = one_line(reason).encode()[:REASON].ljust(REASON, b"\0")

    def end(self, age: int, pid: int) -> bool:
        """Note that a worker has ended; return True if its boot had not succeeded."""
        failed = abs(self._places[age % PLACES]) != pid
        self._places[age % PLACES] = 0
        if failed and not self.pause:  # several workers that fail together are one failure
            self._head[1] += 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._head[1] - 1, 16))
            self._head[2] = time.monotonic() + pause
        return failed

    def is_served_by_another(self) -> bool:
        """Whether another worker serves the function."""
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
    """The WSGI app of a worker that waits for the next try: 503, and why at ``/ready``. The process itself is well."""

    def __init__(self, boots: Boots) -> None:
        self._boots = boots

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.endswith("/health"):
            return json_response(200, {"status": "ok"})(environ, start_response)
        error = ServiceUnavailable("The function could not start.", retry_after=int(self._boots.pause) + 1)
        more = {"reasons": [self._boots.reason or error.description]} if path.endswith("/ready") else {}
        return error_response(error, request_id_of(environ), **more)(environ, start_response)
