"""Voice callbacks: every fixture is read, and no JSON makes one fail."""

from __future__ import annotations

import copy
import json
import logging
import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchfn.voice import callbacks
from sinchfn.voice.callbacks import EVENTS as CALLBACKS
from sinchfn.voice.callbacks import (
    AceRequest,
    AmdResult,
    CallbackRequest,
    Destination,
    DiceRequest,
    IceRequest,
    MenuResult,
    NotifyRequest,
    PieRequest,
    Price,
)
from sinchfn.wire.objects import Caseless, KeyValue, KeyValues, Wire, WireObject
from tests.harness.paths import EVENTS, VOICE

EVENTS = {path.stem: json.loads(path.read_text("utf-8")) for path in EVENTS}

#: The two wire fields whose attribute is not simply their name in snake_case.
RENAMED = {"callid": "call_id", "from": "from_"}

#: Wire field -> type of what its attribute reads, for all that are no plain strings.
TYPES: dict[str, type] = {
    "version": int,
    "timestamp": datetime,
    "duration": int,
    "errorCode": int,
    "delayed": bool,
    "amount": Decimal,
    "userRate": Price,
    "debit": Price,
    "to": Destination,
    "amd": AmdResult,
    "menuResult": MenuResult,
    "addToContext": tuple,
    "callHeaders": KeyValues,
    "cookies": KeyValues,
    "event": Caseless,
    "type": Caseless,
    "inputMethod": Caseless,
    "status": Caseless,
    "reason": Caseless,
    "result": Caseless,
    "domain": Caseless,
    "originationType": Caseless,
}

SHAPES: list[type[WireObject]] = [*CALLBACKS.values(), Price, Destination, AmdResult, MenuResult]


def attribute_of(wire_name: str) -> str:
    return RENAMED.get(wire_name) or re.sub("[A-Z]", lambda capital: "_" + capital[0].lower(), wire_name)


def wires(shape: type[WireObject]) -> dict[str, Wire[Any]]:
    """Attribute -> descriptor, of a class and its bases."""
    return {name: wire for base in shape.__mro__ for name, wire in vars(base).items() if isinstance(wire, Wire)}


def read_all(data: WireObject) -> dict[str, Any]:
    """Every known field, nested ones too."""
    read: dict[str, Any] = {name: getattr(data, name) for name in wires(type(data))}
    for value in read.values():
        if isinstance(value, WireObject):
            read_all(value)
    return read


def callback(event: dict[str, Any]) -> CallbackRequest:
    return CALLBACKS[event["event"]](event)


def check(data: WireObject) -> None:
    for wire_name, found in data.raw.items():
        value = getattr(data, attribute_of(wire_name))
        assert type(value) is TYPES.get(wire_name, str), wire_name
        if isinstance(value, WireObject):
            check(value)
        elif isinstance(value, str):
            assert str.__eq__(value, found)


