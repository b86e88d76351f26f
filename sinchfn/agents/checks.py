"""What the answer to an initiation may hold. What cannot be sent is an `AgentError` that says what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from .. import jsontext
from ..errors import AgentError, did_you_mean
from ..payloads import JSON_TYPES

#: `type` of every answer.
ANSWER_TYPE = "conversation_initiation_client_data"
#: Variables whose names begin so are the platform's.
RESERVED = "system__"
#: Field of an answer -> what it holds, if it is not null.
FIELDS: Mapping[str, type] = MappingProxyType(
    {
        "type": str,
        "dynamic_variables": dict,
        "conversation_config_override": dict,
        "custom_llm_extra_body": dict,
        "user_id": str,
        "branch_id": str,
        "environment": str,
        "source_info": dict,
    }
)

#: A value of a dynamic variable.
Variable = str | int | float | bool


def completed(answer: Mapping[Any, Any]) -> dict[str, Any]:
    """An answer in wire form with all that it must have, as a new dict."""
    for name, value in answer.items():
        _check_field(name, value)
    variables = variables_of(answer.get("dynamic_variables") or {})
    whole: dict[str, Any] = sendable("the answer", {**answer, "type": ANSWER_TYPE, "dynamic_variables": variables})
    return whole


def _check_field(name: object, value: object) -> None:
    if not isinstance(name, str) or name not in FIELDS:
        raise AgentError(
            f"The answer has no field {name!r}.{did_you_mean(str(name), list(FIELDS))} It takes {', '.join(FIELDS)}; "
            "variables of your own stand within dynamic_variables."
        )
    expected = FIELDS[name]
    if value is not None and not isinstance(value, expected):
        raise AgentError(f"{name} takes {JSON_TYPES[expected]}, found {_kind(value)}.")


def variables_of(variables: Mapping[Any, Any]) -> dict[str, Any]:
    """Dynamic variables, checked one by one."""
    for name, value in variables.items():
        if not isinstance(name, str) or not name:
            raise AgentError(f"The name of a variable is a str that is not empty, found {name!r}.")
        if name.startswith(RESERVED):
            raise AgentError(f"The variable {name} takes another name: those with {RESERVED} are the platform's own.")
        if not isinstance(value, str | int | float):
            raise AgentError(f"The variable {name} takes a str, int, float or bool, found {_kind(value)}.")
        sendable(f"the variable {name}", value)
    return dict(variables)


def text(name: str, value: object) -> str:
    """A str."""
    if not isinstance(value, str):
        raise AgentError(f"{name} takes a str, found {_kind(value)}.")
    return value


def number(name: str, value: object) -> float:
    """A number. Whether it is finite is for `sendable` to say."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AgentError(f"{name} takes a number, found {_kind(value)}.")
    return value


def flag(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise AgentError(f"{name} takes True or False, found {_kind(value)}.")
    return value


def items(name: str, value: object) -> list[Any]:
    """A list of anything."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise AgentError(f"{name} takes a list, found {_kind(value)}.")
    return list(value)


def mapping(name: str, value: object) -> dict[Any, Any]:
    """A dict of anything."""
    if not isinstance(value, Mapping):
        raise AgentError(f"{name} takes a dict, found {_kind(value)}.")
    return dict(value)


def sendable(name: str, value: Any) -> Any:
    """A copy of `value`, as it is read on the other side."""
    try:
        return jsontext.loads(jsontext.dumps(value).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise AgentError(f"{name} cannot be sent as JSON: {error}.") from None


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
