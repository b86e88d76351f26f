"""The container of services: registration, making, checks at start, lifetimes, overrides, forks."""

from __future__ import annotations

import abc
import asyncio
import contextvars
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import InitVar, dataclass, field
from functools import partial
from inspect import Parameter, Signature
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Generic, NewType, Optional, Protocol, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchfn.errors import FunctionError, ServiceError
from sinchfn.services.injection import lifetimes
from sinchfn.services.injection.container import Scope, ServiceContainer
from sinchfn.services.injection.recipes import MISSING, Plan, Resolver
from tests.harness.server import PATIENCE

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForCheckers

T = TypeVar("T")


class Db:
    """Remembers that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        assert not self.is_closed, "closed twice"
        self.is_closed = True


class Repo:
    def __init__(self, db: Db) -> None:
        self.db = db


class Mailer:
    pass


class Mailar:
    """A near miss."""


class Request:
    """A value of the request."""


class Abstract(abc.ABC):
    @abc.abstractmethod
    def work(self) -> str: ...


class Speaks(Protocol):
    def work(self) -> str: ...


class Worker(Abstract):
    def work(self) -> str:
        return "done"


class Shelf(Generic[T]):
    pass


Dsn = NewType("Dsn", str)


@pytest.fixture
def services() -> Iterator[ServiceContainer]:
    made = ServiceContainer()
    yield made
    made.close()


@contextmanager
def threads(*functions: Callable[[], object]) -> Iterator[None]:
    """Run each in a thread of its own while the block runs; none may hang."""
    started = [threading.Thread(target=function, daemon=True) for function in functions]
    for thread in started:
        thread.start()
    yield
    for thread in started:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in started), "a thread hangs"


def outcome_of(function: Callable[[], Any], into: list[Any]) -> Callable[[], None]:
    """Return a function that calls `function` and appends its result or exception."""

    def run() -> None:
        try:
            into.append(function())
        except Exception as error:
            into.append(error)

    return run


def run_script(text: str, *options: str) -> str:
    """Return the output of a separate program, whose interpreter turns warnings into errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *options, "-c", text],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refusal(function: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(FunctionError) as caught:
        function(*arguments)
    return str(caught.value)


# --- registration and look-up ---------------------------------------------------------------------------------------


def test_a_singleton_is_made_on_first_use_and_once(services: ServiceContainer):
    made: list[int] = []
    services.add_singleton(Db, lambda: made.append(1) or Db())
    assert made == []
    assert services.get(Db) is services.get(Db)
    with services.scope({}) as one, services.scope({}) as other:
        assert one.get(Db) is other.get(Db) is services.get(Db)
    assert made == [1]


def test_a_scoped_service_is_made_once_per_scope(services: ServiceContainer):
    services.add_scoped(Db)
    with services.scope({}) as one, services.scope({}) as other:
        assert one.get(Db) is one.get(Db)
        assert one.get(Db) is not other.get(Db)


def test_a_class_is_its_own_factory_and_its_arguments_are_services(services: ServiceContainer):
    services.add_singleton(Db)
    services.add_scoped(Repo)
    with services.scope({}) as scope:
        assert scope.get(Repo).db is services.get(Db)


@pytest.mark.parametrize("key", [Abstract, Speaks, Shelf[int], list[str], Annotated[Worker, "x"], Dsn])
def test_services_are_registered_under_classes_protocols_aliases_and_new_types(services: ServiceContainer, key: Any):
    value = Worker()
    services.add_singleton(key, lambda: value)
    assert services.get(key) is value
    assert key in services


def test_aliases_of_one_class_are_different_services(services: ServiceContainer):
    services.add_value(list[str], ["a"])
    services.add_value(list[int], [1])
    assert (services.get(list[str]), services.get(list[int])) == (["a"], [1])
    assert list not in services


def test_a_generic_alias_is_made_of_its_class(services: ServiceContainer):
    services.add_singleton(Shelf[int])
    assert isinstance(services.get(Shelf[int]), Shelf)


def test_an_abstract_class_is_made_of_another(services: ServiceContainer):
    services.add_singleton(Abstract, Worker)
    assert services.get(Abstract).work() == "done"


def test_the_last_registration_counts(services: ServiceContainer):
    services.add_scoped(Abstract, Worker)
    services.add_value(Abstract, first := Worker())
    assert services.get(Abstract) is first
    services.add_singleton(Abstract, lambda: second)
    second = Worker()
    assert services.get(Abstract) is second


def test_what_was_made_cannot_be_registered_any_more(services: ServiceContainer):
    services.add_singleton(Db)
    before = services.get(Db)
    for register in (services.add_singleton, services.add_scoped):
        assert "Db cannot be registered any more: it was made already" in refusal(register, Db)
    assert "services.override(Db, ...)" in refusal(services.add_value, Db, Db())
    assert services.get(Db) is before


@pytest.mark.parametrize("key", ["Repo", None, 5, Db(), Db | None, Db | Mailer, type(None)])
def test_what_is_no_type_cannot_be_registered_nor_asked_for(services: ServiceContainer, key: Any):
    for register in (services.add_singleton, services.add_scoped):
        assert "does not name a service. Services are registered under their class" in refusal(register, key)
    assert "services.add_value(TheClass, ...)" in refusal(services.add_value, key, 1)
    assert "services.override(TheClass, ...)" in refusal(services.override, key, 1)
    assert "does not name a service" in refusal(services.get, key)
    assert key not in services


def test_what_makes_nothing_is_no_factory(services: ServiceContainer):
    assert "write services.add_value(Db, ...)" in refusal(services.add_singleton, Db, Db())
    assert "needs a factory" in refusal(services.add_singleton, Dsn)
    assert "Abstract is abstract" in refusal(services.add_singleton, Abstract)
    assert "services.add_scoped(Speaks, TheClassThatImplementsIt)" in refusal(services.add_scoped, Speaks)


def test_a_factory_that_makes_none_is_refused(services: ServiceContainer):
    services.add_singleton(Db, lambda: None)
    assert "The factory of Db returned None" in refusal(services.get, Db)


def test_names_are_shown_and_values_are_not(services: ServiceContainer):
    services.add_value(Dsn, "postgres://user:password@host")
    services.add_scoped(Shelf[int], Shelf)
    services.add_singleton(Db)
    assert services.registered == ["Db", "Dsn", "Shelf[int]"]
    assert repr(services) == "<ServiceContainer: Db, Dsn, Shelf[int]>"
    assert "password" not in repr(services.scope({Request: "password"}))
    assert repr(ServiceContainer()) == "<ServiceContainer: nothing registered>"


def test_a_missing_service_is_named_with_what_is_there_and_what_to_write(services: ServiceContainer):
    services.add_singleton(Mailer)

    message = refusal(services.get, Mailar)
    assert "services.get(Mailar) asks for Mailar, which is not registered" in message
    assert "Registered: Mailer." in message
    assert 'Did you mean "Mailer"?' in message
    assert "services.add_singleton(Mailar, ...)" in message


def test_another_class_of_the_same_name_is_told_apart(services: ServiceContainer):
    other = type("Db", (), {"__module__": "other.place"})
    services.add_singleton(other)
    message = refusal(services.get, Db)
    assert f'it is from the module "other.place", and this one is from "{__name__}"' in message


def test_what_is_known_can_be_asked_with_in(services: ServiceContainer):
    services.add_singleton(Db)
    with services.scope({Request: Request()}) as scope:
        assert (Db in services, Request in services, Mailer in services) == (True, False, False)
        assert (Db in scope, Request in scope, Mailer in scope) == (True, True, False)


# --- plans: what constructors and functions want --------------------------------------------------------------------


def construct(scope: Scope, plan: Plan) -> Any:
    """Call the plan's target with the services of the scope."""
    positional, by_name = scope.arguments(plan)
    return plan.target(*positional, **by_name)


def built(services: ServiceContainer, target: Callable[..., Any], request: Any = MISSING) -> Any:
    values = {} if request is MISSING else {Request: request}
    with services.scope(values) as scope:
        return construct(scope, services.plan(target, values))


def test_annotations_may_be_strings(services: ServiceContainer):
    services.add_singleton(Db)

    def target(one: Any, two: Any, three: Any, *, four: Any) -> tuple[Any, ...]:
        return one, two, three, four

    written = {
        "one": "Db",
        "two": "Optional[Db]",
        "three": Optional["Db"],
        "four": "Annotated['Db', 1]",
    }  # the old spelling, too
    target.__annotations__.update(written)
    assert built(services, target) == (services.get(Db),) * 4


def test_optional_services_are_none_where_there_is_none(services: ServiceContainer):
    def target(one: Db | None, two: Mailer | None, three: Annotated[Db | None, "x"] = None) -> tuple[Any, ...]:
        return one, two, three

    assert built(services, target) == (None, None, None)
    services.add_singleton(Db)
    assert built(services, target) == (services.get(Db), None, services.get(Db))


def test_a_default_stays_where_there_is_no_service(services: ServiceContainer):
    def target(size: int = 3, name="x", db: Db | None = None, *, both: Db | Mailer = "y") -> tuple[Any, ...]:
        return size, name, db, both

    assert built(services, target) == (3, "x", None, "y")
    services.add_value(int, 5)
    assert built(services, target) == (5, "x", None, "y")


def test_open_parameters_are_left_alone_and_positional_ones_are_served(services: ServiceContainer):
    services.add_singleton(Db)

    def target(db: Db, size: int = 3, /, *rest: Mailer, **more: Mailer) -> tuple[Any, ...]:
        return db, size, rest, more

    assert built(services, target) == (services.get(Db), 3, (), {})


def test_generic_aliases_are_wanted_as_they_are(services: ServiceContainer):
    services.add_value(list[str], ["a"])

    def target(names: list[str], other: dict[str, int] | None) -> Any:
        return names, other

    assert built(services, target) == (["a"], None)


def test_dataclasses_are_constructed(services: ServiceContainer):
    services.add_singleton(Db)

    @dataclass
    class Controller:
        db: Db
        once: InitVar[Db]
        names: list[str] = field(default_factory=lambda: ["default"])
        mailer: Mailer | None = field(default=None, kw_only=True)

        def __post_init__(self, once: Db) -> None:
            assert once is self.db

    made = built(services, Controller)
    assert (made.db, made.names, made.mailer) == (services.get(Db), ["default"], None)


def test_a_dataclass_may_inherit_fields_of_a_module_whose_names_it_does_not_know(services: ServiceContainer):
    module = ModuleType("elsewhere")
    source = """
        from __future__ import annotations
        from dataclasses import dataclass
        class Hidden: ...
        @dataclass
        class Base:
            hidden: Hidden
    """
    sys.modules["elsewhere"] = module
    try:
        exec(
            "\n".join(line.strip() if "hidden:" not in line else "    hidden: Hidden" for line in source.splitlines()),
            vars(module),
        )

        @dataclass
        class Child(module.Base):
            db: Db

        services.add_singleton(Db)
        services.add_singleton(module.Hidden)
        assert built(services, Child).hidden is services.get(module.Hidden)
    finally:
        del sys.modules["elsewhere"]


def test_constructors_are_inherited_and_missing_ones_want_nothing(services: ServiceContainer):
    services.add_singleton(Db)

    class Child(Repo):
        pass

    class Nothing:
        pass

    class Named(Nothing):
        def __new__(cls, db: Db) -> Named:
            made = super().__new__(cls)
            made.db = db
            return made

    assert built(services, Child).db is services.get(Db)
    assert services.plan(Nothing).parameters == ()
    assert isinstance(built(services, Nothing), Nothing)
    assert built(services, Named).db is services.get(Db)


def test_names_of_the_class_itself_can_be_used(services: ServiceContainer):
    class Outer:
        class Options:
            pass

        def __init__(self, options: Options) -> None:
            self.options = options

    services.add_singleton(Outer.Options)
    assert built(services, Outer).options is services.get(Outer.Options)


def test_bound_methods_partials_and_callable_objects_are_read(services: ServiceContainer):
    services.add_singleton(Db)

    class Maker:
        def make(self, db: Db, size: int = 1) -> Any:
            return db, size

        def __call__(self, db: Db) -> Any:
            return db

    db = services.get(Db)
    assert built(services, Maker().make) == (db, 1)
    assert built(services, partial(Maker().make, size=2)) == (db, 2)
    assert built(services, Maker()) is db


def test_the_resolver_is_given_to_who_wants_it(services: ServiceContainer):
    def target(resolver: Resolver, registry: ServiceContainer) -> Any:
        return resolver, registry

    with services.scope({}) as scope:
        assert construct(scope, services.plan(target)) == (scope, services)
    services.add_singleton(list, lambda resolver: [resolver])
    services.add_scoped(tuple, lambda resolver: (resolver,))
    with services.scope({}) as scope:
        assert scope.get(list) == [services]
        assert scope.get(tuple) == (scope,)


def test_initialize_runs_the_constructor_on_what_is_there(services: ServiceContainer):
    services.add_singleton(Db)
    made = Repo.__new__(Repo)
    with services.scope({}) as scope:
        services.plan(Repo).initialize(made, scope)
    assert made.db is services.get(Db)


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ("OnlyForCheckers", "name 'OnlyForCheckers' is not defined"),
        ("Db[", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("Annotated[Db, missing]", "name 'missing' is not defined"),
    ],
)
def test_an_annotation_that_cannot_be_resolved_is_said_so(services: ServiceContainer, annotation: str, said: str):
    class Controller:
        def __init__(self, thing: Any) -> None: ...

    Controller.__init__.__annotations__["thing"] = annotation
    message = refusal(services.plan, Controller)
    assert (
        f'Controller cannot be made: the annotation of its argument "thing", {annotation}, cannot be resolved'
        in message
    )
    assert said in message
    assert '"if TYPE_CHECKING"' in message


