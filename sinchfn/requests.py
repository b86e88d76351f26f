"""What comes in: the request as a handler sees it, and its body, read once."""

from __future__ import annotations

import re
import secrets
import time
from functools import cached_property
from io import BytesIO
from typing import IO, Any, NoReturn
from urllib.parse import quote

from flask import Request
from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from . import jsontext

#: Charsets in which a text body is read; anything else is a 400.
CHARSETS = frozenset(("utf-8", "utf8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"))


_SANE_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")

#: Where the id of a request stands in its WSGI environ, for whoever answers it.
_ID_KEY = "sinchfn.request_id"


def request_id_of(environ: dict[str, Any]) -> str:
    """The caller's ``X-Request-ID`` if it is sane (1-128 characters of ``[A-Za-z0-9_.-]``), else a new one."""
    known: str | None = environ.get(_ID_KEY)
    if known is None:
        given: str = environ.get("HTTP_X_REQUEST_ID", "")
        known = environ[_ID_KEY] = given if _SANE_ID.fullmatch(given) else secrets.token_hex(16)
    return known


class Incoming:
    """A request before it is known who answers: its body is read at most once, and never beyond the limit."""

    __slots__ = (
        "_body",
        "_json",
        "called",
        "environ",
        "limit",
        "method",
        "path",
        "received",
        "request",
        "request_id",
        "started",
    )

    def __init__(self, request: Request, path: str, limit: int) -> None:
        self.request = request
        #: below the function's mount, decoded
        self.path = path
        self.environ = request.environ
        self.method: str = self.environ["REQUEST_METHOD"]
        #: the whole path, decoded
        self.called = _decoded(self.environ.get("PATH_INFO", ""))
        self.limit = limit
        self.started = time.perf_counter()
        self.received = time.time()
        if not request.query_string.isascii():
            # Never sent by a client in its senses; Werkzeug would fail on it wherever the query is read.
            request.query_string = quote(request.query_string, safe="=&;%+").encode()
        self.request_id = request_id_of(self.environ)
        self._body: bytes | HTTPException | None = None
        self._json: Any = self  # stands for: not parsed yet

    @property
    def body(self) -> bytes:
        """The raw body.

        :raises HTTPException: 413 above the limit, 400 when it breaks off.
        """
        if self._body is None:
            try:
                self._body = read_body(self.request, self.limit)
            except HTTPException as error:
                self._body = error  # a second try would only read on behind the part that was refused
        if isinstance(self._body, HTTPException):
            raise self._body
        return self._body

    @property
    def size(self) -> int:
        """Length of the body, as far as it was read."""
        return len(self._body) if isinstance(self._body, bytes) else 0

    @property
    def json(self) -> Any:
        """The value of a JSON body.

        :raises HTTPException: as for :attr:`body`; 400 when it is not JSON.
        """
        if self._json is self:
            self._json = _parse_json(self.body)
        return self._json


def read_body(request: Request, limit: int) -> bytes:
    """The raw body of a request; Flask's own ``request`` can read it again afterwards.

    :raises HTTPException: 413 above the limit, 400 when it breaks off.
    """
    environ = request.environ
    request.max_form_memory_size = limit  # Flask would stop at half a megabyte
    if "stream" in request.__dict__:  # a hook of the host looked at the body before us; Flask has kept it
        data = request.get_data()
        return data if len(data) <= limit else _refuse_size(limit)
    announced = environ.get("CONTENT_LENGTH")
    if not announced and not environ.get("wsgi.input_terminated"):
        return b""
    # Straight from the server: Werkzeug's wrapping of the stream costs more than the rest of the parsing.
    data = _read(environ["wsgi.input"], _length(announced, limit), limit)
    environ["wsgi.input"] = BytesIO(data)
    environ["CONTENT_LENGTH"] = str(len(data))
    return data


def _decoded(path: str) -> str:
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


def _length(announced: str | None, limit: int) -> int | None:
    if not announced:
        return None
    if not announced.isdecimal():
        raise BadRequest("The Content-Length is not a number.")
    # Longer than any limit can be: int() would take its time over a text of a million digits.
    if len(announced) > 18 or int(announced) > limit:
        _refuse_size(limit)
    return int(announced)


