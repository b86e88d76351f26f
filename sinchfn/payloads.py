"""JSON objects of the platform, read lazily and tolerantly: what typed callbacks, messages and events are made of.

An attribute is deserialized by its marshmallow field when it is first read, and kept; a whole-payload load would
cost more than the rest of the request. Nothing is ever refused: what is absent, null or of the wrong type reads as
`None`, and a wrong type is logged once. Unknown fields and unknown enumeration values stay readable.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar, cast, overload

from marshmallow import ValidationError, fields

from .errors import Advised
from .timestamps import read_timestamp

_log = logging.getLogger("sinchfn.payloads")

#: How a log line names what was found in the JSON.
JSON_TYPES: Mapping[type, str] = MappingProxyType(
    {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array", dict: "an object"}
)

T = TypeVar("T")
ShapeT = TypeVar("ShapeT", bound="WireObject")


class Caseless(str):
    """A word of one of the platform's enumerations: compared without case, kept as it came.

    The platform writes one value as `did` and as `Did`, as `pstn` and as `PSTN`. So `==`, `!=`, `match` and `in` over a
    list or tuple ignore case, while text, `repr` and hash are those of the raw value: it is logged, stored and sent on
    unchanged. The price: as a key of a dict or a member of a set a word is found only in the spelling that came;
    use `.lower()` there. A value that no documentation lists is kept like any other.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.casefold() == other.casefold()

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class KeyValue(NamedTuple):
    """One call header or one cookie."""

    key: str
    #: What was null or left out on the wire is the empty string.
    value: str


class KeyValues(Sequence[KeyValue]):
    """Call headers or cookies: a sequence of `KeyValue` in wire order that can also be asked by key.

    `data.cookies["step"]`, `data.cookies.get("step")`. Keys are exact; of a repeated key the last one counts, as in
    `to_dict()`.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Sequence[KeyValue] = ()) -> None:
        self._items = tuple(items)

    @overload
    def __getitem__(self, index: int) -> KeyValue: ...
    @overload
    def __getitem__(self, index: slice) -> KeyValues: ...
    @overload
    def __getitem__(self, index: str) -> str: ...
    def __getitem__(self, index: int | str | slice) -> KeyValue | str | KeyValues:
        """The item at a position, the items of a slice, or the value of a key.

        :raises IndexError: no item at this position.
        :raises KeyError: no item with this key.
        """
        if isinstance(index, str):
            return self.to_dict()[index]
        if isinstance(index, slice):
            return KeyValues(self._items[index])
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: object) -> bool:
        return item in (self.to_dict() if isinstance(item, str) else self._items)

    @overload
    def get(self, key: str, default: None = None) -> str | None: ...
    @overload
    def get(self, key: str, default: str) -> str: ...
    def get(self, key: str, default: str | None = None) -> str | None:
        """The value of `key`, or `default`."""
        return self.to_dict().get(key, default)

    def to_dict(self) -> dict[str, str]:
        """A new dict of all items."""
        return dict(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == other._items if isinstance(other, KeyValues) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"<KeyValues {_short(', '.join(self.to_dict()))}>"


# The types of field there are, beside marshmallow's own `String`.


class Word(fields.Field[Caseless]):
    """A string of an open enumeration."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Caseless:
        if not isinstance(value, str):
            raise self.make_error("validator_failed")
        return Caseless(value)


class Known(fields.Field[T]):
    """A word of an enumeration whose values are documented: ``Known[Literal["busy", "free"]]()``.

    It is read as a `Word` is: any value that comes is kept, and compared without case. For a type checker it has the
    documented values, in their documented spelling, so that comparing with a misspelt one is an error.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> T:
        if not isinstance(value, str):
            raise self.make_error("validator_failed")
        return cast("T", Caseless(value))


class Whole(fields.Integer):
    """An integer; `12.0` is one too, `true` and `"12"` are not."""

    def _validated(self, value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int):
            raise self.make_error("validator_failed")
        return super()._validated(value)


class Flag(fields.Field[bool]):
    """`true` or `false`, nothing else."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("validator_failed")
        return value


