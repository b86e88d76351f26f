"""One marshmallow schema for every instruction and action, and one for the whole answer.

Source of fields and required keys: OpenAPI Voice v1, unless a line says otherwise. Lists that the platform keeps open
(locales, recording formats) are not closed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from marshmallow import fields

from .faults import Fault
from .fields import Choice, Digits, Errors, Flag, Listing, Named, Old, Part, Text, Whole, WireSchema, named
from .limits import (
    CALL_SECONDS,
    CONFERENCE_ID_CHARS,
    PARK_SECONDS,
    SAY_CHARS,
    at_least,
    at_most_chars,
    between,
    check_call_headers,
    check_cookies,
    check_dtmf,
)
from .options import Indications, Moh
from .parts import (
    MAIN_MENU,
    MENU,
    RECORDING,
    AmdSchema,
    CallHeaderSchema,
    ConferenceDtmfSchema,
    SipDestination,
    StreamDestination,
    StreamingSchema,
    UserDestination,
    check_menus,
    no_such_menu,
)
from .prompts import check_tts_length

#: A field that a subclass may declare again.
Field = fields.Field[Any]


class SaySchema(WireSchema):
    name = named("say")
    text = Text(empty=True, validate=at_most_chars(SAY_CHARS))
    locale = Text()


class PlayFilesSchema(WireSchema):
    name = named("playFiles")
    ids = Listing(Text(validate=check_tts_length), required=True)
    locale = Text()


class SendDtmfSchema(WireSchema):
    name = named("sendDtmf")
    value = Digits(empty=True, validate=check_dtmf)


class SetCookieSchema(WireSchema):
    name = named("setCookie")
    key = Text()
    value = Text(empty=True)


class AnswerSchema(WireSchema):
    name = named("answer")


class StartRecordingSchema(WireSchema):
    name = named("startRecording")
    options = Part(RECORDING)


class StopRecordingSchema(WireSchema):
    name = named("stopRecording")


class ReportCallStatusSchema(WireSchema):
    name = named("reportCallStatus")
    value = Old()
    details = Old()


class ActionSchema(WireSchema):
    """An action, with the keys that older libraries send with each of them, and older documents show with some."""

    account: Field = Old()
    alt_locale: Field = Old()
    cli: Field = Old()
    conference_type: Field = Old()
    dial_timeout: Field = Old()
    dtmf_mode: Field = Old()
    enter_leave_sound: Field = Old()
    hangup_cause: Field = Old()
    indications: Field = Old()
    locale: Field = Old()
    max_duration: Field = Old()
    moh: Field = Old()
    record: Field = Old()
    recording: Field = Old()
    recording_options: Field = Old()
    reference: Field = Old()
    suppress_callbacks: Field = Old()
    suppress_error_prompts: Field = Old()
    tags: Field = Old()


class HangupSchema(ActionSchema):
    name = named("hangup")


class ContinueSchema(ActionSchema):
    name = named("continue")


class ConnectPstnSchema(ActionSchema):
    name = named("connectPstn")
    number = Text()
    locale = Text()
    max_duration = Whole(between(1, CALL_SECONDS))
    dial_timeout = Whole(at_least(1))
    cli = Text()
    suppress_callbacks = Flag()
    dtmf = Digits(empty=True, validate=check_dtmf)
    indications = Choice(*get_args(Indications))
    amd = Part(AmdSchema())


class ConnectMxpSchema(ActionSchema):
    name = named("connectMxp")
    destination = Part(UserDestination())
    call_headers = Listing(Part(CallHeaderSchema()), validate=check_call_headers)
    # The schema of the platform, the Java and the .NET SDK spell it so; the docs and the Node SDK as above.
    callheaders = Listing(Part(CallHeaderSchema()), validate=check_call_headers)
    # From the platform's page on in-app recording; its OpenAPI file does not have them.
    record = Flag()
    recording_options = Part(RECORDING)


class ConnectConfSchema(ActionSchema):
    name = named("connectConf")
    conference_id = Text(required=True, validate=at_most_chars(CONFERENCE_ID_CHARS))
    conference_dtmf_options = Part(ConferenceDtmfSchema())
    moh = Choice(*get_args(Moh), old=("ringing",))


class ConnectSipSchema(ActionSchema):
    name = named("connectSip")
    destination = Part(SipDestination(), required=True)
    max_duration = Whole(between(1, CALL_SECONDS))
    cli = Text()
    transport = Choice("UDP", "TCP", "TLS", fold=True)
    suppress_callbacks = Flag()
    call_headers = Listing(Part(CallHeaderSchema()), validate=check_call_headers)
    moh = Choice(*get_args(Moh), old=("ringing",))


class ConnectStreamSchema(ActionSchema):
    name = named("connectStream")
    destination = Part(StreamDestination(), required=True)
    streaming_options = Part(StreamingSchema())
    max_duration = Whole(between(1, CALL_SECONDS))
    call_headers = Listing(Part(CallHeaderSchema()), validate=check_call_headers)


class RunMenuSchema(ActionSchema):
    name = named("runMenu")
    barge = Flag()
    locale = Text()
    main_menu = Text()
    enable_voice = Flag()
    menus = Listing(Part(MENU), validate=check_menus)

    def cross_errors(self, data: Mapping[str, Any]) -> Errors:
        errors: Errors = {}
        ids = [menu["id"] for menu in data.get("menus", ())]
        if ids.count(MAIN_MENU) != 1 and "menus" in data and not _starts_elsewhere(data, ids):
            errors["menus"] = [
                f'exactly one menu must have the id "{MAIN_MENU}", found {ids.count(MAIN_MENU)}: '
                "the platform answers anything else with an error."
            ]
        if (main := data.get("mainMenu")) is not None and main not in ids:
            errors["mainMenu"] = [no_such_menu(main, ids)]
        if data.get("enableVoice") and "locale" not in data:
            errors["locale"] = ["is required when enableVoice is true."]
        return errors

    def old_in(self, data: Mapping[str, Any], path: str) -> Iterator[Fault]:
        """Also a ``mainMenu`` that stands for a menu named "main"."""
        yield from super().old_in(data, path)
        if _starts_elsewhere(data, [menu["id"] for menu in data.get("menus", ())]):
            yield Fault(f"{path}menus", f'no menu has the id "{MAIN_MENU}", which the platform\'s schema requires.')


def _starts_elsewhere(data: Mapping[str, Any], ids: list[str]) -> bool:
    """Whether ``mainMenu`` names one of the menus, and none has the id "main"; older libraries write it so."""
    return MAIN_MENU not in ids and data.get("mainMenu") in ids


class ParkSchema(ActionSchema):
    name = named("park")
    locale = Text()
    intro_prompt = Text(validate=check_tts_length)
    hold_prompt = Text(validate=check_tts_length)
    max_duration = Whole(between(1, PARK_SECONDS))


SAY = SaySchema()
PLAY_FILES = PlayFilesSchema()
SEND_DTMF = SendDtmfSchema()
SET_COOKIE = SetCookieSchema()
ANSWER = AnswerSchema()
START_RECORDING = StartRecordingSchema()
STOP_RECORDING = StopRecordingSchema()
INSTRUCTIONS = (SAY, PLAY_FILES, SEND_DTMF, SET_COOKIE, ANSWER, START_RECORDING, STOP_RECORDING)
#: Instructions that only older documents have.
OLD_INSTRUCTIONS = (ReportCallStatusSchema(),)

HANGUP = HangupSchema()
CONTINUE = ContinueSchema()
CONNECT_PSTN = ConnectPstnSchema()
CONNECT_MXP = ConnectMxpSchema()
CONNECT_CONF = ConnectConfSchema()
CONNECT_SIP = ConnectSipSchema()
CONNECT_STREAM = ConnectStreamSchema()
RUN_MENU = RunMenuSchema()
PARK = ParkSchema()
ACTIONS = (HANGUP, CONTINUE, CONNECT_PSTN, CONNECT_MXP, CONNECT_CONF, CONNECT_SIP, CONNECT_STREAM, RUN_MENU, PARK)


def check_answer_cookies(instructions: list[dict[str, Any]]) -> None:
    """Refuse instructions whose cookies are too much in all."""
    cookies = [item for item in instructions if str(item["name"]).lower() == "setcookie"]
    if cookies:
        check_cookies(cookies)


class SvamlSchema(WireSchema):
    """A whole answer. Instructions without an action pass: the platform's documents allow both to be absent."""

    instructions = Listing(Named("instruction", INSTRUCTIONS, old=OLD_INSTRUCTIONS), validate=check_answer_cookies)
    action = Named("action", ACTIONS)


SVAML = SvamlSchema()
