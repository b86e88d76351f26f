"""The schemes of webhooks against published and computed vectors, the official SDK, and what nobody should send."""

from __future__ import annotations

import base64
import gc
import hashlib
import hmac
import json
import re
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sinchfn.errors import SignatureError
from sinchfn.security.elevenlabs import ElevenLabsScheme
from sinchfn.security.nonce import NonceScheme
from sinchfn.security.shared_secret import SharedSecretScheme
from sinchfn.security.table import SCHEMES as TABLE
from sinchfn.security.table import scheme_of
from tests.harness.paths import WEBHOOKS

DATA = json.loads((WEBHOOKS / "signatures.json").read_text("utf-8"))
NONCE_VECTORS = {v["id"]: v for v in DATA["vectors"] if v["scheme"] == "sinch-nonce-hmac-sha256"}
NONCE_NEGATIVES = {v["id"]: v for v in DATA["negative"] if v["scheme"] == "sinch-nonce-hmac-sha256"}
ELEVENLABS_VECTORS = {v["id"]: v for v in DATA["vectors"] if v["scheme"] == "elevenlabs-v0"}

SIGNATURE = "x-sinch-webhook-signature"
TIMESTAMP = "x-sinch-webhook-signature-timestamp"
NONCE = "x-sinch-webhook-signature-nonce"
ALGORITHM = "x-sinch-webhook-signature-algorithm"
NONCE_HEADERS = (SIGNATURE, TIMESTAMP, NONCE, ALGORITHM)
ELEVENLABS = "elevenlabs-signature"
INIT = "x-init-secret"

SECRET = "foo_secret1234"
NOW = 1634579353
BODY = b'{"a":1.5,"text":"Gr\xc3\xbc\xc3\x9fe"}'
MESSAGES = NonceScheme(SECRET)
AGENTS = ElevenLabsScheme(SECRET)
INITIATION = SharedSecretScheme(SECRET)
SCHEMES = (MESSAGES, AGENTS, INITIATION)
SIGNING = (MESSAGES, AGENTS)

Scheme = NonceScheme | ElevenLabsScheme | SharedSecretScheme
by_name = pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
by_signing = pytest.mark.parametrize("scheme", SIGNING, ids=lambda scheme: type(scheme).__name__)

#: What a header may hold: what WSGI makes of any bytes, and what it never makes.
texts = st.text(st.characters(max_codepoint=255)) | st.text()


def refused(scheme: Scheme, headers: dict[str, str], body: Any, now: float = NOW) -> str:
    """Why `scheme` refuses this request, which it must."""
    with pytest.raises(SignatureError) as raised:
        scheme.verify(headers, body, now)
    return str(raised.value)


def accepts(scheme: Scheme, headers: dict[str, str], body: Any, now: float = NOW) -> bool:
    try:
        scheme.verify(headers, body, now)
    except SignatureError:
        return False
    return True


def nonce_signature(text: bytes, secret: bytes = SECRET.encode()) -> str:
    """Of its own: what the documentation says, in one line."""
    return base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()


def nonce_headers(body: bytes, nonce: str = "01FJA8B4A7BM43YGWSG9GBV067", timestamp: str = str(NOW)) -> dict[str, str]:
    """Rightly signed headers, whatever the nonce and timestamp."""
    text = b".".join((body, nonce.encode("latin-1"), timestamp.encode("latin-1")))
    return {SIGNATURE: nonce_signature(text), TIMESTAMP: timestamp, NONCE: nonce, ALGORITHM: "HmacSHA256"}


def hex_signature(timestamp: str, body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), timestamp.encode("latin-1") + b"." + body, hashlib.sha256).hexdigest()


def elevenlabs_header(body: bytes, timestamp: str = str(NOW)) -> dict[str, str]:
    return {ELEVENLABS: f"t={timestamp},v0={hex_signature(timestamp, body)}"}


def cut(body: bytes, places: list[int]) -> list[bytes]:
    """`body` in pieces, some of them empty."""
    ends = [0, *sorted(min(place, len(body)) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(ends)]


def changed_bytes(text: str) -> Iterator[str]:
    """`text` with each bit of each of its bytes flipped, one at a time."""
    for position in range(len(text)):
        for bit in range(8):
            flipped = bytearray(text.encode("latin-1"))
            flipped[position] ^= 1 << bit
            yield flipped.decode("latin-1")


def untouched() -> Iterator[bytes]:
    raise AssertionError("the body was read")
    yield b""


class TestNonceVectors:
    @pytest.mark.parametrize("name", NONCE_VECTORS)
    def test_verify_accepts_at_the_time_of_signing_and_gives_the_nonce(self, name: str) -> None:
        vector = NONCE_VECTORS[name]
        headers = vector["headers"]
        nonce = NonceScheme(vector["secret"]).verify(headers, vector["body"].encode(), int(headers[TIMESTAMP]))
        assert nonce == headers[NONCE]

    @pytest.mark.parametrize("name", NONCE_VECTORS)
    def test_headers_gives_what_was_published(self, name: str) -> None:
        vector = NONCE_VECTORS[name]
        expected = vector["headers"]
        scheme = NonceScheme(vector["secret"])
        assert scheme.headers(vector["body"].encode(), int(expected[TIMESTAMP]), expected[NONCE]) == expected
        assert expected[SIGNATURE] == vector["expected_signature"]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("conv-reserialised", "the signature differs"),
            ("conv-wrong-timestamp", "the signature differs"),
            ("conv-non-ascii-signature", "signature is malformed: it must be the Base64 of 32 bytes"),
        ],
    )
    def test_verify_refuses_the_negative_vectors(self, name: str, reason: str) -> None:
        vector = NONCE_NEGATIVES[name]
        headers = vector["headers"]
        found = refused(NonceScheme(vector["secret"]), headers, vector["body"].encode(), int(headers[TIMESTAMP]))
        assert reason in found

    def test_every_negative_vector_is_tested(self) -> None:
        assert set(NONCE_NEGATIVES) == {"conv-reserialised", "conv-wrong-timestamp", "conv-non-ascii-signature"}

    def test_another_secret_refuses(self) -> None:
        vector = NONCE_VECTORS["conv-contact-create"]
        assert "the signature differs" in refused(NonceScheme("foo"), vector["headers"], vector["body"].encode())


