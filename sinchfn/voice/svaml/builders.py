"""The three builders of an answer, one per event; the table below is which methods each one has.

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

from .actions import Actions, ConnectActions, IceActions
from .instructions import AnswerInstruction, DtmfInstruction, Instructions


class IceSvamlBuilder(Instructions, DtmfInstruction, AnswerInstruction, Actions, ConnectActions, IceActions):
    """Answers an incoming call (ICE).

    >>> IceSvamlBuilder().say("Hello").hangup().build()["action"]
    {'name': 'hangup'}
    """

    __slots__ = ()


class AceSvamlBuilder(Instructions, Actions):
    """Answers the event that the other side picked up (ACE)."""

    __slots__ = ()


class PieSvamlBuilder(Instructions, DtmfInstruction, Actions, ConnectActions):
    """Answers what came of a menu (PIE)."""

    __slots__ = ()


def create_ice_builder() -> IceSvamlBuilder:
    """A new `IceSvamlBuilder`."""
    return IceSvamlBuilder()


def create_ace_builder() -> AceSvamlBuilder:
    """A new `AceSvamlBuilder`."""
    return AceSvamlBuilder()


def create_pie_builder() -> PieSvamlBuilder:
    """A new `PieSvamlBuilder`."""
    return PieSvamlBuilder()
