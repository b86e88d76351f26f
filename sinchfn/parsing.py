"""What a body is parsed into for its handler, and what is refused before: as one table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from types import MappingProxyType
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, HTTPException, UnprocessableEntity, UnsupportedMediaType

from .exports import CALLBACKS, Reads
from .invocation import Invocation
from .payloads import JSON_TYPES
from .redaction import brief
from .requests import FORMS, FunctionRequest, is_json
from .routing import segments_of
from .unhandled import UnhandledCallback, unhandled_sentence
from .voice.callbacks import EVENTS

_log = logging.getLogger("sinchfn")

#: How messages call what a callback or webhook gets.
CALLBACK = "A voice callback"
WEBHOOK = "A webhook"

#: Name of the method for an event that there is no other one for.
UNKNOWN = "unknown_event"

#: Of so many fields, on each level, it is told what is wrong with them, and so much of a text: both may be a sender's.
MOST_FIELDS = 50
MOST_OF_A_TEXT = 200


class InvalidRequest(UnprocessableEntity):
    """422: the body or the query is not what the schema of the route says."""

    def __init__(self, faults: Mapping[str, Any]) -> None:
        #: Name of each field -> what is wrong with it.
        self.fields: dict[str, Any] = _cut(faults)
        more = f" and {len(faults) - MOST_FIELDS} more" if len(faults) > MOST_FIELDS else ""
        named = [name for name in self.fields if name != "_schema"]
        what = ", ".join(named[:10]) or "it is not of the form that is wanted"
        super().__init__(f"The request is not valid: {what}{more}.")


def _cut(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name)[:MOST_OF_A_TEXT]: _cut(value[name]) for name in islice(value, MOST_FIELDS)}
    if isinstance(value, list):
        return [_cut(item) for item in value[:MOST_FIELDS]]
    return value[:MOST_OF_A_TEXT] if isinstance(value, str) else value


class SchemaError(Exception):
    """A schema of the function's raised what is no verdict on the request: its cause counts as the handler's."""


def parse_payload(invocation: Invocation) -> None:
    """Parse the body into what the handler gets: 400, 415 and 422 for what cannot be that."""
    PARSERS[invocation.export.reads](invocation)


def _parse_request(invocation: Invocation) -> None:
    invocation._accept(invocation.request)
    if invocation.route.target is not None:
        _bind(invocation)


def _bind(invocation: Invocation) -> None:
    """What the route of an endpoint of the function's own loads."""
    target = invocation.route.target
    assert target is not None  # noqa: S101 - asked by the caller
    parts: dict[str, Any] = {"request": invocation.request}
    faults: dict[str, dict[str, Any]] = {}
    for part, schema, sent in (("query", target.route.query, _queried), ("body", target.route.body, _sent)):
        if schema is not None:
            parts[part] = _loaded(schema, sent(schema, invocation.request), faults.setdefault(part, {}))
    faults = {part: found for part, found in faults.items() if found}
    if faults:
        both = target.route.query is not None and target.route.body is not None
        raise InvalidRequest(faults if both else next(iter(faults.values())))
    invocation._bind(target.parameters.bind(dict(invocation.route.values), parts))


def _loaded(schema: Schema, value: Any, faults: dict[str, Any]) -> Any:
    try:
        return schema.load(value)
    except ValidationError as error:
        faults.update(error.messages if isinstance(error.messages, dict) else {"_schema": error.messages})
    except (OverflowError, RecursionError):  # out of a field: a number or a nesting that it cannot take
        faults["_schema"] = ["Invalid value."]
    except HTTPException:
        raise
    except Exception as error:
        raise SchemaError from error
    return None


def _queried(schema: Schema, request: FunctionRequest) -> dict[str, Any]:
    """The values that the schema knows; all of them if it says itself what is to be done with others."""
    others = request.args.to_dict() if _judges_unknown(schema) else {}
    return others | _known(schema, request.args)


def _judges_unknown(schema: Schema) -> bool:
    return schema.unknown != RAISE or any("unknown" in vars(meta) for meta in type(schema).Meta.__mro__)


def _known(schema: Schema, args: MultiDict[str, str]) -> dict[str, Any]:
    """The values that a schema knows: a list for a field that is one, of any other the first value."""
    known = {field.data_key or name: field for name, field in schema.load_fields.items()}
    return {
        name: args.getlist(name) if isinstance(field, fields.List | fields.Tuple) else args[name]
        for name, field in known.items()
        if name in args
    }


def _sent(schema: Schema, request: FunctionRequest) -> Any:
    """The fields of a form, else the value of the JSON; of an empty body an empty object, for the schema to judge."""
    if request.content_type.partition(";")[0].strip().lower() in FORMS:
        return request.form.to_dict() | _known(schema, request.form)
    if request.content_type and not is_json(request.content_type):
        raise UnsupportedMediaType(
            f"This takes JSON or a form, and came as {request.content_type[:80]}. "
            "With curl add: -H 'Content-Type: application/json'"
        )
    return request.json if request.raw_body else {}


