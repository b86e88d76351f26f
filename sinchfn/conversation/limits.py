"""The limits of what is sent, and what refuses a value beyond them.

Source: OpenAPI of the Conversation API, `messages:send`, and its pages on message types; where those are silent,
nothing is refused. Channels have narrower limits of their own: what is too long for one is cut, split or refused by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ..errors import MessageError, did_you_mean

#: Choices of one message or card.
CHOICES = 10
#: Cards of a carousel, and the choices below all of them.
CARDS, OUTER_CHOICES = 10, 3
#: Choices of a list, all sections together.
LIST_CHOICES = 10
#: Characters.
MESSAGE_METADATA_CHARS, CONVERSATION_METADATA_CHARS, CORRELATION_ID_CHARS = 1024, 2048, 128
#: Characters of one channel property.
PROPERTY_CHARS = 1024
#: Seconds, both allowed.
TTL_SECONDS = (3, 315_576_000_000)

#: The channels there are. Others are taken too, since the platform adds some; see `channel_of`.
CHANNELS = (
    "WHATSAPP", "RCS", "SMS", "MESSENGER", "VIBERBM", "MMS", "INSTAGRAM", "TELEGRAM", "KAKAOTALK", "KAKAOTALKCHAT",
    "LINE", "WECHAT", "APPLEBC",
)  # fmt: skip

_SHOWN_CHARS = 40
_CHANNEL = re.compile(r"[A-Z][A-Z0-9_]*")
_PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{2,14}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+")
_WEB_URL = re.compile(r"(?i:https?)://[^\s/?#][^\s]*")

T = TypeVar("T")


def text_of(value: object, what: str, *, limit: int | None = None, empty: bool = False) -> str:
    """`value` as a text.

    :param what: what it is, as messages call it.
    :param limit: how many characters are allowed.
    :param empty: whether an empty text is allowed.
    :raises MessageError: it is none, or not within the limit.
    """
    if not isinstance(value, str):
        raise MessageError(f"{what} takes a text, found {found(value)}.")
    if not value and not empty:
        raise MessageError(f"{what} takes a text that is not empty.")
    if limit is not None and len(value) > limit:
        raise MessageError(f"{what} takes at most {limit} characters, found {len(value)}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise MessageError(f"{what} holds half of a surrogate pair, which cannot be sent as UTF-8.") from None
    return str.__str__(value)


def optional(value: str | None, what: str) -> str | None:
    """`value` as a text that is not empty, unless it is None."""
    return None if value is None else text_of(value, what)


def texts_of(texts: Mapping[str, str], what: str, limit: int | None = None) -> dict[str, str]:
    """A mapping of texts to texts; the values may be empty."""
    if not isinstance(texts, Mapping):
        raise MessageError(f"{what} takes a dict, found {found(texts)}.")
    return {
        text_of(name, f"a name in {what}"): text_of(value, f"{what}[{found(name)}]", limit=limit, empty=True)
        for name, value in texts.items()
    }


def channel_of(value: object, what: str) -> str:
    """`value` as the name of a channel, in capitals."""
    name = text_of(value, what)
    if not _CHANNEL.fullmatch(name):
        hint = did_you_mean(name.upper(), CHANNELS)
        raise MessageError(f"{what} takes the name of a channel such as {', '.join(CHANNELS[:4])}, {_got(name)}.{hint}")
    return name


def url_of(value: object, what: str) -> str:
    """`value` as a URL that the platform can fetch or call."""
    url = text_of(value, what)
    if not _WEB_URL.fullmatch(url):
        raise MessageError(f"{what} takes a URL that begins with https:// or http://, {_got(url)}.")
    return url


def link_of(value: object, what: str) -> str:
    """`value` as a URL that a person opens: of a website, an app, ..."""
    url = text_of(value, what)
    if not _URL.fullmatch(url):
        raise MessageError(f"{what} takes a URL such as https://example.com, {_got(url)}.")
    return url


def phone_number_of(value: object, what: str) -> str:
    """`value` as a phone number in E.164 form."""
    number = text_of(value, what)
    if not _PHONE_NUMBER.fullmatch(number):
        raise MessageError(f"{what} takes a phone number such as +46700000000, {_got(number)}.")
    return number


def one_of(value: object, what: str, allowed: Sequence[str]) -> str:
    """`value` as one of the words `allowed`."""
    word = text_of(value, what)
    if word not in allowed:
        hint = did_you_mean(word.upper(), allowed)
        raise MessageError(f"{what} takes {' or '.join(allowed)}, {_got(word)}.{hint}")
    return word


def whole_number_of(value: object, what: str, least: int, most: int) -> int:
    """`value` as an integer from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise MessageError(f"{what} takes an integer from {least} to {most}, found {found(value)}.")
    return int(value)


def degrees_of(value: object, what: str, most: int) -> float:
    """`value` as degrees from `-most` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        raise MessageError(f"{what} takes degrees from -{most} to {most}, found {found(value)}.")
    return value


def items_of(values: Iterable[T], what: str, kinds: type | tuple[type, ...], most: int | None = None) -> tuple[T, ...]:
    """`values` as one or more items of these kinds, at most `most` of them."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise MessageError(f"{what} takes a list, found {found(values)}.")
    items = tuple(values)
    for item in items:
        if not isinstance(item, kinds):
            names = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
            raise MessageError(f"{what} takes {names}, found {found(item)}.")
    if not items:
        raise MessageError(f"{what} takes at least one, found none.")
    if most is not None and len(items) > most:
        raise MessageError(f"{what} takes at most {most}, found {len(items)}.")
    return items


def given(**parts: Any) -> dict[str, Any]:
    """A JSON object of the parts that are not None."""
    return {name: value for name, value in parts.items() if value is not None}


def found(value: object) -> str:
    """`value` in a few words for a message, never more than its type for what can be large."""
    if isinstance(value, str):
        return f'"{_cut(value)}"'
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 10**18):
        return f"{value} ({type(value).__name__})"
    return f"a value of type {type(value).__name__}"


def _got(text: str) -> str:
    return f'found "{_cut(text)}"'


def _cut(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "...")[1:-1]
