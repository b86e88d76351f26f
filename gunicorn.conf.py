"""gunicorn's settings: sinchfn's, and yours below. gunicorn finds this file where it is started."""

from sinchfn.gunicorn import *

# workers = 4
