"""gunicorn's settings for flask-sock: nothing of sinchfn in it, and a thread for each call."""

import os

bind = f"127.0.0.1:{os.environ['PORT']}"
worker_class = "gthread"
workers = 1
threads = int(os.environ["THREADS"])
worker_connections = max(1000, threads)
control_socket_disable = True
