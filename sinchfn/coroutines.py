"""Async handlers, run to their end from synchronous code."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from typing import Any


def run_async(awaitable: Awaitable[Any]) -> Any:
    """The result of an async handler.

    It runs on a loop of its own in this thread, so that what blocks in one call (the services are synchronous) cannot
    hold up another. Where a loop is running in this thread already, as under gevent, it gets a thread of its own.
    """

    failure: list[BaseException] = []

    async def wait() -> Any:
        try:
            return await awaitable
        except BaseException as error:  # SystemExit and its kind would tear the loop down with its tasks in it
            failure.append(error)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        value = asyncio.run(wait())
    else:
        value = _run_in_thread(lambda: asyncio.run(wait()))
    if failure:
        raise failure[0]
    return value


def _run_in_thread(call: Callable[[], Any]) -> Any:
    outcome: list[Any] = []
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: outcome.append(context.run(call)), name="sinchfn-async")
    thread.start()
    thread.join()
    return outcome[0]
