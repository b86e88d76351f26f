"""sinchfn: communication functions on plain Python hosts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import signals, voice
from .app import create_app
from .config import FunctionConfig
from .context import FunctionContext
from .errors import (
    CacheError,
    ConfigError,
    DatabaseError,
    ExtraError,
    FunctionError,
    ServiceError,
    SinchfnError,
    StartupError,
    StorageError,
    SvamlError,
    VoiceApiError,
)
from .extension import SinchFunctions
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
    from .services.assets import Assets
    from .services.cache import Cache
    from .services.storage import Storage
    from .voice.client import VoiceClient

#: Types for annotations, of which most functions need none: imported when they are asked for.
_LATE = {
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
    "AgentProvider",
    "Assets",
    "Cache",
    "CacheError",
    "ConfigError",
    "DatabaseError",
    "DiceRequest",
    "ExtraError",
    "FunctionConfig",
    "FunctionContext",
    "FunctionError",
    "FunctionRequest",
    "FunctionResponse",
    "IceRequest",
    "IceSvamlBuilder",
    "Invocation",
    "MenuBuilder",
    "MenuTemplates",
    "NotifyRequest",
    "PieRequest",
    "PieSvamlBuilder",
    "RequestFilter",
    "ServiceError",
    "SinchFunctions",
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
    "create_pie_builder",
    "created",
    "forbidden",
    "html",
    "no_content",
    "not_found",
    "ok",
    "redirect",
    "server_error",
    "signals",
    "text",
    "too_many_requests",
    "unauthorized",
    "voice",
]
