"""Glob patterns of keys: one meaning in every backend, and never more than linear work for each character."""

from __future__ import annotations

import re
from typing import NamedTuple

#: Longest pattern, in characters.
LONGEST_PATTERN = 4096


class _Piece(NamedTuple):
    """One element of a pattern."""

    #: what it is as a regular expression; of a star the empty text
    regex: str
    #: the character it stands for, if it stands for itself
    literal: str | None = None


_STAR = _Piece("")
_ANY = _Piece(".")


class Glob:
    """A pattern, ready to be matched.

    A ``[`` that is never closed, and a backslash at the end, stand for themselves; so does a ``]`` that comes first in
    its brackets. A range that runs backwards holds nothing.
    """

    def __init__(self, pattern: str) -> None:
        """
        :raises ValueError: it is no str, no text, or too long.
        """
        if not isinstance(pattern, str):
            raise ValueError(  # noqa: TRY004
                f"A pattern of keys is a str such as 'session:*', found {type(pattern).__name__}."
            )
        if len(pattern) > LONGEST_PATTERN:
            raise ValueError(
                f"The pattern of keys is too long: {len(pattern)} characters, at most {LONGEST_PATTERN} are taken."
            )
        try:
            pattern.encode()
        except UnicodeEncodeError:
            raise ValueError("The pattern of keys has half of a surrogate pair: it is no text.") from None
        pieces = _parse(pattern)
        #: what every match begins with
        self.prefix = _literal_prefix(pieces)
        self.matches = re.compile(_regex(pieces), re.DOTALL).fullmatch


def _parse(pattern: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    at, may_close = 0, True
    while at < len(pattern):
        found = _brackets(pattern, at + 1) if pattern[at] == "[" and may_close else None
        # Where one is never closed, none behind it is: looking again each time would take quadratic time.
        may_close = may_close and (found is not None or pattern[at] != "[")
        piece, at = found or _simple(pattern, at)
        if not (piece is _STAR and pieces and pieces[-1] is _STAR):
            pieces.append(piece)
    return pieces


def _simple(pattern: str, at: int) -> tuple[_Piece, int]:
    wild = {"*": _STAR, "?": _ANY}.get(pattern[at])
    return (wild, at + 1) if wild else _literal(pattern, at)


def _literal(pattern: str, at: int) -> tuple[_Piece, int]:
    """The character at this place, or the one behind the backslash at this place; and what comes after it."""
    if pattern[at] == "\\" and at + 1 < len(pattern):
        at += 1
    return _Piece(re.escape(pattern[at]), pattern[at]), at + 1


def _brackets(pattern: str, at: int) -> tuple[_Piece, int] | None:
    """What the brackets that open before `at` hold, and what comes after them; None if they are never closed."""
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    first, members = at, ""
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        member, at = _member(pattern, at)
        members += member
    if at >= len(pattern):
        return None
    if not members:
        return _ANY if negated else _Piece(r"(?!)"), at + 1
    return _Piece(f"[{'^' * negated}{members}]"), at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    """One character or range inside brackets."""
    low, at = _literal(pattern, at)
    if pattern[at : at + 1] != "-" or pattern[at + 1 : at + 2] in ("", "]"):
        return low.regex, at
    high, at = _literal(pattern, at + 1)
    return (f"{low.regex}-{high.regex}" if str(low.literal) <= str(high.literal) else ""), at


def _literal_prefix(pieces: list[_Piece]) -> str:
    prefix = ""
    for piece in pieces:
        if piece.literal is None:
            break
        prefix += piece.literal
    return prefix


def _regex(pieces: list[_Piece]) -> str:
    """The regular expression of a pattern.

    What stands between two stars is looked for once, at its first occurrence, and never given up again (an atomic
    group): a later occurrence could not match more. What stands after the last star can only be at the end.
    """
    runs = [""]
    for piece in pieces:
        if piece is _STAR:
            runs.append("")
        else:
            runs[-1] += piece.regex
    if len(runs) == 1:
        return runs[0]
    first, *between, last = runs
    return first + "".join(f"(?>.*?{run})" for run in between) + ".*" + last
