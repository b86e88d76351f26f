"""Requests as handlers see them, and what their return values become: the table of the contract, row by row."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import has_request_context

from sinchfn.function.exports import Reads
from sinchfn.serving.parsing import PARSERS
from tests.harness.app import Served, serving
from tests.harness.call import Answer, Opened, environ_of
from tests.harness.signer import ICE

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

#: Where a return value may come from: a custom endpoint and a webhook, each plain and async.
PLACES = {
    "http": ("def give(context, request):", "/give"),
    "async": ("async def give(context, request):", "/give"),
    "webhook": ("def give_webhook(context, request):", "/webhook/give"),
}


def test_every_kind_of_payload_has_a_parser() -> None:
    assert set(PARSERS) == set(Reads)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def given(tmp_path: Path, expression: str, place: str = "http", method: str = "GET", **config: object) -> Answer:
    """The answer of a handler that returns this."""
    answer, _ = given_and_logged(tmp_path, expression, place, method, **config)
    return answer


def given_and_logged(
    tmp_path: Path, expression: str, place: str = "http", method: str = "GET", **config: object
) -> tuple[Answer, list[str]]:
    return given_and_explained(tmp_path, expression, place, method, **config)[:2]


def given_and_explained(
    tmp_path: Path, expression: str, place: str = "http", method: str = "GET", **config: object
) -> tuple[Answer, list[str], str]:
    """The answer, the errors in the log, and those errors with their tracebacks."""
    definition, path = PLACES[place]
    source = f"""
@dataclasses.dataclass
class Point:
    x: int
    y: object = None

{definition}
    return {expression}
