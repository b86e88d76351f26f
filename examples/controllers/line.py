"""What callers hear."""

from opening import OpeningHours
from orders import Orders

from sinchfn import IceRequest, IceSvamlBuilder, PieRequest, PieSvamlBuilder, SinchVoiceController, Svaml, create_menu

ENTER_NUMBER = create_menu().prompt("Enter your order number, then press hash.").max_digits(12)


class OrderLine(SinchVoiceController):
    """A new one is made for every callback. What its constructor takes is found by the annotations."""

    def __init__(self, orders: Orders, hours: OpeningHours) -> None:
        self.orders = orders
        self.hours = hours

    def ice(self, data: IceRequest) -> Svaml:
        """A call comes in: ask for the order."""
        is_open = self.hours.is_open(self.context.timestamp)
        greeting = "Welcome." if is_open else "We are closed, but can tell you about your order."
        return IceSvamlBuilder().say(greeting).run_menu(ENTER_NUMBER)

    def pie(self, data: PieRequest) -> Svaml:
        """The number was entered: say how far the order is, or get somebody who knows."""
        order = self.orders.find(data.menu_result.value or "") if data.menu_result else None
        if order:
            return PieSvamlBuilder().say(f"Your order is {order.status}. Goodbye.").hangup()
        if self.hours.is_open(self.context.timestamp):
            number = self.config.require_variable("OFFICE_NUMBER")
            return PieSvamlBuilder().say("We do not find this order. One moment.").connect_pstn(number)
        return PieSvamlBuilder().say("We do not find this order. Please call again tomorrow.").hangup()
