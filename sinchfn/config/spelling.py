"""Names of variables that nothing reads, and what they were probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import did_you_mean, near_miss
from ..redaction import is_secret
from .files import FROM_FILE, SUFFIX
from .settings import LOCATION, SETTINGS

_SETTINGS = (*(setting.name for setting in SETTINGS), LOCATION)
_KNOWN = (*_SETTINGS, *(name + SUFFIX for name in FROM_FILE))


def unknown_names(env: Mapping[str, str], origins: Mapping[str, str] | None = None) -> list[str]:
    """A sentence for each variable that is meant for sinchfn, as it seems, and that nothing reads.

    :param env: every variable that is set.
    :param origins: where each came from, as in :class:`~sinchfn.FunctionConfig`.
    """
    sentences = [_sentence(name, env) for name in sorted(env) if name not in _KNOWN]
    if (origins or {}).get(LOCATION) in (".env", "sinch.json"):
        sentences.append(
            f"{LOCATION} is set in a file of the function, which is found only by it: set it in the environment."
        )
    return [sentence for sentence in sentences if sentence]


def is_meant_for_us(name: str) -> bool:
    """Return True for the name of a setting, or one that is so near that nobody else would have it."""
    return name in _KNOWN or name.startswith("SINCHFN_") or _meant_by(name) is not None


def misspelt_secrets(env: Iterable[str]) -> frozenset[str]:
    """The names that are a near miss of a setting that is a secret: what they hold, most likely, is that secret."""
    return frozenset(name for name in env if name not in _KNOWN and is_secret(_meant_by(name) or ""))


def _sentence(name: str, env: Mapping[str, str]) -> str | None:
    capitals = name.upper()
    setting = capitals.removesuffix(SUFFIX)
    if capitals not in _KNOWN and setting in _SETTINGS:
        return f"{name} is set, but only secrets are read from a file: set {setting}."
    if capitals != name and capitals in _KNOWN:
        return f"{name} is set, but names are told apart by case: the setting is {capitals}."
    if capitals.startswith("SINCHFN_"):
        return f"{name} is set, but there is no such setting.{did_you_mean(capitals, _KNOWN)}"
    # Some other program may have a variable of nearly the same name, but hardly where ours is set as well.
    meant = _meant_by(name)
    if meant and meant not in env:
        return f'{name} is set, but nothing reads it. Did you mean "{meant}"?'
    return None


def _meant_by(name: str) -> str | None:
    # Other programs have variables too, such as PROJECT_DIR, so these have to be nearer than other names.
    return near_miss(name.upper(), [known for known in _KNOWN if abs(len(known) - len(name)) <= 2], cutoff=0.9)
