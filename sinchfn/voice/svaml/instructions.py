"""The instructions that builders offer. Each method returns a new builder with one instruction more.

Text, locale and the like are checked at once against the schemas; a broken limit is a `SvamlError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, Unpack

from marshmallow import ValidationError

from .document import SvamlBuilder
from .faults import svaml_error
from .options import RecordingOptions
from .parts import RECORDING
from .schemas import (
    ANSWER,
    PLAY_FILES,
    SAY,
    SEND_DTMF,
    SET_COOKIE,
    START_RECORDING,
    STOP_RECORDING,
    check_answer_cookies,
)
from .wire import Wire, part, switched_on, wire


class Instructions(SvamlBuilder):
    """Instructions that every event may be answered with."""

    __slots__ = ()

    def say(self, text: str, locale: str | None = None) -> Self:
        """Speak a text, 600 characters at most.

        :param locale: a language or a voice, such as `en-US`, `en-US/female` or `Joanna`; platform's default `en-US`.
        """
        return self._then(wire(SAY, {"text": text}, locale=locale))

    def play(self, url: str, locale: str | None = None) -> Self:
        """Play one file; what `play_files` takes in its list."""
        return self.play_files([url], locale)

    def play_files(self, ids: Sequence[str], locale: str | None = None) -> Self:
        """Play files to the caller, one after the other.

        :param ids: each the id of an uploaded file, an http(s) URL, `#tts[…]` (600 characters at most) or `#ssml[…]`.
        :param locale: the language of `#tts` and `#ssml`.
        """
        return self._then(wire(PLAY_FILES, {"ids": ids}, locale=locale))

    def set_cookie(self, key: str, value: str) -> Self:
        """Keep a value for the later events of this call; all cookies together have 1024 bytes of UTF-8."""
        cookie = wire(SET_COOKIE, {"key": key, "value": value})
        longer = self._then(cookie)
        try:
            check_answer_cookies(list(longer._instructions))
        except ValidationError as error:
            raise svaml_error(error, "setCookie") from None
        return longer

    def start_recording(self, destination_url: str | None = None, **options: Unpack[RecordingOptions]) -> Self:
        """Record the call from here on. It cannot be combined with `connect_mxp`.

        :param destination_url: such as `s3://bucket/name.mp3` or `azure://account/container/name.mp3`.
        :param options: see `sinchfn.RecordingOptions`; any other is a `TypeError`.
        """
        return self._then(wire(START_RECORDING, options=recording_part(destination_url, options) or None))

    def stop_recording(self) -> Self:
        """End the recording."""
        return self._then(wire(STOP_RECORDING))


class DtmfInstruction(SvamlBuilder):
    """The instruction that sends digits."""

    __slots__ = ()

    def send_dtmf(self, value: str | int) -> Self:
        """Send digits to the other side: `0-9`, `#`, and `w` for a pause of 500 ms."""
        return self._then(wire(SEND_DTMF, {"value": value}))


class AnswerInstruction(SvamlBuilder):
    """The instruction that answers."""

    __slots__ = ()

    def answer(self) -> Self:
        """Answer the call before what follows, so that it counts as answered."""
        return self._then(wire(ANSWER))


def recording_part(destination_url: str | None, options: RecordingOptions) -> Wire:
    """The object `options` of startRecording; `transcription_locale` alone turns transcription on."""
    plain: dict[str, object] = {**options}
    enabled = plain.pop("transcription", None)
    locale = plain.pop("transcription_locale", None)
    given = plain.pop("transcription_options", None)
    transcribed = switched_on(given, enabled=enabled, locale=locale)
    plain["transcription_options"] = transcribed
    return part(RECORDING, "startRecording.options", {}, {"destination_url": destination_url, **plain})
