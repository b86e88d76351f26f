"""Streamed answers: counted while they go out, recorded once when they end, however they end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from flask import Response

from ..function.invocation import Progress
from ..logs.records import bound_to

_log = logging.getLogger("sinchfn")


def when_sent(progress: Progress, callback: Callable[[Progress], None]) -> None:
    """Call ``callback(progress)`` when the answer is complete: now, or at the end of a streamed one.

    A file that the server sends by itself counts as complete at once, because its end is not reported.
    """
    chunks = progress.response.response if progress.response is not None else None
    if isinstance(chunks, WatchedStream):
        chunks.callbacks.append(callback)
    else:
        callback(progress)


def watch(response: Response, progress: Progress) -> None:
    """Count a streamed answer while it goes out. An exception before its first chunk is raised here."""
    if response.direct_passthrough:  # a file goes out past Python, and its length is known
        return
    response.response = stream = WatchedStream(response.response, progress)
    if progress.incoming.method != "HEAD":
        stream.begin()


class WatchedStream:
    """The chunks of a streamed answer. The server iterates over them, and closes them at the end."""

    def __init__(self, chunks: Iterable[str | bytes], progress: Progress) -> None:
        #: called once, at the end
        self.callbacks: list[Callable[[Progress], None]] = []
        self._source = chunks
        self._chunks = iter(chunks)
        self._first: bytes | None = None
        self._progress = progress
        self._is_over = False

    def begin(self) -> None:
        """Take the first chunk while a failure in it can still become an error answer."""
        try:
            self._first = self._read()
        except BaseException:
            self._is_over = True
            self._close_source()
            raise

    def __iter__(self) -> Iterator[bytes]:
        try:
            if self._first is not None:
                yield self._sent(self._first)
            while (data := self._next()) is not None:
                yield self._sent(data)
        finally:
            # Also when the response has a close() of its own that never calls ours.
            self.close()

    def close(self) -> None:
        """Close the source of the stream. Before the end this means that the client left."""
        if self._is_over:
            return
        self._is_over = True
        with bound_to(self._progress):
            if self._progress.incoming.method != "HEAD":
                self._progress.outcome = "gone"
                self._progress.error = GeneratorExit("The client left before the end of the answer.")
            self._finish()

    def __del__(self) -> None:
        # A host may have replaced this answer, and then it is not closed.
        if not self._is_over:
            self.close()

    def _sent(self, data: bytes) -> bytes:
        self._progress.streamed_bytes += len(data)
        return data

    def _next(self) -> bytes | None:
        if self._is_over:
            return None
        with bound_to(self._progress):
            try:
                if (data := self._read()) is not None:
                    return data
            except BaseException as error:
                self._note(error)
            self._is_over = True
            self._finish()
            if self._progress.outcome == "error":
                # An error without details for the server's log: the server closes this connection, so that the client
                # notices, and goes on.
                raise RuntimeError("the streamed answer broke off") from None
            return None

    def _read(self) -> bytes | None:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            return None
        return chunk.encode() if isinstance(chunk, str) else bytes(memoryview(chunk))

    def _finish(self) -> None:
        self._close_source()
        for callback in self.callbacks:
            try:
                callback(self._progress)
            except BaseException:  # the other callbacks have to run, and the worker goes on
                _log.exception("A hook after a streamed answer failed; the call goes on.")

    def _close_source(self) -> None:
        try:
            close = getattr(self._source, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._note(error)

    def _note(self, error: BaseException) -> None:
        self._progress.fail(error)
        _log.error("The streamed answer of %s broke off.", self._progress.handler_name, exc_info=error)
