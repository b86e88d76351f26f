"""What a type checker must refuse in events and starts of conversations. Only type-checked, never run."""

from __future__ import annotations

import io

from sinchfn.webhooks.agents import ConversationInit, PostCallAudio, parse_event, read_event

init = ConversationInit()

init.variable("a", [1])  # refuse: list
init.variables(a=None)  # refuse: None
init.prompt("x", model="y")  # refuse: model
init.voice("x", "y")  # refuse: positional
init.voice(speed="fast")  # refuse: speed
init.text_only("yes")  # refuse: bool
init.first_message(None)  # refuse: None
init.override([])  # refuse: list
parse_event([])  # refuse: list
read_event(b"{}")  # refuse: BinaryIO
read_event(io.StringIO())  # refuse: StringIO
PostCallAudio({}).audio = io.BytesIO()  # refuse: BytesIO
