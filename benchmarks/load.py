"""The load generator, a process of its own: some keep-alive connections, each sending its next request when answered.

Every answer is checked. Prints one JSON object: requests, seconds, and the latencies p50 and p99 in microseconds.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import time
from itertools import cycle
from typing import Any, NamedTuple

from job import PATH, Call, calls

TIMEOUT = 30.0


class Prepared(NamedTuple):
    """A request as it goes over the wire, and the expected answer."""

    data: bytes
    answer: Any


class Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._sent = 0.0
        self._expected: Any = None

    def send(self, request: Prepared) -> None:
        self._expected = request.answer
        self._sent = time.perf_counter()
        self.socket.sendall(request.data)

    def receive(self) -> float | None:
        """Read and check the answer. Return the seconds that it took, or None while it is incomplete.

        :raises RuntimeError: it is not the right one.
        """
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError("the server closed a connection")
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        if not gap or len(body) < _length(head):
            return None
        seconds = time.perf_counter() - self._sent
        self._received = b""
        if not head.startswith(b"HTTP/1.1 200 ") or json.loads(body) != self._expected:
            raise RuntimeError(f"wrong answer: {head!r} {body[:500]!r}")
        return seconds


def _length(head: bytes) -> int:
    name = b"\r\ncontent-length:"
    lowered = head.lower()
    start = lowered.find(name)
    if start < 0:
        raise RuntimeError(f"an answer without a length: {head!r}")
    return int(lowered[start + len(name) :].partition(b"\r\n")[0])


def prepared(call: Call) -> Prepared:
    """Return the bytes of a request."""
    headers = {"Host": "127.0.0.1", "Accept": "*/*", "User-Agent": "benchmark", **call.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    data = f"POST {PATH} HTTP/1.1\r\n{head}Content-Length: {len(call.body)}\r\n\r\n".encode() + call.body
    return Prepared(data, call.answer)


def run(port: int, seconds: float, connections: int) -> dict[str, float]:
    """Keep ``connections`` busy for ``seconds``."""
    requests = cycle([prepared(call) for call in calls()])
    busy = {made.socket.fileno(): made for made in (Connection(port) for _ in range(connections))}
    poll = select.poll()
    for number in busy:
        poll.register(number, select.POLLIN)
    latencies: list[float] = []
    start = time.perf_counter()
    for connection in busy.values():
        connection.send(next(requests))
    while time.perf_counter() - start < seconds:
        for number, _ in poll.poll(TIMEOUT * 1000):
            taken = busy[number].receive()
            if taken is not None:
                latencies.append(taken)
                busy[number].send(next(requests))
    return _summary(latencies, time.perf_counter() - start)


def _summary(latencies: list[float], seconds: float) -> dict[str, float]:
    if not latencies:
        raise RuntimeError("no answer came: measure for longer")
    ordered = sorted(latencies)
    return {
        "requests": len(ordered),
        "seconds": seconds,
        "p50": ordered[len(ordered) // 2] * 1e6,
        "p99": ordered[int(len(ordered) * 0.99)] * 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=8)
    given = parser.parse_args()
    print(json.dumps(run(given.port, given.seconds, given.connections)))


if __name__ == "__main__":
    main()
