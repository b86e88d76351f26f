"""The builders: the SVAML of each method, its limits, and that builders never change."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinchfn import RecordingOptions, SipOptions
from sinchfn.errors import SvamlError
from sinchfn.voice.fallbacks import error_answer, invalid_input, service_unavailable
from sinchfn.voice.svaml import (
    ALLOWED_ACTIONS,
    ALLOWED_INSTRUCTIONS,
    AceSvamlBuilder,
    AgentProvider,
    CallHeader,
    Faults,
    IceSvamlBuilder,
    PieSvamlBuilder,
    Svaml,
    SvamlBuilder,
    builders,
    check_svaml,
    create_ace_builder,
    create_ice_builder,
    create_menu,
    create_pie_builder,
)
from sinchfn.voice.svaml.actions import Actions, ConnectActions, IceActions
from sinchfn.voice.svaml.instructions import AnswerInstruction, DtmfInstruction, Instructions
from sinchfn.voice.svaml.schemas import ACTIONS, INSTRUCTIONS, RECORDING
from sinchfn.wire.schemas import WireSchema
from tests.harness.paths import SVAML

SAMPLES = {str(path.relative_to(SVAML)): json.loads(path.read_text()) for path in sorted(SVAML.rglob("*.json"))}

Ice = IceSvamlBuilder
Ace = AceSvamlBuilder
Pie = PieSvamlBuilder

AZURE: dict[str, Any] = {
    "destination_url": "azure://my-account/test-container/my-recording.mp3",
    "credentials": "dummyAzureCredentials",
    "format": "mp3",
    "notification_events": True,
    "transcription": True,
    "transcription_locale": "en-US",
}
HOLD = "#tts[Thank you for your patience, your call is very important to us.]"
FOO = {"foo": "bar", "baz": "qux"}
COOKIE = Ice().set_cookie("sinch-app", "app-id-value")


def menus_of(sample: str) -> Any:
    return SAMPLES[sample]["action"]["menus"]


BUILT: dict[str, SvamlBuilder | Svaml] = {
    "actions/connectConf.json": Ice().connect_conf("myConference", moh="ring"),
    "actions/connectMxp.json": Ice().connect_mxp("johndoe", call_headers=FOO),
    "actions/connectMxp_schema_spelling.json": Ice().connect_mxp(
        "a user string", call_headers=[{"key": "left string", "value": "right string"}]
    ),
    "actions/connectSip.json": Ice().connect_sip(
        "46708000000@sip.foo.com",
        max_duration=3000,
        cli="private",
        transport="tls",
        suppress_callbacks=False,
        call_headers=FOO,
    ),
    "actions/connectSip_schema.json": Ice().connect_sip(
        "46708000000@sip.foo.com",
        max_duration=456,
        cli="+460987654321",
        transport="TLS",
        suppress_callbacks=True,
        call_headers={"X-My-Private-Header-1": "bar"},
        moh="music2",
    ),
    "actions/connectStream.json": Ice().connect_stream(
        "wss://yourcompany.com/websocket-server", sample_rate=44100, max_duration=3600, call_headers=FOO
    ),
    "actions/continue.json": Ice().continue_(),
    "actions/hangup.json": Ice().hangup(),
    "actions/park.json": Ice().park(intro_prompt="#tts[Welcome]", hold_prompt=HOLD, max_duration=180),
    "actions/park_locale.json": Ice().park(
        locale="en-US",
        intro_prompt="#tts[Welcome]",
        hold_prompt="#tts[Please wait, you are on hold]",
        max_duration=600,
    ),
    "actions/runMenu_full.json": Pie().run_menu(
        menus_of("actions/runMenu_full.json"), barge=True, locale="en-US", main_menu="main", enable_voice=True
    ),
    "instructions/playFiles.json": Ice().play("#tts[Welcome]", locale="en-US"),
    "instructions/say.json": Ace().say("Hello, this is a text-to-speech message.", "en-US"),
    "instructions/sendDtmf.json": Pie().send_dtmf("1234#"),
    "instructions/setCookie.json": Ace().set_cookie("cookie_name", "cookie_value"),
    "instructions/startRecording_azure_transcription.json": Ice().start_recording(**AZURE),
    "instructions/startRecording_s3.json": Ice().start_recording(
        "s3://my-bucket/voice-recordings/my-recording.mp3",
        credentials="ACCESS_KEY_ID:SECRET_ACCESS_KEY:eu-central-1",
        format="mp3",
        notification_events=True,
    ),
    "instructions/stopRecording.json": Ace().stop_recording(),
    "responses/ace_continue.json": Ace().continue_(),
    "responses/ace_runMenu.json": Ace().run_menu(menus_of("responses/ace_runMenu.json"), barge=True),
    "responses/ace_say_hangup.json": Ace()
    .say("This is a call from Sinch. This call will now end.", locale="en-US")
    .hangup(),
    "responses/dice_empty_object.json": Ace(),
    "responses/ice_cookie_connectStream.json": COOKIE.connect_stream("wss://example.com/stream"),
    "responses/ice_cookie_park.json": COOKIE.park(intro_prompt="#tts[Welcome]", hold_prompt=HOLD, max_duration=180),
    "responses/ice_playFiles_connectPstn.json": Ice()
    .play_files(["welcome"], locale="en-US")
    .connect_pstn("+46555000111", cli="+46555000222", max_duration=600, suppress_callbacks=False),
    "responses/ice_say_hangup.json": Ice().say("Thank you for calling Sinch! This call will now end.").hangup(),
    "responses/pie_say_record_continue.json": Pie()
    .say("The call may be recorded.", "en-US")
    .start_recording(**AZURE)
    .continue_(),
}


def emitted_spelling(sample: dict[str, Any]) -> dict[str, Any]:
    """A sample with the one spelling that builders emit, where the platform's own samples have two."""
    action = dict(sample.get("action", {}))
    if "callheaders" in action:
        action["callHeaders"] = action.pop("callheaders")
    if action.get("name") == "connectSip":
        action["destination"] = {**action["destination"], "type": "sip"}
    return {**sample, "action": action} if action else sample


