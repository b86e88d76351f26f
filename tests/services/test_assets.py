"""Assets: what may be read out of ``assets/``, and what the messages say of the rest."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchfn.services.assets import Assets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "fn" / "assets"
    (folder / "prompts/de").mkdir(parents=True)
    (folder / "welcome.txt").write_bytes("Gr\u00fc\u00dfe\r\n".encode())
    (folder / "prompts/de/hello world.txt").write_text("Hallo")
    (folder / "sound.wav").write_bytes(b"RIFF\xff\xfe\x00")
    (folder / ".hidden").write_text("private anyway")
    (folder / "empty").touch()
    (tmp_path / "fn/.env").write_text("SECRET=1")
    (tmp_path / "fn/assets2").mkdir()
    (tmp_path / "fn/assets2/x").write_text("outside")
    return folder


@pytest.fixture
def assets(folder: Path) -> Assets:
    return Assets(folder)


def readers(assets: Assets) -> tuple[Callable[[Any], object], ...]:
    return (assets, assets.read_bytes, assets.path)


def test_an_asset_is_read_as_text_as_bytes_and_by_its_path(folder: Path, assets: Assets) -> None:
    assert assets("welcome.txt") == "Gr\u00fc\u00dfe\r\n"
    assert assets.read_bytes("sound.wav") == b"RIFF\xff\xfe\x00"
    assert assets.path("prompts/de/hello world.txt") == folder / "prompts/de/hello world.txt"
    assert [assets("empty"), assets(".hidden")] == ["", "private anyway"]


def test_a_name_may_be_spelt_with_more_slashes_and_dots(assets: Assets) -> None:
    for name in ("prompts//de/hello world.txt", "./prompts/./de/hello world.txt"):
        assert assets(name) == "Hallo"


def test_a_byte_order_mark_is_no_text(folder: Path, assets: Assets) -> None:
    (folder / "bom").write_bytes(b"\xef\xbb\xbf{}")
    assert assets("bom") == "{}"
    assert assets.read_bytes("bom") == b"\xef\xbb\xbf{}"


def test_what_changes_on_the_disk_is_seen(folder: Path, assets: Assets) -> None:
    (folder / "welcome.txt").write_text("new")
    assert assets("welcome.txt") == "new"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../.env",
        "../assets2/x",
        "../assets/welcome.txt",
        "prompts/../welcome.txt",
        "prompts/../../.env",
        "prompts/..",
        "/etc/passwd",
        "//etc/passwd",
        "/welcome.txt",
        "welcome.txt\0",
        "\0",
        "..\\.env",
        "prompts\\de\\hello world.txt",
        "C:/welcome.txt",
        "c:welcome.txt",
        "C:\\welcome.txt",
        "a\n/../../.env",
        "\ud800",
        "x" * 100_000 + "\0",
    ],
    ids=lambda name: ascii(name)[:30],
)
def test_a_name_that_is_no_path_below_assets_is_a_value_error(assets: Assets, name: str) -> None:
    for read in readers(assets):
        with pytest.raises(ValueError, match=r"It takes a path below assets/, such as"):
            read(name)


def test_the_absolute_path_of_an_asset_is_refused_too(folder: Path, assets: Assets) -> None:
    for read in readers(assets):
        with pytest.raises(ValueError, match="is an absolute path"):
            read(str(folder / "welcome.txt"))


@pytest.mark.parametrize("name", [None, 1, b"welcome.txt", Path("welcome.txt"), ["a"]])
def test_a_name_that_is_no_text_is_a_type_error(assets: Assets, name: Any) -> None:
    for read in readers(assets):
        with pytest.raises(TypeError, match=r"must be a str such as .*, found"):
            read(name)


def test_a_link_that_leaves_the_folder_is_refused(folder: Path, assets: Assets) -> None:
    (folder / "env").symlink_to("../.env")
    (folder / "absolute").symlink_to(folder.parent / ".env")
    (folder / "up").symlink_to("..")
    (folder / "alike").symlink_to("../assets2")
    (folder / "twice").symlink_to("env")
    (folder / "dangling").symlink_to("../nothing")
    for name in ("env", "absolute", "up", "up/.env", "alike/x", "twice", "dangling", "up/assets2/nothing"):
        for read in readers(assets):
            with pytest.raises(ValueError, match="is a link that leads out of"):
                read(name)


def test_a_link_that_stays_in_the_folder_is_followed(folder: Path, assets: Assets) -> None:
    (folder / "file").symlink_to("welcome.txt")
    (folder / "german").symlink_to("prompts/de")
    (folder / "prompts/up").symlink_to("../prompts")
    assert assets("file") == assets("welcome.txt")
    assert assets("german/hello world.txt") == assets("prompts/up/up/de/hello world.txt") == "Hallo"
    assert assets.path("file") == folder / "welcome.txt"


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(folder)
    assert Assets(tmp_path / "linked")("welcome.txt").startswith("Gr")


def test_a_missing_asset_says_where_it_was_looked_for_and_what_there_is(folder: Path, assets: Assets) -> None:
    for read in readers(assets):
        with pytest.raises(FileNotFoundError) as caught:
            read("xyz")
        assert str(caught.value) == (
            f'There is no "xyz" in {folder}. It has .hidden, empty, prompts/de/hello world.txt, sound.wav, welcome.txt.'
        )


def test_a_near_miss_is_told_what_was_meant(assets: Assets) -> None:
    for name, meant in (("welcom.txt", "welcome.txt"), ("prompts/de/hello-world.txt", "prompts/de/hello world.txt")):
        with pytest.raises(FileNotFoundError, match=f'Did you mean "{meant}"'):
            assets(name)


def test_many_files_are_not_all_named(folder: Path, assets: Assets) -> None:
    for number in range(30):
        (folder / f"{number:02}").touch()
    with pytest.raises(FileNotFoundError, match=r"It has \.hidden, 00, 01, 02, 03, 04, 05, 06, \.\.\."):
        assets("xyz")


def test_without_any_files_the_message_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f'There is no "a" in {tmp_path}/assets. The folder is empty.'):
        Assets(tmp_path / "assets")("a")


def test_a_folder_is_no_asset(folder: Path, assets: Assets) -> None:
    for name in ("prompts", "prompts/", "prompts/de", "."):
        for read in readers(assets):
            with pytest.raises(IsADirectoryError, match=f'"{name}" in .* is a folder, not a file'):
                read(name)


def test_a_file_that_is_no_text_says_how_to_read_it(assets: Assets) -> None:
    with pytest.raises(ValueError, match=r'"sound.wav" is not UTF-8 text: .* at byte 4.*read_bytes\("sound.wav"\)'):
        assets("sound.wav")


def test_what_is_no_regular_file_is_not_there(folder: Path, assets: Assets) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    for name in ("fifo", "loop", "loop/x", "welcome.txt/x", "x" * 300, "x/" * 500 + "x"):
        for read in readers(assets):
            with pytest.raises(FileNotFoundError) as caught:
                read(name)
            assert len(str(caught.value)) < 1000


@given(name=st.text(st.sampled_from("./\\~a\0 :%2eE\u2024\uff0e\ud800"), max_size=14) | st.text(max_size=20))
def test_no_name_reaches_out_of_the_folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    above = tmp_path_factory.mktemp("hostile")
    (above / "assets").mkdir()
    (above / "a").write_text("outside")
    (above / ".a").write_text("outside")
    for read in readers(Assets(above / "assets")):
        with pytest.raises((ValueError, FileNotFoundError, IsADirectoryError)):
            read(name)


def test_a_repr_says_where_it_looks(folder: Path, assets: Assets) -> None:
    assert repr(assets) == f"<Assets in {folder}>"
