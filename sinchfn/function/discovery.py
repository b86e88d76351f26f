"""The exports of a function module: its handlers and controllers, and the errors that keep a name from being served."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from ..errors import FunctionError, did_you_mean, place_of
from ..security.table import plain_name
from .controller_exports import class_exports, is_controller
from .controllers import SinchController
from .declared_routes import DeclaredRoute, refuse_guarded, routed_exports
from .exports import Calling, Export, Handler, Kind, Reads
from .names import CALLBACKS, ONLY_A_BASE, RESERVED, is_webhook, payload_name, services_of, spellings_of
from .overlooked import overlooked
from .parameters import accepts
from .routes import ROUTES, RouteTarget, Rules
from .routing import Exports
from .setup import is_init


def read_exports(module: ModuleType, mapped: Sequence[DeclaredRoute] = (), used: Collection[Any] = ()) -> Exports:
    """Return the endpoints of a function module.

    :param mapped: the routes that its init class maps.
    :param used: the functions that it has registered as middleware, for sockets, start-up or shutdown. They are not
        endpoints, unless ``__all__`` names them.
    :raises FunctionError: an export cannot be served; the message names the export, its place and the remedy.
    """
    found = dict(exported_by(module))
    if not hasattr(module, "__all__"):
        # A mapped function that also takes the variables of its path cannot be called as a handler.
        others = [route.function for route in mapped if not accepts(route.function, 2, follow_wrapped=False)]
        taken = {id(value) for value in (*used, *others)}
        found = {name: value for name, value in found.items() if id(value) not in taken}
    functions = [function_export(module, name, value) for name, value in found.items() if not is_controller(value)]
    exports, targets = class_exports([value for value in found.values() if is_controller(value)])
    mapped_exports, mapped_targets = routed_exports(mapped)
    listed, targets = (*functions, *exports, *mapped_exports), [*targets, *mapped_targets]
    _refuse_doubles(module, listed)
    _refuse_taken(module, targets, listed)
    has_voice = any(export.kind is Kind.VOICE for export in listed)
    for target in targets:
        refuse_guarded(target, has_voice)
    return Exports(listed, tuple(overlooked(module, found, listed)), Rules(tuple(targets)))


def function_export(module: ModuleType, name: str, value: Callable[..., Any]) -> Export:
    """Return the endpoint of a function.

    :raises FunctionError: the function cannot be an endpoint.
    """
    if hasattr(value, ROUTES):
        raise FunctionError(
            f'"{name}" ({place_of(value)}) is a function with a route, but routes stand on methods of a controller. '
            "Move it into a class built on SinchController; or map it in configure_app: "
            f'app.map_get("{getattr(value, ROUTES)[0].rule}", {name}).'
        )
    if not accepts(value, 2, follow_wrapped=False):
        raise FunctionError(
            f'The handler "{name}" ({place_of(value) or module.__file__}) takes '
            f"{inspect.signature(value, follow_wrapped=False)}, "
            f"but a handler takes two arguments: def {name}(context, {payload_name(name)}): ... "
            f"If it is not an endpoint, name it _{name} or move it to another file."
        )
    handler = Handler(Calling.FUNCTION, value)
    if name in CALLBACKS:
        return Export(name, Kind.VOICE, handler, frozenset((name,)), reads=Reads.CALLBACK)
    if (near := plain_name(name)) in CALLBACKS:  # it would not be verified, and a reader would not notice
        raise FunctionError(
            f'The handler "{name}" ({place_of(value)}) is not a voice callback: the name of the callback is "{near}". '
            "Rename it, to something else if it is not a callback."
        )
    if is_webhook(name):
        return Export(name, Kind.WEBHOOK, handler, spellings_of(name), services_of(name))
    return Export(name, Kind.HTTP, handler, spellings_of(name))


def controllers_of(module: ModuleType) -> list[type[SinchController]]:
    """Return the controller classes that the module exports."""
    return [value for _, value in exported_by(module) if is_controller(value)]


def exported_by(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Return the names and values that a module exports: its own public functions and controllers, or ``__all__``."""
    names = getattr(module, "__all__", None)
    if names is None:
        # Only functions and controllers of the module: an imported class or instance must never become an endpoint.
        found: Iterable[tuple[str, Any]] = (
            (name, value)
            for name, value in vars(module).items()
            if (inspect.isfunction(value) or is_controller(value)) and value.__module__ == module.__name__
        )
    elif isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names):
        found = ((name, _named_in_all(module, name)) for name in dict.fromkeys(names))
    else:
        raise FunctionError(f"__all__ in {module.__file__} is not a list of names: write __all__ = ['ice', 'pie'].")
    return (
        (name, value)
        for name, value in found
        if not name.startswith("_") and name not in RESERVED and not is_init(value)
    )


def _named_in_all(module: ModuleType, name: str) -> object:
    if not hasattr(module, name):
        known = [n for n, value in vars(module).items() if inspect.isfunction(value) or is_controller(value)]
        raise FunctionError(
            f'__all__ in {module.__file__} names "{name}", but there is no such function.{did_you_mean(name, known)} '
            "Define it, or remove it from __all__."
        )
    value = getattr(module, name)
    is_known = name in RESERVED or is_controller(value) or is_init(value)
    if not is_known and (inspect.isclass(value) or not callable(value)):
        kind = "class" if inspect.isclass(value) else type(value).__name__
        raise FunctionError(
            f'__all__ in {module.__file__} names "{name}", which is a {kind} and cannot be a handler. '
            f"A handler is a function: def {name}(context, {payload_name(name)}): ... "
            "(or a class built on SinchController, SinchVoiceController, SinchConversationController or "
            "AgentController)."
        )
    return value


def _refuse_doubles(module: ModuleType, listed: Iterable[Export]) -> None:
    seen: dict[str, Export] = {}
    for export in listed:
        for meaning in {*export.spellings, *export.other_paths}:
            other = seen.setdefault(meaning, export)
            if other is not export:
                both = "." in other.name and "." in export.name
                hint = f" {ONLY_A_BASE}" if both else ""
                raise FunctionError(
                    f'"{other.name}" and "{export.name}" in {module.__file__} would both answer '
                    f"{export.path}. Keep one of them, or rename one.{hint}"
                )


def _refuse_taken(module: ModuleType, targets: Iterable[RouteTarget], listed: Iterable[Export]) -> None:
    """Refuse a route at the path of another export: it would depend on the method which of them answers."""
    taken: dict[str, Export] = {}
    for export in listed:
        if not export.routes:
            taken |= dict.fromkeys((*(f"/{spelling}" for spelling in export.spellings), *export.other_paths), export)
    for target in targets:
        other = taken.get(target.path)
        if other is None:
            continue
        one, two = (export.handler and export.handler.function for export in (other, target.export))
        if one is None or one is not two:
            raise FunctionError(
                f'"{other.name}" and "{target.export.name}" in {module.__file__} would both answer {target.path}. '
                "Keep one of them, or give one another path."
            )
