"""The parsing of a body into the payload of its handler, as one table."""

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

from ..function.exports import Reads
from ..function.invocation import Progress
from ..function.names import CALLBACKS
from ..function.request import FORMS, FunctionRequest, is_json
from ..function.routing import segments_of
from ..logs.redaction import brief
from ..voice.callbacks import EVENTS
from ..wire.faults import json_type
from .responses import JSON
from .unhandled import UnhandledCallback, unhandled_sentence

_log = logging.getLogger("sinchfn")

#: The names of the two kinds of payload in messages.
CALLBACK = "A voice callback"
WEBHOOK = "A webhook"

#: The method for events without a method of their own.
UNKNOWN = "unknown_event"

#: Limits on how much of a client's input is echoed in a 422: fields on each level, characters of a text.
MOST_FIELDS = 50
MOST_OF_A_TEXT = 200


class InvalidRequest(UnprocessableEntity):
    """422: the body or the query does not fit the schema of the route."""

    def __init__(self, faults: Mapping[str, Any]) -> None:
        #: name of each field -> its faults
        self.fields: dict[str, Any] = _cut(faults)
        more = f" and {len(faults) - MOST_FIELDS} more" if len(faults) > MOST_FIELDS else ""
        named = [name for name in self.fields if name != "_schema"]
        what = ", ".join(named[:10]) or "it does not have the expected form"
        super().__init__(f"The request is not valid: {what}{more}.")


def _cut(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name)[:MOST_OF_A_TEXT]: _cut(value[name]) for name in islice(value, MOST_FIELDS)}
    if isinstance(value, list):
        return [_cut(item) for item in value[:MOST_FIELDS]]
    return value[:MOST_OF_A_TEXT] if isinstance(value, str) else value


class SchemaError(Exception):
    """A schema of the function raised an exception of its own. Its cause counts as an exception of the handler."""


def parse_payload(progress: Progress) -> None:
    """Parse the body into the payload of the handler; a body that does not fit is answered 400, 415 or 422."""
    PARSERS[progress.export.reads](progress)


def parse_request(progress: Progress) -> None:
    """Give the handler the request itself, with the arguments that its route declares."""
    progress.payload = progress.request
    if (target := progress.route.target) is None:
        return
    parts: dict[str, Any] = {"request": progress.request}
    faults: dict[str, dict[str, Any]] = {}
    for part, schema, sent in (("query", target.route.query, Sent.query), ("body", target.route.body, Sent.body)):
        if schema is not None:
            parts[part] = _loaded(schema, sent(Sent(progress.request, schema)), faults.setdefault(part, {}))
    faults = {part: found for part, found in faults.items() if found}
    if faults:
        both = target.route.query is not None and target.route.body is not None
        raise InvalidRequest(faults if both else next(iter(faults.values())))
    progress.arguments = target.parameters.bind(dict(progress.route.values), parts)


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


class Sent:
    """The values of a request that a schema loads."""

    def __init__(self, request: FunctionRequest, schema: Schema) -> None:
        self._request = request
        self._schema = schema

    def query(self) -> dict[str, Any]:
        """Return the values that the schema knows; all of them if its ``unknown`` option was set."""
        metas = type(self._schema).Meta.__mro__
        is_set = self._schema.unknown != RAISE or any("unknown" in vars(meta) for meta in metas)
        return self._known(self._request.args, others=is_set)

    def body(self) -> Any:
        """Return the fields of a form, else the value of the JSON; an empty object for an empty body."""
        content_type = self._request.content_type
        if content_type.partition(";")[0].strip().lower() in FORMS:
            return self._known(self._request.form, others=True)
        if content_type and not is_json(content_type):
            raise UnsupportedMediaType(
                f"This takes JSON or a form, and came as {content_type[:80]}. "
                "With curl add: -H 'Content-Type: application/json'"
            )
        return self._request.json if self._request.raw_body else {}

    def _known(self, args: MultiDict[str, str], *, others: bool) -> dict[str, Any]:
        """Return the values that the schema knows: lists for list fields, the first value for any other."""
        found: dict[str, Any] = args.to_dict() if others else {}
        for name, field in self._schema.load_fields.items():
            if (key := field.data_key or name) in args:
                found[key] = args.getlist(key) if isinstance(field, fields.List | fields.Tuple) else args[key]
        return found


