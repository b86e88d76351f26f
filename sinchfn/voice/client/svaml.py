"""SVAML as an argument of the client: made by a builder, or a dict, which is checked first."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from ...errors import SvamlError
from ...wire import json
from ...wire.faults import describe
from ..svaml.instructions import Svaml, SvamlBuilder, forget
from ..svaml.schemas import check_svaml

_log = logging.getLogger("sinchfn.voice")
_URL = re.compile(r"(?i:https?)://[^\s/]\S*")

#: SVAML, finished or not, or a dict in its form.
SvamlLike = Svaml | SvamlBuilder | Mapping[str, Any]


def as_svaml(given: SvamlLike, what: str) -> dict[str, Any]:
    """Return ``given`` as it is sent.

    :param what: the name of the argument in messages; the name of an event also has its rules applied.
    :raises SvamlError: it does not follow the platform's schema.
    """
    if isinstance(given, Svaml | SvamlBuilder):
        document = given.build()
    elif isinstance(given, Mapping):
        document = dict(given)
        found = check_svaml(document, what)
        if found:
            raise SvamlError(f"{what}: " + " ".join(map(str, found.faults)))
        for warning in found.warnings:
            _log.warning("%s: %s", what, warning)
    else:
        raise SvamlError(f"{what} takes SVAML, made by a builder or as a dict, found {describe(given)}.")
    _refuse_own_path(document, what)
    forget(given)
    return document


def as_callback(given: SvamlLike | str, event: str) -> str:
    """Return what a custom callout does at ``event``: a URL unchanged, or SVAML as a JSON string.

    :raises SvamlError: it is neither, or it does not follow the platform's schema.
    """
    if not isinstance(given, str):
        return json.dumps(as_svaml(given, event))
    if not _URL.fullmatch(given):
        raise SvamlError(f"{event} takes a URL that begins with https://, or SVAML, found {describe(given)}.")
    return given


def _refuse_own_path(document: Mapping[str, Any], what: str) -> None:
    """Refuse a stream path. Only the answer to a request has a public URL that can complete it."""
    action = document.get("action") or {}
    endpoint = action.get("destination", {}).get("endpoint", "")
    if str(action.get("name", "")).lower() == "connectstream" and endpoint.startswith("/"):
        raise SvamlError(
            f'{what}: connectStream to the path "{endpoint}" works only in the answer of a handler. '
            "Here it takes a whole URL, such as wss://voice.example.com/stream."
        )
