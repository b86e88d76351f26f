"""sinchfn, every hook on; the function answers with a dict, so its SVAML is checked."""

from __future__ import annotations

from pathlib import Path

from sinchfn import create_app

app = create_app(Path(__file__).parent / "plain_dict")
