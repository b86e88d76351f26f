"""Overrides: a test replaces what the context offers, and all that depends on it, for as long as the override holds."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from itertools import permutations
from typing import Any

import pytest
from flask import Flask

from sinchfn import (
    Assets,
    Cache,
    ConversationClient,
    FunctionError,
    NumbersClient,
    SmsClient,
    Storage,
    VoiceClient,
    VoiceV2Client,
)
from sinchfn.services.cache import open_cache
from sinchfn.services.injection.container import ServiceContainer
from sinchfn.services.injection.recipes import Resolver
from sinchfn.services.services import Services
from tests.harness.app import MakeApp
from tests.harness.call import call

#: What the context offers -> the type that a test overrides to replace it.
OFFERED = {
    "context.cache": Cache,
    "context.storage": Storage,
    "context.assets": Assets,
    "context.voice.v1": VoiceClient,
    "context.voice.v2": VoiceV2Client,
    "context.conversation": ConversationClient,
    "context.sms": SmsClient,
    "context.numbers": NumbersClient,
    "context.open_database()": sqlite3.Connection,
}

CREDENTIALS = {
    "VOICE_APPLICATION_KEY": "key",
    "VOICE_APPLICATION_SECRET": "c2VjcmV0",
    "PROJECT_ID": "project",
    "PROJECT_ID_API_KEY": "key",
    "PROJECT_ID_API_SECRET": "secret",
    "CONVERSATION_APP_ID": "app",
    "SMS_SERVICE_PLAN_ID": "plan",
    "ENABLE_NUMBERS_API": "true",
}


def services_of(app: Flask) -> Services:
    found: Services = app.extensions["sinchfn"][0].services
    return found


# --- what the context offers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [{}, CREDENTIALS], ids=["without credentials", "with them"])
@pytest.mark.parametrize("expression", OFFERED)
def test_the_context_offers_what_a_test_has_put_there(
    make_app: MakeApp, expression: str, config: dict[str, str]
) -> None:
    app = make_app(f"seen = []\ndef work(context, request):\n    seen.append({expression})\n", **config)
    services, seen = services_of(app), app.extensions["sinchfn"][0].module.seen
    fake = object()
    with services.override(OFFERED[expression], fake):
        assert call(app, "GET", "/work").status == 204
    assert call(app, "GET", "/work").status == 204
    with services.override(OFFERED[expression], fake):
        assert call(app, "GET", "/work").status == 204
    assert [each is fake for each in seen] == [True, False, True]


@pytest.mark.parametrize("kind", [kind for kind in OFFERED.values() if kind is not sqlite3.Connection])
def test_constructors_get_it_too_and_do_without_it(make_app: MakeApp, kind: Any) -> None:
    app = make_app(
        f"""
        from sinchfn import {kind.__name__}, SinchController, get, route

        @route("/here")
        class Api(SinchController):
            def __init__(self, service: {kind.__name__} | None):
                self.service = service

            @get("/")
            def kind(self, request):
                return {{"kind": type(self.service).__name__}}
        """
    )
    before = call(app, "GET", "/here").json
    with services_of(app).override(kind, _Fake()):
        assert call(app, "GET", "/here").json == {"kind": "_Fake"}
    assert call(app, "GET", "/here").json == before


@pytest.mark.parametrize("kind", [VoiceClient, VoiceV2Client, ConversationClient, SmsClient, NumbersClient])
def test_a_client_without_its_variables_is_refused_at_start_by_name(make_app: MakeApp, kind: Any) -> None:
    source = f"""
    from sinchfn import {kind.__name__}, SinchFunctionInit
    class Texts:
        def __init__(self, client: {kind.__name__}): ...
    class Init(SinchFunctionInit):
        def configure_services(self, services, config):
            services.add_singleton(Texts)
    def status(context, request): ...
    """
    with pytest.raises(FunctionError, match=rf"Set [A-Z_]+ and [A-Z_a-z ]+, or write {kind.__name__} \| None\."):
        make_app(source)
    app = make_app(source, "other", **CREDENTIALS)
    texts = app.extensions["sinchfn"][0].module.Texts
    with services_of(app).override(kind, _Fake()):
        assert isinstance(services_of(app).get(texts), texts)


class _Fake:
    pass


def test_the_types_of_the_clients_need_no_sdk() -> None:
    names = "ConversationClient, NumbersClient, SmsClient, VoiceV2Client"
    code = f"import sys; from sinchfn import {names}; print('sinch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout == "False\n"


def test_a_fake_client_sends_nothing(make_app: MakeApp) -> None:
    app = make_app(
        """
        from sinchfn import create_message

        def conversation_webhook(context, request):
            message = create_message().app_id("app").to_channel("SMS", "4670").text("Hello")
            return {"id": message.send(context.conversation)["message_id"]}
        """
    )
    sent: list[dict[str, Any]] = []

    class FakeMessages:
        def send(self, **message: Any) -> dict[str, str]:
            sent.append(message)
            return {"message_id": "M1"}

    class FakeConversation:
        messages = FakeMessages()

    with services_of(app).override(ConversationClient, FakeConversation()) as fake:
        assert isinstance(fake, FakeConversation)
        assert call(app, "POST", "/webhook/conversation", json={}).json == {"id": "M1"}
    assert sent[0]["message"] == {"text_message": {"text": "Hello"}}


def test_what_is_done_once_is_kept_in_a_cache_that_was_put_there_and_not_in_a_fake(make_app: MakeApp) -> None:
    services = services_of(make_app("def f(context, request): ...\n"))
    own = services.claims
    other = open_cache("memory:", folder=services.config.folder, namespace="other")
    with services.override(Cache, other):
        assert services.claims.use_up("once", 60)
    assert not own.use_up("once", 60) or other.apart("claims").keys() == ["once"]
    with services.override(Cache, _Fake()):
        assert services.claims is own


def test_a_connection_of_a_test_is_neither_closed_nor_rolled_back(make_app: MakeApp) -> None:
    app = make_app("def work(context, request):\n    context.open_database().execute('INSERT INTO t VALUES (1)')\n")
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("CREATE TABLE t (n)")
    with services_of(app).override(sqlite3.Connection, connection):
        for _ in range(2):
            assert call(app, "GET", "/work").status == 204
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (2,)
    connection.close()


# --- what depends on it ---------------------------------------------------------------------------------------------


class Clock:
    """Depends on nothing."""


class Db:
    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        assert not self.is_closed, "closed twice"
        self.is_closed = True


class Repo(Db):
    def __init__(self, db: Db) -> None:
        super().__init__()
        self.db = db


class Orders(Db):
    def __init__(self, repo: Repo, clock: Clock) -> None:
        super().__init__()
        self.repo, self.clock = repo, clock


class Mailer(Db):
    """Depends on the clock alone."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock


