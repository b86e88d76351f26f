"""Svaml, SvamlBuilder, and the instructions that builders offer. Each method returns a new builder.

Every value is checked at once against the schemas; a broken limit is a ``SvamlError``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Self, TypeVar, Unpack
from weakref import ref

from marshmallow import ValidationError

from ...errors import Advised, SvamlError, did_you_mean
from ...wire.schemas import Wire, fresh, message_of, part, switched_on, wire
from .options import RecordingOptions
from .schemas import (
    ANSWER,
    PLAY_FILES,
    RECORDING,
    SAY,
    SEND_DTMF,
    SET_COOKIE,
    START_RECORDING,
    STOP_RECORDING,
    check_answer_cookies,
)

T = TypeVar("T")

#: Builders, answers and built dicts in the order in which a handler makes them, each behind the one it was made from.
Made = list[tuple[object, object]]

#: The list for the handler that is running; None outside a handler.
MADE: ContextVar[Made | None] = ContextVar("sinchfn_made", default=None)


class Svaml(Advised):
    """A finished answer: instructions and one action. The action methods of builders return it; it never changes."""

    __slots__ = ("__weakref__", "_action", "_instructions")

    def __init__(self, instructions: tuple[Wire, ...], action: Wire) -> None:
        self._instructions = instructions
        self._action = action

    def build(self) -> Wire:
        """Return the answer as it is sent: a new dict each time, yours to change."""
        return _noted(self, {**_listed(self._instructions), "action": fresh(self._action)})

    def _advice(self, name: str) -> str:
        if near := did_you_mean(name, ["build"]):
            return near
        return (
            f" The answer is finished: {self._action['name']} was its action, and an answer has only one. "
            'Write instructions before it: builder.say("Hello").hangup()'
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Svaml):
            return NotImplemented
        return self._instructions == other._instructions and self._action == other._action

    def __repr__(self) -> str:
        return f"<Svaml: {_names((*self._instructions, self._action))}>"


class SvamlBuilder(Advised):
    """The instructions of an answer. It never changes: instructions return a new builder, actions a :class:`Svaml`.

    Use ``IceSvamlBuilder``, ``AceSvamlBuilder`` or ``PieSvamlBuilder``, which have the methods of their event.
    """

    __slots__ = ("__weakref__", "_instructions")

    def __init__(self) -> None:
        self._instructions: tuple[Wire, ...] = ()
        _noted(None, self)

    def build(self) -> Wire:
        """Return the answer as it is sent, without an action: a new dict each time, yours to change."""
        return _noted(self, _listed(self._instructions))

    def _then(self, instruction: Wire) -> Self:
        longer = object.__new__(type(self))
        longer._instructions = (*self._instructions, instruction)
        return _noted(self, longer)

    def _finish(self, action: Wire) -> Svaml:
        return _noted(self, Svaml(self._instructions, action))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SvamlBuilder) or type(self) is not type(other):
            return NotImplemented
        return self._instructions == other._instructions

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {_names(self._instructions) or 'nothing yet'}>"


def unused(made: Made, answer: object) -> Iterator[str]:
    """Yield the names of the instructions that were added to a builder of ``answer`` and are not in it."""
    line = _line(made, answer)
    continued = {id(source) for source, _ in made}
    for source, thing in made:
        if isinstance(thing, SvamlBuilder) and id(source) in line and id(thing) not in continued | line:
            yield str(thing._instructions[-1]["name"])


def is_abandoned(made: Made) -> bool:
    """Return True if the function keeps no reference to one of its answers. This empties ``made``, which keeps all."""
    things = [(source, thing) for source, thing in made if isinstance(thing, Svaml | SvamlBuilder)]
    continued = {id(source) for source, _ in things}
    last = [ref(thing) for _, thing in things if id(thing) not in continued]
    made.clear()
    things.clear()
    return any(thing() is None for thing in last)


def forget(given: object) -> None:
    """Take SVAML that is sent to another call off the list of what a handler has made for its answer."""
    made = MADE.get()
    if made:
        line = _line(made, given)
        made[:] = [(source, thing) for source, thing in made if id(thing) not in line]


def _line(made: Made, thing: object) -> set[int]:
    """Return the ids of ``thing`` and of everything that it was made from."""
    sources = {id(made_thing): source for source, made_thing in made}
    line = set()
    step: object | None = thing
    while step is not None:
        line.add(id(step))
        step = sources.get(id(step))
    return line


def _noted(source: object, thing: T) -> T:
    """Return ``thing``, which ``source`` has made, after adding it to the list of the running handler."""
    made = MADE.get()
    if made is not None:
        made.append((source, thing))
    return thing


def _listed(instructions: tuple[Wire, ...]) -> Wire:
    return {"instructions": fresh(instructions)} if instructions else {}


def _names(items: Iterable[Wire]) -> str:
    # Names only: the options of startRecording carry credentials, texts may carry a person's data.
    return ", ".join(str(item["name"]) for item in items)


class Instructions(SvamlBuilder):
    """Instructions for the answer to any event."""

    __slots__ = ()

    def say(self, text: str, locale: str | None = None) -> Self:
        """Speak a text of at most 600 characters.

        :param locale: language or voice, such as ``en-US`` (the platform's default), ``en-US/female`` or ``Joanna``.
        """
        return self._then(wire(SAY, {"text": text}, locale=locale))

    def play(self, url: str, locale: str | None = None) -> Self:
        """Play one file, as :meth:`play_files` does."""
        return self.play_files([url], locale)

    def play_files(self, ids: Sequence[str], locale: str | None = None) -> Self:
        """Play files to the caller, one after the other.

        :param ids: ids of uploaded files, http(s) URLs, ``#tts[…]`` (at most 600 characters) or ``#ssml[…]``.
        :param locale: the language of ``#tts`` and ``#ssml``.
        """
        return self._then(wire(PLAY_FILES, {"ids": ids}, locale=locale))

    def set_cookie(self, key: str, value: str) -> Self:
        """Keep a value for the later events of this call. All cookies together have at most 1024 bytes of UTF-8."""
        cookie = wire(SET_COOKIE, {"key": key, "value": value})
        longer = self._then(cookie)
        try:
            check_answer_cookies(list(longer._instructions))
        except ValidationError as error:
            raise SvamlError(message_of(error.messages, "setCookie")) from None
        return longer

    def start_recording(self, destination_url: str | None = None, **options: Unpack[RecordingOptions]) -> Self:
        """Record the call from here on. This cannot be combined with ``connect_mxp``.

        :param destination_url: such as ``s3://bucket/name.mp3`` or ``azure://account/container/name.mp3``.
        :param options: see :class:`sinchfn.RecordingOptions`; any other option is a ``TypeError``.
        """
        return self._then(wire(START_RECORDING, options=recording_part(destination_url, options) or None))

    def stop_recording(self) -> Self:
        """End the recording."""
        return self._then(wire(STOP_RECORDING))


class DtmfInstruction(SvamlBuilder):
    """The instruction that sends digits."""

    __slots__ = ()

    def send_dtmf(self, value: str | int) -> Self:
        """Send digits to the other side: ``0-9``, ``#``, and ``w`` for a pause of 500 ms."""
        return self._then(wire(SEND_DTMF, {"value": value}))


class AnswerInstruction(SvamlBuilder):
    """The instruction that answers."""

    __slots__ = ()

    def answer(self) -> Self:
        """Answer the call before the next instruction, so that it counts as answered."""
        return self._then(wire(ANSWER))


def recording_part(destination_url: str | None, options: RecordingOptions) -> Wire:
    """Return the ``options`` of startRecording. A ``transcription_locale`` alone turns transcription on."""
    plain: dict[str, object] = {**options}
    enabled = plain.pop("transcription", None)
    locale = plain.pop("transcription_locale", None)
    given = plain.pop("transcription_options", None)
    plain["transcription_options"] = switched_on(given, enabled=enabled, locale=locale)
    return part(RECORDING, "startRecording.options", {}, {"destination_url": destination_url, **plain})