#: Instruction or action -> the method of a builder that writes it.
METHODS = {
    "say": "say",
    "playFiles": "play_files",
    "sendDtmf": "send_dtmf",
    "setCookie": "set_cookie",
    "answer": "answer",
    "startRecording": "start_recording",
    "stopRecording": "stop_recording",
    "hangup": "hangup",
    "continue": "continue_",
    "connectPstn": "connect_pstn",
    "connectMxp": "connect_mxp",
    "park": "park",
    "connectConf": "connect_conf",
    "connectSip": "connect_sip",
    "connectStream": "connect_stream",
    "runMenu": "run_menu",
}
#: Keys of the wire that a builder's method calls otherwise.
CALLED = {
    "destination": "endpoint",
    "streamingOptions": "sample_rate",
    "callheaders": "call_headers",
    "menus": "menu",
    "options": "options",
}
#: What the schema makes optional, and what would say or do nothing without it.
NEEDED = {"say": {"text"}, "sendDtmf": {"value"}, "setCookie": {"key", "value"}, "runMenu": {"menus"}}


def parameters_of(method: str) -> Mapping[str, inspect.Parameter]:
    found = dict(inspect.signature(getattr(Ice, method)).parameters)
    del found["self"]
    return found


def called(key: str) -> str:
    return CALLED.get(key) or re.sub("([A-Z])", r"_\1", key).lower()


class TestSchemas:
    """Builders and schemas say the same."""

    @pytest.mark.parametrize("schema", [*INSTRUCTIONS, *ACTIONS], ids=attrgetter("wire_name"))
    def test_what_the_schema_makes_optional_is_optional_in_the_builder(self, schema: WireSchema):
        name = schema.wire_name
        required = {
            parameter.name
            for parameter in parameters_of(METHODS[name]).values()
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        }
        assert required == {called(key) for key in {*schema.required_keys, *NEEDED.get(name, ())} - {"name"}}

    @pytest.mark.parametrize("schema", [*INSTRUCTIONS, *ACTIONS], ids=attrgetter("wire_name"))
    def test_a_builder_can_write_every_key_of_the_schema(self, schema: WireSchema):
        method = METHODS[schema.wire_name]
        options = {"connect_sip": SipOptions, "start_recording": RecordingOptions}.get(method)
        known = {*parameters_of(method), *(options.__annotations__ if options else ())}
        assert {called(key) for key in schema.current_keys} - {"name"} <= known

    @pytest.mark.parametrize("key", [*RECORDING.current_keys])
    def test_a_builder_can_write_every_option_of_a_recording(self, key: str):
        assert called(key) in {"destination_url", *RecordingOptions.__annotations__}

    def test_what_is_left_out_is_not_sent(self):
        headers = [{"key": "k", "value": "v"}]
        assert Ice().connect_mxp().build() == {"action": {"name": "connectMxp"}}
        assert Ice().connect_mxp(call_headers={"k": "v"}).build()["action"] == {
            "name": "connectMxp",
            "callHeaders": headers,
        }
        assert Ice().start_recording().build() == {"instructions": [{"name": "startRecording"}]}
        [recording] = Ice().start_recording(notification_events=True).build()["instructions"]
        assert recording == {"name": "startRecording", "options": {"notificationEvents": True}}

    def test_a_number_is_taken_where_digits_are_meant(self):
        [tones] = Ice().send_dtmf(1234).build()["instructions"]
        assert tones == {"name": "sendDtmf", "value": "1234"}
        assert Ice().connect_pstn(dtmf=0).build()["action"]["dtmf"] == "0"
        menu = create_menu().prompt("Hello").option(0, "return(x)")
        assert Ice().run_menu(menu).build()["action"]["menus"][0]["options"][0]["dtmf"] == "0"
        menus = [{"id": "main", "options": [{"dtmf": 1, "action": "return(x)"}]}]
        assert Ice().run_menu(menus).build()["action"]["menus"] == menus