class TestFixtures:
    @pytest.mark.parametrize("name", EVENTS)
    def test_every_wire_field_is_an_attribute_of_the_right_type(self, name: str) -> None:
        check(callback(EVENTS[name]))

    @pytest.mark.parametrize("name", EVENTS)
    def test_reading_logs_nothing_and_does_not_change_raw(self, name: str, caplog: pytest.LogCaptureFixture) -> None:
        event = EVENTS[name]
        before = copy.deepcopy(event)
        data = callback(event)
        read_all(data)
        assert data.raw is event
        assert event == before
        assert not caplog.records

    def test_an_incoming_call(self) -> None:
        data = IceRequest(EVENTS["ice_pstn_did"])
        assert data.event == "ice"
        assert data.call_id == "1ce0ffee-ca11-ca11-ca11-abcdef000053"
        assert data.timestamp == datetime(2024, 6, 6, 17, 20, 14, tzinfo=UTC)
        assert data.user_rate == {"currencyId": "USD", "amount": 0.0}
        assert data.user_rate is not None
        assert data.user_rate.currency_id == "USD"
        assert data.to is not None
        assert data.to.type == "did"
        assert data.to.endpoint == "+12017777777"
        assert data.rdnis == ""
        assert data.cookies is None
        assert data.call_headers is None

    def test_headers_cookies_and_seven_digits(self) -> None:
        data = IceRequest(EVENTS["ice_sip"])
        assert data.timestamp == datetime(2024, 6, 6, 17, 20, 14, 123456, tzinfo=UTC)
        assert data.cookies is not None
        assert data.cookies["step"] == "greeting_done"
        assert data.call_headers is not None
        assert data.call_headers[0] == KeyValue("X-My-Private-Header-1", "bar")

    def test_a_disconnected_call(self) -> None:
        data = DiceRequest(EVENTS["dice_answered"])
        assert data.debit is not None
        assert data.debit.amount == Decimal("0.0095")
        assert data.from_ == "12015555555"
        assert data.duration == 12
        assert DiceRequest(EVENTS["dice_doc_failed_no_duration"]).duration is None

    def test_menus_amd_and_errors(self) -> None:
        menu = PieRequest(EVENTS["pie_sequence_addToContext"]).menu_result
        assert menu is not None
        assert menu.add_to_context == ()
        assert menu.value == "6789"
        amd = NotifyRequest(EVENTS["notify_amd"]).amd
        assert amd is not None
        assert amd.duration == 3
        assert NotifyRequest(EVENTS["notify_callingerror"]).error_code == 40001
        assert AceRequest(EVENTS["ace"]).custom == "Custom text"

    def test_custom_stays_a_string_also_when_it_holds_json(self) -> None:
        assert IceRequest(EVENTS["ice_app_to_conference"]).custom == '{"foo":"bar"}'


class TestSpelling:
    @pytest.mark.parametrize("spelling", ["callid", "callId", "CallId", "CALLID"])
    def test_the_call_id_is_one_however_it_is_spelled(self, spelling: str) -> None:
        data = IceRequest({spelling: "x"})
        assert data.call_id == "x"
        for asked in ("callid", "callId", "CallId", spelling):
            assert data[asked] == "x"
            assert data.get(asked) == "x"
            assert asked in data
        assert list(data) == [spelling]

    def test_any_field_is_found_without_case(self) -> None:
        data = PieRequest({"MenuResult": {"MenuId": "main", "TYPE": "Return"}})
        assert data.menu_result is not None
        assert data.menu_result.menu_id == "main"
        assert data.menu_result["type"] == "Return"

    def test_the_exact_spelling_goes_before_others(self) -> None:
        data = IceRequest({"callId": "other", "callid": "exact"})
        assert data.call_id == "exact"
        assert data["callid"] == "exact"
        assert data["callId"] == "other"

    def test_unknown_names_are_a_key_error_and_unknown_fields_are_kept(self) -> None:
        data = IceRequest({"event": "ice", "brandNew": [1]})
        assert data["brandNew"] == [1]
        assert data.get("nope", 5) == 5
        assert "nope" not in data
        number: Any = 42
        assert number not in data
        with pytest.raises(KeyError, match="nope"):
            data["nope"]

    def test_it_is_a_mapping_of_the_received_object(self) -> None:
        raw = EVENTS["ice_sip"]
        data = IceRequest(raw)
        assert dict(data) == raw
        assert len(data) == len(raw)
        assert data == raw
        assert data == IceRequest(copy.deepcopy(raw))
        assert data != IceRequest({})
        assert data != 1


def listed(name: str) -> set[str]:
    found = json.loads((VOICE / "enums.json").read_text())[name]
    return set(found) if isinstance(found, list) else {word for words in found.values() for word in words}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (callbacks.Event, ["event"]),
        (callbacks.Domain, ["domain"]),
        (callbacks.OriginationType, ["originationType"]),
        (callbacks.MenuResultType, ["menuResult.type"]),
        (callbacks.InputMethod, ["menuResult.inputMethod"]),
        (callbacks.CallResult, ["result"]),
        (callbacks.CallReason, ["dice.reason", "getCall.reason"]),
        (callbacks.NotifyType, ["notify.type_known"]),
        (callbacks.AmdStatus, ["amd.status"]),
        (callbacks.AmdReason, ["amd.reason"]),
        (callbacks.DestinationType, ["destination.type"]),
    ],
)
def test_a_type_lists_every_value_that_is_documented(kind: Any, names: list[str]):
    assert {word for name in names for word in listed(name)} <= set(get_args(kind))


