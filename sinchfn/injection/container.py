"""ServiceContainer: all services of one function."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from ..errors import FunctionError
from ..forks import Forkable, across_forks
from .catalogue import Builtin, Catalogue, unregistered
from .checks import find_faults, plan_faults
from .keys import MISSING, Key, is_key, key_of, name_of
from .lifetimes import OF_OVERRIDE, OF_PROCESS, OF_REQUEST, Lifetime
from .locator import Locator
from .makings import Makings
from .overrides import Override
from .plans import Plan, read_plan
from .recipes import Recipe, ServiceKind, checked_factory, checked_key
from .resolver import Resolver
from .scope import Scope

T = TypeVar("T")
V = TypeVar("V")


def _offers_nothing(_: Any) -> None:
    """The owner's services where it has none."""


class ServiceContainer(Resolver, Forkable):
    """Services by type: singletons, scoped services and values. Safe for several threads.

    A factory is a class or a function. What it wants is put into its parameters by their annotations. A function with
    a single required parameter that has none gets the resolver: ``lambda services: Repo(services.get(Db))``. It may be
    async: then it runs to its end on an event loop of its own, and what is bound to that loop ends with it. What a
    factory returns or yields is the service, never None.

    What was made is closed at its end, the last first: a generator function goes on after its ``yield``, a context
    manager (also an async one), which was entered, is left, anything else is closed if it has a method ``close()`` or
    ``aclose()`` (either may be async). A context manager that is itself the service is left and then closed as well.
    What a factory passes on, because it is a value or another service, is not closed by it. Generators and context
    managers of a scope see the exception that its request ended with; see :meth:`Scope.close`. Any other closing that
    fails is logged, and the others go on.

    The last registration of a type counts. Once its singleton was made, it cannot be registered any more.

    In a forked child all singletons are made anew, and those of its parent are not closed there.
    """

    def __init__(
        self,
        builtin: Builtin = _offers_nothing,
        builtin_names: Collection[str] = (),
        hints: Mapping[str, str] | None = None,
    ) -> None:
        """Make an empty registry.

        :param builtin: gives, for a type, what gives the service, or None: the owner's own singletons, which it makes
            and closes itself. Registrations and overrides go before them.
        :param builtin_names: the names of their types, for messages.
        :param hints: name of a type -> what to do if it is missing, where that is not to register it.
        """
        own = weakref.WeakMethod(self._end_layers)  # not itself: it would keep this alive in a circle
        self._catalogue = Catalogue(
            builtin,
            builtin_names,
            (ServiceContainer,),
            hints or {},
            lambda entry: end(entry) if (end := own()) else None,
        )
        self._overrides = self._catalogue.overrides
        self._makings = Makings()
        self._locator = Locator(self._makings.carry_out)
        self._start()
        across_forks(self)

    def _start(self) -> None:
        self._process = Lifetime(OF_PROCESS, self._makings, self._locator)
        #: Overrides -> the singletons that were made with them.
        self._layers: dict[frozenset[Override[Any]], Lifetime] = {}
        weakref.finalize(self, _close_all, self._layers, self._process)

    def add_singleton(self, service: Key[Any], factory: Callable[..., Any] | None = None) -> None:
        """Make one per process, when it is first wanted, and close it at shutdown.

        A factory that raises is tried again the next time.

        :param service: the type that it is asked for by; an abstract class or a protocol will do.
        :param factory: what makes it; unless told the class itself, whose constructor's arguments are services too.
        :raises FunctionError: nothing can be made like that, or it was made already.
        """
        self._add(service, ServiceKind.SINGLETON, "add_singleton", factory)

    def add_scoped(self, service: Key[Any], factory: Callable[..., Any] | None = None) -> None:
        """Make one per request that wants it, and close it at the end of the request. See :meth:`add_singleton`."""
        self._add(service, ServiceKind.SCOPED, "add_scoped", factory)

    def _add(self, service: Any, kind: ServiceKind, method: str, factory: Any) -> None:
        key = checked_key(service, method)
        self._register(Recipe(key, kind, factory=checked_factory(key, factory, method)))

    def add_value(self, service: Key[Any], value: Any) -> None:
        """Have a service that is there already. It stays the caller's: it is not closed here.

        :raises FunctionError: `service` is no type, or was made already.
        """
        self._register(Recipe(checked_key(service, "add_value"), ServiceKind.VALUE, value=value))

    def _register(self, recipe: Recipe) -> None:
        with self._makings.lock:
            if any(recipe.key in lifetime for lifetime in (self._process, *self._layers.values())):
                raise FunctionError(
                    f"{recipe.name} cannot be registered any more: it was made already, and others may have it. "
                    f"Register it before it is used; for tests there is services.override({recipe.name}, ...)."
                )
            self._catalogue.recipes[recipe.key] = recipe

    def override(self, service: Key[Any], value: V) -> Override[V]:
        """Let `value` stand for a service from now on, whether it is registered or not, was made or not.

        In tests: ``services.override(Db, FakeDb())`` for good, or ``with services.override(Db, FakeDb()) as db:``. It
        goes before everything else, also the request's values. Singletons that need the service, or need one that does,
        are made again while it is in force, and closed when it ends; those that were made before wait until then, and
        are there again. A scoped service keeps what it was made with. Neither `value` nor what it stands for is closed
        because of it. It holds for all threads: let the requests of other threads end before the block does.

        :raises FunctionError: `service` is no type, or not the one that is registered under its name: the modules of a
            function are loaded anew for each app, and a test that imports one by itself has classes of its own.
        """
        key = checked_key(service, "override")
        if self._catalogue.builtin(key) is None and (namesake := self._catalogue.namesake(key)):
            raise FunctionError(
                f"override({name_of(key)}) would have no effect. {namesake} Take the class from the function of the "
                f'app: app.extensions["sinchfn"][0].module.{name_of(key)}'
            )
        return Override(self._overrides, key, value)

    def replaces(self, service: Any) -> bool:
        """Whether a built-in service was overridden or registered anew: then ``get`` gives another one. Cheap."""
        return service in self._overrides.in_force or service in self._catalogue.recipes

    @property
    def is_changed(self) -> bool:
        """Whether anything was registered or overridden at all. Cheap."""
        return bool(self._overrides.in_force or self._catalogue.recipes)

    def __contains__(self, service: object) -> bool:
        return self._catalogue.kind_of(key_of(service)) is not None

    @property
    def registered(self) -> list[str]:
        """The names of all services, sorted."""
        return self._catalogue.names()

    def plan(self, target: Callable[..., Any], given: Collection[Any] = (), what: str = "") -> Plan:
        """Read what a class's constructor or a function wants, once, at start.

        :param given: the types of the request's values.
        :param what: how messages call it; its name unless told.
        :raises FunctionError: an argument wants what is not there, or does not say what it wants.
        """
        plan = read_plan(target, what or name_of(target))
        _raise(plan_faults(self._catalogue, plan, given, ServiceKind.SCOPED))
        return plan

    def check(self, given: Collection[Any] = ()) -> None:
        """At start: whether all that is registered can be made. Nothing is made.

        What a factory asks its resolver for shows only when it runs.

        :param given: the types of the request's values.
        :raises FunctionError: services are missing; a singleton wants what lives no longer than a request; or services
            need each other in a circle. The message names all that was found.
        """
        _raise(find_faults(self._catalogue, given))
        if any(recipe.factory is not None for recipe in self._catalogue.recipes.values()):
            self._locator.load()  # now, so that no request has to wait for it

    def scope(self, given: Mapping[Any, Any]) -> Scope:
        """The scope of one request.

        :param given: the request's values by their types. They go before registrations, but singletons never see them.
        """
        return Scope(self, given)

    def close(self) -> None:
        """Close all singletons, the last one made first. After that none is to be had any more.

        It happens by itself when the process ends, or nobody has the registry any more.
        """
        _close_all(self._layers, self._process)

    def _find(self, key: Any) -> Any:
        value = self._overrides.in_force.get(key, MISSING)
        if value is MISSING:
            return self._find_for(self, key)
        self._makings.take(key, value)
        return value

    def _find_for(self, resolver: Resolver, key: Any) -> Any:
        """A service that is not overridden, for one who asks through `resolver`; `MISSING` if there is none."""
        recipe = self._catalogue.recipes.get(key)
        if recipe is None:
            value = self._own(resolver, key)
        elif recipe.kind is ServiceKind.SINGLETON:
            value = self._lifetime_of(recipe).get(recipe, self)
        else:
            value = recipe.value if recipe.kind is ServiceKind.VALUE else resolver._scoped(recipe)
        self._makings.take(key, value)
        return value

    def _lifetime_of(self, recipe: Recipe) -> Lifetime:
        """What keeps a singleton: the process, unless it was made with overrides, or would be."""
        if not self._overrides.in_force:
            return self._process
        with_them = self._overrides.affecting(self._needs(recipe.key))
        if not with_them:
            return self._process
        with self._makings.lock:
            made = self._layers.get(with_them)
            if made is None:
                made = self._layers[with_them] = Lifetime(OF_OVERRIDE, self._makings, self._locator)
            return made

    def _needs(self, key: Any) -> Collection[Any]:
        """All that a singleton needs, directly or not. What only its factory knows counts as everything."""
        found: set[Any] = set()
        ways = [key]
        while ways:
            recipe = self._catalogue.recipes.get(ways.pop())
            if recipe is None or recipe.factory is None:
                continue
            asked = self._process.asked.get(recipe.key)
            if asked is None:
                if not isinstance(recipe.factory, type):
                    return self._overrides.in_force
                asked = {parameter.key for parameter in recipe.plan.parameters}
                if Resolver in asked or ServiceContainer in asked:
                    return self._overrides.in_force
            ways += asked - found
            found |= asked
        return found

    def _end_layers(self, entry: Override[Any]) -> None:
        """Close what was made with an override that has ended."""
        with self._makings.lock:
            over = {layer: self._layers.pop(layer) for layer in list(self._layers) if entry in layer}
        _close_layers(over)

    def _own(self, resolver: Resolver, key: Any) -> Any:
        if key is Resolver:
            return resolver
        if key is ServiceContainer:
            return self
        give = self._catalogue.builtin(key)
        return MISSING if give is None else give()

    def _scoped(self, recipe: Recipe) -> Any:
        making = self._makings.current.get()
        asked = f"{making.recipe.name} asked for it, and that is made once per process" if making else "this is none"
        raise FunctionError(
            f"{recipe.name} is to be had in a request only, for it is made anew for each (add_scoped): {asked}. "
            "Ask for it in the constructor of a controller or of a scoped service."
        )

    def _request_lifetime(self) -> Lifetime:
        """What a request keeps its scoped services in."""
        return Lifetime(OF_REQUEST, self._makings, self._locator, self._process)

    def _refusal(self, key: Any, plan: Plan | None = None, argument: str = "") -> FunctionError:
        return self._refusal_for(key, plan, argument, ())

    def _refusal_for(self, key: Any, plan: Plan | None, argument: str, given: Collection[Any]) -> FunctionError:
        """What to raise for a service that is not there."""
        if plan is not None:
            problem = self._catalogue.missing(plan.what, argument, key)
        elif is_key(key):
            problem = f"services.get({name_of(key)}) asks for {unregistered(key)}."
        else:
            return FunctionError(
                f"services.get({key!r}) asks for no service: they are asked for by their class. "
                "Write services.get(TheClass)."
            )
        return FunctionError(f"{problem} {self._catalogue.remedy(key, given)}")

    def before_fork(self) -> None:
        if self._locator.is_loaded:
            with suppress(ImportError):  # needed in the child, where an import can wait for ever
                import ctypes  # noqa: F401 # it is only to be there

    def after_fork_in_child(self) -> None:
        self._makings.lock = threading.Lock()
        self._overrides.lock = threading.Lock()
        if self._locator.is_loaded:
            for lifetime in (*self._layers.values(), self._process):
                lifetime.bequeath()
            self._start()

    def __repr__(self) -> str:
        return f"<ServiceContainer: {', '.join(self.registered) or 'nothing registered'}>"


def _close_all(layers: dict[frozenset[Override[Any]], Lifetime], process: Lifetime) -> None:
    _close_layers(layers)
    process.close()


def _close_layers(layers: dict[frozenset[Override[Any]], Lifetime]) -> None:
    for layer in sorted(layers, key=len, reverse=True):  # what was made with more overrides may need what has fewer
        layers[layer].close()


def _raise(faults: list[str]) -> None:
    if faults:
        raise FunctionError("\n".join(faults))