class TestSamples:
    def test_there_is_a_way_to_build_every_sample(self):
        assert set(BUILT) == set(SAMPLES)

    @pytest.mark.parametrize("name", SAMPLES)
    def test_what_is_built_is_the_sample(self, name: str):
        assert BUILT[name].build() == emitted_spelling(SAMPLES[name])


class TestOptions:
    """Every option arrives under its name on the wire, and none that was not given."""

    def action(self, svaml: Svaml) -> dict[str, Any]:
        return svaml.build()["action"]

    def test_actions_without_options_are_bare(self):
        assert self.action(Ice().connect_pstn()) == {"name": "connectPstn"}
        assert self.action(Ice().connect_conf("x")) == {"name": "connectConf", "conferenceId": "x"}
        assert self.action(Ice().park()) == {"name": "park"}
        sip = {"name": "connectSip", "destination": {"type": "sip", "endpoint": "a@b"}}
        assert self.action(Pie().connect_sip("a@b")) == sip
        mxp = {"name": "connectMxp", "destination": {"type": "username", "endpoint": "a"}}
        assert self.action(Pie().connect_mxp("a")) == mxp
        stream = {"name": "connectStream", "destination": {"type": "Websocket", "endpoint": "/stream"}}
        assert self.action(Ice().connect_stream("/stream")) == stream

    def test_connect_pstn_takes_them_all(self):
        built = Ice().connect_pstn(
            "+46",
            locale="sv-SE",
            max_duration=14400,
            dial_timeout=20,
            cli="private",
            suppress_callbacks=True,
            dtmf="1w#",
            indications="no",
            amd=True,
            amd_async=False,
        )
        assert self.action(built) == {
            "name": "connectPstn",
            "number": "+46",
            "locale": "sv-SE",
            "maxDuration": 14400,
            "dialTimeout": 20,
            "cli": "private",
            "suppressCallbacks": True,
            "dtmf": "1w#",
            "indications": "no",
            "amd": {"enabled": True, "async": False},
        }

    @pytest.mark.parametrize(
        ("options", "amd"),
        [
            ({"amd": True}, {"enabled": True}),
            ({"amd": False}, {"enabled": False}),
            ({"amd_async": True}, {"enabled": True, "async": True}),
            ({"amd": False, "amd_async": True}, {"enabled": False, "async": True}),
            ({"amd": {"enabled": True}, "amd_async": True}, {"enabled": True, "async": True}),
            ({"amd": {"enabled": True, "async": True}}, {"enabled": True, "async": True}),
        ],
    )
    def test_answering_machine_detection_has_a_short_form(self, options: dict[str, Any], amd: dict[str, bool]):
        assert self.action(Pie().connect_pstn(**options))["amd"] == amd

    @pytest.mark.parametrize(
        "options",
        [
            {"dtmf_mode": "detect", "max_digits": 4, "timeout_mills": 3000},
            {"conference_dtmf_options": {"mode": "detect", "maxDigits": 4, "timeoutMills": 3000}},
            {
                "conference_dtmf_options": {"mode": "ignore", "maxDigits": 4},
                "dtmf_mode": "detect",
                "timeout_mills": 3000,
            },
        ],
    )
    def test_digits_of_a_conference_have_a_short_form(self, options: dict[str, Any]):
        digits = self.action(Ace().connect_conf("x", **options))["conferenceDtmfOptions"]
        assert digits == {"mode": "detect", "maxDigits": 4, "timeoutMills": 3000}

    @pytest.mark.parametrize(
        ("options", "transcription"),
        [
            ({"transcription": True}, {"enabled": True}),
            ({"transcription_locale": "sv-SE"}, {"enabled": True, "locale": "sv-SE"}),
            ({"transcription": False, "transcription_locale": "sv-SE"}, {"enabled": False, "locale": "sv-SE"}),
            (
                {"transcription_options": {"enabled": True}, "transcription_locale": "x"},
                {"enabled": True, "locale": "x"},
            ),
        ],
    )
    def test_transcription_has_a_short_form(self, options: dict[str, Any], transcription: dict[str, Any]):
        (recording,) = Ice().start_recording("s3://b/f", **options).build()["instructions"]
        assert recording["options"] == {"destinationUrl": "s3://b/f", "transcriptionOptions": transcription}

    def test_a_stream_has_its_options_only_with_a_sample_rate(self):
        assert self.action(Ice().connect_stream("/s", sample_rate=8000))["streamingOptions"] == {
            "version": 1,
            "sampleRate": 8000,
        }

    def test_connect_mxp_can_record(self):
        recording = {"destinationUrl": "s3://b/f"}
        action = self.action(Ice().connect_mxp("a", record=True, recording_options={"destinationUrl": "s3://b/f"}))
        assert (action["record"], action["recordingOptions"]) == (True, recording)

    @pytest.mark.parametrize("provider", [AgentProvider.ELEVENLABS, "elevenlabs", "ElevenLabs"])
    def test_an_agent_is_reached_by_sip_over_tcp(self, provider: Any):
        assert self.action(Ice().connect_agent(provider, "+46555")) == {
            "name": "connectSip",
            "destination": {"type": "sip", "endpoint": "+46555@sip.rtc.elevenlabs.io:5060"},
            "transport": "TCP",
        }

    def test_an_agent_takes_the_options_of_sip(self):
        action = self.action(Pie().connect_agent("elevenlabs", "a", max_duration=60, call_headers={"X-A": "b"}))
        assert (action["maxDuration"], action["callHeaders"]) == (60, [{"key": "X-A", "value": "b"}])

    def test_a_menu_is_a_builder_its_dict_or_a_list(self):
        menu = create_menu().prompt("Hi").option(1, "return(x)")
        built = menu.build()
        assert self.action(Ice().run_menu(menu)) == built
        assert self.action(Ace().run_menu(built)) == built
        assert self.action(Pie().run_menu({**built, "name": "RUNMENU"})) == built
        assert self.action(Pie().run_menu(built["menus"], barge=True)) == built

    def test_options_of_run_menu_replace_those_of_the_menu(self):
        menu = create_menu().prompt("Hi").enable_voice()
        action = self.action(Ace().run_menu(menu, barge=False, locale="sv-SE", main_menu="main"))
        assert (action["barge"], action["locale"], action["mainMenu"]) == (False, "sv-SE", "main")
        assert action["enableVoice"] is True


