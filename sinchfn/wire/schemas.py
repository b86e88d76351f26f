"""Strict checking of what is written for the platform: schemas, their fields, and objects made by them.

:mod:`sinchfn.wire.objects` reads what the platform sends. Fields of the same name mean the same in both modules: here
they refuse a wrong value and say why, there they read it as None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from marshmallow import Schema, ValidationError, fields, missing, validates_schema
from marshmallow.exceptions import SCHEMA
from marshmallow.types import ErrorMessages

from ..errors import SvamlError, WrittenError, did_you_mean
from .checks import Check
from .faults import SHOWN_CHARS, Fault, describe, describe_type, flatten, shorten

T = TypeVar("T")

#: Messages by key and index, as in a ``ValidationError``.
Errors = dict[Any, Any]

#: An object as it is sent.
Wire = dict[str, Any]

#: The message for a key or value that only older documents or libraries have.
OLD = "is not in the platform's schema, only in its older documents or libraries: it may be ignored."

MESSAGES: ErrorMessages = {
    "required": "is required but missing.",
    "null": "must not be null: leave the key out instead.",
}


class WireSchema(Schema):
    """An object that is sent. ``max_duration`` in a schema is ``maxDuration`` in JSON; unknown keys are faults.

    Schemas check values and do not convert them. A live call uses ``errors_in``: it applies the same fields and rules
    as ``load`` in half the time, because it builds no result and runs no hooks.
    """

    def __init__(self) -> None:
        super().__init__()
        name = self.fields.get("name")
        #: The name of the instruction or action that the schema describes; empty for any other object.
        self.wire_name = name.words[0] if isinstance(name, Choice) else ""
        self.by_key = {str(field.data_key): field for field in self.fields.values()}
        self.required_keys = tuple(key for key, field in self.by_key.items() if field.required)
        self.once_optional_keys = tuple(
            key for key, field in self.by_key.items() if isinstance(field, Choice) and field.was_optional
        )
        #: The keys of the platform's schema, without those that only older documents have.
        self.current_keys = [key for key, field in self.by_key.items() if not isinstance(field, Old)]

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Give the field its name in JSON, unless it was declared with one."""
        if field_obj.data_key is None:
            head, *rest = field_name.split("_")
            field_obj.data_key = head + "".join(word.capitalize() for word in rest)

    def errors_in(self, data: object) -> Errors:
        """Return the faults of ``data`` by key and index, as in a ``ValidationError``; empty for valid data."""
        if not isinstance(data, dict):
            return {SCHEMA: [f"must be an object (dict), found {describe(data)}."]}
        errors: Errors = {}
        by_key = self.by_key
        for key, value in data.items():
            field = by_key.get(key)
            if field is None:
                self._add_unknown(errors, key)
                continue
            try:
                field.deserialize(value)
            except ValidationError as error:
                errors[key] = error.messages
        for key in self.required_keys:
            if key not in data:
                errors[key] = [by_key[key].error_messages["required"]]
        return errors or self.cross_errors(data)

    def cross_errors(self, data: Mapping[str, Any]) -> Errors:
        """Return the faults of several fields together. Called only if each field by itself is valid."""
        return {}

    def old_in(self, data: Mapping[str, Any], path: str) -> Iterator[Fault]:
        """Yield a warning for each key or value of valid ``data`` that only older documents or libraries have.

        :param path: the place of ``data``, with a dot at its end.
        """
        for key in self.once_optional_keys:
            if key not in data:
                yield Fault(f"{path}{key}", "is missing: the platform's schema requires it.")
        for key, value in data.items():
            field = self.by_key.get(key)
            if isinstance(field, Old | Flag | Choice) and field.is_old(value):
                shown = "" if isinstance(field, Old) else f"{describe(value)} "
                yield Fault(f"{path}{key}", f"{shown}{OLD}")
            elif isinstance(field, Part | Named):
                yield from field.old_in(value, f"{path}{key}")
            elif isinstance(field, Listing) and isinstance(field.inner, Part | Named):
                for index, item in enumerate(value):
                    yield from field.inner.old_in(item, f"{path}{key}[{index}]")

    @validates_schema(pass_original=True)
    def _apply_cross_errors(self, _: object, original: Mapping[str, Any], **__: object) -> None:
        if errors := self.cross_errors(original):
            raise ValidationError(errors)

    def _add_unknown(self, errors: Errors, key: object) -> None:
        if isinstance(key, str):
            hint = did_you_mean(key, self.current_keys) if len(key) <= SHOWN_CHARS else ""
            errors[key] = [f"unknown key.{hint} Allowed: {', '.join(self.current_keys)}."]
        else:
            errors.setdefault(SCHEMA, []).append(f"keys must be text (str), found {describe(key)}.")


