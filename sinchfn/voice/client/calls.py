"""Calls and conferences that exist: ``calls.get``, ``calls.update``, ``conferences.kick`` and others."""

from __future__ import annotations

from typing import Any, Literal

from ...errors import Advised, SvamlError, did_you_mean
from ...wire.faults import describe
from .api import Api, path
from .replies import CallDetails, Conference
from .svaml import SvamlLike, as_svaml

#: The sides of a call.
LEGS = ("caller", "callee", "both")

Leg = Literal["caller", "callee", "both"]


class Calls(Advised):
    """``/calling/v1/calls/id/{callId}``. Every method raises:

    :raises ValueError: an argument is invalid, such as the None of a callback without a call id; nothing was sent.
    :raises VoiceApiError: the platform refused the request, could not be reached or gave no answer in time. Status 404:
        the call does not exist, has ended, or belongs to another region.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, call_id: str | None) -> CallDetails:
        """Return the details of a call, during the call and afterwards.

        By the API document, only for calls to a phone or SIP address.
        """
        return CallDetails(self._api.fetch("GET", path("/calls/id/{}", call_id=call_id)))

    def update(self, call_id: str | None, svaml: SvamlLike) -> None:
        """Change a connected call: the platform runs the instructions, then the action.

        Only for calls from or to a phone or SIP address. By the API document, the action is ``hangup``, ``continue`` or
        ``park``; every instruction is allowed.

        :param svaml: an answer or a builder, or a dict.
        """
        self._api.send("PATCH", path("/calls/id/{}", call_id=call_id), _change(svaml))

    def manage_leg(self, call_id: str | None, leg: Leg, svaml: SvamlLike) -> None:
        """Change one side of a call: only that side hears ``play_files`` and ``say``.

        The platform ignores ``leg`` for calls in a conference, and for callouts.

        :param leg: ``caller``, ``callee`` or ``both``.
        """
        if leg not in LEGS:
            hint = did_you_mean(leg, LEGS) if isinstance(leg, str) else ""
            raise ValueError(f"leg takes {', '.join(LEGS[:-1])} or {LEGS[-1]}, found {describe(leg)}.{hint}")
        self._api.send("PATCH", path("/calls/id/{}/leg/" + leg, call_id=call_id), _change(svaml))

    def __repr__(self) -> str:
        return f"<Calls of {self._api!r}>"


def _change(svaml: SvamlLike) -> dict[str, Any]:
    document = as_svaml(svaml, "svaml")
    if not document:
        raise SvamlError("svaml has neither instructions nor an action, so it would change nothing.")
    return document


class Conferences(Advised):
    """``/calling/v1/conferences/id/{conferenceId}``. Every method raises:

    :raises ValueError: an id is empty, or None as in a callback without one; nothing was sent.
    :raises VoiceApiError: the platform refused the request, could not be reached or gave no answer in time. Status 404:
        the conference or participant does not exist now, or belongs to another region.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, conference_id: str | None) -> Conference:
        """Return a conference with its participants."""
        return Conference(self._api.fetch("GET", path("/conferences/id/{}", conference_id=conference_id)))

    def kick_all(self, conference_id: str | None) -> None:
        """End the calls of all participants, and with them the conference."""
        self._api.send("DELETE", path("/conferences/id/{}", conference_id=conference_id))

    def kick(self, conference_id: str | None, call_id: str | None) -> None:
        """Remove one participant from a conference.

        :param call_id: the ``call_id`` of the participant, as in :meth:`get`.
        """
        self._api.send("DELETE", _participant(conference_id, call_id))

    def mute(self, conference_id: str | None, call_id: str | None) -> None:
        """Mute a participant: the others do not hear them."""
        self._api.send("PATCH", _participant(conference_id, call_id), {"command": "mute"})

    def unmute(self, conference_id: str | None, call_id: str | None) -> None:
        """Let the others hear a participant again."""
        self._api.send("PATCH", _participant(conference_id, call_id), {"command": "unmute"})

    def __repr__(self) -> str:
        return f"<Conferences of {self._api!r}>"


def _participant(conference_id: str | None, call_id: str | None) -> str:
    return path("/conferences/id/{}/{}", conference_id=conference_id, call_id=call_id)
