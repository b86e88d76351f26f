"""Notifications of the platform about messages, contacts and conversations."""

from __future__ import annotations

from typing import Literal

from ...wire.objects import Entries, Known, Number, Part, Parts, Text, Texts, Wire, WireObject, Word, Words
from .inbound import (
    ChannelName,
    Contact,
    ContactRelated,
    Conversation,
    ConversationRelated,
    LocationMessage,
    MediaMessage,
    ProcessingMode,
    ProductItem,
    Reason,
    TextMessage,
)


class Sentiment(WireObject):
    """A mood and its probability."""

    _shown = "sentiment"

    #: ``POSITIVE``, ``NEGATIVE``, ``NEUTRAL``.
    sentiment = Wire(Known[Literal["POSITIVE", "NEGATIVE", "NEUTRAL"]]())
    #: 0 to 1.
    score = Wire(Number())


class SentimentResult(Sentiment):
    """The mood of a message: the most likely one, and all results."""

    #: The analysed text.
    message = Wire(Text())
    #: All moods.
    results = Wire(Parts(Sentiment))


class Intent(WireObject):
    """An intent and its probability."""

    _shown = "intent"

    #: Name of the intent, such as ``chitchat.greeting``.
    intent = Wire(Text())
    #: 0 to 1.
    score = Wire(Number())


class NluResult(Intent):
    """The intent of a message: the most likely one, and all results."""

    #: The analysed text.
    message = Wire(Text())
    #: All intents.
    results = Wire(Parts(Intent))


class DocumentClassification(WireObject):
    """The kind of document in a picture."""

    _shown = "doc_type"

    doc_type = Wire(Text())
    #: 0 to 1.
    confidence = Wire(Number())


class RecognizedSection(WireObject):
    """A section of a picture with text."""

    data = Wire(Texts())


class OpticalCharacterRecognition(WireObject):
    """The texts of a picture."""

    #: One item for each section.
    result = Wire(Parts(RecognizedSection))


class DocumentFields(WireObject):
    """The fields of a document, under any names: ``fields["name"]["data"]``."""


class DocumentFieldClassification(WireObject):
    """The fields of the documents in a picture."""

    #: One item for each document.
    result = Wire(Parts(DocumentFields))


class ImageRecognitionResult(WireObject):
    """The results of image recognition."""

    #: URL of the picture.
    url = Wire(Text())
    document_image_classification = Wire(Part(DocumentClassification))
    optical_character_recognition = Wire(Part(OpticalCharacterRecognition))
    document_field_classification = Wire(Part(DocumentFieldClassification))


class PiiResult(WireObject):
    """Personal data in a message."""

    #: The analysed text.
    message = Wire(Text())
    #: The text without the personal data.
    masked = Wire(Text())


class OffensiveAnalysisResult(WireObject):
    """The assessment of a message or picture as offensive or not."""

    _shown = "evaluation"

    #: The analysed text.
    message = Wire(Text())
    #: URL of the analysed picture.
    url = Wire(Text())
    #: ``SAFE`` or ``UNSAFE``.
    evaluation = Wire(Known[Literal["SAFE", "UNSAFE"]]())
    #: 0 to 1.
    score = Wire(Number())


class AnalysisResults(WireObject):
    """All results of an analysis; None for each kind that was not requested."""

    ml_sentiment_result = Wire(Parts(SentimentResult))
    ml_nlu_result = Wire(Parts(NluResult))
    ml_image_recognition_result = Wire(Parts(ImageRecognitionResult))
    ml_pii_result = Wire(Parts(PiiResult))
    ml_offensive_analysis_result = Wire(Parts(OffensiveAnalysisResult))


class CallMessage(WireObject):
    """A number to call."""

    _shown = "title"

    #: Text of the button.
    title = Wire(Text())
    #: E.164 with ``+``.
    phone_number = Wire(Text())


class UrlMessage(WireObject):
    """A link."""

    _shown = "title"

    #: Text of the button.
    title = Wire(Text())
    #: Target of the link.
    url = Wire(Text())


class OfferedChoice(WireObject):
    """A button: one of its kinds is set, the others are None."""

    #: A text that is sent as the reply.
    text_message = Wire(Part(TextMessage))
    url_message = Wire(Part(UrlMessage))
    call_message = Wire(Part(CallMessage))
    location_message = Wire(Part(LocationMessage))
    #: A calendar entry.
    calendar_message = Wire(Entries())
    #: A request for the contact's location.
    share_location_message = Wire(Entries())
    #: The data that is sent back when it is pressed.
    postback_data = Wire(Text())


class ChoiceMessage(WireObject):
    """A text with buttons."""

    text_message = Wire(Part(TextMessage))
    choices = Wire(Parts(OfferedChoice))
    #: ``whatsapp_footer``.
    message_properties = Wire(Entries())


class CardMessage(WireObject):
    """A picture, a text and buttons."""

    #: Headline.
    title = Wire(Text())
    #: Text below it.
    description = Wire(Text())
    #: ``SHORT``, ``MEDIUM``, ``TALL``, ``UNSPECIFIED_HEIGHT``.
    height = Wire(Word())
    #: URL of the picture.
    media_message = Wire(Part(MediaMessage))
    choices = Wire(Parts(OfferedChoice))
    #: ``whatsapp_header``.
    message_properties = Wire(Entries())


