"""What comes in: the request as a handler sees it, and its body, read once."""

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

from flask import Request, request
from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import BadRequest, HTTPException

from . import jsontext
from .bodies import SpooledBody, cut, read_body
from .errors import Advised

#: Charsets in which a text body is read; anything else is a 400.
CHARSETS = frozenset(("utf-8", "utf8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"))

#: What the JSON of more than a single value begins with.
JSON_BEGINS = (b"{", b"[", b'"')

#: Content types of forms.
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\U000[0-9a-fA-F]{5}")
_SANE_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")

#: Where the id of a request stands in its WSGI environ, for whoever answers it.
_ID_KEY = "sinchfn.request_id"

#: Set in the WSGI environ of a request that has come to a view of ours.
SEEN_KEY = "sinchfn.seen"


def request_id_of(environ: dict[str, Any]) -> str:
    """The caller's ``X-Request-ID`` if it is sane (1-128 characters of ``[A-Za-z0-9_.-]``), else a new one."""
    known: str | None = environ.get(_ID_KEY)
    if known is None:
        given: str = environ.get("HTTP_X_REQUEST_ID", "")
        known = environ[_ID_KEY] = given if _SANE_ID.fullmatch(given) else secrets.token_hex(16)
    return known


def flask_request() -> Request:
    """Flask's request. The object behind its proxy: each look through that costs as much as one in the environ."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


class Incoming:
    """A request before it is known who answers: its body is read at most once, and never beyond the limit."""

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
            # Never sent by a client in its senses; Werkzeug would fail on it wherever the query is read.
            request.query_string = quote(request.query_string, safe="=&;%+").encode()
        self.request_id = request_id_of(self.environ)
        self.environ[SEEN_KEY] = True
        #: whether it is known to be a callback that the platform signed
        self.is_genuine = False
        self._body: bytes | SpooledBody | HTTPException | None = None
        self._spooled = False
        self._json: Any = self  # stands for: not parsed yet

    def allow(self, limit: int, *, spooled: bool = False) -> None:
        """Another limit for the body, once it is known who answers. Too late for one that was read already.

        :param limit: bytes.
        :param spooled: keep it in a file if it is large. Then :meth:`close` gives the file up.
        """
        self.limit = limit
        self._spooled = spooled

    def receive(self) -> None:
        """Read the body, if that has not been done; a spooled one is not loaded.

        :raises HTTPException: 413 above the limit, 400 when it breaks off, 503 when a spooled one cannot be kept.
        """
        self._received()

    def _received(self) -> bytes | SpooledBody:
        if self._body is None:
            try:
                self._body = read_body(self.request, self.limit, spooled=self._spooled)
            except HTTPException as error:
                self._body = error  # a second try would only read on behind the part that was refused
        if isinstance(self._body, HTTPException):
            raise self._body
        return self._body

    @property
    def body(self) -> bytes:
        """The raw body, whole; a spooled one is loaded each time.

        :raises HTTPException: as for :meth:`receive`.
        """
        kept = self._body if isinstance(self._body, bytes) else self._received()
        return kept if isinstance(kept, bytes) else kept.open().read()

    def pieces(self) -> Iterator[bytes]:
        """The raw body in pieces of 64 KiB, from its beginning; as often as you like.

        :raises HTTPException: as for :meth:`receive`.
        """
        kept = self._received()
        return cut(kept) if isinstance(kept, bytes) else kept.pieces()

    def open_body(self) -> BinaryIO:
        """The raw body as a binary file that can seek; a new one each time, at its beginning.

        :raises HTTPException: as for :meth:`receive`.
        """
        kept = self._received()
        return BytesIO(kept) if isinstance(kept, bytes) else kept.open()

    @property
    def size(self) -> int:
        """Bytes of the body, if it was read and not refused; else 0."""
        if isinstance(self._body, bytes):
            return len(self._body)
        return self._body.size if isinstance(self._body, SpooledBody) else 0

    def close(self) -> None:
        """Give a spooled body up: it cannot be read any more. Doing it twice is fine."""
        if isinstance(self._body, SpooledBody):
            self._body.close()

    @property
    def json(self) -> Any:
        """The value of a JSON body.

        :raises HTTPException: as for :meth:`receive`; 400 when it is not JSON.
        """
        if self._json is self:
            self._json = _parse_json(self.body)
        return self._json

    def sent_text(self) -> str:
        """Return what the sender wrote, as it came and decoded, as :func:`comparable` makes it."""
        environ = self.environ
        parts = [environ.get("RAW_URI", ""), environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")]
        parts += [value for name, value in environ.items() if name.startswith(("HTTP_", "CONTENT_"))]
        head = "\n".join(map(str, parts))
        authorization = self.request.authorization
        credentials = () if authorization is None else (authorization.username, authorization.password)
        ways = (head, _decoded(head), _decoded(unquote_plus(head, "latin-1")), *credentials, *self._body_ways())
        return comparable("\n".join(way for way in ways if way))

    def _body_ways(self) -> Iterator[str]:
        """The body as it came and as it is parsed, which costs little more than to parse it."""
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
    """`text` without what tells two ways of writing it apart: case, and the backslashes of JSON and Python."""
    return text.casefold().replace("\\", "")


def unescaped(text: str) -> str:
    """`text` with ``\\uXXXX``, ``\\xXX`` and the like decoded, as JSON and Python write them."""
    return (
        _ESCAPE.sub(lambda found: chr(int(found[0][2:], 16)), text)
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
    )


def _decoded(path: str) -> str:
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


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


class FunctionRequest(Advised):
    """The HTTP request that a webhook or a custom endpoint answers.

    A thin view of Flask's own ``request``, which works inside handlers too.
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
        """The body as it came, whole."""
        return self._incoming.body

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
        return self._incoming.json if self._has_body() else None

    @cached_property
    def body(self) -> Any:
        """The body by its content type: JSON value, form fields as a dict, text as str, else bytes; None if empty.

        :raises BadRequest: it is not what its content type says.
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
            raise BadRequest("The charset of the body is not known: send it as UTF-8.")
        try:
            return self.raw_body.decode(charset)
        except ValueError:
            raise BadRequest(f"The body is not text in {charset}, as its content type says.") from None

    def __repr__(self) -> str:
        return f"<FunctionRequest {self.method} {self.path}>"
