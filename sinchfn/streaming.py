"""Streamed answers: counted while they go out, recorded once when they end, however they end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from flask import Response

from .invocation import Invocation
from .services.logs import bound_to

_log = logging.getLogger("sinchfn")


def when_sent(invocation: Invocation, callback: Callable[[], None]) -> None:
    """Call `callback` when the answer is complete: now, or at the end of a streamed one.

    A file that the server sends by itself counts as complete at once: nobody tells when it is through.
    """
    chunks = invocation.response.response if invocation.response is not None else None
    if isinstance(chunks, WatchedStream):
        chunks.callbacks.append(callback)
    else:
        callback()


def watch(response: Response, invocation: Invocation) -> None:
    """Let `invocation` know what becomes of a streamed answer."""
    if not response.direct_passthrough:  # a file goes out past Python, and its length is known
        response.response = WatchedStream(response.response, invocation)


class WatchedStream:
    """The chunks of a streamed answer. The server iterates it, and closes it when it is through or the client left."""

    def __init__(self, chunks: Iterable[str | bytes], invocation: Invocation) -> None:
        #: called once, at the end
        self.callbacks: list[Callable[[], None]] = []
        self._source = chunks
        self._invocation = invocation
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._source)
        try:
            while (data := self._next(chunks)) is not None:
                self._invocation.stream(len(data))
                yield data
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
                self._invocation.leave()
            self._finish()

    def _next(self, chunks: Iterator[str | bytes]) -> bytes | None:
        with bound_to(self._invocation):
            try:
                chunk = next(chunks)
                return chunk.encode() if isinstance(chunk, str) else bytes(memoryview(chunk))
            except StopIteration:
                self._is_over = True
                self._finish()
                return None
            except BaseException as error:
                self._is_over = True
                self._note(error)
                self._finish()
                if isinstance(error, Exception):
                    raise
                # An ordinary error for the server: it ends this connection, so that the client notices, and goes on.
                raise RuntimeError("the streamed answer broke off") from error

    def _finish(self) -> None:
        try:
            getattr(self._source, "close", _nothing)()
        except BaseException as error:
            self._note(error)
        for callback in self.callbacks:
            callback()

    def _note(self, error: BaseException) -> None:
        self._invocation.fail()
        _log.error("The streamed answer of %s broke off.", self._invocation.handler_name, exc_info=error)


def _nothing() -> None:
    """Stands in for the ``close`` of what has none."""
