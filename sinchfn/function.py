"""One loaded function: all that lives as long as the app. Its fields never change; free of Flask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from .auth import BasicAuth
from .config import DEFAULT, FunctionConfig
from .controllers import SinchController
from .exports import Export, Exports, Handler, Row
from .injection import Plan
from .redaction import Redaction
from .runtime import DeclaredSocket
from .services.public import PublicFiles
from .services.shared import Services
from .services.usage import Ledger
from .signatures import Scheme

if TYPE_CHECKING:
    from .invocation import Invocation
    from .lifecycle import Lifecycle

#: How many answers are remembered as faultless, and the longest text of one that is, in characters.
PASSED_ANSWERS = 256
PASSED_LENGTH = 8192

#: Largest body in bytes where agents send the audio of a call, unless ``SINCHFN_MAX_BODY`` is set.
LARGE_BODY = 32 << 20

Hook = Callable[["Invocation"], None]

#: How the URL is listed that a Voice application has for all its callbacks.
CALLBACK_ROW = Row("POST", "/", "voice callbacks (by event)")


class PassedAnswers:
    """Texts of SVAML that passed the check without a remark: most functions give the same few answers all day."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def has(self, event: str, text: str) -> bool:
        """Whether this answer to this event passed before."""
        return (event, text) in self._known

    def add(self, event: str, text: str) -> None:
        """This answer to this event passed."""
        if len(self._known) >= PASSED_ANSWERS:
            self._known.clear()  # at once, unlike a search for the oldest: several threads come here
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
    hooks: Mapping[str, tuple[Hook, ...]]
    #: names of the exports that Basic auth gates
    gated: frozenset[str]
    #: what verifies signed calls, by the name of the scheme; without those that are switched off or not possible
    schemes: Mapping[str, Scheme]
    #: how each export is protected, in words, for the start-up log
    protection: Mapping[Export, str]
    #: key for the tokens of stream URLs; None when there is no secret to sign with
    stream_key: bytes | None
    public: PublicFiles | None
    ledger: Ledger | None
    #: what the context offers, and what the function has registered
    services: Services
    #: how each controller is made
    plans: Mapping[type[SinchController], Plan]
    #: what is called for each export: its handler, with the function's middleware around it
    handlers: Mapping[Export, Handler]
    #: where it takes WebSockets
    sockets: tuple[DeclaredSocket, ...]
    #: its start and its end in a process
    lifecycle: Lifecycle
    #: whether ``/`` is a page of ours where there is nothing else
    has_landing_page: bool
    #: where the function is mounted, without a trailing slash
    url_prefix: str
    #: whether it is mounted in an app that somebody else owns
    embedded: bool
    #: what is odd about it, for the start-up log
    warnings: tuple[str, ...]
    passed: PassedAnswers = field(default_factory=PassedAnswers)
    #: what was warned about once and is not again: the name of a handler, and of what is wrong with it
    warned: set[tuple[str, str]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.config.function_name

    def listing(self) -> list[Row]:
        """Method, path and name of every handler, for the start-up log and the landing page."""
        rows = [row for export in self.exports for row in export.rows]
        if self.exports.callbacks:
            rows.insert(0, CALLBACK_ROW)
        return [*rows, *(Row("WS", socket.path, socket.name) for socket in self.sockets)]

    def told(self) -> dict[str, object]:
        """What a 404 tells of what there is."""
        url = {"callbackUrl": f"POST {self.url_prefix or '/'}"} if self.exports.callbacks else {}
        return {"handlers": self.exports.names, **url}

    @cached_property
    def _socket_paths(self) -> Map:
        return Map([Rule(socket.path) for socket in self.sockets], strict_slashes=False, merge_slashes=False)

    def has_socket_at(self, path: str) -> bool:
        """Whether this path, below the mount, is one of a socket."""
        if not self.sockets:
            return False
        try:
            self._socket_paths.bind("").match(f"/{path.lstrip('/')}")
        except HTTPException:
            return False
        return True

    def table(self, *, with_protection: bool = False) -> list[str]:
        """The same as aligned lines of text.

        :param with_protection: say of each how it is protected, where that is asked for or expected.
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
        """The largest body that this endpoint takes, in bytes."""
        limit: int = self.config["SINCHFN_MAX_BODY"]
        is_set = self.config.origin("SINCHFN_MAX_BODY") != DEFAULT
        return LARGE_BODY if export.takes_large_bodies and not is_set else limit

    def __repr__(self) -> str:
        return f"<Function {self.name} at {self.url_prefix or '/'}: {', '.join(self.exports.names) or 'no handlers'}>"
