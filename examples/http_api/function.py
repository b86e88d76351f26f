"""A plain HTTP API: opening hours to read, callback requests to file, an admin list behind Basic auth."""

import itertools
from dataclasses import dataclass

from sinchfn import FunctionContext, FunctionRequest, FunctionResponse, bad_request, created, not_found, ok

auth = ["callback_list"]

HOURS = {"monday": "9-17", "tuesday": "9-17", "wednesday": "9-17", "thursday": "9-17", "friday": "9-15"}


@dataclass
class Callback:
    """Somebody who wants to be called back."""

    id: int
    number: str


# Kept by this process alone, which is enough to show the endpoints.
_callbacks: list[Callback] = []
_ids = itertools.count(1)


def home(context: FunctionContext, request: FunctionRequest) -> dict[str, str]:
    """GET / says what this is."""
    return {"name": context.config.function_name, "hours": "/hours?day=monday", "callbacks": "/callbacks"}


def hours(context: FunctionContext, request: FunctionRequest) -> FunctionResponse:
    """GET /hours?day=friday"""
    day = request.query.get("day", "").lower()
    if day not in HOURS:
        return not_found(f"No hours for {day or 'an unnamed day'}: choose one of {', '.join(HOURS)}")
    return ok({"day": day, "hours": HOURS[day]})


def callbacks(context: FunctionContext, request: FunctionRequest) -> FunctionResponse:
    """POST /callbacks {"number": "+46..."}"""
    body = request.json
    number = body.get("number") if isinstance(body, dict) else None
    if not isinstance(number, str) or not number.startswith("+"):
        return bad_request('Send {"number": "+46..."}')
    callback = Callback(next(_ids), number)
    _callbacks.append(callback)
    context.log.info("Callback %d wanted", callback.id)
    return created(callback, location=f"/callbacks/{callback.id}")


def callback_list(context: FunctionContext, request: FunctionRequest) -> list[Callback]:
    """GET /callback-list, for those who know the password."""
    return list(_callbacks)
