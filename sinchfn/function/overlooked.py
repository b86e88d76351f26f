"""Warnings for the start-up log: code that looks meant to be served, but is not, and what to do about it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from ..errors import place_of
from .controller_exports import WEBHOOKS, base_of, is_controller
from .controllers import SinchController, SinchVoiceController
from .exports import Export, Kind
from .names import CALLBACKS, RESERVED, has_meaning, is_webhook, payload_name, seems_meant
from .overrides import Overrides
from .routes import ROUTES
from .setup import STEPS, SinchFunctionInit, is_init


def overlooked(module: ModuleType, exported: Mapping[str, Any], listed: Sequence[Export]) -> Iterator[str]:
    """Yield a sentence for each attribute that looks as if it were meant to be served.

    :param exported: what the module exports, by name.
    :param listed: the endpoints made of it.
    """
    controllers = list(dict.fromkeys(value for value in exported.values() if is_controller(value)))
    served = {name for export in listed for name in export.names}
    for controller in controllers:
        is_base = any(controller in other.__mro__[1:] for other in controllers)
        yield from _overlooked_in(controller, served, is_base=is_base)
    yield from _overlooked_init(module)
    voice = {export.meaning for export in listed if export.kind is Kind.VOICE}
    for name in CALLBACKS if voice else ():
        for export in listed:
            if name not in voice and export.kind is Kind.HTTP and seems_meant(export.name, name):
                yield f'"{export.name}" in {module.__file__} is not a callback: if "{name}" is meant, rename it.'
    for name in exported:
        service = name.lower().removesuffix("webhook").strip("_")
        if name.lower().endswith("webhook") and service and not is_webhook(name):
            yield f'"{name}" in {module.__file__} does not serve /webhook/{service}: name it {service}_webhook.'
    for name, value in vars(module).items():
        is_base = any(value in controller.__mro__ for controller in controllers if inspect.isclass(value))
        if name not in exported and not name.startswith("_") and not is_base and _looks_meant(module, name, value):
            yield f'"{name}" in {module.__file__} is not served: {_reason(module, name, value)}'


def _overlooked_in(controller: type[SinchController], served: Collection[str], *, is_base: bool) -> Iterator[str]:
    where = f"{controller.__name__} ({place_of(controller)})"
    for name, value in vars(controller).items():
        if name.startswith("_") or not inspect.isfunction(value):
            continue
        is_local = "<locals>" in value.__qualname__.rpartition(".")[0].rpartition(".")[2]
        if is_local and value.__name__ != name and not hasattr(value, ROUTES):
            yield (
                f'"{name}" of {where} was replaced by a decorator, and a route on it is lost: '
                "the decorator should use functools.wraps."
            )
    methods = [(webhook.base, webhook.methods) for webhook in WEBHOOKS if base_of(controller) is webhook.base]
    if base_of(controller) is SinchVoiceController:
        methods = [(SinchVoiceController, CALLBACKS)]
    for base, names in methods:
        yield from Overrides(controller, base, names).near_misses()
    if not is_base and not any(name.partition(".")[0] == controller.__name__ for name in served):
        remedy = 'put @get("/path") or another route above a method'
        if methods:
            remedy = f"override one of {', '.join(name for _, names in methods for name in names)}, or {remedy}"
        yield f"The controller {where} serves nothing: {remedy}."


def _overlooked_init(module: ModuleType) -> Iterator[str]:
    own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    classes = list(filter(inspect.isclass, own))
    inits = list(filter(is_init, classes))
    for init in inits:
        yield from Overrides(init, SinchFunctionInit, STEPS).near_misses()
    for value in classes:
        if any(step in vars(value) for step in STEPS) and not any(value in init.__mro__ for init in inits):
            yield (
                f'"{value.__name__}" ({place_of(value)}) is not used as an init class: '
                f"if it is meant as one, write class {value.__name__}(SinchFunctionInit)."
            )


def _looks_meant(module: ModuleType, name: str, value: Any) -> bool:
    if inspect.isclass(value):
        return is_controller(value)
    if not callable(value) or name in RESERVED:
        return False
    if has_meaning(name):
        return True
    if hasattr(module, "__all__"):
        return False
    # A decorator may have replaced a function of the module by one of another module.
    if inspect.isfunction(value):
        return "<locals>" in value.__qualname__ and value.__name__ != name and value.__module__ != module.__name__
    return hasattr(value, "__wrapped__") and getattr(value, "__module__", None) == module.__name__


def _reason(module: ModuleType, name: str, value: Any) -> str:
    if hasattr(module, "__all__"):
        return f'it is not in __all__. Add "{name}" to __all__, or rename it.'
    if not inspect.isfunction(value) and not inspect.isclass(value):
        return (
            f"it is a {type(value).__name__}, not a function. "
            f'Wrap it: def {name}(context, {payload_name(name)}): ..., or set __all__ = ["{name}", ...].'
        )
    home = re.sub(r"^\w+@\d+\.", "", value.__module__)
    if inspect.isclass(value):
        return f'it belongs to the module {home}. To serve this controller set __all__ = ["{name}", ...].'
    return (
        f'it belongs to the module {home}. Define it here, or set __all__ = ["{name}", ...] if it is meant; '
        "a decorator should use functools.wraps."
    )
