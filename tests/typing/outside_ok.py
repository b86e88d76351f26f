"""A context outside of a request. Only type-checked, never run."""

from __future__ import annotations

from typing import assert_type

from flask import Flask

from sinchfn import FunctionContext, context


def task(app: Flask) -> None:
    with context(app) as found:
        assert_type(found, FunctionContext)
    with context(app, url_prefix="/voice") as found:
        found.cache.set("key", 1)
