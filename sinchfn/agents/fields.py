"""Types of fields that only events of agents have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar

from marshmallow import fields

from ..payloads import ShapeT


class Epoch(fields.Field[datetime]):
    """Seconds since 1970, whole or not, as an aware `datetime` in UTC."""

    #: as a log line says it
    expected: ClassVar[str] = "seconds since 1970"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("validator_failed")
        try:
            return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):  # which of them depends on the machine
            raise self.make_error("validator_failed") from None


class Table(fields.Field[Mapping[str, ShapeT]]):
    """An object of objects of one shape, by their keys."""

    #: as a log line says it
    expected: ClassVar[str] = "an object of objects"

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
