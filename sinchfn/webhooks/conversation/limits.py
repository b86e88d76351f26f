"""The limits of outgoing messages, and the fields that check them.

Source: OpenAPI of the Conversation API, ``messages:send``, and its pages on message types. Limits that they do not name
are not checked. Channels have narrower limits of their own: they cut, split or refuse what is too long for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args

from marshmallow import ValidationError

from ...errors import MessageError, did_you_mean
from ...wire.checks import at_most_chars, between, matches
from ...wire.faults import describe, shorten
from ...wire.schemas import Choice, Number, StrictField, Text, Whole, check_value
from .inbound import ChannelName

#: Choices of one message or card.
CHOICES = 10
#: Cards of a carousel, and the choices below all of them.
CARDS, OUTER_CHOICES = 10, 3
#: Choices of a list, in all sections together.
LIST_CHOICES = 10
#: Characters of the metadata of a message, of the metadata of a conversation, and of a correlation id.
MESSAGE_METADATA_CHARS, CONVERSATION_METADATA_CHARS, CORRELATION_ID_CHARS = 1024, 2048, 128
#: Characters of one channel property.
PROPERTY_CHARS = 1024
#: Shortest and longest time to live, in seconds.
TTL_SECONDS = (3, 315_576_000_000)

#: The documented channels. Other names are accepted too, because the platform adds channels; see ``CHANNEL``.
CHANNELS: tuple[str, ...] = get_args(ChannelName)

_CHANNEL = re.compile(r"[A-Z][A-Z0-9_]*")

T = TypeVar("T")


class SendableText(Text):
    """A text that can be written as UTF-8."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValidationError("holds half of a surrogate pair, which cannot be sent as UTF-8.") from None
        return str.__str__(text)


def _check_channel(name: str) -> None:
    if not _CHANNEL.fullmatch(name):
        hint = did_you_mean(name.upper(), CHANNELS)
        raise ValidationError(
            f"must be the name of a channel such as {', '.join(CHANNELS[:4])}; found {describe(name)}.{hint}"
        )


TEXT = SendableText()
METADATA = SendableText(validate=at_most_chars(MESSAGE_METADATA_CHARS))
CORRELATION_ID = SendableText(validate=at_most_chars(CORRELATION_ID_CHARS))
#: A value in a mapping of texts.
VALUE = SendableText(empty=True)
#: A value of a channel property.
PROPERTY = SendableText(empty=True, validate=at_most_chars(PROPERTY_CHARS))
#: The name of a channel, in capitals.
CHANNEL = SendableText(validate=_check_channel)
#: A URL that the platform can fetch or call.
WEB_URL = SendableText(validate=matches(r"(?i:https?)://[^\s/?#][^\s]*", "a URL that begins with https:// or http://"))
#: A URL that a person opens: of a website, an app, ...
LINK = SendableText(validate=matches(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+", "a URL such as https://example.com"))
#: A phone number in E.164 form.
PHONE_NUMBER = SendableText(validate=matches(r"\+[1-9][0-9]{2,14}", "a phone number such as +46700000000"))
TTL = Whole(between(*TTL_SECONDS))
LATITUDE, LONGITUDE = Number(between(-90, 90)), Number(between(-180, 180))


def checked(field: StrictField[T], value: object, what: str) -> T:
    """Return ``value``, checked by ``field``.

    :param what: its name in messages.
    :raises MessageError: the field refuses it.
    """
    if value is None:
        raise MessageError(f"{what}: must be {field.needed}, found None.")
    taken: T = check_value(field, value, what, MessageError)
    return taken


def text_of(value: object, what: str) -> str:
    """Check a text that must not be empty."""
    return checked(TEXT, value, what)


def optional(value: str | None, what: str) -> str | None:
    """Check a text that must not be empty, unless it is None."""
    return None if value is None else text_of(value, what)


def texts_of(texts: Mapping[str, str], what: str, field: StrictField[str] = VALUE) -> dict[str, str]:
    """Check a mapping of texts to texts; the values may be empty."""
    if not isinstance(texts, Mapping):
        raise MessageError(f"{what}: must be a dict, found {describe(texts)}.")
    return {
        text_of(name, f"a name in {what}"): checked(field, value, f'{what}["{shorten(str(name))}"]')
        for name, value in texts.items()
    }


def one_of(value: object, what: str, words: Any) -> str:
    """Check one of the words of a ``Literal`` type."""
    return str.__str__(checked(Choice(*get_args(words)), value, what))


def items_of(values: Iterable[T], what: str, kinds: type | tuple[type, ...], most: int | None = None) -> tuple[T, ...]:
    """Check a list of these kinds with at least one item, and at most ``most``."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise MessageError(f"{what}: must be a list, found {describe(values)}.")
    items = tuple(values)
    for item in items:
        if not isinstance(item, kinds):
            names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
            raise MessageError(f"{what}: must be {names}, found {describe(item)}.")
    if not items:
        raise MessageError(f"{what}: must have at least one item, found none.")
    if most is not None and len(items) > most:
        raise MessageError(f"{what}: must have at most {most} items, found {len(items)}.")
    return items


def given(**parts: Any) -> dict[str, Any]:
    """Return a JSON object of the parts that are not None."""
    return {name: value for name, value in parts.items() if value is not None}
