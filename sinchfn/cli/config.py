"""The ``sinchfn config`` command: every setting and variable, its value, its origin and its meaning."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import click

from ..app.startup import folder_ahead, in_debug_mode
from ..config.config import DEFAULT, ENVIRONMENT, FunctionConfig, default_of, read_config
from ..config.settings import LOCATION, SETTINGS
from ..errors import StartupError
from ..function.loading import default_source
from ..logs.redaction import MASK, masked, masked_anyhow, one_line
from ..services.services import check_services

#: Minimum width of a terminal, in characters, for meanings that are wrapped in a column of their own. In a narrower one
#: each row is one line: settings that are set come first, and a meaning that does not fit is left out.
WIDE = 120
#: Minimum width of the column of meanings.
MEANING = 46

GAP = "  "


@dataclass(frozen=True)
class Row:
    """One setting or variable."""

    name: str
    #: as it is written in the environment, secrets masked; None if it is not set
    value: str | None
    #: the place that the value came from
    origin: str
    meaning: str = ""

    @property
    def is_default(self) -> bool:
        """True if the setting is set nowhere."""
        return self.origin == DEFAULT

    @property
    def cells(self) -> tuple[str, str, str]:
        """Name, value and origin, with control characters escaped: a value must not write lines of its own."""
        return one_line(self.name), one_line(self.value or "-"), self.origin

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "from": self.origin, "default": self.is_default}


HEAD = Row("Setting", "Value", "From", "Meaning")


@click.command()
@click.argument("function", required=False)
@click.option("--dev", "debug", is_flag=True, help="Show what `sinchfn dev` uses: development is the default.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option("--markdown", is_flag=True, help="Print all settings and their defaults as a Markdown table.")
def config(function: str | None, debug: bool, as_json: bool, markdown: bool) -> None:
    """Show every setting of FUNCTION: its value, where it came from, what it means.

    The variables that its .env and sinch.json name follow. Secrets are masked. The function itself is not loaded, so
    this works even if it is broken. Invalid settings are listed as errors, and the exit status is 1.
    """
    if markdown:
        click.echo(markdown_table())
        return
    source = function or default_source()
    folder = folder_ahead(source)
    if not folder.is_dir():
        raise click.UsageError(f"There is no folder {folder}.")
    debug = debug or in_debug_mode()
    found, faults = read_config(folder, debug=debug)
    warnings = found.warnings()
    try:
        warnings = [*check_services(found), *warnings]
    except StartupError as error:
        faults = (*faults, found.redact(str(error)))
    origin = "argument" if function else ENVIRONMENT if os.environ.get(LOCATION.name) else DEFAULT
    location = Row(LOCATION.name, source, origin, LOCATION.meaning)
    settings, variables = [location, *setting_rows(found, debug)], variable_rows(found)
    if as_json:
        listing = {
            "function": found.function_name,
            "folder": str(found.folder),
            "environment": found.environment,
            "settings": [{**row.to_json(), "meaning": row.meaning} for row in settings],
            "variables": [row.to_json() for row in variables],
            "warnings": warnings,
            "faults": faults,
        }
        click.echo(json.dumps(listing, indent=2))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() or os.environ.get("COLUMNS") else None
        text = one_line(f"{found.function_name}, {found.environment}, in {found.folder}") + "\n\n"
        text += table(settings, variables, width)
        for kind, colour, sentences in (("Warning", "yellow", warnings), ("Error", "red", faults)):
            for sentence in sentences:
                lines = textwrap.wrap(one_line(f"{kind}: {sentence}"), width or 10_000, break_on_hyphens=False)
                text += "\n" + click.style("\n".join(lines), fg=colour) + "\n"
        click.echo(text, nl=False, color=False if os.environ.get("NO_COLOR") else None)
    if faults:
        raise SystemExit(1)


def setting_rows(config: FunctionConfig, debug: bool) -> list[Row]:
    rows = []
    for setting in SETTINGS:
        value = config.env.get(setting.name) or default_of(setting, config.environment, debug)
        if value is not None:
            value = MASK if config.is_secret(setting.name) else config.redact(masked_anyhow(value))
        rows.append(Row(setting.name, value, _origin(config, setting.name), setting.meaning.replace("`", "")))
    return rows


def variable_rows(config: FunctionConfig) -> list[Row]:
    known = {LOCATION.name, *config.settings}
    rows = []
    for name in config.declared:
        value = config.env.get(name)
        if value is None and name not in known:
            rows.append(Row(name, None, "not set"))
        elif value is not None and name not in known:
            shown = MASK if config.is_secret(name) else config.redact(masked(value))
            rows.append(Row(name, shown, _origin(config, name)))
    return rows


def _origin(config: FunctionConfig, name: str) -> str:
    return f"{config.origin(name)}, file" if name in config.files else config.origin(name)


def table(settings: Sequence[Row], variables: Sequence[Row], width: int | None) -> str:
    """Return the rows as lines with aligned columns.

    :param width: width of the terminal, in characters; None for lines of any length.
    """
    is_wide = width is None or width >= WIDE
    formatter = click.HelpFormatter(width=(width or 10_000) + len(GAP))  # click leaves the right edge free
    shown = [row for row in settings if is_wide or not row.is_default]
    lines, column = aligned([HEAD, *shown, *variables], width)
    formatter.write_dl(chain(*lines[: 1 + len(shown)]), col_max=column)
    if variables:
        formatter.write("\nVariables of the function\n")
        formatter.write_dl(chain(*lines[1 + len(shown) :]), col_max=column)
    if not is_wide and (defaults := [row for row in settings if row.is_default]):
        formatter.write("\nDefaults\n")
        lines, column = aligned(defaults, width, with_origin=False)
        formatter.write_dl(chain(*lines), col_max=column)
    return formatter.getvalue()


def aligned(
    rows: Sequence[Row], width: int | None, *, with_origin: bool = True
) -> tuple[list[list[tuple[str, str]]], int]:
    """Return for each row its name, value and origin in columns, and its meaning; and the width of these columns.

    A value that is too long for its column has a line of its own, or pushes the origin aside.
    """
    cells = [row.cells if with_origin else (*row.cells[:2], "") for row in rows]
    name, value, origin = (max((len(cell) for cell in column), default=0) for column in zip(*cells, strict=True))
    is_wide = width is None or width >= WIDE
    room = 10_000 if width is None else width - name - origin - 3 * len(GAP)
    value = max(8, min(value, room - MEANING if is_wide else room + len(GAP)))
    lines = []
    for row, (first, second, third) in zip(rows, cells, strict=True):
        above = []
        if is_wide and len(second) > value:
            above = [(f"{first:<{name}}{GAP}{second}", "")]
            first = second = ""
        text = f"{first:<{name}}{GAP}{second:<{value}}{GAP}{third:<{origin}}".rstrip()
        meaning = row.meaning if is_wide else row.meaning.partition(";")[0]
        fits = is_wide or (len(meaning) <= room - value and len(second) <= value)
        styled = click.style(text, bold=row is HEAD or None, dim=row.is_default or None)
        lines.append([*above, (styled, meaning if fits else "")])
    return lines, name + value + origin + 2 * len(GAP)


def markdown_table() -> str:
    """Return the settings and their defaults as a Markdown table."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for setting in (LOCATION, *SETTINGS):
        default = f"`{setting.default}`" if setting.default else ""
        if setting.development:
            default = f"production {default}, development `{setting.development}`"
        lines.append(f"| `{setting.name}` | {default} | {setting.meaning} |")
    return "\n".join(lines)
