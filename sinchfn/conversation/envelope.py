"""All of a message but what it says: from which app, to whom, by which channel and how."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Self, get_args

from .. import jsontext
from ..errors import Advised, MessageError
from .limits import (
    CONVERSATION_METADATA_CHARS,
    CORRELATION_ID_CHARS,
    MESSAGE_METADATA_CHARS,
    PROPERTY_CHARS,
    TTL_SECONDS,
    channel_of,
    found,
    items_of,
    one_of,
    text_of,
    texts_of,
    url_of,
    whole_number_of,
)

#: Channel -> the channel property that says which number or name a message comes from. Elsewhere the app's settings do.
SENDERS: Mapping[str, str] = MappingProxyType({"SMS": "SMS_SENDER", "MMS": "MMS_SENDER"})

#: How urgent a message is; platform's default `NORMAL_PRIORITY`.
Queue = Literal["NORMAL_PRIORITY", "HIGH_PRIORITY"]
#: Whether contact and conversation are kept; `DEFAULT`: as the app is set.
ProcessingStrategy = Literal["DEFAULT", "DISPATCH_ONLY"]
#: What new conversation metadata does to that of before; platform's default `REPLACE`.
MetadataStrategy = Literal["REPLACE", "MERGE_PATCH"]
#: What a message is, for the management of consent.
MessageContentType = Literal["CONTENT_UNKNOWN", "CONTENT_MARKETING", "CONTENT_NOTIFICATION"]


class Envelope(Advised):
    """Recipient and settings of a message. Each method returns a new one; of a setting given twice the last counts.

    All of them raise `MessageError` for what the platform would refuse.
    """

    __slots__ = ("_request",)

    def __init__(self) -> None:
        self._request: Mapping[str, Any] = MappingProxyType({})

    def app_id(self, app_id: str) -> Self:
        """Id of the app that writes, as in `CONVERSATION_APP_ID`."""
        return self._with(app_id=text_of(app_id, "app_id"))

    def to_contact(self, contact_id: str) -> Self:
        """Write to a contact, on the channels that it has. Not in the processing mode DISPATCH."""
        wanted = text_of(contact_id, "to_contact")
        if "identified_by" in self._request.get("recipient", {}):
            raise MessageError("A message goes to a contact or to identities on channels, found both.")
        return self._with(recipient={"contact_id": wanted})

    def to_channel(self, channel: str, identity: str) -> Self:
        """Write to someone on a channel. Once more: the same person on another channel, which is tried next.

        :param channel: such as `SMS`, in capitals.
        :param identity: phone number with country code, or the channel's id of a person.
        """
        recipient = self._request.get("recipient", {})
        if "contact_id" in recipient:
            raise MessageError("A message goes to a contact or to identities on channels, found both.")
        known = recipient.get("identified_by", {}).get("channel_identities", [])
        new = {"channel": channel_of(channel, "channel"), "identity": text_of(identity, "identity")}
        return self._with(recipient={"identified_by": {"channel_identities": [*known, new]}})

    def channel_priority_order(self, *channels: str) -> Self:
        """The channels that are tried, in this order; the app must have each of them."""
        items_of(channels, "channel_priority_order", str)
        return self._with(channel_priority_order=[channel_of(name, "channel_priority_order") for name in channels])

    def sender(self, sender: str, channel: str = "SMS") -> Self:
        """The number or name that it comes from, on SMS (default) and MMS; elsewhere the settings of the app say it."""
        if channel_of(channel, "channel") not in SENDERS:
            raise MessageError(
                f"A sender can be chosen on {' and '.join(SENDERS)}, found {found(str(channel))}. "
                "Elsewhere the settings of the app say it."
            )
        return self.channel_properties({SENDERS[channel]: text_of(sender, "sender")})

    def channel_properties(self, properties: Mapping[str, str]) -> Self:
        """Properties of a channel, such as `{"SMS_FLASH_MESSAGE": "true"}`, besides those given before.

        :param properties: values are texts of at most 1024 characters.
        """
        new = texts_of(properties, "channel_properties", PROPERTY_CHARS)
        return self._with(channel_properties={**self._request.get("channel_properties", {}), **new})

    def metadata(self, text: str) -> Self:
        """Comes back as `metadata` in delivery reports; at most 1024 characters. `message_metadata` on the wire."""
        return self._with(message_metadata=text_of(text, "metadata", limit=MESSAGE_METADATA_CHARS))

    def conversation_metadata(self, metadata: Mapping[str, Any], strategy: MetadataStrategy | None = None) -> Self:
        """Comes back as `message_metadata` in what the contact writes; only where conversations are kept.

        :param metadata: JSON object, at most 2048 characters.
        :param strategy: platform's default `REPLACE`.
        """
        changes: dict[str, Any] = {"conversation_metadata": _json_object(metadata)}
        if strategy is not None:
            word = one_of(strategy, "strategy", get_args(MetadataStrategy))
            changes["conversation_metadata_update_strategy"] = word
        return self._with(**changes)

    def correlation_id(self, text: str) -> Self:
        """Comes back in all events about the message, also in the contact's answers; at most 128 characters."""
        return self._with(correlation_id=text_of(text, "correlation_id", limit=CORRELATION_ID_CHARS))

    def ttl(self, seconds: int) -> Self:
        """How many seconds, 3 or more, the message may take; after that no other channel is tried."""
        return self._with(ttl=f"{whole_number_of(seconds, 'ttl', *TTL_SECONDS)}s")

    def queue(self, queue: Queue) -> Self:
        """How urgent it is."""
        return self._with(queue=one_of(queue, "queue", get_args(Queue)))

    def processing_strategy(self, strategy: ProcessingStrategy) -> Self:
        """`DISPATCH_ONLY`: neither contact nor conversation is kept, whatever the app's processing mode is."""
        return self._with(processing_strategy=one_of(strategy, "processing_strategy", get_args(ProcessingStrategy)))

    def callback_url(self, url: str) -> Self:
        """Where the delivery reports of this message go, instead of to the app's webhooks."""
        return self._with(callback_url=url_of(url, "callback_url"))

    def message_content_type(self, kind: MessageContentType) -> Self:
        """What the message is, for the management of consent."""
        return self._with(message_content_type=one_of(kind, "message_content_type", get_args(MessageContentType)))

    def _with(self, **changes: Any) -> Self:
        other = object.__new__(type(self))
        other._request = MappingProxyType({**self._request, **changes})
        return other

    def __eq__(self, other: object) -> bool:
        return self._request == other._request if isinstance(other, Envelope) else NotImplemented


def _json_object(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise MessageError(f"conversation_metadata takes a dict with texts as keys, found {found(value)}.")
    try:
        text = jsontext.dumps(dict(value))
        copied: dict[str, Any] = jsontext.loads(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"conversation_metadata takes what can be written as JSON: {error}.") from None
    if len(text) > CONVERSATION_METADATA_CHARS:
        raise MessageError(
            f"conversation_metadata takes at most {CONVERSATION_METADATA_CHARS} characters of JSON, found {len(text)}."
        )
    return copied