class TestElevenLabsVectors:
    @pytest.mark.parametrize("name", ELEVENLABS_VECTORS)
    def test_verify_accepts_and_headers_gives_the_same(self, name: str) -> None:
        vector = ELEVENLABS_VECTORS[name]
        scheme, body = ElevenLabsScheme(vector["secret"]), vector["body"].encode()
        scheme.verify(vector["headers"], body, 1772443830)
        assert scheme.headers(body, 1772443830) == vector["headers"]
        assert vector["headers"][ELEVENLABS] == f"t=1772443830,{vector['expected_signature']}"

    def test_the_inputs_of_their_sdks_own_test(self) -> None:
        headers = {ELEVENLABS: "t=1600000000,v0=f8a0d1dc33ee963cb54d2f31514555995e93313c9d2042c030adbb82b87fae13"}
        scheme, body = ElevenLabsScheme("test_secret"), b'{"event_type": "speech.completed", "id": "123456"}'
        scheme.verify(headers, body, 1600000000)
        assert "the signature differs" in refused(scheme, headers, body + b" ", 1600000000)

    @pytest.mark.parametrize(("late", "passes"), [(0, True), (1800, True), (1801, False), (-86_400, True)])
    def test_the_window_is_that_of_their_sdk(self, late: int, passes: bool) -> None:
        assert accepts(AGENTS, elevenlabs_header(BODY), BODY, NOW + late) is passes

    def test_other_than_their_sdk_any_v0_may_hold_not_only_the_last(self) -> None:
        right, wrong = hex_signature(str(NOW), BODY), "0" * 64
        for signatures in ([right, wrong], [wrong, right], [wrong, "", right, "xyz"], [right, right]):
            header = ",".join([f"t={NOW}", *(f"v0={each}" for each in signatures)])
            AGENTS.verify({ELEVENLABS: header}, BODY, NOW)
        assert "differs" in refused(AGENTS, {ELEVENLABS: f"t={NOW},v0={wrong},v0={wrong}"}, BODY)

    @pytest.mark.parametrize("form", ["t={t}, v0={v0}", " t={t} ,\tv0={v0}\t", "v0={v0},t={t}"])
    def test_other_than_for_their_sdk_spaces_and_tabs_around_a_part_mean_nothing(self, form: str) -> None:
        AGENTS.verify({ELEVENLABS: form.format(t=NOW, v0=hex_signature(str(NOW), BODY))}, BODY, NOW)

    @pytest.mark.parametrize("form", ["t={t},v1=abc,v0={v0}", "t={t},,v0={v0},", "scheme,t={t},v0={v0}"])
    def test_parts_of_other_names_are_ignored(self, form: str) -> None:
        AGENTS.verify({ELEVENLABS: form.format(t=NOW, v0=hex_signature(str(NOW), BODY))}, BODY, NOW)

    @pytest.mark.parametrize("form", ["t ={t},v0={v0}", "t= {t},v0={v0}", "t={t},v0= {v0}", "t={t} v0={v0}"])
    def test_spaces_within_a_part_are_refused(self, form: str) -> None:
        refused(AGENTS, {ELEVENLABS: form.format(t=NOW, v0=hex_signature(str(NOW), BODY))}, BODY)


