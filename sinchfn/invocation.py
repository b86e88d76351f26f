"""One call of one handler: the value that travels through hooks, handler, answer and signals."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .context import FunctionContext
from .exports import Export
from .function import Function
from .services.usage import UsageRecord

if TYPE_CHECKING:
    from flask import Flask, Response

    from .requests import Incoming

_SANE_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def request_id_of(environ: dict[str, Any]) -> str:
    """The caller's ``X-Request-ID`` if it is sane (1-128 characters of ``[A-Za-z0-9_.-]``), else a new one."""
    given = environ.get("HTTP_X_REQUEST_ID")
    return given if given and _SANE_ID.fullmatch(given) else secrets.token_hex(16)


class Invocation:
    """One request that reached an export.

    Attributes are filled in as the request moves on; what is not known yet is None.
    """

    __slots__ = (
        "_context",
        "app",
        "body",
        "call_id",
        "environ",
        "export",
        "function",
        "incoming",
        "outcome",
        "payload",
        "refusal",
        "request_id",
        "response",
        "started",
        "streamed_bytes",
        "timestamp",
        "usage",
        "usage_line",
    )

    def __init__(self, app: Flask, function: Function, export: Export, incoming: Incoming) -> None:
        #: the Flask app, the sender of the signals
        self.app = app
        #: the function, and its app-long parts
        self.function = function
        #: the endpoint that was reached
        self.export = export
        self.incoming = incoming
        self.environ = incoming.environ
        #: ``time.perf_counter()`` when the request was first seen
        self.started = incoming.started
        #: aware UTC time when the request was first seen
        self.timestamp = datetime.fromtimestamp(incoming.received, UTC)
        self.request_id = incoming.request_id
        #: the raw body, once it is read
        self.body = b""
        #: what the handler gets as its second argument
        self.payload: Any = None
        #: the call this callback is about
        self.call_id: str | None = None
        #: ``ok``, ``refused``, ``error`` or ``gone``
        self.outcome = "ok"
        #: the answer, once it is made
        self.response: Response | None = None
        #: why it was refused, as the caller was told; for the log line
        self.refusal: str | None = None
        #: the usage record, once the answer is complete
        self.usage: UsageRecord | None = None
        #: the same as a line of JSON
        self.usage_line = ""
        #: bytes of a streamed answer that have gone out
        self.streamed_bytes = 0
        self._context: FunctionContext | None = None

    @property
    def handler_name(self) -> str:
        """The export's name, as written in the function."""
        return self.export.name

    @property
    def context(self) -> FunctionContext:
        """What the handler gets as its first argument."""
        if self._context is None:
            self._context = FunctionContext(self)
        return self._context

    @property
    def milliseconds(self) -> float:
        """Time since the request was first seen."""
        return (time.perf_counter() - self.started) * 1000

    @property
    def status(self) -> int:
        """HTTP status of the answer; 500 as long as there is none."""
        return 500 if self.response is None else self.response.status_code

    @property
    def response_bytes(self) -> int:
        """Length of the answer's body; of a streamed one, what has gone out."""
        if self.response is None:
            return 0
        if not self.response.is_streamed:
            return self.response.calculate_content_length() or 0
        return self.streamed_bytes or self.response.content_length or 0

    def when_sent(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the answer is complete: now, or at the end of a streamed one."""
        if self.response is not None and self.response.is_streamed:
            self.response.call_on_close(callback)
        else:
            callback()

    def __repr__(self) -> str:
        return f"<Invocation {self.request_id} of {self.handler_name}>"
