"""context(): what a handler gets as its context, for code outside of the function's requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click
from flask import Flask, current_app, has_app_context

from .errors import FunctionError
from .function import Function
from .function_context import FunctionContext
from .lifecycle import ProcessOccasion
from .services.logs import bound_to


@contextmanager
def context(app: Flask, url_prefix: str | None = None) -> Iterator[FunctionContext]:
    """Give a context outside of a request: in a Celery task, a cron job, a script, a view of the host::

        with sinchfn.context(app) as context:
            context.voice.v1.callouts.tts("+46700000000", "Your table is ready.")

    The block is an app context of `app`, too: the current one if there is one. At its end, what was opened through the
    context is closed as at the end of a request: an exception of the block is thrown into the scoped services, and what
    was not committed to the database is rolled back. Start-up functions are not run for it.

    :param url_prefix: which function, if several are mounted in the app.
    :raises FunctionError: the app has no function, or several, and the prefix is of none of them.
    """
    occasion = ProcessOccasion(_function_of(app, url_prefix), "context", "context")
    is_current = has_app_context() and current_app == app
    with nullcontext() if is_current else app.app_context(), bound_to(occasion):
        try:
            yield occasion.context
        except BaseException as error:
            occasion.context._end(error)
            raise
        occasion.context._end()


def _function_of(app: Flask, url_prefix: str | None) -> Function:
    mounted: list[Function] = getattr(app, "extensions", {}).get("sinchfn", [])
    if not mounted:
        raise FunctionError(
            f"{app!r} has no function: sinchfn.context() takes the Flask app that has one. "
            'Mount one, SinchFunctions("function.py").init_app(app), or make an app of it: create_app("function.py").'
        )
    if url_prefix is None and len(mounted) == 1:
        return mounted[0]
    wanted = None if url_prefix is None else f"/{url_prefix.strip('/')}".rstrip("/")
    found = next((function for function in mounted if function.url_prefix == wanted), None)
    if found is None:
        prefixes = " or ".join(f'"{function.url_prefix or "/"}"' for function in mounted)
        what = "It takes a url_prefix" if wanted is None else f'None is mounted at "{wanted or "/"}"'
        raise FunctionError(
            f'The app "{app.name}" has {len(mounted)} function(s). {what}: sinchfn.context(app, url_prefix=...) '
            f"with {prefixes}."
        )
    return found


def shell_names(app: Flask) -> dict[str, FunctionContext]:
    """What ``sinchfn shell`` and ``flask --app sinchfn shell`` know by name: a context, until the shell ends."""
    command = click.get_current_context(silent=True)
    if command is None:  # no shell of Flask's: whoever asks cannot say when it is over
        return {"context": ProcessOccasion(_function_of(app, None), "shell", "shell").context}
    return {"context": command.with_resource(context(app))}