def test_names_that_only_type_checkers_import_are_said_so(services: ServiceContainer):
    class Controller:
        def __init__(self, price: OnlyForCheckers) -> None: ...

    assert "name 'OnlyForCheckers' is not defined" in refusal(services.plan, Controller)


def test_an_argument_that_says_nothing_is_refused(services: ServiceContainer):
    class Controller:
        def __init__(self, thing): ...

    message = refusal(services.plan, Controller)
    assert 'Controller cannot be made: its argument "thing" has no annotation' in message


def test_a_missing_argument_names_class_argument_and_what_is_there(services: ServiceContainer):
    services.add_singleton(Db)
    services.add_singleton(Mailer)

    class Controller:
        def __init__(self, db: Db, post: Mailar, one: Db | Mailer) -> None: ...

    message = refusal(services.plan, Controller, [Request])
    assert 'Controller cannot be made: its argument "post" wants Mailar, which is not registered' in message
    assert "Registered: Db, Mailer. Given by the request: Request." in message
    assert 'Did you mean "Mailer"?' in message
    assert "Write services.add_singleton(Mailar, ...)" in message
    assert 'its argument "one" wants Db | Mailer, which is not one service' in message
    assert 'IVR cannot be made: its argument "post"' in refusal(services.plan, Controller, [Request], "IVR")