class TestReasons:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({SIGNATURE: None}, f"there is no {SIGNATURE} header: the webhook may have been set up without a secret"),
            ({SIGNATURE: ""}, f"there is no {SIGNATURE} header"),
            ({SIGNATURE: "abc"}, f"{SIGNATURE} is malformed"),
            ({SIGNATURE: "a" * 64}, f"{SIGNATURE} is malformed"),
            ({SIGNATURE: "_" * 43 + "="}, f"{SIGNATURE} is malformed"),
            ({SIGNATURE: "\u20ac"}, f"{SIGNATURE} has characters that cannot stand in an HTTP request"),
            ({SIGNATURE: "A" * 43 + "="}, "the signature differs"),
            ({ALGORITHM: None}, f"there is no {ALGORITHM} header"),
            ({ALGORITHM: "HmacSHA1"}, f'{ALGORITHM} is "HmacSHA1": only HmacSHA256 is accepted'),
            ({ALGORITHM: "hmacsha256"}, "only HmacSHA256 is accepted"),
            ({ALGORITHM: "HmacSHA256 "}, "only HmacSHA256 is accepted"),
            ({ALGORITHM: "x" * 1000}, f'{ALGORITHM} is "{"x" * 40}": only'),
            ({NONCE: None}, f"there is no {NONCE} header"),
            ({NONCE: ""}, f"there is no {NONCE} header"),
            ({NONCE: "a.b"}, f"{NONCE} is malformed"),
            ({TIMESTAMP: None}, f"there is no {TIMESTAMP} header"),
            ({TIMESTAMP: f"{NOW}000"}, "in decimal digits. It looks like milliseconds"),
            ({TIMESTAMP: "2021-10-18T17:49:13Z"}, f'{TIMESTAMP} is "2021-10-18T17:49:13Z": it must be seconds'),
            ({TIMESTAMP: str(NOW + 1)}, "the signature differs"),
        ],
    )
    def test_the_reason_of_the_nonce_scheme_names_what_is_wrong(self, changes: dict[str, Any], reason: str) -> None:
        headers = {name: text for name, text in (nonce_headers(BODY) | changes).items() if text is not None}
        assert reason in refused(MESSAGES, headers, BODY)

    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            ("", f"there is no {ELEVENLABS} header: the authentication of the webhook is perhaps not set to HMAC"),
            ("v0={v0}", f"{ELEVENLABS} has no t=: it must be"),
            ("t={t}", f"{ELEVENLABS} has no v0=: it must be"),
            ("t={t},v1={v0}", f"{ELEVENLABS} has no v0=: it must be"),
            ("T={t},V0={v0}", f"{ELEVENLABS} has no t="),
            ("t={t},t={t},v0={v0}", f"{ELEVENLABS} has 2 t=: it must be"),
            ("t=1,t={t},v0={v0}", f"{ELEVENLABS} has 2 t=: it must be"),
            ("t=,v0={v0}", f't in {ELEVENLABS} is "": it must be seconds since 1970'),
            ("t=now,v0={v0}", f't in {ELEVENLABS} is "now": it must be seconds since 1970'),
            ("t={t}000,v0={v0}", "It looks like milliseconds"),
            ("t={t},v0={V0}", f"v0 in {ELEVENLABS} is malformed: it must be"),
            ("t={t},v0={v0}00", f"v0 in {ELEVENLABS} is malformed"),
            ("t={t},v0=", f"v0 in {ELEVENLABS} is malformed"),
            ("t={t},v0=" + "0" * 64, "the signature differs"),
            ("\u20ac", f"{ELEVENLABS} has characters that cannot stand in an HTTP request"),
        ],
    )
    def test_the_reason_of_the_elevenlabs_scheme_names_what_is_wrong(self, header: str, reason: str) -> None:
        right = hex_signature(str(NOW), BODY)
        headers = {ELEVENLABS: header.format(t=NOW, v0=right, V0=right.upper())}
        found = refused(AGENTS, headers, BODY)
        assert reason in found
        assert right not in found.lower()

    @pytest.mark.parametrize(
        ("headers", "reason"),
        [
            ({}, f"there is no {INIT} header: add it, with the secret, to the request headers of the webhook"),
            ({INIT: ""}, f"there is no {INIT} header"),
            ({INIT: "\ud800"}, f"{INIT} has characters that cannot stand"),
            ({INIT: "\xe9"}, f"the secret in {INIT} differs from the one set here"),
            ({INIT: SECRET.upper()}, f"the secret in {INIT} differs"),
            ({INIT: SECRET + "5"}, f"the secret in {INIT} differs"),
            ({INIT: SECRET[:-1]}, f"the secret in {INIT} differs"),
        ],
    )
    def test_the_reason_of_the_shared_secret_names_what_is_wrong(self, headers: dict[str, str], reason: str) -> None:
        assert reason in refused(INITIATION, headers, BODY)

    @by_name
    def test_no_reason_repr_or_explanation_holds_the_secret_or_the_right_signature(self, scheme: Scheme) -> None:
        headers = scheme.headers(BODY, NOW)
        right = headers.get(SIGNATURE) or headers.get(ELEVENLABS, SECRET).rpartition("=")[2]
        wrong = scheme.headers(b"other", NOW, *([headers[NONCE]] if scheme is MESSAGES else []))
        if scheme is INITIATION:
            wrong = {INIT: "other"}
        said = refused(scheme, wrong, BODY) + scheme.explain(wrong, BODY, NOW) + repr(scheme) + str(scheme)
        assert SECRET not in said
        assert right not in said

    @by_signing
    def test_the_headers_are_checked_before_the_body_is_read(self, scheme: Scheme) -> None:
        for name in scheme.headers(BODY, NOW):
            headers = scheme.headers(BODY, NOW)
            del headers[name]
            assert "there is no" in refused(scheme, headers, untouched())
        with pytest.raises(AssertionError, match="the body was read"):
            scheme.verify(scheme.headers(BODY, NOW), untouched(), NOW)

    @by_signing
    def test_the_signature_is_checked_before_the_age(self, scheme: Scheme) -> None:
        assert "the signature differs" in refused(scheme, scheme.headers(BODY, NOW), b"{}", NOW + 100_000)


