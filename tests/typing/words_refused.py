"""Words of enumerations that a type checker must find misspelt. Only type-checked, never run."""

# pyright: reportUnnecessaryComparison=true

from __future__ import annotations

from sinchfn import (
    DiceRequest,
    IceRequest,
    MessageDeliveryEvent,
    MessageInboundEvent,
    NotifyRequest,
    PieRequest,
    PostCallTranscription,
    SinchVoiceController,
    Svaml,
    create_pie_builder,
    get_channel,
)
from sinchfn.voice.callbacks import AceRequest
from sinchfn.voice.client import CallDetails


def ice(context: object, data: IceRequest) -> bool:
    event = data.event == "ices"  # refuse: ices
    domain = data.domain == "pnst"  # refuse: pnst
    origin = data.origination_type == "sips"  # refuse: sips
    kind = data.to is not None and data.to.type == "nummer"  # refuse: nummer
    return event or domain or origin or kind


def ace(context: object, data: AceRequest) -> bool:
    if data.amd is None:
        return False
    status = data.amd.status == "humans"  # refuse: humans
    reason = data.amd.reason != "beeep"  # refuse: beeep
    return status or reason


def pie(context: object, data: PieRequest) -> bool:
    if data.menu_result is None:
        return False
    if data.menu_result.type == "retrun":  # refuse: retrun
        return True
    return data.menu_result.input_method == "dmtf"  # refuse: dmtf


def dice(context: object, data: DiceRequest) -> bool:
    result = data.result == "ANSWERD"  # refuse: ANSWERD
    reason = data.reason == "CALLERHUNGUP"  # refuse: CALLERHUNGUP
    return result or reason


def notify(context: object, data: NotifyRequest) -> bool:
    return data.type == "recording_finshed"  # refuse: recording_finshed


def of_a_call(call: CallDetails) -> bool:
    return call.status == "FINISHED"  # refuse: FINISHED


def of_messages(event: MessageInboundEvent, delivery: MessageDeliveryEvent, agents: PostCallTranscription) -> bool:
    channel = get_channel(event) == "WHATSAP"  # refuse: WHATSAP
    status = agents.status == "finished"  # refuse: finished
    report = delivery.message_delivery_report
    return channel or status or (report is not None and report.status == "DELIVRED")  # refuse: DELIVRED


class Ivr(SinchVoiceController):
    def pie(self, data: PieRequest) -> Svaml:
        if data.menu_result and data.menu_result.type == "retrun":  # refuse: retrun
            return create_pie_builder().continue_()
        return create_pie_builder().hangup()