def test_what_went_away_after_the_plan_is_named_too(services: ServiceContainer):
    def target(*, db: Db) -> None: ...

    with services.override(Db, Db()):
        plan = services.plan(target)
    with services.scope({}) as scope:
        assert 'target cannot be made: its argument "db" wants Db' in refusal(construct, scope, plan)


def test_parameters_that_cannot_be_read_are_refused(services: ServiceContainer):
    def target() -> None: ...

    target.__signature__ = "none"  # type: ignore[attr-defined] # as builtins, of which some have none
    assert "target cannot be made: its parameters cannot be read" in refusal(services.plan, target)


@given(st.text(max_size=30))
def test_any_annotation_ends_in_a_plan_or_in_the_error(text: str):
    def target(thing: Any) -> None: ...

    target.__annotations__["thing"] = text
    with suppress(FunctionError):
        assert isinstance(ServiceContainer().plan(target), Plan)


# --- the request's values -------------------------------------------------------------------------------------------


def test_a_value_of_the_request_is_given_to_scoped_services_and_goes_before_a_registration(services: ServiceContainer):
    @dataclass
    class Uses:
        request: Request

    services.add_scoped(Uses)
    services.add_value(Request, at_large := Request())
    with services.scope({Request: (own := Request())}) as scope:
        assert scope.get(Uses).request is scope.get(Request) is own
    assert services.get(Request) is at_large


def test_a_singleton_never_sees_a_value_of_a_request(services: ServiceContainer):
    services.add_singleton(list, lambda resolver: [Request in resolver])
    with services.scope({Request: Request()}) as scope:
        assert scope.get(list) == [False]


# --- what is checked at start ---------------------------------------------------------------------------------------


def test_all_that_is_missing_is_told_at_start(services: ServiceContainer):
    def make_mailer(request: Request) -> Mailer: ...

    services.add_singleton(Repo)
    services.add_scoped(Mailer, make_mailer)
    message = refusal(services.check)
    assert 'Repo cannot be made: its argument "db" wants Db, which is not registered' in message
    assert 'Mailer (by make_mailer) cannot be made: its argument "request" wants Request' in message


def test_nothing_is_made_by_the_check(services: ServiceContainer):
    services.add_singleton(Db, lambda: pytest.fail("made"))
    services.add_scoped(Repo)
    services.check()
    services.override(Db, Db())


def test_a_singleton_cannot_have_what_lives_shorter(services: ServiceContainer):
    services.add_scoped(Db)
    services.add_singleton(Repo)
    message = refusal(services.check)
    assert 'Repo is made once per process, but its argument "db" wants Db, which is made for each request' in message
    services.add_scoped(Repo)
    services.check()


def test_a_singleton_cannot_have_an_optional_scoped_service_either(services: ServiceContainer):
    def make(db: Db | None = None) -> Mailer: ...

    services.add_scoped(Db)
    services.add_singleton(Mailer, make)
    assert "beyond its end" in refusal(services.check)


def test_a_singleton_cannot_have_a_value_of_the_request_unless_it_does_without(services: ServiceContainer):
    def make(request: Request) -> Mailer: ...

    def make_without(request: Request | None) -> list[Any]:
        return [request]

    services.add_singleton(Mailer, make)
    services.add_singleton(list, make_without)
    assert 'Mailer (by make) is made once per process, but its argument "request" wants Request' in refusal(
        services.check, [Request]
    )
    services.add_scoped(Mailer, make)
    services.check([Request])
    with services.scope({Request: Request()}) as scope:
        assert scope.get(list) == [None]


