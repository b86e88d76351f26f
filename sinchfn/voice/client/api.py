"""One request of the voice API: its path, its signature, its attempts, its answer."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ... import jsontext
from ...signatures import ApplicationScheme
from ..svaml.faults import describe
from .failures import failure, unusable
from .outcomes import LAST_START, Outcome, may_be_repeated, wait_before

if TYPE_CHECKING:
    from .transport import Transport

#: Where the API begins below its base URL.
ROOT = "/calling/v1"

#: Sent and signed with every request, as the Node SDK does, also without a body.
CONTENT_TYPE = "application/json"

_log = logging.getLogger("sinchfn.voice")


def path(template: str, **ids: str | None) -> str:
    """A path below the root; each `{}` becomes one id, escaped so that it cannot be more than one segment.

    :raises ValueError: an id that is empty, no text, or one that proxies resolve (`.` and `..`).
    """
    return template.format(*(_segment(name, value) for name, value in ids.items()))


def _segment(name: str, value: object) -> str:
    if not isinstance(value, str) or value in ("", ".", ".."):
        raise ValueError(f"{name} takes an id (str), found {describe(value)}.")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half of a surrogate pair in it.") from None


class Api:
    """Sends signed requests to one base URL."""

    def __init__(self, scheme: ApplicationScheme, base: str, timeout: float) -> None:
        self._scheme = scheme
        self._base = base
        self._timeout = timeout
        self._opened: tuple[int, Transport] | None = None

    def fetch(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object that the platform answers.

        :raises VoiceApiError: it was no success, or is no JSON object.
        """
        outcome = self._ask(method, path, body)
        try:
            value = jsontext.loads(outcome.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise unusable(self._named(method, path), outcome, method != "GET")
        return value

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """The same where the answer says nothing: the platform answers 204, or 200 with some text.

        :raises VoiceApiError: it was no success.
        """
        self._ask(method, path, body)

    def close(self) -> None:
        """Close the connections that are kept."""
        opened, self._opened = self._opened, None
        if opened is not None and opened[0] == os.getpid():
            opened[1].close()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Outcome:
        content = b"" if body is None else jsontext.dumps(body).encode("ascii")
        began = time.monotonic()
        attempt = 1
        while True:
            outcome, authorization = self._attempt(method, path, content)
            if outcome.is_success:
                return outcome
            attempt += 1
            wait = wait_before(attempt, outcome) if may_be_repeated(method, outcome) else None
            if wait is None or time.monotonic() + wait - began > LAST_START:
                raise failure(self._named(method, path), outcome, method != "GET", authorization)
            _log.debug("%s %s%s: attempt %d in %.2f s", method, ROOT, path, attempt, wait)
            time.sleep(wait)

    def _attempt(self, method: str, path: str, content: bytes) -> tuple[Outcome, str]:
        """What came of it, and the Authorization header, signed anew each time: the timestamp is part of it."""
        transport = self._transport()
        target = f"{transport.prefix}{ROOT}{path}"
        signed = self._scheme.headers(method, target, CONTENT_TYPE, content)
        began = time.perf_counter()
        headers = {**signed, "accept": "application/json", "user-agent": "sinchfn"}
        outcome = transport.attempt(method, target, headers, content)
        _log.debug("%s %s%s: %r in %.0f ms", method, ROOT, path, outcome, (time.perf_counter() - began) * 1000)
        return outcome, signed["authorization"]

    def _transport(self) -> Transport:
        """This process's connections. Sockets that came with a fork belong to the parent and are never used."""
        from .transport import Transport

        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            # Two threads may both come here at first; one of the pools is then used once and dropped.
            opened = self._opened = (os.getpid(), Transport(self._base, self._timeout))
        return opened[1]

    def _named(self, method: str, path: str) -> str:
        return f"{method} {ROOT}{path} at {self._base}"

    def __repr__(self) -> str:
        return self._base
