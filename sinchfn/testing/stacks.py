"""Where a thread is, for the message of a test that waited for it in vain."""

from __future__ import annotations

import sys
import threading
import traceback


def stack_of(thread: threading.Thread | None) -> str:
    """The stack of a thread, the innermost call last; that it has ended, if it has."""
    frame = sys._current_frames().get(thread.ident or 0) if thread is not None else None
    if frame is None:
        return "  (its thread has ended)"
    return "".join(traceback.format_stack(frame)).rstrip()
