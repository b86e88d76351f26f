"""sinchfn, every hook on; the function is written as controllers, and answers with the SVAML builder."""

from __future__ import annotations

from pathlib import Path

from sinchfn import create_app

app = create_app(Path(__file__).parent / "controller")
