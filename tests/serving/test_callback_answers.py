"""What the voice callbacks may return, how it is checked, and what goes out to the platform."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from itsdangerous import BadSignature, URLSafeSerializer

from sinchfn import SinchFunctions, voice
from tests.harness.app import Served, clean_environment, own_logging, serving, write_function
from tests.harness.call import Answer, environ_of, send
from tests.harness.paths import EVENTS
from tests.harness.signer import CALL_ID, ICE, SIGNING, signed

CALLBACKS = ("ice", "ace", "pie", "dice", "notify")
ANSWERED = ("ice", "ace", "pie")
HANGUP = {"action": {"name": "hangup"}}
BUILDERS = {"ice": "IceSvamlBuilder()", "ace": "AceSvamlBuilder()", "pie": "PieSvamlBuilder()"}

#: A dict that the platform would refuse, in two places.
FAULTY = '{"instructions": [{"name": "say", "text": 5}], "action": {"name": "nonsense"}}'


def returning(expression: str, name: str = "ice", how: str = "def") -> str:
    return f"{how} {name}(context, data):\n    return {expression}"


def answered(tmp_path: Path, expression: str, name: str = "ice", how: str = "def", **config: object) -> Answer:
    with serving(tmp_path, returning(expression, name, how), **config) as served:
        return served.post(f"/{name}", ICE | {"event": name})


# --- what may be returned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["def", "async def"])
@pytest.mark.parametrize("name", ANSWERED)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{builder}.hangup()", HANGUP),
        ("{builder}.hangup().build()", HANGUP),
        ('{{"action": {{"name": "hangup"}}}}', HANGUP),
        ('{{"action": {{"name": "HANGUP"}}}}', {"action": {"name": "HANGUP"}}),
        ('{{"instructions": []}}', {"instructions": []}),
        ("{{}}", {}),
        ("None", {}),
        ('{{"statusCode": 200, "body": {{"action": {{"name": "hangup"}}}}}}', HANGUP),
        ('FunctionResponse(200, {{"action": {{"name": "hangup"}}}})', HANGUP),
        ('ok({{"action": {{"name": "hangup"}}}})', HANGUP),
        ("ok({builder}.hangup())", HANGUP),
        ('flask.jsonify({{"action": {{"name": "hangup"}}}})', HANGUP),
        ('({{"action": {{"name": "hangup"}}}}, 200)', HANGUP),
        ("""'{{"action": {{"name": "hangup"}}}}'""", HANGUP),
        ("sinchfn.voice.service_unavailable()", None),
        ('sinchfn.voice.error_answer("sorry")', None),
    ],
)
@pytest.mark.parametrize("mode", ["strict", "warn"])
def test_svaml_in_any_form_goes_out_as_json(
    tmp_path: Path, name: str, how: str, expression: str, expected: dict[str, Any] | None, mode: str
) -> None:
    with serving(
        tmp_path, returning(expression.format(builder=BUILDERS[name]), name, how), SINCHFN_SVAML=mode
    ) as served:
        answer = served.post(f"/{name}", ICE | {"event": name})
        assert answer.status == 200
        assert expected is None or json.loads(answer.body) == expected
        assert served.logged("WARNING") == served.logged("ERROR") == []


@pytest.mark.parametrize("name", ["dice", "notify"])
@pytest.mark.parametrize(
    "expression", ["None", "{}", '"text"', "5", "object()", FAULTY, "Response('x', 404)", "ok(status)"]
)
def test_what_dice_and_notify_return_is_dropped(tmp_path: Path, name: str, expression: str) -> None:
    with serving(tmp_path, f"status = 1\n{returning(expression, name)}", SINCHFN_SVAML="strict") as served:
        answer = served.post(f"/{name}", {"event": name})
        assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "application/json", b"{}")
        assert served.logged("ERROR") == served.logged("WARNING") == []


@pytest.mark.parametrize(
    "expression",
    [
        "5",
        "True",
        "object()",
        "[]",
        "[{'name': 'hangup'}]",
        "IceSvamlBuilder",
        "{1, 2}",
        "{'action': object()}",
        "{'action': {'name': 'hangup', 'x': float('nan')}}",
        "'\\ud800'",
        "range(3)",
    ],
)
@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_no_answer_is_a_500_and_the_log_names_the_callback(tmp_path: Path, name: str, expression: str) -> None:
    with serving(tmp_path, returning(expression, name), SINCHFN_SVAML="strict") as served:
        answer = served.post(f"/{name}", ICE | {"event": name})
        assert answer.status == 500
        assert set(answer.json) == {"error", "requestId"}
        assert f"The handler {name} returned an invalid response" in served.logged("ERROR")[0]


@pytest.mark.parametrize("status", [201, 302, 400, 404, 500, 503])
def test_an_answer_with_another_status_is_sent_as_it_is(tmp_path: Path, status: int) -> None:
    expression = f'{{"statusCode": {status}, "body": {{"not": "svaml"}}}}'
    assert answered(tmp_path, expression, SINCHFN_SVAML="strict").status == status


# --- strict and warn --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        '{{"statusCode": 200, "body": {}}}',
        "FunctionResponse(200, {})",
        "ok({})",
        "flask.jsonify({})",
        "({}, 200)",
        "json.dumps({})",
        "Response(json.dumps({}))",
    ],
)
@pytest.mark.parametrize("name", ANSWERED)
def test_a_faulty_dict_is_a_500_when_strict_and_sent_when_warned_and_each_fault_is_logged(
    tmp_path: Path, form: str, name: str
) -> None:
    source = returning(form.format(FAULTY), name)
    with serving(tmp_path / "strict", source, SINCHFN_SVAML="strict") as served:
        answer = served.post(f"/{name}", ICE | {"event": name})
        assert answer.status == 500
        assert set(answer.json) == {"error", "requestId"}
        assert_both_faults(served.logged("ERROR")[0], name)
    with serving(tmp_path / "warn", source, SINCHFN_SVAML="warn") as served:
        answer = served.post(f"/{name}", ICE | {"event": name})
        assert answer.status == 200
        assert json.loads(answer.body)["action"] == {"name": "nonsense"}
        assert_both_faults(" ".join(served.logged("WARNING")), name)


def assert_both_faults(message: str, name: str) -> None:
    assert name in message
    assert "instructions" in message
    assert "text" in message
    assert "action" in message
    assert "nonsense" in message


def test_strict_is_the_default_in_development_and_warn_in_production(tmp_path: Path) -> None:
    assert answered(tmp_path / "a", FAULTY, SINCHFN_ENV="development").status == 500
    assert answered(tmp_path / "b", FAULTY, SINCHFN_ENV="production").status == 200
    assert answered(tmp_path / "c", FAULTY, SINCHFN_ENV="development", SINCHFN_SVAML="warn").status == 200
    assert answered(tmp_path / "d", FAULTY, SINCHFN_ENV="production", SINCHFN_SVAML="strict").status == 500


def test_every_faulty_answer_is_logged_and_not_only_the_first_of_its_kind(tmp_path: Path) -> None:
    with serving(tmp_path, returning(FAULTY), SINCHFN_SVAML="warn") as served:
        for times in (1, 2, 3):
            served.post("/ice", ICE)
            assert len(served.logged("WARNING")) == times
    with serving(tmp_path / "b", returning(FAULTY), SINCHFN_SVAML="strict") as served:
        assert [served.post("/ice", ICE).status for _ in range(3)] == [500] * 3


def test_an_answer_that_was_right_for_one_event_is_checked_anew_for_another(tmp_path: Path) -> None:
    park = '{"action": {"name": "park", "holdPrompt": "#tts[wait]"}}'
    with serving(tmp_path, f"{returning(park, 'ice')}\n{returning(park, 'ace')}", SINCHFN_SVAML="strict") as served:
        for _ in range(2):
            assert served.post("/ice", ICE).status == 200
            assert served.logged("WARNING") == []
        assert served.post("/ace", ICE | {"event": "ace"}).status == 200
        assert "park" in served.logged("WARNING")[0]


@pytest.mark.parametrize("mode", ["strict", "warn"])
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("ace", {"action": {"name": "park", "holdPrompt": "#tts[wait]"}}),
        ("ace", {"action": {"name": "connectPstn", "number": "+46000000001"}}),
        (
            "pie",
            {
                "action": {
                    "name": "connectStream",
                    "destination": {"type": "Websocket", "endpoint": "wss://a.example/s"},
                }
            },
        ),
        ("pie", {"instructions": [{"name": "answer"}]}),
        ("ace", {"instructions": [{"name": "sendDtmf", "value": "1"}]}),
    ],
)
def test_what_is_outside_the_matrix_is_only_warned_about(
    tmp_path: Path, name: str, answer: dict[str, Any], mode: str
) -> None:
    with serving(tmp_path, returning(repr(answer), name), SINCHFN_SVAML=mode) as served:
        given = served.post(f"/{name}", ICE | {"event": name})
        assert given.status == 200, served.log
        assert set(given.json) == set(answer)
        assert len(served.logged("WARNING")) == 1
        assert served.logged("ERROR") == []


@pytest.mark.parametrize(
    "answer",
    [
        {"action": {"name": "ConnectConf", "conferenceId": "myconference1", "cli": "", "suppressCallbacks": True}},
        {"action": {"name": "hangup", "hangupCause": 1}},
    ],
)
def test_what_older_documents_show_is_sent_with_a_warning_also_when_strict(
    tmp_path: Path, answer: dict[str, Any]
) -> None:
    with serving(tmp_path, returning(repr(answer)), SINCHFN_SVAML="strict") as served:
        given = served.post("/ice", ICE)
        assert (given.status, given.json) == (200, answer)
        assert "older documents" in served.logged("WARNING")[0]


# --- callbacks without a handler --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "body"), [("ace", {"action": {"name": "continue"}}), ("dice", {}), ("notify", {})])
@pytest.mark.parametrize("path", ["/{}", "/", "/v1/sinch/{}"])
def test_a_callback_without_a_handler_is_answered_as_soon_as_there_is_any(
    tmp_path: Path, name: str, body: dict[str, Any], path: str
) -> None:
    with serving(tmp_path, returning("None", "pie")) as served:
        answer = served.post(path.format(name), {"event": name, "callid": CALL_ID})
        assert (answer.status, answer.json) == (200, body)
        assert served.ledger[0]["handler"] == name
        assert served.ledger[0]["call_id"] == CALL_ID


@pytest.mark.parametrize("path", ["/ice", "/v1/ice"])
def test_ice_and_pie_without_a_handler_are_a_404(tmp_path: Path, path: str) -> None:
    with serving(tmp_path, returning("None", "dice")) as served:
        assert served.post(path, ICE).status == 404
        assert served.post(path.replace("ice", "pie"), {"event": "pie"}).status == 404
        assert [(record["handler"], record["outcome"]) for record in served.ledger] == [
            ("ice", "refused"),
            ("pie", "refused"),
        ]


def test_without_any_voice_callback_none_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path, "def hello(c, r): pass") as served:
        assert [served.post(f"/{name}", {"event": name}).status for name in CALLBACKS] == [404] * 5


# --- when a handler fails ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_that_raises_is_a_500_in_json(tmp_path: Path, name: str) -> None:
    answer = answered(tmp_path, "1 / 0", name)
    assert answer.status == 500
    assert set(answer.json) == {"error", "requestId"}


@pytest.mark.parametrize("expression", ["1 / 0", "sys.exit()", "object()", FAULTY, "{'action': {1}}"])
@pytest.mark.parametrize("name", ANSWERED)
def test_with_a_message_set_the_caller_hears_it_and_the_call_ends(tmp_path: Path, name: str, expression: str) -> None:
    config = {"SINCHFN_VOICE_ERROR_MESSAGE": "We are sorry: å.", "SINCHFN_SVAML": "strict"}
    with serving(tmp_path, returning(expression, name), **config) as served:
        answer = served.post(f"/{name}", ICE | {"event": name})
        assert answer.status == 200
        assert answer.json == voice.error_answer("We are sorry: å.").build()
        assert answer.json["action"]["name"] == "hangup"
        assert answer.json["instructions"][0]["text"] == "We are sorry: å."
        assert served.logged("ERROR")
        assert served.ledger[0]["outcome"] == "error"


@pytest.mark.parametrize("name", ["dice", "notify"])
def test_the_message_is_not_said_where_nobody_listens(tmp_path: Path, name: str) -> None:
    assert answered(tmp_path, "1 / 0", name, SINCHFN_VOICE_ERROR_MESSAGE="Sorry.").status == 500


def test_the_message_is_not_said_for_what_was_refused_nor_by_other_handlers(tmp_path: Path) -> None:
    source = returning("None") + "\ndef hello(context, request): 1 / 0"
    with serving(
        tmp_path, source, SINCHFN_VOICE_ERROR_MESSAGE="Sorry.", WEBHOOK_PROTECTION="always", **SIGNING
    ) as served:
        assert served.post("/ice", ICE).status == 401
        assert served.call(b"[]").status == 400
        assert served.get("/hello").status == 500


def test_a_message_that_is_too_long_to_be_said_is_cut(tmp_path: Path) -> None:
    answer = answered(tmp_path, "1 / 0", SINCHFN_VOICE_ERROR_MESSAGE="x" * 5000)
    assert answer.status == 200
    assert set(answer.json["instructions"][0]["text"]) == {"x"}


def test_answers_for_when_things_go_wrong_can_be_made_by_hand() -> None:
    assert voice.error_answer("a").build()["action"] == {"name": "hangup"}
    assert voice.service_unavailable().build()["action"] == {"name": "hangup"}
    assert voice.service_unavailable().build()["instructions"][0]["text"]
    assert voice.invalid_input().build()["instructions"][0]["text"]


# --- stream URLs ------------------------------------------------------------------------------------------------------

STREAM_SECRET = "a secret only for streams"
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
STREAM_DICT = '{"action": {"name": "connectStream", "destination": {"type": "Websocket", "endpoint": "/stream"}}}'
STREAMING = (
    'IceSvamlBuilder().connect_stream("/stream")',
    'IceSvamlBuilder().answer().say("hi").connect_stream("/stream")',
    STREAM_DICT,
    '{"action": {"name": "CONNECTSTREAM", "destination": {"type": "Websocket", "endpoint": "/stream"}}}',
    f'{{"statusCode": 200, "body": {STREAM_DICT}}}',
    f"FunctionResponse(200, {STREAM_DICT})",
    f"ok({STREAM_DICT})",
    'ok(IceSvamlBuilder().connect_stream("/stream"))',
    'FunctionResponse(200, IceSvamlBuilder().connect_stream("/stream"))',
    '{"statusCode": 200, "body": IceSvamlBuilder().connect_stream("/stream")}',
    f"({STREAM_DICT}, 200)",
)


#: What takes the sockets at that path.
SOCKET = """
def setup(runtime):
    runtime.on_websocket("/stream", lambda ws, request: None)