def test_a_singleton_that_asks_for_a_scoped_service_when_it_is_made_is_refused(services: ServiceContainer):
    services.add_scoped(Db)
    services.add_singleton(Repo, lambda resolver: Repo(resolver.get(Db)))
    services.check()
    with services.scope({}) as scope:
        assert "Db is only available in a request" in (message := refusal(scope.get, Repo))
    assert "Repo asked for it" in message


def test_a_scoped_service_is_not_to_be_had_outside_of_a_request(services: ServiceContainer):
    services.add_scoped(Db)
    assert "Db is only available in a request" in refusal(services.get, Db)


class Hen:
    def __init__(self, egg: Egg) -> None: ...


class Egg:
    def __init__(self, hen: Hen | None = None) -> None: ...


def test_a_circle_is_told_at_start_as_a_path(services: ServiceContainer):
    services.add_singleton(Hen)
    services.add_singleton(Egg)
    services.add_singleton(Db)
    assert "in a circle: Hen -> Egg -> Hen. " in refusal(services.check)


def test_a_value_of_the_request_breaks_the_circle_of_scoped_services(services: ServiceContainer):
    services.add_scoped(Hen)
    services.add_scoped(Egg)
    services.check([Egg])
    with services.scope({Egg: object()}) as scope:
        assert isinstance(scope.get(Hen), Hen)


def test_an_override_breaks_the_circle_and_needs_no_factory(services: ServiceContainer):
    services.add_singleton(Hen)
    services.add_singleton(Egg)
    services.add_singleton(Repo)
    services.override(Egg, object())
    services.override(Db, object())
    services.check()


@pytest.mark.parametrize("is_checked", [True, False])
def test_a_circle_in_constructors_is_found_at_run_time_too(services: ServiceContainer, is_checked: bool):
    if is_checked:
        services.add_singleton(Hen)
        services.add_singleton(Egg)
    else:
        services.add_singleton(Hen, lambda resolver: Hen(resolver.get(Egg)))
        services.add_singleton(Egg, lambda: Egg(services.get(Hen)))
        services.check()
    assert "in a circle: Hen -> Egg -> Hen. " in refusal(services.get, Hen)
    assert "in a circle: Egg -> Hen -> Egg. " in refusal(services.get, Egg)


def test_a_service_that_needs_itself_is_refused(services: ServiceContainer):
    services.add_scoped(Db, lambda resolver: resolver.get(Db))
    with services.scope({}) as scope:
        assert "in a circle: Db -> Db. " in refusal(scope.get, Db)


def test_a_circle_through_an_async_factory_is_found(services: ServiceContainer):
    async def make_hen() -> Hen:
        return Hen(services.get(Egg))

    services.add_singleton(Hen, make_hen)
    services.add_singleton(Egg, lambda: Egg(services.get(Hen)))
    assert "Hen -> Egg -> Hen" in refusal(services.get, Hen)


def test_a_circle_across_threads_is_no_dead_lock(services: ServiceContainer):
    begun = threading.Event()

    def make_hen(resolver: Resolver) -> Hen:
        begun.set()
        threading.Event().wait(0.05)  # so that the other thread waits for the egg
        return Hen(resolver.get(Egg))

    def make_egg(resolver: Resolver) -> Egg:
        return Egg(resolver.get(Hen))

    services.add_singleton(Hen, make_hen)
    services.add_singleton(Egg, make_egg)
    seen: list[Any] = []
    with threads(outcome_of(lambda: services.get(Hen), seen)):
        assert begun.wait(PATIENCE)
        with threads(outcome_of(lambda: services.get(Egg), seen)):
            pass
    assert len(seen) == 2
    assert all(re.search("in a circle: (Hen -> Egg -> Hen|Egg -> Hen -> Egg)[.]", str(error)) for error in seen), seen


def test_a_circle_is_found_where_a_factory_leaves_its_context(services: ServiceContainer):
    def make_hen(resolver: Resolver) -> Hen:
        resolver.get(Db)  # is made, and no part of the circle
        return contextvars.Context().run(lambda: Hen(services.get(Egg)))

    services.add_singleton(Db)
    services.add_singleton(Hen, make_hen)
    services.add_singleton(Egg, lambda: Egg(services.get(Hen)))
    assert "in a circle: Hen -> Egg -> Hen. " in refusal(services.get, Hen)


# --- random graphs --------------------------------------------------------------------------------------------------


class Graph:
    """Services in any relation: node -> the nodes it wants; some of them are not registered."""

    def __init__(self, wants: dict[int, list[int]], missing: set[int], scoped: set[int], by_resolver: bool) -> None:
        self.wants = wants
        self.missing = missing
        self.scoped = scoped
        self.made: list[int] = []
        self.closed: list[int] = []
        self.services = ServiceContainer()
        self.types = {node: type(f"N{node}", (), {}) for node in wants}
        for node in wants:
            if node not in missing:
                add = self.services.add_scoped if node in scoped else self.services.add_singleton
                add(self.types[node], self.asking(node) if by_resolver else self.wanting(node))

    def produced(self, node: int) -> Any:
        made = self.types[node]()
        made.close = lambda: self.closed.append(node)
        self.made.append(node)
        return made

    def asking(self, node: int) -> Callable[..., Any]:
        def make(resolver: Resolver) -> Any:
            for wanted in self.wants[node]:
                resolver.get(self.types[wanted])
            return self.produced(node)

        return make

    def wanting(self, node: int) -> Callable[..., Any]:
        def make(**_: Any) -> Any:
            return self.produced(node)

        make.__signature__ = Signature(  # type: ignore[attr-defined] # it is what inspect reads
            [Parameter(f"n{n}", Parameter.KEYWORD_ONLY, annotation=self.types[n]) for n in self.wants[node]]
        )
        return make

    def below(self, node: int) -> set[int]:
        """Return all nodes that a node needs, directly or not."""
        found: set[int] = set()
        ahead = [node]
        while ahead:
            for wanted in self.wants[ahead.pop()]:
                if wanted not in found:
                    found.add(wanted)
                    ahead.append(wanted)
        return found

    def is_sound(self, node: int) -> bool:
        """Return True if the service can be made in a request."""
        nodes = {node, *self.below(node)}
        return not (
            nodes & self.missing
            or any(each in self.below(each) for each in nodes)
            or any(set(self.wants[each]) & self.scoped for each in nodes - self.scoped)
        )

    def is_path(self, message: str) -> bool:
        path = [int(name) for name in re.findall(r"N(\d+)", message.split("circle: ")[1].split(". ")[0])]
        return path[0] == path[-1] and all(b in self.wants[a] for a, b in pairwise(path))