TOO_MUCH = {"k": "é" * 512}
JUST_ENOUGH = {"k": "é" * 511 + "x"}


class TestLimits:
    """Both sides of every limit, and what the error says."""

    @pytest.mark.parametrize(
        ("passes", "fails", "says"),
        [
            (
                lambda: Ice().say("x" * 600),
                lambda: Ice().say("x" * 601),
                "say.text: must have at most 600 characters, found 601.",
            ),
            (lambda: Ice().say("x", "Joanna"), lambda: Ice().say("x", ""), "say.locale: must not be empty."),
            (
                lambda: Ice().play("f" * 700),
                lambda: Ice().play(f"#tts[{'x' * 601}]"),
                "playFiles.ids[0]: must have at most 600",
            ),
            (
                lambda: Ice().send_dtmf("09#w"),
                lambda: Ice().send_dtmf("*"),
                'sendDtmf.value: must be the digits 0-9, # and w (a pause of 500 ms); found "*"',
            ),
            (
                lambda: Ice().set_cookie("k", "é" * 511 + "x"),
                lambda: Ice().set_cookie("k", "é" * 512),
                "setCookie: all cookies of an answer together must have at most 1024 bytes, found 1025.",
            ),
            (
                lambda: Ace().set_cookie("k", "x" * 1022).set_cookie("l", ""),
                lambda: Ace().set_cookie("k", "x" * 1022).set_cookie("l", "x"),
                "found 1025",
            ),
            (
                lambda: Ice().connect_pstn(max_duration=14400),
                lambda: Ice().connect_pstn(max_duration=14401),
                "connectPstn.maxDuration: must be from 1 to 14400, found 14401",
            ),
            (lambda: Ice().connect_pstn(max_duration=1), lambda: Ice().connect_pstn(max_duration=0), "found 0"),
            (
                lambda: Ice().connect_pstn(dial_timeout=1),
                lambda: Ice().connect_pstn(dial_timeout=0),
                "connectPstn.dialTimeout: must be 1 or more",
            ),
            (lambda: Ice().connect_pstn(dtmf=""), lambda: Ice().connect_pstn(dtmf="1*"), "connectPstn.dtmf"),
            (
                lambda: Ice().connect_conf("x" * 64),
                lambda: Ice().connect_conf("x" * 65),
                "connectConf.conferenceId: must have at most 64 characters",
            ),
            (
                lambda: Ice().connect_conf("x", max_digits=1),
                lambda: Ice().connect_conf("x", max_digits=0),
                "connectConf.conferenceDtmfOptions.maxDigits",
            ),
            (
                lambda: Ice().connect_conf("x", timeout_mills=1),
                lambda: Ice().connect_conf("x", timeout_mills=0),
                "connectConf.conferenceDtmfOptions.timeoutMills",
            ),
            (
                lambda: Ice().connect_sip("a", max_duration=14400),
                lambda: Ice().connect_sip("a", max_duration=14401),
                "connectSip.maxDuration",
            ),
            (
                lambda: Ice().connect_sip("a", call_headers=JUST_ENOUGH),
                lambda: Ice().connect_sip("a", call_headers=TOO_MUCH),
                "connectSip.callHeaders: all call headers together must have at most 1024 bytes, found 1025.",
            ),
            (
                lambda: Ice().connect_mxp("a", call_headers=JUST_ENOUGH),
                lambda: Ice().connect_mxp("a", call_headers=TOO_MUCH),
                "connectMxp.callHeaders",
            ),
            (
                lambda: Ice().connect_stream("/", call_headers=JUST_ENOUGH),
                lambda: Ice().connect_stream("/", call_headers=TOO_MUCH),
                "connectStream.callHeaders",
            ),
            (
                lambda: Ice().connect_stream("/", max_duration=14400),
                lambda: Ice().connect_stream("/", max_duration=14401),
                "connectStream.maxDuration",
            ),
            (
                lambda: Ice().connect_stream("ws://a"),
                lambda: Ice().connect_stream("http://a"),
                "connectStream.destination.endpoint",
            ),
            (
                lambda: Ice().park(max_duration=600),
                lambda: Ice().park(max_duration=601),
                "park.maxDuration: must be from 1 to 600, found 601",
            ),
            (lambda: Ice().park(max_duration=1), lambda: Ice().park(max_duration=0), "park.maxDuration"),
            (
                lambda: Ice().park(hold_prompt="x" * 601),
                lambda: Ice().park(hold_prompt=f"#tts[{'x' * 601}]"),
                "park.holdPrompt",
            ),
            (
                lambda: Ice().run_menu([{"id": "main"}]),
                lambda: Ice().run_menu([{"id": "Main"}]),
                'runMenu.menus: exactly one menu must have the id "main", found 0: '
                "the platform answers anything else with an error.",
            ),
        ],
    )
    def test_hold_on_both_sides(self, passes: Callable[[], Any], fails: Callable[[], Any], says: str):
        assert not check_svaml(passes().build(), "ice")
        with pytest.raises(SvamlError) as caught:
            fails()
        assert says in str(caught.value)

    @pytest.mark.parametrize(
        ("method", "arguments", "options"),
        [
            ("say", [None], {}),
            ("say", [5], {}),
            ("say", [b"bytes"], {}),
            ("say", ["x"], {"locale": 5}),
            ("play_files", ["one"], {}),
            ("play_files", [[1]], {}),
            ("set_cookie", ["", "v"], {}),
            ("set_cookie", ["k", 1], {}),
            ("send_dtmf", [-1], {}),
            ("send_dtmf", [True], {}),
            ("start_recording", [5], {}),
            ("connect_pstn", [], {"dtmf": 1.5}),
            ("start_recording", ["s3://x"], {"notification_events": 1}),
            ("connect_pstn", [46], {}),
            ("connect_pstn", [], {"max_duration": "5"}),
            ("connect_pstn", [], {"max_duration": True}),
            ("connect_pstn", [], {"suppress_callbacks": 1}),
            ("connect_pstn", [], {"amd": "yes"}),
            ("connect_pstn", [], {"amd": {"on": True}}),
            ("connect_pstn", [], {"indications": "xx"}),
            ("connect_mxp", [""], {}),
            ("connect_mxp", ["a"], {"call_headers": "k: v"}),
            ("connect_mxp", ["a"], {"call_headers": {"k": 1}}),
            ("connect_mxp", ["a"], {"call_headers": [{"k": "v"}]}),
            ("connect_conf", [None], {}),
            ("connect_conf", ["x"], {"moh": "loud"}),
            ("connect_conf", ["x"], {"dtmf_mode": "digits"}),
            ("connect_conf", ["x"], {"conference_dtmf_options": "detect"}),
            ("connect_sip", [None], {}),
            ("connect_sip", ["a"], {"transport": "wss"}),
            ("connect_stream", [""], {}),
            ("connect_stream", ["/s"], {"sample_rate": 11025}),
            ("connect_agent", ["somebody", "a"], {}),
            ("connect_agent", ["elevenlabs", ""], {}),
            ("connect_agent", ["elevenlabs", "a@elsewhere.example"], {}),
            ("connect_agent", ["elevenlabs", None], {}),
            ("run_menu", [None], {}),
            ("run_menu", ["main"], {}),
            ("run_menu", [[]], {}),
            ("run_menu", [{"name": "hangup", "menus": [{"id": "main"}]}], {}),
            ("run_menu", [[{"id": "main"}]], {"barge": 1}),
            ("run_menu", [[{"id": "main"}]], {"main_menu": "sub"}),
            ("run_menu", [[{"id": "main"}]], {"enable_voice": True}),
            ("park", [], {"intro_prompt": ""}),
        ],
    )
    def test_a_value_that_the_platform_would_refuse_is_refused_at_once(
        self, method: str, arguments: list[Any], options: dict[str, Any]
    ):
        with pytest.raises(SvamlError):
            getattr(Ice(), method)(*arguments, **options)

    @pytest.mark.parametrize("method", ["connect_sip", "start_recording"])
    def test_an_unknown_option_is_a_type_error_with_the_nearest_one(self, method: str):
        misspelt = {"connect_sip": ("max_duratoin", "max_duration"), "start_recording": ("credential", "credentials")}
        wrong, right = misspelt[method]
        with pytest.raises(TypeError, match=f'no option "{wrong}". Did you mean "{right}"'):
            getattr(Ice(), method)("a", **{wrong: "x"})

    def test_a_broken_limit_is_a_value_error_too(self):
        with pytest.raises(ValueError, match="601"):
            Ice().say("x" * 601)


