"""The controllers that a module exports: each endpoint of a class is an export."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..controllers import (
    LEADING_OF_METHOD,
    AgentController,
    EventMethods,
    Method,
    PayloadMethod,
    RoutedMethod,
    SinchController,
    SinchConversationController,
    SinchVoiceController,
    base_of,
    overridden,
    own_routes,
    refuse_foreign,
)
from ..controllers.rules import RouteTarget
from ..errors import FunctionError
from ..places import place_of
from .export import Export, Kind, Reads
from .functions import services_of
from .names import CALLBACKS, spellings_of
from .routes import DeclaredRoute, routed_exports


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that controllers serve by methods of their own."""

    base: type[SinchController]
    #: the methods that may be overridden
    methods: tuple[str, ...]
    #: the plain exports that it stands in the place of
    stands_for: tuple[str, ...]
    reads: Reads
    #: the path to show
    path: str


def _methods_of(base: type[SinchController], *without: str) -> tuple[str, ...]:
    own = (name for name, value in vars(base).items() if inspect.isfunction(value) and not name.startswith("_"))
    return tuple(name for name in own if name not in without)


#: What `SinchConversationController` has beside the methods to override.
OFFERED = ("create_message", "create_reply", "reply", "conversation")

#: Every webhook that has a controller.
WEBHOOKS = (
    Webhook(
        SinchConversationController,
        _methods_of(SinchConversationController, *OFFERED),
        ("conversation_webhook",),
        Reads.CONVERSATION,
        "/webhook/conversation",
    ),
    Webhook(
        AgentController,
        _methods_of(AgentController, "conversation_init"),
        ("elevenlabs_webhook", "eleven_labs_webhook"),
        Reads.AGENT,
        "/webhook/elevenlabs",
    ),
    Webhook(
        AgentController,
        ("conversation_init",),
        ("elevenlabs_init_webhook", "eleven_labs_init_webhook"),
        Reads.AGENT_INIT,
        "/webhook/elevenlabs-init",
    ),
)


def is_controller(value: object) -> bool:
    """Whether it is a controller class, and not one of the four bases, nor an abstract one."""
    if not inspect.isclass(value) or inspect.isabstract(value):
        return False
    return issubclass(value, SinchController) and value.__module__ != SinchController.__module__


def class_exports(controllers: Sequence[type[SinchController]]) -> tuple[list[Export], list[RouteTarget]]:
    """The endpoints of controllers, and the paths of those that have routes of their own.

    :raises FunctionError: a class has something that cannot be served; the message names it, its place and the remedy.
    """
    controllers = list(dict.fromkeys(controllers))  # an alias is no second one
    for controller in controllers:
        _refuse_odd(controller)
    exports = [export for controller in controllers for export in _callbacks(controller)]
    exports += [export for webhook in WEBHOOKS for export in _webhook(webhook, controllers)]
    own, targets = routed_exports(written for controller in controllers for written in _written(controller))
    return [*exports, *own], targets


def _refuse_odd(controller: type[SinchController]) -> None:
    """What stands in a class and would have no effect there."""
    where = f"{controller.__name__} ({place_of(controller)})"
    if _names_of_its_own(controller, vars(controller).get("auth")):
        raise FunctionError(
            f'"auth" in {where} protects nothing there: write it into the function, auth = ["{controller.__name__}"].'
        )
    for name in ("context", "request", "config", "log"):
        if name in getattr(controller, "__dataclass_fields__", {}):
            raise FunctionError(
                f'The field "{name}" of the dataclass {where} is there already, as self.{name}: give it another name.'
            )
    if inspect.iscoroutinefunction(controller.__init__):
        raise FunctionError(f"__init__ of {where} is async, and nobody awaits a constructor: write def __init__.")


def _names_of_its_own(controller: type[SinchController], auth: object) -> bool:
    """Whether `auth` is what a function's ``auth`` may be, and not the user and password of something else."""
    entries = {auth} if isinstance(auth, str) else set(auth) if isinstance(auth, list | tuple | set) else set()
    own = {name for name, value in vars(controller).items() if inspect.isfunction(value)}
    return not entries.isdisjoint({"*", controller.__name__, *own, *(f"{controller.__name__}.{name}" for name in own)})


def _callbacks(controller: type[SinchController]) -> Iterator[Export]:
    if base_of(controller) is not SinchVoiceController:
        return
    refuse_foreign(controller, SinchVoiceController, CALLBACKS)
    for name in overridden(controller, SinchVoiceController, CALLBACKS):
        method = Method(controller, name)
        yield Export(
            method.shown,
            Kind.VOICE,
            PayloadMethod(method),
            frozenset((name,)),
            stands_for=name,
            reads=Reads.CALLBACK,
        )


def _webhook(webhook: Webhook, controllers: Iterable[type[SinchController]]) -> Iterator[Export]:
    """One export for each group of controllers that do not want the same events."""
    methods: dict[str, list[Method]] = {}
    for controller in controllers:
        if base_of(controller) is webhook.base:
            refuse_foreign(controller, webhook.base, webhook.methods)
            for name in overridden(controller, webhook.base, webhook.methods):
                methods.setdefault(name, []).append(Method(controller, name))
    if not methods:
        return
    _refuse_rivals(methods)
    chosen = {name: found[0] for name, found in methods.items()}
    yield Export(
        _name_of(webhook, chosen),
        Kind.WEBHOOK,
        EventMethods(MappingProxyType(chosen)),
        frozenset().union(*map(spellings_of, webhook.stands_for)),
        frozenset().union(*map(services_of, webhook.stands_for)),
        stands_for=webhook.stands_for[0],
        reads=webhook.reads,
        shown_path=webhook.path,
        methods=MappingProxyType({name: method.shown for name, method in chosen.items()}),
    )


def _refuse_rivals(methods: Mapping[str, Sequence[Method]]) -> None:
    for found in methods.values():
        if len(found) > 1:
            raise FunctionError(
                f'"{found[0].shown}" ({place_of(found[0].controller)}) and "{found[1].shown}" '
                f"({place_of(found[1].controller)}) would both be called for the same event. Keep one of them. "
                'A class that is only a base for others begins its name with "_".'
            )


def _name_of(webhook: Webhook, methods: Mapping[str, Method]) -> str:
    if len(webhook.methods) == 1:
        return next(iter(methods.values())).shown
    return "+".join(dict.fromkeys(method.controller.__name__ for method in methods.values()))


def _written(controller: type[SinchController]) -> Iterator[DeclaredRoute]:
    for name, prefix, route in own_routes(controller):
        method = Method(controller, name)
        function = getattr(controller, name)
        yield DeclaredRoute(method.shown, RoutedMethod(method), function, prefix, route, LEADING_OF_METHOD)