def _read(stream: IO[bytes], length: int | None, limit: int) -> bytes:
    wanted = limit + 1 if length is None else length
    data = b""
    try:
        while len(data) < wanted and (chunk := stream.read(wanted - len(data))):
            data = data + chunk if data else chunk
    except Exception as error:
        # Each server has exceptions of its own for a chunked body that is malformed or breaks off.
        raise BadRequest(f"The body could not be read: {type(error).__name__}.") from error
    if len(data) > limit:
        _refuse_size(limit)
    if length is not None and len(data) < length:
        raise BadRequest(f"The body broke off after {len(data)} of {length} bytes.")
    return data


def _refuse_size(limit: int) -> NoReturn:
    raise RequestEntityTooLarge(f"The body is larger than {limit} bytes, the limit set by SINCHFN_MAX_BODY.")


def _parse_json(body: bytes) -> Any:
    """The value of a JSON body.

    :raises BadRequest: it is not JSON.
    """
    try:
        return jsontext.loads(body)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None


def is_json(content_type: str) -> bool:
    """Whether a content type says JSON: ``application/json`` or anything that ends in ``+json``."""
    mimetype = content_type.partition(";")[0].strip().lower()
    return mimetype == "application/json" or mimetype.endswith("+json")


class FunctionRequest:
    """The HTTP request that a webhook or a custom endpoint answers.

    A thin view of Flask's own ``request``, which works inside handlers too.
    """

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._request = incoming.request
        #: ``GET``, ``POST`` ...
        self.method = incoming.method
        #: the path below the function's mount, decoded; begins with a slash
        self.path = "/" + incoming.path.lstrip("/")
        #: the body as it came
        self.raw_body = incoming.body
        #: the request id, as in ``context.request_id``
        self.id = incoming.request_id

    @property
    def headers(self) -> Headers:
        """Headers; names in any case."""
        return self._request.headers

    @cached_property
    def query(self) -> dict[str, str]:
        """First value of each query parameter."""
        return self.args.to_dict()

    @property
    def args(self) -> MultiDict[str, str]:
        """All query parameters."""
        return self._request.args

    @property
    def form(self) -> MultiDict[str, str]:
        """Fields of a form, urlencoded or multipart."""
        return self._request.form

    @property
    def files(self) -> MultiDict[str, FileStorage]:
        """Uploaded files of a multipart form."""
        return self._request.files

    @property
    def cookies(self) -> MultiDict[str, str]:
        """Cookies that the client sent."""
        return self._request.cookies

    @property
    def remote_addr(self) -> str | None:
        """The client's address; behind a proxy see ``SINCHFN_TRUSTED_PROXIES``."""
        return self._request.remote_addr

    @property
    def content_type(self) -> str:
        """The ``Content-Type`` as it came; empty if there is none."""
        return self._request.content_type or ""

    @cached_property
    def json(self) -> Any:
        """The value of a JSON body, whatever the content type says; None for an empty body.

        :raises BadRequest: it is not JSON. A handler that does not catch it answers 400.
        """
        return self._incoming.json if self.raw_body else None

    @cached_property
    def body(self) -> Any:
        """The body by its content type: JSON value, form fields as a dict, text as str, else bytes; None if empty.

        :raises BadRequest: it is not what its content type says.
        """
        if not self.raw_body:
            return None
        mimetype = self._request.mimetype
        if is_json(mimetype):
            return self.json
        if mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
            return self.form.to_dict()
        return self._text() if mimetype.startswith("text/") else self.raw_body

    def _text(self) -> str:
        charset = self._request.mimetype_params.get("charset", "utf-8").lower()
        if charset not in CHARSETS:
            raise BadRequest("The charset of the body is not known: send it as UTF-8.")
        try:
            return self.raw_body.decode(charset)
        except ValueError:
            raise BadRequest(f"The body is not text in {charset}, as its content type says.") from None

    def __repr__(self) -> str:
        return f"<FunctionRequest {self.method} {self.path}>"