COMMON = {"say", "play", "play_files", "set_cookie", "start_recording", "stop_recording"}
COMMON |= {"hangup", "continue_", "connect_conf", "run_menu"}
CONNECT = {"connect_pstn", "connect_sip", "connect_mxp", "connect_agent"}


class TestMatrix:
    @pytest.mark.parametrize(
        ("builder", "methods"),
        [
            (Ice, COMMON | CONNECT | {"send_dtmf", "answer", "connect_stream", "park"}),
            (Ace, COMMON),
            (Pie, COMMON | CONNECT | {"send_dtmf"}),
        ],
    )
    def test_a_builder_has_the_methods_of_its_event_and_no_more(self, builder: type, methods: set[str]):
        assert {name for name in dir(builder) if not name.startswith("_")} == methods | {"build"}

    @pytest.mark.parametrize(("column", "builder"), [(1, Ice), (2, Ace), (3, Pie)])
    def test_the_table_in_the_docstring_is_right(self, column: int, builder: type):
        rows = [row.split("|")[1:-1] for row in str(builders.__doc__).splitlines() if row.startswith("|")][2:]
        listed = {name for row in rows if row[column].strip() == "yes" for name in row[0].split()}
        assert listed == {name for name in dir(builder) if not name.startswith("_")} - {"build"}
        event = builder.__name__[:3].lower()
        allowed = {METHODS[name] for name in (*ALLOWED_ACTIONS[event], *ALLOWED_INSTRUCTIONS[event])}
        others = {"play", "connect_agent"}  # they write playFiles and connectSip
        assert listed - others == allowed - ({"park"} if builder is Pie else set())

    def test_a_finished_answer_takes_nothing_more(self):
        assert [name for name in dir(Svaml) if not name.startswith("_")] == ["build"]

    def test_each_builder_has_a_factory(self):
        assert create_ice_builder() == Ice()
        assert create_ace_builder() == Ace()
        assert create_pie_builder() == Pie()

    @pytest.mark.parametrize("builder", [Ice, Ace, Pie])
    def test_what_a_builder_offers_is_never_warned_about(self, builder: type):
        event = builder.__name__[:3].lower()
        for name in ("send_dtmf", "answer", "connect_pstn", "park"):
            if (method := getattr(builder(), name, None)) is not None:
                assert check_svaml(method(*(["1"] if name == "send_dtmf" else [])).build(), event) == Faults()


