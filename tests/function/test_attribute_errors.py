"""Errors for typical mistakes: a wrong attribute, a needless ``await``, a client that is None."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sinchfn import (
    AceSvamlBuilder,
    FunctionContext,
    IceRequest,
    IceSvamlBuilder,
    MessageError,
    PieRequest,
    PieSvamlBuilder,
    SinchController,
    SvamlError,
    VoiceClient,
    create_menu,
    create_message,
    ok,
)
from sinchfn.config.config import load_config
from tests.harness.app import serving
from tests.harness.signer import ICE

CALL = {"event": "ice", "callid": "1", "to": {"type": "did", "endpoint": "+1"}, "newField": 1}


def name_of(thing: object) -> str:
    return type(thing).__name__


#: An expression -> what the error says. (`Any`, because a type checker refuses each.)
ice: Any = IceSvamlBuilder()
ace: Any = AceSvamlBuilder()
pie: Any = PieSvamlBuilder()
data: Any = IceRequest(CALL)
menu: Any = create_menu()
config: Any = load_config(Path(__file__).parent, environ={})
client: Any = VoiceClient("f00dcafe-abba-c0de-1dea-dabb1ed4caf3", "YXBwU2VjcmV0")
message: Any = create_message()

ADVISED: dict[str, tuple[Callable[[], Any], str]] = {
    "a field by its wire name": (lambda: data.callId, 'Did you mean "call_id"?'),
    "another spelling": (lambda: data.callid, 'Did you mean "call_id"?'),
    "of an inner object": (lambda: PieRequest({"menuResult": {"menuId": "x"}}).menu_result.menuId, '"menu_id"'),  # type: ignore[union-attr]
    "a field that is a keyword": (lambda: getattr(data, "to").endPoint, 'Did you mean "endpoint"?'),  # noqa: B009
    "a misspelt field": (lambda: data.call_idd, 'Did you mean "call_id"?'),
    "a field that nothing documents": (lambda: data.newField, 'Write ["newField"]'),
    "a builder's method": (lambda: ice.connectPstn, 'Did you mean "connect_pstn"?'),
    "in capitals": (lambda: ice.ConnectPSTN, 'Did you mean "connect_pstn"?'),
    "an instruction": (lambda: pie.playFiles, 'Did you mean "play_files"?'),
    "a keyword": (lambda: getattr(ice, "continue"), 'Did you mean "continue_"?'),
    "no such action": (lambda: ice.dial, "connect_pstn"),
    "an action of another event": (lambda: ace.connect_pstn, "Only ICE and PIE can be answered with connect_pstn"),
    "what this event has": (lambda: ace.connect_pstn, "AceSvamlBuilder has build, connect_conf, continue_, hangup"),
    "such an action by its wire name": (lambda: ace.connectStream, "Only ICE can be answered with connect_stream"),
    "an instruction of another event": (lambda: pie.answer, "Only ICE can be answered with answer"),
    "an instruction after the action": (lambda: ice.hangup().say, 'builder.say("Hello").hangup()'),
    "a second action": (lambda: ice.say("x").hangup().continue_, "hangup was its action"),
    "the end of a chain": (lambda: ice.hangup().Build, 'Did you mean "build"?'),
    "a method of a menu": (lambda: menu.repeatPrompt, 'Did you mean "repeat_prompt"?'),
    "a submenu": (lambda: menu.addSubmenu, 'Did you mean "add_submenu"?'),
    "a field of an answer": (lambda: ok().statusCode, 'Did you mean "status_code"?'),  # type: ignore[attr-defined]
    "a setting": (lambda: config.projectId, 'Did you mean "project_id"?'),
    "a variable": (lambda: config.GREETING, 'Write get_variable("GREETING").'),
    "a product of the client": (lambda: client.callOuts, 'Did you mean "callouts"?'),
    "a method of the client": (lambda: client.callouts.ttsCallout, "It has conference, custom, tts."),
    "a method of a message": (lambda: message.toChannel, 'Did you mean "to_channel"?'),
}


@pytest.mark.parametrize(("read", "says"), ADVISED.values(), ids=ADVISED)
def test_the_error_says_what_to_write_and_ends_in_the_line_that_is_wrong(read: Callable[[], Any], says: str) -> None:
    with pytest.raises(AttributeError) as caught:
        read()
    assert says in str(caught.value)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].filename == __file__


#: What a handler writes -> what the log says.
IN_A_HANDLER = {
    "the context": ("context.requestId", 'the context has no requestId. Did you mean "request_id"?'),
    "the logger": ("context.logger.info('x')", 'Did you mean "log"?'),
    "the cache": ("context.cache.getMany(['a'])", 'the cache has no getMany. Did you mean "get_many"?'),
    "a word of Redis": ("context.cache.incr('a')", 'Did you mean "increment"?'),
    "the storage": ("context.storage.readText('a')", 'Did you mean "read_text"?'),
    "another word": ("context.storage.save('a', b'')", 'Did you mean "write"?'),
    "the files": ("context.assets.readBytes('a')", 'Did you mean "read_bytes"?'),
    "the voice clients": ("context.voice.callouts", "Write v1.callouts."),
    "the config": ("context.config.requireVariable('A')", 'Did you mean "require_variable"?'),
}
IN_A_REQUEST = {
    "the body": ("request.rawBody", 'the request has no rawBody. Did you mean "raw_body"?'),
    "the address": ("request.remoteAddr", 'Did you mean "remote_addr"?'),
    "a word of Flask": ("request.get_json()", 'Did you mean "json"?'),
}


@pytest.mark.parametrize(("line", "says"), [*IN_A_HANDLER.values(), *IN_A_REQUEST.values()])
def test_the_log_of_a_handler_says_what_to_write(tmp_path: Path, line: str, says: str) -> None:
    with serving(tmp_path, f"def hello(context, request):\n    {line}\n") as served:
        assert served.get("/hello").status == 500
        assert says in served.logged("ERROR")[0]


CONTROLLER = """
from sinchfn import SinchController, get

