"""The check of SVAML: which event takes which action, a schema for every instruction and action, and ``check_svaml``.

Source of fields and required keys: OpenAPI Voice v1, unless a comment names another. Lists that the platform keeps open
(locales, recording formats) are open here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from marshmallow import ValidationError, fields

from ...errors import did_you_mean
from ...wire.checks import at_least, at_most_chars, between, number_of
from ...wire.faults import Fault, Faults, flatten, shorten
from ...wire.schemas import (
    Choice,
    DigitChoice,
    Digits,
    Errors,
    Flag,
    Listing,
    Named,
    Old,
    Part,
    SecretText,
    Text,
    Whole,
    Wire,
    WireSchema,
    named,
)
from .limits import (
    CALL_SECONDS,
    CONFERENCE_ID_CHARS,
    PARK_SECONDS,
    SAY_CHARS,
    check_call_headers,
    check_cookies,
    check_dtmf,
    check_option_action,
    check_stream_endpoint,
    check_tts_length,
)
from .options import ConferenceDtmfMode, Digit, Indications, Moh, SampleRate

#: Event -> the actions of its answer: those that the platform documents, and those that its own Functions runtimes add.
#: Any other is only a warning, because the sources disagree and the platform may take it.
ALLOWED_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "ice": (
        "hangup", "continue", "connectPstn", "connectMxp", "connectConf", "connectSip", "connectStream", "runMenu",
        "park",
    ),
    "ace": ("hangup", "continue", "connectConf", "runMenu"),
    "pie": ("hangup", "continue", "connectPstn", "connectMxp", "connectConf", "connectSip", "runMenu", "park"),
}  # fmt: skip

#: The same for instructions.
ALLOWED_INSTRUCTIONS: Mapping[str, tuple[str, ...]] = {
    "ice": ("say", "playFiles", "setCookie", "startRecording", "stopRecording", "sendDtmf", "answer"),
    "ace": ("say", "playFiles", "setCookie", "startRecording", "stopRecording"),
    "pie": ("say", "playFiles", "setCookie", "startRecording", "stopRecording", "sendDtmf"),
}

#: The events whose answer ends the call if it has no action. After an ACE without an action the call goes on.
NEED_ACTION = ("ice", "pie")

#: Id of the menu that a ``runMenu`` begins with.
MAIN_MENU = "main"


class UserDestination(WireSchema):
    type = Choice("username", fold=True, required=True)
    endpoint = Text(required=True)


class SipDestination(WireSchema):
    type = Choice("sip", fold=True, was_optional=True)
    endpoint = Text(required=True)


class StreamDestination(WireSchema):
    type = Choice("Websocket", fold=True, required=True)
    endpoint = Text(required=True, validate=check_stream_endpoint)


class CallHeaderSchema(WireSchema):
    key = Text(required=True)
    value = Text(required=True, empty=True)


class AmdSchema(WireSchema):
    enabled = Flag(old=("true", "false"))
    async_ = Flag(data_key="async", old=("true", "false"))


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
    destination = Old()
    destination_url = Text()
    credentials = SecretText()
    format = Text()
    notification_events = Flag()
    transcription_options = Part(TranscriptionSchema())


class OptionSchema(WireSchema):
    dtmf = DigitChoice(*get_args(Digit), required=True)
    action = Text(required=True, validate=check_option_action)
    input = Old()
    add = Old()


class MenuSchema(WireSchema):
    id = Text(required=True)
    main_text = Old()
    repeat_text = Old()
    main_prompt = Text(validate=check_tts_length)
    repeat_prompt = Text(validate=check_tts_length)
    repeats = Whole(at_least(0))
    max_digits = Whole(at_least(1))
    timeout_mills = Whole(at_least(1))
    max_timeout_mills = Whole(at_least(1))
    options = Listing(Part(OptionSchema()))


OPTION = OptionSchema()
MENU = MenuSchema()
RECORDING = RecordingSchema()

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
    """An action, with the keys that older libraries send with all actions and older documents show with some."""

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
    # The spelling of the platform's schema and the Java and .NET SDKs; the docs and the Node SDK use the one above.
    callheaders = Listing(Part(CallHeaderSchema()), validate=check_call_headers)
    # From the platform's page on in-app recording; they are not in its OpenAPI file.
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


def check_menus(menus: list[dict[str, Any]]) -> None:
    """Refuse options that lead to a menu that does not exist."""
    ids = [menu["id"] for menu in menus]
    errors: Errors = {}
    for index, menu in enumerate(menus):
        for place, option in enumerate(menu.get("options", ())):
            action = option["action"]
            if action.startswith("menu(") and (target := action[len("menu(") : -1]) not in ids:
                lost = errors.setdefault(index, {"options": {}})["options"]
                lost[place] = {"action": [no_such_menu(target, ids)]}
    if errors:
        raise ValidationError(errors)


def no_such_menu(found: str, ids: list[str]) -> str:
    """Return the message for an id that no menu has."""
    hint = did_you_mean(shorten(found), ids)
    return f'there is no menu "{shorten(found)}".{hint} The ids are: {", ".join(map(shorten, ids)) or "none"}.'


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
        """Yield the inherited warnings, and one for a ``mainMenu`` in place of a menu named "main"."""
        yield from super().old_in(data, path)
        if _starts_elsewhere(data, [menu["id"] for menu in data.get("menus", ())]):
            yield Fault(f"{path}menus", f'no menu has the id "{MAIN_MENU}", which the platform\'s schema requires.')


def _starts_elsewhere(data: Mapping[str, Any], ids: list[str]) -> bool:
    """Return True if ``mainMenu`` names one of the menus and none has the id "main", as in older libraries."""
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
    """Refuse instructions whose cookies are too large in all."""
    cookies = [item for item in instructions if str(item["name"]).lower() == "setcookie"]
    if cookies:
        check_cookies(cookies)


class SvamlSchema(WireSchema):
    """A whole answer. The platform's documents allow both instructions and action to be absent."""

    instructions = Listing(Named("instruction", INSTRUCTIONS, old=OLD_INSTRUCTIONS), validate=check_answer_cookies)
    action = Named("action", ACTIONS)