class TestWords:
    def test_they_compare_without_case_and_keep_their_text_and_hash(self) -> None:
        word = DiceRequest({"result": "Answered"}).result
        assert word == "ANSWERED"
        assert word == "answered"
        assert (word != "ANSWERED") is False
        assert word != "BUSY"
        assert word != 1
        assert word in ("ANSWERED", "BUSY")
        assert str(word) == "Answered"
        assert repr(word) == "'Answered'"
        assert json.dumps(word) == '"Answered"'
        assert hash(word) == hash("Answered")
        assert word in {"Answered"}

    def test_match_ignores_case(self) -> None:
        match IceRequest({"domain": "PSTN"}).domain:
            case "pstn":
                pass
            case _:
                pytest.fail("no match")

    def test_unknown_values_are_kept(self) -> None:
        assert NotifyRequest({"type": "teleported"}).type == "teleported"


class TestTimestamps:
    @pytest.mark.parametrize(
        ("text", "microsecond"),
        [
            ("2024-06-06T17:20:14Z", 0),
            ("2024-06-06T17:20:14", 0),
            ("2024-06-06T17:20:14.1", 100000),
            ("2024-06-06T17:20:14.123Z", 123000),
            ("2024-06-06T17:20:14.1234567Z", 123456),
            ("2024-06-06T17:20:14.123456789", 123456),
            ("2024-06-06T19:20:14+02:00", 0),
            ("2024-06-06T12:20:14.5-0500", 500000),
            ("2024-06-06 17:20:14Z", 0),
        ],
    )
    def test_every_form_of_the_platform_is_aware_and_utc(self, text: str, microsecond: int) -> None:
        timestamp = IceRequest({"timestamp": text}).timestamp
        assert timestamp == datetime(2024, 6, 6, 17, 20, 14, microsecond, tzinfo=UTC)
        assert timestamp.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2024-06-06T17:20:14Z!",
            "2024-06-06T17:20:14.12x",
            "2024-06-06",
            "2024-W23-4",
            "2024-02-30T17:20:14Z",
            "0001-01-01T00:00:00+10:00",
            "9999-12-31T23:59:59-10:00",
            "2024-06-06T17:20:14+99:00",
            "yesterday",
        ],
    )
    def test_other_text_reads_as_none(self, text: str) -> None:
        assert IceRequest({"timestamp": text}).timestamp is None


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "exact"),
        [
            (0, "0"),
            (0.0095, "0.0095"),
            (0.1, "0.1"),
            ("0.368", "0.368"),
            (-1, "-1"),
            (1e-7, "1E-7"),
            (2**70, str(2**70)),
        ],
    )
    def test_amounts_are_exact(self, amount: Any, exact: str) -> None:
        assert Price({"amount": amount}).amount == Decimal(exact)

    @pytest.mark.parametrize(
        "amount", [math.nan, math.inf, "NaN", "Infinity", "much", "", True, [], {}, "1e" + "9" * 30]
    )
    def test_anything_but_a_finite_number_reads_as_none(self, amount: Any) -> None:
        assert Price({"amount": amount}).amount is None

    def test_a_null_currency_is_none(self) -> None:
        assert Price({"currencyId": None, "amount": 1}).currency_id is None


