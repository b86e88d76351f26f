"""sinchfn: communication functions on plain Python hosts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import signals as signals
    from . import voice as voice
    from .app.extension import SinchFunctions as SinchFunctions
    from .app.factory import create_app as create_app
    from .app.outside import context as context
    from .config.config import FunctionConfig as FunctionConfig
    from .errors import AgentError as AgentError
    from .errors import CacheError as CacheError
    from .errors import ConfigError as ConfigError
    from .errors import ConnectionClosed as ConnectionClosed
    from .errors import DatabaseError as DatabaseError
    from .errors import ExtraError as ExtraError
    from .errors import FunctionError as FunctionError
    from .errors import MessageError as MessageError
    from .errors import ServiceError as ServiceError
    from .errors import SinchfnError as SinchfnError
    from .errors import StartupError as StartupError
    from .errors import StorageError as StorageError
    from .errors import StreamFull as StreamFull
    from .errors import SvamlError as SvamlError
    from .errors import VoiceApiError as VoiceApiError
    from .function.context import FunctionContext as FunctionContext
    from .function.controllers import AgentController as AgentController
    from .function.controllers import ElevenLabsController as ElevenLabsController
    from .function.controllers import SinchController as SinchController
    from .function.controllers import SinchConversationController as SinchConversationController
    from .function.controllers import SinchVoiceController as SinchVoiceController
    from .function.invocation import Invocation as Invocation
    from .function.request import FunctionRequest as FunctionRequest
    from .function.routes import delete as delete
    from .function.routes import get as get
    from .function.routes import patch as patch
    from .function.routes import post as post
    from .function.routes import put as put
    from .function.routes import route as route
    from .function.runtime import SinchRuntime as SinchRuntime
    from .function.setup import CallNext as CallNext
    from .function.setup import Middleware as Middleware
    from .function.setup import SinchApplication as SinchApplication
    from .function.setup import SinchFunctionInit as SinchFunctionInit
    from .logs.handlers import RequestFilter as RequestFilter
    from .services.assets import Assets as Assets
    from .services.cache import Cache as Cache
    from .services.clients import ConversationClient as ConversationClient
    from .services.clients import NumbersClient as NumbersClient
    from .services.clients import SmsClient as SmsClient
    from .services.clients import VoiceV2Client as VoiceV2Client
    from .services.injection.registry import ServiceRegistry as ServiceRegistry
    from .services.storage import Storage as Storage
    from .services.usage import SocketStatistics as SocketStatistics
    from .services.usage import UsageRecord as UsageRecord
    from .serving.responses import FunctionResponse as FunctionResponse
    from .serving.responses import accepted as accepted
    from .serving.responses import bad_request as bad_request
    from .serving.responses import conflict as conflict
    from .serving.responses import created as created
    from .serving.responses import forbidden as forbidden
    from .serving.responses import html as html
    from .serving.responses import no_content as no_content
    from .serving.responses import not_found as not_found
    from .serving.responses import ok as ok
    from .serving.responses import redirect as redirect
    from .serving.responses import server_error as server_error
    from .serving.responses import text as text
    from .serving.responses import too_many_requests as too_many_requests
    from .serving.responses import unauthorized as unauthorized
    from .voice import AceRequest as AceRequest
    from .voice import AceSvamlBuilder as AceSvamlBuilder
    from .voice import AgentProvider as AgentProvider
    from .voice import DiceRequest as DiceRequest
    from .voice import IceRequest as IceRequest
    from .voice import IceSvamlBuilder as IceSvamlBuilder
    from .voice import MenuBuilder as MenuBuilder
    from .voice import MenuTemplates as MenuTemplates
    from .voice import NotifyRequest as NotifyRequest
    from .voice import PieRequest as PieRequest
    from .voice import PieSvamlBuilder as PieSvamlBuilder
    from .voice import RecordingOptions as RecordingOptions
    from .voice import SipOptions as SipOptions
    from .voice import Svaml as Svaml
    from .voice import create_ace_builder as create_ace_builder
    from .voice import create_ice_builder as create_ice_builder
    from .voice import create_menu as create_menu
    from .voice import create_pie_builder as create_pie_builder
    from .voice.client import VoiceClient as VoiceClient
    from .webhooks.agents import AgentEvent as AgentEvent
    from .webhooks.agents import CallInitiationFailure as CallInitiationFailure
    from .webhooks.agents import ConversationInit as ConversationInit
    from .webhooks.agents import ConversationInitRequest as ConversationInitRequest
    from .webhooks.agents import PostCallAudio as PostCallAudio
    from .webhooks.agents import PostCallTranscription as PostCallTranscription
    from .webhooks.conversation import BatchStatusUpdateEvent as BatchStatusUpdateEvent
    from .webhooks.conversation import CapabilityEvent as CapabilityEvent
    from .webhooks.conversation import Card as Card
    from .webhooks.conversation import ChannelEvent as ChannelEvent
    from .webhooks.conversation import Choice as Choice
    from .webhooks.conversation import ContactCreateEvent as ContactCreateEvent
    from .webhooks.conversation import ContactDeleteEvent as ContactDeleteEvent
    from .webhooks.conversation import ContactIdentitiesDuplicationEvent as ContactIdentitiesDuplicationEvent
    from .webhooks.conversation import ContactMergeEvent as ContactMergeEvent
    from .webhooks.conversation import ContactUpdateEvent as ContactUpdateEvent
    from .webhooks.conversation import ConversationDeleteEvent as ConversationDeleteEvent
    from .webhooks.conversation import ConversationEvent as ConversationEvent
    from .webhooks.conversation import ConversationMessage as ConversationMessage
    from .webhooks.conversation import ConversationStartEvent as ConversationStartEvent
    from .webhooks.conversation import ConversationStopEvent as ConversationStopEvent
    from .webhooks.conversation import EventDeliveryEvent as EventDeliveryEvent
    from .webhooks.conversation import EventInboundEvent as EventInboundEvent
    from .webhooks.conversation import ListChoice as ListChoice
    from .webhooks.conversation import ListProduct as ListProduct
    from .webhooks.conversation import ListSection as ListSection
    from .webhooks.conversation import Media as Media
    from .webhooks.conversation import MessageDeliveryEvent as MessageDeliveryEvent
    from .webhooks.conversation import MessageInboundEvent as MessageInboundEvent
    from .webhooks.conversation import (
        MessageInboundSmartConversationRedactionEvent as MessageInboundSmartConversationRedactionEvent,
    )
    from .webhooks.conversation import MessageSubmitEvent as MessageSubmitEvent
    from .webhooks.conversation import OptInEvent as OptInEvent
    from .webhooks.conversation import OptOutEvent as OptOutEvent
    from .webhooks.conversation import RecordNotificationEvent as RecordNotificationEvent
    from .webhooks.conversation import SmartConversationsEvent as SmartConversationsEvent
    from .webhooks.conversation import Template as Template
    from .webhooks.conversation import UnsupportedEvent as UnsupportedEvent
    from .webhooks.conversation import create_channel_message as create_channel_message
    from .webhooks.conversation import create_message as create_message
    from .webhooks.conversation import create_messenger as create_messenger
    from .webhooks.conversation import create_reply as create_reply
    from .webhooks.conversation import create_sms as create_sms
    from .webhooks.conversation import create_whatsapp as create_whatsapp
    from .webhooks.conversation import get_channel as get_channel
    from .webhooks.conversation import get_contact_id as get_contact_id
    from .webhooks.conversation import get_conversation_id as get_conversation_id
    from .webhooks.conversation import get_identity as get_identity
    from .webhooks.conversation import get_location as get_location
    from .webhooks.conversation import get_media as get_media
    from .webhooks.conversation import get_postback_data as get_postback_data
    from .webhooks.conversation import get_text as get_text
    from .webhooks.conversation import get_to as get_to
    from .webhooks.conversation import is_media_message as is_media_message
    from .webhooks.conversation import is_postback as is_postback
    from .webhooks.conversation import is_text_message as is_text_message
    from .webhooks.conversation import reply as reply
    from .webhooks.conversation import text_reply as text_reply
    from .websockets.media_stream import MediaStream as MediaStream
    from .websockets.stream_protocol import StreamConnect as StreamConnect
    from .websockets.websocket import WebSocket as WebSocket

__version__ = "0.1.0"

#: Module -> the public names in it; ``.``: modules that are public themselves. A module is imported when one of its
#: names is used for the first time. The imports above say the same to type checkers.
_NAMES = {
    ".": "signals voice",
    ".app.extension": "SinchFunctions",
    ".app.factory": "create_app",
    ".app.outside": "context",
    ".config.config": "FunctionConfig",
    ".errors": (
        "AgentError CacheError ConfigError ConnectionClosed DatabaseError ExtraError FunctionError MessageError "
        "ServiceError SinchfnError StartupError StorageError StreamFull SvamlError VoiceApiError"
    ),
    ".function.context": "FunctionContext",
    ".function.controllers": (
        "AgentController ElevenLabsController SinchController SinchConversationController SinchVoiceController"
    ),
    ".function.invocation": "Invocation",
    ".function.request": "FunctionRequest",
    ".function.routes": "delete get patch post put route",
    ".function.runtime": "SinchRuntime",
    ".function.setup": "CallNext Middleware SinchApplication SinchFunctionInit",
    ".logs.handlers": "RequestFilter",
    ".services.assets": "Assets",
    ".services.cache": "Cache",
    ".services.clients": "ConversationClient NumbersClient SmsClient VoiceV2Client",
    ".services.injection.registry": "ServiceRegistry",
    ".services.storage": "Storage",
    ".services.usage": "SocketStatistics UsageRecord",
    ".serving.responses": (
        "FunctionResponse accepted bad_request conflict created forbidden html no_content not_found ok redirect "
        "server_error text too_many_requests unauthorized"
    ),
    ".voice": (
        "AceRequest AceSvamlBuilder AgentProvider DiceRequest IceRequest IceSvamlBuilder MenuBuilder MenuTemplates "
        "NotifyRequest PieRequest PieSvamlBuilder RecordingOptions SipOptions Svaml create_ace_builder "
        "create_ice_builder create_menu create_pie_builder"
    ),
    ".voice.client": "VoiceClient",
    ".webhooks.agents": (
        "AgentEvent CallInitiationFailure ConversationInit ConversationInitRequest PostCallAudio PostCallTranscription"
    ),
    ".webhooks.conversation": (
        "BatchStatusUpdateEvent CapabilityEvent Card ChannelEvent Choice ContactCreateEvent ContactDeleteEvent "
        "ContactIdentitiesDuplicationEvent ContactMergeEvent ContactUpdateEvent ConversationDeleteEvent "
        "ConversationEvent ConversationMessage ConversationStartEvent ConversationStopEvent EventDeliveryEvent "
        "EventInboundEvent ListChoice ListProduct ListSection Media MessageDeliveryEvent MessageInboundEvent "
        "MessageInboundSmartConversationRedactionEvent MessageSubmitEvent OptInEvent OptOutEvent "
        "RecordNotificationEvent SmartConversationsEvent Template UnsupportedEvent create_channel_message "
        "create_message create_messenger create_reply create_sms create_whatsapp get_channel get_contact_id "
        "get_conversation_id get_identity get_location get_media get_postback_data get_text get_to is_media_message "
        "is_postback is_text_message reply text_reply"
    ),
    ".websockets.media_stream": "MediaStream",
    ".websockets.stream_protocol": "StreamConnect",
    ".websockets.websocket": "WebSocket",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

if not TYPE_CHECKING:  # a type checker knows the imports above, and refuses any other name
    __all__ = sorted(_MODULE_OF)

    def __getattr__(name: str) -> Any:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if _MODULE_OF[name] == ".":
            return import_module(f".{name}", __name__)
        value = globals()[name] = getattr(import_module(_MODULE_OF[name], __name__), name)
        return value


def __dir__() -> list[str]:
    return sorted({*_MODULE_OF, *(name for name in globals() if name.startswith("__"))})