"""
    with serving(tmp_path, source, **config) as served:
        answer = served.request(method, path)
        assert served.ledger[-1]["status"] == answer.status
        errors = served.logged("ERROR")
        return answer, errors, "\n".join(errors) + served.traces()


def parts(answer: Answer) -> tuple[int, str | None, bytes]:
    return answer.status, answer.headers.get("Content-Type"), answer.body


# --- a dict with statusCode -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "status", "content_type", "body"),
    [
        ('{"statusCode": 200}', 200, None, b""),
        ('{"statusCode": 204}', 204, None, b""),
        ('{"statusCode": 201, "body": {"a": 1}}', 201, JSON, b'{"a":1}'),
        ('{"statusCode": 200, "body": [1, "x", None]}', 200, JSON, b'[1,"x",null]'),
        ('{"statusCode": 200, "body": 5}', 200, JSON, b"5"),
        ('{"statusCode": 200, "body": 1.5}', 200, JSON, b"1.5"),
        ('{"statusCode": 200, "body": True}', 200, JSON, b"true"),
        ('{"statusCode": 200, "body": None}', 200, JSON, b"null"),
        ('{"statusCode": 200, "body": "text"}', 200, TEXT, b"text"),
        ('{"statusCode": 200, "body": ""}', 200, TEXT, b""),
        ('{"statusCode": 200, "body": "å€😀"}', 200, TEXT, "å€😀".encode()),
        ('{"statusCode": 200, "body": b"\\x00\\xff"}', 200, "application/octet-stream", b"\x00\xff"),
        ('{"statusCode": 200, "body": "<p>", "headers": {"content-type": "text/html"}}', 200, "text/html", b"<p>"),
        ('{"statusCode": 200, "body": {}, "headers": {"Content-Type": "x/y+json"}}', 200, "x/y+json", b"{}"),
        ('{"statusCode": 200, "body": b"x", "headers": {"CONTENT-TYPE": "image/png"}}', 200, "image/png", b"x"),
        ('{"statusCode": 200, "body": Point(1, Point(2))}', 200, JSON, b'{"x":1,"y":{"x":2,"y":null}}'),
        ('{"statusCode": 200, "body": "x", "headers": None}', 200, TEXT, b"x"),
        ('{"statusCode": 200, "body": "x", "headers": {}}', 200, TEXT, b"x"),
        ('{"statusCode": 599, "body": "x"}', 599, TEXT, b"x"),
        ('{"statusCode": 404, "body": {"mine": 1}}', 404, JSON, b'{"mine":1}'),
        ('{"statusCode": __import__("http").HTTPStatus.ACCEPTED, "body": "x"}', 202, TEXT, b"x"),
    ],
)
def test_a_dict_with_a_status_code_is_that_answer(
    tmp_path: Path, place: str, expression: str, status: int, content_type: str | None, body: bytes
) -> None:
    assert parts(given(tmp_path, expression, place)) == (status, content_type, body)


@pytest.mark.parametrize("status", [200, 204, 301, 304, 400, 599])
def test_every_status_from_200_to_599_is_taken(tmp_path: Path, status: int) -> None:
    assert given(tmp_path, f'{{"statusCode": {status}, "body": "x"}}').status == status


@pytest.mark.parametrize(
    "expression",
    [
        '{"statusCode": 99}',
        '{"statusCode": 600}',
        '{"statusCode": 0}',
        '{"statusCode": -200}',
        '{"statusCode": 10**30}',
        '{"statusCode": "200"}',
        '{"statusCode": 200.0}',
        '{"statusCode": True}',
        '{"statusCode": None}',
        '{"statusCode": None, "body": "x"}',
        '{"statusCode": [200]}',
        '{"statusCode": 200, "error": "x"}',
        '{"statusCode": 200, "Body": "x"}',
        '{"statusCode": 200, "body": "x", "extra": 1}',
        '{"statusCode": 200, "body": "x", "isBase64Encoded": False}',
        '{"statusCode": 200, 5: 1}',
        '{"statusCode": 200, "headers": ["a"]}',
        '{"statusCode": 200, "headers": "X-A: 1"}',
        '{"statusCode": 200, "headers": [("X-A", "1")]}',
        '{"statusCode": 200, "headers": 5}',
        '{"statusCode": 200, "headers": {5: "x"}}',
        '{"statusCode": 200, "headers": {None: "x"}}',
        '{"statusCode": 200, "body": {1, 2}}',
        '{"statusCode": 200, "body": object()}',
        '{"statusCode": 200, "body": float("nan")}',
        '{"statusCode": 200, "body": {"a": float("inf")}}',
        '{"statusCode": 200, "body": {("a",): 1}}',
        '{"statusCode": 200, "body": "\\ud800"}',
        'FunctionResponse("200")',
        "FunctionResponse(0)",
        "FunctionResponse(99)",
        "FunctionResponse(600)",
        "FunctionResponse(99999)",
        "FunctionResponse(-1)",
        "FunctionResponse(None)",
        "FunctionResponse(True)",
        "FunctionResponse(200.5)",
        'FunctionResponse("200 Fine")',
        "FunctionResponse(200, object())",
        'FunctionResponse(200, "x", ["X-A"])',
        'html("x", 1000)',
        'text("x", "abc")',
        'redirect("/x", 0)',
        "html(5)",
        'ok({"a": object()})',
        "ok(headers=5)",
    ],
)
def test_a_malformed_answer_is_a_500_and_the_log_names_handler_and_fault(
    tmp_path: Path, place: str, expression: str
) -> None:
    answer, errors = given_and_logged(tmp_path, expression, place)
    assert answer.status == 500
    assert set(answer.json) == {"error", "requestId"}
    assert "The handler give" in errors[0]


@pytest.mark.parametrize(
    "expression",
    ['{"statusCode": "200", "body": 1}', '{"statusCode": 200, "body": 1, "colour": 2}', '{"statusCode": 700}'],
)
def test_the_log_says_what_a_dict_with_a_status_code_takes(tmp_path: Path, expression: str) -> None:
    _, errors = given_and_logged(tmp_path, expression)
    for word in ("give", "dict", "statusCode", "100", "599", "body", "headers"):
        assert word in errors[0]


# --- constructors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "status", "content_type", "body"),
    [
        ("FunctionResponse()", 200, None, b""),
        ("FunctionResponse(202)", 202, None, b""),
        ("FunctionResponse(200, None)", 200, JSON, b"null"),
        ("FunctionResponse(200, {})", 200, JSON, b"{}"),
        ('FunctionResponse(status_code=200, body="x")', 200, TEXT, b"x"),
        ('FunctionResponse(200, b"x")', 200, "application/octet-stream", b"x"),
        ('FunctionResponse(200, bytearray(b"x"))', 200, "application/octet-stream", b"x"),
        ('FunctionResponse(200, "x", {"Content-Type": "text/csv"})', 200, "text/csv", b"x"),
        ("ok()", 200, JSON, b"{}"),
        ('ok({"a": 1})', 200, JSON, b'{"a":1}'),
        ("ok(None)", 200, JSON, b"null"),
        ("ok([])", 200, JSON, b"[]"),
        ("ok(0)", 200, JSON, b"0"),
        ('ok("x")', 200, TEXT, b"x"),
        ('ok({"statusCode": 900, "more": 1})', 200, JSON, b'{"statusCode":900,"more":1}'),
        ("created()", 201, JSON, b"{}"),
        ('created({"id": 7})', 201, JSON, b'{"id":7}'),
        ("accepted()", 202, JSON, b"{}"),
        ('accepted("later")', 202, TEXT, b"later"),
        ("no_content()", 204, None, b""),
        ("bad_request()", 400, JSON, b'{"error":"Bad request"}'),
        ('bad_request("no")', 400, JSON, b'{"error":"no"}'),
        ('unauthorized("no")', 401, JSON, b'{"error":"no"}'),
        ('forbidden("no")', 403, JSON, b'{"error":"no"}'),
        ('not_found("no")', 404, JSON, b'{"error":"no"}'),
        ('conflict("no")', 409, JSON, b'{"error":"no"}'),
        ('too_many_requests("no")', 429, JSON, b'{"error":"no"}'),
        ('server_error("no")', 500, JSON, b'{"error":"no"}'),
        ('html("<p>å</p>")', 200, "text/html; charset=utf-8", "<p>å</p>".encode()),
        ('html("<p>", 404)', 404, "text/html; charset=utf-8", b"<p>"),
        ('text("å")', 200, TEXT, "å".encode()),
        ('text("x", 418)', 418, TEXT, b"x"),
    ],
)
def test_a_constructor_makes_the_answer_it_is_named_after(
    tmp_path: Path, place: str, expression: str, status: int, content_type: str | None, body: bytes
) -> None:
    assert parts(given(tmp_path, expression, place)) == (status, content_type, body)


@pytest.mark.parametrize(
    "constructor",
    [
        "ok",
        "created",
        "accepted",
        "no_content",
        "bad_request",
        "unauthorized",
        "forbidden",
        "not_found",
        "conflict",
        "too_many_requests",
        "server_error",
    ],
)
def test_every_constructor_takes_headers(tmp_path: Path, constructor: str) -> None:
    answer = given(tmp_path, f'{constructor}(headers={{"X-A": "1", "X-Many": ["a", "b"], "X-Number": 5}})')
    assert answer.headers["X-A"] == "1"
    assert answer.headers.getlist("X-Many") == ["a", "b"]
    assert answer.headers["X-Number"] == "5"


def test_created_gives_its_location_and_too_many_requests_when_to_retry(tmp_path: Path) -> None:
    assert given(tmp_path / "a", 'created({"id": 1}, location="/users/1")').headers["Location"] == "/users/1"
    assert given(tmp_path / "b", "too_many_requests(retry_after=30)").headers["Retry-After"] == "30"
    assert given(tmp_path / "c", "too_many_requests(retry_after=0)").headers["Retry-After"] == "0"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/there", "/there"),
        ("https://example.com/a?b=c#d", "https://example.com/a?b=c#d"),
        ("/å/€", "/%C3%A5/%E2%82%AC"),
        ("/a b", "/a%20b"),
        ("", ""),
    ],
)
def test_redirect_sends_there(tmp_path: Path, target: str, location: str) -> None:
    answer = given(tmp_path, f"redirect({target!r})")
    assert answer.status == 302
    assert answer.headers["Location"] == location
    assert given(tmp_path / "b", f"redirect({target!r}, 308)").status == 308


def test_set_cookie_goes_out_once_for_each(tmp_path: Path) -> None:
    answer = given(tmp_path, '{"statusCode": 200, "headers": {"Set-Cookie": ["a=1", "b=2"]}}')
    assert answer.headers.getlist("Set-Cookie") == ["a=1", "b=2"]


# --- headers that would break the server ------------------------------------------------------------------------------

BAD_HEADERS = (
    '{"X-A": "a\\r\\nX-Injected: 1"}',
    '{"X-A": "a\\nb"}',
    '{"X-A": "a\\rb"}',
    '{"X-A": "\\x00"}',
    '{"X-A": "\\x7f"}',
    '{"X-A": "€"}',
    '{"X-A": "\\ud800"}',
    '{"X-€": "a"}',
    '{"X A": "a"}',
    '{"X-A:": "a"}',
    '{"": "a"}',
    '{"X-A\\r\\nX-Injected": "1"}',
    '{"X-A\\n": "1"}',
    '{"Content-Type": "text/html\\r\\nX-Injected: 1"}',
    '{"Location": "/x\\r\\nX-Injected: 1"}',
    '{"Set-Cookie": "a=€"}',
)


@pytest.mark.parametrize("headers", BAD_HEADERS)
@pytest.mark.parametrize(
    "form",
    [
        '{{"statusCode": 200, "headers": {}}}',
        '{{"statusCode": 200, "headers": {{k: [v, v] for k, v in {}.items()}}}}',
        'FunctionResponse(200, "x", {})',
        "ok({{}}, headers={})",
        '("x", 200, {})',
        '("x", {})',
        '("x", list({}.items()))',
        'Response("x", headers={})',
        "(lambda r, h: [r.headers._list.extend(h.items()), r][1])(Response('x'), {})",
        '__import__("werkzeug").Response("x", headers={})',
        'abort(Response("x", 400, headers={}))',
        'abort(400, response=Response("x", 400, headers={}))',
    ],
    ids=[
        "dict",
        "dict of lists",
        "FunctionResponse",
        "ok",
        "tuple of 3",
        "tuple of 2",
        "tuple of pairs",
        "Response",
        "Response behind the back",
        "werkzeug",
        "abort",
        "abort response",
    ],
)
def test_a_header_that_would_break_the_server_is_a_500_with_a_clear_log(
    tmp_path: Path, form: str, headers: str
) -> None:
    answer, errors, why = given_and_explained(tmp_path, form.format(headers))
    assert answer.status == 500
    assert "X-Injected" not in answer.headers
    assert answer.json["requestId"]
    assert "give" in errors[0]
    assert "header" in why.lower()


@pytest.mark.parametrize(
    "expression", ["redirect('/x\\r\\nX-Injected: 1')", "created(location='/x\\r\\nX-Injected: 1')"]
)
def test_no_location_can_inject_a_header(tmp_path: Path, expression: str) -> None:
    answer = given(tmp_path, expression)
    assert "X-Injected" not in answer.headers
    assert answer.status in (302, 500)


@pytest.mark.parametrize("length", ["9999", "0", "1", "abc", "-1", "2, 2"])
@pytest.mark.parametrize(
    "form",
    [
        '{{"statusCode": 200, "body": "four", "headers": {}}}',
        'FunctionResponse(200, "four", {})',
        'ok("four", headers={})',
    ],
)
def test_a_content_length_that_does_not_fit_never_goes_out(tmp_path: Path, form: str, length: str) -> None:
    # As when the headers of an upstream answer are handed on.
    answer = given(tmp_path, form.format({"Content-Length": length}))
    assert answer.status in (200, 500)
    assert answer.headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize(
    "expression",
    [
        '("x", 0)',
        '("x", 99)',
        '("x", 99999)',
        '("x", -1)',
        '("x", "abc")',
        '("x", "")',
        'Response("x", status=0)',
        'Response("x", status=99999)',
        'Response("x", status="no status")',
    ],
)
def test_a_status_that_is_none_never_goes_out(tmp_path: Path, expression: str) -> None:
    answer, errors = given_and_logged(tmp_path, expression)
    assert answer.status == 500
    assert "give" in errors[0]


# --- everything else --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "body"),
    [
        ("{}", {}),
        ('{"a": [1, {"b": None}]}', {"a": [1, {"b": None}]}),
        ('{"status": 404, "body": "x"}', {"status": 404, "body": "x"}),
        ('{"body": "x", "headers": {}}', {"body": "x", "headers": {}}),
        ('{"statuscode": 900}', {"statuscode": 900}),
        ("[]", []),
        ("[1, None, 'x']", [1, None, "x"]),
        ("Point(1)", {"x": 1, "y": None}),
        ("Point(1, [Point(2)])", {"x": 1, "y": [{"x": 2, "y": None}]}),
        ('{"at": datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)}', {"at": "2024-01-02T03:04:05+00:00"}),
        ('{"day": datetime.date(2024, 1, 2), "sum": decimal.Decimal("1.10")}', {"day": "2024-01-02", "sum": "1.10"}),
        ("{1: 'a', None: 'b', True: 'c'}", {"1": "c", "null": "b"}),
        ('{"text": "å\\u2028</script>"}', {"text": "å\u2028</script>"}),
        ('__import__("collections").OrderedDict(a=1)', {"a": 1}),
        ('IceSvamlBuilder().say("hi")', {"instructions": [{"name": "say", "text": "hi"}]}),
        ("IceSvamlBuilder().hangup()", {"action": {"name": "hangup"}}),
        ("{'answer': IceSvamlBuilder().hangup()}", {"answer": {"action": {"name": "hangup"}}}),
    ],
)
def test_dicts_lists_dataclasses_and_svaml_are_sent_as_json(
    tmp_path: Path, place: str, expression: str, body: Any
) -> None:
    answer = given(tmp_path, expression, place)
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON)
    if "say" in expression:
        assert answer.json["instructions"][0].items() >= body["instructions"][0].items()
    else:
        assert answer.json == body


@pytest.mark.parametrize(
    ("expression", "content_type", "body"),
    [
        ('"text"', TEXT, b"text"),
        ('""', TEXT, b""),
        ('"å€"', TEXT, "å€".encode()),
        ('"<p>"', TEXT, b"<p>"),
        ('b"\\x00"', "application/octet-stream", b"\x00"),
        ('b""', "application/octet-stream", b""),
        ('bytearray(b"ab")', "application/octet-stream", b"ab"),
        ('memoryview(b"ab")', "application/octet-stream", b"ab"),
    ],
)
def test_text_and_bytes_are_sent_as_they_are(
    tmp_path: Path, place: str, expression: str, content_type: str, body: bytes
) -> None:
    assert parts(given(tmp_path, expression, place)) == (200, content_type, body)


def test_nothing_is_a_204_from_an_endpoint_and_an_empty_object_from_a_webhook(tmp_path: Path) -> None:
    answer = given(tmp_path / "http", "None", "http")
    assert (answer.status, answer.body) == (204, b"")
    answer = given(tmp_path / "async", "None", "async")
    assert (answer.status, answer.body) == (204, b"")
    assert parts(given(tmp_path / "webhook", "None", "webhook")) == (200, JSON, b"{}")


@pytest.mark.parametrize(
    ("expression", "status", "body"),
    [
        ('Response("x", 201)', 201, b"x"),
        ('flask.make_response("x", 202)', 202, b"x"),
        ("flask.jsonify(a=1)", 200, b'{"a":1}\n'),
        ('__import__("werkzeug").Response("x", 203)', 203, b"x"),
        ('("x", 201)', 201, b"x"),
        ('("x", "202 ACCEPTED")', 202, b"x"),
        ('("x", 201, {"X-A": "1"})', 201, b"x"),
        ('("x", {"X-A": "1"})', 200, b"x"),
        ('("x", [("X-A", "1"), ("X-A", "2")])', 200, b"x"),
        ('({"a": 1}, 201)', 201, b'{"a":1}\n'),
        ("([1], 201)", 201, b"[1]\n"),
        ('(b"x", 201)', 201, b"x"),
        ('(Response("x", 404), 201)', 201, b"x"),
        ('flask.redirect("/x")', 302, None),
        ('(c for c in ("a", "b", b"c"))', 200, b"abc"),
        ('iter(["a", "b"])', 200, b"ab"),
        ("map(str, (1, 2))", 200, b"12"),
        ('(iter(["a", "b"]), 201)', 201, b"ab"),
        ('Response(iter(["a", "b"]))', 200, b"ab"),
        ('Response(["a", b"b"])', 200, b"ab"),
        ('flask.stream_with_context(iter(["a"]))', 200, b"a"),
        ("iter([])", 200, b""),
    ],
)
def test_what_flask_takes_is_what_flask_makes_of_it(
    tmp_path: Path, place: str, expression: str, status: int, body: bytes | None
) -> None:
    answer = given(tmp_path, expression, place)
    assert answer.status == status
    assert body is None or json_equal(answer.body, body)


def json_equal(one: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return one == other


def test_cookies_and_headers_of_a_flask_response_go_out(tmp_path: Path) -> None:
    source = """
    def give(context, request):
        response = flask.make_response("x")
        response.set_cookie("a", "1", httponly=True)
        response.set_cookie("b", "å")
        response.headers["X-A"] = "1"
        return response
    """
    with serving(tmp_path, source) as served:
        answer = served.get("/give")
        assert len(answer.headers.getlist("Set-Cookie")) == 2
        assert answer.headers["X-A"] == "1"


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("5", "int"),
        ("0", "int"),
        ("1.5", "float"),
        ("True", "bool"),
        ("False", "bool"),
        ("1j", "complex"),
        ("{1, 2}", "set"),
        ("frozenset()", "frozenset"),
        ("object()", "object"),
        ("Point", "type"),
        ("Response", "type"),
        ("IceSvamlBuilder", "type"),
        ("len", "builtin_function_or_method"),
        ("lambda: 1", "function"),
        ("range(3)", "range"),
        ("{}.keys()", "dict_keys"),
        ("ValueError('x')", "ValueError"),
        ("datetime.datetime.now()", "datetime"),
        ("decimal.Decimal(1)", "Decimal"),
        ("uuid.uuid4()", "UUID"),
        ("...", "ellipsis"),
        ("NotImplemented", "NotImplementedType"),
        ("json", "module"),
    ],
)
def test_anything_else_is_a_500_and_the_log_says_who_returned_what_and_what_is_allowed(
    tmp_path: Path, place: str, expression: str, kind: str
) -> None:
    answer, errors = given_and_logged(tmp_path, expression, place)
    assert answer.status == 500
    assert set(answer.json) == {"error", "requestId"}
    assert errors[0].startswith("The handler give")
    for word in (kind, "dict", "list", "str", "bytes", "None", "Response"):
        assert word in errors[0]


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("{'a': object()}", "dict"),
        ("[{1}]", "list"),
        ("Point(float('nan'))", "Point"),
        ("{'a': {('b',): 1}}", "dict"),
        ("(lambda d: d.update(d=d) or d)({})", "dict"),
        ("__import__('functools').reduce(lambda a, _: [a], range(100_000), [])", "list"),
        ("'\\ud800'", "str"),
        ("(1, 2, 3, 4)", "tuple"),
        ("()", "tuple"),
        ("('x', 200, 5)", "tuple"),
        ("(None, 204)", "tuple"),
        ("(object(), 200)", "tuple"),
    ],
)
def test_what_cannot_be_written_is_a_500_and_the_log_names_handler_and_type(
    tmp_path: Path, expression: str, kind: str
) -> None:
    answer, errors = given_and_logged(tmp_path, expression)
    assert answer.status == 500
    assert "The handler give returned an invalid response" in errors[0]
    assert kind in errors[0]


def test_an_async_generator_is_refused_with_a_clear_log(tmp_path: Path) -> None:
    source = """
    async def give(context, request):
        yield "x"
    """
    with serving(tmp_path, source) as served:
        assert served.get("/give").status == 500
        assert "async_generator" in served.logged("ERROR")[0]


# --- sync and async ---------------------------------------------------------------------------------------------------


def test_an_async_handler_has_the_request_and_the_context_variables_of_its_caller(tmp_path: Path) -> None:
    source = """
    variable = contextvars.ContextVar("variable", default="unset")
    async def give(context, request):
        variable.set("set")
        await asyncio.sleep(0)
        async def inner():
            return variable.get(), flask_request.path, flask.current_app.name, flask.g.get("a", "none")
        return list(await asyncio.gather(inner(), inner()))
    def after(context, request):
        return variable.get()
    """
    with serving(tmp_path, source) as served:
        assert served.get("/give").json == [["set", "/give", "sinchfn", "none"]] * 2
        assert served.get("/after").text == "unset"


def test_an_async_handler_can_use_what_asyncio_has(tmp_path: Path) -> None:
    source = """
    async def give(context, request):
        queue = asyncio.Queue()
        task = asyncio.create_task(queue.put("through a task"))
        value = await asyncio.wait_for(queue.get(), 5)
        await task
        return {"value": value, "thread": await asyncio.to_thread(lambda: flask_request.path)}
    async def leaves_a_task(context, request):
        asyncio.create_task(asyncio.sleep(60))
        return "done"
    async def times_out(context, request):
        await asyncio.wait_for(asyncio.sleep(60), 0.01)
    def returns_an_awaitable(context, request):
        async def later():
            return "later"
        return later()
    async def ice(context, data):
        return IceSvamlBuilder().hangup()
    async def dice(context, data):
        raise ValueError("x")
    """
    with serving(tmp_path, source) as served:
        assert served.get("/give").json == {"value": "through a task", "thread": "/give"}
        assert served.get("/leaves_a_task").text == "done"
        assert served.get("/times_out").status == 500
        assert "TimeoutError" in served.traces()
        assert served.get("/returns_an_awaitable").text == "later"
        assert served.post("/ice", ICE).json == {"action": {"name": "hangup"}}
        assert served.post("/dice", {"event": "dice"}).status == 500


def test_an_async_handler_runs_where_a_loop_is_running_already(tmp_path: Path) -> None:
    import asyncio

    source = """
    variable = contextvars.ContextVar("variable", default="unset")
    async def give(context, request):
        await asyncio.sleep(0)
        context.log.info("within")
        logging.getLogger("mine").info("within")
        return [flask_request.path, context.request_id]
    async def fails(context, request):
        raise ValueError("x")
    async def exits(context, request):
        sys.exit(3)
    async def aborts(context, request):
        abort(418)
    """
    with serving(tmp_path, source) as served:

        async def within_a_loop() -> list[Answer]:
            return [served.get(path) for path in ("/give", "/fails", "/exits", "/aborts")]

        give, fails, exits, aborts = asyncio.run(within_a_loop())
        assert give.json == ["/give", give.headers["X-Request-ID"]]
        assert (fails.status, exits.status, aborts.status) == (500, 500, 418)
        assert len(served.ledger) == 4
        own = [line for line in served.log_lines if line["message"] == "within"]
        assert [line["request_id"] for line in own] == [give.headers["X-Request-ID"]] * 2


def test_async_handlers_in_many_threads_do_not_meet(tmp_path: Path) -> None:
    source = """
    async def give(context, request):
        await asyncio.sleep(0.01)
        return [flask_request.args["n"], request.query["n"]]
    """
    with serving(tmp_path, source) as served:
        answers: dict[str, Answer] = {}

        def call(number: str) -> None:
            answers[number] = served.get(f"/give?n={number}")

        threads = [threading.Thread(target=call, args=(str(number),)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {number: answer.json for number, answer in answers.items()} == {str(n): [str(n)] * 2 for n in range(20)}


# --- HEAD and OPTIONS -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression", ['"text"', "{}", "None", 'Response("x")', 'iter(["a"])', "ok([1])", "1 / 0", "object()"]
)
def test_head_has_the_head_of_get_and_no_body(tmp_path: Path, expression: str) -> None:
    get = given(tmp_path / "get", expression)
    head = given(tmp_path / "head", expression, method="HEAD")
    assert head.body == b""
    assert head.status == get.status
    assert head.headers.get("Content-Type") == get.headers.get("Content-Type")
    if get.status == 200:
        assert head.headers.get("Content-Length") == get.headers.get("Content-Length")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_handler_gets_every_method_and_looks_at_it_itself(tmp_path: Path, method: str) -> None:
    source = """
    def give(context, request):
        return {"statusCode": 200, "headers": {"X-Method": request.method}}
    """
    with serving(tmp_path, source) as served:
        assert served.request(method, "/give").headers["X-Method"] == method


# --- streaming --------------------------------------------------------------------------------------------------------


def test_a_generator_is_sent_piece_by_piece_and_has_the_request(tmp_path: Path) -> None:
    source = """
    def give(context, request):
        for number in range(3):
            yield f"{number}{flask_request.path}{request.query['a']};"
    """
    with serving(tmp_path, source) as served:
        opened = Opened(served.app, environ_of(path="/give?a=b"))
        assert next(opened.iterator) == b"0/giveb;"
        assert next(opened.iterator) == b"1/giveb;"
        assert b"".join(opened.iterator) == b"2/giveb;"
        opened.close()
        assert not has_request_context()
        assert "Content-Length" not in dict(opened.head[1] if opened.head else ())


def test_a_client_that_leaves_early_closes_the_generator_within_its_request(tmp_path: Path) -> None:
    source = """
    seen = []
    def give(context, request):
        try:
            yield "a"
            yield "b"
        finally:
            seen.append(flask_request.path)
    def closed(context, request):
        return seen
    """
    with serving(tmp_path, source) as served:
        opened = Opened(served.app, environ_of(path="/give"))
        next(opened.iterator)
        opened.close()
        assert not has_request_context()
        assert served.get("/closed").json == ["/give"]


def test_a_generator_that_fails_midway_breaks_the_answer_off_and_is_logged(tmp_path: Path) -> None:
    source = """
    def give(context, request):
        yield "a"
        raise ValueError("midway")
    """
    with serving(tmp_path, source) as served:
        answer = served.get("/give")
        assert answer.body == b"a"
        assert isinstance(answer.broke, Exception)
        assert "midway" in served.traces()
        assert not has_request_context()


@pytest.mark.parametrize("chunk", ["5", "None", "object()", "['a']"])
def test_a_chunk_that_is_neither_text_nor_bytes_breaks_the_answer_off_and_is_logged(tmp_path: Path, chunk: str) -> None:
    source = f"""
    def give(context, request):
        yield "a"
        yield {chunk}
    """
    with serving(tmp_path, source) as served:
        answer = served.get("/give")
        assert answer.body == b"a"
        assert answer.broke is not None
        assert served.ledger[0]["outcome"] == "error"
        assert "give" in served.logged("ERROR")[0]


def test_head_of_a_generator_runs_none_of_it(tmp_path: Path) -> None:
    source = """
    seen = []
    def give(context, request):
        seen.append("ran")
        yield "a"
    def ran(context, request):
        return seen
    """
    with serving(tmp_path, source) as served:
        for _ in range(3):
            assert served.request("HEAD", "/give").body == b""
        assert not has_request_context()
        assert served.get("/ran").json == []


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raising", "status", "fields"),
    [
        ("abort(400)", 400, {}),
        ('abort(404, "no such user")', 404, {"error": "no such user"}),
        ('abort(418, description="tea")', 418, {"error": "tea"}),
        ("abort(500)", 500, {}),
        ("abort(503)", 503, {}),
        ('flask_request.args["missing"]', 400, {}),
        ("flask_request.get_json()", 415, {}),
        ("flask_request.get_json(force=True)", 400, {}),
        ("request.json['a']", 500, {"error": "The function failed."}),
        ("raise ValueError('a detail')", 500, {"error": "The function failed."}),
    ],
)
@pytest.mark.parametrize("how", ["def", "async def"])
def test_errors_are_json_with_a_sentence_and_the_request_id(
    tmp_path: Path, how: str, raising: str, status: int, fields: dict[str, str]
) -> None:
    with serving(tmp_path, f"{how} give(context, request): {raising}") as served:
        answer = served.get("/give", headers={"X-Request-ID": "mine"})
        assert answer.status == status
        assert answer.json.items() >= (fields | {"requestId": "mine"}).items()
        assert isinstance(answer.json["error"], str)
        assert answer.json["error"]
        assert "<" not in answer.json["error"]


@pytest.mark.parametrize("what", ["ValueError('broken')", "b'bytes'", "5", "object()", "{'a': 1}", "['x']"])
def test_abort_takes_anything_as_a_description(tmp_path: Path, what: str) -> None:
    # `except ValueError as error: abort(400, error)` is an idiom.
    with serving(tmp_path, f"def give(context, request): abort(400, {what})") as served:
        answer = served.get("/give")
        assert answer.status == 400
        assert answer.json["requestId"]
        assert served.ledger[0]["status"] == 400


def test_abort_with_an_answer_of_its_own_sends_that(tmp_path: Path) -> None:
    source = """
    def one(context, request): abort(Response("mine", 402))
    def two(context, request): abort(flask.make_response({"mine": 1}, 409))
    """
    with serving(tmp_path, source) as served:
        assert (served.get("/one").status, served.get("/one").body) == (402, b"mine")
        assert served.get("/two").json == {"mine": 1}


def test_headers_of_an_http_error_go_out(tmp_path: Path) -> None:
    source = """
    from werkzeug.exceptions import MethodNotAllowed, TooManyRequests, Unauthorized
    from werkzeug.datastructures import WWWAuthenticate
    def allow(context, request): raise MethodNotAllowed(["GET", "PUT"])
    def retry(context, request): raise TooManyRequests(retry_after=7)
    def login(context, request): raise Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "x"}))
    """
    with serving(tmp_path, source) as served:
        assert served.get("/allow").headers["Allow"] == "GET, PUT"
        assert served.get("/retry").headers["Retry-After"] == "7"
        assert served.get("/login").headers["WWW-Authenticate"].startswith("Basic")


def test_an_exception_is_logged_with_its_traceback_and_its_handler(tmp_path: Path) -> None:
    with serving(tmp_path, "def give(context, request): raise LookupError('a detail')") as served:
        assert served.get("/give").json["error"]
        (line,) = [line for line in served.log_lines if "traceback" in line]
        assert "give" in line["message"]
        assert "function.py" in line["traceback"]
        assert "LookupError: a detail" in line["traceback"]


# --- FunctionRequest --------------------------------------------------------------------------------------------------

SEE = """
def see(context, request):
    return {
        "method": request.method, "path": request.path, "query": request.query,
        "args": request.args.to_dict(flat=False),
        "cookies": request.cookies.to_dict(), "remote_addr": request.remote_addr, "id": request.id,
        "content_type": request.content_type, "raw": request.raw_body.decode("latin-1"),
        "header": [request.headers.get("x-in"), request.headers.get("X-IN"), request.headers.get("no")],
    }
