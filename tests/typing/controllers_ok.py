"""What a type checker must see in controllers, services and middleware. Only type-checked, never run."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, assert_type

from marshmallow import Schema, fields

from sinchfn import (
    AgentController,
    AgentEvent,
    Cache,
    CallNext,
    ConversationEvent,
    ConversationInit,
    ConversationInitRequest,
    ConversationMessage,
    ElevenLabsController,
    FunctionConfig,
    FunctionContext,
    FunctionRequest,
    IceRequest,
    IceSvamlBuilder,
    Invocation,
    MessageInboundEvent,
    PostCallAudio,
    ServiceRegistry,
    SinchApplication,
    SinchController,
    SinchConversationController,
    SinchFunctionInit,
    SinchRuntime,
    SinchVoiceController,
    Svaml,
    create_app,
    delete,
    get,
    get_text,
    post,
    route,
)


class Repository(ABC):
    @abstractmethod
    def find(self, number: int) -> str: ...


class CachedRepository(Repository):
    def __init__(self, cache: Cache, log: logging.Logger) -> None:
        self.cache = cache

    def find(self, number: int) -> str:
        return str(self.cache.get(str(number)))


class UserSchema(Schema):
    name = fields.String(required=True)


class Init(SinchFunctionInit):
    def configure_services(self, services: ServiceRegistry, config: FunctionConfig) -> None:
        services.add_singleton(Repository, CachedRepository)
        assert_type(services.get(Repository), Repository)

    def configure_app(self, app: SinchApplication) -> None:
        app.use(_timing)
        app.map_get("/version", _version)
        app.landing_page_enabled = False


def _timing(invocation: Invocation, call_next: CallNext) -> Any:
    return call_next(invocation)


def _version(context: FunctionContext, request: FunctionRequest) -> str:
    return "1"


def setup(runtime: SinchRuntime) -> None:
    runtime.services.add_scoped(UserSchema)
    assert_type(runtime.config.environment, str)


class Ivr(SinchVoiceController):
    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    def ice(self, data: IceRequest) -> Svaml:
        assert_type(self.context, FunctionContext)
        assert_type(self.request, FunctionRequest)
        assert_type(self.config, FunctionConfig)
        self.log.info("Call")
        return IceSvamlBuilder().say(self.repository.find(1)).hangup()

    async def dice(self, data: Any) -> None: ...


class Messages(SinchConversationController):
    def message_inbound(self, event: MessageInboundEvent) -> None:
        assert_type(get_text(event), str | None)
        assert_type(self.reply(event, "hi"), ConversationMessage)
        assert_type(event.accepted_time, datetime | None)

    def unknown_event(self, event: ConversationEvent) -> dict[str, Any]:
        return {"trigger": event.trigger}


class Agent(ElevenLabsController):
    def conversation_init(self, data: ConversationInitRequest) -> ConversationInit:
        assert_type(data.caller_id, str | None)
        return ConversationInit().variable("name", data.caller_id or "")

    async def post_call_audio(self, event: PostCallAudio) -> None: ...

    def unknown_event(self, event: AgentEvent) -> None: ...


assert_type(Agent().conversation_init(ConversationInitRequest({})), ConversationInit)
agent: AgentController = Agent()


@route("/api")
class Users(SinchController):
    @get("/users/<int:number>")
    @get("/people/<int:number>")
    def user(self, *, number: int) -> dict[str, int]:
        return {"number": number}

    @post("/users", body=UserSchema, query={"dry": fields.Boolean()})
    def create(self, user: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
        return user

    @delete("/users/<int:number>")
    async def remove(self, *, number: int) -> None: ...


# What a decorator stands above keeps its type.
assert_type(Users().user(number=1), dict[str, int])

services = create_app("function.py").extensions["sinchfn"][0].services
