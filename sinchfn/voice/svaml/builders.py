"""The three builders of an answer, one per event. The table shows the methods of each.

|                                                                  | ICE | ACE | PIE |
|------------------------------------------------------------------|-----|-----|-----|
| say play play_files set_cookie start_recording stop_recording    | yes | yes | yes |
| send_dtmf                                                        | yes |     | yes |
| answer                                                           | yes |     |     |
| hangup continue_ connect_conf run_menu                           | yes | yes | yes |
| connect_pstn connect_sip connect_mxp connect_agent               | yes |     | yes |
| connect_stream park                                              | yes |     |     |
"""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import Advised, snake_case
from .actions import Actions, ConnectActions, IceActions
from .instructions import AnswerInstruction, DtmfInstruction, Instructions, SvamlBuilder


class OfOneEvent(Advised):
    """A builder whose attribute errors name the events that have the missing method."""

    __slots__ = ()

    def _advice(self, name: str) -> str:
        method = snake_case(name)
        events = [event for event, builder in BUILDERS.items() if hasattr(builder, method)]
        if not events or hasattr(type(self), method):
            return super()._advice(name)
        own = ", ".join(known for known in dir(self) if not known.startswith("_"))
        return f" Only {' and '.join(events)} can be answered with {method}; {type(self).__name__} has {own}."


class IceSvamlBuilder(
    OfOneEvent, Instructions, DtmfInstruction, AnswerInstruction, Actions, ConnectActions, IceActions
):
    """The builder of the answer to an incoming call (ICE).

    >>> IceSvamlBuilder().say("Hello").hangup().build()["action"]
    {'name': 'hangup'}
    """

    __slots__ = ()


class AceSvamlBuilder(OfOneEvent, Instructions, Actions):
    """The builder of the answer to an answered call (ACE)."""

    __slots__ = ()


class PieSvamlBuilder(OfOneEvent, Instructions, DtmfInstruction, Actions, ConnectActions):
    """The builder of the answer to an input in a menu (PIE)."""

    __slots__ = ()


#: Event -> the builder of its answer.
BUILDERS: Mapping[str, type[SvamlBuilder]] = {"ICE": IceSvamlBuilder, "ACE": AceSvamlBuilder, "PIE": PieSvamlBuilder}


def create_ice_builder() -> IceSvamlBuilder:
    """Return a new ``IceSvamlBuilder``."""
    return IceSvamlBuilder()


def create_ace_builder() -> AceSvamlBuilder:
    """Return a new ``AceSvamlBuilder``."""
    return AceSvamlBuilder()


def create_pie_builder() -> PieSvamlBuilder:
    """Return a new ``PieSvamlBuilder``."""
    return PieSvamlBuilder()
