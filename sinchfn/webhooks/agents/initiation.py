"""The initiation of an agent's conversation: the request while the phone rings, and the data that answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

from ...errors import Advised, AgentError, AnswerError, did_you_mean
from ...wire import json
from ...wire.faults import describe_type
from ...wire.objects import Text, Wire, WireObject
from ...wire.schemas import Entries, Flag, Items, Number, StrictField, check_value
from ...wire.schemas import Text as StrictText

#: The ``type`` of every answer.
ANSWER_TYPE = "conversation_initiation_client_data"
#: Names of variables that begin with this belong to the platform.
RESERVED = "system__"

_TEXT, _NUMBER, _FLAG, _ITEMS, _ENTRIES = StrictText(empty=True), Number(), Flag(), Items(), Entries()

#: Field of an answer -> its type, if it is not null.
FIELDS: Mapping[str, StrictField[Any]] = MappingProxyType(
    {
        "type": _TEXT,
        "dynamic_variables": _ENTRIES,
        "conversation_config_override": _ENTRIES,
        "custom_llm_extra_body": _ENTRIES,
        "user_id": _TEXT,
        "branch_id": _TEXT,
        "environment": _TEXT,
        "source_info": _ENTRIES,
    }
)

#: A value of a dynamic variable.
Variable = str | int | float | bool


class ConversationInit(Advised):
    """The data with which a conversation starts. It is immutable: each method returns a new one.

    A later value replaces an earlier one; objects are merged field by field. The platform applies an override only if
    the security settings of the agent enable the field. A value that cannot be sent raises ``AgentError``, which is a
    ``ValueError``.

    >>> ConversationInit().variable("user_name", "Jo").language("en").build()["dynamic_variables"]
    {'user_name': 'Jo'}
    """

    __slots__ = ("_wire",)

    def __init__(self) -> None:
        self._wire: dict[str, Any] = {"type": ANSWER_TYPE, "dynamic_variables": {}}

    def variable(self, name: str, value: Variable) -> Self:
        """Set a dynamic variable. The agent needs every variable that its texts name.

        :param name: must not begin with ``system__``, which is reserved for the platform.
        :param value: a str, int, finite float or bool.
        :raises AgentError: the name or the value is invalid.
        """
        return self.variables({name: value})

    def variables(self, given: Mapping[str, Variable] | None = None, /, **more: Variable) -> Self:
        """Set several dynamic variables, as a mapping, by keyword, or both.

        :raises AgentError: as for :meth:`variable`.
        """
        named = {} if given is None else _checked("variables", given, _ENTRIES)
        return self._with(dynamic_variables=variables_of({**named, **more}))

    def prompt(
        self,
        prompt: str | None = None,
        *,
        llm: str | None = None,
        tool_ids: Sequence[str] | None = None,
        knowledge_base: Sequence[Mapping[str, Any]] | None = None,
    ) -> Self:
        """Override the system prompt, its model, tools or knowledge base. None leaves a setting unchanged.

        :param llm: name of the model.
        :param tool_ids: ids of the tools; an empty list removes them.
        :param knowledge_base: documents, as in the JSON; an empty list removes them.
        """
        texts = _given(_TEXT, prompt=prompt, llm=llm)
        return self._override("agent", prompt=texts | _given(_ITEMS, tool_ids=tool_ids, knowledge_base=knowledge_base))

    def first_message(self, message: str) -> Self:
        """Override the first message of the agent."""
        return self._override("agent", first_message=_checked("first_message", message, _TEXT))

    def language(self, code: str) -> Self:
        """Override the language of the agent: a code such as ``en``."""
        return self._override("agent", language=_checked("language", code, _TEXT))

    def voice(
        self,
        voice_id: str | None = None,
        *,
        model_id: str | None = None,
        stability: float | None = None,
        speed: float | None = None,
        similarity_boost: float | None = None,
    ) -> Self:
        """Override the voice or its settings. None leaves a setting unchanged; the platform checks the ranges.

        :param model_id: name of the speech model.
        """
        numbers = _given(_NUMBER, stability=stability, speed=speed, similarity_boost=similarity_boost)
        return self._override("tts", **_given(_TEXT, voice_id=voice_id, model_id=model_id), **numbers)

    def text_only(self, enabled: bool = True) -> Self:
        """Switch to a text conversation, without speech."""
        return self._override("conversation", text_only=_checked("text_only", enabled, _FLAG))

    def user_id(self, user: str | None) -> Self:
        """Set your own id of the user, which the events repeat. None is sent as null."""
        return self._with(**{"user_id": None, **_given(_TEXT, user_id=user)})

    def branch_id(self, branch: str | None) -> Self:
        """Select a branch of the agent. None is sent as null."""
        return self._with(**{"branch_id": None, **_given(_TEXT, branch_id=branch)})

    def environment(self, name: str | None) -> Self:
        """Select an environment of the agent. None is sent as null."""
        return self._with(**{"environment": None, **_given(_TEXT, environment=name)})

    def extra_body(self, body: Mapping[str, Any]) -> Self:
        """Add fields to each request to a custom model."""
        return self._with(custom_llm_extra_body=_checked("extra_body", body, _ENTRIES))

    def override(self, settings: Mapping[str, Any]) -> Self:
        """Override any settings of the agent, as in the JSON: ``{"asr": {...}, "turn": {...}}``."""
        return self._with(conversation_config_override=_checked("override", settings, _ENTRIES))

    def build(self) -> dict[str, Any]:
        """Return the answer as it is sent: a new dict each time."""
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
        # Names only: texts and variables contain personal data.
        return f"<ConversationInit: {', '.join(name for name in self._wire if name != 'type')}>"


class ConversationInitRequest(WireObject):
    """The request for the data of an incoming call to an agent. The answer is a ``ConversationInit``."""

    _shown = "caller_id"

    #: The caller's number.
    caller_id = Wire(Text())
    agent_id = Wire(Text())
    #: The number that was called.
    called_number = Wire(Text())
    #: Id of the call at its carrier.
    call_sid = Wire(Text())
    #: Id of the conversation. Undocumented; not every delivery has one.
    conversation_id = Wire(Text())


def initiation_answer(value: object) -> dict[str, Any]:
    """Check and complete the answer that an initiation handler returned, as a new dict.

    :param value: a :class:`ConversationInit`; a dict as it is sent, where ``type`` and ``dynamic_variables`` may be
        missing; None to start the conversation as the agent is configured.
    :raises AgentError: a dict has a value that cannot be sent.
    :raises AnswerError: it is something else. A ``TypeError``.
    """
    if value is None:
        return ConversationInit().build()
    if isinstance(value, ConversationInit):
        return value.build()
    if isinstance(value, Mapping) and value.get("type", ANSWER_TYPE) == ANSWER_TYPE:
        return completed(value)
    found = f"a dict of type {value['type']!r}" if isinstance(value, Mapping) else describe_type(value)
    raise AnswerError(
        f"it returned {found}; a conversation is started with a ConversationInit, with None, or with a dict such as "
        f'{{"dynamic_variables": {{"user_name": "Jo"}}}}, whose type, if it has one, is "{ANSWER_TYPE}"'
    )


def completed(answer: Mapping[Any, Any]) -> dict[str, Any]:
    """Check an answer, and return it with its required fields as a new dict."""
    for name, value in answer.items():
        if not isinstance(name, str) or name not in FIELDS:
            raise AgentError(
                f"The answer has no field {name!r}.{did_you_mean(str(name), list(FIELDS))} It takes "
                f"{', '.join(FIELDS)}; your own variables belong in dynamic_variables."
            )
        if value is not None:
            _checked(name, value, FIELDS[name])
    variables = variables_of(answer.get("dynamic_variables") or {})
    whole: dict[str, Any] = sendable("the answer", {**answer, "type": ANSWER_TYPE, "dynamic_variables": variables})
    return whole


def variables_of(variables: Mapping[Any, Any]) -> dict[str, Any]:
    """Check dynamic variables one by one."""
    for name, value in variables.items():
        if not isinstance(name, str) or not name:
            raise AgentError(f"The name of a variable must be a str that is not empty, found {name!r}.")
        if name.startswith(RESERVED):
            raise AgentError(f"The variable {name} needs another name: {RESERVED} is reserved for the platform's own.")
        if not isinstance(value, str | int | float):
            raise AgentError(f"The variable {name} takes a str, int, float or bool, found {describe_type(value)}.")
        sendable(f"the variable {name}", value)
    return dict(variables)


def sendable(name: str, value: Any) -> Any:
    """Return a copy of ``value`` as the recipient will read it.

    :raises AgentError: it cannot be sent as JSON.
    """
    try:
        return json.loads(json.dumps(value).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise AgentError(f"{name} cannot be sent as JSON: {error}.") from None


def _checked(name: str, value: object, field: StrictField[Any]) -> Any:
    return check_value(field, value, name, AgentError)


def _given(field: StrictField[Any], **options: object) -> dict[str, Any]:
    """Check the options that are not None."""
    return {name: _checked(name, value, field) for name, value in options.items() if value is not None}


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``one`` with the fields of ``other``; objects that both have are merged likewise."""
    merged = dict(one)
    for name, value in other.items():
        before = merged.get(name)
        merged[name] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
