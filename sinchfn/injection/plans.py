"""Plans: what a class or a function wants, read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .parameters import Parameter, read_parameters

if TYPE_CHECKING:
    from .resolver import Resolver


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is put into a constructor or a function. Made by ``ServiceContainer.plan``."""

    #: the class or function
    target: Callable[..., Any]
    #: how messages call it
    what: str
    #: what it takes by position, in order
    positional: tuple[Parameter, ...]
    #: what it takes by name only
    keyword: tuple[Parameter, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All that something may be put into."""
        return self.positional + self.keyword

    def initialize(self, made: Any, resolver: Resolver) -> None:
        """Run the constructor of the target on what was made by its ``__new__``, with the services that it wants.

        :raises FunctionError: a service is not there; also what ``resolver.get`` raises.
        """
        positional, by_name = resolver.arguments(self)
        type(made).__init__(made, *positional, **by_name)


def read_plan(target: Callable[..., Any], what: str, *, whole: Any = None) -> Plan:
    """The plan of a class or a function; see `read_parameters`."""
    found = read_parameters(target, what, whole=whole)
    return Plan(
        target,
        what,
        tuple(parameter for parameter in found if not parameter.is_keyword),
        tuple(parameter for parameter in found if parameter.is_keyword),
    )
