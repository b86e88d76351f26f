"""Voice callbacks that no handler takes: a 404 that says what to write, a warning, a record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sinchfn import SinchFunctions
from sinchfn.wire import json as jsontext
from tests.harness.app import Served, own_logging, serving, write_function
from tests.harness.call import call
from tests.harness.signer import CALL_ID, ICE, SIGNING, encoded, signed

ICE_ONLY = "def ice(context, data): return IceSvamlBuilder().hangup()"
PIE = {"event": "pie", "callid": CALL_ID, "menuResult": {"type": "return", "value": "sales"}}
WITH_HOME = ICE_ONLY + "\ndef home(context, request): return 'home'"

VERIFIED: dict[str, Any] = {"WEBHOOK_PROTECTION": "always", **SIGNING}
OPEN: dict[str, Any] = {"WEBHOOK_PROTECTION": "never"}


@pytest.fixture(params=["verified", "open"])
def ice_only(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(tmp_path, ICE_ONLY, **(VERIFIED if request.param == "verified" else OPEN)) as served:
        yield served


def warnings_of(served: Served) -> list[str]:
    return [line["message"] for line in served.log_lines if line["level"] == "WARNING" and line["logger"] == "sinchfn"]


# --- an event without a handler -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/pie", "/v1/sinch/pie", "/webhook/pie", "/pie/"])
def test_an_event_without_a_handler_is_a_404_with_a_warning_and_a_record(ice_only: Served, path: str) -> None:
    answer = ice_only.call(PIE, path)
    assert answer.status == 404
    assert 'no handler for the event "pie"' in answer.json["error"]
    assert "def pie(context, data): ..." in answer.json["error"]
    assert answer.json["handlers"] == ["ice"]
    [warning] = warnings_of(ice_only)
    assert CALL_ID in warning
    assert "def pie(context, data): ..." in warning
    [record] = ice_only.ledger
    assert (record["kind"], record["handler"], record["status"], record["outcome"], record["call_id"]) == (
        *("voice", "pie", 404, "refused", CALL_ID),
    )
    [line] = ice_only.request_lines
    assert (line["level"], line["call_id"]) == ("WARNING", CALL_ID)


def test_so_is_an_ice_where_there_are_other_callbacks(tmp_path: Path) -> None:
    with serving(tmp_path, "def dice(context, data): pass", **VERIFIED) as served:
        assert served.call(ICE, "/").status == 404
        assert served.call(ICE, "/ice").status == 404
        assert ["def ice(context, data)" in warning for warning in warnings_of(served)] == [True, True]
        assert [record["handler"] for record in served.ledger] == ["ice", "ice"]


@pytest.mark.parametrize("name", ["on_pie", "onPie", "handle_pie", "pie_handler", "piee"])
def test_an_export_that_may_be_meant_is_named(tmp_path: Path, name: str) -> None:
    source = f"{ICE_ONLY}\ndef {name}(context, data): pass"
    with serving(tmp_path, source, **VERIFIED) as served:
        assert [f'"{name}"' in warning and '"pie"' in warning for warning in warnings_of(served)] == [True]  # at start
        assert f'Rename "{name}"' in served.call(PIE, "/").json["error"]
        assert f'Rename "{name}"' in warnings_of(served)[-1]


@pytest.mark.parametrize("name", ["users", "price", "pictures", "price_of_ice", "notes", "pei", "ipe"])
def test_an_export_that_has_nothing_to_do_with_it_is_not(tmp_path: Path, name: str) -> None:
    with serving(tmp_path, f"{ICE_ONLY}\ndef {name}(context, data): pass", **VERIFIED) as served:
        assert warnings_of(served) == []
        assert name not in served.call(PIE, "/").json["error"]


@pytest.mark.parametrize("path", ["/", "/pie", "/v1/pie"])
def test_an_unsigned_one_is_a_401_as_for_any_callback(tmp_path: Path, path: str) -> None:
    with serving(tmp_path, ICE_ONLY, **VERIFIED) as served:
        assert served.post(path, PIE).status == 401
        assert served.post(path, PIE, headers=signed(encoded(PIE), "/other")).status == 401
        assert {record["outcome"] for record in served.ledger} == {"refused"}
        assert "no handler" not in served.log


@pytest.mark.parametrize("path", ["/", "/ice", "/v1/ice", "/sinch"])
def test_a_signed_one_is_told_in_a_function_without_any_callback(tmp_path: Path, path: str) -> None:
    with serving(tmp_path, "def icee(context, data): pass", **VERIFIED) as served:
        begun = len(served.log)
        assert served.post(path, ICE).status in (404, 405)
        assert served.log[begun:] == ""
        assert served.ledger == []
        answer = served.call(ICE, path)
        assert (answer.status, 'Rename "icee"' in answer.json["error"]) == (404, True)
        assert [CALL_ID in warning for warning in warnings_of(served)] == [True]
        assert [(record["kind"], record["status"]) for record in served.ledger] == [("voice", 404)]


def test_so_is_one_in_development(tmp_path: Path) -> None:
    with serving(
        tmp_path, "def icee(context, data): pass", SINCHFN_ENV="development", SINCHFN_LOG_FORMAT="json"
    ) as served:
        for path in ("/", "/ice"):
            assert served.post(path, ICE).status == 404
        assert [CALL_ID in warning for warning in warnings_of(served) if "no handler" in warning] == [True, True]


@pytest.mark.parametrize("prefix", ["", "/fn"])
@pytest.mark.parametrize("path", ["/", "/pie", "/sinch"])
def test_it_is_told_in_a_host_too(tmp_path: Path, prefix: str, path: str) -> None:
    folder = write_function(tmp_path, ICE_ONLY)
    with own_logging() as written:
        host = Flask("host")
        SinchFunctions(folder, config=VERIFIED | {"SINCHFN_USAGE": "off"}).init_app(host, url_prefix=prefix or None)
        written.truncate(0)
        body, target = encoded(PIE), (prefix + path if path != "/" or not prefix else prefix)
        answer = call(host, "POST", target, data=body, headers=signed(body, target))
        assert answer.status == 404
        assert 'event "pie"' in answer.json["error"]
        assert CALL_ID in written.getvalue()


def test_what_is_no_callback_at_its_path_is_a_plain_404(tmp_path: Path) -> None:
    with serving(tmp_path, ICE_ONLY, **OPEN) as served:
        for body in (b"", b"x", b"[]", b'{"name": 1}'):
            assert served.post("/pie", body).status == 404
        assert served.get("/pie").status == 404
        assert served.ledger == []
        assert warnings_of(served) == []


# --- a menu without a handler for what comes of it ------------------------------------------------------------------

MENUS = {
    "a builder": "IceSvamlBuilder().run_menu(sinchfn.create_menu().prompt('Hi').option('1', 'return(a)'))",
    "a dict": "{'action': {'name': 'runMenu', 'menus': [{'id': 'main', 'mainPrompt': '#tts[Hi]'}]}}",
    "a dict in other letters": "{'action': {'name': 'RunMenu', 'menus': [{'id': 'main', 'mainPrompt': '#tts[Hi]'}]}}",
    "an answer": "{'statusCode': 200, 'body': {'action': {'name': 'runMenu', 'menus': [{'id': 'main'}]}}}",
}


@pytest.mark.parametrize("menu", MENUS.values(), ids=MENUS)
def test_a_menu_is_warned_of_when_it_is_sent_once_for_each_handler(tmp_path: Path, menu: str) -> None:
    with serving(tmp_path, f"def ice(context, data): return {menu}\ndef ace(context, data): return {menu}") as served:
        for path in ("/ice", "/ice", "/ace", "/ice"):
            assert served.post(path, {"callid": CALL_ID}).status == 200
        told = [warning for warning in warnings_of(served) if "def pie(context, data): ..." in warning]
        assert [warning.partition(" ")[0] for warning in told] == ["ice", "ace"]


def test_a_menu_with_a_handler_is_not(tmp_path: Path) -> None:
    source = f"def ice(context, data): return {MENUS['a builder']}\ndef pie(context, data): return None"
    with serving(tmp_path, source) as served:
        served.post("/ice", ICE)
        assert warnings_of(served) == []


# --- a callback that was sent to another path ------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sinch", "/voice/callbacks", "/ice/callback", "/webhook", "/webhook/voice"])
@pytest.mark.parametrize("event", ["ice", "ICE", "dice"])
def test_a_callback_to_another_path_is_told_where_callbacks_go(ice_only: Served, path: str, event: str) -> None:
    answer = ice_only.call(ICE | {"event": event}, path)
    assert answer.status == 404
    assert "ends in / (for all events)" in answer.json["error"]
    assert f"/{event.lower()}." in answer.json["error"]
    [warning] = warnings_of(ice_only)
    assert CALL_ID in warning
    assert path in warning
    [record] = ice_only.ledger
    assert (record["kind"], record["path"], record["status"]) == ("voice", path, 404)


def test_below_a_prefix_the_mount_is_named(tmp_path: Path) -> None:
    folder = write_function(tmp_path, ICE_ONLY)
    host = Flask("host")
    SinchFunctions(folder, config=VERIFIED | {"SINCHFN_USAGE": "off"}).init_app(host, url_prefix="/fn")
    body = encoded(ICE)
    answer = call(host, "POST", "/fn/sinch", data=body, headers=signed(body, "/fn/sinch"))
    assert "ends in /fn (for all events), or in /fn/ice." in answer.json["error"]
    assert call(host, "POST", "/sinch", data=body, headers=signed(body, "/sinch")).status == 404


@pytest.mark.parametrize("source", [ICE_ONLY, WITH_HOME], ids=["ice", "with home"])
def test_a_stranger_writes_no_line(tmp_path: Path, source: str) -> None:
    with serving(tmp_path, source, **VERIFIED) as served:
        begun = len(served.log)
        for headers in ({"Content-Type": "application/json"}, signed(encoded(ICE), "/other")):
            assert served.post("/sinch", ICE, headers=headers).status == 404
        assert served.log[begun:] == ""
        assert served.ledger == []


def test_a_large_body_is_not_read_to_see_if_it_is_a_callback(tmp_path: Path) -> None:
    with serving(tmp_path, ICE_ONLY, **OPEN) as served:
        assert served.post("/sinch", encoded(ICE | {"pad": "x" * 70_000})).status == 404
        assert warnings_of(served) == []


def test_what_does_not_look_like_a_callback_is_a_plain_404(tmp_path: Path) -> None:
    with serving(tmp_path, ICE_ONLY, **OPEN) as served:
        for body in (
            b"",
            b"{",
            b"[]",
            b'"ice"',
            b'{"event": "signup"}',
            b'{"event": 5}',
            b'{"data": {"event": "ice"}}',
        ):
            answer = served.post("/sinch", body)
            assert (answer.status, answer.json["error"]) == (404, "There is no handler for POST /sinch.")
        assert served.ledger == []
        assert warnings_of(served) == []


# --- at the root -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["call.incoming", "call.hangup", "Call.Incoming", "call.webhook.mine"])
@pytest.mark.parametrize("path", ["/", "/sinch", "/webhook/voice"])
def test_an_event_of_voice_v2_is_told_so(tmp_path: Path, path: str, event: str) -> None:
    body = {"event": event, "call": {"callId": "01AN4Z07BY79KA1307SR9X4MV3"}}
    with serving(tmp_path, ICE_ONLY, **OPEN) as served:
        answer = served.post(path, body)
        assert answer.status == 404
        assert f'"{event}" is an event of the Voice API v2' in answer.json["error"]
        assert "is an event of the Voice API v2" in warnings_of(served)[0]
        assert len(served.ledger) == 1


def test_one_that_is_signed_as_v2_signs_is_told_so_too(tmp_path: Path) -> None:
    body = encoded({"event": "call.incoming", "call": {"callId": "01AN4Z07BY79KA1307SR9X4MV3"}})
    with serving(tmp_path, ICE_ONLY, **VERIFIED) as served:
        for word in ("service", "application"):
            answer = served.post("/", body, headers=signed(body, "/x" if word == "application" else "/", word=word))
            assert answer.status == 401
            assert "is an event of the Voice API v2" in answer.json["error"]
        assert "is an event of the Voice API v2" in warnings_of(served)[0]
        answer = served.call(body, "/")
        assert (answer.status, "Voice API v2" in answer.json["error"]) == (404, True)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"event": "hello", "callid": CALL_ID}, '"hello"'),
        ({"callid": CALL_ID}, "none"),
        ({"event": 5}, "none"),
        ([], "none"),
    ],
)
def test_a_signed_request_that_names_no_callback_is_a_404_with_a_warning(tmp_path: Path, body: Any, told: str) -> None:
    with serving(tmp_path, ICE_ONLY, **VERIFIED) as served:
        answer = served.call(body, "/")
        assert answer.status == 404
        assert told in answer.json["error"]
        assert "ice, ace, pie, dice, notify" in answer.json["error"]
        assert len(warnings_of(served)) == 1
        assert [(record["handler"], record["outcome"]) for record in served.ledger] == [("/", "refused")]


# --- nothing is parsed before its signature holds --------------------------------------------------------------------

REFUSED = b'{"event": "ice", "callid": "1"}'


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that were parsed as JSON."""
    seen: list[bytes] = []
    loads = jsontext.loads

    def watched(data: bytes) -> Any:
        seen.append(data)
        return loads(data)

    monkeypatch.setattr(jsontext, "loads", watched)
    return seen