class TestAge:
    @pytest.mark.parametrize("late", [-300, -1, 0, 0.5, 300])
    def test_a_message_within_the_tolerance_both_ways_passes(self, late: float) -> None:
        MESSAGES.verify(nonce_headers(BODY), BODY, NOW + late)

    @pytest.mark.parametrize(
        ("scheme", "late", "reason"),
        [
            (MESSAGES, 301, f"{TIMESTAMP} is 301.0 s old, the tolerance is 300 s"),
            (MESSAGES, -300.5, f"{TIMESTAMP} is 300.5 s in the future, the tolerance is 300 s"),
            (NonceScheme(SECRET, tolerance=10), 11, "is 11.0 s old, the tolerance is 10 s"),
            (NonceScheme(SECRET, tolerance=0), 0.1, "is 0.1 s old, the tolerance is 0 s"),
            (AGENTS, 1801, f"t in {ELEVENLABS} is 1801.0 s old, the tolerance is 1800 s"),
            (ElevenLabsScheme(SECRET, tolerance=10), 11, "is 11.0 s old, the tolerance is 10 s"),
        ],
    )
    def test_outside_of_it_a_request_is_refused_with_its_age(self, scheme: Scheme, late: float, reason: str) -> None:
        assert reason in refused(scheme, scheme.headers(BODY, NOW), BODY, NOW + late)

    def test_an_event_of_the_future_is_accepted_however_far(self) -> None:
        AGENTS.verify(elevenlabs_header(BODY, "9" * 12), BODY, NOW)

    @by_signing
    def test_the_current_time_counts_unless_told(self, scheme: NonceScheme | ElevenLabsScheme) -> None:
        scheme.verify(scheme.headers(BODY), BODY)
        with pytest.raises(SignatureError, match="s old"):
            scheme.verify(scheme.headers(BODY, time.time() - scheme.tolerance - 60), BODY)

    @pytest.mark.parametrize("kind", [NonceScheme, ElevenLabsScheme])
    @pytest.mark.parametrize("tolerance", [-1, float("nan")])
    def test_an_impossible_tolerance_is_an_error(self, kind: Callable[..., Scheme], tolerance: float) -> None:
        with pytest.raises(ValueError, match="tolerance"):
            kind(SECRET, tolerance=tolerance)

    def test_a_nonce_cannot_be_remembered_for_ever(self) -> None:
        with pytest.raises(ValueError, match="infinite"):
            NonceScheme(SECRET, tolerance=float("inf"))

    ODD = (
        *(
            "",
            " ",
            "now",
            "-1",
            "+1634579353",
            "1634579353.0",
            " 1634579353",
            "1634579353 ",
            "1_634_579_353",
            "0x616DB459",
        ),
        *("1634579353\n", "1e9", "9" * 13, "9" * 5000, "\xb2\xb3", "1634579353,1634579353", "1634579353\x00"),
    )

    @pytest.mark.parametrize("timestamp", ODD)
    def test_any_odd_timestamp_is_refused_even_rightly_signed(self, timestamp: str) -> None:
        assert TIMESTAMP in refused(MESSAGES, nonce_headers(BODY, timestamp=timestamp), BODY)
        refused(AGENTS, elevenlabs_header(BODY, timestamp), BODY)

    def test_digits_of_other_scripts_are_no_bytes(self) -> None:
        arabic = "".join(chr(0x660 + int(digit)) for digit in str(NOW))
        assert "cannot stand in an HTTP" in refused(MESSAGES, nonce_headers(BODY) | {TIMESTAMP: arabic}, BODY)

    @given(tolerance=st.integers(0, 86_400), early=st.integers(-100_000, 100_000), later=st.integers(0, 300_000))
    def test_whoever_remembers_a_nonce_for_its_lifetime_meets_it_in_every_replay(
        self, tolerance: int, early: int, later: int
    ) -> None:
        scheme = NonceScheme(SECRET, tolerance=tolerance)
        headers, first = scheme.headers(BODY, NOW), NOW + early
        assume(accepts(scheme, headers, BODY, first))
        # Also by a machine whose clock is half a minute behind.
        assert later + 30 <= scheme.lifetime or not accepts(scheme, headers, BODY, first + later)

    def test_the_lifetime_is_twice_the_tolerance_and_a_minute(self) -> None:
        assert (MESSAGES.lifetime, NonceScheme(SECRET, tolerance=10).lifetime) == (660, 80)