class TestValues:
    """Builders and answers are values: nothing that happens later changes them."""

    def test_an_instruction_leaves_the_builder_as_it_was(self):
        first = Ice().say("one")
        first.say("two")
        assert len(first.build()["instructions"]) == 1

    def test_an_action_leaves_the_builder_as_it_was(self):
        builder = Ice().say("one")
        builder.hangup()
        assert "action" not in builder.build()

    def test_one_builder_can_begin_several_answers(self):
        hello = Pie().say("Hello")
        assert hello.say("a").hangup() != hello.say("b").hangup()

    def test_an_instruction_returns_the_same_kind_of_builder(self):
        class Mine(IceSvamlBuilder):
            pass

        assert type(Mine().say("x").answer()) is Mine

    def test_what_was_built_is_free_to_be_changed(self):
        svaml = Ice().play_files(["a"]).connect_mxp("x", call_headers={"k": "v"})
        before = svaml.build()
        built = svaml.build()
        built["instructions"][0]["ids"].append("b")
        built["action"]["callHeaders"][0]["key"] = "other"
        built["action"]["destination"].clear()
        assert svaml.build() == before

    def test_what_was_passed_is_free_to_be_changed(self):
        ids = ["a"]
        headers: list[CallHeader] = [{"key": "k", "value": "v"}]
        menus: list[dict[str, Any]] = [{"id": "main", "options": []}]
        played, called, asked = (
            Ice().play_files(ids),
            Ice().connect_mxp("x", call_headers=headers),
            Ice().run_menu(menus),
        )
        before = [item.build() for item in (played, called, asked)]
        ids.append("b")
        headers[0]["key"] = "other"
        menus[0]["id"] = "other"
        assert [item.build() for item in (played, called, asked)] == before

    def test_equal_content_is_equal(self):
        assert Ice().say("x").hangup() == Pie().say("x").hangup()
        assert Ice().say("x") == Ice().say("x")
        assert Ice().say("x") != Pie().say("x")
        assert Ice().say("x") != Ice().say("y")
        assert Ice().hangup() != Ice().continue_()
        assert Ice().hangup() != {"action": {"name": "hangup"}}
        assert Ice() != {}

    @pytest.mark.parametrize("name", ["action", "instructions", "name"])
    def test_there_is_nothing_to_set(self, name: str):
        for value in (Ice(), Ice().hangup()):
            with pytest.raises(AttributeError):
                setattr(value, name, {})

    def test_a_repr_is_short_and_keeps_secrets(self):
        recorded = Ice().say("Hello Ann").start_recording("s3://b", credentials="KEY:SECRET:eu")
        assert repr(recorded) == "<IceSvamlBuilder: say, startRecording>"
        assert repr(recorded.hangup()) == "<Svaml: say, startRecording, hangup>"
        assert repr(Ace()) == "<AceSvamlBuilder: nothing yet>"

    def test_an_error_keeps_secrets(self):
        wrong: Any = ["KEY:SECRET"]
        with pytest.raises(SvamlError) as caught:
            Ice().start_recording("s3://b", credentials=wrong)
        assert "SECRET" not in str(caught.value)


