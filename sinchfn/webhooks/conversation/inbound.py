"""The messages and events of a contact: an ``InboundMessage`` with one of eight contents, or an ``InboundEvent``."""

from __future__ import annotations

from typing import Literal

from ...wire.objects import (
    Amount,
    Entries,
    Flag,
    Instant,
    Known,
    Number,
    Part,
    Parts,
    Text,
    Whole,
    Wire,
    WireObject,
    Word,
    Words,
)

#: The documented values; they are compared without case.
ChannelName = Literal[
    "WHATSAPP", "RCS", "SMS", "MESSENGER", "VIBERBM", "MMS", "INSTAGRAM", "TELEGRAM", "KAKAOTALK", "KAKAOTALKCHAT",
    "LINE", "WECHAT", "APPLEBC",
]  # fmt: skip
ProcessingMode = Literal["CONVERSATION", "DISPATCH"]
Direction = Literal["TO_APP", "TO_CONTACT"]


class ChannelIdentity(WireObject):
    """A person on one channel."""

    _shown = "channel"

    #: See :data:`ChannelName`.
    channel = Wire(Known[ChannelName]())
    #: A phone number (SMS often omits the ``+``), or the channel's own id of a person.
    identity = Wire(Text())
    #: Set only where identities belong to one app or page, as on MESSENGER and INSTAGRAM; otherwise empty.
    app_id = Wire(Text())


class Contact(WireObject):
    """A person known to the project, on one channel or several."""

    _shown = "id"

    id = Wire(Text())
    channel_identities = Wire(Parts(ChannelIdentity))
    #: The channels in the order in which they are tried.
    channel_priority = Wire(Words())
    display_name = Wire(Text())
    email = Wire(Text())
    #: The contact's id in a system of your own.
    external_id = Wire(Text())
    #: Your own text about the contact.
    metadata = Wire(Text())
    #: Language code such as ``EN_US``.
    language = Wire(Word())


class Conversation(WireObject):
    """A conversation between an app and a contact."""

    _shown = "id"

    id = Wire(Text())
    app_id = Wire(Text())
    contact_id = Wire(Text())
    #: The channel that was used last.
    active_channel = Wire(Known[ChannelName]())
    #: Whether it is still open.
    active = Wire(Flag())
    #: Time of the contact's last message; aware, in UTC.
    last_received = Wire(Instant())
    #: Deprecated by the platform: ``metadata_json`` as a text.
    metadata = Wire(Text())
    #: The ``conversation_metadata`` of a message that was sent.
    metadata_json = Wire(Entries())
    #: The ``correlation_id`` of a message that was sent.
    correlation_id = Wire(Text())


class Reason(WireObject):
    """The reason why a message was not delivered or not understood."""

    _shown = "code"

    #: One of 31 documented codes, such as ``RECIPIENT_NOT_REACHABLE`` and ``OUTSIDE_ALLOWED_SENDING_WINDOW``.
    code = Wire(Word())
    #: The code in words.
    description = Wire(Text())
    #: ``UNSPECIFIED_SUB_CODE``, ``ATTACHMENT_REJECTED``, ``MEDIA_TYPE_UNDETERMINED``, ``INACTIVE_SENDER``.
    sub_code = Wire(Word())
    #: The channel's own code, such as ``131026``; WhatsApp only.
    channel_code = Wire(Text())


class ContactRelated(WireObject):
    """The common fields of whatever belongs to a contact, and mostly to a conversation."""

    #: The contact's identity on the channel.
    channel_identity = Wire(Part(ChannelIdentity))
    #: Id of the contact; empty in the processing mode DISPATCH.
    contact_id = Wire(Text())
    #: ``CONVERSATION``, or ``DISPATCH`` if neither contact nor conversation is stored.
    processing_mode = Wire(Known[ProcessingMode]())


class ConversationRelated(ContactRelated):
    """The common fields of whatever belongs to a conversation."""

    #: Id of the conversation; empty in the processing mode DISPATCH.
    conversation_id = Wire(Text())