class CarouselMessage(WireObject):
    """Cards side by side."""

    cards = Wire(Parts(CardMessage))
    #: Buttons below all of them.
    choices = Wire(Parts(OfferedChoice))


class ChoiceItem(WireObject):
    """An item of a list that can be chosen."""

    title = Wire(Text())
    #: Text below it.
    description = Wire(Text())
    #: A picture.
    media = Wire(Part(MediaMessage))
    #: The data that is sent back when it is chosen.
    postback_data = Wire(Text())


class ListItem(WireObject):
    """An item of a list: ``choice`` or ``product`` is set, the other is None."""

    choice = Wire(Part(ChoiceItem))
    product = Wire(Part(ProductItem))


class SubmittedSection(WireObject):
    """A section of a list, with a title."""

    _shown = "title"

    title = Wire(Text())
    #: The items; ``items`` in the JSON.
    items_ = Wire(Parts(ListItem), "items")


class ListMessage(WireObject):
    """A list of choices or products."""

    #: Text above the list.
    title = Wire(Text())
    #: Text below the title.
    description = Wire(Text())
    #: A picture.
    media = Wire(Part(MediaMessage))
    sections = Wire(Parts(SubmittedSection))
    #: ``catalog_id``, ``menu``, ``whatsapp_header``.
    message_properties = Wire(Entries())


class TemplateReference(WireObject):
    """A template and its parameters."""

    _shown = "template_id"

    #: Id of the template; on WhatsApp its name.
    template_id = Wire(Text())
    #: Its version.
    version = Wire(Text())
    #: Its language, such as ``en_US``.
    language_code = Wire(Text())
    #: Name -> text.
    parameters = Wire(Entries())


class TemplateMessage(WireObject):
    """A template for all channels, or one per channel."""

    #: For all channels.
    omni_template = Wire(Part(TemplateReference))
    #: Channel -> template, as received.
    channel_template = Wire(Entries())


class Agent(WireObject):
    """The agent who wrote for the app."""

    _shown = "type"

    display_name = Wire(Text())
    #: ``HUMAN``, ``BOT``, ``UNKNOWN_AGENT_TYPE``.
    type = Wire(Word())
    picture_url = Wire(Text())


class AppMessage(WireObject):
    """The content of an app's message: one of these is set, the others are None."""

    text_message = Wire(Part(TextMessage))
    media_message = Wire(Part(MediaMessage))
    choice_message = Wire(Part(ChoiceMessage))
    card_message = Wire(Part(CardMessage))
    carousel_message = Wire(Part(CarouselMessage))
    location_message = Wire(Part(LocationMessage))
    template_message = Wire(Part(TemplateMessage))
    list_message = Wire(Part(ListMessage))
    #: A business card, as received.
    contact_info_message = Wire(Entries())
    #: Channel -> the channel's own JSON in a string.
    explicit_channel_message = Wire(Entries())
    #: Channel -> another content for it, as received.
    explicit_channel_omni_message = Wire(Entries())
    #: Channel -> a content that only this channel has, as received.
    channel_specific_message = Wire(Entries())
    agent = Wire(Part(Agent))


#: The documented values; they are compared without case.
DeliveryStatus = Literal["QUEUED_ON_CHANNEL", "DELIVERED", "READ", "FAILED", "SWITCHING_CHANNEL"]
CapabilityStatus = Literal["CAPABILITY_FULL", "CAPABILITY_PARTIAL", "NO_CAPABILITY", "CAPABILITY_UNKNOWN"]
OptStatus = Literal[
    "OPT_IN_SUCCEEDED",
    "OPT_IN_FAILED",
    "OPT_IN_STATUS_UNSPECIFIED",
    "OPT_OUT_SUCCEEDED",
    "OPT_OUT_FAILED",
    "OPT_OUT_STATUS_UNSPECIFIED",
]


class MessageSubmit(ConversationRelated):
    """A message of an app was submitted to the channel."""

    _shown = "message_id"

    message_id = Wire(Text())
    submitted_message = Wire(Part(AppMessage))
    #: The ``message_metadata`` with which it was sent.
    metadata = Wire(Text())


class MessageDeliveryReport(ConversationRelated):
    """A delivery report for a message. Reports may come late, twice and out of order."""

    _shown = "message_id"

    message_id = Wire(Text())
    #: ``QUEUED_ON_CHANNEL``, ``DELIVERED``, ``READ``, ``FAILED``, ``SWITCHING_CHANNEL``.
    status = Wire(Known[DeliveryStatus]())
    #: The reason why it failed or why another channel is tried.
    reason = Wire(Part(Reason))
    #: The ``message_metadata`` with which it was sent.
    metadata = Wire(Text())


