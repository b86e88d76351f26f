"""Warnings about answers that leave a caller in silence or end the call, and none about correct programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from sinchfn.voice.svaml.lint import lint
from tests.harness.app import Served, serving
from tests.harness.call import Answer
from tests.harness.paths import SVAML
from tests.harness.signer import ICE, SIGNING

SAMPLES = sorted(SVAML.rglob("*.json"))

DEVELOPMENT = {"SINCHFN_ENV": "development", "SINCHFN_LOG_FORMAT": "json"}
ANSWERED = ("ice", "ace", "pie")

CONTROLLER = """
class Ivr(sinchfn.SinchVoiceController):
    {how} {name}(self, data):
        {body}
"""
PLAIN = """
{how} {name}(context, data):
    {body}
"""


def post(served: Served, name: str) -> Answer:
    return served.post(f"/{name}", ICE | {"event": name})


def told(served: Served, level: str = "WARNING") -> list[str]:
    """What the log says, without what the start says about the protection of callbacks."""
    return [line for line in served.logged(level) if "VOICE_APPLICATION" not in line]


#: What a handler does -> where that is wrong, and what it is told.
WRONG = {
    "a forgotten return": ("ice", "IceSvamlBuilder().say('Hello').hangup()", 'a "return" seems to be missing'),
    "a forgotten return of pie": ("pie", "PieSvamlBuilder().hangup()", 'a "return" seems to be missing'),
    "a forgotten return of ace": ("ace", "AceSvamlBuilder().continue_().build()", 'a "return" seems to be missing'),
    "a builder in a variable": ("ice", "builder = IceSvamlBuilder()", 'a "return" seems to be missing'),
    "a builder from a factory": ("pie", "sinchfn.create_pie_builder().say('x')", 'a "return" seems to be missing'),
    "no action": ("ice", "return IceSvamlBuilder().say('Hello')", "without an action"),
    "no action in pie": ("pie", "return PieSvamlBuilder().play('https://a.example/b.mp3')", "without an action"),
    "nothing at all": ("ice", "return IceSvamlBuilder()", "without an action"),
    "no action, built": ("pie", "return PieSvamlBuilder().say('Hello').build()", "without an action"),
    "no action, in an answer": ("ice", "return ok(IceSvamlBuilder().say('Hello'))", "without an action"),
    "no action, with a status": ("ice", "return IceSvamlBuilder().say('Hello'), 200", "without an action"),
    "the builder of ice": ("pie", "return IceSvamlBuilder().answer().park()", "answer is documented for ice"),
    "an action of ice": (
        "pie",
        "return IceSvamlBuilder().connect_stream('wss://a.example/s')",
        "connectStream is documented for ice, not for pie",
    ),
    "an action of pie": ("ace", "return PieSvamlBuilder().connect_pstn('+46701234567')", "connectPstn is documented"),
    "digits": ("ace", "return PieSvamlBuilder().send_dtmf('1').hangup()", "sendDtmf is documented for ice, pie"),
    "the builder of ice, built": ("ace", "return IceSvamlBuilder().park().build()", "park is documented for ice"),
}


@pytest.mark.parametrize("how", ["def", "async def"])
@pytest.mark.parametrize("form", [PLAIN, CONTROLLER], ids=["export", "controller"])
@pytest.mark.parametrize(("name", "body", "says"), WRONG.values(), ids=WRONG)
class TestABuilderThatIsNoAnswer:
    def test_is_an_error_in_development(
        self, tmp_path: Path, how: str, form: str, name: str, body: str, says: str
    ) -> None:
        with serving(tmp_path, form.format(how=how, name=name, body=body), **DEVELOPMENT) as served:
            assert post(served, name).status == 500
            [error] = [line for line in told(served, "ERROR") if "returned an invalid response" in line]
            assert name in error
            assert says in error

    def test_is_sent_in_production_with_a_warning_once_per_handler(
        self, tmp_path: Path, how: str, form: str, name: str, body: str, says: str
    ) -> None:
        with serving(tmp_path, form.format(how=how, name=name, body=body)) as served:
            assert [post(served, name).status for _ in range(3)] == [200] * 3
            warnings = [line for line in told(served) if says in line]
            assert len(warnings) == 1
            assert name in warnings[0]


def test_the_warning_comes_for_each_handler(tmp_path: Path) -> None:
    source = "".join(PLAIN.format(how="def", name=name, body="IceSvamlBuilder().hangup()") for name in ANSWERED)
    with serving(tmp_path, source) as served:
        for name in (*ANSWERED, *ANSWERED):
            post(served, name)
        assert [line.split()[3] for line in told(served)] == list(ANSWERED)


RIGHT = {
    "a finished answer": ("ice", "return IceSvamlBuilder().say('Hello').hangup()"),
    "an ace without an action": ("ace", "return AceSvamlBuilder().say('Hello')"),
    "an answer from a helper": ("pie", "return sinchfn.voice.invalid_input()"),
    "an error answer": ("ice", "return sinchfn.voice.error_answer('Sorry')"),
    "nothing from pie": ("pie", "return None"),
    "nothing from ace": ("ace", "pass"),
    "an empty dict": ("ice", "return {}"),
    "instructions alone in a dict": ("ice", "return {'instructions': [{'name': 'answer'}]}"),
    "two answers, one of them used": (
        "ice",
        "closed = IceSvamlBuilder().say('Closed').hangup(); return IceSvamlBuilder().say('Hello').hangup()",
    ),
    "an answer, unless": (
        "ice",
        "builder = IceSvamlBuilder().say('Hello'); return sinchfn.voice.service_unavailable() if data else builder",
    ),
    "a builder that is used twice": (
        "ice",
        "hello = IceSvamlBuilder().say('Hello'); first = hello.hangup(); return hello.continue_()",
    ),
    "what dice makes": ("dice", "IceSvamlBuilder().say('Hello')"),
}


@pytest.mark.parametrize("config", [DEVELOPMENT, {}], ids=["development", "production"])
@pytest.mark.parametrize(("name", "body"), RIGHT.values(), ids=RIGHT)
def test_a_right_handler_is_left_alone(tmp_path: Path, name: str, body: str, config: dict[str, str]) -> None:
    with serving(tmp_path, PLAIN.format(how="def", name=name, body=body), **config) as served:
        assert post(served, name).status == 200
        assert told(served) == told(served, "ERROR") == []


class Api(BaseHTTPRequestHandler):
    """The voice API as far as these tests need it: every request succeeds."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"callId": "1"}')

    do_POST = do_PATCH = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[dict[str, str]]:
    """Settings under which ``context.voice.v1`` asks a server of this test."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield {**SIGNING, "SINCHFN_VOICE_API": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
    server.server_close()
    thread.join()


#: What a handler that returns nothing does with SVAML.
GIVEN_AWAY = {
    "to another call": "calls.update('1', AceSvamlBuilder().say('Hello').hangup())",
    "to another call, built": "calls.update('1', AceSvamlBuilder().say('Hello').hangup().build())",
    "to another call, without an action": "calls.update('1', AceSvamlBuilder().say('Hello'))",
    "to one side of a call": "calls.manage_leg('1', 'callee', AceSvamlBuilder().say('Hello').continue_())",
    "to a new call": "callouts.custom(ice=IceSvamlBuilder().connect_pstn('+46701234567'), "
    "ace=AceSvamlBuilder().say('Hello').hangup(), pie=PieSvamlBuilder().hangup().build())",
}


@pytest.mark.parametrize("how", ["def", "async def"])
@pytest.mark.parametrize("given", GIVEN_AWAY.values(), ids=GIVEN_AWAY)
class TestSvamlForAnotherCall:
    def test_needs_no_return(self, tmp_path: Path, api: dict[str, str], given: str, how: str) -> None:
        source = PLAIN.format(how=how, name="pie", body=f"context.voice.v1.{given}")
        with serving(tmp_path, source, **DEVELOPMENT | api) as served:
            assert post(served, "pie").json == {}
            assert told(served) == told(served, "ERROR") == []

    def test_does_not_hide_a_forgotten_return(self, tmp_path: Path, api: dict[str, str], given: str, how: str) -> None:
        source = PLAIN.format(how=how, name="pie", body=f"context.voice.v1.{given}; PieSvamlBuilder().hangup()")
        with serving(tmp_path, source, **DEVELOPMENT | api) as served:
            assert post(served, "pie").status == 500
            assert 'a "return" seems to be missing' in told(served, "ERROR")[0]


def test_svaml_that_a_stand_in_for_the_client_keeps_needs_no_return(tmp_path: Path) -> None:
    source = """
