"""Menus: their prompts, their keys, and ready-made templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from ...errors import Advised, SvamlError
from ...wire.checks import between
from ...wire.faults import describe
from ...wire.schemas import Whole, Wire, check_item, check_value, fresh
from .limits import as_prompt
from .options import Digit
from .schemas import MAIN_MENU, MENU, OPTION, RUN_MENU

#: The defaults of a menu. They are always sent, because the platform's own defaults differ.
DEFAULTS: Mapping[str, int] = {"repeats": 2, "maxDigits": 1, "timeoutMills": 8000}

#: The ranges of ``MenuBuilder``: those of Sinch Functions, narrower than those of the platform's schema.
RANGES: Mapping[str, Whole] = {
    "repeats": Whole(between(0, 5)),
    "maxDigits": Whole(between(1, 20)),
    "timeoutMills": Whole(between(1000, 30000)),
}

#: Digits for a list of choices, in order.
CHOICE_DIGITS: tuple[Digit, ...] = ("1", "2", "3", "4", "5", "6", "7", "8", "9")


class _MenuTree:
    """All menus of one runMenu, and the options for all of them."""

    def __init__(self) -> None:
        self.menus: dict[str, MenuBuilder] = {}
        self.options: Wire = {"barge": True}


class MenuBuilder(Advised):
    """A menu that is built step by step: each method changes it and returns it.

    ``MenuBuilder()`` is the main menu; ``add_submenu`` makes the others. Ranges are checked at once. Missing prompts
    and targets are found when the menu is built.
    """

    __slots__ = ("_id", "_options", "_settings", "_tree")

    def __init__(self) -> None:
        self._enter(_MenuTree(), MAIN_MENU)

    def _enter(self, tree: _MenuTree, menu_id: str) -> None:
        self._tree = tree
        self._id = menu_id
        self._settings: Wire = dict(DEFAULTS)
        self._options: dict[str, str] = {}
        tree.menus[menu_id] = self

    def prompt(self, text: str) -> Self:
        """Set the prompt: words, a URL, or ``#tts[…]``, ``#ssml[…]``, ``#href[…]``, also several joined by ``;``.

        Words become ``#tts[…]``, at most 600 characters. In them, ``;``, ``[`` and ``]`` become ``,``, ``(`` and ``)``:
        they have a meaning in prompts, and the platform has no escape for them. The id of an uploaded file looks like a
        word: write it after another part (``#tts[Hello];file``), or write the menu in wire form.
        """
        return self._set_checked("mainPrompt", as_prompt(text), "main_prompt")

    def repeat_prompt(self, text: str) -> Self:
        """Set the prompt after a missing or wrong input; the default is the prompt itself."""
        return self._set_checked("repeatPrompt", as_prompt(text), "repeat_prompt")

    def option(self, digit: str | int, action: str) -> Self:
        """Set the action of a key.

        :param digit: ``0`` to ``9`` (also as an int), ``*`` or ``#``; each once in a menu.
        :param action: ``return(value)`` ends the menu and sends the value in a PIE; ``menu(id)`` goes to that menu.
        """
        key = check_value(OPTION.fields["dtmf"], digit, f'menu "{self._id}": digit of an option')
        check_value(OPTION.fields["action"], action, f'menu "{self._id}": action of option {key}')
        if key in self._options:
            raise SvamlError(f'menu "{self._id}": option {key} already exists: {self._options[key]}.')
        self._options[key] = action
        return self

    def timeout(self, milliseconds: int) -> Self:
        """Set the time to wait for an input: 1000 to 30000 ms; the default is 8000."""
        return self._set_ranged("timeoutMills", milliseconds)

    def repeats(self, times: int) -> Self:
        """Set the number of repeat prompts: 0 to 5; the default is 2."""
        return self._set_ranged("repeats", times)

    def max_digits(self, digits: int) -> Self:
        """Set the number of digits that end the input: 1 to 20; the default is 1. ``#`` and the timeout end it too."""
        return self._set_ranged("maxDigits", digits)

    def max_timeout(self, milliseconds: int) -> Self:
        """Set the longest time of a spoken input, in ms; the platform's default is 20000."""
        return self._set_checked("maxTimeoutMills", milliseconds, "max_timeout_mills")

    def barge(self, enabled: bool = True) -> Self:
        """Let an input cut a prompt short; the default is True. Applies to all menus."""
        return self._set_for_all("barge", enabled)

    def locale(self, locale: str) -> Self:
        """Set the language or voice of the prompts, such as ``en-US`` or ``Joanna``. Applies to all menus."""
        return self._set_for_all("locale", locale)

    def enable_voice(self, enabled: bool = True) -> Self:
        """Accept spoken input too; this needs a ``locale``. Applies to all menus."""
        return self._set_for_all("enable_voice", enabled)

    def add_submenu(self, menu_id: str) -> MenuBuilder:
        """Add a menu for options ``menu(<menu_id>)`` and return its builder."""
        check_value(MENU.fields["id"], menu_id, "id of a submenu")
        if menu_id in self._tree.menus:
            raise SvamlError(f'a menu "{menu_id}" already exists: each id can be used once.')
        submenu = object.__new__(MenuBuilder)
        submenu._enter(self._tree, menu_id)
        return submenu

    def build(self) -> Wire:
        """Return the action ``runMenu`` with all menus, the main one first: a new dict each time.

        :raises SvamlError: a menu has no prompt, an option leads to no menu, or spoken input has no locale.
        """
        return run_menu_action(self, {})

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self._id}": options {", ".join(self._options) or "none"}>'

    def _set_ranged(self, key: str, value: int) -> Self:
        check_value(RANGES[key], value, f'menu "{self._id}": {key}')
        self._settings[key] = value
        return self

    def _set_checked(self, key: str, value: object, field: str) -> Self:
        check_value(MENU.fields[field], value, f'menu "{self._id}": {key}')
        self._settings[key] = value
        return self

    def _set_for_all(self, field: str, value: object) -> Self:
        wire_field = RUN_MENU.fields[field]
        check_value(wire_field, value, f"runMenu.{wire_field.data_key}")
        self._tree.options[str(wire_field.data_key)] = value
        return self

    def _menu(self) -> Wire:
        if "mainPrompt" not in self._settings:
            raise SvamlError(f'menu "{self._id}" has no prompt: set it with .prompt("…").')
        prompt = self._settings["mainPrompt"]
        menu = {"id": self._id, "mainPrompt": prompt, "repeatPrompt": prompt, **self._settings}
        if self._options:
            menu["options"] = [{"dtmf": digit, "action": action} for digit, action in self._options.items()]
        return menu

    def _draft(self) -> Wire:
        return {**self._tree.options, "menus": [menu._menu() for menu in self._tree.menus.values()]}


