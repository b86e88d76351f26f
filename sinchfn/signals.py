"""Every signal: what code outside a handler can listen to.

The sender is the Flask app; the keyword ``invocation`` is the call at hand (``invocation.function`` tells functions in
one app apart)::

    from sinchfn import signals

    @signals.usage_recorded.connect
    def _bill(app, invocation, record):
        ...

Receivers come after the platform's own hooks and can neither stop nor reorder them. Each is guarded: one that raises
is logged, and the call goes on. They run in no fixed order. Unlike blinker's own signals, these keep their receivers
until they are disconnected: a lambda or a nested function does not vanish. Pass ``weak=True`` for blinker's way. A
receiver is a plain function: an async one is refused when it is connected.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from blinker import ANY, NamedSignal

_log = logging.getLogger("sinchfn")


Receiver = TypeVar("Receiver", bound=Callable[..., Any])


class GuardedSignal(NamedSignal):
    """A signal whose receivers cannot disturb the sender, nor each other."""

    def connect(self, receiver: Receiver, sender: Any = ANY, weak: bool = False) -> Receiver:
        """Call `receiver` whenever this signal is sent.

        :param receiver: a plain function, method or other callable: ``receiver(app, invocation=..., ...)``.
        :param sender: a Flask app, to hear only of its functions; default: any app.
        :param weak: hold the receiver weakly, as blinker does by default: it is disconnected when nothing else
            refers to it.
        :raises TypeError: it is not callable, or a call would not run its body: it is async, or a generator.
        """
        if problem := _problem_of(receiver):
            raise TypeError(
                f"signals.{self.name}.connect() got {_name_of(receiver)}, which {problem}. "
                "A receiver is a plain function: def receiver(app, invocation, **more)."
            )
        return super().connect(receiver, sender, weak)

    def send(
        self, sender: Any | None = None, /, *, _async_wrapper: Any = None, **kwargs: Any
    ) -> list[tuple[Callable[..., Any], Any]]:
        if not self.receivers or self.is_muted:
            return []
        return [(receiver, self._guarded(receiver, sender, kwargs)) for receiver in self.receivers_for(sender)]

    def _guarded(self, receiver: Callable[..., Any], sender: Any, kwargs: dict[str, Any]) -> Any:
        try:
            value = receiver(sender, **kwargs)
            if inspect.iscoroutine(value):
                value.close()
                raise TypeError("a receiver cannot be async: a signal does not await its receivers")  # noqa: TRY301
            return value
        except BaseException:  # also sys.exit(): it must not end the request that it only listens to
            name = _name_of(receiver)
            _log.exception("The receiver %s of the signal %s failed; the call goes on.", name, self.name)
            return None


def _problem_of(receiver: object) -> str:
    """Return the reason why a call of the receiver would not run it, or an empty text."""
    if not callable(receiver):
        return "is not callable"
    called: Any = receiver
    while isinstance(called, partial):
        called = called.func
    ways = (called, None if inspect.isclass(called) else type(called).__call__)
    if any(inspect.iscoroutinefunction(way) or inspect.isasyncgenfunction(way) for way in ways):
        return "is async: a signal does not await its receivers"
    if any(map(inspect.isgeneratorfunction, ways)):
        return 'is a generator function: because of its "yield", a call does not run it'
    return ""


def _name_of(receiver: object) -> str:
    return getattr(receiver, "__qualname__", None) or repr(receiver)


class PlatformSignal(GuardedSignal):
    """A signal that first runs the platform hooks of the function that is called.

    The hooks are the function's own immutable tuple, not receivers: muting, disconnecting or clearing receivers leaves
    them alone. A hook that raises ends the request.
    """

    def send(
        self, sender: Any | None = None, /, *, _async_wrapper: Any = None, **kwargs: Any
    ) -> list[tuple[Callable[..., Any], Any]]:
        progress = kwargs["invocation"]._progress
        for hook in progress.function.hooks[self.name]:
            hook(progress)
        return super().send(sender, **kwargs) if self.receivers else []


#: an export was found and is about to be called: the request is verified and parsed
before_request = PlatformSignal("before_request", doc="before a handler")
#: the answer is made (``invocation.response``), also if the handler failed
after_request = PlatformSignal("after_request", doc="after a handler")
#: a handler raised; also carries ``error``
handler_failed = GuardedSignal("handler_failed", doc="a handler raised")
#: a usage record was made; also carries ``record``
usage_recorded = GuardedSignal("usage_recorded", doc="a usage record was made")
#: a socket was opened; sent on a thread of its own, before its handler is called
websocket_opened = GuardedSignal("websocket_opened", doc="a socket was opened")
#: a socket was closed and recorded (``invocation.usage``); also on a thread that may wait
websocket_closed = GuardedSignal("websocket_closed", doc="a socket was closed")
