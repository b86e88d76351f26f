"""User middleware: what a function's init class has put around its handlers, inside the platform hooks."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from .coroutines import awaited
from .init import Middleware
from .invocation import Invocation

#: Calls the handler, or what is around it; gives what it returned, or something to be awaited.
Inner = Callable[[Invocation], Any]


def wrapped(handler: Inner, middleware: tuple[Middleware, ...]) -> Inner:
    """`handler` with all middleware around it, the first one outermost."""
    if middleware:
        handler = _noted(handler)
    for layer in reversed(middleware):
        handler = _async_layer(layer, handler) if _is_async(layer) else _layer(layer, handler)
    return handler


def _noted(handler: Inner) -> Inner:
    """`handler`, with its exception kept for the services of the request, whatever the middleware makes of it."""

    def run(invocation: Invocation) -> Any:
        invocation._raise(None)
        try:
            value = handler(invocation)
        except BaseException as error:
            invocation._raise(error)
            raise
        return _noted_later(value, invocation) if inspect.isawaitable(value) else value

    return run


async def _noted_later(value: Awaitable[Any], invocation: Invocation) -> Any:
    try:
        return await value
    except BaseException as error:
        invocation._raise(error)
        raise


def _is_async(layer: Middleware) -> bool:
    """Whether it is a coroutine function, is called as one, or has `functools.wraps` of one around it."""
    called = type(layer).__call__ if not inspect.isroutine(layer) else layer
    return any(map(inspect.iscoroutinefunction, (layer, inspect.unwrap(layer), called)))


def _layer(layer: Middleware, inner: Inner) -> Inner:
    def run(invocation: Invocation) -> Any:
        def call_next(_: object = None) -> Any:
            return awaited(inner(invocation))

        return layer(invocation, call_next)

    return run


def _async_layer(layer: Middleware, inner: Inner) -> Inner:
    def run(invocation: Invocation) -> Any:
        async def call_next(_: object = None) -> Any:
            value = inner(invocation)
            return await value if inspect.isawaitable(value) else value

        return layer(invocation, call_next)

    return run
