"""Streamed answers: counted while they go out, recorded once when they end, however they end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from flask import Response

from .invocation import Invocation
from .services.logs import bound_to

_log = logging.getLogger("sinchfn")


def when_sent(invocation: Invocation, callback: Callable[[Invocation], None]) -> None:
    """Call `callback` with `invocation` when the answer is complete: now, or at the end of a streamed one.

    A file that the server sends by itself counts as complete at once: nobody tells when it is through.
    """
    chunks = invocation.response.response if invocation.response is not None else None
    if isinstance(chunks, WatchedStream):
        chunks.callbacks.append(callback)
    else:
        callback(invocation)


def watch(response: Response, invocation: Invocation) -> None:
    """Let `invocation` know what becomes of a streamed answer. Whatever fails up to its first chunk is raised."""
    if response.direct_passthrough:  # a file goes out past Python, and its length is known
        return
    response.response = stream = WatchedStream(response.response, invocation)
    if invocation.incoming.method != "HEAD":
        stream.begin()


class WatchedStream:
    """The chunks of a streamed answer. The server iterates it, and closes it when it is through or the client left."""

    def __init__(self, chunks: Iterable[str | bytes], invocation: Invocation) -> None:
        #: called once, at the end
        self.callbacks: list[Callable[[Invocation], None]] = []
        self._source = chunks
        self._chunks = iter(chunks)
        self._first: bytes | None = None
        self._invocation = invocation
        self._is_over = False

    def begin(self) -> None:
        """Take the first chunk, while what fails in it can still become a proper answer."""
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
        """Close what is streamed from. Before the end this means that the client left."""
        if self._is_over:
            return
        self._is_over = True
        with bound_to(self._invocation):
            if self._invocation.incoming.method != "HEAD":
                self._invocation._leave()
                self._invocation._raise(GeneratorExit("The client left before the end of the answer."))
            self._finish()

    def __del__(self) -> None:
        # A host may have put another answer in the place of this one, and then nobody closes it.
        if not self._is_over:
            self.close()

    def _sent(self, data: bytes) -> bytes:
        self._invocation._stream(len(data))
        return data

    def _next(self) -> bytes | None:
        if self._is_over:
            return None
        with bound_to(self._invocation):
            try:
                if (data := self._read()) is not None:
                    return data
            except BaseException as error:
                self._note(error)
            self._is_over = True
            self._finish()
            if self._invocation.outcome == "error":
                # An ordinary error for the server, with nothing in it that its log should not have: it ends this
                # connection, so that the client notices, and goes on.
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
                callback(self._invocation)
            except BaseException:  # the others have to run all the same, and the worker goes on
                _log.exception("What follows a streamed answer failed; the call goes on.")

    def _close_source(self) -> None:
        try:
            getattr(self._source, "close", _nothing)()
        except BaseException as error:
            self._note(error)

    def _note(self, error: BaseException) -> None:
        self._invocation._fail(error)
        _log.error("The streamed answer of %s broke off.", self._invocation.handler_name, exc_info=error)


def _nothing() -> None:
    """Stands in for the ``close`` of what has none."""
