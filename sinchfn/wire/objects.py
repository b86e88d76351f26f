"""Tolerant reading of what the platform sends: :class:`WireObject`, its attributes, and their types of field.

Reading never fails, whatever the platform sends. :mod:`sinchfn.wire.schemas` checks what is sent to the platform.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar, cast, overload

from ..errors import Advised
from .faults import json_type, shorten
from .timestamps import read_timestamp

_log = logging.getLogger("sinchfn.wire")

T = TypeVar("T")
ShapeT = TypeVar("ShapeT", bound="WireObject")


class Wire(Generic[T]):
    """An attribute that reads one member of the JSON object.

    The first read leaves the value in the ``__dict__`` of the instance. Because the class defines no ``__set__``, later
    reads find it there: they cost no more than a plain attribute, and a wrong type is logged once.

    :param wire_name: the name of the member, as current payloads spell it; default: the name of the attribute.
    """

    def __init__(self, field: TolerantField[T], wire_name: str = "") -> None:
        self.field = field
        self.wire_name = wire_name

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.wire_name = self.wire_name or name

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
            return self.field.read(found, where)
        except ValueError:
            _log.warning("%s reads as None: expected %s, found %s", where, self.field.expected, json_type(found))
            return None


class WireObject(Advised, Mapping[str, Any]):
    """A JSON object from the platform: a mapping over all its members, with attributes for the known ones.

    Lookups (``data["callid"]``, ``.get``, ``in``) try the exact key first, then one that differs in case only.
    Iteration gives the keys as received. Two objects are equal if their raw dicts are; one may be a plain dict.

    :param raw: the parsed JSON object. It is kept, and must not be changed.
    :param where: the name of this object in log lines; default: the name of its class.
    """

    #: The attribute that ``repr`` shows.
    _shown: ClassVar[str] = "where"

    def __init__(self, raw: dict[str, Any], where: str = "") -> None:
        #: The object as received.
        self.raw = raw
        #: The name of this object in log lines, such as ``DiceRequest.debit``.
        self.where = where or type(self).__name__

    def __getitem__(self, name: str) -> Any:
        """:raises KeyError: no member has this name, in any case."""
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
        sent = next((key for key in self.raw if str(key).lower() == name.lower()), None)
        known = super()._advice(name)
        return f' Write ["{sent}"]: no documentation names it.' if sent and "Did you mean" not in known else known

    def __repr__(self) -> str:
        shown = getattr(self, self._shown)
        return f"<{type(self).__name__}{'' if shown is None else ' ' + shorten(str(shown), 64)}>"


_MISSING = object()


def _look_up(raw: Mapping[str, Any], name: str, default: Any) -> Any:
    """Return the value of ``name`` in ``raw``, else of the first key that differs in case only, else ``default``.

    A null is returned only if all these keys are null.
    """
    value = raw.get(name, default)
    if (value is not default and value is not None) or not isinstance(name, str):  # ``42 in data`` is a fair question
        return value
    found = default if value is default else None
    folded = name.lower()
    for key, other in raw.items():
        if isinstance(key, str) and key.lower() == folded:  # a dict that a test made may have other keys
            if other is not None:
                return other
            found = None
    return found


class Caseless(str):
    """A word of one of the platform's enumerations, compared without case.

    The platform writes the same value as ``did`` and ``Did``, as ``pstn`` and ``PSTN``. So ``==``, ``!=``, ``match``
    and ``in`` over a list or tuple ignore case. Text, ``repr`` and hash are those of the received word: it is logged,
    stored and sent on unchanged. As a key of a dict or a member of a set it is therefore found only in the spelling
    received; use ``.lower()`` there. Values that are not documented are kept too.
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
    #: Empty if it was null or missing in the JSON.
    value: str


