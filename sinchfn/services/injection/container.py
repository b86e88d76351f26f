"""ServiceContainer: all services of one function."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

from ...errors import Advised, FunctionError
from ...forks import Forkable, across_forks, never_free
from .catalogue import Builtin, Catalogue, Override
from .lifetimes import OF_OVERRIDE, OF_PROCESS, OF_REQUEST, Lifetime, Maker, SvcsRegistry, current
from .recipes import (
    MISSING,
    Key,
    Plan,
    Recipe,
    Resolver,
    ServiceKind,
    checked_key,
    is_key,
    key_of,
    name_of,
    read_plan,
    read_recipe,
)

V = TypeVar("V")

#: The values of the request where there is no request.
NO_VALUES: Mapping[Any, Any] = MappingProxyType({})


def _offers_nothing(_: Any) -> None:
    """The default for ``builtin``: an owner without services."""


class ServiceContainer(Resolver, Forkable):
    """Services by type: singletons, scoped services and values. Safe for several threads.

    A function registers them through a ``ServiceRegistry``; its docstring describes factories. An async factory runs to
    its end on an event loop of its own, so objects that are bound to that loop end with it. A context manager that is
    itself the service is left and then closed. A value or another service that a factory returns is not closed with it.

    Singletons are made one at a time, and so are the scoped services of one request. Those of different requests do not
    wait for each other. A forked child makes its own services and does not close those of its parent.

    :param builtin: the singletons of the owner, which makes and closes them itself: returns, for a type, a function
        that returns the service, or None. Registrations and overrides take precedence over them.
    :param builtin_names: the names of their types, for messages.
    :param hints: name of a type -> what to do if it is missing, where that is not to register it.
    """

    def __init__(
        self,
        builtin: Builtin = _offers_nothing,
        builtin_names: Collection[str] = (),
        hints: Mapping[str, str] | None = None,
    ) -> None:
        self._catalogue = Catalogue(builtin, builtin_names, (Resolver, ServiceContainer), hints or {})
        self._svcs = SvcsRegistry()
        self._singletons = Singletons(self._catalogue, self._svcs)
        weakref.finalize(self, self._singletons.close)
        across_forks(self)

    def add_singleton(self, service: Key[Any], factory: Callable[..., Any] | None = None) -> None:
        """See :meth:`ServiceRegistry.add_singleton`. The other methods correspond to those of the registry too."""
        self._register(service, ServiceKind.SINGLETON, factory)

    def add_scoped(self, service: Key[Any], factory: Callable[..., Any] | None = None) -> None:
        self._register(service, ServiceKind.SCOPED, factory)

    def add_value(self, service: Key[Any], value: Any) -> None:
        self._register(service, ServiceKind.VALUE, value)

    def _register(self, service: Any, kind: ServiceKind, source: Any) -> None:
        recipe = read_recipe(service, kind, source)
        with self._singletons.guard:
            if recipe.key in self._singletons:
                raise FunctionError(
                    f"{recipe.name} cannot be registered any more: it was made already, and others may have it. "
                    f"Register it before it is used; for tests there is services.override({recipe.name}, ...)."
                )
            self._catalogue.recipes[recipe.key] = recipe

    def override(self, service: Key[Any], value: V) -> Override[V]:
        """Replace a service by `value` from now on; see :meth:`ServiceRegistry.override`."""
        key = checked_key(service, "override")
        if self._catalogue.builtin(key) is None and (namesake := self._catalogue.namesake(key)):
            raise FunctionError(
                f"override({name_of(key)}) would have no effect. {namesake} Take the class from the function of the "
                f'app: app.extensions["sinchfn"][0].module.{name_of(key)}'
            )
        return Override(key, value, self._singletons.begin, self._singletons.end)

    def replaces(self, service: Any) -> bool:
        """Return True if ``get`` returns another object than the owner's, because one was registered. Cheap."""
        return service in self._catalogue.in_force or service in self._catalogue.recipes

    @property
    def is_changed(self) -> bool:
        """True if anything was registered or overridden. Cheap."""
        return bool(self._catalogue.in_force or self._catalogue.recipes)

    def __contains__(self, service: object) -> bool:
        return self._catalogue.kind_of(key_of(service)) is not None

    @property
    def registered(self) -> list[str]:
        return self._catalogue.names()

    def plan(self, target: Callable[..., Any], given: Collection[Any] = (), what: str = "") -> Plan:
        """Read the arguments of a class's constructor or of a function, once, at start.

        :param given: the types of the request's values.
        :param what: the name of the target in messages; by default its own.
        :raises FunctionError: an argument wants a service that is missing, or does not say what it wants.
        """
        plan = read_plan(target, what or name_of(target))
        if faults := self._catalogue.plan_faults(plan, given, ServiceKind.SCOPED):
            raise FunctionError("\n".join(faults))
        return plan

    def check(self, given: Collection[Any] = ()) -> None:
        """Check at start that all registered services can be made. Nothing is made.

        A service that a factory asks its resolver for is found missing only when the factory runs.

        :param given: the types of the request's values.
        :raises FunctionError: services are missing; a singleton wants a service that lives no longer than a request; or
            services need each other in a circle. The message names all faults.
        """
        if faults := self._catalogue.faults(given):
            raise FunctionError("\n".join(faults))
        if any(recipe.factory is not None for recipe in self._catalogue.recipes.values()):
            self._svcs.load()  # now, so that no request has to wait for the import

    def scope(self, given: Mapping[Any, Any]) -> Scope:
        """Return the scope of one request.

        :param given: the request's values by their types. They take precedence over registrations, but singletons
            never get them.
        """
        return Scope(self, given)

    def close(self) -> None:
        """Close all singletons, the last one made first. None can be made after that.

        This happens by itself when the process ends, or the container is freed.
        """
        self._singletons.close()

    def _find(self, key: Any) -> Any:
        return self._find_for(self, key, NO_VALUES)

    def _find_for(self, resolver: ServiceContainer | Scope, key: Any, given: Mapping[Any, Any]) -> Any:
        override = self._catalogue.in_force.get(key)
        if override is not None:
            value = override.value
        elif (value := given.get(key, MISSING)) is MISSING:
            recipe = self._catalogue.recipes.get(key)
            if recipe is None:
                give = self._catalogue.builtin(key)
                value = {Resolver: resolver, ServiceContainer: self}.get(key, MISSING) if give is None else give()
            elif recipe.kind is ServiceKind.SINGLETON:
                value = self._singletons.get(recipe, self)
            elif recipe.kind is ServiceKind.SCOPED:
                value = resolver._scoped(recipe)
            else:
                value = recipe.value
        making = current.get()
        if making is not None:
            making.taken.append(value)
            making.asked |= {key, *self._singletons.needs.get(key, ())}
        return value

    def _scoped(self, recipe: Recipe) -> Any:
        making = current.get()
        where = f"{making.recipe.name} asked for it, which is made once per process" if making else "there is none here"
        raise FunctionError(
            f"{recipe.name} is only available in a request, because it is made for each of them (add_scoped): {where}. "
            "Ask for it in the constructor of a controller or of a scoped service."
        )

    def _refusal(self, key: Any, what: str = "", argument: str = "", given: Collection[Any] = ()) -> FunctionError:
        if not what and not is_key(key):
            return FunctionError(
                f"services.get({key!r}) does not name a service. Services are requested by their class: "
                "services.get(TheClass)."
            )
        return FunctionError(self._catalogue.missing(key, given, what, argument))

    def after_fork_in_child(self) -> None:
        self._singletons.start_in_child()

    def __repr__(self) -> str:
        return f"<ServiceContainer: {', '.join(self.registered) or 'nothing registered'}>"


