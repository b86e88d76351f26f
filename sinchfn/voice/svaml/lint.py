"""Warnings for development about valid SVAML that leaves a caller in silence or ends the call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ...wire.faults import Fault, shorten

#: Keys of an action that hold prompts.
ACTION_PROMPTS = ("introPrompt", "holdPrompt")
#: Keys of a menu that hold prompts.
MENU_PROMPTS = ("mainPrompt", "repeatPrompt")

#: Values of ``cli`` that are not numbers.
CLI_WORDS = ("private", "incoming")

_PART = re.compile(r"#\w+\[.*?\](?=\s*(?:;|$))|[^;]+", re.DOTALL)
_MARKED = re.compile(r"#(\w+)\[(.*)\]", re.DOTALL)
_FILE_ID = re.compile(r"[\w-][\w./-]*")
_E164 = re.compile(r"\+?[1-9]\d{2,14}")
_NATIONAL = re.compile(r"[\d\s()./+-]+")


def lint(answer: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the warnings for an answer without faults."""
    instructions = [(f"instructions[{i}]", item) for i, item in enumerate(answer.get("instructions", ()))]
    action = answer.get("action", {})
    for path, item in instructions:
        yield from _check_instruction(item, path)
    yield from _check_action(action)
    yield from _check_recording([_name(item) for _, item in instructions], _name(action))


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("name", "")).lower()


def _check_instruction(item: Mapping[str, Any], path: str) -> Iterator[Fault]:
    name = _name(item)
    if name == "say":
        text = item.get("text", "")
        if not text.strip():
            yield Fault(f"{path}.text", "is empty: the caller hears nothing.")
        elif re.match(r"\s*(#\w+\[|<speak\b)", text):
            yield Fault(
                f"{path}.text", f"is spoken literally: {_shown(text)}. Use playFiles for prompts such as #ssml[…]."
            )
    if name == "playfiles":
        if not item["ids"]:
            yield Fault(f"{path}.ids", "is empty: the caller hears nothing.")
        for index, prompt in enumerate(item["ids"]):
            yield from _check_prompt(prompt, f"{path}.ids[{index}]")
    yield from _check_locale(item.get("locale"), f"{path}.locale")


def _check_action(action: Mapping[str, Any]) -> Iterator[Fault]:
    name = _name(action)
    for key in ACTION_PROMPTS:
        yield from _check_prompt(action.get(key), f"action.{key}")
    yield from _check_locale(action.get("locale"), "action.locale")
    if name == "connectpstn":
        yield from _check_number(action.get("number"), "action.number")
    if name in ("connectpstn", "connectsip") and action.get("cli") not in CLI_WORDS:
        yield from _check_number(action.get("cli"), "action.cli", words_too=name == "connectsip")
    if name == "connectsip" and "@" not in action["destination"]["endpoint"]:
        found = _shown(action["destination"]["endpoint"])
        yield Fault("action.destination.endpoint", f"is not in the form user@host: found {found}.")
    if name == "runmenu":
        if not action.get("menus"):
            yield Fault("action.menus", "is missing: there is no menu to run.")
        for index, menu in enumerate(action.get("menus", ())):
            yield from _check_menu(menu, f"action.menus[{index}]")


def _check_menu(menu: Mapping[str, Any], path: str) -> Iterator[Fault]:
    if not any(key in menu for key in ("mainPrompt", "mainText")):
        yield Fault(f"{path}.mainPrompt", "is missing: the caller hears nothing.")
    for key in MENU_PROMPTS:
        yield from _check_prompt(menu.get(key), f"{path}.{key}")
    digits = [str(option["dtmf"]) for option in menu.get("options", ())]
    for digit in dict.fromkeys(digit for digit in digits if digits.count(digit) > 1):
        yield Fault(f"{path}.options", f"has {digits.count(digit)} options for the key {digit}.")


def _check_recording(instructions: list[str], action: str) -> Iterator[Fault]:
    """Warn of a recording that has nothing to record."""
    if "startrecording" not in instructions:
        return
    last = len(instructions) - 1 - instructions[::-1].index("startrecording")
    path = f"instructions[{last}]"
    if action == "hangup" and "stoprecording" not in instructions[last:]:
        yield Fault(path, "starts a recording, and hangup ends the call before the caller can say anything.")
    if action == "connectmxp":
        yield Fault(path, "starts a recording, which connectMxp does not have: it takes record and recordingOptions.")


def _check_prompt(prompt: str | None, path: str) -> Iterator[Fault]:
    if prompt is None:
        return
    parts = [part for found in _PART.findall(prompt) if (part := found.strip())]
    if not parts:
        yield Fault(path, "is empty: the caller hears nothing.")
    for part in parts:
        if problem := _problem_of(part):
            yield Fault(path, problem)


def _problem_of(part: str) -> str:
    """Return the problem of one part of a prompt, or an empty text."""
    if (marked := _MARKED.fullmatch(part)) is not None:
        kind, text = marked[1].lower(), marked[2].strip()
        if kind not in ("tts", "ssml", "href"):
            return f"has a part that the platform does not know: {_shown(part)}. Write #tts[…], #ssml[…] or #href[…]."
        if not text:
            return f"has an empty #{kind}[…]: the caller hears nothing."
        if kind == "href":
            return _problem_of_url(text)
        return _problem_of_ssml(text) if kind == "ssml" else ""
    if part.startswith("#"):
        return f'has a "[" that is never closed: {_shown(part)}.'
    if "://" in part or part.startswith(("/", "./", "../")):
        return _problem_of_url(part)
    if not _FILE_ID.fullmatch(part):
        return f"is taken for the id of a file: {_shown(part)}. Words are written #tts[Hello]."
    return ""


def _problem_of_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"is not a URL: {_shown(url)}."
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return f"is not a URL that the platform can fetch: {_shown(url)}. Write a whole one, https://…"
    if _is_local(parts.hostname):
        return f"is a URL that the platform cannot reach: {_shown(url)}."
    return ""


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False


def _problem_of_ssml(text: str) -> str:
    from xml.parsers import expat  # only for those who write SSML

    roots: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _: roots.append(name)
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        return f"has broken SSML: {error}. It must be XML within <speak>…</speak>."
    return "" if roots[0] == "speak" else f"has SSML in <{shorten(roots[0])}>: it must be within <speak>…</speak>."


def _check_number(number: str | None, path: str, *, words_too: bool = False) -> Iterator[Fault]:
    if number is None or _E164.fullmatch(number) or (words_too and not _NATIONAL.fullmatch(number)):
        return
    yield Fault(path, f"is not in E.164 form, such as +46701234567: found {_shown(number)}.")


def _check_locale(locale: object, path: str) -> Iterator[Fault]:
    if isinstance(locale, str) and ("_" in locale or " " in locale):
        yield Fault(path, f"is neither a language such as en-US nor a voice such as Joanna: {_shown(locale)}.")


def _shown(text: str) -> str:
    return f'"{shorten(text)}"'
