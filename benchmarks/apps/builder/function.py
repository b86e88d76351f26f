"""The job as a sinchfn function, its answer made with the SVAML builder."""

from __future__ import annotations

from job import COOKIE, DESTINATION, GREETING

from sinchfn import FunctionContext, FunctionRequest, IceRequest, IceSvamlBuilder, Svaml


def ice(context: FunctionContext, data: IceRequest) -> Svaml:
    greeting = IceSvamlBuilder().say(GREETING, locale="en-US").set_cookie(*COOKIE)
    return greeting.connect_pstn(DESTINATION, cli=data.cli, max_duration=3600, dial_timeout=30)


def hello(context: FunctionContext, request: FunctionRequest) -> dict[str, str]:
    return {"hello": "world"}