class TestBytes:
    @by_name
    def test_one_flipped_bit_of_any_header_refuses(self, scheme: Scheme) -> None:
        headers = scheme.headers(BODY, NOW)
        for name, text in headers.items():
            for changed in changed_bytes(text):
                refused(scheme, headers | {name: changed}, BODY)

    @by_signing
    def test_one_flipped_bit_of_the_body_refuses(self, scheme: Scheme) -> None:
        headers = scheme.headers(BODY, NOW)
        for changed in changed_bytes(BODY.decode("latin-1")):
            assert "the signature differs" in refused(scheme, headers, changed.encode("latin-1"))

    @given(data=st.data(), body=st.binary())
    def test_one_other_byte_anywhere_refuses(self, data: st.DataObject, body: bytes) -> None:
        for scheme in SIGNING:
            headers = scheme.headers(body, NOW)
            name = data.draw(st.sampled_from(sorted(headers)))
            position = data.draw(st.integers(0, len(headers[name]) - 1))
            other = data.draw(st.characters(max_codepoint=255))
            changed = headers[name][:position] + other + headers[name][position + 1 :]
            # No assume(): a nonce is random, and Hypothesis wants the same course each time.
            if changed != headers[name]:
                refused(scheme, headers | {name: changed}, body)

    @given(body=st.binary(), other=st.binary())
    def test_another_body_refuses(self, body: bytes, other: bytes) -> None:
        for scheme in SIGNING:
            assert accepts(scheme, scheme.headers(body, NOW), other) is (body == other)

    @given(
        headers=st.dictionaries(st.sampled_from((*NONCE_HEADERS, ELEVENLABS, INIT)), texts),
        elevenlabs=st.none() | texts.map("t=1634579353,v0=".__add__) | texts.map("t=1634579353,v0=ab,".__add__),
        body=st.binary(),
    )
    def test_whatever_comes_is_refused_with_a_signature_error_alone(
        self, headers: dict[str, str], elevenlabs: str | None, body: bytes
    ) -> None:
        headers |= {} if elevenlabs is None else {ELEVENLABS: elevenlabs}
        for scheme in SCHEMES:
            refused(scheme, headers, body)
            assert scheme.explain(headers, body, NOW).isprintable()

    @given(name=st.sampled_from(NONCE_HEADERS), text=texts)
    def test_any_text_in_one_header_of_a_signed_message_is_refused(self, name: str, text: str) -> None:
        headers = nonce_headers(BODY)
        assume(text != headers[name])
        refused(MESSAGES, headers | {name: text}, BODY)
        assert MESSAGES.explain(headers | {name: text}, BODY, NOW).isprintable()

    @given(nonce=st.text(st.characters(max_codepoint=255)), timestamp=st.text(st.characters(max_codepoint=255)))
    def test_a_nonce_that_is_rightly_signed_is_accepted_in_its_form_alone(self, nonce: str, timestamp: str) -> None:
        fits = 1 <= len(nonce) <= 128 and "." not in nonce and all("!" <= char <= "~" for char in nonce)
        assert accepts(MESSAGES, nonce_headers(BODY, nonce), BODY) is fits
        if not re.fullmatch("[0-9]{1,12}", timestamp):
            assert TIMESTAMP in refused(MESSAGES, nonce_headers(BODY, timestamp=timestamp), BODY)

    @pytest.mark.parametrize("nonce", ["", " ", "a b", "a.b", ".", "a\x00", "a\x7f", "\xe9", "a\nb", "n" * 129])
    def test_a_nonce_of_another_form_is_refused_even_rightly_signed_and_never_made(self, nonce: str) -> None:
        assert NONCE in refused(MESSAGES, nonce_headers(BODY, nonce), BODY)
        with pytest.raises(SignatureError, match=NONCE):
            MESSAGES.headers(BODY, NOW, nonce)

    @pytest.mark.parametrize("nonce", ["n", "n" * 128, "!", "~", "-", "/", "a+b/c==", "a,b"])
    def test_a_nonce_of_printable_ascii_without_a_dot_is_given_back(self, nonce: str) -> None:
        assert MESSAGES.verify(nonce_headers(BODY, nonce), BODY, NOW) == nonce

    @by_signing
    def test_a_time_that_cannot_be_written_is_never_signed(self, scheme: Scheme) -> None:
        for now in (-5, 1e12):
            with pytest.raises(SignatureError, match="seconds since 1970"):
                scheme.headers(BODY, now)

    @given(body=st.binary(), now=st.integers(0, 10**12 - 1), fraction=st.floats(0, 0.5))
    def test_what_was_signed_here_verifies(self, body: bytes, now: int, fraction: float) -> None:
        for scheme in SCHEMES:
            scheme.verify(scheme.headers(body, now), body, now + fraction)

    def test_each_request_has_a_nonce_of_its_own(self) -> None:
        nonces = {MESSAGES.headers(BODY, NOW)[NONCE] for _ in range(100)}
        assert len(nonces) == 100
        assert all(len(nonce) == 26 and nonce.isalnum() for nonce in nonces)

    @by_name
    def test_what_is_compared_in_constant_time_is_bytes(self, scheme: Scheme, monkeypatch: pytest.MonkeyPatch) -> None:
        compared: list[object] = []
        compare = hmac.compare_digest

        def spy(left: Any, right: Any) -> bool:
            compared.extend((left, right))
            return compare(left, right)

        headers = scheme.headers(BODY, NOW)
        monkeypatch.setattr(hmac, "compare_digest", spy)
        scheme.verify(headers, BODY, NOW)
        scheme.explain(headers, BODY, NOW)
        assert len(compared) >= 4
        assert {type(each) for each in compared} == {bytes}

    def test_every_v0_is_compared_also_after_one_that_fits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        claimed: list[bytes] = []
        compare = hmac.compare_digest
        headers = {ELEVENLABS: elevenlabs_header(BODY)[ELEVENLABS] + ",v0=aa,v0=bb"}
        monkeypatch.setattr(hmac, "compare_digest", lambda left, right: claimed.append(left) or compare(left, right))
        AGENTS.verify(headers, BODY, NOW)
        assert claimed[1:] == [b"aa", b"bb"]


