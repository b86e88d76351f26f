"""A client of the calling REST API of Voice v1: callouts, calls, conferences. ``context.voice.v1`` in a handler.

No official Python package covers this API. Its source here is the platform's OpenAPI file of Voice v1; where the
official Node and Java SDKs show more, a line says so.
"""

from .bodies import CalloutDestination as CalloutDestination
from .bodies import CalloutOptions as CalloutOptions
from .callouts import Callouts as Callouts
from .calls import Calls as Calls
from .conferences import Conferences as Conferences
from .replies import CallDetails as CallDetails
from .replies import Callout as Callout
from .replies import Conference as Conference
from .replies import Participant as Participant
from .voice_client import VoiceClient as VoiceClient
