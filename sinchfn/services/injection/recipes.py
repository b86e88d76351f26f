"""Recipes: the keys of services, how each service is made, and for how long it lives."""

from __future__ import annotations

import inspect
import sys
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import InitVar, dataclass, is_dataclass
from enum import Enum
from functools import partial, reduce
from operator import or_
from types import FunctionType, SimpleNamespace
from typing import Annotated, Any, Final, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from ...errors import FunctionError, sentence_of

T = TypeVar("T")

#: The key of a service, mostly a class, and the type of the service. Not ``type[T]``, because type checkers refuse
#: abstract classes and protocols there.
Key = Callable[..., T]


class Missing(Enum):
    """The type of ``MISSING``."""

    MISSING = "missing"


#: A marker for a missing value, because ``None`` may be a value.
MISSING: Final = Missing.MISSING

#: The annotation of a parameter without one.
UNANNOTATED = inspect.Parameter.empty


class ServiceKind(Enum):
    """The three lifetimes of services."""

    #: neither made nor closed here
    VALUE = "value"
    #: made once per process
    SINGLETON = "singleton"
    #: made once per request
    SCOPED = "scoped"


class Recipe:
    """The recipe of one service."""

    def __init__(self, key: Any, kind: ServiceKind, *, factory: Any = None, value: Any = None) -> None:
        self.key = key
        self.kind = kind
        #: None for a value.
        self.factory = factory
        self.value = value
        self._plan: Plan | None = None

    @property
    def name(self) -> str:
        """The name of the service in messages."""
        return name_of(self.key)

    @property
    def plan(self) -> Plan:
        """The arguments of the factory. They are read on first use, when all classes of the module exist.

        :raises FunctionError: see ``read_plan``.
        """
        if self._plan is None:
            name = name_of(self.factory)
            if isinstance(self.factory, type):
                self._plan = read_plan(self.factory, name)
            else:
                self._plan = read_plan(self.factory, f"{self.name} (by {name})", whole=Resolver)
        return self._plan


class Resolver(ABC):
    """The object that gives services: the container itself, or the scope of one request.

    A factory gets it through a parameter with this annotation, or through its only parameter if that has none.
    Singletons get the container, scoped services and controllers get the scope.
    """

    __slots__ = ()

    @abstractmethod
    def _find(self, key: Any) -> Any:
        """Return the service, made if necessary, or ``MISSING`` if the key is unknown."""

    @abstractmethod
    def _refusal(self, key: Any, what: str = "", argument: str = "") -> FunctionError:
        """Return the error for an unknown key. `what` has an argument that wants it, unless `what` is empty."""

    @abstractmethod
    def __contains__(self, service: object) -> bool:
        """Return True if ``get`` knows the service."""

    def get(self, service: Key[T]) -> T:
        """Return the service of this type, made if necessary.

        :raises FunctionError: it is not registered, is not available here, or needs itself.
        :raises ServiceError: it was closed with its request or with the process.

        What its factory raises is passed on.
        """
        key = service if isinstance(service, type) else key_of(service)
        found: T = self._find(key)
        if found is MISSING:
            raise self._refusal(key)
        return found

    def arguments(self, plan: Plan) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of the plan's target, by position and by name.

        :raises FunctionError: a service is missing; also what ``get`` raises.
        """
        positional = [self._value(parameter, plan) for parameter in plan.positional]
        return positional, {parameter.name: self._value(parameter, plan) for parameter in plan.keyword}

    def _value(self, parameter: Parameter, plan: Plan) -> Any:
        value = MISSING if parameter.key is MISSING else self._find(parameter.key)
        if value is MISSING and (value := parameter.fallback) is MISSING:
            raise self._refusal(parameter.key, plan.what, parameter.name)
        return value


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: the service it wants, and its value without that service."""

    name: str
    #: the key of the service; ``MISSING`` if the parameter can only get its default
    key: Any
    #: ``MISSING`` if the service is required
    fallback: Any


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The arguments of a constructor or a function. Made by ``ServiceContainer.plan``."""

    #: the class or function
    target: Callable[..., Any]
    #: the name of the target in messages
    what: str
    #: the parameters that are passed by position, in order
    positional: tuple[Parameter, ...]
    #: the parameters that are passed by name
    keyword: tuple[Parameter, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters."""
        return self.positional + self.keyword

    def initialize(self, made: Any, resolver: Resolver) -> None:
        """Run the constructor of the target on an object that its ``__new__`` made.

        :raises FunctionError: a service is missing; also what ``resolver.get`` raises.
        """
        positional, by_name = resolver.arguments(self)
        type(made).__init__(made, *positional, **by_name)


