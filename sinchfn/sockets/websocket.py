"""WebSocket: what the handler of a socket works with, whatever is under it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Advised, ConnectionClosed
from .frames import NORMAL, may_be_sent

if TYPE_CHECKING:
    from ..function_context import FunctionContext

Anything = Callable[[Any], Any] | Callable[[], Any]

OnMessage = TypeVar("OnMessage", bound=Anything)
OnClose = TypeVar("OnClose", bound=Callable[[int, str], Any] | Callable[[int], Any] | Callable[[], Any])
OnError = TypeVar("OnError", bound=Anything)

#: What a handler may use.
OFFERED = (
    *("receive", "send", "close", "on_message", "on_close", "on_error", "call_later"),
    *("context", "call_id", "statistics", "close_code", "close_reason", "is_open"),
)

#: What the same is called elsewhere, in Node and in other libraries: here.
ELSEWHERE = {
    "on": "on_message(fn)",
    "recv": "receive()",
    "connected": "is_open",
    "closed": "is_open",
    "open": "is_open",
    "send_json": "send(json.dumps(value))",
    "send_text": "send(text)",
    "send_bytes": "send(data)",
    "ping": "send(data): pings are sent by themselves",
}


@dataclass(slots=True)
class SocketStatistics:
    """What went over a socket: whole messages and their payload, without the frames around it.

    Of a :class:`~sinchfn.MediaStream` only the audio counts: neither the connect message nor commands.
    """

    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    #: of a :class:`~sinchfn.MediaStream`: pauses in the incoming audio, longer than three frames
    gaps: int = 0
    #: of a :class:`~sinchfn.MediaStream`: frames that went out more than a frame's length after they were due
    late: int = 0


class Timer(ABC):
    """Something that is to happen later."""

    @abstractmethod
    def cancel(self) -> None:
        """It is not to happen any more. Too late is fine."""


class WebSocket(Advised, ABC):
    """One socket. Its handler chooses between two styles.

    *Blocking*: it loops, ``for message in ws: ws.send(message)``, in a thread of its own, and when it returns the
    socket is closed with 1000.

    *Callback*: it registers ``ws.on_message(fn)``, or only ``ws.on_close(fn)`` if nothing is to come, and returns. Then
    no thread is held: one thread of the process calls ``fn(data)`` for each message of all its sockets, so a callback
    must not block. (Where the server holds a thread or a greenlet for each socket, under gevent or its own TLS, ``fn``
    is called on that.)

    Each callback runs in an app context of Flask's of its own, and in a loop each :meth:`receive` begins a new turn of
    it: what was opened there before, such as the session of a database, is given back.

    Messages are ``bytes`` (binary) or ``str`` (text). All methods may be called from any thread.
    """

    _called = "ws"
    _offered = OFFERED
    _elsewhere = ELSEWHERE

    def __init__(self) -> None:
        #: id of the call whose callback handed out the URL, by its token; None for an unprotected path
        self.call_id: str | None = None
        #: what went over it so far
        self.statistics = SocketStatistics()
        #: how it was closed: the code of the first close frame of either side; 1006 if there was none; None while open
        self.close_code: int | None = None
        #: the reason that came with it
        self.close_reason = ""
        self._on_message: Callable[[Any], Any] | None = None
        self._on_close: Callable[..., Any] | None = None
        self._on_error: Callable[..., Any] | None = None
        self._has_received = False
        #: for what is built on a socket: called when the handler returns and the socket is to be closed for that, and
        #: when it is closed, before the function's own ``on_close``
        self._at_return: Callable[[], object] | None = None
        self._at_end: Callable[[], None] | None = None

    @property
    @abstractmethod
    def context(self) -> FunctionContext:
        """The context of this socket: cache, storage, log ... until it is closed and its ``on_close`` has run."""

    @property
    def is_open(self) -> bool:
        """Whether something can still be sent."""
        return self.close_code is None

    @property
    def has_callbacks(self) -> bool:
        """Whether its messages go to a function that ``on_message`` was given."""
        return self._on_message is not None

    @property
    def stays_open(self) -> bool:
        """Whether its handler may return without its being closed: it has registered a callback, and read nothing."""
        registered = self._on_close is not None or self._on_error is not None
        return self.has_callbacks or (registered and not self._has_received)

    @property
    def may_wait(self) -> bool:
        """Whether this thread may wait for something: not the one that runs the callbacks of all sockets."""
        return True

    @abstractmethod
    def receive(self, timeout: float | None = None) -> str | bytes | None:
        """The next message; None if none came within `timeout` seconds (0: only what is there; None: no limit).

        What came before the peer closed is given first.

        :raises ConnectionClosed: the socket is closed, by whichever side, or the peer is gone.
        :raises RuntimeError: messages go to the function that ``on_message`` was given.
        """

    @abstractmethod
    def send(self, data: str | bytes | bytearray | memoryview) -> None:
        """Send one message: text for a str, else binary. Messages of several threads never mix.

        A peer that reads too slowly: outside of callbacks this waits until there is room, at most as long as a peer may
        be silent (``SINCHFN_WS_PING``); in a callback it cannot wait, and up to 1 MiB is kept. Beyond that the socket
        is closed with 1008.

        Whoever sends to the sockets of others has to expect that one has just been closed::

            for ws in list(room):
                with suppress(ConnectionClosed):
                    ws.send(message)

        :raises ConnectionClosed: the socket is closed, or has just been closed for that. Wherever it is sent from.
        :raises TypeError: it is neither text nor bytes.
        """

    @abstractmethod
    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the socket; nothing can be sent afterwards. Doing it twice is fine. It does not wait for the peer.

        :param code: 1000-1003, 1007-1014 or 3000-4999.
        :param reason: at most 123 bytes of it go out.
        :raises ValueError: no close frame may carry this code.
        """

    @abstractmethod
    def call_later(self, seconds: float, function: Callable[[], Any]) -> Timer:
        """Call `function` after so many seconds, on the thread that runs callbacks. It must not block either.

        If it raises, the socket is closed with 1011, as for any callback.
        """

    def on_message(self, function: OnMessage) -> OnMessage:
        """Call ``function(data)`` for each message, from when the handler has returned. Also a decorator.

        It must not block: the thread that calls it carries every socket of the process. The log warns of one that takes
        longer than 20 ms. One that raises closes the socket with 1011.
        """
        self._on_message = fitted(function, "ws.on_message", "data")
        return function

    def on_close(self, function: OnClose) -> OnClose:
        """Call ``function(code, reason)`` once the socket is closed, after the last message. Also a decorator.

        It may take fewer arguments, and it may block: it has a thread to itself. When the process stops, it has to
        return within the five seconds that handlers have.
        """
        self._on_close = fitted(function, "ws.on_close", "code", "reason")
        return function

    def on_error(self, function: OnError) -> OnError:
        """Call ``function(error)`` when the socket is about to be closed for an error. Also a decorator.

        `error` is what a callback raised, or a :class:`ConnectionClosed` that says what the peer did wrong, or that it
        is gone. Like a message's, it must not block.
        """
        self._on_error = fitted(function, "ws.on_error", "error")
        return function

    def __iter__(self) -> Iterator[str | bytes]:
        """Messages until the socket is closed or the peer is gone."""
        while True:
            try:
                message = self.receive()
            except ConnectionClosed:
                return
            if message is not None:
                yield message


def check_code(code: object) -> None:
    """
    :raises TypeError: it is no number.
    :raises ValueError: no close frame may carry it.
    """
    if not isinstance(code, int):
        raise TypeError(f'ws.close() takes a code first: write ws.close({NORMAL}, "bye"); found {code!r:.60}.')
    if not may_be_sent(code):
        raise ValueError(f"{code} is no code to close with: it takes 1000-1003, 1007-1014 or 3000-4999.")


def fitted(function: Callable[..., Any], method: str, *arguments: str) -> Callable[..., Any]:
    """`function`, to be called with all of these arguments, however few of them it takes.

    :raises TypeError: it cannot be called with the first few of them.
    """
    if not callable(function):
        raise TypeError(f"{method}() takes a function; found {function!r:.60}.")
    try:
        signature = inspect.signature(function)
    except ValueError:  # written in C, without a signature to look at
        return function
    for count in range(len(arguments), -1, -1):
        try:
            signature.bind(*arguments[:count])
        except TypeError:
            continue
        return function if count == len(arguments) else _shortened(function, count)
    raise TypeError(f"{method}() takes fn({', '.join(arguments)}); found {signature}.")


def _shortened(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    return lambda *given: function(*given[:count])
