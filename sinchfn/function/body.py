"""The body of a request, read once from the server: into memory, or into a file if it may be large."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, NoReturn

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, ServiceUnavailable
from werkzeug.formparser import FormDataParser
from werkzeug.wrappers import Request

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: The largest spooled body, in bytes, that stays in memory.
IN_MEMORY = 1 << 20
#: The size of a piece of a body, in bytes.
PIECE = 1 << 16

_log = logging.getLogger("sinchfn")


def read_body(request: Request, limit: int, *, spooled: bool = False) -> bytes | SpooledBody:
    """Return the raw body of a request. Flask's own ``request`` can read it again afterwards.

    :param limit: in bytes.
    :param spooled: keep a large body in a file. A body that a hook of the host has read already stays in memory.
    :raises HTTPException: 413 above the limit, 400 if the body breaks off, 503 if the file cannot be written.
    """
    environ = request.environ
    # Also the limit for forms, for which Flask's own is half a megabyte.
    request.max_content_length = request.max_form_memory_size = limit
    request.form_data_parser_class = FormParser
    if "stream" in request.__dict__:  # a hook of the host has read the body; Flask has kept it
        data = request.get_data()
        return data if len(data) <= limit else _refuse_size(limit)
    announced = environ.get("CONTENT_LENGTH")
    length = None
    if announced:
        if not announced.isdecimal():
            raise BadRequest("The Content-Length is not a number.")
        # More digits than any limit has: int() is slow for a million of them.
        length = int(announced) if len(announced) <= 18 else limit + 1
        if length > limit:
            _refuse_size(limit)
    elif not environ.get("wsgi.input_terminated"):
        return b""
    # Straight from the server, because Werkzeug's wrapper of the stream costs more than the rest of the parsing.
    if spooled:
        body = _spool(_chunks(environ["wsgi.input"], length, limit, PIECE))
        environ["wsgi.input"] = body.open()
        environ["CONTENT_LENGTH"] = str(body.size)
        return body
    data = b""
    for chunk in _chunks(environ["wsgi.input"], length, limit, limit + 1):
        data = data + chunk if data else chunk
    environ["wsgi.input"] = io.BytesIO(data)
    environ["CONTENT_LENGTH"] = str(len(data))
    return data


class FormParser(FormDataParser):
    """Werkzeug's parser of forms, with a 413 that names the limit."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RequestEntityTooLarge as error:
            error.description = (
                f"The form has more than {self.max_form_parts} fields and files, the limit set by MAX_FORM_PARTS: "
                'app.config["MAX_FORM_PARTS"] = 5000'
            )
            raise


class SpooledBody:
    """A body in a temporary file, or in memory up to :data:`IN_MEMORY`.

    Each reader has its own position. After :meth:`close`, reading raises a ``ValueError``.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115, open as long as the request
        self._lock = Lock()  # the file has one position, and an answer may be streamed in another thread
        #: in bytes
        self.size = 0

    def append(self, data: bytes) -> None:
        """Append these bytes. Nothing may have been read yet.

        :raises OSError: the file cannot be written.
        """
        self._file.write(data)
        self.size += len(data)

    def flush(self) -> None:
        """Write buffered bytes to the file.

        :raises OSError: the file cannot be written.
        """
        self._file.flush()

    def read_into(self, buffer: WriteableBuffer, position: int) -> int:
        """Fill ``buffer`` from a position on. Return the number of bytes; 0 at the end."""
        with self._lock:
            if self._file.closed:
                raise ValueError("The request body is closed: the response has already been sent.")
            self._file.seek(position)
            return self._file.readinto(buffer)

    def open(self) -> io.BufferedReader:
        """Return the body as a new, seekable binary file. It need not be closed."""
        return io.BufferedReader(_BodyReader(self), PIECE)

    def pieces(self) -> Iterator[bytes]:
        """Return the pieces of the body, from the beginning each time."""
        file = self.open()
        return iter(lambda: file.read(PIECE), b"")

    def close(self) -> None:
        """Delete the file. May be called twice."""
        with self._lock, suppress(OSError):  # closing still tries to write bytes for which there was no room
            self._file.close()

    def __del__(self) -> None:
        # Some answers are never closed, as by a test client.
        self.close()


class _BodyReader(io.RawIOBase):
    """A position in a spooled body."""

    def __init__(self, body: SpooledBody) -> None:
        self._body = body
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        count = self._body.read_into(buffer, self._position)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        position = (0, self._position, self._body.size)[whence] + offset
        if position < 0:
            raise ValueError(f"Cannot seek before the beginning of the body: {position} is negative.")
        self._position = position
        return position


def cut(data: bytes) -> Iterator[bytes]:
    """Return ``data`` in pieces."""
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))


def _spool(chunks: Iterator[bytes]) -> SpooledBody:
    body = SpooledBody()
    try:
        for chunk in chunks:
            body.append(chunk)
        body.flush()
    except BaseException as error:
        body.close()
        if not isinstance(error, OSError):
            raise
        _log.error(
            "A request was refused: its body cannot be written to the folder for temporary files (%s). "
            "The folder needs room for the largest bodies of all threads; TMPDIR sets another folder.",
            error,
        )
        raise ServiceUnavailable("The body of this request cannot be stored at the moment.") from error
    return body


def _chunks(stream: IO[bytes], length: int | None, limit: int, most: int) -> Iterator[bytes]:
    """Read a body of at most ``limit`` bytes in chunks of at most ``most``.

    :param length: the announced size; None if it is unknown.
    """
    wanted = limit + 1 if length is None else length
    size = 0
    while size < wanted:
        try:
            chunk = stream.read(min(wanted - size, most))
        except Exception as error:  # servers have their own errors for a chunked body that is malformed or breaks off
            raise BadRequest(f"The body could not be read: {type(error).__name__}.") from error
        if not chunk:
            break
        size += len(chunk)
        yield chunk
    if size > limit:
        _refuse_size(limit)
    if length is not None and size < length:
        raise BadRequest(f"The body broke off after {size} of {length} bytes.")


def _refuse_size(limit: int) -> NoReturn:
    raise RequestEntityTooLarge(f"The body is larger than {limit} bytes, the limit set by SINCHFN_MAX_BODY.")
