"""The same orders over HTTP."""

from typing import Any

from marshmallow import Schema, fields, validate
from orders import STATUSES, Order, Orders

from sinchfn import FunctionResponse, SinchController, conflict, created, get, not_found, ok, post, route


class OrderSchema(Schema):
    """What a new order has to be. A request that is something else is a 422 that says which field is wrong."""

    number = fields.String(required=True, validate=validate.Regexp(r"[0-9]{4,12}\Z", error="4 to 12 digits."))
    status = fields.String(load_default=STATUSES[0], validate=validate.OneOf(STATUSES))


class FilterSchema(Schema):
    """What the query of a list may hold."""

    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))


@route("/orders")
class OrderApi(SinchController):
    """All paths begin with /orders."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders

    @get("/", query=FilterSchema)
    def list_orders(self, query: dict[str, Any]) -> list[Order]:
        """GET /orders?status=packed, with the password"""
        return self.orders.list(query["status"])

    @get("/<number>")
    def order(self, *, number: str) -> FunctionResponse:
        """GET /orders/4711"""
        found = self.orders.find(number)
        return ok(found) if found else not_found(f"There is no order {number}")

    @post("/", body=OrderSchema)
    def create(self, body: dict[str, Any]) -> FunctionResponse:
        """POST /orders {"number": "4711"}, with the password"""
        order = Order(**body)
        if not self.orders.add(order):
            return conflict(f"There is an order {order.number} already")
        self.log.info("Order %s filed", order.number)
        return created(order, location=f"/orders/{order.number}")