@st.composite
def graphs(draw: st.DrawFn, by_resolver: bool = False) -> Graph:
    size = draw(st.integers(1, 6))
    nodes = st.integers(0, size - 1)
    # Half of them without circles, which are rare in what is drawn blindly.
    forwards = draw(st.booleans())
    wants = {
        node: [n for n in draw(st.lists(nodes, max_size=3, unique=True)) if n > node or not forwards]
        for node in range(size)
    }
    few = st.sets(nodes, max_size=draw(st.integers(0, 1)))
    return Graph(wants, draw(few), draw(st.sets(nodes)) if draw(st.booleans()) else set(), by_resolver)


@given(graphs())
def test_the_check_passes_what_can_be_made_and_nothing_else(graph: Graph):
    registered = [node for node in graph.wants if node not in graph.missing]
    try:
        graph.services.check()
    except FunctionError as error:
        assert not all(map(graph.is_sound, registered))
        for line in str(error).splitlines():
            assert "circle" not in line or graph.is_path(line)
    else:
        assert all(map(graph.is_sound, registered))


@given(st.booleans().flatmap(lambda by_resolver: graphs(by_resolver)), st.randoms(use_true_random=False))
def test_what_can_be_made_is_made_and_closed_in_reverse(graph: Graph, random: Any):
    order = sorted(graph.wants, key=lambda _: random.random())
    with graph.services.scope({}) as scope:
        for node in order:
            if graph.is_sound(node):
                assert type(scope.get(graph.types[node])) is graph.types[node]
                assert graph.made.count(node) == 1
            else:
                message = refusal(scope.get, graph.types[node])
                assert "circle" not in message or graph.is_path(message)
    of_request = [node for node in graph.made if node in graph.scoped]
    assert graph.closed == of_request[::-1]
    graph.services.close()
    of_process = [node for node in graph.made if node not in graph.scoped]
    assert graph.closed == of_request[::-1] + of_process[::-1]


# --- the end --------------------------------------------------------------------------------------------------------


def test_everything_is_closed_in_reverse_each_in_its_own_way(services: ServiceContainer):
    seen: list[str] = []

    class Left:
        def __enter__(self) -> Mailer:
            seen.append("entered")
            return Mailer()

        def __exit__(self, *error: object) -> None:
            assert error == (None, None, None)
            seen.append("left")

    class Closing:
        def close(self) -> None:
            seen.append("closed")

    def generate(mailer: Mailer) -> Iterator[Worker]:
        yield Worker()
        seen.append("went on")

    @contextmanager
    def manage() -> Iterator[set[int]]:
        yield {1}
        seen.append("ended")

    class Waiting:
        async def close(self) -> None:
            seen.append("awaited")

    services.add_scoped(Mailer, Left)
    services.add_scoped(Worker, generate)
    services.add_scoped(Closing)
    services.add_scoped(set, manage)
    services.add_scoped(Waiting)
    with services.scope({}) as scope:
        assert scope.get(set) == {1}
        scope.get(Closing)
        assert isinstance(scope.get(Worker), Worker)
        assert isinstance(scope.get(Mailer), Mailer)
        scope.get(Waiting)
        assert seen == ["entered"]
    assert seen == ["entered", "awaited", "went on", "left", "closed", "ended"]


def test_a_context_manager_that_is_the_service_is_left_and_closed(services: ServiceContainer):
    seen: list[str] = []

    class Connection:
        def __enter__(self) -> Connection:
            return self

        def __exit__(self, *_: object) -> None:
            seen.append("left")

        def close(self) -> None:
            seen.append("closed")

    services.add_singleton(Connection)
    services.get(Connection)
    services.close()
    assert seen == ["left", "closed"]


def test_scoped_services_are_closed_after_errors_too(services: ServiceContainer):
    services.add_scoped(Db)
    made: list[Db] = []

    def handle() -> None:
        with services.scope({}) as scope:
            made.append(scope.get(Db))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handle()
    assert [db.is_closed for db in made] == [True]


def test_one_closing_that_fails_does_not_keep_the_others_open(
    services: ServiceContainer, caplog: pytest.LogCaptureFixture
):
    class Broken(Mailer):
        def close(self) -> None:
            raise OSError("cannot")

    services.add_singleton(Db)
    services.add_singleton(Mailer, Broken)
    db = services.get(Db)
    services.get(Mailer)
    services.close()
    assert db.is_closed
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("sinchfn", "Mailer could not be closed.")
    ]
    assert "OSError: cannot" in caplog.text


def test_an_interruption_comes_out_after_all_is_closed(services: ServiceContainer):
    class Interrupted(Mailer):
        def close(self) -> None:
            raise KeyboardInterrupt

    services.add_singleton(Db)
    services.add_singleton(Mailer, Interrupted)
    db = services.get(Db)
    services.get(Mailer)
    with pytest.raises(KeyboardInterrupt):
        services.close()
    assert db.is_closed


def test_a_generator_that_yields_twice_or_never_is_told(services: ServiceContainer, caplog: pytest.LogCaptureFixture):
    def twice() -> Iterator[Mailer]:
        yield Mailer()
        yield Mailer()

    def never() -> Iterator[Db]:
        yield from ()

    services.add_scoped(Mailer, twice)
    services.add_scoped(Db, never)
    with services.scope({}) as scope:
        scope.get(Mailer)
        assert "The factory of Db ended without a yield" in refusal(scope.get, Db)
    assert "its factory yields twice" in caplog.text


