"""ElevenLabs agents: the events of their conversations, and the answer that a conversation starts with."""

from .events import METHODS as METHODS
from .events import AgentEvent as AgentEvent
from .events import CallInitiationFailure as CallInitiationFailure
from .events import PostCallAudio as PostCallAudio
from .events import PostCallTranscription as PostCallTranscription
from .events import parse_event as parse_event
from .events import read_event as read_event
from .initiation import ConversationInit as ConversationInit
from .initiation import ConversationInitRequest as ConversationInitRequest
from .initiation import initiation_answer as initiation_answer
