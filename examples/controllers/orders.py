"""The orders, in the function's database."""

from dataclasses import dataclass

from sinchfn import FunctionContext

STATUSES = ("received", "packed", "sent")


@dataclass(frozen=True)
class Order:
    """One order, as it is answered."""

    number: str
    status: str


class Orders:
    """Finds and files orders. Made for each request that wants it: a connection to the database belongs to one."""

    def __init__(self, context: FunctionContext) -> None:
        self._database = context.open_database()
        self._database.execute("create table if not exists orders (number text primary key, status text not null)")

    def find(self, number: str) -> Order | None:
        """The order of this number, if there is one."""
        row = self._database.execute("select number, status from orders where number = ?", (number,)).fetchone()
        return Order(**row) if row else None

    def list(self, status: str | None = None) -> list[Order]:
        """All orders, or those of one status."""
        rows = self._database.execute(
            "select number, status from orders where :status is null or status = :status order by number",
            {"status": status},
        )
        return [Order(**row) for row in rows]

    def add(self, order: Order) -> bool:
        """File an order; False if its number is taken."""
        with self._database:  # commits: what is not committed when the request ends is rolled back
            added = self._database.execute(
                "insert or ignore into orders values (?, ?)", (order.number, order.status)
            ).rowcount
        return added == 1
