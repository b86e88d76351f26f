"""The support line: a file of its own named greeting.py, which is not the shop's."""

from greeting import GREETING

from sinchfn import FunctionContext, FunctionRequest, IceRequest, IceSvamlBuilder, Svaml


def ice(context: FunctionContext, data: IceRequest) -> Svaml:
    """Say who we are and hang up."""
    return IceSvamlBuilder().say(GREETING).hangup()


def status(context: FunctionContext, request: FunctionRequest) -> dict[str, str]:
    """GET /support/status"""
    return {"line": "open"}
