"""Requests to the voice API: their paths, signatures, attempts and answers."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...security.application import ApplicationScheme
from ...wire import json
from ...wire.faults import describe
from .failures import Outcome, failure, unusable, wait_before_retry

if TYPE_CHECKING:
    from .transport import Transport

#: The path of the API below its base URL.
ROOT = "/calling/v1"

#: Sent and signed with every request, as the Node SDK does, also without a body.
CONTENT_TYPE = "application/json"

_log = logging.getLogger("sinchfn.voice")


def path(template: str, **ids: str | None) -> str:
    """Return a path below the root; each ``{}`` becomes one id, escaped so that it cannot be more than one segment.

    :raises ValueError: an id is not a text, is empty, or is one that proxies resolve (``.`` and ``..``).
    """
    segments = []
    for name, value in ids.items():
        if not isinstance(value, str) or value in ("", ".", ".."):
            raise ValueError(f"{name} takes an id (str), found {describe(value)}.")
        try:
            segments.append(quote(value, safe=""))
        except UnicodeEncodeError:
            raise ValueError(f"{name} contains half of a surrogate pair.") from None
    return template.format(*segments)


class Api:
    """A sender of signed requests to one base URL."""

    def __init__(self, scheme: ApplicationScheme, base: str, timeout: float) -> None:
        self._scheme = scheme
        self._base = base
        self._timeout = timeout
        self._opened: tuple[int, Transport] | None = None

    def fetch(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return the JSON object in the answer.

        :raises VoiceApiError: the request failed, or the answer is not a JSON object.
        """
        outcome = self._ask(method, path, body)
        value = outcome.json
        if value is None:
            raise unusable(self._name_of(method, path), outcome, method != "GET")
        return value

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Send a request whose answer has no content: the platform answers 204, or 200 with some text.

        :raises VoiceApiError: the request failed.
        """
        self._ask(method, path, body)

    def close(self) -> None:
        """Close the connections that are kept."""
        opened, self._opened = self._opened, None
        if opened is not None and opened[0] == os.getpid():
            opened[1].close()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Outcome:
        content = b"" if body is None else json.dumps(body).encode("ascii")
        began = time.monotonic()
        attempts = 0
        while True:
            attempts += 1
            outcome, authorization = self._attempt(method, path, content)
            if outcome.is_success:
                return outcome
            wait = wait_before_retry(method, outcome, attempts, time.monotonic() - began)
            if wait is None:
                raise failure(self._name_of(method, path), outcome, method != "GET", authorization)
            _log.debug("%s %s%s: attempt %d in %.2f s", method, ROOT, path, attempts + 1, wait)
            time.sleep(wait)

    def _attempt(self, method: str, path: str, content: bytes) -> tuple[Outcome, str]:
        """Return the outcome and the Authorization header. Each attempt is signed, because its time is signed too."""
        transport = self._transport()
        target = f"{transport.prefix}{ROOT}{path}"
        signed = self._scheme.headers(method, target, CONTENT_TYPE, content)
        began = time.perf_counter()
        headers = {**signed, "accept": "application/json", "user-agent": "sinchfn"}
        outcome = transport.attempt(method, target, headers, content)
        _log.debug("%s %s%s: %r in %.0f ms", method, ROOT, path, outcome, (time.perf_counter() - began) * 1000)
        return outcome, signed["authorization"]

    def _transport(self) -> Transport:
        """Return the connections of this process. Those inherited by a fork belong to the parent and are not used."""
        from .transport import Transport

        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            # If two threads come here at the same time, one of the pools is used once and dropped.
            opened = self._opened = (os.getpid(), Transport(self._base, self._timeout))
        return opened[1]

    def _name_of(self, method: str, path: str) -> str:
        return f"{method} {ROOT}{path} at {self._base}"

    def __repr__(self) -> str:
        return self._base