@pytest.mark.parametrize("body", [REFUSED, b"{", b"[" * 5000, b"{}", b"", b'{"event": "pie"}', b'{"event": "call.x"}'])
@pytest.mark.parametrize("headers", ["none", "signed otherwise", "another scheme"])
def test_an_unsigned_body_at_the_root_is_a_401_and_is_not_parsed(
    tmp_path: Path, parsed: list[bytes], body: bytes, headers: str
) -> None:
    sent = {
        "none": {"Content-Type": "application/json"},
        "signed otherwise": signed(body, "/other"),
        "another scheme": signed(body, "/", word="Bearer"),
    }[headers]
    with serving(tmp_path, ICE_ONLY, **VERIFIED) as served:
        assert served.post("/", body, headers=sent).status == 401
        assert parsed == []
        [record] = served.ledger
        assert (record["handler"], record["kind"], record["outcome"]) == (
            *("ice" if body == REFUSED else "/", "voice", "refused"),
        )


def test_beside_a_handler_of_the_root_one_that_claims_to_be_signed_is_not_parsed(
    tmp_path: Path, parsed: list[bytes]
) -> None:
    with serving(tmp_path, WITH_HOME, **VERIFIED) as served:
        for body in (REFUSED, b"{}", b'{"event": "pie"}'):
            assert served.post("/", body, headers=signed(body, "/other")).status == 401
        assert parsed == []


