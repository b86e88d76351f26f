"""Async handlers, run to their end from synchronous code."""

from __future__ import annotations

import contextvars
import importlib
import inspect
import sys
from collections.abc import Awaitable
from typing import Any


def awaited(value: Any) -> Any:
    """`value`, or what it comes to if it is to be awaited."""
    return run_async(value) if inspect.isawaitable(value) else value


def run_async(awaitable: Awaitable[Any]) -> Any:
    """The result of an async handler.

    It runs on a loop of its own in this thread, so that what blocks in one call (the services are synchronous) cannot
    hold up another. Where a loop is running in this thread already, as under gevent, it gets a thread of its own.
    """
    import asyncio  # with it, a tenth of the time to the first answer; most functions have no use for it

    failure: list[BaseException] = []

    async def wait() -> Any:
        try:
            return await awaitable
        except BaseException as error:  # SystemExit and its kind would tear the loop down with its tasks in it
            failure.append(error)

    if not _is_loop_running():
        value = asyncio.run(wait())
    else:
        run = contextvars.copy_context().run
        if (make_pool := _gevents_pool()) is not None:
            threads = make_pool(
                1
            )  # not that of its hub, which has ten, and a call's handler would hold one for minutes
            try:
                value = threads.apply(run, (asyncio.run, wait()))
            finally:
                threads.kill()
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(1, "sinchfn-async") as pool:
                value = pool.submit(run, asyncio.run, wait()).result()
    if failure:
        raise failure[0]
    return value


def _gevents_pool() -> Any:
    """What makes real threads where gevent has made greenlets of all others, which share one thread, and its loop."""
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return None
    return importlib.import_module("gevent.threadpool").ThreadPool


def _is_loop_running() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
