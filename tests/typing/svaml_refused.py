"""What a type checker must refuse: each marked line, for the word behind its marker. Never run, only checked."""

from __future__ import annotations

from sinchfn.voice.svaml import AceSvamlBuilder, IceSvamlBuilder, MenuTemplates, PieSvamlBuilder, create_menu

ice = IceSvamlBuilder()
ace = AceSvamlBuilder()
pie = PieSvamlBuilder()

# An event has its own methods.
ace.answer()  # refuse: answer
ace.send_dtmf("1")  # refuse: send_dtmf
ace.connect_pstn("+46")  # refuse: connect_pstn
ace.connect_sip("a@b")  # refuse: connect_sip
ace.connect_mxp("a")  # refuse: connect_mxp
ace.connect_agent("elevenlabs", "a")  # refuse: connect_agent
ace.connect_stream("/stream")  # refuse: connect_stream
ace.park()  # refuse: park
ace.say("x").answer()  # refuse: answer
pie.answer()  # refuse: answer
pie.connect_stream("/stream")  # refuse: connect_stream
pie.park()  # refuse: park

# Nothing follows an action.
ice.hangup().say("x")  # refuse: say
ice.say("x").hangup().answer()  # refuse: answer
ice.hangup().hangup()  # refuse: hangup
pie.continue_().connect_pstn("+46")  # refuse: connect_pstn
ace.run_menu(create_menu()).hangup()  # refuse: hangup

# Options are spelt right.
ice.say("x", local="en-US")  # refuse: local
ice.connect_pstn("+46", max_duratoin=60)  # refuse: max_duratoin
ice.connect_pstn("+46", maxDuration=60)  # refuse: maxDuration
ice.connect_sip("a@b", max_duratoin=60)  # refuse: max_duratoin
ice.connect_mxp("a", callHeaders={})  # refuse: callHeaders
ice.connect_conf("room", music="ring")  # refuse: music
ice.connect_stream("/s", rate=8000)  # refuse: rate
ice.connect_agent("elevenlabs", "a", transport="UDP")  # refuse: transport
ice.park(prompt="x")  # refuse: prompt
ice.run_menu(create_menu(), voice=True)  # refuse: voice
ice.start_recording("s3://b", credential="x")  # refuse: credential
ice.connect_pstn("+46", amd={"enable": True})  # refuse: amd

# Values are of the right kind.
ice.say(5)  # refuse: say
ice.say()  # refuse: text
ice.play_files([5])  # refuse: int
ice.connect_pstn("+46", "en-US")  # refuse: positional
ice.connect_pstn("+46", max_duration="60")  # refuse: max_duration
ice.connect_pstn("+46", indications="xx")  # refuse: indications
ice.connect_conf("room", moh="loud")  # refuse: moh
ice.connect_conf("room", dtmf_mode="digits")  # refuse: dtmf_mode
ice.connect_sip("a@b", transport="wss")  # refuse: transport
ice.connect_stream("/s", sample_rate=11025)  # refuse: sample_rate
ice.connect_agent("somebody", "a")  # refuse: somebody
ice.connect_mxp("a", call_headers={"k": 1})  # refuse: int
ice.run_menu("main")  # refuse: menu
create_menu().timeout("8000")  # refuse: timeout
create_menu().option(1)  # refuse: action
create_menu().hangup()  # refuse: hangup
MenuTemplates.yes_no()  # refuse: question
