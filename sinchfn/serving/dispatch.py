"""The dispatcher: one call of one handler, between the platform hooks."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException, InternalServerError

from ..errors import AnswerError, sentence_of
from ..function.exports import Calling, Handler, Kind, Method, Reads
from ..function.invocation import Progress
from ..function.names import CALLBACKS
from ..function.request import comparable, unescaped
from ..function.setup import Middleware
from ..logs.records import current_request, struck_out
from ..logs.redaction import MASK
from ..services.advice import advise
from ..services.coroutines import awaited
from ..services.injection.recipes import Plan
from ..signals import after_request, before_request, handler_failed
from ..voice.fallbacks import error_answer
from ..voice.svaml import MADE
from . import callback_answers as answers
from . import streaming
from .idempotency import handle_once
from .parsing import InvalidRequest, SchemaError
from .responses import error_response, json_response
from .unhandled import UnhandledCallback

#: Calls the handler, or the middleware around it; returns the value of the handler, or something to be awaited.
Inner = Callable[[Progress], Any]

_log = logging.getLogger("sinchfn")


def run(progress: Progress) -> Response:
    """Call one handler between the platform hooks. Whatever fails, there is an answer and a usage record."""
    token = current_request.set(progress)
    try:
        progress.response = response = Dispatch(progress).response()
        after_request.send(progress.app, invocation=progress.invocation)
        return response
    finally:
        current_request.reset(token)


class Dispatch:
    """One call of one handler, from the first hook to the answer."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def response(self) -> Response:
        """Return the answer, whatever fails."""
        try:
            response = self._refusal() or self._call()
            if response.is_streamed:
                streaming.watch(response, self._progress)
            else:
                self._progress.end()  # before the answer is sent, so that a failed commit is not a success
            return response
        except HTTPException as error:
            return self._aborted(error)
        except BaseException as error:  # also SystemExit: a handler must not end the worker, nor escape its record
            return self._failed(error)

    def _refusal(self) -> Response | None:
        """Run the hooks before the handler; return the answer if one of them refuses the request."""
        progress = self._progress
        try:
            before_request.send(progress.app, invocation=progress.invocation)
        except HTTPException as error:
            self._strike_out(error)
            progress.refuse(error, error.description)
            members: dict[str, object] = {}
            if isinstance(error, InvalidRequest) and error.fields:
                members["fields"] = struck_out(error.fields, self._without_secrets)
            elif isinstance(error, UnhandledCallback):
                members = progress.function.told()
            return error_response(error, progress.request_id, **members)
        except SchemaError as failure:
            return self._failed(failure.__cause__ or failure)
        except Exception as error:  # a fault of sinchfn, not of the handler
            progress.fail(error)
            _log.error("A platform hook failed before %s: %s", progress.export.name, sentence_of(error), exc_info=error)
            return error_response(InternalServerError("The request could not be checked."), progress.request_id)
        return None

    def _call(self) -> Response:
        progress, export = self._progress, self._progress.export
        if export.handler is None:
            return answers.without_handler(export)
        if export.kind is Kind.VOICE:
            made: list[tuple[object, object]] = []
            token = MADE.set(made)
            try:
                value = awaited(progress.function.handlers[export](progress))
            finally:
                MADE.reset(token)
            return answers.CallbackAnswer(made, progress).response(value)
        return handle_once(progress, self._handled) if export.reads is Reads.AGENT else self._handled()

    def _handled(self) -> Response:
        progress, export = self._progress, self._progress.export
        value = awaited(progress.function.handlers[export](progress))
        respond = answers.webhook_response if export.kind is Kind.WEBHOOK else answers.plain_response
        return respond(value, progress)

    def _aborted(self, error: HTTPException) -> Response:
        """Answer an HTTP error that the handler raised."""
        progress = self._progress
        try:
            self._strike_out(error)
            response = error_response(error, progress.request_id)
        except BaseException as broken:
            return self._failed(broken)
        progress.refusal, progress.error = error.description, error
        if response.status_code >= 500:
            progress.fail(error, is_logged=False)
        return (self._spoken() if response.status_code >= 400 else None) or response

    def _failed(self, error: BaseException) -> Response:
        """Answer 500 for an exception of the handler, and log it."""
        progress = self._progress
        progress.fail(error)
        name = progress.handler_name
        if isinstance(error, AnswerError):
            _log.error("The handler %s returned an invalid response: %s.", name, str(error).rstrip("."))
        else:
            advise(error)
            _log.error("The handler %s raised %s", name, sentence_of(error), exc_info=error)
        handler_failed.send(progress.app, invocation=progress.invocation, error=error)
        if (spoken := self._spoken()) is not None:
            return spoken
        details: dict[str, str] = {}
        if progress.services.config.is_development:
            said = " ".join((sentence_of(error), *getattr(error, "__notes__", ())))
            details["detail"] = self._without_secrets(said)
        return error_response(InternalServerError("The function failed."), progress.request_id, **details)

    def _spoken(self) -> Response | None:
        """Return the sentence that the caller hears when a callback fails; None if it is not set or not heard."""
        export = self._progress.export
        message = self._progress.services.config["SINCHFN_VOICE_ERROR_MESSAGE"]
        if not message or export.kind is not Kind.VOICE:
            return None
        is_heard = export.meaning in CALLBACKS and export.meaning not in answers.UNANSWERED
        return json_response(200, error_answer(message).build()) if is_heard else None

    def _strike_out(self, error: HTTPException) -> None:
        if isinstance(error.description, str):
            error.description = self._without_secrets(error.description)

    def _without_secrets(self, text: str) -> str:
        """Return the text of an error for the caller: secrets struck out, except those that the request itself holds.

        Striking those out would tell the sender of a guess that the guess is right.
        """
        clean = self._progress.redact(text)
        if clean == text:
            return text
        sent = self._progress.incoming.sent_text()
        told, *others = clean.split(MASK)
        position = len(told)
        for part in others:
            end = text.find(part, position) if part else len(text)
            struck = text[position:end]
            is_sent = any(comparable(way) in sent for way in (struck, unescaped(struck)))
            told += (struck if is_sent else MASK) + part
            position = end + len(part)
        return told


