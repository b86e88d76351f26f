"""The two states of an answer: a builder that still takes instructions, and the finished `Svaml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Self, TypeVar

from ...errors import Advised, did_you_mean
from .wire import Wire, fresh

Made = TypeVar("Made")

#: What builders make while a handler runs: each thing with the builder that it was made from. None outside a handler.
MADE: ContextVar[list[tuple[object, object]] | None] = ContextVar("sinchfn_made", default=None)


class Svaml(Advised):
    """A finished answer: instructions and one action. An action method of a builder makes it; it never changes."""

    __slots__ = ("_action", "_instructions")

    def __init__(self, instructions: tuple[Wire, ...], action: Wire) -> None:
        self._instructions = instructions
        self._action = action

    def build(self) -> Wire:
        """The answer as the wire has it: a new dict each time, yours to change."""
        return _noted(self, {**_listed(self._instructions), "action": fresh(self._action)})

    def _advice(self, name: str) -> str:
        if near := did_you_mean(name, ["build"]):
            return near
        return (
            f" The answer is finished: {self._action['name']} was its action, and there is one in an answer. "
            'Instructions come before it: builder.say("Hello").hangup()'
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Svaml):
            return NotImplemented
        return self._instructions == other._instructions and self._action == other._action

    def __repr__(self) -> str:
        return f"<Svaml: {_names((*self._instructions, self._action))}>"


class SvamlBuilder(Advised):
    """Instructions so far. Never changes: an instruction method returns a new builder, an action method a `Svaml`.

    Use one of `IceSvamlBuilder`, `AceSvamlBuilder`, `PieSvamlBuilder`: they have the methods of their event.
    """

    __slots__ = ("_instructions",)

    def __init__(self) -> None:
        self._instructions: tuple[Wire, ...] = ()
        _noted(None, self)

    def build(self) -> Wire:
        """The answer as the wire has it, without an action: a new dict each time, yours to change."""
        return _noted(self, _listed(self._instructions))

    def _then(self, instruction: Wire) -> Self:
        longer = object.__new__(type(self))
        longer._instructions = (*self._instructions, instruction)
        return _noted(self, longer)

    def _finish(self, action: Wire) -> Svaml:
        return _noted(self, Svaml(self._instructions, action))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SvamlBuilder) or type(self) is not type(other):
            return NotImplemented
        return self._instructions == other._instructions

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {_names(self._instructions) or 'nothing yet'}>"


def unused(made: Sequence[tuple[object, object]], answer: object) -> Iterator[str]:
    """The names of instructions that a builder was given on the way to `answer`, and that are not in it.

    :param made: what was noted in `MADE`.
    """
    parents = {id(thing): parent for parent, thing in made}
    used = {id(parent) for parent in parents.values()}
    ancestors: set[int] = set()
    step = parents.get(id(answer))
    while step is not None and id(step) not in ancestors:
        ancestors.add(id(step))
        step = parents.get(id(step))
    for parent, thing in made:
        is_last = id(thing) not in used and thing is not answer
        if is_last and id(parent) in ancestors and isinstance(thing, SvamlBuilder):
            yield str(thing._instructions[-1]["name"])


def _noted(source: object, thing: Made) -> Made:
    """`thing`, which `source` has made, after it was noted for the handler at work."""
    made = MADE.get()
    if made is not None:
        made.append((source, thing))
    return thing


def _listed(instructions: tuple[Wire, ...]) -> Wire:
    return {"instructions": fresh(instructions)} if instructions else {}


def _names(items: Iterable[Wire]) -> str:
    # Names only: the options of startRecording carry credentials, texts may carry a person's data.
    return ", ".join(str(item["name"]) for item in items)
