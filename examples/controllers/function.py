"""An order line in several files: a voice menu and an HTTP API that share their services."""

import time
from collections.abc import Callable
from typing import Any

from api import OrderApi
from line import OrderLine
from opening import OpeningHours
from orders import Orders

from sinchfn import (
    FunctionConfig,
    FunctionContext,
    FunctionRequest,
    Invocation,
    ServiceRegistry,
    SinchApplication,
    SinchFunctionInit,
)

# Of what is imported, only what is named here is served. The init class is found by itself.
__all__ = ["OrderApi", "OrderLine"]

# "OrderApi" would close all of its endpoints. Reading one order stays open: whoever asks knows its number.
auth = ["OrderApi.list_orders", "OrderApi.create"]


class Init(SinchFunctionInit):
    """What is set up at start. A service that is missing, or cannot be made, is an error then, and not in a call."""

    def configure_services(self, services: ServiceRegistry, config: FunctionConfig) -> None:
        """Two lifetimes: opening hours never change, a connection to the database belongs to one request."""
        services.add_singleton(OpeningHours)
        services.add_scoped(Orders)

    def configure_app(self, app: SinchApplication) -> None:
        """A route that needs no controller, and what runs around every handler."""
        app.map_get("/about", about)
        app.use(warn_of_silence)


def about(context: FunctionContext, request: FunctionRequest) -> dict[str, str]:
    """GET /about"""
    return {"name": context.config.function_name, "environment": context.config.environment}


def warn_of_silence(invocation: Invocation, call_next: Callable[[Invocation], Any]) -> Any:
    """A caller hears nothing until a callback is answered, so it is good to know which ones take long."""
    started = time.monotonic()
    try:
        return call_next(invocation)
    finally:
        took = (time.monotonic() - started) * 1000
        if took >= int(invocation.context.config.require_variable("SLOW_AFTER_MS")):
            invocation.context.log.warning("%s kept its caller waiting for %d ms", invocation.handler_name, took)
