"""One call of one handler: the value that travels through hooks, handler, answer and signals."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .config import FunctionConfig
from .errors import Advised
from .exports import Export
from .function import Function
from .function_context import FunctionContext
from .injection import Scope
from .requests import FunctionRequest, Incoming
from .routing import Route
from .services.usage import UsageRecord

if TYPE_CHECKING:
    from flask import Flask, Response

    from .sockets import SocketStatistics

#: Set in the WSGI environ of a request that has its log line: the development server then writes none of its own.
LOGGED_KEY = "sinchfn.logged"

#: What a constructor may take besides services, and how it is had: the values of the request at hand.
GIVEN: Mapping[type, Callable[[Invocation], Any]] = MappingProxyType(
    {
        FunctionContext: lambda invocation: invocation.context,
        FunctionConfig: lambda invocation: invocation.function.config,
        FunctionRequest: lambda invocation: invocation.request,
        logging.Logger: lambda invocation: invocation.context.log,
    }
)

#: What is told whether a request has done what it has claimed to do.
Settle = Callable[[bool], None]

#: Statuses that ask to be called again; a call that is answered so has done nothing.
ASK_AGAIN = frozenset((408, 425, 429))

#: Positional and named arguments for a handler.
Arguments = tuple[list[Any], dict[str, Any]]


class Invocation(Advised):
    """One request that reached an export.

    All that a receiver of a signal can read is read-only: what is recorded cannot be changed from outside. What is not
    known yet is None.
    """

    __slots__ = (
        "_app",
        "_arguments",
        "_call_id",
        "_close_code",
        "_context",
        "_error",
        "_event_name",
        "_export",
        "_function",
        "_incoming",
        "_is_logged",
        "_is_told",
        "_outcome",
        "_payload",
        "_refusal",
        "_request",
        "_response",
        "_route",
        "_settle",
        "_statistics",
        "_streamed_bytes",
        "_timestamp",
        "_usage",
    )

    def __init__(
        self, app: Flask, function: Function, export: Export, incoming: Incoming, route: Route | None = None
    ) -> None:
        self._app = app
        self._function = function
        self._export = export
        self._incoming = incoming
        self._timestamp = datetime.fromtimestamp(incoming.received, UTC)
        self._is_logged = False
        self._is_told = False
        self._context: FunctionContext | None = None
        self._payload: Any = None
        self._route = route or Route(export)
        self._request: FunctionRequest | None = None
        self._arguments: Arguments = ([], {})
        self._event_name: str | None = None
        self._settle: Settle | None = None
        self._call_id: str | None = None
        self._outcome = "ok"
        self._error: BaseException | None = None
        self._refusal: str | None = None
        self._response: Response | None = None
        self._usage: UsageRecord | None = None
        self._streamed_bytes = 0
        self._statistics: SocketStatistics | None = None
        self._close_code: int | None = None

    @property
    def app(self) -> Flask:
        """The Flask app, the sender of the signals."""
        return self._app

    @property
    def function(self) -> Function:
        """The function, and its app-long parts."""
        return self._function

    @property
    def export(self) -> Export:
        """The endpoint that was reached."""
        return self._export

    @property
    def incoming(self) -> Incoming:
        """The request as it came."""
        return self._incoming

    @property
    def timestamp(self) -> datetime:
        """When the request was first seen; aware, in UTC."""
        return self._timestamp

    @property
    def environ(self) -> dict[str, Any]:
        """The WSGI environ."""
        return self._incoming.environ

    @property
    def request_id(self) -> str:
        """As on the answer, and in every log line."""
        return self._incoming.request_id

    @property
    def handler_name(self) -> str:
        """The export's name; of a controller with a method for each event the method, once it is known."""
        name = self._export.name
        return name if self._event_name is None else self._export.methods.get(self._event_name, name)

    @property
    def route(self) -> Route:
        """How the export was found."""
        return self._route

    @property
    def request(self) -> FunctionRequest:
        """The HTTP request, as a handler sees it."""
        if self._request is None:
            self._request = FunctionRequest(self._incoming)
        return self._request

    @property
    def arguments(self) -> Arguments:
        """What the route of an endpoint of the function's own found for its parameters."""
        return self._arguments

    @property
    def event_name(self) -> str | None:
        """For a webhook with a method for each event: the name of the method."""
        return self._event_name

    @property
    def is_done(self) -> bool:
        """Whether the answer, once it is complete, says that nobody need call again."""
        return self._outcome in ("ok", "refused") and self.status < 500 and self.status not in ASK_AGAIN

    @property
    def scope(self) -> Scope:
        """The services of this request, which are closed when it ends."""
        return self.context.services

    def _new_scope(self) -> Scope:
        return self._function.services.scope(_Given(self))

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
        """Why it was refused or aborted, as the caller was told."""
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
        return (time.perf_counter() - self._incoming.started) * 1000

    @property
    def request_bytes(self) -> int:
        """Length of the body; of a socket, what has come in."""
        return self._incoming.size if self._statistics is None else self._statistics.bytes_in

    @property
    def stream(self) -> Mapping[str, int] | None:
        """What went over a socket, and how it was closed; None for anything else."""
        if self._statistics is None:
            return None
        return {**asdict(self._statistics), "close_code": self._close_code or 0}

    @property
    def response_bytes(self) -> int:
        """Length of the answer's body; of a streamed one and of a socket, what has gone out."""
        if self._statistics is not None:
            return self._statistics.bytes_out
        if self._response is None:
            return 0
        if not self._response.is_streamed:
            return self._response.calculate_content_length() or 0
        return self._streamed_bytes or self._response.content_length or 0

    # What happens to it, in order. For hooks, dispatch and streams alone: nobody else may change what is recorded.

    def _accept(self, payload: Any, call_id: str | None = None) -> None:
        """The hooks let it through: the handler gets this payload."""
        self._payload = payload
        self._call_id = call_id

    def _bind(self, arguments: Arguments) -> None:
        """What its route found is loaded."""
        self._arguments = arguments

    def _name_event(self, name: str) -> None:
        """It is an event, and this method's."""
        self._event_name = name

    def _claim(self, settle: Settle) -> None:
        """It has claimed to do something that is done once; `settle` wants to know what became of it."""
        self._settle = settle

    def _raise(self, error: BaseException | None) -> None:
        """Keep the exception that ended it, for its services. None: the handler is called again, as by a retry."""
        self._error = error

    def _refuse(self, reason: str | None) -> None:
        """The hooks ended it."""
        self._outcome = "refused"
        self._refusal = reason

    def _abort(self, reason: str | None) -> None:
        """The handler ended it with an HTTP error of its own."""
        self._refusal = reason

    def _fail(self, error: BaseException, *, is_told: bool = True) -> None:
        """The handler failed, or its streamed answer broke off; `is_told`: the log has a line about this error."""
        self._outcome = "error"
        self._error = error
        self._is_told = is_told

    def _leave(self) -> None:
        """The client left before a streamed answer was through, or before a socket was closed."""
        self._outcome = "gone"

    def _answer(self, response: Response) -> None:
        """The answer is made."""
        self._response = response

    def _stream(self, size: int) -> None:
        """So many bytes more of a streamed answer have gone out."""
        self._streamed_bytes += size

    def _count(self, statistics: SocketStatistics) -> None:
        """It is a socket, and what goes over it is counted here."""
        self._statistics = statistics

    def _close(self, code: int | None) -> None:
        """Its socket was closed with this code."""
        self._close_code = code

    def _end(self) -> None:
        """The request is over: what was opened through its context is closed. The second time, nothing happens.

        :raises Exception: a service could not finish its work, such as a commit; see :meth:`Scope.close`.
        """
        error, self._error = self._error, None
        if self._context is not None:
            self._context._end(error)

    def _complete(self, usage: UsageRecord) -> None:
        """The answer is through, and recorded."""
        self._usage = usage

    def __repr__(self) -> str:
        return f"<Invocation {self.request_id} of {self.handler_name}>"


class _Given(Mapping[type, Any]):
    """The values of a request by their types, each made when it is asked for."""

    __slots__ = ("_invocation",)

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def __getitem__(self, kind: type) -> Any:
        return GIVEN[kind](self._invocation)

    def __iter__(self) -> Iterator[type]:
        return iter(GIVEN)

    def __len__(self) -> int:
        return len(GIVEN)
