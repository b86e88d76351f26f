"""Requests: one as it arrives, with a body that is read once, and the view of it that handlers get."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from io import BytesIO
from typing import Any, BinaryIO, ClassVar
from urllib.parse import quote, unquote_plus

from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.wrappers import Request

from ..errors import Advised
from ..wire import json as wire_json
from .body import SpooledBody, cut, read_body

#: The charsets of text bodies that are accepted; any other is a 400.
CHARSETS = frozenset(("utf-8", "utf8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"))

#: The first bytes of JSON that may hold text.
JSON_BEGINS = (b"{", b"[", b'"')

#: Content types of forms.
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\U000[0-9a-fA-F]{5}")
_SANE_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")

#: The key of the request id in the WSGI environ.
_ID_KEY = "sinchfn.request_id"

#: The key that marks the WSGI environ of a request that has reached a view of ours.
SEEN_KEY = "sinchfn.seen"


def request_id_of(environ: dict[str, Any]) -> str:
    """Return the caller's ``X-Request-ID`` if it is sane (1-128 characters of ``[A-Za-z0-9_.-]``), else a new id."""
    known: str | None = environ.get(_ID_KEY)
    if known is None:
        given: str = environ.get("HTTP_X_REQUEST_ID", "")
        known = environ[_ID_KEY] = given if _SANE_ID.fullmatch(given) else secrets.token_hex(16)
    return known


