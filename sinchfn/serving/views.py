"""The views of sinchfn as Flask knows them: their names in its table of views, and its request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Request, Response, request


def view_function(answer: Callable[..., Response], blueprint: str, endpoint: str) -> Callable[..., Response]:
    """Return a function for Flask's table of views, in which extensions look for ``__name__``, ``__qualname__`` etc.

    Some extensions know a view by its module and name only, so all views of an app have different names.

    :param answer: an object that answers a request when it is called with the variables of the URL.
    :param endpoint: its endpoint without the name of the blueprint.
    """

    def view(**variables: Any) -> Response:
        return answer(**variables)

    view.__name__ = view.__qualname__ = f"{blueprint}_{endpoint}"
    view.__doc__ = answer.__doc__
    view.__wrapped__ = answer.__call__  # type: ignore[attr-defined, operator]  # has the signature
    return view


def flask_request() -> Request:
    """Return Flask's request itself. Its proxy makes each attribute as slow as a look-up in the environ."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found
