"""Calls that the platform makes: ``callouts.tts``, ``callouts.conference``, ``callouts.custom``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack, get_args

from ...errors import Advised, SvamlError
from ...wire.checks import at_least, at_most_chars
from ...wire.faults import describe
from ...wire.schemas import Choice, Flag, Part, Text, Whole, WireSchema, merged, part
from ..svaml.limits import (
    CONFERENCE_ID_CHARS,
    SAY_CHARS,
    as_prompt,
    check_dtmf,
    check_tts_length,
)
from ..svaml.options import ConferenceDtmfMode, ConferenceDtmfOptions, Moh
from ..svaml.schemas import ConferenceDtmfSchema
from .api import Api
from .replies import Callout
from .svaml import SvamlLike, as_callback

#: A phone number as the API takes it. Without the plus, the API answers with an error (40005 in its list).
NUMBER = re.compile(r"\+[0-9]{3,15}")


class CalloutDestination(TypedDict):
    """The destination of a call, in wire form. Arguments that take one also take a phone number as a str."""

    #: ``number``, ``username`` for an in-app user, or ``sip``.
    type: Literal["number", "username", "sip"]
    #: Such as ``+46700000000``, ``alice``, ``alice@sip.example.com``.
    endpoint: str


class CalloutOptions(TypedDict, total=False):
    """Keyword options that the callouts ``tts`` and ``conference`` share. None means the same as no option."""

    #: The number shown to the callee: your own, in E.164 form.
    cli: str | None
    #: Returned as ``custom`` in the callbacks of the call; up to 1024 bytes.
    custom: str | None
    #: Digits 0-9, # and w (a pause of 500 ms) to dial when the call is answered.
    dtmf: str | None
    #: ``pstn``, or ``mxp`` for in-app users.
    domain: Literal["pstn", "mxp"] | None
    #: Language or voice, such as ``en-US`` or ``Joanna``; the platform's default is ``en-US``.
    locale: str | None
    #: Send an ACE when the call is answered; the platform's default is no. Its answer must be ``connect_conf``.
    enable_ace: bool | None
    #: Send a DICE when the call ends; the platform's default is no.
    enable_dice: bool | None
    #: Send PIEs for menus; the platform's default is no.
    enable_pie: bool | None


class DestinationSchema(WireSchema):
    type = Choice("number", "username", "sip", fold=True, required=True)
    endpoint = Text(required=True)


class CalloutSchema(WireSchema):
    destination = Part(DestinationSchema())
    cli = Text()
    custom = Text(empty=True)
    dtmf = Text(empty=True, validate=check_dtmf)


class SpokenSchema(CalloutSchema):
    domain = Choice("pstn", "mxp", fold=True)
    locale = Text()
    enable_ace = Flag()
    enable_dice = Flag()
    enable_pie = Flag()


class TtsSchema(SpokenSchema):
    text = Text(validate=at_most_chars(SAY_CHARS))
    prompts = Text(validate=check_tts_length)


class ConferenceSchema(SpokenSchema):
    conference_id = Text(validate=at_most_chars(CONFERENCE_ID_CHARS))
    conference_dtmf_options = Part(ConferenceDtmfSchema())
    max_duration = Whole(at_least(1))
    greeting = Text()
    moh_class = Choice(*get_args(Moh))


class CustomSchema(CalloutSchema):
    max_duration = Whole(at_least(1))
    ice = Text()
    ace = Text()
    pie = Text()
    dice = Text()


TTS = TtsSchema()
CONFERENCE = ConferenceSchema()
CUSTOM = CustomSchema()


def as_destination(given: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return a destination in wire form.

    :raises SvamlError: the number is not in E.164 form, or ``given`` is not a destination.
    """
    if isinstance(given, str):
        return {"type": "number", "endpoint": _number(given)}
    if not isinstance(given, Mapping):
        raise SvamlError(
            "destination takes a phone number (str), or a dict such as "
            f'{{"type": "sip", "endpoint": "alice@sip.example.com"}}, found {describe(given)}.'
        )
    if str(given.get("type")).lower() == "number":
        _number(given.get("endpoint"))
    return dict(given)


def _number(text: object) -> str:
    if isinstance(text, str) and NUMBER.fullmatch(text):
        return text
    raise SvamlError(
        f'destination takes a phone number in E.164 form, such as "+46700000000", found {describe(text)}. '
        'For others give a dict: {"type": "username", "endpoint": "alice"}, or the type "sip".'
    )


