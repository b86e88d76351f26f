"""The plain functions that a module exports."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..controllers.decorators import ROUTES
from ..errors import FunctionError
from ..places import place_of
from ..signatures import plain_name, scheme_of
from .export import Export, Kind, Reads
from .names import CALLBACKS, is_webhook, spellings_of, words_of

if TYPE_CHECKING:
    from ..invocation import Invocation


@dataclass(frozen=True, slots=True)
class PlainHandler:
    """A function that takes the context and the payload."""

    function: Callable[[Any, Any], Any]

    def __call__(self, invocation: Invocation) -> Any:
        return self.function(invocation.context, invocation.payload)


def function_export(module: ModuleType, name: str, value: Callable[..., Any]) -> Export:
    """The endpoint that a function is.

    :raises FunctionError: it cannot be one.
    """
    if hasattr(value, ROUTES):
        raise FunctionError(
            f'"{name}" ({place_of(value)}) is a function with a route, and routes stand on methods of a controller. '
            "Write it into a class that is built on SinchController; or map it in configure_app: "
            f'app.map_get("{getattr(value, ROUTES)[0].rule}", {name}).'
        )
    _check_arity(module, name, value)
    handler = PlainHandler(value)
    if name in CALLBACKS:
        return Export(name, Kind.VOICE, handler, frozenset((name,)), reads=Reads.CALLBACK)
    if (near := plain_name(name)) in CALLBACKS:  # neither verified nor, to the eye, unguarded
        raise FunctionError(
            f'The handler "{name}" ({place_of(value)}) is not a voice callback: '
            f'its name has to be written "{near}". Name it so, or something else if it is no callback.'
        )
    if is_webhook(name):
        return Export(name, Kind.WEBHOOK, handler, spellings_of(name), services_of(name))
    return Export(name, Kind.HTTP, handler, spellings_of(name))


def services_of(name: str) -> frozenset[str]:
    """Every ``<service>`` of ``/webhook/<service>`` that reaches the webhook of this name.

    Where a scheme guards it, also without any sign of where a word ends: ElevenLabs writes itself in several ways.
    """
    words = words_of(name)[:-1]
    joined = {"".join(words)} if scheme_of(name) else set()
    return spellings_of("_".join(words)) | joined


def takes_two(function: Callable[..., Any]) -> bool:
    """Whether it can be called with a context and a payload. Of what is written in C that is believed."""
    try:
        # The outermost callable is the one that gets called: what it wraps may take other arguments.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return True  # without a signature to look at
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def _check_arity(module: ModuleType, name: str, value: Callable[..., Any]) -> None:
    if not takes_two(value):
        raise FunctionError(
            f'The handler "{name}" ({place_of(value) or module.__file__}) takes '
            f"{inspect.signature(value, follow_wrapped=False)}, "
            f"but a handler takes two arguments: def {name}(context, {payload_name(name)}): ... "
            f"If it is no endpoint, name it _{name} or move it to another file."
        )


def payload_name(name: str) -> str:
    """How the second argument of a handler is called."""
    return "data" if name in CALLBACKS else "request"
