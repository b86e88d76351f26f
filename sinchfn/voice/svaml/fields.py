"""Marshmallow fields that take exactly what JSON carries: no "5" for 5, no 1 for true, no bytes for text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from marshmallow import RAISE, Schema, ValidationError, fields, missing, validates_schema
from marshmallow.exceptions import SCHEMA
from marshmallow.types import ErrorMessages

from ...errors import did_you_mean
from .faults import SHOWN_CHARS, Fault, describe, shorten
from .limits import Check

T = TypeVar("T")
Errors = dict[Any, Any]

#: What is said of a key or value that only older documents or libraries have.
OLD = "is not in the platform's schema, only in its older documents or libraries: it may be ignored."

MESSAGES: ErrorMessages = {
    "required": "is required, and missing.",
    "null": "null is not allowed: leave the key out instead.",
}


class WireSchema(Schema):
    """An object of the wire: declared in snake_case, `max_duration` is `maxDuration` there; unknown keys are faults.

    These schemas check and convert nothing. `errors_in` is what runs on a live call: the same fields and rules as
    `load` at half its price, because it builds no result and asks for no hooks.
    """

    class Meta:
        unknown = RAISE

    def __init__(self) -> None:
        super().__init__()
        name = self.fields.get("name")
        #: Name of the instruction or action that this describes; empty for any other object.
        self.wire_name = name.words[0] if isinstance(name, Choice) else ""
        self.by_key = {str(field.data_key): field for field in self.fields.values()}
        self.required_keys = tuple(key for key, field in self.by_key.items() if field.required)
        self.once_optional_keys = tuple(
            key for key, field in self.by_key.items() if isinstance(field, Choice) and field.was_optional
        )
        #: The keys of the platform's schema, without those that only older documents have.
        self.current_keys = [key for key, field in self.by_key.items() if not isinstance(field, Old)]

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Give the field its name on the wire."""
        if field_obj.data_key is None:
            field_obj.data_key = camel(field_name)

    def errors_in(self, data: object) -> Errors:
        """What is wrong with `data`, nested by key and index as in a `ValidationError`; empty if nothing is."""
        if not isinstance(data, dict):
            return {SCHEMA: [f"an object (dict) is needed, found {describe(data)}."]}
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
        """Rules that tie several fields together; asked only when each field alone is right."""
        return {}

    def old_in(self, data: Mapping[str, Any], path: str) -> Iterator[Fault]:
        """What differs from the platform's schema as its older documents or libraries do, in `data` without errors.

        :param path: where `data` is, with a dot at its end.
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
            errors.setdefault(SCHEMA, []).append(f"keys must be text, found {describe(key)}.")


class StrictField(fields.Field[T]):
    """A field that takes one type of JSON and leaves the value as it is."""

    #: What is needed, in the words of a message.
    needed: ClassVar[str]
    default_error_messages = MESSAGES

    def accepts(self, value: object) -> bool:
        """Whether `value` has the field's type."""
        raise NotImplementedError

    def found(self, value: object) -> str:
        """`value` as a message may show it."""
        return describe(value)

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """What the inherited one does, without what no field here needs: a third of its price."""
        if value is None or value is missing:
            return super().deserialize(value, attr, data, **kwargs)
        checked = self._deserialize(value, attr, data, **kwargs)
        for check in self.validators:
            check(checked)
        return checked

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> T:
        if not self.accepts(value):
            raise ValidationError(f"{self.needed} is needed, found {self.found(value)}.")
        checked: T = value
        return checked


class Text(StrictField[str]):
    """Text, not empty unless `empty=True`."""

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
    """A key that the platform's older documents or libraries use and its schema does not have: it takes anything."""

    def accepts(self, value: object) -> bool:
        return True

    def is_old(self, value: object) -> bool:
        """Whether `value` is not in the platform's schema."""
        return True


