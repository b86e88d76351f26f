"""The catalogue of registered and overridden services, and its checks at start."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar

from ...errors import FunctionError, did_you_mean
from .recipes import MISSING, Parameter, Plan, Recipe, ServiceKind, circle, is_union, name_of

V = TypeVar("V")


class Override(Generic[V]):
    """A value in the place of a service, from the call of ``override`` on.

    As a context manager it returns the value, and is taken back at the end of the block. Then whatever was in force
    before it is in force again. Blocks may end in any order. While the override is in force, singletons that need the
    service are made again; they are closed at its end, and those that were made before are used again.
    """

    __slots__ = ("_begin", "_end", "key", "value")

    def __init__(
        self, key: Any, value: V, begin: Callable[[Override[Any]], None], end: Callable[[Override[Any]], None]
    ) -> None:
        """Put `value` in force.

        :param begin: puts an override in force, unless it is already.
        :param end: takes it back.
        """
        self.key = key
        self.value = value
        self._begin = begin
        self._end = end
        begin(self)

    def __enter__(self) -> V:
        self._begin(self)
        return self.value

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(self)


#: The services of the owner of a container: gives, for a type, a function that returns the service, or None.
Builtin = Callable[[Any], Callable[[], Any] | None]


class Catalogue:
    """The recipes of a container, the services of its owner, and the overrides in force.

    :param builtin_names: the names of the owner's services.
    :param own: the types that the container itself gives.
    :param hints: name of a type -> what to do if it is missing, where that is not to register it.
    """

    def __init__(
        self, builtin: Builtin, builtin_names: Collection[str], own: tuple[type, ...], hints: Mapping[str, str]
    ) -> None:
        self.builtin = builtin
        self.recipes: dict[Any, Recipe] = {}
        #: By their keys; of several for one service the latest. Replaced and never changed, so that no lock is needed.
        self.in_force: Mapping[Any, Override[Any]] = {}
        self._builtin_names = builtin_names
        self._own = own
        self._hints = hints

    def kind_of(self, key: Any) -> ServiceKind | None:
        """Return the lifetime of the service, or None if the key is unknown."""
        if key in self._own or key in self.in_force:
            return ServiceKind.VALUE
        if (recipe := self.recipes.get(key)) is not None:
            return recipe.kind
        return ServiceKind.SINGLETON if self.builtin(key) is not None else None

    def names(self) -> list[str]:
        """Return the names of all services, sorted."""
        return sorted({*map(name_of, [*self.recipes, *self.in_force]), *self._builtin_names})

    def namesake(self, key: Any, given: Iterable[Any] = ()) -> str:
        """Return a sentence if another class of the same name is registered, and `key` itself is not."""
        name = name_of(key)
        other = next((other for other in [*self.recipes, *given] if name_of(other) == name), key)
        if other == key or key in self.recipes:
            return ""
        theirs, own = (getattr(each, "__module__", "?") for each in (other, key))
        return (
            f"The {name} that is registered is another class of that name: it is from the module "
            f'"{theirs}", and this one is from "{own}".'
        )

    def missing(self, key: Any, given: Iterable[Any], what: str, argument: str) -> str:
        """Return the message for a missing service: where it is wanted, what is registered, and what to write.

        :param given: the types of the request's values, if they are available there.
        :param what: the class or function that wants it as an argument; empty if it was asked for with ``get``.
        """
        name, names, of_request = name_of(key), self.names(), sorted(map(name_of, given))
        wanted = f"{name}, which is {'not one service' if is_union(key) else 'not registered'}"
        if what:
            text = f'{what} cannot be made: its argument "{argument}" wants {wanted}.'
        else:
            text = f"services.get({name}) asks for {wanted}."
        text += f" Registered: {', '.join(names) or 'nothing'}."
        if of_request:
            text += f" Given by the request: {', '.join(of_request)}."
        if namesake := self.namesake(key, given):
            text += f" {namesake}"
        elif name in names + of_request:
            text += f" The {name} that is registered is another class of that name."
        else:
            text += did_you_mean(name, names + of_request)
        return f"{text} {self._remedy(key, name)}"

    def _remedy(self, key: Any, name: str) -> str:
        if name in self._hints:
            return self._hints[name]
        if is_union(key):
            return "Name one class in the annotation."
        if getattr(key, "__module__", "") == "builtins":
            return f"{name} is a built-in type: pass its values in a factory, services.add_singleton(Repo, make_repo)."
        return f"Write services.add_singleton({name}, ...) or services.add_scoped({name}, ...) in configure_services."

    def faults(self, given: Collection[Any]) -> list[str]:
        """Return the faults of all recipes: services that are missing, captive, or need each other in a circle."""
        recipes = [recipe for recipe in self.recipes.values() if self._is_used(recipe)]
        found: list[str] = []
        for recipe in recipes:
            try:
                found += self.plan_faults(recipe.plan, given, recipe.kind)
            except FunctionError as error:
                found.append(str(error))
        return found or [circle(list(map(name_of, path))) for path in self._circles(recipes, given)]

    def plan_faults(self, plan: Plan, given: Collection[Any], kind: ServiceKind) -> list[str]:
        """Return the faults of one plan, whose result lives as long as `kind`."""
        return [
            fault
            for parameter in plan.parameters
            if parameter.key is not MISSING and (fault := self._fault(plan, parameter, given, kind))
        ]

    def _fault(self, plan: Plan, parameter: Parameter, given: Collection[Any], kind: ServiceKind) -> str:
        key = parameter.key
        needed = self.kind_of(key)
        captive = ""
        if kind is not ServiceKind.SINGLETON:
            if needed is None and key not in given and parameter.fallback is MISSING:
                return self.missing(key, given, plan.what, parameter.name)
        elif needed is ServiceKind.SCOPED:
            captive = "is made for each request (add_scoped)"
        elif needed is None and parameter.fallback is MISSING:
            if key not in given:
                return self.missing(key, (), plan.what, parameter.name)
            captive = "belongs to one request"
        return captive and (
            f'{plan.what} is made once per process, but its argument "{parameter.name}" wants {name_of(key)}, '
            f"which {captive}: it would be kept beyond its end. Register it with services.add_scoped as well."
        )

    def _is_used(self, recipe: Recipe) -> bool:
        return recipe.factory is not None and recipe.key not in self.in_force

    def _circles(self, recipes: list[Recipe], given: Collection[Any]) -> Iterator[list[Any]]:
        """Find paths that end where they begin; not every one if a service is in several."""
        from graphlib import CycleError, TopologicalSorter  # only functions that register services pay for it

        keys = {recipe.key for recipe in recipes}
        needs = {recipe.key: {each.key for each in recipe.plan.parameters} & keys for recipe in recipes}
        for recipe in recipes:
            if recipe.kind is ServiceKind.SCOPED:
                needs[recipe.key] -= set(given)  # the request's values take precedence over registrations
        while True:
            try:
                TopologicalSorter(needs).prepare()
            except CycleError as error:
                path = error.args[1][::-1]
                yield path
                del needs[path[0]]
            else:
                return