def create_menu() -> MenuBuilder:
    """Return a new main menu."""
    return MenuBuilder()


def run_menu_action(
    menu: MenuBuilder | Mapping[str, Any] | Sequence[Mapping[str, Any]], given: Mapping[str, object]
) -> Wire:
    """Return the action that runs ``menu``, checked.

    :param given: options by their names in JSON; those that are not None replace those of the menu.
    :raises SvamlError: the action does not follow the platform's schema.
    """
    if isinstance(menu, MenuBuilder):
        draft: Mapping[str, Any] = menu._draft()
    elif isinstance(menu, Mapping):
        draft = menu
    elif isinstance(menu, list | tuple):
        draft = {"menus": menu}
    else:
        raise SvamlError(
            f"run_menu takes a MenuBuilder, the result of its build(), or a list of menus, found {describe(menu)}."
        )
    name = RUN_MENU.wire_name
    action = {"name": name, **draft, **{key: value for key, value in given.items() if value is not None}}
    check_item(RUN_MENU, action)
    copied: Wire = fresh(action)
    return {**copied, "name": name}


class Key(NamedTuple):
    """One key of a template, with its spoken purpose and the value that it returns."""

    digit: Digit
    purpose: str
    value: str


class MenuTemplates:
    """Ready-made menus. Each method returns a ``MenuBuilder``, which can be used or changed.

    The docstrings list the values of ``menu_result.value`` in the PIE that follows.
    """

    @staticmethod
    def business(company_name: str) -> MenuBuilder:
        """Ask for a department: ``sales`` (1), ``support`` (2) or ``operator`` (0)."""
        return _menu(
            f"Thank you for calling {company_name}.",
            Key("1", "sales", "sales"),
            Key("2", "support", "support"),
            Key("0", "an operator", "operator"),
        )

    @staticmethod
    def yes_no(question: str) -> MenuBuilder:
        """Ask a question: ``yes`` (1) or ``no`` (2).

        :param question: words, or a prompt or URL as for :meth:`MenuBuilder.prompt`.
        """
        return _menu(question, Key("1", "yes", "yes"), Key("2", "no", "no"))

    @staticmethod
    def language(languages: Mapping[str, str] | Iterable[str]) -> MenuBuilder:
        """Ask for a language, with the digits 1 to 9 in the given order.

        :param languages: spoken names with their values (``{"English": "en-US"}``), or a list of names that are values
            too.
        :raises SvamlError: ``languages`` is empty, or has more than nine.
        """
        spoken = languages if isinstance(languages, Mapping) else {name: name for name in languages}
        if not 1 <= len(spoken) <= len(CHOICE_DIGITS):
            raise SvamlError(f"a language menu takes 1 to {len(CHOICE_DIGITS)} languages, found {len(spoken)}.")
        choices = zip(CHOICE_DIGITS, spoken.items(), strict=False)
        return _menu("Please choose your language.", *(Key(digit, name, value) for digit, (name, value) in choices))

    @staticmethod
    def after_hours(company_name: str, business_hours: str) -> MenuBuilder:
        """Say that the company is closed: ``voicemail`` (1), ``website`` (2) or ``emergency`` (9).

        :param business_hours: as they are spoken, such as ``Monday to Friday, nine to five``.
        """
        return _menu(
            f"Thank you for calling {company_name}. We are closed now. Our hours are {business_hours}.",
            Key("1", "leaving a message", "voicemail"),
            Key("2", "our website", "website"),
            Key("9", "an emergency", "emergency"),
        )

    @staticmethod
    def recording_consent() -> MenuBuilder:
        """Ask for permission to record: ``consent`` (1) or ``no_consent`` (2)."""
        return _menu(
            "We would like to record this call.",
            Key("1", "agreeing", "consent"),
            Key("2", "no recording", "no_consent"),
        )

    @staticmethod
    def numeric_input(prompt: str, max_digits: int = 10, *, timeout: int | None = None) -> MenuBuilder:
        """Ask for digits. The menu has no options, so the PIE has the type ``sequence`` and the digits as its value.

        :param max_digits: 1 to 20; the caller ends a shorter input with ``#``.
        :param timeout: milliseconds, 1000 to 30000; the default is 8000.
        """
        menu = MenuBuilder().prompt(prompt).max_digits(max_digits)
        return menu if timeout is None else menu.timeout(timeout)

    @staticmethod
    def callback_request(estimated_wait_time: str | int) -> MenuBuilder:
        """Offer a call back: ``hold`` (1) or ``callback`` (2).

        :param estimated_wait_time: as it is spoken, such as ``five minutes``; an int is minutes.
        """
        wait = f"{estimated_wait_time} minutes" if isinstance(estimated_wait_time, int) else estimated_wait_time
        return _menu(
            f"All our agents are busy. The estimated wait time is {wait}.",
            Key("1", "holding the line", "hold"),
            Key("2", "a call back", "callback"),
        )

    @staticmethod
    def customer_service() -> MenuBuilder:
        """Ask for a service: ``billing`` (1), ``technical`` (2), ``new_service`` (3) or ``agent`` (0)."""
        return _menu(
            "Welcome to customer service.",
            Key("1", "billing", "billing"),
            Key("2", "technical support", "technical"),
            Key("3", "a new service", "new_service"),
            Key("0", "an agent", "agent"),
        )

    @staticmethod
    def satisfaction_survey() -> MenuBuilder:
        """Ask for a rating: ``excellent`` (1), ``good`` (2), ``fair`` (3) or ``poor`` (4)."""
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