class Incoming:
    """A request before its endpoint is known. Its body is read at most once, and never beyond the limit."""

    __slots__ = (
        "_body",
        "_json",
        "_spooled",
        "called",
        "environ",
        "is_genuine",
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
            # No usual client sends this, and Werkzeug would fail wherever the query is read.
            request.query_string = quote(request.query_string, safe="=&;%+").encode()
        self.request_id = request_id_of(self.environ)
        self.environ[SEEN_KEY] = True
        #: whether its signature was verified already: the platform sent it
        self.is_genuine = False
        self._body: bytes | SpooledBody | HTTPException | None = None
        self._spooled = False
        self._json: Any = self  # a marker: not parsed yet

    def allow(self, limit: int, *, spooled: bool = False) -> None:
        """Change the limit for the body, once the endpoint is known. It has no effect on a body that was read already.

        :param limit: in bytes.
        :param spooled: keep a large body in a file, until :meth:`close`.
        """
        self.limit = limit
        self._spooled = spooled

    def receive(self) -> None:
        """Read the body, unless it was read already. A spooled body is not loaded into memory.

        :raises HTTPException: 413 above the limit, 400 if the body breaks off, 503 if a spooled body cannot be stored.
        """
        self._received()

    def _received(self) -> bytes | SpooledBody:
        if self._body is None:
            try:
                self._body = read_body(self.request, self.limit, spooled=self._spooled)
            except HTTPException as error:
                self._body = error  # a second attempt would read on behind the refused part
        if isinstance(self._body, HTTPException):
            raise self._body
        return self._body

    @property
    def body(self) -> bytes:
        """The whole raw body; a spooled body is loaded each time.

        :raises HTTPException: as for :meth:`receive`.
        """
        kept = self._body if isinstance(self._body, bytes) else self._received()
        return kept if isinstance(kept, bytes) else kept.open().read()

    def pieces(self) -> Iterator[bytes]:
        """Return the raw body in pieces of 64 KiB, from the beginning each time.

        :raises HTTPException: as for :meth:`receive`.
        """
        kept = self._received()
        return cut(kept) if isinstance(kept, bytes) else kept.pieces()

    def open_body(self) -> BinaryIO:
        """Return the raw body as a new, seekable binary file, at the beginning.

        :raises HTTPException: as for :meth:`receive`.
        """
        kept = self._received()
        return BytesIO(kept) if isinstance(kept, bytes) else kept.open()

    @property
    def size(self) -> int:
        """The size of the body in bytes, if it was read and not refused; else 0."""
        if isinstance(self._body, bytes):
            return len(self._body)
        return self._body.size if isinstance(self._body, SpooledBody) else 0

    def close(self) -> None:
        """Delete a spooled body: it cannot be read any more. May be called twice."""
        if isinstance(self._body, SpooledBody):
            self._body.close()

    @property
    def json(self) -> Any:
        """The value of a JSON body.

        :raises HTTPException: as for :meth:`receive`; 400 if it is not JSON.
        """
        if self._json is self:
            try:
                self._json = wire_json.loads(self.body)
            except ValueError as error:
                raise BadRequest(f"The body is not JSON: {error}.") from None
        return self._json

    def sent_text(self) -> str:
        """Return everything in the request, raw and decoded, in the form of :func:`comparable`."""
        environ = self.environ
        parts = [environ.get("RAW_URI", ""), environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")]
        parts += [value for name, value in environ.items() if name.startswith(("HTTP_", "CONTENT_"))]
        head = "\n".join(map(str, parts))
        authorization = self.request.authorization
        credentials = () if authorization is None else (authorization.username, authorization.password)
        ways = (head, _decoded(head), _decoded(unquote_plus(head, "latin-1")), *credentials, *self._body_ways())
        return comparable("\n".join(way for way in ways if way))

    def _body_ways(self) -> Iterator[str]:
        """Yield the body raw and parsed, which costs little more than parsing it."""
        if not isinstance(self._body, bytes):
            return
        yield self._body.decode("latin-1")
        charset = self.request.mimetype_params.get("charset", "utf-8").lower()
        yield self._body.decode(charset if charset in CHARSETS else "utf-8", "replace")
        with suppress(HTTPException):
            if self.request.mimetype in FORMS:
                yield from (text for pair in self.request.form.items(multi=True) for text in pair)
                yield from (file.filename or "" for file in self.request.files.values())
            elif self._body[:1] in JSON_BEGINS:
                yield json.dumps(self.json, ensure_ascii=False)


def comparable(text: str) -> str:
    """Return ``text`` without the differences between its spellings: case, and the backslashes of JSON and Python."""
    return text.casefold().replace("\\", "")


def unescaped(text: str) -> str:
    """Return ``text`` with the escapes of JSON and Python decoded: ``\\uXXXX``, ``\\xXX`` and so on."""
    return (
        _ESCAPE.sub(lambda found: chr(int(found[0][2:], 16)), text)
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
    )


def _decoded(path: str) -> str:
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


def is_json(content_type: str) -> bool:
    """Return True for the content type of JSON: ``application/json``, or one that ends in ``+json``."""
    mimetype = content_type.partition(";")[0].strip().lower()
    return mimetype == "application/json" or mimetype.endswith("+json")


class FunctionRequest(Advised):
    """The HTTP request for a webhook or a custom endpoint.

    It is a thin view of Flask's own ``request``, which works inside handlers too.
    """

    _called = "the request"
    _elsewhere: ClassVar[Mapping[str, str]] = {
        "data": "raw_body",
        "get_data": "raw_body",
        "get_json": "json",
        "params": "query",
    }

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._request = incoming.request
        #: ``GET``, ``POST`` ...
        self.method = incoming.method
        #: the path below the function's mount, decoded; begins with a slash
        self.path = "/" + incoming.path.lstrip("/")
        #: the request id, as in ``context.request_id``
        self.id = incoming.request_id

    @cached_property
    def raw_body(self) -> bytes:
        """The whole body, as it was sent."""
        return self._incoming.body

    @property
    def headers(self) -> Headers:
        """The headers; names are case-insensitive."""
        return self._request.headers

    @cached_property
    def query(self) -> dict[str, str]:
        """The first value of each query parameter."""
        return self.args.to_dict()

    @property
    def args(self) -> MultiDict[str, str]:
        """All query parameters."""
        return self._request.args

    @property
    def form(self) -> MultiDict[str, str]:
        """The fields of a form, urlencoded or multipart."""
        return self._request.form

    @property
    def files(self) -> MultiDict[str, FileStorage]:
        """The uploaded files of a multipart form."""
        return self._request.files

    @property
    def cookies(self) -> MultiDict[str, str]:
        """The cookies that the client sent."""
        return self._request.cookies

    @property
    def remote_addr(self) -> str | None:
        """The client's address; behind a proxy see ``SINCHFN_TRUSTED_PROXIES``."""
        return self._request.remote_addr

    @property
    def content_type(self) -> str:
        """The ``Content-Type`` as it was sent; empty if it is missing."""
        return self._request.content_type or ""

    @cached_property
    def json(self) -> Any:
        """The value of a JSON body, whatever the content type is; None for an empty body.

        :raises BadRequest: the body is not JSON. A handler that does not catch this answers 400.
        """
        return self._incoming.json if self._has_body() else None

    @cached_property
    def body(self) -> Any:
        """The body by its content type: JSON value, form fields as a dict, text as str, else bytes; None if empty.

        :raises BadRequest: the body does not match its content type.
        """
        if not self._has_body():
            return None
        mimetype = self._request.mimetype
        if is_json(mimetype):
            return self.json
        if mimetype in FORMS:
            return self.form.to_dict()
        return self._text() if mimetype.startswith("text/") else self.raw_body

    def _has_body(self) -> bool:
        self._incoming.receive()
        return self._incoming.size > 0

    def _text(self) -> str:
        charset = self._request.mimetype_params.get("charset", "utf-8").lower()
        if charset not in CHARSETS:
            raise BadRequest("The charset of the body is not supported: send UTF-8.")
        try:
            return self.raw_body.decode(charset)
        except ValueError:
            raise BadRequest(f"The body is not valid text in the charset of its content type, {charset}.") from None

    def __repr__(self) -> str:
        return f"<FunctionRequest {self.method} {self.path}>"
