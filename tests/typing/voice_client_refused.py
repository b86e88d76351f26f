"""What a type checker must refuse in calls of the voice client. Only type-checked, never run."""

from __future__ import annotations

from sinchfn import AceSvamlBuilder, create_menu
from sinchfn.voice.client import VoiceClient

client = VoiceClient("key", "c2VjcmV0")
menu = create_menu()

client.callouts.tts("+46700000000", "Hello", lokale="en-US")  # refuse: lokale
client.callouts.tts("+46700000000", "Hello", enable_ace="yes")  # refuse: bool
client.callouts.tts(46700000000, "Hello")  # refuse: Destination
client.callouts.conference("+46700000000", "team", moh="music4")  # refuse: music4
client.callouts.custom(ice=menu)  # refuse: MenuBuilder
client.callouts.custom(dice=AceSvamlBuilder().hangup())  # refuse: Svaml
client.calls.manage_leg("id", "calle", AceSvamlBuilder().hangup())  # refuse: calle
client.calls.update("id", '{"action": {"name": "hangup"}}')  # refuse: str
VoiceClient("key", "c2VjcmV0", "euc1")  # refuse: positional
