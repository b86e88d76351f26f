"""SVAML that a caller of the client gives: what a builder made, or a dict, which is checked first."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from ... import jsontext
from ...errors import SvamlError
from ..svaml.checks import check_svaml
from ..svaml.document import Svaml, SvamlBuilder
from ..svaml.faults import describe

_log = logging.getLogger("sinchfn.voice")
_URL = re.compile(r"(?i:https?)://[^\s/]\S*")

#: SVAML, finished or not, or a dict in its form.
SvamlLike = Svaml | SvamlBuilder | Mapping[str, Any]


def as_svaml(given: SvamlLike, what: str) -> dict[str, Any]:
    """`given` as the wire has it.

    :param what: what it is for, as messages call it; the name of an event also has its rules applied.
    :raises SvamlError: it is not in the platform's schema.
    """
    if isinstance(given, Svaml | SvamlBuilder):
        document = given.build()
    elif isinstance(given, Mapping):
        document = _checked(dict(given), what)
    else:
        raise SvamlError(f"{what} takes SVAML, what a builder made or a dict, found {describe(given)}.")
    _refuse_own_path(document, what)
    return document


def as_callback(given: SvamlLike | str, event: str) -> str:
    """What is to happen at `event` of a custom callout: a URL as it is, SVAML as a JSON string.

    :raises SvamlError: it is neither, or not in the platform's schema.
    """
    if not isinstance(given, str):
        return jsontext.dumps(as_svaml(given, event))
    if not _URL.fullmatch(given):
        raise SvamlError(f"{event} takes a URL that begins with https://, or SVAML, found {describe(given)}.")
    return given


def _checked(document: dict[str, Any], what: str) -> dict[str, Any]:
    found = check_svaml(document, what)
    if found:
        raise SvamlError(f"{what}: " + " ".join(str(fault) for fault in found.faults))
    for warning in found.warnings:
        _log.warning("%s: %s", what, warning)
    return document


def _refuse_own_path(document: Mapping[str, Any], what: str) -> None:
    """Only the answer to a request has a public URL at hand that a path could be completed with."""
    action = document.get("action") or {}
    endpoint = action.get("destination", {}).get("endpoint", "")
    if str(action.get("name", "")).lower() == "connectstream" and endpoint.startswith("/"):
        raise SvamlError(
            f'{what}: connectStream to the path "{endpoint}" works only in the answer of a handler. '
            "Here it takes a whole URL, such as wss://voice.example.com/stream."
        )
