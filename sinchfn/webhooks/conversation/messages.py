"""Messages to contacts: ``ConversationMessage``, built step by step and sent by the official SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, Literal, Self

from ...errors import Advised, ConfigError, MessageError
from ...wire import json
from ...wire.faults import describe
from .limits import (
    CARDS,
    CHANNEL,
    CHOICES,
    CONVERSATION_METADATA_CHARS,
    CORRELATION_ID,
    LIST_CHOICES,
    METADATA,
    OUTER_CHOICES,
    PROPERTY,
    TTL,
    WEB_URL,
    checked,
    given,
    items_of,
    one_of,
    optional,
    text_of,
    texts_of,
)
from .parts import Card, Choice, ListSection, Media, Template, choices_of, location_of, media_of, sections_of

#: Channel -> the channel property for the sender of a message. On other channels the app's settings determine it.
SENDERS: Mapping[str, str] = MappingProxyType({"SMS": "SMS_SENDER", "MMS": "MMS_SENDER"})

#: The priority of a message; the platform's default is ``NORMAL_PRIORITY``.
Queue = Literal["NORMAL_PRIORITY", "HIGH_PRIORITY"]
#: Whether contact and conversation are stored; ``DEFAULT``: as in the settings of the app.
ProcessingStrategy = Literal["DEFAULT", "DISPATCH_ONLY"]
#: How new conversation metadata is combined with the old; the platform's default is ``REPLACE``.
MetadataStrategy = Literal["REPLACE", "MERGE_PATCH"]
#: The kind of a message, for consent management.
MessageContentType = Literal["CONTENT_UNKNOWN", "CONTENT_MARKETING", "CONTENT_NOTIFICATION"]


class Envelope(Advised):
    """The recipient and settings of a message. Each method returns a new one; a later value replaces an earlier one.

    All of them raise ``MessageError`` for a value that the platform would refuse.
    """

    __slots__ = ("_request",)

    def __init__(self) -> None:
        self._request: Mapping[str, Any] = MappingProxyType({})

    def app_id(self, app_id: str) -> Self:
        """Set the id of the app that sends it, as in ``CONVERSATION_APP_ID``."""
        return self._with(app_id=text_of(app_id, "app_id"))

    def to_contact(self, contact_id: str) -> Self:
        """Send it to a contact, on the contact's channels. Not in the processing mode DISPATCH."""
        wanted = text_of(contact_id, "to_contact")
        if "identified_by" in self._request.get("recipient", {}):
            raise MessageError("A message goes to a contact or to identities on channels, found both.")
        return self._with(recipient={"contact_id": wanted})

    def to_channel(self, channel: str, identity: str) -> Self:
        """Send it to a person on a channel. Called again, it adds another channel of the person, which is tried next.

        :param channel: such as ``SMS``, in capitals.
        :param identity: phone number with country code, or the channel's id of a person.
        """
        recipient = self._request.get("recipient", {})
        if "contact_id" in recipient:
            raise MessageError("A message goes to a contact or to identities on channels, found both.")
        known = recipient.get("identified_by", {}).get("channel_identities", [])
        new = {"channel": checked(CHANNEL, channel, "channel"), "identity": text_of(identity, "identity")}
        return self._with(recipient={"identified_by": {"channel_identities": [*known, new]}})

    def channel_priority_order(self, *channels: str) -> Self:
        """Set the order in which channels are tried; the app must have each of them."""
        items_of(channels, "channel_priority_order", str)
        return self._with(
            channel_priority_order=[checked(CHANNEL, name, "channel_priority_order") for name in channels]
        )

    def sender(self, sender: str, channel: str = "SMS") -> Self:
        """Set the number or name of the sender, on SMS (default) or MMS. On other channels the app's settings do."""
        if checked(CHANNEL, channel, "channel") not in SENDERS:
            raise MessageError(
                f"A sender can be chosen on {' and '.join(SENDERS)}, found {describe(str(channel))}. "
                "On other channels the settings of the app determine it."
            )
        return self.channel_properties({SENDERS[channel]: text_of(sender, "sender")})

    def channel_properties(self, properties: Mapping[str, str]) -> Self:
        """Add properties of a channel, such as ``{"SMS_FLASH_MESSAGE": "true"}``.

        :param properties: values are texts of at most 1024 characters.
        """
        new = texts_of(properties, "channel_properties", PROPERTY)
        return self._with(channel_properties={**self._request.get("channel_properties", {}), **new})

    def metadata(self, text: str) -> Self:
        """Set the ``metadata`` of its delivery reports, at most 1024 characters. ``message_metadata`` in the JSON."""
        return self._with(message_metadata=checked(METADATA, text, "metadata"))

    def conversation_metadata(self, metadata: Mapping[str, Any], strategy: MetadataStrategy | None = None) -> Self:
        """Set the ``message_metadata`` of the contact's messages. Works only where conversations are stored.

        :param metadata: JSON object, at most 2048 characters.
        :param strategy: the platform's default is ``REPLACE``.
        """
        changes: dict[str, Any] = {"conversation_metadata": _json_object(metadata)}
        if strategy is not None:
            word = one_of(strategy, "strategy", MetadataStrategy)
            changes["conversation_metadata_update_strategy"] = word
        return self._with(**changes)

    def correlation_id(self, text: str) -> Self:
        """Set an id for all events about the message and the contact's answers, at most 128 characters."""
        return self._with(correlation_id=checked(CORRELATION_ID, text, "correlation_id"))

    def ttl(self, seconds: int) -> Self:
        """Set the time to live in seconds, 3 or more. After that no other channel is tried."""
        return self._with(ttl=f"{checked(TTL, seconds, 'ttl')}s")

    def queue(self, queue: Queue) -> Self:
        """Set the priority."""
        return self._with(queue=one_of(queue, "queue", Queue))

    def processing_strategy(self, strategy: ProcessingStrategy) -> Self:
        """With ``DISPATCH_ONLY``, store neither contact nor conversation, whatever the app's processing mode is."""
        return self._with(processing_strategy=one_of(strategy, "processing_strategy", ProcessingStrategy))

    def callback_url(self, url: str) -> Self:
        """Send the delivery reports of this message to a URL instead of the app's webhooks."""
        return self._with(callback_url=checked(WEB_URL, url, "callback_url"))

    def message_content_type(self, kind: MessageContentType) -> Self:
        """Set the kind of the message, for consent management."""
        return self._with(message_content_type=one_of(kind, "message_content_type", MessageContentType))

    def _with(self, **changes: Any) -> Self:
        other = object.__new__(type(self))
        other._request = MappingProxyType({**self._request, **changes})
        return other

    def __eq__(self, other: object) -> bool:
        return self._request == other._request if isinstance(other, Envelope) else NotImplemented