def _parse_callback(invocation: Invocation) -> None:
    payload = _object(invocation, CALLBACK)
    name = invocation.export.meaning
    event = payload.get("event")
    if isinstance(event, str) and event.lower() in CALLBACKS and event.lower() != name:
        raise BadRequest(f'This was sent to "{name}", but its event is "{event}".')
    callback = EVENTS[name](payload)
    call_id = payload.get("callid")  # as nearly every payload has it; any other form is for the event to read
    invocation._accept(callback, call_id if isinstance(call_id, str) else callback.call_id)


def _parse_unhandled(invocation: Invocation) -> None:
    """404 for a callback without a handler. The log says which it was, and what to write."""
    incoming, function = invocation.incoming, invocation.function
    payload: Any = None
    with suppress(HTTPException):
        payload = incoming.json
    members = payload.items() if isinstance(payload, dict) else ()
    sent = {name: value for name, value in members if isinstance(value, str)}
    event, path = sent.get("event", ""), f"/{'/'.join(segments_of(incoming.path))}"
    name = invocation.export.name if invocation.export.name in CALLBACKS else event.lower()
    invocation._accept(payload, sent.get("callid"))
    # In the log without secrets, which are struck out before a text is cut.
    shown = unhandled_sentence(name, brief(function.redact(event)), brief(function.redact(path)), function)
    _log.warning("A voice callback found no handler (call %s): %s", brief(invocation.call_id or "unknown"), shown)
    raise UnhandledCallback(unhandled_sentence(name, event[:64], path[:200], function))


def _parse_conversation(invocation: Invocation) -> None:
    from .conversation import METHODS, parse_event

    event = parse_event(_object(invocation, WEBHOOK))
    name = event.trigger.lower()
    _accept_event(invocation, event, name if name in METHODS else UNKNOWN)


def _parse_agent(invocation: Invocation) -> None:
    from .agents import METHODS, read_event

    _refuse_other_types(invocation, WEBHOOK)
    try:
        event = read_event(invocation.incoming.open_body())
    except ValueError as error:
        reason = "it is empty" if not invocation.incoming.size else error
        raise BadRequest(f"The body is not JSON: {reason}.") from None
    is_other = event.raw.get("type") is None and "caller_id" in event.raw
    _refuse_other_url(invocation, is_other, "the begin of a conversation", "/webhook/elevenlabs-init")
    _accept_event(invocation, event, event.type if event.type and event.type in METHODS else UNKNOWN)


def _parse_agent_init(invocation: Invocation) -> None:
    from .agents import METHODS, ConversationInitRequest

    payload = _object(invocation, WEBHOOK)
    kind = payload.get("type")
    is_other = isinstance(kind, str) and kind in METHODS
    _refuse_other_url(invocation, is_other, f"a {kind}", "/webhook/elevenlabs")
    _accept_event(invocation, ConversationInitRequest(payload), "conversation_init")


def _accept_event(invocation: Invocation, event: Any, name: str) -> None:
    invocation._accept(event)
    invocation._name_event(name)
    if name not in invocation.export.methods:
        what = getattr(event, "trigger", None) or getattr(event, "type", None) or name
        _log.info("%s has no method for %.80s: it is answered, and nothing else is done.", invocation.export.name, what)


def _object(invocation: Invocation, what: str) -> dict[str, Any]:
    """The JSON object that the body has to be."""
    _refuse_other_types(invocation, what)
    payload = invocation.incoming.json
    if not isinstance(payload, dict):
        raise BadRequest(f"{what} is a JSON object, this is {JSON_TYPES.get(type(payload), 'null')}.")
    return payload


def _refuse_other_url(invocation: Invocation, is_other: bool, what: str, path: str) -> None:
    """What was sent to the wrong one of two URLs would be answered with 200, and so be lost."""
    if is_other:
        raise BadRequest(f"This is {what}, which is to be sent to {path}: the two URLs at ElevenLabs are swapped.")


def _refuse_other_types(invocation: Invocation, what: str) -> None:
    content_type = invocation.environ.get("CONTENT_TYPE", "")
    if content_type and not is_json(content_type):
        raise UnsupportedMediaType(
            f"{what} is sent as application/json, this came as {content_type[:80]}. "
            "With curl add: -H 'Content-Type: application/json'"
        )


#: What a handler reads -> how it is parsed.
PARSERS: Mapping[Reads, Callable[[Invocation], None]] = MappingProxyType(
    {
        Reads.REQUEST: _parse_request,
        Reads.CALLBACK: _parse_callback,
        Reads.UNHANDLED: _parse_unhandled,
        Reads.CONVERSATION: _parse_conversation,
        Reads.AGENT: _parse_agent,
        Reads.AGENT_INIT: _parse_agent_init,
    }
)
