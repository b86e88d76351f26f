"""The exports of controllers: each endpoint of a class, and each webhook that several classes may share."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import FunctionError, place_of
from .controllers import BASES, AgentController, SinchController, SinchConversationController, SinchVoiceController
from .declared_routes import DeclaredRoute, routed_exports
from .exports import Calling, Export, Handler, Kind, Method, Reads
from .names import CALLBACKS, ONLY_A_BASE, services_of, spellings_of
from .overrides import Overrides
from .parameters import LEADING_OF_METHOD
from .routes import PREFIX, ROUTES, OwnRoute, RouteTarget


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that methods of controllers serve."""

    base: type[SinchController]
    #: the methods that may be overridden
    methods: tuple[str, ...]
    #: the plain exports that it replaces
    stands_for: tuple[str, ...]
    reads: Reads
    #: the path to show
    path: str

    def exports(self, controllers: Iterable[type[SinchController]]) -> Iterator[Export]:
        """Yield the export for the methods that all controllers have for this webhook, if there are any.

        :raises FunctionError: two controllers have a method for the same event.
        """
        methods: dict[str, Method] = {}
        for controller in controllers:
            if base_of(controller) is not self.base:
                continue
            for name in Overrides(controller, self.base, self.methods).checked():
                method = Method(controller, name)
                other = methods.setdefault(name, method)
                if other is not method:
                    raise FunctionError(
                        f'"{other.shown}" ({place_of(other.controller)}) and "{method.shown}" '
                        f"({place_of(controller)}) would both be called for the same event. Keep one of them. "
                        f"{ONLY_A_BASE}"
                    )
        if methods:
            is_single = len(self.methods) == 1
            names = (method.shown if is_single else method.controller.__name__ for method in methods.values())
            yield Export(
                "+".join(dict.fromkeys(names)),
                Kind.WEBHOOK,
                Handler(Calling.METHOD, methods=MappingProxyType(methods)),
                frozenset().union(*map(spellings_of, self.stands_for)),
                frozenset().union(*map(services_of, self.stands_for)),
                stands_for=self.stands_for[0],
                reads=self.reads,
                shown_path=self.path,
            )


def _methods_of(base: type[SinchController], *without: str) -> tuple[str, ...]:
    own = (name for name, value in vars(base).items() if inspect.isfunction(value) and not name.startswith("_"))
    return tuple(name for name in own if name not in without)


#: Every webhook that has a controller.
WEBHOOKS = (
    Webhook(
        SinchConversationController,
        _methods_of(SinchConversationController, "create_message", "create_reply", "reply"),
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
    """Return True for a controller class that is not abstract and not one of the base classes here."""
    if not inspect.isclass(value) or inspect.isabstract(value):
        return False
    return issubclass(value, SinchController) and value.__module__ != SinchController.__module__


def base_of(controller: type) -> type[SinchController]:
    """Return the base class that a controller is built on.

    :raises FunctionError: there are several.
    """
    found = [base for base in BASES if issubclass(controller, base)]
    if len(found) > 1:
        raise FunctionError(
            f"{controller.__name__} ({place_of(controller)}) is built on {found[0].__name__} and {found[1].__name__}: "
            "write a class for each; any number of them can stand side by side."
        )
    return found[0] if found else SinchController


def class_exports(controllers: Sequence[type[SinchController]]) -> tuple[list[Export], list[RouteTarget]]:
    """Return the endpoints of controllers, and the targets of their own routes.

    :raises FunctionError: a part of a class cannot be served; the message names the part, its place and the remedy.
    """
    controllers = list(dict.fromkeys(controllers))  # an alias is not a second controller
    for controller in controllers:
        _refuse_ineffective(controller)
    exports = [export for controller in controllers for export in _callbacks(controller)]
    exports += [export for webhook in WEBHOOKS for export in webhook.exports(controllers)]
    own, targets = routed_exports(route for controller in controllers for route in _declared_routes(controller))
    return [*exports, *own], targets


def _refuse_ineffective(controller: type[SinchController]) -> None:
    """Refuse attributes that would have no effect in a class."""
    where = f"{controller.__name__} ({place_of(controller)})"
    auth = vars(controller).get("auth")
    entries = {auth} if isinstance(auth, str) else set(auth) if isinstance(auth, list | tuple | set) else set()
    own = {name for name, value in vars(controller).items() if inspect.isfunction(value)}
    # Only entries that a function's ``auth`` could have: it may also be the user and password for another service.
    if entries & {"*", controller.__name__, *own, *(f"{controller.__name__}.{name}" for name in own)}:
        raise FunctionError(
            f'"auth" in {where} protects nothing there: write it into the function, auth = ["{controller.__name__}"].'
        )
    for name in ("context", "request", "config", "log"):
        if name in getattr(controller, "__dataclass_fields__", {}):
            raise FunctionError(
                f'The field "{name}" of the dataclass {where} would replace self.{name}: rename the field.'
            )
    if inspect.iscoroutinefunction(controller.__init__):
        raise FunctionError(f"__init__ of {where} is async, but constructors are not awaited: write def __init__.")


def _callbacks(controller: type[SinchController]) -> Iterator[Export]:
    if base_of(controller) is not SinchVoiceController:
        return
    for name in Overrides(controller, SinchVoiceController, CALLBACKS).checked():
        method = Method(controller, name)
        yield Export(
            method.shown,
            Kind.VOICE,
            Handler(Calling.METHOD, methods=MappingProxyType({"": method})),
            frozenset((name,)),
            stands_for=name,
            reads=Reads.CALLBACK,
        )


def _declared_routes(controller: type[SinchController]) -> Iterator[DeclaredRoute]:
    """Yield each route of each method, in the order in which they are written."""
    prefix: str = getattr(controller, PREFIX, "")
    for name in dict.fromkeys(name for owner in reversed(controller.__mro__) for name in vars(owner)):
        # The topmost method that has routes: an override need not repeat them.
        routes = next((found for owner in controller.__mro__ if (found := _routes_on(vars(owner).get(name)))), ())
        if routes and not inspect.isfunction(value := inspect.getattr_static(controller, name)):
            raise FunctionError(
                f'"{name}" of {controller.__name__} ({place_of(controller)}) has a route, but is a '
                f"{type(value).__name__}: a route stands on a method, def {name}(self, ...)."
            )
        method = Method(controller, name)
        handler = Handler(Calling.ROUTED, methods=MappingProxyType({"": method}))
        for route in reversed(routes):  # decorators run from the method upwards
            yield DeclaredRoute(method.shown, handler, getattr(controller, name), prefix, route, LEADING_OF_METHOD)


def _routes_on(value: object) -> tuple[OwnRoute, ...]:
    """Return the routes of a method, also inside a property, a class method or a static method."""
    inner = getattr(value, "__func__", None) or getattr(value, "fget", None)
    routes: tuple[OwnRoute, ...] = getattr(value, ROUTES, None) or getattr(inner, ROUTES, None) or ()
    return routes
