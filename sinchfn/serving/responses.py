"""HTTP answers: from the value that a handler returned, or from an error."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, stream_with_context
from werkzeug.datastructures import Headers as WerkzeugHeaders
from werkzeug.exceptions import HTTPException
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as BaseResponse

from ..errors import Advised, AnswerError
from ..wire import json
from ..wire.faults import describe_type

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


#: The values that a handler may return, for the message about any other.
RETURNABLE = (
    "a dict (with statusCode, body and headers, or any other as JSON), a list, a dataclass, a sqlite3.Row, str, "
    "bytes, None, FunctionResponse, ok(...) and its siblings, SVAML, or what Flask takes: a Response, a tuple, "
    "a generator"
)

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
BINARY = "application/octet-stream"

Headers = Mapping[str, str | Sequence[str]]

_NOTHING: Any = object()

#: Headers that only the server sets. A handler's own are dropped.
SERVERS_OWN = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "date", "server")
)

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True)
class FunctionResponse(Advised):
    """An answer with status, body and headers.

    The body is sent as JSON if it is a dict, list, number, bool or None, as text if it is a str (unless ``headers``
    give a ``Content-Type``), and unchanged if it is bytes. Without a body the answer is empty.
    """

    status_code: int = 200
    body: Any = _NOTHING
    headers: Headers = field(default_factory=dict)


def ok(body: Any = _NOTHING, *, headers: Headers | None = None) -> FunctionResponse:
    """200; without a body ``{}``."""
    return _success(200, body, headers)


def created(body: Any = _NOTHING, *, location: str | None = None, headers: Headers | None = None) -> FunctionResponse:
    """201; ``location`` is the URL of the new resource."""
    return _success(201, body, {**(headers or {}), **({"Location": location} if location else {})})


def accepted(body: Any = _NOTHING, *, headers: Headers | None = None) -> FunctionResponse:
    """202: accepted, to be done later."""
    return _success(202, body, headers)


def no_content(*, headers: Headers | None = None) -> FunctionResponse:
    """204, without a body."""
    return FunctionResponse(204, headers=headers or {})


def bad_request(message: str = "Bad request", *, headers: Headers | None = None) -> FunctionResponse:
    """400 ``{"error": message}``."""
    return _error(400, message, headers)


def unauthorized(message: str = "Unauthorized", *, headers: Headers | None = None) -> FunctionResponse:
    """401 ``{"error": message}``."""
    return _error(401, message, headers)


def forbidden(message: str = "Forbidden", *, headers: Headers | None = None) -> FunctionResponse:
    """403 ``{"error": message}``."""
    return _error(403, message, headers)


def not_found(message: str = "Not found", *, headers: Headers | None = None) -> FunctionResponse:
    """404 ``{"error": message}``."""
    return _error(404, message, headers)


def conflict(message: str = "Conflict", *, headers: Headers | None = None) -> FunctionResponse:
    """409 ``{"error": message}``."""
    return _error(409, message, headers)


def too_many_requests(
    message: str = "Too many requests", *, retry_after: int | None = None, headers: Headers | None = None
) -> FunctionResponse:
    """429 ``{"error": message}``; ``retry_after`` in seconds becomes ``Retry-After``."""
    retry = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return _error(429, message, {**(headers or {}), **retry})


def server_error(message: str = "Internal server error", *, headers: Headers | None = None) -> FunctionResponse:
    """500 ``{"error": message}``."""
    return _error(500, message, headers)


def redirect(location: str, status_code: int = 302, *, headers: Headers | None = None) -> FunctionResponse:
    """A redirect to ``location``."""
    return FunctionResponse(status_code, "", {**(headers or {}), "Location": iri_to_uri(location)})


def html(body: str, status_code: int = 200, *, headers: Headers | None = None) -> FunctionResponse:
    """An HTML page."""
    return FunctionResponse(status_code, _str(body), {**(headers or {}), "Content-Type": HTML})


def text(body: str, status_code: int = 200, *, headers: Headers | None = None) -> FunctionResponse:
    """Plain text."""
    return FunctionResponse(status_code, _str(body), {**(headers or {}), "Content-Type": TEXT})


def _str(body: object) -> str:
    if not isinstance(body, str):
        raise AnswerError(f"html() and text() take a str, found {describe_type(body)}")
    return body


def _success(status: int, body: Any, headers: Headers | None) -> FunctionResponse:
    return FunctionResponse(status, {} if body is _NOTHING else body, headers or {})


def _error(status: int, message: str, headers: Headers | None) -> FunctionResponse:
    return FunctionResponse(status, {"error": message}, headers or {})


def to_response(value: Any) -> Response:
    """Return the HTTP answer for the value that a handler returned.

    :raises AnswerError: the value cannot be sent.
    """
    is_object = not isinstance(value, type)
    try:
        if isinstance(value, dict):
            return _from_dict(value)
        if isinstance(value, str):
            return make_response(200, value.encode(), TEXT)
        if value is None:
            return make_response(204, b"", None)
        if isinstance(value, FunctionResponse):
            return _from_parts(value.status_code, value.body, value.headers)
        if isinstance(value, bytes | bytearray | memoryview):
            return make_response(200, bytes(value), BINARY)
        is_buildable = is_object and (dataclasses.is_dataclass(value) or callable(getattr(value, "build", None)))
        if isinstance(value, list) or is_buildable or (is_object and json.is_row(value)):
            return json_response(200, value)
        if isinstance(value, BaseResponse | tuple | Iterator) and not json.is_cursor(value):
            return _from_flask(value)
    except AnswerError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise AnswerError(f"it returned {describe_type(value)} that cannot be sent: {error}") from error
    if json.is_cursor(value):
        raise AnswerError("it returned a cursor of the database, whose rows are not read yet; return list(...) of it")
    raise AnswerError(f"it returned {describe_type(value)}; a handler may return {RETURNABLE}")


def _from_dict(value: dict[Any, Any]) -> Response:
    if "statusCode" not in value:
        return json_response(200, value)
    status = value["statusCode"]
    extra = [str(key) for key in value if key not in ("statusCode", "body", "headers")]
    if extra or not _is_status(status):
        found = ", ".join(extra) if extra else f"statusCode {status!r}"
        raise AnswerError(
            "it returned a dict with statusCode, which may have only statusCode (an int from 100 to 599), body and "
            f"headers; found {found}. To send such a dict as JSON return ok({{...}})"
        )
    return _from_parts(status, value.get("body", _NOTHING), value.get("headers") or {})


def _is_status(status: Any) -> bool:
    return isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599


def _from_parts(status: Any, body: Any, headers: Any) -> Response:
    if not _is_status(status):
        raise AnswerError(f"its status is {status!r}; an int from 100 to 599 is needed")
    if not isinstance(headers, Mapping):
        raise AnswerError(f"headers are a {type(headers).__name__}; a dict of names and values is needed")
    if body is _NOTHING:
        response = make_response(status, b"", None)
    elif isinstance(body, str):
        response = make_response(status, body.encode(), TEXT)
    elif isinstance(body, bytes | bytearray | memoryview):
        response = make_response(status, bytes(body), BINARY)
    else:
        response = json_response(status, body)
    for name, value in headers.items():
        _set_header(response, name, value)
    if headers:
        settle(response)
    return response


def _set_header(response: Response, name: Any, value: Any) -> None:
    check_header(name, "")
    response.headers.remove(name)
    for item in value if isinstance(value, list | tuple) else [value]:
        if item is None:
            raise AnswerError(f"the header {name} is None: leave it out instead")
        written = str(item)
        check_header(name, written)
        response.headers.add(name, written)


def _from_flask(value: Any) -> Response:
    generator: Any = value if inspect.isgenerator(value) else None
    try:
        given: Any = value if generator is None else stream_with_context(generator)
        response: Response = current_app.make_response(given)
    except Exception as error:
        raise AnswerError(
            f"it returned {describe_type(value)} that Flask cannot turn into a response: {error}"
        ) from error
    settle(response)
    return response


def settle(response: BaseResponse) -> None:
    """Check the status and headers of an answer that a handler made, and set its length.

    :raises AnswerError: a server could not send it, or would split it in two.
    """
    if not 100 <= response.status_code <= 599:
        raise AnswerError(f"its status is {response.status_code}; an HTTP status is from 100 to 599")
    for name, value in list(response.headers):
        check_header(name, value)
        if name.lower() in SERVERS_OWN:
            response.headers.remove(name)
    given = response.headers.get("Content-Length")
    if not response.is_streamed:
        # A wrong length would let the client wait, or misread the next answer.
        response.headers["Content-Length"] = str(response.calculate_content_length() or 0)
    elif given is not None and not (given.isascii() and given.isdecimal()):
        raise AnswerError(f"its Content-Length is {given[:40]!r}; a number of bytes is needed")


def check_header(name: object, value: object) -> None:
    """Check one header.

    :raises AnswerError: a server could not send it.
    """
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise AnswerError(f"{name!r} is not a valid header name")
    if not isinstance(value, str):
        raise AnswerError(f"the header {name} has a {type(value).__name__} as its value; a str is needed")
    if _CONTROL.search(value):
        raise AnswerError(f"the header {name} has a control character or line break in its value")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise AnswerError(f"the header {name} has characters outside Latin-1 in its value: percent-encode it") from None


def make_response(status: int, data: bytes, content_type: str | None) -> Response:
    """Return an answer in one piece."""
    response = PlainResponse(data, status, content_type=content_type)
    if content_type is None:
        response.headers.remove("Content-Type")
    return response


class PlainResponse(Response):
    """An answer in one piece whose headers need no completion."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> WerkzeugHeaders:
        if self.status_code < 200 or self.status_code in (204, 304) or self.is_streamed or "Location" in self.headers:
            return super().get_wsgi_headers(environ)
        return self.headers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        whole = [part for part in self.response if isinstance(part, bytes)] if isinstance(self.response, list) else []
        has_end = bool(getattr(self, "_on_close", True))  # something to be called at the end, so to be wrapped
        if len(whole) != 1 or has_end or self.status_code != 200 or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, self.get_wsgi_headers(environ).to_wsgi_list())
        return whole


def json_response(status: int, value: Any) -> Response:
    """Return a JSON answer.

    :raises AnswerError: the value cannot be written as JSON.
    """
    return make_response(status, dumped(value).encode(), JSON)


def dumped(value: Any) -> str:
    """Write a value as JSON.

    :raises AnswerError: it cannot be written as JSON.
    """
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise AnswerError(f"it returned {describe_type(value)} that cannot be written as JSON: {error}") from error


def error_response(error: HTTPException, request_id: str, **fields: Any) -> Response:
    """Return an error as JSON: ``{"error": "<sentence>", "requestId": "..."}`` and the fields of that error."""
    status = error.code or 500
    if error.response is not None or status < 400:  # abort(Response(...)), or a redirect
        return _from_flask(error.get_response())
    response = json_response(status, {"error": str(error.description or error.name), "requestId": request_id, **fields})
    response.headers["X-Request-ID"] = request_id
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            _set_header(response, name, value)
    return response
