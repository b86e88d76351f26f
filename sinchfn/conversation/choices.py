"""The buttons of a message: `Choice`, of one of six kinds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ..errors import MessageError
from .limits import degrees_of, found, given, items_of, link_of, phone_number_of, text_of
from .pieces import Piece


class Choice(Piece):
    """One button. Make it with one of the methods here: `Choice.text("Yes")`, `Choice.url("Shop", "https://...")`.

    All of them raise `MessageError` for what the platform would refuse. `postback_data` comes back when the button is
    pressed, as `get_postback_data` reads it; platform's default: `message_id_{text, title}`.
    """

    __slots__ = ()

    @classmethod
    def text(cls, text: str, *, postback_data: str | None = None) -> Choice:
        """A text that is sent back when it is pressed."""
        return cls._of("text_message", {"text": text_of(text, "Choice.text")}, postback_data)

    @classmethod
    def postback(cls, text: str, postback_data: str) -> Choice:
        """The same, with what comes back; that must not be empty."""
        return cls.text(text, postback_data=postback_data)

    @classmethod
    def url(cls, title: str, url: str, *, postback_data: str | None = None) -> Choice:
        """A link."""
        content = {"title": text_of(title, "title of Choice.url"), "url": link_of(url, "url of Choice.url")}
        return cls._of("url_message", content, postback_data)

    @classmethod
    def call(cls, title: str, phone_number: str, *, postback_data: str | None = None) -> Choice:
        """A number that is called, in E.164 form with `+`."""
        number = phone_number_of(phone_number, "phone_number of Choice.call")
        content = {"title": text_of(title, "title of Choice.call"), "phone_number": number}
        return cls._of("call_message", content, postback_data)

    @classmethod
    def location(
        cls,
        title: str,
        latitude: float,
        longitude: float,
        *,
        label: str | None = None,
        postback_data: str | None = None,
    ) -> Choice:
        """A place, in degrees; north and east are positive."""
        return cls._of("location_message", location_of(title, latitude, longitude, label), postback_data)

    @classmethod
    def share_location(cls, title: str, fallback_url: str, *, postback_data: str | None = None) -> Choice:
        """A request for the contact's place.

        :param fallback_url: opened where a channel cannot do it.
        """
        what = "Choice.share_location"
        content = {
            "title": text_of(title, f"title of {what}"),
            "fallback_url": link_of(fallback_url, f"fallback_url of {what}"),
        }
        return cls._of("share_location_message", content, postback_data)

    @classmethod
    def calendar(
        cls,
        title: str,
        event_title: str,
        event_start: datetime,
        event_end: datetime,
        fallback_url: str,
        *,
        event_description: str | None = None,
        postback_data: str | None = None,
    ) -> Choice:
        """An entry for the contact's calendar.

        :param title: text of the button.
        :param event_start: aware, such as `datetime(2030, 1, 1, tzinfo=UTC)`; so is `event_end`.
        :param fallback_url: opened where a channel cannot do it.
        """
        content = given(
            title=text_of(title, "title of Choice.calendar"),
            event_start=_moment(event_start, "event_start"),
            event_end=_moment(event_end, "event_end"),
            event_title=text_of(event_title, "event_title"),
            event_description=None if event_description is None else text_of(event_description, "event_description"),
            fallback_url=link_of(fallback_url, "fallback_url of Choice.calendar"),
        )
        return cls._of("calendar_message", content, postback_data)

    @classmethod
    def _of(cls, kind: str, content: dict[str, Any], postback_data: str | None) -> Choice:
        data = None if postback_data is None else text_of(postback_data, "postback_data")
        return cls({kind: content} | given(postback_data=data))


def choices_of(choices: Iterable[Choice | str], what: str, most: int) -> list[dict[str, Any]]:
    """The choices as the wire has them; a text alone is a `Choice.text`."""
    items = items_of(choices, what, (Choice, str), most)
    return [(Choice.text(item) if isinstance(item, str) else item).build() for item in items]


def location_of(title: str, latitude: float, longitude: float, label: str | None) -> dict[str, Any]:
    """A location as the wire has it, of a choice and of a message."""
    coordinates = {
        "latitude": degrees_of(latitude, "latitude", 90),
        "longitude": degrees_of(longitude, "longitude", 180),
    }
    name = None if label is None else text_of(label, "label of a location")
    return given(title=text_of(title, "title of a location"), label=name, coordinates=coordinates)


def _moment(value: object, what: str) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise MessageError(f"{what} takes an aware datetime such as datetime(2030, 1, 1, tzinfo=UTC), {_naive(value)}.")
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise MessageError(f"{what} takes a datetime of the years 1 to 9999 in UTC.") from None


def _naive(value: object) -> str:
    return "found one without a time zone" if isinstance(value, datetime) else f"found {found(value)}"