class Shop:
    def __init__(self, orders: Orders, mailer: Mailer | None = None) -> None:
        self.orders, self.mailer = orders, mailer


def by_resolver(services: Resolver) -> Orders:
    return Orders(services.get(Repo), services.get(Clock))


async def by_coroutine(repo: Repo, clock: Clock) -> Orders:
    return Orders(repo, clock)


@pytest.fixture(params=[Orders, by_resolver, by_coroutine], ids=lambda factory: factory.__name__)
def services(request: pytest.FixtureRequest) -> Any:
    container = ServiceContainer()
    for kind in (Clock, Db, Repo, Mailer, Shop):
        container.add_singleton(kind)
    container.add_singleton(Orders, request.param)
    yield container
    container.close()


def test_what_depends_on_an_overridden_service_is_made_again_while_it_holds(services: ServiceContainer) -> None:
    before = services.get(Shop)
    fake = Db()
    with services.override(Db, fake):
        within = services.get(Shop)
        assert within is not before
        assert within is services.get(Shop), "once for the time of the override"
        assert within.orders.repo.db is fake
        assert within.orders.clock is before.orders.clock, "what does not depend on it stays"
        assert within.mailer is before.mailer
    assert services.get(Shop) is before
    assert (within.orders.is_closed, within.orders.repo.is_closed) == (True, True), "closed at the end of the block"
    assert not any((before.orders.is_closed, before.orders.repo.is_closed, before.mailer.is_closed, fake.is_closed))


def test_what_was_first_used_within_an_override_does_not_keep_the_fake(services: ServiceContainer) -> None:
    with services.override(Db, Db()) as fake:
        assert services.get(Orders).repo.db is fake
        mailer = services.get(Mailer)
    after = services.get(Orders)
    assert after.repo.db is not fake
    assert after.repo.db is services.get(Db)
    assert services.get(Mailer) is mailer, "it never saw the fake"


def test_an_override_for_good_holds_for_what_was_made_before(services: ServiceContainer) -> None:
    before = services.get(Orders)
    fake = Db()
    services.override(Db, fake)
    assert services.get(Orders).repo.db is fake
    within = services.get(Orders)
    services.close()
    assert (within.is_closed, before.is_closed, fake.is_closed) == (True, True, False)


