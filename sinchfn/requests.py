"""What comes in: the request as a handler sees it, and its body, read once."""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any, NoReturn

from flask import Request
from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from . import jsontext
from .invocation import Invocation, request_id_of


#: Charsets in which a text body is read; anything else is a 400.
CHARSETS = frozenset(("utf-8", "utf8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"))


class Incoming:
    """A request before it is known who answers: its body is read at most once, and never beyond the limit."""

    def __init__(self, request: Request, path: str, limit: int) -> None:
        self.request = request
        #: below the function's mount, decoded
        self.path = path
        self.environ = request.environ
        self.limit = limit
        self.started = time.perf_counter()
        self.received = time.time()

    @cached_property
    def request_id(self) -> str:
        return request_id_of(self.environ)

    @cached_property
    def body(self) -> bytes:
        """The raw body.

        :raises HTTPException: 413 above the limit, 400 when it breaks off.
        """
        self.request.max_content_length = self.limit
        try:
            data = self.request.get_data()
        except RequestEntityTooLarge:
            self._refuse_size()
        except HTTPException:
            raise BadRequest("The body broke off before it was complete.") from None
        except Exception as error:
            # Each server has exceptions of its own for a chunked body that is malformed or breaks off.
            raise BadRequest(f"The body could not be read: {type(error).__name__}.") from error
        if len(data) > self.limit:  # a host that read it before us had a limit of its own
            self._refuse_size()
        return data

    @cached_property
    def json(self) -> Any:
        """The value of a JSON body.

        :raises HTTPException: as for :attr:`body`; 400 when it is not JSON.
        """
        return parse_json(self.body)

    def _refuse_size(self) -> NoReturn:
        raise RequestEntityTooLarge(f"The body is larger than {self.limit} bytes, the limit set by SINCHFN_MAX_BODY.")


def parse_json(body: bytes) -> Any:
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

    def __init__(self, invocation: Invocation, path: str) -> None:
        self._request = invocation.incoming.request
        #: ``GET``, ``POST`` ...
        self.method: str = invocation.environ["REQUEST_METHOD"]
        #: the path below the function's mount, decoded; begins with a slash
        self.path = "/" + path.lstrip("/")
        #: the body as it came
        self.raw_body = invocation.body
        #: the request id, as in ``context.request_id``
        self.id = invocation.request_id

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
        return parse_json(self.raw_body) if self.raw_body else None

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
