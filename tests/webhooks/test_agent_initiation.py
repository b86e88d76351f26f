"""The start of a conversation: what the builder makes, and what a handler may return."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchfn.errors import AgentError, AnswerError
from sinchfn.webhooks.agents import ConversationInit, ConversationInitRequest, initiation_answer
from tests.harness.paths import ELEVENLABS

TYPE = "conversation_initiation_client_data"
#: Has no text, so that pytest cannot make a name of it.
HUGE = pytest.param(10**5000, id="huge")
MINIMAL = {"type": TYPE, "dynamic_variables": {}}


def fixture(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ELEVENLABS / f"conversation_init.{name}.json").read_text("utf-8"))
    return found


def overridden(init: ConversationInit) -> Any:
    return init.build()["conversation_config_override"]


class TestBuilder:
    def test_nothing_given_is_the_least_answer(self) -> None:
        assert ConversationInit().build() == fixture("response_minimal") == MINIMAL

    def test_a_usual_answer(self) -> None:
        init = (
            ConversationInit()
            .variables(user_name="Jo", open_orders=2, vip=True)
            .prompt("You are the parcel desk. Be brief.")
            .first_message("Hi Jo, how can I help?")
            .language("en")
            .voice("voice_123")
        )
        assert init.build() == fixture("response")

    def test_a_full_answer(self) -> None:
        init = (
            ConversationInit()
            .variable("user_name", "Jo")
            .prompt("…", llm="gpt-4o-mini", tool_ids=[], knowledge_base=())
            .first_message("Hi")
            .language("en")
            .voice("voice_123", stability=0.5, speed=1.0, similarity_boost=0.8)
            .text_only(False)
            .extra_body({"temperature": 0.2})
            .user_id("crm-42")
            .branch_id(None)
        )
        assert init.build() == fixture("response_full")

    def test_it_never_changes(self) -> None:
        first = ConversationInit().variable("a", 1)
        second = first.variable("b", 2).language("en")
        assert first.build() == {**MINIMAL, "dynamic_variables": {"a": 1}}
        assert second.build()["dynamic_variables"] == {"a": 1, "b": 2}
        second.build()["dynamic_variables"]["c"] = 3
        assert "c" not in second.build()["dynamic_variables"]

    def test_what_it_was_given_may_change_afterwards(self) -> None:
        documents: list[dict[str, Any]] = [{"id": "a"}]
        settings = {"turn": {"mode": "x", "list": [1]}}
        init = ConversationInit().prompt(knowledge_base=documents).override(settings)
        before = init.build()
        documents[0]["id"] = "b"
        settings["turn"]["list"] = [2]
        assert init.build() == before

    def test_objects_are_merged_and_the_last_value_counts(self) -> None:
        init = (
            ConversationInit()
            .prompt("one", llm="a")
            .override({"agent": {"prompt": {"prompt": "two", "x": [1]}, "language": None}, "asr": {"quality": "high"}})
            .prompt(llm="b", tool_ids=["t"])
            .language("de")
            .override({"agent": {"prompt": {"x": [2]}}})
        )
        assert overridden(init) == {
            "agent": {"prompt": {"prompt": "two", "llm": "b", "x": [2], "tool_ids": ["t"]}, "language": "de"},
            "asr": {"quality": "high"},
        }
        extra = ConversationInit().extra_body({"a": {"b": 1}}).extra_body({"a": {"c": 2}})
        assert extra.build()["custom_llm_extra_body"] == {"a": {"b": 1, "c": 2}}

    def test_options_that_were_not_given_are_not_sent(self) -> None:
        assert overridden(ConversationInit().voice(speed=1, model_id="m")) == {"tts": {"speed": 1, "model_id": "m"}}
        assert overridden(ConversationInit().text_only()) == {"conversation": {"text_only": True}}

    def test_the_other_fields(self) -> None:
        built = ConversationInit().user_id("u").branch_id("b").environment("staging").build()
        assert built == {**MINIMAL, "user_id": "u", "branch_id": "b", "environment": "staging"}

    def test_equal_ones_are_equal(self) -> None:
        assert ConversationInit().variable("a", 1) == ConversationInit().variables({"a": 1})
        assert ConversationInit() != ConversationInit().variable("a", 1)
        assert ConversationInit() != MINIMAL

    def test_its_repr_shows_no_values(self) -> None:
        shown = repr(ConversationInit().variable("name", "Jo").first_message("Hi Jo").user_id("u-1"))
        assert shown == "<ConversationInit: dynamic_variables, conversation_config_override, user_id>"


class TestVariables:
    @pytest.mark.parametrize("value", ["", "x", "ä", 0, -1, 1.5, True, False])
    def test_what_they_may_be(self, value: Any) -> None:
        built = ConversationInit().variable("a", value).build()["dynamic_variables"]["a"]
        assert built == value
        assert type(built) is type(value)

    @pytest.mark.parametrize(
        "value",
        [
            None,
            [],
            {},
            b"x",
            Decimal(1),
            float("nan"),
            float("inf"),
            pytest.param(10**5000, id="huge"),
            "\ud800",
            object(),
        ],
    )
    def test_what_they_may_not_be(self, value: Any) -> None:
        for make in (lambda: ConversationInit().variable("answer", value), lambda: wire_form({"answer": value})):
            with pytest.raises(AgentError, match=r"(?i)the variable answer") as caught:
                make()
            assert isinstance(caught.value, ValueError)

    @pytest.mark.parametrize("name", ["system__caller_id", "system__", "system__x"])
    def test_the_names_of_the_platform_are_refused(self, name: str) -> None:
        for make in (lambda: ConversationInit().variable(name, 1), lambda: wire_form({name: 1})):
            with pytest.raises(AgentError, match="the platform's own") as caught:
                make()
            assert name in str(caught.value)

    @pytest.mark.parametrize("name", ["", 1, None, b"x"])
    def test_a_name_is_a_text(self, name: Any) -> None:
        for make in (lambda: ConversationInit().variables({name: 1}), lambda: wire_form({name: 1})):
            with pytest.raises(AgentError, match="name of a variable"):
                make()

    def test_a_mapping_and_keywords_go_together_and_keywords_count_last(self) -> None:
        built = ConversationInit().variables({"a": 1, "given": 2}, a=3).build()
        assert built["dynamic_variables"] == {"a": 3, "given": 2}


def wire_form(variables: dict[Any, Any]) -> dict[str, Any]:
    return initiation_answer({"dynamic_variables": variables})


DEEP: dict[str, Any] = {}
for _ in range(5000):
    DEEP = {"a": DEEP}


class TestRefusals:
    @pytest.mark.parametrize(
        ("method", "arguments", "options", "said"),
        [
            ("prompt", (1,), {}, r"prompt: must be text \(str\), found 1 \(int\)"),
            ("prompt", (), {"llm": 1}, "llm: must be text"),
            ("prompt", (), {"tool_ids": "abc"}, 'tool_ids: must be a list, found "abc"'),
            ("prompt", (), {"knowledge_base": {}}, "knowledge_base: must be a list, found a dict"),
            ("prompt", (), {"knowledge_base": [object()]}, "cannot be sent as JSON"),
            ("first_message", (None,), {}, "first_message: must not be null"),
            ("language", (b"en",), {}, "language: must be text"),
            ("voice", (5,), {}, "voice_id: must be text"),
            ("voice", (), {"model_id": 5}, "model_id: must be text"),
            ("voice", (), {"stability": True}, "stability: must be a number .*found True"),
            ("voice", (), {"speed": "1"}, "speed: must be a number"),
            ("voice", (), {"similarity_boost": float("nan")}, "cannot be sent as JSON"),
            ("text_only", ("yes",), {}, "text_only: must be True or False"),
            ("user_id", (1,), {}, "user_id: must be text"),
            ("branch_id", (1,), {}, "branch_id: must be text"),
            ("environment", (1,), {}, "environment: must be text"),
            ("extra_body", ([],), {}, "extra_body: must be a dict, found a list"),
            ("extra_body", ({"a": object()},), {}, "cannot be sent as JSON"),
            ("override", (None,), {}, "override: must not be null"),
            ("override", (DEEP,), {}, "cannot be sent as JSON"),
            ("variables", ([1],), {}, "variables: must be a dict"),
        ],
    )
    def test_what_cannot_be_sent_is_refused_at_once(self, method: str, arguments: Any, options: Any, said: str) -> None:
        with pytest.raises(AgentError, match=said):
            getattr(ConversationInit(), method)(*arguments, **options)


class TestAnswers:
    def test_nothing_is_the_least_answer(self) -> None:
        assert initiation_answer(None) == MINIMAL

    def test_a_builder_is_built(self) -> None:
        init = ConversationInit().variable("a", 1).language("en")
        assert initiation_answer(init) == init.build()

    @pytest.mark.parametrize("name", ["response", "response_full", "response_minimal"])
    def test_the_wire_form_is_sent_as_it_is(self, name: str) -> None:
        answer = fixture(name)
        before = copy.deepcopy(answer)
        assert initiation_answer(answer) == before
        assert answer == before

    @pytest.mark.parametrize("answer", [{}, {"type": TYPE}, {"dynamic_variables": {}}, {"dynamic_variables": None}])
    def test_it_is_completed(self, answer: dict[str, Any]) -> None:
        before = copy.deepcopy(answer)
        assert initiation_answer(answer) == MINIMAL
        assert answer == before

    def test_all_known_fields_are_taken(self) -> None:
        answer = {"source_info": {"source": "x"}, "user_id": None, "custom_llm_extra_body": None}
        assert initiation_answer(answer) == {**answer, **MINIMAL}

    @pytest.mark.parametrize(
        "value",
        ["x", b"x", 1, True, [], [{}], (), object(), ConversationInit, {"type": "other"}, {"type": None}],
    )
    def test_anything_else_is_a_type_error_that_says_what_is_allowed(self, value: Any) -> None:
        with pytest.raises(AnswerError, match="started with a ConversationInit, with None, or with a dict") as caught:
            initiation_answer(value)
        assert isinstance(caught.value, TypeError)

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            ({"user_name": "Jo"}, "no field 'user_name'.* dynamic_variables"),
            ({"dynamic_variable": {}}, 'Did you mean "dynamic_variables"'),
            ({1: 2}, "no field 1"),
            ({"dynamic_variables": []}, "dynamic_variables: must be a dict, found a list"),
            ({"conversation_config_override": "x"}, 'must be a dict, found "x"'),
            ({"user_id": 1}, r"user_id: must be text \(str\), found 1 \(int\)"),
            ({"custom_llm_extra_body": {"a": object()}}, "cannot be sent as JSON"),
        ],
    )
    def test_what_in_a_dict_cannot_be_sent_is_named(self, answer: Any, said: str) -> None:
        with pytest.raises(AgentError, match=said):
            initiation_answer(answer)

    def test_the_request_itself_is_no_answer(self) -> None:
        with pytest.raises(AgentError, match="no field 'caller_id'"):
            initiation_answer(ConversationInitRequest({"caller_id": "x"}))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)
FIELDS = st.sampled_from(["type", "dynamic_variables", "conversation_config_override", "user_id", "source_info", "x"])


@given(ANYTHING | st.dictionaries(FIELDS, ANYTHING | st.just(TYPE)))
def test_whatever_a_handler_returns_is_sendable_or_refused_by_name(value: Any) -> None:
    try:
        answer = initiation_answer(value)
    except (AgentError, AnswerError):
        return
    assert answer["type"] == TYPE
    assert isinstance(answer["dynamic_variables"], dict)
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