def parse_callback(progress: Progress) -> None:
    """Parse a voice callback."""
    payload = _object(progress, CALLBACK)
    name = progress.export.meaning
    event = payload.get("event")
    if isinstance(event, str) and event.lower() in CALLBACKS and event.lower() != name:
        raise BadRequest(f'This was sent to "{name}", but its event is "{event}".')
    callback = EVENTS[name](payload)
    call_id = payload.get("callid")  # as nearly every payload has it; any other form is for the event to read
    progress.payload = callback
    progress.call_id = call_id if isinstance(call_id, str) else callback.call_id


def parse_unhandled(progress: Progress) -> None:
    """Answer 404 to a callback without a handler. The log says which it was, and what to write."""
    incoming, function = progress.incoming, progress.function
    payload: Any = None
    with suppress(HTTPException):
        payload = incoming.json
    members = payload.items() if isinstance(payload, dict) else ()
    sent = {name: value for name, value in members if isinstance(value, str)}
    event, path = sent.get("event", ""), f"/{'/'.join(segments_of(incoming.path))}"
    name = progress.export.name if progress.export.name in CALLBACKS else event.lower()
    progress.payload, progress.call_id = payload, sent.get("callid")
    # In the log without secrets, which are struck out before a text is cut.
    shown = unhandled_sentence(name, brief(function.redact(event)), brief(function.redact(path)), function)
    _log.warning("A voice callback found no handler (call %s): %s", brief(progress.call_id or "unknown"), shown)
    raise UnhandledCallback(unhandled_sentence(name, event[:64], path[:200], function))


def parse_conversation(progress: Progress) -> None:
    """Parse an event of the Conversation API."""
    from ..webhooks.conversation import METHODS, parse_event

    event = parse_event(_object(progress, WEBHOOK))
    name = event.trigger.lower()
    _accept_event(progress, event, name if name in METHODS else UNKNOWN)


def parse_agent(progress: Progress) -> None:
    """Parse an event of an agent, without reading its audio into memory."""
    from ..webhooks.agents import METHODS, read_event

    _refuse_other_types(progress, WEBHOOK)
    try:
        event = read_event(progress.incoming.open_body())
    except ValueError as error:
        reason = "it is empty" if not progress.incoming.size else error
        raise BadRequest(f"The body is not JSON: {reason}.") from None
    is_other = event.raw.get("type") is None and "caller_id" in event.raw
    _refuse_other_url(progress, is_other, "the begin of a conversation", "/webhook/elevenlabs-init")
    _accept_event(progress, event, event.type if event.type and event.type in METHODS else UNKNOWN)


def parse_agent_init(progress: Progress) -> None:
    """Parse the request that starts a conversation with an agent."""
    from ..webhooks.agents import METHODS, ConversationInitRequest

    payload = _object(progress, WEBHOOK)
    kind = payload.get("type")
    is_other = isinstance(kind, str) and kind in METHODS
    _refuse_other_url(progress, is_other, f"a {kind}", "/webhook/elevenlabs")
    _accept_event(progress, ConversationInitRequest(payload), "conversation_init")


def _accept_event(progress: Progress, event: Any, name: str) -> None:
    progress.payload, progress.event_name = event, name
    if name not in progress.export.methods:
        what = getattr(event, "trigger", None) or getattr(event, "type", None) or name
        _log.info("%s has no method for %.80s: it is answered, and nothing else is done.", progress.export.name, what)


def _object(progress: Progress, what: str) -> dict[str, Any]:
    """Return the body, which has to be a JSON object."""
    _refuse_other_types(progress, what)
    payload = progress.incoming.json
    if not isinstance(payload, dict):
        raise BadRequest(f"{what} is a JSON object, this is {json_type(payload)}.")
    return payload


def _refuse_other_url(progress: Progress, is_other: bool, what: str, path: str) -> None:
    """Refuse a payload that belongs to the other URL: with a 200 it would be lost."""
    if is_other:
        raise BadRequest(f"This is {what}, which is to be sent to {path}: the two URLs at ElevenLabs are swapped.")


def _refuse_other_types(progress: Progress, what: str) -> None:
    content_type = progress.environ.get("CONTENT_TYPE", "")
    if content_type and content_type != JSON and not is_json(content_type):
        raise UnsupportedMediaType(
            f"{what} is sent as application/json, this came as {content_type[:80]}. "
            "With curl add: -H 'Content-Type: application/json'"
        )


#: The kind of payload -> its parser.
PARSERS: Mapping[Reads, Callable[[Progress], None]] = MappingProxyType(
    {
        Reads.REQUEST: parse_request,
        Reads.CALLBACK: parse_callback,
        Reads.UNHANDLED: parse_unhandled,
        Reads.CONVERSATION: parse_conversation,
        Reads.AGENT: parse_agent,
        Reads.AGENT_INIT: parse_agent_init,
    }
)