class CommentEvent(WireObject):
    """A comment on a post."""

    _shown = "id"

    id = Wire(Text())
    text = Wire(Text())
    #: ``FEED`` or ``LIVE``.
    comment_type = Wire(Known[Literal["FEED", "LIVE"]]())
    #: URL of the post.
    commented_on = Wire(Text())
    #: The author of the comment.
    user = Wire(Text())


class GenericEvent(WireObject):
    """An event of a channel that has no type of its own."""

    #: The event, as received.
    payload = Wire(Entries())


class ContactEvent(WireObject):
    """An action of a contact: one of these is set, the others are None."""

    #: The contact began to type. An empty dict, so compare with ``is not None``.
    composing_event = Wire(Entries())
    #: The contact stopped typing. An empty dict.
    composing_end_event = Wire(Entries())
    #: The contact deleted the conversation. An empty dict.
    conversation_deleted_event = Wire(Entries())
    comment_event = Wire(Part(CommentEvent))
    #: Any other action.
    generic_event = Wire(Part(GenericEvent))


class PaymentStatusUpdateEvent(WireObject):
    """A change of the status of a payment."""

    _shown = "reference_id"

    #: Your id of the payment.
    reference_id = Wire(Text())
    #: ``PAYMENT_STATUS_NEW``, ``_PENDING``, ``_CAPTURED``, ``_CANCELED``, ``_FAILED``, ``_UNKNOWN``.
    payment_status = Wire(Word())
    #: ``PAYMENT_STATUS_TRANSACTION_PENDING``, ``_SUCCESS``, ``_FAILED``, ``_CANCELED``, ``_UNKNOWN``.
    payment_transaction_status = Wire(Word())
    #: The provider's id of the transaction.
    payment_transaction_id = Wire(Text())


class ShortlinkActivatedEvent(WireObject):
    """The contact opened a link into the channel, such as ``m.me``."""

    _shown = "ref"

    #: The postback data of the choice that was pressed, if any.
    payload = Wire(Text())
    title = Wire(Text())
    #: The parameter of the link.
    ref = Wire(Text())
    #: The source of the link.
    source = Wire(Text())
    #: Kind of referral.
    type = Wire(Text())
    #: Whether a thread existed before.
    existing_thread = Wire(Flag())


class ReactionEvent(WireObject):
    """The contact reacted to a message with an emoji, or removed the emoji."""

    _shown = "action"

    emoji = Wire(Text())
    #: ``REACTION_ACTION_REACT`` or ``REACTION_ACTION_UNREACT``.
    action = Wire(Known[Literal["REACTION_ACTION_REACT", "REACTION_ACTION_UNREACT"]]())
    message_id = Wire(Text())
    #: The channel's name for the reaction.
    reaction_category = Wire(Text())


class ContactMessageEvent(WireObject):
    """An action that concerns a message: one of these is set, the others are None."""

    payment_status_update_event = Wire(Part(PaymentStatusUpdateEvent))
    shortlink_activated_event = Wire(Part(ShortlinkActivatedEvent))
    reaction_event = Wire(Part(ReactionEvent))


class InboundEvent(ConversationRelated):
    """An event of a contact: ``contact_event`` or ``contact_message_event`` is set, the other is None."""

    _shown = "id"

    id = Wire(Text())
    #: ``TO_APP``.
    direction = Wire(Known[Direction]())
    #: Time when the platform accepted it; aware, in UTC.
    accept_time = Wire(Instant())
    contact_event = Wire(Part(ContactEvent))
    contact_message_event = Wire(Part(ContactMessageEvent))


class TextMessage(WireObject):
    """A text."""

    #: The text; may be empty.
    text = Wire(Text())


class MediaMessage(WireObject):
    """A file: picture, sound, video or document."""

    #: URL of the file.
    url = Wire(Text())
    #: URL of a small preview.
    thumbnail_url = Wire(Text())
    #: File name to store it under.
    filename_override = Wire(Text())


class MediaCardMessage(WireObject):
    """A file with a caption."""

    #: URL of the file.
    url = Wire(Text())
    #: The contact's text below it.
    caption = Wire(Text())