class Scope(Resolver, Advised):
    """The services of one request: overrides, its own values, and all registered services.

    Safe for several threads. Close it, or use it as a context manager. Once it is closed, scoped services are not
    available any more, but singletons and the request's values are.
    """

    __slots__ = ("_container", "_given", "_is_over", "_made")

    def __init__(self, container: ServiceContainer, given: Mapping[Any, Any]) -> None:
        self._container = container
        self._given = given
        #: The scoped services that were made, by the lifetime of the process: a forked child makes its own.
        self._made: dict[Lifetime, Maker] = {}
        self._is_over = False

    def _find(self, key: Any) -> Any:
        return self._container._find_for(self, key, self._given)

    def _scoped(self, recipe: Recipe) -> Any:
        process = self._container._singletons.lifetime
        made = self._made.get(process)
        if made is None:
            lifetime = Lifetime(OF_REQUEST, self._container._svcs, is_strict=True)
            made = self._made.setdefault(process, Maker(lifetime))
        if self._is_over:
            made.lifetime.is_over = True
        return made.get(recipe, self)

    def _refusal(self, key: Any, what: str = "", argument: str = "") -> FunctionError:
        return self._container._refusal(key, what, argument, self._given)

    def __contains__(self, service: object) -> bool:
        return key_of(service) in self._given or service in self._container

    def close(self, error: BaseException | None = None) -> None:
        """Close the scoped services that were made, in reverse order. It can be called twice.

        :param error: the exception that the request failed with. It is thrown into generators and passed to context
            managers.
        :raises Exception: the request had not failed, but a service could not finish its work, such as a commit. The
            services made before that one see the exception too. All other failures are logged.
        """
        self._is_over = True
        for process, made in list(self._made.items()):
            if process is self._container._singletons.lifetime:
                made.lifetime.close(error)
            else:
                never_free(made)  # this is a forked child, and they are the parent's

    def __enter__(self) -> Scope:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(error)

    def __repr__(self) -> str:
        return f"<Scope of {self._container!r}>"


