"""One call of one handler, between the platform hooks."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException, InternalServerError

from . import answers, streaming
from .coroutines import awaited
from .errors import AnswerError, sentence_of
from .exports import CALLBACKS, Kind, Reads
from .idempotency import handle_once
from .invocation import Invocation
from .parsing import InvalidRequest, SchemaError
from .redaction import MASK
from .requests import comparable, unescaped
from .responses import error_response, json_response
from .services.advice import advise
from .services.logs import current_request, struck_out
from .signals import after_request, before_request, handler_failed
from .unhandled import UnhandledCallback
from .voice.answers import error_answer
from .voice.svaml import MADE

_log = logging.getLogger("sinchfn")


def run(invocation: Invocation) -> Response:
    """One call of one handler, between the platform hooks. Whatever happens, there is an answer and a record."""
    token = current_request.set(invocation)
    try:
        response = _answer(invocation)
        invocation._answer(response)
        after_request.send(invocation.app, invocation=invocation)
        return response
    finally:
        current_request.reset(token)


def _answer(invocation: Invocation) -> Response:
    try:
        response = _refusal(invocation) or _call(invocation)
        if response.is_streamed:
            streaming.watch(response, invocation)
        else:
            invocation._end()  # before it is sent, so that a commit that fails is no success
        return response
    except HTTPException as error:
        return _aborted(invocation, error)
    except BaseException as error:  # also SystemExit: a handler must not end the worker, nor get past the record
        return _failed(invocation, error)


def _refusal(invocation: Invocation) -> Response | None:
    try:
        before_request.send(invocation.app, invocation=invocation)
    except HTTPException as error:
        return _refused(invocation, error)
    except SchemaError as failure:
        return _failed(invocation, failure.__cause__ or failure)
    except Exception as error:  # ours to mend, and not the handler's fault
        invocation._fail(error)
        _log.error("A platform hook failed before %s: %s", invocation.export.name, sentence_of(error), exc_info=error)
        return error_response(InternalServerError("The request could not be checked."), invocation.request_id)
    return None


def _refused(invocation: Invocation, error: HTTPException) -> Response:
    _strike_out(invocation, error)
    invocation._refuse(error.description)
    invocation._raise(error)
    members: dict[str, object] = {}
    if isinstance(error, InvalidRequest) and error.fields:
        members["fields"] = struck_out(error.fields, partial(without_secrets, invocation))
    elif isinstance(error, UnhandledCallback):
        members = invocation.function.told()
    return error_response(error, invocation.request_id, **members)


def _strike_out(invocation: Invocation, error: HTTPException) -> None:
    if isinstance(error.description, str):
        error.description = without_secrets(invocation, error.description)


def without_secrets(invocation: Invocation, text: str) -> str:
    """The text of an error for the caller: secrets struck out, except those that the request itself holds.

    Striking those out would tell the sender of a guess that the guess is right.
    """
    clean = invocation.function.redact(text)
    if clean == text:
        return text
    sent = invocation.incoming.sent_text()
    told, *others = clean.split(MASK)
    position = len(told)
    for part in others:
        end = text.find(part, position) if part else len(text)
        struck = text[position:end]
        is_sent = any(comparable(way) in sent for way in (struck, unescaped(struck)))
        told += (struck if is_sent else MASK) + part
        position = end + len(part)
    return told


def _aborted(invocation: Invocation, error: HTTPException) -> Response:
    try:
        _strike_out(invocation, error)
        response = error_response(error, invocation.request_id)
    except BaseException as broken:
        return _failed(invocation, broken)
    invocation._abort(error.description)
    invocation._raise(error)
    if response.status_code >= 500:
        invocation._fail(error, is_told=False)
    return (_spoken(invocation) if response.status_code >= 400 else None) or response


def _call(invocation: Invocation) -> Response:
    export = invocation.export
    if export.handler is None:
        return answers.without_handler(export)
    return handle_once(invocation, _handled) if export.reads is Reads.AGENT else _handled(invocation)


def _handled(invocation: Invocation) -> Response:
    export = invocation.export
    if export.kind is Kind.VOICE:
        return answers.voice_response(*_called(invocation), invocation)
    value = awaited(invocation.function.handlers[export](invocation))
    respond = answers.webhook_response if export.kind is Kind.WEBHOOK else answers.plain_response
    return respond(value, invocation)


def _called(invocation: Invocation) -> tuple[Any, list[tuple[object, object]]]:
    """What the handler of a callback returned, and what builders made meanwhile."""
    made: list[tuple[object, object]] = []
    token = MADE.set(made)
    try:
        return awaited(invocation.function.handlers[invocation.export](invocation)), made
    finally:
        MADE.reset(token)


def _failed(invocation: Invocation, error: BaseException) -> Response:
    invocation._fail(error)
    name = invocation.handler_name
    if isinstance(error, AnswerError):
        _log.error("The handler %s cannot be answered for: %s.", name, str(error).rstrip("."))
    else:
        advise(error)
        _log.error("The handler %s raised %s", name, sentence_of(error), exc_info=error)
    handler_failed.send(invocation.app, invocation=invocation, error=error)
    failure = InternalServerError("The function failed.")
    return _spoken(invocation) or error_response(failure, invocation.request_id, **_details(invocation, error))


def _spoken(invocation: Invocation) -> Response | None:
    """The sentence that a caller hears when a callback fails; None if none is set, or nobody is listening."""
    message = invocation.function.config["SINCHFN_VOICE_ERROR_MESSAGE"]
    name = invocation.export.meaning
    if invocation.export.kind is not Kind.VOICE or not message or name not in CALLBACKS or name in answers.UNANSWERED:
        return None
    return json_response(200, error_answer(message).build())


def _details(invocation: Invocation, error: BaseException) -> dict[str, str]:
    if not invocation.function.config.is_development:
        return {}
    return {"detail": without_secrets(invocation, " ".join((sentence_of(error), *getattr(error, "__notes__", ()))))}