class TestSignedText:
    """Two different requests never share a signed text: else who has seen one could send the other."""

    @given(
        body=st.text("1.a", max_size=12).map(str.encode),
        nonce=st.text("1a", min_size=1, max_size=4),
        timestamp=st.text("1", min_size=1, max_size=4),
    )
    def test_a_signed_text_parts_into_body_nonce_and_timestamp_in_one_way(
        self, body: bytes, nonce: str, timestamp: str
    ) -> None:
        scheme, headers = NonceScheme(SECRET, tolerance=10_000), nonce_headers(body, nonce, timestamp)
        pieces = b".".join((body, nonce.encode(), timestamp.encode())).split(b".")
        accepted = []
        for second in range(1, len(pieces)):
            for third in range(second + 1, len(pieces)):
                parts = (pieces[:second], pieces[second:third], pieces[third:])
                other, its_nonce, its_timestamp = (b".".join(part) for part in parts)
                its_headers = headers | {NONCE: its_nonce.decode(), TIMESTAMP: its_timestamp.decode()}
                if accepts(scheme, its_headers, other, now=1111):
                    accepted.append((other, its_nonce.decode(), its_timestamp.decode()))
        assert accepted == [(body, nonce, timestamp)]

    @given(timestamp=st.text("1", min_size=1, max_size=4), body=st.text("1.a", max_size=12).map(str.encode))
    def test_a_signed_text_parts_into_timestamp_and_body_in_one_way(self, timestamp: str, body: bytes) -> None:
        pieces = [timestamp.encode(), *body.split(b".")]
        signature = elevenlabs_header(body, timestamp)[ELEVENLABS].partition(",")[2]
        accepted = []
        for first in range(1, len(pieces)):
            its_timestamp, other = b".".join(pieces[:first]).decode(), b".".join(pieces[first:])
            if accepts(AGENTS, {ELEVENLABS: f"t={its_timestamp},{signature}"}, other, now=1111):
                accepted.append((its_timestamp, other))
        assert accepted == [(timestamp, body)]

    def test_a_nonce_cannot_take_over_the_end_of_a_body(self) -> None:
        headers = nonce_headers(b'{"price":1.5}', "NONCE")
        assert "malformed" in refused(MESSAGES, headers | {NONCE: "5}.NONCE"}, b'{"price":1')


class TestPieces:
    @given(body=st.binary(), other=st.binary(), places=st.lists(st.integers(0, 200)))
    def test_pieces_of_any_cut_have_the_verdict_of_the_whole(
        self, body: bytes, other: bytes, places: list[int]
    ) -> None:
        for scheme in SIGNING:
            headers = scheme.headers(body, NOW)
            assert accepts(scheme, headers, iter(cut(body, places)))
            assert accepts(scheme, headers, cut(other, places)) is (other == body)
            assert scheme.explain(headers, iter(cut(other, places))) == scheme.explain(headers, other)

    @given(body=st.binary(), places=st.lists(st.integers(0, 200)))
    def test_pieces_are_signed_as_the_whole(self, body: bytes, places: list[int]) -> None:
        assert MESSAGES.headers(iter(cut(body, places)), NOW, "n") == MESSAGES.headers(body, NOW, "n")
        assert AGENTS.headers(iter(cut(body, places)), NOW) == AGENTS.headers(body, NOW)

    @by_signing
    def test_pieces_are_not_joined_in_memory(self, scheme: Scheme) -> None:
        def pieces() -> Iterator[bytes]:
            for number in range(64):
                yield bytes([number]) * (1 << 18)

        headers = scheme.headers(pieces(), NOW)
        tracemalloc.start()
        scheme.verify(headers, pieces(), NOW)
        scheme.explain(headers, pieces(), NOW)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1 << 23  # of 16 MiB

    @by_signing
    def test_what_reading_the_body_raises_comes_through(self, scheme: Scheme) -> None:
        def broken() -> Iterator[bytes]:
            yield BODY
            raise OSError("gone")

        with pytest.raises(OSError, match="gone"):
            scheme.verify(scheme.headers(BODY, NOW), broken(), NOW)