class TestKeyValues:
    def test_they_are_a_sequence_with_access_by_key(self) -> None:
        cookies = IceRequest({"cookies": [{"key": "a", "value": "1"}, {"Key": "b", "Value": "2"}]}).cookies
        assert cookies is not None
        assert list(cookies) == [KeyValue("a", "1"), ("b", "2")]
        assert cookies[-1].value == "2"
        assert cookies[:1].to_dict() == {"a": "1"}
        assert cookies["b"] == "2"
        assert cookies.get("b") == "2"
        assert cookies.get("c") is None
        assert cookies.get("c", "x") == "x"
        present: Any = "a"
        absent: Any = "c"
        assert present in cookies
        assert absent not in cookies
        assert KeyValue("a", "1") in cookies
        assert cookies.to_dict() == {"a": "1", "b": "2"}
        with pytest.raises(KeyError):
            cookies["c"]
        with pytest.raises(IndexError):
            cookies[2]

    def test_an_object_reads_like_a_list(self) -> None:
        listed = IceRequest({"cookies": [{"key": "a", "value": "1"}]}).cookies
        assert IceRequest({"cookies": {"a": "1"}}).cookies == listed

    def test_of_a_repeated_key_the_last_one_counts(self) -> None:
        twice = KeyValues([KeyValue("a", "1"), KeyValue("a", "2")])
        assert twice["a"] == twice.get("a") == twice.to_dict()["a"] == "2"
        assert len(twice) == 2

    def test_a_missing_value_is_empty(self) -> None:
        headers = IceRequest({"callHeaders": [{"key": "a"}, {"key": "b", "value": None}]}).call_headers
        assert headers is not None
        assert headers.to_dict() == {"a": "", "b": ""}

    def test_an_empty_list_is_empty_and_not_none(self) -> None:
        cookies = IceRequest({"cookies": []}).cookies
        assert cookies is not None
        assert len(cookies) == 0

    @pytest.mark.parametrize(
        "wrong", [1, "a", [1], [{"value": "1"}], [{"key": 1, "value": "1"}], {"a": 1}, [["a", "1"]]]
    )
    def test_a_malformed_item_makes_the_field_none(self, wrong: Any) -> None:
        assert IceRequest({"cookies": wrong}).cookies is None

    def test_they_cannot_be_changed(self) -> None:
        cookies: Any = KeyValues([KeyValue("a", "1")])
        with pytest.raises(TypeError):
            cookies[0] = KeyValue("b", "2")


class TestWrongTypes:
    @pytest.mark.parametrize(
        ("wire_name", "wrong", "logged"),
        [
            ("callid", 5, "IceRequest.callid reads as None: expected a string, found a number"),
            ("duration", True, "IceRequest.duration reads as None: expected an integer, found a boolean"),
            ("duration", "hidden", "IceRequest.duration reads as None: expected an integer, found a string"),
            ("duration", "12", "IceRequest.duration reads as None: expected an integer, found a string"),
            ("duration", 1.5, "IceRequest.duration reads as None: expected an integer, found a number"),
            ("version", math.nan, "IceRequest.version reads as None: expected an integer, found a number"),
            ("delayed", 1, "IceRequest.delayed reads as None: expected a boolean, found a number"),
            ("to", "hidden", "IceRequest.to reads as None: expected an object, found a string"),
            ("domain", ["hidden"], "IceRequest.domain reads as None: expected a string, found an array"),
            (
                "timestamp",
                "hidden",
                "IceRequest.timestamp reads as None: expected an ISO 8601 date-time, found a string",
            ),
            ("userRate", [], "IceRequest.userRate reads as None: expected an object, found an array"),
        ],
    )
    def test_it_reads_as_none_and_is_logged_once_without_the_value(
        self, wire_name: str, wrong: Any, logged: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        data = IceRequest({wire_name: wrong})
        for _ in range(3):
            assert getattr(data, attribute_of(wire_name)) is None
        assert [(record.name, record.levelno) for record in caplog.records] == [("sinchfn.wire", logging.WARNING)]
        assert caplog.messages == [logged]
        assert data[wire_name] is wrong

    def test_a_nested_field_is_named_by_its_whole_path(self, caplog: pytest.LogCaptureFixture) -> None:
        debit = DiceRequest({"debit": {"amount": []}}).debit
        assert debit is not None
        assert debit.amount is None
        assert caplog.messages == ["DiceRequest.debit.amount reads as None: expected a finite number, found an array"]

    def test_absent_and_null_read_as_none_and_are_not_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        for shape in SHAPES:
            assert set(read_all(shape({})).values()) == {None}
            nulls = {wire.wire_name: None for wire in wires(shape).values()}
            assert set(read_all(shape(nulls)).values()) == {None}
        assert not caplog.records

    def test_an_integral_float_is_an_integer(self) -> None:
        duration = IceRequest({"duration": 12.0}).duration
        assert duration == 12
        assert type(duration) is int

    def test_every_type_of_field_says_what_it_expects(self) -> None:
        used = {type(wire.field) for shape in SHAPES for wire in wires(shape).values()}
        assert all(kind.expected for kind in used)


HUGE = st.sampled_from([19, 400, 5000]).map(lambda digits: -(10**digits))  # the last is too long for `str`
NUMBERS = st.integers() | st.floats() | HUGE
LONE_SURROGATES = st.text(st.characters())  # Hypothesis leaves surrogates out unless asked
TEXTS = st.text() | LONE_SURROGATES | st.sampled_from(["\ud800", "\udfff\ud83d", "", "\x00", "1e999999999999", "٣"])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS | st.sampled_from(["key", "value", "Key"]), inner),
    max_leaves=12,
)


