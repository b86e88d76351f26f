"""The WSGI app, for `gunicorn wsgi:app`.

Serves SINCHFN_FUNCTION, else the function.py beside this file, else the IVR example.
"""

import os
from pathlib import Path

from sinchfn import create_app

HERE = Path(__file__).parent
OWN = HERE if (HERE / "function.py").is_file() else HERE / "examples" / "ivr"

app = create_app(os.environ.get("SINCHFN_FUNCTION") or OWN)
