"""The function whose sockets tests open through real servers, and what it noted of them."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from tests.harness.server import Server, until

STYLES = ("blocking", "callback")
both_styles = pytest.mark.parametrize("style", STYLES)

ANYBODY = {"WEBHOOK_PROTECTION": "never"}

MIB = 1 << 20


def noted(server: Server, key: str, what: str) -> list[Any]:
    """The first of the notes with this word, as soon as it is there; without the word."""

    def found() -> list[Any]:
        notes = json.loads(server.request("GET", f"/noted?key={key}")[2])
        return [note for note in notes if note[0] == what]

    return list(until(found)[0][1:])


def record_of(server: Server, key: str) -> dict[str, Any]:
    """The usage record of the socket that was opened with this key."""
    return server.record_of(noted(server, key, "opened")[0])


def new_key() -> str:
    return secrets.token_hex(8)


def worker_of(server: Server) -> int:
    return int(server.request("GET", "/pid")[2])


def memory(pid: int) -> int:
    """Bytes that a process has in memory."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


#: Each path in both styles, below /blocking and /callback. `GET /noted?key=...` tells what happened on the sockets that
#: were opened with this key, /threads which threads there are.
FUNCTION = r"""
import collections, functools, threading
from sinchfn import ConnectionClosed, signals

__all__ = ["ice", "noted", "pid", "setup", "threads"]

notes = collections.defaultdict(list)

def note(request, *what):
    if "key" in request.query:
        notes[request.query["key"]].append(list(what))

def noted(context, request):
    return notes[request.query["key"]]

def threads(context, request):
    return [thread.name for thread in threading.enumerate()]

def pid(context, request):
    return str(os.getpid())

def ice(context, data):
    return IceSvamlBuilder().say("hello").hangup()

def echo(ws, data, request):
    ws.send(data)

def work(ws, data, request):
    verb, *words = data.split() if isinstance(data, str) else ["echo"]
    if verb == "raise":
        raise ValueError("the handler broke")
    if verb == "exit":
        sys.exit(3)
    if verb == "close":
        ws.close(int(words[0]), " ".join(words[1:]))
    elif verb == "sleep":
        note(request, "sleeps")
        time.sleep(float(words[0]))
        ws.send("slept")
    elif verb == "send":
        ws.send(bytes(int(words[0])))
    elif verb == "flood":
        count, size = int(words[0]), int(words[1])
        began = time.monotonic()
        try:
            for number in range(count):
                ws.send(number.to_bytes(4, "big") + bytes(size - 4))
        except ConnectionClosed as error:
            note(request, "flooded", number, error.code, time.monotonic() - began)
            raise
        ws.send("flooded")
    elif verb == "threads":
        write_at_once(ws, int(words[0]))
    elif verb == "flood-by":
        flood_by[words[0]](ws, request)
    elif verb == "later":
        ws.call_later(0.05, lambda: ws.send("later"))
    elif verb == "flask":
        ws.send(json.dumps([flask_request.path, flask_request.args.get("a"), flask.current_app.name]))
    elif verb == "id":
        ws.send(ws.context.request_id)
    else:
        ws.send(data)

def flood_by_timer(ws, request):
    try:
        ws.send(bytes(200_000))
        ws.call_later(0.001, lambda: flood_by_timer(ws, request))
    except BaseException as error:
        note(request, "flooded", type(error).__name__)
        raise

def flood_by_thread(ws, request):
    def write():
        try:
            while True:
                ws.send(bytes(200_000))
        except BaseException as error:
            note(request, "flooded", type(error).__name__)
    threading.Thread(target=write).start()

flood_by = {"timer": flood_by_timer, "thread": flood_by_thread}

def write_at_once(ws, count):
    def write(letter):
        for number in range(count):
            # sizes that change, so that a part of one in another would be seen
            ws.send((letter + str(number) + ":" + letter * (number * 37 % 700)).encode())
    writers = [threading.Thread(target=write, args=(letter,)) for letter in "ABCDEFGH"]
    for writer in writers:
        writer.start()

async def awaits(ws, data, request):
    await asyncio.sleep(0.001)
    ws.send(data)

def blocking(each):
    def handler(ws, request, **variables):
        listen(ws, request, variables)
        try:
            for message in ws:
                each(ws, message, request)
        finally:
            note(request, "ended", ws.close_code)
    return handler

def callback(each):
    def handler(ws, request, **variables):
        listen(ws, request, variables)
        ws.on_message(lambda data: each(ws, data, request))
    return handler

def listen(ws, request, variables):
    note(request, "opened", ws.context.request_id, variables)
    ws.on_close(lambda code, reason: note(request, "closed", code, reason))
    ws.on_error(lambda error: note(request, "error", type(error).__name__, getattr(error, "code", None)))

def both(runtime, path, each):
    runtime.on_websocket("/blocking" + path, blocking(each), protected=False)
    runtime.on_websocket("/callback" + path, callback(each), protected=False)

def setup(runtime):
    both(runtime, "/echo", echo)
    both(runtime, "/work", work)
    both(runtime, "/rooms/<int:room>/<name>", echo)
    runtime.on_websocket("/callback/async", callback(awaits), protected=False)

    @runtime.on_websocket("/blocking/async", protected=False)
    async def in_a_loop(ws, request):
        for message in ws:
            await awaits(ws, message, request)

    @runtime.on_websocket("/blocking/raises", protected=False)
    def raises(ws, request):
        note(request, "opened", ws.context.request_id, {})
        raise ValueError("the handler broke")

    @runtime.on_websocket("/callback/raises", protected=False)
    def raises_after_registering(ws, request):
        note(request, "opened", ws.context.request_id, {})
        ws.on_message(lambda data: ws.send(data))
        raise ValueError("the handler broke")

    @runtime.on_websocket("/blocking/returns", protected=False)
    def returns(ws, request):
        ws.send("bye")

    @runtime.on_websocket("/request", protected=False)
    def shows_request(ws, request):
        ws.send(json.dumps({
            "path": request.path, "query": dict(request.query), "header": request.headers.get("X-Own"),
            "call": ws.call_id,
        }))

    @runtime.on_websocket("/asks", protected=False)
    def asks_at_the_error(ws, request):
        note(request, "opened", ws.context.request_id, {})
        @ws.on_error
        def ask(error):
            try:
                ws.receive(0)
            except ConnectionClosed as error:
                note(request, "asked", error.code)
        if request.query["when"] == "busy":
            ws.receive()
            time.sleep(2)
        for _ in ws:
            pass

    @runtime.on_websocket("/late", protected=False)
    def registers_late(ws, request):
        listen(ws, request, {})
        note(request, "first", ws.receive())
        ws.on_message(lambda data: ws.send(data))

    @runtime.on_websocket("/storage", protected=False)
    def keeps(ws, request):
        ws.on_message(lambda data: None)
        @ws.on_close
        def closed(code, reason):
            ws.context.storage.write("closed.txt", str(code))
            note(request, "kept", ws.context.storage.read_text("closed.txt"))

    @runtime.on_websocket("/timeouts", protected=False)
    def timeouts(ws, request):
        found = []
        for timeout in (0, 0.3):
            began = time.monotonic()
            found.append([ws.receive(timeout), time.monotonic() - began])
        ws.send(json.dumps(found))
        note(request, "first", ws.receive(30))
        while (message := ws.receive(0)) is None:
            time.sleep(0.01)
        note(request, "polled", message)
        time.sleep(1)
        note(request, "second", ws.receive(0))
        for _ in range(3):
            try:
                note(request, "third", ws.receive(5))
            except ConnectionClosed as error:
                note(request, "raised", error.code, error.reason)
        try:
            ws.send("too late")
        except ConnectionClosed as error:
            note(request, "raised", error.code, error.reason)
        note(request, "iterated", list(ws), ws.is_open, ws.close_code)

    @runtime.on_websocket("/types", protected=False)
    def types(ws, request):
        ws.send(bytearray(b"one"))
        ws.send(memoryview(b"two"))
        for wrong in (None, 3, {"a": 1}):
            try:
                ws.send(wrong)
            except TypeError:
                ws.send("TypeError")
        for code in (999, 1004, 1005, 1006, 1015, 1016, 2999, 5000):
            try:
                ws.close(code)
            except ValueError:
                ws.send("ValueError")
        ws.close(3000, "ä" * 100)
        ws.close(3001)

@signals.websocket_opened.connect
def opened(app, invocation):
    note(invocation.request, "signal opened", invocation.status, invocation.export.kind.name)

@signals.websocket_closed.connect
def closed(app, invocation):
    note(invocation.request, "signal closed", invocation.outcome, dict(invocation.stream))
"""