SVAML = SvamlSchema()


_ACTIONS = {event: frozenset(map(str.lower, names)) for event, names in ALLOWED_ACTIONS.items()}
_INSTRUCTIONS = {event: frozenset(map(str.lower, names)) for event, names in ALLOWED_INSTRUCTIONS.items()}
_CLEAN = Faults()


def check_svaml(answer: object, event: str) -> Faults:
    """Check the answer of a handler.

    Case is ignored in the names of instructions and actions. Instructions without an action are valid, and so is
    ``{}``. The function raises nothing, whatever ``answer`` is, and does not change it.

    :param event: ``ice``, ``ace`` or ``pie``; the table of actions does not cover any other.
    """
    errors = SVAML.errors_in(answer)
    warnings = tuple(_misplaced(answer, event.lower())) if isinstance(answer, dict) else ()
    if isinstance(answer, dict) and not errors:
        warnings += tuple(SVAML.old_in(answer, ""))
    if not errors and not warnings:
        return _CLEAN
    return Faults(tuple(flatten(errors)), warnings)


def problem_of_built(document: Wire, event: str) -> str | None:
    """Return why a document made by a builder does not answer ``event``, or None if it does."""
    if "action" not in document and event in NEED_ACTION:
        return "it returned a builder without an action: end it with one, such as .hangup() or .run_menu(menu)"
    misplaced = next(_misplaced(document, event), None)
    return None if misplaced is None else f"it used the builder of another event: {misplaced}"


def _misplaced(answer: Mapping[Any, object], event: str) -> Iterator[Fault]:
    """Yield a warning for each instruction or action that is documented for other events only."""
    if event not in _ACTIONS:
        return
    instructions = answer.get("instructions")
    for index, item in enumerate(instructions if isinstance(instructions, list | tuple) else ()):
        if (name := _name(item)) not in _INSTRUCTIONS[event]:
            yield from _elsewhere(name, f"instructions[{index}].name", event, ALLOWED_INSTRUCTIONS)
    action = answer.get("action")
    if action is not None and (name := _name(action)) not in _ACTIONS[event]:
        yield from _elsewhere(name, "action.name", event, ALLOWED_ACTIONS)


def _elsewhere(wanted: str, path: str, event: str, allowed: Mapping[str, tuple[str, ...]]) -> Iterator[Fault]:
    """Yield the warning for a name that other events have. A name that no event has is a fault of the schema."""
    events = {other: name for other, names in allowed.items() for name in names if name.lower() == wanted}
    if events:
        name, elsewhere = next(iter(events.values())), ", ".join(events)
        here = ", ".join(allowed[event])
        yield Fault(path, f"{name} is documented for {elsewhere}, not for {event}. Documented there: {here}.")


def _name(item: object) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return name.lower() if isinstance(name, str) else ""
