"""What the transcription of a call is made of: turns, tool calls, what is known of the call, its analysis."""

from __future__ import annotations

from typing import Literal

from marshmallow import fields

from ..payloads import Entries, Flag, Items, Known, Number, Part, Parts, Whole, Wire, WireObject, Word
from .fields import Epoch, Table


class ToolCall(WireObject):
    """A tool that the agent called in its turn."""

    _shown = "tool_name"

    #: Kind of tool: `webhook`, `client`, `system`, ...
    type = Wire("type", Word())
    #: Ties the call to its result.
    request_id = Wire("request_id", fields.String())
    #: Its name, as configured.
    tool_name = Wire("tool_name", fields.String())
    #: The parameters, as a string that holds JSON.
    params_as_json = Wire("params_as_json", fields.String())
    #: Whether it was called in the end.
    tool_has_been_called = Wire("tool_has_been_called", Flag())
    #: What was called, by kind of tool: of a `webhook` its method, URL, headers and parameters.
    tool_details = Wire("tool_details", Entries())


class ToolResult(WireObject):
    """What a tool answered."""

    _shown = "tool_name"

    #: Kind of tool.
    type = Wire("type", Word())
    #: Ties the result to the call.
    request_id = Wire("request_id", fields.String())
    #: The tool's name, as configured.
    tool_name = Wire("tool_name", fields.String())
    #: The answer, as a string; often it holds JSON.
    result_value = Wire("result_value", fields.String())
    #: Whether the tool failed.
    is_error = Wire("is_error", Flag())
    #: Whether it was called in the end.
    tool_has_been_called = Wire("tool_has_been_called", Flag())


class Turn(WireObject):
    """One turn of the conversation. Lists may be null on the wire, and read as `None` then."""

    _shown = "role"

    #: `user` or `agent`.
    role = Wire("role", Known[Literal["user", "agent"]]())
    #: What was said; `None` in a turn that only calls tools.
    message = Wire("message", fields.String())
    #: Seconds since the call began.
    time_in_call_secs = Wire("time_in_call_secs", Whole())
    #: Tools that were called.
    tool_calls = Wire("tool_calls", Parts(ToolCall))
    #: What tools answered.
    tool_results = Wire("tool_results", Parts(ToolResult))
    #: Whether the other one broke in.
    interrupted = Wire("interrupted", Flag())
    #: Of an interrupted turn: what would have been said.
    original_message = Wire("original_message", fields.String())
    #: `audio` or `text`.
    source_medium = Wire("source_medium", Known[Literal["audio", "text"]]())
    #: Whether it was taken for a mere sound of listening.
    ignored_as_backchannel = Wire("ignored_as_backchannel", Flag())
    #: The model that was used in place of the agent's.
    llm_override = Wire("llm_override", fields.String())
    #: The user's feedback on this turn.
    feedback = Wire("feedback", Entries())
    #: How long the parts of the machinery took.
    conversation_turn_metrics = Wire("conversation_turn_metrics", Entries())
    #: What was looked up in the knowledge base.
    rag_retrieval_info = Wire("rag_retrieval_info", Entries())
    #: Tokens used, by model.
    llm_usage = Wire("llm_usage", Entries())
    #: Which agent it was, when there are several.
    agent_metadata = Wire("agent_metadata", Entries())
    #: Undocumented: kept as it came.
    multivoice_message = Wire("multivoice_message", fields.Raw())
    #: Undocumented: kept as it came.
    reasoning = Wire("reasoning", fields.Raw())
    #: Undocumented: kept as it came.
    file_input = Wire("file_input", fields.Raw())


class PhoneCall(WireObject):
    """The telephone call behind the conversation. Which fields there are depends on `type`."""

    _shown = "type"

    #: `sip_trunking`, `twilio` or `exotel`.
    type = Wire("type", Word())
    #: `inbound` or `outbound`.
    direction = Wire("direction", Known[Literal["inbound", "outbound"]]())
    #: Id of the imported number.
    phone_number_id = Wire("phone_number_id", fields.String())
    #: The agent's number.
    agent_number = Wire("agent_number", fields.String())
    #: The number of the one who called, or was called.
    external_number = Wire("external_number", fields.String())
    #: Id of the call at its carrier.
    call_sid = Wire("call_sid", fields.String())
    #: Of `sip_trunking`: the SIP call id, in newer deliveries.
    call_id = Wire("call_id", fields.String())
    #: Of `twilio`: id of the audio stream.
    stream_sid = Wire("stream_sid", fields.String())
    #: Of `sip_trunking`: dynamic variables that came in SIP headers.
    sip_header_dynamic_variables = Wire("sip_header_dynamic_variables", Entries())


class DeletionSettings(WireObject):
    """When which part of the conversation is, or was, deleted."""

    _shown = "deletion_time"

    #: When all of it will be; aware, in UTC.
    deletion_time = Wire("deletion_time_unix_secs", Epoch())
    #: When the logs were.
    deleted_logs_at_time = Wire("deleted_logs_at_time_unix_secs", Epoch())
    #: When the audio was.
    deleted_audio_at_time = Wire("deleted_audio_at_time_unix_secs", Epoch())
    #: When the transcript was.
    deleted_transcript_at_time = Wire("deleted_transcript_at_time_unix_secs", Epoch())
    #: Whether transcript and personal data are.
    delete_transcript_and_pii = Wire("delete_transcript_and_pii", Flag())
    #: Whether the audio is.
    delete_audio = Wire("delete_audio", Flag())


