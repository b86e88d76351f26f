"""The log: sets up where lines go and in which form, and ``context.log``.

Every line goes through the standard :mod:`logging`. A function with an app of its own has one handler, on the root
logger, which writes to standard error; what Flask, gunicorn (with ``logger_class = "sinchfn.gunicorn.Logger"``),
libraries and the user's own loggers write has its form, as have warnings and what fails in a thread. In an existing
app the handlers are those of the app; there only secrets are struck out, see :func:`strike_out`.

Each line says which request it belongs to. ``context.log`` knows its request from any thread. Other loggers know it in
the handler, in async handlers and their tasks, in ``asyncio.to_thread`` and while an answer is streamed, but not in a
thread that the handler starts, unless it hands on its context::

    pool.submit(contextvars.copy_context().run, work, item)

Not covered: what is printed, and what a program that is started writes.
"""
