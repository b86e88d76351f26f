"""The Flask app by hand, with what sinchfn does as well: a request id, a log line and a ledger line per request."""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from job import answer

from .flask_by_hand import verify

app = Flask(__name__)
ledger = Path(os.environ["BENCHMARK_LEDGER"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115


class JsonFormatter(logging.Formatter):
    """Formats records as JSON, one object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname, "message": record.getMessage()}
        return json.dumps({**line, **record.__dict__.get("usage", {})})


log = logging.getLogger("requests")
log.setLevel(logging.INFO)
log.propagate = False
log.addHandler(logging.StreamHandler())
log.handlers[0].setFormatter(JsonFormatter())


@app.before_request
def begin() -> None:
    g.request_id = request.headers.get("X-Request-ID") or uuid.uuid4().hex
    g.started = time.perf_counter()


@app.post("/ice")
def ice() -> dict[str, Any]:
    verify()
    data = request.get_json()
    g.call_id = data["callid"]
    return answer(data["cli"])


@app.get("/hello")
def hello() -> dict[str, str]:
    return {"hello": "world"}


@app.after_request
def record(response: Response) -> Response:
    usage = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - g.started) * 1000, 3),
        "request_bytes": request.content_length or 0,
        "response_bytes": response.content_length,
        "call_id": g.get("call_id"),
    }
    ledger.write(json.dumps(usage) + "\n")
    response.headers["X-Request-ID"] = g.request_id
    log.info("%s %s %s", request.method, request.path, response.status_code, extra={"usage": usage})
    return response
