"""Log lines: text for people, JSON for machines. Both strike out the values of secrets."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from .records import (
    clean_message,
    clean_name,
    extras_of,
    fields_of,
    is_block,
    logger_of,
    mark_of,
    struck_out,
    traceback_of,
)
from .redaction import one_line

#: Level -> its colour on a terminal.
COLOURS: Mapping[int, str] = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}
DIM = "2"

#: Request field -> the word before its value in a text line.
_NAMED = {"call_id": "call", "request_id": "request", "process": "process"}

#: The loggers whose name does not stand before the message, besides sinchfn's own.
_UNNAMED = ("root", "werkzeug", "py.warnings")

_encode = json.JSONEncoder(separators=(",", ":")).encode


class PlatformFormatter(logging.Formatter):
    """One of sinchfn's own formatters.

    :param redact: strikes secrets out of a value.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self.redact = redact


class TextFormatter(PlatformFormatter):
    """For people: time, level, message, the user's extra fields, and which request it was::

        12:00:01 INFO    POST /ice 200 3.1 ms  [voice ice, call 1ce0ffee, request 8f3a20c1]

    :param colours: whether it goes to a terminal that shows them.
    """

    def __init__(self, redact: Callable[[str], str], colours: bool = False) -> None:
        super().__init__(redact)
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        message = mark_of(record, "as_text") or clean_message(record, self.redact)
        if not is_block(record):
            message = one_line(message)
        extras = struck_out(extras_of(record), self.redact)
        shown = one_line("".join(f" {name}={json.dumps(value)}" for name, value in sorted(extras.items())))
        head = self._coloured(f"{record.levelname:<7}", COLOURS.get(record.levelno))
        moment = self._coloured(self.formatTime(record, "%H:%M:%S"), DIM)
        fields = fields_of(record)
        handler = " ".join(str(fields[name]) for name in ("kind", "handler") if name in fields)
        named = (f"{word} {fields[name]}" for name, word in _NAMED.items() if name in fields)
        request = ", ".join(filter(None, (handler, *named)))
        behind = shown + self._coloured(one_line(f"  [{request}]" if request else ""), DIM)
        first, line_break, rest = message.partition("\n")
        logger = clean_name(logger_of(record), self.redact)
        is_named = not logger.startswith("sinchfn") and logger not in _UNNAMED
        prefix = f"{one_line(logger).removesuffix('.error')}: " if is_named else ""
        line = f"{moment} {head} {prefix}{first}{behind}{line_break}{rest}"
        # Indented and escaped: text that a caller got into an exception cannot pass for a line of the log.
        trace = self.redact(traceback_of(record))
        return line + "".join(f"\n    {one_line(part)}" for part in trace.splitlines() if part)

    def _coloured(self, text: str, colour: str | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and colour and text else text


class JsonFormatter(PlatformFormatter):
    """For machines: one JSON object a line.

    ``time`` (UTC, when the line was written), ``level``, ``logger``, ``message``; within a request ``request_id``,
    ``handler``, ``kind`` and, if there is one, ``call_id``; ``traceback``; what the log call gave as ``extra``, under
    its own names (with ``_`` behind one that is taken). The line of a request has all fields of its usage record; when
    the request came is ``started`` here.
    """

    def format(self, record: logging.LogRecord) -> str:
        written: str | None = mark_of(record, "as_json")
        extras = struck_out(extras_of(record), self.redact)
        moment = f"{_second(int(record.created))}.{int(record.msecs):03d}Z"
        if written is not None:
            # The line of a request: head and message, and behind them a JSON object that is written already.
            message = encode_basestring_ascii(record.getMessage())
            head = f'"time":"{moment}","level":"{record.levelname}","logger":"{record.name}"'
            return f'{{{head},"message":{message},{written[1:-1]}{f",{_encode(extras)[1:]}" if extras else "}"}'
        fields: dict[str, Any] = {
            "time": moment,
            "level": record.levelname,
            "logger": clean_name(logger_of(record), self.redact),
            "message": clean_message(record, self.redact),
            **fields_of(record),
        }
        if trace := traceback_of(record):
            fields["traceback"] = self.redact(trace)
        return _encode({**fields, **extras})


@lru_cache(maxsize=2)  # many lines are written in one second
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
