"""Storage: one contract for a folder, a real S3 endpoint and memory, and what each of them adds."""

from __future__ import annotations

import builtins
import errno
import gzip
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sinchfn.errors import ConfigError, ExtraError, StorageError
from sinchfn.services.storage import Storage, check_storage_url, objects, open_storage
from tests.harness.s3 import ACCESS_KEY, PAGE, SECRET_KEY, ObjectStore
from tests.harness.server import PATIENCE, free_port

MB = 1 << 20

#: Keys that something on the way to a file or an object may take for something else.
#: Names that other programs give to objects, and that no key can be.
FOREIGN_NAMES = [
    "sub/",
    "sub//",
    "new/",
    "deep/er/",
    "a//b",
    "//",
    "/lead",
    "//lead",
    "x/../y",
    "../up",
    "..",
    "a/./b",
    "./a",
    "back\\slash",
    "control\x01",
    "nul\0",
    ".sinchfn/own",
]

ODD_KEYS = [
    "a",
    "a b",
    " a",
    "a ",
    "a%20b",
    "a%b",
    "a+b",
    "a?b=c",
    "a#b",
    "a&amp;b",
    "<a>",
    "a:b",
    "a*b",
    "a'b\"c",
    "a|b",
    "~",
    "-rf",
    ".hidden",
    "..a",
    "a..",
    "...",
    "C:a",
    "caf\u00e9",
    "cafe\u0301",
    "\u65e5\u672c/\u8a9e",
    "\U0001f600",
    "a\u2028b",
    "a\u200bb",
    "deep/" * 20 + "x",
    "A",
    ".sinchfnx",
    "a.sinchfn/.sinchfn",
]

#: What is no key.
NO_KEYS = [
    "",
    "/",
    "/a",
    "//a",
    "a/",
    "a//b",
    ".",
    "..",
    "./a",
    "../a",
    "a/..",
    "a/../b",
    "a/./b",
    "a/../../b",
    "a\\b",
    "..\\a",
    "\0",
    "a\0b",
    "a\nb",
    "a\r",
    "a\x1bb",
    "a\x7f",
    "a\x85",
    "\ud800",
    "a\uffff",
    "x" * 1025,
    "\u00e9" * 513,
    "x" * MB,
    ".sinchfn",
    ".sinchfn/a",
    ".SinchFn/a",
]


@pytest.fixture(autouse=True)
def _no_credentials_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ObjectStore]:
    with ObjectStore() as store:
        store.make_bucket("files")
        yield store


def open_at(url: str, folder: Path, **env: str) -> Storage:
    return open_storage(url, folder=folder, env=env)


#: A URL that is at fault is refused by both.
REFUSING: tuple[Callable[[str, Path], object], ...] = (open_at, lambda url, folder: check_storage_url(url, {}))


@pytest.fixture
def in_bucket(endpoint: ObjectStore, tmp_path: Path) -> Storage:
    return open_at(f"s3://files/{uuid4()}/p", tmp_path, **endpoint.env)


@pytest.fixture
def in_folder(tmp_path: Path) -> Storage:
    return open_at("file:storage", tmp_path)


