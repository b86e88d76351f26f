"""Every kind of endpoint at once: plain exports, the four controllers, mapped functions."""

from __future__ import annotations

import logging

from marshmallow import Schema, fields

from sinchfn import (
    ConversationInit,
    ElevenLabsController,
    FunctionConfig,
    FunctionContext,
    IceSvamlBuilder,
    PieSvamlBuilder,
    SinchController,
    SinchConversationController,
    SinchFunctionInit,
    SinchVoiceController,
    delete,
    get,
    get_text,
    post,
    route,
)

auth = ["reports", "Users.remove", "version"]


class Greeter:
    def greet(self, name):
        return f"Hello {name}"


class Missing:
    pass


class Init(SinchFunctionInit):
    def configure_services(self, services, config):
        services.add_singleton(Greeter)

    def configure_app(self, app):
        app.map_get("/about/version", _version)


def _version(context, request):
    return "1"


_version.__name__ = "version"


class Ivr(SinchVoiceController):
    def __init__(self, greeter: Greeter, context: FunctionContext, other: Missing | None = None) -> None:
        self.greeter = greeter
        self.given = context

    def ice(self, data):
        assert self.given is self.context
        return IceSvamlBuilder().say(self.greeter.greet(data.cli)).hangup()

    async def dice(self, data):
        self.log.info("Ended: %s", data.reason)

    @get("/calls/status")
    def status(self):
        return {"calls": 0}


def pie(context, data):
    return PieSvamlBuilder().hangup()


class Messages(SinchConversationController):
    def message_inbound(self, event):
        self.context.cache.set("text", get_text(event))

    async def message_delivery(self, event):
        return {"status": event.message_delivery_report.status}

    def unknown_event(self, event):
        return {"unknown": sorted(event.raw)}


def sms_webhook(context, request):
    return {"sms": request.json}


class Agent(ElevenLabsController):
    def conversation_init(self, data):
        return ConversationInit().variable("caller", data.caller_id or "").first_message("Hi")

    def post_call_transcription(self, event):
        return {"turns": len(event.transcript or ())}

    def post_call_audio(self, event):
        self.context.storage.write(f"calls/{event.conversation_id}.mp3", event.audio)

    def call_initiation_failure(self, event):
        return {"why": event.failure_reason}


class UserSchema(Schema):
    name = fields.String(required=True)
    age = fields.Integer()


class SearchSchema(Schema):
    q = fields.String(required=True)
    tag = fields.List(fields.String())
    limit = fields.Integer(load_default=10)


@route("/api")
class Users(SinchController):
    def __init__(self, greeter: Greeter, config: FunctionConfig, logger: logging.Logger):
        self.greeter = greeter
        self.name = config.function_name

    @get("/users/<int:id>")
    @get("/people/<int:id>")
    def user(self, *, id):  # noqa: A002
        return {"id": id, "function": self.name}

    @post("/users", body=UserSchema)
    def create(self, user):
        return {"statusCode": 201, "body": {"said": self.greeter.greet(user["name"]), **user}}

    @get("/search", query=SearchSchema)
    def search(self, query):
        return query

    @delete("/users/<int:id>")
    async def remove(self, *, id):  # noqa: A002
        return {"removed": id}

    @route("/echo/<path:rest>", methods=["PUT", "PATCH"])
    def echo(self, request, *, rest):
        return {"rest": rest, "body": request.raw_body.decode()}


def reports(context, request):
    return []


def home(context, request):
    return "home"