class Coordinates(WireObject):
    """A geographic position."""

    #: Degrees, north is positive.
    latitude = Wire(Number())
    #: Degrees, east is positive.
    longitude = Wire(Number())


class LocationMessage(WireObject):
    """A place."""

    #: Text near the map.
    title = Wire(Text())
    label = Wire(Text())
    coordinates = Wire(Part(Coordinates))


class ChoiceResponseMessage(WireObject):
    """The contact pressed a choice of an earlier message."""

    _shown = "postback_data"

    #: Id of the message that offered the choice.
    message_id = Wire(Text())
    #: The postback data of the choice; the platform's default is ``message_id_{text, title}``.
    postback_data = Wire(Text())


class ProductItem(WireObject):
    """A product and its quantity."""

    _shown = "id"

    id = Wire(Text())
    #: Marketplace such as ``FACEBOOK``.
    marketplace = Wire(Text())
    quantity = Wire(Whole())
    #: Price of one, as an exact decimal.
    item_price = Wire(Amount())
    #: ISO 4217 code such as ``EUR``.
    currency = Wire(Text())


class ProductResponseMessage(WireObject):
    """The contact put products into the basket."""

    _shown = "catalog_id"

    products = Wire(Parts(ProductItem))
    catalog_id = Wire(Text())
    #: The contact's message about them. The sources disagree whether it is ``title`` or ``text``: both are read.
    title = Wire(Text())
    #: See ``title``.
    text = Wire(Text())


class FallbackMessage(WireObject):
    """A message that the platform could not convert to any other content."""

    #: The message as the channel sent it, mostly JSON.
    raw_message = Wire(Text())
    reason = Wire(Part(Reason))


class NfmReply(WireObject):
    """A completed WhatsApp form."""

    _shown = "name"

    #: ``flow`` or ``address_message``.
    name = Wire(Word())
    #: The values of the form: JSON in a string.
    response_json = Wire(Text())
    #: The text that was shown to the contact.
    body = Wire(Text())


class ChannelSpecificContent(WireObject):
    """The content of a ``ChannelSpecificMessage``."""

    _shown = "type"

    #: ``nfm_reply``.
    type = Wire(Word())
    nfm_reply = Wire(Part(NfmReply))


class ChannelSpecificMessage(WireObject):
    """A content that only one channel has."""

    _shown = "message_type"

    #: ``nfm_reply``.
    message_type = Wire(Word())
    message = Wire(Part(ChannelSpecificContent))


class ReplyTo(WireObject):
    """A reference to the message that was answered."""

    _shown = "message_id"

    message_id = Wire(Text())


class ContactMessage(WireObject):
    """The content of a contact's message: one of these is set, the others are None."""

    text_message = Wire(Part(TextMessage))
    media_message = Wire(Part(MediaMessage))
    media_card_message = Wire(Part(MediaCardMessage))
    location_message = Wire(Part(LocationMessage))
    choice_response_message = Wire(Part(ChoiceResponseMessage))
    product_response_message = Wire(Part(ProductResponseMessage))
    fallback_message = Wire(Part(FallbackMessage))
    channel_specific_message = Wire(Part(ChannelSpecificMessage))
    #: The message that it answers; set beside any content.
    reply_to = Wire(Part(ReplyTo))


class InboundMessage(ConversationRelated):
    """A message from a contact to an app."""

    _shown = "id"

    id = Wire(Text())
    #: ``TO_APP``.
    direction = Wire(Known[Direction]())
    contact_message = Wire(Part(ContactMessage))
    #: Metadata of the channel.
    metadata = Wire(Text())
    #: Time when the platform accepted it; aware, in UTC.
    accept_time = Wire(Instant())
    #: Your number or sender id that received it. Not every channel has one.
    sender_id = Wire(Text())
    #: Whether it was injected through the API instead of sent on a channel.
    injected = Wire(Flag())


class RedactedMessage(InboundMessage):
    """A message with masked personal data, as in ``My name is {PERSON}``."""

    #: Undocumented: seen in one sample only.
    redaction_type = Wire(Word())
    #: Undocumented: seen in one sample only.
    original_text = Wire(Text())
