"""MediaStream: the protocol of connectStream, its audio in real time, in both styles."""

from __future__ import annotations

import json
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchfn import ConnectionClosed, MediaStream, StreamConnect, StreamFull
from sinchfn.testing import MemorySocket, StreamCaller, memory_sockets, open_socket
from sinchfn.websockets import media_stream
from sinchfn.websockets.stream_protocol import read_command, read_connect
from tests.harness.paths import VOICE

STREAM = VOICE / "stream"
CALL_ID = "1ce0ffee-ca11-ca11-ca11-abcdef000053"
RATE = 16_000
FRAME = 640

#: A function with an echo in each style.
ECHOES = """
from sinchfn import MediaStream

def setup(runtime):
    @runtime.on_websocket("/blocking", protected=False)
    def blocking(ws, request):
        stream = MediaStream(ws)
        stream.answer()
        for pcm in stream:
            stream.send(pcm)

    @runtime.on_websocket("/callback", protected=False)
    def callback(ws, request):
        stream = MediaStream(ws)
        stream.on_connect(lambda connect: stream.answer())
        stream.on_audio(stream.send)
"""

both_styles = pytest.mark.parametrize("path", ["/blocking", "/callback"])


def audio(seconds: float, start: int = 0) -> bytes:
    """No two frames of it are alike."""
    count = round(seconds * RATE)
    return b"".join(((start + n) % 60_000 - 30_000).to_bytes(2, "little", signed=True) for n in range(count))


Opened = tuple[MediaStream, StreamCaller, MemorySocket]


@pytest.fixture
def answered() -> Iterator[Callable[..., Opened]]:
    """A stream in the blocking style, that has been answered, and its caller."""
    peers: list[MemorySocket] = []

    def make(**options: Any) -> Opened:
        ws, peer = memory_sockets()
        peers.append(peer)
        caller = StreamCaller(peer)
        caller.connect(sample_rate=RATE)
        stream = MediaStream(ws, **options)
        stream.answer()
        assert caller.answered() == "answer"
        return stream, caller, peer

    yield make
    for peer in peers:
        peer.close()


# --- the connect message ----------------------------------------------------------------------------------------------


def connect_of(text: str, **options: Any) -> StreamConnect:
    ws, peer = memory_sockets()
    peer.send(text)
    stream = MediaStream(ws, **options)
    assert stream.connect is stream.connect
    return stream.connect


@pytest.mark.parametrize(
    ("name", "rate", "headers"),
    [
        ("in_connect", 16_000, {"foo": "bar", "baz": "qux"}),
        ("in_connect_legacy_capitals", 8000, {"foo": "bar"}),
        ("in_connect_tutorial", 8000, {"foo": "bar"}),
    ],
)
def test_the_connect_message_is_read_in_every_spelling(name: str, rate: int, headers: dict[str, str]) -> None:
    connect = connect_of((STREAM / f"{name}.json").read_text())
    assert connect.call_id == CALL_ID
    assert connect.application_key == "f00dcafe-abba-c0de-1dea-dabb1ed4caf3"
    assert connect.sample_rate == rate
    assert connect.headers == headers
    assert connect.frame_bytes == rate // 25


@pytest.mark.parametrize(
    ("message", "attribute", "value"),
    [
        ({"callHeaders": [{"key": "a", "value": 1}, {"key": "b"}, 7]}, "headers", {"a": "1"}),
        ({"callHeaders": "none"}, "headers", {}),
        ({"serviceId": "s"}, "application_key", "s"),
        ({"sampleRate": "44100"}, "sample_rate", 44_100),
        ({"sampleRate": 0}, "sample_rate", 8000),
        ({"sampleRate": 10**30}, "sample_rate", 8000),
        ({"sampleRate": "fast"}, "sample_rate", 8000),
        ({"callId": None}, "call_id", None),
        ({"callId": ["x"]}, "call_id", None),
        ({"version": "1"}, "version", None),
        ({"COMMAND": "CONNECT", "CALLID": "x", "command": "Connect"}, "call_id", "x"),
    ],
)
def test_a_connect_message_is_read_as_far_as_it_goes(message: dict[str, Any], attribute: str, value: object) -> None:
    assert getattr(connect_of(json.dumps({"command": "connect"} | message)), attribute) == value


def test_a_rate_that_the_platform_does_not_say_is_the_functions() -> None:
    assert connect_of('{"command": "connect"}', sample_rate=24_000).sample_rate == 24_000


