"""The exceptions of sinchfn, and the functions that write parts of their messages."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from heapq import nlargest
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from click import ClickException

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

Error = TypeVar("Error", bound=BaseException)


class SinchfnError(Exception):
    """The base class of all errors of this package."""


class StartupError(SinchfnError, ClickException):
    """The app cannot start. The message names the place, the cause and the remedy.

    It is a ``ClickException``: every command, also ``flask run``, shows the message without a traceback.
    """


class FunctionError(StartupError):
    """The function module is missing, cannot be loaded, or exports something that cannot be served."""


class ConfigError(StartupError):
    """A setting is missing or has an invalid value. The message names the variable."""


class WrittenError(SinchfnError, ValueError):
    """The function wrote something that cannot be sent. The traceback ends in the line that wrote it."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        seen_from_outside(self)


class SvamlError(WrittenError):
    """SVAML does not follow the platform's schema. The message says what is wrong and what is allowed."""


class MessageError(WrittenError):
    """The Conversation API would refuse a message. The text says what is wrong and what is allowed."""


class AgentError(WrittenError):
    """Invalid data for starting an agent conversation. The message says what is wrong and what is allowed."""


class AnswerError(SinchfnError, TypeError):
    """A handler returned a value that cannot be sent. The message is for the log; it says what is allowed."""


class ExtraError(StartupError, ImportError):
    """An optional package is not installed. The message names the extra of sinchfn that installs it."""


class ServiceError(SinchfnError, RuntimeError):
    """A service of the context failed: it cannot be reached, or is full, locked, read-only or broken.

    The message names the service, the operation and the cause.
    """


class CacheError(ServiceError):
    """The cache failed. The message names the key and the backend."""


class StorageError(ServiceError):
    """The storage failed. The message names the key and the backend."""


class DatabaseError(ServiceError):
    """The function's database cannot be opened. The message names the file."""


class VoiceApiError(ServiceError):
    """The voice API refused a request, could not be reached, or gave an answer that cannot be used.

    The message names the request, the answer, and what to do about it.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int | None = None,
        code: int | None = None,
        message: str = "",
        reference: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        #: The HTTP status of the answer; None if there was no complete answer.
        self.status = status
        #: The platform's ``errorCode``, such as 40102; None if it gave none.
        self.code = code
        #: The platform's own words, or what happened to the connection.
        self.message = message
        #: The reference by which the platform's support finds the request.
        self.reference = reference
        #: The seconds that the platform asked to wait before another request.
        self.retry_after = retry_after


class ConnectionClosed(SinchfnError, ConnectionError):  # noqa: N818 - as in other socket libraries
    """A socket is closed: by the peer, by this side, or because the peer is gone.

    :ivar code: the code of the first close frame of either side (RFC 6455 section 7.4); 1006 if there was none.
    :ivar reason: the text in that frame.
    :ivar socket: the closed :class:`~sinchfn.WebSocket`; None if it is not known.
    """

    def __init__(self, code: int, reason: str = "", socket: Any = None) -> None:
        super().__init__(f"the socket is closed: {code}{f', {reason}' if reason else ''}")
        self.code = code
        self.reason = reason
        self.socket = socket


class StreamFull(SinchfnError, BufferError):  # noqa: N818 - as in the standard library: queue.Full
    """The queue of a ``MediaStream`` is full, and a callback cannot wait for room."""


class HandshakeRefused(SinchfnError, ConnectionError):  # noqa: N818 - it is what the server did, not a fault of ours
    """A server refused the handshake of a ``SocketClient``. The message has the status and the server's explanation."""

    def __init__(self, status: int, headers: Headers, body: bytes, sentence: str = "") -> None:
        #: HTTP status of the answer
        self.status = status
        self.headers = headers
        self.body = body
        super().__init__(f"The server did not open the socket: {status}. {sentence or self._sentence()}".rstrip())

    @property
    def json(self) -> Any:
        """The parsed body of the answer; None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def _sentence(self) -> str:
        value = self.json
        if isinstance(value, dict) and isinstance(value.get("error"), str):
            return str(value["error"])
        return self.body.decode("utf-8", "replace")[:200]


class SignatureError(SinchfnError):
    """The signature of a request is invalid.

    The message says why. It is meant for the log only and is never sent to the caller.
    """


class Advised:
    """An object whose attribute errors say what to write: ``data.callId`` is ``data.call_id`` here."""

    __slots__ = ()

    #: The name of the object in messages; empty for the name of its class.
    _called: ClassVar[str] = ""
    #: The attributes to suggest; empty for all public ones.
    _offered: ClassVar[tuple[str, ...]] = ()
    #: Names in other runtimes and libraries -> what to write here, where the spelling does not tell.
    _elsewhere: ClassVar[Mapping[str, str]] = {}

    def _advice(self, name: str) -> str:
        """Return a sentence with a leading space that says what to write instead of ``name``, or an empty text."""
        known = self._offered or [one for one in dir(self) if not one.startswith("_")]
        meant = self._elsewhere.get(name) or snake_case(name)
        if name in self._elsewhere and meant not in known:
            return f" Write {meant}."
        return did_you_mean(meant, known) or (f" It has {', '.join(known)}." if len(known) <= 20 else "")

    if not TYPE_CHECKING:  # a type checker only sees the declared attributes

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property that failed fails again, and says why
            message = f"{self._called or type(self).__name__} has no {name}.{self._advice(name)}"
            # Without the name, so that the interpreter does not add a guess of its own.
            raise seen_from_outside(AttributeError(message, obj=self))


def seen_from_outside(error: Error) -> Error:
    """Return ``error`` with a traceback that ends in the line outside of sinchfn that led to it.

    When the error is raised, the frames in between are put before that line.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "sinchfn":
        frame = frame.f_back
    if frame is not None:
        error.__traceback__ = TracebackType(None, frame, frame.f_lasti, frame.f_lineno)
    return error


