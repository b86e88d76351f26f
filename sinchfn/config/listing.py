"""What ``sinchfn config`` shows: every setting and variable, its value, where it came from, what it means."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..redaction import MASK, Redaction, masked, masked_anyhow, one_line
from .function_config import DEFAULT, FunctionConfig, default_of
from .settings import LOCATION, SETTINGS

#: Least width, in characters, that has room for all columns. In a narrower one each row has one line and no more: what
#: is set comes first, and a meaning is left out where it does not fit.
WIDE = 120
#: Room for the meaning in such a line.
MEANING = 46

GAP = "  "


@dataclass(frozen=True)
class Row:
    """One setting or variable."""

    name: str
    #: as it is written in the environment, without secrets; None: not set
    value: str | None
    #: where it came from
    origin: str
    meaning: str = ""

    @property
    def is_default(self) -> bool:
        """Whether it is set nowhere."""
        return self.origin == DEFAULT

    @property
    def printable(self) -> Row:
        """The same with control characters escaped, so that a value cannot write lines of its own."""
        return replace(self, name=one_line(self.name), value=self.value and one_line(self.value))


@dataclass(frozen=True)
class Listing:
    """All that is to be shown."""

    config: FunctionConfig
    settings: tuple[Row, ...]
    variables: tuple[Row, ...]
    warnings: tuple[str, ...]
    faults: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "function": self.config.function_name,
            "folder": str(self.config.folder),
            "environment": self.config.environment,
            "settings": [{**_of(row), "meaning": row.meaning} for row in self.settings],
            "variables": [_of(row) for row in self.variables],
            "warnings": list(self.warnings),
            "faults": list(self.faults),
        }


def _of(row: Row) -> dict[str, Any]:
    return {"name": row.name, "value": row.value, "from": row.origin, "default": row.is_default}


def make_listing(
    config: FunctionConfig, faults: Sequence[str], location: Row, *, debug: bool = False, warnings: Sequence[str] = ()
) -> Listing:
    """What there is to say about a config.

    :param location: the row of ``SINCHFN_FUNCTION``, which is no setting of the function itself.
    """
    redact = config.redact
    known = {LOCATION, *(setting.name for setting in SETTINGS)}
    rows = []
    for setting in SETTINGS:
        value = config.env.get(setting.name) or default_of(setting, config.environment, debug)
        shown = MASK if value and config.is_secret(setting.name) else value and redact(masked_anyhow(value))
        rows.append(Row(setting.name, shown, _origin_of(config, setting.name), setting.meaning))
    variables = [_variable(config, name, redact) for name in config.declared if name not in known]
    return Listing(config, (location, *rows), tuple(variables), (*warnings, *config.warnings()), tuple(faults))


def _variable(config: FunctionConfig, name: str, redact: Redaction) -> Row:
    value = config.env.get(name)
    if value is None:
        return Row(name, None, "not set")
    return Row(name, MASK if config.is_secret(name) else redact(masked(value)), _origin_of(config, name))


def _origin_of(config: FunctionConfig, name: str) -> str:
    return f"{config.origin(name)}, file" if name in config.files else config.origin(name)


#: The head of the table.
HEAD = Row("Setting", "Value", "From", "Meaning")


@dataclass(frozen=True)
class Line:
    """A line of the table, and the row it belongs to; a title belongs to none."""

    text: str
    row: Row | None = None


def table_of(listing: Listing, width: int | None) -> Iterator[Line]:
    """The listing as aligned lines.

    :param width: of the terminal, in characters; None: lines may have any length.
    """
    settings = [row.printable for row in listing.settings]
    variables = [row.printable for row in listing.variables]
    wide = width is None or width >= WIDE
    columns = columns_for([HEAD, *settings, *variables], width)
    first = settings if wide else [row for row in settings if not row.is_default]
    for row in (HEAD, *first):
        yield from _lines(row, columns, wide)
    if variables:
        yield Line("\nVariables of the function")
        for row in variables:
            yield from _lines(row, columns, wide)
    if not wide:
        yield Line("\nDefaults")
        defaults = [replace(row, origin="") for row in settings if row.is_default]
        columns = columns_for(defaults, width)
        for shown, row in zip(defaults, (row for row in settings if row.is_default), strict=True):
            yield Line(_one_line_of(shown, columns), row)


def _lines(row: Row, columns: Columns, wide: bool) -> Iterator[Line]:
    texts = lines_of(row, columns) if wide else [_one_line_of(row, columns)]
    return (Line(text, row) for text in texts)


@dataclass(frozen=True)
class Columns:
    """How wide the columns are. The last one, the meaning, has what is left."""

    name: int
    value: int
    origin: int
    meaning: int

    @property
    def before_meaning(self) -> int:
        return self.name + self.value + self.origin + 3 * len(GAP)


def columns_for(rows: Sequence[Row], width: int | None) -> Columns:
    """Columns that suit the rows.

    :param width: of the terminal, in characters; None: lines may have any length.
    """
    name, value, origin = (
        max((len(str(text or "")) for text in texts), default=0)
        for texts in zip(*((row.name, row.value, row.origin) for row in rows), strict=True)
    )
    if width is None:
        return Columns(name, value, origin, 10_000)
    room = width - name - origin - 3 * len(GAP)
    value = max(8, min(value, room - MEANING if width >= WIDE else room + len(GAP)))
    return Columns(name, value, origin, room - value)


def lines_of(row: Row, columns: Columns) -> Iterator[str]:
    """A row as aligned lines, with its meaning. A value too long for its column has a line for itself."""
    value = row.value or "-"
    head = f"{row.name:<{columns.name}}{GAP}"
    if len(value) > columns.value:
        yield f"{head}{value}"
        head, value = " " * len(head), ""
    line = f"{head}{value:<{columns.value}}{GAP}{row.origin:<{columns.origin}}"
    first, *others = textwrap.wrap(row.meaning, columns.meaning) or [""]
    yield f"{line}{GAP}{first}".rstrip()
    yield from (" " * columns.before_meaning + other for other in others)


def _one_line_of(row: Row, columns: Columns) -> str:
    """A row as one line, with its meaning if that fits. A value too long for its column pushes its origin aside."""
    value = row.value or "-"
    line = f"{row.name:<{columns.name}}{GAP}{value:<{columns.value}}"
    if row.origin:
        line += f"{GAP}{row.origin:<{columns.origin}}"
    fits = len(row.meaning) <= columns.meaning and len(value) <= columns.value
    return f"{line}{GAP}{row.meaning}".rstrip() if fits else line.rstrip()
