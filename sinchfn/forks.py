"""Forks of the process: what must not be carried half-done, or shared, into the child."""

from __future__ import annotations

import atexit
import gc
import os
import weakref
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from typing import Any


class Forkable:
    """An object that prepares for a fork, and goes on after it in both processes."""

    def before_fork(self) -> None:
        """In the process that forks."""

    def after_fork_in_parent(self) -> None:
        """In the same process, in any case."""

    def after_fork_in_child(self) -> None:
        """In the new process, which has no other threads: a lock that one of them held stays locked for ever."""


#: The objects to call at a fork, while they exist. They are kept here because a fork concerns the whole process, and a
#: function that was registered for forks can never be removed.
_known: dict[int, weakref.ref[Forkable]] = {}

#: What this process inherited and leaves to its parent; see ``never_free``.
_left: list[Any] = []


def across_forks(thing: Forkable) -> None:
    """Call the methods of `thing` at every fork of this process."""
    key = id(thing)
    _known[key] = weakref.ref(thing, lambda _: _known.pop(key, None))


def never_free(thing: object) -> None:
    """Never free an object that this process inherited and its parent still uses, not even when this process ends.

    Freed, a generator would run its clean-up here, and close what the parent has open.
    """
    if not _left:
        _left.append(_left)  # so that only the garbage collector could free the list,
        atexit.register(gc.freeze)  # and its last run, when the interpreter ends, ignores what is there by then
    _left.append(thing)


def _call_each(call: Callable[[Forkable], None]) -> None:
    for thing in [thing for known in list(_known.values()) if (thing := known()) is not None]:
        call(thing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=partial(_call_each, methodcaller("before_fork")),
        after_in_parent=partial(_call_each, methodcaller("after_fork_in_parent")),
        after_in_child=partial(_call_each, methodcaller("after_fork_in_child")),
    )
