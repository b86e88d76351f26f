"""sinchfn: communication functions on plain Python hosts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import signals, voice
from .app import create_app
from .config import FunctionConfig
from .context import FunctionContext
from .controllers import (
    AgentController,
    ElevenLabsController,
    SinchController,
    SinchConversationController,
    SinchVoiceController,
    delete,
    get,
    patch,
    post,
    put,
    route,
)
from .errors import (
    AgentError,
    CacheError,
    ConfigError,
    DatabaseError,
    ExtraError,
    FunctionError,
    MessageError,
    ServiceError,
    SinchfnError,
    StartupError,
    StorageError,
    SvamlError,
    VoiceApiError,
)
from .extension import SinchFunctions
from .init import SinchApplication, SinchFunctionInit
from .injection import ServiceRegistry
from .invocation import Invocation
from .requests import FunctionRequest
from .responses import (
    FunctionResponse,
    accepted,
    bad_request,
    conflict,
    created,
    forbidden,
    html,
    no_content,
    not_found,
    ok,
    redirect,
    server_error,
    text,
    too_many_requests,
    unauthorized,
)
from .runtime import SinchRuntime
from .services.logs import RequestFilter
from .services.usage import UsageRecord
from .voice import (
    AceRequest,
    AceSvamlBuilder,
    AgentProvider,
    DiceRequest,
    IceRequest,
    IceSvamlBuilder,
    MenuBuilder,
    MenuTemplates,
    NotifyRequest,
    PieRequest,
    PieSvamlBuilder,
    Svaml,
    create_ace_builder,
    create_ice_builder,
    create_menu,
    create_pie_builder,
)

if TYPE_CHECKING:
    from .agents import (
        AgentEvent as AgentEvent,
    )
    from .agents import (
        CallInitiationFailure as CallInitiationFailure,
    )
    from .agents import (
        ConversationInit as ConversationInit,
    )
    from .agents import (
        ConversationInitRequest as ConversationInitRequest,
    )
    from .agents import (
        PostCallAudio as PostCallAudio,
    )
    from .agents import (
        PostCallTranscription as PostCallTranscription,
    )
    from .conversation import (
        Card as Card,
    )
    from .conversation import (
        Choice as Choice,
    )
    from .conversation import (
        ConversationEvent as ConversationEvent,
    )
    from .conversation import (
        ConversationMessage as ConversationMessage,
    )
    from .conversation import (
        Media as Media,
    )
    from .conversation import (
        MessageInboundEvent as MessageInboundEvent,
    )
    from .conversation import (
        create_message as create_message,
    )
    from .conversation import (
        create_messenger as create_messenger,
    )
    from .conversation import (
        create_reply as create_reply,
    )
    from .conversation import (
        create_sms as create_sms,
    )
    from .conversation import (
        create_whatsapp as create_whatsapp,
    )
    from .conversation import (
        get_channel as get_channel,
    )
    from .conversation import (
        get_contact_id as get_contact_id,
    )
    from .conversation import (
        get_conversation_id as get_conversation_id,
    )
    from .conversation import (
        get_identity as get_identity,
    )
    from .conversation import (
        get_location as get_location,
    )
    from .conversation import (
        get_media as get_media,
    )
    from .conversation import (
        get_postback_data as get_postback_data,
    )
    from .conversation import (
        get_text as get_text,
    )
    from .conversation import (
        get_to as get_to,
    )
    from .conversation import (
        is_media_message as is_media_message,
    )
    from .conversation import (
        is_postback as is_postback,
    )
    from .conversation import (
        is_text_message as is_text_message,
    )
    from .conversation import (
        reply as reply,
    )
    from .services.assets import Assets
    from .services.cache import Cache
    from .services.storage import Storage
    from .voice.client import VoiceClient

#: Names that most functions do not need: imported when they are asked for.
_LATE = {
    **dict.fromkeys(
        (
            "AgentEvent",
            "CallInitiationFailure",
            "ConversationInit",
            "ConversationInitRequest",
            "PostCallAudio",
            "PostCallTranscription",
        ),
        ".agents",
    ),
    **dict.fromkeys(
        (
            "Card",
            "Choice",
            "ConversationEvent",
            "ConversationMessage",
            "Media",
            "MessageInboundEvent",
            "create_message",
            "create_messenger",
            "create_reply",
            "create_sms",
            "create_whatsapp",
            "get_channel",
            "get_contact_id",
            "get_conversation_id",
            "get_identity",
            "get_location",
            "get_media",
            "get_postback_data",
            "get_text",
            "get_to",
            "is_media_message",
            "is_postback",
            "is_text_message",
            "reply",
        ),
        ".conversation",
    ),
    "Assets": ".services.assets",
    "Cache": ".services.cache",
    "Storage": ".services.storage",
    "VoiceClient": ".voice.client",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(_LATE[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AceRequest",
    "AceSvamlBuilder",
    "AgentController",
    "AgentError",
    "AgentEvent",
    "AgentProvider",
    "Assets",
    "Cache",
    "CacheError",
    "CallInitiationFailure",
    "Card",
    "Choice",
    "ConfigError",
    "ConversationEvent",
    "ConversationInit",
    "ConversationInitRequest",
    "ConversationMessage",
    "DatabaseError",
    "DiceRequest",
    "ElevenLabsController",
    "ExtraError",
    "FunctionConfig",
    "FunctionContext",
    "FunctionError",
    "FunctionRequest",
    "FunctionResponse",
    "IceRequest",
    "IceSvamlBuilder",
    "Invocation",
    "Media",
    "MenuBuilder",
    "MenuTemplates",
    "MessageError",
    "MessageInboundEvent",
    "NotifyRequest",
    "PieRequest",
    "PieSvamlBuilder",
    "PostCallAudio",
    "PostCallTranscription",
    "RequestFilter",
    "ServiceError",
    "ServiceRegistry",
    "SinchApplication",
    "SinchController",
    "SinchConversationController",
    "SinchFunctionInit",
    "SinchFunctions",
    "SinchRuntime",
    "SinchVoiceController",
    "SinchfnError",
    "StartupError",
    "Storage",
    "StorageError",
    "Svaml",
    "SvamlError",
    "UsageRecord",
    "VoiceApiError",
    "VoiceClient",
    "accepted",
    "bad_request",
    "conflict",
    "create_ace_builder",
    "create_app",
    "create_ice_builder",
    "create_menu",
    "create_message",
    "create_messenger",
    "create_pie_builder",
    "create_reply",
    "create_sms",
    "create_whatsapp",
    "created",
    "delete",
    "forbidden",
    "get",
    "get_channel",
    "get_contact_id",
    "get_conversation_id",
    "get_identity",
    "get_location",
    "get_media",
    "get_postback_data",
    "get_text",
    "get_to",
    "html",
    "is_media_message",
    "is_postback",
    "is_text_message",
    "no_content",
    "not_found",
    "ok",
    "patch",
    "post",
    "put",
    "redirect",
    "reply",
    "route",
    "server_error",
    "signals",
    "text",
    "too_many_requests",
    "unauthorized",
    "voice",
]
