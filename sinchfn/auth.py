"""HTTP Basic auth: which handlers and files the function's ``auth`` protects, and the check itself."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Stands in ``auth`` for every handler that no signature guards.
EVERYTHING = "*"

#: An entry of ``auth`` that begins with this protects a static file, or all files of a folder.
FILES = "public/"

#: What the 401 asks for.
CHALLENGE = 'Basic realm="sinchfn", charset="UTF-8"'


@dataclass(frozen=True, slots=True)
class Entries:
    """The ``auth`` of a function, taken apart."""

    everything: bool = False
    handlers: tuple[str, ...] = ()
    #: paths below ``public/``
    files: tuple[str, ...] = ()


def read_entries(auth: object) -> Entries:
    """Take ``auth`` apart.

    :param auth: ``"*"``, a name, or a list of names; None protects nothing.
    :raises ValueError: it is something else.
    """
    entries = [auth] if isinstance(auth, str) else [] if auth is None else auth
    if not isinstance(entries, Sequence | set | frozenset) or not all(isinstance(entry, str) for entry in entries):
        raise ValueError('auth takes a list of names, such as auth = ["admin", "public/report.html"], or "*"')
    names = list(dict.fromkeys(entries))
    return Entries(
        everything=EVERYTHING in names,
        handlers=tuple(name for name in names if name != EVERYTHING and not name.startswith(FILES)),
        files=tuple(name.removeprefix(FILES).strip("/") for name in names if name.startswith(FILES)),
    )


class BasicAuth:
    """Compares the credentials of a request with the pairs that are set. Closed when no pair is."""

    def __init__(self, pairs: Iterable[tuple[str | None, str | None]]) -> None:
        self._pairs = tuple(f"{user}:{password}".encode() for user, password in pairs if user and password)

    @property
    def is_closed(self) -> bool:
        """Whether nobody can get in, for no pair is set."""
        return not self._pairs

    def allows(self, authorization: str | None) -> bool:
        """Whether an ``Authorization`` header (as WSGI has it) carries one of the pairs."""
        given = _credentials(authorization)
        if given is None:
            return False
        # Every pair is compared, so the time taken does not tell which one was close.
        results = [hmac.compare_digest(given, pair) for pair in self._pairs]
        return any(results)

    def __repr__(self) -> str:
        return f"<BasicAuth with {len(self._pairs)} pairs>"


def _credentials(authorization: str | None) -> bytes | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        given = base64.b64decode(encoded.strip().encode("latin-1"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    return given if b":" in given else None
