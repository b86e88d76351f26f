"""Calls that the platform makes: `callouts.tts`, `callouts.conference`, `callouts.custom`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from ...errors import Advised, SvamlError
from ..svaml.options import ConferenceDtmfMode, ConferenceDtmfOptions, Moh
from ..svaml.prompts import as_prompt
from ..svaml.wire import merged
from .api import Api
from .bodies import CONFERENCE, CUSTOM, TTS, CalloutDestination, CalloutOptions, as_destination, callout
from .inline import SvamlLike, as_callback
from .replies import Callout

#: A phone number such as `"+46700000000"`, or who else may be called as the wire has it.
Destination = str | CalloutDestination | Mapping[str, Any]


class Callouts(Advised):
    """`POST /calling/v1/callouts`. Nothing here is sent twice: a lost answer may stand for a call that was made.

    Every method checks its arguments before anything is sent, and raises:

    :raises SvamlError: (a `ValueError`) an argument that the API does not take; the message says what it takes.
    :raises VoiceApiError: the platform refused it, could not be reached or gave no answer in time.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def tts(
        self,
        destination: Destination,
        text: str | None = None,
        *,
        prompts: str | Sequence[str] | None = None,
        **options: Unpack[CalloutOptions],
    ) -> Callout:
        """Call someone and say something.

        :param destination: a phone number such as `"+46700000000"`, or a dict with `type` and `endpoint`.
        :param text: what is said; 600 characters at most.
        :param prompts: instead of `text`: words, `#ssml[...]`, `#tts[...]`, URLs of audio files, or a list of them.
        :param options: `cli`, `custom`, `dtmf`, `domain`, `locale`, `enable_ace`, `enable_dice`, `enable_pie`; see
            `CalloutOptions`.
        """
        if (text is None) == (prompts is None):
            raise SvamlError(f"tts takes text or prompts, one of them; found {'both' if text else 'neither'}.")
        given = {**options, "text": text, "prompts": _joined(prompts)}
        return self._make("ttsCallout", TTS, {"destination": as_destination(destination)}, given)

    def conference(
        self,
        destination: Destination,
        conference_id: str,
        *,
        greeting: str | None = None,
        moh: Moh | None = None,
        max_duration: int | None = None,
        dtmf_mode: ConferenceDtmfMode | None = None,
        max_digits: int | None = None,
        timeout_mills: int | None = None,
        conference_dtmf_options: ConferenceDtmfOptions | None = None,
        **options: Unpack[CalloutOptions],
    ) -> Callout:
        """Call someone and put them into a conference, which begins with its first participant.

        Conferences live in a region: call all participants through the same one.

        :param destination: a phone number such as `"+46700000000"`, or a dict with `type` and `endpoint`.
        :param conference_id: any text that you choose; 64 characters at most.
        :param greeting: said to the one who is called, before they join.
        :param moh: what a participant hears alone (`mohClass` on the wire); platform's default: silence.
        :param max_duration: seconds after which the call ends.
        :param dtmf_mode: what happens to digits; platform's default `ignore`. `detect` makes PIEs of them.
        :param max_digits: with `detect`, how many digits make an input; platform's default 1.
        :param timeout_mills: with `detect`, milliseconds after which it ends; platform's default 3000.
        :param conference_dtmf_options: these three in wire form.
        :param options: as in `tts`.
        """
        digits = merged(conference_dtmf_options, mode=dtmf_mode, maxDigits=max_digits, timeoutMills=timeout_mills)
        given = {
            **options,
            "greeting": greeting,
            "moh_class": moh,
            "max_duration": max_duration,
            "conference_dtmf_options": digits,
        }
        required = {"destination": as_destination(destination), "conference_id": conference_id}
        return self._make("conferenceCallout", CONFERENCE, required, given)

    def custom(
        self,
        *,
        ice: SvamlLike | str | None = None,
        ace: SvamlLike | str | None = None,
        pie: SvamlLike | str | None = None,
        dice: str | None = None,
        destination: Destination | None = None,
        cli: str | None = None,
        custom: str | None = None,
        dtmf: str | None = None,
        max_duration: int | None = None,
    ) -> Callout:
        """Make a call whose every event you decide: `ice`, `ace` and `pie` each take SVAML or a URL.

        SVAML takes the place of the callback; a URL receives that callback instead of the application's own URL; what
        is left out goes to the application's callback URL, that is, to this function's handlers.

        :param ice: with SVAML here, `destination` and `cli` must be left out: the SVAML says who is called.
        :param ace: when the call is answered.
        :param pie: what came of a menu.
        :param dice: a URL for the end of the call; SVAML has no use there.
        :param destination: a phone number such as `"+46700000000"`, or a dict with `type` and `endpoint`.
        :param cli: the number that is shown to who is called: your own, in E.164 form.
        :param custom: comes back as `custom` in the callbacks of the call; up to 1024 bytes.
        :param dtmf: digits 0-9, # and w (a pause of 500 ms) that are dialled when the call is answered.
        :param max_duration: seconds after which the call ends.
        """
        if ice is None and destination is None:
            raise SvamlError("custom takes ice or destination: without both nobody would be called.")
        if ice is not None and not isinstance(ice, str) and (destination is not None or cli is not None):
            raise SvamlError(
                "custom takes no destination and no cli beside an ice of SVAML. "
                'Write them into it: create_ice_builder().connect_pstn("+46700000000", cli="+46700000001").'
            )
        events = {"ice": ice, "ace": ace, "pie": pie}
        given: dict[str, object] = {"cli": cli, "custom": custom, "dtmf": dtmf, "max_duration": max_duration}
        given |= {event: as_callback(answer, event) for event, answer in events.items() if answer is not None}
        given["dice"] = None if dice is None else _url(dice)
        given["destination"] = None if destination is None else as_destination(destination)
        return self._make("customCallout", CUSTOM, {}, given)

    def _make(self, method: str, schema: Any, required: Mapping[str, object], given: Mapping[str, object]) -> Callout:
        return Callout(self._api.fetch("POST", "/callouts", callout(method, schema, required, given)))

    def __repr__(self) -> str:
        return f"<Callouts of {self._api!r}>"


def _joined(prompts: str | Sequence[str] | None) -> str | None:
    if prompts is None:
        return None
    return ";".join(map(as_prompt, [prompts] if isinstance(prompts, str) else prompts))


def _url(dice: object) -> str:
    if not isinstance(dice, str):
        raise SvamlError("dice takes a URL: the answer to a DICE is dropped, so SVAML has no use there.")
    return as_callback(dice, "dice")
