"""The job that every app does: a signed ``POST /ice`` of about 1 KB, answered with about 300 bytes of SVAML.

Independent of sinchfn: what is measured must not also be what measures.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

KEY = "b3a1c0de-5a1e-4c0f-9a52-7d1c6f0e8b11"
SECRET = base64.b64encode(b"a secret for benchmarks only").decode()

PATH = "/ice"
CONTENT_TYPE = "application/json; charset=utf-8"

#: The number of callers that take turns: more than the answers that sinchfn remembers, so that it knows none of them.
CALLERS = 600

#: The settings of the apps. Production: signatures are verified, every request leaves a ledger line and a log line.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "SINCHFN_ENV": "production",
        "WEBHOOK_PROTECTION": "always",
        "VOICE_APPLICATION_KEY": KEY,
        "VOICE_APPLICATION_SECRET": SECRET,
    }
)

GREETING = "Welcome to Acme. Please hold the line while we connect you to the next free colleague in our office."
DESTINATION = "+46000000001"
COOKIE = ("origin", "benchmark")


class Call(NamedTuple):
    """One signed request and what must come back."""

    headers: Mapping[str, str]
    body: bytes
    answer: Mapping[str, Any]


def ice(number: int) -> dict[str, Any]:
    """Return the payload of a call from caller ``number``."""
    call_id = f"1ce0ffee-ca11-ca11-ca11-{number:012d}"
    return {
        "event": "ice",
        "callid": call_id,
        "callResourceUrl": f"https://calling-use1.api.sinch.com/calling/v1/calls/id/{call_id}",
        "timestamp": "2026-01-15T10:20:30Z",
        "version": 1,
        "custom": '{"campaign": "spring", "segment": "returning", "language": "en-US"}',
        "user": "benchmark@example.com",
        "userRate": {"currencyId": "USD", "amount": 0.0055},
        "cli": cli(number),
        "to": {"type": "did", "endpoint": "+12017777777"},
        "domain": "pstn",
        "applicationKey": KEY,
        "originationType": "PSTN",
        "duration": 0,
        "rdnis": "",
        "callHeaders": [
            {"key": "x-correlation-id", "value": "6f2a9d44-3f0e-4b52-9c1e-0a64c7c9a1d7"},
            {"key": "x-tenant", "value": "acme"},
            {"key": "x-region", "value": "eu-north-1"},
            {"key": "x-account-tier", "value": "gold"},
        ],
        "headers": {"via": "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds", "user-agent": "Example-SBC/4.2"},
    }


def cli(number: int) -> str:
    """Return the telephone number of caller ``number``."""
    return f"+1201{number:07d}"


def answer(caller: str) -> dict[str, Any]:
    """Return the answer to a call from this telephone number, as a hand-written app makes it."""
    return {
        "instructions": [
            {"name": "say", "text": GREETING, "locale": "en-US"},
            {"name": "setCookie", "key": COOKIE[0], "value": COOKIE[1]},
        ],
        "action": {"name": "connectPstn", "number": DESTINATION, "cli": caller, "maxDuration": 3600, "dialTimeout": 30},
    }


def calls(count: int = CALLERS) -> list[Call]:
    """Return requests of different callers, signed now."""
    return [_call(number) for number in range(count)]


def _call(number: int) -> Call:
    body = json.dumps(ice(number), separators=(",", ":")).encode()
    return Call(signed_headers(body), body, answer(cli(number)))


def signed_headers(body: bytes) -> dict[str, str]:
    """Return the headers of a callback as the platform signs it."""
    timestamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    text = f"POST\n{md5}\n{CONTENT_TYPE}\nx-timestamp:{timestamp}\n{PATH}"
    signature = base64.b64encode(hmac.digest(base64.b64decode(SECRET), text.encode(), "sha256")).decode()
    return {
        "Content-Type": CONTENT_TYPE,
        "X-Timestamp": timestamp,
        "Authorization": f"application {KEY}:{signature}",
    }
