"""What cards and lists are made of: `Media`, `Card`, `ListChoice`, `ListProduct`, `ListSection`, `Template`.

Each raises `MessageError` for what the platform would refuse, and never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from ..errors import MessageError
from .choices import Choice, choices_of
from .limits import CHOICES, found, given, items_of, one_of, optional, text_of, texts_of, url_of
from .pieces import Piece

#: How high a card is.
CardHeight = Literal["SHORT", "MEDIUM", "TALL"]


class Media(Piece):
    """A file: picture, sound, video, document."""

    __slots__ = ()

    def __init__(self, url: str, *, thumbnail_url: str | None = None, filename_override: str | None = None) -> None:
        """
        :param url: where the platform fetches it.
        :param thumbnail_url: where it fetches a small picture of it, for channels that show one.
        :param filename_override: name that the receiver stores it under.
        """
        thumbnail = None if thumbnail_url is None else url_of(thumbnail_url, "thumbnail_url")
        name = optional(filename_override, "filename_override")
        super().__init__(given(url=url_of(url, "url of the media"), thumbnail_url=thumbnail, filename_override=name))


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
        :param media: the picture; a text is its URL.
        :param choices: up to 10 buttons; a text is a `Choice.text`.
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
        tall = None if height is None else one_of(height, "height", get_args(CardHeight))
        header = given(whatsapp_header=optional(whatsapp_header, "whatsapp_header"))
        super().__init__(content | given(height=tall, message_properties=header or None))


class ListChoice(Piece):
    """A line of a list that can be chosen."""

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
        :param title: the line.
        :param description: text below it.
        :param media: a picture; a text is its URL.
        :param postback_data: what comes back when it is chosen.
        """
        choice = given(
            title=text_of(title, "title of a ListChoice"),
            description=optional(description, "description of a ListChoice"),
            media=media_of(media, "media of a ListChoice"),
            postback_data=optional(postback_data, "postback_data"),
        )
        super().__init__({"choice": choice})


class ListProduct(Piece):
    """A product of a catalogue, as a line of a list."""

    __slots__ = ()

    def __init__(self, product_id: str, marketplace: str) -> None:
        """
        :param product_id: `id` on the wire.
        :param marketplace: such as `FACEBOOK`.
        """
        product = {"id": text_of(product_id, "product_id"), "marketplace": text_of(marketplace, "marketplace")}
        super().__init__({"product": product})


class ListSection(Piece):
    """Lines of a list under one title."""

    __slots__ = ()

    def __init__(self, items: Iterable[ListChoice | ListProduct | str], title: str | None = None) -> None:
        """
        :param items: the lines, at least one: choices or products. A text is a `ListChoice`.
        :param title: stands above them.
        """
        lines = items_of(items, "items of a ListSection", (ListChoice, ListProduct, str))
        built = [(ListChoice(line) if isinstance(line, str) else line).build() for line in lines]
        super().__init__(given(title=optional(title, "title of a ListSection"), items=built))


class Template(Piece):
    """A template that was stored before, and what is filled into it."""

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
        :param template_id: its id; of a template of WhatsApp its name.
        :param version: `latest` where it was made in the dashboard. A template for all channels must have one.
        :param language_code: such as `en_US`; platform's default: English. A template of WhatsApp must have one.
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
    """Media as the wire has it; a text is its URL."""
    if media is None:
        return None
    if not isinstance(media, Media | str):
        raise MessageError(f"{what} takes Media or a URL, found {found(media)}.")
    return (Media(media) if isinstance(media, str) else media).build()


def sections_of(sections: Iterable[ListSection], catalog_id: str | None, most: int) -> list[dict[str, Any]]:
    """The sections of a list as the wire has them, with choices or products only."""
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