class StrictField(fields.Field[T]):
    """A field that takes one type of value and does not change it."""

    #: The type in the words of a message: "must be ...".
    needed: ClassVar[str]
    default_error_messages = MESSAGES

    def accepts(self, value: object) -> bool:
        """Return True if ``value`` has the type of the field."""
        raise NotImplementedError

    def found(self, value: object) -> str:
        """Return ``value`` as a message may show it."""
        return describe(value)

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Do the same as the inherited method in a third of its time: no field here has defaults or allows null."""
        if value is None or value is missing:
            return super().deserialize(value, attr, data, **kwargs)
        checked = self._deserialize(value, attr, data, **kwargs)
        for check in self.validators:
            check(checked)
        return checked

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> T:
        if not self.accepts(value):
            raise ValidationError(f"must be {self.needed}, found {self.found(value)}.")
        checked: T = value
        return checked


class Text(StrictField[str]):
    """A text that is not empty, unless ``empty=True``."""

    needed = "text (str)"

    def __init__(self, *, empty: bool = False, required: bool = False, validate: Check | None = None) -> None:
        super().__init__(required=required, validate=validate or ())
        self.empty = empty

    def accepts(self, value: object) -> bool:
        return isinstance(value, str)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text and not self.empty:
            raise ValidationError("must not be empty.")
        return text


class Old(StrictField[Any]):
    """A key with any value that only the platform's older documents or libraries have, and its schema does not."""

    def accepts(self, value: object) -> bool:
        return True

    def is_old(self, value: object) -> bool:
        """Return True if only older documents or libraries have ``value``."""
        return True


class Digits(Text):
    """Keys of a telephone: a text, or a number as in some of the platform's examples."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return super()._deserialize(digits_of(value), attr, data, **kwargs)


class SecretText(Text):
    """A text that no message ever shows."""

    def found(self, value: object) -> str:
        return describe_type(value)


class Choice(Text):
    """One word of a closed list.

    :param fold: ignore case, where the platform's own examples vary.
    :param old: words that only older documents or libraries have.
    :param was_optional: the key is required today, and older documents leave it out.
    """

    def __init__(
        self,
        *words: str,
        fold: bool = False,
        required: bool = False,
        old: Iterable[str] = (),
        was_optional: bool = False,
    ) -> None:
        super().__init__(required=required)
        self.words = words
        self.was_optional = was_optional
        self.fold = fold
        self.old = frozenset(old)
        self._known = frozenset(word.lower() for word in words) if fold else frozenset(words) | self.old

    def is_old(self, value: object) -> bool:
        """Return True if only older documents or libraries have ``value``."""
        return isinstance(value, str) and value in self.old

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        word = super()._deserialize(value, attr, data, **kwargs)
        if (word.lower() if self.fold else word) not in self._known:
            hint = did_you_mean(shorten(word), self.words)
            one_of = "one of " if len(self.words) > 1 else ""
            raise ValidationError(f"must be {one_of}{', '.join(self.words)}; found {describe(word)}.{hint}")
        return word


class DigitChoice(Choice):
    """One key of a telephone: a text, or a number as in some of the platform's examples."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return super()._deserialize(digits_of(value), attr, data, **kwargs)


class Whole(StrictField[int]):
    """A whole number; True is not one."""

    needed = "a whole number (int)"

    def __init__(self, validate: Check | None = None, *, data_key: str | None = None) -> None:
        super().__init__(validate=validate or (), data_key=data_key)

    def accepts(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)


class Number(StrictField[float]):
    """A number; True is not one."""

    needed = "a number (int or float)"

    def __init__(self, validate: Check | None = None) -> None:
        super().__init__(validate=validate or ())

    def accepts(self, value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool)


class Flag(StrictField[bool]):
    """True or False; 1 and "true" are refused.

    :param old: words for them that only older documents or libraries have.
    """

    needed = "True or False (bool)"

    def __init__(self, *, data_key: str | None = None, old: Iterable[str] = ()) -> None:
        super().__init__(data_key=data_key)
        self.old = frozenset(old)

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool) or self.is_old(value)

    def is_old(self, value: object) -> bool:
        """Return True if only older documents or libraries have ``value``."""
        return isinstance(value, str) and value in self.old


