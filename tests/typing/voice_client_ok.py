"""What a type checker must see in the client of the voice API. Only type-checked, never run."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, assert_type

from sinchfn import AceSvamlBuilder, DiceRequest, IceRequest, create_ice_builder, create_menu
from sinchfn.errors import VoiceApiError
from sinchfn.services.clients import Clients
from sinchfn.voice.client import CallDetails, Callout, CalloutDestination, Conference, Participant, VoiceClient

client = VoiceClient("key", "c2VjcmV0", api="euc1", timeout=3)
alice: CalloutDestination = {"type": "sip", "endpoint": "alice@sip.example.com"}


def callouts(number: str, cli: str | None) -> None:
    assert_type(client.callouts.tts(number, "Hello"), Callout)
    assert_type(client.callouts.tts(alice, prompts=["Hello", "https://example.com/a.mp3"], cli=cli), Callout)
    assert_type(client.callouts.tts({"type": "username", "endpoint": "bob"}, "Hello", enable_dice=True), Callout)
    assert_type(client.callouts.conference(number, "team", moh="ring", dtmf_mode="detect", greeting="Hi"), Callout)
    menu = create_menu().prompt("Press 1").option("1", "return(yes)")
    made = client.callouts.custom(
        ice=create_ice_builder().connect_pstn(number, cli=cli),
        ace=AceSvamlBuilder().run_menu(menu),
        pie={"action": {"name": "hangup"}},
        dice="https://example.com/dice",
    )
    assert_type(made.call_id, str | None)
    client.callouts.custom(ice="https://example.com/ice", destination=number, cli=cli)
    assert_type(client.calls.get(made.call_id), CallDetails)


def callbacks(ice: IceRequest, dice: DiceRequest) -> None:
    client.calls.update(ice.call_id, AceSvamlBuilder().say("Bye").hangup())
    client.calls.update(ice.call_id, AceSvamlBuilder().say("Bye"))
    client.calls.manage_leg(ice.call_id, "caller", {"instructions": []})
    client.conferences.kick(dice.conference_id, dice.call_id)


def answers(call: CallDetails, conference: Conference, error: VoiceApiError) -> None:
    assert_type(call.status, Literal["ONGOING", "FINAL"] | None)
    assert_type(call.timestamp, datetime | None)
    assert_type(call.duration, int | None)
    if call.debit is not None:
        assert_type(call.debit.amount, Decimal | None)
    if call.from_ is not None:
        assert_type(call.from_.endpoint, str | None)
    assert_type(conference.participants, tuple[Participant, ...])
    for participant in conference.participants:
        assert_type(participant.muted, bool | None)
        client.conferences.mute("team", participant.call_id)
    assert_type(error.status, int | None)
    assert_type(error.code, int | None)
    assert_type(error.message, str)
    assert_type(error.reference, str | None)
    assert_type(error.retry_after, float | None)


def context(clients: Clients) -> None:
    assert_type(clients.voice.v1, VoiceClient | None)
    with VoiceClient("key", "c2VjcmV0") as made:
        assert_type(made, VoiceClient)
