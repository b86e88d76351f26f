"""Personalisation: the request that comes while the phone rings, and the answer that a conversation starts with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from marshmallow import fields

from ..errors import Advised, AnswerError
from ..payloads import Wire, WireObject
from .checks import (
    ANSWER_TYPE,
    Variable,
    completed,
    flag,
    items,
    mapping,
    number,
    sendable,
    text,
    variables_of,
)


class ConversationInitRequest(WireObject):
    """A call comes in for an agent: who is it, and what shall the agent know? Answered with a `ConversationInit`."""

    _shown = "caller_id"

    #: The caller's number.
    caller_id = Wire("caller_id", fields.String())
    #: Id of the agent.
    agent_id = Wire("agent_id", fields.String())
    #: The number that was called.
    called_number = Wire("called_number", fields.String())
    #: Id of the call at its carrier.
    call_sid = Wire("call_sid", fields.String())
    #: Id of the conversation. Undocumented: not every delivery has it.
    conversation_id = Wire("conversation_id", fields.String())


class ConversationInit(Advised):
    """What a conversation is to start with. Never changes: each method returns a new one.

    What is given twice counts as given last; an object is merged into the one before, field by field. The platform
    applies an override only if the security settings of the agent enable the field. What cannot be sent is an
    `AgentError`, a `ValueError`.

    >>> ConversationInit().variable("user_name", "Jo").language("en").build()["dynamic_variables"]
    {'user_name': 'Jo'}
    """

    __slots__ = ("_wire",)

    def __init__(self) -> None:
        self._wire: dict[str, Any] = {"type": ANSWER_TYPE, "dynamic_variables": {}}

    def variable(self, name: str, value: Variable) -> Self:
        """A dynamic variable. The agent needs every one that its texts name.

        :param name: not one that begins with `system__`: those are the platform's.
        :param value: a str, int, finite float or bool.
        :raises AgentError: it is something else.
        """
        return self.variables({name: value})

    def variables(self, given: Mapping[str, Variable] | None = None, /, **more: Variable) -> Self:
        """Several dynamic variables, as a mapping, by keyword, or both.

        :raises AgentError: as for :meth:`variable`.
        """
        named = {} if given is None else mapping("variables", given)
        return self._with(dynamic_variables=variables_of({**named, **more}))

    def prompt(
        self,
        prompt: str | None = None,
        *,
        llm: str | None = None,
        tool_ids: Sequence[str] | None = None,
        knowledge_base: Sequence[Mapping[str, Any]] | None = None,
    ) -> Self:
        """Another system prompt, or another model, tools or knowledge for it. What is None is left as it is.

        :param llm: name of the model.
        :param tool_ids: ids of the tools; an empty list means none.
        :param knowledge_base: documents, in wire form; an empty list means none.
        """
        given = {
            "prompt": prompt if prompt is None else text("prompt", prompt),
            "llm": llm if llm is None else text("llm", llm),
            "tool_ids": tool_ids if tool_ids is None else items("tool_ids", tool_ids),
            "knowledge_base": knowledge_base if knowledge_base is None else items("knowledge_base", knowledge_base),
        }
        return self._override("agent", prompt=_without_none(given))

    def first_message(self, message: str) -> Self:
        """What the agent says first."""
        return self._override("agent", first_message=text("first_message", message))

    def language(self, code: str) -> Self:
        """The language that is spoken: a code such as `en`."""
        return self._override("agent", language=text("language", code))

    def voice(
        self,
        voice_id: str | None = None,
        *,
        model_id: str | None = None,
        stability: float | None = None,
        speed: float | None = None,
        similarity_boost: float | None = None,
    ) -> Self:
        """Another voice, or other settings for it. What is None is left as it is; the platform checks the ranges.

        :param model_id: name of the model that speaks.
        """
        names = _without_none({"voice_id": voice_id, "model_id": model_id})
        numbers = _without_none({"stability": stability, "speed": speed, "similarity_boost": similarity_boost})
        checked = {name: text(name, value) for name, value in names.items()}
        return self._override("tts", **checked, **{name: number(name, value) for name, value in numbers.items()})

    def text_only(self, enabled: bool = True) -> Self:
        """Write and do not speak."""
        return self._override("conversation", text_only=flag("text_only", enabled))

    def user_id(self, user: str | None) -> Self:
        """Your own id of the user; it comes back in the events. None is sent as null."""
        return self._with(user_id=user if user is None else text("user_id", user))

    def branch_id(self, branch: str | None) -> Self:
        """Branch of the agent. None is sent as null."""
        return self._with(branch_id=branch if branch is None else text("branch_id", branch))

    def environment(self, name: str | None) -> Self:
        """Environment of the agent. None is sent as null."""
        return self._with(environment=name if name is None else text("environment", name))

    def extra_body(self, body: Mapping[str, Any]) -> Self:
        """Fields that a model of your own gets with each request."""
        return self._with(custom_llm_extra_body=mapping("extra_body", body))

    def override(self, settings: Mapping[str, Any]) -> Self:
        """Any settings of the agent, as the wire has them: `{"asr": {...}, "turn": {...}}`."""
        return self._with(conversation_config_override=mapping("override", settings))

    def build(self) -> dict[str, Any]:
        """The answer as the wire has it: a new dict each time, yours to change."""
        answer: dict[str, Any] = sendable("the answer", self._wire)
        return answer

    def _override(self, section: str, **settings: Any) -> Self:
        return self._with(conversation_config_override={section: settings})

    def _with(self, **parts: Any) -> Self:
        new = object.__new__(type(self))
        new._wire = _merged(self._wire, {name: sendable(name, part) for name, part in parts.items()})
        return new

    def __eq__(self, other: object) -> bool:
        return self._wire == other._wire if isinstance(other, ConversationInit) else NotImplemented

    def __repr__(self) -> str:
        # Names only: texts and variables carry a person's data.
        return f"<ConversationInit: {', '.join(name for name in self._wire if name != 'type')}>"


def initiation_answer(value: object) -> dict[str, Any]:
    """The answer that a handler of the initiation returned, checked and complete, as a new dict.

    :param value: a :class:`ConversationInit`; a dict in wire form, where `type` and `dynamic_variables` may be missing;
        None for a conversation that starts as the agent is configured.
    :raises AgentError: something in a dict cannot be sent.
    :raises AnswerError: it is something else. A `TypeError`.
    """
    if value is None:
        return ConversationInit().build()
    if isinstance(value, ConversationInit):
        return value.build()
    if isinstance(value, Mapping) and value.get("type", ANSWER_TYPE) == ANSWER_TYPE:
        return completed(value)
    found = f"a dict of type {value['type']!r}" if isinstance(value, Mapping) else f"a {type(value).__name__}"
    raise AnswerError(
        f"it returned {found}; a conversation is started with a ConversationInit, with None, or with a dict such as "
        f'{{"dynamic_variables": {{"user_name": "Jo"}}}}, whose type, if it has one, is "{ANSWER_TYPE}"'
    )


def _without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """`one` with the fields of `other`; where both have an object, these are merged likewise."""
    merged = dict(one)
    for name, value in other.items():
        before = merged.get(name)
        merged[name] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
