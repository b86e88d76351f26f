"""Signed callbacks over HTTP: what gets in, what does not, and who learns why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sinchfn import ConfigError, SinchFunctions
from tests.harness.app import Served, own_logging, serving, write_function
from tests.harness.call import Answer, environ_of, send
from tests.harness.signer import ICE, KEY, SECRET, SIGNING, encoded, signature, signed, stamp

EVERY = "\n".join(f"def {name}(context, data): return None" for name in ("ice", "ace", "pie", "dice", "notify"))
CALLBACKS = ("ice", "ace", "pie", "dice", "notify")
ALWAYS = {"WEBHOOK_PROTECTION": "always", **SIGNING}
BODY = encoded(ICE)


def refused(served: Served, answer: Answer) -> None:
    """The answer of every refusal is the same, and the log has the reason."""
    assert answer.status == 401
    assert answer.json == {
        "error": "The signature of this request is not valid.",
        "requestId": answer.headers["X-Request-ID"],
    }
    assert (served.ledger[-1]["status"], served.ledger[-1]["outcome"]) == (401, "refused")


def reason(served: Served) -> str:
    return served.logged("WARNING")[-2]  # the last one is the request's own line


# --- good and tampered ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_signed_callback_gets_in(tmp_path: Path, name: str) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        assert served.call({"event": name}, f"/{name}").status == 200
        assert served.call({"event": name}, "/").status == 200
        assert served.call({"event": name}, f"/v1/sinch/{name}").status == 200


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON;x=y"]
)
def test_the_content_type_is_signed_as_it_came(tmp_path: Path, content_type: str) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        assert served.call(content_type=content_type).status == 200
        headers = signed(BODY, content_type=content_type) | {"Content-Type": content_type + ";a=b"}
        refused(served, served.post("/ice", BODY, headers=headers))


@pytest.mark.parametrize("word", ["application", "Application", "APPLICATION"])
def test_the_word_of_the_scheme_is_taken_in_any_case(tmp_path: Path, word: str) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        assert served.call(word=word).status == 200


@pytest.mark.parametrize(
    "timestamp",
    ["{:%Y-%m-%dT%H:%M:%SZ}", "{:%Y-%m-%dT%H:%M:%S.%f0Z}", "{:%Y-%m-%dT%H:%M:%S}", "{:%Y-%m-%dT%H:%M:%S+00:00}"],
)
def test_a_timestamp_is_taken_with_and_without_fraction_and_offset(tmp_path: Path, timestamp: str) -> None:
    from datetime import UTC, datetime

    with serving(tmp_path, EVERY, **ALWAYS) as served:
        assert served.call(timestamp=timestamp.format(datetime.now(UTC))).status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_any_body_is_signed_as_its_bytes(tmp_path: Path, chunked: bool) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        for body in (b'  {"event" :\n"ice"}\t', '{"cli": "å€"}'.encode(), b'\xef\xbb\xbf{"event":"ICE"}'):
            answer = served.post("/ice", body, headers=signed(body), chunked=chunked)
            assert answer.status == 200
            recoded = json.dumps(json.loads(body.decode("utf-8-sig"))).encode()
            refused(served, served.post("/ice", recoded, headers=signed(body), chunked=chunked))


@pytest.mark.parametrize("query", ["", "a=1", "a=%2F&b", "?"])
def test_the_query_is_not_signed(tmp_path: Path, query: str) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        assert served.post("/ice", BODY, headers=signed(BODY), query=query).status == 200


@pytest.mark.parametrize(
    "path",
    ["/a%20b/ice", "/%C3%A5/ice", "/%c3%a5/ice", "//ice", "/ice/", "/a//b/ice//", "/i%63e", "/a;b=c/ice", "/a+b/ice"],
)
def test_the_path_is_signed_raw(tmp_path: Path, path: str) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        assert served.post(path, BODY, headers=signed(BODY, path)).status == 200
        refused(served, served.post(path, BODY, headers=signed(BODY, "/ice")))


def tampered() -> dict[str, Any]:
    good = signed(BODY)
    other_secret = "b3RoZXJPdGhlck90aGVyT3RoZXI="
    value = good["Authorization"].rpartition(":")[2]
    return {
        "body": (BODY.replace(b"ice", b"ICE"), good),
        "body with a space more": (BODY + b" ", good),
        "empty body": (b"", good),
        "path": (BODY, signed(BODY, "/ace")),
        "path in other case": (BODY, signed(BODY, "/ICE")),
        "path with a slash": (BODY, signed(BODY, "/ice/")),
        "path with its query": (BODY, signed(BODY, "/ice?")),
        "timestamp": (BODY, good | {"X-Timestamp": stamp(1)}),
        "no timestamp": (BODY, {k: v for k, v in good.items() if k != "X-Timestamp"}),
        "empty timestamp": (BODY, good | {"X-Timestamp": ""}),
        "no time": (BODY, signed(BODY, timestamp="yesterday")),
        "a day that does not exist": (BODY, signed(BODY, timestamp="2024-02-31T00:00:00Z")),
        "year 0": (BODY, signed(BODY, timestamp="0000-01-01T00:00:00Z")),
        "seconds since 1970": (BODY, signed(BODY, timestamp="1700000000")),
        "key": (BODY, signed(BODY, key=KEY.replace("f", "e"))),
        "key in other case": (BODY, signed(BODY, key=KEY.upper())),
        "empty key": (BODY, signed(BODY, key="")),
        "secret": (BODY, signed(BODY, secret=other_secret)),
        "empty secret": (BODY, signed(BODY, secret="")),
        "method": (BODY, good | {"Authorization": f"application {KEY}:" + signature(
            BODY, method="GET", timestamp=good["X-Timestamp"])}),
        "signature": (BODY, good | {"Authorization": f"application {KEY}:{value[::-1]}"}),
        "signature cut": (BODY, good | {"Authorization": good["Authorization"][:-2]}),
        "signature longer": (BODY, good | {"Authorization": good["Authorization"] + "="}),
        "signature in other case": (BODY, good | {"Authorization": f"application {KEY}:{value.swapcase()}"}),
        "empty signature": (BODY, good | {"Authorization": f"application {KEY}:"}),
        "signature of non-ASCII": (BODY, good | {"Authorization": f"application {KEY}:\xe5\xff"}),
        "only the scheme": (BODY, good | {"Authorization": "application"}),
        "another scheme": (BODY, good | {"Authorization": f"service {KEY}:{value}"}),
        "basic": (BODY, good | {"Authorization": "Basic dTpw"}),
        "basic as one SDK takes it": (BODY, good | {"Authorization": f"basic {KEY}:{SECRET}"}),
        "two spaces": (BODY, good | {"Authorization": f"application  {KEY}:{value}"}),
        "two colons": (BODY, good | {"Authorization": f"application {KEY}::{value}"}),
        "no authorization": (BODY, {k: v for k, v in good.items() if k != "Authorization"}),
        "empty authorization": (BODY, good | {"Authorization": ""}),
        "no content type": (BODY, {k: v for k, v in good.items() if k != "Content-Type"}),
        "doubled authorization": (BODY, [*good.items(), ("Authorization", good["Authorization"])]),
        "a second authorization": (BODY, [*good.items(), ("Authorization", "Basic dTpw")]),
        "authorization after another": (BODY, [("Authorization", "Basic dTpw"), *good.items()]),
        "doubled timestamp": (BODY, [*good.items(), ("X-Timestamp", good["X-Timestamp"])]),
    }  # fmt: skip


@pytest.mark.parametrize("what", tampered())
@pytest.mark.parametrize("environment", ["production", "development"])
def test_a_tampered_callback_is_refused_and_only_the_log_says_why(tmp_path: Path, what: str, environment: str) -> None:
    with serving(tmp_path, EVERY, SINCHFN_ENV=environment, SINCHFN_USAGE="data/usage.jsonl", SINCHFN_LOG_FORMAT="json",
                 **ALWAYS) as served:  # fmt: skip
        body, headers = tampered()[what]
        answer = served.post("/ice", body, headers=headers)
        refused(served, answer)
        assert "WWW-Authenticate" not in answer.headers
        assert len(reason(served)) > 20
        assert "ice" in reason(served)
        assert SECRET not in served.log


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("no authorization", "Authorization"),
        ("another scheme", "service"),
        ("key", "key"),
        ("no timestamp", "x-timestamp"),
        ("no time", "x-timestamp"),
        ("signature", "signature"),
        ("body", "body"),
    ],
)
def test_the_log_says_why_a_callback_was_refused(tmp_path: Path, what: str, word: str) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        body, headers = tampered()[what]
        served.post("/ice", body, headers=headers)
        assert word in reason(served)


@pytest.mark.parametrize(
    ("signed_as", "words"),
    [
        ({"path": "/ice/"}, ["path", "/ice/"]),
        ({"content_type": "application/json; charset=utf-8"}, ["content type", "charset=utf-8"]),
        ({"body": b""}, ["MD5"]),
        ({"secret": "AAAA"}, ["secret", "body", "timestamp"]),
    ],
)
def test_in_development_the_log_says_which_part_differed(
    tmp_path: Path, signed_as: dict[str, Any], words: list[str]
) -> None:
    headers = signed(**{"body": BODY} | signed_as) | {"Content-Type": "application/json"}
    config = {"SINCHFN_LOG_FORMAT": "json", "SINCHFN_USAGE": "data/usage.jsonl", **ALWAYS}
    with serving(tmp_path, EVERY, **config, SINCHFN_ENV="development") as served:
        refused(served, served.post("/ice", BODY, headers=headers))
        assert all(word in reason(served) for word in words)
        assert "fits" in reason(served) or "were tried" in reason(served)
    with serving(tmp_path / "p", EVERY, **config) as served:
        refused(served, served.post("/ice", BODY, headers=headers))
        assert "fits" not in reason(served)
        assert "were tried" not in reason(served)


# --- age --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tolerance", [None, 60, 3600])
def test_a_callback_is_taken_within_the_tolerance_both_ways_and_refused_beyond_it(
    tmp_path: Path, tolerance: int | None
) -> None:
    config = ALWAYS if tolerance is None else ALWAYS | {"SINCHFN_WEBHOOK_TOLERANCE": tolerance}
    limit = tolerance or 300
    with serving(tmp_path, EVERY, **config) as served:
        for offset in (0, limit - 30, 30 - limit):
            assert served.call(timestamp=stamp(offset)).status == 200
        for offset, word in ((limit + 30, "future"), (-limit - 30, "old"), (-(10**8), "old"), (10**8, "future")):
            refused(served, served.call(timestamp=stamp(offset)))
            assert word in reason(served)


def test_an_expired_callback_whose_signature_does_not_hold_does_not_learn_that_it_expired(tmp_path: Path) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        answers = [
            served.call(timestamp=stamp(-4000)),
            served.call(timestamp=stamp(-4000), secret="AAAA"),
            served.call(secret="AAAA"),
            served.post("/ice", BODY),
        ]
        assert len({json.dumps({**a.json, "requestId": ""}) + a.line for a in answers}) == 1


def test_a_callback_that_is_delivered_again_is_taken_again(tmp_path: Path) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        headers = signed(BODY)
        assert [served.post("/ice", BODY, headers=headers).status for _ in range(3)] == [200] * 3


# --- when it is checked -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "environment", "credentials", "unsigned"),
    [
        ("never", "production", True, 200),
        ("never", "development", True, 200),
        ("never", "production", False, 200),
        ("deploy", "production", True, 401),
        ("deploy", "development", True, 200),
        ("deploy", "production", False, 200),
        ("deploy", "development", False, 200),
        ("always", "production", True, 401),
        ("always", "development", True, 401),
        (None, "production", True, 401),
        (None, "development", True, 200),
        (None, None, True, 401),
        (None, None, False, 200),
    ],
)
def test_signatures_are_checked_as_webhook_protection_says(
    tmp_path: Path, mode: str | None, environment: str | None, credentials: bool, unsigned: int
) -> None:
    config = {"WEBHOOK_PROTECTION": mode, "SINCHFN_ENV": environment, "SINCHFN_LOG_FORMAT": "json"}
    with serving(tmp_path, EVERY, **config | (SIGNING if credentials else {})) as served:
        for name in CALLBACKS:
            assert served.post(f"/{name}", {"event": name}).status == unsigned
        if credentials:
            assert served.call().status == 200


def test_without_a_secret_deploy_serves_and_warns_once(tmp_path: Path) -> None:
    with serving(tmp_path, EVERY, WEBHOOK_PROTECTION="deploy") as served:
        for _ in range(3):
            assert served.post("/ice", BODY).status == 200
        (warning,) = served.logged("WARNING")
        assert "VOICE_APPLICATION_KEY" in warning
        assert "VOICE_APPLICATION_SECRET" in warning


@pytest.mark.parametrize("missing", ["VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET"])
@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("environment", ["production", "development"])
def test_without_a_secret_always_refuses_to_start(
    tmp_path: Path, missing: str, value: str | None, environment: str
) -> None:
    with (
        pytest.raises(ConfigError, match=missing),
        serving(tmp_path, EVERY, **ALWAYS | {missing: value, "SINCHFN_ENV": environment}),
    ):
        pass


@pytest.mark.parametrize("source", ["def hello(c, r): pass", "def some_webhook(c, r): pass"])
def test_always_needs_no_secret_where_nothing_is_guarded(tmp_path: Path, source: str) -> None:
    with serving(tmp_path, source, WEBHOOK_PROTECTION="always") as served:
        assert served.get("/nothing").status == 404


@pytest.mark.parametrize("secret", ["not base64!", "abc", "====", "å", "YXBw U2VjcmV0"])
def test_a_secret_that_is_no_base64_refuses_to_start_and_is_not_shown(tmp_path: Path, secret: str) -> None:
    with (
        pytest.raises(ConfigError, match="VOICE_APPLICATION_SECRET") as caught,
        serving(tmp_path, EVERY, **ALWAYS | {"VOICE_APPLICATION_SECRET": secret}),
    ):
        pass
    assert secret not in str(caught.value)


# --- every way in -----------------------------------------------------------------------------------------------------

WAYS = (
    "/{}",
    "/{}/",
    "//{}",
    "///{}///",
    "/v1/sinch/{}",
    "/webhook/{}",
    "/webhook//{}",
    "/a/webhook/b/{}",
    "/health/{}",
    "/home/{}",
    "/%2F{}",
    "/x%2F{}",
    "/./{}",
    "/../{}",
    "/%2e%2e/{}",
    "/%00/{}",
    "/{}?x=1",
    "/{}?event=hello",
    "/ice/{}",
)


def encoded_letters(name: str) -> str:
    return "".join(f"%{ord(letter):02X}" for letter in name)


@pytest.mark.parametrize("name", CALLBACKS)
def test_no_path_reaches_a_callback_unsigned(tmp_path: Path, name: str) -> None:
    source = f"""
    {EVERY.replace(chr(10), chr(10) + "    ").replace("return None", 'raise AssertionError("reached")')}
    def default(context, request): return "root"
    def hello_webhook(context, request): return "hook"
    """
    body = encoded({"event": name})
    with serving(tmp_path, source, **ALWAYS) as served:
        ways = [
            way.format(spelled)
            for way in WAYS
            for spelled in (name, encoded_letters(name), "%" + f"{ord(name[0]):02x}" + name[1:])
        ]
        for way in ways:
            for extra in ({}, {"chunked": True}, {"HTTP_X_HTTP_METHOD_OVERRIDE": "GET"}):
                assert served.post(way, body, **extra).status == 401, way
        for root in ("/", "//", "", "/?event=none"):
            for spelled in (name, name.upper(), name.title()):
                assert served.post(root, {"event": spelled}).status == 401, (root, spelled)
        for way in ("/{}", "/webhook/{}", "/x/{}"):
            for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "Post"):
                assert served.request(method, way.format(name), body=body).status in (401, 405), (method, way)
        assert all(record["status"] == 401 for record in served.ledger)
        assert served.logged("ERROR") == []


@pytest.mark.parametrize("name", ["ace", "dice", "notify"])
def test_callbacks_without_a_handler_are_refused_unsigned_too(tmp_path: Path, name: str) -> None:
    with serving(tmp_path, "def ice(context, data): pass", **ALWAYS) as served:
        for way in WAYS:
            refused(served, served.post(way.format(name), {"event": name}))
        refused(served, served.post("/", {"event": name}))
        assert served.call({"event": name}, f"/{name}").status == 200
        assert served.call({"event": name}, "/").status == 200


def test_a_callback_cannot_be_disguised_by_a_duplicated_event(tmp_path: Path) -> None:
    with serving(tmp_path, EVERY + "\ndef default(c, r): return 'root'", **ALWAYS) as served:
        for body in (
            b'{"event": "x", "event": "ice"}',
            b'{"\\u0065vent": "\\u0069ce"}',
            b'\xef\xbb\xbf{"event":"ice"}',
        ):
            refused(served, served.post("/", body, headers={"Content-Type": "text/plain"}))


def test_auth_never_gates_a_callback_nor_lets_one_in(tmp_path: Path) -> None:
    config = {"ADMIN_USER": "u", "ADMIN_PASSWORD": "p-a-s-s", **ALWAYS}
    with serving(tmp_path, f"auth = '*'\n{EVERY}", **config) as served:
        assert served.call().status == 200
        basic = {"Authorization": "Basic dTpwLWEtcy1z", "X-Timestamp": stamp(), "Content-Type": "application/json"}
        refused(served, served.post("/ice", BODY, headers=basic))


# --- where the platform thinks it calls -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public", "path", "called"),
    [
        ("https://a.example", "/ice", "/ice"),
        ("https://a.example/fn", "/ice", "/fn/ice"),
        ("https://a.example/fn/", "/ice", "/fn/ice"),
        ("https://a.example/fn", "/", "/fn"),
        ("https://a.example/fn", "/", "/fn/"),
        ("https://a.example", "/", "/"),
        ("https://a.example/f%C3%A5", "/ice", "/f%C3%A5/ice"),
        ("https://a.example/fn", "/a%20b/ice", "/fn/a%20b/ice"),
    ],
)
def test_with_a_public_url_its_path_is_what_was_signed(tmp_path: Path, public: str, path: str, called: str) -> None:
    with serving(tmp_path, EVERY, SINCHFN_PUBLIC_URL=public, **ALWAYS) as served:
        assert served.post(path, BODY, headers=signed(BODY, called)).status == 200
        if path not in (called, "/"):
            refused(served, served.post(path, BODY, headers=signed(BODY, path)))


@pytest.mark.parametrize("hops", [0, 1])
def test_a_forwarded_prefix_counts_only_behind_trusted_proxies(tmp_path: Path, hops: int) -> None:
    with serving(tmp_path, EVERY, SINCHFN_TRUSTED_PROXIES=hops, **ALWAYS) as served:
        headers = signed(BODY, "/fn/ice") | {"X-Forwarded-Prefix": "/fn"}
        assert served.post("/ice", BODY, headers=headers).status == (200 if hops else 401)


def test_below_a_prefix_the_whole_path_is_signed(tmp_path: Path) -> None:
    folder = write_function(tmp_path, EVERY)
    with own_logging():
        app = Flask("host")
        SinchFunctions(folder, config=ALWAYS).init_app(app, url_prefix="/voice")
        for path in ("/voice/ice", "/voice", "/voice/", "/voice//v1/ice/"):
            environ = environ_of("POST", path, body=BODY, headers=signed(BODY, path))
            assert send(app, environ).status == 200, path
        environ = environ_of("POST", "/voice/ice", body=BODY, headers=signed(BODY, "/ice"))
        assert send(app, environ).status == 401


def test_a_server_that_does_not_pass_the_request_line_on_is_believed_as_far_as_it_goes(tmp_path: Path) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        environ = environ_of("POST", "/a%20b/ice", body=BODY, headers=signed(BODY, "/a%20b/ice"))
        del environ["RAW_URI"]
        assert send(served.app, environ).status == 200


def test_an_absolute_request_line_is_signed_by_its_path(tmp_path: Path) -> None:
    with serving(tmp_path, EVERY, **ALWAYS) as served:
        environ = environ_of("POST", "/ice", body=BODY, headers=signed(BODY, "/ice"))
        environ["RAW_URI"] = "http://localhost:8000/ice?x=1"
        assert send(served.app, environ).status == 200