def test_nothing_is_closed_by_who_did_not_make_it(services: ServiceContainer):
    services.add_value(Dsn, value := Db())
    services.add_singleton(Db)
    services.add_scoped(Abstract, lambda resolver: resolver.get(Db))
    services.add_scoped(Speaks, lambda: services.get(Dsn))

    def same(request: Request) -> Any:
        return request

    services.add_scoped(Mailer, same)
    with services.scope({Request: (request := Db())}) as scope:
        assert scope.get(Abstract) is (single := services.get(Db))
        assert scope.get(Mailer) is request
        assert scope.get(Speaks) is value
    assert [each.is_closed for each in (single, value, request)] == [False] * 3
    services.close()
    assert single.is_closed
    assert not value.is_closed


def test_closing_twice_closes_once(services: ServiceContainer):
    services.add_singleton(Db)
    services.add_scoped(Worker)
    scope = services.scope({})
    scope.get(Db)
    scope.get(Worker)
    for _ in range(2):
        scope.close()
        services.close()


def test_after_its_end_there_is_nothing_to_be_had(services: ServiceContainer):
    services.add_singleton(Db)
    services.add_singleton(Mailer)
    services.add_scoped(Worker)
    used, unused = services.scope({}), services.scope({Request: 1})
    used.get(Worker)
    services.get(Db)
    for scope in (used, unused):
        scope.close()
        with pytest.raises(ServiceError, match="Worker was requested after the end of the request"):
            scope.get(Worker)
    assert unused.get(Request) == 1
    assert unused.get(Db) is services.get(Db)
    services.close()
    for service in (Db, Mailer):
        with pytest.raises(ServiceError, match="was requested after the end of the process"):
            services.get(service)


def test_what_is_made_while_all_is_closed_does_not_stay_open(services: ServiceContainer):
    begun, go_on = threading.Event(), threading.Event()
    made: list[Db] = []

    def slow() -> Db:
        made.append(Db())
        begun.set()
        assert go_on.wait(PATIENCE)
        return made[0]

    services.add_singleton(Db, slow)
    seen: list[Any] = []
    with threads(outcome_of(lambda: services.get(Db), seen)):
        assert begun.wait(PATIENCE)
        services.close()
        assert not made[0].is_closed
        go_on.set()
    assert made[0].is_closed
    assert isinstance(seen[0], ServiceError)


def test_a_registry_that_nobody_has_any_more_closes_its_singletons():
    services = ServiceContainer()
    services.add_singleton(Db)
    db = services.get(Db)
    del services
    assert db.is_closed


def test_singletons_are_closed_at_the_end_of_the_process():
    assert (
        run_script(
            """if True:
        from sinchfn.services.injection.container import ServiceContainer
        services = ServiceContainer()
        def make():
            yield 5
            print("closed")
        services.add_singleton(int, make)
        services.get(int)
        print("end")
    """
        )
        == "end\nclosed\n"
    )


# --- factories ------------------------------------------------------------------------------------------------------


def test_async_factories_run_to_their_end(services: ServiceContainer):
    async def make(db: Db) -> Repo:
        return Repo(db)

    services.add_singleton(Db)
    services.add_singleton(Repo, make)
    services.add_singleton(list, lambda: as_list())

    async def as_list() -> list[int]:
        return [1]

    assert services.get(Repo).db is services.get(Db)
    assert services.get(list) == [1]


def test_async_generators_are_refused(services: ServiceContainer):
    async def make() -> AsyncIterator[Db]:
        yield Db()

    assert "The factory of Db is an async generator" in refusal(services.add_singleton, Db, make)
    services.add_singleton(Db, lambda: make())
    assert "The factory of Db is an async generator" in refusal(services.get, Db)


def test_a_factory_that_fails_is_tried_again_and_its_error_comes_through(services: ServiceContainer):
    outcomes: list[Any] = [OSError("not yet"), KeyboardInterrupt(), Db()]

    def make() -> Db:
        outcome = outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome  # type: ignore[no-any-return] # it is what is left

    services.add_singleton(Db, make)
    with pytest.raises(OSError, match="not yet"):
        services.get(Db)
    with pytest.raises(KeyboardInterrupt):
        services.get(Db)
    assert isinstance(services.get(Db), Db)


def test_what_was_made_for_a_factory_that_failed_is_kept_and_closed(services: ServiceContainer):
    def make(db: Db) -> Repo:
        raise OSError

    services.add_scoped(Db)
    services.add_scoped(Repo, make)
    with services.scope({}) as scope:
        with pytest.raises(OSError):  # noqa: PT011 # it has no message
            scope.get(Repo)
        db = scope.get(Db)
    assert db.is_closed


# --- threads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["singleton", "scoped"])
def test_many_threads_make_one(services: ServiceContainer, kind: str):
    count = 16
    ready = threading.Barrier(count)
    made: list[Db] = []
    seen: list[Any] = []

    def make() -> Db:
        made.append(Db())
        threading.Event().wait(0.05)  # so that all others are there
        return made[-1]

    (services.add_singleton if kind == "singleton" else services.add_scoped)(Db, make)
    services.add_scoped(Repo)
    scope = services.scope({})

    def use() -> Any:
        ready.wait(PATIENCE)
        return scope.get(Repo).db

    with threads(*[outcome_of(use, seen)] * count):
        pass
    assert seen == made * count
    scope.close()


def test_threads_that_wait_share_the_error_and_the_next_one_tries_again(services: ServiceContainer):
    count = 4
    attempts: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def make() -> Db:
        attempts.append(1)
        begun.set()
        assert go_on.wait(PATIENCE)
        if len(attempts) == 1:
            raise OSError("down")
        return Db()

    services.add_singleton(Db, make)
    seen: list[Any] = []
    with threads(outcome_of(lambda: services.get(Db), seen)):
        assert begun.wait(PATIENCE)
        with threads(*[outcome_of(lambda: services.get(Db), seen)] * count):
            deadline = time.monotonic() + PATIENCE
            while len(services._singletons.waiting) < count and time.monotonic() < deadline:
                threading.Event().wait(0.001)
            go_on.set()
    assert [str(error) for error in seen] == ["down"] * (count + 1)
    assert isinstance(services.get(Db), Db)
    assert len(attempts) == 2


