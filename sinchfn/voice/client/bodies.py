"""The bodies of callouts: their fields, their limits, and where they may call.

Source: OpenAPI Voice v1, `ttsCallout`, `conferenceCallout` and `customCallout`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypedDict, get_args

from ...errors import SvamlError
from ..svaml.faults import describe
from ..svaml.fields import Choice, Flag, Part, Text, Whole, WireSchema
from ..svaml.limits import CONFERENCE_ID_CHARS, SAY_CHARS, at_least, at_most_chars, check_dtmf
from ..svaml.options import Moh
from ..svaml.parts import ConferenceDtmfSchema
from ..svaml.prompts import check_tts_length
from ..svaml.wire import part

#: A phone number as the API takes it. Without the plus it answers with an error (40005 in its list).
NUMBER = re.compile(r"\+[0-9]{3,15}")


class CalloutDestination(TypedDict):
    """Who is called, as the wire has it; a text alone is a phone number."""

    #: `number`, `username` for an in-app user, or `sip`.
    type: Literal["number", "username", "sip"]
    #: Such as `+46700000000`, `alice`, `alice@sip.example.com`.
    endpoint: str


class CalloutOptions(TypedDict, total=False):
    """Keyword options that the callouts `tts` and `conference` share. None is the same as left out."""

    #: The number that is shown to who is called: your own, in E.164 form.
    cli: str | None
    #: Comes back as `custom` in the callbacks of the call; up to 1024 bytes.
    custom: str | None
    #: Digits 0-9, # and w (a pause of 500 ms) that are dialled when the call is answered.
    dtmf: str | None
    #: `pstn`, or `mxp` for in-app users.
    domain: Literal["pstn", "mxp"] | None
    #: Language or voice of what is said, such as `en-US` or `Joanna`; platform's default `en-US`.
    locale: str | None
    #: Whether an ACE comes when the call is answered; platform's default: no. Its answer must be `connect_conf`.
    enable_ace: bool | None
    #: Whether a DICE comes when the call ends; platform's default: no.
    enable_dice: bool | None
    #: Whether PIEs come of menus; platform's default: no.
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


def callout(
    method: str, schema: WireSchema, required: Mapping[str, object], options: Mapping[str, object]
) -> dict[str, Any]:
    """The body of a callout: what is `required`, and those `options` that are not None.

    :raises SvamlError: a value that the API does not take.
    :raises TypeError: there is no such option.
    """
    return {"method": method, method: part(schema, method, required, options)}


def as_destination(given: str | Mapping[str, Any]) -> dict[str, Any]:
    """Who is to be called, as the wire has it.

    :raises SvamlError: a number that is not in E.164 form, or nothing that can be called.
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