@pytest.fixture(params=["file", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return open_at("memory:", tmp_path)
    found: Storage = request.getfixturevalue({"file": "in_folder", "s3": "in_bucket"}[request.param])
    return found


class Breaks:
    """A file that breaks after some megabytes."""

    def __init__(self, error: BaseException, good: int) -> None:
        self.error, self.left = error, good

    def read(self, size: int) -> bytes:
        if not self.left:
            raise self.error
        self.left -= 1
        return b"x" * MB


class TestEveryBackend:
    """What holds wherever things are stored."""

    @pytest.mark.parametrize("content", [b"", b"x", b"\0\xff" * 1000, b"0123456789" * 500_000])
    def test_what_is_written_is_read(self, storage: Storage, content: bytes) -> None:
        storage.write("a/b", content)
        assert storage.read("a/b") == content
        assert type(storage.read("a/b")) is bytes

    def test_text_is_stored_as_utf_8(self, storage: Storage) -> None:
        storage.write("a", "gr\u00fc\u00dfe\r\n\U0001f600")
        assert storage.read("a") == "gr\u00fc\u00dfe\r\n\U0001f600".encode()
        assert storage.read_text("a") == "gr\u00fc\u00dfe\r\n\U0001f600"

    def test_what_is_no_text_cannot_be_read_as_text(self, storage: Storage) -> None:
        storage.write("calls/a.wav", b"RIFF\xff")
        with pytest.raises(UnicodeDecodeError) as caught:
            storage.read_text("calls/a.wav")
        assert str(caught.value).endswith(
            f"'calls/a.wav' in {storage._backend.place} is not UTF-8 text: read it by storage.read('calls/a.wav')"
        )
        assert "position 4" in str(caught.value)
        assert (caught.value.start, caught.value.object) == (4, b"RIFF\xff")

    def test_half_a_surrogate_pair_is_no_content(self, storage: Storage) -> None:
        with pytest.raises(ValueError, match="surrogates"):
            storage.write("a", "\ud800")
        assert not storage.exists("a")

    @pytest.mark.parametrize(
        "content",
        [bytearray(b"abc"), memoryview(b"abc"), memoryview(b"xabcx")[1:4], memoryview(b"a-b-c")[::2]],
        ids=["bytearray", "memoryview", "part", "every other byte"],
    )
    def test_other_kinds_of_bytes_are_stored_too(self, storage: Storage, content: bytearray | memoryview) -> None:
        storage.write("a", content)
        assert storage.read("a") == b"abc"

    def test_a_file_is_stored_from_where_it_stands_and_is_not_closed(self, storage: Storage) -> None:
        file = io.BytesIO(b"skipped, kept")
        file.seek(9)
        storage.write("a", file)
        assert storage.read("a") == b"kept"
        assert not file.closed

    def test_whatever_reads_bytes_is_a_file(self, storage: Storage, tmp_path: Path) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"from a pipe")
        os.close(writer)
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            storage.write("pipe", pipe)
        with gzip.open(tmp_path / "x.gz", "wb") as packed:
            packed.write(b"packed")
        with gzip.open(tmp_path / "x.gz", "rb") as packed:
            storage.write("gzip", packed)
        assert [storage.read("pipe"), storage.read("gzip")] == [b"from a pipe", b"packed"]

    def test_what_was_stored_can_be_the_source(self, storage: Storage) -> None:
        storage.write("a", b"x" * 3 * MB)
        with storage.open("a") as file:
            storage.write("b", file)
        with storage.open("a") as file:
            storage.write("a", file)
        assert storage.read("a") == storage.read("b") == b"x" * 3 * MB

    @pytest.mark.parametrize("content", [None, 5, 1.5, ["a"], {"a": 1}, Path("a"), object(), iter([b"a"]), io.BytesIO])
    def test_anything_else_is_a_type_error(self, storage: Storage, content: Any) -> None:
        with pytest.raises(TypeError):
            storage.write("a", content)
        assert not storage.exists("a")

    def test_a_file_in_text_mode_is_a_type_error(self, storage: Storage, tmp_path: Path) -> None:
        class ReadsText:
            def read(self, size: int) -> str:
                return "text"

        storage.write("a", b"old")
        (tmp_path / "text").write_text("text")
        with (tmp_path / "text").open() as text, pytest.raises(TypeError, match="text mode"):
            storage.write("a", text)  # type: ignore[arg-type] # that is what is tested
        with pytest.raises(TypeError, match="returned a str"):
            storage.write("a", ReadsText())  # type: ignore[arg-type] # that is what is tested
        assert storage.read("a") == b"old"

    def test_the_last_write_counts(self, storage: Storage) -> None:
        for content in (b"a long first content", b"short", b""):
            storage.write("a", content)
            assert storage.read("a") == content
        assert storage.list() == ["a"]

    @pytest.mark.parametrize("good", [0, 1, 20])
    @pytest.mark.parametrize("error", [OSError(errno.EIO, "line cut"), FileNotFoundError("x"), KeyboardInterrupt()])
    def test_a_source_that_breaks_raises_its_own_error_and_leaves_what_was_there(
        self, storage: Storage, error: BaseException, good: int
    ) -> None:
        storage.write("a", b"old")
        with pytest.raises(type(error)) as caught:
            storage.write("a", Breaks(error, good))
        assert caught.value is error
        assert storage.read("a") == b"old"
        assert storage.list() == ["a"]

    def test_what_is_missing_is_a_file_not_found_error_that_names_it(self, storage: Storage) -> None:
        storage.write("there/x", b"")
        for key in ("not there", "there", "there/x/y", "ther", "x" * 300, "there/" + "y" * 1000):
            for read in (storage.read, storage.read_text, storage.open):
                with pytest.raises(FileNotFoundError) as caught:
                    read(key)
                assert key[:50] in str(caught.value)
                assert repr(storage)[9:-1] in str(caught.value)
            assert storage.exists(key) is False
            assert storage.delete(key) is False

    def test_delete_says_whether_there_was_something(self, storage: Storage) -> None:
        storage.write("a/b/c", b"")
        assert storage.exists("a/b/c") is True
        assert [storage.delete("a/b/c"), storage.delete("a/b/c")] == [True, False]
        assert storage.exists("a/b/c") is False
        assert storage.list() == []

    def test_a_deleted_folder_makes_room_for_a_key(self, storage: Storage) -> None:
        storage.write("a/b/c", b"")
        storage.delete("a/b/c")
        storage.write("a", b"now a key")
        assert storage.read("a") == b"now a key"

    def test_list_takes_any_beginning_of_a_key_and_sorts(self, storage: Storage) -> None:
        assert storage.list() == []
        keys = ["rep", "reports/a", "reports/b/c", "reports/b/d", "reports2/x", "other", "Rep", "r\u00e9p", "a", "B"]
        for key in keys:
            storage.write(key, b"")
        assert storage.list() == storage.list("") == sorted(keys)
        assert storage.list("rep") == ["rep", "reports/a", "reports/b/c", "reports/b/d", "reports2/x"]
        assert storage.list("reports") == ["reports/a", "reports/b/c", "reports/b/d", "reports2/x"]
        assert storage.list("reports/") == ["reports/a", "reports/b/c", "reports/b/d"]
        assert storage.list("reports/b") == ["reports/b/c", "reports/b/d"]
        assert storage.list("reports/b/c") == ["reports/b/c"]
        assert storage.list("nothing") == storage.list("rep/") == storage.list("reports/b/c/") == []

    @pytest.mark.parametrize("prefix", ["/", "../", "a/../", "//", "a//", "./", "\\", "a\0", "x" * 1025, ".sinchfn/"])
    def test_what_no_key_begins_with_cannot_be_listed(self, storage: Storage, prefix: str) -> None:
        with pytest.raises(ValueError, match="prefix"):
            storage.list(prefix)

    def test_many_keys_are_listed(self, storage: Storage) -> None:
        keys = [f"many/{number:04}" for number in range(2 * PAGE + 10)]
        with ThreadPoolExecutor(8) as pool:
            builtins.list(pool.map(lambda key: storage.write(key, b""), keys))
        assert storage.list("many/") == keys

    def test_odd_keys_are_kept_byte_for_byte(self, storage: Storage) -> None:
        for key in ODD_KEYS:
            key = f"odd/{key}"
            storage.write(key, key)
            assert storage.read_text(key) == key
            assert storage.exists(key)
            assert key in storage.list(key)
            assert key in storage.list(key[:-1])
        assert storage.list() == sorted(f"odd/{key}" for key in ODD_KEYS)
        for key in ODD_KEYS:
            assert storage.delete(f"odd/{key}") is True
        assert storage.list() == []

    def test_the_longest_key_works(self, storage: Storage) -> None:
        for key in ("/".join(["x" * 204] * 5), "/".join(["\u00e9" * 102] * 5)):
            assert len(key.encode()) == 1024
            storage.write(key, b"long")
            assert storage.read(key) == b"long"
            assert storage.list(key) == [key]

    def test_what_is_no_key_is_a_value_error_everywhere(self, storage: Storage) -> None:
        methods = (storage.read, storage.read_text, storage.open, storage.exists, storage.delete)
        for key in NO_KEYS:
            for call in (lambda key: storage.write(key, b"x"), *methods):
                with pytest.raises(ValueError, match="The key") as caught:
                    call(key)
                assert len(str(caught.value)) < 400
        assert storage.list() == []

    @pytest.mark.parametrize("key", [None, 1, b"a", Path("a"), ["a"]])
    def test_a_key_that_is_no_text_is_a_type_error(self, storage: Storage, key: Any) -> None:
        for call in (lambda key: storage.write(key, b"x"), storage.read, storage.exists, storage.delete, storage.list):
            with pytest.raises(TypeError, match="must be a str"):
                call(key)

    def test_an_opened_object_is_a_binary_file(self, storage: Storage) -> None:
        content = b"".join(b"%09d\n" % number for number in range(300_000))
        storage.write("a", io.BytesIO(content))
        with storage.open("a") as file:
            assert (file.readable(), file.writable(), file.seekable(), file.tell()) == (True, False, True, 0)
            assert file.readline() == b"000000000\n"
            assert file.read(10) == b"000000001\n"
            assert file.seek(-10, os.SEEK_END) == len(content) - 10
            assert file.read() == b"000299999\n"
            assert file.read() == file.read(5) == b""
            assert file.seek(1_500_000) == 1_500_000
            assert file.seek(10, os.SEEK_CUR) == 1_500_010
            assert file.read(10) == b"000150001\n"
            assert file.seek(len(content) + 5) == len(content) + 5
            assert file.read() == b""
            file.seek(0)
            assert file.read() == content
            file.seek(0)
            assert sum(1 for _ in file) == 300_000
            with pytest.raises((ValueError, OSError)):
                file.seek(-1)
        with pytest.raises(ValueError, match="closed"):
            file.read()

    def test_an_empty_object_can_be_opened(self, storage: Storage) -> None:
        storage.write("a", b"")
        with storage.open("a") as file:
            assert file.read() == b""

    def test_many_threads_share_a_storage(self, storage: Storage) -> None:
        def work(number: int) -> bool:
            key = f"thread/{number % 8}"
            storage.write(key, str(number % 8) * 50_000)
            return storage.read_text(key) == str(number % 8) * 50_000

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(64)))
        assert storage.list() == [f"thread/{number}" for number in range(8)]

    def test_a_closed_storage_keeps_what_it_has(self, storage: Storage) -> None:
        storage.write("a", b"kept")
        storage.close()
        storage.close()
        assert storage.read("a") == b"kept"


