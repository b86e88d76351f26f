"""One request that reached an export: its progress towards an answer, and what receivers of signals see of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..config.config import FunctionConfig
from ..errors import Advised
from ..services.injection.container import Scope
from ..services.services import Services
from ..services.usage import SocketStatistics, UsageRecord
from .context import FunctionContext
from .exports import Export
from .function import Function
from .request import FunctionRequest, Incoming
from .routing import Route

if TYPE_CHECKING:
    from flask import Flask, Response

#: Set in the WSGI environ of a request that has its log line: the development server then adds no line.
LOGGED_KEY = "sinchfn.logged"

#: The values of a request that a constructor may take besides services, by their types.
GIVEN: Mapping[type, Callable[[Progress], Any]] = MappingProxyType(
    {
        FunctionContext: lambda progress: progress.context,
        FunctionConfig: lambda progress: progress.services.config,
        FunctionRequest: lambda progress: progress.request,
        logging.Logger: lambda progress: progress.context.log,
    }
)

#: Statuses that ask the caller to call again. A request with such an answer has done nothing.
ASK_AGAIN = frozenset((408, 425, 429))


class Progress:
    """One request on its way from the platform hooks to its usage record.

    Only the dispatcher, the hooks and the sockets have it, and write to it. All others get its :attr:`invocation`.
    """

    __slots__ = (
        "_invocation",
        "_request",
        "app",
        "arguments",
        "call_id",
        "close_code",
        "environ",
        "error",
        "event_name",
        "export",
        "function",
        "has_log_line",
        "incoming",
        "is_ended",
        "is_failure_logged",
        "kind",
        "opened_context",
        "outcome",
        "payload",
        "redact",
        "refusal",
        "request_id",
        "response",
        "route",
        "services",
        "settle",
        "statistics",
        "streamed_bytes",
        "usage",
        "usage_line",
    )

    def __init__(
        self, app: Flask, function: Function, export: Export, incoming: Incoming, route: Route | None = None
    ) -> None:
        #: the Flask app, which is the sender of the signals
        self.app = app
        self.function = function
        self.services: Services = function.services
        self.redact = function.redact
        self.export = export
        #: ``voice``, ``webhook`` and so on, as in usage records and log lines
        self.kind = export.kind.value
        self.incoming = incoming
        self.environ = incoming.environ
        self.request_id = incoming.request_id
        #: how the export was found
        self.route = route or Route(export)
        #: positional and named arguments out of the route, for an endpoint with routes of its own
        self.arguments: tuple[list[Any], dict[str, Any]] = ([], {})
        #: the name of the method for the event, for a webhook with a method for each event
        self.event_name: str | None = None
        #: the second argument of the handler, once the hooks have parsed it
        self.payload: Any = None
        self.call_id: str | None = None
        #: called at the end with :attr:`is_done`, if the request claimed something that is done once
        self.settle: Callable[[bool], None] | None = None
        #: ``ok``, ``refused``, ``error`` or ``gone``: see :class:`~sinchfn.UsageRecord`
        self.outcome = "ok"
        #: the reason that the caller was told, if a hook or the handler refused the request
        self.refusal: str | None = None
        #: the exception that ended the request, for its services
        self.error: BaseException | None = None
        #: whether the log has a line about the failure already
        self.is_failure_logged = False
        self.response: Response | None = None
        self.streamed_bytes = 0
        #: the counters of a socket
        self.statistics: SocketStatistics | None = None
        self.close_code: int | None = None
        #: the usage record, once the answer is complete
        self.usage: UsageRecord | None = None
        #: the same as JSON, for the ledger and the log
        self.usage_line = ""
        self.has_log_line = False
        #: the context, if anything has asked for it
        self.opened_context: FunctionContext | None = None
        self.is_ended = False
        self._request: FunctionRequest | None = None
        self._invocation: Invocation | None = None

    @property
    def invocation(self) -> Invocation:
        """The read-only view of this request: the same object each time."""
        if self._invocation is None:
            self._invocation = Invocation(self)
        return self._invocation

    @property
    def context(self) -> FunctionContext:
        """The first argument of the handler."""
        if self.opened_context is None:
            self.opened_context = FunctionContext(self)
        return self.opened_context

    @property
    def request(self) -> FunctionRequest:
        """The HTTP request, as a handler sees it."""
        if self._request is None:
            self._request = FunctionRequest(self.incoming)
        return self._request

    @property
    def timestamp(self) -> datetime:
        """The time when the request came; aware, in UTC."""
        return datetime.fromtimestamp(self.incoming.received, UTC)

    @property
    def handler_name(self) -> str:
        """The name of the export; of the method, for a controller with a method for each event, once it is known."""
        method = None if self.event_name is None else self.export.methods.get(self.event_name)
        return self.export.name if method is None else method.shown

    @property
    def status(self) -> int:
        """The HTTP status of the answer; 500 before it is made."""
        return 500 if self.response is None else self.response.status_code

    @property
    def is_done(self) -> bool:
        """True if the complete answer says that nothing need be sent again."""
        return self.outcome in ("ok", "refused") and self.status < 500 and self.status not in ASK_AGAIN

    @property
    def milliseconds(self) -> float:
        """The time since the request came."""
        return (time.perf_counter() - self.incoming.started) * 1000

    @property
    def request_bytes(self) -> int:
        """The length of the body; for a socket, the bytes that have come in."""
        return self.incoming.size if self.statistics is None else self.statistics.bytes_in

    @property
    def response_bytes(self) -> int:
        """The length of the answer's body; for a stream or a socket, the bytes that have gone out."""
        if self.statistics is not None:
            return self.statistics.bytes_out
        if self.response is None:
            return 0
        if not self.response.is_streamed:
            return self.response.calculate_content_length() or 0
        return self.streamed_bytes or self.response.content_length or 0

    @property
    def stream(self) -> Mapping[str, int] | None:
        """The counters of a socket and the code it was closed with; None for any other request."""
        if self.statistics is None:
            return None
        return {**asdict(self.statistics), "close_code": self.close_code or 0}

    def refuse(self, error: BaseException, reason: str | None) -> None:
        """Record that a hook ended the request."""
        self.outcome, self.error, self.refusal = "refused", error, reason

    def fail(self, error: BaseException, *, is_logged: bool = True) -> None:
        """Record that the handler failed, or that its streamed answer broke off.

        :param is_logged: whether the log has a line about this error.
        """
        self.outcome, self.error, self.is_failure_logged = "error", error, is_logged

    def new_scope(self) -> Scope:
        """Open the services of this request."""
        return self.services.scope(_Given(self))

    def has_scope(self) -> bool:
        """Return True if the services of this request were opened."""
        return self.opened_context is not None and self.opened_context._scope is not None

    def end(self) -> None:
        """Close what was opened through the context. The second call does nothing.

        :raises Exception: a service could not finish its work, such as a commit; see :meth:`Scope.close`.
        """
        error, self.error = self.error, None
        self.is_ended = True
        if self.opened_context is not None:
            self.opened_context._end(error)

    def __repr__(self) -> str:
        return f"<Invocation {self.request_id} of {self.handler_name}>"


