"""The shop's phone line."""

from greeting import GREETING

from sinchfn import FunctionContext, IceRequest, IceSvamlBuilder, Svaml


def ice(context: FunctionContext, data: IceRequest) -> Svaml:
    """Say who we are and hang up."""
    return IceSvamlBuilder().say(GREETING).hangup()
