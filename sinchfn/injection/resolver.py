"""Resolver: what services are asked of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import FunctionError
from .keys import MISSING, Key, key_of
from .plans import Parameter, Plan

if TYPE_CHECKING:
    from .recipes import Recipe

T = TypeVar("T")


class Resolver(ABC):
    """What services are asked of: the registry itself, or the scope of one request.

    A factory gets it through a parameter with this annotation, or through the only one if that has none. Which it is
    depends on who asks: singletons get the registry, scoped services and controllers get the scope.
    """

    __slots__ = ()

    @abstractmethod
    def _find(self, key: Any) -> Any:
        """The service, made if need be; `MISSING` if there is none of that type."""

    @abstractmethod
    def _scoped(self, recipe: Recipe) -> Any:
        """The service of this request."""

    @abstractmethod
    def _refusal(self, key: Any, plan: Plan | None = None, argument: str = "") -> FunctionError:
        """What to raise for a service that is not there."""

    @abstractmethod
    def __contains__(self, service: object) -> bool:
        """Whether ``get`` knows it."""

    def get(self, service: Key[T]) -> T:
        """The service of this type, made if need be.

        :raises FunctionError: there is none, it is not to be had here, or it needs itself.
        :raises ServiceError: it has been closed, with the request or with the process.

        What its factory raises comes through as it is.
        """
        key = service if isinstance(service, type) else key_of(service)
        found: T = self._find(key)
        if found is MISSING:
            raise self._refusal(key)
        return found

    def arguments(self, plan: Plan) -> tuple[list[Any], dict[str, Any]]:
        """What is to be put into the plan's target, by position and by name.

        :raises FunctionError: a service is not there; also what ``get`` raises.
        """
        positional = [self._value(parameter, plan) for parameter in plan.positional]
        return positional, {parameter.name: self._value(parameter, plan) for parameter in plan.keyword}

    def _value(self, parameter: Parameter, plan: Plan) -> Any:
        value = MISSING if parameter.key is MISSING else self._find(parameter.key)
        if value is MISSING and (value := parameter.fallback) is MISSING:
            raise self._refusal(parameter.key, plan, parameter.name)
        return value

    def construct(self, plan: Plan) -> Any:
        """Call the plan's target with what it wants."""
        positional, by_name = self.arguments(plan)
        return plan.target(*positional, **by_name)