class CallFeedback(WireObject):
    """What the user thought of the call."""

    _shown = "overall_score"

    #: The score of the whole.
    overall_score = Wire("overall_score", Number())
    #: Turns that were liked.
    likes = Wire("likes", Whole())
    #: Turns that were not.
    dislikes = Wire("dislikes", Whole())


class CallMetadata(WireObject):
    """What is known of the call besides what was said. Only `start_time` and `call_duration_secs` are always there."""

    _shown = "start_time"

    #: When it began; aware, in UTC.
    start_time = Wire("start_time_unix_secs", Epoch())
    #: When it was accepted; aware, in UTC.
    accepted_time = Wire("accepted_time_unix_secs", Epoch())
    #: Seconds.
    call_duration_secs = Wire("call_duration_secs", Whole())
    #: In credits.
    cost = Wire("cost", Number())
    #: The cost in money. Undocumented: kept as it came.
    cost_fiat = Wire("cost_fiat", fields.Raw())
    #: The telephone call, if it was one.
    phone_call = Wire("phone_call", Part(PhoneCall))
    #: Where it came from: `sip_trunk`, `twilio`, ...
    conversation_initiation_source = Wire("conversation_initiation_source", Word())
    #: Why it ended, in words.
    termination_reason = Wire("termination_reason", fields.String())
    #: What went wrong, if anything did. Undocumented: kept as it came.
    error = Wire("error", fields.Raw())
    #: What else was not as it should be.
    warnings = Wire("warnings", Items())
    #: Language code such as `en`.
    main_language = Wire("main_language", fields.String())
    #: Name of a time zone.
    timezone = Wire("timezone", fields.String())
    #: Whether it was written, not spoken.
    text_only = Wire("text_only", Flag())
    #: What the user thought of it.
    feedback = Wire("feedback", Part(CallFeedback))
    #: When which part of it is deleted.
    deletion_settings = Wire("deletion_settings", Part(DeletionSettings))
    #: How the user was let in: `public`, ...
    authorization_method = Wire("authorization_method", Word())
    #: How the cost came about.
    charging = Wire("charging", Entries())
    #: The batch of calls that it belongs to.
    batch_call = Wire("batch_call", Entries())
    #: What was looked up in the knowledge base.
    rag_usage = Wire("rag_usage", Entries())
    #: Features of the platform that were used.
    features_usage = Wire("features_usage", Entries())
    #: Of a conversation over WhatsApp.
    whatsapp = Wire("whatsapp", Entries())
    #: Of a conversation over SMS.
    sms = Wire("sms", Entries())


class CriterionResult(WireObject):
    """Whether the call met one criterion of success."""

    _shown = "result"

    #: Id of the criterion.
    criteria_id = Wire("criteria_id", fields.String())
    #: `success`, `failure` or `unknown`.
    result = Wire("result", Known[Literal["success", "failure", "unknown"]]())
    #: Why, in words.
    rationale = Wire("rationale", fields.String())


class CollectedValue(WireObject):
    """One piece of data that was gathered from the call."""

    _shown = "data_collection_id"

    #: Id of what was looked for.
    data_collection_id = Wire("data_collection_id", fields.String())
    #: What was found: a string, number, boolean or nothing.
    value = Wire("value", fields.Raw())
    #: What it was to look like.
    json_schema = Wire("json_schema", Entries())
    #: Why, in words.
    rationale = Wire("rationale", fields.String())


class Analysis(WireObject):
    """What the platform made of the call."""

    _shown = "call_successful"

    #: `success`, `failure` or `unknown`.
    call_successful = Wire("call_successful", Known[Literal["success", "failure", "unknown"]]())
    #: The call in a few sentences.
    transcript_summary = Wire("transcript_summary", fields.String())
    #: The call in a few words.
    call_summary_title = Wire("call_summary_title", fields.String())
    #: Criteria by their ids.
    evaluation_criteria_results = Wire("evaluation_criteria_results", Table(CriterionResult))
    #: The same as a list.
    evaluation_criteria_results_list = Wire("evaluation_criteria_results_list", Parts(CriterionResult))
    #: Data by their ids.
    data_collection_results = Wire("data_collection_results", Table(CollectedValue))
    #: The same as a list.
    data_collection_results_list = Wire("data_collection_results_list", Parts(CollectedValue))


class ClientData(WireObject):
    """What the conversation was started with: the answer to its initiation, and the variables of the platform."""

    _shown = "user_id"

    #: Variables, those of the platform (`system__caller_id` ...) among them.
    dynamic_variables = Wire("dynamic_variables", Entries())
    #: Settings of the agent that were overridden.
    conversation_config_override = Wire("conversation_config_override", Entries())
    #: Extra fields for a model of one's own.
    custom_llm_extra_body = Wire("custom_llm_extra_body", Entries())
    #: The user, as the initiation named them.
    user_id = Wire("user_id", fields.String())
    #: Branch of the agent.
    branch_id = Wire("branch_id", fields.String())
    #: Environment of the agent.
    environment = Wire("environment", fields.String())
    #: Where the conversation came from.
    source_info = Wire("source_info", Entries())
