"""What a function module has but does not export, and what to do about it; for the start-up log."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator
from types import ModuleType
from typing import Any

from .classes import is_controller
from .functions import payload_name
from .names import RESERVED, has_meaning, is_webhook


def overlooked(module: ModuleType, exported: Collection[str]) -> Iterator[str]:
    """A sentence for each attribute that looks as if it were meant to be served.

    :param exported: the names in the module that are.
    """
    for name in exported:
        service = name.lower().removesuffix("webhook").strip("_")
        if name.lower().endswith("webhook") and service and not is_webhook(name):
            yield f'"{name}" in {module.__file__} does not serve /webhook/{service}: name it {service}_webhook.'
    for name, value in vars(module).items():
        if name not in exported and not name.startswith("_") and _looks_meant(module, name, value):
            yield f'"{name}" in {module.__file__} is not served: {_why(module, name, value)}'


def _looks_meant(module: ModuleType, name: str, value: Any) -> bool:
    if inspect.isclass(value):
        return is_controller(value)
    return callable(value) and name not in RESERVED and (has_meaning(name) or _lost_its_module(module, name, value))


def _lost_its_module(module: ModuleType, name: str, value: Any) -> bool:
    """Whether this looks like a function of the module that a decorator has put something else in the place of."""
    if hasattr(module, "__all__"):
        return False
    if inspect.isfunction(value):
        return "<locals>" in value.__qualname__ and value.__name__ != name and value.__module__ != module.__name__
    return hasattr(value, "__wrapped__") and getattr(value, "__module__", None) == module.__name__


def _why(module: ModuleType, name: str, value: Any) -> str:
    if hasattr(module, "__all__"):
        return f'__all__ does not name it. Add "{name}" to __all__, or rename it.'
    if not inspect.isfunction(value) and not inspect.isclass(value):
        return (
            f"it is a {type(value).__name__}, not a function. "
            f'Wrap it: def {name}(context, {payload_name(name)}): ..., or set __all__ = ["{name}", ...].'
        )
    home = re.sub(r"^\w+@\d+\.", "", value.__module__)
    remedy = f'set __all__ = ["{name}", ...] if it is meant'
    if inspect.isclass(value):
        return f"it belongs to the module {home}. To serve this controller {remedy}; else begin its name with _."
    return f"it belongs to the module {home}. Define it here, or {remedy}; a decorator should use functools.wraps."