class TestLastResort:
    def test_an_error_is_said_and_the_call_ended(self):
        assert error_answer("Oh no").build() == {
            "instructions": [{"name": "say", "text": "Oh no"}],
            "action": {"name": "hangup"},
        }

    def test_a_long_message_is_cut(self):
        (said,) = error_answer("x" * 601).build()["instructions"]
        assert said["text"] == "x" * 600
        (said,) = invalid_input("x" * 601).build()["instructions"]
        assert said["text"] == "x" * 600

    def test_there_are_messages_for_the_usual_cases(self):
        assert service_unavailable().build()["action"] == {"name": "hangup"}
        assert service_unavailable().build()["instructions"][0]["text"]
        assert service_unavailable("Closed") == error_answer("Closed")

    def test_a_wrong_input_does_not_end_the_call(self):
        built = invalid_input().build()
        assert built["instructions"][0]["text"]
        assert built["action"] == {"name": "continue"}


# A busy machine is no fault of the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
SPOKEN = st.text(st.characters(codec="utf-8"), max_size=600)
SECONDS = st.none() | st.integers(1, 14400)
FLAGS = st.none() | st.booleans()
LOCALES = st.none() | st.sampled_from(["en-US", "Joanna"])
DTMF = st.text("0123456789#w", max_size=20)
HEADERS = st.none() | st.dictionaries(NAMES, st.text(st.characters(codec="utf-8"), max_size=20), max_size=3)
MUSIC = st.none() | st.sampled_from(["ring", "music1", "music2", "music3"])


