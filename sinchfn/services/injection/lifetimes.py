"""Lifetimes: services are made one at a time, kept by svcs, and closed together in reverse order."""

from __future__ import annotations

import inspect
import logging
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncContextDecorator
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ...errors import FunctionError, ServiceError
from ..coroutines import awaited, run_async
from .recipes import MISSING, Recipe, Resolver, async_generator, circle

if TYPE_CHECKING:
    from svcs import Container

_log = logging.getLogger("sinchfn")

#: The names of lifetimes in messages.
OF_PROCESS, OF_REQUEST, OF_OVERRIDE = "the process", "the request", "the override"

#: Seconds that a thread waits for another one that makes a service.
PATIENCE = 60


class Maker:
    """Makes each service once and one at a time. Safe for several threads.

    A thread that wants a new service waits while another thread makes one. While a thread makes a service it can ask
    for others, but not for one that is being made: that would need itself.

    :param lifetime: keeps the services.
    """

    def __init__(self, lifetime: Lifetime) -> None:
        #: Service -> the keys of all that it was made with, directly or not.
        self.needs: dict[Any, set[Any]] = {}
        self.start(lifetime)

    def start(self, lifetime: Lifetime) -> None:
        """Start with nothing made and nothing in the making."""
        self.lifetime = lifetime
        #: Held while a service is made. Services that exist are read without it.
        self.lock = threading.RLock()
        #: The services that are being made, each for the one before it.
        self.makings: list[Making] = []
        #: Thread -> the recipe that it waits for, and the exceptions that this raised meanwhile.
        self.waiting: dict[int, tuple[Recipe, list[Exception]]] = {}

    def lifetime_of(self, key: Any) -> Lifetime:
        """Return the lifetime that keeps the service."""
        return self.lifetime

    def get(self, recipe: Recipe, resolver: Resolver) -> Any:
        """Return the service, made if necessary.

        :raises FunctionError: it needs itself, or a service that is missing.
        :raises ServiceError: its lifetime is over.
        """
        value = self.lifetime_of(recipe.key).values.get(recipe.key, MISSING)
        return self._make(recipe, resolver) if value is MISSING else value

    def _make(self, recipe: Recipe, resolver: Resolver) -> Any:
        making = Making(recipe, current.get())
        lock = self._lock_for(making)
        if not lock.acquire(blocking=False):
            self._wait(lock, recipe)
        try:
            value = self.lifetime_of(recipe.key).values.get(recipe.key, MISSING)
            return self._carry_out(making, resolver) if value is MISSING else value
        except Exception as error:
            for wanted, failures in list(self.waiting.values()):
                if wanted is recipe:
                    failures.append(error)
            raise
        finally:
            lock.release()

    def _lock_for(self, making: Making) -> threading.RLock:
        """Return the lock for a making: that of the service which needs it, in case its factory runs in another thread.

        An async factory does where an event loop is running already.
        """
        needs = making.parent
        while needs is not None and needs not in self.makings:
            needs = needs.parent
        return self.lock if needs is None else needs.lock

    def _wait(self, lock: threading.RLock, recipe: Recipe) -> None:
        """Acquire a lock that another thread holds.

        :raises Exception: that thread tried to make the same service and failed, so it is not tried again.
        """
        failures: list[Exception] = []
        thread = threading.get_ident()
        self.waiting[thread] = recipe, failures
        try:
            if not lock.acquire(timeout=PATIENCE):
                raise ServiceError(
                    f"{recipe.name} is not available: another thread has been making a service "
                    f"({', '.join(making.recipe.name for making in list(self.makings))}) for more than {PATIENCE} s. "
                    "A factory must not wait for a thread that itself asks for a service."
                )
        finally:
            del self.waiting[thread]
        if failures:
            lock.release()
            raise failures[0]

    def _carry_out(self, making: Making, resolver: Resolver) -> Any:
        recipe = making.recipe
        self.lifetime_of(recipe.key).refuse_if_over(recipe)
        makings = self.makings  # kept here because a factory may fork
        path = [each.recipe for each in makings]
        if recipe in path:
            raise FunctionError(circle([each.name for each in [*path[path.index(recipe) :], recipe]]))
        makings.append(making)
        token = current.set(making)
        try:
            positional, by_name = resolver.arguments(recipe.plan)
            result = recipe.plan.target(*positional, **by_name)
            making.result = MadeService(recipe.name, result, [*making.taken, *positional, *by_name.values()])
            self.needs[recipe.key] = self.needs.get(recipe.key, set()) | making.asked
            return self.lifetime_of(recipe.key).keep(recipe, making.result)
        finally:
            current.reset(token)
            makings.remove(making)