class Digits(Text):
    """Keys of a telephone: text, or a number, as some of the platform's own examples have it."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return super()._deserialize(digits_of(value), attr, data, **kwargs)


class SecretText(Text):
    """Text that no message ever shows."""

    def found(self, value: object) -> str:
        return f"a value of type {type(value).__name__}"


class Choice(Text):
    """One of a closed list of words; with `fold` in any case, because the platform's own examples vary there.

    :param old: words that only older documents or libraries use.
    :param was_optional: whether it is required today, and older documents leave it out.
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
        """Whether `value` is not in the platform's schema."""
        return isinstance(value, str) and value in self.old

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        word = super()._deserialize(value, attr, data, **kwargs)
        if (word.lower() if self.fold else word) not in self._known:
            hint = did_you_mean(shorten(word), self.words)
            raise ValidationError(f'allowed: {", ".join(self.words)}; found "{shorten(word)}".{hint}')
        return word


class DigitChoice(Choice):
    """One key of a telephone: text, or a number, as some of the platform's own examples have it."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return super()._deserialize(digits_of(value), attr, data, **kwargs)


class Whole(StrictField[int]):
    """A whole number; True is none."""

    needed = "a whole number (int)"

    def __init__(self, validate: Check | None = None, *, data_key: str | None = None) -> None:
        super().__init__(validate=validate or (), data_key=data_key)

    def accepts(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)


class Flag(StrictField[bool]):
    """True or False; 1 and "true" are neither.

    :param old: words for them that only older documents or libraries use.
    """

    needed = "True or False (bool)"

    def __init__(self, *, data_key: str | None = None, old: Iterable[str] = ()) -> None:
        super().__init__(data_key=data_key)
        self.old = frozenset(old)

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool) or self.is_old(value)

    def is_old(self, value: object) -> bool:
        """Whether `value` is not in the platform's schema."""
        return isinstance(value, str) and value in self.old


class Part(StrictField[dict[str, Any]]):
    """An object inside another one."""

    def __init__(self, schema: WireSchema, *, required: bool = False) -> None:
        super().__init__(required=required)
        self.schema = schema

    def old_in(self, value: Mapping[str, Any], path: str) -> Iterator[Fault]:
        """What differs from the platform's schema as its older documents or libraries do."""
        return self.schema.old_in(value, f"{path}.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if errors := self.schema.errors_in(value):
            raise ValidationError(errors)
        whole: dict[str, Any] = value
        return whole


class Named(StrictField[dict[str, Any]]):
    """An instruction or an action: its `name`, in any case, says which schema holds."""

    def __init__(self, kind: str, schemas: Iterable[WireSchema], *, old: Iterable[WireSchema] = ()) -> None:
        super().__init__()
        self.kind = kind
        self.old = frozenset(wire_name(schema).lower() for schema in old)
        self.names = [wire_name(schema) for schema in schemas]
        self.by_name = {wire_name(schema).lower(): schema for schema in (*schemas, *old)}

    def old_in(self, item: Mapping[str, Any], path: str) -> Iterator[Fault]:
        """What differs from the platform's schema as its older documents or libraries do."""
        name = item["name"].lower()
        if name in self.old:
            return iter([Fault(f"{path}.name", f"{describe(item['name'])} {OLD}")])
        return self.by_name[name].old_in(item, f"{path}.")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError(f"an object (dict) with a name is needed, found {describe(value)}.")
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
        return f"the name of an {self.kind} is needed, found {describe(name)}.{hint} Allowed: {', '.join(self.names)}."


class Listing(fields.List[T]):
    """A JSON array: list or tuple, nothing else that can be iterated."""

    default_error_messages = MESSAGES

    def __init__(self, inner: fields.Field[T], *, required: bool = False, validate: Check | None = None) -> None:
        super().__init__(inner, required=required, validate=validate or ())

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[T | None]:
        if not isinstance(value, list | tuple):
            raise ValidationError(f"a list is needed, found {describe(value)}.")
        return super()._deserialize(value, attr, data, **kwargs)


def digits_of(value: object) -> object:
    """A whole number as the text that it is on a telephone; anything else as it is."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18
    return str(value) if is_number else value


def camel(name: str) -> str:
    """`max_duration` as the wire spells it: `maxDuration`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def wire_name(schema: WireSchema) -> str:
    """The name of the instruction or action that `schema` describes."""
    return schema.wire_name


def named(name: str) -> Choice:
    """The field `name` of one instruction or action; the platform matches names without case."""
    return Choice(name, fold=True, required=True)
