"""The load generator of calls.py, a process of its own: WebSockets that send 640 bytes every 20 ms and want them back.

Any server that echoes will do: ``python callers.py PORT --path /echo --calls 100 --pid PID``. Prints one JSON object,
a `Result`. One thread and one epoll. The calls are spread over 20 slots of 1 ms. A frame is sent when it is due,
whether or not those before it have come back; what the socket does not take waits in the call.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import math
import os
import resource
import select
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import footprint

HOST = "127.0.0.1"
#: Seconds for a handshake, and for frames that are still under way after the last one has been sent.
PATIENCE, GRACE = 30.0, 1.0

PAYLOAD, SLOT, SLOTS = 640, 0.001, 20
#: Seconds between two echoes of a call that its caller hears: three frames.
GAP = 0.060

#: The number of different frames. A call sends them in turn, so that an echo tells which frame it is.
FRAMES = 256
#: Events between two checks of the schedule: a bound on how much reads delay a send.
EVENTS = 64

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

clock = time.perf_counter


class Result(NamedTuple):
    """The result of the calls, without the warm-up. Times of frames are in milliseconds."""

    calls: int
    #: frames that came back, and processor seconds of the server, during the measurement
    echoes: int
    seconds: float
    cpu_seconds: float
    #: round trips of the frames that were sent during the measurement
    p50: float
    p99: float
    p999: float
    #: how often more than 60 ms passed without an echo in a call
    gaps: int
    #: frames that have not come back one second after the end
    missing: int
    #: calls that could not be opened or that the server ended
    lost: int
    #: bytes of the server with all sockets open, and with none
    rss: int
    rss_before: int
    #: of the client: the delay of its sends, and its share of a core
    lag_p99: float
    client_share: float
    #: share of the server's core that other processes took; None if the server is not kept on one core
    others_share: float | None


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a frame as a client sends it, masked."""
    key = os.urandom(4)
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return _head(opcode, len(payload), 0x80) + key + masked.to_bytes(len(payload), "big")


def _head(opcode: int, length: int, mask: int) -> bytes:
    if length < 126:
        return bytes((0x80 | opcode, mask | length))
    return struct.pack("!BBH", 0x80 | opcode, mask | 126, length)


PAYLOADS = tuple(bytes([number]) + os.urandom(PAYLOAD - 1) for number in range(FRAMES))
SENT = tuple(frame(BINARY, payload) for payload in PAYLOADS)
#: The echo of each frame. By far most come in one read of their own.
ECHOED = tuple(_head(BINARY, PAYLOAD, 0) + payload for payload in PAYLOADS)
ECHO = len(ECHOED[0])


class LostError(Exception):
    """The server has ended a call."""


class Call:
    """One WebSocket: the frames under way, the bytes that are not sent yet, and the incomplete frame."""

    __slots__ = ("backlog", "last", "next_echo", "next_frame", "rest", "sent", "socket")

    def __init__(self, port: int, path: str) -> None:
        """:raises OSError: no WebSocket was opened."""
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = self._handshake(port, path)
        self.socket.setblocking(False)
        self.backlog = bytearray()
        self.sent: deque[float] = deque()
        self.next_frame = self.next_echo = 0
        self.last = math.inf

    def _handshake(self, port: int, path: str) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError(f"the server closed instead of opening a WebSocket: {answer[:300]!r}")
            answer += data
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"no WebSocket was opened: {answer[:300]!r}")
        return answer.partition(b"\r\n\r\n")[2]

    def send(self, data: bytes) -> bool:
        """Send data. Return True if all of it is sent; the rest is kept for ``flush``.

        :raises OSError: the connection is gone.
        """
        if self.backlog:
            self.backlog += data
            return False
        try:
            done = self.socket.send(data)
        except BlockingIOError:
            done = 0
        if done == len(data):
            return True
        self.backlog += data[done:]
        return False

    def flush(self) -> bool:
        """Send the bytes that were kept. Return True if none are left."""
        kept = bytes(self.backlog)
        self.backlog.clear()
        return self.send(kept)

    def close(self) -> None:
        self.socket.close()


