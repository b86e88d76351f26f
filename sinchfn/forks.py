"""Forks of the process: what must not be carried half-done, or shared, into the child."""

from __future__ import annotations

import os
import weakref


class Forkable:
    """Something that gets ready before a fork, and goes on after it in both processes."""

    def before_fork(self) -> None:
        """In the process that forks."""

    def after_fork_in_parent(self) -> None:
        """In the same process, in any case."""

    def after_fork_in_child(self) -> None:
        """In the new process, where there is no other thread: a lock that one of them held stays locked for ever."""


#: What is told of forks, for as long as it is there. Of the module, because a fork is of the whole process, and what is
#: once registered for forks can never be taken back.
_known: dict[int, weakref.ref[Forkable]] = {}


def across_forks(thing: Forkable) -> None:
    """Tell `thing` of every fork of this process."""
    key = id(thing)
    _known[key] = weakref.ref(thing, lambda _: _known.pop(key, None))


def _still_there() -> list[Forkable]:
    return [thing for known in list(_known.values()) if (thing := known()) is not None]


def _before() -> None:
    for thing in _still_there():
        thing.before_fork()


def _in_parent() -> None:
    for thing in _still_there():
        thing.after_fork_in_parent()


def _in_child() -> None:
    for thing in _still_there():
        thing.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
