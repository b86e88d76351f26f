"""Scope: the services of one request."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import Advised, FunctionError
from .keys import MISSING, key_of
from .lifetimes import OF_REQUEST, Lifetime, too_late
from .plans import Plan
from .recipes import Recipe
from .resolver import Resolver

if TYPE_CHECKING:
    from .container import ServiceContainer


class Scope(Resolver, Advised):
    """What one request sees: overrides, its own values, and all services. Safe for several threads.

    Made by ``ServiceContainer.scope``. Whoever made it closes it, or uses it as a context manager. After that, scoped
    services are not to be had any more; singletons and the request's values are.
    """

    __slots__ = ("_given", "_is_over", "_lifetime", "_registry")

    def __init__(self, registry: ServiceContainer, given: Mapping[Any, Any]) -> None:
        self._registry = registry
        self._given = given
        self._lifetime: Lifetime | None = None
        self._is_over = False

    def _find(self, key: Any) -> Any:
        value = self._registry._overrides.in_force.get(key, MISSING)
        if value is MISSING:
            value = self._given.get(key, MISSING)
        if value is MISSING:
            return self._registry._find_for(self, key)
        self._registry._makings.take(key, value)
        return value

    def _scoped(self, recipe: Recipe) -> Any:
        """The service of this request."""
        lifetime = self._lifetime
        if lifetime is None or lifetime.is_inherited:
            lifetime = self._begin(recipe)
        return lifetime.get(recipe, self)

    def _begin(self, recipe: Recipe) -> Lifetime:
        with self._registry._makings.lock:
            if self._is_over:
                raise too_late(recipe.name, OF_REQUEST)
            if self._lifetime is not None and self._lifetime.is_inherited:
                self._lifetime.bequeath()
                self._lifetime = None
            if self._lifetime is None:
                self._lifetime = self._registry._request_lifetime()
            return self._lifetime

    def _refusal(self, key: Any, plan: Plan | None = None, argument: str = "") -> FunctionError:
        return self._registry._refusal_for(key, plan, argument, self._given)

    def __contains__(self, service: object) -> bool:
        return key_of(service) in self._given or service in self._registry

    def close(self, error: BaseException | None = None) -> None:
        """Close the scoped services that were made, in reverse order. It can be called twice.

        :param error: what the request failed with: thrown into generators, and handed to context managers.
        :raises Exception: it did not fail, but a service could not finish its work, such as a commit. The services made
            before that one see the exception too. What fails otherwise is logged.
        """
        with self._registry._makings.lock:
            self._is_over = True
            lifetime = self._lifetime
        if lifetime is not None:
            lifetime.close(error)

    def __enter__(self) -> Scope:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(error)

    def __repr__(self) -> str:
        return f"<Scope of {self._registry!r}>"
