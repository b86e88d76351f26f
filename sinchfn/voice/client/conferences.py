"""Conferences that there are: `conferences.get`, `kick_all`, `kick`, `mute`, `unmute`."""

from __future__ import annotations

from ...errors import Advised
from .api import Api, path
from .replies import Conference


class Conferences(Advised):
    """`/calling/v1/conferences/id/{conferenceId}`. Every method raises:

    :raises ValueError: an id that is empty, or the None of a callback that has none; found before anything is sent.
    :raises VoiceApiError: the platform refused it, could not be reached or gave no answer in time. Status 404: there is
        no such conference or participant now, or it lives in another region.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, conference_id: str | None) -> Conference:
        """Who is in a conference."""
        return Conference(self._api.fetch("GET", path("/conferences/id/{}", conference_id=conference_id)))

    def kick_all(self, conference_id: str | None) -> None:
        """End the calls of all participants, and with them the conference."""
        self._api.send("DELETE", path("/conferences/id/{}", conference_id=conference_id))

    def kick(self, conference_id: str | None, call_id: str | None) -> None:
        """Take one participant out of a conference.

        :param call_id: `call_id` of the participant, as in `get`.
        """
        self._api.send("DELETE", _participant(conference_id, call_id))

    def mute(self, conference_id: str | None, call_id: str | None) -> None:
        """Let nobody hear this participant."""
        self._api.send("PATCH", _participant(conference_id, call_id), {"command": "mute"})

    def unmute(self, conference_id: str | None, call_id: str | None) -> None:
        """Let the others hear this participant again."""
        self._api.send("PATCH", _participant(conference_id, call_id), {"command": "unmute"})

    def __repr__(self) -> str:
        return f"<Conferences of {self._api!r}>"


def _participant(conference_id: str | None, call_id: str | None) -> str:
    return path("/conferences/id/{}/{}", conference_id=conference_id, call_id=call_id)
