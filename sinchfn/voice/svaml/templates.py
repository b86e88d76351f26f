"""Ready-made menus. The values they return are those of the Sinch Functions templates; texts and digits are ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...errors import SvamlError
from .menus import MenuBuilder
from .options import Digit
from .prompts import as_prompt


class Key(NamedTuple):
    """One key of a template: what to press it for, and what it returns."""

    digit: Digit
    purpose: str
    value: str


#: Digits for a list of choices, in order.
CHOICE_DIGITS: tuple[Digit, ...] = ("1", "2", "3", "4", "5", "6", "7", "8", "9")


class MenuTemplates:
    """Ready-made menus; each returns a `MenuBuilder`, to be changed or used as it is.

    `menu_result.value` of the PIE that follows is one of the values named with each.
    """

    @staticmethod
    def business(company_name: str) -> MenuBuilder:
        """Returns `sales` (1), `support` (2) or `operator` (0)."""
        return _menu(
            f"Thank you for calling {company_name}.",
            Key("1", "sales", "sales"),
            Key("2", "support", "support"),
            Key("0", "an operator", "operator"),
        )

    @staticmethod
    def yes_no(question: str) -> MenuBuilder:
        """Returns `yes` (1) or `no` (2).

        :param question: words, or a prompt or URL as `MenuBuilder.prompt` takes it.
        """
        return _menu(question, Key("1", "yes", "yes"), Key("2", "no", "no"))

    @staticmethod
    def language(languages: Mapping[str, str] | Iterable[str]) -> MenuBuilder:
        """Returns the language chosen, digits 1 to 9 in the order given.

        :param languages: names to speak with the values to return (`{"English": "en-US"}`), or a list of both in one.
        :raises SvamlError: none, or more than nine.
        """
        spoken = languages if isinstance(languages, Mapping) else {name: name for name in languages}
        if not 1 <= len(spoken) <= len(CHOICE_DIGITS):
            raise SvamlError(f"a language menu takes 1 to {len(CHOICE_DIGITS)} languages, found {len(spoken)}.")
        choices = zip(CHOICE_DIGITS, spoken.items(), strict=False)
        return _menu("Please choose your language.", *(Key(digit, name, value) for digit, (name, value) in choices))

    @staticmethod
    def after_hours(company_name: str, business_hours: str) -> MenuBuilder:
        """Returns `voicemail` (1), `website` (2) or `emergency` (9).

        :param business_hours: spoken as it is, such as `Monday to Friday, nine to five`.
        """
        return _menu(
            f"Thank you for calling {company_name}. We are closed now. Our hours are {business_hours}.",
            Key("1", "leaving a message", "voicemail"),
            Key("2", "our website", "website"),
            Key("9", "an emergency", "emergency"),
        )

    @staticmethod
    def recording_consent() -> MenuBuilder:
        """Returns `consent` (1) or `no_consent` (2)."""
        return _menu(
            "We would like to record this call.",
            Key("1", "agreeing", "consent"),
            Key("2", "no recording", "no_consent"),
        )

    @staticmethod
    def numeric_input(prompt: str, max_digits: int = 10, *, timeout: int | None = None) -> MenuBuilder:
        """Digits as a whole: there are no options, so the PIE has the type `sequence` and the digits as its value.

        :param max_digits: 1 to 20; the caller ends a shorter input with `#`.
        :param timeout: milliseconds, 1000 to 30000; 8000 if not given.
        """
        menu = MenuBuilder().prompt(prompt).max_digits(max_digits)
        return menu if timeout is None else menu.timeout(timeout)

    @staticmethod
    def callback_request(estimated_wait_time: str | int) -> MenuBuilder:
        """Returns `hold` (1) or `callback` (2).

        :param estimated_wait_time: spoken as it is, such as `five minutes`; an int is minutes.
        """
        wait = f"{estimated_wait_time} minutes" if isinstance(estimated_wait_time, int) else estimated_wait_time
        return _menu(
            f"All our agents are busy. The estimated wait time is {wait}.",
            Key("1", "holding the line", "hold"),
            Key("2", "a call back", "callback"),
        )

    @staticmethod
    def customer_service() -> MenuBuilder:
        """Returns `billing` (1), `technical` (2), `new_service` (3) or `agent` (0)."""
        return _menu(
            "Welcome to customer service.",
            Key("1", "billing", "billing"),
            Key("2", "technical support", "technical"),
            Key("3", "a new service", "new_service"),
            Key("0", "an agent", "agent"),
        )

    @staticmethod
    def satisfaction_survey() -> MenuBuilder:
        """Returns `excellent` (1), `good` (2), `fair` (3) or `poor` (4)."""
        return _menu(
            "How was our service today?",
            Key("1", "excellent", "excellent"),
            Key("2", "good", "good"),
            Key("3", "fair", "fair"),
            Key("4", "poor", "poor"),
        )


def _menu(opening: str, *keys: Key) -> MenuBuilder:
    spoken = " ".join(f"For {key.purpose}, press {key.digit}." for key in keys)
    menu = MenuBuilder().prompt(f"{as_prompt(opening)};{as_prompt(spoken)}")
    menu.repeat_prompt(f"Sorry, that did not work. {spoken}")
    for key in keys:
        menu.option(key.digit, f"return({key.value})")
    return menu