class Users(SinchController):
    def __init__(self):
        self.user_repository = 1

    @property
    def broken(self):
        return self.request.headers.nothing_of_this_name

    @get("/users")
    def users(self):
        return {expression}
"""


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("self.userRepository", 'Users has no userRepository. Did you mean "user_repository"?'),
        ("self.contxt", 'Did you mean "context"?'),
        ("self.broken", "nothing_of_this_name"),
    ],
)
def test_a_controller_gets_advice_too_and_a_failing_property_keeps_its_error(
    tmp_path: Path, expression: str, says: str
) -> None:
    with serving(tmp_path, CONTROLLER.format(expression=expression)) as served:
        assert served.get("/users").status == 500
        assert says in served.logged("ERROR")[0]
        assert "Users has no broken" not in served.log


UNSET = {
    "voice.v1": ("context.voice.v1.callouts.tts('+46701234567', 'x')", "VOICE_APPLICATION_KEY and VOICE_APPLICATION_S"),
    "a variable": ("client = context.voice.v1; client.calls.get('x')", "context.voice.v1 is None until VOICE"),
    "voice.v2": ("context.voice.v2.calls", "context.voice.v2 is None until PROJECT_ID"),
    "conversation": ("context.conversation.messages.send()", "CONVERSATION_APP_ID are set"),
    "sms": ("context.sms.batches.send()", "SMS_SERVICE_PLAN_ID are set"),
    "numbers": ("context.numbers.available.list()", "ENABLE_NUMBERS_API are set"),
}
AWAITED = ("context.cache.set('a', 1)", "context.cache.get('a', 1)", "context.storage.write('a', b'')")


@pytest.mark.parametrize("how", ["def", "async def"])
@pytest.mark.parametrize(("line", "says"), UNSET.values(), ids=UNSET)
def test_the_error_for_a_client_that_is_none_names_its_variables(
    tmp_path: Path, how: str, line: str, says: str
) -> None:
    with serving(tmp_path, f"{how} ice(context, data):\n    {line}\n") as served:
        assert served.post("/ice", ICE).status == 500
        assert says in served.traces()


@pytest.mark.parametrize(
    "statement",
    [*(f"await {call}" for call in AWAITED), "async with context.open_database() as db: pass"],
)
def test_the_error_for_a_needless_await_gives_advice(tmp_path: Path, statement: str) -> None:
    with serving(tmp_path, f"async def ice(context, data):\n    {statement}\n") as served:
        assert served.post("/ice", ICE).status == 500
        assert "remove the await" in served.traces()


def test_development_shows_the_advice_in_the_answer(tmp_path: Path) -> None:
    source = "def hello(context, request): context.sms.batches.send()\n"
    with serving(tmp_path, source, SINCHFN_ENV="development") as served:
        assert "SMS_SERVICE_PLAN_ID are set" in served.get("/hello").json["detail"]


def test_a_start_up_function_is_advised_too(tmp_path: Path) -> None:
    source = """
    tried = []

    async def warm_up(context):
        tried.append(1)
        if len(tried) == 1:  # or every later start in this process would fail
            await context.cache.keys()

    def setup(runtime): runtime.on_startup(warm_up)
    def hello(context, request): return "hello"
    """
    with serving(tmp_path, source) as served:
        assert served.get("/hello").status == 503
        assert "remove the await" in served.log


def test_another_none_is_not_explained(tmp_path: Path) -> None:
    with serving(tmp_path, "def ice(context, data): return data.to.endpoint\n") as served:
        assert served.post("/ice", ICE).status == 500
        assert "is None until" not in served.log


class TestProtocols:
    """Code that tests for an attribute gets the usual answer."""

    @pytest.mark.parametrize(
        "thing",
        [ice, ace, ice.hangup(), data, menu, ok(), config, client, message],
        ids=name_of,
    )
    def test_of_python_go_on(self, thing: Any) -> None:
        assert not hasattr(thing, "nothing")
        assert not hasattr(thing, "_nothing")
        assert getattr(thing, "__html__", None) is None
        assert inspect.getmembers(thing)
        assert not inspect.isawaitable(thing)
        with pytest.raises(AttributeError, match="has no attribute '_nothing'"):
            _ = thing._nothing

    @pytest.mark.parametrize("thing", [ice.say("x"), ice.hangup(), data, ok({"a": 1})], ids=name_of)
    def test_copies_are_equal(self, thing: Any) -> None:
        assert copy.copy(thing) == copy.deepcopy(thing) == pickle.loads(pickle.dumps(thing)) == thing

    @pytest.mark.parametrize("kind", [FunctionContext, IceSvamlBuilder, VoiceClient, SinchController])
    def test_a_double_can_be_made(self, kind: type) -> None:
        with pytest.raises(AttributeError):
            _ = mock.create_autospec(kind, instance=True).nothing


REFUSED: dict[str, Callable[[], Any]] = {
    "an instruction": lambda: IceSvamlBuilder().say("x" * 601),
    "an action": lambda: IceSvamlBuilder().connect_pstn(max_duration=0),
    "a cookie": lambda: IceSvamlBuilder().set_cookie("k", "v" * 1024),
    "a menu": lambda: IceSvamlBuilder().run_menu(create_menu()),
    "an option": lambda: create_menu().option("x", "return(a)"),
    "a message": lambda: create_message().to_channel("sms", "+1"),
}


class TestTracebacks:
    """The traceback for a refused value ends in the line that wrote the value."""

    @pytest.mark.parametrize("write", REFUSED.values(), ids=REFUSED)
    def test_end_in_the_users_line(self, write: Callable[[], Any]) -> None:
        with pytest.raises((SvamlError, MessageError)) as caught:
            write()
        last = traceback.extract_tb(caught.value.__traceback__)[-1]
        assert (last.filename, last.name) == (__file__, "<lambda>")

    def test_of_the_log_too(self, tmp_path: Path) -> None:
        source = "def ice(context, data):\n    text = 'x' * 601\n    return IceSvamlBuilder().say(text).hangup()\n"
        with serving(tmp_path, source) as served:
            served.post("/ice", ICE)
            *_, place, line, error = (part for part in served.traces().splitlines() if "^^^" not in part)
            assert "function.py" in place
            assert line.strip() == "return IceSvamlBuilder().say(text).hangup()"
            assert error.startswith("sinchfn.errors.SvamlError: say.text")

    def test_of_a_script_too(self, tmp_path: Path) -> None:
        script = tmp_path / "script.py"
        script.write_text("from sinchfn import IceSvamlBuilder\nIceSvamlBuilder().say('x' * 601)\n")
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=60)
        *_, place, line, error = (part for part in done.stderr.splitlines() if "^^^" not in part)
        assert str(script) in place
        assert line.strip() == "IceSvamlBuilder().say('x' * 601)"
        assert "SvamlError" in error