"""


def endpoint_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return str(json.loads(answer.body)["action"]["destination"]["endpoint"])


def claims_of(url: str, key: bytes | str = STREAM_SECRET) -> Any:
    (token,) = parse_qs(urlsplit(url).query)["token"]
    return URLSafeSerializer(key, salt="sinchfn.stream").loads(token)


@pytest.mark.parametrize("expression", STREAMING)
@pytest.mark.parametrize("mode", ["strict", "warn"])
def test_a_stream_path_goes_out_as_a_public_url_with_a_token(tmp_path: Path, expression: str, mode: str) -> None:
    config = {"SINCHFN_PUBLIC_URL": "https://voice.example.com/fn", "SINCHFN_STREAM_SECRET": STREAM_SECRET}
    with serving(tmp_path, returning(expression) + SOCKET, SINCHFN_SVAML=mode, **config) as served:
        url = endpoint_of(served.post("/ice", ICE))
        assert url.startswith("wss://voice.example.com/fn/stream?token=")
        claims = claims_of(url)
        assert claims["path"] == "/stream"
        assert CALL_ID in claims.values()
        assert served.logged("ERROR") == served.logged("WARNING") == []


def test_a_token_holds_path_call_and_expiry_and_is_another_each_time(tmp_path: Path) -> None:
    before = int(time.time())
    with serving(tmp_path, returning(STREAMING[0]), SINCHFN_STREAM_SECRET=STREAM_SECRET) as served:
        urls = [endpoint_of(served.post("/ice", ICE)) for _ in range(3)]
        assert len(set(urls)) == 3
        claims = claims_of(urls[0])
        assert (claims["path"], claims["call"]) == ("/stream", CALL_ID)
        assert before + 119 <= claims["expires"] <= int(time.time()) + 121
        assert len({json.dumps(claims_of(url), sort_keys=True) for url in urls}) == 3


@pytest.mark.parametrize(
    ("public", "base"),
    [
        ("https://voice.example.com", "wss://voice.example.com"),
        ("https://voice.example.com/", "wss://voice.example.com"),
        ("https://voice.example.com:8443/a/b", "wss://voice.example.com:8443/a/b"),
        ("HTTPS://http.example.com", "wss://http.example.com"),
        ("https://http.example.com", "wss://http.example.com"),
    ],
)
def test_the_base_of_a_stream_url_is_the_public_url(tmp_path: Path, public: str, base: str) -> None:
    config = {"SINCHFN_PUBLIC_URL": public, "SINCHFN_STREAM_SECRET": STREAM_SECRET}
    url = endpoint_of(answered(tmp_path, STREAMING[0], **config))
    assert url.startswith(f"{base}/stream?token=")


def test_without_a_public_url_the_base_is_the_host_that_was_called(tmp_path: Path) -> None:
    source = returning(STREAMING[0])
    with serving(tmp_path, source, SINCHFN_STREAM_SECRET=STREAM_SECRET) as served:
        headers = {"Host": "fn.example.org", "Content-Type": "application/json"}
        assert endpoint_of(served.post("/ice", ICE, headers=headers)).startswith("wss://fn.example.org/stream?token=")
        headers["X-Forwarded-Host"] = "evil.example"
        assert endpoint_of(served.post("/ice", ICE, headers=headers)).startswith("wss://fn.example.org/stream?token=")
    with serving(tmp_path / "b", source, SINCHFN_STREAM_SECRET=STREAM_SECRET, SINCHFN_TRUSTED_PROXIES=1) as served:
        headers = {"Content-Type": "application/json", "X-Forwarded-Host": "pub.example", "X-Forwarded-Prefix": "/fn"}
        assert endpoint_of(served.post("/ice", ICE, headers=headers)).startswith("wss://pub.example/fn/stream?token=")


def test_below_a_prefix_the_stream_url_is_below_it_too(tmp_path: Path) -> None:
    folder = write_function(tmp_path, returning(STREAMING[0]))
    with own_logging():
        app = Flask("host")
        config = {"SINCHFN_STREAM_SECRET": STREAM_SECRET, "WEBHOOK_PROTECTION": "never"}
        SinchFunctions(folder, config=config).init_app(app, url_prefix="/voice")

        @app.after_request
        def own(response: Any) -> Any:
            response.headers.setdefault("X-Request-ID", "host")
            return response

        environ = environ_of("POST", "/voice/ice", body=json.dumps(ICE).encode(), headers={"Host": "fn.example.org"})
        assert endpoint_of(send(app, environ)).startswith("wss://fn.example.org/voice/stream?token=")


def test_the_key_of_tokens_is_the_stream_secret_or_comes_from_the_application_secret(tmp_path: Path) -> None:
    def url(name: str, **config: object) -> str:
        return endpoint_of(answered(tmp_path / name, STREAMING[0], **config))

    derived = url("derived", **SIGNING)
    assert "token=" in derived
    for guess in ("", SIGNING["VOICE_APPLICATION_SECRET"], SIGNING["VOICE_APPLICATION_KEY"], STREAM_SECRET):
        with pytest.raises(BadSignature):
            claims_of(derived, guess)
    own = url("own", SINCHFN_STREAM_SECRET=STREAM_SECRET, **SIGNING)
    assert claims_of(own)["path"] == "/stream"
    turned = url("turned", SINCHFN_STREAM_SECRET="another secret", **SIGNING)
    with pytest.raises(BadSignature):
        claims_of(turned)
    assert claims_of(turned, "another secret")["path"] == "/stream"


def test_two_processes_with_one_application_secret_take_each_others_tokens(tmp_path: Path) -> None:
    with serving(tmp_path / "a", returning(STREAMING[0]), **SIGNING) as one:
        url = endpoint_of(one.post("/ice", ICE))
    with serving(tmp_path / "b", returning(STREAMING[0]), **SIGNING) as two:
        assert claims_of(url, two.app.extensions["sinchfn"][0].stream_key)["path"] == "/stream"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/stream?lang=sv", "wss://h.example/stream?lang=sv&token="),
        ("/a/b/stream", "wss://h.example/a/b/stream?token="),
        ("/", "wss://h.example/?token="),
    ],
)
def test_a_stream_path_keeps_its_query(tmp_path: Path, path: str, expected: str) -> None:
    expression = (
        f'{{"action": {{"name": "connectStream", "destination": {{"type": "Websocket", "endpoint": "{path}"}}}}}}'
    )
    config = {"SINCHFN_PUBLIC_URL": "https://h.example", "SINCHFN_STREAM_SECRET": STREAM_SECRET}
    url = endpoint_of(answered(tmp_path, expression, **config))
    assert url.startswith(expected)
    assert claims_of(url)["path"] == path.partition("?")[0]


@pytest.mark.parametrize("url", ["wss://other.example/stream", "wss://other.example/s?token=mine"])
def test_a_stream_url_is_left_as_it_is(tmp_path: Path, url: str) -> None:
    assert endpoint_of(answered(tmp_path, f'IceSvamlBuilder().connect_stream("{url}")', **SIGNING)) == url


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/rooms/Zoë x", "/rooms/Zo%C3%AB%20x"),
        ("/rooms/Zo%C3%AB%20x", "/rooms/Zo%C3%AB%20x"),
        ("/rooms/Zoë%20x", "/rooms/Zo%C3%AB%20x"),
        ("/rooms/100%", "/rooms/100%25"),
        ("/rooms/100%zz", "/rooms/100%25zz"),
        ("/rooms/a#b", "/rooms/a%23b"),
        ("/rooms/a+b&c;d=(e)", "/rooms/a+b&c;d=(e)"),
        ("/rooms/日本", "/rooms/%E6%97%A5%E6%9C%AC"),
        ('/rooms/<\\">', "/rooms/%3C%22%3E"),
        ("/rooms/x?who=Zoë y&next=/a/b?c", "/rooms/x?who=Zo%C3%AB%20y&next=/a/b?c"),
    ],
)
@pytest.mark.parametrize("form", ["builder", "dict"])
def test_what_a_url_cannot_carry_is_percent_encoded_and_lets_in(
    tmp_path: Path, path: str, expected: str, form: str
) -> None:
    destination = f'{{"type": "Websocket", "endpoint": "{path}"}}'
    answer = {
        "builder": f'IceSvamlBuilder().connect_stream("{path}")',
        "dict": f'{{"action": {{"name": "connectStream", "destination": {destination}}}}}',
    }[form]
    source = returning(answer) + SOCKET.replace("/stream", "/rooms/<name>").replace("request:", "request, name:")
    config = {"SINCHFN_PUBLIC_URL": "https://h.example", "SINCHFN_STREAM_SECRET": STREAM_SECRET}
    with serving(tmp_path, source, **config) as served:
        url = endpoint_of(served.call())
        assert url.startswith(f"wss://h.example{expected}{'&' if '?' in path else '?'}token=")
        assert url.isascii()
        assert served.logged("WARNING") == []
        # 501, of a server that gives no access to its connections, means that it would have been let in.
        assert served.get(url.removeprefix("wss://h.example"), headers=HANDSHAKE).status == 501


def test_a_whole_stream_url_is_percent_encoded_as_well(tmp_path: Path) -> None:
    url = endpoint_of(answered(tmp_path, 'IceSvamlBuilder().connect_stream("wss://bücher.example/Zoë x?a=b c")'))
    assert url == "wss://xn--bcher-kva.example/Zo%C3%AB%20x?a=b%20c"


@pytest.mark.parametrize("handler", ["hello", "crm_webhook"])
@pytest.mark.parametrize("answer", STREAMING)
def test_a_stream_path_becomes_a_url_whoever_answers(tmp_path: Path, handler: str, answer: str) -> None:
    source = f"def {handler}(context, request): return {answer}\n{SOCKET}"
    config = {"SINCHFN_PUBLIC_URL": "https://h.example", "SINCHFN_STREAM_SECRET": STREAM_SECRET}
    with serving(tmp_path, source, **config) as served:
        url = endpoint_of(served.post("/webhook/crm" if handler == "crm_webhook" else "/hello", {}))
        assert url.startswith("wss://h.example/stream?token=")
        assert claims_of(url)["call"] is None  # which call it is to be, nobody knows yet


def test_what_is_not_svaml_stays_as_it_is_in_a_plain_handler(tmp_path: Path) -> None:
    value = {"action": {"name": "playFile"}, "svaml": json.loads(STREAM_DICT), "destination": {"endpoint": "/stream"}}
    with serving(tmp_path, f"def hello(context, request): return {value}\n{SOCKET}", **SIGNING) as served:
        assert served.get("/hello").json == value


def test_the_dict_of_the_handler_is_never_changed(tmp_path: Path) -> None:
    source = """
    ANSWER = {"action": {"name": "connectStream", "destination": {"type": "Websocket", "endpoint": "/stream"}}}
    WRAPPED = {"statusCode": 200, "body": ANSWER}
    BUILT = IceSvamlBuilder().connect_stream("/stream")
    def ice(context, data):
        return {"a": ANSWER, "w": WRAPPED, "b": BUILT, "o": ok(ANSWER)}[data.raw["which"]]
    def look(context, request):
        return [ANSWER, WRAPPED, BUILT]
    """
    with serving(tmp_path, source, **SIGNING) as served:
        before = served.get("/look").json
        for which in "awboawbo":
            assert endpoint_of(served.post("/ice", ICE | {"which": which})).startswith("wss://")
        assert served.get("/look").json == before


def test_the_url_of_a_stream_is_no_path_of_another_callback(tmp_path: Path) -> None:
    # Only the call at hand is named by the token, whatever was answered before from the same dict.
    with serving(tmp_path, returning(STREAM_DICT), SINCHFN_STREAM_SECRET=STREAM_SECRET) as served:
        calls = [claims_of(endpoint_of(served.post("/ice", ICE | {"callid": name})))["call"] for name in ("one", "two")]
        assert calls == ["one", "two"]


# --- real payloads ----------------------------------------------------------------------------------------------------

EVERY_CALLBACK = """
def _see(context, data):
    context.log.info("%s %s", type(data).__name__, data.call_id)
