"""What a function module exports: its handlers, their names and their kinds."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType, ModuleType
from typing import Any

from .errors import FunctionError, did_you_mean
from .signatures import scheme_of

#: Voice callbacks: ``POST`` to their name, with a call event; the answer is SVAML.
CALLBACKS = ("ice", "ace", "pie", "dice", "notify")

#: Callbacks that are verified, recorded and answered also when the function has no handler of that name,
#: as soon as it has a handler for any other callback.
IMPLICIT_CALLBACKS = ("ace", "dice", "notify")

#: Public names with a meaning of their own that are never routed.
RESERVED = ("setup", "auth")

#: The two names of the handler of the mount's root.
ROOT = ("default", "home")

Handler = Callable[[Any, Any], Any]


class Kind(StrEnum):
    """What a handler gets and may answer; fixed by the export, never by the path that reached it."""

    VOICE = "voice"
    WEBHOOK = "webhook"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Export:
    """One endpoint."""

    #: as written in the function
    name: str
    kind: Kind
    #: None for a callback that is answered without a handler
    handler: Handler | None = None
    #: every path segment that reaches it
    spellings: frozenset[str] = frozenset()
    #: every ``<service>`` of ``/webhook/<service>`` that reaches it
    services: frozenset[str] = frozenset()

    @property
    def scheme(self) -> str | None:
        """The signature scheme that guards it, whether or not it is verified just now."""
        return "application" if self.kind is Kind.VOICE else scheme_of(self.name)

    @property
    def path(self) -> str:
        """The path to show for it."""
        if self.kind is Kind.WEBHOOK:
            return f"/webhook/{_camel(_words(self.name)[:-1])}"
        return "/" if self.name in ROOT else f"/{self.name}"


@dataclass(frozen=True)
class Exports:
    """All endpoints of a function, ready to be looked up."""

    #: in the order in which the function defines them
    listed: tuple[Export, ...] = ()
    #: what was found but not exported, and what to do about it; for the start-up log
    warnings: tuple[str, ...] = ()
    segments: Mapping[str, Export] = field(init=False)
    services: Mapping[str, Export] = field(init=False)
    callbacks: Mapping[str, Export] = field(init=False)
    root: Export | None = field(init=False)

    def __post_init__(self) -> None:
        voice = {export.name: export for export in self.listed if export.kind is Kind.VOICE}
        if voice:
            implicit = (name for name in IMPLICIT_CALLBACKS if name not in voice)
            voice |= {name: Export(name, Kind.VOICE, spellings=frozenset((name,))) for name in implicit}
        other = [export for export in self.listed if export.kind is not Kind.VOICE]
        by = MappingProxyType
        object.__setattr__(self, "callbacks", by(voice))
        object.__setattr__(self, "segments", by({s: export for export in other for s in export.spellings}))
        object.__setattr__(self, "services", by({s: export for export in other for s in export.services}))
        object.__setattr__(self, "root", next((export for export in other if export.name in ROOT), None))

    def __iter__(self) -> Iterator[Export]:
        return iter(self.listed)

    @property
    def names(self) -> list[str]:
        return [export.name for export in self.listed]


def read_exports(module: ModuleType) -> Exports:
    """The endpoints of a function module.

    :raises FunctionError: an export that cannot be served; the message names it, its place and the remedy.
    """
    listed = tuple(_export(module, name, value) for name, value in _candidates(module))
    _refuse_doubles(module, listed)
    return Exports(listed, tuple(_overlooked(module, {export.name for export in listed})))


def _spellings(name: str) -> frozenset[str]:
    """Every way to write a name: ``user_profile``, ``userProfile`` and ``user-profile``, and the name itself."""
    words = _words(name)
    return frozenset((name, "_".join(words), "-".join(words), _camel(words)))


def _has_meaning(name: str) -> bool:
    """Whether a handler of this name would be more than a custom endpoint."""
    return name in CALLBACKS or name in ROOT or _is_webhook(name)


def _place(value: object) -> str:
    """Where a function is written, for a message; empty if it cannot be told."""
    code = getattr(inspect.unwrap(value) if callable(value) else value, "__code__", None)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else ""


def _words(name: str) -> list[str]:
    parts = re.split(r"[_-]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", name)
    return [part.lower() for part in parts if part]


def _camel(words: list[str]) -> str:
    return words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:]) if words else ""


def _is_webhook(name: str) -> bool:
    words = _words(name)
    return len(words) > 1 and words[-1] == "webhook"


def _candidates(module: ModuleType) -> Iterator[tuple[str, object]]:
    names = getattr(module, "__all__", None)
    if names is None:
        found = ((name, value) for name, value in vars(module).items() if _is_defined_in(module, value))
    else:
        found = ((name, _named_in_all(module, name)) for name in _checked_all(module, names))
    return ((name, value) for name, value in found if not name.startswith("_") and name not in RESERVED)


def _is_defined_in(module: ModuleType, value: object) -> bool:
    # Not `callable`: an imported class or instance must never become an endpoint by accident.
    return inspect.isfunction(value) and value.__module__ == module.__name__


def _checked_all(module: ModuleType, names: object) -> Iterable[str]:
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise FunctionError(f"__all__ in {module.__file__} is not a list of names: write __all__ = ['ice', 'pie'].")
    return dict.fromkeys(names)


def _named_in_all(module: ModuleType, name: str) -> object:
    if not hasattr(module, name):
        known = [n for n, value in vars(module).items() if inspect.isfunction(value)]
        raise FunctionError(
            f'__all__ in {module.__file__} names "{name}", but there is no such function.{did_you_mean(name, known)} '
            "Define it, or take it out of __all__."
        )
    return getattr(module, name)


def _export(module: ModuleType, name: str, value: object) -> Export:
    if not callable(value) or inspect.isclass(value):
        raise FunctionError(
            f'__all__ in {module.__file__} names "{name}", which is a {type(value).__name__} and cannot be a handler. '
            f"A handler is a function: def {name}(context, {_payload_name(name)}): ..."
        )
    _check_arity(module, name, value)
    words = _words(name)
    if name in CALLBACKS:
        return Export(name, Kind.VOICE, value, frozenset((name,)))
    if (near := name.lower().replace("_", "")) in CALLBACKS:  # neither verified nor, to the eye, unguarded
        raise FunctionError(
            f'The handler "{name}" ({_place(value)}) is not a voice callback: '
            f'its name has to be written "{near}". Name it so, or something else if it is no callback.'
        )
    if _is_webhook(name):
        return Export(name, Kind.WEBHOOK, value, _spellings(name), _spellings("_".join(words[:-1])))
    return Export(name, Kind.HTTP, value, _spellings(name))


def _check_arity(module: ModuleType, name: str, value: Handler) -> None:
    try:
        # The outermost callable is the one that gets called: what it wraps may take other arguments.
        signature = inspect.signature(value, follow_wrapped=False)
    except (TypeError, ValueError):
        return  # written in C, without a signature to look at
    try:
        signature.bind(None, None)
    except TypeError:
        raise FunctionError(
            f'The handler "{name}" ({_place(value) or module.__file__}) takes {signature}, '
            f"but a handler takes two arguments: def {name}(context, {_payload_name(name)}): ... "
            f"If it is no endpoint, name it _{name} or move it to another file."
        ) from None


def _payload_name(name: str) -> str:
    return "data" if name in CALLBACKS else "request"


def _refuse_doubles(module: ModuleType, listed: Iterable[Export]) -> None:
    seen: dict[str, Export] = {}
    for export in listed:
        meanings = {"/"} if export.name in ROOT else set()
        for meaning in export.spellings | meanings:
            other = seen.setdefault(meaning, export)
            if other is not export:
                raise FunctionError(
                    f'"{other.name}" and "{export.name}" in {module.__file__} would both answer '
                    f"{export.path}. Keep one of them, or rename one."
                )


def _overlooked(module: ModuleType, exported: set[str]) -> Iterator[str]:
    for name in exported:
        service = name.lower().removesuffix("webhook").strip("_")
        if name.lower().endswith("webhook") and service and not _is_webhook(name):
            yield f'"{name}" in {module.__file__} does not serve /webhook/{service}: name it {service}_webhook.'
    if callable(getattr(module, "setup", None)):
        yield f'"setup" in {module.__file__} is not called: this version has no start-up hooks and no WebSockets yet.'
    for name, value in vars(module).items():
        if name in exported or name.startswith("_") or not callable(value) or inspect.isclass(value):
            continue
        if _has_meaning(name) or _has_lost_its_module(module, name, value):
            yield f'"{name}" in {module.__file__} is not served: {_why_overlooked(module, name, value)}'


def _has_lost_its_module(module: ModuleType, name: str, value: Any) -> bool:
    """Whether this looks like a function of the module that a decorator has put something else in the place of."""
    if hasattr(module, "__all__") or name in RESERVED:
        return False
    if inspect.isfunction(value):
        return "<locals>" in value.__qualname__ and value.__name__ != name and value.__module__ != module.__name__
    return hasattr(value, "__wrapped__") and getattr(value, "__module__", None) == module.__name__


def _why_overlooked(module: ModuleType, name: str, value: object) -> str:
    if hasattr(module, "__all__"):
        return f'__all__ does not name it. Add "{name}" to __all__, or rename it.'
    if not inspect.isfunction(value):
        return (
            f"it is a {type(value).__name__}, not a function. "
            f'Wrap it: def {name}(context, {_payload_name(name)}): ..., or set __all__ = ["{name}", ...].'
        )
    home = re.sub(r"^\w+@\d+\.", "", value.__module__)
    return (
        f"it belongs to the module {home}. Define it here, or set "
        f'__all__ = ["{name}", ...] if it is meant; a decorator should use functools.wraps.'
    )
