"""Requests that nobody sends by accident: each gets a 4xx in JSON or a correct answer, never a 500, and a record."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinchfn import FunctionResponse, SinchFunctions
from sinchfn.wire.json import MAX_DEPTH
from tests.harness.app import Served, serving, write_function
from tests.harness.call import Answer, Stream
from tests.harness.paths import VOICE
from tests.harness.signer import CALL_ID, ICE, SIGNING, encoded, signed

ECHO = """
def echo(context, request):
    how = request.query.get("as", "json")
    if how == "json":
        return [request.json]
    if how == "body":
        body = request.body
        return {"type": type(body).__name__, "body": body.hex() if isinstance(body, bytes) else body}
    if how == "text":
        return request.raw_body.decode("utf-8", "replace")
    if how == "bytes":
        return request.raw_body
    if how == "header":
        return {"statusCode": 200, "headers": {"X-Echo": request.headers.get("X-In", "")}, "body": "ok"}
    if how == "form":
        files = {name: file.read().hex() for name, file in request.files.items()}
        return {"form": request.form.to_dict(flat=False), "files": files}
    if how == "request":
        return {
            "method": request.method, "path": request.path, "headers": list(request.headers.items()),
            "query": request.query, "args": request.args.to_dict(flat=False), "cookies": request.cookies.to_dict(),
            "remote_addr": request.remote_addr, "content_type": request.content_type, "id": request.id,
            "length": len(request.raw_body),
        }
    if how == "flask":
        return {
            "json": repr(flask_request.get_json(force=True, silent=True)), "form": flask_request.form.to_dict(),
            "data": flask_request.get_data().hex(), "values": flask_request.values.to_dict(),
        }
    return {"unknown": how}


def echo_webhook(context, request):
    return {"body": repr(request.body)}


def default(context, request):
    return {"root": request.raw_body.decode("latin-1")}


FIELDS = (
    "call_id", "cli", "to", "domain", "user", "timestamp", "rdnis", "duration", "result", "reason", "from_", "debit",
    "user_rate", "menu_result", "amd", "custom", "version", "call_headers", "application_key", "origination_type",
)


def _touch(context, data):
    context.log.info("call %s with %s", data.call_id, [str(getattr(data, name, None))[:100] for name in FIELDS])


def ice(context, data):
    _touch(context, data)
    return IceSvamlBuilder().say("hello").hangup()


def ace(context, data):
    _touch(context, data)


def pie(context, data):
    _touch(context, data)
    return {"action": {"name": "hangup"}}


async def dice(context, data):
    _touch(context, data)


def notify(context, data):
    _touch(context, data)