def ice(context, data):
    _see(context, data)
    return IceSvamlBuilder().say(f"to {data.to.endpoint if data.to else 'nobody'}").hangup()
def ace(context, data):
    _see(context, data)
    return AceSvamlBuilder().continue_()
def pie(context, data):
    _see(context, data)
    return PieSvamlBuilder().say(str(data.menu_result.value if data.menu_result else "")or "-").hangup()
def dice(context, data):
    _see(context, data)
def notify(context, data):
    _see(context, data)
"""


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/strem", 'Did you mean "/stream"?'),
        ("/strem?lang=en", 'Did you mean "/stream"?'),
        ("/elsewhere", 'runtime.on_websocket("/elsewhere", stream)'),
    ],
)
def test_a_stream_path_without_a_socket_is_pointed_out(tmp_path: Path, path: str, advice: str) -> None:
    source = returning(f'IceSvamlBuilder().connect_stream("{path}")') + SOCKET
    with serving(tmp_path, source, SINCHFN_STREAM_SECRET=STREAM_SECRET) as served:
        endpoint_of(served.post("/ice", ICE))
        [warning] = served.logged("WARNING")
        assert "There is no socket at" in str(warning)
        assert advice in str(warning).replace('\\"', '"')


@pytest.mark.parametrize("file", EVENTS, ids=lambda file: str(file.stem))
@pytest.mark.parametrize("at", ["root", "path"])
def test_every_payload_on_record_is_answered_when_signed(tmp_path: Path, file: Path, at: str) -> None:
    body = file.read_bytes()
    payload = json.loads(body)
    name = payload.get("event") or file.stem.partition("_")[0]
    path = "/" if at == "root" and "event" in payload else f"/{name}"
    with serving(tmp_path, EVERY_CALLBACK, WEBHOOK_PROTECTION="always", SINCHFN_SVAML="strict", **SIGNING) as served:
        answer = served.post(path, body, headers=signed(body, path))
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json"), served.log
        assert isinstance(answer.json, dict)
        record = served.ledger[0]
        assert (record["handler"], record["kind"], record["outcome"]) == (name.lower(), "voice", "ok")
        assert record["call_id"] == (payload.get("callid") or payload.get("callId"))
        assert served.logged("ERROR") == []
        assert served.post(path, body).status == 401


def test_the_environment_of_these_tests_is_clean() -> None:
    assert not [name for name in clean_environment() if name.startswith("SINCHFN_")]
    assert isinstance(Served, type)