keys = st.lists(
    st.text(
        st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\\uffff\ufffe"), min_size=1, max_size=20
    )
    .filter(lambda segment: segment not in (".", ".."))
    .filter(lambda segment: len(segment.encode()) < 200),
    min_size=1,
    max_size=4,
).map("/".join)


@given(key=keys.filter(lambda key: not key.casefold().startswith(".sinchfn")))
@hypothesis_settings(max_examples=25)
def test_any_key_means_the_same_in_every_backend(
    key: str, endpoint: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for url in ("file:storage", "memory:", f"s3://files/{uuid4()}"):
        storage = open_at(url, folder, **endpoint.env)
        storage.write(key, key)
        assert storage.read_text(key) == key
        assert storage.list() == storage.list(key) == [key]
        assert [storage.delete(key), storage.exists(key), storage.list()] == [True, False, []]


hostile = st.one_of(
    st.text(st.sampled_from("./\\~ a\0\n%2e:\u2024\uff0e\uff0f"), max_size=12),
    st.lists(st.sampled_from(["..", ".", "", "a", "%2e%2e", "..\\", "~", "\u2025", " ..", ".. "]), max_size=6).map(
        "/".join
    ),
)


@given(key=hostile)
def test_no_key_reaches_out_of_the_folder(key: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    above = tmp_path_factory.mktemp("hostile")
    (above / "outside").write_text("untouched")
    storage = open_at("file:root/storage", above)
    for call in (lambda: storage.write(key, b"x"), lambda: storage.read(key), lambda: storage.delete(key)):
        with suppress(ValueError, StorageError):
            call()
    everything = {path.relative_to(above).as_posix() for path in above.rglob("*")}
    assert everything - {"outside", "root"} == {name for name in everything if name.startswith("root/storage")}
    assert (above / "outside").read_text() == "untouched"


class TestFiles:
    """What only a folder does."""

    def test_a_relative_folder_is_relative_to_the_function(self, tmp_path: Path) -> None:
        for url, folder in (
            ("file:storage", "storage"),
            ("file:a/../b c/d", "b c/d"),
            (f"file:{tmp_path}/absolute", "absolute"),
            (f"file://{tmp_path}/slashes", "slashes"),
            (f"file://localhost{tmp_path}/host", "host"),
            ("file:percent%20kept", "percent%20kept"),
        ):
            open_at(url, tmp_path).write("x/y", b"z")
            assert (tmp_path / folder / "x/y").read_bytes() == b"z"

    @pytest.mark.parametrize(
        ("url", "match"),
        [
            ("file:", "does not name a folder"),
            ("file:a\0b", "does not name a folder"),
            ("file://storage/x", "names a host, storage"),
        ],
    )
    def test_a_url_without_a_folder_is_a_config_error(self, tmp_path: Path, url: str, match: str) -> None:
        for refuse in REFUSING:
            with pytest.raises(ConfigError, match=match):
                refuse(url, tmp_path)

    def test_opening_and_looking_makes_nothing(self, tmp_path: Path, in_folder: Storage) -> None:
        assert [in_folder.list(), in_folder.exists("a"), in_folder.delete("a")] == [[], False, False]
        assert not (tmp_path / "storage").exists()

    def test_files_and_folders_are_private(self, tmp_path: Path, in_folder: Storage) -> None:
        before = os.umask(0)
        try:
            in_folder.write("a/b/c", b"")
        finally:
            os.umask(before)
        modes = {
            path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")
        }
        assert modes == {
            "storage": 0o700,
            "storage/.sinchfn": 0o700,
            "storage/a": 0o700,
            "storage/a/b": 0o700,
            "storage/a/b/c": 0o600,
        }

    def test_a_key_cannot_be_the_folder_of_another(self, in_folder: Storage) -> None:
        in_folder.write("a", b"1")
        with pytest.raises(StorageError, match=r"'a/b'.*cannot be the folder of another"):
            in_folder.write("a/b", b"2")
        in_folder.write("c/d", b"3")
        with pytest.raises(StorageError, match=r"'c'.*cannot be the folder of another"):
            in_folder.write("c", b"4")
        assert [in_folder.read("a"), in_folder.read("c/d")] == [b"1", b"3"]
        assert in_folder.list() == ["a", "c/d"]

    def test_an_empty_folder_is_in_nobodys_way(self, tmp_path: Path, in_folder: Storage) -> None:
        (tmp_path / "storage/a").mkdir(parents=True)
        in_folder.write("a", b"1")
        assert in_folder.list() == ["a"]

    def test_empty_folders_go_with_their_last_key(self, tmp_path: Path, in_folder: Storage) -> None:
        in_folder.write("a/b/c/d", b"")
        in_folder.write("a/x", b"")
        in_folder.delete("a/b/c/d")
        assert not (tmp_path / "storage/a/b").exists()
        in_folder.delete("a/x")
        assert sorted(path.name for path in (tmp_path / "storage").iterdir()) == [".sinchfn"]

    def test_a_name_too_long_for_the_file_system_is_a_storage_error(self, in_folder: Storage) -> None:
        for key in ("x" * 256, "x" * 256 + "/a", "a/" + "\u00e9" * 128):
            with pytest.raises(StorageError, match=r"(?s)Cannot write '.*File name too long.*256 bytes"):
                in_folder.write(key, b"")
        assert in_folder.list() == []

    def test_what_is_no_key_in_the_folder_is_not_listed(self, tmp_path: Path, in_folder: Storage) -> None:
        in_folder.write("a", b"")
        for name in (b"back\\slash", b"new\nline", b"not-utf-8-\xff"):
            Path(os.fsdecode(os.fsencode(tmp_path / "storage") + b"/" + name)).touch()
        os.mkfifo(tmp_path / "storage/fifo")
        assert in_folder.list() == ["a"]
        assert in_folder.exists("fifo") is False
        with pytest.raises(FileNotFoundError):
            in_folder.read("fifo")

    def test_links_that_lead_out_are_refused(self, tmp_path: Path, in_folder: Storage) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_text("secret")
        in_folder.write("a/b", b"")
        root = tmp_path / "storage"
        (root / "file").symlink_to(outside / "secret")
        (root / "folder").symlink_to(outside)
        (root / "a/dots").symlink_to("../../outside")
        (root / "a/new").symlink_to(outside / "not there yet")
        (tmp_path / "storage2").mkdir()
        (root / "alike").symlink_to(tmp_path / "storage2")
        for key in ("file", "folder/secret", "folder/new", "folder/a/new", "a/dots/secret", "a/new", "alike/x"):
            for call in (lambda key: in_folder.write(key, b"x"), in_folder.read, in_folder.open):
                with pytest.raises(ValueError, match="leads out"):
                    call(key)
            for call in (in_folder.exists, in_folder.delete):
                with pytest.raises(ValueError, match="leads out"):
                    call(key)
        assert in_folder.list() == ["a/b"]
        assert in_folder.list("folder/") == in_folder.list("a/dots/") == []
        assert [path.name for path in outside.iterdir()] == ["secret"]
        assert (outside / "secret").read_text() == "secret"
        assert list((tmp_path / "storage2").iterdir()) == []

    def test_what_cannot_be_read_is_not_listed(
        self, tmp_path: Path, in_folder: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_folder.write("a/b", b"")
        for name in (b"back\\slash", b"line\nbreak", b"no utf-8 \xff", b"a/control\x01"):
            Path(os.fsdecode(os.fsencode(tmp_path / "storage") + b"/" + name)).touch()
        (tmp_path / "storage/empty").mkdir()
        os.mkfifo(tmp_path / "storage/pipe")
        lost = tmp_path / "storage/lost+found"
        lost.mkdir()
        scan = os.scandir

        def denied(folder: Any) -> Any:
            if str(folder) == str(lost):
                raise PermissionError(errno.EACCES, "Permission denied", str(folder))
            return scan(folder)

        monkeypatch.setattr(os, "scandir", denied)
        assert in_folder.list() == ["a/b"]
        lost = tmp_path / "storage"
        with pytest.raises(StorageError, match=r"Cannot list .*Permission denied"):
            in_folder.list()

    def test_links_that_stay_inside_are_followed(self, tmp_path: Path, in_folder: Storage) -> None:
        in_folder.write("a/b", b"content")
        (tmp_path / "storage/link").symlink_to("a/b")
        (tmp_path / "storage/folder").symlink_to("a")
        (tmp_path / "storage/loop").symlink_to("loop")
        assert in_folder.read("link") == in_folder.read("folder/b") == b"content"
        assert in_folder.list() == ["a/b", "link"]
        assert in_folder.exists("loop") is False
        in_folder.write("link", b"new")
        assert [in_folder.read("link"), in_folder.read("a/b")] == [b"new", b"content"]

    def test_the_folder_itself_may_be_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "volume").mkdir()
        (tmp_path / "storage").symlink_to(tmp_path / "volume")
        storage = open_at("file:storage", tmp_path)
        storage.write("a/b", b"x")
        assert storage.list() == ["a/b"]
        assert (tmp_path / "volume/a/b").read_bytes() == b"x"

    def test_a_reader_keeps_what_it_has_opened(self, in_folder: Storage) -> None:
        in_folder.write("a", b"old" * MB)
        with in_folder.open("a") as file:
            assert file.read(3) == b"old"
            in_folder.write("a", b"new")
            assert file.read() == b"old" * (MB - 1)
            in_folder.delete("a")
            file.seek(0)
            assert file.read(3) == b"old"

    def test_content_is_on_the_disk_before_it_has_its_name(
        self, in_folder: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        happened: list[str] = []
        fsync, replace = os.fsync, os.replace

        def noting_fsync(descriptor: int) -> None:
            happened.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            fsync(descriptor)

        def noting_replace(*names: Any) -> None:
            happened.append("rename")
            replace(*names)

        in_folder.write("a", b"")
        monkeypatch.setattr(os, "fsync", noting_fsync)
        monkeypatch.setattr(os, "replace", noting_replace)
        in_folder.write("a", b"")
        assert happened == ["file", "rename", "folder"]
        happened.clear()
        in_folder.write("b/c/d", b"")
        assert happened == ["file", "folder", "folder", "rename", "folder"]

    def test_what_a_crash_leaves_is_never_listed_and_goes_after_a_day(self, tmp_path: Path, in_folder: Storage) -> None:
        in_folder.write("a", b"old")
        writer = start(
            """
            import time
            class Stalls:
                sent = False
                def read(self, size):
                    if self.sent:
                        print("half", flush=True)
                        time.sleep(600)
                    self.sent = True
                    return b"x" * (1 << 20)
            open_at("file:storage").write("a", Stalls())
            """,
            tmp_path,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half\n"
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=PATIENCE)
        assert in_folder.read("a") == b"old"
        assert in_folder.list() == ["a"]
        (left,) = (tmp_path / "storage/.sinchfn").iterdir()
        open_at("file:storage", tmp_path).write("b", b"")
        assert left.exists()  # it could be a write under way
        long_ago = time.time() - 2 * 24 * 3600
        os.utime(left, (long_ago, long_ago))
        open_at("file:storage", tmp_path).write("b", b"")
        assert not left.exists()

    def test_a_full_disk_is_a_storage_error_and_leaves_what_was_there(self, tmp_path: Path) -> None:
        done = run(
            """
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
            storage = open_at("file:storage")
            storage.write("a", b"old")
            for content in (b"x" * (3 << 20), io.BytesIO(b"x" * (3 << 20))):
                try:
                    storage.write("a", content)
                except sinchfn.errors.StorageError as error:
                    print(error)
            print(storage.read("a"), storage.list(), os.listdir("storage/.sinchfn"))
            """,
            tmp_path,
        )
        message = f"Cannot write 'a' in file:{tmp_path}/storage: File too large. Raise "
        one, two, last = done.splitlines()
        assert one.startswith(message)
        assert two.startswith(message)
        assert last == "b'old' ['a'] []"

    def test_a_folder_that_cannot_be_written_is_a_storage_error(self) -> None:
        done = run(
            """
            import shutil, tempfile
            folder = Path(tempfile.mkdtemp(dir="/tmp"))
            try:
                folder.chmod(0o755)
                storage = open_storage(f"file:{folder}", folder=folder, env={})
                storage.write("a/b", b"old")
                storage.read("a/b"), storage.list(), storage.exists("a/b")
                for path in [folder, *folder.rglob("*")]:
                    path.chmod(0o555 if path.is_dir() else 0o444)
                child = os.fork()
                if child == 0:
                    if os.getuid() == 0:
                        os.setgid(65534)
                        os.setuid(65534)
                    print(storage.read("a/b"), storage.list(), storage.exists("a/b"))
                    for call in (lambda: storage.write("a/b", b""), lambda: storage.delete("a/b")):
                        try:
                            call()
                        except sinchfn.errors.StorageError as error:
                            print(str(error).replace(str(folder), "FOLDER"))
                    sys.stdout.flush()
                    os._exit(0)
                os.waitpid(child, 0)
            finally:
                for path in [folder, *folder.rglob("*")]:
                    path.chmod(0o755)
                shutil.rmtree(folder)
            """,
            Path("/tmp"),
        )
        read, wrote, deleted = done.splitlines()
        assert read == "b'old' ['a/b'] True"
        denied = "in file:FOLDER: Permission denied. Let the user that runs the function write there"
        assert wrote.startswith(f"Cannot write 'a/b' {denied}")
        assert deleted.startswith(f"Cannot delete 'a/b' {denied}")

    def test_a_storage_below_a_file_is_a_storage_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        for url in ("file:file", "file:file/storage"):
            storage = open_at(url, tmp_path)
            with pytest.raises(StorageError, match=r"Cannot write 'a/b' in file:.*There is a file where a folder"):
                storage.write("a/b", b"")
            assert [storage.list(), storage.exists("a")] == [[], False]

    def test_writers_in_many_processes_never_tear(self, tmp_path: Path, in_folder: Storage) -> None:
        writers = [
            start(
                f"""
                storage = open_at("file:storage")
                for number in range(60):
                    storage.write("a/b", bytes([65 + {name}]) * (1000 + 3000 * number + {name}))
                    whole = storage.read("a/b")
                    assert len(set(whole)) == 1, "torn"
                    assert len(whole) % 3000 % 1000 == whole[0] - 65, "torn"
                """,
                tmp_path,
            )
            for name in range(4)
        ]
        seen = 0
        while any(writer.poll() is None for writer in writers):
            if in_folder.exists("a/b"):
                whole = in_folder.read("a/b")
                assert len(set(whole)) == 1
                assert len(whole) % 3000 % 1000 == whole[0] - 65
                seen += 1
        for writer in writers:
            assert finish(writer) == ""
        assert seen
        assert in_folder.list() == ["a/b"]

    def test_writers_and_deleters_in_one_folder_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        workers = [
            start(
                f"""
                storage = open_at("file:storage")
                for number in range(80):
                    storage.write("deep/er/{name}", b"x")
                    assert storage.read("deep/er/{name}") == b"x"
                    assert storage.delete("deep/er/{name}") is True
                    storage.list()
                """,
                tmp_path,
            )
            for name in range(3)
        ]
        assert [finish(worker) for worker in workers] == ["", "", ""]


class TestLargeContent:
    """What is larger than the memory that may be used for it."""

    SCRIPT = """
        import json, resource
        url, size, env = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
        class Zeros:
            left = size
            def read(self, wanted):
                wanted = min(wanted, self.left)
                self.left -= wanted
                return bytes(wanted)
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        storage = open_storage(url, folder=Path("."), env=env)
        storage.write("small", b"")
        storage.read("small")
        before = peak()
        storage.write("large", Zeros())
        with storage.open("large") as file:
            assert sum(map(len, iter(lambda: file.read(1 << 20), b""))) == size
        storage.delete("large")
        print(peak() - before)
        """

    def test_a_recording_of_a_gigabyte_takes_few_megabytes_of_memory(self, tmp_path: Path) -> None:
        assert int(run(self.SCRIPT, tmp_path, "file:storage", str(1 << 30), "{}")) < 32

    def test_neither_does_one_in_an_object_store(self, tmp_path: Path, endpoint: ObjectStore) -> None:
        assert int(run(self.SCRIPT, tmp_path, "s3://files/large", str(200 * MB), json.dumps(endpoint.env))) < 64


class TestObjects:
    """What only an object store does."""

    def test_nothing_outside_the_prefix_is_reached_or_listed(self, endpoint: ObjectStore, tmp_path: Path) -> None:
        endpoint.make_bucket("isolated")
        outside = ["pre", "prefix2/a", "prefixa", "a", "pref/ix/a"]
        for key in outside:
            endpoint.put("isolated", key, b"")
        storage = open_at("s3://isolated/prefix", tmp_path, **endpoint.env)
        assert storage.list() == storage.list("a") == []
        assert storage.exists("a") is False
        storage.write("a", b"mine")
        storage.delete("b")
        assert storage.list() == ["a"]
        assert endpoint.keys("isolated") == sorted([*outside, "prefix/a"])
        inner = open_at("s3://isolated/prefix/in/ner/", tmp_path, **endpoint.env)
        inner.write("x", b"")
        assert storage.list() == ["a", "in/ner/x"]
        whole = open_at("s3://isolated", tmp_path, **endpoint.env)
        assert whole.list() == endpoint.keys("isolated")

    def test_objects_have_their_keys_as_names(self, endpoint: ObjectStore, tmp_path: Path) -> None:
        endpoint.make_bucket("names")
        storage = open_at("s3://names/p q/r%s", tmp_path, **endpoint.env)
        for key in ODD_KEYS:
            storage.write(key, b"")
        assert endpoint.keys("names") == sorted(f"p q/r%s/{key}" for key in ODD_KEYS)

    def test_a_large_source_that_breaks_leaves_no_parts_behind(self, endpoint: ObjectStore, tmp_path: Path) -> None:
        endpoint.make_bucket("parts")
        storage = open_at("s3://parts", tmp_path, **endpoint.env)
        storage.write("a", io.BytesIO(b"old" * 5 * MB))
        with pytest.raises(OSError, match="line cut"):
            storage.write("a", Breaks(OSError("line cut"), 30))
        assert endpoint.uploads("parts") == []
        assert storage.read("a") == b"old" * 5 * MB

    def test_what_is_replaced_while_it_is_read_is_never_mixed(self, in_bucket: Storage) -> None:
        in_bucket.write("a", b"old" * 6 * MB)
        with in_bucket.open("a") as file:
            assert file.read(3) == b"old"
            in_bucket.write("a", b"new" * 6 * MB)
            file.seek(12 * MB)
            with pytest.raises(StorageError, match=r"Cannot read 'a' in s3://.*: it was replaced .* Open it again"):
                file.read(3)
            in_bucket.delete("a")
            file.seek(9 * MB)
            with pytest.raises(StorageError, match=r"Cannot read 'a' in s3://.*: it was removed"):
                file.read(3)

    def test_a_missing_bucket_is_a_storage_error_whatever_is_asked(self, endpoint: ObjectStore, tmp_path: Path) -> None:
        for error in errors(open_at("s3://no-such-bucket/p", tmp_path, **endpoint.env)):
            assert f"in s3://no-such-bucket/p at {endpoint.endpoint}: the bucket no-such-bucket does not exist." in str(
                error
            )

    def test_a_key_called_like_an_error_is_only_a_missing_key(self, in_bucket: Storage) -> None:
        for key in ("NoSuchBucket", "<Code>NoSuchBucket</Code>", "non-2xx status code: <Code>NoSuchBucket</Code>"):
            with pytest.raises(FileNotFoundError):
                in_bucket.read(key)

    def test_refused_credentials_are_a_storage_error_without_secrets(self, tmp_path: Path) -> None:
        with ObjectStore() as endpoint:
            endpoint.make_bucket("closed")
            endpoint.require_known_keys()
            storage = open_at("s3://closed", tmp_path, **endpoint.env, AWS_SESSION_TOKEN="session-token")
            for error in errors(storage):
                assert f"in s3://closed at {endpoint.endpoint}: " in str(error)
                assert "refused" in str(error) or "denied" in str(error)
                assert_no_secrets(str(error))
        assert_no_secrets(repr(storage))

    @pytest.mark.parametrize(
        ("status", "code", "headers", "match"),
        [
            (301, "PermanentRedirect", {}, "in another region.*AWS_REGION"),
            (301, "PermanentRedirect", {"x-amz-bucket-region": "eu-west-1"}, "in another region.*AWS_REGION"),
            (400, "AuthorizationHeaderMalformed", {}, "in another region.*AWS_REGION"),
            (403, "AccessDenied", {}, r"access is denied \(403: AccessDenied: The sentence\)"),
            (403, "SignatureDoesNotMatch", {}, "credentials are refused.*AWS_SECRET_ACCESS_KEY"),
            (400, "KeyTooLongError", {}, r"the store failed \(400: KeyTooLongError: The sentence\)"),
            (500, "InternalError", {}, r"the store is in trouble \(500: InternalError"),
            (503, "SlowDown", {}, r"the store is in trouble \(503: SlowDown"),
            (404, "NoSuchBucket", {}, "the bucket files does not exist"),
        ],
    )
    def test_what_a_store_answers_is_told_without_what_it_echoes(
        self, tmp_path: Path, status: int, code: str, headers: dict[str, str], match: str
    ) -> None:
        echo = f"<AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId><CanonicalRequest>session-token</CanonicalRequest>"
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>The sentence</Message>{echo}</Error>"
        with answering(status, body, headers) as url:
            env = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_ENDPOINT_URL": url}
            storage = open_at("s3://files", tmp_path, **env, AWS_SESSION_TOKEN="session-token")
            for call in (lambda: storage.write("a", b""), lambda: storage.read("a"), storage.list):
                with pytest.raises(StorageError, match=match) as caught:
                    call()
                assert_no_secrets(str(caught.value))
                assert caught.value.__suppress_context__

    def test_what_is_no_object_store_is_a_storage_error(self, tmp_path: Path) -> None:
        with answering(200, "<html>Welcome</html>", {}) as url:
            storage = open_at("s3://files", tmp_path, **credentials(url))
            with pytest.raises(StorageError, match=r"Cannot write 'a'.*the store failed"):
                storage.write("a", b"")

    def test_a_store_that_cannot_be_reached_is_a_storage_error(self, tmp_path: Path) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        for error in errors(open_at("s3://files/p", tmp_path, **credentials(url))):
            assert f"in s3://files/p at {url}: the store cannot be reached. Check the endpoint" in str(error)
        nowhere = open_at("s3://files", tmp_path, **credentials("http://nowhere.invalid:9000"))
        with pytest.raises(StorageError, match=r"Cannot read 'a' in s3://files at http://nowhere.invalid:9000"):
            nowhere.read("a")

    @pytest.mark.parametrize("connects", [True, False], ids=["it never answers", "it never lets in"])
    def test_a_store_that_does_not_answer_is_given_up(
        self, tmp_path: Path, connects: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        retry: dict[str, Any] = objects.RETRY
        assert timedelta() < (retry["max_retries"] + 1) * objects.CONNECT_TIMEOUT < timedelta(seconds=10)
        assert timedelta() < retry["retry_timeout"] < objects.READ_TIMEOUT < timedelta(seconds=10)
        monkeypatch.setattr(objects, "CONNECT_TIMEOUT", timedelta(seconds=0.2))
        monkeypatch.setattr(objects, "READ_TIMEOUT", timedelta(seconds=0.3))
        with silent(connects) as url:
            storage = open_at("s3://files", tmp_path, **credentials(url))
            for error in errors(storage):
                assert "in s3://files at http://127.0.0.1:" in str(error)
                assert "the store did not answer in time" in str(error)

    def test_no_credentials_anywhere_is_a_storage_error(self, tmp_path: Path, endpoint: ObjectStore) -> None:
        with answering(404, "", {}) as metadata:
            env = {"AWS_ENDPOINT_URL": endpoint.endpoint, "AWS_METADATA_ENDPOINT": metadata}
            storage = open_at("s3://files", tmp_path, **env)
            with pytest.raises(StorageError, match=r"no credentials were found.*Set AWS_ACCESS_KEY_ID and AWS_SECRET"):
                storage.read("a")

    def test_a_connection_that_breaks_while_something_is_read_is_a_storage_error(self, tmp_path: Path) -> None:
        with answering(200, "x" * 1000, {"ETag": '"1"', "Last-Modified": NOW, "Content-Length": "50000000"}) as url:
            storage = open_at("s3://files", tmp_path, **credentials(url))
            with storage.open("a") as file, pytest.raises(StorageError, match="Cannot read 'a' in s3://files"):
                file.read()

    @pytest.mark.parametrize("content", [b"", b"full"], ids=["empty", "full"])
    @pytest.mark.parametrize("prefix", ["", "p", "p q/%r+s"])
    def test_what_cannot_be_read_is_not_listed(
        self, endpoint: ObjectStore, tmp_path: Path, prefix: str, content: bytes
    ) -> None:
        bucket, start = f"foreign-{uuid4()}", f"{prefix}/" if prefix else ""
        endpoint.make_bucket(bucket)
        for name in ("sub/b", "z", *(f"many/{number:03}" for number in range(PAGE + 10)), *ODD_KEYS):
            endpoint.put(bucket, start + name, content)
        storage = open_at(f"s3://{bucket}/{prefix}", tmp_path, **endpoint.env)
        before = storage.list()
        assert {"sub/b", "z", *ODD_KEYS} < set(before)
        for name in FOREIGN_NAMES:
            endpoint.put(bucket, start + name, content)
        assert storage.list() == before
        assert storage.list("sub") == storage.list("sub/") == ["sub/b"]
        assert storage.list("many/") == [f"many/{number:03}" for number in range(PAGE + 10)]
        assert all(storage.read(key) == content for key in ("sub/b", "z", *ODD_KEYS))

    def test_folders_of_consoles_are_not_listed_with_the_credentials_of_a_machine_either(
        self, endpoint: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bucket = f"foreign-{uuid4()}"
        endpoint.make_bucket(bucket)
        for name in ("a", "b", "sub/", "sub/b", "new/", "z/"):
            endpoint.put(bucket, name, b"")
        monkeypatch.setattr(objects, "can_list", lambda _: False)
        assert open_at(f"s3://{bucket}", tmp_path, **endpoint.env).list() == ["a", "b", "sub/b"]

    def test_a_listing_is_asked_of_the_library_where_it_cannot_be_had_otherwise(
        self, endpoint: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage = open_at(f"s3://files/{uuid4()}", tmp_path, **endpoint.env)
        storage.write("a", b"")
        monkeypatch.setattr("sinchfn.services.storage.listing.urlsplit", lambda _: urlsplit("http://127.0.0.1:1"))
        assert storage.list() == ["a"]

    def test_a_foreign_object_whose_name_is_no_key_is_pointed_out(
        self, endpoint: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoint.make_bucket("foreign")
        endpoint.put("foreign", "p/a", b"")
        endpoint.put("foreign", "p/b//c", b"")
        monkeypatch.setattr(objects, "can_list", lambda _: False)
        storage = open_at("s3://foreign/p", tmp_path, **endpoint.env)
        with pytest.raises(
            StorageError, match=r"Cannot list the keys in s3://foreign/p .*the name of an object is not a valid key"
        ):
            storage.list()
        assert storage.read("a") == b""

    @pytest.mark.parametrize(
        ("names", "works"),
        [
            (["AWS_ENDPOINT_URL_S3"], True),
            (["AWS_ENDPOINT_URL"], True),
            (["AWS_ENDPOINT"], True),
            (["AWS_ENDPOINT_URL_S3", "-AWS_ENDPOINT_URL"], True),
            (["-AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], False),
            (["AWS_ENDPOINT_URL", "-AWS_ENDPOINT"], True),
        ],
        ids=str,
    )
    def test_the_endpoint_comes_from_the_most_particular_variable(
        self, endpoint: ObjectStore, tmp_path: Path, names: list[str], works: bool
    ) -> None:
        nowhere = f"http://127.0.0.1:{free_port()}"
        addresses = {name.lstrip("-"): nowhere if name[0] == "-" else f"{endpoint.endpoint}/" for name in names}
        keys = {name: value for name, value in endpoint.env.items() if "KEY" in name}
        storage = open_at(f"s3://files/{uuid4()}", tmp_path, **keys, **addresses)
        if works:
            assert storage.list() == []
        else:
            with pytest.raises(StorageError):
                storage.list()

    def test_the_variables_of_the_function_count_and_not_those_of_the_process(
        self, endpoint: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-process")
        assert open_at(f"s3://files/{uuid4()}", tmp_path, **endpoint.env).list() == []

    @pytest.mark.parametrize(
        "url",
        [
            *("s3:", "s3://", "s3:bucket", "s3:/bucket", "s3:///prefix", "s3://-bucket", "s3://bucket/../x"),
            *("s3://bucket/a//b", "s3://bucket/a\\b", "s3://buck et", "s3://bucket?region=x", "s3://bucket:9000/x"),
            *("gs://", "az:container", "s3://bucket/.sinchfn"),
        ],
    )
    def test_a_url_without_a_bucket_is_a_config_error(self, tmp_path: Path, url: str) -> None:
        for refuse in REFUSING:
            told = r"SINCHFN_STORAGE_URL=.* does not name a (bucket|container): it takes .*://"
            with pytest.raises(ConfigError, match=told):
                refuse(url, tmp_path)

    @pytest.mark.parametrize(
        ("url", "match"),
        [
            ("s3://b", r"s3://b: the name of a bucket has 3 to 63 characters, and this one has 1\."),
            ("gs://ab/prefix", r"gs://ab: the name of a bucket has 3 to 63 .* has 2\."),
            ("az://ab", r"az://ab: the name of a container has 3 to 63 .* has 2\."),
            ("s3://" + "b" * 64, r"has 3 to 63 .* has 64\."),
            ("s3://" + "b" * 10_000, r"b{70}: .* has 10000\."),
        ],
        ids=lambda part: part[:12],
    )
    def test_a_bucket_too_short_or_too_long_is_a_config_error(self, tmp_path: Path, url: str, match: str) -> None:
        for refuse in REFUSING:
            with pytest.raises(ConfigError, match=match) as caught:
                refuse(url, tmp_path)
            assert len(str(caught.value)) < 250

    @pytest.mark.parametrize(
        "url",
        [
            "s3://key:hush@bucket/p",
            "s3:key:hush@bucket",
            "s3:///key:hush@x",
            "gs://hush@bucket",
            "az://u:hush@container",
        ],
    )
    def test_credentials_in_the_url_are_a_config_error_that_does_not_show_them(self, tmp_path: Path, url: str) -> None:
        for refuse in REFUSING:
            with pytest.raises(ConfigError, match=r"has credentials in it, .* Set A|GOOGLE") as caught:
                refuse(url, tmp_path)
            assert "hush" not in str(caught.value)

    @pytest.mark.parametrize(
        ("url", "env", "match"),
        [
            ("s3://bucket", {"AWS_ACCESS_KEY_ID": "hush"}, "Missing SecretAccessKey. Set AWS_ACCESS_KEY_ID and"),
            ("s3://bucket", {"AWS_SECRET_ACCESS_KEY": "hush"}, "Missing AccessKeyId. Set AWS_ACCESS_KEY_ID and"),
            ("s3://bucket", {"AWS_ENDPOINT_URL": "minio:9000"}, "AWS_ENDPOINT_URL is not an endpoint"),
            ("s3://bucket", {"AWS_ENDPOINT": "http://u:hush@minio"}, "AWS_ENDPOINT is not an endpoint"),
            ("s3://bucket", {"AWS_ENDPOINT": "http://minio:x"}, "AWS_ENDPOINT is not an endpoint"),
            ("s3://bucket", {"AWS_SKIP_SIGNATURE": "hush"}, "invalid value: AWS_SKIP_SIGNATURE"),
            ("gs://bucket", {"GOOGLE_SERVICE_ACCOUNT_KEY": "hush"}, "invalid value: GOOGLE_SERVICE_ACCOUNT_KEY"),
            ("az://container", {}, "Account must be specified. Set AZURE_STORAGE_ACCOUNT_NAME and"),
        ],
    )
    def test_variables_that_do_not_fit_are_a_config_error_that_does_not_show_them(
        self, tmp_path: Path, url: str, env: dict[str, str], match: str
    ) -> None:
        with pytest.raises(ConfigError, match=match) as caught:
            open_at(url, tmp_path, **env)
        assert "hush" not in str(caught.value)

    def test_other_clouds_are_reached_at_their_endpoints(self, tmp_path: Path) -> None:
        body = "<Error><Code>Broken</Code><Message>Sorry</Message></Error>"
        account = {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "aHVzaA=="}
        with answering(500, body, {}) as url:
            for place, env in (
                ("gs://bucket/p", {"GOOGLE_BASE_URL": url, "GOOGLE_SKIP_SIGNATURE": "true"}),
                ("az://container/p", {"AZURE_STORAGE_ENDPOINT": url, **account}),
            ):
                storage = open_at(place, tmp_path, **env)
                assert repr(storage) == f"<Storage {place} at {url}>"
                with pytest.raises(StorageError, match=r"Cannot read 'a' in .*\(500: Broken: Sorry\)"):
                    storage.read("a")

    def test_after_a_fork_it_works_if_it_was_not_used_before_and_is_refused_if_it_was(
        self, tmp_path: Path, endpoint: ObjectStore
    ) -> None:
        done = run(
            """
            import json, warnings
            warnings.simplefilter("ignore")  # Python 3.12 warns of every fork beside threads
            storage = open_storage("s3://files/fork", folder=Path("."), env=json.loads(sys.argv[1]))
            def in_a_child(storage):
                child = os.fork()
                if child == 0:
                    try:
                        storage.write("a", b"x")
                        print(storage.read("a"), flush=True)
                    except sinchfn.errors.StorageError as error:
                        print(error, flush=True)
                    os._exit(0)
                os.waitpid(child, 0)
            in_a_child(storage)
            print(storage.list(), flush=True)
            in_a_child(storage)
            in_a_child(open_storage("s3://files/other", folder=Path("."), env=json.loads(sys.argv[1])))
            """,
            tmp_path,
            json.dumps(endpoint.env),
        )
        works, listed, refused, refused_too = done.splitlines()
        assert (works, listed) == ("b'x'", "['a']")
        for message in (refused, refused_too):
            assert "was used before this process was forked" in message
            assert "spawn" in message

    def test_without_its_extra_it_says_what_to_install(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "obstore", None)
        with pytest.raises(ExtraError, match=r"SINCHFN_STORAGE_URL=s3: needs .*pip install 'sinchfn\[objects\]'"):
            open_at("s3://bucket", tmp_path)


class TestOpening:
    @pytest.mark.parametrize("url", ["memory:x", "memory://a/b"])
    def test_memory_takes_nothing_more(self, tmp_path: Path, url: str) -> None:
        for refuse in REFUSING:
            with pytest.raises(ConfigError, match="write memory: alone"):
                refuse(url, tmp_path)

    @pytest.mark.parametrize("url", ["", "storage", "ftp://x", "S3://bucket"])
    def test_an_unknown_scheme_is_a_config_error(self, tmp_path: Path, url: str) -> None:
        for refuse in REFUSING:
            with pytest.raises(ConfigError, match="it takes file, s3, gs, az, memory"):
                refuse(url, tmp_path)

    def test_an_endpoint_that_is_no_url_is_found_with_the_url(self) -> None:
        with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL is not an endpoint"):
            check_storage_url("s3://bucket", {"AWS_ENDPOINT_URL": "minio:9000"})

    @pytest.mark.parametrize(
        "url",
        [
            "file:storage",
            "file:/a",
            "file:///a",
            "memory:",
            "s3://abc",
            "s3://my.bucket-1/a/b/",
            "gs://b_b",
            "az://abc",
        ],
    )
    def test_a_url_that_names_a_place_is_found_so(self, url: str) -> None:
        check_storage_url(url, {})

    def test_to_check_a_url_imports_no_library_and_makes_nothing(self, tmp_path: Path) -> None:
        done = run(
            """
            from sinchfn.services.storage import check_storage_url
            for url in ("file:storage", "s3://bucket/p", "gs://bucket", "az://container", "memory:", "s3://", "file:"):
                try:
                    check_storage_url(url, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
                except sinchfn.errors.ConfigError:
                    print("refused")
            print([name for name in ("obstore", "sqlite3", "asyncio", "urllib3") if name in sys.modules])
            """,
            tmp_path,
        )
        assert done.splitlines() == ["refused", "refused", "[]"]
        assert list(tmp_path.iterdir()) == []

    def test_each_memory_is_one_of_its_own(self, tmp_path: Path) -> None:
        one, two = open_at("memory:", tmp_path), open_at("memory:", tmp_path)
        one.write("a", b"")
        assert [one.list(), two.list()] == [["a"], []]

    def test_a_storage_in_a_folder_loads_no_library_of_object_stores(self, tmp_path: Path) -> None:
        done = run(
            """
            open_at("file:storage").write("a", b"")
            print([name for name in ("obstore", "boto3", "sqlite3", "asyncio", "urllib3") if name in sys.modules])
            """,
            tmp_path,
        )
        assert done == "[]\n"


# What these tests share.

NOW = "Mon, 23 Nov 2026 00:00:00 GMT"

PREAMBLE = """
import io, os, sys
from pathlib import Path
import sinchfn.errors
from sinchfn.services.storage import open_storage

def open_at(url):
    return open_storage(url, folder=Path.cwd(), env={})
"""


def start(source: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A Python of its own that runs `source` in `folder`."""
    command = [sys.executable, "-c", PREAMBLE + textwrap.dedent(source), *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended well."""
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, printed
    return printed


def run(source: str, folder: Path, *arguments: str) -> str:
    return finish(start(source, folder, *arguments))


def errors(storage: Storage) -> list[StorageError]:
    """What each method raises, all of them called at once."""

    def error(call: Callable[[], object]) -> StorageError:
        with pytest.raises(StorageError) as caught:
            call()
        return caught.value

    methods = (storage.read, storage.open, storage.exists, storage.delete)
    calls = [lambda: storage.write("a", b"x"), storage.list, *(partial(method, "a") for method in methods)]
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(error, calls))


def credentials(url: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


def assert_no_secrets(text: str) -> None:
    for secret in (ACCESS_KEY, SECRET_KEY, "session-token"):
        assert secret not in text


@contextmanager
def answering(status: int, body: str, headers: dict[str, str]) -> Iterator[str]:
    """A server that answers everything alike, and its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())
            self.close_connection = "Content-Length" in headers

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent(connects: bool) -> Iterator[str]:
    """A server that never says anything, and its URL; or one that does not even take connections."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(100 if connects else 0)
        fillers = [] if connects else [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            for filler in fillers:
                filler.close()


class BreakingOff(BaseHTTPRequestHandler):
    """An S3 endpoint whose first answers end in the middle."""

    protocol_version = "HTTP/1.1"
    content = bytes(range(256)) * (4 * MB // 256)

    def do_GET(self) -> None:
        breaks: list[int] = self.server.breaks  # type: ignore[attr-defined]
        start = int((self.headers.get("range") or "bytes=0-").partition("=")[2].partition("-")[0])
        body = self.content[start:]
        self.send_response(206 if start else 200)
        for name, value in (("content-length", str(len(body))), ("etag", '"e"')):
            self.send_header(name, value)
        self.send_header("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.send_header("content-range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        self.end_headers()
        self.wfile.write(body[: breaks.pop() if breaks else None])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def test_an_object_whose_connection_breaks_is_never_taken_for_a_shorter_one(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BreakingOff) as server:
        server.breaks = [MB + 500] * 20  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_REGION": "r"}
        env |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        got = bytearray()
        with open_storage("s3://bucket", folder=tmp_path, env=env).open("key") as file:
            with suppress(StorageError):
                while piece := file.read(MB // 4):
                    got += piece
                pytest.fail("the end of what came was taken for the end of the file")
            for _ in range(3):  # nor does it go on as if nothing were missing
                with pytest.raises(StorageError):
                    file.read(MB // 4)
            assert BreakingOff.content.startswith(got)
            server.breaks.clear()  # type: ignore[attr-defined]
            file.seek(len(got))
            assert got + file.read() == BreakingOff.content
        server.shutdown()
        thread.join()
