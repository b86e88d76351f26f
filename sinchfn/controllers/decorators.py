"""``@route``, ``@get``, ``@post``, ``@put``, ``@patch``, ``@delete``: the endpoints of a controller's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from marshmallow import Schema
from marshmallow.fields import Field

from ..errors import FunctionError
from ..places import place_of

#: The methods that a route may take, and that reach a webhook or a custom endpoint.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: Where a method's routes, and a class's prefix, are kept.
ROUTES = "__sinchfn_routes__"
PREFIX = "__sinchfn_prefix__"

#: What ``body`` and ``query`` take: a schema, its class, or a dict of marshmallow fields.
SchemaLike = Schema | type[Schema] | Mapping[str, Field[Any]]

Target = TypeVar("Target", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class OwnRoute:
    """One route of one method, as it was written."""

    #: Werkzeug's language: ``/users/<int:id>``
    rule: str
    methods: tuple[str, ...]
    #: what the body of a request has to be
    body: Schema | None = None
    #: what its query has to be
    query: Schema | None = None


def route(
    rule: str, *, methods: Iterable[str] = (), body: SchemaLike | None = None, query: SchemaLike | None = None
) -> Callable[[Target], Target]:
    """On a method: this path leads to it. On a class: the paths of all its methods begin with this one.

    A method may have several routes. `rule` is written as in Flask, ``/users/<int:id>``; what the variables stand for
    comes as keyword arguments.

    :param methods: HTTP methods; default ``GET`` (with which ``HEAD`` comes by itself).
    :param body: a marshmallow schema. The method gets what it loads from the JSON or form of the request, as its
        argument ``body``, else as its first positional one; a request that it refuses is a 422 with ``fields``, which
        tells each field's faults (if the route has a ``query`` too, of each below ``body`` or ``query``).
    :param query: the same for the query, as the argument ``query``, else as the next positional one. Parameters that
        the schema does not know are left out.
    :raises FunctionError: it is not used as a decorator of a method or class.
    """
    if not isinstance(rule, str):
        raise FunctionError(f'A route takes a path: write @route("/path") or @get("/path"), not {_found(rule)}.')
    if isinstance(methods, str):
        raise FunctionError(f'The methods of a route are a list: write methods=["{methods}"].')
    known = tuple(str(method).upper() for method in methods)
    for method in known:
        if method not in METHODS:
            raise FunctionError(f'The route "{rule}" names the method {method!r}; there are {", ".join(METHODS)}.')
    added = OwnRoute(rule, known or ("GET",), schema_of(body, rule), schema_of(query, rule))
    if added.query is not None and added.query.many:
        raise FunctionError(f'The schema of the query of "{rule}" says many=True: a query is one object.')

    def mark(target: Target) -> Target:
        place: Any = target  # what is asked of it below says nothing of its type
        if isinstance(place, type):
            if known or added.body or added.query:
                raise FunctionError(f'The route "{rule}" of {place.__name__} is a prefix: it takes the path alone.')
            setattr(place, PREFIX, rule)
        elif callable(place):
            # A list of its own: functools.wraps passes on the very list of the method that it wraps.
            setattr(place, ROUTES, (*getattr(place, ROUTES, ()), added))
        else:
            raise FunctionError(
                f'The route "{rule}" stands above a {type(place).__name__}: it goes right above the method, '
                "or above the class."
            )
        return target

    return mark


def get(rule: str, *, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """``GET`` and ``HEAD`` of a path lead to this method. See :func:`route`."""
    return route(rule, methods=("GET",), query=query)


def post(rule: str, *, body: SchemaLike | None = None, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """``POST`` to a path leads to this method. See :func:`route`."""
    return route(rule, methods=("POST",), body=body, query=query)


def put(rule: str, *, body: SchemaLike | None = None, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """``PUT`` of a path leads to this method. See :func:`route`."""
    return route(rule, methods=("PUT",), body=body, query=query)


def patch(rule: str, *, body: SchemaLike | None = None, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """``PATCH`` of a path leads to this method. See :func:`route`."""
    return route(rule, methods=("PATCH",), body=body, query=query)


def delete(rule: str, *, body: SchemaLike | None = None, query: SchemaLike | None = None) -> Callable[[Target], Target]:
    """``DELETE`` of a path leads to this method. See :func:`route`."""
    return route(rule, methods=("DELETE",), body=body, query=query)


def schema_of(given: SchemaLike | None, rule: str) -> Schema | None:
    """An instance of a schema, made once: making one takes longer than to load with it.

    :raises FunctionError: it is no schema.
    """
    if given is None or isinstance(given, Schema):
        return given
    if isinstance(given, type) and issubclass(given, Schema):
        return given()
    if isinstance(given, Mapping):
        for name, field in given.items():
            if not isinstance(field, Field) and not (isinstance(field, type) and issubclass(field, Field)):
                raise FunctionError(
                    f'"{name}" in the schema of the route "{rule}" is {field!r:.40}, and no marshmallow field: write '
                    f'{{"{name}": fields.String()}}.'
                )
        return Schema.from_dict(dict(given))()
    raise FunctionError(
        f'The route "{rule}" takes a marshmallow schema as body and query: a Schema class, an instance, or a dict of '
        f"fields; found {_found(given)}."
    )


def _found(value: object) -> str:
    place = place_of(value)
    return f"a {type(value).__name__}{f' ({place})' if place else ''}"