def deep(levels: int, *, as_object: bool) -> Any:
    value: Any = []
    for _ in range(levels):
        value = {"to": value} if as_object else [value]
    return value


class TestWhateverComes:
    @given(st.sampled_from(SHAPES), st.data())
    def test_any_json_in_any_field_reads_as_the_declared_type_or_none(
        self, shape: type[WireObject], data: st.DataObject
    ) -> None:
        known = {wire.wire_name for wire in wires(shape).values()}
        raw = data.draw(st.dictionaries(st.sampled_from(sorted(known)) | TEXTS, JSON))
        before = copy.deepcopy(raw)
        request = shape(raw)
        for name, value in read_all(request).items():
            wire_name = wires(shape)[name].wire_name
            assert value is None or type(value) is TYPES.get(wire_name, str)
        assert isinstance(repr(request), str)
        assert request.raw is raw
        assert repr_without_identity(raw) == repr_without_identity(before)

    @pytest.mark.parametrize("as_object", [True, False])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_deep_nesting_in_any_field_never_fails(self, shape: type[WireObject], as_object: bool) -> None:
        nested = deep(100_000, as_object=as_object)
        raw = {wire.wire_name: nested for wire in wires(shape).values()}
        request = shape(raw)
        for name in wires(shape):
            getattr(request, name)
        assert repr(request).startswith(f"<{shape.__name__}")
        assert all(value is nested for value in raw.values())

    def test_nothing_is_parsed_before_it_is_read(self) -> None:
        data = IceRequest({"callid": 5, "timestamp": "?"})
        assert set(vars(data)) == {"raw", "where"}
        assert data.call_id is None
        assert set(vars(data)) == {"raw", "where", "call_id"}


def repr_without_identity(value: Any) -> Any:
    """Something comparable for JSON that holds NaN and integers too long for `str`."""
    if isinstance(value, dict):
        return [(key, repr_without_identity(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [repr_without_identity(item) for item in value]
    return hex(value) if isinstance(value, int) else repr(value)


class TestRepr:
    def test_it_is_short_and_one_line(self) -> None:
        assert repr(IceRequest({"callid": "1ce0ffee-1"})) == "<IceRequest 1ce0ffee-1>"
        assert repr(IceRequest({})) == "<IceRequest>"
        assert repr(IceRequest({"callid": "a\nb\ud800"})) == "<IceRequest a\\nb\\ud800>"
        assert len(repr(IceRequest({"callid": "x" * 10_000}))) < 100
        assert repr(Destination({"type": "did", "endpoint": "+1"})) == "<Destination did>"

    @pytest.mark.parametrize(("name", "kind"), CALLBACKS.items())
    def test_its_text_has_the_event_and_the_call(self, name: str, kind: type[Any]) -> None:
        assert f"{kind({'event': name, 'callid': '1ce0ffee-1'})}" == f"{name} 1ce0ffee-1"
        assert f"{kind({'callid': '1ce0ffee-1'})}" == f"{name} 1ce0ffee-1"
        assert str(kind({"event": name.upper(), "callId": "a\nb\ud800"})) == f"{name.upper()} a\\nb\\ud800"
        assert str(kind({})) == name
        assert len(str(kind({"event": "e" * 10_000, "callid": "x" * 10_000}))) < 150
        record = logging.LogRecord("l", logging.INFO, "f", 1, "took %s", (kind({"callid": "1ce0ffee-1"}),), None)
        assert record.getMessage() == f"took {name} 1ce0ffee-1"

    def test_the_class_itself_gives_the_descriptor(self) -> None:
        assert IceRequest.call_id.wire_name == "callid"

    def test_the_table_holds_the_five_callbacks(self) -> None:
        assert list(CALLBACKS) == ["ice", "ace", "pie", "dice", "notify"]