def call(name: str, *arguments: st.SearchStrategy[Any], **options: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A call of the method `name`, to be made on a builder."""
    return st.builds(
        lambda positional, keywords: lambda builder: getattr(builder, name)(*positional, **keywords),
        st.tuples(*arguments),
        st.fixed_dictionaries(options),
    )


COMMON_STEPS = [
    call("say", SPOKEN, locale=LOCALES),
    call("play", NAMES, locale=LOCALES),
    call("play_files", st.lists(NAMES), locale=LOCALES),
    call("set_cookie", NAMES, NAMES),
    call("start_recording", NAMES, credentials=NAMES, notification_events=st.booleans(), transcription=st.booleans()),
    call("stop_recording"),
]
COMMON_ENDS = [
    call("hangup"),
    call("continue_"),
    call("connect_conf", NAMES, moh=MUSIC, max_digits=st.none() | st.integers(1)),
    call("run_menu", st.just([{"id": "main"}]), barge=FLAGS, locale=LOCALES),
]
SIP_OPTIONS = {"max_duration": SECONDS, "suppress_callbacks": FLAGS, "call_headers": HEADERS, "moh": MUSIC}
CONNECT_ENDS = [
    call("connect_pstn", st.none() | NAMES, max_duration=SECONDS, dtmf=st.none() | DTMF, amd=FLAGS, amd_async=FLAGS),
    call("connect_sip", NAMES, transport=st.none() | st.sampled_from(["UDP", "tcp"]), **SIP_OPTIONS),
    call("connect_mxp", NAMES, call_headers=HEADERS, record=FLAGS),
    call("connect_agent", st.just("elevenlabs"), st.from_regex(r"\+[0-9]{1,15}", fullmatch=True), **SIP_OPTIONS),
]
ICE_ENDS = [
    call("connect_stream", st.just("/s"), sample_rate=st.none() | st.just(8000), max_duration=SECONDS),
    call("park", hold_prompt=st.none() | NAMES, locale=LOCALES, max_duration=st.none() | st.integers(1, 600)),
]
SEND = call("send_dtmf", DTMF)
OFFERED: dict[str, tuple[type[SvamlBuilder], list[Any], list[Any]]] = {
    "ice": (Ice, [*COMMON_STEPS, SEND, call("answer")], [*COMMON_ENDS, *CONNECT_ENDS, *ICE_ENDS]),
    "ace": (Ace, COMMON_STEPS, COMMON_ENDS),
    "pie": (Pie, [*COMMON_STEPS, SEND], [*COMMON_ENDS, *CONNECT_ENDS]),
}


@st.composite
def built(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Any answer that a builder makes, with its event."""
    event = draw(st.sampled_from(sorted(OFFERED)))
    builder, steps, ends = OFFERED[event]
    answer: Any = builder()
    for step in draw(st.lists(st.one_of(steps), max_size=4)):
        answer = step(answer)
    return event, draw(st.just(lambda kept: kept) | st.one_of(ends))(answer).build()


class TestAnything:
    @UNHURRIED
    @given(answer=built())
    def test_what_builders_make_passes_the_check(self, answer: tuple[str, dict[str, Any]]):
        event, document = answer
        assert check_svaml(document, event) == Faults()
        assert json.loads(json.dumps(document)) == document


def test_every_method_is_in_one_group():
    groups = (Instructions, DtmfInstruction, AnswerInstruction, Actions, ConnectActions, IceActions)
    own = [name for group in groups for name in vars(group) if not name.startswith("_")]
    assert len(own) == len(set(own))
