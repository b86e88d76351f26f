"""Run async handlers and factories from synchronous code."""

from __future__ import annotations

import contextvars
import importlib
import inspect
import sys
from collections.abc import Awaitable
from typing import Any


def awaited(value: Any) -> Any:
    """Return `value`, or its result if it is awaitable."""
    return run_async(value) if inspect.isawaitable(value) else value


def run_async(awaitable: Awaitable[Any]) -> Any:
    """Run an async handler and return its result.

    It runs on an event loop of its own in this thread, so that blocking calls in one handler (the services are
    synchronous) cannot hold up another. If a loop is running in this thread already, as under gevent, it runs in a
    thread of its own.
    """
    import asyncio  # a tenth of the time to the first answer; most functions do not need it

    failure: list[BaseException] = []

    async def wait() -> Any:
        try:
            return await awaitable
        except BaseException as error:  # SystemExit and the like would stop the loop with its tasks unfinished
            failure.append(error)

    try:
        asyncio.get_running_loop()
        is_running = True
    except RuntimeError:
        is_running = False
    value = _run_in_thread(asyncio.run, wait()) if is_running else asyncio.run(wait())
    if failure:
        raise failure[0]
    return value


def _run_in_thread(function: Any, argument: Any) -> Any:
    """Call the function in a new thread, in this context, and return its result."""
    run = contextvars.copy_context().run
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1, "sinchfn-async") as pool:
            return pool.submit(run, function, argument).result()
    # gevent has replaced all other threads by greenlets, which share one thread and its loop. Not the pool of its hub:
    # that has ten threads, and the handler of a call would hold one for minutes.
    threads = importlib.import_module("gevent.threadpool").ThreadPool(1)
    try:
        return threads.apply(run, (function, argument))
    finally:
        threads.kill()
