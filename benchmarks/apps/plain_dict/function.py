"""The job as a sinchfn function, its answer a plain dict."""

from __future__ import annotations

from typing import Any

from job import answer

from sinchfn import FunctionContext, FunctionRequest, IceRequest


def ice(context: FunctionContext, data: IceRequest) -> dict[str, Any]:
    return answer(data.cli or "")


def hello(context: FunctionContext, request: FunctionRequest) -> dict[str, str]:
    return {"hello": "world"}