"""

#: Paths of the function above, one of each kind, the root (which reads its body to find the event) among them.
EVERYWHERE = ("/ice", "/pie", "/notify", "/echo", "/webhook/echo", "/")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, ECHO) as served:
        yield served


def refused(answer: Answer, *statuses: int) -> None:
    assert answer.status in (statuses or (400,)), (answer.line, answer.body)
    assert answer.json["error"]
    assert answer.json["requestId"] == answer.headers["X-Request-ID"]


def recorded(served: Served, answer: Answer) -> None:
    record = served.ledger[-1]
    assert record["request_id"] == answer.headers["X-Request-ID"]
    assert record["status"] == answer.status


# --- JSON -----------------------------------------------------------------------------------------------------------

MALFORMED = (
    b"{",
    b"}",
    b"nul",
    b"[1,]",
    b"{'a': 1}",
    b'{"a" 1}',
    b'{"a": 1}{"b": 2}',
    b'{"a": 1} trailing',
    b'{"a": 01}',
    b'{"a": +1}',
    b'{"a": .5}',
    b'{"a": 0x10}',
    b'"unterminated',
    b'"bad \\x escape"',
    b'"raw \n newline"',
    b'"raw \x00 nul"',
    b"\x00",
    b" ",
    b"\xff\xfe",
    b'"\xff"',
    b'"\xc3"',
    b'"\xed\xa0\x80"',  # half of a surrogate pair, as UTF-8 must not have it
    b'"\xf5\x80\x80\x80"',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'{"\\ud800": 1}',
    b'["\\uD800 and more"]',
    '{"a": 1}'.encode("utf-16"),
    '{"a": 1}'.encode("utf-32"),
    b"NaN",
    b'{"a": NaN}',
    b"[Infinity]",
    b"[-Infinity]",
    b"1e400",
    b"[-1e999999999]",
    b"9" * 5000,
    b'{"a": ' + b"1" * 100_000 + b"}",
    b"\xef\xbb\xbf\xef\xbb\xbf{}",
    b"<xml/>",
    b"a=1&b=2",
)


@pytest.mark.parametrize("path", ["/ice", "/dice", "/echo"])
def test_what_is_not_json_is_a_400_with_a_record(served: Served, path: str) -> None:
    for body in MALFORMED:
        answer = served.post(path, body)
        refused(answer)
        recorded(served, answer)
    assert len(served.ledger) == len(MALFORMED)
    assert served.logged("ERROR") == []


def test_what_is_not_json_at_the_root_goes_to_the_root_handler(served: Served) -> None:
    for body in MALFORMED:
        answer = served.post("/", body)
        assert answer.json == {"root": body.decode("latin-1")}
        recorded(served, answer)


def test_what_is_not_json_at_a_callback_url_without_root_handler_is_a_400_with_a_record(tmp_path: Path) -> None:
    with serving(tmp_path, "def ice(context, data): return None") as served:
        for body in MALFORMED:
            answer = served.post("/", body)
            refused(answer)
            recorded(served, answer)


@pytest.mark.parametrize("path", ["/ice", "/ace", "/pie", "/dice", "/notify"])
@pytest.mark.parametrize("body", [b"[]", b"null", b"true", b"1", b"1.5", b'"ice"', b'[{"event": "ice"}]'])
def test_a_callback_that_is_no_json_object_is_a_400(served: Served, path: str, body: bytes) -> None:
    answer = served.post(path, body)
    refused(answer)
    recorded(served, answer)


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"true",
        b"0",
        b"-0",
        b"1.5",
        b"1e308",
        b"5e-324",
        b"[]",
        b"{}",
        b'""',
        b'{"": ""}',
        b'"\\u0000"',
        b'"\\ud83d\\ude00"',
        b'"\\\\ud800"',  # a backslash and the letters ud800: no surrogate
        '"å € 😀 \u2028 \x7f"'.encode(),
        b"  \r\n\t[1 , 2]\n",
        b"\xef\xbb\xbf[1]",
        b"9" * 4300,
        b'{"a": 1, "a": 2}',
        b'{"__proto__": {"a": 1}, "__class__": "x", "constructor": null}',
        b'{"statusCode": 900, "headers": {"X": "\\r\\n"}}',
    ],
)
def test_odd_but_valid_json_is_echoed_as_it_is(served: Served, body: bytes) -> None:
    answer = served.post("/echo", body)
    assert answer.status == 200
    assert answer.json == [json.loads(body.decode("utf-8-sig"))]
    recorded(served, answer)


def _arrays(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def _objects(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def _mixed(depth: int) -> bytes:
    return b'[{"a":' * (depth // 2) + b"1" + b"}]" * (depth // 2)


@pytest.mark.parametrize("nested", [_arrays, _objects, _mixed])
def test_nesting_is_taken_to_the_limit_and_refused_above_it(served: Served, nested: Callable[[int], bytes]) -> None:
    within = nested(MAX_DEPTH)
    assert served.post("/echo", within).json == [json.loads(within)]
    for depth in (MAX_DEPTH + 2, 900, 1100, 20_000, 100_000):
        refused(served.post("/echo", nested(depth)))
        refused(served.post("/ice", b'{"event": "ice", "custom": ' + nested(depth) + b"}"))
    assert served.logged("ERROR") == []


def test_many_brackets_that_are_not_nested_are_no_matter(served: Served) -> None:
    body = encoded([[], {}] * 5000 + ["[[[[{{{{" * 100])
    assert served.post("/echo", body).json == [json.loads(body)]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_nesting_that_never_closes_is_a_400(served: Served, opening: bytes) -> None:
    for path in ("/ice", "/echo"):
        refused(served.post(path, opening * 100_000))


def test_a_callback_with_every_field_of_the_wrong_type_is_answered(served: Served) -> None:
    names = json.loads((VOICE / "events" / "notify_all_fields.json").read_bytes())
    fields = [*names, "callid", "callId", "cli", "to", "domain", "userRate", "menuResult", "amd", "duration", "debit"]
    for value in (None, True, -1, 10**400, 1e308, "", "\x00\r\n", [], {}, [[]], {"a": {}}, "9" * 1000, "NaN"):
        for path in ("/ice", "/ace", "/pie", "/dice", "/notify"):
            payload = dict.fromkeys(fields, value) | {"event": path[1:]}
            answer = served.post(path, payload)
            assert answer.status == 200, (path, value, answer.body)
            recorded(served, answer)


@pytest.mark.parametrize("event", [None, 1, [], {}, "", "ICE", " ice", "ice\n", "nonsense", "ïce", True])
def test_an_event_that_names_no_callback_does_not_matter_where_the_path_decides(served: Served, event: object) -> None:
    assert served.post("/ice", ICE | {"event": event}).status == 200


@pytest.mark.parametrize("event", ["ace", "PIE", "Dice", "notify"])
def test_an_event_that_names_another_callback_is_a_400(served: Served, event: str) -> None:
    answer = served.post("/ice", ICE | {"event": event})
    refused(answer)
    recorded(served, answer)


# --- content types --------------------------------------------------------------------------------------------------

CONTENT_TYPES = (
    "",
    ";",
    "/",
    "json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\x7f",
    "multipart/form-data; boundary=" + "b" * 5000,
    "application/json; charset=utf-16",
    'application/json; charset="',
    "application/vnd.api+json",
    "text/html; charset=nonsense",
    "text/plain; charset=utf-7",
    "text/plain; charset=idna",
    "text/plain; charset=rot13",
    "text/plain; charset=hex",
    "text/plain; charset=undefined",
    "text/plain; charset*=utf-8''%FF%FF",
    "text/plain; charset=" + "x" * 5000,
    "\xe5\xe4\xf6",
    "a" * 8000,
    "application/json, application/json",
)


@pytest.mark.parametrize("path", ["/ice", "/echo?as=body", "/echo?as=form", "/echo?as=flask", "/webhook/echo", "/"])
@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe\x00", b"a=1&b=%FF&=&&c", b'--x\r\nContent-Disposition: "'])
def test_no_content_type_makes_a_500(served: Served, path: str, body: bytes) -> None:
    for content_type in CONTENT_TYPES:
        answer = served.post(path, body, headers={"Content-Type": content_type})
        assert answer.status < 500, (content_type, answer.body)
        recorded(served, answer)
        if answer.status >= 300:
            refused(answer, 400, 413, 415)
    assert served.logged("ERROR") == []


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_posted_to_a_callback_is_refused_in_json(served: Served, content_type: str) -> None:
    refused(served.post("/ice", b"event=ice&callid=1", headers={"Content-Type": content_type}), 400, 415)


MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


def test_a_multipart_body_of_too_many_parts_is_a_413_that_names_the_limit(served: Served) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    for times, status in ((1000, 200), (1001, 413), (5000, 413)):
        answer = served.post("/echo?as=form", part * times + b"--b--\r\n", headers=MULTIPART)
        assert answer.status == status
        recorded(served, answer)
        if status == 413:
            assert "more than 1000 fields and files" in answer.json["error"]
            assert "MAX_FORM_PARTS" in answer.json["error"]
    served.app.config["MAX_FORM_PARTS"] = 5000
    assert served.post("/echo?as=form", part * 5000 + b"--b--\r\n", headers=MULTIPART).status == 200


def test_the_limit_is_named_wherever_the_form_is_asked_for(tmp_path: Path) -> None:
    source = """
        from marshmallow import fields
        from sinchfn import SinchController, post
        def files(context, request): return len(request.files)
        def body(context, request): return request.body
        def flasks(context, request): return len(flask_request.form)
        def mine(context, request): abort(413)
        class A(SinchController):
            @post("/schema", body={"a": fields.String()})
            def schema(self, body): return body
    """
    body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 1001 + b"--b--\r\n"
    with serving(tmp_path, source) as served:
        for path in ("/files", "/body", "/flasks", "/schema"):
            answer = served.post(path, body, headers=MULTIPART)
            assert (answer.status, "MAX_FORM_PARTS" in answer.json["error"]) == (413, True), path
        assert "MAX_FORM_PARTS" not in served.post("/mine", body, headers=MULTIPART).json["error"]


def test_a_hosts_own_limits_of_a_body_do_not_hold_for_a_function(tmp_path: Path) -> None:
    host = Flask("host")
    host.config |= {"MAX_CONTENT_LENGTH": 10, "MAX_FORM_MEMORY_SIZE": 10}
    function = write_function(tmp_path, "def form(context, request): return request.form['a']")
    SinchFunctions(function, config={"SINCHFN_USAGE": "off"}).init_app(host)
    answer = host.test_client().post("/form", data={"a": "x" * 100})
    assert (answer.status_code, answer.text) == (200, "x" * 100)


def test_a_form_below_the_body_limit_is_taken_whatever_its_size(served: Served) -> None:
    body = b"a=" + b"x" * 900_000
    answer = served.post("/echo?as=form", body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200, answer.body
    assert len(answer.json["form"]["a"][0]) == 900_000


# --- size and length ------------------------------------------------------------------------------------------------

LIMIT = 1000


def _json_of_size(size: int) -> bytes:
    frame = encoded(ICE | {"event": "ice", "pad": ""})
    return encoded(ICE | {"event": "ice", "pad": "x" * (size - len(frame))})


@pytest.mark.parametrize("path", ["/ice", "/echo?as=text", "/webhook/echo", "/"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_exactly_the_limit_is_taken(tmp_path: Path, path: str, chunked: bool) -> None:
    with serving(tmp_path, ECHO, SINCHFN_MAX_BODY=LIMIT) as served:
        answer = served.post(path, _json_of_size(LIMIT), chunked=chunked)
        assert answer.status == 200
        assert served.ledger[-1]["request_bytes"] == LIMIT


@pytest.mark.parametrize("path", ["/ice", "/dice", "/echo?as=text", "/webhook/echo", "/"])
@pytest.mark.parametrize("over", [1, 2, 500, 5000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_a_413_with_a_record(tmp_path: Path, path: str, over: int, chunked: bool) -> None:
    with serving(tmp_path, ECHO, SINCHFN_MAX_BODY=LIMIT) as served:
        answer = served.post(path, _json_of_size(LIMIT + over), chunked=chunked)
        refused(answer, 413)
        recorded(served, answer)
        assert served.ledger[-1]["outcome"] == "refused"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_at_a_callback_url_is_a_413_with_a_record(tmp_path: Path, chunked: bool) -> None:
    with serving(tmp_path, "def ice(context, data): return None", SINCHFN_MAX_BODY=LIMIT) as served:
        for body in (_json_of_size(LIMIT + 1), b" " * (LIMIT + 1) + b'{"event": "ice"}', b" " * LIMIT + b"  {}"):
            answer = served.post("/", body, chunked=chunked)
            refused(answer, 413)
            recorded(served, answer)
        assert len(served.ledger) == 3


def test_what_follows_an_oversized_chunked_body_never_reaches_the_root_handler_as_a_body(tmp_path: Path) -> None:
    with serving(tmp_path, ECHO, SINCHFN_MAX_BODY=LIMIT) as served:
        answer = served.post("/", b"x" * (LIMIT + 1) + b"the tail", chunked=True)
        refused(answer, 413)


class ServersOwnError(Exception):
    """Stands for what a server raises out of a body: each has classes of its own."""


FAILURES = (OSError("gone"), ConnectionResetError(), ValueError("chunk"), EOFError(), ServersOwnError(), TimeoutError())


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_cannot_be_read_is_a_400_with_a_record(
    served: Served, path: str, failure: Exception, chunked: bool
) -> None:
    # After the failure the stream is at its end, as gunicorn's is.
    for parts in ((failure,), (b'{"event": ', failure), (b"{}", failure)):
        extra: dict[str, Any] = {} if chunked else {"CONTENT_LENGTH": "500"}
        answer = served.post(path, Stream(*parts), chunked=chunked, **extra)
        refused(answer)
        recorded(served, answer)


@pytest.mark.parametrize("path", EVERYWHERE)
def test_a_body_shorter_than_announced_is_a_400_with_a_record(served: Served, path: str) -> None:
    for body in (b"", b"{", b"{}", encoded(ICE)):
        answer = served.post(path, Stream(body), CONTENT_LENGTH="500")
        refused(answer)
        recorded(served, answer)


def test_a_body_longer_than_announced_is_read_as_far_as_announced(served: Served) -> None:
    assert served.post("/echo?as=text", Stream(b"abcdef"), CONTENT_LENGTH="3").text == "abc"


def test_a_body_that_comes_in_single_bytes_is_put_together(served: Served) -> None:
    body = encoded(ICE)
    pieces = [bytes([byte]) for byte in body]
    assert served.post("/echo", Stream(*pieces), chunked=True).json == [ICE]
    assert served.post("/echo", Stream(*pieces), CONTENT_LENGTH=str(len(body))).json == [ICE]


LENGTHS = (
    "-1", "+2", "abc", "1e3", "0x10", "2, 2", "2,2", " ", "2.0", "\xb2", "9" * 18, "9" * 19, "9" * 5000,
    "18446744073709551616", "2\x00", "--", "1_000", "\u0663",
)  # fmt: skip


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("length", LENGTHS, ids=lambda length: repr(length)[:20])
def test_an_absurd_content_length_is_refused_with_a_record(served: Served, path: str, length: str) -> None:
    answer = served.post(path, Stream(b"{}"), CONTENT_LENGTH=length)
    refused(answer, 400, 413)
    recorded(served, answer)


# --- heads ----------------------------------------------------------------------------------------------------------

HEADS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("Host", ""),),
    (("Host", "a b:c:d/[\xff"),),
    (("Host", "[::1"),),
    (("Host", "x" * 5000),),
    (("Host", "xn--\xe5.example:99999999"),),
    (("X-In", "x" * 20_000),),
    (("X-In", "\xff\xfe\x80"),),
    (("X-In", "a"), ("X-In", "b"), ("X-In", "")),
    (("Content-Type", "application/json"), ("Content-Type", "text/plain")),
    (("Cookie", "=;;=a;a=;a=b=c;\xff=\xfe; \"'\x7f"),),
    (("Cookie", "; ".join(f"c{i}={i}" for i in range(2000))),),
    (("Cookie", 'a="\\377\\000"'),),
    (("Authorization", ""),),
    (("Authorization", "Basic ===="),),
    (("Authorization", "Basic \xff"),),
    (("Authorization", "Digest username=x, nc=,"),),
    (("Authorization", "application :"),),
    (("X-Timestamp", "\xff"),),
    (("Range", "bytes=-1,5-2,,"), ("If-Range", '"')),
    (("If-None-Match", '"'), ("If-Modified-Since", "99 Xxx 99999 99:99:99")),
    (("Accept", ";;q=nan,*/*;q=9999"), ("Accept-Language", ",,;q=")),
    (("Content-Encoding", "gzip, br, nonsense"),),
    (("Expect", "200-maybe"),),
    (("Transfer-Encoding", "identity"),),
    (("X-Forwarded-For", "a, b, [, \xff"), ("X-Forwarded-Proto", "\xff"), ("X-Forwarded-Host", ":::")),
    (("X-Forwarded-Prefix", "/\xff/../x"), ("X-Forwarded-Port", "99999999")),
    (("Forwarded", "for=;by=;,,"),),
    (("X-Request-ID", "\xff" * 300),),
    (("X-HTTP-Method-Override", "DELETE"),),
    (("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", "@")),
    (("Content-MD5", "nonsense"), ("Date", "never")),
    (("Origin", "null"), ("Access-Control-Request-Method", "FROB")),
    *(((f"X-Odd-{i}", str(i)),) for i in range(3)),
)


@pytest.mark.parametrize("hops", [0, 1, 3])
def test_no_header_makes_a_500(tmp_path: Path, hops: int) -> None:
    with serving(tmp_path, ECHO, SINCHFN_TRUSTED_PROXIES=hops) as served:
        for head in HEADS:
            headers = [("Content-Type", "application/json"), *head]
            for path in (
                "/ice",
                "/echo?as=request",
                "/echo?as=header",
                "/echo?as=flask",
                "/webhook/echo",
                "/",
                "/gone",
            ):
                answer = served.post(path, ICE, headers=headers)
                assert answer.status < 500, (head, path, answer.body)
                if path == "/gone":
                    refused(answer, 404)
                else:
                    recorded(served, answer)
        assert served.logged("ERROR") == []


def test_no_header_gets_past_a_signature(tmp_path: Path) -> None:
    with serving(tmp_path, ECHO, WEBHOOK_PROTECTION="always", **SIGNING) as served:
        for head in HEADS:
            answer = served.post("/ice", ICE, headers=[("Content-Type", "application/json"), *head])
            refused(answer, 401)
            recorded(served, answer)


def test_a_latin_1_header_is_echoed_as_it_came(served: Served) -> None:
    every = "".join(map(chr, (9, *range(32, 127), *range(128, 256)))).strip()
    assert served.get("/echo?as=header", headers={"X-In": every}).headers["X-Echo"].strip() == every


PATHS = (
    "/%00",
    "/echo%00",
    "/echo%0a",
    "/echo%0d%0aX-Injected:%201",
    "/%ff%fe",
    "/%ED%A0%80",
    "/..%2f..%2fetc/passwd",
    "/../function.py",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/.env",
    "/data/usage.jsonl",
    "/function.py",
    "/__pycache__",
    "/\\..\\..\\x",
    "/" + "a" * 20_000,
    "/" + "a/" * 5_000,
    "/" + "/" * 5_000,
    "/%",
    "/%zz",
    "/;x=1",
    "/{}",
    "/{handlers}%s%n",
    "/<script>alert(1)</script>",
    "/webhook/",
    "/webhook/%00",
    "/webhook/webhook",
    "/ice/%20",
    "/ICE",
    "/ice;v=1",
    "/_private",
    "/__init__",
    "/ok",
    "/sinchfn",
    "*",
)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE"])
def test_no_path_makes_a_500_nor_leaks_a_file(served: Served, method: str) -> None:
    for path in PATHS:
        answer = served.request(method, path)
        assert answer.status in (200, 204, 400, 404, 405), (path, answer.line)
        assert b"root:" not in answer.body
        assert "X-Injected" not in answer.headers
        if answer.status >= 400 and method != "HEAD":
            refused(answer, 400, 404, 405)


@pytest.mark.parametrize(
    "query",
    [
        "%",
        "%zz=%",
        "a=1&a=2&a",
        "=&&=&;",
        "%00=%00",
        "a=%ff&b=%ED%A0%80",
        "a" * 50_000,
        "a=1&" * 3000,
        "\xff=\xfe",
        "a[]=1",
    ],
)
def test_no_query_makes_a_500(served: Served, query: str) -> None:
    for how in ("request", "flask"):
        answer = served.get("/echo", query=f"as={how}&{query}")
        assert answer.status == 200
        recorded(served, answer)
    assert served.post("/ice", ICE, query=query).status == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "FROB", "", "G" * 5000])
def test_a_method_nobody_knows_is_a_4xx_in_json_without_a_record(served: Served, method: str) -> None:
    for path in ("/echo", "/ice", "/", "/gone"):
        refused(served.request(method, path), 400, 404, 405, 501)
    assert served.ledger == []


# --- with Hypothesis ------------------------------------------------------------------------------------------------

often = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_every_json_value_comes_back_as_it_went_in(served: Served) -> None:
    @often
    @given(json_values, st.booleans())
    def check(value: Any, ascii_only: bool) -> None:
        answer = served.post("/echo", json.dumps(value, ensure_ascii=ascii_only).encode())
        assert answer.status == 200
        assert answer.json == [value]

    check()


def test_every_body_is_echoed_or_refused(served: Served) -> None:
    @often
    @given(st.binary(max_size=200) | json_values.map(encoded).flatmap(_damaged), st.sampled_from(EVERYWHERE))
    def check(body: bytes, path: str) -> None:
        assert served.post("/echo?as=bytes", body).body == body
        answer = served.post(path, body)
        assert answer.status in (200, 400)
        recorded(served, answer)

    check()


def _damaged(body: bytes) -> st.SearchStrategy[bytes]:
    places = st.integers(0, len(body))
    return st.tuples(places, places, st.binary(max_size=3)).map(lambda cut: body[: cut[0]] + cut[2] + body[cut[1] :])


latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)


def test_no_signature_header_is_a_500_or_lets_anybody_in(tmp_path: Path) -> None:
    with serving(tmp_path, ECHO, WEBHOOK_PROTECTION="always", **SIGNING) as served:
        body = encoded(ICE)

        @often
        @given(latin, latin, latin, st.sampled_from(["ice", "development"]))
        def check(authorization: str, timestamp: str, content_type: str, _: str) -> None:
            good = signed(body)
            for name, value in (("Authorization", authorization), ("X-Timestamp", timestamp)):
                if value.strip() != good[name]:
                    refused(served.post("/ice", body, headers=good | {name: value}), 401)
            if content_type != good["Content-Type"]:
                refused(served.post("/ice", body, headers=good | {"Content-Type": content_type}), 401)

        check()
        assert served.call().status == 200


@dataclasses.dataclass
class Point:
    x: Any
    y: Any = None


class Weird:
    """Nothing that could be answered with."""


headers_of_any_kind = st.dictionaries(
    st.text(max_size=8) | st.sampled_from(["X-A", "Content-Type", "Location", "Set-Cookie", "content-length"]),
    st.text(max_size=8) | st.integers() | st.lists(st.text(max_size=4), max_size=2) | st.none(),
    max_size=3,
)
any_text = st.text(st.characters(), max_size=20)
plain_things = (
    json_values
    | st.floats()
    | any_text
    | st.binary(max_size=20)
    | st.complex_numbers()
    | st.decimals()
    | st.uuids()
    | st.datetimes()
    | st.timedeltas()
    | st.sets(st.integers(), max_size=3)
    | st.just(Weird())
    | st.sampled_from(
        [Weird, Point, len, print, object(), NotImplemented, ..., range(3), ValueError("x"), json, SystemExit]
    )
)
containers = st.recursive(
    plain_things,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(
            any_text | st.integers() | st.none() | st.booleans() | st.tuples(st.text()), inner, max_size=3
        )
        | st.builds(Point, inner, inner)
    ),
    max_leaves=6,
)
statuses = st.integers(200, 599) | st.integers() | st.booleans() | st.none() | any_text | st.floats()
answers = (
    containers
    | st.fixed_dictionaries(
        {"statusCode": statuses}, optional={"body": containers, "headers": headers_of_any_kind | containers}
    )
    | st.builds(FunctionResponse, statuses, containers, headers_of_any_kind | containers)
    | st.tuples(any_text | st.binary(), statuses)
    | st.tuples(any_text, headers_of_any_kind)
    | st.tuples(any_text, statuses, headers_of_any_kind)
)


def test_every_python_value_is_answered_with_or_is_a_500_that_the_log_explains(tmp_path: Path) -> None:
    source = """
    def give(context, request):
        return flask.current_app.config["GIVE"]
    """
    with serving(tmp_path, source) as served:

        @settings(often, max_examples=600)
        @given(answers)
        def check(value: Any) -> None:
            served.app.config["GIVE"] = value
            served.written.truncate(0)
            served.written.seek(0)
            answer = served.get("/give")
            recorded(served, answer)
            if answer.status == 500 and b"requestId" in answer.body:
                (line,) = served.logged("ERROR")[:1]
                assert "The handler give returned an invalid response" in line

        check()


# --- at random ------------------------------------------------------------------------------------------------------

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EXPORTS = ("echo", "webhook/echo", "echoWebhook", "echo_webhook", "")
CALLBACKS = ("ice", "ace", "pie", "dice", "notify")
NOWHERE = (
    "nothing",
    "webhook/ech",
    "Echo",
    "ICE",
    "_touch",
    "health",
    "data/usage.jsonl",
    "webhook/default",
    "%00",
    "%ff",
)


class Chance:
    """Requests drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def method(self) -> str:
        return self.random.choice(("POST",) * 6 + METHODS + ("TRACE", "PROPFIND", "FROB"))

    def path(self) -> tuple[str, bool, bool]:
        """A path, whether it is an export's, and whether it is a callback's."""
        kind = self.random.choices(("export", "callback", "nowhere"), (5, 4, 1))[0]
        if kind == "nowhere":
            return f"/{self.random.choice(NOWHERE)}", False, False
        name = self.random.choice(EXPORTS if kind == "export" else CALLBACKS)
        path = "/" + "".join(self._step() for _ in range(self.random.choice((0, 0, 0, 1, 2)) if name else 0)) + name
        if self.random.random() < 0.2:
            path = path.replace("/", "/" * self.random.randint(1, 3))
        if self.random.random() < 0.2:
            path += "/" * self.random.randint(1, 3)
        if self.random.random() < 0.1:
            path = "".join(f"%{ord(c):02x}" if c.isalpha() and self.random.random() < 0.4 else c for c in path)
        return path, kind == "export", kind == "callback"

    def _step(self) -> str:
        return self.random.choice(
            ("v1/", "api/", "a%20b/", "x/", "%E2%82%AC/", "%ff/", "ice/", "health/", "webhook/x/")
        )

    def query(self) -> str:
        how = self.random.choice(("json", "body", "text", "bytes", "header", "form", "request", "flask", "nothing"))
        return f"as={how}" + self.random.choice(("", "&as=x", "&a=%ff&b=%00", "&%", "&=&&;"))

    def body(self) -> bytes:
        draw = self.random.random()
        if draw < 0.45:
            return encoded(self._payload())
        if draw < 0.6:
            return self.random.choice(MALFORMED)[:3000]
        if draw < 0.7:
            return self.random.randbytes(self.random.randrange(60))
        if draw < 0.8:
            body = bytearray(encoded(self._payload()))
            body[self.random.randrange(len(body))] = self.random.randrange(256)
            return bytes(body)
        return self.random.choice(
            (b"", b"a=1&b=2", b"--b\r\n\r\n", b"x" * 3000, _arrays(50), _arrays(2000), _objects(300), b"\xef\xbb\xbf{}")
        )

    def _payload(self) -> dict[str, Any]:
        payload = dict(ICE)
        payload["event"] = self.random.choice((*CALLBACKS, "ICE", "x", None, 5))
        for _ in range(self.random.randrange(4)):
            name = self.random.choice(
                ("callid", "to", "cli", "timestamp", "menuResult", "amd", "debit", "duration", "x\n")
            )
            payload[name] = self.random.choice(
                (None, True, -1, 1e300, 10**40, "", "a\r\nb", [], {}, {"type": [1]}, CALL_ID)
            )
        return payload

    def headers(self) -> list[tuple[str, str]]:
        content_type = self.random.choice(("application/json",) * 8 + CONTENT_TYPES[:22])
        drawn = [("Content-Type", content_type)] if self.random.random() < 0.9 else []
        return drawn + [pair for head in self.random.sample(HEADS, self.random.randrange(3)) for pair in head]

    def options(self) -> dict[str, Any]:
        body, draw = self.body(), self.random.random()
        options: dict[str, Any] = {"body": body, "headers": self.headers(), "query": self.query()}
        if draw < 0.15:
            options["chunked"] = True
        elif draw < 0.2:
            options["CONTENT_LENGTH"] = self.random.choice(LENGTHS)
        elif draw < 0.25:
            options |= {"body": Stream(body, OSError()), "CONTENT_LENGTH": str(len(body) + 1)}
        elif draw < 0.28:
            options |= {"body": Stream(body, ServersOwnError()), "chunked": True}
        return options


