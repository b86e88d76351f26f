"""What a voice callback's handler returned becomes SVAML: checked, with its stream paths turned into URLs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MethodType
from typing import Any
from urllib.parse import unquote

from flask import Response

from . import jsontext
from .address import public_base
from .errors import AnswerError, did_you_mean, snake_case
from .exports import Export, Reads
from .function import Function
from .invocation import Invocation
from .responses import JSON, FunctionResponse, described, dumped, json_response, make_response, to_response
from .unhandled import remedy
from .voice.streams import encoded, stream_url
from .voice.svaml import MenuBuilder, Svaml, SvamlBuilder, check_svaml, problem_of_built, unused

#: What builders made while a handler ran; see ``MADE``.
Made = Sequence[tuple[object, object]]

#: Callbacks whose answer the platform ignores: what their handlers return is dropped.
UNANSWERED = ("dice", "notify")

#: What is answered for a callback without a handler; every other one gets ``{}``.
WITHOUT_HANDLER: Mapping[str, Mapping[str, Any]] = {"ace": {"action": {"name": "continue"}}}

_log = logging.getLogger("sinchfn")
_NOTHING = b"{}"


def without_handler(export: Export) -> Response:
    """The answer for a callback that the function has no handler for."""
    return json_response(200, WITHOUT_HANDLER.get(export.meaning, {}))


def voice_response(value: Any, made: Made, invocation: Invocation) -> Response:
    """The answer that a callback handler's return value means.

    :param made: what builders made while it ran.
    :raises AnswerError: it is no SVAML, and ``SINCHFN_SVAML`` is ``strict``.
    """
    # The platform logs an error for an empty body, so there is always at least `{}` (Azure-Samples, seen on DICE).
    if value is None or invocation.export.meaning in UNANSWERED:
        _check_nothing(made, invocation)
        return make_response(200, _NOTHING, JSON)
    if isinstance(value, dict):
        value = _builder_of(value, made) or value
    if isinstance(value, Svaml | SvamlBuilder):
        document = value.build()  # its parts were checked when they were made
        _check_built(document, value, made, invocation)
        _doubt(document, invocation)
        return json_response(200, _with_urls(document, invocation))
    if isinstance(value, dict) and "statusCode" not in value:
        return _from_dict(value, invocation)
    return _checked_response(value, made, invocation)


def _builder_of(answer: dict[Any, Any], made: Made) -> Svaml | SvamlBuilder | None:
    """The builder whose ``build()`` gave `answer`; None if there is none, or the answer was changed since."""
    for source, thing in made:
        if thing is answer and isinstance(source, Svaml | SvamlBuilder) and source.build() == answer:
            return source
    return None


def _check_nothing(made: Made, invocation: Invocation) -> None:
    """A callback that was answered with nothing: was that meant?"""
    event = invocation.export.meaning
    if event in UNANSWERED:
        return
    if made:
        _object_to("return", 'it used a builder and returned None: a "return" seems to be missing', invocation)
    elif event == "ice" and invocation.function.config.is_development:
        _log.warning("%s returned nothing, so the platform does not know what to do with the call.", _name(invocation))


def _check_built(document: dict[str, Any], value: object, made: Made, invocation: Invocation) -> None:
    problem = problem_of_built(document, invocation.export.meaning)
    if problem is not None:
        _object_to("answer", problem, invocation)
    if invocation.function.config.is_development:
        for name in unused(made, value):
            _log.warning(
                "%s added %s to a builder and did not use the result. A builder does not change: "
                "write builder = builder.%s(...)",
                _name(invocation),
                name,
                snake_case(name),
            )


def _object_to(kind: str, problem: str, invocation: Invocation) -> None:
    """A handler went wrong: an error if ``SINCHFN_SVAML`` is ``strict``, else a warning, once for each handler.

    :raises AnswerError: it is strict.
    """
    if invocation.function.config["SINCHFN_SVAML"] == "strict":
        raise AnswerError(problem)
    if (told := (_name(invocation), kind)) not in invocation.function.warned:
        invocation.function.warned.add(told)
        _log.warning("The answer of %s was sent, but %s. (Said once.)", _name(invocation), problem.rstrip("."))


def _doubt(answer: dict[str, Any], invocation: Invocation) -> bool:
    """Warn of what a caller would not hear, in development; whether there was nothing."""
    if not invocation.function.config.is_development:
        return True
    from .voice.svaml.doubts import doubts  # only for development

    found = list(doubts(answer))
    for doubt in found:
        _log.warning("The answer of %s: %s", _name(invocation), doubt)
    return not found


def _name(invocation: Invocation) -> str:
    return invocation.export.name


def webhook_response(value: Any, invocation: Invocation) -> Response:
    """The answer that a webhook handler's return value means: 200 ``{}`` if it is nothing.

    :raises AnswerError: it means none.
    """
    reads = invocation.export.reads
    if reads is Reads.AGENT_INIT:
        return _initiation_response(value)
    if invocation.export.scheme in ("nonce", "sms-nonce") and value is not None:
        _warn_of_unsent(value, invocation)
    return json_response(200, {}) if value is None else plain_response(value, invocation)


def plain_response(value: Any, invocation: Invocation) -> Response:
    """The answer that the return value of a handler means which is no callback: SVAML is sent as JSON.

    :raises AnswerError: it means none.
    """
    return to_response(_with_urls_within(value, invocation))


def _with_urls_within(value: Any, invocation: Invocation) -> Any:
    """`value` with the stream path of SVAML turned into a URL, where the SVAML is the answer or its body."""
    if isinstance(value, Svaml | SvamlBuilder):
        return _with_urls(value.build(), invocation)
    if isinstance(value, dict):
        if "statusCode" not in value:
            return _with_urls(value, invocation)
        return {**value, "body": _with_urls_within(value["body"], invocation)} if "body" in value else value
    if isinstance(value, FunctionResponse):
        return replace(value, body=_with_urls_within(value.body, invocation))
    return (_with_urls_within(value[0], invocation), *value[1:]) if isinstance(value, tuple) and value else value


def _initiation_response(value: Any) -> Response:
    from .agents import initiation_answer

    if isinstance(value, FunctionResponse | Response | tuple) or (isinstance(value, dict) and "statusCode" in value):
        return to_response(value)  # an answer of its own, such as a refusal
    try:
        return json_response(200, initiation_answer(value))
    except (TypeError, ValueError) as error:
        raise AnswerError(f"its answer is no personalisation: {error}") from error


def _warn_of_unsent(value: Any, invocation: Invocation) -> None:
    from .conversation import ConversationMessage

    if isinstance(value, ConversationMessage):
        _log.warning(
            "%s returned a message, which does not send it: the platform ignores what is answered. "
            "Write: message.send(context.conversation)",
            invocation.handler_name,
        )


def _from_dict(value: dict[Any, Any], invocation: Invocation) -> Response:
    text = dumped(value)
    passed = invocation.function.passed
    event = invocation.export.meaning
    if not passed.has(event, text) and _check(value, invocation):
        passed.add(event, text)
    published = _with_urls(value, invocation)
    return make_response(200, text.encode(), JSON) if published is value else json_response(200, published)


def _checked_response(value: Any, made: Made, invocation: Invocation) -> Response:
    if isinstance(value, tuple):
        value = (*(_published(part, made, invocation) for part in value[:1]), *value[1:])
    elif isinstance(value, dict) and "body" in value:
        value = {**value, "body": _published(value["body"], made, invocation)}
    elif isinstance(value, FunctionResponse):
        value = replace(value, body=_published(value.body, made, invocation))
    elif isinstance(value, MethodType) and isinstance(value.__self__, SvamlBuilder | Svaml):
        raise AnswerError(f"it returned the method {value.__name__} without calling it: write .{value.__name__}()")
    elif isinstance(value, MenuBuilder):
        raise AnswerError("it returned a menu: return a builder that runs it, such as IceSvamlBuilder().run_menu(menu)")
    response = to_response(value)
    if response.status_code == 200 and not response.is_streamed:
        answer = _json_of(response, value)
        if not isinstance(answer, dict):
            raise AnswerError(f"it returned {described(answer)}; SVAML is a builder's answer, or a dict in its form")
        _check(answer, invocation)
        if (published := _with_urls(answer, invocation)) is not answer:
            response.set_data(dumped(published))
    return response


def _published(body: Any, made: Made, invocation: Invocation) -> Any:
    if isinstance(body, Svaml | SvamlBuilder):
        document = body.build()
        _check_built(document, body, made, invocation)
        return _with_urls(document, invocation)
    return _with_urls(body, invocation) if isinstance(body, dict) else body


def _json_of(response: Response, value: Any) -> Any:
    try:
        return jsontext.loads(response.get_data())
    except ValueError:
        return value


def _check(answer: Any, invocation: Invocation) -> bool:
    """Whether nothing at all is to be said about the answer."""
    found = check_svaml(answer, invocation.export.meaning)
    name = _name(invocation)
    for warning in found.warnings:
        _log.warning("The answer of %s: %s", name, warning)
    if not found.faults:
        return _doubt(answer, invocation) and not found.warnings
    listed = "; ".join(map(str, found.faults))
    if invocation.function.config["SINCHFN_SVAML"] == "strict":
        raise AnswerError(f"its SVAML is not in the platform's schema: {listed}")
    _log.warning("The answer of %s was sent, but is not in the platform's schema: %s", name, listed)
    return False


def _with_urls(answer: dict[Any, Any], invocation: Invocation) -> dict[Any, Any]:
    """`answer` with the stream path of a ``connectStream`` turned into a URL; the handler's own dict is not changed.

    A whole URL stays what it is, but for what has to be percent-encoded.
    """
    action = answer.get("action")
    name = str(action.get("name")).lower() if isinstance(action, dict) else ""
    if name == "runmenu":
        _warn_of_no_pie(invocation)
    if not isinstance(action, dict) or name != "connectstream":
        return answer
    destination = action.get("destination")
    if not isinstance(destination, dict):
        return answer
    endpoint = destination.get("endpoint")
    if not isinstance(endpoint, str):
        return answer
    url = _public_url(endpoint, invocation) if endpoint.startswith("/") else encoded(endpoint)
    if url == endpoint:
        return answer
    return {**answer, "action": {**action, "destination": {**destination, "endpoint": url}}}


def _public_url(endpoint: str, invocation: Invocation) -> str:
    """The URL of a stream path, with its token."""
    function = invocation.function
    _warn_of_no_socket(endpoint, function)
    if function.stream_key is None:
        _log.warning(
            "The URL of the stream %s carries no token: set VOICE_APPLICATION_SECRET or SINCHFN_STREAM_SECRET.",
            endpoint,
        )
    return stream_url(
        public_base(invocation.environ, function),
        endpoint,
        invocation.call_id,
        function.stream_key,
        function.url_prefix,
    )


def _warn_of_no_pie(invocation: Invocation) -> None:
    """Once for each handler: what the caller chooses in its menu will be a 404."""
    function, told = invocation.function, (_name(invocation), "menu")
    if "pie" not in function.exports.callbacks and told not in function.warned:
        function.warned.add(told)
        _log.warning(
            "%s sends a menu, and no handler takes what the caller chooses. %s (Said once.)",
            told[0],
            remedy("pie", function.exports),
        )


def _warn_of_no_socket(endpoint: str, function: Function) -> None:
    path = endpoint.partition("?")[0]
    if function.has_socket_at(unquote(path)):
        return
    known = [socket.path for socket in function.sockets]
    _log.warning(
        "There is no socket at %s, so the call will end there.%s",
        path,
        did_you_mean(path, known) or f' Take it with runtime.on_websocket("{path}", stream) in setup(runtime).',
    )