class Making:
    """One service that is being made."""

    __slots__ = ("asked", "lock", "parent", "recipe", "result", "taken")

    def __init__(self, recipe: Recipe, parent: Making | None) -> None:
        self.recipe = recipe
        #: The service whose factory asked for this one.
        self.parent = parent
        self.lock = threading.RLock()
        #: The services that it was made with.
        self.taken: list[Any] = []
        #: The keys of these, and of all that they were made with in turn.
        self.asked: set[Any] = set()
        self.result: MadeService | None = None


#: The service that is being made in this context. A variable of the context and not of the thread, because an async
#: factory may run in a thread of its own.
current: ContextVar[Making | None] = ContextVar("sinchfn_making", default=None)


class Lifetime:
    """Services that end together. svcs keeps them and closes them in reverse order.

    :param name: what they end with, in messages.
    :param is_strict: True if a service that cannot finish its work, such as a commit, fails the request.
    """

    __slots__ = (
        "_container",
        "_failure",
        "_interruption",
        "_is_strict",
        "_name",
        "_svcs",
        "error",
        "is_over",
        "values",
    )

    def __init__(self, name: str, svcs: SvcsRegistry, *, is_strict: bool = False) -> None:
        self._name = name
        self._svcs = svcs
        self._is_strict = is_strict
        self._container: Container | None = None
        #: The services by their keys. Read without a lock.
        self.values: dict[Any, Any] = {}
        self.is_over = False
        #: The exception that the services see at their end: that of the request, or of a service that failed to finish.
        self.error: BaseException | None = None
        self._failure: BaseException | None = None
        self._interruption: BaseException | None = None

    def keep(self, recipe: Recipe, made: MadeService) -> Any:
        """Keep a service until the end of this lifetime, and return it.

        :raises FunctionError: the service is None.
        :raises ServiceError: this lifetime has ended while the service was made. The service is closed.
        """
        made.lifetime = self
        if made.service is None:
            made.close()
            raise FunctionError(
                f"The factory of {recipe.name} returned None. Return the service. If it is not always available, do "
                f"not register it then, and write {recipe.name} | None where it is wanted."
            )
        if self._container is None:
            new_container = self._svcs.load()
            self._container = new_container()
        registry = self._container.registry
        if recipe.key not in registry:
            registry.register_factory(recipe.key, just_made)
        service = self.values[recipe.key] = self._container.get(recipe.key)
        try:
            self.refuse_if_over(recipe)
        except ServiceError as refusal:
            self.values.pop(recipe.key, None)
            self.error = refusal
            made.close()
            raise
        return service

    def refuse_if_over(self, recipe: Recipe) -> None:
        """Refuse a service that is wanted after the end of this lifetime.

        :raises ServiceError: this lifetime has ended.
        """
        if self.is_over:
            raise ServiceError(
                f"{recipe.name} was requested after the end of {self._name}, which has closed its services. "
                "Get it before, and do not use it afterwards."
            )

    def close(self, error: BaseException | None = None) -> None:
        """Close all services that were made, in reverse order. The second time, nothing happens.

        :param error: the exception that the request failed with; the services see it.
        :raises Exception: a service of a request that had not failed could not finish its work. Other failures are
            logged.
        """
        self.is_over = True
        self.error = self.error or error
        self.values.clear()
        if self._container is not None:
            self._container.close()
        if self._interruption is not None:
            interruption, self._interruption = self._interruption, None
            raise interruption
        failure, self._failure, self.error = self._failure, None, None
        if failure is not None:
            raise failure

    def failed(self, service: str, error: BaseException, *, is_finishing: bool) -> None:
        """Log an exception that the end of a service raised, or keep it for :meth:`close` to raise.

        :param is_finishing: True if the service was to finish its work, and not only to free what it holds.
        """
        if self._is_strict and is_finishing and self.error is None:
            error.add_note(f"Raised by the service {service} at the end of the request.")
            self.error = self._failure = error
            return
        _log.error("%s could not be closed.", service, exc_info=error)
        if not self._is_strict and not isinstance(error, Exception):
            self._interruption = error  # such as a KeyboardInterrupt: raised when all are closed


