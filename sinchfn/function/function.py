"""Function: one loaded function, with everything that lives as long as its app. Its fields never change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from ..config.config import DEFAULT, FunctionConfig
from ..logs.redaction import Redaction
from ..security.basic_auth import BasicAuth
from ..security.table import Scheme
from ..services.injection.recipes import Plan
from ..services.services import Services
from ..services.static_files import PublicFiles
from ..services.usage import Ledger
from .controllers import SinchController
from .exports import Export, Row
from .lifecycle import Lifecycle
from .routing import Exports
from .runtime import DeclaredSocket

#: The most answers that are remembered as valid, and the longest text of a remembered one, in characters.
PASSED_ANSWERS = 256
PASSED_LENGTH = 8192

#: The largest body in bytes of a webhook for the audio of calls, unless ``SINCHFN_MAX_BODY`` is set.
LARGE_BODY = 32 << 20

#: The line for the callback URL of a Voice application in the list of endpoints.
CALLBACK_ROW = Row("POST", "/", "voice callbacks (by event)")


class PassedAnswers:
    """SVAML texts that passed the check without a warning: most functions give the same few answers all day."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def has(self, event: str, text: str) -> bool:
        """Return True if this answer to this event has passed before."""
        return (event, text) in self._known

    def add(self, event: str, text: str) -> None:
        """Remember an answer to an event that passed."""
        if len(self._known) >= PASSED_ANSWERS:
            self._known.clear()  # atomic, unlike a search for the oldest, and several threads call this
        if len(text) <= PASSED_LENGTH:
            self._known.add((event, text))


@dataclass(frozen=True, eq=False)
class Function:
    """A function and everything made for it at start."""

    module: ModuleType
    config: FunctionConfig
    exports: Exports
    basic: BasicAuth
    redact: Redaction
    #: the platform hooks, by the name of their signal
    hooks: Mapping[str, tuple[Callable[[Any], None], ...]]
    #: names of the exports that Basic auth gates
    gated: frozenset[str]
    #: the schemes that verify signed calls, by name; without those that are off or lack their settings
    schemes: Mapping[str, Scheme]
    #: the protection of each export, in words for the start-up log
    protection: Mapping[Export, str]
    #: key for the tokens of stream URLs; None without a secret to sign with
    stream_key: bytes | None
    public: PublicFiles | None
    ledger: Ledger | None
    #: the services of the context, and those that the function has registered
    services: Services
    #: the plan for making each controller
    plans: Mapping[type[SinchController], Plan]
    #: the callable for each export: its handler, with the function's middleware around it
    handlers: Mapping[Export, Callable[[Any], Any]]
    #: the paths at which it takes WebSockets
    sockets: tuple[DeclaredSocket, ...]
    #: its start-up and shutdown in a process
    lifecycle: Lifecycle
    #: whether ``/`` is the landing page if the function serves nothing else there
    has_landing_page: bool
    #: the path of the mount, without a trailing slash
    url_prefix: str
    #: whether it is mounted in a host's app
    embedded: bool
    #: for the start-up log
    warnings: tuple[str, ...]
    passed: PassedAnswers = field(default_factory=PassedAnswers)
    #: warnings that are given only once: the name of a handler, and of the problem
    warned: set[tuple[str, str]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.config.function_name

    def listing(self) -> list[Row]:
        """Return method, path and name of every handler, for the start-up log and the landing page."""
        rows = [row for export in self.exports for row in export.rows]
        if self.exports.callbacks:
            rows.insert(0, CALLBACK_ROW)
        return [*rows, *(Row("WS", socket.path, socket.name) for socket in self.sockets)]

    def told(self) -> dict[str, object]:
        """Return the handlers and the callback URL, for the body of a 404."""
        url = {"callbackUrl": f"POST {self.url_prefix or '/'}"} if self.exports.callbacks else {}
        return {"handlers": self.exports.names, **url}

    @cached_property
    def _socket_paths(self) -> Map:
        return Map([Rule(socket.path) for socket in self.sockets], strict_slashes=False, merge_slashes=False)

    def has_socket_at(self, path: str) -> bool:
        """Return True if this path, below the mount, is the path of a socket."""
        if not self.sockets:
            return False
        try:
            self._socket_paths.bind("").match(f"/{path.lstrip('/')}")
        except HTTPException:
            return False
        return True

    def table(self, *, with_protection: bool = False) -> list[str]:
        """Return the listing as aligned lines of text.

        :param with_protection: add the protection of each handler, if it has any or should have.
        """
        words = {row: self.protection[export] for export in self.exports for row in export.rows if with_protection}
        words[CALLBACK_ROW] = next((words[row] for row in words if row.name.endswith("(voice)")), "")
        shown = [row._replace(name=f"{row.name}, {words[row]}") if words.get(row) else row for row in self.listing()]
        rows = [(method, self.url_prefix + path, name) for method, path, name in shown]
        if not rows:
            return ["  none: only the files in public/ are served"]
        wide = max(len(method) for method, _, _ in rows)
        width = max(len(path) for _, path, _ in rows)
        return [f"  {method:<{max(wide, 4)}} {path:<{width}}  → {name}" for method, path, name in rows]

    def limit_of(self, export: Export) -> int:
        """Return the largest body that an endpoint takes, in bytes."""
        limit: int = self.config["SINCHFN_MAX_BODY"]
        is_set = self.config.origin("SINCHFN_MAX_BODY") != DEFAULT
        return LARGE_BODY if export.takes_large_bodies and not is_set else limit

    def __repr__(self) -> str:
        return f"<Function {self.name} at {self.url_prefix or '/'}: {', '.join(self.exports.names) or 'no handlers'}>"
