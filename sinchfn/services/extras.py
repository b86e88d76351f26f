"""Optional packages: imported on first use, and one sentence where they are missing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import ExtraError

#: Top-level module -> the extra of sinchfn that brings it.
EXTRAS = {"redis": "redis", "obstore": "objects", "sinch": "sdk"}


def import_extra(module: str, purpose: str) -> Any:
    """Import the module of this dotted name.

    :param purpose: what it is needed for, as the subject of the message: ``SINCHFN_CACHE_URL=redis://``.
    :raises ExtraError: the package is not installed.
    """
    require_extra(module, purpose)
    return import_module(module)


def require_extra(module: str, purpose: str) -> None:
    """Check that the package of this module is installed, without importing it.

    :raises ExtraError: the package is not installed.
    """
    if missing := missing_extra(module, purpose):
        raise ExtraError(missing)


def missing_extra(module: str, purpose: str) -> str:
    """Return a sentence if the package of this module is not installed, else an empty text."""
    package = module.partition(".")[0]
    if find_spec(package) is not None:
        return ""
    return f"{purpose} needs the package {package}, which is not installed: pip install 'sinchfn[{EXTRAS[package]}]'"
