"""What a type checker must accept: every method of the builders with every option. Never run, only checked."""

from __future__ import annotations

from typing import Any, assert_type

from sinchfn.voice.fallbacks import error_answer, invalid_input, service_unavailable
from sinchfn.voice.svaml import (
    AceSvamlBuilder,
    AgentProvider,
    Amd,
    CallHeader,
    Fault,
    Faults,
    IceSvamlBuilder,
    MenuBuilder,
    MenuTemplates,
    Moh,
    PieSvamlBuilder,
    SampleRate,
    Svaml,
    Transport,
    check_svaml,
    create_ace_builder,
    create_ice_builder,
    create_menu,
    create_pie_builder,
)

music: Moh = "music1"
rate: SampleRate = 16000
transport: Transport = "tls"
headers: list[CallHeader] = [{"key": "X-A", "value": "b"}]
amd: Amd = {"enabled": True, "async": True}

ice = IceSvamlBuilder()
assert_type(create_ice_builder(), IceSvamlBuilder)
assert_type(create_ace_builder(), AceSvamlBuilder)
assert_type(create_pie_builder(), PieSvamlBuilder)

assert_type(ice.say("Hello"), IceSvamlBuilder)
assert_type(ice.say("Hello", locale="en-US").play("welcome", "en-US"), IceSvamlBuilder)
assert_type(ice.play_files(["a", "#tts[b]"], locale="Joanna"), IceSvamlBuilder)
assert_type(ice.set_cookie("k", "v").answer().send_dtmf("1w2#"), IceSvamlBuilder)
assert_type(ice.start_recording("s3://b/f").stop_recording(), IceSvamlBuilder)
assert_type(
    AceSvamlBuilder().start_recording(
        destination_url="s3://b/f",
        credentials="k:s:r",
        format="mp3",
        notification_events=False,
        transcription=True,
        transcription_locale="en-US",
    ),
    AceSvamlBuilder,
)
assert_type(PieSvamlBuilder().start_recording("s3://b", transcription_options={"enabled": True}), PieSvamlBuilder)

assert_type(ice.hangup(), Svaml)
assert_type(ice.continue_(), Svaml)
assert_type(ice.connect_pstn(), Svaml)
assert_type(
    ice.connect_pstn(
        "+46",
        locale="en-US",
        max_duration=60,
        dial_timeout=20,
        cli="private",
        suppress_callbacks=True,
        dtmf="1w",
        indications="se",
        amd=True,
        amd_async=True,
    ),
    Svaml,
)
assert_type(ice.connect_pstn("+46", amd=amd), Svaml)
assert_type(ice.connect_pstn("+46", amd={"enabled": True}), Svaml)
assert_type(ice.connect_mxp("user", call_headers=headers, record=True, recording_options={"format": "mp3"}), Svaml)
assert_type(
    PieSvamlBuilder().connect_sip(
        "a@b",
        max_duration=60,
        cli="private",
        transport=transport,
        suppress_callbacks=True,
        call_headers={"X-A": "b"},
        moh=music,
    ),
    Svaml,
)
assert_type(
    AceSvamlBuilder().connect_conf("room", moh="ring", dtmf_mode="detect", max_digits=4, timeout_mills=1), Svaml
)
assert_type(ice.connect_conf("room", conference_dtmf_options={"mode": "forward", "maxDigits": 1}), Svaml)
assert_type(ice.connect_stream("/stream", sample_rate=rate, max_duration=60, call_headers={"k": "v"}), Svaml)
assert_type(ice.park(intro_prompt="#tts[a]", hold_prompt="#tts[b]", locale="en-US", max_duration=600), Svaml)
assert_type(ice.connect_agent(AgentProvider.ELEVENLABS, "+46", max_duration=60), Svaml)
assert_type(ice.connect_agent("elevenlabs", "+46", call_headers={"X-A": "b"}), Svaml)

menu = create_menu().prompt("Hi").repeat_prompt("Again").option(1, "return(x)").option("2", "menu(sub)")
assert_type(menu.timeout(1000).repeats(0).max_digits(1).max_timeout(1).barge().locale("en").enable_voice(), MenuBuilder)
assert_type(menu.add_submenu("sub").prompt("Sub"), MenuBuilder)
assert_type(menu.build(), dict[str, Any])
assert_type(ice.run_menu(menu, barge=False, locale="en", main_menu="main", enable_voice=True), Svaml)
assert_type(ice.run_menu(menu.build()), Svaml)
assert_type(ice.run_menu([{"id": "main", "mainPrompt": "#tts[Hi]"}]), Svaml)
assert_type(MenuTemplates.language({"English": "en-US"}), MenuBuilder)
assert_type(MenuTemplates.language(["English"]), MenuBuilder)
assert_type(MenuTemplates.numeric_input("PIN", max_digits=4, timeout=1000), MenuBuilder)

assert_type(ice.hangup().build(), dict[str, Any])
assert_type(ice.build(), dict[str, Any])
assert_type(check_svaml({}, "ice"), Faults)
assert_type(check_svaml({}, "ice").faults, tuple[Fault, ...])
assert_type(error_answer("Oh no"), Svaml)
assert_type(service_unavailable(), Svaml)
assert_type(invalid_input(), Svaml)
