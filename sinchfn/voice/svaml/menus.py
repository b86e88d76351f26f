"""Menus: what the caller hears, and which key leads where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from ...errors import Advised, SvamlError
from .faults import describe
from .fields import Whole, wire_name
from .limits import between
from .parts import MAIN_MENU, MENU, OPTION
from .prompts import as_prompt
from .schemas import RUN_MENU
from .wire import Wire, check_item, check_value, fresh

#: What a menu has if nothing else is said; always sent, because the platform's own defaults differ.
DEFAULTS: Mapping[str, int] = {"repeats": 2, "maxDigits": 1, "timeoutMills": 8000}

#: What `MenuBuilder` takes: the ranges of Sinch Functions, narrower than those of the wire.
RANGES: Mapping[str, Whole] = {
    "repeats": Whole(between(0, 5)),
    "maxDigits": Whole(between(1, 20)),
    "timeoutMills": Whole(between(1000, 30000)),
}


class _MenuTree:
    """All menus of one runMenu, and what holds for all of them."""

    def __init__(self) -> None:
        self.menus: dict[str, MenuBuilder] = {}
        self.options: Wire = {"barge": True}


class MenuBuilder(Advised):
    """A menu that is filled step by step: each method changes it and returns it.

    `MenuBuilder()` is the main menu; `add_submenu` makes the others. Ranges are checked at once; whether every
    prompt is there and every target exists, when the whole is built.
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
        """What the caller hears first: words, a URL, or `#tts[…]`, `#ssml[…]`, `#href[…]`, also several joined by `;`.

        Words become `#tts[…]`, 600 characters at most. `;`, `[` and `]` in them become `,`, `(` and `)`: they mean
        something in prompts, and the platform has no escape for them. The id of an uploaded file is not told from
        words: put it behind another part (`#tts[Hello];file`), or write the menu in wire form.
        """
        return self._set_checked("mainPrompt", as_prompt(text), "main_prompt")

    def repeat_prompt(self, text: str) -> Self:
        """What the caller hears after a missing or wrong input; if not given, the prompt again."""
        return self._set_checked("repeatPrompt", as_prompt(text), "repeat_prompt")

    def option(self, digit: str | int, action: str) -> Self:
        """Say what a key does.

        :param digit: `0` to `9` (an int too), `*` or `#`; each once in a menu.
        :param action: `return(value)`: end the menu, the PIE carries the value; `menu(id)`: go to that menu.
        """
        key = check_value(OPTION.fields["dtmf"], digit, f'menu "{self._id}": digit of an option')
        check_value(OPTION.fields["action"], action, f'menu "{self._id}": action of option {key}')
        if key in self._options:
            raise SvamlError(f'menu "{self._id}": option {key} is there already, as {self._options[key]}.')
        self._options[key] = action
        return self

    def timeout(self, milliseconds: int) -> Self:
        """How long to wait for an input: 1000 to 30000 ms, 8000 if not given."""
        return self._set_ranged("timeoutMills", milliseconds)

    def repeats(self, times: int) -> Self:
        """How often the repeat prompt is played: 0 to 5, 2 if not given."""
        return self._set_ranged("repeats", times)

    def max_digits(self, digits: int) -> Self:
        """How many digits end the input: 1 to 20, 1 if not given. `#` and the timeout end it too."""
        return self._set_ranged("maxDigits", digits)

    def max_timeout(self, milliseconds: int) -> Self:
        """The longest that a spoken input may take, in ms; platform's default 20000."""
        return self._set_checked("maxTimeoutMills", milliseconds, "max_timeout_mills")

    def barge(self, enabled: bool = True) -> Self:
        """Whether an input cuts a prompt short: true if not given. Holds for all menus."""
        return self._set_for_all("barge", enabled)

    def locale(self, locale: str) -> Self:
        """Language or voice of the prompts, such as `en-US` or `Joanna`. Holds for all menus."""
        return self._set_for_all("locale", locale)

    def enable_voice(self, enabled: bool = True) -> Self:
        """Whether spoken input is taken too; needs a `locale`. Holds for all menus."""
        return self._set_for_all("enable_voice", enabled)

    def add_submenu(self, menu_id: str) -> MenuBuilder:
        """A new menu of the same whole, for options `menu(<menu_id>)`; returns the builder of that menu."""
        check_value(MENU.fields["id"], menu_id, "id of a submenu")
        if menu_id in self._tree.menus:
            raise SvamlError(f'a menu "{menu_id}" is there already: each id can be used once.')
        submenu = object.__new__(MenuBuilder)
        submenu._enter(self._tree, menu_id)
        return submenu

    def build(self) -> Wire:
        """The whole `runMenu` action, the main menu first, whichever menu this is called on; a new dict each time.

        :raises SvamlError: a menu without a prompt, an option that leads nowhere, voice without a locale.
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
            raise SvamlError(f'menu "{self._id}" has no prompt: say what the caller hears with .prompt("…").')
        prompt = self._settings["mainPrompt"]
        menu = {"id": self._id, "mainPrompt": prompt, "repeatPrompt": prompt, **self._settings}
        if self._options:
            menu["options"] = [{"dtmf": digit, "action": action} for digit, action in self._options.items()]
        return menu

    def _draft(self) -> Wire:
        return {**self._tree.options, "menus": [menu._menu() for menu in self._tree.menus.values()]}


def create_menu() -> MenuBuilder:
    """A new main menu."""
    return MenuBuilder()


def run_menu_action(
    menu: MenuBuilder | Mapping[str, Any] | Sequence[Mapping[str, Any]], given: Mapping[str, object]
) -> Wire:
    """The checked action of `menu`; what is not None in `given` (wire keys) replaces what the menu says.

    :raises SvamlError: it is not in the platform's schema.
    """
    replaced = {key: value for key, value in given.items() if value is not None}
    action = {"name": wire_name(RUN_MENU), **_draft(menu), **replaced}
    check_item(RUN_MENU, action)
    copied: Wire = fresh(action)
    return {**copied, "name": wire_name(RUN_MENU)}


def _draft(menu: object) -> Mapping[str, Any]:
    if isinstance(menu, MenuBuilder):
        return menu._draft()
    if isinstance(menu, Mapping):
        return menu
    if isinstance(menu, list | tuple):
        return {"menus": menu}
    raise SvamlError(f"run_menu takes a MenuBuilder, its build(), or a list of menus, found {describe(menu)}.")