class EventDeliveryReport(ContactRelated):
    """A delivery report for an event of an app."""

    _shown = "event_id"

    event_id = Wire(Text())
    #: The same values as in a ``MessageDeliveryReport``.
    status = Wire(Known[DeliveryStatus]())
    #: The reason why it failed.
    reason = Wire(Part(Reason))
    #: The metadata with which it was sent.
    metadata = Wire(Text())


class ConversationNotification(WireObject):
    """A conversation was started, stopped or deleted."""

    _shown = "conversation"

    conversation = Wire(Part(Conversation))


class ContactNotification(WireObject):
    """A contact was created, changed or deleted; a deleted contact is complete too."""

    _shown = "contact"

    contact = Wire(Part(Contact))


class ContactMerge(WireObject):
    """Two contacts were merged."""

    _shown = "preserved_contact"

    #: The contact that remains.
    preserved_contact = Wire(Part(Contact))
    #: The contact that was deleted.
    deleted_contact = Wire(Part(Contact))


class DuplicatedIdentity(WireObject):
    """An identity that several contacts share."""

    _shown = "channel"

    channel = Wire(Known[ChannelName]())
    contact_ids = Wire(Texts())
    #: Undocumented: seen in one sample only.
    identity = Wire(Text())
    #: Undocumented: seen in one sample only.
    app_id = Wire(Text())


class DuplicatedIdentities(WireObject):
    """Several contacts share an identity."""

    duplicated_identities = Wire(Parts(DuplicatedIdentity))


class CapabilityNotification(WireObject):
    """The answer to a capability request: whether a person can be reached on a channel."""

    _shown = "request_id"

    request_id = Wire(Text())
    contact_id = Wire(Text())
    channel = Wire(Known[ChannelName]())
    #: The person's number or id on it.
    identity = Wire(Text())
    #: ``CAPABILITY_FULL``, ``CAPABILITY_PARTIAL``, ``NO_CAPABILITY``, ``CAPABILITY_UNKNOWN``.
    capability_status = Wire(Known[CapabilityStatus]())
    #: What can be sent to the person on this channel.
    channel_capabilities = Wire(Words())
    #: The reason why the status is unknown.
    reason = Wire(Part(Reason))


class ErrorDetails(WireObject):
    """The description of an error."""

    _shown = "description"

    #: The error in words.
    description = Wire(Text())


class OptNotification(WireObject):
    """The result of an opt-in or opt-out."""

    _shown = "request_id"

    request_id = Wire(Text())
    #: Id of the contact; empty in the processing mode DISPATCH.
    contact_id = Wire(Text())
    channel = Wire(Known[ChannelName]())
    #: The person's number or id on it.
    identity = Wire(Text())
    #: ``OPT_IN_SUCCEEDED``, ``OPT_IN_FAILED``, ``OPT_IN_STATUS_UNSPECIFIED``, and the same with ``OPT_OUT``.
    status = Wire(Known[OptStatus]())
    #: The reason why it failed.
    error_details = Wire(Part(ErrorDetails))
    #: ``CONVERSATION`` or ``DISPATCH``.
    processing_mode = Wire(Known[ProcessingMode]())


class ChannelChange(WireObject):
    """An event of a channel itself."""

    _shown = "event_type"

    channel = Wire(Known[ChannelName]())
    #: Type such as ``WHATS_APP_QUALITY_RATING_CHANGED``.
    event_type = Wire(Word())
    #: Details such as ``quality_rating``, as received.
    additional_data = Wire(Entries())


class ChannelEventNotification(WireObject):
    """The payload of a CHANNEL_EVENT."""

    _shown = "channel_event"

    channel_event = Wire(Part(ChannelChange))


class UnsupportedCallback(ConversationRelated):
    """A channel sent a callback that the platform does not support."""

    _shown = "id"

    channel = Wire(Known[ChannelName]())
    #: The channel's callback: JSON in a string.
    payload = Wire(Text())
    id = Wire(Text())


class SmartConversation(WireObject):
    """The analysis of a contact's message by Smart Conversations."""

    _shown = "message_id"

    contact_id = Wire(Text())
    #: The sender's identity: a string here, not an object.
    channel_identity = Wire(Text())
    channel = Wire(Known[ChannelName]())
    message_id = Wire(Text())
    conversation_id = Wire(Text())
    analysis_results = Wire(Part(AnalysisResults))


class RecordNotification(ConversationRelated):
    """A message or event was stored. The fields are known from one official SDK only."""

    _shown = "entity_id"

    #: Id of the message or event.
    entity_id = Wire(Text())
    #: ``EVENT_RECORD_STORED``.
    record_status = Wire(Word())
    #: The reason why it was not stored.
    reason = Wire(Part(Reason))


class BatchStatusUpdate(WireObject):
    """A batch was processed. The fields are known from one sample only."""

    _shown = "batch_id"

    batch_id = Wire(Text())
    #: ``BATCH_STATUS_PROCESSED``.
    batch_status = Wire(Word())
    #: ``BATCH_TYPE_MESSAGES``.
    batch_type = Wire(Word())
    #: ``message_batch_data`` with ``send_after`` and ``batch_metadata``, as received.
    additional_data = Wire(Entries())
