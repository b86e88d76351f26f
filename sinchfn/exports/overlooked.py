"""What a function module has but does not export, and what to do about it; for the start-up log."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from ..controllers import SinchController, SinchVoiceController, base_of, near_misses
from ..controllers.decorators import ROUTES
from ..init import STEPS, SinchFunctionInit
from ..places import place_of
from .classes import WEBHOOKS, is_controller
from .export import Export, Kind
from .functions import payload_name
from .names import CALLBACKS, RESERVED, has_meaning, is_webhook, seems_meant


def overlooked(module: ModuleType, exported: Mapping[str, Any], listed: Sequence[Export]) -> Iterator[str]:
    """A sentence for each attribute that looks as if it were meant to be served.

    :param exported: what the module exports, by name.
    :param listed: the endpoints that came of it.
    """
    controllers = [value for value in exported.values() if is_controller(value)]
    yield from _overlooked_in(controllers, {name for export in listed for name in export.names})
    yield from _overlooked_init(module)
    yield from _overlooked_callbacks(module, listed)
    for name in exported:
        service = name.lower().removesuffix("webhook").strip("_")
        if name.lower().endswith("webhook") and service and not is_webhook(name):
            yield f'"{name}" in {module.__file__} does not serve /webhook/{service}: name it {service}_webhook.'
    for name, value in vars(module).items():
        is_base = any(value in controller.__mro__ for controller in controllers if inspect.isclass(value))
        if name not in exported and not name.startswith("_") and not is_base and _looks_meant(module, name, value):
            yield f'"{name}" in {module.__file__} is not served: {_why(module, name, value)}'


def _overlooked_in(controllers: Sequence[type[SinchController]], served: Collection[str]) -> Iterator[str]:
    for controller in dict.fromkeys(controllers):
        where = f"{controller.__name__} ({place_of(controller)})"
        for name, value in vars(controller).items():
            if not name.startswith("_") and inspect.isfunction(value) and _is_replaced(name, value):
                yield (
                    f'"{name}" of {where} has something else in its place, which a decorator has put there: a route of '
                    "its own is lost. The decorator should use functools.wraps."
                )
        for base, names in _overridable(controller):
            yield from near_misses(controller, base, names)
        is_base = any(controller in other.__mro__[1:] for other in controllers)
        if not is_base and not any(name.partition(".")[0] == controller.__name__ for name in served):
            yield f"The controller {where} serves nothing: {_may_do(controller)}."


def _overlooked_callbacks(module: ModuleType, listed: Sequence[Export]) -> Iterator[str]:
    """A warning for each plain endpoint that may be meant as a callback which a function with others lacks."""
    voice = {export.meaning for export in listed if export.kind is Kind.VOICE}
    for name in CALLBACKS if voice else ():
        for export in listed:
            if name not in voice and export.kind is Kind.HTTP and seems_meant(export.name, name):
                yield f'"{export.name}" in {module.__file__} is no callback: if "{name}" is meant, name it so.'


def _may_do(controller: type[SinchController]) -> str:
    methods = [name for _, names in _overridable(controller) for name in names]
    routes = 'put @get("/path") or one of its siblings above a method'
    return f"override one of {', '.join(methods)}, or {routes}" if methods else routes


def _overridable(controller: type[SinchController]) -> Iterator[tuple[type, Sequence[str]]]:
    """The base of a controller, with the names of its methods that may be overridden."""
    if base_of(controller) is SinchVoiceController:
        yield SinchVoiceController, CALLBACKS
    yield from ((webhook.base, webhook.methods) for webhook in WEBHOOKS if base_of(controller) is webhook.base)


def _overlooked_init(module: ModuleType) -> Iterator[str]:
    own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    classes = list(filter(inspect.isclass, own))
    inits = [value for value in classes if issubclass(value, SinchFunctionInit)]
    for init in inits:
        yield from near_misses(init, SinchFunctionInit, STEPS)
    for value in classes:
        if any(step in vars(value) for step in STEPS) and not any(value in init.__mro__ for init in inits):
            yield (
                f'"{value.__name__}" ({place_of(value)}) is not used as an init class: '
                f"if it is one, write class {value.__name__}(SinchFunctionInit)."
            )


def _is_replaced(name: str, value: Any) -> bool:
    is_local = "<locals>" in value.__qualname__.rpartition(".")[0].rpartition(".")[2]
    return is_local and value.__name__ != name and not hasattr(value, ROUTES)


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
        return f'it belongs to the module {home}. To serve this controller set __all__ = ["{name}", ...].'
    return f"it belongs to the module {home}. Define it here, or {remedy}; a decorator should use functools.wraps."
