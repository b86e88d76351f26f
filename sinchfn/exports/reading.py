"""What a function module exports: its handlers and controllers, and what none of them may be."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

from ..controllers import Rules, SinchController
from ..controllers.rules import RouteTarget
from ..errors import FunctionError, did_you_mean
from ..init import SinchFunctionInit
from .classes import class_exports, is_controller
from .export import Export, Kind
from .functions import function_export, payload_name, takes_two
from .names import RESERVED, ROOT
from .overlooked import overlooked
from .routes import DeclaredRoute, refuse_guarded, routed_exports
from .table import Exports


def read_exports(module: ModuleType, mapped: Sequence[DeclaredRoute] = (), used: Collection[Any] = ()) -> Exports:
    """The endpoints of a function module.

    :param mapped: the routes that its init class maps.
    :param used: what it has given to the app and the runtime, as middleware, for sockets, for its start and its end: no
        endpoints, unless ``__all__`` says so.
    :raises FunctionError: an export that cannot be served; the message names it, its place and the remedy.
    """
    found = {name: value for name, value in _candidates(module) if not _is_used(module, value, mapped, used)}
    functions = [function_export(module, name, value) for name, value in found.items() if not is_controller(value)]
    exports, targets = class_exports([value for value in found.values() if is_controller(value)])
    mapped_exports, mapped_targets = routed_exports(mapped)
    listed = (*functions, *exports, *mapped_exports)
    _refuse_doubles(module, listed)
    _refuse_taken(module, [*targets, *mapped_targets], listed)
    has_voice = any(export.kind is Kind.VOICE for export in listed)
    for target in (*targets, *mapped_targets):
        refuse_guarded(target, has_voice)
    return Exports(listed, tuple(overlooked(module, found, listed)), Rules((*targets, *mapped_targets)))


def _is_used(module: ModuleType, value: Any, mapped: Sequence[DeclaredRoute], used: Collection[Any]) -> bool:
    """Whether a function is used for something else, or mapped with more arguments than a handler has."""
    if hasattr(module, "__all__"):
        return False
    if any(value is function for function in used):
        return True
    return any(value is route.function for route in mapped) and not takes_two(value)


def controllers_of(module: ModuleType) -> list[type[SinchController]]:
    """The controller classes that the module exports."""
    return [value for _, value in _candidates(module) if is_controller(value)]


def _candidates(module: ModuleType) -> Iterator[tuple[str, Any]]:
    names = getattr(module, "__all__", None)
    if names is None:
        found = ((name, value) for name, value in vars(module).items() if _is_defined_in(module, value))
    else:
        found = ((name, _named_in_all(module, name)) for name in _checked_all(module, names))
    return (
        (name, value)
        for name, value in found
        if not name.startswith("_") and name not in RESERVED and not _is_init(value)
    )


def _is_init(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, SinchFunctionInit)


def _is_defined_in(module: ModuleType, value: Any) -> bool:
    # Not `callable`: an imported class or instance must never become an endpoint by accident.
    return (inspect.isfunction(value) or is_controller(value)) and value.__module__ == module.__name__


def _checked_all(module: ModuleType, names: object) -> Iterable[str]:
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise FunctionError(f"__all__ in {module.__file__} is not a list of names: write __all__ = ['ice', 'pie'].")
    return dict.fromkeys(names)


def _named_in_all(module: ModuleType, name: str) -> object:
    if not hasattr(module, name):
        known = [n for n, value in vars(module).items() if inspect.isfunction(value) or is_controller(value)]
        raise FunctionError(
            f'__all__ in {module.__file__} names "{name}", but there is no such function.{did_you_mean(name, known)} '
            "Define it, or take it out of __all__."
        )
    value = getattr(module, name)
    if name not in RESERVED and not (is_controller(value) or _is_init(value)):
        _refuse_no_handler(module, name, value)
    return value


def _refuse_no_handler(module: ModuleType, name: str, value: object) -> None:
    if callable(value) and not inspect.isclass(value):
        return
    kind = "class" if inspect.isclass(value) else type(value).__name__
    raise FunctionError(
        f'__all__ in {module.__file__} names "{name}", which is a {kind} and cannot be a handler. '
        f"A handler is a function: def {name}(context, {payload_name(name)}): ... "
        "(or a class that is built on SinchController or one of its siblings)."
    )


def _refuse_doubles(module: ModuleType, listed: Iterable[Export]) -> None:
    seen: dict[str, Export] = {}
    for export in listed:
        for meaning in {*export.spellings, *(f"/webhook/{service}" for service in export.services), *_root_of(export)}:
            other = seen.setdefault(meaning, export)
            if other is not export:
                raise FunctionError(
                    f'"{other.name}" and "{export.name}" in {module.__file__} would both answer '
                    f"{export.path}. Keep one of them, or rename one.{_hint(other, export)}"
                )


def _hint(*exports: Export) -> str:
    bases = ' A class that is only a base for others begins its name with "_".'
    return bases if all("." in export.name for export in exports) else ""


def _root_of(export: Export) -> tuple[str, ...]:
    return ("/",) if export.meaning in ROOT and not export.routes else ()


def _refuse_taken(module: ModuleType, targets: Iterable[RouteTarget], listed: Iterable[Export]) -> None:
    """No route where an export is served already: which one answers would depend on the method."""
    taken = {path: export for export in listed for path in _paths_of(export)}
    for target in targets:
        other = taken.get(target.path)
        if other is not None and not _is_same_function(other, target.export):
            raise FunctionError(
                f'"{other.name}" and "{target.export.name}" in {module.__file__} would both answer {target.path}. '
                "Keep one of them, or give one another path."
            )


def _paths_of(export: Export) -> Iterator[str]:
    if export.routes:
        return
    yield from (f"/{spelling}" for spelling in export.spellings)
    yield from (f"/webhook/{service}" for service in export.services)
    yield from _root_of(export)


def _is_same_function(one: Export, other: Export) -> bool:
    found = getattr(one.handler, "function", None)
    return found is not None and found is getattr(other.handler, "function", None)