class Callers:
    """All calls, and the clock that they share."""

    def __init__(self, port: int, path: str, count: int) -> None:
        self._poll = select.epoll()  # before the sockets: select() takes no number above 1023
        self.calls: dict[int, Call] = {}
        self.lost = 0
        for _ in range(count):
            try:
                call = Call(port, path)
            except OSError:
                self.lost += 1
                continue
            self.calls[call.socket.fileno()] = call
            self._poll.register(call.socket, select.EPOLLIN)
        ordered = list(self.calls.values())
        self._wheel = [ordered[slot::SLOTS] for slot in range(SLOTS)]
        self._buffer = bytearray(1 << 16)
        self._counts_from = math.inf
        self.round_trips: list[float] = []
        self.lags: list[float] = []
        self.gaps = self.echoes = 0

    def play(self, seconds: float) -> None:
        """Send frames for some seconds, and read the echoes. Whole turns of the wheel, at least one."""
        start = clock()
        slots = max(round(seconds / SLOT / SLOTS), 1) * SLOTS
        done = 0
        while done < slots:
            due = start + done * SLOT
            if clock() >= due:
                self._send(self._wheel[done % SLOTS], due)
                done += 1
            self._receive(start + done * SLOT)

    def begin(self) -> None:
        """Start to count frames and echoes."""
        self._counts_from = clock()

    def end(self) -> None:
        """Stop counting. Wait for the round trips of the frames that are still under way."""
        now = clock()
        self.gaps += sum(now - call.last > GAP for call in self.calls.values())
        echoes, gaps = self.echoes, self.gaps
        while clock() < now + GRACE and any(call.sent for call in self.calls.values()):
            self._receive(clock() + SLOT)
        self.echoes, self.gaps = echoes, gaps

    def close(self) -> None:
        """End the calls as a caller does, if the server still reads."""
        for call in self.calls.values():
            with suppress(OSError):
                call.send(frame(CLOSE, struct.pack("!H", 1000)))
            call.close()
        self.calls.clear()
        self._poll.close()

    def _send(self, calls: list[Call], due: float) -> None:
        for call in tuple(calls):  # lost calls are removed
            number = call.next_frame
            call.next_frame = (number + 1) % FRAMES
            now = clock()
            if now >= self._counts_from:
                self.lags.append(now - due)
            call.sent.append(now)
            try:
                if not call.send(SENT[number]):
                    self._poll.modify(call.socket, select.EPOLLIN | select.EPOLLOUT)
            except OSError:
                self._lose(call)

    def _receive(self, until: float) -> None:
        """Read what has come; if nothing has, wait for it, at most until ``until``.

        select() on the epoll waits for microseconds; epoll's own timeout is in whole milliseconds.
        """
        events = self._poll.poll(0, EVENTS)
        if not events:
            left = until - clock()
            if left > 0:
                select.select((self._poll,), (), (), left)
            return
        now = clock()  # for all of them: they had come when poll returned, however long the reads take
        for number, event in events:
            call = self.calls.get(number)
            if call is None:
                continue
            try:
                if event & select.EPOLLOUT and call.flush():
                    self._poll.modify(number, select.EPOLLIN)
                if event & ~select.EPOLLOUT:
                    self._read(call, now)
            except (OSError, LostError):
                self._lose(call)

    def _read(self, call: Call, now: float) -> None:
        try:
            length = call.socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        if length == ECHO and not call.rest and self._buffer.startswith(ECHOED[call.next_echo]):
            self._echo(call, now)
        elif length:
            self._parse(call, call.rest + bytes(memoryview(self._buffer)[:length]), now)
        else:
            raise LostError

    def _parse(self, call: Call, data: bytes, now: float) -> None:
        """Read anything but the one expected echo: pieces of frames, many frames at once, control frames."""
        start = 0
        while True:
            if data.startswith(ECHOED[call.next_echo], start):
                start += ECHO
                self._echo(call, now)
                continue
            found = _frame(data, start)
            if found is None:
                call.rest = data[start:]
                return
            opcode, payload, start = found
            self._take(call, opcode, payload, now)

    def _take(self, call: Call, opcode: int, payload: bytes, now: float) -> None:
        if opcode == BINARY and payload and payload == PAYLOADS[payload[0]]:
            skipped = (payload[0] - call.next_echo) % FRAMES
            if skipped >= len(call.sent):
                raise RuntimeError(f"frame {payload[0]} came back, which is not under way")
            for _ in range(skipped):
                call.sent.popleft()
            call.next_echo = payload[0]
            self._echo(call, now)
        elif opcode == PING:
            if not call.send(frame(PONG, payload)):
                self._poll.modify(call.socket, select.EPOLLIN | select.EPOLLOUT)
        elif opcode == CLOSE:
            raise LostError
        elif opcode != PONG:
            raise RuntimeError(f"not what was sent came back: opcode {opcode}, {len(payload)} bytes")

    def _echo(self, call: Call, now: float) -> None:
        sent = call.sent.popleft()
        call.next_echo = (call.next_echo + 1) % FRAMES
        counts_from = self._counts_from
        if sent >= counts_from:
            self.round_trips.append(now - sent)
        if now >= counts_from:
            self.echoes += 1
            self.gaps += now - call.last > GAP
        call.last = now

    def _lose(self, call: Call) -> None:
        """Forget a call that is over. Its frames under way count as missing."""
        self.lost += 1
        self._poll.unregister(call.socket)
        del self.calls[call.socket.fileno()]
        for calls in self._wheel:
            if call in calls:
                calls.remove(call)
        call.close()


