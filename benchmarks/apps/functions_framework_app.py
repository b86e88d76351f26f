"""functions-framework, as WSGI app under the same server as the others."""

from __future__ import annotations

from pathlib import Path

import functions_framework

app = functions_framework.create_app("main", str(Path(__file__).with_name("functions_framework_source.py")), "http")
