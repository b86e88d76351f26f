"""Where things are: the repository, its examples, the data and the functions that tests share."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
EXAMPLES = ROOT / "examples"

#: Function projects that several tests use.
FUNCTIONS = TESTS / "functions"

DATA = TESTS / "data"
VOICE = DATA / "voice-v1"
EVENTS = sorted((VOICE / "events").glob("*.json"))
SVAML = VOICE / "svaml"
WEBHOOKS = DATA / "webhooks"
CONVERSATION = WEBHOOKS / "conversation"
ELEVENLABS = WEBHOOKS / "elevenlabs"
