"""The answers of the voice API: ``Callout``, ``CallDetails``, ``Conference`` and its ``Participant``.

Like the callbacks, each is a read-only mapping over the received JSON object, with a snake_case attribute for each
known field. A field that is missing or has the wrong type reads as None.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from ...wire.objects import Flag, Instant, Items, Known, Part, Text, Whole, Wire, WireObject
from ..callbacks import CallReason, CallResult, Destination, Domain, Price


class Callout(WireObject):
    """A call that the platform has begun to make."""

    _shown = "call_id"

    #: Id of the new call, as in ``calls.get`` and in its callbacks.
    call_id = Wire(Text(), "callId")


class CallDetails(WireObject):
    """The details of a call, during the call and afterwards."""

    _shown = "call_id"

    #: The caller, ``from`` in JSON.
    from_ = Wire(Part(Destination), "from")
    #: The callee.
    to = Wire(Part(Destination))
    #: ``pstn``.
    domain = Wire(Known[Domain]())
    call_id = Wire(Text(), "callId")
    #: Seconds.
    duration = Wire(Whole())
    #: ``ONGOING`` or ``FINAL``.
    status = Wire(Known[Literal["ONGOING", "FINAL"]]())
    #: ``ANSWERED``, ``BUSY``, ``NOANSWER``, ``FAILED``, ``N/A``.
    result = Wire(Known[CallResult]())
    #: The reason of its end: ``CALLERHANGUP``, ``CALLEEHANGUP``, ``MANAGERHANGUP``, ``TIMEOUT``, ``GENERALERROR``,
    #: ``N/A``, ...; ``INVALIDSVAMLACTION`` means that the platform could not use the SVAML it was given.
    reason = Wire(Known[CallReason]())
    #: Aware, in UTC. The samples have no zone designator; they are read as UTC, as in the callbacks.
    timestamp = Wire(Instant())
    #: The text given when the call was made.
    custom = Wire(Text())
    #: Price per minute.
    user_rate = Wire(Part(Price), "userRate")
    #: Price of the whole call.
    debit = Wire(Part(Price))


class Participant(WireObject):
    """One call in a conference."""

    _shown = "call_id"

    #: Id of the call, ``id`` in JSON: the argument of ``kick``, ``mute`` and ``unmute``.
    call_id = Wire(Text(), "id")
    #: Phone number, or the number given for an in-app call.
    cli = Wire(Text())
    #: Seconds in the conference.
    duration = Wire(Whole())
    #: True if the others do not hear this participant.
    muted = Wire(Flag())
    #: True if this participant is on hold; ``onhold`` in JSON.
    on_hold = Wire(Flag(), "onhold")


class Conference(WireObject):
    """A conference and its participants."""

    _shown = "_count"
    _items = Wire(Items(), "participants")

    @cached_property
    def participants(self) -> tuple[Participant, ...]:
        """The participants, in the order received."""
        items = enumerate(self._items or ())
        where = f"{self.where}.participants"
        return tuple(Participant(item, f"{where}[{i}]") for i, item in items if isinstance(item, dict))

    @property
    def _count(self) -> str:
        return f"of {len(self.participants)}"
