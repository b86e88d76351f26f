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

from collections.abc import Mapping

from ...errors import Advised, is_spelling_of
from .actions import Actions, ConnectActions, IceActions
from .document import SvamlBuilder
from .instructions import AnswerInstruction, DtmfInstruction, Instructions


class OfOneEvent(Advised):
    """A builder that says which events have the method that it lacks."""

    __slots__ = ()

    def _advice(self, name: str) -> str:
        for method in dict.fromkeys(method for builder in BUILDERS.values() for method in dir(builder)):
            events = [event for event, builder in BUILDERS.items() if hasattr(builder, method)]
            if is_spelling_of(name, method) and not hasattr(type(self), method):
                own = ", ".join(known for known in dir(type(self)) if not known.startswith("_"))
                return f" Only {' and '.join(events)} can be answered with {method}; {type(self).__name__} has {own}."
        return super()._advice(name)


class IceSvamlBuilder(
    OfOneEvent, Instructions, DtmfInstruction, AnswerInstruction, Actions, ConnectActions, IceActions
):
    """Answers an incoming call (ICE).

    >>> IceSvamlBuilder().say("Hello").hangup().build()["action"]
    {'name': 'hangup'}
    """

    __slots__ = ()


class AceSvamlBuilder(OfOneEvent, Instructions, Actions):
    """Answers the event that the other side picked up (ACE)."""

    __slots__ = ()


class PieSvamlBuilder(OfOneEvent, Instructions, DtmfInstruction, Actions, ConnectActions):
    """Answers what came of a menu (PIE)."""

    __slots__ = ()


#: Event -> the builder of its answer.
BUILDERS: Mapping[str, type[SvamlBuilder]] = {"ICE": IceSvamlBuilder, "ACE": AceSvamlBuilder, "PIE": PieSvamlBuilder}


def create_ice_builder() -> IceSvamlBuilder:
    """A new `IceSvamlBuilder`."""
    return IceSvamlBuilder()


def create_ace_builder() -> AceSvamlBuilder:
    """A new `AceSvamlBuilder`."""
    return AceSvamlBuilder()


def create_pie_builder() -> PieSvamlBuilder:
    """A new `PieSvamlBuilder`."""
    return PieSvamlBuilder()
