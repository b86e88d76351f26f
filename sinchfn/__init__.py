"""sinchfn: communication functions on plain Python hosts."""

from . import signals, voice
from .app import create_app
from .config import FunctionConfig
from .context import FunctionContext
from .errors import ConfigError, FunctionError, SinchfnError, StartupError, SvamlError
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

__all__ = [
    "AceRequest",
    "AceSvamlBuilder",
    "AgentProvider",
    "ConfigError",
    "DiceRequest",
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
    "SinchFunctions",
    "SinchfnError",
    "StartupError",
    "Svaml",
    "SvamlError",
    "UsageRecord",
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
