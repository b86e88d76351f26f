"""One loaded function: all that lives as long as the app. Its fields never change; free of Flask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from .auth import BasicAuth
from .config import FunctionConfig
from .exports import CALLBACKS, Export, Exports, Kind
from .redaction import Redaction
from .services.public import PublicFiles
from .services.shared import Services
from .services.usage import Ledger
from .signatures import ApplicationScheme

if TYPE_CHECKING:
    from .invocation import Invocation

#: How many answers are remembered as faultless, and the longest text of one that is, in characters.
PASSED_ANSWERS = 256
PASSED_LENGTH = 8192

Hook = Callable[["Invocation"], None]


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
    #: what verifies signed calls, by the name of the scheme; empty when that is switched off or not possible
    schemes: Mapping[str, ApplicationScheme]
    #: key for the tokens of stream URLs; None when there is no secret to sign with
    stream_key: bytes | None
    public: PublicFiles | None
    ledger: Ledger | None
    #: what the context offers
    services: Services
    #: where the function is mounted, without a trailing slash
    url_prefix: str
    #: whether it is mounted in an app that somebody else owns
    embedded: bool
    #: what is odd about it, for the start-up log
    warnings: tuple[str, ...]
    passed: PassedAnswers = field(default_factory=PassedAnswers)

    @property
    def name(self) -> str:
        return self.config.function_name

    def listing(self) -> list[tuple[str, str, str]]:
        """Method, path and name of every handler, for the start-up log and the landing page."""
        return [_listed(export) for export in self.exports]

    def table(self) -> list[str]:
        """The same as aligned lines of text."""
        rows = [(method, self.url_prefix + path, name) for method, path, name in self.listing()]
        width = max((len(path) for _, path, _ in rows), default=0)
        return [f"  {method:<4} {path:<{width}}  → {name}" for method, path, name in rows]

    def __repr__(self) -> str:
        return f"<Function {self.name} at {self.url_prefix or '/'}: {', '.join(self.exports.names) or 'no handlers'}>"


def _listed(export: Export) -> tuple[str, str, str]:
    if export.name in CALLBACKS:
        return "POST", export.path, f"{export.name} (voice)"
    return "POST" if export.kind is Kind.WEBHOOK else "GET", export.path, export.name
