"""HTTP Basic auth: the handlers and files that the function's ``auth`` protects, and the check of a password."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: The entry of ``auth`` that protects every handler without a signature scheme.
EVERYTHING = "*"

#: The beginning of an entry of ``auth`` that protects a static file, or all files of a folder.
FILES = "public/"

#: The ``WWW-Authenticate`` header of a 401.
CHALLENGE = 'Basic realm="sinchfn", charset="UTF-8"'


@dataclass(frozen=True, slots=True)
class Entries:
    """The parsed ``auth`` of a function."""

    everything: bool = False
    handlers: tuple[str, ...] = ()
    #: paths below ``public/``
    files: tuple[str, ...] = ()


def read_entries(auth: object) -> Entries:
    """Parse the ``auth`` of a function.

    :param auth: ``"*"``, a name, or a list of names; None protects nothing.
    :raises ValueError: ``auth`` is anything else.
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
    """A check of a request's credentials against the users that are set. Without users it refuses every request."""

    def __init__(self, pairs: Iterable[tuple[str | None, str | None]]) -> None:
        self._pairs = tuple(f"{user}:{password}".encode() for user, password in pairs if user and password)

    @property
    def is_closed(self) -> bool:
        """True if no user is set, so that every request is refused."""
        return not self._pairs

    def allows(self, authorization: str | None) -> bool:
        """Return True if an ``Authorization`` header, as WSGI has it, carries the credentials of a user."""
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded.strip().encode("latin-1"), validate=True)
        except ValueError:
            return False
        # Compare with every pair, so that the time taken does not reveal which one was close.
        results = [hmac.compare_digest(given, pair) for pair in self._pairs]
        return any(results)

    def __repr__(self) -> str:
        return f"<BasicAuth with {len(self._pairs)} pairs>"
