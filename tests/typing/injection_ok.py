"""What a type checker must see in the registry of services. Only type-checked, never run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, assert_type

from sinchfn.services.injection.catalogue import Override
from sinchfn.services.injection.container import Scope, ServiceContainer
from sinchfn.services.injection.recipes import Plan, Resolver


class Db:
    def __init__(self, url: str) -> None: ...


class Repo(ABC):
    @abstractmethod
    def find(self) -> str: ...


class Speaks(Protocol):
    def speak(self) -> str: ...


class SqlRepo(Repo):
    def __init__(self, db: Db, *, size: int = 1) -> None: ...

    def find(self) -> str:
        return ""


def make_repo(db: Db) -> SqlRepo:
    return SqlRepo(db)


def make_by_resolver(services: Resolver) -> Repo:
    assert_type(services.get(Db), Db)
    return SqlRepo(services.get(Db))


def yield_repo() -> Iterator[Repo]:
    yield SqlRepo(Db(""))


async def await_repo(db: Db) -> Repo:
    return SqlRepo(db)


@contextmanager
def manage_repo() -> Iterator[Repo]:
    yield SqlRepo(Db(""))


def registered(services: ServiceContainer) -> None:
    services.add_singleton(Db)
    services.add_singleton(Repo, SqlRepo)
    services.add_singleton(Repo, lambda services: SqlRepo(services.get(Db)))
    services.add_singleton(Speaks, lambda: SqlRepo(Db("")))
    services.add_scoped(Repo, make_repo)
    services.add_scoped(Repo, make_by_resolver)
    services.add_scoped(Repo, yield_repo)
    services.add_scoped(Repo, await_repo)
    services.add_scoped(Repo, manage_repo)
    services.add_scoped(dict[str, int], dict)
    services.add_value(Db, Db(""))
    assert_type(services.registered, list[str])
    assert_type(Db in services, bool)
    assert_type(services.replaces(Db), bool)


def found(services: ServiceContainer, scope: Scope) -> None:
    assert_type(services.get(Db), Db)
    assert_type(services.get(Repo), Repo)
    assert_type(services.get(Speaks), Speaks)
    assert_type(services.get(dict[str, int]), dict[str, int])
    assert_type(scope.get(Repo), Repo)
    assert_type(services.plan(SqlRepo), Plan)
    with services.scope({Db: Db("")}) as opened:
        assert_type(opened, Scope)
        assert_type(opened.arguments(services.plan(SqlRepo)), tuple[list[Any], dict[str, Any]])
    services.check([Db])


def replaced(services: ServiceContainer, fake: SqlRepo) -> None:
    assert_type(services.override(Repo, fake), Override[SqlRepo])
    with services.override(Repo, fake) as put:
        assert_type(put, SqlRepo)
