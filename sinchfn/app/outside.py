"""``sinchfn.context()``: the context of a handler, for code outside of requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click
from flask import Flask, current_app, has_app_context

from ..errors import FunctionError
from ..function.context import FunctionContext
from ..function.function import Function
from ..function.lifecycle import ProcessOccasion
from ..logs.records import bound_to


@contextmanager
def context(app: Flask, url_prefix: str | None = None) -> Iterator[FunctionContext]:
    """Give a context outside of a request: in a Celery task, a cron job, a script, a view of the host::

        with sinchfn.context(app) as context:
            context.voice.v1.callouts.tts("+46700000000", "Your table is ready.")

    The block is an app context of ``app`` too; the current one is used if it is of that app. At its end, everything
    that was opened through the context is closed as at the end of a request: an exception of the block is thrown into
    the scoped services, and uncommitted changes to the database are rolled back. Start-up functions are not run.

    :param url_prefix: the mount of the function, if the app has several.
    :raises FunctionError: the app has no function, or several and none at this prefix.
    """
    function = _function_of(app, url_prefix)
    occasion = ProcessOccasion(function.services, function.redact, "context", "context")
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
    """Return the names in ``sinchfn shell`` and ``flask --app sinchfn shell``: a context, which ends with the shell."""
    command = click.get_current_context(silent=True)
    if command is None:  # not Flask's shell, so the end cannot be noticed
        function = _function_of(app, None)
        return {"context": ProcessOccasion(function.services, function.redact, "shell", "shell").context}
    return {"context": command.with_resource(context(app))}
