"""The examples with a call's audio in them: each behind a real gunicorn, called by a real WebSocket client."""

from __future__ import annotations

import io
import json
import math
import shutil
import time
import wave
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.harness.paths import EXAMPLES
from tests.harness.server import Server, gunicorn, until
from tests.harness.signer import CALL_ID, ICE, SIGNING, encoded, signed

RATE = 16_000


@contextmanager
def serving(name: str, folder: Path) -> Iterator[Server]:
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("data", "storage", ".env"))
    with gunicorn(folder, **SIGNING) as server:
        yield server


@contextmanager
def call(server: Server, rate: int = RATE) -> Iterator[ClientConnection]:
    """A call: its ICE is posted, and its audio stream opened as the platform does it, up to the answer."""
    body = encoded(ICE)
    headers = signed(body) | {"Host": f"127.0.0.1:{server.port}"}
    status, _, answer = server.request("POST", "/ice", body, headers)
    assert status == 200, answer
    action = json.loads(answer)["action"]
    assert action["name"] == "connectStream"
    assert action["destination"]["type"] == "Websocket"
    # The platform comes through TLS, which a proxy would end.
    url = action["destination"]["endpoint"].replace("wss://", "ws://", 1)
    with connect(url, compression=None) as ws:
        ws.send(json.dumps({"command": "connect", "version": 1, "callId": CALL_ID, "codec": "PCM", "sampleRate": rate}))
        assert json.loads(ws.recv(10)) == {"command": "answer"}
        yield ws


def tone(*hertz: int, seconds: float, rate: int = RATE) -> bytes:
    count = round(seconds * rate)
    samples = (sum(8000 * math.sin(2 * math.pi * each * n / rate) for each in hertz) for n in range(count))
    return array("h", map(round, samples)).tobytes()


def say(ws: ClientConnection, pcm: bytes, rate: int = RATE) -> None:
    """In frames of 20 ms, faster than in real time."""
    size = rate // 50 * 2
    for start in range(0, len(pcm), size):
        ws.send(pcm[start : start + size])
        time.sleep(0.002)


def heard(ws: ClientConnection, size: int) -> bytes:
    found = b""
    while len(found) < size:
        message = ws.recv(10)
        assert isinstance(message, bytes), message
        found += message
    return found


def test_the_echo_says_what_it_hears(tmp_path: Path) -> None:
    with serving("stream_echo", tmp_path / "fn") as server:
        with call(server) as ws:
            pcm = tone(440, seconds=0.5)
            say(ws, pcm)
            assert heard(ws, len(pcm)) == pcm
        record = until(lambda: [record for record in server.ledger if record["kind"] == "websocket"])[0]
    assert record["call_id"] == CALL_ID
    assert record["outcome"] == "ok"
    assert record["status"] == 101
    assert record["stream"] | {"late": 0} == {
        "frames_in": 25,  # without the connect message, and out without the answer
        "frames_out": 25,
        "bytes_in": record["request_bytes"],
        "bytes_out": len(pcm),
        "gaps": 0,
        "late": 0,
        "close_code": 1000,
    }


@pytest.mark.parametrize("ended_by", ["the caller", "the server"])
def test_the_recorder_keeps_what_was_said(tmp_path: Path, ended_by: str) -> None:
    folder = tmp_path / "fn"
    pcm = tone(300, 500, seconds=1.0)
    with serving("stream_recorder", folder) as server:
        with call(server) as ws:
            say(ws, pcm)
            time.sleep(0.3)
            if ended_by == "the server":
                server.process.terminate()
                server.process.wait(30)
        file = folder / "storage" / "recordings" / f"{CALL_ID}.wav"
        until(file.exists)
        until(lambda: file.stat().st_size >= len(pcm))
    with wave.open(io.BytesIO(file.read_bytes())) as recording:
        assert (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) == (1, 2, RATE)
        assert recording.readframes(recording.getnframes()) == pcm


ROWS, COLUMNS, KEYS = (697, 770, 852, 941), (1209, 1336, 1477, 1633), ("123A", "456B", "789C", "*0#D")


def key(name: str, rate: int) -> bytes:
    """A key, pressed for 100 ms, and 60 ms of silence."""
    [(row, column)] = [(r, line.index(name)) for r, line in enumerate(KEYS) if name in line]
    return tone(ROWS[row], COLUMNS[column], seconds=0.1, rate=rate) + bytes(round(0.06 * rate) * 2)


@pytest.mark.parametrize("rate", [8000, 16_000])
def test_the_detector_hears_every_key_and_ends_at_the_hash(tmp_path: Path, rate: int) -> None:
    with serving("stream_dtmf", tmp_path / "fn") as server:
        with call(server, rate) as ws:
            for name in "1234567890*AABCD":
                say(ws, key(name, rate), rate)
            say(ws, tone(440, seconds=0.3, rate=rate) + tone(697, seconds=0.2, rate=rate), rate)  # no keys
            say(ws, key("#", rate), rate)
            beep = heard(ws, 17 * round(0.1 * rate) * 2)
            assert any(beep)
            for _ in ws:  # what is left of the beeps, until the server closes
                pass
            assert ws.close_code == 1000
        assert "The caller entered 16 keys." in until(lambda: server.log if "entered" in server.log else "")