class SvcsRegistry:
    """The svcs registry of a function, imported when it is first needed."""

    def __init__(self) -> None:
        self._new_container: Callable[[], Container] | None = None

    def load(self) -> Callable[[], Container]:
        """Return a function that makes containers of the registry."""
        if self._new_container is None:
            with warnings.catch_warnings():  # svcs's integrations warn about packages that are not used here
                warnings.simplefilter("ignore")
                from svcs import Container, Registry
            self._new_container = partial(Container, Registry())
        return self._new_container


def just_made() -> MadeService | None:
    """Return the service that was just made in this context: the factory of all services in the svcs registry."""
    making = current.get()
    return None if making is None else making.result


class MadeService:
    """A service and the steps of its end. svcs enters it to get the service, keeps that, and leaves it at the end."""

    __slots__ = ("_name", "_steps", "lifetime", "service")

    def __init__(self, name: str, result: Any, taken: Sequence[Any]) -> None:
        """Await, enter or start what a factory returned, as needed.

        :param taken: the services that the factory got. If it returns one of them, that is not closed with this one.
        :raises FunctionError: the factory returned an async generator, or a generator that yields nothing.
        """
        self._name = name
        self.lifetime: Lifetime | None = None
        #: The steps, the first one last: a function, what it is called with, and True if it finishes the work of the
        #: service, such as a commit, and does not only free what that holds.
        self._steps: list[tuple[Callable[[Any, BaseException | None], None], Any, bool]] = []
        self.service = self._open(result, taken)

    def _open(self, result: Any, taken: Sequence[Any]) -> Any:
        if inspect.iscoroutine(result):
            result = run_async(result)
        if inspect.isasyncgen(result) or isinstance(result, AsyncContextDecorator):
            raise FunctionError(async_generator(self._name))
        if inspect.isgenerator(result):
            if (service := next(result, MISSING)) is MISSING:
                raise FunctionError(f"The factory of {self._name} ended without a yield. It must yield the service.")
            self._steps.append((self._finish, result, True))
            return service
        if any(result is each for each in taken):
            return result
        service, leave = result, None
        if isinstance(result, AbstractContextManager):
            service, leave = result.__enter__(), result.__exit__
        elif isinstance(result, AbstractAsyncContextManager):
            service, leave = run_async(result.__aenter__()), result.__aexit__
        if service is result:  # also a context manager: a connection of sqlite3 is still open after it was left
            self._steps.append((self._close, service, False))
        if leave is not None:
            self._steps.append((self._leave, leave, True))
        return service

    def close(self) -> None:
        """Take the steps, once, also if several threads try. The lifetime gets the exceptions that they raise."""
        while self._steps:
            try:
                step, subject, is_finishing = self._steps.pop()
            except IndexError:  # another thread was faster
                return
            lifetime = cast(Lifetime, self.lifetime)
            seen = lifetime.error
            trace = None if seen is None else seen.__traceback__
            try:
                step(subject, seen)
            except BaseException as error:  # the others have to be closed all the same
                if error is not seen:
                    lifetime.failed(self._name, error, is_finishing=is_finishing)
            finally:
                if seen is not None:
                    seen.__traceback__ = trace  # without the frames of the generator that it was thrown into

    def _finish(self, generator: Generator[Any, Any, Any], error: BaseException | None) -> None:
        try:
            next(generator) if error is None else generator.throw(error)
        except StopIteration:
            return
        except RuntimeError as raised:
            if error is not None and raised.__cause__ is error and isinstance(error, StopIteration):
                return  # the generator did not catch it: this is how a StopIteration leaves one
            raise
        generator.close()
        _log.error(
            "%s could not be closed: its factory yields twice. What comes after the first yield is the clean-up.",
            self._name,
        )

    @staticmethod
    def _leave(leave: Callable[..., Any], error: BaseException | None) -> None:
        awaited(leave(*((None, None, None) if error is None else (type(error), error, error.__traceback__))))

    @staticmethod
    def _close(service: Any, _: BaseException | None) -> None:
        close = getattr(service, "close", None)
        close = close if callable(close) else getattr(service, "aclose", None)
        if callable(close):
            awaited(close())

    def __enter__(self) -> Any:
        return self.service

    def __exit__(self, *_: object) -> None:
        self.close()
