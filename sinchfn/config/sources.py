"""What stands beside a function and is read with it: the manifest ``sinch.json`` and the ``.env``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv.parser import Binding, parse_stream
from marshmallow import INCLUDE, Schema, ValidationError, fields, validate

from .. import jsontext
from ..errors import near_miss

_VARIABLE_NAME = validate.Regexp(r"[^=\s\0]+\Z", error="the name of a variable")


def _takes(what: str) -> dict[str, Any]:
    return {"invalid": what, "null": what}


class _Value(fields.Field[str]):
    """The value of a variable: a text, or a number or bool that is written as one."""

    default_error_messages = _takes("a text, a number, true or false")

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if not isinstance(value, str | int | float):
            raise self.make_error("invalid")
        return as_text(value)


def _text() -> fields.String:
    return fields.String(error_messages=_takes("a text"))


def _name() -> fields.String:
    return fields.String(validate=_VARIABLE_NAME, error_messages=_takes("the name of a variable"))


class _ManifestSchema(Schema):
    """What sinchfn reads of ``sinch.json``. Other keys belong to other tools and are left alone."""

    class Meta:
        unknown = INCLUDE

    name = _text()
    runtime = _text()
    description = _text()
    variables = fields.Dict(keys=_name(), values=_Value(), error_messages=_takes("an object of names and values"))
    #: sinchfn's own: the platform documents no way to mark one
    secrets = fields.List(_name(), error_messages=_takes("a list of names of variables"))


@dataclass(frozen=True)
class Manifest:
    """A ``sinch.json``, as far as it can be used."""

    name: str | None = None
    #: values as text
    variables: Mapping[str, str] = field(default_factory=dict)
    #: names of the variables that hold secrets, whatever their names look like
    secrets: frozenset[str] = frozenset()
    #: a sentence for each key that cannot be used; none of them holds a value
    faults: tuple[str, ...] = ()
    #: a sentence for each key that nothing reads, and that looks like a misspelt one
    warnings: tuple[str, ...] = ()


def read_manifest(file: Path) -> Manifest:
    """The manifest in this file; an empty one if there is none."""
    if not file.is_file():
        return Manifest()
    given: Any = None
    try:
        given = jsontext.loads(file.read_bytes())
        return _manifest(file, given, _ManifestSchema().load(given), ())
    except ValidationError as error:
        return _manifest(file, given, error.valid_data, _faults(error.messages_dict, given))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return Manifest(faults=(f"Cannot read {file}: {reason}. It takes a JSON object.",))


def _manifest(file: Path, given: Any, loaded: Any, faults: Iterable[str]) -> Manifest:
    usable: dict[str, Any] = loaded if isinstance(loaded, dict) else {}
    misspelt = _misspelt(given if isinstance(given, dict) else {})
    return Manifest(
        name=usable.get("name"),
        variables=usable.get("variables") or {},
        # What a misspelt list names counts as secret too: nothing of it is to be shown.
        secrets=frozenset(_names(usable.get("secrets"))).union(
            *(_names(given[key]) for key, meant in misspelt.items() if meant == "secrets")
        ),
        faults=tuple(f"{file}: {fault}" for fault in faults),
        warnings=tuple(
            f'{file} has "{key}", which nothing reads. Did you mean "{meant}"?'
            for key, meant in misspelt.items()
            if meant not in given
        ),
    )


def _misspelt(given: dict[str, Any]) -> dict[str, str]:
    """The keys that look like misspelt ones of ours, and what they were meant to be."""
    known = tuple(_ManifestSchema().fields)
    near = {key: _meant_by(key, known) for key in given if key not in known}
    return {key: meant for key, meant in near.items() if meant is not None}


def _meant_by(key: str, known: Sequence[str]) -> str | None:
    return key.lower() if key.lower() in known else near_miss(key.lower(), known)


def _names(given: Any) -> list[str]:
    names = [given] if isinstance(given, str) else given
    return [name for name in names if isinstance(name, str)] if isinstance(names, list | dict) else []


def _faults(messages: Mapping[Any, Any], given: Any) -> Iterator[str]:
    """A sentence for each fault: the path of the key, what it is, and what it takes."""
    for path, takes in _flat(messages):
        if path == ("_schema",):
            yield f"it is {_kind(given)}: it takes an object, such as {{}}."
        elif path[-1] == "key":
            yield f"{'.'.join(map(str, path[:-1]))}: it takes {takes} before the colon."
        else:
            path = path[:-1] if path[0] == "variables" and path[-1] == "value" and len(path) == 3 else path
            yield f"{'.'.join(map(str, path))} is {_kind(_value_at(given, path))}: it takes {takes}."


def _flat(messages: Mapping[Any, Any], above: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    for key, found in messages.items():
        if isinstance(found, Mapping):
            yield from _flat(found, (*above, key))
        else:
            yield (*above, key), str(found[0])


def _value_at(given: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        given = given[part]
    return given


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, str):
        return "a text" if value else "an empty text"
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a number"


def read_dotenv(file: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables of a ``.env``, and a sentence for each line that cannot be read, without its text.

    A name without a value is there with an empty one.
    """
    if not file.is_file():
        return {}, ()
    try:
        with file.open(encoding="utf-8") as stream:
            lines = list(parse_stream(stream))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return {}, (f"Cannot read {file}: {reason}. It takes lines of NAME=value.",)
    values = {line.key: line.value or "" for line in lines if line.key is not None and not line.error}
    return values, tuple(
        f"{file}, line {_number(line)} cannot be read: it takes NAME=value, in quotes that are closed."
        for line in lines
        if line.error
    )


def _number(line: Binding) -> int:
    text = line.original.string
    return line.original.line + text[: len(text) - len(text.lstrip())].count("\n")  # blank lines before belong to it


def as_text(value: object) -> str:
    """A value as it would be written in the environment."""
    return str(value).lower() if isinstance(value, bool) else str(value)