def test_ten_thousand_random_requests_leave_no_500(tmp_path: Path) -> None:
    with serving(tmp_path, ECHO, SINCHFN_MAX_BODY=2500, SINCHFN_LOG_LEVEL="ERROR") as served:
        chance, expected = Chance(20_240_607), 0
        for number in range(10_000):
            method, (path, export, callback) = chance.method(), chance.path()
            answer = served.request(method, path, **chance.options())
            asked = (number, method, path, answer.line, answer.body[:200])
            assert answer.status < 500, (asked, served.log)
            assert answer.broke is None, asked
            if not 200 <= answer.status < 300 and method != "HEAD":
                assert answer.json["error"], asked
            reached = (export and method in METHODS) or (callback and method == "POST")
            expected += reached
        assert served.log == ""
        lost = [record for record in served.ledger if record["status"] == 404 and record["kind"] == "voice"]
        assert len(served.ledger) - len(lost) == expected  # a callback that is sent to nowhere is recorded, too
        assert 5_000 < expected < 9_500


def test_a_stream_response_of_flask_is_checked_like_any_other(tmp_path: Path) -> None:
    source = """
    def give(context, request):
        return flask.current_app.config["GIVE"]()
    """
    broken: tuple[Callable[[], Response], ...] = (
        lambda: Response([1, 2, 3]),
        lambda: Response(["\ud800"]),
        lambda: Response([None]),
        lambda: Response("x", status=0),
        lambda: Response("x", status=99_999),
        lambda: Response("x", status=-5),
        lambda: Response("x", status="nonsense"),
        lambda: Response("x", headers={"Bad Name": "1"}),
        lambda: Response("x", headers={"X-\u20ac": "1"}),
        lambda: Response("x", headers={"X-A\r\nX-Injected": "1"}),
        lambda: Response("x", headers={"X-A": "\u20ac"}),
        lambda: Response("x", headers={"X-A": "\x00"}),
        lambda: Response("x", content_type="text/\u20ac"),
    )
    with serving(tmp_path, source) as served:
        for make in broken:
            served.app.config["GIVE"] = make
            answer = served.get("/give")
            refused(answer, 500)
            recorded(served, answer)
            assert "give" in served.logged("ERROR")[-1]
