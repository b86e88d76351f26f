"""FunctionContext: what every handler gets as its first argument."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from .config import FunctionConfig
from .services.logs import RequestLogger

if TYPE_CHECKING:
    from .invocation import Invocation


class FunctionContext:
    """The surroundings of one call of a handler. Made per request; what it offers is made when it is asked for."""

    __slots__ = ("_invocation", "_log")

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._log: RequestLogger | None = None

    @property
    def request_id(self) -> str:
        """Id of this request, as in the answer's ``X-Request-ID`` and in every log line."""
        return self._invocation.request_id

    @property
    def timestamp(self) -> datetime:
        """When the request came; aware, in UTC."""
        return self._invocation.timestamp

    @property
    def config(self) -> FunctionConfig:
        """The function's settings and variables."""
        return self._invocation.function.config

    @property
    def env(self) -> Mapping[str, str]:
        """Every variable in force, read-only: the process environment, ``.env``, ``sinch.json``, ``config=``."""
        return self._invocation.function.config.env

    @property
    def log(self) -> RequestLogger:
        """A logger bound to this request; its lines carry request id, handler and call id from any thread."""
        if self._log is None:
            name = f"sinchfn.function.{self._invocation.function.name}"
            self._log = RequestLogger(logging.getLogger(name), self._invocation)
        return self._log

    def __repr__(self) -> str:
        return f"<FunctionContext of {self._invocation!r}>"