class Amount(fields.Decimal):
    """A number, or a string of one, with exactly the digits of the JSON."""

    def _validated(self, value: Any) -> Decimal:
        # The inherited check takes the text of anything, and that of a deeply nested array is a RecursionError.
        if not isinstance(value, int | float | str | Decimal):
            raise self.make_error("validator_failed")
        return super()._validated(value)


class Number(fields.Float):
    """A finite number; `true` and `"1.5"` are none."""

    def _validated(self, value: Any) -> float:
        if not isinstance(value, int | float):
            raise self.make_error("validator_failed")
        return super()._validated(value)


class Instant(fields.Field[datetime]):
    """A date-time in any form the platform uses, as an aware `datetime` in UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        if not isinstance(value, str):
            raise self.make_error("validator_failed")
        try:
            return read_timestamp(value)
        except ValueError:
            raise self.make_error("validator_failed") from None


class Items(fields.Field[tuple[Any, ...]]):
    """An array whose items nothing describes: kept as they came."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise self.make_error("validator_failed")
        return tuple(value)


class Entries(fields.Field[dict[str, Any]]):
    """An object whose fields nothing describes: kept as it came, and not to be changed."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.make_error("validator_failed")
        return value


class Texts(fields.Field[tuple[str, ...]]):
    """An array of strings."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[str, ...]:
        return tuple(_strings(self, value))


class Words(fields.Field[tuple[Caseless, ...]]):
    """An array of strings of an open enumeration."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[Caseless, ...]:
        return tuple(map(Caseless, _strings(self, value)))


def _strings(field: fields.Field[Any], value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise field.make_error("validator_failed")
    return value


class Pairs(fields.Field[KeyValues]):
    """An array of `{"key", "value"}` objects, or one object of keys and values."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> KeyValues:
        if isinstance(value, dict):
            return KeyValues([self._pair(*item) for item in value.items()])
        if isinstance(value, list):
            return KeyValues([self._pair(*self._members(item)) for item in value])
        raise self.make_error("validator_failed")

    def _members(self, item: Any) -> tuple[Any, Any]:
        if not isinstance(item, dict):
            raise self.make_error("validator_failed")
        return _look_up(item, "key", None), _look_up(item, "value", None)

    def _pair(self, key: Any, value: Any) -> KeyValue:
        value = "" if value is None else value
        if not isinstance(key, str) or not isinstance(value, str):
            raise self.make_error("validator_failed")
        return KeyValue(key, value)


class Part(fields.Field[ShapeT]):
    """A nested object; its own fields are read only when they are asked for."""

    def __init__(self, shape: type[ShapeT]) -> None:
        super().__init__()
        self.shape = shape

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> ShapeT:
        if not isinstance(value, dict):
            raise self.make_error("validator_failed")
        return self.shape(value, attr or "")


class Parts(fields.Field[tuple[ShapeT, ...]]):
    """An array of objects of one shape; their own fields are read only when they are asked for."""

    def __init__(self, shape: type[ShapeT]) -> None:
        super().__init__()
        self.shape = shape

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[ShapeT, ...]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.make_error("validator_failed")
        return tuple(self.shape(item, f"{attr or ''}[{index}]") for index, item in enumerate(value))


#: Field type -> what it takes, as a log line says it. A type that is not of this file says so itself, as `expected`.
EXPECTED: Mapping[type[fields.Field[Any]], str] = MappingProxyType(
    {
        fields.String: "a string",
        Word: "a string",
        Known: "a string",
        Whole: "an integer",
        Flag: "a boolean",
        Amount: "a finite number",
        Number: "a finite number",
        Instant: "an ISO 8601 date-time",
        Items: "an array",
        Entries: "an object",
        Texts: "an array of strings",
        Words: "an array of strings",
        Pairs: 'an array of {"key": string, "value": string}',
        Part: "an object",
        Parts: "an array of objects",
    }
)