@pytest.mark.parametrize("first_to_end", ["outer", "inner"])
def test_nested_overrides_each_reach_what_depends_on_them(services: ServiceContainer, first_to_end: str) -> None:
    real = services.get(Shop)
    outer = services.override(Db, Db())
    with_outer = services.get(Shop)
    inner = services.override(Clock, Clock())
    with_both = services.get(Shop)
    assert with_both.orders.repo is with_outer.orders.repo, "the second does not reach it"
    assert (with_both.orders.repo.db, with_both.orders.clock) == (outer.value, inner.value)
    first, second = (outer, inner) if first_to_end == "outer" else (inner, outer)
    first.__exit__(None, None, None)
    if first_to_end == "inner":
        assert services.get(Shop) is with_outer
    else:
        assert services.get(Shop).orders.repo is real.orders.repo
        assert services.get(Shop).orders.clock is inner.value
    second.__exit__(None, None, None)
    assert services.get(Shop) is real


def test_two_overrides_of_one_service_are_two(services: ServiceContainer) -> None:
    first, second = Db(), Db()
    with services.override(Db, first):
        one = services.get(Orders)
        with services.override(Db, second):
            assert services.get(Orders).repo.db is second
        assert services.get(Orders) is one


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_tests_do_not_depend_on_their_order(order: tuple[int, ...]) -> None:
    container = ServiceContainer()
    for kind in (Clock, Db, Repo, Orders):
        container.add_singleton(kind)

    def with_fake_db() -> None:
        with container.override(Db, Db()) as fake:
            assert container.get(Orders).repo.db is fake

    def with_fake_repo() -> None:
        with container.override(Repo, Repo(Db())) as fake:
            assert container.get(Orders).repo is fake

    def with_none() -> None:
        assert container.get(Orders).repo.db is container.get(Db)

    for index in order:
        (with_fake_db, with_fake_repo, with_none)[index]()


def test_scoped_services_get_the_singletons_of_the_override(services: ServiceContainer) -> None:
    class Visit:
        def __init__(self, orders: Orders) -> None:
            self.orders = orders

    services.add_scoped(Visit)
    with services.scope({}) as scope:
        real = scope.get(Visit).orders
    with services.override(Db, Db()) as fake, services.scope({}) as scope:
        assert scope.get(Visit).orders.repo.db is fake
    with services.override(Visit, "a visit"), services.scope({}) as scope:
        assert scope.get(Visit) == "a visit"
    with services.scope({}) as scope:
        assert scope.get(Visit).orders is real


def test_a_generator_that_was_started_within_an_override_ends_with_it() -> None:
    container, seen = ServiceContainer(), []

    def repo(db: Db) -> Any:
        seen.append("begins")
        yield Repo(db)
        seen.append("ends")

    container.add_singleton(Db)
    container.add_singleton(Repo, repo)
    with container.override(Db, Db()):
        container.get(Repo)
    assert seen == ["begins", "ends"]
    container.get(Repo)
    assert seen == ["begins", "ends", "begins"]
    container.close()
    assert seen == ["begins", "ends"] * 2


def test_what_was_made_with_more_overrides_is_closed_before_what_it_needs() -> None:
    container, seen = ServiceContainer(), []

    def repo(db: Db) -> Any:
        yield Repo(db)
        seen.append("repo")

    def orders(repo: Repo, clock: Clock) -> Any:
        yield Orders(repo, clock)
        seen.append("orders")

    for kind, factory in ((Db, None), (Clock, None), (Repo, repo), (Orders, orders)):
        container.add_singleton(kind, factory)
    with container.override(Db, Db()):
        container.get(Repo)
        container.override(Clock, Clock())
        container.get(Orders)
    assert seen[0] == "orders"
    assert "repo" in seen


def test_what_was_built_on_the_cache_of_the_context_follows_an_override(make_app: MakeApp) -> None:
    app = make_app(
        """
        from sinchfn import Cache, SinchFunctionInit

        class Orders:
            def __init__(self, cache: Cache):
                self.cache = cache

        class Init(SinchFunctionInit):
            def configure_services(self, services, config):
                services.add_singleton(Orders)

        def order(context, request):
            return {"order": context.services.get(Orders).cache.get("order", "none")}
        """
    )

    class FakeCache:
        def get(self, key: str, default: Any = None) -> str:
            return "on its way"

    assert call(app, "GET", "/order").json == {"order": "none"}
    with services_of(app).override(Cache, FakeCache()):
        assert call(app, "GET", "/order").json == {"order": "on its way"}
    assert call(app, "GET", "/order").json == {"order": "none"}
    services_of(app).override(Cache, FakeCache())
    assert call(app, "GET", "/order").json == {"order": "on its way"}
