"""The parts of a transcription: turns, tool calls, the data of the call, its analysis."""

from __future__ import annotations

from typing import Literal

from ...wire.objects import (
    Anything,
    Entries,
    Epoch,
    Flag,
    Items,
    Known,
    Number,
    Part,
    Parts,
    Table,
    Text,
    Whole,
    Wire,
    WireObject,
    Word,
)


class ToolUse(WireObject):
    """The common fields of a tool call and of its result."""

    _shown = "tool_name"

    #: Type of the tool: ``webhook``, ``client``, ``system``, ...
    type = Wire(Word())
    #: The id that the call and its result have in common.
    request_id = Wire(Text())
    #: Name of the tool, as configured.
    tool_name = Wire(Text())
    #: Whether the tool was really called.
    tool_has_been_called = Wire(Flag())


class ToolCall(ToolUse):
    """A call of a tool by the agent."""

    #: The parameters: JSON in a string.
    params_as_json = Wire(Text())
    #: Details by the type of the tool; of a ``webhook`` its method, URL, headers and parameters.
    tool_details = Wire(Entries())


class ToolResult(ToolUse):
    """The result of a tool."""

    #: The result as a string, which is often JSON.
    result_value = Wire(Text())
    is_error = Wire(Flag())


class Turn(WireObject):
    """One turn of the conversation. Lists may be null in the JSON; they read as None then."""

    _shown = "role"

    #: ``user`` or ``agent``.
    role = Wire(Known[Literal["user", "agent"]]())
    #: The spoken text; None in a turn that only calls tools.
    message = Wire(Text())
    #: Seconds since the call began.
    time_in_call_secs = Wire(Whole())
    tool_calls = Wire(Parts(ToolCall))
    tool_results = Wire(Parts(ToolResult))
    #: Whether the other party interrupted it.
    interrupted = Wire(Flag())
    #: The full text of an interrupted turn.
    original_message = Wire(Text())
    #: ``audio`` or ``text``.
    source_medium = Wire(Known[Literal["audio", "text"]]())
    #: Whether it was ignored as a sound of listening, such as "mhm".
    ignored_as_backchannel = Wire(Flag())
    #: The model that was used instead of the agent's.
    llm_override = Wire(Text())
    #: The user's feedback on this turn.
    feedback = Wire(Entries())
    #: Durations of the processing steps.
    conversation_turn_metrics = Wire(Entries())
    #: The lookup in the knowledge base.
    rag_retrieval_info = Wire(Entries())
    #: Number of tokens, by model.
    llm_usage = Wire(Entries())
    #: The agent of this turn, if there are several.
    agent_metadata = Wire(Entries())
    #: Undocumented; as received.
    multivoice_message = Wire(Anything())
    #: Undocumented; as received.
    reasoning = Wire(Anything())
    #: Undocumented; as received.
    file_input = Wire(Anything())


class PhoneCall(WireObject):
    """The phone call of the conversation. Its fields depend on ``type``."""

    _shown = "type"

    #: ``sip_trunking``, ``twilio`` or ``exotel``.
    type = Wire(Word())
    #: ``inbound`` or ``outbound``.
    direction = Wire(Known[Literal["inbound", "outbound"]]())
    #: Id of the imported number.
    phone_number_id = Wire(Text())
    agent_number = Wire(Text())
    #: The number of the other party.
    external_number = Wire(Text())
    #: Id of the call at its carrier.
    call_sid = Wire(Text())
    #: With ``sip_trunking``: the SIP call id, in newer deliveries.
    call_id = Wire(Text())
    #: With ``twilio``: id of the audio stream.
    stream_sid = Wire(Text())
    #: With ``sip_trunking``: dynamic variables from SIP headers.
    sip_header_dynamic_variables = Wire(Entries())


class DeletionSettings(WireObject):
    """The times at which parts of the conversation are deleted or were deleted."""

    _shown = "deletion_time"

    #: Time when all of it will be deleted; aware, in UTC.
    deletion_time = Wire(Epoch(), "deletion_time_unix_secs")
    deleted_logs_at_time = Wire(Epoch(), "deleted_logs_at_time_unix_secs")
    deleted_audio_at_time = Wire(Epoch(), "deleted_audio_at_time_unix_secs")
    deleted_transcript_at_time = Wire(Epoch(), "deleted_transcript_at_time_unix_secs")
    #: Whether the transcript and personal data are deleted.
    delete_transcript_and_pii = Wire(Flag())
    delete_audio = Wire(Flag())


