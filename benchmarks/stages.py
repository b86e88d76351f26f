"""The time that each stage of a request takes in sinchfn, measured from outside by wrapping functions."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from flask import Flask

#: Stage -> the functions that are wrapped for it, as module and attribute. A name that does not exist is left out of
#: the table, and its time counts for the stage around it.
POINTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "see the request": (("sinchfn.app.view", "Incoming"),),
    "route": (("sinchfn.app.view", "FunctionView._event"), ("sinchfn.app.view", "route")),
    "make the invocation": (("sinchfn.app.view", "Progress"),),
    "answer and check": (
        ("sinchfn.serving.callback_answers", "CallbackAnswer.response"),
        ("sinchfn.serving.dispatch", "to_response"),
    ),
    "write the response": (("sinchfn.serving.responses", "PlainResponse.__call__"),),
}

#: Platform hook -> stage.
HOOKS: Mapping[str, str] = {
    "read_body": "read the body",
    "verify_signature": "signature",
    "check_basic_auth": "Basic auth",
    "parse_payload": "parse",
    "record_usage": "usage record",
    "add_headers": "headers",
    "log_request": "log line",
}

FLASK, VIEW, HANDLER = "Flask's own rest", "the view's own rest", "handler"

#: The stages in the order they run in. The rests come last.
ORDER = (
    "see the request",
    "route",
    "make the invocation",
    "read the body",
    "signature",
    "Basic auth",
    "parse",
    HANDLER,
    "answer and check",
    "usage record",
    "headers",
    "log line",
    "write the response",
    VIEW,
    FLASK,
)


class Stopwatch:
    """Adds up the time of each stage, without the stages inside it and without the time of the measurement."""

    def __init__(self) -> None:
        #: the stages that have a wrapped function
        self.stages: set[str] = set()
        self._own: Counter[str] = Counter()
        self._inside: list[list[float]] = []
        self._begin = self._end = 0.0
        self._calibrate()

    def reset(self) -> None:
        self._own.clear()

    def microseconds(self, stage: str, requests: int) -> float:
        """Return the time of a stage per request."""
        return max(0.0, self._own[stage] / requests * 1e6)

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` with its time added to ``stage``."""
        self.stages.add(stage)
        inside, own, clock = self._inside, self._own, time.perf_counter

        def timed(*args: Any, **kwargs: Any) -> Any:
            inner = [0.0, 0]
            inside.append(inner)
            start = clock()
            try:
                return function(*args, **kwargs)
            finally:
                taken = clock() - start
                inside.pop()
                own[stage] += taken - inner[0] - inner[1] * self._end - self._begin
                if inside:
                    inside[-1][0] += taken
                    inside[-1][1] += 1

        return timed

    def _calibrate(self) -> None:
        # The cost of a wrapper: within the time that it measures, and outside of it, where it counts for the caller.
        # The least of some batches: on a busy machine the others are too long.
        nothing = self.wrap("", lambda: None)
        batches = [self._batch(nothing) for _ in range(20)]
        self._begin, whole = (min(times) for times in zip(*batches, strict=True))
        self._end = max(0.0, whole - self._begin)
        self.reset()
        self.stages.clear()

    def _batch(self, nothing: Callable[[], None], calls: int = 500) -> tuple[float, float]:
        self.reset()
        start = time.perf_counter()
        for _ in range(calls):
            nothing()
        return self._own[""] / calls, (time.perf_counter() - start) / calls


def watch(app: Flask, stopwatch: Stopwatch) -> list[str]:
    """Wrap the stages of a sinchfn app for good. Return their names in the order they run in."""
    (function,) = app.extensions["sinchfn"]
    for stage, places in POINTS.items():
        for module, path in places:
            _wrap_at(stopwatch, stage, import_module(module), path)
    handlers = {export: stopwatch.wrap(HANDLER, handler) for export, handler in function.handlers.items()}
    _replace(function, "handlers", handlers)
    hooks = {name: tuple(_hook(stopwatch, hook) for hook in table) for name, table in function.hooks.items()}
    _replace(function, "hooks", hooks)
    platform: Any = import_module("sinchfn.serving.hooks")
    platform.AFTER = tuple(_hook(stopwatch, hook) for hook in platform.AFTER)
    platform.SENT = tuple(_hook(stopwatch, hook) for hook in platform.SENT)
    for name, view in app.view_functions.items():
        app.view_functions[name] = stopwatch.wrap(VIEW, view)
    app.wsgi_app = stopwatch.wrap(FLASK, app.wsgi_app)  # type: ignore[method-assign]
    return [stage for stage in ORDER if stage in stopwatch.stages]


def _wrap_at(stopwatch: Stopwatch, stage: str, owner: Any, path: str) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent, None)
    if hasattr(owner, name):
        setattr(owner, name, stopwatch.wrap(stage, getattr(owner, name)))


def _hook(stopwatch: Stopwatch, hook: Callable[..., Any]) -> Callable[..., Any]:
    return stopwatch.wrap(HOOKS.get(hook.__name__, VIEW), hook)


def _replace(value: object, name: str, new: object) -> None:
    object.__setattr__(value, name, new)  # frozen: only a measurement may do this
