"""WebSocket: the object that the handler of a socket works with, and the side of it that runs the handler."""

from __future__ import annotations

import contextvars
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from ..errors import Advised, ConnectionClosed, sentence_of
from ..function.parameters import accepts
from ..services.coroutines import awaited
from ..services.usage import SocketStatistics
from .event_loop import EventLoop, Timer
from .frames import FAILED, LOST, NORMAL, may_be_sent

if TYPE_CHECKING:
    from ..function.context import FunctionContext

Anything = Callable[[Any], Any] | Callable[[], Any]

OnMessage = TypeVar("OnMessage", bound=Anything)
OnClose = TypeVar("OnClose", bound=Callable[[int, str], Any] | Callable[[int], Any] | Callable[[], Any])
OnError = TypeVar("OnError", bound=Anything)

#: The attributes that a handler may use.
OFFERED = (
    *("receive", "send", "close", "on_message", "on_close", "on_error", "call_later"),
    *("context", "call_id", "statistics", "close_code", "close_reason", "is_open"),
)

#: Names from Node and from other libraries -> what to write here.
ELSEWHERE = {
    "on": "on_message(fn)",
    "recv": "receive()",
    "connected": "is_open",
    "closed": "is_open",
    "open": "is_open",
    "send_json": "send(json.dumps(value))",
    "send_text": "send(text)",
    "send_bytes": "send(data)",
    "ping": "send(data): pings are sent automatically",
}

_log = logging.getLogger("sinchfn")


