"""Answers for when things go wrong on a live call."""

from __future__ import annotations

from .svaml.builders import AceSvamlBuilder, PieSvamlBuilder
from .svaml.document import Svaml
from .svaml.limits import SAY_CHARS

UNAVAILABLE = "We are sorry, this service is not available at the moment. Please try again later."
INVALID_INPUT = "Sorry, that was not a valid choice."


def error_answer(message: str) -> Svaml:
    """Say `message` and hang up; right for every event. What is longer than a `say` may be is cut, never refused."""
    return AceSvamlBuilder().say(_cut(message)).hangup()


def service_unavailable(message: str = UNAVAILABLE) -> Svaml:
    """Say that the service is not available, and hang up."""
    return error_answer(message)


def invalid_input(message: str = INVALID_INPUT) -> Svaml:
    """Say that the input was wrong and let the call go on; meant for a PIE."""
    return PieSvamlBuilder().say(_cut(message)).continue_()


def _cut(message: str) -> str:
    return str(message)[:SAY_CHARS]
