"""What the voice API answers: `Callout`, `CallDetails`, `Conference` and its `Participant`.

Like the callbacks, each is a read-only mapping over the JSON object that came, plus one snake_case attribute per known
field; what is absent or of the wrong type reads as `None`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from marshmallow import fields

from ...payloads import Flag, Instant, Items, Known, Part, Whole, Wire, WireObject
from ..callbacks import CallReason, CallResult, Destination, Domain, Price


class Callout(WireObject):
    """A call that the platform has begun to make."""

    _shown = "call_id"

    #: Id of the new call, for `calls.get` and the callbacks that belong to it.
    call_id = Wire("callId", fields.String())


class CallDetails(WireObject):
    """What is known of a call, while it lasts and afterwards."""

    _shown = "call_id"

    #: Who called, `from` on the wire.
    from_ = Wire("from", Part(Destination))
    #: Who was called.
    to = Wire("to", Part(Destination))
    #: `pstn`.
    domain = Wire("domain", Known[Domain]())
    #: Id of the call.
    call_id = Wire("callId", fields.String())
    #: Seconds.
    duration = Wire("duration", Whole())
    #: `ONGOING` or `FINAL`.
    status = Wire("status", Known[Literal["ONGOING", "FINAL"]]())
    #: `ANSWERED`, `BUSY`, `NOANSWER`, `FAILED`, `N/A`.
    result = Wire("result", Known[CallResult]())
    #: Why it ended: `CALLERHANGUP`, `CALLEEHANGUP`, `MANAGERHANGUP`, `TIMEOUT`, `GENERALERROR`, `N/A`, ...;
    #: `INVALIDSVAMLACTION` means that the platform could not use the SVAML it was given.
    reason = Wire("reason", Known[CallReason]())
    #: When, aware, in UTC. The samples have no zone designator: UTC is taken, as in the callbacks.
    timestamp = Wire("timestamp", Instant())
    #: The text given when the call was made.
    custom = Wire("custom", fields.String())
    #: Price per minute.
    user_rate = Wire("userRate", Part(Price))
    #: Price of the whole call.
    debit = Wire("debit", Part(Price))


class Participant(WireObject):
    """One call that is in a conference."""

    _shown = "call_id"

    #: Id of the call, `id` on the wire: what `kick`, `mute` and `unmute` take.
    call_id = Wire("id", fields.String())
    #: Phone number, or what was given as the number of an in-app call.
    cli = Wire("cli", fields.String())
    #: Seconds in the conference.
    duration = Wire("duration", Whole())
    #: Whether nobody hears this participant.
    muted = Wire("muted", Flag())
    #: Whether this participant is on hold, `onhold` on the wire.
    on_hold = Wire("onhold", Flag())


class Conference(WireObject):
    """A conference and who is in it."""

    _shown = "_count"
    _items = Wire("participants", Items())

    @cached_property
    def participants(self) -> tuple[Participant, ...]:
        """Who is in it; empty when nobody is."""
        items = enumerate(self._items or ())
        return tuple(
            Participant(item, f"{self.where}.participants[{i}]") for i, item in items if isinstance(item, dict)
        )

    @property
    def _count(self) -> str:
        return f"of {len(self.participants)}"
