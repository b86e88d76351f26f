"""A bare Flask app: one view that verifies, parses and answers. No log line, no ledger."""

from __future__ import annotations

from typing import Any

from flask import Flask, abort, request
from job import answer

from .signed import is_signed

app = Flask(__name__)


@app.post("/ice")
def ice() -> dict[str, Any]:
    verify()
    return answer(request.get_json()["cli"])


@app.get("/hello")
def hello() -> dict[str, str]:
    return {"hello": "world"}


def verify() -> None:
    """Answer 401 to a request that the platform did not sign."""
    headers = request.headers
    body = request.get_data()
    if not is_signed(
        request.method,
        request.path,
        headers.get("Content-Type", ""),
        headers.get("X-Timestamp", ""),
        headers.get("Authorization", ""),
        body,
    ):
        abort(401)
