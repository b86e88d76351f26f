"""The `application` scheme against the published and derived vectors, and against what nobody should send."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchfn.config.credentials import decode_secret
from sinchfn.errors import SignatureError
from sinchfn.security.application import ApplicationScheme
from sinchfn.security.table import SCHEMES, scheme_of
from tests.harness.paths import VOICE

DATA = json.loads((VOICE / "signatures.json").read_text("utf-8"))
VECTORS = {vector["name"]: vector for vector in DATA["vectors"]}
NEGATIVES = {vector["name"]: vector for vector in DATA["negative"]}
AGED = {name: vector for name, vector in VECTORS.items() if name != "node-validate"}

KEY = "f00dcafe-abba-c0de-1dea-dabb1ed4caf3"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
NOW = 1717694414.0
SCHEME = ApplicationScheme(KEY, SECRET)


def scheme_for(vector: dict[str, Any]) -> ApplicationScheme:
    return ApplicationScheme(vector["key"], vector["secret_base64"])


def request_of(vector: dict[str, Any]) -> dict[str, Any]:
    headers = vector["headers"]
    return {
        "method": vector["method"],
        "path": vector["path"],
        "content_type": headers.get("content-type", ""),
        "timestamp": headers.get("x-timestamp"),
        "authorization": headers.get("authorization"),
        "body": vector["body"].encode(),
    }


def seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def signed(**changes: Any) -> dict[str, Any]:
    """A request with these parts, signed at NOW."""
    parts: dict[str, Any] = {
        "method": "POST",
        "path": "/ice",
        "content_type": "application/json",
        "body": b'{"event":"ice"}',
    }
    parts |= changes
    headers = SCHEME.headers(**parts, now=NOW)
    return parts | {"timestamp": headers["x-timestamp"], "authorization": headers["authorization"]}


def signed_at(timestamp: str) -> dict[str, Any]:
    """A request whose timestamp is any text, rightly signed."""
    request = signed()
    request["timestamp"] = timestamp
    request["authorization"] = SCHEME.sign("POST", "/ice", "application/json", timestamp, request["body"])
    return request


class TestVectors:
    @pytest.mark.parametrize("name", VECTORS)
    def test_sign_gives_the_published_signature(self, name: str) -> None:
        vector = VECTORS[name]
        request = request_of(vector)
        authorization = request.pop("authorization")
        assert scheme_for(vector).sign(**request) == authorization
        assert authorization.endswith(":" + vector["expected_signature"])

    @pytest.mark.parametrize("name", AGED)
    def test_verify_accepts_at_the_time_of_signing(self, name: str) -> None:
        vector = AGED[name]
        scheme_for(vector).verify(**request_of(vector), now=seconds(vector["headers"]["x-timestamp"]))

    def test_a_right_signature_over_an_unreadable_timestamp_is_refused_for_the_timestamp(self) -> None:
        vector = VECTORS["node-validate"]
        with pytest.raises(SignatureError, match="not an ISO 8601"):
            scheme_for(vector).verify(**request_of(vector), now=seconds("2024-01-19T09:19:28Z"))

    @pytest.mark.parametrize("name", NEGATIVES)
    def test_verify_refuses_the_negative_vectors(self, name: str) -> None:
        vector = NEGATIVES[name]
        now = seconds(vector["headers"]["x-timestamp"])
        with pytest.raises(SignatureError):
            scheme_for(vector).verify(**request_of(vector), now=now)


class TestReasons:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"authorization": None}, "no Authorization header"),
            ({"authorization": ""}, "no Authorization header"),
            ({"authorization": "Basic dXNlcjpwYXNz"}, 'another scheme, "Basic"'),
            ({"authorization": f"service {KEY}:AAAA"}, 'another scheme, "service"'),
            ({"authorization": "application"}, "malformed"),
            ({"authorization": f"application {KEY}"}, "malformed"),
            ({"authorization": f"application  {KEY}:AAAA"}, "malformed"),
            ({"authorization": f"application {KEY}:"}, "malformed"),
            ({"authorization": f"application {KEY}:A A="}, "malformed"),
            ({"authorization": "application :AAAA"}, "malformed"),
            ({"authorization": f"application {KEY.upper()}:AAAA"}, "key differs"),
            ({"timestamp": None}, "no x-timestamp"),
            ({"timestamp": ""}, "no x-timestamp"),
            ({"authorization": f"application {KEY}:AAAA"}, "signature differs"),
        ],
    )
    def test_the_reason_names_what_is_wrong(self, changes: dict[str, Any], reason: str) -> None:
        with pytest.raises(SignatureError, match=reason):
            SCHEME.verify(**(signed() | changes), now=NOW)

    @pytest.mark.parametrize("word", ["application", "Application", "APPLICATION"])
    def test_the_scheme_word_is_read_without_case(self, word: str) -> None:
        request = signed()
        request["authorization"] = word + request["authorization"].removeprefix("application")
        SCHEME.verify(**request, now=NOW)

    def test_the_signature_is_checked_before_the_age(self) -> None:
        with pytest.raises(SignatureError, match="signature differs"):
            SCHEME.verify(**(signed() | {"body": b"{}"}), now=NOW + 10_000)

    def test_no_reason_holds_the_secret_or_the_right_signature(self) -> None:
        request = signed()
        right = request["authorization"].rpartition(":")[2]
        request["authorization"] = f"application {KEY}:AAAA"
        with pytest.raises(SignatureError) as raised:
            SCHEME.verify(**request, now=NOW)
        said = str(raised.value) + SCHEME.explain(**request) + repr(SCHEME) + str(SCHEME)
        assert right not in said
        assert SECRET not in said
        assert base64.b64decode(SECRET).decode() not in said


class TestAge:
    @pytest.mark.parametrize("late", [-300, -1, 0, 1, 300])
    def test_within_the_tolerance_both_ways_passes(self, late: float) -> None:
        SCHEME.verify(**signed(), now=NOW + late)

    def test_older_than_the_tolerance_is_refused(self) -> None:
        with pytest.raises(SignatureError, match=r"x-timestamp is 301\.0 s old, the tolerance is 300 s"):
            SCHEME.verify(**signed(), now=NOW + 301)

    def test_further_in_the_future_than_the_tolerance_is_refused(self) -> None:
        with pytest.raises(SignatureError, match=r"x-timestamp is 301\.0 s in the future, the tolerance is 300 s"):
            SCHEME.verify(**signed(), now=NOW - 301)

    def test_the_tolerance_can_be_set(self) -> None:
        scheme = ApplicationScheme(KEY, SECRET, tolerance=10)
        scheme.verify(**signed(), now=NOW + 10)
        with pytest.raises(SignatureError, match="the tolerance is 10 s"):
            scheme.verify(**signed(), now=NOW + 11)

    @pytest.mark.parametrize("tolerance", [-1, float("nan")])
    def test_an_impossible_tolerance_is_an_error(self, tolerance: float) -> None:
        with pytest.raises(ValueError, match="tolerance"):
            ApplicationScheme(KEY, SECRET, tolerance=tolerance)

    def test_the_current_time_counts_unless_told(self) -> None:
        headers = SCHEME.headers("POST", "/ice", "", b"")
        SCHEME.verify(
            method="POST",
            path="/ice",
            content_type="",
            timestamp=headers["x-timestamp"],
            authorization=headers["authorization"],
            body=b"",
        )
        assert abs(seconds(headers["x-timestamp"]) - time.time()) < 5

    @pytest.mark.parametrize(
        "timestamp",
        [
            "2024-06-06T17:20:14Z",
            "2024-06-06T17:20:14",
            "2024-06-06T17:20:14.1234567Z",
            "2024-06-06T17:20:14.1",
            "2024-06-06T17:20:14.123456789012345",
            "2024-06-06T19:20:14+02:00",
            "2024-06-06T19:20:14.5+0200",
            "2024-06-06 17:20:14Z",
            "2024-06-06T17:20Z",
        ],
    )
    def test_a_timestamp_may_lack_offset_fraction_and_seconds(self, timestamp: str) -> None:
        SCHEME.verify(**signed_at(timestamp), now=NOW)

    @pytest.mark.parametrize(
        "timestamp",
        [
            "now",
            "1717694414",
            "2024-W23-4",
            "2024-06-06",
            "2024-06-06T17:20:14Zjunk",
            "2024-06-06T17:20:14Z ",
            "2024-13-06T17:20:14Z",
            "2024-06-06T17:20:60Z",
            "2024-06-06T17:20:14+99:99",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "0000-01-01T00:00:00Z",
            "9" * 5000,
            "20240606T172014Z",
            "-2024-06-06T17:20:14Z",
            "\xb2\xb3024-06-06T17:20:14Z",
        ],
    )
    def test_any_odd_timestamp_is_refused_even_rightly_signed(self, timestamp: str) -> None:
        with pytest.raises(SignatureError, match="x-timestamp"):
            SCHEME.verify(**signed_at(timestamp), now=NOW)


class TestBytes:
    def test_one_flipped_bit_of_the_body_refuses(self) -> None:
        request = signed()
        body = request["body"]
        for position in range(len(body)):
            for bit in range(8):
                flipped = bytearray(body)
                flipped[position] ^= 1 << bit
                with pytest.raises(SignatureError):
                    SCHEME.verify(**(request | {"body": bytes(flipped)}), now=NOW)

    @pytest.mark.parametrize("part", ["method", "path", "content_type", "timestamp", "authorization"])
    def test_one_flipped_bit_of_any_text_refuses(self, part: str) -> None:
        request = signed()
        text = request[part].encode("latin-1")
        for position in range(len(text)):
            for bit in range(8):
                flipped = bytearray(text)
                flipped[position] ^= 1 << bit
                changed = flipped.decode("latin-1")
                if part == "method" and changed.upper() == "POST":
                    continue  # methods are signed in upper case
                if part == "authorization" and changed.lower().startswith("application ") and position < 11:
                    continue  # the scheme word is read without case
                with pytest.raises(SignatureError):
                    SCHEME.verify(**(request | {part: changed}), now=NOW)

    def test_an_empty_body_is_an_empty_line_and_not_the_md5_of_nothing(self) -> None:
        empty = SCHEME.sign("POST", "/ice", "", "2024-06-06T17:20:14Z", b"")
        assert empty != SCHEME.sign("POST", "/ice", "", "2024-06-06T17:20:14Z", b" ")
        SCHEME.verify(**signed(body=b""), now=NOW)

    def test_a_missing_content_type_is_an_empty_line(self) -> None:
        SCHEME.verify(**signed(content_type=""), now=NOW)

    def test_the_content_type_counts_verbatim(self) -> None:
        request = signed(content_type="application/json; charset=utf-8")
        with pytest.raises(SignatureError, match="signature differs"):
            SCHEME.verify(**(request | {"content_type": "application/json"}), now=NOW)

    def test_bytes_above_ascii_in_a_path_are_signed_as_they_came(self) -> None:
        wsgi_path = "/grüße".encode().decode("latin-1")
        SCHEME.verify(**signed(path=wsgi_path), now=NOW)

    @pytest.mark.parametrize("part", ["method", "path", "content_type", "timestamp", "authorization"])
    @pytest.mark.parametrize("text", ["\u20ac", "\ud800", "\U0001f600"])
    def test_text_that_is_no_bytes_is_refused(self, part: str, text: str) -> None:
        with pytest.raises(SignatureError):
            SCHEME.verify(**(signed() | {part: text}), now=NOW)

    def test_a_line_break_cannot_move_text_from_one_line_to_another(self) -> None:
        with pytest.raises(SignatureError, match="line break"):
            SCHEME.verify(**(signed() | {"content_type": "a\nb"}), now=NOW)
        with pytest.raises(SignatureError, match="line break"):
            SCHEME.sign("POST", "/ice\n/ace", "", "2024-06-06T17:20:14Z", b"")

    @given(
        method=st.text(),
        path=st.text(),
        content_type=st.text(),
        timestamp=st.none() | st.text(),
        authorization=st.none() | st.text() | st.text().map(f"application {KEY}:".__add__),
        body=st.binary(),
    )
    def test_whatever_comes_is_refused_with_a_signature_error_alone(self, **request: Any) -> None:
        with pytest.raises(SignatureError):
            SCHEME.verify(**request, now=NOW)
        assert isinstance(SCHEME.explain(**request, alternatives=[request["path"] + "/x"]), str)

    @given(timestamp=st.text(st.characters(max_codepoint=255, exclude_characters="\n"), min_size=1))
    def test_any_rightly_signed_timestamp_is_accepted_or_refused(self, timestamp: str) -> None:
        with pytest.raises(SignatureError, match="x-timestamp"):
            SCHEME.verify(**signed_at(timestamp), now=0)

    @given(
        path=st.text(st.characters(max_codepoint=255, exclude_characters="\n")),
        content_type=st.text(st.characters(max_codepoint=255, exclude_characters="\n")),
        body=st.binary(),
    )
    def test_what_was_signed_here_verifies(self, path: str, content_type: str, body: bytes) -> None:
        SCHEME.verify(**signed(path=path, content_type=content_type, body=body), now=NOW)


class TestHeaders:
    def test_a_client_sends_content_type_timestamp_and_authorization(self) -> None:
        headers = SCHEME.headers("POST", "/calling/v1/callouts", "application/json", b"{}", now=NOW + 0.25)
        assert list(headers) == ["content-type", "x-timestamp", "authorization"]
        assert headers["content-type"] == "application/json"
        assert headers["x-timestamp"] == "2024-06-06T17:20:14.2500000Z"
        assert headers["authorization"].startswith(f"application {KEY}:")

    def test_the_timestamp_is_utc_with_seven_digits(self) -> None:
        timestamp = SCHEME.headers("GET", "/", "", b"", now=NOW)["x-timestamp"]
        assert timestamp == "2024-06-06T17:20:14.0000000Z"
        assert datetime.fromisoformat(timestamp).tzinfo == UTC


class TestKeyAndSecret:
    @pytest.mark.parametrize("key", ["", "  ", "a b", "a:b", "a\nb", "schlüssel"])
    def test_a_key_that_cannot_stand_in_the_header_is_an_error(self, key: str) -> None:
        with pytest.raises(ValueError, match="the key is"):
            ApplicationScheme(key, SECRET)

    @pytest.mark.parametrize("secret", ["", " \n"])
    def test_an_empty_secret_is_an_error(self, secret: str) -> None:
        with pytest.raises(ValueError, match="empty"):
            ApplicationScheme(KEY, secret)

    @pytest.mark.parametrize(
        "secret",
        ["topsecret!", "dG9w-c2Vj_cmV0", "dG9wc2VjcmV", "dG9wc2VjcmV0=", "dG9w c2Vj", "=", "====", "tópsecrets="],
    )
    def test_a_secret_that_is_no_base64_is_an_error_that_does_not_show_it(self, secret: str) -> None:
        with pytest.raises(ValueError, match="not Base64") as raised:
            ApplicationScheme(KEY, secret)
        assert secret.rstrip("=") == "" or secret not in str(raised.value)
        assert raised.value.__context__ is None

    def test_whitespace_around_a_secret_is_trimmed(self) -> None:
        assert decode_secret(" \tc2VjcmV0\r\n") == b"secret"

    @given(st.binary(min_size=1))
    def test_every_base64_secret_decodes(self, secret: bytes) -> None:
        assert decode_secret(base64.b64encode(secret).decode()) == secret

    @given(st.text(st.characters(exclude_characters="+/="), min_size=1).filter(lambda text: not text.isascii()))
    def test_text_beyond_ascii_is_a_plain_value_error(self, text: str) -> None:
        with pytest.raises(ValueError, match="secret is") as raised:
            decode_secret(text)
        assert type(raised.value) is ValueError

    def test_repr_shows_the_key_and_never_the_secret(self) -> None:
        assert repr(SCHEME) == f"<ApplicationScheme {KEY}>"
        kept = [getattr(SCHEME, name) for name in SCHEME.__slots__]
        assert base64.b64decode(SECRET) not in kept
        assert SECRET not in kept


class TestExplain:
    @pytest.mark.parametrize(
        ("was_signed", "came", "sentence"),
        [
            (
                {"path": "/hooks/ice"},
                {"path": "/ice"},
                'the signature fits the path "/hooks/ice", but this request came as "/ice": set SINCHFN_PUBLIC_URL',
            ),
            ({"path": "/ice/"}, {"path": "/ice"}, 'fits the path "/ice/", but'),
            ({"path": "/ice"}, {"path": "/ice/"}, 'fits the path "/ice", but'),
            ({"path": "/a b"}, {"path": "/a%20b"}, 'fits the path "/a b", but'),
            ({"path": "/a%20b"}, {"path": "/a b"}, 'fits the path "/a%20b", but'),
            (
                {"content_type": "application/json; charset=utf-8"},
                {"content_type": "application/json"},
                'type "application/json; charset=utf-8", but this request came with "application/json"',
            ),
            ({"content_type": "text/x"}, {"content_type": "text/x;a=b"}, 'fits the content type "text/x", but'),
            ({"content_type": ""}, {"content_type": "application/json"}, 'fits the content type "", but'),
            ({"method": "POST"}, {"method": "GET"}, 'fits the method "POST", but this request came as "GET"'),
            ({"body": b""}, {"body": b"{}"}, 'fits the MD5 line "" (of an empty body), but'),
            (
                {"path": "/hooks/ice", "content_type": ""},
                {"path": "/ice", "content_type": "text/plain"},
                "; and the content",
            ),
            ({"body": b"{}"}, {"body": b"[]"}, "does not fit any of the paths"),
            ({}, {}, "fits this request as it came"),
            ({}, {"authorization": None}, "no Authorization header"),
            ({}, {"timestamp": None}, "no x-timestamp"),
        ],
    )
    def test_it_says_which_part_differs(self, was_signed: dict[str, Any], came: dict[str, Any], sentence: str) -> None:
        request = signed(**was_signed) | came
        assert sentence in SCHEME.explain(**request, alternatives=["/other/ice", "/hooks/ice", "\u20ac"])

    def test_another_secret_fits_nothing(self) -> None:
        other = ApplicationScheme(KEY, "b3RoZXI=")
        assert "the secret, the body or the timestamp differs" in other.explain(**signed())

    def test_what_came_is_escaped_into_one_line(self) -> None:
        said = SCHEME.explain(**(signed(path="/hooks") | {"path": "/a\r\x1bb"}), alternatives=["/hooks"])
        assert said.isprintable()


class TestGuarded:
    @pytest.mark.parametrize("export", ["ice", "ace", "pie", "dice", "notify"])
    def test_the_five_callbacks_are_guarded_by_the_application_scheme(self, export: str) -> None:
        assert export in SCHEMES["application"].exports
        for spelling in (export, export.upper(), f"{export[0]}_{export[1:]}", f"-{export}"):
            assert scheme_of(spelling) == "application"

    @pytest.mark.parametrize("export", ["", "default", "stripeWebhook", "icee"])
    def test_other_exports_are_not(self, export: str) -> None:
        assert scheme_of(export) is None
