"""One call of one handler, between the platform hooks."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException, InternalServerError

from . import answers, streaming
from .errors import AnswerError
from .exports import CALLBACKS, Kind
from .invocation import Invocation
from .responses import error_response, json_response, to_response
from .services.logs import current_request
from .signals import after_request, before_request, handler_failed
from .voice.answers import error_answer

_log = logging.getLogger("sinchfn")


def run(invocation: Invocation) -> Response:
    """One call of one handler, between the platform hooks. Whatever happens, there is an answer and a record."""
    token = current_request.set(invocation)
    try:
        response = _answer(invocation)
        invocation.answer(response)
        after_request.send(invocation.app, invocation=invocation)
        return response
    finally:
        current_request.reset(token)


def _answer(invocation: Invocation) -> Response:
    try:
        response = _refusal(invocation) or _call(invocation)
        if response.is_streamed:
            streaming.watch(response, invocation)
        return response
    except HTTPException as error:
        return _aborted(invocation, error)
    except BaseException as error:  # also SystemExit: a handler must not end the worker, nor get past the record
        return _failed(invocation, error)


def _refusal(invocation: Invocation) -> Response | None:
    try:
        before_request.send(invocation.app, invocation=invocation)
    except HTTPException as error:
        invocation.refuse(error.description)
        return error_response(error, invocation.request_id)
    return None


def _aborted(invocation: Invocation, error: HTTPException) -> Response:
    try:
        response = error_response(error, invocation.request_id)
    except BaseException as broken:
        return _failed(invocation, broken)
    if response.status_code < 500:
        return response
    invocation.fail()
    return _spoken(invocation) or response


def _call(invocation: Invocation) -> Response:
    export = invocation.export
    if export.handler is None:
        return answers.without_handler(export)
    value = export.handler(invocation.context, invocation.payload)
    if inspect.isawaitable(value):
        value = run_async(value)
    if export.kind is Kind.VOICE:
        return answers.voice_response(value, invocation)
    if value is None and export.kind is Kind.WEBHOOK:
        return json_response(200, {})
    return to_response(value)


def run_async(awaitable: Awaitable[Any]) -> Any:
    """The result of an async handler.

    It runs on a loop of its own in this thread, so that what blocks in one call (the services are synchronous) cannot
    hold up another. Where a loop is running in this thread already, as under gevent, it gets a thread of its own.
    """

    failure: list[BaseException] = []

    async def wait() -> Any:
        try:
            return await awaitable
        except BaseException as error:  # SystemExit and its kind would tear the loop down with its tasks in it
            failure.append(error)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        value = asyncio.run(wait())
    else:
        value = _run_in_thread(lambda: asyncio.run(wait()))
    if failure:
        raise failure[0]
    return value


def _run_in_thread(call: Callable[[], Any]) -> Any:
    outcome: list[Any] = []
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: outcome.append(context.run(call)), name="sinchfn-async")
    thread.start()
    thread.join()
    return outcome[0]


def _failed(invocation: Invocation, error: BaseException) -> Response:
    invocation.fail()
    name = invocation.export.name
    if isinstance(error, AnswerError):
        _log.error("The handler %s cannot be answered for: %s.", name, error)
    else:
        _log.error("The handler %s raised %s.", name, type(error).__name__, exc_info=error)
    handler_failed.send(invocation.app, invocation=invocation, error=error)
    failure = InternalServerError("The function failed.")
    return _spoken(invocation) or error_response(failure, invocation.request_id, **_details(invocation, error))


def _spoken(invocation: Invocation) -> Response | None:
    """The sentence that a caller hears when a callback fails; None if none is set, or nobody is listening."""
    message = invocation.function.config["SINCHFN_VOICE_ERROR_MESSAGE"]
    name = invocation.export.name
    if not message or name not in CALLBACKS or name in answers.UNANSWERED:
        return None
    return json_response(200, error_answer(message).build())


def _details(invocation: Invocation, error: BaseException) -> dict[str, str]:
    if not invocation.function.config.is_development:
        return {}
    try:
        sentence = f"{type(error).__name__}: {error}"
    except BaseException:  # an exception whose own text fails
        sentence = type(error).__name__
    return {"detail": invocation.function.redact(sentence)}