class TestSecrets:
    @pytest.mark.parametrize("kind", [NonceScheme, ElevenLabsScheme, SharedSecretScheme])
    @pytest.mark.parametrize("secret", ["", " \t\r\n"])
    def test_an_empty_secret_is_an_error(self, kind: Callable[[str], Scheme], secret: str) -> None:
        with pytest.raises(ValueError, match="the secret is empty"):
            kind(secret)

    @pytest.mark.parametrize("kind", [NonceScheme, ElevenLabsScheme, SharedSecretScheme])
    def test_a_secret_that_is_no_text_is_an_error_that_does_not_show_it(self, kind: Callable[[str], Scheme]) -> None:
        with pytest.raises(ValueError, match="the secret is not text") as raised:
            kind("secret-\udcff")
        assert type(raised.value) is ValueError
        assert raised.value.__context__ is None
        assert "secret-" not in str(raised.value)

    @pytest.mark.parametrize("kind", [NonceScheme, ElevenLabsScheme, SharedSecretScheme])
    def test_whitespace_around_a_secret_is_ignored(self, kind: Callable[[str], Scheme]) -> None:
        kind(f" {SECRET}\r\n").verify(kind(SECRET).headers(BODY, NOW), BODY, NOW)

    @pytest.mark.parametrize("kind", [NonceScheme, ElevenLabsScheme, SharedSecretScheme])
    def test_a_secret_beyond_ascii_is_utf_8(self, kind: Callable[[str], Scheme]) -> None:
        headers = kind("schlüssel€").headers(BODY, NOW)
        kind("schlüssel€").verify(headers, BODY, NOW)
        assert not accepts(kind("schlussel€"), headers, BODY)
        assert kind is not SharedSecretScheme or headers[INIT].encode("latin-1") == "schlüssel€".encode()

    def test_a_secret_that_looks_like_base64_is_text_all_the_same(self) -> None:
        headers = NonceScheme("c2VjcmV0").headers(BODY, NOW, "n")
        assert headers[SIGNATURE] == nonce_signature(BODY + f".n.{NOW}".encode(), b"c2VjcmV0")
        assert not accepts(NonceScheme("secret"), headers, BODY)

    @by_signing
    def test_the_secret_is_not_kept(self, scheme: NonceScheme | ElevenLabsScheme) -> None:
        kept, todo = [], [scheme]
        while todo:
            found = todo.pop()
            kept.append(found)
            todo += [each for each in gc.get_referents(found) if not isinstance(each, type)]
        assert any(isinstance(each, hmac.HMAC) for each in kept), "what is kept was gone through"
        assert not {SECRET, SECRET.encode()} & {each for each in kept if isinstance(each, str | bytes)}

    @by_name
    def test_no_repr_shows_it(self, scheme: Scheme) -> None:
        expected = {
            MESSAGES: "<NonceScheme, 300 s>",
            AGENTS: "<ElevenLabsScheme, 1800 s>",
            INITIATION: "<SharedSecretScheme x-init-secret>",
        }
        assert repr(scheme) == expected[scheme]

    def test_the_name_of_the_header_can_be_chosen_in_any_case(self) -> None:
        scheme = SharedSecretScheme(SECRET, "X-Our-TOKEN")
        assert scheme.headers() == {"x-our-token": SECRET}
        scheme.verify({"x-our-token": SECRET}, BODY)
        assert "there is no x-our-token header" in refused(scheme, {INIT: SECRET}, BODY)

    @pytest.mark.parametrize("header", ["", "X Init", "X:Init", "Grüße", "X\n"])
    def test_a_name_that_no_header_can_have_is_an_error(self, header: str) -> None:
        with pytest.raises(ValueError, match="cannot be the name of a header"):
            SharedSecretScheme(SECRET, header)

    @pytest.mark.parametrize("secret", ["a\nb", "a\x00b", "a\x7fb"])
    def test_a_secret_that_no_header_can_hold_is_an_error(self, secret: str) -> None:
        with pytest.raises(ValueError, match="no header can hold it"):
            SharedSecretScheme(secret)

    @given(secret=st.text(st.characters(exclude_categories=["Cc", "Cs"])), given=texts)
    def test_only_the_secret_itself_is_let_in(self, secret: str, given: str) -> None:
        assume(secret.strip())
        scheme, sent = SharedSecretScheme(secret), secret.strip().encode().decode("latin-1")
        scheme.verify({INIT: sent}, BODY)
        assert accepts(scheme, {INIT: given}, BODY) is (given == sent)


class TestExplain:
    @by_signing
    @pytest.mark.parametrize(
        ("was_signed", "came", "sentence"),
        [
            (b'{"a":[1,2]}', b'{"a": [1, 2]}', "the signature fits the body as JSON without spaces, but it arrived"),
            ('{"a":"ü"}'.encode(), b'{"a": "\\u00fc"}', "fits the body as JSON without spaces"),
            (b'{"a": [1, 2]}', b'{"a":[1,2]}', "fits the body as JSON with spaces after comma and colon"),
            (b"{}\n", b"{}", "fits the body with a line break at its end"),
            (b"{}", b"{}\r\n", "fits the body without the line break at its end"),
            (b"{\n}", b"{\r\n}", "fits the body with LF for CR LF"),
            (b"text", b"text", "the signature fits this request as it came"),
            (b"[1]", b"[2]", "does not fit any form of the body that was tried: the secret or the signed data differs"),
            (b"a", b"[" * 100_000, "does not fit any form"),
            (b"a", b"\xff", "does not fit any form"),
        ],
    )
    def test_it_says_which_form_of_the_body_was_signed(
        self, scheme: Scheme, was_signed: bytes, came: bytes, sentence: str
    ) -> None:
        assert sentence in scheme.explain(scheme.headers(was_signed, NOW), came, NOW)

    @pytest.mark.parametrize("kind", [NonceScheme, ElevenLabsScheme])
    def test_it_says_that_the_secret_was_taken_for_base64(self, kind: Callable[[str], Scheme]) -> None:
        headers = kind("secret").headers(BODY, NOW)
        assert "the signature fits the secret decoded from Base64, but" in kind("c2VjcmV0").explain(headers, BODY)
        other = kind("secret").headers(b"{}", NOW)
        said = kind("c2VjcmV0").explain(other, b"{}\n")
        assert "decoded from Base64" in said
        assert "; and the body without the line break" in said

    @by_signing
    def test_it_says_that_milliseconds_were_signed(self, scheme: Scheme) -> None:
        headers = nonce_headers(BODY, timestamp=f"{NOW}000") | {TIMESTAMP: str(NOW)}
        headers |= {ELEVENLABS: f"t={NOW},v0={hex_signature(f'{NOW}000', BODY)}"}
        assert "fits the timestamp in milliseconds, but it came in seconds" in scheme.explain(headers, BODY)

    @by_name
    def test_it_says_what_verify_says_of_headers_that_are_missing(self, scheme: Scheme) -> None:
        assert scheme.explain({}, BODY, NOW) == refused(scheme, {}, BODY)

    @by_signing
    def test_a_large_body_is_not_tried(self, scheme: Scheme) -> None:
        large = b"x" * ((1 << 20) + 1)
        assert "the body has more than 1048576 bytes" in scheme.explain(scheme.headers(large, NOW), large)
        assert "as it came" in scheme.explain(scheme.headers(large[1:], NOW), large[1:])

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            (f"Bearer {SECRET}", "was sent with a word before it, such as Bearer: send it as it is"),
            (f'"{SECRET}"', "was sent in quotes or between spaces"),
            (f"{SECRET} ", "was sent in quotes or between spaces"),
            ("foo%5Fsecret1234", "was sent percent-encoded"),
            (SECRET, f"the secret in {INIT} is the one set here"),
            ("other", f"{INIT} holds another secret"),
        ],
    )
    def test_it_says_how_a_shared_secret_was_sent(self, given: str, sentence: str) -> None:
        assert sentence in INITIATION.explain({INIT: given}, BODY, NOW)
        assert SECRET not in INITIATION.explain({INIT: given}, BODY, NOW)


