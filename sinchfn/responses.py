"""What goes out: what a handler returned becomes an HTTP answer."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, stream_with_context
from werkzeug.datastructures import Headers as WerkzeugHeaders
from werkzeug.exceptions import HTTPException
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as BaseResponse

from . import jsontext
from .errors import Advised, AnswerError
from .headers import check_header, settle

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: What a handler may return, for the log line about one that returned something else.
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


@dataclass(frozen=True)
class FunctionResponse(Advised):
    """An answer with status, body and headers.

    The body is sent as JSON if it is a dict, list, number, bool or None, as text if it is a str (unless `headers` give
    a ``Content-Type``), and as it is if it is bytes. Without a body the answer is empty.
    """

    status_code: int = 200
    body: Any = _NOTHING
    headers: Headers = field(default_factory=dict)


def ok(body: Any = _NOTHING, *, headers: Headers | None = None) -> FunctionResponse:
    """200; without a body ``{}``."""
    return _success(200, body, headers)


def created(body: Any = _NOTHING, *, location: str | None = None, headers: Headers | None = None) -> FunctionResponse:
    """201; `location` is the URL of what was created."""
    return _success(201, body, {**(headers or {}), **({"Location": location} if location else {})})


def accepted(body: Any = _NOTHING, *, headers: Headers | None = None) -> FunctionResponse:
    """202: taken, and done later."""
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
    """429 ``{"error": message}``; `retry_after` in seconds becomes ``Retry-After``."""
    retry = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return _error(429, message, {**(headers or {}), **retry})


def server_error(message: str = "Internal server error", *, headers: Headers | None = None) -> FunctionResponse:
    """500 ``{"error": message}``."""
    return _error(500, message, headers)


def redirect(location: str, status_code: int = 302, *, headers: Headers | None = None) -> FunctionResponse:
    """A redirect to `location`."""
    return FunctionResponse(status_code, "", {**(headers or {}), "Location": iri_to_uri(location)})


def html(body: str, status_code: int = 200, *, headers: Headers | None = None) -> FunctionResponse:
    """A page."""
    return FunctionResponse(status_code, _str(body), {**(headers or {}), "Content-Type": HTML})


def text(body: str, status_code: int = 200, *, headers: Headers | None = None) -> FunctionResponse:
    """Plain text."""
    return FunctionResponse(status_code, _str(body), {**(headers or {}), "Content-Type": TEXT})


def _str(body: object) -> str:
    if not isinstance(body, str):
        raise AnswerError(f"html() and text() take a str, found {described(body)}")
    return body


def _success(status: int, body: Any, headers: Headers | None) -> FunctionResponse:
    return FunctionResponse(status, {} if body is _NOTHING else body, headers or {})


def _error(status: int, message: str, headers: Headers | None) -> FunctionResponse:
    return FunctionResponse(status, {"error": message}, headers or {})


def to_response(value: Any) -> Response:
    """The HTTP answer that a handler's return value means.

    :raises AnswerError: it means none.
    """
    try:
        return _convert(value)
    except AnswerError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise AnswerError(f"it returned {described(value)} that cannot be sent: {error}") from error


def _convert(value: Any) -> Response:
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
    if isinstance(value, list) or _is_written_as_json(value):
        return json_response(200, value)
    if jsontext.is_cursor(value):
        raise AnswerError("it returned a cursor of the database, whose rows are not read yet; return list(...) of it")
    if isinstance(value, BaseResponse | tuple | Iterator):
        return _from_flask(value)
    raise AnswerError(f"it returned {described(value)}; a handler may return {RETURNABLE}")


def _is_written_as_json(value: Any) -> bool:
    if isinstance(value, type):
        return False
    return dataclasses.is_dataclass(value) or callable(getattr(value, "build", None)) or jsontext.is_row(value)


def _from_dict(value: dict[Any, Any]) -> Response:
    if "statusCode" not in value:
        return json_response(200, value)
    status = value["statusCode"]
    extra = [str(key) for key in value if key not in ("statusCode", "body", "headers")]
    if extra or not _is_status(status):
        found = f"besides it {', '.join(extra)}" if extra else f"statusCode {status!r}"
        raise AnswerError(
            f"it returned a dict with statusCode, which takes an int from 100 to 599 and, besides, only body and "
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
    data, content_type = _encoded(body)
    response = make_response(status, data, content_type)
    for name, value in headers.items():
        _set_header(response, name, value)
    if headers:
        settle(response)
    return response


def _encoded(body: Any) -> tuple[bytes, str | None]:
    if body is _NOTHING:
        return b"", None
    if isinstance(body, str):
        return body.encode(), TEXT
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body), BINARY
    return dumped(body).encode(), JSON


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
        raise AnswerError(f"it returned {described(value)} that Flask makes no response of: {error}") from error
    settle(response)
    return response


def described(value: Any) -> str:
    """A returned value in a word, for the log: its type, never what is in it."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def make_response(status: int, data: bytes, content_type: str | None) -> Response:
    """A plain answer."""
    response = PlainResponse(data, status, content_type=content_type)
    if content_type is None:
        response.headers.remove("Content-Type")
    return response


class PlainResponse(Response):
    """An answer in one piece, whose headers are complete as they are."""

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
    """A JSON answer.

    :raises AnswerError: the value cannot be written as JSON.
    """
    return make_response(status, dumped(value).encode(), JSON)


def dumped(value: Any) -> str:
    """A value as JSON.

    :raises AnswerError: it cannot be written so.
    """
    try:
        return jsontext.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise AnswerError(f"it returned {described(value)} that cannot be written as JSON: {error}") from error


def error_response(error: HTTPException, request_id: str, **fields: Any) -> Response:
    """An error as JSON: ``{"error": "<sentence>", "requestId": "..."}`` plus the fields of that error."""
    status = error.code or 500
    if error.response is not None or status < 400:  # abort(Response(...)), or a redirect
        return _from_flask(error.get_response())
    response = json_response(status, {"error": str(error.description or error.name), "requestId": request_id, **fields})
    response.headers["X-Request-ID"] = request_id
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            _set_header(response, name, value)
    return response
