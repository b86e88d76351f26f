"""The job as a function for functions-framework: it gets Flask's request and dispatches by itself."""

from __future__ import annotations

from typing import Any

from flask import Request, abort
from job import answer

from apps.signed import is_signed


def main(request: Request) -> dict[str, Any]:
    if request.path != "/ice":
        return {"hello": "world"}
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
    return answer(request.get_json()["cli"])
