"""One call of one handler: the value that travels through hooks, handler, answer and signals."""

from __future__ import annotations

import re
import secrets
import time
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

#: Where the id of a request stands in its WSGI environ, for whoever answers it.
_ID_KEY = "sinchfn.request_id"


def request_id_of(environ: dict[str, Any]) -> str:
    """The caller's ``X-Request-ID`` if it is sane (1-128 characters of ``[A-Za-z0-9_.-]``), else a new one."""
    known: str | None = environ.get(_ID_KEY)
    if known is None:
        given: str = environ.get("HTTP_X_REQUEST_ID", "")
        known = environ[_ID_KEY] = given if _SANE_ID.fullmatch(given) else secrets.token_hex(16)
    return known


class Invocation:
    """One request that reached an export.

    All that a receiver of a signal can read is read-only: what is recorded cannot be changed from outside. What is not
    known yet is None.
    """

    __slots__ = (
        "_call_id",
        "_context",
        "_outcome",
        "_payload",
        "_refusal",
        "_response",
        "_streamed_bytes",
        "_usage",
        "app",
        "export",
        "function",
        "incoming",
        "timestamp",
    )

    def __init__(self, app: Flask, function: Function, export: Export, incoming: Incoming) -> None:
        #: the Flask app, the sender of the signals
        self.app = app
        #: the function, and its app-long parts
        self.function = function
        #: the endpoint that was reached
        self.export = export
        #: the request as it came
        self.incoming = incoming
        #: aware UTC time when the request was first seen
        self.timestamp = datetime.fromtimestamp(incoming.received, UTC)
        self._context: FunctionContext | None = None
        self._payload: Any = None
        self._call_id: str | None = None
        self._outcome = "ok"
        self._refusal: str | None = None
        self._response: Response | None = None
        self._usage: UsageRecord | None = None
        self._streamed_bytes = 0

    @property
    def environ(self) -> dict[str, Any]:
        """The WSGI environ."""
        return self.incoming.environ

    @property
    def request_id(self) -> str:
        return self.incoming.request_id

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
    def payload(self) -> Any:
        """What the handler gets as its second argument, once it is parsed."""
        return self._payload

    @property
    def call_id(self) -> str | None:
        """The call that this callback is about."""
        return self._call_id

    @property
    def outcome(self) -> str:
        """``ok``, ``refused``, ``error`` or ``gone``: see :class:`UsageRecord`."""
        return self._outcome

    @property
    def refusal(self) -> str | None:
        """Why it was refused, as the caller was told."""
        return self._refusal

    @property
    def response(self) -> Response | None:
        """The answer, once it is made."""
        return self._response

    @property
    def usage(self) -> UsageRecord | None:
        """The usage record, once the answer is complete."""
        return self._usage

    @property
    def status(self) -> int:
        """HTTP status of the answer; 500 as long as there is none."""
        return 500 if self._response is None else self._response.status_code

    @property
    def milliseconds(self) -> float:
        """Time since the request was first seen."""
        return (time.perf_counter() - self.incoming.started) * 1000

    @property
    def response_bytes(self) -> int:
        """Length of the answer's body; of a streamed one, what has gone out."""
        if self._response is None:
            return 0
        if not self._response.is_streamed:
            return self._response.calculate_content_length() or 0
        return self._streamed_bytes or self._response.content_length or 0

    # What happens to it, in order.

    def accept(self, payload: Any, call_id: str | None = None) -> None:
        """The hooks let it through: the handler gets this payload."""
        self._payload = payload
        self._call_id = call_id

    def refuse(self, reason: str | None) -> None:
        """The hooks ended it."""
        self._outcome = "refused"
        self._refusal = reason

    def fail(self) -> None:
        """The handler failed, or its streamed answer broke off."""
        self._outcome = "error"

    def leave(self) -> None:
        """The client left before a streamed answer was through."""
        self._outcome = "gone"

    def answer(self, response: Response) -> None:
        """The answer is made."""
        self._response = response

    def stream(self, size: int) -> None:
        """So many bytes more of a streamed answer have gone out."""
        self._streamed_bytes += size

    def complete(self, usage: UsageRecord) -> None:
        """The answer is through, and recorded."""
        self._usage = usage

    def __repr__(self) -> str:
        return f"<Invocation {self.request_id} of {self.handler_name}>"
