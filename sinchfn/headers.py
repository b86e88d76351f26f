"""Headers that go out: what a server could not send is found here, where it still becomes a proper answer."""

from __future__ import annotations

import re

from werkzeug.wrappers import Response

from .errors import AnswerError

#: Headers that are the server's own to set. What a handler says about them is dropped.
SERVERS_OWN = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "date", "server")
)

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def settle(response: Response) -> None:
    """Check status and headers of an answer that a handler had a hand in, and set its length.

    :raises AnswerError: a server would break off on it, or split it in two.
    """
    if not 100 <= response.status_code <= 599:
        raise AnswerError(f"its status is {response.status_code}; an HTTP status is from 100 to 599")
    for name, value in list(response.headers):
        check_header(name, value)
        if name.lower() in SERVERS_OWN:
            response.headers.remove(name)
    _settle_length(response)


def check_header(name: object, value: object) -> None:
    """Check one header.

    :raises AnswerError: no server can send it.
    """
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise AnswerError(f"{name!r} is no name of a header")
    if not isinstance(value, str):
        raise AnswerError(f"the header {name} has a {type(value).__name__} as its value; a str is needed")
    if _CONTROL.search(value):
        raise AnswerError(f"the header {name} has a control character or line break in its value")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise AnswerError(f"the header {name} has characters outside Latin-1 in its value: percent-encode it") from None


def _settle_length(response: Response) -> None:
    given = response.headers.get("Content-Length")
    if not response.is_streamed:
        # Whatever the handler said: with a length that does not fit the client waits, or takes the next answer apart.
        response.headers["Content-Length"] = str(response.calculate_content_length() or 0)
    elif given is not None and not (given.isascii() and given.isdecimal()):
        raise AnswerError(f"its Content-Length is {given[:40]!r}; a number of bytes is needed")