class KeyValues(Sequence[KeyValue]):
    """Call headers or cookies: a sequence of :class:`KeyValue` in the order received, with access by key.

    ``data.cookies["step"]``, ``data.cookies.get("step")``. Case counts in keys. Of a repeated key the last value is
    returned, as in ``to_dict()``.
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
        """Return the item at a position, the items of a slice, or the value of a key.

        :raises IndexError: the position does not exist.
        :raises KeyError: the key does not exist.
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
        """Return the value of ``key``, or ``default``."""
        return self.to_dict().get(key, default)

    def to_dict(self) -> dict[str, str]:
        """Return a new dict of all items."""
        return dict(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == other._items if isinstance(other, KeyValues) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"<KeyValues {shorten(', '.join(self.to_dict()), 64)}>"


class TolerantField(Generic[T]):
    """A field that takes one type of JSON. :class:`Wire` reads any other as None."""

    #: What the field takes, in the words of a log line.
    expected: ClassVar[str]

    def read(self, value: Any, where: str) -> T:
        """Return the value of the attribute for a JSON ``value``.

        :param where: the name of the field in log lines.
        :raises ValueError: ``value`` is of another type.
        """
        raise NotImplementedError


def _checked(value: Any, *kinds: type) -> Any:
    """Return ``value`` if it is of one of these types. True and False are not numbers."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ValueError
    return value


def _all_checked(values: Any, kind: type) -> list[Any]:
    return [_checked(value, kind) for value in _checked(values, list)]


class Text(TolerantField[str]):
    """A string."""

    expected = "a string"

    def read(self, value: Any, where: str) -> str:
        return str(_checked(value, str))


class Word(TolerantField[Caseless]):
    """A string of an open enumeration."""

    expected = "a string"

    def read(self, value: Any, where: str) -> Caseless:
        return Caseless(_checked(value, str))


class Known(TolerantField[T]):
    """A word of an enumeration whose values are documented: ``Known[Literal["busy", "free"]]()``.

    It is read as a :class:`Word` is: any value is kept, and compared without case. Its type has the documented values
    in their documented spelling, so that a type checker finds a comparison with a misspelt one.
    """

    expected = "a string"

    def read(self, value: Any, where: str) -> T:
        return cast("T", Caseless(_checked(value, str)))


class Whole(TolerantField[int]):
    """An integer. ``12.0`` is one too; ``true`` and ``"12"`` are not."""

    expected = "an integer"

    def read(self, value: Any, where: str) -> int:
        number = _checked(value, int, float)
        if isinstance(number, float) and not number.is_integer():
            raise ValueError
        return int(number)


class Flag(TolerantField[bool]):
    """``true`` or ``false``, nothing else."""

    expected = "a boolean"

    def read(self, value: Any, where: str) -> bool:
        return bool(_checked(value, bool))


class Amount(TolerantField[Decimal]):
    """A finite number or a string of one, with exactly the digits of the JSON."""

    expected = "a finite number"

    def read(self, value: Any, where: str) -> Decimal:
        try:
            amount = Decimal(str(_checked(value, int, float, str, Decimal)))
        except ArithmeticError:
            raise ValueError from None
        if not amount.is_finite():
            raise ValueError
        return amount


class Number(TolerantField[float]):
    """A finite number; ``true`` and ``"1.5"`` are not."""

    expected = "a finite number"

    def read(self, value: Any, where: str) -> float:
        try:
            number = float(_checked(value, int, float))
        except OverflowError:
            raise ValueError from None
        if not math.isfinite(number):
            raise ValueError
        return number


class Instant(TolerantField[datetime]):
    """A date-time in any form that the platform uses, as an aware ``datetime`` in UTC."""

    expected = "an ISO 8601 date-time"

    def read(self, value: Any, where: str) -> datetime:
        return read_timestamp(_checked(value, str))


class Epoch(TolerantField[datetime]):
    """Seconds since 1970, whole or not, as an aware ``datetime`` in UTC."""

    expected = "seconds since 1970"

    def read(self, value: Any, where: str) -> datetime:
        try:
            return datetime.fromtimestamp(_checked(value, int, float), UTC)
        except (OverflowError, OSError):  # besides ValueError; it depends on the machine
            raise ValueError from None


class Anything(TolerantField[Any]):
    """Any value, unchanged."""

    expected = "anything"

    def read(self, value: Any, where: str) -> Any:
        return value


class Items(TolerantField[tuple[Any, ...]]):
    """An array whose items are not described anywhere: they are kept unchanged."""

    expected = "an array"

    def read(self, value: Any, where: str) -> tuple[Any, ...]:
        return tuple(_checked(value, list))


class Entries(TolerantField[dict[str, Any]]):
    """An object whose fields are not described anywhere. It is the received object, and must not be changed."""

    expected = "an object"

    def read(self, value: Any, where: str) -> dict[str, Any]:
        entries: dict[str, Any] = _checked(value, dict)
        return entries


class Texts(TolerantField[tuple[str, ...]]):
    """An array of strings."""

    expected = "an array of strings"

    def read(self, value: Any, where: str) -> tuple[str, ...]:
        return tuple(_all_checked(value, str))


class Words(TolerantField[tuple[Caseless, ...]]):
    """An array of strings of an open enumeration."""

    expected = "an array of strings"

    def read(self, value: Any, where: str) -> tuple[Caseless, ...]:
        return tuple(map(Caseless, _all_checked(value, str)))


class Pairs(TolerantField[KeyValues]):
    """An array of ``{"key", "value"}`` objects, or one object of keys and values."""

    expected = 'an array of {"key": string, "value": string}'

    def read(self, value: Any, where: str) -> KeyValues:
        if isinstance(value, dict):
            pairs = [*value.items()]
        else:
            pairs = [(_look_up(item, "key", None), _look_up(item, "value", None)) for item in _all_checked(value, dict)]
        texts = [(key, "" if text is None else text) for key, text in pairs]
        return KeyValues([KeyValue(_checked(key, str), _checked(text, str)) for key, text in texts])


class ObjectField(TolerantField[T], Generic[T, ShapeT]):
    """A field of objects of one shape, whose own fields are read when they are used."""

    def __init__(self, shape: type[ShapeT]) -> None:
        self.shape = shape


class Part(ObjectField[ShapeT, ShapeT]):
    """A nested object."""

    expected = "an object"

    def read(self, value: Any, where: str) -> ShapeT:
        return self.shape(_checked(value, dict), where)


class Parts(ObjectField[tuple[ShapeT, ...], ShapeT]):
    """An array of objects."""

    expected = "an array of objects"

    def read(self, value: Any, where: str) -> tuple[ShapeT, ...]:
        return tuple(self.shape(item, f"{where}[{index}]") for index, item in enumerate(_all_checked(value, dict)))


class Table(ObjectField[Mapping[str, ShapeT], ShapeT]):
    """An object of objects, by their keys."""

    expected = "an object of objects"

    def read(self, value: Any, where: str) -> Mapping[str, ShapeT]:
        _all_checked([*_checked(value, dict).values()], dict)
        # The keys come from outside: they are escaped, because they stand in log lines.
        return MappingProxyType({key: self.shape(item, f"{where}[{key[:64]!r}]") for key, item in value.items()})