class Entries(StrictField[dict[Any, Any]]):
    """A mapping with any keys and values, as a new dict."""

    needed = "a dict"

    def accepts(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(super()._deserialize(value, attr, data, **kwargs))


class Items(StrictField[list[Any]]):
    """A sequence of any values, as a new list."""

    needed = "a list"

    def accepts(self, value: object) -> bool:
        return isinstance(value, Sequence) and not isinstance(value, str | bytes)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        return list(super()._deserialize(value, attr, data, **kwargs))


class Part(StrictField[dict[str, Any]]):
    """An object with a schema of its own."""

    def __init__(self, schema: WireSchema, *, required: bool = False) -> None:
        super().__init__(required=required)
        self.schema = schema

    def old_in(self, value: Mapping[str, Any], path: str) -> Iterator[Fault]:
        """Yield the warnings of :meth:`WireSchema.old_in` for a value of this field."""
        return self.schema.old_in(value, f"{path}.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if errors := self.schema.errors_in(value):
            raise ValidationError(errors)
        checked: dict[str, Any] = value
        return checked


class Named(StrictField[dict[str, Any]]):
    """An instruction or an action, whose ``name``, in any case, selects its schema."""

    def __init__(self, kind: str, schemas: Iterable[WireSchema], *, old: Iterable[WireSchema] = ()) -> None:
        super().__init__()
        self.kind = kind
        self.old = frozenset(schema.wire_name.lower() for schema in old)
        self.names = [schema.wire_name for schema in schemas]
        self.by_name = {schema.wire_name.lower(): schema for schema in (*schemas, *old)}

    def old_in(self, item: Mapping[str, Any], path: str) -> Iterator[Fault]:
        """Yield the warnings of :meth:`WireSchema.old_in` for a value of this field."""
        name = item["name"].lower()
        if name in self.old:
            return iter([Fault(f"{path}.name", f"{describe(item['name'])} {OLD}")])
        return self.by_name[name].old_in(item, f"{path}.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError(f"must be an object (dict) with a name, found {describe(value)}.")
        name = value.get("name")
        schema = self.by_name.get(name.lower()) if isinstance(name, str) else None
        if errors := schema.errors_in(value) if schema else {"name": [self._unknown(value)]}:
            raise ValidationError(errors)
        return value

    def _unknown(self, item: Mapping[str, Any]) -> str:
        if "name" not in item:
            return str(MESSAGES["required"])
        name = item["name"]
        hint = did_you_mean(name, self.names) if isinstance(name, str) and len(name) <= SHOWN_CHARS else ""
        return f"must be the name of an {self.kind}, found {describe(name)}.{hint} Allowed: {', '.join(self.names)}."


class Listing(fields.List[T]):
    """A list or a tuple; no other iterable is taken."""

    default_error_messages = MESSAGES

    def __init__(self, inner: fields.Field[T], *, required: bool = False, validate: Check | None = None) -> None:
        super().__init__(inner, required=required, validate=validate or ())

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[T | None]:
        if not isinstance(value, list | tuple):
            raise ValidationError(f"must be a list, found {describe(value)}.")
        return super()._deserialize(value, attr, data, **kwargs)


def digits_of(value: object) -> object:
    """Return a whole number as the text that it is on a telephone, and any other value unchanged."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18
    return str(value) if is_number else value


def named(name: str) -> Choice:
    """Return the field ``name`` of an instruction or action. The platform ignores its case."""
    return Choice(name, fold=True, required=True)


def wire(schema: WireSchema, required: Mapping[str, object] | None = None, /, **options: object) -> Wire:
    """Return an instruction or action with its name, the ``required`` keys, and those ``options`` that are not None.

    Keys are those of the schema, in snake_case. The result shares nothing with the arguments.

    :raises SvamlError: a value is invalid.
    """
    return {"name": schema.wire_name, **part(schema, schema.wire_name, required or {}, options)}


def part(schema: WireSchema, label: str, required: Mapping[str, object], options: Mapping[str, object]) -> Wire:
    """Like :func:`wire`, but return an object without a name. Messages begin with ``label``."""
    item: Wire = {}
    for key, value in (*required.items(), *((key, value) for key, value in options.items() if value is not None)):
        field = schema.fields.get(key)
        if field is None or isinstance(field, Old):
            known = [known for known, field in schema.fields.items() if not isinstance(field, Old)]
            raise TypeError(f'{label} has no option "{key}".{did_you_mean(key, known)} Options: {", ".join(known)}.')
        name = str(field.data_key)
        item[name] = fresh(check_value(field, value, f"{label}.{name}"))
    return item


def check_value(field: fields.Field[Any], value: object, label: str, error: type[WrittenError] = SvamlError) -> Any:
    """Return ``value``, checked by ``field``.

    :param label: the name of the value in messages.
    :param error: the class of the error to raise.
    :raises WrittenError: the value is invalid; the message says what was found and what is allowed.
    """
    try:
        return field.deserialize(value)
    except ValidationError as refusal:
        raise error(message_of(refusal.messages, label)) from None


def check_item(schema: WireSchema, item: object) -> None:
    """Check an instruction or action as a whole.

    :raises SvamlError: the item is invalid; the message says what was found and what is allowed.
    """
    if errors := schema.errors_in(item):
        raise SvamlError(message_of(errors, schema.wire_name))


def message_of(errors: object, path: str) -> str:
    """Return the text of an error for the faults of the value at ``path``."""
    return " ".join(map(str, flatten(errors, path)))


def fresh(value: Any) -> Any:
    """Return a deep copy of a JSON value, with lists in place of tuples."""
    if isinstance(value, dict):
        return {key: fresh(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fresh(inner) for inner in value]
    return value


def merged(given: object, **more: object) -> object:
    """Return the object ``given`` with those of ``more`` that are not None; None if that leaves nothing.

    A value that is not a mapping is returned unchanged, for the schema to refuse.
    """
    extra = {key: value for key, value in more.items() if value is not None}
    if given is None:
        return extra or None
    return {**given, **extra} if isinstance(given, Mapping) else given


def switched_on(given: object, *, enabled: object, **more: object) -> object:
    """Like :func:`merged`, for an object with the key ``enabled``: any other key alone switches it on."""
    if given is None and enabled is None and any(value is not None for value in more.values()):
        enabled = True
    return merged(given, enabled=enabled, **more)
