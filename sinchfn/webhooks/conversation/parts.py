"""The parts of messages: media, choices, cards, items of lists, and templates.

Each is immutable, and raises ``MessageError`` for a value that the platform would refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, Literal

from ...errors import MessageError
from ...wire.faults import describe
from .limits import (
    CHOICES,
    LATITUDE,
    LINK,
    LONGITUDE,
    PHONE_NUMBER,
    WEB_URL,
    checked,
    given,
    items_of,
    one_of,
    optional,
    text_of,
    texts_of,
)


class Piece:
    """A checked JSON object, a part of a message."""

    __slots__ = ("_content",)

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = dict(content)

    def build(self) -> dict[str, Any]:
        """Return the object as it is sent: a new dict each time."""
        return deepcopy(self._content)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Piece) or type(self) is not type(other):
            return NotImplemented
        return self._content == other._content

    def __repr__(self) -> str:
        # Names only: texts may contain personal data.
        return f"<{type(self).__name__}: {', '.join(self._content)}>"


class Choice(Piece):
    """A button, made with one of its methods: ``Choice.text("Yes")``, ``Choice.url("Shop", "https://...")``.

    All of them raise ``MessageError`` for a value that the platform would refuse. ``postback_data`` is sent back when
    the button is pressed; ``get_postback_data`` reads it. The platform's default is ``message_id_{text, title}``.
    """

    __slots__ = ()

    @classmethod
    def text(cls, text: str, *, postback_data: str | None = None) -> Choice:
        """Return a button that sends its text back."""
        return cls._of("text_message", {"text": text_of(text, "Choice.text")}, postback_data)

    @classmethod
    def postback(cls, text: str, postback_data: str) -> Choice:
        """Return a button that sends its text and data back. The data must not be empty."""
        return cls.text(text, postback_data=postback_data)

    @classmethod
    def url(cls, title: str, url: str, *, postback_data: str | None = None) -> Choice:
        """Return a button that opens a link."""
        content = {"title": text_of(title, "title of Choice.url"), "url": checked(LINK, url, "url of Choice.url")}
        return cls._of("url_message", content, postback_data)

    @classmethod
    def call(cls, title: str, phone_number: str, *, postback_data: str | None = None) -> Choice:
        """Return a button that calls a number, in E.164 form with ``+``."""
        number = checked(PHONE_NUMBER, phone_number, "phone_number of Choice.call")
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
        """Return a button that shows a place, in degrees. North and east are positive."""
        return cls._of("location_message", location_of(title, latitude, longitude, label), postback_data)

    @classmethod
    def share_location(cls, title: str, fallback_url: str, *, postback_data: str | None = None) -> Choice:
        """Return a button that asks for the contact's location.

        :param fallback_url: opened on channels that do not support it.
        """
        what = "Choice.share_location"
        content = {
            "title": text_of(title, f"title of {what}"),
            "fallback_url": checked(LINK, fallback_url, f"fallback_url of {what}"),
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
        """Return a button that adds an entry to the contact's calendar.

        :param title: text of the button.
        :param event_start: aware, such as ``datetime(2030, 1, 1, tzinfo=UTC)``; so is ``event_end``.
        :param fallback_url: opened on channels that do not support it.
        """
        content = given(
            title=text_of(title, "title of Choice.calendar"),
            event_start=_moment(event_start, "event_start"),
            event_end=_moment(event_end, "event_end"),
            event_title=text_of(event_title, "event_title"),
            event_description=optional(event_description, "event_description"),
            fallback_url=checked(LINK, fallback_url, "fallback_url of Choice.calendar"),
        )
        return cls._of("calendar_message", content, postback_data)

    @classmethod
    def _of(cls, kind: str, content: dict[str, Any], postback_data: str | None) -> Choice:
        return cls({kind: content} | given(postback_data=optional(postback_data, "postback_data")))


def choices_of(choices: Iterable[Choice | str], what: str, most: int) -> list[dict[str, Any]]:
    """Return choices as they are sent. A str is a ``Choice.text``."""
    items = items_of(choices, what, (Choice, str), most)
    return [(Choice.text(item) if isinstance(item, str) else item).build() for item in items]


def location_of(title: str, latitude: float, longitude: float, label: str | None) -> dict[str, Any]:
    """Return a location as it is sent, in a choice or in a message."""
    coordinates = {
        "latitude": checked(LATITUDE, latitude, "latitude"),
        "longitude": checked(LONGITUDE, longitude, "longitude"),
    }
    return given(
        title=text_of(title, "title of a location"),
        label=optional(label, "label of a location"),
        coordinates=coordinates,
    )


def _moment(value: object, what: str) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        found = "one without a time zone" if isinstance(value, datetime) else describe(value)
        raise MessageError(
            f"{what}: must be an aware datetime such as datetime(2030, 1, 1, tzinfo=UTC), found {found}."
        )
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise MessageError(f"{what}: must be a datetime of the years 1 to 9999 in UTC.") from None


#: The height of a card.
CardHeight = Literal["SHORT", "MEDIUM", "TALL"]


class Media(Piece):
    """A file: picture, sound, video or document."""

    __slots__ = ()

    def __init__(self, url: str, *, thumbnail_url: str | None = None, filename_override: str | None = None) -> None:
        """
        :param url: the URL from which the platform fetches it.
        :param thumbnail_url: the URL of a preview, for channels that show one.
        :param filename_override: the file name for the receiver.
        """
        thumbnail = None if thumbnail_url is None else checked(WEB_URL, thumbnail_url, "thumbnail_url")
        name = optional(filename_override, "filename_override")
        super().__init__(
            given(url=checked(WEB_URL, url, "url of the media"), thumbnail_url=thumbnail, filename_override=name)
        )


class Card(Piece):
    """A picture, a text and buttons; at least one of them."""

    __slots__ = ()

    def __init__(
        self,
        title: str | None = None,
        description: str | None = None,
        *,
        media: Media | str | None = None,
        choices: Iterable[Choice | str] | None = None,
        height: CardHeight | None = None,
        whatsapp_header: str | None = None,
    ) -> None:
        """
        :param title: headline.
        :param description: text below it.
        :param media: the picture; a str is its URL.
        :param choices: up to 10 buttons; a str is a ``Choice.text``.
        :param height: on RCS.
        :param whatsapp_header: on WhatsApp, instead of a picture.
        """
        content = given(
            title=optional(title, "title of a card"),
            description=optional(description, "description of a card"),
            media_message=media_of(media, "media of a card"),
            choices=None if choices is None else choices_of(choices, "choices of a card", CHOICES),
        )
        if not content:
            raise MessageError("A card takes a title, a description, media or choices, found none of them.")
        tall = None if height is None else one_of(height, "height", CardHeight)
        header = given(whatsapp_header=optional(whatsapp_header, "whatsapp_header"))
        super().__init__(content | given(height=tall, message_properties=header or None))


class ListChoice(Piece):
    """An item of a list that can be chosen."""

    __slots__ = ()

    def __init__(
        self,
        title: str,
        description: str | None = None,
        *,
        media: Media | str | None = None,
        postback_data: str | None = None,
    ) -> None:
        """
        :param title: the text of the item.
        :param description: text below it.
        :param media: a picture; a str is its URL.
        :param postback_data: the data that is sent back when it is chosen.
        """
        choice = given(
            title=text_of(title, "title of a ListChoice"),
            description=optional(description, "description of a ListChoice"),
            media=media_of(media, "media of a ListChoice"),
            postback_data=optional(postback_data, "postback_data"),
        )
        super().__init__({"choice": choice})


class ListProduct(Piece):
    """A product of a catalogue, as an item of a list."""

    __slots__ = ()

    def __init__(self, product_id: str, marketplace: str) -> None:
        """
        :param product_id: ``id`` in the JSON.
        :param marketplace: such as ``FACEBOOK``.
        """
        product = {"id": text_of(product_id, "product_id"), "marketplace": text_of(marketplace, "marketplace")}
        super().__init__({"product": product})


class ListSection(Piece):
    """A section of a list."""

    __slots__ = ()

    def __init__(self, items: Iterable[ListChoice | ListProduct | str], title: str | None = None) -> None:
        """
        :param items: one or more choices or products; a str is a ``ListChoice``.
        :param title: the title above them.
        """
        lines = items_of(items, "items of a ListSection", (ListChoice, ListProduct, str))
        built = [(ListChoice(line) if isinstance(line, str) else line).build() for line in lines]
        super().__init__(given(title=optional(title, "title of a ListSection"), items=built))


class Template(Piece):
    """A stored template and its parameters."""

    __slots__ = ()

    def __init__(
        self,
        template_id: str,
        *,
        version: str | None = None,
        language_code: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        """
        :param template_id: its id; for a template of WhatsApp its name.
        :param version: ``latest`` if it was made in the dashboard. Required for a template for all channels.
        :param language_code: such as ``en_US``; the platform's default is English. Required for WhatsApp.
        :param parameters: name -> text.
        """
        content = given(
            template_id=text_of(template_id, "template_id"),
            version=optional(version, "version of a template"),
            language_code=optional(language_code, "language_code"),
            parameters=None if parameters is None else texts_of(parameters, "parameters"),
        )
        super().__init__(content)


def media_of(media: Media | str | None, what: str) -> dict[str, Any] | None:
    """Return media as they are sent. A str is a URL."""
    if media is None:
        return None
    if not isinstance(media, Media | str):
        raise MessageError(f"{what}: must be Media or a URL, found {describe(media)}.")
    return (Media(media) if isinstance(media, str) else media).build()


def sections_of(sections: Iterable[ListSection], catalog_id: str | None, most: int) -> list[dict[str, Any]]:
    """Return the sections of a list as they are sent, checking that they have choices or products only."""
    built = [section.build() for section in items_of(sections, "sections of a list", ListSection)]
    lines = [line for section in built for line in section["items"]]
    products = [line for line in lines if "product" in line]
    if products and len(products) < len(lines):
        raise MessageError("A list takes choices or products, found both.")
    if products and catalog_id is None:
        raise MessageError("A list of products takes catalog_id too, the catalogue that they belong to.")
    if not products and len(lines) > most:
        raise MessageError(f"A list takes at most {most} choices, all sections together, found {len(lines)}.")
    return built
