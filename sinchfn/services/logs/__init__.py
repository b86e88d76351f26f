"""The log: sets up where lines go and in which form, and ``context.log``.

Every line goes through the standard :mod:`logging`. A function with an app of its own has one handler, on the root
logger, which writes to standard error; what Flask, gunicorn (with ``logger_class = "sinchfn.gunicorn.Logger"``),
libraries and the user's own loggers write has its form, as have warnings and what fails in a thread. In somebody else's
app the handlers are theirs; there only secrets are struck out, see :func:`strike_out`.

Each line says which request it belongs to. ``context.log`` knows its request from any thread. Other loggers know it in
the handler, in async handlers and their tasks, in ``asyncio.to_thread`` and while an answer is streamed, but not in a
thread that the handler starts, unless it hands on its context::

    pool.submit(contextvars.copy_context().run, work, item)

Not covered: what is printed, and what a program that is started writes.
"""

from __future__ import annotations

from .filters import RedactionFilter as RedactionFilter
from .filters import RequestFilter as RequestFilter
from .handlers import PlatformHandler as PlatformHandler
from .handlers import RequestLogger as RequestLogger
from .handlers import make_formatter as make_formatter
from .handlers import set_up_logging as set_up_logging
from .handlers import strike_out as strike_out
from .output import OUTPUTS as OUTPUTS
from .records import Clean as Clean
from .records import RequestFields as RequestFields
from .records import bound_to as bound_to
from .records import current_request as current_request
from .records import owned_by as owned_by
from .records import redact as redact
from .records import request_fields as request_fields
from .records import struck_out as struck_out
