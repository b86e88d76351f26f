"""Calls that there are: `calls.get`, `calls.update`, `calls.manage_leg`."""

from __future__ import annotations

from typing import Any, Literal

from ...errors import Advised, SvamlError, did_you_mean
from .api import Api, path
from .inline import SvamlLike, as_svaml
from .replies import CallDetails

#: The sides of a call.
LEGS = ("caller", "callee", "both")

Leg = Literal["caller", "callee", "both"]


class Calls(Advised):
    """`/calling/v1/calls/id/{callId}`. Every method raises:

    :raises ValueError: an argument that the API does not take, or the None of a callback that has no call id; found
        before anything is sent.
    :raises VoiceApiError: the platform refused it, could not be reached or gave no answer in time. Status 404: the call
        is not there, has ended, or belongs to another region.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, call_id: str | None) -> CallDetails:
        """What is known of a call, while it lasts and afterwards.

        The API document limits this to calls that end at a phone or SIP address.
        """
        return CallDetails(self._api.fetch("GET", path("/calls/id/{}", call_id=call_id)))

    def update(self, call_id: str | None, svaml: SvamlLike) -> None:
        """Change a connected call: the instructions are carried out, then the action.

        Only for calls from or to a phone or SIP address. The API document has the actions `hangup`, `continue` and
        `park` here, and every instruction.

        :param svaml: what a builder made, or a dict.
        """
        self._api.send("PATCH", path("/calls/id/{}", call_id=call_id), _change(svaml))

    def manage_leg(self, call_id: str | None, leg: Leg, svaml: SvamlLike) -> None:
        """The same for one side of a call: who hears what `play_files` and `say` play.

        The platform ignores `leg` for calls in a conference, and for callouts.

        :param leg: `caller`, `callee` or `both`.
        """
        if leg not in LEGS:
            hint = did_you_mean(str(leg)[:20], LEGS)
            raise ValueError(f"leg takes {', '.join(LEGS[:-1])} or {LEGS[-1]}, found {str(leg)[:20]!r}.{hint}")
        self._api.send("PATCH", path("/calls/id/{}/leg/" + leg, call_id=call_id), _change(svaml))

    def __repr__(self) -> str:
        return f"<Calls of {self._api!r}>"


def _change(svaml: SvamlLike) -> dict[str, Any]:
    document = as_svaml(svaml, "svaml")
    if not document:
        raise SvamlError("svaml has neither instructions nor an action: there is nothing to change.")
    return document