def sentence_of(error: BaseException) -> str:
    """Return the name and the text of an exception, or only its name if its text is empty or fails."""
    name = type(error).__name__
    try:
        return f"{name}: {error}" if str(error) else name
    except BaseException:
        return name


def place_of(value: object) -> str:
    """Return ``file, line n`` of a function or class, or an empty text if that is unknown."""
    code = getattr(inspect.unwrap(value) if callable(value) else value, "__code__", None)
    if code is not None:
        return f"{code.co_filename}, line {code.co_firstlineno}"
    try:
        return f"{inspect.getsourcefile(value)}, line {inspect.getsourcelines(value)[1]}"  # type: ignore[arg-type]
    except (TypeError, OSError):  # neither a function nor a class; or its file is gone
        return ""


def snake_case(name: str) -> str:
    """Return a name from elsewhere, such as ``AddSingleton`` or ``getText``, as it would be written here."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


#: Limits of the search for a suggestion: characters of the wrong word, known words that are looked at, and known words
#: that are compared in full. The word may come from a client, so an error must not cost more than an answer.
LONGEST_WORD = 64
MOST_WORDS = 100
MOST_NEAR = 6


def nearest(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """Return the one of ``known`` that is nearest to a wrong word, or an empty text. The work is bounded."""
    word = word[:LONGEST_WORD]
    letters = frozenset(word)
    likely = nlargest(MOST_NEAR, known[:MOST_WORDS], key=lambda one: _likeness(letters, len(word), one))
    return next(iter(get_close_matches(word, likely, n=1, cutoff=cutoff)), "")


def _likeness(letters: frozenset[str], length: int, known: str) -> float:
    """Return a rough measure of the letters that two words share, a hundred times quicker than a comparison."""
    return len(letters.intersection(known)) / (len(letters) + abs(length - len(known)) + 1)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return ``' Did you mean "ice"?'`` for the one of ``known`` nearest to a wrong word, or an empty text."""
    near = nearest(word, known)
    return f' Did you mean "{near}"?' if near else ""


def near_miss(word: str, known: Sequence[str], cutoff: float = 0.85) -> str | None:
    """Return the one of ``known`` that ``word`` seems to misspell. It may still be right: warn only."""
    near = nearest(word, known, cutoff)
    return near if near and near != word else None
