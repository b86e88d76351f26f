"""What a contact writes: `ContactMessage` with one of eight contents, within an `InboundMessage`."""

from __future__ import annotations

from marshmallow import fields

from ..payloads import Amount, Flag, Instant, Known, Number, Part, Parts, Whole, Wire, WireObject, Word
from .identities import ChannelIdentity, Direction, ProcessingMode, Reason


class TextMessage(WireObject):
    """A text."""

    _shown = "where"

    #: The text; may be empty.
    text = Wire("text", fields.String())


class MediaMessage(WireObject):
    """A file: picture, sound, video, document."""

    _shown = "where"

    #: Where the file is.
    url = Wire("url", fields.String())
    #: Where a small picture of it is.
    thumbnail_url = Wire("thumbnail_url", fields.String())
    #: Name to store it under.
    filename_override = Wire("filename_override", fields.String())


class MediaCardMessage(WireObject):
    """A file with a caption."""

    _shown = "where"

    #: Where the file is.
    url = Wire("url", fields.String())
    #: What the contact wrote below it.
    caption = Wire("caption", fields.String())


class Coordinates(WireObject):
    """A point on Earth."""

    _shown = "where"

    #: Degrees, north is positive.
    latitude = Wire("latitude", Number())
    #: Degrees, east is positive.
    longitude = Wire("longitude", Number())


class LocationMessage(WireObject):
    """A place."""

    _shown = "where"

    #: Text near the map.
    title = Wire("title", fields.String())
    #: Name of the place.
    label = Wire("label", fields.String())
    #: Where it is.
    coordinates = Wire("coordinates", Part(Coordinates))


class ChoiceResponseMessage(WireObject):
    """A choice of an earlier message was pressed."""

    _shown = "postback_data"

    #: Id of the message that offered the choice.
    message_id = Wire("message_id", fields.String())
    #: What the choice carried; the platform's default is `message_id_{text, title}`.
    postback_data = Wire("postback_data", fields.String())


class ProductItem(WireObject):
    """A product, and how many of it."""

    _shown = "id"

    #: Id of the product.
    id = Wire("id", fields.String())
    #: Such as `FACEBOOK`.
    marketplace = Wire("marketplace", fields.String())
    #: How many.
    quantity = Wire("quantity", Whole())
    #: Price of one, exact decimal.
    item_price = Wire("item_price", Amount())
    #: ISO 4217 code such as `EUR`.
    currency = Wire("currency", fields.String())


class ProductResponseMessage(WireObject):
    """Products were put into the basket."""

    _shown = "catalog_id"

    #: The products.
    products = Wire("products", Parts(ProductItem))
    #: Id of the catalogue.
    catalog_id = Wire("catalog_id", fields.String())
    #: What the contact wrote to it. The sources disagree whether it is `title` or `text`: both are read.
    title = Wire("title", fields.String())
    #: See `title`.
    text = Wire("text", fields.String())


class FallbackMessage(WireObject):
    """Something that the platform could not turn into any other content."""

    _shown = "where"

    #: As the channel gave it, mostly JSON.
    raw_message = Wire("raw_message", fields.String())
    #: Why.
    reason = Wire("reason", Part(Reason))


class NfmReply(WireObject):
    """A WhatsApp form that was filled in."""

    _shown = "name"

    #: `flow` or `address_message`.
    name = Wire("name", Word())
    #: What was filled in: JSON in a string.
    response_json = Wire("response_json", fields.String())
    #: Text shown to the contact.
    body = Wire("body", fields.String())


class ChannelSpecificContent(WireObject):
    """What a `ChannelSpecificMessage` holds."""

    _shown = "type"

    #: `nfm_reply`.
    type = Wire("type", Word())
    #: The form.
    nfm_reply = Wire("nfm_reply", Part(NfmReply))


class ChannelSpecificMessage(WireObject):
    """Something that only one channel has."""

    _shown = "message_type"

    #: `nfm_reply`.
    message_type = Wire("message_type", Word())
    #: What it is.
    message = Wire("message", Part(ChannelSpecificContent))


class ReplyTo(WireObject):
    """The message that was answered."""

    _shown = "message_id"

    #: Its id.
    message_id = Wire("message_id", fields.String())


class ContactMessage(WireObject):
    """What a contact wrote: one of its contents is there, the others are None."""

    _shown = "where"

    #: A text.
    text_message = Wire("text_message", Part(TextMessage))
    #: A file.
    media_message = Wire("media_message", Part(MediaMessage))
    #: A file with a caption.
    media_card_message = Wire("media_card_message", Part(MediaCardMessage))
    #: A place.
    location_message = Wire("location_message", Part(LocationMessage))
    #: A choice that was pressed.
    choice_response_message = Wire("choice_response_message", Part(ChoiceResponseMessage))
    #: Products that were chosen.
    product_response_message = Wire("product_response_message", Part(ProductResponseMessage))
    #: What the platform does not understand.
    fallback_message = Wire("fallback_message", Part(FallbackMessage))
    #: What only one channel has.
    channel_specific_message = Wire("channel_specific_message", Part(ChannelSpecificMessage))
    #: The message it answers; beside any content.
    reply_to = Wire("reply_to", Part(ReplyTo))


class InboundMessage(WireObject):
    """A message of a contact to an app."""

    _shown = "id"

    #: Id of the message.
    id = Wire("id", fields.String())
    #: `TO_APP`.
    direction = Wire("direction", Known[Direction]())
    #: What was written.
    contact_message = Wire("contact_message", Part(ContactMessage))
    #: Who wrote, and on which channel.
    channel_identity = Wire("channel_identity", Part(ChannelIdentity))
    #: Id of the conversation; empty in the processing mode DISPATCH.
    conversation_id = Wire("conversation_id", fields.String())
    #: Id of the contact; empty in the processing mode DISPATCH.
    contact_id = Wire("contact_id", fields.String())
    #: What the channel says about it.
    metadata = Wire("metadata", fields.String())
    #: When the platform took it in, aware, in UTC.
    accept_time = Wire("accept_time", Instant())
    #: Your number or sender id that was written to. Not every channel has it.
    sender_id = Wire("sender_id", fields.String())
    #: `CONVERSATION`, or `DISPATCH`: neither contact nor conversation is kept.
    processing_mode = Wire("processing_mode", Known[ProcessingMode]())
    #: Whether it was put in through the API instead of a channel.
    injected = Wire("injected", Flag())


class RedactedMessage(InboundMessage):
    """A message whose personal data is masked, as in `My name is {PERSON}`."""

    #: Undocumented: seen in one sample only.
    redaction_type = Wire("redaction_type", Word())
    #: Undocumented: seen in one sample only.
    original_text = Wire("original_text", fields.String())
