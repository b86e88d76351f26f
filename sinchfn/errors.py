"""Every error that sinchfn raises: one base, one class per decision a caller can make."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from click import ClickException


class SinchfnError(Exception):
    """The base of all errors of this package."""


class StartupError(SinchfnError, ClickException):
    """The app cannot start. The message names the place, the cause and the remedy.

    A ``ClickException``, so that every command, also ``flask run``, shows the message and no traceback.
    """


class FunctionError(StartupError):
    """The function module is missing, cannot be loaded, or exports what cannot be served."""


class ConfigError(StartupError):
    """A setting is missing or has a value that it does not take. The message names the variable."""


class SvamlError(SinchfnError, ValueError):
    """SVAML that the platform would refuse. The message says what is wrong and what is allowed."""


class AnswerError(SinchfnError, TypeError):
    """A handler returned what cannot be sent. The message is for the log: it says what, and what is allowed."""


class SignatureError(SinchfnError):
    """A request whose signature does not hold.

    The message says why and is meant for the log only: the answer to the caller never carries it.
    """


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """`' Did you mean "ice"?'` for a near miss among `known`, else an empty string."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""
