"""Lifetimes: what is made once, for a process or for a request, and closed at its end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import ServiceError
from .held import Ending
from .keys import MISSING
from .locator import Locator
from .makings import Making, Makings
from .recipes import Recipe
from .resolver import Resolver

if TYPE_CHECKING:
    from svcs import Container


#: How messages call them.
OF_PROCESS, OF_REQUEST, OF_OVERRIDE = "the process", "the request", "the override"

#: Seconds that one waits for what another thread makes.
PATIENCE = 60


class Lifetime:
    """The services of one process or of one request. Safe for several threads.

    :param name: how messages call what ends with it.
    :param process: the lifetime of the process, for that of a request.
    """

    def __init__(self, name: str, makings: Makings, locator: Locator, process: Lifetime | None = None) -> None:
        self._name = name
        self._makings = makings
        self._locator = locator
        self._process = process
        self._values: dict[Any, Any] = {}
        self._in_progress: dict[Any, Making] = {}
        #: Service -> what was asked for while it was made.
        self.asked: dict[Any, set[Any]] = {}
        self._container: Container | None = None
        self._ending = Ending(is_strict=process is not None)
        self._is_over = False
        self._is_inherited = False

    def __contains__(self, key: object) -> bool:
        """Whether it was made, or is being made."""
        return key in self._values or key in self._in_progress

    @property
    def is_inherited(self) -> bool:
        """Whether it is that of the process which this one was forked from."""
        return self._is_inherited or (self._process is not None and self._process.is_inherited)

    def get(self, recipe: Recipe, resolver: Resolver) -> Any:
        """The service, made by the first who asks for it; the others wait for that.

        :raises FunctionError: it needs itself, or something that is not there.
        :raises ServiceError: this lifetime is over.
        """
        value = self._values.get(recipe.key, MISSING)
        while value is MISSING:
            value = self._make_or_wait(recipe, resolver)
        return value

    def _make_or_wait(self, recipe: Recipe, resolver: Resolver) -> Any:
        making, is_ours = self._begin(recipe, resolver)
        if making is None:
            return self._values.get(recipe.key, MISSING)
        try:
            return self._make(making) if is_ours else self._wait(making)
        finally:
            self._makings.no_longer_need(making)

    def _begin(self, recipe: Recipe, resolver: Resolver) -> tuple[Making | None, bool]:
        """The making to wait for or to carry out, and whether it is ours; None if it was made in the meantime."""
        self._locator.load()  # before the lock is taken, for it is an import
        with self._makings.lock:
            if self._is_over:
                raise too_late(recipe.name, self._name)
            if recipe.key in self._values:
                return None, False
            begun = self._in_progress.get(recipe.key)
            if begun is not None:
                self._makings.refuse_circle(begun)
                begun.waiting += 1
            making = begun or self._new_making(recipe, resolver)
            self._makings.need(making)
            return making, begun is None

    def _new_making(self, recipe: Recipe, resolver: Resolver) -> Making:
        self._container = self._container or self._locator.container()
        self._in_progress[recipe.key] = made = Making(recipe, resolver, self._container, self._ending)
        return made

    def _wait(self, making: Making) -> Any:
        """What another thread makes; `MISSING` if that was broken off, and is to be tried again."""
        if not making.done.acquire(timeout=PATIENCE):
            raise ServiceError(
                f"{making.recipe.name} is not there: another thread has been making it for more than {PATIENCE} s. "
                "If its factory waits for a thread that asks for it in turn, neither can go on."
            )
        making.done.release()
        if making.failure is not None:
            raise making.failure
        return self._values.get(making.recipe.key, MISSING)

    def _make(self, making: Making) -> Any:
        token = self._makings.current.set(making)
        try:
            value = self._locator.make(making.container, making.recipe.key)
            self._keep(making, value)
        except BaseException as error:
            self._fail(making, error)
            raise
        finally:
            self._makings.current.reset(token)
            making.done.release()
        return value

    def _keep(self, making: Making, value: Any) -> None:
        with self._makings.lock:
            if not self._is_over:
                self._values[making.recipe.key] = value
                self.asked[making.recipe.key] = making.asked
                del self._in_progress[making.recipe.key]
                return
        self._ending.error = refusal = too_late(making.recipe.name, self._name)
        making.container.close()  # it ended in the meantime, and what was made too late must not stay open
        if making.held is not None:
            making.held.close()
        raise refusal

    def _fail(self, making: Making, error: BaseException) -> None:
        with self._makings.lock:
            del self._in_progress[making.recipe.key]  # so that the next one tries again
            if making.waiting and isinstance(error, Exception):
                making.failure = error

    def close(self, error: BaseException | None = None) -> None:
        """Close all that was made, in reverse order. The second time, nothing happens.

        :param error: what the request failed with; the services see it.
        :raises Exception: a service of a request that had not failed could not finish its work. All else that fails is
            logged.
        """
        if self.is_inherited:
            self.bequeath()
            return
        with self._makings.lock:
            self._is_over = True
            container, self._container = self._container, None
            self._values.clear()
            self._ending.error = self._ending.error or error
        if container is not None:
            container.close()
        if self._ending.interruptions:
            raise self._ending.interruptions.pop()
        failure, self._ending.failure, self._ending.error = self._ending.failure, None, None
        if failure is not None:
            raise failure

    def bequeath(self) -> None:
        """In a forked process: leave all of it to the other one, which still uses it.

        It is never freed, not even at the end of this process: there, generators would run their clean-up.
        """
        self._is_inherited = True
        with suppress(ImportError, AttributeError):  # not every Python has it
            import ctypes

            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))


def too_late(service: str, ended: str) -> ServiceError:
    """What to raise for a service that is asked for after its lifetime."""
    return ServiceError(
        f"{service} was asked for after the end of {ended}, which its services ended with. "
        "Ask for it before, and do not use it afterwards."
    )