def _json_object(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise MessageError(f"conversation_metadata: must be a dict with texts as keys, found {describe(value)}.")
    try:
        text = json.dumps(dict(value))
        copied: dict[str, Any] = json.loads(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"conversation_metadata: cannot be written as JSON: {error}.") from None
    if len(text) > CONVERSATION_METADATA_CHARS:
        raise MessageError(
            f"conversation_metadata: must have at most {CONVERSATION_METADATA_CHARS} characters of JSON, "
            f"found {len(text)}."
        )
    return copied


#: Settings without which ``context.conversation`` is None.
NEEDED = ("PROJECT_ID", "PROJECT_ID_API_KEY", "PROJECT_ID_API_SECRET", "CONVERSATION_APP_ID")


class ConversationMessage(Envelope):
    """A message to a contact: recipient, one content and settings. It is immutable: each method returns a new one::

        create_message().app_id(app).to_channel("SMS", "+46700000000").text("Hello").send(context.conversation)

    All of them raise ``MessageError`` for a value that the platform would refuse.
    """

    __slots__ = ()

    def text(self, text: str) -> Self:
        """Add a text."""
        return self._content("text_message", {"text": text_of(text, "text")})

    def media(self, media: Media | str) -> Self:
        """Add a file: picture, sound, video or document. A str is its URL."""
        content = media_of(media, "media")
        if content is None:
            raise MessageError("media: must be Media or a URL, found None.")
        return self._content("media_message", content)

    def choice(self, text: str, choices: Iterable[Choice | str], *, whatsapp_footer: str | None = None) -> Self:
        """Add a text with up to 10 buttons. A str among the choices is a ``Choice.text``."""
        footer = given(whatsapp_footer=optional(whatsapp_footer, "whatsapp_footer"))
        content = given(
            text_message={"text": text_of(text, "text of choice")},
            choices=choices_of(choices, "choices", CHOICES),
            message_properties=footer or None,
        )
        return self._content("choice_message", content)

    def card(self, card: Card) -> Self:
        """Add a card: a picture, a text and buttons."""
        return self._content("card_message", items_of([card], "card", Card)[0].build())

    def carousel(self, cards: Iterable[Card], choices: Iterable[Choice | str] | None = None) -> Self:
        """Add up to 10 cards side by side, with up to 3 buttons below all of them."""
        content = given(
            cards=[card.build() for card in items_of(cards, "cards", Card, CARDS)],
            choices=None if choices is None else choices_of(choices, "choices of a carousel", OUTER_CHOICES),
        )
        return self._content("carousel_message", content)

    def location(self, title: str, latitude: float, longitude: float, label: str | None = None) -> Self:
        """Add a place, in degrees. North and east are positive."""
        return self._content("location_message", location_of(title, latitude, longitude, label))

    def template(self, omni: Template | None = None, *, channels: Mapping[str, Template] | None = None) -> Self:
        """Add a stored template.

        :param omni: the template for all channels; it must have a version.
        :param channels: channel -> the template for it, which is preferred to the one for all.
        """
        content = given(
            omni_template=None if omni is None else _omni_template(omni),
            channel_template=None if channels is None else _channel_templates(channels),
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
        """Add a list of up to 10 choices, or of products. Shown on WhatsApp only.

        :param title: text above the list.
        :param description: text below the title.
        :param media: a picture; a str is its URL.
        :param menu: the text of the button that opens a list of choices.
        :param catalog_id: the catalogue of the products; required with products.
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
        """Add a content in the channel's own form, alone or beside a content for the other channels.

        :param payload: the channel's JSON, as a str or as the object.
        """
        text = payload if isinstance(payload, str) else _json(payload)
        known = self._request.get("message", {}).get("explicit_channel_message", {})
        new = {checked(CHANNEL, channel, "channel"): text_of(text, "payload")}
        return self._with_parts(explicit_channel_message={**known, **new})

    def build(self) -> dict[str, Any]:
        """Return the JSON body of ``POST /v1/projects/{project_id}/messages:send``: a new dict each time.

        :raises MessageError: the app id, recipient or content is missing, or they cannot be combined.
        """
        missing = [how for part, how in _REQUIRED.items() if part not in self._request]
        if missing:
            raise MessageError(f"A message needs {', '.join(missing)}.")
        if self._request.get("processing_strategy") == "DISPATCH_ONLY" and "contact_id" in self._request["recipient"]:
            raise MessageError(
                'With "DISPATCH_ONLY" there are no contacts: write to_channel(channel, identity) instead.'
            )
        return deepcopy(dict(self._request))

    def send(self, conversation: Any) -> Any:
        """Send the message.

        :param conversation: the client of the official SDK: ``context.conversation``.
        :returns: the SDK's result, with ``message_id`` and ``accepted_time``.
        :raises MessageError: see ``build``.
        :raises ConfigError: the client is None.
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
            raise MessageError(f"A message has one content: this one has a {there[0]}, so {kind} cannot be added.")
        return self._with_parts(**{kind: content})

    def _with_parts(self, **content: Any) -> Self:
        return self._with(message={**self._request.get("message", {}), **content})

    def __repr__(self) -> str:
        # Names only: texts and numbers are personal data.
        return f"<ConversationMessage: {', '.join(self._request.get('message', {})) or 'nothing yet'}>"


#: Required part of the body -> how to add it.
_REQUIRED: Mapping[str, str] = {
    "app_id": "an app: app_id(...)",
    "recipient": "a recipient: to_channel(channel, identity) or to_contact(contact_id)",
    "message": 'a content, such as text("Hello")',
}


def _arguments(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body as arguments of the SDK's ``messages.send``."""
    recipient, url = body.pop("recipient"), body.pop("callback_url", None)
    identities = recipient.get("identified_by", {}).get("channel_identities")
    to = given(contact_id=recipient.get("contact_id"), recipient_identities=identities)
    return body | to | given(event_destination_target=url)


def _omni_template(template: Template) -> dict[str, Any]:
    built = items_of([template], "template", Template)[0].build()
    if "version" not in built:
        raise MessageError('A template for all channels takes a version too, such as version="latest".')
    return built


def _channel_templates(templates: Mapping[str, Template]) -> dict[str, Any]:
    if not isinstance(templates, Mapping):
        raise MessageError(f"channels: must be a dict of channels and templates, found {describe(templates)}.")
    items_of(templates.values(), "channels", Template)
    built = {checked(CHANNEL, name, "channels"): template.build() for name, template in templates.items()}
    if "language_code" not in built.get("WHATSAPP", {"language_code": ""}):
        raise MessageError('A template of WHATSAPP takes a language_code too, such as language_code="en_US".')
    return built


def _json(payload: object) -> str:
    try:
        return json.dumps(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"payload: cannot be written as JSON: {error}.") from None
