"""The catalogue: what is registered, and what to say of what is not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ..errors import did_you_mean
from .keys import is_union, name_of
from .overrides import Override, Overrides
from .recipes import Recipe, ServiceKind
from .resolver import Resolver

#: How the owner of a registry offers services of its own: what gives the service of a type, or None.
Builtin = Callable[[Any], Callable[[], Any] | None]


class Catalogue:
    """Recipes, the owner's own services, and overrides."""

    def __init__(
        self,
        builtin: Builtin,
        builtin_names: Collection[str],
        own: tuple[type, ...],
        hints: Mapping[str, str],
        at_end: Callable[[Override[Any]], None],
    ) -> None:
        self.builtin = builtin
        self.recipes: dict[Any, Recipe] = {}
        self.overrides = Overrides(at_end)
        self._builtin_names = builtin_names
        self._own = (Resolver, *own)
        self._hints = hints

    def kind_of(self, key: Any) -> ServiceKind | None:
        """How long the service lives; None if there is none."""
        if key in self._own or key in self.overrides.in_force:
            return ServiceKind.VALUE
        if (recipe := self.recipes.get(key)) is not None:
            return recipe.kind
        return ServiceKind.SINGLETON if self.builtin(key) is not None else None

    def names(self) -> list[str]:
        """What is registered, for messages."""
        keys = [*self.recipes, *self.overrides.in_force]
        return sorted({*map(name_of, keys), *self._builtin_names})

    def missing(self, what: str, argument: str, key: Any) -> str:
        """Says that an argument wants a service which is not there."""
        return f'{what} cannot be made: its argument "{argument}" wants {unregistered(key)}.'

    def remedy(self, key: Any, given: Iterable[Any] = ()) -> str:
        """What is registered, and what to write to have `key` among it."""
        of_request = sorted(map(name_of, given))
        registered = f"Registered: {', '.join(self.names()) or 'nothing'}."
        if of_request:
            registered += f" Given by the request: {', '.join(of_request)}."
        return f"{registered}{self._near(key, [*self.names(), *of_request], given)} {self._advice(key)}"

    def _advice(self, key: Any) -> str:
        name = name_of(key)
        if name in self._hints:
            return self._hints[name]
        if is_union(key):
            return "Name one class in the annotation."
        if _module(key) == "builtins":
            return f"A {name} is no service: give it in a factory, services.add_singleton(Repo, lambda: Repo(...))."
        return f"Write services.add_singleton({name}, ...) or services.add_scoped({name}, ...) in configure_services."

    def _near(self, key: Any, names: list[str], given: Iterable[Any]) -> str:
        name = name_of(key)
        if namesake := self.namesake(key, given):
            return f" {namesake}"
        if name in names:
            return f" The {name} that is registered is another class of that name."
        return did_you_mean(name, names)

    def namesake(self, key: Any, given: Iterable[Any] = ()) -> str:
        """Says that another class of the same name is registered; empty if none is, or `key` itself is."""
        name = name_of(key)
        other = next((other for other in [*self.recipes, *given] if name_of(other) == name), key)
        if other == key or key in self.recipes:
            return ""
        return (
            f"The {name} that is registered is another class of that name: it is of the module "
            f'"{_module(other)}", and this one of "{_module(key)}".'
        )


def unregistered(key: Any) -> str:
    """``Repo, which is not registered``."""
    return f"{name_of(key)}, which is {'not one service' if is_union(key) else 'not registered'}"


def _module(key: Any) -> str:
    return str(getattr(key, "__module__", "?"))