class Calls:
    def __init__(self): self.changed = []
    def update(self, call_id, svaml): self.changed.append((call_id, svaml))
class Client:
    def __init__(self): self.calls = Calls()
class Init(sinchfn.SinchFunctionInit):
    def configure_services(self, services, config): services.override(sinchfn.VoiceClient, Client())
def pie(context, data):
    context.voice.v1.calls.update("1", AceSvamlBuilder().say("Hello").hangup())
"""
    with serving(tmp_path, source, **DEVELOPMENT) as served:
        assert post(served, "pie").json == {}
        assert told(served) == told(served, "ERROR") == []


def test_what_an_earlier_call_made_does_not_count(tmp_path: Path) -> None:
    source = """
HELLO = IceSvamlBuilder().say("Hello")
def ice(context, data): return HELLO.hangup()
def pie(context, data): return None
"""
    with serving(tmp_path, source, **DEVELOPMENT) as served:
        assert [post(served, name).status for name in ("ice", "pie", "ice", "pie")] == [200] * 4
        assert told(served, "ERROR") == []


def test_an_ice_that_returns_nothing_is_warned_about_in_development(tmp_path: Path) -> None:
    source = PLAIN.format(how="def", name="ice", body="{'action': {'name': 'hangup'}}")
    with serving(tmp_path / "a", source, **DEVELOPMENT) as served:
        assert post(served, "ice").json == {}
        assert "ice returned nothing" in told(served)[0]
    with serving(tmp_path / "b", source) as served:
        assert post(served, "ice").json == {}
        assert told(served) == []


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("IceSvamlBuilder().say('x').hangup", "write .hangup()"),
        ("IceSvamlBuilder().hangup().build", "write .build()"),
        ("sinchfn.create_menu().prompt('x')", "run_menu(menu)"),
    ],
)
def test_a_method_or_a_menu_is_no_answer(tmp_path: Path, expression: str, says: str) -> None:
    with serving(tmp_path, PLAIN.format(how="def", name="ice", body=f"return {expression}")) as served:
        assert post(served, "ice").status == 500
        assert says in told(served, "ERROR")[0]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("b = IceSvamlBuilder(); b.say('Hello'); return b.hangup()", "builder = builder.say(...)"),
        ("b = IceSvamlBuilder(); b.say('Hello'); return b.hangup().build()", "builder = builder.say(...)"),
        (
            "b = IceSvamlBuilder().say('Hello'); b.play_files(['https://a.example/b.mp3']); return b.hangup()",
            "builder = builder.play_files(...)",
        ),
    ],
)
def test_an_instruction_that_is_not_used_is_warned_about_in_development(tmp_path: Path, body: str, says: str) -> None:
    source = PLAIN.format(how="def", name="ice", body=body)
    with serving(tmp_path / "a", source, **DEVELOPMENT) as served:
        assert post(served, "ice").status == 200
        [warning] = told(served)
        assert says in warning
    with serving(tmp_path / "b", source) as served:
        post(served, "ice")
        assert told(served) == []


def menu(**fields: Any) -> dict[str, Any]:
    return {"action": {"name": "runMenu", "menus": [{"id": "main", "mainPrompt": "#tts[Hello]", **fields}]}}


def pstn(**fields: Any) -> dict[str, Any]:
    return {"action": {"name": "connectPstn", **fields}}


def sip(endpoint: str = "a@b", **fields: Any) -> dict[str, Any]:
    return {"action": {"name": "connectSip", "destination": {"type": "sip", "endpoint": endpoint}, **fields}}


def playing(*ids: str) -> dict[str, Any]:
    return {"instructions": [{"name": "playFiles", "ids": list(ids)}]}


def doing(*instructions: dict[str, Any], action: str = "continue") -> dict[str, Any]:
    return {"instructions": list(instructions), "action": {"name": action}}


SAY = {"name": "say", "text": "Leave a message."}
RECORD = {"name": "startRecording", "options": {"destinationUrl": "s3://bucket/a.mp3"}}

DOUBTFUL = {
    "a recording of a call that ends": (doing(RECORD, action="hangup"), "instructions[0]"),
    "a recording of what is said": (doing(SAY, RECORD, SAY, action="Hangup"), "instructions[1]"),
    "a recording of a call to an app": (doing(RECORD, action="connectMxp"), "instructions[0]"),
    "a national number": (pstn(number="0701234567"), "action.number"),
    "an international prefix": (pstn(number="0046701234567"), "action.number"),
    "a number with blanks": (pstn(number="+46 70 123 45 67"), "action.number"),
    "a number with brackets": (pstn(number="(201) 555-0123"), "action.number"),
    "a plus before a zero": (pstn(number="+0701234567"), "action.number"),
    "a word for a number": (pstn(number="reception"), "action.number"),
    "a number that is too long": (pstn(number="+4670123456712345"), "action.number"),
    "a national caller": (pstn(number="+46701234567", cli="0701234567"), "action.cli"),
    "a national caller over SIP": (sip(cli="070-123 45 67"), "action.cli"),
    "a SIP address without a host": (sip("reception"), "action.destination.endpoint"),
    "nothing to say": (doing({"name": "say", "text": ""}), "instructions[0].text"),
    "blanks to say": (doing({"name": "say", "text": " \n"}), "instructions[0].text"),
    "say without a text": (doing({"name": "say"}), "instructions[0].text"),
    "a prompt to say": (doing({"name": "say", "text": "#ssml[<speak>x</speak>]"}), "instructions[0].text"),
    "SSML to say": (doing({"name": "say", "text": "<speak>Hello</speak>"}), "instructions[0].text"),
    "a locale with an underscore": (doing({**SAY, "locale": "en_US"}), "instructions[0].locale"),
    "no files": (playing(), "instructions[0].ids"),
    "a path": (playing("welcome", "/public/a.mp3"), "instructions[0].ids[1]"),
    "a path beside": (playing("../a.mp3"), "instructions[0].ids[0]"),
    "a file of this machine": (playing("file:///a.mp3"), "instructions[0].ids[0]"),
    "a URL of this machine": (playing("http://localhost:8000/a.mp3"), "instructions[0].ids[0]"),
    "an address of this machine": (playing("http://127.0.0.1/a.mp3"), "instructions[0].ids[0]"),
    "an address of this network": (playing("#href[https://192.168.1.7/a.mp3]"), "instructions[0].ids[0]"),
    "words": (playing("Hello and welcome"), "instructions[0].ids[0]"),
    "a blank id": (playing(" "), "instructions[0].ids[0]"),
    "no words": (playing("#tts[]"), "instructions[0].ids[0]"),
    "an open bracket": (playing("#tts[Hello"), "instructions[0].ids[0]"),
    "an unknown mark": (playing("#say[Hello]"), "instructions[0].ids[0]"),
    "SSML that is not closed": (playing("#ssml[<speak>Hello]"), "instructions[0].ids[0]"),
    "SSML that is closed elsewhere": (playing("#ssml[<speak><p>Hello</speak></p>]"), "instructions[0].ids[0]"),
    "SSML with a bare ampersand": (playing("#ssml[<speak>Tom & Jerry</speak>]"), "instructions[0].ids[0]"),
    "SSML without its root": (playing("#ssml[<p>Hello</p>]"), "instructions[0].ids[0]"),
    "words for SSML": (playing("#ssml[Hello]"), "instructions[0].ids[0]"),
    "a menu without a prompt": (
        {"action": {"name": "runMenu", "menus": [{"id": "main"}]}},
        "action.menus[0].mainPrompt",
    ),
    "no menu": ({"action": {"name": "runMenu"}}, "action.menus"),
    "words in a menu": (menu(mainPrompt="Press 1 for sales."), "action.menus[0].mainPrompt"),
    "broken SSML in a menu": (menu(repeatPrompt="#tts[Hi];#ssml[<speak>]"), "action.menus[0].repeatPrompt"),
    "a key with two options": (
        menu(options=[{"dtmf": "1", "action": "return(a)"}, {"dtmf": 1, "action": "return(b)"}]),
        "action.menus[0].options",
    ),
    "broken SSML while waiting": (
        {"action": {"name": "park", "holdPrompt": "#ssml[<speak>Wait]"}},
        "action.holdPrompt",
    ),
}

WELL = {
    "a recording that ends before": doing(RECORD, SAY, {"name": "stopRecording"}, action="hangup"),
    "a recording that goes on": doing(SAY, RECORD),
    "a number": pstn(number="+46701234567", cli="private"),
    "a number as it came": pstn(number="12015555555", cli="incoming"),
    "whom the client called": pstn(),
    "a SIP address": sip("sip:46708000000@sip.example.com", cli="reception"),
    "SSML of the platform": playing(
        '#ssml[<speak>Tom &amp; <amazon:effect name="whispered">Jerry</amazon:effect></speak>]'
    ),
    "SSML with a bracket": playing("#ssml[<speak>[one] of two; that is all</speak>]"),
    "files": playing("welcome", "welcome.wav", "folder/welcome.wav", "https://media.example.com/a.mp3?b=c;d"),
    "several prompts": menu(mainPrompt="#tts[Hello; hi];#href[http://a.example/b.mp3];http://a.example/c.mp3;welcome"),
    "a voice": doing({**SAY, "locale": "en-US/female"}),
    "cookies": doing({"name": "setCookie", "key": "a", "value": ""}),
}


OLDER = {"action": {"name": "hangup", "cli": 5, "locale": None, "moh": [], "recordingOptions": 1}}


class TestLint:
    def test_older_keys_may_have_any_value(self) -> None:
        assert list(lint(OLDER)) == []

    @pytest.mark.parametrize(("answer", "path"), DOUBTFUL.values(), ids=DOUBTFUL)
    def test_each_has_a_warning_with_its_place(self, answer: dict[str, Any], path: str) -> None:
        [warning] = lint(answer)
        assert warning.path == path
        assert warning.message.endswith((".", "…"))

    @pytest.mark.parametrize("answer", WELL.values(), ids=WELL)
    def test_a_correct_answer_has_no_warning(self, answer: dict[str, Any]) -> None:
        assert list(lint(answer)) == []

    @pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
    def test_no_sample_of_the_platform_has_a_warning(self, sample: Path) -> None:
        assert list(lint(json.loads(sample.read_text()))) == []

    @pytest.mark.parametrize(("answer", "path"), [DOUBTFUL["a national number"], DOUBTFUL["SSML without its root"]])
    def test_a_dict_is_warned_about_in_development_and_sent(
        self, tmp_path: Path, answer: dict[str, Any], path: str
    ) -> None:
        source = PLAIN.format(how="def", name="ice", body=f"return {answer!r}")
        with serving(tmp_path / "a", source, **DEVELOPMENT) as served:
            assert [post(served, "ice").json for _ in range(2)] == [answer] * 2
            assert len(told(served)) == 2
            assert path in told(served)[0]
        with serving(tmp_path / "b", source) as served:
            assert post(served, "ice").json == answer
            assert told(served) == []

    @pytest.mark.parametrize(
        ("built", "says"),
        [
            ("IceSvamlBuilder().start_recording('s3://b/f').hangup()", "starts a recording"),
            ("IceSvamlBuilder().connect_pstn('0701234567')", "E.164"),
            ("IceSvamlBuilder().play('#ssml[<speak>Hello]').hangup()", "broken SSML"),
            ("IceSvamlBuilder().run_menu(sinchfn.create_menu().prompt('#ssml[<speak>]'))", "broken SSML"),
            ("IceSvamlBuilder().say('').hangup()", "hears nothing"),
            ("IceSvamlBuilder().play('/public/hello.mp3').hangup()", "can fetch"),
        ],
    )
    def test_what_a_builder_made_is_warned_about_in_development(self, tmp_path: Path, built: str, says: str) -> None:
        source = PLAIN.format(how="def", name="ice", body=f"return {built}") + "def pie(context, data): ...\n"
        with serving(tmp_path / "a", source, **DEVELOPMENT) as served:
            assert post(served, "ice").status == 200
            assert says in told(served)[0]
        with serving(tmp_path / "b", source) as served:
            post(served, "ice")
            assert told(served) == []
