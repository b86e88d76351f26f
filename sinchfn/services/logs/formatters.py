"""Log lines: text for people, JSON for machines. Both strike out the values of secrets."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from ...redaction import Redaction, one_line
from .records import TAKEN, extras_of, fields_of, is_block, logger_of, mark_of, message_of, struck_out, traceback_of

#: Level -> its colour on a terminal.
COLOURS: Mapping[int, str] = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}
DIM = "2"

#: Fields of a JSON line that hold nothing from outside: a secret that is the word "INFO" is not struck out of them.
OWN = frozenset(("time", "level", "started"))


class PlatformFormatter(logging.Formatter):
    """One of sinchfn's own formatters.

    :param redact: strikes out the secrets of all functions in this process; shared by all handlers, and added to.
    """

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self.redact = redact


class TextFormatter(PlatformFormatter):
    """For people: time, level, message, the user's extra fields, and which request it was::

        12:00:01 INFO    POST /ice 200 3.1 ms  [voice ice, call 1ce0ffee, request 8f3a20c1]

    :param colours: whether it goes to a terminal that shows them.
    """

    def __init__(self, redact: Redaction, colours: bool = False) -> None:
        super().__init__(redact)
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        message = self.redact(message_of(record))
        if not is_block(record):
            message = one_line(message)
        extras = "".join(f" {name}={json.dumps(value)}" for name, value in sorted(extras_of(record).items()))
        tail = one_line(self.redact(_tail(fields_of(record))))
        head = self._coloured(f"{record.levelname:<7}", COLOURS.get(record.levelno))
        moment = self._coloured(self.formatTime(record, "%H:%M:%S"), DIM)
        behind = one_line(self.redact(extras)) + self._coloured(tail, DIM)
        first, line_break, rest = message.partition("\n")
        line = f"{moment} {head} {self.redact(_logger(record))}{first}{behind}{line_break}{rest}"
        # Indented and escaped: text that a caller got into an exception cannot pass for a line of the log.
        trace = self.redact(traceback_of(record))
        return line + "".join(f"\n    {one_line(part)}" for part in trace.splitlines() if part)

    def _coloured(self, text: str, colour: str | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and colour and text else text


def _logger(record: logging.LogRecord) -> str:
    """The name of a logger that is neither ours nor says nothing, to stand before the message."""
    name = logger_of(record)
    if name.startswith("sinchfn") or name in ("root", "werkzeug", "py.warnings"):
        return ""
    return f"{one_line(name).removesuffix('.error')}: "


def _tail(fields: Mapping[str, Any]) -> str:
    handler = " ".join(str(fields[name]) for name in ("kind", "handler") if name in fields)
    named = [f"{word} {fields[name]}" for name, word in _NAMED.items() if name in fields]
    parts = [handler, *named] if handler else named
    return f"  [{', '.join(parts)}]" if parts else ""


_NAMED = {"call_id": "call", "request_id": "request", "process": "process"}


class JsonFormatter(PlatformFormatter):
    """For machines: one JSON object a line.

    ``time`` (UTC, when the line was written), ``level``, ``logger``, ``message``; within a request ``request_id``,
    ``handler``, ``kind`` and, if there is one, ``call_id``; ``traceback``; what the log call gave as ``extra``, under
    its own names (with ``_`` behind one that is taken). The line of a request has all fields of its usage record; when
    the request came is ``started`` here.
    """

    def format(self, record: logging.LogRecord) -> str:
        written: str | None = mark_of(record, "as_json")
        line = _joined(record, written) if written is not None else _encode(_fields(record))
        if self.redact(line) == line:  # nearly always, and that is quicker than to look at each value
            return line
        # Value by value: the line stays JSON, and its own names stay, whatever the secret is.
        fields = json.loads(line).items()
        own = TAKEN if written is None else {name for name, _ in fields}
        return _encode(
            {
                name if name in own else self.redact(name): value if name in OWN else struck_out(value, self.redact)
                for name, value in fields
            }
        )


def _joined(record: logging.LogRecord, written: str) -> str:
    """Head and message, and behind them a JSON object that is written already, and what others put on the record."""
    message = encode_basestring_ascii(record.getMessage())
    head = f'"time":"{_moment(record)}","level":"{record.levelname}","logger":"{record.name}"'
    extras = extras_of(record)
    return f'{{{head},"message":{message},{written[1:-1]}{f",{_encode(extras)[1:]}" if extras else "}"}'


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "time": _moment(record),
        "level": record.levelname,
        "logger": logger_of(record),
        "message": message_of(record),
        **fields_of(record),
    }
    if trace := traceback_of(record):
        fields["traceback"] = trace
    return {**fields, **extras_of(record)}


def _moment(record: logging.LogRecord) -> str:
    return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"


@lru_cache(maxsize=2)  # many lines are written in one second
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


_encode = json.JSONEncoder(separators=(",", ":")).encode
