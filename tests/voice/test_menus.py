"""Menus: the SVAML of the builder, its limits, and the templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinchfn.errors import SvamlError
from sinchfn.voice.svaml import Faults, MenuBuilder, MenuTemplates, check_svaml, create_menu
from sinchfn.voice.svaml.limits import as_prompt

# A busy machine is no fault of the code.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def passes(menu: MenuBuilder) -> bool:
    return check_svaml({"action": menu.build()}, "pie") == Faults()


def main_of(menu: MenuBuilder) -> dict[str, Any]:
    return menu.build()["menus"][0]


class TestBuild:
    def test_the_smallest_menu_has_the_defaults(self):
        assert create_menu().prompt("Hi").build() == {
            "name": "runMenu",
            "barge": True,
            "menus": [
                {
                    "id": "main",
                    "mainPrompt": "#tts[Hi]",
                    "repeatPrompt": "#tts[Hi]",
                    "repeats": 2,
                    "maxDigits": 1,
                    "timeoutMills": 8000,
                }
            ],
        }

    def test_every_setting_arrives(self):
        menu = (
            create_menu()
            .prompt("Hi")
            .repeat_prompt("Again")
            .option("1", "return(support)")
            .option(2, "menu(sub)")
            .timeout(5000)
            .max_timeout(20000)
            .repeats(3)
            .max_digits(4)
            .barge(False)
            .locale("en-US")
            .enable_voice()
        )
        menu.add_submenu("sub").prompt("Sub").option("*", "menu(main)").option("#", "return(end)")
        assert menu.build() == {
            "name": "runMenu",
            "barge": False,
            "locale": "en-US",
            "enableVoice": True,
            "menus": [
                {
                    "id": "main",
                    "mainPrompt": "#tts[Hi]",
                    "repeatPrompt": "#tts[Again]",
                    "repeats": 3,
                    "maxDigits": 4,
                    "timeoutMills": 5000,
                    "maxTimeoutMills": 20000,
                    "options": [{"dtmf": "1", "action": "return(support)"}, {"dtmf": "2", "action": "menu(sub)"}],
                },
                {
                    "id": "sub",
                    "mainPrompt": "#tts[Sub]",
                    "repeatPrompt": "#tts[Sub]",
                    "repeats": 2,
                    "maxDigits": 1,
                    "timeoutMills": 8000,
                    "options": [{"dtmf": "*", "action": "menu(main)"}, {"dtmf": "#", "action": "return(end)"}],
                },
            ],
        }
        assert passes(menu)

    def test_any_menu_builds_the_whole_with_the_main_one_first(self):
        menu = create_menu().option(1, "menu(a)")
        first = menu.add_submenu("a").prompt("A").option(1, "menu(b)")
        second = first.add_submenu("b").prompt("B")
        menu.prompt("Hi")
        assert menu.build() == first.build() == second.build()
        assert [item["id"] for item in second.build()["menus"]] == ["main", "a", "b"]

    def test_steps_may_be_chained_or_written_one_by_one(self):
        menu = create_menu()
        menu.prompt("Hi")
        menu.option(1, "return(x)")
        assert menu.build() == create_menu().prompt("Hi").option(1, "return(x)").build()

    def test_what_was_built_is_free_to_be_changed(self):
        menu = create_menu().prompt("Hi").option(1, "return(x)")
        before = menu.build()
        menu.build()["menus"][0]["options"].clear()
        assert menu.build() == before

    def test_what_holds_for_all_can_be_set_on_a_submenu(self):
        menu = create_menu().prompt("Hi")
        menu.add_submenu("sub").prompt("Sub").barge(False).locale("sv-SE").enable_voice()
        built = menu.build()
        assert (built["barge"], built["locale"], built["enableVoice"]) == (False, "sv-SE", True)

    def test_a_repr_names_the_menu_and_its_keys(self):
        assert repr(create_menu().option(1, "return(x)")) == '<MenuBuilder "main": options 1>'
        assert repr(create_menu().add_submenu("sub")) == '<MenuBuilder "sub": options none>'

    @UNHURRIED
    @given(
        digit=st.sampled_from("0123456789*#"), value=st.from_regex(r"[^()]+", fullmatch=True), text=st.text(min_size=1)
    )
    def test_whatever_the_setters_take_passes_the_check(self, digit: str, value: str, text: str):
        if text.strip() and not text.lstrip().startswith("#"):
            assert passes(create_menu().prompt(text[:600]).option(digit, f"return({value})"))


class TestRanges:
    @pytest.mark.parametrize(
        ("setter", "key", "lowest", "highest"),
        [
            (MenuBuilder.timeout, "timeoutMills", 1000, 30000),
            (MenuBuilder.repeats, "repeats", 0, 5),
            (MenuBuilder.max_digits, "maxDigits", 1, 20),
        ],
    )
    def test_hold_on_both_sides_at_once(
        self, setter: Callable[[MenuBuilder, Any], MenuBuilder], key: str, lowest: int, highest: int
    ):
        for allowed in (lowest, highest):
            assert main_of(setter(create_menu().prompt("Hi"), allowed))[key] == allowed
        for refused in (lowest - 1, highest + 1, str(lowest), float(highest), True, None):
            with pytest.raises(SvamlError, match=f'menu "main": {key}'):
                setter(create_menu(), refused)

    def test_the_error_says_what_is_allowed_and_what_was_found(self):
        with pytest.raises(
            SvamlError, match=r'^menu "main": timeoutMills: must be from 1000 to 30000, found 999 \(int\)\.$'
        ):
            create_menu().timeout(999)

    def test_a_cap_on_spoken_input_is_positive(self):
        assert main_of(create_menu().prompt("Hi").max_timeout(1))["maxTimeoutMills"] == 1
        with pytest.raises(SvamlError):
            create_menu().max_timeout(0)

    @pytest.mark.parametrize("setter", [MenuBuilder.barge, MenuBuilder.enable_voice])
    @pytest.mark.parametrize("value", [1, "true", None])
    def test_flags_are_true_or_false(self, setter: Callable[[MenuBuilder, Any], MenuBuilder], value: object):
        with pytest.raises(SvamlError):
            setter(create_menu(), value)

    def test_a_locale_is_not_empty(self):
        with pytest.raises(SvamlError):
            create_menu().locale("")

    def test_a_prompt_has_600_characters_at_most(self):
        assert passes(create_menu().prompt("x" * 600).repeat_prompt("x" * 600))
        with pytest.raises(SvamlError, match="at most 600"):
            create_menu().prompt("x" * 601)
        with pytest.raises(SvamlError, match="at most 600"):
            create_menu().repeat_prompt("x" * 601)


class TestOptions:
    @pytest.mark.parametrize("digit", [*"0123456789*#", *range(10)])
    def test_a_digit_is_one_key(self, digit: str | int):
        (option,) = main_of(create_menu().prompt("Hi").option(digit, "return(x)"))["options"]
        assert option == {"dtmf": str(digit), "action": "return(x)"}

    @pytest.mark.parametrize("digit", ["", "A", "10", "12", " 1", "١", 10, -1, True, None, 1.0])
    def test_anything_else_is_refused_at_once(self, digit: Any):
        with pytest.raises(SvamlError, match="digit of an option"):
            create_menu().option(digit, "return(x)")

    def test_each_digit_is_used_once(self):
        with pytest.raises(SvamlError, match=r"option 1 already exists: return\(a\)"):
            create_menu().option(1, "return(a)").option("1", "return(b)")

    @pytest.mark.parametrize(
        "action", ["", "x", "return", "return()", "return(x", "return(x))", "Return(x)", "menu()", "menu(a)\n", None, 5]
    )
    def test_an_action_returns_a_value_or_leads_to_a_menu(self, action: Any):
        with pytest.raises(SvamlError, match="action of option 1"):
            create_menu().option(1, action)

    def test_a_target_must_exist_when_the_whole_is_built(self):
        menu = create_menu().prompt("Hi").option(1, "menu(sub)")
        with pytest.raises(SvamlError, match=r'runMenu.menus\[0\].options\[0\].action: there is no menu "sub"'):
            menu.build()
        menu.add_submenu("sub").prompt("Sub")
        assert passes(menu)

    def test_a_target_in_a_submenu_must_exist_too(self):
        menu = create_menu().prompt("Hi")
        menu.add_submenu("sub").prompt("Sub").option(1, "menu(mian)")
        with pytest.raises(SvamlError, match=r'"mian"\. Did you mean "main"\?'):
            menu.build()


class TestSubmenus:
    @pytest.mark.parametrize("menu_id", ["main", "sub"])
    def test_each_id_is_used_once(self, menu_id: str):
        menu = create_menu()
        menu.add_submenu("sub")
        with pytest.raises(SvamlError, match=f'a menu "{menu_id}" already exists'):
            menu.add_submenu(menu_id)

    @pytest.mark.parametrize("menu_id", ["", None, 5])
    def test_an_id_is_text(self, menu_id: Any):
        with pytest.raises(SvamlError, match="id of a submenu"):
            create_menu().add_submenu(menu_id)

    def test_every_menu_needs_a_prompt(self):
        menu = create_menu()
        with pytest.raises(SvamlError, match='menu "main" has no prompt'):
            menu.build()
        menu.prompt("Hi").add_submenu("sub").repeat_prompt("Again")
        with pytest.raises(SvamlError, match='menu "sub" has no prompt'):
            menu.build()

    def test_voice_needs_a_locale(self):
        with pytest.raises(SvamlError, match=r"runMenu\.locale"):
            create_menu().prompt("Hi").enable_voice().build()


class TestPrompts:
    @pytest.mark.parametrize(
        ("text", "prompt"),
        [
            ("Hello", "#tts[Hello]"),
            ("Press 1; or wait [ten seconds].", "#tts[Press 1, or wait (ten seconds).]"),
            ("one;two", "#tts[one,two]"),
            ("https://example.com is our site", "#tts[https://example.com is our site]"),
            ("#1 in town", "#tts[#1 in town]"),
        ],
    )
    def test_words_are_spoken(self, text: str, prompt: str):
        assert as_prompt(text) == prompt

    @pytest.mark.parametrize(
        "text",
        [
            "#tts[Hello]",
            "#ssml[<speak>Hello; again</speak>]",
            "#ssml[<speak>Hello [there]</speak>]",
            "#href[https://example.com/a.mp3]",
            "https://example.com/a.mp3",
            "HTTP://example.com/a.mp3",
            "#tts[Enter your PIN.];http://your.host.com/media_file.mp3",
            "#tts[Enter your PIN.]; #href[http://your.host.com/media_file.mp3]",
            "#tts[Hello];welcome.wav",
        ],
    )
    def test_a_prompt_stays_unchanged(self, text: str):
        assert as_prompt(text) == text

    @pytest.mark.parametrize("text", ["", "  ", None, 5, "#tts[Hello", "#tts[Hello] and more"])
    def test_a_value_that_cannot_be_a_prompt_is_refused(self, text: Any):
        with pytest.raises(SvamlError):
            create_menu().prompt(text)

    @UNHURRIED
    @given(text=st.text(min_size=1))
    def test_words_never_break_out_of_their_prompt(self, text: str):
        words = "Hello " + text
        inner = as_prompt(words).removeprefix("#tts[").removesuffix("]")
        assert not set(inner) & set(";[]")
        assert len(inner) == len(words)


def returned(menu: MenuBuilder) -> dict[str, str]:
    """Digits and the values they return."""
    assert passes(menu)
    options = main_of(menu).get("options", [])
    return {option["dtmf"]: option["action"].removeprefix("return(").removesuffix(")") for option in options}


class TestTemplates:
    def test_business(self):
        menu = MenuTemplates.business("Acme")
        assert returned(menu) == {"1": "sales", "2": "support", "0": "operator"}
        assert "Acme" in main_of(menu)["mainPrompt"]

    def test_yes_no(self):
        menu = MenuTemplates.yes_no("Are you there?")
        assert returned(menu) == {"1": "yes", "2": "no"}
        assert "Are you there?" in main_of(menu)["mainPrompt"]

    def test_a_question_can_be_a_recording(self):
        menu = MenuTemplates.yes_no("https://example.com/question.mp3")
        assert main_of(menu)["mainPrompt"].startswith("https://example.com/question.mp3;#tts[For yes")
        assert returned(menu)

    def test_languages_by_name(self):
        menu = MenuTemplates.language({"English": "en-US", "Svenska": "sv-SE"})
        assert returned(menu) == {"1": "en-US", "2": "sv-SE"}
        assert "For Svenska, press 2." in main_of(menu)["mainPrompt"]

    def test_languages_as_a_list(self):
        assert returned(MenuTemplates.language(["English", "Svenska"])) == {"1": "English", "2": "Svenska"}

    def test_there_are_one_to_nine_languages(self):
        assert len(returned(MenuTemplates.language("abcdefghi"))) == 9
        for languages in ([], "abcdefghij"):
            with pytest.raises(SvamlError, match="1 to 9 languages"):
                MenuTemplates.language(languages)

    def test_after_hours(self):
        menu = MenuTemplates.after_hours("Acme", "nine to five")
        assert set(returned(menu).values()) == {"voicemail", "website", "emergency"}
        assert "Acme" in main_of(menu)["mainPrompt"]
        assert "nine to five" in main_of(menu)["mainPrompt"]

    def test_recording_consent(self):
        assert returned(MenuTemplates.recording_consent()) == {"1": "consent", "2": "no_consent"}

    def test_numeric_input_collects_digits(self):
        menu = MenuTemplates.numeric_input("Enter your PIN.", max_digits=4, timeout=5000)
        assert returned(menu) == {}
        assert (main_of(menu)["maxDigits"], main_of(menu)["timeoutMills"]) == (4, 5000)
        assert main_of(MenuTemplates.numeric_input("PIN"))["timeoutMills"] == 8000

    def test_callback_request(self):
        assert set(returned(MenuTemplates.callback_request("five minutes")).values()) == {"hold", "callback"}
        assert "5 minutes" in main_of(MenuTemplates.callback_request(5))["mainPrompt"]

    def test_customer_service(self):
        values = set(returned(MenuTemplates.customer_service()).values())
        assert values == {"billing", "technical", "new_service", "agent"}

    def test_satisfaction_survey(self):
        values = list(returned(MenuTemplates.satisfaction_survey()).values())
        assert values == ["excellent", "good", "fair", "poor"]

    def test_a_template_can_be_changed(self):
        menu = MenuTemplates.business("Acme").option(3, "menu(more)")
        menu.add_submenu("more").prompt("More")
        assert passes(menu)
