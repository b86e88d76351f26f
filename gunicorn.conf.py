"""gunicorn's settings for functions: callbacks that must be answered at once, beside sockets that live for minutes.

Found by itself when gunicorn is started in this folder (`gunicorn wsgi:app`); copy it beside your own wsgi.py.
"""

import os
from pathlib import Path

# Start-up functions run before a worker accepts; when it is told to stop, its sockets are closed at once.
from sinchfn.gunicorn import post_worker_init as post_worker_init
from sinchfn.gunicorn import worker_exit as worker_exit

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"

# Threads, because a handler mostly waits for others; and keep-alive, which the sync worker does not have.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = int(os.environ.get("THREADS", "16"))

# Longer than a proxy or load balancer keeps its side open, so that it never sends into a connection just closed.
keepalive = 75

# A worker that does not answer its heartbeat is replaced. It does not bound a request: gthread never ends one.
timeout = 30
# At a restart running calls get this long to end.
graceful_timeout = 15

# Since gunicorn 25.1 it would open a control socket in the home folder, which fails on a read-only file system, and two
# instances fight over it.
control_socket_disable = True

# A header named SCRIPT_NAME or PATH_INFO, from a proxy or anybody on this machine, must not move the function.
forwarder_headers = ""

# The heartbeat file must not be on a disk, where a slow write would look like a worker that hangs.
memory = Path("/dev/shm")  # noqa: S108 - gunicorn makes a file of its own in it, with a name nobody can guess
worker_tmp_dir = str(memory) if memory.is_dir() else None

# gunicorn's own lines in the form of the function's, which writes one for every request: an access log would be a
# second one.
logger_class = "sinchfn.gunicorn.Logger"
errorlog = "-"
accesslog = None