class CallFeedback(WireObject):
    """The user's feedback on the call."""

    _shown = "overall_score"

    overall_score = Wire(Number())
    #: Number of turns that the user liked.
    likes = Wire(Whole())
    #: Number of turns that the user disliked.
    dislikes = Wire(Whole())


class CallMetadata(WireObject):
    """The data of the call besides its transcript. Only ``start_time`` and ``call_duration_secs`` are always set."""

    _shown = "start_time"

    #: Time when it began; aware, in UTC.
    start_time = Wire(Epoch(), "start_time_unix_secs")
    #: Time when it was accepted; aware, in UTC.
    accepted_time = Wire(Epoch(), "accepted_time_unix_secs")
    call_duration_secs = Wire(Whole())
    #: Cost in credits.
    cost = Wire(Number())
    #: Cost in money. Undocumented; as received.
    cost_fiat = Wire(Anything())
    #: The phone call; None if the conversation was another one.
    phone_call = Wire(Part(PhoneCall))
    #: Source of the conversation: ``sip_trunk``, ``twilio``, ...
    conversation_initiation_source = Wire(Word())
    #: The reason why it ended, in words.
    termination_reason = Wire(Text())
    #: The error, if there was one. Undocumented; as received.
    error = Wire(Anything())
    warnings = Wire(Items())
    #: Language code such as ``en``.
    main_language = Wire(Text())
    timezone = Wire(Text())
    #: Whether it was a text conversation.
    text_only = Wire(Flag())
    feedback = Wire(Part(CallFeedback))
    deletion_settings = Wire(Part(DeletionSettings))
    #: How the user was authorized: ``public``, ...
    authorization_method = Wire(Word())
    #: Details of the cost.
    charging = Wire(Entries())
    #: The batch of calls to which it belongs.
    batch_call = Wire(Entries())
    #: The lookup in the knowledge base.
    rag_usage = Wire(Entries())
    features_usage = Wire(Entries())
    whatsapp = Wire(Entries())
    sms = Wire(Entries())


class CriterionResult(WireObject):
    """The result of one evaluation criterion."""

    _shown = "result"

    criteria_id = Wire(Text())
    #: ``success``, ``failure`` or ``unknown``.
    result = Wire(Known[Literal["success", "failure", "unknown"]]())
    #: The reason, in words.
    rationale = Wire(Text())


class CollectedValue(WireObject):
    """A value that was extracted from the call."""

    _shown = "data_collection_id"

    #: Id of the data collection item.
    data_collection_id = Wire(Text())
    #: The value: a string, a number, a boolean or None.
    value = Wire(Anything())
    #: The JSON schema that was configured for it.
    json_schema = Wire(Entries())
    #: The reason, in words.
    rationale = Wire(Text())


class Analysis(WireObject):
    """The platform's analysis of the call."""

    _shown = "call_successful"

    #: ``success``, ``failure`` or ``unknown``.
    call_successful = Wire(Known[Literal["success", "failure", "unknown"]]())
    #: Summary of a few sentences.
    transcript_summary = Wire(Text())
    #: Summary of a few words.
    call_summary_title = Wire(Text())
    #: Results of the criteria, by their ids.
    evaluation_criteria_results = Wire(Table(CriterionResult))
    #: The same as a list.
    evaluation_criteria_results_list = Wire(Parts(CriterionResult))
    #: Collected values, by their ids.
    data_collection_results = Wire(Table(CollectedValue))
    #: The same as a list.
    data_collection_results_list = Wire(Parts(CollectedValue))


class ClientData(WireObject):
    """The data with which the conversation was started: the initiation answer and the platform's variables."""

    _shown = "user_id"

    #: Variables, including those of the platform (``system__caller_id``, ...).
    dynamic_variables = Wire(Entries())
    #: Overridden settings of the agent.
    conversation_config_override = Wire(Entries())
    #: Extra fields for a custom model.
    custom_llm_extra_body = Wire(Entries())
    #: The user id from the initiation answer.
    user_id = Wire(Text())
    branch_id = Wire(Text())
    environment = Wire(Text())
    source_info = Wire(Entries())
