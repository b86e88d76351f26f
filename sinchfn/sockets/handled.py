"""HandledSocket: a socket as whoever runs its handler sees it, and how what the function gave it is called."""

from __future__ import annotations

import contextvars
import logging
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
        #: entered around each call of what the function gave us: what the call opens is given back at its end
        self.turn: Callable[[], AbstractContextManager[object]] = nullcontext
        #: called by ``receive``, with which a handler that loops begins its next turn
        self.end_turn: Callable[[], None] = _nothing
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

    def hurry(self) -> None:
        """Do not wait for the peer any more."""

    @property
    def is_inside(self) -> bool:
        """Whether the thread of all callbacks runs one of this socket at the moment."""
        return self._is_inside

    @abstractmethod
    def hang_up(self) -> None:
        """Give up what is under it. May wait."""

    @abstractmethod
    def _say_close(self, code: int, reason: str) -> None:
        """Close it, unless it is closed."""

    def fail(self, error: BaseException, what: str) -> None:
        """Log what the function raised, close with 1011, and call ``on_error``."""
        self._note_failure(error, what)
        self._tell_error(error)

    def _note_failure(self, error: BaseException, what: str = "callback") -> None:
        self._enter(_log.error, "The %s of a socket raised %s", what, sentence_of(error), exc_info=error)
        if self.failed_with is None:
            self.failed_with = error
        self._say_close(FAILED, "the handler failed")

    def tell_closed(self) -> None:
        """Call ``on_close``."""
        if self._at_end is not None:
            self._at_end()
        if self._on_close is not None:
            self._call_back(self._on_close, self.close_code, self.close_reason)

    def _tell_error(self, error: BaseException) -> None:
        if self._on_error is not None:
            self._call_back(self._on_error, error)

    def _run_timer(self, function: Callable[[], Any]) -> None:
        if self.is_open and (error := self._call_back(function)) is not None:
            self._tell_error(error)

    def _call_back(self, function: Callable[..., Any], *arguments: Any) -> BaseException | None:
        """Call what the function gave us, in a turn of its own. What it raised is logged, and closes with 1011."""
        try:
            self._enter(self._take_turn, function, *arguments)
        except ConnectionClosed as error:
            self._warn_if_foreign(error)
        except BaseException as error:
            self._note_failure(error)
            return error
        return None

    def _take_turn(self, function: Callable[..., Any], *arguments: Any) -> None:
        with self.turn():
            result = function(*arguments)
            if result is not None:
                awaited(result)

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


def _nothing() -> None:
    """Stands in for what nobody wants to be called."""
