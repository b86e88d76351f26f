"""Makes instructions and actions of the wire out of given options, each checked by its field of the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from ...errors import did_you_mean
from .faults import svaml_error
from .fields import Old, WireSchema, wire_name

Wire = dict[str, Any]


def wire(schema: WireSchema, required: Mapping[str, object] | None = None, /, **options: object) -> Wire:
    """An instruction or action: its name, what is `required`, and those `options` that are not None.

    Keys are those of the schema, in snake_case. Nothing in the result is shared with what was passed.

    :raises SvamlError: a value that the schema does not take.
    """
    name = wire_name(schema)
    return {"name": name, **part(schema, name, required or {}, options)}


def part(schema: WireSchema, label: str, required: Mapping[str, object], options: Mapping[str, object]) -> Wire:
    """The same for an object inside an item, which has no name; messages begin with `label`."""
    item: Wire = {}
    for key, value in required.items():
        _put(item, schema, label, key, value)
    for key, value in options.items():
        if value is not None:
            _put(item, schema, label, key, value)
    return item


def _put(item: Wire, schema: WireSchema, label: str, key: str, value: object) -> None:
    field = schema.fields.get(key)
    if field is None or isinstance(field, Old):
        known = [key for key, known_field in schema.fields.items() if not isinstance(known_field, Old)]
        raise TypeError(f'{label} has no option "{key}".{did_you_mean(key, known)} Options: {", ".join(known)}.')
    name = str(field.data_key)
    item[name] = fresh(check_value(field, value, f"{label}.{name}"))


def check_value(field: fields.Field[Any], value: object, label: str) -> Any:
    """`value` as the wire has it; one that `field` does not take is refused, in a message that begins with `label`.

    :raises SvamlError: says what was found and what is allowed.
    """
    try:
        return field.deserialize(value)
    except ValidationError as error:
        raise svaml_error(error, label) from None


def check_item(schema: WireSchema, item: object) -> None:
    """Refuse an instruction or action that `schema` does not take.

    :raises SvamlError: says what was found and what is allowed.
    """
    if errors := schema.errors_in(item):
        raise svaml_error(ValidationError(errors), wire_name(schema))


def fresh(value: Any) -> Any:
    """A copy of a JSON value down to its leaves; a tuple becomes a list."""
    if isinstance(value, dict):
        return {key: fresh(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fresh(inner) for inner in value]
    return value


def merged(given: object, **more: object) -> object:
    """The object `given` with those of `more` that are not None; None if there is nothing at all.

    What is no mapping comes back as it is, for the schema to refuse.
    """
    extra = {key: value for key, value in more.items() if value is not None}
    if given is None:
        return extra or None
    return {**given, **extra} if isinstance(given, Mapping) else given


def switched_on(given: object, *, enabled: object, **more: object) -> object:
    """Like `merged`, for an object with the key `enabled`: any other key alone switches it on."""
    if given is None and enabled is None and any(value is not None for value in more.values()):
        enabled = True
    return merged(given, enabled=enabled, **more)
