"""The answer to a voice callback: SVAML from the value that its handler returned, checked, with public stream URLs.

Answers of webhooks and HTTP endpoints get public stream URLs too, but are not checked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MethodType
from typing import Any
from urllib.parse import unquote

from flask import Response

from ..errors import AnswerError, did_you_mean, snake_case
from ..function.exports import Export, Reads
from ..function.invocation import Progress
from ..security.stream_tokens import encoded, stream_url
from ..voice.svaml import Made, MenuBuilder, Svaml, SvamlBuilder, check_svaml, is_abandoned, problem_of_built, unused
from ..wire import json
from ..wire.faults import describe_type
from .public_url import public_base
from .responses import JSON, FunctionResponse, dumped, json_response, make_response, to_response
from .unhandled import remedy

#: Callbacks whose answer the platform ignores: what their handlers return is dropped.
UNANSWERED = ("dice", "notify")

#: The answers to callbacks without a handler; every other one gets ``{}``.
WITHOUT_HANDLER: Mapping[str, Mapping[str, Any]] = {"ace": {"action": {"name": "continue"}}}

_log = logging.getLogger("sinchfn")


def without_handler(export: Export) -> Response:
    """Return the answer to a callback for which the function has no handler."""
    return json_response(200, WITHOUT_HANDLER.get(export.meaning, {}))


class CallbackAnswer:
    """The answer to one voice callback.

    :param made: the SVAML that builders made while the handler ran.
    """

    def __init__(self, made: Made, progress: Progress) -> None:
        self._made = made
        self._progress = progress
        self._event = progress.export.meaning
        self._config = progress.services.config

    def response(self, value: Any) -> Response:
        """Return the answer for the value that the handler returned.

        :raises AnswerError: the value is not SVAML, and ``SINCHFN_SVAML`` is ``strict``.
        """
        # The platform logs an error for an empty body, so there is always at least `{}` (Azure-Samples, seen on DICE).
        if value is None or self._event in UNANSWERED:
            self._check_nothing()
            return make_response(200, b"{}", JSON)
        if isinstance(value, dict):
            value = self._builder_of(value) or value
        if isinstance(value, Svaml | SvamlBuilder):
            document = value.build()  # its parts were checked when they were made
            self._check_built(document, value)
            self._lint(document)
            return json_response(200, with_stream_url(document, self._progress))
        if isinstance(value, dict) and "statusCode" not in value:
            return self._from_dict(value)
        return self._from_other(value)

    def _builder_of(self, answer: dict[Any, Any]) -> Svaml | SvamlBuilder | None:
        """Return the builder whose ``build()`` returned this very dict, unless the dict was changed; else None."""
        for source, thing in self._made:
            if thing is answer and isinstance(source, Svaml | SvamlBuilder) and source.build() == answer:
                return source
        return None

    def _from_dict(self, value: dict[Any, Any]) -> Response:
        text = dumped(value)
        passed = self._progress.function.passed
        if not passed.has(self._event, text) and self._is_flawless(value):
            passed.add(self._event, text)
        published = with_stream_url(value, self._progress)
        return make_response(200, text.encode(), JSON) if published is value else json_response(200, published)

    def _from_other(self, value: Any) -> Response:
        if isinstance(value, MethodType) and isinstance(value.__self__, SvamlBuilder | Svaml):
            raise AnswerError(f"it returned the method {value.__name__} without calling it: write .{value.__name__}()")
        if isinstance(value, MenuBuilder):
            raise AnswerError(
                "it returned a menu: return a builder that runs it, such as IceSvamlBuilder().run_menu(menu)"
            )
        response = to_response(_with_url_within(value, self._progress, self._check_built))
        if response.status_code == 200 and not response.is_streamed:
            try:
                answer = json.loads(response.get_data())
            except ValueError:
                answer = value
            if not isinstance(answer, dict):
                raise AnswerError(
                    f"it returned {describe_type(answer)}; "
                    "return the result of a builder, or a dict in the form of SVAML"
                )
            self._is_flawless(answer)
            if (published := with_stream_url(answer, self._progress)) is not answer:
                response.set_data(dumped(published))
        return response

    def _check_nothing(self) -> None:
        """Warn if the handler returned nothing and was expected to return SVAML."""
        if self._event in UNANSWERED:
            return
        if is_abandoned(self._made):
            self._object("return", 'it used a builder and returned None: a "return" seems to be missing')
        elif self._event == "ice" and self._config.is_development:
            _log.warning(
                "%s returned nothing, so the platform does not know what to do with the call.",
                self._progress.export.name,
            )

    def _check_built(self, document: dict[str, Any], value: object) -> None:
        problem = problem_of_built(document, self._event)
        if problem is not None:
            self._object("answer", problem)
        if self._config.is_development:
            for name in unused(self._made, value):
                _log.warning(
                    "%s added %s to a builder and did not use the result. A builder does not change: "
                    "write builder = builder.%s(...)",
                    self._progress.export.name,
                    name,
                    snake_case(name),
                )

    def _is_flawless(self, answer: Any) -> bool:
        """Check SVAML in a dict; return True without a fault or warning.

        :raises AnswerError: it is not in the schema of the platform, and ``SINCHFN_SVAML`` is ``strict``.
        """
        found = check_svaml(answer, self._event)
        name = self._progress.export.name
        for warning in found.warnings:
            _log.warning("The answer of %s: %s", name, warning)
        if not found.faults:
            return self._lint(answer) and not found.warnings
        listed = "; ".join(map(str, found.faults))
        if self._config["SINCHFN_SVAML"] == "strict":
            raise AnswerError(f"its SVAML is not in the platform's schema: {listed}")
        _log.warning("The answer of %s was sent, but is not in the platform's schema: %s", name, listed)
        return False

    def _lint(self, answer: dict[str, Any]) -> bool:
        """In development, warn of parts that a caller would not hear; return True without a warning."""
        if not self._config.is_development:
            return True
        from ..voice.svaml.lint import lint  # only for development

        found = list(lint(answer))
        for doubt in found:
            _log.warning("The answer of %s: %s", self._progress.export.name, doubt)
        return not found

    def _object(self, kind: str, problem: str) -> None:
        """Report a mistake of the handler: an error if ``SINCHFN_SVAML`` is ``strict``, else one warning per handler.

        :raises AnswerError: it is strict.
        """
        if self._config["SINCHFN_SVAML"] == "strict":
            raise AnswerError(problem)
        name, warned = self._progress.export.name, self._progress.function.warned
        if (name, kind) not in warned:
            warned.add((name, kind))
            _log.warning("The answer of %s was sent, but %s. (Said once.)", name, problem.rstrip("."))


def webhook_response(value: Any, progress: Progress) -> Response:
    """Return the answer to a webhook: 200 ``{}`` if its handler returned nothing.

    :raises AnswerError: the value cannot be sent.
    """
    if progress.export.reads is Reads.AGENT_INIT:
        return _initiation_response(value)
    if progress.export.scheme in ("nonce", "sms-nonce") and value is not None:
        from ..webhooks.conversation import ConversationMessage

        if isinstance(value, ConversationMessage):
            _log.warning(
                "%s returned a message, which does not send it: the platform ignores the answer. "
                "Write: message.send(context.conversation)",
                progress.handler_name,
            )
    return json_response(200, {}) if value is None else plain_response(value, progress)


def _initiation_response(value: Any) -> Response:
    from ..webhooks.agents import initiation_answer

    if isinstance(value, FunctionResponse | Response | tuple) or (isinstance(value, dict) and "statusCode" in value):
        return to_response(value)  # an HTTP answer, such as a refusal
    try:
        return json_response(200, initiation_answer(value))
    except (TypeError, ValueError) as error:
        raise AnswerError(f"its answer cannot start a conversation: {error}") from error


def plain_response(value: Any, progress: Progress) -> Response:
    """Return the answer to any other request. SVAML is sent as JSON.

    :raises AnswerError: the value cannot be sent.
    """
    return to_response(_with_url_within(value, progress))


def _with_url_within(
    value: Any, progress: Progress, check: Callable[[dict[str, Any], object], None] | None = None
) -> Any:
    """Return ``value`` with a public stream URL, if SVAML is the answer or its body.

    :param check: called with each document that a builder makes, and the builder.
    """
    if isinstance(value, Svaml | SvamlBuilder):
        document = value.build()
        if check is not None:
            check(document, value)
        return with_stream_url(document, progress)
    if isinstance(value, dict):
        if "statusCode" not in value:
            return with_stream_url(value, progress)
        return {**value, "body": _with_url_within(value["body"], progress, check)} if "body" in value else value
    if isinstance(value, FunctionResponse):
        return replace(value, body=_with_url_within(value.body, progress, check))
    if isinstance(value, tuple) and value:
        return (_with_url_within(value[0], progress, check), *value[1:])
    return value


def with_stream_url(answer: dict[Any, Any], progress: Progress) -> dict[Any, Any]:
    """Return SVAML with the path of a ``connectStream`` turned into a public URL with a token.

    The dict of the handler is not changed. In a whole URL, only what must be percent-encoded changes.
    """
    action = answer.get("action")
    name = str(action.get("name")).lower() if isinstance(action, dict) else ""
    if name == "runmenu":
        _warn_without_pie(progress)
    destination = action.get("destination") if isinstance(action, dict) and name == "connectstream" else None
    endpoint = destination.get("endpoint") if isinstance(destination, dict) else None
    if not isinstance(action, dict) or not isinstance(destination, dict) or not isinstance(endpoint, str):
        return answer
    url = _public_url(endpoint, progress) if endpoint.startswith("/") else encoded(endpoint)
    if url == endpoint:
        return answer
    return {**answer, "action": {**action, "destination": {**destination, "endpoint": url}}}


def _public_url(endpoint: str, progress: Progress) -> str:
    function = progress.function
    path = endpoint.partition("?")[0]
    if not function.has_socket_at(unquote(path)):
        _log.warning(
            "There is no socket at %s, so the call will end there.%s",
            path,
            did_you_mean(path, [socket.path for socket in function.sockets])
            or f' Take it with runtime.on_websocket("{path}", stream) in setup(runtime).',
        )
    if function.stream_key is None:
        _log.warning(
            "The URL of the stream %s carries no token: set VOICE_APPLICATION_SECRET or SINCHFN_STREAM_SECRET.",
            endpoint,
        )
    base = public_base(progress.environ, function)
    return stream_url(base, endpoint, progress.call_id, function.stream_key, function.url_prefix)


def _warn_without_pie(progress: Progress) -> None:
    """Warn once for each handler whose menu has no handler for the caller's choice."""
    function, name = progress.function, progress.export.name
    if "pie" not in function.exports.callbacks and (name, "menu") not in function.warned:
        function.warned.add((name, "menu"))
        _log.warning(
            "%s sends a menu, and no handler takes what the caller chooses. %s (Said once.)",
            name,
            remedy("pie", function.exports),
        )
