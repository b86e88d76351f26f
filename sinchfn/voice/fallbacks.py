"""Answers for errors on a live call: ``error_answer``, ``service_unavailable``, ``invalid_input``."""

from __future__ import annotations

from .svaml.builders import AceSvamlBuilder, PieSvamlBuilder
from .svaml.instructions import Svaml
from .svaml.limits import SAY_CHARS

UNAVAILABLE = "We are sorry, this service is not available at the moment. Please try again later."
INVALID_INPUT = "Sorry, that was not a valid choice."


def error_answer(message: str) -> Svaml:
    """Return an answer to any event that says ``message`` and hangs up. A message that is too long is cut."""
    return AceSvamlBuilder().say(str(message)[:SAY_CHARS]).hangup()


def service_unavailable(message: str = UNAVAILABLE) -> Svaml:
    """Return an answer that says that the service is not available and hangs up."""
    return error_answer(message)


def invalid_input(message: str = INVALID_INPUT) -> Svaml:
    """Return an answer to a PIE that says that the input was wrong and lets the call go on."""
    return PieSvamlBuilder().say(str(message)[:SAY_CHARS]).continue_()
