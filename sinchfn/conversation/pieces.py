"""What a message is put together from: values that are checked when they are made, and never change."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any


class Piece:
    """A JSON object of the wire that the platform would take."""

    __slots__ = ("_content",)

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = dict(content)

    def build(self) -> dict[str, Any]:
        """The piece as the wire has it: a new dict each time, yours to change."""
        return deepcopy(self._content)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Piece) or type(self) is not type(other):
            return NotImplemented
        return self._content == other._content

    def __repr__(self) -> str:
        # Names only: texts may carry a person's data.
        return f"<{type(self).__name__}: {', '.join(self._content)}>"