@pytest.mark.parametrize(
    "body", [REFUSED, b'{"event": "pie"}', b'{"\\u0065vent": "\\u0069ce"}', b'{"Event": 1, "event": "ICE"}']
)
def test_an_unsigned_callback_never_reaches_the_handler_of_the_root(tmp_path: Path, body: bytes) -> None:
    with serving(tmp_path, WITH_HOME, **VERIFIED) as served:
        assert served.post("/", body).status == 401


@pytest.mark.parametrize(
    "body", [b"", b"x=1", b"{", b"{}", b'{"event": "hello"}', b'{"data": {"event": "ice"}}', b"[1]"]
)
def test_what_is_no_callback_reaches_it_unsigned(tmp_path: Path, body: bytes) -> None:
    with serving(tmp_path, WITH_HOME, **VERIFIED) as served:
        answer = served.post("/", body)
        assert (answer.status, answer.text) == (200, "home")


def test_a_signed_callback_is_verified_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sinchfn.security.application import ApplicationScheme

    verify, times = ApplicationScheme.verify, []

    def counted(self: Any, **parts: Any) -> None:
        times.append(1)
        verify(self, **parts)

    monkeypatch.setattr(ApplicationScheme, "verify", counted)
    with serving(tmp_path, WITH_HOME, **VERIFIED) as served:
        for path in ("/", "/ice"):
            assert served.call(ICE, path).status == 200
        assert len(times) == 2
        assert served.call({"event": "hello"}, "/").text == "home"
