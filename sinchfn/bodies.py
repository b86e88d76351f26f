"""The body of a request, read once from the server: whole into memory, or into a file if it may be large."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, NoReturn

from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, ServiceUnavailable
from werkzeug.formparser import FormDataParser

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: A spooled body of more bytes than these goes into a file.
IN_MEMORY = 1 << 20
#: Bytes in a piece of a body.
PIECE = 1 << 16

_log = logging.getLogger("sinchfn")


def read_body(request: Request, limit: int, *, spooled: bool = False) -> bytes | SpooledBody:
    """The raw body of a request; Flask's own ``request`` can read it again afterwards.

    :param limit: bytes.
    :param spooled: keep it in a file. One that a hook of the host has read already stays where it is, in memory.
    :raises HTTPException: 413 above the limit, 400 when it breaks off, 503 when there is no room for the file.
    """
    environ = request.environ
    # The limit of the body is the one for forms, too. Flask would stop at half a megabyte.
    request.max_content_length = request.max_form_memory_size = limit
    request.form_data_parser_class = FormParser
    if "stream" in request.__dict__:  # a hook of the host looked at the body before us; Flask has kept it
        data = request.get_data()
        return data if len(data) <= limit else _refuse_size(limit)
    announced = environ.get("CONTENT_LENGTH")
    if not announced and not environ.get("wsgi.input_terminated"):
        return b""
    length = _length(announced, limit)
    # Straight from the server: Werkzeug's wrapping of the stream costs more than the rest of the parsing.
    if spooled:
        body = _spool(environ["wsgi.input"], length, limit)
        environ["wsgi.input"] = body.open()
        environ["CONTENT_LENGTH"] = str(body.size)
        return body
    data = _read(environ["wsgi.input"], length, limit)
    environ["wsgi.input"] = io.BytesIO(data)
    environ["CONTENT_LENGTH"] = str(len(data))
    return data


class FormParser(FormDataParser):
    """Werkzeug's parser of forms, with the name of the limit in its 413."""

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

    Whoever reads it has a position of its own. It can be read until :meth:`close`; after that, reading is a
    ``ValueError``.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115, it lives as long as the request
        self._lock = Lock()  # the file has one position, and an answer may be streamed from another thread
        #: bytes
        self.size = 0

    def append(self, data: bytes) -> None:
        """Keep these bytes behind the others. Nothing may have been read yet.

        :raises OSError: there is no folder for the file, or no room.
        """
        self._file.write(data)
        self.size += len(data)

    def flush(self) -> None:
        """Have all of it in the file.

        :raises OSError: there is no room.
        """
        self._file.flush()

    def read_into(self, buffer: WriteableBuffer, position: int) -> int:
        """Fill `buffer` from a position on.

        :returns: how many bytes it got; 0 at the end.
        """
        with self._lock:
            if self._file.closed:
                raise ValueError("The body of this request was given up when its answer was complete.")
            self._file.seek(position)
            return self._file.readinto(buffer)

    def open(self) -> io.BufferedReader:
        """A binary file of it, which can seek. It need not be closed."""
        return io.BufferedReader(_BodyReader(self), PIECE)

    def pieces(self) -> Iterator[bytes]:
        """All of it, from the beginning; as often as you like."""
        file = self.open()
        return iter(lambda: file.read(PIECE), b"")

    def close(self) -> None:
        """Give the file up. Doing it twice is fine."""
        with self._lock, suppress(OSError):  # it would still write what there was no room for
            self._file.close()

    def __del__(self) -> None:
        # An answer that nobody closes, as a test client leaves it, does not leave the file open.
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
            raise ValueError(f"There is nothing before the beginning of a body: {position} is negative.")
        self._position = position
        return position


def cut(data: bytes) -> Iterator[bytes]:
    """`data` in pieces."""
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))


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
        raise _unreadable(error) from error
    _check_size(len(data), length, limit)
    return data


def _spool(stream: IO[bytes], length: int | None, limit: int) -> SpooledBody:
    body = SpooledBody()
    wanted = limit + 1 if length is None else length
    try:
        while chunk := _next_piece(stream, wanted - body.size):
            _keep(body, chunk)
        _check_size(body.size, length, limit)
        _keep(body, b"")
    except BaseException:
        body.close()
        raise
    return body


def _next_piece(stream: IO[bytes], wanted: int) -> bytes:
    try:
        return stream.read(min(wanted, PIECE)) if wanted > 0 else b""
    except Exception as error:
        raise _unreadable(error) from error


def _keep(body: SpooledBody, data: bytes) -> None:
    """Append `data`; nothing stands for: that was all."""
    try:
        body.append(data) if data else body.flush()
    except OSError as error:
        _log.error(
            "A request was refused, for its body cannot be kept in the folder for temporary files: %s. "
            "It needs room for the largest bodies of all threads: make some, or name another folder in TMPDIR.",
            error,
        )
        raise ServiceUnavailable("The body of this request cannot be kept at the moment.") from error


def _unreadable(error: Exception) -> BadRequest:
    # Each server has exceptions of its own for a chunked body that is malformed or breaks off.
    return BadRequest(f"The body could not be read: {type(error).__name__}.")


def _check_size(size: int, length: int | None, limit: int) -> None:
    if size > limit:
        _refuse_size(limit)
    if length is not None and size < length:
        raise BadRequest(f"The body broke off after {size} of {length} bytes.")


def _refuse_size(limit: int) -> NoReturn:
    raise RequestEntityTooLarge(f"The body is larger than {limit} bytes, the limit set by SINCHFN_MAX_BODY.")
