"""Makings: the services that are being made just now, by which thread, and what each of them waits for."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..errors import FunctionError
from .held import Ending, Held
from .recipes import Recipe
from .resolver import Resolver

if TYPE_CHECKING:
    from svcs import Container


class Making:
    """One service that is being made."""

    __slots__ = (
        "asked",
        "container",
        "done",
        "ending",
        "failure",
        "held",
        "needs",
        "recipe",
        "resolver",
        "taken",
        "thread",
        "waiting",
    )

    def __init__(self, recipe: Recipe, resolver: Resolver, container: Container, ending: Ending) -> None:
        self.recipe = recipe
        #: What will keep it.
        self.container = container
        self.resolver = resolver
        self.ending = ending
        self.thread = threading.get_ident()
        #: What has to be made before it.
        self.needs: list[Making] = []
        #: What was asked for while it was made: the services, and what they are asked for by.
        self.taken: list[Any] = []
        self.asked: set[Any] = set()
        self.held: Held | None = None
        #: How many threads wait for it, and what they are told if it comes to nothing.
        self.waiting = 0
        self.failure: Exception | None = None
        #: Locked until it is made.
        self.done = threading.Lock()
        self.done.acquire()

    def carry_out(self) -> Held:
        """Make it."""
        plan = self.recipe.plan
        positional, by_name = self.resolver.arguments(plan)
        result = plan.target(*positional, **by_name)
        self.held = Held(self.recipe.name, result, [*self.taken, *positional, *by_name.values()], self.ending)
        return self.held


class Makings:
    """What is being made in one registry and its scopes.

    Threads that want the same service wait for the one that makes it. A thread never waits for a service that waits
    for it: that service needs itself, by way of others, and is refused.
    """

    def __init__(self) -> None:
        #: Guards what threads share; never held while a service is made.
        self.lock = threading.Lock()
        #: What is being made in this context. Not per thread: an async factory may run in a thread of its own.
        self.current: ContextVar[Making | None] = ContextVar("sinchfn_making", default=None)

    def take(self, key: Any, value: Any) -> None:
        """Note that `value` went into what is being made here, if anything is."""
        making = self.current.get()
        if making is not None:
            making.taken.append(value)
            making.asked.add(key)

    def carry_out(self) -> Held:
        """Make what is to be made in this context."""
        making = self.current.get()
        if making is None:
            raise RuntimeError("nothing is to be made here")
        return making.carry_out()

    def refuse_circle(self, wanted: Making) -> None:
        """Before waiting for `wanted`, under the lock: whether it waits for what is being made here.

        :raises FunctionError: it does. The message shows the path.
        """
        current = self.current.get()
        path = (_path(wanted, current) if current else []) or _path_of_thread(wanted, current)
        if path:
            raise FunctionError(cycle([making.recipe.name for making in [*path, wanted]]))

    def need(self, wanted: Making) -> None:
        """Note, under the lock, that what is being made here needs `wanted`, if anything is."""
        current = self.current.get()
        if current is not None:
            current.needs.append(wanted)

    def no_longer_need(self, wanted: Making) -> None:
        """Take that back."""
        current = self.current.get()
        if current is not None:
            with self.lock:
                current.needs.remove(wanted)


def cycle(names: list[str]) -> str:
    """Says that services need each other in a circle."""
    return (
        f"Services need each other in a circle: {' -> '.join(names)}. "
        "Break it: let one of them take what it needs as an argument of its methods, or ask for it when it is used."
    )


def _path(start: Making, goal: Making) -> list[Making]:
    """From `start` over what each needs to `goal`; empty if that cannot be reached."""
    paths = [[start]]
    seen = {id(start)}
    while paths:
        path = paths.pop()
        if path[-1] is goal:
            return path
        for needed in path[-1].needs:
            if id(needed) not in seen:
                seen.add(id(needed))
                paths.append([*path, needed])
    return []


def _path_of_thread(wanted: Making, current: Making | None) -> list[Making]:
    """For a factory that asks outside of its context: what this very thread is making would wait for itself."""
    if wanted.thread != threading.get_ident():
        return []
    path = [wanted]
    while path[-1].needs and path[-1].needs[-1] not in path:
        path.append(path[-1].needs[-1])
    return path if current is None or current in path else [*path, current]