def read_plan(target: Callable[..., Any], what: str, *, whole: Any = None) -> Plan:
    """Read the parameters of a class's constructor or of a function.

    Annotations may be strings. ``Annotated`` and ``InitVar`` are removed; the fallback of ``Repo | None`` is ``None``.

    :param what: the name of the target in messages.
    :param whole: the service for a function's only required parameter, if that has no annotation.
    :raises FunctionError: a parameter has neither annotation nor default, or an annotation cannot be resolved.
    """
    found = _signature(target, what)
    required = [parameter for parameter in found if parameter.default is UNANNOTATED]
    by_position: list[Parameter] = []
    by_name: list[Parameter] = []
    for each in found:
        if whole is not None and required == [each] and each.annotation is UNANNOTATED:
            each = each.replace(annotation=whole)
        (by_name if each.kind is each.KEYWORD_ONLY else by_position).append(_read(each, target, what))
    return Plan(target, what, tuple(by_position), tuple(by_name))


def _signature(target: Callable[..., Any], what: str) -> list[inspect.Parameter]:
    """Return the parameters that services can be passed to."""
    maker = _constructor(target) if isinstance(target, type) else target
    if maker is None:
        return []
    try:
        if sys.version_info >= (3, 14):  # annotations are computed when they are read, and may fail then
            from annotationlib import Format

            signature = inspect.signature(maker, annotation_format=Format.FORWARDREF)
        else:
            signature = inspect.signature(maker)
    except (TypeError, ValueError) as error:
        raise FunctionError(
            f"{what} cannot be made: its parameters cannot be read ({sentence_of(error)}). "
            "Register it with a function that makes it: services.add_singleton(..., lambda: ...)."
        ) from None
    found = list(signature.parameters.values())[0 if maker is target else 1 :]
    return [each for each in found if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def _constructor(target: type) -> Any:
    """Return the method that makes instances of the class; None if it takes no arguments."""
    if target.__init__ is not object.__init__:  # type: ignore[misc] # it is read, and never called
        return target.__init__  # type: ignore[misc]
    return target.__new__ if isinstance(target.__new__, FunctionType) else None


def _read(parameter: inspect.Parameter, target: Callable[..., Any], what: str) -> Parameter:
    default = MISSING if parameter.default is UNANNOTATED else parameter.default
    if parameter.annotation is UNANNOTATED:
        if default is MISSING:
            raise FunctionError(
                f'{what} cannot be made: its argument "{parameter.name}" has no annotation that says which service it '
                f"wants. Write {parameter.name}: TheService, or give it a default."
            )
        return Parameter(parameter.name, MISSING, default)
    try:
        key = _resolve(parameter.annotation, _namespace(target, parameter))
        key = key_of(_resolve(key.type, {}) if isinstance(key, InitVar) else key)
        hash(key)
    except Exception as error:  # an annotation is code, and can raise anything
        shown = parameter.annotation if isinstance(parameter.annotation, str) else repr(parameter.annotation)
        raise FunctionError(
            f'{what} cannot be made: the annotation of its argument "{parameter.name}", {shown}, cannot be resolved '
            f'({sentence_of(error)}). Write a class that the module imports when it runs, not only under "if '
            'TYPE_CHECKING".'
        ) from None
    key, is_optional = without_none(key)
    return Parameter(parameter.name, key, None if is_optional and default is MISSING else default)


def _resolve(annotation: Any, namespace: Mapping[str, Any]) -> Any:
    holder = SimpleNamespace(__annotations__={"it": annotation})
    return get_type_hints(holder, dict(namespace), include_extras=True)["it"]


def _namespace(target: Callable[..., Any], parameter: inspect.Parameter) -> Mapping[str, Any]:
    """Return the names that an annotation can use: those of its class, and those of its module."""
    while isinstance(target, partial):
        target = target.func
    if not isinstance(target, type):
        return _globals_of(target)
    home = target
    if is_dataclass(target):  # it repeats the annotations of its bases, which may be in other modules
        for base in target.__mro__:
            with suppress(NameError):  # Python 3.14: a name that only type checkers import
                if inspect.get_annotations(base).get(parameter.name) == parameter.annotation:
                    home = base
                    break
    module = sys.modules.get(home.__module__) if is_dataclass(home) else None
    return {**vars(home), **_globals_of(_constructor(target)), **(vars(module) if module else {})}


def _globals_of(function: Any) -> Mapping[str, Any]:
    if not hasattr(function, "__globals__") and not inspect.ismethod(function):
        function = type(function).__call__  # an object that can be called
    found: Mapping[str, Any] = getattr(inspect.unwrap(function), "__globals__", {})
    return found


# --- keys -----------------------------------------------------------------------------------------------------------


def key_of(annotation: Any) -> Any:
    """Return the key that an annotation stands for: itself without ``Annotated``."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def is_key(key: Any) -> bool:
    """Return True for classes, generic aliases such as ``Repo[User]``, and ``NewType``."""
    if isinstance(key, type | NewType):
        return key is not type(None)
    return get_origin(key) is not None and not is_union(key)


def is_union(key: Any) -> bool:
    """Return True for ``A | B`` and ``Union[A, B]``."""
    return get_origin(key) in (Union, types.UnionType)


def without_none(key: Any) -> tuple[Any, bool]:
    """Return ``Repo, True`` for ``Repo | None``, and ``Repo, False`` for ``Repo``."""
    wanted = [part for part in get_args(key) if part is not type(None)]
    if not is_union(key) or len(wanted) == len(get_args(key)):
        return key, False
    return (key_of(wanted[0]) if len(wanted) == 1 else reduce(or_, wanted)), True


def name_of(key: Any) -> str:
    """Return the name of a class, an alias or a function in messages: ``Repo``, ``Repo[User]``."""
    if is_union(key):
        return " | ".join(map(name_of, get_args(key)))
    origin = get_origin(key)
    if origin is not None:
        return f"{name_of(origin)}[{', '.join(map(name_of, get_args(key)))}]"
    name = getattr(key, "__qualname__", None) or getattr(key, "__name__", None)
    return name.rpartition("<locals>.")[2] if isinstance(name, str) else repr(key)


def checked_key(service: Any, method: str) -> Any:
    """Return the key to register a service under.

    :raises FunctionError: it cannot be the annotation of one service.
    """
    key = key_of(service)
    if not is_key(key):
        raise FunctionError(
            f"services.{method}({service!r}, ...) does not name a service. Services are registered under their class: "
            f"services.{method}(TheClass, ...)."
        )
    return key


def read_recipe(service: Any, kind: ServiceKind, source: Any) -> Recipe:
    """Return the recipe for a registration.

    :param source: the value, or the factory, or None if the service is a class that makes itself.
    :raises FunctionError: ``service`` cannot be a key, or the factory cannot be called, is abstract, or is an async
        generator.
    """
    method = f"add_{kind.value}"
    key = checked_key(service, method)
    if kind is ServiceKind.VALUE:
        return Recipe(key, kind, value=source)
    factory = source
    if factory is None and not isinstance(key, NewType):
        factory = get_origin(key) or key
    name = name_of(key)
    if not callable(factory):
        raise FunctionError(
            f"services.{method}({name}, {factory!r}) needs a factory, but got a {name_of(type(factory))}. "
            f"To register an object that exists already, write services.add_value({name}, ...)."
        )
    if inspect.isabstract(factory) or getattr(factory, "_is_protocol", False):
        raise FunctionError(
            f"{name_of(factory)} is abstract and cannot be instantiated. "
            f"Write services.{method}({name}, TheClassThatImplementsIt)."
        )
    if inspect.isasyncgenfunction(factory):
        raise FunctionError(async_generator(name))
    return Recipe(key, kind, factory=factory)


# --- messages that several modules need -----------------------------------------------------------------------------


def async_generator(name: str) -> str:
    """Return the message for a factory that is an async generator."""
    return (
        f"The factory of {name} is an async generator: what it opens would end with the event loop that it runs on, "
        "before the service is used. Write it as a function with def and yield."
    )


def circle(names: list[str]) -> str:
    """Return the message for services that need each other in a circle."""
    return (
        f"Services need each other in a circle: {' -> '.join(names)}. "
        "Break it: let one of them take what it needs as an argument of its methods, or ask for it when it is used."
    )
