"""The client of the calling REST API of Voice v1: callouts, calls, conferences. ``context.voice.v1`` in a handler.

No official Python package covers this API. The source is the platform's OpenAPI file of Voice v1, unless a comment
names the official Node or Java SDK.
"""

from .callouts import CalloutDestination as CalloutDestination
from .client import VoiceClient as VoiceClient
from .replies import CallDetails as CallDetails
from .replies import Callout as Callout
from .replies import Conference as Conference
from .replies import Participant as Participant
