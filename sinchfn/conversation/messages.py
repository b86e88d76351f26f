"""Messages to contacts: `ConversationMessage`, built step by step and handed to the official SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, Self

from .. import jsontext
from ..errors import ConfigError, MessageError
from .cards import Card, ListSection, Media, Template, media_of, sections_of
from .choices import Choice, choices_of, location_of
from .envelope import Envelope
from .limits import (
    CARDS,
    CHOICES,
    LIST_CHOICES,
    OUTER_CHOICES,
    channel_of,
    found,
    given,
    items_of,
    optional,
    text_of,
)

#: Without these `context.conversation` is None.
NEEDED = ("PROJECT_ID", "PROJECT_ID_API_KEY", "PROJECT_ID_API_SECRET", "CONVERSATION_APP_ID")


class ConversationMessage(Envelope):
    """A message to a contact: who it goes to, one content, and settings. Never changes: each method returns a new one::

        create_message().app_id(app).to_channel("SMS", "+46700000000").text("Hello").send(context.conversation)

    All of them raise `MessageError` for what the platform would refuse.
    """

    __slots__ = ()

    def text(self, text: str) -> Self:
        """A text."""
        return self._content("text_message", {"text": text_of(text, "text")})

    def media(self, media: Media | str) -> Self:
        """A file: picture, sound, video, document; a text is its URL."""
        content = media_of(media, "media")
        if content is None:
            raise MessageError("media takes Media or a URL, found None.")
        return self._content("media_message", content)

    def choice(self, text: str, choices: Iterable[Choice | str], *, whatsapp_footer: str | None = None) -> Self:
        """A text with up to 10 buttons; a text among them is a `Choice.text`."""
        footer = given(whatsapp_footer=optional(whatsapp_footer, "whatsapp_footer"))
        content = given(
            text_message={"text": text_of(text, "text of choice")},
            choices=choices_of(choices, "choices", CHOICES),
            message_properties=footer or None,
        )
        return self._content("choice_message", content)

    def card(self, card: Card) -> Self:
        """A picture, a text and buttons."""
        return self._content("card_message", items_of([card], "card", Card)[0].build())

    def carousel(self, cards: Iterable[Card], choices: Iterable[Choice | str] | None = None) -> Self:
        """Up to 10 cards side by side, with up to 3 buttons below all of them."""
        content = given(
            cards=[card.build() for card in items_of(cards, "cards", Card, CARDS)],
            choices=None if choices is None else choices_of(choices, "choices of a carousel", OUTER_CHOICES),
        )
        return self._content("carousel_message", content)

    def location(self, title: str, latitude: float, longitude: float, label: str | None = None) -> Self:
        """A place, in degrees; north and east are positive."""
        return self._content("location_message", location_of(title, latitude, longitude, label))

    def template(self, omni: Template | None = None, *, channels: Mapping[str, Template] | None = None) -> Self:
        """A template that was stored before.

        :param omni: the template for all channels; it must have a version.
        :param channels: channel -> the template for it, which goes before the one for all.
        """
        content = given(
            omni_template=None if omni is None else _omni(omni),
            channel_template=None if channels is None else _by_channel(channels),
        )
        if not content:
            raise MessageError("template takes a template for all channels, templates by channel, or both.")
        return self._content("template_message", content)

    def list(
        self,
        title: str,
        sections: Iterable[ListSection],
        *,
        description: str | None = None,
        media: Media | str | None = None,
        menu: str | None = None,
        catalog_id: str | None = None,
        whatsapp_header: str | None = None,
    ) -> Self:
        """A list to choose from: up to 10 choices in all, or products. Shown on WhatsApp only.

        :param title: text above the list.
        :param description: text below the title.
        :param media: a picture; a text is its URL.
        :param menu: text of the button that opens a list of choices.
        :param catalog_id: required with products: the catalogue that they belong to.
        :param whatsapp_header: headline of a list of choices.
        """
        properties = given(
            catalog_id=optional(catalog_id, "catalog_id"),
            menu=optional(menu, "menu"),
            whatsapp_header=optional(whatsapp_header, "whatsapp_header"),
        )
        content = given(
            title=text_of(title, "title of a list"),
            description=optional(description, "description of a list"),
            media=media_of(media, "media of a list"),
            sections=sections_of(sections, catalog_id, LIST_CHOICES),
            message_properties=properties or None,
        )
        return self._content("list_message", content)

    def explicit_channel_message(self, channel: str, payload: str | Mapping[str, Any]) -> Self:
        """On this channel, what is in its own form; beside a content for the others, or alone.

        :param payload: the channel's JSON, as a text or as the object.
        """
        text = payload if isinstance(payload, str) else _json(payload)
        known = self._request.get("message", {}).get("explicit_channel_message", {})
        new = {channel_of(channel, "channel"): text_of(text, "payload")}
        return self._say(explicit_channel_message={**known, **new})

    def build(self) -> dict[str, Any]:
        """The JSON body of `POST /v1/projects/{project_id}/messages:send`: a new dict each time, yours to change.

        :raises MessageError: there is no app id, recipient or content, or they do not go together.
        """
        missing = [how for part, how in _REQUIRED.items() if part not in self._request]
        if missing:
            raise MessageError(f"A message cannot do without {', '.join(missing)}.")
        if self._request.get("processing_strategy") == "DISPATCH_ONLY" and "contact_id" in self._request["recipient"]:
            raise MessageError(
                'With "DISPATCH_ONLY" there are no contacts: write to_channel(channel, identity) instead.'
            )
        return deepcopy(dict(self._request))

    def send(self, conversation: Any) -> Any:
        """Send it.

        :param conversation: the client of the official SDK: `context.conversation`.
        :returns: what the SDK returns: `message_id`, `accepted_time`.
        :raises MessageError: see `build`.
        :raises ConfigError: there is no client.
        """
        body = self.build()
        if conversation is None:
            raise ConfigError(
                f"A message cannot be sent: there is no client. Set {', '.join(NEEDED[:-1])} and {NEEDED[-1]}, and "
                "install the official SDK: pip install 'sinchfn[sdk]'."
            )
        return conversation.messages.send(**_arguments(body))

    def _content(self, kind: str, content: dict[str, Any]) -> Self:
        there = [name for name in self._request.get("message", {}) if name != "explicit_channel_message"]
        if there:
            raise MessageError(f"A message has one content: this one is a {there[0]}, and no {kind} can be added.")
        return self._say(**{kind: content})

    def _say(self, **content: Any) -> Self:
        return self._with(message={**self._request.get("message", {}), **content})

    def __repr__(self) -> str:
        # Names only: texts and numbers are a person's data.
        return f"<ConversationMessage: {', '.join(self._request.get('message', {})) or 'nothing yet'}>"


#: Part of the body that must be there -> how it is given.
_REQUIRED: Mapping[str, str] = {
    "app_id": "an app: app_id(...)",
    "recipient": "a recipient: to_channel(channel, identity) or to_contact(contact_id)",
    "message": 'a content, such as text("Hello")',
}


def _arguments(body: dict[str, Any]) -> dict[str, Any]:
    """The body as `messages.send` of the SDK takes it."""
    recipient, url = body.pop("recipient"), body.pop("callback_url", None)
    identities = recipient.get("identified_by", {}).get("channel_identities")
    to = given(contact_id=recipient.get("contact_id"), recipient_identities=identities)
    return body | to | given(event_destination_target=url)


def _omni(template: Template) -> dict[str, Any]:
    built = items_of([template], "template", Template)[0].build()
    if "version" not in built:
        raise MessageError('A template for all channels takes a version too, such as version="latest".')
    return built


def _by_channel(templates: Mapping[str, Template]) -> dict[str, Any]:
    if not isinstance(templates, Mapping):
        raise MessageError(f"channels takes a dict of channels and templates, found {found(templates)}.")
    items_of(templates.values(), "channels", Template)
    built = {channel_of(name, "channels"): template.build() for name, template in templates.items()}
    if "language_code" not in built.get("WHATSAPP", {"language_code": ""}):
        raise MessageError('A template of WHATSAPP takes a language_code too, such as language_code="en_US".')
    return built


def _json(payload: object) -> str:
    try:
        return jsontext.dumps(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"payload takes what can be written as JSON: {error}.") from None
