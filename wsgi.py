"""The WSGI app: `gunicorn wsgi:app`. Serves SINCHFN_FUNCTION, else the IVR example."""

import os
from pathlib import Path

from sinchfn import create_app

EXAMPLE = Path(__file__).parent / "examples" / "ivr"

app = create_app(os.environ.get("SINCHFN_FUNCTION") or EXAMPLE)
