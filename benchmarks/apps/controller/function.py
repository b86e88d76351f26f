"""The job as controllers: a new instance for every call, with a service put into its constructor."""

from __future__ import annotations

from job import COOKIE, DESTINATION, GREETING

from sinchfn import (
    FunctionConfig,
    IceRequest,
    IceSvamlBuilder,
    ServiceRegistry,
    SinchController,
    SinchFunctionInit,
    SinchVoiceController,
    Svaml,
    get,
)


class Line:
    """Where calls are connected to."""

    number = DESTINATION


class Init(SinchFunctionInit):
    def configure_services(self, services: ServiceRegistry, config: FunctionConfig) -> None:
        services.add_singleton(Line)


class Ivr(SinchVoiceController):
    def __init__(self, line: Line) -> None:
        self.line = line

    def ice(self, data: IceRequest) -> Svaml:
        greeting = IceSvamlBuilder().say(GREETING, locale="en-US").set_cookie(*COOKIE)
        return greeting.connect_pstn(self.line.number, cli=data.cli, max_duration=3600, dial_timeout=30)


class Hello(SinchController):
    @get("/hello")
    def hello(self) -> dict[str, str]:
        return {"hello": "world"}
