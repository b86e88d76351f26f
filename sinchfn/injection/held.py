"""Held: one service that was made, and how it is closed."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractContextManager, AsyncContextDecorator
from functools import partial
from typing import Any

from ..errors import FunctionError
from .recipes import async_generator

_log = logging.getLogger("sinchfn")


class Held:
    """A service, and what is to be done at its end. A context manager, for that is what svcs closes."""

    __slots__ = ("_closers", "_interruptions", "_name", "value")

    def __init__(self, name: str, result: Any, taken: Sequence[Any], interruptions: list[BaseException]) -> None:
        """Hold what a factory returned: await, enter or start it first, as need be.

        :param taken: what the factory was given; if it returns one of these, that is not its own to close.
        :param interruptions: takes what ends more than the closing of one service, such as a ``KeyboardInterrupt``.
        :raises FunctionError: the factory made nothing, or an async generator.
        """
        self._name = name
        self._interruptions = interruptions
        self.value, self._closers = _opened(name, result, taken)
        if self.value is None:
            self.close()
            raise FunctionError(
                f"The factory of {name} made None. Return the service; where there is none, do not register it, and "
                f"write {name} | None where it is wanted."
            )

    def close(self) -> None:
        """Close it, once, also if several threads come. An error is logged and does not come out."""
        while self._closers:
            try:
                closer = self._closers.pop()
            except IndexError:  # another thread was faster
                return
            self._guarded(closer)

    def _guarded(self, closer: Callable[[], object]) -> None:
        try:
            closer()
        except BaseException as error:  # the others have to be closed all the same
            _log.exception("%s could not be closed.", self._name)
            if not isinstance(error, Exception):
                self._interruptions.append(error)

    def __enter__(self) -> Any:
        return self.value

    def __exit__(self, *_: object) -> None:
        self.close()


def _opened(name: str, result: Any, taken: Sequence[Any]) -> tuple[Any, list[Callable[[], object]]]:
    """The service, and what closes it: the last entry first."""
    if inspect.iscoroutine(result):
        result = _awaited(result)
    if inspect.isasyncgen(result) or isinstance(result, AsyncContextDecorator):
        raise FunctionError(async_generator(name))
    if inspect.isgenerator(result):
        return _first(name, result), [partial(_finish, result)]
    if any(result is each for each in taken):
        return result, []
    if not isinstance(result, AbstractContextManager):
        return result, [partial(_close, result)]
    value = result.__enter__()
    leave = partial(result.__exit__, None, None, None)
    # Some are still open when they are left: a connection of sqlite3 has only committed then.
    return value, [partial(_close, value), leave] if value is result else [leave]


def _first(name: str, generator: Generator[Any, Any, Any]) -> Any:
    try:
        return next(generator)
    except StopIteration:
        raise FunctionError(f"The factory of {name} ended without a yield. Write yield before the service.") from None


def _finish(generator: Generator[Any, Any, Any]) -> None:
    try:
        next(generator)
    except StopIteration:
        return
    generator.close()
    raise RuntimeError("its factory yields twice: what comes after the first yield is the clean-up")


def _close(service: Any) -> None:
    close = getattr(service, "close", None)
    if callable(close) and inspect.isawaitable(ended := close()):
        _awaited(ended)


def _awaited(awaitable: Awaitable[Any]) -> Any:
    from ..coroutines import run_async  # brings asyncio, which most do without

    return run_async(awaitable)
