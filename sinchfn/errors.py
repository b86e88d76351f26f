"""Every error that sinchfn raises: one base, one class per decision a caller can make."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from heapq import nlargest
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from click import ClickException

if TYPE_CHECKING:
    from .sockets import WebSocket

Error = TypeVar("Error", bound=BaseException)


class SinchfnError(Exception):
    """The base of all errors of this package."""


class StartupError(SinchfnError, ClickException):
    """The app cannot start. The message names the place, the cause and the remedy.

    A ``ClickException``, so that every command, also ``flask run``, shows the message and no traceback.
    """


class FunctionError(StartupError):
    """The function module is missing, cannot be loaded, or exports what cannot be served."""


class ConfigError(StartupError):
    """A setting is missing or has a value that it does not take. The message names the variable."""


class WrittenError(SinchfnError, ValueError):
    """Something that the function wrote cannot be sent. The traceback ends in the line that wrote it."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        seen_from_outside(self)


class SvamlError(WrittenError):
    """SVAML that is not in the platform's schema. The message says what is wrong and what is allowed."""


class MessageError(WrittenError):
    """A message that the Conversation API would refuse. The message says what is wrong and what is allowed."""


class AgentError(WrittenError):
    """What an agent's conversation cannot be started with. The message says what is wrong and what is allowed."""


class AnswerError(SinchfnError, TypeError):
    """A handler returned what cannot be sent. The message is for the log: it says what, and what is allowed."""


class ExtraError(StartupError, ImportError):
    """An optional package is not installed. The message says which extra of sinchfn brings it."""


class ServiceError(SinchfnError, RuntimeError):
    """A service behind the context failed: it cannot be reached, is full, locked, read-only or broken.

    The message names the service, what was asked of it, and the cause.
    """


class CacheError(ServiceError):
    """The cache failed. The message names key and backend."""


class StorageError(ServiceError):
    """The storage failed. The message names key and backend."""


class DatabaseError(ServiceError):
    """The function's database cannot be opened. The message names the file."""


class VoiceApiError(ServiceError):
    """The voice API refused a request, could not be reached, or answered what cannot be used.

    The message says what was asked, what came back, and what to do about it.
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
        #: HTTP status of the answer; None if there was no complete one.
        self.status = status
        #: The platform's ``errorCode``, such as 40102; None if it gave none.
        self.code = code
        #: The platform's own words, else what happened to the connection.
        self.message = message
        #: What the platform's support can find the request by.
        self.reference = reference
        #: Seconds that the platform asked to wait before another request.
        self.retry_after = retry_after


class ConnectionClosed(SinchfnError, ConnectionError):  # noqa: N818 - the name it has in every library for sockets
    """A socket is closed: by the peer, by this side, or because the peer is gone.

    :ivar code: of the first close frame of either side (RFC 6455 section 7.4); 1006 if there was none.
    :ivar reason: the text that came with it.
    :ivar socket: the :class:`~sinchfn.WebSocket` that is closed; None if it is not known.
    """

    def __init__(self, code: int, reason: str = "", socket: WebSocket | None = None) -> None:
        super().__init__(f"the socket is closed: {code}{f', {reason}' if reason else ''}")
        self.code = code
        self.reason = reason
        self.socket = socket


class SignatureError(SinchfnError):
    """A request whose signature does not hold.

    The message says why and is meant for the log only: the answer to the caller never carries it.
    """


class Advised:
    """An object whose attribute errors say what to write: ``data.callId`` is ``data.call_id`` here."""

    __slots__ = ()

    #: How messages call it; the name of its class if it is empty.
    _called: ClassVar[str] = ""
    #: The attributes to advise; every public one if there are none.
    _offered: ClassVar[tuple[str, ...]] = ()
    #: What the same is called elsewhere -> what to write here, where no spelling tells.
    _elsewhere: ClassVar[Mapping[str, str]] = {}

    def _advice(self, name: str) -> str:
        """What to write instead of `name`, as a sentence with a blank before it."""
        known = self._offered or _public_names(self)
        return advice(name, known, self._elsewhere)

    if not TYPE_CHECKING:  # for a type checker there are only the attributes that there are

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property that failed fails again, and says why
            message = f"{self._called or type(self).__name__} has no {name}.{self._advice(name)}"
            # Without a name in it, so that the interpreter does not put its own guess behind ours.
            raise seen_from_outside(AttributeError(message, obj=self))


def _public_names(thing: object) -> list[str]:
    try:
        own: Iterable[str] = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        own = ()
    return [name for name in (*dir(type(thing)), *own) if not name.startswith("_")]


def advice(name: str, known: Sequence[str], elsewhere: Mapping[str, str] | None = None) -> str:
    """What to write instead of `name`, as a sentence with a blank before it; an empty text if nobody can tell.

    :param known: the names that there are.
    :param elsewhere: names of other runtimes and libraries -> what to write here.
    """
    meant = (elsewhere or {}).get(name) or next((k for k in known if is_spelling_of(name, k)), None)
    if meant is not None:
        return f' Did you mean "{meant}"?' if meant in known else f" Write {meant}."
    return did_you_mean(snake_case(name), known) or (f" It has {', '.join(known)}." if len(known) <= 20 else "")


def is_spelling_of(name: str, known: str) -> bool:
    """Whether both are one name, but for case and underscores: ``callId`` and ``call_id``."""
    return name.replace("_", "").lower() == known.replace("_", "").lower()


def seen_from_outside(error: Error) -> Error:
    """`error`, with a traceback that ends in the line outside of sinchfn that led to it.

    The frames in between are put before that line when the error is raised.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "sinchfn":
        frame = frame.f_back
    if frame is not None:
        error.__traceback__ = TracebackType(None, frame, frame.f_lasti, frame.f_lineno)
    return error


def sentence_of(error: BaseException) -> str:
    """Name and text of an exception, also of one whose own text fails."""
    name = type(error).__name__
    try:
        return f"{name}: {error}" if str(error) else name
    except BaseException:
        return name


def snake_case(name: str) -> str:
    """``AddSingleton`` and ``getText``, as they are called elsewhere, as they would be written here."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


#: How much of a wrong word is compared, how many known ones it is compared with, and how many of these in full. The
#: word may be a caller's, and whatever it is, an error must not cost more than an answer.
LONGEST_WORD = 64
MOST_WORDS = 100
MOST_NEAR = 6


def nearest(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """Return the one of `known` that is nearest to a wrong word, or an empty string. The work is bounded."""
    word = word[:LONGEST_WORD]
    letters = frozenset(word)
    likely = nlargest(MOST_NEAR, known[:MOST_WORDS], key=lambda one: _likeness(letters, len(word), one))
    return next(iter(get_close_matches(word, likely, n=1, cutoff=cutoff)), "")


def _likeness(letters: frozenset[str], length: int, known: str) -> float:
    """How many letters two words share, roughly: a hundred times quicker than to compare them."""
    return len(letters.intersection(known)) / (len(letters) + abs(length - len(known)) + 1)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`' Did you mean "ice"?'` for the nearest of `known` to a word that is wrong, else an empty string."""
    near = nearest(word, known)
    return f' Did you mean "{near}"?' if near else ""


def near_miss(word: str, known: Sequence[str], cutoff: float = 0.85) -> str | None:
    """The one of `known` that `word` seems to be a misspelling of; a reason to warn, but `word` may be right."""
    near = nearest(word, known, cutoff)
    return near if near and near != word else None