#: A phone number such as ``"+46700000000"``, or any destination in wire form.
Destination = str | CalloutDestination | Mapping[str, Any]


class Callouts(Advised):
    """``POST /calling/v1/callouts``. No request is sent twice: a call may have been made although its answer was lost.

    Every method checks its arguments before it sends anything, and raises:

    :raises SvamlError: (a ``ValueError``) an argument is invalid; the message says what is allowed.
    :raises VoiceApiError: the platform refused the request, could not be reached or gave no answer in time.
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
        """Call someone and speak a text or play prompts.

        :param destination: a phone number such as ``"+46700000000"``, or a dict with ``type`` and ``endpoint``.
        :param text: the text to speak; at most 600 characters.
        :param prompts: instead of ``text``: words, ``#ssml[...]``, ``#tts[...]``, URLs of audio files; or a list.
        :param options: ``cli``, ``custom``, ``dtmf``, ``domain``, ``locale``, ``enable_ace``, ``enable_dice``,
            ``enable_pie``; see :class:`CalloutOptions`.
        """
        if (text is None) == (prompts is None):
            raise SvamlError(f"tts takes text or prompts, one of them; found {'both' if text else 'neither'}.")
        parts = [prompts] if isinstance(prompts, str) else prompts
        given = {**options, "text": text, "prompts": None if parts is None else ";".join(map(as_prompt, parts))}
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

        A conference exists in one region: call all participants through the same one.

        :param destination: a phone number such as ``"+46700000000"``, or a dict with ``type`` and ``endpoint``.
        :param conference_id: any text; at most 64 characters.
        :param greeting: a text spoken to the callee before they join.
        :param moh: the music that a participant hears alone (``mohClass`` in JSON); the platform's default is silence.
        :param max_duration: seconds after which the call ends.
        :param dtmf_mode: what happens to digits; the platform's default is ``ignore``. ``detect`` sends them as PIEs.
        :param max_digits: with ``detect``, the digits of one input; the platform's default is 1.
        :param timeout_mills: with ``detect``, milliseconds after which an input ends; the platform's default is 3000.
        :param conference_dtmf_options: these three in wire form.
        :param options: the same as for :meth:`tts`.
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
        """Make a call and set the answers to its events: ``ice``, ``ace`` and ``pie`` each take SVAML or a URL.

        SVAML replaces the callback. A URL receives the callback instead of the application's own URL. Events that are
        left out go to the application's callback URL, that is, to the handlers of this function.

        :param ice: if it is SVAML, leave out ``destination`` and ``cli``: the SVAML says who is called.
        :param ace: for the event of an answered call.
        :param pie: for the event of an input in a menu.
        :param dice: for the event of the end of the call; a URL only, because its answer is ignored.
        :param destination: a phone number such as ``"+46700000000"``, or a dict with ``type`` and ``endpoint``.
        :param cli: the number shown to the callee: your own, in E.164 form.
        :param custom: returned as ``custom`` in the callbacks of the call; up to 1024 bytes.
        :param dtmf: digits 0-9, # and w (a pause of 500 ms) to dial when the call is answered.
        :param max_duration: seconds after which the call ends.
        """
        if ice is None and destination is None:
            raise SvamlError("custom takes ice or destination: without either, the call has no destination.")
        if ice is not None and not isinstance(ice, str) and (destination is not None or cli is not None):
            raise SvamlError(
                "custom does not take destination or cli if ice is SVAML. "
                'Write them into the SVAML: create_ice_builder().connect_pstn("+46700000000", cli="+46700000001").'
            )
        events = {"ice": ice, "ace": ace, "pie": pie}
        given: dict[str, object] = {"cli": cli, "custom": custom, "dtmf": dtmf, "max_duration": max_duration}
        given |= {event: as_callback(answer, event) for event, answer in events.items() if answer is not None}
        if dice is not None and not isinstance(dice, str):
            raise SvamlError("dice takes a URL, not SVAML: the answer to a DICE is ignored.")
        given["dice"] = None if dice is None else as_callback(dice, "dice")
        given["destination"] = None if destination is None else as_destination(destination)
        return self._make("customCallout", CUSTOM, {}, given)

    def _make(self, method: str, schema: Any, required: Mapping[str, object], given: Mapping[str, object]) -> Callout:
        body = {"method": method, method: part(schema, method, required, given)}
        return Callout(self._api.fetch("POST", "/callouts", body))

    def __repr__(self) -> str:
        return f"<Callouts of {self._api!r}>"