def body(context, request):
    body = request.body
    return {"type": type(body).__name__, "body": body.decode("latin-1") if isinstance(body, bytes) else body}
def as_json(context, request):
    return [request.json, request.json]
def form(context, request):
    return {
        "form": request.form.to_dict(flat=False),
        "files": {n: [file.filename, file.content_type, file.read().decode()] for n, file in request.files.items()},
    }
def by_flask(context, request):
    return {
        "json": flask_request.get_json(silent=True), "form": flask_request.form.to_dict(),
        "data": flask_request.data.decode("latin-1"), "get_data": flask_request.get_data().decode("latin-1"),
        "files": [file.read().decode() for file in flask_request.files.values()],
        "values": flask_request.values.to_dict(),
    }
def see_webhook(context, request):
    return {"body": request.body, "path": request.path}
def form_first(context, request):
    return [flask_request.form.to_dict(), request.raw_body.decode("latin-1"), request.form.to_dict()]
"""
FORM = "application/x-www-form-urlencoded"
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n2\r\n'
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\nContent-Type: text/plain\r\n\r\n'
    b"file\r\n--b--\r\n"
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, SEE) as served:
        yield served


def test_every_attribute_of_a_request(served: Served) -> None:
    headers = {"X-In": "v", "Cookie": "a=1; b=x%20y; a=2", "Content-Type": "Text/Plain; X=Y", "X-Request-ID": "mine"}
    seen = served.post("/v1//see/?a=1&a=2&b=&c=%C3%A5+x", b"\xff\x00", headers=headers).json
    assert seen == {
        "method": "POST",
        "path": "/v1//see/",
        "query": {"a": "1", "b": "", "c": "å x"},
        "args": {"a": ["1", "2"], "b": [""], "c": ["å x"]},
        "cookies": {"a": "1", "b": "x%20y"},
        "remote_addr": "192.0.2.7",
        "id": "mine",
        "content_type": "Text/Plain; X=Y",
        "raw": "\xff\x00",
        "header": ["v", "v", None],
    }


def test_a_request_with_nothing_in_it(served: Served) -> None:
    seen = served.get("/see").json
    assert (seen["query"], seen["args"], seen["cookies"], seen["content_type"], seen["raw"]) == ({}, {}, {}, "", "")
    assert served.get("/body").json == {"type": "NoneType", "body": None}
    assert served.get("/as_json").json == [None, None]
    assert served.get("/form").json == {"form": {}, "files": {}}


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "value"),
    [
        (JSON, b'{"a": 1}', "dict", {"a": 1}),
        ("application/json; charset=utf-8", b"[1]", "list", [1]),
        ("APPLICATION/JSON", b"null", "NoneType", None),
        ("application/vnd.api+json", b'"x"', "str", "x"),
        ("application/problem+json; charset=utf-8", b"1", "int", 1),
        (FORM, b"a=1&b=2&a=3", "dict", {"a": "1", "b": "2"}),
        (FORM, "a=%C3%A5&b=å".encode(), "dict", {"a": "å", "b": "å"}),
        ("multipart/form-data; boundary=b", MULTIPART, "dict", {"a": "1"}),
        ("text/plain", "å".encode(), "str", "å"),
        ("text/plain; charset=utf-8", "å".encode(), "str", "å"),
        ("text/plain; charset=ISO-8859-1", b"\xe5", "str", "å"),
        ("text/plain; charset=utf-16", "å".encode("utf-16"), "str", "å"),
        ("text/html", b"<p>", "str", "<p>"),
        ("text/csv", b"a,b", "str", "a,b"),
        ("application/octet-stream", b"\xff", "bytes", "\xff"),
        ("application/xml", b"<a/>", "bytes", "<a/>"),
        ("image/png", b"\x89", "bytes", "\x89"),
        ("", b"{}", "bytes", "{}"),
        ("nonsense", b"{}", "bytes", "{}"),
        ("jsonish/application+jsonx", b"{}", "bytes", "{}"),
        (JSON, b"", "NoneType", None),
        (FORM, b"", "NoneType", None),
        ("text/plain", b"", "NoneType", None),
        ("image/png", b"", "NoneType", None),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_is_parsed_by_its_content_type(
    served: Served, content_type: str, body: bytes, kind: str, value: Any, chunked: bool
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert served.post("/body", body, headers=headers, chunked=chunked).json == {"type": kind, "body": value}


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/body", JSON, b"{"),
        ("/as_json", JSON, b"{"),
        ("/as_json", "text/plain", b"no json"),
        ("/as_json", JSON, b" "),
        ("/body", "text/plain", b"\xff"),
        ("/body", "text/plain; charset=nonsense", b"x"),
        ("/webhook/see", JSON, b'{"a": NaN}'),
    ],
)
def test_a_body_that_is_not_what_it_says_is_a_400_when_it_is_asked_for(
    served: Served, path: str, content_type: str, body: bytes
) -> None:
    answer = served.post(path, body, headers={"Content-Type": content_type})
    assert answer.status == 400
    assert answer.json["requestId"]
    assert served.post("/see", body, headers={"Content-Type": content_type}).status == 200


def test_a_handler_can_catch_the_400_of_a_malformed_body(tmp_path: Path) -> None:
    source = """
    from werkzeug.exceptions import BadRequest
    def give(context, request):
        try:
            return request.json
        except BadRequest:
            return "caught"
    """
    with serving(tmp_path, source) as served:
        assert served.post("/give", b"{").text == "caught"


def test_json_is_read_whatever_the_content_type_says(served: Served) -> None:
    assert served.post("/as_json", b"[1]", headers={"Content-Type": "text/plain"}).json == [[1], [1]]
    assert served.post("/as_json", b"[1]", headers={}).json == [[1], [1]]


@pytest.mark.parametrize("chunked", [False, True])
def test_forms_and_files(served: Served, chunked: bool) -> None:
    form = served.post("/form", b"a=1&a=2&b=", headers={"Content-Type": FORM}, chunked=chunked)
    assert form.json == {"form": {"a": ["1", "2"], "b": [""]}, "files": {}}
    multipart = served.post(
        "/form", MULTIPART, headers={"Content-Type": "multipart/form-data; boundary=b"}, chunked=chunked
    )
    assert multipart.json == {"form": {"a": ["1", "2"]}, "files": {"f": ["n.txt", "text/plain", "file"]}}


@pytest.mark.parametrize("field_size", [400_000, 600_000, 1_000_000])
def test_a_form_of_any_size_below_the_limit_is_parsed(served: Served, field_size: int) -> None:
    body = b"a=" + b"x" * field_size
    assert served.post("/form", body, headers={"Content-Type": FORM}).status == 200
    body = MULTIPART.replace(b"\r\n1\r\n", b"\r\n" + b"x" * field_size + b"\r\n")
    assert served.post("/form", body, headers={"Content-Type": "multipart/form-data; boundary=b"}).status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_the_request_of_flask_still_has_the_body(served: Served, chunked: bool) -> None:
    seen = served.post("/by_flask", {"a": 1}, chunked=chunked).json
    assert (seen["json"], seen["data"], seen["get_data"]) == ({"a": 1}, '{"a": 1}', '{"a": 1}')
    seen = served.post("/by_flask?q=1", b"a=1", headers={"Content-Type": FORM}, chunked=chunked).json
    assert (seen["form"], seen["values"]) == ({"a": "1"}, {"q": "1", "a": "1"})
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    seen = served.post("/by_flask", MULTIPART, headers=headers, chunked=chunked).json
    assert (seen["form"], seen["files"]) == ({"a": "1"}, ["file"])
    seen = served.post("/form_first", b"a=1", headers={"Content-Type": FORM}, chunked=chunked).json
    assert seen == [{"a": "1"}, "a=1", {"a": "1"}]


def test_the_body_of_a_root_request_is_still_there_after_its_event_was_looked_for(tmp_path: Path) -> None:
    source = """
    def ice(context, data): pass
    def default(context, request):
        return [request.json, flask_request.get_json(), request.raw_body.decode()]
    """
    with serving(tmp_path, source) as served:
        for chunked in (False, True):
            body = b'{"event": "other"}'
            assert served.post("/", body, chunked=chunked).json == [{"event": "other"}] * 2 + [body.decode()]


@pytest.mark.parametrize(
    ("hops", "forwarded", "expected"),
    [
        (0, "198.51.100.1", "192.0.2.7"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        (2, "203.0.113.9, 198.51.100.1", "203.0.113.9"),
        (2, "evil, 203.0.113.9, 198.51.100.1", "203.0.113.9"),
        (2, "198.51.100.1", "192.0.2.7"),
        (1, "", "192.0.2.7"),
    ],
)
def test_the_remote_address_is_what_the_trusted_proxies_say(
    tmp_path: Path, hops: int, forwarded: str, expected: str
) -> None:
    with serving(tmp_path, SEE, SINCHFN_TRUSTED_PROXIES=hops) as served:
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        assert served.get("/see", headers=headers).json["remote_addr"] == expected


def test_what_a_caller_sends_in_one_place_never_shows_in_another(served: Served) -> None:
    headers = {"Content-Type": JSON, "method": "header", "Cookie": "path=cookie"}
    seen = served.post(
        "/see?method=query&raw_body=query&id=query", {"method": "body", "id": "body"}, headers=headers
    ).json
    assert seen["method"] == "POST"
    assert seen["path"] == "/see"
    assert seen["id"] not in ("query", "body")
    assert set(seen["query"]) == {"method", "raw_body", "id"}
