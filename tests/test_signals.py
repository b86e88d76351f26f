"""Receivers of the signals: what can be connected, and for how long it is heard."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ClassVar
from unittest.mock import AsyncMock

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sinchfn import create_app, signals

NAMES = (
    "before_request",
    "after_request",
    "handler_failed",
    "usage_recorded",
    "websocket_opened",
    "websocket_closed",
)
HELLO = """\
    def hello(context, request):
        return "hello"
"""


async def async_function(app: Flask, **more: Any) -> None: ...


async def async_generator(app: Flask, **more: Any) -> Any:
    yield


def generator(app: Flask, **more: Any) -> Any:
    yield


class Billing:
    """Has every way to be called there is."""

    heard: ClassVar[list[str]] = []

    def bill(self, app: Flask, **more: Any) -> None:
        self.heard.append("bill")

    @classmethod
    def of_class(cls, app: Flask, **more: Any) -> None:
        cls.heard.append("of_class")

    def __call__(self, app: Flask, **more: Any) -> None:
        self.heard.append("__call__")

    async def async_bill(self, app: Flask, **more: Any) -> None: ...

    @staticmethod
    async def async_static(app: Flask, **more: Any) -> None: ...


class AsyncCall:
    async def __call__(self, app: Flask, **more: Any) -> None: ...


class GeneratorCall:
    def __call__(self, app: Flask, **more: Any) -> Any:
        yield


NEVER_RUN = {
    "async function": (async_function, "is async"),
    "async generator": (async_generator, "is async"),
    "partial of an async function": (partial(async_function, x=1), "is async"),
    "partial of a partial": (partial(partial(async_function), x=1), "is async"),
    "async method": (Billing().async_bill, "is async"),
    "async static method": (Billing.async_static, "is async"),
    "async __call__": (AsyncCall(), "is async"),
    "partial of an async __call__": (partial(AsyncCall()), "is async"),
    "AsyncMock": (AsyncMock(), "is async"),
    "generator": (generator, '"yield"'),
    "generator __call__": (GeneratorCall(), '"yield"'),
    "text": ("bill", "is not callable"),
    "None": (None, "is not callable"),
    "coroutine": (object(), "is not callable"),
}


def test_every_signal_has_its_tests_here():
    assert {name for name, value in vars(signals).items() if isinstance(value, signals.GuardedSignal)} == set(NAMES)


@pytest.mark.parametrize("signal", NAMES)
@pytest.mark.parametrize("kind", NEVER_RUN)
def test_what_a_call_would_not_run_is_refused_when_it_is_connected(signal: str, kind: str):
    receiver, problem = NEVER_RUN[kind]
    before = len(getattr(signals, signal).receivers)
    with pytest.raises(TypeError, match="A receiver is a plain function: def receiver") as refused:
        getattr(signals, signal).connect(receiver)
    assert problem in str(refused.value)
    assert f"signals.{signal}.connect() got " in str(refused.value)
    assert len(getattr(signals, signal).receivers) == before


def test_every_way_to_connect_refuses_an_async_receiver():
    app = Flask("one")
    with pytest.raises(TypeError, match="async_function"):
        signals.usage_recorded.connect_via(app)(async_function)
    with pytest.raises(TypeError, match="async_function"), signals.usage_recorded.connected_to(async_function):
        pass
    with pytest.raises(TypeError, match="async_function"):
        signals.usage_recorded.connect(async_function, app, weak=True)


def test_a_function_that_refuses_to_start_names_its_async_receiver(make_app: Callable[..., Flask]):
    source = """\
        from sinchfn import signals
        @signals.usage_recorded.connect
        async def bill(app, invocation, record):
            pass
        def hello(context, request):
            return "hello"
    """
    with pytest.raises(Exception, match=r"signals\.usage_recorded\.connect\(\) got bill, which is async"):
        make_app(source)


def test_a_plain_function_around_an_async_one_is_a_receiver(make_client: Callable[..., FlaskClient]):
    heard: list[str] = []

    async def note(app: Flask, **more: Any) -> None:
        heard.append("async")

    @signals.after_request.connect
    @wraps(note)
    def run(app: Flask, **more: Any) -> None:
        asyncio.run(note(app))

    make_client(HELLO).get("/hello")
    assert heard == ["async"]


def connect_lambda(heard: list[str]) -> None:
    signals.after_request.connect(lambda app, invocation: heard.append("heard"))


def connect_nested(heard: list[str]) -> None:
    @signals.after_request.connect
    def nested(app: Flask, invocation: Any) -> None:
        heard.append("heard")


def connect_partial(heard: list[str]) -> None:
    signals.after_request.connect(partial(lambda app, invocation, to: to.append("heard"), to=heard))


class Notes:
    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def note(self, app: Flask, invocation: Any) -> None:
        self.heard.append("heard")

    def __call__(self, app: Flask, invocation: Any) -> None:
        self.heard.append("heard")


def connect_method(heard: list[str]) -> None:
    signals.after_request.connect(Notes(heard).note)


def connect_object(heard: list[str]) -> None:
    signals.after_request.connect(Notes(heard))


@pytest.mark.parametrize("connect", [connect_lambda, connect_nested, connect_partial, connect_method, connect_object])
def test_a_receiver_that_nothing_else_refers_to_is_kept(
    connect: Callable[[list[str]], None], make_client: Callable[..., FlaskClient]
):
    heard: list[str] = []
    client = make_client(HELLO)
    connect(heard)
    gc.collect()
    client.get("/hello")
    assert heard == ["heard"]


def test_a_lambda_connected_in_setup_hears_every_request(make_client: Callable[..., FlaskClient]):
    source = """\
        from sinchfn import signals
        heard = []
        def setup(runtime):
            signals.after_request.connect(lambda app, invocation: heard.append(invocation.handler_name))
        def hello(context, request):
            return heard
    """
    client = make_client(source)
    gc.collect()
    client.get("/hello")
    assert client.get("/hello").json == ["hello"]


def test_a_receiver_can_be_disconnected_and_connected_again(make_client: Callable[..., FlaskClient]):
    client = make_client(HELLO)
    notes = Notes([])
    for _ in range(2):
        signals.after_request.connect(notes.note)
        client.get("/hello")
        signals.after_request.disconnect(notes.note)
        client.get("/hello")
    assert notes.heard == ["heard", "heard"]
    assert not signals.after_request.receivers


def test_a_receiver_that_is_held_weakly_on_purpose_goes_with_its_object(make_client: Callable[..., FlaskClient]):
    heard: list[str] = []
    notes = Notes(heard)
    client = make_client(HELLO)
    signals.after_request.connect(notes.note, weak=True)
    client.get("/hello")
    del notes
    gc.collect()
    client.get("/hello")
    assert heard == ["heard"]


def test_connect_via_hears_only_of_its_app(make_function: Callable[..., Any]):
    one, two = (create_app(make_function(HELLO, name), config={"SINCHFN_USAGE": "off"}) for name in ("one", "two"))
    heard: list[Flask] = []

    @signals.after_request.connect_via(one)
    def note(app: Flask, invocation: Any) -> None:
        heard.append(app)

    for app in (one, two):
        app.test_client().get("/hello")
    assert heard == [one]


def test_connected_to_ends_with_its_block(make_client: Callable[..., FlaskClient]):
    client, heard = make_client(HELLO), list[str]()
    with signals.after_request.connected_to(lambda app, invocation: heard.append("heard")):
        client.get("/hello")
    client.get("/hello")
    assert heard == ["heard"]