NAMES = st.sampled_from(("command", "callId", "CallId", "sampleRate", "callHeaders", "Headers", "key", "value"))

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=5),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, anything) | anything)
def test_no_message_is_too_odd_to_be_read(message: Any) -> None:
    command = read_command(json.dumps(message))
    assert (command is None) is not isinstance(message, dict)
    if command is not None:
        assert 1000 <= read_connect(command).sample_rate <= 192_000


@given(st.text(max_size=60))
def test_a_text_that_is_no_json_is_no_command(text: str) -> None:
    read_command(text)


@both_styles
def test_who_says_nothing_is_closed(path: str, make_app: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_stream, "CONNECT_PATIENCE", 0.2)
    with open_socket(make_app(ECHOES, SINCHFN_ENV="development"), path) as peer:
        with pytest.raises(ConnectionClosed) as caught:
            peer.receive(timeout=5)
        assert (caught.value.code, caught.value.reason) == (1008, "no connect message")


@both_styles
def test_what_is_no_command_of_ours_is_ignored(path: str, make_app: Callable[..., Any]) -> None:
    with open_socket(make_app(ECHOES, SINCHFN_ENV="development"), path) as peer:
        for text in ("hello", "[1]", '{"command": "heartbeat"}', "", '{"command": 7}'):
            peer.send(text)
        if path == "/callback":
            peer.send(b"too early")
        caller = StreamCaller(peer)
        caller.connect(sample_rate=RATE)
        assert caller.answered() == "answer"
        peer.send('{"command": "connect", "callId": "another"}')
        peer.send("x")
        caller.say(audio(0.1), realtime=False)
        assert caller.hear(0.1) == audio(0.1)


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["busy", "reject"])
def test_a_call_that_is_not_taken_is_told_so_and_closed(name: str) -> None:
    ws, peer = memory_sockets()
    caller = StreamCaller(peer)
    caller.connect()
    getattr(MediaStream(ws), name)()
    assert peer.receive(timeout=1) == (STREAM / f"out_{name}.json").read_text().replace("\n", "").replace(" ", "")
    with pytest.raises(ConnectionClosed) as caught:
        peer.receive(timeout=1)
    assert caught.value.code == 1000


def test_it_is_answered_once(answered: Callable[..., Opened]) -> None:
    stream, caller, _ = answered()
    stream.answer()
    with pytest.raises(RuntimeError, match="too late"):
        stream.busy()
    assert caller.commands == []


@pytest.mark.parametrize("use", [lambda stream: stream.send(b"ab"), lambda stream: stream.receive(), list])
def test_there_is_no_audio_before_the_answer(use: Callable[[MediaStream], Any]) -> None:
    ws, peer = memory_sockets()
    StreamCaller(peer).connect()
    with pytest.raises(RuntimeError, match="not answered"):
        use(MediaStream(ws))


def test_in_the_callback_style_nothing_is_waited_for() -> None:
    ws, _ = memory_sockets()
    stream = MediaStream(ws)
    stream.on_audio(stream.send)
    with pytest.raises(RuntimeError, match="on_connect"):
        stream.answer()
    ws.close()


@pytest.mark.parametrize("register", ["on_connect", "on_audio", "on_drained", "on_close"])
@pytest.mark.parametrize("function", [5, None, lambda a, b, c: None])
def test_what_cannot_be_called_back_is_refused_at_once(register: str, function: Any) -> None:
    ws, _ = memory_sockets()
    stream = MediaStream(ws)
    with pytest.raises(TypeError, match=register):
        getattr(stream, register)(function)
    getattr(stream, register)(lambda: None)  # it need not take what it has no use for
    ws.close()


@pytest.mark.parametrize("options", [{"max_queued": 0}, {"max_queued": -1.0}, {"sample_rate": 0}, {"sample_rate": 1}])
def test_a_stream_that_could_not_work_is_refused(options: dict[str, Any]) -> None:
    ws, _ = memory_sockets()
    with pytest.raises(ValueError, match="it takes"):
        MediaStream(ws, **options)
    ws.close()


def test_what_a_handler_sets_for_the_end_does_not_take_the_place_of_the_streams() -> None:
    ws, peer = memory_sockets()
    stream = MediaStream(ws)
    told: list[int] = []
    ws.on_close(lambda code: told.append(code))
    stream.on_connect(lambda: (stream.answer(), stream.send(audio(10))))
    StreamCaller(peer).connect(sample_rate=RATE)
    ws.settle()
    peer.close(4001)
    list(peer)
    ws.settle()
    assert told == [4001]
    assert stream.queued == 0


