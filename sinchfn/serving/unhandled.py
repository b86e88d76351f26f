"""Voice callbacks without a handler: how they are recognised, and the sentences about them."""

from __future__ import annotations

import re

from werkzeug.exceptions import NotFound

from ..function.exports import Export, Kind, Reads
from ..function.function import Function
from ..function.names import CALLBACKS, seems_meant
from ..function.request import Incoming
from ..function.routing import Exports

#: Bytes of the largest body that is examined. A callback has a few kilobytes.
MOST_OF_A_CALLBACK = 1 << 16

#: The beginning of the event names of the Voice API v2.
V2 = "call."

_EVENT = re.compile(rb'"event"\s*:\s*"([A-Za-z.]{1,64})')
#: One of these is in the JSON of every callback; a letter of the first two may be escaped.
_MARK = re.compile(rb'"event"|"callid"|\\u')


class UnhandledCallback(NotFound):
    """404: a voice callback for which the function has no handler."""


def claimed_event(body: bytes) -> str:
    """Return the event that the body of a callback names, in lower case, without parsing it; empty if it names none."""
    found = _EVENT.search(body, 0, MOST_OF_A_CALLBACK)
    return found[1].decode().lower() if found else ""


def may_be_callback(body: bytes) -> bool:
    """Return False for a body that cannot be a callback, without parsing it."""
    return _MARK.search(body) is not None


def looks_like_callback(incoming: Incoming) -> bool:
    """Return True if the body is the JSON of a voice callback, of v1 or v2.

    :raises HTTPException: it cannot be read or is not JSON.
    """
    payload = incoming.json if may_be_callback(incoming.body) else None
    if not isinstance(payload, dict):
        return False
    event = str(payload.get("event")).lower()
    return event in CALLBACKS or event.startswith(V2) or isinstance(payload.get("callid"), str)


def unhandled(name: str) -> Export:
    """Return a stand-in for the missing endpoint, so that the hooks run and leave a record."""
    return Export(name if name in CALLBACKS else "/", Kind.VOICE, reads=Reads.UNHANDLED)


def unhandled_sentence(name: str, event: str, path: str, function: Function) -> str:
    """Say why a callback has no handler, and what to write instead.

    :param name: of the callback, from its path or its event; anything else for one that names none.
    :param event: as its body names it; empty if it does not.
    :param path: below the function's mount.
    """
    mount = function.url_prefix
    if name.startswith(V2):
        return v2_sentence(event)
    if name in CALLBACKS and name not in function.exports.callbacks:
        return f'There is no handler for the event "{name}". {remedy(name, function.exports)}'
    if path != "/":
        direct = f"{mount}/{name if name in CALLBACKS else 'ice'}"
        return (
            f"There is no handler for POST {mount}{path}. The callback URL of a Voice application ends in "
            f"{mount or '/'} (for all events), or in {direct}."
        )
    found = f'this one is "{event}"' if event else "this one has none"
    return f'POST {mount or "/"} takes JSON with an "event" of {", ".join(CALLBACKS)}; {found}.'


def v2_sentence(event: str) -> str:
    """Say that an event belongs to the other API."""
    return (
        f'"{event}" is an event of the Voice API v2. This function takes the callbacks of v1 ({", ".join(CALLBACKS)}): '
        "make its URL the callback URL of a Voice application, not of a v2 service."
    )


def remedy(name: str, exports: Exports) -> str:
    """Say how to write the handler of a callback."""
    near = next((one.name for one in exports if one.kind is Kind.HTTP and seems_meant(one.name, name)), None)
    instead = f'Rename "{near}" if it is meant, or write' if near else "Write"
    return f"{instead} def {name}(context, data): ... in function.py."
