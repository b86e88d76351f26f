"""Types of fields that only events of agents have, and the attribute that reads them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from marshmallow import ValidationError, fields

from ..payloads import JSON_TYPES, ShapeT, Wire, WireObject

_log = logging.getLogger("sinchfn.payloads")

T = TypeVar("T")


class DescribedField(fields.Field[T]):
    """A field that says itself what it takes."""

    #: as a log line says it
    expected: ClassVar[str]


class Epoch(DescribedField[datetime]):
    """Seconds since 1970, whole or not, as an aware `datetime` in UTC."""

    expected = "seconds since 1970"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("validator_failed")
        try:
            return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):  # which of them depends on the machine
            raise self.make_error("validator_failed") from None


class Table(DescribedField[Mapping[str, ShapeT]]):
    """An object of objects of one shape, by their keys."""

    expected = "an object of objects"

    def __init__(self, shape: type[ShapeT]) -> None:
        super().__init__()
        self.shape = shape

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Mapping[str, ShapeT]:
        if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
            raise self.make_error("validator_failed")
        # The keys are a caller's: escaped, for they stand in log lines.
        return MappingProxyType({key: self.shape(item, f"{attr}[{key[:64]!r}]") for key, item in value.items()})


class DescribedWire(Wire[T]):
    """An attribute that reads one wire field of a type of this file."""

    def __init__(self, wire_name: str, field: DescribedField[T]) -> None:
        super().__init__(wire_name, field)
        self._expected = field.expected

    def _read(self, instance: WireObject) -> T | None:
        found = instance.get(self.wire_name)
        if found is None:
            return None
        where = f"{instance.where}.{self.wire_name}"
        try:
            value: T | None = self.field.deserialize(found, where)
        except ValidationError:
            kind = JSON_TYPES.get(type(found), type(found).__name__)
            _log.warning("%s reads as None: expected %s, found %s", where, self._expected, kind)
            return None
        return value