@pytest.fixture(scope="module")
def sdk() -> Callable[[str, dict[str, str], str], bool]:
    """The validator of the official SDK."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of while it is imported is its own affair
        from sinch.domains.authentication.sinch_events.v1 import authentication_validation as validation
    found: Callable[[str, dict[str, str], str], bool] = validation.validate_sinch_event_signature_with_nonce
    return found


class TestAgainstTheSdk:
    @pytest.mark.parametrize("name", NONCE_VECTORS)
    def test_both_accept_the_vectors(self, sdk: Any, name: str) -> None:
        vector = NONCE_VECTORS[name]
        assert sdk(vector["secret"], vector["headers"], vector["body"])

    @given(
        body=st.text(st.characters(exclude_categories=["Cs"])),
        signed=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        nonce=st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26),
        timestamp=st.integers(0, 10**11),
        secret=st.sampled_from(["foo_secret1234", "schlüssel", "c2VjcmV0"]),
        theirs=st.sampled_from(["foo_secret1234", "schlüssel", "c2VjcmV0"]),
    )
    def test_both_have_one_verdict_on_requests_in_the_form_of_the_platform(
        self, sdk: Any, body: str, signed: str | None, nonce: str, timestamp: int, secret: str, theirs: str
    ) -> None:
        signed = body if signed is None else signed
        headers = NonceScheme(secret).headers(signed.encode(), timestamp, nonce)
        verdict = accepts(NonceScheme(theirs), headers, body.encode(), timestamp)
        assert sdk(theirs, headers, body) is verdict is (signed == body and secret == theirs)

    @pytest.mark.parametrize(
        ("changes", "late", "reason"),
        [
            ({ALGORITHM: ""}, 0, f"there is no {ALGORITHM} header"),
            ({ALGORITHM: "HmacMD5"}, 0, "only HmacSHA256"),
            ({}, 301, "301.0 s old"),
            ({}, -301, "301.0 s in the future"),
        ],
    )
    def test_other_than_the_sdk_this_looks_at_algorithm_and_age(
        self, sdk: Any, changes: dict[str, str], late: int, reason: str
    ) -> None:
        headers = nonce_headers(BODY) | changes
        assert sdk(SECRET, headers, BODY.decode())
        assert reason in refused(MESSAGES, headers, BODY, NOW + late)

    def test_other_than_the_sdk_this_lets_no_nonce_take_over_the_end_of_a_body(self, sdk: Any) -> None:
        headers = nonce_headers(b'{"price":1.5}', "NONCE") | {NONCE: "5}.NONCE"}
        assert sdk(SECRET, headers, '{"price":1')
        assert NONCE in refused(MESSAGES, headers, b'{"price":1')

    def test_other_than_in_the_sdk_a_signature_beyond_ascii_is_refused_cleanly(self, sdk: Any) -> None:
        headers = nonce_headers(BODY) | {SIGNATURE: "\xe9"}
        with pytest.raises(TypeError):
            sdk(SECRET, headers, BODY.decode())
        assert "malformed" in refused(MESSAGES, headers, BODY)


class TestTable:
    @pytest.mark.parametrize(
        ("export", "scheme"),
        [
            ("conversationWebhook", "nonce"),
            ("smsWebhook", "sms-nonce"),
            ("elevenLabsWebhook", "elevenlabs"),
            ("elevenLabsInitWebhook", "init-secret"),
        ],
    )
    def test_a_webhook_is_guarded_in_every_spelling(self, export: str, scheme: str) -> None:
        snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in export)
        for spelling in (export, export.upper(), export.lower(), snake, snake.replace("_", "-")):
            assert scheme_of(spelling) == scheme

    @pytest.mark.parametrize("export", ["webhook", "conversation", "numbersWebhook", "faxWebhook", "elevenLabs"])
    def test_other_webhooks_are_the_users_to_protect(self, export: str) -> None:
        assert scheme_of(export) is None

    def test_each_scheme_names_the_settings_it_needs(self) -> None:
        assert all(row.name == name and row.variables and row.source for name, row in TABLE.items())
        assert TABLE["application"].variables == ("VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET")
        assert TABLE["nonce"].variables == ("CONVERSATION_WEBHOOK_SECRET",)
        assert TABLE["sms-nonce"].variables == ("SMS_WEBHOOK_SECRET",)
        assert TABLE["elevenlabs"].variables == ("ELEVENLABS_WEBHOOK_SECRET",)
        assert TABLE["init-secret"].variables == ("ELEVENLABS_INIT_SECRET",)
