"""Exports: the endpoints of a function, with the user's code behind each one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from ..security.table import scheme_of
from .names import ROOT, service_of

#: The method that is listed for an endpoint that takes every method.
ANY = "ANY"


class Kind(StrEnum):
    """The kind of an endpoint. It depends on the export, never on the path of a request."""

    VOICE = "voice"
    WEBHOOK = "webhook"
    HTTP = "http"
    #: a WebSocket
    WEBSOCKET = "websocket"
    #: the start or the end of a process
    PROCESS = "process"


class Reads(StrEnum):
    """The payload that the body is parsed into for the handler."""

    #: none: the handler gets the request
    REQUEST = "request"
    #: a voice callback
    CALLBACK = "callback"
    #: a voice callback without a handler
    UNHANDLED = "unhandled"
    #: an event of the Conversation API
    CONVERSATION = "conversation"
    #: an event of an agent
    AGENT = "agent"
    #: the request for an agent's personalisation
    AGENT_INIT = "agent-init"


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
    #: for a controller, the plain export that it replaces: ``ice``, ``conversation_webhook``
    stands_for: str = ""
    reads: Reads = Reads.REQUEST
    #: the path to show, if it does not follow from the name
    shown_path: str = ""
    #: the list of its routes, for an endpoint that has routes of its own
    routes: tuple[Row, ...] = ()
    #: the name that decides about callbacks, webhooks and signature schemes, also for a controller
    meaning: str = field(init=False)
    #: the signature scheme that guards it, whether or not it is verified at present
    scheme: str | None = field(init=False)
    #: whether it may receive the audio of a whole call
    takes_large_bodies: bool = field(init=False)

    def __post_init__(self) -> None:
        # Computed once, because every request reads them.
        meaning = self.stands_for or self.name
        scheme = "application" if self.kind is Kind.VOICE else scheme_of(meaning)
        object.__setattr__(self, "meaning", meaning)
        object.__setattr__(self, "scheme", scheme)
        object.__setattr__(self, "takes_large_bodies", scheme == "elevenlabs")

    @property
    def path(self) -> str:
        """The path to show for the endpoint."""
        if self.routes:
            return self.routes[0].path
        if self.shown_path:
            return self.shown_path
        if self.kind is Kind.WEBHOOK:
            return f"/webhook/{service_of(self.meaning)}"
        return "/" if self.meaning in ROOT else f"/{self.meaning}"

    @property
    def rows(self) -> tuple[Row, ...]:
        """The lines for the endpoint in the list of endpoints."""
        if self.routes:
            return self.routes
        if self.kind is Kind.VOICE:
            return (Row("POST", self.path, f"{self.name} (voice)"),)
        method = "POST" if self.kind is Kind.WEBHOOK else ANY
        return tuple(Row(method, self.path, name) for name in self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the handlers behind the endpoint."""
        return tuple(method.shown for method in self.methods.values()) or (self.name,)

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods of controllers behind the endpoint, by event; the key of the only method is empty."""
        return NO_METHODS if self.handler is None else self.handler.methods

    @property
    def other_paths(self) -> tuple[str, ...]:
        """The paths that reach the endpoint and do not consist of its name alone."""
        webhooks = (f"/webhook/{service}" for service in self.services)
        return (*webhooks, "/") if self.meaning in ROOT and not self.routes else tuple(webhooks)


class Row(NamedTuple):
    """One line of the list of endpoints."""

    method: str
    path: str
    name: str


class Calling(StrEnum):
    """The calling convention of a handler."""

    #: ``function(context, payload)``, with the values of its route
    FUNCTION = "function"
    #: ``controller.method(payload)``; the method depends on the event
    METHOD = "method"
    #: ``controller.method(...)`` with the values of its route
    ROUTED = "routed"


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a controller."""

    controller: type[Any]
    name: str

    @property
    def shown(self) -> str:
        """The name of the method in messages: ``Ivr.ice``."""
        return f"{self.controller.__name__}.{self.name}"


#: For handlers that are not methods.
NO_METHODS: Mapping[str, Method] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Handler:
    """The user's code behind an export, and its calling convention. The dispatcher calls it."""

    calling: Calling
    function: Callable[..., Any] | None = None
    #: event -> the method for it; the key of the only method is empty
    methods: Mapping[str, Method] = field(default_factory=lambda: NO_METHODS)

    @property
    def key(self) -> object:
        """The identity of the user's code: routes with the same key belong to one export."""
        # A callable object need not be hashable.
        return id(self.function) if self.function is not None else tuple(self.methods.values())
