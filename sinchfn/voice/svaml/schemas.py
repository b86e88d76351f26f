"""One marshmallow schema for every instruction and action, and one for the whole answer.

Source of fields and required keys: OpenAPI Voice v1, unless a line says otherwise. Lists that the platform keeps open
(locales, recording formats) are not closed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from .fields import Choice, Errors, Flag, Listing, Named, Part, Text, Whole, WireSchema, named
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
    value = Text(empty=True, validate=check_dtmf)


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


class HangupSchema(WireSchema):
    name = named("hangup")


class ContinueSchema(WireSchema):
    name = named("continue")


class ConnectPstnSchema(WireSchema):
    name = named("connectPstn")
    number = Text()
    locale = Text()
    max_duration = Whole(between(1, CALL_SECONDS))
    dial_timeout = Whole(at_least(1))
    cli = Text()
    suppress_callbacks = Flag()
    dtmf = Text(empty=True, validate=check_dtmf)
    indications = Choice(*get_args(Indications))
    amd = Part(AmdSchema())


class ConnectMxpSchema(WireSchema):
    name = named("connectMxp")
    destination = Part(UserDestination())
    call_headers = Listing(Part(CallHeaderSchema()), validate=check_call_headers)
    # The schema of the platform, the Java and the .NET SDK spell it so; the docs and the Node SDK as above.
    callheaders = Listing(Part(CallHeaderSchema()), validate=check_call_headers)
    # From the platform's page on in-app recording; its OpenAPI file does not have them.
    record = Flag()
    recording_options = Part(RECORDING)


class ConnectConfSchema(WireSchema):
    name = named("connectConf")
    conference_id = Text(required=True, validate=at_most_chars(CONFERENCE_ID_CHARS))
    conference_dtmf_options = Part(ConferenceDtmfSchema())
    moh = Choice(*get_args(Moh))


class ConnectSipSchema(WireSchema):
    name = named("connectSip")
    destination = Part(SipDestination(), required=True)
    max_duration = Whole(between(1, CALL_SECONDS))
    cli = Text()
    transport = Choice("UDP", "TCP", "TLS", fold=True)
    suppress_callbacks = Flag()
    call_headers = Listing(Part(CallHeaderSchema()), validate=check_call_headers)
    moh = Choice(*get_args(Moh))


class ConnectStreamSchema(WireSchema):
    name = named("connectStream")
    destination = Part(StreamDestination(), required=True)
    streaming_options = Part(StreamingSchema())
    max_duration = Whole(between(1, CALL_SECONDS))
    call_headers = Listing(Part(CallHeaderSchema()), validate=check_call_headers)


class RunMenuSchema(WireSchema):
    name = named("runMenu")
    barge = Flag()
    locale = Text()
    main_menu = Text()
    enable_voice = Flag()
    menus = Listing(Part(MENU), validate=check_menus)

    def cross_errors(self, data: Mapping[str, Any]) -> Errors:
        errors: Errors = {}
        ids = [menu["id"] for menu in data.get("menus", ())]
        if (main := data.get("mainMenu")) is not None and main not in ids:
            errors["mainMenu"] = [no_such_menu(main, ids)]
        if data.get("enableVoice") and "locale" not in data:
            errors["locale"] = ["is required when enableVoice is true."]
        return errors


class ParkSchema(WireSchema):
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

    instructions = Listing(Named("instruction", INSTRUCTIONS), validate=check_answer_cookies)
    action = Named("action", ACTIONS)


SVAML = SvamlSchema()
