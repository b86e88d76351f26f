"""Words of enumerations as a type checker sees them. Only type-checked, never run."""

# pyright: reportUnnecessaryComparison=true

from __future__ import annotations

from typing import Literal, assert_type

from sinchfn import DiceRequest, IceRequest, MessageInboundEvent, NotifyRequest, PieRequest, get_channel
from sinchfn.voice.callbacks import CallReason, MenuResultType
from sinchfn.webhooks.conversation.inbound import ChannelName


def pie(context: object, data: PieRequest) -> str:
    if data.menu_result is None:
        return ""
    assert_type(data.menu_result.type, MenuResultType | None)
    match data.menu_result.type:
        case "return" | "sequence":
            return data.menu_result.value or ""
        case "timeout" | "hangup" | "invalidinput" | "error":
            return "nothing"
        case other:
            return other or ""  # what the documents do not list, at run time


def others(ice: IceRequest, dice: DiceRequest, notify: NotifyRequest, message: MessageInboundEvent) -> bool:
    assert_type(ice.event, Literal["ice", "ace", "pie", "dice", "notify"] | None)
    assert_type(dice.reason, CallReason | None)
    assert_type(get_channel(message), ChannelName | None)
    told: str = (dice.reason or "").lower()
    undocumented = dice["reason"] == "SOMETHINGNEW"
    return told in ("timeout", "busy") or undocumented or notify.type == "amd" or dice.result == "N/A"