def caller_of(handler: Handler, plans: Mapping[type, Plan]) -> Inner:
    """Return a function that calls a handler: with the context and the payload, or as a method of a new controller.

    :param plans: how each controller is made.
    """
    if handler.calling is Calling.FUNCTION:
        function: Callable[..., Any] = handler.function  # type: ignore[assignment]  # a handler of this style has one

        def call(progress: Progress) -> Any:
            positional, named = progress.arguments
            return function(progress.context, progress.payload, *positional, **named)

    elif handler.calling is Calling.METHOD:

        def call(progress: Progress) -> Any:
            method = handler.methods.get(progress.event_name or "")
            return None if method is None else _bound(method, plans, progress)(progress.payload)

    else:
        [only] = handler.methods.values()

        def call(progress: Progress) -> Any:
            positional, named = progress.arguments
            return _bound(only, plans, progress)(*positional, **named)

    return call


def _bound(method: Method, plans: Mapping[type, Plan], progress: Progress) -> Any:
    """Return the method of a new controller, whose base class knows the call before ``__init__`` runs."""
    kind: Any = method.controller
    made = kind.__new__(kind)
    vars(made)["_invocation"] = progress  # into its dict, because the class may be a frozen dataclass
    plan = plans[kind]
    if plan.parameters:
        plan.initialize(made, progress.context.services)
    else:
        made.__init__()
    return getattr(made, method.name)


def wrapped(handler: Inner, middleware: tuple[Middleware, ...]) -> Inner:
    """Return ``handler`` with all middleware around it, the first one outermost."""
    if middleware:
        handler = _noted(handler)
    for layer in reversed(middleware):
        handler = _layer(layer, handler)
    return handler


def _noted(handler: Inner) -> Inner:
    """Keep the exception of the handler for the services of the request, even if the middleware swallows it."""

    async def noted_later(value: Awaitable[Any], progress: Progress) -> Any:
        try:
            return await value
        except BaseException as error:
            progress.error = error
            raise

    def run(progress: Progress) -> Any:
        progress.error = None  # middleware may call the handler again
        try:
            value = handler(progress)
        except BaseException as error:
            progress.error = error
            raise
        return noted_later(value, progress) if inspect.isawaitable(value) else value

    return run


def _layer(layer: Middleware, inner: Inner) -> Inner:
    """Return ``inner`` with one middleware around it. In an async one, ``call_next`` is async too."""
    called = type(layer).__call__ if not inspect.isroutine(layer) else layer  # an object may be called as a coroutine
    is_async = any(map(inspect.iscoroutinefunction, (layer, inspect.unwrap(layer), called)))

    def run(progress: Progress) -> Any:
        def call_next(_: object = None) -> Any:
            return awaited(inner(progress))

        async def call_next_async(_: object = None) -> Any:
            value = inner(progress)
            return await value if inspect.isawaitable(value) else value

        return layer(progress.invocation, call_next_async if is_async else call_next)

    return run