def test_requests_do_not_wait_for_each_other_nor_for_a_singleton_that_is_being_made(services: ServiceContainer):
    both, begun, go_on = threading.Barrier(2), threading.Event(), threading.Event()

    def slow() -> Db:
        begun.set()
        assert go_on.wait(PATIENCE)
        return Db()

    def make(mailer: Mailer) -> Worker:
        both.wait(PATIENCE)  # passes only while that of the other request is made as well
        return Worker()

    services.add_singleton(Db, slow)
    services.add_singleton(Mailer)
    services.add_scoped(Worker, make)
    services.get(Mailer)
    seen: list[Any] = []
    with threads(outcome_of(lambda: services.get(Db), seen)):
        assert begun.wait(PATIENCE)
        with services.scope({}) as one, services.scope({}) as other:
            with threads(outcome_of(lambda: one.get(Worker), seen), outcome_of(lambda: other.get(Worker), seen)):
                pass
            assert one.get(Worker) is not other.get(Worker)
        go_on.set()
    assert [type(each) for each in seen] == [Worker, Worker, Db]


def test_an_async_factory_asks_for_services_where_an_event_loop_is_running(services: ServiceContainer):
    """There it runs in a thread of its own, for which the one that makes the service waits."""

    async def make_repo() -> Repo:
        one, other = await asyncio.gather(asyncio.to_thread(services.get, Db), asyncio.to_thread(services.get, Db))
        assert one is other
        return Repo(one)

    async def make_shelf(resolver: Resolver) -> list[Any]:
        return [resolver.get(Repo), resolver.get(Db)]

    async def handle() -> list[Any]:
        with services.scope({}) as scope:
            return scope.get(list)

    services.add_singleton(Db)
    services.add_singleton(Repo, make_repo)
    services.add_scoped(list, make_shelf)
    assert asyncio.run(handle()) == [services.get(Repo), services.get(Db)]
    assert services.get(Repo).db is services.get(Db)


def test_a_factory_that_waits_for_a_thread_that_asks_for_a_service_is_told(
    services: ServiceContainer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lifetimes, "PATIENCE", 0.1)
    seen: list[Any] = []

    def make() -> Db:
        with threads(outcome_of(lambda: services.get(Mailer), seen)):
            pass
        return Db()

    services.add_singleton(Db, make)
    services.add_singleton(Mailer)
    services.get(Db)
    assert isinstance(seen[0], ServiceError)
    assert "Mailer is not available: another thread has been making a service (Db) for more than" in str(seen[0])
    assert isinstance(services.get(Mailer), Mailer)


@given(graphs(by_resolver=True))
def test_threads_that_come_from_all_sides_never_hang(graph: Graph):
    scope = graph.services.scope({})
    seen: dict[int, list[Any]] = {node: [] for node in graph.wants}
    work = [outcome_of(partial(scope.get, graph.types[node]), seen[node]) for node in graph.wants]
    with threads(*work, *work):
        pass
    for node, outcomes in seen.items():
        for outcome in outcomes:
            assert isinstance(outcome, FunctionError) is not graph.is_sound(node)
            assert "circle" not in str(outcome) or graph.is_path(str(outcome))
    assert len(graph.made) == len(set(graph.made))
    scope.close()
    graph.services.close()
    assert sorted(graph.closed) == sorted(graph.made)


# --- overrides ------------------------------------------------------------------------------------------------------


class FakeDb(Db):
    pass


def test_an_override_is_one_line_and_holds_everywhere(services: ServiceContainer):
    services.add_singleton(Db)
    services.add_scoped(Repo)
    real = services.get(Db)
    services.override(Db, fake := FakeDb())
    with services.scope({}) as scope:
        assert services.get(Db) is scope.get(Db) is scope.get(Repo).db is fake
    services.close()
    assert real.is_closed
    assert not fake.is_closed


def test_what_was_never_registered_can_be_overridden(services: ServiceContainer):
    def target(db: Db | None) -> Any:
        return db

    plan = services.plan(target)
    with services.scope({}) as scope:
        assert construct(scope, plan) is None
        with services.override(Db, Db()) as fake:
            assert construct(scope, plan) is fake
            assert Db in services
            assert services.registered == ["Db"]
        assert construct(scope, plan) is None
    assert Db not in services


def test_an_override_goes_before_values_of_the_request_and_may_be_none(services: ServiceContainer):
    with services.scope({Request: Request()}) as scope:
        assert isinstance(scope.get(Request), Request)
        with services.override(Request, None):
            assert scope.get(Request) is None


def test_a_block_gives_the_value_and_puts_back_what_was_there(services: ServiceContainer):
    services.add_singleton(Db)
    real = services.get(Db)

    def handle() -> None:
        with services.override(Db, FakeDb()) as fake:
            assert services.get(Db) is fake
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handle()
    assert services.get(Db) is real
    assert not real.is_closed


@given(st.lists(st.integers(0, 3), max_size=12))
def test_blocks_may_begin_and_end_in_any_order(steps: list[int]):
    services = ServiceContainer()
    services.add_value(int, -1)
    handles: dict[int, Any] = {}
    in_force: list[int] = []
    for step in steps:  # a step begins a block, or ends it if it has begun
        if step in in_force:
            in_force.remove(step)
            handles[step].__exit__(None, None, None)
        else:
            in_force.append(step)
            handles[step] = services.override(int, step)
            assert handles[step].__enter__() == step
        assert services.get(int) == (in_force[-1] if in_force else -1)


def test_overrides_of_many_threads_do_not_lose_each_other(services: ServiceContainer):
    services.add_value(int, -1)
    seen: list[Any] = []

    def work(number: int) -> None:
        for _ in range(200):
            with services.override(int, number):
                assert services.get(int) in range(8)

    with threads(*[outcome_of(partial(work, number), seen) for number in range(8)]):
        pass
    assert seen == [None] * 8
    assert services.get(int) == -1


# --- the owner's own services ---------------------------------------------------------------------------------------


def test_built_in_services_are_offered_lazily_and_count_as_singletons():
    asked: list[str] = []
    own = Db()

    def builtin(kind: Any) -> Callable[[], Any] | None:
        return (lambda: asked.append("made") or own) if kind is Db else None

    services = ServiceContainer(builtin, ["Db"])
    services.add_singleton(Repo)
    services.add_scoped(Abstract, lambda resolver: resolver.get(Db))
    services.check()
    assert asked == []
    assert Db in services
    assert services.registered == ["Abstract", "Db", "Repo"]
    with services.scope({}) as scope:
        assert services.get(Repo).db is services.get(Db) is scope.get(Db) is scope.get(Abstract) is own
    services.close()
    assert not own.is_closed


