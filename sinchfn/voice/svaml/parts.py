"""One marshmallow schema for every object inside an instruction or action. Source: OpenAPI Voice v1."""

from __future__ import annotations

from typing import Any, get_args

from marshmallow import ValidationError

from ...errors import did_you_mean
from .faults import shorten
from .fields import Choice, DigitChoice, Errors, Flag, Listing, Old, Part, SecretText, Text, Whole, WireSchema
from .limits import at_least, check_option_action, check_stream_endpoint, number_of
from .options import ConferenceDtmfMode, Digit, SampleRate
from .prompts import check_tts_length

#: Id of the menu that a `runMenu` begins with.
MAIN_MENU = "main"


def check_menus(menus: list[dict[str, Any]]) -> None:
    """Refuse options that lead to a menu that is not there."""
    ids = [menu["id"] for menu in menus]
    if errors := {index: found for index, menu in enumerate(menus) if (found := _lost_options(menu, ids))}:
        raise ValidationError(errors)


def target_of(action: str) -> str | None:
    """The id of the menu that an option leads to; None if it returns a value."""
    return action[len("menu(") : -1] if action.startswith("menu(") else None


def _lost_options(menu: dict[str, Any], ids: list[str]) -> Errors:
    lost = {
        index: {"action": [no_such_menu(target, ids)]}
        for index, option in enumerate(menu.get("options", ()))
        if (target := target_of(option["action"])) is not None and target not in ids
    }
    return {"options": lost} if lost else {}


def no_such_menu(found: str, ids: list[str]) -> str:
    """What to say about an id that no menu has."""
    hint = did_you_mean(shorten(found), ids)
    return f'there is no such menu: "{shorten(found)}".{hint} The ids are: {", ".join(map(shorten, ids)) or "none"}.'


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
