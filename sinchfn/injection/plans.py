"""Plans: what a class or a function wants, read once, by the annotations of its parameters."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import InitVar, dataclass, is_dataclass
from functools import partial
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, get_type_hints

from ..errors import FunctionError, sentence_of
from .keys import MISSING, key_of, without_none

if TYPE_CHECKING:
    from .resolver import Resolver

#: Stands for the annotation of a parameter that has none.
UNANNOTATED = inspect.Parameter.empty

#: Parameters that nothing is put into: ``*args`` and ``**kwargs``.
OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: the service it wants, and what it gets when there is no such service."""

    name: str
    #: what the service is registered under; `MISSING` where the default is all that it can get
    key: Any
    #: `MISSING` where the service has to be there
    fallback: Any
    is_keyword: bool


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
    """What a class's constructor (nothing, if it has no own one) or a function wants.

    Annotations may be strings. ``Annotated`` and ``InitVar`` are taken off; ``Repo | None`` wants a Repo and does with
    ``None``.

    :param what: how messages call the target.
    :param whole: what a function wants by its only required parameter, if that has no annotation.
    :raises FunctionError: a parameter has neither annotation nor default, or an annotation cannot be resolved.
    """
    found = [parameter for parameter in _signature(target, what) if parameter.kind not in OPEN]
    required = [parameter for parameter in found if parameter.default is UNANNOTATED]
    if whole is not None and len(required) == 1 and required[0].annotation is UNANNOTATED:
        found = [each.replace(annotation=whole) if each is required[0] else each for each in found]
    parameters = [_read(parameter, target, what) for parameter in found]
    return Plan(
        target,
        what,
        tuple(parameter for parameter in parameters if not parameter.is_keyword),
        tuple(parameter for parameter in parameters if parameter.is_keyword),
    )


def _signature(target: Callable[..., Any], what: str) -> list[inspect.Parameter]:
    maker = _constructor(target) if isinstance(target, type) else target
    if maker is None:
        return []
    try:
        found = list(_parameters(maker))
    except (TypeError, ValueError) as error:
        raise FunctionError(
            f"{what} cannot be made: its parameters cannot be read ({sentence_of(error)}). "
            "Register it with a function that makes it: services.add_singleton(..., lambda: ...)."
        ) from None
    return found[1:] if maker is not target else found


def _constructor(target: type) -> Any:
    """What makes the class's instances; None if that takes nothing."""
    if target.__init__ is not object.__init__:  # type: ignore[misc] # it is read, and never called
        return target.__init__  # type: ignore[misc]
    return target.__new__ if isinstance(target.__new__, FunctionType) else None


def _parameters(maker: Any) -> Any:
    if sys.version_info >= (3, 14):  # where annotations are computed when they are read, also what cannot be
        from annotationlib import Format

        return inspect.signature(maker, annotation_format=Format.FORWARDREF).parameters.values()
    return inspect.signature(maker).parameters.values()


def _read(parameter: inspect.Parameter, target: Callable[..., Any], what: str) -> Parameter:
    default = MISSING if parameter.default is UNANNOTATED else parameter.default
    is_keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
    if parameter.annotation is UNANNOTATED:
        if default is MISSING:
            raise FunctionError(
                f'{what} cannot be made: its argument "{parameter.name}" has no annotation that says which service it '
                f"wants. Write {parameter.name}: TheService, or give it a default."
            )
        return Parameter(parameter.name, MISSING, default, is_keyword)
    key, does_without = without_none(_annotation(parameter, target, what))
    fallback = None if does_without and default is MISSING else default
    return Parameter(parameter.name, key, fallback, is_keyword)


def _annotation(parameter: inspect.Parameter, target: Callable[..., Any], what: str) -> Any:
    try:
        found = _resolve(parameter.annotation, _namespace(target, parameter))
        found = key_of(_resolve(found.type, {}) if isinstance(found, InitVar) else found)
        hash(found)
    except Exception as error:  # an annotation is code, and may do anything
        shown = parameter.annotation if isinstance(parameter.annotation, str) else repr(parameter.annotation)
        raise FunctionError(
            f'{what} cannot be made: the annotation of its argument "{parameter.name}", {shown}, cannot be resolved '
            f'({sentence_of(error)}). Write a class that the module imports when it runs, not only under "if '
            'TYPE_CHECKING".'
        ) from None
    return found


def _resolve(annotation: Any, namespace: Mapping[str, Any]) -> Any:
    holder = SimpleNamespace(__annotations__={"it": annotation})
    return get_type_hints(holder, dict(namespace), include_extras=True)["it"]


def _namespace(target: Callable[..., Any], parameter: inspect.Parameter) -> Mapping[str, Any]:
    """The names that an annotation may use: of its module, then of its class."""
    while isinstance(target, partial):
        target = target.func
    if isinstance(target, type):
        home = _home(target, parameter)
        return {**vars(home), **_globals_of(_constructor(target)), **_module_of(home)}
    return _globals_of(target)


def _home(target: type, parameter: inspect.Parameter) -> type:
    """The class whose annotation it is: a dataclass repeats those of its bases, which may be of other modules."""
    if is_dataclass(target):
        for base in target.__mro__:
            with suppress(NameError):  # since Python 3.14, for what only type checkers import
                if inspect.get_annotations(base).get(parameter.name) == parameter.annotation:
                    return base
    return target


def _module_of(home: type) -> Mapping[str, Any]:
    return vars(sys.modules[home.__module__]) if is_dataclass(home) and home.__module__ in sys.modules else {}


def _globals_of(function: Any) -> Mapping[str, Any]:
    while isinstance(function, partial):
        function = function.func
    if not hasattr(function, "__globals__") and not inspect.ismethod(function):
        function = type(function).__call__  # an object that can be called
    found: Mapping[str, Any] = getattr(inspect.unwrap(function), "__globals__", {})
    return found