def _frame(data: bytes, start: int) -> tuple[int, bytes, int] | None:
    """Return the opcode, payload and end of the frame at ``start``, as a server sends it; None if it is incomplete.

    :raises RuntimeError: it is one that no echo consists of.
    """
    begin = start + 2
    if len(data) < begin:
        return None
    first, length = data[start:begin]
    if not first & 0x80 or length > 126:
        raise RuntimeError(f"a frame came that is fragmented, masked or too long: {data[start : start + 4]!r}")
    if length == 126:
        if len(data) < begin + 2:
            return None
        length, begin = int.from_bytes(data[begin : begin + 2], "big"), begin + 2
    end = begin + length
    return (first & 15, data[begin:end], end) if len(data) >= end else None


class Used(NamedTuple):
    """Elapsed seconds, and seconds of processor time."""

    seconds: float
    client: float
    server: float
    #: in which the core that the server is kept on was idle
    idle: float | None

    @property
    def others_share(self) -> float | None:
        return None if self.idle is None else max(1 - (self.idle + self.server) / self.seconds, 0.0)


class Meter:
    """The usage since it was made."""

    def __init__(self, server: Sequence[int]) -> None:
        self._server = server
        cores = os.sched_getaffinity(server[0])
        self._core = cores.pop() if len(cores) == 1 else None
        self._before = self._now()

    def used(self) -> Used:
        now, before = self._now(), self._before
        idle = None if now.idle is None or before.idle is None else now.idle - before.idle
        return Used(now.seconds - before.seconds, now.client - before.client, now.server - before.server, idle)

    def _now(self) -> Used:
        idle = None if self._core is None else footprint.idle_seconds(self._core)
        return Used(clock(), time.process_time(), footprint.cpu_seconds(self._server), idle)


def run(port: int, path: str, pid: int, count: int, seconds: float, warmup: float) -> Result:
    """Play the calls and measure the server: the process ``pid`` and its descendants.

    :raises OSError: the server opens no WebSocket at all.
    """
    server = footprint.tree(pid)
    _first_call(port, path)
    before = footprint.rss(server)
    callers = Callers(port, path, count)
    gc.collect()
    gc.freeze()
    gc.disable()
    callers.play(warmup)
    meter = Meter(server)
    callers.begin()
    callers.play(seconds)
    used = meter.used()
    callers.end()
    rss = footprint.rss(server)
    callers.close()
    trips, lags = sorted(callers.round_trips), sorted(callers.lags)
    return Result(
        calls=count,
        echoes=callers.echoes,
        seconds=used.seconds,
        cpu_seconds=used.server,
        p50=_milliseconds(trips, 0.5),
        p99=_milliseconds(trips, 0.99),
        p999=_milliseconds(trips, 0.999),
        gaps=callers.gaps,
        missing=len(lags) - len(trips),
        lost=callers.lost,
        rss=rss,
        rss_before=before,
        lag_p99=_milliseconds(lags, 0.99),
        client_share=used.client / used.seconds,
        others_share=used.others_share,
    )


def _first_call(port: int, path: str) -> None:
    """Make a server do what it does only once, so that it does not count for the memory of its sockets."""
    Call(port, path).close()
    callers = Callers(port, path, 1)
    callers.play(0.2)
    callers.close()
    time.sleep(0.2)


def _milliseconds(ordered: list[float], share: float) -> float:
    return ordered[int(len(ordered) * share)] * 1000 if ordered else math.nan


def many_files() -> None:
    """Let this process, and those it starts, open as many sockets as the system allows."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--path", default="/")
    parser.add_argument("--pid", type=int, required=True, help="the server, whose descendants count too")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warmup", type=float, default=2.0)
    given = parser.parse_args()
    many_files()
    found = run(given.port, given.path, given.pid, given.calls, given.seconds, given.warmup)
    print(json.dumps(found._asdict()))


if __name__ == "__main__":
    main()