def test_the_owner_can_ask_whether_something_stands_in_its_place():
    services = ServiceContainer(lambda kind: Db if kind is Db else None)
    assert not services.replaces(Db)
    with services.override(Db, FakeDb()) as fake:
        assert services.replaces(Db)
        assert services.get(Db) is fake
    assert not services.replaces(Db)
    services.add_value(Db, own := FakeDb())
    assert services.replaces(Db)
    assert services.get(Db) is own


# --- forks, and what is imported when -------------------------------------------------------------------------------

FORK = """if True:
    import os, sys, threading
    from sinchfn.services.injection.container import ServiceContainer
    services = ServiceContainer()
    class Plain:
        def __init__(self): self.pid = os.getpid()
        def close(self): print("closed plain of", names[self.pid], "in", names[os.getpid()], flush=True)
    class Made(Plain): pass
    def make():
        try:
            yield Made()
        finally:
            print("cleaned up in", names[os.getpid()], flush=True)
    names = {os.getpid(): "parent"}
    services.add_singleton(Plain)
    services.add_singleton(Made, make)
    services.add_scoped(list, lambda services: [services.get(Made)])
    class Scoped(Plain):
        def close(self): print("closed scoped in", names[os.getpid()], flush=True)
    services.add_scoped(Scoped)
    scope = services.scope({})
    def child_does(work):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            names[os.getpid()] = "child"
            work()
            sys.exit()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_forked_child_makes_its_own_and_leaves_those_of_its_parent_alone():
    printed = run_script(
        FORK
        + """
    services.get(Plain), services.get(Made), scope.get(list)
    def work():
        print(names[services.get(Plain).pid], names[scope.get(list)[0].pid])
        scope.close()
    child_does(work)
    print("back")
    scope.close()
"""
    )
    assert printed.splitlines() == [
        "child child",
        "cleaned up in child",
        "closed plain of child in child",
        "back",
        "cleaned up in parent",
        "closed plain of parent in parent",
    ]


def test_a_child_that_uses_nothing_closes_nothing():
    printed = run_script(
        FORK
        + """
    services.get(Plain), services.get(Made), scope.get(list), scope.get(Scoped)
    child_does(lambda: None)
    child_does(services.close)
    child_does(scope.close)
    print("back")
    scope.close()
"""
    )
    assert printed.splitlines() == [
        "back",
        "closed scoped in parent",
        "cleaned up in parent",
        "closed plain of parent in parent",
    ]


def test_a_generator_of_the_parent_does_not_run_its_clean_up_when_the_interpreter_of_the_child_ends():
    """Not even at its very end, when what the generator captured still works although ``print`` does not."""
    printed = run_script(
        FORK
        + """
    def make(write=os.write, getpid=os.getpid, parent=os.getpid()):
        try:
            yield Made()
        finally:
            write(1, b"in parent" if getpid() == parent else b"in child")
    services.add_singleton(Made, make)
    services.get(Made)
    child_does(lambda: None)
    child_does(lambda: services.get(Plain))
"""
    )
    assert printed == "closed plain of child in child\nin parent"


def test_a_lock_that_is_held_at_a_fork_is_free_in_the_child():
    printed = run_script(
        FORK
        + """
    services.get(Plain)
    def work():
        with services.override(int, 5):
            print(names[services.get(Plain).pid], services.get(int))
    with services._singletons.lock, services._singletons.guard:
        child_does(work)
    print("back")
"""
    )
    assert printed.splitlines()[0] == "child 5"
    assert "back" in printed


def test_a_fork_while_another_thread_makes_a_service_leaves_no_lock_behind():
    printed = run_script(
        FORK
        + """
    begun, go_on = threading.Event(), threading.Event()
    def slow():
        if names[os.getpid()] == "parent":
            begun.set()
            assert go_on.wait(30)
        return [os.getpid()]
    services.add_singleton(tuple, slow)
    maker = threading.Thread(target=lambda: services.get(tuple))
    maker.start()
    assert begun.wait(30)
    def work():
        print(names[services.get(tuple)[0]])
    child_does(work)
    go_on.set()
    maker.join()
    print(names[services.get(tuple)[0]])
""",
        *(["-W", "ignore::DeprecationWarning"] if sys.version_info >= (3, 12) else []),
    )
    assert printed.splitlines() == ["child", "parent"]


def test_svcs_is_imported_when_a_service_is_registered_or_made_and_its_warnings_stay_inside():
    printed = run_script(
        """if True:
        import sys
        import sinchfn.services.injection.container
        print("asyncio" in sys.modules)
        from sinchfn.services.injection.container import ServiceContainer
        services = ServiceContainer(lambda kind: (lambda: {}) if kind is dict else None)
        services.add_value(int, 5)
        def target(size: int, own: dict, text: str, other: float = 1.0): return text * size
        plan = services.plan(target, [str])
        services.check([str])
        with services.override(float, 2.0), services.scope({str: "x"}) as scope:
            print(target(*scope.arguments(plan)[0]), "svcs" in sys.modules)
        services.add_scoped(list)
        services.check()
        print("svcs" in sys.modules)
    """
    )
    assert printed.split() == ["False", "xxxxx", "False", "True"]


def test_values_do_not_get_into_the_log_of_svcs(services: ServiceContainer, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    services.add_singleton(Dsn, lambda: "postgres://user:password@host")
    services.get(Dsn)
    assert "password" not in caplog.text


def test_a_scope_that_is_not_used_makes_nothing(services: ServiceContainer):
    scope = services.scope({})
    scope.close()
    assert isinstance(scope, Scope)
    assert scope._made == {}


def test_a_class_that_only_has_the_name_of_a_registered_one_is_not_overridden() -> None:
    """Otherwise a test would go on with the real service without a warning."""
    registry = ServiceContainer()
    registered, other = type("Orders", (), {}), type("Orders", (), {})
    other.__module__ = "orders"
    registry.add_singleton(registered)
    with pytest.raises(FunctionError, match=r'another class of that name: .* and this one is from "orders"'):
        registry.override(other, object())
    registry.override(registered, fake := object())
    assert registry.get(registered) is fake
