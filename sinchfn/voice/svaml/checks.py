"""What is wrong with a dict in SVAML form that a handler returned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .faults import Fault, Faults, flatten
from .schemas import SVAML
from .wire import Wire

#: Which event may be answered with which action: what the platform documents, and what its own Functions runtimes
#: allow besides. Anything else is only warned about: the sources disagree, and the platform may take it.
ALLOWED_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "ice": (
        "hangup", "continue", "connectPstn", "connectMxp", "connectConf", "connectSip", "connectStream", "runMenu",
        "park",
    ),
    "ace": ("hangup", "continue", "connectConf", "runMenu"),
    "pie": ("hangup", "continue", "connectPstn", "connectMxp", "connectConf", "connectSip", "runMenu", "park"),
}  # fmt: skip

#: The same for instructions.
ALLOWED_INSTRUCTIONS: Mapping[str, tuple[str, ...]] = {
    "ice": ("say", "playFiles", "setCookie", "startRecording", "stopRecording", "sendDtmf", "answer"),
    "ace": ("say", "playFiles", "setCookie", "startRecording", "stopRecording"),
    "pie": ("say", "playFiles", "setCookie", "startRecording", "stopRecording", "sendDtmf"),
}

#: The events whose answer ends the call if it has no action. After an ACE without one the call goes on.
NEED_ACTION = ("ice", "pie")

_ACTIONS = {event: frozenset(map(str.lower, names)) for event, names in ALLOWED_ACTIONS.items()}
_INSTRUCTIONS = {event: frozenset(map(str.lower, names)) for event, names in ALLOWED_INSTRUCTIONS.items()}
_CLEAN = Faults()


def check_svaml(answer: object, event: str) -> Faults:
    """Check what a handler of `event` (`ice`, `ace` or `pie`; any other has no matrix) answered.

    Names of instructions and actions match without case; instructions without an action pass, and so does `{}`.
    Never raises, whatever `answer` is, and never changes it.
    """
    errors = SVAML.errors_in(answer)
    warnings = tuple(_warnings(answer, event.lower())) if isinstance(answer, dict) else ()
    if isinstance(answer, dict) and not errors:
        warnings += tuple(SVAML.old_in(answer, ""))
    if not errors and not warnings:
        return _CLEAN
    return Faults(tuple(flatten(errors)), warnings)


def problem_of_built(document: Wire, event: str) -> str | None:
    """Why what a builder has made is no answer to `event`; None if it is one."""
    if "action" not in document and event in NEED_ACTION:
        return "it returned a builder without an action: end it with one, such as .hangup() or .run_menu(menu)"
    misplaced = next(_warnings(document, event), None)
    return None if misplaced is None else f"it used the builder of another event: {misplaced}"


def _warnings(answer: Mapping[Any, object], event: str) -> Iterator[Fault]:
    if event not in _ACTIONS:
        return
    instructions = answer.get("instructions")
    for index, item in enumerate(instructions if isinstance(instructions, list | tuple) else ()):
        if _name(item) not in _INSTRUCTIONS[event]:
            yield from _misplaced(item, f"instructions[{index}].name", event, ALLOWED_INSTRUCTIONS)
    action = answer.get("action")
    if action is not None and _name(action) not in _ACTIONS[event]:
        yield from _misplaced(action, "action.name", event, ALLOWED_ACTIONS)


def _misplaced(item: object, path: str, event: str, allowed: Mapping[str, tuple[str, ...]]) -> Iterator[Fault]:
    """A warning, unless no event at all knows the name: that is a fault already."""
    wanted = _name(item)
    events = {other: name for other, names in allowed.items() for name in names if name.lower() == wanted}
    for name in list(events.values())[:1]:
        elsewhere, here = ", ".join(events), ", ".join(allowed[event])
        yield Fault(path, f"{name} is documented for {elsewhere}, not for {event}. Documented there: {here}.")


def _name(item: object) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return name.lower() if isinstance(name, str) else ""
