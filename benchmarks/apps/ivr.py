"""The IVR example, as ``wsgi.py`` serves it."""

from __future__ import annotations

from pathlib import Path

from sinchfn import create_app

app = create_app(Path(__file__).parents[2] / "examples" / "ivr")