# --- audio ------------------------------------------------------------------------------------------------------------


@both_styles
def test_an_echo_gives_back_what_it_heard(path: str, make_app: Callable[..., Any]) -> None:
    said = audio(0.5)
    with open_socket(make_app(ECHOES, SINCHFN_ENV="development"), path) as peer:
        caller = StreamCaller(peer)
        caller.connect(sample_rate=RATE)
        assert caller.answered() == "answer"
        caller.say(said)
        assert caller.hear(0.5) == said


def arrivals(peer: MemorySocket, count: int) -> list[tuple[float, bytes]]:
    """When each message came, and what it was."""
    found: list[tuple[float, bytes]] = []
    while sum(len(pcm) for _, pcm in found) < count:
        message = peer.receive(timeout=5)
        assert isinstance(message, bytes), message
        found.append((time.monotonic(), message))
    return found


def test_long_audio_is_cut_into_frames_and_sent_in_real_time(answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered()
    pcm = audio(1.0)
    began = time.monotonic()
    stream.send(pcm)
    assert time.monotonic() - began < 0.5
    assert stream.queued > 0.5
    came = arrivals(peer, len(pcm))
    assert [len(piece) for _, piece in came] == [FRAME] * 50
    assert b"".join(piece for _, piece in came) == pcm
    # Never more than 60 ms ahead of its time, which the clock of another thread may blur.
    for number, (moment, _) in enumerate(came):
        assert moment - began > number * 0.02 - 0.065
    assert came[-1][0] - began > 0.9


def test_pieces_of_any_length_become_frames(answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered()
    pcm = audio(0.3)
    for start in range(0, len(pcm), 1000):
        stream.send(pcm[start : start + 1000])
    came = [piece for _, piece in arrivals(peer, len(pcm))]
    assert b"".join(came) == pcm
    assert all(len(piece) == FRAME for piece in came[:-1])


def samples(pcm: bytes) -> array[int]:
    return array("h", pcm)


def every_second_byte(pcm: bytes) -> memoryview:
    """A view of `pcm` that is not contiguous."""
    return memoryview(bytes(byte for one in pcm for byte in (one, 0)))[::2]


def a_table(pcm: bytes) -> memoryview:
    return memoryview(pcm).cast("B", (2, len(pcm) // 2))


@pytest.mark.parametrize("kind", [bytearray, memoryview, samples, every_second_byte, a_table])
def test_audio_may_be_any_bytes(kind: Callable[[bytes], Any], answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered()
    stream.send(kind(audio(0.02)))
    stream.send(kind(audio(0.05)))
    stream.send(b"")
    assert b"".join(piece for _, piece in arrivals(peer, FRAME + 1600)) == audio(0.02) + audio(0.05)


@pytest.mark.parametrize("floats", [array("f", [0.5]), memoryview(array("d", [0.5])), array("i", [1])])
def test_what_is_no_pcm_is_refused(floats: Any, answered: Callable[..., Opened]) -> None:
    stream, _, _ = answered()
    with pytest.raises(TypeError, match="16-bit samples; found"):
        stream.send(floats)
    with pytest.raises(TypeError, match="found str"):
        stream.send("abc")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 3, 101, 639, 641, 1281])
def test_a_half_sample_waits_for_the_next_piece(size: int, answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered()
    pcm = audio(0.2)
    for start in range(0, len(pcm), size):
        stream.send(pcm[start : start + size])
        stream.send(b"")
    came = [piece for _, piece in arrivals(peer, len(pcm))]
    assert b"".join(came) == pcm
    assert all(len(piece) % 2 == 0 for piece in came)


@pytest.mark.parametrize("use", [MediaStream.clear, MediaStream.drain], ids=["clear", "drain"])
def test_a_half_sample_that_is_left_at_an_end_is_dropped(
    use: Callable[[MediaStream], Any], answered: Callable[..., Opened]
) -> None:
    stream, _, peer = answered()
    stream.send(b"!")
    use(stream)
    stream.send(audio(0.02))
    while isinstance(message := peer.receive(timeout=5), str):
        pass
    assert message == audio(0.02)


def test_a_half_sample_that_is_left_at_finish_is_dropped(answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered()
    # Audio that is queued keeps the socket open, so there is time to send more.
    stream.send(audio(2) + b"!")
    stream.finish()
    stream.send(audio(0.02))
    heard = audio(2) + audio(0.02)
    assert b"".join(piece for _, piece in arrivals(peer, len(heard))) == heard


def test_a_piece_that_did_not_fit_leaves_the_half_sample_as_it_was() -> None:
    ws, peer = memory_sockets()
    stream = MediaStream(ws, max_queued=0.1)
    outcomes: list[str] = []

    @stream.on_connect
    def answer() -> None:
        stream.answer()
        stream.send(audio(0.02)[:639])
        try:
            stream.send(b"?" + audio(1))
        except StreamFull:
            outcomes.append("full")
        stream.send(audio(0.02)[639:])

    StreamCaller(peer).connect(sample_rate=RATE)
    peer.settle()
    assert outcomes == ["full"]
    assert peer.receive(timeout=5) == '{"command":"answer"}'
    assert b"".join(piece for _, piece in arrivals(peer, FRAME)) == audio(0.02)
    peer.close()


def test_half_a_sample_is_refused_after_the_end_as_audio_is(answered: Callable[..., Opened]) -> None:
    stream, _, _ = answered()
    stream.close()
    with pytest.raises(ConnectionClosed):
        stream.send(b"!")


@both_styles
def test_a_handler_gets_whole_samples_however_they_come(path: str, make_app: Callable[..., Any]) -> None:
    said = audio(0.1)
    with open_socket(make_app(ECHOES, SINCHFN_ENV="development"), path) as peer:
        caller = StreamCaller(peer)
        caller.connect(sample_rate=RATE)
        assert caller.answered() == "answer"
        for start in range(0, len(said), 501):
            peer.send(said[start : start + 501])
            peer.send(b"")
        assert caller.hear(0.1) == said


def test_a_message_of_less_than_a_sample_is_no_audio_yet(answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered()
    peer.send(b"a")
    assert stream.receive(timeout=0) is None
    peer.send(b"b")
    assert stream.receive(timeout=5) == b"ab"


def test_what_several_threads_send_is_all_sent(answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered()
    pieces = [bytes([number, 0]) * 320 * 5 for number in range(1, 6)]
    threads = [threading.Thread(target=stream.send, args=(piece,)) for piece in pieces]
    for thread in threads:
        thread.start()
    came = b"".join(piece for _, piece in arrivals(peer, 5 * 5 * FRAME))
    for thread in threads:
        thread.join()
    frames = [came[start : start + FRAME] for start in range(0, len(came), FRAME)]
    assert all(len(set(frame[::2])) == 1 for frame in frames)
    assert sorted(frames) == sorted(piece[:FRAME] for piece in pieces for _ in range(5))


# --- room -------------------------------------------------------------------------------------------------------------


def test_a_loop_waits_for_room(answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered(max_queued=0.2)
    began = time.monotonic()
    stream.send(audio(0.8))
    assert time.monotonic() - began > 0.4
    assert b"".join(piece for _, piece in arrivals(peer, len(audio(0.8)))) == audio(0.8)


def test_who_waits_for_room_is_told_of_the_end(answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered(max_queued=0.2)
    threading.Timer(0.3, peer.close).start()
    with pytest.raises(ConnectionClosed):
        stream.send(audio(60))


def test_a_callback_cannot_wait_for_room() -> None:
    ws, peer = memory_sockets()
    stream = MediaStream(ws, max_queued=0.5)
    stream.on_connect(lambda connect: (stream.answer(), stream.send(audio(0.4)), stream.send(audio(0.4))))
    caller = StreamCaller(peer)
    caller.connect(sample_rate=RATE)
    assert caller.answered() == "answer"
    list(peer)
    assert peer.close_code == 1011
    assert isinstance(ws.failed_with, StreamFull)
    assert "max_queued" in str(ws.failed_with)


# --- clear, drain, heartbeat ------------------------------------------------------------------------------------------


def test_clear_drops_what_waits_here_and_there(answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered()
    stream.send(audio(2.0))
    time.sleep(0.1)
    stream.clear()
    assert stream.queued == 0
    stream.send(audio(0.02, start=30_000))
    messages: list[Any] = []
    while (message := peer.receive(timeout=0.3)) is not None:
        messages.append(message)
    at = messages.index('{"command":"clear"}')
    assert at < 20  # of a hundred frames
    assert messages[at + 1 :] == [audio(0.02, start=30_000)]


def test_what_another_thread_sends_amid_a_clear_keeps_its_pace(answered: Callable[..., Opened]) -> None:
    stream, _, peer = answered()
    stream.send(audio(2.0))
    threads = [threading.Thread(target=stream.clear), threading.Thread(target=stream.send, args=(audio(2.0),))]
    with stream._sending:  # a frame is just going out
        for thread in threads:
            thread.start()
            time.sleep(0.1)
    for thread in threads:
        thread.join()
    time.sleep(0.2)
    got: list[Any] = []
    while (message := peer.receive(timeout=0)) is not None:
        got.append(message)
    assert '{"command":"clear"}' in got
    assert len(got) < 40  # of two hundred frames
    stream.close()


def test_drain_waits_until_all_was_heard(answered: Callable[..., Opened]) -> None:
    stream, caller, _ = answered()
    assert stream.drain(timeout=0) is True
    began = time.monotonic()
    stream.send(audio(0.4))
    assert stream.drain(timeout=0.05) is False
    assert stream.drain(timeout=5) is True
    assert time.monotonic() - began > 0.38
    assert caller.hear(0.4) == audio(0.4)


def test_drain_ends_with_the_call(answered: Callable[..., Opened]) -> None:
    stream, _, _ = answered()
    stream.send(audio(5))
    threading.Timer(0.1, stream.close).start()
    with pytest.raises(ConnectionClosed):
        stream.drain()


def test_on_drained_is_told_when_all_was_heard() -> None:
    ws, peer = memory_sockets()
    stream = MediaStream(ws)
    told: list[float] = []
    stream.on_drained(lambda: (told.append(time.monotonic()), stream.close(4000, "said all")))
    stream.on_connect(lambda connect: (stream.answer(), stream.send(audio(0.3))))
    caller = StreamCaller(peer)
    began = time.monotonic()
    caller.connect(sample_rate=RATE)
    assert caller.answered() == "answer"
    assert caller.hear(0.3) == audio(0.3)
    with pytest.raises(ConnectionClosed) as caught:
        peer.receive(timeout=5)
    assert caught.value.code == 4000
    assert len(told) == 1
    assert told[0] - began > 0.28


def test_on_drained_is_told_of_a_single_frame() -> None:
    ws, peer = memory_sockets()
    stream = MediaStream(ws)
    stream.on_drained(lambda: stream.close(4000, "said all"))
    stream.on_connect(lambda connect: (stream.answer(), stream.send(audio(0.02))))
    caller = StreamCaller(peer)
    caller.connect(sample_rate=RATE)
    assert caller.answered() == "answer"
    assert caller.hear(0.02) == audio(0.02)
    list(peer)
    assert peer.close_code == 4000


def test_a_silent_stream_says_that_it_is_alive(
    answered: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_stream, "HEARTBEAT", 0.6)
    stream, caller, _ = answered()
    caller.wait_for("heartbeat")
    caller.wait_for("heartbeat")
    before = len(caller.commands)
    for _ in range(30):
        stream.send(audio(0.02))
        time.sleep(0.02)
    assert len(caller.commands) <= before + 1
    stream.close()


# --- statistics -------------------------------------------------------------------------------------------------------


def test_pauses_of_the_caller_are_counted(answered: Callable[..., Opened]) -> None:
    stream, caller, _ = answered()
    for pause in (0.0, 0.25, 0.0, 0.25):
        time.sleep(pause)
        caller.say(audio(0.04), realtime=False)
        assert stream.receive(timeout=1)
        assert stream.receive(timeout=1)
    assert stream.statistics.gaps >= 2
    assert stream.statistics.frames_in == 8
    assert stream.statistics.bytes_in == 8 * FRAME


def test_frames_that_come_too_late_are_counted() -> None:
    ws, peer = memory_sockets()
    stream = MediaStream(ws)
    stream.on_connect(lambda connect: (stream.answer(), stream.send(audio(0.5))))
    stream.on_audio(lambda pcm: time.sleep(0.3))  # it blocks the thread that sends
    caller = StreamCaller(peer)
    caller.connect(sample_rate=RATE)
    caller.say(audio(0.02), realtime=False)
    assert caller.answered() == "answer"
    assert caller.hear(0.5) == audio(0.5)
    peer.close()
    assert stream.statistics.late > 3


def test_they_are_on_the_usage_record(make_app: Callable[..., Any]) -> None:
    from sinchfn import signals

    records: list[Any] = []

    def keep(app: Any, invocation: Any, record: Any) -> None:
        records.append(record)

    with (
        signals.usage_recorded.connected_to(keep),
        open_socket(make_app(ECHOES, SINCHFN_ENV="development"), "/blocking", call_id="c1") as peer,
    ):
        caller = StreamCaller(peer)
        caller.connect(sample_rate=RATE)
        assert caller.answered() == "answer"
        caller.say(audio(0.04), realtime=False)
        time.sleep(0.2)
        caller.say(audio(0.04), realtime=False)
        assert caller.hear(0.08) == audio(0.04) * 2
    [record] = records
    assert (record.kind, record.call_id, record.outcome) == ("websocket", "c1", "ok")
    # only audio: not the connect message, nor the answer
    assert [record.stream[name] for name in ("frames_in", "frames_out")] == [4, 4]
    assert [record.stream[name] for name in ("bytes_in", "bytes_out")] == [4 * FRAME, 4 * FRAME]
    assert record.stream["gaps"] >= 1
    assert json.loads(record.to_json())["stream"] == record.stream


# --- the end ----------------------------------------------------------------------------------------------------------

ENDS = """
from sinchfn import MediaStream

def setup(runtime):
    @runtime.on_websocket("/returns", protected=False)
    def returns(ws, request):
        stream = MediaStream(ws)
        stream.answer()
        stream.send(bytes(range(256)) * 100)

    @runtime.on_websocket("/finishes", protected=False)
    def finishes(ws, request):
        stream = MediaStream(ws)
        @stream.on_connect
        def play():
            stream.answer()
            stream.send(bytes(range(256)) * 100)
            stream.finish()

    @runtime.on_websocket("/waits", protected=False)
    def waits(ws, request):
        stream = MediaStream(ws)
        @stream.on_connect
        def play():
            stream.answer()
            stream.send(bytes(6400))
            stream.drain()

    @runtime.on_websocket("/forgets", protected=False)
    def forgets(ws, request):
        stream = MediaStream(ws)
        stream.on_audio(stream.send)
"""


@pytest.mark.parametrize("path", ["/returns", "/finishes"])
def test_a_prompt_is_heard_to_its_end_before_the_call_ends(path: str, make_app: Callable[..., Any]) -> None:
    with open_socket(make_app(ENDS, SINCHFN_ENV="development"), path) as peer:
        caller = StreamCaller(peer)
        began = time.monotonic()
        caller.connect(sample_rate=RATE)
        assert caller.answered() == "answer"
        assert caller.hear(0.8) == bytes(range(256)) * 100
        list(peer)
        assert peer.close_code == 1000
        assert time.monotonic() - began > 0.78


def test_a_callback_cannot_wait_for_the_end(make_app: Callable[..., Any]) -> None:
    peer_of = open_socket(make_app(ENDS), "/waits")
    StreamCaller(peer := peer_of.__enter__()).connect(sample_rate=RATE)
    list(peer)
    assert peer.close_code == 1011
    with pytest.raises(RuntimeError, match="on_drained"):
        peer_of.__exit__(None, None, None)


def test_a_stream_that_nobody_answers_is_pointed_out(
    make_app: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(media_stream, "ANSWER_PATIENCE", 0.2)
    with open_socket(make_app(ENDS), "/forgets") as peer:
        peer.send('{"command": "connect"}')
        time.sleep(0.5)
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line for line in said if "no answer yet" in line]
    assert [line for line in said if "no sample rate: using 8000" in line]


def test_one_socket_has_one_stream() -> None:
    ws, _ = memory_sockets()
    MediaStream(ws)
    with pytest.raises(RuntimeError, match="already"):
        MediaStream(ws)
    with pytest.raises(TypeError, match="found str"):
        MediaStream("ws")  # type: ignore[arg-type]
    ws.close()


def test_what_goes_to_a_callback_cannot_be_read_too(answered: Callable[..., Opened]) -> None:
    stream, _, _ = answered()
    stream.on_audio(lambda pcm: None)
    with pytest.raises(RuntimeError, match="on_audio"):
        stream.receive()
    with pytest.raises(TypeError, match="found str"):
        stream.send("abc")  # type: ignore[arg-type]
