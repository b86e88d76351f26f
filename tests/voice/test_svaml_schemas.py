"""The check of SVAML in dicts: valid answers, faults with their places, and warnings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sinchfn.voice.svaml import ALLOWED_ACTIONS, ALLOWED_INSTRUCTIONS, Fault, Faults, check_svaml
from sinchfn.voice.svaml.lint import lint
from sinchfn.voice.svaml.schemas import ACTIONS, INSTRUCTIONS, SVAML
from tests.harness.paths import VOICE

ENUMS = json.loads((VOICE / "enums.json").read_text())
SAMPLES = sorted((VOICE / "svaml").rglob("*.json"))


def instruction(**fields: Any) -> Faults:
    return check_svaml({"instructions": [fields]}, "ice")


def action(**fields: Any) -> Faults:
    return check_svaml({"action": fields}, "ice")


def paths(found: Faults) -> list[str]:
    return [fault.path for fault in found.faults]


def menu(**fields: Any) -> dict[str, Any]:
    return {"id": "main", **fields}


def sip(**fields: Any) -> dict[str, Any]:
    return {"name": "connectSip", "destination": {"type": "sip", "endpoint": "a@b"}, **fields}


def stream(**fields: Any) -> dict[str, Any]:
    return {"name": "connectStream", "destination": {"type": "Websocket", "endpoint": "/stream"}, **fields}


def start_recording(**options: Any) -> dict[str, Any]:
    return {"name": "startRecording", "options": options}


def say(**fields: Any) -> dict[str, Any]:
    return {"name": "say", **fields}


def cookie(**fields: Any) -> dict[str, Any]:
    return {"name": "setCookie", "key": "k", **fields}


def files(**fields: Any) -> dict[str, Any]:
    return {"name": "playFiles", **fields}


def pstn(**fields: Any) -> dict[str, Any]:
    return {"name": "connectPstn", **fields}


def mxp(**fields: Any) -> dict[str, Any]:
    return {"name": "connectMxp", **fields}


def conf(**fields: Any) -> dict[str, Any]:
    return {"name": "connectConf", "conferenceId": "x", **fields}


def park(**fields: Any) -> dict[str, Any]:
    return {"name": "park", **fields}


def option(dtmf: object, action: str) -> dict[str, Any]:
    return menu(options=[{"dtmf": dtmf, "action": action}])


def tts(length: int) -> str:
    return f"#tts[{'x' * length}]"


def headers(total: int) -> list[dict[str, str]]:
    return [{"key": "k", "value": "é" * ((total - 2) // 2)}, {"key": "l", "value": "" if total % 2 == 0 else "x"}]


class TestSamples:
    @pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
    def test_every_sample_of_the_platform_passes(self, sample: Path):
        event = sample.stem.partition("_")[0]
        answer = json.loads(sample.read_text())
        assert check_svaml(answer, event if event in ALLOWED_ACTIONS else "ice") == Faults()

    def test_an_empty_answer_passes(self):
        assert check_svaml({}, "ace") == Faults()

    def test_instructions_without_an_action_pass(self):
        assert not instruction(name="answer")


class TestLimits:
    """Both sides of every limit: the last value that passes, the first that does not."""

    @pytest.mark.parametrize(
        ("passes", "fails"),
        [
            (say(text="x" * 600), say(text="x" * 601)),
            (say(text=""), say(text=None)),
            (say(locale="Joanna"), say(locale="")),
            ({"name": "sendDtmf", "value": "0123456789#w"}, {"name": "sendDtmf", "value": "1*"}),
            ({"name": "sendDtmf", "value": "1w"}, {"name": "sendDtmf", "value": "1W"}),
            ({"name": "sendDtmf", "value": "1"}, {"name": "sendDtmf", "value": "1\n"}),
            ({"name": "sendDtmf", "value": "1"}, {"name": "sendDtmf", "value": "١"}),
            ({"name": "sendDtmf", "value": 12}, {"name": "sendDtmf", "value": -1}),
            ({"name": "sendDtmf", "value": 0}, {"name": "sendDtmf", "value": 1.0}),
            ({"name": "sendDtmf", "value": 1}, {"name": "sendDtmf", "value": True}),
            (cookie(value="v" * 1023), cookie(value="v" * 1024)),
            (cookie(value=""), cookie(key="", value="v")),
            (files(ids=[tts(600)]), files(ids=[tts(601)])),
            (files(ids=["a"]), files()),
            (files(ids=["a"]), files(ids="a")),
            (files(ids=("a",)), files(ids={"a"})),
            (files(ids=["a"]), files(ids=[""])),
            (start_recording(notificationEvents=True), start_recording(notificationEvents=1)),
            (start_recording(destinationUrl="s3://b"), start_recording(destinationURL="s3://b")),
            (
                start_recording(transcriptionOptions={"enabled": True}),
                start_recording(transcriptionOptions={"enabled": "true"}),
            ),
            (start_recording(transcriptionOptions={}), start_recording(transcriptionOptions=True)),
            ({"name": "startRecording"}, {"name": "startRecording", "destinationUrl": "s3://b"}),
            ({"name": "stopRecording"}, {"name": "stopRecording", "options": {}}),
            ({"name": "answer"}, {"name": "answer", "text": "x"}),
        ],
    )
    def test_of_instructions(self, passes: dict[str, Any], fails: dict[str, Any]):
        assert instruction(**passes) == Faults()
        assert len(instruction(**fails).faults) == 1

    @pytest.mark.parametrize(
        ("passes", "fails"),
        [
            ({"name": "hangup"}, {"name": "hangup", "cause": 1}),
            (pstn(), pstn(number=46)),
            (pstn(maxDuration=14400), pstn(maxDuration=14401)),
            (pstn(maxDuration=1), pstn(maxDuration=0)),
            (pstn(maxDuration=5), pstn(maxDuration="5")),
            (pstn(maxDuration=5), pstn(maxDuration=5.0)),
            (pstn(maxDuration=5), pstn(maxDuration=True)),
            (pstn(dialTimeout=1), pstn(dialTimeout=0)),
            (pstn(dtmf="1w#"), pstn(dtmf="1-2")),
            (pstn(dtmf=12), pstn(dtmf=1.5)),
            (pstn(indications="no"), pstn(indications=False)),
            (pstn(indications="za"), pstn(indications="zz")),
            (pstn(suppressCallbacks=False), pstn(suppressCallbacks=0)),
            (pstn(amd={"enabled": True, "async": False}), pstn(amd={"enabled": "yes"})),
            (pstn(amd={}), pstn(amd=True)),
            (mxp(), mxp(destination={"type": "user", "endpoint": "a"})),
            (mxp(callheaders=[]), mxp(call_headers=[])),
            (mxp(callheaders=headers(1024)), mxp(callheaders=headers(1025))),
            (mxp(callHeaders=headers(1024)), mxp(callHeaders=headers(1025))),
            (mxp(record=True), mxp(record="yes")),
            (conf(conferenceId="x" * 64), conf(conferenceId="x" * 65)),
            (conf(), {"name": "connectConf"}),
            (conf(moh="music3"), conf(moh="music4")),
            (
                conf(conferenceDtmfOptions={"mode": "detect", "maxDigits": 1, "timeoutMills": 1}),
                conf(conferenceDtmfOptions={"mode": "digits"}),
            ),
            (
                conf(conferenceDtmfOptions={"maxDigits": 1}),
                conf(conferenceDtmfOptions={"maxDigits": 0}),
            ),
            (sip(), {"name": "connectSip"}),
            (sip(transport="tls"), sip(transport="WSS")),
            (sip(maxDuration=14400), sip(maxDuration=14401)),
            (sip(callHeaders=headers(1024)), sip(callHeaders=headers(1025))),
            (sip(callHeaders=[{"key": "k", "value": ""}]), sip(callHeaders=[{"key": "k"}])),
            (sip(callHeaders=[]), sip(callHeaders={"k": "v"})),
            (sip(moh="ring"), sip(moh="Ring")),
            (sip(destination={"type": "SIP", "endpoint": "a"}), sip(destination={"type": "sip"})),
            (stream(), {"name": "connectStream"}),
            (stream(maxDuration=14400), stream(maxDuration=14401)),
            (
                stream(streamingOptions={"version": 1, "sampleRate": 96000}),
                stream(streamingOptions={"sampleRate": 22050}),
            ),
            (stream(callHeaders=headers(1024)), stream(callHeaders=headers(1025))),
            (
                {"name": "connectStream", "destination": {"type": "websocket", "endpoint": "WSS://a/b"}},
                {"name": "connectStream", "destination": {"type": "Websocket", "endpoint": "https://a/b"}},
            ),
            (
                {"name": "connectStream", "destination": {"type": "Websocket", "endpoint": "ws://a"}},
                {"name": "connectStream", "destination": {"type": "Websocket", "endpoint": "stream"}},
            ),
            (park(), park(prompt="x")),
            (park(maxDuration=600), park(maxDuration=601)),
            (park(maxDuration=1), park(maxDuration=0)),
            (park(holdPrompt=tts(600)), park(holdPrompt=tts(601))),
            (park(introPrompt="a;" + tts(600)), park(introPrompt="a;" + tts(601))),
            ({"name": "runMenu"}, {"name": "runMenu", "menus": []}),
        ],
    )
    def test_of_actions(self, passes: dict[str, Any], fails: dict[str, Any]):
        assert action(**passes) == Faults()
        assert len(action(**fails).faults) == 1

    @pytest.mark.parametrize(
        ("passes", "fails"),
        [
            (menu(), {"id": "other"}),
            (menu(repeats=0), menu(repeats=-1)),
            (menu(repeats=2), menu(repeats="2")),
            (menu(maxDigits=1), menu(maxDigits=0)),
            (menu(timeoutMills=1), menu(timeoutMills=0)),
            (menu(maxTimeoutMills=1), menu(maxTimeoutMills=0)),
            (menu(mainPrompt=tts(600)), menu(mainPrompt=tts(601))),
            (menu(repeatPrompt=tts(600)), menu(repeatPrompt=tts(601))),
            (option("*", "return(a b)"), option("A", "return(a)")),
            (option(1, "return(a)"), option(12, "return(a)")),
            (option(0, "return(a)"), option(True, "return(a)")),
            (option("1", "return(a)"), option("12", "return(a)")),
            (option("1", "menu(main)"), option("1", "menu(lost)")),
            (option("1", "return(a)"), option("1", "return()")),
            (option("1", "return(a)"), option("1", "goto(a)")),
            (menu(options=[]), menu(options=[{"dtmf": "1"}])),
        ],
    )
    def test_of_menus(self, passes: dict[str, Any], fails: dict[str, Any]):
        assert action(name="runMenu", menus=[passes]) == Faults()
        assert len(action(name="runMenu", menus=[fails]).faults) == 1

    def test_cookies_are_counted_over_the_whole_answer_in_bytes(self):
        cookies = [
            cookie(value="é" * 255),
            {"name": "SETCOOKIE", "key": "l", "value": "x" * 512},
        ]
        assert not check_svaml({"instructions": cookies}, "ice")
        cookies.append({"name": "setCookie", "key": "m", "value": ""})
        assert paths(check_svaml({"instructions": cookies}, "ice")) == ["instructions"]

    def test_the_prompts_of_a_menu_are_each_600_characters_long_at_most(self):
        long = tts(600)
        assert not action(name="park", holdPrompt=f"{long};{long};#href[http://host/{'x' * 700}]")


class TestClosedLists:
    @pytest.mark.parametrize("word", ENUMS["moh"])
    def test_music(self, word: str):
        assert not action(name="connectConf", conferenceId="x", moh=word)

    @pytest.mark.parametrize("word", ENUMS["indications"])
    def test_indications(self, word: str):
        assert not action(name="connectPstn", indications=word)

    @pytest.mark.parametrize("word", [*ENUMS["connectSip.transport"], "udp", "Tcp"])
    def test_transport_in_any_case(self, word: str):
        assert not action(**sip(transport=word))

    @pytest.mark.parametrize("word", ENUMS["conferenceDtmfOptions.mode"])
    def test_modes_of_conference_digits(self, word: str):
        assert not action(name="connectConf", conferenceId="x", conferenceDtmfOptions={"mode": word})

    @pytest.mark.parametrize("rate", ENUMS["stream.sampleRate"])
    def test_sample_rates(self, rate: int):
        assert not action(**stream(streamingOptions={"version": 1, "sampleRate": rate}))

    @pytest.mark.parametrize("digit", ENUMS["menu.option.dtmf"])
    def test_digits_of_options(self, digit: str):
        assert not action(name="runMenu", menus=[option(digit, "return(x)")])

    @pytest.mark.parametrize("locale", ["en-US", "en-US/female", "Joanna", "a language of tomorrow"])
    def test_locales_are_an_open_list(self, locale: str):
        assert not instruction(name="say", text="x", locale=locale)


#: What the platform's older documents and libraries use, and its schema does not have.
OLDER = {
    "cli of a conference": {"action": conf(cli="+4670", suppressCallbacks=True)},
    "cli of an app": {"action": mxp(cli="incoming", dialTimeout=20)},
    "hangupCause": {"action": {"name": "hangup", "hangupCause": 1}},
    "tags": {"action": {"name": "Continue", "tags": ["a"], "reference": "x", "account": "y"}},
    "recording of an action": {"action": {"name": "continue", "recording": True, "recordingOptions": {}}},
    "record of an action": {"action": pstn(record=True)},
    "a SIP address without a type": {"action": {"name": "connectSIP", "destination": {"endpoint": "a@b"}}},
    "another tone": {"action": conf(moh="ringing")},
    "the type of a conference": {"action": conf(conferenceType="x", enterLeaveSound=True, dtmfMode="detect")},
    "no error prompts": {"action": pstn(suppressErrorPrompts=True, altLocale="sv-SE")},
    "a text for a truth": {"action": pstn(amd={"enabled": "true"})},
    "where a recording goes": {"instructions": [start_recording(destination="s3://b")]},
    "the texts of a menu": {"action": {"name": "runMenu", "menus": [menu(mainText="Hi", repeatText="Again")]}},
    "spoken input of an option": {
        "action": {
            "name": "runMenu",
            "menus": [menu(options=[{"dtmf": "1", "action": "return(a)", "input": "one", "add": []}])],
        }
    },
    "a main menu of another name": {"action": {"name": "runMenu", "mainMenu": "menu1", "menus": [{"id": "menu1"}]}},
    "the status of a call": {"instructions": [{"name": "ReportCallStatus", "value": "success", "details": "d"}]},
}


class TestOlderKeys:
    @pytest.mark.parametrize("answer", OLDER.values(), ids=OLDER)
    def test_what_older_documents_use_is_only_warned_about(self, answer: dict[str, Any]):
        found = check_svaml(answer, "dice")
        assert found.faults == ()
        assert found.warnings
        for warning in found.warnings:
            assert warning.path
            assert "platform's schema" in warning.message

    def test_each_older_key_has_a_warning_with_its_path(self):
        options = [{"dtmf": 1, "action": "return(a)", "input": "one"}]
        answer = {"action": {"name": "runMenu", "tags": [], "menus": [menu(mainText="Hi", options=options)]}}
        assert [warning.path for warning in check_svaml(answer, "ice").warnings] == [
            "action.tags",
            "action.menus[0].mainText",
            "action.menus[0].options[0].input",
        ]

    def test_an_older_key_does_not_hide_a_fault(self):
        options = [{"dtmf": 1, "action": "menu(lost)", "input": "one"}]
        answer = {"action": {"name": "runMenu", "tags": [], "menus": [menu(mainText="Hi", options=options)]}}
        assert paths(check_svaml(answer, "ice")) == ["action.menus[0].options[0].action"]

    def test_the_hint_for_an_unknown_key_names_no_older_keys(self):
        (fault,) = action(name="hangup", reason="busy").faults
        assert fault.message == "unknown key. Allowed: name."


class TestMenus:
    def test_exactly_one_menu_is_the_main_one(self):
        assert paths(action(name="runMenu", menus=[menu(), menu()])) == ["action.menus"]

    def test_the_menu_to_start_with_exists(self):
        assert not action(name="runMenu", mainMenu="sub", menus=[menu(), {"id": "sub"}])
        assert paths(action(name="runMenu", mainMenu="sub", menus=[menu()])) == ["action.mainMenu"]

    def test_voice_needs_a_locale(self):
        assert not action(name="runMenu", enableVoice=True, locale="en-US")
        assert not action(name="runMenu", enableVoice=False)
        assert paths(action(name="runMenu", enableVoice=True)) == ["action.locale"]

    def test_a_lost_target_is_named_with_its_place(self):
        options = [{"dtmf": "1", "action": "return(x)"}, {"dtmf": "2", "action": "menu(mian)"}]
        (fault,) = action(name="runMenu", menus=[menu(options=options)]).faults
        assert fault.path == "action.menus[0].options[1].action"
        assert 'there is no menu "mian". Did you mean "main"?' in fault.message


class TestShapes:
    @pytest.mark.parametrize("answer", [None, [], "x", 1, True, object()])
    def test_an_answer_is_a_dict(self, answer: object):
        (fault,) = check_svaml(answer, "ice").faults
        assert fault.path == ""
        assert fault.message.startswith("must be an object (dict), found ")
        assert ("None" if answer is None else type(answer).__name__) in fault.message

    @pytest.mark.parametrize(
        "value", [None, [], ["hangup"], "hangup", 1, {}, {"name": None}, {"name": 1}, {"name": ""}]
    )
    def test_an_action_is_an_object_with_a_name(self, value: object):
        assert len(check_svaml({"action": value}, "ice").faults) == 1

    @pytest.mark.parametrize("value", [None, {}, "say", 1, [None], ["say"], [1], [[]], [{}], [{"name": []}]])
    def test_instructions_are_a_list_of_objects_with_a_name(self, value: object):
        assert len(check_svaml({"instructions": value}, "ice").faults) == 1

    @pytest.mark.parametrize("name", ["connectPSTN", "connectpstn", "CONNECTPSTN", "ConnectPstn"])
    def test_names_match_without_case(self, name: str):
        assert action(name=name) == Faults()

    def test_the_fault_of_an_unknown_name_has_the_nearest_one(self):
        (fault,) = action(name="conectPstn").faults
        assert fault.path == "action.name"
        assert 'found "conectPstn"' in fault.message
        assert 'Did you mean "connectPstn"?' in fault.message

    @pytest.mark.parametrize("name", ["connectAgent", "reportCallStatus", "say"])
    def test_an_action_that_the_platform_does_not_have_is_a_fault(self, name: str):
        assert paths(action(name=name)) == ["action.name"]

    def test_the_fault_of_an_unknown_key_has_the_nearest_one(self):
        (fault,) = check_svaml({"instructions": [{"name": "answer"}, say(txt="x")]}, "ice").faults
        assert fault.path == "instructions[1].txt"
        assert 'Did you mean "text"?' in fault.message

    def test_unknown_keys_beside_instructions_and_action_are_faults(self):
        (fault,) = check_svaml({"actions": []}, "ice").faults
        assert fault.path == "actions"
        assert 'Did you mean "action"?' in fault.message

    def test_keys_that_are_not_text_are_faults_of_their_object(self):
        (fault,) = check_svaml({"action": {"name": "hangup", 7: 1}}, "ice").faults
        assert fault == Fault("action", "keys must be text (str), found 7 (int).")

    def test_every_fault_is_listed(self):
        found = check_svaml({"instructions": [{"name": "say", "text": 1, "x": 2}, {"name": "?"}], "z": 1}, "ice")
        assert paths(found) == ["instructions[0].text", "instructions[0].x", "instructions[1].name", "z"]

    def test_a_fault_reads_as_a_line(self):
        found = check_svaml({"instructions": [{"name": "say", "text": "x" * 601}]}, "ice")
        assert str(found.faults[0]) == "instructions[0].text: must have at most 600 characters, found 601."

    @pytest.mark.parametrize("secret", ["", 5, ["ACCESS:SECRET"], None, True])
    def test_credentials_are_in_no_message(self, secret: object):
        (fault,) = instruction(**start_recording(credentials=secret)).faults
        assert "SECRET" not in str(fault)
        assert "5" not in str(fault)

    @pytest.mark.parametrize("number", [10**5000, float("inf"), float("nan")], ids=["huge", "inf", "nan"])
    def test_numbers_that_are_hard_to_print_are_faults_too(self, number: float):
        assert paths(action(name="park", maxDuration=number)) == ["action.maxDuration"]

    def test_nesting_without_end_is_a_fault_too(self):
        endless: dict[str, Any] = {"name": "say"}
        endless["text"] = endless
        deep: Any = "x"
        for _ in range(100_000):
            deep = [deep]
        assert paths(instruction(**endless)) == ["instructions[0].text"]
        assert paths(instruction(name="playFiles", ids=deep)) == ["instructions[0].ids[0]"]

    def test_half_a_surrogate_pair_is_counted_not_raised(self):
        assert not action(**sip(callHeaders=[{"key": "k", "value": "\ud800"}]))


class TestMatrix:
    @pytest.mark.parametrize("event", ["ice", "ace", "pie"])
    def test_what_the_platform_documents_is_never_warned_about(self, event: str):
        assert set(ENUMS["allowed_actions"][event]) <= set(ALLOWED_ACTIONS[event])
        assert set(ENUMS["allowed_instructions"][event]) <= set(ALLOWED_INSTRUCTIONS[event])

    def test_the_tables_have_the_names_of_the_schemas(self):
        for table, schemas in ((ALLOWED_ACTIONS, ACTIONS), (ALLOWED_INSTRUCTIONS, INSTRUCTIONS)):
            assert {name for names in table.values() for name in names} == {schema.wire_name for schema in schemas}

    @pytest.mark.parametrize(
        ("event", "name"),
        [("ice", "continue"), ("ace", "connectConf"), ("ace", "runMenu"), ("pie", "park"), ("pie", "connectMxp")],
    )
    def test_what_one_source_allows_passes_in_silence(self, event: str, name: str):
        assert not check_svaml({"action": {"name": name, "conferenceId": "x"}}, event).warnings

    @pytest.mark.parametrize(
        ("event", "name"), [("ace", "connectPstn"), ("ace", "PARK"), ("ace", "connectMxp"), ("pie", "connectStream")]
    )
    def test_an_action_of_another_event_is_only_warned_about(self, event: str, name: str):
        found = check_svaml({"action": {**stream(), "name": name} if "Stream" in name else {"name": name}}, event)
        assert not found
        (warning,) = found.warnings
        assert warning.path == "action.name"
        assert event in warning.message

    @pytest.mark.parametrize(("event", "name"), [("ace", "sendDtmf"), ("ace", "answer"), ("pie", "Answer")])
    def test_an_instruction_of_another_event_is_only_warned_about(self, event: str, name: str):
        found = check_svaml({"instructions": [{"name": "stopRecording"}, {"name": name}]}, event)
        assert not found
        assert [warning.path for warning in found.warnings] == ["instructions[1].name"]

    def test_an_unknown_name_is_a_fault_and_no_warning(self):
        found = check_svaml({"action": {"name": "fly"}}, "ace")
        assert found
        assert not found.warnings

    def test_an_event_without_a_matrix_has_no_warnings(self):
        assert check_svaml({"action": {"name": "park"}}, "dice") == Faults()


# A busy machine is no fault of the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEYS = st.one_of(
    st.sampled_from(["instructions", "action", "name", "text", "ids", "menus", "options", "id", "dtmf", "destination"]),
    st.text(max_size=5),
    st.integers(),
    st.none(),
    st.booleans(),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=3),
    st.sampled_from([schema.wire_name for schema in (*INSTRUCTIONS, *ACTIONS)]),
)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5))
WIRE_KEYS = sorted({key for schema in (*INSTRUCTIONS, *ACTIONS) for key in schema.by_key if key != "name"})


@st.composite
def half_right(draw: st.DrawFn) -> dict[str, Any]:
    """An answer whose outline is right, with anything inside."""
    items = st.builds(
        lambda schema, fields: {**fields, "name": schema.wire_name},
        st.sampled_from([*INSTRUCTIONS, *ACTIONS]),
        st.dictionaries(st.sampled_from(WIRE_KEYS), JSON, max_size=3),
    )
    return {"instructions": draw(st.lists(items, max_size=3)), "action": draw(items)}


class TestAnything:
    @UNHURRIED
    @given(answer=JSON, event=st.sampled_from(["ice", "ace", "pie", "dice", "x"]))
    def test_no_value_raises(self, answer: object, event: str):
        assert isinstance(check_svaml(answer, event), Faults)

    @UNHURRIED
    @given(answer=half_right())
    def test_no_value_inside_an_answer_raises(self, answer: dict[str, Any]):
        for fault in check_svaml(answer, "ice").faults:
            assert fault.message
            assert fault.path.startswith(("instructions", "action"))

    @UNHURRIED
    @given(answer=half_right())
    def test_no_answer_without_faults_makes_lint_raise(self, answer: dict[str, Any]):
        if not check_svaml(answer, "ice"):
            assert all(warning.message for warning in lint(answer))

    @UNHURRIED
    @given(answer=half_right())
    @example(answer={"action": {"name": "runMenu", "menus": [{"id": "x"}], "enableVoice": True}})
    def test_the_quick_check_and_marshmallow_agree(self, answer: dict[str, Any]):
        assert SVAML.validate(answer) == SVAML.errors_in(answer)

    @UNHURRIED
    @given(fields=st.dictionaries(st.sampled_from(WIRE_KEYS), JSON), schema=st.sampled_from([*INSTRUCTIONS, *ACTIONS]))
    def test_the_quick_check_of_an_item_and_marshmallow_agree(self, fields: dict[str, Any], schema: Any):
        item = {**fields, "name": schema.wire_name}
        assert set(schema.validate(item)) == set(schema.errors_in(item))
