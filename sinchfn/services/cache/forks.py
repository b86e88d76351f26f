"""What must not be carried half-done, or shared, across a fork of the process."""

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
        """In the new process, where there is no other thread."""


def across_forks(thing: Forkable) -> None:
    """Tell `thing` of every fork of this process, for as long as it is there."""
    if not hasattr(os, "register_at_fork"):
        return
    known = weakref.ref(thing)

    def before() -> None:
        if (found := known()) is not None:
            found.before_fork()

    def in_parent() -> None:
        if (found := known()) is not None:
            found.after_fork_in_parent()

    def in_child() -> None:
        if (found := known()) is not None:
            found.after_fork_in_child()

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)