class WebSocket(Advised, ABC):
    """A WebSocket. Its handler chooses between two styles.

    *Blocking*: the handler loops, ``for message in ws: ws.send(message)``, in a thread of its own. When it returns, the
    socket is closed with 1000.

    *Callback*: the handler registers ``ws.on_message(fn)``, or only ``ws.on_close(fn)`` if it expects no messages, and
    returns. The socket then holds no thread: one thread of the process calls ``fn(data)`` for each message of all its
    sockets, so a callback must not block. (Where the server holds a thread or a greenlet for each socket, under gevent
    or with gunicorn's own TLS, ``fn`` is called on that.)

    Each callback runs in a Flask app context of its own. In a loop, each :meth:`receive` ends the previous turn:
    resources that it opened, such as a database session, are released.

    Messages are ``bytes`` (binary) or ``str`` (text). All methods may be called from any thread.
    """

    _called = "ws"
    _offered = OFFERED
    _elsewhere = ELSEWHERE

    def __init__(self) -> None:
        #: id of the call whose callback issued the URL, from its token; None for an unprotected path
        self.call_id: str | None = None
        #: counts of messages and bytes so far
        self.statistics = SocketStatistics()
        #: code of the first close frame of either side; 1006 if there was none; None while the socket is open
        self.close_code: int | None = None
        #: reason in that close frame
        self.close_reason = ""
        self._on_message: Callable[[Any], Any] | None = None
        self._on_close: Callable[..., Any] | None = None
        self._on_error: Callable[..., Any] | None = None
        self._has_received = False
        #: hooks for what is built on a socket: called before it is closed because its handler has returned, and when
        #: it is closed, before the function's own ``on_close``
        self._at_return: Callable[[], object] | None = None
        self._at_end: Callable[[], None] | None = None

    @property
    @abstractmethod
    def context(self) -> FunctionContext:
        """The context of this socket: cache, storage, log ... It ends after ``on_close`` has run."""

    @property
    def is_open(self) -> bool:
        """True while messages can be sent."""
        return self.close_code is None

    @property
    def has_callbacks(self) -> bool:
        """True if messages go to a function that was given to ``on_message``."""
        return self._on_message is not None

    @property
    def stays_open(self) -> bool:
        """True if the socket stays open when its handler returns: it has registered a callback, and read nothing."""
        registered = self._on_close is not None or self._on_error is not None
        return self.has_callbacks or (registered and not self._has_received)

    @property
    def may_wait(self) -> bool:
        """True if this thread may block. The thread that runs the callbacks of all sockets must not."""
        return True

    @abstractmethod
    def receive(self, timeout: float | None = None) -> str | bytes | None:
        """Return the next message; None if none came within `timeout` seconds.

        Messages that came before the peer closed are returned first.

        :param timeout: 0 returns only a message that is already there; None waits without a limit.
        :raises ConnectionClosed: the socket was closed by either side, or the peer is gone.
        :raises RuntimeError: messages go to the function that was given to ``on_message``.
        """

    @abstractmethod
    def send(self, data: str | bytes | bytearray | memoryview) -> None:
        """Send one message: text for a str, otherwise binary. Messages from several threads never mix.

        If the peer reads too slowly, this waits for room, at most as long as a peer may be silent
        (``SINCHFN_WS_PING``). A callback cannot wait, so up to 1 MiB is queued there. Beyond these limits the socket is
        closed with 1008.

        When you send to other sockets, expect that one of them has just been closed::

            for ws in list(room):
                with suppress(ConnectionClosed):
                    ws.send(message)

        :raises ConnectionClosed: the socket is closed, or was just closed because its peer reads too slowly.
        :raises TypeError: `data` is neither text nor bytes.
        """

    @abstractmethod
    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the socket without waiting for the peer. Nothing can be sent afterwards. May be called twice.

        :param code: 1000-1003, 1007-1014 or 3000-4999.
        :param reason: at most 123 bytes of it are sent.
        :raises ValueError: a close frame cannot carry this code.
        """

    @abstractmethod
    def call_later(self, seconds: float, function: Callable[[], Any]) -> Timer:
        """Call `function` after `seconds`, on the thread that runs callbacks. It must not block either.

        If it raises, the socket is closed with 1011, as for any callback.
        """

    def on_message(self, function: OnMessage) -> OnMessage:
        """Call ``function(data)`` for each message once the handler has returned. Also a decorator.

        It must not block: the thread that calls it serves every socket of the process. A warning is logged if a call
        takes longer than 20 ms. An exception closes the socket with 1011.
        """
        self._on_message = fitted(function, "ws.on_message", "data")
        return function

    def on_close(self, function: OnClose) -> OnClose:
        """Call ``function(code, reason)`` once the socket is closed, after the last message. Also a decorator.

        It may take fewer arguments, and it may block because it runs on a thread of its own. When the process stops, it
        has to return within the five seconds that handlers have.
        """
        self._on_close = fitted(function, "ws.on_close", "code", "reason")
        return function

    def on_error(self, function: OnError) -> OnError:
        """Call ``function(error)`` before the socket is closed because of an error. Also a decorator.

        `error` is the exception of a callback, or a :class:`ConnectionClosed` if the peer broke the protocol or is
        gone. Like ``on_message``, the function must not block.
        """
        self._on_error = fitted(function, "ws.on_error", "error")
        return function

    def __iter__(self) -> Iterator[str | bytes]:
        """Iterate over messages until the socket is closed or the peer is gone."""
        while True:
            try:
                message = self.receive()
            except ConnectionClosed:
                return
            if message is not None:
                yield message


def fitted(function: Callable[..., Any], method: str, *arguments: str) -> Callable[..., Any]:
    """Return a function that takes all `arguments` and passes on as many of them as `function` takes.

    :raises TypeError: `function` cannot be called with the first few of them.
    """
    if not callable(function):
        raise TypeError(f"{method}() takes a function; found {function!r:.60}.")
    for count in range(len(arguments), -1, -1):
        if accepts(function, count):
            return function if count == len(arguments) else _shortened(function, count)
    raise TypeError(f"{method}() takes fn({', '.join(arguments)}); found {inspect.signature(function)}.")


def _shortened(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    return lambda *given: function(*given[:count])


class HandledSocket(WebSocket):
    """A socket whose handler is run: over a connection or, in tests, in memory.

    The order of calls: `bind`, the handler, `bind` again; `hand_to_loop` if it stays open; `finish`, `call_on_close`,
    `hang_up`.
    """

    def __init__(self, loop: EventLoop) -> None:
        super().__init__()
        self._loop = loop
        #: timers that are cancelled when the socket is gone
        self._timers: WeakSet[Timer] = WeakSet()
        #: the exception of a handler or callback
        self.failed_with: BaseException | None = None
        #: entered around each callback, and releases what the callback opened
        self.turn: Callable[[], AbstractContextManager[object]] = nullcontext
        #: called by ``receive``, with which a handler that loops ends its turn
        self.end_turn: Callable[[], None] | None = None
        self.bind()

    def bind(self) -> None:
        """Run callbacks in a copy of the current context from now on."""
        self._run: Callable[..., Any] = contextvars.copy_context().run
        self._is_inside = False

    @property
    def may_wait(self) -> bool:
        return not self._loop.is_current

    @property
    def is_inside(self) -> bool:
        """True while the event loop runs a callback of this socket."""
        return self._is_inside

    def _begin_receive(self) -> None:
        if self._on_message is not None:
            raise RuntimeError("ws.receive() cannot be used with ws.on_message(fn): messages go to fn.")
        self._has_received = True
        if self.end_turn is not None:
            self.end_turn()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        if not isinstance(code, int):
            raise TypeError(f'ws.close() takes a code first: write ws.close({NORMAL}, "bye"); found {code!r:.60}.')
        if not may_be_sent(code):
            raise ValueError(f"ws.close() takes a code of 1000-1003, 1007-1014 or 3000-4999; found {code}.")
        self._send_close(code, reason or "")

    def call_later(self, seconds: float, function: Callable[[], Any]) -> Timer:
        timer = self._loop.call_later(seconds, lambda: self._run_timer(function))
        self._timers.add(timer)
        return timer

    def _run_timer(self, function: Callable[[], Any]) -> None:
        if self.is_open and (error := self._call_back(function)) is not None:
            self._call_on_error(error)

    def _cancel_timers(self) -> None:
        for timer in list(self._timers):
            timer.cancel()

    @abstractmethod
    def hand_to_loop(self, on_end: Callable[[], None]) -> None:
        """Pass messages to the callback from now on, on the thread of the event loop.

        :param on_end: called once the socket is closed, on a thread that may block.
        """

    def finish(self) -> None:
        """Send what is queued, and wait for the peer's close frame if it is due.

        Called on a thread that may block, after the handler has returned.
        """

    def hurry(self) -> None:
        """Stop waiting for the peer."""

    def hang_up(self) -> None:
        """Close the connection. May block."""

    @abstractmethod
    def _send_close(self, code: int, reason: str) -> None:
        """Close the socket, unless it is closed."""

    def fail(self, error: BaseException, what: str) -> None:
        """Log an exception of the function, close with 1011, and call ``on_error``."""
        self._note_failure(error, what)
        self._call_on_error(error)

    def _note_failure(self, error: BaseException, what: str = "callback") -> None:
        self._enter(_log.error, "The %s of a socket raised %s", what, sentence_of(error), exc_info=error)
        if self.failed_with is None:
            self.failed_with = error
        self._send_close(FAILED, "the handler failed")

    def call_on_close(self) -> None:
        """Call ``on_close``."""
        if self._at_end is not None:
            self._at_end()
        if self._on_close is not None:
            self._call_back(self._on_close, self.close_code, self.close_reason)

    def _call_on_error(self, error: BaseException) -> None:
        if self._on_error is not None:
            self._call_back(self._on_error, error)

    def _hand_over(self, data: str | bytes) -> None:
        """Call ``on_message``, in the context of the handler."""
        try:
            if self._on_message is not None:
                self._take_turn(self._on_message, data)
        except ConnectionClosed as error:
            self._warn_if_foreign(error)
        except BaseException as error:
            self.fail(error, "callback")

    def _call_back(self, function: Callable[..., Any], *arguments: Any) -> BaseException | None:
        """Call a function of the handler in a turn of its own. Log, close with 1011 and return what it raised."""
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
        """Call `function` in the handler's context. Only the thread of the event loop has to enter it."""
        if self._is_inside or self.may_wait:
            function(*arguments, **named)
            return
        self._is_inside = True  # a context cannot be entered twice, and callbacks may lead here again
        try:
            self._run(function, *arguments, **named)
        finally:
            self._is_inside = False

    def _closed(self) -> ConnectionClosed:
        return ConnectionClosed(self.close_code or LOST, self.close_reason, self)

    def is_foreign(self, error: ConnectionClosed) -> bool:
        """Return True if `error` says that another socket is closed."""
        return error.socket is not None and error.socket is not self

    def _warn_if_foreign(self, error: ConnectionClosed) -> None:
        """Warn that a callback ended because another socket is closed. A close of its own socket is reported anyway."""
        if self.is_foreign(error):
            self._enter(
                _log.warning,
                "A callback of a socket stopped where it sent to another socket, which is closed. "
                "Catch ConnectionClosed around each ws.send() to another socket.",
            )


def as_message(data: object) -> str | bytes:
    """Return `data` as the handler of the other side receives it.

    :raises TypeError: `data` is neither text nor bytes.
    """
    if isinstance(data, bytes | str):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"ws.send() takes str, for text, or bytes; found {type(data).__name__}.")
