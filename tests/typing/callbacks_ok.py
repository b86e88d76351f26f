"""What a type checker must see in the voice callbacks. Only type-checked, never run."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, assert_type

from sinchfn.voice.callbacks import (
    EVENTS,
    AceRequest,
    AmdResult,
    CallbackRequest,
    CallResult,
    Destination,
    DestinationType,
    DiceRequest,
    Event,
    IceRequest,
    MenuResult,
    NotifyRequest,
    NotifyType,
    PieRequest,
    Price,
)
from sinchfn.wire.objects import KeyValue, KeyValues


def common(data: CallbackRequest) -> None:
    assert_type(data.event, Event | None)
    assert_type(data.call_id, str | None)
    assert_type(data.conference_id, str | None)
    assert_type(data.version, int | None)
    assert_type(data.timestamp, datetime | None)
    assert_type(data.custom, str | None)
    assert_type(data.application_key, str | None)
    assert_type(data.cookies, KeyValues | None)
    assert_type(data.delayed, bool | None)
    assert_type(data.error_code, int | None)
    assert_type(data["callid"], Any)
    assert_type(data.raw, dict[str, Any])


def ice(data: IceRequest) -> None:
    assert_type(data.call_id, str | None)
    assert_type(data.cli, str | None)
    assert_type(data.to, Destination | None)
    assert_type(data.user_rate, Price | None)
    assert_type(data.call_headers, KeyValues | None)
    if data.to is not None:
        assert_type(data.to.endpoint, str | None)
        assert_type(data.to.type, DestinationType | None)
    if data.user_rate is not None:
        assert_type(data.user_rate.amount, Decimal | None)
        assert_type(data.user_rate.currency_id, str | None)
    if data.cookies is not None:
        assert_type(data.cookies[0], KeyValue)
        assert_type(data.cookies[:1], KeyValues)
        assert_type(data.cookies["step"], str)
        assert_type(data.cookies.get("step"), str | None)
        assert_type(data.cookies.get("step", ""), str)
        assert_type(data.cookies.to_dict(), dict[str, str])
        for key, value in data.cookies:
            assert_type(key, str)
            assert_type(value, str)


def others(ace: AceRequest, pie: PieRequest, dice: DiceRequest, notify: NotifyRequest) -> None:
    assert_type(ace.amd, AmdResult | None)
    assert_type(pie.menu_result, MenuResult | None)
    assert_type(dice.debit, Price | None)
    assert_type(dice.from_, str | None)
    assert_type(dice.duration, int | None)
    assert_type(dice.result, CallResult | None)
    assert_type(notify.type, NotifyType | None)
    assert_type(notify.amd, AmdResult | None)
    if pie.menu_result is not None:
        assert_type(pie.menu_result.value, str | None)
        assert_type(pie.menu_result.add_to_context, tuple[Any, ...] | None)


assert_type(EVENTS["ice"], type[CallbackRequest])
