"""``python -m sinchfn.gunicorn``: print a ``gunicorn.conf.py``."""

import sys

from . import CONF

sys.stdout.write(CONF)