class Singletons(Maker):
    """The singletons of a process, and the overrides. A singleton that was made with overrides ends with them."""

    def __init__(self, catalogue: Catalogue, svcs: SvcsRegistry) -> None:
        super().__init__(Lifetime(OF_PROCESS, svcs))
        self._catalogue = catalogue
        self._svcs = svcs
        self._overrides: list[Override[Any]] = []

    def start(self, lifetime: Lifetime) -> None:
        super().start(lifetime)
        #: Guards registrations and overrides. Never held while a service is made.
        self.guard = threading.Lock()
        #: Overrides -> the singletons that were made with these and with no others.
        self._lifetimes: dict[frozenset[Override[Any]], Lifetime] = {frozenset(): lifetime}

    def start_in_child(self) -> None:
        """Start again in a forked child. The parent still uses what it has made."""
        if any(lifetime.values for lifetime in self._lifetimes.values()):
            never_free(self._lifetimes)
        self.start(Lifetime(OF_PROCESS, self._svcs))

    def lifetime_of(self, key: Any) -> Lifetime:
        in_force = self._catalogue.in_force
        if not in_force:
            return self.lifetime
        needs = self.needs.get(key, ())  # of a service that was never made, not known until it is
        with_them = frozenset(override for needed, override in in_force.items() if needed in needs)
        return self._lifetimes.setdefault(with_them, Lifetime(OF_OVERRIDE, self._svcs))

    def __contains__(self, key: Any) -> bool:
        """Return True if the singleton was made, or is being made."""
        made = (key in lifetime.values for lifetime in list(self._lifetimes.values()))
        return any(made) or any(making.recipe.key == key for making in list(self.makings))

    def begin(self, override: Override[Any]) -> None:
        """Put an override in force, unless it is already."""
        with self.guard:
            if override not in self._overrides:
                self._overrides.append(override)
            self._catalogue.in_force = {each.key: each for each in self._overrides}

    def end(self, override: Override[Any]) -> None:
        """Take back an override, and close the singletons that were made with it."""
        with self.guard:
            if override in self._overrides:
                self._overrides.remove(override)
            self._catalogue.in_force = {each.key: each for each in self._overrides}
        for overrides in self._in_closing_order():
            if override in overrides:
                self._lifetimes.pop(overrides).close()

    def close(self) -> None:
        """Close all singletons."""
        for overrides in self._in_closing_order():
            self._lifetimes[overrides].close()

    def _in_closing_order(self) -> list[frozenset[Override[Any]]]:
        # A singleton that was made with more overrides may need one that was made with fewer.
        return sorted(self._lifetimes, key=len, reverse=True)