class Invocation(Advised):
    """One request that reached an export, as receivers of signals and middleware see it.

    All attributes are read-only, so what is recorded cannot be changed from outside. What is not known yet is None.
    """

    __slots__ = ("_progress",)

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @property
    def app(self) -> Flask:
        """The Flask app, which is the sender of the signals."""
        return self._progress.app

    @property
    def function(self) -> Function:
        """The function that was called."""
        return self._progress.function

    @property
    def export(self) -> Export:
        """The endpoint that was reached."""
        return self._progress.export

    @property
    def route(self) -> Route:
        """The way in which the export was found."""
        return self._progress.route

    @property
    def incoming(self) -> Incoming:
        """The request as it came."""
        return self._progress.incoming

    @property
    def environ(self) -> dict[str, Any]:
        """The WSGI environ."""
        return self._progress.environ

    @property
    def request_id(self) -> str:
        """The id on the answer and in every log line."""
        return self._progress.request_id

    @property
    def timestamp(self) -> datetime:
        """The time when the request came; aware, in UTC."""
        return self._progress.timestamp

    @property
    def handler_name(self) -> str:
        """The name of the export; of the method, for a controller with a method for each event, once it is known."""
        return self._progress.handler_name

    @property
    def event_name(self) -> str | None:
        """The name of the method for the event, for a webhook with a method for each event."""
        return self._progress.event_name

    @property
    def request(self) -> FunctionRequest:
        """The HTTP request, as a handler sees it."""
        return self._progress.request

    @property
    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """The positional and named arguments out of the route."""
        return self._progress.arguments

    @property
    def context(self) -> FunctionContext:
        """The first argument of the handler."""
        return self._progress.context

    @property
    def scope(self) -> Scope:
        """The services of this request, which are closed when it ends."""
        return self._progress.context.services

    @property
    def payload(self) -> Any:
        """The second argument of the handler, once it is parsed."""
        return self._progress.payload

    @property
    def call_id(self) -> str | None:
        """The id of the call that this callback belongs to."""
        return self._progress.call_id

    @property
    def outcome(self) -> str:
        """``ok``, ``refused``, ``error`` or ``gone``: see :class:`~sinchfn.UsageRecord`."""
        return self._progress.outcome

    @property
    def refusal(self) -> str | None:
        """The reason why the request was refused or aborted, as the caller was told."""
        return self._progress.refusal

    @property
    def response(self) -> Response | None:
        """The answer, once it is made."""
        return self._progress.response

    @property
    def status(self) -> int:
        """The HTTP status of the answer; 500 before it is made."""
        return self._progress.status

    @property
    def is_done(self) -> bool:
        """True if the complete answer says that nothing need be sent again."""
        return self._progress.is_done

    @property
    def usage(self) -> UsageRecord | None:
        """The usage record, once the answer is complete."""
        return self._progress.usage

    @property
    def milliseconds(self) -> float:
        """The time since the request came."""
        return self._progress.milliseconds

    @property
    def request_bytes(self) -> int:
        """The length of the body; for a socket, the bytes that have come in."""
        return self._progress.request_bytes

    @property
    def response_bytes(self) -> int:
        """The length of the answer's body; for a stream or a socket, the bytes that have gone out."""
        return self._progress.response_bytes

    @property
    def stream(self) -> Mapping[str, int] | None:
        """The counters of a socket and the code it was closed with; None for any other request."""
        return self._progress.stream

    def __repr__(self) -> str:
        return repr(self._progress)


class _Given(Mapping[type, Any]):
    """The values of a request by their types, each made when it is asked for."""

    __slots__ = ("_progress",)

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __getitem__(self, kind: type) -> Any:
        return GIVEN[kind](self._progress)

    def __iter__(self) -> Iterator[type]:
        return iter(GIVEN)

    def __len__(self) -> int:
        return len(GIVEN)
