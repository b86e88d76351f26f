"""A function in several files: everything beside function.py can be imported, and nothing imported is exposed."""

from opening import is_open
from phrases import CLOSED, WELCOME

from sinchfn import FunctionContext, FunctionRequest, IceRequest, IceSvamlBuilder, Svaml


def ice(context: FunctionContext, data: IceRequest) -> Svaml:
    """Connect while somebody is there, else say when somebody will be."""
    number = context.config.require_variable("OFFICE_NUMBER")
    if is_open(context.timestamp):
        return IceSvamlBuilder().say(WELCOME).connect_pstn(number, cli=data.cli)
    return IceSvamlBuilder().say(CLOSED).hangup()


def status(context: FunctionContext, request: FunctionRequest) -> dict[str, bool]:
    """GET /status"""
    return {"open": is_open(context.timestamp)}
