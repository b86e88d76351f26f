"""What an app wrote, as a MESSAGE_SUBMIT event repeats it: `AppMessage` with one of nine contents.

This is what comes in; what goes out is built with `ConversationMessage`.
"""

from __future__ import annotations

from marshmallow import fields

from ..payloads import Entries, Part, Parts, Wire, WireObject, Word
from .contents import LocationMessage, MediaMessage, ProductItem, TextMessage


class CallMessage(WireObject):
    """A number to call."""

    _shown = "title"

    #: Text of the button.
    title = Wire("title", fields.String())
    #: E.164 with `+`.
    phone_number = Wire("phone_number", fields.String())


class UrlMessage(WireObject):
    """A link."""

    _shown = "title"

    #: Text of the button.
    title = Wire("title", fields.String())
    #: Where it leads.
    url = Wire("url", fields.String())


class OfferedChoice(WireObject):
    """A button: one kind of it is there, the others are None."""

    _shown = "where"

    #: A text that is sent back.
    text_message = Wire("text_message", Part(TextMessage))
    #: A link.
    url_message = Wire("url_message", Part(UrlMessage))
    #: A number to call.
    call_message = Wire("call_message", Part(CallMessage))
    #: A place.
    location_message = Wire("location_message", Part(LocationMessage))
    #: An entry for a calendar.
    calendar_message = Wire("calendar_message", Entries())
    #: A request for the contact's place.
    share_location_message = Wire("share_location_message", Entries())
    #: What comes back when it is pressed.
    postback_data = Wire("postback_data", fields.String())


class ChoiceMessage(WireObject):
    """A text with buttons."""

    _shown = "where"

    #: The text.
    text_message = Wire("text_message", Part(TextMessage))
    #: The buttons.
    choices = Wire("choices", Parts(OfferedChoice))
    #: `whatsapp_footer`.
    message_properties = Wire("message_properties", Entries())


class CardMessage(WireObject):
    """A picture, a text and buttons."""

    _shown = "where"

    #: Headline.
    title = Wire("title", fields.String())
    #: Text below it.
    description = Wire("description", fields.String())
    #: `SHORT`, `MEDIUM`, `TALL`, `UNSPECIFIED_HEIGHT`.
    height = Wire("height", Word())
    #: The picture.
    media_message = Wire("media_message", Part(MediaMessage))
    #: The buttons.
    choices = Wire("choices", Parts(OfferedChoice))
    #: `whatsapp_header`.
    message_properties = Wire("message_properties", Entries())


class CarouselMessage(WireObject):
    """Cards side by side."""

    _shown = "where"

    #: The cards.
    cards = Wire("cards", Parts(CardMessage))
    #: Buttons below all of them.
    choices = Wire("choices", Parts(OfferedChoice))


class ChoiceItem(WireObject):
    """A line of a list that can be chosen."""

    _shown = "where"

    #: The line.
    title = Wire("title", fields.String())
    #: Text below it.
    description = Wire("description", fields.String())
    #: A picture.
    media = Wire("media", Part(MediaMessage))
    #: What comes back when it is chosen.
    postback_data = Wire("postback_data", fields.String())


class ListItem(WireObject):
    """A line of a list: `choice` or `product` is there, the other is None."""

    _shown = "where"

    #: A choice.
    choice = Wire("choice", Part(ChoiceItem))
    #: A product.
    product = Wire("product", Part(ProductItem))


class SubmittedSection(WireObject):
    """Lines of a list under one title."""

    _shown = "title"

    #: The title.
    title = Wire("title", fields.String())
    #: The lines, `items` on the wire.
    items_ = Wire("items", Parts(ListItem))


class ListMessage(WireObject):
    """A list to choose from."""

    _shown = "where"

    #: Text above the list.
    title = Wire("title", fields.String())
    #: Text below the title.
    description = Wire("description", fields.String())
    #: A picture.
    media = Wire("media", Part(MediaMessage))
    #: The lines.
    sections = Wire("sections", Parts(SubmittedSection))
    #: `catalog_id`, `menu`, `whatsapp_header`.
    message_properties = Wire("message_properties", Entries())


class TemplateReference(WireObject):
    """A template, and what is filled into it."""

    _shown = "template_id"

    #: Id of the template; on WhatsApp its name.
    template_id = Wire("template_id", fields.String())
    #: Its version.
    version = Wire("version", fields.String())
    #: Its language, such as `en_US`.
    language_code = Wire("language_code", fields.String())
    #: Name -> text.
    parameters = Wire("parameters", Entries())


class TemplateMessage(WireObject):
    """A template for all channels, or one per channel."""

    _shown = "where"

    #: For all channels.
    omni_template = Wire("omni_template", Part(TemplateReference))
    #: Channel -> the object of a template, as it came.
    channel_template = Wire("channel_template", Entries())


class Agent(WireObject):
    """Who wrote for the app."""

    _shown = "type"

    #: Name to show.
    display_name = Wire("display_name", fields.String())
    #: `HUMAN`, `BOT`, `UNKNOWN_AGENT_TYPE`.
    type = Wire("type", Word())
    #: A picture.
    picture_url = Wire("picture_url", fields.String())


class AppMessage(WireObject):
    """What an app wrote: one of its contents is there, the others are None."""

    _shown = "where"

    #: A text.
    text_message = Wire("text_message", Part(TextMessage))
    #: A file.
    media_message = Wire("media_message", Part(MediaMessage))
    #: A text with buttons.
    choice_message = Wire("choice_message", Part(ChoiceMessage))
    #: A picture, a text and buttons.
    card_message = Wire("card_message", Part(CardMessage))
    #: Cards side by side.
    carousel_message = Wire("carousel_message", Part(CarouselMessage))
    #: A place.
    location_message = Wire("location_message", Part(LocationMessage))
    #: A template.
    template_message = Wire("template_message", Part(TemplateMessage))
    #: A list.
    list_message = Wire("list_message", Part(ListMessage))
    #: A business card, as it came.
    contact_info_message = Wire("contact_info_message", Entries())
    #: Channel -> the channel's own JSON in a string.
    explicit_channel_message = Wire("explicit_channel_message", Entries())
    #: Channel -> another content for it, as it came.
    explicit_channel_omni_message = Wire("explicit_channel_omni_message", Entries())
    #: Channel -> what only that channel has, as it came.
    channel_specific_message = Wire("channel_specific_message", Entries())
    #: Who wrote for the app.
    agent = Wire("agent", Part(Agent))
