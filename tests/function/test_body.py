"""Large bodies: kept in a file, read several times, refused like any other."""

from __future__ import annotations

import io
import json
import logging
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import flask
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.test import run_wsgi_app

from sinchfn.function.body import IN_MEMORY, PIECE
from sinchfn.function.request import FunctionRequest, Incoming
from tests.harness.call import Stream, environ_of

MIB = 1 << 20
LIMIT = 4 * MIB
SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, IN_MEMORY - 1, IN_MEMORY, IN_MEMORY + 1, 3 * MIB + 7]

Use = Callable[[Incoming], Any]
Before = Callable[[], Any] | None


def content(size: int) -> bytes:
    """Return bytes in which no two pieces are equal."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


def stream_of(data: bytes, part: int = 10_000) -> Stream:
    return Stream(*(data[start : start + part] for start in range(0, len(data), part)))


def posted(body: bytes | Stream, *, chunked: bool = True, **extra: Any) -> dict[str, Any]:
    body = stream_of(body) if isinstance(body, bytes) else body
    return environ_of("POST", "/", body=body, chunked=chunked, **extra)


def status_of(
    use: Use,
    environ: dict[str, Any],
    *,
    limit: int = LIMIT,
    spooled: bool = True,
    before: Before = None,
) -> int:
    """Return the status of a request whose view calls ``use`` with the incoming request."""
    app = Flask("door")

    @app.post("/")
    def view() -> str:
        request = flask.request._get_current_object()  # type: ignore[attr-defined]
        incoming = Incoming(request, "", 100)
        incoming.allow(limit, spooled=spooled)
        try:
            use(incoming)
        finally:
            incoming.close()
        return ""

    if before is not None:
        app.before_request(before)
    return int(run_wsgi_app(app.wsgi_app, environ)[1][:3])


def seen(use: Use, environ: dict[str, Any], **options: Any) -> Any:
    """Return the value of ``use`` for a request that succeeds."""
    kept: list[Any] = []
    assert status_of(lambda incoming: kept.append(use(incoming)), environ, **options) == 200
    return kept[0]


def refusal(environ: dict[str, Any], **options: Any) -> tuple[int, str]:
    """Return status and text of the error for reading the body of a request, and check that it is repeated."""
    errors: list[tuple[int, str]] = []

    def use(incoming: Incoming) -> None:
        for read in (incoming.receive, lambda: incoming.body, incoming.pieces, incoming.open_body, incoming.receive):
            try:
                read()
            except HTTPException as error:
                errors.append((error.code or 0, error.description or ""))
        assert incoming.size == 0
        incoming.receive()

    assert status_of(use, environ, **options) == errors[0][0]
    assert len(errors) == 5
    assert len(set(errors)) == 1
    return errors[0]


def read_by_a_hook() -> None:
    """Read the body in a hook of the host, before the function does."""
    flask.request.get_data()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("spooled", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_each_way_to_read_a_body_gives_all_of_it_each_time(size: int, chunked: bool, spooled: bool) -> None:
    data = content(size)

    def use(incoming: Incoming) -> None:
        assert incoming.size == 0
        incoming.receive()
        assert incoming.size == size
        for _ in range(2):
            assert b"".join(incoming.pieces()) == data
            assert incoming.open_body().read() == data
            assert incoming.body == data
        assert all(0 < len(piece) <= PIECE for piece in incoming.pieces())

    extra = {} if chunked else {"CONTENT_LENGTH": str(size)}
    seen(use, posted(data, chunked=chunked, **extra), spooled=spooled)


@pytest.mark.parametrize("spooled", [True, False])
def test_each_file_of_a_body_has_a_position_of_its_own(spooled: bool) -> None:
    data = content(2 * MIB)

    def use(incoming: Incoming) -> None:
        one, other = incoming.open_body(), incoming.open_body()
        pieces = incoming.pieces()
        assert one.read(5) == data[:5]
        assert next(pieces) == data[:PIECE]
        assert other.seek(-3, io.SEEK_END) == len(data) - 3
        assert one.read(MIB) == data[5 : MIB + 5]
        assert other.read() == data[-3:]
        assert next(pieces) == data[PIECE : 2 * PIECE]
        assert one.tell() == MIB + 5
        assert one.seek(0) == 0
        assert one.read(4) == data[:4]
        assert one.seek(2, io.SEEK_CUR) == 6
        assert one.seek(len(data) + 9) == len(data) + 9
        assert one.read() == b""
        with pytest.raises(ValueError, match="negative"):
            one.seek(-1)

    seen(use, posted(data), spooled=spooled)


def test_several_threads_read_one_body_at_once() -> None:
    data = content(2 * MIB)
    before = sys.getswitchinterval()

    def use(incoming: Incoming) -> list[bool]:
        incoming.receive()
        found: list[bool] = []

        def read() -> None:
            found.extend(b"".join(incoming.pieces()) == data for _ in range(25))

        threads = [Thread(target=read) for _ in range(4)]
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
        return found

    assert seen(use, posted(data)) == [True] * 100


@given(st.lists(st.binary(min_size=1, max_size=9)), st.integers(0, 12))
def test_a_body_comes_whole_or_is_refused_however_it_is_cut(parts: list[bytes], over: int) -> None:
    data = b"".join(parts)
    limit = max(0, len(data) - over)
    if over and data:
        assert refusal(posted(Stream(*parts)), limit=limit)[0] == 413
    else:
        assert seen(lambda incoming: incoming.body, posted(Stream(*parts)), limit=limit) == data


class TestLimits:
    @pytest.mark.parametrize("spooled", [True, False])
    @pytest.mark.parametrize("chunked", [True, False])
    @pytest.mark.parametrize("limit", [200, 2 * MIB])
    def test_more_than_the_limit_is_a_413_that_names_it(self, limit: int, chunked: bool, spooled: bool) -> None:
        data = content(limit + 1)
        extra = {} if chunked else {"CONTENT_LENGTH": str(len(data))}
        environ = posted(data, chunked=chunked, **extra)
        status, said = refusal(environ, limit=limit, spooled=spooled)
        assert status == 413
        assert str(limit) in said
        assert "SINCHFN_MAX_BODY" in said

    def test_what_is_beyond_the_limit_is_not_read_on(self) -> None:
        tail = b"tail of the body"
        stream = Stream(content(IN_MEMORY + 1), tail)
        assert refusal(posted(stream), limit=IN_MEMORY)[0] == 413
        assert stream.read() == tail

    def test_what_announces_too_much_is_not_read_at_all(self) -> None:
        stream = stream_of(content(10))
        assert refusal(posted(stream, chunked=False, CONTENT_LENGTH="9" * 30))[0] == 413
        assert stream.read() == content(10)

    def test_a_limit_that_comes_after_the_body_changes_nothing(self) -> None:
        def use(incoming: Incoming) -> bytes:
            incoming.receive()
            incoming.allow(1, spooled=True)
            incoming.receive()
            return incoming.body

        assert seen(use, posted(content(50)), limit=100, spooled=False) == content(50)

    @pytest.mark.parametrize("failure", [OSError("gone"), ValueError("chunk"), EOFError()])
    def test_a_body_that_cannot_be_read_is_a_400(self, failure: Exception) -> None:
        status, said = refusal(posted(Stream(content(IN_MEMORY + 5), failure)))
        assert status == 400
        assert type(failure).__name__ in said

    def test_a_body_that_breaks_off_is_a_400(self) -> None:
        status, said = refusal(posted(content(2 * MIB), chunked=False, CONTENT_LENGTH=str(3 * MIB)))
        assert status == 400
        assert f"{2 * MIB} of {3 * MIB} bytes" in said

    def test_a_body_longer_than_announced_is_read_as_far_as_announced(self) -> None:
        environ = posted(content(2 * MIB), chunked=False, CONTENT_LENGTH=str(MIB + 9))
        assert seen(lambda incoming: incoming.body, environ) == content(MIB + 9)


class TestFlask:
    """Flask's own request, after a spooled body was read and before."""

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("chunked", [True, False])
    def test_it_reads_the_body_again(self, size: int, chunked: bool) -> None:
        data = content(size)

        def use(incoming: Incoming) -> bytes:
            assert b"".join(incoming.pieces()) == data
            return flask.request.get_data()

        extra = {} if chunked else {"CONTENT_LENGTH": str(size)}
        assert seen(use, posted(data, chunked=chunked, **extra)) == data

    def test_it_streams_the_body_again_without_moving_anybody_else(self) -> None:
        data = content(2 * MIB)

        def use(incoming: Incoming) -> bytes:
            file = incoming.open_body()
            assert file.read(10) == data[:10]
            read = b"".join(iter(lambda: flask.request.stream.read(PIECE), b""))
            assert file.read(10) == data[10:20]
            return read

        assert seen(use, posted(data)) == data

    def test_it_parses_a_form(self) -> None:
        value = "x" * (2 * MIB)
        environ = posted(f"a={value}".encode(), headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert seen(lambda incoming: [incoming.body, flask.request.form["a"]][1], environ) == value

    def test_it_parses_json(self) -> None:
        value = {"a": "x" * (2 * MIB)}
        environ = posted(json.dumps(value).encode(), headers={"Content-Type": "application/json"})
        assert seen(lambda incoming: [incoming.json, flask.request.get_json()], environ) == [value, value]

    def test_a_body_that_a_hook_of_the_host_has_read_is_there(self) -> None:
        data = content(2 * MIB)

        def use(incoming: Incoming) -> list[bytes]:
            incoming.receive()
            assert incoming.size == len(data)
            return [incoming.body, b"".join(incoming.pieces()), incoming.open_body().read(), flask.request.get_data()]

        assert seen(use, posted(data), before=read_by_a_hook) == [data] * 4

    def test_and_is_a_413_above_the_limit(self) -> None:
        environ = posted(content(MIB))
        assert refusal(environ, limit=MIB - 1, before=read_by_a_hook)[0] == 413


class TestTheEnd:
    def test_a_body_that_was_given_up_cannot_be_read_and_keeps_its_size(self) -> None:
        def use(incoming: Incoming) -> None:
            file, pieces = incoming.open_body(), incoming.pieces()
            incoming.close()
            incoming.close()
            ways: list[Callable[[], Any]] = [file.read, lambda: next(pieces), lambda: incoming.body]
            for read in ways:
                with pytest.raises(ValueError, match="already been sent"):
                    read()
            assert incoming.size == 2 * MIB

        seen(use, posted(content(2 * MIB)))

    def test_closing_what_was_never_read_or_is_in_memory_does_nothing(self) -> None:
        def use(incoming: Incoming) -> bytes:
            incoming.receive()
            incoming.close()
            return incoming.body

        assert status_of(Incoming.close, posted(b"x")) == 200
        assert seen(use, posted(b"x"), spooled=False) == b"x"

    def test_no_file_is_left_open_or_lying_about(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        before = open_files()
        seen(lambda incoming: incoming.receive(), posted(content(2 * MIB)))
        refusal(posted(content(2 * MIB)), limit=2 * MIB - 1)
        refusal(posted(Stream(content(2 * MIB), OSError("gone"))))
        assert open_files() == before
        assert list(tmp_path.iterdir()) == []


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Simulate a full disk for this process: files cannot grow beyond a limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestNoRoom:
    def test_no_folder_for_the_file_is_a_503_and_a_log_line_that_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        status, said = refusal(posted(content(2 * MIB)))
        assert status == 503
        assert "nowhere" not in said
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert str(tmp_path / "nowhere") in caplog.text
        assert "TMPDIR" in caplog.text

    def test_a_full_disk_is_a_503_and_leaves_no_file_open(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        before = open_files()
        # The last one fails only in what the file has not written yet when all of it has come.
        for size, room in ((2 * MIB, IN_MEMORY - 5), (3 * MIB, 2 * MIB), (2 * MIB, 2 * MIB - 1)):
            with files_of_at_most(room):
                assert refusal(posted(content(size)))[0] == 503
        assert len(caplog.records) == 3
        assert os.strerror(27) in caplog.text
        assert open_files() == before

    def test_a_body_that_fits_into_memory_needs_no_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        assert seen(lambda incoming: incoming.body, posted(content(IN_MEMORY))) == content(IN_MEMORY)


class TestFunctionRequest:
    def test_the_body_is_not_loaded_before_it_is_asked_for(self) -> None:
        def use(incoming: Incoming) -> None:
            request = FunctionRequest(incoming)
            assert (request.method, request.path) == ("POST", "/")
            with pytest.raises(HTTPException, match="could not be read"):
                _ = request.raw_body

        assert status_of(use, posted(Stream(OSError("gone")))) == 200

    def test_it_is_whole_and_parsed_then(self) -> None:
        value = {"a": "x" * (2 * MIB)}
        data = json.dumps(value).encode()

        def use(incoming: Incoming) -> list[Any]:
            incoming.receive()
            request = FunctionRequest(incoming)
            return [request.raw_body, request.json, request.body]

        environ = posted(data, headers={"Content-Type": "application/json"})
        assert seen(use, environ) == [data, value, value]

    @pytest.mark.parametrize("attribute", ["json", "body"])
    def test_an_empty_body_is_none_and_any_other_is_read_on_first_use(self, attribute: str) -> None:
        def use(incoming: Incoming) -> Any:
            return getattr(FunctionRequest(incoming), attribute)

        assert seen(use, posted(b"")) is None
        assert seen(use, posted(b"1", headers={"Content-Type": "application/json"})) == 1
