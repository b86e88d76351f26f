"""One endpoint: its name, its kind, what is called for it, and what reaches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..signatures import scheme_of
from .names import ROOT, service_of

if TYPE_CHECKING:
    from ..invocation import Invocation

#: What answers a call.
Handler = Callable[["Invocation"], Any]


class Kind(StrEnum):
    """What a handler gets and may answer; fixed by the export, never by the path that reached it."""

    VOICE = "voice"
    WEBHOOK = "webhook"
    HTTP = "http"
    #: a WebSocket
    WEBSOCKET = "websocket"
    #: the start or the end of a process
    PROCESS = "process"


class Reads(StrEnum):
    """What the body is parsed into for the handler."""

    #: nothing: it gets the request
    REQUEST = "request"
    #: a voice callback
    CALLBACK = "callback"
    #: a voice callback that has no handler
    UNHANDLED = "unhandled"
    #: an event of the Conversation API
    CONVERSATION = "conversation"
    #: an event of an agent
    AGENT = "agent"
    #: the request for an agent's personalisation
    AGENT_INIT = "agent-init"


#: What is listed as the method of an endpoint that gets them all.
ANY = "ANY"


class Row(NamedTuple):
    """One line of the list of endpoints."""

    method: str
    path: str
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """One endpoint."""

    #: as written in the function: ``ice``, ``Ivr.ice``
    name: str
    kind: Kind
    #: None for a callback that is answered without a handler
    handler: Handler | None = None
    #: every path segment that reaches it
    spellings: frozenset[str] = frozenset()
    #: every ``<service>`` of ``/webhook/<service>`` that reaches it
    services: frozenset[str] = frozenset()
    #: name of the plain export that it stands in the place of, for a controller: ``ice``, ``conversation_webhook``
    stands_for: str = ""
    reads: Reads = Reads.REQUEST
    #: for a webhook with a method for each event: name of the method -> how it is shown
    methods: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: the path to show, where it is not made of the name
    shown_path: str = ""
    #: for an endpoint with routes of its own: what is listed of them
    routes: tuple[Row, ...] = ()
    #: the name by which callbacks, webhooks and signature schemes go, whoever serves it
    meaning: str = field(init=False)
    #: the signature scheme that guards it, whether or not it is verified just now
    scheme: str | None = field(init=False)
    #: whether the audio of a whole call may come here
    takes_large_bodies: bool = field(init=False)

    def __post_init__(self) -> None:
        # Worked out once: each is asked for in every request.
        meaning = self.stands_for or self.name
        scheme = "application" if self.kind is Kind.VOICE else scheme_of(meaning)
        object.__setattr__(self, "meaning", meaning)
        object.__setattr__(self, "scheme", scheme)
        object.__setattr__(self, "takes_large_bodies", scheme == "elevenlabs")

    @property
    def path(self) -> str:
        """The path to show for it."""
        if self.routes:
            return self.routes[0].path
        if self.shown_path:
            return self.shown_path
        if self.kind is Kind.WEBHOOK:
            return f"/webhook/{service_of(self.meaning)}"
        return "/" if self.meaning in ROOT else f"/{self.meaning}"

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is listed of it."""
        if self.routes:
            return self.routes
        if self.kind is Kind.VOICE:
            return (Row("POST", self.path, f"{self.name} (voice)"),)
        method = "POST" if self.kind is Kind.WEBHOOK else ANY
        return tuple(Row(method, self.path, name) for name in self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The handlers behind it, by name."""
        return tuple(self.methods.values()) or (self.name,)