class Wire(Generic[T]):
    """An attribute that reads one wire field.

    It defines no `__set__`, so the value that the first read leaves in the instance's `__dict__` is found before it:
    later reads cost what a plain attribute costs, and a wrong type is logged once.

    :param wire_name: the field as current payloads spell it.
    :param field: how it is deserialized.
    """

    def __init__(self, wire_name: str, field: fields.Field[T]) -> None:
        self.wire_name = wire_name
        self.field = field

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: WireObject, owner: type) -> T | None: ...
    def __get__(self, instance: WireObject | None, owner: type) -> Self | T | None:
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self._read(instance)
        return value

    def _read(self, instance: WireObject) -> T | None:
        found = _look_up(instance.raw, self.wire_name, None)
        if found is None:
            return None
        where = f"{instance.where}.{self.wire_name}"
        try:
            value: T | None = self.field.deserialize(found, where)
        except ValidationError:
            expected = getattr(self.field, "expected", None) or EXPECTED[type(self.field)]
            _log.warning("%s reads as None: expected %s, found %s", where, expected, _kind(found))
            return None
        return value


class WireObject(Advised, Mapping[str, Any]):
    """A JSON object of the platform: attributes for its known fields, a mapping for whatever came.

    Lookups (`data["callid"]`, `.get`, `in`) try the exact key first, then one that differs in case only; iteration
    gives the keys as they came. Two are equal, and one equals a dict, when their raw dicts are equal.

    :param raw: the parsed JSON object; it is kept, never changed, and not to be changed by others.
    :param where: how log lines call this object; its class name unless told.
    """

    #: The attribute that `repr` shows.
    _shown: ClassVar[str]

    def __init__(self, raw: dict[str, Any], where: str = "") -> None:
        #: The object as it came.
        self.raw = raw
        #: How log lines call this object, such as `DiceRequest.debit`.
        self.where = where or type(self).__name__

    def __getitem__(self, name: str) -> Any:
        """:raises KeyError: no field of this name, whatever the case."""
        value = _look_up(self.raw, name, _MISSING)
        if value is _MISSING:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, WireObject):
            return self.raw == other.raw
        return self.raw == other if isinstance(other, Mapping) else NotImplemented

    def _advice(self, name: str) -> str:
        sent = next((key for key in self.raw if _folded(key) == name.lower()), None)
        known = super()._advice(name)
        return f' Write ["{sent}"]: no documentation names it.' if sent and "Did you mean" not in known else known

    def __repr__(self) -> str:
        shown = getattr(self, self._shown)
        return f"<{type(self).__name__}{'' if shown is None else ' ' + _short(str(shown))}>"


_MISSING = object()


def _look_up(raw: Mapping[str, Any], name: str, default: Any) -> Any:
    """The value of `name` in `raw`, else of the first key that differs from it in case only, else `default`.

    A null counts only when there is nothing else.
    """
    value = raw.get(name, default)
    if value is not default and value is not None:
        return value
    if not isinstance(name, str):  # `42 in data` is a fair question
        return value
    folded = name.lower()
    others = (other for key, other in raw.items() if other is not None and _folded(key) == folded)
    found = next(others, value)
    if found is not default:
        return found
    return next((None for key in raw if _folded(key) == folded), default)


def _folded(key: Any) -> Any:
    # A dict that somebody made by hand may have other keys than texts.
    return key.lower() if isinstance(key, str) else key


def _kind(value: Any) -> str:
    """What `value` is called in JSON."""
    return JSON_TYPES.get(type(value), type(value).__name__)


def _short(text: str) -> str:
    """`text` for a `repr`: one line, escaped, at most 64 characters."""
    return repr(text[:64])[1:-1]
