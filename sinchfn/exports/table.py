"""All endpoints of a function, ready to be looked up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from ..controllers import Rules
from ..signatures import plain_name
from .export import Export, Kind, Reads
from .names import IMPLICIT_CALLBACKS, ROOT


@dataclass(frozen=True)
class Exports:
    """All endpoints of a function."""

    #: in the order in which the function defines them
    listed: tuple[Export, ...] = ()
    #: what was found but not exported, and what to do about it; for the start-up log
    warnings: tuple[str, ...] = ()
    #: the paths of those with routes of their own
    rules: Rules = field(default_factory=Rules)
    segments: Mapping[str, Export] = field(init=False)
    services: Mapping[str, Export] = field(init=False)
    callbacks: Mapping[str, Export] = field(init=False)
    root: Export | None = field(init=False)

    def __post_init__(self) -> None:
        voice = {export.meaning: export for export in self.listed if export.kind is Kind.VOICE}
        if voice:
            voice |= {name: _implicit(name) for name in IMPLICIT_CALLBACKS if name not in voice}
        other = [export for export in self.listed if export.kind is not Kind.VOICE]
        by = MappingProxyType
        object.__setattr__(self, "callbacks", by(voice))
        object.__setattr__(self, "segments", by({s: export for export in other for s in export.spellings}))
        object.__setattr__(self, "services", by({s: export for export in other for s in export.services}))
        object.__setattr__(self, "root", next((export for export in other if _is_root(export)), None))

    def __iter__(self) -> Iterator[Export]:
        return iter(self.listed)

    def guarded_service(self, service: str) -> Export | None:
        """The webhook that a scheme guards, wherever in the name of its service a word ends: `eleven-labs`."""
        if not service[:1].islower():  # neither kebab, nor snake, nor camel
            return None
        found = self.services.get(plain_name(service))
        return found if found is not None and found.scheme is not None else None

    @cached_property
    def names(self) -> list[str]:
        """The names of all handlers."""
        return list(dict.fromkeys(name for export in self.listed for name in export.names))


def _implicit(name: str) -> Export:
    return Export(name, Kind.VOICE, spellings=frozenset((name,)), reads=Reads.CALLBACK)


def _is_root(export: Export) -> bool:
    return export.meaning in ROOT and not export.routes
