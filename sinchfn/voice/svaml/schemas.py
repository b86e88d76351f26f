"""One marshmallow schema for every instruction, action and object inside them: the only place that knows the limits.

Source of fields, required keys and limits: OpenAPI Voice v1, unless a line says otherwise. Lists that the platform
keeps open (locales, recording formats) are not closed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from marshmallow import ValidationError

from sinchfn.errors import did_you_mean
from sinchfn.voice.svaml.faults import shorten
from sinchfn.voice.svaml.fields import (
    Choice,
    Errors,
    Flag,
    Listing,
    Named,
    Part,
    SecretText,
    Text,
    Whole,
    WireSchema,
    at_least,
    at_most_chars,
    between,
    matches,
    named,
    number_of,
    total_bytes,
)
from sinchfn.voice.svaml.options import ConferenceDtmfMode, Digit, Indications, Moh, SampleRate
from sinchfn.voice.svaml.prompts import check_tts_length

#: Characters of one `say`.
SAY_CHARS = 600
#: Characters of a conference's id.
CONFERENCE_ID_CHARS = 64
#: Seconds that a connected call may last.
CALL_SECONDS = 4 * 60 * 60
#: Seconds that a call may be parked.
PARK_SECONDS = 600

#: Id of the menu that a `runMenu` begins with.
MAIN_MENU = "main"

check_cookies = total_bytes(1024, "cookies of an answer")
check_call_headers = total_bytes(1024, "call headers")
check_dtmf = matches("[0-9#w]*", "the digits 0-9, # and w (a pause of 500 ms)")
check_option_action = matches(r"(?:menu|return)\([^()]+\)", "menu(<id of a menu>) or return(<value>)")
check_stream_endpoint = matches(
    r"(?s)/.*|(?i:wss?)://.+", 'a URL that begins with "wss://", or a path such as "/stream"'
)


def check_menus(menus: list[dict[str, Any]]) -> None:
    """Refuse menus of which none or several are the main one, and options that lead to a menu that is not there."""
    ids = [menu["id"] for menu in menus]
    if ids.count(MAIN_MENU) != 1:
        raise ValidationError(f'exactly one menu must have the id "{MAIN_MENU}", found {ids.count(MAIN_MENU)}.')
    if errors := {index: found for index, menu in enumerate(menus) if (found := _lost_options(menu, ids))}:
        raise ValidationError(errors)


def target_of(action: str) -> str | None:
    """The id of the menu that an option leads to; None if it returns a value."""
    return action[len("menu(") : -1] if action.startswith("menu(") else None


def _lost_options(menu: dict[str, Any], ids: list[str]) -> Errors:
    lost = {
        index: {"action": [_no_such_menu(target, ids)]}
        for index, option in enumerate(menu.get("options", ()))
        if (target := target_of(option["action"])) is not None and target not in ids
    }
    return {"options": lost} if lost else {}


def _no_such_menu(found: str, ids: list[str]) -> str:
    hint = did_you_mean(shorten(found), ids)
    return f'there is no such menu: "{shorten(found)}".{hint} The ids are: {", ".join(map(shorten, ids)) or "none"}.'


class UserDestination(WireSchema):
    type = Choice("username", fold=True, required=True)
    endpoint = Text(required=True)


class SipDestination(WireSchema):
    type = Choice("sip", fold=True, required=True)
    endpoint = Text(required=True)


class StreamDestination(WireSchema):
    type = Choice("Websocket", fold=True, required=True)
    endpoint = Text(required=True, validate=check_stream_endpoint)


class CallHeaderSchema(WireSchema):
    key = Text(required=True)
    value = Text(required=True, empty=True)


class AmdSchema(WireSchema):
    enabled = Flag()
    async_ = Flag(data_key="async")


class ConferenceDtmfSchema(WireSchema):
    mode = Choice(*get_args(ConferenceDtmfMode))
    max_digits = Whole(at_least(1))
    timeout_mills = Whole(at_least(1))


class StreamingSchema(WireSchema):
    version = Whole(at_least(1))
    sample_rate = Whole(number_of(*get_args(SampleRate)))


class TranscriptionSchema(WireSchema):
    enabled = Flag()
    locale = Text()


class RecordingSchema(WireSchema):
    destination_url = Text()
    credentials = SecretText()
    format = Text()
    notification_events = Flag()
    transcription_options = Part(TranscriptionSchema())


class OptionSchema(WireSchema):
    dtmf = Choice(*get_args(Digit), required=True)
    action = Text(required=True, validate=check_option_action)


class MenuSchema(WireSchema):
    id = Text(required=True)
    main_prompt = Text(validate=check_tts_length)
    repeat_prompt = Text(validate=check_tts_length)
    repeats = Whole(at_least(0))
    max_digits = Whole(at_least(1))
    timeout_mills = Whole(at_least(1))
    max_timeout_mills = Whole(at_least(1))
    options = Listing(Part(OptionSchema()))


# --- instructions


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
    options = Part(RecordingSchema())


class StopRecordingSchema(WireSchema):
    name = named("stopRecording")


# --- actions


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
    recording_options = Part(RecordingSchema())


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
    menus = Listing(Part(MenuSchema()), validate=check_menus)

    def cross_errors(self, data: Mapping[str, Any]) -> Errors:
        errors: Errors = {}
        ids = [menu["id"] for menu in data.get("menus", ())]
        if (main := data.get("mainMenu")) is not None and main not in ids:
            errors["mainMenu"] = [_no_such_menu(main, ids)]
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

MENU = MenuSchema()
OPTION = OptionSchema()
RECORDING = RecordingSchema()


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
