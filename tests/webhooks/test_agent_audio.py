"""The audio of a call: cut out of the JSON without being loaded, decoded while it is read, stored piece by piece."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchfn.services.storage import Storage, open_storage
from sinchfn.webhooks.agents import AgentEvent, PostCallAudio, parse_event, read_event
from sinchfn.webhooks.agents.audio import decoded, open_audio
from sinchfn.webhooks.agents.large_json import CUT_ABOVE, KEY, load
from sinchfn.wire import json as jsontext
from tests.harness.paths import ELEVENLABS

FIXTURE = (ELEVENLABS / "post_call_audio.json").read_bytes()

#: Written as strings of JSON they are just kept, just cut out, or longer than several pieces.
SIZES = [CUT_ABOVE // 4 * 3, CUT_ABOVE // 4 * 3 + 1, 200_000, 200_001, 200_002]


def mp3(size: int) -> bytes:
    """Bytes of which no two pieces are alike, with every letter of Base64 in them."""
    return b"".join((number * 2654435761 % 2**32).to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


def delivery(audio: str | bytes, **more: Any) -> bytes:
    """The body of an event with this Base64, written as the inside of a JSON string."""
    whole = {"type": "post_call_audio", "event_timestamp": 1772443830, "data": {"conversation_id": "c", KEY: "@"}}
    text = audio if isinstance(audio, bytes) else audio.encode()
    return json.dumps({**whole, **more}).encode().replace(b"@", text)


def event_of(body: bytes) -> PostCallAudio:
    event = read_event(io.BytesIO(body))
    assert isinstance(event, PostCallAudio)
    return event


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


class TestShortAudio:
    def test_the_payload_is_whole(self) -> None:
        event = event_of(FIXTURE)
        assert event.raw == json.loads(FIXTURE)
        assert event.full_audio == "SUQzBAAAAAAAAA=="
        assert event.audio.read() == b"ID3\x04\x00\x00\x00\x00\x00\x00"
        assert event.audio_size == 10

    def test_parsed_json_has_audio_too(self) -> None:
        event = parse_event(json.loads(FIXTURE))
        assert isinstance(event, PostCallAudio)
        assert event.audio.read(3) == b"ID3"
        assert event.audio.read() == b"\x04\x00\x00\x00\x00\x00\x00"

    @pytest.mark.parametrize("data", [{}, {KEY: None}, {KEY: 5}, {KEY: ["QQ=="]}, None, []])
    def test_no_audio_is_a_value_error_when_it_is_read(self, data: Any) -> None:
        event = event_of(json.dumps({"type": "post_call_audio", "data": data}).encode())
        assert event.full_audio is None
        for read in (event.audio.read, event.open_audio().read, lambda: event.audio_size):
            with pytest.raises(ValueError, match="no audio"):
                read()


class TestLongAudio:
    @pytest.mark.parametrize("size", SIZES)
    def test_it_is_left_where_it_is_and_read_from_there(self, size: int) -> None:
        data = mp3(size)
        event = event_of(delivery(base64_of(data)))
        is_long = len(base64_of(data)) > CUT_ABOVE
        assert event.full_audio == event["data"][KEY] == ("" if is_long else base64_of(data))
        assert event.conversation_id == "c"
        assert event.audio.read() == data
        assert event.audio_size == size

    @pytest.mark.parametrize(
        "escape",
        [
            lambda text: text.replace("/", "\\/"),
            lambda text: text.replace("/", "\\u002f").replace("+", "\\u002B"),
            lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
            lambda text: re.sub("(.{76})", r"\1\\r\\n", text) + "\\n",
            lambda text: "\\t " + re.sub("(.{3})", r"\1 ", text),
        ],
        ids=["slashes", "letters", "all", "lines", "spaces"],
    )
    @pytest.mark.parametrize("size", SIZES)
    def test_escapes_and_white_space_change_nothing(self, size: int, escape: Callable[[str], str]) -> None:
        data = mp3(size)
        event = event_of(delivery(escape(base64_of(data))))
        assert event.audio.read() == data
        assert event.audio_size == size

    def test_it_can_be_read_again_and_by_several_at_once(self) -> None:
        data = mp3(300_000)
        file = io.BytesIO(delivery(base64_of(data)))
        event = read_event(file)
        assert isinstance(event, PostCallAudio)
        assert event.audio is event.audio
        other = event.open_audio()
        assert event.audio.read(100_000) == data[:100_000]
        assert other.read(10) == data[:10]
        file.seek(5)
        assert event.audio.read() == data[100_000:]
        assert other.read() == data[10:]
        assert event.audio.read() == b""
        assert event.audio.seek(0) == 0
        assert event.audio.read() == data

    def test_it_can_seek(self) -> None:
        data = mp3(200_000)
        audio = event_of(delivery(base64_of(data))).audio
        assert audio.seekable()
        assert not audio.writable()
        for offset in (5, 150_000, 149_999, 0, 200_000, 70_000):
            assert audio.seek(offset) == offset == audio.tell()
            assert audio.read(7) == data[offset : offset + 7]
        assert audio.seek(-9, io.SEEK_END) == 199_991
        assert audio.read() == data[-9:]
        assert audio.seek(999_999) == 200_000
        with pytest.raises(ValueError, match="negative"):
            audio.seek(-200_001, io.SEEK_END)

    def test_a_file_is_read_from_where_it_stands(self) -> None:
        data = mp3(100_000)
        file = io.BytesIO(b"not JSON" + delivery(base64_of(data)))
        file.seek(8)
        event = read_event(file)
        assert isinstance(event, PostCallAudio)
        assert event.audio.read() == data

    def test_of_two_the_last_counts_as_in_any_json(self) -> None:
        one, two = (base64_of(mp3(size)) for size in (70_000, 80_000))
        twice = '{"type": "post_call_audio", "data": {"full_audio": "%s", "full_audio": "%s"}}'
        assert event_of((twice % (one, two)).encode()).audio.read() == mp3(80_000)
        assert event_of((twice % (one, "QQ==")).encode()).audio.read() == b"A"
        assert event_of((twice % ("QQ==", two)).encode()).audio.read() == mp3(80_000)

    def test_elsewhere_it_is_emptied_and_not_taken_for_the_audio(self) -> None:
        long = base64_of(mp3(70_000))
        event = event_of(delivery("QQ==", **{KEY: long, "nested": [{KEY: long}, long]}))
        assert event[KEY] == event["nested"][0][KEY] == ""
        assert event["nested"][1] == long
        assert event.audio.read() == b"A"

    def test_an_event_of_another_type_has_none(self) -> None:
        event = read_event(io.BytesIO(delivery(base64_of(mp3(70_000)), type="new")))
        assert type(event) is AgentEvent
        assert event["data"][KEY] == ""

    def test_it_ends_with_its_file(self) -> None:
        file = io.BytesIO(delivery(base64_of(mp3(200_000))))
        event = read_event(file)
        assert isinstance(event, PostCallAudio)
        file.truncate(100_000)
        with pytest.raises(ValueError, match="shorter"):
            event.audio.read()
        file.close()
        with pytest.raises(ValueError, match="closed"):
            event.open_audio().read()


#: Base64 that is none -> what the error says.
BAD = {
    "QUJ": "its end is missing",
    "Q": "its end is missing",
    "QQ=": "its end is missing",
    "Q===": "padding is in the wrong place",
    "====": "padding is in the wrong place",
    "QQ=A": "padding is in the wrong place",
    "QQ==QQ==": "padding is in the wrong place",
    "QUI-": "the character '-'",
    "QUI_": "the character '_'",
    "QUJD!": "the character '!'",
    "QUJ\\u00e9": "the character '\\xc3'",
    "QUJé": "the character '\\xc3'",
    "QUJ\\ud83d\\ude00": "the character '\\xf0'",
    "QUJ\\u0000": "the character '\\x00'",
    "QU\\\\/J": "the character '\\\\'",
    "QUJ\\b": "the character '\\x08'",
}


class TestBadBase64:
    @pytest.mark.parametrize("before", [0, 99_999], ids=["short", "long"])
    @pytest.mark.parametrize("text", BAD)
    def test_it_is_a_value_error_when_it_is_read_and_at_each_further_try(self, text: str, before: int) -> None:
        event = event_of(delivery(base64_of(mp3(before)) + text))
        for _ in range(2):
            with pytest.raises(ValueError, match="not Base64") as caught:
                list(iter(partial(event.audio.read, 10_000), b""))
            assert BAD[text] in str(caught.value)
        with pytest.raises(ValueError, match="not Base64"):
            _ = event.audio_size

    def test_more_behind_the_padding_is_found_across_pieces(self) -> None:
        with pytest.raises(ValueError, match="continues after its padding"):
            list(decoded(iter([b"QQ==", b" ", b"QQ=="])))

    @pytest.mark.parametrize("url", ["file:storage", "memory:"])
    def test_nothing_of_it_is_stored(self, url: str, tmp_path: Path) -> None:
        storage = open_storage(url, folder=tmp_path, env={})
        storage.write("calls/c.mp3", b"before")
        event = event_of(delivery(base64_of(mp3(99_999)) + "!!!!"))
        with pytest.raises(ValueError, match="not Base64"):
            storage.write("calls/c.mp3", event.audio)
        assert storage.read("calls/c.mp3") == b"before"


def outcome(read: Callable[[], Any]) -> tuple[bool, Any]:
    """Whether there is one, and which."""
    try:
        return True, read()
    except ValueError:
        return False, None


#: By RFC 4648; the standard library takes more than that.
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@given(st.binary(), st.integers(1, 9), st.sampled_from(["", " ", "\r\n"]))
def test_base64_is_decoded_however_it_is_cut_and_spaced(data: bytes, size: int, space: str) -> None:
    text = space.join(base64_of(data)).encode()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert b"".join(decoded(iter(pieces))) == data
    assert all(decoded(iter(pieces)))


@given(st.lists(st.text("QUJDx+/= \n-é\0", max_size=9).map(str.encode) | st.binary(max_size=9)))
def test_no_text_ends_in_anything_but_bytes_or_a_value_error(pieces: list[bytes]) -> None:
    text = b"".join(pieces).translate(None, b" \t\r\n\x0b\x0c")
    is_audio, audio = outcome(open_audio(lambda: iter(pieces)).read)
    assert is_audio == bool(BASE64.fullmatch(text))
    assert not is_audio or audio == base64.b64decode(text)


class TestRefusals:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b'{"full_audio"',
            b'{"full_audio": ',
            b'{"full_audio": "QQ==',
            b'{"full_audio": "' + b"Q" * 99_999,
            b'{"a": NaN}',
            b'{"a": 1e999}',
            b"[" * 200 + b"]" * 200,
            b"[" * 100_000,
            b'{"a": "\xff"}',
            b'{"a": "\\ud800"}',
            b"{} {}",
            b"[]",
            b'"x"',
            b"null",
            b"1",
        ],
    )
    def test_what_is_no_event_is_a_value_error_that_says_why(self, body: bytes) -> None:
        with pytest.raises(ValueError, match=r".{8}"):
            read_event(io.BytesIO(body))

    @pytest.mark.parametrize(
        ("inside", "said"),
        [
            (b"\n", "control character"),
            (b"\x00", "control character"),
            (b"\\x41", "wrong escape"),
            (b"\\u00g0", "wrong escape"),
            (b"\\u12", "wrong escape"),
            (b"\\ud800", "surrogate"),
            (b"\\udc00\\ud800", "surrogate"),
            (b"\\ud800\\u0041", "surrogate"),
            (b"\xff", "UTF-8"),
            (b"\xc3", "UTF-8"),
            (b"\xed\xa0\x80", "UTF-8"),
        ],
    )
    @pytest.mark.parametrize("place", [0, 50, 65_535, 65_536, 90_000, 100_000])
    def test_a_string_that_is_cut_out_is_checked_as_any_other(self, place: int, inside: bytes, said: str) -> None:
        text = b"Q" * place + inside + b"Q" * (100_000 - place)
        with pytest.raises(ValueError, match=said):
            read_event(io.BytesIO(delivery(text)))
        with pytest.raises(ValueError, match=r"."):
            jsontext.loads(delivery(text))

    def test_a_string_that_is_at_fault_is_not_read_to_its_end(self) -> None:
        file = io.BytesIO(delivery(b"Q" * 70_000 + b"\\x" + b"Q" * 1_000_000))
        with pytest.raises(ValueError, match="wrong escape"):
            read_event(file)
        assert file.tell() < 500_000

    def test_a_string_that_never_ends_takes_no_longer_than_any_other(self) -> None:
        for filling in (b"\\\\", b'\\"', b"\\u0041", b"Q"):
            for start in (b'{"full_audio": "', b'{"x": "', b'"'):
                with pytest.raises(ValueError, match=r"Unterminated|escape"):
                    read_event(io.BytesIO(start + filling * 500_000))


# --- the scanner against the parser ---------------------------------------------------------------------------------


class Pairs(NamedTuple):
    """A JSON object whose keys may come twice."""

    items: list[tuple[str, Any]]


KEYS = st.sampled_from([KEY, "data", "full_audi", "full_audio2", 'full_audio"', "\\full_audio", ""]) | st.text(
    max_size=5
)
TEXTS = st.text(max_size=30) | st.sampled_from([KEY, f'"{KEY}": "', "\\", '"', "😀" * 5])
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(KEYS, inner), max_size=4).map(Pairs),
    max_leaves=20,
)


class Style(NamedTuple):
    """How JSON is written."""

    is_ascii: bool
    space: str
    #: how the key is written
    key: str

    def string(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.is_ascii)

    def write(self, value: Any) -> str:
        gap = self.space
        if isinstance(value, Pairs):
            pairs = (f"{self._key(key)}{gap}:{gap}{self.write(inner)}" for key, inner in value.items)
            return f"{{{gap}{f'{gap},{gap}'.join(pairs)}{gap}}}"
        if isinstance(value, list):
            return f"[{gap}{f'{gap},{gap}'.join(map(self.write, value))}{gap}]"
        return self.string(value) if isinstance(value, str) else json.dumps(value)

    def _key(self, key: str) -> str:
        return f'"{self.key}"' if key == KEY else self.string(key)


STYLES = st.builds(
    Style,
    st.booleans(),
    st.sampled_from(["", " ", "\n\t \r", " " * 40]),
    st.sampled_from([KEY, "full\\u005faudio", "".join(f"\\u{ord(letter):04X}" for letter in KEY)]),
)


def emptied(text: bytes, is_cut: Callable[[str], bool]) -> Any:
    """What the parser reads, without the strings under the key that are to be cut out."""

    def empty(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: "" if key == KEY and isinstance(value, str) and is_cut(value) else value for key, value in pairs}

    return json.loads(text, object_pairs_hook=empty)


def audio_in(value: Any) -> Any:
    data = value.get("data") if isinstance(value, dict) else None
    return data.get(KEY) if isinstance(data, dict) else None


@given(
    VALUES | st.lists(st.tuples(KEYS, VALUES)).map(Pairs), STYLES, st.integers(1, 40), st.sampled_from([0, 1, 7, 60])
)
def test_the_scanner_cuts_out_what_it_should_and_nothing_else(value: Any, style: Style, piece: int, above: int) -> None:
    def is_cut(text: str) -> bool:
        return len(style.string(text).encode()) - 2 > above

    body = style.write(value).encode()
    found = load(io.BytesIO(body), piece=piece, cut_above=above)
    assert found.value == emptied(body, is_cut)
    audio = audio_in(json.loads(body))
    if isinstance(audio, str) and is_cut(audio):
        assert found.audio is not None
        assert json.loads(b'"%b"' % body[found.audio.start : found.audio.end]) == audio
    else:
        assert found.audio is None


@pytest.mark.parametrize("key", ["full_audio", "full\\u005faudio", "\\u0066ull_audi\\u006F", "\\u0066\\u0075ll_audio"])
@pytest.mark.parametrize("piece", [1, 9, 10, 1000])
def test_the_key_is_found_however_it_is_written(key: str, piece: int) -> None:
    found = load(io.BytesIO(f'{{"data":{{"{key}":"QUJD"}}}}'.encode()), piece=piece, cut_above=0)
    assert found.value == {"data": {KEY: ""}}
    assert found.audio is not None


STRINGS = [b'"', b"\\", b"\\u", b"\\u00", b"\\ud800", b"\\udc00", b"\\n", b"\x00"]
UTF8 = [b"\xed\xa0\x80", b"\xc3", b"\xa9", b"\xff", b"\xf0\x9f"]
SYNTAX = [b"{", b"}", b"[", b"]", b":", b",", b" ", b"\n", b"1", b"NaN", b"e", b"\xef\xbb\xbf"]
PARTS = [b'"full_audio"', b'"full_audio":"', b'"data":{', b'"type":"post_call_audio"', b"QQ==", b"QUJD"]
FRAGMENTS = st.sampled_from([*STRINGS, *UTF8, *SYNTAX, *PARTS])


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """Bytes that nearly are JSON, or are it."""
    if draw(st.booleans()):
        return b"".join(draw(st.lists(FRAGMENTS | st.binary(max_size=3))))
    body = draw(STYLES).write(draw(VALUES)).encode()
    place = draw(st.integers(0, len(body)))
    return body[:place] + draw(st.just(b"") | FRAGMENTS) + body[place + draw(st.integers(0, 3)) :]


@given(hostile(), st.integers(1, 20))
def test_what_the_parser_refuses_the_scanner_refuses_and_nothing_more(body: bytes, piece: int) -> None:
    is_json, _ = outcome(lambda: jsontext.loads(body))
    is_taken, found = outcome(lambda: load(io.BytesIO(body), piece=piece, cut_above=0))
    if is_taken:
        assert is_json
        assert found.value == emptied(body.removeprefix(b"\xef\xbb\xbf"), bool)
    # Half a pair in a string that another of the same key replaces: only the scanner looks at it.
    elif is_json:
        assert re.search(rb"\\ud[89a-f]", body, re.IGNORECASE)


@given(hostile())
def test_hostile_bodies_end_in_an_event_or_a_value_error(body: bytes) -> None:
    is_taken, event = outcome(lambda: read_event(io.BytesIO(body)))
    if is_taken and isinstance(event, PostCallAudio):
        outcome(event.audio.read)


# --- what it costs --------------------------------------------------------------------------------------------------

AUDIO_MIB = 18  # 24 MiB of Base64

#: From the WSGI input to the file in the storage, twice: with little audio, then with much. Prints what that took.
FROM_THE_SERVER_TO_THE_STORAGE = """
    import base64, hashlib, io, sys, tracemalloc
    from pathlib import Path

    from flask import Flask, request
    from werkzeug.test import create_environ, run_wsgi_app

    from sinchfn.webhooks.agents import read_event
    from sinchfn.function.request import Incoming
    from sinchfn.services.storage import open_storage

    folder, measure, mib = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    storage = open_storage("file:storage", folder=folder, env={})
    app = Flask("door")

    @app.post("/")
    def view():
        incoming = Incoming(request._get_current_object(), "", 1 << 20)
        incoming.allow(32 << 20, spooled=True)
        incoming.receive()
        signed = hashlib.sha256()
        for piece in incoming.pieces():
            signed.update(piece)
        event = read_event(incoming.open_body())
        storage.write(f"calls/{event.conversation_id}.mp3", event.audio)
        incoming.close()
        return str(incoming.size)

    class Body(io.RawIOBase):
        def __init__(self, times):
            self.parts = self.all(times)
            self.left = b""

        def all(self, times):
            yield b'{"type": "post_call_audio", "data": {"conversation_id": "c", "full_audio": "'
            for number in range(times):  # 48 KiB of audio each
                yield base64.b64encode(number.to_bytes(4, "big") * 12288)
            yield b'"}}'

        def read(self, size=-1):
            self.left = self.left or next(self.parts, b"")
            part, self.left = self.left[:size], self.left[size:]
            return part

    def send(times):
        environ = create_environ("/", method="POST", headers={"Transfer-Encoding": "chunked"})
        environ.pop("CONTENT_LENGTH", None)
        environ["wsgi.input"] = Body(times)
        environ["wsgi.input_terminated"] = True
        body, status, _ = run_wsgi_app(app.wsgi_app, environ)
        assert status == "200 OK", status
        return int(b"".join(body))

    def memory(name):
        status = Path("/proc/self/status").read_text()
        return int(status.partition(name + ":")[2].split()[0]) * 1024

    send(3)
    if measure == "tracemalloc":
        tracemalloc.start()
        size = send(mib * 1024 // 48)
        took = tracemalloc.get_traced_memory()[1]
    else:
        Path("/proc/self/clear_refs").write_text("5")  # the highest is from now on
        before = memory("VmRSS")
        size = send(mib * 1024 // 48)
        took = memory("VmHWM") - before
    with storage.open("calls/c.mp3") as file:
        for number in range(mib * 1024 // 48):
            assert file.read(49152) == number.to_bytes(4, "big") * 12288
        assert file.read() == b""
    print(size, took)
"""


def cost(measure: str, folder: Path) -> tuple[int, int]:
    """Bytes of the event, and of the memory that it took."""
    script = textwrap.dedent(FROM_THE_SERVER_TO_THE_STORAGE)
    command = [sys.executable, "-W", "error", "-c", script, str(folder), measure, str(AUDIO_MIB)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    size, took = done.stdout.split()
    assert int(size) > AUDIO_MIB << 20
    return int(size), int(took)


def test_an_event_of_24_mib_costs_less_than_3_mb_of_python_memory(tmp_path: Path) -> None:
    _, took = cost("tracemalloc", tmp_path)
    assert took < 3_000_000


def test_the_process_grows_by_far_less_than_the_audio(tmp_path: Path) -> None:
    size, took = cost("rss", tmp_path)
    assert took < size / 4


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Storage]:
    storage = open_storage("file:storage", folder=tmp_path, env={})
    yield storage
    storage.close()


def test_the_audio_is_stored_as_it_was(stored: Storage) -> None:
    event = event_of(delivery(base64_of(mp3(3_000_000))))
    stored.write(f"calls/{event.conversation_id}.mp3", event.audio)
    assert stored.read("calls/c.mp3") == mp3(3_000_000)
