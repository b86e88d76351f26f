"""The two states of an answer: a builder that still takes instructions, and the finished `Svaml`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from .wire import Wire, fresh


class Svaml:
    """A finished answer: instructions and one action. An action method of a builder makes it; it never changes."""

    __slots__ = ("_action", "_instructions")

    def __init__(self, instructions: tuple[Wire, ...], action: Wire) -> None:
        self._instructions = instructions
        self._action = action

    def build(self) -> Wire:
        """The answer as the wire has it: a new dict each time, yours to change."""
        return {**_listed(self._instructions), "action": fresh(self._action)}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Svaml):
            return NotImplemented
        return self._instructions == other._instructions and self._action == other._action

    def __repr__(self) -> str:
        return f"<Svaml: {_names((*self._instructions, self._action))}>"


class SvamlBuilder:
    """Instructions so far. Never changes: an instruction method returns a new builder, an action method a `Svaml`.

    Use one of `IceSvamlBuilder`, `AceSvamlBuilder`, `PieSvamlBuilder`: they have the methods of their event.
    """

    __slots__ = ("_instructions",)

    def __init__(self) -> None:
        self._instructions: tuple[Wire, ...] = ()

    def build(self) -> Wire:
        """The answer as the wire has it, without an action: a new dict each time, yours to change."""
        return _listed(self._instructions)

    def _then(self, instruction: Wire) -> Self:
        longer = object.__new__(type(self))
        longer._instructions = (*self._instructions, instruction)
        return longer

    def _finish(self, action: Wire) -> Svaml:
        return Svaml(self._instructions, action)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SvamlBuilder) or type(self) is not type(other):
            return NotImplemented
        return self._instructions == other._instructions

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {_names(self._instructions) or 'nothing yet'}>"


def _listed(instructions: tuple[Wire, ...]) -> Wire:
    return {"instructions": fresh(instructions)} if instructions else {}


def _names(items: Iterable[Wire]) -> str:
    # Names only: the options of startRecording carry credentials, texts may carry a person's data.
    return ", ".join(str(item["name"]) for item in items)
