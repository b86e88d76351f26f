"""HandledSocket: a socket as whoever runs its handler sees it, and how what the function gave it is called."""

from __future__ import annotations

import contextvars
import logging
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from ..coroutines import awaited
from ..errors import ConnectionClosed, sentence_of
from .frames import FAILED, LOST
from .websocket import WebSocket

_log = logging.getLogger("sinchfn")


class HandledSocket(WebSocket):
    """A socket that is run: over a connection, or, in tests, over memory.

    In this order: `bind`, the handler, `bind` again; `carry` if it stays open; `finish`, `tell_closed`, `hang_up`.
    """

    def __init__(self) -> None:
        super().__init__()
        #: what a handler or callback raised
        self.failed_with: BaseException | None = None
        self.bind()

    def bind(self) -> None:
        """What the function gives us is to be run in the context that this is called in, or rather in a copy of it."""
        self._run: Callable[..., Any] = contextvars.copy_context().run
        self._is_inside = False

    @abstractmethod
    def carry(self, on_end: Callable[[], None]) -> None:
        """From now on its messages go to the callback, on the thread of all callbacks.

        :param on_end: called once, on a thread that may wait, when the socket is closed.
        """

    @abstractmethod
    def finish(self) -> None:
        """Say all that is to be said, and wait until the peer has answered the close frame, if it is to.

        For a thread that may wait, once the handler has no more to do.
        """

    @abstractmethod
    def hang_up(self) -> None:
        """Give up what is under it. May wait."""

    @abstractmethod
    def _say_close(self, code: int, reason: str) -> None:
        """Close it, unless it is closed."""

    def fail(self, error: BaseException, what: str) -> None:
        """What the function wrote raised: log it, and close with 1011."""
        self._enter(_log.error, "The %s of a socket raised %s", what, sentence_of(error), exc_info=error)
        self.failed_with = error
        self._say_close(FAILED, "the handler failed")
        self._tell_error(error)

    def tell_closed(self) -> None:
        """Call ``on_close``."""
        if self._at_end is not None:
            self._at_end()
        if self._on_close is not None:
            self._guarded(self._on_close, self.close_code, self.close_reason)

    def _tell_error(self, error: BaseException) -> None:
        if self._on_error is not None:
            self._guarded(self._on_error, error)

    def _run_timer(self, function: Callable[[], Any]) -> None:
        if self.is_open:
            self._guarded(function)

    def _guarded(self, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            self._enter(lambda: awaited(function(*arguments)))
        except ConnectionClosed as error:
            self._warn_if_foreign(error)
        except BaseException as error:
            self._enter(_log.error, "A callback of a socket raised %s", sentence_of(error), exc_info=error)

    def _enter(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """Call it in the handler's context: on the thread of all callbacks, that is; on any other we are in one."""
        if self._is_inside or self.may_wait:
            function(*arguments, **named)
            return
        self._is_inside = True  # no context can be entered twice: what is called may come here again
        try:
            self._run(function, *arguments, **named)
        finally:
            self._is_inside = False

    def _closed(self) -> ConnectionClosed:
        return ConnectionClosed(self.close_code or LOST, self.close_reason, self)

    def is_other(self, error: ConnectionClosed) -> bool:
        """Return True if it is another socket that is closed."""
        return error.socket is not None and error.socket is not self

    def _warn_if_foreign(self, error: ConnectionClosed) -> None:
        """A callback ended at a closed socket. If it is its own, what follows says so."""
        if self.is_other(error):
            self._enter(
                _log.warning,
                "A callback of a socket stopped where it sent to another socket, which is closed. "
                "Catch ConnectionClosed around each ws.send() to another socket.",
            )
