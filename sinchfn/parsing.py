"""What a body is parsed into for its handler, and what is refused before: as one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from marshmallow import Schema, ValidationError, fields
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, UnprocessableEntity, UnsupportedMediaType

from .exports import CALLBACKS, Reads
from .invocation import Invocation
from .requests import FunctionRequest, is_json
from .voice.callbacks import EVENTS

#: What the JSON is that is no object.
JSON_TYPES: Mapping[type, str] = MappingProxyType(
    {list: "array", str: "string", bool: "boolean", type(None): "null", int: "number", float: "number"}
)

#: Content types of forms.
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

#: How messages call what a callback or webhook gets.
CALLBACK = "A voice callback"
WEBHOOK = "A webhook"

#: Name of the method for an event that there is no other one for.
UNKNOWN = "unknown_event"


class InvalidRequest(UnprocessableEntity):
    """422: the body or the query is not what the schema of the route says."""

    def __init__(self, faults: Mapping[str, Any]) -> None:
        super().__init__(f"The request is not valid: {', '.join(map(str, faults))}.")
        #: Name of each field -> what is wrong with it.
        self.fields = faults


def parse_payload(invocation: Invocation) -> None:
    """Parse the body into what the handler gets: 400, 415 and 422 for what cannot be that."""
    PARSERS[invocation.export.reads](invocation)


def _parse_request(invocation: Invocation) -> None:
    invocation._accept(invocation.request)
    if invocation.route.leading is not None:
        _bind(invocation)


def _bind(invocation: Invocation) -> None:
    """What the route of an endpoint of the function's own loads."""
    leading = invocation.route.leading
    assert leading is not None  # noqa: S101 - asked by the caller
    parts: dict[str, Any] = {"request": invocation.request}
    faults: dict[str, Any] = {}
    if leading.route.query is not None:
        query = _known(leading.route.query, invocation.request.args)
        parts["query"] = _loaded(leading.route.query, query, faults)
    if leading.route.body is not None:
        body = _sent(leading.route.body, invocation.request)
        parts["body"] = _loaded(leading.route.body, body, faults)
    if faults:
        raise InvalidRequest(faults)
    invocation._bind(leading.parameters.bind(dict(invocation.route.values), parts))


def _loaded(schema: Schema, value: Any, faults: dict[str, Any]) -> Any:
    try:
        return schema.load(value)
    except ValidationError as error:
        faults.update(error.messages if isinstance(error.messages, dict) else {"_schema": error.messages})
        return None


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
        raise BadRequest(f"The body is not usable: {error}.") from None
    _accept_event(invocation, event, event.type if event.type and event.type in METHODS else UNKNOWN)


def _parse_agent_init(invocation: Invocation) -> None:
    from .agents import ConversationInitRequest

    _accept_event(invocation, ConversationInitRequest(_object(invocation, WEBHOOK)), "conversation_init")


def _accept_event(invocation: Invocation, event: Any, name: str) -> None:
    invocation._accept(event)
    invocation._name_event(name)


def _object(invocation: Invocation, what: str) -> dict[str, Any]:
    """The JSON object that the body has to be."""
    _refuse_other_types(invocation, what)
    payload = invocation.incoming.json
    if not isinstance(payload, dict):
        raise BadRequest(f"{what} is a JSON object, this is a JSON {JSON_TYPES.get(type(payload), 'value')}.")
    return payload


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
        Reads.CONVERSATION: _parse_conversation,
        Reads.AGENT: _parse_agent,
        Reads.AGENT_INIT: _parse_agent_init,
    }
)
