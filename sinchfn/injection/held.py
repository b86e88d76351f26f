"""Held: one service that was made, and how it is closed."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncContextDecorator
from functools import partial
from typing import Any, NamedTuple

from ..errors import FunctionError
from .recipes import async_generator

_log = logging.getLogger("sinchfn")


class Ending:
    """How the lifetime of some services ends. They share it, so that each sees what came before it."""

    __slots__ = ("error", "failure", "interruptions", "is_strict")

    def __init__(self, *, is_strict: bool) -> None:
        #: Whether a service that cannot finish its work, such as a commit, fails what it was made for.
        self.is_strict = is_strict
        #: What the services see: the exception that ended the request, or that of a service that failed to finish.
        self.error: BaseException | None = None
        #: What a service raised when all had gone well before.
        self.failure: BaseException | None = None
        #: What ends the process, such as a ``KeyboardInterrupt``, where a request does not come in between.
        self.interruptions: list[BaseException] = []


class _Closer(NamedTuple):
    """One step of a closing. It is given the exception that the request ended with, or None."""

    run: Callable[[BaseException | None], object]
    #: whether it finishes the work of the service, rather than free what it holds
    finishes: bool


class Held:
    """A service, and what is to be done at its end. A context manager, for that is what svcs closes."""

    __slots__ = ("_closers", "_ending", "_name", "value")

    def __init__(self, name: str, result: Any, taken: Sequence[Any], ending: Ending) -> None:
        """Hold what a factory returned: await, enter or start it first, as need be.

        :param taken: what the factory was given; if it returns one of these, that is not its own to close.
        :raises FunctionError: the factory made nothing, or an async generator.
        """
        self._name = name
        self._ending = ending
        self.value, self._closers = _opened(name, result, taken)
        if self.value is None:
            self.close()
            raise FunctionError(
                f"The factory of {name} made None. Return the service; where there is none, do not register it, and "
                f"write {name} | None where it is wanted."
            )

    def close(self) -> None:
        """Close it, once, also if several threads come. What it raises is kept in the ending, or logged."""
        while self._closers:
            try:
                closer = self._closers.pop()
            except IndexError:  # another thread was faster
                return
            self._guarded(closer)

    def _guarded(self, closer: _Closer) -> None:
        told = self._ending.error
        trace = None if told is None else told.__traceback__
        try:
            closer.run(told)
        except BaseException as error:  # the others have to be closed all the same
            if error is not told:
                self._note(closer, error)
        finally:
            if told is not None:
                told.__traceback__ = trace  # without the frames that it was thrown into

    def _note(self, closer: _Closer, error: BaseException) -> None:
        ending = self._ending
        if ending.is_strict and closer.finishes and ending.error is None:
            error.add_note(f"Raised by the service {self._name} at the end of the request.")
            ending.error = ending.failure = error
            return
        _log.error("%s could not be closed.", self._name, exc_info=error)
        if not ending.is_strict and not isinstance(error, Exception):
            ending.interruptions.append(error)

    def __enter__(self) -> Any:
        return self.value

    def __exit__(self, *_: object) -> None:
        self.close()


def _opened(name: str, result: Any, taken: Sequence[Any]) -> tuple[Any, list[_Closer]]:
    """The service, and what closes it: the last entry first."""
    if inspect.iscoroutine(result):
        result = _awaited(result)
    if inspect.isasyncgen(result) or isinstance(result, AsyncContextDecorator):
        raise FunctionError(async_generator(name))
    if inspect.isgenerator(result):
        return _first(name, result), [_Closer(partial(_finish, name, result), finishes=True)]
    if any(result is each for each in taken):
        return result, []
    if isinstance(result, AbstractContextManager):
        value, leave = result.__enter__(), partial(_leave, result)
    elif isinstance(result, AbstractAsyncContextManager):
        value, leave = _awaited(result.__aenter__()), partial(_leave_async, result)
    else:
        return result, [_Closer(partial(_close, result), finishes=False)]
    left = _Closer(leave, finishes=True)
    # Some are still open when they are left: a connection of sqlite3 has only committed or rolled back then.
    return value, [_Closer(partial(_close, value), finishes=False), left] if value is result else [left]


def _first(name: str, generator: Generator[Any, Any, Any]) -> Any:
    try:
        return next(generator)
    except StopIteration:
        raise FunctionError(f"The factory of {name} ended without a yield. Write yield before the service.") from None


def _finish(name: str, generator: Generator[Any, Any, Any], error: BaseException | None) -> None:
    try:
        next(generator) if error is None else generator.throw(error)
    except StopIteration:
        return
    except RuntimeError as raised:
        if error is not None and raised.__cause__ is error and isinstance(error, StopIteration):
            return  # it did not catch it: this is how a StopIteration leaves a generator
        raise
    generator.close()
    _log.error(
        "%s could not be closed: its factory yields twice: what comes after the first yield is the clean-up.", name
    )


def _leave(manager: AbstractContextManager[Any], error: BaseException | None) -> None:
    manager.__exit__(*_described(error))


def _leave_async(manager: AbstractAsyncContextManager[Any], error: BaseException | None) -> None:
    _awaited(manager.__aexit__(*_described(error)))


def _described(error: BaseException | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


def _close(service: Any, _: BaseException | None) -> None:
    close = getattr(service, "close", None)
    close = close if callable(close) else getattr(service, "aclose", None)
    if callable(close) and inspect.isawaitable(ended := close()):
        _awaited(ended)


def _awaited(awaitable: Awaitable[Any]) -> Any:
    from ..coroutines import run_async  # brings asyncio, which most do without

    return run_async(awaitable)
